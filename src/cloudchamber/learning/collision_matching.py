"""How the generator of nuclear collisions learns: likelihood of nuclei, means and widths; then flow matching.

Flow matching (Lipman et al., arXiv:2210.02747): between noise u_0 and coordinates u_1 of an event the straight line
u_t = (1 - t) u_0 + t u_1 has the velocity u_1 - u_0, and the network's squared distance from it at random t is the
loss. Nucleons of one kind are interchangeable: they and their noise are sorted along u_z within each kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from cloudchamber.data.collisions import Collisions
from cloudchamber.learning.flow_matching import Rows, mean_distance, shuffled
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.training import AveragedTraining, Batch, Kept
from cloudchamber.metrics.collisions import observables
from cloudchamber.networks.collision_flow import SLOTS, CollisionFlow, within

CHUNK = 2048
"""Events that are standardised, or validated, at once."""


@dataclass(frozen=True)
class CollisionStates:
    """Events as the networks learn from them.

    Attributes:
        condition: (event, 6), float64.
        A, Z: (event, slot): fragments in the first SLOTS slots, the most forward first; then neutrons, then protons.
        momentum: (event, slot, 3) [MeV/c].
        excitation: (event, slot) [MeV].
    """

    condition: Tensor
    A: Tensor
    Z: Tensor
    momentum: Tensor
    excitation: Tensor

    def __len__(self) -> int:
        return len(self.condition)

    def of(self, rows: Tensor) -> CollisionStates:
        """The events ``rows`` without slots of nucleons that are empty in all."""
        slots = max(int((self.A[rows] > 0).any(0).nonzero().max()) + 1, SLOTS)
        return CollisionStates(
            self.condition[rows], *(getattr(self, one.name)[rows, :slots] for one in fields(self)[1:])
        )

    def to(self, device: torch.device) -> CollisionStates:
        """On a device."""
        return CollisionStates(*(getattr(self, one.name).to(device) for one in fields(self)))


def concatenated(parts: Sequence[CollisionStates]) -> CollisionStates:
    """One after the other, padded to the same number of slots.

    Args:
        parts: several sets of events.
    """
    most = max(part.A.shape[1] for part in parts)

    def wide(tensor: Tensor) -> Tensor:
        more = torch.zeros(len(tensor), most - tensor.shape[1], *tensor.shape[2:], dtype=tensor.dtype)
        return torch.cat([tensor, more], dim=1)

    return CollisionStates(
        torch.cat([part.condition for part in parts]),
        *(torch.cat([wide(getattr(part, one.name)) for part in parts]) for one in fields(CollisionStates)[1:]),
    )


class NucleiLikelihood(AveragedTraining):
    """The way of learning of fragments, means and widths.

    Args:
        network: what is trained; its flow stays as it is.
        options: settings.
        train: to learn from.
        validation: selects the weights.
        seed: of the order.
    """

    def __init__(
        self, network: CollisionFlow, options: TrainingOptions, train: CollisionStates, validation: CollisionStates,
        seed: int,
    ) -> None:  # fmt: skip
        rows = np.array_split(np.arange(len(validation)), max(len(validation) // CHUNK, 1))
        super().__init__(network, options, Kept([(torch.from_numpy(some),) for some in rows]), ["nats"])
        self.network = network
        self.train_states, self.validation_states, self.seed = train, validation, seed
        self._nats: list[tuple[float, int]] = []

    def epoch_batches(self, epoch: int) -> Rows:
        """Every training event once, in batches of all sizes of events.

        Batches of events of one size have gradients of their own lengths, and the clipping of those would weight the
        events: fragments of peripheral collisions came out half a nucleon too light.
        """
        rng = np.random.default_rng((self.seed, 11, epoch))
        order = rng.permutation(len(self.train_states))
        return Rows(np.array_split(order, max(len(order) // self.options.batch_size, 1)), rng)

    def loss(self, batch: Batch) -> Tensor:
        """Negative log-likelihood of an event's nuclei and coordinates."""
        return self._nats_of(self.network, self.train_states.of(batch[0].cpu()).to(self.device)).mean()

    def _nats_of(self, network: CollisionFlow, states: CollisionStates) -> Tensor:
        """(event,): of the fragments, and of normal distributions of the coordinates."""
        A, Z = states.A, states.Z
        fragments = network.fragments(states.condition, A[:, :SLOTS], Z[:, :SLOTS])
        whole, single = network.known(states.condition, A, Z)
        mean, width = network.scales(whole, single, A)
        _, free = network.subspace(width, A)
        miss = (network.coordinates(states.momentum, states.excitation, A) - mean) / width
        normal = ((miss**2 / 2 + width.log()) * free).sum((1, 2))
        found: Tensor = normal - fragments
        return found

    def validation_step(self, batch: Batch, number: int) -> None:  # noqa: ARG002
        """Likelihood of a batch with the averaged weights."""
        states = self.validation_states.of(batch[0].cpu()).to(self.device)
        nats = self._nats_of(self.averaged.module, states)  # type: ignore[arg-type]
        self._nats.append((float(nats.mean()), len(states)))

    def scores(self) -> list[float]:
        """Mean over validation events."""
        values, numbers = zip(*self._nats, strict=True)
        self._nats = []
        return [float(np.average(values, weights=numbers))]


