"""Rows of generators: truth against truth is the floor, what is wrong is seen, conditions have rows of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cloudchamber.metrics.interaction_classifier import (
    are_twins,
    blurred,
    classifier_auc,
    conserved_sums,
    halves,
    particle_auc,
)
from cloudchamber.metrics.interaction_rows import (
    condition_name,
    condition_names,
    fraction,
    interaction_rows,
    memory_rows,
    read_condition,
    rows_per_condition,
)
from cloudchamber.simulators.hadronic.events import ELASTIC, Beam, Events, joined
from cloudchamber.simulators.hadronic.kinematics import from_rest, project, to_rest

PION, PROTON = 0.1395701, 0.938272013
MASS = {211: PION, -211: PION, 111: 0.1349766, 2212: PROTON, 2112: 0.93956536}
FINAL = ([211, 2212], [211, 2212, 111], [211, 211, 2112], [211, 211, -211, 2212], [211, 2212, 111, 111])


def toy(n: int, seed: int, width: float = 0.3, energy: float | NDArray[np.float64] = 25.0) -> Events:
    """pi+ of some energy in GeV (one, or of each event) on hydrogen to one of FINAL, transverse momenta of some width
    in GeV."""
    rng = np.random.default_rng(seed)
    kinds = [FINAL[choice] for choice in rng.integers(len(FINAL), size=n)]
    kind = np.array([one for event in kinds for one in event], np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(event) for event in kinds])])
    direction = np.tile([0.0, 0.6, 0.8], (n, 1))
    kinetic = np.full(n, energy)[:, None]
    momentum = np.sqrt(kinetic * (kinetic + 2 * PION)) * direction
    incoming = np.concatenate([kinetic + PION + PROTON, momentum], axis=1)
    s = np.sqrt(incoming[:, 0] ** 2 - (incoming[:, 1:] ** 2).sum(axis=1))
    mass = np.array([MASS[one] for one in kind.tolist()])
    rest, _, good = project(rng.normal(size=(len(kind), 3)) * [width, width, 1.0], mass, offsets, s)
    owner = np.repeat(np.arange(n), np.diff(offsets))
    beam = Beam(np.full(n, 211, np.int32), np.ones(n, np.int32), kinetic[:, 0], direction)
    channel = np.where(np.diff(offsets) == 2, 0, 1).astype(np.uint8)
    lab = from_rest(rest, incoming[owner], direction[owner])
    return Events(beam, np.full(n, 2212, np.int32), incoming, channel, offsets, kind, lab).part(good)


def value(rows: list[dict[str, object]], target: str, metric: str) -> float:
    (found,) = [one["value"] for one in rows if (one["target"], one["metric"]) == (target, metric)]
    assert isinstance(found, float)
    return found


def test_trees_tell_what_differs_and_nothing_else() -> None:
    rng = np.random.default_rng(3)
    draw = lambda shift: {"a": rng.normal(size=3000), "b": rng.normal(size=3000) + shift}  # noqa: E731
    same = classifier_auc(draw(0.0), draw(0.0), rng)
    assert same.value == pytest.approx(0.5, abs=4 * same.error)
    other = classifier_auc(draw(0.0), draw(1.0), rng)
    assert other.value == pytest.approx(0.76, abs=0.04)  # Gaussians one sigma apart: Phi(1 / sqrt(2)) = 0.760


@pytest.mark.parametrize("n", [10, 11])
def test_twins_are_in_one_half_and_side_by_side(n: int) -> None:
    learn, ask = halves(n, n, True, np.random.default_rng(1))
    assert sorted([*learn, *ask]) == list(range(2 * n))
    for half in (learn, ask):
        assert (half[1::2] == half[::2] + n).all()
    free = np.concatenate(halves(n, 4, False, np.random.default_rng(1)))
    assert sorted(free) == list(range(n + 4))


def test_twins_have_the_same_beams() -> None:
    truth = toy(20, 1)
    assert are_twins(truth, toy(20, 2))
    assert not are_twins(truth, toy(19, 2))
    assert not are_twins(truth, toy(20, 2, energy=25.5))


def test_trees_do_not_know_an_event_by_its_twin() -> None:
    energy = {"log_energy": np.random.default_rng(1).normal(size=2000)}
    parted = classifier_auc(energy, energy, np.random.default_rng(2))
    assert parted.value < 0.45  # what was true in the one half is the model's in the other
    together = classifier_auc(energy, energy, np.random.default_rng(2), twins=True)
    assert together.value == pytest.approx(0.5, abs=1e-12)


def test_copies_of_the_truth_have_an_auc_of_one_half() -> None:
    truth = toy(1200, 1, energy=np.geomspace(5.0, 100.0, 1200))
    rows = interaction_rows("test", truth, {"again": truth}, np.random.default_rng(1))
    assert value(rows, "all", "auc_particles") == pytest.approx(0.5, abs=1e-12)
    for metric in ("auc", "auc_with_sums"):  # the resolution's noise is drawn for each; three errors of 1200 events
        assert value(rows, "all", metric) == pytest.approx(0.5, abs=0.05)
    each = rows_per_condition(truth, {"again": truth}, np.random.default_rng(1), energies=(10.0, 50.0))
    found = [one["value"] for one in each if one["metric"] == "auc"]
    assert found == pytest.approx([0.5, 0.5], abs=0.07)


def test_rounding_in_what_conservation_fixes_is_not_seen() -> None:
    """A constant that the model has exactly and the truth up to 1e-5, as the energies of two bodies."""
    rng = np.random.default_rng(1)
    wide = np.where(rng.random(4000) < 0.5, 0.3, rng.normal(0.5, 0.1, 4000))
    true, made = {"x": wide + 1e-5 * (wide == 0.3)}, {"x": wide}
    assert classifier_auc(true, made, rng).value > 0.7
    seen = (blurred(true, true, rng), blurred(made, true, rng))
    assert classifier_auc(*seen, rng).value == pytest.approx(0.5, abs=0.04)
    whole = {"n": np.arange(5.0)}
    np.testing.assert_array_equal(blurred(whole, whole, rng)["n"], whole["n"])


def test_the_network_on_particles_tells_what_differs_and_nothing_else() -> None:
    truth = toy(1500, 1)
    same = particle_auc(truth, toy(1500, 2), np.random.default_rng(1))
    assert same.value == pytest.approx(0.5, abs=4 * same.error)  # the bootstrap's error of one training
    wide = particle_auc(truth, toy(1500, 3, width=0.45), np.random.default_rng(1))
    assert wide.value > 0.6
    again = particle_auc(truth, toy(1500, 3, width=0.45), np.random.default_rng(1))
    assert again == wide


def test_the_network_sees_kinds_that_are_swapped() -> None:
    model = toy(1500, 4)
    kind = model.kind.copy()
    swapped = np.isin(kind, (111, -211))
    kind[swapped] = np.where(kind[swapped] == 111, -211, 111)
    assert particle_auc(toy(1500, 1), replace(model, kind=kind), np.random.default_rng(2)).value > 0.7


def test_events_without_particles_are_told_from_the_truth() -> None:
    truth = toy(200, 1)
    empty = replace(
        truth, offsets=np.zeros(len(truth) + 1, np.int64), kind=truth.kind[:0], momentum=truth.momentum[:0]
    )  # fmt: skip
    assert particle_auc(truth, empty, np.random.default_rng(1)).value > 0.9


def test_truth_against_truth_is_the_floor_and_violations_are_none() -> None:
    rows = interaction_rows("test", toy(1200, 1), {"again": toy(1200, 2)}, np.random.default_rng(1), particles=False)
    assert {one["sample"] for one in rows} == {"test"}
    assert {one["predictor"] for one in rows} == {"again"}
    assert value(rows, "all", "mean_w1_over_sigma") < 0.08  # about 1 / sqrt(600) = 0.04
    for metric in ("auc", "auc_with_sums"):
        assert value(rows, "all", metric) == pytest.approx(0.5, abs=0.07)  # errors 0.017
    for target in ("charge", "baryon_number", "strangeness", "energy_momentum"):
        assert value(rows, target, "violation_rate") == 0
    assert value(rows, "elastic", "truth_fraction") == pytest.approx(0.2, abs=0.05)
    assert value(rows, "elastic", "difference") == pytest.approx(0, abs=0.07)
    tail = [value(rows, "leading_x_F_tail", metric) for metric in ("fraction", "truth_fraction", "difference")]
    assert tail[2] == pytest.approx(tail[0] - tail[1])


@pytest.mark.parametrize(
    ("old", "new", "target"), [(111, 211, "charge"), (111, 2112, "baryon_number"), (111, 311, "strangeness")]
)
def test_each_violation_has_its_rate(old: int, new: int, target: str) -> None:
    truth = toy(600, 1)
    kind = truth.kind.copy()
    kind[kind == old] = new
    broken = replace(truth, kind=kind)
    rows = interaction_rows("test", truth, {"model": broken}, np.random.default_rng(1), particles=False)
    rates = {one["target"]: one["value"] for one in rows if one["metric"] == "violation_rate"}
    assert rates.pop(target) == pytest.approx(0.4, abs=0.08)  # two of five final states have a pi0
    assert not any(rates.values())
    assert value(rows, "all", "auc_with_sums") > 0.6


def test_a_broken_balance_is_told_best_by_the_sums() -> None:
    truth, model = toy(1500, 1), toy(1500, 2)
    momentum = model.momentum.copy()
    momentum[model.offsets[:-1], 3] += 0.05
    rows = interaction_rows("test", truth, {"model": replace(model, momentum=momentum)}, np.random.default_rng(1),
                            particles=False)  # fmt: skip
    assert value(rows, "energy_momentum", "largest_violation") == pytest.approx(0.05, rel=1e-6)
    assert value(rows, "energy_momentum", "violation_rate_1_MeV") == 1
    assert value(rows, "all", "auc_with_sums") == pytest.approx(1, abs=0.01)
    assert value(rows, "all", "auc") < 0.9  # sharp observables of two bodies tell some of it
    assert set(np.unique(conserved_sums(truth)["pz"])) == {0.0}


def test_a_rate_of_nothing_seen_still_has_an_error() -> None:
    assert fraction(np.zeros(98, bool)).error == pytest.approx(0.01)
    assert fraction(np.arange(100) < 20).error == pytest.approx(0.04)
    assert np.isnan(fraction(np.zeros(0, bool)).value)


def test_copies_have_a_ratio_near_zero() -> None:
    train, test = toy(1500, 1), toy(500, 2)
    generated = {"copies": train.ordered(np.arange(500)), "again": toy(500, 3)}
    rows = memory_rows("test", generated, train, test, np.random.default_rng(1))
    found = {str(one["predictor"]): one for one in rows}
    assert found["copies"]["value"] < 1e-6
    assert found["again"]["value"] == pytest.approx(1, abs=4 * found["again"]["error"])


def test_conditions_are_named_and_read() -> None:
    assert condition_name("pi+", "C", 5.0) == "pi+ C 5 GeV"
    assert read_condition("K0L Pb 100 GeV") == ("K0L", "Pb", 100.0)
    assert read_condition("test") is None
    assert read_condition("pi+ C x GeV") is None
    beam = Beam(np.array([211, -321], np.int32), np.array([6, 82], np.int32), np.array([4.8, 35.0]), np.ones((2, 3)))
    assert condition_names(beam).tolist() == ["pi+ C 5 GeV", "K- Pb 50 GeV"]


def test_each_condition_has_rows_and_only_the_wrong_one_is_told() -> None:
    truth = joined([toy(800, 1, energy=10.0), toy(800, 2, energy=50.0), toy(20, 3, energy=5.0)])
    model = joined([toy(800, 4, energy=10.0), toy(800, 5, width=0.6, energy=50.0), toy(20, 6, energy=5.0)])
    rows = rows_per_condition(truth, {"model": model}, np.random.default_rng(1))
    found = {(one["sample"], one["metric"]): one for one in rows}
    assert {sample for sample, _ in found} == {"pi+ H 10 GeV", "pi+ H 50 GeV"}  # 20 events are too few
    right, wrong = (found[f"pi+ H {energy} GeV", "auc"] for energy in (10, 50))
    assert right["value"] == pytest.approx(0.5, abs=4 * right["error"])
    assert wrong["value"] > 0.7
    right, wrong = (found[f"pi+ H {energy} GeV", "mean_w1_over_sigma"] for energy in (10, 50))
    assert wrong["value"] > right["value"] + 4 * wrong["error"]


def test_the_work_of_the_projection_is_that_of_the_events_alone() -> None:
    truth = toy(600, 1)
    owner = truth.event_of
    rest = to_rest(truth.momentum, truth.incoming[owner], truth.beam.direction[owner])
    mass = np.sqrt(rest[:, 0] ** 2 - (rest[:, 1:] ** 2).sum(axis=1))
    across = np.sqrt(mass**2 + rest[:, 1] ** 2 + rest[:, 2] ** 2)
    rapidity = np.arcsinh(rest[:, 3] / across) / 1.25  # a = 1.25 puts them right
    squeezed = np.stack([across * np.cosh(rapidity), rest[:, 1], rest[:, 2], across * np.sinh(rapidity)], axis=1)
    lab = from_rest(squeezed, truth.incoming[owner], truth.beam.direction[owner])
    heavy = replace(truth, momentum=10 * truth.momentum)  # masses above sqrt(s)
    generated = {"truth": truth, "model": replace(truth, momentum=lab), "heavy": heavy}
    rows = interaction_rows("test", truth, generated, np.random.default_rng(1), particles=False)
    found = {name: [one for one in rows if one["predictor"] == name] for name in generated}
    assert value(found["truth"], "projection", "median_stretch") < 1e-9
    assert value(found["model"], "projection", "median_stretch") == pytest.approx(0.25, abs=1e-9)
    assert [value(found[name], "projection", "infeasible") for name in ("truth", "model")] == [0, 0]
    assert value(found["heavy"], "projection", "infeasible") > 0.9
    n = int((truth.channel != ELASTIC).sum())
    assert {one["n"] for one in found["model"] if one["target"] == "projection"} == {n}
    elastic = truth.part(truth.channel == ELASTIC)
    rows = interaction_rows("test", truth, {"elastic": elastic}, np.random.default_rng(1), particles=False)
    assert np.isnan(value(rows, "projection", "median_stretch"))
