"""Test particles: centre of mass, energy, density and momenta of nuclei in their ground states."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.simulators.transport.equation_of_state import NUCLEON_MASS, equation_of_state
from cloudchamber.simulators.transport.evolution import SPACING
from cloudchamber.simulators.transport.ground_state import GroundState, thomas_fermi
from cloudchamber.simulators.transport.test_particles import (
    TestParticles,
    joined,
    lattice_around,
    nucleus,
    potential_energy,
)

SOFT = equation_of_state("soft")
NUCLEI = [(4, 2), (12, 6), (23, 11), (40, 20)]


def made(A: int, Z: int, per_nucleon: int = 200, seed: int = 1) -> tuple[GroundState, TestParticles]:
    ground = thomas_fermi(A, Z, SOFT, SPACING)
    return ground, nucleus(ground, per_nucleon, SPACING, SOFT, np.random.default_rng(seed))


@pytest.mark.parametrize(("A", "Z"), NUCLEI)
def test_a_nucleus_rests_at_the_origin_with_its_neutrons_and_protons(A: int, Z: int) -> None:
    _, particles = made(A, Z)
    assert len(particles) == A * 200
    assert particles.species.sum() == Z * 200
    np.testing.assert_allclose(particles.position.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(particles.momentum.mean(axis=0), 0, atol=1e-12)
    assert not particles.origin.any()


@pytest.mark.parametrize(("A", "Z"), NUCLEI)
def test_a_nucleus_has_the_energy_of_its_thomas_fermi_solution(A: int, Z: int) -> None:
    ground, particles = made(A, Z)
    energy = particles.kinetic_energy() + potential_energy(particles, SPACING, SOFT)
    assert energy == pytest.approx(ground.energy, abs=1e-6)
    volume = 4 * np.pi * ground.radius**2 * (ground.radius[1] - ground.radius[0])
    kinetic = (0.6 * ground.fermi**2 / (2 * NUCLEON_MASS) * ground.density * volume).sum()
    # the stretch of momenta that this takes is small: noise of the density binds, 200 test particles have little
    assert particles.kinetic_energy() == pytest.approx(kinetic, rel=0.05)


def test_fewer_test_particles_are_stretched_more() -> None:
    def excess(per_nucleon: int) -> float:
        ground, particles = made(12, 6, per_nucleon)
        volume = 4 * np.pi * ground.radius**2 * (ground.radius[1] - ground.radius[0])
        return (
            particles.kinetic_energy() / (0.6 * ground.fermi**2 / (2 * NUCLEON_MASS) * ground.density * volume).sum()
            - 1
        )

    assert abs(excess(1000)) < 0.02
    assert abs(excess(1000)) < abs(excess(20))


@pytest.mark.parametrize("species", [0, 1])
def test_density_and_momenta_follow_the_thomas_fermi_solution(species: int) -> None:
    ground, particles = made(40, 20, 500)
    of = particles.species == species
    r, p = np.linalg.norm(particles.position[of], axis=1), np.linalg.norm(particles.momentum[of], axis=1)
    step = ground.radius[1] - ground.radius[0]
    edges = np.append(ground.radius - step / 2, ground.radius[-1] + step / 2)
    inside = np.append(0, np.cumsum(ground.density[species] * np.diff(edges**3)))
    wanted = np.interp(np.sort(r), edges, inside / inside[-1])
    # radii are stratified, their distribution right to 1 / n but for the shift to the centre of mass (0.01 fm)
    assert np.abs(wanted - (np.arange(len(r)) + 0.5) / len(r)).max() < 0.01
    fermi = np.interp(r, ground.radius, ground.fermi[species])
    deep = fermi > 100
    assert (p[deep] < 1.05 * fermi[deep]).all()
    # uniform in the local Fermi sphere: (p / p_F)^3 is uniform; 1 / sqrt(12 n) is 0.003
    assert ((p[deep] / fermi[deep]) ** 3).mean() == pytest.approx(0.5, abs=0.04)


def test_directions_of_positions_and_momenta_are_isotropic_and_unrelated() -> None:
    _, particles = made(40, 20, 500)
    x, p = particles.position, particles.momentum
    x, p = x / np.linalg.norm(x, axis=1)[:, None], p / np.linalg.norm(p, axis=1)[:, None]
    # 20 000 directions: squares average to 1/3 with a deviation of 0.002, products to 0 with 0.0024 at most
    np.testing.assert_allclose(x.T @ x / len(x), np.eye(3) / 3, atol=0.01)
    np.testing.assert_allclose(p.T @ p / len(p), np.eye(3) / 3, atol=0.01)
    np.testing.assert_allclose(x.T @ p / len(p), 0, atol=0.012)


def test_the_same_seed_makes_the_same_nucleus_and_another_another() -> None:
    (_, one), (_, same), (_, other) = made(4, 2, 20), made(4, 2, 20), made(4, 2, 20, seed=2)
    np.testing.assert_array_equal(one.position, same.position)
    np.testing.assert_array_equal(one.momentum, same.momentum)
    assert (one.position != other.position).all()


@pytest.mark.parametrize("shift", [(0.3, -0.2, 0.5), (0.53, 0.53, 0.53)])
def test_the_energy_does_not_depend_on_where_lattice_points_are(shift: tuple[float, float, float]) -> None:
    _, particles = made(12, 6)
    before = potential_energy(particles, SPACING, SOFT)
    particles.position[:] += shift
    # 0.02 MeV per nucleon
    assert potential_energy(particles, SPACING, SOFT) == pytest.approx(before, abs=0.25)


def test_choosing_and_joining_keep_every_particle_whole() -> None:
    _, particles = made(4, 2, 20)
    particles.origin[:] = 1
    protons, neutrons = particles.of(particles.species == 1), particles.of(np.flatnonzero(particles.species == 0))
    both = joined(neutrons, protons)
    assert (len(protons), len(neutrons), both.per_nucleon) == (40, 40, 20)
    for name in ("position", "momentum", "species", "origin"):
        np.testing.assert_array_equal(getattr(both, name), getattr(particles, name))  # neutrons come first, anyway
    assert both.kinetic_energy() == pytest.approx((particles.momentum**2).sum() / (2 * NUCLEON_MASS * 20))


def test_lattices_around_particles_hold_all_of_them() -> None:
    _, particles = made(12, 6, 20)
    particles.position[0] = (11.0, -7.0, 3.0)
    for lattice in lattice_around(particles, SPACING):
        low = np.array(lattice.origin) + lattice.spacing
        high = low + lattice.spacing * (np.array(lattice.shape) - 3)
        assert ((particles.position >= low) & (particles.position < high)).all()
