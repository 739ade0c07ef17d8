# mypy: disable-error-code="untyped-decorator"
"""Core and size of a shower from signals: a fit of the lateral distribution, and the energy by constant intensity.

* Lateral distribution (Pierre Auger, arXiv:2007.09035, modified form of Nishimura, Kamata and Greisen): ``S(r) = S1000
  (r / 1000)^beta ((r + 700) / 1700)^(beta + gamma)``, r in the plane of the shower. beta has, as a Gaussian
  constraint, the mean and spread that showers of this zenith angle and size have. Stations on the side that the
  shower reaches first see it younger: signals are ``exp(early h)`` times as large at a height of h km along the axis
  above the core.
* Signals vary by ``sigma^2 = (a + b / cos(zenith))^2 S + (c S)^2`` about it: form of the same paper, and c for what the
  shape of the function leaves. The likelihood is that of a negative binomial of as many particles as this says:
  Poisson for small signals and c = 0, nearly Gaussian for large ones, without a limit between the two.
* Silent stations enter by the probability that a Poisson number of particles is at most ``quiet``, saturated ones by
  that of a signal above theirs; dead ones do not.
* Energy: ``E = A S38^B`` with ``S38 = S1000 / f``, ``f = 1 + p x + q x^2 + r x^3``, ``x = cos^2(zenith) - cos^2(38
  deg)`` (constant intensity cut, same paper).

Conventions: stations are those of ``shower_stations``; cores lie at height 0; lengths in m, signals in VEM, energies
in eV.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.optimize import least_squares, minimize, minimize_scalar

from cloudchamber.baselines.damped_step import damped_step
from cloudchamber.baselines.shower_stations import SIGNAL, Floats
from cloudchamber.data.surface_array import DEAD, SATURATED, STATUS, TRIGGERED, X, Y, Z

ITERATIONS = 60
NEAREST = 20.0
"""Distances are ``sqrt(r^2 + NEAREST^2)``: the function has a pole at the core."""
WIDEST_BETA = 0.6
"""Spread of beta while its mean is not known."""
MOST_QUIET = 8


class Lateral(NamedTuple):
    """The lateral distribution and the fluctuations of signals.

    With s = 1 / cos(zenith) - 1.3 and l = ln(S1000 / 30 VEM), beta has the mean ``mean + tilt s + bend s^2 + growth
    l``, and early is ``early + early_tilt s + early_bend s^2``.

    Attributes:
        mean, tilt, bend, growth: of beta.
        spread: of beta at given zenith angle and size.
        gamma: as in the formula.
        a, b, c: of the fluctuations.
        early, early_tilt, early_bend: of the early-late asymmetry [1/km].
        quiet: most particles with which a station stays silent.
    """

    mean: float = -2.3
    tilt: float = 1.0
    bend: float = 0.0
    growth: float = 0.0
    spread: float = 0.1
    gamma: float = 0.0
    a: float = 0.32
    b: float = 0.42
    c: float = 0.05
    early: float = 0.0
    early_tilt: float = 0.0
    early_bend: float = 0.0
    quiet: int = 2

    def beta(self, secant: Floats, log_size: Floats) -> Floats:
        """Mean beta (shower,) for 1 / cos(zenith) and ln S1000 (shower,)."""
        s = secant - 1.3
        return self.mean + self.tilt * s + self.bend * s**2 + self.growth * (log_size - math.log(30))

    def earliness(self, secant: Floats) -> Floats:
        """The asymmetry early (shower,) for 1 / cos(zenith) (shower,)."""
        s = secant - 1.3
        return self.early + self.early_tilt * s + self.early_bend * s**2


class Size(NamedTuple):
    """Fitted lateral distributions.

    Attributes:
        core: (shower, 2).
        log_size: ln S1000 (shower,).
        beta: (shower,).
        covariance: of core x, y, ln S1000 and beta minus its mean (shower, 4, 4); 0 for what was held fixed.
        surprise: (shower,), minus the logarithm of the likelihood, up to what does not depend on the fit.
    """

    core: Floats
    log_size: Floats
    beta: Floats
    covariance: Floats
    surprise: Floats


class Calibration(NamedTuple):
    """Energy of a size: ``lg E = lg_a + b lg S38``, and p, q, r of the constant-intensity cut.

    The defaults are near the published ones.
    """

    lg_a: float = 17.28
    b: float = 1.03
    p: float = 0.95
    q: float = -1.5
    r: float = -1.2

    def lg_energy(self, log_size: Floats, axis: Floats) -> Floats:
        """log10(E / eV) (shower,) of ln S1000 (shower,) and axes (shower, 2)."""
        return self.lg_a + self.b * (log_size / math.log(10) - np.log10(self.attenuation(axis)))

    def attenuation(self, axis: Floats) -> Floats:
        """The constant-intensity cut f (shower,), at least 0.05."""
        x = 1 - np.square(axis).sum(axis=1) - math.cos(math.radians(38)) ** 2
        return np.asarray(np.maximum(1 + self.p * x + self.q * x**2 + self.r * x**3, 0.05))


def secant_of(axis: Floats) -> Floats:
    """1 / cos(zenith) (shower,) of the horizontal part of axes (shower, 2), at most 4."""
    return np.asarray(1 / np.sqrt(np.maximum(1 - np.square(axis).sum(axis=1), 1 / 16)))


def lateral_fit(stations: Floats, axis: Floats, lateral: Lateral, core: Floats | None = None) -> Size:
    """The maximum of the likelihood of the signals, from two starts; the better one counts.

    Args:
        stations: (shower, station, 9).
        axis: (shower, 2).
        lateral: the distribution.
        core: (shower, 2), to hold it fixed; None: it is fitted.
    """
    places = np.ascontiguousarray(stations[..., [X, Y, Z]])
    signals, kinds = stations[..., SIGNAL], _kinds(stations)
    vertical = np.sqrt(np.maximum(1 - np.square(axis).sum(axis=1), 1 / 16))
    direction = np.concatenate([axis, vertical[:, None]], axis=1)
    means = lateral.beta(1 / vertical, np.zeros(len(axis)))  # what grows with the size is added in the fit
    early = lateral.earliness(1 / vertical)
    numbers = np.array(lateral[3:9], dtype=np.float64)
    starts = [core] if core is not None else [_barycentre(places, signals, power) for power in (0.5, 1.0)]
    found = [
        _laterals(places, signals, kinds, direction, means, early, numbers, int(lateral.quiet), start, core is None)
        for start in starts
    ]
    better = np.argmin([one[2] for one in found], axis=0)
    points, covariance, surprise = (np.stack(each)[better, np.arange(len(axis))] for each in zip(*found, strict=True))
    beta = lateral.beta(1 / vertical, points[:, 2]) + points[:, 3]
    return Size(points[:, :2], points[:, 2], beta, covariance, surprise)


def learn_lateral(stations: Floats, axis: Floats, core: Floats, rounds: int = 3) -> Lateral:
    """The distribution and fluctuations of showers whose axis and core are known.

    Args:
        stations: (shower, station, 9).
        axis: (shower, 2).
        core: (shower, 2).
        rounds: each fits the mean and spread of beta, gamma, the fluctuations and the trigger, given the others.
    """
    lateral = Lateral()
    for _ in range(rounds):
        lateral = lateral._replace(gamma=_best_gamma(stations, axis, core, lateral))
        free = lateral._replace(growth=0.0, spread=WIDEST_BETA)
        size = lateral_fit(stations, axis, free, core)
        prior = free.beta(secant_of(axis), size.log_size)
        lateral = _with_beta(lateral, size, prior, secant_of(axis))
        size = lateral_fit(stations, axis, lateral, core)
        lateral = _with_asymmetry(lateral, stations, axis, size)
        size = lateral_fit(stations, axis, lateral, core)
        expected = lateral_signals(stations, axis, size, lateral)
        lateral = _with_fluctuations(lateral, stations, axis, size)
        lateral = lateral._replace(quiet=_best_quiet(stations, expected, secant_of(axis), lateral))
    return lateral


def lateral_signals(stations: Floats, axis: Floats, size: Size, lateral: Lateral) -> Floats:
    """Expected signals (shower, station) [VEM] of fitted showers."""
    shape, along = _shape(stations, axis, size.core)
    far = np.log((from_axis(stations, axis, size.core)[0] + 700) / 1700)
    early = lateral.earliness(secant_of(axis))[:, None] * along / 1000
    return np.asarray(np.exp(size.log_size[:, None] + size.beta[:, None] * shape + lateral.gamma * far + early))


def from_axis(stations: Floats, axis: Floats, core: Floats) -> tuple[Floats, Floats]:
    """Distances to the axis, never less than NEAREST, and heights along it above the core (shower, station) [m]."""
    apart = stations[..., [X, Y, Z]] - np.concatenate([core, np.zeros((len(core), 1))], axis=1)[:, None]
    vertical = 1 / secant_of(axis)
    along = (apart * np.concatenate([axis, vertical[:, None]], axis=1)[:, None]).sum(axis=2)
    return np.sqrt(np.maximum(np.square(apart).sum(axis=2) - along**2, 0) + NEAREST**2), along


def _shape(stations: Floats, axis: Floats, core: Floats) -> tuple[Floats, Floats]:
    """Derivative of the logarithm of the signal by beta, and height along the axis [m], (shower, station)."""
    r, along = from_axis(stations, axis, core)
    return np.log(r / 1000) + np.log((r + 700) / 1700), along


def learn_energy(log_size: Floats, axis: Floats, lg_energy: Floats) -> Calibration:
    """Constant-intensity cut and energy calibration by least squares of lg E, outliers counting less.

    Args:
        log_size: ln S1000 (shower,).
        axis: (shower, 2).
        lg_energy: true log10(E / eV) (shower,).
    """

    def residuals(numbers: Floats) -> Floats:
        return Calibration(*numbers).lg_energy(log_size, axis) - lg_energy

    found = least_squares(residuals, np.array(Calibration()), loss="soft_l1", f_scale=0.1)
    return Calibration(*(float(one) for one in found.x))


def _kinds(stations: Floats) -> Floats:
    """What is known of each station: 1 its signal, 2 a lower limit, 0 that it is silent, -1 nothing."""
    kinds = np.where(stations[..., STATUS] == TRIGGERED, 1.0, 0.0)
    kinds[(kinds == 1) & (stations[..., SATURATED] > 0)] = 2.0
    kinds[stations[..., STATUS] == DEAD] = -1.0
    return kinds


def _barycentre(places: Floats, signals: Floats, power: float) -> Floats:
    """Mean place (shower, 2) with weights signal to the power."""
    weights = np.maximum(signals, 0) ** power + 1e-12
    return np.asarray((places[..., :2] * weights[..., None]).sum(axis=1) / weights.sum(axis=1)[:, None])


def _with_beta(lateral: Lateral, size: Size, prior: Floats, secant: Floats) -> Lateral:
    """Mean and spread of beta, from fits with the wide prior: that is taken out of each again."""
    s, log = secant - 1.3, size.log_size - math.log(30)
    posterior = np.maximum(size.covariance[:, 3, 3], 1e-12)
    precision = np.maximum(1 / posterior - 1 / WIDEST_BETA**2, 1e-3)
    measured = prior + (size.beta - prior) / posterior / precision
    terms = np.stack([np.ones_like(s), s, s**2, log], axis=1)
    spread = lateral.spread
    for _ in range(20):
        weights = 1 / (1 / precision + spread**2)
        left = (terms * weights[:, None]).T @ terms
        numbers = np.linalg.solve(left + 1e-6 * np.eye(4), (terms * weights[:, None]).T @ measured)
        excess = np.square(measured - terms @ numbers) - 1 / precision
        spread = math.sqrt(max(float((weights**2 * excess).sum() / (weights**2).sum()), 1e-4))
    mean, tilt, bend, growth = (float(one) for one in numbers)
    return lateral._replace(mean=mean, tilt=tilt, bend=bend, growth=growth, spread=spread)


def _best_gamma(stations: Floats, axis: Floats, core: Floats, lateral: Lateral) -> float:
    """The gamma of the largest likelihood, each shower with its own size and beta."""

    def surprise(gamma: float) -> float:
        trial = lateral._replace(gamma=gamma, spread=WIDEST_BETA)
        return float(lateral_fit(stations, axis, trial, core).surprise.mean())

    return float(minimize_scalar(surprise, bounds=(-3, 3), method="bounded", options={"xatol": 0.02}).x)


def _with_asymmetry(lateral: Lateral, stations: Floats, axis: Floats, size: Size) -> Lateral:
    """What is left of signals over their expectations, as a slope along the axis."""
    expected, along = lateral_signals(stations, axis, size, lateral), from_axis(stations, axis, size.core)[1] / 1000
    used = (_kinds(stations) == 1) & (expected > 15)
    s = np.broadcast_to(secant_of(axis)[:, None] - 1.3, used.shape)[used]
    mean, h = expected[used], along[used]
    variance = (lateral.a + lateral.b * (s + 1.3)) ** 2 * mean + (lateral.c * mean) ** 2
    root = mean / np.sqrt(variance)
    terms = np.stack([h, h * s, h * s**2], axis=1) * root[:, None]
    left = (stations[..., SIGNAL][used] / mean - 1) * root
    early, tilt, bend = np.linalg.solve(terms.T @ terms + np.eye(3), terms.T @ left)
    return lateral._replace(
        early=float(lateral.early + early),
        early_tilt=float(lateral.early_tilt + tilt),
        early_bend=float(lateral.early_bend + bend),
    )


def _with_fluctuations(lateral: Lateral, stations: Floats, axis: Floats, size: Size) -> Lateral:
    """The a, b, c of how signals scatter about large enough expectations (the trigger cuts small ones)."""
    expected = lateral_signals(stations, axis, size, lateral)
    used = (_kinds(stations) == 1) & (expected > 15)
    if used.sum() < 20:
        return lateral
    mean, off = expected[used], (stations[..., SIGNAL] - expected)[used]
    sec = np.broadcast_to(secant_of(axis)[:, None], used.shape)[used]
    # the fit of size and beta takes away part of the scatter: what it knows of the expectation
    shape = _shape(stations, axis, size.core)[0]
    rows = np.stack([1 + lateral.growth * shape, shape], axis=2)
    taken = np.einsum("ski,sij,skj->sk", rows, size.covariance[:, 2:, 2:], rows)[used] * mean**2

    def surprise(numbers: Floats) -> float:
        variance = (numbers[0] + numbers[1] * sec) ** 2 * mean + (numbers[2] * mean) ** 2
        left = np.maximum(variance - taken, 0.1 * variance)
        return float((np.log(left) + off**2 / left).clip(max=30 + np.log(left)).mean())

    bounds = [(0.0, 3.0), (0.0, 3.0), (0.005, 0.5)]
    best = minimize(surprise, np.array([lateral.a, lateral.b, lateral.c]), method="L-BFGS-B", bounds=bounds).x
    if best[0] + best[1] < 0.3:
        return lateral
    return lateral._replace(a=float(best[0]), b=float(best[1]), c=float(best[2]))


def _best_quiet(stations: Floats, expected: Floats, secant: Floats, lateral: Lateral) -> int:
    """The number of particles that describes best which stations trigger."""
    kinds = _kinds(stations)
    number = (expected / (lateral.a + lateral.b * secant)[:, None] ** 2)[kinds >= 0]
    silent = kinds[kinds >= 0] == 0
    scores = []
    term = np.exp(-np.minimum(number, 500))
    below = np.zeros_like(term)
    for most in range(MOST_QUIET + 1):
        below = below + term
        term = term * number / (most + 1)
        chance = np.clip(below, 1e-6, 1 - 1e-6)
        scores.append(np.log(np.where(silent, chance, 1 - chance)).mean())
    return int(np.argmax(scores))


@njit(cache=True, nogil=True)
def _silence(number: float, quiet: int) -> tuple[float, float]:
    """Logarithm of the probability of at most ``quiet`` of a mean ``number`` of particles, and its derivative."""
    term, total = 1.0, 1.0
    for one in range(1, quiet + 1):
        term *= number / one
        total += term
    return math.log(total) - number, -term / total


@njit(cache=True, nogil=True)
def _excess(signal: float, mean: float, poisson: float, c: float) -> tuple[float, float, float]:
    """Logarithm of the Gaussian probability of more than ``signal``, its derivative by the mean, the information."""
    variance = poisson * mean + (c * mean) ** 2
    width = math.sqrt(variance)
    z = (signal - mean) / width
    slope = -1 / width - z * (poisson + 2 * c * c * mean) / (2 * variance)
    if z > 6:  # the tail's leading terms
        return -0.5 * z * z - math.log(z * math.sqrt(2 * math.pi)), -(z + 1 / z) * slope, slope * slope
    tail = 0.5 * math.erfc(z / math.sqrt(2))
    hazard = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) / tail
    return math.log(tail), -hazard * slope, hazard * (hazard - z) * slope * slope


@njit(cache=True, nogil=True)
def _known(signal: float, mean: float, poisson: float, c: float, kind: float, quiet: int) -> tuple[float, float, float]:
    """What a station says: minus its log-likelihood, the derivative by ln(mean), the information on ln(mean)."""
    if kind == 0.0:
        number = mean / poisson
        log, slope = _silence(number, quiet)
        fired = max(-math.expm1(log), 1e-12)
        return -log, -slope * number, (slope * number) ** 2 * math.exp(log) / fired
    if kind == 2.0:
        log, slope, information = _excess(signal, mean, poisson, c)
        return -log, -slope * mean, information * mean * mean
    # negative binomial of signal / poisson particles; c^2 is kept off 0, which is Poisson's
    square = max(c * c, 1e-8)
    rate = poisson + square * mean
    log = signal / poisson * math.log(mean / rate) - math.log(rate / poisson) / square
    return -log, -(signal - mean) / rate, mean / rate


@njit(cache=True, nogil=True)
def _system(
    places: Floats,
    signals: Floats,
    kinds: Floats,
    axis: Floats,
    beta: float,
    early: float,
    numbers: Floats,
    quiet: int,
    point: Floats,
) -> tuple[float, Floats, Floats]:
    """Minus the log-likelihood at (core x, core y, ln S1000, beta - mean), its downhill gradient and information."""
    growth, spread, gamma, a, b, c = numbers
    poisson = (a + b / axis[2]) ** 2
    exponent = beta + growth * point[2] + point[3]
    value, gradient, matrix = 0.0, np.zeros(4), np.zeros((4, 4))
    row = np.zeros(4)
    for one in range(len(places)):
        if kinds[one] >= 0:
            dx, dy, dz = places[one, 0] - point[0], places[one, 1] - point[1], places[one, 2]
            along = dx * axis[0] + dy * axis[1] + dz * axis[2]
            r = math.sqrt(max(dx * dx + dy * dy + dz * dz - along * along, 0.0) + NEAREST**2)
            near, far = math.log(r / 1000), math.log((r + 700) / 1700)
            log = point[2] + exponent * near + (exponent + gamma) * far + early * along / 1000
            mean = math.exp(min(max(log, -30.0), 30.0))
            surprise, slope, information = _known(signals[one], mean, poisson, c, kinds[one], quiet)
            steepness = exponent / r + (exponent + gamma) / (r + 700)
            row[0] = -(dx - along * axis[0]) / r * steepness - early * axis[0] / 1000
            row[1] = -(dy - along * axis[1]) / r * steepness - early * axis[1] / 1000
            row[2] = 1 + growth * (near + far)
            row[3] = near + far
            value += surprise
            for i in range(4):
                gradient[i] -= slope * row[i]
                for j in range(4):
                    matrix[i, j] += information * row[i] * row[j]
    value += 0.5 * (point[3] / spread) ** 2
    gradient[3] -= point[3] / spread**2
    matrix[3, 3] += 1 / spread**2
    return value, gradient, matrix


@njit(cache=True, nogil=True)
def _laterals(
    places: Floats,
    signals: Floats,
    kinds: Floats,
    axis: Floats,
    means: Floats,
    early: Floats,
    numbers: Floats,
    quiet: int,
    core: Floats,
    free: bool,
) -> tuple[Floats, Floats, Floats]:
    """Best points (shower, 4), covariances and surprises: damped scoring steps, kept if the likelihood grows."""
    count, first = len(places), 0 if free else 2
    points, covariance, surprise = np.zeros((count, 4)), np.zeros((count, 4, 4)), np.zeros(count)
    for shower in range(count):
        given = (places[shower], signals[shower], kinds[shower], axis[shower], means[shower], early[shower])
        point = np.array([core[shower, 0], core[shower, 1], 3.0, 0.0])
        value, gradient, matrix = _system(*given, numbers, quiet, point)
        damping = 1e-2
        for _ in range(ITERATIONS):
            step = damped_step(matrix, gradient, first, damping)
            longest = max(math.hypot(step[0], step[1]) / 400, abs(step[2]) / 1.5, abs(step[3]) / 0.5)
            trial = point + step / max(longest, 1.0)
            other, slope, steeper = _system(*given, numbers, quiet, trial)
            if other <= value:
                done = value - other < 1e-7 and damping < 1
                point, value, gradient, matrix = trial, other, slope, steeper
                damping *= 0.2
                if done:
                    break
            else:
                damping = max(damping * 6, 1e-3)
                if damping > 1e8:
                    break
        points[shower], surprise[shower] = point, value
        for i in range(first, 4):
            unit = np.zeros(4)
            unit[i] = 1.0
            covariance[shower, i] = damped_step(matrix, unit, first, 0.0)
    return points, covariance, surprise
