"""Collisions that were seen, once more: resampling of the training events at the nearest condition.

For each condition one of the training events of the same nuclei nearest in impact parameter and energy, rounded
to whole nuclei anew (``simulators.transport.whole_numbers``), mirrored, and with projectile and target exchanged, where
they may be. From another energy momenta are scaled as the momentum before the collision is; A, Z, momentum and energy
are exact always. At a condition that was trained on these are draws from the truth itself; what it costs is memory, and
that nothing is new.

Conventions: common rest frame, the beam along +z, the projectile displaced to +x; fm, MeV, MeV/c.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.baselines.files import load_arrays, save_arrays
from cloudchamber.data.collisions import Collisions, Entrance, Simulated
from cloudchamber.schema import Arrays, BadInput
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.whole_numbers import Nuclei, whole_nuclei

Floats = NDArray[np.float64]

GAS = 200
"""Gas particles that are kept of an event."""

REACH = 0.1
"""Events that are not farther than the nearest by more than this are as good: fm, and see ``ENERGY_SCALE``."""

ENERGY_SCALE = 0.5
"""A difference of the logarithms of energies of this counts as 1 fm."""

TRIES = 20
"""Training events that are tried if the energy does not suffice for the masses of one."""

EXCHANGE = np.array([-1.0, 1.0, -1.0])
"""Turns momenta so that the target comes along +z, displaced to +x."""

FILE = "collision_resampling.npz"
CONDITIONS = ("projectile", "target", "energy", "impact_parameter")
FRAGMENTS = ("fragments", "A", "Z", "momentum", "excitation")
PARTICLES = ("gas", "gas_species", "gas_momentum")


class CollisionResampling:
    """Keeps the training events and draws among them; see the module."""

    title = "resampling at the nearest condition"
    kind = "baseline"

    def __init__(self) -> None:
        self.state: Arrays = {}

    def fit(self, train: Collisions, validation: Collisions, directory: Path) -> None:  # noqa: ARG002
        """Keep the training events; the validation events are not needed. Writes ``collision_resampling.npz``.

        Raises:
            BadInput: no training events, or only their whole nuclei.
        """
        simulated = needed(train)
        kept = thinned_gas(simulated, np.random.default_rng(0))
        self.state = {name: getattr(train.entrance, name) for name in CONDITIONS}
        self.state |= {name: getattr(simulated, name) for name in FRAGMENTS}
        self.state |= {
            "gas": np.minimum(simulated.gas, GAS), "gas_species": simulated.gas_species[kept],
            "gas_momentum": simulated.gas_momentum[kept],
        }  # fmt: skip
        save_arrays(directory / FILE, self.state)

    def restore(self, directory: Path) -> None:
        """Read ``collision_resampling.npz``.

        Raises:
            BadInput: no such file, or not one of ours.
        """
        self.state = checked(load_arrays(directory / FILE), (*CONDITIONS, *FRAGMENTS, *PARTICLES), directory / FILE)

    def sample(self, condition: Entrance, rng: np.random.Generator) -> Collisions:
        """One event for every entry of ``condition``.

        Raises:
            BadInput: nuclei that were not trained on, or an energy that no event nearby can be moved to.
        """
        first = [np.concatenate([[0], np.cumsum(self.state[name])]) for name in ("fragments", "gas")]
        channels, number = condition.channels
        candidates = [self._candidates(channel) for channel in channels]
        made = []
        for b, place in zip(condition.impact_parameter, number, strict=True):
            channel, (events, exchanged) = channels[place], candidates[place]
            away = np.hypot(
                self.state["impact_parameter"][events] - b,
                np.log(self.state["energy"][events] / channel.energy) / ENERGY_SCALE,
            )
            order = np.argsort(away, kind="stable")
            near = int((away <= away.min() + REACH).sum())
            tried = np.concatenate([rng.permutation(order[:near]), order[near:]])[:TRIES]
            chosen = [(int(events[one]), bool(exchanged[one])) for one in tried]
            made.append(self._again(chosen, channel, first, rng))
        return gathered(condition, made)

    def _candidates(self, channel: EntranceChannel) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Events of the same nuclei (candidate,), and whether projectile and target are to be exchanged."""
        projectile, target = self.state["projectile"], self.state["target"]
        straight = (projectile == channel.projectile).all(axis=1) & (target == channel.target).all(axis=1)
        turned = (target == channel.projectile).all(axis=1) & (projectile == channel.target).all(axis=1)
        if not (straight.any() or turned.any()):
            raise untrained(channel, projectile, target)
        events = [np.flatnonzero(straight), np.flatnonzero(turned)]
        return np.concatenate(events), np.repeat([False, True], [len(events[0]), len(events[1])])

    def _again(
        self, chosen: list[tuple[int, bool]], channel: EntranceChannel, first: list[NDArray[np.int64]],
        rng: np.random.Generator,
    ) -> Nuclei:  # fmt: skip
        """The first of the ``chosen`` training events, and whether to exchange them, that can be moved to a channel."""
        for event, exchange in chosen:
            own, gas = (slice(*offsets[event : event + 2]) for offsets in first)
            trained = EntranceChannel(
                tuple(self.state["projectile"][event].tolist()), tuple(self.state["target"][event].tolist()),
                float(self.state["energy"][event]),
            )  # fmt: skip
            turn = (EXCHANGE if exchange else 1.0) * np.array([1.0, rng.choice([-1.0, 1.0]), 1.0])
            turn *= channel.momentum / trained.momentum
            try:
                return whole_nuclei(
                    self.state["A"][own], self.state["Z"][own], self.state["momentum"][own] * turn,
                    self.state["excitation"][own], self.state["gas_momentum"][gas].astype(np.float64) * turn,
                    self.state["gas_species"][gas].astype(np.int8), channel, rng,
                )  # fmt: skip
            except ArithmeticError:
                continue
        raise unreachable(channel)


