"""How well numbers were predicted: value, error and n of each metric; errors are bootstrapped over records (or groups
of them).

The coefficient of determination is ``1 - sum (t - p)^2 / sum (t - mean t)^2`` with the mean over the same (test)
records, so predicting any constant scores at most 0; the floor "predicting the training mean" is scored like every
other predictor.
"""

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
    """A value, its standard error, and the number of records behind it; nan where they cannot be known (too few
    records)."""

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
        truth, predicted: (record,), any common unit.
        rng: source of the resampling.
        groups: one integer a record; records of a group are drawn together. None: each record is its own group.

    Raises:
        ValueError: shapes differ or are not one-dimensional.
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


def r2(
    truth: Values, predicted: Values, rng: np.random.Generator, groups: NDArray[np.integer[Any]] | None = None
) -> Measured:
    """Coefficient of determination; nan if all truths are equal."""

    def statistic(true: Values, said: Values) -> float:
        total = np.square(true - true.mean()).sum()
        least = 1e-12 * np.square(true).sum()  # equal truths leave rounding errors, not zero
        return float(1 - np.square(true - said).sum() / total) if total > least else float("nan")

    return bootstrap(statistic, truth, predicted, rng, groups)


def mae(
    truth: Values, predicted: Values, rng: np.random.Generator, groups: NDArray[np.integer[Any]] | None = None
) -> Measured:
    """Mean absolute error, in the unit of the target."""
    return bootstrap(lambda true, said: float(np.abs(said - true).mean()), truth, predicted, rng, groups)


def rmse(
    truth: Values, predicted: Values, rng: np.random.Generator, groups: NDArray[np.integer[Any]] | None = None
) -> Measured:
    """Root of the mean squared error, in the unit of the target."""
    return bootstrap(lambda true, said: float(np.sqrt(np.square(said - true).mean())), truth, predicted, rng, groups)


def bias(
    truth: Values, predicted: Values, rng: np.random.Generator, groups: NDArray[np.integer[Any]] | None = None
) -> Measured:
    """Mean of predicted minus true, in the unit of the target."""
    return bootstrap(lambda true, said: float((said - true).mean()), truth, predicted, rng, groups)
