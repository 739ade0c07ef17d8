"""The bootstrap against standard errors that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cloudchamber.metrics.measured import bootstrap


def test_error_of_a_mean_is_the_standard_error() -> None:
    values = np.random.default_rng(7).normal(3, 2, 500)
    found = bootstrap(lambda _, one: float(one.mean()), np.zeros(500), values, np.random.default_rng(6))
    assert found.value == pytest.approx(values.mean())
    assert found.error == pytest.approx(values.std() / math.sqrt(500), rel=0.1)
    assert found.n == 500


def test_groups_are_drawn_together() -> None:
    values = np.repeat(np.random.default_rng(8).normal(0, 1, 50), 20)  # twenty copies of the same value
    alone, grouped = (
        bootstrap(lambda _, one: float(one.mean()), np.zeros(1000), values, np.random.default_rng(6), groups)
        for groups in (None, np.repeat(np.arange(50), 20))
    )
    assert grouped.value == pytest.approx(alone.value)
    assert grouped.error == pytest.approx(math.sqrt(20) * alone.error, rel=0.25)


def test_degenerate_samples_are_left_out() -> None:
    """The statistic is nan where the one large value is missing, in 1/e of the samples."""
    values = np.array([*np.zeros(99), 1.0])
    found = bootstrap(lambda _, one: 1.0 if one.max() > 0 else float("nan"), values, values, np.random.default_rng(6))
    assert (found.value, found.error) == (1.0, 0.0)


def test_truth_and_prediction_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="must be"):
        bootstrap(lambda true, said: 0.0, np.ones(3), np.ones((3, 1)), np.random.default_rng(6))
