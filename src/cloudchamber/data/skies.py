"""Skies of cosmic rays as records, inputs and targets: the columns that every study of arrival directions shares.

Conventions: directions are unit vectors in Galactic coordinates (x to the Galactic centre, z to the north Galactic
pole), energies in EeV; the order of the cosmic rays in a sky means nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import Inputs
from cloudchamber.schema import Array, Arrays

SKY_SCHEMA = {
    "energy": Array("sky cosmic_ray", "EeV", "energy of each cosmic ray", low=1, high=1000),
    "direction": Array("sky cosmic_ray xyz", "", "arrival direction, Galactic unit vector", low=-1.001, high=1.001),
    "signal": Array("sky cosmic_ray", "", "truth: 1 if it comes from a source", dtype="uint8", low=0, high=1),
    "source": Array("sky xyz", "", "truth: direction of the (strongest) source, 0 without", low=-1.001, high=1.001),
    "n_signal": Array("sky", "", "truth: number of cosmic rays from sources", dtype="int32", low=0),
}
"""Columns on disk."""
SKY_TRUTH = ("signal", "source", "n_signal")
"""Columns that only a simulation knows."""
SKY_INPUT = Array("sky cosmic_ray feature", "", "x, y, z of the arrival direction, energy in EeV")
SKY_TARGETS = ("signal", "signal_fraction", "source_x", "source_y", "source_z")
LEAST_COSMIC_RAYS = 10
"""Fewer cosmic rays make no sky."""


def cosmic_rays_of(records: Arrays) -> Inputs:
    """(sky, cosmic_ray, 4): x, y, z and energy in EeV, of records with ``direction`` and ``energy``."""
    return np.concatenate([records["direction"], records["energy"][..., None]], axis=-1).astype(np.float32)


def targets_of(records: Arrays) -> NDArray[np.float32]:
    """(sky, 5), see SKY_TARGETS: 0 or 1, fraction of cosmic rays from sources, direction of the source (0 without)."""
    n_signal = records["n_signal"].astype(np.float32)[:, None]
    fraction = records["signal"].mean(axis=1, dtype=np.float64)[:, None]
    return np.concatenate([n_signal > 0, fraction, records["source"]], axis=1).astype(np.float32)
