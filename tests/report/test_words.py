"""Numbers are rounded as physicists do."""

from __future__ import annotations

import math

import pytest

from cloudchamber.metrics.measured import Measured
from cloudchamber.report.words import items, listed, percent, plus_minus, said, whole


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.98213, 0.0042, "0.982 ± 0.004"), (0.98213, 0.0149, "0.982 ± 0.015"), (-3.2, 0.51, "−3.2 ± 0.5"),
        (123.4, 21.0, "123 ± 21"), (0.5, math.nan, "0.5"), (math.nan, 0.1, "–"), (1.0, 0.0, "1"),
        (0.0996, 0.00996, "0.100 ± 0.010"),
        (0.5, 0.0196, "0.50 ± 0.02"), (98.04, 1.2, "98.0 ± 1.2"), (1.0, 4.4e22, "1 ± 4e+22"),
    ],
)  # fmt: skip
def test_an_error_decides_the_digits_of_its_value(value: float, error: float, text: str) -> None:
    assert plus_minus(value, error) == text


def test_missing_values_lists_and_percents_are_worded_right() -> None:
    assert said(None) == "–"
    assert said(Measured(0.03, 0.004, 9), 100) == "3.0 ± 0.4"
    assert said(Measured(math.nan, 0.1, 9), unknown="unknown") == "unknown"
    assert percent(Measured(0.5, 0.02, 9)) == "50 ± 2 %"
    assert whole(20000.4) == "20\u2009000"
    assert [listed(words) for words in ([], ["a"], ["a", "b"])] == ["none", "a", "a and b"]
    assert items(["a", "", "b"]) == "<ul><li>a</li><li>b</li></ul>"
    assert items([""]) == ""
