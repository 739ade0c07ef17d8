"""The road: configuration, simulation, learners, metrics, explanations, report; the same for every study.

Studies of predictors and of generators differ in what lies between: how data are split, what is asked of the learners
and how that is scored. ``prediction`` and ``generation`` hold those steps under the same names.
"""

from __future__ import annotations

import logging
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from cloudchamber import generation, prediction
from cloudchamber.data.files import write_arrays
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
from cloudchamber.study import GeneratorStudy, Study

log = logging.getLogger("cloudchamber")

STEPS = ("data_of", "split", "probes", "score")
"""What both ``prediction`` and ``generation`` have."""


def steps_of(study: Study) -> ModuleType:
    """The module with the steps of the study's kind."""
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
    steps = steps_of(run.study)
    with working(run):
        run.note(device=choose_device(resources.device))
        with run.timed("simulate"):
            data = steps.data_of(run, resources)
        if run.study.gallery is not None:
            with run.timed("gallery"):
                write_arrays(run.path / "gallery.h5", run.study.gallery(run.config, data))
        train, validation, test = steps.split(run, data)
        del data  # events of generators lie in memory once
        with run.timed("train"):
            learners = run_learners(run, resources.device)
            fitted(run, learners, train, validation)
            merge_history(run)
        probes: dict[str, Any] = {}
        if run.study.probes:
            with run.timed("simulate"):
                probes = steps.probes(run, resources)
        with run.timed("evaluate"):
            rows = steps.score(run, learners, train, test, probes)
        if run.study.explanations:
            with run.timed("explain"):
                for name in run.study.explanations:
                    explain_one(run, name, learners, test)
        write_metrics(run, rows, learners)
        write_report(run)
    return run


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
        BadInput: the run is not finished, or its study has no such explanation (status 2).
    """
    run = open_run(path)
    known = run.study.explanations
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
