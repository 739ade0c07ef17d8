"""What every method makes of the function, between the points and beyond them, and how the networks come to theirs.

A network with ReLU is piecewise linear: its derivative is the product of the weights of those nodes that are on, and
jumps where a node switches. The jumps are counted on a grid, so that two between neighbours of the grid count as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cloudchamber.baselines.least_squares import Polynomial
from cloudchamber.data.function_points import OUTSIDE, Points, Values, resonance
from cloudchamber.data.samples import Samples
from cloudchamber.learning.backpropagation import layers_of, parameters_of
from cloudchamber.learning.function_networks import Scale
from cloudchamber.schema import Arrays

GRID = 301
"""Places between the outermost x that methods are asked for."""
FINE = 1001
"""Places between the points' ends where kinks are looked for."""


def derivative(widths: Sequence[int], numbers: NDArray[np.float32], scale: Scale, x: Values) -> Values:
    """The derivatives (member, point) of the functions of a stack by x: exact, by the chain rule forwards.

    Args:
        widths: numbers of nodes from the input to the output.
        numbers: of the stack.
        scale: of x.
        x: (point,), where.
    """
    stack = torch.from_numpy(np.asarray(numbers, np.float64))
    members = stack.numel() // parameters_of(widths)
    layers = layers_of(stack, widths, members)
    values = torch.from_numpy((x - scale.centre) / scale.spread).view(1, -1, 1).repeat(members, 1, 1)
    slopes = torch.full_like(values, 1 / scale.spread)
    with torch.inference_mode():
        for number, (weights, biases) in enumerate(layers, start=1):
            values, slopes = torch.baddbmm(biases, values, weights), torch.bmm(slopes, weights)
            if number < len(layers):
                slopes = slopes * (values > 0)
                values = values.relu()
    return np.asarray(slopes[:, :, 0].numpy())


def kinks(slopes: Values) -> NDArray[np.bool_]:
    """Whether the derivative jumps between neighbours, (member, point - 1).

    Args:
        slopes: (member, point), derivatives of piecewise linear functions.

    Examples:
        >>> kinks(np.array([[1.0, 1.0, 2.0, 2.0]])).tolist()
        [[False, True, False]]
    """
    size = np.abs(slopes).max(axis=1, keepdims=True) + 1e-300
    found: NDArray[np.bool_] = np.abs(np.diff(slopes, axis=1)) > 1e-6 * size  # float64 rounds at 1e-16
    return found


def approximation(config: Any, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:  # noqa: ARG001
    """The curves of all predictors and the networks' ways, for ``study.LearningStudy.explanations``.

    Returns:
        The training points ``x``, ``y``, ``error``, and with ``held_out_`` before these names the validation points;
        ``place`` (place,) from end to end, ``truth`` (place,), and of the
        predictors in ``name`` (predictor,) ``mean`` and ``std`` of the function (predictor, place); of the networks
        ``step`` (kept,), ``kept`` (member,) the chosen ones, ``train_loss``, ``validation_loss``, ``inside`` and
        ``outside`` (kept, member), root mean square errors where points are and beyond, ``together`` (kept,) and
        ``together_outside`` those of their mean, ``kinks`` (kept, member); at the powers of ten from 100 on ``decade``
        (decade,) the ``curve`` (decade, member, place), and the first member's ``slope`` (decade, fine place) at
        ``fine`` (fine place,); of the search for the polynomial's degree ``left_out`` (degree,).
    """
    network = predictors["network"]
    points, steps = Points.read(network.state), network.state["step"]
    end = float(config.farthest)
    place = np.linspace(-OUTSIDE * end, OUTSIDE * end, GRID)
    fine = np.linspace(-end, end, FINE)
    inputs = np.stack([place, np.zeros(GRID)], axis=1).astype(np.float32)
    said = {name: predictor.predict(inputs) for name, predictor in predictors.items() if predictor.kind != "floor"}
    truth = resonance(place)
    within = np.abs(place) <= end
    numbers = network.state["numbers"]
    curves = np.stack([network.curves(place, kept) for kept in range(len(steps))])
    errors = {name: np.square(found - truth) for name, found in (("", curves), ("together", curves.mean(axis=1)))}
    slopes = np.stack([derivative(network.widths, one, network.scale, fine) for one in numbers])
    tens = [kept for kept, step in enumerate(steps) if step >= 100 and np.log10(step) % 1 == 0]
    polynomial = predictors["polynomial"]
    assert isinstance(polynomial, Polynomial)
    return {
        **points.arrays(),
        **{name: network.state[name] for name in ("held_out_x", "held_out_y", "held_out_error")},
        "place": place,
        "truth": truth,
        "name": np.array(list(said)),
        "mean": np.stack([one.mean[:, 0] for one in said.values()]),
        "std": np.stack([one.std[:, 0] for one in said.values()]),
        **{name: network.state[name] for name in ("step", "kept", "train_loss", "validation_loss")},
        "inside": np.sqrt(errors[""][..., within].mean(axis=-1)),
        "outside": np.sqrt(errors[""][..., ~within].mean(axis=-1)),
        "together": np.sqrt(errors["together"][..., within].mean(axis=-1)),
        "together_outside": np.sqrt(errors["together"][..., ~within].mean(axis=-1)),
        "kinks": np.stack([kinks(one).sum(axis=1) for one in slopes]),
        "decade": steps[tens],
        "curve": curves[tens],
        "fine": fine,
        "slope": slopes[tens, 0],
        "left_out": polynomial.state["left_out"],
    }
