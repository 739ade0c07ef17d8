"""The study of one function: its points, its probes, its network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cloudchamber.data.files import write_arrays
from cloudchamber.data.function_points import resonance
from cloudchamber.learning.backpropagation import parameters_of
from cloudchamber.run import travel
from cloudchamber.run_directory import Resources, new_run
from cloudchamber.schema import BadInput
from cloudchamber.studies.function_fit import (
    FEWEST,
    NETWORK,
    FunctionConfig,
    each_its_own,
    places,
    rmse,
    simulate,
    study,
)


def test_network_of_the_study_has_the_parameters_of_the_talk() -> None:
    assert parameters_of(NETWORK) == 2581


def test_few_own_points_stop_the_run_before_any_fit(tmp_path: Path) -> None:
    path = tmp_path / "mine.h5"
    write_arrays(path, simulate(FunctionConfig(), 0, FEWEST - 1, np.random.SeedSequence(1)))
    run = new_run("function-fit", preset="tiny", runs=tmp_path / "runs", data=path)
    with pytest.raises(BadInput, match=r"29 points are too few .* give at least 30 points"):
        travel(run, Resources(device="cpu"))
    assert not (run.path / "checkpoints").exists()
    assert each_its_own(FunctionConfig(), {"y": np.zeros(FEWEST)}).tolist() == list(range(FEWEST))


def test_probes_are_exact_and_where_they_say() -> None:
    config = FunctionConfig(farthest=2.0)
    for name, low, high in (("inside", 0, 2), ("outside", 2, 3)):
        probe = study.probes[name]
        found = simulate(probe.change(config), 0, 500, np.random.SeedSequence(1))
        assert low <= np.abs(found["x"]).min()
        assert np.abs(found["x"]).max() <= high
        np.testing.assert_array_equal(found["y"], resonance(found["x"]))
        assert (found["x"] < 0).mean() > 0.4  # on both sides


def test_measured_values_scatter_by_the_error_of_each_point() -> None:
    found = simulate(FunctionConfig(), 0, 5000, np.random.SeedSequence(2))
    pulls = (found["y"] - resonance(found["x"])) / found["error"]
    assert abs(pulls.std() - 1) < 0.04  # 4 / sqrt(2 * 5000)
    assert 0.049 < found["error"].min() < found["error"].max() < 0.151


def test_only_steps_and_starts_cost_no_new_points() -> None:
    config = FunctionConfig(steps=500, members=7, repeats=3)
    assert study.data_config(config) == FunctionConfig()
    assert study.data_config(FunctionConfig(error=0.2)) != FunctionConfig()


def test_root_mean_square_error_is_no_mean_error() -> None:
    assert rmse(np.zeros(2), np.array([0.0, 2.0])) == np.sqrt(2)


def test_an_exact_place_is_no_stranger_to_the_training() -> None:
    assert places(np.array([[0.5, 0.0], [0.5, 0.1]], np.float32)).tolist() == [[0.5], [0.5]]
