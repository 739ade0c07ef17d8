"""Collisions of nuclei by Boltzmann-Langevin transport, as an experiment: settings, records, cold products.

A record is an event: its impact parameter, its fragments and its gas, in the frame in which both nuclei together are at
rest, the beam along +z. ``detected`` takes records to what a detector in the laboratory sees.
"""

from __future__ import annotations

import logging
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from cloudchamber.data.samples import Records
from cloudchamber.metrics.collision_isotopes import in_the_laboratory
from cloudchamber.metrics.fragment_cross_sections import Products, kinetic_energy, uniform_weights
from cloudchamber.schema import Array, Arrays, BadInput, Config, Learning, did_you_mean
from cloudchamber.simulators.transport.de_excitation import de_excite
from cloudchamber.simulators.transport.entrance_channel import (
    HIGHEST_ENERGY,
    LEAST_A,
    LOWEST_ENERGY,
    EntranceChannel,
)
from cloudchamber.simulators.transport.equation_of_state import EQUATIONS_OF_STATE, equation_of_state
from cloudchamber.simulators.transport.event import Event, FreezeOut, check_impact_parameter, simulate_event
from cloudchamber.simulators.transport.evolution import SPACING, Dynamics, Unstable
from cloudchamber.simulators.transport.levels import WITH_RESONANCES
from cloudchamber.simulators.transport.masses import mass_or_estimate, nucleus_of
from cloudchamber.simulators.transport.nucleon_nucleon import KINDS
from cloudchamber.simulators.transport.whole_numbers import whole_nuclei

MODES = ("langevin", "average")

log = logging.getLogger("cloudchamber")

LENGTHS = {"xyz": 3, "A_Z": 2}
SCHEMA = {
    "projectile": Array("event A_Z", "", "mass number and charge of the projectile", "int32", low=0),
    "target": Array("event A_Z", "", "mass number and charge of the target", "int32", low=0),
    "energy": Array("event", "MeV", "kinetic energy per nucleon of the projectile in the laboratory", low=0),
    "impact_parameter": Array("event", "fm", "of the collision", low=0),
    "refused": Array("event", "", "1: energy was not conserved, the event has no final state", "uint8", high=1),
    "energy_change": Array("event", "MeV", "of the whole event until freeze-out, per nucleon"),
    "attempted": Array("event", "", "collisions that would have happened in empty space, in nucleons", low=0),
    "accepted": Array("event", "", "collisions whose final states were free, in nucleons", low=0),
    "fragments": Array("event", "", "number of fragments", "int32", low=0),
    "gas": Array("event", "", "number of gas particles, each a test particle", "int32", low=0),
    "fragment_A": Array("fragment", "", "nucleons, a real number", "float64", low=0, of="fragments"),
    "fragment_Z": Array("fragment", "", "protons, a real number", "float64", low=0, of="fragments"),
    "fragment_position": Array("fragment xyz", "fm", "of the centre", "float64", of="fragments"),
    "fragment_momentum": Array("fragment xyz", "MeV/c", "of the whole fragment", "float64", of="fragments"),
    "fragment_excitation": Array("fragment", "MeV", "above the model's ground state", "float64", of="fragments"),
    "fragment_angular_momentum": Array("fragment xyz", "hbar", "about the centre", "float64", of="fragments"),
    "gas_species": Array("particle", "", "0: neutron, 1: proton", "uint8", high=1, of="gas"),
    "gas_position": Array("particle xyz", "fm", "of a test particle", of="gas"),
    "gas_momentum": Array("particle xyz", "MeV/c", "of a test particle", of="gas"),
}


def _nucleus(name: str) -> str:
    try:
        A, Z = nucleus_of(name)
    except BadInput as error:
        raise ValueError(str(error)) from None
    if not (A >= LEAST_A and 0 < Z < A):
        raise ValueError(f"{name} is no matter in a mean field: give a nucleus from He4 on")
    return name


def _one_of(known: Any) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"unknown{did_you_mean(name, known)}")
        return name

    return AfterValidator(check)


Nucleus = Annotated[str, AfterValidator(_nucleus)]


