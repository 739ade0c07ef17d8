"""Interactions of hadrons with nuclei by UrQMD 3.4 (package ``chromo``), a second model beside Geant4's.

Bass et al., Prog. Part. Nucl. Phys. 41 (1998) 255; Bleicher et al., J. Phys. G 25 (1999) 1859. UrQMD follows every
nucleon: what is left of the nucleus comes as free nucleons, there is no evaporation and no residual nucleus, which is
the largest difference to Geant4. Kaons of mixed strangeness are no projectiles of it.

Impact parameters reach beyond the nucleus: events in which nothing happened are drawn again. An event that leaves the
projectile and the nucleus as they were, but turned, is elastic. Every other beam costs an
initialisation of a few milliseconds; the same one many times in a row is faster.
"""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import ELASTIC, INELASTIC, Beam, Events
from cloudchamber.simulators.hadronic.kinematics import turns
from cloudchamber.simulators.hadronic.particles import ISOTOPES, NUCLEI, TARGETS

INSTALL = "pip install 'cloudchamber[generators]'"
TRIES = 1000
"""Attempts at one interaction; about every other impact parameter misses a light nucleus."""
UNTOUCHED = 1e-6
"""GeV: a projectile that lost less energy met nothing."""

_RUNNING: list[Any] = []  # the library holds one generator a process, and whether it began with hydrogen


class UrQMD:
    """UrQMD in this process.

    Raises:
        BadInput: the package is not installed.
    """

    data = "compiled in"
    version = "3.4"

    def __init__(self) -> None:
        if importlib.util.find_spec("chromo") is None:
            raise BadInput(f"UrQMD is not installed: {INSTALL}")

    def generate(self, beam: Beam, seed: int) -> Events:
        """The interaction of every projectile of ``beam``.

        Args:
            beam: projectiles of ``particles.PROJECTILES`` but K0L, targets of ``particles.TARGETS``.
            seed: of the generator.

        Raises:
            BadInput: a projectile that UrQMD does not know, or no interaction in TRIES tries.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that short-lived particles stay undecayed, which we want
            return self._generate(beam, seed)

    def close(self) -> None:
        """Nothing was started: the library stays in this process."""

    def _generate(self, beam: Beam, seed: int) -> Events:
        rows = np.stack([beam.projectile, beam.target, beam.kinetic_energy], axis=1).astype(np.float64)
        kinds, group = np.unique(rows, axis=0, return_inverse=True)
        found: list[tuple[int, NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]] = []
        places: list[int] = []
        for number, (projectile, target, energy) in enumerate(kinds):
            mine = np.flatnonzero(group == number)
            generator = _generator(int(projectile), int(target), float(energy), seed + number)
            found += [_one(generator, int(projectile)) for _ in mine]
            places += mine.tolist()
        found = [found[place] for place in np.argsort(places)]
        turn = turns(beam.direction)
        momentum = [np.concatenate([p[:, :1], p[:, 1:] @ turn[i].T], axis=1) for i, (_, _, p, _) in enumerate(found)]
        incoming = np.stack([np.concatenate([total[:1], turn[i] @ total[1:]]) for i, (*_, total) in enumerate(found)])
        return Events(
            beam,
            np.array([NUCLEI[int(charge)] for charge in beam.target], np.int32),
            incoming,
            np.array([channel for channel, *_ in found], np.uint8),
            np.concatenate([[0], np.cumsum([len(kind) for _, kind, _, _ in found])]),
            np.concatenate([kind for _, kind, _, _ in found]),
            np.concatenate(momentum),
        )


def _generator(projectile: int, target: int, energy: float, seed: int) -> Any:
    """The library's generator with this beam and these random numbers."""
    from chromo.constants import GeV
    from chromo.kinematics import FixedTarget, KinEnergy
    from chromo.models import UrQMD34

    symbol = {charge: name for name, charge in TARGETS.items()}[target]
    struck = "p" if target == 1 else f"{symbol}{ISOTOPES[symbol]}"
    if _RUNNING and _RUNNING[1] != (target == 1):
        # after a nucleus the library gives a single proton Fermi momentum, and its energy no longer adds up
        raise BadInput("UrQMD in one process serves hydrogen or nuclei, not both: start another process for the other")
    try:
        kinematics = FixedTarget(KinEnergy(energy * GeV), projectile, struck)
        if not _RUNNING:
            _RUNNING.extend([UrQMD34(kinematics, seed=seed), target == 1])
        else:
            _RUNNING[0].kinematics = kinematics
    except (KeyError, ValueError) as error:
        raise BadInput(f"UrQMD has no projectile {projectile} on {struck} at {energy:g} GeV ({error})") from None
    generator = _RUNNING[0]
    generator.random_state = np.random.default_rng(seed).bit_generator.state
    return generator


def _one(generator: Any, projectile: int) -> tuple[int, NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
    """Channel, kinds, momenta along z and their sum, of the next event in which something happens."""
    before = float(generator.kinematics.elab)
    for event in generator(TRIES):
        final = event.final_state()
        kind = np.asarray(final.pid, dtype=np.int32)
        momentum = np.stack([final.en, final.px, final.py, final.pz], axis=1).astype(np.float64)
        leading = int(np.argmax(np.where(kind == projectile, momentum[:, 0], -1.0)))
        rest = np.delete(kind, leading)
        alone = kind[leading] == projectile and np.isin(rest, (2212, 2112)).all()
        if alone and abs(momentum[leading, 0] - before) < UNTOUCHED:
            continue
        channel = ELASTIC if alone and len(rest) == 1 else INELASTIC
        return channel, kind, momentum, momentum.sum(axis=0)
    raise BadInput(f"UrQMD: no interaction in {TRIES} tries")
