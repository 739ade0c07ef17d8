"""The tables behind the sampling of nuclei, against integrals over the surface."""

from __future__ import annotations

import math

import numpy as np

from cloudchamber.simulators.heavyion.nuclei import nucleus, surface_radius
from cloudchamber.simulators.heavyion.woods_saxon import POLAR, SHELLS, tables


def test_polar_angles_of_a_triaxial_body_follow_its_volume() -> None:
    """The volume below cos(theta) is the integral of (R + a l)^3 / 3, R of both angles."""
    one = nucleus("U", beta2=0.35, beta4=0.05, gamma=0.5)
    found = tables(one)
    c, phi = np.meshgrid(np.linspace(-1, 1, 4001), (np.arange(16) + 0.5) * math.pi / 16, indexing="ij")
    surface = surface_radius(one, c, phi)
    lowest, steps = found.lengths[0, 3:]
    bodies = 0
    for shell in range(SHELLS + 1):
        excess = 1 / (lowest + shell / steps) - one.radius
        if surface.min() + excess < 0:
            continue  # there the body is cut off
        volume = ((surface + excess) ** 3).mean(axis=1)
        below = np.concatenate([[0.0], np.cumsum(volume[1:] + volume[:-1])])
        expected = np.interp(np.linspace(0, 1, POLAR + 1), below / below[-1], c[:, 0])
        # the same 4001 places, and a polynomial of cos(2 phi) that 16 angles integrate exactly: rounding
        np.testing.assert_allclose(found.polar[0, shell], expected, atol=1e-9)
        bodies += 1
    assert bodies > SHELLS // 2
