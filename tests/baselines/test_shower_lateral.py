"""The lateral distribution and the energy on signals drawn from what the fit supposes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from cloudchamber.baselines.shower_lateral import (
    Calibration,
    Lateral,
    Size,
    from_axis,
    lateral_fit,
    lateral_signals,
    learn_energy,
    learn_lateral,
    secant_of,
)
from cloudchamber.baselines.shower_stations import SIGNAL
from cloudchamber.data.surface_array import DEAD, SATURATED, STATUS, TRIGGERED
from cloudchamber.simulators.airshower.showers import axes
from cloudchamber.simulators.airshower.surface_array import ShowerOptions, offset_grid

Floats = NDArray[np.float64]

LATERAL = Lateral(mean=-2.3, tilt=0.9, growth=-0.03, spread=0.1, gamma=-0.1, a=0.4, b=0.4, c=0.05, early=0.05, quiet=3)


class Toy(NamedTuple):
    """Stations, and what is true of their showers."""

    stations: Floats
    axis: Floats
    core: Floats
    log_size: Floats


def signals(count: int, seed: int, clip: float = np.inf, sizes: tuple[float, float] = (15.0, 300.0)) -> Toy:
    """Showers with negative binomial signals about the lateral distribution; those above ``clip`` are saturated."""
    rng = np.random.default_rng(seed)
    array = offset_grid(ShowerOptions())
    axis = axes(np.arccos(np.sqrt(1 - 0.75 * rng.random(count))), rng.uniform(-np.pi, np.pi, count))[:, :2]
    core = rng.uniform(-500, 500, (count, 2))
    log_size, secant = rng.uniform(*np.log(sizes), count), secant_of(axis)
    stations = np.zeros((count, len(array), 9))
    stations[..., :3] = array
    beta = LATERAL.beta(secant, log_size) + LATERAL.spread * rng.standard_normal(count)
    size = Size(core, log_size, beta, np.zeros((count, 4, 4)), np.zeros(count))
    poisson = (LATERAL.a + LATERAL.b * secant[:, None]) ** 2
    mean = lateral_signals(stations, axis, size, LATERAL) / poisson
    number = rng.poisson(mean * rng.gamma(1 / LATERAL.c**2, LATERAL.c**2, mean.shape))
    triggered, signal = number > LATERAL.quiet, number * poisson
    stations[..., STATUS] = triggered
    stations[..., SATURATED] = triggered & (signal > clip)
    stations[..., SIGNAL] = np.where(triggered, np.minimum(signal, clip), 0)
    kept = triggered.sum(axis=1) >= 3
    return Toy(stations[kept], axis[kept], core[kept], log_size[kept])


def pulls(toy: Toy, size: Size) -> Floats:
    errors = np.sqrt(np.diagonal(size.covariance, axis1=1, axis2=2))[:, :3]
    return np.column_stack([size.core - toy.core, size.log_size - toy.log_size]) / errors


@pytest.mark.parametrize("clip", [np.inf, 1500.0])
def test_core_and_size_are_recovered_within_their_errors(clip: float) -> None:
    toy = signals(1500, 1, clip)
    if np.isfinite(clip):
        assert 0.2 < toy.stations[..., SATURATED].any(axis=1).mean() < 0.6
    found = pulls(toy, lateral_fit(toy.stations, toy.axis, LATERAL))
    # errors of mean and width are 0.026 and 0.018; four of them, and what is not Gaussian with few stations
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.12)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=0.12)


def test_the_fit_ends_where_it_would_have_ended_from_the_truth() -> None:
    toy = signals(300, 2, 1500.0)
    free = lateral_fit(toy.stations, toy.axis, LATERAL)
    held = lateral_fit(toy.stations, toy.axis, LATERAL, toy.core)
    assert (free.surprise <= held.surprise + 1e-6).all()  # the true core is never better than the best one
    assert (held.surprise - free.surprise).mean() == pytest.approx(1, abs=0.3)  # half a chi2 of two


def test_a_saturated_station_is_a_lower_limit_not_a_signal() -> None:
    toy = signals(400, 3, 300.0)
    right = lateral_fit(toy.stations, toy.axis, LATERAL)
    wrong = toy.stations.copy()
    wrong[..., SATURATED] = 0
    mistaken = lateral_fit(wrong, toy.axis, LATERAL)
    far = [np.median(np.hypot(*(size.core - toy.core).T)) for size in (right, mistaken)]
    assert far[0] < 0.7 * far[1]


def test_silent_stations_hold_the_core_back() -> None:
    toy = signals(1000, 4, 300.0, (4.0, 10.0))
    silent = toy.stations[..., STATUS] != TRIGGERED
    ignored = toy.stations.copy()
    ignored[..., STATUS][silent] = DEAD
    far = [
        np.quantile(np.hypot(*(lateral_fit(stations, toy.axis, LATERAL).core - toy.core).T), 0.95)
        for stations in (toy.stations, ignored)
    ]
    assert far[0] < 0.8 * far[1]


def test_dead_stations_say_nothing() -> None:
    toy = signals(50, 4)
    toy.stations[:, 30:50, STATUS] = DEAD
    fewer = np.delete(toy.stations, np.arange(30, 50), axis=1)
    dead, absent = (lateral_fit(stations, toy.axis, LATERAL) for stations in (toy.stations, fewer))
    kept = (toy.stations[..., STATUS] == TRIGGERED).sum(axis=1) >= 3
    np.testing.assert_allclose(dead.surprise[kept], absent.surprise[kept], atol=1e-6)


def test_the_distribution_that_was_put_in_is_learned() -> None:
    toy = signals(1200, 5)
    learned = learn_lateral(toy.stations, toy.axis, toy.core)
    r = np.array([300.0, 600.0, 1000.0, 1500.0])
    for secant, log_size in ((1.05, 3.5), (1.3, 4.0), (1.8, 4.5)):
        shapes = []
        for lateral in (LATERAL, learned):
            beta = lateral.beta(np.array([secant]), np.array([log_size]))
            shapes.append(beta * np.log(r / 1000) + (beta + lateral.gamma) * np.log((r + 700) / 1700))
        # beta and gamma trade against each other; their sum decides, which is known to about a per cent
        np.testing.assert_allclose(shapes[1], shapes[0], atol=0.05)
        widths = [lateral.a + lateral.b * secant for lateral in (LATERAL, learned)]
        assert widths[1] == pytest.approx(widths[0], rel=0.08)
    assert learned.spread == pytest.approx(LATERAL.spread, abs=0.02)
    assert learned.c == pytest.approx(LATERAL.c, abs=0.02)
    assert learned.earliness(np.array([1.4]))[0] == pytest.approx(LATERAL.early, abs=0.02)
    assert abs(learned.quiet - LATERAL.quiet) <= 1


def test_distances_are_those_in_the_plane_of_the_shower() -> None:
    stations = np.zeros((1, 2, 9))
    stations[0, 1, :3] = 1000, 0, 0
    axis = np.array([[math.sin(math.radians(60)), 0.0]])
    r, along = from_axis(stations, axis, np.zeros((1, 2)))
    assert r[0, 1] == pytest.approx(500, abs=1)  # 20 m of softening
    assert along[0, 1] == pytest.approx(866, abs=1)


def test_an_attenuation_that_was_put_in_is_found_by_the_energy() -> None:
    rng = np.random.default_rng(6)
    true = Calibration(lg_a=17.2, b=1.05, p=0.9, q=-1.3, r=-1.0)
    axis = axes(np.arccos(np.sqrt(1 - 0.75 * rng.random(3000))), rng.uniform(-np.pi, np.pi, 3000))[:, :2]
    log_size = rng.uniform(2.5, 6, 3000)
    lg_energy = true.lg_energy(log_size, axis) + 0.03 * rng.standard_normal(3000)
    lg_energy[:30] += 1  # outliers
    found = learn_energy(log_size, axis, lg_energy)
    assert found.b == pytest.approx(true.b, abs=0.01)
    np.testing.assert_allclose(found.attenuation(axis), true.attenuation(axis), rtol=0.03)
    np.testing.assert_allclose(found.lg_energy(log_size, axis), true.lg_energy(log_size, axis), atol=0.01)


def test_nonsense_signals_still_give_finite_answers() -> None:
    rng = np.random.default_rng(7)
    toy = signals(60, 8)
    toy.stations[..., STATUS] = rng.integers(-1, 2, toy.stations.shape[:2])
    toy.stations[..., SIGNAL] = np.exp(rng.uniform(-3, 14, toy.stations.shape[:2]))
    toy.stations[..., SATURATED] = rng.random(toy.stations.shape[:2]) < 0.3
    size = lateral_fit(toy.stations, toy.axis, LATERAL)
    for values in size:
        assert np.isfinite(values).all()
