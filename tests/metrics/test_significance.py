"""Significance against distributions whose p-values are known, and against slow counting."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from cloudchamber.metrics.significance import (
    ENOUGH,
    RESAMPLED,
    SMALLEST,
    Tail,
    _Null,
    detectable_fraction,
    fit_tail,
    median_significance,
    p_value,
    signal_needed,
    significance,
    tail_p_value,
    uniformity,
)
from cloudchamber.schema import BadInput


def gaussian_skies(
    numbers: list[int], skies: int, slope: float, rng: np.random.Generator, width: float = 1.0
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Statistics N(slope n, width)."""
    n_signal = np.repeat(numbers, skies)
    return n_signal, slope * n_signal + width * rng.standard_normal(len(n_signal))


# --- p-values and sigma -----------------------------------------------------------------------------------------------


def test_counted_one_by_one_with_ties() -> None:
    rng = np.random.default_rng(1)
    isotropic, statistic = rng.integers(0, 20, 137).astype(float), np.arange(-1.0, 22.0)
    slow = [(1 + sum(1 for other in isotropic if other >= value)) / 138 for value in statistic]
    assert p_value(statistic, isotropic) == pytest.approx(slow, rel=1e-15)
    assert p_value(statistic, isotropic)[0] == 1.0
    assert p_value(statistic, isotropic)[-1] == 1 / 138


def test_counting_sees_differences_that_float32_does_not() -> None:
    isotropic = 1.0 + np.arange(100) * 1e-12
    assert p_value(np.array([1.0 + 50e-12]), isotropic) == pytest.approx([51 / 101])


def test_bulk_and_top_count_together() -> None:
    rng = np.random.default_rng(2)
    isotropic = rng.standard_normal(RESAMPLED + 5000)
    statistic = np.linspace(-4, 4, 50)
    slow = [(1 + (isotropic >= value).sum()) / (1 + len(isotropic)) for value in statistic]
    assert p_value(statistic, isotropic) == pytest.approx(slow, rel=1e-15)


@pytest.mark.parametrize(
    ("p", "sigma"),
    [(0.5, 0.0), (0.158655254, 1.0), (2.866515719e-7, 5.0), (7.619853024e-24, 10.0), (1.0, -math.inf), (0.0, math.inf)],
)
def test_known_p_values_have_their_sigmas(p: float, sigma: float) -> None:
    assert significance(p) == pytest.approx(sigma, abs=1e-8)


def test_a_tiny_p_value_has_its_asymptotic_sigma() -> None:
    # ln p = -x^2/2 - ln(x sqrt(2 pi)) + ln(1 - 1/x^2 + 3/x^4): the asymptotic series, good to 1e-7 at 37 sigma
    x = float(significance(1e-300))
    assert -(x**2) / 2 - math.log(x * math.sqrt(2 * math.pi)) + math.log(1 - x**-2 + 3 * x**-4) == pytest.approx(
        math.log(1e-300), rel=1e-9
    )


@pytest.mark.parametrize("bad", [np.array([1.0, np.nan]), np.array([np.inf]), np.ones((2, 2)), np.ones(0)])
def test_isotropic_values_that_cannot_be_ranked_are_refused(bad: NDArray[np.float64]) -> None:
    with pytest.raises(BadInput):
        p_value(np.ones(1), bad)


# --- the tail ---------------------------------------------------------------------------------------------------------


def test_exponential_tail_gives_the_true_p() -> None:
    rng = np.random.default_rng(3)
    isotropic = 5 + 2 * rng.exponential(size=20_000)
    tail = fit_tail(isotropic)
    assert tail.n == 1000
    assert tail.scale == pytest.approx(2.0, abs=3 * tail.scale_error)
    assert abs(tail.shape) < 3 * tail.shape_error
    assert tail.exponential > 0.01
    statistic = 5 + 2 * np.linspace(1, 30, 30)
    p, extrapolated, error = tail_p_value(statistic, isotropic, tail)
    true = -np.linspace(1, 30, 30)
    sigma = significance(np.exp(true))
    assert np.all(np.abs(significance(p) - sigma) < 3.5 * error)
    assert np.array_equal(extrapolated, [(isotropic >= value).sum() < ENOUGH for value in statistic])
    assert p[~extrapolated] == pytest.approx(p_value(statistic, isotropic)[~extrapolated], rel=1e-12)
    assert np.all(np.diff(p) < 0)


