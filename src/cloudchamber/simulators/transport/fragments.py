"""Freeze-out: which test particles make a fragment, and how excited it is.

Fragments are connected regions of the lattice where rho > rho_cut (Colonna et al., NPA 642 (1998) 449; Napolitani and
Colonna, PRC 96 (2017) 054609), with the particles of their rim that their mean field binds: a nucleus in its ground
state is whole, to its last particle. The rest is gas. E* is the energy in the fragment's own frame, without its
neighbours, against the ground state of the same, real-valued, A and Z in the same model: against measured masses it
would carry the model's error in binding. fm, MeV, MeV/c.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cloudchamber.simulators.transport.equation_of_state import HBAR_C, NUCLEON_MASS, EquationOfState
from cloudchamber.simulators.transport.ground_state import thomas_fermi
from cloudchamber.simulators.transport.lattice import (
    Floats,
    Lattice,
    deposit,
    folded,
    mean_field,
    potential_table,
)
from cloudchamber.simulators.transport.test_particles import TestParticles, potential_energy

RIM = 2
"""How far from the region, in lattice points, a bound particle belongs to it."""
LEAST_NUCLEONS = 1.5
"""Of a fragment: what is smaller is gas."""


@dataclass(frozen=True)
class Fragments:
    """The fragments of an event, heaviest first, and its gas.

    Attributes:
        A, Z: (fragment,) real-valued.
        position: (fragment, 3) of the centre [fm].
        momentum: (fragment, 3) [MeV/c].
        excitation: (fragment,) [MeV]; below 0 where test particles are too few, or the lattice too coarse.
        angular_momentum: (fragment, 3) about the centre [hbar].
        owner: (particle,) number of the fragment of each particle, -1: gas.
    """

    A: Floats
    Z: Floats
    position: Floats
    momentum: Floats
    excitation: Floats
    angular_momentum: Floats
    owner: NDArray[np.int64]


def regions(
    particles: TestParticles, lattice: Lattice, matter: EquationOfState, density_cut: float
) -> NDArray[np.int64]:
    """The region of each particle, numbered from 0; -1 for gas.

    Args:
        particles: the matter.
        lattice: on which its density is taken; what is outside is gas.
        matter: the mean field.
        density_cut: [fm^-3].
    """
    density, potential = lattice.zeros(), lattice.zeros()
    deposit(particles.position, particles.species, particles.per_nucleon, lattice.origin, lattice.spacing, density)
    label, count = ndimage.label(density.sum(axis=0) > density_cut)
    place = np.rint((particles.position - lattice.origin) / lattice.spacing).astype(np.int64)
    inside = np.all((place >= 0) & (place < lattice.shape), axis=1)
    x, y, z = np.where(inside[:, None], place, 0).T
    owner = np.where(inside, label[x, y, z].astype(np.int64), 0) - 1
    if not count:
        return owner
    # the rim: the nearest region, if it holds the particle
    distance, nearest = ndimage.distance_transform_edt(label == 0, return_indices=True)
    near = np.flatnonzero(inside & (owner < 0) & (distance[x, y, z] <= RIM))
    home = label[tuple(nearest[:, x[near], y[near], z[near]])].astype(np.int64) - 1
    mean_field(density, potential_table(matter), matter.C, matter.rho_0, potential)
    depth = np.empty(len(near))
    folded(particles.position[near], particles.species[near], potential, lattice.origin, lattice.spacing, depth)
    # a region may be a point between particles that are all nearer to other points
    members = np.maximum(np.bincount(owner[owner >= 0], minlength=count), 1)
    mean = np.stack(
        [np.bincount(owner[owner >= 0], particles.momentum[owner >= 0, axis], count) / members for axis in range(3)],
        axis=1,
    )
    own = ((particles.momentum[near] - mean[home]) ** 2).sum(axis=1) / (2 * NUCLEON_MASS)
    owner[near[own + depth < 0]] = home[own + depth < 0]
    return owner


def fragments(particles: TestParticles, lattice: Lattice, matter: EquationOfState, density_cut: float) -> Fragments:
    """The fragments of the particles.

    Args:
        particles: the matter.
        lattice: on which its density is taken; what is outside is gas.
        matter: the mean field.
        density_cut: [fm^-3].
    """
    region = regions(particles, lattice, matter, density_cut)
    size = np.bincount(region[region >= 0]) / particles.per_nucleon
    heaviest = np.argsort(-size, kind="stable")
    heaviest = heaviest[size[heaviest] >= LEAST_NUCLEONS]
    number = np.full(len(size) + 1, -1)
    number[heaviest] = np.arange(len(heaviest))
    found = [_properties(particles.of(region == one), lattice.spacing, matter) for one in heaviest]
    if not found:
        none, no_vectors = np.zeros(0), np.zeros((0, 3))
        return Fragments(none, none, no_vectors, no_vectors, none, no_vectors, number[region])
    A, Z, position, momentum, excitation, spin = (np.array(column) for column in zip(*found, strict=True))
    return Fragments(A, Z, position, momentum, excitation, spin, number[region])


def _properties(
    members: TestParticles, spacing: float, matter: EquationOfState
) -> tuple[float, float, Floats, Floats, float, Floats]:
    A, Z = len(members) / members.per_nucleon, float(members.species.sum()) / members.per_nucleon
    centre, mean = members.position.mean(axis=0), members.momentum.mean(axis=0)
    own = TestParticles(
        members.position - centre, members.momentum - mean, members.species, members.origin, members.per_nucleon
    )
    spin = np.cross(own.position, own.momentum).sum(axis=0) / (members.per_nucleon * HBAR_C)
    energy = own.kinetic_energy() + potential_energy(own, spacing, matter)
    return A, Z, centre, mean * A, energy - ground_state_energy(A, Z, matter, spacing), spin


def ground_state_energy(A: float, Z: float, matter: EquationOfState, spacing: float) -> float:
    """Of the model [MeV]; 0 where it binds no such system.

    Args:
        A: nucleons, a real number.
        Z: protons, a real number.
        matter: the mean field.
        spacing: of the lattice [fm].
    """
    try:
        energy = thomas_fermi(A, Z, matter, spacing).energy
    except ArithmeticError:
        return 0.0
    return min(energy, 0.0) if math.isfinite(energy) else 0.0
