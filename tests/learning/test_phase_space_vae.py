"""The talk's autoencoder as a generator: what it makes, reads back, refuses, and its training."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cloudchamber.data.collisions import Collisions, Entrance, Simulated, rounded
from cloudchamber.data.phase_space_histograms import SHAPE, encode, read_fragments
from cloudchamber.learning import phase_space_vae
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.phase_space_training import (
    WARMTH,
    Images,
    LossWeights,
    PhaseSpaceTraining,
    fragment_columns,
    heavy_error,
    mean_distance,
)
from cloudchamber.learning.phase_space_vae import PhaseSpaceVAE, neighbours
from cloudchamber.networks.phase_space_vae import HistogramVAE, VAEShape
from cloudchamber.schema import BadInput

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*", "ignore::DeprecationWarning:lightning.*")

SIZES = VAEShape(latent=2, width=2, hidden=16)


def entrance(number: int, energy: float = 62.0) -> Entrance:
    nucleus = np.tile([12, 6], (number, 1))
    return Entrance(nucleus, nucleus, np.full(number, energy), np.linspace(0.5, 7.5, number))


def collisions(number: int = 24, seed: int = 1) -> Collisions:
    """Two remnants, the heavier the larger the impact parameter, which fly on at less than the speed of the beam."""
    rng = np.random.default_rng(seed)
    condition = entrance(number)
    A = np.repeat(5 + 0.8 * condition.impact_parameter, 2)
    forward = np.tile([1.0, -1.0], number)
    theta = rng.uniform(0.05, 0.4, number).repeat(2)
    unit = np.stack([np.sin(theta) * forward, np.zeros(2 * number), np.cos(theta) * forward], axis=1)
    momentum = 150 * A[:, None] * unit
    gas = np.rint(50 * (24 - 2 * A[::2])).astype(np.int64)
    simulated = Simulated(
        np.full(number, 2), A, A / 2, momentum / A[:, None] * 0.2, momentum, 0.8 * A, gas,
        (np.arange(gas.sum()) % 2).astype(np.uint8), rng.normal(0, 20, (gas.sum(), 3)).astype(np.float32),
        rng.normal(0, 110, (gas.sum(), 3)).astype(np.float32), 50,
    )  # fmt: skip
    return rounded(condition, simulated, rng)


def tiny(epochs: int = 2, seed: int = 3) -> PhaseSpaceVAE:
    options = TrainingOptions(epochs=epochs, batch_size=8, learning_rate=3e-3, averaging=0.8)
    return PhaseSpaceVAE(seed, SIZES, options)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[PhaseSpaceVAE, Path]:
    directory = tmp_path_factory.mktemp("vae")
    generator = tiny()
    generator.fit(collisions(), collisions(8, seed=2), directory)
    return generator, directory


def test_one_whole_event_comes_for_every_condition(fitted: tuple[PhaseSpaceVAE, Path]) -> None:
    condition = entrance(9).ordered(np.arange(9)[::-1])
    found = fitted[0].sample(condition, np.random.default_rng(1))
    assert found.simulated is None
    np.testing.assert_array_equal(found.entrance.impact_parameter, condition.impact_parameter)
    np.testing.assert_array_equal(found.sums(found.A), 24)
    np.testing.assert_array_equal(found.sums(found.Z), 12)
    np.testing.assert_allclose(found.sums(found.momentum), 0, atol=1e-6)
    np.testing.assert_allclose(found.sums(found.energy()), condition.available_energy(), rtol=1e-9)


def test_restored_generator_makes_the_same_events(fitted: tuple[PhaseSpaceVAE, Path]) -> None:
    generator, directory = fitted
    other = tiny()
    other.restore(directory)
    one, two = (each.sample(entrance(5), np.random.default_rng(7)) for each in (generator, other))
    np.testing.assert_array_equal(one.A, two.A)
    np.testing.assert_array_equal(one.momentum, two.momentum)


def test_events_that_cannot_be_made_whole_are_drawn_again(
    fitted: tuple[PhaseSpaceVAE, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def picky(condition: Entrance, simulated: Simulated, rng: np.random.Generator) -> Collisions:
        calls.append(len(condition))
        if len(calls) == 1:
            raise BadInput("none")
        kept = np.arange(0, len(condition), 2)
        return rounded(condition.ordered(kept), simulated.ordered(kept), rng)

    monkeypatch.setattr(phase_space_vae, "rounded", picky)
    found = fitted[0].sample(entrance(6), np.random.default_rng(1))
    assert calls == [6, 6, 3, 1]
    np.testing.assert_array_equal(found.entrance.impact_parameter, entrance(6).impact_parameter)
    np.testing.assert_array_equal(found.sums(found.A), 24)


def test_events_that_never_become_whole_are_refused(
    fitted: tuple[PhaseSpaceVAE, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> Collisions:
        raise BadInput("none")

    monkeypatch.setattr(phase_space_vae, "rounded", never)
    monkeypatch.setattr(phase_space_vae, "TRIES", 2)
    with pytest.raises(BadInput, match="2 of 2 events could not be made whole"):
        fitted[0].sample(entrance(2), np.random.default_rng(1))


def test_momenta_are_stretched_to_another_energy(
    fitted: tuple[PhaseSpaceVAE, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phase_space_vae, "NEIGHBOURS", 1)  # the same training event at both energies
    slow, fast = (fitted[0].decoded(entrance(5, energy), np.random.default_rng(2)) for energy in (62.0, 248.0))
    np.testing.assert_allclose(fast.momentum, 2 * slow.momentum)
    np.testing.assert_allclose(fast.gas_momentum, 2 * slow.gas_momentum, rtol=1e-5)
    np.testing.assert_allclose(fast.excitation, slow.excitation)


def test_decoded_events_have_the_nucleons_of_both_nuclei(fitted: tuple[PhaseSpaceVAE, Path]) -> None:
    found = fitted[0].decoded(entrance(5), np.random.default_rng(2))
    owner = np.repeat(np.arange(5), found.fragments)
    nucleons = np.bincount(owner, found.A, 5) + found.gas / found.per_nucleon
    np.testing.assert_allclose(nucleons, 24, atol=1.1 / found.per_nucleon)


def test_latent_space_and_reconstructions_have_an_entry_for_each_event(fitted: tuple[PhaseSpaceVAE, Path]) -> None:
    events = collisions(10, seed=4)
    mean, log_variance, b = fitted[0].latents(events)
    assert mean.shape == log_variance.shape == (10, SIZES.latent)
    assert b.shape == (10,)
    assert len(fitted[0].reconstruct(events, np.random.default_rng(1))) == 10
    again = fitted[0].latents(events)[0]
    np.testing.assert_array_equal(mean, again)


def test_whole_events_are_refused_where_the_simulator_is_needed(
    fitted: tuple[PhaseSpaceVAE, Path], tmp_path: Path
) -> None:
    whole = dataclasses.replace(collisions(4), simulated=None)
    with pytest.raises(BadInput, match="no final states of the simulator"):
        fitted[0].latents(whole)
    with pytest.raises(BadInput, match="no final states of the simulator"):
        fitted[0].reconstruct(whole, np.random.default_rng(1))
    with pytest.raises(BadInput, match="the training events have no final states"):
        tiny().fit(whole, collisions(4), tmp_path)


@pytest.mark.parametrize("name", ["weights.pt", "donors.pt"])
def test_damaged_files_are_one_clear_error(name: str, fitted: tuple[PhaseSpaceVAE, Path], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(fitted[1], copy)
    content = (copy / name).read_bytes()
    for damaged in (content[: len(content) // 2], b""):
        (copy / name).write_bytes(damaged)
        with pytest.raises(BadInput, match="holds no such trained network"):
            tiny().restore(copy)
    (copy / name).unlink()
    with pytest.raises(BadInput, match="holds no such trained network"):
        tiny().restore(copy)


def test_network_of_other_sizes_is_not_restored(fitted: tuple[PhaseSpaceVAE, Path]) -> None:
    other = dataclasses.replace(tiny(), sizes=VAEShape(3, 2, 16))
    with pytest.raises(BadInput, match="holds no such trained network"):
        other.restore(fitted[1])


def test_training_that_was_broken_off_ends_the_same(
    fitted: tuple[PhaseSpaceVAE, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    assert_same_training: Callable[..., None],
) -> None:  # fmt: skip
    honest = PhaseSpaceTraining.epoch_batches

    def dies(self: PhaseSpaceTraining, epoch: int) -> Images:
        if epoch == 1:
            raise OSError("power cut")
        return honest(self, epoch)

    monkeypatch.setattr(PhaseSpaceTraining, "epoch_batches", dies)
    with pytest.raises(OSError, match="power cut"):
        tiny().fit(collisions(), collisions(8, seed=2), tmp_path)
    assert (tmp_path / "last.ckpt").exists()
    monkeypatch.undo()
    tiny().fit(collisions(), collisions(8, seed=2), tmp_path)
    assert_same_training(tmp_path, fitted[1], epochs=2, columns=4)


def test_training_steps_lower_the_loss_and_find_the_impact_parameter() -> None:
    events = collisions()
    torch.manual_seed(1)
    network = HistogramVAE(SHAPE, VAEShape(2, 4, 32))
    task = PhaseSpaceTraining(network, TrainingOptions(batch_size=12), LossWeights(), events, events, 1)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for epoch in range(40):
        for batch in task.epoch_batches(epoch):
            loss = task.loss(batch)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            losses.append(float(loss.detach()))
    # it starts from the mean of all events, which is most of what there is to know; the rest is noise of gas
    assert np.mean(losses[-10:]) < 0.85 * np.mean(losses[:10])
    with torch.no_grad():
        images = torch.from_numpy(task.gas + 0)
        assert events.simulated is not None
        images[..., 0] += torch.from_numpy(encode(events.simulated, np.random.default_rng(9))[..., 0])
        b = network.predict(network.encode(images)[0]).numpy()
    assert np.corrcoef(b, events.entrance.impact_parameter)[0, 1] > 0.9


def test_each_pass_draws_gaussians_and_exchanges_anew() -> None:
    events = collisions(12)
    assert events.simulated is not None
    network = HistogramVAE(SHAPE, SIZES)
    task = PhaseSpaceTraining(network, TrainingOptions(batch_size=12), LossWeights(), events, events, 1)
    (one,), (again,), (other,) = (list(task.epoch_batches(epoch)) for epoch in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert sorted(one[1].tolist()) == sorted(other[1].tolist())
    images = [pair[0][pair[1].argsort()] for pair in (one, other)]
    assert not torch.equal(*images)
    for made in images:
        torch.testing.assert_close(made.sum((1, 2, 3, 4)), torch.full((12,), 24.0), atol=0.05, rtol=0)


def test_heavy_error_counts_nucleons_and_warmth() -> None:
    images = torch.zeros(1, 3, 32, 24, 16)
    images[0, 0, 12, 3, 0] = images[0, 0, 14, 3, 0] = 5.0  # 10 nucleons, standard deviation 22.5 MeV/c
    images[0, 1, 12, 20, 3] = 14.0
    other = images.clone()
    other[0, 0, 12:15, 3, 0] = torch.tensor([0.0, 8.0, 0.0])
    other[0, 1, 12, 20, 3] = 16.0
    made = (other / 24).clamp(min=1e-30).log()
    warmth = 10 * 22.5**2 * 3 / (2 * 938.9) / WARMTH
    torch.testing.assert_close(heavy_error(images, made), torch.tensor([4 + warmth**2]), rtol=1e-2, atol=0)
    torch.testing.assert_close(
        heavy_error(images, (images / 24).clamp(min=1e-30).log()), torch.zeros(1), atol=1e-3, rtol=0
    )


def test_distance_of_a_set_of_events_from_itself_is_zero() -> None:
    events = collisions(12).simulated
    assert events is not None
    histograms = encode(events, np.random.default_rng(1))
    columns = fragment_columns(histograms)
    assert mean_distance(columns, columns) == 0
    assert mean_distance(columns, fragment_columns(histograms[:, [1, 0, 2]])) > 1
    assert np.isnan(fragment_columns(0 * histograms)["theta0"]).all()
    assert read_fragments(histograms).A.shape == (12, 3)


def test_neighbours_have_the_same_nuclei_and_near_conditions() -> None:
    b = np.tile(np.linspace(0, 8, 81), 3)
    carbon, helium = np.array([12, 6]), np.array([4, 2])
    projectile = np.repeat([carbon, carbon, helium], 81, axis=0)
    known = Entrance(projectile, np.tile(carbon, (243, 1)), np.repeat([62.0, 71.0, 62.0], 81), b)
    asked = Entrance(
        np.stack([carbon, helium, carbon]), np.tile(carbon, (3, 1)), np.array([62.0, 62.0, 70.0]), np.full(3, 4.0)
    )
    rng = np.random.default_rng(1)
    chosen = np.array([neighbours(asked, known, rng) for _ in range(60)])
    assert [set(column // 81) for column in chosen.T] == [{0}, {2}, {1}]
    assert all(4 < len(set(column)) <= 8 for column in chosen.T)
    assert np.abs(b[chosen] - 4).max() < 0.45
