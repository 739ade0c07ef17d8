"""Decisions: is the sign of a number read correctly?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.metrics.regression import Measured, Values, bootstrap


def sign_accuracy(
    truth: Values,
    predicted: Values,
    threshold: float,
    rng: np.random.Generator,
    groups: NDArray[np.integer[Any]] | None = None,
) -> Measured:
    """Fraction of records with ``|truth| > threshold`` whose predicted sign is right; a prediction of exactly 0 is
    wrong.

    The error is the bootstrap's, but at least ``1 / (n + 2)``: a perfect score on n records is no proof of perfection.
    """
    clear = np.abs(truth) > threshold
    chosen = None if groups is None else groups[clear]
    found = bootstrap(
        lambda true, said: float((np.sign(said) == np.sign(true)).mean()), truth[clear], predicted[clear], rng, chosen
    )
    if found.n == 0:
        return found
    return Measured(found.value, float(np.fmax(found.error, 1 / (found.n + 2))), found.n)
