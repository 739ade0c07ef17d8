"""The periodic box: analytic rates against independent integrals, simulations against them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import BSpline

from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport import box
from cloudchamber.simulators.transport.box_fluctuations import (
    PARTITIONS,
    SHELLS,
    H,
    Partition,
    occupation_variance,
    packet_shares,
)
from cloudchamber.simulators.transport.equation_of_state import NUCLEON_MASS, equation_of_state
from cloudchamber.simulators.transport.lattice import Lattice, deposit
from cloudchamber.simulators.transport.pauli_blocking import H3


def pairs(temperature: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Relative speeds of independent pairs of a Fermi gas, and the chance that both final states are free."""
    rng = np.random.default_rng(5)
    p = rng.permutation(box.fermi_gas(temperature, math.ceil(2 * n / box.NUCLEONS), rng).momentum)[: 2 * n]
    first, second = p[:n], p[n:]
    direction = rng.normal(size=(n, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    relative = np.linalg.norm(first - second, axis=1)
    free = np.ones(n)
    for sign in (1, -1):
        final = (first + second) / 2 + sign * relative[:, None] / 2 * direction
        free *= 1 - box.fermi_dirac(np.linalg.norm(final, axis=1), temperature)
    return relative / NUCLEON_MASS, free


def test_chemical_potential_gives_the_density() -> None:
    for temperature in (2.0, 5.0, 30.0):
        mu = box.chemical_potential(0.16, temperature)

        def states(p: float, mu: float = mu, temperature: float = temperature) -> float:
            return 16 * math.pi / H3 * p**2 / (1 + math.exp((p**2 / (2 * NUCLEON_MASS) - mu) / temperature))

        assert quad(states, 0, 1200, epsabs=1e-10, limit=200)[0] == pytest.approx(0.16, rel=1e-7)
    assert box.chemical_potential(0.16, 5.0) == pytest.approx(36.306, abs=0.001)


def test_rate_without_blocking_is_that_of_the_kinetic_theory() -> None:
    assert box.collision_rate(0.0) == pytest.approx(118.145, abs=0.001)  # 36/35 p_F / m
    assert box.collision_rate(0.3) == pytest.approx(box.collision_rate(0.0), rel=5e-4)
    for temperature in (5.0, 15.0):
        speed, _ = pairs(temperature, 200_000)
        rate = 0.5 * box.NUCLEONS * box.DENSITY * box.CROSS_SECTION * speed.mean()
        # 0.1 % is the standard error of 200 000 pairs whose speeds spread by 40 %
        assert box.collision_rate(temperature) == pytest.approx(rate, rel=0.004)


def test_blocked_rate_is_the_mean_chance_of_free_final_states() -> None:
    assert box.allowed_rate(0.0) == 0.0
    for temperature in (5.0, 15.0):
        speed, free = pairs(temperature, 200_000)
        allowed = 0.5 * box.NUCLEONS * box.DENSITY * box.CROSS_SECTION * speed * free
        error = allowed.std() / math.sqrt(len(allowed))
        assert abs(box.allowed_rate(temperature) - allowed.mean()) < 4 * error


def test_momenta_of_the_gas_follow_fermi_and_dirac() -> None:
    for temperature in (0.0, 15.0):
        gas = box.fermi_gas(temperature, 50, np.random.default_rng(2))
        size = np.linalg.norm(gas.momentum, axis=1)
        number = np.histogram(size, SHELLS)[0]
        fine = np.linspace(0, SHELLS[-1], 40 * (len(SHELLS) - 1) + 1)
        middle = (fine[1:] + fine[:-1]) / 2
        content = (
            box.fermi_dirac(middle, temperature) * 4 * 4 * math.pi / 3 * np.diff(fine**3) * 50 * box.LENGTH**3 / H3
        )
        expected = content.reshape(-1, 40).sum(axis=1)
        seen = expected > 20
        # 5 standard deviations in any of 30 shells, and 1 % for the shell that the Fermi momentum cuts
        assert (np.abs(number - expected)[seen] < 5 * np.sqrt(expected[seen]) + 0.01 * expected[seen]).all()
        assert abs(gas.momentum.mean()) < 5 * size.std() / math.sqrt(len(size))
        assert abs(int(gas.species.sum()) * 2 - len(size)) == 0


@pytest.mark.parametrize(("langevin", "steps", "temperature"), [(False, 6, 0.0), (False, 6, 5.0), (True, 60, 0.0)])
def test_attempted_rate_in_the_box_is_analytic_in_both_modes(langevin: bool, steps: int, temperature: float) -> None:
    rates = box.collision_rates(temperature, 20, langevin, False, steps, seed=1)
    exact = box.collision_rate(temperature)
    # 14 000 collisions of test particles or 3500 of nucleons: standard errors of 1 % and 2 %
    assert rates.attempted_error < 0.03 * exact
    assert abs(rates.attempted - exact) < 4 * rates.attempted_error
    assert rates.accepted == pytest.approx(rates.attempted, rel=0.01)


def test_blocking_lets_few_collisions_through_in_cold_matter() -> None:
    cold = box.collision_rates(0.0, 100, True, True, 20, seed=1)
    warm = box.collision_rates(15.0, 100, True, True, 10, seed=1)
    assert cold.accepted < 0.02 * cold.attempted  # exact: none; windows at the Fermi surface are not perfect
    assert cold.accepted_error >= 1 / (20 * 0.5) * 0.99
    # ideal: 40 per fm/c. Windows with few test particles count as full too often, so that a quarter is missing
    assert 0.5 * box.allowed_rate(15.0) < warm.accepted < 1.2 * box.allowed_rate(15.0)


def test_density_near_the_edge_appears_on_the_other_side() -> None:
    spacing = box.LENGTH / box.POINTS
    rng = np.random.default_rng(0)
    position = rng.random((40, 3)) * box.LENGTH
    position[:5] *= 0.02  # some near a corner
    lattice = Lattice((22, 22, 22), (-spacing,) * 3, spacing)
    density = lattice.zeros()
    outside = deposit(position, np.zeros(40, np.int8), 1, lattice.origin, spacing, density)
    box.wrap(density)
    spline = BSpline.basis_element(np.arange(-2, 3), extrapolate=False)
    places = spacing * np.arange(box.POINTS)
    away = (position[:, :, None] - places + box.LENGTH / 2) % box.LENGTH - box.LENGTH / 2
    along = np.nan_to_num(spline(away / spacing)) / spacing
    expected = np.einsum("ix,iy,iz->xyz", along[:, 0], along[:, 1], along[:, 2])
    assert outside == 0
    np.testing.assert_allclose(density[0, 1:20, 1:20, 1:20], expected, atol=1e-5)
    np.testing.assert_array_equal(density[:, 0], density[:, 19])
    np.testing.assert_array_equal(density[:, :, 20:], density[:, :, 1:3])


@pytest.mark.parametrize(("name", "golden"), [("soft", (38.25, 73.45)), ("comparison", (33.9, 69.6))])
def test_linear_response_has_the_known_zeros(
    name: str, golden: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box, "POINTS", 10**6)  # no smearing
    time = np.arange(0.0, 90.0)
    zeros = box.zero_crossings(time, box.linear_response(equation_of_state(name), time))
    np.testing.assert_allclose(zeros, golden, rtol=0.0015)  # they were rounded to, and computed in, steps of 0.05 fm/c


def test_without_interaction_the_response_is_free_streaming() -> None:
    matter = equation_of_state("soft")
    free = type(matter)(A=-matter.B * matter.sigma, B=matter.B, sigma=matter.sigma)  # dU / d rho = 0
    time = np.arange(0.0, 90.0)
    x = 2 * math.pi / box.LENGTH * 263.04 / NUCLEON_MASS * time
    np.testing.assert_allclose(box.linear_response(free, time), np.sinc(x / math.pi), atol=1e-4)


@pytest.mark.parametrize("name", ["soft", "comparison"])
def test_standing_wave_vanishes_when_linear_response_does(name: str) -> None:
    matter = equation_of_state(name)
    wave = box.standing_wave(matter, 30, 0.2, 80.0, seed=1)
    expected = box.zero_crossings(wave.time, box.linear_response(matter, wave.time))
    assert len(expected) == 2
    # the mean field makes waves of its own out of 30 test particles a nucleon: 1 % in amplitude, 0.4 fm/c in a zero
    assert wave.error < 0.015
    np.testing.assert_allclose(wave.zeros()[:2], expected, rtol=0.03)


def test_zeros_are_found_through_noise() -> None:
    time = np.arange(0.0, 80.0)
    noise = 0.02 * np.random.default_rng(0).normal(size=len(time))
    zeros = box.zero_crossings(time, np.cos(2 * math.pi * time / 60) + noise)
    np.testing.assert_allclose(zeros, [15.0, 45.0, 75.0], atol=0.5)  # 0.02 in the amplitude is 0.2 fm/c for each point
    assert len(box.zero_crossings(time, np.ones(len(time)))) == 0


def test_cells_of_phase_space_hold_every_particle_once() -> None:
    gas = box.fermi_gas(15.0, 3, np.random.default_rng(1))
    for partition in PARTITIONS:
        number = partition.count(gas, np.ones(len(gas.species)))
        assert number.sum() == len(gas.species)
    np.testing.assert_allclose([partition.volume for partition in PARTITIONS[:3]], [1.0, 1.0, 8.0])
    assert math.isinf(Partition(2, math.inf).volume)
    octants = Partition(1, 1000.0).count(gas, np.ones(len(gas.species)))
    assert (octants > 0).sum() == 16  # of neutrons and of protons
    inner = np.abs(gas.momentum + 62).max(axis=1) < 62  # one cube of 124 MeV/c, below 0
    whole = (gas.position < 10).all(axis=1) & inner & (gas.species == 1)
    cube = Partition(2, 124.0).count(gas, np.ones(len(gas.species)))
    assert cube[8**3 + (3 * 8 + 3) * 8 + 3, 0] == whole.sum()


def test_langevin_variance_is_that_of_packets_and_average_is_smaller_by_their_size() -> None:
    n, cells = 50, PARTITIONS[:1] + PARTITIONS[2:3]
    packets = occupation_variance(True, n, 15.0, 40.0, 100.0, seed=1, partitions=cells)
    particles = occupation_variance(False, n, 15.0, 20.0, 40.0, seed=1, partitions=cells)
    assert packets.collisions > 2
    # independent at first, they have f / N_test, which is twice f (1 - f) / N_test at 15 MeV
    assert (n * particles.ratio > 0.8).all()
    assert (n * particles.ratio < 2.5).all()
    # 50 is no large number yet: the noise of the test particles themselves adds to that of packets
    share = (packets.ratio - particles.ratio) / packets.kept
    assert (share > 0.5).all()
    assert (share < 1.2).all()
    excess, error, above = packets.overfilling()
    assert error > 0
    # packets land where the seeds' final states were free, not their own: the mean f of slow nucleons exceeds 1
    assert -0.1 < excess < 1
    assert 0 <= above < 0.1


def test_packets_share_their_nucleon_among_cells() -> None:
    gas = box.fermi_gas(15.0, 50, np.random.default_rng(1))
    whole = Partition(1, math.inf)
    shares = packet_shares(gas, 50, (PARTITIONS[0], whole, Partition(2, math.inf)), np.random.default_rng(0))
    assert shares[1] == pytest.approx(1.0)
    assert 0.05 < shares[0] < 0.2
    assert 0.4 < shares[2] < 1
    assert pytest.approx(1239.84, abs=0.01) == H


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: box.chemical_potential(0.16, 0.0),
        lambda: box.collision_rates(0.0, 5, True, False, 1, 0),
        lambda: box.standing_wave(equation_of_state("soft"), 5, 1.5, 10.0, 0),
        lambda: occupation_variance(True, 5, 10.0, 10.0, 20.0, 0),
        lambda: occupation_variance(True, 5, 0.0, 10.0, 60.0, 0),
    ],
)
def test_impossible_boxes_are_refused(wrong: object) -> None:
    with pytest.raises(BadInput):
        wrong()  # type: ignore[operator]
