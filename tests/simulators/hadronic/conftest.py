"""One Geant4 and its tables for all tests of this folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from cloudchamber.simulators.hadronic.events import Beam
from cloudchamber.simulators.hadronic.geant4 import Geant4
from cloudchamber.simulators.hadronic.geant4_tables import write_tables
from cloudchamber.simulators.hadronic.models import MODELS, beam_of

DIRECTION = np.array([0.6, 0.6, 0.529])


@pytest.fixture(scope="session")
def geant4(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Geant4]:
    if importlib.util.find_spec("geant4_pybind") is None:
        pytest.skip("needs the extra geant4")
    tables = tmp_path_factory.mktemp("geant4")
    write_tables(tables)
    running = Geant4(tables)
    yield running
    running.close()


@pytest.fixture(scope="session")
def beam() -> Callable[[str, str, float, int], Beam]:
    def make(projectile: str, target: str, energy: float, n: int) -> Beam:
        return beam_of(MODELS["geant4"], projectile, target, energy, DIRECTION, n)

    return make
