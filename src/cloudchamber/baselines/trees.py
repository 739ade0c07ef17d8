"""Gradient boosting on features: the statistical learner that is hard to beat on tables.

Paper: Friedman, Ann. Stat. 29 (2001) 1189.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

from cloudchamber.baselines.files import gather, load_arrays, save_arrays
from cloudchamber.baselines.linear import Features
from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.schema import Arrays

LEAVES = (3, 6, 12)
"""Leaves of a tree that are tried."""
LEARNING_RATE = 0.06
TREES = 400
"""Most trees; how many are used is tuned."""


class Boosting:
    """One boosted ensemble of trees a target, tuned on the validation records.

    Leaves and number of trees are those of the smallest squared error there. On disk are the training features and the
    chosen settings; ``restore`` fits again, which is deterministic and takes seconds. Its uncertainty is the root mean
    square of the validation errors, the same for every input.

    Args:
        features: inputs to (sample, feature); module-level.
        title: for tables.
    """

    kind = "baseline"

    def __init__(self, features: Callable[[Inputs], Features], title: str) -> None:
        self.features = features
        self.title = title
        self.models: list[HistGradientBoostingRegressor] = []
        self.std: NDArray[np.float64] = np.zeros(0)

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Tune on the validation records, fit the training records. Writes ``boosting.npz``."""
        values, held_out = gather(train, self.features), gather(validation, self.features)
        chosen = []
        for target in range(train.targets.shape[1]):
            tried = []
            for leaves in LEAVES:
                model = boosted(values, train.targets[:, target], leaves, TREES)
                errors = [
                    float(np.square(said - validation.targets[:, target]).mean())
                    for said in model.staged_predict(held_out)
                ]
                tried.append((min(errors), leaves, 1 + int(np.argmin(errors))))
            chosen.append(min(tried))
        state = {
            "features": values,
            "targets": train.targets,
            "leaves": np.array([leaves for _, leaves, _ in chosen]),
            "trees": np.array([trees for _, _, trees in chosen]),
            "std": np.sqrt([error for error, _, _ in chosen]),
        }
        save_arrays(directory / "boosting.npz", state)
        self._become(state)

    def restore(self, directory: Path) -> None:
        """Read ``boosting.npz`` and fit again."""
        self._become(load_arrays(directory / "boosting.npz"))

    def predict(self, inputs: Inputs) -> Prediction:
        """Mean and standard deviation (sample, target)."""
        values = self.features(inputs)
        mean = np.stack([model.predict(values) for model in self.models], axis=1)
        std = np.broadcast_to(self.std, mean.shape)
        return Prediction(mean.astype(np.float32), std.astype(np.float32))

    def _become(self, state: Arrays) -> None:
        self.models = [
            boosted(state["features"], target, int(leaves), int(trees))
            for target, leaves, trees in zip(state["targets"].T, state["leaves"], state["trees"], strict=True)
        ]
        self.std = state["std"]


def boosted(features: Features, target: NDArray[np.float32], leaves: int, trees: int) -> HistGradientBoostingRegressor:
    """One fitted ensemble of trees."""
    model = HistGradientBoostingRegressor(
        learning_rate=LEARNING_RATE,
        max_iter=trees,
        max_leaf_nodes=leaves,
        min_samples_leaf=10,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=0,
    )
    return model.fit(features, target)
