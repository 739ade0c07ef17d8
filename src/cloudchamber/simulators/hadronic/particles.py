"""Charge, baryon number and strangeness of hadrons and nuclei by PDG code (package ``particle``; PDG, "Monte Carlo
particle numbering scheme"), and which projectiles and targets there are.

Conventions: charge in e; strangeness counts s as -1. K0S and K0L are no eigenstates of strangeness: they count as 0,
and each may stand for +1 or -1 in the budget of an event.
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
    """PDG code of a nucleus in its ground state; the proton and the neutron keep their own."""
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
    """(particle, 3): charge, baryon number and strangeness of PDG codes (particle,)."""
    kinds, places = np.unique(codes, return_inverse=True)
    table = np.array([quantum_numbers(int(kind)) for kind in kinds], dtype=np.int64).reshape(-1, 3)
    return np.asarray(table[places])
