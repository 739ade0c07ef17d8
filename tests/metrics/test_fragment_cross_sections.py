"""Cross sections of fragments: analytic sources, errors of correlated products, empty points, published integrals."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from cloudchamber.data.measured_fragments import AngularDistribution, carbon_62mev
from cloudchamber.metrics import fragment_cross_sections as fragments
from cloudchamber.metrics.fragment_cross_sections import ALL, Products
from cloudchamber.schema import BadInput

MASS = 3727.38
"""MeV, of 4He."""
ALPHA = carbon_62mev().angular["He4"]


def uniform_directions(n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 3)."""
    cos, phi = rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)
    sin = np.sqrt(1 - cos**2)
    return np.stack([sin * np.cos(phi), sin * np.sin(phi), cos], axis=1)


def isotropic(events: int, each: int, seed: int, *, same: bool = False, repetitions: int = 1) -> Products:
    """Alphas that every event with b < 4 fm emits isotropically with energies uniform from 40 to 240 MeV.

    Args:
        events: with b uniform to 8 fm.
        each: alphas an event and repetition.
        seed: of everything.
        same: whether all alphas of an event have the same momentum.
        repetitions: of each event.
    """
    rng = np.random.default_rng(seed)
    b = rng.uniform(0, 8, events)
    event = np.repeat(np.flatnonzero(b < 4), each * repetitions)
    energy = rng.uniform(40, 240, len(event))
    momentum = np.sqrt(energy * (energy + 2 * MASS))[:, None] * uniform_directions(len(event), rng)
    if same:
        first = np.arange(len(event)) // (each * repetitions) * each * repetitions
        momentum, energy = momentum[first], energy[first]
    two, four = np.full(len(event), 2), np.full(len(event), 4)
    return Products(four, two, momentum, energy, event, fragments.uniform_weights(b, 0, 8), repetitions)


PER_STERADIAN = 1e-3 * 10 * math.pi * 16 / (4 * math.pi)
"""b/sr of one isotropic alpha an event with b < 4 fm."""


def test_an_isotropic_source_has_its_analytic_angular_distribution() -> None:
    found = fragments.angular_distribution(isotropic(40_000, 10, 1), ALPHA)
    pulls = (found.value / (10 * PER_STERADIAN) - 1) / (found.error / (10 * PER_STERADIAN))
    assert np.abs(pulls).max() < 4  # 22 points, some of which share products
    assert found.error.max() < 0.2 * 10 * PER_STERADIAN  # 50 products in the narrowest ring
    # wide rings agree within counting: 2 % of 10^5 products in rings of 0.026 to 0.06 sr
    assert found.value[ALPHA.angle > 14].mean() == pytest.approx(10 * PER_STERADIAN, rel=0.02)


def test_repetitions_and_beam_axis_do_not_change_a_cross_section() -> None:
    products = isotropic(4000, 10, 2)
    once = fragments.angular_distribution(products, ALPHA)
    twice = replace(
        products, mass_number=np.tile(products.mass_number, 2), charge=np.tile(products.charge, 2),
        momentum=np.tile(products.momentum, (2, 1)), kinetic_energy=np.tile(products.kinetic_energy, 2),
        event=np.tile(products.event, 2), repetitions=2,
    )  # fmt: skip
    again = fragments.angular_distribution(twice, ALPHA)
    np.testing.assert_allclose(again.value, once.value)
    np.testing.assert_allclose(again.error, once.error)  # the same de-excitation again teaches nothing
    np.testing.assert_allclose(again.limit, once.limit / 2)
    turned = replace(products, momentum=products.momentum[:, [1, 0, 2]] * [-1, 1, 1])
    np.testing.assert_allclose(fragments.angular_distribution(turned, ALPHA).value, once.value)


def test_rings_are_solid_angles() -> None:
    angle, half = np.array([2.2, 14.4]), np.array([0.4, 1.5])
    expected = 2 * np.pi * (np.cos(np.radians(angle - half)) - np.cos(np.radians(angle + half)))
    np.testing.assert_allclose(fragments.ring(angle, half), expected)
    assert fragments.ring(np.array(90.0), np.array(90.0)) == pytest.approx(4 * np.pi)
    along = fragments.polar_angle(np.array([[0, 0, 2.0], [1, 0, 1], [0, -1, 0], [0, 0, -1]]))
    np.testing.assert_allclose(along, [0, 45, 90, 180])


