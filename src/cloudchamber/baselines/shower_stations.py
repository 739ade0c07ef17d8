"""What a physicist reads off the trace of a surface station: total signal, T50 and risetime; and what cannot be fitted.

Conventions: ``data.surface_array`` says what the inputs are. Times within a trace count from its ``PRE_TRIGGER`` bin
and are interpolated linearly in the running sum of the signal. T50 is when half of the signal has arrived; the
risetime is the time from 10 % to 50 % of it, as in Aab et al. (Pierre Auger), Phys. Rev. D 96 (2017) 122003,
arXiv:1710.07249.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import Inputs
from cloudchamber.data.surface_array import LEAST_STATIONS, STATUS, TRACE, TRIGGERED
from cloudchamber.schema import BadInput
from cloudchamber.simulators.airshower.surface_array import BIN, PRE_TRIGGER

Floats = NDArray[np.float64]

SIGNAL, T50, RISETIME = TRACE, TRACE + 1, TRACE + 2
"""Columns after those of the inputs: total signal [VEM], T50 and risetime [ns]; 0 where not triggered."""


def read_stations(inputs: Inputs) -> Floats:
    """The stations of showers, each trace replaced by three numbers.

    Args:
        inputs: (shower, station, TRACE + bin), see ``data.surface_array``.

    Returns:
        (shower, station, 9): the first six columns of the inputs, then SIGNAL, T50, RISETIME.

    Raises:
        BadInput: not such an array, or a shower with fewer than three triggered stations.
    """
    if inputs.ndim != 3 or inputs.shape[2] <= TRACE + PRE_TRIGGER:
        raise BadInput(
            f"showers of shape {inputs.shape}: give (shower, station, {TRACE} + bin) with more than {PRE_TRIGGER} bins"
        )
    triggered = inputs[..., STATUS] == TRIGGERED
    count = triggered.sum(axis=1)
    if (count < LEAST_STATIONS).any():
        silent = f", {(count == 0).sum()} of them with none at all" if (count == 0).any() else ""
        few = (count < LEAST_STATIONS).sum()
        raise BadInput(
            f"{few} of {len(inputs)} showers have fewer than {LEAST_STATIONS} triggered stations{silent}: "
            f"a direction needs {LEAST_STATIONS}, leave these showers out"
        )
    found = np.zeros((*inputs.shape[:2], TRACE + 3))
    found[..., :TRACE] = inputs[..., :TRACE]
    traces = inputs[triggered][:, TRACE:].astype(np.float64)
    half = reached(traces, 0.5)
    found[triggered, SIGNAL] = traces.sum(axis=1)
    found[triggered, T50] = np.maximum(half, BIN / 2)
    found[triggered, RISETIME] = half - reached(traces, 0.1)
    return found


def reached(traces: Floats, fraction: float) -> Floats:
    """When traces (trace, bin) have reached a fraction of their sum, [ns] after the start of the PRE_TRIGGER bin.

    Examples:
        >>> trace = np.zeros((1, 9))
        >>> trace[0, PRE_TRIGGER : PRE_TRIGGER + 2] = 1.0, 1.0
        >>> float(reached(trace, 0.25)[0]), float(reached(trace, 0.5)[0])
        (12.5, 25.0)
    """
    running = np.cumsum(traces[:, PRE_TRIGGER:], axis=1)
    level = np.maximum(fraction * running[:, -1], 1e-9)
    after = np.minimum((running < level[:, None]).sum(axis=1), running.shape[1] - 1)
    rows = np.arange(len(traces))
    before = np.where(after > 0, running[rows, after - 1], 0.0)
    step = np.maximum(running[rows, after] - before, 1e-12)
    return np.asarray(BIN * (after + np.clip((level - before) / step, 0, 1)))
