# mypy: disable-error-code="untyped-decorator"
"""The step of a least-squares or likelihood fit: Newton's, damped as by Levenberg and Marquardt.

D. W. Marquardt, J. Soc. Indust. Appl. Math. 11 (1963) 431: the curvature, with its diagonal scaled to 1, plus damping.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@njit(cache=True, nogil=True)
def damped_step(matrix: Floats, right: Floats, first: int, damping: float) -> Floats:
    """The step (parameter,) in the parameters from ``first`` on; those before stay. Never singular.

    Args:
        matrix: curvature (parameter, parameter).
        right: downhill gradient (parameter,).
        first: of the free parameters.
        damping: relative to the diagonal; 0 for the plain step.
    """
    size = len(right)
    scale = np.empty(size)
    for i in range(size):
        scale[i] = math.sqrt(max(matrix[i, i], 1e-30))
    scaled = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            scaled[i, j] = matrix[i, j] / scale[i] / scale[j]
        scaled[i, i] += damping + 1e-9
    step = np.zeros(size)
    step[first:] = np.linalg.solve(scaled[first:, first:], (right / scale)[first:]) / scale[first:]
    return step
