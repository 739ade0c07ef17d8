"""Interactions of hadrons with nuclei by UrQMD 3.4 (package ``chromo``), a second model beside Geant4's.

Bass et al., Prog. Part. Nucl. Phys. 41 (1998) 255; Bleicher et al., J. Phys. G 25 (1999) 1859. UrQMD follows every
nucleon: what is left of the nucleus comes as free nucleons, there is no evaporation and no residual nucleus, which is
the largest difference to Geant4. Kaons of mixed strangeness are no projectiles of it.

Impact parameters reach beyond the nucleus: events in which nothing happened are drawn again. An event on hydrogen that
leaves projectile and proton, but turned, is elastic. Not all beams have such events: chromo switches the elastic
scattering of two baryons off, and the elastic collisions of fast pions with protons change no momentum at all (182 of
1000 events of pi+ at 25 GeV) and so count as nothing that happened; kaons and slower pions are turned (29 % of K+ at 10
GeV, 28 % of pi+ at 5 GeV). Every other beam costs an initialisation of a few milliseconds;
the same one many times in a row is faster. UrQMD runs in processes of its own, one for hydrogen and one for nuclei (see
``urqmd_process``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import Beam, Events, joined
from cloudchamber.simulators.hadronic.kinematics import turns
from cloudchamber.simulators.hadronic.own_process import OwnProcess
from cloudchamber.simulators.hadronic.particles import MIXED_KAONS, NUCLEI


class UrQMD:
    """UrQMD, started when it is asked; ``close`` it, or let this process end."""

    data = "compiled in"
    version = "3.4"

    def __init__(self) -> None:
        self._programs: dict[bool, OwnProcess] = {}

    def generate(self, beam: Beam, seed: int) -> Events:
        """The interaction of every projectile of ``beam``.

        Args:
            beam: projectiles of ``particles.PROJECTILES`` but K0L, targets of ``particles.TARGETS``.
            seed: of the generator.

        Raises:
            BadInput: the package is not installed, a projectile that UrQMD does not know, or no interaction.
        """
        mixed = np.isin(beam.projectile, MIXED_KAONS)  # the library would be broken after the question
        if mixed.any():
            raise BadInput(f"UrQMD has no projectile {beam.projectile[mixed][0]}: a K0 or its antiparticle is needed")
        hydrogen = beam.target == 1
        parts = [np.flatnonzero(hydrogen == which) for which in (False, True)]
        made = [self._generate(beam.take(rows), seed, bool(which)) for which, rows in enumerate(parts) if len(rows)]
        return joined(made).ordered(np.argsort(np.concatenate(parts)))

    def close(self) -> None:
        """End the processes."""
        for program in self._programs.values():
            program.close()
        self._programs.clear()

    def _generate(self, beam: Beam, seed: int, hydrogen: bool) -> Events:
        if hydrogen not in self._programs:
            self._programs[hydrogen] = OwnProcess("UrQMD", "chromo", "generators", "urqmd_process", {})
        found = self._programs[hydrogen].ask({**beam.arrays(), "seed": np.array(seed)})
        turn, count = turns(beam.direction), found["count"]

        def turned(momentum: NDArray[np.float64], rotation: NDArray[np.float64]) -> NDArray[np.float64]:
            space = np.einsum("nij,nj->ni", rotation, momentum[:, 1:])
            return np.concatenate([momentum[:, :1], space], axis=1)

        return Events(
            beam,
            np.array([NUCLEI[int(charge)] for charge in beam.target], np.int32),
            turned(found["incoming"], turn),
            found["channel"],
            np.concatenate([[0], np.cumsum(count)]),
            found["kind"],
            turned(found["momentum"], np.repeat(turn, count, axis=0)),
        )
