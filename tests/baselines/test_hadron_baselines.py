"""The baselines of the generator of hadronic interactions: conservation, memory, seeds, and laws that are known."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp, kstest, nbinom

from cloudchamber.baselines import hadron_parametrisation
from cloudchamber.baselines.counts import correlation_root, counts, scores
from cloudchamber.baselines.event_resampling import NEIGHBOURS, EventResampling, nearest_in, placed
from cloudchamber.baselines.files import save_arrays
from cloudchamber.baselines.hadron_draws import thermal
from cloudchamber.baselines.hadron_parametrisation import HadronParametrisation, two_exponentials
from cloudchamber.baselines.log_linear import describe, features, linear, log_linear, mean_of
from cloudchamber.baselines.simulator_again import SimulatorAgain
from cloudchamber.metrics.interactions import observables, violations
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import Beam, Events, incoming_numbers, incoming_of, joined
from cloudchamber.simulators.hadronic.kinematics import to_rest
from cloudchamber.simulators.hadronic.particles import PROJECTILES, TARGETS, masses, nuclides


def beam_of(
    n: int, seed: int, targets: tuple[str, ...], energies: tuple[float, float], projectile: str = "pi+"
) -> Beam:
    rng = np.random.default_rng(seed)
    charges = np.array([TARGETS[name] for name in targets], np.int32)
    direction = rng.normal(size=(n, 3))
    energy = np.exp(rng.uniform(*np.log(energies), n))
    return Beam(
        np.full(n, PROJECTILES[projectile], np.int32), rng.choice(charges, n), energy,
        direction / np.linalg.norm(direction, axis=1, keepdims=True),
    )  # fmt: skip


@pytest.fixture(scope="module")
def real() -> Events:
    """1500 events of Geant4: pi+ on hydrogen and carbon at 8 to 30 GeV."""
    if importlib.util.find_spec("geant4_pybind") is None:
        pytest.skip("needs geant4-pybind")
    return SimulatorAgain().sample(beam_of(1500, 1, ("H", "C"), (8.0, 30.0)), np.random.default_rng(1))


@pytest.fixture(scope="module")
def fitted(real: Events, tmp_path_factory: pytest.TempPathFactory) -> dict[type, tuple[Any, Path]]:
    """Both baselines, fitted to them."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hadron_parametrisation, "ROUNDS", 3)
        patch.setattr(hadron_parametrisation, "MOTION_ROUNDS", 2)
        for make in (EventResampling, HadronParametrisation):
            directory = tmp_path_factory.mktemp(make.__name__)
            one = make()
            one.fit(real, real.ordered(np.arange(10)), directory)
            found[make] = (one, directory)
    return found


BASELINES = (EventResampling, HadronParametrisation)


def test_masses_and_incoming_are_those_of_geant4(real: Events) -> None:
    nucleus, incoming = incoming_of(real.beam)
    assert (nucleus == real.nucleus).all()
    np.testing.assert_allclose(incoming, real.incoming, atol=1e-6)
    square = real.momentum[:, 0] ** 2 - (real.momentum[:, 1:] ** 2).sum(axis=1)
    np.testing.assert_allclose(np.sqrt(np.maximum(square, 0)), masses(real.kind), atol=1e-3)
    assert nuclides()[2, 4]
    assert not nuclides()[2, 1]
    assert not nuclides()[0, 2]
    exotic = masses(np.array([1_000_500_900]))[0]  # tin 90: nobody has seen it
    assert 0 < 50 * 0.938272 + 40 * 0.939565 - exotic < 90 * 0.0085
    with pytest.raises(BadInput, match="charge 3"):
        incoming_of(replace(real.beam, target=np.full(len(real), 3, np.int32)))


@pytest.mark.parametrize("make", BASELINES)
def test_conserves_everything_and_keeps_the_beam(fitted: dict[type, tuple[Any, Path]], make: type) -> None:
    beam = beam_of(400, 7, ("H", "C"), (6.0, 40.0))
    found = fitted[make][0].sample(beam, np.random.default_rng(2))
    assert len(found) == 400
    for name, values in beam.arrays().items():
        np.testing.assert_array_equal(found.beam.arrays()[name], values)
    broken = violations(found)
    assert broken["charge"].max() == 0
    assert broken["baryon_number"].max() == 0
    assert broken["energy_momentum"].max() < 1e-6
    if make is HadronParametrisation:  # the other has the strangeness of the events that it was given
        assert broken["strangeness"].max() == 0
    square = found.momentum[:, 0] ** 2 - (found.momentum[:, 1:] ** 2).sum(axis=1)
    np.testing.assert_allclose(square, masses(found.kind) ** 2, atol=1e-6 * found.momentum[:, 0].max() ** 2)
    assert set(np.unique(found.channel)) == {0, 1}
    assert (found.count[found.channel == 0] == 2).all()


