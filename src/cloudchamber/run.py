"""The road: configuration, simulation, what is measured, metrics, report; the same for every study.

Studies of predictors and of generators differ in how data are split, what is asked of the learners and how that is
scored; one that validates a simulator has checks instead of learners. ``prediction``, ``generation`` and ``validation``
hold those steps under the same names.
"""

from __future__ import annotations

import logging
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from cloudchamber import generation, prediction, validation
from cloudchamber.data.files import write_arrays
from cloudchamber.metrics.rows import Row
from cloudchamber.run_directory import (
    HERE,
    Resources,
    Run,
    choose_device,
    fitted,
    merge_history,
    open_run,
    restored,
    run_learners,
    working,
    write_metrics,
)
from cloudchamber.schema import BadInput, did_you_mean
from cloudchamber.study import GeneratorStudy, LearningStudy, Study, ValidationStudy, of_kind

log = logging.getLogger("cloudchamber")

STEPS = ("data_of", "split", "probes", "score")
"""What both ``prediction`` and ``generation`` have; ``validation`` splits nothing and has the others."""

Scored = tuple[list[Row], dict[str, dict[str, str]]]
"""Rows of metrics, and title and kind of what has rows."""


def steps_of(study: Study) -> ModuleType:
    """The module with the steps of the study's kind."""
    if isinstance(study, ValidationStudy):
        return validation
    return generation if isinstance(study, GeneratorStudy) else prediction


def travel(run: Run[Any], resources: Resources = HERE) -> Run[Any]:
    """Go the whole road in ``run``'s directory, from wherever it stands.

    Args:
        run: new, or interrupted: what is finished stays.
        resources: where simulation and networks run. More than one worker starts processes, which import the main
            program: a script calls this below ``if __name__ == "__main__":``.

    Returns:
        ``run``, with what it noted on its way.

    Raises:
        BadInput: what the user gave cannot be used; STATUS and log.txt say why, too.
    """
    measured = learned if isinstance(run.study, LearningStudy) else validated
    with working(run):
        rows, known = measured(run, resources)
        write_metrics(run, rows, known)
        write_report(run)
    return run


def learned(run: Run[Any], resources: Resources) -> Scored:
    """The road's middle where something learns: simulate, fit, score, explain."""
    steps = steps_of(run.study)
    run.note(device=choose_device(resources.device))
    data = data_of(run, resources)
    train, held_out, test = steps.split(run, data)
    del data  # events of generators lie in memory once
    with run.timed("train"):
        learners = run_learners(run, resources.device)
        fitted(run, learners, train, held_out)
        merge_history(run)
    probes = probes_of(run, resources)
    with run.timed("evaluate"):
        rows = steps.score(run, learners, train, test, probes)
    if run.study.explanations:
        with run.timed("explain"):
            for name in run.study.explanations:
                explain_one(run, name, learners, test)
    return rows, {name: {"title": one.title, "kind": one.kind} for name, one in learners.items()}


def validated(run: Run[ValidationStudy], resources: Resources) -> Scored:
    """The road's middle where a simulator is validated: simulate, check."""
    records, probes = data_of(run, resources), probes_of(run, resources)
    with run.timed("check"):
        rows = validation.score(run, records, probes)
    return rows, {name: {"title": title, "kind": "subject"} for name, title in run.study.subjects.items()}


def data_of(run: Run[Any], resources: Resources) -> Any:
    """The records or events of a run, and gallery.h5, the arrays for their pictures."""
    with run.timed("simulate"):
        data = steps_of(run.study).data_of(run, resources)
    if run.study.gallery is not None:
        with run.timed("gallery"):
            write_arrays(run.path / "gallery.h5", run.study.gallery(run.config, data))
    return data


def probes_of(run: Run[Any], resources: Resources) -> dict[str, Any]:
    """The samples or records of every probe."""
    probes: dict[str, Any] = {}
    if run.study.probes:
        with run.timed("simulate"):
            probes = steps_of(run.study).probes(run, resources)
    return probes


def explain_one(run: Run[Any], name: str, learners: dict[str, Any], test: Any) -> Path:
    """One explanation, to ``explanations/<name>.h5``."""
    log.info("explaining: %s", name)
    arrays = run.study.explanations[name](run.config, learners, test, np.random.default_rng(run.seed))
    path = run.path / "explanations" / f"{name}.h5"
    write_arrays(path, arrays)
    return path


def write_report(run: Run[Study]) -> Path:
    """report.html from what lies in the run directory."""
    from cloudchamber.report.page import write_page
    from cloudchamber.report.standard import standard_sections

    study = run.study
    titles = {name: probe.title for name, probe in study.probes.items()}
    found = standard_sections(run.path) if study.sections is None else study.sections(run.path, run.config, titles)
    return write_page(run.path, found)


def explain(path: Path, method: str | None, resources: Resources) -> list[Path]:
    """Compute the explanations of a finished run again (all, or one by name) and rebuild its report.

    Args:
        path: a finished run.
        method: one explanation by name. None: all.
        resources: where simulation, if the cache has lost the data, and networks run.

    Returns:
        The files written.

    Raises:
        BadInput: the run is not finished, or its study has no such explanation or no learners (status 2).
    """
    run = open_run(path)
    known = of_kind(run.study, LearningStudy, "explain").explanations
    if not known:
        raise BadInput(f"study {run.study.name!r} has no explanations: its report shows all there is", status=2)
    if method is not None and method not in known:
        raise BadInput(f"study {run.study.name!r} has no explanation {method!r}{did_you_mean(method, known)}", status=2)
    if not (path / "metrics.json").exists():
        raise BadInput(f"{path} is not finished; finish it with `cloudchamber run --resume {path}`")
    steps = steps_of(run.study)
    device = choose_device(resources.device)
    with working(run):
        learners = restored(run, device)
        _, _, test = steps.split(run, steps.data_of(run, resources))
        written = [explain_one(run, name, learners, test) for name in (known if method is None else [method])]
        write_report(run)
    return written
