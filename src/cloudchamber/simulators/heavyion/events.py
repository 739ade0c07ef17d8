"""The event loop: two nuclei, an impact parameter, participants, reduced thickness, observables, in numba.

Model: TRENTo (arXiv:1412.4708), semantics of program TRENTo 2.0: both nuclei and the impact parameter are drawn again
until at least one pair of nucleons collides; nucleus A lies at ``x = +share b``, B at ``-(1 - share) b``; no
recentring. Lengths in fm, grids ``[iy, ix]``.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from . import randomness as rnd
from .participants import Interaction, Side, cells, mark, near_box, place_constituents, sort_into_cells
from .randomness import key_of, uniform, unit_gamma
from .sampling import Sampler, draw_body, euler, rotation, to_transverse
from .thickness import Mesh, clear, deposit, joint_box, moments, reduce_thickness

Floats = NDArray[np.float64]

MAX_TRIALS = 200_000
"""Trials without any collision after which an event is given up (the impact-parameter range misses the nuclei)."""
MAX_CELLS = 64
"""Cells per axis of the neighbour lists."""

COLUMNS = (
    "impact_parameter", "npart", "ncoll", "multiplicity",
    "eccentricity2", "eccentricity3", "eccentricity4", "eccentricity5",
    "psi2", "psi3", "psi4", "psi5", "rms_radius", "area", "inverse_area", "trials",
)  # fmt: skip


class Geometry(NamedTuple):
    """Impact parameters and orientations.

    Attributes:
        b_min, b_max: range [fm].
        share: of the impact parameter that nucleus A is moved by.
        fixed: whether ``angles`` replace random orientations.
        angles: tilt of the symmetry axis against the beam and azimuth, of A and of B [rad] (2, 2).
    """

    b_min: float
    b_max: float
    share: float
    fixed: bool
    angles: Floats


def side(count: int, constituents: int, mesh: Mesh) -> Side:
    """Working memory for a nucleus of ``count`` nucleons."""
    return Side(
        body=np.zeros((8, count)),
        matrix=np.eye(3),
        x=np.zeros(count),
        y=np.zeros(count),
        hit=np.zeros(count, dtype=np.bool_),
        constituents=np.zeros((count, constituents, 2)),
        extent=np.zeros(count),
        near=np.zeros(count + 1, dtype=np.int64),
        cells=cells(count, (MAX_CELLS + 2) ** 2),
        grid=np.zeros((mesh.cells, mesh.cells + 2 * mesh.margin), dtype=np.float32),
        box=np.array([mesh.cells, -1, mesh.cells, -1], dtype=np.int64),
    )


@njit(cache=True, nogil=True)
def _draw_nucleus(trial: np.uint64, which: int, s: Sampler, g: Geometry, offset: float, w: Side) -> None:
    """Positions of one nucleus (``which`` 0: A, 1: B), rotated and shifted by ``offset`` along x."""
    draw_body(s, key_of(trial, rnd.NUCLEONS_A + which), key_of(trial, rnd.PLACEMENT_A + which), w.body)
    if g.fixed:
        euler(0.0, math.cos(g.angles[which, 0]), g.angles[which, 1] + 0.5 * math.pi, w.matrix)
    else:
        rotation(key_of(trial, rnd.ORIENTATION_A + which), w.matrix)
    to_transverse(s.size, w.body, w.matrix, offset, w.x, w.y)


@njit(cache=True, nogil=True)
def _collide_nucleons(trial: np.uint64, na: int, nb: int, a: Side, b: Side, f: Interaction, count_all: bool) -> int:
    """Mark the participants of both nuclei; the number of colliding pairs (0: none; all only if ``count_all``)."""
    a.hit[:] = False
    b.hit[:] = False
    reach = f.reach
    fa = near_box(na, a.x, a.y, b.x.min() - reach, b.x.max() + reach, b.y.min() - reach, b.y.max() + reach, a.near)
    if fa == 0:
        return 0
    x0 = y0 = 1e9
    x1 = y1 = -1e9
    for k in range(fa):
        n = a.near[k]
        x0, x1, y0, y1 = min(x0, a.x[n]), max(x1, a.x[n]), min(y0, a.y[n]), max(y1, a.y[n])
    fb = near_box(nb, b.x, b.y, x0 - reach, x1 + reach, y0 - reach, y1 + reach, b.near)
    if fb == 0:
        return 0
    for k in range(fb):
        n = b.near[k]
        x0, x1, y0, y1 = min(x0, b.x[n]), max(x1, b.x[n]), min(y0, b.y[n]), max(y1, b.y[n])
    cell = max(reach / 3.0 * 1.000001, max(x1 - x0, y1 - y0) / MAX_CELLS)
    frame = np.array([x0, y0, 1.0 / cell])
    columns, rows = int((x1 - x0) / cell) + 1, int((y1 - y0) / cell) + 1
    sort_into_cells(fb, b.near, b.x, b.y, frame, columns, rows, b.cells)
    if f.spread > 0.0:
        for k in range(fa):
            place_constituents(key_of(trial, rnd.CONSTITUENTS_A), a.near[k], f, a.constituents, a.extent)
        for k in range(fb):
            place_constituents(key_of(trial, rnd.CONSTITUENTS_B), b.near[k], f, b.constituents, b.extent)
    pairs = key_of(trial, rnd.PAIRS)
    found = mark(fa, a, b, frame, columns, rows, False, count_all, pairs, f)
    if count_all or found == 0:
        return found
    # A's marks are final. B's still unmarked nucleons can only have collided with marked nucleons of A.
    left = 0
    for k in range(fa):
        if a.hit[a.near[k]]:
            a.near[left] = a.near[k]
            left += 1
    sort_into_cells(left, a.near, a.x, a.y, frame, columns, rows, a.cells)
    return found + mark(fb, b, a, frame, columns, rows, True, False, pairs, f)


@njit(cache=True, nogil=True)
def _thickness(
    key: np.uint64, count: int, w: Side, f: Interaction, k: float, m: Mesh, rows: NDArray[np.float32]
) -> int:
    """Deposit the participants of one nucleus with gamma fluctuations of shape ``k``; their number."""
    clear(w.grid, w.box, m)
    participants = 0
    for n in range(count):
        if not w.hit[n]:
            continue
        participants += 1
        own = key_of(key, n)
        for i in range(f.constituents):
            weight = unit_gamma(own if f.constituents == 1 else key_of(own, i), k)
            x, y = w.x[n], w.y[n]
            if f.spread > 0.0:
                x += w.constituents[n, i, 0]
                y += w.constituents[n, i, 1]
            deposit(x, y, weight, m, w.grid, w.box, rows[0], rows[1], rows[2])
    return participants


@njit(cache=True, nogil=True)
def _observables(total: float, moment: Floats, step: float, out: Floats) -> None:
    """Columns multiplicity ... inverse_area from the moments (in cells)."""
    out[3] = total * step * step
    for n in range(2, 6):
        re, im, weight = moment[n - 2], moment[n + 2], moment[n + 6]
        out[n + 2] = math.sqrt(re * re + im * im) / max(weight, 1e-12)
        # The angle of the n-th participant plane: eps e^{i n psi} = -<r^n e^{i n phi}> / <r^n>.
        out[n + 6] = math.atan2(-im, -re) / n
    s0 = moment[12]
    if s0 > 0.0:
        xx, yy, xy = moment[13] / s0, moment[14] / s0, moment[15] / s0
        out[12] = math.sqrt(xx + yy) * step
        out[13] = math.pi * math.sqrt(max(xx * yy - xy * xy, 0.0)) * step * step
        out[14] = 1.0 / math.sqrt(out[13]) if out[13] > 0.0 else 0.0


@njit(cache=True, nogil=True)
def simulate(
    seed: int, first_event: int, events: int, sa: Sampler, sb: Sampler, g: Geometry, f: Interaction, m: Mesh,
    k: float, p: float, norm: float, count_all: bool, a: Side, b: Side, reduced: Floats, out: Floats, profiles: Floats,
) -> bool:  # fmt: skip
    """Fill ``out`` (event, column of COLUMNS) and ``profiles`` (event, y, x; or no events).

    Returns:
        False if an event was given up for want of any collision.
    """
    master = rnd.mix(np.uint64(seed) ^ rnd.GOLDEN)
    rows = np.zeros((3, m.span), dtype=np.float32)
    moment = np.zeros(16)
    box = np.zeros(4, dtype=np.int64)
    fluctuations = np.empty(2, dtype=np.uint64)
    for e in range(events):
        event = key_of(master, first_event + e)
        found = 0
        trials = 0
        impact = 0.0
        while found == 0:
            if trials == MAX_TRIALS:
                return False
            trial = key_of(event, trials)
            trials += 1
            u = uniform(key_of(trial, rnd.IMPACT), 0)
            impact = math.sqrt(g.b_min * g.b_min + (g.b_max * g.b_max - g.b_min * g.b_min) * u)
            _draw_nucleus(trial, 0, sa, g, g.share * impact, a)
            _draw_nucleus(trial, 1, sb, g, (g.share - 1.0) * impact, b)
            found = _collide_nucleons(trial, sa.size, sb.size, a, b, f, count_all)
            fluctuations[0] = key_of(trial, rnd.FLUCTUATION_A)
            fluctuations[1] = key_of(trial, rnd.FLUCTUATION_B)
        npart = _thickness(fluctuations[0], sa.size, a, f, k, m, rows)
        npart += _thickness(fluctuations[1], sb.size, b, f, k, m, rows)
        joint_box(a.box, b.box, p, box)
        total, cx, cy = reduce_thickness(a.grid, b.grid, reduced, box, m, p, norm)
        moments(reduced, box, m, cx, cy, moment)
        row = out[e]
        row[0], row[1], row[2], row[15] = impact, npart, found, trials
        _observables(total, moment, m.step, row)
        if len(profiles) > 0 and box[1] >= box[0]:
            for iy in range(box[2], box[3] + 1):
                profiles[e, iy, box[0] : box[1] + 1] = reduced[iy, box[0] + m.margin : box[1] + m.margin + 1]
    return True
