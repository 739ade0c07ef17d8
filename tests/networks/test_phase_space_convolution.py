"""Convolution in six dimensions, against the sum over all shifts."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from cloudchamber.networks.phase_space_convolution import PhaseSpaceConvolution, SixDimensionalVAE, tiny

pytestmark = pytest.mark.usefixtures("one_thread")


def all_shifts(layer: PhaseSpaceConvolution, cells: Tensor, stride: int) -> Tensor:
    """The definition: the product kernel, summed over the 729 shifts."""
    kernel = torch.einsum("omxyz,micjk->oixyzcjk", layer.places.weight, layer.momenta.weight)
    padded = torch.nn.functional.pad(cells, (1, 1) * 6)
    length = cells.shape[2]
    places = range(0, length, stride)
    found = torch.zeros(len(cells), kernel.shape[0], *(len(places),) * 6)
    for shift in product(range(3), repeat=6):
        window = padded[(slice(None), slice(None), *(slice(s, s + length, stride) for s in shift))]
        found += torch.einsum("oi,nixyzcjk->noxyzcjk", kernel[(slice(None), slice(None), *shift)], window)
    return found + layer.places.bias[:, None, None, None, None, None, None]


@pytest.mark.parametrize("stride", [1, 2])
def test_two_steps_are_the_sum_over_all_shifts(stride: int) -> None:
    torch.manual_seed(1)
    layer = PhaseSpaceConvolution(2, 3, 4, stride)
    cells = torch.randn(2, 2, *(4,) * 6)
    with torch.no_grad():
        torch.testing.assert_close(layer(cells), all_shifts(layer, cells, stride), rtol=1e-4, atol=1e-4)


def test_upward_layer_is_the_adjoint_of_the_downward_one() -> None:
    torch.manual_seed(2)
    down, up = PhaseSpaceConvolution(2, 3, 4, 2), PhaseSpaceConvolution(3, 2, 4, 2, upward=True)
    torch.nn.init.zeros_(down.places.bias)
    torch.nn.init.zeros_(up.momenta.bias)
    up.places.weight.data.copy_(down.places.weight)
    up.momenta.weight.data.copy_(down.momenta.weight)
    fine, coarse = torch.randn(1, 2, *(4,) * 6), torch.randn(1, 3, *(2,) * 6)
    with torch.no_grad():
        torch.testing.assert_close((down(fine) * coarse).sum(), (fine * up(coarse)).sum(), rtol=1e-4, atol=1e-4)


def test_places_and_momenta_are_not_mixed_up() -> None:
    torch.manual_seed(3)
    layer = PhaseSpaceConvolution(1, 1, 1)
    torch.nn.init.dirac_(layer.places.weight)
    torch.nn.init.zeros_(layer.places.bias)
    cells = torch.zeros(1, 1, *(5,) * 6)
    cells[0, 0, 2, 2, 2, 2, 2, 2] = 1
    with torch.no_grad():
        there = layer(cells)[0, 0].abs() > 0
    assert there[2, 2, 2].sum() == 27  # spread over momenta
    assert there.sum() == 27  # and over no other place


def test_shares_of_a_reconstruction_add_up_to_one() -> None:
    torch.manual_seed(4)
    network, inputs = tiny()
    with torch.no_grad():
        shares = network(*inputs(3)).exp()
    assert shares.shape == (3, *(4,) * 6)
    torch.testing.assert_close(shares.flatten(1).sum(1), torch.ones(3))


def test_training_steps_bring_a_reconstruction_nearer() -> None:
    torch.manual_seed(5)
    network = SixDimensionalVAE(4, 2, 2, 16)
    cells = torch.zeros(2, *(4,) * 6)
    cells[0, 0, 0, 0, 1, 1, 1] = 12
    cells[1, 3, 3, 3, 2, 2, 2] = 12
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-2)
    losses = []
    for _ in range(100):
        loss = -(cells * network(cells, torch.zeros(2, 2))).sum() / 24
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    # at first it knows nothing: the logarithm of 4096 cells; the mean of both events alone gives ln 2
    assert losses[0] > 7
    assert losses[-1] < 0.3
