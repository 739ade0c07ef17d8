"""Adversarial learning of hadronic interactions, as published in the talk's line (GitHub xju2/gan4hep, 2021).

The discriminator D learns the log-loss of true against generated final states with the regulariser of Roth et al.
(arXiv:1705.09367), ``gamma [(1 - D)^2 |grad logit|^2`` on true ones ``+ D^2 |grad logit|^2]`` on generated ones, the
gradient taken with respect to momenta in units of their spread and to kinds; it is computed every few steps and counts
for all of them (lazily, as in arXiv:1912.04958). The generator learns the non-saturating log-loss. Both use Adam with
betas 0.5 and 0.9 and an exponentially falling learning rate.

A generated event has the condition and the number of particles (and, where the network is given them, the kinds) of a
true event of the batch; the number's own distribution is learned beside it by maximum likelihood, which needs no
adversary. All events are turned by random azimuths before the discriminator sees them.

Weights are the generator's average, selected as published by the mean Wasserstein-1 distance of validation events, here
over the observables of ``metrics.interactions`` that vary, in units of their standard deviations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cloudchamber.learning.options import GANOptions
from cloudchamber.learning.training import AveragedTraining, Batch, Kept
from cloudchamber.networks.interaction_gan import (
    FlatStates,
    InteractionDiscriminator,
    InteractionGenerator,
    generated,
    owners,
    turned,
)

BETAS = (0.5, 0.9)
MULTIPLICITY_RATE = 10.0
"""Learning rate of the numbers of particles relative to the rest of the generator: nothing adversarial slows it."""


@dataclass(frozen=True)
class Shuffled:
    """One pass over final states in batches, in the order of a seed; an incomplete last batch is left out."""

    states: FlatStates
    batch_size: int
    seed: tuple[int, ...]

    def __len__(self) -> int:
        return max(len(self.states) // self.batch_size, 1)

    def __iter__(self) -> Iterator[Batch]:
        order = torch.from_numpy(np.random.default_rng(self.seed).permutation(len(self.states)))
        for number in range(len(self)):
            yield self.states.batch(order[number * self.batch_size : (number + 1) * self.batch_size])


class GANTraining(AveragedTraining):
    """The way of learning of the module's docstring.

    The loss in the table of epochs is the discriminator's (2 ln 2: it cannot tell).

    Args:
        generator: with its scale fitted; it is what is kept.
        discriminator: with the same scale.
        options: settings.
        states: to learn from.
        score: mean distance of generated events, with the condition, numbers and kinds of the validation events.
        seed: of all random numbers.
    """

    options: GANOptions

    def __init__(
        self,
        generator: InteractionGenerator,
        discriminator: InteractionDiscriminator,
        options: GANOptions,
        states: FlatStates,
        score: Callable[[InteractionGenerator], float],
        seed: int,
    ) -> None:
        super().__init__(generator, options, Kept([()]), ["mean_distance"])
        self.automatic_optimization = False
        self.generator = generator
        self.discriminator = discriminator
        self.states = states
        self.score = score
        self.seed = seed
        self.random = torch.Generator()

    def epoch_batches(self, epoch: int) -> Shuffled:
        """Training events in the order of this epoch."""
        return Shuffled(self.states, self.options.batch_size, (self.seed, 1, epoch))

    def configure_optimizers(self) -> Any:
        """Adam for the generator and for the discriminator, both with a learning rate that falls every epoch."""
        options = self.options
        numbers = [] if self.generator.multiplicity is None else list(self.generator.multiplicity.parameters())
        told = {id(parameter) for parameter in numbers}
        rest = [parameter for parameter in self.generator.parameters() if id(parameter) not in told]
        groups: list[dict[str, Any]] = [{"params": rest}]
        if numbers:
            groups.append({"params": numbers, "lr": MULTIPLICITY_RATE * options.generator_rate})
        optimisers = [
            torch.optim.Adam(groups, lr=options.generator_rate, betas=BETAS),
            torch.optim.Adam(self.discriminator.parameters(), lr=options.discriminator_rate, betas=BETAS),
        ]
        return optimisers, [torch.optim.lr_scheduler.ExponentialLR(one, options.decay) for one in optimisers]

    def on_train_epoch_start(self) -> None:
        """Random numbers depend on nothing but seed and epoch."""
        state = np.random.SeedSequence((self.seed, 2, self.current_epoch)).generate_state(1, np.uint64)
        self.random = torch.Generator(self.device).manual_seed(int(state[0] >> np.uint64(1)))

    def on_train_epoch_end(self) -> None:
        """Lower the learning rates."""
        schedules: Any = self.lr_schedulers()
        for schedule in schedules:
            schedule.step()

    def training_step(self, batch: Batch, number: int) -> None:  # type: ignore[override]
        """One step of the discriminator, then one of the generator."""
        condition, count, index, momentum = batch
        truth = functional.one_hot(index, self.generator.kinds).to(momentum.dtype)
        momentum = turned(momentum, count, self.random)
        given = None if self.generator.kind is not None else truth
        made = generated(self.generator, condition, count, given, self.random)
        optimisers: Any = self.optimizers()
        ours, theirs = optimisers

        self.discriminator.requires_grad_(True)
        weight = self.options.regularisation * self.options.every * (number % self.options.every == 0)
        loss = self._log_loss(condition, count, truth, momentum, 1.0, weight)
        loss = loss + self._log_loss(condition, count, made[0].detach(), made[1].detach(), -1.0, weight)
        theirs.zero_grad()
        self.manual_backward(loss)
        theirs.step()
        self._losses.append(loss.detach())

        self.discriminator.requires_grad_(False)
        loss = functional.softplus(-self.discriminator(condition, count, *made)).mean()
        if self.generator.multiplicity is not None:
            loss = loss + functional.cross_entropy(self.generator.multiplicity(condition), count)
        ours.zero_grad()
        self.manual_backward(loss)
        ours.step()

    def _log_loss(
        self, condition: Tensor, count: Tensor, kind: Tensor, momentum: Tensor, sign: float, weight: float
    ) -> Tensor:
        """The discriminator's loss of true (sign 1) or generated (sign -1) events, regularised with ``weight``."""
        if not weight:
            return functional.softplus(-sign * self.discriminator(condition, count, kind, momentum)).mean()
        scale = self.discriminator.scale
        kind, unit = kind.requires_grad_(), (momentum / scale).requires_grad_()
        logit = self.discriminator(condition, count, kind, unit * scale)
        slopes = torch.autograd.grad(logit.sum(), (kind, unit), create_graph=True)
        square = torch.cat(slopes, dim=1).square().sum(dim=1)
        steepness = square.new_zeros(len(count)).index_add(0, owners(count), square)
        wrong = torch.sigmoid(-sign * logit).square()
        return functional.softplus(-sign * logit).mean() + weight * (wrong * steepness).mean()

    def validation_step(self, batch: Batch, number: int) -> None:
        """Nothing: events are compared as a whole."""

    def scores(self) -> list[float]:
        """Mean distance of events of the averaged generator."""
        network = self.averaged.module
        assert isinstance(network, InteractionGenerator)
        return [self.score(network)]
