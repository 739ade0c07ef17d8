"""Thickness of the two nuclei on a grid, reduced thickness, and its moments, in numba.

Model: TRENTo (arXiv:1412.4708): ``T = sum gamma_i / (2 pi w^2) exp(-d^2 / 2 w^2)`` within 5 w,
``T_R = norm [(T_A^p + T_B^p) / 2]^(1/p)``, eccentricities about the centre of mass of T_R. Grids are ``[iy, ix]``; cell
ix is centred at ``(ix + 1/2) step - N step / 2``. Inside, lengths are in cells.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

CUT_WIDTHS = 5.0
"""A constituent's thickness ends at this many widths."""
TINY = 1e-12
"""Reduced thickness below this [fm^-2] counts as empty."""
BLOCK = 32
"""Cells per inner loop of a deposit: a constant trip count becomes two vectors of sixteen without remainder loops."""

# Thicknesses are single precision: twice the cells per vector, 1e-6 of the sum. Literals would promote to double.
_C0, _C1, _C2, _C3, _C4, _C5, _C6 = (np.float32(1 / math.factorial(n)) for n in range(7))
_ZERO, _STEEP = np.float32(0), np.float32(1e20)


class Mesh(NamedTuple):
    """The grid and the profile of one constituent on it.

    Attributes:
        cells: N per axis.
        step: cell size [fm].
        origin: left edge [fm], -N step / 2.
        margin: padding cells left of the first (a profile may begin there); rows are ``cells + 2 margin`` long.
        radius2: squared cut [cells^2].
        half: cells from the centre that a profile may need.
        span: length of a profile's row, a multiple of BLOCK.
        decay: step^2 / (2 v^2).
        falls: exp(-j^2 decay), j = -half ... span - half - 1.
        tilts: j decay / 4, the same j: an eighth of the exponent per shift of the centre.
        peak: thickness at the centre of a constituent with gamma = 1 [fm^-2].
    """

    cells: int
    step: float
    origin: float
    margin: int
    radius2: float
    half: int
    span: int
    decay: float
    falls: Singles
    tilts: Singles
    peak: float


