"""Cross sections of two nucleons, free and in nuclear matter, for the loop over collisions.

Free: S. K. Charagi and S. K. Gupta, Phys. Rev. C 41 (1990) 1610, fits to data from 10 MeV to 1 GeV [mb]::

    np:      -70.67 - 18.18 / beta + 25.26 / beta^2 + 113.85 beta
    pp, nn:   13.73 - 15.04 / beta +  8.76 / beta^2 +  68.67 beta^4

with beta = v/c of one nucleon in the rest frame of the other. The coefficients were compared with four public Glauber
and QMD codes (one of them has beta where beta^4 belongs, and pp is wrong there), the values with two other public fits
to data, those of N. Starkov in Geant4 and of the Glauber code nurex, which agree within 9 % from 50 to 400 MeV (50 MeV:
np 163 mb against 159 and 164, pp 55 against 52 and 54; 100 MeV: np 73 against 73 and 74, pp 29 against 27 and 28) and
within 13 % from 20 MeV. Outside 10 MeV to 1 GeV the fit is held at its value there: below, 1 / beta^2 would diverge
(the largest cross section is that of np at 10 MeV, 1025 mb, and rate factors v sigma fall to 0 with v); above, there
are no data behind it.

In matter: "capped" is min(sigma, 50 mb), the practice of stochastic mean-field calculations; "screened" is
sigma0 tanh(sigma / sigma0), sigma0 = 0.85 rho^(-2/3) (P. Danielewicz, Acta Phys. Pol. B 33 (2002) 45; D. D. S. Coupland
et al., Phys. Rev. C 84 (2011) 054603): no larger than what neighbours leave room for.

Conventions: speeds in units of c, energies MeV, densities of nucleons fm^-3, cross sections fm^2 (1 fm^2 = 10 mb).
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math

from numba import njit

KINDS = {"free": 0, "capped": 1, "screened": 2}
"""Numbers of the cross sections in matter for ``cross_section``."""
FREE, CAPPED, SCREENED = KINDS.values()

LEAST_SPEED, LARGEST_SPEED = 0.14477, 0.87494
"""Of a nucleon of 10 MeV and of 1 GeV: where the fits hold."""

CAP = 5.0
"""fm^2 (50 mb)."""

SCREENING = 0.85
"""nu in sigma0 = nu rho^(-2/3)."""


@njit(cache=True, nogil=True)
def free_cross_section(same_isospin: bool, relative_speed: float) -> float:
    """Free cross section [fm^2]; positive and finite for every number, nan included.

    Args:
        same_isospin: whether both are protons or both neutrons.
        relative_speed: of one nucleon in the rest frame of the other [c].
    """
    beta = min(relative_speed, LARGEST_SPEED) if relative_speed > LEAST_SPEED else LEAST_SPEED
    if same_isospin:
        return 0.1 * (13.73 + (8.76 / beta - 15.04) / beta + 68.67 * (beta * beta) * (beta * beta))
    return 0.1 * (-70.67 + (25.26 / beta - 18.18) / beta + 113.85 * beta)


@njit(cache=True, nogil=True)
def cross_section(kind: int, same_isospin: bool, relative_speed: float, density: float) -> float:
    """Cross section [fm^2]; positive and finite for every speed and density.

    Args:
        kind: one of ``KINDS``; any other number is free.
        same_isospin: whether both are protons or both neutrons.
        relative_speed: of one nucleon in the rest frame of the other [c]; for a relative speed of Newtonian kinematics
            see ``laboratory_speed``.
        density: of nucleons where they meet [fm^-3]; only "screened" depends on it, at 0 or below it is free.
    """
    sigma = free_cross_section(same_isospin, relative_speed)
    if kind == CAPPED:
        return min(sigma, CAP)
    if kind == SCREENED and density > 0.0:
        x = sigma * density ** (2.0 / 3.0) / SCREENING  # sigma / sigma0, which may be 0 or infinite
        return sigma * math.tanh(x) / x if x > 1e-4 else sigma
    return sigma


@njit(cache=True, nogil=True)
def laboratory_speed(newtonian_speed: float) -> float:
    """v/c in the rest frame of the partner for a pair whose relative speed abs(p1 - p2) / m is Newtonian.

    Both have the same energy ``m v^2 / 2`` in that frame, by which cross sections are tabulated: at 100 MeV the
    Newtonian speed is 0.462 and this gives 0.428, where sigma_np is 73 instead of 61 mb.

    Args:
        newtonian_speed: abs(p1 - p2) / m [c].
    """
    gamma = 1.0 + 0.5 * newtonian_speed * newtonian_speed
    return math.sqrt(1.0 - 1.0 / (gamma * gamma))
