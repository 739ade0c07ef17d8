"""The command: the same bytes however they are computed, interruption, refused events, refusals of bad input."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

import cloudchamber
from cloudchamber.data.shards import read_attributes, read_shard
from cloudchamber.sim import transport as module
from cloudchamber.sim.settings import DefaultOf
from cloudchamber.study import load_study

SOURCE = str(Path(cloudchamber.__file__).parents[1])
SHORT = ("--test-particles", "20", "--freeze-out-time", "8", "--random-seed", "4")
SYSTEM = ("sim", "transport", "C12", "C12", "--energy", "62", "--impact-parameter", "0:8", *SHORT)
N = 4

Command = Callable[..., tuple[int, str, str]]
"""Words to exit status, standard output and standard error."""

STUDY = '''"""The study transport in chunks of one event; TRANSPORT_GATE: a file that the third event waits for."""

import dataclasses
import os
import time
from pathlib import Path

from cloudchamber.experiments import transport
from cloudchamber.study import load_study


def simulate(config, first, count, seeds):
    gate = os.environ.get("TRANSPORT_GATE")
    while gate and first >= 2 and not Path(gate).exists():
        time.sleep(0.01)
    return transport.simulate(config, first, count, seeds)


study = dataclasses.replace(load_study("transport"), simulate=simulate, records_per_chunk=1)
'''

PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background passes on that it is ignored
from cloudchamber.sim import transport
transport.STUDY = sys.argv.pop(1)
from cloudchamber.cli import main
main()
"""


@pytest.fixture
def single_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The study in chunks of one event, so that four events are work for two and can be interrupted."""
    path = tmp_path / "single_events.py"
    path.write_text(STUDY)
    monkeypatch.setattr(module, "STUDY", str(path))
    return path


@pytest.fixture
def undisturbed(single_events: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What a single process writes that nobody interrupts, in a cache of its own."""
    with monkeypatch.context() as patch:
        patch.setenv("CLOUDCHAMBER_CACHE", str(tmp_path / "undisturbed"))
        status, _, err = command(*SYSTEM, "-n", N, "--workers", 1, "-o", tmp_path / "undisturbed.h5")
    assert (status, err) == (0, "")
    return (tmp_path / "undisturbed.h5").read_bytes()


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


# --- what is simulated ------------------------------------------------------------------------------------------------


