"""Files of hadronic interactions: HDF5 with flat arrays, HepMC3 in and out.

HDF5: the columns of ``EVENT_SCHEMA``, sealed as every data set (see ``data.shards``), so that what ``cloudchamber
simulate`` writes is such a file, too; attributes say which model made them. HepMC3 (arXiv:1912.08005, package
``pyhepmc``): one vertex an event, projectile and nucleus come in with status 4, everything that leaves has status 1;
the channel is the event's ``signal_process_id`` (0 elastic, 1 inelastic), and a file without it is inelastic. Units are
GeV; other units in a file are converted. Both are written piece by piece, so that a file may be larger than the memory.

A file that another generator or an experiment wrote is read the same way, if each event has two incoming particles,
one of them at rest.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cloudchamber.data.columns import checked_columns
from cloudchamber.data.files import replacing
from cloudchamber.data.shards import growing, read_attributes, read_shard
from cloudchamber.schema import Array, Arrays, BadInput
from cloudchamber.simulators.hadronic.events import INELASTIC, Beam, Events
from cloudchamber.simulators.hadronic.particles import quantum_numbers

EVENT_SCHEMA = {
    "projectile": Array("event", "", "PDG code of the projectile", "int32"),
    "target": Array("event", "", "charge Z of the target", "int32", low=0, high=120),
    "kinetic_energy": Array("event", "GeV", "of the projectile", "float64", low=0),
    "direction": Array("event xyz", "", "unit vector of the projectile", "float64", low=-1.001, high=1.001),
    "nucleus": Array("event", "", "PDG code of the struck nucleus", "int32"),
    "incoming": Array("event four", "GeV", "E, px, py, pz of projectile and nucleus together", "float64"),
    "channel": Array("event", "", "0 elastic, 1 inelastic", "uint8", low=0, high=1),
    "count": Array("event", "", "particles that leave", "int64", low=0),
    "kind": Array("particle", "", "PDG code of what leaves", "int32", of="count"),
    "momentum": Array("particle four", "GeV", "E, px, py, pz", "float64", of="count"),
}
"""Columns of a file, and of a study's data set."""
LENGTHS = {"xyz": 3, "four": 4}

ENERGY_BALANCE = 0.01
"""Largest part of the total energy by which an event may break conservation of energy or momentum."""

BEAM, FINAL = 4, 1
"""Status of incoming and outgoing particles in HepMC3."""


@contextlib.contextmanager
def event_writer(path: Path, about: Mapping[str, Any]) -> Iterator[Callable[[Events], None]]:
    """Write HDF5 (.h5) or HepMC3 (.hepmc3) piece by piece.

    Use it as ``with event_writer(path, about) as append``, then ``append(events)`` at least once. The file is there,
    complete, when the block ends well, else it is as before.

    Args:
        path: its suffix decides.
        about: of the file as a whole: model, version, data, seed ...

    Raises:
        BadInput: another suffix, a place that cannot be written, a full disk, no pyhepmc.
    """
    if path.suffix not in (".h5", ".hdf5", ".hepmc3"):
        raise BadInput(f"cannot write {path}: need a name that ends in .h5 or .hepmc3", status=2)
    with (_hepmc_writer if path.suffix == ".hepmc3" else _hdf5_writer)(path, about) as append:
        yield append


def write_events(path: Path, events: Events, about: Mapping[str, Any]) -> None:
    """Write all events of a file at once; see ``event_writer``."""
    with event_writer(path, about) as append:
        append(events)


@contextlib.contextmanager
def _hdf5_writer(path: Path, about: Mapping[str, Any]) -> Iterator[Callable[[Events], None]]:
    with growing(path, EVENT_SCHEMA, about) as append_arrays:
        yield lambda events: append_arrays(checked_columns(arrays_of(events), EVENT_SCHEMA, LENGTHS))


def arrays_of(events: Events) -> Arrays:
    """Columns of ``EVENT_SCHEMA``."""
    return {
        **events.beam.arrays(), "nucleus": events.nucleus, "incoming": events.incoming, "channel": events.channel,
        "count": events.count, "kind": events.kind, "momentum": events.momentum,
    }  # fmt: skip


def events_of(arrays: Mapping[str, Any]) -> Events:
    """Events of the columns of ``EVENT_SCHEMA``."""
    beam = Beam(arrays["projectile"], arrays["target"], arrays["kinetic_energy"], arrays["direction"])
    offsets = np.concatenate([[0], np.cumsum(arrays["count"], dtype=np.int64)])
    return Events(
        beam, arrays["nucleus"], arrays["incoming"], arrays["channel"], offsets, arrays["kind"], arrays["momentum"]
    )


