"""Columns of the skies: what the simulators write fits the schema, and inputs and targets say what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.data.shards import read_shard, write_shard
from cloudchamber.data.skies import (
    LEAST_COSMIC_RAYS,
    SKY_SCHEMA,
    SKY_TARGETS,
    SKY_TRUTH,
    cosmic_rays_of,
    targets_of,
)
from cloudchamber.schema import Arrays, BadInput
from cloudchamber.simulators.cosmicrays.skies import SkyOptions, draw_skies


@pytest.fixture(scope="module")
def records() -> Arrays:
    return draw_skies(SkyOptions(cosmic_rays=40), np.array([0, 12, 0, 1]), 5)


def test_simulated_skies_fit_the_schema_and_survive_the_disk(
    records: Arrays, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert records.keys() == SKY_SCHEMA.keys()
    assert set(SKY_TRUTH) < SKY_SCHEMA.keys()
    for name, array in SKY_SCHEMA.items():
        array.check(name, records[name], {"sky": 4, "cosmic_ray": 40, "xyz": 3})
        assert records[name].dtype == array.dtype
    path = tmp_path_factory.mktemp("skies") / "skies.h5"
    write_shard(path, records, SKY_SCHEMA, {})
    for name, values in read_shard(path).items():
        np.testing.assert_array_equal(values, records[name])


def test_inputs_are_direction_and_energy_of_each_cosmic_ray(records: Arrays) -> None:
    inputs = cosmic_rays_of(records)
    assert inputs.dtype == np.float32
    assert inputs.shape == (4, 40, 4)
    for sky in range(4):
        for one in range(40):
            assert inputs[sky, one].tolist() == [*records["direction"][sky, one].tolist(), records["energy"][sky, one]]


def test_targets_are_signal_its_fraction_and_the_source(records: Arrays) -> None:
    targets = targets_of(records)
    assert targets.shape == (4, len(SKY_TARGETS))
    assert targets.dtype == np.float32
    assert targets[:, 0].tolist() == [0, 1, 0, 1]
    assert targets[:, 1] == pytest.approx([0, 12 / 40, 0, 1 / 40])
    assert not targets[::2].any()
    np.testing.assert_array_equal(targets[:, 2:], records["source"])
    np.testing.assert_allclose(np.linalg.norm(targets[1::2, 2:], axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("energy", 4e19, "above 1000"),
        ("energy", 0.1, "below 1 "),
        ("energy", np.nan, "finite"),
        ("direction", 1.5, "above 1.001"),
        ("signal", 2, "above 1"),
        ("n_signal", -1, "below 0"),
    ],
)
def test_a_column_with_a_spoiled_value_is_refused(records: Arrays, name: str, value: float, message: str) -> None:
    values = records[name].astype(np.float64)
    values.flat[3] = value
    with pytest.raises(BadInput, match=message):
        SKY_SCHEMA[name].check(name, values)


def test_ten_cosmic_rays_are_the_fewest_everywhere() -> None:
    from cloudchamber.data.catalogue import FEWEST

    assert LEAST_COSMIC_RAYS == FEWEST == 10
