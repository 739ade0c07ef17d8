"""Training, validation and test splits by physics group: a nucleus shape, a sky, an event is never on two sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput

HELD_OUT = 0.1
"""Part of the groups in the validation split, and as much in the test split, where a study names none."""


def split_by_group(
    groups: NDArray[np.int64], seed: int, part: float = HELD_OUT
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Divide records at random so that no group is on two sides.

    Args:
        groups: (record,) one number a record; equal numbers belong together.
        seed: the same groups and seed give the same split, whatever the order of the records.
        part: of the groups in the validation split, and as much in the test split.

    Returns:
        Indices of the records of training, validation and test, each ascending.

    Raises:
        BadInput: fewer than three groups.

    Examples:
        >>> train, validation, test = split_by_group(np.repeat(np.arange(10), 3), seed=1)
        >>> len(train), len(validation), len(test)
        (24, 3, 3)
    """
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < 3:
        raise BadInput(
            f"{len(groups)} records in {len(names)} independent groups: training, validation and test need one each; "
            "give more records"
        )
    held_out = max(1, round(part * len(names)))
    side = np.zeros(len(names), np.int64)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    side[shuffled[:held_out]] = 1
    side[shuffled[held_out : 2 * held_out]] = 2
    train_records, validation_records, test_records = (np.flatnonzero(side[group] == number) for number in range(3))
    return train_records, validation_records, test_records
