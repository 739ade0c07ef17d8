"""The lattice Hamiltonian: form factor, exact norm, forces as gradients, precision of the table and the lattice."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import BSpline

from cloudchamber.simulators.transport.equation_of_state import EQUATIONS_OF_STATE, NUCLEON_MASS, equation_of_state
from cloudchamber.simulators.transport.ground_state import thomas_fermi
from cloudchamber.simulators.transport.lattice import (
    HIGHEST,
    KNOTS,
    Floats,
    Lattice,
    deposit,
    field_energy,
    folded,
    kick,
    mean_field,
    mean_field_energy,
    potential_table,
)
from cloudchamber.simulators.transport.test_particles import nucleus

SOFT = equation_of_state("soft")
SPACING = 1.06
BOX = Lattice.around((5.0, 6.0, 7.0), SPACING)
CUBIC = BSpline.basis_element([-2, -1, 0, 1, 2], extrapolate=False)


def cloud(n: int = 300, width: float = 1.6) -> tuple[Floats, np.ndarray]:
    """Positions within the box, as dense as a nucleus with 25 a nucleon, and species."""
    rng = np.random.default_rng(1)
    return np.clip(rng.normal(0, width, (n, 3)), -4.5, 4.5), rng.integers(0, 2, n).astype(np.int8)


def spline(x: Floats, axis: int, derivative: int = 0) -> Floats:
    """S along an axis from each point of the box to each x [l^-1]: (particle, point)."""
    points = BOX.origin[axis] + BOX.spacing * np.arange(BOX.shape[axis])
    function = CUBIC.derivative(derivative) if derivative else CUBIC
    return np.nan_to_num(function((x[:, None] - points) / BOX.spacing))


def densities(position: Floats, species: np.ndarray, per_nucleon: int) -> Floats:
    """The paper's sum, in double precision."""
    x, y, z = (spline(position[:, axis], axis) for axis in range(3))
    one = 1 / (per_nucleon * BOX.spacing**3)
    return np.stack([np.einsum("ia,ib,ic->abc", x[of], y[of], z[of]) * one for of in (species == 0, species == 1)])


def energy(position: Floats, species: np.ndarray, per_nucleon: int) -> float:
    """l^3 sum_a V(rho_a) [MeV], in double precision."""
    rho_n, rho_p = densities(position, species, per_nucleon)
    u, asymmetry = (rho_n + rho_p) / SOFT.rho_0, (rho_n - rho_p) / SOFT.rho_0
    bulk = u * (SOFT.A * u / 2 + SOFT.B * u**SOFT.sigma / (SOFT.sigma + 1))
    return float((bulk + SOFT.C / 2 * asymmetry**2).sum() * SOFT.rho_0 * BOX.spacing**3)


def fields(position: Floats, species: np.ndarray, per_nucleon: int) -> tuple[np.ndarray, np.ndarray]:
    density, potential = BOX.zeros(), BOX.zeros()
    assert deposit(position, species, per_nucleon, BOX.origin, BOX.spacing, density) == 0
    mean_field(density, potential_table(SOFT), SOFT.C, SOFT.rho_0, potential)
    return density, potential


def forces(position: Floats, species: np.ndarray, potential: np.ndarray) -> Floats:
    momentum = np.zeros_like(position)
    kick(position, momentum, species, potential, BOX.origin, BOX.spacing, 1.0)
    return momentum


def test_the_form_factor_is_a_cubic_b_spline() -> None:
    position, species = cloud()
    density, _ = fields(position, species, 25)
    # single precision, sums of at most 64 terms
    np.testing.assert_allclose(density, densities(position, species, 25), rtol=1e-5, atol=1e-7)


def test_potential_and_force_of_a_particle_fold_with_the_same_spline() -> None:
    position, species = cloud()
    potential = np.random.default_rng(2).normal(0, 50, (2, *BOX.shape)).astype(np.float32)
    x, y, z = (spline(position[:, axis], axis) for axis in range(3))
    dx, dy, dz = (spline(position[:, axis], axis, 1) / BOX.spacing for axis in range(3))
    mine = potential[species].astype(float)
    value = np.empty(len(position))
    folded(position, species, potential, BOX.origin, BOX.spacing, value)
    np.testing.assert_allclose(value, np.einsum("ia,ib,ic,iabc->i", x, y, z, mine), atol=1e-9)
    slope = [np.einsum("ia,ib,ic,iabc->i", *w, mine) for w in ((dx, y, z), (x, dy, z), (x, y, dz))]
    np.testing.assert_allclose(forces(position, species, potential), -np.stack(slope, axis=1), atol=1e-9)


