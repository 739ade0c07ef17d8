"""Backpropagation, written out, through a stack of equal fully connected networks (Rumelhart, Hinton, Williams 1986).

doi:10.1038/323533a0. A layer makes a_l = h_{l-1} W_l + b_l of the activations before it, and h_l = max(a_l, 0), but for
the last, whose a is the answer. Forwards, all h are kept; backwards, the slope d_l = dJ/da_l goes from the last layer
to the first:

    dJ/dW_l = h_{l-1}^T d_l,   dJ/db_l = sum over points of d_l,   d_{l-1} = (d_l W_l^T) where a_{l-1} > 0, else 0.

The networks of a stack differ by their numbers only; a step of all of them costs little more than a step of one, since
most of the time of so small a network goes into calls. The numbers of all layers lie one after another in one
tensor, so that an optimiser moves them in a few operations.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

Layer = tuple[Tensor, Tensor]
"""Weights (member, in, out) and biases (member, 1, out)."""


def parameters_of(widths: Sequence[int]) -> int:
    """How many weights and biases one network has.

    Args:
        widths: numbers of nodes from the input to the output.

    Examples:
        >>> parameters_of((1, *[20] * 7, 1))  # 40 + 6 * 420 + 21
        2581
    """
    return sum(before * after + after for before, after in itertools.pairwise(widths))


def layers_of(numbers: Tensor, widths: Sequence[int], members: int) -> list[Layer]:
    """Views of the weights and biases of every layer.

    Args:
        numbers: (members * parameters_of(widths),), of a stack.
        widths: numbers of nodes from the input to the output.
        members: of the stack.
    """
    found: list[Layer] = []
    start = 0
    for before, after in itertools.pairwise(widths):
        middle, end = start + members * before * after, start + members * (before + 1) * after
        weights = numbers[start:middle].view(members, before, after)
        found.append((weights, numbers[middle:end].view(members, 1, after)))
        start = end
    return found


def stacked(networks: Sequence[nn.Module]) -> Tensor:
    """The numbers of equal networks as those of a stack.

    Args:
        networks: whose modules of kind ``torch.nn.Linear`` are the layers, in order.
    """
    linear = [[layer for layer in network.modules() if isinstance(layer, nn.Linear)] for network in networks]
    parts: list[Tensor] = []
    for layers in zip(*linear, strict=True):
        parts += [layer.weight.detach().T.reshape(-1) for layer in layers]
        parts += [layer.bias.detach() for layer in layers]
    return torch.cat(parts)


def forward(layers: Sequence[Layer], inputs: Tensor) -> list[Tensor]:
    """The activations (member, point, node) of every layer, from the inputs to the answers.

    Args:
        layers: of the stack.
        inputs: (member, point, in).
    """
    found = [inputs]
    for number, (weights, biases) in enumerate(layers, start=1):
        sums = torch.baddbmm(biases, found[-1], weights)
        found.append(sums if number == len(layers) else sums.relu_())
    return found


def backward(
    layers: Sequence[Layer], activations: Sequence[Tensor], slope: Tensor, into: Sequence[Layer]
) -> list[Tensor]:
    """The gradient of a loss with respect to all weights and biases.

    Args:
        layers: of the stack.
        activations: what ``forward`` found.
        slope: (member, point, out), the loss differentiated by the answers.
        into: where the gradient is written, tensors like ``layers``.

    Returns:
        The slopes (member, point, node) of the loss at the sums of every layer, from the first to the last.
    """
    slopes = [slope]
    for number in range(len(layers) - 1, -1, -1):
        weights, biases = into[number]
        torch.bmm(activations[number].transpose(1, 2), slope, out=weights)
        torch.sum(slope, 1, keepdim=True, out=biases)
        if number:  # an activation is above 0 where its sum was; where it is not, the slope is 0
            passed = torch.bmm(slope, layers[number][0].transpose(1, 2))
            slope = torch.ops.aten.threshold_backward(passed, activations[number], 0)  # a mask takes eight times longer
            slopes.append(slope)
    return slopes[::-1]
