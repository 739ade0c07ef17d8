"""Learning to generate final states: the likelihood of the counts, then flow matching for the momenta.

Flow matching (Lipman et al., arXiv:2210.02747): between noise u_0 and coordinates u_1 of an event the straight line
u_t = (1 - t) u_0 + t u_1 has the velocity u_1 - u_0, and the network's squared distance from it at random t is the
loss. As particles of one kind are interchangeable and so are their noise vectors, both are sorted along u_z within each
kind first, for shorter lines and straighter flows (optimal transport in that coordinate; compare
arXiv:2302.00482). Every pass turns each event by a random angle about the beam, and mirrors half of them.

The loss is flat long before the events are good, so weights are selected by the mean Wasserstein distance over sigma of
the observables of validation events. Counts are selected by their likelihood, which is a proper score.

Batches hold events of similar numbers of particles, so that little is padded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance
from torch import Tensor

from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.training import AveragedTraining, Batch, Kept
from cloudchamber.metrics.interactions import observables
from cloudchamber.networks.interaction_flow import InteractionFlow, within
from cloudchamber.networks.kind_counts import KindCounts
from cloudchamber.simulators.hadronic.events import Events

POOL = 16
"""Batches among which events are sorted by their number of particles."""


@dataclass(frozen=True)
class FlowStates:
    """Final states as the networks learn from them.

    Attributes:
        condition: (event, 4), float64.
        strangeness: incoming (event,).
        counts: (event, kind).
        elastic: whether the event is elastic (event,).
        back: whether its projectile also flies back (event,).
        offsets: (event + 1,).
        kind: classes (particle,).
        u: coordinates (particle, 3), float32.
    """

    condition: Tensor
    strangeness: Tensor
    counts: Tensor
    elastic: Tensor
    back: Tensor
    offsets: Tensor
    kind: Tensor
    u: Tensor

    def __len__(self) -> int:
        return len(self.elastic)

    def padded(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Classes (event, particle) padded with -1, and coordinates (event, particle, 3), of events ``rows``."""
        chosen = torch.from_numpy(rows)
        first, number = self.offsets[chosen], self.offsets[chosen + 1] - self.offsets[chosen]
        slot = torch.arange(int(number.max()))
        there = slot < number[:, None]
        place = torch.where(there, first[:, None] + slot, 0)
        return torch.where(there, self.kind[place], -1), self.u[place] * there[..., None]


