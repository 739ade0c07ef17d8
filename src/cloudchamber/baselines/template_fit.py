"""The physicist's method: a chi2 fit of interpolated template images, with the full posterior of the parameters.

1. Counts get Anscombe's square root, so that their noise is the same everywhere.
2. Templates: every pixel is a polynomial (Legendre, in both parameters) over the plane of the parameters, fitted to all training images; its
   degrees are chosen by exact leave-one-out errors.
3. Noise: the leave-one-out residuals of the training images. Pixels are divided by their noise. All that templates can differ by lies in the space
   spanned by them, so images are projected onto its leading directions, and the covariance of the residuals in that space (common
   normalisation, bin migration and such make pixels correlated) enters the chi2.
4. On a fine grid of the parameters, ``exp(-chi2 / 2)`` with a flat prior over the training range is the posterior; its mean has the smallest squared error
   of all estimators, and its standard deviation is the uncertainty. The number of directions and one common scale of the covariance (what the
   polynomials miss) are tuned on the validation images.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

from cloudchamber.baselines.files import gather, load_arrays, save_arrays
from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.schema import Arrays, BadInput

Floats = NDArray[np.float64]

DEGREES = ((0, 0), (1, 0), (1, 1), *((first, second) for first in (2, 4, 6, 8, 10, 12) for second in (1, 2, 3, 4, 6)))
"""Degrees of the polynomials in the first and second parameter that are tried, if there are twice as many records as terms."""
DIRECTIONS = (4, 6, 8, 12, 16, 24, 32, 48)
"""Numbers of directions that are tried."""
SCALES = (0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
"""Scales of the covariance that are tried."""
GRID = (201, 121)
"""Points in the first and second parameter."""


class TemplateFit:
    """Fits two parameters to images; see the module.

    Args:
        channels: channels of the inputs to use.
        title: for tables.
        stabilize: which of those (channel numbers of the inputs) are counts.
        parameters: columns of the targets that hold the two parameters.
        absolute: columns of the targets that hold their absolute values, in the same order.
    """

    kind = "baseline"

    def __init__(
        self,
        channels: tuple[int, ...],
        title: str,
        stabilize: tuple[int, ...] = (0,),
        parameters: tuple[int, int] = (2, 3),
        absolute: tuple[int, int] = (0, 1),
    ) -> None:
        self.title = title
        self.channels = channels
        self.stabilize = stabilize
        self.parameters = parameters
        self.absolute = absolute
        self.state: Arrays = {}

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Make the templates, tune the fit. Writes ``template_fit.npz``."""
        self.state = {"unit": np.array(0.0)}
        self.state["unit"] = np.array(self._one_count(train))
        images = gather(train, self._stable)
        points = train.targets[:, list(self.parameters)].astype(np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        scaled = to_unit(points, low, high)
        degrees, residuals, coefficients = fit_surfaces(images, scaled)
        noise = np.sqrt(np.square(residuals).mean(axis=0)) + 1e-6
        noise = np.maximum(noise, 0.2 * np.median(noise[noise > 1e-5])) if (noise > 1e-5).any() else noise
        templates = design(scaled, degrees) @ (coefficients / noise)
        centre = templates.mean(axis=0)
        _, _, directions = np.linalg.svd(templates - centre, full_matrices=False)
        directions = directions[: max(DIRECTIONS)].T / noise[:, None]
        projected = residuals @ directions
        self.state |= {
            "low": low,
            "high": high,
            "degrees": np.array(degrees),
            "directions": directions.astype(np.float32),
            "coefficients": coefficients @ directions,
            "covariance": projected.T @ projected / len(projected),
        }
        held_out = gather(validation, self._stable) @ self.state["directions"]
        self.state |= self._tune(held_out.astype(np.float64), validation.targets)
        save_arrays(directory / "template_fit.npz", self.state)

    def restore(self, directory: Path) -> None:
        """Read ``template_fit.npz``."""
        self.state = load_arrays(directory / "template_fit.npz")

    def predict(self, inputs: Inputs) -> Prediction:
        """Posterior mean and standard deviation (sample, target)."""
        parts = [inputs[start : start + 256] for start in range(0, len(inputs), 256)]
        compressed = [self._stable(part) @ self.state["directions"] for part in parts]
        width = len(self.parameters) + len(self.absolute)
        if not compressed:
            return Prediction(np.zeros((0, width), np.float32), np.zeros((0, width), np.float32))
        values = np.concatenate(compressed).astype(np.float64)
        mean, std = self._posterior(values, int(self.state["used"]), float(self.state["scale"]))
        return Prediction(mean.astype(np.float32), std.astype(np.float32))

    def _one_count(self, train: Samples) -> float:
        """The image value of one event."""
        values = train.inputs(range(min(len(train), 64)))[:, list(self.stabilize)]
        occupied = values[values > 0]
        return float(occupied.min()) if occupied.size else 1.0

    def _stable(self, inputs: Inputs) -> Inputs:
        """Flat images (sample, pixel) with noise that does not depend on the crowd."""
        parts = [
            2 * np.sqrt(np.maximum(inputs[:, channel], 0) / self.state["unit"] + 0.375)
            if channel in self.stabilize
            else inputs[:, channel]
            for channel in self.channels
        ]
        return np.concatenate([part.reshape(len(inputs), -1) for part in parts], axis=1).astype(np.float32)

    def _tune(self, held_out: Floats, targets: NDArray[np.float32]) -> Arrays:
        """Number of directions by the squared error of the validation images, scale of the covariance by their likelihood."""
        spread = targets.std(axis=0) + 1e-9
        most = self.state["directions"].shape[1]
        counts = sorted({min(count, most) for count in DIRECTIONS})

        def error(count: int, scale: float) -> float:
            mean, _ = self._posterior(held_out, count, scale)
            return float(np.square((mean - targets) / spread).mean())

        def surprise(count: int, scale: float) -> float:
            mean, std = self._posterior(held_out, count, scale)
            return float((np.log(std) + 0.5 * np.square((mean - targets) / std)).mean())

        used = min(counts, key=lambda count: error(count, 1.0))
        scale = min(SCALES, key=lambda scale: surprise(used, scale))
        used = min(counts, key=lambda count: error(count, scale))
        return {"used": np.array(used), "scale": np.array(scale)}

    def _posterior(self, values: Floats, count: int, scale: float) -> tuple[Floats, Floats]:
        """Mean and standard deviation (sample, target) for projected images (sample, direction)."""
        low, high = self.state["low"], self.state["high"]
        axes = [np.linspace(low[axis], high[axis], GRID[axis]) for axis in (0, 1)]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        degrees = (int(self.state["degrees"][0]), int(self.state["degrees"][1]))
        templates = design(to_unit(grid, low, high), degrees) @ self.state["coefficients"][:, :count]
        whiten = np.linalg.inv(np.linalg.cholesky(self.state["covariance"][:count, :count])).T / np.sqrt(scale)
        templates, values = templates @ whiten, values[:, :count] @ whiten
        answers = np.zeros((len(grid), len(self.parameters) + len(self.absolute)))
        answers[:, list(self.parameters)], answers[:, list(self.absolute)] = grid, np.abs(grid)
        moments = np.concatenate([answers, answers**2], axis=1)
        offsets = np.square(templates).sum(axis=1) / 2
        means = np.empty((len(values), moments.shape[1]))
        for start in range(0, len(values), 64):
            likelihood = values[start : start + 64] @ templates.T - offsets
            weights = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
            means[start : start + 64] = weights @ moments / weights.sum(axis=1, keepdims=True)
        mean, square = np.split(means, 2, axis=1)
        step = np.array([axis[1] - axis[0] for axis in axes])
        floor = np.zeros(mean.shape[1])
        floor[list(self.parameters)] = floor[list(self.absolute)] = step / np.sqrt(12)
        return mean, np.sqrt(np.maximum(square - mean**2, 0) + floor**2)


def to_unit(points: Floats, low: Floats, high: Floats) -> Floats:
    """Parameters (point, 2) mapped from [low, high] to [-1, 1]."""
    return 2 * (points - low) / np.where(high > low, high - low, 1) - 1


def design(points: Floats, degrees: tuple[int, int]) -> Floats:
    """Products of Legendre polynomials up to ``degrees``, (point, term), at points (point, 2) in [-1, 1]."""
    first, second = (legendre.legvander(points[:, axis], degrees[axis]) for axis in (0, 1))
    return (first[:, :, None] * second[:, None, :]).reshape(len(points), -1)


def fit_surfaces(images: Inputs, points: Floats) -> tuple[tuple[int, int], Floats, Floats]:
    """Polynomial surfaces through all pixels, by least squares.

    Args:
        images: (record, pixel), with noise of like size in all pixels.
        points: parameters (record, 2), scaled to [-1, 1].

    Returns:
        The degrees with the smallest leave-one-out error, the leave-one-out residuals (record, pixel), the coefficients (term, pixel).

    Raises:
        BadInput: fewer than two records.
    """
    best: tuple[float, tuple[int, int], Floats] | None = None
    values = images.astype(np.float64)
    for degrees in DEGREES:
        if 2 * (degrees[0] + 1) * (degrees[1] + 1) > len(points):
            continue
        basis, _ = np.linalg.qr(design(points, degrees))
        left = 1 - np.square(basis).sum(axis=1)
        if left.min() < 1e-6:
            continue
        residuals = (values - basis @ (basis.T @ values)) / left[:, None]
        error = float(np.square(residuals).mean())
        if best is None or error < best[0]:
            best = error, degrees, residuals
    if best is None:
        raise BadInput(f"{len(points)} training records: templates need at least 2")
    _, degrees, residuals = best
    coefficients, *_ = np.linalg.lstsq(design(points, degrees), values, rcond=None)
    return degrees, residuals, coefficients