def test_slow_products_and_other_isotopes_are_not_counted() -> None:
    products = isotropic(2000, 10, 3)
    there = fragments.angular_distribution(products, ALPHA).value.sum()
    slow = replace(products, kinetic_energy=np.full(len(products.event), ALPHA.threshold - 0.1))
    assert fragments.angular_distribution(slow, ALPHA).value.sum() == 0 < there
    helium3 = replace(products, mass_number=np.full(len(products.event), 3))
    assert fragments.angular_distribution(helium3, ALPHA).value.sum() == 0
    lithium = replace(products, charge=np.full(len(products.event), 3))
    assert fragments.angular_distribution(lithium, ALPHA).value.sum() == 0


def test_spectra_are_flat_where_energies_are_uniform_and_sum_to_the_angular_distribution() -> None:
    products = isotropic(60_000, 10, 4)
    spectrum = carbon_62mev().spectra["He4", 21.8]
    found = fragments.energy_spectrum(products, spectrum)
    inside = (spectrum.energy - spectrum.half_bin >= 40) & (spectrum.energy + spectrum.half_bin <= 240)
    expected = 1e3 * 10 * PER_STERADIAN / 200  # mb/(sr MeV)
    assert np.abs((found.value - expected)[inside] / found.error[inside]).max() < 4
    assert np.all(found.value[spectrum.energy > 260] == 0)
    angular = fragments.angular_distribution(products, ALPHA).value[-1]
    assert 1e-3 * found.value.sum() * 2 * spectrum.half_bin == pytest.approx(angular)


