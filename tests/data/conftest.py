"""A small data set, one whose records own rows, and Python in a fresh process, for the tests of data sets on disk."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import cloudchamber
from cloudchamber.data.shards import write_shard
from cloudchamber.schema import Array, Arrays


class Toy:
    """Records of a label and a trace; events of two kinds of rows."""

    schema: ClassVar = {
        "label": Array("record", "", "which", dtype="int64"),
        "trace": Array("record bin", "µV/m", "a trace", low=-100, high=100),
    }
    about: ClassVar = {"study": "toy", "config": '{"a": 1}', "seed": "3", "code": "abc", "chunk": 0}
    ragged: ClassVar = {
        "energy": Array("event particle_four", "GeV", "rows of the events", "float64", of="count"),
        "kind": Array("particle", "", "of other rows", "int32", of="photons"),
        "count": Array("event", "", "rows that each event owns", "uint8"),
        "photons": Array("event", "", "other rows that each event owns", "int64"),
    }

    def arrays(self, count: int, bins: int = 7, seed: int = 0) -> Arrays:
        rng = np.random.default_rng(seed)
        return {"label": np.arange(count), "trace": rng.normal(size=(count, bins)).astype(np.float32)}

    def shards(self, directory: Path, counts: list[int], bins: int = 7) -> tuple[list[Path], Arrays]:
        files, parts = [], []
        for number, count in enumerate(counts):
            files.append(directory / f"shard-{number:05d}.h5")
            parts.append(self.arrays(count, bins, seed=number))
            write_shard(files[-1], parts[-1], self.schema, self.about | {"chunk": number})
        return files, {name: np.concatenate([part[name] for part in parts]) for name in self.schema}

    def ragged_arrays(self, counts: list[tuple[int, int]], seed: int = 0) -> Arrays:
        """Columns of rows that events own; two counts an event."""
        rng = np.random.default_rng(seed)
        count, photons = np.array(counts, np.int64).reshape(-1, 2).T
        energy = rng.normal(size=(count.sum(), 3))
        kind = rng.integers(1000, size=photons.sum()).astype(np.int32)
        return {"energy": energy, "kind": kind, "count": count.astype(np.uint8), "photons": photons}


@pytest.fixture(scope="session")
def toy() -> Toy:
    return Toy()


@pytest.fixture(scope="session")
def in_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run code in a fresh interpreter, with warnings as errors."""

    def run(code: str, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        source = str(Path(cloudchamber.__file__).parents[1])
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments],
            env={**os.environ, "PYTHONPATH": source, **(env or {})},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return run
