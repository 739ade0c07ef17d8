"""How far is a direction from the true one? Angles on the sphere in degrees, from unit vectors (x, y, z)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cloudchamber.metrics.measured import Measured, Values, bootstrap


def angular_distance(true: Values, said: Values) -> NDArray[np.float64]:
    """Angle in degrees between vectors of any length, exact for small and large angles; nan where a vector is nan or 0.

    Args:
        true: (n, 3).
        said: (n, 3).

    Examples:
        >>> angular_distance(np.array([[1.0, 0, 0]]), np.array([[0, 0, 2.0]])).tolist()
        [90.0]
    """
    first, second = np.asarray(true, dtype=np.float64), np.asarray(said, dtype=np.float64)
    across = np.linalg.norm(np.cross(first, second), axis=-1)
    along = (first * second).sum(axis=-1)
    angle = np.degrees(np.arctan2(across, along))
    return np.where((across == 0) & (along == 0), np.nan, angle)


def median_distance(true: Values, said: Values, rng: np.random.Generator) -> Measured:
    """Median angle in degrees over the records that have a direction, with the bootstrap's error; n counts them.

    Args:
        true: (n, 3).
        said: (n, 3); rows with nan are left out.
        rng: source of the bootstrap.
    """
    angles = angular_distance(true, said)
    angles = angles[np.isfinite(angles)]
    return bootstrap(lambda _, angle: float(np.median(angle)), np.zeros_like(angles), angles, rng)
