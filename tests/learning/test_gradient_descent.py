"""Backpropagation and optimisers written out, against those of PyTorch."""

from __future__ import annotations

import pytest
import torch

from cloudchamber.learning.backpropagation import backward, forward, layers_of, parameters_of, stacked
from cloudchamber.learning.gradient_descent import OPTIMISERS, Optimiser
from cloudchamber.networks.dense import Dense

WIDTHS = (1, 20, 20, 20, 20, 20, 20, 20, 1)


def stack(members: int) -> tuple[list[Dense], torch.Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        networks = [Dense(1, 1, WIDTHS[1:-1]) for _ in range(members)]
    return networks, stacked(networks)


def test_the_network_of_the_talk_has_2581_parameters() -> None:
    assert parameters_of(WIDTHS) == 2581
    assert sum(one.numel() for one in Dense(1, 1, WIDTHS[1:-1]).parameters()) == 2581


def test_a_stack_answers_as_its_networks_do_one_by_one() -> None:
    networks, numbers = stack(3)
    x = torch.linspace(-2, 2, 7).view(-1, 1)
    said = forward(layers_of(numbers, WIDTHS, 3), x.expand(3, -1, -1).contiguous())[-1]
    for network, one in zip(networks, said, strict=True):
        torch.testing.assert_close(one, network(x).detach())


def test_backpropagation_is_automatic_differentiation() -> None:
    _, numbers = stack(2)
    numbers = numbers.double()
    inputs = torch.linspace(-2, 2, 11, dtype=torch.float64).view(1, -1, 1).repeat(2, 1, 1)
    values = torch.sin(3 * inputs)
    gradient = torch.zeros_like(numbers)
    activations = forward(layers_of(numbers, WIDTHS, 2), inputs)
    backward(layers_of(numbers, WIDTHS, 2), activations, 2 * (activations[-1] - values), layers_of(gradient, WIDTHS, 2))
    leaf = numbers.clone().requires_grad_()
    loss = (forward(layers_of(leaf, WIDTHS, 2), inputs)[-1] - values).square().sum()
    torch.testing.assert_close(gradient, torch.autograd.grad(loss, leaf)[0], rtol=1e-12, atol=1e-15)


def test_members_of_a_stack_do_not_touch_each_other() -> None:
    networks, numbers = stack(2)
    inputs = torch.linspace(-2, 2, 5).view(1, -1, 1)
    alone = forward(layers_of(stacked(networks[1:]), WIDTHS, 1), inputs)[-1][0]
    torch.testing.assert_close(forward(layers_of(numbers, WIDTHS, 2), inputs.repeat(2, 1, 1))[-1][1], alone)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimiser_goes_where_that_of_pytorch_goes(name: str) -> None:
    start = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64)
    curvature = torch.tensor([1.0, 10.0, 0.1], dtype=torch.float64)
    mine = start.clone()
    ours = Optimiser(name, mine, 0.05)
    theirs = torch.nn.Parameter(start.clone())
    reference = {
        "gradient descent": lambda: torch.optim.SGD([theirs], 0.05),
        "momentum": lambda: torch.optim.SGD([theirs], 0.05, momentum=0.9),
        "adam": lambda: torch.optim.Adam([theirs], 0.05),
    }[name]()
    for _ in range(30):
        ours.step(curvature * mine)
        theirs.grad = curvature * theirs.detach()
        reference.step()
        torch.testing.assert_close(mine, theirs.detach(), rtol=1e-10, atol=1e-12)


def test_each_parameter_can_have_a_rate_of_its_own() -> None:
    parameters = torch.zeros(2)
    Optimiser("gradient descent", parameters, torch.tensor([0.1, 1.0])).step(torch.ones(2))
    torch.testing.assert_close(parameters, torch.tensor([-0.1, -1.0]))
