"""Events that were seen, once more: resampling at the nearest condition.

So gamma-ray and air-shower groups reuse libraries of simulated showers (e.g. Barberio et al., "Fast simulation of
electromagnetic showers in the ATLAS calorimeter: frozen showers", J. Phys. Conf. Ser. 160 (2009) 012082).

For every entry of the beam one of the training events with the same projectile and target and the nearest kinetic
energies, turned about the beam by a random azimuth and moved onto the wanted energy (``kinematics.project``). At a
condition that was trained on these are draws from the truth itself; what it costs is memory, and that nothing is new.

An event of another nucleus gives its heaviest residual the difference in charge and mass number (a residual that would
have none left is gone), or, if it has no residual, a spectator at rest. Where that is no nucleus that exists, another
event is drawn, ``TRIES`` times; after that, charge and baryon number are off by the difference. Strangeness is as the
training events have it. Energy and momentum are exact always.

Conventions: GeV; momenta are kept in the rest frame of projectile and nucleus, the projectile along z.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloudchamber.baselines.files import load_arrays, save_arrays
from cloudchamber.data.final_states import nucleons
from cloudchamber.schema import Arrays, BadInput
from cloudchamber.simulators.hadronic.events import Beam, Events, incoming_of, joined
from cloudchamber.simulators.hadronic.kinematics import from_rest, project, to_rest
from cloudchamber.simulators.hadronic.particles import NUCLEUS, conserved, masses, nucleus_code, nuclides

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NEIGHBOURS = 128
"""Training events among which one is drawn, those of equal energy not counted."""

TRIES = 50
"""Draws until the nucleus takes the difference and the energy suffices."""

FILE = "event_resampling.npz"


class EventResampling:
    """Keeps the training events and draws among them; see the module."""

    title = "resampling at the nearest condition"
    kind = "baseline"

    def __init__(self) -> None:
        self.state: Arrays = {}

    def fit(self, train: Events, validation: Events, directory: Path) -> None:  # noqa: ARG002
        """Keep the training events; the validation events are not needed. Writes ``event_resampling.npz``.

        Raises:
            BadInput: no training events.
        """
        if not len(train):
            raise BadInput("0 events: a baseline needs some")
        beam = train.beam
        events = train.ordered(np.lexsort((beam.kinetic_energy, beam.target, beam.projectile)))
        beam, owner = events.beam, events.event_of
        self.state = {
            "projectile": beam.projectile, "target": beam.target, "kinetic_energy": beam.kinetic_energy,
            "nucleus": events.nucleus, "channel": events.channel, "offsets": events.offsets, "kind": events.kind,
            "momentum": to_rest(events.momentum, events.incoming[owner], beam.direction[owner]),
        }  # fmt: skip
        save_arrays(directory / FILE, self.state)

    def restore(self, directory: Path) -> None:
        """Read ``event_resampling.npz``.

        Raises:
            BadInput: no such file, or not one of ours.
        """
        self.state = load_arrays(directory / FILE)

    def sample(self, condition: Beam, rng: np.random.Generator) -> Events:
        """One event for every entry of ``condition``.

        Raises:
            BadInput: a projectile that was not trained on, or an energy below the masses of all events nearby.
        """
        nucleus, incoming = incoming_of(condition)
        across = np.linalg.norm(incoming[:, 1:], axis=1)
        flow = across / np.sqrt(incoming[:, 0] ** 2 - across**2)
        low, high = self._neighbours(condition, nucleus)
        none = np.zeros((len(self.state["channel"]), 4))
        beam = Beam(self.state["projectile"], self.state["target"], self.state["kinetic_energy"], none[:, :3])
        rest = [self.state[name] for name in ("channel", "offsets", "kind", "momentum")]
        kept = Events(beam, self.state["nucleus"], none, *rest)

        def draw(rows: Integers) -> tuple[Events, NDArray[np.bool_]]:
            drawn = kept.ordered(rng.integers(low[rows], high[rows]))
            drawn, possible = of_nucleus(drawn, nucleus[rows], flow[rows])
            turned = turned_about_z(drawn.momentum[:, 1:], rng.uniform(0, 2 * np.pi, len(rows))[drawn.event_of])
            events, projected = placed(condition.take(rows), drawn.channel, drawn.offsets, drawn.kind, turned)
            return events, possible & projected

        if not len(condition):
            return kept.ordered(np.zeros(0, np.int64))
        events, good = until_good(draw, len(condition), TRIES)
        off = np.abs(events.sums(events.momentum) - incoming).max(axis=1) > 1e-6 * incoming[:, 0]
        if (off & ~good).any():
            worst = int(np.argmax(off & ~good))
            raise BadInput(
                f"no training event with projectile {condition.projectile[worst]} near"
                f" {condition.kinetic_energy[worst]:g} GeV can be moved to this energy: its masses need more"
            )
        return events

    def _neighbours(self, condition: Beam, nucleus: NDArray[np.int32]) -> tuple[Integers, Integers]:
        """First and stop (entry,) of the training events among which each entry's is drawn."""
        low, high = np.zeros(len(condition), np.int64), np.zeros(len(condition), np.int64)
        pairs = np.stack([condition.projectile, condition.target, nucleus], axis=1)
        for projectile, target, code in np.unique(pairs, axis=0).tolist():
            trained = np.flatnonzero(self.state["projectile"] == projectile)
            if not len(trained):
                known = ", ".join(map(str, np.unique(self.state["projectile"])))
                raise BadInput(f"no training event with projectile {projectile}: there are those of {known}")
            size = np.maximum(nucleons(self.state["nucleus"][trained]), 1)
            away = np.abs(size - max(int(nucleons(np.array([code]))[0]), 1))
            nearest = trained[away == away.min()]
            entries = np.flatnonzero((condition.projectile == projectile) & (condition.target == target))
            nearest = nearest[self.state["target"][nearest] == self.state["target"][nearest[0]]]
            first, stop = nearest_in(
                np.log(self.state["kinetic_energy"][nearest]), np.log(condition.kinetic_energy[entries])
            )
            low[entries], high[entries] = nearest[0] + first, nearest[0] + stop
        return low, high


