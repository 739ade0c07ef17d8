"""Shards and data sets: same bytes, lazy reads, damage found, full disks and two processes survived."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudchamber.data import store
from cloudchamber.data.samples import ArrayRecords
from cloudchamber.data.store import (
    Dataset,
    checked,
    checksum,
    exclusive,
    growing,
    new_file,
    open_dataset,
    read_shard,
    replacing,
    write_file,
    write_shard,
)
from cloudchamber.schema import Array, Arrays, BadInput

SCHEMA = {
    "label": Array("record", "", "which", dtype="int64"),
    "trace": Array("record bin", "µV/m", "a trace", low=-100, high=100),
}
ABOUT = {"study": "toy", "config": '{"a": 1}', "seed": "3", "code": "abc", "chunk": 0}


def arrays_of(count: int, bins: int = 7, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    return {"label": np.arange(count), "trace": rng.normal(size=(count, bins)).astype(np.float32)}


def shards(directory: Path, counts: list[int], bins: int = 7) -> tuple[list[Path], Arrays]:
    files, parts = [], []
    for number, count in enumerate(counts):
        files.append(directory / f"shard-{number:05d}.h5")
        parts.append(arrays_of(count, bins, seed=number))
        write_shard(files[-1], parts[-1], SCHEMA, ABOUT | {"chunk": number})
    return files, {name: np.concatenate([part[name] for part in parts]) for name in SCHEMA}


def in_python(code: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter, with warnings as errors."""
    source = str(Path(store.__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments],
        env={**os.environ, "PYTHONPATH": source, **(env or {})},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_shard_comes_back_with_its_meaning(tmp_path: Path) -> None:
    arrays = arrays_of(5)
    write_shard(tmp_path / "a.h5", arrays, SCHEMA, ABOUT)
    for name, values in read_shard(tmp_path / "a.h5").items():
        np.testing.assert_array_equal(values, arrays[name])
        assert values.dtype == arrays[name].dtype
    dataset = Dataset([tmp_path / "a.h5"])
    assert dataset.schema == SCHEMA
    assert dataset.attributes == {"study": "toy", "config": '{"a": 1}', "seed": "3", "code": "abc", "schema_version": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]


def test_chunks_are_whole_records_of_about_a_megabyte(tmp_path: Path) -> None:
    schema = {"small": Array("record", "", ""), "large": Array("record bin", "", "")}
    arrays: Arrays = {"small": np.zeros(2000, np.float32), "large": np.zeros((2000, 700), np.float32)}
    write_shard(tmp_path / "a.h5", arrays, schema, ABOUT)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["large"].chunks == (374, 700)  # 2**20 / 2800
        assert file["small"].chunks == (2000,)


def test_same_bytes_in_another_process(tmp_path: Path) -> None:
    write_shard(tmp_path / "here.h5", {"x": np.arange(9.0)}, {"x": Array("record", "µG", "ß")}, ABOUT)
    code = """
        import sys, numpy as np
        from pathlib import Path
        from cloudchamber.data.store import write_shard
        from cloudchamber.schema import Array
        about = {"study": "toy", "config": '{"a": 1}', "seed": "3", "code": "abc", "chunk": 0}
        write_shard(Path(sys.argv[1]), {"x": np.arange(9.0)}, {"x": Array("record", "µG", "ß")}, about)
    """
    done = in_python(code, str(tmp_path / "there.h5"), env={"MALLOC_PERTURB_": "85"})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "here.h5").read_bytes() == (tmp_path / "there.h5").read_bytes()


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    data=st.data(),
    piece=st.sampled_from([8, 100, 1 << 20]),
)
def test_reads_any_records_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], data: st.DataObject, piece: int
) -> None:
    directory = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "CHUNK_BYTES", piece)
        patch.setattr(store, "OPEN_FILES", 2)
        files, arrays = shards(directory, counts)
        dataset = Dataset(files, SCHEMA)
        total = sum(counts)
        assert len(dataset) == total
        indices = np.array(data.draw(st.lists(st.integers(0, total - 1), max_size=60)), np.int64)
        found = dataset.read(indices)
        for name, values in arrays.items():
            np.testing.assert_array_equal(found[name], values[indices])
            assert found[name].dtype == values.dtype
        for wrong in (-1, total):
            with pytest.raises(IndexError):
                dataset.read(np.array([wrong]))
        assert dataset.hash() == checksum(arrays)
    shutil.rmtree(directory)


