"""The whole measurement again and again: which method is nearer to the function, and whether its band is true.

One set of points has one set of errors, by which any method may be lucky. Here the same places are measured anew, with
new errors; every method is fitted anew to each, and the scatter of its scores is their uncertainty.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cloudchamber.baselines.gaussian_process import GaussianProcess
from cloudchamber.baselines.least_squares import Polynomial
from cloudchamber.baselines.smoothing_spline import SmoothingSpline
from cloudchamber.data.function_points import OUTSIDE, Points, measured, resonance
from cloudchamber.data.samples import Samples
from cloudchamber.learning.function_networks import FunctionNetworks
from cloudchamber.schema import Arrays

PLACES = 201
"""Places between the points' ends, and as many beyond them."""


def repeated_measurements(
    config: Any,
    predictors: Mapping[str, Any],
    test: Samples,  # noqa: ARG001
    rng: np.random.Generator,
) -> Arrays:
    """Every method on repeated measurements of the function, for ``study.LearningStudy.explanations``.

    Returns:
        ``name`` (predictor,); ``inside`` and ``outside`` (repeat, predictor), root mean square errors where the points
        are and beyond; ``covered`` (repeat, predictor), fraction of the places inside at which the function lies within
        one stated standard deviation, and ``covered_outside`` of those beyond.
    """
    network = predictors["network"]
    train = Points.read(network.state)
    held_out = Points.read({name: network.state[f"held_out_{name}"] for name in train.arrays()})
    end = float(config.farthest)
    inside, beyond = np.linspace(-end, end, PLACES), np.linspace(end, OUTSIDE * end, PLACES // 2 + 1)[1:]
    place = np.concatenate([inside, -beyond, beyond])
    inputs = np.stack([place, np.zeros(len(place))], axis=1).astype(np.float32)
    truth = resonance(place)
    away, std = [], []
    for repeat in range(config.repeats):
        seed = network.seed + 1 + repeat
        methods: dict[str, Any] = {
            "polynomial": Polynomial(predictors["polynomial"].title),
            "spline": SmoothingSpline(),
            "gaussian_process": GaussianProcess(seed),
            "network": FunctionNetworks(
                network.title, network.widths, network.members, config.repeat_steps, network.rate, seed
            ),
        }
        samples, validation = measured(train.x, train.error, rng), measured(held_out.x, held_out.error, rng)
        said = []
        with TemporaryDirectory() as home:
            for name, method in methods.items():
                method.fit(samples, validation, Path(home) / name)
                said.append(method.predict(inputs))
        away.append([one.mean[:, 0] - truth for one in said])
        std.append([one.std[:, 0] for one in said if one.std is not None])
    distance, width = np.array(away), np.array(std)
    within = np.arange(len(place)) < PLACES
    return {
        "name": np.array(list(methods)),
        "inside": np.sqrt(np.square(distance[..., within]).mean(axis=-1)),
        "outside": np.sqrt(np.square(distance[..., ~within]).mean(axis=-1)),
        "covered": (np.abs(distance) < width)[..., within].mean(axis=-1),
        "covered_outside": (np.abs(distance) < width)[..., ~within].mean(axis=-1),
    }
