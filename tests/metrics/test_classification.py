"""Accuracy of the sign, AUC and ROC curve against values counted by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from cloudchamber.metrics.classification import auc, roc, sign_accuracy


def test_sign_accuracy_is_that_counted_by_hand() -> None:
    truth = np.array([-0.5, -0.2, 0.05, 0.2, 0.3, 0.4])
    said = np.array([-0.1, 0.1, -0.3, 0.2, 0.0, 0.1])  # right, wrong, not counted, right, wrong, right
    measured = sign_accuracy(truth, said, 0.1, np.random.default_rng(9))
    assert (measured.value, measured.n) == (pytest.approx(3 / 5), 5)
    assert measured.error == pytest.approx(math.sqrt(0.6 * 0.4 / 5), rel=0.1)


def test_a_perfect_score_has_an_error_and_no_record_gives_nan() -> None:
    truth = np.linspace(0.2, 0.5, 8)
    assert sign_accuracy(truth, truth, 0.1, np.random.default_rng(9)).error == pytest.approx(1 / 10)
    none = sign_accuracy(truth, truth, 1.0, np.random.default_rng(9))
    assert math.isnan(none.value)
    assert none.n == 0


def test_auc_counts_pairs_with_ties() -> None:
    rng = np.random.default_rng(10)
    truth, score = rng.integers(0, 2, 60), rng.integers(0, 8, 60).astype(float)
    pairs = [(s > b) + (s == b) / 2 for s in score[truth == 1] for b in score[truth == 0]]
    measured = auc(truth, score, rng)
    assert measured.value == pytest.approx(sum(pairs) / len(pairs))
    assert auc(truth, -score, rng).value == pytest.approx(1 - measured.value)
    assert auc(truth == 1, score, rng).value == measured.value


def test_auc_of_gaussians_and_its_error() -> None:
    # N(1, 1) against N(0, 1): Phi(1 / sqrt 2) = 0.7602; the error of Hanley and McNeil (1982) is 0.0236 at 200 each
    rng = np.random.default_rng(11)
    truth = np.repeat([0, 1], 200)
    measured = auc(truth, truth + rng.standard_normal(400), rng)
    assert measured.value == pytest.approx(stats.norm.cdf(1 / math.sqrt(2)), abs=3 * measured.error)
    assert measured.error == pytest.approx(0.0236, rel=0.15)


def test_auc_of_one_class_is_nan() -> None:
    assert math.isnan(auc(np.ones(5), np.arange(5.0), np.random.default_rng(12)).value)


def test_roc_curve_counted_at_each_threshold() -> None:
    rng = np.random.default_rng(13)
    truth, score = rng.integers(0, 2, 80), rng.integers(0, 12, 80).astype(float)
    background, signal = roc(truth, score)
    slow = [(0.0, 0.0)]
    slow += [((score[truth == 0] >= cut).mean(), (score[truth == 1] >= cut).mean()) for cut in sorted(set(score))[::-1]]
    assert np.stack([background, signal], axis=1) == pytest.approx(np.array(slow))
    assert np.trapezoid(signal, background) == pytest.approx(auc(truth, score, rng).value)
