"""The Coulomb field: point charges, a charged sphere, open boundaries, forces as gradients of the energy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cloudchamber.simulators.transport.coulomb import MEAN_INVERSE_DISTANCE, CoulombField
from cloudchamber.simulators.transport.equation_of_state import E2
from cloudchamber.simulators.transport.lattice import Floats, Lattice

SPACING = 1.59
LATTICE = Lattice.around((10.0, 13.0, 18.0), SPACING)


def protons(n: int) -> np.ndarray:
    return np.ones(n, np.int8)


def energy(position: Floats, per_nucleon: int = 1) -> float:
    return CoulombField(LATTICE).solve(position, protons(len(position)), per_nucleon)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("distance", [4.0, 7.0, 19.0])
def test_two_charges_repel_by_e2_over_r_along_every_axis(axis: int, distance: float) -> None:
    # 19 fm: nearly from wall to wall of the shortest side; images of a periodic field would be nearer than that
    first = np.array([[0.31, -0.2, 0.47]])
    first[0, axis] = -distance / 2
    second = first.copy()
    second[0, axis] += distance
    mutual = energy(np.concatenate([first, second])) - energy(first) - energy(second)
    # clouds of 0.65 fm; what is left is the lattice's anisotropy
    assert mutual == pytest.approx(E2 / distance, rel=0.01)


@pytest.mark.parametrize("radius", [4.0, 7.0])
def test_energy_of_a_uniform_sphere_is_three_fifths_z2_e2_over_r(radius: float) -> None:
    rng, n, charge = np.random.default_rng(1), 20000, 20
    r = radius * np.cbrt((np.arange(n) + 0.5) / n)
    direction = rng.normal(size=(n, 3))
    position = r[:, None] * direction / np.linalg.norm(direction, axis=1)[:, None]
    analytic = 0.6 * charge**2 * E2 / radius
    # folding both charges with clouds of variance s^2 along an axis takes away (5/2) (s / R)^2 of the energy at
    # leading order; 1.5 % for what follows, for chance and for the lattice
    blur = 1 - 2.5 * (SPACING / math.sqrt(6)) ** 2 / radius**2
    assert energy(position, n // charge) == pytest.approx(analytic * blur, rel=0.015)


def test_the_force_is_minus_the_gradient_of_the_energy() -> None:
    rng, h = np.random.default_rng(2), 0.01
    # within cells: at their faces the force jumps
    position = LATTICE.origin + SPACING * (rng.integers(5, 10, (8, 3)) + rng.uniform(0.05, 0.95, (8, 3)))
    field, momentum = CoulombField(LATTICE), np.zeros((8, 3))
    field.solve(position, protons(8), 1)
    field.kick(position, momentum, protons(8), 1.0)
    for i in range(8):
        for axis in range(3):
            ends = []
            for sign in (1, -1):
                moved = position.copy()
                moved[i, axis] += sign * h
                ends.append(energy(moved))
            # single precision of an energy of 30 MeV over 0.02 fm
            assert momentum[i, axis] == pytest.approx(-(ends[0] - ends[1]) / (2 * h), abs=2e-3)


def test_the_force_outside_a_nucleus_is_that_of_its_whole_charge() -> None:
    position = np.concatenate([np.random.default_rng(3).normal(0, 0.8, (3000, 3)), [[0.5, -7.0, 9.0]]])
    field, momentum = CoulombField(LATTICE), np.zeros_like(position)
    field.solve(position, protons(3001), 500)
    field.kick(position, momentum, protons(3001), 2.0)
    r = position[-1] - position[:-1].mean(axis=0)
    # interpolation of the field over a cell of 1.6 fm at 11 fm
    np.testing.assert_allclose(momentum[-1], 2.0 * 6 * E2 * r / np.linalg.norm(r) ** 3, atol=0.01)


def test_neutrons_and_particles_outside_neither_make_nor_feel_the_field() -> None:
    inside, outside = np.array([[1.0, 2.0, 3.0]]), np.array([[0.0, 0.0, 40.0]])
    alone = energy(inside)
    field = CoulombField(LATTICE)
    both = np.concatenate([inside, inside + 1, outside])
    species = np.array([1, 0, 1], np.int8)
    assert field.solve(both, species, 1) == pytest.approx(alone)
    momentum = np.zeros_like(both)
    field.kick(both, momentum, species, 1.0)
    assert not momentum[1:].any()


def test_a_charge_in_its_own_cell_feels_the_mean_inverse_distance() -> None:
    # midpoint rule on a grid whose points avoid the centre: right to a quarter of its step squared
    n = 200
    x = (np.arange(n) + 0.5) / n - 0.5
    near = 1 / np.sqrt(x[:, None, None] ** 2 + x[:, None] ** 2 + x**2)
    assert pytest.approx(near.mean(), rel=2e-5) == MEAN_INVERSE_DISTANCE
    on_point = np.array([[LATTICE.origin[0] + 5 * SPACING, LATTICE.origin[1] + 5 * SPACING, LATTICE.origin[2]]])
    assert energy(on_point) == pytest.approx(0.5 * E2 * MEAN_INVERSE_DISTANCE / SPACING, rel=1e-5)
