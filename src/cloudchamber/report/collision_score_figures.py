"""Figures of numbers of generators of nuclear collisions: distances from the simulator, isotopes beside data, time.

Looks are those of ``collision_figures``. Measured cross sections are black points; where nothing was made, a hollow
triangle hangs at the upper limit of 68 % (``metrics.fragment_cross_sections``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MultipleLocator, NullFormatter
from numpy.typing import NDArray

from cloudchamber.data.measured_fragments import AngularDistribution
from cloudchamber.metrics.fragment_cross_sections import CrossSection
from cloudchamber.metrics.measured import Measured
from cloudchamber.report.collision_figures import handles_of
from cloudchamber.report.figures import wrapped
from cloudchamber.report.interactions_figures import FILL, Look, looks, named_legend, truth_handle
from cloudchamber.report.style import GREY, INK, LINES, house_style, new_drawing, row_axis
from cloudchamber.report.transport_data_figures import isotope_label

Floats = NDArray[np.float64]
Scores = Mapping[str, Measured]
Made = Mapping[str, CrossSection]
"""Of an isotope, by generator."""

ISOTOPES_IN_A_ROW = 5
RATIOS = (0.07, 14.0)
"""Of the strips below isotopes; what leaves them is drawn at the edge."""
REACH = 30.0
"""How far below and above the measured points a panel goes to show a simulation."""
NARROW = 40.0
"""Range of an axis, highest over lowest, up to which it has labels at 3, too."""


@house_style()
def score_panels(
    scores: Mapping[str, Scores], floor: Scores, labels: Mapping[str, str], titles: Mapping[str, str],
    kinds: Mapping[str, str], label: str,
) -> Drawing:  # fmt: skip
    """Numbers with errors: a panel a generator, a row a quantity; the floor with its error is grey in all of them.

    Args:
        scores: by generator and quantity; the numbers are positive.
        floor: the same of the simulator against itself; may be empty.
        labels: of the quantities, by name, in the order of the rows.
        titles: of the generators by name.
        kinds: of the generators by name.
        label: of the axis.
    """
    names = [name for name in labels if any(name in one for one in scores.values())]
    drawing = new_drawing(1.35 + 0.19 * len(names))
    panels = drawing.subplots(1, len(scores), squeeze=False, sharex=True, sharey=True)[0]
    drawing.get_layout_engine().set(w_pad=0.015, wspace=0)  # type: ignore[union-attr, call-arg]
    look = looks(kinds)
    for axes, (model, found) in zip(panels, scores.items(), strict=True):
        for row, name in enumerate(names):
            if name in floor:
                _draw_floor(axes, row, floor[name])
            if name in found:
                value, error = found[name].value, float(np.nan_to_num(found[name].error))
                axes.errorbar(
                    value, row, xerr=[[min(error, 0.7 * value)], [error]], fmt=look[model].shape,
                    color=look[model].colour, markersize=4, linewidth=1, zorder=3,
                )  # fmt: skip
        row_axis(axes, len(names), [labels[name] for name in names])
        axes.set_title(wrapped(titles.get(model, model), 14), fontsize=7)
        axes.set_xscale("log")
        axes.grid(axis="x", color=LINES, linewidth=0.6)
        axes.tick_params(axis="x", labelsize=7)
    _log_ticks(panels[0], [one.value for each in (*scores.values(), floor) for one in each.values()])
    panels[len(panels) // 2].set_xlabel(label)
    if floor:
        stroke = Line2D([], [], color=FILL, linewidth=8, marker="|", markersize=9, markeredgecolor=INK)
        named_legend(drawing, {"simulator against simulator": stroke})
    return drawing


def _draw_floor(axes: Axes, row: int, floor: Measured) -> None:
    error = float(np.nan_to_num(floor.error))
    low = max(floor.value - error, 0.3 * floor.value)
    axes.fill_betweenx([row - 0.36, row + 0.36], low, floor.value + error, color=FILL, linewidth=0, zorder=1)
    axes.plot([floor.value] * 2, [row - 0.36, row + 0.36], color=INK, linewidth=1, zorder=2)


def _log_ticks(axes: Axes, values: Sequence[float]) -> None:
    """Range and labels of a logarithmic axis that hold all values above 0."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = min(positive) / 1.6, max(positive) * 1.6
    axes.set_xlim(low, high)
    narrow = high / low < NARROW
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3) if narrow else (1,), numticks=8))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())


