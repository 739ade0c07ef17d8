"""What a run directory promises: its name, what is refused before it is made, floors, restored learners."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloudchamber.data.interactions import write_events
from cloudchamber.run_directory import (
    choose_device,
    new_directory,
    new_run,
    open_run,
    restored,
    with_floors,
)
from cloudchamber.schema import BadInput
from cloudchamber.study import load_study

TOY = str(Path(__file__).with_name("toy_study.py"))
PHOTONS = str(Path(__file__).with_name("generator_study.py"))


def test_runs_of_the_same_second_do_not_share_a_directory(tmp_path: Path) -> None:
    made = {new_directory(tmp_path, 1) for _ in range(3)}
    assert len(made) == 3
    assert all(path.is_dir() for path in made)


def test_settings_are_kept_and_read_back(toy_run: Path) -> None:
    opened = open_run(toy_run)
    assert opened.finished
    assert opened.seed == 3
    assert opened.config.model_dump() == load_study(TOY).preset("tiny").model_dump()
    assert opened.record["wall_s"].keys() == {"simulate", "train", "evaluate"}  # nothing to explain
    for name in ("version", "commit", "hardware", "host", "python", "packages", "command", "data_hash"):
        assert opened.record[name]


@pytest.mark.parametrize(
    ("source", "changes", "message"),
    [
        (TOY, {"preset": "tinny"}, "did you mean 'tiny'"),
        (TOY, {"settings": {"event": "3"}}, "did you mean 'events'"),
        (TOY, {"data": Path("nowhere.h5")}, "no such file"),
        ("toy", {}, "unknown study 'toy'"),
    ],
)
def test_what_cannot_be_leaves_no_directory(source: str, changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        new_run(source, **{"preset": "tiny", **changes}, runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_own_events_that_cannot_be_read_leave_no_directory(tmp_path: Path) -> None:
    study: Any = load_study(PHOTONS)
    own = study.events(study.simulate(study.preset("tiny"), 0, 3, np.random.SeedSequence(1)))
    write_events(tmp_path / "own.h5", own, {})
    whole = (tmp_path / "own.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[:-50])
    with pytest.raises(BadInput, match="truncated or altered"):
        new_run(PHOTONS, preset="tiny", runs=tmp_path / "runs", data=tmp_path / "cut.h5")
    assert not (tmp_path / "runs").exists()


def test_devices_are_refused_by_name() -> None:
    assert choose_device("cpu") == "cpu"
    with pytest.raises(BadInput, match="did you mean 'cuda'") as error:
        choose_device("cudda")
    assert error.value.status == 2


def test_one_predictor_is_restored_alone_and_a_generator_with_those_before_it(toy_run: Path, tmp_path: Path) -> None:
    opened = open_run(toy_run)
    assert list(restored(opened, "cpu")) == ["mean", "spread"]
    assert list(restored(opened, "cpu", "spread")) == ["spread"]
    with pytest.raises(BadInput, match="no predictor 'sprea'; did you mean 'spread'"):
        restored(opened, "cpu", "sprea")
    begun = new_run(PHOTONS, preset="tiny", runs=tmp_path)
    with pytest.raises(BadInput, match="again is not fitted"):
        restored(begun, "cpu", "measured")


def test_every_row_has_the_floor_of_its_own_sample() -> None:
    class Known:
        def __init__(self, kind: str) -> None:
            self.kind = kind

    rows = [
        {"predictor": name, "sample": sample, "target": "width", "metric": "mae", "value": value}
        for name, sample, value in (("mean", "test", 1.0), ("net", "test", 0.2), ("net", "far", 0.7))
    ]
    learners: Any = {"mean": Known("floor"), "net": Known("network")}
    assert [row["floor"] for row in with_floors(rows, learners)] == [1.0, 1.0, None]


def test_metrics_hold_the_floor_that_the_study_names_so(toy_run: Path) -> None:
    metrics = json.loads((toy_run / "metrics.json").read_text())
    values = {row["predictor"]: row["value"] for row in metrics["rows"]}
    assert {row["floor"] for row in metrics["rows"]} == {values["mean"]}
    assert values["spread"] < values["mean"]
