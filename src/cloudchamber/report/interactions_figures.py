"""Figures of generators of hadronic interactions: events, distributions beside the truth, conditions, speed.

Truth is a grey area, a generator a line of its own colour, dashes and marker, so that colour is never the only
difference. Conventions: GeV; momenta in the rest frame of projectile and nucleus, the projectile along z; bands and
bars are one standard error of counting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.typing import NDArray

from cloudchamber.metrics.measured import Measured
from cloudchamber.report.figures import wrapped
from cloudchamber.report.style import (
    DIVERGING,
    GREY,
    INK,
    LINES,
    PETROFF,
    SHAPES,
    WIDTH,
    colours,
    grid,
    house_style,
    new_drawing,
    row_axis,
)
from cloudchamber.simulators.hadronic.events import Events
from cloudchamber.simulators.hadronic.kinematics import to_rest
from cloudchamber.simulators.hadronic.particles import NUCLEUS

Floats = NDArray[np.float64]

LEGEND_LETTERS = 108
"""Of all columns of a legend together, so that it stays on the page."""

DASHES: tuple[Any, ...] = ("-", (0, (4, 1.2)), (0, (1.2, 1)), (0, (5, 1, 1, 1)), (0, (7, 2)), (0, (3, 1, 1, 1, 1, 1)))
FILL = "#d4dad9"
"""Of the truth."""

CLASSES: dict[str, tuple[tuple[int, ...], str, str]] = {
    "π±": ((211, -211), "o", PETROFF[0]), "π⁰, η, γ": ((111, 221, 22), "s", PETROFF[3]),
    "K": ((321, -321, 130, 310, 311, -311), "D", PETROFF[2]), "p, n": ((2212, 2112), "^", PETROFF[1]),
}  # fmt: skip
"""Kinds, marker and colour of what an event display tells apart; then there are nuclei and others."""


@dataclass(frozen=True)
class Look:
    """Colour, dashes and marker of a generator."""

    colour: str
    dashes: Any
    shape: str


def looks(kinds: Mapping[str, str]) -> dict[str, Look]:
    """How generators are drawn, the same in all figures, by name."""
    colour = colours(kinds)
    return {
        name: Look(colour[name], DASHES[number % len(DASHES)], SHAPES[number % len(SHAPES)])
        for number, name in enumerate(kinds)
    }


def in_rest_frame(events: Events) -> tuple[Floats, Floats]:
    """Transverse momentum in GeV and rapidity of every particle (particle,)."""
    owner = events.event_of
    p = to_rest(events.momentum, events.incoming[owner], events.beam.direction[owner])
    across = np.hypot(p[:, 1], p[:, 2])
    square = np.maximum(p[:, 0] ** 2 - p[:, 3] ** 2, np.maximum(across**2, 1e-12))
    return across, np.arcsinh(p[:, 3] / np.sqrt(square))


def named_legend(drawing: Drawing, handles: Mapping[str, Any], columns: int = 3) -> None:
    """Below the panels, for which the figure grows; long names are wrapped so that the columns fit on the page."""
    if handles:
        columns = min(len(handles), columns)
        names = [wrapped(name, LEGEND_LETTERS // columns - 6) for name in handles]  # 6: the handle
        drawing.legend(list(handles.values()), names, loc="outside lower center", ncols=columns)
        rows = -(-len(names) // columns)
        high = [name.count("\n") + 1 for name in names]
        lines = max(sum(high[first : first + rows]) for first in range(0, len(high), rows))
        drawing.set_figheight(drawing.get_figheight() + 0.15 + 0.06 * rows + 0.135 * lines)


# --- events -----------------------------------------------------------------------------------------------------------


@house_style()
def event_display(events: Events, titles: Sequence[str]) -> Drawing:
    """Every particle in the plane of rapidity and transverse momentum, a panel an event.

    Args:
        events: a few.
        titles: of the panels.
    """
    drawing, panels = grid(len(events), 3, 2.5)
    across, rapidity = in_rest_frame(events)
    handles: dict[str, Any] = {}
    for number, (axes, title) in enumerate(zip(panels, titles, strict=True)):
        rows = slice(events.offsets[number], events.offsets[number + 1])
        kind, x, y = events.kind[rows], rapidity[rows], across[rows]
        left = np.ones(len(kind), dtype=bool)
        groups = [(name, np.isin(kind, codes), shape, colour) for name, (codes, shape, colour) in CLASSES.items()]
        groups.append(("nuclei", np.abs(kind) >= NUCLEUS, "h", INK))
        for name, chosen, shape, colour in groups:
            _points(axes, x[chosen], y[chosen], shape, colour, handles, name)
            left &= ~chosen
        _points(axes, x[left], y[left], "X", PETROFF[7], handles, "others")
        axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
        axes.set(xlabel="rapidity", ylim=(0, None), title=wrapped(title, 34))
    panels[0].set_ylabel(r"$p_\mathrm{T}$ [GeV]")
    named_legend(drawing, handles, 6)
    return drawing


def _points(axes: Axes, x: Floats, y: Floats, shape: str, colour: str, handles: dict[str, Any], name: str) -> None:
    if len(x):
        size = 7 if shape == "h" else 5
        (drawn,) = axes.plot(
            x, y, shape, color=colour, markersize=size, markeredgecolor="white", markeredgewidth=0.5, clip_on=False,
        )  # fmt: skip
        handles.setdefault(name, drawn)


# --- distributions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Distribution:
    """A panel of ``distributions``.

    Attributes:
        label: of the axis, with unit.
        truth: values, some an event or one an event (value,).
        models: values by generator.
        truth_events, events: numbers of events behind the values, the latter by generator.
        whole: whether values are integers, each a bin of its own.
    """

    label: str
    truth: Floats
    models: Mapping[str, Floats]
    truth_events: int
    events: Mapping[str, int]
    whole: bool = False


@house_style()
def distributions(
    panels_: Sequence[Distribution], titles: Mapping[str, str], kinds: Mapping[str, str], truth: str, *,
    logarithmic: bool = False,
) -> Drawing:  # fmt: skip
    """Distributions of the models beside the truth, and below each the ratio of model to truth.

    Args:
        panels_: up to three.
        titles: of the generators by name.
        kinds: of the generators by name.
        truth: the truth's title.
        logarithmic: axes of the densities.
    """
    drawing = new_drawing(3.2)
    axes = drawing.subplots(
        2, len(panels_), squeeze=False, sharex="col", gridspec_kw={"height_ratios": [2.4, 1], "hspace": 0.02}
    )
    look = looks(kinds)
    handles: dict[str, Any] = {truth: truth_handle()}
    for column, one in enumerate(panels_):
        above, below = axes[0, column], axes[1, column]
        edges = _edges(one)
        below.set(ylim=(0.5, 1.5) if _near(one, edges) else (0, 2), xlabel=one.label)
        _draw_truth(above, below, one, edges)
        for number, name in enumerate(one.models):
            _draw_model(above, below, one, edges, name, look[name], number - (len(one.models) - 1) / 2)
            handles[titles.get(name, name)] = Line2D(
                [], [], color=look[name].colour, linestyle=look[name].dashes, marker=look[name].shape, markersize=3.5
            )
        if logarithmic:
            above.set_yscale("log")
            above.yaxis.set_minor_formatter(NullFormatter())
        else:
            above.set_ylim(0, None)
        below.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=one.whole))
        above.set_xlim(float(edges[0]), float(edges[-1]))
    axes[0, 0].set_ylabel("per event and unit")
    axes[1, 0].set_ylabel("model / truth")
    drawing.align_ylabels()
    named_legend(drawing, handles)
    return drawing


def truth_handle() -> Rectangle:
    """The truth in a legend."""
    return Rectangle((0, 0), 1, 1, facecolor=FILL, edgecolor=INK, linewidth=0.8)


def _draw_truth(above: Axes, below: Axes, one: Distribution, edges: Floats) -> None:
    """The truth's density as an area, and its relative error about 1 as a band."""
    counts, _ = np.histogram(one.truth, edges)
    true = counts / (one.truth_events * np.diff(edges))
    above.stairs(true, edges, fill=True, color=FILL, zorder=1)
    above.stairs(true, edges, color=INK, linewidth=0.8, zorder=2)
    band = np.where(counts > 0, 1 / np.sqrt(np.maximum(counts, 1)), np.nan)
    below.stairs(1 + band, edges, baseline=1 - band, fill=True, color=FILL)
    below.axhline(1, color=INK, linewidth=0.8)


