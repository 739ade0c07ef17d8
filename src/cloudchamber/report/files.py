"""Reads a run directory: metrics, history, predictions, arrays. What is missing is empty; malformed is BadInput."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import Prediction
from cloudchamber.report.page import read_record
from cloudchamber.schema import BadInput

TEST = "test"
"""The sample of hold-out records; every other sample is a probe."""


@dataclass(frozen=True)
class Score:
    """A number of metrics.json, with its error (nan if unknown) and the records behind it."""

    value: float
    error: float
    n: int
    floor: float
    unit: str


@dataclass(frozen=True)
class Metrics:
    """metrics.json.

    Attributes:
        titles: of the predictors by name, in the order of the study.
        kinds: of the predictors by name, in the same order: ``"network"``, ``"baseline"`` or ``"floor"``.
        scores: by (predictor, sample, target, metric).
    """

    titles: Mapping[str, str]
    kinds: Mapping[str, str]
    scores: Mapping[tuple[str, str, str, str], Score]

    def score(self, predictor: str, target: str, metric: str, sample: str = TEST) -> Score | None:
        """A number, None if it was not measured."""
        found = self.scores.get((predictor, sample, target, metric))
        return None if found is None or math.isnan(found.value) else found

    def title(self, name: str) -> str:
        """A predictor's title, safe in HTML."""
        return escape(self.titles.get(name, name))

    @property
    def contenders(self) -> dict[str, str]:
        """Kinds by name of the predictors that are no floors."""
        return {name: kind for name, kind in self.kinds.items() if kind != "floor"}

    @property
    def samples(self) -> tuple[str, ...]:
        """Names of the samples, in order of appearance."""
        return tuple(dict.fromkeys(sample for _, sample, _, _ in self.scores))


def read_metrics(path: Path) -> Metrics:
    """The table of numbers.

    Raises:
        BadInput: missing, no JSON, or a row without predictor, target, metric or a numeric value.
    """
    content = read_record(path)
    rows, known = content.get("rows"), content.get("predictors", {})
    if not isinstance(rows, list) or not isinstance(known, dict):
        raise BadInput(f"{path}: expected a list 'rows' and an object 'predictors': run the study again")
    scores = {}
    for number, row in enumerate(rows):
        try:
            key = (str(row["predictor"]), str(row.get("sample", TEST)), str(row["target"]), str(row["metric"]))
            scores[key] = Score(
                _number(row["value"]), _number(row.get("error")), int(row.get("n") or 0),
                _number(row.get("floor")), str(row.get("unit") or ""),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(
                f"{path}: row {number} is malformed ({type(error).__name__}: {error}); expected predictor, sample,"
                " target, metric, value, error, n, floor, unit: run the study again"
            ) from None
    names = dict.fromkeys([*known, *(predictor for predictor, *_ in scores)])
    facts = {name: known[name] if isinstance(known.get(name), dict) else {} for name in names}
    return Metrics(
        {name: str(fact.get("title", name)) for name, fact in facts.items()},
        {name: str(fact.get("kind", "baseline")) for name, fact in facts.items()},
        scores,
    )


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def read_history(path: Path) -> list[dict[str, str]]:
    """Lines of history.csv by column; empty if there is none."""
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeError, csv.Error) as error:
        raise BadInput(f"{path} cannot be read ({error}): run the study again") from None


@dataclass(frozen=True)
class Scored:
    """A sample of predictions.h5: truth (record, target), and predictions by predictor."""

    truth: NDArray[np.float64]
    predictions: Mapping[str, Prediction]


def read_predictions(path: Path) -> dict[str, Scored]:
    """Every sample of predictions.h5 by name; empty if there is no file.

    Raises:
        BadInput: not HDF5, or arrays that do not fit together.
    """
    if not path.exists():
        return {}
    found = {}
    try:
        with h5py.File(path) as file:
            for sample, group in file.items():
                truth = np.asarray(group["truth"], np.float64)
                predictions = {
                    name: Prediction(
                        np.asarray(one["mean"]),  # a test statistic is float64
                        np.asarray(one["std"]) if "std" in one else None,
                    )
                    for name, one in group.items()
                    if isinstance(one, h5py.Group)
                }
                for name, said in predictions.items():
                    if any(part is not None and part.shape != truth.shape for part in (said.mean, said.std)):
                        raise BadInput(
                            f"{path}: {sample}/{name} has shape {said.mean.shape}, the truth {truth.shape}: run again"
                        )
                found[sample] = Scored(truth, predictions)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}): run the study again") from None
    return found


def read_scored(path: Path, metrics: Metrics, columns: int, expected: str) -> dict[str, Scored]:
    """Every sample of predictions.h5 as ``read_predictions``, its predictors in the order of the study.

    Args:
        path: of the file.
        metrics: of the run.
        columns: of the truth.
        expected: the truth's shape in words, for the refusal.

    Raises:
        BadInput: not HDF5, arrays that do not fit together, or a truth of another shape.
    """
    found = {}
    for sample, one in read_predictions(path).items():
        if one.truth.ndim != 2 or one.truth.shape[1] != columns:
            raise BadInput(f"{path}: the truth of {sample!r} has shape {one.truth.shape}; expected {expected}")
        known = [name for name in metrics.titles if name in one.predictions]
        names = [*known, *(name for name in one.predictions if name not in known)]
        found[sample] = Scored(one.truth, {name: one.predictions[name] for name in names})
    return found


def read_targets(path: Path) -> tuple[list[str], str]:
    """Names of the targets and their common unit in predictions.h5; empty if there is no file.

    Raises:
        BadInput: not HDF5.
    """
    if not path.exists():
        return [], ""
    try:
        with h5py.File(path) as file:
            return [str(name) for name in file.attrs.get("targets", [])], str(file.attrs.get("unit", ""))
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error}): run the study again") from None


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an HDF5 file (texts as ``str``); empty if there is no file.

    Raises:
        BadInput: not HDF5.
    """
    if not path.exists():
        return {}
    try:
        with h5py.File(path) as file:
            return {
                name: np.asarray(one.asstr()[()] if h5py.check_string_dtype(one.dtype) else one[()])
                for name, one in file.items()
                if isinstance(one, h5py.Dataset)
            }
    except (OSError, TypeError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}): run the study again") from None
