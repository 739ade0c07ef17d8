"""The generator of hadronic interactions by counts and flow: fit, restore, sample.

See ``networks.interaction_flow`` for the model and ``learning.flow_matching`` for how it learns. ``sample`` draws the
kinds of many events at once, then momenta in groups of events with similar numbers of particles, and draws an event
again if the projection has no solution.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cloudchamber.data.files import write_text
from cloudchamber.data.final_states import FinalStates, Vocabulary, encode, nucleons, vocabulary_of
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.weights import read_weights, ready, restoring, seeded_start
from cloudchamber.networks.interaction_flow import InteractionFlow, within
from cloudchamber.networks.kind_counts import CODES
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import ELASTIC, INELASTIC, Beam, Events, incoming_of
from cloudchamber.simulators.hadronic.kinematics import turns
from cloudchamber.simulators.hadronic.particles import PROJECTILES

if TYPE_CHECKING:
    from cloudchamber.learning.flow_matching import FlowStates

log = logging.getLogger(__name__)

GROUP = 16_384
"""Particles, padding included, that go through the flow at once: what fits the cache of a core."""
KINDS = 4096
"""Events whose kinds are drawn at once."""
TRIES = 50
"""How often an event without a solution of the projection is drawn again."""
VALIDATION_EVENTS = 4000
"""Events of the validation split that are generated after a pass."""


class FlowShape(NamedTuple):
    """Sizes of the networks."""

    width: int
    pooled: int
    layers: int
    count_width: int
    steps: int


@dataclass(eq=False)
class FlowGenerator:
    """Final states by counts within their budgets and flow matching; a ``study.Generator`` of ``Events`` for ``Beam``.

    Args:
        shape: sizes of the networks.
        count_options: of the training of the counts.
        options: of the training of the flow.
        seed: of start, order and noise of the trainings.
        device: "cpu" or "cuda".
    """

    shape: FlowShape
    count_options: TrainingOptions
    options: TrainingOptions
    seed: int
    device: str = "cpu"
    model: InteractionFlow | None = field(init=False, default=None)

    title = "flow matching, conserving"
    kind = "network"

    def fit(self, train: Events, validation: Events, directory: Path) -> None:
        """Train, or go on training.

        Raises:
            BadInput: events of which none can be encoded.
        """
        from cloudchamber.learning.flow_matching import CountLikelihood, FlowMatching
        from cloudchamber.learning.training import train as run_training

        directory.mkdir(parents=True, exist_ok=True)
        vocabulary = vocabulary_of(train)
        states = encode(train, vocabulary)
        if not len(states):
            raise BadInput(f"none of {len(train)} training events conserves charge, baryon number and strangeness")
        heaviest = _heaviest(train)
        with seeded_start(self.seed):
            model = InteractionFlow(vocabulary, heaviest, *self.shape)
        log.info("%d of %d training events conserve all and have known kinds", len(states), len(train))
        standardize(model, train, states)
        learn = flow_states(model, train, states)
        held_out = encode(validation, vocabulary)
        first = held_out.first(VALIDATION_EVENTS)
        ask_counts, ask = flow_states(model, validation, held_out), flow_states(model, validation, first)
        asked = validation.ordered(first.rows)

        done = directory / "counts" / "weights.pt"
        if done.exists():
            model.counts.load_state_dict(read_weights(done))
        else:
            counting = CountLikelihood(model.counts, self.count_options, learn, ask_counts, self.seed)
            title = f"{self.title}: counts"
            run_training(counting, done.parent, device=self.device, title=title)
        model.counts.requires_grad_(False)
        self.model = model

        def sample(network: InteractionFlow, events: FlowStates) -> Events:
            kind, _ = events.padded(np.arange(len(events)))
            return self._momenta(network, asked.beam, kind, np.random.default_rng(0))

        task = FlowMatching(model, self.options, learn, ask, asked, sample, self.seed)
        write_text(
            directory / "vocabulary.json", json.dumps(_plain(vocabulary, heaviest, len(train), len(states))) + "\n"
        )
        run_training(task, directory, device=self.device, title=self.title)
        self.model = ready(model, self.device)

    def restore(self, directory: Path) -> None:
        """Be what ``fit`` left in ``directory``.

        Raises:
            BadInput: the directory does not hold such a model.
        """
        with restoring(directory):
            known = json.loads((directory / "vocabulary.json").read_text())
            vocabulary = Vocabulary(
                np.array(known["code"]), np.array(known["slow"], dtype=np.bool_), np.array(known["most"])
            )
            model = InteractionFlow(vocabulary, tuple(known["heaviest"]), *self.shape)
            model.load_state_dict(read_weights(directory / "weights.pt"))
        self.model = ready(model, self.device)

    def sample(self, beam: Beam, rng: np.random.Generator) -> Events:
        """One event for every entry of ``beam``."""
        assert self.model is not None
        return self._momenta(self.model, beam, self.kinds(beam, rng), rng)

    def sample_unprojected(self, beam: Beam, rng: np.random.Generator) -> Events:
        """As ``sample``, without the projection: energy and momentum along the beam do not add up."""
        assert self.model is not None
        return self._momenta(self.model, beam, self.kinds(beam, rng), rng, projected=False)

    def sample_kinds(self, beam: Beam, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Offsets (event + 1,) and PDG codes (particle,) of one event for every entry of ``beam``."""
        assert self.model is not None
        kind, condition = self.kinds(beam, rng), condition_of(beam)
        with torch.inference_mode():
            kind, condition = kind.to(self.device), condition.to(self.device)
            residual = self.model.event(condition, kind)[1][:, :2].long()
            coin = torch.from_numpy(rng.random(tuple(kind.shape))).to(self.device)
            code = self.model.codes(condition, kind, residual, coin)[0].cpu().numpy()
        there = code != 0
        return np.concatenate([[0], np.cumsum(there.sum(axis=1))]), code[there].astype(np.int32)

    def kinds(self, beam: Beam, rng: np.random.Generator) -> Tensor:
        """Classes (event, particle) of one event for every entry of ``beam``, padded with -1.

        Raises:
            BadInput: a target heavier than those of the training.
        """
        assert self.model is not None
        condition = condition_of(beam)
        charge, baryons = self.model.heaviest
        if bool((condition[:, 1] > charge).any()) or bool((condition[:, 2] > baryons).any()):
            raise BadInput(f"a target is heavier than any of the training (Z = {charge}, A = {baryons})")
        uniform = torch.from_numpy(rng.random((len(beam), 2 + self.model.kinds)))
        with torch.inference_mode():
            parts = [
                self.model.draw_kinds(some.to(self.device), numbers.to(self.device)).cpu()
                for some, numbers in zip(torch.split(condition, KINDS), torch.split(uniform, KINDS), strict=True)
            ]
        most = max(part.shape[1] for part in parts)
        return torch.cat([torch.nn.functional.pad(part, (0, most - part.shape[1]), value=-1) for part in parts])

    def _momenta(
        self, model: InteractionFlow, beam: Beam, kind: Tensor, rng: np.random.Generator, projected: bool = True
    ) -> Events:
        """Events of given classes; those that the projection cannot put right are drawn again.

        Raises:
            BadInput: events without a solution after TRIES.
        """
        condition = condition_of(beam)
        code = np.zeros(kind.shape, np.int32)
        momentum = np.zeros((*kind.shape, 4))
        good = np.zeros(len(kind), np.bool_)
        left = np.arange(len(kind))
        for attempt in range(TRIES):
            if attempt > 2:  # these kinds hardly fit into the energy: draw others
                left_beam = beam.take(left)
                fresh = self.kinds(left_beam, rng)
                most = max(fresh.shape[1], kind.shape[1])
                kind = torch.nn.functional.pad(kind, (0, most - kind.shape[1]), value=-1)
                code = np.pad(code, ((0, 0), (0, most - code.shape[1])))
                momentum = np.pad(momentum, ((0, 0), (0, most - momentum.shape[1]), (0, 0)))
                kind[left] = torch.nn.functional.pad(fresh, (0, most - fresh.shape[1]), value=-1)
            number = (kind >= 0).sum(1).numpy()
            for rows in _groups(left, number[left]):
                most = int(number[rows].max())
                part = kind[rows, :most]
                coin = torch.from_numpy(rng.random(part.shape))
                normal = torch.from_numpy(rng.standard_normal((*part.shape, 3), dtype=np.float32))
                drawn = (condition[rows].to(self.device), part.to(self.device), coin.to(self.device))
                with torch.inference_mode():
                    answer = model.momenta(*drawn, normal.to(self.device), projected)
                found, p, _, solved = (tensor.cpu().numpy() for tensor in answer)
                code[rows, :most], momentum[rows, :most] = found, p
                code[rows, most:] = 0
                good[rows] = solved
            left = np.flatnonzero(~good)
            if not len(left):
                break
        else:
            many = f"{len(left)} of {len(kind)} events"
            raise BadInput(f"{many} found no room in {TRIES} tries: give a higher energy, or train it longer")
        elastic = (kind > model.kinds).any(1).numpy()
        return padded_events(beam, code, momentum, np.where(elastic, ELASTIC, INELASTIC))


