"""What every study promises, over the registry: a new study is tested without a line here."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from importlib import import_module
from inspect import signature
from pathlib import Path

import numpy as np
import pytest

from cloudchamber import generation, prediction, validation
from cloudchamber.data.columns import checked_columns
from cloudchamber.data.samples import ArrayRecords
from cloudchamber.metrics.criteria import passes
from cloudchamber.run import STEPS, travel
from cloudchamber.run_directory import Resources, new_run, open_run, restored
from cloudchamber.schema import BadInput, Config
from cloudchamber.study import (
    EXTRAS,
    PRESETS,
    GeneratorStudy,
    LearningStudy,
    PredictorStudy,
    Study,
    ValidationStudy,
    installed,
    load_study,
    study_names,
)

HERE = Resources(workers=1, device="cpu")
STUDIES = {name: load_study(name) for name in sorted(study_names())}
TOY = str(Path(__file__).parents[1] / "validation_study.py")
"""A validation that keeps the contract, also where none ships."""


def of(kind: type[Study]) -> list[object]:
    """The studies of a kind; those whose extras are not installed are skipped."""
    return [
        pytest.param(
            study, id=name, marks=pytest.mark.skipif(not all(map(installed, study.extras)), reason="needs its extras")
        )
        for name, study in STUDIES.items()
        if isinstance(study, kind)
    ]


@pytest.fixture(params=of(Study), scope="module")
def any_study(request: pytest.FixtureRequest) -> Study:
    return request.param


@pytest.fixture(params=of(PredictorStudy), scope="module")
def study(request: pytest.FixtureRequest) -> PredictorStudy:
    return request.param


@pytest.fixture(params=of(GeneratorStudy), scope="module")
def generating(request: pytest.FixtureRequest) -> GeneratorStudy:
    return request.param


@pytest.fixture(params=[*of(ValidationStudy), pytest.param(load_study(TOY), id="toy")], scope="module")
def validating(request: pytest.FixtureRequest) -> ValidationStudy:
    return request.param


@pytest.fixture(scope="module")
def tiny(study: PredictorStudy) -> Config:
    return study.preset("tiny")


def simulated(study: Study, config: Config, first: int, count: int, seed: int, chunk: int) -> dict[str, np.ndarray]:
    return study.simulate(config, first, count, np.random.SeedSequence(seed, spawn_key=(chunk,)))


# --- every study ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STUDIES)
def test_a_card_has_question_reference_presets_and_described_settings(name: str) -> None:
    study = STUDIES[name]
    assert set(study.presets) == set(PRESETS)
    assert study.question.endswith("?")
    assert "arXiv:" in study.reference or "doi:" in study.reference
    assert set(study.extras) <= EXTRAS.keys()
    for config in study.presets.values():
        for key, field in type(config).model_fields.items():
            assert field.description, f"{key} has no description"


def test_simulation_fits_the_schema(any_study: Study) -> None:
    config = any_study.preset("tiny")
    checked_columns(simulated(any_study, config, 0, 2, 1, 0), any_study.schema, any_study.lengths(config), 2)


def test_same_seed_same_data_and_other_seed_other_data(any_study: Study) -> None:
    one, again, other = (simulated(any_study, any_study.preset("tiny"), 0, 2, seed, 0) for seed in (1, 1, 2))
    for name in any_study.schema:
        np.testing.assert_array_equal(one[name], again[name])
    assert any(not np.array_equal(one[name], other[name]) for name in any_study.schema)


@pytest.mark.parametrize("step", STEPS)
def test_all_kinds_of_study_have_the_steps_of_the_road(step: str) -> None:
    one, other = (list(signature(getattr(module, step)).parameters) for module in (prediction, generation))
    assert len(one) == len(other)
    assert one[0] == other[0] == "run"
    if step != "split":  # a validation learns nothing, and holds nothing out
        assert next(iter(signature(getattr(validation, step)).parameters)) == "run"


@pytest.mark.parametrize("name", STUDIES)
def test_functions_that_a_study_imports_late_exist(name: str) -> None:
    study = STUDIES[name]
    explanations = study.explanations.values() if isinstance(study, LearningStudy) else ()
    made = [check.run for check in study.checks.values()] if isinstance(study, ValidationStudy) else []
    checks = [one.func if isinstance(one, partial) else one for one in made]
    for function in (study.gallery, study.sections, *explanations, *checks):
        if function is not None:
            assert callable(getattr(import_module(function.__module__), function.__name__))


@pytest.mark.parametrize("name", STUDIES)
def test_a_misspelt_setting_names_the_nearest_one(name: str) -> None:
    config = STUDIES[name].preset("tiny")
    key = next(iter(type(config).model_fields))
    with pytest.raises(BadInput, match=f"did you mean '{key}'"):
        config.changed({key + "s": 1})


# --- studies of predictors --------------------------------------------------------------------------------------------


def test_inputs_repeat_and_only_augmentation_redraws_them(study: PredictorStudy, tiny: Config) -> None:
    records = simulated(study, tiny, 0, 3, 1, 0)
    inputs = study.inputs(tiny, records, None)
    study.input.check("inputs", inputs, study.input_lengths(tiny) if study.input_lengths else None)
    np.testing.assert_array_equal(inputs, study.inputs(tiny, records, None))
    augmented = study.inputs(tiny, records, np.random.default_rng(1))
    assert augmented.shape == inputs.shape
    assert not np.array_equal(augmented, inputs)
    np.testing.assert_array_equal(augmented, study.inputs(tiny, records, np.random.default_rng(1)))
    assert study.truth_of(tiny, records).shape == (3, len(study.target_names))


def test_no_record_depends_on_its_neighbours(study: PredictorStudy, tiny: Config) -> None:
    records = simulated(study, tiny, 0, 3, 1, 0)
    owned = {name: array.of for name, array in study.schema.items() if array.of is not None}
    alone = ArrayRecords(records, owned).read(np.array([1]))
    np.testing.assert_allclose(study.inputs(tiny, alone, None)[0], study.inputs(tiny, records, None)[1], rtol=1e-6)


def test_predictors_have_a_floor_and_a_baseline(study: PredictorStudy, tiny: Config) -> None:
    kinds = [predictor.kind for predictor in study.predictors(tiny, 1, "cpu").values()]
    assert kinds[0] == "floor"
    assert "baseline" in kinds
    assert set(kinds) <= {"floor", "baseline", "network"}


def test_a_tiny_run_of_predictors_leaves_every_promised_file(study: PredictorStudy, tmp_path: Path) -> None:
    path = travel(new_run(study.name, preset="tiny", runs=tmp_path), HERE).path
    assert (path / "STATUS").read_text() == "finished\n"
    for name in ("config.json", "run.json", "metrics.json", "history.csv", "predictions.h5", "report.html", "log.txt"):
        assert (path / name).stat().st_size > 0
    metrics = json.loads((path / "metrics.json").read_text())
    predictors = study.predictors(study.preset("tiny"), 1, "cpu")
    assert {row["predictor"] for row in metrics["rows"]} == set(predictors)
    assert {row["sample"] for row in metrics["rows"]} == {"test", *study.probes}
    assert study.headline in {(row["predictor"], row["target"], row["metric"]) for row in metrics["rows"]}
    for name in study.explanations:
        assert (path / "explanations" / f"{name}.h5").exists()
    once = restored(open_run(path), "cpu")
    records = simulated(study, study.preset("tiny"), 0, 3, 9, 0)
    inputs = study.inputs(study.preset("tiny"), records, None)
    again = restored(open_run(path), "cpu")
    for name, predictor in once.items():
        np.testing.assert_array_equal(predictor.predict(inputs).mean, again[name].predict(inputs).mean)


# --- studies of generators --------------------------------------------------------------------------------------------


def test_generators_have_a_floor_and_a_baseline(generating: GeneratorStudy) -> None:
    generators = generating.generators(generating.preset("tiny"), 1, "cpu")
    kinds = {generator.kind for generator in generators.values()}
    assert {"floor", "baseline"} <= kinds <= {"floor", "baseline", "network"}
    assert generating.headline[0] in generators


def test_events_can_be_cut_joined_and_written(generating: GeneratorStudy, tmp_path: Path) -> None:
    config = generating.preset("tiny")
    arrays = checked_columns(
        simulated(generating, config, 0, 3, 1, 0), generating.schema, generating.lengths(config), 3
    )
    events = generating.events(arrays)
    assert len(events) == 3
    again = generating.joined([events.ordered(np.array([0])), events.ordered(np.array([1, 2]))])
    for name, some in (("one", events), ("two", again)):
        with generating.writer(tmp_path / f"{name}.h5", {"study": generating.name}) as append:
            append(some)
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    assert len(generating.read(tmp_path / "one.h5")) == 3
    with pytest.raises(BadInput):
        generating.wanted(config, {"no such setting": "1"}, 1, False)


def test_a_tiny_run_of_generators_leaves_every_promised_file(generating: GeneratorStudy, tmp_path: Path) -> None:
    opened = travel(new_run(generating.name, preset="tiny", runs=tmp_path), HERE)
    path = opened.path
    assert (path / "STATUS").read_text() == "finished\n"
    for name in ("config.json", "run.json", "metrics.json", "report.html", "log.txt"):
        assert (path / name).stat().st_size > 0
    metrics = json.loads((path / "metrics.json").read_text())
    generators = restored(opened, "cpu")
    assert {row["predictor"] for row in metrics["rows"]} == generators.keys() == metrics["sample_s"].keys()
    for sample in ("test", *generating.probes):
        assert any(row["sample"].startswith(sample) for row in metrics["rows"])
        assert {file.stem for file in (path / "generated" / sample).iterdir()} == {"truth", *generators}
    truth = generating.read(path / "generated" / "test" / "truth.h5")
    made = {name: generation.like(generating, one, truth, 1, f"test/{name}") for name, one in generators.items()}
    generation.write_generated(replace(opened, path=tmp_path), "test", truth, made, generators)
    for name in ("truth", *generators):
        one, other = (home / "generated" / "test" / f"{name}.h5" for home in (path, tmp_path))
        assert one.read_bytes() == other.read_bytes(), name


# --- studies that validate a simulator --------------------------------------------------------------------------------


def test_a_validation_has_every_preset_and_a_headline_of_a_subject(validating: ValidationStudy) -> None:
    assert set(validating.presets) == set(PRESETS)
    assert validating.headline[0] in validating.subjects
    assert validating.checks
    for name, check in validating.checks.items():
        assert re.fullmatch(r"[\w-]+", name), f"checks/{name}.json is no file's name"
        assert check.title


def test_a_tiny_run_of_a_validation_leaves_every_promised_file(validating: ValidationStudy, tmp_path: Path) -> None:
    source = validating.name if validating.name in STUDIES else TOY
    path = travel(new_run(source, preset="tiny", runs=tmp_path), HERE).path
    assert (path / "STATUS").read_text() == "finished\n"
    for name in ("config.json", "run.json", "metrics.json", "report.html", "log.txt"):
        assert (path / name).stat().st_size > 0
    metrics = json.loads((path / "metrics.json").read_text())
    assert metrics["checks"].keys() == validating.checks.keys()
    assert {name: one["title"] for name, one in metrics["predictors"].items()} == validating.subjects
    for name in validating.checks:
        rows = [row for row in metrics["rows"] if row["sample"] == name]
        assert rows, f"check {name} measures nothing"
        assert {row["predictor"] for row in rows} <= validating.subjects.keys()
        for ending in ("json", "h5"):
            assert (path / "checks" / f"{name}.{ending}").stat().st_size > 0
    assert any(passes(row) is not None for row in metrics["rows"]), "nothing is demanded of the simulator"
    named = [(row["predictor"], row["target"], row["metric"]) for row in metrics["rows"]]
    assert named.count(validating.headline) == 1
