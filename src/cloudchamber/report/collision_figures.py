"""Figures of the emulator of nuclear collisions: events, histograms, distributions and means beside the simulator.

The simulator is black and grey, a generator a line of its own colour, dashes and marker, the same in all figures of a
report, so that colour is never the only difference. Bands and bars are one standard error of counting, or of means.
Conventions: common rest frame, the beam along +z, the projectile displaced to +x; fm, MeV, degrees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from cloudchamber.data.phase_space_histograms import DISTANCE_EDGES, MOMENTUM_EDGES, THETA_EDGES
from cloudchamber.report.figures import PLATE
from cloudchamber.report.interactions_figures import FILL, Look, looks, named_legend, truth_handle
from cloudchamber.report.style import INK, LINES, SEQUENTIAL, WIDTH, house_style, new_drawing

Floats = NDArray[np.float64]

RADIUS = 1.2
"""fm: of a nucleus over the cube root of its A."""
BEHIND = 0.9
"""Share of the gas that a picture of an event reaches."""
SCALE = 0.06
"""fm of an arrow for 1 MeV/c per nucleon."""
FAINTEST = 1e-3
"""Nucleons in a bin of a picture of histograms, at least, to be drawn."""
CHANNELS = ("first: faster along the beam", "second: the other large one", "third: the third largest")
COLUMNS = 3
"""Panels in a row."""
BINS = 20
"""Of values that are no integers."""
FILLED = 5
"""Values of the simulator in a bin, at least, for a ratio."""
RATIOS = (0.0, 2.0)
"""Of panels of ratios; what leaves them is drawn at the edge."""
SPARE = 4
"""Events in a bin of the impact parameter, at least, for a mean and a spread."""


# --- events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EventPicture:
    """An event at freeze-out.

    Attributes:
        b: impact parameter [fm].
        A: of the fragments (fragment,).
        position, momentum: of the fragments (fragment, 3) [fm, MeV/c of the whole fragment].
        gas: positions of particles (particle, 3) [fm].
    """

    b: float
    A: Floats
    position: Floats
    momentum: Floats
    gas: Floats


@house_style()
def event_pictures(events: Sequence[EventPicture]) -> Drawing:
    """Events seen from the side, a panel each: gas as dots, fragments as discs with arrows along their momentum.

    Args:
        events: a few.
    """
    drawing = new_drawing(0.7 + 6.3 / max(len(events), 3))
    panels = drawing.subplots(1, len(events), squeeze=False, sharex=True, sharey=True)[0]
    reach = max(_reach(one) for one in events)
    for axes, one in zip(panels, events, strict=True):
        axes.scatter(one.gas[:, 2], one.gas[:, 0], s=1.4, color=INK, linewidths=0, alpha=0.45, rasterized=True)
        for A, place, momentum in zip(one.A, one.position, one.momentum, strict=True):
            radius = RADIUS * float(A) ** (1 / 3)
            tip = place + SCALE * momentum / A
            arrow = FancyArrowPatch(
                (place[2], place[0]), (tip[2], tip[0]), arrowstyle="-|>", mutation_scale=8, color=INK, linewidth=1.0,
                shrinkA=0, shrinkB=0, zorder=3,
            )  # fmt: skip
            axes.add_patch(arrow)
            disc = Circle((place[2], place[0]), radius, facecolor=INK, edgecolor="white", linewidth=0.5, zorder=4)
            axes.add_patch(disc)
            axes.annotate(
                f"{A:.1f}", (place[2], place[0] - radius), (0, -2), textcoords="offset points", fontsize=7.5,
                ha="center", va="top", bbox=PLATE | {"boxstyle": "round,pad=0.1"},
            )  # fmt: skip
        axes.set(
            title=f"b = {one.b:.1f} fm", xlabel="z, along the beam [fm]", xlim=(-reach, reach), ylim=(-reach, reach),
            aspect="equal",
        )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    panels[0].set_ylabel("x, across the beam [fm]")
    return drawing


def _reach(one: EventPicture) -> float:
    """How far a picture goes from the origin to show most of the gas and all fragments with their arrows [fm]."""
    gas = np.abs(one.gas[:, [0, 2]]).max(axis=1) if len(one.gas) else np.zeros(1)
    tips = one.position + SCALE * one.momentum / one.A[:, None]
    fragments = np.abs(np.concatenate([one.position, tips])[:, [0, 2]]).max(initial=0.0)
    return max(float(np.quantile(gas, BEHIND)), float(fragments) + 3.0)


@house_style()
def histogram_maps(histogram: Floats) -> Drawing:
    """The talk's representation of an event: fragment and gas against angle, all over distance; a row a filled channel.

    Args:
        histogram: (channel, momentum, theta, distance) in nucleons.
    """
    filled = np.flatnonzero(histogram.sum(axis=(1, 2, 3)) > 0)
    histogram = histogram[filled]
    views = [histogram[..., 0], histogram[..., 1:].sum(axis=3), histogram.sum(axis=2)]
    across = [np.degrees(THETA_EDGES), np.degrees(THETA_EDGES), DISTANCE_EDGES]
    names = ["fragment (r < 1 fm)", "gas (r > 1 fm)", "summed over angles"]
    top = max(float(one.max()) for one in views)
    norm = LogNorm(FAINTEST, max(top, 10 * FAINTEST))
    drawing = new_drawing(1.45 * len(histogram) + 0.4)
    axes = drawing.subplots(len(histogram), 3, squeeze=False, sharex="col", sharey=True)
    drawn = None
    for channel, row in enumerate(axes):
        for panel, view, edges in zip(row, views, across, strict=True):
            values = np.ma.masked_less(view[channel], FAINTEST)
            drawn = panel.pcolormesh(edges, MOMENTUM_EDGES, values, cmap=SEQUENTIAL, norm=norm, rasterized=True)
            panel.text(
                0.97, 0.93, f"{view[channel].sum():.1f} nucleons", transform=panel.transAxes, ha="right", va="top",
                fontsize=7, bbox=PLATE,
            )  # fmt: skip
            panel.set_ylim(MOMENTUM_EDGES[0], MOMENTUM_EDGES[-1])
        row[0].set_ylabel(f"{CHANNELS[filled[channel]].split(':')[0]} channel\n|p| [MeV/c]", fontsize=8)
    for panel, name in zip(axes[0], names, strict=True):
        panel.set_title(name)
    for panel, label in zip(axes[-1], ("angle with the beam [°]",) * 2 + ("distance r [fm]",), strict=True):
        panel.set_xlabel(label)
    for panel in axes[-1, :2]:
        panel.xaxis.set_major_locator(FixedLocator([0, 45, 90, 135, 180]))
    assert drawn is not None
    drawing.colorbar(drawn, ax=axes.ravel().tolist(), aspect=30, pad=0.01, label="nucleons in a bin")
    return drawing


# --- distributions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Distribution:
    """A panel of ``distributions``.

    Attributes:
        label: of the axis, with unit.
        truth: values, some an event or one an event (value,).
        models: values by generator.
        truth_events: number of events behind the values.
        events: the same by generator.
        whole: whether values are integers, each a bin of its own.
        logarithmic: whether densities have such an axis.
        title: above the panel.
    """

    label: str
    truth: Floats
    models: Mapping[str, Floats]
    truth_events: int
    events: Mapping[str, int]
    whole: bool = False
    logarithmic: bool = False
    title: str = ""


@house_style()
def distributions(
    panels: Sequence[Distribution], titles: Mapping[str, str], kinds: Mapping[str, str], *, ratios: bool = True
) -> Drawing:
    """Distributions of generators beside the simulator's, three in a row, and below each the ratio to it.

    Args:
        panels: what is drawn.
        titles: of the generators by name.
        kinds: of the generators by name.
        ratios: whether there are panels of ratios.
    """
    rows, columns = -(-len(panels) // COLUMNS), min(COLUMNS, len(panels))
    each = 2 if ratios else 1
    drawing = new_drawing((2.5 if ratios else 1.6) * rows, WIDTH)
    axes = drawing.subplots(
        each * rows, columns, squeeze=False, gridspec_kw={"height_ratios": ([2.2, 1] if ratios else [1]) * rows}
    )
    drawing.get_layout_engine().set(h_pad=0.02, hspace=0)  # type: ignore[union-attr, call-arg]
    look = looks(kinds)
    for number in range(len(panels), rows * columns):
        for part in range(each):
            axes[each * (number // columns) + part, number % columns].set_axis_off()
    for number, one in enumerate(panels):
        row, column = each * (number // columns), number % columns
        above, lowest = axes[row, column], axes[row + each - 1, column]
        edges = _edges(one)
        _draw_densities(above, one, edges, look)
        if ratios:
            _draw_ratios(lowest, one, edges, look)
            above.tick_params(labelbottom=False)
        lowest.set_xlabel(one.label)
        for panel in (above, lowest):
            panel.set_xlim(float(edges[0]), float(edges[-1]))
            panel.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=one.whole))
        if column == 0:
            above.set_ylabel("per event and unit", fontsize=8)
            if ratios:
                lowest.set_ylabel("over\nsimulator", fontsize=8)
    drawing.align_ylabels()
    drawn = [name for name in kinds if any(name in one.models for one in panels)]
    named_legend(drawing, {"simulator": truth_handle()} | handles_of(drawn, titles, look))
    return drawing


def handles_of(names: Sequence[str], titles: Mapping[str, str], look: Mapping[str, Look]) -> dict[str, Line2D]:
    """What a legend shows of generators.

    Args:
        names: of the generators.
        titles: of the generators by name.
        look: of the generators by name.
    """
    return {
        titles.get(name, name): Line2D(
            [], [], color=look[name].colour, linestyle=look[name].dashes, marker=look[name].shape, markersize=3.5
        )
        for name in names
    }


def _edges(one: Distribution) -> Floats:
    """Edges of bins that hold nearly all of the simulator's values; what a generator puts beyond is not drawn."""
    if not len(one.truth):
        return np.linspace(0.0, 1.0, BINS + 1)
    if one.whole:
        return np.arange(np.floor(one.truth.min()), np.ceil(one.truth.max()) + 2) - 0.5
    low, high = np.quantile(one.truth, [0.002, 0.998])
    margin = 0.05 * (high - low)
    lowest = 0.0 if low >= 0 else low - margin
    number = int(np.clip(len(one.truth) // 8, 6, BINS))
    return np.linspace(max(low - margin, lowest), max(high + margin, low + 1e-9), number + 1)


def _draw_densities(axes: Axes, one: Distribution, edges: Floats, look: Mapping[str, Look]) -> None:
    """The simulator as an area with the errors of its counts, generators as steps."""
    width = np.diff(edges)
    counts, _ = np.histogram(one.truth, edges)
    true = counts / (max(one.truth_events, 1) * width)
    error = np.sqrt(counts) / (max(one.truth_events, 1) * width)
    axes.stairs(true, edges, fill=True, color=FILL, zorder=1)
    axes.stairs(true, edges, color=INK, linewidth=0.9, zorder=2)
    middle = (edges[1:] + edges[:-1]) / 2
    axes.errorbar(middle, true, error, fmt="none", ecolor=INK, elinewidth=0.8, zorder=2)
    shown = [true[true > 0]]
    for name, values in one.models.items():
        made = np.histogram(values, edges)[0] / (max(one.events[name], 1) * width)
        axes.stairs(made, edges, color=look[name].colour, linestyle=look[name].dashes, linewidth=1.2, zorder=3)
        shown.append(made[made > 0])
    positive = np.concatenate(shown)
    if one.logarithmic and len(positive):
        axes.set_yscale("log")
        axes.set_ylim(float(positive.min()) / 2, float(positive.max()) * 2)
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(0, None)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.set_title(one.title)
    axes.tick_params(labelsize=7)


def _draw_ratios(axes: Axes, one: Distribution, edges: Floats, look: Mapping[str, Look]) -> None:
    """Generator over simulator with the errors of the generator's counts, and those of the simulator's about 1."""
    counts, _ = np.histogram(one.truth, edges)
    band = np.where(counts > 0, 1 / np.sqrt(np.maximum(counts, 1)), np.nan)
    axes.stairs(1 + band, edges, baseline=1 - band, fill=True, color=FILL)
    axes.axhline(1, color=INK, linewidth=0.8)
    low, high = RATIOS
    width = np.diff(edges)
    for number, (name, values) in enumerate(one.models.items()):
        made, _ = np.histogram(values, edges)
        there = counts >= FILLED
        ratio = made[there] / counts[there] * one.truth_events / max(one.events[name], 1)
        error = ratio / np.sqrt(np.maximum(made[there], 1))
        shift = 0.16 * (number - (len(one.models) - 1) / 2)
        middle = ((edges[1:] + edges[:-1]) / 2 + shift * width)[there]
        axes.errorbar(
            middle, np.clip(ratio, low + 0.03, high - 0.03), error, fmt=look[name].shape, color=look[name].colour,
            markersize=2.4, linewidth=0.7, zorder=3,
        )  # fmt: skip
    axes.set(ylim=RATIOS)
    axes.set_yticks([0.5, 1, 1.5])
    axes.tick_params(labelsize=7)


# --- means and spreads against the impact parameter -------------------------------------------------------------------


@dataclass(frozen=True)
class Profile:
    """A quantity against the impact parameter.

    Attributes:
        label: with unit.
        truth: values of the simulator's events (event,).
        models: the same by generator.
    """

    label: str
    truth: Floats
    models: Mapping[str, Floats]


@house_style()
def profiles(
    panels: Sequence[Profile], b: Floats, of_models: Mapping[str, Floats], titles: Mapping[str, str],
    kinds: Mapping[str, str],
) -> Drawing:  # fmt: skip
    """Means (above) and standard deviations (below) of events in bins of the impact parameter.

    Args:
        panels: what is drawn, three in a row.
        b: impact parameter of the simulator's events (event,) [fm].
        of_models: that of the events of each generator.
        titles: of the generators by name.
        kinds: of the generators by name.
    """
    rows, columns = -(-len(panels) // COLUMNS), min(COLUMNS, len(panels))
    drawing = new_drawing(2.7 * rows)
    axes = drawing.subplots(
        2 * rows, columns, squeeze=False, sharex=True, gridspec_kw={"height_ratios": [1.7, 1] * rows}
    )
    drawing.get_layout_engine().set(h_pad=0.02, hspace=0)  # type: ignore[union-attr, call-arg]
    look = looks(kinds)
    edges = impact_bins(b)
    for number in range(len(panels), rows * columns):
        for part in range(2):
            axes[2 * (number // columns) + part, number % columns].set_axis_off()
    for number, one in enumerate(panels):
        row, column = 2 * (number // columns), number % columns
        pair = axes[row, column], axes[row + 1, column]
        true = binned(b, one.truth, edges)
        for panel, value, error in zip(pair, (true.mean, true.spread), (true.mean_error, true.spread_error),
                                       strict=True):  # fmt: skip
            _draw_steps(panel, edges, value, error)
        for place, (name, values) in enumerate(one.models.items()):
            made = binned(of_models[name], values, edges)
            middle = (edges[1:] + edges[:-1]) / 2 + 0.1 * (place - (len(one.models) - 1) / 2) * np.diff(edges)
            for panel, value, error in zip(pair, (made.mean, made.spread), (made.mean_error, made.spread_error),
                                           strict=True):  # fmt: skip
                panel.errorbar(
                    middle, value, error, fmt=look[name].shape, color=look[name].colour, markersize=3, linewidth=0.8,
                    linestyle="none", zorder=3,
                )  # fmt: skip
        pair[0].set_title(one.label)
        for panel in pair:
            panel.yaxis.set_major_locator(MaxNLocator(nbins=4))
            panel.tick_params(labelsize=7)
        pair[1].set_ylim(0, None)
        pair[1].set_xlabel("b [fm]" if number + columns >= len(panels) else "")
        if column == 0:
            pair[0].set_ylabel("mean", fontsize=8)
            pair[1].set_ylabel("standard\ndeviation", fontsize=8)
    axes[0, 0].set_xlim(float(edges[0]), float(edges[-1]))
    drawing.align_ylabels()
    drawn = [name for name in kinds if any(name in one.models for one in panels)]
    points = {name: _without_line(handle) for name, handle in handles_of(drawn, titles, look).items()}
    named_legend(drawing, {"simulator": truth_handle()} | points)
    return drawing


@dataclass(frozen=True)
class Binned:
    """Mean and standard deviation in each bin (bin,), with their standard errors; nan where there are few events."""

    mean: Floats
    mean_error: Floats
    spread: Floats
    spread_error: Floats


def impact_bins(b: Floats) -> Floats:
    """Edges [fm] of bins of the impact parameter that hold many events each.

    Args:
        b: impact parameters (event,) [fm].
    """
    number = int(np.clip(len(b) // 30, 3, 8))
    low, high = (float(b.min()), float(b.max())) if len(b) else (0.0, 8.0)
    return np.linspace(np.floor(low), max(np.ceil(high), np.floor(low) + 1), number + 1)


def binned(b: Floats, values: Floats, edges: Floats) -> Binned:
    """Mean and standard deviation of values in bins of the impact parameter; errors as of normal distributions.

    Args:
        b: impact parameters (event,) [fm].
        values: (event,).
        edges: of the bins [fm].
    """
    found = np.full((4, len(edges) - 1), np.nan)
    own = np.clip(np.searchsorted(edges, b, side="right") - 1, 0, len(edges) - 2)
    for place in range(len(edges) - 1):
        inside = values[own == place]
        n = len(inside)
        if n >= SPARE:
            spread = float(inside.std(ddof=1))
            found[:, place] = inside.mean(), spread / np.sqrt(n), spread, spread / np.sqrt(2 * (n - 1))
    return Binned(*found)


def _draw_steps(axes: Axes, edges: Floats, value: Floats, error: Floats) -> None:
    axes.stairs(value + error, edges, baseline=value - error, fill=True, color=FILL, zorder=1)
    for left, right, height in zip(edges[:-1], edges[1:], value, strict=True):
        axes.plot([left, right], [height, height], color=INK, linewidth=1.1, zorder=2)
    axes.grid(axis="x", color=LINES, linewidth=0.5)


def _without_line(handle: Line2D) -> Line2D:
    handle.set_linestyle("none")
    return handle
