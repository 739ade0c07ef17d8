"""Time evolution: nuclei stay as they are, energy and momentum are conserved in collisions, one seed is one history."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.simulators.transport.entrance_channel import EntranceChannel, colliding_nuclei
from cloudchamber.simulators.transport.equation_of_state import equation_of_state
from cloudchamber.simulators.transport.evolution import COULOMB_STEPS, SPACING, Dynamics, Evolution, Unstable
from cloudchamber.simulators.transport.ground_state import thomas_fermi
from cloudchamber.simulators.transport.nucleon_nucleon import KINDS
from cloudchamber.simulators.transport.test_particles import TestParticles, joined, nucleus

SOFT = equation_of_state("soft")
BOTH = pytest.mark.parametrize("langevin", [True, False])


def dynamics(langevin: bool = True, collisions: bool = True, time_step: float = 0.5) -> Dynamics:
    return Dynamics(SOFT, KINDS["capped"], langevin, collisions=collisions, time_step=time_step)


def at_rest(A: int, Z: int, per_nucleon: int, langevin: bool, origin: int) -> tuple[Evolution, float]:
    """A nucleus whose particles count as of one nucleus (1), or as having collided (0), and the radius of its edge."""
    ground = thomas_fermi(A, Z, SOFT, SPACING)
    particles = nucleus(ground, per_nucleon, SPACING, SOFT, np.random.default_rng(3))
    particles.origin[:] = origin
    return Evolution(particles, dynamics(langevin), 1), ground.edge


def carbon_on_carbon(per_nucleon: int = 60, langevin: bool = True, seed: int = 1, b: float = 3.0) -> Evolution:
    channel = EntranceChannel((12, 6), (12, 6), 62.0)
    particles = colliding_nuclei(channel, b, per_nucleon, SPACING, SOFT, np.random.default_rng(5))
    return Evolution(particles, dynamics(langevin), seed)


def rms(particles: TestParticles) -> float:
    return float(np.sqrt((particles.position**2).sum(axis=1).mean()))


@pytest.mark.parametrize(("A", "Z", "per_nucleon"), [(12, 6, 300), (40, 20, 200)])
def test_a_nucleus_left_alone_keeps_its_radius_energy_and_nucleons(A: int, Z: int, per_nucleon: int) -> None:
    evolution, edge = at_rest(A, Z, per_nucleon, langevin=True, origin=1)
    radius, energy = rms(evolution.particles), evolution.energy()
    for _ in range(5):
        evolution.run(40.0)
        assert rms(evolution.particles) == pytest.approx(radius, rel=0.05)
        assert abs(evolution.energy() - energy) / A < 0.1
    assert evolution.time == 200
    assert evolution.attempted == 0
    left = np.linalg.norm(evolution.particles.position, axis=1) > edge + 4.0
    assert left.sum() / per_nucleon < 0.03  # of a nucleon: chance lifts single test particles


@BOTH
def test_collisions_in_a_cold_nucleus_are_blocked_without_the_rule_for_one_nucleus(langevin: bool) -> None:
    evolution, edge = at_rest(12, 6, 500, langevin, origin=0)
    radius = rms(evolution.particles)
    evolution.run(40.0)
    assert evolution.attempted > 15
    assert evolution.accepted <= 0.01 * evolution.attempted
    assert rms(evolution.particles) == pytest.approx(radius, rel=0.05)
    assert np.linalg.norm(evolution.particles.position, axis=1).max() < edge + 4.0


@BOTH
def test_colliding_nuclei_conserve_energy_momentum_and_nucleons(langevin: bool) -> None:
    evolution = carbon_on_carbon(100, langevin)
    particles = evolution.particles
    energy, protons = evolution.energy(), particles.species.sum()
    evolution.run(200.0)
    assert evolution.accepted >= 1
    assert abs(evolution.energy() - energy) / 24 < 0.1  # MeV per nucleon
    # taken away every step; collisions and the last half kick of Coulomb's field come after
    np.testing.assert_allclose(particles.momentum.mean(axis=0), 0, atol=0.02)
    assert len(particles) == 2400
    assert particles.species.sum() == protons


def test_the_mean_field_turns_a_beam_without_collisions() -> None:
    channel = EntranceChannel((12, 6), (12, 6), 62.0)
    particles = colliding_nuclei(channel, 5.0, 60, SPACING, SOFT, np.random.default_rng(5))
    evolution = Evolution(particles, dynamics(collisions=False), 1)
    energy = evolution.energy()
    evolution.run(120.0)
    assert (evolution.attempted, evolution.accepted) == (0, 0)
    assert abs(evolution.energy() - energy) / 24 < 0.1
    first = particles.origin == 1
    # b = 5 fm: attraction wins, and slows by some MeV/c per nucleon
    assert particles.momentum[first, 0].mean() < -1
    assert 100 < particles.momentum[first, 2].mean() < channel.momentum / 12


@BOTH
def test_one_seed_is_one_history_and_another_seed_another(langevin: bool) -> None:
    one, same, other = (carbon_on_carbon(40, langevin, seed) for seed in (1, 1, 2))
    for evolution in (one, same, other):
        evolution.run(60.0)
    np.testing.assert_array_equal(one.particles.momentum, same.particles.momentum)
    np.testing.assert_array_equal(one.particles.position, same.particles.position)
    assert (one.attempted, one.accepted) == (same.attempted, same.accepted)
    assert (one.particles.momentum != other.particles.momentum).any()


def test_both_modes_attempt_collisions_at_the_same_rate() -> None:
    langevin, average = (carbon_on_carbon(60, mode, b=0.0) for mode in (True, False))
    langevin.run(80.0)
    average.run(80.0)
    # counted in nucleons: the average mode's number is exact to 5 %, the other fluctuates (Poisson, four deviations)
    assert average.attempted > 5
    assert langevin.attempted == pytest.approx(average.attempted, abs=4 * average.attempted**0.5)


def test_time_goes_on_by_whole_periods_of_the_coulomb_field() -> None:
    evolution = carbon_on_carbon(4)
    period = COULOMB_STEPS * 0.5
    evolution.run(0.1)
    assert evolution.time == period
    evolution.run(2.4 * period)
    assert evolution.time == 3 * period


@pytest.mark.parametrize("axis", [0, 2])
def test_the_lattice_follows_nuclei_that_fly_apart(axis: int) -> None:
    ground = thomas_fermi(12, 6, SOFT, SPACING)
    parts = []
    for sign in (1, -1):
        part = nucleus(ground, 50, SPACING, SOFT, np.random.default_rng(sign + 3))
        part.position[:, axis] += 6.0 * sign
        part.momentum[:, axis] += 170.0 * sign
        parts.append(part)
    evolution = Evolution(joined(*parts), dynamics(collisions=False), 1)
    energy, before = evolution.energy(), evolution.lattice.shape
    evolution.run(200.0)  # to 40 fm from the middle
    assert abs(evolution.energy() - energy) / 24 < 0.1
    assert evolution.lattice.shape[axis] > before[axis]
    assert (np.abs(evolution.particles.position[:, axis]) > 30).mean() > 0.99


def test_a_total_momentum_is_taken_away() -> None:
    evolution, _ = at_rest(4, 2, 40, langevin=True, origin=1)
    evolution.particles.momentum[:, 2] += 100.0
    evolution.run(4.0)
    assert abs(evolution.particles.momentum[:, 2].mean()) < 0.1


def test_numbers_that_are_not_finite_are_found() -> None:
    evolution, _ = at_rest(4, 2, 40, langevin=True, origin=1)
    evolution.particles.momentum[0] = np.inf
    with np.errstate(invalid="ignore"), pytest.raises(Unstable, match="not finite at 4 fm/c"):
        evolution.run(40.0)
