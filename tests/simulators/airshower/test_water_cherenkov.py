"""The station: tracks of muons, conserved light, digitisation, trigger, saturation."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.simulators.airshower.surface_array import BIN
from cloudchamber.simulators.airshower.water_cherenkov import (
    AREA,
    COUNTS,
    HEIGHT,
    KEPT,
    RADIUS,
    SATURATION,
    add_pulse,
    digitise,
    muon_signal,
    projected_area,
    spread,
)


@pytest.mark.parametrize("zenith", [0, 30, 60, 80])
def test_mean_track_is_volume_over_projected_area(zenith: int) -> None:
    cosine = np.cos(np.radians(zenith))
    rng = np.random.default_rng(5)
    signal = np.array([muon_signal(cosine, rng) for _ in range(20_000)])
    error = signal.std() / np.sqrt(len(signal))
    assert signal.mean() == pytest.approx(AREA / projected_area(cosine), abs=4 * error + 1e-9)  # any convex body
    assert signal.max() <= min(1 / cosine, 2 * RADIUS / HEIGHT / max(np.sqrt(1 - cosine**2), 1e-9)) + 1e-9


def test_light_of_a_particle_is_its_signal() -> None:
    charge, later = np.zeros(60), np.zeros(60)
    add_pulse(charge, later, 3.3 * BIN, 2.0)
    spread(charge, later)
    assert charge[:3].sum() == 0
    assert charge.sum() == pytest.approx(2.0, rel=1e-8)  # but exp(-56 * 25 / 60)
    np.testing.assert_allclose(charge[6:40] / charge[5:39], KEPT)


def test_light_adds_up() -> None:
    one, other, both = (np.zeros((2, 50)) for _ in range(3))
    add_pulse(*one, 100.0, 1.0)
    add_pulse(*other, 333.0, 0.5)
    add_pulse(*both, 100.0, 1.0)
    add_pulse(*both, 333.0, 0.5)
    for pair in (one, other, both):
        spread(*pair)
    np.testing.assert_allclose(both[0], one[0] + other[0])


def test_particles_outside_the_trace_are_lost() -> None:
    charge, later = np.zeros(10), np.zeros(10)
    add_pulse(charge, later, -1.0, 1.0)
    add_pulse(charge, later, 251.0, 1.0)
    assert charge.sum() == later.sum() == 0


def test_digitisation_keeps_the_charge_and_adds_noise() -> None:
    traces = np.tile(np.r_[np.zeros(20), 2.0 * KEPT ** np.arange(100)], (400, 1))
    sums = []
    rng = np.random.default_rng(6)
    for trace in traces:
        digitise(trace, rng)
        sums.append(trace.sum())
    truth = 2.0 * (1 - KEPT**100) / (1 - KEPT)
    # counts are rounded without bias; error of the mean from photoelectrons (270 a VEM) and 120 bins of noise
    spread_of_sum = np.sqrt(truth / 270 + 120 * (0.7**2 + 1 / 12) / COUNTS**2)
    assert np.mean(sums) == pytest.approx(truth, abs=4 * spread_of_sum / 20)
    assert np.std(sums) == pytest.approx(spread_of_sum, rel=0.15)


def test_noise_alone_does_not_trigger_and_a_muon_and_more_does() -> None:
    rng = np.random.default_rng(7)
    assert not any(digitise(np.zeros(120), rng)[0] for _ in range(500))
    assert digitise(np.r_[np.zeros(5), 4.0 * KEPT ** np.arange(115)], rng)[0]  # peak of 12 VEM peaks
    long = np.zeros(120)
    long[10:40] = 0.3 / 2.9  # 0.3 VEM peak in 30 bins: time over threshold
    assert digitise(long, rng)[0]


def test_large_signals_are_clipped_and_say_so() -> None:
    trace = np.zeros(120)
    trace[5:8] = (0.5 * SATURATION, 2 * SATURATION, 0.5 * SATURATION)
    _, clipped = digitise(trace, np.random.default_rng(8))
    assert clipped
    assert trace.max() == pytest.approx(SATURATION)
    assert trace[5] == pytest.approx(0.5 * SATURATION, rel=0.15)
