"""What every study promises, over the registry: a new study is tested without a line here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cloudchamber.schema import BadInput, Config
from cloudchamber.study import PRESETS, Study, load_study, study_names

STUDIES = sorted(study_names())


@pytest.fixture(params=STUDIES, scope="module")
def study(request: pytest.FixtureRequest) -> Study:
    return load_study(request.param)


@pytest.fixture(scope="module")
def tiny(study: Study) -> Config:
    return study.preset("tiny")


def simulated(study: Study, config: Config, first: int, count: int, seed: int, chunk: int) -> dict[str, np.ndarray]:
    return study.simulate(config, first, count, np.random.SeedSequence(seed, spawn_key=(chunk,)))


def test_card(study: Study) -> None:
    assert set(study.presets) == set(PRESETS)
    assert study.question.endswith("?")
    assert "arXiv:" in study.reference or "doi:" in study.reference
    assert study.headline[1] in study.target_names
    for config in study.presets.values():
        for name, field in type(config).model_fields.items():
            assert field.description, f"{name} has no description"


def test_simulation_fits_the_schema(study: Study, tiny: Config) -> None:
    arrays = simulated(study, tiny, 0, 2, 1, 0)
    assert set(arrays) == set(study.schema)
    for name, array in study.schema.items():
        array.check(name, arrays[name], study.lengths(tiny))
        assert len(arrays[name]) == 2


def test_same_seed_same_data_and_other_seed_other_data(study: Study, tiny: Config) -> None:
    one, again, other = (simulated(study, tiny, 0, 2, seed, 0) for seed in (1, 1, 2))
    for name in study.schema:
        np.testing.assert_array_equal(one[name], again[name])
    assert any(not np.array_equal(one[name], other[name]) for name in study.schema)


def test_inputs_and_targets(study: Study, tiny: Config) -> None:
    records = simulated(study, tiny, 0, 3, 1, 0)
    inputs = study.inputs(tiny, records, None)
    study.input.check("inputs", inputs, study.input_lengths(tiny))
    np.testing.assert_array_equal(inputs, study.inputs(tiny, records, None))
    augmented = study.inputs(tiny, records, np.random.default_rng(1))
    assert augmented.shape == inputs.shape
    assert not np.array_equal(augmented, inputs)
    np.testing.assert_array_equal(augmented, study.inputs(tiny, records, np.random.default_rng(1)))
    assert study.targets(tiny, records).shape == (3, len(study.target_names))


def test_no_record_depends_on_its_neighbours(study: Study, tiny: Config) -> None:
    records = simulated(study, tiny, 0, 3, 1, 0)
    alone = {name: values[1:2] for name, values in records.items()}
    np.testing.assert_allclose(study.inputs(tiny, alone, None)[0], study.inputs(tiny, records, None)[1], rtol=1e-6)


def test_unknown_setting_is_named(study: Study, tiny: Config) -> None:
    key = next(iter(type(tiny).model_fields))
    with pytest.raises(BadInput, match=f"did you mean '{key}'"):
        tiny.changed({key + "s": 1})


def test_predictors_have_a_floor_and_a_baseline(study: Study, tiny: Config) -> None:
    kinds = [predictor.kind for predictor in study.predictors(tiny, 1, "cpu").values()]
    assert kinds[0] == "floor"
    assert "baseline" in kinds
    assert set(kinds) <= {"floor", "baseline", "network"}


def test_the_whole_road(study: Study, tmp_path: Path) -> None:
    from cloudchamber import run as road

    opened = road.new_run(study, study.name, "tiny", study.preset("tiny"), 1, tmp_path, None)
    road.travel(opened, road.Resources(workers=1, device="cpu"))
    path = opened.path
    assert (path / "STATUS").read_text() == "finished\n"
    for name in ("config.json", "run.json", "metrics.json", "history.csv", "predictions.h5", "report.html", "log.txt"):
        assert (path / name).stat().st_size > 0
    metrics = json.loads((path / "metrics.json").read_text())
    predictors = study.predictors(study.preset("tiny"), 1, "cpu")
    assert {row["predictor"] for row in metrics["rows"]} == set(predictors)
    assert {row["sample"] for row in metrics["rows"]} == {"test", *study.probes}
    for name in study.explanations:
        assert (path / "explanations" / f"{name}.h5").exists()
    restored = road.restored(road.open_run(path), "cpu")
    records = simulated(study, study.preset("tiny"), 0, 3, 9, 0)
    inputs = study.inputs(study.preset("tiny"), records, None)
    again = road.restored(road.open_run(path), "cpu")
    for name, predictor in restored.items():
        np.testing.assert_array_equal(predictor.predict(inputs).mean, again[name].predict(inputs).mean)
