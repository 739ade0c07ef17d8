"""The talk's conditional GAN for hadronic interactions (GitHub xju2/gan4hep, 2021) as a generator of complete events.

As published, the networks emit kinds and momenta, and nothing is conserved. The ablation takes the kinds from
elsewhere, from a model that conserves charge, baryon number and strangeness; the networks give momenta for them, and
``kinematics.project`` puts the total four-momentum right: what is left of the GAN then conserves everything exactly.

Conventions: learned in the rest frame of projectile and nucleus, the projectile along z; azimuths are random. Elastic
events are learned as they come; a generated event counts as elastic if what came in is what leaves. Particles come by
falling energy in the rest frame; the networks know no order.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cloudchamber.data.files import write_text
from cloudchamber.learning.options import GANOptions
from cloudchamber.learning.weights import read_weights, ready, restoring, seeded_start
from cloudchamber.metrics.interactions import distances, observables
from cloudchamber.networks.interaction_gan import (
    FlatStates,
    InteractionDiscriminator,
    InteractionGenerator,
    generated,
)
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import ELASTIC, INELASTIC, Beam, Events, incoming_of, joined
from cloudchamber.simulators.hadronic.kinematics import from_rest, project, to_rest
from cloudchamber.simulators.hadronic.particles import PROJECTILES, TARGETS, masses

Floats = NDArray[np.float64]

CONDITIONS = len(PROJECTILES) + len(TARGETS) + 1
VALIDATION_EVENTS = 4000
"""Events of the validation split that are compared after every epoch."""
BATCH = 1000
"""Events that go through the network at once when it samples."""
SAME_KINDS = 10
"""Momenta that are drawn for the same kinds before other kinds are drawn."""
ROUNDS = 100
"""Draws before we give up."""


class KindSampler(Protocol):
    """Which particles leave: a model that conserves what must be conserved."""

    def sample_kinds(self, beam: Beam, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Offsets (event + 1,) and PDG codes (particle,), at least two particles for each entry of ``beam``."""
        ...


def beam_features(beam: Beam) -> Tensor:
    """What the networks know of a beam (event, CONDITIONS): projectile and target one-hot, ln(kinetic energy / 10 GeV).

    Raises:
        BadInput: a projectile or a target that is none of ours.
    """
    projectiles = beam.projectile[:, None] == np.array(list(PROJECTILES.values()))
    targets = beam.target[:, None] == np.array(list(TARGETS.values()))
    if not (projectiles.any(axis=1).all() and targets.any(axis=1).all()):
        raise BadInput(f"the GAN knows the projectiles {', '.join(PROJECTILES)} and the targets {', '.join(TARGETS)}")
    energy = np.log(beam.kinetic_energy / 10)[:, None]
    return torch.from_numpy(np.concatenate([projectiles, targets, energy], axis=1).astype(np.float32))


