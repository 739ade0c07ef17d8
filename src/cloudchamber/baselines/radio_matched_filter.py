"""The matched filter for radio pulses: the best linear detector of a known pulse in stationary noise, at unknown time.

D. O. North, Proc. IEEE 51 (1963) 1016: correlation of the trace with the pulse, each frequency weighted by one over the
power of the noise. With the true pulse of each trace as the template it is the bound for every detector of Gaussian
noise. Powers and traces as in ``radio_filters``; times are searched in steps of a part of a sample, since a sample of
5.6 ns is a good part of the period of 20 ns. Traces are tapered: else their ends look like pulses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cloudchamber.schema import BadInput
from cloudchamber.simulators.airshower.radio_antenna import envelope

from .radio_filters import EDGE, tapered

Doubles = NDArray[np.float64]
Traces = NDArray[np.floating]

UPSAMPLING = 4
"""Steps in a sample."""
ROUNDS = 3
"""Of aligning pulses with their average."""


def matched_series(traces: Traces, template: Traces, noise_power: Doubles, edge: float = EDGE) -> Doubles:
    """Output of the matched filter in standard deviations of the noise (trace, UPSAMPLING * sample).

    In noise alone every value far from the ends is a unit normal; a pulse ``a * template`` that is later by t raises
    the value at ``UPSAMPLING * t`` by a times ``template_strength``. Times are periodic.

    Args:
        traces: (trace, sample).
        template: (sample,), or one for each trace (trace, sample).
        noise_power: of the noise, above 0 (frequency,).
        edge: part of the trace at each end that is faded; 0 for periodic traces.
    """
    samples = traces.shape[-1]
    shape = fft.rfft(np.asarray(template, np.float64), axis=-1)
    weighted = fft.rfft(tapered(traces, edge), axis=-1) * shape.conj() / noise_power
    if samples % 2 == 0:
        weighted[..., -1] /= 2  # the highest frequency is counted once; padded, it would be twice
    strength = template_strength(template, noise_power)
    grid = UPSAMPLING * samples
    return np.asarray(fft.irfft(weighted, grid, axis=-1) * grid / np.asarray(strength)[..., None])


def template_strength(template: Traces, noise_power: Doubles) -> Doubles:
    """Mean output of the matched filter for the template itself, () or (trace,): its largest possible SNR.

    Args:
        template: (sample,) or (trace, sample), not 0.
        noise_power: of the noise (frequency,).
    """
    weight = np.abs(fft.rfft(np.asarray(template, np.float64), axis=-1)) ** 2 / noise_power
    total = 2 * weight.sum(axis=-1) - weight[..., 0]
    return np.asarray(np.sqrt(total - weight[..., -1] if np.shape(template)[-1] % 2 == 0 else total))


def matched_statistic(traces: Traces, template: Traces, noise_power: Doubles, edge: float = EDGE) -> Doubles:
    """Largest absolute output (trace,), for pulses of any sign and time; arguments as of ``matched_series``."""
    return np.asarray(np.abs(matched_series(traces, template, noise_power, edge)).max(axis=-1))


def matched_pulse(traces: Traces, template: Traces, noise_power: Doubles) -> Doubles:
    """The template with the amplitude and time of the largest output: the most likely pulse (trace, sample).

    Args:
        traces: (trace, sample).
        template: as of ``matched_series``.
        noise_power: as of ``matched_series``.
    """
    samples = traces.shape[-1]
    series = matched_series(traces, template, noise_power)
    place = np.abs(series).argmax(axis=-1)
    largest = series[np.arange(len(series)), place]
    shape = _later(np.asarray(template, np.float64), place / UPSAMPLING, samples)
    amplitude = largest / template_strength(template, noise_power)
    return np.asarray(amplitude[:, None] * shape)


def _later(traces: Doubles, by: Doubles, samples: int) -> Doubles:
    """Traces (trace, sample) shifted by a number of samples each, periodically."""
    turn = np.exp(-2j * np.pi * fft.rfftfreq(samples) * by[:, None])
    return np.asarray(fft.irfft(fft.rfft(traces, axis=-1) * turn, samples, axis=-1))


def average_template(signals: Traces) -> Doubles:
    """The average pulse (sample,), of unit energy, in the middle of the trace.

    Pulses without noise are given the same energy, moved to the maximum of their envelopes, then ROUNDS times to the
    time and sign at which they are most like their average.

    Args:
        signals: pulses without noise; traces of zeros are left out (trace, sample).

    Raises:
        BadInput: no pulse.
    """
    pulses = np.asarray(signals, np.float64)
    pulses = pulses[pulses.any(axis=-1)]
    if not len(pulses):
        raise BadInput("no pulse in the training traces: give some traces with pulses")
    samples = pulses.shape[-1]
    pulses = pulses / np.linalg.norm(pulses, axis=-1, keepdims=True)
    pulses = _later(pulses, samples // 2 - envelope(pulses).argmax(axis=-1), samples)
    pulses *= np.sign(np.take_along_axis(pulses, np.abs(pulses).argmax(axis=-1)[:, None], axis=-1))
    average = pulses.mean(axis=0)
    flat = np.ones(samples // 2 + 1)
    for _ in range(ROUNDS):
        series = matched_series(pulses, average, flat, 0.0)
        place = np.abs(series).argmax(axis=-1)
        sign = np.sign(series[np.arange(len(series)), place])
        average = (sign[:, None] * _later(pulses, -place / UPSAMPLING, samples)).mean(axis=0)
    return np.asarray(average / np.linalg.norm(average))
