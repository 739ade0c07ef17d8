"""Supervised regression with uncertainties: any network with two outputs a target, taught by the beta-NLL loss.

Weights are selected by a physics metric, not by the loss: the validation mean absolute error of the averaged weights,
relative to that of predicting the training mean, averaged over the targets that matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cloudchamber.data.samples import Samples
from cloudchamber.learning.gaussian import Channels, GaussianModel, beta_nll, read_channels
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.training import AveragedTraining, Batch, Kept

BETA = 0.5
"""Of the loss: 0 is the likelihood, 1 weighs like the squared error."""


@dataclass(frozen=True)
class Batches:
    """One pass over samples in batches, each read at once.

    Attributes:
        samples: where inputs and targets come from.
        channels: channels of the inputs to keep; None for all.
        batch_size: samples a batch.
        seed: of order and augmentation (with an incomplete last batch left out); None for the plain order, nothing
            augmented, all samples.
    """

    samples: Samples
    channels: Channels
    batch_size: int
    seed: tuple[int, ...] | None

    def __len__(self) -> int:
        if self.seed is None:
            return math.ceil(len(self.samples) / self.batch_size)
        return max(len(self.samples) // self.batch_size, 1)

    def __iter__(self) -> Iterator[Batch]:
        rng = None if self.seed is None else np.random.default_rng(self.seed)
        order = np.arange(len(self.samples)) if rng is None else rng.permutation(len(self.samples))
        for batch in range(len(self)):
            rows = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            inputs = np.ascontiguousarray(read_channels(self.samples.inputs(rows, rng), self.channels))
            yield torch.from_numpy(inputs), torch.from_numpy(self.samples.targets[rows])


class GaussianRegression(AveragedTraining):
    """The way of learning: any network with two outputs a target, beta-NLL loss, the weights averaged along the way.

    Scores: ``relative_mae`` of the selected targets, then of each target: MAE relative to predicting the training mean.

    Args:
        model: with its standardisation of inputs and targets already fitted.
        options: settings.
        select: columns of the targets that the selection metric averages.
        train: samples to learn from.
        validation: samples that select the weights.
        channels: channels of the inputs to read; None for all.
        seed: of order and augmentation.
    """

    model: GaussianModel
    training_mean: Tensor

    def __init__(
        self,
        model: GaussianModel,
        options: TrainingOptions,
        select: tuple[int, ...],
        train: Samples,
        validation: Samples,
        channels: Channels,
        seed: tuple[int, ...],
    ) -> None:
        names = ["relative_mae", *(f"relative_mae_{name}" for name in train.target_names)]
        super().__init__(model, options, Kept(list(Batches(validation, channels, 64, None))), names)
        self.select = list(select)
        self.samples = train
        self.channels = channels
        self.seed = seed
        self.register_buffer("training_mean", torch.from_numpy(train.targets).mean(dim=0), persistent=False)
        self._errors: list[Tensor] = []

    def epoch_batches(self, epoch: int) -> Batches:
        """Training samples in an order, and augmented, of this epoch."""
        return Batches(self.samples, self.channels, self.options.batch_size, (*self.seed, epoch))

    def loss(self, batch: Batch) -> Tensor:
        """The loss of a batch of inputs and targets."""
        inputs, targets = batch
        mean, variance = self.model.standardised(inputs)
        return beta_nll(mean, variance, self.model.standardised_targets(targets, inputs), BETA)

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self._errors.clear()

    def validation_step(self, batch: Batch, number: int) -> None:  # noqa: ARG002
        """Errors of the averaged weights, and of predicting the training mean."""
        inputs, targets = batch
        mean, _ = self.averaged(inputs)
        self._errors.append(torch.stack([(mean - targets).abs(), (self.training_mean - targets).abs()]))

    def scores(self) -> list[float]:
        """Relative mean absolute errors."""
        said, floor = torch.cat(self._errors, dim=1).mean(dim=1).double().cpu().numpy()
        relative = said / np.where(floor > 0, floor, 1.0)
        return [float(relative[self.select].mean()), *relative.tolist()]
