"""Radio traces of air showers as predictors read them, what they answer, and the traces that cannot be used.

A record on disk is one polarisation of one antenna: the measured ``trace`` and its ``sampling``; a simulation also
knows the ``signal`` in it. Inputs are (trace, row, sample): row MEASURED is what everybody reads; row TRUE is the
signal, for the matched filter that knows it, which is a bound and no rival. Where nobody knows the signal that row is
nan.

Answers are (trace, WAVEFORM + sample): ``pulse`` (truth 0 or 1; a predictor's score, positive where it says that there
is a pulse), ``fluence`` [eV/m2], ``peak_time`` [ns] from the first sample, ``snr`` (known to the simulation only), and
the waveform of the pulse [uV/m]. What a predictor does not estimate is nan.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.files import open_file, reading
from cloudchamber.data.own import read_own
from cloudchamber.data.samples import Inputs
from cloudchamber.schema import Array, Arrays, BadInput
from cloudchamber.simulators.airshower.radio_pulse import BAND
from cloudchamber.simulators.airshower.radio_traces import TRACE_SCHEMA, RadioOptions, radio_traces

SAMPLING, SAMPLES = 180.0, 500
"""MHz, and samples of a trace."""
MEASURED, TRUE = 0, 1
"""Rows of the inputs."""
PULSE, FLUENCE, PEAK_TIME, SNR, WAVEFORM = range(5)
"""Columns of the answers; the waveform begins at the last."""
TARGETS = ("pulse", "fluence", "peak_time", "snr", *(f"sample_{number:03d}" for number in range(SAMPLES)))

OBSERVED = {
    "trace": Array("trace sample", "uV/m", "measured electric field in one polarisation"),
    "sampling": Array("trace", "MHz", "samples a microsecond; another rate than 180 MHz is refused", low=0),
}
"""What a measurement has."""
TRUTH = {name: array for name, array in TRACE_SCHEMA.items() if name != "noise"}
"""What only a simulation knows; the noise is the trace minus the signal."""


def simulated(options: RadioOptions, count: int, rng: np.random.Generator) -> Arrays:
    """Records of simulated traces, the columns of OBSERVED and of TRUTH.

    Args:
        options: showers, antenna and noise; predictors want the default samples and sampling.
        count: number of traces.
        rng: random numbers.
    """
    found = radio_traces(options, count, rng)
    found["trace"] = found["signal"] + found.pop("noise")
    return found | {"sampling": np.full(count, options.sampling)}


def inputs(config: Any, records: Arrays, rng: np.random.Generator | None) -> Inputs:  # noqa: ARG001
    """Measured trace and true signal (trace, row, sample).

    With ``rng`` every signal gets the noise of another trace of the batch, as loud as its own and with a random sign,
    so that the truth, signal-to-noise ratio included, stays what it is.

    Raises:
        BadInput: a trace of another sampling, or a silent one.
    """
    measured = records["trace"].astype(np.float64)
    refuse(measured, records["sampling"])
    signal = records.get("signal", np.full(measured.shape, np.nan)).astype(np.float64)
    if rng is not None:
        noise = measured - signal
        other = rng.permutation(len(noise))
        loud = np.sqrt(np.square(noise).mean(axis=1, keepdims=True))
        ratio = loud / np.maximum(loud[other], np.finfo(np.float64).tiny)
        measured = signal + noise[other] * ratio * rng.choice((-1.0, 1.0), (len(noise), 1))
    return np.stack([measured, signal], axis=1).astype(np.float32)


def targets(config: Any, records: Arrays) -> NDArray[np.float32]:  # noqa: ARG001
    """The truth (trace, WAVEFORM + sample)."""
    numbers = [records[name][:, None] for name in ("has_pulse", "fluence", "peak_time", "snr")]
    return np.concatenate([*numbers, records["signal"]], axis=1).astype(np.float32)


def noise_of(inputs: Inputs) -> NDArray[np.float32]:
    """The noise (trace, sample) of inputs whose signal is known."""
    noise: NDArray[np.float32] = inputs[:, MEASURED] - inputs[:, TRUE]
    return noise


def refuse(traces: NDArray[Any], sampling: NDArray[Any], first: int = 0) -> None:
    """BadInput for the first trace that is of another sampling, or silent: all its samples are equal.

    Args:
        traces: (trace, sample).
        sampling: (trace,) in MHz.
        first: number of the first of them in the user's file.
    """
    other = np.flatnonzero(np.abs(sampling - SAMPLING) > 1e-3 * SAMPLING)
    if len(other):
        raise BadInput(
            f"trace {first + other[0]} is sampled at {sampling[other[0]]:g} MHz, expected {SAMPLING:g} MHz: resample it"
        )
    silent = np.flatnonzero(np.ptp(traces, axis=1) == 0)
    if len(silent):
        raise BadInput(
            f"trace {first + silent[0]} is silent, all its samples are {traces[silent[0], 0]:g} uV/m, expected noise: "
            "leave such traces out"
        )


def read(config: Any, path: Path, mapping: Mapping[str, str] | None) -> None:  # noqa: ARG001
    """Refuse a user's file with traces that cannot be used, before any predictor is asked.

    Returns:
        None: it is no file of a kind of its own (``study.PredictorStudy.read``).

    Raises:
        BadInput: as ``refuse``.
    """
    known = {name: place for name, place in (mapping or {}).items() if name in OBSERVED}
    if h5py.is_hdf5(path):
        with reading(path), open_file(path) as file:
            if not all(known.get(name, name) in file for name in OBSERVED):
                return  # what is missing, or whether finished inputs are there, is told where all columns are read
    records = read_own(path, OBSERVED, {}, known)
    for start in range(0, len(records), 1000):
        some = records.read(np.arange(start, min(start + 1000, len(records)), dtype=np.int64))
        refuse(some["trace"], some["sampling"], start)


def resembles(inputs: Inputs) -> NDArray[np.float64]:
    """(trace, 8): by which new traces are told from the training's.

    Logarithms of root mean square and of the crest factor, part of the power out of the band, and flatness of the power
    in five parts of it. Neither the unit nor the antenna's gain may be another than in the training.
    """
    traces = inputs[:, MEASURED].astype(np.float64)
    rms = np.sqrt(np.square(traces).mean(axis=1))
    power = np.square(np.abs(np.fft.rfft(traces, axis=1)))
    frequency = np.fft.rfftfreq(traces.shape[1], 1 / SAMPLING)
    edges = (0.0, *np.linspace(*BAND, 6), SAMPLING / 2 + 1)
    total = power.sum(axis=1)
    parts = [power[:, (frequency >= low) & (frequency < high)].sum(axis=1) / total for low, high in pairwise(edges)]
    out = parts[0] + parts[-1]
    return np.stack([np.log(rms), np.log(np.abs(traces).max(axis=1) / rms), out, *parts[1:-1]], axis=1)
