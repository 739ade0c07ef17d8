"""Learning to find a source in a sky of cosmic rays: is there one, how strong, where, and which ones come from it.

One loss teaches all of it: the exponential loss of the log-odds of "signal", plus smaller terms for the signal fraction
(squared error), the source's direction (1 - cos of the angle, skies with a source only) and, for networks that answer
for each cosmic ray (arXiv:2003.13038), the binary cross entropy of those answers.

The exponential loss of boosting, ``exp(-f/2)`` for signal and ``exp(f/2)`` for isotropy, is smallest for the same
log-odds f as the cross entropy (Friedman, Hastie, Tibshirani, Ann. Stat. 28 (2000) 337, section 4.2, there with f/2 for
f), but what it teaches fades as exp(-f/2), not exp(-f): five sigma lie at log-odds near 15, where the cross entropy
teaches nothing any more. (Measured once, 26 000 skies: 4.8 instead of 4.0 sigma for 30 signal cosmic rays.) Beyond
``f/2 = STEEPEST`` on the wrong side it goes on as a straight line, so that no single sky rules a step.

Weights are selected by 1 - AUC of validation skies; among epochs that order them equally well (for strong sources all
but the first do it perfectly) by the loss. Every epoch sees redrawn skies: the study's ``redraw`` keeps what
belongs to the source and draws the isotropic cosmic rays afresh.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from cloudchamber.data.samples import Samples
from cloudchamber.data.skies import cosmic_rays_of, targets_of
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.sky_networks import FRACTION_SCALE, Look, Redraw, answers
from cloudchamber.learning.training import AveragedTraining, Batch
from cloudchamber.metrics.classification import auc

FRACTION_WEIGHT, DIRECTION_WEIGHT, COSMIC_RAY_WEIGHT = 0.1, 0.2, 0.5
"""Of the terms of the loss, relative to the log-odds of the sky."""
VALIDATION_SKIES = 1024
"""Skies of the validation split that are scored after every epoch."""
STEEPEST = 2.0
"""Half of the log-odds on the wrong side up to which the loss of a sky is exponential."""
TIE = 1e-6
"""Of the loss, added to 1 - AUC: less than one pair of VALIDATION_SKIES in the wrong order (4 / VALIDATION_SKIES^2)."""


class Skies(Dataset[Batch]):
    """Batches of one pass over skies.

    A batch is what the network reads of them, targets (sky, 5), and the truth of each cosmic ray (sky, cosmic_ray). It
    depends on nothing but its number, so that several processes can make them.

    Args:
        samples: of records with the truth.
        batch_size: skies a batch.
        look: what the network reads of the cosmic rays.
        redraw: the augmentation.
        seed: of order and augmentation; None for the plain order, nothing augmented, at most VALIDATION_SKIES.
    """

    def __init__(
        self, samples: Samples, batch_size: int, look: Look, redraw: Redraw, seed: tuple[int, ...] | None
    ) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.look = look
        self.redraw = redraw
        self.seeds: NDArray[np.int64] | None = None
        if seed is None:
            self.order = np.arange(min(len(samples), VALIDATION_SKIES))
            self.batches = math.ceil(len(self.order) / batch_size)
        else:
            rng = np.random.default_rng(seed)
            self.order = rng.permutation(len(samples))
            self.batches = max(len(samples) // batch_size, 1)
            self.seeds = rng.integers(2**62, size=self.batches)

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, number: int) -> Batch:
        if not 0 <= number < self.batches:
            raise IndexError(f"batch {number} of {self.batches}")
        rows = np.sort(self.order[number * self.batch_size : (number + 1) * self.batch_size])
        records = self.samples.records.read(self.samples.indices[rows])
        if self.seeds is not None:
            records = self.redraw(records, int(self.seeds[number]))
        return (
            torch.from_numpy(self.look(cosmic_rays_of(records))),
            torch.from_numpy(targets_of(records)),
            torch.from_numpy(records["signal"].astype(np.float32)),
        )


def in_order(skies: Skies, processes: int) -> DataLoader[Batch]:
    """All batches of one pass, made by so many further processes (0: by this one).

    The loader has a generator of its own: the random numbers of the training stay as they are.
    """
    return DataLoader(skies, batch_size=None, num_workers=processes, generator=torch.Generator())


def detection_loss(sky: Tensor, each: Tensor | None, targets: Tensor, signal: Tensor) -> Tensor:
    """The loss of the module's docstring, a scalar."""
    there = targets[:, 0]
    wrong = torch.where(there > 0, -sky[:, 0], sky[:, 0]) / 2
    steep = wrong.clamp(max=STEEPEST).exp()
    loss = (steep + math.exp(STEEPEST) * (wrong - STEEPEST).clamp(min=0)).mean()
    loss = loss + FRACTION_WEIGHT * functional.mse_loss(sky[:, 1], targets[:, 1] / FRACTION_SCALE)
    cosine = functional.cosine_similarity(sky[:, 2:5], targets[:, 2:5], dim=1)
    loss = loss + DIRECTION_WEIGHT * ((1 - cosine) * there).sum() / there.sum().clamp(min=1)
    if each is not None:
        loss = loss + COSMIC_RAY_WEIGHT * functional.binary_cross_entropy_with_logits(each, signal)
    return loss


class SourceSearch(AveragedTraining):
    """The way of learning: ``detection_loss`` on redrawn skies; the score is 1 - AUC of validation skies.

    Args:
        network: what is trained.
        options: settings.
        train: samples to learn from, of records with the truth.
        validation: samples that select the weights.
        look: what the network reads of the cosmic rays.
        redraw: the augmentation.
        seed: of order and augmentation.
        processes: further ones that read and redraw skies while this one trains; the result is the same.
    """

    def __init__(
        self,
        network: nn.Module,
        options: TrainingOptions,
        train: Samples,
        validation: Samples,
        look: Look,
        redraw: Redraw,
        seed: int,
        processes: int = 0,
    ) -> None:
        held_out = in_order(Skies(validation, 64, look, redraw, None), processes)
        super().__init__(network, options, held_out, ["one_minus_auc", "validation_loss"])
        self.samples = train
        self.look = look
        self.redraw = redraw
        self.seed = seed
        self.processes = processes
        self._said: list[tuple[Tensor, Tensor, Tensor]] = []

    def epoch_batches(self, epoch: int) -> DataLoader[Batch]:
        """Training skies, redrawn and in an order of this epoch."""
        skies = Skies(self.samples, self.options.batch_size, self.look, self.redraw, (self.seed, 1, epoch))
        return in_order(skies, self.processes)

    def loss(self, batch: Batch) -> Tensor:
        """The loss of a batch of skies, targets and truth of each cosmic ray."""
        seen, targets, signal = batch
        return detection_loss(*answers(self.model, seen), targets, signal)

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self._said.clear()

    def validation_step(self, batch: Batch, number: int) -> None:  # noqa: ARG002
        """Log-odds of the averaged weights."""
        seen, targets, signal = batch
        sky, each = answers(self.averaged.module, seen)
        loss = detection_loss(sky, each, targets, signal)
        self._said.append((sky[:, 0].double().cpu(), targets[:, 0].cpu() > 0, loss.cpu()))

    def scores(self) -> list[float]:
        """1 - AUC (with ``TIE``), and the mean loss."""
        log_odds, there = (torch.cat([said[part] for said in self._said]).numpy() for part in (0, 1))
        area = auc(there, log_odds, np.random.default_rng(0)).value
        loss = float(torch.stack([said[2] for said in self._said]).mean())
        return [1 - area + TIE * loss, loss]
