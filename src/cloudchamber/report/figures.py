r"""Figures that any study can use. Each takes plain arrays and gives a matplotlib figure.

Labels are matplotlib texts (``r"$|\beta_2|$"``) with their unit; names of predictors are translated by ``titles``.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cloudchamber.data.samples import Prediction
from cloudchamber.metrics.calibration import coverage_curve
from cloudchamber.metrics.regression import mae, r2
from cloudchamber.report.files import TEST, Metrics
from cloudchamber.report.page import Figure
from cloudchamber.report.style import (
    GREY,
    INK,
    MARKERS,
    WIDTH,
    colours,
    grid,
    house_style,
    legend_outside,
    row_axis,
    svg,
)
from cloudchamber.report.tables import Column
from cloudchamber.report.words import plus_minus

Truth = NDArray[np.floating[Any]]


def picture(name: str, drawing: Drawing, caption: str, alt: str) -> Figure:
    """A drawing as a figure of the page; see ``page.Figure``."""
    return Figure(name, svg(drawing), caption, alt)


def wrapped(title: str, width: int = 24) -> str:
    """A title on several lines."""
    return textwrap.fill(title, width, break_long_words=False)


# --- training ---------------------------------------------------------------------------------------------------------


@house_style()
def training_curves(
    history: Sequence[Mapping[str, str]],
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
    score: str = "validation_score",
    score_label: str = "validation score",
    *,
    logarithmic: bool = False,
) -> Drawing:
    """Training loss and the score that selects the weights, by epoch: one thin line a member of an ensemble.

    Args:
        history: lines of history.csv: predictor, member, epoch, train_loss and the score.
        titles: of the predictors by name.
        kinds: of the predictors by name.
        score: column of the score.
        score_label: its axis label.
        logarithmic: whether the score's axis is logarithmic.
    """
    drawing, panels = grid(2, 2, 2.9)
    colour = colours(kinds)
    lines: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for row in history:
        lines.setdefault((row["predictor"], row.get("member") or "0"), []).append(row)
    for axes, column, label in zip(panels, ("train_loss", score), ("training loss", score_label), strict=True):
        named: set[str] = set()
        for (predictor, _), rows in lines.items():
            points = [(_float(row.get("epoch")), _float(row.get(column))) for row in rows]
            points = [point for point in points if all(math.isfinite(number) for number in point)]
            if not points:
                continue
            epochs, values = zip(*points, strict=True)
            title = titles.get(predictor, predictor)
            axes.plot(
                epochs, values, color=colour.get(predictor, INK), linewidth=1.1, alpha=0.85,
                marker="." if len(points) < 3 else None, label="_" if title in named else title,
            )  # fmt: skip
            named.add(title)
        axes.set_xlabel("epoch (pass over the training records)")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.set_ylabel(label)
    if logarithmic and all(line.get_ydata().min() > 0 for line in panels[1].lines):  # type: ignore[union-attr]
        panels[1].set_yscale("log")
        panels[1].yaxis.set_major_formatter("{x:g}")
        panels[1].yaxis.set_minor_formatter("{x:g}")
        panels[1].tick_params(axis="y", which="minor", labelsize=7)
    legend_outside(drawing, panels[0], 3)
    return drawing


def regression_training(history: Sequence[Mapping[str, str]], metrics: Metrics) -> tuple[Drawing, bool] | None:
    """Curves of networks that learned a regression, and whether their score is a relative mean absolute error.

    Args:
        history: lines of history.csv; without any, None is returned.
        metrics: of the run.
    """
    if not any(row.get("predictor") for row in history):
        return None
    relative = any(row.get("relative_mae") for row in history)
    score, label = ("relative_mae", "MAE / MAE of the mean") if relative else ("validation_score", "validation score")
    return training_curves(history, metrics.titles, metrics.kinds, score, label, logarithmic=relative), relative


def _float(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


# --- predictions ------------------------------------------------------------------------------------------------------


@house_style()
def predicted_against_true(
    truth: Truth,
    predictions: Mapping[str, Prediction],
    column: int,
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
    label: str,
) -> Drawing:
    """A panel a predictor: predicted against true, bars of the stated standard deviation, R2 and MAE with errors.

    Args:
        truth: (record, target).
        predictions: by predictor.
        column: which target.
        titles: of the predictors by name.
        kinds: of the predictors by name.
        label: of the target, with unit.
    """
    drawing, panels = grid(len(predictions), 4, 1.95, shared=True)
    colour = colours(kinds)
    true = truth[:, column]
    low, high = float(true.min()), float(true.max())
    width = high - low or 1.0
    means = np.concatenate([true, *(said.mean[:, column] for said in predictions.values())])
    near = means[(means > low - 0.6 * width) & (means < high + 0.6 * width)]
    span = (float(near.min()) - 0.08 * width, float(near.max()) + 0.08 * width)
    for axes, (name, said) in zip(panels, predictions.items(), strict=True):
        mean = said.mean[:, column]
        rms = float(np.sqrt(np.square(mean - true).mean()))
        axes.fill_between(span, np.array(span) - rms, np.array(span) + rms, color=GREY, alpha=0.25, linewidth=0)
        axes.plot(span, span, color=INK, linewidth=0.8)
        bars = None if said.std is None else said.std[:, column]
        cloud(axes, true, mean, bars, colour.get(name, INK), MARKERS.get(kinds.get(name, ""), "o"))
        draw = np.random.default_rng(0)
        found = (("R²", r2(true, mean, draw)), ("MAE", mae(true, mean, draw)))
        text = "\n".join(f"{word} {plus_minus(measured.value, measured.error)}" for word, measured in found)
        axes.text(
            0.96, 0.05, text, transform=axes.transAxes, ha="right", va="bottom", fontsize=7, bbox=PLATE, in_layout=False
        )
        axes.set_title(wrapped(titles.get(name, name)))
        axes.set(xlim=span, ylim=span)
    drawing.supxlabel(f"true {label}", fontsize=9)
    drawing.supylabel(f"predicted {label}", fontsize=9)
    return drawing


PLATE = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
"""Behind text that may lie on points."""


def cloud(axes: Axes, x: Truth, y: Truth, bars: Truth | None, colour: str, marker: str) -> None:
    """Points with faint error bars; smaller and fainter the more there are."""
    crowd = min(1.0, math.sqrt(120 / max(len(x), 1)))
    if bars is not None:
        axes.errorbar(x, y, yerr=bars, fmt="none", ecolor=colour, elinewidth=0.6, alpha=0.25 + 0.35 * crowd, zorder=2)
    axes.plot(
        x, y, marker, linestyle="none", color=colour, markersize=1.6 + 1.8 * crowd, alpha=0.45 + 0.45 * crowd, zorder=3,
        markeredgewidth=0.8 if marker == "x" else 0.0,
    )  # fmt: skip


# --- uncertainties ----------------------------------------------------------------------------------------------------

LEVELS = np.linspace(0.05, 0.95, 19)


@house_style()
def coverage_curves(
    truth: Truth,
    predictions: Mapping[str, Prediction],
    columns: Sequence[int],
    labels: Sequence[str],
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
) -> Drawing:
    """Are stated uncertainties true? Above, how often truth is in an interval against its probability; below, pulls.

    Args:
        truth: (record, target).
        predictions: by predictor; those without a standard deviation are left out.
        columns: targets, one column of panels each.
        labels: of these targets.
        titles: of the predictors by name.
        kinds: of the predictors by name.
    """
    drawing, panels = grid(2 * len(columns), len(columns), 2.5, width=WIDTH if len(columns) > 1 else 4.0)
    colour = colours(kinds)
    stated = {name: said for name, said in predictions.items() if said.std is not None}
    n = len(truth)
    level = np.linspace(0, 1, 101)
    band = np.sqrt(level * (1 - level) / n)
    bins = np.linspace(-4, 4, 17 if n < 400 else 33)
    fine = np.linspace(-4, 4, 200)
    for place, (column, label) in enumerate(zip(columns, labels, strict=True)):
        above, below = panels[place], panels[place + len(columns)]
        above.fill_between(level, level - band, level + band, color=GREY, alpha=0.3, linewidth=0, label="ideal ± 1σ")
        above.plot(level, level, color=INK, linewidth=0.8)
        below.plot(fine, np.exp(-(fine**2) / 2) / math.sqrt(2 * math.pi), color=INK, linewidth=0.9)
        for name, said in stated.items():
            assert said.std is not None
            true, mean, std = truth[:, column], said.mean[:, column], np.maximum(said.std[:, column], 1e-12)
            observed = coverage_curve(true, mean, std, LEVELS)
            shade = colour.get(name, INK)
            above.plot(LEVELS, observed, "o-", markersize=2.5, linewidth=1, color=shade, label=titles.get(name, name))
            pulls = np.clip((mean - true) / std, -3.999, 3.999)
            below.hist(pulls, bins=list(bins), density=True, histtype="step", linewidth=1.2, color=shade)
        above.set(xlim=(0, 1), ylim=(0, 1), title=label, xlabel="stated probability of the interval")
        below.set(xlim=(-4, 4), xlabel="error / stated uncertainty")
    panels[0].set_ylabel("fraction of truths inside")
    panels[len(columns)].set_ylabel("density of records")
    legend_outside(drawing, panels[0], 2)
    return drawing


# --- scores -----------------------------------------------------------------------------------------------------------


@house_style()
def curves(
    position: Truth, values: Mapping[str, Truth], titles: Mapping[str, str], kinds: Mapping[str, str], label: str
) -> Drawing:
    """One line a predictor, each against the bin of the inputs.

    Args:
        position: (bin,).
        values: (bin,) by predictor.
        titles: of the predictors by name.
        kinds: of the predictors by name.
        label: of the values, with their unit.
    """
    drawing, (axes,) = grid(1, 1, 2.8)
    colour = colours(kinds)
    axes.axhline(0, color=INK, linewidth=0.8)
    for (name, line), dash in zip(values.items(), itertools.cycle(("-", "--", "-.", ":"))):
        axes.plot(position, line, dash, linewidth=1.4, color=colour.get(name, INK), label=titles.get(name, name))
    axes.set(xlabel="bin of the inputs", ylabel=label)
    axes.legend()
    return drawing


@house_style()
def score_dots(
    metrics: Metrics, columns: Sequence[tuple[str, str, str, tuple[float, float]]], sample: str = TEST
) -> Drawing:
    """Scores with errors as dots: a row a predictor, a panel a column, the floor as a dashed line.

    Args:
        metrics: of the run.
        columns: target, metric, axis label and limits of the axis; what lies outside is drawn as an arrow at the edge.
        sample: which sample.
    """
    names = [name for name in metrics.titles if any(metrics.score(name, *column[:2], sample) for column in columns)]
    drawing, panels = grid(len(columns), len(columns), 0.7 + 0.24 * len(names))
    colour = colours(metrics.kinds)
    for axes, (target, metric, label, (low, high)) in zip(panels, columns, strict=True):
        for row, name in enumerate(names):
            score = metrics.score(name, target, metric, sample)
            if score is None:
                continue
            if not low <= score.value <= high:
                axes.plot(
                    low if score.value < low else high, row, "<" if score.value < low else ">", color=colour[name],
                    clip_on=False, markersize=5,
                )  # fmt: skip
                continue
            error = score.error if math.isfinite(score.error) else 0.0
            marker = MARKERS.get(metrics.kinds[name], "o")
            axes.errorbar(score.value, row, xerr=error, fmt=marker, color=colour[name], markersize=5, capsize=0)
        floor = next((s.floor for name in names if (s := metrics.score(name, target, metric, sample))), math.nan)
        if low <= floor <= high:
            axes.axvline(floor, color=GREY, linestyle="--", linewidth=1, zorder=0)
        axes.set(xlim=(low, high), xlabel=label)
        row_axis(axes, len(names))
    panels[0].set_yticks(range(len(names)), [wrapped(metrics.titles[name], 30) for name in names])
    return drawing


@house_style()
def two_samples(
    metrics: Metrics, columns: Sequence[Column], first: str, second: str, names: Mapping[str, str]
) -> Drawing:
    """Each predictor on two samples: an open marker for the first, a filled one for the second, a line between them.

    Args:
        metrics: of the run.
        columns: target, metric and axis label of each panel.
        first: a sample.
        second: another one.
        names: of these samples, for the legend.
    """
    rows = [name for name in metrics.titles if any(metrics.score(name, *column[:2], second) for column in columns)]
    drawing, panels = grid(len(columns), len(columns), 1.0 + 0.24 * len(rows))
    colour = colours(metrics.kinds)
    for axes, (target, metric, label) in zip(panels, columns, strict=True):
        for row, name in enumerate(rows):
            found = [metrics.score(name, target, metric, sample) for sample in (first, second)]
            known = [score.value for score in found if score is not None]
            axes.plot(known, [row] * len(known), color=colour[name], linewidth=1)
            for score, face in zip(found, ("white", colour[name]), strict=True):
                if score is not None:
                    axes.errorbar(
                        score.value, row, xerr=np.nan_to_num(score.error), fmt="o", color=colour[name], markersize=5,
                        markerfacecolor=face, capsize=0,
                    )  # fmt: skip
        axes.set_xlabel(label)
        row_axis(axes, len(rows))
    panels[0].set_yticks(range(len(rows)), [wrapped(metrics.titles[name], 30) for name in rows])
    for sample, face in ((first, "white"), (second, INK)):
        panels[0].plot([], [], "o", color=INK, markerfacecolor=face, markersize=5, label=names.get(sample, sample))
    legend_outside(drawing, panels[0], 2)
    return drawing
