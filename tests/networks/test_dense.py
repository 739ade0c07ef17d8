"""The plain network: its equation by hand, its units, and its activations."""

import numpy as np
import pytest
import torch

from cloudchamber.networks.dense import Dense
from cloudchamber.schema import BadInput


def test_network_is_its_layers_one_after_the_other() -> None:
    torch.manual_seed(1)
    network, inputs = Dense(3, 2, widths=(5, 4)), torch.randn(20, 3) * 1e3 + 7
    network.standardize.fit(inputs)
    values = ((inputs - inputs.mean(0)) / inputs.std(0, correction=0)).numpy()
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    for layer in (0, 2, 4):
        values = values @ state[f"layers.{layer}.weight"].T + state[f"layers.{layer}.bias"]
        values = np.maximum(values, 0) if layer < 4 else values
    np.testing.assert_allclose(network(inputs).detach(), values, rtol=1e-4, atol=1e-5)


def test_units_of_the_inputs_do_not_matter() -> None:
    inputs = torch.randn(50, 3, generator=torch.Generator().manual_seed(2))
    found = []
    for scale in (1.0, 1e6):
        torch.manual_seed(1)
        network = Dense(3, 1, activation="tanh")
        network.standardize.fit(scale * inputs)
        found.append(network(scale * inputs))
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-5)


def test_without_hidden_layers_it_is_linear_and_an_unknown_activation_is_refused() -> None:
    assert [name for name, _ in Dense(3, 1, widths=()).named_parameters()] == ["layers.0.weight", "layers.0.bias"]
    with pytest.raises(BadInput, match="did you mean 'relu'"):
        Dense(3, 1, activation="rely")  # type: ignore[arg-type]
