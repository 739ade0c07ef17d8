"""Collisions: rates against the sum over pairs, conservation, isotropy, blocking, the rule for one nucleus, packets."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from cloudchamber.simulators.transport.collisions import (
    FARTHEST,
    FASTEST,
    PACKET_MOMENTUM,
    PACKET_RADIUS,
    blocked,
    collide,
    fastest_rate,
)
from cloudchamber.simulators.transport.equation_of_state import NUCLEON_MASS, fermi_momentum
from cloudchamber.simulators.transport.lattice import Floats
from cloudchamber.simulators.transport.nucleon_nucleon import KINDS, cross_section, laboratory_speed
from cloudchamber.simulators.transport.pauli_blocking import Cells, cell_order, momentum_sums

SIDE, CELL = 10.0, 2.0
"""fm: a packet that reached through both walls would count its particles twice."""
NUCLEONS = round(0.16 * SIDE**3)
BOTH = pytest.mark.parametrize("langevin", [True, False])


def gas(per_nucleon: int = 50, separation: float = 0.0, seed: int = 1) -> Cells:
    """160 nucleons in a periodic box: a cold Fermi gas, or two of half the density in relative motion [MeV/c]."""
    rng = np.random.default_rng(seed)
    n = NUCLEONS * per_nucleon
    density = 0.08 if separation else 0.16
    direction = rng.normal(size=(n, 3))
    size = fermi_momentum(density) * np.cbrt(rng.random(n))
    momentum = size[:, None] * direction / np.linalg.norm(direction, axis=1)[:, None]
    momentum[:, 2] += separation / 2 * np.where(np.arange(n) < n // 2, 1, -1)
    position = rng.uniform(0, SIDE, (n, 3))
    shape, corner = (5, 5, 5), (0.0, 0.0, 0.0)
    order, start = cell_order(position, corner, CELL, shape)
    p, species = momentum[order], (np.arange(n) % 2).astype(np.int8)[order]
    field = np.zeros((2, 10, 10, 10), np.float32)
    origin = np.where(order < n // 2, 1, 2).astype(np.int8) if separation else np.zeros(n, np.int8)
    return Cells(
        position[order], p, species, origin, np.zeros(n), start, momentum_sums(p, start), shape, corner, CELL, field,
        (0.5, 0.5, 0.5), 1.0, per_nucleon, True,
    )  # fmt: skip


def copy(cells: Cells) -> Cells:
    return cells._replace(momentum=cells.momentum.copy(), origin=cells.origin.copy())


def run(
    cells: Cells, langevin: bool, time: float, seed: int, blocking: bool = False, kind: int = -1
) -> tuple[int, int]:
    """With 40 mb unless a kind is given."""
    density = np.diff(cells.start) / (cells.per_nucleon * CELL**3)
    return collide(cells, density, kind, 4.0, time, langevin, blocking, seed)


def packets(cells: Cells, before: Floats) -> list[np.ndarray]:
    """Particles that were given the same change of momentum."""
    change = np.round(cells.momentum - before, 6)
    moved = np.flatnonzero(np.abs(change).max(axis=1) > 0)
    groups = np.unique(change[moved], axis=0, return_inverse=True)[1].ravel()
    return [moved[groups == one] for one in range(groups.max() + 1)] if len(moved) else []


@BOTH
@pytest.mark.parametrize("separation", [0.0, 340.0])
def test_momentum_and_energy_of_all_particles_are_exact(langevin: bool, separation: float) -> None:
    cells = gas(separation=separation)
    before = cells.momentum.copy()
    _, accepted = run(cells, langevin, 10.0, 3)
    assert accepted > 20
    np.testing.assert_allclose(cells.momentum.sum(axis=0), before.sum(axis=0), atol=1e-8)
    # sums of 4000 squares, in double precision
    assert (cells.momentum**2).sum() == pytest.approx((before**2).sum(), rel=1e-12)


def test_a_test_particle_scatters_off_one_other_in_the_average_mode() -> None:
    for seed in range(40):
        cells = gas()
        before = cells.momentum.copy()
        attempted, accepted = run(cells, False, 0.0015, seed)
        moved = np.flatnonzero((cells.momentum != before).any(axis=1))
        assert attempted == accepted
        assert len(moved) <= 2 * accepted
        if accepted == 1:
            break
    i, j = moved
    assert (before[i] + before[j] - cells.momentum[i] - cells.momentum[j]).tolist() == pytest.approx([0] * 3, abs=1e-10)
    relative = [np.linalg.norm(p[i] - p[j]) for p in (before, cells.momentum)]
    assert relative[0] == pytest.approx(relative[1], rel=1e-12)
    assert (np.floor(cells.position[i] / CELL) == np.floor(cells.position[j] / CELL)).all()


def test_a_collision_moves_two_packets_of_one_nucleon_each() -> None:
    found = 0
    for seed in range(60):
        cells = gas()
        before = cells.momentum.copy()
        if run(cells, True, 0.07, seed)[1] != 1:
            continue
        found += 1
        first, second = packets(cells, before)
        assert len(first) == len(second) == 50
        for members in (first, second):
            assert len(set(cells.species[members])) == 1
            # within FARTHEST of the seed: no two are farther apart than twice that, through the walls
            apart = cells.position[members][:, None] - cells.position[members]
            apart -= SIDE * np.round(apart / SIDE)
            assert (apart**2).sum(axis=2).max() < (2 * FARTHEST) ** 2
        half = (before[first].mean(axis=0) - before[second].mean(axis=0)) / 2
        after = (cells.momentum[first].mean(axis=0) - cells.momentum[second].mean(axis=0)) / 2
        assert np.linalg.norm(after) == pytest.approx(np.linalg.norm(half), rel=1e-10)
    assert found > 10
    assert SIDE > 2 * FARTHEST


def test_members_of_a_packet_are_the_nearest_in_phase_space_to_some_particle() -> None:
    cells = gas(seed=2)
    before = cells.momentum.copy()
    pairs = []
    for seed in range(60):
        after = copy(cells)
        if run(after, True, 0.07, seed)[1] == 1:
            pairs.append(packets(after, before))
    # two packets of one species divide their common neighbours
    different = [pair for pair in pairs if cells.species[pair[0][0]] != cells.species[pair[1][0]]]
    assert len(different) > 3
    for members in itertools.chain(*different):
        alike = np.flatnonzero(cells.species == cells.species[members[0]])
        apart = cells.position[alike][:, None] - cells.position[members]
        apart -= SIDE * np.round(apart / SIDE)
        d2 = (apart**2).sum(axis=2) / PACKET_RADIUS**2
        d2 += ((before[alike][:, None] - before[members]) ** 2).sum(axis=2) / PACKET_MOMENTUM**2
        nearest = np.argsort(d2, axis=0)[:50]
        assert any(set(alike[nearest[:, k]]) == set(members) for k in range(50))


@BOTH
@pytest.mark.parametrize("kind", [-1, *KINDS.values()])
def test_attempts_come_at_the_rate_of_the_sum_over_pairs(langevin: bool, kind: int) -> None:
    cells = gas(per_nucleon=10, separation=200.0)
    cells.origin[:] = 0
    time = 2.0 if langevin else 0.2
    expected = 0.0
    for cell in range(len(cells.start) - 1):
        members = range(cells.start[cell], cells.start[cell + 1])
        density = len(members) / (10 * CELL**3)
        for i, j in itertools.combinations(members, 2):
            speed = float(np.linalg.norm(cells.momentum[i] - cells.momentum[j])) / NUCLEON_MASS
            same = bool(cells.species[i] == cells.species[j])
            sigma = 4.0 if kind < 0 else cross_section(kind, same, laboratory_speed(speed), density)
            expected += speed * sigma * time / (10 * CELL**3)
    if langevin:
        expected /= 10
    counts = [run(copy(cells), langevin, time, seed, kind=kind)[0] for seed in range(60)]
    # Poisson: four standard deviations of the mean of 60. Collisions change speeds but little within this time (1 %)
    assert np.mean(counts) == pytest.approx(expected, abs=4 * math.sqrt(expected / 60) + 0.01 * expected)


def test_a_cold_gas_collides_at_the_analytic_rate() -> None:
    # dN/dt = A rho sigma <v> / 2 with <v> = (36 / 35) p_F / m, non-relativistic
    cells = gas(per_nucleon=60)
    expected = 0.5 * NUCLEONS * (NUCLEONS / SIDE**3) * 4.0 * 36 / 35 * fermi_momentum(0.16) / NUCLEON_MASS
    attempted = sum(run(copy(cells), False, 0.5, seed)[0] for seed in range(20)) / 60 / (20 * 0.5)
    # 9000 collisions: 1 %; this sample's numbers of pairs in cells: 1 %
    assert attempted == pytest.approx(expected, rel=0.06)


def test_scattering_is_isotropic() -> None:
    cells = gas(separation=600.0)
    before = cells.momentum[:, 2].copy()
    run(cells, False, 3.0, 1)
    moved = (cells.momentum[:, 2] != before) & (before > 0)
    assert moved.sum() > 300
    # of the first beam's particles, which came along +z, as many go back; 500: 4 %
    assert (cells.momentum[moved, 2] > 0).mean() == pytest.approx(0.5, abs=0.1)
    others = cells.momentum[moved, :2]
    np.testing.assert_allclose(others.mean(axis=0), 0, atol=4 * others.std() / math.sqrt(moved.sum()))


@BOTH
def test_two_particles_of_one_nucleus_meet_only_after_they_collided(langevin: bool) -> None:
    cells = gas(separation=340.0)
    cells.origin[:] = 1
    assert run(cells, langevin, 5.0, 1) == (0, 0)
    cells.origin[::2] = 2
    before = cells.momentum.copy()
    assert run(cells, langevin, 5.0, 1)[1] > 0
    moved = np.abs(cells.momentum - before).max(axis=1) > 0
    assert not cells.origin[moved].any()
    assert (cells.origin[~moved] > 0).all()
    cells.origin[:] = 0
    assert run(cells, langevin, 5.0, 1)[0] > 0


@BOTH
def test_the_pauli_principle_stops_a_cold_gas_and_lets_fast_beams_collide(langevin: bool) -> None:
    time = 40.0 if langevin else 1.0
    attempted, accepted = np.sum(
        [run(gas(per_nucleon=200, seed=s), langevin, time, s, blocking=True) for s in (1, 2)], 0
    )
    # windows that are full within two standard deviations block: what passes are fluctuations beyond, 2 % at this size
    assert attempted > 200
    assert accepted / attempted < 0.03
    attempted, accepted = run(gas(200, separation=900.0), langevin, time / 4, 1, blocking=True)
    assert attempted > 50
    assert accepted / attempted > 0.8


def test_a_window_that_chance_may_have_emptied_counts_as_full() -> None:
    assert blocked(0.81, 100.0) == 1.0  # 1 - 2 / sqrt(100)
    assert blocked(0.79, 100.0) == 0.79
    assert blocked(1.3, 100.0) == 1.0
    assert blocked(0.0, 1e4) == 0.0
    assert blocked(0.0, 0.0) == 0.0  # no states: nothing is there


@pytest.mark.parametrize("kind", KINDS.values())
def test_no_pair_is_faster_than_the_rate_that_pairs_are_drawn_at(kind: int) -> None:
    speed = np.linspace(1e-3, FASTEST, 3001)
    for same in (False, True):
        rate = [v * cross_section(kind, same, laboratory_speed(v), 0.0) for v in speed]
        assert max(rate) <= fastest_rate(kind) * (1 + 1e-3)  # between its 1000 steps


@BOTH
def test_packets_need_matter_and_the_seed_says_all_that_is_random(langevin: bool) -> None:
    first, second, third = gas(), gas(), gas()
    assert run(first, langevin, 3.0, 7) == run(second, langevin, 3.0, 7)
    np.testing.assert_array_equal(first.momentum, second.momentum)
    run(third, langevin, 3.0, 8)
    assert (first.momentum != third.momentum).any()
    thin = gas()._replace(per_nucleon=NUCLEONS * 25 + 1)  # more than there are of either species
    attempted, accepted = run(thin, True, 3000.0, 1)
    assert attempted > 0 == accepted
