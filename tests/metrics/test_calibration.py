"""Coverage: known intervals, known pulls."""

import math

import numpy as np
import pytest

from cloudchamber.metrics.calibration import calibrating_factor, coverage, coverage_curve, half_width, pull_width


def test_half_widths_of_a_gaussian_are_its_sigmas() -> None:
    assert half_width(0.6826895) == pytest.approx(1, abs=1e-6)
    assert half_width(0.9544997) == pytest.approx(2, abs=1e-5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        half_width(1.0)


def test_coverage_and_pull_width_are_those_counted_by_hand() -> None:
    truth, mean, std = np.array([0.0, 0.0, 0.0, 0.0]), np.array([0.5, -0.9, 1.1, 3.0]), np.ones(4)
    assert coverage(truth, mean, std, 0.6826895).value == pytest.approx(0.5)
    assert coverage(truth, mean, std, 0.9544997).value == pytest.approx(0.75)
    assert coverage(truth, mean, 10 * std, 0.68).error > 0
    assert pull_width(truth, mean, std).value == pytest.approx(math.sqrt((0.25 + 0.81 + 1.21 + 9) / 4))


def test_true_gaussians_lie_on_the_diagonal() -> None:
    rng = np.random.default_rng(10)
    std = rng.uniform(0.5, 2, 20_000)
    truth = rng.normal(0, std)
    levels = np.array([0.1, 0.5, 0.68, 0.95])
    np.testing.assert_allclose(coverage_curve(truth, np.zeros(20_000), std, levels), levels, atol=0.015)
    assert pull_width(truth, np.zeros(20_000), std).value == pytest.approx(1, abs=0.02)


def test_stated_error_of_a_pull_width_is_its_scatter() -> None:
    found = [
        pull_width(truth, np.zeros(200), np.ones(200)) for truth in np.random.default_rng(12).normal(size=(2000, 200))
    ]
    # the scatter of 2000 widths is known to 1 / sqrt(4000) = 1.6 %
    assert np.mean([one.error for one in found]) == pytest.approx(np.std([one.value for one in found]), rel=0.06)


def test_no_records_have_no_calibration() -> None:
    assert math.isnan(coverage(np.ones(0), np.ones(0), np.ones(0), 0.5).value)
    assert math.isnan(pull_width(np.ones(0), np.ones(0), np.ones(0)).value)


def test_calibrating_factor_undoes_a_wrong_scale_and_bears_outliers() -> None:
    rng = np.random.default_rng(11)
    std = rng.uniform(0.5, 2, 5000)
    truth = rng.normal(0, std)
    truth[:100] *= 20  # the root mean square of the pulls becomes 3
    factor = calibrating_factor(truth, np.zeros(5000), std / 2)
    assert factor == pytest.approx(2, rel=0.05)
    assert coverage(truth, np.zeros(5000), factor * std / 2, 0.68).value == pytest.approx(0.68, abs=0.02)
