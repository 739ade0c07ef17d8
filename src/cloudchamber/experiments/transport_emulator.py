"""The emulator of nuclear collisions, as an experiment: settings, conditions, generators and their rows.

Records are those of ``experiments.transport_mixture``; events are ``data.collisions.Collisions``, conditions are
``Entrance``. The flow is trained twice: once on all, once without the energy of the main collision, which it must then
find between the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cloudchamber.data.collisions import (
    Collisions,
    Entrance,
    collisions_of,
    read_collisions,
)
from cloudchamber.data.shards import read_attributes, read_shard
from cloudchamber.experiments.transport import SCHEMA
from cloudchamber.experiments.transport_mixture import MixtureConfig, channels_of
from cloudchamber.farm import code_hash
from cloudchamber.metrics.rows import Row
from cloudchamber.schema import BadInput, Learning, did_you_mean, finite_number
from cloudchamber.simulators.transport.entrance_channel import HIGHEST_ENERGY, LOWEST_ENERGY, EntranceChannel
from cloudchamber.simulators.transport.masses import nucleus_of
from cloudchamber.study import Generator, load_study

if TYPE_CHECKING:
    from cloudchamber.report.page import Section

WANTED = ("b", "energy", "projectile", "target")
"""Settings of ``cloudchamber generate``."""
SAME = 1e-4
"""MeV per nucleon, and fm, by which a condition may be beyond the training's: files round."""
FEWEST = 20
"""Events of a run."""


class EmulatorConfig(MixtureConfig):
    """Settings of the emulator."""

    width: Learning[int] = Field(64, ge=4, le=4096, description="of a nucleus' vector in the flow's network")
    pooled: Learning[int] = Field(32, ge=4, le=4096, description="of an event's vector in the flow's network")
    layers: Learning[int] = Field(3, ge=1, le=100, description="of the flow's network")
    count_width: Learning[int] = Field(64, ge=4, le=4096, description="of the networks of fragments, means and widths")
    steps: Learning[int] = Field(3, ge=1, le=1000, description="midpoint steps of the flow, two evaluations each")
    count_epochs: Learning[int] = Field(60, ge=1, description="passes for fragments, means and widths")
    epochs: Learning[int] = Field(60, ge=1, description="passes for the flow")
    batch_size: Learning[int] = Field(256, ge=2, description="events a step")
    learning_rate: Learning[float] = Field(4e-3, gt=0, le=1, description="highest learning rate of the flow")
    vae_epochs: Learning[int] = Field(40, ge=1, description="passes for the variational autoencoder of histograms")
    graph_epochs: Learning[int] = Field(40, ge=1, description="passes for that of graphs")
    latent: Learning[int] = Field(8, ge=1, le=256, description="dimensions of the latent space of both")
    asked: Learning[int] = Field(2000, ge=20, description="events of each generator that are timed")


# --- events and conditions --------------------------------------------------------------------------------------------


def events(arrays: Mapping[str, NDArray[Any]]) -> Collisions:
    """Events of records."""
    return collisions_of(arrays)


def condition(events: Collisions) -> Entrance:
    """Under which events were made."""
    return events.entrance


def read(path: Path) -> Collisions:
    """Events of a user's file: what ``cloudchamber sim transport`` or ``cloudchamber generate`` wrote.

    Raises:
        BadInput: no such file, another kind of file, or one of another version of the simulator.
    """
    if not path.is_file():
        raise BadInput(f"no file {path}", status=2)
    arrays = read_shard(path)
    if "fragment_A" not in arrays:
        return read_collisions(path)[0]
    made_by, ours = read_attributes(path).get("code"), code_hash(load_study("transport"))
    if made_by not in (ours, code_hash(load_study("transport-emulator"))):
        raise BadInput(
            f"{path} was simulated by another version of the simulator ({made_by}, this one is {ours}): simulate it"
            " again, as events of different versions must not be mixed"
        )
    if missing := sorted(SCHEMA.keys() - arrays.keys()):
        raise BadInput(f"{path} has no column {missing[0]!r}: give a file of `cloudchamber sim transport`")
    return collisions_of(arrays)


