"""The models of hadronic interactions behind one face: what each can do, as data, and how to start it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput, did_you_mean
from cloudchamber.simulators.hadronic.events import Beam, Events
from cloudchamber.simulators.hadronic.particles import PROJECTILES, TARGETS, projectile_code, target_charge


class Generator(Protocol):
    """A running model.

    Attributes:
        data: which tables it uses.
        version: of the program.
    """

    data: str
    version: str

    def generate(self, beam: Beam, seed: int) -> Events:
        """One interaction for every entry of ``beam``."""
        ...

    def close(self) -> None:
        """End what was started."""
        ...


@dataclass(frozen=True)
class Model:
    """A model and what it can do.

    Attributes:
        title: of the program and its settings.
        projectiles, targets: names that it knows.
        lowest, highest: kinetic energies in GeV.
        start: makes a running one; takes a directory for tables.
    """

    title: str
    projectiles: tuple[str, ...]
    targets: tuple[str, ...]
    lowest: float
    highest: float
    start: Callable[[Path], Generator]


def _geant4(tables: Path) -> Generator:
    from cloudchamber.simulators.hadronic.geant4 import Geant4

    return Geant4(tables)


def _urqmd(tables: Path) -> Generator:  # noqa: ARG001
    from cloudchamber.simulators.hadronic.urqmd import UrQMD

    return UrQMD()


MODELS = {
    "geant4": Model("Geant4, FTFP_BERT_ATL", tuple(PROJECTILES), tuple(TARGETS), 1.0, 100.0, _geant4),
    "urqmd": Model(
        "UrQMD 3.4", tuple(name for name in PROJECTILES if name != "K0L"), tuple(TARGETS), 5.0, 100.0, _urqmd
    ),
}


def model(name: str) -> Model:
    """By name; BadInput (status 2) with a suggestion for another."""
    if name not in MODELS:
        raise BadInput(f"unknown model {name!r}{did_you_mean(name, MODELS)}", status=2)
    return MODELS[name]


def beam_of(
    chosen: Model, projectile: str, target: str, kinetic_energy: float, direction: NDArray[np.float64], n: int
) -> Beam:
    """The same projectile n times.

    Args:
        chosen: the model, whose limits are kept.
        projectile: its name.
        target: its name.
        kinetic_energy: in GeV.
        direction: (3,), of any length but 0.
        n: events.

    Raises:
        BadInput: what the model does not know or cannot do, a direction of length 0; status 2.
    """
    code, charge = projectile_code(projectile), target_charge(target)
    if projectile not in chosen.projectiles:
        raise BadInput(f"{chosen.title} has no projectile {projectile}: {', '.join(chosen.projectiles)}", status=2)
    if not chosen.lowest <= kinetic_energy <= chosen.highest:
        raise BadInput(
            f"kinetic energy {kinetic_energy:g} GeV: {chosen.title} is used from {chosen.lowest:g} to"
            f" {chosen.highest:g} GeV",
            status=2,
        )
    length = float(np.linalg.norm(direction))
    if not (direction.shape == (3,) and math.isfinite(length) and length > 0):
        raise BadInput(f"direction {direction.tolist()}: give three numbers that are not all 0", status=2)
    return Beam(
        np.full(n, code, np.int32), np.full(n, charge, np.int32), np.full(n, float(kinetic_energy)),
        np.tile(direction / length, (n, 1)),
    )  # fmt: skip
