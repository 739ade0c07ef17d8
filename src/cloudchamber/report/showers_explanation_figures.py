"""Figures of what networks make of the traces of air showers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from cloudchamber.report.figures import wrapped
from cloudchamber.report.interactions_figures import DASHES, looks, named_legend
from cloudchamber.report.showers_run import Values
from cloudchamber.report.style import (
    DIVERGING,
    GREY,
    INK,
    LINES,
    PETROFF,
    grid,
    house_style,
    image,
    legend_outside,
    new_drawing,
    row_axis,
)
from cloudchamber.simulators.airshower.surface_array import BIN, PRE_TRIGGER

QUANTITY_WORDS = {
    "risetime": "risetime", "muon_fraction": "muon fraction", "start_residual": "start residual",
    "log_signal": "total signal", "distance": "distance", "zenith": "zenith angle",
}  # fmt: skip
UNREAD = "#dfe3e4"
"""Of variables that never change."""
OFF = (("axis", "axis [°]"), ("core", "core [m]"), ("lg_energy", r"$\lg E$"), ("xmax", r"$X_\mathrm{max}$ [g/cm$^2$]"))
"""What switching off a station changes, and labels."""
SIZES = (
    ("axis_size", 1000.0, "axis [0.001°]"), ("lg_energy_size", 1e4, r"$\lg E$ [$10^{-4}$]"),
    ("xmax_size", 1.0, r"$X_\mathrm{max}$ [g/cm$^2$]"),
)  # fmt: skip
SLOPES = (
    ("lg_energy_slope", 1e4, r"$\lg E$ [$10^{-4}$ / %]"), ("xmax_slope", 1.0, r"$X_\mathrm{max}$ [g/cm$^2$ / %]")
)  # fmt: skip
"""Relevance of bins, and its slopes: name, factor and label."""


@house_style()
def correlations(
    arrays: Mapping[str, Values], names: Sequence[str], quantities: Sequence[str], titles: Mapping[str, str]
) -> Drawing:
    """Tables of rank correlations: a row of panels a network, trained (left) and with random weights (right).

    Args:
        arrays: of the explanation ``variables``.
        names: of the networks.
        quantities: columns.
        titles: of the predictors by name.
    """
    drawing, panels = grid(2 * len(names), 2, 2.35)
    shown: Any = None
    for number, axes in enumerate(panels):
        name = f"{names[number // 2]}{'_untrained' if number % 2 else ''}"
        table = arrays[f"{name}_correlation"]
        column = quantities.index("muon_fraction") if "muon_fraction" in quantities else 0
        table = table[np.argsort(-np.nan_to_num(np.abs(table[:, column]), nan=-1))]
        axes.set_facecolor(UNREAD)
        shown = image(axes, table[::-1], (-0.5, len(quantities) - 0.5, -0.5, len(table) - 0.5), DIVERGING, -1, 1)
        for row, values in enumerate(table[::-1]):
            for place, value in enumerate(values):
                if np.isfinite(value):
                    axes.text(place, row, f"{100 * value:.0f}".replace("-", "−"), ha="center", va="center",
                              fontsize=6.5, color="white" if abs(value) > 0.65 else INK)  # fmt: skip
        words = [wrapped(QUANTITY_WORDS.get(one, one), 9) for one in quantities]
        axes.set_xticks(range(len(quantities)), words, fontsize=7)
        axes.set_yticks([])
        axes.tick_params(length=0)
        axes.set_title(titles.get(names[number // 2], name) if number % 2 == 0 else "the same, random weights")
        if number % 2 == 0:
            axes.set_ylabel("learned variable")
    drawing.colorbar(shown, ax=panels, shrink=0.5, pad=0.015).set_label("rank correlation")
    return drawing


@house_style()
def readout(
    arrays: Mapping[str, Values],
    names: Sequence[str],
    quantities: Sequence[str],
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
) -> Drawing:
    """R2 of what is read of each quantity: a row a quantity; filled trained, open random, cross the total signal.

    Args:
        arrays: of the explanation ``variables``.
        names: of the networks.
        quantities: rows.
        titles: of the predictors by name.
        kinds: of the predictors by name.
    """
    drawing, (axes,) = grid(1, 1, 0.9 + 0.42 * len(quantities))
    look = looks(kinds)
    rows = np.arange(len(quantities))
    handles: dict[str, Any] = {}
    for place, name in enumerate(names):
        for ending, face in (("", look[name].colour), ("_untrained", "white")):
            handle = axes.errorbar(
                arrays[f"{name}{ending}_readout"], rows + 0.5 * ((place + 0.5) / len(names) - 0.5),
                xerr=arrays[f"{name}{ending}_readout_error"], fmt=look[name].shape, color=look[name].colour,
                markerfacecolor=face, markersize=5, elinewidth=1,
            )  # fmt: skip
            handles[titles.get(name, name) + (", random weights" if ending else "")] = handle
    handles["total signal alone"] = axes.errorbar(
        arrays["signal_readout"], rows + 0.36, xerr=arrays["signal_readout_error"], fmt="x", color=INK, markersize=5
    )
    axes.axvline(0, color=INK, linewidth=0.8)
    row_axis(axes, len(quantities), [QUANTITY_WORDS.get(one, one) for one in quantities])
    axes.set_xlabel("R² of a linear map of the learned variables")
    axes.set_xlim(min(-0.05, *axes.get_xlim()), 1.02)
    named_legend(drawing, handles, 2)
    return drawing


@house_style()
def variable_traces(arrays: Mapping[str, Values], name: str, most: int = 6) -> Drawing:
    """Mean traces of stations with small, middle and large values of a variable, a panel a variable.

    Args:
        arrays: of the explanation ``variables``.
        name: of the network.
        most: variables, those whose mean traces differ most.
    """
    traces = arrays[f"{name}_trace"]
    differ = np.abs(traces[:, 2] - traces[:, 0]).sum(axis=1) * (arrays[f"{name}_spread"] > 0)
    order = [int(one) for one in np.argsort(-differ)[:most] if differ[one] > 0] or [0]
    drawing, panels = grid(len(order), 3, 1.85, shared=True)
    edges = BIN * (np.arange(traces.shape[2] + 1) - PRE_TRIGGER) / 1000
    for axes, variable in zip(panels, order, strict=True):
        for place, word in enumerate(("smallest", "middle", "largest")):
            axes.stairs(
                100 * traces[variable, place], edges, color=PETROFF[place], linestyle=DASHES[place], linewidth=1.3,
                label=f"{word} tenth",
            )  # fmt: skip
        axes.set_title(f"variable {variable + 1}")
        axes.set_xlim(edges[0], min(edges[-1], 2.0))
    for axes in panels[::3]:
        axes.set_ylabel("signal [% / 25 ns]")
    drawing.supxlabel("time after the first particle [µs]", fontsize=9)
    legend_outside(drawing, panels[0], 3, "outside upper center")
    return drawing


# --- relevance --------------------------------------------------------------------------------------------------------


def grouped(values: Values, together: int) -> Values:
    """Means of so many neighbouring bins (bin,), of which one group begins with the first particle.

    Examples:
        >>> grouped(np.arange(10.0), 4).tolist()
        [2.5, 6.5]
    """
    first = PRE_TRIGGER % together
    count = (len(values) - first) // together
    means: Values = values[first : first + count * together].reshape(count, together).mean(axis=1)
    return means


@house_style()
def curves_of_bins(
    arrays: Mapping[str, Values],
    names: Sequence[str],
    rows: Sequence[tuple[str, float, str]],
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
    together: int = 1,
    least: float = 0.0,
) -> Drawing:
    """Curves against time, a row a quantity, a column a class of stations by distance; grey: the usual trace.

    Args:
        arrays: of the explanation ``relevance``.
        names: of the networks.
        rows: name, factor and label of each quantity.
        titles: of the predictors by name.
        kinds: of the predictors by name.
        together: neighbouring bins of which the mean is shown.
        least: part of the usual trace in a bin, below which nothing is shown.
    """
    edges, trace = arrays["edges"], arrays["class_trace"]
    shown = [one for one in range(len(trace)) if arrays["class_n"][one] > 0]
    drawing = new_drawing(1.75 * len(rows) + 0.3)
    panels = drawing.subplots(len(rows), len(shown), squeeze=False, sharex=True)
    look = looks(kinds)
    bins = BIN * (np.arange(trace.shape[1]) - PRE_TRIGGER + 0.5) / 1000
    times = grouped(bins, together)
    handles: dict[str, Any] = {}
    for row, (key, factor, label) in enumerate(rows):
        for column, number in enumerate(shown):
            axes: Axes = panels[row, column]
            axes.axhline(0, color=INK, linewidth=0.6)
            there = grouped(trace[number], together) >= least
            for name in names:
                value = np.where(there, factor * grouped(arrays[f"{name}_{key}"][number], together), np.nan)
                error = factor * grouped(np.nan_to_num(arrays[f"{name}_{key}_error"][number]), together)
                axes.fill_between(times, value - error, value + error, color=look[name].colour, alpha=0.25, linewidth=0)
                (handles[titles.get(name, name)],) = axes.plot(
                    times, value, color=look[name].colour, linestyle=look[name].dashes, linewidth=1.1
                )
            size = 0.85 * np.maximum(trace[number], 0) / max(float(trace[number].max()), 1e-12)
            axes.fill_between(
                bins, 0, size, color=GREY, alpha=0.3, linewidth=0, zorder=0, transform=axes.get_xaxis_transform()
            )
            if row == 0:
                axes.set_title(f"{edges[number] / 1000:g} to {edges[number + 1] / 1000:g} km", fontsize=8)
            axes.set_xlim(bins[0], bins[-1])
            axes.tick_params(labelsize=7)
            axes.locator_params(axis="y", nbins=4)
        panels[row, 0].set_ylabel(label)
    for axes in panels[-1]:
        axes.set_xlabel("time [µs]")
    drawing.align_ylabels()
    named_legend(drawing, handles)
    return drawing


@house_style()
def stations_off(
    arrays: Mapping[str, Values], names: Sequence[str], titles: Mapping[str, str], kinds: Mapping[str, str]
) -> Drawing:
    """Mean change of the answer when a station is switched off: a row a quantity, by distance, signal and time.

    Args:
        arrays: of the explanation ``relevance``.
        names: of the networks.
        titles: of the predictors by name.
        kinds: of the predictors by name.
    """
    edges = arrays["edges"]
    middle = np.arange(len(edges) - 1)
    labels = [f"{low / 1000:g}–{high / 1000:g}" for low, high in pairwise(edges)]
    sorts = (
        ("distance", "distance to the axis [km]"),
        ("signal", "rank of the signal"),
        ("time", "rank of the start time"),
    )
    drawing = new_drawing(1.6 * len(OFF) + 0.3)
    panels = drawing.subplots(len(OFF), len(sorts), squeeze=False, sharex="col", sharey="row")
    look = looks(kinds)
    handles: dict[str, Any] = {}
    for row, (key, label) in enumerate(OFF):
        for column, (ending, words) in enumerate(sorts):
            axes: Axes = panels[row, column]
            for place, name in enumerate(names):
                for which, strength in (("_untrained", 0.3), ("", 1.0)):
                    value, error = arrays[f"{name}{which}_off_{key}_{ending}"]
                    at = (middle if ending == "distance" else 1 + np.arange(len(value))) + 0.12 * (place - 1)
                    axes.errorbar(
                        at, value, np.nan_to_num(error), fmt=look[name].shape, color=look[name].colour, alpha=strength,
                        markersize=3.5, elinewidth=0.9, linestyle="-" if which == "" else ":", linewidth=0.8,
                    )  # fmt: skip
                handles[titles.get(name, name)] = Line2D(
                    [], [], color=look[name].colour, marker=look[name].shape, markersize=4
                )
            if ending == "distance":
                axes.set_xticks(middle, labels, fontsize=7)
            else:
                axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.grid(axis="y", color=LINES, linewidth=0.6)
            if row == len(OFF) - 1:
                axes.set_xlabel(words)
        panels[row, 0].set_ylabel(label)
        panels[row, 0].set_ylim(0, None)
    drawing.align_ylabels()
    handles["random weights (faint)"] = Line2D([], [], color=INK, alpha=0.35, linestyle=":", marker="o", markersize=4)
    named_legend(drawing, handles)
    return drawing
