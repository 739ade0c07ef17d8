"""Random Galactic fields: isotropic Kolmogorov turbulence in a periodic box, and signs of a striated field.

Turbulence: Gaussian modes with ``k^2 <|B_k|^2> ~ k^(-5/3)``, wave vector and field at right angles (Harari et al.,
JHEP 03 (2002) 045 = astro-ph/0202362, section 2). Striated field (arXiv:1210.7820): along the regular field, of random
sign, here constant on cubes of 100 pc.

Conventions: lengths in kpc. The box has unit rms, ``<|B|^2> = 1``; a model's local rms multiplies it. It repeats in all
directions. It is divergence-free; its product with a profile that varies over kiloparsecs is so only nearly.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import functools
import math

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray

from cloudchamber.simulators.heavyion.randomness import GOLDEN, mix

Singles = NDArray[np.float32]

CELLS = 128
"""Cells of the box per axis."""
SPACING = 0.010
"""Size of a cell [kpc]; the shortest wave is two cells."""
COHERENCE = 0.060
"""Coherence length of the turbulence [kpc], as is usual for JF12."""
STRIATION_CELL = 0.1
"""Edge of the cubes on which a striated field keeps its sign [kpc]."""

_CENTRE = 1 << 20  # makes cell numbers positive
_BITS = np.uint64(21)
_ONE = np.uint64(1)


def coherence_length(longest: float, shortest: float) -> float:
    """Coherence length of Kolmogorov turbulence between two wavelengths, as the lengths are (Harari et al., section 2).

    It is the integral of <B(0) B(x)> / <B^2> over x from minus to plus infinity.
    """
    ratio = shortest / longest
    return longest / 5.0 * (1.0 - math.pow(ratio, 5 / 3)) / (1.0 - math.pow(ratio, 2 / 3))


def longest_wave() -> float:
    """The longest wavelength for the coherence length [kpc], by bisection: 0.25 kpc for 60 pc and waves from 20 pc."""
    shortest = 2 * SPACING
    low, high = 1.001 * shortest, 5.0 * COHERENCE
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if coherence_length(middle, shortest) < COHERENCE else (low, middle)
    return 0.5 * (low + high)


@functools.lru_cache(maxsize=1)
def turbulent_box(seed: int) -> Singles:
    """A box of turbulence (CELLS, CELLS, CELLS, 3), float32, of unit rms at a random place between its points.

    Its modes depend on the seed.
    """
    rng = np.random.default_rng([seed, 0x7572B])
    waves = scipy.fft.fftfreq(CELLS, 1.0 / CELLS).astype(np.float32)
    k = [waves[:, None, None], waves[None, :, None], waves[None, None, : CELLS // 2 + 1].copy()]
    k[2] = np.abs(k[2])  # the half axis of the real transform
    k2 = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
    longest = longest_wave()
    lowest, highest = CELLS * SPACING / longest, 0.5 * CELLS  # in units of the box's wave number
    within = (k2 >= lowest**2) & (k2 < highest**2)
    amplitude = np.where(within, np.maximum(k2, 1.0) ** (-11.0 / 12.0), 0.0).astype(np.float32)
    modes = [
        scipy.fft.rfftn(rng.standard_normal((CELLS,) * 3, dtype=np.float32), workers=1) * amplitude for _ in range(3)
    ]
    along = sum(k[i] * modes[i] for i in range(3)) / np.maximum(k2, 1.0)
    transverse = [modes[i] - k[i] * along for i in range(3)]
    # Linear interpolation takes (1 - cos k a)/3 of a mode's mean square away per axis; the norm is after that.
    kept = np.ones((), np.float32)
    for axis in k:
        kept = kept * (2.0 + np.cos(2 * math.pi / CELLS * axis)) / 3.0
    twice = np.full(CELLS // 2 + 1, 2.0)  # modes that the half axis leaves out
    twice[0] = twice[-1] = 1.0
    square = sum(float(np.sum(np.abs(mode) ** 2 * kept * twice)) for mode in transverse) / CELLS**6
    box = np.stack([scipy.fft.irfftn(mode, s=(CELLS,) * 3, workers=1) for mode in transverse], axis=-1)
    return np.ascontiguousarray(box / math.sqrt(square), dtype=np.float32)


@njit(cache=True, nogil=True)
def between(box: Singles, x: float, y: float, z: float) -> tuple[float, float, float]:
    """The box's field at (x, y, z) [kpc], trilinear between its points, repeated periodically."""
    mask = box.shape[0] - 1
    px, py, pz = x / SPACING, y / SPACING, z / SPACING
    fx, fy, fz = math.floor(px), math.floor(py), math.floor(pz)
    i, j, k = int(fx) & mask, int(fy) & mask, int(fz) & mask
    ii, jj, kk = (i + 1) & mask, (j + 1) & mask, (k + 1) & mask
    u, v, w = px - fx, py - fy, pz - fz
    a, b, c, d = (1.0 - u) * (1.0 - v), (1.0 - u) * v, u * (1.0 - v), u * v
    near, far = 1.0 - w, w
    p, q, r, s = box[i, j], box[i, jj], box[ii, j], box[ii, jj]
    bx = near * (a * p[k, 0] + b * q[k, 0] + c * r[k, 0] + d * s[k, 0])
    bx += far * (a * p[kk, 0] + b * q[kk, 0] + c * r[kk, 0] + d * s[kk, 0])
    by = near * (a * p[k, 1] + b * q[k, 1] + c * r[k, 1] + d * s[k, 1])
    by += far * (a * p[kk, 1] + b * q[kk, 1] + c * r[kk, 1] + d * s[kk, 1])
    bz = near * (a * p[k, 2] + b * q[k, 2] + c * r[k, 2] + d * s[k, 2])
    bz += far * (a * p[kk, 2] + b * q[kk, 2] + c * r[kk, 2] + d * s[kk, 2])
    return bx, by, bz


@njit(cache=True, nogil=True)
def striation_sign(x: float, y: float, z: float, key: np.uint64) -> float:
    """+1 or -1: the sign of the striated field in the 100 pc cube of (x, y, z) [kpc], a hash of cube and key."""
    i = np.uint64(math.floor(x / STRIATION_CELL) + _CENTRE)
    j = np.uint64(math.floor(y / STRIATION_CELL) + _CENTRE)
    k = np.uint64(math.floor(z / STRIATION_CELL) + _CENTRE)
    cube = (((i << _BITS) | j) << _BITS) | k
    return 1.0 if mix(key + cube * GOLDEN) & _ONE else -1.0
