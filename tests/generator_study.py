"""A study of generators that takes no time: a pion hits a proton, and photons share its four-momentum equally.

Only their number is random: 1 + Poisson(kinetic energy / ``scale``). Tests load it by its path. ``TOY_STOP`` names a
generator whose fit is interrupted. Conventions: GeV.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cloudchamber.data.interactions import event_writer, read_events
from cloudchamber.metrics.rows import Row
from cloudchamber.schema import Array, Arrays, BadInput, Config, did_you_mean
from cloudchamber.simulators.hadronic.events import Beam, Events, joined
from cloudchamber.study import Generator, GeneratorStudy, Probe

PION, PROTON, PHOTON = 0.1395704, 0.9382721, 22
ENERGIES = (1.0, 20.0)


class ShowerConfig(Config):
    """What is simulated."""

    events: int = Field(60, ge=1, description="events of the full data set")
    scale: float = Field(10.0, gt=0, description="kinetic energy of one more photon [GeV]")


def beam_of(energy: NDArray[np.float64]) -> Beam:
    n = len(energy)
    one = np.ones(n, np.int32)
    return Beam(211 * one, one, energy, np.tile([0.0, 0.0, 1.0], (n, 1)))


def shared(beam: Beam, count: NDArray[np.int64]) -> Events:
    """Events of ``count`` photons each."""
    energy = beam.kinetic_energy
    momentum = np.sqrt(energy * (energy + 2 * PION))[:, None] * beam.direction
    incoming = np.concatenate([(energy + PION + PROTON)[:, None], momentum], axis=1)
    offsets = np.concatenate([[0], np.cumsum(count)])
    return Events(
        beam, np.full(len(beam), 2212, np.int32), incoming, np.ones(len(beam), np.uint8), offsets,
        np.full(offsets[-1], PHOTON, np.int32), np.repeat(incoming / count[:, None], count, axis=0),
    )  # fmt: skip


def simulate(config: ShowerConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    rng = np.random.default_rng(seeds)
    energy = rng.uniform(*ENERGIES, count)
    events = shared(beam_of(energy), 1 + rng.poisson(energy / config.scale))
    return {"kind": events.kind, "momentum": events.momentum, "count": events.count, "kinetic_energy": energy}


def events(arrays: Arrays) -> Events:
    return shared(beam_of(arrays["kinetic_energy"]), arrays["count"].astype(np.int64))


class Photons:
    """1 + Poisson(kinetic energy / scale) photons; the scale is known to the floor and measured by the baseline."""

    def __init__(self, name: str, kind: str, scale: float) -> None:
        self.name, self.kind, self.scale = name, kind, scale
        self.title = f"{name} of photons"

    def fit(self, train: Events, validation: Events, directory: Path) -> None:
        with (directory / "fits").open("a") as file:
            file.write("fit\n")
        if os.environ.get("TOY_STOP") == self.name:
            raise KeyboardInterrupt
        if self.kind == "baseline":
            self.scale = float(train.beam.kinetic_energy.sum() / (train.count - 1).sum())
        (directory / "scale.json").write_text(json.dumps(self.scale))

    def restore(self, directory: Path) -> None:
        self.scale = float(json.loads((directory / "scale.json").read_text()))

    def sample(self, condition: Beam, rng: np.random.Generator) -> Events:
        if condition.kinetic_energy.max() > 1000:
            raise BadInput("energies above 1000 GeV: nothing was learned there")
        return shared(condition, 1 + rng.poisson(condition.kinetic_energy / self.scale))


def generators(config: ShowerConfig, seed: int, device: str) -> dict[str, Generator]:
    return {"again": Photons("again", "floor", config.scale), "measured": Photons("measured", "baseline", 1.0)}


def wanted(config: ShowerConfig, settings: Mapping[str, str], n: int, extrapolate: bool) -> Beam:
    for name in settings:
        if name != "energy":
            raise BadInput(f"unknown setting {name!r}{did_you_mean(name, ['energy'])}", status=2)
    energy = float(settings.get("energy", "10"))
    beam = beam_of(np.full(n, energy))
    if not extrapolate and outside(config, beam)["energy"].any():
        raise BadInput(f"energy = {energy:g} GeV: trained from 1 to 20 GeV; --extrapolate goes beyond", status=2)
    return beam


def outside(config: ShowerConfig, beam: Beam) -> dict[str, NDArray[np.bool_]]:
    return {"energy": (beam.kinetic_energy < ENERGIES[0]) | (beam.kinetic_energy > ENERGIES[1])}


def fitting(config: ShowerConfig, own: Events) -> ShowerConfig:
    return config.changed({"events": len(own)})


def rows(
    config: ShowerConfig, sample: str, train: Events | None, truth: Events, made: Mapping[str, Events],
    rng: np.random.Generator,
) -> list[Row]:  # fmt: skip
    assert (train is not None) == (sample == "test")
    fast = truth.beam.kinetic_energy > 10
    found: list[Row] = []
    for name, new in made.items():
        for part, chosen in ((sample, np.ones(len(truth), bool)), (f"{sample}, fast", fast)):
            off = (new.count - truth.count)[chosen]
            row = {"predictor": name, "sample": part, "target": "n", "metric": "mean_difference"}
            row |= {"value": float(off.mean()), "error": float(off.std() / np.sqrt(len(off))), "n": len(off)}
            found.append(row | {"unit": ""})
    return found


def gallery(config: ShowerConfig, shown: Events) -> Arrays:
    return {"count": shown.count}


def mean_count(config: ShowerConfig, known: Mapping[str, Generator], test: Events, rng: np.random.Generator) -> Arrays:
    condition = test.beam.repeated(50)
    return {name: one.sample(condition, rng).count.mean()[None] for name, one in known.items()}


study = GeneratorStudy(
    name="photons",
    title="Photons that share",
    question="How many photons?",
    reference="doi:10.0000/photons",
    presets={"tiny": ShowerConfig(), "quick": ShowerConfig(events=200)},
    schema={
        "kind": Array("particle", "", "PDG code", "int32", of="count"),
        "momentum": Array("particle four", "GeV", "E, px, py, pz", "float64", of="count"),
        "count": Array("event", "", "photons", "int64", low=0),
        "kinetic_energy": Array("event", "GeV", "of the pion", "float64", low=0),
    },
    lengths=lambda config: {"four": 4},
    records=lambda config: config.events,
    records_per_chunk=16,
    simulate=simulate,
    probes={"many": Probe("twice the photons", lambda c: c.changed({"scale": c.scale / 2}), lambda c: 20)},
    events=events,
    joined=joined,
    condition=lambda events: events.beam,
    outside=outside,
    fitting=fitting,
    wanted=wanted,
    generators=generators,
    rows=rows,
    read=lambda path: read_events(path)[0],
    writer=event_writer,
    gallery=gallery,
    explanations={"mean_count": mean_count},
    headline=("measured", "n", "mean_difference"),
)
