"""Metrics of regression against values worked out by hand."""

import math

import numpy as np
import pytest

from cloudchamber.metrics.regression import bias, mae, r2

TRUTH = np.array([0.0, 1.0, 2.0, 3.0])
SAID = np.array([0.0, 1.0, 2.0, 5.0])


def rng() -> np.random.Generator:
    return np.random.default_rng(6)


def test_r2_mae_and_bias_are_those_by_hand() -> None:
    # squares of the errors sum to 4, of the truth about 1.5 to 2.25 + 0.25 + 0.25 + 2.25 = 5
    assert r2(TRUTH, SAID, rng()).value == pytest.approx(1 - 4 / 5)
    assert mae(TRUTH, SAID, rng()).value == pytest.approx(0.5)
    assert bias(TRUTH, SAID, rng()).value == pytest.approx(0.5)
    assert r2(TRUTH, SAID, rng()).n == 4


def test_constant_prediction_scores_no_more_than_zero() -> None:
    assert r2(TRUTH, np.full(4, 1.5), rng()).value == pytest.approx(0.0)
    assert r2(TRUTH, np.full(4, 1.0), rng()).value < 0


def test_bootstrap_error_of_a_mean_is_the_standard_error() -> None:
    errors = np.random.default_rng(7).normal(0, 2, 500)
    measured = bias(np.zeros(500), errors, rng())
    assert measured.error == pytest.approx(errors.std() / math.sqrt(500), rel=0.1)


def test_same_generator_gives_the_same_error() -> None:
    assert mae(TRUTH, SAID, rng()) == mae(TRUTH, SAID, rng())


def test_too_few_records_give_nan_and_no_crash() -> None:
    one = r2(np.ones(1), np.ones(1), rng())
    assert math.isnan(one.value)
    assert math.isnan(one.error)
    assert one.n == 1
    none = mae(np.ones(0), np.ones(0), rng())
    assert math.isnan(none.value)
    assert none.n == 0
