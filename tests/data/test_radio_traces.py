"""Radio traces as predictors read them: the truth of an augmented copy, and the traces that are refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from cloudchamber.data.radio_traces import (
    FLUENCE,
    MEASURED,
    PEAK_TIME,
    PULSE,
    SAMPLES,
    SAMPLING,
    SNR,
    TARGETS,
    TRUE,
    WAVEFORM,
    inputs,
    noise_of,
    read,
    refuse,
    resembles,
    targets,
)
from cloudchamber.schema import Arrays, BadInput


def records(count: int, seed: int = 1) -> Arrays:
    rng = np.random.default_rng(seed)
    signal = np.zeros((count, SAMPLES), np.float32)
    signal[::2, 250] = 40.0
    noise = rng.normal(0, 10, (count, SAMPLES)).astype(np.float32) * rng.uniform(0.5, 2, (count, 1)).astype(np.float32)
    return {
        "trace": signal + noise, "signal": signal, "sampling": np.full(count, SAMPLING),
        "has_pulse": signal.any(axis=1), "snr": np.abs(signal).max(axis=1) / noise.std(axis=1),
        "fluence": np.square(signal).sum(axis=1), "peak_time": np.where(signal.any(axis=1), 1389.0, 0.0),
    }  # fmt: skip


def test_answers_have_the_columns_that_their_names_say() -> None:
    found = targets(None, records(4))
    assert found.shape == (4, len(TARGETS)) == (4, WAVEFORM + SAMPLES)
    np.testing.assert_array_equal(found[:, PULSE], [1, 0, 1, 0])
    np.testing.assert_array_equal(found[0, [FLUENCE, PEAK_TIME]], [1600, 1389])
    assert found[0, SNR] > 0
    assert found[0, WAVEFORM + 250] == 40
    assert TARGETS[WAVEFORM] == "sample_000"


def test_augmentation_changes_the_noise_but_not_the_truth() -> None:
    plain = records(6)
    one, other = inputs(None, plain, None), inputs(None, plain, np.random.default_rng(2))
    np.testing.assert_array_equal(one[:, TRUE], other[:, TRUE])
    assert not np.allclose(one[:, MEASURED], other[:, MEASURED])
    loud = [np.sqrt(np.square(noise_of(some)).mean(axis=1)) for some in (one, other)]
    np.testing.assert_allclose(*loud, rtol=1e-4)  # single precision; so the signal-to-noise ratio is what it was


def test_measured_traces_without_truth_have_an_unknown_signal() -> None:
    some = {name: values for name, values in records(3).items() if name in ("trace", "sampling")}
    found = inputs(None, some, None)
    assert np.isnan(found[:, TRUE]).all()
    assert np.isfinite(found[:, MEASURED]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"sampling": 250.0}, "trace 12 is sampled at 250 MHz, expected 180 MHz"), ({"trace": 3.0}, "trace 12 is silent")],
)
def test_traces_of_another_sampling_or_silent_are_refused(change: dict[str, float], message: str) -> None:
    some = records(4)
    for name, value in change.items():
        some[name][2] = value
    with pytest.raises(BadInput, match=message) as refusal:
        refuse(some["trace"], some["sampling"], first=10)
    assert "\n" not in str(refusal.value)


def test_a_user_file_is_refused_with_the_number_of_the_trace(tmp_path: Path) -> None:
    some = records(1200)
    some["trace"][1100] = 0
    path = tmp_path / "mine.h5"
    with h5py.File(path, "w") as file:
        file["trace"], file["sampling"] = some["trace"], some["sampling"]
    with pytest.raises(BadInput, match="trace 1100 is silent"):
        read(None, path, None)
    with h5py.File(path, "w") as file:
        file["inputs"] = np.zeros((3, 2, SAMPLES))
    assert read(None, path, None) is None  # finished inputs, no traces: not refused here
    with h5py.File(path, "w") as file:
        file["field/x"], file["sampling"] = some["trace"], some["sampling"]
    assert read(None, path, None) is None  # told where all columns are read
    with pytest.raises(BadInput, match="trace 1100 is silent"):
        read(None, path, {"trace": "field/x"})


def test_another_gain_is_told_from_the_training_traces() -> None:
    one = inputs(None, records(50), None)
    here, there = resembles(one), resembles(20 * one)
    assert here.shape == (50, 8)
    assert np.isfinite(here).all()
    np.testing.assert_allclose(there[:, 0] - here[:, 0], np.log(20), rtol=1e-5)  # root mean square
    np.testing.assert_allclose(there[:, 1:], here[:, 1:], rtol=1e-4, atol=1e-6)  # no other number knows the unit
