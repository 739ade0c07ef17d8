"""Depths of the maximum from risetimes and curvatures that depend on them as the method supposes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from cloudchamber.baselines.shower_lateral import from_axis, secant_of
from cloudchamber.baselines.shower_risetime import SPREAD, Bend, Risetime, learn_risetime
from cloudchamber.baselines.shower_stations import RISETIME, SIGNAL
from cloudchamber.data.surface_array import SATURATED, STATUS
from cloudchamber.simulators.airshower.showers import axes
from cloudchamber.simulators.airshower.surface_array import ShowerOptions, offset_grid

Floats = NDArray[np.float64]


class Toy(NamedTuple):
    """Showers whose risetimes grow with Xmax."""

    stations: Floats
    axis: Floats
    core: Floats
    lg_energy: Floats
    bend: Bend
    xmax: Floats


def showers(count: int, seed: int) -> Toy:
    """Risetimes rise by 20 % of those of the benchmark a SPREAD of Xmax, the curvature by half of its spread."""
    rng = np.random.default_rng(seed)
    array = offset_grid(ShowerOptions())
    axis = axes(np.arccos(np.sqrt(1 - 0.75 * rng.random(count))), rng.uniform(-np.pi, np.pi, count))[:, :2]
    core = rng.uniform(-500, 500, (count, 2))
    lg_energy = rng.uniform(18.5, 20, count)
    beyond = rng.standard_normal(count)
    stations = np.zeros((count, len(array), 9))
    stations[..., :3] = array
    r, _ = from_axis(stations, axis, core)
    stations[..., SIGNAL] = 20 * 10 ** (lg_energy - 19)[:, None] * (r / 1000) ** -2.5
    stations[..., STATUS] = stations[..., SIGNAL] > 4
    mean = 40 + np.sqrt(100**2 + (250 * r / 1000) ** 2) - 100
    width = np.sqrt(15**2 + 150**2 / stations[..., SIGNAL])
    stations[..., RISETIME] = mean * (1 + 0.2 * beyond[:, None]) + width * rng.standard_normal(r.shape)
    known = rng.uniform(0.1, 0.9, count)
    curved = 0.5 * beyond + np.sqrt(0.75) * rng.standard_normal(count)
    measured = curved + np.sqrt(1 / known - 1) * rng.standard_normal(count)
    xmax = 760 + 55 * (lg_energy - 19) + SPREAD * beyond
    return Toy(stations, axis, core, lg_energy, Bend(known * measured, known), xmax)


@pytest.fixture(scope="module")
def learned() -> Risetime:
    return learn_risetime(*showers(1500, 1))


def test_depths_are_found_with_the_stated_errors(learned: Risetime) -> None:
    toy = showers(1000, 2)
    found, error = learned.xmax(*toy[:5])
    pull = (found - toy.xmax) / error
    assert pull.mean() == pytest.approx(0, abs=0.15)  # error of the mean 0.03
    assert pull.std() == pytest.approx(1, abs=0.15)
    assert np.std(found - toy.xmax) < 0.5 * SPREAD


def test_the_curvature_of_the_front_helps_where_it_is_known(learned: Risetime) -> None:
    toy = showers(1000, 3)
    nothing = Bend(np.zeros(1000), np.zeros(1000))
    stations = toy.stations.copy()
    stations[..., STATUS] = 0
    with_it, error = learned.xmax(stations, *toy[1:5])
    without, larger = learned.xmax(stations, *toy[1:4], nothing)
    assert learned.bend_sensitivity == pytest.approx(0.5, abs=0.1)
    assert np.std(with_it - toy.xmax) < 0.95 * np.std(without - toy.xmax)
    assert (error < larger).all()


def test_without_stations_the_depth_is_the_mean_for_the_energy(learned: Risetime) -> None:
    toy = showers(200, 4)
    toy.stations[..., SATURATED] = 1  # no risetime
    found, error = learned.xmax(*toy[:4], Bend(np.zeros(200), np.zeros(200)))
    np.testing.assert_allclose(found, 760 + 55 * (toy.lg_energy - 19), atol=8)  # 50 / sqrt(1500) = 1.3
    np.testing.assert_allclose(error, SPREAD, rtol=1e-5)


def test_the_benchmark_is_the_mean_risetime(learned: Risetime) -> None:
    toy = showers(1, 5)
    assert secant_of(toy.axis).shape == (1,)
    r = np.array([0.6, 1.0, 1.5])
    a, b = np.exp(learned.benchmark[0]), np.exp(learned.benchmark[3])
    said = 40 + np.sqrt(a**2 + (b * r) ** 2) - a
    np.testing.assert_allclose(said, 40 + np.sqrt(100**2 + (250 * r) ** 2) - 100, rtol=0.07)
