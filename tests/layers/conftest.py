"""Clouds of cosmic rays."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


@pytest.fixture
def cloud() -> Callable[[int, int, int], tuple[Tensor, Tensor]]:
    """Directions (sample, node, 3) and energies (sample, node) for so many samples and nodes, and a seed."""

    def made(samples: int, nodes: int, seed: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        directions = torch.nn.functional.normalize(torch.randn(samples, nodes, 3, generator=generator), dim=-1)
        return directions, 40 * torch.rand(samples, nodes, generator=generator).clamp(min=1e-3) ** (-1 / 3)

    return made
