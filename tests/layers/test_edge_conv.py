"""Edge convolution: the publication's equation edge by edge, and its gradients."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cloudchamber.layers.edge_conv import EdgeConv
from cloudchamber.layers.edge_geometry import pair_geometry
from cloudchamber.layers.neighbours import nearest

Cloud = Callable[[int, int, int], tuple[Tensor, Tensor]]


def test_layer_is_the_publications_sum_over_edges(cloud: Cloud) -> None:
    """Theta (x_j - x_i) + Phi x_i, relu, second linear layer, mean over neighbours: one edge at a time."""
    torch.manual_seed(4)
    directions, energies = cloud(1, 15, 4)
    index = nearest(directions, 4)
    geometry = pair_geometry(directions, energies, index)
    layer, nodes, places = EdgeConv(3, 6, axes=2), torch.randn(1, 15, 3), torch.randn(1, 15, 2)
    out = layer(nodes, geometry, index, places)
    theta = layer.other.weight
    phi = layer.centre.weight + theta
    for i in range(15):
        messages = []
        for e in range(4):
            j = int(index[0, i, e])
            edge = theta @ (nodes[0, j] - nodes[0, i]) + phi @ nodes[0, i] + layer.centre.bias
            edge = edge + geometry[0, i, e] @ layer.weight
            edge = edge + layer.stretch * (places[0, i] - places[0, j]).square().sum()
            messages.append(layer.outward(torch.relu(edge)))
        torch.testing.assert_close(out[0, i], torch.stack(messages).mean(dim=0), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="2 axes"):
        layer(nodes, geometry, index)


def test_gradients_are_those_of_differences(cloud: Cloud) -> None:
    directions, energies = cloud(1, 10, 5)
    index = nearest(directions, 3)
    geometry = pair_geometry(directions, energies, index).double()
    torch.manual_seed(5)
    layer = EdgeConv(2, 4, axes=2).double()
    nodes = torch.randn(1, 10, 2, dtype=torch.float64, requires_grad=True)
    places = torch.randn(1, 10, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: layer(a, geometry, index, b), (nodes, places))
