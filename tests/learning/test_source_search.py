"""Detectors of a source: the loss, what they learn, that they learn nothing where nothing is, and going on."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cloudchamber.data.samples import ArrayRecords, Samples
from cloudchamber.data.skies import SKY_TARGETS, cosmic_rays_of, targets_of
from cloudchamber.layers.sky_maps import sky_maps
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.sky_networks import FRACTION_SCALE, Look
from cloudchamber.learning.source_detector import BATCH, SourceDetector
from cloudchamber.learning.source_search import (
    COSMIC_RAY_WEIGHT,
    DIRECTION_WEIGHT,
    FRACTION_WEIGHT,
    STEEPEST,
    Skies,
    detection_loss,
    in_order,
)
from cloudchamber.metrics.classification import auc
from cloudchamber.networks.deepsphere import DeepSphere
from cloudchamber.networks.dynamic_graph import DynamicGraph
from cloudchamber.schema import Arrays, BadInput
from cloudchamber.simulators.cosmicrays.skies import SkyOptions, draw_skies, redraw

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*", "ignore::DeprecationWarning:lightning.*")

SKY = SkyOptions(cosmic_rays=60)
STRONG = 18
"""Signal cosmic rays: 30 %."""


def redrawn(records: Arrays, seed: int) -> Arrays:
    return redraw(records, SKY, seed, rotate=True)


def as_they_are(cosmic_rays: np.ndarray) -> np.ndarray:
    return cosmic_rays


def deepsphere() -> nn.Module:
    return DeepSphere(channels=2, outputs=2, nside=4, widths=(8, 8), order=3, neighbours=8, dropout=0.0)


def graph() -> nn.Module:
    return DynamicGraph(neighbours=8, widths=(16, 16), dynamic=(False, True))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Look]] = {
    "deepsphere": (deepsphere, partial(sky_maps, nside=4)),
    "graph": (graph, as_they_are),
}


def records(skies: int, seed: int) -> Arrays:
    """Every other sky holds a source."""
    return draw_skies(SKY, np.where(np.arange(skies) % 2, STRONG, 0), seed)


def samples(arrays: Arrays) -> Samples:
    return Samples(
        ArrayRecords(arrays),
        np.arange(len(arrays["energy"])),
        lambda some, _: cosmic_rays_of(some),
        targets_of(arrays),
        SKY_TARGETS,
    )


def detector(name: str, epochs: int, redraw: Callable[[Arrays, int], Arrays] = redrawn) -> SourceDetector:
    make, look = NETWORKS[name]
    options = TrainingOptions(epochs=epochs, batch_size=16, learning_rate=1e-2, averaging=0.9)
    return SourceDetector(name, make, look, redraw, options, seed=3)


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[SourceDetector, Path]:
    directory = tmp_path_factory.mktemp(request.param)
    found = detector(request.param, epochs=8)
    state = torch.random.get_rng_state()
    found.fit(samples(records(320, 1)), samples(records(120, 2)), directory)
    assert torch.equal(state, torch.random.get_rng_state()), "the global generator is left alone"
    return found, directory


# --- the loss ---------------------------------------------------------------------------------------------------------


def slow_loss(sky: np.ndarray, each: np.ndarray | None, targets: np.ndarray, signal: np.ndarray) -> float:
    """The sentences of the module's docstring, one sky after another."""

    def entropy(log_odds: float, truth: float) -> float:
        probability = 1 / (1 + math.exp(-log_odds))
        return -(truth * math.log(probability) + (1 - truth) * math.log(1 - probability))

    def exponential(log_odds: float, truth: float) -> float:
        wrong = -log_odds / 2 if truth else log_odds / 2
        if wrong < STEEPEST:
            return math.exp(wrong)
        return math.exp(STEEPEST) * (1 + wrong - STEEPEST)  # the tangent there

    skies = len(sky)
    loss = sum(exponential(sky[i, 0], targets[i, 0]) for i in range(skies)) / skies
    loss += FRACTION_WEIGHT * sum((sky[i, 1] - targets[i, 1] / FRACTION_SCALE) ** 2 for i in range(skies)) / skies
    away = []
    for i in range(skies):
        if targets[i, 0]:
            said, true = sky[i, 2:5], targets[i, 2:5]
            away.append(1 - said @ true / math.sqrt(said @ said) / math.sqrt(true @ true))
    loss += DIRECTION_WEIGHT * (sum(away) / len(away) if away else 0)
    if each is not None:
        entropies = [
            entropy(a, t) for row, truth in zip(each, signal, strict=True) for a, t in zip(row, truth, strict=True)
        ]
        loss += COSMIC_RAY_WEIGHT * sum(entropies) / len(entropies)
    return float(loss)


