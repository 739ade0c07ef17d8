"""The experiment: records fit their schema, a user's array from a file, what resembles the training."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from cloudchamber import prediction
from cloudchamber.data.columns import checked_columns
from cloudchamber.data.samples import ArrayRecords
from cloudchamber.data.surface_array import SHOWER_SCHEMA, TIME, TRACE
from cloudchamber.experiments.showers import ShowerConfig, inputs, layout_of, lengths, simulate
from cloudchamber.run import travel
from cloudchamber.run_directory import Resources, new_run
from cloudchamber.schema import BadInput
from cloudchamber.study import load_study

CONFIG = ShowerConfig(lg_energy_min=19.0)
ROWS = [name for name, array in SHOWER_SCHEMA.items() if array.of is not None]


def test_a_station_file_becomes_the_array_and_stays_in_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "array.txt"
    path.write_text("450000 6100000\n450700 6100000\n450000 6100700\n450700 6100700\n")  # coordinates of a map
    config = CONFIG.changed({"layout": str(path)})
    path.unlink()
    again = ShowerConfig.model_validate_json(config.model_dump_json())
    np.testing.assert_array_equal(layout_of(again)[:, :2], [[-350, -350], [350, -350], [-350, 350], [350, 350]])
    assert lengths(again) == {"station": 4, "bin": 120}
    records = checked_columns(simulate(again, 0, 4, np.random.SeedSequence(1)), SHOWER_SCHEMA, lengths(again), 4)
    assert inputs(again, records, None).shape == (4, 4, TRACE + 120)
    assert again.changed({"layout": "none"}).layout is None


def test_a_bad_station_file_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "array.txt"
    path.write_text("0 0\n0 0\n1 1\n")
    with pytest.raises(BadInput, match=r"array.txt: line 1 and line 2 stand at one place"):
        CONFIG.changed({"layout": str(path)})


@pytest.mark.parametrize(("low", "least", "most"), [(17.5, 0.9, 1.0), (18.5, 0.0, 0.05), (20.5, 0.9, 1.0)])
def test_energies_outside_the_training_are_flagged(tmp_path: Path, low: float, least: float, most: float) -> None:
    study = load_study("shower-reconstruction")

    def of(low: float, high: float, count: int, seed: int) -> dict[str, np.ndarray]:
        config = ShowerConfig(lg_energy_min=low, lg_energy_max=high)
        return simulate(config, 0, count, np.random.SeedSequence(seed))

    records = ArrayRecords(of(18.5, 20.0, 300, 1), dict.fromkeys(ROWS, "stations"))
    train = prediction.samples_of(study, CONFIG, records)
    prediction.write_training_range(study, train, tmp_path / "range.h5")
    found = inputs(CONFIG, of(low, 20.0 if low == 18.5 else low + 0.4, 40, 2), None)
    flagged = prediction.outside_training_range(study, tmp_path / "range.h5", found).mean()
    assert least <= flagged <= most  # the energy of the fit is good to some 10 %, the gaps are a factor of three


def test_augmented_showers_have_other_dead_stations() -> None:
    records = simulate(CONFIG, 0, 20, np.random.SeedSequence(3))
    plain = inputs(CONFIG, records, None)
    other = inputs(CONFIG.changed({"dead_fraction": 0.2}), records, np.random.default_rng(1))
    assert (other[..., TRACE:].sum(axis=2) > 0).sum() < (plain[..., TRACE:].sum(axis=2) > 0).sum()
    assert (other[..., TIME] >= 0).all()


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with the plane fit alone."""
    directory = tmp_path_factory.mktemp("showers")
    (directory / "study.py").write_text(
        "from dataclasses import replace\n"
        "from cloudchamber.baselines.shower_reconstruction import PlaneFit\n"
        "from cloudchamber.study import load_study\n"
        "def predictors(config, seed, device):\n"
        "    return {'plane': PlaneFit(weighted=False)}\n"
        "study = replace(load_study('shower-reconstruction'), predictors=predictors, explanations={}, gallery=None,\n"
        "                sections=lambda run, config, titles: [])\n"
    )
    run = new_run(str(directory / "study.py"), preset="tiny", runs=directory / "runs")
    return travel(run, Resources(workers=1, device="cpu")).path


def own_file(path: Path, changes: dict[str, np.ndarray], without: tuple[str, ...] = ()) -> Path:
    """Twenty showers in a file of a user, some columns changed or left out."""
    columns = simulate(ShowerConfig(), 0, 20, np.random.SeedSequence(5)) | changes
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            if name not in without:
                file[name] = values
    return path


def test_a_users_showers_are_scored_with_the_truth_and_predicted_without(small_run: Path, tmp_path: Path) -> None:
    known = prediction.evaluate(small_run, own_file(tmp_path / "known.h5", {}), None, "cpu")
    assert {row["metric"] for row in known.rows} >= {"angular_resolution", "coverage_68"}
    truth = ("lg_energy", "zenith", "azimuth", "core_x", "core_y", "xmax", "mass_number", "muon_signal")
    bare = prediction.evaluate(small_run, own_file(tmp_path / "bare.h5", {}, truth), None, "cpu")
    assert bare.rows == []
    np.testing.assert_array_equal(bare.predictions["plane"].mean, known.predictions["plane"].mean)
    assert not bare.outside.any()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bin_width": np.full(20, 8.33)}, "traces have bins of 8.33 ns"),
        ({"trace": np.zeros(1)}, "column 'trace'"),
        ({"stations": np.zeros(20, np.int32)}, "column 'station' has"),
    ],
)
def test_what_is_wrong_with_a_users_showers_is_said_once(
    small_run: Path, tmp_path: Path, changes: dict[str, np.ndarray], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(BadInput, match=words):
        prediction.evaluate(small_run, own_file(tmp_path / "own.h5", changes), None, "cpu")
    assert "left out" not in caplog.text
