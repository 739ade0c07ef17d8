"""Test particles: nuclei in their ground states, and two of them on their way to each other.

Bertsch and Das Gupta, Phys. Rep. 160 (1988) 189, section 3: f(r, p) = (1 / N_test) sum_i delta(r - r_i) delta(p -
p_i), non-relativistic, in the frame in which the two nuclei together are at rest. That frame's momenta are the
relativistic ones, so that wavelength and invariant mass are right; at 200 MeV per nucleon the kinetic energy in it is
2.6 % too high. fm, MeV, MeV/c.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloudchamber.simulators.transport.coulomb import COARSER, CoulombField
from cloudchamber.simulators.transport.equation_of_state import NUCLEON_MASS, EquationOfState
from cloudchamber.simulators.transport.ground_state import GroundState
from cloudchamber.simulators.transport.lattice import Floats, Lattice, Species, mean_field_energy


@dataclass(frozen=True)
class TestParticles:
    """Some matter.

    Attributes:
        position: (particle, 3) [fm].
        momentum: (particle, 3) [MeV/c].
        species: (particle,) 0: neutron, 1: proton.
        origin: (particle,) 1: of the projectile, 2: of the target, as long as it has not collided, else 0
            (``collisions``).
        per_nucleon: N_test.
    """

    __test__ = False  # pytest: these are no tests

    position: Floats
    momentum: Floats
    species: Species
    origin: NDArray[np.int8]
    per_nucleon: int

    def __len__(self) -> int:
        return len(self.species)

    def of(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> TestParticles:
        """Some of them, by a mask or by their numbers."""
        return TestParticles(
            self.position[chosen], self.momentum[chosen], self.species[chosen], self.origin[chosen], self.per_nucleon
        )

    def kinetic_energy(self) -> float:
        """sum_i p_i^2 / 2 m / N_test [MeV]."""
        return float((self.momentum**2).sum() / (2 * NUCLEON_MASS * self.per_nucleon))


def joined(first: TestParticles, second: TestParticles) -> TestParticles:
    """The particles of both, the first's first.

    Args:
        first: some matter.
        second: other matter, of the same N_test.
    """
    return TestParticles(
        np.concatenate([first.position, second.position]), np.concatenate([first.momentum, second.momentum]),
        np.concatenate([first.species, second.species]), np.concatenate([first.origin, second.origin]),
        first.per_nucleon,
    )  # fmt: skip


def lattice_around(particles: TestParticles, spacing: float) -> tuple[Lattice, Lattice]:
    """A lattice that holds all of the particles about 0, and a coarser one for the Coulomb field.

    Args:
        particles: the matter.
        spacing: of the finer lattice [fm].
    """
    half = np.abs(particles.position).max(axis=0) + 2 * spacing
    lengths = (half[0], half[1], half[2])
    return Lattice.around(lengths, spacing), Lattice.around(lengths, COARSER * spacing)


def potential_energy(particles: TestParticles, spacing: float, matter: EquationOfState) -> float:
    """Of the mean field and of the Coulomb field [MeV], of these particles alone.

    Args:
        particles: the matter; its middle should be near 0, or the lattice becomes large.
        spacing: of the lattice [fm].
        matter: the mean field.
    """
    fine, coarse = lattice_around(particles, spacing)
    field = mean_field_energy(particles.position, particles.species, particles.per_nucleon, fine, matter)
    return field + CoulombField(coarse).solve(particles.position, particles.species, particles.per_nucleon)


def nucleus(
    ground: GroundState, per_nucleon: int, spacing: float, matter: EquationOfState, rng: np.random.Generator
) -> TestParticles:
    """A nucleus at rest at 0, with radii and momenta stratified: its density and energy fluctuate less than by chance.

    Its momenta are stretched by a common factor until its energy on the lattice is that of the Thomas-Fermi solution.

    Args:
        ground: its Thomas-Fermi solution; A and Z are whole numbers.
        per_nucleon: test particles a nucleon.
        spacing: of the lattice [fm].
        matter: the mean field.
        rng: what is random.
    """
    parts = []
    step = ground.radius[1] - ground.radius[0]
    edge = np.append(ground.radius - step / 2, ground.radius[-1] + step / 2)
    for q, number in enumerate((round(ground.A - ground.Z), round(ground.Z))):
        n = number * per_nucleon
        inside = np.append(0.0, np.cumsum(ground.density[q] * (edge[1:] ** 3 - edge[:-1] ** 3)))
        r = np.cbrt(np.interp(_strata(n, rng) * inside[-1], inside, edge**3))
        p = np.interp(r, ground.radius, ground.fermi[q]) * np.cbrt(_strata(n, rng))
        position, momentum = r[:, None] * _directions(n, rng), p[:, None] * _directions(n, rng)
        species, origin = np.full(n, q, np.int8), np.zeros(n, np.int8)
        parts.append(TestParticles(position, momentum, species, origin, per_nucleon))
    whole = joined(*parts)
    whole.position[:] -= whole.position.mean(axis=0)
    whole.momentum[:] -= whole.momentum.mean(axis=0)
    kinetic = ground.energy - potential_energy(whole, spacing, matter)
    whole.momentum[:] *= math.sqrt(kinetic / whole.kinetic_energy())
    return whole


def _strata(n: int, rng: np.random.Generator) -> Floats:
    """One number in each of n equal parts of [0, 1), in random order."""
    return (rng.permutation(n) + rng.random(n)) / n


def _directions(n: int, rng: np.random.Generator) -> Floats:
    cosine, azimuth = 2 * rng.random(n) - 1, 2 * math.pi * rng.random(n)
    sine = np.sqrt(1 - cosine**2)
    return np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], axis=1)
