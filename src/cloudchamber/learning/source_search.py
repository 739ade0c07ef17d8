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
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cloudchamber.data.samples import Samples
from cloudchamber.data.skies import cosmic_rays_of, targets_of
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.source_detector import FRACTION_SCALE, Look, Redraw, answers
from cloudchamber.learning.training import AveragedTraining, Batch, Kept
from cloudchamber.metrics.classification import auc

FRACTION_WEIGHT, DIRECTION_WEIGHT, COSMIC_RAY_WEIGHT = 0.1, 0.2, 0.5
"""Of the terms of the loss, relative to the log-odds of the sky."""
VALIDATION_SKIES = 1024
"""Skies of the validation split that are scored after every epoch."""
STEEPEST = 2.0
"""Half of the log-odds on the wrong side up to which the loss of a sky is exponential."""
TIE = 1e-6
"""Of the loss, added to 1 - AUC: less than one pair of VALIDATION_SKIES in the wrong order (4 / VALIDATION_SKIES^2)."""


@dataclass(frozen=True)
class Skies:
    """One pass over skies: cosmic rays, targets (sky, 5) and the truth of each cosmic ray (sky, cosmic_ray).

    Attributes:
        samples: of records with the truth.
        batch_size: skies a batch.
        redraw: makes the augmented copy.
        seed: of order and augmentation; None for the plain order, nothing augmented, at most VALIDATION_SKIES.
    """

    samples: Samples
    batch_size: int
    redraw: Redraw
    seed: tuple[int, ...] | None

    def __len__(self) -> int:
        if self.seed is None:
            return math.ceil(min(len(self.samples), VALIDATION_SKIES) / self.batch_size)
        return max(len(self.samples) // self.batch_size, 1)

    def __iter__(self) -> Iterator[Batch]:
        rng = None if self.seed is None else np.random.default_rng(self.seed)
        order = (
            np.arange(min(len(self.samples), VALIDATION_SKIES)) if rng is None else rng.permutation(len(self.samples))
        )
        for batch in range(len(self)):
            rows = np.sort(order[batch * self.batch_size : (batch + 1) * self.batch_size])
            records = self.samples.records.read(self.samples.indices[rows])
            if rng is not None:
                records = self.redraw(records, int(rng.integers(2**62)))
            yield (
                torch.from_numpy(cosmic_rays_of(records)),
                torch.from_numpy(targets_of(records)),
                torch.from_numpy(records["signal"].astype(np.float32)),
            )


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
        options: settings (``beta`` is not used).
        train, validation: samples of records with the truth.
        look, redraw: see ``source_detector.SourceDetector``.
        seed: of order and augmentation.
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
    ) -> None:
        kept = Kept(list(Skies(validation, 64, redraw, None)))
        super().__init__(network, options, kept, ["one_minus_auc", "validation_loss"])
        self.samples = train
        self.look = look
        self.redraw = redraw
        self.seed = seed
        self._said: list[tuple[Tensor, Tensor, Tensor]] = []

    def epoch_batches(self, epoch: int) -> Skies:
        """Training skies, redrawn and in an order of this epoch."""
        return Skies(self.samples, self.options.batch_size, self.redraw, (self.seed, 1, epoch))

    def _seen(self, cosmic_rays: Tensor) -> Tensor:
        return torch.from_numpy(self.look(cosmic_rays.cpu().numpy())).to(self.device)

    def loss(self, batch: Batch) -> Tensor:
        """The loss of a batch of cosmic rays, targets and truth of each cosmic ray."""
        cosmic_rays, targets, signal = batch
        return detection_loss(*answers(self.model, self._seen(cosmic_rays)), targets, signal)

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self._said.clear()

    def validation_step(self, batch: Batch, number: int) -> None:  # noqa: ARG002
        """Log-odds of the averaged weights."""
        cosmic_rays, targets, signal = batch
        sky, each = answers(self.averaged.module, self._seen(cosmic_rays))
        loss = detection_loss(sky, each, targets, signal)
        self._said.append((sky[:, 0].double().cpu(), targets[:, 0].cpu() > 0, loss.cpu()))

    def scores(self) -> list[float]:
        """1 - AUC (with ``TIE``), and the mean loss."""
        log_odds, there = (torch.cat([said[part] for said in self._said]).numpy() for part in (0, 1))
        area = auc(there, log_odds, np.random.default_rng(0)).value
        loss = float(torch.stack([said[2] for said in self._said]).mean())
        return [1 - area + TIE * loss, loss]
