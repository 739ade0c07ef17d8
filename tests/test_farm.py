"""The farm: the same bytes from one process, a local cluster and a real scheduler, through kills and damage."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cloudchamber
from cloudchamber import farm
from cloudchamber.data.shards import read_shard
from cloudchamber.data.store import Dataset, write_file
from cloudchamber.schema import BadInput, fingerprint
from cloudchamber.study import PredictorStudy, load_study

TOY = str(Path(__file__).with_name("toy_study.py"))
PHOTONS = str(Path(__file__).with_name("generator_study.py"))
SOURCE = str(Path(cloudchamber.__file__).parents[1])
N, CHUNKS = 60, 8


@pytest.fixture
def toy() -> PredictorStudy:
    return load_study(TOY)


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "journal"
    path.touch()
    monkeypatch.setenv("TOY_JOURNAL", str(path))
    return path


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """While this file is not there, the first three chunks can be done and the rest cannot (see the toy study)."""
    return tmp_path / "gate"


def entries(journal: Path, word: str) -> list[tuple[int, int]]:
    """(process, first record) of every chunk that started, or ended."""
    lines = [line.split() for line in journal.read_text().splitlines()]
    return [(int(process), int(first)) for process, what, first in lines if what == word]


def simulated(toy: PredictorStudy, n: int = N, seed: int = 1, **changes: Any) -> Dataset:
    options: dict[str, Any] = {"workers": 1, "study_source": TOY} | changes
    return farm.simulate(toy, toy.preset("tiny"), n, seed, **options)


def content(dataset: Dataset) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in dataset.files}


@pytest.fixture
def expected(toy: PredictorStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What a single undisturbed process makes, in a cache of its own."""
    with monkeypatch.context() as patch:
        patch.setenv("CLOUDCHAMBER_CACHE", str(tmp_path / "undisturbed"))
        patch.delenv("TOY_JOURNAL", raising=False)
        return content(simulated(toy))


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": SOURCE, **more}


def start(code: str, *arguments: str, **more: str) -> subprocess.Popen[str]:
    """Code in a fresh interpreter with warnings as errors."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments],
        env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


SIMULATE = f"""
    import signal, sys
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background passes on that it is ignored
    from cloudchamber import farm
    from cloudchamber.schema import BadInput
    from cloudchamber.study import load_study
    toy = load_study({TOY!r})
    workers, scheduler = (None, sys.argv[1]) if ":" in sys.argv[1] else (int(sys.argv[1]), None)
    try:
        dataset = farm.simulate(
            toy, toy.preset("tiny"), {N}, 1, workers=workers, scheduler=scheduler, study_source={TOY!r}
        )
        print(dataset.hash())
    except BadInput as error:
        print("BadInput:", error)
