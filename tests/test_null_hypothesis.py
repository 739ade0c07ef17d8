"""Ensembles of the null hypothesis of a run: extended, resumed, shared, and the rows scored again with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from cloudchamber import null_hypothesis
from cloudchamber.data import ensembles
from cloudchamber.null_hypothesis import extend
from cloudchamber.run_directory import new_run, open_run, restored
from cloudchamber.schema import BadInput

CHUNK = 60
SEARCH = "autocorrelation"
TOY = str(Path(__file__).parent / "toy_study.py")


@pytest.fixture
def copied(sky_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(null_hypothesis, "NULL_CHUNK", CHUNK)
    monkeypatch.setattr(
        null_hypothesis, "write_report", lambda run: (run.path / "report.html").write_text("rebuilt")
    )  # seconds
    return Path(shutil.copytree(sky_run, tmp_path / "run"))


def rows(run: Path) -> dict[tuple[str, str, str, str], dict[str, object]]:
    table = json.loads((run / "metrics.json").read_text())["rows"]
    found = {(row["predictor"], row["sample"], row["target"], row["metric"]): row for row in table}
    assert len(found) == len(table), "no row twice"
    return found


def test_an_extended_search_is_scored_again_and_others_stay(copied: Path) -> None:
    before = rows(copied)
    directory, n = extend(copied, SEARCH, 100, "1/1", "cpu")
    assert directory == copied / "null" / SEARCH
    assert n == 2 * CHUNK, "whole chunks"
    first = ensembles.read(directory)
    files = {path.name: path.stat().st_mtime_ns for path in directory.glob("*.h5")}
    after = rows(copied)
    assert before.keys() <= after.keys(), "nothing is lost"
    assert {key[0] for key in after.keys() - before.keys()} == {SEARCH}
    for key, row in before.items():
        if key[0] != SEARCH:
            assert after[key] == row
        assert after[key]["floor"] == row["floor"]
    # isotropic skies of all samples and 120 more: the area is measured on them too, a significance can be given
    with h5py.File(copied / "predictions.h5") as file:
        isotropic = sum(int((sample["truth"][:, 0] == 0).sum()) for sample in file.values())
        signal = int((file["test/truth"][:, 0] > 0).sum())
    assert after[SEARCH, "test", "signal", "auc"]["n"] == signal + isotropic + 2 * CHUNK
    assert (SEARCH, "test", "signal", "median_sigma") in after
    _, n = extend(copied, SEARCH, 150, "1/1", "cpu")
    assert n == 3 * CHUNK
    np.testing.assert_array_equal(ensembles.read(directory)[: 2 * CHUNK], first)
    assert all((directory / name).stat().st_mtime_ns == time for name, time in files.items())
    assert (copied / "report.html").read_text() == "rebuilt"


def test_statistic_is_that_of_isotropic_skies(copied: Path) -> None:
    """Chunk 1 is what the predictor says of the isotropic skies of its own seed: nothing else goes in."""
    directory, _ = extend(copied, SEARCH, 2 * CHUNK, "1/1", "cpu")
    opened = open_run(copied)
    assert opened.study.null is not None
    seeds = np.random.SeedSequence(opened.seed + 2_000_003, spawn_key=(1,))
    skies = opened.study.null(opened.config, None, CHUNK, seeds)
    said = restored(opened, "cpu")[SEARCH].predict(skies).mean[:, 0]
    np.testing.assert_array_equal(ensembles.read(directory)[CHUNK:], said)


def test_shares_make_the_same_ensemble(copied: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(copied, tmp_path / "other"))
    whole, _ = extend(copied, SEARCH, 3 * CHUNK, "1/1", "cpu")
    before = (other / "metrics.json").read_bytes()
    shared, n = extend(other, SEARCH, 3 * CHUNK, "2/2", "cpu")
    assert n == CHUNK
    assert (other / "metrics.json").read_bytes() == before, "not whole yet: not scored"
    _, n = extend(other, SEARCH, 3 * CHUNK, "1/2", "cpu")
    assert n == 3 * CHUNK
    np.testing.assert_array_equal(ensembles.read(whole), ensembles.read(shared))
    assert rows(copied) == rows(other)


class Killed(Exception):
    pass


def test_a_killed_extension_goes_on_where_it_stopped(copied: Path) -> None:
    def killer(done: int, total: int) -> None:
        if done == 1:
            raise Killed

    with pytest.raises(Killed):
        extend(copied, SEARCH, 2 * CHUNK, "1/1", "cpu", killer)
    first = (copied / "null" / SEARCH / "000000.h5").stat().st_mtime_ns
    _, n = extend(copied, SEARCH, 2 * CHUNK, "1/1", "cpu")
    assert n == 2 * CHUNK
    assert (copied / "null" / SEARCH / "000000.h5").stat().st_mtime_ns == first


def test_rows_of_two_predictors_live_side_by_side(copied: Path) -> None:
    extend(copied, SEARCH, 2 * CHUNK, "1/1", "cpu")
    first = rows(copied)
    extend(copied, "graph", 2 * CHUNK, "1/1", "cpu")
    both = rows(copied)
    assert first.keys() < both.keys()
    assert all(both[key] == row for key, row in first.items() if key[0] != "graph")


def test_other_weights_are_refused(copied: Path) -> None:
    extend(copied, "ridge", CHUNK, "1/1", "cpu")
    before = (copied / "metrics.json").read_bytes()
    weights = next((copied / "checkpoints" / "ridge").glob("*.npz"))
    with np.load(weights) as file:
        arrays = {name: values * 1.5 if values.dtype.kind == "f" else values for name, values in file.items()}
    np.savez(weights, **arrays)
    with pytest.raises(BadInput, match="another ensemble"):
        extend(copied, "ridge", 2 * CHUNK, "1/1", "cpu")
    assert (copied / "metrics.json").read_bytes() == before


def test_a_share_that_is_none_is_refused_before_any_work(copied: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="did you mean 'graph'"):
        extend(copied, "grap", CHUNK, "1/1", "cpu")
    for share in ("0/2", "3/2", "1", "a/b", "-1/2", "1/"):
        with pytest.raises(BadInput, match="write it as 1/2 and 2/2"):
            extend(copied, SEARCH, CHUNK, share, "cpu")
    (copied / "metrics.json").unlink()
    with pytest.raises(BadInput, match=r"metrics.json does not exist"):
        extend(copied, SEARCH, CHUNK, "1/1", "cpu")
    assert not (copied / "null").exists()


def test_a_study_without_a_null_hypothesis_is_refused(tmp_path: Path) -> None:
    toy = new_run(TOY, preset="tiny", runs=tmp_path)
    with pytest.raises(BadInput, match="'toy' has no null hypothesis"):
        extend(toy.path, "spread", 10, "1/1", "cpu")
