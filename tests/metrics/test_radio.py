"""Rows of radio pulses against answers whose errors are known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cloudchamber.data.radio_traces import FLUENCE, PEAK_TIME, PULSE, SAMPLES, SNR, WAVEFORM
from cloudchamber.data.samples import Prediction
from cloudchamber.metrics.radio import bins, coherence_curve, half_width, radio_rows, share

N = 4000


def truth() -> np.ndarray:
    """Traces with pulses of SNR 1 to 20 in band, and as many without."""
    rng = np.random.default_rng(1)
    found = np.zeros((N, WAVEFORM + SAMPLES))
    found[::2, PULSE] = 1
    found[::2, SNR] = np.exp(rng.uniform(0, np.log(20), N // 2))
    found[::2, FLUENCE] = found[::2, SNR] ** 2
    found[::2, PEAK_TIME] = 1400
    time = np.arange(SAMPLES) / 180
    carrier = rng.uniform(0.035, 0.075, (N // 2, 1)) * 1e3
    shape = np.exp(-0.5 * ((time - 1.4) / 0.02) ** 2) * np.cos(2 * np.pi * carrier * time)
    found[::2, WAVEFORM:] = found[::2, SNR, None] * shape
    return found


def answered(true: np.ndarray) -> np.ndarray:
    """Energies 5 % too high with an error of 10 %, times 2 ns late with one of 3 ns, pulses above SNR 2 found."""
    rng = np.random.default_rng(2)
    said = true.copy()
    said[:, PULSE] = np.where(true[:, SNR] > 2, 1.0, -1.0)
    said[1, PULSE] = 0.5
    said[:, FLUENCE] *= 1.05 + rng.normal(0, 0.1, N)
    said[:, PEAK_TIME] += rng.normal(2, 3, N)
    return said


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], dict]:
    true = truth()
    found = radio_rows(true, {"one": Prediction(answered(true))}, np.random.default_rng(3))
    return {(row["target"], row["metric"]): row for row in found}


@pytest.mark.parametrize(
    ("target", "metric", "expected"),
    [
        ("fluence", "bias", 0.05),
        ("fluence", "resolution", 0.1),
        ("fluence_snr_1_2", "bias", 0.05),
        ("peak_time", "bias", 2.0),
        ("peak_time", "resolution", 3.0),
        ("pulse", "efficiency", 1.0),
        ("pulse_snr_1_2", "efficiency", 0.0),
        ("pulse", "false_positive_rate", 2 / N),
        ("signal", "coherence", 1.0),
        ("signal", "left_on_noise", 0.0),
    ],
)
def test_known_errors_come_out_within_their_errors(
    rows: dict[tuple[str, str], dict], target: str, metric: str, expected: float
) -> None:
    row = rows[target, metric]
    assert row["value"] == pytest.approx(expected, abs=4 * row["error"] + 1e-9)
    assert row["n"] > 100


def test_found_pulses_alone_have_numbers_where_some_are_found(rows: dict[tuple[str, str], dict]) -> None:
    assert rows["fluence", "resolution_found"]["n"] == rows["fluence", "resolution"]["n"]
    assert ("fluence_snr_1_2", "resolution_found") not in rows  # none is found
    assert ("fluence_snr_1_2", "resolution") in rows


def test_a_method_that_only_classifies_has_no_energies() -> None:
    true = truth()
    said = np.full_like(true, np.nan)
    said[:, PULSE] = true[:, PULSE] - 0.5
    targets = {
        row["target"].split("_")[0] for row in radio_rows(true, {"one": Prediction(said)}, np.random.default_rng(3))
    }
    assert targets == {"pulse"}


def test_noise_alone_has_false_positives_only() -> None:
    true = np.zeros((50, WAVEFORM + SAMPLES))
    said = true.copy()
    said[:5, PULSE] = 1
    found = radio_rows(true, {"one": Prediction(said)}, np.random.default_rng(3))
    assert [row["metric"] for row in found] == ["false_positive_rate", "left_on_noise"]
    assert found[0]["value"] == pytest.approx(0.1)


def test_coherence_of_signal_plus_equal_noise_is_a_half() -> None:
    rng = np.random.default_rng(4)
    true, noise = rng.normal(size=(2, 3000, SAMPLES))
    assert coherence_curve(true, true + noise).mean() == pytest.approx(0.5, abs=0.01)  # 1 / sqrt(3000 * 140 / 2)
    assert coherence_curve(true, 0.3 * true).min() == pytest.approx(1.0)
    assert coherence_curve(true, noise).mean() < 0.01


def test_half_width_of_a_gaussian_is_its_sigma() -> None:
    assert half_width(np.random.default_rng(5).normal(1, 2, 200_000)) == pytest.approx(2, rel=0.01)


def test_a_share_of_none_has_an_error_all_the_same() -> None:
    found = share(np.zeros(1000, bool))
    assert found.value == 0
    assert 0.0005 < found.error < 0.001


def test_bins_touch_and_strong_pulses_come_first() -> None:
    found = bins()
    assert next(iter(found)) == ""
    edges = list(found.values())[1:]
    assert all(one[1] == two[0] for one, two in pairwise(edges))
