"""Speed and training of generators: scores are found, malformed speeds are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudchamber.report import interactions_figures as drawings
from cloudchamber.report.interactions import interaction_sections
from cloudchamber.report.interactions_cost import training_section
from cloudchamber.report.interactions_run import read_run
from cloudchamber.schema import BadInput


def test_scores_of_a_training_are_found_by_their_columns(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    figure = drawings.training_figure
    monkeypatch.setattr(drawings, "training_figure", lambda *given: seen.append(given) or figure(*given))
    assert training_section(read_run(full), full) is not None
    assert seen[0][3] == {"w1_over_sigma": "validation: mean W₁/σ"}


@pytest.mark.parametrize("content", ['{"rows": [{"model": "flow"}]}', '{"rows": 3}', "[]", "no json"])
def test_a_malformed_file_of_speeds_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"rows": [], "predictors": {}}))
    (tmp_path / "speed.json").write_text(content)
    with pytest.raises(BadInput, match=r"speed\.json"):
        interaction_sections(tmp_path, {})


def test_no_speeds_no_section(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"rows": [], "predictors": {}}))
    (tmp_path / "speed.json").write_text('{"rows": []}')
    assert interaction_sections(tmp_path, {}) == []
