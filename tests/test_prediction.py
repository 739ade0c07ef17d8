"""The steps of studies of predictors: default rows and targets, ready-made inputs, range of the training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from cloudchamber import prediction
from cloudchamber.data.samples import ArrayRecords, Prediction
from cloudchamber.schema import BadInput
from cloudchamber.study import PredictorStudy, load_study

TOY = str(Path(__file__).with_name("toy_study.py"))


@pytest.fixture
def toy() -> PredictorStudy:
    study = load_study(TOY)
    assert isinstance(study, PredictorStudy)
    return study


def test_a_study_without_rows_measures_r2_error_and_coverage(toy: PredictorStudy) -> None:
    plain = replace(toy, rows=None)
    truth = np.random.default_rng(1).normal(size=(300, 1)).astype(np.float32)
    said = Prediction(truth + 0.1, np.full_like(truth, 0.2))
    rows = {row["metric"]: row for row in prediction.rows_of(plain, truth, {"spread": said}, 1)}
    assert list(rows) == ["r2", "mae", "coverage_68", "coverage_95"]
    assert rows["mae"]["value"] == pytest.approx(0.1, abs=1e-6)
    assert rows["mae"]["unit"] == "fm"
    assert rows["coverage_68"]["value"] == 1.0  # always off by half a standard deviation


def test_a_study_without_targets_takes_the_columns_of_their_names(toy: PredictorStudy) -> None:
    columns = {"number": np.arange(4), "width": np.array([1.0, 2, 3, 4]), "value": np.zeros((4, 3))}
    assert toy.truth_of(toy.preset("tiny"), columns).tolist() == [[1], [2], [3], [4]]
    assert replace(toy, targets=None).truth_of(toy.preset("tiny"), columns).tolist() == [[1], [2], [3], [4]]


def test_no_group_is_on_two_sides(toy: PredictorStudy) -> None:
    width = np.repeat(np.arange(1, 31), 3).astype(float)
    records = ArrayRecords({"number": np.arange(90), "width": width, "value": np.ones((90, 4))})
    grouped = replace(toy, groups=lambda config, arrays: arrays["width"].astype(np.int64))
    sides = prediction.splits(grouped, toy.preset("tiny"), records, 1)
    seen = [set(side.targets[:, 0].tolist()) for side in sides]
    assert sum(map(len, seen)) == len(set().union(*seen)) == 30


def test_ready_made_inputs_must_have_the_lengths_of_the_training(toy_run: Path, tmp_path: Path) -> None:
    for length in (1, 2):
        with h5py.File(tmp_path / f"{length}.h5", "w") as file:
            file["spread"] = np.full((3, length), 1.5, np.float32)
    found = prediction.evaluate(toy_run, tmp_path / "1.h5", None, "cpu")
    assert found.predictions["spread"].mean.tolist() == [[1.5]] * 3
    assert found.rows == []
    assert not found.outside.any()
    with pytest.raises(BadInput, match="spread=1"):
        prediction.evaluate(toy_run, tmp_path / "2.h5", None, "cpu")


def test_a_misspelt_column_of_ours_is_named_whatever_the_file_holds(toy_run: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["value"] = np.ones((3, 50))
    with pytest.raises(BadInput, match=r"--map valu=\.\.\.: no column of ours; did you mean 'value'"):
        prediction.evaluate(toy_run, tmp_path / "mine.h5", {"valu": "value"}, "cpu")


def test_what_is_wider_than_anything_trained_is_said_to_be_outside(toy_run: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "wide.h5", "w") as file:
        file["spread"] = np.array([[1.5], [40.0]], np.float32)
    assert prediction.evaluate(toy_run, tmp_path / "wide.h5", None, "cpu").outside.tolist() == [False, True]
