"""How well a search for a source does: one test statistic a sky, isotropic skies and skies with signal.

Conventions: truth and answers are (sky, 5) as ``data.skies.SKY_TARGETS``: signal or test statistic, signal fraction,
direction. Numbers of signal cosmic rays are per 1000. Skies that share a number (to the nearest 5 where there are more
than 20 different ones) stand together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.metrics.classification import auc
from cloudchamber.metrics.directions import median_distance
from cloudchamber.metrics.measured import Measured, bootstrap
from cloudchamber.metrics.regression import mae
from cloudchamber.metrics.rows import Row, row
from cloudchamber.metrics.significance import (
    detectable_fraction,
    fit_tail,
    median_significance,
    signal_needed,
    significance,
    tail_p_value,
)

LEAST_ISOTROPIC = 100
"""Fewer isotropic skies give no tail and no threshold of 1 %."""
FIVE_SIGMA = 5.0
LARGEST_AUC_SAMPLE = 20_000
"""Skies of each kind that enter the area under the curve, whose error is then below 0.3 %."""

Answers = NDArray[np.floating[Any]]


def numbers_of(truth: Answers) -> NDArray[np.int64]:
    """Signal cosmic rays per 1000 (sky,), grouped as the module says."""
    numbers = np.round(1000 * truth[:, 1]).astype(np.int64)
    if len(np.unique(numbers)) > 20:
        grouped = 5 * np.round(numbers / 5).astype(np.int64)
        numbers = np.where((truth[:, 0] > 0) & (grouped == 0), 5, grouped)
    return np.where(truth[:, 0] > 0, numbers, 0)


def search_rows(name: str, truth: Answers, said: Answers, rng: np.random.Generator) -> list[Row]:
    """Rows of metrics.json for one predictor, see ``metrics.rows``.

    ``signal``: AUC; significance of the median sky by number of signal cosmic rays (``sigma_at_30``); number for five
    sigma (``signal_needed``), where ``n`` is the number of isotropic skies; smallest fraction that is found with errors
    of 1 % and 5 % (``detectable_fraction``, arXiv:1912.00625). ``signal_fraction``: mean absolute error. ``source``:
    median angle to the true direction.
    """
    statistic = said[:, 0].astype(np.float64)
    there = truth[:, 0] > 0
    rows = [row(name, "signal", "auc", _auc(there, statistic, rng))]
    isotropic = statistic[~there]
    if len(isotropic) >= LEAST_ISOTROPIC and there.any():
        numbers = numbers_of(truth)
        n = len(isotropic)
        for at in median_significance(numbers[there], statistic[there], isotropic, rng):
            one = Measured(at.sigma, at.sigma_error, at.n)
            rows.append(row(name, "signal", f"sigma_at_{at.n_signal}", one))
        crossing = signal_needed(numbers[there], statistic[there], isotropic, rng, FIVE_SIGMA)
        rows.append(row(name, "signal", "signal_needed", Measured(crossing.value, crossing.error, n)))
        fraction = detectable_fraction(numbers[there], statistic[there], isotropic, 1000, rng)
        rows.append(row(name, "signal", "detectable_fraction", fraction))
    return rows + _estimates(name, truth, said, rng)


def kind_rows(name: str, truth: Answers, said: Answers, rng: np.random.Generator) -> list[Row]:
    """As ``search_rows`` for signal of one kind, with two measures in place of numbers of signal cosmic rays.

    ``median_sigma`` is the significance of the median sky, ``found_5_sigma`` the fraction of skies with p below 2.87e-7
    (from the fitted tail). The error of that fraction is a bootstrap over skies with signal: the error of the fitted
    tail is not in it.
    """
    statistic = said[:, 0].astype(np.float64)
    there = truth[:, 0] > 0
    rows = [row(name, "signal", "auc", _auc(there, statistic, rng))]
    isotropic = statistic[~there]
    if len(isotropic) >= LEAST_ISOTROPIC and there.any():
        (at,) = median_significance(np.ones(int(there.sum()), np.int64), statistic[there], isotropic, rng)
        rows.append(row(name, "signal", "median_sigma", Measured(at.sigma, at.sigma_error, at.n)))
        p, _, _ = tail_p_value(statistic[there], isotropic, fit_tail(isotropic))
        found = (significance(p) >= FIVE_SIGMA).astype(np.float64)
        share = bootstrap(lambda _, one: float(one.mean()), np.zeros_like(found), found, rng)
        rows.append(row(name, "signal", "found_5_sigma", share))
    return rows + _estimates(name, truth, said, rng)


def _estimates(name: str, truth: Answers, said: Answers, rng: np.random.Generator) -> list[Row]:
    """Rows of what a search estimates besides its statistic, on the skies for which it does."""
    there, known = truth[:, 0] > 0, np.isfinite(said[:, 1])
    rows = []
    if known.any():
        rows.append(row(name, "signal_fraction", "mae", mae(truth[known, 1], said[known, 1], rng)))
    if there.any() and np.isfinite(said[there, 2:]).all() and np.ptp(said[there, 2:], axis=0).any():
        angle = median_distance(truth[there, 2:], said[there, 2:], rng)
        rows.append(row(name, "source", "angular_distance", angle, "deg"))
    return rows


def _auc(there: NDArray[np.bool_], statistic: NDArray[np.float64], rng: np.random.Generator) -> Measured:
    kept = np.concatenate([np.flatnonzero(there == kind)[:LARGEST_AUC_SAMPLE] for kind in (True, False)])
    return auc(there[kept], statistic[kept], rng)
