"""Regression by a Gaussian process (Rasmussen, Williams, Gaussian Processes for Machine Learning, 2006, section 2.2).

A function is drawn from a Gaussian distribution over functions, with the covariance a² exp(−(x − x')² / 2 l²) between
its values at x and x'. Points measured with known errors turn it into another one, whose mean is the answer and whose
standard deviation is its uncertainty. Amplitude a and length l are those that make the measured values most probable.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from cloudchamber.baselines.files import load_arrays, save_arrays
from cloudchamber.data.function_points import Points
from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.schema import Arrays

STARTS = 4
"""Further starts of the search for a and l, beside the plausible one."""


class GaussianProcess:
    """A Gaussian process on the points, as a predictor; it varies about the weighted mean of the points.

    Its standard deviation is that of the process and of the measurement, added in squares.

    Args:
        seed: of the starts of the search for a and l.
    """

    title = "Gaussian process"
    kind = "baseline"

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.state: Arrays = {}
        self.process: Any = None

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Fit all points: nothing has to be held back for validation. Writes ``gaussian_process.npz``."""
        points = Points.of(train, validation)
        spread, width = max(float(points.y.std()), 1e-6), max(float(np.ptp(points.x)), 1e-6)
        kernel = ConstantKernel(spread**2, (1e-4 * spread**2, 1e4 * spread**2)) * RBF(
            width / 5, (1e-3 * width, 1e2 * width)
        )
        process = GaussianProcessRegressor(kernel, n_restarts_optimizer=STARTS, random_state=self.seed)
        centre = np.average(points.y, weights=1 / np.square(points.error))
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ConvergenceWarning
            )  # a length at its bound is an answer, too: a straight line
            process.set_params(alpha=np.square(points.error)).fit(points.x[:, None], points.y - centre)
        self.state = {**points.arrays(), "theta": process.kernel_.theta, "centre": np.array(centre)}
        save_arrays(directory / "gaussian_process.npz", self.state)
        self._become()

    def restore(self, directory: Path) -> None:
        """Read ``gaussian_process.npz``."""
        self.state = load_arrays(directory / "gaussian_process.npz")
        self._become()

    @property
    def length(self) -> float:
        """The fitted length l, in the unit of x."""
        return float(np.exp(self.state["theta"][1]))

    def _become(self) -> None:
        points = Points.read(self.state)
        amplitude, length = np.exp(self.state["theta"])
        kernel = ConstantKernel(amplitude, "fixed") * RBF(length, "fixed")
        process = GaussianProcessRegressor(kernel, alpha=np.square(points.error), optimizer=None)
        self.process = process.fit(points.x[:, None], points.y - self.state["centre"])

    def predict(self, inputs: Inputs) -> Prediction:
        """Mean and standard deviation (point, 1) for x and error (point, 2)."""
        mean, std = self.process.predict(inputs[:, :1].astype(np.float64), return_std=True)
        return Prediction((mean + self.state["centre"])[:, None], np.hypot(std, inputs[:, 1])[:, None])