def test_the_width_is_that_of_the_form_factor() -> None:
    x = np.linspace(-2, 2, 4001)
    variance = np.trapezoid(x**2 * CUBIC(x), x) / np.trapezoid(CUBIC(x), x)
    assert BOX.width == pytest.approx(SPACING * math.sqrt(variance), rel=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-5, 5)] * 3), min_size=1, max_size=40), st.integers(1, 500))
def test_the_norm_is_the_number_of_nucleons_wherever_particles_are(
    places: list[tuple[float, float, float]], per_nucleon: int
) -> None:
    position, density = np.array(places), BOX.zeros()
    species = (np.arange(len(places)) % 2).astype(np.int8)
    assert deposit(position, species, per_nucleon, BOX.origin, BOX.spacing, density) == 0
    norm = density.sum(axis=(1, 2, 3), dtype=np.float64) * BOX.spacing**3 * per_nucleon
    np.testing.assert_allclose(norm, [(species == 0).sum(), (species == 1).sum()], rtol=1e-5)  # single precision


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[st.floats(0.1, 40)] * 3), st.floats(0.3, 2), st.tuples(*[st.floats(-1, 1)] * 3))
def test_a_lattice_holds_whatever_lies_within_its_half_lengths(
    half: tuple[float, float, float], spacing: float, where: tuple[float, float, float]
) -> None:
    lattice = Lattice.around(half, spacing)
    assert lattice.shape == tuple(2 * (math.ceil(h / spacing) + 2) for h in half)
    density = np.zeros((2, *lattice.shape), np.float32)
    position = np.array([half, tuple(-h for h in half), tuple(h * w for h, w in zip(half, where, strict=True))])
    assert deposit(position, np.zeros(3, np.int8), 1, lattice.origin, spacing, density) == 0


def test_particles_outside_are_counted_and_neither_make_nor_feel_a_field() -> None:
    far = np.array([[0, 0, 50.0], [-9, 0, 0], [0, 9, 0], [np.nan, 0, 0], [np.inf, 0, 0]])
    species = np.zeros(len(far), np.int8)
    density = BOX.zeros()
    assert deposit(far, species, 1, BOX.origin, BOX.spacing, density) == len(far)
    assert not density.any()
    potential = np.ones((2, *BOX.shape), np.float32)
    assert not forces(far, species, potential).any()
    value = np.full(len(far), 7.0)
    folded(far, species, potential, BOX.origin, BOX.spacing, value)
    assert not value.any()


def test_force_is_minus_the_gradient_of_the_whole_energy() -> None:
    position, species = cloud()
    force = forces(position, species, fields(position, species, 25)[1])
    h = 1e-4
    for i in range(0, 300, 30):
        for axis in range(3):
            moved = [position.copy(), position.copy()]
            moved[0][i, axis] += h
            moved[1][i, axis] -= h
            gradient = 25 * (energy(moved[0], species, 25) - energy(moved[1], species, 25)) / (2 * h)
            # the force is some MeV/fm; the table of potentials is right to 6 keV where matter is thin
            assert force[i, axis] == pytest.approx(-gradient, abs=0.02)


def test_folded_potential_is_what_one_more_particle_costs() -> None:
    position, species = cloud()
    value = np.empty(len(position))
    folded(position, species, fields(position, species, 25)[1], BOX.origin, BOX.spacing, value)
    rho = densities(position, species, 25)
    for i in range(0, 300, 30):
        one = densities(position[i : i + 1], species[i : i + 1], 1) * 1e-6  # nucleons

        def total(more: Floats) -> float:
            u, asymmetry = more.sum(axis=0) / SOFT.rho_0, (more[0] - more[1]) / SOFT.rho_0
            bulk = u * (SOFT.A * u / 2 + SOFT.B * np.maximum(u, 0) ** SOFT.sigma / (SOFT.sigma + 1))
            return float((bulk + SOFT.C / 2 * asymmetry**2).sum() * SOFT.rho_0 * BOX.spacing**3)

        cost = (total(rho + one) - total(rho - one)) / 2e-6
        assert value[i] == pytest.approx(cost, abs=0.01)


