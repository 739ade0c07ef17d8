"""The command: table, file, settings, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from cloudchamber.data import radio_traces as traces
from cloudchamber.data.files import open_file
from cloudchamber.data.own import read_own
from cloudchamber.data.shards import read_attributes, read_shard
from cloudchamber.sim.radio import BATCH, IN_A_FILE, IN_A_TABLE, radio
from cloudchamber.simulators.airshower.radio_traces import RadioOptions, radio_traces
from cloudchamber.studies.radio_denoising import TINY, study

COMMAND = radio


def test_hdf5_holds_the_drawn_traces_with_units_and_seed(call: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "traces.h5"
    result = call("-n", 30, "-o", path, "--random-seed", 4, "--snr", "2:5", "--samples", 256)
    assert result.exit_code == 0, result.output
    assert result.output.count("\n") == 1
    options = RadioOptions(snr_min=2, snr_max=5, samples=256)
    expected = radio_traces(options, 30, np.random.default_rng(4))
    expected["trace"] = expected["signal"] + expected.pop("noise")
    expected["sampling"] = np.full(30, 180.0)
    found = read_shard(path)
    assert found.keys() == expected.keys() == study.schema.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in found)
    about = read_attributes(path)
    assert about["seed"] == "4"
    assert RadioOptions(**json.loads(about["config"])) == options
    with open_file(path) as file:
        assert {name: file[name].attrs["unit"] for name in file} == {n: a.unit for n, a in study.schema.items()}


def test_file_is_one_that_the_study_can_score(call: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "traces.h5"
    assert call("-n", 40, "-o", path, "--snr", "1:20").exit_code == 0
    assert traces.read(TINY, path, None) is None
    arrays = read_own(path, study.schema, study.lengths(TINY), None).read(np.arange(40))
    truth, inputs = study.targets(TINY, arrays), study.inputs(TINY, arrays, None)
    noise = traces.noise_of(inputs).astype(float)
    there = truth[:, traces.PULSE] > 0
    assert 0 < there.sum() < 40
    ratio = np.abs(truth[:, traces.WAVEFORM :]).max(axis=1) / np.sqrt(np.square(noise).mean(axis=1))
    assert ratio[there] == pytest.approx(truth[there, traces.SNR], rel=1e-3)  # single precision


def test_many_traces_come_in_batches_of_one_stream(call: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "traces.h5"
    assert call("-n", BATCH + 3, "-o", path, "--random-seed", 1, "--samples", 64).exit_code == 0
    rng, options = np.random.default_rng(1), RadioOptions(samples=64)
    expected = [radio_traces(options, count, rng)["signal"] for count in (BATCH, 3)]
    assert np.array_equal(read_shard(path)["signal"], np.concatenate(expected))


def test_number_and_random_seed_have_their_defaults(call: Callable[..., Result], tmp_path: Path) -> None:
    table = call().output
    assert len(table.splitlines()) == 1 + IN_A_TABLE
    assert table == call("--random-seed", 1).output != call("--random-seed", 2).output
    assert call("-o", tmp_path / "traces.h5", "--samples", 64).exit_code == 0
    assert len(read_shard(tmp_path / "traces.h5")["snr"]) == IN_A_FILE


def test_without_a_file_there_is_a_table_of_the_truth(call: Callable[..., Result]) -> None:
    lines = call("-n", 12, "--random-seed", 3).output.splitlines()
    arrays = radio_traces(RadioOptions(), 12, np.random.default_rng(3))
    assert len(lines) == 13
    assert len({len(line) for line in lines}) == 1  # columns stand below each other
    for line, pulse, snr, number in zip(lines[1:], arrays["has_pulse"], arrays["snr"], arrays["lines"], strict=True):
        words = line.split()
        assert words[1] == ("yes" if pulse else "no")
        assert words[6] == (f"{snr:.2f}" if pulse else "-")
        assert int(words[-2]) == number


def test_every_other_setting_can_be_given_by_its_name(call: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "traces.h5"
    result = call("-n", 2, "-o", path, "--set", "adc_bits=10", "--set", "magnetic_strength=50", "--primaries", "H")
    assert result.exit_code == 0, result.output
    config = json.loads(read_attributes(path)["config"])
    assert (config["adc_bits"], config["magnetic_strength"], config["primaries"]) == (10, 50, ["H"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-n", 0), "at least 1"),
        (("--random-seed", -1), "at least 0"),
        (("--lg-energy", "17:x"), "give LOW:HIGH"),
        (("--lg-energy", "18:17"), "give the smaller first"),
        (("--band", "30:120"), "half of the sampling"),
        (("--snr", "0:3"), "greater than 0"),
        (("--primaries", "Xx"), "unknown primary 'Xx'"),
        (("--set", "adc_bitz=3"), "did you mean 'adc_bits'"),
        (("--set", "adc_bits"), "give KEY=VALUE"),
        (("--pulse-fraction", 2), "less than or equal to 1"),
        (("-o", "traces.csv"), "ends in .h5"),
    ],
)
def test_bad_input_is_one_clear_line(error_of: Callable[..., str], words: tuple[str, ...], message: str) -> None:
    text = error_of(*words)
    assert message in text
    assert "\n" not in text


def test_no_file_is_overwritten(call: Callable[..., Result], error_of: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "traces.h5"
    assert call("-n", 1, "-o", path).exit_code == 0
    before = path.read_bytes()
    assert "will not overwrite" in error_of("-n", 1, "-o", path)
    assert path.read_bytes() == before
