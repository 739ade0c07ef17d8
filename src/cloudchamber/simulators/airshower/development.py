# mypy: disable-error-code="untyped-decorator"
"""How many particles a shower has at a depth, and what they leave in a station at a distance from its axis.

* Longitudinal: the profile of T. K. Gaisser and A. M. Hillas (15th ICRC (1977) 8, 353), with the maximum that carries
  the calorimetric energy.
* Electromagnetic signal: showers look alike at the same depth behind their maximum ("universality"; M. Ave et al.,
  Astropart. Phys. 87 (2017) 23): at 1000 m it is proportional to the energy, times a profile of Gaisser-Hillas form;
  the lateral distribution is that of Nishimura, Kamata and Greisen (NKG; K. Greisen, Ann. Rev. Nucl. Sci. 10 (1960) 63)
  of the age ``s = 3 X / (X + 2 Xmax)``.
* Muons: the number of J. Matthews' Heitler model (Astropart. Phys. 22 (2005) 387), ``A (E / (A xi))^beta``, and the
  lateral distribution measured by AGASA (N. Hayashida et al., J. Phys. G 21 (1995) 1101).

Depths in g/cm2 along the shower, distances in m, energies in GeV. The constants marked "set" were chosen so that the
signal at 1000 m is that of the Pierre Auger Observatory (NIM A 798 (2015) 172): 48 VEM at 10 EeV and 38 degrees, and
its attenuation with the zenith angle (constant-intensity cut) to 10 %; tests hold them to that.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

X0, INTERACTION_LENGTH = -120.0, 61.0
"""Of the Gaisser-Hillas profile [g/cm2]: typical of simulated showers of 10^18 to 10^20 eV."""
DEPOSIT = 2.19e-3
"""Mean energy deposit of a charged particle [GeV cm2/g] (M. Risse, D. Heck, Astropart. Phys. 20 (2004) 661)."""
INVISIBLE = 0.12
"""Part of the energy that muons and neutrinos of an average proton shower take away; more muons take more."""
MOLIERE_RADIUS = 95.0
"""At 1400 m above the sea, two radiation lengths up [m]."""
SIGNAL, SIGNAL_DEPTH, SIGNAL_X0, SIGNAL_LENGTH = 27.8, 190.0, -700.0, 110.0
"""Electromagnetic signal of 10 EeV in 10 m2 at 1000 m [VEM], where it is largest behind the maximum, and start and
lambda of its profile in that depth [g/cm2]; set. (It grows behind the maximum, since it still spreads outwards.)"""
BETA = 0.927
"""Exponent of the muon number: iron has 56^(1 - beta) = 1.34 times the muons of protons."""
CRITICAL_ENERGY = 20.0
"""xi [GeV], at which pions decay rather than interact; set: muons make 45 % of the signal at 1000 m, 38 degrees."""
MUON_SPREAD = 0.15
"""Relative fluctuation of the muon number of protons; of a nucleus 1 / sqrt(A) of it (superposition)."""
MUON_ATTENUATION = 2000.0
"""Depth [g/cm2] behind the maximum over which muons become fewer by 1/e, by decay and energy loss; set."""
MUON_RADIUS, MUON_EDGE = 280.0, 800.0
"""Of the lateral distribution of muons [m]."""


@njit(cache=True, nogil=True)
def muon_shape(r: float) -> float:
    """Lateral distribution of muons at a distance r [m], without its norm."""
    x = r / MUON_RADIUS
    return float(x**-0.75 * (1 + x) ** -2.52 * (1 + (r / MUON_EDGE) ** 3) ** -0.6)


def _norm() -> float:
    """Muons of the whole plane over ``muon_shape``'s integral [1/m2]; the logarithm of r in steps."""
    r = np.geomspace(1e-2, 1e5, 4001)
    integral = np.trapezoid([2 * math.pi * one * one * muon_shape(one) for one in r], np.log(r))
    return float(1 / integral)


MUON_NORM = _norm()


def muon_number(lg_energy: NDArray[np.float64], mass: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean number of muons (shower,) at the ground, without attenuation.

    Args:
        lg_energy: log10(E / eV), (shower,).
        mass: mass numbers (shower,).
    """
    energy = 10 ** (lg_energy - 9)
    return np.asarray(mass * (energy / (mass * CRITICAL_ENERGY)) ** BETA)


@njit(cache=True, nogil=True)
def profile_shape(depth: float, xmax: float, length: float) -> float:
    """Gaisser-Hillas profile relative to its maximum.

    Args:
        depth: along the shower [g/cm2].
        xmax: depth of the maximum [g/cm2].
        length: lambda [g/cm2].
    """
    if depth <= X0:
        return 0.0
    power = (xmax - X0) / length
    return math.exp(power * math.log((depth - X0) / (xmax - X0)) + (xmax - depth) / length)


@njit(cache=True, nogil=True)
def profile_maximum(calorimetric: float, xmax: float, length: float) -> float:
    """Particles at the maximum: the integral of the profile times DEPOSIT is the calorimetric energy [GeV].

    Args:
        calorimetric: energy [GeV].
        xmax: depth of the maximum [g/cm2].
        length: lambda [g/cm2].
    """
    power = (xmax - X0) / length  # integral of the shape: lambda (e / p)^p Gamma(p + 1)
    integral = length * math.exp(power - power * math.log(power) + math.lgamma(power + 1))
    return calorimetric / (DEPOSIT * integral)


@njit(cache=True, nogil=True)
def electromagnetic_signal(energy: float, xmax: float, behind: float, length: float, r: float) -> float:
    """Signal of electrons, positrons and photons in 10 m2 [VEM].

    Args:
        energy: calorimetric [GeV].
        xmax: depth of the maximum [g/cm2].
        behind: depth behind the maximum [g/cm2].
        length: lambda of the shower's Gaisser-Hillas profile [g/cm2], which stretches this profile alike.
        r: distance to the axis [m].
    """
    if behind <= SIGNAL_X0 or behind <= 1 - xmax:
        return 0.0
    scale = SIGNAL_LENGTH * length / INTERACTION_LENGTH
    power = (SIGNAL_DEPTH - SIGNAL_X0) / scale
    profile = math.exp(
        power * math.log((behind - SIGNAL_X0) / (SIGNAL_DEPTH - SIGNAL_X0)) + (SIGNAL_DEPTH - behind) / scale
    )
    s = min(max(3 * (xmax + behind) / (3 * xmax + behind), 0.5), 2.0)  # beyond, the formula has lost its meaning
    x, reference = r / MOLIERE_RADIUS, 1000.0 / MOLIERE_RADIUS
    lateral = (x / reference) ** (s - 2) * ((1 + x) / (1 + reference)) ** (s - 4.5)
    return float(SIGNAL * energy / 1e10 * profile * lateral)


@njit(cache=True, nogil=True)
def muon_density(number: float, behind: float, r: float) -> float:
    """Muons per m2 of the shower plane.

    Args:
        number: of muons at the ground, without attenuation.
        behind: depth behind the maximum [g/cm2].
        r: distance to the axis [m].
    """
    return number * math.exp(-max(behind, 0.0) / MUON_ATTENUATION) * MUON_NORM * muon_shape(r)
