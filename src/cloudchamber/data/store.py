"""Data sets on disk: HDF5 shards with a checksum, read lazily and written so that a crash, a full disk or two processes
at once never leave half a file behind.

Conventions: one HDF5 dataset a column, first axis the record or the rows that records own (``Array.of``), HDF5 chunks
of about 1 MB made of whole records, no compression. Each column carries its axes, unit and meaning; the file carries
schema version, study, configuration, seed, code hash and the checksum of its arrays. The first 512 bytes, which HDF5
leaves free, are a seal: the checksum of all that follows. Nothing depends on time or place: the same arrays give the
same bytes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import logging
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import owned_rows
from cloudchamber.schema import SCHEMA_VERSION, Array, Arrays, BadInput, did_you_mean

log = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
"""Size of an HDF5 chunk, and of the pieces in which columns are streamed."""

OPEN_FILES = 32
"""Shards that a Dataset keeps open at once."""

NUMBERS = "give numbers, the first axis the record"

SEAL = b"cloudchamber data set, sha256 of all bytes from 512: "
"""How a data set begins, before its checksum: in the user block that HDF5 leaves free at the start of a file."""

SEAL_BYTES = 512

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def cache_directory() -> Path:
    """``CLOUDCHAMBER_CACHE``, else ``~/.cache/cloudchamber``; made if it is not there.

    Raises:
        BadInput: it cannot be written.
    """
    named = os.environ.get("CLOUDCHAMBER_CACHE")
    try:
        path = Path(named).expanduser().absolute() if named else Path.home() / ".cache" / "cloudchamber"
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except (OSError, RuntimeError) as error:
        where = named or "~/.cache/cloudchamber"
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(
            f"cannot write the cache {where} ({reason}): set CLOUDCHAMBER_CACHE to a directory that you can write"
        ) from error


def checked(
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
    result = {name: fitted(name, np.asarray(arrays[name]), array, lengths) for name, array in schema.items()}
    for name, array in schema.items():
        found = len(result[name])
        if array.of is None:
            count = found if count is None else count
            if found != count:
                raise BadInput(f"column {name!r}: expected {count} records, found {found}")
        elif found != (owned := _owned(array.of, result[array.of])):
            raise BadInput(f"column {name!r}: expected {owned} rows, the sum of column {array.of!r}, found {found}")
    return result


def _owned(name: str, counts: NDArray[Any]) -> int:
    """How many rows the records own in all; BadInput if a record owns fewer than none."""
    if counts.size and counts.min() < 0:
        raise BadInput(f"column {name!r}: found numbers of rows below 0 (down to {counts.min()})")
    return int(counts.sum(dtype=np.int64))


def fitted(name: str, values: NDArray[Any], array: Array, lengths: Mapping[str, int]) -> NDArray[Any]:
    """The values of one column in the type of the schema; BadInput as in ``checked``."""
    array.check(name, values, lengths)
    if values.dtype == np.dtype(array.dtype):
        return np.ascontiguousarray(values)
    with np.errstate(over="ignore", invalid="ignore"):
        cast = np.ascontiguousarray(values, dtype=array.dtype)
    if cast.dtype.kind in "iub" and not np.array_equal(cast, values):
        raise BadInput(f"column {name!r}: expected whole numbers that fit {array.dtype}, found other {values.dtype}")
    array.check(name, cast, lengths)
    return cast


class _Digest:
    """The checksum of named arrays, fed column by column: the same however the records are cut into files."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()

    def column(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], pieces: Iterator[NDArray[Any]]) -> None:
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(np.ascontiguousarray(piece).data.cast("B") if piece.size else b"")
        self._total.update(f"{name} {dtype.str} {shape} {digest.hexdigest()}\n".encode())

    def text(self) -> str:
        return self._total.hexdigest()


def checksum(arrays: Arrays) -> str:
    """SHA-256 (hexadecimal) of names, types, shapes and bytes of the arrays."""
    digest = _Digest()
    for name, values in sorted(arrays.items()):
        digest.column(name, values.dtype, values.shape, iter([values]))
    return digest.text()


