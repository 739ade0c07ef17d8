"""Traces and their truth: columns, bounds, noise, seeds, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from cloudchamber.schema import BadInput
from cloudchamber.simulators.airshower.radio_antenna import envelope, peak_time, received, response
from cloudchamber.simulators.airshower.radio_noise import count_size, spectral_density
from cloudchamber.simulators.airshower.radio_pulse import fluence, pulse_spectrum
from cloudchamber.simulators.airshower.radio_traces import (
    MIDDLING_SLOPE,
    TRACE_SCHEMA,
    RadioOptions,
    antenna_response,
    radio_traces,
)

QUIET = RadioOptions(lines_max=0, burst_rate=0, pulse_fraction=0)


def noise_spectrum(options: RadioOptions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies of a trace [MHz], and the density there without interference, with rounding [(uV/m)^2/MHz]."""
    frequency = np.fft.rfftfreq(options.samples, 1 / options.sampling)
    passed = response(frequency, options.sampling, options.band, options.filter_order, options.group_delay)
    density = spectral_density(frequency, options.galactic_temperature, options.thermal_temperature)
    rounding = count_size(options.adc_bits, options.adc_range) ** 2 / 12 / (options.sampling / 2)
    return frequency, density * np.abs(passed) ** 2 + rounding


def test_columns_are_those_of_the_schema_and_in_its_bounds() -> None:
    arrays = radio_traces(RadioOptions(), 300, np.random.default_rng(1))
    assert arrays.keys() == TRACE_SCHEMA.keys()
    for name, array in TRACE_SCHEMA.items():
        assert arrays[name].dtype == array.dtype, name
        array.check(name, arrays[name], {"trace": 300, "sample": 500})


def test_truth_of_a_trace_is_that_of_its_arrays() -> None:
    arrays = radio_traces(RadioOptions(), 300, np.random.default_rng(2))
    signal, noise, pulse = arrays["signal"], arrays["noise"], arrays["has_pulse"] == 1
    assert not signal[~pulse].any()
    assert np.abs(signal[pulse]).max(axis=1).min() > 0
    # float32 traces
    assert arrays["fluence"] == pytest.approx(fluence(signal, 180.0), rel=1e-5)
    rms = np.sqrt(np.mean(noise.astype(float) ** 2, axis=1))
    assert arrays["snr"] == pytest.approx(np.abs(signal).max(axis=1) / rms, rel=1e-5)
    assert arrays["peak_time"] == pytest.approx(peak_time(signal, 180.0), abs=0.01)
    assert envelope(signal[pulse]).argmax(axis=1) * 1e3 / 180 == pytest.approx(
        arrays["peak_time"][pulse], abs=1e3 / 180
    )
    for name in ("snr", "fluence", "peak_time", "lg_energy", "zenith", "axis_distance"):
        assert not arrays[name][~pulse].any(), name


def test_measured_trace_is_what_a_digitiser_of_whole_counts_gives() -> None:
    arrays = radio_traces(RadioOptions(adc_bits=8, adc_range=512), 200, np.random.default_rng(3))
    counts = (arrays["signal"].astype(float) + arrays["noise"]) / 4.0
    # pulses up to some mV/m in float32: 1e-7 of them, with and without pulse alike
    assert np.abs(counts - np.round(counts)).max() < 1e-3
    assert counts.max() < 127 + 1e-3
    assert counts.min() > -128 - 1e-3


def test_snr_keeps_its_bounds_and_is_uniform_in_its_logarithm() -> None:
    options = RadioOptions(snr_min=1, snr_max=10, pulse_fraction=1)
    snr = radio_traces(options, 2000, np.random.default_rng(4))["snr"]
    # scaled before rounding, which changes the noise by 1e-3 at most
    assert snr.min() > 0.995
    assert snr.max() < 10.05
    below = np.mean(np.log10(snr) < 0.5)
    assert below == pytest.approx(0.5, abs=0.045)  # 4 standard errors of 2000 traces


def test_fluence_goes_as_the_square_of_the_energy() -> None:
    one, two = (
        radio_traces(RadioOptions(lg_energy_min=lg, lg_energy_max=lg, pulse_fraction=1), 4000, np.random.default_rng(5))
        for lg in (17.0, 18.0)
    )
    ratio = np.median(two["fluence"]) / np.median(one["fluence"])
    # 100, times the change of the footprint with the depth of the maximum, 58 g/cm2 a decade
    assert 70 < ratio < 140
    assert spearmanr(one["axis_distance"], one["fluence"]).statistic < -0.5


def test_share_of_pulses_is_the_one_asked_for() -> None:
    share = radio_traces(RadioOptions(pulse_fraction=0.3), 2000, np.random.default_rng(6))["has_pulse"].mean()
    assert share == pytest.approx(0.3, abs=0.041)  # 4 standard errors
    assert not radio_traces(QUIET, 50, np.random.default_rng(6))["has_pulse"].any()


