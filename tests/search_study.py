"""A study with a search space: a line through noisy points by ridge regression. Tests load it by its path.

``SEARCH_GATE`` names a file without which the fit of the second trial and later ones does not end.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.metrics.rows import Row
from cloudchamber.schema import Array, Arrays, Config, Learning
from cloudchamber.study import Predictor, PredictorStudy, SearchSpace


class LineConfig(Config):
    """What is simulated, and how it is fitted."""

    records: int = Field(80, ge=1, description="records of the full data set")
    penalty: Learning[float] = Field(0.0, ge=0, description="of the squared slope")
    powers: Learning[tuple[int, ...]] = Field((1,), description="powers of the position that the fit has")
    colour: Learning[str] = Field("red", description="does nothing")
    doomed: Learning[bool] = Field(False, description="whether the fit fails")

    @model_validator(mode="after")
    def fits(self) -> LineConfig:
        if self.colour == "blue" and self.powers == (2,):
            raise ValueError("blue has no square")
        return self


def simulate(config: LineConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    rng = np.random.default_rng(seeds)
    position = rng.uniform(-1, 1, count)
    return {"position": position[:, None], "height": 2 * position + 0.1 * rng.normal(size=count)}


class Line:
    """Ridge regression on powers of the position."""

    title = "ridge"
    kind = "baseline"

    def __init__(self, config: LineConfig) -> None:
        self.config = config

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        with (directory / "begun").open("a") as file:
            file.write("x")
        trials = directory.parent
        later = trials.name == "trials" and directory.name != "00000"
        while later and "SEARCH_GATE" in os.environ and not Path(os.environ["SEARCH_GATE"]).exists():
            time.sleep(0.01)
        if self.config.doomed:
            raise RuntimeError("doomed")
        powers = self.features(train.inputs())
        normal = powers.T @ powers + self.config.penalty * np.eye(powers.shape[1])
        self.weights = np.linalg.solve(normal, powers.T @ train.targets)

    def features(self, inputs: Inputs) -> NDArray[np.float64]:
        return inputs[:, :1].astype(np.float64) ** np.array(self.config.powers)

    def restore(self, directory: Path) -> None: ...

    def predict(self, inputs: Inputs) -> Prediction:
        return Prediction((self.features(inputs) @ self.weights).astype(np.float32))


def predictors(config: LineConfig, seed: int, device: str) -> dict[str, Predictor]:
    return {"line": Line(config)}


def rows(truth: NDArray[np.float32], predictions: Mapping[str, Prediction], rng: np.random.Generator) -> list[Row]:
    off = {name: np.abs(prediction.mean - truth)[:, 0] for name, prediction in predictions.items()}
    return [
        {
            "predictor": name, "target": "height", "metric": "mae", "value": float(value.mean()),
            "error": float(value.std() / np.sqrt(len(value))), "n": len(value), "unit": "",
        }
        for name, value in off.items()
    ]  # fmt: skip


study = PredictorStudy(
    name="line",
    title="Line",
    question="How steep is a line?",
    reference="doi:10.0000/line",
    presets={"tiny": LineConfig(), "quick": LineConfig(records=200)},
    schema={
        "position": Array("record axis", "cm", "where"),
        "height": Array("record", "cm", "how high"),
    },
    lengths=lambda config: {"axis": 1},
    records=lambda config: config.records,
    records_per_chunk=40,
    simulate=simulate,
    input=Array("record axis", "cm", "where"),
    input_name="where",
    inputs=lambda config, records, rng: records["position"].astype(np.float32),
    targets=lambda config, records: records["height"][:, None].astype(np.float32),
    target_names=("height",),
    target_unit="cm",
    predictors=predictors,
    rows=rows,
    headline=("line", "height", "mae"),
    search=SearchSpace(
        choices={
            "penalty": (1e-3, 1e3, "log"),
            "powers": ((1,), (2,), (1, 2)),
            "colour": ("red", "blue"),
        },
        predictor="line",
        target="height",
        metric="mae",
        direction="minimize",
        changes={"records": 60},
    ),
)
