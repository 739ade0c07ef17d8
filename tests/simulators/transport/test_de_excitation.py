"""De-excitation: conservation nucleus by nucleus, Q-values, thresholds, frames, what is refused, and speed."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy.stats import kstest

from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.de_excitation import Products, de_excite
from cloudchamber.simulators.transport.levels import BOUND, LONG_LIVED, SHORT_LIVED, WITH_RESONANCES, Level
from cloudchamber.simulators.transport.masses import mass_or_estimate, mass_table
from cloudchamber.simulators.transport.partitions import channels, fragment_pool, weights

CLOSED = 1e-6
"""MeV, to which energy and momentum close."""


def many(A: int, Z: int, excitation: float, n: int, seed: int = 1, **options: float) -> Products:
    """n nuclei of one kind at rest."""
    return de_excite(np.full(n, A), np.full(n, Z), np.zeros((n, 3)), np.full(n, excitation), seed, **options)


def names(products: Products, parent: int = 0) -> list[tuple[int, int]]:
    """(A, Z) of the products of one nucleus, sorted."""
    mine = products.parent == parent
    return sorted(zip(products.A[mine].tolist(), products.Z[mine].tolist(), strict=True))


def check(A: np.ndarray, Z: np.ndarray, p: np.ndarray, u: np.ndarray, products: Products) -> None:
    """Everything is conserved, nucleus by nucleus, and every product is on its mass shell."""
    total = np.zeros((len(A), 6))
    columns = [products.A, products.Z, products.momentum, products.energy]
    np.add.at(total, products.parent, np.column_stack(columns))
    energy = np.sqrt((mass_or_estimate(Z, A) + u) ** 2 + (p**2).sum(axis=1))
    np.testing.assert_array_equal(total[:, 0], A)
    np.testing.assert_array_equal(total[:, 1], Z)
    np.testing.assert_allclose(total[:, 2:], np.column_stack([p, energy]), rtol=0, atol=CLOSED)
    photon = products.A == 0
    assert (products.Z[photon] == 0).all()
    mass = np.zeros(len(photon))
    mass[~photon] = mass_or_estimate(products.Z[~photon], products.A[~photon])
    shell = np.sqrt(mass**2 + (products.momentum**2).sum(axis=1))
    np.testing.assert_allclose(products.energy, shell, rtol=0, atol=CLOSED)
    assert (np.diff(products.parent) >= 0).all()


def hot_nuclei(n: int, largest: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Nuclei of any A and Z, possible or not, a third of them cold."""
    rng = np.random.default_rng(seed)
    A = rng.integers(1, largest + 1, n)
    Z = np.clip(np.round(A * rng.normal(0.45, 0.15, n)), 0, np.minimum(A, 100)).astype(np.int64)
    u = rng.exponential(5, n) * A * (rng.random(n) > 0.3)
    return A, Z, rng.normal(size=(n, 3)) * 300 * A[:, None], u


@pytest.mark.parametrize("levels", [LONG_LIVED, WITH_RESONANCES])
def test_every_light_nucleus_conserves_everything(levels: tuple[Level, ...]) -> None:
    A, Z = np.array([(A, Z) for A in range(1, 17) for Z in range(A + 1)]).T
    for u in (0.0, 0.3, 7.0, 60.0, 700.0):
        p = np.random.default_rng(1).normal(size=(len(A), 3)) * 300 * A[:, None]
        excitation = np.full(len(A), u)
        check(A, Z, p, excitation, de_excite(A, Z, p, excitation, 2, levels=levels))


@pytest.mark.parametrize("seed", [1, 2])
def test_any_nuclei_conserve_everything(seed: int) -> None:
    A, Z, p, u = hot_nuclei(1500, 250, seed)
    check(A, Z, p, u, de_excite(A, Z, p, u, seed))


def test_two_lead_nuclei_together_evaporate_and_conserve_everything() -> None:
    A, Z, p = np.full(5, 416), np.full(5, 164), np.full((5, 3), 1e4)
    u = np.full(5, 2000.0)
    products = de_excite(A, Z, p, u, 3)
    check(A, Z, p, u, products)
    assert len(products.A) > 5 * 50


