"""Classifiers that are asked to tell a model's interactions from true ones: what they cannot see is well modelled.

Both learn on one half of the events and are asked on the other; 0.5 is the best AUC that a model can reach. Boosted
trees read high-level observables, with a resolution of a hundredth of their spread; a network over sets of particles
(DeepSets, arXiv:1703.06114) reads every particle: what it is, px, py and rapidity in the rest frame of projectile and
nucleus. Where the projectiles, targets or energies of the events differ, a classifier is told them, so that it judges
each event at its own condition.

Twins, the true event and the model's of one and the same condition, always are in the same half. If they were parted, a
classifier would know from the one (its very energy) that the other in the second half is of the other kind, and even
the truth against itself would have an AUC below 0.5.

Of a generator that repeats events (resampling), one event can be in both halves. Its AUC then measures repetitions
besides likeness, and is above 0.5 for copies of the truth itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cloudchamber.metrics.classification import auc
from cloudchamber.metrics.measured import Measured
from cloudchamber.simulators.hadronic.events import Events, incoming_numbers
from cloudchamber.simulators.hadronic.kinematics import to_rest
from cloudchamber.simulators.hadronic.particles import NUCLEUS, conserved

Floats = NDArray[np.float64]

SUM_RESOLUTION = 0.01
"""GeV: to this the sums of four-momenta are rounded before a classifier sees them. Geant4 itself is off by up to some
MeV, and an exact model would be told from it by nothing else."""

RESOLUTION = 0.01
"""Standard deviation with which classifiers see observables that are no whole numbers, in units of the truth's: what
conservation fixes (the energy of two bodies) would else tell an exact model from Geant4 by rounding, 1e-5 of it."""

BATCH = 256
WIDTH = 64
MOST_EPOCHS = 60
PARTICLES = 8_000_000
"""Particles that the network reads in training at most, about a minute on one core: it has fewer epochs for heavy
nuclei."""
PATIENCE = 8
"""Epochs without a better loss on the held-out fifth of the training half, after which training ends; not in its first
half, when small differences are often not yet seen at all."""


def conditions(events: Events) -> dict[str, Floats]:
    """What a classifier is told of the collision (event,): projectile, target, logarithm of the kinetic energy."""
    return {
        "projectile": events.beam.projectile.astype(np.float64),
        "target": events.beam.target.astype(np.float64),
        "log_energy": np.log(events.beam.kinetic_energy),
    }


def conserved_sums(events: Events) -> dict[str, Floats]:
    """What leaves minus what came in (event,): charge, baryon number, strangeness, E, px, py, pz in GeV.

    The latter four are rounded to ``SUM_RESOLUTION``.
    """
    numbers = events.sums(conserved(events.kind)) - incoming_numbers(events)
    momentum = np.round((events.sums(events.momentum) - events.incoming) / SUM_RESOLUTION) * SUM_RESOLUTION
    both = np.concatenate([numbers, momentum], axis=1)
    return dict(zip(("charge", "baryon_number", "strangeness", "E", "px", "py", "pz"), both.T, strict=True))


def blurred(seen: Mapping[str, Floats], truth: Mapping[str, Floats], rng: np.random.Generator) -> dict[str, Floats]:
    """Observables (event,) with the RESOLUTION of those of the truth."""

    def one(name: str, values: Floats) -> Floats:
        if np.array_equal(truth[name], np.round(truth[name])):
            return values
        return np.asarray(values + RESOLUTION * truth[name].std() * rng.standard_normal(len(values)))

    return {name: one(name, values) for name, values in seen.items()}


@dataclass(frozen=True)
class Asked:
    """What a classifier answered.

    Attributes:
        rows: of the events that were asked, truth before model in one count (asked,).
        truth: 1 for truth, 0 for the model (asked,).
        score: larger is more like truth (asked,).
    """

    rows: NDArray[np.int64]
    truth: Floats
    score: Floats


def are_twins(truth: Events, model: Events) -> bool:
    """Whether event i of the model has the very beam of true event i."""
    one, other = truth.beam.arrays(), model.beam.arrays()
    return len(truth) == len(model) and all(np.array_equal(values, other[name]) for name, values in one.items())


def halves(
    truth: int, model: int, twins: bool, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to learn from and rows to be asked, in random order; twins stand side by side.

    Args:
        truth: number of true events; they are counted first.
        model: number of events of the model.
        twins: whether event i of both are twins; there are as many of both then.
        rng: of the order.
    """
    if twins:
        first = rng.permutation(truth)
        learn, ask = np.array_split(np.stack([first, truth + first], axis=1), 2)
        return learn.ravel(), ask.ravel()
    learn, ask = np.array_split(rng.permutation(truth + model), 2)
    return learn, ask


