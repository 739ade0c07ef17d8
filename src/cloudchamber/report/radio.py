"""The sections of the report on radio pulses of air showers, made from what lies in a run directory.

No text states a result: every number and every verdict is worked out from the files, whichever way it comes out. What
is not in the run directory does not appear.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloudchamber.report import radio_explanations as explanations
from cloudchamber.report import radio_results as results
from cloudchamber.report.files import read_arrays
from cloudchamber.report.page import Section
from cloudchamber.report.radio_run import RadioConfig, read_run


def radio_sections(run: Path, config: RadioConfig, probe_titles: Mapping[str, str]) -> list[Section]:
    """The sections of the page; parts whose files are missing are left out.

    Args:
        run: the directory.
        config: of the study.
        probe_titles: what is different in each further data set, by name.

    Raises:
        BadInput: a file is malformed.
    """
    found = read_run(run, config, probe_titles)
    examples, transfer, disturbances, relevance = (
        read_arrays(run / "explanations" / f"{name}.h5")
        for name in ("examples", "transfer", "disturbances", "relevance")
    )
    sections = [
        results.summary(found),
        explanations.data_section(found, examples),
        results.energy_section(found),
        results.finding_section(found),
        results.shape_section(found),
        results.worlds_section(found),
        explanations.transfer_section(found, transfer),
        explanations.disturbance_section(found, disturbances),
        explanations.relevance_section(relevance),
        results.training_section(found, run),
    ]
    return [section for section in sections if section is not None]
