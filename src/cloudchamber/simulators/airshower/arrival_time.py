# mypy: disable-error-code="untyped-decorator"
"""When the particles of a shower arrive at a distance from its axis, behind the plane through the core.

* Muons fly straight from where they were made on the axis: the delay is that of their longer way, and that of being
  slower than light. Model of L. Cazon, R. A. Vazquez, A. A. Watson, E. Zas, Astropart. Phys. 21 (2004) 71
  (astro-ph/0311223): transverse momenta dN/dp ~ p exp(-p / Q), so that a muon made at a distance l has the energy
  ``E = p l / r``; those that would decay on the way are drawn again.
* Electromagnetic particles scatter: on top of the way from a point at half the depth of the maximum, their delay is
  log-normal, with the constants of D. Walz's simulation (github.com/DavidWalz/airshower, used in arXiv:1708.00647).

Times in ns, lengths in m, energies in GeV, depths in g/cm2. The transport of energy loss, and the magnetic field, are
left out.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from cloudchamber.simulators.airshower.atmosphere import height_of
from cloudchamber.simulators.airshower.surface_array import LIGHT

MUON_MASS, DECAY_LENGTH = 0.1056584, 658.638
"""GeV, and the decay length c tau [m] of a muon at rest."""
TRANSVERSE_MOMENTUM = 0.17
"""Q [GeV]."""
LEAST_ENERGY = 0.2
"""Of a muon that is seen [GeV]."""
PRODUCTION_EARLIER, PRODUCTION_X0, PRODUCTION_LENGTH = 200.0, -100.0, 60.0
"""Most muons are made so much [g/cm2] before the shower's maximum; start and lambda of their Gaisser-Hillas profile."""
SPREAD = 0.7
"""Of the logarithm of an electromagnetic delay."""


@njit(cache=True, nogil=True)
def muon_delay(
    r: float, along: float, xmax: float, cos_zenith: float, ground: float, rng: np.random.Generator
) -> float:
    """Delay of one muon [ns].

    Args:
        r: distance of the station to the axis [m].
        along: how far up the axis the plane through the station crosses it, from the core [m].
        xmax: depth of the shower's maximum.
        cos_zenith: of the axis.
        ground: height of the core above the sea [m].
        rng: the generator.
    """
    power = max(xmax - PRODUCTION_EARLIER - PRODUCTION_X0, PRODUCTION_LENGTH) / PRODUCTION_LENGTH
    delay = 0.0
    for _ in range(20):
        made = PRODUCTION_X0 + PRODUCTION_LENGTH * rng.standard_gamma(power + 1)
        away = (height_of(max(made, 1.0) * cos_zenith) - ground) / cos_zenith - along
        if away < 300.0:  # below the ground or just above it
            continue
        way = math.sqrt(r * r + away * away)
        momentum = -TRANSVERSE_MOMENTUM * math.log((1 - rng.random()) * (1 - rng.random()))
        energy = momentum * way / r
        slow = MUON_MASS / max(energy, LEAST_ENERGY)
        delay = (r * r / (way + away) + 0.5 * way * slow * slow) / LIGHT
        if energy > LEAST_ENERGY and rng.random() < math.exp(-way * slow / DECAY_LENGTH):
            break
    return delay


@njit(cache=True, nogil=True)
def electromagnetic_front(r: float, along: float, xmax: float, cos_zenith: float, ground: float) -> float:
    """Least delay of electromagnetic particles [ns]: the way from half the depth of the maximum; see ``muon_delay``.

    Args:
        r: distance of the station to the axis [m].
        along: how far up the axis the plane through the station crosses it, from the core [m].
        xmax: depth of the shower's maximum.
        cos_zenith: of the axis.
        ground: height of the core above the sea [m].
    """
    away = max((height_of(0.5 * xmax * cos_zenith) - ground) / cos_zenith - along, 300.0)
    return r * r / (math.sqrt(r * r + away * away) + away) / LIGHT


@njit(cache=True, nogil=True)
def electromagnetic_median(r: float, behind: float) -> float:
    """Median of the log-normal delay [ns] behind the front.

    Args:
        r: distance to the axis [m].
        behind: depth of the station behind the maximum.
    """
    return float((80 + 200 * (r / 750) ** 1.4) * max(1 - 0.1 * behind / 1000, 0.3))
