"""Classical filters of radio traces: lines, optimality, unit normals, templates, tuning."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest

from cloudchamber.baselines.radio_filter_tuning import tuned_filters
from cloudchamber.baselines.radio_filters import (
    band_pass,
    best_setting,
    envelope_statistic,
    filtered,
    hilbert_window,
    line_excess,
    mean_power,
    noise_power_of,
    notch,
    subtract_lines,
    tapered,
    wiener_gain,
)
from cloudchamber.baselines.radio_matched_filter import (
    UPSAMPLING,
    average_template,
    matched_pulse,
    matched_series,
    matched_statistic,
    template_strength,
)
from cloudchamber.schema import BadInput
from cloudchamber.simulators.airshower.radio_antenna import envelope

SAMPLING, SAMPLES, BAND = 180.0, 500, (30.0, 80.0)
TIME = np.arange(SAMPLES) / SAMPLING

Doubles = NDArray[np.float64]


def pulse(at: float = 250.0) -> Doubles:
    """A pulse of 55 MHz with its maximum at a sample, or between two (sample,)."""
    time = (np.arange(SAMPLES) - at) / SAMPLING
    return np.asarray(np.exp(-0.5 * (time / 0.02) ** 2) * np.cos(2 * np.pi * 55 * time))


def white(count: int, seed: int) -> Doubles:
    return np.random.default_rng(seed).normal(size=(count, SAMPLES))


def coloured(power: Doubles, count: int, seed: int) -> Doubles:
    """Periodic Gaussian traces of a mean power (frequency,)."""
    return filtered(white(count, seed), np.sqrt(power / SAMPLES))


def test_a_strong_line_is_removed_and_the_noise_is_left() -> None:
    rng = np.random.default_rng(1)
    frequency, phase = rng.uniform(35, 75, (200, 1)), rng.uniform(0, 6, (200, 1))
    noise = white(200, 2)
    traces = noise + 3 * np.cos(2 * np.pi * frequency * TIME + phase)
    cleaned, number = subtract_lines(traces, SAMPLING, BAND, 20.0)
    assert (number >= 1).all()
    assert number.mean() < 1.1
    left = np.mean((cleaned - noise) ** 2, axis=1)
    # four fitted numbers take 4 / 500 = 0.008 of the noise's variance; the line had 4.5
    assert left.mean() < 0.02
    assert left.max() < 0.2


def test_a_modulated_line_is_mostly_removed() -> None:
    rng = np.random.default_rng(3)
    frequency, slow = rng.uniform(35, 75, (200, 1)), rng.uniform(0.1, 0.3, (200, 1))
    line = 3 * (1 + 0.5 * np.cos(2 * np.pi * slow * TIME)) * np.cos(2 * np.pi * frequency * TIME)
    cleaned, _ = subtract_lines(white(200, 4) + line, SAMPLING, BAND, 20.0)
    assert np.mean(cleaned**2) < 1.15 < np.mean(line**2)


def test_without_lines_pulses_and_noise_are_left_alone() -> None:
    traces = white(300, 5)
    cleaned, number = subtract_lines(traces, SAMPLING, BAND, 50.0)
    assert not number.any()
    assert np.array_equal(cleaned, traces)
    strong = 30 * pulse()[None] + traces
    assert not subtract_lines(strong, SAMPLING, BAND, 50.0)[1].any()  # a pulse raises its neighbours, too


def test_background_of_a_line_is_the_running_median_of_its_own_trace() -> None:
    traces = np.concatenate([white(2, 6), 1e3 * white(1, 7), np.zeros((1, SAMPLES))])
    found = line_excess(traces)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SAMPLES) / SAMPLES)
    power = np.abs(np.fft.rfft(traces * window)) ** 2
    for trace in (0, 1, 2):
        for frequency in (0, 3, 100, 250):
            near = np.clip(np.arange(frequency - 15, frequency + 16), 0, 250)
            expected = power[trace, frequency] / np.median(power[trace, near])
            assert found[trace, frequency] == pytest.approx(expected)
    assert not found[3].any()


def test_notch_takes_out_the_line_and_nothing_else() -> None:
    traces = white(50, 8)
    line = 5 * np.cos(2 * np.pi * 54.0 * TIME)
    assert np.array_equal(np.round(notch(traces, SAMPLING, BAND, 60.0), 9), np.round(traces, 9))
    left = notch(traces + line, SAMPLING, BAND, 60.0) - traces
    assert np.mean(left**2) < 0.03  # of 12.5: three or four of 250 frequencies of the noise go, too


def test_band_pass_keeps_the_place_of_a_pulse_and_stops_what_is_outside() -> None:
    found = band_pass(pulse()[None], SAMPLING, BAND)[0]
    assert envelope(found[None])[0].argmax() == 250
    assert np.corrcoef(found, pulse())[0, 1] > 0.95
    outside = np.cos(2 * np.pi * np.array([[10.0], [20.0]]) * TIME)
    middle = slice(150, 350)
    assert np.abs(band_pass(outside, SAMPLING, BAND)[:, middle]).max() < 0.05


def test_wiener_filter_reaches_its_analytic_error_and_no_other_gain_does() -> None:
    frequency = np.fft.rfftfreq(SAMPLES, 1 / SAMPLING)
    signal_power = 900 * np.exp(-0.5 * ((frequency - 50) / 10) ** 2)
    noise_power = 200 + 400 * frequency / 90
    truth, noise = coloured(signal_power, 4000, 9), coloured(noise_power, 4000, 10)
    assert mean_power(truth)[100:180] == pytest.approx(signal_power[100:180], rel=0.08)  # 1 / sqrt(4000) = 1.6 %
    gain = wiener_gain(signal_power, noise_power)
    both = np.full(len(frequency), 2.0)  # a frequency and its negative; 0 and the highest have none
    both[[0, -1]] = 1.0
    expected = (both * signal_power * noise_power / (signal_power + noise_power)).sum() / SAMPLES**2
    errors = [np.mean((filtered(truth + noise, g) - truth) ** 2) for g in (gain, 0.8 * gain, 1.2 * gain, gain**2)]
    # 4000 traces of about 50 independent numbers: 0.3 %
    assert errors[0] == pytest.approx(expected, rel=0.01)
    assert min(errors[1:]) > 1.02 * errors[0]
    assert not wiener_gain(np.zeros(3), np.zeros(3)).any()


@pytest.mark.parametrize("samples", [500, 501])
def test_matched_filter_is_a_unit_normal_on_white_noise(samples: int) -> None:
    template = pulse()[:samples] if samples == 500 else np.append(pulse(), 0.0)
    traces = np.random.default_rng(12).normal(size=(4000, samples))
    series = matched_series(traces, template, np.full(samples // 2 + 1, float(samples)), 0.0)
    assert series.shape == (4000, UPSAMPLING * samples)
    for place in (0, 3, 777):
        assert kstest(series[:, place], "norm").pvalue > 1e-3
    assert series.std() == pytest.approx(1.0, abs=0.01)  # 4000 traces of tens of independent values


def test_matched_filter_is_a_unit_normal_on_coloured_noise() -> None:
    power = 100 + 900 * np.linspace(0, 1, 251) ** 2
    series = matched_series(coloured(power, 4000, 13), pulse(), power, 0.0)
    assert kstest(series[:, 1000], "norm").pvalue > 1e-3
    assert series.std() == pytest.approx(1.0, abs=0.01)


def test_matched_filter_is_the_correlation_on_white_noise() -> None:
    traces = white(3, 14)
    series = matched_series(traces, pulse(), np.full(251, 500.0), 0.0)[:, ::UPSAMPLING]
    slow = [[np.sum(trace * np.roll(pulse(), lag)) for lag in range(SAMPLES)] for trace in traces]
    assert np.allclose(series, np.array(slow) / np.linalg.norm(pulse()))


def test_matched_filter_gives_amplitude_sign_and_time_of_a_pulse() -> None:
    power = np.full(251, 500.0)
    template = pulse()
    traces = np.stack([4 * pulse(100.25), -2 * pulse(333.5)])
    found = matched_pulse(traces, template, power)
    assert np.allclose(found, traces, atol=1e-4)  # times on the grid of quarters; 1e-5 of the pulse is above 90 MHz
    strength = template_strength(template, power)
    assert strength == pytest.approx(np.linalg.norm(template))
    assert matched_statistic(traces, template, power) == pytest.approx(np.array([4, 2]) * strength, rel=1e-4)
    own = matched_statistic(traces, traces, power)  # each its own template
    assert own == pytest.approx(np.linalg.norm(traces, axis=1), rel=1e-4)


def test_ends_of_real_noise_are_no_pulses() -> None:
    """Noise of a band-pass with steep sides, cut from a longer stretch."""
    power = np.maximum(np.exp(-0.5 * ((np.fft.rfftfreq(4000, 1 / SAMPLING) - 55) / 6) ** 2), 1e-5)
    noise = filtered(np.random.default_rng(23).normal(size=(1000, 4000)), np.sqrt(power))[:, :SAMPLES]
    true = 500 * np.maximum(np.exp(-0.5 * ((np.fft.rfftfreq(SAMPLES, 1 / SAMPLING) - 55) / 6) ** 2), 1e-5)
    found = noise_power_of(noise)
    # ten decades of a Gaussian go by in some frequencies, which the window of 100 faded samples blurs
    assert np.abs(np.log(found / true)).max() < 1.0
    assert mean_power(noise)[240:].mean() > 20 * true[240:].mean()  # what the step at the ends adds
    with_edge, without = (np.abs(matched_series(noise, pulse(), true, edge)).max() for edge in (0.1, 0.0))
    # about 300 independent values in each of 1000 traces: 4.9 expected
    assert with_edge < 6.5
    assert without > 8
    assert np.array_equal(tapered(noise, 0.0), noise)
    assert np.array_equal(tapered(noise)[:, 60:440], noise[:, 60:440])


def test_no_template_detects_better_than_the_true_one() -> None:
    rng = np.random.default_rng(15)
    noise, power = white(1000, 16), np.full(251, 500.0)
    signals = np.stack([pulse(at) for at in rng.uniform(100, 400, 1000)]) * 1.2
    wrong = np.exp(-0.5 * ((np.arange(SAMPLES) - 250) / 12.0) ** 2) * np.cos(2 * np.pi * 55 * TIME)
    gains = [
        np.mean(matched_statistic(signals + noise, t, power)) - np.mean(matched_statistic(noise, t, power))
        for t in (pulse(), wrong)
    ]
    assert gains[0] > 1.2 * gains[1]


def test_average_template_is_the_pulse_whatever_times_signs_and_sizes() -> None:
    rng = np.random.default_rng(17)
    sizes = rng.choice([-1, 1], 200) * rng.uniform(0.1, 50, 200)
    signals = np.stack([size * pulse(at) for size, at in zip(sizes, rng.uniform(50, 450, 200), strict=True)])
    found = average_template(np.concatenate([signals, np.zeros((20, SAMPLES))]))
    overlap = matched_series(found[None], pulse(), np.full(251, 1.0)).max() / np.sqrt(500)
    assert np.linalg.norm(found) == pytest.approx(1.0)
    assert overlap == pytest.approx(1.0, abs=0.01)  # times in steps of a quarter of a sample
    with pytest.raises(BadInput, match="no pulse"):
        average_template(np.zeros((3, SAMPLES)))


def test_hilbert_window_keeps_the_samples_around_the_maximum() -> None:
    traces = np.concatenate([20 * pulse(200.0)[None] + white(1, 18), white(20, 19)])
    kept = hilbert_window(traces, 12)
    assert np.array_equal(kept[0, 188:213], traces[0, 188:213])
    assert not kept[0, :188].any()
    assert not kept[0, 213:].any()
    assert np.count_nonzero(kept, axis=1).max() == 25  # 12 on each side
    statistic = envelope_statistic(traces)
    assert statistic.argmax() == 0
    assert envelope_statistic(np.zeros((1, SAMPLES))) == 0


def test_envelope_of_a_carrier_is_its_amplitude() -> None:
    carrier = 3 * np.cos(2 * np.pi * 54.0 * TIME)  # 150 whole periods
    assert envelope(carrier[None]) == pytest.approx(np.full((1, SAMPLES), 3.0))


def test_best_setting_has_the_least_error_on_training_traces() -> None:
    truth = white(5, 20)
    assert best_setting([0.5, 0.9, 1.2], lambda scale: scale * truth, truth)[0] == 0.9


def test_tuned_filters_beat_the_measured_trace_on_other_traces() -> None:
    def measured(count: int, seed: int) -> tuple[Doubles, Doubles]:
        rng = np.random.default_rng(seed)
        has_pulse = rng.random(count) < 0.5
        signals = np.stack([8 * on * pulse(at) for on, at in zip(has_pulse, rng.uniform(50, 450, count), strict=True)])
        line = 3 * np.cos(2 * np.pi * rng.uniform(35, 75, (count, 1)) * TIME)
        return signals + white(count, seed + 100) + line, signals

    found = tuned_filters(*measured(150, 21), SAMPLING, BAND)
    traces, signals = measured(150, 22)
    clean, _ = subtract_lines(traces, SAMPLING, BAND, float(found["line_threshold"]))
    smooth = filtered(tapered(clean), wiener_gain(found["signal_power"], found["noise_power"]))
    steps = [
        traces,
        clean,
        smooth,
        hilbert_window(smooth, int(found["width"])),
        matched_pulse(clean, found["template"], found["noise_power"]),
    ]
    errors = [float(np.mean((step - signals) ** 2)) for step in steps]
    assert errors == sorted(errors, reverse=True)  # each knows more about the pulse than the one before
    assert errors[-1] < 0.02 * errors[0]
    assert noise_power_of(traces - signals).sum() > 2 * found["noise_power"].sum()
