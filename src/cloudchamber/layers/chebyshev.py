"""Convolution on the sphere with Chebyshev polynomials of the graph Laplacian, fused on the CPU with what follows it.

Defferrard, Bresson, Vandergheynst, arXiv:1606.09375, equations 3 to 5; on HEALPix pixels: Perraudin et al.,
arXiv:1810.12186. A layer of ``order`` K has K polynomials, T_0 to T_{K-1}, hence reads pixels up to K - 1 steps away::

    y[v, b, o] = bias[o] + sum_k sum_i (T_k(L) x)[v, b, i] weight[k, i, o],
    T_0 = 1,  T_1 = L,  T_k = 2 L T_{k-1} - T_{k-2},

with the Laplacian L scaled to [-1, 1]. Features are (pixel, sample, feature), nested: one row of L is then applied to
all samples and features at once, and four pixels that are pooled follow each other.

On a CPU, in single precision, convolution, (leaky) ReLU and pooling are one ``fused_stage``; everywhere else (other
devices and precisions, export, other activations) plain torch does the same.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from cloudchamber.layers.activations import Activation, activation_named
from cloudchamber.layers.compiled import compiled
from cloudchamber.layers.fused_stage import AVERAGE, MAXIMUM, NO_POOLING, FusedStage, Slots, slots_of
from cloudchamber.layers.healpix_graph import healpix_graph
from cloudchamber.schema import BadInput, did_you_mean

Pooling = Literal["average", "max"]


class LaplacianProduct(torch.autograd.Function):
    """``L x`` from the slots of each row. L is symmetric, so the gradient is ``L g``, and nothing is scattered."""

    @staticmethod
    def forward(ctx, features: Tensor, index: Tensor, value: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        """``L x`` for features (pixel, sample, feature), index and value (pixel, slot)."""
        ctx.save_for_backward(index, value)
        rows = features.flatten(1)
        # one kernel that gathers, weighs and sums: no array of (pixel, slot, sample, feature)
        product = functional.embedding_bag(index, rows, mode="sum", per_sample_weights=value.to(rows.dtype))
        return product.view_as(features)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[no-untyped-def]
        """``L g`` for the gradient g (pixel, sample, feature) of the product."""
        index, value = ctx.saved_tensors
        return LaplacianProduct.apply(gradient, index, value), None, None  # type: ignore[no-untyped-call]


def gathered(features: Tensor, index: Tensor, value: Tensor) -> Tensor:
    """``sum_s value[v, s] features[index[v, s]]`` slot by slot, in operations that every exporter knows."""
    total = value[:, 0, None, None] * features.index_select(0, index[:, 0])
    for slot in range(1, index.shape[1]):
        total = total + value[:, slot, None, None] * features.index_select(0, index[:, slot])
    return total


class ChebyshevConv(nn.Module):
    """Chebyshev convolution of feature maps on nested HEALPix pixels.

    Args:
        nside: of the pixels.
        inward: number of features of the input.
        outward: number of features of the output.
        order: K, the number of polynomials; 1 looks at each pixel alone.
        neighbours: of a pixel in the graph.
        bias: whether an offset is added to each output feature.

    ``weight`` is (order, inward, outward): polynomial, input feature, output feature. It starts with variance
    ``2 / (order inward)``, as in the implementation of the DeepSphere authors.
    """

    index: Tensor
    value: Tensor

    def __init__(
        self, nside: int, inward: int, outward: int, order: int = 5, neighbours: int = 20, bias: bool = True
    ) -> None:
        super().__init__()
        if order < 1:
            raise BadInput(f"order = {order}: a convolution needs at least one polynomial")
        graph = healpix_graph(nside, neighbours)
        self.nside, self.neighbours = nside, neighbours
        self.order, self.inward, self.outward = order, inward, outward
        self.register_buffer("index", torch.tensor(graph.index), persistent=False)
        self.register_buffer("value", torch.tensor(graph.value, dtype=torch.float32), persistent=False)
        self.weight = nn.Parameter(torch.empty(order, inward, outward))
        nn.init.normal_(self.weight, std=math.sqrt(2 / (order * inward)))
        self.bias = nn.Parameter(torch.zeros(outward)) if bias else None

    def basis(self, features: Tensor) -> list[Tensor]:
        """``T_k(L) x`` for k = 0 to K - 1, each like ``features`` (pixel, sample, inward)."""
        terms = [features]
        for k in range(1, self.order):
            product = self.product(terms[-1])
            terms.append(product if k == 1 else 2 * product - terms[-2])
        return terms

    def product(self, features: Tensor) -> Tensor:
        """``L x``."""
        if torch.compiler.is_exporting():
            return gathered(features, self.index, self.value)
        product: Tensor = LaplacianProduct.apply(features, self.index, self.value)  # type: ignore[no-untyped-call]
        return product

    def fusible(self, features: Tensor) -> bool:
        """Whether ``fused_stage`` can take these features."""
        return compiled(features, self.weight)

    def slots(self) -> Slots:
        """The rows of the Laplacian for ``fused_stage``."""
        return slots_of(self.nside, self.neighbours)

    def forward(self, features: Tensor) -> Tensor:
        """Features (pixel, sample, inward) to (pixel, sample, outward)."""
        if self.fusible(features):
            result: Tensor = FusedStage.apply(features, self.weight, self.bias, self.slots(), 1.0, NO_POOLING)  # type: ignore[no-untyped-call]
            return result
        return self.plain(features)

    def plain(self, features: Tensor) -> Tensor:
        """The same in plain torch."""
        terms = torch.cat(self.basis(features), dim=2)
        result: Tensor = terms @ self.weight.flatten(0, 1)
        return result if self.bias is None else result + self.bias


class AveragePool(nn.Module):
    """Mean of four nested children."""

    def forward(self, features: Tensor) -> Tensor:
        """(pixel, sample, feature) to (pixel / 4, sample, feature)."""
        return features.view(-1, 4, *features.shape[1:]).mean(dim=1)


class MaxPool(nn.Module):
    """Maximum of four nested children."""

    def forward(self, features: Tensor) -> Tensor:
        """(pixel, sample, feature) to (pixel / 4, sample, feature)."""
        return features.view(-1, 4, *features.shape[1:]).amax(dim=1)


class FeatureNorm(nn.BatchNorm1d):
    """Batch normalisation (arXiv:1502.03167) of each feature, over pixels and samples."""

    def forward(self, features: Tensor) -> Tensor:
        """(pixel, sample, feature), same shape."""
        return super().forward(features.flatten(0, 1)).view_as(features)


class ChebyshevStage(nn.Module):
    """Convolution, activation, pooling and normalisation, one after the other.

    They are the modules ``conv``, ``activation``, ``pool`` and ``norm``.

    Args:
        nside: of the incoming pixels.
        inward: number of features of the input.
        outward: number of features of the output.
        order: see ChebyshevConv.
        neighbours: see ChebyshevConv.
        activation: by name; leaky ReLU has the slope 0.01.
        pooling: of four children to their parent, half the nside; None keeps the pixels.

    Raises:
        BadInput: unknown activation or pooling.
    """

    def __init__(
        self,
        nside: int,
        inward: int,
        outward: int,
        order: int = 5,
        neighbours: int = 20,
        activation: Activation = "relu",
        pooling: Pooling | None = "average",
    ) -> None:
        super().__init__()
        self.conv = ChebyshevConv(nside, inward, outward, order, neighbours)
        self.activation = activation_named(activation)
        if pooling not in {None, *POOLS}:
            raise BadInput(f"unknown pooling {pooling!r}{did_you_mean(str(pooling), POOLS)}")
        self.pool: nn.Module = nn.Identity() if pooling is None else POOLS[pooling]()
        self.norm: nn.Module = FeatureNorm(outward)

    def forward(self, features: Tensor) -> Tensor:
        """Features (pixel, sample, inward) to (pixel / 4, sample, outward), without pooling of all pixels."""
        slope = {nn.ReLU: 0.0, nn.LeakyReLU: LEAK}.get(type(self.activation))
        if slope is None or not self.conv.fusible(features):
            return self.plain(features)
        pooling = {AveragePool: AVERAGE, MaxPool: MAXIMUM}.get(type(self.pool), NO_POOLING)
        weights = self.conv.weight, self.conv.bias
        result: Tensor = self.norm(FusedStage.apply(features, *weights, self.conv.slots(), slope, pooling))  # type: ignore[no-untyped-call]
        return result

    def plain(self, features: Tensor) -> Tensor:
        """The same, module after module."""
        result: Tensor = self.norm(self.pool(self.activation(self.conv.plain(features))))
        return result


LEAK = 0.01  # torch's own slope of the leaky ReLU


POOLS: dict[str, type[nn.Module]] = {"average": AveragePool, "max": MaxPool}
