"""A classifier that is asked to tell a model's collisions from true ones: what it cannot see is well modelled.

Boosted trees read the observables of ``metrics.collisions`` with a resolution of a hundredth of their spread, and are
told impact parameter, energy and nuclei, so that they judge each event at its own condition; 0.5 is the best AUC that a
model can reach. Test samples are small: trees are cross-fitted, each event is judged by trees that learned from the
other folds, and ranked within its own (scores of different trees do not compare). Several partitions are averaged.

Twins, the true event and the model's of one condition, are in the same fold (see ``metrics.interaction_classifier``). A
generator that repeats training events repeats few of them in so small samples, and their repeats are told apart at
most by their being similar: its AUC measures that, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits

from cloudchamber.data.collisions import Collisions
from cloudchamber.metrics.classification import auc
from cloudchamber.metrics.collisions import are_twins, observables
from cloudchamber.metrics.measured import Measured

Floats = NDArray[np.float64]

FOLDS, PARTITIONS = 5, 4
"""Parts of which one is asked and the others teach, and how often the events are parted anew."""
RESOLUTION = 0.01
"""Standard deviation with which observables are seen that are no whole numbers, in units of the truth's."""
LEAST_EVENTS = 50
"""True and generated events below which a classifier is not asked."""


def collision_auc(truth: Collisions, model: Collisions, rng: np.random.Generator) -> Measured:
    """How well boosted trees tell a model from the truth, 0.5: not at all; nan for fewer than LEAST_EVENTS.

    Args:
        truth: true events.
        model: events of the same conditions.
        rng: resolution, folds, trees and bootstrap.
    """
    if min(len(truth), len(model)) < LEAST_EVENTS:
        return Measured(float("nan"), float("nan"), len(model))
    true, made = observables(truth), observables(model)
    inputs = np.concatenate([_told(truth, true, true, rng), _told(model, made, true, rng)])
    labels = np.repeat([1.0, 0.0], [len(truth), len(model)])
    return auc(labels, cross_fitted(inputs, labels, are_twins(truth, model), rng), rng)


def cross_fitted(inputs: Floats, labels: Floats, twins: bool, rng: np.random.Generator) -> Floats:
    """Ranks (event,) within folds, from 0 to 1, by trees that learned from the other folds.

    Args:
        inputs: (event, feature).
        labels: 1 for truth, 0 for the model (event,).
        twins: event i of the first half of the rows and event i of the second have one condition.
        rng: folds and trees.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    n, total = len(inputs), np.zeros(len(inputs))
    groups = np.arange(n) % (n // 2) if twins else np.arange(n)
    for _ in range(PARTITIONS):
        fold = (rng.permutation(int(groups.max()) + 1) % FOLDS)[groups]
        for number in range(FOLDS):
            asked = fold == number
            # shallow and slow: a thousand events teach little
            trees = HistGradientBoostingClassifier(
                learning_rate=0.05, max_iter=100, max_leaf_nodes=8, min_samples_leaf=10, early_stopping=False,
                random_state=int(rng.integers(2**31)),
            )  # fmt: skip
            with threadpool_limits(1):  # threads that wait for a busy core cost minutes, and so few events need none
                trees.fit(inputs[~asked], labels[~asked])
                score = trees.predict_proba(inputs[asked])[:, 1]
            total[asked] += rankdata(score) / (asked.sum() + 1)
    return total / PARTITIONS


def _told(events: Collisions, seen: dict[str, Floats], true: dict[str, Floats], rng: np.random.Generator) -> Floats:
    """(event, feature): observables, blurred where they are no whole numbers, and the condition."""
    columns = []
    for name, values in seen.items():
        whole = np.array_equal(true[name], np.round(true[name]))
        blur = 0.0 if whole else RESOLUTION * true[name].std()
        columns.append(values + blur * rng.standard_normal(len(values)))
    condition = events.entrance
    return np.column_stack(
        [*columns, condition.impact_parameter, condition.energy, condition.projectile, condition.target]
    )