@pytest.mark.parametrize("with_each", [True, False])
@pytest.mark.parametrize("kinds", [(0, 1, 1, 0, 1), (0, 0, 0), (1, 1)])
def test_loss_is_what_the_docstring_says(kinds: tuple[int, ...], with_each: bool) -> None:
    rng = np.random.default_rng(len(kinds))
    skies = len(kinds)
    there = np.array(kinds, dtype=np.float64)[:, None]
    source = rng.normal(size=(skies, 3))
    source /= np.linalg.norm(source, axis=1, keepdims=True)
    targets = np.concatenate([there, there * rng.uniform(0, 0.3, (skies, 1)), there * source], axis=1)
    sky, each = rng.normal(size=(skies, 5)), rng.normal(size=(skies, 7))
    sky[:, 0] = np.resize([9.0, -9.0, 3.0, 1.0, -3.0], skies)  # beyond the straight line's start, and before it
    signal = (rng.random((skies, 7)) < 0.3) * there
    found = detection_loss(
        torch.from_numpy(sky), torch.from_numpy(each) if with_each else None, *map(torch.from_numpy, (targets, signal))
    )
    assert found.item() == pytest.approx(slow_loss(sky, each if with_each else None, targets, signal), rel=1e-12)


def test_log_odds_are_taught_at_every_strength() -> None:
    """What a sky teaches fades as exp(-f/2) on the right side; on the wrong side it grows up to STEEPEST."""
    log_odds = torch.tensor([-30.0, -2.1 * STEEPEST, 0.0, 15.0, 30.0], dtype=torch.float64)
    sky = torch.zeros(5, 5, dtype=torch.float64)
    sky[:, 0] = log_odds
    sky.requires_grad_()
    there = torch.tensor([1.0, 0, 0, 0, 0], dtype=torch.float64).repeat(5, 1)  # every sky holds a source
    detection_loss(sky, None, there, torch.zeros(5, 4)).backward()
    assert sky.grad is not None
    expected = [-math.exp(min(-f / 2, STEEPEST)) / 2 / 5 for f in log_odds.tolist()]
    np.testing.assert_allclose(sky.grad[:, 0].numpy(), expected, rtol=1e-12)


def test_loss_is_smallest_at_the_log_odds() -> None:
    """Of 30 skies alike 24 hold a source: the best answer is ln(24 / 6), as for the cross entropy."""
    truth = torch.zeros(30, 5, dtype=torch.float64)
    truth[:24, 0] = 1
    sky = torch.zeros(30, 5, dtype=torch.float64)
    sky[:, 0] = math.log(4)
    sky.requires_grad_()
    detection_loss(sky, None, truth, torch.zeros(30, 4)).backward()
    assert sky.grad is not None
    assert sky.grad[:, 0].sum().item() == pytest.approx(0, abs=1e-15)
    assert sky.grad[0, 0].item() != 0


def test_loss_of_skies_without_a_source_moves_no_direction() -> None:
    sky = torch.randn(3, 5, requires_grad=True)
    detection_loss(sky, None, torch.zeros(3, 5), torch.zeros(3, 4)).backward()
    assert sky.grad is not None
    assert torch.isfinite(sky.grad).all()
    assert not sky.grad[:, 2:].any()
    assert sky.grad[:, :2].all()


# --- batches ----------------------------------------------------------------------------------------------------------