def test_fitted_tail_is_a_slow_fit_by_hand() -> None:
    isotropic = np.random.default_rng(4).gumbel(size=519)
    tail = fit_tail(isotropic)
    threshold = sorted(isotropic)[-52]  # a tenth of 519 skies lies above
    excess = [value - threshold for value in isotropic if value > threshold]
    assert (tail.n, tail.threshold) == (51, threshold)
    assert tail.scale == pytest.approx(sum(excess) / 51)
    assert tail.end == sorted(isotropic)[-ENOUGH]
    x = tail.end + 3.0
    (p,), (extrapolated,), (error,) = tail_p_value(np.array([x]), isotropic, tail)
    assert extrapolated
    log_p = math.log((tail.n + 1) / 520) - (x - tail.threshold) / tail.scale
    assert math.log(p) == pytest.approx(log_p)
    spread = math.hypot((x - tail.threshold) / tail.scale / math.sqrt(tail.n), math.sqrt((1 - tail.fraction) / tail.n))
    step = 1e-4  # d sigma / d ln p as a difference
    slope = (significance(p * math.exp(-step)) - significance(p * math.exp(step))) / (2 * step)
    assert error == pytest.approx(spread * slope, rel=1e-5)


def test_stated_errors_of_the_tail_are_true() -> None:
    # exponential tails: pulls of scale, of sigma at 5 sigma and of the shape; 400 toys know a width to 3.5 %
    rng = np.random.default_rng(5)
    scales, sigmas, shapes, fits = [], [], [], []
    true = float(significance(math.exp(-15.0)))
    for _ in range(400):
        isotropic = rng.exponential(size=1000)
        tail = fit_tail(isotropic)
        p, _, error = tail_p_value(np.array([15.0]), isotropic, tail)
        scales.append((tail.scale - 1) / tail.scale_error)
        sigmas.append((significance(p)[0] - true) / error[0])
        shapes.append(tail.shape / tail.shape_error)
        fits.append(tail.exponential)
    for pulls in (scales, sigmas, shapes):
        assert np.std(pulls) == pytest.approx(1.0, abs=0.14)
    assert np.mean(sigmas) == pytest.approx(0, abs=0.2)
    assert stats.kstest(fits, "uniform").pvalue > 1e-3  # the check of exponentiality is itself a p-value


@pytest.mark.parametrize("shape", [-0.3, 0.25])
def test_pareto_shape_agrees_with_the_likelihood_and_is_told(shape: float) -> None:
    isotropic = stats.genpareto.rvs(shape, size=20_000, random_state=6)
    tail = fit_tail(isotropic)
    excess = np.sort(isotropic)[-tail.n :] - tail.threshold
    likely = stats.genpareto.fit(excess, floc=0)[0]
    assert tail.shape == pytest.approx(likely, abs=3 * tail.shape_error)
    assert tail.shape == pytest.approx(shape, abs=4 * tail.shape_error)
    assert tail.exponential < 1e-3


def test_light_tail_is_conservative() -> None:
    isotropic = np.random.default_rng(7).standard_normal(100_000)
    tail = fit_tail(isotropic)
    assert tail.shape < 0
    p, extrapolated, _ = tail_p_value(np.array([6.0]), isotropic, tail)
    assert extrapolated[0]
    assert significance(p)[0] < 6.0


def test_no_tail_where_the_statistic_saturates() -> None:
    isotropic = np.concatenate([np.linspace(0, 0.9, 500), np.ones(200)])  # a softmax that reached 1.0
    tail = fit_tail(isotropic)
    assert math.isnan(tail.scale)
    p, extrapolated, _ = tail_p_value(np.array([0.95, 1.0, 1.1]), isotropic, tail)
    assert p == pytest.approx([201 / 701, 201 / 701, 1 / 701])
    assert not extrapolated.any()


