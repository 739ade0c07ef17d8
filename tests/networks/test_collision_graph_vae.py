"""The graph is built from what is learned, particles are a set, and kinds are drawn by their probabilities."""

from __future__ import annotations

import pytest
import torch

from cloudchamber.data.collision_particles import CLASSES
from cloudchamber.layers.edge_geometry import GEOMETRY
from cloudchamber.networks.collision_graph_vae import (
    BLUR,
    CONDITIONS,
    KINDS,
    DynamicEdgeConv,
    GraphAutoencoder,
    drawn_kinds,
    points_of,
    ranked,
    seeds_of,
)

pytestmark = pytest.mark.usefixtures("one_thread")

EVENTS, NUMBER = 3, 24


def made(seed: int = 1) -> tuple[GraphAutoencoder, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A small network; momenta, kinds and conditions of events."""
    torch.manual_seed(seed)
    network = GraphAutoencoder(latent=3, width=16, layers=2, neighbours=4)
    return (
        network, torch.randn(EVENTS, NUMBER, 3), torch.randint(KINDS, (EVENTS, NUMBER)),
        torch.randn(EVENTS, CONDITIONS),
    )  # fmt: skip


def test_edges_join_what_is_near_in_learned_coordinates() -> None:
    torch.manual_seed(2)
    layer = DynamicEdgeConv(5, 16, neighbours=3).double()
    features, points = torch.randn(1, 12, 5).double(), torch.randn(1, 12, GEOMETRY).double()
    with torch.no_grad():
        found = layer(features, points)[0]
        places = layer.places(features[0])
        far = torch.cdist(places, places)
        for node in range(12):
            near = far[node].argsort()[1:4]  # the first is the node itself
            edges = layer.edges
            each = edges.centre(features[0, node]) + edges.other(features[0, near])
            each = each + (points[0, near] - points[0, node]) @ edges.weight
            each = (each + far[node, near, None] ** 2 * edges.stretch).relu()
            expected = (edges.outward(each.mean(dim=0)) + layer.shortcut(features[0, node])).relu()
            torch.testing.assert_close(found[node], expected)


def test_latent_vectors_do_not_depend_on_the_order_of_particles() -> None:
    network, momentum, kind, condition = made()
    order = torch.randperm(NUMBER)
    with torch.no_grad():
        one = network.encode(points_of(momentum, kind), kind, condition)
        two = network.encode(points_of(momentum[:, order], kind[:, order]), kind[:, order], condition)
    for first, second in zip(one, two, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)  # sums in another order
    assert one[0].std(dim=0).min() > 1e-3  # and they tell events apart


def test_gradient_reaches_every_parameter_of_both_sides() -> None:
    network, momentum, kind, condition = made()
    mean, log_variance = network.encode(points_of(momentum, kind), kind, condition)
    logits, momenta = network.decode(
        mean + log_variance, condition, seeds_of(torch.randn(EVENTS, NUMBER, GEOMETRY - 1))
    )
    (logits.square().sum() + momenta.square().sum() + network.impact_parameter(mean).square().sum()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_decoded_events_know_nothing_of_one_another() -> None:
    network, _, _, condition = made()
    z, seeds = torch.randn(EVENTS, 3), seeds_of(torch.randn(EVENTS, NUMBER, GEOMETRY - 1))
    with torch.no_grad():
        logits, momenta = network.decode(z, condition, seeds)
        assert logits.shape == (EVENTS, NUMBER, KINDS)
        assert momenta.shape == (EVENTS, NUMBER, CLASSES, 3)
        alone = network.decode(z[1:2], condition[1:2], seeds[1:2])
    torch.testing.assert_close(alone[0][0], logits[1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(alone[1][0], momenta[1], rtol=1e-4, atol=1e-5)


def test_points_hold_momentum_class_and_species() -> None:
    momentum = torch.tensor([[[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]]])
    points = points_of(momentum, torch.tensor([[3, 8]]))  # a proton of the second fragment, a neutron of the gas
    expected = [[0.1, 0.2, 0.3, 0, 1, 0, 0, 1], [1.0, 2.0, 3.0, 0, 0, 0, 0, 0]]
    torch.testing.assert_close(points, torch.tensor([expected]))


def test_seeds_have_even_ranks_from_one_end_to_the_other() -> None:
    seeds = seeds_of(torch.zeros(2, 4, GEOMETRY - 1))
    assert seeds[1, :, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert seeds.shape == (2, 4, GEOMETRY)


def test_kinds_are_drawn_with_their_probabilities_at_every_rank() -> None:
    torch.manual_seed(3)
    slope = torch.linspace(-2, 2, NUMBER)[:, None] * torch.arange(KINDS)  # heavier kinds at higher ranks
    logits = (slope + 0.3 * torch.randn(KINDS))[None].expand(20_000, -1, -1)
    kind = drawn_kinds(logits, torch.rand(20_000))
    share = torch.nn.functional.one_hot(kind, KINDS).double().mean(dim=0)
    # the error of a share of 20 000 draws is below 0.0036
    assert (share - torch.softmax(logits[0], dim=1)).abs().max() < 0.02
    assert (kind.diff(dim=1) >= 0).all()


def test_shares_of_kinds_fill_the_ranks_in_order() -> None:
    share = torch.tensor([0.25, 0.25, 0, 0.125, 0, 0, 0, 0, 0.125, 0.25])
    rank = ((torch.arange(192) + 0.5) / 192)[None]
    sharp = torch.cat([(share + 1e-9).log(), torch.tensor([-4.0])])[None]  # limits are blurred by a fifth of a rank
    kind = torch.repeat_interleave(torch.arange(KINDS), (192 * share).long())
    probability = ranked(sharp, rank)[0].exp()
    assert probability.argmax(dim=1).tolist() == kind.tolist()
    blurred = ranked(torch.cat([torch.zeros(KINDS), torch.tensor([0.0])])[None], rank)[0].exp()
    torch.testing.assert_close(blurred.sum(dim=1), torch.ones(192), rtol=0, atol=2e-4)  # 1e-5 for each kind
    # half of the way over a limit after BLUR ln 3
    place = int(192 * (0.5 + BLUR * 1.0986))
    assert float(blurred[place, :5].sum()) == pytest.approx(0.25, abs=0.01)