class TransportConfig(Config):
    """Settings of simulated collisions."""

    records: Learning[int] = Field(2000, ge=1, description="events")
    projectile: Nucleus = Field("C12", description="nucleus that moves, such as C12")
    target: Nucleus = Field("C12", description="nucleus at rest, such as C12")
    energy: float = Field(62.0, ge=LOWEST_ENERGY, le=HIGHEST_ENERGY, description="kinetic energy in MeV per nucleon")
    lowest_impact_parameter: float = Field(0.0, ge=0, description="impact parameters are uniform from here, in fm")
    highest_impact_parameter: float = Field(8.0, ge=0, description="to here, in fm")
    mode: Annotated[str, _one_of(MODES)] = Field("langevin", description="langevin (with fluctuations) or average")
    test_particles: int = Field(500, ge=20, le=10_000, description="for each nucleon")
    mean_field: Annotated[str, _one_of(EQUATIONS_OF_STATE)] = Field(
        "soft", description="soft (K = 201 MeV) or comparison (K = 239 MeV)"
    )
    cross_section: Annotated[str, _one_of(KINDS)] = Field(
        "capped", description="of nucleons in matter: free, capped (at 50 mb) or screened"
    )
    lattice_spacing: float = Field(SPACING, gt=0.3, le=2, description="in fm; it makes the range of the force, too")
    time_step: float = Field(0.5, gt=0, le=10, description="in fm/c")
    freeze_out_time: float = Field(200.0, gt=0, le=400, description="when fragments are read, in fm/c")
    density_cut: float = Field(0.02, gt=0, lt=0.16, description="of fragments, in nucleons per fm^3")
    energy_tolerance: float = Field(
        0.5, gt=0, description="change of energy that an event may have, in MeV per nucleon"
    )

    @model_validator(mode="after")
    def _near_enough(self) -> TransportConfig:
        if self.lowest_impact_parameter > self.highest_impact_parameter:
            raise ValueError(
                f"lowest_impact_parameter {self.lowest_impact_parameter:g} fm is above highest_impact_parameter"
                f" {self.highest_impact_parameter:g} fm"
            )
        try:
            check_impact_parameter(channel_of(self), self.highest_impact_parameter, dynamics_of(self))
        except BadInput as error:
            raise ValueError(str(error)) from None
        return self


def channel_of(config: TransportConfig) -> EntranceChannel:
    """Which nuclei collide at which energy."""
    return EntranceChannel(nucleus_of(config.projectile), nucleus_of(config.target), config.energy)


def dynamics_of(config: TransportConfig) -> Dynamics:
    """What moves the test particles."""
    return Dynamics(
        equation_of_state(config.mean_field), KINDS[config.cross_section], config.mode == "langevin",
        config.lattice_spacing, config.time_step,
    )  # fmt: skip


def freeze_out_of(config: TransportConfig) -> FreezeOut:
    """When and how events are read."""
    return FreezeOut(config.freeze_out_time, config.density_cut, config.energy_tolerance)