def shuffled(number: NDArray[np.int64], batch_size: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Rows of the batches of one pass, events of similar size together.

    Args:
        number: particles of each event (event,).
        batch_size: events of a batch.
        rng: what is random.
    """
    order = rng.permutation(len(number))
    batches: list[NDArray[np.int64]] = []
    for first in range(0, len(order), POOL * batch_size):
        pool = order[first : first + POOL * batch_size]
        pool = pool[np.argsort(number[pool], kind="stable")]
        batches += np.array_split(pool, max(len(pool) // batch_size, 1))
    return [batches[place] for place in rng.permutation(len(batches))]


class Rows:
    """One pass over batches of rows, each with a seed of its own."""

    def __init__(self, rows: list[NDArray[np.int64]], rng: np.random.Generator) -> None:
        self.rows = rows
        self.seeds = rng.integers(2**62, size=len(rows))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self):  # type: ignore[no-untyped-def]
        for rows, seed in zip(self.rows, self.seeds, strict=True):
            yield torch.from_numpy(rows), torch.tensor(seed)


class CountLikelihood(AveragedTraining):
    """The way of learning of ``KindCounts``.

    Args:
        network: what is trained.
        options: settings.
        train: final states to learn from.
        validation: final states that select the weights.
        seed: of the order.
    """

    def __init__(
        self, network: KindCounts, options: TrainingOptions, train: FlowStates, validation: FlowStates, seed: int
    ) -> None:
        rows = np.array_split(np.arange(len(validation)), max(len(validation) // 1024, 1))
        super().__init__(network, options, Kept([(torch.from_numpy(some),) for some in rows]), ["nats"])
        self.network = network
        self.train_events, self.validation_events, self.seed = train, validation, seed
        self._nats: list[tuple[float, int]] = []

    def epoch_batches(self, epoch: int) -> Rows:
        """Every training event once."""
        rng = np.random.default_rng((self.seed, 11, epoch))
        order = rng.permutation(len(self.train_events))
        return Rows(np.array_split(order, max(len(order) // self.options.batch_size, 1)), rng)

    def loss(self, batch: Batch) -> Tensor:
        """Negative log-likelihood."""
        return self._likelihood(self.network, self.train_events, batch[0])

    def _likelihood(self, network: KindCounts, events: FlowStates, rows: Tensor) -> Tensor:
        chosen = rows.cpu()
        known = (events.condition, events.strangeness, events.counts, events.elastic, events.back)
        found: Tensor = network(*(values[chosen].to(self.device) for values in known))
        return -found.mean()

    def validation_step(self, batch: Batch, number: int) -> None:  # noqa: ARG002
        """Likelihood of a batch with the averaged weights."""
        nats = self._likelihood(self.averaged.module, self.validation_events, batch[0])  # type: ignore[arg-type]
        self._nats.append((float(nats), len(batch[0])))

    def scores(self) -> list[float]:
        """Mean over validation events."""
        values, numbers = zip(*self._nats, strict=True)
        self._nats = []
        return [float(np.average(values, weights=numbers))]


class FlowMatching(AveragedTraining):
    """The way of learning of the flow in ``InteractionFlow``; its counts stay as they are.

    Args:
        network: what is trained.
        options: settings.
        train: final states to learn from.
        validation: final states that select the weights.
        truth: the events that the latter are.
        sample: makes events of given final states with a network.
        seed: of order, turns, times and noise.
    """

    def __init__(
        self,
        network: InteractionFlow,
        options: TrainingOptions,
        train: FlowStates,
        validation: FlowStates,
        truth: Events,
        sample: Callable[[InteractionFlow, FlowStates], Events],
        seed: int,
    ) -> None:
        super().__init__(network, options, Kept([(torch.zeros(1),)]), ["w1_over_sigma"])
        self.network = network
        self.train_events, self.validation_events, self.seed = train, validation, seed
        self.truth = observables(truth)
        self.sample = sample

    def epoch_batches(self, epoch: int) -> Rows:
        """Every training event once."""
        rng = np.random.default_rng((self.seed, 12, epoch))
        return Rows(shuffled(np.diff(self.train_events.offsets.numpy()), self.options.batch_size, rng), rng)

    def loss(self, batch: Batch) -> Tensor:
        """Squared distance from the velocity of straight lines, a mean over coordinates."""
        rows, seed = batch
        draw = torch.Generator().manual_seed(int(seed))
        kind, u = self.train_events.padded(rows.cpu().numpy())
        condition = self.train_events.condition[rows.cpu()]
        angle = 2 * math.pi * torch.rand(len(u), 1, generator=draw)
        mirrored = torch.where(torch.rand(len(u), 1, generator=draw) < 0.5, -1, 1)
        x, y = u[..., 0], u[..., 1] * mirrored
        u = torch.stack([angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y, u[..., 2]], dim=2)
        noise = torch.randn(u.shape, generator=draw)
        order = (torch.where(kind >= 0, kind, 10**4) * 100.0 + noise[..., 2]).argsort(1)
        noise = noise.gather(1, order[..., None].expand(-1, -1, 3))  # coordinates are sorted likewise
        time = torch.rand(len(u), generator=draw)
        condition, kind, u, noise, time = (one.to(self.device) for one in (condition, kind, u, noise, time))
        model = self.network
        normals, free = (tensor.float() for tensor in model.subspace(condition, kind))
        noise = within(noise, normals, free)
        mask = (kind >= 0).float()
        known, books = model.event(condition, kind)
        between = (1 - time)[:, None, None] * noise + time[:, None, None] * u
        velocity = model.flow(between, kind.clamp(min=0), mask, known, books, time)
        miss = within(velocity, normals, free) - (u - noise)
        return (miss**2).sum() / (3 * mask.sum())

    def validation_step(self, batch: Batch, number: int) -> None:
        """Nothing: ``scores`` generates."""

    def scores(self) -> list[float]:
        """Mean W1 over sigma of the observables that the momenta decide."""
        made = observables(self.sample(self.averaged.module, self.validation_events))  # type: ignore[arg-type]
        return [mean_distance(self.truth, made)]


def mean_distance(truth: Mapping[str, NDArray[np.float64]], made: Mapping[str, NDArray[np.float64]]) -> float:
    """Mean Wasserstein distance over sigma of the observables that vary.

    Args:
        truth: observables of true events by name.
        made: those of a generator.
    """
    varying = {name: values for name, values in truth.items() if values.std() > 0}
    return float(np.mean([wasserstein_distance(one, made[name]) / one.std() for name, one in varying.items()]))
