"""Linear least squares with the covariance of its parameters (Review of Particle Physics 2024, section 40.2.3).

doi:10.1103/PhysRevD.110.030001. A model linear in its parameters, f(x) = A(x) θ, and measurements y with independent
Gaussian errors σ: with the rows of A and the values y divided by σ, the minimum of χ² = abs(A θ − y)² is
θ = (AᵀA)⁻¹ Aᵀ y with the covariance V = (AᵀA)⁻¹, and the variance of f(x) is A(x) V A(x)ᵀ. What a point adds to χ²
where it was left out of the fit follows without another fit: its residual over 1 − h, squared, where h is its entry on
the diagonal of A V Aᵀ.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloudchamber.baselines.files import load_arrays, save_arrays
from cloudchamber.data.function_points import Points, Values
from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.schema import Arrays, BadInput

HIGHEST = 20
"""Degree at which the search for the best polynomial ends."""


@dataclass(frozen=True)
class LinearFit:
    """The minimum of χ².

    Attributes:
        parameters: (parameter,), where it is.
        covariance: (parameter, parameter), of the parameters.
        chi2: its value there.
        freedom: degrees of freedom, points minus parameters.
        left_out: (point,), residuals over errors where each point is left out of the fit.
    """

    parameters: Values
    covariance: NDArray[np.float64]
    chi2: float
    freedom: int
    left_out: Values

    def band(self, design: NDArray[np.float64]) -> tuple[Values, Values]:
        """The function and its standard deviation, both (point,), where its design matrix is (point, parameter)."""
        variance = np.einsum("pi,ij,pj->p", design, self.covariance, design)
        return design @ self.parameters, np.sqrt(np.maximum(variance, 0))


def least_squares(design: NDArray[np.float64], y: Values, error: Values) -> LinearFit:
    """Fit a model that is linear in its parameters.

    Args:
        design: (point, parameter), the model's value for each parameter set to one and the others to zero.
        y: (point,), measured.
        error: (point,), standard deviation of y, above 0.

    Raises:
        BadInput: fewer points than parameters, or points that leave a parameter open.

    Examples:
        >>> fit = least_squares(np.ones((4, 1)), np.array([1.0, 2.0, 3.0, 2.0]), np.full(4, 0.5))  # a mean
        >>> fit.parameters.round(3).tolist(), fit.covariance.round(4).tolist(), round(fit.chi2, 1), fit.freedom
        ([2.0], [[0.0625]], 8.0, 3)
    """
    scaled = design / error[:, None]
    points, parameters = design.shape
    left, sizes, right = np.linalg.svd(scaled, full_matrices=False)
    if points < parameters or sizes[-1] <= 1e-12 * sizes[0]:
        raise BadInput(f"{points} points cannot fix {parameters} parameters: give more points, or a simpler model")
    theta = right.T @ (left.T @ (y / error) / sizes)
    covariance = (right.T / np.square(sizes)) @ right
    residuals = y / error - scaled @ theta
    leverage = np.minimum(np.square(left).sum(axis=1), 1 - 1e-9)
    return LinearFit(
        theta, covariance, float(np.square(residuals).sum()), points - parameters, residuals / (1 - leverage)
    )


class Polynomial:
    """A polynomial by least squares, of given degree or of that which predicts left-out points best.

    It is written in Legendre polynomials over the range of the points, which leaves its parameters almost
    uncorrelated. Its standard deviation is that of the parameters and of the measurement, added in squares: the
    polynomial itself is taken for granted.

    Args:
        title: for tables.
        degree: None for the one, up to HIGHEST, with the smallest mean square of ``LinearFit.left_out``.
    """

    kind = "baseline"

    def __init__(self, title: str, degree: int | None = None) -> None:
        self.title = title
        self.degree = degree
        self.state: Arrays = {}

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Fit all points: nothing has to be held back for validation. Writes ``polynomial.npz``.

        Raises:
            BadInput: all points at the same x.
        """
        points = Points.of(train, validation)
        ends = np.array([points.x[0], points.x[-1]])
        places = len(np.unique(points.x))
        if places < 2:
            raise BadInput(f"all {len(points)} points are at x = {ends[0]:g}: give points at two different x or more")
        degrees = [self.degree] if self.degree is not None else range(min(HIGHEST, max(places - 2, 0)) + 1)
        fits = [least_squares(legendre(points.x, ends, degree), points.y, points.error) for degree in degrees]
        scores = np.array([np.square(fit.left_out).mean() for fit in fits])
        best = fits[int(scores.argmin())]
        self.state = {
            "ends": ends,
            "parameters": best.parameters,
            "covariance": best.covariance,
            "chi2": np.array(best.chi2),
            "freedom": np.array(best.freedom),
            "left_out": scores,
        }
        save_arrays(directory / "polynomial.npz", self.state)

    def restore(self, directory: Path) -> None:
        """Read ``polynomial.npz``."""
        self.state = load_arrays(directory / "polynomial.npz")

    def predict(self, inputs: Inputs) -> Prediction:
        """Mean and standard deviation (point, 1) for x and error (point, 2)."""
        state = self.state
        fit = LinearFit(
            state["parameters"], state["covariance"], float(state["chi2"]), int(state["freedom"]), np.zeros(0)
        )
        mean, std = fit.band(legendre(inputs[:, 0].astype(np.float64), state["ends"], len(fit.parameters) - 1))
        return Prediction(mean[:, None], np.hypot(std, inputs[:, 1])[:, None])


def legendre(x: Values, ends: Values, degree: int) -> NDArray[np.float64]:
    """The design matrix (point, degree + 1) of Legendre polynomials.

    Args:
        x: (point,).
        ends: the two x at which the polynomials are defined as −1 and 1.
        degree: the highest.
    """
    place = (2 * x - ends[0] - ends[1]) / (ends[1] - ends[0])
    return np.asarray(np.polynomial.legendre.legvander(place, degree), np.float64)
