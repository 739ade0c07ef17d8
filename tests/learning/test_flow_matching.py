"""The flow learns, goes on after an interruption, and is the same again from its directory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cloudchamber.data.final_states import encode, vocabulary_of
from cloudchamber.learning.flow_matching import FlowMatching, FlowStates, shuffled
from cloudchamber.learning.interaction_flow import (
    FlowGenerator,
    FlowShape,
    Unprojected,
    condition_of,
    flow_states,
    standardize,
)
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.metrics.interactions import violations
from cloudchamber.networks.interaction_flow import InteractionFlow
from cloudchamber.networks.kind_counts import CODES
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import Beam, Events, incoming_of
from cloudchamber.simulators.hadronic.kinematics import from_rest, project, to_rest
from cloudchamber.simulators.hadronic.particles import masses

SHAPE = FlowShape(16, 8, 2, 16, 3)


def made(n: int, seed: int) -> Events:
    """pi+ p at 10 GeV: a tenth elastic, else proton, pi+ and up to two pi0 with a forward pion, exactly conserved."""
    rng = np.random.default_rng(seed)
    beam = Beam(np.full(n, 211, np.int32), np.ones(n, np.int32), np.full(n, 10.0), np.tile([0.6, 0.0, 0.8], (n, 1)))
    nucleus, incoming = incoming_of(beam)
    elastic = rng.random(n) < 0.1
    count = np.where(elastic, 2, 3 + rng.integers(0, 2, n))
    offsets = np.concatenate([[0], np.cumsum(count)])
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], count)
    kind = np.array([211, 2212, 111, 111], np.int32)[place]
    space = rng.normal(0, 0.3, (len(kind), 3))
    space[:, 2] = rng.normal(np.array([2.0, -1.5, 0.3, 0.3])[place], 0.4)
    s = np.sqrt(incoming[:, 0] ** 2 - (incoming[:, 1:] ** 2).sum(axis=1))
    rest, _, good = project(space, masses(kind), offsets, s)
    assert good.all()
    owner = np.repeat(np.arange(n), count)
    lab = from_rest(rest, incoming[owner], beam.direction[owner])
    return Events(beam, nucleus, incoming, (~elastic).astype(np.uint8), offsets, kind, lab)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[FlowGenerator, Path]:
    directory = tmp_path_factory.mktemp("flow")
    generator = fresh(epochs=6)
    generator.fit(made(3000, 1), made(400, 2), directory)
    return generator, directory


def fresh(epochs: int) -> FlowGenerator:
    options = TrainingOptions(epochs=epochs, batch_size=64, learning_rate=5e-3, averaging=0.9)
    return FlowGenerator(SHAPE, options.changed({"epochs": 3}), options, seed=3)


def test_flow_learns_and_conserves(fitted: tuple[FlowGenerator, Path]) -> None:
    truth = made(3000, 7)
    events = fitted[0].sample(truth.beam, np.random.default_rng(1))
    broken = violations(events)
    assert all(not broken[name].any() for name in ("charge", "baryon_number", "strangeness"))
    assert broken["energy_momentum"].max() < 1e-9
    assert set(events.kind) == {211, 111, 2212}
    # six sigma of 3000 events for what is counted; the network is small, so 20 % for the momentum of the pion
    assert np.mean(events.channel == 0) == pytest.approx(np.mean(truth.channel == 0), abs=6 * np.sqrt(0.09 / 3000))
    assert events.count.mean() == pytest.approx(truth.count.mean(), abs=6 * truth.count.std() / np.sqrt(3000))
    pion, true = (one.momentum[one.kind == 211, 0].mean() for one in (events, truth))
    assert pion == pytest.approx(true, rel=0.2)


def test_a_restored_flow_samples_the_same_with_the_same_seed(fitted: tuple[FlowGenerator, Path]) -> None:
    generator, directory = fitted
    other = fresh(epochs=6)
    other.restore(directory)
    beam = made(50, 4).beam
    one, again, different = (
        made_by.sample(beam, np.random.default_rng(seed)) for made_by, seed in ((generator, 1), (other, 1), (other, 2))
    )
    np.testing.assert_array_equal(one.momentum, again.momentum)
    assert not np.array_equal(one.momentum[:20], different.momentum[:20])


def test_before_the_projection_momentum_is_not_conserved(fitted: tuple[FlowGenerator, Path]) -> None:
    beam = made(200, 4).beam
    broken = violations(Unprojected(fitted[0]).sample(beam, np.random.default_rng(1)))
    assert not broken["charge"].any()
    assert np.median(broken["energy_momentum"]) > 1e-3


def test_kinds_for_other_generators_keep_the_books(fitted: tuple[FlowGenerator, Path]) -> None:
    beam = made(200, 4).beam
    offsets, kind = fitted[0].sample_kinds(beam, np.random.default_rng(1))
    assert len(offsets) == 201
    assert offsets[-1] == len(kind)
    assert (np.diff(offsets) >= 2).all()
    assert set(kind) <= {211, 111, 2212}


def test_an_interrupted_training_ends_with_the_same_weights(
    fitted: tuple[FlowGenerator, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = FlowMatching.loss

    def stop(self: FlowMatching, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        if self.current_epoch == 3:
            raise RuntimeError("out of time")
        return whole(self, batch)

    monkeypatch.setattr(FlowMatching, "loss", stop)
    with pytest.raises(RuntimeError, match="out of time"):
        fresh(epochs=6).fit(made(3000, 1), made(400, 2), tmp_path)
    monkeypatch.undo()
    fresh(epochs=6).fit(made(3000, 1), made(400, 2), tmp_path)
    one, other = (torch.load(path / "weights.pt", weights_only=True) for path in (fitted[1], tmp_path))
    for name, values in one.items():
        torch.testing.assert_close(values, other[name], rtol=0, atol=0)


def test_coordinates_are_standard_and_lie_in_the_subspace() -> None:
    events = made(2000, 5)
    vocabulary = vocabulary_of(events)
    states = encode(events, vocabulary)
    model = InteractionFlow(vocabulary, (1, 1), *SHAPE)
    standardize(model, events, states)
    found = flow_states(model, events, states)
    assert found.u[found.kind < model.kinds].std(0).sub(1).abs().max() < 0.5  # less what the subspace takes
    kind, u = found.padded(np.arange(len(found)))
    across = model.scales(found.condition, kind)[0]
    assert (across[..., None] * u[..., :2]).sum(1).abs().max() < 1e-5


def test_batches_hold_every_event_once_and_similar_numbers() -> None:
    offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(np.random.default_rng(1).integers(2, 60, 4000))]))
    none = torch.zeros(0)
    events = FlowStates(none, none, none, torch.zeros(4000), none, offsets, none, none)
    batches = shuffled(np.diff(events.offsets.numpy()), 100, np.random.default_rng(2))
    assert sorted(np.concatenate(batches).tolist()) == list(range(4000))
    number = np.diff(offsets.numpy())
    padding = sum(len(rows) * number[rows].max() for rows in batches) / number.sum()
    assert padding < 1.15


def test_loss_is_zero_for_the_velocity_of_lines_that_end_in_the_events() -> None:
    """A line that is at u_t at time t and ends in u_1 at time 1 has the velocity (u_1 - u_t) / (1 - t)."""
    events = made(64, 5)
    states = encode(events, vocabulary_of(events))
    model = InteractionFlow(vocabulary_of(events), (1, 1), *SHAPE)
    standardize(model, events, states)
    found = flow_states(model, events, states)
    found = replace(found, u=found.u * torch.tensor([0.0, 0.0, 1.0]))  # the same whatever the turn about the beam
    rows = torch.arange(len(found))
    _, end = found.padded(rows.numpy())

    class Straight(torch.nn.Module):
        def forward(self, u: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
            return (end - u) / (1 - others[-1])[:, None, None]

    model.flow = Straight()  # type: ignore[assignment]
    task = FlowMatching(model, TrainingOptions(), found, found, events, lambda *_: events, 1)
    # single precision: 1e-7 / (1 - t) with t up to 0.98 or so, squared
    assert float(task.loss((rows, torch.tensor(3)))) < 1e-8


def test_conditions_name_projectile_nucleus_and_energy() -> None:
    beam = Beam(
        np.array([211, 130], np.int32), np.array([1, 82], np.int32), np.array([5.0, 20.0]), np.tile([0.0, 0, 1], (2, 1))
    )
    assert condition_of(beam).tolist() == [[CODES.index(211), 1, 1, 5], [CODES.index(130), 82, 208, 20]]


def test_training_and_sampling_show_the_flow_the_same_events() -> None:
    """Elastic kaons too: strangeness comes from the classes in both."""
    events = made(400, 5)
    kaons = replace(events, beam=replace(events.beam, projectile=np.where(events.channel == 0, 321, 211)))
    kaons = replace(
        kaons, kind=np.where((events.channel[events.event_of] == 0) & (events.kind == 211), 321, kaons.kind)
    )
    states = encode(kaons, vocabulary_of(kaons))
    assert states.elastic.any()
    model = InteractionFlow(vocabulary_of(kaons), (1, 1), *SHAPE)
    found = flow_states(model, kaons, states)
    kind, _ = found.padded(np.arange(len(found)))
    known, books = model.event(found.condition, kind)
    torch.testing.assert_close(known[:, -1], torch.zeros(len(found)))
    assert set(books[:, 2].tolist()) == {0.0, 3.0, 4.0}


def test_a_target_that_is_too_heavy_is_refused(fitted: tuple[FlowGenerator, Path]) -> None:
    beam = replace(made(3, 4).beam, target=np.full(3, 82, np.int32))
    with pytest.raises(BadInput, match=r"heavier than any of the training \(Z = 1, A = 1\)"):
        fitted[0].sample(beam, np.random.default_rng(1))


def test_elastic_scattering_goes_back_as_often_as_in_the_training(tmp_path: Path) -> None:
    """A third of the elastic events mirrored: the share is found again within 0.1, five errors of 500 events."""
    events = made(3000, 1)
    owner = events.event_of
    turned = (events.channel == 0) & (np.arange(len(events)) % 3 == 0)
    rest = to_rest(events.momentum, events.incoming[owner], events.beam.direction[owner])
    rest[turned[owner], 3] *= -1
    mirrored = replace(events, momentum=from_rest(rest, events.incoming[owner], events.beam.direction[owner]))
    generator = fresh(epochs=1)
    generator.fit(mirrored, made(400, 2), tmp_path)
    sampled = generator.sample(made(6000, 3).beam, np.random.default_rng(2))
    owner = sampled.event_of
    rest = to_rest(sampled.momentum, sampled.incoming[owner], sampled.beam.direction[owner])
    pions = (sampled.channel[owner] == 0) & (sampled.kind == 211)
    assert (rest[pions, 3] < 0).mean() == pytest.approx(1 / 3, abs=0.1)


def test_events_that_break_the_books_only_are_refused(tmp_path: Path) -> None:
    events = made(200, 1)
    wrong = replace(events, kind=np.where(events.kind == 2212, 2112, events.kind))
    with pytest.raises(BadInput, match=r"none of \d+ training events conserves"):
        fresh(1).fit(wrong.part(wrong.channel == 1), wrong, tmp_path)


def test_a_directory_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no such trained network"):
        fresh(1).restore(tmp_path)
