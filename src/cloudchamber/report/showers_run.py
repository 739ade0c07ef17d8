"""What a run of the air-shower study has, as its report reads it: configuration, numbers, answers, who plays what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.surface_array import TARGETS
from cloudchamber.metrics.measured import Measured, bootstrap
from cloudchamber.metrics.showers import bins, core_distance, energy_ratio, opening_angle
from cloudchamber.report import tables, words
from cloudchamber.report.files import TEST, Metrics, Score, Scored, read_arrays, read_history, read_metrics, read_scored
from cloudchamber.report.tables import Rules
from cloudchamber.schema import BadInput

Values = NDArray[Any]

said = partial(words.said, unknown="not measured")
"""A number with its error, or that it was not measured."""


class ShowerSettings(Protocol):
    """What the sections read of the study's configuration."""

    @property
    def records(self) -> int:
        """Simulated showers."""

    @property
    def primaries(self) -> tuple[str, ...]:
        """Names of the primaries."""

    @property
    def spacing(self) -> float:
        """Distance of neighbouring stations [m]."""

    @property
    def altitude(self) -> float:
        """Of the array above the sea [m]."""

    @property
    def timing_noise(self) -> float:
        """Of a station's clock [ns]."""


@dataclass(frozen=True)
class Quantity:
    """What is reconstructed, and how well.

    Attributes:
        metric: of the rows of metrics.json.
        word: its name in texts.
        label: of axes, with unit.
        unit: in texts.
        factor: from the metric to that unit.
        logarithmic: whether axes of it are.
        error: truth and answer (shower, 6) to errors or ratios (shower,).
        resolution: those to the metric.
    """

    metric: str
    word: str
    label: str
    unit: str
    factor: float
    logarithmic: bool
    error: Callable[[Values, Values], Values]
    resolution: Callable[[Values], float]


def _quantile(values: Values) -> float:
    return float(np.quantile(values, 0.68))


def _half(values: Values) -> float:
    low, high = np.quantile(values, (0.16, 0.84))
    return float(high - low) / 2


def _rms(values: Values) -> float:
    return float(np.sqrt(np.square(values).mean()))


QUANTITIES = (
    Quantity(
        "angular_resolution", "angular resolution", "angular resolution [°]", "°", 1.0, True, opening_angle, _quantile
    ),
    Quantity("core_resolution", "core resolution", "core resolution [m]", "m", 1.0, True, core_distance, _quantile),
    Quantity("energy_resolution", "energy resolution", "energy resolution [%]", "%", 100.0, True, energy_ratio, _half),
    Quantity(
        "xmax_resolution", "Xmax resolution", r"$X_\mathrm{max}$ resolution [g/cm$^2$]", "g/cm²", 1.0, False,
        lambda truth, answer: answer[:, 5].astype(np.float64) - truth[:, 5], _rms,
    ),
)  # fmt: skip
"""As ``metrics.showers`` defines them."""

TARGET_LABELS = {
    "axis_x": r"axis $x$", "axis_y": r"axis $y$", "core_x": r"core $x$", "core_y": r"core $y$",
    "lg_energy": r"$\lg(E/\mathrm{eV})$", "xmax": r"$X_\mathrm{max}$",
}  # fmt: skip
TARGET_WORDS = {
    "axis_x": "axis x", "axis_y": "axis y", "core_x": "core x", "core_y": "core y", "lg_energy": "lg(E/eV)",
    "xmax": "Xmax",
}  # fmt: skip


@dataclass(frozen=True)
class Names:
    """Which predictors play which part.

    Attributes:
        main: the networks that are judged.
        sphere: the physicist's method with a spherical front, beside which directions are judged.
        standard: the best reconstruction that the physicist has.
        times, totals, traces: the same network with more and more inputs.
        others: further networks that read traces.
    """

    main: tuple[str, ...] = ("traces", "graph")
    sphere: str = "spherical"
    standard: str = "standard"
    times: str = "times"
    totals: str = "totals"
    traces: str = "traces"
    others: tuple[str, ...] = ("lstm", "graph")


