"""Classical filters for radio pulses in noise: band-pass, notch, sine subtraction, Wiener filter, Hilbert envelope.

N. Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary Time Series" (1949): the gain S / (S + N) has the
least mean squared error of all linear filters for a stationary signal in stationary noise.

Conventions: traces (trace, sample) in uV/m; a power (frequency,) is the mean of ``abs(rfft(trace))^2``, which is
``samples * sampling / 2`` times the one-sided spectral density. Filters return float64 traces of the same shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage, signal

from cloudchamber.simulators.airshower.radio_antenna import envelope

Doubles = NDArray[np.float64]
Traces = NDArray[np.floating]
Setting = TypeVar("Setting")

NEIGHBOURS = 31
"""Frequencies of which the running median is the background of a line."""
NARROWEST = 1e-12
"""Smallest power relative to the largest: of frequencies that the antenna does not receive."""
EDGE = 0.1
"""Part of a trace at each end that ``tapered`` fades."""


def band_pass(traces: Traces, sampling: float, band: tuple[float, float], order: int = 4) -> Doubles:
    """Butterworth band-pass, forwards and backwards, so that no pulse is moved.

    Args:
        traces: (trace, sample).
        sampling: [MHz].
        band: corners, where the power is a quarter [MHz].
        order: of the filter that is applied twice.
    """
    sections = signal.butter(order, band, btype="bandpass", fs=sampling, output="sos")
    return np.asarray(signal.sosfiltfilt(sections, np.asarray(traces, np.float64), axis=-1))


def tapered(traces: Traces, edge: float = EDGE) -> Doubles:
    """Traces that fade to 0 at both ends (a Tukey window).

    The ends of a trace do not meet: to a Fourier transform that is a step, whose power outside of the antenna's band is
    more than ten times that of the noise.

    Args:
        traces: (trace, sample).
        edge: part of the trace at each end that is faded; 0: none.
    """
    return np.asarray(np.asarray(traces, np.float64) * signal.windows.tukey(traces.shape[-1], 2 * edge))


def noise_power_of(traces: Traces, edge: float = EDGE) -> Doubles:
    """Mean power (frequency,) of noise (trace, sample) without what its ends do to it; arguments as of ``tapered``."""
    share = np.mean(signal.windows.tukey(traces.shape[-1], 2 * edge) ** 2)
    return np.asarray(mean_power(tapered(traces, edge)) / share)


def mean_power(traces: Traces) -> Doubles:
    """Mean of ``abs(rfft(trace))^2`` (frequency,) of traces (trace, sample)."""
    return np.asarray(np.mean(np.abs(fft.rfft(np.asarray(traces, np.float64), axis=-1)) ** 2, axis=0))


def line_excess(traces: Traces) -> Doubles:
    """Power (trace, frequency) over the running median of its neighbours in frequency; with a Hann window.

    A pulse is as broad as the band and raises the median with it, a line is a peak.
    """
    window = signal.windows.hann(traces.shape[-1], sym=False)
    power = np.abs(fft.rfft(np.asarray(traces, np.float64) * window, axis=-1)) ** 2
    half = NEIGHBOURS // 2
    padded = np.pad(power, ((0, 0), (half, half)), mode="edge")
    # scipy's filter in one dimension is ten times as fast: all traces are one row, whose joints are padding
    background = ndimage.median_filter(padded.ravel(), NEIGHBOURS).reshape(padded.shape)[:, half:-half]
    floor = NARROWEST * power.max(axis=-1, keepdims=True) + np.finfo(np.float64).tiny
    return np.asarray(power / np.maximum(background, floor))


def _in_band(samples: int, sampling: float, band: tuple[float, float]) -> NDArray[np.bool_]:
    frequency = fft.rfftfreq(samples, 1 / sampling)
    return np.asarray((frequency >= band[0]) & (frequency <= band[1]))


def notch(traces: Traces, sampling: float, band: tuple[float, float], threshold: float) -> Doubles:
    """Traces without the frequencies that stand out, and without their nearest neighbours.

    Args:
        traces: (trace, sample).
        sampling: [MHz].
        band: where lines are looked for [MHz].
        threshold: of ``line_excess``.
    """
    samples = traces.shape[-1]
    found = (line_excess(traces) > threshold) & _in_band(samples, sampling, band)
    found = ndimage.binary_dilation(found, np.ones((1, 3), bool))
    spectrum = fft.rfft(np.asarray(traces, np.float64), axis=-1)
    return np.asarray(fft.irfft(np.where(found, 0.0, spectrum), samples, axis=-1))


def subtract_lines(
    traces: Traces, sampling: float, band: tuple[float, float], threshold: float, most: int = 8
) -> tuple[Doubles, NDArray[np.int64]]:
    """Traces without sines: again and again the strongest line is fitted to the whole trace and subtracted.

    The sine's amplitude and phase change linearly with time, for a slow modulation and what the frequency is wrong by.

    Args:
        traces: (trace, sample).
        sampling: [MHz].
        band: where lines are looked for [MHz].
        threshold: of ``line_excess``; a trace is finished when no frequency is above it.
        most: lines subtracted from a trace.

    Returns:
        Traces, and the number of lines subtracted (trace,).
    """
    left = np.array(traces, np.float64)
    inside = _in_band(left.shape[-1], sampling, band)
    number = np.zeros(len(left), np.int64)
    rows = np.arange(len(left))
    for _ in range(most):
        excess = np.where(inside, line_excess(left[rows]), 0.0)
        peak = excess.argmax(axis=-1)
        loud = excess[np.arange(len(rows)), peak] > threshold
        rows, peak, excess = rows[loud], peak[loud], excess[loud]
        if not len(rows):
            break
        left[rows] -= _fitted_line(left[rows], _refined(excess, peak))
        number[rows] += 1
    return left, number


def _refined(excess: Doubles, peak: NDArray[np.int64]) -> Doubles:
    """Place of a peak (trace,) between the frequencies: parabola through the logarithm of three of them."""
    rows, last = np.arange(len(peak)), excess.shape[-1] - 1
    tiny = np.finfo(np.float64).tiny
    places = (np.maximum(peak - 1, 0), peak, np.minimum(peak + 1, last))
    before, at, after = (np.log(np.maximum(excess[rows, place], tiny)) for place in places)
    curvature = before - 2 * at + after
    shift = np.divide(before - after, 2 * curvature, out=np.zeros_like(at), where=curvature < 0)
    return np.asarray(peak + np.clip(shift, -0.5, 0.5))


def _fitted_line(traces: Doubles, place: Doubles) -> Doubles:
    """Least squares of ``(a + b t) cos + (c + d t) sin`` (trace, sample) at fractional frequencies (trace,)."""
    samples = traces.shape[-1]
    turn = np.exp(2j * np.pi / samples * place[:, None] * np.arange(samples))
    time = np.linspace(-1, 1, samples)
    basis = np.stack([turn.real, turn.imag, time * turn.real, time * turn.imag], axis=1)
    normal = basis @ basis.swapaxes(1, 2)
    coefficients = np.linalg.solve(normal, basis @ traces[:, :, None])
    return np.asarray((basis * coefficients).sum(axis=1))


def wiener_gain(signal_power: Doubles, noise_power: Doubles) -> Doubles:
    """``S / (S + N)`` (frequency,); 0 where there is neither.

    Args:
        signal_power: mean power of pulses, with the traces that have none (frequency,).
        noise_power: mean power of the noise (frequency,).
    """
    total = signal_power + noise_power
    return np.divide(signal_power, total, out=np.zeros_like(total), where=total > 0)


def filtered(traces: Traces, gain: Doubles) -> Doubles:
    """Traces with each frequency times its gain.

    Args:
        traces: (trace, sample).
        gain: (frequency,) or (trace, frequency).
    """
    spectrum = fft.rfft(np.asarray(traces, np.float64), axis=-1)
    return np.asarray(fft.irfft(gain * spectrum, traces.shape[-1], axis=-1))


def envelope_statistic(traces: Traces) -> Doubles:
    """Largest value of the Hilbert envelope over its median (trace,): large if there is a pulse."""
    found = envelope(traces)
    return np.asarray(found.max(axis=-1) / np.maximum(np.median(found, axis=-1), np.finfo(np.float64).tiny))


def hilbert_window(traces: Traces, width: int) -> Doubles:
    """Traces that are kept around the maximum of the Hilbert envelope and 0 elsewhere.

    Args:
        traces: (trace, sample).
        width: samples kept on each side.
    """
    found = envelope(traces)
    middle = found.argmax(axis=-1)[:, None]
    near = np.abs(np.arange(traces.shape[-1]) - middle) <= width
    return np.where(near, np.asarray(traces, np.float64), 0.0)


def best_setting(
    settings: Sequence[Setting], method: Callable[[Setting], Doubles], truth: Traces
) -> tuple[Setting, float]:
    """The setting of a filter with the least mean squared error on training traces, and that error.

    Args:
        settings: those that are tried; the first of equals wins.
        method: setting to filtered traces (trace, sample).
        truth: pulses without noise (trace, sample).
    """
    errors = [float(np.mean((method(setting) - truth) ** 2)) for setting in settings]
    best = int(np.argmin(errors))
    return settings[best], errors[best]
