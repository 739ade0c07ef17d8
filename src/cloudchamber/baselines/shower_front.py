# mypy: disable-error-code="untyped-decorator"
"""The direction of a shower from start times: fits of a plane and of a sphere, with a model of their variance.

* Variance of the time of the first of n particles that come within about 2 T50 of each other: ``V = a^2 (2 T50 / n)^2
  (n - 1) / (n + 1) + b^2``, C. Bonifazi, A. Letessier-Selvon, E. M. Santos, Astropart. Phys. 28 (2008) 523
  (arXiv:0705.1856). Here ``n = 1 + nu S`` with the signal S in VEM; a, b and nu are fitted to training showers.
* The front is a plane, or a sphere around a point on the axis (Pierre Auger, arXiv:2007.09035, form of its fit of the
  shower front): ``c (t - t0) = abs(x - core - R axis) - R``. A sphere has a curvature 1/R with the mean and spread that
  showers of this zenith angle have, as a Gaussian constraint: with few stations it stays at the mean, with many it is
  free.

Conventions: stations are those of ``shower_stations``; an axis (x, y) is the horizontal part of the unit vector towards
where the shower comes from; lengths in m, times in ns, curvatures in 1/m. Every shower gets an answer: stations on a
line leave the direction across it at the vertical, and a fit that does not converge is where it was best.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.optimize import minimize

from cloudchamber.baselines.damped_step import damped_step
from cloudchamber.baselines.shower_stations import SIGNAL, T50, Floats
from cloudchamber.data.surface_array import STATUS, TIME, TRIGGERED, X, Y, Z
from cloudchamber.simulators.airshower.surface_array import LIGHT

STEEPEST = 0.94
"""Largest sine of the zenith angle that a fit may say: 70 degrees, ten more than showers have."""
ITERATIONS = 30


class Timing(NamedTuple):
    """The variance of start times; see the module.

    Attributes:
        a, b: as in the formula; b in ns.
        nu: particles a VEM.
    """

    a: float = 1.0
    b: float = 12.0
    nu: float = 1.0

    def of(self, stations: Floats) -> tuple[Floats, Floats]:
        """Start times (shower, station) and their variances [ns, ns2]; where not triggered, the variance is inf.

        Args:
            stations: (shower, station, 9), see ``shower_stations``.
        """
        used = stations[..., STATUS] == TRIGGERED
        number = 1 + self.nu * np.maximum(stations[..., SIGNAL], 0)
        scale = self.a * 2 * stations[..., T50] / number
        variance = scale**2 * (number - 1) / (number + 1) + self.b**2
        return np.where(used, stations[..., TIME], 0.0), np.where(used, variance, np.inf)


class Curvature(NamedTuple):
    """Curvatures of fronts: ``mean + tilt s + bend s^2`` with s = 1 / cos(zenith) - 1.3, and a relative spread.

    Attributes:
        mean, tilt, bend: in 1/m.
        spread: standard deviation over the mean at the same zenith angle.
    """

    mean: float
    tilt: float
    bend: float
    spread: float

    def of(self, axis: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation (shower,) of the curvature of showers from ``axis`` (shower, 2)."""
        s = 1 / np.sqrt(np.maximum(1 - np.square(axis).sum(axis=1), 1 - STEEPEST**2)) - 1.3
        mean = self.mean + self.tilt * s + self.bend * s**2
        return mean, self.spread * np.abs(mean)


FLAT = Curvature(0.0, 0.0, 0.0, 0.0)
"""Of a plane."""
TYPICAL = np.array([1.0, 12.0, 1.0, 1e-4, 1e-4, 1e-4, 0.2])
"""Scales of the numbers of ``Timing`` and ``Curvature`` while they are fitted."""


class Front(NamedTuple):
    """Fitted fronts.

    Attributes:
        axis: horizontal part of the direction (shower, 2).
        covariance: of it, as the fit says (shower, 2, 2).
        curvature: (shower,), 0 of a plane [1/m].
        curvature_variance: of it (shower,).
        chi2: (shower,), of the times alone.
    """

    axis: Floats
    covariance: Floats
    curvature: Floats
    curvature_variance: Floats
    chi2: Floats


def upward(axis: Floats) -> Floats:
    """Unit vectors (shower, 3) of their horizontal parts (shower, 2)."""
    up = np.sqrt(np.maximum(1 - np.square(axis).sum(axis=1), 0))
    return np.concatenate([axis, up[:, None]], axis=1)


