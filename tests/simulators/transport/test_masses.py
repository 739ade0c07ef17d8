"""Masses of AME2020, estimates beyond, and names of nuclei."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.masses import (
    binding_energy,
    electron_binding,
    exists,
    mass_or_estimate,
    mass_table,
    nuclear_mass,
    nucleus_of,
)


@pytest.mark.parametrize(
    ("A", "Z", "expected"),
    [(12, 6, 92.1617), (4, 2, 28.2957), (16, 8, 127.6193), (24, 12, 198.257), (8, 4, 56.4995), (5, 2, 27.561)],
)
def test_binding_energies_are_those_of_the_evaluation(A: int, Z: int, expected: float) -> None:
    # the evaluation's are of atoms: with the electrons' binding they differ by B_el(Z) - Z B_el(1), 5.2 keV for Mg
    electrons = float(electron_binding(Z) - Z * electron_binding(1))
    assert float(binding_energy(Z, A)) + electrons == pytest.approx(expected, abs=6e-4)


def test_nuclear_masses_of_nucleons_and_light_nuclei_are_the_known_ones() -> None:
    # CODATA 2018 [MeV]: neutron, proton, deuteron, triton, helion, alpha; the mass table is rounded to its errors
    known = [939.56542052, 938.27208816, 1875.61294257, 2808.92113298, 2808.39160743, 3727.3794066]
    np.testing.assert_allclose(nuclear_mass([0, 1, 1, 1, 2, 2], [1, 1, 2, 3, 3, 4]), known, rtol=0, atol=2e-4)


def test_electrons_of_lead_are_bound_by_half_an_mev() -> None:
    assert float(electron_binding(82)) == pytest.approx(0.5688, rel=0.01)  # Huang et al. 1976, table: 568.8 keV


def test_unmeasured_nuclei_have_no_mass_but_an_estimate() -> None:
    Z, A = np.array([0, 3, 2, 20, 164, 3]), np.array([4, 3, 16, 20, 416, 6])
    np.testing.assert_array_equal(np.isnan(nuclear_mass(Z, A)), [True, True, True, True, True, False])
    np.testing.assert_array_equal(exists(Z, A), [False, False, False, False, False, True])
    assert np.isfinite(mass_or_estimate(Z, A)).all()
    assert not exists(-1, 3)
    assert not exists(3, 10_000)


def test_light_estimate_is_the_lightest_way_to_fall_apart() -> None:
    neutron, proton = nuclear_mass([0, 1], [1, 1])
    assert float(mass_or_estimate(0, 4)) == pytest.approx(4 * neutron)
    assert float(mass_or_estimate(3, 3)) == pytest.approx(3 * proton)
    assert float(mass_or_estimate(2, 12)) == pytest.approx(float(nuclear_mass(2, 8)) + 4 * neutron)


def test_estimates_go_on_smoothly_from_the_last_measured_isotope() -> None:
    for Z in (20, 50, 82):
        last = int(np.flatnonzero(np.isfinite(mass_table()[Z])).max())
        A = np.arange(last - 3, last + 8)
        separation = -np.diff(mass_or_estimate(np.full(len(A), Z), A) - float(nuclear_mass(0, 1)) * A)
        assert (np.abs(np.diff(separation)) < 4.0).all()  # pairing alone steps by 2 x 12 / sqrt(A) MeV


def test_compound_of_two_lead_nuclei_is_bound_as_a_liquid_drop_is() -> None:
    mass = float(mass_or_estimate(164, 416))
    neutron, proton = nuclear_mass([0, 1], [1, 1])
    assert (164 * proton + 252 * neutron - mass) / 416 == pytest.approx(6.2, abs=0.3)


@pytest.mark.parametrize("bad", [(3, 2), (-1, 4), (0, 0), (50, 1000), (191, 400)])
def test_impossible_nuclei_are_refused(bad: tuple[int, int]) -> None:
    with pytest.raises(BadInput, match="no nucleus has Z"):
        mass_or_estimate([6, bad[0]], [12, bad[1]])


@pytest.mark.parametrize(
    ("text", "expected"),
    [("C12", (12, 6)), ("12C", (12, 6)), ("pb208", (208, 82)), ("He-4", (4, 2)), (" 4-he ", (4, 2)), ("H1", (1, 1))],
)
def test_names_of_nuclei_are_read_in_either_order(text: str, expected: tuple[int, int]) -> None:
    assert nucleus_of(text) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("carbon", "is no nucleus; give"), ("C", "is no nucleus"), ("", "is no nucleus"), ("Qx12", "no element"),
        ("C3", "A = 3 below Z = 6"), ("C99", "did you mean 'C9'"), ("12Cc", "did you mean 'C"),
    ],
)  # fmt: skip
def test_names_that_mean_no_nucleus_are_explained(text: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        nucleus_of(text)
