"""Gradient descent, momentum and Adam on the same loss from the same starts, each with a range of learning rates.

To compare optimisers at one learning rate is to compare learning rates: each has its own best one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from cloudchamber.data.function_points import Points
from cloudchamber.data.samples import Samples
from cloudchamber.learning.function_networks import Descent, kept_steps, starts
from cloudchamber.learning.gradient_descent import OPTIMISERS
from cloudchamber.schema import Arrays

RATES = np.logspace(-5, -1, 9)


def optimisers(config: Any, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:  # noqa: ARG001
    """Losses along the way of every optimiser and learning rate, for ``study.LearningStudy.explanations``.

    Returns:
        ``optimiser`` (optimiser,) names, ``rate`` (rate,), ``step`` (kept,), and ``loss`` (optimiser, kept, rate,
        start): χ² a training point, inf where it grew beyond all numbers.
    """
    network = predictors["network"]
    points, widths = Points.read(network.state), network.widths
    members = config.scan_members
    rates = np.repeat(RATES, members).tolist()
    steps = kept_steps(config.scan_steps)
    found = []
    with torch.inference_mode():
        for name in OPTIMISERS:
            numbers = starts(widths, [*range(members)] * len(RATES), network.seed)
            descent = Descent(widths, numbers, points, network.scale, name, rates)
            losses, done = [], 0
            for step in steps.tolist():
                for _ in range(done, step):
                    descent.step()
                done = step
                losses.append(descent.losses().reshape(len(RATES), members))
            found.append(np.nan_to_num(np.stack(losses), nan=np.inf))
    return {"optimiser": np.array(OPTIMISERS), "rate": RATES, "step": steps, "loss": np.stack(found)}