@dataclass(frozen=True)
class Found:
    """All that is known of a run.

    Attributes:
        config: of the study.
        metrics: of metrics.json.
        test: answers on the test showers; None if they are missing.
        members: explanation of that name: what first networks say alone, and primaries.
        sizes: how many networks an ensemble has, by name, where it is known.
        names: who plays which part.
    """

    config: ShowerSettings
    metrics: Metrics
    test: Scored | None
    members: Mapping[str, Values]
    sizes: Mapping[str, int] = field(default_factory=dict)
    names: Names = field(default_factory=Names)

    @property
    def networks(self) -> list[str]:
        """The networks that read traces, in the order of the study."""
        reading = {self.names.traces, *self.names.others}
        return [name for name in self.metrics.titles if name in reading]

    def title(self, name: str) -> str:
        """A predictor's title, safe in HTML."""
        return self.metrics.title(name)

    def score(self, name: str, quantity: Quantity, where: str = "all") -> Score | None:
        """Of metrics.json."""
        return self.metrics.score(name, where, quantity.metric)

    def has(self, name: str, quantity: Quantity) -> bool:
        """Whether a predictor reconstructs it."""
        return self.score(name, quantity) is not None

    def parts(self) -> list[str]:
        """Names of all showers ("all") and of the bins in energy and zenith angle that have scores."""
        wanted = {
            where for _, sample, where, metric in self.metrics.scores if sample == TEST and "resolution" in metric
        }
        return [name for name, _ in bins(np.zeros((0, len(TARGETS)))) if name in wanted]

    def ratio(self, name: str, other: str, quantity: Quantity, where: str = "all") -> Measured | None:
        """Resolution over that of another predictor on the same showers; None if one of them was not measured.

        The value is that of metrics.json. Its error is bootstrapped over showers for both together; without
        predictions, errors are added in squares, as if they were independent.
        """
        one, two = self.score(name, quantity, where), self.score(other, quantity, where)
        if one is None or two is None or two.value <= 0:
            return None
        value = one.value / two.value
        if self.test is not None and {name, other} <= self.test.predictions.keys():
            answers = (self.test.predictions[name].mean, self.test.predictions[other].mean)
            return Measured(value, paired_ratio(self.test.truth, *answers, quantity, where).error, one.n)
        return Measured(value, value * float(np.hypot(one.error / max(one.value, 1e-12), two.error / two.value)), one.n)


def paired_ratio(truth: Values, first: Values, second: Values, quantity: Quantity, where: str = "all") -> Measured:
    """Ratio of the resolutions of two answers (shower, 6) to the same showers, bootstrapped over these together.

    Args:
        truth: (shower, 6).
        first: in the numerator.
        second: in the denominator.
        quantity: which resolution.
        where: the name of a bin of ``metrics.showers.bins``.
    """
    inside = dict(bins(truth))[where]
    one, two = (quantity.error(truth[inside], answer[inside]) for answer in (first, second))

    def ratio(left: Values, right: Values) -> float:
        below = quantity.resolution(right)
        return quantity.resolution(left) / below if below > 0 else float("nan")

    return bootstrap(ratio, one, two, np.random.default_rng(0))


def distance(metric: str) -> tables.Distance | None:
    """The function that is smallest for the best value of a metric of this study; None if it is not known.

    Examples:
        >>> distance("energy_bias")(-0.1)
        0.1
    """
    if metric.endswith("_resolution"):
        return lambda value: value
    if metric.endswith("_bias"):
        return abs
    return tables.distance(metric)


RULES = Rules(who="method", distance=distance)
"""Of the tables of this study."""


def read_run(run: Path, config: ShowerSettings, names: Names) -> Found:
    """What the sections are made of.

    Raises:
        BadInput: a file is malformed, or there are no test showers.
    """
    metrics, path = read_metrics(run / "metrics.json"), run / "predictions.h5"
    expected = f"(showers, {len(TARGETS)}): {', '.join(TARGETS)}"
    scored = read_scored(path, metrics, len(TARGETS), expected)
    test = scored.get(TEST)
    if test is not None and not len(test.truth):
        raise BadInput(f"{path}: the truth of {TEST!r} has shape {test.truth.shape}; expected {expected}")
    pairs = {(row.get("predictor", ""), row.get("member", "")) for row in read_history(run / "history.csv")}
    sizes = Counter(name for name, member in pairs if member)
    return Found(config, metrics, test, read_arrays(run / "explanations" / "members.h5"), sizes, names)
