"""Events become particles and events again; numbers of neutrons and protons are right on average and in sum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cloudchamber.data.collision_particles import GAS, LEAST, PER_NUCLEON, numbers_of, particles_of, simulated_of
from cloudchamber.data.collisions import Entrance, Simulated

A = np.array([9.31, 7.25, 1.9, 5.02, 2.5, 2.1, 1.8, 1.6, 1.55, 12.0, 12.0])
Z = np.array([4.5, 3.7, 1.0, 2.4, 1.2, 1.1, 0.9, 0.8, 0.7, 6.0, 6.0])
FRAGMENTS = np.array([3, 6, 2])


def made(per_nucleon: int = 500) -> tuple[Entrance, Simulated]:
    """C + C: three fragments; six fragments; two cold carbons without gas."""
    rng = np.random.default_rng(3)
    owner = np.repeat(np.arange(3), FRAGMENTS)
    neutrons = 12 - np.bincount(owner, A - Z)
    protons = 12 - np.bincount(owner, Z)
    counts = np.round(per_nucleon * np.stack([neutrons, protons], axis=1)).astype(np.int64)
    species = np.concatenate([np.repeat([0, 1], pair) for pair in counts]).astype(np.uint8)
    n = len(species)
    excitation = np.array([20.0, 9.0, -0.3, 7.0, 3.0, 2.0, 1.0, 2.0, 1.0, 0.0, 0.4])
    simulated = Simulated(
        FRAGMENTS, A, Z, rng.normal(0, 9, (len(A), 3)), rng.normal(0, 60, (len(A), 3)) * A[:, None], excitation,
        counts.sum(axis=1), species, np.zeros((n, 3), np.float32), rng.normal(0, 80, (n, 3)).astype(np.float32),
        per_nucleon,
    )  # fmt: skip
    carbon = np.tile([12, 6], (3, 1))
    return Entrance(carbon, carbon, np.full(3, 62.0), np.array([3.0, 1.0, 7.9])), simulated


def test_fragments_are_found_again_with_momentum_and_excitation() -> None:
    entrance, simulated = made()
    found = simulated_of(particles_of(entrance, simulated, np.random.default_rng(1)))
    assert found.fragments.tolist() == [3, GAS, 2]
    kept = np.array([0, 1, 2, 3, 4, 5, 6, 9, 10])  # the two smallest of the second event are gas
    # neutrons and protons are rounded to eighths each
    assert np.abs(found.Z - Z[kept]).max() < 1 / PER_NUCLEON
    assert np.abs(found.A - A[kept]).max() < 2 / PER_NUCLEON
    # average and variance of the drawn momenta are exact, up to single precision
    velocity = simulated.momentum[kept] / A[kept, None]
    assert found.momentum / found.A[:, None] == pytest.approx(velocity, abs=1e-3)
    warm = np.maximum(simulated.excitation[kept], 0) / A[kept]
    assert found.excitation / found.A == pytest.approx(warm, abs=1e-4)


def test_gas_is_drawn_from_test_particles_of_its_species() -> None:
    entrance, simulated = made()
    particles = particles_of(entrance, simulated, np.random.default_rng(1))
    first = slice(0, int(simulated.gas[0]))
    for proton in (0, 1):
        pool = simulated.gas_momentum[first][simulated.gas_species[first] == proton]
        drawn = particles.momentum[0][(particles.kind[0] == GAS) & (particles.proton[0] == proton)]
        assert len(np.unique(drawn, axis=0)) == len(drawn) > 0  # each at most once
        assert {tuple(row) for row in drawn.tolist()} <= {tuple(row) for row in pool.tolist()}


def test_nucleons_add_up_and_classes_are_in_order() -> None:
    entrance, simulated = made()
    particles = particles_of(entrance, simulated, np.random.default_rng(2))
    assert particles.number.tolist() == [24 * PER_NUCLEON] * 3
    assert particles.proton.sum(axis=1).tolist() == [12 * PER_NUCLEON] * 3
    assert (np.diff(2 * particles.kind + particles.proton, axis=1) >= 0).all()
    found = simulated_of(particles)
    owner = np.repeat(np.arange(3), found.fragments)
    assert np.bincount(owner, found.A) + found.gas / PER_NUCLEON == pytest.approx(24.0)
    assert found.gas[2] == 0


def test_small_fragments_without_a_class_are_gas_with_their_momentum() -> None:
    entrance, simulated = made()
    particles = particles_of(entrance, simulated, np.random.default_rng(2))
    gas = (particles.kind[1] == GAS).sum()
    assert gas / PER_NUCLEON == pytest.approx(simulated.gas[1] / 500 + A[7] + A[8], abs=4 / PER_NUCLEON)
    # all test particles at rest: what moves is of the two fragments
    still = replace(simulated, gas_momentum=np.zeros_like(simulated.gas_momentum))
    found = simulated_of(particles_of(entrance, still, np.random.default_rng(2)))
    second = found.gas_momentum[found.first_particle[1] : found.first_particle[2]]
    moving = np.abs(second).sum(axis=1) > 0
    assert moving.sum() / PER_NUCLEON == pytest.approx(A[7] + A[8], abs=4 / PER_NUCLEON)


def test_numbers_are_right_on_average_over_draws() -> None:
    entrance, simulated = made()
    draws = [simulated_of(particles_of(entrance, simulated, np.random.default_rng(seed))).A[:2] for seed in range(300)]
    # the error of an average of 300 draws that are off by up to 1/8 is below 0.01
    assert np.mean(draws, axis=0) == pytest.approx(A[:2], abs=0.03)


def test_events_of_other_nuclei_are_padded() -> None:
    entrance, simulated = made()
    helium = replace(entrance.ordered(np.array([2])), projectile=np.array([[4, 2]]), target=np.array([[12, 6]]))
    both = Entrance(*(
        np.concatenate([getattr(one, name) for one in (entrance, helium)])
        for name in ("projectile", "target", "energy", "impact_parameter")
    ))  # fmt: skip
    last = simulated.ordered(np.array([0, 1, 2, 2]))
    last.A[-2:], last.Z[-2:] = (12.0, 4.0), (6.0, 2.0)
    particles = particles_of(both, last, np.random.default_rng(1))
    assert particles.kind.shape == (4, 24 * PER_NUCLEON)
    assert numbers_of(both).tolist() == particles.there.sum(axis=1).tolist() == [192, 192, 192, 128]
    assert simulated_of(particles).A[-2:].tolist() == [12.0, 4.0]


def test_a_class_with_too_few_particles_counts_as_gas() -> None:
    entrance, simulated = made()
    particles = particles_of(entrance, simulated, np.random.default_rng(2))
    kind = particles.kind.copy()
    kind[0] = np.where(np.arange(192) < LEAST - 1, 1, GAS)
    found = simulated_of(replace(particles, kind=kind))
    assert found.fragments[0] == 0
    assert found.gas[0] == 192
