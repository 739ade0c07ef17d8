"""A straight line by least squares, measured again and again, and the ways of three optimisers down its loss.

The loss is the χ² a point, J = 1/N sum ((W (x − x0) + b − y) / σ)². It is a parabola in (b, W) with the matrix of
second derivatives 2 V⁻¹ / N, where V is the covariance of the fitted parameters: the lines of equal loss are the
ellipses of equal probability. From which x0 the line is counted decides whether they are long or round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cloudchamber.baselines.least_squares import LinearFit, least_squares
from cloudchamber.data.function_points import Points, Values
from cloudchamber.data.samples import Samples
from cloudchamber.learning.gradient_descent import OPTIMISERS, Optimiser, OptimiserName
from cloudchamber.schema import Arrays

INTERCEPT, SLOPE = 1.0, -0.4
"""b and W of the true line at x = 0."""
MEASURED = 10
"""Points of the line, of those of the run: few, so that the band can be seen."""
FAR = -3.0
"""From where x is counted, in units of the largest abs(x): far off, as years are from the year 0."""
STEPS = 100
"""Of each optimiser."""
ELLIPSE = -2 * np.log(1 - 0.6827)
"""Δχ² on the edge of the ellipse that holds both parameters with 68.27 % probability: 2.30."""


def rates_of(largest: float) -> dict[OptimiserName, float]:
    """Learning rates that show each optimiser's manner.

    Args:
        largest: curvature of the loss; beyond the rate 2 / largest plain gradient descent climbs.
    """
    return {"gradient descent": 1.8 / largest, "momentum": 0.6 / largest, "adam": 0.1}


def way_down(
    name: OptimiserName, design: NDArray[np.float64], points: Points, rate: float, steps: int
) -> NDArray[np.float64]:
    """The parameters (step, parameter) of a linear model on its way down from 0.

    Args:
        name: of the optimiser.
        design: (point, parameter), of the model.
        points: measured.
        rate: learning rate.
        steps: how many.
    """
    scaled, values = design / points.error[:, None], points.y / points.error
    parameters = torch.zeros(design.shape[1], dtype=torch.float64)
    optimiser = Optimiser(name, parameters, rate)
    found = [parameters.numpy().copy()]
    for _ in range(steps):
        gradient = 2 / len(points) * scaled.T @ (scaled @ parameters.numpy() - values)
        optimiser.step(torch.from_numpy(gradient))
        found.append(parameters.numpy().copy())
    return np.stack(found)


def repeated(design: NDArray[np.float64], points: Points, truth: Values, values: NDArray[np.float64]) -> Arrays:
    """What the fit says of the same points measured many times.

    Args:
        design: (point, parameter), of the model.
        points: whose errors are those of all measurements.
        truth: (parameter,), the true ones.
        values: (repeat, point), measured.

    Returns:
        ``pull`` (repeat, parameter), ``chi2`` (repeat,), and ``in_ellipse`` (repeat,), whether the truth lies in the
        ellipse of 68.27 %.
    """
    fit: LinearFit = least_squares(design, points.y, points.error)
    scaled = design / points.error[:, None]
    away = values / points.error @ scaled @ fit.covariance - truth
    residuals = (values - (away + truth) @ design.T) / points.error
    distance = np.einsum("ri,ij,rj->r", away, scaled.T @ scaled, away)
    return {
        "pull": away / np.sqrt(np.diag(fit.covariance)),
        "chi2": np.square(residuals).sum(axis=1),
        "in_ellipse": distance < ELLIPSE,
    }


def straight_line(config: Any, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:  # noqa: ARG001
    """A straight line measured at some places of the run, for ``study.LearningStudy.explanations``.

    Returns:
        ``x``, ``y``, ``error`` (point,) of one measurement and ``truth`` (2,), its b and W at x = 0; for two ``anchor``
        (x0,), far off and the weighted mean of x: ``parameters`` (x0, 2), ``covariance`` (x0, 2, 2), the true
        parameters ``true`` (x0, 2), and ``path`` (x0, optimiser, step, 2) with its ``rate`` (x0, optimiser) and the
        names in ``optimiser``; ``freedom``, and for the x0 far off what ``repeated`` says.
    """
    known = Points.read(predictors["network"].state)
    some = np.unique(np.linspace(0, len(known) - 1, MEASURED).round().astype(int))
    x, error = known.x[some], known.error[some]
    values = INTERCEPT + SLOPE * x + error * rng.standard_normal((config.line_repeats, len(x)))
    points = Points(x, values[0], error)
    anchors = np.array([FAR * config.farthest, np.average(x, weights=1 / np.square(error))])
    found: dict[str, list[Any]] = {"parameters": [], "covariance": [], "true": [], "path": [], "rate": []}
    for anchor in anchors:
        design = np.stack([np.ones(len(points)), points.x - anchor], axis=1)
        fit = least_squares(design, points.y, points.error)
        largest = 2 / len(points) / float(np.linalg.eigvalsh(fit.covariance)[0])
        rates = rates_of(largest)
        found["parameters"].append(fit.parameters)
        found["covariance"].append(fit.covariance)
        found["true"].append([INTERCEPT + SLOPE * anchor, SLOPE])
        found["rate"].append([rates[name] for name in OPTIMISERS])
        found["path"].append([way_down(name, design, points, rates[name], STEPS) for name in OPTIMISERS])
    design = np.stack([np.ones(len(points)), points.x - anchors[0]], axis=1)
    return {
        **points.arrays(),
        "truth": np.array([INTERCEPT, SLOPE]),
        "anchor": anchors,
        "optimiser": np.array(OPTIMISERS),
        "freedom": np.array(len(points) - 2),
        **{name: np.array(one) for name, one in found.items()},
        **repeated(design, points, np.array(found["true"][0]), values),
    }
