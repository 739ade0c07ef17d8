"""The command: TRENTo's columns, options, configuration files and output layouts."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import Result

from cloudchamber.sim.heavyion import heavyion
from cloudchamber.simulators.heavyion.collisions import CollisionOptions, collide
from cloudchamber.simulators.heavyion.nuclei import nucleus

COMMAND = heavyion


@pytest.fixture(scope="module")
def lines(call: Callable[..., Result]) -> Callable[..., list[str]]:
    """Words of the command line to what is printed for the first seed."""

    def printed(*words: str) -> list[str]:
        result = call(*words, "--random-seed", "1")
        assert result.exit_code == 0, result.output
        return result.output.splitlines()

    return printed


def test_columns_and_their_widths_are_those_of_trento(lines: Callable[..., list[str]]) -> None:
    number = r"\d\.\d{10}"
    pattern = rf"[ \d]\d +\d+\.\d{{10}} +\d+ +{number}e[+-]\d\d( +{number}){{4}}"
    printed = lines("U", "U", "12")
    assert len(printed) == 12
    assert all(re.fullmatch(pattern, line) for line in printed)
    events = collide(nucleus("U"), nucleus("U"), 12, 1)
    for i, line in enumerate(printed):
        # the widths of TRENTo's stream: event, b, npart, mult, e2 ... e5
        fields = [line[:2], line[2:17], line[17:22], line[22:40], *(line[40 + 14 * k : 54 + 14 * k] for k in range(4))]
        values = [float(field) for field in fields]
        assert values[0] == i
        names = ["impact_parameter", "npart", "multiplicity", *(f"eccentricity{n}" for n in range(2, 6))]
        assert values[1:] == pytest.approx([events[name][i] for name in names], rel=1e-9, abs=1e-9)


def test_collisions_are_counted_on_request(lines: Callable[..., list[str]]) -> None:
    assert len(lines("Pb", "Pb", "1", "--ncoll")[0].split()) == 9
    assert len(lines("p", "Pb")[0].split()) == 8
    assert len(lines("p", "Pb", "1", "--extended")[0].split()) == 15


def test_event_numbers_run_on_across_batches(lines: Callable[..., list[str]]) -> None:
    printed = lines("p", "p", "2500", "--grid-max", "4")
    assert [int(line.split()[0]) for line in printed] == list(range(2500))


def test_options_reach_the_model(lines: Callable[..., list[str]]) -> None:
    printed = lines(
        "U", "Pb", "3", "-p", "-1", "-k", "2", "-w", "0.6", "-m", "3", "-v", "0.4", "-d", "0.9", "-x", "4.2", "-n", "2",
        "--b-min", "1", "--b-max", "3", "--grid-max", "9", "--grid-step", "0.3",
        "--beta2", "0.2", "--gamma", "30", "--radius", "6.7", "--diffuseness", "0.5", "--neutron-radius", "6.8",
        "--correlation", "miller_spencer",
    )  # fmt: skip
    options = CollisionOptions(
        reduced_thickness=-1, fluctuation=2, nucleon_width=0.6, constituent_number=3, constituent_width=0.4,
        cross_section=4.2, normalization=2, b_min=1, b_max=3, grid_max=9, grid_step=0.3,
    )  # fmt: skip
    a, b = (
        nucleus(
            name, beta2=0.2, gamma=np.radians(30), radius=6.7, diffuseness=0.5, neutron_radius=6.8,
            minimum_distance=0.9, correlation="miller_spencer",
        )
        for name in ("U", "Pb")
    )  # fmt: skip
    events = collide(a, b, 3, 1, options)
    assert [float(line.split()[3]) for line in printed] == pytest.approx(list(events["multiplicity"]), rel=1e-9)


def test_hdf5_has_trentos_layout(error_of: Callable[..., str], lines: Callable[..., list[str]], tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    assert lines("Pb", "Pb", "3", "-q", "-o", str(path), "--ncoll") == []
    events = collide(nucleus("Pb"), nucleus("Pb"), 3, 1, CollisionOptions(ncoll=True), profiles=True)
    with h5py.File(path) as file:
        assert sorted(file) == ["event_0", "event_1", "event_2"]
        for i in range(3):
            data = file[f"event_{i}"]
            assert np.array_equal(data[()], events["entropy_profile"][i])
            assert data.attrs["b"] == events["impact_parameter"][i]
            assert {"npart", "ncoll", "mult", "e2", "e3", "e4", "e5", "psi2", "area"} <= set(data.attrs)
    assert [one.name for one in tmp_path.iterdir()] == ["events.h5"]
    assert re.search("will not overwrite", error_of("Pb", "Pb", "-o", str(path)))


def test_text_files_have_trentos_layout(
    error_of: Callable[..., str], lines: Callable[..., list[str]], tmp_path: Path
) -> None:
    directory = tmp_path / "events"
    lines("p", "Pb", "11", "-q", "-o", str(directory), "--grid-max", "4")
    assert len(list(directory.iterdir())) == 11
    text = (directory / "03.dat").read_text().splitlines()
    assert text[0] == "# event 3"
    assert [line.split()[1] for line in text[1:8]] == ["b", "npart", "mult", "e2", "e3", "e4", "e5"]
    grid = np.loadtxt(directory / "03.dat")
    assert grid.shape == (40, 40)
    assert grid.sum() * 0.04 == pytest.approx(float(text[3].split()[-1]), rel=1e-6)
    assert re.search("must be empty", error_of("p", "Pb", "-o", str(directory)))


def test_failed_output_leaves_nothing(error_of: Callable[..., str], tmp_path: Path) -> None:
    assert "no collision of Pb and Pb" in error_of(
        "Pb", "Pb", "-q", "-o", tmp_path / "x.h5", "--b-min", "26", "--b-max", "30", "--random-seed", "1"
    )
    assert not list(tmp_path.iterdir())
    assert re.search("cannot write", error_of("Pb", "Pb", "-q", "-o", str(tmp_path / "no" / "x.h5")))


def test_configuration_files_merge_and_the_command_line_wins(lines: Callable[..., list[str]], tmp_path: Path) -> None:
    common, own = tmp_path / "common.conf", tmp_path / "own.conf"
    common.write_text("# comment\nreduced-thickness = 0.5\nfluctuation = 3  # wide\n\n")
    own.write_text("projectile = p\nprojectile = Pb\nnumber-events = 4\nfluctuation = 9\ngrid-max = 5\nncoll = true\n")
    printed = lines("-c", str(common), "-c", str(own), "--grid-max", "4")
    options = CollisionOptions(reduced_thickness=0.5, fluctuation=3, grid_max=4, ncoll=True)
    events = collide(nucleus("p"), nucleus("Pb"), 4, 1, options)
    assert [float(line.split()[4]) for line in printed] == pytest.approx(list(events["multiplicity"]), rel=1e-9)


def test_a_nucleus_can_come_from_a_file(lines: Callable[..., list[str]], tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", np.random.default_rng(1).normal(0, 2, (20, 12, 3)))
    assert len(lines(str(tmp_path / "mine.npz"), "Pb", "5")) == 5


def test_bibtex_cites_trentos_publication(call: Callable[..., Result]) -> None:
    assert "1412.4708" in call("--bibtex").output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("Pbb", "Pb"), "did you mean 'Pb'"),
        (("Pb", "Pb", "0"), "need at least 1"),
        (("U", "U", "--beta2", "9"), "negative"),
        (("p", "p", "--beta2", "0.1"), "neither p nor p"),
        (("Pb", "Pb", "--grid-max", "2"), "grid too small"),
        (("Pb", "Pb", "--correlation", "miller"), "did you mean 'miller_spencer'"),
        (("Pb", "Pb", "-c", "none.conf"), "not found"),
        (("none.h5", "Pb"), "no such file"),
        (("Pb", "Pb", "-w", "-1"), "greater than 0"),
    ],
)
def test_bad_input_is_one_clear_line(error_of: Callable[..., str], words: tuple[str, ...], message: str) -> None:
    assert re.search(message, error_of(*words))


def test_a_wrong_configuration_file_is_refused(error_of: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "bad.conf"
    for text, message in (("grid-mxx = 3", "did you mean 'grid-max'"), ("just words", "key = value")):
        path.write_text(text)
        assert re.search(message, error_of("Pb", "Pb", "-c", str(path)))


def test_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """The limit on the size of a file is a full disk that needs no privileges; HDF5 alone would crash on it."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from cloudchamber.cli import main; main()"
    )
    out = tmp_path / "grids.h5"
    command = [sys.executable, "-c", code, "sim", "heavyion", "U", "U", "50", "-q", "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        line for line in done.stderr.splitlines() if line.startswith("cloudchamber: disk full")
    ]
    assert not list(tmp_path.iterdir())