"""


# --- the data set -----------------------------------------------------------------------------------------------------


def test_records_are_the_studys_own(toy: PredictorStudy) -> None:
    dataset = simulated(toy, seed=7)
    assert (len(dataset), len(dataset.files)) == (N, CHUNKS)
    children = np.random.SeedSequence(7).spawn(CHUNKS)
    config = toy.preset("tiny")
    for chunk, first in enumerate(range(0, N, 8)):
        count = min(8, N - first)
        arrays = toy.simulate(config, first, count, children[chunk])
        found = dataset.read(np.arange(first, first + count))
        for name, values in arrays.items():
            np.testing.assert_array_equal(found[name], values.astype(toy.schema[name].dtype))
    about = dataset.attributes
    assert json.loads(about.pop("config")) == config.model_dump()
    assert about == {"study": "toy", "seed": "7", "code": farm.code_hash(load_study(TOY)), "schema_version": 1}


def test_records_may_own_rows() -> None:
    """Columns of particles of events: the same from two processes as from one, and as the study makes them."""
    study = load_study(PHOTONS)
    config = study.preset("tiny")
    one = farm.simulate(study, config, 40, 3, workers=1, study_source=PHOTONS)
    parts = [
        study.simulate(config, 16 * chunk, count, np.random.SeedSequence(3, spawn_key=(chunk,)))
        for chunk, count in enumerate((16, 16, 8))
    ]
    found = one.read(np.arange(40))
    for name in study.schema:
        np.testing.assert_array_equal(found[name], np.concatenate([part[name] for part in parts]))
    before = content(one)
    for file in one.files:
        file.unlink()
    assert content(farm.simulate(study, config, 40, 3, workers=2, study_source=PHOTONS)) == before


def test_keys_of_data_without_owned_rows_are_those_of_before(toy: PredictorStudy) -> None:
    """Data that were cached before ``Array.of`` was there are found again."""
    origin = farm.Origin(TOY, toy.preset("tiny").model_dump_json(), 1, farm.code_hash(toy))
    fields = ("axes", "unit", "doc", "dtype", "low", "high")
    columns = {name: {field: getattr(array, field) for field in fields} for name, array in toy.schema.items()}
    assert farm._key(toy, origin) == fingerprint([origin.config, 1, origin.code, 1, columns, 8])


def test_seed_and_configuration_select_the_data(toy: PredictorStudy) -> None:
    one = simulated(toy)
    assert simulated(toy).hash() == one.hash()
    assert simulated(toy, seed=2).hash() != one.hash()
    other = farm.simulate(toy, toy.preset("tiny").changed({"widest": 3}), N, 1, workers=1, study_source=TOY)
    assert other.hash() != one.hash()
    assert len({one.files[0].parent, other.files[0].parent, simulated(toy, seed=2).files[0].parent}) == 3


def test_a_larger_data_set_goes_on_from_a_smaller_one(toy: PredictorStudy, journal: Path) -> None:
    small = simulated(toy, n=20)
    assert [file.name for file in small.files] == ["shard-00000.h5", "shard-00001.h5", "tail-00002-4.h5"]
    large = simulated(toy, n=N)
    assert [first for _, first in entries(journal, "starts")] == [0, 8, 16, 16, 24, 32, 40, 48, 56]
    np.testing.assert_array_equal(small.read(np.arange(16))["value"], large.read(np.arange(16))["value"])
    assert simulated(toy, n=20).hash() == small.hash()
    assert len(entries(journal, "starts")) == 9


def test_progress_counts_every_chunk_made_or_kept(toy: PredictorStudy) -> None:
    calls: list[tuple[int, int]] = []
    simulated(toy, n=20, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(0, 20), (8, 20), (16, 20), (20, 20)]
    simulated(toy, n=20, progress=lambda done, total: calls.append((done, total)))
    assert calls[4:] == [(0, 20), (8, 20), (16, 20), (20, 20)]


def test_changed_source_is_simulated_again(toy: PredictorStudy, tmp_path: Path) -> None:
    copy = tmp_path / "toy_study.py"
    shutil.copy(TOY, copy)
    before = simulated(load_study(str(copy)), n=8, study_source=str(copy))
    copy.write_text(copy.read_text() + "\n\ndef unrelated() -> None:\n    pass\n")
    unrelated = simulated(load_study(str(copy)), n=8, study_source=str(copy))
    assert before.files == unrelated.files
    text = copy.read_text()
    start = text.index("def simulate(")
    body = text.index(":\n", text.index("->", start)) + 2
    copy.write_text(text[:body] + "    first = int(first)\n" + text[body:])
    after = simulated(load_study(str(copy)), n=8, study_source=str(copy))
    assert before.files != after.files
    assert before.hash() == after.hash()  # the data are the same, only their origin is not
    assert len(farm.code_hash(toy)) == 16


def test_code_hash_is_the_same_in_every_process_and_follows_values(tmp_path: Path) -> None:
    """Sets print in another order in every process; a changed value changes the data."""
    study = tmp_path / "study.py"
    text = Path(TOY).read_text().replace("def simulate(", "KINDS = {'a', 'b', 'c', 'd'}\n\n\ndef simulate(", 1)
    start = text.index("def simulate(")
    body = text.index(":\n", text.index("->", start)) + 2
    study.write_text(text[:body] + "    assert KINDS\n" + text[body:])
    code = "import sys; from cloudchamber import farm, study; print(farm.code_hash(study.load_study(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(study)]
    hashes = {subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(3)}
    assert len(hashes) == 1
    study.write_text(study.read_text().replace("'d'}", "'e'}"))
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout not in hashes


def test_the_same_data_are_written_as_the_same_bytes(toy: PredictorStudy, tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        write_file(simulated(toy), tmp_path / name)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert Dataset([tmp_path / "a.h5"], toy.schema).hash() == simulated(toy).hash()


def test_simulated_arrays_that_do_not_fit_the_schema_are_named(toy: PredictorStudy) -> None:
    config = toy.preset("tiny").changed({"spoiled": "width"})
    with pytest.raises(BadInput, match=r"study 'toy', records from 0: simulated column 'width': .* 0\.000% finite"):
        farm.simulate(toy, config, 20, 1, workers=1, study_source=TOY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 0}, "0 records"),
        ({"seed": -1}, "seed -1"),
        ({"workers": 0}, "0 workers"),
        ({"workers": 2, "scheduler": "tcp://127.0.0.1:8786"}, "exclude each other"),
        ({"workers": None, "scheduler": "http://127.0.0.1:8786"}, "such as tcp://"),
        ({"workers": None, "scheduler": "tcp://127.0.0.1"}, "such as tcp://"),
        ({"workers": None, "scheduler": "tcp://127.0.0.1:port"}, "such as tcp://"),
        ({"workers": None, "scheduler": "127.0.0.1:8786"}, "such as tcp://"),
    ],
)
def test_wrong_numbers_and_schedulers_are_refused(toy: PredictorStudy, change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        simulated(toy, **change)
    assert caught.value.status == 2


# --- the cache --------------------------------------------------------------------------------------------------------


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def alter(file: Path) -> None:
    """Turn one bit of a stored number."""
    whole = bytearray(file.read_bytes())
    whole[whole.index(read_shard(file)["value"].tobytes())] ^= 1
    file.write_bytes(whole)


def exchange(file: Path) -> None:
    """Whole, but another chunk."""
    shutil.copy(file.with_name("shard-00000.h5"), file)


@pytest.mark.parametrize("damage", [cut, empty, alter, exchange])
def test_a_damaged_shard_is_reported_and_simulated_again(
    toy: PredictorStudy,
    journal: Path,
    expected: dict[str, bytes],
    damage: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    damage(simulated(toy).files[3])
    journal.write_text("")
    again = simulated(toy)
    assert content(again) == expected
    assert [first for _, first in entries(journal, "starts")] == [24]
    (line,) = caplog.messages
    assert "shard-00003.h5" in line
    assert line.endswith("; simulating it again")
    assert "\n" not in line


@pytest.mark.parametrize("place", ["a file/cache", "/proc/cache"])
def test_an_unwritable_cache_says_what_to_set(
    toy: PredictorStudy, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("CLOUDCHAMBER_CACHE", str(tmp_path / place))
    with pytest.raises(BadInput, match=r"cannot write the cache .*: set CLOUDCHAMBER_CACHE to a directory"):
        simulated(toy)


def test_cache_directory_is_the_set_one_or_in_the_home(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert farm.cache_directory() == own_cache
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CLOUDCHAMBER_CACHE")
    assert farm.cache_directory() == tmp_path / ".cache" / "cloudchamber"
    assert farm.cache_directory().is_dir()


def test_full_disk_keeps_finished_shards(
    toy: PredictorStudy, own_cache: Path, journal: Path, expected: dict[str, bytes]
) -> None:
    code = f"""
        import resource
        from cloudchamber import farm
        from cloudchamber.schema import BadInput
        from cloudchamber.study import load_study
        toy = load_study({TOY!r})
        def fill(done, total):
            if done >= 24:
                resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            farm.simulate(toy, toy.preset("tiny"), {N}, 1, workers=1, study_source={TOY!r}, progress=fill)
        except BadInput as error:
            print(error)
    """
    out, err = start(code).communicate(timeout=120)
    assert err == ""
    assert out.startswith("disk full while writing ")
    assert out.endswith("shard-00003.h5: free space or move the cache, then repeat; --resume goes on\n")
    (directory,) = (own_cache / "toy").iterdir()
    names = sorted(file.name for file in directory.iterdir())
    assert names == [".lock", *(f"shard-{number:05d}.h5" for number in range(3))]
    journal.write_text("")
    assert content(simulated(toy)) == expected
    assert [first for _, first in entries(journal, "starts")] == [24, 32, 40, 48, 56]


def test_two_processes_at_once_share_the_work(
    toy: PredictorStudy, journal: Path, gate: Path, expected: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    with start(SIMULATE, "1", TOY_GATE=str(gate)) as other:
        until(lambda: len(entries(journal, "starts")) == 4)

        def waits() -> bool:
            return any(f"(pid {other.pid})" in message and "waiting" in message for message in caplog.messages)

        opener = threading.Thread(target=lambda: (until(waits), gate.touch()), daemon=True)
        opener.start()
        mine = simulated(toy)
        opener.join()
        out, err = other.communicate(timeout=60)
    assert (out.strip(), err) == (mine.hash(), "")
    assert content(mine) == expected
    assert [first for _, first in entries(journal, "starts")] == list(range(0, N, 8))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_simulation_goes_on_to_the_same_bytes(
    toy: PredictorStudy, own_cache: Path, journal: Path, gate: Path, expected: dict[str, bytes], workers: int
) -> None:
    with start(SIMULATE, str(workers), TOY_GATE=str(gate)) as process:
        until(lambda: len(list(own_cache.rglob("shard-*.h5"))) == 3)
        process.kill()
        process.wait()
    started = {process for process, _ in entries(journal, "starts")}
    until(lambda: not [process for process in started if Path(f"/proc/{process}").exists()])  # no orphans
    (directory,) = (own_cache / "toy").iterdir()
    (directory / ".shard-00009.h5.12345.partial").write_bytes(b"half")  # as if killed while writing
    journal.write_text("")
    assert content(simulated(toy)) == expected
    assert [first for _, first in entries(journal, "starts")] == [24, 32, 40, 48, 56]
    assert not list(directory.glob(".*.partial"))


# --- clusters ---------------------------------------------------------------------------------------------------------


def test_a_cluster_of_processes_gives_the_same_bytes(
    journal: Path, own_cache: Path, expected: dict[str, bytes]
) -> None:
    _, err = start(SIMULATE, "2").communicate(timeout=120)
    assert err == ""
    (directory,) = (own_cache / "toy").iterdir()
    assert {file.name: file.read_bytes() for file in directory.glob("*.h5")} == expected
    processes = {process for process, _ in entries(journal, "starts")}
    assert len(processes) == 2
    assert [first for _, first in sorted(entries(journal, "starts"), key=lambda entry: entry[1])] == list(
        range(0, N, 8)
    )


def test_a_cluster_within_this_process_gives_the_same_bytes(toy: PredictorStudy, expected: dict[str, bytes]) -> None:
    assert content(simulated(toy, workers=2)) == expected


def test_bad_arrays_on_a_worker_are_one_line(toy: PredictorStudy) -> None:
    config = toy.preset("tiny").changed({"spoiled": "width"})
    with pytest.raises(BadInput, match="simulated column 'width'"):
        farm.simulate(toy, config, 20, 1, workers=2, study_source=TOY)


@contextlib.contextmanager
def running(directory: Path, module: str, *arguments: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """``dask scheduler`` or ``dask worker`` as its own process, killed at the end."""
    with (directory / f"{module}-{time.monotonic_ns()}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
            env=environment(**more), stdout=log, stderr=log, text=True, cwd=directory, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def scheduler(directory: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A scheduler on loopback, and its address."""
    file = directory / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    with running(directory, "dask_scheduler", *options) as process:
        until(lambda: file.exists() and file.read_text().endswith("}"))
        yield json.loads(file.read_text())["address"], process


