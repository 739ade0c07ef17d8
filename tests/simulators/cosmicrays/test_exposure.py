"""Exposures against Sommers' formula, coordinates against astropy, draws on the sphere against their distributions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cloudchamber.schema import BadInput
from cloudchamber.simulators.cosmicrays.directions import (
    GALACTIC_TO_EQUATORIAL,
    random_rotation,
    random_turn,
    shifted,
    to_degrees,
    to_equatorial,
    to_galactic,
    von_mises_fisher,
)
from cloudchamber.simulators.cosmicrays.exposure import isotropic_directions, relative_exposure, view_of


def from_degrees(longitude: NDArray[np.floating], latitude: NDArray[np.floating]) -> NDArray[np.float64]:
    """Unit vectors (..., 3)."""
    lon, lat = np.radians(longitude), np.radians(latitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def sommers(declination: float, latitude: float, zenith: float) -> float:
    """astro-ph/0004016, eqs. 1 and 2, in degrees."""
    d, a, t = (math.radians(angle) for angle in (declination, latitude, zenith))
    xi = (math.cos(t) - math.sin(a) * math.sin(d)) / (math.cos(a) * math.cos(d))
    alpha = 0.0 if xi > 1 else math.pi if xi < -1 else math.acos(xi)
    return math.cos(a) * math.cos(d) * math.sin(alpha) + alpha * math.sin(a) * math.sin(d)


PLACES = [("auger", -35.2, 80.0), ("telescope-array", 39.3, 55.0)]


def declinations(directions: NDArray[np.floating]) -> NDArray[np.float64]:
    return to_degrees(to_equatorial(directions))[1]


@pytest.mark.parametrize(("name", "latitude", "zenith"), PLACES)
def test_relative_exposure_is_the_formula(name: str, latitude: float, zenith: float) -> None:
    grid = np.arange(-89.5, 90)
    found = relative_exposure(to_galactic(from_degrees(77.0 + 0 * grid, grid)), name)
    expected = np.array([sommers(d, latitude, zenith) for d in grid])
    sines = np.linspace(-1, 1, 40_001)
    norm = np.mean([sommers(math.degrees(math.asin(s)), latitude, zenith) for s in (sines[1:] + sines[:-1]) / 2])
    assert found == pytest.approx(expected / norm, rel=1e-4, abs=1e-7)  # the norm is a sum over 20 000 steps


@pytest.mark.parametrize(("name", "latitude", "zenith"), PLACES)
def test_declinations_follow_the_formula(name: str, latitude: float, zenith: float) -> None:
    n = 100_000
    directions = isotropic_directions(np.random.default_rng(3), n, name)
    edges = np.linspace(-1, 1, 41)
    counts, _ = np.histogram(np.sin(np.radians(declinations(directions))), edges)
    fine = np.linspace(-1, 1, 40 * 200 + 1)
    omega = np.array([sommers(math.degrees(math.asin(s)), latitude, zenith) for s in (fine[1:] + fine[:-1]) / 2])
    expected = omega.reshape(40, 200).mean(axis=1)
    expected *= n / expected.sum()
    assert counts[expected < 1e-9].sum() == 0
    seen = expected > 20
    chi2 = ((counts - expected)[seen] ** 2 / expected[seen]).sum()
    assert chi2 < seen.sum() + 4 * math.sqrt(2 * seen.sum())  # 4 standard deviations of chi squared
    ascension = np.radians(to_degrees(to_equatorial(directions))[0])
    # uniform in right ascension: the first harmonic has amplitude ~ sqrt(1/n)
    assert abs(np.exp(1j * ascension).mean()) < 4 / math.sqrt(n)


def test_full_sky_has_no_dipole_and_no_quadrupole() -> None:
    n = 300_000
    x = isotropic_directions(np.random.default_rng(4), n)
    # var(x) = 1/3; var(xx - 1/3) = 4/45, var(xy) = 1/15
    assert np.abs(x.mean(axis=0)).max() < 4 * math.sqrt(1 / 3 / n)
    assert np.abs(x.T @ x / n - np.eye(3) / 3).max() < 4 * math.sqrt(4 / 45 / n)


def test_an_unknown_exposure_names_the_nearest_one() -> None:
    with pytest.raises(BadInput, match="did you mean 'auger'"):
        view_of("Auger")


def test_galactic_and_equatorial_coordinates_are_those_of_astropy() -> None:
    rng = np.random.default_rng(5)
    longitude, latitude = rng.uniform(0, 360, 200), np.degrees(np.arcsin(rng.uniform(-1, 1, 200)))
    icrs = SkyCoord(l=longitude * u.deg, b=latitude * u.deg, frame="galactic").icrs
    expected = from_degrees(icrs.ra.deg, icrs.dec.deg)
    found = to_equatorial(from_degrees(longitude, latitude))
    # the Hipparcos matrix and astropy's chain through FK5 differ by some ten milliarcseconds (1e-7 rad)
    assert np.abs(found - expected).max() < 3e-7
    assert to_galactic(found) == pytest.approx(from_degrees(longitude, latitude), abs=1e-9)
    back = to_degrees(from_degrees(longitude, latitude))
    assert back[0] == pytest.approx(longitude)
    assert back[1] == pytest.approx(latitude)


angle = st.floats(0, 2 * math.pi)


@settings(deadline=None, max_examples=100)
@given(st.floats(-1, 1), angle, st.floats(0, 6.0), angle)
def test_shifted_keeps_length_and_angle(z: float, azimuth: float, arc: float, tangent: float) -> None:
    s = math.sqrt(1 - z * z)
    start = np.array([s * math.cos(azimuth), s * math.sin(azimuth), z])
    start /= np.linalg.norm(start)
    end = np.array(shifted(*start, math.cos(arc), math.sin(arc), tangent))
    assert np.linalg.norm(end) == pytest.approx(1, abs=1e-12)
    assert start @ end == pytest.approx(math.cos(arc), abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(st.floats(0, 1e12), st.integers(0, 2**32))
def test_von_mises_fisher_gives_unit_vectors(concentration: float, seed: int) -> None:
    end = von_mises_fisher(np.random.default_rng(seed), 0.0, 0.6, -0.8, concentration)
    assert np.linalg.norm(end) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("concentration", [1e-9, 0.3, 3.0, 50.0, 1e5])
def test_von_mises_fisher_vectors_have_the_analytic_mean(concentration: float) -> None:
    rng, n = np.random.default_rng(6), 20_000
    mean = np.array([0.6, 0.0, 0.8])
    cosines = np.array([von_mises_fisher(rng, *mean, concentration) for _ in range(n)]) @ mean
    # coth(kappa) - 1/kappa
    expected = concentration / 3 if concentration < 1e-3 else 1 / math.tanh(concentration) - 1 / concentration
    assert cosines.mean() == pytest.approx(expected, abs=4.5 * cosines.std() / math.sqrt(n))


def test_random_rotations_are_uniform() -> None:
    rng = np.random.default_rng(7)
    turns = np.array([random_rotation(rng) for _ in range(20_000)])
    assert turns @ turns.transpose(0, 2, 1) == pytest.approx(np.broadcast_to(np.eye(3), turns.shape), abs=1e-12)
    assert np.linalg.det(turns) == pytest.approx(1)
    # Haar measure: mean 0, mean square 1/3 for each entry, and trace^2 averages to 1
    assert np.abs(turns.mean(axis=0)).max() < 5 / math.sqrt(3 * 20_000)
    assert (np.trace(turns, axis1=1, axis2=2) ** 2).mean() == pytest.approx(1, abs=0.05)


def test_random_turn_keeps_the_celestial_pole() -> None:
    pole = GALACTIC_TO_EQUATORIAL[2]
    assert random_turn(np.random.default_rng(8)) @ pole == pytest.approx(pole, abs=1e-9)