def needed(train: Collisions) -> Simulated:
    """What the training events were rounded from.

    Raises:
        BadInput: there are none, or only their whole nuclei.
    """
    if not len(train):
        raise BadInput("0 events: a baseline needs some")
    if train.simulated is None:
        raise BadInput("the training events are whole nuclei only: give events as the transport simulator leaves them")
    return train.simulated


def thinned_gas(simulated: Simulated, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of at most GAS gas particles of each event, in their order.

    Args:
        simulated: the events.
        rng: of the choice.
    """
    event = np.repeat(np.arange(len(simulated)), simulated.gas)
    order = np.lexsort((rng.random(len(event)), event))
    place = np.arange(len(event)) - simulated.first_particle[event]
    return np.asarray(np.sort(order[place < GAS]))


def gathered(condition: Entrance, nuclei: Sequence[Nuclei]) -> Collisions:
    """Events of one set of whole nuclei for each entry of a condition.

    Args:
        condition: (event,).
        nuclei: of each event.
    """

    def column(name: str, *shape: int) -> NDArray[Any]:
        empty = np.zeros((0, *shape), np.int64 if name in ("A", "Z") else np.float64)
        return np.concatenate([empty, *(getattr(one, name) for one in nuclei)])

    count = np.array([len(one.A) for one in nuclei], np.int64)
    return Collisions(condition, count, column("A"), column("Z"), column("momentum", 3), column("excitation"))


def checked(arrays: Arrays, names: Sequence[str], path: Path) -> Arrays:
    """The arrays of a baseline's file.

    Args:
        arrays: what was read.
        names: that must be there, no fewer and no more.
        path: of the file.

    Raises:
        BadInput: other arrays.
    """
    if set(arrays) != set(names):
        raise BadInput(f"{path} holds no fitted baseline (other arrays than {', '.join(names)}): fit it again")
    return arrays


def untrained(channel: EntranceChannel, projectile: NDArray[Any], target: NDArray[Any]) -> BadInput:
    """The error for nuclei that were not trained on.

    Args:
        channel: that was asked for.
        projectile: trained ones (event, 2).
        target: trained ones (event, 2).
    """
    pairs = np.unique(np.column_stack([projectile, target]), axis=0).tolist()
    known = "; ".join(f"A = {a}, Z = {z} on A = {c}, Z = {d}" for a, z, c, d in pairs)
    (a, z), (c, d) = channel.projectile, channel.target
    return BadInput(f"no training event of A = {a}, Z = {z} on A = {c}, Z = {d}: there are those of {known}")


def unreachable(channel: EntranceChannel) -> BadInput:
    """The error for an energy that does not suffice for what was trained on.

    Args:
        channel: that was asked for.
    """
    return BadInput(
        f"no event can be moved to {channel.energy:g} MeV per nucleon: give an energy nearer to those of the training"
    )
