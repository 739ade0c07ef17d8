"""A network that answers with a Gaussian: mean and standard deviation of every target, and the loss that teaches it to.

The loss is the beta-NLL of Seitzer et al. (arXiv:2203.09168, eq. 5): the Gaussian negative log-likelihood, each term
weighted with the predicted variance to the power beta (no gradient through the weight). The variance is a softplus plus
a floor, as in deep ensembles (Lakshminarayanan et al., arXiv:1612.01474, section 2.2.1).

A network may correct a first estimate: one that has ``first_estimate`` (inputs to (sample, target), in the unit of the
targets) is taught by how much the targets exceed that, and what it says is added to the estimate.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Channels = tuple[int, ...] | None
"""Channels (or features) of the inputs that a network reads; None for all."""
Values = TypeVar("Values", Tensor, NDArray[Any])

SMALLEST_VARIANCE = 1e-6
"""In units of the targets' variance over the training records."""


def read_channels(inputs: Values, channels: Channels) -> Values:
    """The inputs (sample, channel, ...) that a network reads."""
    return inputs if channels is None else inputs[:, list(channels)]


def beta_nll(mean: Tensor, variance: Tensor, target: Tensor, beta: float) -> Tensor:
    """The loss, a scalar.

    Args:
        mean: predicted (sample, target).
        variance: predicted (sample, target).
        target: (sample, target).
        beta: 0 gives half of the likelihood's usual -2 ln L without constants, 1 weighs like the squared error.

    Examples:
        >>> beta_nll(torch.zeros(1, 1), torch.ones(1, 1), torch.full((1, 1), 2.0), 0.5).item()
        2.0
    """
    loss = 0.5 * ((target - mean).square() / variance + variance.log())
    return (loss * variance.detach().pow(beta)).mean()


class GaussianModel(nn.Module):
    """Turns a network with ``2 T`` outputs into means and standard deviations of T targets in physical units.

    The first T outputs are the means of the standardised targets, the others give their variances.

    Args:
        network: inputs to (sample, 2 T). If it has ``standardize`` (layers.standardize), its ``fit`` is the caller's
            business. If it has ``first_estimate``, it corrects what that gives.
        targets: T.
    """

    target_mean: Tensor
    target_scale: Tensor

    def __init__(self, network: nn.Module, targets: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("target_mean", torch.zeros(targets))
        self.register_buffer("target_scale", torch.ones(targets))

    @property
    def corrects(self) -> bool:
        """Whether the network corrects a first estimate."""
        return hasattr(self.network, "first_estimate")

    @torch.no_grad()
    def fit_targets(self, targets: Tensor, inputs: Tensor | None = None) -> None:
        """Take mean and spread of what the network is to say; a target without spread keeps scale 1.

        Args:
            targets: of training samples (sample, T).
            inputs: of those samples, needed only where the network corrects a first estimate.
        """
        targets = self.left_to_say(targets, inputs)
        self.target_mean.copy_(targets.mean(dim=0))
        spread = targets.std(dim=0, correction=0)
        self.target_scale.copy_(torch.where(spread > 0, spread, 1.0))

    def standardised(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the standardised targets, both (sample, T)."""
        mean, raw = self.network(inputs).chunk(2, dim=1)
        return mean, nn.functional.softplus(raw) + SMALLEST_VARIANCE

    def left_to_say(self, targets: Tensor, inputs: Tensor | None) -> Tensor:
        """Targets (sample, T) less the first estimate, where the network corrects one.

        Raises:
            ValueError: it does, and there are no inputs to estimate from.
        """
        if not self.corrects:
            return targets
        if inputs is None:
            raise ValueError("the network corrects a first estimate: give the inputs, too")
        return targets - self.network.first_estimate(inputs)  # type: ignore[operator,no-any-return]

    def standardised_targets(self, targets: Tensor, inputs: Tensor) -> Tensor:
        """What ``standardised`` is to say of samples with these targets (sample, T)."""
        return (self.left_to_say(targets, inputs) - self.target_mean) / self.target_scale

    def physical_mean(self, outputs: Tensor, inputs: Tensor | None) -> Tensor:
        """Means (sample, T) in the unit of the targets.

        Args:
            outputs: of the network (sample, 2 T); or only its means.
            inputs: that it read, needed only where it corrects a first estimate.
        """
        said = outputs[:, : len(self.target_mean)] * self.target_scale + self.target_mean
        return said - self.left_to_say(torch.zeros_like(said), inputs) if self.corrects else said

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, both (sample, T), in the unit of the targets."""
        mean, variance = self.standardised(inputs)
        return self.physical_mean(mean, inputs), variance.sqrt() * self.target_scale


class MeanFunction(nn.Module):
    """The mean that a model predicts as a plain differentiable function of raw inputs: what explanations read.

    A network that corrects a first estimate has no ``features`` from which alone the mean follows.

    Args:
        model: the fitted model.
        channels: the channels of the full inputs that the model reads, None for all; others get the gradient 0.
    """

    def __init__(self, model: GaussianModel, channels: Channels) -> None:
        super().__init__()
        self.model = model
        self.channels = channels

    def features(self, inputs: Tensor) -> Tensor:
        """The network's ``features`` for full inputs (sample, channel, ...)."""
        features: Tensor = self.model.network.features(read_channels(inputs, self.channels))  # type: ignore[operator]
        return features

    def head(self, features: Tensor) -> Tensor:
        """Means (sample, target) in the unit of the targets, from ``features``."""
        return self.model.physical_mean(self.model.network.head(features), None)  # type: ignore[operator]

    def forward(self, inputs: Tensor) -> Tensor:
        """Means (sample, target) in the unit of the targets, for full inputs (sample, channel, ...)."""
        seen = read_channels(inputs, self.channels)
        return self.model.physical_mean(self.model.network(seen), seen)
