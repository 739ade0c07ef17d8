"""A user's nucleus from a file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from cloudchamber.schema import BadInput
from cloudchamber.simulators.heavyion.collisions import CollisionOptions, _Run, collide
from cloudchamber.simulators.heavyion.configurations import is_configurations, read_configurations
from cloudchamber.simulators.heavyion.events import COLUMNS


def positions() -> NDArray[np.float64]:
    return np.random.default_rng(1).normal(0, 2, (50, 12, 3))


def write_hdf5(path: Path, **arrays: NDArray[np.generic]) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return path


def test_both_formats_give_the_same_collisions(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", positions())
    write_hdf5(tmp_path / "two.h5", carbon=positions())
    results = []
    for name in ("one.npz", "two.h5"):
        one = read_configurations(tmp_path / name)
        assert one.mass_number == 12
        assert one.reach == pytest.approx(np.linalg.norm(positions()[:42], axis=2).max())
        results.append(collide(one, one, 200, 1))
    assert np.array_equal(results[0]["multiplicity"], results[1]["multiplicity"])
    assert results[0]["npart"].max() <= 24


def test_configurations_are_picked_and_turned(tmp_path: Path) -> None:
    """A rod along z is seen at every projected length between 0 and its own."""
    rod = np.zeros((1, 2, 3))
    rod[0, :, 2] = (-3, 3)
    np.savez(tmp_path / "rod.npz", rod)
    one = read_configurations(tmp_path / "rod.npz")
    length = []
    for event in range(300):
        run = _Run(one, one, CollisionOptions(), None)
        run.events(1, event, 1, np.zeros((1, len(COLUMNS))), np.zeros((0, run.mesh.cells, run.mesh.cells)))
        length.append(np.hypot(np.diff(run.side_a.x), np.diff(run.side_a.y))[0])
    assert min(length) < 1.5
    assert 5.5 < max(length) <= 6.0 + 1e-9


def test_configuration_files_are_known_by_their_suffix() -> None:
    assert all(is_configurations(f"x{suffix}") for suffix in (".h5", ".hdf5", ".hdf", ".hd5", ".npz", ".HDF5"))
    assert not is_configurations("Pb")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": np.zeros((5, 3))}, "expected shape"),
        ({"a": np.zeros((5, 4, 2))}, "expected shape"),
        ({"a": np.zeros((0, 4, 3))}, "expected shape"),
        ({"a": np.full((5, 4, 3), np.nan)}, "0.000% finite"),
        ({"a": np.full((5, 4, 3), 1e3)}, "must be in fm"),
        ({"a": np.zeros((1, 2, 3)), "b": np.zeros((1, 2, 3))}, "exactly one"),
        ({}, "exactly one"),
    ],
)
def test_arrays_that_are_no_configurations_are_refused(
    tmp_path: Path, arrays: dict[str, NDArray[np.float64]], words: str
) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)
    for path in (tmp_path / "bad.npz", write_hdf5(tmp_path / "bad.h5", **arrays)):
        with pytest.raises(BadInput, match=words) as caught:
            read_configurations(path)
        assert "\n" not in str(caught.value)


def test_missing_and_unreadable_configuration_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read_configurations(tmp_path / "none.h5")
    for name in ("broken.h5", "broken.npz"):
        (tmp_path / name).write_text("not a file of numbers")
        with pytest.raises(BadInput, match="cannot read"):
            read_configurations(tmp_path / name)
    np.savez(tmp_path / "words.npz", np.full((2, 2, 3), "x"))
    with pytest.raises(BadInput, match="expected numbers"):
        read_configurations(tmp_path / "words.npz")
