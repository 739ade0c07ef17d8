"""The command: table, file, settings, refusals."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from cloudchamber.data.files import open_file
from cloudchamber.data.shards import read_attributes, read_shard
from cloudchamber.sim.radio import BATCH, radio
from cloudchamber.simulators.airshower.radio_traces import TRACE_SCHEMA, RadioOptions, radio_traces

COMMAND = radio


def test_hdf5_holds_the_drawn_traces_with_units_and_seed(call: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "traces.h5"
    result = call("-n", 30, "-o", path, "--random-seed", 4, "--snr", "2:5", "--samples", 256)
    assert result.exit_code == 0, result.output
    assert result.output.count("\n") == 1
    options = RadioOptions(snr_min=2, snr_max=5, samples=256)
    expected = radio_traces(options, 30, np.random.default_rng(4))
    found = read_shard(path)
    assert found.keys() == expected.keys() == TRACE_SCHEMA.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in found)
    about = read_attributes(path)
    assert about["seed"] == "4"
    assert RadioOptions(**json.loads(about["config"])) == options
    with open_file(path) as file:
        assert {name: file[name].attrs["unit"] for name in TRACE_SCHEMA} == {n: a.unit for n, a in TRACE_SCHEMA.items()}


def test_many_traces_come_in_batches_of_one_stream(call: Callable[..., Result], tmp_path: Path) -> None:
    path = tmp_path / "traces.h5"
    assert call("-n", BATCH + 3, "-o", path, "--random-seed", 1, "--samples", 64).exit_code == 0
    rng, options = np.random.default_rng(1), RadioOptions(samples=64)
    expected = [radio_traces(options, count, rng)["noise"] for count in (BATCH, 3)]
    assert np.array_equal(read_shard(path)["noise"], np.concatenate(expected))


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


def test_defaults_of_the_command_are_those_of_the_simulator() -> None:
    options, found = RadioOptions(), inspect.signature(radio).parameters
    same = {name: p.default for name, p in found.items() if name in RadioOptions.model_fields and name != "primaries"}
    assert len(same) == 10
    assert same == {name: getattr(options, name) for name in same}
    assert tuple(found["primaries"].default.split(",")) == options.primaries
    assert [float(x) for x in found["lg_energy"].default.split(":")] == [options.lg_energy_min, options.lg_energy_max]
    assert [float(x) for x in found["band"].default.split(":")] == list(options.band)


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
