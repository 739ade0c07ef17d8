"""Rows of generators of collisions: what is there for which sample, and isotopes beside data and simulator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cloudchamber.data.collisions import Collisions, collisions_of, rounded
from cloudchamber.data.measured_fragments import carbon_62mev
from cloudchamber.experiments.transport_mixture import MixtureConfig, simulate
from cloudchamber.metrics import collision_classifier
from cloudchamber.metrics.collision_isotopes import (
    cold_products,
    isotope_rows,
    log_ratio_to,
    of_measured_channel,
)
from cloudchamber.metrics.collision_rows import (
    MEAN,
    collision_rows,
    fraction,
    main_channel,
    memory_rows,
    parts,
)
from cloudchamber.metrics.collisions import OBSERVABLES, SPECTRA

SETTINGS = MixtureConfig(
    records=12, test_particles=20, freeze_out_time=40.0, share=4, energies=(80.0,), systems=("C12+O16",)
)


@pytest.fixture(autouse=True)
def one_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collision_classifier, "PARTITIONS", 1)


@pytest.fixture(scope="module")
def events() -> Collisions:
    """Twelve short collisions, two of them at another energy and two of other nuclei, rounded ten times each."""
    arrays = simulate(SETTINGS, 0, 12, np.random.SeedSequence(4))
    simulated = collisions_of(arrays, 20)
    rows = np.tile(np.arange(len(simulated)), 10)
    rng = np.random.default_rng(2)
    assert simulated.simulated is not None
    return rounded(simulated.entrance.ordered(rows), simulated.simulated.ordered(rows), rng)


def test_every_measure_has_its_row_for_each_generator(events: Collisions) -> None:
    hot = replace(events, excitation=2 * events.excitation + 1)
    rows = collision_rows("test", events, {"copy": events, "hot": hot}, np.random.default_rng(1))
    found = {(row["predictor"], row["target"], row["metric"]): row for row in rows}
    assert len(found) == len(rows)
    assert {row["sample"] for row in rows} == {"test"}
    copied = {name for name in (*OBSERVABLES, *SPECTRA) if ("copy", name, "w1_over_sigma") in found}
    assert copied == {*OBSERVABLES, *SPECTRA}
    for name in ("copy", "hot"):
        for metric in (MEAN, "auc", "correlation_difference"):
            assert (name, "all", metric) in found
        for target in ("main channel", "other energies", "other nuclei"):
            assert (name, target, MEAN) in found
        assert (name, "symmetry", "p_value") in found
        assert found[name, "A", "violation_rate"]["value"] == found[name, "momentum", "violation_rate"]["value"] == 0
    assert found["copy", "all", MEAN]["value"] < 1e-12
    assert found["hot", "excitation", "w1_over_sigma"]["value"] > 0.3
    assert found["copy", "energy", "largest_violation"]["value"] < 1e-6
    assert found["hot", "energy", "violation_rate"]["value"] > 0.9
    assert found["hot", "energy", "largest_violation"]["unit"] == "MeV"


def test_few_events_give_rows_without_numbers_that_cannot_be(events: Collisions) -> None:
    few = events.ordered(np.arange(3))
    rows = collision_rows("test", few, {"copy": few}, np.random.default_rng(1))
    (asked,) = [row for row in rows if row["metric"] == "auc"]
    assert np.isnan(asked["value"])
    assert {row["target"] for row in rows if row["metric"] == MEAN} == {"all"}
    assert isotope_rows("test", few, {"copy": few}, np.random.default_rng(1)) == []


def test_parts_are_bins_of_b_and_groups_of_channels(events: Collisions) -> None:
    main = main_channel(events)
    assert main.tolist() == [12, 6, 12, 6, 62]
    found = parts(events, main)
    assert list(found)[:4] == ["b 0-2 fm", "b 2-4 fm", "b 4-6 fm", "b 6-8 fm"]
    assert np.sum([found[name] for name in list(found)[:4]], axis=0).tolist() == [1] * len(events)
    assert np.sum([found[name] for name in list(found)[4:]], axis=0).tolist() == [1] * len(events)
    assert (events.entrance.energy[found["other energies"]] == 80).all()
    assert (events.entrance.target[found["other nuclei"]] == [16, 8]).all()


def test_no_violation_seen_is_no_proof_of_none() -> None:
    assert fraction(np.zeros(98, np.bool_)).error == pytest.approx(0.01)
    assert fraction(np.array([True, False, False, False])).value == 0.25


def test_memory_is_seen_in_copies_and_not_in_the_truth(events: Collisions) -> None:
    other = np.arange(len(events)) % 12 >= 6  # other collisions, not other roundings
    train, test = events.ordered(~other), events.ordered(other)
    (copy, new) = memory_rows("test", {"copy": train, "new": test}, train, test, np.random.default_rng(1))
    assert copy["value"] < 1e-6
    assert new["value"] == 1.0


# --- isotopes ---------------------------------------------------------------------------------------------------------


def test_isotopes_of_generator_and_truth_stand_beside_each_other(events: Collisions) -> None:
    rows = isotope_rows("test", events, {"copy": events}, np.random.default_rng(1))
    found = {(row["target"], row["metric"]): row["value"] for row in rows}
    assert {target for target, _ in found} == {*carbon_62mev().angular, "all"}
    metrics = ("mean_abs_log_ratio", "reduced_chi2")
    assert {metric for _, metric in found} == {
        *metrics, *(f"truth_{one}" for one in metrics), "mean_abs_log_ratio_to_truth"
    }  # fmt: skip
    # the same hot events, other decays: rare isotopes still differ
    assert found["all", "mean_abs_log_ratio"] == pytest.approx(found["all", "truth_mean_abs_log_ratio"], rel=0.2)
    assert found["all", "mean_abs_log_ratio_to_truth"] < 0.5 * found["all", "truth_mean_abs_log_ratio"]


def test_only_the_channel_that_was_measured_counts(events: Collisions) -> None:
    own = of_measured_channel(events, carbon_62mev())
    assert (events.entrance.energy[own] == 62).all()
    assert own.sum() == parts(events, main_channel(events))["main channel"].sum() > 0


def test_cold_products_hold_all_nucleons_and_the_beam_momentum(events: Collisions) -> None:
    own = events.ordered(of_measured_channel(events, carbon_62mev())).ordered(np.arange(10))
    products = cold_products(own, 8.0, np.random.default_rng(1), decays=3)
    assert np.bincount(products.event, products.mass_number).tolist() == [72] * 10
    assert products.weight.sum() == pytest.approx(20 * np.pi * 8 * own.entrance.impact_parameter.mean())
    beam = np.sqrt((12 * 931.494 + 12 * 62.0) ** 2 - (12 * 931.494) ** 2)
    # but for what photons carry away
    assert np.bincount(products.event, products.momentum[:, 2]) == pytest.approx(np.full(10, 3 * beam), rel=0.02)


def test_half_the_products_are_off_by_the_logarithm_of_two(events: Collisions) -> None:
    data = carbon_62mev()
    own = events.ordered(of_measured_channel(events, data))
    products = cold_products(own, 8.0, np.random.default_rng(1))
    half = replace(products, weight=products.weight / 2)
    found = log_ratio_to(products, half, data.angular, np.random.default_rng(1))
    assert found["H1"].value == pytest.approx(np.log(2))  # protons are at every angle
    assert found["H1"].n == len(data.angular["H1"].angle)
    assert log_ratio_to(products, products, data.angular, np.random.default_rng(1))["all"].value == 0
