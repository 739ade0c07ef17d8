"""The lattice Hamiltonian of Lenk and Pandharipande: densities, potentials and forces of test particles on a lattice.

Lenk and Pandharipande, PRC 39 (1989) 2242. Densities rho_a = sum_i S(r_a - r_i) with a form factor S of N_test^-1
nucleons; the Hamiltonian is sum_i p_i^2 / 2 m / N_test + l^3 sum_a V(rho_a), l the lattice spacing, so that the force
on particle i is minus the gradient of U~(r_i) = l^3 N_test sum_a U(rho_a) S(r_a - r_i). It conserves energy (in
continuous time), and l^3 sum_a rho_a is exactly the number of nucleons. S is a cubic B-spline along each axis: the
paper's triangle (of half width l) folded with itself. The triangle of the same width itself (half width 2 l') lets a
nucleus feel the lattice that it crosses, which heated a carbon nucleus of 170 MeV/c per nucleon by 3.8 MeV in 160
fm/c; this one heats it by 0.2 MeV, with fewer points. The width of S, l / sqrt(3) along an axis, is the range of the
force: it makes the surface energy. Positions in fm, momenta in MeV/c.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.simulators.transport.equation_of_state import EquationOfState, energy_density

Floats = NDArray[np.float64]
Field = NDArray[np.float32]
"""Something at every lattice point: single precision suffices, and memory is what limits the speed."""
Species = NDArray[np.int8]
"""0: neutron, 1: proton."""

REACH = 2
"""A particle reaches the two nearest lattice points on either side, along each axis."""


@dataclass(frozen=True)
class Lattice:
    """A box of points origin + l (i, j, k).

    Attributes:
        shape: number of points along x, y, z.
        origin: position of the first one [fm].
        spacing: l [fm].
    """

    shape: tuple[int, int, int]
    origin: tuple[float, float, float]
    spacing: float

    @property
    def width(self) -> float:
        """Standard deviation of the form factor along an axis [fm]."""
        return self.spacing / math.sqrt(3)

    @staticmethod
    def around(half_lengths: tuple[float, float, float], spacing: float) -> Lattice:
        """A lattice about 0 that reaches at least to ``half_lengths`` [fm], with even numbers of points."""
        halves = [math.ceil(half / spacing) + REACH for half in half_lengths]
        x, y, z = ((half - 0.5) * -spacing for half in halves)
        return Lattice((2 * halves[0], 2 * halves[1], 2 * halves[2]), (x, y, z), spacing)

    def zeros(self) -> Field:
        """Zero for neutrons and for protons at every point: (species, x, y, z)."""
        return np.zeros((2, *self.shape), np.float32)


@njit(cache=True, inline="always", error_model="numpy")
def _weights(t: float) -> tuple[float, float, float, float]:
    """Of the points at -1, 0, 1, 2 along an axis, for a particle at t between 0 and 1; they sum to one."""
    s = 1 - t
    return s * s * s / 6, (4 - 6 * t * t + 3 * t * t * t) / 6, (4 - 6 * s * s + 3 * s * s * s) / 6, t * t * t / 6


@njit(cache=True, inline="always", error_model="numpy")
def _slopes(t: float) -> tuple[float, float, float, float]:
    """Derivatives of the weights by t."""
    s = 1 - t
    return -s * s / 2, (3 * t - 4) * t / 2, (4 - 3 * s) * s / 2, t * t / 2


@njit(cache=True, error_model="numpy")
def deposit(
    position: Floats, species: Species, test_particles: int, origin: tuple[float, float, float], spacing: float,
    density: Field,
) -> int:  # fmt: skip
    """Fill ``density`` (species, x, y, z) [fm^-3]; particles whose form factor leaves the lattice are left out.

    Args:
        position: (particle, 3) [fm].
        species: (particle,).
        test_particles: a nucleon.
        origin: of the lattice [fm].
        spacing: of the lattice [fm].
        density: overwritten.

    Returns:
        How many particles are left out.
    """
    density[:] = 0.0
    nx, ny, nz = density.shape[1:]
    one = 1 / (test_particles * spacing**3)
    outside = 0
    for i in range(len(position)):
        x = (position[i, 0] - origin[0]) / spacing
        y = (position[i, 1] - origin[1]) / spacing
        z = (position[i, 2] - origin[2]) / spacing
        if not (1 <= x < nx - 2 and 1 <= y < ny - 2 and 1 <= z < nz - 2):
            outside += 1
            continue
        ix, iy, iz = int(x), int(y), int(z)
        wx, wy, wz = _weights(x - ix), _weights(y - iy), _weights(z - iz)
        grid = density[species[i]]
        for a in range(4):
            for b in range(4):
                w = wx[a] * wy[b] * one
                row = grid[ix + a - 1, iy + b - 1]
                row[iz - 1] += w * wz[0]
                row[iz] += w * wz[1]
                row[iz + 1] += w * wz[2]
                row[iz + 2] += w * wz[3]
    return outside


KNOTS, HIGHEST = 4096, 4.0
"""Of the table of potentials: number of intervals, and the density at its end [rho_0]."""


@functools.cache
def potential_table(matter: EquationOfState) -> Floats:
    """A u + B u^sigma [MeV] at u = 0 ... HIGHEST in KNOTS steps: powers at all lattice points would take half the time.

    Linear interpolation is right to 6 keV, and to 0.4 keV where u > 0.01.

    Args:
        matter: the mean field.
    """
    return np.array([matter.potential(u * matter.rho_0) for u in np.linspace(0, HIGHEST, KNOTS + 1)])


@njit(cache=True, error_model="numpy")
def mean_field(density: Field, table: Floats, C: float, rho_0: float, potential: Field) -> None:
    """Fill ``potential`` (species, x, y, z) [MeV] from densities.

    Args:
        density: (species, x, y, z) [fm^-3]; the end of the table is held beyond it.
        table: ``potential_table`` of the equation of state.
        C: of the equation of state [MeV].
        rho_0: of the equation of state [fm^-3].
        potential: overwritten.
    """
    neutrons, protons = density[0].ravel(), density[1].ravel()
    of_neutrons, of_protons = potential[0].ravel(), potential[1].ravel()
    scale = KNOTS / HIGHEST / rho_0
    for a in range(neutrons.size):
        if neutrons[a] + protons[a] > 0:
            place = min((neutrons[a] + protons[a]) * scale, KNOTS - 1e-6)
            knot = int(place)
            isoscalar = table[knot] + (place - knot) * (table[knot + 1] - table[knot])
            symmetry = C * (neutrons[a] - protons[a]) / rho_0
            of_neutrons[a] = isoscalar + symmetry
            of_protons[a] = isoscalar - symmetry
        else:
            of_neutrons[a] = 0.0
            of_protons[a] = 0.0


@njit(cache=True, error_model="numpy")
def field_energy(density: Field, A: float, B: float, sigma: float, C: float, rho_0: float, spacing: float) -> float:
    """The potential energy l^3 sum_a V(rho_a) [MeV].

    Args:
        density: (species, x, y, z) [fm^-3].
        A: of the equation of state [MeV].
        B: of the equation of state [MeV].
        sigma: of the equation of state.
        C: of the equation of state [MeV].
        rho_0: of the equation of state [fm^-3].
        spacing: of the lattice [fm].
    """
    neutrons, protons = density[0].ravel(), density[1].ravel()
    total = 0.0
    for a in range(neutrons.size):
        if neutrons[a] + protons[a] > 0:
            total += energy_density(neutrons[a], protons[a], A, B, sigma, C, rho_0)
    return total * spacing**3


@njit(cache=True, error_model="numpy")
def kick(
    position: Floats, momentum: Floats, species: Species, potential: Field, origin: tuple[float, float, float],
    spacing: float, time: float,
) -> None:  # fmt: skip
    """Change momenta by the force of the folded potential during a time; particles outside the lattice feel none.

    Args:
        position: (particle, 3) [fm].
        momentum: (particle, 3) [MeV/c], changed in place.
        species: (particle,).
        potential: (species, x, y, z) [MeV].
        origin: of the lattice [fm].
        spacing: of the lattice [fm].
        time: [fm/c].
    """
    nx, ny, nz = potential.shape[1:]
    step = time / spacing
    for i in range(len(position)):
        x = (position[i, 0] - origin[0]) / spacing
        y = (position[i, 1] - origin[1]) / spacing
        z = (position[i, 2] - origin[2]) / spacing
        if not (1 <= x < nx - 2 and 1 <= y < ny - 2 and 1 <= z < nz - 2):
            continue
        ix, iy, iz = int(x), int(y), int(z)
        wx, wy, wz = _weights(x - ix), _weights(y - iy), _weights(z - iz)
        sx, sy, sz = _slopes(x - ix), _slopes(y - iy), _slopes(z - iz)
        grid = potential[species[i]]
        fx = fy = fz = 0.0
        for a in range(4):
            along_y = 0.0
            slope_y = 0.0
            slope_z = 0.0
            for b in range(4):
                row = grid[ix + a - 1, iy + b - 1]
                v0, v1, v2, v3 = row[iz - 1], row[iz], row[iz + 1], row[iz + 2]
                along_z = wz[0] * v0 + wz[1] * v1 + wz[2] * v2 + wz[3] * v3
                along_y += wy[b] * along_z
                slope_y += sy[b] * along_z
                slope_z += wy[b] * (sz[0] * v0 + sz[1] * v1 + sz[2] * v2 + sz[3] * v3)
            fx += sx[a] * along_y
            fy += wx[a] * slope_y
            fz += wx[a] * slope_z
        momentum[i, 0] -= step * fx
        momentum[i, 1] -= step * fy
        momentum[i, 2] -= step * fz


@njit(cache=True, error_model="numpy")
def folded(
    position: Floats, species: Species, potential: Field, origin: tuple[float, float, float], spacing: float,
    result: Floats,
) -> None:  # fmt: skip
    """Fill ``result`` (particle,) [MeV] with U~ at every particle; 0 outside the lattice.

    Args:
        position: (particle, 3) [fm].
        species: (particle,).
        potential: (species, x, y, z) [MeV].
        origin: of the lattice [fm].
        spacing: of the lattice [fm].
        result: overwritten.
    """
    nx, ny, nz = potential.shape[1:]
    for i in range(len(position)):
        x = (position[i, 0] - origin[0]) / spacing
        y = (position[i, 1] - origin[1]) / spacing
        z = (position[i, 2] - origin[2]) / spacing
        result[i] = 0.0
        if not (1 <= x < nx - 2 and 1 <= y < ny - 2 and 1 <= z < nz - 2):
            continue
        ix, iy, iz = int(x), int(y), int(z)
        wx, wy, wz = _weights(x - ix), _weights(y - iy), _weights(z - iz)
        grid = potential[species[i]]
        total = 0.0
        for a in range(4):
            for b in range(4):
                row = grid[ix + a - 1, iy + b - 1]
                along_z = wz[0] * row[iz - 1] + wz[1] * row[iz] + wz[2] * row[iz + 1] + wz[3] * row[iz + 2]
                total += wx[a] * wy[b] * along_z
        result[i] = total


def mean_field_energy(
    position: Floats, species: Species, test_particles: int, lattice: Lattice, matter: EquationOfState
) -> float:
    """Potential energy of particles by themselves [MeV], without Coulomb.

    Args:
        position: (particle, 3) [fm].
        species: (particle,).
        test_particles: a nucleon.
        lattice: where densities are taken; particles must lie within.
        matter: the mean field.
    """
    density = lattice.zeros()
    deposit(position, species, test_particles, lattice.origin, lattice.spacing, density)
    return float(field_energy(density, matter.A, matter.B, matter.sigma, matter.C, matter.rho_0, lattice.spacing))
