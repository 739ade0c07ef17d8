"""The floor: predicting the mean of the training targets, whatever the input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloudchamber.baselines.files import load_arrays, save_arrays
from cloudchamber.data.samples import Inputs, Prediction, Samples


class TrainingMean:
    """Mean and standard deviation of the training targets for every input."""

    title = "predicting the mean"
    kind = "floor"

    def __init__(self) -> None:
        self.mean: NDArray[np.float32] = np.zeros(0, np.float32)
        self.std: NDArray[np.float32] = np.zeros(0, np.float32)

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:  # noqa: ARG002
        """Take the mean; write ``mean.npz``."""
        self.mean = train.targets.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.std = train.targets.std(axis=0, dtype=np.float64).astype(np.float32)
        save_arrays(directory / "mean.npz", {"mean": self.mean, "std": self.std})

    def restore(self, directory: Path) -> None:
        """Read ``mean.npz``."""
        arrays = load_arrays(directory / "mean.npz")
        self.mean, self.std = arrays["mean"], arrays["std"]

    def predict(self, inputs: Inputs) -> Prediction:
        """The same answer len(inputs) times."""
        return Prediction(np.tile(self.mean, (len(inputs), 1)), np.tile(self.std, (len(inputs), 1)))
