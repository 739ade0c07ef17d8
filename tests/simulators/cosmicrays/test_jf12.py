"""JF12: the value at the Sun, the paper's equations written a second time, and div B = 0 where they promise it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from cloudchamber.simulators.cosmicrays.jf12 import JF12, JF12_PAPER, JF12_PLANCK, random_rms, regular

ARMS = [5.1, 6.3, 7.1, 8.3, 9.8, 11.4, 12.7, 15.5]


def arm_by_walking(phi: float, r: float) -> int:
    """The arm from its boundaries r = r_-x exp((phi - pi) tan 11.5 deg), going inward from the outermost."""
    boundaries = []
    for turn in range(-3, 4):
        for arm, crossing in enumerate(ARMS):
            boundaries.append(
                (crossing * math.exp((phi - math.pi + 2 * math.pi * turn) * math.tan(math.radians(11.5))), arm)
            )
    return min((edge, arm) for edge, arm in boundaries if edge > r)[1]


def paper(place: NDArray[np.float64], p: JF12) -> NDArray[np.float64]:
    """Regular field after arXiv:1204.3662, section 5, with vectors and without short cuts."""
    x, y, z = place
    r, phi = math.hypot(x, y), math.atan2(y, x)
    if np.linalg.norm(place) > 20:
        return np.zeros(3)
    e_r, e_phi = np.array([math.cos(phi), math.sin(phi), 0]), np.array([-math.sin(phi), math.cos(phi), 0])
    logistic = lambda v, h, w: 1 / (1 + math.exp(-2 * (abs(v) - h) / w))  # noqa: E731
    halo = logistic(z, 0.4, 0.27)
    field = np.zeros(3)
    if 3 < r < 5:
        field += 0.1 * 5 / r * (1 - halo) * e_phi
    if r > 5:
        i = math.radians(11.5)
        field += p.arms[arm_by_walking(phi, r)] * 5 / r * (1 - halo) * (math.sin(i) * e_r + math.cos(i) * e_phi)
    if np.linalg.norm(place) > 1:
        amplitude, edge = (1.4, 9.22) if z >= 0 else (-1.1, 17.0)
        field += amplitude * math.exp(-abs(z) / 5.3) * halo * (1 - logistic(r, edge, 0.2)) * e_phi
        core = 4.8 + abs(z) / math.tan(math.radians(49))
        if r < core:
            foot = r * 4.8 / core
            size, tilt = p.b_x * math.exp(-foot / 2.9) * (4.8 / core) ** 2, math.atan2(abs(z), r - foot)
        else:
            foot = r - abs(z) / math.tan(math.radians(49))
            size, tilt = p.b_x * math.exp(-foot / 2.9) * foot / r, math.radians(49)
        field += size * (math.cos(tilt) * math.copysign(1, z) * e_r + math.sin(tilt) * np.array([0, 0, 1]))
    return field


def test_field_at_the_sun_is_the_known_one() -> None:
    expected = (0.062048866643, 1.027488869674, 0.185184909003)
    assert regular(-8.5, 0.0, 0.0, JF12_PAPER) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("parameters", [JF12_PAPER, JF12_PLANCK])
def test_regular_field_is_that_of_the_paper(parameters: JF12) -> None:
    rng = np.random.default_rng(1)
    for place in rng.uniform(-14, 14, (2000, 3)) * [1, 1, 0.4]:
        # 1e-12: the same double-precision formulae in another order
        assert regular(*place, parameters) == pytest.approx(paper(place, parameters), abs=1e-12)


def test_there_is_no_field_beyond_20_kpc() -> None:
    assert regular(0.0, -14.2, 14.2, JF12_PAPER) == (0, 0, 0)
    assert random_rms(0.0, -14.2, 14.2, JF12_PAPER) == 0
    assert np.linalg.norm(regular(0.0, -14.1, 14.1, JF12_PAPER)) > 0


def test_the_halo_has_no_divergence() -> None:
    """Far above the disk only the X field has radial and vertical components; central differences see div B = 0."""
    rng = np.random.default_rng(2)
    step = 1e-4
    for place in rng.uniform(-8, 8, (200, 3)) * [1, 1, 0.3] + [0, 0, 6]:
        core = 4.8 + place[2] / math.tan(math.radians(49))
        if abs(math.hypot(place[0], place[1]) - core) < 2 * step:
            continue
        divergence = 0.0
        for axis in range(3):
            ahead, behind = place.copy(), place.copy()
            ahead[axis] += step
            behind[axis] -= step
            change = regular(*ahead, JF12_PAPER)[axis] - regular(*behind, JF12_PAPER)[axis]
            divergence += change / (2 * step)
        # muG/kpc; the field is 0.1 to 1 muG on scales of kpc, differences are good to 1e-8, the disk's tail is 1e-9
        assert abs(divergence) < 1e-6


def test_the_plane_counts_as_north() -> None:
    assert regular(9.0, 0.0, 0.0, JF12_PAPER) == pytest.approx(regular(9.0, 0.0, 1e-9, JF12_PAPER), abs=1e-8)
    assert regular(9.0, 0.0, -1e-9, JF12_PAPER)[0] != pytest.approx(regular(9.0, 0.0, 0.0, JF12_PAPER)[0], abs=1e-2)


def test_random_rms_is_disk_and_halo_in_quadrature() -> None:
    """Disk and halo in quadrature: arXiv:1210.7820, table 1, at the Sun (arm 5) and near the centre."""
    halo = 4.68 * math.exp(-8.5 / 10.97) * math.exp(-0.5 * (0.3 / 2.84) ** 2)
    disk = 1.96 * 5 / 8.5 * math.exp(-0.5 * (0.3 / 0.61) ** 2)
    assert random_rms(-8.5, 0.0, 0.3, JF12_PAPER) == pytest.approx(math.hypot(disk, halo), rel=1e-12)
    assert random_rms(1e-9, 0.0, 0.0, JF12_PLANCK) == pytest.approx(math.hypot(3.90, 7.332), rel=1e-8)
