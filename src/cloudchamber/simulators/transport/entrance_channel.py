"""The entrance channel: two nuclei on Rutherford's hyperbola, from infinity to where they begin to feel each other.

Satchler, Introduction to Nuclear Reactions (1990), section 3.2: r = a (eps^2 - 1) / (eps cos(theta) - 1) with 2 a the
distance of closest approach at b = 0 and eps^2 = 1 + (b / a)^2. In the frame in which both together are at rest; the
projectile comes along +z, displaced to +x. Momenta there are relativistic (invariant mass and momentum are right), the
motion in it is not. A nucleus has the mass of its nucleons. fm, MeV, MeV/c.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.equation_of_state import E2, NUCLEON_MASS, EquationOfState
from cloudchamber.simulators.transport.ground_state import GroundState, thomas_fermi
from cloudchamber.simulators.transport.masses import exists, nuclear_mass
from cloudchamber.simulators.transport.test_particles import TestParticles, joined, nucleus

LOWEST_ENERGY, HIGHEST_ENERGY = 10.0, 200.0
"""MeV per nucleon. Below, collisions are as rare as those that blocking misses; above, relativity and pions matter."""
LEAST_A, LEAST_Z = 4, 2
"""Of projectile and target: what is lighter is no matter in a mean field."""
GAP = 4.0
"""Lattice spacings between the edges of the nuclei at the start: their form factors just do not overlap."""


@dataclass(frozen=True)
class EntranceChannel:
    """Projectile, target and energy.

    Attributes:
        projectile: (A, Z).
        target: (A, Z), at rest in the laboratory.
        energy: kinetic energy of the projectile in the laboratory [MeV per nucleon].
    """

    projectile: tuple[int, int]
    target: tuple[int, int]
    energy: float

    def __post_init__(self) -> None:
        for A, Z in (self.projectile, self.target):
            if not (A >= LEAST_A and LEAST_Z <= Z < A and exists(Z, A)):
                raise BadInput(f"nucleus A = {A}, Z = {Z}: need a nucleus that is known, from He4 on")
        if not LOWEST_ENERGY <= self.energy <= HIGHEST_ENERGY:
            raise BadInput(
                f"energy {self.energy:g} MeV per nucleon: transport holds from {LOWEST_ENERGY:g} to {HIGHEST_ENERGY:g}"
            )

    @property
    def nucleons(self) -> int:
        """Of both."""
        return self.projectile[0] + self.target[0]

    @property
    def protons(self) -> int:
        """Of both."""
        return self.projectile[1] + self.target[1]

    @property
    def momentum(self) -> float:
        """Of the projectile as a whole in the common frame [MeV/c]."""
        first, second = (A * NUCLEON_MASS for A, _ in (self.projectile, self.target))
        total = self.projectile[0] * self.energy + first
        along = math.sqrt(total**2 - first**2)
        return second * along / math.sqrt(first**2 + second**2 + 2 * total * second)

    @property
    def boost(self) -> float:
        """Velocity of the common frame in the laboratory, along +z [c]."""
        first, second = (float(nuclear_mass(Z, A)) for A, Z in (self.projectile, self.target))
        total = self.projectile[0] * self.energy + first
        return math.sqrt(total**2 - first**2) / (total + second)

    @property
    def reduced_mass(self) -> float:
        """[MeV]."""
        first, second = self.projectile[0], self.target[0]
        return NUCLEON_MASS * first * second / (first + second)


@functools.lru_cache(maxsize=64)
def ground_state(nucleus: tuple[int, int], matter: EquationOfState, spacing: float) -> GroundState:
    """``thomas_fermi``, remembered.

    Args:
        nucleus: (A, Z).
        matter: the mean field.
        spacing: of the lattice [fm].
    """
    return thomas_fermi(*nucleus, matter, spacing)


def starting_distance(channel: EntranceChannel, matter: EquationOfState, spacing: float) -> float:
    """Between the centres [fm].

    Args:
        channel: which nuclei.
        matter: the mean field.
        spacing: of the lattice [fm].
    """
    edges = [ground_state(one, matter, spacing).edge for one in (channel.projectile, channel.target)]
    return sum(edges) + GAP * spacing


def hyperbola(
    channel: EntranceChannel, impact_parameter: float, distance: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Relative position (x, z) [fm] and momentum (x, z) [MeV/c] of the projectile at a distance, on the way in.

    Nuclei that never come as near as ``distance`` are where they are nearest.

    Args:
        channel: which nuclei.
        impact_parameter: [fm].
        distance: between the centres [fm].
    """
    p, mu = channel.momentum, channel.reduced_mass
    charge = channel.projectile[1] * channel.target[1] * E2
    a = charge * mu / p**2
    b = impact_parameter
    distance = max(distance, a + math.hypot(a, b))
    across = p * b / distance  # angular momentum over distance
    along = math.sqrt(max(p**2 - 2 * mu * charge / distance - across**2, 0.0))
    # in the angle from the axis of symmetry: the asymptote, and where it is now
    eps = math.hypot(1.0, b / a)
    turned = math.acos(1 / eps) - math.acos(min(1.0, (b * b / a / distance + 1) / eps)) if b > 0 else 0.0
    r = -math.cos(turned), math.sin(turned)  # unit vector (z, x): it begins at -z
    tangent = -r[1], r[0]
    z, x = distance * r[0], distance * r[1]
    pz, px = (-along * r[i] - across * tangent[i] for i in range(2))
    return (x, z), (px, pz)


def colliding_nuclei(
    channel: EntranceChannel, impact_parameter: float, per_nucleon: int, spacing: float, matter: EquationOfState,
    rng: np.random.Generator,
) -> TestParticles:  # fmt: skip
    """Both nuclei at the start, the projectile's particles first.

    Args:
        channel: which nuclei.
        impact_parameter: [fm].
        per_nucleon: test particles a nucleon.
        spacing: of the lattice [fm].
        matter: the mean field.
        rng: what is random.
    """
    (x, z), (px, pz) = hyperbola(channel, impact_parameter, starting_distance(channel, matter, spacing))
    first, second = (
        nucleus(ground_state(one, matter, spacing), per_nucleon, spacing, matter, rng)
        for one in (channel.projectile, channel.target)
    )
    share = channel.target[0] / channel.nucleons
    first.position[:] += share * np.array([x, 0.0, z])
    second.position[:] += (share - 1) * np.array([x, 0.0, z])
    first.momentum[:] += np.array([px, 0.0, pz]) / channel.projectile[0]
    second.momentum[:] -= np.array([px, 0.0, pz]) / channel.target[0]
    first.origin[:], second.origin[:] = 1, 2
    return joined(first, second)
