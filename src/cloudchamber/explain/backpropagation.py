"""The gradient of a network by hand: one small enough to write every number down, and the 7 x 20 one layer by layer.

The rule is that of ``learning.backpropagation``. Two other ways to the same gradient check it: PyTorch's automatic
differentiation, and the difference of two losses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cloudchamber.data.function_points import Points
from cloudchamber.data.samples import Samples
from cloudchamber.learning.backpropagation import backward, forward, layers_of
from cloudchamber.learning.function_networks import Descent
from cloudchamber.schema import Arrays

WIDTHS = (1, 2, 2, 1)
WORKED = (
    (((1.0, -0.5),), (0.5, 0.25)),
    (((0.5, -1.0), (2.0, 0.5)), (0.25, -0.5)),
    (((2.0,), (1.0,)), (0.5,)),
)
"""Weights (in, out) and biases (out,) of the small network: in round numbers, with two nodes that are off."""
X, Y = 1.0, 2.0
"""The one point that it sees."""


def worked_example() -> Arrays:
    """Every number of one forward and one backward pass of the small network, for J = (f(x) − y)².

    Returns:
        ``x``, ``y``, ``loss``; of layer l = 1, 2, 3 ``weights_l`` (in, out), ``biases_l`` (out,), ``activations_l``
        (out,), ``slopes_l`` (out,), ``weight_gradient_l`` and ``bias_gradient_l``; and the largest differences to the
        gradient of automatic differentiation, ``to_automatic``, and of two losses, ``to_difference``.
    """
    parts = [torch.tensor(part, dtype=torch.float64).reshape(-1) for layer in WORKED for part in layer]
    numbers = torch.cat(parts)
    inputs, value = torch.full((1, 1, 1), X, dtype=torch.float64), torch.full((1, 1, 1), Y, dtype=torch.float64)
    layers = layers_of(numbers, WIDTHS, 1)
    activations = forward(layers, inputs)
    gradient = torch.zeros_like(numbers)
    slopes_of = layers_of(gradient, WIDTHS, 1)
    slopes = backward(layers, activations, 2 * (activations[-1] - value), slopes_of)

    def loss(at: Tensor) -> Tensor:
        return (forward(layers_of(at, WIDTHS, 1), inputs)[-1] - value).square().sum()

    leaf = numbers.clone().requires_grad_()
    (automatic,) = torch.autograd.grad(loss(leaf), leaf)
    small = 1e-5
    steps = small * torch.eye(len(numbers), dtype=torch.float64)
    difference = torch.stack([(loss(numbers + step) - loss(numbers - step)) / (2 * small) for step in steps])
    found: Arrays = {"x": np.array(X), "y": np.array(Y), "loss": np.array(float(loss(numbers)))}
    for number, (weights, biases) in enumerate(layers, start=1):
        found[f"weights_{number}"] = weights[0].numpy()
        found[f"biases_{number}"] = biases[0, 0].numpy()
        found[f"activations_{number}"] = activations[number][0, 0].numpy()
        found[f"slopes_{number}"] = slopes[number - 1][0, 0].numpy()
        found[f"weight_gradient_{number}"] = slopes_of[number - 1][0][0].numpy()
        found[f"bias_gradient_{number}"] = slopes_of[number - 1][1][0, 0].numpy()
    found["to_automatic"] = np.array(float((gradient - automatic).abs().max()))
    found["to_difference"] = np.array(float((gradient - difference).abs().max()))
    return found


def by_layer(network: Any, points: Points, kept: Sequence[int]) -> Arrays:
    """How large the gradient is in every layer along the training, and how many nodes are on.

    Args:
        network: fitted ``learning.function_networks.FunctionNetworks``.
        points: on which the loss is taken.
        kept: which of the kept steps.

    Returns:
        ``gradient`` (kept, layer, member), root mean square of the gradient by weights of a layer; ``on`` (kept, hidden
        layer, member), fraction of its nodes that are above 0 at a point, on average.
    """
    gradients, on = [], []
    for one in kept:
        numbers = torch.from_numpy(np.array(network.state["numbers"][one]))
        descent = Descent(network.widths, numbers, points, network.scale, "adam", [0.0] * network.members)
        activations = forward(descent.layers, descent.inputs)
        slope = (activations[-1] - descent.values) * descent.weights
        backward(descent.layers, activations, slope, descent.slopes)
        gradients.append([weights.square().mean(dim=(1, 2)).sqrt().numpy() for weights, _ in descent.slopes])
        on.append([(one > 0).double().mean(dim=(1, 2)).numpy() for one in activations[1:-1]])
    return {"gradient": np.array(gradients), "on": np.array(on)}


def to_automatic(network: Any, points: Points) -> float:
    """Largest difference of the gradient of the first kept numbers to automatic differentiation, over its largest part.

    Args:
        network: fitted ``learning.function_networks.FunctionNetworks``.
        points: on which the loss is taken.
    """
    numbers = torch.from_numpy(np.array(network.state["numbers"][0]))
    descent = Descent(network.widths, numbers, points, network.scale, "adam", [0.0] * network.members)
    activations = forward(descent.layers, descent.inputs)
    backward(descent.layers, activations, (activations[-1] - descent.values) * descent.weights, descent.slopes)
    leaf = numbers.clone().requires_grad_()
    sums = forward(layers_of(leaf, network.widths, network.members), descent.inputs)[-1]
    loss = ((sums - descent.values).square() * descent.weights / 2).sum()
    (automatic,) = torch.autograd.grad(loss, leaf)
    return float((descent.gradient - automatic).abs().max() / automatic.abs().max())


def backpropagation(config: Any, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:  # noqa: ARG001
    """The worked example, and the gradient of the trained networks, for ``study.LearningStudy.explanations``.

    Returns:
        What ``worked_example`` returns, with ``worked_`` before each name; ``step`` (kept,) and what ``by_layer``
        returns; ``to_automatic``.
    """
    network = predictors["network"]
    points = Points.read(network.state)
    found = {f"worked_{name}": values for name, values in worked_example().items()}
    kept = range(len(network.state["step"]))
    return {
        **found,
        "step": network.state["step"],
        **by_layer(network, points, kept),
        "to_automatic": np.array(to_automatic(network, points)),
    }
