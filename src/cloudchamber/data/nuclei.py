"""Collisions of one nuclear shape as an image: how many events, and of which size, at each (v2, dN/dY).

Paper: L.-G. Pang, K. Zhou, X.-N. Wang, arXiv:1906.06429; the second channel after arXiv:2105.05713.

Conventions: image axes are (channel, v2_bin, multiplicity_bin), origin at the lower left; a pixel holds
(count / events) * pixels, so that an image of any number of events has mean 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import Inputs
from cloudchamber.schema import Array, Arrays, BadInput

PIXELS = 56
"""Bins of each axis of the image (arXiv:1906.06429)."""
LEAST_EVENTS = 100
"""Fewer events make no image."""
MEAN_PT_SPREAD = 0.05
"""Typical standard deviation of the [pT] fluctuation at fixed multiplicity: the unit of the second channel."""

SHAPE_SCHEMA = {
    "beta2": Array("shape", "", "quadrupole deformation of the Woods-Saxon surface", low=-0.6, high=0.6),
    "beta4": Array("shape", "", "hexadecapole deformation of the Woods-Saxon surface", low=-0.3, high=0.3),
    "multiplicity": Array("shape event", "", "dN/dY over its mean in the shape's own most central 1 %", low=0, high=5),
    "v2": Array("shape event", "", "elliptic flow", low=0, high=1),
    "mean_pt": Array(
        "shape event", "", "[pT] proxy 1/sqrt(area) over its mean in the most central 1 %", low=0, high=10
    ),
}
"""Columns of a data set of shapes."""


def mean_pt_fluctuation(multiplicity: NDArray[np.float32], mean_pt: NDArray[np.float32]) -> NDArray[np.float32]:
    """[pT] of each event over its shape's quadratic trend with multiplicity, minus one; both (shape, event)."""
    powers = multiplicity[..., None].astype(np.float64) ** np.arange(3)  # (shape, event, 3)
    if multiplicity.shape[1] < LEAST_EVENTS:
        raise BadInput(f"{multiplicity.shape[1]} events a shape: an image needs at least {LEAST_EVENTS}")
    transposed = powers.transpose(0, 2, 1)
    coefficients = np.linalg.pinv(transposed @ powers) @ (transposed @ mean_pt[..., None].astype(np.float64))
    return (mean_pt / (powers @ coefficients)[..., 0] - 1).astype(np.float32)


def images(
    records: Arrays,
    *,
    v2_max: float,
    multiplicity_max: float,
    fraction: float = 1.0,
    rng: np.random.Generator | None = None,
) -> Inputs:
    """The two-channel images of shapes; with ``rng`` of a random part of their events.

    Channel 0: density of events, mean 1. Channel 1: sum over the pixel's events of the [pT] fluctuation in units of
    its spread, over the root of the pixel's count: a significance, scaled to one event a pixel on average.

    Args:
        records: multiplicity, v2 and mean_pt, each (shape, event).
        v2_max: upper edge of the axis of v2.
        multiplicity_max: upper edge of the axis of dN/dY.
        fraction: part of the events that is drawn with ``rng``.
        rng: source of the drawing. None: all events.

    Returns:
        float32 (shape, 2, v2_bin, multiplicity_bin).

    Raises:
        BadInput: fewer than LEAST_EVENTS events a shape.
    """
    multiplicity, v2 = records["multiplicity"], records["v2"]
    fluctuation = mean_pt_fluctuation(multiplicity, records["mean_pt"]) / MEAN_PT_SPREAD
    column = np.clip(multiplicity * (PIXELS / multiplicity_max), 0, PIXELS - 1).astype(np.int64)
    row = np.clip(v2 * (PIXELS / v2_max), 0, PIXELS - 1).astype(np.int64)
    shape_number = np.arange(len(v2))[:, None]
    pixel = (shape_number * PIXELS + row) * PIXELS + column
    used = np.ones(v2.shape, bool) if rng is None else rng.random(v2.shape, np.float32) < fraction
    bins = len(v2) * PIXELS**2
    count = np.bincount(pixel[used], minlength=bins).reshape(len(v2), -1)
    total = np.bincount(pixel[used], fluctuation[used], bins).reshape(len(v2), -1)
    per_pixel = count.sum(1, keepdims=True) / PIXELS**2
    density = count / per_pixel
    significance = total / np.sqrt(np.maximum(count, 1) * per_pixel)
    return np.stack([density, significance], axis=1).reshape(-1, 2, PIXELS, PIXELS).astype(np.float32)
