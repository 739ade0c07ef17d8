"""Measuring pulses: place, fluence and calibration against pulses that are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cloudchamber.data.radio_traces import FLUENCE, PEAK_TIME, PULSE, SAMPLES, SAMPLING, SNR, WAVEFORM
from cloudchamber.metrics.radio_pulses import WINDOWS, calibrate, measure, restored, threshold
from cloudchamber.simulators.airshower.radio_pulse import fluence


def pulses(height: np.ndarray, place: int = 240) -> np.ndarray:
    """Waveforms (trace, sample) of a Gaussian envelope of 11 ns at 55 MHz."""
    time = (np.arange(SAMPLES) - place) / SAMPLING
    return height[:, None] * np.exp(-0.5 * (time / 0.011) ** 2) * np.cos(2 * np.pi * 55 * time)


def truth_of(waveforms: np.ndarray, noise: float, place: int = 240) -> np.ndarray:
    truth = np.zeros((len(waveforms), WAVEFORM + SAMPLES))
    truth[:, PULSE] = waveforms.any(axis=1)
    truth[:, FLUENCE] = fluence(waveforms, SAMPLING)
    truth[:, PEAK_TIME] = place * 1e3 / SAMPLING
    truth[:, SNR] = np.abs(waveforms).max(axis=1) / noise
    truth[:, WAVEFORM:] = waveforms
    return truth


def test_a_pulse_without_noise_has_its_fluence_and_time() -> None:
    waveforms = pulses(np.array([50.0, 100.0]))
    found = measure(waveforms, np.ones(2))
    np.testing.assert_allclose(found.fluence[:, -1], fluence(waveforms, SAMPLING), rtol=1e-3)  # 36 samples of a tail
    np.testing.assert_allclose(found.time, 240e3 / SAMPLING, atol=0.1)
    np.testing.assert_allclose(found.score, [50, 100], rtol=0.01)


def test_the_fluence_of_noise_is_subtracted() -> None:
    rng = np.random.default_rng(1)
    waveforms = pulses(np.full(2000, 60.0)) + rng.normal(0, 10, (2000, SAMPLES))
    found = measure(waveforms)
    expected = fluence(pulses(np.array([60.0])), SAMPLING)
    # noise moves the place of the maximum to where there is more of it: 3 % of this pulse
    assert abs(found.fluence[:, -1].mean() / expected[0] - 1) < 0.05
    assert found.noise[:, -1].mean() > 0.3 * expected[0]  # so that the subtraction matters


@pytest.mark.parametrize("count", [500, 100_000])
def test_a_threshold_has_the_false_alarms_that_are_asked_for(count: int) -> None:
    scores = np.random.default_rng(3).exponential(1, count)
    # few scores: an exponential tail, here the truth, whose slope is known to 20 %
    assert threshold(scores, 1e-3) == pytest.approx(np.log(1000), rel=0.2 if count < 1000 else 0.05)


def test_calibration_removes_factor_and_delay() -> None:
    rng = np.random.default_rng(2)
    heights = np.exp(rng.uniform(np.log(30), np.log(300), 600))
    truth = truth_of(pulses(heights), 10.0)
    shrunk = 0.7 * pulses(heights, place=246) * np.exp(rng.normal(0, 0.02, (600, 1)))
    found = measure(shrunk, np.full(600, 10.0))
    calibration = calibrate(found, truth, rng.rayleigh(0.4, 600))
    answers = calibration.answers(shrunk, found)
    ratio = answers[:, FLUENCE] / truth[:, FLUENCE]
    assert np.median(ratio) == pytest.approx(1, abs=0.01)
    assert calibration.delay == pytest.approx(6e3 / SAMPLING, abs=0.1)
    np.testing.assert_allclose(answers[:, PEAK_TIME], truth[:, PEAK_TIME], atol=0.2)
    assert (answers[:, PULSE] > 0).all()
    assert np.isnan(answers[:, SNR]).all()
    np.testing.assert_allclose(answers[:, WAVEFORM:], shrunk, rtol=1e-6, atol=1e-30)


def test_a_calibration_survives_json() -> None:
    heights = np.linspace(30, 300, 100)
    found = measure(pulses(heights), np.full(100, 10.0))
    calibration = calibrate(found, truth_of(pulses(heights), 10.0), np.linspace(1, 3, 100))
    assert restored(json.loads(json.dumps(calibration.plain()))) == calibration


def test_without_pulses_a_calibration_changes_nothing() -> None:
    noise = np.random.default_rng(1).normal(0, 10, (40, SAMPLES))
    found = measure(noise)
    calibration = calibrate(found, truth_of(np.zeros((40, SAMPLES)), 10.0), found.score)
    np.testing.assert_array_equal(calibration.corrected(found), found.fluence[:, len(WINDOWS) // 2])
