"""Figures of the search for sources of cosmic rays: significance against the number of signal cosmic rays, and more.

The rest: the isotropic tail behind a significance, and how well a method's cosmic rays are those of the source. Filled
points are counted in isotropic skies, open ones rest on the fitted tail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import NDArray
from scipy.special import kolmogi
from scipy.stats import norm

from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.significance import Crossing, MedianSignificance, Tail, significance, uniformity
from cloudchamber.report.figures import wrapped
from cloudchamber.report.style import (
    GREY,
    INK,
    PETROFF,
    SHAPES,
    WIDTH,
    colours,
    grid,
    house_style,
    legend_outside,
    row_axis,
)
from cloudchamber.report.words import plus_minus, whole

Values = NDArray[Any]


DASHED: Any = (0, (3, 1.5))
"""Of what rests on the fitted tail."""


def _shapes(kinds: Mapping[str, str]) -> dict[str, str]:
    return {name: SHAPES[number % len(SHAPES)] for number, name in enumerate(kinds)}


# --- significance -----------------------------------------------------------------------------------------------------


@house_style()
def significance_figure(
    worlds: Mapping[str, Mapping[str, Sequence[MedianSignificance]]],
    isotropic: Mapping[str, Sequence[int]],
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
    most: float = 8.0,
) -> Drawing:
    """Median p-value against the number of signal cosmic rays, a panel a world, a line a predictor.

    Args:
        worlds: rows of ``metrics.significance.median_significance`` by world and predictor; the world's name is the
            title of its panel.
        isotropic: numbers of skies behind the p-values, by world (several where predictors have ensembles of their
            own): ``1 / (1 + n)`` is the smallest p-value that can be counted.
        titles: of the predictors by name.
        kinds: of the predictors by name.
        most: significance at the lower edge, in sigma.
    """
    drawing, panels = grid(len(worlds), min(len(worlds), 2), 3.0)
    colour, shape = colours(kinds), _shapes(kinds)
    for axes, (world, lines) in zip(panels, worlds.items(), strict=True):
        for name, rows in lines.items():
            _median_line(axes, rows, colour[name], shape[name])
        axes.axhline(float(norm.sf(5)), color=INK, linewidth=0.9)
        skies = sorted({min(isotropic[world]), max(isotropic[world])})  # labels of more would overlap
        for n in skies:
            axes.axhline(1 / (1 + n), color=GREY, linewidth=1, linestyle=":")
        _p_axis(axes, float(norm.sf(most)))
        right = axes.get_xlim()[1]
        axes.set_xlim(0, right)
        for n in skies:
            axes.text(
                0.015 * right, 1.4 / (1 + n), f"{whole(n)} isotropic skies", ha="left", va="bottom", fontsize=7,
                color="#5f6c6a", zorder=4, path_effects=[withStroke(linewidth=2, foreground="white")],
            )  # fmt: skip
        axes.set_title(world)
        axes.set_xlabel("signal cosmic rays in a sky")
        axes.set_ylabel("median p-value")
    for name in kinds:
        if any(name in lines for lines in worlds.values()):
            label = wrapped(titles[name], 26)
            panels[0].plot([], [], shape[name] + "-", color=colour[name], linewidth=1.1, label=label)
    panels[0].plot([], [], "o-", color=INK, linewidth=1.1, label="counted")
    panels[0].plot(
        [], [], "o", linestyle=DASHED, color=INK, markerfacecolor="white", linewidth=1.1, label="from the fitted tail"
    )
    panels[0].plot([], [], ":", color=GREY, label="smallest p that is counted")
    legend_outside(drawing, panels[0], 3)
    return drawing


def _median_line(axes: Axes, rows: Sequence[MedianSignificance], colour: str, shape: str) -> None:
    """Median p-values of a predictor: full and filled where they are counted, dashed and open beyond."""
    numbers = np.array([row.n_signal for row in rows], dtype=np.float64)
    sigma = np.array([row.sigma for row in rows])
    error = np.nan_to_num(np.array([row.sigma_error for row in rows]))
    far = np.array([row.extrapolated for row in rows], dtype=bool)
    p = norm.sf(sigma)
    bars = np.abs(np.stack([norm.sf(sigma + error), norm.sf(sigma - error)]) - p)
    for first in range(len(rows) - 1):
        part = slice(first, first + 2)
        style = DASHED if far[part].any() else "-"
        axes.plot(numbers[part], p[part], color=colour, linewidth=1.1, linestyle=style)
    for chosen, face in ((~far, colour), (far, "white")):
        if chosen.any():
            axes.errorbar(
                numbers[chosen], p[chosen], yerr=bars[:, chosen], fmt=shape, color=colour, markerfacecolor=face,
                markersize=4, linewidth=0.9, zorder=3,
            )  # fmt: skip


def _p_axis(axes: Axes, lowest: float) -> None:
    """p-values on a logarithmic axis, significance on the right."""
    axes.set_yscale("log")
    axes.set_ylim(lowest, 1.0)
    decades = -math.log10(lowest)
    step = max(1, math.ceil(decades / 8))
    axes.yaxis.set_major_locator(FixedLocator([10.0**-power for power in range(0, math.ceil(decades), step)]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="y", right=False)
    other = axes.secondary_yaxis("right", functions=(lambda p: p, lambda p: p))
    levels = [level for level in range(1, 20) if norm.sf(level) >= 0.999 * lowest]
    other.yaxis.set_major_locator(FixedLocator([float(norm.sf(level)) for level in levels]))
    other.yaxis.set_minor_locator(NullLocator())
    other.yaxis.set_major_formatter(FuncFormatter(lambda p, _: f"{float(significance(p)):.0f}σ"))
    other.tick_params(axis="y", labelsize=7)


@house_style()
def needed_figure(
    worlds: Mapping[str, Mapping[str, Crossing]],
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
    published: float | None = None,
) -> Drawing:
    """Signal cosmic rays needed for 5 sigma: a row a predictor, a panel a world; filled if counted.

    Args:
        worlds: crossings by world and predictor; the world's name is the title of its panel.
        titles: of the predictors by name.
        kinds: of the predictors by name.
        published: a published number, drawn as a dashed line.
    """
    rows = [name for name in kinds if any(name in found for found in worlds.values())]
    columns = min(len(worlds), 3)
    drawing, panels = grid(len(worlds), columns, 1.1 + 0.27 * len(rows))
    colour, shape = colours(kinds), _shapes(kinds)
    known = [c.value + np.nan_to_num(c.error) for found in worlds.values() for c in found.values()]
    right = 1.25 * max([value for value in known if math.isfinite(value)], default=100.0)
    for axes, (world, found) in zip(panels, worlds.items(), strict=True):
        if published is not None:
            axes.axvline(published, color=GREY, linestyle="--", linewidth=1)
        for row, name in enumerate(rows):
            if (crossing := found.get(name)) is None:
                continue
            if not math.isfinite(crossing.value):
                axes.text(0.97 * right, row, "not reached", ha="right", va="center", fontsize=7)
                continue
            axes.errorbar(
                crossing.value, row, xerr=np.nan_to_num(crossing.error), fmt=shape[name], color=colour[name],
                markerfacecolor="white" if crossing.extrapolated else colour[name], markersize=5,
            )  # fmt: skip
        axes.set(xlim=(0, right), xlabel="signal cosmic rays for 5σ")
        axes.set_title(wrapped(world, 24))
        row_axis(axes, len(rows))
        axes.locator_params(axis="x", nbins=5)
    for axes in panels[::columns]:
        axes.set_yticks(range(len(rows)), [wrapped(titles[name], 26) for name in rows])
    panels[0].plot([], [], "o", color=INK, label="counted")
    panels[0].plot([], [], "o", color=INK, markerfacecolor="white", label="from the fitted tail")
    if published is not None:
        panels[0].plot([], [], "--", color=GREY, linewidth=1, label=f"published: about {published:g}")
    legend_outside(drawing, panels[0], 3)
    return drawing


@house_style()
def tail_figure(tails: Mapping[str, tuple[Values, Tail]], titles: Mapping[str, str], least: float = 1e-8) -> Drawing:
    """The survival function of the isotropic statistic and the fitted tail with its error, a panel a predictor.

    Args:
        tails: isotropic statistic (n,) and its tail, by predictor.
        titles: of the predictors.
        least: p-value at the lower edge.
    """
    drawing, panels = grid(len(tails), min(len(tails), 3), 2.7)
    for number, (axes, (name, (isotropic, tail))) in enumerate(zip(panels, tails.items(), strict=True)):
        values = np.sort(np.asarray(isotropic, dtype=np.float64))[::-1]
        ranks = np.unique(np.geomspace(1, len(values), 400).astype(np.int64))  # a drawing needs no million points
        p = ranks / (1 + len(values))
        axes.plot(values[ranks - 1], p, color=INK, linewidth=1.5, drawstyle="steps-post", label="isotropic skies")
        left = float(np.interp(0.9, p, values[ranks - 1]))
        right = float(values[0])
        if math.isfinite(tail.scale):
            right = tail.threshold + tail.scale * math.log(tail.fraction / least)
            x = np.linspace(tail.threshold, right, 200)
            log_p, spread = tail.log_p(x)
            axes.plot(x, np.exp(log_p), color=PETROFF[1], linewidth=1.2, linestyle=DASHED, label="fitted tail")
            band = axes.fill_between(
                x, np.exp(log_p - spread), np.exp(log_p + spread), color=PETROFF[1], alpha=0.25, linewidth=0
            )
            band.set_label("its error (1σ)")
            text = f"shape {plus_minus(tail.shape, tail.shape_error)}\nexponential: {_percent(tail.exponential)}"
        else:
            text = "no tail to fit:\nthe largest values are equal"
        axes.axvline(tail.end, color=GREY, linestyle=":", linewidth=1.1, label="measurement ends")
        axes.axhline(float(norm.sf(5)), color=INK, linewidth=0.8)
        axes.set_xlim(left, left + 1.02 * (max(right, float(values[0])) - left))
        _p_axis(axes, least)
        axes.text(
            0.04, 0.2, text, transform=axes.transAxes, ha="left", va="bottom", fontsize=7,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )  # fmt: skip
        axes.set_title(wrapped(titles[name], 34))
        axes.set_xlabel("test statistic")
        axes.locator_params(axis="x", nbins=5)
        if number % 3 == 0:
            axes.set_ylabel("isotropic skies above")
    legend_outside(drawing, panels[0], 4)
    return drawing


def _percent(p: float) -> str:
    return "P < 0.1 %" if p < 1e-3 else f"P = {100 * p:.2g} %"


@house_style()
def uniformity_figure(
    p: Mapping[str, Values], isotropic: Mapping[str, int], titles: Mapping[str, str], kinds: Mapping[str, str]
) -> Drawing:
    """Are p-values of isotropic skies uniform? Their cumulative distribution minus the uniform one.

    With the band that 95 % of such curves never leave (Kolmogorov-Smirnov, with the scatter of the isotropic skies
    themselves).

    Args:
        p: p-values (sky,) of independent isotropic skies, by predictor.
        isotropic: number of isotropic skies that they were counted in, by predictor.
        titles: of the predictors by name.
        kinds: of the predictors by name.
    """
    drawing, (axes,) = grid(1, 1, 4.0)
    colour = colours(kinds)
    styles = ("-", (0, (4, 1.2)), (0, (1, 1)))
    widest = 0.0
    for number, (name, values) in enumerate(p.items()):
        ordered = np.sort(np.asarray(values, dtype=np.float64))
        found = uniformity(ordered, isotropic[name])
        widest = max(widest, float(kolmogi(0.05)) * math.sqrt(1 / len(ordered) + 1 / isotropic[name]))
        edges = np.concatenate([[0.0], np.linspace(0, 1, 401)[1:]])
        share = np.searchsorted(ordered, edges, "right") / len(ordered)
        axes.plot(
            edges, share - edges, color=colour[name], linewidth=1.1, linestyle=styles[number // 5 % 3],
            label=f"{titles[name]} ({_percent(found.p)})",
        )  # fmt: skip
    axes.axhspan(-widest, widest, color=GREY, alpha=0.22, linewidth=0, label="95 % of uniform samples stay here")
    axes.axhline(0, color=INK, linewidth=0.8)
    reach = max([1.6 * widest, *(1.1 * float(np.abs(line.get_ydata()).max()) for line in axes.lines)])
    axes.set(xlim=(0, 1), ylim=(-reach, reach), xlabel="p-value of an isotropic sky")
    axes.set_ylabel("fraction of skies below minus p")
    legend_outside(drawing, axes, 2)
    return drawing


# --- single cosmic rays -----------------------------------------------------------------------------------------------


@house_style()
def roc_figure(curves: Mapping[str, tuple[Values, Values]], areas: Mapping[str, Measured]) -> Drawing:
    """ROC curves of single cosmic rays: which of them come from the source?

    Linear on the left, logarithmic on the right, where a few signal cosmic rays among a thousand are decided.

    Args:
        curves: background and signal accepted (point,), by title (``metrics.classification.roc``).
        areas: area under each curve with its error.
    """
    drawing, panels = grid(2, 2, 3.4)
    styles = ("-", (0, (4, 1.2)), (0, (1, 1)), (0, (5, 1, 1, 1)))
    lowest = 1.0
    for number, (title, (background, signal)) in enumerate(curves.items()):
        label = f"{title}: AUC {plus_minus(areas[title].value, areas[title].error)}"
        shown = _thinned(np.asarray(background, dtype=np.float64))
        lowest = min(lowest, float(np.min(background[background > 0], initial=1.0)))
        for axes in panels:
            axes.plot(
                background[shown], signal[shown], color=PETROFF[number % len(PETROFF)], label=label,
                linestyle=styles[number % len(styles)],
            )  # fmt: skip
    even = np.geomspace(1e-6, 1, 200)
    for axes in panels:
        axes.plot(even, even, color=GREY, linewidth=1, label="no skill")
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="isotropic cosmic rays accepted")
    panels[0].set_ylabel("signal cosmic rays accepted")
    panels[0].set_aspect("equal")
    panels[1].set_xscale("log")
    panels[1].set_xlim(max(lowest, 1e-4), 1)
    panels[1].xaxis.set_minor_formatter(NullFormatter())
    legend_outside(drawing, panels[0])
    return drawing


def _thinned(background: NDArray[np.float64]) -> NDArray[np.int64]:
    """Points of a curve that a drawing needs: the nearest to 400 even and 400 geometric steps."""
    steps = np.concatenate([np.linspace(0, 1, 400), np.geomspace(1e-5, 1, 400)])
    return np.unique(np.minimum(np.searchsorted(background, steps), len(background) - 1))


@house_style()
def deletion_figure(
    deleted: Values, curves: Mapping[str, tuple[Values, Values]], label: str = "test statistic"
) -> Drawing:
    """How the statistic falls when cosmic rays are deleted: mean over skies with its standard error.

    Args:
        deleted: (step,), fraction of the cosmic rays that was deleted.
        curves: mean of the statistic over skies and its error (step,), by order of deletion ("largest relevance
            first", "at random"); errors that are nan are not drawn.
        label: of the statistic.
    """
    drawing, (axes,) = grid(1, 1, 3.8, width=0.75 * WIDTH)
    percent = 100 * np.asarray(deleted, dtype=np.float64)
    for number, (title, (mean, spread)) in enumerate(curves.items()):
        error = np.nan_to_num(spread)
        colour = PETROFF[number % len(PETROFF)]
        axes.plot(percent, mean, SHAPES[number % len(SHAPES)] + "-", color=colour, label=title)
        axes.fill_between(percent, mean - error, mean + error, color=colour, alpha=0.25, linewidth=0)
    axes.set(xlabel="cosmic rays deleted [%]", ylabel=f"mean {label}")
    axes.set_xlim(0, None)
    legend_outside(drawing, axes)
    return drawing


@house_style()
def density_figure(
    density: Values,
    curves: Mapping[str, Sequence[Measured]],
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
    label: str = "AUC of a sky against isotropy",
    axis: str = "sources in the universe [Mpc$^{-3}$]",
    no_skill: float | None = 0.5,
    counted: float | None = None,
) -> Drawing:
    """How well skies of a universe of many sources are told from isotropy, against the density of sources.

    Args:
        density: (point,) of sources.
        curves: a value with error at each density, by predictor.
        titles: of the predictors by name.
        kinds: of the predictors by name.
        label: of the vertical axis.
        axis: label of the horizontal axis.
        no_skill: value without skill, drawn as a line.
        counted: largest value that isotropic skies can count, drawn as a line; beyond it values are extrapolated.
    """
    drawing, (axes,) = grid(1, 1, 3.8, width=0.85 * WIDTH)
    colour, shape = colours(kinds), _shapes(kinds)
    for number, (name, values) in enumerate(curves.items()):
        shift = 1.02 ** (number - (len(curves) - 1) / 2)  # error bars side by side
        axes.errorbar(
            np.asarray(density, dtype=np.float64) * shift, [one.value for one in values],
            yerr=np.nan_to_num([one.error for one in values]), fmt=shape[name] + "-", color=colour[name],
            linewidth=1.1, label=titles[name],
        )  # fmt: skip
    if no_skill is not None:
        axes.axhline(no_skill, color=GREY, linestyle="--", linewidth=1, label="no skill")
    if counted is not None:
        axes.axhline(counted, color=INK, linestyle=":", linewidth=1, label="above: from the fitted tail")
    if np.max(density) > 30 * np.min(density):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=8))
    axes.set(xlabel=axis, ylabel=label)
    found = sorted(zip(*axes.get_legend_handles_labels(), strict=True), key=lambda pair: pair[1] not in titles.values())
    drawing.legend([one for one, _ in found], [name for _, name in found], loc="outside lower center", ncols=2)
    return drawing
