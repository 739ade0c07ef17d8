"""A variational autoencoder of collisions as sets of particles, by dynamic graph convolutions on both sides.

After the seed talk ("Emulating BLOB with Deep Learning", 2021: the convolution adds what a particle's neighbours are to
what it is, and the model learns how to construct the graph), with the edge convolution of Wang et al.,
arXiv:1801.07829, eq. 7 and 8: in every layer the neighbours are the nearest particles in coordinates that are learned
from its input, so the graph is another one in each layer. A latent vector of the encoder also tells the impact
parameter (Gomez-Bombarelli et al., arXiv:1610.02415).

The decoder starts from seeds: N particles with a rank u_i = (i + 1/2) / N, and normal numbers. Particles of an event
are in the order of their kinds (classes, neutrons first), so particle i has the kind into whose share of the event u_i
falls. The shares and how sharp their limits are come from the latent vector (an ordinal regression: McCullagh, J. R.
Stat. Soc. B 42 (1980) 109), and the graph convolutions correct them; without the shares, the same network needs many
more events until it counts right. The probabilities of kinds at all ranks are those of all cumulative numbers, and one
uniform random number for an event draws them (``drawn_kinds``).

Conventions: (event, particle, feature); momenta per nucleon in units of 100 MeV/c; kinds 2 class + species.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from cloudchamber.data.collision_particles import CLASSES, GAS
from cloudchamber.layers.edge_conv import EdgeConv
from cloudchamber.layers.edge_geometry import GEOMETRY
from cloudchamber.layers.neighbours import nearest, neighbours_of

MOMENTUM = 100.0
"""Unit of momenta [MeV/c]."""
KINDS = 2 * CLASSES
CONDITIONS = 5
AXES = 4
"""Of the learned coordinates."""
HARMONICS = 8
"""Waves of the rank that seeds have besides their coordinates."""
NARROW = -4.0
"""Logarithm of the variance of latent vectors at the start."""
BLUR = 0.05
"""Width of the limits between kinds, in ranks from 0 to 1, at the start; it is learned."""


class DynamicEdgeConv(nn.Module):
    """Edge convolution, with a shortcut, on the graph of neighbours in coordinates that it learns.

    Args:
        inward: features of a particle before the layer.
        outward: features of a particle after it.
        neighbours: of a particle.
    """

    def __init__(self, inward: int, outward: int, neighbours: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.places = nn.Linear(inward, AXES, bias=False)
        self.edges = EdgeConv(inward, outward, AXES)
        self.shortcut = nn.Linear(inward, outward)

    def forward(self, features: Tensor, points: Tensor) -> Tensor:
        """Features after the layer (event, particle, outward).

        Args:
            features: (event, particle, inward).
            points: what an edge shows the differences of (event, particle, GEOMETRY); no gradient.
        """
        places = self.places(features)
        index = nearest(places, self.neighbours)
        geometry = neighbours_of(points, index) - points[:, :, None]
        out: Tensor = torch.relu(self.edges(features, geometry, index, places) + self.shortcut(features))
        return out


class GraphAutoencoder(nn.Module):
    """Encoder, predictor of the impact parameter and decoder.

    Args:
        latent: numbers of a latent vector.
        width: features of a particle.
        layers: edge convolutions on each side.
        neighbours: of a particle in each.
    """

    def __init__(self, latent: int = 8, width: int = 64, layers: int = 2, neighbours: int = 8) -> None:
        super().__init__()
        self.latent = latent
        self.enter = nn.Linear(GEOMETRY + 4, width)
        self.encoding = nn.ModuleList(DynamicEdgeConv(width, width, neighbours) for _ in range(layers))
        pooled = (CLASSES + 1) * width + CONDITIONS
        self.summary = nn.Sequential(nn.Linear(pooled, 2 * width), nn.ReLU(), nn.Linear(2 * width, 2 * latent))
        self.predictor = nn.Sequential(nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, 1))
        self.context = nn.Sequential(
            nn.Linear(latent + CONDITIONS, 2 * width), nn.ReLU(), nn.Linear(2 * width, 2 * width), nn.ReLU()
        )
        self.seed = nn.Linear(GEOMETRY + 2 * HARMONICS, width)
        self.told = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(layers + 1))
        self.decoding = nn.ModuleList(DynamicEdgeConv(width, width, neighbours) for _ in range(layers))
        self.leave = nn.Linear(width, KINDS + 3 * CLASSES)
        self.shares = nn.Linear(2 * width, KINDS + 1)
        self.common = nn.Linear(2 * width, 4 * CLASSES)

    def encode(self, points: Tensor, kind: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log of the variance of the latent vector (event, latent).

        Args:
            points: of particles, see ``points_of`` (event, particle, GEOMETRY).
            kind: (event, particle).
            condition: (event, CONDITIONS).
        """
        member = nn.functional.one_hot(kind // 2, CLASSES).to(points.dtype)
        average = member.transpose(1, 2) @ points[..., :3] / member.sum(dim=1).clamp(min=1)[..., None]
        # from the middle of the own fragment, as in the talk: how far off its particles are is its excitation
        off = points[..., :3] - member @ average
        features = torch.relu(self.enter(torch.cat([points, off, off.square().sum(dim=2, keepdim=True)], dim=2)))
        for layer in self.encoding:
            features = layer(features, points)
        by_class = (member.transpose(1, 2) @ features / features.shape[1]).flatten(1)
        pooled = torch.cat([by_class, features.amax(dim=1), condition], dim=1)
        mean, log_variance = self.summary(pooled).chunk(2, dim=1)
        # at the start the vector is sharp: drowned in noise, the decoder would learn to do without it
        return mean, (log_variance + NARROW).clamp(-14.0, 4.0)

    def impact_parameter(self, z: Tensor) -> Tensor:
        """Predicted from latent vectors (event,), in units of ``learning.collision_latents.IMPACT``."""
        found: Tensor = self.predictor(z)[:, 0]
        return found

    def decode(self, z: Tensor, condition: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of kinds (event, particle, KINDS) and the momenta in each class (event, particle, CLASSES, 3).

        Args:
            z: latent vectors (event, latent).
            condition: (event, CONDITIONS).
            seeds: see ``seeds_of`` (event, particle, GEOMETRY).
        """
        context = self.context(torch.cat([z, condition], dim=1))
        phase = math.pi / 2 * (seeds[:, :, :1] + 1) * torch.arange(1, HARMONICS + 1, device=seeds.device)
        waves = torch.cat([seeds, phase.sin(), phase.cos()], dim=2)
        features = torch.relu(self.seed(waves) + self.told[0](context)[:, None])
        for layer, told in zip(self.decoding, self.told[1:], strict=True):
            features = layer(features + told(context)[:, None], seeds)
        out = self.leave(features)
        centre, gain = self.common(context).reshape(len(z), 1, CLASSES, 4).split([3, 1], dim=3)
        momenta = centre + gain.clamp(-4.0, 4.0).exp() * out[..., KINDS:].reshape(*out.shape[:2], CLASSES, 3)
        logits = out[..., :KINDS] + ranked(self.shares(context), (seeds[:, :, 0] + 1) / 2)
        return logits, momenta


def ranked(shares: Tensor, rank: Tensor) -> Tensor:
    """Logarithms of the probabilities of kinds (event, particle, KINDS) if the shares of an event say all.

    The probability that the kind of rank u is at most k is that u, blurred, is below the sum of the shares up to k.

    Args:
        shares: logits of the shares, and the logarithm of the blur relative to ``BLUR`` (event, KINDS + 1).
        rank: from 0 to 1 (event, particle).
    """
    limits = torch.softmax(shares[:, :-1], dim=1).cumsum(dim=1)[:, None, :-1]
    blur = BLUR * shares[:, -1:].clamp(-4.0, 2.0).exp()[..., None]
    below = torch.sigmoid((limits - rank[..., None]) / blur)
    edges = nn.functional.pad(nn.functional.pad(below, (0, 1), value=1.0), (1, 0), value=0.0)
    return (edges.diff(dim=2) + 1e-5).log()


def points_of(momentum: Tensor, kind: Tensor) -> Tensor:
    """What the encoder knows of particles (event, particle, GEOMETRY): momentum, class, species.

    Args:
        momentum: (event, particle, 3), scaled.
        kind: (event, particle).
    """
    member = nn.functional.one_hot(kind // 2, CLASSES)[..., :GAS].to(momentum.dtype)
    species = (kind % 2).to(momentum.dtype)[..., None]
    return torch.cat([momentum, member, species], dim=2)


def seeds_of(normal: Tensor) -> Tensor:
    """Where the decoder starts (event, particle, GEOMETRY): the rank, from -1 to 1, and normal numbers.

    Args:
        normal: (event, particle, GEOMETRY - 1).
    """
    number = normal.shape[1]
    rank = (2 * torch.arange(number, device=normal.device, dtype=normal.dtype) + 1) / number - 1
    return torch.cat([rank[None, :, None].expand(len(normal), -1, 1), normal], dim=2)


def drawn_kinds(logits: Tensor, uniform: Tensor) -> Tensor:
    """Kinds (event, particle) by one uniform random number an event, in ascending order.

    Args:
        logits: (event, particle, KINDS).
        uniform: (event,).
    """
    cumulative = torch.softmax(logits, dim=2).cumsum(dim=2)
    kind = (cumulative[..., :-1] <= uniform[:, None, None]).sum(dim=2)
    return kind.sort(dim=1).values
