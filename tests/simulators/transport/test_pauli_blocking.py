"""Occupation of phase space: Fermi gases cold, hot and moving, nuclei at rest and moving, the order of cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudchamber.simulators.transport.collisions import collide
from cloudchamber.simulators.transport.equation_of_state import HBAR_C, NUCLEON_MASS, equation_of_state, fermi_momentum
from cloudchamber.simulators.transport.evolution import SPACING
from cloudchamber.simulators.transport.ground_state import thomas_fermi
from cloudchamber.simulators.transport.lattice import Floats, Lattice, deposit, folded, mean_field, potential_table
from cloudchamber.simulators.transport.nucleon_nucleon import KINDS
from cloudchamber.simulators.transport.pauli_blocking import (
    ACROSS,
    ENERGY,
    H3,
    RADIUS,
    Cells,
    cell_order,
    fold_field,
    local_momentum,
    momentum_sums,
    occupation,
)
from cloudchamber.simulators.transport.test_particles import TestParticles, nucleus

SOFT = equation_of_state("soft")
SIDE, PER_NUCLEON = 10.0, 300
FERMI = fermi_momentum(0.16)


def box(momentum: Floats, position: Floats, species: np.ndarray, per_nucleon: int) -> Cells:
    """A periodic box without a field."""
    order, start = cell_order(position, (0.0, 0.0, 0.0), 2.0, (5, 5, 5))
    field = np.zeros((2, 10, 10, 10), np.float32)
    p, none = momentum[order], np.zeros(len(order))
    return Cells(
        position[order], p, species[order], np.zeros(len(order), np.int8), none, start, momentum_sums(p, start),
        (5, 5, 5), (0.0, 0.0, 0.0), 2.0, field, (0.5, 0.5, 0.5), 1.0, per_nucleon, True,
    )  # fmt: skip


def fermi_gas(temperature: float = 0.0, flow: tuple[float, float, float] = (0, 0, 0)) -> Cells:
    """160 nucleons at saturation, half of them protons."""
    rng = np.random.default_rng(1)
    n = round(0.16 * SIDE**3) * PER_NUCLEON
    if temperature:
        p = np.linspace(0, 900, 4000)
        mu = 36.88 - math.pi**2 / 12 * temperature**2 / 36.88  # Sommerfeld; right to 0.1 MeV at 8 MeV
        below = np.cumsum(p**2 / (np.exp((p**2 / (2 * NUCLEON_MASS) - mu) / temperature) + 1))
        size = np.interp(rng.random(n), below / below[-1], p)
    else:
        size = FERMI * np.cbrt(rng.random(n))
    direction = rng.normal(size=(n, 3))
    momentum = size[:, None] * direction / np.linalg.norm(direction, axis=1)[:, None] + flow
    return box(momentum, rng.uniform(0, SIDE, (n, 3)), (np.arange(n) % 2).astype(np.int8), PER_NUCLEON)


def in_a_lattice(particles: TestParticles, half: float = 12.0) -> Cells:
    """Cells as an evolution makes them: with the field of the particles."""
    lattice = Lattice.around((half, half, half), SPACING)
    density, potential, field = lattice.zeros(), lattice.zeros(), lattice.zeros()
    deposit(particles.position, particles.species, particles.per_nucleon, lattice.origin, SPACING, density)
    mean_field(density, potential_table(SOFT), SOFT.C, SOFT.rho_0, potential)
    fold_field(density, potential, 1e-3, field)
    size, shape = 1.5 * SPACING, tuple(math.ceil(n / 1.5) for n in lattice.shape)
    corner = tuple(one - SPACING / 2 for one in lattice.origin)
    order, start = cell_order(particles.position, corner, size, shape)
    p = particles.of(order)
    depth = np.empty(len(p))
    folded(p.position, p.species, potential, lattice.origin, SPACING, depth)
    return Cells(
        p.position, p.momentum, p.species, p.origin, depth, start, momentum_sums(p.momentum, start), shape, corner,
        size, field, lattice.origin, SPACING, p.per_nucleon, False,
    )  # fmt: skip


def occupations(cells: Cells, p: float, flow: tuple[float, float, float] = (0, 0, 0), n: int = 300) -> Floats:
    """f of both species at random places in the box and random directions of a momentum [MeV/c]."""
    rng = np.random.default_rng(2)
    values = []
    for _ in range(n):
        direction = rng.normal(size=3)
        k = p * direction / np.linalg.norm(direction) + flow
        values.append(occupation(cells, tuple(rng.uniform(0, SIDE, 3)), tuple(k), int(rng.integers(2)), 0.0)[0])
    return np.array(values)


@pytest.mark.parametrize("flow", [(0.0, 0.0, 0.0), (0.0, 150.0, -200.0)])
def test_a_cold_fermi_gas_is_full_below_the_fermi_edge_and_empty_above(flow: tuple[float, float, float]) -> None:
    cells = fermi_gas(flow=flow)
    # windows of 100 particles: 10 % each by chance, 1 % in the mean of 300 that overlap; local flow is known to 2 MeV/c
    for p in (100.0, 180.0, 230.0):
        assert occupations(cells, p, flow).mean() == pytest.approx(1, abs=0.03)
    assert occupations(cells, 300.0, flow).max() < 0.02
    at_the_edge = occupations(cells, FERMI, flow).mean()
    assert at_the_edge == pytest.approx(0.5, abs=0.05)  # half of the window's energies are below


@pytest.mark.parametrize("p", [150.0, 230.0, 265.0, 300.0, 340.0])
def test_a_warm_gas_is_occupied_as_fermi_and_dirac_say(p: float) -> None:
    cells = fermi_gas(8.0)
    mu = 36.88 - math.pi**2 / 12 * 64 / 36.88
    energy = p**2 / (2 * NUCLEON_MASS) + np.linspace(-ENERGY, ENERGY, 101)
    states = np.sqrt(energy)
    expected = (states / (np.exp((energy - mu) / 8.0) + 1)).sum() / states.sum()
    # 9 % each by chance, at most 1 % in the mean of 300 that overlap
    assert occupations(cells, p).mean() == pytest.approx(expected, abs=0.03)


def test_a_window_counts_the_states_of_its_shell_and_cone() -> None:
    cells = box(np.zeros((2, 3)), np.full((2, 3), 5.0), np.zeros(2, np.int8), 7)
    p, ball = 250.0, 4 / 3 * math.pi * RADIUS**3
    # at the middle the two particles at rest are the local matter
    f, full = occupation(cells, (5.0, 5.0, 5.0), (0.0, 0.0, p), 0, 0.0)
    middle = p**2 / (2 * NUCLEON_MASS)
    high, low = ((2 * NUCLEON_MASS * (middle + sign * ENERGY)) ** 1.5 for sign in (1, -1))
    cone = 2 * math.pi * (1 - math.cos(ACROSS / p))
    assert full == pytest.approx(2 * 7 * ball * cone * (high - low) / 3 / H3, rel=1e-6)
    assert f == 0
    # slow: the window is the whole sphere of momenta up to the energy's upper end, and the particles are in it
    f, full = occupation(cells, (5.0, 5.0, 5.0), (0.0, 0.0, 20.0), 0, 0.0)
    whole = 4 * math.pi / 3 * (2 * NUCLEON_MASS * (400 / (2 * NUCLEON_MASS) + ENERGY)) ** 1.5
    assert full == pytest.approx(2 * 7 * ball * whole / H3, rel=1e-6)
    assert f * full == pytest.approx(2)
    assert occupation(cells, (5.0, 5.0, 5.0), (0.0, 0.0, 20.0), 1, 0.0)[0] == 0  # there are no protons
    assert pytest.approx((2 * math.pi * HBAR_C) ** 3) == H3


def test_the_window_reaches_through_the_walls_of_a_periodic_box() -> None:
    cells = box(np.zeros((1, 3)), np.array([[0.2, 9.9, 5.0]]), np.zeros(1, np.int8), 1)
    f, full = occupation(cells, (9.9, 0.2, 5.0), (0.0, 0.0, 0.0), 0, 0.0)
    assert f * full == pytest.approx(1)


@pytest.mark.parametrize("flow", [(0.0, 0.0, 0.0), (0.0, 0.0, 170.0)])
@pytest.mark.parametrize(("A", "Z"), [(12, 6), (40, 20)])
def test_a_nucleus_is_full_inside_and_empty_above_its_fermi_energy(
    A: int, Z: int, flow: tuple[float, float, float]
) -> None:
    ground = thomas_fermi(A, Z, SOFT, SPACING)
    particles = nucleus(ground, 300, SPACING, SOFT, np.random.default_rng(3))
    particles.momentum[:] += flow
    cells = in_a_lattice(particles)
    rng = np.random.default_rng(4)
    own, above = [], []
    mean = ground.chemical[0] - 4  # protons have their Coulomb energy beside U~
    for i in rng.integers(len(particles), size=150):
        r, q, depth = tuple(cells.position[i]), int(cells.species[i]), cells.potential[i]
        k = cells.momentum[i] - flow
        if (k**2).sum() / (2 * NUCLEON_MASS) + depth < mean - 8:
            own.append(occupation(cells, r, tuple(cells.momentum[i]), q, depth)[0])
        fast = math.sqrt(2 * NUCLEON_MASS * max(0.0, ground.chemical[0] + 12 - depth))
        k *= fast / np.linalg.norm(k)
        above.append(occupation(cells, r, tuple(k + flow), q, depth)[0])
    assert len(own) > 40
    # at most 1 % in the mean by chance; the edge of the nucleus within the window, and Coulomb, make the rest
    assert np.mean(own) == pytest.approx(1, abs=0.06)
    assert np.mean(above) < 0.02


@pytest.mark.parametrize("langevin", [True, False])
@pytest.mark.parametrize(("A", "Z"), [(12, 6), (40, 20)])
def test_at_most_one_per_cent_of_collisions_in_a_cold_nucleus_get_through(A: int, Z: int, langevin: bool) -> None:
    ground = thomas_fermi(A, Z, SOFT, SPACING)
    particles = nucleus(ground, 500, SPACING, SOFT, np.random.default_rng(6))
    cells = in_a_lattice(particles)
    density = np.diff(cells.start) / (500 * cells.size**3)
    counts = np.zeros(2)
    for seed in range(12):
        frozen = cells._replace(momentum=cells.momentum.copy())
        time = 1500 / A if langevin else 3 / A  # about 80 attempts
        counts += collide(frozen, density, KINDS["capped"], 0.0, time, langevin, True, seed)
    assert counts[0] > 600
    assert counts[1] <= 0.01 * counts[0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-3, 13)] * 3), max_size=60))
def test_cells_hold_every_particle_once_and_strays_come_last(places: list[tuple[float, float, float]]) -> None:
    position = np.array(places).reshape(-1, 3)
    order, start = cell_order(position, (0.0, 0.0, 0.0), 2.0, (5, 4, 3))
    assert sorted(order) == list(range(len(places)))
    where = np.floor(position[order] / 2.0).astype(int)
    inside = ((where >= 0) & (where < (5, 4, 3))).all(axis=1)
    assert inside.sum() == start[-1]
    assert inside[: start[-1]].all()
    cell = (where[inside, 0] * 4 + where[inside, 1]) * 3 + where[inside, 2]
    np.testing.assert_array_equal(np.bincount(cell, minlength=60), np.diff(start))
    assert (np.diff(cell) >= 0).all()


def test_local_momentum_is_the_mean_of_27_cells() -> None:
    cells = fermi_gas(flow=(10.0, 0.0, -50.0))
    cell = np.floor(cells.position / 2.0)
    near = (np.abs((cell - 2 + 2) % 5 - 2) <= 1).all(axis=1)
    mean = local_momentum(cells, (5.0, 5.1, 4.9))
    np.testing.assert_allclose(mean, cells.momentum[near].mean(axis=0), rtol=1e-9)
    # at the wall the other side is a neighbour
    wall = (np.abs((cell - 0 + 2) % 5 - 2) <= 1).all(axis=1)
    np.testing.assert_allclose(local_momentum(cells, (0.1, 0.1, 0.1)), cells.momentum[wall].mean(axis=0), rtol=1e-9)


def test_the_field_at_lattice_points_is_what_a_particle_there_feels() -> None:
    lattice = Lattice.around((4, 5, 6), SPACING)
    rng = np.random.default_rng(5)
    density = rng.uniform(0, 0.1, (2, *lattice.shape)).astype(np.float32)
    potential, field = rng.normal(0, 30, density.shape).astype(np.float32), np.full_like(density, 9)
    fold_field(density, potential, 0.05, field)
    inner = np.indices(lattice.shape).reshape(3, -1).T
    inner = inner[((inner >= 1) & (inner < np.array(lattice.shape) - 2)).all(axis=1)]
    position = lattice.origin + SPACING * (inner + 1e-9)  # not a hair below the point
    for q in range(2):
        value = np.empty(len(inner))
        species = np.full(len(inner), q, np.int8)
        folded(position, species, potential, lattice.origin, SPACING, value)
        thin = density.sum(axis=0)[tuple(inner.T)] < 0.05
        np.testing.assert_allclose(field[q][tuple(inner.T)], np.where(thin, 0, value), atol=1e-4)
