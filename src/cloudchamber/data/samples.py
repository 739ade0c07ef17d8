"""Samples: a split of a data set as predictors see it, and Prediction, what they answer.

The records on disk are physics (events); a study's ``inputs`` turns records into what predictors read (images). With a
random generator it makes an augmented training copy (for instance a random 90 % of the events), without one the full
record. Splits are made by physics group before any copy is drawn, so no group is ever on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.columns import owned_rows
from cloudchamber.data.seal import checksum
from cloudchamber.schema import Arrays

Inputs = NDArray[np.float32]
"""What predictors read: (sample, ...)."""


class Records(Protocol):
    """Anything that reads named arrays of some records: a Dataset on disk, or arrays in memory."""

    def __len__(self) -> int: ...

    def hash(self) -> str:
        """Changes with the content, and only with it."""
        ...

    def read(self, indices: NDArray[np.int64], names: Sequence[str] | None = None) -> Arrays:
        """The records ``indices`` (in that order), every array (or those named) with the record axis first.

        Of an array of rows that records own (``Array.of``), the rows of those records.
        """
        ...


@dataclass(frozen=True)
class ArrayRecords:
    """Records that live in memory.

    Attributes:
        arrays: by name.
        of: for arrays of rows that records own, the array that counts them (``Array.of``).
    """

    arrays: Arrays
    of: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return next(len(values) for name, values in self.arrays.items() if name not in self.of)

    def hash(self) -> str:
        """The checksum of the arrays (see ``data.seal``)."""
        return checksum(self.arrays)

    def read(self, indices: NDArray[np.int64], names: Sequence[str] | None = None) -> Arrays:
        """The records ``indices``, see ``Records``."""
        return {
            name: self.arrays[name][self._rows(name, indices)] for name in (self.arrays if names is None else names)
        }

    def _rows(self, name: str, records: NDArray[np.int64]) -> NDArray[np.int64]:
        if name not in self.of:
            return records
        return owned_rows(np.concatenate([[0], np.cumsum(self.arrays[self.of[name]], dtype=np.int64)]), records)


@dataclass(frozen=True)
class Samples:
    """Some records of a data set, with the study's inputs and targets.

    Attributes:
        records: where the arrays come from.
        indices: which records belong to this split.
        make_inputs: records and a generator (None: no augmentation) to inputs of shape (sample, ...).
        targets: float32 (sample, target).
        target_names: one name a column of ``targets``.
    """

    records: Records
    indices: NDArray[np.int64]
    make_inputs: Callable[[Arrays, np.random.Generator | None], Inputs]
    targets: NDArray[np.float32]
    target_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def inputs(
        self, which: Sequence[int] | NDArray[np.int64] | None = None, rng: np.random.Generator | None = None
    ) -> Inputs:
        """Inputs of the samples ``which`` (positions within this split, default all), augmented if ``rng`` is given."""
        rows = self.indices if which is None else self.indices[np.asarray(which, dtype=np.int64)]
        return self.make_inputs(self.records.read(rows), rng)


@dataclass(frozen=True)
class Prediction:
    """What a predictor says: ``mean`` (sample, target) and, if it gives uncertainties, ``std`` of the same shape.

    Test statistics need float64; a target that the predictor does not estimate is nan.
    """

    mean: NDArray[np.floating[Any]]
    std: NDArray[np.floating[Any]] | None = None
