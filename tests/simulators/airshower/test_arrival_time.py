"""Arrival times: behind the plane, curved front, first of n earlier than the mean, muons before electrons."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cloudchamber.simulators.airshower.arrival_time import electromagnetic_front, electromagnetic_median, muon_delay
from cloudchamber.simulators.airshower.surface_array import LIGHT

GROUND, XMAX = 1400.0, 780.0


def delays(r: float, n: int = 3000, along: float = 0.0, cosine: float = 0.8) -> np.ndarray:
    rng = np.random.default_rng(4)
    return np.array([muon_delay(r, along, XMAX, cosine, GROUND, rng) for _ in range(n)])


def test_no_muon_is_faster_than_light() -> None:
    assert delays(1000.0).min() > 0


def test_muon_delay_grows_with_the_square_of_the_distance() -> None:
    near, far = np.median(delays(500.0)), np.median(delays(1000.0))
    assert 3 < far / near < 5  # r^2 / 2 l: four, but the kinematic part grows more slowly, the near muons are harder


def test_radius_of_curvature_is_that_of_showers() -> None:
    # r^2 / (2 c t): the earliest muons come from high up, 5 to 15 km at these angles
    radius = 1000.0**2 / (2 * LIGHT * np.median(delays(1000.0)))
    assert 4e3 < radius < 15e3


def test_stations_farther_down_the_axis_see_a_flatter_front() -> None:
    early, late = np.median(delays(1000.0, along=2000.0)), np.median(delays(1000.0, along=-2000.0))
    assert late < early


def test_electromagnetic_front_is_the_way_from_a_point() -> None:
    found = electromagnetic_front(1000.0, 0.0, XMAX, 1.0, GROUND)
    away = 1000.0**2 / (2 * LIGHT * found)  # nearly
    assert 4e3 < away < 9e3  # half of the depth of the maximum lies some 6 km above the array
    way = (found * LIGHT) ** 2 + 2 * found * LIGHT * (1000.0**2 - (found * LIGHT) ** 2) / (2 * found * LIGHT)
    assert math.sqrt(way) == pytest.approx(1000.0)


def test_deep_showers_have_thinner_disks() -> None:
    assert electromagnetic_median(1000.0, 900.0) < electromagnetic_median(1000.0, 100.0)
    assert electromagnetic_median(1500.0, 300.0) > electromagnetic_median(750.0, 300.0)
