"""Edge convolution: the publication's equation edge by edge, compiled loops against plain torch, the graph by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from cloudchamber.layers.edge_conv import (
    ANGLES,
    END_SPREAD,
    GEOMETRY,
    PAIR_SPREADS,
    EdgeConv,
    aggregate,
    most_alike,
    nearest,
    pair_geometry,
)


def cloud(samples: int, nodes: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(samples, nodes, 3, generator=generator), dim=-1)
    return directions, 40 * torch.rand(samples, nodes, generator=generator).clamp(min=1e-3) ** (-1 / 3)


def sets(index: Tensor) -> list[set[int]]:
    return [set(row.tolist()) for row in index.flatten(0, 1)]


@pytest.mark.parametrize("axes", [1, 2, 3, 7])
@pytest.mark.parametrize("k", [1, 5, 40, 149])
def test_nearest_is_the_sorted_distances(axes: int, k: int) -> None:
    generator = np.random.default_rng(axes + 10 * k)
    points = generator.normal(size=(2, 150, axes)).astype(np.float32)
    found = nearest(torch.from_numpy(points), k)
    assert found.shape == (2, 150, k)
    for s in range(2):
        for i in range(150):
            distance = np.square(points[s].astype(np.float64) - points[s, i]).sum(axis=1)
            distance[i] = np.inf
            # as distances, not as indices: rounding may swap two that are equally far
            np.testing.assert_allclose(
                np.sort(distance[found[s, i].numpy()]), np.sort(distance)[:k], rtol=1e-5, atol=1e-10
            )
            assert len(set(found[s, i].tolist())) == k


def test_nearest_of_a_cluster_and_of_copies() -> None:
    points = torch.zeros(1, 30, 3)
    points[0, :, 2] = 1  # thirty times the same direction: everybody else is a neighbour, nobody is its own
    points[0, 20:, 0] = torch.linspace(1e-4, 1e-3, 10)
    for index in (nearest(points, 12), nearest(points.double(), 12)):
        for i, chosen in enumerate(sets(index)):
            assert i not in chosen
            assert len(chosen) == 12
    twins = torch.tensor([[[0.0, 0, 1], [0, 0, 1], [1, 0, 0], [0.9, 0.1, 0]]])
    assert nearest(twins, 1).flatten().tolist() == [1, 0, 3, 2]
    assert nearest(twins, 16).shape == (1, 4, 3), "three others are all there is"
    with pytest.raises(ValueError, match="two at least"):
        nearest(torch.zeros(1, 1, 3), 4)


def test_nearest_does_not_hang_on_what_is_not_a_number() -> None:
    points = cloud(1, 20, 0)[0].clone()
    points[0, 3] = torch.nan
    chosen = nearest(points, 4)
    assert ((chosen >= 0) & (chosen < 20)).all()


def test_compiled_and_plain_graph_agree() -> None:
    directions, energies = cloud(2, 200, 1)
    index = nearest(directions, 16)
    assert sets(index) == sets(nearest(directions.double(), 16))
    geometry = pair_geometry(directions, energies, index)
    plain = pair_geometry(directions.double(), energies.double(), index)
    torch.testing.assert_close(geometry, plain.float(), rtol=1e-4, atol=1e-5)


def test_geometry_by_hand() -> None:
    directions, energies = cloud(1, 12, 2)
    index = nearest(directions, 3)
    geometry = pair_geometry(directions, energies, index)
    for i in range(12):
        for e in range(3):
            j = int(index[0, i, e])
            square = float((directions[0, i] - directions[0, j]).square().sum())
            own, other = float(energies[0, i]), float(energies[0, j])
            spreads = [q * (own**-2 + other**-2) ** 0.5 for q in PAIR_SPREADS]
            spreads += [*ANGLES, END_SPREAD / own, END_SPREAD / other]
            expected = [max(0.0, 1 - square / (2 * spread**2) / 8) ** 8 for spread in spreads]
            np.testing.assert_allclose(geometry[0, i, e], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("axes", [0, 4])
@pytest.mark.parametrize("width", [5, 32])
def test_compiled_and_plain_aggregation_agree(axes: int, width: int) -> None:
    torch.manual_seed(3)
    directions, energies = cloud(2, 60, 3)
    index = nearest(directions, 7)
    geometry = pair_geometry(directions, energies, index)
    given = [
        torch.randn(2, 60, width),
        torch.randn(2, 60, width),
        torch.randn(GEOMETRY, width),
        torch.randn(2, 60, axes),
        torch.randn(width),
    ]
    result = []
    for kind in (torch.float32, torch.float64):  # double precision takes plain torch
        leaves = [value.detach().to(kind).requires_grad_() for value in given]
        out = aggregate(*leaves, geometry.to(kind), index)
        slope = torch.linspace(-1, 1, out.numel()).sin().to(kind).reshape(out.shape)
        used = leaves if axes else leaves[:3]
        result.append([out, *torch.autograd.grad((out * slope).sum(), used)])
    for compiled, plain in zip(*result, strict=True):
        assert compiled.dtype == torch.float32
        scale = float(plain.detach().abs().max())  # single precision, sums of up to 840 edges
        torch.testing.assert_close(compiled, plain.float(), rtol=1e-4, atol=2e-6 * scale)


def test_layer_is_the_publications_sum_over_edges() -> None:
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


def test_gradients_are_those_of_differences() -> None:
    directions, energies = cloud(1, 10, 5)
    index = nearest(directions, 3)
    geometry = pair_geometry(directions, energies, index).double()
    torch.manual_seed(5)
    layer = EdgeConv(2, 4, axes=2).double()
    nodes = torch.randn(1, 10, 2, dtype=torch.float64, requires_grad=True)
    places = torch.randn(1, 10, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: layer(a, geometry, index, b), (nodes, places))


def test_most_alike_are_the_nearest_candidates_with_their_geometry() -> None:
    torch.manual_seed(7)
    directions, energies = cloud(2, 50, 7)
    index, places = nearest(directions, 12), torch.randn(2, 50, 3)
    geometry = pair_geometry(directions, energies, index)
    for kind in (torch.float32, torch.float64):
        chosen, kept = most_alike(places.to(kind), index, geometry.to(kind), 5)
        for s in range(2):
            for i in range(50):
                order = (places[s, index[s, i]] - places[s, i]).square().sum(dim=1).argsort()[:5]
                expected = {int(index[s, i, slot]): geometry[s, i, slot] for slot in order}
                assert set(chosen[s, i].tolist()) == set(expected)
                for e in range(5):
                    torch.testing.assert_close(kept[s, i, e].float(), expected[int(chosen[s, i, e])])
    assert most_alike(torch.zeros(2, 50, 3), index, geometry, 5)[0].shape == (2, 50, 5), "all equally alike"
    assert most_alike(places, index, geometry, 99)[0].shape == (2, 50, 12)
