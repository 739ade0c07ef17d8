"""Which nucleons take part in a collision, in numba.

Model: every pair at transverse distance d < 6 w collides independently with ``1 - exp(-sigma_p T(d))``
(arXiv:1412.4708; with constituents arXiv:1808.02106). The random number of a pair depends only on the two nucleons, so
that the order of the tests is free: a nucleon is tested until its first collision, nearest cells first, and pairs of
two nucleons that are known to take part are not tested. Transverse lengths in fm.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .randomness import GOLDEN, as_uniform, key_of, mix, normal_pair

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RINGS = 3
"""Cells of a neighbour list per interaction range."""
BLOCK = 16
"""Pairs that are screened at once: a constant trip count becomes two vectors of eight without remainder loops."""
FAR = 1e4
"""Where the padding behind the last nucleon of a list lies [fm]."""
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


def interaction(
    sigma_p: float, nucleon_width: float, constituent_width: float, constituents: int, spread: float
) -> Interaction:
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


class Cells(NamedTuple):
    """Nucleons of one nucleus sorted into square cells; cell c holds entries ``start[c]`` to ``start[c + 1]``.

    Attributes:
        start: first entry of each cell (row-major).
        listed: nucleons.
        x, y: their positions [fm], padded with BLOCK entries at FAR.
    """

    start: Ints
    listed: Ints
    x: Floats
    y: Floats


class Side(NamedTuple):
    """Working memory of one nucleus.

    Attributes:
        body: positions in the body frame, as ``sampling.draw_body`` leaves them.
        matrix: rotation into the laboratory (3, 3).
        x, y: transverse positions of the nucleons [fm].
        hit: which nucleons take part.
        constituents: offsets of the constituents from their nucleon [fm] (nucleon, constituent, 2).
        extent: of each nucleon the largest of these offsets [fm].
        near: nucleons that may collide at all, padded.
        cells: those, sorted into cells.
        grid: thickness of the participants.
        box: part of the grid that is not zero.
    """

    body: Floats
    matrix: Floats
    x: Floats
    y: Floats
    hit: NDArray[np.bool_]
    constituents: Floats
    extent: Floats
    near: Ints
    cells: Cells
    grid: NDArray[np.float32]
    box: Ints


def cells(count: int, most: int) -> Cells:
    """Memory for ``count`` nucleons in at most ``most`` cells."""
    return Cells(
        np.zeros(most + 3, dtype=np.int64), np.zeros(count + BLOCK, dtype=np.int64),
        np.zeros(count + BLOCK), np.zeros(count + BLOCK),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def sort_into_cells(
    found: int, near: Ints, x: Floats, y: Floats, frame: Floats, columns: int, rows: int, out: Cells
) -> None:
    """Counting sort of nucleons ``near[:found]``; ``frame``: left edge, lower edge, inverse cell size."""
    start = out.start
    for c in range(columns * rows + 2):
        start[c] = 0
    for k in range(found):
        n = near[k]
        start[int((y[n] - frame[1]) * frame[2]) * columns + int((x[n] - frame[0]) * frame[2]) + 2] += 1
    for c in range(2, columns * rows + 2):
        start[c] += start[c - 1]
    for k in range(found):
        n = near[k]
        c = int((y[n] - frame[1]) * frame[2]) * columns + int((x[n] - frame[0]) * frame[2]) + 1
        at = start[c]
        out.listed[at], out.x[at], out.y[at] = n, x[n], y[n]
        start[c] = at + 1
    for k in range(found, found + BLOCK):
        out.listed[k], out.x[k], out.y[k] = 0, FAR, FAR


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


@njit(cache=True, nogil=True, fastmath=True)
def _some_may_hit(
    xi: float, yi: float, first: np.uint64, stride: np.uint64, at: int, other: Cells, forces: Interaction
) -> bool:
    """Screen a block of pairs: whether any random number is below an upper bound of its collision probability.

    The hash, the distance and the table are all without branches, so that eight pairs share a vector.
    """
    scale = BINS / (forces.reach * forces.reach)
    x, y, listed = other.x[at : at + BLOCK], other.y[at : at + BLOCK], other.listed[at : at + BLOCK]
    table = forces.probabilities
    likely = 0
    for k in range(BLOCK):
        dx, dy = x[k] - xi, y[k] - yi
        place = min(int((dx * dx + dy * dy) * scale), BINS)
        u = as_uniform(mix(first + np.uint64(listed[k]) * stride))
        likely += 1 if u < table[place] else 0
    return likely > 0


@njit(cache=True, nogil=True)
def _plain_hit(u: float, d2: float, forces: Interaction) -> bool:
    """Whether an unstructured pair at squared distance d2 collides, given its uniform number.

    The probability falls with d^2: two table entries bracket it, and the exponential is rarely needed.
    """
    k = min(int(d2 * (BINS / (forces.reach * forces.reach))), BINS - 1)
    if u >= forces.probabilities[k]:
        return False
    if u < forces.probabilities[k + 1]:
        return True
    m = forces.constituents
    return u < 1.0 - math.exp(-forces.rate * m * m * math.exp(-forces.inverse * d2))


@njit(cache=True, nogil=True)
def mark(  # noqa: PLR0912
    candidates: int, one: Side, other: Side, frame: Floats, columns: int, rows: int, swapped: bool, exhaustive: bool,
    key: np.uint64, forces: Interaction,
) -> int:  # fmt: skip
    """Test the first ``near`` nucleons of one nucleus against the other's cells; mark both members of colliding pairs.

    Without ``exhaustive`` nucleons already marked are passed over and the others tested until their first collision,
    so that afterwards the marks of this nucleus are final; with it all pairs are tested. One long loop: a function per
    nucleon would spend more on passing its arrays than on the tests.

    Args:
        candidates: how many of ``one.near`` are tested.
        one: this nucleus.
        other: the other nucleus, its nucleons sorted into cells.
        frame: left edge, lower edge and inverse size of the cells.
        columns: of cells.
        rows: of cells.
        swapped: whether this nucleus is B (the pair's random number is that of (nucleon of A, nucleon of B)).
        exhaustive: test all pairs.
        key: stream of the pairs.
        forces: the interaction.

    Returns:
        The number of colliding pairs found.
    """
    cells, hit, cut = other.cells, one.hit, forces.reach * forces.reach
    structured = forces.spread > 0.0
    stride = np.uint64(4096) * GOLDEN if swapped else GOLDEN
    collisions = 0
    for c in range(candidates):
        i = one.near[c]
        if hit[i] and not exhaustive:
            continue
        xi, yi = one.x[i], one.y[i]
        column, line = int((xi - frame[0]) * frame[2]), int((yi - frame[1]) * frame[2])
        left, right = max(column - RINGS, 0), min(column + RINGS, columns - 1)
        first = key + np.uint64((i if swapped else i * 4096) + 1) * GOLDEN  # pair (a, b) has counter 4096 a + b + 1
        for step in range(2 * RINGS + 1):
            row = line + ((step + 1) // 2 if step % 2 else -(step // 2))  # the nearest rows first
            if row < 0 or row >= rows:
                continue
            begin, end = cells.start[row * columns + left], cells.start[row * columns + right + 1]
            for block in range(begin, end, BLOCK):
                if not structured and not _some_may_hit(xi, yi, first, stride, block, cells, forces):
                    continue
                for at in range(block, min(block + BLOCK, end)):
                    dx, dy = cells.x[at] - xi, cells.y[at] - yi
                    d2 = dx * dx + dy * dy
                    if d2 > cut:
                        continue
                    j = cells.listed[at]
                    u = as_uniform(mix(first + np.uint64(j) * stride))
                    if structured:
                        extent = one.extent[i] + other.extent[j]
                        struck = _structured_hit(u, dx, dy, forces, one.constituents[i], other.constituents[j], extent)
                    else:
                        struck = _plain_hit(u, d2, forces)
                    if struck:
                        hit[i] = other.hit[j] = True
                        collisions += 1
                        if not exhaustive:
                            break
                if hit[i] and not exhaustive:
                    break
            if hit[i] and not exhaustive:
                break
    return collisions
