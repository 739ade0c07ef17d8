"""The command line with skies: own catalogues and their p-values, null ensembles, and one clear line for bad input."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from cloudchamber import null_hypothesis
from cloudchamber.data.skies import cosmic_rays_of
from cloudchamber.run_directory import open_run, restored
from cloudchamber.simulators.cosmicrays.directions import to_degrees
from cloudchamber.simulators.cosmicrays.skies import SkyOptions, draw_skies

Command = Callable[..., tuple[int, str, str]]
"""Words to exit status, standard output and standard error."""


def refused(done: tuple[int, str, str], *words: str) -> None:
    """One line on standard error that holds ``words``, status 1 or 2, nothing on standard output."""
    status, out, err = done
    assert status in (1, 2), err
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("cloudchamber: ")
    assert "Traceback" not in err
    assert not out
    for word in words:
        assert word in lines[0]


def catalogue(path: Path, cosmic_rays: int, n_signal: int = 0, **columns: object) -> Path:
    """A CSV of one sky in Galactic degrees; ``columns`` replace ours, None leaves one out."""
    sky = draw_skies(SkyOptions(cosmic_rays=cosmic_rays), np.array([n_signal]), 3)
    longitude, latitude = to_degrees(sky["direction"][0])
    table = {"energy": sky["energy"][0], "l": longitude, "b": latitude} | columns
    table = {name: values for name, values in table.items() if values is not None}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    return path


def p_values(out: str) -> dict[str, float]:
    """Of record 0; nothing is wider than a page."""
    names, *rows = out.splitlines()
    assert max(map(len, out.splitlines())) <= 120
    assert "…" not in out
    assert names.split()[:4] == ["record", "predictor", "p_value", "signal"]
    found = [row.split()[:3] for row in rows if not row.startswith("predictions of")]
    assert {record for record, _, _ in found} == {"0"}
    return {name: float(value) for _, name, value in found}


# --- catalogues -------------------------------------------------------------------------------------------------------


def test_a_clustered_catalogue_has_the_smallest_p_values(sky_run: Path, command: Command, tmp_path: Path) -> None:
    """A sky of a tenth of its cosmic rays in one place: the searches that need no training say so."""
    data = catalogue(tmp_path / "mine.csv", 100, 40)
    status, out, err = command("evaluate", sky_run, "--data", data, "-o", tmp_path / "out.h5")
    assert status == 0, err
    found = p_values(out)
    assert set(found) == set(restored(open_run(sky_run), "cpu"))
    assert found["mean"] == 1
    for name in ("autocorrelation", "top_hat", "likelihood", "template"):
        assert found[name] == pytest.approx(1 / 1001, rel=0.01)
    assert all(1 / 1001 * 0.99 < p <= 1 for p in found.values())
    assert "nan" not in out
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["likelihood/p_value"][:] == pytest.approx([1 / 1001])
        assert file["graph/mean"].shape == (1, 5)


def test_own_csv_of_isotropic_skies_is_read_back(sky_run: Path, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "skies.csv"
    words = ("--signal-fraction", 0, "--cosmic-rays", 100, "--random-seed", 3)
    assert command("sim", "skies", "-n", 1, "-o", path, *words)[0] == 0
    status, out, err = command("evaluate", sky_run, "--data", path)
    assert status == 0, err
    assert min(p_values(out).values()) > 0.002  # nine searches that are not independent: by chance in 2 % of the seeds


def test_searches_for_another_number_of_cosmic_rays_are_left_out(
    sky_run: Path, command: Command, tmp_path: Path
) -> None:
    status, out, err = command("evaluate", sky_run, "--data", catalogue(tmp_path / "mine.csv", 40))
    assert status == 0, err
    left = [line for line in err.splitlines() if "is left out" in line]
    assert [line.split()[0] for line in left] == ["autocorrelation", "top_hat"]
    assert all("--set cosmic_rays=40" in line for line in left)
    assert "lie outside the range of the training" in err
    found = p_values(out)
    assert "likelihood" in found
    assert "autocorrelation" not in found


def test_skies_with_the_truth_are_scored(sky_run: Path, command: Command, tmp_path: Path) -> None:
    with h5py.File(sky_run / "predictions.h5") as file:
        n = len(file["test/truth"])
    opened = open_run(sky_run)
    simulated = tmp_path / "more.h5"
    words = ("cosmic-ray-universe", "-n", n, "-o", simulated, "--preset", "tiny", "--seed", 5, "--workers", 1)
    assert command("simulate", *words)[0] == 0
    status, out, err = command("evaluate", sky_run, "--data", simulated)
    assert status == 0, err
    assert "auc" in out
    assert "nan" not in out
    assert opened.config.model_dump()["cosmic_rays"] == 100


BROKEN: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "eV": ({"energy": np.full(20, 5e19)}, ("energies look like eV", "divide by 1e18")),
    "log": ({"energy": np.full(20, 19.8)}, ("log10(E/eV)",)),
    "below": ({"energy": np.linspace(30, 90, 20)}, ("below 40 EeV", "--set minimum_energy=30")),
    "zero": ({"energy": np.zeros(20)}, ("expected 1 to 1000 EeV",)),
    "nan": ({"energy": np.r_[np.nan, np.full(19, 50.0)]}, ("'energy'", "1 of 20 rows are NaN")),
    "nan-direction": ({"l": np.r_[np.full(18, 50.0), np.nan, np.nan]}, ("'l'", "2 of 20 rows are NaN")),
    "latitude": ({"b": np.linspace(-80, 95, 20)}, ("'b'", "outside -90 to 90 degrees", "95")),
    "longitude": ({"l": np.linspace(0, 1000, 20)}, ("'l'", "outside -180 to 360 degrees")),
    "no-directions": ({"l": None, "b": None}, ("no directions", "--map l=YOURS")),
    "misspelt": ({"energy": None, "enrgy": np.full(20, 50.0)}, ("did you mean 'enrgy'", "--map energy=YOURS")),
    "words": ({"energy": np.array(["high"] * 20)}, ("'energy'", "'high'", "give numbers")),
    "not-unit": (
        {"l": None, "b": None, "x": np.full(20, 1.0), "y": np.full(20, 1.0), "z": np.zeros(20)},
        ("expected 1 within", "divide them by their norm"),
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_catalogue_is_refused_and_changes_nothing(
    kind: str, sky_run: Path, command: Command, tmp_path: Path
) -> None:
    columns, words = BROKEN[kind]
    data = catalogue(tmp_path / "broken.csv", 20, **columns)
    before = {path: path.stat().st_mtime_ns for path in sky_run.rglob("*") if path.is_file()}
    done = command("evaluate", sky_run, "--data", data, "-o", tmp_path / "out.h5")
    refused(done, "broken.csv", *words)
    assert not (tmp_path / "out.h5").exists()
    assert {path: path.stat().st_mtime_ns for path in sky_run.rglob("*") if path.is_file()} == before


def test_few_cosmic_rays_missing_files_and_misspelt_columns_are_refused(
    sky_run: Path, command: Command, tmp_path: Path
) -> None:
    few = catalogue(tmp_path / "few.csv", 9)
    refused(command("evaluate", sky_run, "--data", few), "9 cosmic rays a sky", "at least 10")
    refused(command("evaluate", sky_run, "--data", tmp_path / "none.csv"), "none.csv", "no such file")
    (tmp_path / "empty.csv").write_text("")
    refused(command("evaluate", sky_run, "--data", tmp_path / "empty.csv"), "empty.csv")
    whole = catalogue(tmp_path / "whole.csv", 20)
    refused(command("evaluate", sky_run, "--data", whole, "--map", "enery=energy"), "did you mean 'energy'")
    refused(command("evaluate", sky_run, "--data", whole, "--map", "energy=E"), "no column 'E'")
    refused(command("evaluate", tmp_path, "--data", whole), "not a run directory")
    text = whole.read_text().splitlines()
    whole.write_text("\n".join([*text[:-1], text[-1].split(",")[0]]))
    refused(command("evaluate", sky_run, "--data", whole), "truncated?")


def test_ready_made_directions_of_wrong_length_are_refused(sky_run: Path, command: Command, tmp_path: Path) -> None:
    """Ready-made inputs (x, y, z, E) that are no unit vectors: every search says what is wrong with them."""
    inputs = cosmic_rays_of(draw_skies(SkyOptions(cosmic_rays=100), np.array([0]), 3))
    inputs[..., :3] *= 2
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["cosmic_rays"] = inputs
    _, _, err = command("evaluate", sky_run, "--data", tmp_path / "mine.h5")
    assert "must have length 1" in err
    assert "Traceback" not in err


# --- settings and lenses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("field=jf13", "'jf12'"),
        ("nside=48", "not a power of two"),
        ("lens_nside=3", "not a power of two"),
        ("nsde=32", "did you mean 'nside'"),
        ("composition=Hee", "did you mean 'He'"),
        ("exposure=augur", "did you mean 'auger'"),
        ("minimum_energy=4e19", "less than or equal to 200"),
        ("cosmic_rays=9", "greater than or equal to 10"),
    ],
)
def test_settings_that_cannot_be_start_no_run(setting: str, expected: str, command: Command, tmp_path: Path) -> None:
    words = ("run", "cosmic-ray-sources", "--preset", "tiny", "--set", setting, "--runs", tmp_path / "runs")
    refused(command(*words), expected)
    assert not (tmp_path / "runs").exists()


def test_lens_of_another_version_is_named_and_made_again(command: Command, tmp_path: Path, own_cache: Path) -> None:
    from cloudchamber.data import lenses
    from cloudchamber.data.shards import read_attributes, read_shard, write_shard

    settings = ("field=jf12-regular", "lens_nside=4", "lens_rigidities=3")
    words = [word for setting in settings for word in ("--set", setting)]

    def simulate(name: str) -> tuple[int, str, str]:
        simulated = ("cosmic-ray-sources", "-n", 4, "-o", tmp_path / name, "--preset", "tiny", "--workers", 1)
        return command("simulate", *simulated, *words)

    from cloudchamber.experiments.skies import lens_of
    from cloudchamber.study import load_study

    config = load_study("cosmic-ray-sources").preset("tiny").changed(dict(one.split("=") for one in settings))
    lens = lens_of(config)  # type: ignore[arg-type]
    assert lens is not None
    (path,) = (own_cache / "lenses").glob("jf12-regular-4-*.h5")
    about = read_attributes(path)
    current = about["version"]
    old = {"field": "jf12-regular", "nside": 4, "seed": "0", "version": current + 1}
    arrays = read_shard(path)
    write_shard(path, {**arrays, "outside": np.zeros_like(arrays["outside"])}, lenses.SCHEMA, old)
    status, _, err = simulate("skies.h5")
    assert status == 0, err
    # the simulation's own process may have said it: what counts is that the lens is whole again and the skies are right
    assert read_attributes(path)["version"] == current
    np.testing.assert_array_equal(read_shard(path)["outside"], lens.outside)
    first = (tmp_path / "skies.h5").read_bytes()
    assert len([line for line in err.splitlines() if f"is of lens version {current + 1}, not {current}" in line]) == 1
    shutil.rmtree(own_cache / "cosmic-ray-sources", ignore_errors=True)
    assert simulate("again.h5")[0] == 0
    assert (tmp_path / "again.h5").read_bytes() == first


# --- null -------------------------------------------------------------------------------------------------------------


def test_null_skies_extend_a_run_and_wrong_words_are_refused(
    sky_run: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(sky_run, tmp_path / "run"))
    monkeypatch.setattr(null_hypothesis, "NULL_CHUNK", 60)
    monkeypatch.setattr(null_hypothesis, "write_report", lambda run: run.path / "report.html")
    status, out, err = command("null", run, "--predictor", "multiplets", "-n", 120)
    assert status == 0, err
    assert "120 null records of multiplets in" in out
    status, out, _ = command("compare", run)
    assert status == 0
    assert "median_sigma" in out
    refused(command("null", run, "--predictor", "multiplet", "-n", 120), "did you mean 'multiplets'")
    refused(command("null", run, "--predictor", "multiplets", "-n", 0), "-n")
    refused(command("null", run, "--predictor", "multiplets", "--share", "3/2"), "write it as 1/2 and 2/2")
    refused(command("null", tmp_path, "--predictor", "multiplets"), "not a run directory")


# --- sim skies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "--output"),
        (("-o", "x.fits"), ".h5"),
        (("-o", "nowhere/x.h5"), "no directory"),
        (("-o", "x.h5", "--field", "jf13"), "did you mean 'jf12'"),
        (("-o", "x.h5", "--composition", "Hee"), "did you mean 'He'"),
        (("-o", "x.h5", "--exposure", "augur"), "did you mean 'auger'"),
        (("-o", "x.h5", "--cosmic-rays", "0"), "need at least 1"),
        (("-o", "x.h5", "--cosmic-rays", "-3"), "need at least 1"),
        (("-o", "x.h5", "-n", "many"), "valid integer"),
        (("-o", "x.h5", "--cosmicrays", "100"), "--cosmic-rays"),
        (("-o", "x.h5", "--signal-fraction", "2"), "between 0 and 1"),
        (("-o", "x.h5", "--minimum-energy", "4e19"), "eV"),
    ],
)
def test_sim_skies_refuses_wrong_words_in_one_line(
    words: tuple[str, ...], expected: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(command("sim", "skies", *words), expected)
    assert not list(tmp_path.iterdir())


def test_sim_skies_does_not_overwrite_a_file(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "skies.h5"
    status, out, _ = command("sim", "skies", "-n", 3, "-o", path, "--cosmic-rays", 50, "--random-seed", 2)
    assert status == 0
    assert "3 skies of 50 cosmic rays" in out
    before = path.read_bytes()
    refused(command("sim", "skies", "-o", path), "exists, will not overwrite")
    assert path.read_bytes() == before