def worker(directory: Path, address: str, **more: str) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(directory / "scratch"))
    return running(directory, "dask_worker", address, *options, **more)


def test_work_of_a_killed_worker_is_done_by_another(
    toy: PredictorStudy, tmp_path: Path, journal: Path, gate: Path, expected: dict[str, bytes]
) -> None:
    from distributed import Client

    with (
        scheduler(tmp_path) as (address, _),
        worker(tmp_path, address, TOY_GATE=str(gate)) as victim,
        worker(tmp_path, address, TOY_GATE=str(gate)) as survivor,
        Client(address, timeout=60, set_as_default=False) as observer,
    ):
        observer.wait_for_workers(2, timeout=60)
        tasks: list[int] = []

        def held(process: subprocess.Popen[str]) -> set[tuple[int, int]]:
            ends = entries(journal, "ends")
            return {entry for entry in entries(journal, "starts") if entry[0] == process.pid and entry not in ends}

        def kill() -> None:
            until(lambda: len(entries(journal, "ends")) == 3 and held(victim) and held(survivor))
            victim.kill()
            gate.touch()

        def count_tasks(done: int, total: int) -> None:
            tasks.append(observer.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)))

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        dataset = simulated(toy, workers=None, scheduler=address, progress=count_tasks)
        killer.join()
        victim.wait()
        assert content(dataset) == expected
        assert victim.returncode == -signal.SIGKILL
        (lost,) = held(victim)  # it died with work in its hands, which the other did again
        assert (survivor.pid, lost[1]) in entries(journal, "ends")
        assert max(tasks) <= 2 * farm.TASKS_PER_CORE


