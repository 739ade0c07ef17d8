"""Fragments: nuclei are found whole, at rest, moving, excited and spinning; what is thin or small is gas."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.simulators.transport.equation_of_state import HBAR_C, NUCLEON_MASS, equation_of_state
from cloudchamber.simulators.transport.evolution import SPACING
from cloudchamber.simulators.transport.fragments import LEAST_NUCLEONS, fragments, ground_state_energy, regions
from cloudchamber.simulators.transport.ground_state import thomas_fermi
from cloudchamber.simulators.transport.lattice import Lattice
from cloudchamber.simulators.transport.test_particles import TestParticles, joined, nucleus

SOFT = equation_of_state("soft")
LATTICE = Lattice.around((15.0, 15.0, 25.0), SPACING)
CUT = 0.02


def made(A: int, Z: int, per_nucleon: int = 200, seed: int = 1) -> TestParticles:
    ground = thomas_fermi(A, Z, SOFT, SPACING)
    return nucleus(ground, per_nucleon, SPACING, SOFT, np.random.default_rng(seed))


def two_nuclei() -> TestParticles:
    """Carbon at (3, 0, -12) with 150 MeV/c per nucleon along z, and a lighter one, boron, at (-3, 1, 12)."""
    carbon, boron = made(12, 6), made(10, 5, seed=2)
    carbon.position[:] += (3.3, 0.2, -12.1)
    carbon.momentum[:] += (0, 0, 150)
    boron.position[:] += (-3.0, 1.0, 12.0)
    boron.momentum[:] += (20, -30, -120)
    return joined(boron, carbon)


def gas(n: int, per_nucleon: int = 200) -> TestParticles:
    rng = np.random.default_rng(7)
    species, origin = (np.arange(n) % 2).astype(np.int8), np.zeros(n, np.int8)
    return TestParticles(rng.uniform(-14, 14, (n, 3)), rng.normal(0, 100, (n, 3)), species, origin, per_nucleon)


def test_two_nuclei_are_found_whole_where_they_are_and_as_they_move() -> None:
    found = fragments(two_nuclei(), LATTICE, SOFT, CUT)
    np.testing.assert_allclose(found.A, [12, 10], atol=0.02)  # heaviest first, to the last particles
    np.testing.assert_allclose(found.Z, [6, 5], atol=0.02)
    np.testing.assert_allclose(found.position, [[3.3, 0.2, -12.1], [-3, 1, 12]], atol=0.02)
    momenta = np.array([[0, 0, 150.0 * 12], [200, -300, -1200]])
    np.testing.assert_allclose(found.momentum, momenta, atol=5)
    assert (np.bincount(found.owner + 1, minlength=3)[1:] / 200).tolist() == found.A.tolist()
    # cold but for what the lattice does not resolve: 0.1 MeV per nucleon
    np.testing.assert_allclose(found.excitation, 0, atol=1.2)


def test_excitation_does_not_depend_on_where_lattice_points_are() -> None:
    excitations = []
    for shift in np.linspace(0, SPACING, 5):
        carbon = made(12, 6)
        carbon.position[:] += (shift, 0.3 * shift, 5 - shift)
        excitations.append(fragments(carbon, LATTICE, SOFT, CUT).excitation[0])
    assert np.ptp(excitations) < 0.01  # about its own centre, whatever the lattice


@pytest.mark.parametrize("excitation", [5.0, 20.0, 40.0])
def test_excitation_put_in_by_hand_is_found(excitation: float) -> None:
    carbon = made(12, 6)
    rest = fragments(carbon, LATTICE, SOFT, CUT).excitation[0]
    # all momenta are stretched
    carbon.momentum[:] *= np.sqrt(1 + excitation / carbon.kinetic_energy())
    carbon.momentum[:] += (0, 100, 0)
    found = fragments(carbon, LATTICE, SOFT, CUT)
    assert len(found.A) == 1
    assert found.A[0] == pytest.approx(12, abs=0.05)
    # the fastest particles of the rim are lost to the gas, with their energy
    assert found.excitation[0] - rest == pytest.approx(excitation, abs=0.6 + 0.03 * excitation)


def test_a_spinning_nucleus_has_its_angular_momentum_in_units_of_hbar() -> None:
    carbon = made(12, 6)
    omega = 0.01  # c / fm about the z axis
    carbon.momentum[:] += NUCLEON_MASS * omega * np.cross([0, 0, 1], carbon.position)
    carbon.position[:] += (2, 1, 8)
    carbon.momentum[:] += (0, 0, 100)
    found = fragments(carbon, LATTICE, SOFT, CUT)
    own = carbon.position - carbon.position.mean(axis=0)
    inertia = NUCLEON_MASS * (own[:, :2] ** 2).sum() / 200
    intrinsic = np.cross(own, carbon.momentum - carbon.momentum.mean(axis=0)).sum(axis=0) / 200 / HBAR_C
    np.testing.assert_allclose(found.angular_momentum[0], intrinsic, atol=0.1)
    # a sampled nucleus has some of its own
    assert found.angular_momentum[0, 2] == pytest.approx(inertia * omega / HBAR_C, abs=0.5)


def test_thin_matter_and_single_nucleons_are_gas() -> None:
    none = fragments(gas(400), LATTICE, SOFT, CUT)
    assert none.A.shape == none.excitation.shape == (0,)
    assert none.momentum.shape == none.position.shape == none.angular_momentum.shape == (0, 3)
    assert (none.owner == -1).all()
    rng = np.random.default_rng(3)
    for nucleons, count in ((1.4, 0), (1.6, 1)):
        n = round(nucleons * 200)
        ball = TestParticles(
            rng.normal(0, 0.5, (n, 3)), rng.normal(0, 20, (n, 3)), (np.arange(n) % 2).astype(np.int8),
            np.zeros(n, np.int8), 200,
        )  # fmt: skip
        assert len(fragments(ball, LATTICE, SOFT, CUT).A) == count
    assert 1.4 < LEAST_NUCLEONS < 1.6


def test_gas_that_passes_by_is_not_taken_for_the_nucleus() -> None:
    carbon = made(12, 6)
    fast = gas(200)
    fast.position[:] = fast.position / np.linalg.norm(fast.position, axis=1)[:, None] * 4.5  # in the rim
    fast.momentum[:, 2] += 400
    found = fragments(joined(carbon, fast), LATTICE, SOFT, CUT)
    assert found.A[0] == pytest.approx(12, abs=0.1)
    assert (found.owner[2400:] == -1).mean() > 0.95


def test_bound_particles_of_the_rim_belong_to_the_nearest_region() -> None:
    carbon = made(12, 6)
    owner = regions(carbon, LATTICE, SOFT, CUT)
    assert (owner == 0).mean() > 0.998
    dense = regions(carbon, LATTICE, SOFT, 0.1)  # the region alone would be a smaller one
    assert (dense == 0).mean() > 0.95


def test_particles_outside_the_lattice_are_gas() -> None:
    both = two_nuclei()
    both.position[:100] += (0, 0, 500)
    assert (regions(both, LATTICE, SOFT, CUT)[:100] == -1).all()


def test_a_region_without_a_particle_of_its_own_does_no_harm() -> None:
    # eight particles about a lattice point, each nearer to another point: only the one between is dense
    point = np.array(LATTICE.origin) + SPACING * 10
    sides = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * 0.51 * SPACING
    n = 20
    position = point + np.repeat(sides, n, axis=0)
    particles = TestParticles(
        position, np.zeros_like(position), np.zeros(len(position), np.int8), np.zeros(len(position), np.int8), 200
    )
    peak = 8 * n / 200 * 0.48**3 / SPACING**3
    owner = regions(particles, LATTICE, SOFT, 0.9 * peak)
    assert (owner <= 0).all()
    assert len(fragments(particles, LATTICE, SOFT, 0.9 * peak).A) == 0


def test_the_ground_state_of_what_is_not_bound_has_no_energy() -> None:
    assert ground_state_energy(12.0, 6.0, SOFT, SPACING) == thomas_fermi(12, 6, SOFT, SPACING).energy
    assert ground_state_energy(3.0, 0.0, SOFT, SPACING) == 0.0
    assert ground_state_energy(2.0, 2.0, SOFT, SPACING) == 0.0
