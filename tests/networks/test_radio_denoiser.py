"""The denoiser and the classifier of radio pulses: what must come out whatever the weights are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cloudchamber.networks import radio_classifier, radio_denoiser
from cloudchamber.networks.radio_denoiser import RadioDenoiser, in_phases, in_time

pytestmark = pytest.mark.usefixtures("one_thread")


def test_phases_and_time_are_inverse_and_keep_neighbours() -> None:
    values = torch.arange(24.0).reshape(1, 2, 12)
    there = in_phases(values, 4)
    assert there.shape == (1, 8, 3)
    assert there[0, :4, 0].tolist() == [0, 1, 2, 3]  # four samples of the first channel, at the first place
    assert torch.equal(in_time(there, 4), values)


def test_a_pulse_twice_as_loud_comes_out_twice_as_loud() -> None:
    torch.manual_seed(1)
    network, shape = radio_denoiser.tiny()
    network.eval()
    traces = torch.randn(3, *shape)
    with torch.no_grad():
        torch.testing.assert_close(network(200 * traces), 200 * network(traces), rtol=1e-3, atol=1e-3)


def test_log_odds_do_not_depend_on_the_unit() -> None:
    torch.manual_seed(1)
    network, shape = radio_classifier.tiny()
    network.eval()
    traces = torch.randn(3, *shape)
    with torch.no_grad():
        torch.testing.assert_close(network(200 * traces), network(traces), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("network", [radio_denoiser.tiny()[0], radio_classifier.tiny()[0]])
def test_a_silent_trace_gives_finite_numbers(network: nn.Module) -> None:
    with torch.no_grad():
        assert torch.isfinite(network.eval()(torch.zeros(2, 50))).all()


@pytest.mark.parametrize("samples", [500, 499, 333])
def test_a_pulse_has_as_many_samples_as_its_trace(samples: int) -> None:
    network = RadioDenoiser(samples, widths=(4, 6, 8), gates=1).eval()
    with torch.no_grad():
        assert network(torch.randn(2, samples)).shape == (2, samples)
