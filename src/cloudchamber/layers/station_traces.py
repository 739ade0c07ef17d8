"""Learned variables of a station's trace: one small network that all stations share.

As in Erdmann, Glombitza, Walz, arXiv:1708.00647: three convolutions in time, of which the last reads all that the
strides have left, make ten numbers a station. The publication has 64 and 32 channels; here 32 and 16 are the default,
a quarter of the cost. The other kind reads the convolved trace in both directions with an LSTM (Hochreiter,
Schmidhuber, doi:10.1162/neco.1997.9.8.1735) in place of the second and third convolution.

Only the traces of triggered stations are read; the others' variables are 0. (An exported graph reads all traces, with
the same result: the number of triggered stations is no fixed shape.)
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

TraceReader = Literal["convolution", "lstm"]
VARIABLES = 10
"""Learned variables a station."""
KERNEL, STRIDE = 7, 4
"""Of the convolutions, in bins."""
STEP = 8
"""Bins that the LSTM takes as one."""
FINEST = 0.1
"""Signals of a bin well below this enter linearly, well above by their logarithm [VEM]."""


class TraceVariables(nn.Module):
    """Ten learned variables a station of traces in VEM.

    Args:
        bins: length of a trace.
        reader: "convolution" or "lstm".
        widths: channels of the first two convolutions; the LSTM has half of the second in each direction.

    Raises:
        ValueError: a trace too short for the convolutions.
    """

    def __init__(self, bins: int, reader: TraceReader = "convolution", widths: tuple[int, int] = (32, 16)) -> None:
        super().__init__()
        first, second = widths
        left = ((bins - KERNEL) // STRIDE + 1 - KERNEL) // STRIDE + 1
        if left < 1:
            raise ValueError(f"bins = {bins}: a trace needs at least {KERNEL + STRIDE * (KERNEL - 1)}")
        self.bins = bins
        self.lstm: nn.LSTM | None = None
        if reader == "lstm":
            self.convolutions = nn.Sequential(nn.Conv1d(1, first, STEP, STEP), nn.ReLU())
            self.lstm = nn.LSTM(first, second // 2, batch_first=True, bidirectional=True)
            self.last = nn.Linear(2 * (second // 2), VARIABLES)
        else:
            self.convolutions = nn.Sequential(
                nn.Conv1d(1, first, KERNEL, STRIDE), nn.ReLU(), nn.Conv1d(first, second, KERNEL, STRIDE), nn.ReLU()
            )
            self.last = nn.Linear(second * left, VARIABLES)
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def read(self, traces: Tensor) -> Tensor:
        """Variables (station, 10) of traces (station, bin)."""
        signal = torch.log10(1 + traces.clamp(min=0) / FINEST)
        values = self.convolutions(signal[:, None])
        if self.lstm is None:
            values = values.flatten(1)
        else:
            states, _ = self.lstm(values.transpose(1, 2))
            forward, backward = states.chunk(2, dim=2)
            values = torch.cat([forward[:, -1], backward[:, 0]], dim=1)
        return torch.relu(self.last(values))

    def forward(self, traces: Tensor, triggered: Tensor) -> Tensor:
        """Variables (shower, station, 10).

        Args:
            traces: (shower, station, bin).
            triggered: 1 or 0 (shower, station).
        """
        if torch.onnx.is_in_onnx_export() or torch.compiler.is_compiling():
            every = self.read(traces.reshape(-1, self.bins)).reshape(*traces.shape[:2], VARIABLES)
            return every * triggered[:, :, None]
        chosen = triggered > 0
        variables = traces.new_zeros(*traces.shape[:2], VARIABLES)
        variables[chosen] = self.read(traces[chosen])
        return variables
