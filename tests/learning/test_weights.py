"""Random starts, and weights that are there, missing or damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from cloudchamber.learning.weights import read_weights, ready, restoring, save_weights, seeded_start
from cloudchamber.schema import BadInput


def test_a_start_depends_on_seed_and_member_and_leaves_the_global_generator_alone() -> None:
    state = torch.random.get_rng_state()
    drawn = []
    for seed, member in ((1, 0), (1, 0), (1, 1), (2, 0)):
        with seeded_start(seed, member):
            drawn.append(torch.rand(4))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[3])
    assert torch.equal(state, torch.random.get_rng_state())


def test_weights_come_back_and_stay_as_they_are(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.Dropout())
    save_weights(network, tmp_path / "weights.pt")
    other = nn.Sequential(nn.Linear(3, 2), nn.Dropout())
    other.load_state_dict(read_weights(tmp_path / "weights.pt"))
    assert torch.equal(network[0].weight, other[0].weight)
    assert ready(other, "cpu") is other
    assert not other.training
    assert not any(weight.requires_grad for weight in other.parameters())


@pytest.mark.parametrize("content", [None, b"", b"no weights", b"PK\x03\x04 a broken archive"])
def test_missing_and_damaged_weights_are_one_clear_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(BadInput, match="holds no such trained network"), restoring(tmp_path):
        read_weights(tmp_path / "weights.pt")


def test_weights_of_another_network_are_one_clear_error(tmp_path: Path) -> None:
    save_weights(nn.Linear(3, 2), tmp_path / "weights.pt")
    with (
        pytest.raises(BadInput, match="holds no line through three points"),
        restoring(tmp_path, "line through three points"),
    ):
        nn.Linear(3, 1).load_state_dict(read_weights(tmp_path / "weights.pt"))
