"""Start times of stations behind a spherical front: mean delay and variance, fitted to showers of known geometry.

The first of a station's n particles comes later, and less surely, the fewer they are and the thicker the front is where
they come from (C. Bonifazi, A. Letessier-Selvon, E. M. Santos, Astropart. Phys. 28 (2008) 523, arXiv:0705.1856, has the
variance for particles that come uniformly in twice T50). Here the mean delay over the distance to the axis and the
logarithm of the variance are polynomials of second order in what these depend on: the distance r to the axis, the
signal S, when a tenth and a half of the trace have come, the zenith angle, and how far the station lies up or down
the axis. The trace counts from the first particle: where that is late, T50 is short.

Each shower's time and curvature are unknown: a flat prior and a Gaussian one, both marginalised, as the fit of the
front has them. Lengths in m, times in ns, curvatures in 1/m.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cloudchamber.baselines.shower_front import Curvature, front_delays
from cloudchamber.baselines.shower_lateral import from_axis, secant_of
from cloudchamber.baselines.shower_stations import RISETIME, SIGNAL, T50, Floats
from cloudchamber.data.surface_array import STATUS, TIME, TRIGGERED

LEAST, MOST = 6.0, 1000.0
"""Standard deviations [ns] that the model may say."""
ROUNDS = 8
OUTLIER = 9.0
"""Squared residuals count up to so many variances when variances are fitted."""


class StartTimes(NamedTuple):
    """The model of start times.

    Attributes:
        delay: coefficients of the delay a km from the axis [ns] (term,).
        log_variance: of the logarithm of the variance [ns2] (term,).
        low, high: range of the variables in training (variable,), beyond which they count as at its end.
    """

    delay: Floats
    log_variance: Floats
    low: Floats
    high: Floats

    def of(self, stations: Floats, axis: Floats, core: Floats) -> tuple[Floats, Floats]:
        """Times of the front and their variances (shower, station); where not triggered, the variance is inf.

        Args:
            stations: (shower, station, 9).
            axis: (shower, 2).
            core: (shower, 2).
        """
        used = stations[..., STATUS] == TRIGGERED
        times, variance = np.zeros(used.shape), np.full(used.shape, np.inf)
        found = variables(stations, axis, core)[used]
        terms = quadratic(np.clip(found, self.low, self.high))
        times[used] = stations[..., TIME][used] - np.exp(found[:, 0]) * (terms @ self.delay)
        variance[used] = np.exp(np.clip(terms @ self.log_variance, 2 * np.log(LEAST), 2 * np.log(MOST)))
        return times, variance


def variables(stations: Floats, axis: Floats, core: Floats) -> Floats:
    """What times depend on, (shower, station, 6).

    ln(r / km), ln(S / 10 VEM), ln(T50 / 300 ns), ln(T10 / 100 ns), 1 / cos(zenith) - 1.3, height along the axis / km.
    """
    r, along = from_axis(stations, axis, core)
    secant = np.broadcast_to(secant_of(axis)[:, None], r.shape)
    logs = (
        np.log(r / 1000),
        np.log(np.maximum(stations[..., SIGNAL], 0.1) / 10),
        np.log(np.maximum(stations[..., T50], 5.0) / 300),
        np.log(np.maximum(stations[..., T50] - stations[..., RISETIME], 5.0) / 100),
    )
    return np.stack([*logs, secant - 1.3, along / 1000], axis=-1)


def quadratic(values: Floats) -> Floats:
    """Products (row, term) of up to two of the variables (row, variable), 1 the first.

    Examples:
        >>> quadratic(np.array([[2.0, 3.0]])).tolist()
        [[1.0, 2.0, 3.0, 4.0, 6.0, 9.0]]
    """
    padded = np.concatenate([np.ones((len(values), 1)), values], axis=1)
    first, second = np.triu_indices(padded.shape[1])
    return np.asarray(padded[:, first] * padded[:, second])


def learn_start_times(
    stations: Floats, axis: Floats, core: Floats, curvature: Curvature
) -> tuple[StartTimes, Curvature]:
    """The model of the largest likelihood, and the curvature with the spread that goes with it.

    Alternates between delays (linear), variances (a generalised linear model of squared residuals) and the spread.

    Args:
        stations: (shower, station, 9) of showers whose geometry is known.
        axis: (shower, 2).
        core: (shower, 2).
        curvature: means of the curvature; the spread is where to start.
    """
    shower, station = np.nonzero(stations[..., STATUS] == TRIGGERED)
    found = variables(stations, axis, core)[shower, station]
    low, high = np.quantile(found, [0.002, 0.998], axis=0)
    terms = quadratic(np.clip(found, low, high))
    reach = np.exp(found[:, :1])
    mean, spread = curvature.of(axis)
    fronts, slopes = (each[shower, station] for each in front_delays(stations, axis, core, mean))
    times = stations[shower, station, TIME] - fronts
    log_variance = np.zeros(terms.shape[1])
    log_variance[0] = 2 * np.log(60)
    ridge = 1e-3 * np.eye(terms.shape[1])
    for _ in range(ROUNDS):
        variance = np.exp(np.clip(terms @ log_variance, 2 * np.log(LEAST), 2 * np.log(MOST)))
        rows = _Rows(shower, 1 / variance, slopes, spread, len(stations))
        left_side, right_side = rows.products(terms * reach, terms * reach), rows.products(terms * reach, times)
        delay = np.asarray(np.linalg.solve(left_side + ridge, right_side), dtype=np.float64)
        left, free, bent, known = rows.residuals(times - reach[:, 0] * (terms @ delay))
        ratio = np.minimum(left**2 / (variance * free), OUTLIER)
        weighted = terms * free[:, None]
        log_variance = log_variance + np.linalg.solve(weighted.T @ terms + ridge, weighted.T @ (ratio - 1))
        # bent: curvatures beyond the mean, in units of the spread; known: the part of 1 that is measured
        curvature = curvature._replace(spread=curvature.spread * float(np.sqrt((bent**2).mean() + 1 - known.mean())))
        mean, spread = curvature.of(axis)
    return StartTimes(delay, log_variance, low, high), curvature


class _Rows:
    """Stations of many showers, whose time and curvature are marginalised."""

    def __init__(self, shower: NDArray[np.int64], weights: Floats, slopes: Floats, spread: Floats, count: int) -> None:
        self.shower, self.weights, self.count = shower, weights, count
        self.total = np.bincount(shower, weights, count)
        self.bend = (slopes - self._mean(slopes)) * spread[shower]  # delay of a curvature one spread above its mean
        self.lever = 1 + np.bincount(shower, weights * self.bend**2, count)

    def _mean(self, values: Floats) -> Floats:
        return np.asarray((np.bincount(self.shower, self.weights * values, self.count) / self.total)[self.shower])

    def _centred(self, values: Floats) -> tuple[Floats, Floats]:
        """Values (row, column) less their mean in the shower; their weighted sums with the bend (shower, column)."""
        apart = np.stack([one - self._mean(one) for one in values.T], axis=1)
        sums = [np.bincount(self.shower, self.weights * self.bend * one, self.count) for one in apart.T]
        return apart, np.stack(sums, axis=1)

    def products(self, first: Floats, second: Floats) -> Floats:
        """``first^T V^-1 second`` of (row, column) and (row, column) or (row,)."""
        one, one_bent = self._centred(first)
        other, other_bent = self._centred(second.reshape(len(second), -1))
        found = (one * self.weights[:, None]).T @ other - (one_bent / self.lever[:, None]).T @ other_bent
        return np.asarray(found if second.ndim == 2 else found[:, 0])

    def residuals(self, values: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """What a shower's time and curvature leave of values (row,), the expected part of its variance, and the bend.

        Returns:
            Residuals (row,); the part of their variance that the fit leaves (row,); best curvature beyond its mean in
            units of the spread (shower,); part of its prior variance that the fit takes away (shower,).
        """
        apart, bent = self._centred(values[:, None])
        best = bent[:, 0] / self.lever
        left = apart[:, 0] - best[self.shower] * self.bend
        taken = self.weights * (1 / self.total[self.shower] + self.bend**2 / self.lever[self.shower])
        return left, np.maximum(1 - taken, 0.05), best, 1 - 1 / self.lever