def asked_trees(
    truth: Mapping[str, Floats], model: Mapping[str, Floats], rng: np.random.Generator, *, twins: bool = False
) -> Asked:
    """Boosted trees that learned to tell the model from the truth by observables (event,), asked on the other half.

    Args:
        truth: observables by name.
        model: the same ones.
        rng: halves and trees.
        twins: whether event i of both has the same condition, see ``are_twins``.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    both = [np.stack([sample[name] for name in truth], axis=1) for sample in (truth, model)]
    inputs = np.concatenate(both)
    labels = np.repeat([1.0, 0.0], [len(both[0]), len(both[1])])
    learn, ask = halves(len(both[0]), len(both[1]), twins, rng)
    trees = HistGradientBoostingClassifier(random_state=int(rng.integers(2**31)))
    trees.fit(inputs[learn], labels[learn])
    return Asked(ask, labels[ask], trees.predict_proba(inputs[ask])[:, 1])


def classifier_auc(
    truth: Mapping[str, Floats], model: Mapping[str, Floats], rng: np.random.Generator, *, twins: bool = False
) -> Measured:
    """How well boosted trees tell the model from the truth by observables (event,): AUC on the unseen half.

    Arguments are those of ``asked_trees``.
    """
    found = asked_trees(truth, model, rng, twins=twins)
    return auc(found.truth, found.score, rng)


# --- particles --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sets:
    """Events as a network reads them.

    Attributes:
        kind: which of the known kinds (particle,); all nuclei are one.
        numbers: of each particle (particle, feature).
        offsets: (event + 1,).
        condition: (event, feature).
        label: (event,).
    """

    kind: Tensor
    numbers: Tensor
    offsets: Tensor
    condition: Tensor
    label: Tensor


class _DeepSet(nn.Module):
    """The logit of an event: a network for each particle, sums and means over the event, a network of them."""

    def __init__(self, kinds: int, numbers: int, conditions_: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(kinds, 8)
        self.inner = nn.Sequential(nn.Linear(8 + numbers, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH), nn.GELU())
        self.outer = nn.Sequential(
            nn.Linear(2 * WIDTH + 1 + conditions_, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH), nn.GELU(),
            nn.Linear(WIDTH, 1),
        )  # fmt: skip

    def forward(self, kind: Tensor, numbers: Tensor, owner: Tensor, condition: Tensor, typical: float) -> Tensor:
        inner = self.inner(torch.cat([self.embedding(kind), numbers], dim=1))
        total = inner.new_zeros(len(condition), WIDTH).index_add(0, owner, inner)
        count = torch.bincount(owner, minlength=len(condition)).to(inner.dtype)[:, None].clamp(min=1)
        pooled = torch.cat([total / typical, total / count, count.log(), condition], dim=1)
        logit: Tensor = self.outer(pooled)[:, 0]
        return logit


def particle_auc(truth: Events, model: Events, rng: np.random.Generator) -> Measured:
    """How well a network tells the model from the truth by the full lists of particles: AUC on the unseen half.

    It reads kinds, px, py, rapidity and energy in the rest frame, in random azimuth. Sums are no inputs, but a set
    network can form them roughly: events that break conservation strongly are told.

    Args:
        truth: events.
        model: events of the same conditions.
        rng: its seed decides all: halves, weights, batches, bootstrap.
    """
    sets = _sets(truth, model)
    learn, ask = halves(len(truth), len(model), are_twins(truth, model), rng)
    score = _trained_scores(sets, learn, ask, int(rng.integers(2**31)))
    return auc(sets.label.numpy()[ask], score, rng)


def _sets(truth: Events, model: Events) -> _Sets:
    both = (truth, model)
    kinds = np.concatenate([np.where(np.abs(one.kind) >= NUCLEUS, NUCLEUS, one.kind) for one in both])
    _, places = np.unique(kinds, return_inverse=True)
    numbers = np.concatenate([_numbers(one) for one in both])
    told = np.concatenate([_condition_numbers(one) for one in both])
    varied = told[:, told.std(axis=0) > 1e-9]
    if varied.shape[1]:
        varied = (varied - varied.mean(axis=0)) / varied.std(axis=0)
    scale = np.maximum(numbers.std(axis=0), 1e-6)
    return _Sets(
        torch.from_numpy(places.astype(np.int64)),
        torch.from_numpy((numbers / scale).astype(np.float32)),
        torch.from_numpy(np.concatenate([[0], np.cumsum(np.concatenate([one.count for one in both]))])),
        torch.from_numpy(varied.astype(np.float32)),
        torch.from_numpy(np.repeat(np.array([1, 0], np.float32), [len(truth), len(model)])),
    )


def _numbers(events: Events) -> Floats:
    """What a network reads of each particle (particle, 7).

    px, py first, as they are turned; then rapidity, logarithms of pT and energy, charge, baryon number.
    """
    owner = events.event_of
    p = to_rest(events.momentum, events.incoming[owner], events.beam.direction[owner])
    across = np.hypot(p[:, 1], p[:, 2])
    square = np.maximum(p[:, 0] ** 2 - p[:, 3] ** 2, across**2 + 1e-6)
    rapidity = np.arcsinh(p[:, 3] / np.sqrt(square))
    numbers = conserved(events.kind)[:, :2]
    logs = [np.log(across + 1e-2), np.log(np.maximum(p[:, 0], 0) + 1e-2)]
    return np.stack([p[:, 1], p[:, 2], rapidity, *logs, *numbers.T], axis=1)


def _condition_numbers(events: Events) -> Floats:
    """(event, 6)."""
    projectile = conserved(events.beam.projectile).T
    meson_sign = np.sign(events.beam.projectile)
    target = np.log(np.maximum(events.beam.target, 1))
    return np.stack([*projectile, meson_sign, target, np.log(events.beam.kinetic_energy)], axis=1)


def _batch(sets: _Sets, rows: Tensor, turn: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Kinds, numbers, owners and conditions of some events, each turned about the beam by ``turn`` (event,) in rad."""
    first, count = sets.offsets[rows], sets.offsets[rows + 1] - sets.offsets[rows]
    owner = torch.repeat_interleave(torch.arange(len(rows)), count)
    chosen = torch.arange(len(owner)) + (first - (count.cumsum(0) - count))[owner]
    numbers = sets.numbers[chosen]
    if turn is not None:
        cos, sin = turn.cos()[owner], turn.sin()[owner]
        x, y = numbers[:, 0], numbers[:, 1]
        numbers = torch.cat([torch.stack([cos * x - sin * y, sin * x + cos * y], dim=1), numbers[:, 2:]], dim=1)
    return sets.kind[chosen], numbers, owner, sets.condition[rows]


