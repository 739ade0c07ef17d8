"""Hadronic interactions, as an experiment: settings, the truth, the generators, their rows and the page.

Events are ``simulators.hadronic.events.Events``, conditions are ``Beam``. A configuration names projectiles, targets
and kinetic energies; energies are drawn evenly in the logarithm, without those that are left out of the training, or
taken from a grid in turn (for probes). Where a user's events are the truth, the configuration is taken from them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from cloudchamber.data.interactions import EVENT_SCHEMA, LENGTHS, arrays_of, event_writer, events_of, read_events
from cloudchamber.metrics.rows import Row
from cloudchamber.schema import Arrays, BadInput, Config, Learning, did_you_mean, finite_number
from cloudchamber.simulators.hadronic.events import Beam, Events, joined
from cloudchamber.simulators.hadronic.models import MODELS, model
from cloudchamber.simulators.hadronic.particles import PROJECTILES, TARGETS, projectile_code, target_charge
from cloudchamber.study import Generator, GeneratorStudy, Probe

if TYPE_CHECKING:
    from cloudchamber.report.page import Section

GRID = "grid"
"""Name of the probe that goes through all projectiles, targets and GRID_ENERGIES."""
GRID_ENERGIES = (2.0, 8.0, 30.0, 90.0)
"""In GeV."""
OWN = "own"
"""The model of a run whose truth is a user's events: nothing simulates them."""
RANGE = (1.0, 100.0)
"""Kinetic energies of the models in GeV."""
SAME = 1e-6
"""Relative difference of energies, and difference of unit vectors, that is none: a file may have rounded them."""
FEWEST = 100
"""Events of a run."""
LEAST = 50
"""Events that a place of the grid needs to have rows of its own."""
WANTED = ("projectile", "target", "energy", "direction")
"""Settings of ``cloudchamber generate``."""


