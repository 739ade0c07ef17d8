"""Levels of the nuclei up to A = 16 that do not fall apart, and the ground states of those that do at once.

Energies and spins are those of TUNL's evaluations "Energy Levels of Light Nuclei" (A = 3 to 16: Tilley, Weller,
Kelley, Ajzenberg-Selove et al.; Nucl. Phys. A 880 (2012) 88 for A = 11, 968 (2017) 71 for A = 12), as adopted in
ENSDF; compared level by level with RIPL-3 (Capote et al., Nucl. Data Sheets 110 (2009) 3107).

``BOUND`` has every level below the lowest threshold of particle emission (AME2020), and the level of 6Li at 3.563 MeV,
which isospin keeps from decaying into 4He + d. Left out are the levels of 13B, whose spins are not assigned.
``SHORT_LIVED`` has nuclei without any such level whose ground state is narrower than 1.5 MeV and has an assigned
spin: they leave as one body, and break up outside.

Geant4's pool (``G4FermiFragmentPoolAN``, behind the reference numbers of the tests) differs: fewer exotic nuclei, 11C
up to 8.66 MeV (above the 7.54 MeV of 7Be + 4He), 5He and 5Li only at 16.7 MeV, 2J+1 = 3 for 10C, close levels as one.

Conventions: nuclei are (A, Z), levels (energy [MeV], 2J+1).
"""

from __future__ import annotations

from typing import NamedTuple

from cloudchamber.simulators.transport.resonances import RESONANCES

Nucleus = tuple[int, int]

BOUND: dict[Nucleus, tuple[tuple[float, int], ...]] = {
    (1, 0): ((0.0, 2),),
    (1, 1): ((0.0, 2),),
    (2, 1): ((0.0, 3),),
    (3, 1): ((0.0, 2),),
    (3, 2): ((0.0, 2),),
    (4, 2): ((0.0, 1),),
    (6, 2): ((0.0, 1),),
    (6, 3): ((0.0, 3), (3.5629, 1)),
    (7, 3): ((0.0, 4), (0.4776, 2)),
    (7, 4): ((0.0, 4), (0.4291, 2)),
    (8, 2): ((0.0, 1),),
    (8, 3): ((0.0, 5), (0.9808, 3)),
    (8, 5): ((0.0, 5),),
    (9, 3): ((0.0, 4), (2.691, 2)),
    (9, 4): ((0.0, 4),),
    (9, 6): ((0.0, 4),),
    (10, 4): ((0.0, 1), (3.3680, 5), (5.9584, 5), (5.9599, 3), (6.1793, 1), (6.2633, 5)),
    (10, 5): ((0.0, 7), (0.7184, 3), (1.7401, 1), (2.1543, 3), (3.5871, 5)),
    (10, 6): ((0.0, 1), (3.3537, 5)),
    (11, 3): ((0.0, 4),),
    (11, 4): ((0.0, 2), (0.3200, 2)),
    (11, 5): ((0.0, 4), (2.1247, 2), (4.4450, 6), (5.0203, 4), (6.7419, 8), (6.7918, 2), (7.2855, 6), (7.9778, 4),
              (8.5601, 4)),
    (11, 6): ((0.0, 4), (2.0000, 2), (4.3188, 6), (4.8042, 4), (6.3392, 2), (6.4782, 8), (6.9048, 6), (7.4997, 4)),
    (12, 4): ((0.0, 1), (2.109, 5), (2.251, 1), (2.715, 3)),
    (12, 5): ((0.0, 3), (0.9531, 5), (1.6737, 5), (2.6208, 3), (2.723, 1)),
    (12, 6): ((0.0, 1), (4.4398, 5)),
    (12, 7): ((0.0, 3),),
    (13, 5): ((0.0, 4),),
    (13, 6): ((0.0, 2), (3.0894, 2), (3.6845, 4), (3.8538, 6)),
    (13, 7): ((0.0, 2),),
    (13, 8): ((0.0, 4),),
    (14, 4): ((0.0, 1),),
    (14, 5): ((0.0, 5), (0.740, 3)),
    (14, 6): ((0.0, 1), (6.0938, 3), (6.5894, 1), (6.7282, 7), (6.9026, 1), (7.0120, 5), (7.3414, 5)),
    (14, 7): ((0.0, 3), (2.3128, 1), (3.9481, 3), (4.9151, 1), (5.1059, 5), (5.6914, 3), (5.8343, 7), (6.2035, 3),
              (6.4462, 7), (7.0291, 5)),
    (14, 8): ((0.0, 1),),
    (15, 5): ((0.0, 4),),
    (15, 6): ((0.0, 2), (0.7400, 6)),
    (15, 7): ((0.0, 2), (5.2702, 6), (5.2988, 2), (6.3238, 4), (7.1551, 6), (7.3008, 4), (7.5671, 8), (8.3126, 2),
              (8.5714, 4), (9.0497, 2), (9.1519, 4), (9.1549, 6), (9.2221, 2), (9.760, 6), (9.829, 8), (9.925, 4),
              (10.066, 4)),
    (15, 8): ((0.0, 2), (5.183, 2), (5.2409, 6), (6.1763, 4), (6.7931, 4), (6.8594, 6), (7.2759, 8)),
    (16, 6): ((0.0, 1), (1.766, 5), (3.027, 1), (3.986, 5), (4.088, 7), (4.142, 9)),
    (16, 7): ((0.0, 5), (0.1204, 1), (0.2982, 7), (0.3973, 3)),
    (16, 8): ((0.0, 1), (6.0494, 1), (6.1299, 7), (6.9171, 5), (7.1169, 3)),
}  # fmt: skip
"""Levels of nuclei whose ground state does not emit particles, the ground state first."""

