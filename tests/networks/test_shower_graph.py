"""The network on stations: any array, turned and moved along with it, deaf to dead stations."""

import math

import pytest
import torch
from torch import Tensor

from cloudchamber.data.surface_array import DEAD, STATUS, TIME, TRACE, X, Z
from cloudchamber.networks.shower_graph import ShowerGraph, turned_back


def showers(number: int, stations: int, seed: int) -> Tensor:
    """Random numbers of likely size at stations anywhere, half of which triggered."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.zeros(number, stations, TRACE + 120)
    inputs[..., X:Z] = 6000 * torch.rand(number, stations, 2, generator=generator) - 3000
    triggered = torch.rand(inputs.shape[:2], generator=generator) < 0.5
    inputs[..., STATUS] = triggered.float()
    inputs[..., TIME] = 5000 * torch.rand(inputs.shape[:2], generator=generator) * triggered
    inputs[..., TRACE:] = torch.rand(inputs[..., TRACE:].shape, generator=generator) * triggered[..., None]
    return inputs


def network() -> ShowerGraph:
    torch.manual_seed(1)
    return ShowerGraph(nodes=16).eval()


def turned(vectors: Tensor, angle: float) -> Tensor:
    """Horizontal vectors (..., 2) turned about the vertical."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return vectors @ torch.tensor([[cosine, sine], [-sine, cosine]])


@pytest.mark.parametrize("degrees", [60, 123])
def test_turned_array_and_shower_turn_axis_and_core_along(degrees: int) -> None:
    angle, inputs = math.radians(degrees), showers(5, 40, 2)
    other = inputs.clone()
    other[..., X:Z] = turned(inputs[..., X:Z], angle)
    graph = network()
    with torch.no_grad():
        first, said = graph.first_estimate(inputs), graph(inputs)
        first_other, said_other = graph.first_estimate(other), graph(other)
    for before, after, start in ((first, first_other, 0), (first, first_other, 2), (said, said_other, 0),
                                 (said, said_other, 2)):  # fmt: skip
        expected = turned(before[:, start : start + 2], angle)
        # rounding of turned coordinates of thousands of metres
        torch.testing.assert_close(after[:, start : start + 2], expected, rtol=1e-4, atol=2e-3)
    torch.testing.assert_close(said_other[:, [4, 5, 10, 11]], said[:, [4, 5, 10, 11]], rtol=1e-4, atol=2e-4)
    variance, variance_other = (torch.nn.functional.softplus(one[:, 6:10]) for one in (said, said_other))
    for start in (0, 2):  # the sum of the variances along x and y is the covariance's trace
        torch.testing.assert_close(
            variance_other[:, start : start + 2].sum(dim=1), variance[:, start : start + 2].sum(dim=1)
        )


def test_moved_array_moves_the_core_and_nothing_else() -> None:
    inputs = showers(5, 40, 3)
    other, step = inputs.clone(), torch.tensor([400.0, -250.0])
    other[..., X:Z] += step
    graph = network()
    with torch.no_grad():
        torch.testing.assert_close(graph(other), graph(inputs), rtol=1e-4, atol=2e-4)
        moved = graph.first_estimate(other) - graph.first_estimate(inputs)
    torch.testing.assert_close(moved[:, 2:4], step.expand(5, 2), rtol=1e-3, atol=1e-2)
    assert moved[:, [0, 1, 4, 5]].abs().max() < 1e-4


def test_order_of_stations_does_not_matter() -> None:
    inputs = showers(4, 40, 4)
    mixed = inputs[:, torch.randperm(40, generator=torch.Generator().manual_seed(1))]
    with torch.no_grad():
        torch.testing.assert_close(network()(mixed), network()(inputs), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stations", [5, 16, 50])
def test_arrays_of_any_number_of_stations_are_read(stations: int) -> None:
    with torch.no_grad():
        assert torch.isfinite(network()(showers(3, stations, 5))).all()


def test_dead_stations_say_nothing() -> None:
    inputs = showers(3, 12, 6)
    inputs[:, 0, STATUS] = DEAD
    other = inputs.clone()
    other[:, 0, X:Z] += 300.0
    with torch.no_grad():
        torch.testing.assert_close(network()(other), network()(inputs))
        torch.testing.assert_close(network()(inputs[:, 1:]), network()(inputs), rtol=1e-4, atol=1e-4)


def test_every_triggered_station_is_read_before_silent_ones() -> None:
    graph, inputs = network(), showers(6, 30, 7)
    inputs.requires_grad_()
    graph(inputs).square().sum().backward()
    assert inputs.grad is not None
    triggered = inputs[..., STATUS] > 0.5
    assert triggered.sum(dim=1).max() > 8
    reached = inputs.grad[..., TIME].abs() > 0
    assert (reached == triggered).all()


def test_variances_are_those_of_the_turned_covariance() -> None:
    torch.manual_seed(8)
    outputs, angle = torch.randn(7, 12), torch.rand(7) * 6
    turn = torch.stack([angle.cos(), angle.sin()], dim=1)
    found = torch.nn.functional.softplus(turned_back(outputs, turn)[:, 6:10])
    for row, said, (cosine, sine) in zip(found, torch.nn.functional.softplus(outputs[:, 6:10]), turn, strict=True):
        rotation = torch.tensor([[cosine, -sine], [sine, cosine]])
        for start in (0, 2):
            covariance = rotation @ torch.diag(said[start : start + 2]) @ rotation.T
            # 1e-6 is added where a variance could vanish
            torch.testing.assert_close(row[start : start + 2], covariance.diagonal(), rtol=1e-4, atol=1e-5)


def test_parameters_stay_below_those_agreed_for_one_core() -> None:
    assert sum(weight.numel() for weight in ShowerGraph().parameters()) < 150_000
