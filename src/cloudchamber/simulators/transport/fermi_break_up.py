"""Fermi break-up: a light hot nucleus falls apart at once into nuclei in their ground and excited states.

The weights of the partitions are those of ``partitions``; the fragments of the chosen one share all the energy, U + M -
sum m: the barrier E_C weighs partitions, but is not lost.

Sampling is exact. A weight grows with U, so the weights at the upper edge of a cell of a grid of energies bound those
inside: a partition is drawn from the cumulative sums at the edge and accepted with the ratio of its weights. Nothing is
interpolated; the spacing of the grid (``partitions.STEP``) only sets how many draws are thrown away.

Where no partition is open, a nucleus with bound levels emits photons: with probability ~ (2J+1) E^3 to each lower
level, and so on to the ground state. One without falls apart under the barrier, and so do resonances. Short-lived
fragments fall apart, too.

Conventions: MeV, MeV/c.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.simulators.transport.partitions import Channels, Pool
from cloudchamber.simulators.transport.phase_space import Vector, decayed, fly_apart, put

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LARGEST_A = 16
"""The largest mass number that breaks up in this way."""

TRIES = 30
"""Draws from the grid before all weights are summed instead: close to a threshold the bound is loose."""

PHOTONS = 8
"""Photons of one nucleus at most; the last goes to the ground state."""


@njit(cache=True, nogil=True)
def _summed(table: Channels, opens: Floats, threshold: Floats, excitation: float, rng: np.random.Generator) -> int:
    """A channel drawn from all weights; -1 if none is open."""
    total = 0.0
    for c in range(len(opens)):
        if excitation > opens[c]:
            total += table.coefficient[c] * (excitation - threshold[c]) ** table.power[c]
    if total <= 0.0:
        return -1
    left, last = total * rng.random(), -1
    for c in range(len(opens)):
        if excitation > opens[c]:
            last = c
            left -= table.coefficient[c] * (excitation - threshold[c]) ** table.power[c]
            if left < 0.0:
                break
    return last


@njit(cache=True, nogil=True)
def sampled_channel(table: Channels, excitation: float, rng: np.random.Generator) -> int:
    """A partition, drawn with its exact weight.

    Args:
        table: the channels of the nucleus.
        excitation: its excitation energy [MeV].
        rng: random numbers.

    Returns:
        The index of the channel; -1 if none is open.
    """
    if excitation <= table.opens[0]:
        return -1
    edge = np.searchsorted(table.energies, excitation)  # the first energy of the grid that is not below
    if 0 < edge < len(table.energies):
        upper = table.energies[edge]
        row = table.cumulative[table.offsets[edge] : table.offsets[edge + 1]]
        for _ in range(TRIES):
            c = int(min(np.searchsorted(row, row[-1] * rng.random(), side="right"), len(row) - 1))
            if excitation > table.opens[c]:
                ratio = (excitation - table.threshold[c]) / (upper - table.threshold[c])
                if rng.random() < ratio ** table.power[c]:
                    return c
    return _summed(table, table.opens, table.threshold, excitation, rng)


@njit(cache=True, nogil=True)
def lower_level(pool: Pool, ground: int, stop: int, energy: float, rng: np.random.Generator) -> int:
    """The level that a photon leads to, with probability ~ (2J+1) E^3.

    Args:
        pool: the states.
        ground: index of the ground state of the nucleus.
        stop: index behind its last level.
        energy: excitation energy [MeV].
        rng: random numbers.

    Returns:
        Index of a bound state of the nucleus below the energy; the ground state if there is none.
    """
    total = 0.0
    for i in range(ground, stop):
        if not pool.resonance[i]:
            total += pool.degeneracy[i] * max(energy - pool.mass[i] + pool.mass[ground], 0.0) ** 3
    left = total * rng.random()
    for i in range(ground, stop):
        if not pool.resonance[i]:
            left -= pool.degeneracy[i] * max(energy - pool.mass[i] + pool.mass[ground], 0.0) ** 3
            if left < 0.0:
                return i
    return ground


@njit(cache=True, nogil=True)
def radiate(
    pool: Pool, ground: int, mass: float, moving: Vector, rows: Floats, at: int, rng: np.random.Generator
) -> int:
    """Photons of a nucleus that emits no particles, and the nucleus in its ground state.

    Args:
        pool: the states.
        ground: index of the ground state of the nucleus.
        mass: with its excitation energy [MeV].
        moving: its momentum [MeV/c].
        rows: result: A, Z, momentum, energy (row, 6).
        at: the first row to fill.
        rng: random numbers.

    Returns:
        The row behind the last.
    """
    stop = ground + 1
    while stop < len(pool.ground) and pool.ground[stop] == ground:
        stop += 1
    emitted = 0
    while mass > pool.mass[ground]:
        emitted += 1
        level = ground
        if emitted < PHOTONS:
            level = lower_level(pool, ground, stop, mass - pool.mass[ground], rng)
        below = pool.mass[level]
        size = (mass - below) * (mass + below) / (2 * mass)
        photon = decayed(mass, moving, 0.0, size, rng)
        at = put(rows, at, 0, 0, 0.0, photon)
        moving = (moving[0] - photon[0], moving[1] - photon[1], moving[2] - photon[2])
        mass = below
        if level == ground:
            break
    return put(rows, at, pool.A[ground], pool.Z[ground], mass, moving)


@njit(cache=True, nogil=True)
def _leave(
    pool: Pool, state: int, moving: Vector, rows: Floats, hot: Floats, at: int, n_hot: int, rng: np.random.Generator
) -> tuple[int, int]:
    """A fragment leaves: what is left of it when its short-lived states and bound levels are gone, or a resonance."""
    waiting, momenta, n = np.empty(8, np.int64), np.empty((8, 3)), 1
    masses, shared = np.empty(3), np.empty((3, 3))
    waiting[0] = state
    momenta[0, 0], momenta[0, 1], momenta[0, 2] = moving
    while n > 0:
        n -= 1
        here = waiting[n]
        p = (momenta[n, 0], momenta[n, 1], momenta[n, 2])
        if pool.resonance[here]:
            n_hot = put(hot, n_hot, pool.A[here], pool.Z[here], pool.mass[here], p)
            hot[n_hot - 1, 5] = pool.mass[here] - pool.mass[pool.ground[here]]
            continue
        if pool.products[here, 0] < 0:
            at = radiate(pool, pool.ground[here], pool.mass[here], p, rows, at, rng)
            continue
        k, kinetic = 0, pool.mass[here]
        while k < 3 and pool.products[here, k] >= 0:
            masses[k] = pool.mass[pool.products[here, k]]
            kinetic -= masses[k]
            k += 1
        fly_apart(masses, k, kinetic, p, shared, rng)
        for i in range(k):
            waiting[n] = pool.products[here, i]
            momenta[n] = shared[i]
            n += 1
    return at, n_hot


@njit(cache=True, nogil=True)
def break_up(
    pool: Pool,
    table: Channels,
    ground: int,
    mass: float,
    momentum: Floats,
    excitation: Floats,
    tunnels: bool,
    rows: Floats,
    ends: Ints,
    hot: Floats,
    hot_ends: Ints,
    rng: np.random.Generator,
) -> None:
    """Hot nuclei of one kind, one after the other.

    Args:
        pool: the states of fragments.
        table: the channels of the nucleus.
        ground: index of its ground state in the pool if that is bound, else -1.
        mass: of its ground state [MeV].
        momentum: (nucleus, 3) [MeV/c].
        excitation: (nucleus,) [MeV].
        tunnels: whether it falls apart through the barrier before it radiates, as a resonance does.
        rows: result: A, Z, momentum, energy (row, 6); at least A + 2 PHOTONS rows a nucleus.
        ends: result: the row behind the last product (nucleus,).
        hot: result: A, Z, momentum, excitation energy of resonances (row, 6); at least A / 5 rows a nucleus.
        hot_ends: result: the row behind the last resonance (nucleus,).
        rng: random numbers.
    """
    at = n_hot = 0
    masses, shared = np.empty(LARGEST_A), np.empty((LARGEST_A, 3))
    for i in range(len(excitation)):
        U = excitation[i]
        moving = (momentum[i, 0], momentum[i, 1], momentum[i, 2])
        c = sampled_channel(table, U, rng)
        if c < 0 and (tunnels or ground < 0):
            c = _summed(table, table.free, table.free, U, rng)
        if c < 0 and ground >= 0:
            at = radiate(pool, ground, mass + U, moving, rows, at, rng)
            ends[i], hot_ends[i] = at, n_hot
            continue
        if c < 0:  # an estimated mass without excitation: the lightest set of fragments, side by side
            c = int(np.argmin(table.free))
        n = table.number[c]
        for k in range(n):
            masses[k] = pool.mass[table.fragments[c, k]]
        fly_apart(masses, n, max(U - table.free[c], 0.0), moving, shared, rng)
        for k in range(n):
            p = (shared[k, 0], shared[k, 1], shared[k, 2])
            at, n_hot = _leave(pool, table.fragments[c, k], p, rows, hot, at, n_hot, rng)
        ends[i], hot_ends[i] = at, n_hot
