"""The sections of the air-shower report (arXiv:1708.00647), made from what lies in a run directory.

No text states a result: every number and every verdict is worked out from the files, whichever way it comes out. What
is not in the run directory does not appear.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloudchamber.report import showers_answers as answers
from cloudchamber.report import showers_data as data
from cloudchamber.report import showers_explanations as explanations
from cloudchamber.report import showers_results as results
from cloudchamber.report.files import read_arrays, read_history
from cloudchamber.report.page import Section
from cloudchamber.report.showers_run import Names, ShowerSettings, read_run
from cloudchamber.schema import BadInput


def shower_sections(
    run: Path,
    config: ShowerSettings,
    probe_titles: Mapping[str, str] | None = None,  # noqa: ARG001, the study has no probes
    names: Names | None = None,
) -> list[Section]:
    """The sections of the page, from the files of a run directory; parts whose files are missing are left out.

    Args:
        run: the directory.
        config: of the study.
        probe_titles: what is different in each probe, by name.
        names: which predictors play which part.

    Raises:
        BadInput: a file is malformed.
    """
    found = read_run(run, config, names or Names())
    gallery = read_arrays(run / "gallery.h5")
    variables, relevance = (read_arrays(run / "explanations" / f"{name}.h5") for name in ("variables", "relevance"))
    try:
        sections = [
            results.summary(found),
            results.comparison_section(found),
            results.traces_section(found),
            answers.truth_section(found),
            answers.uncertainty_section(found),
            data.array_section(found, gallery),
            data.development_section(gallery),
            explanations.variables_section(found, variables),
            explanations.bins_section(found, relevance),
            explanations.stations_section(found, relevance),
            results.training_section(found, read_history(run / "history.csv")),
        ]
    except (KeyError, IndexError, ValueError) as error:
        raise BadInput(
            f"{run}: an array of the run directory is missing or has another shape ({error}): run the study again"
        ) from None
    return [section for section in sections if section is not None]
