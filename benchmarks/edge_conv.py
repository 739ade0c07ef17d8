"""Edge convolution on cosmic rays: compiled loops against plain torch, same graph, same numbers, one thread, same run.

    python benchmarks/edge_conv.py [--skies 8] [--cosmic-rays 1000] [--neighbours 32] [--width 32] [--repeats 7]

"neighbours": the nearest on the sphere against the full distance matrix and topk. "layer": one aggregation, forward and
backward, against the plain path of the same function (nodes, not edges, meet the matrices in both) and against the
publication's form, which applies the first linear layer to every edge's ``[x_i, x_j - x_i]``. "network": milliseconds a
sky of ``DynamicGraph`` forward and forward with backward. Sides alternate; times are processor times, smallest of the
repeats. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from cloudchamber.layers.edge_aggregation import aggregate
from cloudchamber.layers.edge_conv import EdgeConv
from cloudchamber.layers.edge_geometry import pair_geometry
from cloudchamber.layers.neighbours import nearest, neighbours_of
from cloudchamber.networks.dynamic_graph import DynamicGraph


def matrix_and_topk(points: Tensor, k: int) -> Tensor:
    """Neighbours from all distances."""
    square = torch.cdist(points, points).square()
    square.diagonal(dim1=1, dim2=2).fill_(torch.inf)
    return square.topk(k, largest=False).indices


def smallest(actions: dict[str, Callable[[], object]], repeats: int, skies: int) -> dict[str, float]:
    """Milliseconds a sky of every action, alternating."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for action in actions.values():
        action()  # compiles
    for _ in range(repeats):
        for name, action in actions.items():
            start = time.process_time()
            action()
            times[name].append(time.process_time() - start)
    return {name: round(1e3 * min(values) / skies, 3) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skies", type=int, default=8)
    parser.add_argument("--cosmic-rays", type=int, default=1000)
    parser.add_argument("--neighbours", type=int, default=32)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(given.seed)
    shape, width, k = (given.skies, given.cosmic_rays), given.width, given.neighbours
    directions = nn.functional.normalize(torch.randn(*shape, 3), dim=-1)
    energies = 40 * torch.rand(shape).clamp(min=1e-3) ** (-1 / 3)
    index = nearest(directions, k)
    geometry = pair_geometry(directions, energies, index)
    nodes = torch.randn(*shape, width, requires_grad=True)
    layer = EdgeConv(width, width)
    per_edge = nn.Linear(2 * width, width)
    rest = (layer.weight, nodes.new_empty((*shape, 0)), nodes.new_zeros(width), geometry, index)

    def compiled() -> Tensor:
        return aggregate(layer.centre(nodes), layer.other(nodes), *rest)

    def plain() -> Tensor:
        edges = layer.centre(nodes)[:, :, None] + neighbours_of(layer.other(nodes), index)
        return torch.relu(edges + geometry @ layer.weight).mean(dim=2)

    def publication() -> Tensor:
        step = neighbours_of(nodes, index) - nodes[:, :, None]
        edges = per_edge(torch.cat([nodes[:, :, None].expand_as(step), step], dim=-1))
        return torch.relu(edges + geometry @ layer.weight).mean(dim=2)

    difference = float((compiled() - plain()).detach().abs().max())
    network = DynamicGraph(neighbours=k)
    cosmic_rays = torch.cat([directions, energies[..., None]], dim=-1)

    def scores() -> None:
        with torch.no_grad():
            network(cosmic_rays)

    result = {
        "seed": given.seed, "skies": given.skies, "cosmic_rays": given.cosmic_rays, "neighbours": k, "width": width,
        "largest_difference": difference,
        "neighbours_ms": smallest(
            {
                "compiled": lambda: nearest(directions, k),
                "matrix_and_topk": lambda: matrix_and_topk(directions, k),
            },
            given.repeats, given.skies,
        ),
        "layer_ms": smallest(
            {
                "compiled": lambda: compiled().sum().backward(),
                "plain": lambda: plain().sum().backward(),
                "publication": lambda: publication().sum().backward(),
            },
            given.repeats, given.skies,
        ),
        "network_ms": smallest(
            {"forward": scores, "forward_and_backward": lambda: network(cosmic_rays).sum().backward()},
            given.repeats, given.skies,
        ),
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