@pytest.mark.parametrize("make", BASELINES)
def test_same_seed_same_events_also_after_restoring(fitted: dict[type, tuple[Any, Path]], make: type) -> None:
    beam = beam_of(60, 8, ("H", "C"), (10.0, 20.0))
    one, directory = fitted[make]
    again = make()
    again.restore(directory)
    first, second, other = (
        who.sample(beam, np.random.default_rng(seed)) for who, seed in ((one, 3), (again, 3), (one, 4))
    )
    np.testing.assert_array_equal(first.kind, second.kind)
    np.testing.assert_array_equal(first.momentum, second.momentum)
    assert first.momentum.shape != other.momentum.shape or not np.array_equal(first.momentum, other.momentum)


@pytest.mark.parametrize("make", BASELINES)
def test_an_unlearned_projectile_and_an_empty_directory_are_refused(
    fitted: dict[type, tuple[Any, Path]], make: type, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="projectile 2212"):
        fitted[make][0].sample(beam_of(3, 1, ("H",), (10.0, 10.0), "p"), np.random.default_rng(1))
    with pytest.raises(BadInput, match="fit it again"):
        make().restore(tmp_path)


def test_no_events_or_no_inelastic_ones_cannot_be_learned(real: Events, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="0 events"):
        EventResampling().fit(real.ordered(np.arange(0)), real, tmp_path)
    with pytest.raises(BadInput, match="none of them inelastic"):
        HadronParametrisation().fit(real.part(real.channel == 0), real, tmp_path)


@pytest.mark.parametrize("make", BASELINES)
def test_an_empty_beam_gives_no_events(fitted: dict[type, tuple[Any, Path]], make: type) -> None:
    nothing = beam_of(3, 1, ("H",), (10.0, 10.0)).take(np.zeros(0, np.int64))
    assert len(fitted[make][0].sample(nothing, np.random.default_rng(1))) == 0


def test_resampling_at_the_trained_condition_is_the_truth(real: Events, tmp_path: Path) -> None:
    beam = beam_of(1, 3, ("H",), (25.0, 25.0)).repeated(600)
    truth = SimulatorAgain().sample(beam, np.random.default_rng(5))
    known = EventResampling()
    known.fit(truth, truth, tmp_path)
    found = known.sample(beam, np.random.default_rng(6))
    before, after = observables(truth), observables(found)
    for name in ("leading_x_F", "transverse_momentum", "mean_rapidity"):
        assert ks_2samp(before[name], after[name]).pvalue > 1e-3
        nearest = np.abs(before[name][None] - after[name][:, None]).min(axis=1)
        assert nearest.max() < 1e-2 * before[name].std()  # the projection repairs what Geant4 is off by, no more
    azimuth = np.arctan2(*found.momentum[:, 1:3].T)
    assert len(np.unique(azimuth)) > 0.95 * len(azimuth)


def test_resampling_another_nucleus_changes_the_residual(fitted: dict[type, tuple[Any, Path]]) -> None:
    found = fitted[EventResampling][0].sample(beam_of(200, 9, ("Fe", "Ar"), (9.0, 25.0)), np.random.default_rng(2))
    broken = violations(found)
    assert broken["charge"].max() == broken["baryon_number"].max() == 0
    assert broken["energy_momentum"].max() < 1e-6


def test_resampling_hydrogen_on_a_nucleus_leaves_a_spectator(real: Events, tmp_path: Path) -> None:
    known = EventResampling()
    known.fit(real.part(real.beam.target == 1), real, tmp_path)
    found = known.sample(beam_of(100, 9, ("C",), (9.0, 25.0)), np.random.default_rng(2))
    broken = violations(found)
    assert broken["charge"].max() == broken["baryon_number"].max() == 0
    assert (observables(found)["residual_mass_number"] == 11).all()
    assert broken["energy_momentum"].max() < 1e-6


