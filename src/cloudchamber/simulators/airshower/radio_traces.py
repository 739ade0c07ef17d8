"""Traces of one antenna with or without the radio pulse of an air shower: what a denoiser learns from.

M. Erdmann, F. Schlueter, R. Smida, "Classification and recovery of radio signals from cosmic ray induced air showers
with deep learning", JINST 14 (2019) P04005 (arXiv:1901.04079): truth is a pulse behind antenna and filter, the input is
the pulse in noise. Defaults are close to AERA at the Pierre Auger Observatory; conventions as in ``radio_pulse``.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy import fft

from cloudchamber.schema import Array, Arrays, BadInput, Config

from .depth_of_maximum import depth_of_maximum, mass_number
from .radio_antenna import arm_along, peak_time, received, response
from .radio_noise import bursts, digitised, gaussian_noise, lines, log_uniform, spectral_density
from .radio_pulse import field_of_shower, fluence, magnetic_field, pulse_spectrum, shower_plane, spectral_slope

Doubles = NDArray[np.float64]

HADRONIC_MODEL = "EPOS-LHC"
"""Of the depth of the shower maximum."""
MIDDLING_SLOPE = -0.008
"""m_f [1/MHz] of a pulse like most others: the mean of the default options."""

TRACE_SCHEMA = {
    "signal": Array("trace sample", "uV/m", "pulse behind antenna and filter without noise, 0 if there is none"),
    "noise": Array("trace sample", "uV/m", "what is measured minus the pulse: noise, interference, rounding"),
    "has_pulse": Array("trace", "", "truth: 1 if there is a pulse", dtype="uint8", low=0, high=1),
    "snr": Array("trace", "", "truth: largest abs(signal) over the root mean square of the noise", low=0),
    "fluence": Array("trace", "eV/m2", "truth: eps0 c dt times the sum of squares of the signal", low=0),
    "peak_time": Array("trace", "ns", "truth: maximum of the signal's Hilbert envelope, from the first sample", low=0),
    "zenith": Array("trace", "rad", "truth: zenith angle of the shower", low=0),
    "azimuth": Array("trace", "rad", "truth: where the shower comes from, counter-clockwise from the east", low=0),
    "axis_distance": Array("trace", "m", "truth: distance of the antenna to the shower axis", low=0),
    "lg_energy": Array("trace", "", "truth: log10 of the energy in eV, 0 without shower", low=0),
    "geomagnetic_angle": Array("trace", "rad", "truth: angle between the shower and the magnetic field", low=0),
    "lines": Array("trace", "", "truth: transmitters in the noise", dtype="int32", low=0),
    "bursts": Array("trace", "", "truth: impulsive disturbances in the noise", dtype="int32", low=0),
}
"""The columns of ``radio_traces``; truth about a shower is 0 where there is none."""


class RadioOptions(Config):
    """Showers, antenna, noise and digitiser."""

    samples: int = Field(500, ge=64, le=65536, description="samples of a trace")
    sampling: float = Field(180.0, gt=0, description="samples per microsecond [MHz]")
    band_low: float = Field(30.0, gt=0, description="lower corner of the band-pass filter [MHz]")
    band_high: float = Field(80.0, gt=0, description="upper corner of the band-pass filter [MHz]")
    filter_order: int = Field(4, ge=1, le=12, description="order of the Butterworth filter")
    group_delay: float = Field(20.0, ge=0, le=200, description="of the antenna at the lower corner, falls as 1/f [ns]")
    arm_azimuth: float = Field(0.0, ge=-360, le=360, description="direction of the antenna's arm [degrees from east]")
    altitude: float = Field(1400.0, ge=0, le=5000, description="of the antenna above the sea [m]")
    magnetic_strength: float = Field(24.0, gt=0, le=100, description="magnetic field [uT]")
    magnetic_inclination: float = Field(-36.0, ge=-90, le=90, description="below the horizontal [degrees]")
    magnetic_declination: float = Field(3.0, ge=-180, le=180, description="from north to east [degrees]")
    pulse_fraction: float = Field(0.5, ge=0, le=1, description="share of the traces that have a pulse")
    lg_energy_min: float = Field(17.0, ge=15, le=21, description="smallest log10(E/eV), uniform")
    lg_energy_max: float = Field(18.5, ge=15, le=21, description="largest log10(E/eV)")
    zenith_max: float = Field(60.0, ge=0, le=60, description="largest zenith angle, isotropic flux [degrees]")
    axis_distance_max: float = Field(300.0, gt=0, le=2000, description="largest distance to the axis, uniform area [m]")
    primaries: tuple[str, ...] = Field(("H", "He", "N", "Fe"), min_length=1, description="cosmic rays, equal shares")
    charge_excess: float = Field(0.14, ge=0, le=1, description="over geomagnetic field at 150 m and 40 degrees; 0: off")
    slope_ring: float = Field(-0.001, ge=-0.1, lt=0, description="m_f on the Cherenkov ring, E ~ 10^(m_f f/MHz)")
    slope_far: float = Field(-0.02, ge=-0.1, lt=0, description="m_f far from the ring")
    slope_distance: float = Field(300.0, gt=0, description="distance to the ring at which m_f is that far from it [m]")
    phase_spread: float = Field(0.3, ge=0, description="Gaussian spread of the pulse's phase phi0 [rad]")
    margin: float = Field(0.1, ge=0, lt=0.5, description="part of the trace at each end without maximum of a pulse")
    snr_min: float | None = Field(None, gt=0, description="smallest SNR, log-uniform; none: amplitudes of physics")
    snr_max: float | None = Field(None, gt=0, description="largest SNR")
    galactic_temperature: float = Field(60.0, ge=0, description="of the sky at 300 MHz, falls as f^-2.55 [K]")
    thermal_temperature: float = Field(300.0, ge=0, description="noise of the electronics [K]")
    lines_max: int = Field(5, ge=0, le=50, description="most transmitters in a trace, from 0 each number alike")
    line_amplitude_min: float = Field(0.3, gt=0, description="smallest of a transmitter [root mean squares of noise]")
    line_amplitude_max: float = Field(3.0, gt=0, description="largest, log-uniform [root mean squares of noise]")
    modulation_depth: float = Field(0.5, ge=0, le=1, description="largest amplitude modulation of a transmitter")
    burst_rate: float = Field(0.2, ge=0, le=20, description="mean number of impulsive disturbances in a trace")
    burst_amplitude_min: float = Field(2.0, gt=0, description="smallest of a burst [root mean squares of noise]")
    burst_amplitude_max: float = Field(10.0, gt=0, description="largest, log-uniform [root mean squares of noise]")
    adc_bits: int = Field(12, ge=4, le=24, description="bits of the digitiser")
    adc_range: float = Field(2000.0, gt=0, description="full scale of the digitiser, plus and minus [uV/m]")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.band_low < self.band_high < self.sampling / 2:
            raise BadInput(
                f"band of {self.band_low:g} to {self.band_high:g} MHz: give a lower corner below the upper one, and the"
                f" upper one below half of the sampling, {self.sampling / 2:g} MHz",
                status=2,
            )
        if (self.snr_min is None) != (self.snr_max is None):
            raise BadInput("only one of snr_min and snr_max: give both, or none for amplitudes of physics", status=2)
        if self.galactic_temperature + self.thermal_temperature == 0:
            raise BadInput("no noise: give a galactic_temperature or a thermal_temperature above 0 K", status=2)
        for name in ("lg_energy", "snr", "line_amplitude", "burst_amplitude"):
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if low is not None and low > high:
                raise BadInput(f"{name}_min = {low:g} exceeds {name}_max = {high:g}: give the smaller first", status=2)
        for primary in self.primaries:
            mass_number(primary)
        return self

    @property
    def band(self) -> tuple[float, float]:
        """Corners of the filter [MHz]."""
        return self.band_low, self.band_high

    @property
    def grid(self) -> int:
        """Samples of the longer period, even, from which traces are cut."""
        return 2 * int(fft.next_fast_len(self.samples, real=True))


def antenna_response(options: RadioOptions) -> tuple[Doubles, NDArray[np.complex128]]:
    """Frequencies [MHz] of the grid, and the response of antenna and filter there, both (frequency,)."""
    frequency = fft.rfftfreq(options.grid, 1 / options.sampling)
    return frequency, response(frequency, options.sampling, options.band, options.filter_order, options.group_delay)


def radio_traces(options: RadioOptions, count: int, rng: np.random.Generator) -> Arrays:
    """Traces with their truth; the trace that is measured is ``signal + noise``.

    Args:
        options: showers, antenna, noise and digitiser. With ``snr_min`` and ``snr_max`` pulses are scaled, and their
            amplitude says nothing about the energy.
        count: number of traces; about 30 kB of memory each.
        rng: random numbers; the result depends on options, count and their state only.

    Returns:
        The columns of TRACE_SCHEMA.
    """
    has_pulse = rng.random(count) < options.pulse_fraction
    noise, disturbances = _noise(options, count, rng)
    found = {name: np.zeros(count) for name in ("zenith", "azimuth", "axis_distance", "lg_energy", "geomagnetic_angle")}
    signal = np.zeros((count, options.samples))
    rows = np.flatnonzero(has_pulse)
    showers, pulses = _pulses(options, len(rows), rng)
    if options.snr_min is not None and options.snr_max is not None:
        snr = log_uniform((options.snr_min, options.snr_max), (len(rows),), rng)
        largest = np.maximum(np.abs(pulses).max(axis=1), 1e-300)
        pulses *= (snr * _root_mean_square(noise[rows]) / largest)[:, None]
    signal[rows] = pulses
    for name, values in showers.items():
        found[name][rows] = values
    measured = digitised(signal + noise, options.adc_bits, options.adc_range)
    arrays: Arrays = {"signal": signal.astype(np.float32)}
    arrays["noise"] = (measured - arrays["signal"]).astype(np.float32)
    truth = {
        "snr": np.abs(signal).max(axis=1) / np.maximum(_root_mean_square(arrays["noise"]), 1e-300),
        "fluence": fluence(signal, options.sampling),
        "peak_time": np.zeros(count),
    }
    truth["peak_time"][rows] = peak_time(pulses, options.sampling)
    arrays |= {name: values.astype(np.float32) for name, values in (truth | found).items()}
    return arrays | disturbances | {"has_pulse": has_pulse.astype(np.uint8)}


def _root_mean_square(traces: NDArray[np.floating]) -> Doubles:
    return np.asarray(np.sqrt(np.mean(np.asarray(traces, np.float64) ** 2, axis=1)))


def _delay(options: RadioOptions) -> float:
    """From t0 to the maximum of the envelope behind antenna and filter [us], for a pulse of middling slope."""
    frequency, passed = antenna_response(options)
    start = 0.25 * options.samples / options.sampling
    one = pulse_spectrum(frequency, np.ones(1), np.array([MIDDLING_SLOPE]), np.zeros(1), np.array([start]))
    trace = received(one * passed, options.grid, options.grid, options.sampling)
    return float(peak_time(trace, options.sampling)[0]) * 1e-3 - start


def _noise(options: RadioOptions, count: int, rng: np.random.Generator) -> tuple[Doubles, Arrays]:
    """Noise with interference before the digitiser (trace, sample), and the numbers of lines and bursts."""
    frequency, passed = antenna_response(options)
    density = spectral_density(frequency, options.galactic_temperature, options.thermal_temperature)
    density = density * np.abs(passed) ** 2
    unit = float(np.sqrt(density.sum() * options.sampling / options.grid))
    noise = gaussian_noise(density, count, options.samples, options.sampling, rng)
    number = {
        "lines": rng.integers(0, options.lines_max, count, endpoint=True),
        "bursts": rng.poisson(options.burst_rate, count),
    }
    line_sizes = (unit * options.line_amplitude_min, unit * options.line_amplitude_max)
    burst_sizes = (unit * options.burst_amplitude_min, unit * options.burst_amplitude_max)
    shape = (options.samples, options.sampling)
    noise += lines(number["lines"], *shape, options.band, line_sizes, options.modulation_depth, rng)
    noise += bursts(number["bursts"], *shape, passed, burst_sizes, rng)
    return noise, {name: values.astype(np.int32) for name, values in number.items()}


def _pulses(options: RadioOptions, count: int, rng: np.random.Generator) -> tuple[Arrays, Doubles]:
    """Truth about the showers, and their pulses behind antenna and filter (trace, sample)."""
    lg_energy = rng.uniform(options.lg_energy_min, options.lg_energy_max, count)
    zenith = np.arcsin(np.sqrt(rng.random(count)) * np.sin(np.radians(options.zenith_max)))
    azimuth = rng.uniform(0, 2 * np.pi, count)
    masses = np.array([mass_number(primary) for primary in options.primaries])
    depth = depth_of_maximum(HADRONIC_MODEL, lg_energy, masses[rng.integers(0, len(masses), count)], rng)
    r, around = options.axis_distance_max * np.sqrt(rng.random(count)), rng.uniform(0, 2 * np.pi, count)
    position = np.stack([r * np.cos(around), r * np.sin(around)], axis=-1)
    magnetic = magnetic_field(options.magnetic_strength, options.magnetic_inclination, options.magnetic_declination)
    e1, e2, angle = shower_plane(zenith, azimuth, magnetic)
    field, ring = field_of_shower(
        position, zenith, lg_energy, depth, angle, options.magnetic_strength, options.altitude, options.charge_excess
    )
    arm = arm_along(options.arm_azimuth)
    amplitude = field[:, 0] * (e1 @ arm) + field[:, 1] * (e2 @ arm)
    slope = spectral_slope(r, ring, options.slope_ring, options.slope_far, options.slope_distance)
    length = options.samples / options.sampling
    time = rng.uniform(options.margin * length, (1 - options.margin) * length, count) - _delay(options)
    phase = rng.normal(0, options.phase_spread, count)
    frequency, passed = antenna_response(options)
    spectrum = pulse_spectrum(frequency, amplitude, slope, phase, time) * passed
    truth: Arrays = {
        "lg_energy": lg_energy, "zenith": zenith, "azimuth": azimuth, "axis_distance": r, "geomagnetic_angle": angle,
    }  # fmt: skip
    return truth, received(spectrum, options.samples, options.grid, options.sampling)