def fitting(config: EmulatorConfig, events: Collisions) -> EmulatorConfig:
    """The configuration of a run that learns from a user's events: what they hold, whatever was set.

    Raises:
        BadInput: too few events, or events that were not simulated.
    """
    if events.simulated is None:
        raise BadInput(
            "these events are whole nuclei; learning needs what the simulator had before rounding: give a file of"
            " `cloudchamber sim transport`"
        )
    if len(events) < FEWEST:
        raise BadInput(f"{len(events)} events: a run needs at least {FEWEST}")
    channels, number = events.entrance.channels
    main = channels[int(np.bincount(number).argmax())]
    energies = {one.energy for one in channels if one.energy != main.energy}
    pairs = {(one.projectile, one.target) for one in channels} - {(main.projectile, main.target)}
    impact = events.entrance.impact_parameter
    return config.changed(
        {
            "records": len(events), "projectile": name_of(main.projectile), "target": name_of(main.target),
            "energy": main.energy, "energies": tuple(sorted(energies)),
            "systems": tuple(sorted(f"{name_of(one)}+{name_of(other)}" for one, other in pairs)),
            "lowest_impact_parameter": float(np.floor(impact.min() * 10) / 10),
            "highest_impact_parameter": float(np.ceil(impact.max() * 10) / 10),
        }
    )  # fmt: skip


def name_of(nucleus: tuple[int, int]) -> str:
    """Such as C12."""
    from periodictable import elements

    A, Z = nucleus
    return f"{elements[Z].symbol}{A}"


def outside(config: EmulatorConfig, entrance: Entrance) -> dict[str, NDArray[np.bool_]]:
    """Which entries of a condition (event,) lie outside the training, in nuclei, energy and impact parameter."""
    pairs = {(*one.projectile, *one.target) for one in channels_of(config)}
    nuclei = np.column_stack([entrance.projectile, entrance.target])
    (low, high), b = energy_range(config), entrance.impact_parameter
    return {
        "nuclei": np.array([tuple(row) not in pairs for row in nuclei.tolist()], np.bool_),
        "energy": (entrance.energy < low - SAME) | (entrance.energy > high + SAME),
        "impact parameter": (b < config.lowest_impact_parameter - SAME) | (b > config.highest_impact_parameter + SAME),
    }


def energy_range(config: EmulatorConfig) -> tuple[float, float]:
    """Lowest and highest energy of the training [MeV per nucleon]."""
    energies = [one.energy for one in channels_of(config)]
    return min(energies), max(energies)


def wanted(config: EmulatorConfig, settings: Mapping[str, str], n: int, extrapolate: bool) -> Entrance:
    """The conditions that ``cloudchamber generate`` asks for.

    Without ``b`` impact parameters are as in nature, ``b_max sqrt((i + 1/2) / n)`` for the event i of n.

    Raises:
        BadInput: unknown settings, numbers that are none, or conditions that the training did not have; status 2.
    """
    for name in settings:
        if name not in WANTED:
            raise BadInput(f"unknown setting {name!r}{did_you_mean(name, WANTED)}", status=2)
    projectile, target = (_nucleus(settings.get(name, getattr(config, name))) for name in ("projectile", "target"))
    energy = finite_number(settings["energy"], "energy") if "energy" in settings else config.energy
    if not LOWEST_ENERGY <= energy <= HIGHEST_ENERGY:
        raise BadInput(
            f"energy {energy:g} MeV per nucleon: transport holds from {LOWEST_ENERGY:g} to {HIGHEST_ENERGY:g}", status=2
        )
    low, high = config.lowest_impact_parameter, config.highest_impact_parameter
    if "b" in settings:
        b = np.full(n, finite_number(settings["b"], "b"))
        if b[0] < 0:
            raise BadInput(f"b {b[0]:g} fm: give an impact parameter of at least 0", status=2)
    else:
        b = np.sqrt(low**2 + (high**2 - low**2) * (np.arange(n) + 0.5) / n)
    EntranceChannel(projectile, target, energy)  # refuses what does not exist
    found = Entrance(np.tile(projectile, (n, 1)), np.tile(target, (n, 1)), np.full(n, energy), b)
    if not extrapolate:
        first = found.ordered(np.arange(min(n, 1)))
        beyond = [name for name, marked in outside(config, first).items() if marked.any()]
        if beyond:
            raise BadInput(f"{beyond[0]} outside the training ({_trained(config)}): add --extrapolate", status=2)
    return found


def _nucleus(name: str) -> tuple[int, int]:
    try:
        return nucleus_of(name)
    except BadInput as error:
        raise BadInput(str(error), status=2) from None


