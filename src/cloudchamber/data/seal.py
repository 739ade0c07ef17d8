"""What tells whether data are those that were written: the checksum of arrays, and the seal of a file.

The checksum of arrays covers names, types, shapes and bytes, and is the same however the records are cut into files.
The seal is the first 512 bytes of a file, which HDF5 leaves free: the SHA-256 of all that follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.files import reading
from cloudchamber.schema import Arrays, BadInput

SEAL = b"cloudchamber data set, sha256 of all bytes from 512: "
"""How a data set begins, before its checksum: in the user block that HDF5 leaves free at the start of a file."""

SEAL_BYTES = 512


class Digest:
    """The checksum of named arrays, fed column by column: the same however the records are cut into files."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()

    def column(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], pieces: Iterator[NDArray[Any]]) -> None:
        """Add a column.

        Args:
            name: of the column; columns come in the order of their names.
            dtype: type of its values.
            shape: of the whole column.
            pieces: its values from first to last, cut along the first axis.
        """
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(np.ascontiguousarray(piece).data.cast("B") if piece.size else b"")
        self._total.update(f"{name} {dtype.str} {shape} {digest.hexdigest()}\n".encode())

    def text(self) -> str:
        """The checksum of the columns so far, hexadecimal."""
        return self._total.hexdigest()


def checksum(arrays: Arrays) -> str:
    """SHA-256 (hexadecimal) of names, types, shapes and bytes of the arrays.

    Examples:
        >>> checksum({"energy": np.arange(3.0)})[:16]
        'b7c8f87c58b8ddae'
        >>> checksum({"energy": np.arange(3.0, dtype=np.float32)})[:16]
        '4c57682e874a7015'
    """
    digest = Digest()
    for name, values in sorted(arrays.items()):
        digest.column(name, values.dtype, values.shape, iter([values]))
    return digest.text()


def _seal(path: Path) -> bytes:
    """What the seal of the file must be: the checksum of every byte behind it, as text."""
    with path.open("rb") as file:
        file.seek(SEAL_BYTES)
        return SEAL + hashlib.file_digest(file, "sha256").hexdigest().encode() + b"\n"


def seal(path: Path) -> None:
    """Write the seal into the first bytes of the file, which are free until then."""
    with path.open("r+b") as file:
        file.write(_seal(path))


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
