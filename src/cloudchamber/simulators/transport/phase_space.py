"""Decays in flight: two bodies exactly, and n bodies by the microcanonical ensemble, closed relativistically.

The kinetic energy T of n bodies is shared out in Jacobi coordinates, whose n - 1 relative motions are alike: their
energies are ``T x_k / sum x`` with x_k from a Gamma distribution of shape 3/2. This is the ensemble of density d3p per
body (the one that Fermi break-up counts; Kopylov's way to share energy, Principles of resonance kinematics (1970), is
the same), without corrections of order T / M to its weights. Momenta then follow from a chain of two-body decays with
relativistic kinematics, so that energy and momentum close to rounding. For two bodies this is exact.

Conventions: MeV, MeV/c; a body is its mass and its momentum; all directions are uniform in the frame of what decays.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Vector = tuple[float, float, float]


@njit(cache=True, nogil=True)
def relative_momentum(first: float, second: float, kinetic: float) -> float:
    """Momentum [MeV/c] of two bodies in their rest frame, stable for small kinetic energies.

    Args:
        first: mass of one body [MeV].
        second: mass of the other [MeV].
        kinetic: their kinetic energy together [MeV].

    Returns:
        The momentum of each.
    """
    total = first + second
    mass = total + kinetic
    return math.sqrt(kinetic * (kinetic + 2 * first) * (kinetic + 2 * second) * (kinetic + 2 * total)) / (2 * mass)


@njit(cache=True, nogil=True)
def decayed(mass: float, moving: Vector, emitted: float, size: float, rng: np.random.Generator) -> Vector:
    """Momentum of one product of a two-body decay in flight.

    Args:
        mass: of what decays [MeV].
        moving: its momentum [MeV/c].
        emitted: mass of the product [MeV].
        size: momentum of the product in the rest frame [MeV/c].
        rng: random numbers.

    Returns:
        Its momentum [MeV/c] where ``moving`` was given; the other product has the rest.
    """
    z = size * (2.0 * rng.random() - 1.0)
    across, angle = math.sqrt(max(size * size - z * z, 0.0)), 2.0 * math.pi * rng.random()
    x, y = across * math.cos(angle), across * math.sin(angle)
    ux, uy, uz = moving[0] / mass, moving[1] / mass, moving[2] / mass  # gamma beta
    gamma = math.sqrt(1.0 + ux * ux + uy * uy + uz * uz)
    factor = (ux * x + uy * y + uz * z) / (gamma + 1.0) + math.sqrt(emitted * emitted + size * size)
    return x + ux * factor, y + uy * factor, z + uz * factor


@njit(cache=True, nogil=True)
def gamma_three_halves(rng: np.random.Generator) -> float:
    """A number from the Gamma distribution of shape 3/2: an exponential and half the square of a normal one.

    Args:
        rng: random numbers.

    Returns:
        The number.
    """
    normal = rng.standard_normal()
    return -math.log(1.0 - rng.random()) + 0.5 * normal * normal


@njit(cache=True, nogil=True)
def fly_apart(
    masses: Floats, n: int, kinetic: float, moving: Vector, momentum: Floats, rng: np.random.Generator
) -> None:
    """Momenta of n bodies into which something falls apart in flight.

    Args:
        masses: of the bodies [MeV]; the first n count.
        n: how many bodies.
        kinetic: their kinetic energy in the frame of what falls apart [MeV].
        moving: momentum of what falls apart [MeV/c].
        momentum: result (n or more, 3) [MeV/c].
        rng: random numbers.
    """
    for k in range(1, n):
        momentum[k, 0] = gamma_three_halves(rng)  # kept here until the momentum replaces it
    total, rest = 0.0, masses[0]
    for k in range(1, n):
        total += momentum[k, 0]
        rest += masses[k]
    unit = kinetic / total if n > 1 else 0.0
    inside = kinetic  # kinetic energy inside the bodies 0 ... k
    for k in range(n - 1, 0, -1):
        mass = rest + inside
        here = momentum[k, 0] * unit
        rest -= masses[k]
        inside = max(inside - here, 0.0) if k > 1 else 0.0
        size = relative_momentum(rest + inside, masses[k], here)
        x, y, z = decayed(mass, moving, masses[k], size, rng)
        momentum[k, 0], momentum[k, 1], momentum[k, 2] = x, y, z
        moving = (moving[0] - x, moving[1] - y, moving[2] - z)
    momentum[0, 0], momentum[0, 1], momentum[0, 2] = moving


@njit(cache=True, nogil=True)
def put(rows: Floats, at: int, A: int, Z: int, mass: float, momentum: Vector) -> int:
    """Write down a product.

    Args:
        rows: result: A, Z, momentum, energy (row, 6).
        at: the row to fill.
        A: mass number, 0 for a photon.
        Z: charge number.
        mass: [MeV].
        momentum: [MeV/c].

    Returns:
        The next row.
    """
    x, y, z = momentum
    rows[at, 0], rows[at, 1], rows[at, 2], rows[at, 3], rows[at, 4] = A, Z, x, y, z
    rows[at, 5] = math.sqrt(mass * mass + x * x + y * y + z * z)
    return at + 1
