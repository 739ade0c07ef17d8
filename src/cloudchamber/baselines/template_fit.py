"""The physicist's method: a chi2 fit of interpolated template images, with the full posterior of the parameters.

1. Pixels are summed in square blocks, and counts get Anscombe's square root: the noise is then nearly Gaussian and the
   same everywhere. (With single pixels the covariance below has too many entries for the training images there are.)
2. Templates: each block is a polynomial (Legendre, in both parameters), fitted to all training images. The covariance
   of its leave-one-out residuals is the noise of the chi2, with all correlations (common normalisation, migration
   between bins). Degrees are those with the largest leave-one-out likelihood.
3. On a fine grid of the parameters, ``exp(-chi2 / 2)`` with a flat prior over the training range is the posterior. Its
   mean has the smallest squared error of all estimators, its standard deviation is the uncertainty.
4. The size of the blocks, the shrinkage of the covariance's correlations and its scale are tuned on the validation
   images, by the Gaussian likelihood of the answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from cloudchamber.baselines.files import gather, load_arrays, save_arrays
from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.schema import Arrays, BadInput

Floats = NDArray[np.float64]
Degrees = tuple[int, int]

DEGREES: tuple[Degrees, ...] = (
    (0, 0),
    (1, 0),
    (1, 1),
    *((first, second) for first in (2, 4, 6, 8, 10) for second in (1, 2, 3, 4, 6)),
)
"""Degrees in the first and second parameter that are tried, if there are twice as many records as terms."""
BLOCKS = (14, 8, 7, 4)
"""Edges of the blocks, in pixels, that are tried if they fit into the image."""
SHRINKAGES = (0.02, 0.1, 0.3)
"""Fractions of the correlations that are taken away."""
SCALES = (0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
"""Scales of the covariance that are tried."""
GRID = (201, 121)
"""Points in the first and second parameter."""
TUNING_GRID = (81, 49)
"""The same while tuning."""


COUNTS = 0
"""Channel of the inputs that holds numbers of events."""


class TemplateFit:
    """Fits two parameters to images; see the module. Targets are their absolute values, then they themselves.

    Args:
        channels: channels of the inputs to use.
        title: for tables.
    """

    kind = "baseline"

    def __init__(self, channels: tuple[int, ...], title: str) -> None:
        self.title = title
        self.channels = channels
        self.state: Arrays = {}

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Make the templates, tune the fit. Writes ``template_fit.npz``.

        Raises:
            BadInput: fewer than two training records.
        """
        unit = self._one_count(train)
        points = train.targets[:, 2:].astype(np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        spread = validation.targets.std(axis=0) + 1e-9
        size = train.inputs(range(1)).shape[-1]
        best = np.inf
        for block in [block for block in BLOCKS if size % block == 0] or [1]:
            state: Arrays = {"unit": unit, "low": low, "high": high, "block": np.array(block)}
            blocks = gather(train, partial(self._blocks, state=state)).astype(np.float64)
            noise = best_surfaces(blocks, to_unit(points, low, high), "independent").residuals.std(axis=0)
            state["used"] = np.flatnonzero(noise > 0.3 * np.median(noise))  # not what is nearly always empty
            surfaces = best_surfaces(blocks[:, state["used"]], to_unit(points, low, high), "correlated")
            state |= {"degrees": np.array(surfaces.degrees), "coefficients": surfaces.coefficients}
            held_out = gather(validation, partial(self._blocks, state=state))[:, state["used"]].astype(np.float64)
            for shrinkage, scale in product(SHRINKAGES, SCALES):
                trial = state | {"covariance": scale * surfaces.covariance(shrinkage)}
                mean, std = self._posterior(held_out, trial, TUNING_GRID)
                pulls = (mean - validation.targets) / std
                surprise = float((np.log(std / spread) + 0.5 * np.square(pulls)).mean())
                if surprise < best:
                    best = surprise
                    self.state = trial | {"shrinkage": np.array(shrinkage), "scale": np.array(scale)}
        save_arrays(directory / "template_fit.npz", self.state)

    def restore(self, directory: Path) -> None:
        """Read ``template_fit.npz``."""
        self.state = load_arrays(directory / "template_fit.npz")

    def predict(self, inputs: Inputs) -> Prediction:
        """Posterior mean and standard deviation (sample, target)."""
        mean, std = np.zeros((2, len(inputs), 4), np.float32)
        for start in range(0, len(inputs), 256):
            rows = slice(start, start + 256)
            values = self._blocks(inputs[rows], self.state)[:, self.state["used"]].astype(np.float64)
            mean[rows], std[rows] = self._posterior(values, self.state, GRID)
        return Prediction(mean, std)

    def _one_count(self, train: Samples) -> Floats:
        """The image value of one event, from the first images."""
        values = train.inputs(range(min(len(train), 64)))[:, COUNTS]
        occupied = values[values > 0]
        return np.array(occupied.min() if occupied.size else 1.0)

    def _blocks(self, inputs: Inputs, state: Arrays) -> Inputs:
        """Blocks of all channels (sample, block) with noise that does not depend on the crowd.

        A channel that holds no counts is averaged over the block with the root of the counts as weights if there are
        counts (pixels with more events know more), else plainly; weights are normalised such that independent unit
        noise stays unit noise.
        """
        edge = int(state["block"])
        number = inputs.shape[-1] // edge

        def summed(images: Inputs) -> Inputs:
            total: Inputs = images.reshape(-1, number, edge, number, edge).sum(axis=(2, 4))
            return total.reshape(-1, number**2)

        counted = COUNTS in self.channels
        weights = np.sqrt(np.maximum(inputs[:, COUNTS], 0)) if counted else np.ones_like(inputs[:, 0])
        norm = np.sqrt(summed(weights**2) + state["unit"])
        parts = [
            2 * np.sqrt(np.maximum(summed(inputs[:, channel]), 0) / state["unit"] + 0.375)
            if channel == COUNTS
            else summed(weights * inputs[:, channel]) / norm
            for channel in self.channels
        ]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _posterior(self, values: Floats, state: Arrays, shape: tuple[int, int]) -> tuple[Floats, Floats]:
        """Mean and standard deviation (sample, target) for blocks in use (sample, block)."""
        axes = [np.linspace(state["low"][axis], state["high"][axis], shape[axis]) for axis in (0, 1)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        degrees = (int(state["degrees"][0]), int(state["degrees"][1]))
        templates = design(to_unit(grid, state["low"], state["high"]), degrees) @ state["coefficients"]
        whiten = np.linalg.inv(np.linalg.cholesky(state["covariance"])).T
        templates, values = templates @ whiten, values @ whiten
        answers = np.concatenate([np.abs(grid), grid], axis=1)
        moments = np.concatenate([answers, answers**2], axis=1)
        offsets = np.square(templates).sum(axis=1) / 2
        means = np.empty((len(values), moments.shape[1]))
        for start in range(0, len(values), 64):
            likelihood = values[start : start + 64] @ templates.T - offsets  # -chi2 / 2 and a constant
            weights = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
            means[start : start + 64] = weights @ moments / weights.sum(axis=1, keepdims=True)
        mean, square = np.split(means, 2, axis=1)
        steps = np.array([axis[1] - axis[0] for axis in axes]) / np.sqrt(12)
        coarseness = np.tile(np.maximum(steps, 1e-6), 2)  # a grid cannot say less than this
        return mean, np.sqrt(np.maximum(square - mean**2, 0) + coarseness**2)


@dataclass(frozen=True)
class Surfaces:
    """Polynomials over the plane of the parameters, one for each of many values.

    Attributes:
        degrees: in the first and second parameter.
        coefficients: (term, value).
        residuals: leave-one-out residuals (record, value).
    """

    degrees: Degrees
    coefficients: Floats
    residuals: Floats

    def covariance(self, shrinkage: float) -> Floats:
        """Of the residuals, (value, value), with the fraction ``shrinkage`` of the correlations taken away."""
        covariance: Floats = self.residuals.T @ self.residuals / len(self.residuals)
        variance = np.diag(covariance) + 1e-9
        return (1 - shrinkage) * covariance + shrinkage * np.diag(variance)


def to_unit(points: Floats, low: Floats, high: Floats) -> Floats:
    """Parameters (point, 2) mapped from [low, high] to [-1, 1]."""
    return 2 * (points - low) / np.where(high > low, high - low, 1) - 1


def design(points: Floats, degrees: Degrees) -> Floats:
    """Products of Legendre polynomials up to ``degrees``, (point, term), at points (point, 2) in [-1, 1]."""
    first, second = (legendre.legvander(points[:, axis], degrees[axis]) for axis in (0, 1))
    return (first[:, :, None] * second[:, None, :]).reshape(len(points), -1)


def best_surfaces(values: Floats, points: Floats, noise: Literal["correlated", "independent"]) -> Surfaces:
    """Polynomial surfaces by least squares, with the degrees of the largest leave-one-out likelihood.

    Args:
        values: (record, value).
        points: parameters (record, 2), scaled to [-1, 1].
        noise: whether the likelihood has the full covariance of the residuals or its diagonal only.

    Raises:
        BadInput: fewer than two records.
    """
    best: tuple[float, Surfaces] | None = None
    for degrees in DEGREES:
        if 2 * (degrees[0] + 1) * (degrees[1] + 1) > len(points):
            continue
        terms = design(points, degrees)
        basis, _ = np.linalg.qr(terms)
        free = 1 - np.square(basis).sum(axis=1)
        if free.min() < 1e-6:
            continue
        residuals: Floats = (values - basis @ (basis.T @ values)) / free[:, None]
        coefficients: Floats = np.linalg.lstsq(terms, values, rcond=None)[0].astype(np.float64)
        surfaces = Surfaces(degrees, coefficients, residuals)
        volume = float(np.linalg.slogdet(surfaces.covariance(0.02 if noise == "correlated" else 1.0))[1])
        if best is None or volume < best[0]:
            best = volume, surfaces
    if best is None:
        raise BadInput(f"{len(points)} training records: templates need at least 2")
    return best[1]
