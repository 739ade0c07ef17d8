"""Collisions from an exported emulator by ONNX Runtime: the recipe of its metadata.json, line by line.

What an attempt at an event takes of its random numbers (``export.numbers``), with U uniform numbers for the nuclei:
number 0 for the impact parameter and 1 for the azimuth (those of attempt 0 count), 2 to U + 1 for the nuclei, then
eight a slot, two for each of four normal numbers.

Conventions: common rest frame, the projectile along +z and displaced to +x; MeV, MeV/c, fm; cross sections mb.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.collisions import Collisions, Entrance
from cloudchamber.export.numbers import uniform_numbers
from cloudchamber.export.onnx_sampler import session
from cloudchamber.learning.collision_flow import SAME_NUCLEI, TRIES, condition_of
from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.reaction_cross_section import kox

BATCH = 256
"""Events that go through the graphs at once."""
ENVELOPE = 1.05
"""Largest impact parameter over that of a black disc, as in Geant4's models of quantum molecular dynamics."""
A_SLOT = 8
"""Numbers that a slot takes."""


def largest_impact_parameter(channel: EntranceChannel) -> float:
    """``1.05 sqrt(sigma_R / pi)`` with the reaction cross section of Kox [fm].

    Args:
        channel: which nuclei, at which energy.
    """
    return ENVELOPE * math.sqrt(kox(channel.projectile, channel.target, channel.energy) / (10 * math.pi))


def drawn_entrance(channel: EntranceChannel, highest: float, number: int, seed: int) -> Entrance:
    """Conditions of events that hit a disc evenly: b = b_max sqrt(u), as the C++ example draws them.

    Args:
        channel: which nuclei, at which energy.
        highest: impact parameter of the training [fm], which none exceeds.
        number: of events.
        seed: of all random numbers.
    """
    u = uniform_numbers(seed, np.arange(number), 0, 0, 1)[:, 0]
    return Entrance(
        np.tile(np.array(channel.projectile, np.int64), (number, 1)),
        np.tile(np.array(channel.target, np.int64), (number, 1)),
        np.full(number, channel.energy), min(largest_impact_parameter(channel), highest) * np.sqrt(u),
    )  # fmt: skip


def azimuths(number: int, seed: int) -> NDArray[np.float64]:
    """By which the C++ example turns its events about the beam (event,).

    Args:
        number: of events.
        seed: of all random numbers.
    """
    return 2 * np.pi * uniform_numbers(seed, np.arange(number), 0, 1, 1)[:, 0]


def for_nuclei(seed: int, event: NDArray[np.int64], attempt: int, uniforms: int) -> NDArray[np.float64]:
    """Uniform numbers (event, uniforms) of an attempt at some events."""
    return uniform_numbers(seed, event, attempt, 2, uniforms)


def for_slots(seed: int, event: NDArray[np.int64], attempt: int, uniforms: int, slots: int) -> NDArray[np.float32]:
    """Normal numbers (event, slot, 4) of an attempt at some events."""
    drawn = uniform_numbers(seed, event, attempt, 2 + uniforms, A_SLOT * slots).reshape(len(event), slots, A_SLOT)
    normal = np.sqrt(-2 * np.log1p(-drawn[..., ::2])) * np.cos(2 * np.pi * drawn[..., 1::2])
    return np.asarray(normal, np.float32)


def sample_exported_collisions(directory: Path, entrance: Entrance, seed: int) -> Collisions:
    """One event for every condition; the C++ example makes the same from the same seed and conditions.

    Args:
        directory: what ``cloudchamber export`` wrote.
        entrance: conditions like those of the training.
        seed: of all random numbers.

    Raises:
        BadInput: no such directory, ONNX Runtime is missing, or events that fit no energy.
    """
    try:
        uniforms = int(json.loads((directory / "metadata.json").read_text())["uniforms"])
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{directory} is no exported emulator ({error}): `cloudchamber export RUN` makes one") from None
    sessions = {name: session(directory / f"{name}.onnx") for name in ("nuclei", "momenta")}
    columns: list[tuple[NDArray[Any], ...]] = []
    for first in range(0, len(entrance), BATCH):
        rows = np.arange(first, min(first + BATCH, len(entrance)))
        columns += _batch(sessions, condition_of(entrance.ordered(rows)).numpy(), rows, seed, uniforms)
    A, Z, momentum, excitation = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    count = np.array([len(one[0]) for one in columns], np.int64)
    return Collisions(entrance, count, A, Z, momentum, excitation)


def _batch(
    sessions: Mapping[str, Any], condition: NDArray[np.float64], event: NDArray[np.int64], seed: int, uniforms: int
) -> list[tuple[NDArray[Any], ...]]:
    """A, Z, momenta and excitation energies of each event."""
    found: list[tuple[NDArray[Any], ...]] = [()] * len(event)
    left = np.arange(len(event))
    A = Z = np.zeros((0, 0), np.int64)
    for attempt in range(TRIES):
        if attempt == 0 or attempt >= SAME_NUCLEI:
            uniform = for_nuclei(seed, event[left], attempt, uniforms)
            A, Z = sessions["nuclei"].run(None, {"condition": condition[left], "uniform": uniform})
        normal = for_slots(seed, event[left], attempt, uniforms, A.shape[1])
        given = {"condition": condition[left], "A": A, "Z": Z, "normal": normal}
        momentum, excitation, _, solved = sessions["momenta"].run(None, given)
        for row in np.flatnonzero(solved):
            there = A[row] > 0
            found[left[row]] = (A[row, there], Z[row, there], momentum[row, there], excitation[row, there])
        left, A, Z = left[~solved], A[~solved], Z[~solved]
        if not len(left):
            return found
    raise BadInput(f"{len(left)} of {len(event)} events fit no energy after {TRIES} tries: another condition")
