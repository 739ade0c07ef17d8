"""The convolutional network of air showers: what it reads, its images, its size."""

import pytest
import torch
from torch import Tensor, nn

from cloudchamber.data.surface_array import DEAD, SATURATED, STATUS, TIME, TRACE, X, Y
from cloudchamber.networks.shower_array import HexagonalConv, Reads, ShowerArray, axial_images, tiny


def showers(number: int, seed: int, rows: int = 9, columns: int = 9) -> Tensor:
    """Random numbers of likely size at the stations of a triangular array, a fifth of which triggered."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.zeros(number, rows * columns, TRACE + 120)
    row, column = torch.arange(rows * columns) // columns, torch.arange(rows * columns) % columns
    inputs[..., X] = 1500 * (column + 0.5 * (row % 2) - columns / 2)
    inputs[..., Y] = 1500 * 0.75**0.5 * (row - rows / 2)
    triggered = torch.rand(inputs.shape[:2], generator=generator) < 0.2
    inputs[..., STATUS] = triggered.float()
    inputs[..., TIME] = 5000 * torch.rand(inputs.shape[:2], generator=generator) * triggered
    inputs[..., TRACE:] = torch.rand(inputs[..., TRACE:].shape, generator=generator) * triggered[..., None]
    return inputs


@pytest.mark.parametrize(("reads", "blind"), [("time", [SATURATED, TRACE, TRACE + 50]), ("total", []), ("traces", [])])
def test_network_reads_no_more_than_it_is_told(reads: Reads, blind: list[int]) -> None:
    torch.manual_seed(1)
    network, inputs = ShowerArray(reads=reads), showers(3, 1).requires_grad_()
    said = network(inputs) + network.first_estimate(inputs).repeat(1, 2)
    said.square().sum().backward()
    assert inputs.grad is not None
    reached = inputs.grad.abs().sum(dim=(0, 1)) > 0
    assert reached[[X, Y, TIME]].all()
    assert not reached[blind].any()
    assert reached[TRACE:].all() == (reads != "time")


def test_total_signal_hides_the_shape_of_traces() -> None:
    torch.manual_seed(2)
    inputs = showers(3, 2)
    mirrored = torch.cat([inputs[..., :TRACE], inputs[..., TRACE:].flip(2)], dim=2)
    with torch.no_grad():
        for reads, same in (("total", True), ("traces", False)):
            network = ShowerArray(reads=reads).eval()  # type: ignore[arg-type]
            assert torch.allclose(network(inputs), network(mirrored), atol=1e-4) == same


def test_size_is_about_that_of_the_publication() -> None:
    parameters = sum(weight.numel() for weight in ShowerArray().parameters())
    assert 80_000 < parameters < 130_000  # the talk: about 120 000


def test_hexagonal_convolution_reads_six_neighbours_in_every_row() -> None:
    stations = axial_images(9, 9)
    inputs = showers(1, 3)[0]
    torch.manual_seed(3)
    layer = HexagonalConv(1, 1)
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.mix = nn.Identity()  # type: ignore[assignment]
        for centre in (30, 40):  # in an odd and in an even row
            alone = (stations == centre).float()[None, None]
            reached = sorted(stations[layer(alone)[0, 0] > 0].tolist())
            away = (inputs[:, X : Y + 1] - inputs[centre, X : Y + 1]).norm(dim=1)
            assert reached == torch.nonzero(away < 1600).flatten().tolist()
            assert len(reached) == 7


def test_every_station_has_its_pixel_once() -> None:
    stations = axial_images(9, 9)
    assert stations.shape == (9, 13)
    assert sorted(stations[stations < 81].tolist()) == list(range(81))


def test_dead_stations_are_not_silent_ones() -> None:
    torch.manual_seed(4)
    network, inputs = ShowerArray().eval(), showers(2, 4)
    silent = int(torch.nonzero(inputs[0, :, STATUS] == 0)[0])
    dead = inputs.clone()
    dead[0, silent, STATUS] = DEAD
    with torch.no_grad():
        assert not torch.allclose(network(inputs)[0], network(dead)[0], atol=1e-5)
        torch.testing.assert_close(network.first_estimate(inputs), network.first_estimate(dead))


def test_trace_variables_are_ten_numbers_of_triggered_stations() -> None:
    network, inputs = ShowerArray(traces="lstm"), showers(2, 5)
    variables = network.trace_variables(inputs)
    assert variables.shape == (2, 81, 10)
    assert not variables[inputs[..., STATUS] < 0.5].any()
    assert variables[inputs[..., STATUS] > 0.5].any()
    with pytest.raises(ValueError, match="no variables"):
        ShowerArray(reads="total").trace_variables(inputs)


def test_tiny_network_takes_its_own_inputs() -> None:
    network, shape = tiny()
    assert network(torch.rand(2, *shape)).shape == (2, 12)