@pytest.mark.parametrize("length", [1.0, 2.0, 8.0])
def test_tail_of_whole_numbers_keeps_its_scale(length: float) -> None:
    # geometric: P(x >= k) = exp(-k / length); the scale is right to 10 % even where it is one count
    isotropic = np.floor(np.random.default_rng(23).exponential(length, size=20_000))
    tail = fit_tail(isotropic)
    assert tail.scale == pytest.approx(length, abs=0.1 * length + 3 * tail.scale_error)
    assert tail.fraction == pytest.approx(math.exp(-tail.threshold / length), rel=0.15)
    assert tail.n == (isotropic > tail.threshold).sum()


def test_p_never_rises_and_never_underflows() -> None:
    isotropic = np.random.default_rng(8).standard_normal(3000)
    tail = fit_tail(isotropic)
    statistic = np.linspace(-1, 400, 4000)
    p, _, _ = tail_p_value(statistic, isotropic, tail)
    assert np.all(np.diff(p) <= 0)
    assert p.min() == pytest.approx(SMALLEST)


def test_too_few_skies_have_no_tail() -> None:
    with pytest.raises(BadInput):
        fit_tail(np.arange(19.0))


def test_bootstrap_of_the_largest_values_is_the_plain_bootstrap() -> None:
    # bulk and top against rng.choice: mean and spread of the 1st, 10th and 100th largest value
    values = np.random.default_rng(9).exponential(size=RESAMPLED + 1000)
    null, rng = _Null.of(values), np.random.default_rng(10)
    places = [-1, -10, -100]
    ours = np.array([null.resampled(rng).highest(100)[places] for _ in range(1000)])
    plain = np.array([np.sort(rng.choice(values, len(values)))[places] for _ in range(500)])
    for place in range(3):
        assert stats.ks_2samp(ours[:, place], plain[:, place]).pvalue > 1e-3
    assert null.resampled(rng).n == len(values)


# --- crossings --------------------------------------------------------------------------------------------------------


def test_crossing_of_a_gaussian_shift_is_analytic() -> None:
    # the median of N(a n, 1) is a n sigma above N(0, 1): linear, so the crossing of 3 sigma is 3 / a exactly
    rng = np.random.default_rng(11)
    n_signal, statistic = gaussian_skies([0, 15, 25, 35], 400, 0.1, rng)
    found = signal_needed(n_signal, statistic, rng.standard_normal(200_000), rng, sigma=3.0)
    assert not found.extrapolated
    assert found.n == 1200
    assert found.value == pytest.approx(30.0, abs=3 * found.error)
    # the median of 400 skies: 1.2533 / 20 sigma = 0.63 cosmic rays, and the isotropic quantile adds little
    assert found.error == pytest.approx(0.63, rel=0.4)


def test_medians_are_counted_and_marked() -> None:
    rng = np.random.default_rng(12)
    n_signal, statistic = gaussian_skies([0, 5, 20, 60], 101, 0.1, rng)
    isotropic = rng.standard_normal(5000)
    rows = median_significance(n_signal, statistic, isotropic, rng)
    assert [row.n_signal for row in rows] == [5, 20, 60]
    assert [row.extrapolated for row in rows] == [False, False, True]
    for row in rows[:2]:
        p = np.median([(1 + (isotropic >= value).sum()) / 5001 for value in statistic[n_signal == row.n_signal]])
        assert row.p == pytest.approx(p)
        assert row.sigma == pytest.approx(stats.norm.isf(p))
        assert row.sigma == pytest.approx(0.1 * row.n_signal, abs=4 * row.sigma_error)
        assert row.n == 101


def test_five_sigma_from_the_tail_is_marked() -> None:
    rng = np.random.default_rng(13)
    n_signal, statistic = gaussian_skies([10, 20, 40], 100, 0.5, rng)
    found = signal_needed(n_signal, statistic, rng.exponential(size=2000), rng)
    assert found.extrapolated
    assert 20 < found.value < 40


