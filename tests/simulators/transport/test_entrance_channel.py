"""The entrance channel: the hyperbola against an integrated orbit, kinematics against a Lorentz boost, bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.entrance_channel import (
    GAP,
    EntranceChannel,
    colliding_nuclei,
    ground_state,
    hyperbola,
    starting_distance,
)
from cloudchamber.simulators.transport.equation_of_state import E2, NUCLEON_MASS, equation_of_state
from cloudchamber.simulators.transport.evolution import SPACING
from cloudchamber.simulators.transport.masses import nuclear_mass

SOFT = equation_of_state("soft")
CARBON = EntranceChannel((12, 6), (12, 6), 62.0)
CHANNELS = [CARBON, EntranceChannel((12, 6), (208, 82), 10.0), EntranceChannel((208, 82), (208, 82), 10.0)]


def orbit(channel: EntranceChannel, x: float, z: float, px: float, pz: float, time: float) -> np.ndarray:
    """The relative motion in the Coulomb field of points, integrated: x, z, px, pz after a time (negative: before)."""
    charge, mu = channel.projectile[1] * channel.target[1] * E2, channel.reduced_mass

    def rate(_: float, y: np.ndarray) -> list[float]:
        r3 = (y[0] ** 2 + y[1] ** 2) ** 1.5
        return [y[2] / mu, y[3] / mu, charge * y[0] / r3, charge * y[1] / r3]

    return np.asarray(solve_ivp(rate, (0, time), [x, z, px, pz], method="DOP853", rtol=1e-11, atol=1e-9).y[:, -1])


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("b", [0.0, 2.0, 9.0])
def test_backwards_the_hyperbola_leads_to_a_beam_at_its_impact_parameter(channel: EntranceChannel, b: float) -> None:
    (x, z), (px, pz) = hyperbola(channel, b, 25.0)
    p = channel.momentum
    x, z, px, pz = orbit(channel, x, z, px, pz, -1e7)
    far = math.hypot(x, z)
    assert z < -1e5  # fm
    # at that distance the Coulomb energy is what is missing, and the angle of the path is b / r
    speed = math.sqrt(p**2 - 2 * channel.reduced_mass * channel.projectile[1] * channel.target[1] * E2 / far)
    assert math.hypot(px, pz) == pytest.approx(speed, rel=1e-8)
    assert px / pz == pytest.approx(0, abs=1e-4)
    assert (pz * x - px * z) / p == pytest.approx(b, abs=1e-5)


@pytest.mark.parametrize("channel", CHANNELS)
def test_forwards_points_scatter_by_rutherfords_angle(channel: EntranceChannel) -> None:
    b = 9.0
    (x, z), (px, pz) = hyperbola(channel, b, 25.0)
    _, _, px, pz = orbit(channel, x, z, px, pz, 1e7)
    half = channel.projectile[1] * channel.target[1] * E2 * channel.reduced_mass / channel.momentum**2 / b
    assert math.atan2(px, pz) == pytest.approx(2 * math.atan(half), abs=1e-3)
    assert px > 0  # away from the target


@pytest.mark.parametrize("b", [0.0, 8.0])
def test_nuclei_that_never_come_so_near_are_where_they_are_nearest(b: float) -> None:
    channel = EntranceChannel((208, 82), (208, 82), 10.0)
    (x, z), (px, pz) = hyperbola(channel, b, 3.0)
    a = 82**2 * E2 * channel.reduced_mass / channel.momentum**2
    assert math.hypot(x, z) == pytest.approx(a + math.hypot(a, b))
    assert x * px + z * pz == pytest.approx(0, abs=1e-3 * channel.momentum)


@given(
    st.sampled_from([(4, 2), (12, 6), (40, 20), (208, 82)]), st.sampled_from([(12, 6), (58, 28)]), st.floats(10, 200)
)
def test_boosting_the_laboratory_gives_opposite_momenta(
    projectile: tuple[int, int], target: tuple[int, int], energy: float
) -> None:
    channel = EntranceChannel(projectile, target, energy)
    # the boost is that of the measured masses, momenta are those of nucleons of 938 MeV, up to 0.8 % larger
    mass = np.array([nuclear_mass(Z, A) for A, Z in (projectile, target)])
    E = mass + np.array([projectile[0] * energy, 0.0])
    pz = np.sqrt(E**2 - mass**2)
    gamma = 1 / math.sqrt(1 - channel.boost**2)
    np.testing.assert_allclose(gamma * (pz - channel.boost * E), [channel.momentum, -channel.momentum], rtol=0.008)
    np.testing.assert_allclose((gamma * (pz - channel.boost * E)).sum(), 0, atol=1e-5)
    mass = np.array([projectile[0], target[0]]) * NUCLEON_MASS
    E = mass + np.array([projectile[0] * energy, 0.0])
    pz = np.sqrt(E**2 - mass**2)
    beta = pz[0] / E.sum()
    own = (pz - beta * E) / math.sqrt(1 - beta**2)
    np.testing.assert_allclose(own, [channel.momentum, -channel.momentum], rtol=1e-9, atol=1e-6)
    assert channel.reduced_mass == pytest.approx(1 / (1 / mass).sum())
    assert (channel.nucleons, channel.protons) == (projectile[0] + target[0], projectile[1] + target[1])


@pytest.mark.parametrize("energy", [9.99, 200.1, -62.0, math.nan, math.inf])
def test_energies_outside_the_model_are_refused_with_its_bounds(energy: float) -> None:
    with pytest.raises(BadInput, match="transport holds from 10 to 200"):
        EntranceChannel((12, 6), (12, 6), energy)


def test_energies_at_the_bounds_are_allowed() -> None:
    assert EntranceChannel((12, 6), (12, 6), 10.0).momentum < EntranceChannel((12, 6), (12, 6), 200.0).momentum


def test_nuclei_start_so_far_apart_that_no_lattice_point_sees_both() -> None:
    channel = EntranceChannel((12, 6), (40, 20), 62.0)
    edges = sum(ground_state(one, SOFT, SPACING).edge for one in (channel.projectile, channel.target))
    assert starting_distance(channel, SOFT, SPACING) == pytest.approx(edges + GAP * SPACING)
    assert GAP * SPACING >= 4 * SPACING  # a form factor reaches two points


@pytest.mark.parametrize("target", [(12, 6), (40, 20)])
def test_colliding_nuclei_are_on_the_hyperbola_in_their_common_rest_frame(target: tuple[int, int]) -> None:
    channel = EntranceChannel((12, 6), target, 62.0)
    particles = colliding_nuclei(channel, 5.0, 20, SPACING, SOFT, np.random.default_rng(1))
    first, second = particles.of(particles.origin == 1), particles.of(particles.origin == 2)
    assert (len(first), len(second)) == (12 * 20, target[0] * 20)
    assert (particles.origin[: len(first)] == 1).all()
    assert (first.species.sum(), second.species.sum()) == (6 * 20, target[1] * 20)
    np.testing.assert_allclose(particles.position.sum(axis=0), 0, atol=1e-8)
    np.testing.assert_allclose(particles.momentum.sum(axis=0), 0, atol=1e-8)
    (x, z), (px, pz) = hyperbola(channel, 5.0, starting_distance(channel, SOFT, SPACING))
    np.testing.assert_allclose(first.position.mean(axis=0) - second.position.mean(axis=0), [x, 0, z], atol=1e-10)
    np.testing.assert_allclose(first.momentum.sum(axis=0) / 20, [px, 0, pz], rtol=1e-10, atol=1e-8)
    assert x > 0 > z  # displaced to +x, coming from -z
    assert pz > 0
