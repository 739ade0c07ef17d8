"""Collisions of nuclei at freeze-out: what transport leaves, rounded to whole hot nuclei and nucleons, and files of it.

A final state is a list of nuclei, nucleons among them: A, Z, momentum and excitation energy above the measured ground
state. It conserves A, Z, momentum and energy exactly (``simulators.transport.whole_numbers``). A simulated event has
besides what it was rounded from, ``Simulated``: fragments with real-valued A and Z and the test particles of the gas;
it can be rounded anew as often as one likes (``rounded``).

Conventions: frame in which both nuclei together are at rest, the projectile comes along +z, displaced to +x; fm, MeV,
MeV/c; energies of a channel are kinetic energies per nucleon of the projectile in the laboratory.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.columns import checked_columns, owned_rows
from cloudchamber.data.shards import growing, read_attributes, read_shard
from cloudchamber.schema import Array, Arrays, BadInput
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.masses import mass_or_estimate
from cloudchamber.simulators.transport.whole_numbers import available_energy, whole_nuclei

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

log = logging.getLogger("cloudchamber")

SUFFIXES = (".h5", ".hdf5")
LENGTHS = {"xyz": 3, "A_Z": 2}
EVENT_SCHEMA = {
    "projectile": Array("event A_Z", "", "mass number and charge of the projectile", "int32", low=0),
    "target": Array("event A_Z", "", "mass number and charge of the target", "int32", low=0),
    "energy": Array("event", "MeV", "kinetic energy per nucleon of the projectile in the laboratory", "float64", low=0),
    "impact_parameter": Array("event", "fm", "of the collision", "float64", low=0),
    "nuclei": Array("event", "", "number of nuclei and nucleons", "int32", low=1),
    "A": Array("nucleus", "", "mass number", "int16", low=1, of="nuclei"),
    "Z": Array("nucleus", "", "charge", "int16", low=0, of="nuclei"),
    "momentum": Array("nucleus xyz", "MeV/c", "in the common rest frame, the beam along z", "float64", of="nuclei"),
    "excitation": Array("nucleus", "MeV", "above the measured ground state", "float64", low=0, of="nuclei"),
}
"""Columns of a file of hot nuclei."""

BALANCE = 1e-3
"""Largest part of the kinetic energy by which an event of a file may be off."""
STILL = 0.1
"""MeV/c that all nuclei of an event of a file may carry together."""


@dataclass(frozen=True)
class Entrance:
    """Which nuclei collide, how fast and how centrally: the condition of an event.

    Attributes:
        projectile, target: A and Z (event, 2).
        energy: (event,) [MeV per nucleon].
        impact_parameter: (event,) [fm].
    """

    projectile: Integers
    target: Integers
    energy: Floats
    impact_parameter: Floats

    def __len__(self) -> int:
        return len(self.energy)

    def ordered(self, rows: NDArray[Any]) -> Entrance:
        """Those of the events ``rows``, in that order, or of those that are marked."""
        return Entrance(self.projectile[rows], self.target[rows], self.energy[rows], self.impact_parameter[rows])

    @cached_property
    def channels(self) -> tuple[list[EntranceChannel], Integers]:
        """The channels that there are, and the number of each event's (event,)."""
        table = np.column_stack([self.projectile, self.target, self.energy])
        distinct, number = np.unique(table, axis=0, return_inverse=True)
        found = [EntranceChannel((int(a), int(b)), (int(c), int(d)), float(e)) for a, b, c, d, e in distinct]
        return found, number.reshape(-1).astype(np.int64)

    def of_channel(self, value: Callable[[EntranceChannel], float]) -> Floats:
        """A number of each event's channel (event,)."""
        channels, number = self.channels
        return np.array([value(one) for one in channels], np.float64)[number]

    def available_energy(self) -> Floats:
        """Of both nuclei in their common rest frame, rest masses included (event,) [MeV]."""
        return self.of_channel(available_energy)


@dataclass(frozen=True)
class Simulated:
    """What transport leaves of events, before rounding.

    Attributes:
        fragments: number of fragments (event,).
        A, Z: real-valued (fragment,); heaviest of an event first.
        position: (fragment, 3) [fm].
        momentum: of the whole fragment (fragment, 3) [MeV/c].
        excitation: above the model's ground state (fragment,) [MeV].
        gas: number of gas particles (event,).
        gas_species: 0 neutron, 1 proton (particle,).
        gas_position: (particle, 3) [fm].
        gas_momentum: (particle, 3) [MeV/c].
        per_nucleon: gas particles that make a nucleon.
    """

    fragments: Integers
    A: Floats
    Z: Floats
    position: Floats
    momentum: Floats
    excitation: Floats
    gas: Integers
    gas_species: NDArray[np.uint8]
    gas_position: NDArray[np.float32]
    gas_momentum: NDArray[np.float32]
    per_nucleon: int

    def __len__(self) -> int:
        return len(self.fragments)

    @cached_property
    def first_fragment(self) -> Integers:
        """Where the fragments of each event begin (event + 1,)."""
        return _offsets(self.fragments)

    @cached_property
    def first_particle(self) -> Integers:
        """Where the gas particles of each event begin (event + 1,)."""
        return _offsets(self.gas)

    def ordered(self, rows: NDArray[Any]) -> Simulated:
        """Those of the events ``rows``, in that order."""
        rows = np.arange(len(self))[rows]
        one, other = owned_rows(self.first_fragment, rows), owned_rows(self.first_particle, rows)
        return Simulated(
            self.fragments[rows], self.A[one], self.Z[one], self.position[one], self.momentum[one],
            self.excitation[one], self.gas[rows], self.gas_species[other], self.gas_position[other],
            self.gas_momentum[other], self.per_nucleon,
        )  # fmt: skip