@pytest.mark.parametrize("slope", [0.01, 1.0])
def test_not_crossed_between_the_points_is_nan(slope: float) -> None:
    rng = np.random.default_rng(14)
    n_signal, statistic = gaussian_skies([30, 60], 50, slope, rng)
    found = signal_needed(n_signal, statistic, rng.exponential(size=2000), rng)
    assert math.isnan(found.value)
    assert math.isnan(found.error)
    assert not found.extrapolated


def test_stated_error_of_a_crossing_is_true() -> None:
    # 80 toys of 40 skies a point and 600 isotropic skies: the pull width is known to 8 %
    rng = np.random.default_rng(15)
    numbers = [10, 20, 30, 60]
    medians = significance(np.exp(-0.6 * np.array(numbers)))
    true = float(np.interp(5.0, medians, numbers))
    pulls = []
    for _ in range(80):
        n_signal, statistic = gaussian_skies(numbers, 40, 0.6, rng, 3.0)
        found = signal_needed(n_signal, statistic, rng.exponential(size=600), rng)
        assert found.extrapolated
        pulls.append((found.value - true) / found.error)
    assert 0.76 < np.std(pulls) < 1.24
    assert abs(np.mean(pulls)) < 0.4


def test_the_same_generator_gives_the_same_error() -> None:
    n_signal, statistic = gaussian_skies([10, 20, 60], 50, 0.5, np.random.default_rng(16))
    isotropic = np.random.default_rng(17).exponential(size=500)
    first, second = (signal_needed(n_signal, statistic, isotropic, np.random.default_rng(18)) for _ in range(2))
    assert first == second


def test_skies_without_numbers_or_without_signal_are_refused() -> None:
    rng = np.random.default_rng(19)
    with pytest.raises(BadInput, match="one number a sky"):
        signal_needed(np.array([1, 2]), np.ones(3), np.arange(30.0), rng)
    with pytest.raises(BadInput, match="no sky with signal"):
        signal_needed(np.zeros(3, dtype=int), np.ones(3), np.arange(30.0), rng)


# --- detectable fraction, uniformity ----------------------------------------------------------------------------------


def test_detectable_fraction_of_a_gaussian_shift_is_analytic() -> None:
    # detected above 2.326 sigma; 95 % of the skies are there at a shift of 2.326 + 1.645 = 3.971 sigma
    rng = np.random.default_rng(20)
    n_signal, statistic = gaussian_skies(list(range(30, 51, 2)), 2000, 0.1, rng)
    found = detectable_fraction(n_signal, statistic, rng.standard_normal(100_000), 1000, rng)
    assert found.value == pytest.approx(0.03971, abs=3 * found.error)
    # 5 % of 2000 skies are known to 0.5 %, over the slope 0.1 * 0.103 a cosmic ray: 0.5 cosmic rays, less by two points
    assert 0.0001 < found.error < 0.0006


def test_detectable_fraction_needs_isotropic_skies_and_a_crossing() -> None:
    rng = np.random.default_rng(21)
    n_signal, statistic = gaussian_skies([10, 20], 50, 0.01, rng)
    assert math.isnan(detectable_fraction(n_signal, statistic, rng.standard_normal(500), 1000, rng).value)
    with pytest.raises(BadInput, match="cannot give p"):
        detectable_fraction(n_signal, statistic, rng.standard_normal(50), 1000, rng)


def test_uniformity_knows_the_scatter_of_the_isotropic_skies() -> None:
    # counted in as few skies: without their scatter a third of the tests would fail at 5 %
    rng = np.random.default_rng(22)
    found = [uniformity(p_value(rng.normal(size=500), rng.normal(size=500)), 500).p for _ in range(300)]
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.04)
    wrong = uniformity(p_value(rng.normal(0.5, 1, 500), rng.normal(size=500)), 500)
    assert wrong.p < 1e-3
    assert wrong.distance == pytest.approx(2 * stats.norm.cdf(0.25) - 1, abs=0.1)
    with pytest.raises(BadInput):
        uniformity(np.array([1.1]), 10)


def test_a_fitted_tail_cannot_be_changed() -> None:
    tail = fit_tail(np.arange(100.0))
    assert isinstance(tail, Tail)
    with pytest.raises(dataclasses.FrozenInstanceError):
        tail.scale = 1.0  # type: ignore[misc]
