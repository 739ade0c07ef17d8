"""Charge, baryon number, strangeness and mass of hadrons and nuclei by PDG code, and the projectiles and targets.

Source: package ``particle``; PDG, "Monte Carlo particle numbering scheme".

Conventions: charge in e; masses in GeV; strangeness counts s as -1. K0S and K0L are no eigenstates of strangeness: they
count as 0, and each may stand for +1 or -1 in the budget of an event.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput, did_you_mean

PROJECTILES = {"pi+": 211, "pi-": -211, "K+": 321, "K-": -321, "K0L": 130, "p": 2212, "n": 2112}
"""Names of projectiles, and their PDG codes."""

TARGETS = {"H": 1, "C": 6, "Ar": 18, "Fe": 26, "Cu": 29, "W": 74, "Pb": 82}
"""Elements that a target can be made of, and their charges."""

ISOTOPES = {"H": 1, "C": 12, "Ar": 40, "Fe": 56, "Cu": 63, "W": 184, "Pb": 208}
"""Mass number of each target: the most abundant isotope, so that every event's nucleus is known."""

MIXED_KAONS = (130, 310)
NUCLEUS = 1_000_000_000

BEAM_MASSES = {
    211: 0.1395701, 321: 0.493677, 130: 0.497614, 2212: 0.938272013, 2112: 0.93956536,
    1000060120: 11.17486338798439, 1000180400: 37.21553769452652, 1000260560: 52.089808009455,
    1000290630: 58.60377074952164, 1000741840: 171.31181885388037, 1000822080: 193.68767619713637,
}  # fmt: skip
"""Masses of projectiles and target nuclei as Geant4 11.4 has them, in GeV, by absolute PDG code."""

ELECTRON_MASS = 0.51099895e-3


class QuantumNumbers(NamedTuple):
    """What the strong interaction conserves, of one kind of particle."""

    charge: int
    baryon_number: int
    strangeness: int


def projectile_code(name: str) -> int:
    """PDG code of a projectile by name; BadInput (status 2) with a suggestion for another."""
    if name not in PROJECTILES:
        raise BadInput(f"unknown projectile {name!r}{did_you_mean(name, PROJECTILES)}", status=2)
    return PROJECTILES[name]


def target_charge(name: str) -> int:
    """Charge of a target by its element; BadInput (status 2) with a suggestion for another."""
    if name not in TARGETS:
        raise BadInput(f"unknown material {name!r}{did_you_mean(name, TARGETS)}", status=2)
    return TARGETS[name]


def nucleus_code(charge: int, baryons: int) -> int:
    """PDG code of a nucleus in its ground state; the proton and the neutron keep their own.

    Examples:
        >>> nucleus_code(82, 208), nucleus_code(1, 1)
        (1000822080, 2212)
    """
    if baryons == 1 and charge in (0, 1):
        return 2212 if charge else 2112
    return NUCLEUS + 10_000 * charge + 10 * baryons


NUCLEI = {charge: nucleus_code(charge, ISOTOPES[name]) for name, charge in TARGETS.items()}
"""PDG codes of the target nuclei, by charge."""


@lru_cache(maxsize=4096)
def quantum_numbers(code: int) -> QuantumNumbers:
    """Charge, baryon number and strangeness of one PDG code.

    Raises:
        BadInput: no hadron, nucleus, lepton or photon has this code.
    """
    from particle import PDGID

    found = PDGID(int(code))
    if not found.is_valid or found.charge is None:
        raise BadInput(f"{code} is no PDG code of a particle")
    sign = 1 if code > 0 else -1
    charge = round(found.charge)
    if found.is_nucleus and abs(code) >= NUCLEUS:
        hyperons = abs(code) // 10_000_000 % 10
        return QuantumNumbers(charge, sign * int(found.A), -sign * hyperons)
    quarks = [int(digit) for digit in f"{abs(code) % 10_000:04d}"[:3]]
    if found.is_baryon:
        return QuantumNumbers(charge, sign, -sign * quarks.count(3))
    if found.is_meson and code not in MIXED_KAONS and quarks[1] != quarks[2]:
        # of two different quarks the heavier comes first; it is an antiquark if it is of down type
        first, second = quarks[1], quarks[2]
        strange = (1 if first == 3 else 0) + (-1 if second == 3 else 0) if first % 2 else (1 if second == 3 else 0)
        return QuantumNumbers(charge, 0, sign * strange)
    return QuantumNumbers(charge, 0, 0)


