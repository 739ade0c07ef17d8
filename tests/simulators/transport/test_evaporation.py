"""Evaporation: integrals, spectra and branching ratios against the Weisskopf-Ewing formula integrated numerically."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit
from scipy.integrate import quad
from scipy.stats import kstest

from cloudchamber.simulators.transport.evaporation import (
    LEVEL_DENSITY,
    emission,
    evaporate,
    inverse_cross_section,
    log_spectrum_integral,
    log_widths,
    sampled_energy,
)
from cloudchamber.simulators.transport.masses import estimated_table

PARTICLES = {"n": (1, 0, 2), "p": (1, 1, 2), "d": (2, 1, 3), "t": (3, 1, 2), "3He": (3, 2, 2), "4He": (4, 2, 1)}

ENOUGH = 1e-3
"""p-value below which a seeded test fails: a wrong spectrum gives far less with 20 000 draws."""


def sigma(name: str, energy: float, A: int, Z: int) -> float:
    """The inverse cross section [fm^2] as Dostrovsky et al. write it, for 20 <= Z <= 30."""
    a, z, _ = PARTICLES[name]
    radius = 1.2 if a > 1 else 0.0
    area = math.pi * (1.5 * A ** (1 / 3) + radius) ** 2
    if name == "n":
        alpha = 0.76 + 2.2 * A ** (-1 / 3)
        return area * alpha * (1 + (2.12 * A ** (-2 / 3) - 0.05) / alpha / energy)
    share = (Z - 20) / 10
    k_p, c_p = 0.58 + 0.10 * share, 0.28 - 0.08 * share
    k_a, c_a = 0.82 + 0.09 * share, 0.10
    k = {"p": k_p, "d": k_p + 0.06, "t": k_p + 0.12, "3He": k_a - 0.06, "4He": k_a}[name]
    c = {"p": c_p, "d": c_p / 2, "t": c_p / 3, "3He": c_a * 4 / 3, "4He": c_a}[name]
    barrier = z * Z * 1.43996448 / (1.7 * A ** (1 / 3) + radius)
    return max(area * (1 + c) * (1 - k * barrier / energy), 0.0)


def spectrum(name: str, energy: float, A: int, Z: int, excitation: float) -> float:
    """Gamma_j(e) of a hot nucleus, times exp(-2 sqrt(a E*))."""
    table = estimated_table()
    a, z, spins = PARTICLES[name]
    light, heavy = table[z, a], table[Z - z, A - a]
    left = excitation + table[Z, A] - light - heavy - energy
    if left <= 0 or energy <= 0:
        return 0.0
    slope = (A - a) / 8
    density = math.exp(2 * math.sqrt(slope * left) - 2 * math.sqrt(A / 8 * excitation))
    return spins * light * heavy / (light + heavy) * sigma(name, energy, A - a, Z - z) * energy * density


@pytest.mark.parametrize(("name", "j"), [(name, j) for j, name in enumerate(PARTICLES)])
def test_inverse_cross_sections_are_those_of_dostrovsky(name: str, j: int) -> None:
    for A, Z in ((40, 20), (55, 25), (64, 28)):
        slope, barrier, offset = inverse_cross_section(j, A, Z)
        for energy in (9.0, 15.0, 40.0):
            expected = sigma(name, energy, A, Z)
            assert slope * max(energy - barrier + offset, 0.0) / energy == pytest.approx(expected, rel=1e-12)


def test_cross_section_parameters_are_constant_outside_the_table() -> None:
    for j in range(1, 6):
        light, heavy = inverse_cross_section(j, 20, 9), inverse_cross_section(j, 20, 10)
        assert light[0] == pytest.approx(heavy[0])
        assert light[1] / 9 == pytest.approx(heavy[1] / 10)


@pytest.mark.parametrize("room", [1e-6, 1e-4, 0.01, 0.3, 5.0, 80.0, 3000.0])
@pytest.mark.parametrize("offset", [0.0, 0.4])
@pytest.mark.parametrize("a", [2.0, 50.0])
def test_integral_over_the_spectrum_is_the_numerical_one(room: float, offset: float, a: float) -> None:
    top = 2 * math.sqrt(a * room)
    width = min(room, 40 * math.sqrt(room / a))  # beyond, the exponential has dropped by e^-40
    expected, _ = quad(
        lambda x: (x + offset) * math.exp(2 * math.sqrt(a * max(room - x, 0.0)) - top), 0, width, epsabs=0, epsrel=1e-10
    )
    # the series for small arguments leaves out terms of the order of 0.01 cubed
    assert log_spectrum_integral(room, a, offset) == pytest.approx(math.log(expected) + top, abs=3e-6)


@njit
def energies(room: float, a: float, offset: float, n: int, rng: np.random.Generator) -> np.ndarray:
    return np.array([sampled_energy(room, a, offset, rng) for _ in range(n)])


@pytest.mark.parametrize(
    ("room", "a", "offset"), [(0.05, 3, 0.5), (0.3, 2.5, 0), (4, 3, 0.6), (60, 6, 0), (900, 25, 0.2)]
)
def test_kinetic_energies_follow_the_spectrum(room: float, a: float, offset: float) -> None:
    x = energies(float(room), float(a), float(offset), 20_000, np.random.default_rng(4))
    grid = np.linspace(0, room, 20_001)
    density = (grid + offset) * np.exp(2 * (np.sqrt(a * (room - grid)) - math.sqrt(a * room)))
    steps = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
    assert kstest(x, lambda e: np.interp(e, grid, steps / steps[-1])).pvalue > ENOUGH


@pytest.mark.parametrize(("A", "Z", "excitation"), [(56, 26, 60.0), (56, 26, 200.0), (50, 24, 15.0)])
def test_branching_ratios_are_the_integrated_widths(A: int, Z: int, excitation: float) -> None:
    expected = np.array(
        [quad(lambda e, name=name: spectrum(name, e, A, Z, excitation), 0, excitation + 20, limit=400)[0]
         for name in PARTICLES]
    )  # fmt: skip
    found = np.empty(6)
    log_widths(A, Z, excitation, estimated_table(), LEVEL_DENSITY, found)
    found = np.exp(found - found.max())
    # quad stops at kinks of the integrand, where a barrier or the energy ends
    np.testing.assert_allclose(found / found.sum(), expected / expected.sum(), rtol=1e-4, atol=1e-9)


@njit
def emissions(
    A: int, Z: int, excitation: float, table: np.ndarray, slope: float, n: int, rng: np.random.Generator
) -> np.ndarray:
    result = np.empty((n, 2))
    for i in range(n):
        result[i, 0], result[i, 1] = emission(A, Z, excitation, table, slope, rng)
    return result


def test_emitted_particles_and_energies_are_those_of_weisskopf_and_ewing() -> None:
    A, Z, excitation, n = 56, 26, 120.0, 60_000
    drawn = emissions(A, Z, excitation, estimated_table(), LEVEL_DENSITY, n, np.random.default_rng(6))
    widths = np.empty(6)
    log_widths(A, Z, excitation, estimated_table(), LEVEL_DENSITY, widths)
    shares = np.exp(widths - widths.max())
    shares /= shares.sum()
    counts = np.bincount(drawn[:, 0].astype(int), minlength=6)
    assert (np.abs(counts - n * shares) < 4.5 * np.sqrt(n * shares + 1)).all()  # 4.5 standard deviations
    for j, name in ((0, "n"), (1, "p"), (5, "4He")):
        grid = np.linspace(1e-6, excitation, 8001)
        density = np.array([spectrum(name, e, A, Z, excitation) for e in grid])
        steps = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2)])
        chosen = drawn[drawn[:, 0] == j, 1]
        assert kstest(chosen, lambda e, grid=grid, steps=steps: np.interp(e, grid, steps / steps[-1])).pvalue > ENOUGH


def test_lead_emits_neutrons_at_twice_its_temperature() -> None:
    drawn = emissions(208, 82, 100.0, estimated_table(), LEVEL_DENSITY, 20_000, np.random.default_rng(7))
    neutrons = drawn[drawn[:, 0] == 0, 1]
    assert len(neutrons) > 0.97 * len(drawn)
    temperature = math.sqrt((100.0 - 7.37) * 8 / 207)  # of the nucleus that remains
    # 2 T for a Maxwell spectrum; the curvature of the entropy lowers it by about 3 / (2 sqrt(aE)), a few per cent
    assert neutrons.mean() == pytest.approx(2 * temperature, rel=0.06)


def test_nothing_leaves_below_every_threshold_and_light_nuclei_are_left_alone() -> None:
    A, Z = np.array([24, 16, 208, 24]), np.array([12, 8, 82, 12])
    p, u = np.zeros((4, 3)), np.array([5.0, 60.0, 5.0, 0.0])
    rows, ends = np.empty((300, 6)), np.empty(4, np.int64)
    given = A.copy(), Z.copy(), p.copy(), u.copy()
    evaporate(*given, estimated_table(), LEVEL_DENSITY, 17, rows, ends, np.random.default_rng(1))
    assert (ends == 0).all()
    for one, other in zip(given, (A, Z, p, u), strict=True):
        np.testing.assert_array_equal(one, other)


def test_evaporation_conserves_everything_and_ends_cold_or_light() -> None:
    rng, n = np.random.default_rng(8), 200
    A = rng.integers(17, 240, n)
    Z = (A * rng.uniform(0.38, 0.52, n)).astype(np.int64)
    p, u = rng.normal(size=(n, 3)) * 200 * A[:, None], rng.uniform(0, 8, n) * A
    table = estimated_table()
    energy = np.sqrt((table[Z, A] + u) ** 2 + (p**2).sum(axis=1))
    a, z, q, v = A.copy(), Z.copy(), p.copy(), u.copy()
    rows, ends = np.empty((A.sum(), 6)), np.empty(n, np.int64)
    evaporate(a, z, q, v, table, LEVEL_DENSITY, 17, rows, ends, rng)
    rows, owner = rows[: ends[-1]], np.repeat(np.arange(n), np.diff(ends, prepend=0))
    total = np.zeros((n, 6))
    np.add.at(total, owner, rows)
    left = np.sqrt((table[z, a] + v) ** 2 + (q**2).sum(axis=1))
    expected = np.column_stack([A, Z, p, energy])
    np.testing.assert_allclose(total + np.column_stack([a, z, q, left]), expected, rtol=0, atol=1e-6)
    widths = np.empty(6)
    for i in np.flatnonzero(a > 16):
        log_widths(a[i], z[i], v[i], table, LEVEL_DENSITY, widths)
        assert (widths == -np.inf).all()
    assert (v >= 0).all()
