"""Sections on generators of interactions from made-up run directories, whichever way the numbers come out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cloudchamber.metrics.interaction_rows import interaction_rows
from cloudchamber.report.interactions import interaction_sections
from cloudchamber.report.interactions_run import read_run
from cloudchamber.report.page import Section, write_page
from cloudchamber.simulators.hadronic.events import Events


def test_a_full_run_has_all_sections_and_a_page(full: Path, sections_of_generators: list[Section]) -> None:
    assert [section.title for section in sections_of_generators] == [
        "What came out", "The data", "How many particles?", "Where do they go?", "Do observables hang together?",
        "Observable by observable", "What must be conserved", "Elsewhere: heavier nuclei",
        "Every hadron, every target, every energy", "Multiplicity of every hadron", "How fast?", "Training",
    ]  # fmt: skip
    for section in sections_of_generators:
        assert section.text
        for figure in section.figures:
            assert figure.svg.startswith("<svg")
            assert figure.alt
    page = write_page(full, sections_of_generators).read_text()
    assert "resampling &lt;events&gt;" in page
    assert "resampling <events>" not in page


def test_what_is_seen_is_said(
    sections_of_generators: list[Section], by_title: Callable[..., dict[str, Section]]
) -> None:
    titled = by_title(sections_of_generators)
    came_out = titled["What came out"].text
    assert "best is <b>resampling &lt;events&gt;</b>" in came_out
    assert "the same within two combined errors as truth against truth" in came_out
    assert "in every event by: resampling &lt;events&gt;; flow matching." in titled["What must be conserved"].text
    where = titled["Every hadron, every target, every energy"]
    assert where.text.startswith("flow matching. AUC: 0.600 in 2 trained, 0.600 in 2 held-out conditions (median)")
    assert "Truth against truth: 0.500 in the median condition" in where.figures[0].caption
    assert "6 combinations" in titled["Multiplicity of every hadron"].text
    speed = titled["How fast?"].text
    assert speed == "Most events per second: flow matching 20\u2009000, Geant4 6\u2009000, UrQMD 60."
    particles = titled["The data"].table
    assert particles is not None
    assert any(row[0] in ("pi+", "pi-", "p") for row in particles.rows)


def test_the_caption_says_that_resampling_repeats_events(
    sections_of_generators: list[Section], by_title: Callable[..., dict[str, Section]]
) -> None:
    table = by_title(sections_of_generators)["What came out"].table
    assert table is not None
    assert "AUC of resampling partly measures duplicates" in table.caption


def test_events_that_break_conservation_are_drawn_as_they_are(
    tmp_path: Path,
    toy: Callable[..., Events],
    write_generators: Callable[..., Path],
    by_title: Callable[..., dict[str, Section]],
) -> None:
    truth, bad = toy(60, 1), toy(60, 2)
    momentum = bad.momentum.copy()
    momentum[bad.offsets[:-1]] *= 2
    generated = {"flow": Events(bad.beam, bad.nucleus, bad.incoming, bad.channel, bad.offsets, bad.kind, momentum)}
    rows = interaction_rows("test", truth, generated, np.random.default_rng(1), particles=False)
    run = write_generators(tmp_path, rows, generated, truth)
    sections = by_title(interaction_sections(run, {}))
    assert "in every event by: none." in sections["What must be conserved"].text
    assert len(sections["Where do they go?"].figures) == 1
    assert len(read_run(run).samples["test"].models["flow"]) == len(bad)


def test_a_run_with_numbers_only_has_their_sections(tmp_path: Path, generators: dict[str, dict[str, str]]) -> None:
    rows = [{"predictor": "flow", "sample": "test", "target": "n", "metric": "w1_over_sigma", "value": 0.1, "n": 9}]
    (tmp_path / "metrics.json").write_text(json.dumps({"rows": rows, "predictors": generators}))
    assert [section.title for section in interaction_sections(tmp_path, {})] == ["Observable by observable"]
    (tmp_path / "metrics.json").write_text(json.dumps({"rows": [], "predictors": {}}))
    assert interaction_sections(tmp_path, {}) == []