class Unprojected:
    """The events of a fitted ``FlowGenerator`` as they are before the projection: what it had to do.

    Args:
        flow: fitted before this one is asked.
    """

    title = "flow matching before the projection"
    kind = "network"

    def __init__(self, flow: FlowGenerator) -> None:
        self.flow = flow

    def fit(self, train: Events, validation: Events, directory: Path) -> None:
        """There is nothing to learn."""

    def restore(self, directory: Path) -> None:
        """There is nothing to read."""

    def sample(self, beam: Beam, rng: np.random.Generator) -> Events:
        """One event for every entry of ``beam``, with the random numbers of ``FlowGenerator.sample``."""
        return self.flow.sample_unprojected(beam, rng)


def condition_of(beam: Beam) -> Tensor:
    """What the networks know of a beam (event, 4), see ``networks.kind_counts``.

    Raises:
        BadInput: a projectile that is none of ``PROJECTILES``, or a target that is none of ``TARGETS``.
    """
    places = {code: place for place, code in enumerate(CODES)}
    unknown = set(beam.projectile.tolist()) - places.keys()
    if unknown:
        raise BadInput(f"the projectile {min(unknown)} is none of {', '.join(PROJECTILES)}")
    nucleus, _ = incoming_of(beam)
    baryons = np.maximum(nucleons(nucleus), 1)
    columns = [[places[int(code)] for code in beam.projectile], beam.target, baryons, beam.kinetic_energy]
    return torch.from_numpy(np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1))


