"""The table of levels against the masses: what is called bound is bound, what is called short-lived is not."""

from __future__ import annotations

import numpy as np

from cloudchamber.simulators.transport.levels import BOUND, LONG_LIVED, SHORT_LIVED, WITH_RESONANCES, Level
from cloudchamber.simulators.transport.masses import exists, mass_or_estimate, nuclear_mass
from cloudchamber.simulators.transport.resonances import RESONANCES

ISOSPIN = {((6, 3), 3.5629)}
"""Levels above a threshold to which isospin closes the way."""


def threshold(A: int, Z: int) -> float:
    """Energy above the ground state at which a nucleus can fall apart in two, by mass alone."""
    parts = [
        float(mass_or_estimate(z, a) + mass_or_estimate(Z - z, A - a))
        for a in range(1, A // 2 + 1)
        for z in range(max(0, Z - A + a), min(a, Z) + 1)
    ]
    return min(parts) - float(mass_or_estimate(Z, A))


def test_bound_nuclei_are_exactly_those_that_the_masses_bind() -> None:
    bound = {
        (A, Z) for A in range(2, 17) for Z in range(A + 1) if exists(Z, A) and threshold(A, Z) > 0
    }  # fmt: skip
    assert bound | {(1, 0), (1, 1)} == set(BOUND)


def test_bound_levels_lie_below_the_thresholds() -> None:
    above = {
        ((A, Z), energy)
        for (A, Z), levels in BOUND.items()
        if A > 1
        for energy, _ in levels
        if energy >= threshold(A, Z)
    }
    assert above == ISOSPIN


def test_levels_are_ordered_and_spins_fit_the_number_of_nucleons() -> None:
    for (A, _), levels in BOUND.items():
        energies = [energy for energy, _ in levels]
        assert energies[0] == 0.0
        assert energies == sorted(set(energies))
        assert all(spins % 2 == (A + 1) % 2 for _, spins in levels)  # 2J+1 is odd for whole J, that is even A
    assert all(spins % 2 == (A + 1) % 2 for (A, _), (spins, _) in SHORT_LIVED.items())


def test_short_lived_nuclei_fall_apart_and_conserve_charge_and_mass_number() -> None:
    for (A, Z), (_, products) in SHORT_LIVED.items():
        assert tuple(np.sum(products, axis=0)) == (A, Z)
        assert float(nuclear_mass(Z, A)) > sum(float(nuclear_mass(z, a)) for a, z in products)
        assert set(products) <= set(BOUND) | set(SHORT_LIVED)


def test_mirror_nuclei_have_the_same_low_levels() -> None:
    for (A, Z), levels in BOUND.items():
        mirror = BOUND.get((A, A - Z), levels)
        n = min(len(levels), len(mirror), 3)  # 15N and 15O have the next two the other way round
        assert sorted(spins for _, spins in levels[:n]) == sorted(spins for _, spins in mirror[:n])
        assert max(abs(one - other) for (one, _), (other, _) in zip(levels[:n], mirror[:n], strict=True)) < 0.15


def test_resonances_are_unbound_levels_of_nuclei_that_are_listed() -> None:
    for (A, Z), levels in RESONANCES.items():
        assert (A, Z) in BOUND or (A, Z) in SHORT_LIVED
        assert all(spins % 2 == (A + 1) % 2 for _, spins in levels)
        energies = [energy for energy, _ in levels]
        assert energies == sorted(energies)
        assert min(energies) > threshold(A, Z)
        assert max(energies) <= 20.0


def test_known_resonances_are_listed() -> None:
    # 12C: the state of Hoyle; 8Be, 6Li, 7Li: the first of the rotational band and of the cluster states
    for nucleus, level in {(12, 6): (7.654, 1), (8, 4): (3.03, 5), (6, 3): (2.186, 7), (7, 3): (4.63, 8)}.items():
        assert RESONANCES[nucleus][0] == level


def test_tables_come_by_nucleus_and_energy() -> None:
    for rows in (LONG_LIVED, WITH_RESONANCES):
        assert list(rows) == sorted(rows)
    assert Level(8, 4, 0.0, 1, ((4, 2), (4, 2))) in LONG_LIVED
    assert len(LONG_LIVED) == sum(map(len, BOUND.values())) + len(SHORT_LIVED)
    assert len(WITH_RESONANCES) == len(LONG_LIVED) + sum(map(len, RESONANCES.values()))
