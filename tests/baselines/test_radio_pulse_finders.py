"""Filters as predictors of radio pulses: what they keep on disk, share, and must find."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cloudchamber.baselines.radio_pulse_finders import (
    PulseFinder,
    Tuning,
    as_measured,
    matched,
    pulse_finders,
    wiener_filtered,
)
from cloudchamber.data.radio_traces import (
    FLUENCE,
    MEASURED,
    PEAK_TIME,
    PULSE,
    SAMPLING,
    SNR,
    TARGETS,
    WAVEFORM,
    inputs,
    targets,
)
from cloudchamber.data.samples import ArrayRecords, Samples
from cloudchamber.schema import BadInput
from cloudchamber.simulators.airshower.radio_traces import RadioOptions, radio_traces


def samples(count: int, seed: int, **changes: float) -> Samples:
    found = radio_traces(RadioOptions(snr_min=1, snr_max=20, **changes), count, np.random.default_rng(seed))
    arrays = found | {"trace": found["signal"] + found["noise"], "sampling": np.full(count, SAMPLING)}
    return Samples(ArrayRecords(arrays), np.arange(count), partial(inputs, None), targets(None, arrays), TARGETS)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, PulseFinder], Path]:
    home = tmp_path_factory.mktemp("finders")
    finders = pulse_finders()
    train, validation = samples(150, 1), samples(250, 2)
    for name, finder in finders.items():
        finder.fit(train, validation, home / name)
    return finders, home


def test_a_restored_filter_says_what_the_fitted_one_said(fitted: tuple[dict[str, PulseFinder], Path]) -> None:
    finders, home = fitted
    some = samples(20, 3).inputs()
    for name, fresh in pulse_finders().items():
        fresh.restore(home / name)
        np.testing.assert_array_equal(fresh.predict(some).mean, finders[name].predict(some).mean, err_msg=name)


def test_what_filters_learn_is_worked_out_once(fitted: tuple[dict[str, PulseFinder], Path]) -> None:
    finders, _ = fitted
    assert len({id(finder.tuned) for finder in finders.values()}) == 1


def test_loud_pulses_in_quiet_noise_are_found_and_measured_by_all(
    fitted: tuple[dict[str, PulseFinder], Path],
) -> None:
    finders, _ = fitted
    test = samples(60, 4, lines_max=0, burst_rate=0.0, pulse_fraction=1.0)
    loud = test.targets[:, SNR] > 10
    assert loud.sum() > 10
    some = test.inputs()[loud]
    for name, finder in finders.items():
        said = finder.predict(some).mean
        ratio = said[:, FLUENCE] / test.targets[loud, FLUENCE]
        assert np.median(np.abs(ratio - 1)) < 0.2, name
        assert np.median(np.abs(said[:, PEAK_TIME] - test.targets[loud, PEAK_TIME])) < 6, name  # a sample: 5.6 ns
        assert np.isfinite(said[:, WAVEFORM:]).all(), name


def test_the_matched_filter_returns_a_pulse_without_noise(fitted: tuple[dict[str, PulseFinder], Path]) -> None:
    finders, _ = fitted
    some = samples(20, 5).inputs()
    waveforms, found = matched(some, finders["matched"].tuned)
    far = np.abs(np.arange(waveforms.shape[1]) - np.abs(waveforms).argmax(axis=1)[:, None]) > 100
    assert np.abs(waveforms[far]).max() < 0.01 * np.abs(some[:, MEASURED]).max()
    assert (found.score > 0).all()


def test_the_wiener_filter_hears_no_pulse_in_the_ends_of_a_trace(fitted: tuple[dict[str, PulseFinder], Path]) -> None:
    finders, _ = fitted
    waveforms, _ = wiener_filtered(samples(60, 7, pulse_fraction=0.0).inputs(), finders["wiener"].tuned)
    ends = np.concatenate([waveforms[:, :8], waveforms[:, -8:]], axis=1)
    # untapered the ends are as loud as the middle
    assert np.square(ends).mean() < 0.1 * np.square(waveforms[:, 100:400]).mean()


def test_the_floor_answers_with_the_trace_itself(fitted: tuple[dict[str, PulseFinder], Path]) -> None:
    finders, _ = fitted
    some = samples(5, 6).inputs()
    said = finders["trace"].predict(some).mean
    np.testing.assert_allclose(said[:, WAVEFORM:], some[:, MEASURED], rtol=1e-6)
    assert finders["trace"].kind == "floor"
    assert np.isfinite(said[:, PULSE]).all()


def test_a_directory_without_a_fitted_filter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="fit it again"):
        PulseFinder("trace", as_measured, Tuning()).restore(tmp_path)
