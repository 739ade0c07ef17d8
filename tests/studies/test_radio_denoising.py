"""Radio pulses: no method but the bound knows the truth, and traces that cannot be used are refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest

from cloudchamber.data.radio_traces import FLUENCE, MEASURED, PULSE, SAMPLES, SNR, TRUE
from cloudchamber.data.samples import ArrayRecords, Samples
from cloudchamber.metrics.radio import half_width
from cloudchamber.run import travel
from cloudchamber.run_directory import Resources, new_run, restored
from cloudchamber.run_directory import Run as OpenRun
from cloudchamber.schema import BadInput
from cloudchamber.studies.radio_denoising import TINY, simulate, study

pytestmark = pytest.mark.usefixtures("one_thread")


def samples(count: int, seed: int) -> Samples:
    arrays = simulate(TINY, 0, count, np.random.SeedSequence(seed))
    return Samples(
        ArrayRecords(arrays), np.arange(count), partial(study.inputs, TINY), study.truth_of(TINY, arrays),
        study.target_names,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> OpenRun:
    home = tmp_path_factory.mktemp("radio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDCHAMBER_CACHE", str(home / "cache"))
        return travel(new_run(study.name, preset="tiny", runs=home / "runs"), Resources(1, device="cpu"))


def test_traces_are_signal_plus_noise_of_the_stated_ratio() -> None:
    arrays = simulate(TINY, 0, 400, np.random.SeedSequence(1))
    there = arrays["has_pulse"] > 0
    noise = arrays["trace"] - arrays["signal"]
    ratio = np.abs(arrays["signal"]).max(axis=1) / np.sqrt(np.square(noise).mean(axis=1))
    np.testing.assert_allclose(ratio[there], arrays["snr"][there], rtol=1e-3)  # single precision
    assert arrays["snr"][there].min() > 0.9 * TINY.snr_min  # rounding of the digitiser adds noise
    assert arrays["snr"].max() <= 1.01 * TINY.snr_max
    assert not arrays["signal"][~there].any()


def test_only_the_bound_reads_the_true_signal(finished: OpenRun) -> None:
    inputs = samples(60, 5).inputs()
    without = inputs.copy()
    without[:, TRUE] = np.nan
    for name, predictor in restored(finished, "cpu").items():
        if name == "matched_true":
            with pytest.raises(BadInput, match="only a simulation knows"):
                predictor.predict(without)
            continue
        np.testing.assert_array_equal(predictor.predict(inputs).mean, predictor.predict(without).mean, err_msg=name)


def test_the_bound_resolves_energies_better_than_filters(finished: OpenRun) -> None:
    test = samples(1500, 6)
    inputs = test.inputs()
    strong = test.targets[:, SNR] > 5
    widths = {}
    for name, predictor in restored(finished, "cpu").items():
        ratio = predictor.predict(inputs).mean[strong, FLUENCE] / test.targets[strong, FLUENCE]
        widths[name] = half_width(ratio) / np.median(ratio)
    assert widths["matched_true"] < 0.9 * min(widths[name] for name in ("trace", "notch", "wiener", "matched"))


def test_thresholds_keep_false_pulses_rare(finished: OpenRun) -> None:
    noise = samples(1500, 7)
    inputs = noise.inputs()
    inputs[:, MEASURED] -= inputs[:, TRUE]
    inputs[:, TRUE] = 0
    for name, predictor in restored(finished, "cpu").items():
        # tiny: the tail of 30 validation traces sets the threshold, so a tenth must do
        assert (predictor.predict(inputs).mean[:, PULSE] > 0).mean() < 0.1, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file["sampling"].__setitem__(3, 250.0), "trace 3 is sampled at 250 MHz, expected 180 MHz"),
        (lambda file: file["trace"].__setitem__(2, 0.0), "trace 2 is silent"),
        (lambda file: file["trace"].__setitem__((1, 7), np.nan), "finite values: remove NaN"),
    ],
)
def test_unusable_traces_of_a_user_are_refused_in_one_line(
    finished: OpenRun, change: Callable[[h5py.File], None], message: str, tmp_path: Path, command: Callable[..., tuple]
) -> None:
    arrays = simulate(TINY, 0, 6, np.random.SeedSequence(3))
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["trace"], file["sampling"] = arrays["trace"], arrays["sampling"]
        change(file)
    status, _, said = command("evaluate", finished.path, "--data", tmp_path / "mine.h5")
    assert status == 1
    assert message in said
    assert said.count("\n") == 1


def test_traces_of_another_length_are_refused_in_one_line(
    finished: OpenRun, tmp_path: Path, command: Callable[..., tuple]
) -> None:
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["trace"], file["sampling"] = np.random.default_rng(1).normal(0, 10, (4, 512)), np.full(4, 180.0)
    status, _, said = command("evaluate", finished.path, "--data", tmp_path / "mine.h5")
    assert status == 1
    assert f"sample={SAMPLES}" in said
    assert said.count("\n") == 1


def test_measured_traces_without_truth_are_evaluated(
    finished: OpenRun, tmp_path: Path, command: Callable[..., tuple]
) -> None:
    arrays = simulate(TINY, 0, 6, np.random.SeedSequence(3))
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["trace"], file["sampling"] = arrays["trace"], arrays["sampling"]
    status, _, said = command("evaluate", finished.path, "--data", tmp_path / "mine.h5")
    assert status == 0, said
    assert "matched_true is left out" in said
