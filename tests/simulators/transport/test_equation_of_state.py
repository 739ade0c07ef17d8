"""Mean fields of nuclear matter: incompressibility, saturation, Landau's F0, potentials as derivatives."""

from __future__ import annotations

import math

import pytest

from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.equation_of_state import (
    E2,
    EQUATIONS_OF_STATE,
    HBAR_C,
    NUCLEON_MASS,
    EquationOfState,
    energy_density,
    equation_of_state,
    fermi_energy,
    fermi_momentum,
)

SETS = list(EQUATIONS_OF_STATE)


def v(matter: EquationOfState, rho_n: float, rho_p: float) -> float:
    return energy_density(rho_n, rho_p, matter.A, matter.B, matter.sigma, matter.C, matter.rho_0)


@pytest.mark.parametrize("name", SETS)
def test_incompressibility_is_six_fermi_energies_times_one_plus_f0(name: str) -> None:
    matter = equation_of_state(name)
    identity = 6 * fermi_energy(matter.rho_0) * (1 + matter.landau_f0())
    assert matter.incompressibility() == pytest.approx(identity, rel=1e-12)


@pytest.mark.parametrize("name", SETS)
def test_incompressibility_is_the_slope_of_the_pressure(name: str) -> None:
    matter, h = equation_of_state(name), 1e-4

    def pressure(rho: float) -> float:
        return rho**2 * (matter.energy_per_nucleon(rho + h) - matter.energy_per_nucleon(rho - h)) / (2 * h)

    rho = matter.rho_0
    # second differences with a step of 6e-4 rho_0: their error is below 1e-4
    slope = 9 * (pressure(rho + h) - pressure(rho - h)) / (2 * h)
    assert matter.incompressibility() == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "energy", "stiffness", "f0"), [("soft", -16.01, 201.0, -0.0915), ("comparison", -15.92, 238.8, 0.0789)]
)
def test_saturated_matter_has_the_published_energy_and_stiffness(
    name: str, energy: float, stiffness: float, f0: float
) -> None:
    matter = equation_of_state(name)
    assert matter.energy_per_nucleon(matter.rho_0) == pytest.approx(energy, abs=0.005)
    assert matter.incompressibility() == pytest.approx(stiffness, abs=0.06)
    assert matter.landau_f0() == pytest.approx(f0, abs=5e-5)
    # the minimum of E/A lies at rho_0 within the rounding of published parameters
    near = [matter.energy_per_nucleon(matter.rho_0 * u) for u in (0.999, 1.0, 1.001)]
    assert near[1] == min(near)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(("rho_n", "rho_p"), [(0.08, 0.08), (0.1, 0.05), (0.002, 0.02), (0.2, 0.2)])
def test_potentials_are_derivatives_of_the_energy_density(name: str, rho_n: float, rho_p: float) -> None:
    matter, h = equation_of_state(name), 1e-6
    isovector = matter.C * (rho_n - rho_p) / matter.rho_0
    neutron = (v(matter, rho_n + h, rho_p) - v(matter, rho_n - h, rho_p)) / (2 * h)
    proton = (v(matter, rho_n, rho_p + h) - v(matter, rho_n, rho_p - h)) / (2 * h)
    assert neutron == pytest.approx(matter.potential(rho_n + rho_p) + isovector, abs=1e-5)
    assert proton == pytest.approx(matter.potential(rho_n + rho_p) - isovector, abs=1e-5)


def test_the_symmetry_potential_energy_at_saturation_is_half_of_c() -> None:
    matter = equation_of_state("soft")
    rho = matter.rho_0
    assert (v(matter, rho, 0) - v(matter, rho / 2, rho / 2)) / rho == pytest.approx(18.0)


def test_constants_are_those_of_the_box_comparisons() -> None:
    assert fermi_momentum(0.16) == pytest.approx(263.04, abs=0.005)
    assert fermi_energy(0.16) == pytest.approx(36.88, abs=0.005)
    assert fermi_momentum(0.16) / NUCLEON_MASS == pytest.approx(0.2804, abs=5e-5)
    assert pytest.approx(HBAR_C / 137.035999084, rel=1e-7) == E2  # alpha of CODATA 2018
    assert 4 * math.pi * fermi_momentum(0.16) ** 3 / 3 * 4 / (2 * math.pi * HBAR_C) ** 3 == pytest.approx(0.16)


def test_a_misspelt_mean_field_is_refused_with_the_right_name() -> None:
    with pytest.raises(BadInput, match=r"unknown mean field 'sofft'.*soft"):
        equation_of_state("sofft")