# --- isotopes ---------------------------------------------------------------------------------------------------------


@house_style()
def isotope_angles(
    measured: Mapping[str, AngularDistribution], truth: Mapping[str, CrossSection],
    models: Mapping[str, Mapping[str, CrossSection]], titles: Mapping[str, str], kinds: Mapping[str, str],
) -> Drawing:  # fmt: skip
    """``dsigma/dOmega`` against the angle, a panel an isotope, and below each what was made over what was measured.

    Args:
        measured: by isotope.
        truth: of the simulator, by isotope, at the measured angles.
        models: of the generators, by generator and isotope.
        titles: of the generators by name.
        kinds: of the generators by name.
    """
    rows, columns = -(-len(measured) // ISOTOPES_IN_A_ROW), min(ISOTOPES_IN_A_ROW, len(measured))
    drawing = new_drawing(2.6 * rows)
    axes = drawing.subplots(
        2 * rows, columns, squeeze=False, sharex=True, gridspec_kw={"height_ratios": [1.9, 1] * rows}
    )
    drawing.get_layout_engine().set(h_pad=0.03, w_pad=0.015, hspace=0, wspace=0)  # type: ignore[union-attr, call-arg]
    look = looks(kinds)
    for unused in range(len(measured), rows * columns):
        for part in range(2):
            axes[2 * (unused // columns) + part, unused % columns].set_axis_off()
    for number, (isotope, data) in enumerate(measured.items()):
        row, column = 2 * (number // columns), number % columns
        above, below = axes[row, column], axes[row + 1, column]
        made = {name: one[isotope] for name, one in models.items()}
        _draw_isotope(above, data, truth[isotope], made, look)
        _draw_isotope_ratios(below, data, truth[isotope], made, look)
        above.text(0.94, 0.94, isotope_label(isotope), transform=above.transAxes, ha="right", va="top", fontsize=10)
        below.tick_params(labelbottom=number + columns >= len(measured), labelleft=column == 0)
    for left in range(0, 2 * rows, 2):
        axes[left, 0].set_ylabel(r"$\mathrm{d}\sigma/\mathrm{d}\Omega$ [b/sr]")
        axes[left + 1, 0].set_ylabel("over\nmeasured", fontsize=8)
    axes[0, 0].set_xlim(0, 24)
    axes[0, 0].xaxis.set_major_locator(MultipleLocator(10))
    axes[0, 0].xaxis.set_minor_locator(MultipleLocator(5))
    axes[-1, columns // 2].set_xlabel("angle in the laboratory [degrees]")
    drawing.align_ylabels()
    handles: dict[str, Any] = {
        "measured": Line2D([], [], color=INK, marker="o", markersize=3, linewidth=0.7), "simulator": truth_handle(),
    } | handles_of(list(models), titles, look)  # fmt: skip
    everything = [*truth.values(), *(one for each in models.values() for one in each.values())]
    if any((one.value == 0).any() for one in everything):
        handles["68 % upper limit"] = Line2D(
            [], [], color=INK, marker="v", markersize=3.5, markerfacecolor="white", linestyle="none"
        )
    named_legend(drawing, handles)
    return drawing


def _draw_isotope(
    axes: Axes, data: AngularDistribution, truth: CrossSection, made: Made, look: Mapping[str, Look]
) -> None:
    """Measured points, the simulator's band, lines of the generators, and an axis that shows them."""
    value, error = data.cross_section, data.error
    bars = np.stack([np.minimum(error, 0.999 * value), error])
    axes.errorbar(data.angle, value, bars, data.half_width, fmt="o", color=INK, markersize=2.4, linewidth=0.7, zorder=5)
    there = truth.value > 0
    known = np.where(there, truth.value, np.nan)
    low, high = np.maximum(known - truth.error, 1e-3 * known), known + truth.error
    axes.fill_between(data.angle, low, high, color=FILL, linewidth=0, zorder=1)
    axes.plot(data.angle, known, color=INK, linewidth=0.8, zorder=2)
    _limits(axes, data.angle, truth.limit, there, INK)
    shown = [value, truth.value[there], truth.limit[~there]]
    for name, one in made.items():
        there = one.value > 0
        axes.plot(
            data.angle, np.where(there, one.value, np.nan), color=look[name].colour, linestyle=look[name].dashes,
            linewidth=1.2, zorder=3,
        )  # fmt: skip
        _limits(axes, data.angle, one.limit, there, look[name].colour)
        shown += [one.value[there], one.limit[~there]]
    every = np.clip(np.concatenate(shown), value.min() / REACH, value.max() * REACH)
    bottom, top = every.min() / 1.6, every.max() * 1.6
    axes.set(yscale="log", ylim=(min(bottom, top / 100), top))  # two decades have two labels
    axes.yaxis.set_major_locator(LogLocator(numticks=6))
    axes.yaxis.set_minor_locator(LogLocator(subs=range(2, 10), numticks=8))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", labelsize=7)


def _limits(axes: Axes, angle: Floats, limit: Floats, there: NDArray[np.bool_], colour: str) -> None:
    axes.plot(
        angle[~there], limit[~there], "v", color=colour, markersize=3.2, markerfacecolor="white", markeredgewidth=0.7,
        zorder=2,
    )  # fmt: skip


def _draw_isotope_ratios(
    axes: Axes, data: AngularDistribution, truth: CrossSection, made: Made, look: Mapping[str, Look]
) -> None:
    """Over what was measured, whose error is about 1: the simulator a black line, generators by markers."""
    relative = data.error / data.cross_section
    axes.fill_between(data.angle, 1 - relative, 1 + relative, color=FILL, linewidth=0)
    axes.axhline(1, color=GREY, linewidth=0.7)
    low, high = RATIOS
    known = np.where(truth.value > 0, truth.value, np.nan) / data.cross_section
    axes.plot(data.angle, np.clip(known, 1.1 * low, high / 1.1), color=INK, linewidth=0.9, zorder=2)
    for name, one in made.items():
        there = one.value > 0
        ratio = np.clip(np.where(there, one.value, one.limit) / data.cross_section, 1.1 * low, high / 1.1)
        error = np.where(there, one.error / data.cross_section, 0)
        for chosen, shape in ((there, look[name].shape), (~there, "v")):
            axes.errorbar(
                data.angle[chosen], ratio[chosen], np.stack([np.minimum(error, 0.999 * ratio), error])[:, chosen],
                fmt=shape, color=look[name].colour, markersize=2.0, linewidth=0.6,
                markerfacecolor="white" if shape == "v" else look[name].colour, zorder=3,
            )  # fmt: skip
    axes.set(yscale="log", ylim=RATIOS)
    axes.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", labelsize=7)


# --- time -------------------------------------------------------------------------------------------------------------


@house_style()
def cost_figure(
    simulator: Floats, seconds: Mapping[str, float], training: Mapping[str, float], wanted: float,
    titles: Mapping[str, str], kinds: Mapping[str, str],
) -> Drawing:  # fmt: skip
    """Seconds an event (left) and of training (right), a row a generator; the simulator's events are on top.

    Args:
        simulator: seconds of events (event,); may be empty.
        seconds: an event, by generator.
        training: seconds, by generator.
        wanted: seconds an event that were asked for.
        titles: of the generators by name.
        kinds: of the generators by name.
    """
    look = looks(kinds)
    names = [name for name in kinds if name in seconds or name in training]
    first = 1 if len(simulator) else 0
    drawing = new_drawing(0.95 + 0.27 * (len(names) + first))
    left, right = drawing.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": [1.7, 1]})
    if first:
        left.plot(simulator, np.zeros(len(simulator)), "o", color=INK, markersize=5)
    for row, name in enumerate(names, start=first):
        for axes, known in ((left, seconds), (right, training)):
            if known.get(name, 0) > 0:
                axes.plot(known[name], row, look[name].shape, color=look[name].colour, markersize=5.5)
    left.axvline(wanted, color=INK, linestyle="--", linewidth=0.9, zorder=1)
    row_axis(left, len(names) + first, ["simulator"] * first + [wrapped(titles.get(name, name), 34) for name in names])
    for axes, label, values in (
        (left, "time an event [s]", [*simulator, *seconds.values(), wanted]),
        (right, "training [s]", list(training.values())),
    ):
        axes.grid(color=LINES, linewidth=0.6)
        axes.set_xscale("log")
        axes.set_xlabel(label)
        positive = [value for value in values if value > 0] or [1.0]
        axes.set_xlim(min(positive) / 3, max(positive) * 3)
        axes.xaxis.set_major_locator(LogLocator(numticks=7))
        axes.xaxis.set_minor_formatter(NullFormatter())
    return drawing
