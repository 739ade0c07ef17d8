"""Fluctuations of the occupation of phase space in a periodic box, against f (1 - f).

Napolitani and Colonna, PRC 96 (2017) 054609: by the Boltzmann-Langevin equation collisions alone bring the variance of
the occupation of each cell of volume h^3 to f (1 - f), and to f (1 - f) / N_test if single test particles collide.
Test particles have no spin, so that a cell of volume m h^3 has 2 m states of neutrons and as many of protons: each
state is filled or empty by itself, the number of neutrons has variance 2 m f (1 - f), their occupation, averaged over
the states, f (1 - f) / (2 m). Summed over a cell in which f varies that is 2 / h^3 times the integral of f (1 - f).
The number of neutrons and protons, momentum and energy of the box do not fluctuate: what they would contribute is
taken off (the projection of the cell on them, with the weight f (1 - f)).

A packet of N_test particles fills at least h^3 / 2 (both spins), in the shape of a ball in six dimensions: sigma_r
sigma_p is 0.4 hbar along an axis, less than any wave packet's. A cell of h^3 that does not know where packets will be
keeps about a ninth of one (``kept``), and its variance can reach that share of f (1 - f) only; cells that are large
against packets reach more. fm, fm/c, MeV, MeV/c.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.box import LENGTH, NUCLEONS, Gas, collide_gas, fermi_dirac, fermi_gas
from cloudchamber.simulators.transport.collisions import PACKET_MOMENTUM, PACKET_RADIUS
from cloudchamber.simulators.transport.equation_of_state import HBAR_C
from cloudchamber.simulators.transport.lattice import Floats
from cloudchamber.simulators.transport.pauli_blocking import H3

SIDES = 8
"""Momentum cells along an axis; the outermost ones are open."""
TIME_STEP, EVERY = 1.0, 20
"""Of collisions [fm/c], and steps between the moments at which cells are counted: matter has crossed some 6 fm."""
H = 2 * math.pi * HBAR_C
"""h [MeV fm]."""
SHELLS = np.arange(0.0, 620.0, 20.0)
"""Edges of abs(p) [MeV/c] for the mean occupation."""
PACKETS = 200
"""From which shares are taken: their mean is known to 2 %."""


@dataclass(frozen=True)
class Partition:
    """Cubic cells of phase space.

    Attributes:
        divisions: of the box along each axis.
        side: of the cells in momentum [MeV/c], with 0 an edge: 1000 makes octants, infinity one cell for all momenta.
    """

    divisions: int
    side: float

    @property
    def volume(self) -> float:
        """Of an inner cell [h^3]."""
        return (LENGTH / self.divisions * self.side / H) ** 3

    def cells(self, gas: Gas) -> NDArray[np.int64]:
        """The cell of each particle (species, momentum, place), one number."""
        k = np.clip(np.floor(gas.momentum / self.side) + SIDES // 2, 0, SIDES - 1).astype(np.int64)
        r = np.minimum(gas.position * (self.divisions / LENGTH), self.divisions - 1).astype(np.int64)
        momentum = (k[:, 0] * SIDES + k[:, 1]) * SIDES + k[:, 2]
        place = (r[:, 0] * self.divisions + r[:, 1]) * self.divisions + r[:, 2]
        cells: NDArray[np.int64] = (gas.species.astype(np.int64) * SIDES**3 + momentum) * self.divisions**3 + place
        return cells

    def count(self, gas: Gas, weight: Floats) -> Floats:
        """Sum of weights in all cells (species x momentum, place)."""
        shape = 2 * SIDES**3, self.divisions**3
        return np.bincount(self.cells(gas), weight, shape[0] * shape[1]).reshape(shape).astype(np.float64)


PARTITIONS = (
    Partition(4, H / 5), Partition(2, H / 10), Partition(2, H / 5), Partition(1, H / 5),
    Partition(4, 1000.0), Partition(2, 1000.0), Partition(1, 1000.0), Partition(4, math.inf), Partition(2, math.inf),
)  # fmt: skip
"""Two shapes of h^3 (5 fm by 248 MeV/c, 10 fm by 124 MeV/c), larger ones, octants of momentum, and space alone."""


@dataclass(frozen=True)
class Fluctuations:
    """What became of a Fermi gas, averaged over the times at which it was counted; errors take them as independent.

    Attributes:
        partitions: the kinds of cells.
        nucleons: (kind,) mean number of neutrons in a filled cell.
        ratio: (kind,) variance of the number of neutrons, or protons, summed over cells, over what f (1 - f) predicts.
        ratio_error: (kind,) standard error.
        kept: (kind,) the ratio expected of packets ("langevin"), or of test particles (1): ``packet_shares``.
        overfilled: (kind,) fraction of nucleons beyond the number of states of their cell; nan for open cells.
        momentum: (shell + 1,) edges of abs(p) [MeV/c].
        occupation: (shell,) mean f in the box.
        occupation_error: (shell,) standard error.
        equilibrium: (shell,) of Fermi and Dirac, at the beginning.
        collisions: accepted ones a nucleon takes part in, from the beginning to the end.
        attempted: those without blocking.
    """

    partitions: tuple[Partition, ...]
    nucleons: Floats
    ratio: Floats
    ratio_error: Floats
    kept: Floats
    overfilled: Floats
    momentum: Floats
    occupation: Floats
    occupation_error: Floats
    equilibrium: Floats
    collisions: float
    attempted: float

    def overfilling(self) -> tuple[float, float, float]:
        """By how much the largest mean f exceeds 1, the error of that, and the share of nucleons above f = 1."""
        states = np.diff(self.momentum**3)
        most = int(np.argmax(self.occupation))
        above = (states * np.maximum(self.occupation - 1, 0.0)).sum() / (states * self.occupation).sum()
        return float(self.occupation[most] - 1), float(self.occupation_error[most]), float(above)


def occupation_variance(
    langevin: bool, per_nucleon: int, temperature: float, warm_up: float, duration: float, seed: int,
    partitions: tuple[Partition, ...] = PARTITIONS,
) -> Fluctuations:  # fmt: skip
    """Let a Fermi gas collide with blocking, without a mean field, and compare its fluctuations with f (1 - f).

    At the beginning test particles are independent, each cell has the variance f / N_test. Collisions replace it; each
    nucleon should have had some.

    Args:
        langevin: packets of nucleons collide instead of test particles.
        per_nucleon: test particles a nucleon.
        temperature: [MeV]; at 15 a nucleon collides once in 30 fm/c.
        warm_up: when counting begins [fm/c].
        duration: when it ends [fm/c]; there must be at least two counts, every 20 fm/c.
        seed: of what is random.
        partitions: kinds of cells.
    """
    rng = np.random.default_rng(seed)
    gas = fermi_gas(temperature, per_nucleon, rng)
    times = np.arange(1, round(duration / TIME_STEP) + 1)
    counted = times[(times * TIME_STEP >= warm_up) & (times % EVERY == 0)]
    if len(counted) < 2 or temperature <= 0:
        raise BadInput(
            f"{len(counted)} counts at {temperature:g} MeV: at least two at a positive temperature are needed"
        )
    expected = [_expected(partition, gas, temperature, per_nucleon) for partition in partitions]
    kept = packet_shares(gas, per_nucleon, partitions, rng) if langevin else np.ones(len(partitions))
    counts: list[list[Floats]] = [[] for _ in partitions]
    shells: list[Floats] = []
    total = np.zeros(2)
    for step in times:
        total += collide_gas(gas, per_nucleon, langevin, True, TIME_STEP, rng)
        gas.drift(TIME_STEP)
        if step in counted:
            shells.append(_shells(gas, per_nucleon))
            for partition, numbers in zip(partitions, counts, strict=True):
                numbers.append(partition.count(gas, np.full(len(gas.species), 1 / per_nucleon)))
    rows = [_compare(*each) for each in zip(partitions, counts, expected, strict=True)]
    nucleons, ratio, error, overfilled = (np.array(column) for column in zip(*rows, strict=True))
    attempted, accepted = 2 * total / NUCLEONS / (1 if langevin else per_nucleon)
    middle = (SHELLS[1:] + SHELLS[:-1]) / 2
    return Fluctuations(
        partitions, nucleons, ratio, error, kept, overfilled, SHELLS, np.mean(shells, axis=0),
        np.std(shells, axis=0, ddof=1) / math.sqrt(len(shells)), fermi_dirac(middle, temperature), accepted, attempted,
    )  # fmt: skip


def packet_shares(gas: Gas, per_nucleon: int, partitions: tuple[Partition, ...], rng: np.random.Generator) -> Floats:
    """Sum over cells of the squared share of a packet that lies within, averaged over packets (kind,).

    Independent point-like nucleons give cells the variance of whole nucleons; nucleons spread as packets give them
    this share of it, where cells are small against the box. Streaming then takes packets apart, and cells in space
    alone keep less.

    Args:
        gas: where packets are: the N_test nearest like particles about a random one, in the metric of ``collisions``.
        per_nucleon: N_test.
        partitions: kinds of cells.
        rng: what is random.
    """
    cells = [partition.cells(gas) for partition in partitions]
    shares = np.zeros(len(partitions))
    of_kind = [np.flatnonzero(gas.species == q) for q in (0, 1)]
    for seed in rng.integers(len(gas.species), size=PACKETS):
        like = of_kind[gas.species[seed]]
        away = (gas.position[like] - gas.position[seed] + LENGTH / 2) % LENGTH - LENGTH / 2
        apart = gas.momentum[like] - gas.momentum[seed]
        distance = (away**2).sum(axis=1) / PACKET_RADIUS**2 + (apart**2).sum(axis=1) / PACKET_MOMENTUM**2
        members = like[np.argpartition(distance, per_nucleon - 1)[:per_nucleon]]
        for kind, cell in enumerate(cells):
            numbers = np.unique(cell[members], return_counts=True)[1]
            shares[kind] += ((numbers / per_nucleon) ** 2).sum() / PACKETS
    return shares


def _expected(partition: Partition, gas: Gas, temperature: float, per_nucleon: int) -> Floats:
    """Variance of the number of nucleons in cells (species x momentum,), an integral over equilibrium by particles."""
    size = np.linalg.norm(gas.momentum, axis=1)
    free = (1 - fermi_dirac(size, temperature)) / per_nucleon
    scale = size.mean()
    conserved = np.column_stack([gas.species == 0, gas.species == 1, gas.momentum / scale, (size / scale) ** 2])
    matrix = (conserved * free[:, None]).T @ conserved
    cells = np.column_stack([partition.count(gas, free * each).mean(axis=1) for each in conserved.T])
    own = partition.count(gas, free).mean(axis=1)
    variance: Floats = own - np.einsum("ci,ij,cj->c", cells, np.linalg.inv(matrix), cells)
    return variance


def _compare(partition: Partition, counts: list[Floats], expected: Floats) -> tuple[float, float, float, float]:
    """A row of ``Fluctuations``: nucleons, ratio, its error, overfilled."""
    numbers = np.array(counts)  # (time, species x momentum, place)
    # cells that a rotation of the box or exchange of neutrons and protons carries into each other have one mean
    away = np.abs(2 * np.indices((SIDES, SIDES, SIDES)).reshape(3, -1).T - SIDES + 1)
    _, kind = np.unique(np.sort(away, axis=1), axis=0, return_inverse=True)
    kind = np.tile(kind.ravel(), 2)
    each = numbers.mean(axis=(0, 2))
    mean = (np.bincount(kind, each) / np.bincount(kind))[kind]
    if math.isinf(partition.side):  # all in one cell, which has no mirror image
        mean = np.where(expected > 0, each[expected > 0].mean(), 0.0)
    variance = ((numbers - mean[:, None]) ** 2).mean(axis=2).sum(axis=1)
    ratio = variance / expected.sum()
    filled = mean > 0
    inner = np.tile((away < SIDES - 1).all(axis=1), 2) & (partition.side * SIDES < 1e4)
    within = numbers[:, inner]
    beyond = np.maximum(within - 2 * partition.volume, 0.0).sum() / within.sum() if inner.any() else math.nan
    return (
        float(mean[filled].mean()),
        float(ratio.mean()),
        float(ratio.std(ddof=1) / math.sqrt(len(ratio))),
        float(beyond),
    )


def _shells(gas: Gas, per_nucleon: int) -> Floats:
    """Mean occupation in shells of abs(p)."""
    number = np.histogram(np.linalg.norm(gas.momentum, axis=1), SHELLS)[0]
    states = 4 * LENGTH**3 / H3 * 4 * math.pi / 3 * np.diff(SHELLS**3)
    return number / (states * per_nucleon)