def standardize(model: InteractionFlow, events: Events, states: FinalStates) -> None:
    """Set the spreads and means of the coordinates from the training events."""
    owner = np.repeat(states.rows, np.diff(states.offsets))
    baryons = np.maximum(nucleons(events.nucleus), 1)[owner]
    elastic = states.kind > model.kinds
    across = np.where(elastic[:, None], states.across * baryons[:, None] ** (1 / 3), states.across)
    for kind in range(model.kinds):
        own = states.kind == kind
        model.spread[kind, 0] = float(np.sqrt((across[own] ** 2).mean()))
        model.spread[kind, 1] = max(float(states.along[own].std()), 1e-3)
        model.mean[kind] = float(states.along[own].mean())
    if elastic.any():
        model.spread[model.kinds + 1 :, 0] = float(np.sqrt((across[elastic] ** 2).mean()))


def flow_states(model: InteractionFlow, events: Events, states: FinalStates) -> FlowStates:
    """Events as the networks learn from them."""
    from cloudchamber.learning.flow_matching import FlowStates

    chosen = events.ordered(states.rows)
    condition = condition_of(chosen.beam)
    owner = np.repeat(np.arange(len(states)), np.diff(states.offsets))
    kind = torch.from_numpy(states.kind)
    back = np.bincount(owner, states.kind == model.kinds + 3, minlength=len(states)) > 0
    u = torch.zeros(len(kind), 3)
    for some in torch.split(torch.arange(len(owner)), 1 << 20):
        own, their = torch.from_numpy(owner)[some], kind[some]
        across, along, mean = (values[:, 0] for values in model.scales(condition[own], their[:, None]))
        lab = torch.from_numpy(states.along)[some]
        _, single, unit = model.frames(condition[own])
        y = torch.where(model.books["slow"][their], lab, single + unit * lab)
        plane = torch.from_numpy(states.across)[some] / across[:, None]
        u[some] = torch.cat([plane, ((y - mean) / along)[:, None]], dim=1).float()
    found = FlowStates(
        condition, torch.from_numpy(states.strangeness), torch.from_numpy(states.counts),
        torch.from_numpy(states.elastic), torch.from_numpy(back), torch.from_numpy(states.offsets), kind, u,
    )  # fmt: skip
    for rows in np.array_split(np.arange(len(found)), max(len(found) // 4096, 1)):
        padded, values = found.padded(rows)
        free = within(values.double(), *model.subspace(condition[rows], padded)).float()
        there = padded >= 0
        first, last = int(states.offsets[rows[0]]), int(states.offsets[rows[-1] + 1])
        found.u[first:last] = free[there]
    return found


def _groups(rows: NDArray[np.int64], number: NDArray[np.int64]) -> Sequence[NDArray[np.int64]]:
    """Events of similar numbers of particles, at most GROUP particles with padding in each."""
    order = np.argsort(number, kind="stable")[::-1]
    groups, first = [], 0
    while first < len(order):
        size = max(GROUP // int(number[order[first]]), 1)
        groups.append(rows[order[first : first + size]])
        first += size
    return groups


def padded_events(
    beam: Beam, code: NDArray[np.int32], momentum: NDArray[np.float64], channel: NDArray[np.integer]
) -> Events:
    """Padded particles (code 0) along z as events in the beam's direction."""
    nucleus, incoming = incoming_of(beam)
    there = code != 0
    owner = np.nonzero(there)[0]
    flat = momentum[there]
    flat[:, 1:] = np.einsum("nij,nj->ni", turns(beam.direction)[owner], flat[:, 1:])
    offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
    return Events(beam, nucleus, incoming, channel.astype(np.uint8), offsets, code[there], flat)


def _heaviest(events: Events) -> tuple[int, int]:
    """Charge and mass number of the heaviest target."""
    baryons = np.maximum(nucleons(events.nucleus), 1)
    place = int(baryons.argmax())
    return int(events.beam.target[place]), int(baryons[place])


def _plain(vocabulary: Vocabulary, heaviest: tuple[int, int], events: int, usable: int) -> dict[str, object]:
    """The vocabulary for JSON."""
    return {
        "code": vocabulary.code.tolist(), "slow": vocabulary.slow.tolist(), "most": vocabulary.most.tolist(),
        "heaviest": heaviest, "events": events, "usable": usable,
    }  # fmt: skip