def nearest_in(known: Floats, wanted: Floats) -> tuple[Integers, Integers]:
    """First and stop (entry,) of the ``NEIGHBOURS`` values of ``known`` nearest to each of ``wanted``.

    Those equal to them are taken too.

    Args:
        known: (value,), ascending.
        wanted: (entry,).
    """
    number = min(NEIGHBOURS, len(known))
    first = np.searchsorted(known, wanted)[:, None] - np.arange(number + 1)
    first = np.clip(first, 0, len(known) - number)
    reach = np.maximum(wanted[:, None] - known[first], known[first + number - 1] - wanted[:, None])
    first = first[np.arange(len(wanted)), reach.argmin(axis=1)]
    return np.searchsorted(known, known[first]), np.searchsorted(known, known[first + number - 1], side="right")


def turned_about_z(momentum: Floats, angle: Floats) -> Floats:
    """Momenta (particle, 3) turned by ``angle`` (particle,)."""
    x, y, z = momentum.T
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=1)


def of_nucleus(events: Events, nucleus: NDArray[np.int32], flow: Floats) -> tuple[Events, NDArray[np.bool_]]:
    """Events as if another nucleus had been struck: the heaviest residual, or a new spectator, takes the difference.

    Args:
        events: in the rest frame of projectile and nucleus.
        nucleus: PDG code of what is to be struck (event,).
        flow: gamma beta of the rest frame in the laboratory (event,): the spectator rests there.

    Returns:
        The events, and where that is possible (event,); an event where it is not is as it was.
    """
    difference = (conserved(nucleus) - conserved(events.nucleus))[:, :2]
    if not difference.any():
        return events, np.ones(len(events), np.bool_)
    last = heaviest(events)
    residual = events.kind[last] >= NUCLEUS
    numbers = difference + np.where(residual[:, None], conserved(events.kind[last])[:, :2], 0)
    charge, baryons = np.clip(numbers.T, 0, np.array(nuclides().shape)[:, None] - 1)
    gone = (numbers == 0).all(axis=1)
    possible = gone | ((numbers >= 0).all(axis=1) & nuclides()[charge, baryons])
    codes = nucleus_codes(charge, baryons)

    changed = possible & difference.any(axis=1)
    kind, momentum, offsets = events.kind.copy(), events.momentum, events.offsets
    takes = changed & residual
    shifted = kind[last] + 10_000 * difference[:, 0] + 10 * difference[:, 1]  # hyperons stay
    kind[last[takes]] = np.where(baryons > 1, shifted, codes)[takes]
    lost, new = last[takes & gone], np.flatnonzero(changed & ~residual & ~gone)
    count = events.count - (takes & gone)
    count[new] += 1
    spectator = np.zeros((len(new), 4))
    spectator[:, 3] = -masses(codes[new]) * flow[new]
    kind = np.delete(np.insert(kind, offsets[new + 1], codes[new]), _after(lost, offsets[new + 1]))
    momentum = np.delete(
        np.insert(momentum, offsets[new + 1], spectator, axis=0), _after(lost, offsets[new + 1]), axis=0
    )
    offsets = np.concatenate([[0], np.cumsum(count)])
    return replace(events, offsets=offsets, kind=kind, momentum=momentum), possible


