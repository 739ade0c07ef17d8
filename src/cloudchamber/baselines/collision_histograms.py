"""Collisions from histograms in bins of the impact parameter: every quantity is drawn by itself.

How many fragments there are has one histogram in each bin of b. For each number of fragments and each place in the
order of p_z, A, Z/A, the components of the momentum and E*/A have histograms of their own; so have modulus, polar angle
and azimuth of the gas particles. What is drawn independently is closed to a whole event of the right A, Z, momentum and
energy (``simulators.transport.whole_numbers``). So the mean behaviour with b is right, and correlations are what b and
conservation make of them.

A channel of LEAST_EVENTS training events has histograms of its own; others have those of all events of their nuclei at
all energies, momenta in units of the momentum before the collision. Collisions with projectile and target exchanged
count as well, turned. Bins of b in which nothing was seen take the nearest in which something was.

Conventions: common rest frame, the beam along +z, the projectile displaced to +x; fm, MeV, MeV/c.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.baselines.collision_resampling import (
    EXCHANGE,
    checked,
    gathered,
    needed,
    unreachable,
    untrained,
)
from cloudchamber.baselines.files import load_arrays, save_arrays
from cloudchamber.data.collisions import Collisions, Entrance, Simulated
from cloudchamber.schema import Arrays
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.whole_numbers import Nuclei, whole_nuclei

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

WIDTH, HIGHEST = 0.5, 10.0
"""Of bins of the impact parameter, and where they end [fm]; beyond is the last bin."""
BINS = 100
"""Of each histogram."""
MOST = 4
"""Fragments of an event, at most; of more, the heaviest."""
FRAGMENT = ((-0.005, 0.995), (-0.005, 0.995), (-1.5, 1.5), (-1.5, 1.5), (-1.5, 1.5), (0.0, 12.0))
"""Ranges of A over that of both nuclei, Z/A, p_x, p_y, p_z (per nucleon over the beam's), E*/A [MeV]: a half, as of
whole carbon nuclei, is the middle of a bin."""
PARTICLE = ((0.0, 3.0), (-1.0, 1.0), (-np.pi, np.pi))
"""Ranges of the modulus of the momentum (over the beam's), of cos(theta) and of the azimuth of gas particles."""
LEAST_EVENTS = 200
"""Training events that a channel needs for histograms of its own."""
GAS = 200
"""Gas particles that are drawn, for the nucleons to be drawn from."""
TRIES = 100
"""Draws until the energy suffices for the masses."""

FILE = "collision_histograms.npz"
NAMES = ("projectile", "target", "energy", "number", "fragment", "particle", "species")


class CollisionHistograms:
    """Fills histograms and draws from them; see the module."""

    title = "histograms in bins of b"
    kind = "baseline"

    def __init__(self) -> None:
        self.state: Arrays = {}

    def fit(self, train: Collisions, validation: Collisions, directory: Path) -> None:  # noqa: ARG002
        """Fill the histograms; the validation events are not needed. Writes ``collision_histograms.npz``.

        Raises:
            BadInput: no training events, or only their whole nuclei.
        """
        needed(train)
        entrance = train.entrance
        nuclei = np.column_stack([entrance.projectile, entrance.target])
        found: dict[str, list[Any]] = {name: [] for name in NAMES}
        for pair in np.unique(np.concatenate([nuclei, np.roll(nuclei, 2, axis=1)]), axis=0):
            one, other = ((nuclei == p).all(axis=1) for p in (pair, np.roll(pair, 2)))
            for energy in (0.0, *np.unique(entrance.energy[one | other])):
                own = one if energy == 0 else one & (entrance.energy == energy)
                turned = other if energy == 0 else other & (entrance.energy == energy)
                if energy and (own | turned).sum() < LEAST_EVENTS:
                    continue
                filled = filled_histograms(train, np.flatnonzero(own), np.flatnonzero(turned))
                for name, value in zip(NAMES, (pair[:2], pair[2:], energy, *filled), strict=True):
                    found[name].append(value)
        self.state = {name: np.stack(values) for name, values in found.items()}
        save_arrays(directory / FILE, self.state)

    def restore(self, directory: Path) -> None:
        """Read ``collision_histograms.npz``.

        Raises:
            BadInput: no such file, or not one of ours.
        """
        self.state = checked(load_arrays(directory / FILE), NAMES, directory / FILE)

    def sample(self, condition: Entrance, rng: np.random.Generator) -> Collisions:
        """One event for every entry of ``condition``.

        Raises:
            BadInput: nuclei that were not trained on, or an energy that no event can be moved to.
        """
        channels, number = condition.channels
        groups = [self._group(channel) for channel in channels]
        made = []
        for b, place in zip(condition.impact_parameter, number, strict=True):
            seen = np.flatnonzero(self.state["number"][groups[place]].sum(axis=1))
            near = int(seen[np.abs(seen - bin_of(np.array([b]))[0]).argmin()])
            made.append(self._drawn(groups[place], near, channels[place], rng))
        return gathered(condition, made)

    def _group(self, channel: EntranceChannel) -> int:
        """Which histograms a channel has."""
        projectile, target = self.state["projectile"], self.state["target"]
        same = (projectile == channel.projectile).all(axis=1) & (target == channel.target).all(axis=1)
        rows = np.flatnonzero(same & np.isin(self.state["energy"], (0.0, channel.energy)))
        if not len(rows):
            raise untrained(channel, projectile, target)
        return int(rows[-1])  # its own stand behind those of all energies

    def _drawn(self, group: int, near: int, channel: EntranceChannel, rng: np.random.Generator) -> Nuclei:
        """A whole event of one bin of b."""
        number, fragment, particle = (self.state[name][group, near] for name in ("number", "fragment", "particle"))
        protons = self.state["species"][group, near]
        per_nucleon = channel.momentum / channel.projectile[0]
        count = number.cumsum()
        for _ in range(TRIES):
            k = int(np.searchsorted(count, rng.integers(count[-1]), side="right"))
            slots = fragment[slot(k, 0) : slot(k, 0) + k]
            A, ratio, *momentum, hot = (drawn(slots[:, i], FRAGMENT[i], 1, rng)[:, 0] for i in range(len(FRAGMENT)))
            A = np.maximum(A * channel.nucleons, 1.0)
            Z = at_most(np.clip(ratio, 0.0, 1.0) * A, channel.protons)
            A = Z + at_most(A - Z, channel.nucleons - channel.protons)
            p, cos, azimuth = (drawn(particle[i : i + 1], PARTICLE[i], GAS, rng)[0] for i in range(len(PARTICLE)))
            sin = np.sqrt(1 - cos**2)
            gas = p[:, None] * np.stack([sin * np.cos(azimuth), sin * np.sin(azimuth), cos], axis=1)
            proton = rng.random(GAS) * max(protons.sum(), 1) < protons[1]
            try:
                return whole_nuclei(
                    A, Z, np.stack(momentum, axis=1) * A[:, None] * per_nucleon, hot * A, gas * per_nucleon,
                    proton.astype(np.int8), channel, rng,
                )  # fmt: skip
            except ArithmeticError:
                continue
        raise unreachable(channel)


def at_most(numbers: Floats, total: int) -> Floats:
    """The numbers (fragment,), all smaller by a factor if they are more than a total: independent draws may be.

    Args:
        numbers: not negative.
        total: of both nuclei.

    Examples:
        >>> at_most(np.array([6.0, 10.0]), 12), at_most(np.array([6.0, 2.0]), 12)
        (array([4.5, 7.5]), array([6., 2.]))
    """
    return np.asarray(numbers * min(1.0, total / max(float(numbers.sum()), 1e-9)))


def slot(fragments: int, place: int) -> int:
    """The number of the histograms of a fragment.

    Args:
        fragments: of its event.
        place: in the order of p_z, the fastest first.

    Examples:
        >>> [slot(k, i) for k in (1, 2, 3) for i in range(k)]
        [0, 1, 2, 3, 4, 5]
    """
    return fragments * (fragments - 1) // 2 + place


def bin_of(impact_parameter: Floats) -> Integers:
    """The bin of b (event,)."""
    return np.asarray(np.clip(impact_parameter / WIDTH, 0, HIGHEST / WIDTH - 1).astype(np.int64))


def drawn(counts: NDArray[Any], limits: tuple[float, float], number: int, rng: np.random.Generator) -> Floats:
    """Values (histogram, number) from histograms, uniform in each bin; from an empty one over all its range.

    Args:
        counts: (histogram, bin).
        limits: of all of them.
        number: of values of each.
        rng: what is random.
    """
    total = np.cumsum(counts + (counts.sum(axis=1, keepdims=True) == 0), axis=1, dtype=np.float64)
    height = rng.random((len(counts), number)) * total[:, -1:]
    place = (total[:, None, :] <= height[:, :, None]).sum(axis=2) + rng.random((len(counts), number))
    return np.asarray(limits[0] + place * (limits[1] - limits[0]) / counts.shape[1])


def filled_histograms(
    train: Collisions, own: Integers, turned: Integers
) -> tuple[Integers, NDArray[np.uint32], NDArray[np.uint32], Integers]:
    """Histograms of events of the same nuclei.

    Args:
        train: the events.
        own: which of them are meant.
        turned: those that count with projectile and target exchanged.

    Returns:
        Counts of numbers of fragments (b, number), of the fragments' quantities (b, slot, quantity, bin), of the gas'
        (b, quantity, bin), and of neutrons and protons in the gas (b, species).
    """
    simulated, bins = needed(train), round(HIGHEST / WIDTH)
    number = np.zeros((bins, MOST + 1), np.int64)
    fragment = np.zeros((bins, slot(MOST + 1, 0), len(FRAGMENT), BINS), np.uint32)
    particle = np.zeros((bins, len(PARTICLE), BINS), np.uint32)
    species = np.zeros((bins, 2), np.int64)
    in_bin = bin_of(train.entrance.impact_parameter)
    scale = train.entrance.of_channel(lambda channel: channel.momentum / channel.projectile[0])
    total = (train.entrance.projectile + train.entrance.target)[:, 0]
    for events, turn in ((own, np.ones(3)), (turned, EXCHANGE)):
        for event in events:
            near = in_bin[event]
            values = fragment_values(simulated, event, turn / scale[event], total[event])
            number[near, len(values)] += 1
            for place, one in enumerate(values):
                into = fragment[near, slot(len(values), place)]
                for quantity, value in enumerate(one):
                    count_into(into[quantity], value, FRAGMENT[quantity])
                count_into(into[3], -one[3], FRAGMENT[3])  # mirrored
            gas = slice(*simulated.first_particle[event : event + 2])
            species[near] += np.bincount(simulated.gas_species[gas], minlength=2)
            for quantity, some in enumerate(particle_values(simulated.gas_momentum[gas] * (turn / scale[event]))):
                count_into(particle[near, quantity], some, PARTICLE[quantity])
                if quantity == 2:
                    count_into(particle[near, quantity], -some, PARTICLE[quantity])  # mirrored
    return number, fragment, particle, species


def fragment_values(simulated: Simulated, event: int, scale: Floats, total: int) -> Floats:
    """(fragment, quantity) as in ``FRAGMENT``, the fastest along the beam first.

    Args:
        simulated: the events.
        event: one of them.
        scale: what momenta per nucleon are multiplied by (3,).
        total: nucleons of both nuclei.
    """
    own = np.arange(*simulated.first_fragment[event : event + 2])[:MOST]
    A, Z = simulated.A[own], simulated.Z[own]
    p = simulated.momentum[own] / A[:, None] * scale
    hot = np.maximum(simulated.excitation[own], 0.0)
    return np.column_stack([A / total, Z / A, p, hot / A])[np.argsort(-p[:, 2])]


def particle_values(momentum: Floats) -> Floats:
    """(quantity, particle) as in ``PARTICLE``.

    Args:
        momentum: (particle, 3) over the beam's.
    """
    p = np.linalg.norm(momentum, axis=1)
    return np.stack([p, momentum[:, 2] / np.maximum(p, 1e-12), np.arctan2(momentum[:, 1], momentum[:, 0])])


def count_into(counts: NDArray[np.uint32], values: NDArray[Any] | float, limits: tuple[float, float]) -> None:
    """Count values in a histogram (bin,); what is beyond its ends is in the first or last bin.

    Args:
        counts: changed.
        values: any shape.
        limits: of the histogram.
    """
    place = (np.asarray(values, np.float64) - limits[0]) / (limits[1] - limits[0]) * len(counts)
    np.add.at(counts, np.clip(place, 0, len(counts) - 1).astype(np.int64), 1)
