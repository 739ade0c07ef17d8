"""Files that are whole under their name or not there at all: after a crash, a full disk, or two processes at once.

Every file is written under a temporary name beside its own and renamed when it is on disk. HDF5 files are written
through a file object of ours, because HDF5 ends the process when a disk is full; what is wrong with a file that is read
becomes one line that names it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cloudchamber.schema import BadInput

log = logging.getLogger(__name__)

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


def write_json(path: Path, content: Any) -> None:
    """JSON with two spaces; what is not finite, which JSON does not know, is null; see ``write_text``."""
    write_text(path, json.dumps(_json(content), indent=2, allow_nan=False) + "\n")


def _json(content: Any) -> Any:
    """The content in JSON's own types, numbers that are not finite as None."""
    if isinstance(content, Mapping):
        return {key: _json(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_json(value) for value in content]
    return None if isinstance(content, float) and not np.isfinite(content) else content


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Disk(io.FileIO):
    """A file that remembers its first failure and then swallows all writes.

    HDF5 ends the process with a segmentation fault when it cannot write on closing (a full disk); it must not notice.
    """

    failure: OSError | None = None

    def check(self) -> None:
        """Raise the first failure, if there was one."""
        if self.failure is not None:
            raise self.failure

    def write(self, data: Any) -> int:
        """All bytes of ``data``, or as many as go before the failure; says in any case that all were written."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while self.failure is None and len(rest):
                rest = rest[super().write(rest) :]
        except OSError as error:
            self.failure = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """As a file does; a failure is remembered."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file to write to; it is ``path``, complete and on disk, when the block ends well (see ``replacing``)."""
    with replacing(path) as partial, new_hdf5(partial) as (file, _):
        yield file


@contextlib.contextmanager
def new_hdf5(path: Path, room: int = 0) -> Iterator[tuple[h5py.File, Disk]]:
    """An HDF5 file under its final name, and the disk that says whether a write to it has failed.

    Args:
        path: the file.
        room: bytes that are left free before what HDF5 writes: 0, or a power of two from 512 on.

    Raises:
        OSError: the disk is full, or the place cannot be written.
    """
    with Disk(path, "w+") as disk:
        try:
            with h5py.File(disk, "w", userblock_size=room) as file:
                yield file, disk
        finally:
            disk.check()  # whatever HDF5 says after a failure is only a consequence


def write_arrays(path: Path, arrays: Mapping[str, Any], attributes: Mapping[str, Any] | None = None) -> None:
    """Arrays to HDF5 by slash-separated name; strings are stored as UTF-8; see ``write_text``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as file:
        for name, values in arrays.items():
            array = np.asarray(values)
            file[name] = array.astype(h5py.string_dtype()) if array.dtype.kind in "UO" else array
        file.attrs.update(dict(attributes or {}))


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
    """An HDF5 file for reading, locked as everybody's h5py does it: two of a process must agree on that."""
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if "unable to lock file" not in str(error):
            raise
        return h5py.File(path, "r", locking=False)  # no locks on this disk; files are complete before they get a name
