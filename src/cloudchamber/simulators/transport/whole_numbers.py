"""From real-valued fragments and gas to whole nuclei and nucleons: what a detector, or a de-excitation model, can take.

Numbers of neutrons and protons are rounded by systematic sampling (Madow, Ann. Math. Stat. 20 (1949) 333): each is the whole number below or above
its value, right on average, and they add up to those of the colliding nuclei. The nucleons of the gas are drawn from its test particles,
conditionally on the four-momentum that is left: of many draws, the one that misses it least. A common shift and a common stretch of
all momenta close the balance exactly, with measured masses. Common rest frame, MeV, MeV/c.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.equation_of_state import NUCLEON_MASS
from cloudchamber.simulators.transport.lattice import Floats
from cloudchamber.simulators.transport.masses import mass_or_estimate, nuclear_mass

Whole = NDArray[np.int64]

DRAWS = 200
"""Of the nucleons of the gas, of which the best is taken."""
MOMENTUM_SCALE, ENERGY_SCALE = 60.0, 4.0
"""What counts as missing the balance by one: MeV/c along an axis, and MeV."""
STRETCH = (0.5, 2.0)
"""Of momenta, at most: else the rounding is drawn again."""
TRIES = 50
"""Roundings; then excitation energies give way."""


@dataclass(frozen=True)
class Nuclei:
    """Hot nuclei and free nucleons of one event.

    Attributes:
        A, Z: (nucleus,) mass number and charge.
        momentum: (nucleus, 3) [MeV/c].
        excitation: (nucleus,) above the measured ground state [MeV].
        stretch: by how much momenta were stretched to close the balance of energy.
    """

    A: Whole
    Z: Whole
    momentum: Floats
    excitation: Floats
    stretch: float


def whole_nuclei(
    A: Floats, Z: Floats, momentum: Floats, excitation: Floats, gas_momentum: Floats, gas_species: NDArray[np.int8],
    channel: EntranceChannel, rng: np.random.Generator,
) -> Nuclei:  # fmt: skip
    """One rounding of an event.

    Args:
        A: (fragment,) nucleons, real numbers.
        Z: (fragment,) protons, real numbers.
        momentum: (fragment, 3) [MeV/c].
        excitation: (fragment,) [MeV]; below 0 counts as 0.
        gas_momentum: (particle, 3) [MeV/c].
        gas_species: (particle,) 0: neutron, 1: proton.
        channel: which nuclei collided, at which energy.
        rng: what is random.

    Raises:
        ArithmeticError: there is less energy than rest masses: the event is none.
    """
    total = available_energy(channel)
    hot = np.maximum(excitation, 0.0)
    for attempt in range(TRIES + 1):
        neutrons = systematic_rounding(A - Z, channel.nucleons - channel.protons, rng)
        protons = systematic_rounding(Z, channel.protons, rng)
        there = neutrons[:-1] + protons[:-1] > 0
        whole_A, whole_Z = (neutrons + protons)[:-1][there], protons[:-1][there]
        own = momentum[there] * (whole_A / A[there])[:, None]
        mass = mass_or_estimate(whole_Z, whole_A) + hot[there]
        spare = total - mass.sum() - nucleon_masses(neutrons[-1], protons[-1])
        if spare <= 0 and attempt == TRIES:
            raise ArithmeticError(f"{-spare:.1f} MeV too little energy for the rest masses of an event")
        if spare <= 0:
            continue
        gas = _draw_gas(
            gas_momentum, gas_species, neutrons[-1], protons[-1], -own.sum(axis=0),
            spare - ((own**2).sum(axis=1) / (2 * mass)).sum(), rng,
        )  # fmt: skip
        species = np.repeat([0, 1], [neutrons[-1], protons[-1]])
        all_A = np.concatenate([whole_A, np.ones(len(gas), np.int64)])
        all_Z = np.concatenate([whole_Z, species])
        cold = np.concatenate([hot[there], np.zeros(len(gas))])
        masses = mass_or_estimate(all_Z, all_A) + cold
        p = np.concatenate([own, gas])
        p -= p.sum(axis=0) * (masses / masses.sum())[:, None]
        stretch = _stretch(p, masses, total)
        if stretch is not None and (STRETCH[0] < stretch < STRETCH[1] or attempt == TRIES):
            return Nuclei(all_A, all_Z, p * stretch, cold, stretch)
    raise ArithmeticError("an event at rest cannot take up its energy")


def available_energy(channel: EntranceChannel) -> float:
    """Of both nuclei in their common rest frame, with measured masses [MeV]."""
    masses = [nuclear_mass(Z, A) for A, Z in (channel.projectile, channel.target)]
    return sum(float(np.hypot(mass, channel.momentum)) for mass in masses)


def nucleon_masses(neutrons: int, protons: int) -> float:
    """[MeV]."""
    return float(neutrons * nuclear_mass(0, 1) + protons * nuclear_mass(1, 1))


def systematic_rounding(numbers: Floats, total: int, rng: np.random.Generator) -> Whole:
    """Whole numbers near real ones, and what is left of ``total`` as the last; each is right on average.

    Args:
        numbers: (n,) not negative; their sum is at most ``total``, but for rounding errors.
        total: a whole number.
        rng: what is random.

    Examples:
        >>> systematic_rounding(np.array([5.0, 4.0]), 12, np.random.default_rng(1))
        array([5, 4, 3])
    """
    edges = np.append(np.minimum(np.cumsum(numbers), total), total)
    start = rng.random()
    cuts = np.floor(edges + start + 1e-9).astype(np.int64)
    return np.diff(cuts, prepend=0) - np.append(np.zeros(len(numbers), np.int64), cuts[-1] - total)


def _draw_gas(
    momentum: Floats, species: NDArray[np.int8], neutrons: int, protons: int, wanted: Floats, energy: float,
    rng: np.random.Generator,
) -> Floats:  # fmt: skip
    """Momenta (nucleon, 3) of free nucleons, neutrons first, that carry about the wanted momentum and kinetic energy."""
    chosen = []
    for q, number in enumerate((neutrons, protons)):
        of_kind = np.flatnonzero(species == q)
        if number and not len(of_kind):  # a rounding may need one nucleon of a kind that has no test particle left
            of_kind = np.arange(len(species))
        chosen.append(momentum[of_kind][rng.integers(len(of_kind), size=(DRAWS, number))] if number else np.zeros((DRAWS, 0, 3)))
    draws = np.concatenate(chosen, axis=1)
    missing = ((draws.sum(axis=1) - wanted) ** 2).sum(axis=1) / MOMENTUM_SCALE**2
    kinetic = (draws**2).sum(axis=(1, 2)) / (2 * NUCLEON_MASS)
    return np.asarray(draws[np.argmin(missing + (kinetic - energy) ** 2 / ENERGY_SCALE**2)])


def _stretch(momentum: Floats, mass: Floats, total: float) -> float | None:
    """The factor on momenta that gives the total energy; None if there is no such factor."""
    square = (momentum**2).sum(axis=1)

    def excess(factor: float) -> float:
        return float(np.sqrt(mass**2 + factor**2 * square).sum() - total)

    if excess(0.0) >= 0 or excess(100.0) <= 0:
        return None
    return float(brentq(excess, 0.0, 100.0, xtol=1e-14, rtol=1e-14))
