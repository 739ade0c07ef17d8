"""The generator of nuclear collisions by a sequence of fragments and flow matching: fit, restore, sample.

See ``networks.collision_flow`` for the model. It learns in two trainings: first the likelihood of the fragments and,
with it, mean and width of every coordinate (as of normal distributions), then the flow (``CollisionMatching``), which
is a regression of velocities of straight lines from noise to coordinates (Lipman et al., arXiv:2210.02747).

Every simulated event is rounded to whole nuclei ``ROUNDINGS`` times, and stands in the training a second time with
projectile and target exchanged, (x, z) to (-x, -z); half of the events of each pass are mirrored, y to -y. The weights
of the flow are selected by the mean Wasserstein distance over sigma of the observables of validation events.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cloudchamber.data.collisions import Collisions, Entrance, joined, rounded
from cloudchamber.data.files import write_text
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.weights import read_weights, ready, restoring, seeded_start
from cloudchamber.networks.collision_flow import OFFSETS, SLOTS, CollisionFlow
from cloudchamber.schema import BadInput

if TYPE_CHECKING:
    from cloudchamber.learning.collision_matching import CollisionStates

log = logging.getLogger(__name__)

ROUNDINGS = 4
"""Of each training event."""
VALIDATION_ROUNDINGS = 2
"""Of each validation event."""
GROUP = 8192
"""Slots, empty ones included, that go through the flow at once: what fits the cache of a core."""
TRIES = 50
"""How often an event without a solution is drawn again."""
SAME_NUCLEI = 3
"""Attempts at an event with the nuclei of the first."""
PATIENCE = 20
"""Attempts after which any stretch that balances the energy will do: a network that has hardly learned needs that."""


class CollisionFlowShape(NamedTuple):
    """Sizes of the networks."""

    width: int
    pooled: int
    layers: int
    count_width: int
    steps: int


@dataclass(eq=False)
class CollisionFlowGenerator:
    """Final states of nuclear collisions, conserving all; a ``study.Generator`` of ``Collisions`` for ``Entrance``.

    Args:
        shape: sizes of the networks.
        count_options: of the training of fragments, means and widths.
        options: of the training of the flow.
        seed: of start, order and noise of the trainings.
        device: "cpu" or "cuda".
        left_out: events of this energy per nucleon [MeV] are not learned from; None: all are.
        title: for tables.
    """

    shape: CollisionFlowShape
    count_options: TrainingOptions
    options: TrainingOptions
    seed: int
    device: str = "cpu"
    left_out: float | None = None
    title: str = "flow matching, conserving"
    model: CollisionFlow | None = field(init=False, default=None)

    kind = "network"

    def fit(self, train: Collisions, validation: Collisions, directory: Path) -> None:
        """Train, or go on training.

        Raises:
            BadInput: no event is left to learn from.
        """
        from cloudchamber.learning.collision_matching import CollisionMatching, NucleiLikelihood
        from cloudchamber.learning.training import train as run_training

        directory.mkdir(parents=True, exist_ok=True)
        if self.left_out is not None:
            train = train.ordered(train.entrance.energy != self.left_out)
            validation = validation.ordered(validation.entrance.energy != self.left_out)
        if not len(train) or not len(validation):
            raise BadInput(f"{len(train)} training and {len(validation)} validation events are left: simulate more")
        entrance = train.entrance
        largest = int((entrance.projectile + entrance.target)[:, 0].max())
        with seeded_start(self.seed):
            model = CollisionFlow(largest, *self.shape)
        many = repeated(train, ROUNDINGS, np.random.default_rng((self.seed, 1)))
        learn = states_of(many, both_ways=True)
        asked = repeated(validation, VALIDATION_ROUNDINGS, np.random.default_rng((self.seed, 2)))
        ask = states_of(asked, both_ways=False)
        if not len(learn) or not len(ask):
            raise BadInput(f"no event has at most {SLOTS} fragments that the flow can learn from")
        log.info("%d of %d rounded training events can be learned from", len(learn) // 2, len(many))
        about = {"largest": largest, "events": len(train)}
        write_text(directory / "about.json", json.dumps(about) + "\n")

        done = directory / "nuclei" / "weights.pt"
        if done.exists():
            model.load_state_dict(read_weights(done))
        else:
            first = NucleiLikelihood(model, self.count_options, learn, ask, self.seed)
            run_training(first, done.parent, device=self.device, title=f"{self.title}: nuclei")
        for part in (model.fragments, model.scale):
            part.requires_grad_(False)

        def sample(network: CollisionFlow) -> Collisions:
            return self._drawn(network, asked.entrance, np.random.default_rng(0))

        task = CollisionMatching(model, self.options, learn, asked, sample, self.seed)
        run_training(task, directory, device=self.device, title=self.title)
        self.model = ready(model, self.device)

    def restore(self, directory: Path) -> None:
        """Be what ``fit`` left in ``directory``.

        Raises:
            BadInput: the directory does not hold such a model.
        """
        with restoring(directory):
            about = json.loads((directory / "about.json").read_text())
            model = CollisionFlow(int(about["largest"]), *self.shape)
            model.load_state_dict(read_weights(directory / "weights.pt"))
        self.model = ready(model, self.device)

    def sample(self, condition: Entrance, rng: np.random.Generator) -> Collisions:
        """One event for every entry of ``condition``.

        Raises:
            BadInput: nuclei heavier than those of the training, or events that find no solution.
        """
        assert self.model is not None
        heaviest = int((condition.projectile + condition.target)[:, 0].max(initial=0))
        if heaviest > self.model.largest:
            raise BadInput(f"A = {heaviest} of both nuclei: the training has at most {self.model.largest}")
        return self._drawn(self.model, condition, rng)

    def _drawn(self, model: CollisionFlow, entrance: Entrance, rng: np.random.Generator) -> Collisions:
        """Events; those without a solution are drawn again.

        Raises:
            BadInput: events without a solution after TRIES.
        """
        condition = condition_of(entrance)
        parts: list[Collisions] = []
        places: list[NDArray[np.int64]] = []
        left = np.arange(len(entrance))
        A = Z = torch.zeros(0, 0, dtype=torch.long)
        for attempt in range(TRIES):
            if attempt == 0 or attempt >= SAME_NUCLEI:
                uniform = torch.from_numpy(rng.random((len(left), model.uniforms)))
                with torch.inference_mode():
                    A, Z = (
                        one.cpu() for one in model.draw_nuclei(condition[left].to(self.device), uniform.to(self.device))
                    )
            failed = []
            last = 1 + torch.where(A > 0, torch.arange(A.shape[1]), SLOTS - 1).amax(1).numpy()
            for rows in groups(last):
                most = int(last[rows].max())
                normal = torch.from_numpy(rng.standard_normal((len(rows), most, 4), dtype=np.float32))
                given = condition[left[rows]], A[rows, :most], Z[rows, :most], normal
                with torch.inference_mode():
                    answer = model.momenta(*(one.to(self.device) for one in given))
                momentum, excitation, stretch, solved = (one.cpu().numpy() for one in answer)
                if attempt >= PATIENCE:
                    solved = stretch > 0
                good = np.flatnonzero(solved)
                places.append(left[rows[good]])
                found = (A[rows, :most].numpy()[good], Z[rows, :most].numpy()[good], momentum[good], excitation[good])
                parts.append(events_of(entrance.ordered(left[rows[good]]), *found))
                failed.append(rows[~solved])
            again = np.sort(np.concatenate(failed)) if failed else np.zeros(0, np.int64)
            left, A, Z = left[again], A[again], Z[again]
            if not len(left):
                break
        else:
            many = f"{len(left)} of {len(entrance)} events"
            raise BadInput(f"{many} found no solution in {TRIES} tries: give a higher energy, or train it longer")
        if not parts:
            return events_of(entrance, *(np.zeros((0, 1, *more)) for more in ((), (), (3,), ())))
        return joined(parts).ordered(np.argsort(np.concatenate(places), kind="stable"))


def groups(number: NDArray[np.int64]) -> Sequence[NDArray[np.int64]]:
    """Rows of events of similar numbers of slots, at most GROUP slots in each.

    Args:
        number: slots of each event (event,).
    """
    order = np.argsort(-number, kind="stable")
    found, first = [], 0
    while first < len(order):
        size = max(GROUP // int(number[order[first]]), 1)
        found.append(order[first : first + size])
        first += size
    return found


def events_of(
    entrance: Entrance,
    A: NDArray[np.int64], Z: NDArray[np.int64], momentum: NDArray[np.float64], excitation: NDArray[np.float64],
) -> Collisions:  # fmt: skip
    """Events of padded nuclei.

    Args:
        entrance: conditions (event,).
        A: (event, slot), 0 for what is empty.
        Z: (event, slot).
        momentum: (event, slot, 3).
        excitation: (event, slot).
    """
    there = A > 0
    return Collisions(
        entrance, there.sum(axis=1), A[there].astype(np.int64), Z[there].astype(np.int64), momentum[there],
        excitation[there],
    )  # fmt: skip


def condition_of(entrance: Entrance) -> Tensor:
    """What the networks know of conditions (event, 6), float64.

    Args:
        entrance: (event,).
    """
    columns = [entrance.projectile, entrance.target, entrance.energy[:, None], entrance.impact_parameter[:, None]]
    return torch.from_numpy(np.concatenate(columns, axis=1).astype(np.float64))


def repeated(events: Collisions, times: int, rng: np.random.Generator) -> Collisions:
    """Each event so often: rounded anew each time if it was simulated, else the same.

    Args:
        events: what to repeat.
        times: how often.
        rng: what is random.
    """
    if events.simulated is None:
        return joined([events] * times)
    simulated = events.simulated
    return joined([events, *(rounded(events.entrance, simulated, rng) for _ in range(times - 1))])


def states_of(events: Collisions, *, both_ways: bool) -> CollisionStates:
    """Events as the networks learn from them; those with too many fragments, or unusual charges, are left out.

    Args:
        events: whole nuclei.
        both_ways: each a second time, with projectile and target exchanged.
    """
    from cloudchamber.learning.collision_matching import CollisionStates, concatenated

    entrance = events.entrance
    padded = _padded(events)
    swapped = Entrance(entrance.target, entrance.projectile, entrance.energy, entrance.impact_parameter)
    turn = np.array([-1.0, 1.0, -1.0])
    ways = [(entrance, padded, np.ones(3))] + ([(swapped, padded, turn)] if both_ways else [])
    parts = []
    for conditions, (A, Z, momentum, excitation), sign in ways:
        p = momentum * sign
        # fragments first, the most forward first; then neutrons, then protons
        order = np.lexsort((-p[..., 2], np.where(A > 1, 0, np.where(A == 1, 1 + Z, 9))), axis=1)
        columns = [np.take_along_axis(one, order, axis=1) for one in (A, Z, excitation)]
        p = np.take_along_axis(p, order[..., None], axis=1)
        number, nucleons = (columns[0] > 1).sum(axis=1), (columns[0] == 1).sum(axis=1)
        kept = (number <= SLOTS) & _ordinary(conditions, A, Z)
        slots = SLOTS + int(nucleons[kept].max(initial=0))
        place = np.concatenate([np.arange(SLOTS), np.arange(slots - SLOTS)])
        gas = np.arange(slots) >= SLOTS
        source = np.where(gas, number[:, None] + place, place)
        there = np.where(gas, place < nucleons[:, None], place < number[:, None])
        source = np.where(there, np.minimum(source, A.shape[1] - 1), 0)
        A2, Z2, E2 = (np.where(there, np.take_along_axis(one, source, axis=1), 0)[kept] for one in columns)
        p2 = np.where(there[..., None], np.take_along_axis(p, source[..., None], axis=1), 0.0)[kept]
        tensors = (torch.from_numpy(np.ascontiguousarray(one)) for one in (A2, Z2, p2, E2))
        parts.append(CollisionStates(condition_of(conditions)[kept], *tensors))
    return concatenated(parts)


def _padded(events: Collisions) -> tuple[NDArray[Any], ...]:
    """A, Z, momentum and excitation (event, slot, ...), empty slots 0."""
    most = int(events.nuclei.max())
    slot = np.arange(len(events.A)) - events.offsets[events.event_of]
    found = []
    for flat in (events.A, events.Z, events.momentum, events.excitation):
        one = np.zeros((len(events), most, *flat.shape[1:]), flat.dtype)
        one[events.event_of, slot] = flat
        found.append(one)
    return tuple(found)


def _ordinary(entrance: Entrance, A: NDArray[np.int64], Z: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the charges of all fragments (event,) are among those that the networks can draw."""
    total = entrance.projectile + entrance.target
    likely = np.floor(A * (total[:, 1] / total[:, 0])[:, None] + 0.5)
    return np.asarray(np.all((A < 2) | (np.abs(Z - likely) <= OFFSETS), axis=1))
