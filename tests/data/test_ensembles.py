"""Ensembles of a statistic: the same numbers however often they were stopped, damaged and shared."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cloudchamber.data.ensembles import extend, read
from cloudchamber.schema import BadInput


def exponential(seeds: np.random.SeedSequence, count: int) -> NDArray[np.float64]:
    return np.random.default_rng(seeds).exponential(size=count)


def make(directory: Path, n: int = 50, key: str = "a", seed: int = 3, chunk: int = 10) -> int:
    return extend(directory, key, n, chunk, seed, exponential)


def test_each_chunk_comes_from_its_own_seed(tmp_path: Path) -> None:
    assert make(tmp_path / "new" / "place", 45) == 5  # rounded up to whole chunks
    slow = [
        np.random.default_rng(np.random.SeedSequence(3, spawn_key=(chunk,))).exponential(size=10) for chunk in range(5)
    ]
    found = read(tmp_path / "new" / "place")
    assert found.dtype == np.float64
    assert np.array_equal(found, np.concatenate(slow))


def test_a_stopped_ensemble_goes_on_to_the_same_values(tmp_path: Path) -> None:
    calls = []

    def dies(seeds: np.random.SeedSequence, count: int) -> NDArray[np.float64]:
        calls.append(seeds.spawn_key)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return exponential(seeds, count)

    with pytest.raises(KeyboardInterrupt):
        extend(tmp_path / "a", "a", 50, 10, 3, dies)
    assert len(read(tmp_path / "a")) == 20
    assert extend(tmp_path / "a", "a", 50, 10, 3, dies) == 3
    assert calls == [(0,), (1,), (2,), (2,), (3,), (4,)]
    make(tmp_path / "b")
    assert np.array_equal(read(tmp_path / "a"), read(tmp_path / "b"))
    assert make(tmp_path / "a") == 0
    assert make(tmp_path / "a", 80) == 3  # and grows
    assert np.array_equal(read(tmp_path / "a")[:50], read(tmp_path / "b"))


def test_killed_while_writing_leaves_nothing_that_is_read(tmp_path: Path) -> None:
    make(tmp_path, 20)
    (tmp_path / ".000002.h5.99999.partial").write_bytes(b"half")
    assert len(read(tmp_path)) == 20
    assert make(tmp_path, 30) == 1
    assert len(read(tmp_path)) == 30


SHARE = """
import sys
from pathlib import Path
import numpy as np
from cloudchamber.data.ensembles import extend
extend(Path(sys.argv[1]), "a", 70, 10, 3, lambda seeds, n: np.random.default_rng(seeds).exponential(size=n),
       share=(int(sys.argv[2]), 2))
"""


def test_two_processes_share_the_work(tmp_path: Path) -> None:
    shares = [subprocess.Popen([sys.executable, "-c", SHARE, str(tmp_path / "a"), str(number)]) for number in range(2)]
    assert [share.wait(timeout=120) for share in shares] == [0, 0]
    assert len(list((tmp_path / "a").glob("*.h5"))) == 7
    make(tmp_path / "b", 70)
    assert np.array_equal(read(tmp_path / "a"), read(tmp_path / "b"))


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_a_damaged_chunk_is_made_again(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path)
    whole, path = read(tmp_path), tmp_path / "000003.h5"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes({"cut": bytes(content[:-9]), "changed": bytes(content), "empty": b""}[damage])
    with pytest.raises(BadInput, match=r"000003\.h5"):
        read(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert make(tmp_path) == 1
    assert "made again" in caplog.text
    assert np.array_equal(read(tmp_path), whole)


@pytest.mark.parametrize(("key", "seed", "chunk"), [("b", 3, 10), ("a", 4, 10), ("a", 3, 20)])
def test_another_ensemble_is_refused(tmp_path: Path, key: str, seed: int, chunk: int) -> None:
    make(tmp_path)
    with pytest.raises(BadInput, match="another ensemble"):
        make(tmp_path, 60, key, seed, chunk)


def test_mixed_chunks_are_refused(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b", key="b")
    (tmp_path / "b" / "000001.h5").replace(tmp_path / "a" / "000001.h5")
    with pytest.raises(BadInput, match="another ensemble"):
        read(tmp_path / "a")


def test_a_share_makes_its_own_chunks_and_tells_progress(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    extend(tmp_path, "a", 50, 10, 3, lambda _, n: np.ones(n, np.float32), lambda *at: seen.append(at), (1, 2))
    assert seen == [(1, 2), (2, 2)]
    assert [path.name for path in sorted(tmp_path.glob("*.h5"))] == ["000001.h5", "000003.h5"]
    assert read(tmp_path).dtype == np.float64


@pytest.mark.parametrize("values", [np.ones(9), np.full(10, np.nan), np.ones((10, 1))])
def test_a_statistic_is_one_finite_number_a_sky(tmp_path: Path, values: NDArray[np.float64]) -> None:
    with pytest.raises(BadInput, match="statistic"):
        extend(tmp_path, "a", 10, 10, 3, lambda *_: values)
    with pytest.raises(BadInput, match="no skies"):
        read(tmp_path)


@pytest.mark.parametrize(("n", "chunk", "share"), [(0, 10, (0, 1)), (10, 0, (0, 1)), (10, 10, (2, 2))])
def test_impossible_numbers_and_shares_are_refused(tmp_path: Path, n: int, chunk: int, share: tuple[int, int]) -> None:
    with pytest.raises(BadInput):
        extend(tmp_path, "a", n, chunk, 3, exponential, share=share)
