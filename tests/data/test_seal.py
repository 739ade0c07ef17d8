"""The seal: every altered or missing byte is found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloudchamber.data.seal import checksum
from cloudchamber.data.shards import read_shard, write_shard
from cloudchamber.schema import BadInput


def test_every_altered_or_missing_byte_is_found(toy: Any, tmp_path: Path) -> None:
    """Anywhere, also where HDF5 keeps its own pointers: opening such a file can end the process."""
    path = tmp_path / "a.h5"
    write_shard(path, toy.arrays(20), toy.schema, toy.about)
    whole = path.read_bytes()
    for offset in [*range(whole.index(b"\0")), *range(512, len(whole), 97)]:
        altered = bytearray(whole)
        altered[offset] ^= 1
        path.write_bytes(altered)
        with pytest.raises(BadInput, match=r"a\.h5 is truncated or altered"):
            read_shard(path)
    for size in (0, 1, 511, 512, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(BadInput, match=r"a\.h5 is truncated or altered"):
            read_shard(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(BadInput, match="altered"):
        read_shard(path)
    path.write_bytes(whole)
    assert set(read_shard(path)) == set(toy.schema)


def test_checksum_changes_with_name_type_shape_and_value() -> None:
    some = [
        {"x": np.arange(6.0)}, {"y": np.arange(6.0)}, {"x": np.arange(6.0, dtype=np.float32)},
        {"x": np.arange(6.0).reshape(2, 3)}, {"x": np.arange(6.0) + 1}, {"x": np.arange(6.0), "y": np.arange(2)},
    ]  # fmt: skip
    assert len({checksum(arrays) for arrays in some}) == len(some)
    assert checksum({"b": np.ones(2), "a": np.zeros(1)}) == checksum({"a": np.zeros(1), "b": np.ones(2)})