def mesh(grid_max: float, grid_step: float, width: float, constituents: int) -> Mesh:
    """The grid of TRENTo: N = ceil(2 max / step) cells per axis, half-width N step / 2 [fm]."""
    cells = math.ceil(2 * grid_max / grid_step)
    radius = CUT_WIDTHS * width / grid_step
    half = math.floor(radius + 0.5)
    span = -(-(2 * half + 1) // BLOCK) * BLOCK
    decay = 0.5 * (grid_step / width) ** 2
    j = np.minimum(np.arange(span) - half, half + 1.0)
    peak = 1 / (2 * math.pi * width**2 * constituents)
    falls, tilts = np.exp(-decay * j**2).astype(np.float32), (decay * j / 4).astype(np.float32)
    return Mesh(cells, grid_step, -0.5 * cells * grid_step, span + 2, radius**2, half, span, decay, falls, tilts, peak)


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _exp8(t: np.float32) -> np.float32:
    """exp(8 t) by Taylor series and three squarings: 1e-6 for |t| < 0.35, and it vectorises, unlike libm's."""
    e = _C0 + t * (_C1 + t * (_C2 + t * (_C3 + t * (_C4 + t * (_C5 + t * _C6)))))
    e *= e
    e *= e
    return e * e


@njit(cache=True, nogil=True, fastmath=True)
def deposit(
    x: float, y: float, weight: float, m: Mesh, grid: Singles, box: Ints, gx: Singles, gy: Singles, dx2: Singles
) -> None:
    """Add a constituent at (x, y) [fm] with fluctuation ``weight``; ``box`` (x0, x1, y0, y1) grows to what it touches.

    The Gaussian is separable, and exp(-(j - d)^2 s) = exp(-d^2 s) exp(2 j d s) exp(-j^2 s) with 2 j d s of order one.
    """
    px = (x - m.origin) / m.step - 0.5
    py = (y - m.origin) / m.step - 0.5
    ix, iy = int(np.floor(px + 0.5)), int(np.floor(py + 0.5))
    half = m.half
    if ix < -half or iy < -half or ix >= m.cells + half or iy >= m.cells + half:
        return
    dx, dy = px - ix, py - iy
    height = np.float32(weight * m.peak * math.exp(-(dx * dx + dy * dy) * m.decay))
    sx, sy = np.float32(dx), np.float32(dy)
    for start in range(0, m.span, BLOCK):
        tilt, fall = m.tilts[start : start + BLOCK], m.falls[start : start + BLOCK]
        along_x, along_y = gx[start : start + BLOCK], gy[start : start + BLOCK]
        distance = dx2[start : start + BLOCK]
        for k in range(BLOCK):
            along_x[k] = _exp8(sx * tilt[k]) * fall[k]
            along_y[k] = _exp8(sy * tilt[k]) * fall[k] * height
            away = np.float32(start + k - half) - sx
            distance[k] = away * away
    base = ix - half + m.margin
    first, last = max(iy - half, 0), min(iy + half, m.cells - 1)
    for start in range(0, m.span, BLOCK):
        profile, distance = gx[start : start + BLOCK], dx2[start : start + BLOCK]
        for row in range(first, last + 1):
            limit = np.float32(m.radius2 - (row - iy - dy) ** 2)
            scale = gy[row - iy + half]
            cells = grid[row, base + start : base + start + BLOCK]
            # The round cut as an arithmetic mask: a branch would keep the loop from being vectorised.
            for k in range(BLOCK):
                cells[k] += scale * profile[k] * min(_C0, max(_ZERO, (limit - distance[k]) * _STEEP))
    box[0] = min(box[0], max(ix - half, 0))
    box[1] = max(box[1], min(ix + half, m.cells - 1))
    box[2] = min(box[2], first)
    box[3] = max(box[3], last)


@njit(cache=True, nogil=True)
def clear(grid: Singles, box: Ints, m: Mesh) -> None:
    """Zero what deposits have touched, and the box."""
    if box[1] >= box[0] and box[3] >= box[2]:
        for row in range(box[2], box[3] + 1):
            grid[row, :] = 0.0
    box[0], box[1], box[2], box[3] = m.cells, -1, m.cells, -1


@njit(cache=True, nogil=True)
def joint_box(box_a: Ints, box_b: Ints, p: float, box: Ints) -> None:
    """Where T_R can differ from zero: the overlap of both nuclei for p <= 0, all of both for p > 0."""
    if p > TINY:
        box[0], box[1] = min(box_a[0], box_b[0]), max(box_a[1], box_b[1])
        box[2], box[3] = min(box_a[2], box_b[2]), max(box_a[3], box_b[3])
    else:
        box[0], box[1] = max(box_a[0], box_b[0]), min(box_a[1], box_b[1])
        box[2], box[3] = max(box_a[2], box_b[2]), min(box_a[3], box_b[3])


@njit(cache=True, nogil=True, fastmath=True)
def _geometric_row(a: Singles, b: Singles, out: Floats, first: int, last: int, scale: float) -> None:
    for c in range(first, last):
        out[c] = scale * math.sqrt(np.float64(a[c]) * np.float64(b[c]))


@njit(cache=True, nogil=True, fastmath=True)
def _mean_row(a: Singles, b: Singles, out: Floats, first: int, last: int, scale: float, p: float) -> None:
    for c in range(first, last):
        s, t = np.float64(a[c]), np.float64(b[c])
        if p < 0.0 and (s < TINY or t < TINY):
            out[c] = 0.0
        elif p == 1.0:
            out[c] = scale * 0.5 * (s + t)
        elif p == -1.0:
            out[c] = scale * 2.0 * s * t / (s + t)
        elif s + t == 0.0:
            out[c] = 0.0
        else:
            out[c] = scale * (0.5 * (s**p + t**p)) ** (1.0 / p)


@njit(cache=True, nogil=True, fastmath=True)
def _row_sums(t: Floats, first: int, last: int) -> tuple[float, float]:
    """Sum of a row and its first moment in the cell index."""
    total = moment = 0.0
    for c in range(first, last):
        total += t[c]
        moment += t[c] * c
    return total, moment


@njit(cache=True, nogil=True)
def reduce_thickness(
    grid_a: Singles, grid_b: Singles, reduced: Floats, box: Ints, m: Mesh, p: float, norm: float
) -> tuple[float, float, float]:
    """T_R inside ``box`` into ``reduced``; its sum and its centre of mass (column with margin, row)."""
    total = along_x = along_y = 0.0
    first, last = box[0] + m.margin, box[1] + m.margin + 1
    for row in range(box[2], box[3] + 1):
        if abs(p) < TINY:
            _geometric_row(grid_a[row], grid_b[row], reduced[row], first, last, norm)
        else:
            _mean_row(grid_a[row], grid_b[row], reduced[row], first, last, norm, p)
        line, moment = _row_sums(reduced[row], first, last)
        total += line
        along_x += moment
        along_y += line * row
    if total > 0.0:
        along_x /= total
        along_y /= total
    return total, along_x, along_y


@njit(cache=True, nogil=True, fastmath=True)
def _row_moments(
    t: Floats, first: int, last: int, cx: float, y2: float
) -> tuple[float, float, float, float, float, float, float, float]:
    """Of one row at height y: sums of t x^k, k = 0 ... 5, and of t r^3 and t r^5, x from the centre of mass."""
    s0 = s1 = s2 = s3 = s4 = s5 = r3 = r5 = 0.0
    for c in range(first, last):
        w = t[c] if t[c] >= TINY else 0.0
        x = c - cx
        rr = x * x + y2
        cube = w * rr * math.sqrt(rr)
        r3 += cube
        r5 += cube * rr
        s0 += w
        w *= x
        s1 += w
        w *= x
        s2 += w
        w *= x
        s3 += w
        w *= x
        s4 += w
        s5 += w * x
    return s0, s1, s2, s3, s4, s5, r3, r5


@njit(cache=True, nogil=True)
def moments(reduced: Floats, box: Ints, m: Mesh, cx: float, cy: float, out: Floats) -> None:
    """Moments of T_R about its centre of mass, in cells.

    ``out`` (16): real parts of sum T r^n e^{i n phi} for n = 2 ... 5, imaginary parts, weights sum T r^n, then
    sum T, sum T x^2, sum T y^2, sum T x y.
    """
    out[:] = 0.0
    for row in range(box[2], box[3] + 1):
        y = row - cy
        s0, s1, s2, s3, s4, s5, r3, r5 = _row_moments(reduced[row], box[0] + m.margin, box[1] + m.margin + 1, cx, y * y)
        y2 = y * y
        y3, y4 = y2 * y, y2 * y2
        out[0] += s2 - y2 * s0
        out[1] += s3 - 3 * y2 * s1
        out[2] += s4 - 6 * y2 * s2 + y4 * s0
        out[3] += s5 - 10 * y2 * s3 + 5 * y4 * s1
        out[4] += 2 * y * s1
        out[5] += 3 * y * s2 - y3 * s0
        out[6] += 4 * y * s3 - 4 * y3 * s1
        out[7] += 5 * y * s4 - 10 * y3 * s2 + y4 * y * s0
        out[8] += s2 + y2 * s0
        out[9] += r3
        out[10] += s4 + 2 * y2 * s2 + y4 * s0
        out[11] += r5
        out[12] += s0
        out[13] += s2
        out[14] += y2 * s0
        out[15] += y * s1