def test_a_scheduler_that_goes_away_keeps_what_is_finished(
    toy: PredictorStudy, tmp_path: Path, own_cache: Path, journal: Path, gate: Path, expected: dict[str, bytes]
) -> None:
    with (
        scheduler(tmp_path) as (address, process),
        worker(tmp_path, address, TOY_GATE=str(gate)),
        start(SIMULATE, address) as client,
    ):
        until(lambda: len(list(own_cache.rglob("shard-*.h5"))) == 3)
        process.kill()
        out, err = client.communicate(timeout=100)
    assert err == ""
    assert out == "BadInput: the Dask scheduler is gone; what is finished is kept, --resume goes on\n"
    journal.write_text("")
    assert content(simulated(toy)) == expected
    assert [first for _, first in entries(journal, "starts")] == [24, 32, 40, 48, 56]


def test_workers_that_die_again_and_again_are_one_error(toy: PredictorStudy, tmp_path: Path) -> None:
    deadly = tmp_path / "deadly_study.py"
    deadly.write_text(Path(TOY).read_text().replace('journal("starts", first)', "first == 16 and os._exit(1)"))
    study = load_study(str(deadly))
    # the scheduler counts a worker's death against every chunk that it held: a neighbour may be named
    with pytest.raises(BadInput, match=r"workers died again and again, at last one that held the records from \d+,"):
        farm.simulate(study, study.preset("tiny"), N, 1, workers=2, study_source=str(deadly))


