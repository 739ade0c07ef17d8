"""What every registered explanation keeps: one finite map an image, reproducible, made of the weights, no guesses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cloudchamber.explain.registry import EXPLANATIONS
from cloudchamber.explain.sanity import randomization_similarity, randomized
from cloudchamber.schema import BadInput

pytestmark = pytest.mark.usefixtures("one_thread")

every_explanation = pytest.mark.parametrize("name", EXPLANATIONS)


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(2, 6, 5, stride=4), nn.ReLU(), nn.Conv2d(6, 8, 3, stride=2, padding=1))
        self.dense = nn.Linear(8, 4)

    def features(self, images: Tensor) -> Tensor:
        return self.body(images)

    def head(self, features: Tensor) -> Tensor:
        return self.dense(torch.relu(features).mean(dim=(2, 3)))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


class NoFeatures(nn.Module):
    def head(self, features: Tensor) -> Tensor:
        return features

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))


class NoHead(nn.Module):
    def features(self, images: Tensor) -> Tensor:
        return images

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))


class FlatFeatures(Small):
    def features(self, images: Tensor) -> Tensor:
        return self.body(images).mean(dim=(2, 3))

    def head(self, features: Tensor) -> Tensor:
        return self.dense(features)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 2, 56, 56, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def network() -> nn.Module:
    return randomized(Small(), seed=5)


@every_explanation
def test_an_explanation_is_one_finite_map_an_image_and_changes_nothing(
    name: str, network: nn.Module, images: Tensor
) -> None:
    before = images.clone()
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    maps = EXPLANATIONS[name](network, images)
    assert isinstance(maps, np.ndarray)
    assert maps.shape == (3, 56, 56)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert (np.ptp(maps, axis=(1, 2)) > 0).all()  # says something
    assert torch.equal(images, before)
    assert network.training
    assert all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())


@every_explanation
def test_a_map_repeats_and_ignores_other_images(name: str, network: nn.Module, images: Tensor) -> None:
    maps = EXPLANATIONS[name](network, images)
    torch.rand(3)
    np.testing.assert_array_equal(maps, EXPLANATIONS[name](network, images))
    np.testing.assert_allclose(maps[:1], EXPLANATIONS[name](network, images[:1]), rtol=1e-3, atol=1e-6)


@every_explanation
def test_random_weights_change_the_explanation(name: str, network: nn.Module, images: Tensor) -> None:
    found = randomization_similarity(EXPLANATIONS[name], network, images, seed=6)
    assert found.correlation[0] < 0.95


@every_explanation
@pytest.mark.parametrize(
    ("broken", "message"),
    [(NoFeatures, "no features"), (NoHead, "no head"), (FlatFeatures, r"expected \(1, channel, row, column\)")],
)
def test_a_network_of_another_form_is_refused(name: str, broken: type[nn.Module], message: str, images: Tensor) -> None:
    with pytest.raises(BadInput, match=message) as refusal:
        EXPLANATIONS[name](broken(), images)
    assert "\n" not in str(refusal.value)


@every_explanation
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(2, 56, 56), "expected"),
        (torch.rand(0, 2, 56, 56), "at least one sample"),
        (torch.rand(3, 1, 56, 56), "cannot read images"),
        (torch.rand(3, 2, 2, 2), "cannot read images"),
        (torch.ones(3, 2, 56, 56, dtype=torch.int64), "floating point"),
        (torch.full((3, 2, 56, 56), torch.nan), "NaN"),
    ],
)
def test_images_of_another_form_are_refused(name: str, network: nn.Module, images: Tensor, message: str) -> None:
    with pytest.raises(BadInput, match=message) as refusal:
        EXPLANATIONS[name](network, images)
    assert "\n" not in str(refusal.value)