def test_neighbours_are_the_nearest_and_their_equals() -> None:
    known = np.sort(np.random.default_rng(1).random(1000))
    wanted = np.array([-1.0, 0.4, 2.0])
    first, stop = nearest_in(known, wanted)
    for low, high, value in zip(first, stop, wanted, strict=True):
        assert set(range(low, high)) == set(np.argsort(np.abs(known - value))[:NEIGHBOURS].tolist())
    first, stop = nearest_in(np.repeat([1.0, 2.0], 500), np.array([1.2, 1.9]))
    assert first.tolist() == [0, 500]
    assert stop.tolist() == [500, 1000]


@pytest.mark.parametrize("inverse_k", [0.5, 0.0, -0.25, -0.43])
def test_counts_follow_the_negative_binomial(inverse_k: float) -> None:
    rng = np.random.default_rng(1)
    mean = np.full((40_000, 1), 1.8)
    found = counts(rng.standard_normal(mean.shape), mean, np.full(mean.shape, inverse_k))
    assert found.mean() == pytest.approx(1.8, abs=0.04)
    assert found.var() == pytest.approx(1.8 + inverse_k * 1.8**2, rel=0.05)
    if inverse_k > 0:
        chance = nbinom.pmf(np.arange(12), 1 / inverse_k, 1 / (1 + 1.8 * inverse_k))
        share = np.bincount(found[:, 0], minlength=12)[:12] / len(found)
        np.testing.assert_allclose(share, chance, atol=5 * np.sqrt(0.25 / len(found)))
    normal = scores(found, mean, np.full(mean.shape, inverse_k), rng)
    assert kstest(normal[:, 0], "norm").pvalue > 1e-3


def test_counts_of_kinds_vary_together_as_told() -> None:
    rng = np.random.default_rng(2)
    root = correlation_root(np.array([[1.0, -0.6], [-0.6, 1.0]]))
    np.testing.assert_allclose(root @ root.T, [[1.0, -0.6], [-0.6, 1.0]], atol=1e-6)
    mean = np.full((20_000, 2), 6.0)
    found = counts(rng.standard_normal((20_000, 2)) @ root.T, mean, np.full(mean.shape, 0.1))
    assert np.corrcoef(found.T)[0, 1] == pytest.approx(-0.6, abs=0.05)
    back = scores(found, mean, np.full(mean.shape, 0.1), rng)
    assert np.corrcoef(back.T)[0, 1] == pytest.approx(-0.6, abs=0.05)


def test_log_linear_finds_a_known_law() -> None:
    beam = beam_of(4000, 5, ("H", "C", "Pb"), (1.0, 100.0))
    table = features(beam, describe(beam), 2)
    law = 2.0 * beam.kinetic_energy**0.3 * np.where(beam.target == 1, 1.0, 1.5)
    found = mean_of(table, log_linear(table, np.random.default_rng(1).poisson(law).astype(np.float64)))
    np.testing.assert_allclose(found, law, rtol=0.1)
    straight = np.log(beam.kinetic_energy)
    np.testing.assert_allclose(table @ linear(table, straight), straight, atol=0.02)


def test_transverse_masses_are_exponential() -> None:
    rng = np.random.default_rng(4)
    mass = np.full(50_000, 0.14)
    transverse = thermal(mass, np.full(50_000, 0.2), rng)
    t = np.hypot(mass, transverse) - mass
    assert t.mean() == pytest.approx(0.2, rel=0.02)
    high = t[t > 0.5]  # far out the slope is that of exp(-t / T) times (m + t)
    temperature = (0.2 - 0.14 + np.sqrt((0.14 - 0.2) ** 2 + 8 * 0.2 * 0.14)) / 4
    assert kstest(high, lambda x: 1 - np.exp(-(x - 0.5) / temperature) * (0.14 + x + temperature) / (0.64 + temperature)).pvalue > 1e-3  # noqa: E501  # fmt: skip


def test_two_exponentials_are_found_again() -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random(50_000) < 0.8, rng.exponential(0.5, 50_000), rng.exponential(3.0, 50_000))
    np.testing.assert_allclose(sorted(two_exponentials(values)), [0.5, 0.8, 3.0], rtol=0.1)


def test_two_exponentials_of_nothing_but_zeros_are_finite() -> None:
    with np.errstate(all="raise"):
        assert np.isfinite(two_exponentials(np.zeros(30))).all()


