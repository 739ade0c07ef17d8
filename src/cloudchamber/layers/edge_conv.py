"""Edge convolution on clouds of cosmic rays (EdgeConv; Wang et al., arXiv:1801.07829, eq. 7 and 8).

The publication's edge feature ``Theta (x_j - x_i) + Phi x_i`` becomes ``(Phi - Theta) x_i + Theta x_j``: both matrices
meet nodes, not edges. Added to it are invariants of the two directions and energies, so that a layer answers to
distances on the sphere and to nothing else of the coordinates::

    e_ij = relu(A x_i + B x_j + W g_ij + v |y_i - y_j|^2),      x'_i = C mean_j e_ij,

with ``g_ij`` of ``edge_geometry.pair_geometry``, the neighbours j of i by ``neighbours.nearest``, and learned
coordinates y in dynamic layers. C is the last linear layer of the publication's kernel: it commutes with the mean,
which ``edge_aggregation.aggregate`` takes. Conventions: (sample, node, feature).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cloudchamber.layers.edge_aggregation import aggregate
from cloudchamber.layers.edge_geometry import GEOMETRY


class EdgeConv(nn.Module):
    """One edge convolution: the module's equation, on a graph that is given.

    Args:
        inward: features of a node before the layer.
        outward: features of a node after it.
        axes: of the learned coordinates; 0 for none.
    """

    def __init__(self, inward: int, outward: int, axes: int = 0) -> None:
        super().__init__()
        self.axes = axes
        self.centre = nn.Linear(inward, outward)
        self.other = nn.Linear(inward, outward, bias=False)
        self.weight = nn.Parameter(torch.randn(GEOMETRY, outward) / GEOMETRY**0.5)
        self.stretch = nn.Parameter(torch.randn(outward) * 0.1) if axes else None
        self.outward = nn.Linear(outward, outward)

    def forward(self, nodes: Tensor, geometry: Tensor, index: Tensor, places: Tensor | None = None) -> Tensor:
        """Features of the nodes after the layer, (sample, node, outward).

        Args:
            nodes: features (sample, node, inward).
            geometry: of the graph's edges (sample, node, k, GEOMETRY).
            index: of the graph's neighbours (sample, node, k).
            places: learned coordinates (sample, node, axes) of a dynamic layer; None for a layer without axes.

        Raises:
            ValueError: learned coordinates with other axes than the layer was made for.
        """
        if (places is None) != (self.stretch is None) or (places is not None and places.shape[-1] != self.axes):
            raise ValueError(f"learned coordinates: {self.axes} axes expected")
        if places is None or self.stretch is None:
            places, stretch = nodes.new_empty((*nodes.shape[:2], 0)), nodes.new_zeros(self.weight.shape[1])
        else:
            stretch = self.stretch
        edges = aggregate(self.centre(nodes), self.other(nodes), self.weight, places, stretch, geometry, index)
        out: Tensor = self.outward(edges)
        return out
