"""Collisions of several nuclei at several energies in one set of records, for networks that take them as conditions.

Which nuclei collide at which energy follows from a record's number: most are the collision that the settings name, the
rest of each cycle are the same nuclei at other energies, and other nuclei at one energy after the other. A larger set
begins with the smaller one.
"""

from __future__ import annotations

import contextlib
import re
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from cloudchamber.experiments.transport import TransportConfig, channel_of, columns, dynamics_of, freeze_out_of
from cloudchamber.schema import Arrays, BadInput
from cloudchamber.simulators.transport.entrance_channel import (
    HIGHEST_ENERGY,
    LOWEST_ENERGY,
    EntranceChannel,
)
from cloudchamber.simulators.transport.event import Event, check_impact_parameter, simulate_event
from cloudchamber.simulators.transport.evolution import Unstable
from cloudchamber.simulators.transport.masses import nucleus_of

PAIR = re.compile(r"(?P<projectile>[A-Za-z]+\d+)\+(?P<target>[A-Za-z]+\d+)")


def _pair(text: str) -> str:
    found = PAIR.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r}: give projectile+target, such as C12+O16")
    try:
        EntranceChannel(nucleus_of(found["projectile"]), nucleus_of(found["target"]), LOWEST_ENERGY)
    except BadInput as error:
        raise ValueError(str(error)) from None
    return text


class MixtureConfig(TransportConfig):
    """Settings of simulated collisions of several nuclei at several energies."""

    share: int = Field(24, ge=1, description="records of each cycle that are projectile on target at energy")
    energies: tuple[float, ...] = Field(
        (45.0, 53.0, 71.0, 80.0, 95.0), description="one record each, in MeV per nucleon, of the same nuclei"
    )
    systems: tuple[Annotated[str, AfterValidator(_pair)], ...] = Field(
        ("He4+C12", "C12+O16", "O16+C12"), description="one record each, of other nuclei, at all energies in turn"
    )

    @model_validator(mode="after")
    def _can_collide(self) -> MixtureConfig:
        for energy in self.energies:
            if not LOWEST_ENERGY <= energy <= HIGHEST_ENERGY:
                raise ValueError(f"energies: {energy:g} MeV per nucleon: need {LOWEST_ENERGY:g} to {HIGHEST_ENERGY:g}")
        for channel in channels_of(self):
            try:
                check_impact_parameter(channel, self.highest_impact_parameter, dynamics_of(self))
            except BadInput as error:
                raise ValueError(str(error)) from None
        return self


def channel_of_record(config: MixtureConfig, number: int) -> EntranceChannel:
    """Which nuclei collide at which energy in a record.

    Args:
        config: the settings.
        number: of the record, from 0.
    """
    cycle, place = divmod(number, config.share + len(config.energies) + len(config.systems))
    main = channel_of(config)
    if place < config.share:
        return main
    if place < config.share + len(config.energies):
        return EntranceChannel(main.projectile, main.target, config.energies[place - config.share])
    energies = sorted({config.energy, *config.energies})
    projectile, target = config.systems[place - config.share - len(config.energies)].split("+")
    return EntranceChannel(nucleus_of(projectile), nucleus_of(target), energies[cycle % len(energies)])


def channels_of(config: MixtureConfig) -> list[EntranceChannel]:
    """Every entrance channel of the records, the main one first."""
    cycle = config.share + len(config.energies) + len(config.systems)
    return list(dict.fromkeys(channel_of_record(config, n) for n in range(cycle * (1 + len(config.energies)))))


def simulate(config: MixtureConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    """Events with impact parameters drawn uniformly: columns of ``experiments.transport.SCHEMA``.

    Args:
        config: the settings.
        first: number of the first record.
        count: how many.
        seeds: of what is random.
    """
    dynamics, freeze_out = dynamics_of(config), freeze_out_of(config)
    drawn, *each = seeds.spawn(count + 1)
    low, high = config.lowest_impact_parameter, config.highest_impact_parameter
    impact: NDArray[np.float64] = np.random.default_rng(drawn).uniform(low, high, count)
    parts: list[Arrays] = []
    for place, own in enumerate(each):
        channel, b = channel_of_record(config, first + place), float(impact[place])
        event: Event | None = None
        with contextlib.suppress(Unstable):
            event = simulate_event(channel, b, config.test_particles, dynamics, freeze_out, own)
        parts.append(columns(channel, impact[place : place + 1], [event]))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
