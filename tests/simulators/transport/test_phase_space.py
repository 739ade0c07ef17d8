"""Decays in flight: closure, isotropy, and the energy spectrum of one body among n."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from scipy.stats import beta, kstest

from cloudchamber.simulators.transport.phase_space import fly_apart, put, relative_momentum

ENOUGH = 1e-3
"""p-value below which a seeded test fails: a wrong spectrum gives far less with 20 000 draws."""


@njit
def many(masses: np.ndarray, kinetic: float, moving: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    result = np.empty((n, len(masses), 3))
    for i in range(n):
        fly_apart(masses, len(masses), kinetic, (moving[0], moving[1], moving[2]), result[i], rng)
    return result


def draws(masses: list[float], kinetic: float, moving: list[float], n: int = 20_000) -> np.ndarray:
    return many(np.array(masses), kinetic, np.array(moving), n, np.random.default_rng(3))


@pytest.mark.parametrize("kinetic", [0.0, 1e-6, 3.0, 500.0])
@pytest.mark.parametrize("masses", [[938.0, 3727.0], [939.0] * 5, [939.0, 3727.0, 11000.0], [938.0] * 40])
def test_energy_and_momentum_close_in_flight(masses: list[float], kinetic: float) -> None:
    moving = np.array([400.0, -3000.0, 5000.0])
    p = draws(masses, kinetic, list(moving), 200)
    energy = np.sqrt(np.array(masses) ** 2 + (p**2).sum(axis=2)).sum(axis=1)
    np.testing.assert_allclose(p.sum(axis=1), np.broadcast_to(moving, (200, 3)), rtol=0, atol=1e-8)
    np.testing.assert_allclose(energy, np.sqrt((sum(masses) + kinetic) ** 2 + (moving**2).sum()), rtol=0, atol=1e-8)


def test_two_bodies_share_the_exact_momentum_isotropically() -> None:
    p = draws([938.272, 939.565], 20.0, [0.0, 0.0, 0.0])
    total = 938.272 + 939.565 + 20.0
    exact = np.sqrt((total**2 - (938.272 + 939.565) ** 2) * (total**2 - (938.272 - 939.565) ** 2)) / (2 * total)
    size = np.linalg.norm(p[:, 0], axis=1)
    np.testing.assert_allclose(size, exact, rtol=1e-10)
    assert relative_momentum(938.272, 939.565, 20.0) == pytest.approx(exact, rel=1e-10)
    np.testing.assert_allclose(p[:, 1], -p[:, 0], atol=1e-9)
    for axis in range(3):
        assert kstest(p[:, 0, axis] / size, "uniform", args=(-1, 2)).pvalue > ENOUGH


@pytest.mark.parametrize("masses", [[939.0] * 3, [939.0] * 6, [939.0, 3727.0, 2808.0, 6534.0]])
def test_each_body_has_the_microcanonical_energy_spectrum(masses: list[float]) -> None:
    # one body against the n - 1 others: its energy is Beta(3/2, 3 (n-2) / 2) of the most it can have. At 1 MeV the
    # relativistic corrections are of order 1e-3 and not visible in 20 000 draws
    n, kinetic, total = len(masses), 1.0, sum(masses)
    p = draws(masses, kinetic, [0.0, 0.0, 0.0])
    for k, mass in enumerate(masses):
        share = (np.linalg.norm(p[:, k], axis=1) ** 2 / (2 * mass)) / (kinetic * (1 - mass / total))
        assert kstest(share, beta(1.5, 1.5 * (n - 2)).cdf).pvalue > ENOUGH


def test_products_are_written_with_their_energy() -> None:
    rows = np.zeros((2, 6))
    assert put(rows, 1, 4, 2, 3.0, (0.0, 4.0, 0.0)) == 2
    np.testing.assert_array_equal(rows[1], [4, 2, 0, 4, 0, 5])
