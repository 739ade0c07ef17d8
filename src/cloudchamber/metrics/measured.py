"""A measured number: its value, its standard error from the bootstrap, and how many records are behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]
"""One value a record, (record,)."""

RESAMPLES = 400
"""Bootstrap samples: the error itself is then known to 1 / sqrt(800) = 4 %."""


@dataclass(frozen=True)
class Measured:
    """A value, its standard error, and the number of records behind it.

    Value and error are nan where they cannot be known (too few records).
    """

    value: float
    error: float
    n: int


def bootstrap(
    statistic: Callable[[Values, Values], float],
    truth: Values,
    predicted: Values,
    rng: np.random.Generator,
    groups: NDArray[np.integer[Any]] | None = None,
) -> Measured:
    """``statistic(truth, predicted)`` with the standard deviation over bootstrap samples (Efron 1979) as its error.

    Args:
        statistic: function of two arrays of equal length; may give nan for degenerate samples, which are left out.
        truth: (record,), any unit.
        predicted: (record,), in the same unit.
        rng: source of the resampling.
        groups: one integer a record; records of a group are drawn together. None: each record is its own group.

    Raises:
        ValueError: shapes differ or are not one-dimensional.

    Examples:
        >>> rng = np.random.default_rng(7)
        >>> truth = np.zeros(500)
        >>> predicted = rng.normal(0, 2, 500)
        >>> mean_error = bootstrap(lambda t, p: float((p - t).mean()), truth, predicted, rng)
        >>> round(mean_error.error, 2)  # the standard error of a mean, 2 / sqrt(500)
        0.09
    """
    if truth.ndim != 1 or truth.shape != predicted.shape:
        raise ValueError(f"truth {truth.shape} and predicted {predicted.shape} must be (record,)")
    if len(truth) == 0:
        return Measured(float("nan"), float("nan"), 0)
    truth, predicted = truth.astype(np.float64), predicted.astype(np.float64)
    if groups is None:
        drawn = rng.integers(len(truth), size=(RESAMPLES, len(truth)))
        samples = [statistic(truth[rows], predicted[rows]) for rows in drawn]
    else:
        members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        picks = (rng.integers(len(members), size=len(members)) for _ in range(RESAMPLES))
        joined = (np.concatenate([members[group] for group in pick]) for pick in picks)
        samples = [statistic(truth[rows], predicted[rows]) for rows in joined]
    known = np.array([sample for sample in samples if np.isfinite(sample)])
    error = float(known.std(ddof=1)) if len(known) > 1 and len(truth) > 1 else float("nan")
    return Measured(float(statistic(truth, predicted)), error, len(truth))
