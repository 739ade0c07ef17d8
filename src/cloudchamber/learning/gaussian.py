"""A network that answers with a Gaussian: mean and standard deviation of every target, and the loss that teaches it to.

The loss is the beta-NLL of Seitzer et al. (arXiv:2203.09168, eq. 5): the Gaussian negative log-likelihood, each term
weighted with the predicted variance to the power beta (no gradient through the weight). The variance is a softplus plus
a floor, as in deep ensembles (Lakshminarayanan et al., arXiv:1612.01474, section 2.2.1).
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
            business.
        targets: T.
    """

    target_mean: Tensor
    target_scale: Tensor

    def __init__(self, network: nn.Module, targets: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("target_mean", torch.zeros(targets))
        self.register_buffer("target_scale", torch.ones(targets))

    @torch.no_grad()
    def fit_targets(self, targets: Tensor) -> None:
        """Take mean and spread of the training targets (sample, T); a target without spread keeps scale 1."""
        self.target_mean.copy_(targets.mean(dim=0))
        spread = targets.std(dim=0, correction=0)
        self.target_scale.copy_(torch.where(spread > 0, spread, 1.0))

    def standardised(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the standardised targets, both (sample, T)."""
        mean, raw = self.network(inputs).chunk(2, dim=1)
        return mean, nn.functional.softplus(raw) + SMALLEST_VARIANCE

    def physical_mean(self, outputs: Tensor) -> Tensor:
        """Means (sample, T) in the unit of the targets, from the network's outputs (sample, 2 T)."""
        return outputs[:, : len(self.target_mean)] * self.target_scale + self.target_mean

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, both (sample, T), in the unit of the targets."""
        mean, variance = self.standardised(inputs)
        return mean * self.target_scale + self.target_mean, variance.sqrt() * self.target_scale


class MeanFunction(nn.Module):
    """The mean that a model predicts as a plain differentiable function of raw inputs: what explanations read.

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
        return self.model.physical_mean(self.model.network.head(features))  # type: ignore[operator]

    def forward(self, inputs: Tensor) -> Tensor:
        """Means (sample, target) in the unit of the targets, for full inputs (sample, channel, ...)."""
        return self.model.physical_mean(self.model.network(read_channels(inputs, self.channels)))
