"""The card of a study, for ``cloudchamber describe`` and the documentation: its parts, and where each lives."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cloudchamber.schema import Config
from cloudchamber.study import (
    GeneratorStudy,
    LearningStudy,
    PredictorStudy,
    Study,
    ValidationStudy,
    installed,
    learners_of,
    study_names,
)


@dataclass(frozen=True)
class Entry:
    """A line of a card, and the module in which what it names lives (empty: nowhere in particular)."""

    text: str
    module: str = ""


@dataclass(frozen=True)
class Part:
    """A heading, a remark on it, and its lines."""

    heading: str
    remark: str
    entries: list[Entry]


def card(study: Study) -> list[Part]:
    """The parts of a study's card, in the order in which a reader wants them."""
    first = study.preset(next(iter(study.presets)))
    record = next(array.axes for array in study.schema.values() if array.of is None).split()[0]
    columns = [
        Entry(f"{name} ({array.axes}) [{array.unit or '1'}]: {array.doc}") for name, array in study.schema.items()
    ]
    found = [Part("Data", f" (one record for each {record})", columns)]
    if isinstance(study, PredictorStudy):
        asked = [
            Entry(f"Inputs ({study.input.axes}): {study.input.doc}"),
            Entry(f"Targets [{study.target_unit or '1'}]: {', '.join(study.target_names)}"),
        ]
        found.append(Part("Question", "", asked))
    found += [
        *_measured(study, first),
        Part("Steps", "", _steps(study)),
        Part("Probes", "", [Entry(f"{name}: {probe.title}") for name, probe in study.probes.items()]),
    ]
    if study.extras:
        state = {one: "installed" if installed(one) else "missing" for one in study.extras}
        found.append(Part("Extras", "", [Entry(f"{one} ({how})") for one, how in state.items()]))
    settings = []
    for key, field in type(first).model_fields.items():
        values = ", ".join(str(getattr(config, key)) for config in study.presets.values())
        settings.append(Entry(f"{key} = {values}: {field.description or ''}"))
    return [*found, Part("Settings", f" (--set key=value), by preset: {', '.join(study.presets)}", settings)]


def _measured(study: Study, config: Config) -> list[Part]:
    """What has rows of metrics: learners, or subjects and the checks that are made of them."""
    if isinstance(study, ValidationStudy):
        subjects = [Entry(f"{name}: {title}") for name, title in study.subjects.items()]
        checks = [Entry(f"{name}: {one.title}", _home(one.run)) for name, one in study.checks.items()]
        return [Part("Subjects", "", subjects), Part("Checks", "", checks)]
    learners = learners_of(study, config, 0, "cpu")
    lines = [Entry(f"{name} ({one.kind}): {one.title}", type(one).__module__) for name, one in learners.items()]
    return [Part("Generators" if isinstance(study, GeneratorStudy) else "Predictors", "", lines)]


STEPS = {
    "simulate": "the records of a chunk",
    "inputs": "records to what predictors read",
    "targets": "records to what is predicted",
    "groups": "records that stay in one split",
    "events": "columns of records to events",
    "rows": "metrics with errors",
    "gallery": "pictures of the data",
    "sections": "the report",
}
"""What a study may say itself, and what that is."""


def _steps(study: Study) -> list[Entry]:
    """What a study does itself, and where."""
    said = ((name, text, getattr(study, name, None)) for name, text in STEPS.items())
    found = [Entry(f"{name}: {text}", _home(step)) for name, text, step in said if step is not None]
    explanations = study.explanations if isinstance(study, LearningStudy) else {}
    return found + [Entry(f"explanation {name}", _home(one)) for name, one in explanations.items()]


def _home(step: Callable[..., Any]) -> str:
    """The module of a function; of a partial one, that of what it was made from."""
    return _home(step.func) if isinstance(step, partial) else step.__module__


def study_file(source: str) -> Path:
    """The file of a study, given by name or by its path."""
    if source.endswith(".py"):
        return Path(source).resolve()
    module = find_spec(study_names()[source])
    assert module is not None
    assert module.origin is not None
    return Path(module.origin)


def results_file(study: str) -> Path:
    """results/<study>.json: beside the package when installed, at the root of a checkout."""
    beside = Path(__file__).parent / "results" / f"{study}.json"
    return beside if beside.exists() else Path(__file__).parents[2] / "results" / f"{study}.json"


def headline(study: Study) -> str:
    """The study's headline number from results/, with its criterion if it has one, or that there is none."""
    from cloudchamber.report.validation import said_criterion
    from cloudchamber.terminal import value_and_error

    path = results_file(study.name)
    if not path.exists():
        return "not measured yet"
    samples = tuple(study.checks) if isinstance(study, ValidationStudy) else ("test",)
    for row in json.loads(path.read_text())["rows"]:
        if (row["predictor"], row["target"], row["metric"]) == study.headline and row["sample"] in samples:
            criterion = f" ({said_criterion(row)})" if said_criterion(row) else ""
            return f"{row['predictor']}: {row['metric']}({row['target']}) = {value_and_error(row)}{criterion}"
    return "not measured yet"