@pytest.mark.parametrize("levels", [LONG_LIVED, WITH_RESONANCES])
def test_light_products_are_bound_nuclei_or_photons(levels: tuple[Level, ...]) -> None:
    A, Z, p, u = hot_nuclei(3000, 30, 4)
    products = de_excite(A, Z, p, u, 4, levels=levels)
    light = (products.A > 0) & (products.A <= 16)
    assert set(zip(products.A[light].tolist(), products.Z[light].tolist(), strict=True)) <= set(BOUND)


@pytest.mark.parametrize("nucleus", [(1, 0), (1, 1), (4, 2), (12, 6), (24, 12), (208, 82)])
def test_cold_bound_nuclei_pass_through(nucleus: tuple[int, int]) -> None:
    A, Z = nucleus
    products = de_excite([A], [Z], [[10.0, 20.0, -5.0]], [0.0], 1)
    assert names(products) == [nucleus]
    np.testing.assert_array_equal(products.momentum, [[10.0, 20.0, -5.0]])


@pytest.mark.parametrize(
    ("nucleus", "parts", "released"),
    [
        ((8, 4), [(4, 2), (4, 2)], 0.0918), ((5, 2), [(1, 0), (4, 2)], 0.735), ((5, 3), [(1, 1), (4, 2)], 1.966),
        ((9, 5), [(1, 1), (4, 2), (4, 2)], 0.277), ((6, 4), [(1, 1), (1, 1), (4, 2)], 1.372),
    ],
)  # fmt: skip
def test_unbound_ground_states_fall_apart_and_release_their_q_value(
    nucleus: tuple[int, int], parts: list[tuple[int, int]], released: float
) -> None:
    products = many(*nucleus, 0.0, 20)
    assert all(names(products, i) == parts for i in range(20))
    kinetic = products.energy - mass_or_estimate(products.Z, products.A)
    np.testing.assert_allclose(np.bincount(products.parent, kinetic), released, rtol=0, atol=2e-3)


def test_carbon_near_the_alpha_thresholds_radiates_until_the_barrier_opens() -> None:
    # three alphas cost 7.275 MeV, but 8Be + alpha opens at 7.367 + 2.74 MeV of barrier
    for excitation in (7.2, 7.3, 10.1):
        products = many(12, 6, excitation, 50)
        assert set(products.A.tolist()) == {0, 12}
        carbon = products.A == 12
        assert np.bincount(products.parent, ~carbon * products.energy) == pytest.approx(excitation, abs=0.02)  # recoil
    products = many(12, 6, 10.2, 50)
    assert names(products, 7) == [(4, 2)] * 3


def test_photons_stop_at_the_levels() -> None:
    products = many(12, 6, 7.0, 4000)
    photons = products.energy[products.A == 0]
    first = np.abs(photons - 7.0) < 0.01
    low, high = np.abs(photons - 2.56) < 0.01, np.abs(photons - 4.44) < 0.01
    assert (first | low | high).all()
    assert low.sum() == high.sum()
    share = 5 * 2.5602**3 / (5 * 2.5602**3 + 7.0**3)
    assert low.sum() / 4000 == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 4000))  # 4 sd


@pytest.mark.parametrize("nucleus", [(4, 0), (3, 3), (2, 0), (2, 2), (40, 0), (30, 30)])
def test_nucleons_of_one_kind_fly_apart(nucleus: tuple[int, int]) -> None:
    A, Z = nucleus
    products = de_excite([A] * 2, [Z] * 2, np.full((2, 3), 100.0), [0.0, 30.0], 1)
    assert len(products.A) == 2 * A
    assert (products.A == 1).all()
    cold = products.momentum[products.parent == 0]
    np.testing.assert_allclose(cold, np.full((A, 3), 100.0 / A), rtol=1e-9)  # side by side
    check(np.full(2, A), np.full(2, Z), np.full((2, 3), 100.0), np.array([0.0, 30.0]), products)


