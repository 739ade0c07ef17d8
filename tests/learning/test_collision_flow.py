"""The flow of nuclear collisions learns, restores, goes on; states keep every nucleus; an energy can be left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cloudchamber.data.collisions import Collisions, Entrance, Simulated, rounded
from cloudchamber.learning.collision_flow import (
    CollisionFlowGenerator,
    CollisionFlowShape,
    condition_of,
    events_of,
    groups,
    repeated,
    states_of,
)
from cloudchamber.learning.collision_matching import sorting
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.networks.collision_flow import SLOTS
from cloudchamber.schema import BadInput

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPE = CollisionFlowShape(width=8, pooled=6, layers=1, count_width=8, steps=2)


def events(n: int, seed: int = 1) -> Collisions:
    """Two fragments that lose nucleons the more the more central; every fifth event at 95 MeV per nucleon."""
    rng = np.random.default_rng(seed)
    nuclei = np.tile((12, 6), (n, 1))
    b = rng.uniform(0, 8, n)
    energy = np.where(np.arange(n) % 5 == 4, 95.0, 62.0)
    A = np.repeat(6 + 0.7 * b, 2) + rng.uniform(-0.3, 0.3, 2 * n)
    speed = np.repeat(170 * np.sqrt(energy / 62), 2) * np.tile([1, -1], n)
    momentum = np.zeros((2 * n, 3))
    momentum[:, 2] = A * (speed + rng.normal(0, 4, 2 * n))
    momentum[:, 0] = A * np.repeat(8 - b, 2) * np.tile([2, -2], n)
    gas = np.full(n, 60)
    simulated = Simulated(
        np.full(n, 2), A, A / 2, np.zeros((2 * n, 3)), momentum, np.repeat(8 - b, 2), gas,
        np.tile([0, 1], 30 * n).astype(np.uint8), np.zeros((60 * n, 3), np.float32),
        rng.normal(0, 120, (60 * n, 3)).astype(np.float32), 6,
    )  # fmt: skip
    return rounded(Entrance(nuclei, nuclei, energy, b), simulated, rng)


def generator(epochs: int, **settings: object) -> CollisionFlowGenerator:
    counting = TrainingOptions(epochs=epochs, batch_size=32, learning_rate=0.01, averaging=0.9)
    flowing = TrainingOptions(epochs=epochs, batch_size=32, learning_rate=0.01, averaging=0.9)
    return CollisionFlowGenerator(SHAPE, counting, flowing, 1, **settings)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[CollisionFlowGenerator, Path]:
    directory = tmp_path_factory.mktemp("flow")
    flow = generator(4)
    flow.fit(events(80), events(20, seed=2), directory)
    return flow, directory


def test_fragments_follow_the_impact_parameter_after_training(fitted: tuple[CollisionFlowGenerator, Path]) -> None:
    nuclei = np.tile((12, 6), (300, 1))
    central, peripheral = (
        fitted[0].sample(Entrance(nuclei, nuclei, np.full(300, 62.0), np.full(300, b)), np.random.default_rng(1))
        for b in (0.5, 7.5)
    )
    bound = [one.sums(np.where(one.A > 1, one.A, 0)).mean() for one in (central, peripheral)]
    assert bound[1] > bound[0] + 3  # 12.7 and 22.5 in the training
    for one in (central, peripheral):
        assert np.abs(one.sums(one.momentum)).max() < 1e-8
        assert np.abs(one.sums(one.energy()) - one.entrance.available_energy()).max() < 1e-6
        assert one.sums(one.A).tolist() == [24.0] * 300


def test_restored_flow_makes_the_same_events(fitted: tuple[CollisionFlowGenerator, Path]) -> None:
    flow, directory = fitted
    again = generator(4)
    again.restore(directory)
    asked = events(40, seed=3).entrance
    first, second = (one.sample(asked, np.random.default_rng(7)) for one in (flow, again))
    np.testing.assert_array_equal(first.A, second.A)
    np.testing.assert_array_equal(first.momentum, second.momentum)
    np.testing.assert_array_equal(first.entrance.impact_parameter, asked.impact_parameter)


def test_fitting_again_goes_on_where_it_ended(fitted: tuple[CollisionFlowGenerator, Path], tmp_path: Path) -> None:
    train, validation = events(80), events(20, seed=2)
    stopped = generator(4)
    stopped.options = stopped.options.changed({"epochs": 1})
    stopped.fit(train, validation, tmp_path)
    before = (tmp_path / "nuclei" / "weights.pt").read_bytes()
    assert before == (fitted[1] / "nuclei" / "weights.pt").read_bytes()
    generator(4).fit(train, validation, tmp_path)
    assert (tmp_path / "nuclei" / "weights.pt").read_bytes() == before  # the first training is not made again


def test_damaged_or_missing_weights_are_one_clear_error(
    fitted: tuple[CollisionFlowGenerator, Path], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="holds no such trained network"):
        generator(1).restore(tmp_path)
    for name in ("about.json", "weights.pt"):
        (tmp_path / name).write_bytes((fitted[1] / name).read_bytes())
    content = (tmp_path / "weights.pt").read_bytes()
    (tmp_path / "weights.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInput, match="holds no such trained network"):
        generator(1).restore(tmp_path)


def test_nuclei_heavier_than_the_training_are_refused(fitted: tuple[CollisionFlowGenerator, Path]) -> None:
    oxygen = np.array([[16, 8]])
    asked = Entrance(oxygen, oxygen, np.array([62.0]), np.array([3.0]))
    with pytest.raises(BadInput, match="A = 32 of both nuclei"):
        fitted[0].sample(asked, np.random.default_rng(1))


def test_an_energy_left_out_is_not_learned_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = []

    def remembered(some: Collisions, *, both_ways: bool) -> None:
        seen.append(set(some.entrance.energy.tolist()))
        raise KeyboardInterrupt

    monkeypatch.setattr("cloudchamber.learning.collision_flow.states_of", remembered)
    with pytest.raises(KeyboardInterrupt):
        generator(1, left_out=62.0).fit(events(40), events(20), tmp_path)
    assert seen == [{95.0}]
    only = events(40)
    only = only.ordered(only.entrance.energy == 62.0)
    with pytest.raises(BadInput, match="0 training and 0 validation events"):
        generator(1, left_out=62.0).fit(only, only, tmp_path)


def test_states_hold_every_nucleus_the_most_forward_fragment_first() -> None:
    some = events(20)
    states = states_of(some, both_ways=False)
    assert len(states) == 20
    assert states.A.sum(1).tolist() == [24] * 20
    assert states.Z.sum(1).tolist() == [12] * 20
    assert float(states.momentum.sum(1).abs().max()) < 1e-8
    forward = states.momentum[:, :SLOTS, 2]
    there = states.A[:, :SLOTS] > 0
    later = there[:, 1:]
    assert bool((forward[:, :-1] >= forward[:, 1:])[later].all())
    gas = states.A[:, SLOTS:]
    assert bool((gas <= 1).all())
    protons = (states.Z[:, SLOTS:] * 1).diff(dim=1)[gas[:, 1:] > 0]
    assert bool((protons >= 0).all())  # neutrons, then protons


def test_the_exchange_turns_projectile_and_target_about() -> None:
    some = events(6)
    helium = Entrance(np.tile((4, 2), (6, 1)), some.entrance.target, some.entrance.energy, np.arange(6.0))
    one = Collisions(helium, some.nuclei, some.A, some.Z, some.momentum, some.excitation)
    states = states_of(one, both_ways=True)
    assert states.condition[6:, :4].tolist() == [[12.0, 6.0, 4.0, 2.0]] * 6
    assert states.condition[6:, 5].tolist() == list(range(6))
    first, second = (states.momentum[rows].numpy() for rows in (slice(0, 6), slice(6, 12)))
    for way, sign in ((0, -1), (1, 1), (2, -1)):
        np.testing.assert_allclose(np.sort(second[..., way], axis=1), np.sort(sign * first[..., way], axis=1))


def test_repeated_events_are_rounded_anew() -> None:
    some = events(5)
    three = repeated(some, 3, np.random.default_rng(1))
    assert len(three) == 15
    assert not np.array_equal(three.momentum[: len(some.A)], three.momentum[len(some.A) : 2 * len(some.A)])
    whole = Collisions(some.entrance, some.nuclei, some.A, some.Z, some.momentum, some.excitation)
    assert len(repeated(whole, 2, np.random.default_rng(1))) == 10


def test_sorting_moves_nucleons_within_their_kind_only() -> None:
    A = torch.tensor([[5, 4, 0, 0, 0, 1, 1, 1, 0]])
    Z = torch.tensor([[2, 2, 0, 0, 0, 0, 0, 1, 0]])
    u = torch.zeros(1, 9, 4)
    u[0, :, 2] = torch.tensor([3.0, 1.0, 0, 0, 0, 2.0, -50.0, -90.0, 0])
    assert sorting(A, Z, u).tolist() == [[0, 1, 2, 3, 4, 6, 5, 7, 8]]


def test_groups_hold_every_event_once() -> None:
    number = np.random.default_rng(1).integers(5, 40, 3000)
    found = groups(number)
    assert sorted(np.concatenate(found).tolist()) == list(range(3000))
    assert len(found) > 3
    assert all(len(rows) * number[rows].max() <= 8192 for rows in found)


def test_padded_events_lose_nothing_but_the_padding() -> None:
    some = events(4)
    states = states_of(some, both_ways=False)
    arrays = [getattr(states, name).numpy() for name in ("A", "Z", "momentum", "excitation")]
    again = events_of(some.entrance, *arrays)
    assert again.nuclei.tolist() == some.nuclei.tolist()
    assert again.sums(again.energy()) == pytest.approx(some.sums(some.energy()), abs=1e-9)
    assert condition_of(again.entrance)[0].tolist()[:5] == [12.0, 6.0, 12.0, 6.0, 62.0]
