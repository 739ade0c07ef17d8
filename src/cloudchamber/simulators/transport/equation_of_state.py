"""Skyrme-like mean fields of nuclear matter: energy density, single-particle potentials, saturation, compressibility.

V(rho_n, rho_p) = rho [A u / 2 + B u^sigma / (sigma + 1)] + (C / 2) (rho_n - rho_p)^2 / rho_0 with u = rho / rho_0, and
U_q = dV / d rho_q (asy-stiff symmetry term). Sets: Colonna et al., NPA 642 (1998) 449 (soft, SKM*-like, of the
stochastic mean field and Boltzmann-Langevin codes); Transport Model Evaluation Project, PRC 104 (2021) 024603. MeV, fm.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from dataclasses import dataclass

from numba import njit

from cloudchamber.schema import BadInput, did_you_mean

HBAR_C = 197.3269804
"""MeV fm (CODATA 2018)."""
NUCLEON_MASS = 938.0
"""MeV, of the kinetic energy of test particles (the value of the box comparisons)."""
E2 = 1.43996448
"""e^2 / (4 pi epsilon_0) in MeV fm."""


@dataclass(frozen=True)
class EquationOfState:
    """Parameters of the mean field.

    Attributes:
        A, B: of the isoscalar potential [MeV].
        sigma: its exponent.
        C: of the symmetry term [MeV]; C / 2 is the potential part of the symmetry energy.
        rho_0: saturation density [fm^-3].
    """

    A: float
    B: float
    sigma: float
    C: float = 36.0
    rho_0: float = 0.16

    def potential(self, rho: float) -> float:
        """U(rho) of symmetric matter [MeV]; rho in fm^-3."""
        u = rho / self.rho_0
        return float(self.A * u + self.B * u**self.sigma)

    def energy_per_nucleon(self, rho: float) -> float:
        """Of symmetric matter at zero temperature [MeV]; rho in fm^-3."""
        u = rho / self.rho_0
        return float(0.6 * fermi_energy(rho) + self.A * u / 2 + self.B * u**self.sigma / (self.sigma + 1))

    def incompressibility(self) -> float:
        """K = 9 dP / d rho of symmetric matter at rho_0 [MeV], = 6 E_F (1 + F_0)."""
        return 6 * fermi_energy(self.rho_0) + 9 * (self.A + self.B * self.sigma)

    def landau_f0(self) -> float:
        """F_0 = N_0 dU / d rho at rho_0, with the level density N_0 = 2 m p_F / (pi^2 hbar^3)."""
        p_f = fermi_momentum(self.rho_0)
        level_density = 2 * NUCLEON_MASS * p_f / (math.pi**2 * HBAR_C**3)
        return level_density * (self.A + self.B * self.sigma) / self.rho_0


EQUATIONS_OF_STATE = {
    "soft": EquationOfState(A=-356.8, B=303.9, sigma=7 / 6),
    "comparison": EquationOfState(A=-209.2, B=156.4, sigma=1.35),
}
"""``soft``: K = 201 MeV (SKM*-like); ``comparison``: K = 239 MeV, of the Transport Model Evaluation Project."""


def equation_of_state(name: str) -> EquationOfState:
    """The mean field of that name; BadInput (status 2) with did-you-mean if there is none."""
    if name not in EQUATIONS_OF_STATE:
        raise BadInput(f"unknown mean field {name!r}{did_you_mean(name, EQUATIONS_OF_STATE)}", status=2)
    return EQUATIONS_OF_STATE[name]


def fermi_momentum(rho: float) -> float:
    """Of symmetric matter, hbar (3 pi^2 rho / 2)^(1/3) [MeV/c]; rho in fm^-3."""
    return float(HBAR_C * (1.5 * math.pi**2 * rho) ** (1 / 3))


def fermi_energy(rho: float) -> float:
    """Of symmetric matter, p_F^2 / 2 m [MeV]; rho in fm^-3."""
    return fermi_momentum(rho) ** 2 / (2 * NUCLEON_MASS)


@njit(cache=True, inline="always")
def energy_density(rho_n: float, rho_p: float, A: float, B: float, sigma: float, C: float, rho_0: float) -> float:
    """V of neutrons and protons [MeV fm^-3].

    Args:
        rho_n: density of neutrons [fm^-3].
        rho_p: density of protons [fm^-3].
        A: of the isoscalar potential [MeV].
        B: of the isoscalar potential [MeV].
        sigma: its exponent.
        C: of the symmetry term [MeV].
        rho_0: saturation density [fm^-3].
    """
    u = (rho_n + rho_p) / rho_0
    asymmetry = (rho_n - rho_p) / rho_0
    return float(rho_0 * (u * (A * u / 2 + B * u**sigma / (sigma + 1)) + C / 2 * asymmetry * asymmetry))
