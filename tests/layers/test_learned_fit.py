"""The fit with learned weights and corrections, against a general solver."""

import numpy as np
import torch
from torch import Tensor

from cloudchamber.layers.learned_fit import LearnedFit


def data(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features, values, slopes and weights of 4 showers with 9 stations."""
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(4, 9, 5, generator=generator),
        torch.randn(4, 9, generator=generator),
        torch.randn(4, 9, 2, generator=generator),
        torch.rand(4, 9, generator=generator),
    )


def test_before_training_it_is_the_plain_fit_with_prior_and_offset() -> None:
    stations, values, slopes, weight = data(1)
    found, offset = LearnedFit(5, unit=0.1, prior=2.0)(stations, values, slopes, weight)
    for shower in range(4):
        root = weight[shower].double().sqrt().numpy()
        matrix = np.vstack([root[:, None] * np.column_stack([slopes[shower].numpy(), np.ones(9)]), np.eye(2, 3) / 2])
        expected = np.linalg.lstsq(matrix, np.append(root * values[shower].numpy(), [0, 0]))[0]
        np.testing.assert_allclose(found[shower].detach(), expected[:2], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(offset[shower].detach(), expected[2:], rtol=1e-4, atol=1e-5)


def test_correction_that_is_known_is_taken_off_the_values() -> None:
    stations, values, slopes, weight = data(2)
    fit = LearnedFit(5, unit=0.1, prior=2.0)
    clean = fit(stations, values, slopes, weight)
    with torch.no_grad():
        fit.judge.weight[0, 3] = 1.0
    for one, two in zip(fit(stations, values + 0.1 * stations[..., 3], slopes, weight), clean, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


def test_learned_factor_multiplies_the_weight_within_bounds() -> None:
    stations, values, slopes, weight = data(3)
    fit, other = LearnedFit(5, unit=0.1, prior=2.0), LearnedFit(5, unit=0.1, prior=2.0)
    with torch.no_grad():
        fit.judge.weight[1, 2] = 1.0
        factor = torch.exp(6 * torch.tanh(stations[..., 2] / 6))
    for one, two in zip(
        fit(stations, values, slopes, weight), other(stations, values, slopes, weight * factor), strict=True
    ):
        torch.testing.assert_close(one, two)


def test_stations_without_weight_have_no_say() -> None:
    stations, values, slopes, weight = data(4)
    weight[:, 6:] = 0
    fit = LearnedFit(5, unit=0.1, prior=2.0)
    whole = fit(stations, values, slopes, weight)
    part = fit(stations[:, :6], values[:, :6], slopes[:, :6], weight[:, :6])
    for one, two in zip(whole, part, strict=True):
        torch.testing.assert_close(one, two)


def test_showers_without_any_weight_get_zero_and_finite_gradients() -> None:
    stations, values, slopes, weight = data(5)
    values.requires_grad_()
    fit = LearnedFit(5, unit=0.1, prior=2.0)
    found, offset = fit(stations, values, slopes, 0 * weight)
    assert not found.any()
    assert not offset.any()
    (found.sum() + offset.sum()).backward()
    assert torch.isfinite(values.grad).all()  # type: ignore[arg-type]