@dataclass(frozen=True)
class Collisions:
    """Events: under which condition, and the hot nuclei and nucleons of each.

    Attributes:
        entrance: the conditions (event,).
        nuclei: number of nuclei and nucleons (event,).
        A, Z: (nucleus,).
        momentum: (nucleus, 3) [MeV/c].
        excitation: (nucleus,) [MeV].
        simulated: what they were rounded from; None: they were made whole.
    """

    entrance: Entrance
    nuclei: Integers
    A: Integers
    Z: Integers
    momentum: Floats
    excitation: Floats
    simulated: Simulated | None = None

    def __len__(self) -> int:
        return len(self.nuclei)

    @cached_property
    def offsets(self) -> Integers:
        """Where the nuclei of each event begin (event + 1,)."""
        return _offsets(self.nuclei)

    @cached_property
    def event_of(self) -> Integers:
        """The event of each nucleus (nucleus,)."""
        return np.repeat(np.arange(len(self)), self.nuclei)

    def ordered(self, rows: NDArray[Any]) -> Collisions:
        """The events ``rows``, in that order, or those that are marked."""
        rows = np.arange(len(self))[rows]
        own = owned_rows(self.offsets, rows)
        return Collisions(
            self.entrance.ordered(rows), self.nuclei[rows], self.A[own], self.Z[own], self.momentum[own],
            self.excitation[own], None if self.simulated is None else self.simulated.ordered(rows),
        )  # fmt: skip

    def sums(self, values: NDArray[Any]) -> Floats:
        """Sums over the nuclei of each event (event, ...) of values (nucleus, ...)."""
        flat = values.reshape(len(values), -1).astype(np.float64)
        summed = [np.bincount(self.event_of, column, len(self)) for column in flat.T]
        return np.array(summed, np.float64).T.reshape(len(self), *values.shape[1:])

    def mass(self) -> Floats:
        """With excitation (nucleus,) [MeV]."""
        return mass_or_estimate(self.Z, self.A) + self.excitation

    def energy(self) -> Floats:
        """With rest mass (nucleus,) [MeV]."""
        return np.asarray(np.sqrt(self.mass() ** 2 + (self.momentum**2).sum(axis=1)))


def _offsets(count: NDArray[Any]) -> Integers:
    return np.concatenate([[0], np.cumsum(count, dtype=np.int64)])


def joined(parts: Sequence[Collisions]) -> Collisions:
    """Several sets of events, one after the other; what they were rounded from is dropped."""

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(one, name) for one in parts])

    def condition(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(one.entrance, name) for one in parts])

    entrance = Entrance(*(condition(name) for name in ("projectile", "target", "energy", "impact_parameter")))
    return Collisions(entrance, column("nuclei"), column("A"), column("Z"), column("momentum"), column("excitation"))


# --- from records -----------------------------------------------------------------------------------------------------


def entrance_of(arrays: Mapping[str, NDArray[Any]]) -> Entrance:
    """The conditions of the columns ``projectile``, ``target``, ``energy``, ``impact_parameter``."""
    return Entrance(
        arrays["projectile"].astype(np.int64), arrays["target"].astype(np.int64),
        # columns of records have single precision: 62 is 62 there, but 45.3 is not
        np.asarray(np.round(arrays["energy"].astype(np.float64), 4), np.float64),
        arrays["impact_parameter"].astype(np.float64),
    )  # fmt: skip


def collisions_of(arrays: Mapping[str, NDArray[Any]], seed: int = 0) -> Collisions:
    """Events of records of transport (columns of ``experiments.transport.SCHEMA``), each rounded once.

    Events that were refused are left out, and so are those whose rounding has no solution, with a line in the log.

    Args:
        arrays: the columns.
        seed: of the rounding.

    Raises:
        BadInput: none is left.
    """
    kept = np.flatnonzero(arrays["refused"] == 0)
    # what is not in fragments is gas, which tells how many test particles make a nucleon
    nucleons = float((arrays["projectile"] + arrays["target"])[kept, 0].sum() - arrays["fragment_A"].sum())
    per_nucleon = max(round(float(arrays["gas"].sum()) / nucleons), 1) if nucleons > 0 else 1
    if len(kept) < len(arrays["refused"]):
        refused, all_events = int((arrays["refused"] != 0).sum()), len(arrays["refused"])
        log.warning("%d of %d events were refused by the simulator", refused, all_events)
    simulated = Simulated(
        arrays["fragments"].astype(np.int64), arrays["fragment_A"], arrays["fragment_Z"], arrays["fragment_position"],
        arrays["fragment_momentum"], arrays["fragment_excitation"], arrays["gas"].astype(np.int64),
        arrays["gas_species"], arrays["gas_position"], arrays["gas_momentum"], per_nucleon,
    ).ordered(kept)  # fmt: skip
    return rounded(entrance_of(arrays).ordered(kept), simulated, np.random.default_rng(seed))


