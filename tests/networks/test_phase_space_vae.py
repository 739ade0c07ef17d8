"""The autoencoder of histograms: shares, divergence, likelihood."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cloudchamber.networks.phase_space_vae import HistogramVAE, VAEShape, deviance, divergence, drawn, tiny

pytestmark = pytest.mark.usefixtures("one_thread")


def network() -> HistogramVAE:
    torch.manual_seed(1)
    return tiny()[0]


def test_every_parameter_is_reached_by_one_of_the_answers() -> None:
    model = network()
    images = torch.rand(4, *model.shape)
    shares, mean, log_variance, b = model(images, torch.randn(4, model.latent))
    assert shares.shape == (4, 3, 16, 8, 8)
    assert b.shape == (4,)
    (shares.square().mean() + mean.square().sum() + log_variance.square().sum() + b.sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_shares_of_an_event_add_up_to_one() -> None:
    model = network()
    with torch.no_grad():
        total = model.decode(3 * torch.randn(5, model.latent)).exp().sum((1, 2, 3, 4))
    torch.testing.assert_close(total, torch.ones(5))


def test_decoder_without_weights_answers_with_the_mean() -> None:
    model = network()
    mean = torch.rand(model.shape) + 0.1
    model.start_from(mean)
    for parameter in model.decoder.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        shares = model.decode(torch.ones(1, model.latent))[0].exp()
    torch.testing.assert_close(shares, mean / mean.sum())


def test_places_are_drawn_with_the_square_root_of_the_variance() -> None:
    noise = torch.tensor([[1.0, -2.0]])
    place = drawn(torch.tensor([[5.0, 0.0]]), torch.log(torch.tensor([[9.0, 0.25]])), noise)
    torch.testing.assert_close(place, torch.tensor([[8.0, -1.0]]))


def test_divergence_is_that_of_torch_distributions() -> None:
    mean, log_variance = torch.randn(6, 3), torch.randn(6, 3)
    one = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    expected = torch.distributions.kl_divergence(one, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(divergence(mean, log_variance), expected)


def test_deviance_is_zero_for_the_truth_and_counts_nucleons() -> None:
    images = torch.rand(3, 2, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    images[0, 0] = 0
    truth = (images / images.sum((1, 2, 3, 4), keepdim=True)).clamp(min=1e-30).log()
    torch.testing.assert_close(deviance(images, truth), torch.zeros(3), atol=1e-4, rtol=0)
    even = torch.full_like(images, -np.log(128))
    assert (deviance(images, even) > 1).all()
    torch.testing.assert_close(deviance(2 * images, even), 2 * deviance(images, even))


def test_axes_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        HistogramVAE((3, 16, 12, 8), VAEShape())
