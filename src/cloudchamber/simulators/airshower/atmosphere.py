# mypy: disable-error-code="untyped-decorator, no-untyped-call"
"""How much air lies above a height: the US standard atmosphere in the five layers of CORSIKA.

J. Linsley's parametrisation with the coefficients of B. Keilhauer (atmosphere 17 of CORSIKA, Heck et al., FZKA 6019):
``X(h) = a + b exp(-h / c)`` in four layers, linear in the fifth. Heights in m above the sea, vertical depths X in
g/cm2; the slant depth of a shower is ``X / cos(zenith)`` (flat earth, good to 60 degrees).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, vectorize

BOUNDARIES = np.array([0.0, 7e3, 11.4e3, 37e3, 100e3])
"""Lower ends of the layers [m]."""
A = np.array([-149.801663, -57.932486, 0.63631894, 4.3545369e-4, 0.01128292])
B = np.array([1183.6071, 1143.0425, 1322.9748, 655.67307, 1.0])
C = np.array([9542.4834, 8000.0534, 6295.6893, 7375.2177, 1e7])
TOP = 112.8292e3
"""Height [m] above which there is no air."""


@njit(cache=True, nogil=True)
def depth_above(height: float) -> float:
    """Vertical depth [g/cm2] above a height [m]."""
    if height >= TOP:
        return 0.0
    if height >= BOUNDARIES[4]:
        return float(A[4] - B[4] * height / C[4])
    layer = 3
    while layer > 0 and height < BOUNDARIES[layer]:
        layer -= 1
    return float(A[layer] + B[layer] * math.exp(-height / C[layer]))


@njit(cache=True, nogil=True)
def height_of(depth: float) -> float:
    """Height [m] above which there is so much air [g/cm2]; below the sea (negative) for more than there is above it."""
    if depth <= 0.0:
        return TOP
    for layer in range(4):
        if layer == 3 or depth > A[layer + 1] + B[layer + 1] * math.exp(-BOUNDARIES[layer + 1] / C[layer + 1]):
            break
    if layer == 3 and depth < A[4] - B[4] * BOUNDARIES[4] / C[4]:
        return float((A[4] - depth) * C[4] / B[4])
    return float(-C[layer] * math.log((depth - A[layer]) / B[layer]))


@vectorize(cache=True)
def vertical_depth(height):  # type: ignore[no-untyped-def]
    """``depth_above`` of an array of heights [m]."""
    return depth_above(height)


@vectorize(cache=True)
def height(depth):  # type: ignore[no-untyped-def]
    """``height_of`` of an array of vertical depths [g/cm2]."""
    return height_of(depth)
