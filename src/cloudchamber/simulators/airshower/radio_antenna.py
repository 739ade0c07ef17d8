"""A simplified antenna and its electronics: a short dipole, dispersion of a log-periodic antenna, a band-pass filter.

The field along the dipole's arm times a complex response without unit, 1 in the middle of the band: traces stay in
uV/m. The group delay of a log-periodic antenna falls as 1 / f, since low frequencies are received by its long, far
elements; the filter is the Butterworth of scipy, with its own delay. Frequencies in MHz.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

Doubles = NDArray[np.float64]
Complexes = NDArray[np.complex128]


def arm_along(azimuth: float) -> Doubles:
    """Unit vector (3,) of a horizontal arm.

    Args:
        azimuth: from east to north [degrees].
    """
    angle = np.radians(azimuth)
    return np.array([np.cos(angle), np.sin(angle), 0.0])


def response(frequency: Doubles, sampling: float, band: tuple[float, float], order: int, delay: float) -> Complexes:
    """Response (frequency,) of antenna and filter.

    Args:
        frequency: from 0 to half of the sampling (frequency,).
        sampling: [MHz].
        band: corners of the filter, where the power is halved.
        order: of the Butterworth filter.
        delay: group delay of the antenna at the lower corner [ns]; 0: none.
    """
    sections = signal.butter(order, band, btype="bandpass", fs=sampling, output="sos")
    _, passed = signal.sosfreqz(sections, frequency, fs=sampling)
    f = np.maximum(frequency, 0.1 * band[0])  # no delay without end at frequencies that do not pass
    lag = 2 * np.pi * 1e-3 * delay * band[0] * np.log(f / band[0])  # whose derivative is the group delay
    return np.asarray(passed * np.exp(-1j * lag))


def received(spectrum: Complexes, samples: int, grid: int, sampling: float) -> Doubles:
    """Traces (trace, sample): the first samples of a longer grid, so that nothing comes in again at the other end.

    Args:
        spectrum: in uV/m/MHz at ``fft.rfftfreq(grid, 1 / sampling)``, (trace, frequency).
        samples: of a trace.
        grid: samples of the grid.
        sampling: [MHz].
    """
    return np.asarray(fft.irfft(spectrum, grid, axis=-1)[..., :samples] * sampling)


def envelope(traces: NDArray[np.floating]) -> Doubles:
    """The Hilbert envelope (..., sample), the absolute value of the analytic signal."""
    return np.asarray(np.abs(signal.hilbert(np.asarray(traces, np.float64), axis=-1)))


def peak_time(traces: NDArray[np.floating], sampling: float) -> Doubles:
    """Time of the Hilbert envelope's maximum [ns] from the first sample (trace,); 0 for traces of zeros.

    A parabola through the square of the envelope at the maximum and its neighbours, finer than the samples.

    Args:
        traces: (trace, sample).
        sampling: [MHz].
    """
    power = envelope(traces) ** 2
    peak = np.clip(power.argmax(axis=-1), 1, power.shape[-1] - 2)
    rows = np.arange(len(power))
    before, at, after = (power[rows, peak + step] for step in (-1, 0, 1))
    curvature = before - 2 * at + after
    shift = np.divide(before - after, 2 * curvature, out=np.zeros_like(at), where=curvature < 0)
    return np.where(power.any(axis=-1), (peak + np.clip(shift, -1, 1)) * 1e3 / sampling, 0.0)
