"""Standardisation: raw inputs in, numbers and noise of equal size out."""

import pytest
import torch

from cloudchamber.layers.standardize import Standardize, StandardizeFeatures


def images(samples: int = 400) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    rate = torch.tensor([2.0, 50.0]).repeat(8).reshape(4, 4)
    counts = torch.poisson(rate.expand(samples, 4, 4), generator=generator)
    return torch.stack([0.7 * counts, 5 + 3 * torch.randn(samples, 4, 4, generator=generator)], dim=1)


def test_training_images_get_mean_zero_and_unit_spread() -> None:
    layer = Standardize(2, 4, stabilize=(0,))
    layer.fit(images())
    result = layer(images())
    torch.testing.assert_close(result.mean(dim=0), torch.zeros(2, 4, 4), atol=1e-4, rtol=0)
    torch.testing.assert_close(result.square().mean(dim=(0, 2, 3)), torch.ones(2), atol=1e-4, rtol=0)


def test_square_root_makes_poisson_noise_alike() -> None:
    layer = Standardize(2, 4, stabilize=(0,))
    layer.fit(images())
    assert layer.offset[0].item() == pytest.approx(0.375 * 0.7)
    spread = layer(images()).std(dim=0)[0].flatten()
    assert spread.max() / spread.min() < 1.25  # without the root: 5


def test_masked_and_negative_images_have_finite_gradients() -> None:
    layer = Standardize(2, 4, stabilize=(0,))
    layer.fit(images())
    for value in (0.0, -3.0):
        raw = torch.full((1, 2, 4, 4), value, requires_grad=True)
        layer(raw).sum().backward()
        assert raw.grad is not None
        assert torch.isfinite(raw.grad).all()


def test_constant_channel_becomes_zero_and_unknown_channel_is_refused() -> None:
    layer = Standardize(1, 4)
    layer.fit(torch.ones(5, 1, 4, 4))
    assert torch.equal(layer(torch.ones(2, 1, 4, 4)), torch.zeros(2, 1, 4, 4))
    with pytest.raises(ValueError, match="channels 0 to 0"):
        Standardize(1, 4, stabilize=(1,))


@pytest.mark.parametrize("axes", [0, 1])
def test_features_get_mean_zero_and_unit_spread(axes: int) -> None:
    generator = torch.Generator().manual_seed(4)
    inputs = torch.tensor([2.0, -30.0, 7.0]).reshape(3, *[1] * axes) * torch.randn(
        500, 3, *[6] * axes, generator=generator
    )
    inputs[:, 2] = 7  # without spread
    layer = StandardizeFeatures(3, axes)
    layer.fit(inputs)
    found = layer(inputs).transpose(0, 1).flatten(1)
    torch.testing.assert_close(found.mean(dim=1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[:2].std(dim=1, correction=0), torch.ones(2))