def rounded(entrance: Entrance, simulated: Simulated, rng: np.random.Generator) -> Collisions:
    """Whole nuclei and nucleons, drawn anew with each call; events without a solution are left out.

    Args:
        entrance: conditions (event,).
        simulated: the events.
        rng: what is random.

    Raises:
        BadInput: no event has a solution.
    """
    channels, number = entrance.channels
    kept, found = [], []
    for event in range(len(simulated)):
        own = slice(*simulated.first_fragment[event : event + 2])
        gas = slice(*simulated.first_particle[event : event + 2])
        try:
            nuclei = whole_nuclei(
                simulated.A[own], simulated.Z[own], simulated.momentum[own], simulated.excitation[own],
                simulated.gas_momentum[gas].astype(np.float64), simulated.gas_species[gas].astype(np.int8),
                channels[number[event]], rng,
            )  # fmt: skip
        except ArithmeticError as error:
            log.warning("event %d is left out: %s", event, error)
            continue
        kept.append(event)
        found.append(nuclei)
    if not found:
        raise BadInput("no event is left: simulate more, or with a smaller time_step")
    return Collisions(
        entrance.ordered(np.array(kept)), np.array([len(one.A) for one in found], np.int64),
        np.concatenate([one.A for one in found]), np.concatenate([one.Z for one in found]),
        np.concatenate([one.momentum for one in found]), np.concatenate([one.excitation for one in found]),
        simulated.ordered(np.array(kept)),
    )  # fmt: skip


# --- files ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def collision_writer(path: Path, about: Mapping[str, Any]) -> Iterator[Callable[[Collisions], None]]:
    """Write a file of hot nuclei piece by piece; it is there, complete, when the block ends well.

    Args:
        path: ends in .h5.
        about: of the file as a whole: model, version, seed ...

    Raises:
        BadInput: another suffix, a place that cannot be written, a full disk.
    """
    if path.suffix not in SUFFIXES:
        raise BadInput(f"cannot write {path}: need a name that ends in .h5", status=2)
    with growing(path, EVENT_SCHEMA, about) as append:
        yield lambda events: append(checked_columns(arrays_of(events), EVENT_SCHEMA, LENGTHS))


def arrays_of(events: Collisions) -> Arrays:
    """Columns of ``EVENT_SCHEMA``."""
    entrance = {name: getattr(events.entrance, name) for name in ("projectile", "target", "energy", "impact_parameter")}
    return entrance | {name: getattr(events, name) for name in ("nuclei", "A", "Z", "momentum", "excitation")}


def read_collisions(path: Path) -> tuple[Collisions, dict[str, Any]]:
    """Events of a file of hot nuclei, and what the file says of itself.

    Raises:
        BadInput: no such file; truncated or altered; columns that are missing or do not fit; numbers of nucleons,
            momenta or energies that do not add up to those of the colliding nuclei.
    """
    arrays, about = read_shard(path), read_attributes(path)
    try:
        columns = checked_columns({n: v for n, v in arrays.items() if n in EVENT_SCHEMA}, EVENT_SCHEMA, LENGTHS)
    except BadInput as error:
        raise BadInput(f"{path} holds no collisions: {error}") from None
    events = Collisions(
        entrance_of(columns), columns["nuclei"].astype(np.int64), columns["A"].astype(np.int64),
        columns["Z"].astype(np.int64), columns["momentum"].astype(np.float64), columns["excitation"].astype(np.float64),
    )  # fmt: skip
    if (bad := np.flatnonzero(events.Z > events.A)).size:
        raise BadInput(f"{path}: a nucleus of event {events.event_of[bad[0]]} has more protons than nucleons")
    total = (events.entrance.projectile + events.entrance.target).astype(np.float64)
    energy, available = events.sums(events.energy()), events.entrance.available_energy()
    kinetic = np.maximum(events.entrance.energy * events.entrance.projectile[:, 0], 1.0)
    moving = np.abs(events.sums(events.momentum)).max(axis=1)
    checks = {
        "A": events.sums(events.A) - total[:, 0],
        "Z": events.sums(events.Z) - total[:, 1],
        "momentum": np.where(moving > STILL, moving, 0.0),
        "energy": np.where(np.abs(energy - available) > BALANCE * kinetic, energy - available, 0.0),
    }
    for name, off in checks.items():
        if (bad := np.flatnonzero(off)).size:
            raise BadInput(
                f"{path}: {name} of event {bad[0]} is off by {off[bad[0]]:.3g}: need hot nuclei and nucleons that add"
                " up to the colliding nuclei, in their common rest frame"
            )
    return events, about
