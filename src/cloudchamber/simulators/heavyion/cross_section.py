"""The opacity of a nucleon pair from the inelastic nucleon-nucleon cross section.

Model: TRENTo (arXiv:1412.4708; constituents arXiv:1808.02106). A pair at transverse distance d
collides with ``1 - exp(-sigma_p T(d))``, where T is the overlap of the two nucleons' thickness; sigma_p follows from
``sigma_NN = integral of the probability over d < 6 w``. Cross sections in fm^2 (1 fm^2 = 10 mb), lengths in fm.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.schema import BadInput

MAX_IMPACT_WIDTHS = 6.0
"""Pairs farther apart than this many nucleon widths never collide."""


def cross_section_at(sqrt_s: float) -> float:
    """Inelastic nucleon-nucleon cross section at a collision energy.

    sigma = 28.84 mb + 0.0456 mb ln^2.374(s / GeV^2), the fit of d'Enterria and Loizides to data from 10 GeV to cosmic
    rays (C. Loizides, J. Kamin, D. d'Enterria, arXiv:1710.07098), good to about 1 mb.

    Args:
        sqrt_s: energy of the nucleon pair in its centre of mass [GeV], 10 to 1e5.

    Returns:
        sigma_NN [fm^2].

    Examples:
        >>> round(10 * cross_section_at(5020), 1)  # mb, lead at the LHC
        67.1
    """
    if not 10.0 <= sqrt_s <= 1e5:
        raise BadInput(f"sqrt(s) = {sqrt_s:g} GeV: the cross section is known from 10 to 100000 GeV", status=2)
    return 0.1 * (28.84 + 0.0456 * math.pow(math.log(sqrt_s**2), 2.374))


def sampling_width(nucleon_width: float, constituent_width: float, constituents: int) -> float:
    """Gaussian width of the constituents' positions before they are recentred [fm]."""
    if constituents == 1 or nucleon_width - constituent_width < 1e-6:
        return 0.0
    return math.sqrt((nucleon_width**2 - constituent_width**2) / (1 - 1 / constituents))


@lru_cache(maxsize=256)
def opacity(cross_section: float, nucleon_width: float, constituent_width: float, constituents: int) -> float:
    """The partonic cross section sigma_p that gives a nucleon pair the inelastic cross section sigma_NN.

    One constituent: ``c + E1(y) - E1(y e^-c) = sigma_NN / (4 pi w^2)``, c = 9, y = sigma_p / (4 pi w^2), with E1 the
    exponential integral; the left side is ``integral of 1 - exp(-y e^-t) over t in [0, c]``, t = d^2 / 4 w^2, a smooth
    function that a Gauss-Legendre rule integrates to machine precision. More constituents: the mean over their
    positions is a deterministic quasi Monte Carlo sum (Sobol), with sigma_NN of the result good to 1e-3. As in TRENTo,
    this mean is over positions that are NOT recentred on the nucleon (a difference below 0.5 % of sigma_NN).

    Args:
        cross_section: sigma_NN [fm^2].
        nucleon_width: w [fm].
        constituent_width: v [fm].
        constituents: m.

    Returns:
        sigma_p [fm^2].

    Raises:
        BadInput: no opacity gives such a cross section to so narrow a nucleon.
    """
    spread = sampling_width(nucleon_width, constituent_width, constituents)
    if spread == 0.0:
        nodes, weights = np.polynomial.legendre.leggauss(64)
        cut = MAX_IMPACT_WIDTHS**2 / 4
        overlap = np.exp(-cut * (nodes[None, :] + 1) / 2)
        areas = 4 * math.pi * constituent_width**2 * cut * weights / 2
    else:
        areas, overlap = _overlaps(nucleon_width, constituent_width, constituents, spread)

    def excess(log_y: float) -> float:
        return float(-np.expm1(-math.exp(log_y) * overlap).mean(axis=0) @ areas) - cross_section

    low, high = -10.0, 20.0
    if excess(low) > 0 or excess(high) < 0:
        raise BadInput(
            f"no opacity gives sigma_NN = {cross_section:g} fm^2 with nucleon width {nucleon_width:g} fm"
            " (range of a pair: 6 widths): check widths and cross section",
            status=2,
        )
    while high - low > 1e-14 * max(abs(low), abs(high)) and low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return math.exp(low) * 4 * math.pi * constituent_width**2


def _overlaps(
    nucleon_width: float, constituent_width: float, constituents: int, spread: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Areas of rings of impact parameter (Gauss-Legendre, fm^2), and the overlap sums over m^2 (sample, ring)."""
    # Slow to import, and only needed for constituents.
    from scipy.special import ndtri
    from scipy.stats import qmc

    nodes, weights = np.polynomial.legendre.leggauss(32)
    reach = MAX_IMPACT_WIDTHS * nucleon_width
    power = 13 if constituents <= 10 else 11
    cube = qmc.Sobol(4 * constituents, scramble=True, rng=np.random.default_rng(1)).random_base2(power)
    positions = spread * ndtri(np.clip(cube, 1e-12, 1 - 1e-12)).reshape(-1, 2, constituents, 2)
    impact = reach * (nodes + 1) / 2
    sums = _overlap_sums(positions, impact, 0.25 / constituent_width**2)
    return math.pi * reach * impact * weights, sums / constituents**2


@njit(cache=True, nogil=True, fastmath=True)
def _overlap_sums(positions: NDArray[np.float64], impact: NDArray[np.float64], inverse: float) -> NDArray[np.float64]:
    """sum_ij exp(-d_ij^2 / 4 v^2) for positions (sample, nucleon, constituent, xy) and impact parameters."""
    samples, _, m, _ = positions.shape
    out = np.zeros((samples, len(impact)))
    for s in range(samples):
        for i in range(m):
            for j in range(m):
                dx = positions[s, 0, i, 0] - positions[s, 1, j, 0]
                dy = positions[s, 0, i, 1] - positions[s, 1, j, 1]
                for b in range(len(impact)):
                    out[s, b] += math.exp(-inverse * ((dx + impact[b]) ** 2 + dy * dy))
    return out
