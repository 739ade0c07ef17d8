"""Decisions: is the sign of a number read correctly, is signal told from background?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from cloudchamber.metrics.measured import Measured, Values, bootstrap


def sign_accuracy(truth: Values, predicted: Values, threshold: float, rng: np.random.Generator) -> Measured:
    """Fraction of records with ``|truth| > threshold`` whose predicted sign is right.

    A prediction of exactly 0 is wrong. The error is the bootstrap's, but at least ``1 / (n + 2)``: a
    perfect score on n records is no proof of perfection.
    """
    clear = np.abs(truth) > threshold
    found = bootstrap(
        lambda true, said: float((np.sign(said) == np.sign(true)).mean()), truth[clear], predicted[clear], rng
    )
    if found.n == 0:
        return found
    return Measured(found.value, float(np.fmax(found.error, 1 / (found.n + 2))), found.n)


def auc(truth: NDArray[Any], score: Values, rng: np.random.Generator) -> Measured:
    """Area under the ROC curve: the probability that a signal record scores above a background record, ties half.

    0.5 without skill; nan with one class only (Mann and Whitney 1947).

    Args:
        truth: (record,), true or 1 for signal.
        score: (record,), larger is more signal-like.
        rng: source of the bootstrap.

    Examples:
        >>> auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]), np.random.default_rng(1)).value
        0.75
    """

    def statistic(true: Values, said: Values) -> float:
        signal = true > 0
        n = int(signal.sum())
        other = len(signal) - n
        if n == 0 or other == 0:
            return float("nan")
        return float((rankdata(said)[signal].sum() - n * (n + 1) / 2) / (n * other))

    return bootstrap(statistic, np.asarray(truth, dtype=np.float64), score, rng)


def roc(truth: NDArray[Any], score: Values) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ROC curve from (0, 0) to (1, 1): background accepted and signal accepted (point,), a point a distinct score.

    Args:
        truth: (record,), true or 1 for signal.
        score: (record,), larger is more signal-like.
    """
    order = np.argsort(-np.asarray(score, dtype=np.float64), kind="stable")
    signal, ordered = np.asarray(truth)[order] > 0, np.asarray(score, dtype=np.float64)[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    accepted, total = np.cumsum(signal)[last], np.arange(1, len(signal) + 1)[last]
    with np.errstate(invalid="ignore"):
        rates = ((total - accepted) / (~signal).sum(), accepted / signal.sum())
    return np.insert(rates[0], 0, 0.0), np.insert(rates[1], 0, 0.0)
