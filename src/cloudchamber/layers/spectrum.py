"""Filters of a trace that are chosen after its own spectrum: a gain a frequency, as many filtered traces as wanted.

A Wiener filter has the same gain for every trace; lines of radio transmitters lie elsewhere in every trace. Here a
convolution over frequency reads the trace's periodogram and answers with gains between 0 and 1, so that it can notch
what stands out. The discrete Fourier transform is a product with constant matrices: no complex numbers, which leave as
ONNX.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

LEAST_POWER = 1e-6
"""Of the mean power of a trace's spectrum: what is below counts as this."""


class Fourier(nn.Module):
    """The discrete Fourier transform of real traces (..., sample), and back.

    Args:
        samples: of a trace.

    Examples:
        >>> trace = torch.tensor([[1.0, 2.0, 0.0, 4.0]])
        >>> layer = Fourier(4)
        >>> torch.allclose(layer.inverse(*layer(trace)), trace, atol=1e-6)
        True
    """

    cosine: Tensor
    sine: Tensor
    back_cosine: Tensor
    back_sine: Tensor

    def __init__(self, samples: int) -> None:
        super().__init__()
        self.frequencies = samples // 2 + 1
        phase = torch.outer(torch.arange(samples), torch.arange(self.frequencies)) % samples
        angle = 2 * math.pi / samples * phase.double()
        weight = torch.full((self.frequencies, 1), 2.0, dtype=torch.float64)
        weight[0] = 1.0
        if samples % 2 == 0:
            weight[-1] = 1.0
        for name, matrix in (
            ("cosine", angle.cos()),
            ("sine", -angle.sin()),
            ("back_cosine", weight * angle.cos().T / samples),
            ("back_sine", -weight * angle.sin().T / samples),
        ):
            self.register_buffer(name, matrix.float(), persistent=False)

    def forward(self, traces: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary part (..., frequency) of traces (..., sample), as ``torch.fft.rfft``."""
        return traces @ self.cosine, traces @ self.sine

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Traces (..., sample) of a spectrum (..., frequency), as ``torch.fft.irfft``."""
        traces: Tensor = real @ self.back_cosine + imaginary @ self.back_sine
        return traces


class SpectralGates(nn.Module):
    """Traces (sample, time) to so many filtered copies (sample, gate, time), each with gains between 0 and 1.

    The gains see two periodograms as logarithms, that of the trace and that of the trace under a Hann window, in which
    a line is narrow, relative to their means.

    Args:
        samples: of a trace.
        gates: filtered copies.
        width: channels of the convolutions over frequency.
        kernel: frequencies of a convolution, odd.
    """

    window: Tensor

    def __init__(self, samples: int, gates: int, width: int = 16, kernel: int = 9) -> None:
        super().__init__()
        self.fourier = Fourier(samples)
        self.register_buffer("window", torch.hann_window(samples), persistent=False)
        half = kernel // 2
        self.gains = nn.Sequential(
            nn.Conv1d(2, width, kernel, padding=half, bias=False), nn.BatchNorm1d(width), nn.ReLU(),
            nn.Conv1d(width, width, kernel, padding=half, bias=False), nn.BatchNorm1d(width), nn.ReLU(),
            nn.Conv1d(width, gates, kernel, padding=half), nn.Sigmoid(),
        )  # fmt: skip

    def _periodogram(self, traces: Tensor) -> Tensor:
        real, imaginary = self.fourier(traces)
        power = real.square() + imaginary.square()
        mean = power.mean(dim=-1, keepdim=True)
        logarithm: Tensor = (power / mean.clamp(min=torch.finfo(mean.dtype).tiny) + LEAST_POWER).log()
        return logarithm

    def forward(self, traces: Tensor) -> Tensor:
        """The filtered copies (sample, gate, time)."""
        features = torch.stack([self._periodogram(traces), self._periodogram(traces * self.window)], dim=1)
        gains = self.gains(features)
        real, imaginary = (part[:, None] * gains for part in self.fourier(traces))
        return self.fourier.inverse(real, imaginary)
