"""Data sets: records on disk, in one HDF5 file or in shards one after another, read lazily.

A file of a data set is explained in ``data.shards``. The hash of a data set and the bytes of the file that it is
written to do not depend on how its records are cut into shards.
"""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.columns import count_owned, owned_rows
from cloudchamber.data.files import open_file, reading
from cloudchamber.data.samples import ArrayRecords, Samples
from cloudchamber.data.seal import Digest
from cloudchamber.data.shards import read_attributes, records_in_a_piece, write_columns
from cloudchamber.schema import Array, Arrays, BadInput, did_you_mean

OPEN_FILES = 32
"""Shards that a Dataset keeps open at once."""

MOST_HELD = 2**30
"""Bytes of a data set whose records may be held in memory."""
NUMBERS = "give numbers, the first axis the record"


class Dataset:
    """Records on disk: one HDF5 file, or shards one after another. Opens files when asked for records, and only those.

    It can be pickled (open files are dropped) and read in forked processes. Satisfies ``Records``.

    Args:
        files: HDF5 files whose records follow each other.
        schema: the columns to read.
        columns: column of the schema to its path in the files, where that differs.

    Raises:
        BadInput: a file that cannot be read, lacks a column, or whose columns do not fit together.
    """

    def __init__(
        self, files: Sequence[Path], schema: Mapping[str, Array], columns: Mapping[str, str] | None = None
    ) -> None:
        self.files = tuple(files)
        if not self.files:
            raise BadInput("a data set needs at least one file")
        self.schema = dict(schema)
        self._columns = {name: (columns or {}).get(name, name) for name in self.schema}
        self._handles: OrderedDict[Path, h5py.File] = OrderedDict()
        self._process = os.getpid()
        self._hash: str | None = None
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._offsets: dict[str, NDArray[np.int64]] = {}
        sizes = [self._measure(path) for path in self.files]
        self._starts = {name: np.cumsum([0, *(size[name] for size in sizes)]) for name in self.schema}

    def _measure(self, path: Path) -> dict[str, int]:
        """Lengths of the columns of a file, after checking them against each other and those of the files before."""
        with reading(path), open_file(path) as file:
            sizes: dict[str, int] = {}
            count = None
            for name, where in self._columns.items():
                column = file.get(where)
                if not isinstance(column, h5py.Dataset):
                    raise BadInput(f"{path}: no column {where!r}{did_you_mean(where, _columns(file))}")
                if column.dtype.kind not in "fiub" or column.ndim == 0:
                    raise BadInput(
                        f"{path}: column {name!r} has shape {column.shape} and type {column.dtype}: {NUMBERS}"
                    )
                if self._shapes.setdefault(name, column.shape[1:]) != column.shape[1:]:
                    raise BadInput(f"{path}: column {name!r} has records of another shape than {self.files[0]}")
                sizes[name] = column.shape[0]
                if self.schema[name].of is None:
                    count = column.shape[0] if count is None else count
                    if column.shape[0] != count:
                        raise BadInput(f"{path}: column {name!r} has {column.shape[0]} records, other columns {count}")
            for counter in {array.of for array in self.schema.values() if array.of is not None}:
                rows = count_owned(counter, file[self._columns[counter]][()])
                for name, array in self.schema.items():
                    if array.of == counter and sizes[name] != rows:
                        raise BadInput(
                            f"{path}: column {name!r} has {sizes[name]} rows, the sum of {counter!r} is {rows}"
                        )
        return sizes

    def __len__(self) -> int:
        return next(self._length(name) for name, array in self.schema.items() if array.of is None)

    def _length(self, name: str) -> int:
        """Length of the first axis of a column."""
        return int(self._starts[name][-1])

    @property
    def attributes(self) -> dict[str, Any]:
        """What the first file says of its origin: study, config, seed, code, schema_version."""
        found = read_attributes(self.files[0])
        return {key: value for key, value in found.items() if key not in {"chunk", "checksum"}}

    def read(self, indices: NDArray[np.int64], names: Sequence[str] | None = None) -> Arrays:
        """The records ``indices``, in that order (repeats allowed), every column (or those named), records first.

        Of a column of rows that records own (``Array.of``), the rows of those records, one record after the other.

        Raises:
            IndexError: an index below 0 or beyond the end.
            BadInput: a file cannot be read.
        """
        records = np.asarray(indices, dtype=np.int64)
        if records.size and (records.min() < 0 or records.max() >= len(self)):
            raise IndexError(f"records {records.min()} to {records.max()} of a data set of {len(self)}")
        return {name: self._take(name, self._rows(name, records)) for name in (self.schema if names is None else names)}

    def _rows(self, name: str, records: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where in a column the records lie."""
        counter = self.schema[name].of
        if counter is None:
            return records
        if counter not in self._offsets:
            counts = self._slice(counter, 0, self._length(counter))
            self._offsets[counter] = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        return owned_rows(self._offsets[counter], records)

    def pieces(self, name: str) -> Iterator[NDArray[Any]]:
        """One column from its first row to its last, in pieces of about 1 MB."""
        rows = records_in_a_piece(self._shapes[name], np.dtype(self.schema[name].dtype))
        for first in range(0, self._length(name), rows):
            yield self._slice(name, first, first + rows)

    def hash(self) -> str:
        """SHA-256 (hexadecimal) of names, types, shapes and values; the same however the records are cut into files."""
        if self._hash is None:
            digest = Digest()
            for name, array in sorted(self.schema.items()):
                digest.column(name, np.dtype(array.dtype), self.shape(name), self.pieces(name))
            self._hash = digest.text()
        return self._hash

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a column, the axis of records (or of the rows that they own) first."""
        return (self._length(name), *self._shapes[name])

    def bytes(self) -> int:
        """Size of all columns in memory."""
        return sum(math.prod(self.shape(name)) * np.dtype(array.dtype).itemsize for name, array in self.schema.items())

    def _slice(self, name: str, first: int, stop: int) -> NDArray[Any]:
        return self._take(name, np.arange(first, min(stop, self._length(name)), dtype=np.int64))

    def _take(self, name: str, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Rows of a column, wherever they lie, in the order of ``indices``."""
        dtype, record, starts = np.dtype(self.schema[name].dtype), self._shapes[name], self._starts[name]
        result = np.empty((len(indices), *record), dtype)
        order = np.argsort(indices, kind="stable")
        ascending = indices[order]
        files = np.searchsorted(starts, ascending, side="right") - 1
        blocks = (ascending - starts[files]) // records_in_a_piece(record, dtype)  # one read touches one HDF5 chunk
        cuts = np.flatnonzero(np.diff(files) | np.diff(blocks)) + 1
        for some in np.split(np.arange(len(indices)), cuts) if len(indices) else ():
            number = files[some[0]]
            local = ascending[some] - starts[number]
            path = self.files[number]
            with reading(path):
                column = self._handle(path)[self._columns[name]]
                result[order[some]] = column[local[0] : local[-1] + 1][local - local[0]]
        return result

    def _handle(self, path: Path) -> h5py.File:
        if self._process != os.getpid():  # a fork shares file positions with its parent
            self._handles, self._process = OrderedDict(), os.getpid()
        if path not in self._handles:
            self._handles[path] = open_file(path)
        self._handles.move_to_end(path)
        while len(self._handles) > OPEN_FILES:
            self._handles.popitem(last=False)[1].close()
        return self._handles[path]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_handles": OrderedDict()}


def held_in_memory(samples: Samples) -> Samples:
    """The same samples, read once, where their records are small: networks read them many times, in random order."""
    records = samples.records
    if not isinstance(records, Dataset) or records.bytes() > MOST_HELD:
        return samples
    of = {name: array.of for name, array in records.schema.items() if array.of is not None}
    held = ArrayRecords(records.read(samples.indices), of)
    return replace(samples, records=held, indices=np.arange(len(samples), dtype=np.int64))


def write_file(dataset: Dataset, path: Path) -> None:
    """Stream a data set into one HDF5 file (``simulate -o FILE``); the same records always give the same bytes.

    Raises:
        BadInput: disk full, the place cannot be written, or a shard cannot be read.
    """
    lengths = {name: dataset.shape(name)[0] for name in dataset.schema}
    write_columns(path, dataset.schema, dataset.attributes, lengths, dataset._slice)


def _columns(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names
