"""One collision: totals, what is refused, what is found unstable, whether time and box are long enough."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel, starting_distance
from cloudchamber.simulators.transport.equation_of_state import NUCLEON_MASS, equation_of_state
from cloudchamber.simulators.transport.event import (
    Event,
    FreezeOut,
    check_impact_parameter,
    simulate_event,
)
from cloudchamber.simulators.transport.evolution import SPACING, Dynamics, Unstable
from cloudchamber.simulators.transport.nucleon_nucleon import KINDS

CARBON = EntranceChannel((12, 6), (12, 6), 62.0)
DYNAMICS = Dynamics(equation_of_state("soft"), KINDS["capped"])


@functools.cache
def event(b: float = 5.0, seed: int = 1, time: float = 160.0, target: tuple[int, int] = (12, 6)) -> Event:
    channel = EntranceChannel((12, 6), target, 62.0)
    return simulate_event(channel, b, 50, DYNAMICS, FreezeOut(time=time), np.random.SeedSequence(seed))


@pytest.mark.parametrize("target", [(12, 6), (40, 18)])
def test_nucleons_charge_and_momentum_of_an_event_add_up(target: tuple[int, int]) -> None:
    one = event(target=target, time=120.0)
    gas = len(one.gas_species) / 50
    assert one.fragments.A.sum() + gas == pytest.approx(12 + target[0], abs=1e-9)
    assert one.fragments.Z.sum() + one.gas_species.sum() / 50 == pytest.approx(6 + target[1], abs=1e-9)
    momentum = one.fragments.momentum.sum(axis=0) + one.gas_momentum.sum(axis=0) / 50
    np.testing.assert_allclose(momentum, 0, atol=1.0)  # MeV/c, of all 24 or 52 nucleons
    assert one.gas_position.shape == one.gas_momentum.shape == (len(one.gas_species), 3)
    assert (one.fragments.owner == -1).sum() == len(one.gas_species)
    assert abs(one.energy_change) < 0.2  # MeV per nucleon, with 50 test particles a nucleon
    assert 0 <= one.accepted <= one.attempted


def test_nuclei_that_miss_each_other_stay_two_cold_nuclei() -> None:
    one = event(b=11.0)
    np.testing.assert_allclose(one.fragments.A, 12, atol=0.5)
    assert one.accepted == 0
    # with 50 test particles a nucleon noise heats by half an MeV per nucleon
    assert (one.fragments.excitation < 12).all()
    velocity = one.fragments.momentum[:, 2] / one.fragments.A / NUCLEON_MASS
    np.testing.assert_allclose(np.abs(velocity), CARBON.momentum / 12 / NUCLEON_MASS, rtol=0.02)


def test_one_seed_is_one_event_and_another_another() -> None:
    one, other = event(time=40.0), event(seed=2, time=40.0)
    event.cache_clear()
    again = event(time=40.0)
    np.testing.assert_array_equal(one.fragments.momentum, again.fragments.momentum)
    np.testing.assert_array_equal(one.gas_momentum, again.gas_momentum)
    assert one.fragments.momentum.tolist() != other.fragments.momentum.tolist()


@pytest.mark.parametrize("b", [-0.1, 30.0, float("nan"), float("inf")])
def test_impact_parameters_without_a_collision_are_refused_before_anything_is_simulated(b: float) -> None:
    with pytest.raises(BadInput, match=r"impact parameter .* need 0 to 11.5 fm"):
        simulate_event(CARBON, b, 50, DYNAMICS, FreezeOut(), np.random.SeedSequence(1))
    with pytest.raises(BadInput, match="impact parameter"):
        check_impact_parameter(CARBON, b, DYNAMICS)


def test_the_largest_impact_parameter_is_where_the_nuclei_start() -> None:
    largest = starting_distance(CARBON, DYNAMICS.matter, SPACING)
    check_impact_parameter(CARBON, largest, DYNAMICS)
    check_impact_parameter(CARBON, 0.0, DYNAMICS)
    with pytest.raises(BadInput):
        check_impact_parameter(CARBON, largest + 0.01, DYNAMICS)


def test_a_time_step_that_breaks_energy_conservation_is_found_while_running() -> None:
    coarse = Dynamics(equation_of_state("soft"), KINDS["capped"], time_step=10.0)
    with pytest.raises(Unstable, match=r"energy changed by .* MeV per nucleon .* give a smaller time step"):
        simulate_event(CARBON, 3.0, 50, coarse, FreezeOut(), np.random.SeedSequence(1))


def test_the_tolerance_of_energy_is_what_an_event_is_held_to() -> None:
    strict = FreezeOut(time=80.0, energy_tolerance=1e-6)
    with pytest.raises(Unstable, match="at most 1e-06"):
        simulate_event(CARBON, 3.0, 20, DYNAMICS, strict, np.random.SeedSequence(1))


def test_a_lower_density_cut_makes_larger_fragments() -> None:
    sums = []
    for cut in (0.01, 0.04):
        one = simulate_event(
            CARBON, 2.0, 50, DYNAMICS, FreezeOut(time=120.0, density_cut=cut), np.random.SeedSequence(4)
        )
        sums.append(one.fragments.A.sum())
    assert sums[0] > sums[1]
