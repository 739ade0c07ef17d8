"""A study that takes no time: how wide is a Gaussian, from the numbers drawn from it. Tests load it by its path.

``TOY_JOURNAL`` names a file to which a chunk writes when it starts and ends; ``TOY_GATE`` a file without which chunks
from record 24 on do not end.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.metrics.rows import Row
from cloudchamber.schema import Array, Arrays, Config
from cloudchamber.study import Predictor, PredictorStudy


class ToyConfig(Config):
    """What is simulated."""

    records: int = Field(60, ge=1, description="records of the full data set")
    events: int = Field(50, ge=2, description="numbers a record")
    widest: float = Field(2.0, gt=1, description="largest width")
    spoiled: str = Field("", description="name of a column that the simulator gets wrong")


def journal(word: str, first: int) -> None:
    if "TOY_JOURNAL" in os.environ:
        with Path(os.environ["TOY_JOURNAL"]).open("a") as file:
            file.write(f"{os.getpid()} {word} {first}\n")


def simulate(config: ToyConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    journal("starts", first)
    while first >= 24 and "TOY_GATE" in os.environ and not Path(os.environ["TOY_GATE"]).exists():
        time.sleep(0.01)
    rng = np.random.default_rng(seeds)
    width = rng.uniform(1, config.widest, count)
    value = rng.normal(0, width[:, None], (count, config.events))
    arrays: Arrays = {"number": first + np.arange(count), "width": width, "value": value}
    if config.spoiled:
        arrays[config.spoiled] = np.full(count, np.nan)
    journal("ends", first)
    return arrays


def inputs(config: ToyConfig, records: Arrays, rng: np.random.Generator | None) -> Inputs:
    value = records["value"] if rng is None else rng.permuted(records["value"], axis=1)[:, : config.events * 9 // 10]
    return np.asarray(value.std(axis=1, keepdims=True), np.float32)


class Mean:
    title = "training mean"
    kind = "floor"

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        np.save(directory / "mean.npy", train.targets.mean(axis=0))
        self.restore(directory)

    def restore(self, directory: Path) -> None:
        self.mean = np.load(directory / "mean.npy")

    def predict(self, inputs: Inputs) -> Prediction:
        return Prediction(np.repeat(self.mean[None], len(inputs), axis=0))


class Spread:
    title = "standard deviation"
    kind = "baseline"

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None: ...

    def restore(self, directory: Path) -> None: ...

    def predict(self, inputs: Inputs) -> Prediction:
        return Prediction(inputs)


def predictors(config: ToyConfig, seed: int, device: str) -> dict[str, Predictor]:
    return {"mean": Mean(), "spread": Spread()}


def rows(truth: NDArray[np.float32], predictions: Mapping[str, Prediction], rng: np.random.Generator) -> list[Row]:
    found: list[Row] = []
    for name, prediction in predictions.items():
        off = np.abs(prediction.mean - truth)[:, 0]
        error = float(off.std() / np.sqrt(len(off)))
        row = {"predictor": name, "target": "width", "metric": "mae", "value": float(off.mean()), "error": error}
        found.append(row | {"n": len(off), "unit": ""})
    return found


study = PredictorStudy(
    name="toy",
    title="Toy",
    question="How wide is a Gaussian?",
    reference="doi:10.0000/toy",
    presets={"tiny": ToyConfig(), "quick": ToyConfig(records=200)},
    schema={
        "number": Array("record", "", "number of the record", dtype="int64", low=0),
        "width": Array("record", "fm", "width of the Gaussian", low=1),
        "value": Array("record event", "fm", "numbers drawn from it"),
    },
    lengths=lambda config: {"event": config.events},
    records=lambda config: config.records,
    records_per_chunk=8,
    simulate=simulate,
    input=Array("record spread", "fm", "standard deviation of the numbers"),
    input_name="spread",
    inputs=inputs,
    targets=lambda config, records: records["width"][:, None],
    target_names=("width",),
    target_unit="fm",
    predictors=predictors,
    rows=rows,
    headline=("spread", "width", "mae"),
)
