"""A user's own file as records: HDF5 (read lazily), Parquet or ROOT (read into memory).

Conventions: the kind of file is told by its first bytes, not by its name. A mapping says where a column of the schema
lies: ``{"time": "events/t"}`` is a path in an HDF5 file, a column of a Parquet file, ``tree/branch`` of a ROOT file.
A column of several axes is stored as an HDF5 array, a Parquet list column, or a ROOT branch of fixed size.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.columns import as_typed, check_layout, checked_columns
from cloudchamber.data.files import open_file, reading
from cloudchamber.data.samples import ArrayRecords
from cloudchamber.data.seal import is_sealed
from cloudchamber.data.shards import records_in_a_piece
from cloudchamber.data.store import Dataset
from cloudchamber.schema import Array, Arrays, BadInput, did_you_mean


def read_own(
    path: Path, schema: Mapping[str, Array], lengths: Mapping[str, int], mapping: Mapping[str, str] | None
) -> Dataset | ArrayRecords:
    """Records of a user's file, every value checked against the schema.

    Args:
        path: an HDF5, Parquet or ROOT file.
        schema: the columns that must be there; others are ignored.
        lengths: required lengths of named axes.
        mapping: column of the schema to column of the file, where that differs.

    Raises:
        BadInput: no such file, of another kind, or its reader is not installed; a column missing (did-you-mean), or
            of wrong shape, type or unit, with NaN, or out of bounds (``Array.check``); no records.
    """
    mapping = mapping or {}
    for name in mapping:
        if name not in schema:
            raise BadInput(f"--map {name}: no such column{did_you_mean(name, schema)}", status=2)
    columns = {name: mapping.get(name, name) for name in schema}
    kind = _kind(path)
    if kind == "HDF5":
        records: Dataset | ArrayRecords = _read_hdf5(path, schema, lengths, columns)
    else:
        arrays = (_read_parquet if kind == "Parquet" else _read_root)(path, schema, columns)
        with reading(path):
            try:
                counted = {name: array.of for name, array in schema.items() if array.of is not None}
                records = ArrayRecords(checked_columns(arrays, schema, lengths), counted)
            except BadInput as error:
                raise BadInput(f"{path}: {error}") from None
    if len(records) == 0:
        raise BadInput(f"{path} holds no records")
    return records


def _kind(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None
    for magic, kind in ((b"PAR1", "Parquet"), (b"root", "ROOT")):
        if start.startswith(magic):
            return kind
    if is_sealed(path) or h5py.is_hdf5(path):
        return "HDF5"
    raise BadInput(f"{path} is not HDF5, Parquet or ROOT (by its first bytes): convert it to one of these")


def _read_hdf5(
    path: Path, schema: Mapping[str, Array], lengths: Mapping[str, int], columns: Mapping[str, str]
) -> Dataset:
    dataset = Dataset([path], schema, columns)
    with reading(path), open_file(path) as file:
        for name, array in schema.items():
            column = file[columns[name]]
            unit = column.attrs.get("unit", array.unit)
            try:
                if unit != array.unit:
                    raise BadInput(f"column {name!r}: expected unit {array.unit!r}, found {unit!r}: convert the values")
                check_layout(name, array, column.shape, lengths)
                rows = records_in_a_piece(column.shape[1:], column.dtype)
                for first in range(0, len(column), rows):
                    as_typed(name, column[first : first + rows], array, lengths)
            except BadInput as error:
                raise BadInput(f"{path}: {error}") from None
    return dataset


def _read_parquet(path: Path, schema: Mapping[str, Array], columns: Mapping[str, str]) -> Arrays:
    try:
        import pyarrow.parquet
    except ImportError:
        raise BadInput(f"{path} is a Parquet file: pip install cloudchamber[parquet]") from None
    with reading(path), pyarrow.parquet.ParquetFile(path) as file:
        known = file.schema_arrow.names
        for where in columns.values():
            if where not in known:
                raise BadInput(f"{path}: no column {where!r}{did_you_mean(where, known)}")
        table = file.read(columns=sorted(set(columns.values())))
        return {name: _from_lists(path, name, schema[name], table[where]) for name, where in columns.items()}


def _from_lists(path: Path, name: str, array: Array, column: Any) -> NDArray[Any]:
    """A Parquet column, whose list types become axes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values, shape = column.combine_chunks(), [len(column)]
    while isinstance(values.type, pa.ListType | pa.LargeListType | pa.FixedSizeListType):
        found = pc.min_max(pc.list_value_length(values)).as_py()
        low, high = found["min"] or 0, found["max"] or 0
        if low != high or values.null_count:
            raise BadInput(_ragged(path, name, array, low, high))
        shape.append(high)
        values = values.flatten()
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(shape)


def _read_root(path: Path, schema: Mapping[str, Array], columns: Mapping[str, str]) -> Arrays:
    try:
        import uproot
    except ImportError:
        raise BadInput(f"{path} is a ROOT file: pip install cloudchamber[root]") from None
    arrays: Arrays = {}
    with reading(path), uproot.open(path) as file:
        trees = sorted(key for key, kind in file.classnames(cycle=False).items() if kind in ("TTree", "ROOT::RNTuple"))
        branches = {f"{tree}/{branch}": (tree, branch) for tree in trees for branch in file[tree].keys()}  # noqa: SIM118
        short = {branch: place for place, (tree, branch) in branches.items() if len(trees) == 1}
        for name, where in columns.items():
            place = short.get(where, where)
            if place not in branches:
                raise BadInput(f"{path}: no column {where!r}{did_you_mean(where, short or branches)}")
            tree, branch = branches[place]
            arrays[name] = _from_awkward(path, name, schema[name], file[tree][branch].array(library="ak"))
    return arrays


def _from_awkward(path: Path, name: str, array: Array, values: Any) -> NDArray[Any]:
    """A ROOT branch; lists of one length become an axis."""
    import awkward as ak

    try:
        return np.asarray(ak.to_numpy(ak.to_regular(values, axis=None), allow_missing=False))
    except ValueError:
        inner = ak.num(values, axis=1) if values.ndim > 1 else [0]
        raise BadInput(_ragged(path, name, array, int(min(inner)), int(max(inner)))) from None


def _ragged(path: Path, name: str, array: Array, low: int, high: int) -> str:
    return (
        f"{path}: column {name!r}: expected ({', '.join(array.axes.split())}) in {array.unit or 'no unit'}, "
        f"found lists of {low} to {high} values or gaps: give lists of one length"
    )
