"""The sections of the report on generators of hadronic interactions, made from what lies in a run directory.

No text states a result: every number and every verdict is worked out from the files, whichever way it comes out. What
is not in the run directory does not appear. Files: ``metrics.json`` (rows of ``metrics.interaction_rows``),
``generated/<sample>/truth.h5`` and ``generated/<sample>/<generator>.h5`` (events), ``history.csv``, ``speed.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cloudchamber.report import interactions_conditions as conditions
from cloudchamber.report import interactions_cost as cost
from cloudchamber.report import interactions_results as results
from cloudchamber.report.files import TEST
from cloudchamber.report.interactions_run import read_run
from cloudchamber.report.page import Section


def nothing_held_out(projectile: str, target: str, energy: float) -> bool:  # noqa: ARG001
    """Every condition is in the training."""
    return False


def interaction_sections(
    run: Path,
    sample_titles: Mapping[str, str],
    held_out: Callable[[str, str, float], bool] = nothing_held_out,
) -> list[Section]:
    """The sections of the page of a study of generators; parts whose files are missing are left out.

    Args:
        run: the directory.
        sample_titles: what is different in each further sample (probe), by name.
        held_out: whether projectile, target and kinetic energy in GeV were kept out of the training.

    Raises:
        BadInput: a file is malformed.
    """
    found = read_run(run)
    test = found.samples.get(TEST)
    sections = [
        results.summary_section(found),
        *([] if test is None else results.event_sections(found, test)),
        results.observables_section(found),
        results.books_section(found),
        *(conditions.probe_section(found, name, title) for name, title in sample_titles.items()),
        conditions.conditions_section(found, held_out),
        conditions.hadrons_section(found),
        cost.speed_section(found, run / "speed.json"),
        cost.training_section(found, run),
    ]
    return [section for section in sections if section is not None]
