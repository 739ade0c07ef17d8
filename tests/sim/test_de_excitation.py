"""``cloudchamber sim de-excite``: cold products of a file of events, conserved and weighted; files that it refuses."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from cloudchamber.cli import app
from cloudchamber.data.shards import write_shard
from cloudchamber.experiments.transport import SCHEMA, TransportConfig, simulate

SETTINGS = TransportConfig(records=4, test_particles=30, freeze_out_time=40.0)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "events.h5"
    arrays = simulate(SETTINGS, 0, 4, np.random.SeedSequence(3))
    typed = {name: arrays[name].astype(array.dtype) for name, array in SCHEMA.items()}
    write_shard(path, typed, SCHEMA, {"config": SETTINGS.model_dump_json(), "seed": "3"})
    return path


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["sim", "de-excite", *map(str, arguments)])
    text = result.output + (str(result.exception) if result.exception is not None else "")
    return result.exit_code, text


def test_products_hold_every_nucleon_and_weights_add_up_to_the_disc(events: Path, tmp_path: Path) -> None:
    status, text = run(events, "-o", tmp_path / "cold.h5", "--repetitions", "5")
    assert status == 0, text
    with h5py.File(tmp_path / "cold.h5") as file:
        count, A, Z = file["products"][:], file["A"][:], file["Z"][:]
        weight, event = file["weight"][:], file["event"][:]
        momentum, kinetic = file["momentum"][:], file["kinetic_energy"][:]
    place = np.repeat(np.arange(20), count)
    assert np.bincount(place, A, 20).tolist() == [24.0] * 20
    assert np.bincount(place, Z, 20).tolist() == [12.0] * 20
    assert event.tolist() == np.repeat(np.arange(4), 5).tolist()
    with h5py.File(events) as file:
        impact = file["impact_parameter"][:]
    assert weight.sum() == pytest.approx(10 * 2 * np.pi * impact.mean() * 8, rel=1e-5)
    # the beam's momentum, but for what photons carry away
    beam = np.sqrt((12 * 931.494 + 12 * 62.0) ** 2 - (12 * 931.494) ** 2)
    assert np.bincount(place, momentum[:, 2], 20) == pytest.approx(np.full(20, beam), rel=0.02)
    assert np.bincount(place, kinetic, 20).max() < 12 * 62.0 + 10


def test_the_same_seed_gives_the_same_file(events: Path, tmp_path: Path) -> None:
    for name in ("one.h5", "two.h5"):
        assert run(events, "-o", tmp_path / name, "--repetitions", "2")[0] == 0
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("cold.csv", "need a name that ends in .h5"),
        ("nowhere/cold.h5", "there is no directory"),
        ("taken.h5", "exists"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused(events: Path, tmp_path: Path, output: str, said: str) -> None:
    (tmp_path / "taken.h5").touch()
    status, text = run(events, "-o", tmp_path / output)
    assert status != 0
    assert said in text


def test_files_that_are_no_events_are_refused(events: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.h5"
    short.write_bytes(events.read_bytes()[:5000])
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = np.zeros(3)
    for path in (short, other, tmp_path / "absent.h5"):
        status, text = run(path, "-o", tmp_path / "cold.h5")
        assert status != 0
        assert str(path) in text
    assert not (tmp_path / "cold.h5").exists()