NEUTRON, PROTON, ALPHA = (1, 0), (1, 1), (4, 2)

SHORT_LIVED: dict[Nucleus, tuple[int, tuple[Nucleus, ...]]] = {
    (5, 2): (4, (ALPHA, NEUTRON)),
    (5, 3): (4, (ALPHA, PROTON)),
    (6, 4): (1, (ALPHA, PROTON, PROTON)),
    (7, 2): (4, ((6, 2), NEUTRON)),
    (7, 5): (4, ((6, 4), PROTON)),
    (8, 4): (1, (ALPHA, ALPHA)),
    (8, 6): (1, ((6, 4), PROTON, PROTON)),
    (9, 5): (4, ((8, 4), PROTON)),
    (10, 2): (1, ((8, 2), NEUTRON, NEUTRON)),
    (11, 7): (2, ((10, 6), PROTON)),
    (12, 8): (1, ((10, 6), PROTON, PROTON)),
}
"""2J+1 of the ground state, and what it falls apart into (which may fall apart again)."""


class Level(NamedTuple):
    """One state of a nucleus.

    Attributes:
        A: mass number.
        Z: charge number.
        energy: above the ground state [MeV].
        degeneracy: 2J+1.
        products: the nuclei into which a short-lived ground state falls apart.
        resonance: whether it breaks up like any hot nucleus.
    """

    A: int
    Z: int
    energy: float
    degeneracy: int
    products: tuple[Nucleus, ...] = ()
    resonance: bool = False


LONG_LIVED: tuple[Level, ...] = tuple(
    sorted(
        [Level(A, Z, energy, spins) for (A, Z), levels in BOUND.items() for energy, spins in levels]
        + [Level(A, Z, 0.0, spins, products) for (A, Z), (spins, products) in SHORT_LIVED.items()]
    )
)
"""Bound levels and short-lived ground states, by A, then Z, then energy."""

WITH_RESONANCES: tuple[Level, ...] = tuple(
    sorted(
        [Level(A, Z, energy, spins, (), True) for (A, Z), levels in RESONANCES.items() for energy, spins in levels]
        + list(LONG_LIVED)
    )
)
"""The same and the resonances, which break up again."""
