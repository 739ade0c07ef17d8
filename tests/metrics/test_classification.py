"""Accuracy of the sign against values counted by hand."""

import math

import numpy as np
import pytest

from cloudchamber.metrics.classification import sign_accuracy


def test_counted_by_hand() -> None:
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
