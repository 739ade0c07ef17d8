"""A physicist's estimate that needs no data to learn from: a formula, a fit, a count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import Inputs, Prediction, Samples


@dataclass
class Analytic:
    """An estimator as it stands: nothing is learned, and nothing has to be kept on disk.

    Attributes:
        title: a few words for tables, e.g. ``"mean decay time"``.
        estimate: inputs (sample, ...) to the estimates (sample, target), nan where it says nothing, or to a
            ``Prediction`` if it knows its uncertainties.
        kind: ``"baseline"``.

    Examples:
        >>> baseline = Analytic("mean decay time", lambda times: times.mean(axis=1, keepdims=True))
        >>> baseline.predict(np.array([[1.0, 2.0, 6.0]], np.float32)).mean.tolist()
        [[3.0]]
    """

    title: str
    estimate: Callable[[Inputs], NDArray[np.floating[Any]] | Prediction]
    kind: str = "baseline"

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Nothing to learn."""

    def restore(self, directory: Path) -> None:
        """Nothing to read."""

    def predict(self, inputs: Inputs) -> Prediction:
        """The estimates (sample, target).

        Raises:
            ValueError: the estimates are not (sample, target).
        """
        found = self.estimate(inputs)
        prediction = found if isinstance(found, Prediction) else Prediction(found)
        if prediction.mean.ndim != 2 or len(prediction.mean) != len(inputs):
            raise ValueError(
                f"{self.title}: estimates of shape {prediction.mean.shape} for {len(inputs)} samples: expected "
                "(sample, target)"
            )
        return prediction
