"""Whole files: nothing left of a write that fails, full disks and two processes survived."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import cloudchamber
from cloudchamber.data.files import exclusive, new_file, open_file, replacing, write_arrays, write_json
from cloudchamber.data.shards import write_shard
from cloudchamber.schema import BadInput


def test_nothing_is_left_of_a_write_that_fails(toy: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_shard(path, toy.arrays(3), toy.schema, toy.about)
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), replacing(path) as partial:  # noqa: PT012
        partial.write_bytes(b"half")
        raise ZeroDivisionError
    with pytest.raises(KeyError):
        write_shard(path, {"label": np.arange(3)}, toy.schema, toy.about)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]
    with pytest.raises(BadInput, match=r"cannot write .*nowhere"):
        write_shard(tmp_path / "nowhere" / "a.h5", toy.arrays(3), toy.schema, toy.about)
    with new_file(path) as file:
        file["x"] = [1, 2]
    with h5py.File(path) as file:
        assert list(file["x"]) == [1, 2]


FULL_DISK = """
    import resource, sys, numpy as np
    from pathlib import Path
    from cloudchamber.data.files import new_file
    from cloudchamber.data.shards import growing, write_shard
    from cloudchamber.data.store import Dataset, write_file
    from cloudchamber.schema import Array, BadInput

    directory, limit = Path(sys.argv[1]), int(sys.argv[2])
    schema = {name: Array("record bin", "", "") for name in ("x", "y")}
    arrays = {name: np.ones((3000, 200), np.float32) for name in schema}
    if limit:
        write_shard(directory / "good.h5", arrays, schema, {})
        dataset = Dataset([directory / "good.h5"], schema)
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
def test_full_disk_is_one_line_and_leaves_nothing_behind(
    in_python: Callable[..., Any], tmp_path: Path, limit: int
) -> None:
    done = in_python(FULL_DISK, str(tmp_path), str(limit))
    assert (done.returncode, done.stderr) == (0, "")  # HDF5 by itself ends with a segmentation fault
    line = f"disk full while writing {tmp_path / 'new.h5'}: free space or move the cache, then repeat; --resume goes on"
    assert done.stdout.splitlines() == [line, line, line, line, "['good.h5']"]


def test_a_disk_that_is_really_full_gets_no_partial_file(tmp_path: Path) -> None:
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
        env={**os.environ, "PYTHONPATH": str(Path(cloudchamber.__file__).parents[1])},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("disk full while writing") == 3
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_directory_in_use_is_refused_to_a_second_process(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from cloudchamber.data.files import exclusive
        with exclusive(Path(sys.argv[1])):
            print("mine", flush=True)
            sys.stdin.read()
    """
    source = str(Path(cloudchamber.__file__).parents[1])
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


def test_json_has_no_numbers_that_are_not_finite(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"rows": [{"error": float("nan"), "n": 3}, (float("inf"), 0.5)], "what": "µ"})
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "rows": [{"error": None, "n": 3}, [None, 0.5]],
        "what": "µ",
    }


def test_arrays_names_and_attributes_come_back_from_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.h5"
    write_arrays(path, {"test/mean": np.arange(3.0), "names": ["a", "ß"]}, {"unit": "GeV"})
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["test/mean"], [0, 1, 2])
        assert list(file["names"].asstr()) == ["a", "ß"]
        assert file.attrs["unit"] == "GeV"


def test_a_file_we_read_can_be_opened_by_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_arrays(path, {"x": np.arange(3.0)}, {})
    with open_file(path) as ours, h5py.File(path) as theirs:
        assert ours["x"][2] == theirs["x"][2] == 2


def test_a_disk_that_refuses_locks_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_arrays(path, {"x": np.arange(3.0)}, {})
    with path.open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)  # HDF5 sees the same as where there are no locks: refused
        with open_file(path) as file:
            assert file["x"][2] == 2
