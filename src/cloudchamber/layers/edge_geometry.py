"""What an edge between two cosmic rays knows of its ends: invariants of their directions and energies.

Bell-shaped kernels of the distance on the sphere, whose widths follow from how far magnetic fields deflect: in
proportion to charge / energy. Conventions: energies in EeV, chords ``d = |n_i - n_j|`` of unit vectors.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from cloudchamber.layers.compiled import compiled
from cloudchamber.layers.neighbours import neighbours_of

Floats = NDArray[np.float32]

PAIR_SPREADS = (6.0, 10.0, 18.0)
"""Widths of the kernels of both deflected ends together, (charge times) rad EV."""
END_SPREAD = 9.0
"""Width of the kernels of one deflected end, (charge times) rad EV."""
ANGLES = (0.09, 0.17, 0.31)
"""Widths of the kernels that know no energy, rad."""
GEOMETRY = len(PAIR_SPREADS) + len(ANGLES) + 2
"""Numbers an edge."""


@njit(cache=True, nogil=True, fastmath=True)
def _pair_geometry(directions: Floats, lengths: Floats, index: NDArray[np.int64], out: Floats) -> None:
    samples, nodes, k = index.shape
    scales = np.empty(8, np.float32)
    for s in range(samples):
        for i in range(nodes):
            own = lengths[s, i]
            for e in range(k):
                j = index[s, i, e]
                x = directions[s, i, 0] - directions[s, j, 0]
                y = directions[s, i, 1] - directions[s, j, 1]
                z = directions[s, i, 2] - directions[s, j, 2]
                other = lengths[s, j]
                both = np.float32(1.0) / (own + other)
                scales[0] = np.float32(1 / (16 * PAIR_SPREADS[0] ** 2)) * both
                scales[1] = np.float32(1 / (16 * PAIR_SPREADS[1] ** 2)) * both
                scales[2] = np.float32(1 / (16 * PAIR_SPREADS[2] ** 2)) * both
                scales[3] = np.float32(1 / (16 * ANGLES[0] ** 2))
                scales[4] = np.float32(1 / (16 * ANGLES[1] ** 2))
                scales[5] = np.float32(1 / (16 * ANGLES[2] ** 2))
                scales[6] = np.float32(1 / (16 * END_SPREAD**2)) / own
                scales[7] = np.float32(1 / (16 * END_SPREAD**2)) / other
                square = x * x + y * y + z * z
                for r in range(8):
                    base = max(np.float32(1.0) - square * scales[r], np.float32(0.0))
                    base *= base
                    base *= base
                    out[s, i, e, r] = base * base


def pair_geometry(directions: Tensor, energies: Tensor, index: Tensor) -> Tensor:
    """What an edge knows of its ends: bell-shaped kernels of their distance, (sample, node, k, GEOMETRY).

    Every kernel is ``max(0, 1 - t / 8)^8``, nearly ``exp(-t)`` but zero from t = 8 on, with ``t = d^2 / (2 s^2)``. The
    spread s is, in this order: ``q sqrt(1 / E_i^2 + 1 / E_j^2)`` for q in PAIR_SPREADS (two cosmic rays of one source,
    both deflected in proportion to 1/E), the angles ANGLES, and END_SPREAD / E_i and END_SPREAD / E_j (one end marks
    the source).

    Args:
        directions: unit vectors (sample, node, 3).
        energies: (sample, node) in EeV, positive.
        index: neighbours (sample, node, k).
    """
    lengths = energies.square().reciprocal()
    if compiled(directions, energies) and not (directions.requires_grad or energies.requires_grad):
        out = torch.empty((*index.shape, GEOMETRY))
        _pair_geometry(
            directions.contiguous().numpy(), lengths.contiguous().numpy(), index.contiguous().numpy(), out.numpy()
        )
        return out
    square = (directions[:, :, None] - neighbours_of(directions, index)).square().sum(dim=-1)
    own = lengths[:, :, None].expand_as(square)
    other = neighbours_of(lengths[:, :, None], index)[..., 0]
    scales = [1 / (16 * q**2 * (own + other)) for q in PAIR_SPREADS]
    scales += [torch.full_like(square, 1 / (16 * angle**2)) for angle in ANGLES]
    scales += [1 / (16 * END_SPREAD**2 * own), 1 / (16 * END_SPREAD**2 * other)]
    return (1 - square[..., None] * torch.stack(scales, dim=-1)).clamp(min=0).pow(8)
