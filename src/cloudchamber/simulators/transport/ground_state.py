"""Ground states: the Thomas-Fermi solution for the same folded fields that move the test particles later.

n_q(r) = p_F,q(r)^3 / (3 pi^2 hbar^3) with p_F,q^2 / 2 m = mu_q - U~_q(r); the density in the mean field is n folded
with the form factor, and U~ is the field folded once more (Lenk and Pandharipande, PRC 39 (1989) 2242, section III).
The form factor is taken as the Gaussian of its width. Spherical; radii in fm, energies in MeV; A and Z may be any real
numbers. A species with a chemical potential above 0 is not bound: the end of the grid holds it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from cloudchamber.simulators.transport.equation_of_state import E2, HBAR_C, NUCLEON_MASS, EquationOfState
from cloudchamber.simulators.transport.lattice import Floats

STEP = 0.1
"""Of the radial grid [fm]."""
MIXING, TOLERANCE, MOST_ITERATIONS = 0.3, 1e-6, 400


@dataclass(frozen=True)
class GroundState:
    """The Thomas-Fermi solution of one nucleus.

    Attributes:
        A, Z: nucleons and protons.
        energy: of the whole nucleus at rest [MeV], without rest masses.
        radius: (point,) of the radial grid [fm].
        density: (species, point) of test particles, neutrons and protons [fm^-3].
        fermi: (species, point) Fermi momentum [MeV/c].
        chemical: (species,) chemical potentials [MeV].
    """

    A: float
    Z: float
    energy: float
    radius: Floats
    density: Floats
    fermi: Floats
    chemical: tuple[float, float]

    @property
    def rms_radius(self) -> float:
        """Of the test particles [fm]."""
        weight = self.density.sum(axis=0) * self.radius**2
        return float(np.sqrt((weight * self.radius**2).sum() / weight.sum()))

    @property
    def edge(self) -> float:
        """Radius beyond which there are no test particles [fm]."""
        return float(self.radius[self.density.sum(axis=0) > 0].max())


@functools.cache
def _folding(points: int, width: float) -> Floats:
    """Matrix that folds a spherical function with a Gaussian: r F(r) = int r' f(r') [g(r - r') - g(r + r')] dr'."""
    r = (np.arange(points) + 0.5) * STEP
    gauss = (np.exp(-0.5 * ((r[:, None] - r) / width) ** 2) - np.exp(-0.5 * ((r[:, None] + r) / width) ** 2)) / (
        math.sqrt(2 * math.pi) * width
    )
    return np.asarray(gauss * r / r[:, None] * STEP)


def _coulomb(protons: Floats, r: Floats) -> Floats:
    """Potential [MeV] of a spherical density of protons [fm^-3]."""
    shell = 4 * math.pi * protons * STEP
    inner = np.cumsum(shell * r**2) - 0.5 * shell * r**2
    outer = np.cumsum((shell * r)[::-1])[::-1] - 0.5 * shell * r
    return np.asarray(E2 * (inner / r + outer))


def thomas_fermi(A: float, Z: float, matter: EquationOfState, spacing: float) -> GroundState:
    """The ground state, by damped iteration.

    Args:
        A: nucleons, a real number.
        Z: protons, a real number from 0 to A.
        matter: the mean field.
        spacing: of the lattice whose form factor is meant [fm].

    Raises:
        ArithmeticError: the iteration finds no solution, as for some systems that this model does not bind.
    """
    width = spacing / math.sqrt(3)
    points = int((1.4 * A ** (1 / 3) + 7) / STEP)
    r = np.asarray((np.arange(points) + 0.5) * STEP, np.float64)
    volume = 4 * math.pi * r**2 * STEP
    fold = _folding(points, width)
    number = np.array([A - Z, Z])
    start = 0.08 / (1 + np.exp((r - 1.15 * A ** (1 / 3)) / 0.5))
    density = np.stack([start, start]) * (number / (start * volume).sum())[:, None]
    states = 1 / (3 * math.pi**2 * HBAR_C**3)
    chemical = [0.0, 0.0]
    for _ in range(MOST_ITERATIONS):
        rho = density @ fold.T
        u = rho.sum(axis=0) / matter.rho_0
        asymmetry = matter.C * (rho[0] - rho[1]) / matter.rho_0
        field = matter.A * u + matter.B * u**matter.sigma
        potential = np.stack([field + asymmetry, field - asymmetry + _coulomb(rho[1], r)]) @ fold.T
        fermi = np.zeros_like(density)
        for q in range(2):
            if number[q] <= 0:
                continue

            def excess(mu: float, U: Floats = potential[q], wanted: float = number[q]) -> float:
                return float((states * (2 * NUCLEON_MASS * np.maximum(mu - U, 0)) ** 1.5 * volume).sum() - wanted)

            # often unbound during the first iterations: the grid's wall holds it
            chemical[q] = brentq(excess, potential[q].min(), potential[q].max() + 200, xtol=1e-8)
            fermi[q] = np.sqrt(2 * NUCLEON_MASS * np.maximum(chemical[q] - potential[q], 0))
        new = states * fermi**3
        change = np.abs((new - density) * volume).sum() / A
        density = density + MIXING * (new - density)
        if change < TOLERANCE:
            break
    else:
        raise ArithmeticError(f"no Thomas-Fermi solution for A = {A:g}, Z = {Z:g}")
    kinetic = (0.6 * fermi**2 / (2 * NUCLEON_MASS) * new * volume).sum()
    rho = new @ fold.T
    u = rho.sum(axis=0) / matter.rho_0
    bulk = rho.sum(axis=0) * (matter.A * u / 2 + matter.B * u**matter.sigma / (matter.sigma + 1))
    symmetry = matter.C / 2 * (rho[0] - rho[1]) ** 2 / matter.rho_0
    energy = kinetic + ((bulk + symmetry + 0.5 * rho[1] * _coulomb(rho[1], r)) * volume).sum()
    return GroundState(A, Z, float(energy), r, new, fermi, (chemical[0], chemical[1]))
