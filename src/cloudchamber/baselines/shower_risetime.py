"""The depth of the shower maximum from the risetimes of traces (the delta method) and the curvature of the front.

A. Aab et al. (Pierre Auger), Phys. Rev. D 96 (2017) 122003 (arXiv:1710.07249), form of its benchmark: the time from
10 % to 50 % of a trace at a distance r is on average ``t = 40 ns + sqrt(A^2 + B^2 r^2) - A``, A and B depending on
the zenith angle. Each station has ``delta = (t - benchmark) / sigma``; deep showers have large ones. Xmax is linear
in them, in lg E and in 1 / cos(zenith).

The publication averages the stations' delta. Here each counts by how much delta changes with Xmax at its distance,
signal and zenith angle, which is learned: the mean over stations is that of the smallest error, and a shower whose
stations say little stays near the mean depth for its energy. The curvature of the front enters like one more station:
a deep shower's particles come from nearby.

Conventions: stations are those of ``shower_stations``; saturated ones are not used. Times in ns, depths in g/cm2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, minimize

from cloudchamber.baselines.shower_lateral import from_axis, secant_of
from cloudchamber.baselines.shower_stations import RISETIME, SIGNAL, Floats
from cloudchamber.data.surface_array import SATURATED, STATUS, TRIGGERED

LEAST_SIGNAL, FARTHEST = 4.0, 2500.0
"""Of stations that are used [VEM, m]."""
CLIP = 5.0
"""Largest abs(delta) of a station."""
SPREAD = 50.0
"""Scale of Xmax at given energy [g/cm2]."""
SAMPLING = 15.0
"""Least uncertainty of a risetime [ns]: two times in bins of 25 ns."""
ROUNDS = 3
FARTHEST_OFF = 8.0
"""Largest difference of Xmax from its mean, in units of SPREAD."""


class Used(NamedTuple):
    """The stations that have a risetime, a row each.

    Attributes:
        shower: which it belongs to (row,).
        time: risetime (row,).
        r, along: distance to the axis and height along it [km].
        signal: [VEM].
        s: 1 / cos(zenith) - 1.3.
    """

    shower: NDArray[np.int64]
    time: Floats
    r: Floats
    along: Floats
    signal: Floats
    s: Floats

    def terms(self) -> Floats:
        """What sensitivities and offsets are linear in, (row, 9)."""
        near, light, s = np.log(self.r), np.log(self.signal / 10), self.s
        return np.stack([np.ones_like(s), near, near**2, s, s * near, light, light * near, light * s, s**2], axis=1)


class Bend(NamedTuple):
    """Curvatures of fronts, as a fit with a Gaussian constraint has them.

    Attributes:
        beyond: best curvature less the mean of the constraint, in units of its spread (shower,).
        known: part of the constraint's variance that the times take away, 0 to 1 (shower,).
    """

    beyond: Floats
    known: Floats


class Risetime(NamedTuple):
    """The delta method, learned.

    Attributes:
        benchmark: logarithms of A and B as second-order polynomials in s, and two slopes along the axis [ns/km2].
        sigma: of the uncertainty of a risetime.
        offset: mean delta of a station at 10 EeV beyond the benchmark's, coefficients of ``Used.terms``.
        growth: its change with lg E.
        sensitivity: change of delta with Xmax / SPREAD.
        depth: mean Xmax at 10 EeV and s = 0, and its change with lg E and s.
        bend: mean curvature (as ``Bend.beyond``) at 10 EeV and s = 0, and its change with lg E and s.
        bend_sensitivity: its change with Xmax / SPREAD.
    """

    benchmark: Floats
    sigma: Floats
    offset: Floats
    growth: Floats
    sensitivity: Floats
    depth: Floats
    bend: Floats
    bend_sensitivity: float

    def xmax(
        self, stations: Floats, axis: Floats, core: Floats, lg_energy: Floats, bend: Bend
    ) -> tuple[Floats, Floats]:
        """Xmax (shower,) and its uncertainty, that of the mean depth where no station says anything.

        Args:
            stations: (shower, station, 9).
            axis: (shower, 2).
            core: (shower, 2).
            lg_energy: log10(E / eV) (shower,).
            bend: curvatures.
        """
        used, count = usable(stations, axis, core), len(axis)
        terms = used.terms()
        beyond = delta(used, self.benchmark, self.sigma)
        beyond = beyond - terms @ self.offset - (terms @ self.growth) * (lg_energy - 19)[used.shower]
        steep = terms @ self.sensitivity
        # the curvature itself has the variance 1 of its constraint less what Xmax explains, and that of its measurement
        mean, known = depths(axis, lg_energy), np.maximum(bend.known, 1e-6)
        weight = self.bend_sensitivity / np.maximum(1 / known - self.bend_sensitivity**2, 0.1)
        knows = 1 + np.bincount(used.shower, steep**2, count) + weight * self.bend_sensitivity
        said = np.bincount(used.shower, steep * beyond, count) + weight * (bend.beyond / known - mean @ self.bend)
        return mean @ self.depth + SPREAD * np.clip(said / knows, -FARTHEST_OFF, FARTHEST_OFF), SPREAD / np.sqrt(knows)


def usable(stations: Floats, axis: Floats, core: Floats) -> Used:
    """Triggered stations that are not saturated, with enough signal, near enough.

    Args:
        stations: (shower, station, 9).
        axis: (shower, 2).
        core: (shower, 2).
    """
    r, along = from_axis(stations, axis, core)
    good = (stations[..., STATUS] == TRIGGERED) & (stations[..., SATURATED] == 0)
    good &= (stations[..., SIGNAL] > LEAST_SIGNAL) & (r < FARTHEST)
    shower, station = np.nonzero(good)
    return Used(
        shower,
        stations[shower, station, RISETIME],
        r[good] / 1000,
        along[good] / 1000,
        stations[shower, station, SIGNAL],
        secant_of(axis)[shower] - 1.3,
    )


def delta(used: Used, benchmark: Floats, sigma: Floats) -> Floats:
    """(t - benchmark) / sigma (row,), at most CLIP."""
    beyond = (used.time - mean_risetime(used, benchmark)) / uncertainty(used, sigma)
    return np.asarray(np.clip(beyond, -CLIP, CLIP))


def mean_risetime(used: Used, numbers: Floats) -> Floats:
    """The benchmark (row,); stations on the side that the shower reaches first have longer risetimes."""
    a = np.exp(np.clip(np.polynomial.polynomial.polyval(used.s, numbers[:3]), -2, 8))
    b = np.exp(np.clip(np.polynomial.polynomial.polyval(used.s, numbers[3:6]), -2, 8))
    asymmetry = (numbers[6] + numbers[7] * used.s) * used.along * np.minimum(used.r, 1.5)
    return np.asarray(40 + np.sqrt(a**2 + (b * used.r) ** 2) - a + asymmetry)


def uncertainty(used: Used, numbers: Floats) -> Floats:
    """Standard deviation (row,) of a risetime: of the sampling, and of the number of particles."""
    log = numbers[0] + numbers[1] * np.log(used.r) + numbers[2] * used.s
    return np.asarray(np.sqrt(SAMPLING**2 + np.exp(2 * np.clip(log, -5, 10)) / used.signal))


def depths(axis: Floats, lg_energy: Floats) -> Floats:
    """What the mean Xmax is linear in, (shower, 3)."""
    return np.stack([np.ones(len(axis)), lg_energy - 19, secant_of(axis) - 1.3], axis=1)


def learn_uncertainty(used: Used, left: Floats, begin: Floats) -> Floats:
    """The numbers of ``uncertainty`` with the largest likelihood for residuals ``left`` (row,) [ns], from ``begin``."""

    def surprise(numbers: Floats) -> float:
        variance = uncertainty(used, numbers) ** 2
        return float((np.log(variance) + np.minimum(left**2 / variance, 4 * CLIP)).mean())

    return np.asarray(minimize(surprise, begin, method="L-BFGS-B").x)


def learn_risetime(
    stations: Floats, axis: Floats, core: Floats, lg_energy: Floats, bend: Bend, xmax: Floats
) -> Risetime:
    """Benchmark, uncertainties and sensitivities, by least squares over training showers.

    Args:
        stations: (shower, station, 9).
        axis: as it is reconstructed (shower, 2).
        core: (shower, 2).
        lg_energy: (shower,).
        bend: curvatures.
        xmax: true (shower,).
    """
    used = usable(stations, axis, core)
    mean = depths(axis, lg_energy)
    depth = np.asarray(np.linalg.lstsq(mean, xmax, rcond=None)[0], dtype=np.float64)
    rough = SAMPLING + 80 * used.r * np.sqrt(10 / used.signal)
    begin = np.array([5.0, 0, 0, 5.5, 0, 0, 0, 0])
    benchmark = least_squares(
        lambda numbers: (mean_risetime(used, numbers) - used.time) / rough, begin, loss="soft_l1"
    ).x
    terms, beyond = used.terms(), (xmax - mean @ depth) / SPREAD
    rows = used.shower[:, None]
    design = np.concatenate([terms, terms * (lg_energy - 19)[rows], terms * beyond[rows]], axis=1)
    left, sigma = used.time - mean_risetime(used, benchmark), np.array([6.0, 1.0, 0.0])
    for _ in range(ROUNDS):  # what depends on Xmax is no uncertainty
        sigma = learn_uncertainty(used, left, sigma)
        square = design.T @ design + np.eye(design.shape[1])
        numbers = np.linalg.solve(square, design.T @ delta(used, benchmark, sigma))
        left = used.time - mean_risetime(used, benchmark) - uncertainty(used, sigma) * (design @ numbers)
    offset, growth, sensitivity = np.split(numbers, 3)
    # beyond = known (mean + sensitivity Xmax), each curvature being drawn to its mean by what is not known of it
    design = np.column_stack([mean, beyond]) * bend.known[:, None]
    *curved, steepness = np.linalg.solve(design.T @ design + 1e-3 * np.eye(4), design.T @ bend.beyond)
    return Risetime(benchmark, sigma, offset, growth, sensitivity, depth, np.array(curved), float(steepness))
