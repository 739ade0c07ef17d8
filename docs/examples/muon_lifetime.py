"""A study in one file: the muon's lifetime from the decay times that a stopping counter records.

The worked example of CONTRIBUTING.md; run it with ``cloudchamber run docs/examples/muon_lifetime.py --preset tiny``.
Conventions: times in microseconds; a record is one experiment with a true lifetime between 1 and 4 us, a flat
background of 10 % and a gate of 10 us.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.schema import Array, Arrays, Config
from cloudchamber.study import Predictor, PredictorStudy, Row

GATE, BACKGROUND, BINS = 10.0, 0.1, 20


class MuonLifetimeConfig(Config):
    """What is simulated and learned."""

    experiments: int = Field(400, ge=10, description="records")
    decays: int = Field(500, ge=10, description="decays an experiment")


def simulate(config: MuonLifetimeConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    """The physics: numpy, the generator as an argument, one record an experiment."""
    rng = np.random.default_rng(seeds)
    lifetime = rng.uniform(1, 4, count)
    signal = -lifetime[:, None] * np.log1p(
        -rng.random((count, config.decays)) * (1 - np.exp(-GATE / lifetime[:, None]))
    )
    flat = rng.uniform(0, GATE, signal.shape)
    time = np.where(rng.random(signal.shape) < BACKGROUND, flat, signal)
    return {"lifetime": lifetime.astype(np.float32), "time": time.astype(np.float32)}


def histogram(config: MuonLifetimeConfig, records: Arrays, rng: np.random.Generator | None) -> Inputs:
    """What predictors read: (experiment, bin); with a generator from a random 90 % of the decays."""
    time = records["time"]
    used = np.ones(time.shape, bool) if rng is None else rng.random(time.shape) < 0.9
    column = np.minimum(time * (BINS / GATE), BINS - 1).astype(int)
    counts = np.stack([np.bincount(row[keep], minlength=BINS) for row, keep in zip(column, used, strict=True)])
    return (counts / counts.sum(1, keepdims=True)).astype(np.float32)


class MaximumLikelihood:
    """The physicist's method: the lifetime that maximises the likelihood of the binned times."""

    title = "maximum likelihood"
    kind = "baseline"

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Nothing to learn: the model is known."""

    def restore(self, directory: Path) -> None:
        """Nothing to restore."""

    def predict(self, inputs: Inputs) -> Prediction:
        """Best lifetime (experiment, 1) on a fine grid."""
        grid, edges = np.linspace(0.8, 4.5, 400)[:, None], np.linspace(0, GATE, BINS + 1)
        decay = np.diff(-np.exp(-edges / grid), axis=1) / (1 - np.exp(-GATE / grid))
        logarithm = np.log((1 - BACKGROUND) * decay + BACKGROUND / BINS)
        return Prediction(grid[(inputs @ logarithm.T).argmax(1)].astype(np.float32))


def predictors(config: MuonLifetimeConfig, seed: int, device: str) -> dict[str, Predictor]:
    """The floor, a statistical learner and the physicist's method."""
    from cloudchamber.baselines.linear import Ridge
    from cloudchamber.baselines.mean import TrainingMean

    return {
        "mean": TrainingMean(),
        "ridge": Ridge(lambda inputs: inputs.astype(np.float64), "ridge on the histogram"),
        "likelihood": MaximumLikelihood(),
    }


def rows(truth: NDArray[np.float32], predictions: Mapping[str, Prediction], rng: np.random.Generator) -> list[Row]:
    """Mean absolute error of each predictor."""
    from cloudchamber.metrics.regression import mae

    found = []
    for name, prediction in predictions.items():
        one = mae(truth[:, 0], prediction.mean[:, 0], rng)
        found.append(
            {
                "predictor": name,
                "target": "lifetime",
                "metric": "mae",
                "value": one.value,
                "error": one.error,
                "n": one.n,
            }
            | {"unit": "us"}
        )
    return found


study = PredictorStudy(
    name="muon-lifetime",
    title="The lifetime of the muon",
    question="How well does a histogram of decay times tell the lifetime?",
    reference="doi:10.1093/ptep/ptac097",  # Review of Particle Physics 2022
    presets={"tiny": MuonLifetimeConfig(experiments=100, decays=200), "quick": MuonLifetimeConfig()},
    schema={
        "lifetime": Array("experiment", "us", "true lifetime", low=0),
        "time": Array("experiment decay", "us", "time between stop and decay", low=0, high=GATE),
    },
    lengths=lambda config: {"decay": config.decays},
    records=lambda config: config.experiments,
    records_per_chunk=50,
    simulate=simulate,
    input_name="histogram",
    input=Array("experiment bin", "", "fraction of the decays in a bin of time"),
    input_lengths=lambda config: {"bin": BINS},
    inputs=histogram,
    targets=lambda config, records: records["lifetime"][:, None],
    target_names=("lifetime",),
    target_unit="us",
    predictors=predictors,
    rows=rows,
    headline=("likelihood", "lifetime", "mae"),
)
