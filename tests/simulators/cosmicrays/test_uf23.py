"""UF23 base: the authors' nine test vectors, the value at the Sun, and div B = 0."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.simulators.cosmicrays.uf23 import UF23_BASE, regular

# Of the test program that the authors publish with the model (BSD 2-Clause), nine digits.
VECTORS = {
    (1, 1, 1): (-1.46860417, 1.64555489, 0.835702311),
    (0, 0, -8): (0.0, -0.422433497, 0.183232985),
    (0.1, -0.1, -8): (-0.300239177, -0.297045767, 0.183232985),
    (0.1, 0.1, 0.1): (8.58382023e-04, 7.71891049e-03, 0.971705527),
    (-1, 3, 4): (-1.17276875, -0.233013590, 0.410798494),
    (-10, -3, 2): (0.263883569, -0.879631081, 5.54229961e-06),
    (-10, -10, 20): (-0.0171971907, -0.0200291358, 0.0416024875),
    (-4, -2, 1): (0.618960813, -2.14437026, 0.835702315),
    (6, 5, -0.1): (-1.50883911, 2.63874909, 0.0116578928),
}


@pytest.mark.parametrize("place", VECTORS)
def test_field_is_that_of_the_authors_vectors(place: tuple[float, float, float]) -> None:
    # 1e-8: the last digit given; the limit of an infinite scale of eq. 38 (theirs is 1 Gpc) adds less
    assert regular(*map(float, place), UF23_BASE) == pytest.approx(VECTORS[place], abs=1e-8)


def test_field_at_the_sun_is_the_known_one() -> None:
    expected = (0.062772743729, 0.350648666758, 0.000293486607)
    assert regular(-8.2, 0.0, 0.0, UF23_BASE) == pytest.approx(expected, abs=1e-11)


def test_there_is_no_field_beyond_30_kpc() -> None:
    assert regular(0.0, 21.3, 21.3, UF23_BASE) == (0, 0, 0)
    assert np.linalg.norm(regular(0.0, 21.1, 21.1, UF23_BASE)) > 0


def test_disk_and_halo_have_no_divergence() -> None:
    """Disk (within its height) and halo are divergence-free by construction, but for the edges of the disk in r."""
    rng = np.random.default_rng(2)
    step = 1e-4
    for place in rng.uniform(-1, 1, (200, 3)) * [6, 6, 4] + [0, 0, 6]:
        divergence = 0.0
        for axis in range(3):
            ahead, behind = place.copy(), place.copy()
            ahead[axis] += step
            behind[axis] -= step
            divergence += (regular(*ahead, UF23_BASE)[axis] - regular(*behind, UF23_BASE)[axis]) / (2 * step)
        # muG/kpc; the truncation error is step^2 times the third derivative across the edge, w = 0.11 kpc wide
        assert abs(divergence) < 2e-5