def _draw_model(above: Axes, below: Axes, one: Distribution, edges: Floats, name: str, how: Look, place: float) -> None:
    """A model's density and its ratio to the truth; what leaves the panel of the ratio is drawn at its edge."""
    counts, _ = np.histogram(one.truth, edges)
    made, _ = np.histogram(one.models[name], edges)
    width = np.diff(edges)
    above.stairs(
        made / (one.events[name] * width), edges, color=how.colour, linestyle=how.dashes, linewidth=1.3, zorder=3
    )
    shown = (counts > 0) & (made > 0)
    ratio = made[shown] / counts[shown] * one.truth_events / one.events[name]
    low, high = below.get_ylim()
    middle = (0.5 * (edges[1:] + edges[:-1]) + 0.12 * place * width)[shown]
    below.errorbar(
        middle, np.clip(ratio, low + 0.02, high - 0.02), yerr=ratio / np.sqrt(made[shown]), fmt=how.shape,
        color=how.colour, markersize=2.8, linewidth=0.8, zorder=3,
    )  # fmt: skip


def _edges(one: Distribution) -> Floats:
    """Edges of bins that hold the truth and a margin; what a model puts beyond them is not drawn."""
    low, high = np.quantile(one.truth, [0.0005, 0.9995]) if len(one.truth) else (0.0, 1.0)
    margin = 0.1 * (high - low)
    lowest = 0.0 if low >= 0 else -np.inf
    if one.whole:
        low, high = max(low - margin, lowest), high + max(margin, 1)
        step = max(int(np.ceil((high - low + 1) / 30)), 1)
        return np.arange(np.floor(low), np.ceil(high) + step + 0.1, step) - 0.5
    return np.linspace(max(low - margin, lowest), max(high + margin, low + 1e-9), 36)