def test_nuclei_without_a_mass_fall_apart_into_the_lightest_set() -> None:
    assert not np.isfinite(mass_table()[2, 12])
    assert names(many(12, 2, 0.0, 1)) == [(1, 0)] * 4 + [(8, 2)]


def test_deuteron_breaks_up_into_back_to_back_nucleons() -> None:
    products = many(2, 1, 10.0, 2000)
    assert names(products) == [(1, 0), (1, 1)]
    p = products.momentum.reshape(-1, 2, 3)
    np.testing.assert_allclose(p[:, 0], -p[:, 1], atol=1e-9)
    kinetic = (10.0 - 2.2246) / 2
    assert np.linalg.norm(p[0, 0]) == pytest.approx(
        math.sqrt(2 * 938.92 * kinetic * (1 + kinetic / 938.92 / 2)), rel=1e-3
    )
    cosine = p[:, 0, 2] / np.linalg.norm(p[:, 0], axis=1)
    assert kstest(cosine, "uniform", args=(-1, 2)).pvalue > 1e-3


@pytest.mark.parametrize("volume", [1.0, 6.0])
def test_alphas_of_hot_carbon_are_as_many_as_the_weights_say(volume: float) -> None:
    n, table, pool = 20_000, channels(12, 6, volume), fragment_pool()
    inside = {(4, 2): 1, (5, 2): 1, (5, 3): 1, (6, 4): 1, (7, 5): 1, (8, 4): 2, (8, 6): 1, (9, 5): 2}
    per_state = np.array([inside.get(one, 0) for one in zip(pool.A.tolist(), pool.Z.tolist(), strict=True)])
    expected = weights(table, 40.0) @ np.where(table.fragments >= 0, per_state[table.fragments], 0).sum(axis=1)
    products = many(12, 6, 40.0, n, volume=volume)
    found = np.bincount(products.parent, (products.A == 4) & (products.Z == 2), n)
    assert found.mean() == pytest.approx(expected, abs=4 * found.std() / math.sqrt(n))  # 4 standard errors


def test_resonances_break_up_again_and_double_the_alphas_of_hot_carbon() -> None:
    n = 5000
    alphas = {}
    for levels in (LONG_LIVED, WITH_RESONANCES):
        products = de_excite(np.full(n, 12), np.full(n, 6), np.zeros((n, 3)), np.full(n, 30.0), 1, levels=levels)
        alphas[levels] = ((products.A == 4) & (products.Z == 2)).sum() / n
    assert alphas[WITH_RESONANCES] > 1.8 * alphas[LONG_LIVED]


def stepwise(A: int, Z: int, excitation: float, barrier: bool, n: float, left: dict[tuple[int, int], float]) -> None:
    """Add the mean numbers of cold nuclei of n hot ones, resonance by resonance."""
    table, pool = channels(A, Z, 1.0, WITH_RESONANCES), fragment_pool(WITH_RESONANCES)
    opens, start = (table.opens, table.threshold) if barrier else (table.free, table.free)
    weight = table.coefficient * np.maximum(excitation - start, 0.0) ** table.power * (excitation > opens)
    if weight.sum() == 0.0 and barrier:
        stepwise(A, Z, excitation, False, n, left)
        return
    states = np.zeros(len(pool.A))
    for row, share in zip(table.fragments, n * weight / weight.sum(), strict=True):
        np.add.at(states, row[row >= 0], share)
    for state in np.flatnonzero(states):
        nucleus = int(pool.A[state]), int(pool.Z[state])
        if pool.resonance[state]:
            stepwise(*nucleus, float(pool.mass[state] - pool.mass[pool.ground[state]]), True, states[state], left)
        elif nucleus in SHORT_LIVED:
            waiting = list(SHORT_LIVED[nucleus][1])
            while waiting:
                one = waiting.pop()
                if one in SHORT_LIVED:
                    waiting += SHORT_LIVED[one][1]
                else:
                    left[one] = left.get(one, 0.0) + states[state]
        else:
            left[nucleus] = left.get(nucleus, 0.0) + states[state]


