"""Learning to recover and to find radio pulses: two ways of learning, each selected by what it is for.

Every epoch sees the pulses in other noise (the study's augmentation). What matters is measured in units of the root
mean square of a trace's own noise, so that antennas with louder noise count as much as others.

* ``PulseRecovery``: the squared error of the waveform, and ENERGY_WEIGHT times that of the logarithm of the pulse's
  energy
  where there is a pulse, which the first term alone draws towards zero. Weights are selected by the width of recovered
  over true energy, half of its central 68 % over its median, for pulses of SNR above 3.
* ``PulseDetection``: binary cross entropy. Weights are selected by the part of pulses of SNR above 3 that are missed
  with
  the threshold that 0.2 % of the noise exceed; among epochs that miss as many, by the loss.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cloudchamber.data.radio_traces import MEASURED, PULSE, SNR, TRUE, WAVEFORM
from cloudchamber.data.samples import Samples
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.supervised import Batches
from cloudchamber.learning.training import AveragedTraining, Batch, Kept
from cloudchamber.metrics.radio import STRONG, half_width

ENERGY_WEIGHT = 0.01
"""Of the squared error of ln(energy), relative to that of a sample of the waveform in units of the noise."""
ENERGY_OF_NOISE = 2.0
"""Added to both energies, in samples of the noise's mean square: below it the logarithm says nothing."""
ALLOWED = 2e-3
"""Noise above the threshold at which missed pulses are counted."""
TIE = 1e-3
"""Of the loss, added to the part of missed pulses."""
VALIDATION_TRACES = 4096
BATCH = 128


class _RadioTraining(AveragedTraining):
    """What both ways of learning have in common.

    Args:
        model: reads measured traces (trace, sample).
        options: settings.
        train: samples to learn from.
        validation: samples that select the weights, VALIDATION_TRACES at most.
        seed: of order and augmentation.
        score_names: of what is computed in a validation.
    """

    options: TrainingOptions

    def __init__(
        self,
        model: nn.Module,
        options: TrainingOptions,
        train: Samples,
        validation: Samples,
        seed: int,
        score_names: list[str],
    ) -> None:
        rows = range(min(len(validation), VALIDATION_TRACES))
        kept: list[Batch] = [
            (torch.from_numpy(validation.inputs(part)), torch.from_numpy(validation.targets[list(part)]))
            for part in (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
        ]
        super().__init__(model, options, Kept(kept), score_names)
        self.samples = train
        self.seed = seed
        self.seen: list[tuple[Tensor, ...]] = []

    def epoch_batches(self, epoch: int) -> Batches:
        """Training traces in an order, and with noise, of this epoch."""
        return Batches(self.samples, None, self.options.batch_size, (self.seed, epoch))

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self.seen.clear()

    def _seen(self) -> tuple[np.ndarray[Any, Any], ...]:
        return tuple(torch.cat(parts).double().cpu().numpy() for parts in zip(*self.seen, strict=True))


class PulseRecovery(_RadioTraining):
    """The way of learning of a denoiser; see the module.

    Scores: ``energy_resolution`` (selects), ``energy_bias`` (median of recovered over true energy, minus 1),
    ``squared_error`` (of a sample, in units of the noise's mean square).

    Args:
        model: measured traces to pulses, both (trace, sample).
        options: settings.
        train: samples to learn from.
        validation: samples that select the weights.
        seed: of order and augmentation.
    """

    def __init__(
        self, model: nn.Module, options: TrainingOptions, train: Samples, validation: Samples, seed: int
    ) -> None:
        names = ["energy_resolution", "energy_bias", "squared_error"]
        super().__init__(model, options, train, validation, seed, names)

    def loss(self, batch: Batch) -> Tensor:
        """The loss of a batch of inputs and targets."""
        return recovery_loss(self.model(batch[0][:, MEASURED]), batch[0], batch[1])

    def validation_step(self, batch: Batch, number: int) -> None:  # noqa: ARG002
        """What the averaged weights recover: energies and errors."""
        inputs, targets = batch
        said = self.averaged(inputs[:, MEASURED])
        error = (said - targets[:, WAVEFORM:]).square().mean(dim=1) / _noise_power(inputs)
        self.seen.append(
            (targets[:, PULSE], targets[:, SNR], said.square().sum(1), targets[:, WAVEFORM:].square().sum(1), error)
        )

    def scores(self) -> list[float]:
        """The scores of a validation; without strong pulses the error selects."""
        there, snr, found, true, error = self._seen()
        strong = (there > 0) & (snr > STRONG)
        if strong.sum() < 2:
            return [float(error.mean()), 0.0, float(error.mean())]
        ratio = found[strong] / true[strong]
        middle = float(np.median(ratio))
        return [half_width(ratio) / max(middle, 1e-3), middle - 1, float(error.mean())]


class PulseDetection(_RadioTraining):
    """The way of learning of a classifier; see the module.

    Scores: ``missed_pulses`` (selects), ``cross_entropy``.

    Args:
        model: measured traces (trace, sample) to log-odds (trace, 1).
        options: settings.
        train: samples to learn from.
        validation: samples that select the weights.
        seed: of order and augmentation.
    """

    def __init__(
        self, model: nn.Module, options: TrainingOptions, train: Samples, validation: Samples, seed: int
    ) -> None:
        super().__init__(model, options, train, validation, seed, ["missed_pulses", "cross_entropy"])

    def loss(self, batch: Batch) -> Tensor:
        """The loss of a batch of inputs and targets."""
        inputs, targets = batch
        said = self.model(inputs[:, MEASURED])[:, 0]
        return functional.binary_cross_entropy_with_logits(said, targets[:, PULSE])

    def validation_step(self, batch: Batch, number: int) -> None:  # noqa: ARG002
        """Log-odds by the averaged weights, of the traces and of their noise alone."""
        inputs, targets = batch
        said = self.averaged(inputs[:, MEASURED])[:, 0]
        noise = self.averaged(inputs[:, MEASURED] - inputs[:, TRUE])[:, 0]
        self.seen.append((targets[:, PULSE], targets[:, SNR], said, noise))

    def scores(self) -> list[float]:
        """The scores of a validation; without strong pulses the loss selects."""
        there, snr, said, noise = self._seen()
        entropy = float(np.logaddexp(0, np.where(there > 0, -said, said)).mean())
        strong = (there > 0) & (snr > STRONG)
        missed = float((said[strong] <= np.quantile(noise, 1 - ALLOWED)).mean()) if strong.any() else 0.0
        return [missed + TIE * entropy, entropy]


def _noise_power(inputs: Tensor) -> Tensor:
    """Mean square of the noise (trace,)."""
    power = (inputs[:, MEASURED] - inputs[:, TRUE]).square().mean(dim=1)
    return power.clamp(min=torch.finfo(power.dtype).tiny)


def recovery_loss(said: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
    """Loss of recovered pulses; see the module.

    Args:
        said: recovered pulses (trace, sample).
        inputs: (trace, row, sample).
        targets: (trace, column).
    """
    power = _noise_power(inputs)
    true = targets[:, WAVEFORM:]
    waveform = ((said - true).square().mean(dim=1) / power).mean()
    energies = [(one.square().sum(dim=1) / power + ENERGY_OF_NOISE).log() for one in (said, true)]
    energy = ((energies[0] - energies[1]).square() * targets[:, PULSE]).mean()
    return waveform + ENERGY_WEIGHT * energy
