"""A least-squares fit inside a network of air showers, whose weights and corrections of the data are learned.

How much a station says, and by how much it is off, follows from its signal, its distance and the shape of its trace: of
a start time, say, how late the first particle is. That is for the network to learn, station by station. What then
follows for the shower depends on where all the stations lie; that is linear algebra, which need not be learned. With
learned weights w and corrections c of the values v the layer minimises the sum of ``w (v - c - s . b - a)^2`` over the
parameters b, with a prior of Gaussian width at 0, and the offset a.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cloudchamber.layers.shower_front import normalised, solved

FRONT_UNIT, LATERAL_UNIT = 30.0, 0.1
"""Typical deviations: of light's way in the start times [m], of lg S."""
TILT, SHIFT, SIZE = 0.01, 50.0, 0.1
"""Typical errors of the first look: of the axis, the core [m], and lg(energy / eV)."""
STRONGEST = 6.0
"""Largest logarithm of the factor on a weight."""


class LearnedFit(nn.Module):
    """Two parameters and an offset of the values of stations; it starts as the plain fit.

    Args:
        features: of a station.
        unit: of the corrections, a typical deviation of a value.
        prior: width of the parameters' prior.
    """

    def __init__(self, features: int, unit: float, prior: float) -> None:
        super().__init__()
        self.unit, self.prior = unit, prior
        self.judge = nn.Linear(features, 2, bias=False)  # what all stations have in common changes nothing
        nn.init.zeros_(self.judge.weight)

    def forward(self, stations: Tensor, values: Tensor, slopes: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Parameters (shower, 2) and offset (shower, 1).

        Args:
            stations: features (shower, station, feature).
            values: (shower, station).
            slopes: of the values in the parameters (shower, station, 2).
            weight: inverse variances before anything is learned, 0 for stations without a value (shower, station).
        """
        correction, factor = self.judge(stations).unbind(dim=2)
        weight = weight * torch.exp(STRONGEST * torch.tanh(factor / STRONGEST))
        share = normalised(weight)
        values = values - self.unit * correction
        middle = (share[:, :, None] * slopes).sum(dim=1, keepdim=True)
        level = (share * values).sum(dim=1, keepdim=True)
        found = solved(weight, slopes - middle, values - level, self.prior**-2)
        return found, level - (middle[:, 0] * found).sum(dim=1, keepdim=True)
