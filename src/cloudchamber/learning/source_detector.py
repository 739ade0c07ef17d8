"""A network that searches a sky of cosmic rays for a source, as a predictor.

The networks are those of the talk and its outlook: DeepSphere on HEALPix maps (arXiv:2012.15000) and a dynamic graph
network on the cosmic rays themselves (Bister, Erdmann, Glombitza, Langner, Schulte, Wirtz, arXiv:2003.13038).

Conventions: a cosmic ray is (x, y, z, E in EeV). The test statistic is the log-odds in float64: a softmax saturates at
1, log-odds do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.sky_networks import FRACTION_SCALE, Look, Redraw, answers
from cloudchamber.learning.weights import read_weights, ready, restoring, seeded_start
from cloudchamber.schema import BadInput

BATCH = 32
"""Skies that go through a network at once when it predicts."""
STANDARDISATION_SKIES = 256
LOADERS = 3
"""Processes that read and redraw skies for a GPU: with one, the GPU is idle most of the time."""


@dataclass(eq=False)
class SourceDetector:
    """A network that searches for a source, as a predictor (see ``study.Predictor``).

    Its answers have the columns of ``data.skies.targets_of``; the first is the log-odds in float64.

    Its directory holds ``weights.pt`` and ``history.csv``.

    Args:
        title: for tables.
        make: a freshly initialised network with the outputs (log-odds, fraction / FRACTION_SCALE, x, y, z).
        look: what it reads of the cosmic rays.
        redraw: the study's augmentation.
        options: settings of the training.
        seed: of start, order and augmentation.
        device: "cpu" or "cuda".
    """

    title: str
    make: Callable[[], nn.Module]
    look: Look
    redraw: Redraw
    options: TrainingOptions
    seed: int
    device: str = "cpu"
    network: nn.Module = field(init=False, default_factory=nn.Identity)

    kind = "network"

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Train, or go on training.

        Raises:
            BadInput: no skies with or without signal to learn from, or records without the truth.
        """
        for name, samples in (("training", train), ("validation", validation)):
            if len(set(samples.targets[:, 0].tolist())) < 2:
                raise BadInput(f"the {name} skies are all of one kind: a search needs skies with and without a source")
        # Lightning takes seconds to import and is not needed to predict
        from cloudchamber.learning.source_search import SourceSearch
        from cloudchamber.learning.training import train as run_training

        directory.mkdir(parents=True, exist_ok=True)
        network = self._start(train)
        # a GPU waits for skies that one process reads and redraws; on a CPU that process is as busy as this one
        processes = 0 if self.device == "cpu" else LOADERS
        task = SourceSearch(
            network.train(), self.options, train, validation, self.look, self.redraw, self.seed, processes
        )
        run_training(task, directory, device=self.device, title=self.title)
        self.network = ready(network, self.device)

    def restore(self, directory: Path) -> None:
        """Be what ``fit`` left in ``directory``.

        Raises:
            BadInput: the directory does not hold the weights of such a network.
        """
        network = self.make()
        with restoring(directory):
            network.load_state_dict(read_weights(directory / "weights.pt"))
        self.network = ready(network, self.device)

    def predict(self, inputs: Inputs) -> Prediction:
        """Log-odds, signal fraction and unit direction, float64 (sky, 5), for cosmic rays (sky, cosmic_ray, 4)."""
        return Prediction(self._answers(inputs)[0])

    def cosmic_ray_probability(self, inputs: Inputs) -> NDArray[np.float64]:
        """(sky, cosmic_ray): probability of each cosmic ray to come from the source.

        Raises:
            BadInput: the network has no answer for each cosmic ray.
        """
        each = self._answers(inputs)[1]
        if each is None:
            raise BadInput(f"{self.title} has no answer for each cosmic ray: ask the graph network", status=2)
        return each

    def _answers(self, inputs: Inputs) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        found, single = [np.zeros((0, 5))], []
        with torch.inference_mode():
            for start in range(0, len(inputs), BATCH):
                seen = torch.from_numpy(self.look(np.ascontiguousarray(inputs[start : start + BATCH])))
                sky, each = answers(self.network, seen.to(self.device))
                found.append(sky.double().cpu().numpy())
                if each is not None:
                    single.append(torch.sigmoid(each.double()).cpu().numpy())
        raw = np.concatenate(found)
        raw[:, 1] = np.clip(raw[:, 1] * FRACTION_SCALE, 0, 1)
        raw[:, 2:] /= np.maximum(np.linalg.norm(raw[:, 2:], axis=1, keepdims=True), 1e-30)
        return raw, np.concatenate(single) if single else None

    def _start(self, train: Samples) -> nn.Module:
        """A fresh network with its standardisation fitted."""
        with seeded_start(self.seed):
            network = self.make()
        fit = getattr(getattr(network, "standardize", None), "fit", None)
        if fit is not None:
            some = np.sort(np.random.default_rng(self.seed).permutation(len(train))[:STANDARDISATION_SKIES])
            fit(torch.from_numpy(self.look(train.inputs(some))))
        return network
