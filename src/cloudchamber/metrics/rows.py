"""Rows of metrics.json: one number of one predictor each, and those of every study that estimates numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import Prediction
from cloudchamber.metrics.calibration import coverage
from cloudchamber.metrics.measured import Measured, Values
from cloudchamber.metrics.regression import mae, r2

Row = dict[str, Any]
"""One line of metrics.json: predictor, sample, target, metric, value, error, n, floor, unit."""

LEVELS = (0.68, 0.95)
"""Probabilities of the intervals whose coverage is measured."""


def row(predictor: str, target: str, metric: str, measured: Measured, unit: str = "") -> Row:
    """One row; the road that makes a run adds ``sample`` and ``floor``.

    Args:
        predictor: its name, or that of a generator.
        target: what is predicted, or "all".
        metric: how it is judged, e.g. ``"mae"``.
        measured: the number.
        unit: of value and error, "" if dimensionless.

    Examples:
        >>> row("ridge", "beta2", "r2", Measured(0.9, 0.01, 500))["value"]
        0.9
    """
    number = {"value": measured.value, "error": measured.error, "n": measured.n}
    return {"predictor": predictor, "target": target, "metric": metric, **number, "unit": unit}


def regression_rows(
    truth: NDArray[np.floating[Any]],
    predictions: Mapping[str, Prediction],
    rng: np.random.Generator,
    names: Sequence[str],
    unit: str = "",
    extra: Mapping[str, Callable[[Values, Values, np.random.Generator], Mapping[str, Measured]]] | None = None,
) -> list[Row]:
    """R2 and mean absolute error of every predictor and target, and coverage where a predictor gives uncertainties.

    Args:
        truth: (sample, target).
        predictions: by predictor, of the same samples and targets.
        rng: source of the bootstrap; draws follow the order of the rows.
        names: of the targets.
        unit: common unit of the targets.
        extra: further measures, without unit, of some targets: by target, a function of truth (sample,), predicted
            mean (sample,) and generator to numbers by metric; they stand behind the mean absolute error.

    Returns:
        By predictor and target: ``r2``, ``mae``, what ``extra`` says, ``coverage_68``, ``coverage_95``.
    """
    rows: list[Row] = []
    for name, prediction in predictions.items():
        for column, target in enumerate(names):
            true, said = truth[:, column], prediction.mean[:, column]
            rows.append(row(name, target, "r2", r2(true, said, rng)))
            rows.append(row(name, target, "mae", mae(true, said, rng), unit))
            if extra is not None and target in extra:
                rows += [row(name, target, metric, one) for metric, one in extra[target](true, said, rng).items()]
            if prediction.std is not None:
                for level in LEVELS:
                    inside = coverage(true, said, prediction.std[:, column], level)
                    rows.append(row(name, target, f"coverage_{100 * level:.0f}", inside))
    return rows
