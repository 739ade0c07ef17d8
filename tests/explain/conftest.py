"""Networks of the interface that explanations need, small enough to follow by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn


class Tiny(nn.Module):
    """A trained-looking network: 56 x 56 to 7 x 7 maps, a sum before its ReLU, pooling and a dense layer."""

    def __init__(self, channels: int = 1, outputs: int = 4) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4, momentum=None), nn.ReLU(),
            nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6, momentum=None), nn.ReLU(),
            nn.Conv2d(6, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8, momentum=None),
        )  # fmt: skip
        self.dense = nn.Linear(8, outputs)

    def features(self, images: Tensor) -> Tensor:
        return self.body(images)

    def head(self, features: Tensor) -> Tensor:
        return self.dense(torch.relu(features).mean(dim=(2, 3)))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


class Patch(nn.Module):
    """Output 0 is the sum of the image times a pattern (height, width), output 1 a constant."""

    def __init__(self, pattern: Tensor, bias: float = 0.5, cell: int = 8) -> None:
        super().__init__()
        self.register_buffer("pattern", pattern)
        self.cell = cell
        self.dense = nn.Linear(1, 2)
        with torch.no_grad():
            self.dense.weight[:] = torch.tensor([[float(pattern.numel())], [0.0]])
            self.dense.bias[:] = torch.tensor([bias, 3.0])

    def features(self, images: Tensor) -> Tensor:
        return nn.functional.avg_pool2d((images * self.pattern).sum(dim=1, keepdim=True), self.cell)

    def head(self, features: Tensor) -> Tensor:
        return self.dense(features.mean(dim=(2, 3)))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None:
    """For every test of this folder."""


@pytest.fixture
def tiny() -> Tiny:
    with torch.random.fork_rng():
        torch.manual_seed(11)
        network = Tiny(channels=2)
        network.body(torch.rand(64, 2, 56, 56))  # exact running statistics
    return network.eval()


@pytest.fixture
def images() -> Tensor:
    return torch.rand(5, 2, 56, 56, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def patch() -> Callable[..., Patch]:
    return Patch
