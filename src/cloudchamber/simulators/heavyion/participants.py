"""Which nucleons take part in a collision, in numba.

Model: every pair at transverse distance d < 6 w collides independently with ``1 - exp(-sigma_p T(d))`` (arXiv:1412.4708
eqs. 4-6; with constituents arXiv:1808.02106). The random number of a pair depends only on the two nucleons, so that the
order of the tests is free: a nucleon is tested until its first collision, nearest cells first, and pairs of two nucleons
that are known to take part are not tested. Transverse lengths in fm.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .randomness import key_of, normal_pair, uniform

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RINGS = 3
"""Cells of a neighbour list per interaction range."""
BINS = 1024
"""Intervals in d^2 of the table of collision probabilities."""


class Interaction(NamedTuple):
    """What decides whether a pair collides.

    Attributes:
        reach: largest distance of a pair, 6 w [fm].
        rate: sigma_p / (4 pi v^2 m^2): exponent at full overlap of two constituents.
        inverse: 1 / (4 v^2) [fm^-2].
        constituents: m.
        spread: width of the constituents' positions [fm]; 0: all at the nucleon's centre.
        probabilities: of a pair of unstructured nucleons, at BINS + 1 equidistant d^2, decreasing.
    """

    reach: float
    rate: float
    inverse: float
    constituents: int
    spread: float
    probabilities: Floats


def interaction(sigma_p: float, nucleon_width: float, constituent_width: float, constituents: int, spread: float) -> Interaction:
    """The interaction from its physical parameters (fm, fm^2)."""
    reach = 6.0 * nucleon_width
    rate = sigma_p / (4 * math.pi * constituent_width**2 * constituents**2)
    inverse = 0.25 / constituent_width**2
    d2 = np.linspace(0, reach**2, BINS + 1)
    exponent = rate * constituents**2 * np.exp(-inverse * d2)
    return Interaction(reach, rate, inverse, constituents, spread, -np.expm1(-exponent))



@njit(cache=True, nogil=True)
def near_box(count: int, x: Floats, y: Floats, x0: float, x1: float, y0: float, y1: float, near: Ints) -> int:
    """Indices of the nucleons inside a box into ``near``; their number."""
    found = 0
    for n in range(count):
        near[found] = n
        found += (x[n] >= x0) & (x[n] <= x1) & (y[n] >= y0) & (y[n] <= y1)
    return found


@njit(cache=True, nogil=True)
def sort_into_cells(
    found: int, near: Ints, x: Floats, y: Floats, frame: Floats, columns: int, rows: int, start: Ints, listed: Ints
) -> None:
    """Counting sort of nucleons ``near[:found]`` by cell (row-major); cell c holds ``listed[start[c]:start[c + 1]]``.

    ``frame``: left edge, lower edge, inverse cell size.
    """
    cells = columns * rows
    for c in range(cells + 2):
        start[c] = 0
    for k in range(found):
        n = near[k]
        c = int((y[n] - frame[1]) * frame[2]) * columns + int((x[n] - frame[0]) * frame[2])
        start[c + 2] += 1
    for c in range(2, cells + 2):
        start[c] += start[c - 1]
    for k in range(found):
        n = near[k]
        c = int((y[n] - frame[1]) * frame[2]) * columns + int((x[n] - frame[0]) * frame[2])
        listed[start[c + 1]] = n
        start[c + 1] += 1


@njit(cache=True, nogil=True)
def place_constituents(key: np.uint64, n: int, forces: Interaction, where: Floats, extent: Floats) -> None:
    """Constituent offsets of nucleon n, recentred, into ``where`` (A, m, 2); their largest distance into ``extent``."""
    m = forces.constituents
    own = key_of(key, n)
    cx = cy = 0.0
    for i in range(m):
        gx, gy = normal_pair(own, 2 * i)
        where[n, i, 0], where[n, i, 1] = forces.spread * gx, forces.spread * gy
        cx += where[n, i, 0]
        cy += where[n, i, 1]
    largest = 0.0
    for i in range(m):
        where[n, i, 0] -= cx / m
        where[n, i, 1] -= cy / m
        largest = max(largest, where[n, i, 0] ** 2 + where[n, i, 1] ** 2)
    extent[n] = math.sqrt(largest)


@njit(cache=True, nogil=True, fastmath=True)
def _structured_hit(
    u: float, dx: float, dy: float, forces: Interaction, one: Floats, two: Floats, extent: float
) -> bool:
    """Whether a pair of nucleons with constituents (offsets (m, 2)) collides, given its uniform number."""
    gap = max(math.sqrt(dx * dx + dy * dy) - extent, 0.0)
    m = forces.constituents
    # All m^2 pairs at the smallest possible distance: an upper bound that spares most sums.
    if u >= -math.expm1(-forces.rate * m * m * math.exp(-forces.inverse * gap * gap)):
        return False
    overlap = 0.0
    for i in range(m):
        for j in range(m):
            ex = dx + two[j, 0] - one[i, 0]
            ey = dy + two[j, 1] - one[i, 1]
            overlap += math.exp(-forces.inverse * (ex * ex + ey * ey))
    return u < 1.0 - math.exp(-forces.rate * overlap)


@njit(cache=True, nogil=True)
def _hit(
    i: int, j: int, swapped: bool, d2: float, dx: float, dy: float, key: np.uint64, forces: Interaction,
    one: Floats, extent_one: Floats, two: Floats, extent_two: Floats,
) -> bool:  # fmt: skip
    """Whether nucleon i of one nucleus and j of the other collide; ``swapped``: i belongs to nucleus B."""
    u = uniform(key, (j << 12) | i) if swapped else uniform(key, (i << 12) | j)
    if forces.spread > 0.0:
        return _structured_hit(u, dx, dy, forces, one[i], two[j], extent_one[i] + extent_two[j])
    # The probability falls with d^2: two table entries bracket it, and the exponential is rarely needed.
    k = min(int(d2 * (BINS / (forces.reach * forces.reach))), BINS - 1)
    if u >= forces.probabilities[k]:
        return False
    if u < forces.probabilities[k + 1]:
        return True
    m = forces.constituents
    return u < 1.0 - math.exp(-forces.rate * m * m * math.exp(-forces.inverse * d2))


@njit(cache=True, nogil=True)
def mark(
    candidates: int, near: Ints, x: Floats, y: Floats, hit: NDArray[np.bool_], one: Floats, extent_one: Floats,
    other_x: Floats, other_y: Floats, other_hit: NDArray[np.bool_], two: Floats, extent_two: Floats,
    frame: Floats, columns: int, rows: int, start: Ints, listed: Ints,
    swapped: bool, exhaustive: bool, key: np.uint64, forces: Interaction,
) -> int:  # fmt: skip
    """Test the nucleons ``near`` against the other nucleus' cells and mark both members of colliding pairs.

    Without ``exhaustive`` nucleons already marked are passed over and the others tested until their first collision,
    so that afterwards the marks of this nucleus are final; with it all pairs are tested.

    Returns:
        The number of colliding pairs found.
    """
    cut = forces.reach * forces.reach
    collisions = 0
    for k in range(candidates):
        i = near[k]
        if hit[i] and not exhaustive:
            continue
        xi, yi = x[i], y[i]
        cx = int((xi - frame[0]) * frame[2])
        cy = int((yi - frame[1]) * frame[2])
        done = False
        # First the nearest nine cells, where a collision is likely; then all in range (the nine again: same numbers).
        for span in (1, RINGS):
            if exhaustive and span == 1:
                continue
            left, right = max(cx - span, 0), min(cx + span, columns - 1)
            for row in range(max(cy - span, 0), min(cy + span, rows - 1) + 1):
                for at in range(start[row * columns + left], start[row * columns + right + 1]):
                    j = listed[at]
                    dx = other_x[j] - xi
                    dy = other_y[j] - yi
                    d2 = dx * dx + dy * dy
                    if d2 <= cut and _hit(
                        i, j, swapped, d2, dx, dy, key, forces, one, extent_one, two, extent_two
                    ):
                        hit[i] = True
                        other_hit[j] = True
                        collisions += 1
                        done = not exhaustive
                        if done:
                            break
                if done:
                    break
            if done:
                break
    return collisions
