"""Fitting a function: least squares, a spline, a Gaussian process, and a network of seven layers of twenty nodes.

The first examples of every lecture on networks, on points of one function that are measured with known errors: a
straight line with its covariance, and the fully connected network with ReLU that approximates any function (Cybenko,
doi:10.1007/BF02551274; Hornik, doi:10.1016/0893-6080(91)90009-T), trained by backpropagation (Rumelhart, Hinton,
Williams, doi:10.1038/323533a0) with Adam (Kingma, Ba, arXiv:1412.6980). x and y have no unit; a record is a point.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cloudchamber.data.function_points import COLUMNS, OUTSIDE, POINT_INPUT, point_inputs, resonance
from cloudchamber.data.samples import Inputs, Prediction
from cloudchamber.metrics.measured import Values, bootstrap
from cloudchamber.metrics.rows import Row, regression_rows
from cloudchamber.schema import Arrays, BadInput, Config, Learning
from cloudchamber.study import Predictor, PredictorStudy, Probe, late

GRID_POINTS = 400
"""Points of a probe: so dense that they are the function."""
FEWEST = 30
"""Points from which something is learned when some of them are held back to validate and to test."""


class FunctionConfig(Config):
    """What is measured and learned."""

    records: Learning[int] = Field(100, ge=FEWEST, description="measured points")
    error: float = Field(0.1, ge=0, description="of a measurement, on average; each point has 0.5 to 1.5 times it")
    nearest: float = Field(0.0, ge=0, description="smallest abs(x) of a point")
    farthest: float = Field(1.0, gt=0, description="largest abs(x) of a point")
    members: Learning[int] = Field(5, ge=1, description="networks, which differ by their random start")
    steps: Learning[int] = Field(10_000, ge=10, description="of the training of the networks")
    learning_rate: Learning[float] = Field(1e-3, gt=0, le=1, description="of Adam")
    scan_steps: Learning[int] = Field(1000, ge=10, description="of each training of the comparison of optimisers")
    scan_members: Learning[int] = Field(3, ge=1, description="starts of each training of that comparison")
    line_repeats: Learning[int] = Field(5000, ge=100, description="repeated measurements of the straight line")
    repeats: Learning[int] = Field(20, ge=2, description="repeated measurements of the function, each fitted anew")
    repeat_steps: Learning[int] = Field(1000, ge=10, description="of the training of the networks on each of them")


def simulate(config: FunctionConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    """Places, errors and measured values (point,) of the function."""
    rng = np.random.default_rng(seeds)
    x = rng.uniform(config.nearest, config.farthest, count) * rng.choice([-1.0, 1.0], count)
    error = config.error * rng.uniform(0.5, 1.5, count)
    x, error = x.astype(np.float32), error.astype(np.float32)
    return {"x": x, "error": error, "y": resonance(x) + error * rng.standard_normal(count)}


def predictors(config: FunctionConfig, seed: int, device: str) -> dict[str, Predictor]:
    """The floor, what everybody would fit, and the networks."""
    from cloudchamber.baselines.gaussian_process import GaussianProcess
    from cloudchamber.baselines.least_squares import Polynomial
    from cloudchamber.baselines.mean import TrainingMean
    from cloudchamber.baselines.smoothing_spline import SmoothingSpline
    from cloudchamber.learning.function_networks import FunctionNetworks

    return {
        "mean": TrainingMean(),
        "line": Polynomial("straight line", 1),
        "polynomial": Polynomial("polynomial"),
        "spline": SmoothingSpline(),
        "gaussian_process": GaussianProcess(seed),
        "network": FunctionNetworks(
            "network, 7 x 20 nodes", NETWORK, config.members, config.steps, config.learning_rate, seed
        ),
    }


def each_its_own(config: FunctionConfig, records: Arrays) -> NDArray[np.int64]:
    """A group for every point (point,): any of them may be held back.

    Args:
        config: of the study, which plays no part: the number of a user's own points is not a setting.
        records: the column ``y``.

    Raises:
        BadInput: fewer than FEWEST points.
    """
    count = len(records["y"])
    if count < FEWEST:
        raise BadInput(f"{count} points are too few to hold some back: give at least {FEWEST} points")
    return np.arange(count, dtype=np.int64)


NETWORK = (1, *[20] * 7, 1)
"""Nodes from the input to the output: 2581 weights and biases."""


def rmse(truth: Values, said: Values) -> float:
    """Root mean square error, in the unit of y."""
    return float(np.sqrt(np.square(said - truth).mean()))


def rows(truth: NDArray[np.float32], said: Mapping[str, Prediction], rng: np.random.Generator) -> list[Row]:
    """R2, mean absolute error, root mean square error and coverage of every predictor."""
    extra = {"y": lambda true, mean, draw: {"rmse": bootstrap(rmse, true, mean, draw)}}
    return regression_rows(truth, said, rng, ("y",), extra=extra)


def exact_inside(config: FunctionConfig) -> FunctionConfig:
    """Exact values where the training's points are."""
    return config.changed({"error": 0.0})


def exact_outside(config: FunctionConfig) -> FunctionConfig:
    """Exact values beyond the training's points, to 1.5 times as far."""
    return config.changed({"error": 0.0, "nearest": config.farthest, "farthest": OUTSIDE * config.farthest})


def places(inputs: Inputs) -> NDArray[np.float64]:
    """Where the points are (point, 1): beyond the training's places is beyond what was learned."""
    return inputs[:, :1].astype(np.float64)


study = PredictorStudy(
    name="function-fit",
    title="Fitting a function",
    question="How does a network learn a function, and does it fit points better than a spline or a Gaussian process?",
    reference="doi:10.1038/323533a0, arXiv:1412.6980, doi:10.1103/PhysRevD.110.030001",
    presets={
        "tiny": FunctionConfig(
            steps=200, members=2, scan_steps=20, scan_members=1, line_repeats=200, repeats=2, repeat_steps=20
        ),
        "quick": FunctionConfig(),
        "standard": FunctionConfig(steps=100_000),
        "paper": FunctionConfig(steps=100_000, members=20, scan_steps=10_000, scan_members=5, repeats=100),
    },
    schema=COLUMNS,
    truth=("y",),
    simulate=simulate,
    input=POINT_INPUT,
    inputs=point_inputs,
    groups=each_its_own,
    resembles=places,
    target_names=("y",),
    predictors=predictors,
    rows=rows,
    probes={
        "inside": Probe("the function itself, between the points", exact_inside, lambda _: GRID_POINTS),
        "outside": Probe("the function itself, beyond the points", exact_outside, lambda _: GRID_POINTS),
    },
    explanations={
        name: late(f"cloudchamber.explain.{place}")
        for name, place in {
            "line": "least_squares:straight_line",
            "backpropagation": "backpropagation:backpropagation",
            "optimisers": "optimisers:optimisers",
            "approximation": "function_fit:approximation",
            "repeated": "repeated_measurements:repeated_measurements",
        }.items()
    },
    sections=late("cloudchamber.report.function_fit:function_fit_sections"),
    headline=("network", "y", "rmse"),
)
