"""Ground states: an independent solution in Fourier space, the virial theorem, binding and radii from 4He to 208Pb."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from cloudchamber.simulators.transport.equation_of_state import E2, HBAR_C, NUCLEON_MASS, equation_of_state
from cloudchamber.simulators.transport.evolution import SPACING
from cloudchamber.simulators.transport.ground_state import GroundState, thomas_fermi
from cloudchamber.simulators.transport.lattice import Floats

SOFT = equation_of_state("soft")
NUCLEI = [(4, 2), (12, 6), (40, 20), (120, 50), (208, 82)]
WAVE = np.linspace(1e-6, 12, 2400)
"""fm^-1: the form factor is 1e-11 at the end."""


@functools.cache
def ground(A: float, Z: float, spacing: float = SPACING) -> GroundState:
    return thomas_fermi(A, Z, SOFT, spacing)


def transform(f: Floats, r: Floats) -> Floats:
    """Fourier transform of a spherical function, int 4 pi r^2 f sin(kr) / kr dr."""
    step = r[1] - r[0]
    return np.sinc(WAVE[:, None] * r / math.pi) @ (4 * math.pi * r**2 * f * step)


def back(F: Floats, r: Floats) -> Floats:
    return np.trapezoid(np.sinc(WAVE[:, None] * r / math.pi) * (WAVE**2 * F)[:, None], WAVE, axis=0) / (2 * math.pi**2)


def potentials_and_energy(density: Floats, r: Floats, spacing: float) -> tuple[Floats, float]:
    """U~ of neutrons and protons [MeV] and the energy [MeV] of a density, folded in Fourier space."""
    kernel = np.exp(-(WAVE**2) * spacing**2 / 6)
    volume = 4 * math.pi * r**2 * (r[1] - r[0])
    wave = [transform(n, r) * kernel for n in density]
    rho = np.stack([back(w, r) for w in wave])
    u = np.maximum(rho.sum(axis=0), 0) / SOFT.rho_0
    symmetry = SOFT.C * (rho[0] - rho[1]) / SOFT.rho_0
    bulk = SOFT.A * u + SOFT.B * u**SOFT.sigma
    coulomb = 4 * math.pi * E2 / WAVE**2 * wave[1]
    U = np.stack(
        [
            back(transform(bulk + symmetry, r) * kernel, r),
            back((transform(bulk - symmetry, r) + coulomb) * kernel, r),
        ]
    )
    fermi = HBAR_C * np.cbrt(3 * math.pi**2 * density)
    kinetic = (0.6 * fermi**2 / (2 * NUCLEON_MASS) * density * volume).sum()
    V = SOFT.rho_0 * u * (SOFT.A * u / 2 + SOFT.B * u**SOFT.sigma / (SOFT.sigma + 1))
    V += SOFT.C / 2 * (rho[0] - rho[1]) ** 2 / SOFT.rho_0
    repulsion = 0.5 * np.trapezoid(WAVE**2 * coulomb * wave[1], WAVE) / (2 * math.pi**2)
    return U, float(kinetic + (V * volume).sum() + repulsion)


@pytest.mark.parametrize(("A", "Z"), NUCLEI)
def test_a_nucleus_has_its_nucleons_and_is_bound(A: int, Z: int) -> None:
    g = ground(A, Z)
    volume = 4 * math.pi * g.radius**2 * (g.radius[1] - g.radius[0])
    np.testing.assert_allclose((g.density * volume).sum(axis=1), [A - Z, Z], rtol=1e-6)
    assert max(g.chemical) < 0 > g.energy
    assert not g.density[:, g.radius > g.edge].any()
    np.testing.assert_allclose(g.density, g.fermi**3 / (3 * math.pi**2 * HBAR_C**3), rtol=1e-12)


@pytest.mark.parametrize(("A", "Z"), [(12, 6), (208, 82)])
def test_it_solves_the_thomas_fermi_equation_folded_in_fourier_space(A: int, Z: int) -> None:
    g = ground(A, Z)
    U, energy = potentials_and_energy(g.density, g.radius, SPACING)
    # a radial grid of 0.1 fm, the sharp edge of the density upon it
    assert g.energy / A == pytest.approx(energy / A, abs=0.01)
    for q in range(2):
        inside = g.density[q] > 0
        mu = g.fermi[q][inside] ** 2 / (2 * NUCLEON_MASS) + U[q][inside]
        np.testing.assert_allclose(mu, g.chemical[q], atol=0.05)
        assert (U[q][~inside][:20] > g.chemical[q] - 0.05).all()


@pytest.mark.parametrize(("A", "Z"), [(12, 6), (40, 20)])
def test_stretching_a_nucleus_costs_energy_at_second_order_only(A: int, Z: int) -> None:
    g = ground(A, Z)
    fine = np.arange(0.01, 18, 0.02)

    def stretched(factor: float) -> float:
        n = np.stack([np.interp(fine / factor, g.radius, one, right=0.0) for one in g.density]) / factor**3
        volume = 4 * math.pi * fine**2 * 0.02
        n *= (np.array([A - Z, Z]) / (n * volume).sum(axis=1))[:, None]
        return potentials_and_energy(n, fine, SPACING)[1] / A

    below, middle, above = (stretched(f) for f in (0.98, 1.0, 1.02))
    curvature = below - 2 * middle + above
    # the virial theorem: the minimum of a parabola through these points lies within 0.1 % of the radius
    assert curvature > 0.01
    assert abs((below - above) / 2 / curvature) * 0.02 < 0.001


@pytest.mark.parametrize(
    ("width", "energies", "rms"),
    [
        (0.408, (-8.46, -10.25, -10.51, -10.72), 2.09),
        (0.577, (-5.55, -8.16, -8.62, -9.38), 2.18),
        (0.62, (-4.89, -7.63, -8.14, -9.04), 2.21),
        (0.816, (-2.50, -5.35, -6.02, -7.48), 2.40),
        (1.0, (-1.16, -3.53, -4.24, -6.04), 2.66),
    ],
)
def test_the_range_of_the_force_is_the_surface_energy(width: float, energies: tuple[float, ...], rms: float) -> None:
    # an earlier solution on another grid, to its two digits: 0.03 MeV per nucleon
    for (A, Z), energy in zip([(4, 2), (12, 6), (16, 8), (40, 20)], energies, strict=True):
        assert ground(A, Z, width * math.sqrt(3)).energy / A == pytest.approx(energy, abs=0.03)
    assert ground(12, 6, width * math.sqrt(3)).rms_radius == pytest.approx(rms, abs=0.01)


def test_carbon_has_the_measured_binding_energy_at_the_default_spacing() -> None:
    assert ground(12, 6).energy / 12 == pytest.approx(-7.68, abs=0.1)
    assert math.sqrt(ground(12, 6).rms_radius ** 2 + SPACING**2) == pytest.approx(2.46, abs=0.02)  # as folded


def test_lead_is_as_large_as_measured_and_has_a_neutron_skin() -> None:
    g = ground(208, 82)
    assert g.energy / 208 == pytest.approx(-7.87, abs=0.5)  # measured
    assert math.sqrt(g.rms_radius**2 + SPACING**2) == pytest.approx(5.56, abs=0.1)  # measured matter radius
    weight = g.density * g.radius**2
    neutron, proton = np.sqrt((weight * g.radius**2).sum(axis=1) / weight.sum(axis=1))
    assert 0.0 < neutron - proton < 0.3


def test_neutrons_alone_are_not_bound() -> None:
    g = ground(4, 0)
    assert g.energy > 0
    assert g.chemical[0] > 0


def test_the_energy_is_smooth_in_real_numbers_of_nucleons() -> None:
    numbers = np.arange(10.0, 14.01, 0.25)
    energies = np.array([ground(A, 0.48 * A).energy for A in numbers])
    # -8 MeV a nucleon, and second differences of 0.1 MeV: no steps
    assert np.abs(np.diff(energies, 2)).max() < 0.05
    assert (np.diff(energies) < 0).all()
