"""Tables of a validation: what is said of numbers and criteria, and what a damaged file is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudchamber.report.standard import standard_sections
from cloudchamber.report.validation import (
    Validation,
    check_sections,
    checks_table,
    met,
    overview,
    read_validation,
    said_criterion,
    said_value,
    said_verdict,
    validation_of,
    verdicts,
)
from cloudchamber.schema import BadInput


def number(subject: str, check: str, target: str, value: float | None, **more: Any) -> dict[str, Any]:
    found = {"predictor": subject, "sample": check, "target": target, "metric": "drift_per_nucleon", "value": value}
    return found | {"error": 0.01, "n": 9, "floor": None, "unit": "MeV"} | more


CONTENT: dict[str, Any] = {
    "study": "transport", "preset": "tiny", "seed": 4,
    "predictors": {"langevin": {"title": "Boltzmann-Langevin", "kind": "subject"}, "data": {"title": "a <table>"}},
    "checks": {
        "conservation": {"title": "conservation <laws>", "wall_s": 61.0},
        "yields": {"title": "yields", "wall_s": 0.5},
    },
    "rows": [
        number("langevin", "conservation", "energy", 0.04, low=None, high=0.1),
        number("langevin", "conservation", "momentum", 0.2, low=None, high=0.1),
        number("langevin", "conservation", "spin", None, low=-1.0, high=None),
        number("data", "yields", "C", 12.0, error=None, unit=""),
    ],
}  # fmt: skip


@pytest.fixture
def validation() -> Validation:
    return validation_of(CONTENT, Path("metrics.json"))


def test_values_bounds_and_verdicts_are_said_with_units_and_true_minus_signs() -> None:
    said = [(said_value(row), said_criterion(row), said_verdict(row)) for row in CONTENT["rows"]]
    assert said == [
        ("0.040 ± 0.010 MeV", "≤ 0.1 MeV", "pass"),
        ("0.200 ± 0.010 MeV", "≤ 0.1 MeV", "FAIL"),
        ("–", "≥ −1 MeV", "FAIL"),
        ("12", "", ""),
    ]
    assert said_criterion({"low": 0.5, "high": 1.2, "unit": ""}) == "0.5 to 1.2"


def test_a_table_has_a_line_a_number_and_counts_what_is_met(validation: Validation) -> None:
    assert met(validation.rows) == (1, 3)
    table = checks_table(validation, validation.of("conservation"), "Energies.", {"energy": "E"})
    assert table.caption.startswith("Energies. Errors: ")
    assert table.rows[0] == ("E: drift per nucleon", "Boltzmann-Langevin", "0.040 ± 0.010 MeV", "≤ 0.1 MeV", "pass")
    assert len(table.rows) == 3
    assert validation.row("yields", "data", "C", "drift_per_nucleon") == CONTENT["rows"][3]
    assert validation.row("yields", "data", "C", "mae") is None


def test_the_overview_names_each_criterion_that_is_not_met(validation: Validation) -> None:
    section = overview(validation)
    assert section.table is not None
    assert section.table.rows == (
        ("conservation <laws>", "3", "1 of 3", "FAIL", "1 min 1 s"),
        ("yields", "1", "–", "", "0.5 s"),
    )
    assert section.text.startswith("1 of 3 criteria are met.")
    assert section.text.count("<li>") == 2
    assert "momentum: drift per nucleon 0.200 ± 0.010 MeV (≤ 0.1 MeV)" in section.text
    assert [one.title for one in check_sections(validation)] == ["Conservation <laws>", "Yields"]


def test_runs_side_by_side_have_a_column_each_and_gaps_where_one_has_no_number(validation: Validation) -> None:
    fewer = validation_of(CONTENT | {"seed": 5, "rows": CONTENT["rows"][:1]}, Path("metrics.json"))
    header, lines = verdicts([fewer, validation])
    assert header == ("check", "subject", "quantity", "transport tiny s5", "transport tiny s4", "criterion")
    assert lines[0][3:] == ("0.040 ± 0.010 MeV pass", "0.040 ± 0.010 MeV pass", "≤ 0.1 MeV")
    assert lines[1][3:] == ("", "0.200 ± 0.010 MeV FAIL", "≤ 0.1 MeV")
    assert verdicts([fewer])[0][3] == "value"


def test_a_study_without_sections_has_one_section_a_check(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(CONTENT))
    titles = [section.title for section in standard_sections(tmp_path)]
    assert titles == ["Verdict", "Conservation <laws>", "Yields"]


def test_metrics_of_studies_that_learn_are_no_validation(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"rows": [], "predictors": {}}))
    assert read_validation(tmp_path) is None
    assert read_validation(tmp_path / "metrics.json") is None


@pytest.mark.parametrize(
    "damage",
    [
        {"checks": ["conservation"]},
        {"checks": {"conservation": {"title": "laws"}}},
        {"rows": [{"predictor": "langevin"}]},
        {"rows": [number("langevin", "conservation", "energy", 0.04, high="0.1")]},
        {"predictors": {"langevin": {}}},
        {"rows": None},
    ],
)
def test_a_damaged_file_is_named_in_one_line(damage: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps(CONTENT | damage))
    with pytest.raises(BadInput, match=r"metrics\.json is malformed .* run the study again"):
        read_validation(tmp_path)
