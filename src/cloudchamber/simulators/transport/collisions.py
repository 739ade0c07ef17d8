"""Nucleon-nucleon collisions: the collision term of the Boltzmann equation, on average or with its fluctuations.

Pairs are drawn cell by cell (direct simulation Monte Carlo, Bird 1994; Lang et al., J. Comp. Phys. 106 (1993) 391):
all test particles of a cell may meet, each pair with probability v sigma dt / (N_test V). ``average`` (BUU): the two
test particles scatter. ``langevin``: attempts are rarer by N_test, and each moves two packets of N_test like test
particles, two nucleons, so that rates are the same and fluctuations are those of nucleons (Bauer, Bertsch, Das Gupta,
PRL 58 (1987) 863; Napolitani and Colonna, PLB 726 (2013) 382, the Boltzmann-Langevin One Body model). Scattering is
isotropic; each final state of the two test particles that were drawn is free with probability 1 - f. Packets are moved
as a whole, which conserves momentum and (non-relativistic) energy exactly, angular momentum on average only. Two
particles of one nucleus that have not collided before do not scatter on each other, as in intranuclear cascades
(Cugnon, PRC 22 (1980) 1885): in a cold nucleus the Pauli principle forbids all such collisions, and here one per cent
would pass. fm, fm/c, MeV, MeV/c.
"""

# mypy: disable-error-code="untyped-decorator"
# in compiled functions there is only numpy's legacy generator; collide() seeds it
# ruff: noqa: NPY002
from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.simulators.transport.equation_of_state import NUCLEON_MASS
from cloudchamber.simulators.transport.lattice import Floats
from cloudchamber.simulators.transport.nucleon_nucleon import cross_section, laboratory_speed
from cloudchamber.simulators.transport.pauli_blocking import Cells, occupation

PACKET_RADIUS, PACKET_MOMENTUM = 2.0, 100.0
"""Units of distance in position [fm] and in momentum [MeV/c] by which the members of a packet are the nearest ones."""
FARTHEST = 4.5
"""Of a member from the seed of its packet [fm]: thinner matter has no packets, and does not collide."""
FASTEST = 1.0
"""Relative speed [c] up to which pairs are drawn at their full rate."""


@njit(cache=True, error_model="numpy")
def fastest_rate(kind: int) -> float:
    """The largest v sigma [fm^2 c] of any pair up to FASTEST, in thin matter.

    Args:
        kind: of the cross section, ``nucleon_nucleon.KINDS``.
    """
    largest = 0.0
    for step in range(1, 1001):
        speed = FASTEST * step / 1000
        for same in (False, True):
            largest = max(largest, speed * cross_section(kind, same, laboratory_speed(speed), 0.0))
    return largest


@njit(cache=True, error_model="numpy")
def collide(
    cells: Cells, density: Floats, kind: int, constant: float, time: float, langevin: bool, blocking: bool, seed: int
) -> tuple[int, int]:  # fmt: skip
    """Let the particles of all cells collide during a time; momenta in ``cells`` change.

    Args:
        cells: all particles.
        density: (cell,) of nucleons [fm^-3], for cross sections that depend on it.
        kind: of the cross section, ``nucleon_nucleon.KINDS``; -1: ``constant``.
        constant: cross section [fm^2] of kind -1.
        time: [fm/c].
        langevin: move packets of nucleons instead of test particles.
        blocking: whether the Pauli principle holds.
        seed: of what is random.

    Returns:
        Pairs that would scatter in empty space, and those that did scatter: pairs of test particles, or of packets.
    """
    np.random.seed(seed)
    bound = fastest_rate(kind) if kind >= 0 else FASTEST * constant
    weight = bound * time / (cells.per_nucleon * cells.size**3)
    if langevin:
        weight /= cells.per_nucleon
    attempted = accepted = 0
    for cell in range(len(cells.start) - 1):
        first, last = cells.start[cell], cells.start[cell + 1]
        n = last - first
        if n < 2:
            continue
        for _ in range(np.random.poisson(0.5 * n * (n - 1) * weight)):
            i = first + np.random.randint(n)
            j = first + np.random.randint(n - 1)
            if j >= i:
                j += 1
            if cells.origin[i] != 0 and cells.origin[i] == cells.origin[j]:
                continue
            dx = cells.momentum[j, 0] - cells.momentum[i, 0]
            dy = cells.momentum[j, 1] - cells.momentum[i, 1]
            dz = cells.momentum[j, 2] - cells.momentum[i, 2]
            relative = math.sqrt(dx * dx + dy * dy + dz * dz)
            speed = relative / NUCLEON_MASS
            sigma = constant
            if kind >= 0:
                same = cells.species[i] == cells.species[j]
                sigma = cross_section(kind, same, laboratory_speed(speed), density[cell])
            if np.random.random() * bound >= speed * sigma:
                continue
            attempted += 1
            direction = _isotropic()
            if blocking and not _free(cells, i, j, relative, direction):
                continue
            if langevin:
                if _move_packets(cells, i, j, direction):
                    accepted += 1
            else:
                _scatter(cells, i, j, relative, direction)
                accepted += 1
    return attempted, accepted


@njit(cache=True, error_model="numpy")
def _isotropic() -> tuple[float, float, float]:
    cosine, azimuth = 2 * np.random.random() - 1, 2 * math.pi * np.random.random()
    sine = math.sqrt(1 - cosine * cosine)
    return sine * math.cos(azimuth), sine * math.sin(azimuth), cosine