@dataclass(eq=False)
class InteractionGAN:
    """The GAN as a generator (see ``study.Generator``) of ``Events`` for a ``Beam``.

    Its directory holds ``weights.pt`` of the generator, ``history.csv`` and ``generator.json``.

    Args:
        title: for tables.
        options: settings of networks and training.
        seed: of start, order and noise.
        kinds: where kinds come from, ready to be asked; None: from the network itself, as published, and then nothing
            is projected.
        device: "cpu" or "cuda".
    """

    title: str
    options: GANOptions
    seed: int
    kinds: KindSampler | None = None
    device: str = "cpu"
    codes: NDArray[np.int32] = field(init=False, default_factory=lambda: np.zeros(0, np.int32))
    network: InteractionGenerator | None = field(init=False, default=None)

    kind = "network"

    def fit(self, train: Events, validation: Events, directory: Path) -> None:
        """Train, or go on training.

        Raises:
            BadInput: no events, or an event without particles.
        """
        # Lightning takes seconds to import and is not needed to sample
        from cloudchamber.learning.gan import GANTraining
        from cloudchamber.learning.training import train as run_training

        for name, events in (("training", train), ("validation", validation)):
            if len(events) == 0 or events.count.min() < 1:
                raise BadInput(f"the {name} events are none, or one of them has no particle: the GAN cannot learn them")
        self.codes = np.unique(train.kind)
        owner = train.event_of
        space = to_rest(train.momentum, train.incoming[owner], train.beam.direction[owner])[:, 1:]
        states = self._states(train.beam, train.offsets, train.kind, space)
        with seeded_start(self.seed):
            generator = self._network(int(train.count.max()))
            generator.fit(states.count, states.kind, states.momentum)
            mass = torch.from_numpy(masses(self.codes).astype(np.float32))
            discriminator = InteractionDiscriminator(CONDITIONS, mass, generator.scale.clone(), self.options.width)
        directory.mkdir(parents=True, exist_ok=True)
        score = self._score(validation)
        task = GANTraining(generator.train(), discriminator, self.options, states, score, self.seed)
        run_training(task, directory, device=self.device, title=self.title)
        about = {
            "parameters": sum(parameter.numel() for parameter in generator.parameters()),
            "options": self.options.model_dump(mode="json"),
            "seed": self.seed,
            "most": int(train.count.max()),
            "codes": self.codes.tolist(),
        }
        write_text(directory / "generator.json", json.dumps(about, indent=1) + "\n")
        self.network = ready(generator, self.device)

    def restore(self, directory: Path) -> None:
        """Be what ``fit`` left in ``directory``.

        Raises:
            BadInput: the directory does not hold the weights of such a network.
        """
        with restoring(directory):
            about = json.loads((directory / "generator.json").read_text())
            self.codes = np.array(about["codes"], np.int32)
            network = self._network(about["most"])
            network.load_state_dict(read_weights(directory / "weights.pt"))
        self.network = ready(network, self.device)

    def sample(self, beam: Beam, rng: np.random.Generator) -> Events:
        """One event for every entry of ``beam``.

        Raises:
            BadInput: a beam that the network cannot know; kinds that it was not trained on; kinds that no momenta make
                an event of the beam's energy.
        """
        assert self.network is not None, "fit or restore first"
        random = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        if self.kinds is not None:
            return self._conserving(self.network, self.kinds, beam, rng, random)
        assert self.network.multiplicity is not None
        condition = beam_features(beam).to(self.device)
        with torch.inference_mode():
            chance = self.network.multiplicity(condition).softmax(dim=1)
            chance[:, 0] = 0
            count = torch.multinomial(chance, 1, generator=random)[:, 0]
        kind, space = self._asked(self.network, condition, count, None, random)
        return self._published(beam, count, kind, space)

    def _conserving(
        self,
        network: InteractionGenerator,
        kinds: KindSampler,
        beam: Beam,
        rng: np.random.Generator,
        random: torch.Generator,
    ) -> Events:
        """Events of given kinds, projected; momenta that cannot be projected are drawn again."""
        pending, parts, rows = np.arange(len(beam)), [], []
        offsets, kind = kinds.sample_kinds(beam, rng)
        for attempt in range(1, ROUNDS + 1):
            some = beam.take(pending)
            states = self._states(some, offsets, kind)
            _, space = self._asked(network, states.condition, states.count, states.kind, random)
            codes = self.codes[states.kind.numpy()]
            whole = incoming_of(some)[1]
            energy = np.sqrt(whole[:, 0] ** 2 - (whole[:, 1:] ** 2).sum(axis=1))
            momentum, _, good = project(space, masses(codes), offsets, energy)
            events = finished(some, offsets, codes, momentum)
            parts.append(events.part(good))
            rows.append(pending[good])
            pending = pending[~good]
            if len(pending) == 0:
                return joined(parts).ordered(np.argsort(np.concatenate(rows)))
            if attempt % SAME_KINDS:
                failed = events.part(~good)
                offsets, kind = failed.offsets, failed.kind
            else:
                offsets, kind = kinds.sample_kinds(beam.take(pending), rng)
        raise BadInput(
            f"no momenta for {len(pending)} of {len(beam)} events after {ROUNDS} draws: the energy of the beam hardly"
            " makes the particles that the model of kinds wants"
        )

    def _asked(
        self,
        network: InteractionGenerator,
        condition: Tensor,
        count: Tensor,
        kind: Tensor | None,
        random: torch.Generator,
    ) -> tuple[NDArray[np.int64], Floats]:
        """Indices of kinds (particle,) and momenta (particle, 3) from the network, batch after batch."""
        kinds, momenta = [np.zeros(0, np.int64)], [np.zeros((0, 3))]
        ends = count.cumsum(0)
        with torch.inference_mode():
            for first in range(0, len(count), BATCH):
                rows = slice(first, first + BATCH)
                given = None
                if kind is not None:
                    inside = kind[int(ends[first] - count[first]) : int(ends[rows][-1])]
                    given = functional.one_hot(inside, network.kinds).float().to(self.device)
                sent = condition[rows].to(self.device), count[rows].to(self.device)
                made, momentum = generated(network, *sent, given, random)
                kinds.append(made.argmax(dim=1).cpu().numpy())
                momenta.append(momentum.double().cpu().numpy())
        return np.concatenate(kinds), np.concatenate(momenta)

    def _published(self, beam: Beam, count: Tensor, kind: NDArray[np.int64], space: Floats) -> Events:
        """Events of what the network said: nothing is conserved."""
        codes = self.codes[kind]
        energy = np.sqrt(masses(codes) ** 2 + (space**2).sum(axis=1))
        offsets = np.concatenate([[0], np.cumsum(count.cpu().numpy())])
        return finished(beam, offsets, codes, np.concatenate([energy[:, None], space], axis=1))

    def _states(
        self, beam: Beam, offsets: NDArray[np.int64], kind: NDArray[np.int32], space: Floats | None = None
    ) -> FlatStates:
        """Final states as the networks read them, particles in the order of their codes; momenta are 0 without any.

        Raises:
            BadInput: a kind that is none of those that were learned.
        """
        unknown = ~np.isin(kind, self.codes)
        if unknown.any():
            raise BadInput(f"the GAN has not learned particles of kind {int(kind[unknown][0])}: train it with such")
        count = np.diff(offsets)
        order = np.lexsort((kind, np.repeat(np.arange(len(count)), count)))
        momentum = np.zeros((len(kind), 3)) if space is None else space[order]
        return FlatStates(
            beam_features(beam),
            torch.from_numpy(count),
            torch.from_numpy(np.searchsorted(self.codes, kind[order])),
            torch.from_numpy(momentum.astype(np.float32)),
        )

    def _score(self, validation: Events) -> Callable[[InteractionGenerator], float]:
        """A function of a network: the mean distance of its events from those of validation, before projection."""
        strange = validation.sums(~np.isin(validation.kind, self.codes)) > 0
        events = validation.ordered(np.flatnonzero(~strange)[:VALIDATION_EVENTS])
        states = self._states(events.beam, events.offsets, events.kind)
        truth = observables(events)
        given = states.kind if self.kinds is not None else None

        def distance(network: InteractionGenerator) -> float:
            random = torch.Generator(self.device).manual_seed(self.seed)
            kind, space = self._asked(network, states.condition, states.count, given, random)
            found = observables(self._published(events.beam, states.count, kind, space))
            return distances(truth, found, np.random.default_rng(self.seed)).mean.value

        return distance

    def _network(self, most: int) -> InteractionGenerator:
        options = self.options
        return InteractionGenerator(
            CONDITIONS, len(self.codes), 0 if self.kinds else most, options.noise, options.width, options.temperature
        )


def finished(beam: Beam, offsets: NDArray[np.int64], kind: NDArray[np.int32], momentum: Floats) -> Events:
    """Events of kinds (particle,) and four-momenta (particle, 4) in the rest frame, by falling energy there."""
    owner = np.repeat(np.arange(len(beam)), np.diff(offsets))
    order = np.lexsort((-momentum[:, 0], owner))
    kind, momentum = kind[order], momentum[order]
    nucleus, incoming = incoming_of(beam)
    channel = np.full(len(beam), INELASTIC, np.uint8)
    pairs = np.flatnonzero(np.diff(offsets) == 2)
    leaving = np.stack([kind[offsets[pairs]], kind[offsets[pairs] + 1]], axis=1)
    coming = np.stack([beam.projectile[pairs], nucleus[pairs]], axis=1)
    channel[pairs[(np.sort(leaving, axis=1) == np.sort(coming, axis=1)).all(axis=1)]] = ELASTIC
    laboratory = from_rest(momentum, incoming[owner], beam.direction[owner])
    return Events(beam, nucleus, incoming, channel, offsets, kind, laboratory)
