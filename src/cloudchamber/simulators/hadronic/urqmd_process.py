"""The process in which UrQMD lives (see ``own_process``): it serves hydrogen or nuclei, not both.

After a nucleus the library would give a single proton Fermi momentum, and its energy would no longer add up. It also
writes its cross-section tables where it stands.

Messages: in the arrays of ``events.Beam`` and a seed. Out: channel, count (particles of each event), kind, momentum
[GeV] and incoming (event, 4), the latter two with the projectile along z.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from chromo.constants import GeV
from chromo.kinematics import FixedTarget, KinEnergy
from chromo.models import UrQMD34

from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import ELASTIC, INELASTIC
from cloudchamber.simulators.hadronic.own_process import Message, serve
from cloudchamber.simulators.hadronic.particles import ISOTOPES, TARGETS

TRIES = 1000
"""Attempts at one interaction; about every other impact parameter misses a light nucleus."""
UNTOUCHED = 1e-6
"""GeV: a projectile that has less transverse momentum than this, and left nothing but nucleons, met nothing."""

SYMBOLS = {charge: name for name, charge in TARGETS.items()}


class Library:
    """The library's only generator."""

    def __init__(self) -> None:
        self.generator: Any = None

    def interact(self, beam: Message) -> Message:
        """The interaction of every projectile; equal ones are made one after the other."""
        rows = np.stack([beam["projectile"], beam["target"], beam["kinetic_energy"]], axis=1).astype(np.float64)
        kinds, group = np.unique(rows, axis=0, return_inverse=True)
        found: dict[int, tuple[Any, ...]] = {}
        for number, (projectile, target, energy) in enumerate(kinds):
            self._aim(int(projectile), int(target), float(energy), int(beam["seed"]) + number)
            for place in np.flatnonzero(group == number):
                found[int(place)] = self._one(int(projectile))
        events = [found[place] for place in range(len(rows))]
        return {
            "channel": np.array([channel for channel, _, _ in events], np.uint8),
            "count": np.array([len(kind) for _, kind, _ in events], np.int64),
            "kind": np.concatenate([kind for _, kind, _ in events]),
            "momentum": np.concatenate([momentum for *_, momentum in events]),
            "incoming": np.stack([momentum.sum(axis=0) for *_, momentum in events]),
        }

    def _aim(self, projectile: int, target: int, energy: float, seed: int) -> None:
        struck = "p" if target == 1 else f"{SYMBOLS[target]}{ISOTOPES[SYMBOLS[target]]}"
        try:
            kinematics = FixedTarget(KinEnergy(energy * GeV), projectile, struck)
            if self.generator is None:
                self.generator = UrQMD34(kinematics, seed=seed)
            else:
                self.generator.kinematics = kinematics
        except (KeyError, ValueError) as error:
            raise BadInput(f"no projectile {projectile} on {struck} at {energy:g} GeV ({error})") from None
        self.generator.random_state = np.random.default_rng(seed).bit_generator.state

    def _one(self, projectile: int) -> tuple[int, Any, Any]:
        """Channel, kinds and momenta of the next event in which something happens.

        Energies do not tell that: the library's masses are not those that it is sent with (pions by 2 MeV).
        """
        for event in self.generator(TRIES):
            final = event.final_state()
            kind = np.asarray(final.pid, dtype=np.int32)
            momentum = np.stack([final.en, final.px, final.py, final.pz], axis=1).astype(np.float64)
            leading = int(np.argmax(np.where(kind == projectile, momentum[:, 0], -1.0)))
            rest = np.delete(kind, leading)
            alone = kind[leading] == projectile and np.isin(rest, (2212, 2112)).all()
            if alone and np.hypot(*momentum[leading, 1:3]) < UNTOUCHED:
                continue
            return ELASTIC if alone and len(rest) == 1 else INELASTIC, kind, momentum
        raise BadInput(f"no interaction in {TRIES} tries")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # that short-lived particles stay undecayed, which we want
    serve(lambda: ({}, Library().interact))
