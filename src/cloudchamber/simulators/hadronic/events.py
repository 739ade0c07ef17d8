"""Complete final states of hadronic interactions, as flat arrays: which particles, with which four-momenta.

Conventions: energies, momenta and masses in GeV, c = 1, metric (+, -, -, -); kinds are PDG codes (nuclei 100ZZZAAAI).
Event i owns the rows ``offsets[i]:offsets[i + 1]`` of the particles. The projectile hits a nucleus at rest, and the
final state holds everything that leaves, the residual nucleus included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.particles import NUCLEI, conserved, masses

ELASTIC, INELASTIC = 0, 1
"""Values of ``channel``."""


@dataclass(frozen=True)
class Beam:
    """Projectiles on targets, one entry an event.

    Attributes:
        projectile: PDG codes (event,).
        target: charge Z of the target's element (event,).
        kinetic_energy: of the projectile in GeV (event,).
        direction: unit vectors (event, 3).
    """

    projectile: NDArray[np.int32]
    target: NDArray[np.int32]
    kinetic_energy: NDArray[np.float64]
    direction: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.projectile)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """By name."""
        return {
            "projectile": self.projectile, "target": self.target, "kinetic_energy": self.kinetic_energy,
            "direction": self.direction,
        }  # fmt: skip

    def take(self, rows: NDArray[Any]) -> Beam:
        """The entries that ``rows`` names or marks."""
        return Beam(**{name: values[rows] for name, values in self.arrays().items()})

    def repeated(self, n: int) -> Beam:
        """The first entry n times."""
        return self.take(np.zeros(n, np.int64))


@dataclass(frozen=True)
class Events:
    """Interactions with their final states.

    Attributes:
        beam: what came in, one entry an event.
        nucleus: PDG code of the struck nucleus (event,).
        incoming: four-momentum of projectile and nucleus together (event, 4), with the generator's masses.
        channel: ELASTIC or INELASTIC (event,).
        offsets: (event + 1,) first particle of each event, and the end.
        kind: PDG codes (particle,).
        momentum: (particle, 4): E, px, py, pz in GeV.
    """

    beam: Beam
    nucleus: NDArray[np.int32]
    incoming: NDArray[np.float64]
    channel: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    kind: NDArray[np.int32]
    momentum: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.channel)

    @property
    def count(self) -> NDArray[np.int64]:
        """Particles in each final state (event,)."""
        return np.asarray(np.diff(self.offsets))

    @property
    def event_of(self) -> NDArray[np.int64]:
        """The event of every particle (particle,)."""
        return np.repeat(np.arange(len(self)), self.count)

    def sums(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Of values of the particles (particle, ...), the sum over each event (event, ...)."""
        values = np.asarray(values, dtype=np.float64)
        sums = np.zeros((len(self), *values.shape[1:]))
        filled = self.count > 0  # reduceat would give an empty event the first value of the next
        if filled.any():
            sums[filled] = np.add.reduceat(values[: self.offsets[-1]], self.offsets[:-1][filled], axis=0)
        return sums

    def part(self, chosen: NDArray[np.bool_]) -> Events:
        """The events that ``chosen`` (event,) marks."""
        return self.ordered(np.flatnonzero(chosen))

    def ordered(self, rows: NDArray[np.int64]) -> Events:
        """The events ``rows``, in that order."""
        count = self.count[rows]
        offsets = np.concatenate([[0], np.cumsum(count)])
        kept = np.repeat(self.offsets[rows] - offsets[:-1], count) + np.arange(offsets[-1])
        return Events(
            self.beam.take(rows), self.nucleus[rows], self.incoming[rows], self.channel[rows], offsets,
            self.kind[kept], self.momentum[kept],
        )  # fmt: skip


def joined(parts: Sequence[Events]) -> Events:
    """Several sets of events, one after the other."""
    beams = [part.beam.arrays() for part in parts]
    beam = Beam(**{name: np.concatenate([one[name] for one in beams]) for name in beams[0]})
    return Events(
        beam,
        np.concatenate([part.nucleus for part in parts]),
        np.concatenate([part.incoming for part in parts]),
        np.concatenate([part.channel for part in parts]),
        np.concatenate([[0], np.cumsum(np.concatenate([part.count for part in parts]))]),
        np.concatenate([part.kind for part in parts]),
        np.concatenate([part.momentum for part in parts]),
    )


def incoming_numbers(events: Events) -> NDArray[np.int64]:
    """Charge, baryon number and strangeness of projectile and nucleus together (event, 3)."""
    return conserved(events.beam.projectile) + conserved(events.nucleus)


def incoming_of(beam: Beam) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """PDG code of the struck nucleus (event,), and four-momentum of projectile and nucleus together (event, 4).

    Masses are those of ``particles.masses``; they are Geant4's.

    Raises:
        BadInput: a target that is none of ``particles.TARGETS``.
    """
    charges, places = np.unique(beam.target, return_inverse=True)
    unknown = sorted(set(charges.tolist()) - set(NUCLEI))
    if unknown:
        raise BadInput(f"target of charge {unknown[0]}: there are those of charge {', '.join(map(str, NUCLEI))}")
    nucleus = np.array([NUCLEI[int(charge)] for charge in charges], np.int32)[places]
    mass = masses(beam.projectile)
    energy = beam.kinetic_energy + mass
    momentum = np.sqrt(beam.kinetic_energy * (energy + mass))[:, None] * beam.direction
    return nucleus, np.concatenate([(energy + masses(nucleus))[:, None], momentum], axis=1)