def plane_fit(stations: Floats, timing: Timing | None = None) -> Front:
    """Least squares of ``c (t - t0) = -x . axis``.

    Args:
        stations: (shower, station, 9).
        timing: None: all stations count the same (the covariance is then that of the scatter about the fit, or of 100
            ns where there are three stations only).
    """
    times, variance = (timing or Timing()).of(stations)
    if timing is None:
        variance = np.where(np.isfinite(variance), 1.0, np.inf)
    axis, covariance, chi2 = _planes(np.ascontiguousarray(stations[..., [X, Y, Z]]), times, variance)
    if timing is None:
        free = (stations[..., STATUS] == TRIGGERED).sum(axis=1) - 3
        covariance *= np.where(free > 0, chi2 / np.maximum(free, 1), 100.0**2)[:, None, None]
    none = np.zeros(len(axis))
    return Front(axis, covariance, none, none, chi2)


def sphere_fit(
    stations: Floats,
    times: Floats,
    variance: Floats,
    start: Floats,
    core: Floats,
    curvature: Floats,
    spread: Floats,
) -> Front:
    """Least squares of a spherical front, with a constraint on its curvature.

    Args:
        stations: (shower, station, 9).
        times: when the front passes (shower, station) [ns].
        variance: of the times; inf where there is none.
        start: axis to start from (shower, 2).
        core: (shower, 2), held fixed.
        curvature: mean of the constraint (shower,).
        spread: its standard deviation (shower,); inf: no constraint.
    """
    places = np.ascontiguousarray(stations[..., [X, Y, Z]])
    return Front(*_spheres(places, times, variance, start, core, curvature, 1 / np.square(spread)))


def learn_timing(stations: Floats, axis: Floats, core: Floats, *, curved: bool) -> tuple[Timing, Curvature]:
    """The model of start times with the largest likelihood, for showers whose geometry is known.

    Each shower's time is left out with a flat prior, and its curvature with the Gaussian one that is fitted too.

    Args:
        stations: (shower, station, 9).
        axis: true axes (shower, 2).
        core: true cores (shower, 2).
        curved: whether the front is a sphere; else a plane, what it leaves of the times being noise.
    """
    places = np.ascontiguousarray(stations[..., [X, Y, Z]])
    number = len(TYPICAL) if curved else len(Timing._fields)

    def read(numbers: Floats) -> tuple[Timing, Curvature]:
        a, b, nu, *rest = [float(one) for one in numbers * TYPICAL[:number]]
        return Timing(a, b, nu), Curvature(*rest) if curved else FLAT

    def surprise(numbers: Floats) -> float:
        timing, curvature = read(numbers)
        mean, spread = curvature.of(axis)
        times, variance = timing.of(stations)
        return float(_surprise(places, times, variance, axis, core, mean, spread).mean())

    bounds = [(0.02, 20), (0.05, 50), (0.05, 20), (-5, 5), (-5, 5), (-5, 5), (1e-3, 5)][:number]
    begin = np.ones(number)
    begin[4:6] = 0.0
    best = minimize(surprise, begin, method="L-BFGS-B", bounds=bounds, options={"eps": 1e-5})
    return read(best.x)


def front_delays(stations: Floats, axis: Floats, core: Floats, curvature: Floats) -> tuple[Floats, Floats]:
    """``front_delay`` and its derivative by the curvature, (shower, station).

    Args:
        stations: (shower, station, 9).
        axis: (shower, 2).
        core: (shower, 2).
        curvature: (shower,).
    """
    return _delays(np.ascontiguousarray(stations[..., [X, Y, Z]]), axis, core, curvature)


@njit(cache=True, nogil=True)
def _delays(places: Floats, axis: Floats, core: Floats, curvature: Floats) -> tuple[Floats, Floats]:
    times, slopes = np.zeros(places.shape[:2]), np.zeros(places.shape[:2])
    for shower in range(len(places)):
        u, v, w = _clipped(axis[shower, 0], axis[shower, 1])
        for one in range(places.shape[1]):
            times[shower, one], slopes[shower, one] = front_delay(
                places[shower, one], core[shower], u, v, w, curvature[shower]
            )
    return times, slopes


