"""Figures of how well air showers are reconstructed: resolutions, ratios, opening angles, answers, biases, coverage.

Every method has a colour, a marker and dashes of its own, the same in all figures of a report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from cloudchamber.data.surface_array import axes_of
from cloudchamber.metrics.calibration import coverage
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.showers import bins, opening_angle
from cloudchamber.report.figures import wrapped
from cloudchamber.report.files import Score, Scored
from cloudchamber.report.interactions_figures import Look, looks, named_legend
from cloudchamber.report.showers_run import QUANTITIES, TARGET_LABELS, Found, Values
from cloudchamber.report.style import GREY, INK, LINES, SEQUENTIAL, grid, house_style, image

ENERGY, ZENITH = "lgE ", "zenith "
"""How names of bins begin."""
BIN_LABELS = {ENERGY: r"true $\lg(E/\mathrm{eV})$", ZENITH: "true zenith angle [°]"}
REQUIRED_COVERAGE = (0.65, 0.71)
"""Of 68 % intervals."""


def own_looks(kinds: Mapping[str, str]) -> dict[str, Look]:
    """How methods are drawn; of two that would share a colour, the physicist's is black.

    Args:
        kinds: of the predictors by name.
    """
    look = looks(kinds)
    taken = {look[name].colour for name, kind in kinds.items() if kind in ("network", "floor")}
    for name, kind in kinds.items():
        if kind not in ("network", "floor"):
            if look[name].colour in taken:
                look[name] = replace(look[name], colour=INK)
            taken.add(look[name].colour)
    return look


def said_range(part: str) -> str:
    """The label of a bin, without what it is a bin of.

    Examples:
        >>> said_range("lgE 18.5-19.0"), said_range("all")
        ('18.5–19.0', 'all')
    """
    return part.removeprefix(ENERGY).removeprefix(ZENITH).replace("-", "–")


def beside(number: int, of: int, width: float = 0.7) -> float:
    """Where the point of one of several methods lies around the middle of a bin of width 1."""
    return width * ((number + 0.5) / of - 0.5)


def categories(axes: Axes, labels: Sequence[str], *, rotated: bool = False) -> None:
    """A horizontal axis of bins with a faint line between them."""
    axes.set_xticks(
        range(len(labels)), list(labels), rotation=35 if rotated else 0, ha="right" if rotated else "center"
    )
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    for edge in range(1, len(labels)):
        axes.axvline(edge - 0.5, color=LINES, linewidth=0.8, zorder=0)


def bars(axes: Axes, shift: float, values: Sequence[Measured | Score | None], look: Look, factor: float = 1.0) -> Any:
    """Points with their errors, one a bin, in the look of a method; None if no bin has any.

    Args:
        axes: where.
        shift: from the middle of each bin.
        values: by bin; None leaves it empty.
        look: of the method.
        factor: on all numbers.
    """
    known = [(place, one.value, one.error) for place, one in enumerate(values) if one is not None]
    if not known:
        return None
    at, value, error = np.array(known).T
    edge = "white" if look.shape != "x" else look.colour
    return axes.errorbar(
        at + shift, factor * value, factor * np.nan_to_num(error), fmt=look.shape, color=look.colour, markersize=5,
        elinewidth=1.0, markeredgewidth=0.5, markeredgecolor=edge,
    )  # fmt: skip


def logarithmic(axes: Axes) -> None:
    """A logarithmic vertical axis over about a decade, with plain numbers."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