def scattered(beam: Beam, rng: np.random.Generator, backward: float) -> Events:
    """Elastic events, some of them backward, with |t| or what corresponds to it of 0.1 GeV^2 in the mean."""
    nucleus, incoming = incoming_of(beam)
    s = np.sqrt(incoming[:, 0] ** 2 - (incoming[:, 1:] ** 2).sum(axis=1))
    k = np.linalg.norm(incoming[:, 1:], axis=1) * masses(nucleus) / s
    cosine = 1 - np.minimum(rng.exponential(0.1, len(beam)), 2 * k**2) / (2 * k**2)
    cosine *= np.where(rng.random(len(beam)) < backward, -1, 1)
    one = np.stack([k * np.sqrt(1 - cosine**2), 0 * k, k * cosine], axis=1)
    kind = np.stack([beam.projectile, nucleus], axis=1).reshape(-1)
    momentum = np.stack([one, -one], axis=1).reshape(-1, 3)
    return placed(beam, np.zeros(len(beam), np.uint8), 2 * np.arange(len(beam) + 1), kind, momentum)[0]


def test_elastic_scattering_keeps_its_direction(real: Events, tmp_path: Path) -> None:
    """As Geant4 has it for pions of 1 GeV on protons, a fifth goes backward in the rest frame."""
    beam = beam_of(2000, 4, ("H",), (1.0, 2.0))
    elastic = scattered(beam, np.random.default_rng(1), 0.2)
    known = HadronParametrisation()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hadron_parametrisation, "ROUNDS", 0)
        patch.setattr(hadron_parametrisation, "MOTION_ROUNDS", 1)
        known.fit(joined([elastic, real.ordered(np.arange(300))]), real, tmp_path)
    found = known.sample(beam, np.random.default_rng(2))
    found = found.part(found.channel == 0)
    p = to_rest(found.momentum, found.incoming[found.event_of], found.beam.direction[found.event_of])
    p_z, k = p[found.offsets[:-1], 3], np.linalg.norm(p[found.offsets[:-1], 1:], axis=1)
    assert (p_z < 0).mean() == pytest.approx(0.2, abs=0.04)  # three errors of both samples
    transfer = 2 * k * (k - np.abs(p_z))
    for side in (p_z < 0, p_z > 0):
        assert transfer[side].mean() == pytest.approx(0.1, rel=0.2)


def test_a_fit_of_an_older_form_is_refused(fitted: dict[type, tuple[Any, Path]], tmp_path: Path) -> None:
    state = dict(fitted[HadronParametrisation][0].state)
    del state["elastic_backward"]
    save_arrays(tmp_path / "hadron_parametrisation.npz", state)
    with pytest.raises(BadInput, match="older version: fit it again"):
        HadronParametrisation().restore(tmp_path)


def test_parametrisation_has_the_means_of_the_truth(real: Events, fitted: dict[type, tuple[Any, Path]]) -> None:
    found = fitted[HadronParametrisation][0].sample(real.beam, np.random.default_rng(1))
    before, after = observables(real), observables(found)
    for name in ("n", "n_charged", "n_pi-", "n_p", "transverse_momentum", "leading_x_F", "residual_mass_number"):
        spread = before[name].std()
        assert after[name].mean() == pytest.approx(before[name].mean(), abs=0.2 * spread), name
    assert found.channel.mean() == pytest.approx(real.channel.mean(), abs=0.04)
    assert (incoming_numbers(found) == incoming_numbers(real)).all()


def test_simulator_again_is_the_simulator(real: Events, tmp_path: Path) -> None:
    floor = SimulatorAgain()
    floor.fit(real, real, tmp_path)
    again = SimulatorAgain("urqmd")
    assert again.title.startswith("UrQMD")
    again.restore(tmp_path)
    assert (again.name, again.title) == ("geant4", "Geant4 again (truth against truth)")
    beam = real.beam.take(np.arange(20))
    first, second = (one.sample(beam, np.random.default_rng(3)) for one in (floor, again))
    np.testing.assert_array_equal(first.momentum, second.momentum)
    with pytest.raises(BadInput, match="unknown model"):
        SimulatorAgain("geant5")
    (tmp_path / "simulator_again.json").write_text("{}")
    with pytest.raises(BadInput, match="fit it again"):
        again.restore(tmp_path)
