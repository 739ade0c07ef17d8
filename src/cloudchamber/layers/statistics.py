"""The statistical layer: mean and variance of each feature map, which no rotation of the sphere changes.

Perraudin et al., arXiv:1810.12186, section 3.3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StatisticalLayer(nn.Module):
    """Mean and variance over the pixels; the variance is that of the map itself (divided by the number of pixels).

    Examples:
        >>> StatisticalLayer()(torch.tensor([[[1.0, 3.0]]])).tolist()
        [[2.0, 1.0]]
    """

    def forward(self, features: Tensor) -> Tensor:
        """(sample, feature, pixel) to (sample, 2 feature): all means, then all variances."""
        mean = features.mean(dim=2)
        variance = (features - mean[:, :, None]).square().mean(dim=2)
        return torch.cat([mean, variance], dim=1)
