"""Final states of transport as sets of particles, so many a nucleon, and back: what a graph network reads and writes.

So the seed talk represents fragments (Ciardiello et al., Phys. Med. 73 (2020), doi:10.1016/j.ejmp.2020.04.005): a
fragment is particles with the momentum of its nucleons and a Gaussian spread that stands for its excitation energy.
Here E* = 3 A s^2 / 2 m, as for an ideal gas, with the spread s along an axis. Numbers of neutrons and protons are
rounded by systematic sampling; particles of the gas are test particles of the simulator. The k heaviest fragments have
a class each, heaviest first; smaller ones count as gas. Particles are in the order of their classes, neutrons first.

Conventions: common rest frame; MeV/c a nucleon, MeV; classes 0 to ``GAS``; species 0 neutron, 1 proton.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.collisions import Entrance, Floats, Integers, Simulated
from cloudchamber.simulators.transport.equation_of_state import NUCLEON_MASS
from cloudchamber.simulators.transport.whole_numbers import systematic_rounding

PER_NUCLEON = 8
"""Particles of a nucleon."""
GAS = 4
"""Class of the gas: so many fragments have a class of their own."""
CLASSES = GAS + 1
LEAST = PER_NUCLEON
"""Particles of the smallest fragment; what has fewer is gas."""


@dataclass(frozen=True)
class CollisionParticles:
    """Events as sets of particles, padded to the largest.

    Attributes:
        number: of particles (event,).
        momentum: per nucleon (event, particle, 3) [MeV/c]; 0 where there is none.
        kind: class (event, particle); ``GAS`` where there is none.
        proton: whether it is one (event, particle).
    """

    number: Integers
    momentum: NDArray[np.float32]
    kind: NDArray[np.int64]
    proton: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.number)

    @property
    def there(self) -> NDArray[np.bool_]:
        """Where there is a particle (event, particle)."""
        return np.asarray(np.arange(self.kind.shape[1]) < self.number[:, None])


def numbers_of(entrance: Entrance) -> Integers:
    """Particles (event,) of events."""
    return PER_NUCLEON * np.asarray(entrance.projectile + entrance.target)[:, 0]


def particles_of(entrance: Entrance, simulated: Simulated, rng: np.random.Generator) -> CollisionParticles:
    """Particles of events, drawn anew with each call; average and spread of a fragment's momenta are exact.

    Args:
        entrance: which nuclei collide (event,).
        simulated: the events.
        rng: what is random.
    """
    number = numbers_of(entrance)
    protons = PER_NUCLEON * np.asarray(entrance.projectile + entrance.target)[:, 1]
    most = int(number.max(initial=0))
    momentum = np.zeros((len(number), most, 3), np.float32)
    kind = np.full((len(number), most), GAS)
    proton = np.zeros((len(number), most), np.bool_)
    for event in range(len(number)):
        own = slice(*simulated.first_fragment[event : event + 2])
        gas = slice(*simulated.first_particle[event : event + 2])
        A, Z = simulated.A[own], simulated.Z[own]
        n = systematic_rounding(PER_NUCLEON * (A - Z), int(number[event] - protons[event]), rng)
        p = systematic_rounding(PER_NUCLEON * Z, int(protons[event]), rng)
        size = int(number[event])
        spread = np.sqrt(2 * NUCLEON_MASS * np.maximum(simulated.excitation[own], 0) / (3 * A))
        parts = [
            mean + sigma * _standard_normal(int(count), rng)
            for mean, sigma, count in zip(simulated.momentum[own] / A[:, None], spread, (n + p)[:-1], strict=True)
        ]
        parts += [
            _test_particles(simulated.gas_momentum[gas], simulated.gas_species[gas] == species, int(count), rng)
            for species, count in enumerate((n[-1], p[-1]))
        ]
        pairs = np.column_stack([n, p]).reshape(-1)
        classes = np.append(np.minimum(np.arange(len(A)), GAS), GAS)
        kinds = np.repeat(np.repeat(classes, 2), pairs)
        protons_there = np.repeat(np.arange(len(pairs)) % 2 == 1, pairs)
        order = np.lexsort((protons_there, kinds))  # where several small fragments are gas
        momentum[event, :size] = np.concatenate(parts)[order]
        kind[event, :size], proton[event, :size] = kinds[order], protons_there[order]
    return CollisionParticles(number, momentum, kind, proton)


def _standard_normal(count: int, rng: np.random.Generator) -> Floats:
    """Normal numbers (count, 3) of average 0 along each axis and variance 1 over all three together."""
    drawn = rng.standard_normal((count, 3))
    if count < 2:
        return np.zeros((count, 3))
    drawn -= drawn.mean(axis=0)
    return np.asarray(drawn * np.sqrt(3 * (count - 1) / (drawn**2).sum()))


def _test_particles(
    momentum: NDArray[np.float32], right: NDArray[np.bool_], count: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Momenta (count, 3) of test particles of the right species, each at most once where there are enough."""
    pool = np.flatnonzero(right) if right.any() else np.arange(len(right))
    if not len(pool):  # an event without gas of which a rounding error left a particle
        return np.zeros((count, 3), np.float32)
    return np.asarray(momentum[rng.choice(pool, count, replace=count > len(pool))])


def simulated_of(particles: CollisionParticles) -> Simulated:
    """Fragments and gas of particles: numbers by counting, momenta by average, excitation energy by variance.

    Where fragments were is not known any more: at the origin. The particles of a class that has fewer than ``LEAST``
    count as gas.

    Args:
        particles: the events.
    """
    events = len(particles)
    there = particles.there
    event = np.nonzero(there)[0]
    kind, proton = particles.kind[there], particles.proton[there]
    momentum = particles.momentum[there].astype(np.float64)

    def sums(values: NDArray[np.generic]) -> Floats:
        total = np.bincount(event * CLASSES + kind, values.astype(np.float64), events * CLASSES)
        return np.asarray(total.reshape(events, CLASSES), np.float64)

    count, charge = sums(np.ones(len(event))), sums(proton)
    many = np.maximum(count, 1)
    mean = np.stack([sums(axis) for axis in momentum.T], axis=2) / many[:, :, None]
    square = sums(((momentum - mean[event, kind]) ** 2).sum(axis=1))
    variance = square / (3 * np.maximum(count - 1, 1))
    whole = count >= LEAST
    whole[:, GAS] = False
    order = np.argsort(np.where(whole, -count, 0), axis=1, kind="stable")
    rows, places = np.nonzero(np.take_along_axis(whole, order, axis=1))
    chosen = rows, order[rows, places]
    A = count[chosen] / PER_NUCLEON
    gas = ~whole[event, kind]
    return Simulated(
        whole.sum(axis=1), A, charge[chosen] / PER_NUCLEON, np.zeros((len(A), 3)), A[:, None] * mean[chosen],
        1.5 * A * variance[chosen] / NUCLEON_MASS, np.bincount(event[gas], minlength=events),
        proton[gas].astype(np.uint8), np.zeros((int(gas.sum()), 3), np.float32), momentum[gas].astype(np.float32),
        PER_NUCLEON,
    )  # fmt: skip
