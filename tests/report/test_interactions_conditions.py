"""Held-out conditions are a function of projectile, target and energy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cloudchamber.report.interactions_conditions import conditions_section
from cloudchamber.report.interactions_run import read_run


def test_held_out_is_a_function_of_the_condition(full: Path) -> None:
    never: Callable[[str, str, float], bool] = lambda projectile, target, energy: False  # noqa: E731
    where = conditions_section(read_run(full), never)
    assert where is not None
    assert "held-out" not in where.text
