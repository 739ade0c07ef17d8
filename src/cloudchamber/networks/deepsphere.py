"""DeepSphere for cosmic-ray skies: spherical convolutions, then mean and variance of each feature map.

Langner, Erdmann, Wirtz 2019; the architecture is that of Perraudin et al., arXiv:1810.12186, and Defferrard et al.,
arXiv:2012.15000.

A stage is a Chebyshev convolution, activation, pooling of four pixels and batch normalisation. Every stage pools but
the last one, so that six stages lead from nside 64 to 48 pixels, as in the talk. The statistical layer makes the scalar
outputs invariant under rotations, up to what the pixels break; the direction of a source is equivariant instead: it is
the mean of pixel centres, weighted with the softmax of one more map of the first stage at nside 8 or coarser.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from cloudchamber.layers.activations import Activation, activation_named
from cloudchamber.layers.chebyshev import ChebyshevConv, ChebyshevStage, Pooling
from cloudchamber.layers.healpix_graph import centres, checked_nside
from cloudchamber.layers.standardize import StandardizeFeatures
from cloudchamber.layers.statistics import StatisticalLayer
from cloudchamber.schema import BadInput

POINTING = 8  # nside of the map for the direction: pixels of 7 degrees, finer than the deflections


class DeepSphere(nn.Module):
    """Raw maps on nested HEALPix pixels to numbers, and to a direction.

    Input (sample, channel, pixel), nested; output (sample, outputs), with a direction (sample, outputs + 3).

    References:
        | DeepSphere: efficient spherical convolutional neural network with HEALPix sampling for cosmological
          applications (Perraudin et al., 2019)
        | https://arxiv.org/abs/1810.12186
        | DeepSphere: a graph-based spherical CNN (Defferrard et al., 2020)
        | https://arxiv.org/abs/2012.15000

    Args:
        channels: number of channels of the maps.
        outputs: number of rotation invariant numbers a sample.
        nside: of the maps, a power of two.
        widths: features of each stage.
        order: number of Chebyshev polynomials of each convolution.
        neighbours: of a pixel in the graph.
        activation: after each convolution.
        pooling: of the stages but the last.
        dense: hidden dense layers between statistical layer and outputs, each as wide as the statistics.
        dense_activation: after each hidden dense layer.
        dropout: part of the statistics and of each hidden dense layer's numbers that is dropped in training.
        direction: whether three more outputs x, y, z follow, a vector of length 0 (no idea) to 1 (one pixel).

    Raises:
        BadInput: a setting that cannot be.
    """

    centres: Tensor

    def __init__(
        self,
        channels: int = 2,
        outputs: int = 2,
        nside: int = 64,
        widths: tuple[int, ...] = (16, 16, 32, 32, 64, 64),
        order: int = 5,
        neighbours: int = 20,
        activation: Activation = "relu",
        pooling: Pooling = "average",
        dense: int = 1,
        dense_activation: Activation = "relu",
        dropout: float = 0.2,
        direction: bool = True,
    ) -> None:
        super().__init__()
        if not 1 <= len(widths) <= int(math.log2(checked_nside(nside))) + 1:
            raise BadInput(
                f"{len(widths)} stages at nside {nside}: every stage but the last halves nside, at least to 1", status=2
            )
        self.outputs = outputs + 3 * direction
        self.nside = nside
        self.standardize = StandardizeFeatures(channels, axes=1)
        self.stages = nn.ModuleList()
        sides = [nside // 2**stage for stage in range(len(widths))]
        for side, (inward, outward) in zip(sides, pairwise((channels, *widths)), strict=True):
            last = len(self.stages) == len(widths) - 1
            self.stages.append(
                ChebyshevStage(side, inward, outward, order, neighbours, activation, None if last else pooling)
            )
        self.statistics = StatisticalLayer()
        size = 2 * widths[-1]
        layers: list[nn.Module] = [nn.Dropout(dropout)]
        for _ in range(dense):
            layers += [nn.Linear(size, size), activation_named(dense_activation), nn.Dropout(dropout)]
        self.dense = nn.Sequential(*layers, nn.Linear(size, outputs))
        after = [*sides[1:], sides[-1]]  # nside after each stage
        self.pointing_stage = next((n for n, side in enumerate(after) if side <= POINTING), len(after) - 1)
        self.pointing = nn.Sequential()
        if direction:
            side, width = after[self.pointing_stage], widths[self.pointing_stage]
            hidden = ChebyshevStage(side, width, width, order, neighbours, activation, None)
            hidden.norm = nn.Identity()
            # The softmax would drop an offset of the weights, hence no bias and no normalisation.
            self.pointing = nn.Sequential(hidden, ChebyshevConv(side, width, 1, order, neighbours, bias=False))
            self.register_buffer("centres", torch.tensor(centres(side), dtype=torch.float32), persistent=False)

    def forward_parts(self, maps: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the two heads read, from raw ``maps`` (sample, channel, pixel).

        Returns:
            features: the last stage's maps (sample, feature, pixel).
            pointing: log-weights of the pixels of ``centres``, (sample, pixel); None without direction.
        """
        values = self.standardize(maps).permute(2, 0, 1).contiguous()  # (pixel, sample, feature)
        pointing = None
        for number, stage in enumerate(self.stages):
            values = stage(values)
            if number == self.pointing_stage and len(self.pointing):
                pointing = self.pointing(values)[:, :, 0].T
        return values.permute(1, 2, 0), pointing

    def features(self, maps: Tensor) -> Tensor:
        """The last stage's maps (sample, feature, pixel) of raw ``maps`` (sample, channel, pixel)."""
        return self.forward_parts(maps)[0]

    def head(self, features: Tensor) -> Tensor:
        """The scalar outputs (sample, outputs without direction) from what ``features`` gave."""
        outputs: Tensor = self.dense(self.statistics(features))
        return outputs

    def forward(self, maps: Tensor) -> Tensor:
        """Outputs (sample, outputs) for raw ``maps`` (sample, channel, pixel): scalars, then x, y, z if wanted."""
        features, pointing = self.forward_parts(maps)
        scalars = self.head(features)
        if pointing is None:
            return scalars
        return torch.cat([scalars, pointing.softmax(dim=1) @ self.centres], dim=1)


def tiny() -> tuple[DeepSphere, tuple[int, ...]]:
    """A small one for tests, with the shape of one input."""
    return DeepSphere(nside=8, widths=(4, 6, 6), order=3, neighbours=8, dropout=0.0), (2, 768)
