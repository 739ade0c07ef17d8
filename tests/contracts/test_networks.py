"""What every network promises. Networks are found by folder: every module of ``cloudchamber.networks`` has
``tiny()``: a small network and the shape of one input, or a function that makes all inputs for so many samples."""

import importlib
import pkgutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import cloudchamber.networks as home

pytestmark = pytest.mark.usefixtures("one_thread")

COMPOSED = {"interaction_flow", "interaction_gan", "phase_space_vae", "collision_graph_vae"}
"""Several networks with inputs of their own kinds; these promises are kept in their own tests."""
NAMES = [module.name for module in pkgutil.iter_modules(home.__path__) if module.name not in COMPOSED]
SINGLE = [name for name in NAMES if not callable(importlib.import_module(f"{home.__name__}.{name}").tiny()[1])]
"""Networks of one input."""


Inputs = tuple[torch.Tensor, ...]


def made(name: str) -> tuple[nn.Module, Inputs, Inputs]:
    """A tiny network with all parameters drawn at random (zero starts hide gradients), and batches of 4 and 7
    inputs."""
    torch.manual_seed(5)
    network, shape = importlib.import_module(f"{home.__name__}.{name}").tiny()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.rand_like(parameter))
    if callable(shape):
        return network, shape(4), shape(7)
    return network, (torch.rand(4, *shape),), (torch.rand(7, *shape),)


def test_networks_are_found_in_their_folder() -> None:
    assert "se_resnet" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_gradient_reaches_every_parameter(name: str) -> None:
    network, images, _ = made(name)
    network.train()
    network(*images).square().sum().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_repeats_and_ignores_other_samples(name: str) -> None:
    network, images, _ = made(name)
    network.eval()
    with torch.no_grad():
        first = network(*images)
        assert torch.equal(first, network(*images))
        torch.testing.assert_close(first[1:3], network(*(values[1:3] for values in images)), rtol=1e-4, atol=1e-5)
    assert len(first) == 4
    if name in SINGLE:
        assert first.shape == (4, network.outputs)


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_network_says_the_same(name: str, tmp_path: Path) -> None:
    network, images, _ = made(name)
    network.train()
    network(*images)  # running averages move
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other, _ = importlib.import_module(f"{home.__name__}.{name}").tiny()
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    with torch.no_grad():
        assert torch.equal(network.eval()(*images), other.eval()(*images))


@pytest.mark.slow
@pytest.mark.parametrize("name", SINGLE)
def test_onnx_graph_agrees_also_at_a_second_batch_size(name: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network, images, more = made(name)
    network.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            network, images, dynamo=True, dynamic_shapes=({0: torch.export.Dim("sample")},), verbose=False
        )
    assert program is not None
    program.save(tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    for (batch,) in (images, more):
        (result,) = session.run(None, {session.get_inputs()[0].name: batch.numpy()})
        with torch.no_grad():
            expected = network(batch).numpy()
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
