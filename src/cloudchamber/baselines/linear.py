"""Ridge regression on features: the plain linear learner (Hoerl and Kennard, Technometrics 12 (1970) 55)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from cloudchamber.baselines.files import gather, load_arrays, save_arrays
from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.schema import Arrays

Features = NDArray[Any]
"""(sample, feature)."""

ALPHAS = np.logspace(-5, 5, 41)
"""Penalties tried, for standardised features; leave-one-out picks one for every target."""


class Ridge:
    """Linear in standardised features, the penalty of each target chosen by leave-one-out errors.

    These are exact, on the training records. Its uncertainty is the root mean square of those errors, the same for
    every input.

    Args:
        features: inputs to (sample, feature); module-level, so that it can be found again.
        title: for tables.
    """

    kind = "baseline"

    def __init__(self, features: Callable[[Inputs], Features], title: str) -> None:
        self.features = features
        self.title = title
        self.state: Arrays = {}

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:  # noqa: ARG002
        """Fit the training records; the validation records are not needed. Writes ``ridge.npz``."""
        values = gather(train, self.features).astype(np.float64)
        centre, spread = values.mean(axis=0), values.std(axis=0)
        spread[spread < 1e-12 * (1 + np.abs(centre))] = np.inf  # a constant says nothing
        targets = train.targets.astype(np.float64)
        model = RidgeCV(alphas=ALPHAS, alpha_per_target=True, store_cv_results=True)
        model.fit((values - centre) / spread, targets)
        # cv_results_ holds squared leave-one-out errors, (record, target, penalty)
        best = np.searchsorted(ALPHAS, np.atleast_1d(model.alpha_) * (1 - 1e-9))
        squares = np.asarray(model.cv_results_).reshape(len(targets), targets.shape[1], len(ALPHAS)).mean(axis=0)
        self.state = {
            "weights": np.atleast_2d(model.coef_) / spread,
            "intercept": np.atleast_1d(model.intercept_) - (np.atleast_2d(model.coef_) / spread) @ centre,
            "alpha": ALPHAS[best],
            "std": np.sqrt(squares[np.arange(len(best)), best]),
        }
        save_arrays(directory / "ridge.npz", self.state)

    def restore(self, directory: Path) -> None:
        """Read ``ridge.npz``."""
        self.state = load_arrays(directory / "ridge.npz")

    def predict(self, inputs: Inputs) -> Prediction:
        """Mean and standard deviation (sample, target)."""
        values = self.features(inputs).astype(np.float64)
        mean = values @ self.state["weights"].T + self.state["intercept"]
        std = np.broadcast_to(self.state["std"], mean.shape)
        return Prediction(mean.astype(np.float32), std.astype(np.float32))