def heaviest(events: Events) -> Integers:
    """The particle (event,) of the largest code: the heaviest nucleus of an event that has one."""
    order = np.lexsort((events.kind, events.event_of))
    return np.asarray(order[events.offsets[1:] - 1])


def nucleus_codes(charge: Integers, baryons: Integers) -> NDArray[np.int32]:
    """PDG codes of nuclei and nucleons (particle,)."""
    pairs = zip(charge.tolist(), baryons.tolist(), strict=True)
    return np.array([nucleus_code(*pair) for pair in pairs], np.int32)


def _after(rows: Integers, inserted: Integers) -> Integers:
    """Where ``rows`` are once something has been inserted before each of the rows ``inserted`` (ascending)."""
    return rows + np.searchsorted(inserted, rows, side="right")


def placed(
    condition: Beam, channel: NDArray[np.uint8], offsets: Integers, kind: NDArray[np.int32], momentum: Floats
) -> tuple[Events, NDArray[np.bool_]]:
    """Final states put on the total four-momentum of their beam.

    Args:
        condition: the beam (event).
        channel: (event,), as in ``Events``.
        offsets: (event + 1,), as in ``Events``.
        kind: (particle,), as in ``Events``.
        momentum: px, py, pz (particle, 3) in the rest frame of projectile and nucleus, the projectile along z.

    Returns:
        The events in the laboratory, and which could be put there (event,).
    """
    nucleus, incoming = incoming_of(condition)
    s = np.sqrt(incoming[:, 0] ** 2 - (incoming[:, 1:] ** 2).sum(axis=1))
    moved, _, good = project(momentum, masses(kind), offsets, s)
    owner = np.repeat(np.arange(len(condition)), np.diff(offsets))
    moved = from_rest(moved, incoming[owner], condition.direction[owner])
    return Events(condition, nucleus, incoming, channel, offsets, kind, moved), good


def until_good(
    draw: Callable[[Integers], tuple[Events, NDArray[np.bool_]]], number: int, tries: int
) -> tuple[Events, NDArray[np.bool_]]:
    """Events (number) from ``draw``, which gets the entries that are wanted and says which of them came out well.

    What did not is drawn again, ``tries`` times in all; the second of what is returned says where even that was in vain
    and the last draw stands.
    """
    left, parts, rows = np.arange(number), [], []
    for attempt in range(tries):
        events, good = draw(left)
        taken = good | (attempt == tries - 1)
        parts.append(events.part(taken))
        rows.append(left[taken])
        left = left[~good]
        if not len(left):
            break
    well = np.ones(number, np.bool_)
    well[left] = False
    return joined(parts).ordered(np.argsort(np.concatenate(rows))), well
