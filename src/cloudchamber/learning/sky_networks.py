"""What a network reads of a sky of cosmic rays, and what it answers: shared by searching and by learning to search.

Conventions: a cosmic ray is (x, y, z, E in EeV). The answers of a network are (sky, 5): log-odds of a source, signal
fraction / FRACTION_SCALE, direction x, y, z of any length.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from cloudchamber.schema import Arrays

FRACTION_SCALE = 0.05
"""The unit of a network's output for the signal fraction."""

Redraw = Callable[[Arrays, int], Arrays]
"""Records and a seed to an augmented copy with all their columns."""
Look = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Cosmic rays (sky, cosmic_ray, 4) to what the network reads: HEALPix maps, or the cosmic rays themselves."""


def answers(network: nn.Module, seen: Tensor) -> tuple[Tensor, Tensor | None]:
    """Raw outputs (sky, 5), and log-odds (sky, cosmic_ray) where the network has ``scores``, else None."""
    scores = getattr(network, "scores", None)
    if scores is None:
        return network(seen), None
    sky, each = scores(seen)
    return sky, each
