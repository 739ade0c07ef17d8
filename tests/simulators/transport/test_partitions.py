"""Partitions: the weights against the formula written out, and reference fractions."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from cloudchamber.simulators.transport.levels import LONG_LIVED, Level
from cloudchamber.simulators.transport.masses import mass_or_estimate
from cloudchamber.simulators.transport.partitions import (
    Channels,
    Pool,
    bound_ground_state,
    channels,
    fragment_pool,
    partitions,
    weights,
)

GEANT4_POOL = {
    (1, 0): [(0, 2)], (1, 1): [(0, 2)], (2, 1): [(0, 3)], (3, 1): [(0, 2)], (3, 2): [(0, 2)], (4, 2): [(0, 1)],
    (5, 2): [(16.76, 4)], (5, 3): [(16.66, 4)], (6, 2): [(0, 1)], (6, 3): [(0, 3), (3.56, 1)],
    (7, 3): [(0, 4), (0.48, 2)], (7, 4): [(0, 4), (0.43, 2)], (8, 3): [(0, 5), (0.98, 3)], (8, 4): [(0, 1)],
    (9, 4): [(0, 4)], (9, 5): [(0, 4)], (10, 4): [(0, 1), (3.37, 5), (5.96, 8), (6.18, 1), (6.26, 5)],
    (10, 5): [(0, 7), (0.72, 3), (1.74, 1), (2.15, 3), (3.59, 5)], (10, 6): [(0, 3), (3.35, 5)],
    (11, 5): [(0, 4), (2.13, 2), (4.44, 6), (5.02, 4), (6.76, 10), (7.29, 6), (7.98, 4), (8.56, 6)],
    (11, 6): [(0, 4), (2.0, 2), (4.32, 6), (4.8, 4), (6.34, 2), (6.48, 8), (6.9, 6), (7.5, 4), (8.1, 4), (8.42, 6),
              (8.66, 8)],
}  # fmt: skip
"""Energies and 2J+1 of the pool up to A = 11 that the reference fractions were computed with."""


def by_partition(table: Channels, pool: Pool, excitation: float) -> dict[tuple[tuple[int, int], ...], float]:
    """Weights summed over levels."""
    sums: dict[tuple[tuple[int, int], ...], float] = defaultdict(float)
    for row, weight in zip(table.fragments, weights(table, excitation), strict=True):
        states = row[row >= 0]
        sums[tuple(sorted(zip(pool.A[states].tolist(), pool.Z[states].tolist(), strict=True)))] += weight
    return sums


def written_out(A: int, Z: int, excitation: float, k: float) -> dict[tuple[int, ...], float]:
    """The formula, state by state: every multiset of states with the right A and Z."""
    levels = LONG_LIVED
    mass = [float(mass_or_estimate(level.Z, level.A)) + level.energy for level in levels]
    usable = [i for i, level in enumerate(levels) if level.A < A]
    result = {}
    for n in range(2, A + 1):
        for states in itertools.combinations_with_replacement(usable, n):
            if sum(levels[i].A for i in states) != A or sum(levels[i].Z for i in states) != Z:
                continue
            kinetic = excitation + float(mass_or_estimate(Z, A)) - sum(mass[i] for i in states)
            if kinetic <= 0:
                continue
            coulomb = Z**2 / A ** (1 / 3) - sum(levels[i].Z ** 2 / levels[i].A ** (1 / 3) for i in states)
            kinetic -= 0.6 * 1.43996448 / 1.3 * (1 + k) ** (-1 / 3) * coulomb
            if kinetic <= 0:
                continue
            weight = ((1.3 / 197.3269804) ** 3 * k * math.sqrt(2 / math.pi) / 3 * A) ** (n - 1)
            weight *= (math.prod(mass[i] for i in states) / sum(mass[i] for i in states)) ** 1.5
            weight *= math.prod(levels[i].degeneracy for i in states)
            weight /= math.prod(math.factorial(m) for m in Counter(states).values())
            result[states] = weight * kinetic ** (1.5 * (n - 1) - 1) / math.gamma(1.5 * (n - 1))
    return result


@pytest.mark.parametrize(("A", "Z", "excitation", "k"), [(6, 3, 35.0, 1.0), (7, 4, 60.0, 6.0), (7, 3, 12.0, 1.0)])
def test_weights_are_those_of_the_formula_written_out(A: int, Z: int, excitation: float, k: float) -> None:
    expected = written_out(A, Z, excitation, k)
    table = channels(A, Z, k)
    found = {
        tuple(sorted(int(i) for i in row if i >= 0)): weight
        for row, weight in zip(table.fragments, weights(table, excitation), strict=True)
        if weight > 0
    }
    assert set(found) == set(expected)
    total = sum(expected.values())
    for states, weight in expected.items():
        assert found[states] == pytest.approx(weight / total, rel=1e-9)


@pytest.mark.parametrize(
    ("excitation", "expected"),
    [
        (20.0, {((4, 2), (8, 4)): 0.384, ((1, 1), (11, 5)): 0.323, ((1, 0), (11, 6)): 0.246, ((4, 2),) * 3: 0.047}),
        (30.0, {((1, 0), (11, 6)): 0.348, ((1, 1), (11, 5)): 0.298, ((2, 1), (10, 5)): 0.219}),
    ],
)
def test_hot_carbon_breaks_up_as_the_reference_says(excitation: float, expected: dict) -> None:
    levels = tuple(Level(A, Z, float(e), g) for (A, Z), some in sorted(GEANT4_POOL.items()) for e, g in some)
    sums = by_partition(channels(12, 6, 1.0, levels), fragment_pool(levels), excitation)
    for partition, fraction in expected.items():
        assert sums[partition] == pytest.approx(fraction, abs=6e-4)  # the reference has three digits


def test_own_levels_give_the_reference_at_20_mev_and_5he_and_5li_at_30() -> None:
    table, pool = channels(12, 6), fragment_pool()
    low, high = by_partition(table, pool, 20.0), by_partition(table, pool, 30.0)
    assert low[(4, 2), (8, 4)] == pytest.approx(0.384, abs=6e-4)
    assert low[(1, 1), (11, 5)] == pytest.approx(0.323, abs=1e-3)
    # the ground states of 5He and 5Li, which the reference's pool has not, and 11C only below its threshold
    assert high[(5, 2), (7, 4)] + high[(5, 3), (7, 3)] == pytest.approx(0.148, abs=2e-3)
    assert high[(1, 0), (11, 6)] < 0.25


def test_larger_volume_gives_more_alphas() -> None:
    pool = fragment_pool()
    alphas = {}
    for k in (1.0, 6.0):
        sums = by_partition(channels(12, 6, k), pool, 20.0)
        alphas[k] = sum(weight * 3 for parts, weight in sums.items() if set(parts) <= {(4, 2), (8, 4)})
    assert alphas[1.0] == pytest.approx(1.292, abs=2e-3)
    assert alphas[6.0] == pytest.approx(1.638, abs=2e-3)


def test_partitions_of_oxygen_are_as_many_as_the_generating_function_counts() -> None:
    nuclei = sorted({(level.A, level.Z) for level in LONG_LIVED if level.A < 16})
    ways = np.zeros((17, 9), np.int64)
    ways[0, 0] = 1
    for a, z in nuclei:  # product of 1 / (1 - x^a y^z)
        for A in range(a, 17):
            for Z in range(z, 9):
                ways[A, Z] += ways[A - a, Z - z]
    found = list(partitions(16, 8, nuclei))
    assert len(found) == len(set(found)) == ways[16, 8]


def test_neutrons_do_not_leave_below_their_separation_energy() -> None:
    # the barrier of the formula is negative for them
    table = channels(16, 8)
    assert (table.threshold < table.free).any()
    assert (table.opens >= table.free).all()
    assert weights(table, 15.6)[(table.free > 15.6)].sum() == 0


def test_short_lived_nuclei_are_no_bound_ground_states() -> None:
    pool = fragment_pool()
    assert bound_ground_state(pool, 8, 4) == bound_ground_state(pool, 3, 0) == -1
    assert pool.A[bound_ground_state(pool, 16, 8)] == 16
