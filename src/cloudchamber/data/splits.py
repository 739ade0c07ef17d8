"""Training, validation and test splits by physics group: a nucleus shape, a sky, an event is never on two sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput


def split_by_group(
    groups: NDArray[np.int64], seed: int, fractions: Sequence[float] = (0.8, 0.1, 0.1)
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Divide records at random so that no group is on two sides.

    Args:
        groups: (record,) one number a record; equal numbers belong together.
        seed: the same groups and seed give the same split, whatever the order of the records.
        fractions: of the groups, for training, validation and test; each side has at least one group.

    Returns:
        Indices of the records of training, validation and test, each ascending.

    Raises:
        BadInput: fewer than three groups, or fractions that are not three positive numbers of sum 1.

    Examples:
        >>> train, validation, test = split_by_group(np.repeat(np.arange(10), 3), seed=1)
        >>> len(train), len(validation), len(test)
        (24, 3, 3)
    """
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:
        raise BadInput(f"fractions {tuple(fractions)}: give three positive numbers of sum 1", status=2)
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < 3:
        raise BadInput(
            f"{len(groups)} records in {len(names)} independent groups: training, validation and test need one each; "
            "give more records"
        )
    validation, test = (max(1, round(fraction * len(names))) for fraction in fractions[1:])
    while validation + test >= len(names):  # training keeps at least one group
        validation, test = (validation - 1, test) if validation > test else (validation, test - 1)
    side = np.zeros(len(names), np.int64)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    side[shuffled[:validation]] = 1
    side[shuffled[validation : validation + test]] = 2
    train_records, validation_records, test_records = (np.flatnonzero(side[group] == number) for number in range(3))
    return train_records, validation_records, test_records