def test_the_jackknife_is_that_of_leaving_events_out() -> None:
    shares = np.random.default_rng(5).exponential(size=(30, 2)) * [1, 3]
    n = len(shares)
    left_out = np.stack([np.delete(shares, one, axis=0).sum(axis=0) * n / (n - 1) for one in range(n)])
    slow = np.sqrt((n - 1) / n * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    np.testing.assert_allclose(fragments.jackknife(shares), slow)
    spread = np.std([*fragments.resampled(shares, np.random.default_rng(6))], axis=0)
    np.testing.assert_allclose(spread, slow, rtol=0.15)  # 400 resamples: 3.5 %, and (n - 1) / n


def test_errors_are_the_spread_of_repeated_simulations() -> None:
    wide = replace(ALPHA, angle=np.array([40.0]), half_width=np.array([30.0]))
    found = [fragments.angular_distribution(isotropic(300, 5, 100 + seed), wide) for seed in range(200)]
    spread = np.std([one.value[0] for one in found], ddof=1)
    assert np.mean([one.error[0] for one in found]) == pytest.approx(spread, rel=0.2)  # 200 simulations: 5 %


def test_products_of_one_event_are_not_independent() -> None:
    free = fragments.angular_distribution(isotropic(20_000, 16, 7), ALPHA)
    bound = fragments.angular_distribution(isotropic(20_000, 16, 7, same=True), ALPHA)
    wide = ALPHA.angle > 14
    ratio = (bound.error[wide] / np.sqrt(bound.value[wide])) / (free.error[wide] / np.sqrt(free.value[wide]))
    assert ratio.mean() == pytest.approx(4, rel=0.25)  # the root of 16, less what the weights' spread adds to both


def test_weights_sum_to_the_area_and_refuse_what_was_not_drawn() -> None:
    b = np.random.default_rng(8).uniform(1, 7, 100_000)
    # mean of 2 b over its range: spread 29 % of an event
    assert fragments.uniform_weights(b, 1, 7).sum() == pytest.approx(10 * np.pi * 48, rel=5e-3)
    for low, high in ((2.0, 7.0), (1.0, 6.0), (-1.0, 8.0), (7.0, 1.0)):
        with pytest.raises(BadInput, match="expected"):
            fragments.uniform_weights(b, low, high)
    with pytest.raises(BadInput, match="one an event"):
        fragments.uniform_weights(np.array([]), 0, 8)
    area = fragments.cross_section_of(fragments.uniform_weights(b, 1, 7), b < 5)
    assert abs(area.value - 10 * np.pi * 24) < 4 * area.error < 0.02 * area.value


def test_kinetic_energies_are_exact_for_slow_and_fast_products() -> None:
    energy = np.array([1e-6, 1.0, 1e4])
    momentum = np.zeros((3, 3))
    momentum[:, 1] = np.sqrt(energy * (energy + 2 * MASS))
    np.testing.assert_allclose(fragments.kinetic_energy(momentum, np.full(3, MASS)), energy, rtol=1e-10)


# --- scores -----------------------------------------------------------------------------------------------------------


def like(value: float, error: float) -> AngularDistribution:
    """Alphas with the same cross section at every angle [b/sr]."""
    n = len(ALPHA.angle)
    return replace(ALPHA, cross_section=np.full(n, value), error=np.full(n, error))


def test_a_simulation_like_the_data_scores_one_and_zero() -> None:
    products, rng = isotropic(20_000, 10, 9), np.random.default_rng(10)
    truth = 10 * PER_STERADIAN
    data = like(truth, 0.1 * truth)
    data = replace(data, cross_section=truth * (1 + 0.1 * rng.standard_normal(len(data.angle))))
    found = fragments.agreement(products, {"He4": data}, rng)
    score = found["He4"]
    assert score == found[ALL]
    assert score.empty == 0
    # 22 points: chi2 / n has a spread of sqrt(2 / 22) = 0.3
    assert 0.3 < score.reduced_chi2.value < 2
    assert abs(score.log_ratio.value) < 4 * score.log_ratio.error < 0.2
    assert score.absolute_log_ratio.value == pytest.approx(0.1 * math.sqrt(2 / math.pi), rel=0.5)


def test_a_simulation_twice_too_high_scores_ln_two() -> None:
    products, rng = isotropic(20_000, 10, 11), np.random.default_rng(12)
    truth = 10 * PER_STERADIAN
    score = fragments.agreement(products, {"He4": like(truth / 2, 0.05 * truth)}, rng)["He4"]
    assert abs(score.log_ratio.value - math.log(2)) < 4 * score.log_ratio.error
    assert score.absolute_log_ratio.value == pytest.approx(score.log_ratio.value, rel=1e-12)
    # beside the events' error stands the measured one, 10 % of each of 22 points
    exact = fragments.agreement(products, {"He4": like(truth / 2, 1e-9)}, np.random.default_rng(12))["He4"]
    for one, other in zip(
        (score.log_ratio, score.absolute_log_ratio), (exact.log_ratio, exact.absolute_log_ratio), strict=True
    ):
        assert one.error**2 - other.error**2 == pytest.approx(0.1**2 / 22)
    simulated = fragments.angular_distribution(products, ALPHA)
    expected = np.mean((simulated.value - truth / 2) ** 2 / (simulated.error**2 + (0.05 * truth) ** 2))
    assert score.reduced_chi2.value == pytest.approx(expected)
    assert 0 < score.reduced_chi2.error < 0.3 * expected


def test_points_without_products_have_finite_scores_that_grow_with_the_number_of_events() -> None:
    few = isotropic(200, 1, 13)
    none = replace(few, charge=np.full(len(few.event), 9))
    weight = none.weight.max()
    limit = fragments.angular_distribution(none, ALPHA).limit
    np.testing.assert_allclose(limit, 1e-3 * 1.1394 * weight / fragments.ring(ALPHA.angle, ALPHA.half_width), rtol=1e-4)
    rng = np.random.default_rng(14)
    score = fragments.agreement(none, {"He4": ALPHA}, rng)["He4"]
    assert score.empty == len(ALPHA.angle)
    numbers = (score.reduced_chi2, score.log_ratio, score.absolute_log_ratio)
    assert all(math.isfinite(one.value) and math.isfinite(one.error) for one in numbers)
    assert score.log_ratio.value == pytest.approx(np.log(np.minimum(limit / ALPHA.cross_section, 1)).mean())
    often = fragments.agreement(replace(none, repetitions=100), {"He4": ALPHA}, rng)["He4"]
    assert often.log_ratio.value < score.log_ratio.value - 1  # the limit is a hundred times lower
    assert often.reduced_chi2.value > score.reduced_chi2.value
    # an upper limit above the data says nothing against the simulation
    blind = fragments.agreement(none, {"He4": like(1e-6, 1e-7)}, rng)["He4"]
    assert blind.log_ratio.value == blind.absolute_log_ratio.value == 0
    assert blind.reduced_chi2.value < 1e-3


def test_scores_of_all_isotopes_are_those_of_all_points() -> None:
    products, rng = isotropic(5000, 10, 15), np.random.default_rng(16)
    measured = carbon_62mev().angular
    found = fragments.agreement(products, measured, rng)
    assert list(found) == [*measured, ALL]
    parts = [found[name] for name in measured]
    total = sum(one.log_ratio.n for one in parts)
    assert found[ALL].log_ratio.n == total == 139
    mean = sum(one.log_ratio.n * one.log_ratio.value for one in parts) / total
    assert found[ALL].log_ratio.value == pytest.approx(mean)
    assert found[ALL].empty == sum(one.empty for one in parts) == 139 - len(measured["He4"].angle)


# --- integrals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("isotope", "expected"),
    [
        ("H1", 218), ("H2", 130), ("H3", 60), ("He4", 912), ("Li6", 60), ("Li7", 68), ("Be7", 47), ("Be9", 21),
        ("B10", 43), ("B11", 56),
    ],
)  # fmt: skip
def test_the_measured_points_integrate_to_the_computed_cross_sections(isotope: str, expected: float) -> None:
    one = carbon_62mev().angular[isotope]
    found = fragments.measured_integral(one)
    assert found.value == pytest.approx(expected, abs=0.55)  # whole mb were noted, and rounded down at times
    relative = one.error / one.cross_section
    assert relative.min() / math.sqrt(len(one.angle)) < found.error / found.value < relative.max()