@njit(cache=True, error_model="numpy")
def _final(
    cells: Cells, i: int, j: int, relative: float, direction: tuple[float, float, float], sign: float
) -> tuple[float, float, float]:
    """Momentum of one of two particles after they scattered [MeV/c]."""
    half = 0.5 * sign * relative
    return (
        0.5 * (cells.momentum[i, 0] + cells.momentum[j, 0]) + half * direction[0],
        0.5 * (cells.momentum[i, 1] + cells.momentum[j, 1]) + half * direction[1],
        0.5 * (cells.momentum[i, 2] + cells.momentum[j, 2]) + half * direction[2],
    )


@njit(cache=True, error_model="numpy")
def _free(cells: Cells, i: int, j: int, relative: float, direction: tuple[float, float, float]) -> bool:
    """Whether both final states are free, by chance with probability (1 - f_i) (1 - f_j)."""
    for one, sign in ((i, 1.0), (j, -1.0)):
        r = cells.position[one, 0], cells.position[one, 1], cells.position[one, 2]
        p = _final(cells, i, j, relative, direction, sign)
        f, full = occupation(cells, r, p, cells.species[one], cells.potential[one])
        if np.random.random() < blocked(f, full):
            return False
    return True


@njit(cache=True, error_model="numpy")
def blocked(f: float, full: float) -> float:
    """The probability that a state is occupied, of one whose window holds f times the ``full`` number of particles.

    A window that is full within two standard deviations counts as full: else chance would empty a tenth of the states
    of a cold nucleus.

    Args:
        f: occupation as counted.
        full: number of particles that the window holds at f = 1.
    """
    return 1.0 if full > 0 and f > 1 - 2 / math.sqrt(full) else f


@njit(cache=True, error_model="numpy")
def _scatter(cells: Cells, i: int, j: int, relative: float, direction: tuple[float, float, float]) -> None:
    first = _final(cells, i, j, relative, direction, 1.0)
    second = _final(cells, i, j, relative, direction, -1.0)
    cells.origin[i] = cells.origin[j] = 0
    for axis in range(3):
        cells.momentum[i, axis] = first[axis]
        cells.momentum[j, axis] = second[axis]


@njit(cache=True, error_model="numpy")
def _distances(cells: Cells, seed: int, other: int) -> tuple[NDArray[np.int64], Floats]:
    """Particles that may be members of the packet about ``seed``, and how far they are in phase space.

    Those nearer to ``other``, the seed of the other packet, are its own.
    """
    q = cells.species[seed]
    same = cells.species[other] == q
    nx, ny, nz = cells.shape
    reach = int(FARTHEST / cells.size) + 1
    cx = int((cells.position[seed, 0] - cells.corner[0]) / cells.size)
    cy = int((cells.position[seed, 1] - cells.corner[1]) / cells.size)
    cz = int((cells.position[seed, 2] - cells.corner[2]) / cells.size)
    members = np.empty(len(cells.species), np.int64)
    distance = np.empty(len(cells.species))
    found = 0
    for x in range(cx - reach, cx + reach + 1):
        ax = x % nx if cells.periodic else x
        for y in range(cy - reach, cy + reach + 1):
            ay = y % ny if cells.periodic else y
            for z in range(cz - reach, cz + reach + 1):
                az = z % nz if cells.periodic else z
                if not (0 <= ax < nx and 0 <= ay < ny and 0 <= az < nz):
                    continue
                cell = (ax * ny + ay) * nz + az
                shift = (x - ax) * cells.size, (y - ay) * cells.size, (z - az) * cells.size
                for i in range(cells.start[cell], cells.start[cell + 1]):
                    if cells.species[i] != q:
                        continue
                    r2 = p2 = apart = 0.0
                    for axis in range(3):
                        here = cells.position[i, axis] + shift[axis]
                        r2 += (here - cells.position[seed, axis]) ** 2
                        p2 += (cells.momentum[i, axis] - cells.momentum[seed, axis]) ** 2
                        apart += (here - cells.position[other, axis]) ** 2 / PACKET_RADIUS**2
                        apart += (cells.momentum[i, axis] - cells.momentum[other, axis]) ** 2 / PACKET_MOMENTUM**2
                    if r2 > FARTHEST * FARTHEST:
                        continue
                    d2 = r2 / PACKET_RADIUS**2 + p2 / PACKET_MOMENTUM**2
                    if same and apart < d2:
                        continue
                    members[found], distance[found] = i, d2
                    found += 1
    return members[:found], distance[:found]


@njit(cache=True, error_model="numpy")
def _nearest(cells: Cells, seed: int, other: int) -> NDArray[np.int64]:
    """The N_test members of a packet; fewer where matter is thin."""
    members, distance = _distances(cells, seed, other)
    n = cells.per_nucleon
    if len(members) <= n:
        return members
    limit = np.partition(distance, n - 1)[n - 1]
    nearest: NDArray[np.int64] = members[distance <= limit][:n]
    return nearest


@njit(cache=True, error_model="numpy")
def _move_packets(cells: Cells, i: int, j: int, direction: tuple[float, float, float]) -> bool:
    """Turn the relative momentum of the packets about i and j into ``direction``; False where there are no packets."""
    first, second = _nearest(cells, i, j), _nearest(cells, j, i)
    if len(first) < cells.per_nucleon or len(second) < cells.per_nucleon:
        return False
    half = np.zeros(3)
    for axis in range(3):
        for k in range(len(first)):
            half[axis] += 0.5 * (cells.momentum[first[k], axis] - cells.momentum[second[k], axis]) / len(first)
    size = math.sqrt(half[0] ** 2 + half[1] ** 2 + half[2] ** 2)
    for k in range(len(first)):
        cells.origin[first[k]] = cells.origin[second[k]] = 0
    for axis in range(3):
        change = size * direction[axis] - half[axis]
        for k in range(len(first)):
            cells.momentum[first[k], axis] += change
            cells.momentum[second[k], axis] -= change
    return True
