"""Criteria: the range in which a measured number must lie; in its row of metrics.json as ``low`` and ``high``.

It is the number itself that must lie there; the error stands beside it and widens nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudchamber.metrics.rows import Row

BOUNDS = ("low", "high")
"""The columns of a row with a criterion, beside those of every row; None: no bound on that side."""


def required(row: Row, low: float | None = None, high: float | None = None) -> Row:
    """The row with its criterion: the value passes from ``low`` to ``high``, both included.

    Args:
        row: as ``metrics.rows.row`` makes it.
        low: smallest value that passes, in the row's unit. None: none.
        high: largest value that passes, in the row's unit. None: none.

    Raises:
        ValueError: no bound at all, or nothing between them.

    Examples:
        >>> required({"value": 0.04, "unit": "MeV"}, high=0.1)
        {'value': 0.04, 'unit': 'MeV', 'low': None, 'high': 0.1}
    """
    bounds = [float(bound) for bound in (low, high) if bound is not None]
    if not bounds or not bounds[0] <= bounds[-1]:
        raise ValueError(f"low = {low}, high = {high}: give at least one, and low <= high")
    return {
        **row,
        "low": None if low is None else float(low),
        "high": None if high is None else float(high),
    }


def passes(row: Mapping[str, Any]) -> bool | None:
    """Whether a row's value lies in its range; None if the row has no criterion. What was not measured does not pass.

    Args:
        row: of a check, or of metrics.json, where what is not finite is None.

    Examples:
        >>> passes({"value": 0.04, "low": None, "high": 0.1}), passes({"value": None, "low": 0.5, "high": None})
        (True, False)
        >>> passes({"value": 0.04}) is None
        True
    """
    low, high = (row.get(name) for name in BOUNDS)
    if low is None and high is None:
        return None
    value = row["value"]
    return value is not None and (low is None or value >= low) and (high is None or value <= high)
