"""Are quoted uncertainties true? Coverage: how often the truth lies within an interval of stated probability."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfinv

from cloudchamber.metrics.measured import Measured, Values


def half_width(level: float) -> float:
    """Half width, in standard deviations, of the central interval of a Gaussian with probability ``level``.

    Raises:
        ValueError: not a probability between 0 and 1.

    Examples:
        >>> round(half_width(0.6827), 3)
        1.0
        >>> round(half_width(0.95), 3)
        1.96
    """
    if not 0 < level < 1:
        raise ValueError(f"level = {level}: a probability between 0 and 1")
    return float(np.sqrt(2) * erfinv(level))


def coverage(truth: Values, mean: Values, std: Values, level: float) -> Measured:
    """Fraction of records with ``|truth - mean| <= half_width(level) * std``; perfect uncertainties give ``level``.

    The error is binomial, with one success and one failure added (Agresti and Coull 1998), so that it is never 0.

    Args:
        truth: (record,), in the unit of the target.
        mean: predicted (record,), in the same unit.
        std: predicted standard deviation (record,), in the same unit.
        level: probability of the interval, e.g. 0.68.
    """
    n = len(truth)
    if n == 0:
        return Measured(float("nan"), float("nan"), 0)
    inside = int((np.abs(truth - mean) <= half_width(level) * std).sum())
    safe = (inside + 1) / (n + 2)
    return Measured(inside / n, float(np.sqrt(safe * (1 - safe) / (n + 2))), n)


def coverage_curve(truth: Values, mean: Values, std: Values, levels: Values) -> NDArray[np.float64]:
    """Coverage at each of ``levels`` (level,): the curve that lies on the diagonal for perfect uncertainties."""
    return np.array([coverage(truth, mean, std, float(level)).value for level in levels])


def calibrating_factor(truth: Values, mean: Values, std: Values) -> float:
    """The one factor on ``std`` that brings the coverage curve nearest to the diagonal.

    It minimises the squared difference of coverage and level, summed over 19 levels (the calibration error of Kuleshov
    et al., arXiv:1807.00263, eq. 9). Unlike the root mean square of the pulls it is not driven by a few records in the
    tails.
    """
    pulls = np.abs(truth.astype(np.float64) - mean) / std
    levels = np.linspace(0.05, 0.95, 19)
    widths = np.array([half_width(level) for level in levels])
    factors = np.geomspace(0.1, 10, 401)
    inside = (pulls <= factors[:, None, None] * widths[:, None]).mean(axis=2)  # (factor, level)
    return float(factors[np.square(inside - levels).sum(axis=1).argmin()])


def pull_width(truth: Values, mean: Values, std: Values) -> Measured:
    """Root mean square of ``(truth - mean) / std``: 1 if right, above 1 if uncertainties are too small.

    The error is ``value / sqrt(2 n)``, that of a width of Gaussian pulls.
    """
    pulls: NDArray[np.floating[Any]] = (truth.astype(np.float64) - mean) / std
    value = float(np.sqrt(np.square(pulls).mean())) if len(pulls) else float("nan")
    return Measured(value, value / np.sqrt(2 * len(pulls)) if len(pulls) else float("nan"), len(pulls))