def test_integrals_between_points_are_those_of_a_slow_quadrature() -> None:
    angle = np.array([2.0, 5.0, 9.0, 20.0, 30.0])
    values = np.array([9.0, 2.0, 2.0, 0.0, 0.5])

    def between(theta: float) -> float:
        row = min(int(np.searchsorted(angle, theta, side="right")) - 1, len(angle) - 2)
        part = (theta - angle[row]) / (angle[row + 1] - angle[row])
        left, right = values[row], values[row + 1]
        y = left ** (1 - part) * right**part if left > 0 and right > 0 else left * (1 - part) + right * part
        return 2e3 * math.pi * math.sin(math.radians(theta)) * y * math.pi / 180

    slow = sum(quad(between, angle[row], angle[row + 1])[0] for row in range(len(angle) - 1))
    assert fragments.integral(angle, values) == pytest.approx(slow, rel=1e-8)
    np.testing.assert_allclose(fragments.integral(angle, np.stack([values, 2 * values])), [slow, 2 * slow], rtol=1e-8)


def test_an_isotropic_source_integrates_to_its_share_of_the_sphere() -> None:
    products = isotropic(20_000, 10, 17)
    found = fragments.simulated_integrals(products, {"He4": ALPHA}, np.random.default_rng(18))["He4"]
    cap = 2 * math.pi * (math.cos(math.radians(2.2)) - math.cos(math.radians(21.8)))
    expected = 1e3 * 10 * PER_STERADIAN * cap
    assert abs(found.value - expected) < 4 * found.error < 0.1 * expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"charge": np.zeros(2, int)}, "charge of products: expected shape"),
        ({"momentum": np.zeros((9, 2))}, "momentum of products: expected shape"),
        ({"weight": np.ones(1), "event": np.zeros(9, int)}, "1 events: the error"),
        ({"event": np.full(9, 3)}, "expected 0 to 2"),
        ({"event": np.full(9, -1)}, "expected 0 to 2"),
        ({"repetitions": 0}, "0 repetitions: expected 1"),
        ({"weight": np.array([1, np.nan, 1])}, "weight of products: found numbers that are not finite"),
        ({"momentum": np.full((9, 3), np.inf)}, "momentum of products: found numbers that are not finite"),
    ],
)
def test_products_that_cannot_be_are_refused(change: dict[str, object], message: str) -> None:
    good = Products(np.ones(9, int), np.ones(9, int), np.ones((9, 3)), np.ones(9), np.zeros(9, int), np.ones(3))
    with pytest.raises(BadInput, match=message):
        replace(good, **change)  # type: ignore[arg-type]


def test_events_without_any_product_give_zero() -> None:
    empty = np.zeros(0, int)
    products = Products(empty, empty, np.zeros((0, 3)), np.zeros(0), empty, np.ones(5))
    found = fragments.angular_distribution(products, ALPHA)
    assert np.all(found.value == 0)
    assert np.all(found.error == 0)
    assert np.all(found.limit > 0)
