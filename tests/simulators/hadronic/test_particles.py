"""Quantum numbers of particles against their quarks, and names against PDG codes."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.particles import (
    ISOTOPES,
    NUCLEI,
    PROJECTILES,
    TARGETS,
    conserved,
    masses,
    nucleus_code,
    projectile_code,
    quantum_numbers,
    target_charge,
)

KNOWN = {
    211: (1, 0, 0), -211: (-1, 0, 0), 111: (0, 0, 0), 221: (0, 0, 0), 331: (0, 0, 0), 333: (0, 0, 0), 113: (0, 0, 0),
    321: (1, 0, 1), -321: (-1, 0, -1), 311: (0, 0, 1), -311: (0, 0, -1), 130: (0, 0, 0), 310: (0, 0, 0),
    323: (1, 0, 1), 411: (1, 0, 0), 431: (1, 0, 1), 22: (0, 0, 0), 2212: (1, 1, 0), -2212: (-1, -1, 0),
    2112: (0, 1, 0), 2224: (2, 1, 0), 3122: (0, 1, -1), -3122: (0, -1, 1), 3222: (1, 1, -1), 3112: (-1, 1, -1),
    3212: (0, 1, -1), 3312: (-1, 1, -2), 3322: (0, 1, -2), 3334: (-1, 1, -3), -3334: (1, -1, 3),
    1000010020: (1, 2, 0), 1000060120: (6, 12, 0), 1000822080: (82, 208, 0), 1010010030: (1, 3, -1),
}  # fmt: skip
"""Charge, baryon number, strangeness from the quark model (PDG review, table of the scheme)."""


@pytest.mark.parametrize("code", KNOWN)
def test_quantum_numbers_are_those_of_the_quarks(code: int) -> None:
    assert tuple(quantum_numbers(code)) == KNOWN[code]


def test_antiparticles_have_the_opposite_numbers() -> None:
    for code in (211, 321, 311, 2212, 2112, 3122, 3312, 3334):
        assert tuple(quantum_numbers(-code)) == tuple(-one for one in quantum_numbers(code))


def test_quantum_numbers_of_many_codes_come_in_order() -> None:
    codes = np.array([2212, -211, 1000060120, -321, 2212])
    assert conserved(codes).tolist() == [list(KNOWN[code]) for code in codes.tolist()]
    assert conserved(np.zeros(0, np.int32)).shape == (0, 3)


def test_nuclei_are_named_after_charge_and_mass_number() -> None:
    assert nucleus_code(1, 1) == 2212
    assert nucleus_code(0, 1) == 2112
    for name, charge in TARGETS.items():
        assert tuple(quantum_numbers(NUCLEI[charge])) == (charge, ISOTOPES[name], 0)


HYPERNUCLEI = {1010010030: 2.9911, 1010010040: 3.9226, 1010020050: 4.8399, 1020020060: 5.9518}
"""Masses in GeV of nuclei with one Lambda and with two: lightest nucleus and Lambdas less the measured binding (review
of Gal, Hungerford and Millener, Rev. Mod. Phys. 88 (2016) 035004)."""


def test_a_hypernucleus_weighs_as_its_core_and_lambdas() -> None:
    # 0.1 to 7 MeV of binding are left out; a nucleon or a Lambda too many weighs 1 GeV
    assert masses(np.array(list(HYPERNUCLEI))) == pytest.approx(list(HYPERNUCLEI.values()), abs=0.008)


def test_unknown_names_and_codes_are_refused() -> None:
    assert projectile_code("pi+") == PROJECTILES["pi+"]
    with pytest.raises(BadInput, match="did you mean 'K0L'"):
        projectile_code("k0l")
    with pytest.raises(BadInput, match="unknown material 'Pbb'"):
        target_charge("Pbb")
    with pytest.raises(BadInput, match="99999999"):
        quantum_numbers(99999999)