def test_mean_numbers_after_resonances_are_those_of_the_chain_of_weights() -> None:
    n, expected = 20_000, dict[tuple[int, int], float]()
    stepwise(10, 5, 35.0, True, 1.0, expected)
    products = de_excite(np.full(n, 10), np.full(n, 5), np.zeros((n, 3)), np.full(n, 35.0), 3, levels=WITH_RESONANCES)
    for (A, Z), mean in expected.items():
        found = np.bincount(products.parent, (products.A == A) & (products.Z == Z), n)
        # 4.5 standard errors of some twenty numbers, and one nucleus
        assert found.mean() == pytest.approx(mean, abs=4.5 * math.sqrt((mean + found.var()) / 2 / n) + 1 / n)


def test_moving_nuclei_become_what_resting_ones_do_in_flight() -> None:
    n, fast = 4000, np.array([0.0, 0.0, 4000.0])
    A, Z, u = np.full(n, 12), np.full(n, 6), np.full(n, 25.0)
    products = de_excite(A, Z, np.tile(fast, (n, 1)), u, 1)
    mass = float(mass_or_estimate(6, 12)) + 25.0
    gamma, boost = math.hypot(mass, 4000.0) / mass, 4000.0 / mass
    along = gamma * products.momentum[:, 2] - boost * products.energy
    resting = many(12, 6, 25.0, n, seed=2)
    for A_of in (1, 4, 11):
        moved, still = A_of == products.A, A_of == resting.A
        assert kstest(along[moved], resting.momentum[still, 2]).pvalue > 1e-3
        assert kstest(products.momentum[moved, 0], resting.momentum[still, 0]).pvalue > 1e-3


def test_same_seed_gives_the_same_and_another_seed_does_not() -> None:
    A, Z, p, u = hot_nuclei(200, 40, 7)
    one, same, other = (de_excite(A, Z, p, u, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.momentum, same.momentum)
    assert one.momentum.shape != other.momentum.shape or (one.momentum != other.momentum).any()


def test_arguments_are_not_changed_and_none_gives_none() -> None:
    A, Z, p, u = hot_nuclei(50, 40, 8)
    copies = [one.copy() for one in (A, Z, p, u)]
    de_excite(A, Z, p, u, 1)
    for one, copy in zip((A, Z, p, u), copies, strict=True):
        np.testing.assert_array_equal(one, copy)
    assert len(de_excite([], [], [], [], 1).A) == 0


@pytest.mark.parametrize(
    ("A", "Z", "p", "u", "complaint"),
    [
        ([12], [6], [[0, 0, 0]], [-0.1], "is below 0; clip it"),
        ([12], [13], [[0, 0, 0]], [1.0], "no nucleus has Z = 13, A = 12"),
        ([0], [0], [[0, 0, 0]], [1.0], "no nucleus has Z = 0, A = 0"),
        ([500], [190], [[0, 0, 0]], [1.0], "no nucleus has"),
        ([12.5], [6], [[0, 0, 0]], [1.0], "not whole numbers"),
        ([12], [6], [0, 0, 0], [1.0], "shapes"),
        ([12, 12], [6], [[0, 0, 0]], [1.0], "shapes"),
        ([12], [6], [[0, 0, np.nan]], [1.0], "not finite"),
        ([12], [6], [[0, 0, 0]], [np.inf], "not finite"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(A: list, Z: list, p: list, u: list, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        de_excite(A, Z, p, u, 1)


def test_volumes_that_are_none_are_refused() -> None:
    with pytest.raises(BadInput, match="V / V0 above 0"):
        many(12, 6, 1.0, 1, volume=0.0)


def test_a_million_carbon_nuclei_a_minute_is_not_out_of_reach() -> None:
    many(12, 6, 40.0, 10)  # compiles, makes the table
    start = time.process_time()
    many(12, 6, 40.0, 20_000)
    assert time.process_time() - start < 1.2  # measured: 0.02 s on an idle core, 60 times faster
