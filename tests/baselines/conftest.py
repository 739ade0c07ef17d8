"""Skies, in samples and by themselves, for the tests of the searches on the sky."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest

from cloudchamber.data.samples import ArrayRecords, Inputs, Samples
from cloudchamber.simulators.cosmicrays.skies import SkyOptions, draw_skies

NAMES = ("signal", "signal_fraction", "source_x", "source_y", "source_z")


class Skies:
    """The minimal model with helium, and what is asked of every search."""

    def draw(self, number: int, n_signal: int, seed: int, cosmic_rays: int = 300) -> tuple[Inputs, NDArray[np.float32]]:
        """Inputs (sky, cosmic_ray, 4) and sources (sky, 3)."""
        drawn = draw_skies(SkyOptions(cosmic_rays=cosmic_rays), np.full(number, n_signal), seed)
        return np.concatenate([drawn["direction"], drawn["energy"][..., None]], axis=2), drawn["source"]

    def samples(self, inputs: Inputs, signal: int = 0) -> Samples:
        """A split of skies that are all isotropic (0) or all with signal (1)."""
        targets = np.zeros((len(inputs), 5), np.float32)
        targets[:, 0] = signal
        return Samples(ArrayRecords({"x": inputs}), np.arange(len(inputs)), lambda read, _: read["x"], targets, NAMES)

    def turned(self, inputs: Inputs) -> Inputs:
        """By 90 degrees about the z axis: HEALPix centres fall on HEALPix centres."""
        return np.stack([-inputs[..., 1], inputs[..., 0], inputs[..., 2], inputs[..., 3]], axis=2)

    def uniform(self, known: NDArray[np.float64], new: NDArray[np.float64]) -> float:
        """Kolmogorov-Smirnov probability that the p-values of new isotropic skies, from known ones, are uniform."""
        p = (1 + (known[None, :] >= new[:, None]).sum(axis=1)) / (1 + len(known))
        return float(kstest(p, "uniform").pvalue)

    def degrees(self, first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
        """Angle between unit vectors (..., 3)."""
        return np.rad2deg(np.arccos(np.clip((first * second).sum(axis=-1), -1, 1)))


@pytest.fixture
def skies() -> Skies:
    return Skies()
