"""Occupation of phase space at a point, and with it the Pauli blocking of collisions.

f(r, p) is the number of like test particles in a window about (r, p) over the number of states there (Aichelin and
Bertsch, PRC 31 (1985) 1730). A window of fixed shape averages over the edge of a nucleus and over the Fermi surface,
and lets a tenth of the collisions in a nucleus at rest through (Zhang et al., PRC 97 (2018) 034625 compare such
windows). Ours follows the surfaces on which f varies least: particles within ``RADIUS`` whose energy e = (p - m u)^2 /
2 m + U~, in the frame of the local matter's velocity u, lies within ``ENERGY`` of that of (r, p), in a cone about its
direction. In a nucleus at rest f depends on e alone, so that such a window is sharp at the surface and at the Fermi
edge. U~ is without Coulomb. fm, MeV, MeV/c; f is averaged over spin, and as a count over an expectation may exceed 1.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.simulators.transport.equation_of_state import HBAR_C, NUCLEON_MASS
from cloudchamber.simulators.transport.lattice import Field, Floats, Species

RADIUS = 2.2
"""Of the window [fm]."""
ENERGY = 6.0
"""Half of the window's width in energy [MeV]."""
ACROSS = 200.0
"""How far the cone reaches across the momentum [MeV/c]: its half opening is ACROSS / p."""
CELLS = 3
"""Along an axis: cells whose matter is the local matter."""
H3 = (2 * math.pi * HBAR_C) ** 3
"""h^3 [(MeV/c fm)^3]."""


class Cells(NamedTuple):
    """Test particles in the order of cells, with what blocking needs to know of them.

    Attributes:
        position: (particle, 3) [fm].
        momentum: (particle, 3) [MeV/c].
        species: (particle,).
        origin: (particle,) the nucleus of a particle that has not collided, else 0 (``collisions``).
        potential: (particle,) U~ [MeV].
        start: (cell + 1,) first particle of each cell.
        total: (cell, 3) sum of momenta [MeV/c] at the beginning of the step.
        shape: number of cells along x, y, z.
        corner: of the first cell [fm].
        size: of a cell [fm].
        field: (species, x, y, z) U~ at lattice points [MeV].
        field_origin: first lattice point [fm].
        spacing: of the lattice [fm].
        per_nucleon: N_test.
        periodic: whether the other side is next to each side.
    """

    position: Floats
    momentum: Floats
    species: Species
    origin: NDArray[np.int8]
    potential: Floats
    start: NDArray[np.int64]
    total: Floats
    shape: tuple[int, int, int]
    corner: tuple[float, float, float]
    size: float
    field: Field
    field_origin: tuple[float, float, float]
    spacing: float
    per_nucleon: int
    periodic: bool