class _Disk(io.FileIO):
    """A file that remembers its first failure and then swallows all writes.

    HDF5 ends the process with a segmentation fault when it cannot write on closing (a full disk); it must not notice.
    """

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while self.failure is None and len(rest):
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.failure = error
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``; what was written there becomes ``path``, on disk, when the block ends well.

    Raises:
        BadInput: the disk is full or the place cannot be written; the temporary file is gone, ``path`` is as before.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        _sync(partial)
        partial.replace(path)
        _sync(path.parent)
    except OSError as error:
        if error.errno in _FULL:
            raise BadInput(
                f"disk full while writing {path}: free space or move the cache, then repeat; --resume goes on"
            ) from error
        raise BadInput(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def write_text(path: Path, text: str) -> None:
    """UTF-8 text, whole or not at all (see ``replacing``)."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file to write to; it is ``path``, complete and on disk, when the block ends well (see ``replacing``)."""
    with replacing(path) as partial, _new_file(partial) as (file, _):
        yield file


@contextlib.contextmanager
def _new_file(path: Path, seal: int = 0) -> Iterator[tuple[h5py.File, _Disk]]:
    """An HDF5 file with ``seal`` bytes of room before it."""
    with _Disk(path, "w+") as disk:
        try:
            with h5py.File(disk, "w", userblock_size=seal) as file:
                yield file, disk
        finally:
            if disk.failure:  # whatever HDF5 says after that is only a consequence
                raise disk.failure


def _seal(path: Path) -> bytes:
    """What the seal of the file must be: the checksum of every byte behind it, as text."""
    with path.open("rb") as file:
        file.seek(SEAL_BYTES)
        return SEAL + hashlib.file_digest(file, "sha256").hexdigest().encode() + b"\n"


def is_sealed(path: Path) -> bool:
    """Whether this package wrote the file as a data set; BadInput, naming the file, if it was damaged or changed since.

    HDF5 can end the process with a segmentation fault on a file with one wrong byte, so this is asked before opening.
    """
    with reading(path):
        with path.open("rb") as file:
            start = file.read(SEAL_BYTES)
        if not start.startswith(SEAL):
            return False
        if start.rstrip(b"\0") != _seal(path):
            raise BadInput(f"{path} is truncated or altered: its checksum does not match its content")
    return True


@contextlib.contextmanager
def exclusive(directory: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold ``directory`` for this process; the kernel lets go when the process ends, however it ends.

    Args:
        directory: an existing directory; its ``.lock`` file stays.
        wait: wait for the other process (one line in the log) instead of refusing.

    Raises:
        BadInput: another process holds it (and not ``wait``), or the lock file cannot be written.
    """
    try:
        handle = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise BadInput(f"cannot write in {directory}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            if not wait:
                raise BadInput(
                    f"another process (pid {owner}) is using {directory}; wait or start another run"
                ) from None
            log.warning("another process (pid %s) is writing %s; waiting for it", owner, directory)
            fcntl.flock(handle, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):  # the number is only for messages; a full disk must not matter here
            os.ftruncate(handle, 0)
            os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def rows_of(record: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Records in about 1 MB (at least one)."""
    return max(1, CHUNK_BYTES // max(1, dtype.itemsize * int(np.prod(record))))


def _write(
    path: Path,
    schema: Mapping[str, Array],
    attributes: Mapping[str, Any],
    lengths: Mapping[str, int],
    read: Callable[[str, int, int], NDArray[Any]],
) -> None:
    """Stream columns to an HDF5 file; ``lengths`` of their first axes, ``read`` is (name, first, stop) to values."""
    with _sealed(path, attributes) as (file, disk, digest):
        for name, array in sorted(schema.items()):
            one, length = read(name, 0, 1), lengths[name]
            rows = min(rows_of(one.shape[1:], one.dtype), max(1, length))
            chunks = (rows, *(max(1, axis) for axis in one.shape[1:])) if length else None
            column = file.create_dataset(name, (length, *one.shape[1:]), one.dtype, chunks=chunks)
            column.attrs.update(_described(array))
            pieces = (read(name, first, min(first + rows, length)) for first in range(0, length, rows))
            digest.column(name, one.dtype, column.shape, _stored(pieces, column, disk))


@contextlib.contextmanager
def _sealed(path: Path, attributes: Mapping[str, Any]) -> Iterator[tuple[h5py.File, _Disk, _Digest]]:
    """A file for columns, and the digest to feed with them; the block's end adds attributes, checksum and seal."""
    with replacing(path) as partial:
        with _new_file(partial, SEAL_BYTES) as (file, disk):
            digest = _Digest()
            yield file, disk, digest
            file.attrs.update({**attributes, "schema_version": SCHEMA_VERSION, "checksum": digest.text()})
        with partial.open("r+b") as sealed:
            sealed.write(_seal(partial))


def _stored(pieces: Iterable[NDArray[Any]], column: h5py.Dataset, disk: _Disk) -> Iterator[NDArray[Any]]:
    """The same pieces, after each was written behind the one before."""
    first = 0
    for piece in pieces:
        column[first : first + len(piece)] = piece
        if disk.failure:
            raise disk.failure
        first += len(piece)
        yield piece


class _Growing:
    """A column that grows at its end; what does not fill an HDF5 chunk waits."""

    def __init__(self, file: h5py.File, disk: _Disk, name: str, array: Array) -> None:
        self._file, self._disk, self._name, self._array = file, disk, name, array
        self._column: h5py.Dataset | None = None
        self._waiting: NDArray[Any] | None = None

    def append(self, values: NDArray[Any]) -> None:
        """Add rows; values in the type of the schema."""
        self._waiting = values if self._waiting is None else np.concatenate([self._waiting, values])
        rows = rows_of(values.shape[1:], values.dtype)
        if len(self._waiting) >= rows:
            self._store(self._waiting, len(self._waiting) // rows * rows)

    def close(self, digest: _Digest) -> None:
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
            chunks = (min(rows_of(record, values.dtype), max(1, stop)), *(max(1, axis) for axis in record))
            self._column = self._file.create_dataset(
                self._name, (0, *record), values.dtype, chunks=chunks, maxshape=(None, *record)
            )
            self._column.attrs.update(_described(self._array))
        first = len(self._column)
        self._column.resize(first + stop, axis=0)
        self._column[first:] = values[:stop]
        if self._disk.failure:
            raise self._disk.failure
        self._waiting = values[stop:]
        return self._column


@contextlib.contextmanager
def growing(
    path: Path, schema: Mapping[str, Array], attributes: Mapping[str, Any]
) -> Iterator[Callable[[Arrays], None]]:
    """Write a data set piece by piece: ``with growing(path, schema, attributes) as append``, then ``append(arrays)``.

    Memory holds about 1 MB a column. ``path`` is complete and on disk when the block ends well, else unchanged.

    Args:
        path: the file.
        schema: the columns; each grows by the rows that it is given.
        attributes: as of ``write_shard``.

    Yields:
        Takes arrays of the schema, checked before (see ``checked``); to be called at least once.

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
    text: dict[str, Any] = {"axes": array.axes, "unit": array.unit, "doc": array.doc}
    further = {"low": array.low, "high": array.high, "of": array.of}
    return text | {key: value for key, value in further.items() if value is not None}


def write_shard(path: Path, arrays: Arrays, schema: Mapping[str, Array], attributes: Mapping[str, Any]) -> None:
    """Write one chunk of records; ``path`` is complete and on disk when this returns, or unchanged if it raises.

    Args:
        path: the shard.
        arrays: columns of the schema, checked before (see ``checked``); ragged ones have first axes of their own.
        schema: the meaning of the columns.
        attributes: strings and numbers: study, config (JSON), seed, code, chunk. Schema version and checksum are added.

    Raises:
        BadInput: disk full, or the place cannot be written.
    """
    lengths = {name: len(values) for name, values in arrays.items()}
    _write(path, schema, attributes, lengths, lambda name, first, stop: arrays[name][first:stop])


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever HDF5 raises on a broken file (it raises nearly everything) becomes one line that names the file."""
    try:
        yield
    except BadInput:
        raise
    except FileNotFoundError:
        raise BadInput(f"no file {path}") from None
    except Exception as error:
        reason = str(error).split("\n")[0][:120]
        raise BadInput(f"{path} cannot be read (truncated, altered, or not HDF5): {reason}") from error


def open_file(path: Path) -> h5py.File:
    """An HDF5 file for reading."""
    return h5py.File(path, "r", locking=False)  # files are complete before they get their name


def _attributes(holder: h5py.File | h5py.Dataset) -> dict[str, Any]:
    return {key: value.item() if isinstance(value, np.generic) else value for key, value in holder.attrs.items()}


def _schema(file: h5py.File) -> dict[str, Array]:
    found = {}
    for name, column in file.items():
        about = _attributes(column)
        found[name] = Array(
            about["axes"], about["unit"], about["doc"], column.dtype.name,
            about.get("low"), about.get("high"), about.get("of"),
        )  # fmt: skip
    return found


def _columns(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def read_attributes(path: Path) -> dict[str, Any]:
    """What a file says of itself as a whole; BadInput if it cannot be read."""
    with reading(path), open_file(path) as file:
        return _attributes(file)


def read_shard(path: Path, verify: bool = True) -> Arrays:
    """All columns of one shard.

    Args:
        path: the shard.
        verify: compare with the checksum in the file.

    Raises:
        BadInput: no such file; truncated; altered (checksum). The message names the file.
    """
    if verify and not is_sealed(path):
        raise BadInput(f"{path} is truncated or altered: it does not begin as a data set does")
    with reading(path), open_file(path) as file:
        return {name: column[()] for name, column in file.items()}


class Dataset:
    """Records on disk: one HDF5 file, or shards one after another. Opens files when asked for records, and only those.

    It can be pickled (open files are dropped) and read in forked processes. Satisfies ``Records``.

    Args:
        files: HDF5 files whose records follow each other.
        schema: the columns to read; None: what the first file says of itself.
        columns: column of the schema to its path in the files, where that differs.

    Raises:
        BadInput: a file that cannot be read, lacks a column, or whose columns do not fit together.
    """

    def __init__(
        self, files: Sequence[Path], schema: Mapping[str, Array] | None = None, columns: Mapping[str, str] | None = None
    ) -> None:
        self.files = tuple(files)
        if not self.files:
            raise BadInput("a data set needs at least one file")
        if schema is None:
            with reading(self.files[0]), open_file(self.files[0]) as file:
                schema = _schema(file)
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
                owned = _owned(counter, file[self._columns[counter]][()])
                for name, array in self.schema.items():
                    if array.of == counter and sizes[name] != owned:
                        raise BadInput(
                            f"{path}: column {name!r} has {sizes[name]} rows, the sum of {counter!r} is {owned}"
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
        rows = rows_of(self._shapes[name], np.dtype(self.schema[name].dtype))
        for first in range(0, self._length(name), rows):
            yield self._slice(name, first, first + rows)

    def hash(self) -> str:
        """SHA-256 (hexadecimal) of names, types, shapes and values; the same however the records are cut into files."""
        if self._hash is None:
            digest = _Digest()
            for name, array in sorted(self.schema.items()):
                digest.column(name, np.dtype(array.dtype), self.shape(name), self.pieces(name))
            self._hash = digest.text()
        return self._hash

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a column, the axis of records (or of the rows that they own) first."""
        return (self._length(name), *self._shapes[name])

    def _slice(self, name: str, first: int, stop: int) -> NDArray[Any]:
        return self._take(name, np.arange(first, min(stop, self._length(name)), dtype=np.int64))

    def _take(self, name: str, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Rows of a column, wherever they lie, in the order of ``indices``."""
        dtype, record, starts = np.dtype(self.schema[name].dtype), self._shapes[name], self._starts[name]
        result = np.empty((len(indices), *record), dtype)
        order = np.argsort(indices, kind="stable")
        ascending = indices[order]
        files = np.searchsorted(starts, ascending, side="right") - 1
        blocks = (ascending - starts[files]) // rows_of(record, dtype)  # one read touches one HDF5 chunk
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


def write_file(dataset: Dataset, path: Path) -> None:
    """Stream a data set into one HDF5 file (``simulate -o FILE``); the same records always give the same bytes.

    Raises:
        BadInput: disk full, the place cannot be written, or a shard cannot be read.
    """
    lengths = {name: dataset.shape(name)[0] for name in dataset.schema}
    _write(path, dataset.schema, dataset.attributes, lengths, dataset._slice)


def open_dataset(path: Path, schema: Mapping[str, Array], lengths: Mapping[str, int]) -> Dataset:
    """Open a file or a directory of shards, checking columns and shapes (not values).

    Args:
        path: an HDF5 file, or a directory with ``shard-00000.h5`` and so on.
        schema: the columns that must be there; others are ignored.
        lengths: required lengths of named axes.

    Raises:
        BadInput: nothing there, a shard missing in the middle, or a column missing or of another shape or type.
    """
    files = [path]
    if path.is_dir():
        files = sorted(path.glob("shard-*.h5"))
        if [file.name for file in files] != [f"shard-{number:05d}.h5" for number in range(len(files))] or not files:
            raise BadInput(
                f"{path}: expected shard-00000.h5, shard-00001.h5, ... without gaps, found {len(files)} files"
            )
    dataset = Dataset(files, schema)
    for name, array in schema.items():
        check_layout(name, array, dataset.shape(name), lengths)
    return dataset


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