def test_directions_positions_and_peaks_have_their_distributions() -> None:
    arrays = radio_traces(RadioOptions(pulse_fraction=1), 4000, np.random.default_rng(7))
    tolerance = 4 * np.sqrt(1 / 12 / 4000)  # 4 standard errors of the mean of a uniform number
    uniform = {
        "zenith": np.sin(arrays["zenith"]) ** 2 / np.sin(np.radians(60)) ** 2,
        "axis_distance": (arrays["axis_distance"] / 300) ** 2,
        "lg_energy": (arrays["lg_energy"] - 17) / 1.5,
        "azimuth": arrays["azimuth"] / (2 * np.pi),
        "peak_time": (arrays["peak_time"] * 0.18 / 500 - 0.1) / 0.8,
    }
    for name, values in uniform.items():
        assert values.mean() == pytest.approx(0.5, abs=tolerance), name
        assert values.max() < 1.03, name  # steep pulses peak some samples later than the middling one
        assert values.min() > -0.03, name


def test_noise_without_interference_has_the_stated_spectrum() -> None:
    noise = radio_traces(QUIET, 3000, np.random.default_rng(8))["noise"].astype(float)
    frequency, density = noise_spectrum(QUIET)
    found = 2 * np.mean(np.abs(np.fft.rfft(noise)) ** 2, axis=0) / (500 * 180.0)
    inside = (frequency > 32) & (frequency < 78)
    # 1 / sqrt(3000) = 1.8 % a bin; a trace without a window leaks a few per mille into its neighbours
    assert found[inside] == pytest.approx(density[inside], rel=0.09)
    assert found[inside].sum() == pytest.approx(density[inside].sum(), rel=0.01)
    assert np.mean(noise**2) == pytest.approx(density.sum() * 180.0 / 500, rel=0.01)


def test_interference_adds_power_and_is_counted() -> None:
    arrays = radio_traces(RadioOptions(pulse_fraction=0), 2000, np.random.default_rng(9))
    quiet = noise_spectrum(QUIET)[1].sum() * 180.0 / 500
    power = np.mean(arrays["noise"].astype(float) ** 2, axis=1)
    clean = (arrays["lines"] == 0) & (arrays["bursts"] == 0)
    assert power[clean].mean() == pytest.approx(quiet, rel=0.03)
    assert power[arrays["lines"] == 5].mean() > 3 * quiet
    assert arrays["bursts"].mean() == pytest.approx(0.2, abs=0.04)
    assert np.bincount(arrays["lines"]).tolist() == pytest.approx([2000 / 6] * 6, rel=0.22)


def test_weak_side_of_the_footprint_is_seen_in_the_traces() -> None:
    """Without charge excess the same showers have other pulses."""
    options = RadioOptions(pulse_fraction=1)
    with_excess, without = (
        radio_traces(o, 500, np.random.default_rng(10)) for o in (options, options.changed({"charge_excess": 0.0}))
    )
    ratio = with_excess["fluence"] / without["fluence"]
    assert ratio.min() < 0.8
    assert ratio.max() > 1.2
    assert np.array_equal(with_excess["zenith"], without["zenith"])


def test_same_seed_gives_the_same_traces_and_another_does_not() -> None:
    one, again, other = (radio_traces(RadioOptions(), 20, np.random.default_rng(seed)) for seed in (11, 11, 12))
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert not np.array_equal(one["noise"], other["noise"])


def test_pulses_look_like_one_of_middling_slope_behind_the_antenna() -> None:
    options = RadioOptions(pulse_fraction=1)
    frequency, passed = antenna_response(options)
    one = pulse_spectrum(frequency, np.ones(1), np.array([MIDDLING_SLOPE]), np.zeros(1), np.array([1.3]))
    template = received(one * passed, options.samples, options.grid, options.sampling)[0]
    signal = radio_traces(options, 200, np.random.default_rng(13))["signal"].astype(float)
    # at lags of a quarter of a sample: a whole one is a quarter of a period of the carrier
    found = 4 * np.fft.irfft(np.fft.rfft(signal) * np.conj(np.fft.rfft(template)), 2000)
    overlap = np.abs(found).max(axis=1) / np.linalg.norm(signal, axis=1) / np.linalg.norm(template)
    assert np.median(overlap) > 0.95
    assert overlap.min() > 0.85


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"band_low": 90.0}, "lower corner below the upper one"),
        ({"sampling": 150.0}, "below half of the sampling"),
        ({"snr_min": 1.0}, "give both"),
        ({"snr_min": 5.0, "snr_max": 2.0}, "snr_min = 5 exceeds snr_max = 2"),
        ({"lg_energy_min": 19.0}, "give the smaller first"),
        ({"galactic_temperature": 0.0, "thermal_temperature": 0.0}, "no noise"),
        ({"primaries": "proton"}, "unknown primary 'proton'"),
        ({"zenith_max": 80.0}, "less than or equal to 60"),
    ],
)
def test_options_that_cannot_be_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        RadioOptions().changed(changes)
