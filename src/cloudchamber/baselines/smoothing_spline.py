"""The cubic smoothing spline (Reinsch, doi:10.1007/BF02162161): of all functions, the smoothest near the points.

It has the least χ² plus λ times the integral of f''². The stiffness λ is that which predicts points left out best.
Since the spline is linear in the measured values, S(λ) y, that needs no further fits: the residual of a point left out
is its residual over 1 − S_ii. Beyond the points the spline goes on as a straight line.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline, make_smoothing_spline

from cloudchamber.baselines.files import load_arrays, save_arrays
from cloudchamber.data.function_points import Points, Values
from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.schema import Arrays, BadInput

FEWEST = 5
"""Points of different x that a cubic smoothing spline needs."""
STIFFNESSES = np.logspace(-10, 2, 49)
"""λ tried, in units of (range of x)³ times the mean of 1/σ²: from a curve through all points to a straight line."""


class SmoothingSpline:
    """The smoothing spline of the points, as a predictor.

    For a given λ the errors of the measured values pass through it exactly; that, and the error of the measurement, are
    its standard deviation. That it may be too stiff or too soft is not in it.
    """

    title = "cubic smoothing spline"
    kind = "baseline"

    def __init__(self) -> None:
        self.state: Arrays = {}

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Fit all points: nothing has to be held back for validation. Writes ``spline.npz``.

        Raises:
            BadInput: fewer than FEWEST points of different x.
        """
        points = merged(Points.of(train, validation))
        if len(points) < FEWEST:
            raise BadInput(f"{len(points)} points of different x: a cubic smoothing spline needs {FEWEST}; give more")
        weight = 1 / np.square(points.error)
        scale = weight.mean() * (points.x[-1] - points.x[0]) ** 3
        scores, splines = [], []
        for stiffness in STIFFNESSES * scale:
            # each column is what one measured value adds, if it is 1
            columns = make_smoothing_spline(points.x, np.eye(len(points)), weight, lam=stiffness)
            matrix = columns(points.x)
            left_out = (points.y - matrix @ points.y) / (1 - np.minimum(np.diag(matrix), 1 - 1e-9))
            scores.append(float(np.square(left_out / points.error).mean()))
            splines.append(columns)
        best = splines[int(np.argmin(scores))]
        self.state = {
            "knots": best.t,
            "mean": best.c @ points.y,
            "each": best.c * points.error,
            "ends": points.x[[0, -1]],
            "stiffness": np.array(STIFFNESSES[int(np.argmin(scores))]),
            "freedom": np.array(np.trace(best(points.x))),
        }
        save_arrays(directory / "spline.npz", self.state)

    def restore(self, directory: Path) -> None:
        """Read ``spline.npz``."""
        self.state = load_arrays(directory / "spline.npz")

    def predict(self, inputs: Inputs) -> Prediction:
        """Mean and standard deviation (point, 1) for x and error (point, 2)."""
        x = inputs[:, 0].astype(np.float64)
        variance = np.square(self._along("each", x)).sum(axis=1) + np.square(inputs[:, 1].astype(np.float64))
        return Prediction(self._along("mean", x)[:, None], np.sqrt(variance)[:, None])

    def _along(self, name: str, x: Values) -> NDArray[np.float64]:
        """The spline with the coefficients of that name at x, straight beyond the points."""
        spline = BSpline(self.state["knots"], self.state[name], 3)
        inside = np.clip(x, *self.state["ends"])
        slope = spline(inside, nu=1)
        beyond = (x - inside).reshape(-1, *[1] * (slope.ndim - 1))
        return np.asarray(spline(inside) + beyond * slope, np.float64)


def merged(points: Points) -> Points:
    """The points with those of equal x replaced by their weighted mean."""
    x, place = np.unique(points.x, return_inverse=True)
    weight = 1 / np.square(points.error)
    total = np.bincount(place, weight)
    return Points(x, np.bincount(place, weight * points.y) / total, 1 / np.sqrt(total))