def test_a_worker_with_another_version_is_refused(toy: PredictorStudy, tmp_path: Path) -> None:
    shutil.copytree(Path(SOURCE) / "cloudchamber", tmp_path / "other" / "cloudchamber")
    init = tmp_path / "other" / "cloudchamber" / "__init__.py"
    init.write_text(init.read_text().replace(cloudchamber.__version__, "0.0.7"))
    (tmp_path / "other" / "cloudchamber" / "simulators" / "new.py").touch()
    with (
        scheduler(tmp_path) as (address, _),
        worker(tmp_path, address, PYTHONPATH=str(tmp_path / "other")),
        pytest.raises(BadInput, match=rf"has cloudchamber 0\.0\.7 .* than this client \({cloudchamber.__version__}\)"),
    ):
        simulated(toy, workers=None, scheduler=address)


def test_a_study_file_that_the_worker_does_not_have_is_named(toy: PredictorStudy, tmp_path: Path) -> None:
    origin = farm.Origin(str(tmp_path / "mine.py"), "{}", 1, "0")
    with pytest.raises(BadInput, match=r"has no file .*mine\.py: put the study where every worker finds it"):
        farm.chunk_on_worker(origin, farm.Chunk(0, 0, 8), "0.1.0")


@contextlib.contextmanager
def http_server() -> Iterator[int]:
    """Something that answers, but not as a scheduler does."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_an_unreachable_scheduler_is_refused_in_time(toy: PredictorStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    assert farm.CONNECT_SECONDS <= 10
    monkeypatch.setattr(farm, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        deaf_port = mute.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(BadInput, match="no Dask scheduler answers at tcp://127"):
            simulated(toy, workers=None, scheduler=f"tcp://127.0.0.1:{deaf_port}")
    with pytest.raises(BadInput, match="no Dask scheduler answers at tcp://127"):
        simulated(toy, workers=None, scheduler=f"tcp://127.0.0.1:{deaf_port}")
    with http_server() as web_port, pytest.raises(BadInput, match="no Dask scheduler answers"):
        simulated(toy, workers=None, scheduler=f"tcp://127.0.0.1:{web_port}")
    with pytest.raises(BadInput, match="no Dask scheduler answers at tcp://no"):
        simulated(toy, workers=None, scheduler="tcp://no-such-host.invalid:8786")
    assert time.monotonic() - started < 60  # also on a busy machine, where 4 s are usual


def test_unreachable_scheduler_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    code = SIMULATE.replace("toy = ", "farm.CONNECT_SECONDS = 1\n    toy = ", 1)
    out, err = start(code, f"tcp://127.0.0.1:{port}").communicate(timeout=60)
    assert err == ""
    assert out.startswith("BadInput: no Dask scheduler answers")
    assert out.count("\n") == 1


def test_interrupt_leaves_what_is_finished(toy: PredictorStudy, own_cache: Path, journal: Path, gate: Path) -> None:
    """Ctrl-C reaches every process of the terminal's group."""
    code = SIMULATE + "    except KeyboardInterrupt:\n        print('interrupted')\n"
    with start(code, "2", TOY_GATE=str(gate)) as process:
        until(lambda: len(list(own_cache.rglob("shard-*.h5"))) == 3)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (out, err) == ("interrupted\n", "")
    journal.write_text("")
    simulated(toy)
    assert [first for _, first in entries(journal, "starts")] == [24, 32, 40, 48, 56]
