"""One thread for every training, and what a training that was broken off must end with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None:
    """For every test of this folder."""


@pytest.fixture
def assert_same_training() -> Callable[..., None]:
    """Compares two directories of trainings: weights, and the first ``columns`` of a history of so many epochs."""

    def check(broken: Path, whole: Path, epochs: int, columns: int) -> None:
        one, two = (torch.load(path / "weights.pt", weights_only=True) for path in (broken, whole))
        assert one.keys() == two.keys()
        for name, value in one.items():
            torch.testing.assert_close(value, two[name], rtol=1e-6, atol=1e-7)
        tables = [
            [line.split(",")[:columns] for line in (path / "history.csv").read_text().splitlines()]
            for path in (broken, whole)
        ]
        assert tables[0] == tables[1]
        assert len(tables[0]) == 1 + epochs

    return check
