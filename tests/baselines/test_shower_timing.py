"""The model of start times on times that were made by such a model."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cloudchamber.baselines.shower_front import Curvature, front_delays
from cloudchamber.baselines.shower_lateral import from_axis
from cloudchamber.baselines.shower_stations import RISETIME, SIGNAL, T50
from cloudchamber.baselines.shower_timing import learn_start_times, quadratic
from cloudchamber.data.surface_array import STATUS, TIME
from cloudchamber.simulators.airshower.showers import axes
from cloudchamber.simulators.airshower.surface_array import ShowerOptions, offset_grid

Floats = NDArray[np.float64]

CURVATURE, SPREAD = 1.1e-4, 0.1


def delays(r: Floats, signal: Floats) -> Floats:
    """Later far away, and where there is little."""
    return r / 1000 * (60 - 30 * np.log(signal / 10))


def noise(r: Floats, signal: Floats) -> Floats:
    return np.asarray(50 * (r / 1000) ** 1.2 * (signal / 10) ** -0.3)


def late_fronts(count: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """Stations, axes and cores of spheres whose curvature varies, with those delays and that noise."""
    rng = np.random.default_rng(seed)
    array = offset_grid(ShowerOptions())
    axis = axes(np.arccos(np.sqrt(1 - 0.75 * rng.random(count))), rng.uniform(-np.pi, np.pi, count))[:, :2].copy()
    core = rng.uniform(-500, 500, (count, 2))
    stations = np.zeros((count, len(array), 9))
    stations[..., :3] = array
    r, _ = from_axis(stations, axis, core)
    stations[..., STATUS] = (r < 2500) & (rng.random(r.shape) < 0.9)
    signal = 20 * (r / 1000) ** -2.5 * np.exp(0.7 * rng.standard_normal(r.shape))
    stations[..., SIGNAL] = signal
    stations[..., T50] = 200 * np.exp(0.3 * rng.standard_normal(r.shape))
    stations[..., RISETIME] = stations[..., T50] * rng.uniform(0.3, 0.7, r.shape)
    bent = CURVATURE * (1 + SPREAD * rng.standard_normal(count))
    times, _ = front_delays(stations, axis, core, bent)
    times = times + delays(r, signal) + noise(r, signal) * rng.standard_normal(r.shape)
    stations[..., TIME] = np.where(stations[..., STATUS] == 1, times + 1e4, 0)
    return stations, axis, core


def test_delays_and_variances_that_were_put_in_are_learned() -> None:
    stations, axis, core = late_fronts(1200, 1)
    model, curvature = learn_start_times(stations, axis, core, Curvature(CURVATURE, 0.0, 0.0, 0.3))
    stations, axis, core = late_fronts(300, 2)
    times, variance = model.of(stations, axis, core)
    used = np.isfinite(variance)
    np.testing.assert_array_equal(used, stations[..., STATUS] == 1)
    r, _ = from_axis(stations, axis, core)
    wrong = (stations[..., TIME] - times - delays(r, stations[..., SIGNAL]))[used]
    # relative to the common time, which is free; 1e4 stations know 28 coefficients to a few ns
    assert np.abs(wrong - np.median(wrong)).mean() < 8
    ratio = np.sqrt(variance[used]) / noise(r, stations[..., SIGNAL])[used]
    assert np.median(ratio) == pytest.approx(1, abs=0.05)
    assert np.quantile(np.abs(np.log(ratio)), 0.9) < 0.3
    assert curvature.spread == pytest.approx(SPREAD, abs=0.03)


def test_beyond_the_training_range_times_stay_those_of_its_end() -> None:
    stations, axis, core = late_fronts(200, 3)
    model, _ = learn_start_times(stations, axis, core, Curvature(CURVATURE, 0.0, 0.0, 0.1))
    strange = stations.copy()
    strange[..., SIGNAL] = 1e9
    end = stations.copy()
    end[..., SIGNAL] = 10 * np.exp(model.high[1])
    np.testing.assert_allclose(model.of(strange, axis, core)[0], model.of(end, axis, core)[0])
    strange[..., T50] = 0.0
    assert np.isfinite(model.of(strange, axis, core)[0]).all()


def test_a_quadratic_has_every_product_once() -> None:
    values = np.array([[2.0, 3.0, 5.0]])
    assert sorted(quadratic(values)[0]) == [1, 2, 3, 4, 5, 6, 9, 10, 15, 25]
