"""Scores side by side: who is best by a metric, who cannot be told from the best, and the table that says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cloudchamber.report.files import TEST, Metrics, Score
from cloudchamber.report.page import Table
from cloudchamber.report.words import plus_minus, said

Column = tuple[str, str, str]
"""A column of scores: target, metric, heading."""

Distance = Callable[[float], float]
"""A function of a score that is smallest for the best value."""

BETTER: dict[str, Distance] = {
    "r2": lambda value: -value,
    "accuracy": lambda value: -value,
    "sign_accuracy": lambda value: -value,
    "auc": lambda value: -value,
    "mae": lambda value: value,
    "rmse": lambda value: value,
    "bias": abs,
    "pull_width": lambda value: abs(value - 1),
    "signal_needed": lambda value: value,
    "detectable_fraction": lambda value: value,
    "angular_distance": lambda value: value,
    "median_sigma": lambda value: -value,
    "found_5_sigma": lambda value: -value,
}
"""What is to be small, by metric."""


def distance(metric: str) -> Distance | None:
    """The function that is smallest for the best value of a predictor's metric; None if it is not known.

    Examples:
        >>> distance("pull_width")(0.75)
        0.25
        >>> distance("charm") is None
        True
    """
    if metric.startswith("coverage_"):
        nominal = {"68": 0.6827, "95": 0.9545}.get(metric[9:], float(metric[9:]) / 100)
        return lambda value: abs(value - nominal)
    if metric.startswith("sigma_at_"):
        return lambda value: -value
    return BETTER.get(metric)


GROUPS = {"baseline": "Physicist's methods and statistical learners", "network": "Networks", "floor": "Floor"}
"""Headings of the comparison table by kind, in this order."""


@dataclass(frozen=True)
class Rules:
    """What is compared, and how: the difference between tables of predictors and of generators.

    Attributes:
        who: header of the first column.
        distance: what is smallest for the best value of a metric; None if the metric has no order.
        said: a score as the text of a cell.
        groups: headings by kind, in the order of the table.
        floors_compete: whether a floor can be the best.
        fewest: competitors from which on the best of a column is marked.
    """

    who: str = "predictor"
    distance: Callable[[str], Distance | None] = distance
    said: Callable[[Score | None], str] = said
    groups: Mapping[str, str] = field(default_factory=lambda: GROUPS)
    floors_compete: bool = True
    fewest: int = 1


PREDICTORS = Rules()


def ranking(
    metrics: Metrics, target: str, metric: str, sample: str = TEST, rules: Rules = PREDICTORS
) -> list[tuple[str, Score]]:
    """Predictors with their scores, the best first; empty if nothing is known or the metric has no order."""
    key = rules.distance(metric)
    names = metrics.kinds if rules.floors_compete else metrics.contenders
    found = [(name, metrics.score(name, target, metric, sample)) for name in names]
    known = [(name, score) for name, score in found if score is not None]
    return sorted(known, key=lambda pair: key(pair[1].value)) if key is not None else []


def rival(metrics: Metrics, ranked: Sequence[tuple[str, Score]]) -> tuple[str, Score] | None:
    """The best predictor of another kind than that of the first of a ranking; floors are no rivals."""
    kinds = metrics.kinds
    return next((pair for pair in ranked if kinds[pair[0]] not in (kinds[ranked[0][0]], "floor")), None)


def tied(best: Score, other: Score, metric: str, rules: Rules = PREDICTORS) -> bool:
    """Whether two scores agree within their combined errors."""
    key = rules.distance(metric)
    errors = [score.error for score in (best, other) if math.isfinite(score.error)]
    return key is not None and abs(key(other.value) - key(best.value)) <= math.hypot(*errors)


def comparison_table(
    metrics: Metrics, columns: Sequence[Column], caption: str, sample: str = TEST, rules: Rules = PREDICTORS
) -> Table:
    """Value ± error of each predictor in each column, grouped by kind, with winner and ties of each column.

    Args:
        metrics: of the run.
        columns: what is compared; columns that nobody has are left out.
        caption: HTML; an explanation of the marks is added.
        sample: which sample.
        rules: who takes part, and what is best.

    Returns:
        The table; without rows if nothing is known.
    """
    shown = [column for column in columns if any(metrics.score(name, *column[:2], sample) for name in metrics.kinds)]
    order = [
        name
        for name in by_kind(metrics, rules.groups)
        if any(metrics.score(name, *column[:2], sample) for column in shown)
    ]
    groups: dict[int, str] = {}
    for number, name in enumerate(order):
        kind = metrics.kinds[name]
        if number == 0 or metrics.kinds[order[number - 1]] != kind:
            groups[number] = rules.groups.get(kind, kind)
    rows = [
        (metrics.titles[name], *(rules.said(metrics.score(name, *column[:2], sample)) for column in shown))
        for name in order
    ]
    header, winners, ties = [rules.who], set(), set()
    for place, (target, metric, heading) in enumerate(shown, start=1):
        ranked = ranking(metrics, target, metric, sample, rules)
        units = {score.unit for _, score in ranked if score.unit}
        header.append(f"{heading} [{units.pop()}]" if len(units) == 1 else heading)
        for number, (name, score) in enumerate(ranked if len(ranked) >= rules.fewest else []):
            if number == 0:
                winners.add((order.index(name), place))
            elif tied(ranked[0][1], score, metric, rules):
                ties.add((order.index(name), place))
    floors = [
        next((s.floor for name in order if (s := metrics.score(name, *column[:2], sample))), math.nan)
        for column in shown
    ]
    if "floor" not in metrics.kinds.values() and any(math.isfinite(floor) for floor in floors):
        groups[len(rows)] = rules.groups["floor"]
        rows.append(("no skill", *(plus_minus(floor, math.nan) for floor in floors)))
    marks = " ★ marks the best value of a column, ≈ values that agree with it within the combined errors."
    return Table(tuple(header), tuple(rows), caption + marks, frozenset(winners), frozenset(ties), groups)


def by_kind(metrics: Metrics, groups: Mapping[str, str]) -> list[str]:
    """Predictors in the order of the groups, kinds without a group last, and of the study within a kind."""
    kinds = [*groups, *(kind for kind in dict.fromkeys(metrics.kinds.values()) if kind not in groups)]
    return [name for kind in kinds for name, its in metrics.kinds.items() if its == kind]