def _trained_scores(sets: _Sets, learn: NDArray[Any], ask: NDArray[Any], seed: int) -> Floats:
    """Train on the rows ``learn``, a fifth of them held out to stop by, and give the logits of the rows ``ask``."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _DeepSet(int(sets.kind.max()) + 1, sets.numbers.shape[1], sets.condition.shape[1])
    typical = max(len(sets.kind) / len(sets.label), 1.0)
    held, kept = (torch.from_numpy(part) for part in np.split(learn, [len(learn) // 10 * 2]))
    epochs = int(np.clip(PARTICLES / (typical * len(kept)), 3, MOST_EPOCHS))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=epochs * -(-len(kept) // BATCH))
    loss = nn.BCEWithLogitsLoss()
    best, waited = float("inf"), 0
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    for epoch in range(epochs):
        network.train()
        for rows in torch.split(kept[torch.randperm(len(kept), generator=generator)], BATCH):
            turn = 2 * torch.pi * torch.rand(len(rows), generator=generator)
            optimizer.zero_grad()
            loss(network(*_batch(sets, rows, turn), typical), sets.label[rows]).backward()
            optimizer.step()
            schedule.step()
        score = float(loss(_logits(network, sets, held, typical), sets.label[held]))
        waited += 1
        if score < best:
            best, waited = score, 0
            weights = {name: value.clone() for name, value in network.state_dict().items()}
        if waited >= PATIENCE and epoch >= epochs // 2:
            break
    network.load_state_dict(weights)
    return _logits(network, sets, torch.from_numpy(ask), typical).numpy().astype(np.float64)


@torch.no_grad()
def _logits(network: _DeepSet, sets: _Sets, rows: Tensor, typical: float) -> Tensor:
    network.eval()
    return torch.cat([network(*_batch(sets, part, None), typical) for part in torch.split(rows, 2048)])