def simulate(config: TransportConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    """Events with impact parameters drawn uniformly: columns of ``SCHEMA``."""
    channel, dynamics, freeze_out = channel_of(config), dynamics_of(config), freeze_out_of(config)
    drawn, *each = seeds.spawn(count + 1)
    low, high = config.lowest_impact_parameter, config.highest_impact_parameter
    impact = np.random.default_rng(drawn).uniform(low, high, count)
    events: list[Event | None] = []
    for b, own in zip(impact, each, strict=True):
        try:
            events.append(simulate_event(channel, float(b), config.test_particles, dynamics, freeze_out, own))
        except Unstable:
            events.append(None)
    return columns(channel, impact, events)


def columns(channel: EntranceChannel, impact: NDArray[np.float64], events: list[Event | None]) -> Arrays:
    """Events as columns of ``SCHEMA``.

    Args:
        channel: which nuclei collided.
        impact: (event,) impact parameters [fm].
        events: None: refused.
    """
    n = len(events)
    kept = [event for event in events if event is not None]

    def number(name: str) -> NDArray[np.float64]:
        return np.array([0.0 if event is None else getattr(event, name) for event in events])

    def stacked(parts: list[NDArray[Any]], *shape: int) -> NDArray[Any]:
        return np.concatenate([np.zeros((0, *shape)), *parts])

    found = [event.fragments for event in kept]
    return {
        "projectile": np.tile(channel.projectile, (n, 1)),
        "target": np.tile(channel.target, (n, 1)),
        "energy": np.full(n, channel.energy),
        "impact_parameter": impact,
        "refused": np.array([event is None for event in events]),
        "energy_change": number("energy_change"),
        "attempted": number("attempted"),
        "accepted": number("accepted"),
        "fragments": np.array([0 if event is None else len(event.fragments.A) for event in events]),
        "gas": np.array([0 if event is None else len(event.gas_species) for event in events]),
        "fragment_A": stacked([one.A for one in found]),
        "fragment_Z": stacked([one.Z for one in found]),
        "fragment_position": stacked([one.position for one in found], 3),
        "fragment_momentum": stacked([one.momentum for one in found], 3),
        "fragment_excitation": stacked([one.excitation for one in found]),
        "fragment_angular_momentum": stacked([one.angular_momentum for one in found], 3),
        "gas_species": stacked([event.gas_species for event in kept]).astype(np.uint8),
        "gas_position": stacked([event.gas_position for event in kept], 3),
        "gas_momentum": stacked([event.gas_momentum for event in kept], 3),
    }


# --- what a detector sees ---------------------------------------------------------------------------------------------


def hot_nuclei(config: TransportConfig, records: Records, repetitions: int, seeds: np.random.SeedSequence) -> Arrays:
    """Whole nuclei and free nucleons of every event, rounded several times.

    Args:
        config: of the records.
        records: columns of ``SCHEMA``; refused events give nothing, nor do roundings whose energy does not suffice.
        repetitions: roundings of each event.
        seeds: of what is random.

    Returns:
        ``event``, ``repetition``, ``A``, ``Z``, ``excitation`` (nucleus,) and ``momentum`` (nucleus, 3) in the common
        frame; and ``stretch`` (rounding,), see ``whole_numbers``.
    """
    channel, rng = channel_of(config), np.random.default_rng(seeds)
    parts: dict[str, list[NDArray[Any]]] = {
        name: [] for name in ("event", "repetition", "A", "Z", "excitation", "momentum")
    }
    stretch = []
    for event in range(len(records)):
        one = records.read(np.array([event]))
        if one["refused"][0]:
            continue
        for repetition in range(repetitions):
            try:
                nuclei = whole_nuclei(
                    one["fragment_A"], one["fragment_Z"], one["fragment_momentum"], one["fragment_excitation"],
                    one["gas_momentum"].astype(np.float64), one["gas_species"].astype(np.int8), channel, rng,
                )  # fmt: skip
            except ArithmeticError as error:
                log.warning("event %d, rounding %d has no products: %s", event, repetition, error)
                continue
            parts["event"].append(np.full(len(nuclei.A), event))
            parts["repetition"].append(np.full(len(nuclei.A), repetition))
            for name in ("A", "Z", "excitation", "momentum"):
                parts[name].append(getattr(nuclei, name))
            stretch.append(nuclei.stretch)
    if not stretch:
        raise BadInput("every event was refused: give a smaller time_step")
    return {name: np.concatenate(part) for name, part in parts.items()} | {"stretch": np.array(stretch)}


def detected(
    config: TransportConfig, records: Records, repetitions: int, seeds: np.random.SeedSequence
) -> tuple[Products, NDArray[np.int64]]:
    """Cold nuclei and nucleons in the laboratory, after de-excitation; photons are left out.

    Events that were refused count as events without products, which is why there must be few. Weights are cross
    sections [mb]; for a single impact parameter 1 / N.

    Args:
        config: of the records.
        records: columns of ``SCHEMA``.
        repetitions: roundings and decays of each event.
        seeds: of what is random.

    Returns:
        The products, and the repetition that each belongs to (product,).
    """
    rounded, decayed = seeds.spawn(2)
    hot = hot_nuclei(config, records, repetitions, rounded)
    seed = int(decayed.generate_state(1)[0])
    cold = de_excite(hot["A"], hot["Z"], hot["momentum"], hot["excitation"], seed, levels=WITH_RESONANCES)
    massive = cold.A > 0
    momentum = in_the_laboratory(channel_of(config), cold.momentum[massive], cold.energy[massive])
    A, Z, parent = cold.A[massive], cold.Z[massive], cold.parent[massive]
    low, high = config.lowest_impact_parameter, config.highest_impact_parameter
    impact = records.read(np.arange(len(records)), ["impact_parameter"])["impact_parameter"].astype(np.float64)
    impact = np.clip(impact, low, high)  # single precision may have rounded it
    # events at one impact parameter stand for no cross section: their weights make a mean
    weight = uniform_weights(impact, low, high) if low < high else np.full(len(impact), 1 / len(impact))
    kinetic = kinetic_energy(momentum, mass_or_estimate(Z, A))
    return Products(A, Z, momentum, kinetic, hot["event"][parent], weight, repetitions), hot["repetition"][parent]
