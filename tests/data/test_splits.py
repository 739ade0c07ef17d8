"""Splits by group: a partition, no group on two sides, a tenth held out twice, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudchamber.data.splits import split_by_group
from cloudchamber.schema import BadInput

groups_of_records = st.lists(st.integers(-5, 40), min_size=1, max_size=200)


@given(groups_of_records, st.integers(0, 2**32))
def test_splits_are_a_partition_that_shares_no_group(numbers: list[int], seed: int) -> None:
    groups = np.array(numbers, np.int64)
    known = len(set(numbers))
    if known < 3:
        with pytest.raises(BadInput, match="give more records"):
            split_by_group(groups, seed)
        return
    sides = split_by_group(groups, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate(sides)), np.arange(len(groups)))
    for side in sides:
        assert len(side) > 0
        assert (np.diff(side) > 0).all()
    train, validation, test = ({int(number) for number in groups[side]} for side in sides)
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert len(validation) == len(test) == max(1, round(0.1 * known))


@given(st.integers(0, 2**32))
def test_the_order_of_records_does_not_matter(seed: int) -> None:
    groups = np.repeat(np.arange(20), 3)
    order = np.random.default_rng(seed).permutation(60)
    sides = split_by_group(groups, seed)
    shuffled = split_by_group(groups[order], seed)
    for side, other in zip(sides, shuffled, strict=True):
        assert set(groups[side]) == set(groups[order][other])


def test_a_seed_repeats_its_split_and_another_differs() -> None:
    groups = np.arange(100)
    np.testing.assert_array_equal(split_by_group(groups, 1)[2], split_by_group(groups, 1)[2])
    assert not np.array_equal(split_by_group(groups, 1)[2], split_by_group(groups, 2)[2])
