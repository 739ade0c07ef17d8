"""What all searches on the sky share: the check of their inputs, pixel centres, and the isotropic ensemble.

Inputs are (sky, cosmic_ray, 4): direction x, y, z (unit vector, Galactic coordinates) and energy in EeV. Answers are
(sky, 5): test statistic, signal fraction, direction x, y, z of the source; nan where a search says nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloudchamber.baselines.files import CHUNK, load_arrays, save_arrays
from cloudchamber.data.samples import Inputs, Samples
from cloudchamber.schema import Arrays, BadInput

Floats = NDArray[np.float64]


def checked_skies(inputs: Inputs, cosmic_rays: int | None = None) -> Inputs:
    """The inputs themselves, if they are skies.

    Args:
        inputs: (sky, cosmic_ray, 4).
        cosmic_rays: the number of cosmic rays a sky that the search was fitted for; None: any.

    Raises:
        BadInput: other shape, not finite, directions that are not unit vectors, energies that are not positive, or
            another number of cosmic rays than the isotropic ensemble has.
    """
    if inputs.ndim != 3 or inputs.shape[2] != 4 or inputs.shape[1] < 2:
        raise BadInput(
            f"skies have shape {inputs.shape}: give (sky, cosmic_ray, 4) with x, y, z, energy and 2 or more cosmic rays"
        )
    if cosmic_rays is not None and inputs.shape[1] != cosmic_rays:
        raise BadInput(
            f"{inputs.shape[1]} cosmic rays a sky, but the isotropic ensemble of this search has {cosmic_rays}: "
            f"evaluate with a run made with --set cosmic_rays={inputs.shape[1]}"
        )
    if not np.isfinite(inputs).all():
        raise BadInput("skies hold NaN or infinite values: remove those cosmic rays")
    if inputs.size and np.abs(np.square(inputs[..., :3]).sum(axis=-1) - 1).max() > 1e-3:
        raise BadInput("directions (x, y, z) must have length 1: divide them by their length")
    if inputs.size and inputs[..., 3].min() <= 0:
        raise BadInput(f"smallest energy {inputs[..., 3].min():g} EeV: energies must be positive, in EeV")
    return inputs


@cache
def pixel_centres(nside: int) -> Floats:
    """Unit vectors (pixel, 3) of the HEALPix pixel centres, nested order. Do not change the array."""
    from astropy_healpix import healpix_to_xyz  # late: astropy takes its time, and most commands need no sky

    centres: Floats = np.stack(healpix_to_xyz(np.arange(12 * nside**2), nside, order="nested"), axis=1).astype(float)
    centres.flags.writeable = False
    return centres


@cache
def pixel_blocks(nside: int, blocks_nside: int) -> tuple[Floats, Floats]:
    """Centres (block, 3) of coarse pixels and the angle (block,) in rad that holds their fine pixels' centres."""
    centres = pixel_centres(blocks_nside)
    fine = pixel_centres(nside).reshape(len(centres), -1, 3)
    return centres, np.arccos(np.einsum("bpx,bx->bp", fine, centres).min(axis=1).clip(-1, 1))


def isotropic_ensemble(train: Samples, ensemble: int, statistic: Callable[[Floats], Floats]) -> Arrays:
    """Mean and standard deviation of a statistic for isotropy, from the isotropic skies of the training split.

    The skies are simulated as the data are, so that the exposure of the observatory and the number of cosmic rays
    are theirs.

    Args:
        train: first target 0 means isotropic.
        ensemble: use at most so many skies.
        statistic: sky (cosmic_ray, 4) to values (scale,).

    Returns:
        "mean" and "sd" (scale,), "cosmic_rays" and "skies" (). A scale at which all skies agree has infinite "sd": it
        says nothing.

    Raises:
        BadInput: fewer than two isotropic skies.
    """
    rows = np.flatnonzero(train.targets[:, 0] == 0)[:ensemble]
    if len(rows) < 2:
        raise BadInput(f"{len(rows)} isotropic skies in training: this search needs 2, better 500; simulate more skies")
    values = []
    for start in range(0, len(rows), CHUNK):
        skies = checked_skies(train.inputs(rows[start : start + CHUNK]))
        values += [statistic(sky.astype(np.float64)) for sky in skies]
    sd = np.std(values, axis=0, ddof=1)
    return {
        "mean": np.mean(values, axis=0),
        "sd": np.where(sd > 0, sd, np.inf),
        "cosmic_rays": np.array(skies.shape[1]),
        "skies": np.array(len(rows)),
    }


class EnsembleSearch(ABC):
    """A search whose test statistic is the largest deviation from isotropic skies over some scales.

    Args:
        ensemble: isotropic skies of the training split that give mean and standard deviation.
    """

    title = ""
    kind = "baseline"
    file = ""

    def __init__(self, ensemble: int = 500) -> None:
        self.ensemble = ensemble
        self.state: Arrays = {}

    @abstractmethod
    def statistic(self, sky: Floats) -> Floats:
        """What is compared with isotropy (scale,) of a sky (cosmic_ray, 4)."""

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:  # noqa: ARG002
        """Take mean and standard deviation over the isotropic training skies, and write them.

        Raises:
            BadInput: fewer than two isotropic skies.
        """
        self.state = isotropic_ensemble(train, self.ensemble, self.statistic)
        save_arrays(directory / self.file, self.state)

    def restore(self, directory: Path) -> None:
        """Read what ``fit`` wrote."""
        self.state = load_arrays(directory / self.file)

    def skies(self, inputs: Inputs) -> Inputs:
        """The inputs themselves, if they are skies like those of the ensemble.

        Raises:
            BadInput: not fitted, no skies, or another number of cosmic rays than in training.
        """
        if "cosmic_rays" not in self.state:
            raise BadInput("this search has no isotropic ensemble yet: call fit or restore first")
        return checked_skies(inputs, int(self.state["cosmic_rays"]))

    def deviation(self, found: Floats) -> Floats:
        """Deviation (scale,) of a statistic (scale,) from isotropy, in standard deviations."""
        deviation: Floats = (found - self.state["mean"]) / self.state["sd"]
        return deviation
