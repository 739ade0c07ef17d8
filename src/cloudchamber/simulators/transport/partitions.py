"""The ways in which a light hot nucleus can break up into fragments, and the weights of Fermi's model.

The weight of a partition into n fragments is the volume of its phase space (Fermi, Prog. Theor. Phys. 5 (1950) 570;
Bondorf et al., Phys. Rep. 257 (1995) 133, on Fermi break-up)::

    W = [A k (R0 / hbar c)^3 sqrt(2 / pi) / 3]^(n-1) (prod m / sum m)^(3/2) prod g / (G Gamma(3 (n-1) / 2))
        T^(3 (n-1) / 2 - 1)
    T = U + M - sum m - E_C
    E_C = 0.6 e^2 / R0 (1 + k)^(-1/3) (Z^2 / A^(1/3) - sum Z_i^2 / A_i^(1/3))

with U the excitation energy, M the mass of the nucleus, m and g = 2J+1 of each fragment (masses with the level's
energy), G the product of the factorials of the numbers of fragments in the same state, and R0 = 1.3 fm. A partition is
open if T > 0 and U + M > sum m (E_C is negative if a neutron leaves).

k = V / V0 is the volume at break-up in units of the normal one: 1 in Geant4's code (the default here), 6 in its physics
reference manual. How many 4He a 12C leaves depends more on whether resonances count as fragments (40 000 nuclei each,
errors below 0.01)::

    excitation energy [MeV]            12     16     20     25     30     40     60     80    100
    LONG_LIVED,      k = 1           3.00   3.00   1.30   0.46   0.36   0.63   1.09   1.09   0.98
    LONG_LIVED,      k = 6           3.00   3.00   1.65   0.79   0.62   1.01   1.47   1.19   0.95
    WITH_RESONANCES, k = 1           3.00   3.00   2.34   1.35   1.01   1.36   1.59   1.45   1.28
    WITH_RESONANCES, k = 6           3.00   3.00   2.37   1.45   1.10   1.43   1.64   1.30   1.04

Conventions: MeV, fm; states are numbered as in a table of levels, partitions in the order in which they open.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cloudchamber.simulators.transport.levels import LONG_LIVED, Level, Nucleus
from cloudchamber.simulators.transport.masses import mass_or_estimate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RADIUS = 1.3
"""R0 [fm]."""

VOLUME = 1.0
"""k, the default of V / V0."""

HBAR_C, COUPLING = 197.3269804, 1.43996448
"""hbar c and e^2 [MeV fm]."""

STEP = 1.08
"""Ratio of neighbouring energies of the grid, above the first threshold."""

FIRST, LAST = 0.5, 500.0
"""Ends of the grid [MeV] above the first threshold; outside, all weights are summed for each nucleus."""


class Pool(NamedTuple):
    """The states that fragments can have, as arrays (state,), by nucleus and energy.

    Attributes:
        A: mass numbers.
        Z: charge numbers.
        mass: with the level's energy [MeV].
        degeneracy: 2J+1.
        ground: index of the ground state of the same nucleus.
        products: what it falls apart into (state, 3), -1 where there are fewer.
        resonance: whether it breaks up like any hot nucleus (state,).
    """

    A: Ints
    Z: Ints
    mass: Floats
    degeneracy: Floats
    ground: Ints
    products: Ints
    resonance: NDArray[np.bool_]


class Channels(NamedTuple):
    """The partitions of one nucleus, in the order in which they open, with the grid of their cumulative weights.

    Attributes:
        fragments: states in the pool (channel, most fragments), -1 where there are fewer.
        number: of fragments (channel,).
        opens: excitation energy at which it opens [MeV] (channel,).
        threshold: that at which T = 0 [MeV] (channel,).
        free: the same without barrier [MeV] (channel,).
        coefficient: W / T^power (channel,).
        power: of T (channel,).
        energies: of the grid [MeV] (energy,).
        offsets: row e of the grid is ``cumulative[offsets[e]:offsets[e + 1]]``, the open channels (energy + 1,).
        cumulative: sums of weights.
    """

    fragments: NDArray[np.int16]
    number: Ints
    opens: Floats
    threshold: Floats
    free: Floats
    coefficient: Floats
    power: Floats
    energies: Floats
    offsets: Ints
    cumulative: Floats


@functools.cache
def fragment_pool(levels: tuple[Level, ...] = LONG_LIVED) -> Pool:
    """The states of a table of levels, as arrays.

    Args:
        levels: by nucleus, then energy.

    Returns:
        The pool.
    """
    ground: dict[Nucleus, int] = {}
    for i, row in enumerate(levels):
        ground.setdefault((row.A, row.Z), i)
    products = np.full((len(levels), 3), -1)
    for i, row in enumerate(levels):
        products[i, : len(row.products)] = [ground[nucleus] for nucleus in row.products]
    A, Z = np.array([row.A for row in levels]), np.array([row.Z for row in levels])
    energy = np.array([row.energy for row in levels])
    degeneracy = np.array([float(row.degeneracy) for row in levels])
    first = np.array([ground[row.A, row.Z] for row in levels])
    resonance = np.array([row.resonance for row in levels])
    return Pool(A, Z, mass_or_estimate(Z, A) + energy, degeneracy, first, products, resonance)


def bound_ground_state(pool: Pool, A: int, Z: int) -> int:
    """Where the pool has the ground state of a nucleus that does not fall apart.

    Args:
        pool: the states.
        A: mass number.
        Z: charge number.

    Returns:
        Its index, -1 if there is none.
    """
    itself = pool.ground == np.arange(len(pool.ground))
    found = np.flatnonzero((pool.A == A) & (pool.Z == Z) & (pool.products[:, 0] < 0) & itself)
    return int(found[0]) if len(found) else -1


def partitions(A: int, Z: int, nuclei: Sequence[Nucleus]) -> Iterator[tuple[Nucleus, ...]]:
    """All ways to put a nucleus together from two or more others, each way once.

    Args:
        A: mass number.
        Z: charge number.
        nuclei: what may be used.

    Yields:
        The nuclei of one way, with repetitions.
    """

    def rest(A: int, Z: int, usable: Sequence[Nucleus]) -> Iterator[tuple[Nucleus, ...]]:
        if A == 0:
            yield ()
        for i, (a, z) in enumerate(usable):
            if a <= A and z <= Z <= z + A - a:
                for others in rest(A - a, Z - z, usable[i:]):
                    yield ((a, z), *others)

    yield from rest(A, Z, [nucleus for nucleus in nuclei if nucleus[0] < A])


@functools.cache
def channels(A: int, Z: int, volume: float = VOLUME, levels: tuple[Level, ...] = LONG_LIVED) -> Channels:
    """The partitions of a nucleus into states of the pool.

    Args:
        A: mass number, 2 ... 16.
        Z: charge number.
        volume: k, the volume at break-up in units of the normal one.
        levels: the states that fragments can have.

    Returns:
        The channels and the grid of cumulative weights.
    """
    pool = fragment_pool(levels)
    states: dict[Nucleus, list[int]] = {}
    for i, nucleus in enumerate(zip(pool.A.tolist(), pool.Z.tolist(), strict=True)):
        states.setdefault(nucleus, []).append(i)
    rows, same = [], []
    for parts in partitions(A, Z, list(states)):
        choices = [itertools.combinations_with_replacement(states[part], n) for part, n in Counter(parts).items()]
        for choice in itertools.product(*choices):
            row = [state for some in choice for state in some]
            rows.append(row)
            same.append(math.prod(math.factorial(n) for n in Counter(row).values()))
    number = np.array([len(row) for row in rows])
    fragments = np.full((len(rows), number.max()), -1, np.int16)
    for filled, row in zip(fragments, rows, strict=True):
        filled[: len(row)] = row
    mass = np.where(fragments >= 0, pool.mass[fragments], 0.0).sum(axis=1)
    free = mass - float(mass_or_estimate(Z, A))
    charged = np.where(fragments >= 0, pool.Z[fragments] ** 2 / np.cbrt(pool.A[fragments]), 0.0).sum(axis=1)
    threshold = free + 0.6 * COUPLING / RADIUS / np.cbrt(1 + volume) * (Z**2 / np.cbrt(A) - charged)
    shape = 1.5 * (number - 1)
    logarithm = (number - 1) * math.log(A * volume * (RADIUS / HBAR_C) ** 3 * math.sqrt(2 / math.pi) / 3)
    logarithm += 1.5 * (np.where(fragments >= 0, np.log(pool.mass[fragments]), 0.0).sum(axis=1) - np.log(mass))
    logarithm += np.where(fragments >= 0, np.log(pool.degeneracy[fragments]), 0.0).sum(axis=1)
    logarithm -= np.log(same) + np.array([math.lgamma(x) for x in shape])
    opens = np.maximum(threshold, free)
    order = np.argsort(opens, kind="stable")
    opens, threshold, free = opens[order], threshold[order], free[order]
    coefficient, power = np.exp(logarithm)[order], shape[order] - 1
    steps = math.ceil(math.log(LAST / FIRST) / math.log(STEP))
    energies = opens[0] + FIRST * STEP ** np.arange(steps + 1)
    n_open = np.searchsorted(opens, energies, side="left")
    cumulative = [
        np.cumsum(coefficient[:n] * (energy - threshold[:n]) ** power[:n])
        for n, energy in zip(n_open, energies, strict=True)
    ]
    return Channels(
        fragments[order], number[order], opens, threshold, free, coefficient, power, energies,
        np.concatenate([[0], np.cumsum(n_open)]), np.concatenate(cumulative),
    )  # fmt: skip


def weights(table: Channels, excitation: float) -> Floats:
    """Probabilities of the partitions of a nucleus.

    Args:
        table: its channels.
        excitation: its excitation energy [MeV].

    Returns:
        Their probabilities (channel,); all 0 if none is open.
    """
    kinetic = np.maximum(excitation - table.threshold, 0.0)
    weight: Floats = table.coefficient * kinetic**table.power * (excitation > table.opens)
    total = float(weight.sum())
    return weight if total == 0.0 else weight / total
