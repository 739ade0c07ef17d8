"""How unlikely is a sky under isotropy, and how many signal cosmic rays does a method need?

p-values are counted in isotropic skies, and taken from a fitted tail beyond the last of them.

The p-value is ``(1 + #{isotropic >= statistic}) / (1 + n)`` (Davison and Hinkley 1997, section 4.2), never below
``1 / (1 + n)``: one-sided 5 sigma (2.87e-7) takes more than 3.5e6 isotropic skies. Beyond the value that ``ENOUGH``
of them reach, an exponential is fitted to the largest statistics and what is taken from it is marked as extrapolated.
Excesses over an order statistic of exponential variables are independent and exponential again (Renyi 1953), so the
mean excess is the unbiased scale and its relative error is 1 / sqrt(excesses). Where skies tie with the threshold
(counts), the scale is half way between the mean excess with and without them: right to 10 % for exponentials rounded to
whole e-folding lengths. The fit is checked, not trusted: the generalised Pareto shape (Hosking and Wallis 1987) is 0
for an exponential, below 0 for lighter tails (a Gaussian), where the fitted p-value is too large, and above 0 for
heavier ones, where it is too small and must not be used.

Conventions: a statistic is float64 (sky,), larger is more signal-like; significance is one-sided and in sigma.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import ndtri_exp
from scipy.stats import kstest, kstwo

from cloudchamber.metrics.measured import Measured, Values
from cloudchamber.schema import BadInput

ENOUGH = 10
"""A p-value is measured where so many isotropic skies reach the statistic (its error is then about 30 %)."""

FALSE_ALARMS, MISSED = 0.01, 0.05
"""Errors of the first and second kind at which a fraction of signal counts as detectable."""
TAIL_SKIES = 1000
"""Most excesses in the fit of a tail: 3 % on its scale; more would only reach down into the bulk."""

SMALLEST = 1e-300
"""Smaller p-values of a fitted tail are given as this one (37 sigma)."""

RESAMPLES = 200
"""Bootstrap samples of a crossing: its error is then known to 5 %."""

RESAMPLED = 20_000
"""Largest isotropic statistics that a bootstrap sample draws anew; below them p is known to 1 % and is kept."""


def p_value(statistic: Values, isotropic: Values) -> NDArray[np.float64]:
    """Counted p-values ``(1 + #{isotropic >= x}) / (1 + n)``; a tie counts against the signal.

    Args:
        statistic: (sky,).
        isotropic: (n,), the same statistic of independent isotropic skies.

    Raises:
        BadInput: values that are not finite, not one-dimensional, or no isotropic sky.
    """
    return _Null.of(isotropic).counted(_checked(statistic, "statistic"))


def significance(p: float | Values) -> NDArray[np.float64]:
    """One-sided Gaussian significance in sigma of p-values: 2.87e-7 gives 5, 0.5 gives 0, 1 gives -inf."""
    with np.errstate(divide="ignore"):
        return _sigma(np.log(np.asarray(p, dtype=np.float64)))


def _sigma(log_p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(-ndtri_exp(log_p), dtype=np.float64) + 0.0


def _sigma_error(log_p: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Error of the significance for an error of ln p: d sigma / d ln p = p / Gaussian density; nan at p = 1."""
    sigma = _sigma(log_p)
    with np.errstate(invalid="ignore", over="ignore"):
        result = error * np.exp(log_p + sigma**2 / 2) * np.sqrt(2 * np.pi)
    return np.where(np.isfinite(sigma), result, np.nan)


# --- the tail ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tail:
    """An exponential fitted to the largest isotropic statistics: ``p(x) = fraction * exp(-(x - threshold) / scale)``.

    Attributes:
        threshold: where the fit begins, in the unit of the statistic.
        scale, scale_error: e-folding length; nan where no tail can be fitted (the largest statistics are equal).
        fraction: of isotropic skies that reach the threshold.
        n: excesses in the fit.
        end: largest value that ``ENOUGH`` isotropic skies reach: measurement ends there.
        shape, shape_error: of the generalised Pareto distribution; 0 for an exponential, the error is for 0.
        exponential: p-value of the hypothesis that the excesses are exponential (Kolmogorov-Smirnov on the total time
            on test, exact for any scale). Ties, as of counted pairs, lower it.
    """

    threshold: float
    scale: float
    scale_error: float
    fraction: float
    n: int
    end: float
    shape: float
    shape_error: float
    exponential: float

    def log_p(self, statistic: Values) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Logarithm of p of statistics (sky,) above the threshold, and its error from scale and fraction."""
        lengths = (np.asarray(statistic, dtype=np.float64) - self.threshold) / self.scale
        spread = np.sqrt((lengths * self.scale_error / self.scale) ** 2 + (1 - self.fraction) / self.n)
        return np.log(self.fraction) - lengths, spread


def fit_tail(isotropic: Values) -> Tail:
    """Fit the tail of an isotropic statistic: a tenth of the skies, but at most ``TAIL_SKIES`` and at least ten.

    Args:
        isotropic: (n,), n at least 20.

    Raises:
        BadInput: too few skies, values that are not finite.
    """
    null = _Null.of(isotropic)
    tail = null.tail()
    if np.isnan(tail.scale):
        return tail
    excess = null.highest(tail.n) - tail.threshold
    shape, shape_error = _pareto_shape(excess)
    return replace(tail, shape=shape, shape_error=shape_error, exponential=_exponential(excess))


def tail_p_value(
    statistic: Values, isotropic: Values, tail: Tail
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """p-values counted where ``ENOUGH`` isotropic skies reach the statistic, from the fitted tail beyond.

    An extrapolated p-value is never above the last measured one (a survival function falls) nor below ``SMALLEST``.
    Without a fitted tail (scale nan) every p-value is a counted one.

    Returns:
        p (sky,); whether it is extrapolated (sky,); the error of its significance in sigma (sky,): binomial where
        counted, else from the errors of the tail's scale and fraction. It knows nothing of a tail that is no
        exponential: see ``Tail.shape``.
    """
    log_p, error, beyond = _log_p(_checked(statistic, "statistic"), _Null.of(isotropic), tail)
    return np.exp(log_p), beyond, _sigma_error(log_p, error)


def _log_p(
    statistic: NDArray[np.float64], null: _Null, tail: Tail
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Logarithm of p, its error, whether it is extrapolated."""
    p = null.counted(statistic)
    error = np.sqrt((1 - p) / (p * (null.n + 1)))
    log_p = np.log(p)
    beyond = (statistic > tail.end) & np.isfinite(tail.scale)
    if beyond.any():
        far, spread = tail.log_p(statistic[beyond])
        last = float(np.log(null.counted(np.array([tail.end]))[0]))
        log_p[beyond], error[beyond] = np.clip(far, np.log(SMALLEST), last), spread
    return log_p, error, beyond


@dataclass(frozen=True)
class _Null:
    """Isotropic statistics in ascending order: the bulk, and the largest, which a bootstrap sample draws anew."""

    bulk: NDArray[np.float64]
    top: NDArray[np.float64]

    @classmethod
    def of(cls, isotropic: Values) -> Self:
        values = np.sort(_checked(isotropic, "isotropic"))
        if len(values) == 0:
            raise BadInput("no isotropic sky: p-values are counted in isotropic skies, simulate some")
        first = max(0, len(values) - RESAMPLED)
        return cls(values[:first], values[first:])

    @property
    def n(self) -> int:
        return len(self.bulk) + len(self.top)

    def counted(self, statistic: NDArray[np.float64]) -> NDArray[np.float64]:
        below = np.searchsorted(self.bulk, statistic, "left") + np.searchsorted(self.top, statistic, "left")
        return np.asarray((1.0 + self.n - below) / (1.0 + self.n), dtype=np.float64)

    def highest(self, count: int) -> NDArray[np.float64]:
        """The ``count`` largest, ascending."""
        rest = count - len(self.top)
        return np.concatenate([self.bulk[-rest:], self.top]) if rest > 0 else self.top[-count:]

    def resampled(self, rng: np.random.Generator) -> _Null:
        """A bootstrap sample.

        Uniform order statistics are sums of exponentials over their total, so that only the largest values have to be
        drawn however many there are.
        """
        sums = np.cumsum(rng.exponential(size=len(self.top)))
        total = sums[-1] + rng.gamma(self.n + 1 - len(self.top))
        ranks = np.minimum((sums / total * self.n).astype(np.int64), self.n - 1)  # 0: the largest
        whole = self.highest(int(ranks[-1]) + 1)
        return _Null(self.bulk, whole[len(whole) - 1 - ranks][::-1])

    def tail(self) -> Tail:
        """See ``fit_tail``; the checks of the fit, which a bootstrap sample does not need, are left nan."""
        n = self.n
        if n < 2 * ENOUGH:
            raise BadInput(f"{n} isotropic skies are too few to fit a tail: simulate at least {2 * ENOUGH}")
        highest = self.highest(max(min(n // 10, TAIL_SKIES), ENOUGH) + 1)
        threshold, end = highest[0], highest[-ENOUGH]
        excess = highest[highest > threshold] - threshold
        reached = round((1 + n) * self.counted(threshold[None])[0]) - 1  # more than one sky where there are ties
        scale = float("nan")
        if end > threshold:  # else the distribution ends in one value: there is no tail
            scale = float((excess.mean() + excess.sum() / (reached - 1)) / 2)
        return Tail(
            threshold=float(threshold),
            scale=scale,
            scale_error=float(scale / np.sqrt(max(len(excess), 1))),
            fraction=reached / (n + 1),  # mean of the survival function at an order statistic
            n=len(excess),
            end=float(end),
            shape=float("nan"),
            shape_error=float("nan"),
            exponential=float("nan"),
        )


def _pareto_shape(excess: NDArray[np.float64]) -> tuple[float, float]:
    """Generalised Pareto shape of ascending excesses by probability-weighted moments, and its error if it is 0."""
    n = len(excess)
    first = excess.mean()
    second = (excess * (n - np.arange(1, n + 1)) / (n - 1)).mean()
    shape = 2 - first / (first - 2 * second)
    return float(shape), float(np.sqrt(4 / (3 * n)))


def _exponential(excess: NDArray[np.float64]) -> float:
    """p-value: of ascending exponential excesses, the total time on test is ordered uniform whatever their scale."""
    n = len(excess)
    spacings = np.diff(excess, prepend=0.0) * np.arange(n, 0, -1)
    total = np.cumsum(spacings)
    return float(kstest(np.minimum(total[:-1] / total[-1], 1.0), "uniform").pvalue)


# --- how many signal cosmic rays --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Crossing:
    """Signal cosmic rays at which the median sky reaches a significance.

    Attributes:
        value: interpolated; nan if the significance is not reached, or already by the smallest number of signal rays.
        error: bootstrap; nan if a tenth of the bootstrap samples or more have no crossing.
        extrapolated: whether it rests on the fitted tail.
        n: signal skies behind it.
    """

    value: float
    error: float
    extrapolated: bool
    n: int


@dataclass(frozen=True)
class MedianSignificance:
    """The median sky of those with ``n_signal`` signal cosmic rays.

    Attributes:
        n_signal: signal cosmic rays.
        p: p-value of the median statistic (the median p-value, as p falls with the statistic).
        sigma, sigma_error: its significance and bootstrap error over signal and isotropic skies.
        extrapolated: whether it comes from the fitted tail.
        n: skies.
    """

    n_signal: int
    p: float
    sigma: float
    sigma_error: float
    extrapolated: bool
    n: int


def median_significance(
    n_signal: NDArray[np.integer[Any]], statistic: Values, isotropic: Values, rng: np.random.Generator
) -> list[MedianSignificance]:
    """Significance of the median sky at each number of signal cosmic rays above 0.

    Args:
        n_signal: (sky,), signal cosmic rays of each sky; skies without any are left out.
        statistic: (sky,).
        isotropic: (n,), the statistic of independent isotropic skies.
        rng: source of the bootstrap.

    Raises:
        BadInput: as ``fit_tail``; lengths that differ; no sky with signal.
    """
    groups, null = _groups(n_signal, statistic), _Null.of(isotropic)
    medians = np.array([np.median(values) for values in groups.values()])
    log_p, _, beyond = _log_p(medians, null, null.tail())
    sigma = _sigma(log_p)
    drawn = np.array([sample for sample, _ in _resampled_curves(groups, null, rng)])
    errors = drawn.std(axis=0, ddof=1)
    return [
        MedianSignificance(
            number, float(np.exp(log_p[i])), float(sigma[i]), float(errors[i]), bool(beyond[i]), len(values)
        )
        for i, (number, values) in enumerate(groups.items())
    ]


def signal_needed(
    n_signal: NDArray[np.integer[Any]],
    statistic: Values,
    isotropic: Values,
    rng: np.random.Generator,
    sigma: float = 5.0,
) -> Crossing:
    """Signal cosmic rays at which the significance of the median sky reaches ``sigma``.

    The significances are made monotonous (isotonic regression) and interpolated linearly. The error is bootstrapped
    over signal skies (within each number of signal cosmic rays) and isotropic skies, with the tail fitted anew.

    Args, Raises: see ``median_significance``.
    """
    groups, null = _groups(n_signal, statistic), _Null.of(isotropic)
    numbers = np.array(list(groups), dtype=np.float64)
    curve, beyond = _curve(groups, null)
    value, upper = _crossing(numbers, curve, sigma)
    known = [_crossing(numbers, sample, sigma)[0] for sample, _ in _resampled_curves(groups, null, rng)]
    found = np.array(known)[np.isfinite(known)]
    error = float(found.std(ddof=1)) if len(found) > 0.9 * RESAMPLES and np.isfinite(value) else float("nan")
    rests = bool(beyond[max(upper - 1, 0) : upper + 1].any()) if np.isfinite(value) else False
    return Crossing(value, error, rests, sum(len(values) for values in groups.values()))


def _groups(n_signal: NDArray[np.integer[Any]], statistic: Values) -> dict[int, NDArray[np.float64]]:
    """Statistics by number of signal cosmic rays above 0, ascending."""
    values = _checked(statistic, "statistic")
    if np.shape(n_signal) != values.shape:
        raise BadInput(f"n_signal has shape {np.shape(n_signal)}, statistic {values.shape}: give one number a sky")
    found = {int(number): values[n_signal == number] for number in np.unique(n_signal) if number > 0}
    if not found:
        raise BadInput("no sky with signal cosmic rays: give skies with n_signal above 0")
    return found


def _curve(groups: dict[int, NDArray[np.float64]], null: _Null) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Significance of the median sky by number of signal cosmic rays, whether it is extrapolated."""
    medians = np.array([np.median(values) for values in groups.values()])
    log_p, _, beyond = _log_p(medians, null, null.tail())
    return np.maximum(_sigma(log_p), -8.0), beyond  # p = 1 has no finite significance


def _resampled_curves(
    groups: dict[int, NDArray[np.float64]], null: _Null, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    for _ in range(RESAMPLES):
        drawn = {number: rng.choice(values, len(values)) for number, values in groups.items()}
        yield _curve(drawn, null.resampled(rng))


def _crossing(numbers: NDArray[np.float64], curve: NDArray[np.float64], level: float) -> tuple[float, int]:
    """Where a rising curve reaches a level (nan if it does not between two points), and the point above."""
    rising = np.asarray(isotonic_regression(curve).x)
    upper = int(np.argmax(rising >= level))
    if upper == 0:  # never reached, or from the first point on
        return float("nan"), 0
    share = (level - rising[upper - 1]) / (rising[upper] - rising[upper - 1])
    return float(numbers[upper - 1] + share * (numbers[upper] - numbers[upper - 1])), upper


def detectable_fraction(
    n_signal: NDArray[np.integer[Any]],
    statistic: Values,
    isotropic: Values,
    cosmic_rays: int,
    rng: np.random.Generator,
) -> Measured:
    """Smallest fraction of signal cosmic rays at which at most MISSED of the skies are missed (arXiv:1912.00625).

    A sky is detected if its p-value is at most FALSE_ALARMS (type-I error); the missed fraction (type-II error) is made
    monotonous and interpolated linearly in the number of signal cosmic rays. nan if it is not reached, or already by
    the smallest number. The error is a bootstrap's, as in ``signal_needed``.

    Args:
        n_signal: (sky,), signal cosmic rays of each sky.
        statistic: (sky,).
        isotropic: (n,).
        cosmic_rays: of a sky.
        rng: source of the bootstrap.

    Raises:
        BadInput: as ``median_significance``, or fewer than 1 / FALSE_ALARMS isotropic skies.
    """
    groups, null = _groups(n_signal, statistic), _Null.of(isotropic)
    if FALSE_ALARMS * (1 + null.n) < 1:
        raise BadInput(
            f"{null.n} isotropic skies cannot give p <= {FALSE_ALARMS:g}: simulate {int(1 / FALSE_ALARMS)} or more"
        )
    numbers = np.array(list(groups), dtype=np.float64)

    def reached(parts: dict[int, NDArray[np.float64]], isotropy: _Null) -> float:
        missed = np.array([(isotropy.counted(values) > FALSE_ALARMS).mean() for values in parts.values()])
        return _crossing(numbers, -missed, -MISSED)[0] / cosmic_rays

    value = reached(groups, null)
    samples = [
        reached({number: rng.choice(values, len(values)) for number, values in groups.items()}, null.resampled(rng))
        for _ in range(RESAMPLES)
    ]
    found = np.array(samples)[np.isfinite(samples)]
    error = float(found.std(ddof=1)) if len(found) > 0.9 * RESAMPLES and np.isfinite(value) else float("nan")
    return Measured(value, error, sum(len(values) for values in groups.values()))


# --- are p-values p-values? -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Uniformity:
    """Largest distance of the cumulative distribution of ``n`` p-values from uniform, and its p-value."""

    distance: float
    p: float
    n: int


def uniformity(p: Values, isotropic: int) -> Uniformity:
    """Kolmogorov-Smirnov test that p-values of isotropic skies are uniform.

    Args:
        p: (sky,), of isotropic skies that were not counted in themselves.
        isotropic: the number of isotropic skies they were counted in; their own scatter is taken into account.

    Raises:
        BadInput: no p-value, or one outside [0, 1].
    """
    values = _checked(p, "p")
    if len(values) == 0 or values.min() < 0 or values.max() > 1:
        raise BadInput("p-values must be between 0 and 1, and at least one")
    distance = float(kstest(values, "uniform").statistic)
    effective = max(1, round(len(values) * isotropic / (len(values) + isotropic)))  # as of two samples
    return Uniformity(distance, float(kstwo.sf(distance, effective)), len(values))


def _checked(values: Values, name: str) -> NDArray[np.float64]:
    result = np.asarray(values, dtype=np.float64)
    if result.ndim != 1 or not np.isfinite(result).all():
        raise BadInput(f"{name}: shape {result.shape}, {np.isfinite(result).mean():.3%} finite: give finite (sky,)")
    return result
