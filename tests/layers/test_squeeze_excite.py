"""Squeeze-and-excitation against a slow version written from arXiv:1709.01507, equations 2 to 4."""

import math

import torch

from cloudchamber.layers.squeeze_excite import SqueezeExcite


def test_layer_is_a_slow_version_from_the_equations() -> None:
    torch.manual_seed(1)
    layer = SqueezeExcite(channels=32, reduction=8)
    images = torch.randn(2, 32, 3, 5)
    assert layer.squeeze.out_features == 4
    result = layer(images)
    w1, b1 = layer.squeeze.weight.tolist(), layer.squeeze.bias.tolist()
    w2, b2 = layer.excite.weight.tolist(), layer.excite.bias.tolist()
    for sample in range(2):
        z = [sum(images[sample, c].flatten().tolist()) / 15 for c in range(32)]  # eq. 2
        hidden = [max(0.0, b1[h] + sum(w1[h][c] * z[c] for c in range(32))) for h in range(4)]
        for c in range(32):
            gate = 1 / (1 + math.exp(-(b2[c] + sum(w2[c][h] * hidden[h] for h in range(4)))))  # eq. 3
            torch.testing.assert_close(result[sample, c], gate * images[sample, c], rtol=1e-5, atol=1e-6)  # eq. 4


def test_narrow_layers_keep_a_floor_of_hidden_units() -> None:
    assert SqueezeExcite(8, 16).squeeze.out_features == 4
    assert SqueezeExcite(512, 16).squeeze.out_features == 32


def test_gate_lies_between_zero_and_one_and_is_read_from_averages_only() -> None:
    torch.manual_seed(2)
    layer = SqueezeExcite(8, 16)
    images = torch.randn(3, 8, 4, 4)
    shuffled = images.flatten(2)[:, :, torch.randperm(16)].reshape(images.shape)
    gate = layer.gate(images)
    assert ((gate > 0) & (gate < 1)).all()
    torch.testing.assert_close(gate, layer.gate(shuffled))