def _near(one: Distribution, edges: Floats) -> bool:
    """Whether the ratios of well-filled bins stay within a factor that the narrow panel shows."""
    counts, _ = np.histogram(one.truth, edges)
    for name, values in one.models.items():
        made, _ = np.histogram(values, edges)
        filled = counts > 100
        ratio = made[filled] / counts[filled] * one.truth_events / max(one.events[name], 1)
        if len(ratio) and (ratio.min() < 0.55 or ratio.max() > 1.45):
            return False
    return True


# --- observables ------------------------------------------------------------------------------------------------------


@house_style()
def observable_dots(
    scores: Mapping[str, Mapping[str, Measured]], titles: Mapping[str, str], kinds: Mapping[str, str],
    labels: Mapping[str, str],
) -> Drawing:  # fmt: skip
    """Wasserstein distance over sigma, a row an observable, a marker a generator; floors are joined grey crosses.

    Args:
        scores: by generator and observable.
        titles: of the generators by name.
        kinds: of the generators by name.
        labels: of the observables, by name, in the order of the rows.
    """
    names = [name for name in labels if any(name in one for one in scores.values())]
    drawing = new_drawing(0.7 + 0.2 * len(names))
    axes, look = drawing.subplots(), looks(kinds)
    handles: dict[str, Any] = {}
    for number, (model, found) in enumerate(scores.items()):
        rows = [row for row, name in enumerate(names) if name in found]
        value = np.array([found[names[row]].value for row in rows])
        error = np.nan_to_num(np.array([found[names[row]].error for row in rows]))
        how, floor = look[model], kinds.get(model) == "floor"
        bars = np.stack([np.minimum(error, 0.7 * value), error])
        shift = 0.0 if floor else (number - (len(scores) - 1) / 2) * 0.5 / max(len(scores), 1)
        handles[titles.get(model, model)] = axes.errorbar(
            value, np.array(rows) + shift, xerr=None if floor else bars, fmt="x" if floor else how.shape,
            color=how.colour, markersize=4.5, linewidth=0.9, linestyle="--" if floor else "none",
            zorder=1 if floor else 3,
        )  # fmt: skip
    axes.set(xscale="log", xlabel="Wasserstein distance / standard deviation of the truth")
    axes.xaxis.set_major_formatter("{x:g}")
    row_axis(axes, len(names), [labels[name] for name in names])
    named_legend(drawing, handles)
    return drawing


