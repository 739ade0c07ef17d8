"""Fermi break-up: channels drawn with their weights, and where photons lead."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit
from scipy.stats import chisquare

from cloudchamber.simulators.transport.fermi_break_up import lower_level, sampled_channel
from cloudchamber.simulators.transport.levels import WITH_RESONANCES
from cloudchamber.simulators.transport.partitions import (
    LAST,
    Channels,
    Pool,
    bound_ground_state,
    channels,
    fragment_pool,
    weights,
)


@njit
def drawn(table: Channels, excitation: float, n: int, rng: np.random.Generator) -> np.ndarray:
    counts = np.zeros(len(table.number), np.int64)
    for _ in range(n):
        c = sampled_channel(table, excitation, rng)
        if c >= 0:
            counts[c] += 1
    return counts


@pytest.mark.parametrize("excitation", [10.2, 18.48, 20.0, 29.3, 77.7, 400.0, LAST + 100.0])
def test_channels_are_drawn_with_their_exact_weights(excitation: float) -> None:
    table, n = channels(12, 6), 200_000
    counts, expected = drawn(table, excitation, n, np.random.default_rng(5)), n * weights(table, excitation)
    assert counts.sum() == n
    assert counts[expected == 0].sum() == 0
    rare = expected < 20
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    filled = expected > 5
    if filled.sum() > 1:
        # seeded; a table interpolated to 1 % would already give p < 1e-6 here
        assert chisquare(counts[filled], expected[filled] * counts[filled].sum() / expected[filled].sum()).pvalue > 1e-3


def test_no_channel_is_drawn_below_all_thresholds() -> None:
    assert drawn(channels(12, 6), 7.3, 10, np.random.default_rng(1)).sum() == 0


@njit
def levels_reached(pool: Pool, ground: int, stop: int, energy: float, n: int, rng: np.random.Generator) -> np.ndarray:
    counts = np.zeros(len(pool.A), np.int64)
    for _ in range(n):
        counts[lower_level(pool, ground, stop, energy, rng)] += 1
    return counts


def test_photons_skip_resonances() -> None:
    pool = fragment_pool(WITH_RESONANCES)
    ground = bound_ground_state(pool, 6, 3)
    counts = levels_reached(pool, ground, ground + 6, 5.9, 20_000, np.random.default_rng(2))
    reached = counts > 0
    assert not pool.resonance[reached].any()
    np.testing.assert_allclose(pool.mass[reached] - pool.mass[ground], [0.0, 3.5629], atol=1e-9)
    assert bound_ground_state(pool, 8, 4) == -1


def test_photons_lead_to_levels_by_spin_and_energy_cubed() -> None:
    pool = fragment_pool()
    ground = bound_ground_state(pool, 12, 6)
    counts = levels_reached(pool, ground, ground + 2, 7.0, 50_000, np.random.default_rng(2))
    upper = 5 * (7.0 - 4.4398) ** 3
    share = upper / (upper + 7.0**3)
    assert counts.sum() == counts[ground] + counts[ground + 1]
    # 4 standard deviations
    assert counts[ground + 1] / 50_000 == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 50_000))
