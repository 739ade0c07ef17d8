"""Numbers of particles: normalised profiles, measured attenuation and scale, scaling with mass and energy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from cloudchamber.simulators.airshower.depth_of_maximum import gumbel
from cloudchamber.simulators.airshower.development import (
    DEPOSIT,
    INVISIBLE,
    X0,
    electromagnetic_signal,
    muon_density,
    muon_number,
    profile_maximum,
    profile_shape,
)
from cloudchamber.simulators.airshower.showers import axes, expected, station_geometry
from cloudchamber.simulators.airshower.water_cherenkov import AREA, projected_area

GROUND = 1400.0


def test_profile_deposits_the_calorimetric_energy() -> None:
    largest = profile_maximum(1e10, 800.0, 61.0)
    total, _ = quad(lambda depth: DEPOSIT * largest * profile_shape(depth, 800.0, 61.0), X0, 6000, points=[800])
    assert total == pytest.approx(1e10, rel=1e-6)
    assert largest == pytest.approx(7e9, rel=0.1)  # 10 EeV: some 7 10^9 particles


def test_muons_of_the_whole_plane_are_their_number() -> None:
    total, _ = quad(lambda lg: 2 * np.pi * np.exp(2 * lg) * muon_density(1e8, 0.0, np.exp(lg)), -5, 11.5, limit=200)
    assert total == pytest.approx(1e8, rel=1e-3)


def test_iron_has_a_third_more_muons_than_protons() -> None:
    proton, iron = (float(muon_number(np.array(19.0), np.array(a))) for a in (1, 56))
    assert iron / proton == pytest.approx(56**0.073, rel=1e-9)


def signal(zenith: float, mass: int, r: float = 1000.0) -> tuple[float, float]:
    """Muon and electromagnetic signal [VEM] of an average shower of 10 EeV at a distance, averaged around the axis."""
    a = np.array([mass])
    shape = gumbel("EPOS-LHC", np.array([19.0]), a)
    xmax = float(shape["mu"][0] + 0.6 * shape["sigma"][0])
    muons = float(muon_number(np.array([19.0]), a)[0])
    energy = 1e10 * (1 - INVISIBLE * mass**0.073)
    axis = axes(np.array([zenith]), np.array([0.0]))[0]
    found = []
    for angle in np.linspace(0, 2 * np.pi, 12, endpoint=False):
        away = np.array([np.cos(angle), np.sin(angle), 0.0])
        place = away * r / np.sqrt(1 - (away @ axis) ** 2)
        geometry = station_geometry(place, np.zeros(3), axis, xmax, GROUND)
        through, light = expected(geometry[0], geometry[2], geometry[3], xmax, 61.0, energy, muons)
        found.append((through / projected_area(geometry[3]) * AREA, light))
    return tuple(np.mean(found, axis=0))


def mixed(zenith: float, r: float = 1000.0) -> np.ndarray:
    """The mean of four primaries."""
    return np.mean([signal(zenith, mass, r) for mass in (1, 4, 14, 56)], axis=0)


def test_signal_at_1000_m_is_on_the_measured_energy_scale() -> None:
    muons, light = mixed(np.radians(38))
    assert muons + light == pytest.approx(48, rel=0.08)  # Auger: E = 0.19 EeV S38^1.023; the scale is known to 14 %
    assert 0.38 < muons / (muons + light) < 0.55


@pytest.mark.parametrize("zenith", [0, 20, 50, 60])
def test_attenuation_follows_the_constant_intensity_cut(zenith: int) -> None:
    at, reference = mixed(np.radians(zenith)).sum(), mixed(np.radians(38)).sum()
    x = np.cos(np.radians(zenith)) ** 2 - np.cos(np.radians(38)) ** 2
    measured = 1 + 0.95 * x - 1.6 * x**2 - 1.2 * x**3  # coefficients from memory: their published range is wide
    assert at / reference == pytest.approx(measured, rel=0.1)


def test_lateral_distribution_is_as_steep_as_measured() -> None:
    near, far = mixed(np.radians(38), 800).sum(), mixed(np.radians(38), 1200).sum()
    slope = np.log(far / near) / np.log(1200 / 800)
    assert -4.2 < slope < -3.4  # beta (1 + r / (r + 700)) with beta = -2.1 to -2.6 at 1000 m


def test_electromagnetic_signal_is_proportional_to_the_energy() -> None:
    one, ten = (electromagnetic_signal(energy, 800.0, 300.0, 61.0, 700.0) for energy in (1e9, 1e10))
    assert ten / one == pytest.approx(10)
    assert electromagnetic_signal(1e10, 800.0, -800.0, 61.0, 700.0) == 0
