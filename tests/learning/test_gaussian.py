"""The loss against a slow version of the publication's equation, and the units of a Gaussian model."""

import math

import pytest
import torch
from torch import nn

from cloudchamber.learning.gaussian import GaussianModel, MeanFunction, beta_nll


def slow(mean: torch.Tensor, variance: torch.Tensor, target: torch.Tensor, beta: float) -> float:
    """arXiv:2203.09168, equation 5, number by number."""
    terms = [
        v**beta * (0.5 * math.log(v) + (t - m) ** 2 / (2 * v))
        for m, v, t in zip(mean.flatten().tolist(), variance.flatten().tolist(), target.flatten().tolist(), strict=True)
    ]
    return sum(terms) / len(terms)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_loss_is_that_of_the_equation(beta: float) -> None:
    torch.manual_seed(11)
    mean, target, variance = torch.randn(5, 3), torch.randn(5, 3), torch.rand(5, 3) + 0.1
    assert beta_nll(mean, variance, target, beta).item() == pytest.approx(slow(mean, variance, target, beta), rel=1e-5)


def test_no_gradient_flows_through_the_weight_of_the_loss() -> None:
    torch.manual_seed(12)
    mean, target = torch.randn(4, 1, requires_grad=True), torch.randn(4, 1)
    variance = (torch.rand(4, 1) + 0.1).requires_grad_()
    beta_nll(mean, variance, target, 1.0).backward()
    # with beta 1 the mean's gradient is that of half the squared error (the publication, section 4)
    torch.testing.assert_close(mean.grad, (mean.detach() - target) / 4)
    v = variance.detach()
    torch.testing.assert_close(variance.grad, v * (0.5 / v - (mean.detach() - target) ** 2 / (2 * v**2)) / 4)


class Constant(nn.Module):
    """Answers the same, with features and head."""

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return images.sum(dim=(1, 2, 3))[:, None]

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return torch.cat([features, features + 1, 0 * features, 0 * features], dim=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images))


def test_mean_and_deviation_come_back_in_units_of_the_targets() -> None:
    model = GaussianModel(Constant(), 2)
    model.fit_targets(torch.tensor([[10.0, 5.0], [14.0, 5.0]]))  # mean 12 and 5, spread 2 and none
    mean, std = model(torch.zeros(1, 1, 2, 2))
    assert mean.tolist() == [[12.0, 6.0]]
    assert std[0].tolist() == pytest.approx([2 * math.sqrt(math.log(2) + 1e-6), math.sqrt(math.log(2) + 1e-6)])


def test_mean_function_is_a_function_of_the_full_raw_input() -> None:
    model = GaussianModel(Constant(), 2)
    model.fit_targets(torch.tensor([[10.0, 5.0], [14.0, 5.0]]))
    function = MeanFunction(model, (1,))
    images = torch.rand(3, 2, 2, 2, requires_grad=True)
    torch.testing.assert_close(function(images), function.head(function.features(images)))
    torch.testing.assert_close(function(images), model(images[:, 1:])[0])
    function(images)[:, 0].sum().backward()
    assert images.grad is not None
    assert not images.grad[:, 0].any()
    assert images.grad[:, 1].all()


class Correction(nn.Module):
    """Knows twice the first input; the network itself says that it is one spread more, with variance ln 2."""

    def first_estimate(self, inputs: torch.Tensor) -> torch.Tensor:
        return 2 * inputs[:, :1]

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat([inputs[:, :1] * 0 + 1, inputs[:, :1] * 0], dim=1)


def test_network_that_corrects_is_taught_by_what_is_left() -> None:
    model = GaussianModel(Correction(), 1)
    inputs = torch.tensor([[1.0, 0], [5.0, 0]], requires_grad=True)
    targets = torch.tensor([[3.0], [17.0]])  # 1 and 7 more than the first estimate: mean 4, spread 3
    model.fit_targets(targets, inputs)
    assert (model.target_mean.item(), model.target_scale.item()) == (4.0, 3.0)
    assert model.standardised_targets(targets, inputs).tolist() == [[-1.0], [1.0]]
    mean, std = model(inputs)
    assert mean.tolist() == [[9.0], [17.0]]
    assert std[0].tolist() == pytest.approx([3 * math.sqrt(math.log(2) + 1e-6)])


def test_mean_function_adds_the_first_estimate_and_its_gradient() -> None:
    model = GaussianModel(Correction(), 1)
    inputs = torch.rand(3, 4, requires_grad=True)
    function = MeanFunction(model, (2, 1))
    torch.testing.assert_close(function(inputs), model(inputs[:, [2, 1]])[0])
    function(inputs).sum().backward()
    assert inputs.grad is not None
    assert inputs.grad.tolist() == [[0.0, 0.0, 2.0, 0.0]] * 3


def test_correction_without_inputs_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match="give the inputs"):
        GaussianModel(Correction(), 1).fit_targets(torch.zeros(2, 1))