def test_file_holds_the_events_that_the_options_asked_for(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "events.h5"
    options = (
        "--mode",
        "average",
        "--mean-field",
        "comparison",
        "--cross-section",
        "screened",
        "--density-cut",
        "0.03",
    )
    words = ("sim", "transport", "12C", "O16", "--energy", 40, "--impact-parameter", 3, *SHORT, *options, "-n", 2)
    status, out, err = command(*words, "--workers", 1, "-o", path)
    assert (status, err) == (0, "")
    assert out.startswith(
        f"{path}: 2 collisions of 12C at 40 MeV per nucleon with O16, average, impact parameter 3 fm, "
    )
    assert "none refused, 2.00 fragments each; seed 4, " in out  # the nuclei have not met after 8 fm/c
    assert out.count("\n") == 1
    found = read_shard(path)
    assert found.keys() == load_study("transport").schema.keys()
    assert found["projectile"].tolist() == [[12, 6]] * 2
    assert found["target"].tolist() == [[16, 8]] * 2
    assert found["energy"].tolist() == [40, 40]
    assert found["impact_parameter"].tolist() == [3, 3]
    assert found["fragments"].tolist() == [2, 2]
    # a few of 20 test particles a nucleon lie where it is thinner than the cut: they are gas, and nothing is lost
    assert found["fragment_A"].sum() + len(found["gas_species"]) / 20 == pytest.approx(2 * 28, abs=1e-9)
    about = read_attributes(path)
    assert (about["study"], about["seed"]) == ("transport", "4")
    expected = {
        "projectile": "12C", "target": "O16", "energy": 40, "lowest_impact_parameter": 3, "test_particles": 20,
        "highest_impact_parameter": 3, "mode": "average", "mean_field": "comparison", "cross_section": "screened",
        "density_cut": 0.03, "freeze_out_time": 8, "time_step": 0.5,
    }  # fmt: skip
    assert expected.items() <= json.loads(about["config"]).items()
    with h5py.File(path) as file:  # without this package
        assert file["fragment_momentum"].attrs["unit"] == "MeV/c"
        assert file["fragment_momentum"].shape == (4, 3)


def test_defaults_are_those_of_the_settings_and_help_says_them(command: Command) -> None:
    from cloudchamber.experiments.transport import TransportConfig

    status, out, _ = command("sim", "transport", "--help")
    assert status == 0
    said = " ".join(out.split())
    fields = TransportConfig.model_fields
    for name in (
        "energy", "mode", "mean_field", "cross_section", "test_particles", "time_step", "freeze_out_time", "density_cut"
    ):  # fmt: skip
        _, _, rest = said.partition(f"--{name.replace('_', '-')} <")
        assert f"[default: {fields[name].default}]" in rest.split(" --")[0], name
    assert "[default: 0:8]" in said
    assert DefaultOf("cloudchamber.experiments.transport:TransportConfig", module.IMPACT_PARAMETERS)() == "0:8"


def test_command_line_starts_without_the_imports_of_the_simulator() -> None:
    code = """
        import sys
        from cloudchamber import cli
        print([name for name in sys.modules if name in ("numba", "scipy", "h5py", "torch")
               or name.startswith(("cloudchamber.simulators", "cloudchamber.experiments", "cloudchamber.farm"))])
    """
    lines = "\n".join(line.strip() for line in code.strip().splitlines())
    done = subprocess.run(
        [sys.executable, "-c", lines], env={**os.environ, "PYTHONPATH": SOURCE}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"


def test_impact_parameters_fill_the_interval_and_the_seed_draws_them(command: Command, tmp_path: Path) -> None:
    found = []
    for seed, name in ((4, "a.h5"), (5, "b.h5")):
        words = (*SYSTEM, "--impact-parameter", "1:2", "--random-seed", seed, "-n", 3, "--workers", 1)
        assert command(*words, "-o", tmp_path / name)[0] == 0
        found.append(read_shard(tmp_path / name)["impact_parameter"])
    drawn = np.concatenate(found)
    assert len(set(drawn.tolist())) == 6
    assert ((drawn >= 1) & (drawn <= 2)).all()


def test_events_that_lose_energy_are_counted_with_what_to_do(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "wild.h5"
    status, out, err = command(*SYSTEM, "--time-step", 10, "-n", 2, "--workers", 1, "-o", path)
    assert (status, err) == (0, "")
    assert "2 refused because energy was not conserved (give a --time-step below 10); seed 4, " in out
    assert "fragments each" not in out
    assert "nan" not in out
    found = read_shard(path)
    assert found["refused"].tolist() == [1, 1]
    assert found["fragments"].tolist() == [0, 0]
    assert len(found["impact_parameter"]) == 2


def test_summary_averages_fragments_of_the_events_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    class Three:
        def __len__(self) -> int:
            return 3

        def read(self, indices: object, names: object) -> dict[str, np.ndarray]:
            return {"refused": np.array([0, 1, 0]), "fragments": np.array([2, 0, 3])}

    said = module._outcome(Three(), 0.5)  # type: ignore[arg-type]
    assert said == "1 refused because energy was not conserved (give a --time-step below 0.5), 2.50 fragments each"


# --- the farm ---------------------------------------------------------------------------------------------------------


def test_two_workers_write_the_bytes_of_one(undisturbed: bytes, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "two.h5"
    status, out, err = command(*SYSTEM, "-n", N, "--workers", 2, "-o", path)
    assert (status, err) == (0, "")
    assert "4 collisions of C12" in out
    assert path.read_bytes() == undisturbed


def test_interrupted_command_keeps_its_events_and_goes_on(
    undisturbed: bytes, single_events: Path, command: Command, own_cache: Path, tmp_path: Path
) -> None:
    """Ctrl-C reaches every process of the terminal's group."""
    path, gate = tmp_path / "events.h5", tmp_path / "gate"
    words = [*SYSTEM, "-n", str(N), "--workers", "2", "-o", str(path)]
    environment = {**os.environ, "PYTHONPATH": SOURCE, "TRANSPORT_GATE": str(gate)}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(single_events), *words], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        until(lambda: len(list(own_cache.rglob("shard-*.h5"))) == 2 or process.poll() is not None)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err == "cloudchamber: interrupted; what is finished is kept, and the same command goes on with the rest\n"
    assert not path.exists()
    kept = {file: file.stat().st_mtime_ns for file in own_cache.rglob("shard-*.h5")}
    assert sorted(file.name for file in kept) == ["shard-00000.h5", "shard-00001.h5"]
    assert command(*SYSTEM, "-n", N, "--workers", 1, "-o", path)[0] == 0
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    assert path.read_bytes() == undisturbed


@contextlib.contextmanager
def running(directory: Path, program: str, *arguments: str) -> Iterator[None]:
    """``dask scheduler`` or ``dask worker`` as its own process, killed at the end."""
    with (directory / f"{program}-{time.monotonic_ns()}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{program}", *arguments], stdout=log, stderr=log, cwd=directory,
            env={**os.environ, "PYTHONPATH": SOURCE}, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_dask_workers_over_tcp_write_the_same_bytes(undisturbed: bytes, command: Command, tmp_path: Path) -> None:
    file, path = tmp_path / "scheduler.json", tmp_path / "far.h5"
    place = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    mine = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path / "scratch"))
    with running(tmp_path, "dask_scheduler", *place):
        until(lambda: file.exists() and file.read_text().endswith("}"))
        address = json.loads(file.read_text())["address"]
        assert address.startswith("tcp://")
        with running(tmp_path, "dask_worker", address, *mine), running(tmp_path, "dask_worker", address, *mine):
            status, out, _ = command(*SYSTEM, "-n", N, "--scheduler", address, "-o", path)
    assert status == 0
    assert "4 collisions of C12" in out
    assert path.read_bytes() == undisturbed


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("Cx12", "C12"), "no element has the symbol 'Cx' of 'Cx12'; did you mean 'C'?"),
        (("C12", "C99"), "no nucleus C99; did you mean 'C9'?"),
        (("Carbon", "C12"), "'Carbon' is no nucleus; give the element's symbol and the mass number"),
        (("C5", "C12"), "'C5' has A = 5 below Z = 6 of C; give the mass number, such as C12"),
        (("C12", "He3"), "nucleus A = 3, Z = 2: need a nucleus that is known, from He4 on"),
        (("H1", "C12"), "nucleus A = 1, Z = 1: need a nucleus that is known"),
        (("C12", "C12", "--energy", "9.9"), "energy 9.9 MeV per nucleon: transport holds from 10 to 200"),
        (("C12", "C12", "--energy", "62000"), "energy 62000 MeV per nucleon: transport holds from 10 to 200"),
        (("C12", "C12", "--energy", "nan"), "energy nan MeV per nucleon: transport holds from 10 to 200"),
        (("C12", "C12", "--energy", "fast"), "'--energy'"),
        (("C12", "C12", "--impact-parameter", "-1"), "impact parameter '-1': -1 fm is negative; give at least 0"),
        (("C12", "C12", "--impact-parameter", "-1:3"), "impact parameter '-1:3': -1 fm is negative"),
        (("C12", "C12", "--impact-parameter", "8:0"), "impact parameter '8:0': give the smaller one first, 0:8"),
        (("C12", "C12", "--impact-parameter", "0:50"), "impact parameter 50 fm: need 0 to "),
        (("C12", "C12", "--impact-parameter", "far"), "impact parameter 'far': give LOW:HIGH in fm, such as 0:8"),
        (("C12", "C12", "--impact-parameter", "0:"), "impact parameter '0:': give LOW:HIGH in fm"),
        (("C12", "C12", "--impact-parameter", "1:2:3"), "impact parameter '1:2:3': give LOW:HIGH in fm"),
        (("C12", "C12", "--impact-parameter", "0:inf"), "impact parameter '0:inf': give LOW:HIGH in fm"),
        (("C12", "C12", "--impact-parameter", "nan"), "impact parameter 'nan': give LOW:HIGH in fm"),
        (("C12", "C12", "--mode", "langvin"), "mode = 'langvin': unknown; did you mean 'langevin'?"),
        (("C12", "C12", "--mean-field", "sft"), "mean_field = 'sft': unknown; did you mean 'soft'?"),
        (("C12", "C12", "--cross-section", "cap"), "cross_section = 'cap': unknown; did you mean 'capped'?"),
        (("C12", "C12", "--test-particles", "5"), "test_particles = 5: Input should be greater than or equal to 20"),
        (("C12", "C12", "--time-step", "0"), "time_step = 0.0: Input should be greater than 0"),
        (("C12", "C12", "--freeze-out-time", "-3"), "freeze_out_time = -3.0: Input should be greater than 0"),
        (("C12", "C12", "--density-cut", "0.5"), "density_cut = 0.5: Input should be less than 0.16"),
        (("C12", "C12", "-n", "0"), "0 events: give at least 1"),
        (("C12", "C12", "--random-seed", "-1"), "random seed -1: need a whole number of at least 0"),
        (("C12", "C12", "--workers", "0"), "'--workers'"),
        (("C12", "C12", "--workers", "2", "--scheduler", "tcp://127.0.0.1:8786"), "--workers and --scheduler exclude"),
        (("C12", "C12", "--scheduler", "here"), "scheduler 'here': give an address such as tcp://"),
        (("C12",), "Missing argument"),
    ],
)
def test_wrong_words_are_one_line_and_leave_nothing_behind(
    command: Command, tmp_path: Path, own_cache: Path, words: tuple[str, ...], says: str
) -> None:
    status, out, err = command("sim", "transport", *words, "-o", tmp_path / "events.h5")
    assert (status in (1, 2), out) == (True, "")
    assert err.startswith("cloudchamber: ")
    assert says in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())
    assert not list(own_cache.rglob("*.h5"))


def test_output_is_refused_before_anything_is_simulated(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloudchamber import farm

    def must_not(*_: object, **__: object) -> None:
        raise AssertionError("simulated")

    monkeypatch.setattr(farm, "simulate", must_not)
    there = tmp_path / "events.h5"
    there.write_bytes(b"of somebody else")
    for name, says in (
        ("events.h5", "exists, will not overwrite"),
        ("nowhere/events.h5", f"there is no directory {tmp_path / 'nowhere'}"),
        ("events.root", "need a name that ends in .h5, .hdf5"),
    ):
        status, out, err = command(*SYSTEM, "-n", 2, "-o", tmp_path / name)
        assert (status in (1, 2), out) == (True, "")
        assert says in err
        assert err.count("\n") == 1
    assert there.read_bytes() == b"of somebody else"
