"""The simulator itself, asked once more with another seed: truth against truth, the floor of every distance.

Finite samples of one distribution differ; a generator that comes this near cannot be told from the truth.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np

from cloudchamber.data.files import write_text
from cloudchamber.data.geant4_data import home_made_tables
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import Beam, Events
from cloudchamber.simulators.hadronic.models import model

FILE = "simulator_again.json"

SEEDS = 2**31 - 1
"""Models take seeds below this."""


class SimulatorAgain:
    """Runs a model of ``simulators.hadronic.models`` for each sample and ends it.

    Args:
        name: of the model.

    Raises:
        BadInput: no model of this name.
    """

    kind = "floor"

    def __init__(self, name: str = "geant4") -> None:
        self._be(name)

    def fit(self, train: Events, validation: Events, directory: Path) -> None:  # noqa: ARG002
        """There is nothing to learn. Writes the model's name (``simulator_again.json``)."""
        directory.mkdir(parents=True, exist_ok=True)
        write_text(directory / FILE, json.dumps({"model": self.name}))

    def restore(self, directory: Path) -> None:
        """Be the model that ``simulator_again.json`` names.

        Raises:
            BadInput: no such file, or not one of ours.
        """
        try:
            name = str(json.loads((directory / FILE).read_text(encoding="utf-8"))["model"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{directory / FILE} names no model ({error!r}): fit it again") from None
        self._be(name)

    def sample(self, condition: Beam, rng: np.random.Generator) -> Events:
        """One interaction for every entry of ``condition``, with a seed from ``rng``.

        Raises:
            BadInput: the model is not installed, or ends before its time.
        """
        with contextlib.closing(self.model.start(home_made_tables())) as program:
            return program.generate(condition, int(rng.integers(SEEDS)))

    def _be(self, name: str) -> None:
        self.name, self.model = name, model(name)
        self.title = f"{self.model.title.split(',')[0]} again (truth against truth)"
