"""A convolutional classifier that says whether there is the radio pulse of an air shower in a trace.

Erdmann, Schlüter, Šmída, arXiv:1901.04079, classify traces with a convolutional network. Unlike the publication's, this
one also reads filtered copies of the trace whose gains follow the trace's own spectrum (``layers.spectrum``).
Convolutions with stride 2 look at longer and longer pieces; the maximum and the mean over time of what they find are
judged by a dense layer: a pulse may be anywhere. Every trace is divided by its root mean square: the network knows no
unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cloudchamber.layers.spectrum import SpectralGates
from cloudchamber.networks.radio_denoiser import convolution, in_phases


class RadioClassifier(nn.Module):
    """Traces (sample, time) to log-odds of a pulse (sample, 1).

    References:
        | Classification and recovery of radio signals from cosmic ray induced air showers with deep learning
          (Erdmann, Schlüter, Šmída, 2019)
        | https://arxiv.org/abs/1901.04079

    Args:
        samples: of a trace.
        widths: channels of the convolutions; every one after the first has stride 2.
        kernel: samples of a convolution, odd.
        gates: filtered copies of the trace.
        phases: neighbouring samples that are channels of one place, as in the denoiser.
    """

    def __init__(
        self, samples: int = 500, widths: Sequence[int] = (32, 64, 64), kernel: int = 7, gates: int = 4, phases: int = 4
    ) -> None:
        super().__init__()
        self.outputs = 1
        self.gates = SpectralGates(samples, gates)
        strides = [1, *[2] * (len(widths) - 1)]
        self.phases = phases
        self.padding = -samples % phases
        inward = [phases * (1 + gates), *widths]
        self.body = nn.Sequential(
            *(convolution(one, two, kernel, stride) for one, two, stride in zip(inward, widths, strides, strict=False))
        )
        self.dense = nn.Sequential(nn.Linear(2 * widths[-1], widths[-1]), nn.ReLU(), nn.Linear(widths[-1], 1))

    def forward(self, traces: Tensor) -> Tensor:
        """The log-odds (sample, 1)."""
        scale = traces.square().mean(dim=1, keepdim=True).sqrt().clamp(min=torch.finfo(traces.dtype).tiny)
        standard = traces / scale
        copies = nn.functional.pad(torch.cat([standard[:, None], self.gates(standard)], dim=1), (0, self.padding))
        found = self.body(in_phases(copies, self.phases))
        log_odds: Tensor = self.dense(torch.cat([found.amax(dim=2), found.mean(dim=2)], dim=1))
        return log_odds


def tiny() -> tuple[RadioClassifier, tuple[int, ...]]:
    """A small one for tests, with the shape of one input."""
    return RadioClassifier(samples=50, widths=(4, 6, 8), kernel=5, gates=2), (50,)