def _trained(config: EmulatorConfig) -> str:
    pairs = dict.fromkeys(f"{name_of(one.projectile)}+{name_of(one.target)}" for one in channels_of(config))
    low, high = energy_range(config)
    energies = f"{low:g} to {high:g}" if low < high else f"{low:g}"
    b = f"{config.lowest_impact_parameter:g} to {config.highest_impact_parameter:g}"
    return f"{', '.join(pairs)}; {energies} MeV per nucleon; b from {b} fm"


# --- generators -------------------------------------------------------------------------------------------------------


def generators(config: EmulatorConfig, seed: int, device: str) -> dict[str, Generator]:
    """Every generator, by name in the order of tables."""
    from cloudchamber.baselines.collision_histograms import CollisionHistograms
    from cloudchamber.baselines.collision_resampling import CollisionResampling
    from cloudchamber.baselines.validation_again import ValidationAgain
    from cloudchamber.learning import collision_graph_vae, phase_space_vae
    from cloudchamber.learning.collision_flow import CollisionFlowGenerator, CollisionFlowShape
    from cloudchamber.learning.options import TrainingOptions

    shape = CollisionFlowShape(config.width, config.pooled, config.layers, config.count_width, config.steps)
    # a smaller clip would weight the events: gradients of batches of central collisions are longer
    common = {"batch_size": config.batch_size, "clip": 100.0, "weight_decay": 0.01}
    counting = TrainingOptions(epochs=config.count_epochs, learning_rate=3e-3, averaging=0.99, **common)
    flowing = TrainingOptions(epochs=config.epochs, learning_rate=config.learning_rate, averaging=0.995, **common)
    found: dict[str, Generator] = {"flow": CollisionFlowGenerator(shape, counting, flowing, seed, device)}
    if config.energies:
        title = f"flow matching, never shown {config.energy:g} MeV per nucleon"
        # as many steps of training as the other, on fewer events
        others = len(config.energies) + len(config.systems)
        more = round((config.share + others) / others)
        first, second = (one.changed({"epochs": more * one.epochs}) for one in (counting, flowing))
        found["held_out"] = CollisionFlowGenerator(shape, first, second, seed, device, config.energy, title)
    images = phase_space_vae.PhaseSpaceVAE(
        seed, phase_space_vae.SIZES._replace(latent=config.latent),
        phase_space_vae.OPTIONS.changed({"epochs": config.vae_epochs}), device=device,
    )  # fmt: skip
    graphs = collision_graph_vae.CollisionGraphGenerator(
        collision_graph_vae.SIZES._replace(latent=config.latent),
        collision_graph_vae.STANDARD.changed({"epochs": config.graph_epochs}), seed, device,
    )  # fmt: skip
    return found | {
        "vae": images,
        "graph_vae": graphs,
        "histograms": CollisionHistograms(),
        "resampling": CollisionResampling(),
        "again": ValidationAgain(),
    }


# --- measures ---------------------------------------------------------------------------------------------------------


def rows(
    config: EmulatorConfig,
    sample: str, train: Collisions | None, truth: Collisions, made: Mapping[str, Collisions],
    rng: np.random.Generator,
) -> list[Row]:  # fmt: skip
    """Rows of metrics of the test events ("test"), a probe, or a user's events ("own").

    Args:
        config: of the run.
        sample: its name.
        train: what the generators learned from, with the test events only.
        truth: events of the simulator.
        made: by generator, events of the same conditions.
        rng: of classifiers, decays and bootstrap.
    """
    from cloudchamber.metrics.collision_isotopes import isotope_rows
    from cloudchamber.metrics.collision_rows import collision_rows, memory_rows

    found = collision_rows(sample, truth, made, rng)
    # cross sections need impact parameters that are uniform from 0: of a user's events nobody knows that
    if sample != "own" and config.lowest_impact_parameter == 0:
        found += isotope_rows(sample, truth, made, rng, largest_impact_parameter=config.highest_impact_parameter)
    return found if train is None else found + memory_rows(sample, made, train, truth, rng)


def sections(run: Path, config: EmulatorConfig, titles: Mapping[str, str]) -> list[Section]:
    """The report's sections."""
    from cloudchamber.report.collisions import collision_sections

    return collision_sections(run, titles)