class CollisionMatching(AveragedTraining):
    """The way of learning of the flow; the other networks stay as they are.

    Args:
        network: what is trained.
        options: settings.
        train: to learn from.
        validation: events that select the weights.
        sample: makes events under their conditions with a network.
        seed: of order, mirrors, times and noise.
    """

    def __init__(
        self, network: CollisionFlow, options: TrainingOptions, train: CollisionStates, validation: Collisions,
        sample: Callable[[CollisionFlow], Collisions], seed: int,
    ) -> None:  # fmt: skip
        super().__init__(network, options, Kept([(torch.zeros(1),)]), ["w1_over_sigma"])
        self.network = network
        self.train_states, self.seed, self.sample = train, seed, sample
        self.truth = observables(validation)
        self.nucleons = (train.A[:, SLOTS:] > 0).sum(1).numpy()
        rows = torch.split(torch.arange(len(train)), CHUNK)
        parts = [self._standardised(train.of(some), train.A.shape[1]) for some in rows]
        self.u = torch.cat(parts)

    def _standardised(self, states: CollisionStates, slots: int) -> Tensor:
        """Coordinates u (event, slots, 4), float32, nucleons of a kind sorted along z."""
        network, A, Z = self.network, states.A, states.Z
        with torch.no_grad():
            whole, single = network.known(states.condition, A, Z)
            mean, width = network.scales(whole, single, A)
            u = (network.coordinates(states.momentum, states.excitation, A) - mean) / width
            u = within(u, *network.subspace(width, A)).float()
        order = sorting(A, Z, u)
        u = u.gather(1, order[..., None].expand(-1, -1, 4))
        return torch.cat([u, torch.zeros(len(u), slots - u.shape[1], 4)], dim=1)

    def epoch_batches(self, epoch: int) -> Rows:
        """Every training event once."""
        rng = np.random.default_rng((self.seed, 12, epoch))
        return Rows(shuffled(self.nucleons, self.options.batch_size, rng), rng)

    def loss(self, batch: Batch) -> Tensor:
        """Squared distance from the velocity of straight lines, a mean over coordinates."""
        rows, seed = batch[0].cpu(), batch[1]
        draw = torch.Generator().manual_seed(int(seed))
        states = self.train_states.of(rows)
        A, Z = states.A, states.Z
        u = self.u[rows, : A.shape[1]]
        mirrored = torch.where(torch.rand(len(u), 1, generator=draw) < 0.5, -1.0, 1.0)
        u = torch.stack([u[..., 0], u[..., 1] * mirrored, u[..., 2], u[..., 3]], dim=2)
        noise = torch.randn(u.shape, generator=draw)
        noise = noise.gather(1, sorting(A, Z, noise)[..., None].expand(-1, -1, 4))
        time = torch.rand(len(u), generator=draw)
        condition, A, Z, u, noise, time = (one.to(self.device) for one in (states.condition, A, Z, u, noise, time))
        model = self.network
        whole, single = model.known(condition, A, Z)
        _, width = model.scales(whole, single, A)
        normals, free = (one.float() for one in model.subspace(width, A))
        noise = within(noise, normals, free)
        between = (1 - time)[:, None, None] * noise + time[:, None, None] * u
        velocity = model.flow(between, single, whole, (A > 0).float(), time)
        miss = within(velocity, normals, free) - (u - noise)
        # an event counts as one: else the many nucleons of central ones would have all the weight
        each = (miss**2 * free).sum((1, 2)) / free.sum((1, 2))
        return each.mean()

    def validation_step(self, batch: Batch, number: int) -> None:
        """Nothing: ``scores`` generates."""

    def scores(self) -> list[float]:
        """Mean W1 over sigma of the observables."""
        made = observables(self.sample(self.averaged.module))  # type: ignore[arg-type]
        return [mean_distance(self.truth, made)]


def sorting(A: Tensor, Z: Tensor, u: Tensor) -> Tensor:
    """The order (event, slot) that sorts nucleons of each kind along z; fragments and empty slots keep their places.

    Args:
        A: (event, slot).
        Z: (event, slot).
        u: coordinates (event, slot, 4).
    """
    slot = torch.arange(A.shape[1], device=A.device).expand(A.shape)
    kind = torch.where(A > 0, 1 + Z.clamp(max=1), 3)
    # the last summand is below 1 for any u
    place = torch.where(slot < SLOTS, slot, SLOTS + kind) + 0.5 * torch.where(slot < SLOTS, 0.0, u[..., 2]).tanh()
    return place.argsort(dim=1, stable=True)
