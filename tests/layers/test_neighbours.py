"""Nearest and most alike nodes: the sorted distances, copies, compiled loops against plain torch."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from cloudchamber.layers.edge_geometry import pair_geometry
from cloudchamber.layers.neighbours import most_alike, nearest, neighbours_of

Cloud = Callable[[int, int, int], tuple[Tensor, Tensor]]


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


def test_nearest_of_copies_are_others_and_never_itself() -> None:
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


def test_nearest_does_not_hang_on_what_is_not_a_number(cloud: Cloud) -> None:
    points = cloud(1, 20, 0)[0].clone()
    points[0, 3] = torch.nan
    chosen = nearest(points, 4)
    assert ((chosen >= 0) & (chosen < 20)).all()


def test_compiled_and_plain_nearest_agree(cloud: Cloud) -> None:
    directions, _ = cloud(2, 200, 1)
    assert sets(nearest(directions, 16)) == sets(nearest(directions.double(), 16))


def test_most_alike_are_the_nearest_candidates_with_their_geometry(cloud: Cloud) -> None:
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


def test_neighbours_of_are_the_values_at_the_indices() -> None:
    values, index = torch.arange(8.0).reshape(1, 4, 2), torch.tensor([[[1], [0], [3], [3]]])
    assert neighbours_of(values, index).tolist() == [[[[2, 3]], [[0, 1]], [[6, 7]], [[6, 7]]]]
