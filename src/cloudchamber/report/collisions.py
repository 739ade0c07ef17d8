"""The sections of the report on the emulator of nuclear collisions, made from what lies in a run directory.

No text states a result: every number and every verdict is worked out from the files, whichever way it comes out. What
is not in the run directory does not appear. Files: those of ``collision_run``, and ``history.csv``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloudchamber.report import collision_data as data
from cloudchamber.report import collision_explanations as explanations
from cloudchamber.report import collision_results as results
from cloudchamber.report.collision_decays import decays_section
from cloudchamber.report.collision_run import read_run
from cloudchamber.report.page import Section


def collision_sections(run: Path, titles: Mapping[str, str]) -> list[Section]:
    """The sections of the page of the emulator; parts whose files are missing are left out.

    Args:
        run: the directory.
        titles: of the probes; not needed, there are none.

    Raises:
        BadInput: a file is malformed.
    """
    del titles
    found = read_run(run)
    sections = [
        results.summary_section(found),
        data.data_section(found),
        *results.distribution_sections(found),
        results.observables_section(found),
        results.parts_section(found),
        explanations.conditions_section(found),
        explanations.latent_section(found),
        explanations.reconstruction_section(found),
        results.laws_section(found),
        decays_section(found),
        data.cost_section(found),
        data.training_section(found, run),
    ]
    return [section for section in sections if section is not None]
