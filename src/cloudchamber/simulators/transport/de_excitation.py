"""De-excitation: hot nuclei to the cold nuclei, nucleons and photons that a detector sees.

Up to A = 16 a nucleus breaks up at once (``fermi_break_up``), beyond it evaporates (``evaporation``) until it is light
enough to break up or too cold to emit particles; what is left then leaves as photons. A nucleus in which nothing is
bound (neutrons or protons alone, or an estimated binding energy of 0) falls apart into its nucleons by phase space.

The total energy of a hot nucleus is ``sqrt((M + U)^2 + p^2)`` with M from ``masses.mass_or_estimate``: whoever knows
the total energy gets U from that M, and nothing is lost. Mass number and charge are conserved exactly, energy and
momentum to rounding.

Conventions: MeV, MeV/c; photons have A = Z = 0.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport import evaporation, fermi_break_up, partitions
from cloudchamber.simulators.transport.fermi_break_up import LARGEST_A, PHOTONS
from cloudchamber.simulators.transport.levels import LONG_LIVED, Level
from cloudchamber.simulators.transport.masses import estimated_table, mass_or_estimate
from cloudchamber.simulators.transport.phase_space import decayed, fly_apart, put

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Hot = tuple[Ints, Ints, Ints, Floats, Floats]

CHUNK = 2**18
"""Rows that wait for products at once: 12 MB."""

UNBOUND = 1e-6
"""A nucleus of less binding energy [MeV] is nucleons side by side."""


@dataclass(frozen=True)
class Products:
    """What nuclei became: one row a nucleus or photon, in the order of the parents.

    Attributes:
        parent: index of the nucleus that it came from (product,).
        A: mass numbers, 0 for a photon (product,).
        Z: charge numbers (product,).
        momentum: (product, 3) [MeV/c].
        energy: with the rest mass (product,) [MeV].
    """

    parent: Ints
    A: Ints
    Z: Ints
    momentum: Floats
    energy: Floats


def de_excite(
    A: ArrayLike,
    Z: ArrayLike,
    momentum: ArrayLike,
    excitation: ArrayLike,
    seed: int,
    *,
    volume: float = partitions.VOLUME,
    levels: tuple[Level, ...] = LONG_LIVED,
) -> Products:
    """What hot nuclei become.

    Args:
        A: mass numbers (nucleus,).
        Z: charge numbers (nucleus,).
        momentum: (nucleus, 3) [MeV/c].
        excitation: excitation energies above ``masses.mass_or_estimate`` (nucleus,), not negative [MeV].
        seed: of the random numbers.
        volume: V / V0 of Fermi break-up.
        levels: the states that its fragments can have; with ``levels.WITH_RESONANCES`` they break up again.

    Returns:
        The products, in the order of the nuclei.

    Raises:
        BadInput: arrays that do not fit together, impossible nuclei, excitation energies below 0, not finite numbers.

    Examples:
        >>> products = de_excite([8], [4], [[0.0, 0.0, 0.0]], [0.0], seed=1)
        >>> print(products.A, round(float(products.energy.sum()) - 2 * float(mass_or_estimate(2, 4)), 3))
        [4 4] 0.092
    """
    a, z, p, u = _checked(A, Z, momentum, excitation, volume)
    rng = np.random.default_rng(seed)
    parts: list[tuple[Ints, Floats]] = []
    table = estimated_table()
    alone = (a > LARGEST_A) & (z * table[1, 1] + (a - z) * table[0, 1] - table[z, a] < UNBOUND)
    parts += [_nucleons(a, z, p, u, some, rng) for some in _chunks(np.flatnonzero(alone), a)]
    heavy = np.flatnonzero(~alone & (a > LARGEST_A))
    parts += [_evaporated(a, z, p, u, some, rng) for some in _chunks(heavy, a)]
    whole = (a > LARGEST_A) | (a == 1)  # after evaporation
    parts.append(_cooled(a, z, p, u, np.flatnonzero(whole & ~alone), rng))
    light = np.flatnonzero(~whole)
    cold, hot = _broken((light, a[light], z[light], p[light], u[light]), False, volume, levels, rng)
    parts += cold
    while len(hot[0]):
        cold, hot = _broken(hot, True, volume, levels, rng)
        parts += cold
    parent = np.concatenate([part[0] for part in parts])
    values = np.concatenate([part[1] for part in parts])
    order = np.argsort(parent, kind="stable")
    values = values[order]
    return Products(
        parent[order], values[:, 0].astype(np.int64), values[:, 1].astype(np.int64), values[:, 2:5].copy(),
        values[:, 5].copy(),
    )  # fmt: skip


def _checked(
    A: ArrayLike, Z: ArrayLike, momentum: ArrayLike, excitation: ArrayLike, volume: float
) -> tuple[Ints, Ints, Floats, Floats]:
    """Copies of what was given, as arrays that fit together."""
    a, z = np.array(A), np.array(Z)
    p, u = np.array(momentum, np.float64), np.array(excitation, np.float64)
    if a.size == 0:
        a, z, p = a.astype(np.int64), z.astype(np.int64), p.reshape(-1, 3)
    if a.ndim != 1 or z.shape != a.shape or p.shape != (*a.shape, 3) or u.shape != a.shape:
        shapes = ", ".join(str(one.shape) for one in (a, z, p, u))
        raise BadInput(f"A, Z, momentum, excitation have the shapes {shapes}; give (n,), (n,), (n, 3), (n,)")
    if not (np.issubdtype(a.dtype, np.integer) and np.issubdtype(z.dtype, np.integer)):
        raise BadInput(
            f"A and Z are {a.dtype} and {z.dtype}, not whole numbers; round them so that their sums are kept"
        )
    mass_or_estimate(z, a)  # complains about nuclei that cannot be
    if not (np.isfinite(p).all() and np.isfinite(u).all()):
        raise BadInput("a momentum or excitation energy of a hot nucleus is not finite; leave such nuclei out")
    if (u < 0).any():
        worst = int(u.argmin())
        raise BadInput(
            f"excitation energy {u[worst]:.6g} MeV of nucleus {worst} (A = {a[worst]}, Z = {z[worst]}) is below 0; "
            "clip it, and balance the energy elsewhere"
        )
    if not 0 < volume < np.inf:
        raise BadInput(f"volume of Fermi break-up is {volume}; give V / V0 above 0, usually 1 to 6")
    return a.astype(np.int64), z.astype(np.int64), p, u


def _chunks(rows: Ints, sizes: Ints) -> list[Ints]:
    """``rows`` cut so that the products of each piece, at most ``sizes[row]`` a row, fit into a buffer."""
    if len(rows) == 0:
        return []
    filled = np.cumsum(sizes[rows]) // CHUNK
    return np.split(rows, np.flatnonzero(np.diff(filled)) + 1)


def _owned(some: Ints, rows: Floats, ends: Ints) -> tuple[Ints, Floats]:
    """The filled rows of a buffer with the nucleus of each."""
    return np.repeat(some, np.diff(ends, prepend=0)), rows[: ends[-1] if len(ends) else 0].copy()


def _nucleons(a: Ints, z: Ints, p: Floats, u: Floats, some: Ints, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Nuclei that fall apart into all their nucleons."""
    rows, ends = np.empty((int(a[some].sum()), 6)), np.empty(len(some), np.int64)
    _fill_nucleons(a[some], z[some], p[some], u[some], estimated_table(), rows, ends, rng)
    return _owned(some, rows, ends)


