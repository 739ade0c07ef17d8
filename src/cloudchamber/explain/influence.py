"""How a little more data at one place would change what a predictor says of a distribution.

The influence function of an estimator T at a distribution F (Hampel, J. Am. Stat. Assoc. 69 (1974) 383):
IF(x) = d/de T((1 - e) F + e delta_x) at e = 0. It needs no gradient, so that it compares networks, the maximum of a
likelihood and anything else that reads the same histogram: where two curves agree, both use the data in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import Inputs, Samples
from cloudchamber.schema import Arrays

FRACTION = 0.02
"""Of the data that is added at one place: small, but larger than the grids of likelihood scans."""
MOST = 200
"""Test samples over which the influence is averaged."""


def influence_function(predict: Callable[[Inputs], NDArray[Any]], inputs: Inputs) -> NDArray[np.float64]:
    """Mean over samples of the change of the first target, per unit of data added to each bin.

    Args:
        predict: inputs (sample, bin) to predictions (sample, target).
        inputs: histograms (sample, bin), each with sum 1.

    Returns:
        (bin,) in the unit of the target, nan where an estimate is. Weighted with the mean histogram its sum is about 0.

    Examples:
        >>> histograms = np.full((1, 4), 0.25, np.float32)
        >>> influence_function(lambda inputs: inputs @ np.arange(4.0)[:, None], histograms).round(3).tolist()
        [-1.5, -0.5, 0.5, 1.5]
    """
    before = predict(inputs)[:, 0].astype(np.float64)
    found = np.empty(inputs.shape[1])
    for place in range(inputs.shape[1]):
        changed = (1 - FRACTION) * inputs
        changed[:, place] += FRACTION
        found[place] = (predict(changed.astype(np.float32))[:, 0] - before).mean() / FRACTION
    return found


def _mean(predictor: Any, inputs: Inputs) -> NDArray[Any]:
    mean: NDArray[Any] = predictor.predict(inputs).mean
    return mean


def influence(config: Any, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:  # noqa: ARG001
    """The influence function of every predictor but the floor, for ``study.LearningStudy.explanations``.

    Returns:
        ``position`` (bin,): number of the bin; and by predictor (bin,), in the unit of the first target.
    """
    inputs = test.inputs(np.arange(min(len(test), MOST)))
    found: Arrays = {"position": np.arange(inputs.shape[1])}
    for name, predictor in predictors.items():
        if predictor.kind != "floor":
            found[name] = influence_function(partial(_mean, predictor), inputs)
    return found
