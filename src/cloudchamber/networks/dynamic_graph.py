"""The dynamic graph network that reads cosmic rays without a map.

Bister, Erdmann, Glombitza, Langner, Schulte, Wirtz, arXiv:2003.13038, after Wang et al., arXiv:1801.07829.

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

from cloudchamber.layers.edge_conv import EdgeConv
from cloudchamber.layers.edge_geometry import pair_geometry
from cloudchamber.layers.neighbours import most_alike, nearest

LEARNED_AXES = 4


class DynamicGraph(nn.Module):
    """Cosmic rays to log-odds, signal fraction and direction of a sky, and a logit for every cosmic ray.

    Input (sample, cosmic_ray, 4), output (sample, 5); ``scores`` also gives the logits of "from the source" (sample,
    cosmic_ray).

    Per cosmic ray: ln(E / 40 EeV), one EdgeConv with a shortcut for each of ``widths``, then two dense layers to its
    logit l. The log-odds of the sky are ``a sum_i ln(1 + exp(l_i)) + b``, the shape of the log-likelihood ratio of a
    source at one place, ``sum_i ln(1 + f s_i / (1 - f)) + n ln(1 - f)``, if exp(l) is the ratio ``f s / (1 - f)`` of
    signal to isotropy. Dense layers on averages of the features, instead of this sum, learn the same skies, but their
    log-odds flatten beyond those, where five sigma are. (Measured once, cross entropy, 26 000 skies: 4.4 instead of
    6.3 sigma for 40 signal cosmic rays.) The fraction is linear in the sum of the cosmic rays' signal probabilities;
    the direction is the mean of the cosmic rays' directions weighted with them, of a length below 1 that tells how far
    they cluster.

    References:
        | Dynamic graph CNN for learning on point clouds (Wang et al., 2018)
        | https://arxiv.org/abs/1801.07829
        | Identification of patterns in cosmic-ray arrival directions using dynamic graph convolutional neural networks
        | https://arxiv.org/abs/2003.13038 (Bister et al., 2020)

    Args:
        neighbours: of a cosmic ray on the sphere; dynamic layers keep half of them.
        widths: features of a cosmic ray after each layer.
        dynamic: for each layer, whether its neighbours are chosen in learned coordinates.

    Raises:
        ValueError: ``widths`` and ``dynamic`` of different lengths, or no layers.
    """

    outputs = 5

    def __init__(
        self,
        neighbours: int = 16,
        widths: Sequence[int] = (32, 32, 64),
        dynamic: Sequence[bool] = (False, False, True),
    ) -> None:
        super().__init__()
        if len(widths) != len(dynamic) or not widths:
            raise ValueError(f"widths = {widths}, dynamic = {dynamic}: one entry a layer in both")
        self.neighbours = neighbours
        self.dynamic = tuple(dynamic)
        self.convolutions = nn.ModuleList()
        self.shortcuts = nn.ModuleList()
        self.places = nn.ModuleList()
        inward = 1
        for width, moves in zip(widths, dynamic, strict=True):
            self.convolutions.append(EdgeConv(inward, width, LEARNED_AXES if moves else 0))
            self.shortcuts.append(nn.Linear(inward, width))
            self.places.append(nn.Linear(inward, LEARNED_AXES, bias=False) if moves else nn.Identity())
            inward = width
        hidden, last = nn.Linear(inward, inward), nn.Linear(inward, 1)
        nn.init.constant_(last.bias, -4.0)  # the evidence of a thousand cosmic rays starts near 20, not 700
        self.logit = nn.Sequential(hidden, nn.ReLU(), last)
        self.evidence = nn.Linear(1, 1)
        nn.init.constant_(self.evidence.weight, 0.3)
        self.fraction = nn.Linear(1, 1)

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
        evidence = nn.functional.softplus(logits).sum(dim=1, keepdim=True)
        direction = (weight[:, None] @ directions)[:, 0] / (total + 1e-6)
        share = 20 * total / logits.shape[1]  # of order one for a signal of 5 %
        return torch.cat([self.evidence(evidence), self.fraction(share), direction], dim=-1), logits

    def forward(self, cosmic_rays: Tensor) -> Tensor:
        """Log-odds, fraction and direction of every sky, (sample, 5), for ``cosmic_rays`` (sample, cosmic_ray, 4).

        Columns are x, y, z and the energy in EeV; the last three of the result are the direction, not a unit vector.
        """
        return self.scores(cosmic_rays)[0]


def tiny() -> tuple[DynamicGraph, tuple[int, ...]]:
    """A small one for tests, with the shape of one input."""
    return DynamicGraph(neighbours=4, widths=(6, 8), dynamic=(False, True)), (24, 4)
