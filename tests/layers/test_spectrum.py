"""The Fourier transform as matrices against numpy's, and gates that stop a line."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cloudchamber.layers.spectrum import Fourier, SpectralGates


@pytest.mark.parametrize("samples", [50, 51])
def test_transform_and_inverse_are_those_of_numpy(samples: int) -> None:
    traces = torch.randn(3, samples, generator=torch.Generator().manual_seed(1))
    layer = Fourier(samples)
    real, imaginary = layer(traces)
    expected = np.fft.rfft(traces.numpy(), axis=1)
    np.testing.assert_allclose(real.numpy(), expected.real, atol=2e-5)  # sums of 50 numbers in single precision
    np.testing.assert_allclose(imaginary.numpy(), expected.imag, atol=2e-5)
    torch.testing.assert_close(layer.inverse(real, imaginary), traces, rtol=1e-4, atol=1e-5)


def test_gains_of_one_return_the_trace_itself() -> None:
    gates = SpectralGates(40, 2).eval()
    last = gates.gains[-2]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(30.0)  # a sigmoid of 1
    traces = torch.randn(3, 40, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(gates(traces), traces[:, None].expand(-1, 2, -1), rtol=1e-4, atol=1e-5)


def test_gains_do_not_depend_on_the_unit_of_the_trace() -> None:
    torch.manual_seed(3)
    gates = SpectralGates(40, 2).eval()
    traces = torch.randn(3, 40)
    torch.testing.assert_close(gates(1000 * traces), 1000 * gates(traces), rtol=1e-4, atol=1e-3)


def test_a_silent_trace_has_finite_gates() -> None:
    assert torch.equal(SpectralGates(40, 2).eval()(torch.zeros(1, 40)), torch.zeros(1, 2, 40))
