"""What an antenna hears without a shower: the Galaxy, its own warmth, transmitters, sparks, and the digitiser.

The Galaxy is a sky of brightness temperature ``T = 60 K (f / 300 MHz)^-2.55`` (60 K at a wavelength of 1 m: M. van
Haarlem et al., LOFAR, A&A 556 (2013) A2). A short dipole under half a sphere of such a sky sees one third of the square
of the field: ``S(f) = 4 pi k T f^2 / (3 eps0 c^3)``, one-sided, by Rayleigh and Jeans. What is warm in the electronics
is given as a temperature of the same kind. Fields in uV/m, spectral densities in (uV/m)^2/MHz, frequencies in MHz.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.constants import c, epsilon_0, k

from .radio_pulse import BAND

Doubles = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Counts = NDArray[np.int64]

GALACTIC_INDEX = -2.55
REFERENCE_FREQUENCY = 300.0
"""Of the sky's temperature [MHz]."""
SPARK_DECAY = (0.020, 0.120)
"""Shortest and longest time in which sparks die out [us]."""


def sky_temperature(frequency: Doubles, temperature: float, index: float = GALACTIC_INDEX) -> Doubles:
    """Brightness temperature of the Galaxy [K] (frequency,), for frequencies above 0.

    Args:
        frequency: (frequency,).
        temperature: at 300 MHz [K].
        index: of the power law.
    """
    return np.asarray(temperature * (frequency / REFERENCE_FREQUENCY) ** index)


def spectral_density(frequency: Doubles, temperature: float, thermal: float) -> Doubles:
    """One-sided spectral density (frequency,) of the field along the arm; 0 at frequency 0.

    Args:
        frequency: (frequency,).
        temperature: of the Galaxy at 300 MHz [K].
        thermal: of the electronics [K].
    """
    f = np.where(frequency > 0, frequency, 1.0)
    total = sky_temperature(f, temperature) + thermal
    density = 4 * np.pi * k * total * (1e6 * f) ** 2 / (3 * epsilon_0 * c**3) * 1e12 * 1e6
    return np.asarray(np.where(frequency > 0, density, 0.0))


def gaussian_noise(density: Doubles, count: int, samples: int, sampling: float, rng: np.random.Generator) -> Doubles:
    """Stationary Gaussian noise (trace, sample), the beginning of a longer period so that its ends do not meet.

    Args:
        density: one-sided, at the frequencies of an even grid of ``2 * (len(density) - 1)`` samples.
        count: number of traces.
        samples: of a trace.
        sampling: [MHz].
        rng: random numbers.
    """
    grid = 2 * (len(density) - 1)
    draws = rng.standard_normal((count, len(density), 2)).view(np.complex128)[..., 0]
    spectrum = draws * np.sqrt(density * grid * sampling / 4)
    spectrum[:, [0, -1]] = 0.0  # outside of the band
    return np.asarray(fft.irfft(spectrum, grid, axis=-1)[:, :samples])


def log_uniform(ends: tuple[float, float], shape: tuple[int, ...], rng: np.random.Generator) -> Doubles:
    """Numbers whose logarithm is uniform.

    Args:
        ends: smallest and largest, above 0.
        shape: of the result.
        rng: random numbers.
    """
    return np.exp(rng.uniform(np.log(ends[0]), np.log(ends[1]), shape))


def lines(
    number: Counts,
    samples: int,
    sampling: float,
    band: tuple[float, float],
    amplitude: tuple[float, float],
    depth: float,
    rng: np.random.Generator,
) -> Doubles:
    """Transmitters (trace, sample): carriers of any phase with some amplitude modulation.

    Frequencies are uniform in the band, amplitudes log-uniform; the modulation is a sine of 0.1 to 2 MHz.

    Args:
        number: of carriers (trace,).
        samples: of a trace.
        sampling: [MHz].
        band: lowest and highest frequency.
        amplitude: smallest and largest.
        depth: largest modulation, between 0 and 1.
        rng: random numbers.
    """
    time = 2 * np.pi / sampling * np.arange(samples)
    total = np.zeros((len(number), samples))
    for one in range(int(number.max(initial=0))):
        on = np.flatnonzero(number > one)
        carrier, slow = rng.uniform(*band, len(on)), rng.uniform(0.1, 2.0, len(on))
        size, modulation = log_uniform(amplitude, (len(on),), rng), rng.uniform(0, depth, len(on))
        phase = rng.uniform(0, 2 * np.pi, (2, len(on), 1))
        swing = 1 + modulation[:, None] * np.cos(slow[:, None] * time + phase[0])
        total[on] += size[:, None] * swing * np.cos(carrier[:, None] * time + phase[1])
    return total


def bursts(
    number: Counts,
    samples: int,
    sampling: float,
    passed: Complexes,
    amplitude: tuple[float, float],
    rng: np.random.Generator,
) -> Doubles:
    """Sparks (trace, sample): ringing that starts at once and dies out, of an even chance to start at any time.

    ``exp(-t / tau) cos(2 pi f t + phase)`` behind the antenna: tau in SPARK_DECAY (log-uniform) and any f in BAND,
    so narrower in frequency and longer than the pulses of showers.

    Args:
        number: of bursts (trace,).
        samples: of a trace.
        sampling: [MHz].
        passed: response of antenna and filter at the frequencies of an even grid.
        amplitude: smallest and largest of the maximum, log-uniform.
        rng: random numbers.
    """
    grid = 2 * (len(passed) - 1)
    omega = 2 * np.pi * fft.rfftfreq(grid, 1 / sampling)
    total = np.zeros((len(number), samples))
    for one in range(int(number.max(initial=0))):
        on = np.flatnonzero(number > one)
        decay = 1 / log_uniform(SPARK_DECAY, (len(on), 1), rng)
        ring = 2 * np.pi * rng.uniform(*BAND, (len(on), 1))
        turn = np.exp(2j * np.pi * rng.random((len(on), 1)))
        start = rng.uniform(0, samples / sampling, (len(on), 1))
        spectrum = turn / (decay + 1j * (omega - ring)) + turn.conj() / (decay + 1j * (omega + ring))
        trace = fft.irfft(spectrum * passed * np.exp(-1j * omega * start), grid, axis=-1)
        size = log_uniform(amplitude, (len(on), 1), rng)
        total[on] += (size * trace / np.abs(trace).max(axis=-1, keepdims=True))[:, :samples]
    return total


def digitised(traces: Doubles, bits: int, full_scale: float) -> Doubles:
    """What the digitiser makes of traces: rounded to whole counts, cut off at the ends of its range.

    Args:
        traces: (trace, sample).
        bits: of the digitiser.
        full_scale: largest field [uV/m]; the smallest is its negative.
    """
    step = count_size(bits, full_scale)
    half = 2 ** (bits - 1)
    return np.asarray(np.clip(np.round(traces / step), -half, half - 1) * step)


def count_size(bits: int, full_scale: float) -> float:
    """Field of one count [uV/m]; arguments as of ``digitised``."""
    return float(full_scale / 2 ** (bits - 1))
