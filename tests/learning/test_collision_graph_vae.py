"""The graph autoencoder learns, goes on after an interruption, and its events conserve what nuclei conserve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cloudchamber.data.collision_particles import CLASSES, GAS, PER_NUCLEON, numbers_of, particles_of
from cloudchamber.data.collisions import Collisions, Entrance, Simulated, rounded
from cloudchamber.learning import collision_graph_vae as learning
from cloudchamber.learning.collision_graph_vae import (
    DIVERGENCE,
    HEAVY,
    MEAN,
    SPREAD,
    CollisionGraphGenerator,
    Fresh,
    GraphVAEShape,
    GraphVAETraining,
    Library,
    four_terms,
    momentum_distance,
)
from cloudchamber.learning.collision_latents import SIGNS, encoded, exchanged, largest, same_sizes, with_protons
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.networks.collision_graph_vae import GraphAutoencoder
from cloudchamber.schema import BadInput

SHAPE = GraphVAEShape(latent=3, width=16, layers=1, neighbours=4)
EPOCHS = 8


def made(n: int, seed: int) -> Collisions:
    """Two carbons that lose up to half of their nucleons to a gas, the more the more central; some hit oxygen."""
    rng = np.random.default_rng(seed)
    target = np.where((np.arange(n) % 10 == 9)[:, None], [16, 8], [12, 6])
    entrance = Entrance(np.tile([12, 6], (n, 1)), target, np.full(n, 62.0), rng.uniform(0, 8, n))
    left = 0.5 + entrance.impact_parameter / 16 - rng.uniform(0, 0.05, n)
    A = np.stack([target[:, 0], np.full(n, 12)], axis=1) * left[:, None]
    gas = np.round(100 * (12 + target[:, 0] - A.sum(axis=1))).astype(np.int64) // 2 * 2
    A *= ((12 + target[:, 0] - gas / 100) / A.sum(axis=1))[:, None]
    velocity = rng.normal(0, 8, (n, 2, 3))
    velocity[:, :, 2] += np.array([-150.0, 150.0])
    particles = rng.normal(0, 70, (int(gas.sum()), 3)).astype(np.float32)
    species = np.concatenate([np.arange(number) % 2 for number in gas]).astype(np.uint8)
    flat = A.reshape(-1)
    simulated = Simulated(
        np.full(n, 2), flat, flat / 2, np.zeros((2 * n, 3)), velocity.reshape(-1, 3) * flat[:, None],
        np.repeat(2.0 - entrance.impact_parameter / 4, 2) * flat, gas, species, np.zeros_like(particles), particles,
        100,
    )  # fmt: skip
    return rounded(entrance, simulated, rng)


def fresh(epochs: int = EPOCHS) -> CollisionGraphGenerator:
    options = TrainingOptions(epochs=epochs, batch_size=8, learning_rate=1e-2, averaging=0.9, clip=5.0)
    return CollisionGraphGenerator(SHAPE, options, seed=3)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[CollisionGraphGenerator, Path]:
    directory = tmp_path_factory.mktemp("graph")
    generator = fresh()
    generator.fit(made(160, 1), made(30, 2), directory)
    return generator, directory


def test_events_are_whole_and_conserve_under_their_conditions(fitted: tuple[CollisionGraphGenerator, Path]) -> None:
    condition = made(60, 7).entrance
    events = fitted[0].sample(condition, np.random.default_rng(1))
    assert events.entrance is condition
    assert len(events) == 60
    total = condition.projectile + condition.target
    assert events.sums(events.A).tolist() == total[:, 0].tolist()
    assert events.sums(events.Z).tolist() == total[:, 1].tolist()
    assert np.abs(events.sums(events.momentum)).max() < 1e-6
    assert events.energy() @ np.eye(len(events))[events.event_of] == pytest.approx(
        condition.available_energy(), abs=1e-5
    )


def test_numbers_add_up_before_rounding_already(fitted: tuple[CollisionGraphGenerator, Path]) -> None:
    condition = made(60, 7).entrance
    simulated = fitted[0].decoded(condition, np.random.default_rng(1))
    owner = np.repeat(np.arange(60), simulated.fragments)
    gas = np.repeat(np.arange(60), simulated.gas)
    total = condition.projectile + condition.target
    assert np.bincount(owner, simulated.A, 60) + simulated.gas / PER_NUCLEON == pytest.approx(total[:, 0])
    protons = np.bincount(gas, simulated.gas_species, 60) / PER_NUCLEON
    assert np.bincount(owner, simulated.Z, 60) + protons == pytest.approx(total[:, 1])


def test_peripheral_events_keep_more_than_central_ones(fitted: tuple[CollisionGraphGenerator, Path]) -> None:
    """The truth keeps 12 and 6 nucleons of a carbon; a short training finds part of it, no training less than 0.5."""
    condition = made(100, 4).entrance
    found = [
        largest(fitted[0].decoded(replace(condition, impact_parameter=np.full(100, b)), np.random.default_rng(1)))
        for b in (0.5, 7.5)
    ]
    assert found[0][:, 0].mean() + 1 < found[1][:, 0].mean()
    assert found[0][:, 5].mean() - 2 > found[1][:, 5].mean()


def test_impact_parameter_is_read_from_the_latent_vector(fitted: tuple[CollisionGraphGenerator, Path]) -> None:
    """Before training the correlations are within 0.35 of 0, errors of 60 events and a chance network."""
    events = made(60, 9)
    mean, log_variance, impact = fitted[0].latents(events)
    assert mean.shape == log_variance.shape == (60, SHAPE.latent)
    assert np.corrcoef(impact, events.entrance.impact_parameter)[0, 1] > 0.6
    seen = largest(fitted[0].reconstruct(events, np.random.default_rng(1)))
    assert events.simulated is not None
    assert np.corrcoef(seen[:, 5], largest(events.simulated)[:, 5])[0, 1] > 0.6


def test_restored_generator_samples_the_same_events(fitted: tuple[CollisionGraphGenerator, Path]) -> None:
    other = fresh()
    other.restore(fitted[1])
    condition = made(20, 4).entrance
    one, again, different = (
        by.sample(condition, np.random.default_rng(seed)) for by, seed in ((fitted[0], 1), (other, 1), (other, 2))
    )
    np.testing.assert_array_equal(one.momentum, again.momentum)
    assert not np.array_equal(one.momentum[:20], different.momentum[:20])


@pytest.mark.parametrize("name", ["weights.pt", "latent.pt"])
def test_damaged_files_are_refused_in_one_line(
    fitted: tuple[CollisionGraphGenerator, Path], tmp_path: Path, name: str
) -> None:
    for file in ("weights.pt", "latent.pt"):
        (tmp_path / file).write_bytes((fitted[1] / file).read_bytes())
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="holds no such trained network"):
        fresh().restore(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(BadInput, match="holds no such trained network"):
        fresh().restore(tmp_path)


def test_an_interrupted_training_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, assert_same_training: Callable[..., None]
) -> None:
    events, validation = made(24, 1), made(8, 2)
    fresh(3).fit(events, validation, tmp_path / "whole")
    whole = GraphVAETraining.loss

    def stop(self: GraphVAETraining, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        if self.current_epoch == 2:
            raise RuntimeError("out of time")
        return whole(self, batch)

    monkeypatch.setattr(GraphVAETraining, "loss", stop)
    with pytest.raises(RuntimeError, match="out of time"):
        fresh(3).fit(events, validation, tmp_path / "broken")
    monkeypatch.undo()
    fresh(3).fit(events, validation, tmp_path / "broken")
    assert_same_training(tmp_path / "broken", tmp_path / "whole", 3, 3)


def test_events_that_cannot_be_rounded_are_drawn_again(
    fitted: tuple[CollisionGraphGenerator, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def sometimes(entrance: Entrance, simulated: Simulated, rng: np.random.Generator) -> Collisions:
        asked.append(len(entrance))
        if len(asked) == 2:
            raise BadInput("no event is left")
        kept = np.arange(len(entrance))[:: 2 if len(asked) == 1 else 1]
        return rounded(entrance.ordered(kept), simulated.ordered(kept), rng)

    monkeypatch.setattr(learning, "rounded", sometimes)
    condition = made(20, 4).entrance
    events = fitted[0].sample(condition, np.random.default_rng(1))
    assert asked == [20, 10, 10]
    assert events.sums(events.A).tolist() == (condition.projectile + condition.target)[:, 0].tolist()

    def never(*_: object) -> Collisions:
        raise BadInput("no event is left")

    monkeypatch.setattr(learning, "rounded", never)
    with pytest.raises(BadInput, match="20 of 20 events could not be rounded"):
        fitted[0].sample(condition, np.random.default_rng(1))


def test_events_without_what_was_simulated_are_refused(tmp_path: Path) -> None:
    events = made(20, 1)
    with pytest.raises(BadInput, match="learns from real-valued fragments and gas"):
        fresh().fit(replace(events, simulated=None), events, tmp_path)


def test_a_set_has_no_distance_from_itself_in_another_order() -> None:
    torch.manual_seed(1)
    momentum, directions = torch.randn(2, 30, 3), torch.nn.functional.normalize(torch.randn(3, 5), dim=0)
    group = torch.arange(30).div(10, rounding_mode="floor").expand(2, -1)
    order = torch.cat([torch.randperm(10) + first for first in (0, 10, 20)])
    assert float(momentum_distance(momentum[:, order], momentum, group, directions)) < 1e-5
    across = momentum[
        :, torch.arange(30).flip(0)
    ]  # classes 0 and 2 change places: the same set, but not class by class
    assert float(momentum_distance(across, momentum, group, directions)) > 0.1


def test_a_shifted_and_widened_class_is_as_far_as_it_moved() -> None:
    torch.manual_seed(1)
    momentum, directions = torch.randn(1, 40, 3, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
    group = torch.arange(40).div(30, rounding_mode="floor")[None]  # 30 of class 0, 10 of class 1
    shift = torch.tensor([0.3, 0.0, -0.4], dtype=torch.float64)
    moved = momentum + shift * (group == 1)[..., None]
    # along the axes the mean square of the shift's parts is a third of 0.25, of a quarter of the particles
    expected = 0.25 * (0.25 + np.log1p(0.25 / MEAN**2))
    assert float(momentum_distance(moved, momentum, group, directions)) == pytest.approx(expected, rel=1e-6)
    centre = momentum[:, :30].mean(dim=1, keepdim=True)
    wide = torch.cat([centre + 1.2 * (momentum[:, :30] - centre), momentum[:, 30:]], dim=1)
    square = float((momentum[:, :30] - centre).square().sum(dim=2).mean())
    expected = 0.75 * (0.04 * square + np.log1p(0.04 * square / SPREAD**2))
    assert float(momentum_distance(wide, momentum, group, directions)) == pytest.approx(expected, rel=1e-6)


class Known(GraphAutoencoder):
    """Encodes as it is told, keeps what it is asked to decode, and answers with logits that are told."""

    def __init__(self, mean: float, log_variance: float, logits: torch.Tensor) -> None:
        super().__init__(latent=3, width=16, layers=1, neighbours=2)
        self.answers, self.logits = (mean, log_variance), logits  # type: ignore[assignment]
        self.asked: list[torch.Tensor] = []

    def encode(self, *known: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return tuple(torch.full((len(known[0]), 3), float(value)) for value in self.answers)  # type: ignore[return-value]

    def decode(
        self, z: torch.Tensor, condition: torch.Tensor, seeds: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        self.asked.append(z)
        return self.logits.expand(len(z), -1, -1), torch.zeros(*seeds.shape[:2], CLASSES, 3)


def batch_of(events: int) -> tuple[torch.Tensor, ...]:
    kind = torch.arange(10).repeat_interleave(16).expand(events, -1)
    return torch.zeros(events, 160, 3), kind, torch.zeros(events, 5), torch.zeros(events), torch.tensor(1)


def test_latent_vectors_have_the_sigma_of_half_the_log() -> None:
    network = Known(0.5, -2.0, torch.zeros(160, 10))
    with torch.no_grad():
        terms = four_terms(network, batch_of(4000))
    z = network.asked[0]
    # 12 000 numbers: errors of 0.004 and 0.003
    assert float(z.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(z.std()) == pytest.approx(np.exp(-1.0), abs=0.015)
    assert float(terms[1]) == pytest.approx(DIVERGENCE * 3 * 0.5 * (0.25 + np.exp(-2.0) - 1 + 2.0), rel=1e-5)


def test_wrong_numbers_of_nucleons_in_fragments_are_penalised() -> None:
    kind = batch_of(1)[1][0]
    right = 50.0 * torch.nn.functional.one_hot(kind, 10)
    gas = torch.zeros(160, 10)
    gas[:, -1] = 50.0  # each of four fragments lacks its 32 particles, four nucleons
    with torch.no_grad():
        assert float(four_terms(Known(0, 0, right), batch_of(2))[3]) < 1e-6
        assert float(four_terms(Known(0, 0, gas), batch_of(2))[3]) == pytest.approx(HEAVY * 4 * 16.0)


def test_protons_too_many_or_too_few_change_in_the_gas_first() -> None:
    kind = torch.tensor([[0, 0, 1, 1, 8, 8, 9, 9], [0, 0, 0, 1, 8, 8, 8, 8], [0, 0, 1, 1, 8, 8, 9, 9]])
    found = with_protons(kind, torch.tensor([1, 3, 4]))
    expected = [[0, 0, 1, 0, 8, 8, 8, 8], [0, 0, 0, 1, 8, 8, 9, 9], [0, 0, 1, 1, 8, 8, 9, 9]]
    assert found.tolist() == expected


def test_exchanged_nuclei_move_backwards_and_change_places() -> None:
    entrance = made(20, 1).entrance
    which = np.arange(20) % 2 == 1
    other = exchanged(entrance, which)
    np.testing.assert_array_equal(other.projectile[9], entrance.target[9])
    np.testing.assert_array_equal(other.target[9], entrance.projectile[9])
    np.testing.assert_array_equal(other.target[0], entrance.target[0])
    assert SIGNS.prod(axis=1).tolist() == [1, -1, 1, -1]  # exchange is a rotation by half a turn, mirroring is none
    assert (SIGNS[2:, 2] == -1).all()


def test_symmetric_forms_of_an_event_are_encoded_apart(fitted: tuple[CollisionGraphGenerator, Path]) -> None:
    model = fitted[0].model
    assert model is not None
    forms = [encoded(model, made(20, 5), form, np.random.default_rng(1), "cpu")[0] for form in range(len(SIGNS))]
    for one in range(4):
        for other in range(one):
            assert (forms[one] - forms[other]).abs().max() > 1e-3


def test_batches_hold_every_event_once_and_one_size() -> None:
    events = made(50, 1)
    rows = same_sizes(events.entrance, 8, np.random.default_rng(1).permutation(50))
    assert sorted(np.concatenate(rows).tolist()) == list(range(50))
    assert all(len(set(numbers_of(events.entrance)[some])) == 1 and len(some) <= 8 for some in rows)
    one, two = (list(Fresh(events, rows[:1], (1,), varied)) for varied in (True, False))
    assert one[0][1].shape == (len(rows[0]), int(numbers_of(events.entrance)[rows[0]][0]))
    assert not torch.equal(one[0][0], two[0][0])


def test_events_are_chosen_among_the_nearest_of_the_same_nuclei() -> None:
    events = made(400, 3).entrance
    energy = np.where(np.arange(400) % 2 == 0, 62.0, 80.0)
    library = Library(replace(events, energy=energy), torch.zeros(400, 3), torch.zeros(400, 3))
    condition = replace(events, impact_parameter=np.full(400, 4.0), energy=np.full(400, 62.0))
    chosen = library.chosen(condition, np.random.default_rng(1))
    np.testing.assert_array_equal(events.target[chosen], condition.target)
    assert (energy[chosen][condition.target[:, 0] == 12] == 62.0).all()
    # 32 of the 180 events of carbon at 62 MeV are within 0.8 fm or so of 4 fm; of oxygen there are 40 in all
    off = np.abs(events.impact_parameter[chosen] - 4.0)
    assert off[condition.target[:, 0] == 12].max() < 1.3
    assert len(np.unique(chosen)) > 30
    # nuclei that were never seen: the most similar ones
    other = library.chosen(replace(condition, target=np.tile([14, 7], (400, 1))), np.random.default_rng(1))
    assert set(events.target[other, 0]) <= {12, 16}


def test_largest_fragment_of_events_with_and_without_fragments() -> None:
    simulated = Simulated(
        np.array([2, 0]), np.array([7.0, 5.0]), np.array([3.0, 2.0]), np.zeros((2, 3)),
        np.array([[0.0, 300.0, 400.0], [0.0, 0.0, 1.0]]), np.array([9.0, 1.0]), np.array([10, 192]),
        np.zeros(202, np.uint8), np.zeros((202, 3), np.float32), np.zeros((202, 3), np.float32), 8,
    )  # fmt: skip
    assert largest(simulated)[0] == pytest.approx([7, 500, np.arctan2(3, 4), 9, 2, 10 / 8])
    assert largest(simulated)[1].tolist() == [0, 0, 0, 0, 0, 24]


def test_particles_of_made_events_have_the_classes_they_should() -> None:
    events = made(20, 1)
    assert events.simulated is not None
    kinds = particles_of(events.entrance, events.simulated, np.random.default_rng(1)).kind
    assert set(np.unique(kinds)) == {0, 1, GAS}
