"""The Galactic magnetic field as a lens: for each rigidity and pixel of the sky at Earth, the direction outside.

Liouville's theorem makes the directional flux constant along a track. So the flux that a source at ``g`` sends to a
pixel is the source's brightness in the pixel's direction outside, and the magnification of a source is the sum over
pixels of that brightness, relative to no field (Harari, Mollerach, Roulet, JHEP 08 (1999) 022 = astro-ph/9906309).

Conventions: HEALPix, nested; directions are Galactic unit vectors; rigidities in EV. A source is a von Mises-Fisher
distribution outside, of concentration 1/sigma^2 with sigma the square root of a pixel's solid angle (0.92 deg at
nside 64): narrower, it would fall between the pixels' directions. It ends at 4 sigma.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from astropy_healpix.core import healpix_to_xyz
from numba import njit
from numpy.typing import NDArray

from cloudchamber.schema import BadInput
from cloudchamber.simulators.cosmicrays.tracking import galactic_field, track

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LENS_VERSION = 1
"""Raised whenever the same arguments of ``make_lens`` give another lens: stored lenses are then made anew."""

CUT = 4.0
"""A source ends at this many of its widths."""


@dataclass(frozen=True)
class Lens:
    """Where cosmic rays come from.

    Attributes:
        field: name of the Galactic field.
        nside: of the HEALPix pixels, nested.
        rigidities: (bin,) [EV], ascending.
        outside: (bin, pixel, 3) float32: direction outside the Galaxy of an antiparticle that leaves Earth at the
            pixel's centre; (0, 0, 0) where it does not leave the Galaxy.
    """

    field: str
    nside: int
    rigidities: Floats
    outside: Singles


def default_rigidities(n: int = 20) -> Floats:
    """``n`` rigidities from 5 to 300 EV, equally spaced in the logarithm.

    They reach from below nitrogen (Z = 7, "CNO") of 40 EeV to protons of 300 EeV.
    """
    return np.geomspace(5.0, 300.0, n)


def check_lens(field: str, nside: int, rigidities: Floats) -> Floats:
    """The rigidities as an ascending array; BadInput if there is no such lens."""
    galactic_field(field)
    if not (1 <= nside <= 4096 and nside & (nside - 1) == 0):
        raise BadInput(f"nside {nside}: give a power of two from 1 to 4096")
    grid = np.asarray(rigidities, dtype=np.float64)
    good = grid.ndim == 1 and grid.size > 0 and bool(np.all(np.isfinite(grid)) and grid[0] > 0)
    if not (good and bool(np.all(np.diff(grid) > 0))):
        raise BadInput(f"rigidities {rigidities}: give ascending positive numbers in EV")
    return grid


def pixel_centres(nside: int) -> Floats:
    """Unit vectors (pixel, 3) of the centres of all nested pixels."""
    return np.stack(healpix_to_xyz(np.arange(12 * nside * nside), nside, order="nested"), axis=-1)


def make_lens(field: str, nside: int, rigidities: Floats, seed: int = 0) -> Lens:
    """Track an antiparticle from each pixel's centre at each rigidity.

    Args:
        field: a name of ``tracking.FIELDS``.
        nside: a power of two.
        rigidities: (bin,) [EV], ascending.
        seed: of the field's random parts.

    Raises:
        BadInput: unknown field, or nside or rigidities that cannot be.
    """
    grid = check_lens(field, nside, rigidities)
    centres = pixel_centres(nside)
    outside = np.empty((len(grid), len(centres), 3), np.float32)
    for bin_, rigidity in enumerate(grid):
        outside[bin_] = track(field, centres, float(rigidity), seed=seed)
    return Lens(field, nside, grid, outside)


@njit(cache=True, nogil=True)
def _candidates(outside: Singles, source: Singles, kappa: float, pixels: Ints, sums: Floats) -> tuple[int, float]:
    """Pixels whose direction outside lies within a source, and the running sums of their weights; number and total."""
    x, y, z = source[0], source[1], source[2]
    nearest = np.float32(math.cos(min(CUT / math.sqrt(kappa), math.pi)))
    n = 0
    for pixel in range(outside.shape[0]):
        cosine = outside[pixel, 0] * x + outside[pixel, 1] * y + outside[pixel, 2] * z
        if cosine > nearest and cosine != 0:  # exactly zero: trapped
            pixels[n] = pixel
            n += 1
    total = 0.0
    for m in range(n):
        # 1 - cos from the chord: float32 cosines have no digits left at the centre of a source
        dx, dy, dz = outside[pixels[m], 0] - x, outside[pixels[m], 1] - y, outside[pixels[m], 2] - z
        total += math.exp(-0.5 * kappa * (dx * dx + dy * dy + dz * dz))
        sums[m] = total
    return n, total


@njit(cache=True, nogil=True)
def _arrivals(
    outside: Singles, source: Singles, kappa: float, bins: Ints, draws: Floats, found: Ints, weights: Floats
) -> None:
    """For each cosmic ray a pixel of its bin, -1 if there is none; ``weights`` (bin,) the magnifications."""
    pixels, sums = np.empty(outside.shape[1], np.int64), np.empty(outside.shape[1])
    # solid angle of a pixel times the brightness at the centre of a source that ends at CUT
    norm = 4.0 * math.pi / outside.shape[1] * kappa / (2.0 * math.pi)
    norm /= 1.0 - math.exp(-kappa * (1.0 - math.cos(min(CUT / math.sqrt(kappa), math.pi))))
    for b in range(outside.shape[0]):
        n, total = _candidates(outside[b], source, kappa, pixels, sums)
        weights[b] = norm * total
        for i in range(len(bins)):
            if bins[i] == b:
                found[i] = pixels[np.searchsorted(sums[:n], draws[i] * total, side="right")] if n > 0 else -1


def lensed_arrivals(
    lens: Lens, source: Floats, rigidity: Floats, rng: np.random.Generator, largest: float | None = None
) -> tuple[Floats, Bools]:
    """Where cosmic rays of a source arrive at Earth.

    A cosmic ray belongs to one of the two bins next to its rigidity, by chance, linearly in log R; above the highest
    bin to the highest. Its pixel is drawn with the source's brightness in the pixel's direction outside, its place in
    the pixel uniformly.

    The source's magnification mu in a bin is the flux that arrives relative to no field; the average of mu over all
    source positions is 1 (Liouville), less what the trapped directions lack. A cosmic ray is seen with the probability
    min(1, mu / largest): the cosmic rays that are seen have the spectrum that arrives at Earth.

    Args:
        lens: of the Galactic field.
        source: (3,) unit vector.
        rigidity: (n,) [EV].
        rng: random numbers.
        largest: the magnification that is seen for certain. None: the largest of this source over the lens's bins,
            which is best for one source by itself. Where sources are compared, all need the same number; magnifications
            above it are cut.

    Returns:
        Directions at Earth (n, 3) and whether each is seen (n,). Where nothing of the source arrives, the direction is
        that of the source and ``seen`` is False.

    Raises:
        BadInput: a rigidity below the lens's lowest bin.
    """
    rigidity = np.asarray(rigidity, dtype=np.float64)
    grid = lens.rigidities
    if rigidity.size and not rigidity.min() >= grid[0] * (1 - 1e-6):  # also NaN
        raise BadInput(f"rigidity {rigidity.min():.4g} EV is below the lens's {grid[0]:.4g} EV: make one from below it")
    draws = rng.random((5, len(rigidity)))
    at = np.interp(np.log(rigidity), np.log(grid), np.arange(len(grid), dtype=np.float64))
    bins = (at + draws[0]).astype(np.int64)
    found, weights = np.empty(len(rigidity), np.int64), np.empty(len(grid))
    kappa = 12 * lens.nside**2 / (4 * math.pi)
    centre = np.asarray(source, np.float32)
    _arrivals(lens.outside, centre, kappa, bins, draws[1], found, weights)
    hit = found >= 0
    direction = np.tile(np.asarray(source, np.float64), (len(rigidity), 1))
    if hit.any():
        xyz = healpix_to_xyz(found[hit], lens.nside, draws[2, hit], draws[3, hit], order="nested")
        direction[hit] = np.stack(xyz, axis=-1)
    top = float(weights.max()) if largest is None else largest
    return direction, hit & (draws[4] * top < weights[bins])


def magnification(lens: Lens, source: Floats) -> Floats:
    """Flux (bin,) of a source (3,) at Earth relative to no field, as ``lensed_arrivals`` uses it."""
    weights = np.empty(len(lens.rigidities))
    none = np.empty(0, np.int64)
    kappa = 12 * lens.nside**2 / (4 * math.pi)
    _arrivals(lens.outside, np.asarray(source, np.float32), kappa, none, np.empty(0), none, weights)
    return weights
