"""Autocorrelation of arrival directions: more pairs at small angles than isotropy has.

Paper: Finley and Westerhoff, Astropart. Phys. 21 (2004) 359, astro-ph/0309159; here over angles only, all energies.
``n(alpha)`` is the number of pairs closer than ``alpha`` = 1, 2, ..., 30 degrees. The test statistic is the largest
``(n - mean) / sd`` over the angles, mean and standard deviation from isotropic skies; the p-value of that maximum, from
isotropic skies as well, pays for the choice of the angle. It needs no model of the source, and says nothing of where
the source is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.baselines.sky_inputs import EnsembleSearch, Floats
from cloudchamber.data.samples import Inputs, Prediction

ANGLES = np.arange(1.0, 31.0)
"""Degrees."""


class Autocorrelation(EnsembleSearch):
    """Largest excess of close pairs over isotropy; see the module."""

    title = "autocorrelation, 1 to 30 degrees"
    file = "autocorrelation.npz"

    def statistic(self, sky: Floats) -> Floats:
        """Number of pairs within each of ``ANGLES``."""
        return pairs_within_angles(sky)

    def predict(self, inputs: Inputs) -> Prediction:
        """Test statistic, then nan for fraction and direction, (sky, 5).

        Raises:
            BadInput: not fitted, no skies, or another number of cosmic rays than in training.
        """
        skies = self.skies(inputs)
        mean: NDArray[Any] = np.full((len(skies), 5), np.nan)
        for row, sky in enumerate(skies):
            mean[row, 0] = self.deviation(self.statistic(sky.astype(np.float64))).max()
        return Prediction(mean)


def pairs_within_angles(sky: Floats, angles: Floats = ANGLES) -> Floats:
    """Number of pairs of cosmic rays closer than each angle.

    Args:
        sky: (cosmic_ray, 3 or more), unit vectors first.
        angles: (scale,) degrees, ascending, up to 180.

    Returns:
        (scale,).

    Examples:
        >>> sky = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0.0]])
        >>> pairs_within_angles(sky, np.array([1.0, 90.1, 179.0])).tolist()  # 0, 90, 90, 180, 180 and 90 degrees
        [1.0, 4.0, 4.0]
    """
    cosines = np.cos(np.deg2rad(angles))
    return np.cumsum(_pairs(np.ascontiguousarray(sky[:, :3].T), cosines, first_scales(cosines))).astype(np.float64)


def first_scales(cosines: Floats) -> NDArray[np.int64]:
    """Where to start looking for the scale of a cosine (step,).

    For each of equal steps in 1 - cosine, from 0 to the widest scale, the first scale that the step can belong to.

    Args:
        cosines: of the scales (scale,), descending.
    """
    steps = np.linspace(0, 1 - cosines[-1], 1025)
    return np.searchsorted(1 - cosines, steps * (1 - 1e-12) - 1e-15, side="left").astype(np.int64)


@njit(cache=True, nogil=True)
def _pairs(directions: Floats, cosines: Floats, first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pairs (scale,) whose cosine is above ``cosines`` of this scale and not above those before."""
    x, y, z = directions
    number = len(x)
    counts = np.zeros(len(cosines), np.int64)
    last = cosines[-1]
    steps = (len(first) - 1) / (1 - last)
    products = np.empty(number)
    for i in range(number - 1):
        for j in range(i + 1, number):  # no branch: the compiler makes vector instructions of it
            products[j] = x[i] * x[j] + y[i] * y[j] + z[i] * z[j]
        for j in range(i + 1, number):
            if products[j] > last:
                scale = first[max(0, int((1 - products[j]) * steps))]
                while products[j] <= cosines[scale]:
                    scale += 1
                counts[scale] += 1
    return counts
