"""One file of a data set: it comes back with its meaning, with the same bytes everywhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudchamber.data import shards
from cloudchamber.data.columns import checked_columns
from cloudchamber.data.samples import ArrayRecords
from cloudchamber.data.shards import growing, read_shard, write_shard
from cloudchamber.data.store import Dataset
from cloudchamber.schema import Array, Arrays, BadInput


def test_shard_comes_back_with_its_meaning(toy: Any, tmp_path: Path) -> None:
    arrays = toy.arrays(5)
    write_shard(tmp_path / "a.h5", arrays, toy.schema, toy.about)
    for name, values in read_shard(tmp_path / "a.h5").items():
        np.testing.assert_array_equal(values, arrays[name])
        assert values.dtype == arrays[name].dtype
    dataset = Dataset([tmp_path / "a.h5"], toy.schema)
    assert dataset.attributes == {"study": "toy", "config": '{"a": 1}', "seed": "3", "code": "abc", "schema_version": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5"]


def test_chunks_are_whole_records_of_about_a_megabyte(toy: Any, tmp_path: Path) -> None:
    schema = {"small": Array("record", "", ""), "large": Array("record bin", "", "")}
    arrays: Arrays = {"small": np.zeros(2000, np.float32), "large": np.zeros((2000, 700), np.float32)}
    write_shard(tmp_path / "a.h5", arrays, schema, toy.about)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["large"].chunks == (374, 700)  # 2**20 / 2800
        assert file["small"].chunks == (2000,)


def test_same_bytes_in_another_process(toy: Any, in_python: Callable[..., Any], tmp_path: Path) -> None:
    write_shard(tmp_path / "here.h5", {"x": np.arange(9.0)}, {"x": Array("record", "µG", "ß")}, toy.about)
    code = """
        import sys, numpy as np
        from pathlib import Path
        from cloudchamber.data.shards import write_shard
        from cloudchamber.schema import Array
        about = {"study": "toy", "config": '{"a": 1}', "seed": "3", "code": "abc", "chunk": 0}
        write_shard(Path(sys.argv[1]), {"x": np.arange(9.0)}, {"x": Array("record", "µG", "ß")}, about)
    """
    done = in_python(code, str(tmp_path / "there.h5"), env={"MALLOC_PERTURB_": "85"})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "here.h5").read_bytes() == (tmp_path / "there.h5").read_bytes()


@settings(max_examples=20, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=20),
    cuts=st.lists(st.integers(0, 20), max_size=4),
    piece=st.sampled_from([60, 1 << 20]),
)
def test_a_file_that_grows_is_the_one_written_at_once(
    toy: Any, tmp_path_factory: pytest.TempPathFactory, counts: list[tuple[int, int]], cuts: list[int], piece: int
) -> None:
    directory = tmp_path_factory.mktemp("growing")
    arrays = checked_columns(toy.ragged_arrays(counts), toy.ragged, {})
    records = ArrayRecords(arrays, {"energy": "count", "kind": "photons"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "CHUNK_BYTES", piece)
        with growing(directory / "a.h5", toy.ragged, toy.about) as append:
            for some in np.split(np.arange(len(counts)), sorted(min(cut, len(counts)) for cut in cuts)):
                append(records.read(some))
        write_shard(directory / "b.h5", arrays, toy.ragged, toy.about)
        found = read_shard(directory / "a.h5")
        for name, values in arrays.items():
            np.testing.assert_array_equal(found[name], values)
            assert found[name].dtype == values.dtype
        with h5py.File(directory / "a.h5") as one, h5py.File(directory / "b.h5") as other:
            assert dict(one.attrs) == dict(other.attrs)
            for name, column in other.items():
                assert one[name].chunks == column.chunks or not len(column)
    shutil.rmtree(directory)


def test_unsealed_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = [1.0, 2.0]
    with pytest.raises(BadInput, match="does not begin as a data set does"):
        read_shard(path)
