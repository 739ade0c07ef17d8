"""The dynamic graph network that reads cosmic rays without a map (Langner, Erdmann, Wirtz et al., arXiv:2003.13038,
after Wang et al., arXiv:1801.07829).

Edge convolutions on the graph of neighbours on the sphere, then on a dynamic graph: of those neighbours the half that
is most alike in learned coordinates (a source does not reach farther, and a search through the whole sky would cost
more than the network). Unlike the publications' networks it sees directions only through distances of cosmic rays, so
that its numbers do not change when the sky is rotated, and its direction rotates along: no rotated copies are needed to
train it. Conventions: cosmic rays are (x, y, z, E) with E in EeV; the length of (x, y, z) does not
matter.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cloudchamber.layers.edge_conv import Aggregation, EdgeConv, most_alike, nearest, pair_geometry

LEARNED_AXES = 4


class DynamicGraph(nn.Module):
    """Cosmic rays to numbers of the sky, a direction, and a logit for every cosmic ray ("belongs to the source").

    Per cosmic ray: ln(E / 40 EeV), then one EdgeConv with a shortcut for each of ``widths``. Per sky: mean, mean
    weighted with the signal probability, and a smooth maximum of the last features, then two dense layers. The
    direction is the mean of the cosmic rays' directions weighted with their signal probability; its length is below 1
    and tells how far they cluster.

    Args:
        outputs: numbers a sky, before the three of the direction.
        neighbours: of a cosmic ray on the sphere; dynamic layers keep half of them.
        widths: features of a cosmic ray after each layer.
        dynamic: for each layer, whether its neighbours are chosen in learned coordinates.
        dropout: before the last dense layer.
        aggregation: over the neighbours of a cosmic ray.
    """

    def __init__(
        self,
        outputs: int = 2,
        neighbours: int = 16,
        widths: Sequence[int] = (32, 32, 64),
        dynamic: Sequence[bool] = (False, False, True),
        dropout: float = 0.0,
        aggregation: Aggregation = "mean",
    ) -> None:
        super().__init__()
        if len(widths) != len(dynamic) or not widths:
            raise ValueError(f"widths = {widths}, dynamic = {dynamic}: one entry a layer in both")
        self.outputs = outputs + 3
        self.neighbours = neighbours
        self.dynamic = tuple(dynamic)
        self.convolutions = nn.ModuleList()
        self.shortcuts = nn.ModuleList()
        self.places = nn.ModuleList()
        inward = 1
        for width, moves in zip(widths, dynamic, strict=True):
            self.convolutions.append(EdgeConv(inward, width, LEARNED_AXES if moves else 0, aggregation))
            self.shortcuts.append(nn.Linear(inward, width))
            self.places.append(nn.Linear(inward, LEARNED_AXES, bias=False) if moves else nn.Identity())
            inward = width
        self.logit = nn.Sequential(nn.Linear(inward, inward), nn.ReLU(), nn.Linear(inward, 1))
        self.peak = nn.Linear(inward, inward)
        self.dense = nn.Sequential(
            nn.Linear(3 * inward + 1, inward), nn.ReLU(), nn.Dropout(dropout), nn.Linear(inward, outputs)
        )

    def scores(self, cosmic_rays: Tensor) -> tuple[Tensor, Tensor]:
        """``forward`` and the signal logit of every cosmic ray, (sample, cosmic_ray)."""
        directions = nn.functional.normalize(cosmic_rays[..., :3], dim=-1)
        energies = cosmic_rays[..., 3].clamp(min=1e-3)
        features = torch.log(energies / 40)[..., None]
        index = nearest(directions, self.neighbours)
        geometry = pair_geometry(directions, energies, index)
        for number, moves in enumerate(self.dynamic):
            if moves:
                places = self.places[number](features)
                alike = most_alike(places, index, geometry, (self.neighbours + 1) // 2)
                new = self.convolutions[number](features, alike[1], alike[0], places)
            else:
                new = self.convolutions[number](features, geometry, index)
            features = (new + self.shortcuts[number](features)).relu_()
        logits = self.logit(features)[..., 0]
        weight = torch.sigmoid(logits)
        total = weight.sum(dim=1, keepdim=True)
        share = weight[:, None] / (total[:, None] + 1e-6)
        sky = torch.cat(
            [
                features.mean(dim=1),
                (share @ features)[:, 0],
                torch.logsumexp(self.peak(features), dim=1),
                torch.log(total + 1e-6),
            ],
            dim=-1,
        )
        return torch.cat([self.dense(sky), (share @ directions)[:, 0]], dim=-1), logits

    def forward(self, cosmic_rays: Tensor) -> Tensor:
        """Numbers of every sky and its direction, (sample, outputs + 3), for ``cosmic_rays`` (sample, cosmic_ray, 4).

        Columns are x, y, z and the energy in EeV; the last three of the result are the direction, not a unit vector.
        """
        return self.scores(cosmic_rays)[0]


def tiny() -> tuple[DynamicGraph, tuple[int, ...]]:
    """A small one for tests, with the shape of one input."""
    return DynamicGraph(outputs=2, neighbours=4, widths=(6, 8), dynamic=(False, True)), (24, 4)
