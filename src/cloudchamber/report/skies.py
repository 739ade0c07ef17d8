"""The sections of the reports on arrival directions of cosmic rays, made from what lies in a run directory.

No text states a result: every number and every verdict is worked out from the files, whichever way it comes out. What
is not in the run directory does not appear. Numbers of signal cosmic rays are per 1000.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cloudchamber.report import skies_explanations as explanations
from cloudchamber.report import skies_results as results
from cloudchamber.report import skies_significance as significance
from cloudchamber.report import skies_worlds as worlds
from cloudchamber.report.files import read_arrays
from cloudchamber.report.page import Section
from cloudchamber.report.skies_data import data_section
from cloudchamber.report.skies_run import HELIUM, SkyConfig, read_run


def source_sections(run: Path, config: SkyConfig, probe_titles: Mapping[str, str]) -> list[Section]:
    """The sections of the page of cosmic-ray-sources; parts whose files are missing are left out.

    Args:
        run: the directory.
        config: of the study.
        probe_titles: what is different in each further world, by name.

    Raises:
        BadInput: a file is malformed.
    """
    found = read_run(run, config, probe_titles)
    maps = read_arrays(run / "explanations" / "maps.h5")
    sections = [
        results.source_summary(found),
        data_section(found, maps),
        significance.significance_section(found),
        significance.tail_section(found, HELIUM),
        significance.uniformity_section(found),
        worlds.robustness_section(found),
        worlds.published_section(found),
        results.regression_section(found),
        results.training_section(found, run),
        *explanations.explanation_sections(found, run, maps),
    ]
    return [section for section in sections if section is not None]


def universe_sections(
    run: Path, config: SkyConfig, probe_titles: Mapping[str, str], densities: Mapping[str, float]
) -> list[Section]:
    """The sections of the page of cosmic-ray-universe; parts whose files are missing are left out.

    Args:
        run: the directory.
        config: of the study.
        probe_titles: what is different in each further world, by name.
        densities: of sources per cubic Mpc, by probe.

    Raises:
        BadInput: a file is malformed.
    """
    found = read_run(run, config, probe_titles)
    maps = read_arrays(run / "explanations" / "maps.h5")
    order = sorted((name for name in densities if name in found.worlds), key=lambda name: densities[name])
    sections = [
        results.universe_summary(found, order),
        data_section(found, maps),
        worlds.density_section(found, {name: densities[name] for name in order}),
        significance.tail_section(found, order[0]) if order else None,
        significance.uniformity_section(found),
        results.regression_section(found),
        results.training_section(found, run),
        *explanations.explanation_sections(found, run, maps),
    ]
    return [section for section in sections if section is not None]