@pytest.mark.parametrize("name", EQUATIONS_OF_STATE)
def test_the_table_of_potentials_is_as_precise_as_it_says(name: str) -> None:
    matter = equation_of_state(name)
    table = potential_table(matter)
    u = np.linspace(0, HIGHEST, 20 * KNOTS + 1)
    error = np.abs(np.interp(u, np.linspace(0, HIGHEST, KNOTS + 1), table) - matter.A * u - matter.B * u**matter.sigma)
    assert error.max() < 6e-3
    assert error[u > 0.01].max() < 4e-4


def test_potentials_on_the_lattice_are_those_of_the_equation_of_state() -> None:
    rng = np.random.default_rng(3)
    density = np.zeros((2, 10, 10, 10), np.float32)
    density[:, 1:] = rng.uniform(0, 0.3, (2, 9, 10, 10))
    density[1, 1] = 0  # neutrons alone
    potential = np.full_like(density, 9)
    mean_field(density, potential_table(SOFT), SOFT.C, SOFT.rho_0, potential)
    rho = density.astype(float)
    bulk = SOFT.A * rho.sum(axis=0) / SOFT.rho_0 + SOFT.B * (rho.sum(axis=0) / SOFT.rho_0) ** SOFT.sigma
    isovector = SOFT.C * (rho[0] - rho[1]) / SOFT.rho_0
    np.testing.assert_allclose(potential, [bulk + isovector, bulk - isovector], atol=6e-3)
    assert not potential[:, 0].any()  # where there is nothing


def test_beyond_the_table_its_end_is_held() -> None:
    density = np.full((2, 1, 1, 1), 0.5, np.float32)  # 6.25 rho_0
    potential = np.zeros_like(density)
    mean_field(density, potential_table(SOFT), SOFT.C, SOFT.rho_0, potential)
    assert potential[0, 0, 0, 0] == pytest.approx(SOFT.potential(HIGHEST * SOFT.rho_0), rel=1e-5)


def test_field_energy_is_the_sum_of_energy_densities() -> None:
    position, species = cloud()
    slow = energy(position, species, 25)
    assert mean_field_energy(position, species, 25, BOX, SOFT) == pytest.approx(slow, rel=1e-6)
    density, _ = fields(position, species, 25)
    fast = field_energy(density, SOFT.A, SOFT.B, SOFT.sigma, SOFT.C, SOFT.rho_0, BOX.spacing)
    assert fast == pytest.approx(slow, rel=1e-6)


@pytest.mark.parametrize("speed", [0.0, 170.0])
def test_a_nucleus_keeps_its_inner_energy_at_rest_and_on_its_way(speed: float) -> None:
    carbon = nucleus(thomas_fermi(12, 6, SOFT, SPACING), 100, SPACING, SOFT, np.random.default_rng(4))
    carbon.momentum[:, 2] += speed
    way = speed / NUCLEON_MASS * 160
    carbon.position[:, 2] -= way / 2
    lattice = Lattice.around((9, 9, 9 + way / 2), SPACING)
    density, potential = lattice.zeros(), lattice.zeros()

    def inner() -> float:
        own = carbon.momentum - carbon.momentum.mean(axis=0)
        kinetic = (own**2).sum() / (2 * NUCLEON_MASS * 100)
        return float(kinetic + mean_field_energy(carbon.position, carbon.species, 100, lattice, SOFT))

    before = inner()
    for _ in range(320):
        carbon.position[:] += carbon.momentum * (0.25 / NUCLEON_MASS)
        deposit(carbon.position, carbon.species, 100, lattice.origin, SPACING, density)
        mean_field(density, potential_table(SOFT), SOFT.C, SOFT.rho_0, potential)
        kick(carbon.position, carbon.momentum, carbon.species, potential, lattice.origin, SPACING, 0.5)
        carbon.position[:] += carbon.momentum * (0.25 / NUCLEON_MASS)
    # 0.1 MeV per nucleon at most; crossing 29 fm of lattice, a triangular form factor of the same width heats by 0.28
    assert abs(inner() - before) / 12 < 0.1
