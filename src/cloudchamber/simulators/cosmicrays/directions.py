"""Unit vectors on the sphere: uniform and von Mises-Fisher draws, rotations, Galactic and equatorial coordinates.

Conventions: Galactic unit vectors, x to the Galactic centre, z to the north Galactic pole; equatorial ones (ICRS), x to
right ascension 0 and declination 0, z to the north celestial pole. The fixed rotation between them is the one of the
Hipparcos catalogue (ESA SP-1200, 1997, vol. 1, eq. 1.5.11), J2000.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

GALACTIC_TO_EQUATORIAL = np.array(
    [
        [-0.0548755604, 0.4941094279, -0.8676661490],
        [-0.8734370902, -0.4448296300, -0.1980763734],
        [-0.4838350155, 0.7469822445, 0.4559837762],
    ]
)
"""``equatorial = GALACTIC_TO_EQUATORIAL @ galactic``; its transpose is the way back."""

FLAT = 1e-6
"""Below this concentration the von Mises-Fisher distribution is drawn as uniform (they differ by a factor e^1e-6)."""

Vector = tuple[float, float, float]


def to_equatorial(galactic: NDArray[np.floating]) -> NDArray[np.float64]:
    """Equatorial unit vectors (..., 3) of Galactic ones (..., 3)."""
    turned: NDArray[np.float64] = np.asarray(galactic, np.float64) @ GALACTIC_TO_EQUATORIAL.T
    return turned


def to_galactic(equatorial: NDArray[np.floating]) -> NDArray[np.float64]:
    """Galactic unit vectors (..., 3) of equatorial ones (..., 3)."""
    turned: NDArray[np.float64] = np.asarray(equatorial, np.float64) @ GALACTIC_TO_EQUATORIAL
    return turned


def to_degrees(direction: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude in [0, 360) and latitude in [-90, 90] in degrees of vectors (..., 3) of any length but 0.

    Examples:
        >>> longitude, latitude = to_degrees(to_equatorial(np.array([1.0, 0.0, 0.0])))  # the Galactic centre
        >>> round(float(longitude), 1), round(float(latitude), 1)
        (266.4, -28.9)
    """
    x, y, z = np.moveaxis(np.asarray(direction, np.float64), -1, 0)
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))


@njit(cache=True, nogil=True)
def uniform(rng: np.random.Generator) -> Vector:
    """A unit vector, uniform on the sphere."""
    z = 2.0 * rng.random() - 1.0
    angle = 2.0 * math.pi * rng.random()
    s = math.sqrt(1.0 - z * z)
    return s * math.cos(angle), s * math.sin(angle), z


@njit(cache=True, nogil=True)
def shifted(x: float, y: float, z: float, cosine: float, sine: float, angle: float) -> Vector:
    """The direction at an arc (its cosine and sine) from (x, y, z), along the tangent direction ``angle`` [rad].

    The tangent directions are counted in the basis of T. Duff et al., J. Comput. Graph. Tech. 6 (2017) 1, which is
    continuous but at the sign change of z.
    """
    sign = math.copysign(1.0, z)
    a = -1.0 / (sign + z)
    b = x * y * a
    c, s = sine * math.cos(angle), sine * math.sin(angle)
    u = cosine * x + c * (1.0 + sign * x * x * a) + s * b
    v = cosine * y + c * sign * b + s * (sign + y * y * a)
    w = cosine * z - c * sign * x - s * y
    norm = 1.0 / math.sqrt(u * u + v * v + w * w)
    return u * norm, v * norm, w * norm


@njit(cache=True, nogil=True)
def von_mises_fisher(rng: np.random.Generator, x: float, y: float, z: float, concentration: float) -> Vector:
    """A direction with density proportional to exp(concentration cos(angle to (x, y, z))).

    Exact inversion (G. Ulrich, Appl. Statist. 33 (1984) 158, for the sphere): with u uniform,
    ``1 - cos = -ln(u + (1 - u) exp(-2 kappa)) / kappa``, kept as 1 - cos so that small angles keep all their digits.
    """
    if concentration < FLAT:
        return uniform(rng)
    u = 1.0 - rng.random()  # in (0, 1]
    t = -math.log(u + (1.0 - u) * math.exp(-2.0 * concentration)) / concentration
    t = min(max(t, 0.0), 2.0)
    return shifted(x, y, z, 1.0 - t, math.sqrt(t * (2.0 - t)), 2.0 * math.pi * rng.random())


@njit(cache=True, nogil=True)
def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """A rotation matrix (3, 3), uniform in the Haar measure: a random quaternion (K. Shoemake, Graphics Gems III)."""
    u, v, w = rng.random(), 2.0 * math.pi * rng.random(), 2.0 * math.pi * rng.random()
    a, b = math.sqrt(1.0 - u), math.sqrt(u)
    q0, q1, q2, q3 = b * math.cos(w), a * math.sin(v), a * math.cos(v), b * math.sin(w)
    return np.array(
        [
            [1 - 2 * (q2 * q2 + q3 * q3), 2 * (q1 * q2 - q0 * q3), 2 * (q1 * q3 + q0 * q2)],
            [2 * (q1 * q2 + q0 * q3), 1 - 2 * (q1 * q1 + q3 * q3), 2 * (q2 * q3 - q0 * q1)],
            [2 * (q1 * q3 - q0 * q2), 2 * (q2 * q3 + q0 * q1), 1 - 2 * (q1 * q1 + q2 * q2)],
        ]
    )


@njit(cache=True, nogil=True)
def random_turn(rng: np.random.Generator) -> NDArray[np.float64]:
    """A rotation matrix (3, 3) in Galactic coordinates, by a uniform angle about the celestial pole."""
    angle = 2.0 * math.pi * rng.random()
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    galactic: NDArray[np.float64] = GALACTIC_TO_EQUATORIAL.T.copy() @ turn @ GALACTIC_TO_EQUATORIAL
    return galactic
