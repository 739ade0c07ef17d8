"""Measures of collisions: known events have known observables, copies no distance, shifts and violations are seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cloudchamber.data.collisions import Collisions, Entrance
from cloudchamber.metrics import collision_classifier
from cloudchamber.metrics.collision_classifier import LEAST_EVENTS, collision_auc, cross_fitted
from cloudchamber.metrics.collisions import (
    OBSERVABLES,
    SPECTRA,
    Pooled,
    are_twins,
    distances,
    exchange_distance,
    exchange_p_value,
    heaviest,
    observables,
    sides,
    spectra,
    violations,
    wasserstein,
)
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.whole_numbers import Nuclei, whole_nuclei

CARBON = EntranceChannel((12, 6), (12, 6), 62.0)
BEAM = CARBON.momentum / 12


def collisions(nuclei: list[Nuclei], impact: np.ndarray) -> Collisions:
    n = len(nuclei)
    carbon = np.tile([12, 6], (n, 1))
    return Collisions(
        Entrance(carbon, carbon, np.full(n, 62.0), impact), np.array([len(one.A) for one in nuclei]),
        *(np.concatenate([getattr(one, name) for one in nuclei]) for name in ("A", "Z", "momentum", "excitation")),
    )  # fmt: skip


def toy(n: int, seed: int, *, heat: float = 8.0, ahead: float = 0.0) -> Collisions:
    """Two fragments, smaller the smaller b is, and gas; ``ahead``: nucleons that only the projectile loses."""
    rng = np.random.default_rng(seed)
    impact = np.random.default_rng(1).uniform(0, 8, n)
    nuclei = []
    for b in impact:
        A = np.clip(rng.normal(5 + 0.8 * b, 0.7, 2) - [ahead, 0.0], 2.5, 12.0)
        p = np.array([[-0.1, 0.0, 0.8], [0.1, 0.0, -0.8]]) + rng.normal(0, 0.08, (2, 3))
        gas, species = rng.normal(0, 0.6 * BEAM, (60, 3)), np.repeat([0, 1], 30).astype(np.int8)
        hot = heat * rng.exponential(1.0, 2)
        nuclei.append(whole_nuclei(A, A / 2, p * BEAM * A[:, None], hot, gas, species, CARBON, rng))
    return collisions(nuclei, impact)


@pytest.fixture(autouse=True)
def one_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collision_classifier, "PARTITIONS", 1)  # a second each


@pytest.fixture(scope="module")
def truth() -> Collisions:
    return toy(300, 2)


def test_observables_of_a_known_event_are_as_counted_by_hand() -> None:
    nuclei = Nuclei(
        np.array([1, 4, 8, 1, 8, 2]), np.array([0, 2, 4, 1, 4, 1]),
        BEAM * np.array([[1.0, 0, 1], [0, 0, 0], [-0.8, 0, 8], [0, 0, -1], [0, 0, -8], [0, 0, 0]]),
        np.array([0.0, 4.0, 8.0, 0.0, 16.0, 0.0]), 1.0,
    )  # fmt: skip
    events = collisions([nuclei], np.array([3.0]))
    found = {name: float(values[0]) for name, values in observables(events).items()}
    wanted = {
        "fragments": 4, "A_largest": 8, "Z_largest": 4, "A_second": 8, "Z_second": 4, "Z_bound": 10, "gas_nucleons": 2,
        "gas_protons": 1, "excitation": 28, "excitation_per_nucleon": 28 / 22, "largest_excitation_per_nucleon": 1,
        "forward_A": 8, "forward_momentum": np.hypot(1, 0.1), "forward_theta": np.degrees(np.arctan(0.1)),
        "forward_deflection": -0.1, "transverse_momentum": 0.8, "gas_asymmetry": 0.0, "gas_flow": 0.5,
        "stopping": (1 + 0.08) / (2 + 0.08 + 8 + 1 + 8),
    }  # fmt: skip
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value), name
    # kinetic energies of two free nucleons: p^2 / 2 m with 2 + 1 squares of the beam's momentum per nucleon
    assert found["gas_energy"] == pytest.approx(3 * BEAM**2 / (2 * 939), rel=0.02)
    assert set(found) == set(OBSERVABLES) == {*wanted, "gas_energy"}


def test_a_lone_fragment_has_no_second_and_gas_is_none() -> None:
    fused = Nuclei(np.array([22, 1, 1]), np.array([12, 0, 0]), np.zeros((3, 3)), np.array([50.0, 0, 0]), 1.0)
    split = Nuclei(np.ones(24, np.int64), np.repeat([0, 1], 12), np.zeros((24, 3)), np.zeros(24), 1.0)
    found = observables(collisions([fused, split], np.zeros(2)))
    assert found["A_second"].tolist() == found["Z_second"].tolist() == [0, 0]
    assert found["A_largest"].tolist() == [22, 0]
    assert found["gas_nucleons"].tolist() == [2, 24]
    assert all(np.isfinite(values).all() for values in found.values())


def test_spectra_pool_the_nuclei_of_every_event(truth: Collisions) -> None:
    found = spectra(truth)
    assert set(found) == set(SPECTRA)
    counted = np.bincount(found["spectrum_A"].event, minlength=len(truth))
    assert counted.tolist() == observables(truth)["fragments"].tolist()
    free = np.bincount(found["gas_spectrum_theta"].event, minlength=len(truth))
    assert free.tolist() == observables(truth)["gas_nucleons"].tolist()
    assert found["spectrum_theta"].values.max() <= 180


def test_heaviest_takes_the_fastest_of_equals_or_none() -> None:
    momentum = np.array([[0, 0, 1.0], [0, 0, -3], [0, 0, 9]])
    equal = Nuclei(np.array([4, 4, 1]), np.array([2, 2, 0]), momentum, np.zeros(3), 1.0)
    events = collisions([equal, equal], np.zeros(2))
    assert heaviest(events, np.array([True] * 3 + [False] * 3)).tolist() == [1, -1]


def test_a_copy_is_at_no_distance_and_a_new_sample_near(truth: Collisions) -> None:
    rng = np.random.default_rng(3)
    assert are_twins(truth, truth)
    assert distances(truth, truth, rng).mean.value < 1e-12
    again = distances(truth, toy(300, 4), rng)
    # two samples of 300: W1 of a Gaussian is about 0.8 sqrt(2 / 300) = 0.065 sigma
    assert 0.02 < again.mean.value < 0.13
    assert 0 < again.mean.error < 0.04


def test_hotter_fragments_are_seen_where_they_differ(truth: Collisions) -> None:
    hot = distances(truth, toy(300, 4, heat=16.0), np.random.default_rng(3))
    for name in ("excitation", "spectrum_excitation", "largest_excitation_per_nucleon"):
        assert hot.each[name].value > max(0.4, 5 * hot.each[name].error), name
    assert hot.each["spectrum_A"].value < 0.2


def test_wasserstein_weighs_events_and_not_values() -> None:
    one = Pooled(np.array([0.0, 0.0, 1.0]), np.array([0, 0, 1]))
    other = Pooled(np.array([1.0]), np.array([0]))
    weights = np.array([[1.0, 1.0], [0.0, 2.0], [1.0, 0.0]])
    assert wasserstein(one, other, weights, np.ones((3, 1))) == pytest.approx([2 / 3, 0.0, 1.0])
    assert np.isnan(wasserstein(one, other, weights, np.zeros((3, 1)))).all()


def test_observables_that_never_vary_have_no_distance(truth: Collisions) -> None:
    cold = replace(truth, excitation=np.zeros(len(truth.A)))
    found = distances(cold, truth, np.random.default_rng(3))
    assert "excitation" not in found.each
    assert np.isfinite(found.mean.value)
    unit = distances(truth, cold, np.random.default_rng(3), {"excitation": 2.0})
    assert unit.each["excitation"].value == pytest.approx(observables(truth)["excitation"].mean() / 2)
    assert unit.mean == unit.each["excitation"]


@pytest.mark.parametrize("name", ["A", "Z", "momentum", "energy"])
def test_each_violation_is_measured_and_only_that(truth: Collisions, name: str) -> None:
    assert max(values.max() for values in violations(truth).values()) < 1e-6
    first = np.zeros(len(truth.A))
    first[truth.offsets[7]] = 1
    broken = {
        "A": replace(truth, A=truth.A + first.astype(np.int64)),
        "Z": replace(truth, Z=truth.Z - first.astype(np.int64)),
        "momentum": replace(truth, momentum=truth.momentum + 3 * first[:, None]),
        "energy": replace(truth, excitation=truth.excitation + 5 * first),
    }[name]
    found = violations(broken)
    assert np.flatnonzero(found[name] > 1e-3).tolist() == [7]
    assert found[name][7] == pytest.approx({"A": 1, "Z": 1, "momentum": 3 * np.sqrt(3), "energy": 5}[name], rel=0.02)
    assert np.delete(found["energy"], 7).max() < 1e-6


# --- symmetry ---------------------------------------------------------------------------------------------------------


def test_turned_events_have_exchanged_sides(truth: Collisions) -> None:
    turned = replace(truth, momentum=truth.momentum * [-1.0, 1.0, -1.0])
    for name, values in sides(turned).items():
        np.testing.assert_allclose(values, sides(truth)[name][:, ::-1], err_msg=name)


def test_symmetry_holds_for_symmetric_events_and_breaks_else(truth: Collisions) -> None:
    rng = np.random.default_rng(5)
    uneven = toy(300, 2, ahead=1.0)
    assert exchange_p_value(truth, rng).value > 0.01  # uniform: fails for one seed in a hundred
    assert exchange_p_value(uneven, rng).value < 0.001
    assert exchange_distance(truth, rng).value < 0.13 < exchange_distance(uneven, rng).value


def test_p_values_of_symmetric_events_are_uniform(truth: Collisions) -> None:
    rng = np.random.default_rng(6)
    found = [exchange_p_value(truth.ordered(part), rng).value for part in np.split(np.arange(300), 20)]
    # twenty uniform numbers have a mean of 0.5 +- 0.065
    assert np.mean(found) == pytest.approx(0.5, abs=4 * 0.065)


# --- classifier -------------------------------------------------------------------------------------------------------


def test_a_classifier_knows_no_copy_and_sees_a_shift(truth: Collisions) -> None:
    rng = np.random.default_rng(7)
    # ranks of 600: standard deviation 0.024
    assert collision_auc(truth, truth, rng).value == pytest.approx(0.5, abs=0.08)
    assert collision_auc(truth, toy(300, 4), rng).value == pytest.approx(0.5, abs=0.08)
    assert collision_auc(truth, toy(300, 4, heat=16.0), rng).value > 0.62


def test_few_events_are_no_sample_for_a_classifier(truth: Collisions) -> None:
    few = truth.ordered(np.arange(LEAST_EVENTS - 1))
    assert np.isnan(collision_auc(few, few, np.random.default_rng(1)).value)


def test_every_event_is_judged_by_trees_that_did_not_learn_it() -> None:
    rng = np.random.default_rng(8)
    inputs, labels = rng.normal(size=(400, 3)), np.repeat([1.0, 0.0], 200)
    ranks = cross_fitted(inputs, labels, True, rng)
    assert ((ranks > 0) & (ranks < 1)).all()
    # pure noise: trees that had seen the labels would part them
    assert abs(ranks[:200].mean() - ranks[200:].mean()) < 0.12
