"""A convolutional encoder and decoder that returns the radio pulse of an air shower from signal plus noise.

Erdmann, Schlüter, Šmída, arXiv:1901.04079, recover pulses with a convolutional autoencoder; the shortcuts between
encoder and decoder are those of U-Net (Ronneberger, Fischer, Brox, arXiv:1505.04597), here added and not appended.
Unlike the publication's, this network also reads filtered copies of the trace, whose gains follow the trace's own
spectrum (``layers.spectrum``): lines of transmitters are long in time and narrow in frequency. Its answer is the sum of
what it adds and of the copies, each times a gain in time, so that a pulse twice as high comes out twice as high.

Every trace is divided by its root mean square and its answer multiplied by it: the network knows no unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from cloudchamber.layers.spectrum import SpectralGates


def convolution(inward: int, outward: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; (sample, inward, time) to (sample, outward, time / stride)."""
    return nn.Sequential(
        nn.Conv1d(inward, outward, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm1d(outward),
        nn.ReLU(),
    )


def in_phases(values: Tensor, phases: int) -> Tensor:
    """(sample, channel, time) to (sample, channel * phase, time / phases), neighbouring times as channels."""
    samples, channels, _ = values.shape
    return values.reshape(samples, channels, -1, phases).transpose(2, 3).reshape(samples, channels * phases, -1)


def in_time(values: Tensor, phases: int) -> Tensor:
    """The inverse of ``in_phases``."""
    samples, channels, length = values.shape
    wide = values.reshape(samples, channels // phases, phases, length).transpose(2, 3)
    return wide.reshape(samples, channels // phases, -1)


class RadioDenoiser(nn.Module):
    """Traces (sample, time) to pulses (sample, time), in the same unit.

    References:
        | Classification and recovery of radio signals from cosmic ray induced air showers with deep learning
          (Erdmann, Schlüter, Šmída, 2019)
        | https://arxiv.org/abs/1901.04079
        | U-Net: convolutional networks for biomedical image segmentation (Ronneberger, Fischer, Brox, 2015)
        | https://arxiv.org/abs/1505.04597

    Args:
        samples: of a trace.
        widths: channels of the levels; every level after the first has half as many samples as the one before.
        kernel: samples of a convolution, odd.
        gates: filtered copies of the trace.
        phases: neighbouring samples that are channels of one place: convolutions are as many times cheaper.
    """

    def __init__(
        self,
        samples: int = 500,
        widths: Sequence[int] = (32, 64, 96),
        kernel: int = 7,
        gates: int = 4,
        phases: int = 4,
    ) -> None:
        super().__init__()
        self.outputs = samples
        self.phases = phases
        self.padding = -samples % (phases * 2 ** (len(widths) - 1))
        self.gates = SpectralGates(samples, gates)
        self.stem = convolution(phases * (1 + gates), widths[0], kernel)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(
            nn.Sequential(convolution(one, two, kernel, stride=2), convolution(two, two, kernel)) for one, two in pairs
        )
        self.narrow = nn.ModuleList(nn.Conv1d(two, one, 1) for one, two in reversed(pairs))
        self.up = nn.ModuleList(convolution(one, one, kernel) for one, _ in reversed(pairs))
        self.last = nn.Conv1d(widths[0], phases * (2 + gates), kernel, padding=kernel // 2)

    def forward(self, traces: Tensor) -> Tensor:
        """The pulses (sample, time)."""
        scale = traces.square().mean(dim=1, keepdim=True).sqrt().clamp(min=torch.finfo(traces.dtype).tiny)
        standard = traces / scale
        copies = torch.cat([standard[:, None], self.gates(standard)], dim=1)
        values = self.stem(in_phases(nn.functional.pad(copies, (0, self.padding)), self.phases))
        passed = []
        for level in self.down:
            passed.append(values)
            values = level(values)
        for narrow, level, before in zip(self.narrow, self.up, reversed(passed), strict=True):
            wide = nn.functional.interpolate(narrow(values), scale_factor=2.0, mode="linear", align_corners=False)
            values = level(wide + before)
        answer = in_time(self.last(values), self.phases)[..., : self.outputs]
        pulses: Tensor = answer[:, 0] + (answer[:, 1:] * copies).sum(dim=1)
        return pulses * scale


def tiny() -> tuple[RadioDenoiser, tuple[int, ...]]:
    """A small one for tests, with the shape of one input."""
    return RadioDenoiser(samples=50, widths=(4, 6, 8), kernel=5, gates=2, phases=2), (50,)
