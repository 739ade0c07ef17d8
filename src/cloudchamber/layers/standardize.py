"""Standardisation of raw inputs inside a network: everything outside (explanations, export) handles raw inputs.

Counts in images get the square root of Anscombe (Biometrika 35 (1948) 246), ``sqrt(x + 3/8 unit)``, where ``unit`` is
the value of one count: afterwards the Poisson noise is the same in crowded and in sparse pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Standardize(nn.Module):
    """Subtracts the average training image and divides each channel by its typical spread over the training images.

    One scale a channel, not one a pixel: after the square root the noise is alike in all pixels, and a scale of its own
    for every pixel would blow up the noise of pixels that hardly ever see an event.

    Args:
        channels: number of channels.
        size: height and width of the images.
        stabilize: channels that are counts (times any constant) and get the square root; they must not be negative, and
            what is negative (an artificial image) counts as 0.
    """

    mean: Tensor
    scale: Tensor
    offset: Tensor
    counts: Tensor

    def __init__(self, channels: int, size: int, stabilize: tuple[int, ...] = ()) -> None:
        super().__init__()
        if any(not 0 <= channel < channels for channel in stabilize):
            raise ValueError(f"stabilize = {stabilize}: there are channels 0 to {channels - 1}")
        self.register_buffer("mean", torch.zeros(channels, size, size))
        self.register_buffer("scale", torch.ones(channels, 1, 1))
        self.register_buffer("offset", torch.full((channels, 1, 1), 0.375))
        counts = torch.zeros(channels, 1, 1, dtype=torch.bool)
        counts[list(stabilize)] = True
        self.register_buffer("counts", counts)

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Take mean, scale and the value of one count from training images (sample, channel, size, size)."""
        for channel in torch.nonzero(self.counts.flatten()).flatten().tolist():
            values = images[:, channel]
            occupied = values[values > 0]
            self.offset[channel] = 0.375 * (occupied.min() if occupied.numel() else 1.0)
        stable = self.stable(images)
        self.mean.copy_(stable.mean(dim=0))
        spread = (stable - self.mean).square().mean(dim=(0, 2, 3)).sqrt()
        self.scale.copy_(torch.where(spread > 0, spread, 1.0)[:, None, None])

    def stable(self, images: Tensor) -> Tensor:
        """``images`` with the square root taken of the counts; the gradient is finite everywhere."""
        return torch.where(self.counts, (images.clamp(min=0) + self.offset).sqrt(), images)

    def forward(self, images: Tensor) -> Tensor:
        """Standardised ``images`` (sample, channel, size, size), same shape."""
        return (self.stable(images) - self.mean) / self.scale


class StandardizeFeatures(nn.Module):
    """Subtracts each feature's mean and divides by its spread, over the training samples and all further axes.

    One mean and one scale a feature: all pixels of a map have them in common, so that rotations stay what they are.

    Args:
        features: how many there are.
        axes: number of axes behind the features: 1 for maps (sample, feature, pixel), 0 for (sample, feature).

    Examples:
        >>> layer = StandardizeFeatures(2)
        >>> layer.fit(torch.tensor([[1.0, 7.0], [5.0, 7.0]]))
        >>> layer(torch.tensor([[9.0, 8.0]])).tolist()
        [[3.0, 1.0]]
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int, axes: int = 0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features, *[1] * axes))
        self.register_buffer("scale", torch.ones(features, *[1] * axes))

    @torch.no_grad()
    def fit(self, inputs: Tensor) -> None:
        """Take mean and spread from training inputs (sample, feature, ...); a constant feature keeps scale 1."""
        values = inputs.double()
        over = [axis for axis in range(values.ndim) if axis != 1]
        spread = values.std(dim=over, correction=0)
        self.mean.copy_(values.mean(dim=over).reshape(self.mean.shape))
        self.scale.copy_(torch.where(spread > 0, spread, 1.0).reshape(self.scale.shape))

    def forward(self, inputs: Tensor) -> Tensor:
        """Standardised ``inputs`` (sample, feature, ...), same shape."""
        return (inputs - self.mean) / self.scale
