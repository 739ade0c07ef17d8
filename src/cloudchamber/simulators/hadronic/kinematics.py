"""Frames, and the projection that puts a final state on the four-momentum that it must have.

A generator learns in the rest frame of projectile and nucleus together, the projectile along z: directions and boosts
are physics and not learned. There a final state of masses m_i with momenta that do not add up is moved onto the mass
shell of the whole, "rapidity-affine": with n particles, transverse masses mT and rapidities y::

    px_i <- px_i - mean(px),   py_i likewise,   y_i <- a y_i + b,
    S+(a) S-(a) = s   with   S+-(a) = sum_i mT_i exp(+-a y_i),      e^{2b} = S-(a) / S+(a),

which has one solution a > 0 whenever sum mT_i < sqrt(s) and not all rapidities are equal: S+ S- grows with a, from
(sum mT)^2. a = 1 and b = 0 leave an exact final state as it is, so ``|a - 1|`` says how much the projection had to do.

Conventions: GeV, (E, px, py, pz); particles are rows, events are cut by offsets as in ``events``.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEPS = 200
"""Halvings of the interval for a: more than double precision has."""


def turns(direction: Floats) -> Floats:
    """Rotations (event, 3, 3) that turn z into each unit vector of ``direction`` (event, 3)."""
    x, y, z = direction.T
    across = np.hypot(x, y)
    along = across > 0
    length = np.where(along, across, 1.0)
    cos, sin = np.where(along, x / length, 1.0), y / length
    zero = np.zeros_like(z)
    columns = [[cos * z, sin * z, -across], [-sin, cos, zero], [x, y, z]]
    return np.stack([np.stack(column, axis=1) for column in columns], axis=2)


def boosted(momentum: Floats, frame: Floats, sign: float) -> Floats:
    """``momentum`` (particle, 4) boosted by the velocity of ``frame`` (particle, 4) times ``sign``.

    sign = 1 takes momenta from the rest frame of ``frame`` to where it moves, -1 into its rest frame.
    """
    mass = np.sqrt(frame[:, 0] ** 2 - (frame[:, 1:] ** 2).sum(axis=1))
    u = sign * frame[:, 1:] / mass[:, None]  # gamma beta
    gamma = frame[:, 0] / mass
    along = (u * momentum[:, 1:]).sum(axis=1)
    energy = gamma * momentum[:, 0] + along
    space = momentum[:, 1:] + u * (along / (gamma + 1) + momentum[:, 0])[:, None]
    return np.concatenate([energy[:, None], space], axis=1)


def to_rest(momentum: Floats, incoming: Floats, direction: Floats) -> Floats:
    """Momenta (particle, 4) in the rest frame of ``incoming`` (particle, 4), with ``direction`` (particle, 3) as z."""
    at_rest = boosted(momentum, incoming, -1.0)
    at_rest[:, 1:] = np.einsum("nij,ni->nj", turns(direction), at_rest[:, 1:])
    return at_rest


def from_rest(momentum: Floats, incoming: Floats, direction: Floats) -> Floats:
    """The inverse of ``to_rest``."""
    turned = momentum.copy()
    turned[:, 1:] = np.einsum("nij,nj->ni", turns(direction), momentum[:, 1:])
    return boosted(turned, incoming, 1.0)


def project(
    momentum: Floats, mass: Floats, offsets: NDArray[np.int64], energy: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Final states moved to total momentum 0 and a given energy, in the rest frame.

    Args:
        momentum: px, py, pz (particle, 3).
        mass: (particle,).
        offsets: (event + 1,).
        energy: total energy sqrt(s) of each event (event,).

    Returns:
        Four-momenta (particle, 4); a (event,); whether the event could be projected (event,): if not, it is unchanged
        but for its energies, and a is nan.
    """
    result = np.empty((len(momentum), 4))
    stretch = np.empty(len(energy))
    _project(momentum, mass, offsets, energy, result, stretch)
    return result, stretch, np.isfinite(stretch)


@numba.njit(cache=True, nogil=True)
def _sums(transverse: Floats, rapidity: Floats, a: float) -> tuple[float, float]:
    plus, minus = 0.0, 0.0
    for i in range(len(transverse)):
        factor = np.exp(a * rapidity[i])
        plus += transverse[i] * factor
        minus += transverse[i] / factor
    return plus, minus


@numba.njit(cache=True, nogil=True)
def _project(
    momentum: Floats, mass: Floats, offsets: NDArray[np.int64], energy: Floats, result: Floats, stretch: Floats
) -> None:
    for event in range(len(energy)):
        first, stop = offsets[event], offsets[event + 1]
        n = stop - first
        stretch[event] = np.nan
        for i in range(first, stop):
            square = mass[i] ** 2 + momentum[i, 0] ** 2 + momentum[i, 1] ** 2 + momentum[i, 2] ** 2
            result[i, 0] = np.sqrt(square)
            result[i, 1:] = momentum[i]
        if n < 2:
            continue
        mean_x, mean_y = momentum[first:stop, 0].mean(), momentum[first:stop, 1].mean()
        transverse, rapidity = np.empty(n), np.empty(n)
        for i in range(n):
            px, py = momentum[first + i, 0] - mean_x, momentum[first + i, 1] - mean_y
            transverse[i] = np.sqrt(mass[first + i] ** 2 + px * px + py * py)
            rapidity[i] = np.arcsinh(momentum[first + i, 2] / transverse[i]) if transverse[i] > 0 else 0.0
        rapidity -= rapidity.mean()  # b takes a shift; exponents stay small
        wanted = energy[event] ** 2
        if transverse.min() <= 0 or transverse.sum() ** 2 >= wanted or np.abs(rapidity).max() < 1e-9:
            continue
        low, high = 0.0, 1.0
        plus, minus = _sums(transverse, rapidity, high)
        while plus * minus < wanted:
            low, high = high, 2 * high
            plus, minus = _sums(transverse, rapidity, high)
        for _ in range(STEPS):
            a = 0.5 * (low + high)
            if not low < a < high:
                break
            plus, minus = _sums(transverse, rapidity, a)
            if plus * minus < wanted:
                low = a
            else:
                high = a
        plus, minus = _sums(transverse, rapidity, high)
        shift = 0.5 * np.log(minus / plus)
        stretch[event] = high
        for i in range(n):
            y = high * rapidity[i] + shift
            result[first + i, 0] = transverse[i] * np.cosh(y)
            result[first + i, 1] = momentum[first + i, 0] - mean_x
            result[first + i, 2] = momentum[first + i, 1] - mean_y
            result[first + i, 3] = transverse[i] * np.sinh(y)
