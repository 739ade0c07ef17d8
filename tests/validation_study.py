"""A validation that takes no time: depths of photons are exponential, and annihilation conserves momentum.

A record is a beam of photons, and as many pairs of photons from positrons at rest. Tests load it by its path.
``TOY_STOP`` names a check that fails; ``TOY_JOURNAL`` a file to which a check writes its name when it starts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cloudchamber.data.store import Dataset
from cloudchamber.metrics.criteria import required
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.rows import row
from cloudchamber.schema import Array, Arrays, Config, Learning
from cloudchamber.study import Check, CheckResult, Probe, ValidationStudy

ELECTRON = 0.51099895
MEASURED = {1.0: (0.607, 0.002), 4.0: (0.135, 0.001)}
"""Depth [cm] to the fraction of photons that went further, "measured" behind 2 cm of mean free path."""


class BeamConfig(Config):
    """What is simulated."""

    records: Learning[int] = Field(40, ge=2, description="beams")
    photons: int = Field(200, ge=2, description="photons of a beam")
    mean_free_path: float = Field(2.0, gt=0, description="mean free path [cm]")


def simulate(config: BeamConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    rng = np.random.default_rng(seeds)
    direction = rng.normal(size=(count, config.photons, 3))
    one = ELECTRON * direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    depth = rng.exponential(config.mean_free_path, (count, config.photons))
    return {"depth": depth, "momentum": np.stack([one, -one], axis=2)}


def column(records: Dataset, name: str) -> NDArray[np.float64]:
    """All of a column."""
    return np.asarray(records.read(np.arange(len(records)), [name])[name], np.float64)


def begins(name: str) -> None:
    if "TOY_JOURNAL" in os.environ:
        with Path(os.environ["TOY_JOURNAL"]).open("a") as file:
            file.write(f"{name}\n")
    if os.environ.get("TOY_STOP") == name:
        raise RuntimeError(f"{name} stops here")


def conservation(
    config: BeamConfig, records: Dataset, probes: Mapping[str, Dataset], seeds: np.random.SeedSequence
) -> CheckResult:
    begins("conservation")
    total = np.abs(column(records, "momentum").sum(axis=2)).max()
    found = Measured(float(total), float("nan"), len(records))
    return CheckResult([required(row("simulated", "momentum", "largest_violation", found, "MeV/c"), high=1e-12)])


def exponential(
    config: BeamConfig, records: Dataset, probes: Mapping[str, Dataset], seeds: np.random.SeedSequence
) -> CheckResult:
    begins("exponential")
    rng = np.random.default_rng(seeds)
    rows = []
    for subject, one, path in (
        ("simulated", records, config.mean_free_path), ("dense", probes["dense"], config.mean_free_path / 2),
    ):  # fmt: skip
        means = column(one, "depth").mean(axis=1) / path
        drawn = rng.choice(means, (400, len(means))).mean(axis=1)
        # a mean of 8000 photons is known to 1.1 %; the range is five times that
        ratio = Measured(float(means.mean()), float(drawn.std()), len(means))
        rows.append(required(row(subject, "depth", "mean_over_analytic", ratio), 0.944, 1.056))
    depths = column(records, "depth").ravel()
    edges = np.linspace(0, 10, 21)
    return CheckResult(rows, {"edges": edges, "counts": np.histogram(depths, edges)[0]})


def data(
    table: Mapping[float, tuple[float, float]], config: BeamConfig, records: Dataset, probes: Mapping[str, Dataset],
    seeds: np.random.SeedSequence,
) -> CheckResult:  # fmt: skip
    begins("data")
    depths = column(records, "depth").ravel()
    rows = []
    for depth, (value, error) in table.items():
        beyond = float((depths > depth).mean())
        simulated = Measured(beyond, float(np.sqrt(beyond * (1 - beyond) / len(depths))), len(depths))
        rows.append(row("simulated", f"beyond_{depth:g}_cm", "fraction", simulated))
        rows.append(row("measured", f"beyond_{depth:g}_cm", "fraction", Measured(value, error, 1)))
    # wrong on purpose: the report has to say that a criterion is not met
    off = Measured(abs(rows[0]["value"] - rows[1]["value"]), rows[0]["error"], len(depths))
    rows.append(required(row("simulated", "all_depths", "difference", off), high=0))
    return CheckResult(rows)


TINY = BeamConfig()

study = ValidationStudy(
    name="beams",
    title="Beams of photons",
    question="Are depths exponential?",
    reference="doi:10.0000/beams",
    presets={"tiny": TINY, "quick": TINY, "standard": TINY, "paper": TINY},
    schema={
        "depth": Array("beam photon", "cm", "where a photon interacts", "float64", low=0),
        "momentum": Array("beam photon two three", "MeV/c", "of the two photons of a pair", "float64"),
    },
    lengths=lambda config: {"photon": config.photons, "two": 2, "three": 3},
    records_per_chunk=16,
    simulate=simulate,
    gallery=lambda config, records: {"depth": column(records, "depth")[0]},
    probes={
        "dense": Probe(
            "twice the density", lambda c: c.changed({"mean_free_path": c.mean_free_path / 2}), lambda c: c.records
        )
    },
    subjects={"simulated": "simulated beams", "dense": "simulated, dense", "measured": "measured beams"},
    checks={
        "conservation": Check("conservation laws", conservation),
        "exponential": Check("analytic depths", exponential),
        "data": Check("data <of nobody>", partial(data, MEASURED)),
    },
    headline=("simulated", "depth", "mean_over_analytic"),
)
