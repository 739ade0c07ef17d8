"""Whole nuclei: systematic rounding, exact balances of nucleons, charge, momentum and energy, odd events."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.lattice import Floats
from cloudchamber.simulators.transport.masses import mass_or_estimate, nuclear_mass
from cloudchamber.simulators.transport.whole_numbers import (
    STRETCH,
    Nuclei,
    available_energy,
    systematic_rounding,
    whole_nuclei,
)

CHANNEL = EntranceChannel((12, 6), (12, 6), 62.0)


class Start(np.random.Generator):
    """A generator whose only random number is given."""

    def __init__(self, start: float) -> None:
        super().__init__(np.random.PCG64(1))
        self.start = start

    def random(self) -> float:  # type: ignore[override]
        return self.start


def energy(nuclei: Nuclei) -> float:
    mass = mass_or_estimate(nuclei.Z, nuclei.A) + nuclei.excitation
    return float(np.sqrt(mass**2 + (nuclei.momentum**2).sum(axis=1)).sum())


def made_up_event(
    A: tuple[float, ...], Z: tuple[float, ...], excitation: float = 15.0, spread: float = 60.0, seed: int = 1
) -> tuple[Floats, Floats, Floats, Floats, Floats, np.ndarray]:
    """Fragments of given sizes that fly along the beam, and gas that balances momentum and charge, 100 a nucleon."""
    rng = np.random.default_rng(seed)
    size, charge = np.array(A), np.array(Z)
    momentum = rng.normal(0, 20, (len(A), 3)) * size[:, None]
    momentum[:, 2] += size * 150 * np.where(np.arange(len(A)) % 2, -1, 1)
    n, protons = round((24 - size.sum()) * 100), round((12 - charge.sum()) * 100)
    gas = rng.normal(0, spread, (n, 3))
    if n:
        gas -= (gas.sum(axis=0) / 100 + momentum.sum(axis=0)) / n * 100
    return size, charge, momentum, np.full(len(A), excitation), gas, (np.arange(n) < protons).astype(np.int8)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.floats(0, 12), max_size=6),
    st.floats(0, 12),
    st.one_of(st.floats(0, 1, exclude_max=True), st.sampled_from([0.0, 1 - 1e-9, 1 - 1e-12, math.nextafter(1, 0)])),
)
def test_every_whole_number_is_next_to_its_value_and_they_add_up(
    numbers: list[float], rest: float, start: float
) -> None:
    total = math.ceil(sum(numbers) + rest)
    values = np.array(numbers)
    whole = systematic_rounding(values, total, Start(start))
    assert whole.sum() == total
    assert (whole >= 0).all()
    all_values = np.append(values, total - values.sum())
    assert (np.abs(whole - all_values) < 1 + 1e-8).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 500), min_size=1, max_size=5), st.integers(0, 10**6))
def test_whole_values_stay_as_they_are_whatever_rounding_errors(parts: list[int], seed: int) -> None:
    # sums of multiples of 1 / 500 whose total is whole: what is left is nothing, and stays nothing
    parts = [*parts, -sum(parts) % 500]
    values = np.array(parts) / 500
    whole = systematic_rounding(values, round(sum(parts) / 500), np.random.default_rng(seed))
    assert whole[-1] == 0
    exact = np.array(parts) % 500 == 0
    assert (np.abs(whole[:-1] - values)[exact] < 1).all()


@pytest.mark.parametrize("start", [0.0, 0.5, 1 - 1e-9, 1 - 1e-10, math.nextafter(1, 0)])
def test_whole_values_are_not_rounded_at_any_start(start: float) -> None:
    assert systematic_rounding(np.array([5.0, 0.0, 4.0]), 12, Start(start)).tolist() == [5, 0, 4, 3]


def test_rounding_is_right_on_average() -> None:
    values = np.array([7.3, 0.25, 1.6, 0.0, 2.05])
    # systematic sampling: averaged over evenly spaced starts it is exact to the spacing
    mean = np.mean([systematic_rounding(values, 14, Start(s)) for s in (np.arange(4000) + 0.5) / 4000], axis=0)
    np.testing.assert_allclose(mean, [*values, 14 - values.sum()], atol=3e-4)


def test_no_fragments_leave_everything_to_the_gas() -> None:
    assert systematic_rounding(np.zeros(0), 12, np.random.default_rng(1)).tolist() == [12]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([
        ((11.2, 10.4), (5.6, 5.2)), ((7.35, 4.1, 1.6), (3.6, 2.2, 0.7)), ((9.0,), (4.3,)), ((), ()),
        ((2.01, 2.5, 3.3, 1.51, 6.2), (0.9, 1.3, 1.7, 0.8, 3.0)),
    ]),
    st.floats(0, 40), st.integers(0, 1000),
)  # fmt: skip
def test_nucleons_charge_momentum_and_energy_are_exact(
    sizes: tuple[tuple[float, ...], tuple[float, ...]], excitation: float, seed: int
) -> None:
    A, Z, momentum, hot, gas, species = made_up_event(*sizes, excitation, seed=seed)
    nuclei = whole_nuclei(A, Z, momentum, hot, gas, species, CHANNEL, np.random.default_rng(seed))
    assert (nuclei.A.sum(), nuclei.Z.sum()) == (24, 12)
    assert ((nuclei.Z >= 0) & (nuclei.Z <= nuclei.A) & (nuclei.A >= 1)).all()
    np.testing.assert_allclose(nuclei.momentum.sum(axis=0), 0, atol=1e-8)
    assert energy(nuclei) == pytest.approx(available_energy(CHANNEL), rel=1e-12)
    assert set(nuclei.excitation.tolist()) <= {0.0, excitation}
    assert (nuclei.excitation[len(A) :] == 0).all()


def test_fragments_keep_their_velocities_and_excitation_on_average() -> None:
    A, Z, momentum, hot, gas, species = made_up_event((8.3, 6.6), (4.1, 3.3))
    drawn = [whole_nuclei(A, Z, momentum, hot, gas, species, CHANNEL, np.random.default_rng(k)) for k in range(300)]
    sizes = np.array([[nuclei.A[:2], nuclei.Z[:2]] for nuclei in drawn])
    # neutrons and protons are rounded each: deviations of 0.7 at most, 0.04 of the mean of 300
    np.testing.assert_allclose(sizes.mean(axis=0), [A, Z], atol=0.15)
    velocities = np.array([nuclei.momentum[:2, 2] / nuclei.A[:2] for nuclei in drawn])
    # one stretch and one shift for all
    np.testing.assert_allclose(velocities.mean(axis=0), momentum[:, 2] / A, rtol=0.1)
    assert all((nuclei.excitation[:2] == hot).all() for nuclei in drawn)
    assert all(STRETCH[0] < nuclei.stretch < STRETCH[1] for nuclei in drawn)


def test_all_velocities_are_shifted_by_the_same() -> None:
    A, Z, momentum, hot, gas, species = made_up_event((11.3, 4.6), (5.6, 2.3))
    for k in range(20):
        nuclei = whole_nuclei(A, Z, momentum, hot, gas, species, CHANNEL, np.random.default_rng(k))
        mass = mass_or_estimate(nuclei.Z[:2], nuclei.A[:2]) + hot
        shift = (nuclei.momentum[:2] / nuclei.stretch - momentum * (nuclei.A[:2] / A)[:, None]) / mass[:, None]
        np.testing.assert_allclose(shift[0], shift[1], atol=1e-9)  # c


def test_excitation_below_zero_counts_as_none() -> None:
    A, Z, momentum, hot, gas, species = made_up_event((11.0, 10.0), (5.5, 5.0), excitation=-3.0)
    nuclei = whole_nuclei(A, Z, momentum, hot, gas, species, CHANNEL, np.random.default_rng(1))
    assert (nuclei.excitation == 0).all()


def test_the_available_energy_is_that_of_measured_masses_in_the_common_rest_frame() -> None:
    carbon = float(nuclear_mass(6, 12))
    along = math.sqrt((carbon + 12 * 62.0) ** 2 - carbon**2)  # in the laboratory
    assert available_energy(CHANNEL) == pytest.approx(math.sqrt((2 * carbon + 12 * 62.0) ** 2 - along**2), rel=1e-12)


def test_gas_without_protons_can_still_give_the_one_that_rounding_needs() -> None:
    A, Z, momentum, hot, gas, species = made_up_event((11.4, 10.5), (5.9, 5.95))
    species[:] = 0
    nuclei = [whole_nuclei(A, Z, momentum, hot, gas, species, CHANNEL, np.random.default_rng(k)) for k in range(60)]
    assert all(one.A.sum() == 24 and one.Z.sum() == 12 for one in nuclei)
    assert any(((one.A == 1) & (one.Z == 1)).any() for one in nuclei)


def test_excitation_gives_way_to_the_energy_there_is() -> None:
    event = made_up_event((8.3, 6.6), (4.1, 3.3), excitation=400.0)
    nuclei = whole_nuclei(*event, CHANNEL, np.random.default_rng(1))
    assert 0 < nuclei.excitation.sum() < 400
    mass = mass_or_estimate(nuclei.Z, nuclei.A) + nuclei.excitation
    energy = np.sqrt(mass**2 + (nuclei.momentum**2).sum(axis=1)).sum()
    assert energy == pytest.approx(available_energy(CHANNEL), abs=1e-6)


def test_nuclei_that_have_fused_take_all_energy_as_excitation() -> None:
    A, Z, excitation = np.array([24.0]), np.array([12.0]), np.array([50.0])
    nothing = np.zeros((0, 3)), np.zeros(0, np.int8)
    nuclei = whole_nuclei(A, Z, np.zeros((1, 3)), excitation, *nothing, CHANNEL, np.random.default_rng(1))
    assert nuclei.A.tolist() == [24]
    expected = available_energy(CHANNEL) - float(mass_or_estimate(np.array([12]), np.array([24]))[0])
    assert nuclei.excitation[0] == pytest.approx(expected, abs=1e-6)


def test_a_single_nucleon_carries_no_excitation_energy() -> None:
    A, Z, momentum, hot, gas, species = made_up_event((8.3, 1.6), (4.1, 0.8), excitation=9.0)
    for seed in range(40):
        nuclei = whole_nuclei(A, Z, momentum, hot, gas, species, CHANNEL, np.random.default_rng(seed))
        assert (nuclei.excitation[nuclei.A == 1] == 0).all()


def test_the_seed_says_all_that_is_random() -> None:
    event = made_up_event((8.3, 6.6), (4.1, 3.3))
    one, same = (whole_nuclei(*event, CHANNEL, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.momentum, same.momentum)
    np.testing.assert_array_equal(one.A, same.A)
