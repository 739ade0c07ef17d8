"""Squeeze-and-excitation: channels weighted by a gate that looks at their averages.

Hu et al., arXiv:1709.01507, equations 2 to 4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SMALLEST = 4
"""Hidden units at least."""


class SqueezeExcite(nn.Module):
    """Multiplies every channel by ``sigmoid(W2 relu(W1 z))``, where ``z`` are the channels' averages over the image.

    The hidden layer has ``channels // reduction`` units, but at least SMALLEST: in narrow networks two or fewer
    units would be a bottleneck that the publication's networks (64 channels and more) never meet.

    Args:
        channels: number of channels C.
        reduction: r of the publication.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(channels // reduction, SMALLEST)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def gate(self, images: Tensor) -> Tensor:
        """The weights of the channels, (sample, C), each between 0 and 1, for ``images`` (sample, C, height, width)."""
        average = images.mean(dim=(2, 3))
        return torch.sigmoid(self.excite(torch.relu(self.squeeze(average))))

    def forward(self, images: Tensor) -> Tensor:
        """``images`` (sample, C, height, width) with weighted channels, same shape."""
        return images * self.gate(images)[:, :, None, None]
