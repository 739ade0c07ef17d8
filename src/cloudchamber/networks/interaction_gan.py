"""The two networks of the talk's conditional GAN for hadronic interactions, for a variable number of particles.

They are those of GitHub xju2/gan4hep (2021), with what a variable number of particles needs.

As published, the generator is recurrent: uniform noise enters an LSTM that emits one particle a step; here it runs both
ways, so that each particle knows of all. New are the number of particles, drawn first from a learned categorical
distribution, and the kind of each particle, emitted as a straight-through Gumbel softmax (arXiv:1611.01144); energies
come from the mass of the kind. The discriminator reads a
final state as a set: blocks that look at each particle and at the sum over all take the place of the published message
passing between all pairs, at a cost that grows with the number of particles and not with its square (as in EPiC-GAN,
arXiv:2301.08128).

Conventions: momenta are px, py, pz in GeV in the rest frame of projectile and nucleus, the projectile along z. Final
states are flat: ``count`` (event,) particles each, one after the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

SLOPE = 0.2
"""Of leaky ReLUs below 0."""
NEVER = -30.0
"""Log-probability of a number of particles that was never seen."""


def dense(inward: int, *widths: int) -> nn.Sequential:
    """Linear layers with leaky ReLUs in between."""
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(inward, width), nn.LeakyReLU(SLOPE)]
        inward = width
    return nn.Sequential(*layers[:-1])


def owners(count: Tensor) -> Tensor:
    """The event of every particle (particle,), for ``count`` (event,)."""
    return torch.repeat_interleave(torch.arange(len(count), device=count.device), count)


@dataclass(frozen=True)
class FlatStates:
    """Final states as the networks read them.

    Attributes:
        condition: (event, conditions).
        count: (event,), at least one.
        kind: index of each particle's kind (particle,).
        momentum: px, py, pz in the rest frame in GeV (particle, 3).
    """

    condition: Tensor
    count: Tensor
    kind: Tensor
    momentum: Tensor

    def __len__(self) -> int:
        return len(self.count)

    def batch(self, rows: Tensor) -> tuple[Tensor, ...]:
        """The attributes of the events ``rows``."""
        first = (self.count.cumsum(0) - self.count)[rows]
        count = self.count[rows]
        within = torch.arange(int(count.sum())) - torch.repeat_interleave(count.cumsum(0) - count, count)
        particles = torch.repeat_interleave(first, count) + within
        return self.condition[rows], count, self.kind[particles], self.momentum[particles]


class Multiplicity(nn.Module):
    """Number of particles given the condition, a categorical distribution over 0 to ``most``.

    Args:
        conditions: numbers that describe a beam.
        most: largest number of particles.
        width: of the hidden layer.
    """

    def __init__(self, conditions: int, most: int, width: int) -> None:
        super().__init__()
        self.layers = dense(conditions, width, most + 1)

    @torch.no_grad()
    def fit(self, count: Tensor) -> None:
        """Start with the frequencies of the training events, whatever the condition."""
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        frequency = torch.bincount(count, minlength=last.out_features) / len(count)
        last.bias.copy_(frequency.log().clamp(min=NEVER))
        last.weight.zero_()

    def forward(self, condition: Tensor) -> Tensor:
        """Logits (event, most + 1) for ``condition`` (event, conditions)."""
        logits: Tensor = self.layers(condition)
        return logits


class InteractionGenerator(nn.Module):
    """Noise and a condition to a final state: kinds and momenta, or momenta of kinds that are given.

    Uniform noise (particle, noise) goes in, kinds (particle, kinds) and momenta in GeV (particle, 3) come out.

    References:
        | gan4hep (xju2, 2021)
        | https://github.com/xju2/gan4hep
        | Categorical reparameterization with Gumbel-softmax (Jang, Gu, Poole, 2016)
        | https://arxiv.org/abs/1611.01144

    Args:
        conditions: numbers that describe a beam.
        kinds: how many kinds there are.
        most: largest number of particles; 0 if kinds are given, and with them their number.
        noise: uniform random numbers a particle.
        width: of the LSTM and the dense layers.
        temperature: of the Gumbel softmax; only its gradient depends on it.
    """

    scale: Tensor

    def __init__(self, conditions: int, kinds: int, most: int, noise: int, width: int, temperature: float) -> None:
        super().__init__()
        self.kinds = kinds
        self.noise = noise
        self.temperature = temperature
        self.register_buffer("scale", torch.ones(3))
        self.multiplicity = Multiplicity(conditions, most, width) if most else None
        self.kind = nn.Linear(width, kinds) if most else None
        self.lift = dense(noise + conditions + 1 + (0 if most else kinds), width)
        self.steps = nn.LSTM(width, width // 2, batch_first=True, bidirectional=True)
        self.momentum = dense(width + kinds, width, 3)

    @torch.no_grad()
    def fit(self, count: Tensor, kind: Tensor, momentum: Tensor) -> None:
        """Take the scale of momenta (particle, 3), and the frequencies of numbers and kinds, from training events."""
        across, along = momentum[:, :2].square().mean().sqrt(), momentum[:, 2].square().mean().sqrt()
        self.scale.copy_(torch.stack([across, across, along]))
        if self.multiplicity is not None and self.kind is not None:
            self.multiplicity.fit(count)
            frequency = torch.bincount(kind, minlength=self.kinds) / len(kind)
            self.kind.bias.copy_(frequency.log().clamp(min=NEVER))

    def forward(
        self, condition: Tensor, count: Tensor, noise: Tensor, choice: Tensor, kind: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Kinds (particle, kinds), one-hot, and momenta (particle, 3).

        Args:
            condition: (event, conditions).
            count: particles of each event (event,), at least one.
            noise: uniform in (-1, 1), (particle, noise).
            choice: Gumbel distributed, (particle, kinds); not used if kinds are given.
            kind: those given, one-hot (particle, kinds), for a network that was made for it.
        """
        owner = owners(count)
        seen = [noise, condition[owner], count.to(noise.dtype).log()[owner, None]]
        lifted = self.lift(torch.cat(seen if kind is None else [*seen, kind], dim=1))
        there = torch.arange(int(count.max()), device=count.device) < count[:, None]
        padded = lifted.new_zeros(*there.shape, lifted.shape[1])
        padded[there] = lifted
        packed = pack_padded_sequence(padded, count.cpu(), batch_first=True, enforce_sorted=False)
        states: PackedSequence = self.steps(packed)[0]
        state = pad_packed_sequence(states, batch_first=True)[0][there]
        if kind is None:
            assert self.kind is not None
            soft = functional.softmax((self.kind(state) + choice) / self.temperature, dim=1)
            hard = functional.one_hot(soft.argmax(dim=1), self.kinds).to(soft.dtype)
            kind = hard + soft - soft.detach()
        momentum: Tensor = self.momentum(torch.cat([state, kind], dim=1))
        return kind, momentum * self.scale


