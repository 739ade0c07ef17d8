"""Sections of the searches for sources from made-up run directories: every part is there."""

from __future__ import annotations

import json

from cloudchamber.metrics.searches import kind_rows
from cloudchamber.report.page import write_page
from cloudchamber.report.skies import source_sections, universe_sections


def test_report_of_sources_has_every_section_in_order(sources, sections_of_sources) -> None:
    sections = sections_of_sources
    assert [section.title for section in sections] == [
        "What came out", "The data", "How few signal cosmic rays are enough?", "Where measurement ends: the tails",
        "Are the p-values p-values?", "Another Galactic field", "Beside published fractions", "How strong, and where?",
        "Training", "Which cosmic rays?", "Does relevance find the signal?", "Do these cosmic rays matter?",
        "Can relevance be trusted?",
    ]  # fmt: skip
    page = write_page(sources, sections).read_text()
    assert "template &lt;scan&gt;" in page
    assert "template <scan>" not in page
    assert "nan" not in page.replace("dominant", "").split("</style>")[1].split("<svg")[0]
    assert "not simulated" not in page


def test_report_of_many_sources_shows_density_and_tails(tmp_path, sky_config, write_sky_run, by_title) -> None:
    worlds = {"sources-10": "10 sources", "density-1e-2": "dense"}
    run = write_sky_run(tmp_path / "universe", worlds, kind_rows)
    sections = universe_sections(run, sky_config, worlds, {"density-1e-2": 1e-2, "sources-10": 1e-7})
    found = by_title(sections)
    density = found["Up to which density of sources?"]
    assert [figure.name for figure in density.figures] == [
        "density_median_sigma", "density_found_5_sigma", "density_auc",
    ]  # fmt: skip
    table = found["What came out"].table
    assert table is not None
    assert [cell for cell in table.header if cell.startswith("AUC")][1:] == ["AUC: 10 sources", "AUC: dense"]
    assert "rests on fitted tails" in found["What came out"].text
    write_page(run, sections)


def test_a_run_without_results_has_one_section(tmp_path, sky_config, sky_worlds) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"predictors": {}, "rows": []}))
    sections = source_sections(tmp_path, sky_config, sky_worlds)
    assert [section.title for section in sections] == ["What came out"]
    assert "too few isotropic skies" in sections[0].text
