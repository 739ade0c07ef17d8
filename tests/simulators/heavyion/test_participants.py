"""Whether two nucleons collide, given where their constituents are."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cloudchamber.simulators.heavyion.participants import _structured_hit, interaction

SIGMA, WIDTH, M = 8.0, 0.3, 3
"""fm^2, fm, and number of constituents."""


@pytest.mark.parametrize("seed", range(4))
def test_constituents_overlap_where_their_nucleons_put_them(seed: int) -> None:
    """1 - exp(-sigma_p T) of arXiv:1808.02106, pair after pair, at places of no symmetry."""
    forces = interaction(SIGMA, 0.5, WIDTH, M, 0.4)
    one, two = np.random.default_rng(seed).normal(0, 0.4, (2, M, 2))
    nucleon = np.array([0.7, -0.4])  # of the second, seen from the first
    d2 = np.array([np.square(nucleon + b - a).sum() for a in one for b in two])
    overlap = np.exp(-d2 / (4 * WIDTH**2)).mean() / (4 * math.pi * WIDTH**2)
    chance = -math.expm1(-SIGMA * overlap)
    extent = np.linalg.norm(one, axis=1).max() + np.linalg.norm(two, axis=1).max()
    # fast mathematics: a few units in the last place
    assert _structured_hit(chance * (1 - 1e-9), *nucleon, forces, one, two, extent)
    assert not _structured_hit(chance * (1 + 1e-9), *nucleon, forces, one, two, extent)
