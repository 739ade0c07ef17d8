"""From real-valued fragments and gas to whole nuclei and nucleons: what a detector, or a de-excitation model, can take.

Numbers of neutrons and protons are rounded by systematic sampling (Madow, Ann. Math. Stat. 20 (1949) 333): each is the
whole number below or above its value, right on average, and they add up to those of the colliding nuclei. The nucleons
of the gas are drawn from its test particles, conditionally on the four-momentum that is left: of many draws, the one
that misses it least. A common shift of all velocities and a common stretch of all momenta close the balance exactly,
with measured masses; a rounding that needs too much of a stretch is drawn again. Common rest frame, MeV, MeV/c.
"""

from __future__ import annotations

import math
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
"""Of momenta, at least and at most: else the rounding is drawn again."""
TRIES = 50
"""Roundings that are drawn again; the one after them is taken with any stretch, and excitation gives way to it."""
WARMEST = 0.9
"""Share of the energy that there is, to which excitation then gives way."""


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
        ArithmeticError: no rounding closes the balance: rest masses and excitation leave too little energy.
    """
    total = available_energy(channel)
    hot = np.maximum(excitation, 0.0)
    for attempt in range(TRIES + 1):
        neutrons = systematic_rounding(A - Z, channel.nucleons - channel.protons, rng)
        protons = systematic_rounding(Z, channel.protons, rng)
        there = neutrons[:-1] + protons[:-1] > 0
        whole_A, whole_Z = (neutrons + protons)[:-1][there], protons[:-1][there]
        own = momentum[there] * (whole_A / A[there])[:, None]
        warm, cold_mass = np.where(whole_A > 1, hot[there], 0.0), mass_or_estimate(whole_Z, whole_A)
        spare = total - cold_mass.sum() - nucleon_masses(neutrons[-1], protons[-1])
        if spare <= 0 and attempt == TRIES:
            raise ArithmeticError(f"{-spare:.1f} MeV too little energy for the rest masses of an event")
        if spare > 0 and attempt == TRIES and warm.sum() >= spare:
            warm = warm * (WARMEST * spare / warm.sum())
        spare -= float(warm.sum())
        if spare <= 0:
            continue
        mass = cold_mass + warm
        gas = _draw_gas(
            gas_momentum, gas_species, neutrons[-1], protons[-1], -own.sum(axis=0),
            spare - ((own**2).sum(axis=1) / (2 * mass)).sum(), rng,
        )  # fmt: skip
        species = np.repeat([0, 1], [neutrons[-1], protons[-1]])
        all_A = np.concatenate([whole_A, np.ones(len(gas), np.int64)])
        all_Z = np.concatenate([whole_Z, species])
        cold = np.concatenate([warm, np.zeros(len(gas))])
        masses = mass_or_estimate(all_Z, all_A) + cold
        p = np.concatenate([own, gas])
        p -= p.sum(axis=0) * (masses / masses.sum())[:, None]
        stretch = _stretch(p, masses, total)
        if stretch is not None and (STRETCH[0] < stretch < STRETCH[1] or attempt == TRIES):
            return Nuclei(all_A, all_Z, p * stretch, cold, stretch)
        if len(all_A) == 1:  # the nuclei have fused: at rest, all energy is excitation
            return Nuclei(all_A, all_Z, np.zeros((1, 3)), cold + spare, 1.0)
    raise ArithmeticError("momenta of an event cannot take up its energy")


def available_energy(channel: EntranceChannel) -> float:
    """Of both nuclei in their common rest frame, with measured masses [MeV].

    Args:
        channel: which nuclei, at which energy.
    """
    first, second = (float(nuclear_mass(Z, A)) for A, Z in (channel.projectile, channel.target))
    moving = first + channel.projectile[0] * channel.energy
    return math.sqrt(first**2 + second**2 + 2 * moving * second)


def nucleon_masses(neutrons: int, protons: int) -> float:
    """Rest energy of free nucleons [MeV].

    Args:
        neutrons: how many.
        protons: how many.
    """
    return float(neutrons * nuclear_mass(0, 1) + protons * nuclear_mass(1, 1))


def systematic_rounding(numbers: Floats, total: int, rng: np.random.Generator) -> Whole:
    """Whole numbers near real ones (n + 1,), the last what is left of ``total``; each is right on average.

    Args:
        numbers: (n,) not negative; their sum is at most ``total``, but for rounding errors.
        total: a whole number.
        rng: what is random.

    Examples:
        >>> systematic_rounding(np.array([5.0, 4.0]), 12, np.random.default_rng(1))
        array([5, 4, 3])
    """
    start = rng.random()
    # sums of multiples of 1 / N_test that should be whole may be a rounding error below
    cuts = np.floor(np.cumsum(numbers) + start + 1e-9) - np.floor(start + 1e-9)
    whole: Whole = np.diff(np.minimum(cuts, total).astype(np.int64), prepend=0, append=total)
    return whole


def _draw_gas(
    momentum: Floats, species: NDArray[np.int8], neutrons: int, protons: int, wanted: Floats, energy: float,
    rng: np.random.Generator,
) -> Floats:  # fmt: skip
    """Momenta (nucleon, 3) of free nucleons, neutrons first, that carry about the wanted momentum and energy."""
    chosen = []
    for q, number in enumerate((neutrons, protons)):
        if not number:
            chosen.append(np.zeros((DRAWS, 0, 3)))
            continue
        of_kind = np.flatnonzero(species == q)
        if not len(of_kind):  # a rounding may need one nucleon of a kind that has no test particle left
            of_kind = np.arange(len(species))
        chosen.append(momentum[of_kind][rng.integers(len(of_kind), size=(DRAWS, number))])
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