@house_style()
def resolution_figure(found: Found) -> Drawing:
    """Four resolutions of all methods, a row each, in bins of energy (left) and zenith angle (right).

    A floor is drawn where it is no farther than half as much again from the worst method.
    """
    look, kinds = own_looks(found.metrics.kinds), found.metrics.kinds
    starts = [start for start in (ENERGY, ZENITH) if any(part.startswith(start) for part in found.parts())]
    drawing, panels = grid(len(QUANTITIES) * len(starts), len(starts), 1.9)
    handles: dict[str, Any] = {}
    for number, axes in enumerate(panels):
        quantity, start = QUANTITIES[number // len(starts)], starts[number % len(starts)]
        parts = [part for part in found.parts() if part.startswith(start)]
        names = [name for name in kinds if found.has(name, quantity)]
        scores = {name: [found.score(name, quantity, part) for part in parts] for name in names}
        contenders = [one.value for name in names if kinds[name] != "floor" for one in scores[name] if one]
        worst = max(contenders, default=np.inf)
        names = [name for name in names if all(one is None or one.value <= 1.5 * worst for one in scores[name])]
        for place, name in enumerate(names):
            drawn = bars(axes, beside(place, len(names)), scores[name], look[name], quantity.factor)
            handles |= {} if drawn is None else {name: drawn}
        categories(axes, [said_range(part) for part in parts])
        if quantity.logarithmic:
            logarithmic(axes)
        if number % len(starts) == 0:
            axes.set_ylabel(quantity.label)
        if number >= len(panels) - len(starts):
            axes.set_xlabel(BIN_LABELS[start])
        axes.grid(axis="y", color=LINES, linewidth=0.6)
    drawing.align_ylabels()
    order = [name for name in kinds if name in handles]
    named_legend(drawing, {found.metrics.titles[name]: handles[name] for name in order})
    return drawing


@house_style()
def opening_angles(found: Found, test: Scored) -> Drawing:
    """Part of the test showers whose direction is off by less than an angle, a line a method."""
    drawing, (axes,) = grid(1, 1, 2.9)
    look = own_looks(found.metrics.kinds)
    handles: dict[str, Any] = {}
    for name, answer in test.predictions.items():
        if not found.has(name, QUANTITIES[0]):
            continue
        angle = np.sort(opening_angle(test.truth, answer.mean))
        part = np.arange(1, len(angle) + 1) / len(angle)
        shown = np.unique(np.linspace(0, len(angle) - 1, 300).astype(int))
        (handles[name],) = axes.plot(
            angle[shown], part[shown], color=look[name].colour, linestyle=look[name].dashes, linewidth=1.3
        )
    axes.axhline(0.68, color=GREY, linewidth=0.8, linestyle="--")
    axes.text(0.032, 0.69, "68 %", fontsize=7.5, va="bottom")
    axes.set(xscale="log", xlim=(0.03, 30), ylim=(0, 1.02), xlabel="angle between reconstructed and true axis [°]",
             ylabel="part of the showers")  # fmt: skip
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    named_legend(drawing, {found.metrics.titles[name]: one for name, one in handles.items()})
    return drawing


@house_style()
def ratio_figure(found: Found, names: Sequence[str], other: str) -> Drawing:
    """Resolutions over those of another method on the same showers, of all showers and in bins; a panel a quantity.

    Args:
        found: what is known of the run.
        names: the methods.
        other: the method in the denominator.
    """
    look = own_looks(found.metrics.kinds)
    drawing, panels = grid(len(QUANTITIES), 2, 2.1)
    handles: dict[str, Any] = {}
    parts = found.parts()
    for axes, quantity in zip(panels, QUANTITIES, strict=True):
        axes.axhline(1, color=INK, linewidth=0.9)
        for place, name in enumerate(names):
            values = [found.ratio(name, other, quantity, part) for part in parts]
            drawn = bars(axes, beside(place, len(names)), values, look[name])
            handles |= {} if drawn is None else {name: drawn}
        categories(axes, [ratio_label(part) for part in parts], rotated=True)
        axes.set(title=quantity.word.replace("Xmax", r"$X_\mathrm{max}$"))
        axes.grid(axis="y", color=LINES, linewidth=0.6)
        axes.margins(y=0.15)
    for axes in panels[::2]:
        axes.set_ylabel("resolution, ratio")
    named_legend(drawing, {found.metrics.titles[name]: one for name, one in handles.items()})
    return drawing


def ratio_label(part: str) -> str:
    """The label of a bin with what it is a bin of.

    Examples:
        >>> ratio_label("zenith 0-30")
        'θ 0–30°'
    """
    if part.startswith(ZENITH):
        return f"θ {said_range(part)}°"
    return f"lg E {said_range(part)}" if part.startswith(ENERGY) else part


# --- answers ----------------------------------------------------------------------------------------------------------


def zenith_of(targets: Values) -> Values:
    """Zenith angles [degrees] of targets (shower, 6)."""
    return np.degrees(np.arccos(axes_of(targets)[:, 2]))


ANSWERS: tuple[tuple[str, Any, tuple[float, float]], ...] = (
    ("zenith angle [°]", zenith_of, (0, 70)),
    ("core, east [m]", lambda targets: targets[:, 2], (-900, 900)),
    (r"$\lg(E/\mathrm{eV})$", lambda targets: targets[:, 4], (18.3, 20.2)),
    (r"$X_\mathrm{max}$ [g/cm$^2$]", lambda targets: targets[:, 5], (550, 1100)),
)
"""Label, function of the targets, and range of what is drawn against the truth."""


@house_style()
def answers_against_truth(found: Found, test: Scored, names: Sequence[str]) -> Drawing:
    """Density of showers in the plane of true and reconstructed value: a column a method, a row a quantity.

    Ranges grow with the truth. What lies outside is in the outermost bins.
    """
    drawing, panels = grid(len(ANSWERS) * len(names), len(names), 1.72)
    shown: Any = None
    for row, (label, value, span) in enumerate(ANSWERS):
        truth = value(test.truth)
        low, high = min(span[0], float(truth.min())), max(span[1], float(truth.max()))
        edges = np.linspace(low, high, 43)
        for column, name in enumerate(names):
            axes = panels[row * len(names) + column]
            answer = np.clip(value(test.predictions[name].mean), low, high)
            count, _, _ = np.histogram2d(answer, truth, bins=[edges, edges])
            shown = image(axes, np.where(count > 0, count, np.nan), (low, high, low, high), SEQUENTIAL, None, None)
            shown.set_norm(LogNorm(1, max(len(truth) / 60, 10)))
            axes.plot((low, high), (low, high), color=INK, linewidth=0.7)
            axes.set_xlabel(f"true {label}", fontsize=7)
            axes.tick_params(labelsize=6.5, labelleft=column == 0)
            axes.locator_params(nbins=4)
            if row == 0:
                axes.set_title(wrapped(found.metrics.titles[name], 22), fontsize=8)
        panels[row * len(names)].set_ylabel(f"answered {label}", fontsize=7)
    drawing.colorbar(shown, ax=panels, shrink=0.5, pad=0.015, extend="max").set_label("showers a pixel")
    return drawing


@house_style()
def bias_figure(found: Found, primaries: Mapping[str, Mapping[str, tuple[Measured, Measured]]]) -> Drawing:
    """Bias of energy (above) and depth (below) in bins of energy and zenith angle, and by primary where known.

    Args:
        found: what is known of the run.
        primaries: by title of the primary and method, biases of energy (relative) and depth [g/cm2].
    """
    look, kinds = own_looks(found.metrics.kinds), found.metrics.kinds
    groups: list[tuple[str, list[str]]] = [
        (BIN_LABELS[start], [part for part in found.parts() if part.startswith(start)]) for start in (ENERGY, ZENITH)
    ]
    groups = [(label, parts) for label, parts in groups if parts] or [("test showers", ["all"])]
    groups += [("primary", list(primaries))] if primaries else []
    rows = (("energy_bias", 100.0, "energy bias [%]"), ("xmax_bias", 1.0, r"$X_\mathrm{max}$ bias [g/cm$^2$]"))
    drawing, panels = grid(2 * len(groups), len(groups), 2.0)
    handles: dict[str, Any] = {}
    for row, (metric, factor, label) in enumerate(rows):
        names = [name for name, kind in kinds.items() if kind != "floor" and found.metrics.score(name, "all", metric)]
        for column, (title, parts) in enumerate(groups):
            axes = panels[row * len(groups) + column]
            axes.axhline(0, color=INK, linewidth=0.8)
            for place, name in enumerate(names):
                values = [
                    primaries[part].get(name, (None, None))[row]
                    if title == "primary" else found.metrics.score(name, part, metric)
                    for part in parts
                ]  # fmt: skip
                drawn = bars(axes, beside(place, len(names)), values, look[name], factor)
                handles |= {} if drawn is None else {name: drawn}
            categories(axes, [said_range(part) for part in parts])
            axes.set(xlabel=f"{title}" if row else "", ylabel=label if column == 0 else "")
            axes.tick_params(axis="x", labelsize=7)
    drawing.align_ylabels()
    named_legend(drawing, {found.metrics.titles[name]: handles[name] for name in kinds if name in handles})
    return drawing


# --- uncertainties ----------------------------------------------------------------------------------------------------


@house_style()
def coverage_in_bins(found: Found, test: Scored, names: Sequence[str], columns: Sequence[int]) -> Drawing:
    """Coverage of 68 % intervals, of all showers and in bins, a panel a target; grey: what is required of all showers.

    Args:
        found: what is known of the run.
        test: answers.
        names: methods that state uncertainties.
        columns: targets.
    """
    look = own_looks(found.metrics.kinds)
    drawing, panels = grid(len(columns), 2, 2.1)
    handles: dict[str, Any] = {}
    parts = [(part, inside) for part, inside in bins(test.truth) if part in found.parts()]
    for axes, column in zip(panels, columns, strict=True):
        axes.axhspan(*(100 * edge for edge in REQUIRED_COVERAGE), color=GREY, alpha=0.3, linewidth=0)
        for place, name in enumerate(names):
            answer = test.predictions[name]
            assert answer.std is not None
            values = [
                coverage(test.truth[inside, column], answer.mean[inside, column], answer.std[inside, column], 0.68)
                for _, inside in parts
            ]
            handles[name] = bars(axes, beside(place, len(names)), values, look[name], 100.0)
        categories(axes, [ratio_label(part) for part, _ in parts], rotated=True)
        axes.set(title=list(TARGET_LABELS.values())[column])
    for axes in panels[::2]:
        axes.set_ylabel("truths in the\n68 % interval [%]")
    named_legend(drawing, {found.metrics.titles[name]: one for name, one in handles.items()})
    return drawing
