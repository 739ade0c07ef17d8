"""The simulator again: other events of the simulator than those of the test, the floor of every distance.

Transport is too slow to simulate the events of a test once more; the validation events were simulated just so and are
about as many. Each condition gets a validation event of its channel with nearly its impact parameter, none of them
twice: an assignment (Kuhn, Nav. Res. Logist. Q. 2 (1955) 83). For conditions that are left without one within ``REACH``
training events are assigned in the same way: they are other events than those of the test, too. What is still left, in
channels of few events and where many events of one condition are wanted, gets one of the nearest, which repeats. An
energy at which there are none of its nuclei takes those of the nearest one, moved: no floor, but small sets need it.

A classifier that is told the impact parameter would tell 0.2 fm, which is why the nearest events must be near.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloudchamber.baselines.collision_resampling import checked, gathered, unreachable, untrained
from cloudchamber.baselines.files import load_arrays, save_arrays
from cloudchamber.data.collisions import Collisions, Entrance, arrays_of, joined
from cloudchamber.schema import Arrays, BadInput
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.whole_numbers import whole_nuclei

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

REACH = 0.1
"""fm from a condition to the event that is assigned to it, at most; and by which others are as good as the nearest."""

FILE = "validation_again.npz"
NAMES = ("projectile", "target", "energy", "impact_parameter", "nuclei", "A", "Z", "momentum", "excitation", "first")


class ValidationAgain:
    """Keeps validation and training events and hands them out; see the module."""

    title = "simulator again"
    kind = "floor"

    def __init__(self) -> None:
        self.state: Arrays = {}

    def fit(self, train: Collisions, validation: Collisions, directory: Path) -> None:
        """Keep the events. Writes ``validation_again.npz``.

        Raises:
            BadInput: no validation events.
        """
        if not len(validation):
            raise BadInput("0 validation events: the floor needs some")
        self.state = {**arrays_of(joined([validation, train])), "first": np.array([len(validation)])}
        save_arrays(directory / FILE, self.state)

    def restore(self, directory: Path) -> None:
        """Read ``validation_again.npz``.

        Raises:
            BadInput: no such file, or not one of ours.
        """
        self.state = checked(load_arrays(directory / FILE), NAMES, directory / FILE)

    def sample(self, condition: Entrance, rng: np.random.Generator) -> Collisions:
        """One event for every entry of ``condition``.

        Raises:
            BadInput: nuclei of which there are no events, or an energy to which none can be moved.
        """
        state = self.state
        entrance = Entrance(*(state[name] for name in ("projectile", "target", "energy", "impact_parameter")))
        kept = Collisions(
            entrance, state["nuclei"], state["A"], state["Z"], state["momentum"], state["excitation"]
        )  # fmt: skip
        validation = np.arange(len(kept)) < state["first"][0]
        channels, number = condition.channels
        known, known_number = entrance.channels
        parts, order = [], []
        for place, channel in enumerate(channels):
            same = [one for one in known if (one.projectile, one.target) == (channel.projectile, channel.target)]
            if not same:
                raise untrained(channel, entrance.projectile, entrance.target)
            nearest = min(same, key=lambda one: abs(one.energy - channel.energy))
            asked, rows = np.flatnonzero(number == place), np.flatnonzero(known_number == known.index(nearest))
            chosen = assigned(condition.impact_parameter[asked], entrance.impact_parameter[rows], validation[rows], rng)
            events = replace(kept.ordered(rows[chosen]), entrance=condition.ordered(asked))
            parts.append(events if nearest == channel else moved(events, nearest, channel, rng))
            order.append(asked)
        if not parts:
            return kept.ordered(np.zeros(0, np.int64))
        return replace(joined(parts).ordered(np.argsort(np.concatenate(order))), entrance=condition)


def moved(events: Collisions, known: EntranceChannel, wanted: EntranceChannel, rng: np.random.Generator) -> Collisions:
    """Events of a channel at another energy: momenta scaled as those of the beam, then closed.

    Args:
        events: with the conditions that are wanted.
        known: channel in which they were simulated.
        wanted: the channel of their conditions.
        rng: of the closing.

    Raises:
        BadInput: the energy does not suffice for an event.
    """
    found, scale = [], wanted.momentum / known.momentum
    for event in range(len(events)):
        own = np.arange(*events.offsets[event : event + 2])
        free, bound = own[events.A[own] == 1], own[events.A[own] > 1]
        try:
            nuclei = whole_nuclei(
                events.A[bound].astype(np.float64), events.Z[bound].astype(np.float64), events.momentum[bound] * scale,
                events.excitation[bound], events.momentum[free] * scale, events.Z[free].astype(np.int8), wanted, rng,
            )  # fmt: skip
        except ArithmeticError:
            raise unreachable(wanted) from None
        found.append(nuclei)
    return gathered(events.entrance, found)


def assigned(wanted: Floats, known: Floats, first: NDArray[np.bool_], rng: np.random.Generator) -> Integers:
    """Which of the known values (wanted,) each wanted one gets, see the module.

    Args:
        wanted: impact parameters (wanted,) [fm].
        known: those of the events (known,) [fm].
        first: which of them are handed out once (known,).
        rng: which of equally near ones.
    """
    from scipy.optimize import linear_sum_assignment

    chosen = np.full(len(wanted), -1, np.int64)
    for pool in (np.flatnonzero(first), np.flatnonzero(~first)):
        left = rng.permutation(np.flatnonzero(chosen < 0))[: len(pool)]
        away = np.abs(wanted[left, None] - known[pool])
        # far ones cost alike, so that they drive no near ones apart
        rows, columns = linear_sum_assignment(np.minimum(away, 2 * REACH) ** 2)
        near = away[rows, columns] <= REACH
        chosen[left[rows[near]]] = pool[columns[near]]
    for one in np.flatnonzero(chosen < 0):
        distance = np.abs(known - wanted[one])
        chosen[one] = rng.choice(np.flatnonzero(distance <= distance.min() + REACH))
    return chosen
