"""The card of a study, for ``cloudchamber describe`` and the documentation, and the card of a trained model.

That of a study has its parts, and where each lives; that of a model (Mitchell et al., arXiv:1810.03993) what it learned
from, how good it is and where it ends, all from the run that trained it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudchamber.schema import LEARNING, Config
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

if TYPE_CHECKING:
    from cloudchamber.metrics.rows import Row
    from cloudchamber.run_directory import Run

LICENCE = "BSD-3-Clause, as cloudchamber"


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


# --- the card of a trained model --------------------------------------------------------------------------------------


def model_card(run: Run[GeneratorStudy], limits: Sequence[str] = ()) -> str:
    """What a user of the generator behind a finished run's headline number must know, in Markdown.

    Args:
        run: finished.
        limits: sentences on what the model cannot do, beside those that the run itself can say.

    Raises:
        BadInput: the run has no table of metrics.
    """
    from cloudchamber.run_directory import read_metrics

    study, record, metrics = run.study, run.record, read_metrics(run.path)
    name, target, metric = study.headline
    known = metrics["predictors"]
    truth = "a user's own events" if record["data"] is not None else "the study's simulator"
    beside = "Beside the model stand the physicists' methods and the best that can be expected (floor)."
    parts = [
        f"# Model card: {study.name}, generator {name}",
        f"{known[name]['title']} ({known[name]['kind']}), trained by the study `{study.name}`: {study.title}.",
        f"{study.question} Reference: {study.reference}.",
        "## What it learned from",
        f"{record['n_records']} events by {truth}, of them {study.held_out:.0%} each for validation and test:",
        _table(("setting of the data", "value", "meaning"), _data_settings(run.config)),
        "## How good it is",
        f"The headline number is {metric} of {target}. {beside}",
        *_judged(study, metrics["rows"], known),
        "## What it conserves",
        _conserved(metrics["rows"], name),
        "## Limits",
        _listed(
            "Conditions outside the training are refused; with `--extrapolate` the file says `extrapolated`.", *limits
        ),
        "## Origin",
        _listed(*_origin(study, record)),
    ]
    return "\n\n".join(parts) + "\n"


def _origin(study: Study, record: Mapping[str, Any]) -> list[str]:
    """Where the model comes from, how fast it was there, and what to cite."""
    speed = record.get("sample_s", {}).get(study.headline[0])
    seed, torch = record["seed"], record["packages"]["torch"]
    return [
        f"By cloudchamber {record['version']}, commit {record['commit']}, preset {record['preset']}, seed {seed}.",
        f"Begun {record['started']} on {record['hardware']}, Python {record['python']}, torch {torch}.",
        *([f"Made {speed:.3g} events per second there."] if speed else []),
        f"Licence: {LICENCE}.",
        *([f"Cite: {study.citation}."] if study.citation else []),
    ]


def _listed(*sentences: str) -> str:
    """A list in Markdown."""
    return "\n".join(f"* {one}" for one in sentences)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    cells = [header, ["---"] * len(header), *([one.replace("|", "\\|") for one in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _data_settings(config: Config) -> list[tuple[str, str, str]]:
    """Settings of the data, not those of learning: value and meaning."""
    fields = type(config).model_fields.items()
    found = [(key, getattr(config, key), one.description) for key, one in fields if LEARNING not in one.metadata]
    return [
        (key, ", ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value), text or "")
        for key, value, text in found
    ]


def _judged(study: Study, rows: Sequence[Row], known: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The headline number and the measures of whole events: the model, the physicists' methods, the floor."""
    name, target, metric = study.headline
    others = [one for kind in ("baseline", "floor") for one, about in known.items() if about["kind"] == kind]
    columns = [name, *(one for one in others if one != name)]
    cells = {(row["sample"], row["target"], row["metric"], row["predictor"]): row for row in rows}
    places = [
        place
        for place in dict.fromkeys(key[:3] for key in cells if key[3] == name)
        if place[0] in ("test", *study.probes) and (place[1] == "all" or place[1:] == (target, metric))
    ]
    places.sort(key=lambda place: place[1:] != (target, metric))  # stable
    table = [
        (sample, f"{measure} ({of})", *(_said(cells.get((sample, of, measure, one))) for one in columns))
        for sample, of, measure in places
    ]
    titles = [f"{known[one]['title']}" + (" (floor)" if known[one]["kind"] == "floor" else "") for one in columns]
    probes = [f"{one}: {probe.title}" for one, probe in study.probes.items()]
    return [_table(("sample", "measure", *titles), table), *([_listed(*probes)] if probes else [])]


def _conserved(rows: Sequence[Row], name: str) -> str:
    """What was measured of conservation laws."""
    laws = [
        row for row in rows if row["predictor"] == name and row["sample"] == "test" and "violation" in row["metric"]
    ]
    said = [f"{row['target']}: {row['metric']} {_said(row)} {row['unit'] or ''}".rstrip() for row in laws]
    return _listed(*said) or "No conservation law was measured."


def _said(row: Row | None) -> str:
    """Value and error; what three digits cannot show as a power of ten."""
    from cloudchamber.terminal import value_and_error

    if row is not None and row["value"] is not None and 0 < abs(row["value"]) < 1e-3:
        return f"{row['value']:.0e}"
    return value_and_error(row)
