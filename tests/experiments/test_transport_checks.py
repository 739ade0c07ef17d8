"""Checks on simulated events: what they say of made-up records whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest, ttest_ind

from cloudchamber.data.columns import checked_columns
from cloudchamber.data.measured_fragments import carbon_62mev
from cloudchamber.data.samples import ArrayRecords
from cloudchamber.experiments.transport import LENGTHS, SCHEMA, channel_of, columns
from cloudchamber.experiments.transport_checks import (
    ENERGIES,
    SWAPS,
    ValidationConfig,
    column,
    conservation,
    first_events,
    largest,
    mean_of,
    measured_data,
    owned_sums,
    reaction,
    reaction_probability,
    spread,
    symmetry,
)
from cloudchamber.metrics.criteria import passes
from cloudchamber.metrics.fragment_cross_sections import Products
from cloudchamber.metrics.rows import Row
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.event import Event
from cloudchamber.simulators.transport.fragments import Fragments
from cloudchamber.simulators.transport.reaction_cross_section import kox, tripathi
from cloudchamber.study import CheckResult

CONFIG = ValidationConfig(test_particles=50, repetitions=2)
CHANNEL = channel_of(CONFIG)
OF = {name: array.of for name, array in SCHEMA.items() if array.of is not None}
SEEDS = np.random.SeedSequence(1)


def event_of(
    A: Sequence[float], Z: Sequence[float], momentum: Sequence[Sequence[float]] | np.ndarray, excitation: float = 0.0
) -> Event:
    """Fragments as they are given, and gas that balances nucleons, charge and momentum of two carbon nuclei."""
    per, size, p = CONFIG.test_particles, len(A), np.array(momentum, float).reshape(-1, 3)
    n, protons = round((24 - sum(A)) * per), round((12 - sum(Z)) * per)
    gas = np.random.default_rng(1).normal(0, 80, (n, 3))
    if n:
        gas -= gas.mean(axis=0) + p.sum(axis=0) * per / n
    fragments = Fragments(
        np.array(A, float), np.array(Z, float), np.zeros((size, 3)), p, np.full(size, excitation),
        np.zeros((size, 3)), np.zeros(0, np.int64),
    )  # fmt: skip
    return Event(fragments, 0 * gas, gas, (np.arange(n) < protons).astype(np.int8), 0.01, 3.0, 2.0)


def records_of(
    events: Sequence[Event | None], impact: Sequence[float] | np.ndarray | None = None,
    channel: EntranceChannel = CHANNEL,
) -> ArrayRecords:  # fmt: skip
    """Events as they are read from disk."""
    b = np.full(len(events), 4.0) if impact is None else np.array(impact, float)
    return ArrayRecords(checked_columns(columns(channel, b, list(events)), SCHEMA, LENGTHS, len(events)), OF)


def intact(channel: EntranceChannel = CHANNEL) -> Event:
    """Two carbon nuclei that missed each other."""
    return event_of((12, 12), (6, 6), [[0, 0, channel.momentum], [0, 0, -channel.momentum]])


def alphas(channel: EntranceChannel = CHANNEL) -> Event:
    """Both carbon nuclei are three alpha particles each, which stay together but for 100 MeV/c across the beam."""
    across = 100 * np.array([[1, 0, 0], [-0.5, 0.75**0.5, 0], [-0.5, -(0.75**0.5), 0]])
    along = np.array([0, 0, channel.momentum / 3])
    return event_of([4] * 6, [2] * 6, np.concatenate([across + along, across - along]))


def hot() -> Event:
    """Two fragments that are no whole numbers, and gas."""
    return event_of((9.34, 8.2), (4.62, 4.1), [[50.0, 0.0, 1500.0], [-80.0, 20.0, -1400.0]], 20.0)


def found(result: CheckResult, predictor: str, target: str, metric: str) -> Row:
    """The row of a number."""
    (row,) = (
        one for one in result.rows if (one["predictor"], one["target"], one["metric"]) == (predictor, target, metric)
    )
    return row


def failed(result: CheckResult) -> list[tuple[str, str]]:
    """Whose criteria are not met, and of what."""
    return [(row["predictor"], row["target"]) for row in result.rows if passes(row) is False]


def assert_numbers_have_names_of_their_own(result: CheckResult) -> None:
    names = [(row["predictor"], row["target"], row["metric"]) for row in result.rows]
    assert len(set(names)) == len(names) > 0


# --- columns ----------------------------------------------------------------------------------------------------------


def test_refused_events_are_in_no_column_and_no_sum() -> None:
    records = records_of([hot(), None, event_of((), (), ()), intact()])
    assert column(records, "fragments").tolist() == [2, 0, 2]
    assert column(records, "fragment_A").tolist() == [9.34, 8.2, 12, 12]
    np.testing.assert_allclose(owned_sums(records, "fragment_A", "fragments"), [17.54, 0, 24])
    np.testing.assert_allclose(owned_sums(records, "gas_species", "gas"), [(12 - 8.72) * 50, 12 * 50, 0])
    momentum = owned_sums(records, "fragment_momentum", "fragments")
    np.testing.assert_allclose(momentum, [[-30, 20, 100], [0, 0, 0], [0, 0, 0]], atol=1e-9)


def test_a_mean_has_the_error_of_its_sample() -> None:
    one = mean_of(np.array([1.0, 3.0, 5.0, 7.0]))
    assert (one.value, one.n) == (4.0, 4)
    assert one.error == pytest.approx(math.sqrt(20 / 3 / 4))
    assert math.isnan(mean_of(np.array([2.0])).error)
    assert largest(np.array([1.0, -3.0, 2.0])).value == 3.0
    assert largest(np.zeros(0)).value == 0.0


# --- conservation -----------------------------------------------------------------------------------------------------


def test_events_that_lose_nothing_meet_every_conservation_law() -> None:
    records = records_of([hot(), intact(), None, alphas()])
    result = conservation(CONFIG, records, {"average": records_of([hot(), intact()])}, SEEDS)
    assert_numbers_have_names_of_their_own(result)
    assert failed(result) == []
    judged = {(row["predictor"], row["target"]) for row in result.rows if passes(row)}
    laws = {"mass_number", "charge", "energy", "momentum"}
    assert judged == {(subject, law) for subject in ("langevin", "average", "rounded") for law in laws}
    assert found(result, "langevin", "energy", "refused_events")["value"] == 0.25
    assert found(result, "average", "energy", "refused_events")["value"] == 0
    np.testing.assert_allclose(result.arrays["energy_change/langevin"], 0.01, rtol=1e-6)
    assert len(result.arrays["stretch"]) == 3


def with_fragments(event: Event, **changes: Any) -> Event:
    return replace(event, fragments=replace(event.fragments, **changes))


def without_a_neutron(event: Event) -> Event:
    return with_fragments(event, A=event.fragments.A - np.array([1, 0]))


def with_other_charge(event: Event) -> Event:
    species = event.gas_species.copy()
    species[np.flatnonzero(species == 0)[:1]] = 1  # a test particle: a fiftieth of a charge
    return replace(event, gas_species=species)


def pushed(event: Event) -> Event:
    # the limit is 1 MeV/c a nucleon, 24 in all
    return with_fragments(event, momentum=event.fragments.momentum + np.array([[0, 30.0, 0], [0, 0, 0]]))


def heated(event: Event) -> Event:
    return replace(event, energy_change=-0.4)  # the mean of the sizes of it and of 0.01 is above 0.1


@pytest.mark.parametrize("subject", ["langevin", "average"])
@pytest.mark.parametrize(
    ("change", "law", "violation"),
    [
        (without_a_neutron, "mass_number", 1.0), (with_other_charge, "charge", 1 / 50),
        (pushed, "momentum", 30 / 24), (heated, "energy", 0.205),
    ],
)  # fmt: skip
def test_one_event_that_breaks_a_law_fails_its_criterion_alone(
    subject: str, change: Any, law: str, violation: float
) -> None:
    good, bad = records_of([hot(), hot()]), records_of([hot(), change(hot())])
    records, average = (bad, good) if subject == "langevin" else (good, bad)
    result = conservation(CONFIG, records, {"average": average}, SEEDS)
    assert failed(result) == [(subject, law)]
    metric = "mean_change" if law == "energy" else "largest_violation"
    # gas and energy are kept with seven digits
    assert found(result, subject, law, metric)["value"] == pytest.approx(violation, rel=1e-4)


def test_a_single_particle_of_the_gas_is_missed() -> None:
    short = hot()
    keep = np.arange(len(short.gas_species)) > 0
    less = replace(
        short, gas_species=short.gas_species[keep], gas_position=short.gas_position[keep],
        gas_momentum=short.gas_momentum[keep],
    )  # fmt: skip
    result = conservation(CONFIG, records_of([less, hot()]), {"average": records_of([hot()])}, SEEDS)
    assert ("langevin", "mass_number") in failed(result)
    assert ("langevin", "charge") in failed(result)


# --- symmetry ---------------------------------------------------------------------------------------------------------


def two_sided(rng: np.random.Generator, number: int, shift: float, together: float = 0.0) -> list[Event]:
    """Events with a fragment on either side; the forward one is heavier and hotter by ``shift``."""
    events = []
    for _ in range(number):
        common = rng.normal(0, together)
        A = 7 + common + rng.normal(0, 0.5, 2) + np.array([shift, 0])
        p = A[:, None] * (np.array([[0, 0, 120.0], [0, 0, -120.0]]) + rng.normal(0, 10, (2, 3)))
        event = event_of(A, A / 2, p)
        warm = 20 + rng.normal(0, 5, 2) + np.array([10 * shift, 0])
        order = np.argsort(-A)  # heaviest first
        own = event.fragments
        events.append(
            with_fragments(event, A=own.A[order], Z=own.Z[order], momentum=own.momentum[order], excitation=warm[order])
        )
    return events


def symmetry_of(events: Sequence[Event | None], seed: int = 1, config: ValidationConfig = CONFIG) -> CheckResult:
    return symmetry(config, records_of(events), {}, np.random.SeedSequence(seed))


def test_a_sample_that_prefers_forward_fails_what_it_prefers() -> None:
    result = symmetry_of(two_sided(np.random.default_rng(2), 60, 1.0))
    assert_numbers_have_names_of_their_own(result)
    assert {target for _, target in failed(result)} == {"A", "Z", "excitation"}
    assert found(result, "langevin", "A", "p_value")["value"] == pytest.approx(1 / (1 + SWAPS))
    difference = found(result, "langevin", "A", "forward_minus_backward")
    # two normal numbers of deviation 0.5 each, 60 times
    assert difference["error"] == pytest.approx(0.5 * math.sqrt(2 / 60), rel=0.3)
    assert abs(difference["value"] - 1) < 4 * difference["error"]


def test_backward_is_told_from_forward() -> None:
    result = symmetry_of(two_sided(np.random.default_rng(3), 60, -1.0))
    assert found(result, "langevin", "A", "forward_minus_backward")["value"] < 0
    assert ("langevin", "A") in failed(result)


def test_p_values_of_symmetric_samples_are_uniform() -> None:
    rng = np.random.default_rng(4)
    results = [symmetry_of(two_sided(rng, 20, 0.0), seed) for seed in range(80)]
    for name in ("A", "excitation", "momentum"):
        values = [found(one, "langevin", name, "p_value")["value"] for one in results]
        # of 3 such tests one falls below 0.003 in one of 100 seeds; the seed is fixed
        assert kstest(values, "uniform").pvalue > 0.003, name


def test_the_sides_of_an_event_are_compared_with_each_other() -> None:
    # what both sides share, 1.5 nucleons up or down, hides a difference of 0.5 from whoever takes them apart
    result = symmetry_of(two_sided(np.random.default_rng(5), 60, 0.5, together=1.5))
    assert ttest_ind(result.arrays["forward/A"], result.arrays["backward/A"]).pvalue > 0.01
    assert found(result, "langevin", "A", "p_value")["value"] < 0.002


def test_the_heaviest_on_each_side_of_events_with_both_counts() -> None:
    events = [
        event_of((9, 5, 3, 2), (4, 3, 2, 1), [[0, 0, 900], [0, 0, -700], [0, 0, 100], [0, 0, -300]]),
        event_of((10, 4), (5, 2), [[0, 0, 500], [0, 0, 400]]),  # nothing behind
        None,
        event_of((), (), ()),
        event_of((8, 7), (4, 3), [[3, 4, -800], [0, 0, 700]]),
    ]
    arrays = symmetry_of(events).arrays
    assert arrays["forward/A"].tolist() == [9, 7]
    assert arrays["backward/A"].tolist() == [5, 8]
    assert arrays["forward/Z"].tolist() == [4, 3]
    np.testing.assert_allclose(arrays["forward/momentum"], [100, 100])
    np.testing.assert_allclose(arrays["backward/momentum"], [140, math.sqrt(25 + 800**2) / 8])


def test_no_symmetry_is_asked_of_different_nuclei_or_too_few_events() -> None:
    other = CONFIG.changed({"target": "O16"})
    assert symmetry_of(two_sided(np.random.default_rng(1), 5, 0.0), config=other).rows == []
    assert symmetry_of([hot(), None, event_of((), (), ())]).rows == []


# --- fluctuations -----------------------------------------------------------------------------------------------------


def sized(sizes: Sequence[float]) -> ArrayRecords:
    """Events with a largest fragment of each size, and a smaller one; none for 0."""
    both = [([A, A / 2], [A / 2, A / 4], [[0, 0, 100], [0, 0, -100]]) if A else ((), (), ()) for A in sizes]
    return records_of([event_of(*one) for one in both])


def test_spread_of_the_largest_fragment_is_that_of_the_sample() -> None:
    # standard deviations 2 and 0.2 of four events each: sqrt(4 / 3) larger for the bias
    probes = {"central-langevin": sized([8, 12, 8, 12]), "central-average": sized([10.2, 9.8, 10.2, 9.8])}
    result = spread(CONFIG, sized([1]), probes, SEEDS)
    assert_numbers_have_names_of_their_own(result)
    assert found(result, "langevin", "largest_fragment", "mean_A")["value"] == pytest.approx(10)
    assert found(result, "langevin", "largest_fragment", "sd_A")["value"] == pytest.approx(2 * math.sqrt(4 / 3))
    assert found(result, "average", "largest_fragment", "sd_A")["value"] == pytest.approx(0.2 * math.sqrt(4 / 3))
    assert found(result, "langevin", "collisions", "mean")["value"] == 2.0
    assert found(result, "langevin", "largest_fragment", "sd_over_average")["value"] == pytest.approx(10)
    assert failed(result) == []
    assert result.arrays["langevin/largest"].tolist() == [8, 12, 8, 12]


def test_fluctuations_that_are_too_small_fail_their_criterion() -> None:
    probes = {"central-langevin": sized([9.2, 10.8] * 4), "central-average": sized([9.8, 10.2] * 4)}
    assert failed(spread(CONFIG, sized([1]), probes, SEEDS)) == [("langevin", "largest_fragment")]


def test_the_error_of_a_spread_is_that_of_normal_samples() -> None:
    rng = np.random.default_rng(6)
    probes = {"central-langevin": sized(rng.normal(10, 1.2, 60)), "central-average": sized(rng.normal(10, 0.1, 60))}
    result = spread(CONFIG, sized([1]), probes, SEEDS)
    deviation = found(result, "langevin", "largest_fragment", "sd_A")
    # of n normal numbers s / sqrt(2 (n - 1)); a bootstrap of 60 knows it to a third
    assert deviation["error"] == pytest.approx(deviation["value"] / math.sqrt(118), rel=0.35)
    ratio = found(result, "langevin", "largest_fragment", "sd_over_average")
    assert ratio["error"] == pytest.approx(ratio["value"] / math.sqrt(59), rel=0.35)


def test_events_without_fragments_have_a_largest_of_nothing() -> None:
    probes = {"central-langevin": sized([0, 12, 8, 0]), "central-average": sized([9.9, 10, 10, 10.1])}
    result = spread(CONFIG, sized([1]), probes, SEEDS)
    assert result.arrays["langevin/largest"].tolist() == [0, 12, 8, 0]


# --- reactions --------------------------------------------------------------------------------------------------------


def products_of(nuclei: Sequence[tuple[int, int, int, int]], events: int, repetitions: int) -> tuple[Products, Any]:
    """From (event, repetition, A, Z)."""
    event, repetition, A, Z = (np.array([one[i] for one in nuclei]) for i in range(4))
    n = len(nuclei)
    return Products(A, Z, np.zeros((n, 3)), np.zeros(n), event, np.ones(events), repetitions), repetition


def test_events_react_in_which_other_nuclei_come_out() -> None:
    carbon = (12, 6)
    products, repetition = products_of(
        [
            (0, 0, 12, 6), (0, 0, 12, 6), (0, 1, 12, 6), (0, 1, 12, 6),  # missed
            (1, 0, 12, 6), (1, 0, 11, 6), (1, 0, 1, 0), (1, 1, 11, 6), (1, 1, 12, 6), (1, 1, 1, 0),  # a neutron
            (2, 0, 12, 6), (2, 0, 12, 6), (2, 1, 12, 6), *[(2, 1, 4, 2)] * 3,  # in one of two roundings
            (4, 0, 12, 7), (4, 0, 12, 5), (4, 1, 24, 12),  # exchanged a charge; fused
        ], 5, 2,
    )  # fmt: skip
    # event 3 was refused
    probability = reaction_probability(products, repetition, (carbon, carbon))
    np.testing.assert_array_equal(probability, [0, 1, 0.5, 0, 1])


def test_different_nuclei_must_both_come_out_again() -> None:
    products, repetition = products_of(
        [
            (0, 0, 16, 8), (0, 0, 12, 6), (1, 0, 12, 6), (1, 0, 16, 8), (2, 0, 14, 7), (2, 0, 14, 7),
            (3, 0, 16, 8), (3, 0, 16, 8), (4, 0, 16, 8), (4, 0, 11, 6), (4, 0, 1, 0),
        ], 5, 1,
    )  # fmt: skip
    probability = reaction_probability(products, repetition, ((16, 8), (12, 6)))
    np.testing.assert_array_equal(probability, [0, 0, 1, 1, 1])


def test_the_reaction_cross_section_is_the_disc_within_which_nuclei_react() -> None:
    impact = (np.arange(16) + 0.5) / 2
    samples = {}
    for energy, radius in zip((CONFIG.energy, *ENERGIES), (6.0, 7.0, 5.0, 0.0), strict=True):
        channel = EntranceChannel((12, 6), (12, 6), energy)
        events = [alphas(channel) if b < radius else intact(channel) for b in impact]
        samples[energy] = records_of(events, impact, channel)
    probes = {f"energy-{energy:g}": samples[energy] for energy in ENERGIES}
    result = reaction(CONFIG, samples[CONFIG.energy], probes, SEEDS)
    assert_numbers_have_names_of_their_own(result)
    # impact parameters in the middle of equal intervals give the area of the disc exactly, 10 mb = 1 fm^2
    for name, radius in (("at_62_MeV", 6), ("at_30_MeV", 7), ("at_95_MeV", 5), ("at_200_MeV", 0)):
        one = found(result, "langevin", name, "reaction_cross_section")
        assert one["value"] == pytest.approx(10 * math.pi * radius**2, rel=1e-6)
        assert one["unit"] == "mb"
    expected = kox((12, 6), (12, 6), 62.0)
    assert found(result, "kox", "at_62_MeV", "reaction_cross_section")["value"] == expected
    assert found(result, "langevin", "at_62_MeV", "over_kox")["value"] == pytest.approx(360 * math.pi / expected)
    other = tripathi((12, 6), (12, 6), 30.0)
    assert found(result, "langevin", "at_30_MeV", "over_tripathi")["value"] == pytest.approx(490 * math.pi / other)
    np.testing.assert_array_equal(result.arrays["62/probability"], impact < 6)
    np.testing.assert_allclose(result.arrays["95/impact_parameter"], impact)


# --- data -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"target": "O16"}, {"projectile": "O16"}, {"energy": 61}])
def test_nothing_measured_is_compared_with_other_collisions(change: dict[str, object]) -> None:
    result = measured_data(CONFIG.changed(change), records_of([intact()]), {}, SEEDS)
    assert (list(result.rows), result.arrays) == ([], {})


def test_measured_isotopes_are_each_compared_in_both_modes() -> None:
    impact = (np.arange(8) + 0.5) / 2
    records = records_of([alphas() for _ in impact], impact)
    average = records_of([intact(), intact()], [3.0, 5.0])
    result = measured_data(CONFIG, records, {"average": average}, SEEDS)
    assert_numbers_have_names_of_their_own(result)
    isotopes = set(carbon_62mev().angular)
    assert len(isotopes) == 10
    for subject in ("langevin", "average"):
        for metric in ("reduced_chi2", "mean_log_ratio", "mean_abs_log_ratio"):
            own = {row["target"]: row["value"] for row in result.rows if row["metric"] == metric}
            assert own.keys() == isotopes | {"all"}
            assert np.isfinite(list(own.values())).all()
        sections = {
            row["target"]: row["value"]
            for row in result.rows
            if row["metric"] == "cross_section" and row["predictor"] == subject
        }
        # alpha particles come out of the langevin events alone, and nothing else does
        assert {name for name, value in sections.items() if value > 0} == ({"He4"} if subject == "langevin" else set())
    assert (result.arrays["average/angular/He4/value"] == 0).all()
    assert (result.arrays["langevin/angular/He4/value"] > 0).any()
    assert found(result, "measured", "He4", "cross_section")["value"] > 0


def test_average_events_that_are_all_alike_have_no_ratio_of_spreads() -> None:
    probes = {"central-langevin": sized([9.0, 8.0, 7.0]), "central-average": sized([9.0, 9.0, 9.0])}
    result = spread(CONFIG, records_of([intact()] * 2), probes, SEEDS)
    ratio = found(result, "langevin", "largest_fragment", "sd_over_average")
    assert math.isnan(ratio["value"])
    assert passes(ratio) is False


def test_the_own_energy_is_not_replaced_by_a_probe() -> None:
    energy = ENERGIES[1]
    config = CONFIG.changed({"energy": energy})
    channel = channel_of(config)
    apart = records_of([alphas(channel)] * 4, np.linspace(1, 7, 4), channel)
    probes = {}
    for one in ENERGIES:
        other = channel_of(CONFIG.changed({"energy": one}))
        probes[f"energy-{one:g}"] = records_of([intact(other)] * 3, np.full(3, 4.0), other)
    result = reaction(config, apart, probes, SEEDS)
    own = found(result, "langevin", f"at_{energy:g}_MeV", "reaction_cross_section")
    assert (own["n"], own["value"] > 100) == (4, True)


def test_a_single_impact_parameter_has_no_cross_section() -> None:
    config = CONFIG.changed({"lowest_impact_parameter": 4.0, "highest_impact_parameter": 4.0})
    for check in (reaction, measured_data):
        assert not check(config, records_of([intact()] * 2), {}, SEEDS).rows


def test_the_first_events_stand_for_all_cross_section() -> None:
    products, _ = products_of([(0, 0, 12, 6), (1, 0, 4, 2), (3, 1, 4, 2)], 4, 2)
    some = first_events(products, 2)
    assert some.event.tolist() == [0, 1]
    assert some.weight.sum() == pytest.approx(2 * products.weight[:2].sum())
    assert (some.repetitions, some.mass_number.tolist()) == (2, [12, 4])
