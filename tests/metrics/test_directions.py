"""Angles between directions against known ones."""

import math

import numpy as np
import pytest

from cloudchamber.metrics.directions import angular_distance, median_distance


def circle(degrees: list[float]) -> np.ndarray:
    """Unit vectors on the equator."""
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=1)


def test_known_angles_also_tiny_and_flat_ones_of_any_length() -> None:
    angles = [0.0, 1e-7, 30.0, 90.0, 179.9999999, 180.0]
    found = angular_distance(2 * circle([10.0] * 6), 0.5 * circle([10.0 + angle for angle in angles]))
    assert found == pytest.approx(angles, rel=1e-6, abs=1e-12)


def test_angles_are_those_of_the_arc_cosine() -> None:
    first, second = np.random.default_rng(1).normal(size=(2, 50, 3))
    slow = [math.degrees(math.acos(a @ b / math.sqrt((a @ a) * (b @ b)))) for a, b in zip(first, second, strict=True)]
    assert angular_distance(first, second) == pytest.approx(slow, rel=1e-9)


def test_no_direction_is_nan_and_left_out() -> None:
    true = circle([0.0] * 5)
    said = circle([1.0, 2.0, 3.0, 0.0, 0.0])
    said[3], said[4] = np.nan, 0.0
    assert np.isnan(angular_distance(true, said)[3:]).all()
    measured = median_distance(true, said, np.random.default_rng(2))
    assert measured.value == pytest.approx(2.0)
    assert measured.n == 3
    assert 0 < measured.error < 1
    none = median_distance(true, np.full((5, 3), np.nan), np.random.default_rng(2))
    assert math.isnan(none.value)
    assert none.n == 0


def test_error_of_the_median_is_that_of_the_formula() -> None:
    # of an exponential: 1 / (2 f sqrt(n)) with f = 1/2 at the median, so scale / sqrt(n)
    angles = 3 * np.random.default_rng(3).exponential(size=900)
    measured = median_distance(circle([0.0] * 900), circle(list(angles)), np.random.default_rng(4))
    assert measured.error == pytest.approx(3 / 30, rel=0.3)