def _evaporated(a: Ints, z: Ints, p: Floats, u: Floats, some: Ints, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Evaporated particles; what remains of the nuclei replaces them."""
    rows, ends = np.empty((int(a[some].sum()), 6)), np.empty(len(some), np.int64)
    left = a[some], z[some], p[some], u[some]
    evaporation.evaporate(*left, estimated_table(), evaporation.LEVEL_DENSITY, LARGEST_A + 1, rows, ends, rng)
    a[some], z[some], p[some], u[some] = left
    return _owned(some, rows, ends)


def _cooled(a: Ints, z: Ints, p: Floats, u: Floats, some: Ints, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Nucleons, and heavy nuclei that emit no particles: their excitation energy is one photon."""
    rows, ends = np.empty((2 * len(some), 6)), np.empty(len(some), np.int64)
    _fill_cooled(a[some], z[some], p[some], u[some], estimated_table(), rows, ends, rng)
    return _owned(some, rows, ends)


def _broken(
    nuclei: Hot, resonances: bool, volume: float, levels: tuple[Level, ...], rng: np.random.Generator
) -> tuple[list[tuple[Ints, Floats]], Hot]:
    """Light nuclei (parent, A, Z, momentum, excitation) after break-up: cold products, and resonances likewise."""
    owner, a, z, p, u = nuclei
    pool = partitions.fragment_pool(levels)
    cold, hot = [], [(owner[:0], np.empty((0, 6)))]
    species = a * (LARGEST_A + 1) + z
    for kind in np.unique(species):
        A, Z = divmod(int(kind), LARGEST_A + 1)
        table, mass = partitions.channels(A, Z, volume, levels), float(mass_or_estimate(Z, A))
        ground = partitions.bound_ground_state(pool, A, Z)
        for some in _chunks(np.flatnonzero(species == kind), a + 2 * PHOTONS):
            n = len(some)
            rows, ends = np.empty((n * (A + 2 * PHOTONS), 6)), np.empty(n, np.int64)
            again, again_ends = np.empty((n * (A // 5 + 1), 6)), np.empty(n, np.int64)
            fermi_break_up.break_up(
                pool, table, ground, mass, p[some], u[some], resonances, rows, ends, again, again_ends, rng
            )
            cold.append(_owned(owner[some], rows, ends))
            hot.append(_owned(owner[some], again, again_ends))
    left = np.concatenate([rows for _, rows in hot])
    whole = left[:, :2].astype(np.int64)
    return cold, (np.concatenate([one for one, _ in hot]), whole[:, 0], whole[:, 1], left[:, 2:5].copy(), left[:, 5])


@njit(cache=True, nogil=True)
def _fill_nucleons(
    A: Ints, Z: Ints, momentum: Floats, excitation: Floats, table: Floats, rows: Floats, ends: Ints,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    at = 0
    for i in range(len(A)):
        masses, shared = np.empty(A[i]), np.empty((A[i], 3))
        masses[: Z[i]], masses[Z[i] :] = table[1, 1], table[0, 1]
        moving = (momentum[i, 0], momentum[i, 1], momentum[i, 2])
        fly_apart(masses, A[i], excitation[i], moving, shared, rng)
        for k in range(A[i]):
            at = put(rows, at, 1, int(k < Z[i]), masses[k], (shared[k, 0], shared[k, 1], shared[k, 2]))
        ends[i] = at


@njit(cache=True, nogil=True)
def _fill_cooled(
    A: Ints, Z: Ints, momentum: Floats, excitation: Floats, table: Floats, rows: Floats, ends: Ints,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    at = 0
    for i in range(len(A)):
        below, u = table[Z[i], A[i]], excitation[i]
        x, y, z = momentum[i, 0], momentum[i, 1], momentum[i, 2]
        if u > 0.0:
            mass = below + u
            px, py, pz = decayed(mass, (x, y, z), 0.0, u * (mass + below) / (2.0 * mass), rng)
            at = put(rows, at, 0, 0, 0.0, (px, py, pz))
            x, y, z = x - px, y - py, z - pz
        at = put(rows, at, A[i], Z[i], below, (x, y, z))
        ends[i] = at
