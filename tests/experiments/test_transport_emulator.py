"""The emulator as an experiment: conditions that are asked for, what lies outside, files that are read or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cloudchamber.data.collisions import Collisions, Entrance, collision_writer, joined
from cloudchamber.data.shards import write_shard
from cloudchamber.experiments.emulator_explanations import correlation, leading
from cloudchamber.experiments.transport import SCHEMA
from cloudchamber.experiments.transport_emulator import (
    EmulatorConfig,
    events,
    fitting,
    outside,
    read,
    wanted,
)
from cloudchamber.experiments.transport_mixture import simulate
from cloudchamber.farm import code_hash
from cloudchamber.schema import BadInput
from cloudchamber.study import load_study

CONFIG = EmulatorConfig(
    test_particles=20, freeze_out_time=10.0, share=2, energies=(45.0, 95.0), systems=("C12+O16",), records=24
)


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    found = simulate(CONFIG, 0, 24, np.random.SeedSequence(1))
    return {name: values.astype(SCHEMA[name].dtype) for name, values in found.items()}


def test_without_b_impact_parameters_are_as_in_nature() -> None:
    asked = wanted(CONFIG, {}, 1000, False)
    assert asked.energy.tolist() == [62.0] * 1000
    assert asked.projectile[0].tolist() == asked.target[0].tolist() == [12, 6]
    b = asked.impact_parameter
    assert (b < 4).mean() == pytest.approx(0.25)  # a quarter of the area of 8 fm
    assert 0 < b.min() < b.max() < 8


def test_settings_name_nuclei_energy_and_impact_parameter() -> None:
    asked = wanted(CONFIG, {"b": "3", "energy": "80", "target": "O16"}, 5, False)
    assert asked.target.tolist() == [[16, 8]] * 5
    assert asked.energy.tolist() == [80.0] * 5
    assert asked.impact_parameter.tolist() == [3.0] * 5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"impact": "3"}, "unknown setting 'impact'"),
        ({"b": "three"}, "b 'three': give a number"),
        ({"b": "-1"}, "b -1 fm: give an impact parameter of at least 0"),
        ({"b": "8.5"}, r"impact parameter outside the training .*b from 0 to 8 fm.*--extrapolate"),
        ({"energy": "40"}, r"energy outside the training .*45 to 95 MeV per nucleon.*--extrapolate"),
        ({"energy": "300"}, "transport holds from 10 to 200"),
        ({"target": "He4"}, r"nuclei outside the training \(C12\+C12, C12\+O16; .*--extrapolate"),
        ({"target": "Cx12"}, "Cx12"),
    ],
)
def test_conditions_that_were_not_trained_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        wanted(CONFIG, settings, 3, False)
    assert caught.value.status == 2


def test_extrapolated_conditions_are_marked_as_outside() -> None:
    asked = wanted(CONFIG, {"energy": "40", "b": "9"}, 2, True)
    marked = outside(CONFIG, asked)
    assert marked["energy"].all()
    assert marked["impact parameter"].all()
    assert not marked["nuclei"].any()
    swapped = Entrance(np.array([[16, 8]]), np.array([[12, 6]]), np.array([62.0]), np.array([1.0]))
    assert outside(CONFIG, swapped)["nuclei"].all()
    inside = wanted(CONFIG, {}, 10, False)
    assert not any(one.any() for one in outside(CONFIG, inside).values())


def write(path: Path, arrays: dict[str, np.ndarray], code: str) -> Path:
    write_shard(path, arrays, SCHEMA, {"code": code, "config": "{}"})
    return path


def test_files_of_the_simulator_become_events(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    for name in ("transport", "transport-emulator"):
        path = write(tmp_path / f"{name}.h5", arrays, code_hash(load_study(name)))
        found = read(path)
        assert len(found) == 24
        assert found.simulated is not None
        assert found.simulated.per_nucleon == 20


def test_files_of_another_simulator_version_are_refused(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    path = write(tmp_path / "old.h5", arrays, "0123456789abcdef")
    with pytest.raises(BadInput, match=r"old\.h5 was simulated by another version of the simulator \(0123"):
        read(path)


def test_files_of_hot_nuclei_are_read_but_teach_nothing(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    some = events(arrays)
    with collision_writer(tmp_path / "hot.h5", {}) as append:
        append(some)
    found = read(tmp_path / "hot.h5")
    np.testing.assert_array_equal(found.A, some.A)
    with pytest.raises(BadInput, match="whole nuclei; learning needs"):
        fitting(CONFIG, found)
    with pytest.raises(BadInput, match="no file"):
        read(tmp_path / "nowhere.h5")


def test_a_run_on_own_events_takes_its_settings_from_them(arrays: dict[str, np.ndarray]) -> None:
    some = events(arrays)
    found = fitting(EmulatorConfig(), some)
    assert (found.projectile, found.target, found.energy) == ("C12", "C12", 62.0)
    assert found.energies == (45.0, 95.0)
    assert found.systems == ("C12+O16",)
    assert found.records == len(some)
    assert found.lowest_impact_parameter <= some.entrance.impact_parameter.min()
    assert found.highest_impact_parameter >= some.entrance.impact_parameter.max()
    with pytest.raises(BadInput, match="10 events: a run needs at least"):
        fitting(CONFIG, some.ordered(np.arange(10)))


def test_leading_fragments_and_gas_of_real_valued_events(arrays: dict[str, np.ndarray]) -> None:
    some = events(arrays)
    assert some.simulated is not None
    found = leading(some.simulated)
    first = some.simulated.first_fragment[:-1]
    np.testing.assert_array_equal(found["largest_A"], some.simulated.A[first])
    P = np.linalg.norm(some.simulated.momentum[first], axis=1) / some.simulated.A[first]
    np.testing.assert_allclose(found["largest_momentum"], P)
    total = (some.entrance.projectile + some.entrance.target)[:, 0]
    bound = np.add.reduceat(some.simulated.A, first)
    np.testing.assert_allclose(found["gas_nucleons"], total - bound, atol=1e-6)
    none = replace(some.simulated, fragments=np.zeros(24, np.int64), A=np.zeros(0), momentum=np.zeros((0, 3)))
    none = replace(none, excitation=np.zeros(0))
    assert leading(none)["largest_A"].tolist() == [0.0] * 24


def test_correlation_of_what_does_not_vary_is_zero() -> None:
    rising = np.arange(5.0)
    assert correlation(rising, 3 - 2 * rising) == pytest.approx(-1)
    assert correlation(rising, np.ones(5)) == 0.0


def test_events_of_records_keep_their_order(arrays: dict[str, np.ndarray]) -> None:
    some: Collisions = events(arrays)
    np.testing.assert_allclose(some.entrance.impact_parameter, arrays["impact_parameter"])
    assert len(joined([some, some])) == 48