@house_style()
def correlation_maps(
    truth: Mapping[str, Floats], models: Mapping[str, Mapping[str, Floats]], titles: Mapping[str, str],
    labels: Mapping[str, str], truth_title: str,
) -> Drawing:  # fmt: skip
    """Correlation coefficients of the observables: truth, and model minus truth, a panel a generator, two in a row.

    Args:
        truth: observables (event,) by name.
        models: the same by generator, one at least.
        titles: of the generators.
        labels: of the observables.
        truth_title: the truth's title.
    """
    names = [name for name in truth if all(one[name].std() > 0 for one in (truth, *models.values()))]
    rows = -(-(1 + len(models)) // 2)
    drawing, panels = grid(1 + len(models), 2, (1.9 + 2.7 * rows) / rows)
    tables = [np.corrcoef(np.stack([one[name] for name in names])) for one in (truth, *models.values())]
    off = [table - tables[0] for table in tables[1:]]
    reach = max([0.05, *(float(np.abs(one).max()) for one in off)])
    texts = [truth_title, *(f"{titles.get(name, name)}, minus truth" for name in models)]
    drawn: list[Any] = []
    for number, (axes, values, title) in enumerate(zip(panels, [tables[0], *off], texts, strict=True)):
        limit = reach if number else 1.0
        drawn.append(axes.imshow(values, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="none"))
        axes.set_title(wrapped(title, 40))
        labelled = [labels.get(name, name) for name in names]
        lowest, first = number + 2 >= len(panels), number % 2 == 0
        axes.set_xticks(range(len(names)), labelled if lowest else [""] * len(names), rotation=90)
        axes.set_yticks(range(len(names)), labelled if first else [""] * len(names))
        axes.tick_params(labelsize=7, length=0)
    for side, (image, label) in enumerate(zip(drawn, ("truth", "model minus truth"), strict=False)):
        bar = drawing.colorbar(image, ax=panels[side::2], location="bottom", shrink=0.9, aspect=30, pad=0.02)
        bar.ax.xaxis.set_major_locator(MaxNLocator(nbins=5))
        bar.set_label(f"correlation coefficient, {label}")
    return drawing


# --- speed and training ----------------------------------------------------------------------------------------------


@house_style()
def speed_figure(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str], kinds: Mapping[str, str]) -> Drawing:
    """Events a second against the number asked for at once, a panel a projectile on a target, a line a model.

    Args:
        rows: model, projectile, target, energy (GeV), batch, events_per_second.
        titles: of the generators by name; other models are simulators and stand under their own name.
        kinds: of the generators by name.
    """
    cases = list(dict.fromkeys((row["projectile"], row["target"], float(row["energy"])) for row in rows))
    models = list(dict.fromkeys(str(row["model"]) for row in rows))
    others = {name: "simulator" for name in models if name not in kinds}
    look = looks({**kinds, **others})
    columns = 2 if len(cases) in (2, 4) else min(len(cases), 3)
    drawing, panels = grid(len(cases), columns, 2.4, width=WIDTH if len(cases) > 1 else 4.5, shared=True)
    handles: dict[str, Any] = {}
    for axes, (projectile, target, energy) in zip(panels, cases, strict=True):
        for name in models:
            points = sorted(
                (float(row["batch"]), float(row["events_per_second"]))
                for row in rows
                if (str(row["model"]), row["projectile"], row["target"], float(row["energy"]))
                == (name, projectile, target, energy)
            )
            if not points:
                continue
            how, simulator = look[name], name in others
            shade = INK if simulator else how.colour
            (handles[titles.get(name, name)],) = axes.plot(
                *zip(*points, strict=True), color=shade, linestyle=how.dashes, marker=how.shape, linewidth=1.2,
                markerfacecolor="white" if simulator else shade,
            )  # fmt: skip
        axes.set(xscale="log", yscale="log", title=f"{projectile} on {target}, {energy:g} GeV")
        axes.grid(color=LINES, linewidth=0.6)
    for axes in panels[-columns:]:
        axes.set_xlabel("events asked for at once")
    for axes in panels[::columns]:
        axes.set_ylabel("events per second")
    named_legend(drawing, handles)
    return drawing


@house_style()
def training_figure(
    history: Sequence[Mapping[str, str]], titles: Mapping[str, str], kinds: Mapping[str, str],
    scores: Mapping[str, str],
) -> Drawing:  # fmt: skip
    """Training loss (left) and score that selects weights (right) by epoch, a row a score.

    Losses of models that are selected by other scores have other units.

    Args:
        history: lines of history.csv: predictor, epoch, train_loss and the scores, of which a predictor has one; the
            others are empty. A predictor is a generator, or a part of one ("flow/counts": hollow markers).
        titles: of the generators by name.
        kinds: of the generators by name.
        scores: labels of the columns of scores.
    """
    drawing, panels = grid(2 * len(scores), 2, 2.1)
    look = looks(kinds)
    handles: dict[str, Any] = {}
    for row, (score, label) in enumerate(scores.items()):
        lines = [line for line in history if line.get(score) and line["predictor"].partition("/")[0] in kinds]
        left, right = panels[2 * row : 2 * row + 2]
        for name in dict.fromkeys(line["predictor"] for line in lines):
            owner, _, part = name.partition("/")
            how = look[owner]
            own = [line for line in lines if line["predictor"] == name]
            for axes, column in ((left, "train_loss"), (right, score)):
                (drawn,) = axes.plot(
                    [float(line["epoch"]) for line in own], [float(line[column]) for line in own], color=how.colour,
                    linestyle=how.dashes, marker=how.shape, markevery=max(len(own) // 8, 1), linewidth=1.1,
                    markerfacecolor="white" if part else how.colour,
                )  # fmt: skip
            handles[titles.get(owner, owner) + (f": {part}" if part else "")] = drawn
        left.set_ylabel("training loss")
        right.set_ylabel(label)
        for axes in (left, right):
            axes.set_xlabel("epoch" if row == len(scores) - 1 else "")
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
            axes.ticklabel_format(axis="y", useOffset=False)
    named_legend(drawing, handles)
    return drawing