def generated(
    network: InteractionGenerator, condition: Tensor, count: Tensor, kind: Tensor | None, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Kinds (particle, kinds), one-hot, and momenta (particle, 3) of new events, each turned by a random azimuth.

    Args:
        network: to ask.
        condition: (event, conditions).
        count: particles of each event (event,).
        kind: one-hot (particle, kinds) for a network that is given them.
        random: source of all random numbers.
    """
    particles = int(count.sum())
    device = condition.device
    noise = 2 * torch.rand(particles, network.noise, generator=random, device=device) - 1
    choice = -torch.empty(particles, network.kinds, device=device).exponential_(generator=random).log()
    kinds, momentum = network(condition, count, noise, choice, kind)
    return kinds, turned(momentum, count, random)


def turned(momentum: Tensor, count: Tensor, random: torch.Generator) -> Tensor:
    """Momenta (particle, 3) with each event turned around z by a random angle."""
    angle = 2 * math.pi * torch.rand(len(count), generator=random, device=momentum.device)
    cos, sin = (value[owners(count)] for value in (angle.cos(), angle.sin()))
    x, y, z = momentum.unbind(dim=1)
    return torch.stack([cos * x - sin * y, sin * x + cos * y, z], dim=1)


class InteractionDiscriminator(nn.Module):
    """The logit (event,) that a final state is true, whatever the order of its particles.

    It is not told the total momentum: true events have it exactly, so that it would see nothing else, and the generator
    would learn more slowly. (Measured once, 600 steps, kinds given: mean distance 0.90 instead of 0.72.)

    References:
        | EPiC-GAN: equivariant point cloud generation for particle jets (Buhmann, Kasieczka, Thaler, 2023)
        | https://arxiv.org/abs/2301.08128

    Args:
        conditions: numbers that describe a beam.
        masses: of the kinds in GeV (kind,).
        scale: of px, py, pz in GeV (3,).
        width: of the layers.
    """

    masses: Tensor
    scale: Tensor

    def __init__(self, conditions: int, masses: Tensor, scale: Tensor, width: int) -> None:
        super().__init__()
        self.register_buffer("masses", masses)
        self.register_buffer("scale", scale)
        self.each = dense(len(masses) + 6, width, width)
        self.all = dense(2 * width + conditions + 1, width, width)
        self.near, self.far = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.again = nn.Linear(width, width)
        self.verdict = dense(2 * width + conditions + 1, width, width, 1)

    def forward(self, condition: Tensor, count: Tensor, kind: Tensor, momentum: Tensor) -> Tensor:
        """Logits (event,) that events are true.

        Args:
            condition: (event, conditions).
            count: particles of each event (event,).
            kind: one-hot (particle, kinds), or between the kinds.
            momentum: px, py, pz in GeV (particle, 3).
        """
        owner = owners(count)
        about = torch.cat([condition, count.to(momentum.dtype).log()[:, None]], dim=1)
        transverse = momentum[:, :2].square().sum(dim=1)
        mass = kind @ self.masses
        rapidity = torch.asinh(momentum[:, 2] / (mass.square() + transverse + 1e-4).sqrt())
        energy = (mass.square() + momentum.square().sum(dim=1) + 1e-6).sqrt()
        hardness = (transverse + 1e-4).sqrt()
        numbers = torch.stack([rapidity, energy / self.scale[2], hardness / self.scale[0]], dim=1)
        seen = torch.cat([kind, momentum / self.scale, numbers], dim=1)
        each = functional.leaky_relu(self.each(seen), SLOPE)
        whole = functional.leaky_relu(self.all(torch.cat([*self._pooled(each, owner, count), about], dim=1)), SLOPE)
        both = functional.leaky_relu(self.near(each) + self.far(whole)[owner], SLOPE)
        each = functional.leaky_relu(each + self.again(both), SLOPE)
        logit: Tensor = self.verdict(torch.cat([*self._pooled(each, owner, count), about], dim=1))
        return logit[:, 0]

    def _pooled(self, each: Tensor, owner: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """Sum, in units of a typical number of particles, and mean over each event."""
        total = each.new_zeros(len(count), each.shape[1]).index_add(0, owner, each)
        return total / 8, total / count[:, None]