@njit(cache=True, error_model="numpy")
def cell_order(
    position: Floats, origin: tuple[float, float, float], size: float, shape: tuple[int, int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Particles in the order of their cells, and the first of each cell (cell + 1,); those in no cell are last.

    Args:
        position: (particle, 3) [fm].
        origin: corner of the first cell [fm].
        size: of a cell [fm].
        shape: number of cells along x, y, z.
    """
    nx, ny, nz = shape
    cells = nx * ny * nz
    where = np.empty(len(position), np.int64)
    start = np.zeros(cells + 2, np.int64)
    for i in range(len(position)):
        x = math.floor((position[i, 0] - origin[0]) / size)
        y = math.floor((position[i, 1] - origin[1]) / size)
        z = math.floor((position[i, 2] - origin[2]) / size)
        inside = 0 <= x < nx and 0 <= y < ny and 0 <= z < nz
        where[i] = int((x * ny + y) * nz + z) if inside else cells
        start[where[i] + 1] += 1
    for c in range(cells + 1):
        start[c + 1] += start[c]
    order = np.empty(len(position), np.int64)
    following = start.copy()
    for i in range(len(position)):
        order[following[where[i]]] = i
        following[where[i]] += 1
    return order, start[:-1]


@njit(cache=True, error_model="numpy")
def momentum_sums(momentum: Floats, start: NDArray[np.int64]) -> Floats:
    """Sum of the momenta in each cell (cell, 3) [MeV/c].

    Args:
        momentum: (particle, 3) in the order of cells [MeV/c].
        start: (cell + 1,) first particle of each cell.
    """
    total = np.zeros((len(start) - 1, 3))
    for c in range(len(start) - 1):
        for i in range(start[c], start[c + 1]):
            for axis in range(3):
                total[c, axis] += momentum[i, axis]
    return total


@njit(cache=True, error_model="numpy")
def fold_field(density: Field, potential: Field, least: float, field: Field) -> None:
    """U~ at the lattice points whose density is at least ``least``; 0 elsewhere, where no nucleon is bound.

    Args:
        density: (species, x, y, z) [fm^-3].
        potential: (species, x, y, z) [MeV].
        least: [fm^-3].
        field: (species, x, y, z), overwritten [MeV].
    """
    nx, ny, nz = density.shape[1:]
    weight = (1 / 6, 4 / 6, 1 / 6)
    field[:] = 0.0
    for x in range(1, nx - 1):
        for y in range(1, ny - 1):
            for z in range(1, nz - 1):
                if density[0, x, y, z] + density[1, x, y, z] < least:
                    continue
                for q in range(2):
                    total = 0.0
                    for a in range(3):
                        for b in range(3):
                            row = potential[q, x + a - 1, y + b - 1]
                            total += weight[a] * weight[b] * (row[z - 1] + 4 * row[z] + row[z + 1]) / 6
                    field[q, x, y, z] = total


@njit(cache=True, error_model="numpy", inline="always")
def _neighbour(cell: int, count: int, periodic: bool) -> int:
    """The number of a cell along an axis; -1 if there is none."""
    if periodic:
        return cell % count
    return cell if 0 <= cell < count else -1


@njit(cache=True, error_model="numpy")
def local_momentum(cells: Cells, r: tuple[float, float, float]) -> tuple[float, float, float]:
    """Mean momentum [MeV/c] of the matter in the cell of r [fm] and in those about it.

    Args:
        cells: all particles.
        r: where [fm].
    """
    nx, ny, nz = cells.shape
    cx = math.floor((r[0] - cells.corner[0]) / cells.size)
    cy = math.floor((r[1] - cells.corner[1]) / cells.size)
    cz = math.floor((r[2] - cells.corner[2]) / cells.size)
    px = py = pz = 0.0
    count = 0
    for a in range(CELLS):
        x = _neighbour(cx + a - CELLS // 2, nx, cells.periodic)
        for b in range(CELLS):
            y = _neighbour(cy + b - CELLS // 2, ny, cells.periodic)
            for c in range(CELLS):
                z = _neighbour(cz + c - CELLS // 2, nz, cells.periodic)
                if x < 0 or y < 0 or z < 0:
                    continue
                cell = (x * ny + y) * nz + z
                count += cells.start[cell + 1] - cells.start[cell]
                px += cells.total[cell, 0]
                py += cells.total[cell, 1]
                pz += cells.total[cell, 2]
    if count == 0:
        return 0.0, 0.0, 0.0
    return px / count, py / count, pz / count


@njit(cache=True, error_model="numpy")
def occupation(
    cells: Cells, r: tuple[float, float, float], p: tuple[float, float, float], q: int, potential: float
) -> tuple[float, float]:
    """Occupation f of a species at a point, as counted, and the number of particles that a full window holds.

    Args:
        cells: all particles.
        r: where [fm].
        p: with which momentum [MeV/c].
        q: of which species.
        potential: U~ of that species there [MeV].
    """
    ux, uy, uz = local_momentum(cells, r)
    kx, ky, kz = p[0] - ux, p[1] - uy, p[2] - uz
    k = math.sqrt(kx * kx + ky * ky + kz * kz)
    energy = k * k / (2 * NUCLEON_MASS) + potential
    cosine = math.cos(min(math.pi, ACROSS / max(k, 1e-9)))
    states = _shell_volume(cells, r, q, energy) * 2 * math.pi * (1 - cosine) / 3
    full = 2 * cells.per_nucleon * states / H3
    if full <= 0:
        return 0.0, 0.0
    nx, ny, nz = cells.shape
    low_x = math.floor((r[0] - RADIUS - cells.corner[0]) / cells.size)
    high_x = math.floor((r[0] + RADIUS - cells.corner[0]) / cells.size)
    low_y = math.floor((r[1] - RADIUS - cells.corner[1]) / cells.size)
    high_y = math.floor((r[1] + RADIUS - cells.corner[1]) / cells.size)
    low_z = math.floor((r[2] - RADIUS - cells.corner[2]) / cells.size)
    high_z = math.floor((r[2] + RADIUS - cells.corner[2]) / cells.size)
    count = 0
    for x in range(low_x, high_x + 1):
        ax = _neighbour(x, nx, cells.periodic)
        for y in range(low_y, high_y + 1):
            ay = _neighbour(y, ny, cells.periodic)
            for z in range(low_z, high_z + 1):
                az = _neighbour(z, nz, cells.periodic)
                if ax < 0 or ay < 0 or az < 0:
                    continue
                cell = (ax * ny + ay) * nz + az
                # the other side of a periodic box is this far away
                sx, sy, sz = (x - ax) * cells.size, (y - ay) * cells.size, (z - az) * cells.size
                for i in range(cells.start[cell], cells.start[cell + 1]):
                    if cells.species[i] != q:
                        continue
                    dx = cells.position[i, 0] + sx - r[0]
                    dy = cells.position[i, 1] + sy - r[1]
                    dz = cells.position[i, 2] + sz - r[2]
                    if dx * dx + dy * dy + dz * dz > RADIUS * RADIUS:
                        continue
                    gx, gy, gz = (
                        cells.momentum[i, 0] - ux, cells.momentum[i, 1] - uy, cells.momentum[i, 2] - uz
                    )  # fmt: skip
                    g2 = gx * gx + gy * gy + gz * gz
                    if abs(g2 / (2 * NUCLEON_MASS) + cells.potential[i] - energy) > ENERGY:
                        continue
                    if gx * kx + gy * ky + gz * kz >= cosine * k * math.sqrt(g2):
                        count += 1
    return count / full, full


@njit(cache=True, error_model="numpy")
def _shell_volume(cells: Cells, r: tuple[float, float, float], q: int, energy: float) -> float:
    """Integral over the ball about r of p_high^3 - p_low^3 at energies within ENERGY [(MeV/c)^3 fm^3]."""
    shape = cells.field.shape[1:]
    spacing = cells.spacing
    reach = int(RADIUS / spacing) + 1
    ix = round((r[0] - cells.field_origin[0]) / spacing)
    iy = round((r[1] - cells.field_origin[1]) / spacing)
    iz = round((r[2] - cells.field_origin[2]) / spacing)
    total = 0.0
    points = 0
    for x in range(ix - reach, ix + reach + 1):
        for y in range(iy - reach, iy + reach + 1):
            for z in range(iz - reach, iz + reach + 1):
                dx = cells.field_origin[0] + spacing * x - r[0]
                dy = cells.field_origin[1] + spacing * y - r[1]
                dz = cells.field_origin[2] + spacing * z - r[2]
                if dx * dx + dy * dy + dz * dz > RADIUS * RADIUS:
                    continue
                points += 1
                bottom = 0.0
                ax = _neighbour(x, shape[0], cells.periodic)
                ay = _neighbour(y, shape[1], cells.periodic)
                az = _neighbour(z, shape[2], cells.periodic)
                if ax >= 0 and ay >= 0 and az >= 0:
                    bottom = cells.field[q, ax, ay, az]
                high = 2 * NUCLEON_MASS * (energy + ENERGY - bottom)
                low = 2 * NUCLEON_MASS * (energy - ENERGY - bottom)
                if high > 0:
                    total += high * math.sqrt(high)
                    if low > 0:
                        total -= low * math.sqrt(low)
    # the ball's own volume, shared by the points within
    return total * (4 * math.pi / 3 * RADIUS**3) / max(points, 1)
