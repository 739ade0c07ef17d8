"""Maps of cosmic rays on nested HEALPix pixels (Gorski et al., astro-ph/0409513, section 4.1)."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from cloudchamber.layers.healpix_graph import checked_nside
from cloudchamber.schema import BadInput

UNIT = 40.0  # EeV, unit of the energy sums


@numba.njit(cache=True)
def _spread(bits: int) -> int:
    """The bits of a number below 2^16, moved to the even places."""
    bits = (bits | (bits << 8)) & 0x00FF00FF
    bits = (bits | (bits << 4)) & 0x0F0F0F0F
    bits = (bits | (bits << 2)) & 0x33333333
    return (bits | (bits << 1)) & 0x55555555


@numba.njit(cache=True)
def _pixel(nside: int, x: float, y: float, z: float) -> int:
    """Nested pixel of a direction: the face and the two coordinates on it, whose bits are interleaved."""
    norm = np.sqrt(x * x + y * y + z * z)
    z /= norm
    quarter = (np.arctan2(y, x) / (0.5 * np.pi)) % 4.0  # longitude in quarter turns
    if abs(z) <= 2.0 / 3.0:  # equatorial belt: lines of constant up and down are diagonals in (longitude, z)
        up = int(nside * (0.5 + quarter - 0.75 * z))
        down = int(nside * (0.5 + quarter + 0.75 * z))
        above, below = up // nside, down // nside
        if above == below:
            face = (above & 3) + 4
        elif above < below:
            face = above & 3
        else:
            face = (below & 3) + 8
        i, j = down % nside, nside - 1 - up % nside
    else:
        column = min(3, int(quarter))
        along = quarter - column
        # 1 - |z| from x and y: near the poles the difference would lose its digits
        scale = nside * np.sqrt(3.0 * (x * x + y * y) / (norm * norm) / (1.0 + abs(z)))
        right, left = min(nside - 1, int(along * scale)), min(nside - 1, int((1.0 - along) * scale))
        if z > 0:
            face, i, j = column, nside - 1 - left, nside - 1 - right
        else:
            face, i, j = column + 8, right, left
    return face * nside * nside + _spread(i) + 2 * _spread(j)


@numba.njit(cache=True)
def _pixels(nside: int, directions: NDArray[np.float64], pixels: NDArray[np.int64]) -> None:
    for n in range(len(directions)):
        pixels[n] = _pixel(nside, directions[n, 0], directions[n, 1], directions[n, 2])


@numba.njit(cache=True)
def _fill(nside: int, cosmic_rays: NDArray[np.float32], maps: NDArray[np.float32], unit: float) -> None:
    for sample in range(cosmic_rays.shape[0]):
        for n in range(cosmic_rays.shape[1]):
            x, y, z, energy = cosmic_rays[sample, n]
            pixel = _pixel(nside, float(x), float(y), float(z))
            maps[sample, 0, pixel] += 1
            maps[sample, 1, pixel] += energy / unit


def nested_pixels(nside: int, directions: NDArray[np.floating]) -> NDArray[np.int64]:
    """Nested pixels (n,) of directions (n, 3) of any length but 0."""
    pixels = np.empty(len(directions), np.int64)
    _pixels(checked_nside(nside), np.ascontiguousarray(directions, np.float64), pixels)
    return pixels


def sky_maps(cosmic_rays: NDArray[np.float32], nside: int) -> NDArray[np.float32]:
    """Number and energy of the cosmic rays in each pixel.

    Args:
        cosmic_rays: (sample, cosmic_ray, 4): direction x, y, z and energy in EeV.
        nside: of the HEALPix grid, a power of two, at most 32768.

    Returns:
        (sample, 2, pixel) float32, nested: numbers, and sums of energies in units of 40 EeV.

    Raises:
        BadInput: wrong shape, not finite, a direction of length 0.
    """
    if cosmic_rays.ndim != 3 or cosmic_rays.shape[2] != 4:
        raise BadInput(f"cosmic rays have shape {cosmic_rays.shape}: (sample, cosmic_ray, 4) with x, y, z, E is needed")
    if not np.isfinite(cosmic_rays).all() or not cosmic_rays[..., :3].any(axis=2).all():
        raise BadInput("a cosmic ray has a direction of length 0 or a number that is not finite: leave it out")
    maps = np.zeros((len(cosmic_rays), 2, 12 * checked_nside(nside) ** 2), np.float32)
    _fill(nside, np.ascontiguousarray(cosmic_rays, np.float32), maps, UNIT)
    return maps
