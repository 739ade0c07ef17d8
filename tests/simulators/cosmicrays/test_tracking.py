"""Backtracking: a slow integrator, the straight-line limit, mean deflections, and the parts of the fields."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from cloudchamber.schema import BadInput
from cloudchamber.simulators.cosmicrays import jf12, uf23
from cloudchamber.simulators.cosmicrays.lens import pixel_centres
from cloudchamber.simulators.cosmicrays.tracking import FIELDS, LARMOR, field_at, traced, track
from cloudchamber.simulators.cosmicrays.turbulence import between, striation_sign, turbulent_box

NO_BOX = np.zeros((1, 1, 1, 3), np.float32)


def angles(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles between unit vectors [deg]."""
    return np.degrees(2 * np.arcsin(np.minimum(1, np.linalg.norm(a - b, axis=1) / 2)))


def test_larmor_radius_is_that_of_si_units() -> None:
    """1 EV / (c 1 muG) in kpc, from the SI values of c and of the parsec."""
    metres = 1e18 / (299_792_458 * 1e-10)
    assert metres / 3.0856775815e19 == pytest.approx(LARMOR, abs=1e-4)


def test_tracking_agrees_with_a_slow_integrator() -> None:
    """du/ds = -(u x B) / (1.081 kpc R) with scipy's Dormand-Prince of 8th order."""
    rigidity = 20.0
    directions = pixel_centres(1)[[1, 9]]

    def slope(_: float, state: NDArray[np.float64]) -> NDArray[np.float64]:
        field = np.array(uf23.regular(*state[:3], uf23.UF23_BASE))
        return np.concatenate([state[3:], -np.cross(state[3:], field) / (LARMOR * rigidity)])

    def left(_: float, state: NDArray[np.float64]) -> float:
        return float(np.linalg.norm(state[:3]) - uf23.RADIUS)

    left.terminal = True  # type: ignore[attr-defined]
    expected = []
    for direction in directions:
        start = np.concatenate([[uf23.SUN, 0, 0], direction])
        path = solve_ivp(slope, (0, 200), start, "DOP853", rtol=1e-7, atol=1e-9, events=left, max_step=0.4)
        expected.append(path.y[3:, -1])
    deflected = angles(np.array(expected), directions)
    # second order in the step, and where the toroidal field turns over in the plane first order: 0.01 deg of up to 50
    assert angles(track("uf23-regular", directions, rigidity, step=0.01), np.array(expected)).max() < 0.01
    assert deflected.min() > 1


def test_deflection_has_the_sense_of_the_lorentz_force() -> None:
    """Towards the pole of a weak field the deflection is the integral of u x B along a straight line, in that sense."""
    height = (np.arange(0, 20_000) + 0.5) * 1e-3
    field = np.array([jf12.regular(-8.5, 0.0, z, jf12.JF12_PAPER) for z in height])
    north = np.array([0.0, 0.0, 1.0])
    expected = -np.cross(north, field).sum(axis=0) * 1e-3 / (LARMOR * 3000)
    moved = track("jf12-regular", north[None], 3000.0)[0] - north
    # the rotation's second order: the deflection (0.1 deg) squared
    assert moved == pytest.approx(expected, abs=1e-5)
    assert np.linalg.norm(expected) > 1e-3


# Means, medians and maxima [deg] at 60 EV of all pixels of nside 32 are those of benchmarks/galactic_tracking.py; here
# nside 8, whose 768 directions have a standard error of 0.13 deg in the mean.
@pytest.mark.parametrize(
    ("field", "mean"), [("jf12-regular", 5.19), ("jf12-planck-regular", 3.96), ("uf23-regular", 5.90)]
)
def test_mean_deflection_in_every_field_is_the_known_one(field: str, mean: float) -> None:
    directions = pixel_centres(8)
    found = angles(track(field, directions, 60.0), directions).mean()
    assert found == pytest.approx(mean, abs=0.1)  # neighbouring pixels are deflected alike: less than the random error


def test_directions_keep_unit_length_and_bend_less_at_high_rigidity() -> None:
    directions = pixel_centres(2)
    before = math.inf
    for rigidity in (10.0, 40.0, 160.0, 640.0):
        outside = track("jf12", directions, rigidity)
        assert np.linalg.norm(outside, axis=1) == pytest.approx(1, abs=1e-9)
        now = angles(outside, directions).mean()
        assert now < before
        before = now


def test_smaller_steps_change_little() -> None:
    directions = pixel_centres(2)
    error = angles(track("jf12-regular", directions, 20.0), track("jf12-regular", directions, 20.0, step=0.002))
    assert np.median(error) < 0.01  # 0.0023 deg at 20 pc in the reference
    assert np.median(error) > 0


def test_a_field_is_the_sum_of_its_parts() -> None:
    """Regular, striated and turbulent parts, put together by hand."""
    key, box = np.uint64(9), turbulent_box(1)
    for x, y, z in np.random.default_rng(1).uniform(-6, 6, (50, 3)):
        ordered = np.array(jf12.regular(x, y, z, jf12.JF12_PLANCK))
        random = jf12.random_rms(x, y, z, jf12.JF12_PLANCK) * np.array(between(box, x, y, z))
        striated = math.sqrt(1.36) * striation_sign(x, y, z, key) * ordered
        expected = ordered + striated + random
        assert field_at(x, y, z, FIELDS["jf12-planck"], box, key) == pytest.approx(expected, abs=1e-10)
        assert field_at(x, y, z, FIELDS["jf12-planck-regular"], NO_BOX, key) == pytest.approx(ordered, abs=1e-12)
        ordered = np.array(uf23.regular(x, y, z, uf23.UF23_BASE))
        factor = 1 + math.sqrt(0.34557571) * striation_sign(x, y, z, key)
        assert field_at(x, y, z, FIELDS["uf23"], box, key) == pytest.approx(factor * ordered + random, abs=1e-10)


def test_the_seed_decides_and_paths_end_at_the_sphere() -> None:
    directions = pixel_centres(1)
    one, two, again = (track("jf12-planck", directions, 30.0, seed=seed) for seed in (1, 2, 1))
    assert np.array_equal(one, again)
    assert 0.1 < angles(one, two).mean() < 20
    _, steps = traced("jf12-regular", directions, 1000.0)
    paths = steps / len(directions) * 0.02
    assert 11.5 < paths < 28.5  # from the Sun to the edge of a sphere of 20 kpc


def test_unknown_field_rigidity_and_directions_are_refused() -> None:
    with pytest.raises(BadInput, match="unknown Galactic field 'jf21'; did you mean 'jf12'"):
        track("jf21", pixel_centres(1), 10.0)
    with pytest.raises(BadInput, match="rigidity"):
        track("jf12", pixel_centres(1), 0.0)
    with pytest.raises(BadInput, match="unit vectors"):
        track("jf12", 2 * pixel_centres(1), 10.0)
