"""The mean over edges and its gradient: compiled loops against plain torch."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cloudchamber.layers.edge_aggregation import aggregate
from cloudchamber.layers.edge_geometry import GEOMETRY, pair_geometry
from cloudchamber.layers.neighbours import nearest

Cloud = Callable[[int, int, int], tuple[Tensor, Tensor]]


@pytest.mark.parametrize("axes", [0, 4])
@pytest.mark.parametrize("width", [5, 32])
def test_compiled_and_plain_aggregation_agree(cloud: Cloud, axes: int, width: int) -> None:
    torch.manual_seed(3)
    directions, energies = cloud(2, 60, 3)
    index = nearest(directions, 7)
    geometry = pair_geometry(directions, energies, index)
    given = [
        torch.randn(2, 60, width),
        torch.randn(2, 60, width),
        torch.randn(GEOMETRY, width),
        torch.randn(2, 60, axes),
        torch.randn(width),
    ]
    result = []
    for kind in (torch.float32, torch.float64):  # double precision takes plain torch
        leaves = [value.detach().to(kind).requires_grad_() for value in given]
        out = aggregate(*leaves, geometry.to(kind), index)
        slope = torch.linspace(-1, 1, out.numel()).sin().to(kind).reshape(out.shape)
        used = leaves if axes else leaves[:3]
        result.append([out, *torch.autograd.grad((out * slope).sum(), used)])
    for compiled, plain in zip(*result, strict=True):
        assert compiled.dtype == torch.float32
        scale = float(plain.detach().abs().max())  # single precision, sums of up to 840 edges
        torch.testing.assert_close(compiled, plain.float(), rtol=1e-4, atol=2e-6 * scale)
