"""What an edge knows of its ends, by hand, and compiled loops against plain torch."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cloudchamber.layers.edge_geometry import ANGLES, END_SPREAD, PAIR_SPREADS, pair_geometry
from cloudchamber.layers.neighbours import nearest

Cloud = Callable[[int, int, int], tuple[Tensor, Tensor]]


def test_compiled_and_plain_geometry_agree(cloud: Cloud) -> None:
    directions, energies = cloud(2, 200, 1)
    index = nearest(directions, 16)
    geometry = pair_geometry(directions, energies, index)
    plain = pair_geometry(directions.double(), energies.double(), index)
    torch.testing.assert_close(geometry, plain.float(), rtol=1e-4, atol=1e-5)


def test_pair_geometry_is_that_written_out_by_hand(cloud: Cloud) -> None:
    directions, energies = cloud(1, 12, 2)
    index = nearest(directions, 3)
    geometry = pair_geometry(directions, energies, index)
    for i in range(12):
        for e in range(3):
            j = int(index[0, i, e])
            square = float((directions[0, i] - directions[0, j]).square().sum())
            own, other = float(energies[0, i]), float(energies[0, j])
            spreads = [q * (own**-2 + other**-2) ** 0.5 for q in PAIR_SPREADS]
            spreads += [*ANGLES, END_SPREAD / own, END_SPREAD / other]
            expected = [max(0.0, 1 - square / (2 * spread**2) / 8) ** 8 for spread in spreads]
            np.testing.assert_allclose(geometry[0, i, e], expected, rtol=1e-4, atol=1e-6)
