"""How well numbers were predicted: value, error and n; errors are bootstrapped over records.

The coefficient of determination is ``1 - sum (t - p)^2 / sum (t - mean t)^2`` with the mean over the same (test)
records, so predicting any constant scores at most 0; the floor "predicting the training mean" is scored like every
other predictor.
"""

from __future__ import annotations

import numpy as np

from cloudchamber.metrics.measured import Measured, Values, bootstrap


def r2(truth: Values, predicted: Values, rng: np.random.Generator) -> Measured:
    """Coefficient of determination; nan if all truths are equal.

    Examples:
        >>> truth, predicted = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0, 5.0])
        >>> round(r2(truth, predicted, np.random.default_rng(1)).value, 3)  # 1 - 4 / 5
        0.2
    """

    def statistic(true: Values, said: Values) -> float:
        total = np.square(true - true.mean()).sum()
        least = 1e-12 * np.square(true).sum()  # equal truths leave rounding errors, not zero
        return float(1 - np.square(true - said).sum() / total) if total > least else float("nan")

    return bootstrap(statistic, truth, predicted, rng)


def mae(truth: Values, predicted: Values, rng: np.random.Generator) -> Measured:
    """Mean absolute error, in the unit of the target."""
    return bootstrap(lambda true, said: float(np.abs(said - true).mean()), truth, predicted, rng)


def bias(truth: Values, predicted: Values, rng: np.random.Generator) -> Measured:
    """Mean of predicted minus true, in the unit of the target."""
    return bootstrap(lambda true, said: float((said - true).mean()), truth, predicted, rng)
