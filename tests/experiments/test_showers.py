"""The experiment: records fit their schema, a user's array from a file, what resembles the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cloudchamber.data.columns import checked_columns
from cloudchamber.data.surface_array import SHOWER_SCHEMA, TIME, TRACE
from cloudchamber.experiments.showers import ShowerConfig, inputs, layout_of, lengths, resembles, simulate
from cloudchamber.schema import BadInput

CONFIG = ShowerConfig(lg_energy_min=19.0)


def test_a_station_file_becomes_the_array_and_stays_in_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "array.txt"
    path.write_text("0 0\n700 0\n0 700\n700 700\n")
    config = CONFIG.changed({"layout": str(path)})
    path.unlink()
    again = ShowerConfig.model_validate_json(config.model_dump_json())
    np.testing.assert_array_equal(layout_of(again)[:, :2], [[0, 0], [700, 0], [0, 700], [700, 700]])
    assert lengths(again) == {"station": 4, "bin": 120}
    records = checked_columns(simulate(again, 0, 4, np.random.SeedSequence(1)), SHOWER_SCHEMA, lengths(again), 4)
    assert inputs(again, records, None).shape == (4, 4, TRACE + 120)
    assert again.changed({"layout": "none"}).layout is None


def test_a_bad_station_file_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "array.txt"
    path.write_text("0 0\n0 0\n1 1\n")
    with pytest.raises(BadInput, match=r"array.txt: stations 1 and 2 stand at one place"):
        CONFIG.changed({"layout": str(path)})


def test_showers_of_other_energies_are_told_from_the_training() -> None:
    def numbers(low: float) -> np.ndarray:
        config = ShowerConfig(lg_energy_min=low, lg_energy_max=low + 0.1)
        return resembles(inputs(config, simulate(config, 0, 30, np.random.SeedSequence(2)), None))

    low, high = numbers(18.6), numbers(20.0)
    assert high[:, 0].min() > np.quantile(low[:, 0], 0.9)  # the signal
    assert np.isfinite(low).all()


def test_augmented_showers_have_other_dead_stations() -> None:
    records = simulate(CONFIG, 0, 20, np.random.SeedSequence(3))
    plain = inputs(CONFIG, records, None)
    other = inputs(CONFIG.changed({"dead_fraction": 0.2}), records, np.random.default_rng(1))
    assert (other[..., TRACE:].sum(axis=2) > 0).sum() < (plain[..., TRACE:].sum(axis=2) > 0).sum()
    assert (other[..., TIME] >= 0).all()
