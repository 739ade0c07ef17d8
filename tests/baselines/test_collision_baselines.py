"""Baselines and floor of the generator of collisions: conservation, memory, seeds, symmetries, what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloudchamber.baselines.collision_histograms import (
    BINS,
    CollisionHistograms,
    count_into,
    drawn,
    slot,
)
from cloudchamber.baselines.collision_resampling import GAS, CollisionResampling, thinned_gas
from cloudchamber.baselines.files import save_arrays
from cloudchamber.baselines.validation_again import REACH, ValidationAgain, assigned
from cloudchamber.data.collisions import Collisions, Entrance, Simulated, joined, rounded
from cloudchamber.metrics.collisions import distances, observables, violations
from cloudchamber.schema import BadInput

BASELINES = (CollisionResampling, CollisionHistograms, ValidationAgain)
CARBON, OXYGEN, HELIUM = (12, 6), (16, 8), (4, 2)


def entrance_of(
    n: int, seed: int, energy: float = 62.0, projectile: tuple[int, int] = CARBON, target: tuple[int, int] = CARBON
) -> Entrance:
    b = np.random.default_rng(seed).uniform(0, 8, n)
    return Entrance(np.tile(projectile, (n, 1)), np.tile(target, (n, 1)), np.full(n, energy), b)


def toy(entrance: Entrance, seed: int) -> Collisions:
    """Both nuclei lose nucleons to the gas and are deflected to -x, the more the smaller b is."""
    rng, n = np.random.default_rng(seed), len(entrance)
    b = entrance.impact_parameter
    kept = np.clip(0.5 + 0.05 * b[:, None] + rng.normal(0, 0.05, (n, 2)), 0.3, 1.0)
    A = kept * np.column_stack([entrance.projectile[:, 0], entrance.target[:, 0]])
    before = entrance.of_channel(lambda channel: channel.momentum)
    p = np.array([[-0.2, 0.0, 0.8], [0.2, 0.0, -0.8]]) + rng.normal(0, 0.05, (n, 2, 3))
    p *= kept[:, :, None] * before[:, None, None]
    gas = rng.normal(0, 0.5, (n, 250, 3)) * before[:, None, None] / 12
    hot = A * rng.uniform(0.5, 1.5, (n, 2))
    species = np.tile(np.repeat([0, 1], 125), n).astype(np.uint8)
    simulated = Simulated(
        np.full(n, 2), A.ravel(), A.ravel() / 2, np.zeros((2 * n, 3)), p.reshape(-1, 3), hot.ravel(), np.full(n, 250),
        species, np.zeros((250 * n, 3), np.float32), gas.reshape(-1, 3).astype(np.float32), 20,
    )  # fmt: skip
    return rounded(entrance, simulated, rng)


@pytest.fixture(scope="module")
def train() -> Collisions:
    return toy(entrance_of(250, 1), 1)


@pytest.fixture(scope="module")
def validation() -> Collisions:
    return toy(entrance_of(100, 2), 2)


@pytest.fixture(scope="module")
def fitted(train: Collisions, validation: Collisions, tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    found = {}
    for make in BASELINES:
        found[make] = make(), tmp_path_factory.mktemp(make.__name__)
        found[make][0].fit(train, validation, found[make][1])
    return found


@pytest.mark.parametrize("make", BASELINES)
def test_events_conserve_everything_at_the_wanted_conditions(make: Any, fitted: dict[Any, Any]) -> None:
    condition = entrance_of(60, 3)
    events = fitted[make][0].sample(condition, np.random.default_rng(1))
    assert events.entrance is condition
    assert events.simulated is None
    assert len(events) == len(events.nuclei) == 60
    assert max(values.max() for values in violations(events).values()) < 1e-6
    assert (events.excitation >= 0).all()


@pytest.mark.parametrize("make", BASELINES)
def test_a_restored_one_draws_the_very_same_events(make: Any, fitted: dict[Any, Any]) -> None:
    again, condition = make(), entrance_of(20, 3)
    again.restore(fitted[make][1])
    one, other, third = (
        who.sample(condition, np.random.default_rng(seed))
        for who, seed in ((again, 1), (fitted[make][0], 1), (again, 2))
    )
    np.testing.assert_array_equal(one.momentum, other.momentum)
    if make is not ValidationAgain:
        assert one.momentum.shape != third.momentum.shape or not np.allclose(one.momentum, third.momentum)


@pytest.mark.parametrize("make", BASELINES)
def test_no_condition_gives_no_event(make: Any, fitted: dict[Any, Any]) -> None:
    none = entrance_of(0, 3)
    assert len(fitted[make][0].sample(none, np.random.default_rng(1))) == 0


@pytest.mark.parametrize("make", BASELINES)
def test_missing_damaged_and_foreign_files_are_refused(make: Any, fitted: dict[Any, Any], tmp_path: Path) -> None:
    (file,) = fitted[make][1].iterdir()
    with pytest.raises(BadInput, match="fit it again"):
        make().restore(tmp_path)
    (tmp_path / file.name).write_bytes(b"no archive")
    with pytest.raises(BadInput, match="fit it again"):
        make().restore(tmp_path)
    save_arrays(tmp_path / file.name, {"other": np.zeros(3)})
    with pytest.raises(BadInput, match="fit it again"):
        make().restore(tmp_path)


@pytest.mark.parametrize("make", BASELINES)
def test_nuclei_without_training_events_are_refused(make: Any, fitted: dict[Any, Any]) -> None:
    with pytest.raises(BadInput, match="A = 4"):
        fitted[make][0].sample(entrance_of(2, 3, projectile=HELIUM), np.random.default_rng(1))


@pytest.mark.parametrize("make", [CollisionResampling, CollisionHistograms])
def test_baselines_need_events_before_rounding(make: Any, train: Collisions, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="whole nuclei only"):
        make().fit(replace(train, simulated=None), train, tmp_path)
    with pytest.raises(BadInput, match="0 events"):
        make().fit(train.ordered(np.zeros(0, np.int64)), train, tmp_path)


@pytest.mark.parametrize("make", BASELINES)
def test_draws_are_near_the_truth_at_all_conditions(make: Any, fitted: dict[Any, Any]) -> None:
    truth = toy(entrance_of(150, 4), 4)
    made = fitted[make][0].sample(truth.entrance, np.random.default_rng(1))
    found = distances(truth, made, np.random.default_rng(1))
    # samples of 150 and repetitions: 0.8 sqrt(2 / 150) = 0.09
    for name in ("A_largest", "forward_A", "gas_nucleons", "forward_momentum", "excitation"):
        assert found.each[name].value < 0.3, name
    far = replace(truth.entrance, impact_parameter=8 - truth.entrance.impact_parameter)
    other = fitted[make][0].sample(far, np.random.default_rng(1))
    one, two = (observables(events)["gas_nucleons"] for events in (made, other))
    wanted = observables(truth)["gas_nucleons"]
    assert np.corrcoef(one, wanted)[0, 1] > 0.5 > np.corrcoef(two, wanted)[0, 1]


@pytest.mark.parametrize("make", [CollisionResampling, CollisionHistograms])
def test_other_energies_scale_with_the_beam_momentum(make: Any, fitted: dict[Any, Any]) -> None:
    made = [fitted[make][0].sample(entrance_of(80, 5, energy), np.random.default_rng(1)) for energy in (62.0, 95.0)]
    assert max(values.max() for values in violations(made[1]).values()) < 1e-6
    # momenta over the beam's; the excitation, which stays, leaves a little more energy to motion
    one, other = (observables(events)["forward_momentum"].mean() for events in made)
    assert other == pytest.approx(one, rel=0.06)


@pytest.mark.parametrize("make", [CollisionResampling, CollisionHistograms])
def test_exchanged_nuclei_are_trained_on_as_well(make: Any, tmp_path: Path) -> None:
    one = make()
    one.fit(toy(entrance_of(120, 1, target=OXYGEN), 1), toy(entrance_of(2, 1), 1), tmp_path)
    truth = toy(entrance_of(80, 5, projectile=OXYGEN), 5)
    made = one.sample(truth.entrance, np.random.default_rng(1))
    assert max(values.max() for values in violations(made).values()) < 1e-6
    true, said = (observables(events) for events in (truth, made))
    for name in ("forward_A", "forward_deflection"):
        assert said[name].mean() == pytest.approx(true[name].mean(), abs=0.2 * true[name].std() + 0.05), name
    assert said["forward_deflection"].mean() < -0.1


# --- resampling -------------------------------------------------------------------------------------------------------


def test_gas_is_thinned_to_a_part_of_each_event(train: Collisions) -> None:
    assert train.simulated is not None
    kept = thinned_gas(train.simulated, np.random.default_rng(1))
    event = np.searchsorted(train.simulated.first_particle, kept, side="right") - 1
    assert np.bincount(event).tolist() == [GAS] * len(train)
    assert len(np.unique(kept)) == len(kept)


def test_the_nearest_event_is_taken_where_one_is_near(
    fitted: dict[Any, Any], train: Collisions, tmp_path: Path
) -> None:
    lone = train.ordered(np.argsort(train.entrance.impact_parameter)[[0, 125, -1]])
    one = CollisionResampling()
    one.fit(lone, lone, tmp_path)
    condition = Entrance(*(np.repeat(getattr(lone.entrance, name), 10, axis=0)
                           for name in ("projectile", "target", "energy", "impact_parameter")))  # fmt: skip
    made = one.sample(condition, np.random.default_rng(1))
    assert lone.simulated is not None
    bound = np.add.reduceat(lone.simulated.A, lone.simulated.first_fragment[:-1])
    free = observables(made)["gas_nucleons"]
    # rounding moves the sum by less than one
    assert np.abs(free - (24 - np.repeat(bound, 10))).max() <= 1


def test_an_energy_that_leaves_nothing_for_motion_is_refused(train: Collisions, tmp_path: Path) -> None:
    assert train.simulated is not None
    dear = replace(train.simulated, A=np.full(500, 1.0), Z=np.full(500, 0.5), excitation=np.zeros(500))
    one = CollisionResampling()
    one.fit(replace(train, simulated=dear), train, tmp_path)
    # 24 free nucleons need 184 MeV of binding energy; at 10 MeV per nucleon there are 60 MeV
    with pytest.raises(BadInput, match="nearer to those of the training"):
        one.sample(entrance_of(1, 3, 10.0), np.random.default_rng(1))


# --- histograms -------------------------------------------------------------------------------------------------------


def test_histograms_give_back_what_was_counted() -> None:
    rng, counts = np.random.default_rng(1), np.zeros((1, BINS), np.uint32)
    values = np.concatenate([rng.normal(3, 0.5, 5000), [-9.0, 99.0]])
    count_into(counts[0], values, (0.0, 10.0))
    assert counts.sum() == 5002
    assert counts[0, 0] == counts[0, -1] == 1
    again = drawn(counts, (0.0, 10.0), 5000, rng)[0]
    assert again.mean() == pytest.approx(3.0, abs=0.05)
    assert again.std() == pytest.approx(0.5, abs=0.1)


def test_an_empty_histogram_is_flat_and_slots_are_distinct() -> None:
    flat = drawn(np.zeros((2, BINS), np.uint32), (2.0, 4.0), 3000, np.random.default_rng(1))
    assert flat.shape == (2, 3000)
    assert flat.mean() == pytest.approx(3.0, abs=0.05)
    assert len({slot(k, i) for k in range(1, 5) for i in range(k)}) == slot(5, 0) == 10


# --- the floor --------------------------------------------------------------------------------------------------------


def test_no_validation_event_is_used_twice_while_they_last(fitted: dict[Any, Any], validation: Collisions) -> None:
    floor = fitted[ValidationAgain][0]
    made = floor.sample(validation.entrance, np.random.default_rng(1))
    np.testing.assert_array_equal(made.momentum, validation.momentum)  # each condition finds its own event
    many = floor.sample(entrance_of(300, 6), np.random.default_rng(1))
    assert len(many) == 300


def test_assigned_events_are_near_and_repeat_only_where_needed() -> None:
    rng = np.random.default_rng(1)
    known, wanted = rng.permutation(np.linspace(0, 8, 400)), rng.uniform(0, 8, 100)
    chosen = assigned(wanted, known, np.arange(400) < 300, rng)
    assert len(np.unique(chosen)) == 100
    assert np.abs(known[chosen] - wanted).max() < REACH
    assert (chosen < 300).mean() > 0.85
    central = assigned(np.full(50, 3.0), known, np.ones(400, np.bool_), rng)
    assert np.abs(known[central] - 3.0).max() <= REACH
    assert len(np.unique(central)) > 5


def test_training_events_help_out_where_validation_has_none() -> None:
    known, first = np.array([1.0, 7.0, 7.4]), np.array([True, False, False])
    rng = np.random.default_rng(1)
    assert assigned(np.array([1.1, 7.0]), known, first, rng).tolist() == [0, 1]
    assert assigned(np.array([7.3]), known, first, rng)[0] in (1, 2)


def test_an_energy_without_events_takes_those_of_the_nearest(fitted: dict[Any, Any]) -> None:
    made = fitted[ValidationAgain][0].sample(entrance_of(30, 3, 71.0), np.random.default_rng(1))
    assert max(values.max() for values in violations(made).values()) < 1e-6
    usual = fitted[ValidationAgain][0].sample(entrance_of(30, 3), np.random.default_rng(1))
    one, other = (observables(events) for events in (usual, made))
    np.testing.assert_array_equal(one["A_largest"], other["A_largest"])
    assert other["forward_momentum"].mean() == pytest.approx(one["forward_momentum"].mean(), rel=0.06)


def test_conditions_of_many_channels_come_back_in_their_order(tmp_path: Path) -> None:
    mixed = [entrance_of(20, seed, energy, target=nucleus)
             for seed, (energy, nucleus) in enumerate([(62.0, CARBON), (80.0, CARBON), (62.0, OXYGEN)])]  # fmt: skip
    validation = joined([toy(one, 7) for one in mixed])
    floor = ValidationAgain()
    floor.fit(validation, validation, tmp_path)
    order = np.random.default_rng(1).permutation(60)
    made = floor.sample(validation.entrance.ordered(order), np.random.default_rng(1))
    assert max(values.max() for values in violations(made).values()) < 1e-6
    np.testing.assert_array_equal(made.momentum, validation.ordered(order).momentum)


def test_a_floor_without_validation_events_is_refused() -> None:
    with pytest.raises(BadInput, match="0 validation events"):
        ValidationAgain().fit(
            toy(entrance_of(2, 1), 1), toy(entrance_of(2, 1), 1).ordered(np.zeros(0, np.int64)), Path()
        )
