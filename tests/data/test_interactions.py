"""Files of interactions: there and back in both formats, and every kind of bad file in one line."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from cloudchamber.data.interactions import EVENT_SCHEMA, arrays_of, event_writer, read_events, write_events
from cloudchamber.data.shards import growing
from cloudchamber.schema import Array, BadInput
from cloudchamber.simulators.hadronic.events import Beam, Events

needs_hepmc = pytest.mark.skipif(importlib.util.find_spec("pyhepmc") is None, reason="needs the extra generators")
SUFFIXES = [".h5", pytest.param(".hepmc3", marks=needs_hepmc)]
PION, PROTON = 0.1395701, 0.938272013


def elastic(n: int = 4, seed: int = 1) -> Events:
    """pi+ p to pi+ p at 5 GeV and random angles, exact, with a third event of other projectile order."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=(n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    energy = np.full(n, 5.0)
    momentum = np.sqrt(energy * (energy + 2 * PION))[:, None] * direction
    incoming = np.concatenate([(energy + PION + PROTON)[:, None], momentum], axis=1)
    square = incoming[:, 0] ** 2 - (incoming[:, 1:] ** 2).sum(axis=1)
    s = np.sqrt(square)
    k = np.sqrt((square - (PION + PROTON) ** 2) * (square - (PION - PROTON) ** 2)) / (2 * s)
    angle = rng.normal(size=(n, 3))
    angle *= (k / np.linalg.norm(angle, axis=1))[:, None]
    rest = np.stack(
        [
            np.concatenate([np.sqrt(k**2 + m**2)[:, None], sign * angle], axis=1)
            for m, sign in ((PION, 1), (PROTON, -1))
        ],
        1,
    )
    beta, gamma = incoming[:, 1:] / incoming[:, :1], incoming[:, 0] / s
    along = np.einsum("nx,npx->np", beta, rest[..., 1:])
    out = rest.copy()
    out[..., 0] = gamma[:, None] * (rest[..., 0] + along)
    factor = gamma[:, None] ** 2 / (gamma[:, None] + 1) * along + gamma[:, None] * rest[..., 0]
    out[..., 1:] = rest[..., 1:] + factor[..., None] * beta[:, None]
    beam = Beam(np.full(n, 211, np.int32), np.ones(n, np.int32), energy, direction)
    return Events(
        beam, np.full(n, 2212, np.int32), incoming, (np.arange(n) % 2).astype(np.uint8), 2 * np.arange(n + 1),
        np.tile(np.array([211, 2212], np.int32), n), out.reshape(-1, 4),
    )  # fmt: skip


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_written_events_are_read_back_unchanged(tmp_path: Path, suffix: str) -> None:
    events, path = elastic(), tmp_path / f"events{suffix}"
    write_events(path, events, {"model": "by hand", "version": "1", "data": "none"})
    found, about = read_events(path)
    assert about["model"] == ("by hand" if suffix == ".h5" else "HepMC3 file")
    for name in ("projectile", "target", "kinetic_energy", "direction"):
        np.testing.assert_allclose(getattr(found.beam, name), getattr(events.beam, name), rtol=1e-12, atol=1e-12)
    for name in ("nucleus", "channel", "offsets", "kind"):
        np.testing.assert_array_equal(getattr(found, name), getattr(events, name))
    for name in ("incoming", "momentum"):
        np.testing.assert_allclose(getattr(found, name), getattr(events, name), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_piece_by_piece_is_as_at_once(tmp_path: Path, suffix: str) -> None:
    events = elastic(7)
    at_once, pieces = tmp_path / f"once{suffix}", tmp_path / f"pieces{suffix}"
    write_events(at_once, events, {"model": "by hand"})
    with event_writer(pieces, {"model": "by hand"}) as append:
        for rows in ([0, 1, 2], [3], [], [4, 5, 6]):
            append(events.ordered(np.array(rows, np.int64)))
    assert pieces.read_bytes() == at_once.read_bytes() or suffix == ".h5"  # HDF5 may put its chunks elsewhere
    one, other = read_events(at_once)[0], read_events(pieces)[0]
    for name in ("nucleus", "incoming", "channel", "offsets", "kind", "momentum"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(KeyboardInterrupt), event_writer(tmp_path / f"events{suffix}", {}) as append:  # noqa: PT012
        append(elastic())
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


@needs_hepmc
def test_hepmc_says_where_it_comes_from(tmp_path: Path) -> None:
    write_events(tmp_path / "e.hepmc3", elastic(), {"model": "by hand", "seed": "4", "extrapolated": False})
    text = (tmp_path / "e.hepmc3").read_text()
    assert "A seed 4\n" in text
    assert "A extrapolated False\n" in text


def test_events_of_no_particle_have_their_place(tmp_path: Path) -> None:
    events = elastic(3)
    ragged = replace(events, offsets=np.array([0, 2, 4, 6]))
    write_events(tmp_path / "e.h5", ragged, {})
    assert read_events(tmp_path / "e.h5")[0].count.tolist() == [2, 2, 2]
    assert events.part(np.array([True, False, True])).momentum.tolist() == events.momentum[[0, 1, 4, 5]].tolist()


def test_files_of_the_first_version_are_read_and_their_offsets_checked(tmp_path: Path) -> None:
    events = elastic(3)
    schema = {name: replace(array, of=None) for name, array in EVENT_SCHEMA.items() if name != "count"}
    schema["offsets"] = Array("boundary", "", "where events begin", "int64")
    for offsets in (events.offsets, events.offsets[:-1]):
        arrays = {name: values for name, values in arrays_of(events).items() if name != "count"}
        path = tmp_path / f"{len(offsets)}.h5"
        with growing(path, schema, {"model": "old"}) as append:
            append(arrays | {"offsets": offsets})
    np.testing.assert_array_equal(read_events(tmp_path / "4.h5")[0].offsets, events.offsets)
    with pytest.raises(BadInput, match="expected numbers from 0 to the 6 particles"):
        read_events(tmp_path / "3.h5")


def test_bad_files_are_refused_in_one_line(tmp_path: Path) -> None:
    events = elastic()
    with pytest.raises(BadInput, match="no file"):
        read_events(tmp_path / "none.h5")
    with pytest.raises(BadInput, match=r"ends in \.h5 or \.hepmc3"):
        write_events(tmp_path / "e.root", events, {})
    write_events(tmp_path / "e.h5", events, {})
    content = (tmp_path / "e.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[:-100])
    with pytest.raises(BadInput, match="truncated or altered"):
        read_events(tmp_path / "cut.h5")
    half = events.momentum.copy()
    half[:, 0] /= 2
    write_events(tmp_path / "half.h5", replace(events, momentum=half), {})
    with pytest.raises(BadInput, match="below its momentum"):
        read_events(tmp_path / "half.h5")
    write_events(tmp_path / "twice.h5", replace(events, momentum=2 * events.momentum), {})
    with pytest.raises(BadInput, match="4 of 4 events break conservation"):
        read_events(tmp_path / "twice.h5")
    write_events(tmp_path / "kind.h5", replace(events, kind=np.full(8, 99_999_999, np.int32)), {})
    with pytest.raises(BadInput, match="no PDG code"):
        read_events(tmp_path / "kind.h5")
    with pytest.raises(BadInput, match="sum of column 'count'"):
        write_events(tmp_path / "off.h5", replace(events, offsets=np.array([0, 2, 4, 6, 9])), {})
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["kind"] = events.kind
    with pytest.raises(BadInput, match="does not begin as a data set"):
        read_events(tmp_path / "foreign.h5")


@needs_hepmc
def test_hepmc_that_breaks_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.hepmc3"
    write_events(path, elastic(), {})
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(BadInput, match="breaks off"):
        read_events(path)
    path.write_text(text.replace("E 1 1 4", "E 1 1 7"))
    with pytest.raises(BadInput, match=r"only \d of 4 events can be read"):
        read_events(path)
    path.write_text(text.replace("-01 4\n", "-01 3\n", 1))
    with pytest.raises(BadInput, match="event 0 has 1 particles of status 4"):
        read_events(path)
    path.write_text("HepMC::Asciiv3-END_EVENT_LISTING\n")
    with pytest.raises(BadInput):
        read_events(path)


@needs_hepmc
def test_hepmc_in_another_unit_is_converted(tmp_path: Path) -> None:
    import pyhepmc

    path, events = tmp_path / "mev.hepmc3", elastic(2)
    write_events(tmp_path / "gev.hepmc3", events, {})
    with pyhepmc.open(tmp_path / "gev.hepmc3") as source, pyhepmc.open(path, "w") as sink:
        for event in source:
            event.set_units(pyhepmc.Units.MEV, pyhepmc.Units.MM)
            sink.write(event)
    assert "U MEV MM" in path.read_text()
    np.testing.assert_allclose(read_events(path)[0].momentum, events.momentum, rtol=1e-9, atol=1e-9)
