"""Figures of the transport simulator's checks: an event, laws, limits, fluctuations, freeze-out, reactions, cost.

Whatever is compared has a colour, dashes and a marker of its own, so that colour is never the only difference; what is
required is grey. Figures beside measured fragments are in ``transport_data_figures``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from cloudchamber.report.interactions_figures import DASHES, FILL, named_legend
from cloudchamber.report.style import (
    GREY,
    INK,
    LINES,
    PETROFF,
    SHAPES,
    WIDTH,
    grid,
    house_style,
    image,
    largest,
    new_drawing,
)
from cloudchamber.report.transport_data_figures import isotope_label

Floats = NDArray[np.float64]

FAINTEST = 0.05
"""Of the largest column density: what is below it does not widen a picture."""
SHAPE = 0.4
"""Of a picture, height over width, at least: titles have room below the nuclei."""
DENSITY = "magma_r"
"""From nearly white, so that thin gas is faint, to black."""
NARROW = 2.2
"""Inches: height of a row of small panels."""


def look(place: int) -> dict[str, Any]:
    """Colour and dashes of a line.

    Args:
        place: of what is drawn, from 0, the same in all figures of a report.
    """
    return {"color": PETROFF[place % len(PETROFF)], "linestyle": DASHES[place % len(DASHES)]}


def marked(place: int) -> dict[str, Any]:
    """Colour, dashes and marker of a line through points.

    Args:
        place: of what is drawn.
    """
    return {**look(place), "marker": SHAPES[place % len(SHAPES)], "markersize": 3.5, "linewidth": 1.2}


def legend_of(drawing: Drawing, axes: Axes, columns: int = 4) -> None:
    """The legend of a panel below all panels, for which the figure grows.

    Args:
        drawing: the figure.
        axes: the panel.
        columns: at most.
    """
    handles, titles = axes.get_legend_handles_labels()
    named_legend(drawing, dict(zip(titles, handles, strict=True)), columns)


# --- an event ---------------------------------------------------------------------------------------------------------


@house_style()
def density_pictures(density: Mapping[str, Floats], time: Floats, x: Floats, z: Floats) -> Drawing:
    """Column densities as time goes on: a row a mode, the beam along the horizontal axis.

    Args:
        density: (frame, x, z) [fm^-2] by title of the mode.
        time: (frame,) [fm/c].
        x: edges of the bins across the beam [fm].
        z: edges of the bins along the beam [fm].
    """
    top = max(largest(one) for one in density.values())
    seen = np.max([one.max(axis=0) for one in density.values()], axis=0) > FAINTEST * top
    long = _reach(z, seen.any(axis=0))
    wide = max(_reach(x, seen.any(axis=1)), min(SHAPE * long, float(np.abs(x).max())))
    panel = 0.81 * WIDTH / len(time)
    drawing = new_drawing(len(density) * (panel * wide / long + 0.1) + 0.55)
    panels = drawing.subplots(len(density), len(time), squeeze=False, sharex=True, sharey=True)
    drawing.get_layout_engine().set(h_pad=0.02, w_pad=0.02, hspace=0, wspace=0)  # type: ignore[union-attr, call-arg]
    drawn = None
    for row, (title, frames) in zip(panels, density.items(), strict=True):
        for axes, frame in zip(row, frames, strict=True):
            shown = np.where(frame > 0, frame, np.nan)
            drawn = image(axes, shown, (z[0], z[-1], x[0], x[-1]), DENSITY, 0.0, top)
            axes.set(xlim=(-long, long), ylim=(-wide, wide), aspect="equal")
            axes.xaxis.set_major_locator(MaxNLocator(nbins=3))
            axes.yaxis.set_major_locator(MaxNLocator(nbins=3))
            axes.tick_params(labelsize=7)
        row[0].set_ylabel("$x$ [fm]", fontsize=8)
        row[0].text(0.03, 0.04, title, transform=row[0].transAxes, fontsize=7, va="bottom", in_layout=False)
    for axes, moment in zip(panels[0], time, strict=True):
        axes.set_title(f"{moment:.0f} fm/c")
    panels[-1, len(time) // 2].set_xlabel("$z$, along the beam [fm]")
    assert drawn is not None
    drawing.colorbar(drawn, ax=panels.ravel().tolist(), aspect=18, pad=0.01, label="density [fm$^{-2}$]")
    return drawing


def _reach(edges: Floats, seen: NDArray[np.bool_]) -> float:
    """How far from 0 a picture goes so that all bins that are seen are in it, the same on both sides [fm]."""
    if not seen.any():
        return float(np.abs(edges).max())
    outer = np.maximum(np.abs(edges[:-1]), np.abs(edges[1:]))[seen].max()
    return float(min(outer + 1.0, np.abs(edges).max()))


# --- distributions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Panel:
    """A panel of distributions.

    Attributes:
        label: of the axis, with unit.
        values: (value,) by title.
        bins: how many, if ``step`` is 0.
        step: width of the bins, whose edges then are its multiples.
        limits: values at which a vertical line is drawn.
    """

    label: str
    values: Mapping[str, Floats]
    bins: int = 24
    step: float = 0.0
    limits: tuple[float, ...] = ()

    def edges(self) -> Floats:
        """Edges of the bins, the same for all values, limits among them."""
        every = np.concatenate([*self.values.values(), self.limits])
        every = every[np.isfinite(every)]
        low, high = (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)
        if self.step:
            first, last = np.floor(low / self.step), np.floor(high / self.step) + 1
            return np.asarray(self.step * np.arange(first, last + 1))
        margin = 0.04 * (high - low) or 0.5 * max(abs(high), 1e-3)
        return np.linspace(low - margin, high + margin, self.bins + 1)


@house_style()
def histograms(panels_: Sequence[Panel], what: str, columns: int = 4) -> Drawing:
    """Distributions as steps, each with the sum 1; limits are dashed.

    Args:
        panels_: the panels; the first one has the legend.
        what: is counted, in the plural.
        columns: most panels in a row.
    """
    columns = min(columns, len(panels_))
    drawing, panels = grid(len(panels_), columns, NARROW, width=WIDTH if len(panels_) > 1 else 4.2)
    for number, (axes, one) in enumerate(zip(panels, panels_, strict=True)):
        edges = one.edges()
        for place, (title, values) in enumerate(one.values.items()):
            counts, _ = np.histogram(values, edges)
            share = counts / max(len(values), 1)
            if place == 0:
                axes.stairs(share, edges, fill=True, color=PETROFF[0], alpha=0.25)
            axes.stairs(share, edges, linewidth=1.4, label=title, **look(place))
        for limit in one.limits:
            axes.axvline(limit, color=GREY, linestyle=DASHES[1], linewidth=1.2)
        axes.set(xlabel=one.label, xlim=(edges[0], edges[-1]), ylim=(0, None))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
        if number % columns == 0:
            axes.set_ylabel(f"share of {what}")
    if len(panels_[0].values) > 1:
        legend_of(drawing, panels[0])
    return drawing


# --- ground states and the box ----------------------------------------------------------------------------------------


@house_style()
def ground_state_figure(
    nuclei: Mapping[str, Sequence[Floats]],
    change: tuple[float, float] | None,
    emitted: float | None,
) -> Drawing:
    """Radius over initial radius, and share of nucleons emitted, against time.

    Args:
        nuclei: time [fm/c], radius over initial radius, emitted share, each (look,), by name such as ``C12``.
        change: of the radius that is allowed, as shares. None: no band.
        emitted: share that may be emitted. None: no line.
    """
    drawing, (left, right) = grid(2, 2, 2.7)
    for place, (name, (time, radius, gone)) in enumerate(nuclei.items()):
        style = marked(place)
        left.plot(np.append(0.0, time), np.append(1.0, radius), label=isotope_label(name), **style)
        right.plot(np.append(0.0, time), np.append(0.0, gone), **style)
    if change is not None:
        left.axhspan(1 + change[0], 1 + change[1], color=FILL, alpha=0.5, linewidth=0, zorder=0)
    if emitted is not None:
        right.axhline(emitted, color=GREY, linestyle=DASHES[1], linewidth=1.2, zorder=0)
    left.axhline(1, color=INK, linewidth=0.7, zorder=1)
    left.set(xlabel="time [fm/c]", ylabel="rms radius / initial rms radius")
    right.set(xlabel="time [fm/c]", ylabel="share of nucleons emitted", ylim=(0, None))
    for axes in (left, right):
        axes.set_xlim(0, None)
    legend_of(drawing, left, 6)
    return drawing


@house_style()
def occupation_figure(momentum: Floats, shares: Mapping[str, Floats], spread: Floats | None = None) -> Drawing:
    """Occupation against momentum: the first as a line, the others as points.

    Args:
        momentum: (bin,) [MeV/c].
        shares: (bin,) by title, what is true first.
        spread: of the second of them (bin,). None: not drawn.
    """
    drawing = new_drawing(2.7, 4.6)
    axes = drawing.subplots()
    first, *others = shares.items()
    axes.plot(momentum, first[1], color=INK, linewidth=1.2, label=first[0])
    for place, (title, values) in enumerate(others):
        style = marked(place) | {"linestyle": "none"}
        if place == 0:
            style["markerfacecolor"] = "white"  # what lies below the next ones shows
        axes.errorbar(
            momentum, values, spread if place == 0 else None, label=title, elinewidth=0.7, zorder=3 + place, **style
        )
    axes.axhline(1, color=GREY, linewidth=0.7, zorder=0)
    axes.set(xlabel="momentum [MeV/c]", ylabel="occupation $f$", ylim=(0, None), xlim=(0, float(momentum.max()) + 10))
    legend_of(drawing, axes, 3)
    return drawing


@house_style()
def variance_figure(modes: Mapping[str, Sequence[Floats]], allowed: tuple[float | None, float | None]) -> Drawing:
    """Variance of the occupation over f (1 - f) in several kinds of cells, against the part of a packet that is in one.

    Args:
        modes: share of a packet in a cell, variance over f (1 - f) and its error, each (kind,), by title.
        allowed: range that is required. None: no bound on that side, and without any no band.
    """
    drawing = new_drawing(2.7, 4.6)
    axes = drawing.subplots()
    for place, (title, (kept, ratio, error)) in enumerate(modes.items()):
        below = np.minimum(error, 0.9 * ratio)
        axes.errorbar(
            kept, ratio, np.stack([below, error]), label=title, elinewidth=0.7, **marked(place) | {"linestyle": "none"}
        )
    low, high = allowed
    if low is not None and high is not None:
        axes.axhspan(low, high, color=FILL, alpha=0.6, linewidth=0, zorder=0)
    axes.axhline(1, color=INK, linewidth=0.7, zorder=1)
    axes.set(yscale="log", xlabel="share of a packet in one cell", ylabel=r"variance / $f(1-f)$", xlim=(0, 1.05))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    legend_of(drawing, axes)
    return drawing


@house_style()
def wave_figure(waves: Mapping[str, Sequence[Floats]]) -> Drawing:
    """A standing wave as it is simulated (points) and in linear response (line), a panel a mean field.

    Args:
        waves: time [fm/c], simulated and linear amplitude over that at the start, each (time,), by title.
    """
    drawing, panels = grid(len(waves), 2, 2.5, width=WIDTH if len(waves) > 1 else 4.2, shared=True)
    for axes, (title, (time, simulated, linear)) in zip(panels, waves.items(), strict=True):
        every = max(len(time) // 40, 1)
        axes.axhline(0, color=INK, linewidth=0.7)
        axes.plot(time, linear, color=INK, linewidth=1.2, label="linear response")
        style = marked(0) | {"linestyle": "none", "markerfacecolor": "white"}
        axes.plot(time[::every], simulated[::every], label="simulated", **style)
        axes.set(title=title, xlabel="time [fm/c]", xlim=(0, float(time.max())))
    panels[0].set_ylabel(r"$\rho_k(t)\,/\,\rho_k(0)$")
    legend_of(drawing, panels[0])
    return drawing


# --- what depends on freeze-out, impact parameter and settings --------------------------------------------------------


@house_style()
def freeze_out_figure(
    panels_: Mapping[str, Floats], time: Floats, cuts: Floats, usual: tuple[float, float] | None = None
) -> Drawing:
    """Means over events with standard errors against the time at which they are read, a line a density cut.

    Args:
        panels_: (event, time, cut) by label of the axis with unit.
        time: (time,) [fm/c].
        cuts: (cut,) [fm^-3].
        usual: time and cut that are used elsewhere: a vertical line, and a line that is thicker.
    """
    drawing, panels = grid(len(panels_), 3, 2.5)
    step = float(np.diff(time).min()) if len(time) > 1 else 1.0
    for axes, (label, values) in zip(panels, panels_.items(), strict=True):
        n = len(values)
        error = values.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.zeros(values.shape[1:])
        for place, cut in enumerate(cuts):
            shift = 0.06 * step * (place - (len(cuts) - 1) / 2)  # bars beside each other
            style = marked(place)
            if usual is not None and np.isclose(cut, usual[1]):
                style["linewidth"] = 2.2
            axes.errorbar(
                time + shift, values[:, :, place].mean(axis=0), error[:, place], elinewidth=0.7,
                label=f"{cut:g} fm$^{{-3}}$", **style,
            )  # fmt: skip
        if usual is not None:
            axes.axvline(usual[0], color=GREY, linestyle=DASHES[1], linewidth=1.0, zorder=0)
        axes.set(xlabel="freeze-out time [fm/c]", ylabel=label)
        axes.xaxis.set_major_locator(FixedLocator(list(time)))
    legend_of(drawing, panels[0], 5)
    return drawing


@house_style()
def probability_figure(energies: Mapping[float, Sequence[Floats]], step: float = 0.5) -> Drawing:
    """Probability of a reaction against the impact parameter: means of bins with standard errors, a line an energy.

    Args:
        energies: impact parameter [fm] and probability, each (event,), by energy [MeV per nucleon].
        step: width of the bins [fm]; wider where there are too few events for it.
    """
    drawing = new_drawing(2.8, 4.8)
    axes = drawing.subplots()
    for place, (energy, (impact, probability)) in enumerate(energies.items()):
        own = max(step, 6 * float(np.ptp(impact)) / max(len(impact), 1))  # six events a bin
        middle, mean, error = binned(impact, probability, own)
        style = marked(place)
        axes.errorbar(middle, mean, error, elinewidth=0.7, label=f"{energy:g} MeV per nucleon", **style)
    axes.axhline(1, color=GREY, linewidth=0.7, zorder=0)
    axes.set(xlabel="impact parameter [fm]", ylabel="probability of a reaction", xlim=(0, None), ylim=(0, 1.08))
    legend_of(drawing, axes, 2)
    return drawing


def binned(x: Floats, y: Floats, step: float) -> tuple[Floats, Floats, Floats]:
    """Mean of x, and mean of y with its standard error, in bins of x that are not empty, each (bin,).

    Args:
        x: (value,).
        y: (value,).
        step: width of the bins, whose edges are its multiples.

    Examples:
        >>> [one.tolist() for one in binned(np.array([0.1, 0.3, 0.8]), np.array([1.0, 0.0, 1.0]), 0.5)]
        [[0.2, 0.8], [0.5, 1.0], [0.5, 0.0]]
    """
    place = np.floor(x / step).astype(np.int64)
    found = []
    for one in np.unique(place):
        own = place == one
        n = int(own.sum())
        error = float(y[own].std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
        found.append((float(x[own].mean()), float(y[own].mean()), error))
    middle, mean, errors = np.array(found).reshape(-1, 3).T
    return middle, mean, errors


@dataclass(frozen=True)
class Cost:
    """A panel of ``cost_figure``.

    Attributes:
        label: of the setting, with unit.
        value: of the setting (point,).
        seconds: of an event (point,).
        usual: value that is used elsewhere.
    """

    label: str
    value: Floats
    seconds: Floats
    usual: float


@house_style()
def cost_figure(costs: Sequence[Cost], limit: float | None) -> Drawing:
    """Processor time of an event against a setting, a panel a setting; grey: what is required at the usual setting.

    Args:
        costs: the panels.
        limit: seconds that an event may take. None: not drawn.
    """
    drawing = new_drawing(2.5, WIDTH if len(costs) > 1 else 4.0)
    panels = drawing.subplots(1, len(costs), squeeze=False, sharey=True)[0]
    for axes, one in zip(panels, costs, strict=True):
        order = np.argsort(one.value)
        if limit is not None:
            axes.axhline(limit, color=GREY, linestyle=DASHES[1], linewidth=1.2, zorder=0)
            axes.plot(one.usual, limit, "v", color=INK, markersize=6, markerfacecolor="white", zorder=4)
        axes.plot(one.value[order], one.seconds[order], **marked(0))
        axes.set(xscale="log", yscale="log", xlabel=one.label)
        axes.grid(color=LINES, linewidth=0.6)
        axes.xaxis.set_major_locator(FixedLocator(list(one.value[order])))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_minor_locator(FixedLocator([]))
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    panels[0].set_ylabel("processor time of an event [s]")
    return drawing
