"""The GAN of interactions: what it makes, what the ablation conserves, going on after a crash, and its training."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cloudchamber.learning.gan import GANTraining, Shuffled
from cloudchamber.learning.interaction_gan import (
    CONDITIONS,
    SAME_KINDS,
    InteractionGAN,
    KindSampler,
    beam_features,
    finished,
)
from cloudchamber.learning.options import GANOptions
from cloudchamber.metrics.interactions import observables, violations
from cloudchamber.networks.interaction_gan import (
    FlatStates,
    InteractionDiscriminator,
    InteractionGenerator,
    generated,
    owners,
    turned,
)
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import ELASTIC, Beam, Events, incoming_of
from cloudchamber.simulators.hadronic.kinematics import project, to_rest
from cloudchamber.simulators.hadronic.particles import masses

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*", "ignore::DeprecationWarning:lightning.*")

DIRECTION = np.array([0.6, 0.6, 0.28**0.5])
CHANNELS = [(211, 2212), (211, 111, 2212), (211, 211, 2112), (211, 211, -211, 2212), (211, 321, -321, 111, 2212)]
"""Final states of pi+ p."""


def beam(n: int, projectile: int = 211, energy: float = 25.0) -> Beam:
    return Beam(np.full(n, projectile, np.int32), np.ones(n, np.int32), np.full(n, energy), np.tile(DIRECTION, (n, 1)))


def kinds_of(n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    chosen = [CHANNELS[number] for number in rng.integers(len(CHANNELS), size=n)]
    offsets = np.concatenate([[0], np.cumsum([len(kinds) for kinds in chosen])]).astype(np.int64)
    return offsets, np.array([code for kinds in chosen for code in kinds], np.int32)


class FromTheList:
    """Kinds of ``CHANNELS``."""

    def sample_kinds(self, beam: Beam, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        return kinds_of(len(beam), rng)


def interactions(n: int, seed: int) -> Events:
    """Gaussian momenta, projected."""
    rng = np.random.default_rng(seed)
    some = beam(n)
    offsets, kind = kinds_of(n, rng)
    space = rng.normal(size=(len(kind), 3)) * [0.3, 0.3, 1.0]
    whole = incoming_of(some)[1]
    energy = np.sqrt(whole[:, 0] ** 2 - (whole[:, 1:] ** 2).sum(axis=1))
    momentum, _, good = project(space, masses(kind), offsets, energy)
    return finished(some, offsets, kind, momentum).part(good)


def tiny(epochs: int, kinds: KindSampler | None = None) -> InteractionGAN:
    options = GANOptions(epochs=epochs, batch_size=64, width=16, noise=4, averaging=0.8, generator_rate=1e-3)
    return InteractionGAN("tiny", options, seed=3, kinds=kinds)


@pytest.fixture(scope="module", params=["published", "given kinds"])
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[InteractionGAN, Path]:
    directory = tmp_path_factory.mktemp("gan")
    gan = tiny(2, FromTheList() if request.param == "given kinds" else None)
    gan.fit(interactions(400, 1), interactions(100, 2), directory)
    return gan, directory


# --- what is made -----------------------------------------------------------------------------------------------------


def test_generated_events_have_their_form(fitted: tuple[InteractionGAN, Path]) -> None:
    events = fitted[0].sample(beam(1100), np.random.default_rng(0))
    assert len(events) == 1100
    assert events.offsets[-1] == len(events.kind) == len(events.momentum)
    assert events.kind.dtype == np.int32
    assert (events.count >= 2).all()
    assert (events.count <= 5).all()
    assert set(events.kind.tolist()) <= {code for kinds in CHANNELS for code in kinds}
    assert np.isfinite(events.momentum).all()
    square = events.momentum[:, 0] ** 2 - (events.momentum[:, 1:] ** 2).sum(axis=1)
    np.testing.assert_allclose(square, masses(events.kind) ** 2, atol=1e-9)
    np.testing.assert_array_equal(events.nucleus, 2212)
    np.testing.assert_array_equal(events.incoming, incoming_of(events.beam)[1])
    owner = events.event_of
    energy = to_rest(events.momentum, events.incoming[owner], events.beam.direction[owner])[:, 0]
    assert (np.diff(energy)[np.diff(owner) == 0] <= 1e-9).all()
    assert all(np.isfinite(values).all() for values in observables(events).values())


def test_elastic_is_what_leaves_as_it_came(fitted: tuple[InteractionGAN, Path]) -> None:
    events = fitted[0].sample(beam(500), np.random.default_rng(1))
    for number in range(500):
        kind = sorted(events.kind[events.offsets[number] : events.offsets[number + 1]].tolist())
        assert (events.channel[number] == ELASTIC) == (kind == [211, 2212])


def test_only_the_ablation_conserves_energy_and_momentum(fitted: tuple[InteractionGAN, Path]) -> None:
    off = violations(fitted[0].sample(beam(1000), np.random.default_rng(2)))
    if fitted[0].kinds is None:
        assert (off["charge"] > 0).mean() > 0.2
        assert (off["energy_momentum"] > 0.1).mean() > 0.9
        return
    for name in ("charge", "baryon_number", "strangeness"):
        assert (off[name] == 0).all(), name
    assert off["energy_momentum"].max() < 1e-9


def test_given_kinds_are_kept_event_by_event(fitted: tuple[InteractionGAN, Path]) -> None:
    gan = fitted[0]
    if gan.kinds is None:
        return
    rng = np.random.default_rng(4)
    events = gan.sample(beam(300), rng)
    same = np.random.default_rng(4)
    same.integers(2**62)
    offsets, kind = kinds_of(300, same)
    np.testing.assert_array_equal(events.offsets, offsets)
    for first, stop in pairwise(offsets):
        assert sorted(events.kind[first:stop].tolist()) == sorted(kind[first:stop].tolist())


def test_numbers_of_particles_are_the_training_s(fitted: tuple[InteractionGAN, Path]) -> None:
    events = fitted[0].sample(beam(4000), np.random.default_rng(5))
    true = np.bincount(interactions(400, 1).count, minlength=6) / 400
    found = np.bincount(events.count, minlength=6) / 4000
    np.testing.assert_allclose(found, true, atol=0.06)


def test_azimuths_of_generated_events_are_uniform(fitted: tuple[InteractionGAN, Path]) -> None:
    events = fitted[0].sample(beam(2000), np.random.default_rng(6))
    first = events.offsets[:-1]
    momentum = to_rest(events.momentum[first], events.incoming, events.beam.direction)
    angle = np.arctan2(momentum[:, 2], momentum[:, 1])
    for moment in (1, 2, 3):
        assert abs(np.exp(1j * moment * angle).mean()) < 4 / 2000**0.5


def test_the_same_seed_gives_the_same_events(fitted: tuple[InteractionGAN, Path]) -> None:
    one, two, other = (fitted[0].sample(beam(50), np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.momentum, two.momentum)
    np.testing.assert_array_equal(one.kind, two.kind)
    assert not np.array_equal(one.momentum[:20], other.momentum[:20])


def test_a_restored_gan_makes_the_same_events(fitted: tuple[InteractionGAN, Path]) -> None:
    gan, directory = fitted
    other = tiny(1, gan.kinds)
    other.restore(directory)
    one, two = (some.sample(beam(50), np.random.default_rng(7)) for some in (gan, other))
    np.testing.assert_array_equal(one.momentum, two.momentum)
    assert sorted(path.name for path in directory.iterdir()) == ["generator.json", "history.csv", "weights.pt"]
    lines = (directory / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,train_loss,mean_distance,seconds_per_step"
    assert len(lines) == 3
    about = json.loads((directory / "generator.json").read_text())
    assert about["codes"] == sorted({code for kinds in CHANNELS for code in kinds})


def test_an_empty_beam_gives_no_events(fitted: tuple[InteractionGAN, Path]) -> None:
    events = fitted[0].sample(beam(0), np.random.default_rng(0))
    assert len(events) == 0
    assert len(events.kind) == 0


# --- refused ----------------------------------------------------------------------------------------------------------


def test_weights_of_another_gan_are_not_restored(tmp_path: Path, fitted: tuple[InteractionGAN, Path]) -> None:
    with pytest.raises(BadInput, match="holds no such trained network"):
        tiny(1).restore(tmp_path)
    other = None if fitted[0].kinds else FromTheList()
    with pytest.raises(BadInput, match="holds no such trained network"):
        tiny(1, other).restore(fitted[1])


def test_a_projectile_that_was_not_trained_is_refused(fitted: tuple[InteractionGAN, Path]) -> None:
    with pytest.raises(BadInput, match="knows the projectiles pi"):
        fitted[0].sample(beam(3, projectile=13), np.random.default_rng(0))


class Strange:
    """A kind that nobody has seen."""

    def sample_kinds(self, beam: Beam, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        return np.arange(len(beam) + 1) * 2, np.tile(np.array([3112, 2212], np.int32), len(beam))


class Heavy:
    """More than there is energy for, now and then or always."""

    def __init__(self, always: bool) -> None:
        self.always = always
        self.asked: list[int] = []

    def sample_kinds(self, beam: Beam, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        self.asked.append(len(beam))
        count = np.where((rng.random(len(beam)) < 0.3) | self.always, 9, 2)
        offsets = np.concatenate([[0], np.cumsum(count)])
        kind = np.full(offsets[-1], 2212, np.int32)
        kind[offsets[:-1]] = 211
        return offsets, kind


def test_given_kinds_that_were_not_learned_are_refused(fitted: tuple[InteractionGAN, Path]) -> None:
    if fitted[0].kinds is None:
        return
    gan = tiny(1, Strange())
    gan.restore(fitted[1])
    with pytest.raises(BadInput, match="not learned particles of kind 3112"):
        gan.sample(beam(3), np.random.default_rng(0))


def test_kinds_too_heavy_for_the_energy_are_drawn_again(fitted: tuple[InteractionGAN, Path]) -> None:
    if fitted[0].kinds is None:
        return
    now_and_then = Heavy(always=False)
    gan = tiny(1, now_and_then)
    gan.restore(fitted[1])
    events = gan.sample(beam(100), np.random.default_rng(0))
    assert len(events) == 100
    assert (events.count == 2).all()
    assert violations(events)["energy_momentum"].max() < 1e-9
    assert len(now_and_then.asked) > 1
    assert now_and_then.asked[1] < 50
    always = Heavy(always=True)
    gan.kinds = always
    with pytest.raises(BadInput, match="no momenta for 5 of 5 events"):
        gan.sample(beam(5), np.random.default_rng(0))
    assert len(always.asked) == 1 + 100 // SAME_KINDS


def test_empty_training_or_validation_events_are_refused(tmp_path: Path) -> None:
    some = interactions(70, 1)
    with pytest.raises(BadInput, match="the validation events are none"):
        tiny(1).fit(some, some.ordered(np.zeros(0, np.int64)), tmp_path)
    with pytest.raises(BadInput, match="the training events are none"):
        tiny(1).fit(some.ordered(np.zeros(0, np.int64)), some, tmp_path)


# --- interrupted ------------------------------------------------------------------------------------------------------


class Crash(Exception):
    pass


@pytest.mark.parametrize("kinds", [None, FromTheList()])
def test_interrupted_training_ends_with_the_same_weights(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kinds: KindSampler | None,
    assert_same_training: Callable[..., None],
) -> None:
    train, validation = interactions(260, 1), interactions(64, 2)
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    step = GANTraining.training_step

    def crashing(self: GANTraining, batch: tuple[torch.Tensor, ...], number: int) -> None:
        if (self.current_epoch, number) == (2, 1):
            raise Crash
        step(self, batch, number)

    with monkeypatch.context() as patch:
        patch.setattr(GANTraining, "training_step", crashing)
        with pytest.raises(Crash):
            tiny(4, kinds).fit(train, validation, broken)
    assert not (broken / "weights.pt").exists()
    torch.rand(7)  # the state of torch's own random numbers means nothing
    tiny(4, kinds).fit(train, validation, broken)
    tiny(4, kinds).fit(train, validation, whole)
    assert_same_training(broken, whole, epochs=4, columns=3)


# --- parts ------------------------------------------------------------------------------------------------------------


def states() -> FlatStates:
    count = torch.tensor([2, 3, 1, 4])
    return FlatStates(torch.arange(4.0)[:, None], count, torch.arange(10), torch.arange(30.0).reshape(10, 3))


def test_batches_hold_whole_events() -> None:
    condition, count, kind, momentum = states().batch(torch.tensor([3, 0]))
    assert condition[:, 0].tolist() == [3, 0]
    assert count.tolist() == [4, 2]
    assert kind.tolist() == [6, 7, 8, 9, 0, 1]
    assert momentum[:, 0].tolist() == [18, 21, 24, 27, 0, 3]


def test_a_pass_meets_every_event_once_in_an_order_of_its_seed() -> None:
    passes = [[batch[0][:, 0].tolist() for batch in Shuffled(states(), 2, (1, 1, epoch))] for epoch in (0, 0, 1, 2)]
    assert passes[0] == passes[1]
    assert any(passes[0] != other for other in passes[2:])
    for one in passes:
        assert sorted(chain.from_iterable(one)) == [0, 1, 2, 3]


def test_turning_an_event_about_the_beam_keeps_its_angles() -> None:
    count, momentum = torch.tensor([2, 3]), torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    after = turned(momentum, count, torch.Generator().manual_seed(2))
    assert not torch.allclose(after[:, :2], momentum[:, :2])
    torch.testing.assert_close(after[:, 2], momentum[:, 2])
    for rows in (slice(0, 2), slice(2, 5)):
        torch.testing.assert_close(after[rows] @ after[rows].T, momentum[rows] @ momentum[rows].T)


def test_condition_tells_beams_apart() -> None:
    some = beam_features(Beam(np.array([211, 130], np.int32), np.array([1, 82], np.int32), np.array([25.0, 10.0]),
                             np.tile(DIRECTION, (2, 1))))  # fmt: skip
    assert some.shape == (2, CONDITIONS)
    assert some.sum(dim=1).tolist() == pytest.approx([2 + np.log(2.5), 2.0])
    assert not torch.equal(some[0], some[1])


def test_regulariser_is_that_of_roth_and_others() -> None:
    """gamma (1 - D)^2 |grad logit|^2 on true, gamma D^2 |grad logit|^2 on generated events, event by event."""
    torch.manual_seed(0)
    network = InteractionGenerator(CONDITIONS, 3, 4, 2, 8, 0.5)
    judge = InteractionDiscriminator(CONDITIONS, torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0.3, 0.3, 1.1]), 8)
    judge = judge.double()
    training = GANTraining(network, judge, GANOptions(epochs=1), states(), lambda network: 0.0, 0)
    condition, count = torch.randn(3, CONDITIONS).double(), torch.tensor([2, 1, 4])
    kind = torch.nn.functional.one_hot(torch.tensor([0, 1, 2, 0, 0, 1, 2]), 3).double()
    momentum = torch.randn(7, 3).double()
    for sign in (1.0, -1.0):
        plain, regular = (
            training._log_loss(condition, count, kind, momentum, sign, weight).item() for weight in (0.0, 0.7)
        )
        expected = 0.0
        owner = owners(count)
        for event in range(3):
            mine = owner == event

            def logit(inputs: torch.Tensor) -> torch.Tensor:
                one, three = inputs[:, :3], inputs[:, 3:] * judge.scale
                return judge(condition[event : event + 1], count[event : event + 1], one, three)[0]  # noqa: B023

            inputs = torch.cat([kind[mine], momentum[mine] / judge.scale], dim=1)
            slope = torch.autograd.functional.jacobian(logit, inputs)
            d = torch.sigmoid(logit(inputs)).item()
            expected += 0.7 * ((1 - d) if sign > 0 else d) ** 2 * slope.square().sum().item() / 3
        assert regular - plain == pytest.approx(expected, rel=1e-6)


def played(monkeypatch: pytest.MonkeyPatch, *phases: tuple[int, float, float]) -> GANTraining:
    """A training on final states of one width after phases of so many steps, with rates of generator and discriminator;
    a rate of 0 keeps a player as it was."""
    torch.manual_seed(1)
    network = InteractionGenerator(CONDITIONS, 3, 4, 2, 16, 0.5)
    judge = InteractionDiscriminator(CONDITIONS, torch.tensor([0.1, 0.5, 0.9]), torch.ones(3), 16)
    training = GANTraining(network, judge, GANOptions(epochs=1), states(), lambda network: 0.0, 0)
    optimisers, _ = training.configure_optimizers()
    monkeypatch.setattr(training, "optimizers", lambda: optimisers)
    monkeypatch.setattr(training, "manual_backward", lambda loss: loss.backward())
    particles = int(COUNT.sum())
    for steps, *rates in phases:
        for optimiser, rate in zip(optimisers, rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate
        for number in range(steps):
            truth = torch.arange(particles) % 3, torch.randn(particles, 3)
            training.training_step((torch.zeros(60, CONDITIONS), COUNT, *truth), number)
    return training


COUNT = torch.tensor([2, 3, 4] * 20)


def said_of_generated(training: GANTraining) -> float:
    condition = torch.zeros(60, CONDITIONS)
    made = generated(training.generator, condition, COUNT, None, torch.Generator().manual_seed(1))
    return training.discriminator(condition, COUNT, *made).mean().item()


def test_discriminator_learns_to_tell_real_from_made(monkeypatch: pytest.MonkeyPatch) -> None:
    training = played(monkeypatch, (60, 0.0, 5e-3))
    losses = torch.stack(training._losses)
    assert losses[0] == pytest.approx(2 * np.log(2), abs=0.05)
    assert losses[-5:].mean() < 0.3
    assert said_of_generated(training) < -1


def test_generator_learns_to_deceive_the_discriminator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a discriminator that has learned, and stays as it is. The numbers are learned beside it."""
    training = played(monkeypatch, (60, 0.0, 5e-3), (60, 1e-2, 0.0))
    assert said_of_generated(training) > 0
    assert training.generator.multiplicity is not None
    chance = training.generator.multiplicity(torch.zeros(1, CONDITIONS)).softmax(dim=1)[0]
    torch.testing.assert_close(chance, torch.tensor([0, 0, 1, 1, 1]) / 3, rtol=0, atol=0.05)
