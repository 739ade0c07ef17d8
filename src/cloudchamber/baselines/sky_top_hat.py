"""Blind top-hat scan: the most crowded disc of the sky, over all positions and radii.

As the Pierre Auger Observatory's blind search (arXiv:2206.13492), without energies.

``n(g, rho)`` is the number of cosmic rays within ``rho`` = 3, 6, ..., 30 degrees of the pixel centre ``g`` (HEALPix,
nside 16), ``M(rho)`` its maximum over the centres. The test statistic is the largest ``(M - mean) / sd`` over the
radii, mean and standard deviation of ``M`` from isotropic skies; its p-value, from isotropic skies as well, pays for
positions and radii.

Limits: counts are compared between positions as they are, so with an exposure that is not uniform the scan looks mostly
where the observatory looks most; the direction is a pixel centre, the first one where several discs are equally full.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.baselines.sky_autocorrelation import first_scales
from cloudchamber.baselines.sky_inputs import EnsembleSearch, Floats, pixel_blocks, pixel_centres
from cloudchamber.data.samples import Inputs, Prediction

RADII = np.arange(3.0, 31.0, 3.0)
"""Degrees."""
NSIDE = 16
BLOCKS_NSIDE = 4
"""Centres are passed over by blocks: the pixels of this nside."""


class TopHatScan(EnsembleSearch):
    """The most crowded disc against isotropy; see the module."""

    title = "top-hat scan, 3 to 30 degrees"
    file = "top_hat.npz"

    def statistic(self, sky: Floats) -> Floats:
        """Cosmic rays in the fullest disc of each of ``RADII``."""
        counts: Floats = counts_within_radii(sky).max(axis=0).astype(np.float64)
        return counts

    def predict(self, inputs: Inputs) -> Prediction:
        """Test statistic, fraction, direction (sky, 5).

        The fraction is the excess, over an isotropic sky seen uniformly, in the fullest disc of the radius with the
        largest deviation; it is too high where there is no source (the fullest disc is chosen) and too low where the
        source is wider than the disc.

        Raises:
            BadInput: not fitted, no skies, or another number of cosmic rays than in training.
        """
        skies = self.skies(inputs)
        mean = np.empty((len(skies), 5))
        expected = (1 - np.cos(np.deg2rad(RADII))) / 2
        for row, sky in enumerate(skies):
            counts = counts_within_radii(sky.astype(np.float64))
            deviation = self.deviation(counts.max(axis=0))
            radius = int(deviation.argmax())
            centre = int(counts[:, radius].argmax())
            excess = counts[centre, radius] / len(sky) - expected[radius]
            mean[row] = deviation[radius], max(excess, 0.0), *pixel_centres(NSIDE)[centre]
        return Prediction(mean)


def counts_within_radii(sky: Floats) -> NDArray[np.int64]:
    """Cosmic rays within each of ``RADII`` of each pixel centre, (pixel, radius); sky (cosmic_ray, 3 or more)."""
    cosines = np.cos(np.deg2rad(RADII))
    blocks, radii = pixel_blocks(NSIDE, BLOCKS_NSIDE)
    near = np.cos(np.deg2rad(RADII[-1]) + radii) - 1e-9
    directions = np.ascontiguousarray(sky[:, :3])
    counts = _counts(directions, pixel_centres(NSIDE), blocks, near, cosines, first_scales(cosines))
    return np.cumsum(counts, axis=1)


@njit(cache=True, nogil=True)
def _counts(
    directions: Floats, centres: Floats, blocks: Floats, near: Floats, cosines: Floats, first: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Cosmic rays (pixel, radius) within this radius and not within those before.

    Args:
        directions: (cosmic_ray, 3).
        centres: (pixel, 3), the pixels of a block next to each other.
        blocks: (block, 3) centres of blocks of pixels.
        near: (block,) a cosmic ray whose cosine to the block's centre is below this is in no disc of its pixels.
        cosines: (radius,) descending.
        first: see ``first_scales``.
    """
    counts = np.zeros((len(centres), len(cosines)), np.int64)
    size = len(centres) // len(blocks)
    last = cosines[-1]
    steps = (len(first) - 1) / (1 - last)
    for i in range(len(directions)):
        x, y, z = directions[i]
        for block in range(len(blocks)):
            if x * blocks[block, 0] + y * blocks[block, 1] + z * blocks[block, 2] < near[block]:
                continue
            for pixel in range(block * size, (block + 1) * size):
                product = x * centres[pixel, 0] + y * centres[pixel, 1] + z * centres[pixel, 2]
                if product > last:
                    scale = first[max(0, int((1 - product) * steps))]
                    while product <= cosines[scale]:
                        scale += 1
                    counts[pixel, scale] += 1
    return counts