@njit(cache=True, nogil=True)
def _surprise(
    places: Floats, times: Floats, variance: Floats, axis: Floats, core: Floats, curvature: Floats, spread: Floats
) -> Floats:
    """Minus twice the logarithm of the likelihood (shower,), marginal in the time at the core and in the curvature."""
    found = np.zeros(len(places))
    for shower in range(len(places)):
        u, v, w = _clipped(axis[shower, 0], axis[shower, 1])
        number = len(places[shower])
        left, slopes, weights = np.zeros(number), np.zeros(number), 1 / variance[shower]
        for one in range(number):
            if weights[one] > 0:
                time, slopes[one] = front_delay(places[shower, one], core[shower], u, v, w, curvature[shower])
                left[one] = times[shower, one] - time
                found[shower] -= math.log(weights[one])
        total = weights.sum()
        left -= (weights * left).sum() / total
        slopes -= (weights * slopes).sum() / total
        lever = 1 + spread[shower] ** 2 * (weights * slopes**2).sum()
        found[shower] += math.log(total) + math.log(lever) + (weights * left**2).sum()
        found[shower] -= spread[shower] ** 2 * (weights * slopes * left).sum() ** 2 / lever
    return found


@njit(cache=True, nogil=True)
def _clipped(u: float, v: float) -> tuple[float, float, float]:
    """A horizontal part that is a direction no steeper than allowed, and its vertical part."""
    sine = math.sqrt(u * u + v * v)
    if sine > STEEPEST:
        u, v = u * STEEPEST / sine, v * STEEPEST / sine
    return u, v, math.sqrt(1 - u * u - v * v)


@njit(cache=True, nogil=True)
def _planes(places: Floats, times: Floats, variance: Floats) -> tuple[Floats, Floats, Floats]:
    """Axis, covariance and chi2 of plane fits; heights of stations enter by iteration."""
    count = len(places)
    axis, covariance, chi2 = np.zeros((count, 2)), np.zeros((count, 2, 2)), np.zeros(count)
    for shower in range(count):
        weights = 1 / variance[shower]
        total = weights.sum()
        x, y, z = places[shower, :, 0], places[shower, :, 1], places[shower, :, 2]
        x = x - (weights * x).sum() / total
        y = y - (weights * y).sum() / total
        z = z - (weights * z).sum() / total
        ct = LIGHT * (times[shower] - (weights * times[shower]).sum() / total)
        xx, xy, yy = (weights * x * x).sum(), (weights * x * y).sum(), (weights * y * y).sum()
        # the two directions of the stations' spread; across stations on a line nothing is known
        mean, half = (xx + yy) / 2, math.sqrt(((xx - yy) / 2) ** 2 + xy * xy)
        angle = 0.5 * math.atan2(xy, (xx - yy) / 2)
        cosine, sine = math.cos(angle), math.sin(angle)
        u, v, w = 0.0, 0.0, 1.0
        for _ in range(6):
            path = -ct - z * w
            bx, by = (weights * x * path).sum(), (weights * y * path).sum()
            first = (cosine * bx + sine * by) / (mean + half)
            second = 0.0
            if mean - half > 1e-3 * (mean + half):
                second = (-sine * bx + cosine * by) / (mean - half)
            u, v, w = _clipped(cosine * first - sine * second, sine * first + cosine * second)
        axis[shower] = u, v
        light2 = LIGHT**2
        large, small = light2 / (mean + half), 0.25
        if mean - half > 1e-3 * (mean + half):
            small = light2 / (mean - half)
        covariance[shower, 0, 0] = large * cosine**2 + small * sine**2
        covariance[shower, 1, 1] = large * sine**2 + small * cosine**2
        covariance[shower, 0, 1] = covariance[shower, 1, 0] = (large - small) * sine * cosine
        chi2[shower] = (weights * ((ct + x * u + y * v + z * w) / LIGHT) ** 2).sum()
    return axis, covariance, chi2


@njit(cache=True, nogil=True)
def front_delay(place: Floats, core: Floats, u: float, v: float, w: float, curvature: float) -> tuple[float, float]:
    """Time [ns] at which the sphere reaches a place, after the core, and the time's derivative by the curvature.

    Written such that a plane is the limit of curvature 0: with the height h of the place along the axis and its
    distance r to it, ``c t = (-2 h + curvature (h^2 + r^2)) / (1 + sqrt((1 - curvature h)^2 + (curvature r)^2))``.

    Args:
        place: of the station (3,).
        core: (2,), at height 0.
        u: axis, x component.
        v: axis, y component.
        w: axis, z component.
        curvature: 1/R.
    """
    dx, dy, dz = place[0] - core[0], place[1] - core[1], place[2]
    h = dx * u + dy * v + dz * w
    square = dx * dx + dy * dy + dz * dz
    root = math.sqrt((1 - curvature * h) ** 2 + curvature**2 * max(square - h * h, 0.0))
    path = (-2 * h + curvature * square) / (1 + root)
    slope = (square - path * (-h + curvature * square) / max(root, 1e-6)) / (1 + root)
    return path / LIGHT, slope / LIGHT