def test_batches_depend_on_the_seed_only_and_are_redrawn() -> None:
    some = samples(records(20, 1))
    first, again, other = (
        list(in_order(Skies(some, 8, as_they_are, redrawn, seed), 0)) for seed in ((1, 1, 0), (1, 1, 0), (1, 1, 1))
    )
    assert [len(batch[0]) for batch in first] == [8, 8]
    for one, two in zip(first, again, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not torch.equal(first[0][0], other[0][0])
    state = torch.random.get_rng_state()
    for one, two in zip(first, in_order(Skies(some, 8, as_they_are, redrawn, (1, 1, 0)), 2), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True)), "several processes make other skies"
    assert torch.equal(torch.random.get_rng_state(), state)
    for cosmic_rays, targets, signal in first:
        assert torch.equal(signal.sum(dim=1), STRONG * targets[:, 0])
        assert torch.allclose(targets[:, 1], signal.mean(dim=1))
        # the truth turned with the sky: the signal is still around its source (He above 40 EeV: within 60 degrees)
        cosine = (cosmic_rays[..., :3] @ targets[:, 2:, None])[..., 0]
        assert cosine[signal > 0].mean() > 0.8


def test_validation_is_neither_redrawn_nor_shuffled() -> None:
    some = samples(records(20, 1))
    batches = list(Skies(some, 8, as_they_are, redrawn, None))
    assert [len(batch[0]) for batch in batches] == [8, 8, 4]
    np.testing.assert_array_equal(torch.cat([batch[0] for batch in batches]).numpy(), some.inputs())
    np.testing.assert_array_equal(torch.cat([batch[1] for batch in batches]).numpy(), some.targets)


# --- what is learned --------------------------------------------------------------------------------------------------


def test_a_strong_source_is_learned_in_a_few_epochs(fitted: tuple[SourceDetector, Path]) -> None:
    fresh = samples(records(400, 4))
    said = fitted[0].predict(fresh.inputs()).mean
    there = fresh.targets[:, 0] > 0
    found = auc(there, said[:, 0], np.random.default_rng(0))
    assert found.value > 0.9
    cosine = (said[there, 2:] * fresh.targets[there, 2:]).sum(axis=1)
    assert np.median(cosine) > np.cos(np.radians(45))  # by chance 0
    assert np.abs(said[there, 1] - 0.3).mean() < np.abs(said[~there, 1] - 0.3).mean()


def test_answers_are_finite_with_fractions_in_range_and_unit_directions(fitted: tuple[SourceDetector, Path]) -> None:
    inputs = cosmic_rays_of(records(BATCH + 3, 5))
    said = fitted[0].predict(inputs).mean
    assert said.shape == (BATCH + 3, 5)
    assert said.dtype == np.float64
    assert np.isfinite(said).all()
    assert (said[:, 1] >= 0).all()
    assert (said[:, 1] <= 1).all()
    np.testing.assert_allclose(np.linalg.norm(said[:, 2:], axis=1), 1, rtol=1e-12)
    assert fitted[0].predict(inputs[:0]).mean.shape == (0, 5)


def test_order_of_the_cosmic_rays_means_nothing(fitted: tuple[SourceDetector, Path]) -> None:
    inputs = cosmic_rays_of(records(6, 5))
    mixed = inputs[:, np.random.default_rng(1).permutation(SKY.cosmic_rays)]
    first, second = (fitted[0].predict(some).mean for some in (inputs, mixed))
    np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-3)  # float32 sums in another order


def test_a_restored_detector_predicts_the_same(fitted: tuple[SourceDetector, Path]) -> None:
    predictor, directory = fitted
    inputs = cosmic_rays_of(records(40, 6))
    other = detector(predictor.title, epochs=1)
    other.restore(directory)
    np.testing.assert_array_equal(predictor.predict(inputs).mean, other.predict(inputs).mean)
    assert sorted(path.name for path in directory.iterdir()) == ["history.csv", "weights.pt"]


def test_signal_cosmic_rays_get_the_larger_probability(fitted: tuple[SourceDetector, Path]) -> None:
    some = records(100, 7)
    inputs = cosmic_rays_of(some)
    if fitted[0].title == "deepsphere":
        with pytest.raises(BadInput, match="ask the graph network"):
            fitted[0].cosmic_ray_probability(inputs)
        return
    probability = fitted[0].cosmic_ray_probability(inputs)
    assert probability.shape == inputs.shape[:2]
    with_source = slice(1, None, 2)
    found = auc(some["signal"][with_source].ravel(), probability[with_source].ravel(), np.random.default_rng(0))
    assert found.value > 0.8


