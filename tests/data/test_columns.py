"""Columns: the types of the schema, refusals, rows that records own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloudchamber.data.columns import check_layout, checked_columns, owned_rows
from cloudchamber.data.shards import write_shard
from cloudchamber.data.store import Dataset
from cloudchamber.schema import Array, BadInput


def test_checked_gives_the_types_of_the_schema(toy: Any) -> None:
    good = {"label": np.arange(3.0), "trace": np.ones((3, 2))}
    found = checked_columns(good, toy.schema, {"bin": 2}, 3)
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
            checked_columns(good | change, toy.schema, {"bin": 2}, 3)
    with pytest.raises(BadInput, match="no column 'trace'"):
        checked_columns({"label": np.arange(3)}, toy.schema, {})
    with pytest.raises(BadInput, match=r"0\.000% finite"):  # overflows when it becomes float32
        checked_columns({"x": np.full(3, 1e300)}, {"x": Array("record", "", "")}, {})


def test_rows_that_no_record_owns_are_refused(toy: Any, tmp_path: Path) -> None:
    good = toy.ragged_arrays([(2, 1), (0, 4)])
    for change, message in (
        ({"kind": good["kind"][:-1]}, "column 'kind': expected 5 rows, the sum of column 'photons', found 4"),
        ({"photons": np.array([-1, 6])}, r"column 'photons': found numbers of rows below 0 \(down to -1\)"),
        ({"photons": np.array([5])}, "column 'photons': expected 2 records, found 1"),
    ):
        with pytest.raises(BadInput, match=message):
            checked_columns(good | change, toy.ragged, {})
    write_shard(tmp_path / "a.h5", good | {"energy": good["energy"][:-1]}, toy.ragged, toy.about)
    with pytest.raises(BadInput, match=r"a\.h5: column 'energy' has 1 rows, the sum of 'count' is 2"):
        Dataset([tmp_path / "a.h5"], toy.ragged)


def test_owned_rows_are_those_of_a_loop() -> None:
    counts = np.array([2, 0, 3, 1])
    offsets = np.concatenate([[0], np.cumsum(counts)])
    records = np.array([3, 2, 1, 2, 0])
    expected = [row for record in records for row in range(offsets[record], offsets[record + 1])]
    assert owned_rows(offsets, records).tolist() == expected
    assert owned_rows(offsets, records[:0]).tolist() == []


def test_layout_is_checked_without_values() -> None:
    array = Array("record bin", "µV/m", "a trace")
    check_layout("trace", array, (10, 7), {"bin": 7})
    for shape in ((10, 8), (10,)):
        with pytest.raises(BadInput, match=r"column 'trace': expected \(record, bin=7\) in µV/m, found shape \(10,"):
            check_layout("trace", array, shape, {"bin": 7})