@njit(cache=True, nogil=True)
def _system(
    places: Floats, times: Floats, variance: Floats, core: Floats, point: Floats, target: float, weight: float
) -> tuple[float, float, Floats, Floats]:
    """Chi2 with and without the constraint, its half gradient and half curvature by (u, v, curvature), t0 left out.

    The time at the core is always at its best: all derivatives are relative to their weighted means.
    """
    u, v, w = _clipped(point[0], point[1])
    number = len(places)
    rows, residuals, weights = np.zeros((number, 3)), np.zeros(number), np.zeros(number)
    centre, middle, total = np.zeros(3), 0.0, 0.0
    for one in range(number):
        if variance[one] < np.inf:
            time, slope = front_delay(places[one], core, u, v, w, point[2])
            # abs(x - R axis) by the axis: -R (x - R axis) / abs(x - R axis), along the horizontal tangents
            dx, dy, dz = places[one, 0] - core[0], places[one, 1] - core[1], places[one, 2]
            far = point[2] * (LIGHT * time) + 1
            rows[one, 0] = -(dx - dz * u / w) / far / LIGHT
            rows[one, 1] = -(dy - dz * v / w) / far / LIGHT
            rows[one, 2] = slope
            residuals[one] = times[one] - time
            weights[one] = 1 / variance[one]
            total += weights[one]
            centre += weights[one] * rows[one]
            middle += weights[one] * residuals[one]
    centre /= total
    middle /= total
    gradient, matrix, chi2 = np.zeros(3), np.zeros((3, 3)), 0.0
    for one in range(number):
        if weights[one] > 0:
            left = residuals[one] - middle
            row = rows[one] - centre
            chi2 += weights[one] * left * left
            for i in range(3):
                gradient[i] += weights[one] * row[i] * left
                for j in range(3):
                    matrix[i, j] += weights[one] * row[i] * row[j]
    away = point[2] - target
    gradient[2] -= weight * away
    matrix[2, 2] += weight
    return chi2 + weight * away * away, chi2, gradient, matrix


@njit(cache=True, nogil=True)
def _spheres(
    places: Floats, times: Floats, variance: Floats, start: Floats, core: Floats, curvature: Floats, weight: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Axis, covariance, curvature, its variance and chi2: damped steps (Levenberg, Marquardt), kept if chi2 falls."""
    count = len(places)
    axis, covariance = np.zeros((count, 2)), np.zeros((count, 2, 2))
    found, loose, chi2 = np.zeros(count), np.zeros(count), np.zeros(count)
    for shower in range(count):
        point = np.array([start[shower, 0], start[shower, 1], curvature[shower]])
        given = (places[shower], times[shower], variance[shower], core[shower])
        best, plain, gradient, matrix = _system(*given, point, curvature[shower], weight[shower])
        damping = 1e-3
        for _ in range(ITERATIONS):
            trial = point + damped_step(matrix, gradient, 0, damping)
            trial[0], trial[1], _w = _clipped(trial[0], trial[1])
            trial[2] = min(max(trial[2], -2e-4), 1e-3)
            value, other, slope, steeper = _system(*given, trial, curvature[shower], weight[shower])
            if value <= best:
                done = best - value < 1e-9 * (1 + best) and damping < 1
                point, best, plain, gradient, matrix = trial, value, other, slope, steeper
                damping *= 0.1
                if done:
                    break
            else:
                damping = max(damping * 10, 1e-3)
                if damping > 1e8:
                    break
        axis[shower] = point[:2]
        for i in range(3):
            unit = np.zeros(3)
            unit[i] = 1.0
            solved = damped_step(matrix, unit, 0, 0.0)
            if i < 2:
                covariance[shower, i] = solved[:2]
        found[shower], loose[shower], chi2[shower] = point[2], solved[2], plain
    return axis, covariance, found, loose, chi2
