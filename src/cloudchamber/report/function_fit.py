"""The sections of the function-fit report, in the order of a lecture, made from what lies in a run directory.

No text states a result: every number and every verdict is worked out from the files. What is not in the run directory
does not appear.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudchamber.report import function_fit_line as line
from cloudchamber.report import function_fit_network as network
from cloudchamber.report import function_fit_results as results
from cloudchamber.report.files import read_arrays, read_metrics
from cloudchamber.report.page import Section
from cloudchamber.schema import BadInput


def function_fit_sections(run: Path, config: Any, probe_titles: Mapping[str, str] | None = None) -> list[Section]:  # noqa: ARG001
    """The sections of the page, from the files of a run directory; parts whose files are missing are left out.

    Args:
        run: the directory.
        config: of the study.
        probe_titles: what is different in each probe, by name.

    Raises:
        BadInput: a file is malformed.
    """
    metrics = read_metrics(run / "metrics.json")
    straight, backwards, optimisers, curves, repeated = (
        read_arrays(run / "explanations" / f"{name}.h5")
        for name in ("line", "backpropagation", "optimisers", "approximation", "repeated")
    )
    try:
        sections = [
            line.data_section(curves),
            line.least_squares_section(straight),
            line.repeated_line_section(straight),
            line.loss_section(straight),
            network.worked_section(backwards),
            network.gradient_section(backwards),
            network.optimiser_section(optimisers),
            network.steps_section(curves, metrics.title("network")),
            network.stopping_section(curves),
            results.comparison_section(metrics, curves),
            results.repeated_section(metrics, repeated, int(config.repeat_steps)),
        ]
    except (KeyError, IndexError, ValueError) as error:
        raise BadInput(
            f"{run}: an array of the run directory is missing or has another shape ({error}): run the study again"
        ) from None
    return [section for section in sections if section is not None]
