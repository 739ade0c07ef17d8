"""Columns of a data set: whether arrays fit a schema, and which rows of a column a record owns.

Conventions: the first axis of a column is the record or, where the schema says so (``Array.of``), the rows that records
own, record after record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import Array, Arrays, BadInput, did_you_mean


def checked_columns(
    arrays: Arrays, schema: Mapping[str, Array], lengths: Mapping[str, int], count: int | None = None
) -> Arrays:
    """The arrays in the types of the schema, after checking columns, shapes, values and number of records.

    Args:
        arrays: by column name; the first axis is the record, or the rows that records own (``Array.of``).
        schema: the columns that must be there, no fewer and no more.
        lengths: required lengths of named axes.
        count: required number of records, None for any.

    Raises:
        BadInput: a missing or unknown column, what ``Array.check`` refuses, columns of different numbers of records,
            other numbers of rows than the records own, or values that the column's type cannot hold.
    """
    for name in schema:
        if name not in arrays:
            raise BadInput(f"no column {name!r}{did_you_mean(name, arrays)}")
    for name in arrays:
        if name not in schema:
            raise BadInput(f"unknown column {name!r}{did_you_mean(name, schema)}")
    result = {name: as_typed(name, np.asarray(arrays[name]), array, lengths) for name, array in schema.items()}
    for name, array in schema.items():
        found = len(result[name])
        if array.of is None:
            count = found if count is None else count
            if found != count:
                raise BadInput(f"column {name!r}: expected {count} records, found {found}")
        elif found != (owned := count_owned(array.of, result[array.of])):
            raise BadInput(f"column {name!r}: expected {owned} rows, the sum of column {array.of!r}, found {found}")
    return result


def count_owned(name: str, counts: NDArray[Any]) -> int:
    """How many rows the records own in all; BadInput if a record owns fewer than none."""
    if counts.size and counts.min() < 0:
        raise BadInput(f"column {name!r}: found numbers of rows below 0 (down to {counts.min()})")
    return int(counts.sum(dtype=np.int64))


def as_typed(name: str, values: NDArray[Any], array: Array, lengths: Mapping[str, int]) -> NDArray[Any]:
    """The values of one column in the type of the schema; BadInput as in ``checked_columns``."""
    array.check(name, values, lengths)
    if values.dtype == np.dtype(array.dtype):
        return np.ascontiguousarray(values)
    with np.errstate(over="ignore", invalid="ignore"):
        cast = np.ascontiguousarray(values, dtype=array.dtype)
    if cast.dtype.kind in "iub" and not np.array_equal(cast, values):
        raise BadInput(f"column {name!r}: expected whole numbers that fit {array.dtype}, found other {values.dtype}")
    array.check(name, cast, lengths)
    return cast


def check_layout(name: str, array: Array, shape: tuple[int, ...], lengths: Mapping[str, int]) -> None:
    """``Array.check`` for a column that is on disk: refuse a wrong shape without reading values.

    Raises:
        BadInput: wrong number of axes or wrong length of an axis.
    """
    axes = array.axes.split()
    if len(axes) != len(shape) or any(
        lengths.get(axis, found) != found for axis, found in zip(axes, shape, strict=True)
    ):
        array.check(name, np.broadcast_to(np.zeros((), array.dtype), shape), lengths)


def owned_rows(offsets: NDArray[np.int64], records: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows that ``records`` own, record after record.

    Args:
        offsets: (record + 1,); record i owns the rows ``offsets[i]`` to ``offsets[i + 1] - 1``.
        records: (n,) numbers of records, in any order.

    Returns:
        (row,) numbers of rows.

    Examples:
        >>> owned_rows(np.array([0, 2, 2, 5]), np.array([2, 0]))
        array([2, 3, 4, 0, 1])
    """
    counts = offsets[records + 1] - offsets[records]
    ends = np.cumsum(counts)
    return np.repeat(offsets[records] - (ends - counts), counts) + np.arange(counts.sum())
