"""One file of a data set: columns streamed to HDF5 and sealed, read back whole and checked.

Conventions: one HDF5 dataset a column, first axis the record or the rows that records own (``Array.of``), HDF5 chunks
of about 1 MB made of whole records, no compression. Each column carries its axes, unit and meaning; the file carries
schema version, study, configuration, seed, code hash and the checksum of its arrays (see ``data.seal``). Nothing
depends on time or place: the same arrays give the same bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.files import Disk, new_hdf5, open_file, reading, replacing
from cloudchamber.data.seal import SEAL_BYTES, Digest, is_sealed, seal
from cloudchamber.schema import SCHEMA_VERSION, Array, Arrays, BadInput

CHUNK_BYTES = 1 << 20
"""Size of an HDF5 chunk, and of the pieces in which columns are streamed."""


def records_in_a_piece(record: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Records in about 1 MB (at least one)."""
    return max(1, CHUNK_BYTES // max(1, dtype.itemsize * int(np.prod(record))))


def write_columns(
    path: Path,
    schema: Mapping[str, Array],
    attributes: Mapping[str, Any],
    lengths: Mapping[str, int],
    read: Callable[[str, int, int], NDArray[Any]],
) -> None:
    """Stream columns to a sealed HDF5 file; the same values always give the same bytes.

    Args:
        path: the file.
        schema: the columns and their meaning.
        attributes: as of ``write_shard``.
        lengths: of the columns' first axes, by name.
        read: (name, first, stop) to the values of these rows, in the type of the schema.

    Raises:
        BadInput: disk full, or the place cannot be written.
    """
    with _sealed(path, attributes) as (file, disk, digest):
        for name, array in sorted(schema.items()):
            one, length = read(name, 0, 1), lengths[name]
            rows = min(records_in_a_piece(one.shape[1:], one.dtype), max(1, length))
            chunks = (rows, *(max(1, axis) for axis in one.shape[1:])) if length else None
            column = file.create_dataset(name, (length, *one.shape[1:]), one.dtype, chunks=chunks)
            column.attrs.update(_described(array))
            pieces = (read(name, first, min(first + rows, length)) for first in range(0, length, rows))
            digest.column(name, one.dtype, column.shape, _stored(pieces, column, disk))


@contextlib.contextmanager
def _sealed(path: Path, attributes: Mapping[str, Any]) -> Iterator[tuple[h5py.File, Disk, Digest]]:
    """A file for columns, and the digest to feed with them; the block's end adds attributes, checksum and seal."""
    with replacing(path) as partial:
        with new_hdf5(partial, SEAL_BYTES) as (file, disk):
            digest = Digest()
            yield file, disk, digest
            file.attrs.update({**attributes, "schema_version": SCHEMA_VERSION, "checksum": digest.text()})
        seal(partial)


def _stored(pieces: Iterable[NDArray[Any]], column: h5py.Dataset, disk: Disk) -> Iterator[NDArray[Any]]:
    """The same pieces, after each was written behind the one before."""
    first = 0
    for piece in pieces:
        column[first : first + len(piece)] = piece
        disk.check()
        first += len(piece)
        yield piece


class _Growing:
    """A column that grows at its end; what does not fill an HDF5 chunk waits."""

    def __init__(self, file: h5py.File, disk: Disk, name: str, array: Array) -> None:
        self._file, self._disk, self._name, self._array = file, disk, name, array
        self._column: h5py.Dataset | None = None
        self._waiting: NDArray[Any] | None = None

    def append(self, values: NDArray[Any]) -> None:
        """Add rows; values in the type of the schema."""
        self._waiting = values if self._waiting is None else np.concatenate([self._waiting, values])
        rows = records_in_a_piece(values.shape[1:], values.dtype)
        if len(self._waiting) >= rows:
            self._store(self._waiting, len(self._waiting) // rows * rows)

    def close(self, digest: Digest) -> None:
        """Write what waits, and feed the digest with the whole column."""
        if self._waiting is None:
            raise ValueError(f"nothing was appended to column {self._name!r}")
        column = self._store(self._waiting, len(self._waiting))
        pieces = (column[first : first + column.chunks[0]] for first in range(0, len(column), column.chunks[0]))
        digest.column(self._name, column.dtype, column.shape, pieces)

    def _store(self, values: NDArray[Any], stop: int) -> h5py.Dataset:
        """The first ``stop`` values go to the file, the others wait."""
        if self._column is None:
            record = values.shape[1:]
            chunks = (min(records_in_a_piece(record, values.dtype), max(1, stop)), *(max(1, axis) for axis in record))
            self._column = self._file.create_dataset(
                self._name, (0, *record), values.dtype, chunks=chunks, maxshape=(None, *record)
            )
            self._column.attrs.update(_described(self._array))
        first = len(self._column)
        self._column.resize(first + stop, axis=0)
        self._column[first:] = values[:stop]
        self._disk.check()
        self._waiting = values[stop:]
        return self._column


@contextlib.contextmanager
def growing(
    path: Path, schema: Mapping[str, Array], attributes: Mapping[str, Any]
) -> Iterator[Callable[[Arrays], None]]:
    """Write a data set piece by piece, with memory for about 1 MB a column.

    Use it as ``with growing(path, schema, attributes) as append``, then ``append(arrays)``. ``path`` is complete and on
    disk when the block ends well, else unchanged.

    Args:
        path: the file.
        schema: the columns; each grows by the rows that it is given.
        attributes: as of ``write_shard``.

    Yields:
        Takes arrays of the schema, checked before (see ``checked_columns``); to be called at least once.

    Raises:
        BadInput: disk full, or the place cannot be written.
    """
    with _sealed(path, attributes) as (file, disk, digest):
        columns = {name: _Growing(file, disk, name, array) for name, array in sorted(schema.items())}

        def append(arrays: Arrays) -> None:
            for name, column in columns.items():
                column.append(arrays[name])

        yield append
        for column in columns.values():
            column.close(digest)


def _described(array: Array) -> dict[str, Any]:
    """What a column says of itself, as HDF5 attributes."""
    text: dict[str, Any] = {"axes": array.axes, "unit": array.unit, "doc": array.doc}
    further = {"low": array.low, "high": array.high, "of": array.of}
    return text | {key: value for key, value in further.items() if value is not None}


def write_shard(path: Path, arrays: Arrays, schema: Mapping[str, Array], attributes: Mapping[str, Any]) -> None:
    """Write one chunk of records; ``path`` is complete and on disk when this returns, or unchanged if it raises.

    Args:
        path: the shard.
        arrays: columns of the schema, checked before (see ``checked_columns``); ragged ones have first axes of their
            own.
        schema: the meaning of the columns.
        attributes: strings and numbers: study, config (JSON), seed, code, chunk. Schema version and checksum are added.

    Raises:
        BadInput: disk full, or the place cannot be written.
    """
    lengths = {name: len(values) for name, values in arrays.items()}
    write_columns(path, schema, attributes, lengths, lambda name, first, stop: arrays[name][first:stop])


def _attributes(holder: h5py.File | h5py.Dataset) -> dict[str, Any]:
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in holder.attrs.items()}


def read_attributes(path: Path) -> dict[str, Any]:
    """What a file says of itself as a whole; BadInput if it cannot be read."""
    with reading(path), open_file(path) as file:
        return _attributes(file)


def read_shard(path: Path) -> Arrays:
    """All columns of one shard.

    Raises:
        BadInput: no such file; truncated; altered (checksum). The message names the file.
    """
    if not is_sealed(path):
        raise BadInput(f"{path} is truncated or altered: it does not begin as a data set does")
    with reading(path), open_file(path) as file:
        return {name: column[()] for name, column in file.items()}
