"""What a physicist would measure of a nuclear shape: moments of (v2, dN/dY) in bins of centrality.

The features of the statistical learners (ridge, boosted trees) beside the network of arXiv:1906.06429.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.nuclei import PIXELS
from cloudchamber.data.samples import Inputs

CENTRALITY_EDGES = (0.0, 0.04, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Bins, as fractions of the events of an image counted from the highest multiplicity."""


def centrality_moments(inputs: Inputs, channels: tuple[int, ...]) -> NDArray[np.float64]:
    """Moments of v2 and dN/dY in bins of centrality.

    In each bin: mean, standard deviation, skewness of v2 and mean of v2^2; mean and standard deviation of dN/dY; the
    covariance of both; with the size channel also the mean of the [pT] fluctuation and its covariance with v2 and v2^2.

    Args:
        inputs: images (sample, channel, v2_bin, multiplicity_bin).
        channels: (0,) for the image alone, (0, 1) with the size channel.

    Returns:
        (sample, feature).
    """
    density = inputs[:, 0].astype(np.float64)
    axis = (np.arange(PIXELS) + 0.5) / PIXELS
    v2, multiplicity = axis[:, None], axis[None, :]
    per_column = density.sum(1)
    above = per_column[:, ::-1].cumsum(1)[:, ::-1] / per_column.sum(1, keepdims=True)  # fraction at or above a column
    below_edge = above - per_column / per_column.sum(1, keepdims=True)
    fluctuation = inputs[:, 1].astype(np.float64) * np.sqrt(density)  # back to the sum over the pixel's events
    features = []
    for low, high in pairwise(CENTRALITY_EDGES):
        # the part of each column's events that lies in this bin of centrality
        part = np.clip(np.minimum(above, high) - np.maximum(below_edge, low), 0, None) / np.maximum(
            above - below_edge, 1e-12
        )
        weight = density * part[:, None, :]
        norm = weight.sum((1, 2))

        def mean(values: NDArray[np.float64], weight: NDArray[np.float64] = weight) -> NDArray[np.float64]:
            found: NDArray[np.float64] = (weight * values).sum((1, 2)) / norm  # noqa: B023
            return found

        v2_mean, v2_square, s_mean = mean(v2), mean(v2**2), mean(multiplicity)
        v2_sd = np.sqrt(np.maximum(v2_square - v2_mean**2, 1e-12))
        v2_skewness = (mean(v2**3) - 3 * v2_mean * v2_square + 2 * v2_mean**3) / v2_sd**3
        s_sd = np.sqrt(np.maximum(mean(multiplicity**2) - s_mean**2, 1e-12))
        features += [v2_mean, v2_sd, v2_skewness, v2_square, s_mean, s_sd, mean(v2 * multiplicity) - v2_mean * s_mean]
        if 1 in channels:
            sums = fluctuation * part[:, None, :]
            pt = sums.sum((1, 2)) / norm
            features += [
                pt,
                (sums * v2).sum((1, 2)) / norm - pt * v2_mean,
                (sums * v2**2).sum((1, 2)) / norm - pt * v2_square,
            ]
    return np.stack(features, axis=1)
