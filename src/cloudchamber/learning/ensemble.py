"""Deep ensembles: the same network trained several times, and the mixture of what the members say.

Lakshminarayanan, Pritzel, Blundell, arXiv:1612.01474: the mixture's mean is the mean of the members' means, its
variance the mean of the members' variances (noise in the data) plus the variance of their means (what the training data
leave open). One factor a target, fitted to the validation records, makes the standard deviations calibrated (scaling as
of Levi et al., arXiv:1905.11659). The same records chose the best epoch, which makes the factor a little too small.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cloudchamber.data.files import write_text
from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.learning.gaussian import Channels, GaussianModel, MeanFunction, read_channels
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.weights import read_weights, ready, restoring, seeded_start
from cloudchamber.metrics.calibration import calibrating_factor
from cloudchamber.schema import BadInput

SAMPLES_FOR_STANDARDISATION = 1024
"""Those whose inputs are looked at before the training starts."""
BATCH = 64
"""Samples that go through a network at once when it predicts."""


class Mixture(nn.Module):
    """The calibrated mixture of fitted members as one module.

    Args:
        models: the members.
        factor: of the standard deviation of each target (target,).
        channels: the channels of the full inputs that the members read; None for all.
    """

    factor: Tensor

    def __init__(self, models: Sequence[GaussianModel], factor: NDArray[np.float64], channels: Channels) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        self.channels = channels
        self.register_buffer("factor", torch.from_numpy(factor))

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, both (sample, target), for full raw inputs (sample, channel, ...)."""
        seen = read_channels(inputs, self.channels)
        mean, std = (torch.stack(parts) for parts in zip(*(model(seen) for model in self.models), strict=True))
        variance = std.square().mean(dim=0) + mean.var(dim=0, correction=0)
        return mean.mean(dim=0), (variance.sqrt().double() * self.factor).float()


@dataclass(eq=False)
class DeepEnsemble:
    """A predictor (see ``study.Predictor``) made of networks that differ by their random start and order of the data.

    Its directory holds ``member-0/weights.pt``, ``member-0/history.csv`` and so on, and ``calibration.json``.

    Args:
        title: for tables.
        network: makes one freshly initialised network with two outputs a target.
        options: settings of the training.
        members: how many networks; one gives no epistemic part.
        channels: channels (or features) of the inputs that the networks read; None for all.
        select: target columns of the selection metric.
        seed: member m uses (seed, m).
        device: "cpu" or "cuda".
    """

    title: str
    network: Callable[[], nn.Module]
    options: TrainingOptions
    members: int
    channels: Channels
    select: tuple[int, ...]
    seed: int
    device: str = "cpu"
    models: list[GaussianModel] = field(init=False, default_factory=list)
    factor: NDArray[np.float64] = field(init=False, default_factory=lambda: np.ones(0))

    kind = "network"

    def __post_init__(self) -> None:
        if self.members < 1:
            raise ValueError(f"members = {self.members}: an ensemble has at least one")

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Train the members that are not finished yet, then calibrate.

        Raises:
            BadInput: no training or validation records.
            ValueError: the network has not two outputs a target.
        """
        if len(train) == 0 or len(validation) == 0:
            raise BadInput(
                f"{len(train)} training and {len(validation)} validation records: a network needs some of both"
            )
        directory.mkdir(parents=True, exist_ok=True)
        models = []
        for member in range(self.members):
            weights = directory / f"member-{member}" / "weights.pt"
            if weights.exists():
                models.append(self._load(weights))
                continue
            models.append(self._start(member, train))
            self._train(models[-1], member, train, validation, weights.parent)
        self._become(models, np.ones(train.targets.shape[1]))
        said = self.predict(validation.inputs())
        assert said.std is not None
        columns = zip(validation.targets.T, said.mean.T, said.std.T, strict=True)
        self.factor = np.array([calibrating_factor(truth, mean, std) for truth, mean, std in columns])
        text = json.dumps({"std_factor": dict(zip(train.target_names, self.factor.tolist(), strict=True))}, indent=1)
        write_text(directory / "calibration.json", text + "\n")

    def restore(self, directory: Path) -> None:
        """Be what ``fit`` left in ``directory``.

        Raises:
            BadInput: the directory does not hold a finished ensemble of this many members.
        """
        with restoring(directory, f"finished ensemble of {self.members} such networks"):
            factor = np.array(list(json.loads((directory / "calibration.json").read_text())["std_factor"].values()))
            models = [self._load(directory / f"member-{member}" / "weights.pt") for member in range(self.members)]
        self._become(models, factor)

    def predict(self, inputs: Inputs) -> Prediction:
        """Mean and calibrated standard deviation (sample, target), float32, for full inputs (sample, channel, ...)."""
        mixture = self.mixture()
        parts = [np.zeros((2, 0, len(self.factor)), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(inputs), BATCH):
                batch = torch.from_numpy(np.ascontiguousarray(inputs[start : start + BATCH])).to(self.device)
                parts.append(torch.stack(mixture(batch)).cpu().numpy())
        mean, std = np.concatenate(parts, axis=1)
        return Prediction(mean, std)

    def mixture(self) -> Mixture:
        """What ``predict`` asks, as one module on the device."""
        return Mixture(self.models, self.factor, self.channels).to(self.device).eval()

    def mean_function(self, member: int) -> MeanFunction:
        """The mean of one member as a differentiable module of full raw inputs, with ``features`` and ``head``."""
        return MeanFunction(self.models[member], self.channels).eval()

    def _become(self, models: list[GaussianModel], factor: NDArray[np.float64]) -> None:
        self.models = [ready(model, self.device) for model in models]
        self.factor = factor

    def _load(self, weights: Path) -> GaussianModel:
        state = read_weights(weights)
        model = GaussianModel(self.network(), len(state["target_mean"]))
        model.load_state_dict(state)
        return model

    def _start(self, member: int, train: Samples) -> GaussianModel:
        """A fresh model with its standardisations fitted."""
        targets = train.targets.shape[1]
        with seeded_start(self.seed, member):
            model = GaussianModel(self.network(), targets)
        rng = np.random.default_rng((self.seed, member))
        rows = rng.permutation(len(train))[:SAMPLES_FOR_STANDARDISATION]
        some = read_channels(train.inputs(np.sort(rows), rng), self.channels)
        inputs = torch.from_numpy(np.ascontiguousarray(some))
        if model.corrects:
            model.fit_targets(torch.from_numpy(train.targets[np.sort(rows)]), inputs)
        else:
            model.fit_targets(torch.from_numpy(train.targets))
        standardize = getattr(model.network, "standardize", None)
        if standardize is not None:
            standardize.fit(inputs)
        with torch.no_grad():
            outputs = model.network.eval()(inputs[:1]).shape[1]
        if outputs != 2 * targets:
            raise ValueError(f"the network has {outputs} outputs: for {targets} targets it needs {2 * targets}")
        return model

    def _train(self, model: GaussianModel, member: int, train: Samples, validation: Samples, directory: Path) -> None:
        # Lightning takes seconds to import and is not needed to predict
        from cloudchamber.learning.supervised import GaussianRegression
        from cloudchamber.learning.training import train as run_training

        task = GaussianRegression(
            model.train(), self.options, self.select, train, validation, self.channels, (self.seed, member)
        )
        title = f"{self.title}, network {member + 1} of {self.members}"
        run_training(task, directory, device=self.device, title=title)