def test_weights_of_another_network_are_not_restored(tmp_path: Path, fitted: tuple[SourceDetector, Path]) -> None:
    with pytest.raises(BadInput, match="holds no such trained network"):
        detector("graph", epochs=1).restore(tmp_path)
    other = "graph" if fitted[0].title == "deepsphere" else "deepsphere"
    with pytest.raises(BadInput, match="holds no such trained network"):
        detector(other, epochs=1).restore(fitted[1])


class Sure(nn.Module):
    """Is as sure as the first cosmic ray's energy says; knows no direction."""

    def forward(self, cosmic_rays: Tensor) -> Tensor:
        return torch.nn.functional.pad(cosmic_rays[:, 0, 3:], (0, 4))


def test_log_odds_do_not_saturate() -> None:
    """A softmax in float32 is 1 from log-odds 17 on, in float64 from 37 on; here 40, 50 and 500 stay apart."""
    options = TrainingOptions(epochs=1)
    sure = SourceDetector("sure", Sure, as_they_are, redrawn, options, seed=0)
    sure.network = Sure()
    inputs = np.zeros((3, 2, 4), np.float32)
    inputs[:, 0, 3] = 40, 50, 500
    said = sure.predict(inputs).mean
    assert said.dtype == np.float64
    assert said[:, 0].tolist() == [40, 50, 500]
    assert np.isfinite(said).all()


def no_source(skies: int, seed: int) -> Arrays:
    """Skies labelled as ``records`` labels them, with the energies of signal, but all directions isotropic."""
    arrays = records(skies, seed)
    isotropic = draw_skies(SKY, np.zeros(skies, np.int64), seed + 1000)
    return arrays | {"direction": isotropic["direction"]}


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    """No leak: with directions that hold no source, labels and energies alone tell nothing, redrawn or not."""
    predictor = detector("graph", epochs=4)
    predictor.fit(samples(no_source(160, 1)), samples(no_source(80, 2)), tmp_path)
    fresh = no_source(800, 3)
    for some in (fresh, redrawn(fresh, 4)):
        said = predictor.predict(cosmic_rays_of(some)).mean[:, 0]
        found = auc(some["n_signal"] > 0, said, np.random.default_rng(0))
        assert said.std() > 0
        assert abs(found.value - 0.5) < 3.5 * found.error
        assert found.error < 0.03


# --- interrupted and refused ------------------------------------------------------------------------------------------


class Crash(Exception):
    pass


def test_interrupted_training_ends_with_the_same_weights(
    tmp_path: Path, assert_same_training: Callable[..., None]
) -> None:
    calls = 0

    def crashing(some: Arrays, seed: int) -> Arrays:
        nonlocal calls
        calls += 1
        if calls > 9:  # in the third of four epochs of 4 batches
            raise Crash
        return redrawn(some, seed)

    train, validation = samples(records(64, 1)), samples(records(32, 2))
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    with pytest.raises(Crash):
        detector("graph", 4, crashing).fit(train, validation, broken)
    assert not (broken / "weights.pt").exists()
    epochs = [line.split(",")[0] for line in (broken / "history.csv").read_text().splitlines()]
    assert epochs == ["epoch", "0", "1"]
    detector("graph", 4).fit(train, validation, broken)
    detector("graph", 4).fit(train, validation, whole)
    assert_same_training(broken, whole, epochs=4, columns=4)


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("side", ["training", "validation"])
def test_skies_of_one_kind_are_refused(kind: int, side: str, tmp_path: Path) -> None:
    both = samples(records(8, 1))
    one = samples({name: values[kind::2] for name, values in records(16, 2).items()})
    train, validation = (one, both) if side == "training" else (both, one)
    with pytest.raises(BadInput, match=f"the {side} skies are all of one kind"):
        detector("graph", 1).fit(train, validation, tmp_path)
    assert not list(tmp_path.iterdir())


def test_equal_auc_is_decided_by_the_loss(fitted: tuple[SourceDetector, Path]) -> None:
    """The easy case is told apart perfectly after an epoch or two, long before fraction and direction are learned."""
    lines = (fitted[1] / "history.csv").read_text().splitlines()[1:]
    rank, loss = np.array([[float(cell) for cell in line.split(",")[2:4]] for line in lines]).T
    assert rank.argmin() > 0
    perfect = rank < 1e-5
    if perfect.any():
        assert loss[rank.argmin()] == loss[perfect].min()
