"""Plane and sphere fits on fronts that are exactly known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from cloudchamber.baselines.shower_front import (
    STEEPEST,
    Front,
    Timing,
    front_delays,
    learn_timing,
    plane_fit,
    sphere_fit,
    upward,
)
from cloudchamber.baselines.shower_stations import SIGNAL, T50
from cloudchamber.data.surface_array import STATUS, TIME
from cloudchamber.simulators.airshower.showers import axes
from cloudchamber.simulators.airshower.surface_array import LIGHT, ShowerOptions, offset_grid

Floats = NDArray[np.float64]


class Toy(NamedTuple):
    """Stations, and what is true of their showers."""

    stations: Floats
    axis: Floats
    core: Floats


def fronts(count: int, seed: int, radius: float, within: float = 2600.0, hills: float = 0.0) -> Toy:
    """Exact fronts that start from a point up the axis (a plane for a radius of 1e9 m), 9 to 21 stations a shower."""
    rng = np.random.default_rng(seed)
    array = offset_grid(ShowerOptions())
    array[:, 2] = hills * rng.standard_normal(len(array))
    zenith, azimuth = np.arccos(np.sqrt(1 - 0.75 * rng.random(count))), rng.uniform(-np.pi, np.pi, count)
    axis = axes(zenith, azimuth)
    core = np.zeros((count, 3))
    core[:, :2] = rng.uniform(-500, 500, (count, 2))
    apart = array - core[:, None]
    along = (apart * axis[:, None]).sum(axis=2)
    r = np.sqrt(np.square(apart).sum(axis=2) - along**2)
    stations = np.zeros((count, len(array), 9))
    stations[..., :3] = array
    stations[..., STATUS] = r < within
    if radius > 1e8:
        times = -along / LIGHT
    else:
        times = (np.linalg.norm(array - core[:, None] - radius * axis[:, None], axis=2) - radius) / LIGHT
    stations[..., TIME] = np.where(r < within, times + 1e4, 0)
    stations[..., SIGNAL], stations[..., T50] = 100.0, 200.0
    return Toy(stations, axis[:, :2].copy(), core[:, :2].copy())


def degrees(one: Floats, other: Floats) -> Floats:
    return np.degrees(np.linalg.norm(upward(one) - upward(other), axis=1))


def sphere(toy: Toy, timing: Timing, spread: float = np.inf, curvature: float = 1e-5) -> Front:
    count = np.ones(len(toy.axis))
    start = plane_fit(toy.stations, timing).axis
    return sphere_fit(toy.stations, *timing.of(toy.stations), start, toy.core, curvature * count, spread * count)


@pytest.mark.parametrize("timing", [None, Timing()])
def test_a_plane_front_without_noise_gives_the_exact_axis(timing: Timing | None) -> None:
    toy = fronts(50, 1, 1e9)
    np.testing.assert_allclose(plane_fit(toy.stations, timing).axis, toy.axis, atol=1e-9)


def test_heights_of_stations_do_not_bend_a_plane() -> None:
    toy = fronts(50, 1, 1e9, hills=20.0)
    # the fit iterates in the vertical component: 20 m over 5 km converge by a factor of more than 20 a round
    np.testing.assert_allclose(plane_fit(toy.stations).axis, toy.axis, atol=1e-6)


def test_a_sphere_without_noise_is_recovered_and_a_plane_is_off() -> None:
    toy = fronts(50, 2, 8000.0)
    found = sphere(toy, Timing())
    np.testing.assert_allclose(found.axis, toy.axis, atol=1e-8)
    np.testing.assert_allclose(found.curvature, 1 / 8000, rtol=1e-6)
    assert np.median(degrees(plane_fit(toy.stations).axis, toy.axis)) > 1.0  # degrees


def test_the_time_of_a_sphere_and_its_slope_are_those_of_geometry() -> None:
    toy = fronts(5, 3, 8000.0)
    times, slopes = front_delays(toy.stations, toy.axis, toy.core, np.full(5, 1 / 8000))
    used = toy.stations[..., STATUS] == 1
    np.testing.assert_allclose((times + 1e4)[used], toy.stations[..., TIME][used], atol=1e-6)
    above, _ = front_delays(toy.stations, toy.axis, toy.core, np.full(5, 1 / 8000 + 1e-8))
    below, _ = front_delays(toy.stations, toy.axis, toy.core, np.full(5, 1 / 8000 - 1e-8))
    np.testing.assert_allclose((above - below)[used] / 2e-8, slopes[used], rtol=1e-4)


def test_weights_help_where_stations_differ_and_errors_are_right() -> None:
    toy = fronts(1500, 4, 1e9)
    rng = np.random.default_rng(5)
    toy.stations[..., SIGNAL] = np.exp(rng.uniform(0, 5, toy.stations.shape[:2]))
    timing = Timing(a=1.0, b=15.0, nu=0.5)
    _, variance = timing.of(toy.stations)
    noise = np.sqrt(np.where(np.isfinite(variance), variance, 0)) * rng.standard_normal(variance.shape)
    toy.stations[..., TIME] += noise
    weighted, plain = plane_fit(toy.stations, timing), plane_fit(toy.stations)
    assert degrees(weighted.axis, toy.axis).mean() < 0.8 * degrees(plain.axis, toy.axis).mean()
    off = weighted.axis - toy.axis
    chi2 = np.einsum("si,sij,sj->s", off, np.linalg.inv(weighted.covariance), off)
    assert chi2.mean() == pytest.approx(2, abs=0.2)  # chi2 of 2: error of the mean 2 / sqrt(1500) = 0.05


def test_errors_of_a_noisy_sphere_are_those_of_the_fit() -> None:
    toy = fronts(1500, 6, 9000.0)
    toy.stations[..., TIME] += 30 * np.random.default_rng(7).standard_normal(toy.stations.shape[:2])
    found = sphere(toy, Timing(a=0.0, b=30.0))
    off = found.axis - toy.axis
    chi2 = np.einsum("si,sij,sj->s", off, np.linalg.inv(found.covariance), off)
    assert chi2.mean() == pytest.approx(2, abs=0.2)  # as above
    pull = (found.curvature - 1 / 9000) / np.sqrt(found.curvature_variance)
    assert pull.std() == pytest.approx(1, abs=0.08)  # 1 / sqrt(3000) = 0.02


def test_a_narrow_constraint_keeps_the_curvature_and_a_wide_one_leaves_it() -> None:
    toy = fronts(20, 8, 9000.0)
    timing = Timing(a=0.0, b=30.0)
    np.testing.assert_allclose(sphere(toy, timing, 1e-12, 5e-5).curvature, 5e-5, rtol=1e-3)
    np.testing.assert_allclose(sphere(toy, timing, 1.0, 5e-5).curvature, 1 / 9000, rtol=1e-3)


def test_the_variance_and_curvature_that_were_put_in_are_learned() -> None:
    toy = fronts(800, 9, 9000.0)
    rng = np.random.default_rng(10)
    toy.stations[..., SIGNAL] = np.exp(rng.uniform(0, 6, toy.stations.shape[:2]))
    true = Timing(a=1.5, b=20.0, nu=0.5)
    variance = true.of(toy.stations)[1]
    toy.stations[..., TIME] += np.sqrt(np.where(np.isfinite(variance), variance, 0)) * rng.standard_normal(
        variance.shape
    )
    timing, curvature = learn_timing(toy.stations, toy.axis, toy.core, curved=True)
    said = timing.of(toy.stations)[1]
    used = np.isfinite(variance)
    # a and nu trade against each other; the variance itself is known from 1e4 stations
    np.testing.assert_allclose(np.sqrt(said[used]), np.sqrt(variance[used]), rtol=0.15)
    mean, spread = curvature.of(toy.axis)
    np.testing.assert_allclose(mean, 1 / 9000, rtol=0.03)
    assert (spread < 0.1 * mean).all()  # all radii are the same


def test_three_stations_on_a_line_have_a_finite_answer_with_a_large_error() -> None:
    toy = fronts(1, 11, 1e9)
    toy.stations[..., STATUS] = 0
    toy.stations[:, 40:43, STATUS] = 1  # neighbours in one row
    for front in (plane_fit(toy.stations), plane_fit(toy.stations, Timing()), sphere(toy, Timing(), 1e-5, 1e-4)):
        assert np.isfinite(front.axis).all()
        assert np.isfinite(front.covariance).all()
        assert front.axis[0, 0] == pytest.approx(toy.axis[0, 0], abs=0.2)  # along the row it is known
    assert np.sqrt(plane_fit(toy.stations).covariance[0, 1, 1]) > 0.4


def test_times_faster_than_light_still_give_a_direction() -> None:
    toy = fronts(30, 12, 1e9)
    toy.stations[..., TIME] = np.random.default_rng(13).uniform(0, 4e4, toy.stations.shape[:2])
    for front in (plane_fit(toy.stations), sphere(toy, Timing())):
        assert np.isfinite(front.axis).all()
        assert (np.hypot(*front.axis.T) <= STEEPEST + 1e-9).all()
