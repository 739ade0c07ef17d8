"""The command: a file with units, the same showers for the same seed, a user's array, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import Result

from cloudchamber.data.shards import read_attributes, read_shard
from cloudchamber.data.surface_array import SHOWER_SCHEMA
from cloudchamber.sim.showers import showers

COMMAND = showers
SOME = ("-n", 12, "--workers", 1, "--lg-energy-min", 19, "--lg-energy-max", 19.2)


def test_file_holds_the_columns_with_units_and_settings(call: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "showers.h5"
    result = call(*SOME, "-o", path, "--random-seed", 5, "--primaries", "Fe")
    assert result.exit_code == 0, result.output
    assert "12 showers of Fe, log10(E/eV) 19 to 19.2" in result.output
    with h5py.File(path) as file:
        assert set(file) == SHOWER_SCHEMA.keys()
        assert file["trace"].attrs["unit"] == "VEM"
        assert file["trace"].shape == (file["stations"][:].sum(), 120)
        assert (file["mass_number"][:] == 56).all()
        assert 19 <= file["lg_energy"][:].min() <= file["lg_energy"][:].max() <= 19.2
    about = read_attributes(path)
    assert about["seed"] == "5"
    assert json.loads(about["config"])["primaries"] == ["Fe"]


def test_same_seed_same_file_and_other_seed_other_showers(call: Callable[..., Result], tmp_path: Path) -> None:
    names = ("one.h5", "again.h5", "other.h5")
    for name, seed in zip(names, (1, 1, 2), strict=True):
        assert call(*SOME, "-o", tmp_path / name, "--random-seed", seed).exit_code == 0
    one, again, other = (read_shard(tmp_path / name) for name in names)
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert not np.array_equal(one["lg_energy"], other["lg_energy"])


def test_stations_of_a_file_are_the_array(call: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "array.txt").write_text("0 0\n800 0\n0 800\n800 800\n400 1200\n")
    result = call(*SOME, "-o", tmp_path / "s.h5", "--layout", tmp_path / "array.txt")
    assert result.exit_code == 0, result.output
    assert read_shard(tmp_path / "s.h5")["working"].shape == (12, 5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-n", 0), "0 showers: give at least 1"),
        (("--random-seed", -1), "random seed -1"),
        (("--primaries", "H,Fr"), "unknown primary 'Fr'; did you mean 'Fe'"),
        (("--lg-energy-min", 20, "--lg-energy-max", 19), "is below lg_energy_min"),
        (("--lg-energy-min", 12), "lg_energy_min = 12"),
        (("--hadronic-model", "sibyll"), "known are EPOS-LHC, QGSJetII-04"),
        (("--layout", "nowhere.txt"), "cannot read stations from nowhere.txt"),
        (("--layout", "array.txt", "--rows", 3), "--layout gives the stations: leave out --rows"),
    ],
)
def test_impossible_showers_are_refused(
    error_of: Callable[..., str], tmp_path: Path, words: tuple[object, ...], message: str
) -> None:
    assert message in error_of("-o", tmp_path / "s.h5", *words)
    assert list(tmp_path.iterdir()) == []


def test_files_that_exist_or_are_no_hdf5_are_not_written(error_of: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "s.h5").write_text("mine")
    assert "exists, will not overwrite" in error_of("-o", tmp_path / "s.h5")
    assert "need a name that ends in .h5" in error_of("-o", tmp_path / "s.root")
