"""The relative exposure of an observatory that sees the sky up to a maximum zenith angle, with full efficiency.

Source: P. Sommers, Astropart. Phys. 14 (2001) 271, astro-ph/0004016, eqs. 1 and 2: at declination delta, for latitude
a0 and maximum zenith angle theta_m, ``omega = cos a0 cos delta sin alpha_m + alpha_m sin a0 sin delta`` with
``alpha_m = arccos xi`` (0 for xi > 1, pi for xi < -1), ``xi = (cos theta_m - sin a0 sin delta) / (cos a0 cos delta)``:
uniform in right ascension. Directions are Galactic unit vectors.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.schema import BadInput, did_you_mean

from .directions import GALACTIC_TO_EQUATORIAL, Vector, uniform

OBSERVATORIES = {"auger": (-35.2, 80.0), "telescope-array": (39.3, 55.0)}
"""Latitude and maximum zenith angle [degrees]."""
FULL = "full"
"""The whole sky, uniformly."""


class View(NamedTuple):
    """What compiled code needs of an exposure.

    Attributes:
        uniform: the whole sky alike; the rest is then unused.
        sin_latitude, cos_latitude, cos_zenith: of the observatory.
        lowest, highest: sine of the declinations between which anything is seen.
        maximum: at least the largest omega, and above it by less than 1e-3.
        mean: omega averaged over the sphere.
    """

    uniform: bool
    sin_latitude: float
    cos_latitude: float
    cos_zenith: float
    lowest: float
    highest: float
    maximum: float
    mean: float


@njit(cache=True, nogil=True)
def omega(view: View, sin_declination: float) -> float:
    """Sommers' omega (not normalised); 1 for the whole sky."""
    if view.uniform:
        return 1.0
    s = view.sin_latitude * sin_declination
    c = view.cos_latitude * math.sqrt(max(0.0, 1.0 - sin_declination * sin_declination))
    rest = view.cos_zenith - s
    if rest > c:
        return 0.0
    hour = math.pi if rest <= -c else math.acos(rest / c)
    return c * math.sin(hour) + hour * s


@lru_cache(maxsize=64)
def view_of(exposure: str) -> View:
    """The exposure by its name: "full", "auger" or "telescope-array".

    Raises:
        BadInput: unknown name.
    """
    if exposure == FULL:
        return View(True, 0.0, 1.0, -1.0, -1.0, 1.0, 1.0, 1.0)
    if exposure not in OBSERVATORIES:
        raise BadInput(f"unknown exposure {exposure!r}{did_you_mean(exposure, [FULL, *OBSERVATORIES])}", status=2)
    latitude, zenith = (math.radians(angle) for angle in OBSERVATORIES[exposure])
    lowest = math.sin(max(-math.pi / 2, latitude - zenith))
    highest = math.sin(min(math.pi / 2, latitude + zenith))
    view = View(False, math.sin(latitude), math.cos(latitude), math.cos(zenith), lowest, highest, 1.0, 1.0)
    edges = np.linspace(lowest, highest, 20_001)
    values = np.array([omega(view, sine) for sine in (edges[1:] + edges[:-1]) / 2])
    return view._replace(maximum=values.max() * 1.0005, mean=values.mean() * (highest - lowest) / 2)


@njit(cache=True, nogil=True)
def accepted(rng: np.random.Generator, view: View, x: float, y: float, z: float) -> bool:
    """Whether a cosmic ray from a Galactic direction is seen, with a probability proportional to the exposure there."""
    if view.uniform:
        return True
    matrix = GALACTIC_TO_EQUATORIAL
    sine = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z
    return bool(rng.random() * view.maximum < omega(view, min(1.0, max(-1.0, sine))))


@njit(cache=True, nogil=True)
def isotropic(rng: np.random.Generator, view: View) -> Vector:
    """A Galactic direction of the isotropic sky as seen with the exposure."""
    if view.uniform:
        return uniform(rng)
    while True:
        sine = view.lowest + (view.highest - view.lowest) * rng.random()
        if rng.random() * view.maximum < omega(view, sine):
            break
    angle = 2.0 * math.pi * rng.random()
    c = math.sqrt(max(0.0, 1.0 - sine * sine))
    a, b = c * math.cos(angle), c * math.sin(angle)
    m = GALACTIC_TO_EQUATORIAL
    return (
        m[0, 0] * a + m[1, 0] * b + m[2, 0] * sine,
        m[0, 1] * a + m[1, 1] * b + m[2, 1] * sine,
        m[0, 2] * a + m[1, 2] * b + m[2, 2] * sine,
    )


@njit(cache=True, nogil=True)
def _isotropic(rng: np.random.Generator, view: View, n: int) -> NDArray[np.float64]:
    directions = np.empty((n, 3))
    for i in range(n):
        directions[i] = isotropic(rng, view)
    return directions


def isotropic_directions(rng: np.random.Generator, n: int, exposure: str = FULL) -> NDArray[np.float64]:
    """``n`` Galactic unit vectors (n, 3) of the isotropic sky as seen with the exposure.

    Raises:
        BadInput: unknown exposure.
    """
    directions: NDArray[np.float64] = _isotropic(rng, view_of(exposure), n)
    return directions


@njit(cache=True, nogil=True)
def _relative(view: View, sines: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.empty(len(sines))
    for i in range(len(sines)):
        values[i] = omega(view, min(1.0, max(-1.0, sines[i]))) / view.mean
    return values


def relative_exposure(direction: NDArray[np.floating], exposure: str = FULL) -> NDArray[np.float64]:
    """The exposure of Galactic unit vectors (..., 3), shape (...), relative to its mean over the whole sphere.

    Raises:
        BadInput: unknown exposure.
    """
    direction = np.asarray(direction, np.float64)
    sines = direction @ GALACTIC_TO_EQUATORIAL[2]
    values: NDArray[np.float64] = _relative(view_of(exposure), sines.ravel())
    return values.reshape(sines.shape)
