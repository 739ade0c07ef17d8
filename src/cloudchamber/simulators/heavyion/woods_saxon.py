"""Quantile tables that draw exactly from a deformed Woods-Saxon density without rejection.

A Woods-Saxon density is a mixture of uniform bodies: ``1 / (1 + exp((r - R) / a)) = integral f(l) [r < R + a l] dl``
with the logistic density ``f(l) = e^-l / (1 + e^-l)^2``. Hence, with the surface R(Omega)::

    1. l      from  f(l) < (R(Omega) + a l)^3 >_Omega      (quantile table in one uniform number)
    2. Omega  from  (R(Omega) + a l)^3                     (quantile of cos(theta) at given l; azimuth in closed form)
    3. r      = (R(Omega) + a l) max(u1, u2, u3)           (uniform in the body)

There is no cut at large radius. The tables interpolate the quantiles to better than 2e-4 fm. Every step is a smooth
function of the shape at fixed random numbers, which is what makes common random numbers work. Lengths in fm; body
frame as in ``nuclei``.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .nuclei import Nucleus

CENTRE = 4096
"""Intervals of the table of l in its uniform number."""
EDGE = 32
"""Intervals at either end of that table that are replaced by the table in the logarithm."""
TAIL = 256
"""Intervals of the table of l in the logarithm of the distance to 0 or 1."""
POLAR = 128
"""Intervals of the table of cos(theta) in its uniform number."""
SHELLS = 24
"""Intervals of that table in q = 1 / (R0 + a l)."""
SMALLEST = 2.0**-34
"""Distance to 0 or 1 where the tails of l end (uniform numbers here have 32 bits)."""

Floats = NDArray[np.float64]


class Tables(NamedTuple):
    """What the compiled sampler reads; the first axis is the density (protons, neutrons).

    Attributes:
        surface: coefficients of R in powers of cos(theta), then that of (1 - cos^2 theta) cos(2 phi) [fm] (density, 6).
        lengths: R0, a, w of the parabolic factor, smallest q, inverse step of q (density, 5).
        centre: l at equidistant uniform numbers (density, CENTRE + 1).
        tails: l at equidistant logarithms, lower and upper (density, 2, TAIL + 1).
        polar: cos(theta) (density, SHELLS + 1, POLAR + 1); only read if the nucleus is deformed.
    """

    surface: Floats
    lengths: Floats
    centre: Floats
    tails: Floats
    polar: Floats


def tables(nucleus: Nucleus) -> Tables:
    """The tables of a Woods-Saxon nucleus (cached by shape)."""
    shape = (nucleus.beta2, nucleus.beta3, nucleus.beta4, nucleus.gamma, nucleus.parabolic)
    parts = [_tables(radius, diffuseness, *shape) for radius, diffuseness in nucleus.densities]
    parts = parts * (2 // len(parts))
    return Tables(*(np.ascontiguousarray(np.stack(pair)) for pair in zip(*parts, strict=True)))


EMPTY = Tables(np.zeros((2, 6)), np.ones((2, 5)), np.zeros((2, 1)), np.zeros((2, 2, 1)), np.zeros((2, 1, 1)))
"""Tables of a nucleus that needs none."""


def surface_coefficients(radius: float, beta2: float, beta3: float, beta4: float, gamma: float) -> Floats:
    """R(theta, phi) as a polynomial in cos(theta), and the triaxial amplitude [fm], shape (6,)."""
    y20 = math.sqrt(5 / math.pi) / 4 * beta2 * math.cos(gamma)
    y22 = math.sqrt(15 / math.pi) / 4 * beta2 * math.sin(gamma)
    y30 = math.sqrt(7 / math.pi) / 4 * beta3
    y40 = 3 / (16 * math.sqrt(math.pi)) * beta4
    return radius * np.array([1 - y20 + 3 * y40, -3 * y30, 3 * y20 - 30 * y40, 5 * y30, 35 * y40, y22])


@lru_cache(maxsize=8)
def _tables(
    radius: float,
    diffuseness: float,
    beta2: float,
    beta3: float,
    beta4: float,
    gamma: float,
    parabolic: float,
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """The tables of one density."""
    surface = surface_coefficients(radius, beta2, beta3, beta4, gamma)
    centre, tails = _shell_quantiles(surface, diffuseness)
    low, high = 1 / (radius + 14 * diffuseness), 2.5 / radius
    polar = np.zeros((1, 1))
    if beta2 or beta3 or beta4:
        polar = _polar_quantiles(surface, np.linspace(low, high, SHELLS + 1), radius)
    lengths = np.array([radius, diffuseness, parabolic, low, SHELLS / (high - low)])
    return surface, lengths, centre, tails, polar


def _mean_volume(surface: Floats, c: Floats, excess: Floats) -> Floats:
    """Azimuthal mean of (R(Omega) + excess)^3, zero where it is negative; broadcast [fm^3]."""
    axial = np.maximum(np.polynomial.polynomial.polyval(c, surface[:5]) + excess, 0.0)
    triaxial = surface[5] * (1 - c**2)
    volume: Floats = axial**3 + 1.5 * axial * triaxial**2
    return volume


def _shell_quantiles(surface: Floats, diffuseness: float) -> tuple[Floats, Floats]:
    """Quantiles of l: over its uniform number, and over the logarithms at both ends."""
    nodes, weights = np.polynomial.legendre.leggauss(48)
    largest = float(np.polynomial.polynomial.polyval(nodes, surface[:5]).max() + abs(surface[5]))
    shells = np.concatenate([np.linspace(-largest / diffuseness, -12, 1500)[:-1], np.linspace(-12, 14, 6501)[:-1]])
    shells = np.unique(np.concatenate([shells[shells > -largest / diffuseness], np.linspace(14, 60, 1501)]))
    volume = _mean_volume(surface, nodes[None, :], diffuseness * shells[:, None]) @ weights
    small = np.exp(-np.abs(shells))
    weight = volume * small / (1 + small) ** 2
    # Exponential interpolation between nodes: the density is one in both tails.
    step = np.diff(shells)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.log(weight[1:] / weight[:-1])
        area = np.where(np.abs(slope) > 1e-6, np.diff(weight) / slope, (weight[1:] + weight[:-1]) / 2) * step
    area = np.where(np.isfinite(area), area, (weight[1:] + weight[:-1]) / 2 * step)
    below = np.concatenate([[0.0], np.cumsum(area)])
    above = np.concatenate([np.cumsum(area[::-1])[::-1], [0.0]])
    total = below[-1]
    logs = np.linspace(math.log(SMALLEST), math.log(1.001 * EDGE / CENTRE), TAIL + 1)
    lower = np.interp(logs, np.log(np.maximum(below, 1e-300) / total), shells)
    upper = np.interp(logs, np.log(np.maximum(above, 1e-300) / total)[::-1], shells[::-1])
    return np.interp(np.linspace(0, 1, CENTRE + 1), below / total, shells), np.stack([lower, upper])


def _polar_quantiles(surface: Floats, q: Floats, radius: float) -> Floats:
    """cos(theta) at equidistant uniform numbers for bodies q = 1 / (R0 + a l), shape (SHELLS + 1, POLAR + 1)."""
    c = np.linspace(-1, 1, 4001)
    weight = _mean_volume(surface, c[None, :], 1 / q[:, None] - radius)
    below = np.concatenate([np.zeros((len(q), 1)), np.cumsum(weight[:, 1:] + weight[:, :-1], axis=1)], axis=1)
    below /= below[:, -1:]
    u = np.linspace(0, 1, POLAR + 1)
    return np.stack([np.interp(u, row, c) for row in below])
