"""Time evolution: test particles in their mean field and Coulomb field, colliding.

Drift-kick-drift steps, which are symplectic and second order; the Coulomb kick is given every ``COULOMB_STEPS`` steps
for as long a time (r-RESPA: Tuckerman, Berne, Martyna, J. Chem. Phys. 97 (1992) 1990), evaluated where the particles
are then, not held while they move. Collisions every ``COLLISION_STEPS`` steps. In the frame in which all matter
together is at rest: a total momentum is taken away. fm, fm/c, MeV, MeV/c.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cloudchamber.simulators.transport.collisions import collide
from cloudchamber.simulators.transport.coulomb import COARSER, CoulombField
from cloudchamber.simulators.transport.equation_of_state import NUCLEON_MASS, EquationOfState
from cloudchamber.simulators.transport.lattice import (
    Floats,
    Lattice,
    deposit,
    folded,
    kick,
    mean_field,
    mean_field_energy,
    potential_table,
)
from cloudchamber.simulators.transport.pauli_blocking import Cells, cell_order, fold_field, momentum_sums
from cloudchamber.simulators.transport.test_particles import TestParticles

SPACING = 1.06
"""Of the lattice [fm]: with this range of the force a carbon nucleus has the measured binding energy."""
COULOMB_STEPS, COLLISION_STEPS = 8, 2
CELL = 1.5
"""Of cells of colliding particles, in lattice spacings."""
LEAST_DENSITY = 1e-3
"""fm^-3: where matter is thinner its potential is not needed to count states."""


MARGIN, GROWTH = 13.0, 6.0
"""fm: of lattice about dense matter, at least, and how much it grows at a time."""
DENSE, FEW = 0.005, 1.0
"""fm^-3: matter that must stay on the lattice; a nucleus is thinner in its last femtometre only. With few test
particles FEW over their number: a single one makes up to 0.25 / N_test."""


class Unstable(ArithmeticError):
    """The integration of an event has gone wrong: energy is not conserved, or numbers are not finite."""


@dataclass(frozen=True)
class Dynamics:
    """What moves the particles.

    Attributes:
        matter: the mean field.
        kind: of the nucleon-nucleon cross section (``nucleon_nucleon.KINDS``).
        langevin: collisions move packets of nucleons (Boltzmann-Langevin) instead of test particles (average).
        spacing: of the lattice [fm].
        time_step: [fm/c].
        collisions: whether there are any.
    """

    matter: EquationOfState
    kind: int
    langevin: bool = True
    spacing: float = SPACING
    time_step: float = 0.5
    collisions: bool = True


class Evolution:
    """Matter on its way through time.

    Attributes:
        particles: as they are now (their order changes).
        time: [fm/c].
        attempted: collisions so far, counted in nucleons.
        accepted: those that took place.
    """

    def __init__(self, particles: TestParticles, dynamics: Dynamics, seed: int) -> None:
        """Put particles on a lattice about 0, which grows when dense matter comes near its edge.

        Args:
            particles: changed in place.
            dynamics: what moves them.
            seed: of the collisions.
        """
        self.particles, self.dynamics = particles, dynamics
        self.time, self.attempted, self.accepted = 0.0, 0.0, 0.0
        self._seeds = np.random.default_rng(seed)
        self._lay(np.abs(particles.position).max(axis=0) + MARGIN)

    def _lay(self, half: Floats) -> None:
        """Lay lattices that reach at least to ``half`` (3,) [fm]; their points stay where they were."""
        lengths = float(half[0]), float(half[1]), float(half[2])
        self._half = half
        self.lattice = Lattice.around(lengths, self.dynamics.spacing)
        self.coulomb = CoulombField(Lattice.around(lengths, COARSER * self.dynamics.spacing))
        self._density, self._potential, self._field = (self.lattice.zeros() for _ in range(3))

    def _follow(self) -> None:
        """A larger lattice if matter is about to leave this one; thin gas may leave, and flies straight on."""
        p, lattice = self.particles, self.lattice
        place = np.rint((p.position - lattice.origin) / lattice.spacing).astype(np.int64)
        inside = np.asarray(((place >= 0) & (place < np.array(lattice.shape))).all(axis=1))
        x, y, z = np.where(inside[:, None], place, 0).T
        least = max(DENSE, FEW / p.per_nucleon)
        dense = np.flatnonzero(inside & (self._density.sum(axis=0)[x, y, z] > least))
        if len(dense):
            wanted = np.abs(p.position[dense]).max(axis=0) + MARGIN
            if (wanted > self._half).any():
                self._lay(np.where(wanted > self._half, wanted + GROWTH, self._half))

    def run(self, duration: float) -> None:
        """Go on for about a time: whole periods of the Coulomb kicks, one at least.

        Args:
            duration: [fm/c].

        Raises:
            Unstable: momenta are not finite.
        """
        dt = self.dynamics.time_step
        period = COULOMB_STEPS * dt
        self._solve_coulomb()
        for _ in range(max(1, round(duration / period))):
            self._coulomb_kick(period / 2)
            for step in range(COULOMB_STEPS):
                self._mean_field_step(dt)
                if self.dynamics.collisions and step % COLLISION_STEPS == COLLISION_STEPS - 1:
                    self._collide(COLLISION_STEPS * dt)
            self.time += period
            if not np.isfinite(self.particles.momentum).all():
                raise Unstable(f"momenta are not finite at {self.time:g} fm/c")
            self._follow()
            self._solve_coulomb()
            self._coulomb_kick(period / 2)

    def energy(self) -> float:
        """Kinetic, mean-field and Coulomb energy [MeV]."""
        p = self.particles
        field = mean_field_energy(p.position, p.species, p.per_nucleon, self.lattice, self.dynamics.matter)
        return p.kinetic_energy() + field + self.coulomb.solve(p.position, p.species, p.per_nucleon)

    def _coulomb_kick(self, time: float) -> None:
        p = self.particles
        self.coulomb.kick(p.position, p.momentum, p.species, time)

    def _solve_coulomb(self) -> None:
        self.coulomb.solve(self.particles.position, self.particles.species, self.particles.per_nucleon)

    def _mean_field_step(self, dt: float) -> None:
        p, lattice = self.particles, self.lattice
        p.position[:] += p.momentum * (0.5 * dt / NUCLEON_MASS)
        deposit(p.position, p.species, p.per_nucleon, lattice.origin, lattice.spacing, self._density)
        matter = self.dynamics.matter
        mean_field(self._density, potential_table(matter), matter.C, matter.rho_0, self._potential)
        kick(p.position, p.momentum, p.species, self._potential, lattice.origin, lattice.spacing, dt)
        # forces on a lattice do not quite add up to zero; the total momentum does
        p.momentum[:] -= p.momentum.mean(axis=0)
        p.position[:] += p.momentum * (0.5 * dt / NUCLEON_MASS)

    def _collide(self, time: float) -> None:
        """Collisions during a time; the field is that of half a step ago."""
        lattice, size = self.lattice, CELL * self.lattice.spacing
        nx, ny, nz = (math.ceil(n / CELL) for n in lattice.shape)
        x, y, z = (one - lattice.spacing / 2 for one in lattice.origin)
        shape, corner = (nx, ny, nz), (x, y, z)
        p = self.particles
        order, start = cell_order(p.position, corner, size, shape)
        p.position[:], p.momentum[:], p.species[:] = p.position[order], p.momentum[order], p.species[order]
        p.origin[:] = p.origin[order]
        fold_field(self._density, self._potential, LEAST_DENSITY, self._field)
        potential = np.empty(len(p))
        folded(p.position, p.species, self._potential, lattice.origin, lattice.spacing, potential)
        cells = Cells(
            p.position, p.momentum, p.species, p.origin, potential, start, momentum_sums(p.momentum, start),
            shape, corner, size, self._field, lattice.origin, lattice.spacing, p.per_nucleon, False,
        )  # fmt: skip
        density = np.diff(start) / (p.per_nucleon * size**3)
        seed = int(self._seeds.integers(2**31))
        attempted, accepted = collide(cells, density, self.dynamics.kind, 0.0, time, self.dynamics.langevin, True, seed)
        weight = 1 if self.dynamics.langevin else 1 / p.per_nucleon
        self.attempted += weight * attempted
        self.accepted += weight * accepted
