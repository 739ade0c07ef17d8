"""The command: files, columns, refusals."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from cloudchamber.data.shards import read_attributes, read_shard
from cloudchamber.sim.skies import skies
from cloudchamber.simulators.cosmicrays.directions import to_degrees
from cloudchamber.simulators.cosmicrays.skies import SkyOptions, draw_skies

COMMAND = skies


def test_hdf5_holds_the_drawn_skies_with_seed_and_settings(call: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "skies.h5"
    result = call("-n", 3, "-o", path, "--cosmic-rays", 100, "--signal-fraction", 0.1, "--random-seed", 4)
    assert result.exit_code == 0, result.output
    assert result.output.count("\n") == 1
    assert "10 of them from one source" in result.output
    found = read_shard(path)
    expected = draw_skies(SkyOptions(cosmic_rays=100), np.full(3, 10), 4)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in found)
    about = read_attributes(path)
    assert about["seed"] == "4"
    assert json.loads(about["config"])["signal_fraction"] == 0.1


def test_csv_holds_the_drawn_skies_in_degrees_and_eev(call: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "skies.csv"
    options = ("--cosmic-rays", 50, "--composition", "mixed", "--exposure", "auger", "--minimum-energy", 32)
    assert call("-n", 2, "-o", path, *options, "--random-seed", 5).exit_code == 0
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 100
    sky = draw_skies(
        SkyOptions(cosmic_rays=50, composition="mixed", exposure="auger", minimum_energy=32), np.full(2, 3), 5
    )
    longitude, latitude = to_degrees(sky["direction"].reshape(-1, 3))
    assert [float(row["l_deg"]) for row in rows] == pytest.approx(longitude, abs=1e-5)
    assert [float(row["b_deg"]) for row in rows] == pytest.approx(latitude, abs=1e-5)
    assert [float(row["energy_EeV"]) for row in rows] == pytest.approx(sky["energy"].ravel(), rel=1e-6)
    assert [int(row["signal"]) for row in rows] == sky["signal"].ravel().tolist()
    assert [int(row["sky"]) for row in rows] == [0] * 50 + [1] * 50


def test_an_expected_number_of_sources_sets_the_density(call: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "universe.h5"
    result = call("-n", 20, "-o", path, "--cosmic-rays", 100, "--sources", 10, "--random-seed", 6)
    assert result.exit_code == 0, result.output
    found = read_shard(path)
    assert found["sources"].mean() == pytest.approx(10, abs=4)  # 4 standard errors of 20 skies: about 3
    assert json.loads(read_attributes(path)["config"])["density"] > 0


def test_without_a_seed_two_calls_differ(call: Callable[..., Result], tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        assert call("-o", tmp_path / name, "--cosmic-rays", 20).exit_code == 0
    assert not np.array_equal(read_shard(tmp_path / "a.h5")["energy"], read_shard(tmp_path / "b.h5")["energy"])


def test_wrong_words_are_refused_and_no_file_is_overwritten(
    call: Callable[..., Result], error_of: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "skies.h5"
    assert call("-o", path, "--cosmic-rays", 10).exit_code == 0
    before = path.read_bytes()
    assert "exists, will not overwrite" in error_of("-o", path)
    assert path.read_bytes() == before
    new = tmp_path / "new.h5"
    assert "ends in .h5" in error_of("-o", tmp_path / "skies.fits")
    assert "no directory" in error_of("-o", tmp_path / "nowhere" / "skies.h5")
    assert "did you mean 'minimal'" in error_of("-o", new, "--field", "minimum")
    assert "did you mean 'auger'" in error_of("-o", new, "--exposure", "augur")
    assert "looks like eV" in error_of("-o", new, "--minimum-energy", 4e19)
    assert "between 0 and 1" in error_of("-o", new, "--signal-fraction", 5.5)
    assert "need at least 1" in error_of("-o", new, "-n", 0)
    assert "do not fit in memory" in error_of("-o", new, "-n", 10_000_000)
    assert "0 contributing sources: need a number above 0" in error_of("-o", new, "--sources", 0)
    assert "random seed -1" in error_of("-o", new, "--random-seed", -1)
    assert not new.exists()


def test_skies_pass_a_galactic_field_above_its_lowest_rigidity(
    call: Callable[..., Result], error_of: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDCHAMBER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("cloudchamber.sim.skies.LENS_NSIDE", 4)
    path = tmp_path / "lensed.h5"
    result = call("-n", 2, "-o", path, "--field", "jf12-regular", "--composition", "mixed", "--random-seed", 7)
    assert result.exit_code == 0, result.output
    assert read_shard(path)["signal"].sum(axis=1).tolist() == [55, 55]
    assert json.loads(read_attributes(path)["config"])["field"] == "jf12-regular"
    assert "below the lens" in error_of("-o", tmp_path / "iron.h5", "--field", "jf12-regular", "--composition", "Fe")
