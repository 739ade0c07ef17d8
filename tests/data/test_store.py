"""Data sets: any records in any order, whatever the shards; pickled and forked."""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudchamber.data import shards, store
from cloudchamber.data.columns import checked_columns
from cloudchamber.data.samples import ArrayRecords, Samples
from cloudchamber.data.seal import checksum
from cloudchamber.data.shards import read_shard, write_shard
from cloudchamber.data.store import Dataset, held_in_memory, write_file
from cloudchamber.schema import Array, BadInput


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    data=st.data(),
    piece=st.sampled_from([8, 100, 1 << 20]),
)
def test_reads_any_records_in_any_order(
    toy: Any, tmp_path_factory: pytest.TempPathFactory, counts: list[int], data: st.DataObject, piece: int
) -> None:
    directory = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "CHUNK_BYTES", piece)
        patch.setattr(store, "OPEN_FILES", 2)
        files, arrays = toy.shards(directory, counts)
        dataset = Dataset(files, toy.schema)
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


@settings(max_examples=25, deadline=None)
@given(
    counts=st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), min_size=1, max_size=8), min_size=1, max_size=4
    ),
    data=st.data(),
    piece=st.sampled_from([60, 1 << 20]),
)
def test_rows_owned_by_records_survive_any_cut_and_order(
    toy: Any,
    tmp_path_factory: pytest.TempPathFactory,
    counts: list[list[tuple[int, int]]],
    data: st.DataObject,
    piece: int,
) -> None:
    """Any records in any order, against a loop; hash and file are the same however the records are cut into shards."""
    directory = tmp_path_factory.mktemp("ragged")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "CHUNK_BYTES", piece)
        parts = [
            checked_columns(toy.ragged_arrays(some, seed), toy.ragged, {}, len(some))
            for seed, some in enumerate(counts)
        ]
        files = [directory / f"shard-{number:05d}.h5" for number in range(len(parts))]
        for file, part in zip(files, parts, strict=True):
            write_shard(file, part, toy.ragged, toy.about)
        whole = {name: np.concatenate([part[name] for part in parts]) for name in toy.ragged}
        write_shard(directory / "one.h5", whole, toy.ragged, toy.about)
        dataset, one = Dataset(files, toy.ragged), Dataset([directory / "one.h5"], toy.ragged)
        total = sum(map(len, counts))
        assert len(dataset) == len(one) == total
        indices = np.array(data.draw(st.lists(st.integers(0, total - 1), max_size=20)), np.int64)
        owned = {
            name: np.split(whole[name], np.cumsum(whole[array.of])[:-1])
            for name, array in toy.ragged.items()
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
        assert Dataset([directory / "a.h5"], toy.ragged).hash() == one.hash()
    shutil.rmtree(directory)


def test_hash_and_file_do_not_depend_on_the_cut(toy: Any, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    files, arrays = toy.shards(tmp_path / "many", [4, 9, 2])
    write_shard(tmp_path / "one" / "shard-00000.h5", arrays, toy.schema, toy.about)
    many, one = (Dataset(some, toy.schema) for some in (files, [tmp_path / "one" / "shard-00000.h5"]))
    assert many.hash() == one.hash()
    write_file(many, tmp_path / "a.h5")
    write_file(one, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert Dataset([tmp_path / "a.h5"], toy.schema).hash() == many.hash()
    read_shard(tmp_path / "a.h5")
    arrays["trace"][3, 2] += 1
    write_shard(tmp_path / "c.h5", arrays, toy.schema, toy.about)
    assert Dataset([tmp_path / "c.h5"], toy.schema).hash() != many.hash()


def test_pickled_and_forked_data_sets_read_on(toy: Any, tmp_path: Path) -> None:
    files, arrays = toy.shards(tmp_path, [5, 5])
    dataset = Dataset(files, toy.schema)
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


def test_files_that_do_not_fit_together_are_refused(toy: Any, tmp_path: Path) -> None:
    files, _ = toy.shards(tmp_path, [5, 5])
    assert len(Dataset(files, toy.schema)) == 10
    assert len(Dataset(files[:1], {"label": toy.schema["label"]})) == 5
    with pytest.raises(BadInput, match="no column 'traces'; did you mean 'trace'"):
        Dataset(files, {"traces": toy.schema["trace"]})
    with pytest.raises(BadInput, match="no file"):
        Dataset([tmp_path / "nothing.h5"], toy.schema)
    with pytest.raises(BadInput, match="at least one file"):
        Dataset([], toy.schema)
    write_shard(files[1], toy.arrays(5, bins=6), toy.schema, toy.about)
    with pytest.raises(BadInput, match="records of another shape"):
        Dataset(files, toy.schema)


def test_samples_held_in_memory_are_the_samples_on_disk(tmp_path: Path) -> None:
    schema = {
        "count": Array("record", "", "rows", dtype="int32"),
        "energy": Array("row", "MeV", "of a row", of="count"),
    }
    rng = np.random.default_rng(3)
    counts = rng.integers(0, 5, 40).astype(np.int32)
    arrays = {"count": counts, "energy": rng.random(int(counts.sum())).astype(np.float32)}
    write_shard(tmp_path / "a.h5", arrays, schema, {})
    dataset = Dataset([tmp_path / "a.h5"], schema)
    indices = rng.permutation(40)[:17].astype(np.int64)

    def inputs(records: dict[str, np.ndarray], rng: np.random.Generator | None) -> np.ndarray:
        rows = np.repeat(np.arange(len(records["count"])), records["count"])
        return np.bincount(rows, records["energy"], len(records["count"])).astype(np.float32)[:, None]

    samples = Samples(dataset, indices, inputs, np.zeros((17, 1), np.float32), ("energy",))
    held = held_in_memory(samples)
    assert held.records is not dataset
    some = np.array([16, 2, 2, 9])
    np.testing.assert_array_equal(held.inputs(some), samples.inputs(some))
    np.testing.assert_array_equal(held.inputs(), samples.inputs())
    assert held_in_memory(held) is held