class InteractionConfig(Config):
    """Settings of a study of hadronic interactions."""

    events: Learning[int] = Field(100_000, ge=FEWEST, description="events to learn from and to test on")
    probe_events: Learning[int] = Field(10_000, ge=20, description="events of each further data set")
    model: str = Field("geant4", description="the truth: geant4 or urqmd; own with --data")
    projectiles: tuple[str, ...] = Field(("pi+",), min_length=1, description="names of projectiles")
    targets: tuple[str, ...] = Field(("H",), min_length=1, description="elements of targets")
    lowest: float = Field(25.0, gt=0, description="lowest kinetic energy in GeV")
    highest: float = Field(25.0, gt=0, description="highest kinetic energy in GeV")
    left_out: tuple[float, ...] = Field((), description="two kinetic energies in GeV between which nothing is learned")
    energies: tuple[float, ...] = Field((), description="kinetic energies in GeV in turn, instead of a range")
    direction: tuple[float, float, float] = Field((0.6, 0.6, 0.529), description="of the projectile, of any length")
    width: Learning[int] = Field(96, ge=4, le=4096, description="of a particle's vector in the flow's network")
    pooled: Learning[int] = Field(64, ge=4, le=4096, description="of an event's vector in the flow's network")
    layers: Learning[int] = Field(4, ge=1, le=100, description="of the flow's network")
    count_width: Learning[int] = Field(96, ge=4, le=4096, description="of the network that draws counts")
    steps: Learning[int] = Field(3, ge=1, le=1000, description="midpoint steps of the flow, two evaluations each")
    count_epochs: Learning[int] = Field(10, ge=1, description="passes over the training events for the counts")
    epochs: Learning[int] = Field(40, ge=1, description="passes over the training events for the flow")
    batch_size: Learning[int] = Field(256, ge=2, description="events a step")
    learning_rate: Learning[float] = Field(3e-3, gt=0, le=1, description="highest learning rate of flow and counts")
    gan_epochs: Learning[int] = Field(
        30, ge=1, description="passes over the training events for the adversarial network"
    )
    gan_width: Learning[int] = Field(64, ge=2, multiple_of=2, description="of all layers of the adversarial networks")

    @field_validator("projectiles")
    @classmethod
    def _known_projectiles(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _known(names, PROJECTILES, "projectile")

    @field_validator("targets")
    @classmethod
    def _known_targets(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _known(names, TARGETS, "target")

    @field_validator("model")
    @classmethod
    def _known_model(cls, name: str) -> str:
        return _known((name,), (*MODELS, OWN), "model")[0]

    @model_validator(mode="after")
    def _ordered(self) -> InteractionConfig:
        if self.lowest > self.highest:
            raise ValueError(f"lowest {self.lowest:g} GeV is above highest {self.highest:g} GeV")
        if self.model != OWN and not RANGE[0] <= self.lowest <= self.highest <= RANGE[1]:
            raise ValueError(
                f"lowest {self.lowest:g}, highest {self.highest:g}: {self.model} makes events of {RANGE[0]:g} to"
                f" {RANGE[1]:g} GeV"
            )
        if self.left_out and not (len(self.left_out) == 2 and self.left_out[0] < self.left_out[1]):
            raise ValueError("left_out needs two rising energies, or none")
        return self


def _known(names: tuple[str, ...], known: Collection[str], what: str) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise ValueError(f"unknown {what} {name!r}{did_you_mean(name, known)}")
    return names


# --- truth ------------------------------------------------------------------------------------------------------------


def simulate(config: InteractionConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    """Interactions from number ``first``: columns of ``EVENT_SCHEMA``."""
    from cloudchamber.data.geant4_data import home_made_tables

    drawn, made = seeds.spawn(2)
    beam = beams(config, first, count, np.random.default_rng(drawn))
    with contextlib.closing(model(config.model).start(home_made_tables())) as program:
        events = program.generate(beam, int(made.generate_state(1)[0]) % 2**31)
    return arrays_of(events)


def beams(config: InteractionConfig, first: int, count: int, rng: np.random.Generator) -> Beam:
    """Projectiles on targets of the events from number ``first``."""
    projectiles = np.array([projectile_code(name) for name in config.projectiles], np.int32)
    targets = np.array([target_charge(name) for name in config.targets], np.int32)
    direction = np.array(config.direction) / np.linalg.norm(config.direction)
    number = np.arange(first, first + count)
    if config.energies:
        grid = np.array(config.energies)
        place = np.unravel_index(
            number % (len(projectiles) * len(targets) * len(grid)), (len(projectiles), len(targets), len(grid))
        )
        projectile, target, energy = projectiles[place[0]], targets[place[1]], grid[place[2]]
    else:
        projectile, target = rng.choice(projectiles, count), rng.choice(targets, count)
        energy = _log_uniform(config, rng.random(count))
    return Beam(projectile, target, energy, np.tile(direction, (count, 1)))


def _log_uniform(config: InteractionConfig, uniform: Any) -> Any:
    """Energies in GeV between lowest and highest, evenly in the logarithm, none of those that are left out."""
    low, high = np.log(config.lowest), np.log(config.highest)
    gap = np.clip(np.log(config.left_out), low, high) if config.left_out else np.array([high, high])
    value = low + uniform * (high - low - (gap[1] - gap[0]))
    return np.exp(np.where(value > gap[0], value + gap[1] - gap[0], value))


def read(path: Path) -> Events:
    """Events of a user's file (HDF5 or HepMC3)."""
    return read_events(path)[0]


def condition(events: Events) -> Beam:
    """Under which events were made."""
    return events.beam


def fitting(config: InteractionConfig, events: Events) -> InteractionConfig:
    """The configuration of a run that learns from a user's events: what they hold, whatever was set.

    Raises:
        BadInput: fewer events than a run needs, or projectiles and targets that the generators do not know.
    """
    if len(events) < FEWEST:
        raise BadInput(f"{len(events)} events: a run needs at least {FEWEST}")
    beam = events.beam
    low, high = (float(f"{value:.7g}") for value in (beam.kinetic_energy.min(), beam.kinetic_energy.max()))
    direction = beam.direction.mean(axis=0)
    single = np.abs(beam.direction - direction).max() < SAME
    return config.changed(
        {
            "events": len(events), "model": OWN, "lowest": low, "highest": high, "left_out": (), "energies": (),
            "projectiles": _names(beam.projectile, PROJECTILES, "projectile"),
            "targets": _names(beam.target, TARGETS, "target"),
            "direction": tuple(direction.round(9).tolist()) if single else config.direction,
        }
    )  # fmt: skip


def _names(codes: NDArray[np.int32], known: Mapping[str, int], what: str) -> tuple[str, ...]:
    """Names of the codes, in the order of those that are known."""
    found = set(np.unique(codes).tolist())
    if unknown := sorted(found - set(known.values())):
        raise BadInput(f"events with {what} {unknown[0]}: generators know {', '.join(known)}: leave such events out")
    return tuple(name for name, code in known.items() if code in found)


def outside(config: InteractionConfig, beam: Beam) -> dict[str, NDArray[np.bool_]]:
    """Which entries of a beam (event,) lie outside the training, in projectile, target and energy."""
    projectiles = [PROJECTILES[name] for name in config.projectiles]
    targets = [TARGETS[name] for name in config.targets]
    return {
        "projectile": ~np.isin(beam.projectile, projectiles),
        "target": ~np.isin(beam.target, targets),
        "energy": _untrained(config, beam.kinetic_energy),
    }


def _untrained(config: InteractionConfig, energy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which kinetic energies in GeV lie beyond those of the training or in the gap that was left out of it."""
    low, high = _range(config)
    found = (energy < low * (1 - SAME)) | (energy > high * (1 + SAME))
    if config.left_out:
        found |= (config.left_out[0] < energy) & (energy < config.left_out[1])
    return np.asarray(found)


def _range(config: InteractionConfig) -> tuple[float, float]:
    """Lowest and highest kinetic energy of the training in GeV."""
    return (min(config.energies), max(config.energies)) if config.energies else (config.lowest, config.highest)


def wanted(config: InteractionConfig, settings: Mapping[str, str], n: int, extrapolate: bool) -> Beam:
    """The beam that ``cloudchamber generate`` asks for.

    Args:
        config: of the training.
        settings: projectile, target, energy (GeV), direction (x,y,z); what is not there is the training's, if that has
            one value only.
        n: events.
        extrapolate: whether targets and energies may lie outside the training.

    Raises:
        BadInput: unknown settings, names or numbers, a missing one, or one that the training did not have; status 2.
    """
    for name in settings:
        if name not in WANTED:
            raise BadInput(f"unknown setting {name!r}{did_you_mean(name, WANTED)}", status=2)
    projectile = settings.get("projectile") or _only(config.projectiles, "projectile")
    target = settings.get("target") or _only(config.targets, "target")
    code, charge = projectile_code(projectile), target_charge(target)
    if projectile not in config.projectiles:
        raise BadInput(f"projectile {projectile} was not trained: {', '.join(config.projectiles)}", status=2)
    if target not in config.targets and not extrapolate:
        raise BadInput(f"target {target} was not trained ({', '.join(config.targets)}): add --extrapolate", status=2)
    low, high = _range(config)
    trained = f"{low:g} to {high:g}" if low < high else f"{low:g}"
    trained += " without {:g} to {:g}".format(*config.left_out) if config.left_out else ""
    if "energy" not in settings and low < high:
        raise BadInput(f"which energy? add --set energy=..., {trained} GeV", status=2)
    energy = finite_number(settings["energy"], "energy") if "energy" in settings else low
    if not energy > 0:
        raise BadInput(f"energy {energy:g} GeV: give a kinetic energy above 0", status=2)
    if _untrained(config, np.array([energy]))[0] and not extrapolate:
        raise BadInput(f"energy {energy:g} GeV: the training has {trained} GeV: add --extrapolate", status=2)
    direction = np.array(config.direction)
    if "direction" in settings:
        direction = np.array([finite_number(one, "direction") for one in settings["direction"].split(",")])
    if direction.shape != (3,) or not np.linalg.norm(direction) > 0:
        raise BadInput("direction: give three numbers that are not all 0, such as 0.6,0.6,0.529", status=2)
    unit = direction / np.linalg.norm(direction)
    return Beam(np.full(n, code, np.int32), np.full(n, charge, np.int32), np.full(n, energy), np.tile(unit, (n, 1)))


def _only(names: Sequence[str], what: str) -> str:
    if len(names) > 1:
        raise BadInput(f"which {what}? add --set {what}=..., one of {', '.join(names)}", status=2)
    return names[0]


# --- generators -------------------------------------------------------------------------------------------------------


def generators(config: InteractionConfig, seed: int, device: str) -> dict[str, Generator]:
    """Every generator, by name in the order of tables; the adversarial ones only for one projectile on one target."""
    from cloudchamber.baselines.event_resampling import EventResampling
    from cloudchamber.baselines.hadron_parametrisation import HadronParametrisation
    from cloudchamber.baselines.simulator_again import SimulatorAgain
    from cloudchamber.learning.interaction_flow import FlowGenerator, FlowShape, Unprojected
    from cloudchamber.learning.interaction_gan import InteractionGAN
    from cloudchamber.learning.options import GANOptions, TrainingOptions

    shape = FlowShape(config.width, config.pooled, config.layers, config.count_width, config.steps)
    common = {"learning_rate": config.learning_rate, "weight_decay": 0.01}
    counting = TrainingOptions(epochs=config.count_epochs, batch_size=512, averaging=0.99, **common)
    flowing = TrainingOptions(epochs=config.epochs, batch_size=config.batch_size, averaging=0.995, **common)
    flow = FlowGenerator(shape, counting, flowing, seed, device)
    found: dict[str, Generator] = {"flow": flow, "unprojected": Unprojected(flow)}
    if len(config.projectiles) * len(config.targets) == 1:
        steps = config.gan_epochs * config.events / GANOptions().batch_size
        averaging = min(max(1 - 20 / steps, 0), 0.999)  # over a twentieth of a short training
        options = GANOptions(epochs=config.gan_epochs, width=config.gan_width, averaging=averaging)
        found["gan"] = InteractionGAN("GAN, as published", options, seed, None, device)
        found["conserving_gan"] = InteractionGAN("GAN with our kinds and projection", options, seed, flow, device)
    found |= {
        "parametrisation": HadronParametrisation(),
        "resampling": EventResampling(),
    }
    if config.model != OWN:
        found["again"] = SimulatorAgain(config.model)
    return found


# --- measures ---------------------------------------------------------------------------------------------------------


def rows(
    config: InteractionConfig,
    sample: str, train: Events | None, truth: Events, made: Mapping[str, Events],
    rng: np.random.Generator,
) -> list[Row]:  # fmt: skip
    """Rows of metrics of the test events ("test"), a probe, or a user's events ("own").

    Of the probe "grid" there is one set for each projectile, target and energy.

    Args:
        config: of the run.
        sample: its name.
        train: what the generators learned from, with the test events only.
        truth: events of the simulator.
        made: by generator, events of the same conditions.
        rng: of classifiers and bootstrap.
    """
    from cloudchamber.metrics.interaction_rows import interaction_rows, memory_rows, rows_per_condition

    if sample == GRID:
        each = rows_per_condition(truth, made, rng, energies=GRID_ENERGIES, least=LEAST)
        return interaction_rows(sample, truth, made, rng, particles=False) + each
    found = interaction_rows(sample, truth, made, rng, particles=sample == "test")
    return found if train is None else found + memory_rows(sample, made, train, truth, rng)


# --- the studies ------------------------------------------------------------------------------------------------------


def study_of(
    *,
    name: str,
    title: str,
    question: str,
    presets: Mapping[str, InteractionConfig],
    records_per_chunk: int,
    probes: Mapping[str, Probe],
    citation: str,
) -> GeneratorStudy:
    """A study of hadronic interactions: what is particular to it, with what they share; arguments as its fields."""
    return GeneratorStudy(
        name=name,
        title=title,
        question=question,
        reference="arXiv:2310.07553, arXiv:2210.02747, arXiv:2301.08128",
        presets=presets,
        schema=EVENT_SCHEMA,
        lengths=lambda _: dict(LENGTHS),
        records=lambda config: config.events,
        records_per_chunk=records_per_chunk,
        simulate=simulate,
        events=events_of,
        joined=joined,
        condition=condition,
        outside=outside,
        fitting=fitting,
        wanted=wanted,
        generators=generators,
        rows=rows,
        read=read,
        writer=event_writer,
        headline=("flow", "all", "auc"),
        probes=probes,
        sections=sections,
        citation=citation,
        extras=("geant4",),
    )


def sections(run: Path, config: InteractionConfig, titles: Mapping[str, str]) -> list[Section]:
    """The report's sections."""
    from cloudchamber.report.interactions import interaction_sections

    def held_out(projectile: str, target: str, energy: float) -> bool:
        untrained = bool(_untrained(config, np.array([energy]))[0])
        return untrained or target not in config.targets or projectile not in config.projectiles

    return interaction_sections(run, titles, held_out)