RAGGED = {
    "energy": Array("event particle_four", "GeV", "rows of the events", "float64", of="count"),
    "kind": Array("particle", "", "of other rows", "int32", of="photons"),
    "count": Array("event", "", "rows that each event owns", "uint8"),
    "photons": Array("event", "", "other rows that each event owns", "int64"),
}


def ragged_of(counts: list[tuple[int, int]], seed: int = 0) -> Arrays:
    """Columns of rows that events own; two counts an event."""
    rng = np.random.default_rng(seed)
    count, photons = np.array(counts, np.int64).reshape(-1, 2).T
    energy = rng.normal(size=(count.sum(), 3))
    kind = rng.integers(1000, size=photons.sum()).astype(np.int32)
    return {"energy": energy, "kind": kind, "count": count.astype(np.uint8), "photons": photons}


@settings(max_examples=25, deadline=None)
@given(
    counts=st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), min_size=1, max_size=8), min_size=1, max_size=4
    ),
    data=st.data(),
    piece=st.sampled_from([60, 1 << 20]),
)
def test_records_own_rows(
    tmp_path_factory: pytest.TempPathFactory, counts: list[list[tuple[int, int]]], data: st.DataObject, piece: int
) -> None:
    """Any records in any order, against a loop; hash and file are the same however the records are cut into shards."""
    directory = tmp_path_factory.mktemp("ragged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "CHUNK_BYTES", piece)
        parts = [checked(ragged_of(some, seed), RAGGED, {}, len(some)) for seed, some in enumerate(counts)]
        files = [directory / f"shard-{number:05d}.h5" for number in range(len(parts))]
        for file, part in zip(files, parts, strict=True):
            write_shard(file, part, RAGGED, ABOUT)
        whole = {name: np.concatenate([part[name] for part in parts]) for name in RAGGED}
        write_shard(directory / "one.h5", whole, RAGGED, ABOUT)
        dataset, one = Dataset(files), open_dataset(directory / "one.h5", RAGGED, {})
        total = sum(map(len, counts))
        assert len(dataset) == len(one) == total
        assert dataset.schema == RAGGED
        indices = np.array(data.draw(st.lists(st.integers(0, total - 1), max_size=20)), np.int64)
        owned = {
            name: np.split(whole[name], np.cumsum(whole[array.of])[:-1])
            for name, array in RAGGED.items()
            if array.of is not None
        }
        memory = ArrayRecords(whole, {"energy": "count", "kind": "photons"})
        assert len(memory) == total
        for found in (dataset.read(indices), pickle.loads(pickle.dumps(dataset)).read(indices), memory.read(indices)):
            for name in ("count", "photons"):
                np.testing.assert_array_equal(found[name], whole[name][indices])
            for name, rows in owned.items():
                expected = [rows[number] for number in indices]
                np.testing.assert_array_equal(found[name], np.concatenate([whole[name][:0], *expected]))
        assert list(dataset.read(indices, ["kind"])) == ["kind"]
        for wrong in (-1, total):
            with pytest.raises(IndexError):
                dataset.read(np.array([wrong]), ["energy"])
        assert dataset.hash() == one.hash() == checksum(whole)
        write_file(dataset, directory / "a.h5")
        write_file(one, directory / "b.h5")
        assert (directory / "a.h5").read_bytes() == (directory / "b.h5").read_bytes()
        assert Dataset([directory / "a.h5"]).hash() == one.hash()
    shutil.rmtree(directory)


def test_rows_that_no_record_owns_are_refused(tmp_path: Path) -> None:
    good = ragged_of([(2, 1), (0, 4)])
    for change, message in (
        ({"kind": good["kind"][:-1]}, "column 'kind': expected 5 rows, the sum of column 'photons', found 4"),
        ({"photons": np.array([-1, 6])}, r"column 'photons': found numbers of rows below 0 \(down to -1\)"),
        ({"photons": np.array([5])}, "column 'photons': expected 2 records, found 1"),
    ):
        with pytest.raises(BadInput, match=message):
            checked(good | change, RAGGED, {})
    write_shard(tmp_path / "a.h5", good | {"energy": good["energy"][:-1]}, RAGGED, ABOUT)
    with pytest.raises(BadInput, match=r"a\.h5: column 'energy' has 1 rows, the sum of 'count' is 2"):
        Dataset([tmp_path / "a.h5"])


@settings(max_examples=20, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=20),
    cuts=st.lists(st.integers(0, 20), max_size=4),
    piece=st.sampled_from([60, 1 << 20]),
)
def test_a_file_that_grows_is_the_one_written_at_once(
    tmp_path_factory: pytest.TempPathFactory, counts: list[tuple[int, int]], cuts: list[int], piece: int
) -> None:
    directory = tmp_path_factory.mktemp("growing")
    arrays = checked(ragged_of(counts), RAGGED, {})
    records = ArrayRecords(arrays, {"energy": "count", "kind": "photons"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "CHUNK_BYTES", piece)
        with growing(directory / "a.h5", RAGGED, ABOUT) as append:
            for some in np.split(np.arange(len(counts)), sorted(min(cut, len(counts)) for cut in cuts)):
                append(records.read(some))
        write_shard(directory / "b.h5", arrays, RAGGED, ABOUT)
        found = read_shard(directory / "a.h5")
        for name, values in arrays.items():
            np.testing.assert_array_equal(found[name], values)
            assert found[name].dtype == values.dtype
        with h5py.File(directory / "a.h5") as one, h5py.File(directory / "b.h5") as other:
            assert dict(one.attrs) == dict(other.attrs)
            for name, column in other.items():
                assert one[name].chunks == column.chunks or not len(column)
    shutil.rmtree(directory)


def test_hash_and_file_do_not_depend_on_the_cut(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    files, arrays = shards(tmp_path / "many", [4, 9, 2])
    write_shard(tmp_path / "one" / "shard-00000.h5", arrays, SCHEMA, ABOUT)
    many, one = Dataset(files), Dataset([tmp_path / "one" / "shard-00000.h5"])
    assert many.hash() == one.hash()
    write_file(many, tmp_path / "a.h5")
    write_file(one, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert Dataset([tmp_path / "a.h5"]).hash() == many.hash()
    read_shard(tmp_path / "a.h5", verify=True)
    arrays["trace"][3, 2] += 1
    write_shard(tmp_path / "c.h5", arrays, SCHEMA, ABOUT)
    assert Dataset([tmp_path / "c.h5"]).hash() != many.hash()


def test_pickled_and_forked_data_sets_read_on(tmp_path: Path) -> None:
    files, arrays = shards(tmp_path, [5, 5])
    dataset = Dataset(files)
    dataset.read(np.arange(10))
    assert dataset._handles
    copy = pickle.loads(pickle.dumps(dataset))
    assert not copy._handles
    np.testing.assert_array_equal(copy.read(np.array([7]))["trace"], arrays["trace"][[7]])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(dataset.read, (np.array([7]),))["trace"], arrays["trace"][[7]])
    dataset._process = -1  # as after a fork
    before = set(map(id, dataset._handles.values()))
    kept = dataset._handles
    np.testing.assert_array_equal(dataset.read(np.array([7]))["trace"], arrays["trace"][[7]])
    assert kept is not dataset._handles
    assert not before & set(map(id, dataset._handles.values()))


def test_open_dataset(tmp_path: Path) -> None:
    files, _ = shards(tmp_path, [5, 5])
    assert len(open_dataset(tmp_path, SCHEMA, {"bin": 7})) == 10
    assert len(open_dataset(files[0], {"label": SCHEMA["label"]}, {})) == 5
    with pytest.raises(BadInput, match=r"column 'trace': expected \(record, bin=8\) in µV/m, found shape \(10, 7\)"):
        open_dataset(tmp_path, SCHEMA, {"bin": 8})
    with pytest.raises(BadInput, match="no column 'traces'; did you mean 'trace'"):
        open_dataset(tmp_path, {"traces": SCHEMA["trace"]}, {})
    with pytest.raises(BadInput, match="no file"):
        open_dataset(tmp_path / "nothing.h5", SCHEMA, {})
    write_shard(files[1], arrays_of(5, bins=6), SCHEMA, ABOUT)
    with pytest.raises(BadInput, match="records of another shape"):
        open_dataset(tmp_path, SCHEMA, {})
    files[0].unlink()
    with pytest.raises(BadInput, match="without gaps, found 1 files"):
        open_dataset(tmp_path, SCHEMA, {"bin": 7})


def test_every_altered_or_missing_byte_is_found(tmp_path: Path) -> None:
    """Anywhere, also where HDF5 keeps its own pointers: opening such a file can end the process."""
    path = tmp_path / "a.h5"
    write_shard(path, arrays_of(20), SCHEMA, ABOUT)
    whole = path.read_bytes()
    for offset in [*range(whole.index(b"\0")), *range(512, len(whole), 97)]:
        altered = bytearray(whole)
        altered[offset] ^= 1
        path.write_bytes(altered)
        with pytest.raises(BadInput, match=r"a\.h5 is truncated or altered"):
            read_shard(path)
    for size in (0, 1, 511, 512, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(BadInput, match=r"a\.h5 is truncated or altered"):
            read_shard(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(BadInput, match="altered"):
        read_shard(path)
    path.write_bytes(whole)
    assert set(read_shard(path)) == set(SCHEMA)


def test_unsealed_files_are_read_only_without_verification(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = [1.0, 2.0]
    with pytest.raises(BadInput, match="does not begin as a data set does"):
        read_shard(path)
    np.testing.assert_array_equal(read_shard(path, verify=False)["x"], [1, 2])
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(BadInput, match=r"a\.h5 cannot be read \(truncated, altered, or not HDF5\)"):
        read_shard(path, verify=False)


def test_checked_gives_the_types_of_the_schema() -> None:
    good = {"label": np.arange(3.0), "trace": np.ones((3, 2))}
    found = checked(good, SCHEMA, {"bin": 2}, 3)
    assert (found["label"].dtype, found["trace"].dtype) == (np.int64, np.float32)
    for change, message in (
        ({"label": np.array([1, 2.5, 3])}, "whole numbers"),
        ({"trace": np.ones((3, 4))}, r"found shape \(3, 4\)"),
        ({"trace": np.full((3, 2), 101.0)}, "above 100"),
        ({"trace": np.array([[np.nan, 1], [1, 1], [1, 1]])}, r"83\.333% finite"),
        ({"label": np.arange(4)}, "expected 3 records, found 4"),
        ({"extra": np.arange(3)}, "unknown column 'extra'"),
    ):
        with pytest.raises(BadInput, match=message):
            checked(good | change, SCHEMA, {"bin": 2}, 3)
    with pytest.raises(BadInput, match="no column 'trace'"):
        checked({"label": np.arange(3)}, SCHEMA, {})
    with pytest.raises(BadInput, match=r"0\.000% finite"):  # overflows when it becomes float32
        checked({"x": np.full(3, 1e300)}, {"x": Array("record", "", "")}, {})


def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_shard(path, arrays_of(3), SCHEMA, ABOUT)
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), replacing(path) as partial:  # noqa: PT012
        partial.write_bytes(b"half")
        raise ZeroDivisionError
    with pytest.raises(KeyError):
        write_shard(path, {"label": np.arange(3)}, SCHEMA, ABOUT)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]
    with pytest.raises(BadInput, match=r"cannot write .*nowhere"):
        write_shard(tmp_path / "nowhere" / "a.h5", arrays_of(3), SCHEMA, ABOUT)
    with new_file(path) as file:
        file["x"] = [1, 2]
    with h5py.File(path) as file:
        assert list(file["x"]) == [1, 2]


FULL_DISK = """
    import resource, sys, numpy as np
    from pathlib import Path
    from cloudchamber.data.store import Dataset, growing, new_file, write_file, write_shard
    from cloudchamber.schema import Array, BadInput

    directory, limit = Path(sys.argv[1]), int(sys.argv[2])
    schema = {name: Array("record bin", "", "") for name in ("x", "y")}
    arrays = {name: np.ones((3000, 200), np.float32) for name in schema}
    if limit:
        write_shard(directory / "good.h5", arrays, schema, {})
        dataset = Dataset([directory / "good.h5"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    def write(path):
        with new_file(path) as file:
            file["x"] = arrays["x"]
    def grow(path):
        with growing(path, schema, {}) as append:
            for first in range(0, 3000, 500):
                append({name: values[first : first + 500] for name, values in arrays.items()})
    tries = [lambda path: write_shard(path, arrays, schema, {}), write, grow]
    if limit:
        tries.append(lambda path: write_file(dataset, path))
    for attempt in tries:
        try:
            attempt(directory / "new.h5")
        except BadInput as error:
            print(error)
        else:
            sys.exit("was written")
    del attempt, tries
    print(sorted(path.name for path in directory.iterdir()))
"""
"""The shard is 4.8 MB; a disk that takes less is full at its beginning, middle, or only when HDF5 closes the file."""


@pytest.mark.parametrize("limit", [1, 1_000, 1_000_000, 2_400_000])
def test_full_disk_is_one_line_and_leaves_nothing_behind(tmp_path: Path, limit: int) -> None:
    done = in_python(FULL_DISK, str(tmp_path), str(limit))
    assert (done.returncode, done.stderr) == (0, "")  # HDF5 by itself ends with a segmentation fault
    line = f"disk full while writing {tmp_path / 'new.h5'}: free space or move the cache, then repeat; --resume goes on"
    assert done.stdout.splitlines() == [line, line, line, line, "['good.h5']"]


def test_disk_that_is_really_full(tmp_path: Path) -> None:
    private = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]
    mounted = f"mount -t tmpfs -o size=1M none {tmp_path}"
    if (
        shutil.which("unshare") is None
        or subprocess.run([*private, mounted], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine lets nobody mount a small disk")
    (tmp_path.parent / "full.py").write_text(textwrap.dedent(FULL_DISK))
    done = subprocess.run(
        [*private, f"{mounted}; exec '{sys.executable}' -W error '{tmp_path.parent / 'full.py'}' '{tmp_path}' 0"],
        env={**os.environ, "PYTHONPATH": str(Path(store.__file__).parents[2])},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("disk full while writing") == 3
    assert done.stdout.splitlines()[-1] == "[]"


def test_one_process_at_a_time(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from cloudchamber.data.store import exclusive
        with exclusive(Path(sys.argv[1])):
            print("mine", flush=True)
            sys.stdin.read()
    """
    source = str(Path(store.__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": source}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mine\n"
        expected = rf"another process \(pid {holder.pid}\) is using {tmp_path}; wait or start another run"
        with pytest.raises(BadInput, match=expected) as caught, exclusive(tmp_path):
            pass
        assert caught.value.status == 1
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with exclusive(tmp_path):
            assert (tmp_path / ".lock").read_text() == str(os.getpid())
    with pytest.raises(BadInput, match="cannot write in"), exclusive(tmp_path / "nowhere"):
        pass
