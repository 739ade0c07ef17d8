"""Criteria of rows: what passes, what does not, and ranges that mean nothing."""

from __future__ import annotations

from typing import Any

import pytest

from cloudchamber.metrics.criteria import passes, required
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.rows import row


@pytest.mark.parametrize(
    ("value", "bounds", "expected"),
    [
        (0.1, {"high": 0.1}, True),
        (0.11, {"high": 0.1}, False),
        (-7.0, {"high": 0.1}, True),
        (5.0, {"low": 5}, True),
        (4.9, {"low": 5}, False),
        (0.4, {"low": 0.5, "high": 1.2}, False),
        (1.2, {"low": 0.5, "high": 1.2}, True),
        (float("nan"), {"high": 0.1}, False),
        (0.0, {"low": 0, "high": 0}, True),
    ],
)
def test_the_value_alone_decides_and_bounds_belong_to_the_range(
    value: float, bounds: dict[str, float], expected: bool
) -> None:
    found = required(row("langevin", "energy", "drift", Measured(value, 10.0, 3), "MeV"), **bounds)
    assert passes(found) is expected
    assert found["unit"] == "MeV"


def test_a_number_without_criterion_neither_passes_nor_fails_and_an_unknown_one_fails() -> None:
    assert passes({"value": 3.0}) is None
    assert passes({"value": None, "low": None, "high": None}) is None
    assert passes({"value": None, "low": 0.0, "high": None}) is False


@pytest.mark.parametrize("bounds", [{}, {"low": 2.0, "high": 1.0}, {"high": float("nan")}])
def test_a_criterion_that_nothing_could_meet_is_refused(bounds: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give at least one, and low <= high"):
        required({"value": 1.0}, **bounds)
