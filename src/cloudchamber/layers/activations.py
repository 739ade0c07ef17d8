"""Activations by the names that settings use."""

from __future__ import annotations

from typing import Literal

from torch import nn

from cloudchamber.schema import BadInput, did_you_mean

Activation = Literal["relu", "leaky_relu", "sigmoid", "tanh", "softsign"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softsign": nn.Softsign,
}


def activation_named(activation: Activation) -> nn.Module:
    """The activation as a module.

    Raises:
        BadInput: unknown name.
    """
    if activation not in ACTIVATIONS:
        raise BadInput(f"unknown activation {activation!r}{did_you_mean(activation, ACTIVATIONS)}")
    return ACTIVATIONS[activation]()