def conserved(codes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Charge, baryon number and strangeness (particle, 3) of PDG codes (particle,).

    Examples:
        >>> conserved(np.array([211, 2112, 3122, 1000060120])).tolist()  # pi+, n, Lambda, carbon 12
        [[1, 0, 0], [0, 1, 0], [0, 1, -1], [6, 12, 0]]
    """
    kinds, places = np.unique(codes, return_inverse=True)
    table = np.array([quantum_numbers(int(kind)) for kind in kinds], dtype=np.int64).reshape(-1, 3)
    return np.asarray(table[places])


@lru_cache(maxsize=4096)
def _mass(code: int) -> float:
    from particle import Particle, ParticleNotFound

    code = abs(code)
    if code in BEAM_MASSES:
        return BEAM_MASSES[code]
    if code < NUCLEUS:
        try:
            return float(Particle.from_pdgid(code).mass or 0.0) / 1e3
        except ParticleNotFound:
            raise BadInput(f"{code} is no PDG code of a particle of known mass") from None
    charge, baryons, strangeness = quantum_numbers(code)
    hyperons = -strangeness
    if hyperons:  # bound by little
        lambdas = hyperons * _mass(3122)
        inside = baryons - hyperons
        return lambdas + (_mass(nucleus_code(charge, inside)) if inside else 0.0)
    try:
        atom = Particle.from_pdgid(nucleus_code(charge, baryons)).mass
    except ParticleNotFound:
        atom = None
    if atom is None or baryons == 1:
        return _semi_empirical(charge, baryons)
    binding: float = (14.4381 * charge**2.39 + 1.55468e-6 * charge**5.35) * 1e-9
    return float(atom) / 1e3 - charge * ELECTRON_MASS + binding


def _semi_empirical(charge: int, baryons: int) -> float:
    """Bethe and Weizsaecker's formula, for nuclei that nobody has seen; at least unbound nucleons."""
    free = charge * BEAM_MASSES[2212] + (baryons - charge) * BEAM_MASSES[2112]
    paired = (charge % 2 == 0) + ((baryons - charge) % 2 == 0) - 1
    binding: float = (
        15.75 * baryons - 17.8 * baryons ** (2 / 3) - 0.711 * charge * (charge - 1) / baryons ** (1 / 3)
        - 23.7 * (baryons - 2 * charge) ** 2 / baryons + 11.18 * paired / baryons**0.5
    )  # fmt: skip
    return free - max(binding, 0.0) / 1e3


def masses(codes: NDArray[np.integer]) -> NDArray[np.float64]:
    """Masses in GeV (particle,) of PDG codes (particle,): of nuclei in their ground state, without electrons.

    Geant4's own values for what makes a beam (``BEAM_MASSES``), else the package ``particle``: hadrons by the PDG,
    nuclei by the atomic mass evaluation less the electrons and their binding (Lunney, Pearson and Thibault, Rev. Mod.
    Phys. 75 (2003) 1021, eq. A4), those that it does not know by the semi-empirical formula.

    Raises:
        BadInput: a code of no particle of known mass.
    """
    kinds, places = np.unique(codes, return_inverse=True)
    return np.asarray(np.array([_mass(int(kind)) for kind in kinds], dtype=np.float64)[places])


@lru_cache(maxsize=1)
def nuclides() -> NDArray[np.bool_]:
    """Which nuclei exist, by charge and mass number (charge, mass number): those of the atomic mass evaluation."""
    from particle import Particle

    there = np.zeros((140, 360), np.bool_)
    for code in (int(one.pdgid) for one in Particle.all() if one.pdgid > NUCLEUS):
        charge, baryons = code // 10_000 % 1000, code // 10 % 1000
        there[charge, baryons] = charge > 0 or baryons == 1
    return there