def read_events(path: Path) -> tuple[Events, dict[str, Any]]:
    """Events of an HDF5 or HepMC3 file, and what the file says of itself.

    Raises:
        BadInput: no such file; truncated or altered; columns that are missing or do not fit; unknown kinds of
            particles; events that break conservation of energy; masses below 0.
    """
    if path.suffix == ".hepmc3":
        events, about = _read_hepmc(path), {"model": "HepMC3 file"}
    else:
        arrays, about = read_shard(path), read_attributes(path)
        try:
            known = {name: values for name, values in counted(arrays).items() if name in EVENT_SCHEMA}
            events = events_of(checked_columns(known, EVENT_SCHEMA, LENGTHS))
        except BadInput as error:
            raise BadInput(f"{path} holds no events: {error}") from None
    _sensible(path, events)
    return events, about


def counted(arrays: Arrays) -> Arrays:
    """Columns with ``count``; files of cloudchamber 0.1.0 have ``offsets`` (event + 1,) instead.

    Raises:
        BadInput: offsets that do not run from 0 to the number of particles.
    """
    if "offsets" not in arrays or "count" in arrays:
        return arrays
    rest = {name: values for name, values in arrays.items() if name != "offsets"}
    offsets, particles = arrays["offsets"], len(arrays.get("kind", ()))
    if offsets.ndim != 1 or not len(offsets) or offsets[0] != 0 or offsets[-1] != particles:
        raise BadInput(f"column 'offsets': expected numbers from 0 to the {particles} particles")
    return rest | {"count": np.diff(offsets)}


def _sensible(path: Path, events: Events) -> None:
    """Refuse what is no physics."""
    for code in np.unique(events.kind):
        quantum_numbers(int(code))
    square = events.momentum[:, 0] ** 2 - (events.momentum[:, 1:] ** 2).sum(axis=1)
    below = square < -1e-6 * (1 + events.momentum[:, 0] ** 2)
    if below.any():
        worst = int(np.argmax(below))
        raise BadInput(
            f"{path}: event {int(events.event_of[worst])} has a particle {int(events.kind[worst])} whose energy is"
            f" below its momentum (mass squared {square[worst]:.3g} GeV^2): check the order E, px, py, pz and the unit"
        )
    off = np.abs(events.sums(events.momentum) - events.incoming).max(axis=1)
    bad = off > ENERGY_BALANCE * events.incoming[:, 0]
    if bad.any():
        worst = int(np.argmax(off / events.incoming[:, 0]))
        raise BadInput(
            f"{path}: {bad.sum()} of {len(events)} events break conservation of energy and momentum, event {worst} by"
            f" {off[worst]:.3g} GeV: does the final state lack particles, or the residual nucleus?"
        )


# --- HepMC3 -----------------------------------------------------------------------------------------------------------


def _pyhepmc() -> Any:
    if importlib.util.find_spec("pyhepmc") is None:
        raise BadInput("HepMC3 files need pyhepmc: pip install 'cloudchamber[generators]'")
    import pyhepmc

    return pyhepmc


@contextlib.contextmanager
def _hepmc_writer(path: Path, about: Mapping[str, Any]) -> Iterator[Callable[[Events], None]]:
    hepmc = _pyhepmc()
    run = hepmc.GenRunInfo()
    run.tools = [(str(about.get("model", "unknown")), str(about.get("version", "")), str(about.get("data", "")))]
    for name, value in about.items():
        run.attributes[name] = str(value)
    written = 0

    with replacing(path) as partial, hepmc.open(partial, "w", format="HepMC3") as file:

        def append(events: Events) -> None:
            nonlocal written
            for event in _hepmc_events(hepmc, events, written):
                event.run_info = run
                file.write(event)
            written += len(events)

        yield append


