"""The velocity of a flow on sets of particles: equivariant point cloud layers (EPiC).

Buhmann, Kasieczka, Thaler, arXiv:2301.08128; with flow matching arXiv:2310.00049.

Each layer pools what the particles know into one vector an event, updates it, and lets every particle read it. The
result does not depend on the order of the particles, and costs grow with their number, not with its square. The
network reads coordinates and class of each particle, the condition and the time of the flow.

Conventions: particles are (event, particle, ...), padded; a mask (event, particle) is 1 for those that are there.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from cloudchamber.networks.kind_counts import FEATURES

FREQUENCIES = 8
"""Pairs of sine and cosine by which the network knows the time."""
POOLED = 10.0
"""Particles in a typical event: sums over particles are divided by it."""
MANY, TYPICAL_LOG = 20, 2
"""A large number of particles, and the logarithm of a typical one: numbers that a network reads are of order one."""
BOOKS = (100.0, 100.0, 10.0)
"""As much for charge and mass number of the residual nucleus, and for the number of particles that are not slow."""


def times(time: Tensor) -> Tensor:
    """Sines and cosines (event, 2 FREQUENCIES) of a time from 0 to 1 (event,)."""
    angle = time[:, None] * torch.arange(1, FREQUENCIES + 1, device=time.device) * (math.pi / 2)
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class EPiC(nn.Module):
    """One layer (arXiv:2301.08128): pool, update the event's vector, update the particles.

    Args:
        width: of a particle's vector.
        pooled: of an event's vector.
    """

    def __init__(self, width: int, pooled: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.pool = nn.Linear(2 * width, pooled, bias=False)
        self.keep = nn.Linear(pooled, pooled)
        self.whole = nn.Linear(pooled, pooled)
        self.single = nn.Linear(width, width)
        self.read = nn.Linear(pooled, width)
        self.out = nn.Linear(width, width)

    def forward(self, particles: Tensor, event: Tensor, mask: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
        """Particles and event, updated, in their shapes.

        Args:
            particles: (event, particle, width).
            event: (event, pooled).
            mask: 1 for particles that are there (event, particle).
            number: how many are there (event, 1).
        """
        known = self.norm(particles)
        total = (known * mask[..., None]).sum(1)
        pooled = torch.cat([total / number, total / POOLED], dim=1)
        event = event + self.whole(functional.silu(self.pool(pooled) + self.keep(event)))
        change = self.out(functional.silu(self.single(known) + self.read(event)[:, None]))
        return particles + change, event


class ParticleFlow(nn.Module):
    """Velocity (event, particle, 3) of the coordinates (event, particle, 3), by EPiC layers.

    References:
        | EPiC-GAN: equivariant point cloud generation for particle jets (Buhmann, Kasieczka, Thaler, 2023)
        | https://arxiv.org/abs/2301.08128
        | EPiC-ly fast particle cloud generation with flow-matching and diffusion (Buhmann et al., 2023)
        | https://arxiv.org/abs/2310.00049

    Args:
        classes: number of classes of particles: kinds of the vocabulary, then the four that follow them (see
            ``data.final_states.Vocabulary.residual``).
        width: of a particle's vector.
        pooled: of an event's vector.
        layers: EPiC layers.
    """

    def __init__(self, classes: int, width: int, pooled: int, layers: int) -> None:
        super().__init__()
        self.sort = nn.Embedding(classes, width)
        self.coordinates = nn.Linear(3, width)
        self.condition = nn.Sequential(
            nn.Linear(FEATURES + 5 + 2 * FREQUENCIES, pooled), nn.SiLU(), nn.Linear(pooled, pooled)
        )
        self.spread = nn.Linear(pooled, width)
        self.layers = nn.ModuleList(EPiC(width, pooled) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.velocity = nn.Linear(width, 3)
        nn.init.zeros_(self.velocity.weight)
        nn.init.zeros_(self.velocity.bias)

    def forward(self, u: Tensor, kind: Tensor, mask: Tensor, known: Tensor, books: Tensor, time: Tensor) -> Tensor:
        """Velocity (event, particle, 3) of coordinates u, 0 for padding.

        Args:
            u: (event, particle, 3).
            kind: class of each particle (event, particle).
            mask: (event, particle).
            known: features of the condition (event, FEATURES).
            books: charge and mass number of the residual nucleus, and number of particles that are not slow (event, 3).
            time: (event,).
        """
        number = mask.sum(1, keepdim=True)
        scale = torch.tensor(BOOKS, device=u.device)
        whole = torch.cat([known, number / MANY, number.log() - TYPICAL_LOG, books / scale, times(time)], dim=1)
        event = self.condition(whole)
        particles = self.sort(kind) + self.coordinates(u) + self.spread(event)[:, None]
        for layer in self.layers:
            particles, event = layer(particles, event, mask, number)
        found: Tensor = self.velocity(self.norm(particles)) * mask[..., None]
        return found


def tiny() -> tuple[ParticleFlow, Callable[[int], tuple[Tensor, ...]]]:
    """A small network for tests of the contract, and inputs for so many events."""
    network = ParticleFlow(classes=5, width=8, pooled=6, layers=2)

    def inputs(n: int) -> tuple[Tensor, ...]:
        u = torch.linspace(-1, 1, 12).reshape(1, 4, 3) * torch.arange(1, n + 1)[:, None, None]
        kind = torch.arange(4).repeat(n, 1)
        mask = torch.tensor([1.0, 1.0, 1.0, 0.0]).repeat(n, 1)
        known = torch.linspace(0, 1, FEATURES).repeat(n, 1)
        return u, kind, mask, known, torch.ones(n, 3), torch.linspace(0, 1, n)

    return network, inputs