def _hepmc_events(hepmc: Any, events: Events, first_number: int) -> Iterator[Any]:
    """One event of the library for each of ours, numbered from ``first_number``."""
    square = events.momentum[:, 0] ** 2 - (events.momentum[:, 1:] ** 2).sum(axis=1)
    masses = np.sqrt(np.maximum(square, 0.0))
    energy, direction = events.beam.kinetic_energy, events.beam.direction
    across = np.linalg.norm(events.incoming[:, 1:], axis=1)
    mass = (across**2 - energy**2) / (2 * np.maximum(energy, 1e-12))  # p^2 = T^2 + 2 T m
    for number in range(len(events)):
        rows = slice(events.offsets[number], events.offsets[number + 1])
        first = np.array([[energy[number] + mass[number], *(across[number] * direction[number])]])
        nucleus = events.incoming[number] - first[0]
        momentum = np.concatenate([first, [nucleus], events.momentum[rows]])
        kind = np.concatenate([[events.beam.projectile[number], events.nucleus[number]], events.kind[rows]])
        leaving = len(kind) - 2
        event = hepmc.GenEvent(hepmc.Units.GEV, hepmc.Units.MM)
        event.from_hepevt(
            first_number + number, momentum[:, 1], momentum[:, 2], momentum[:, 3], momentum[:, 0],
            np.concatenate([[mass[number], nucleus[0]], masses[rows]]), kind.astype(np.int32),
            np.array([BEAM, BEAM] + [FINAL] * leaving, np.int32),
            parents=np.array([[-1, -1]] * 2 + [[0, 1]] * leaving, np.int32), fortran=False,
        )  # fmt: skip
        event.attributes["signal_process_id"] = int(events.channel[number])
        yield event


def _read_hepmc(path: Path) -> Events:
    rows = list(_hepmc_rows(path))
    if not rows:
        raise BadInput(f"{path} holds no event: is it HepMC3 text, complete to its last line?")
    projectile, nucleus, energy, direction, incoming, channel, kind, momentum = zip(*rows, strict=True)
    charges = np.array([quantum_numbers(int(code)).charge for code in nucleus], np.int32)
    beam = Beam(np.array(projectile, np.int32), charges, np.array(energy), np.array(direction))
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in kind])])
    return Events(
        beam, np.array(nucleus, np.int32), np.array(incoming), np.array(channel, np.uint8), offsets,
        np.concatenate(kind).astype(np.int32), np.concatenate(momentum),
    )  # fmt: skip


def _hepmc_rows(path: Path) -> Iterator[tuple[Any, ...]]:
    """Projectile, nucleus, kinetic energy, direction, incoming, channel, kinds and momenta, event after event."""
    hepmc = _pyhepmc()
    if not path.is_file():
        raise BadInput(f"no file {path}")
    expected = _complete(path)
    number = -1
    try:
        with hepmc.open(path) as file:
            for number, event in enumerate(file):
                event.set_units(hepmc.Units.GEV, hepmc.Units.MM)
                yield _row(path, number, event)
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInput(f"{path} breaks off or is no HepMC3 text after event {number}: {error}") from None
    if number + 1 != expected:  # the library leaves out what it cannot parse
        raise BadInput(f"{path}: only {number + 1} of {expected} events can be read: a line of the next one is broken")


def _complete(path: Path) -> int:
    """The number of events of a HepMC3 text; BadInput without the line at its end: the file was cut off."""
    count, last = 0, b""
    with path.open("rb") as file:
        for line in file:
            count += line.startswith(b"E ")
            last = line if line.strip() else last
    if b"END_EVENT_LISTING" not in last:
        raise BadInput(f"{path} breaks off: a HepMC3 text ends with HepMC::Asciiv3-END_EVENT_LISTING")
    return count


def _row(path: Path, number: int, event: Any) -> tuple[Any, ...]:
    particles = event.numpy.particles
    momentum = np.stack([particles.e, particles.px, particles.py, particles.pz], axis=1)
    status, kind = np.asarray(particles.status), np.asarray(particles.pid)
    two = np.flatnonzero(status == BEAM)
    if len(two) != 2:
        raise BadInput(
            f"{path}: event {number} has {len(two)} particles of status 4: projectile and nucleus are needed"
        )
    moving = np.linalg.norm(momentum[two, 1:], axis=1)
    if moving.min() > 1e-6 * moving.max():
        raise BadInput(f"{path}: event {number}: neither incoming particle is at rest")
    first, second = two[np.argmax(moving)], two[np.argmin(moving)]
    mass = np.sqrt(max(momentum[first, 0] ** 2 - moving.max() ** 2, 0.0))
    told = "signal_process_id" in event.attributes
    channel = int(str(event.attributes["signal_process_id"])) if told else INELASTIC
    final = status == FINAL
    return (
        kind[first], kind[second], moving.max() ** 2 / (momentum[first, 0] + mass), momentum[first, 1:] / moving.max(),
        momentum[two].sum(axis=0), channel, kind[final], momentum[final],
    )  # fmt: skip
