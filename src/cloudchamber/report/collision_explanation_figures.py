"""Figures of what the emulator of nuclear collisions has learned: latent spaces, reconstructions, conditions.

Looks are those of ``collision_figures``; impact parameters are colours from dark to light, so that they can be told in
print, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cloudchamber.report.collision_figures import SPARE, impact_bins
from cloudchamber.report.figures import PLATE, cloud, wrapped
from cloudchamber.report.interactions_figures import DASHES, looks, named_legend
from cloudchamber.report.style import GREY, INK, LINES, SEQUENTIAL, SHAPES, house_style, new_drawing

Floats = NDArray[np.float64]

SAME = 1e-6
"""MeV per nucleon between equal energies."""


@dataclass(frozen=True)
class Latent:
    """Test events in the latent space of an autoencoder.

    Attributes:
        b: their impact parameters (event,) [fm].
        predicted: the same as the predictor reads them there (event,) [fm].
        projection: places along the two principal components (event, 2).
        correlation: of predicted and true impact parameters, in words.
        along: absolute correlation of each component with the impact parameter (2,).
    """

    b: Floats
    predicted: Floats
    projection: Floats
    correlation: str
    along: Floats


@house_style()
def latent_figure(spaces: Mapping[str, Latent], titles: Mapping[str, str]) -> Drawing:
    """A row an autoencoder: events in its latent space coloured by b, and the b that is read there against the true.

    Args:
        spaces: by generator.
        titles: of the generators by name.
    """
    drawing = new_drawing(2.75 * len(spaces))
    axes = drawing.subplots(len(spaces), 2, squeeze=False, gridspec_kw={"width_ratios": [1.25, 1]})
    top = max(float(one.b.max(initial=0.0)) for one in spaces.values())
    for (left, right), (name, one) in zip(axes, spaces.items(), strict=True):
        size = float(np.clip(3000 / max(len(one.b), 1), 5, 16))
        drawn = left.scatter(*one.projection.T, c=one.b, s=size, cmap=SEQUENTIAL, vmin=0, vmax=top, linewidths=0)
        left.set(
            title=wrapped(titles.get(name, name), 44), ylabel=f"second component (|r| = {one.along[1]:.2f} with b)",
            xlabel=f"first principal component (|r| = {one.along[0]:.2f} with b)",
        )  # fmt: skip
        drawing.colorbar(drawn, ax=left, aspect=22, pad=0.02, label="b [fm]")
        right.plot([0, top], [0, top], color=INK, linewidth=0.8)
        right.scatter(one.b, one.predicted, c=one.b, s=size, cmap=SEQUENTIAL, vmin=0, vmax=top, linewidths=0)
        right.text(0.05, 0.95, f"r = {one.correlation}", transform=right.transAxes, va="top", bbox=PLATE)
        right.set(xlabel="true b [fm]", ylabel="b read in latent space [fm]")
    return drawing


@dataclass(frozen=True)
class Reconstruction:
    """A quantity of test events, and the same after encoding and decoding.

    Attributes:
        label: with unit.
        true: (event,).
        again: (event,).
        correlation: in words.
    """

    label: str
    true: Floats
    again: Floats
    correlation: str


@house_style()
def reconstruction_figure(
    found: Mapping[str, Sequence[Reconstruction]], titles: Mapping[str, str], kinds: Mapping[str, str]
) -> Drawing:
    """Reconstructed against true, a row an autoencoder, a column a quantity.

    Args:
        found: by generator; each has the same quantities.
        titles: of the generators by name.
        kinds: of the generators by name.
    """
    columns = max(len(one) for one in found.values())
    drawing = new_drawing(0.35 + 1.7 * len(found))
    axes = drawing.subplots(len(found), columns, squeeze=False)
    drawing.get_layout_engine().set(w_pad=0.01, wspace=0)  # type: ignore[union-attr, call-arg]
    look = looks(kinds)
    for row, (name, quantities) in zip(axes, found.items(), strict=True):
        for panel, one in zip(row, quantities, strict=False):
            low, high = np.quantile(np.concatenate([one.true, one.again]), [0.005, 0.995])
            margin = 0.06 * (high - low) or 1.0
            span = (float(low - margin), float(high + margin))
            panel.plot(span, span, color=INK, linewidth=0.8)
            cloud(panel, one.true, one.again, None, look[name].colour, look[name].shape)
            panel.set(xlim=span, ylim=span, aspect="equal")
            panel.set_title(f"r = {one.correlation}", fontsize=7)
            for axis in (panel.xaxis, panel.yaxis):
                axis.set_major_locator(MaxNLocator(nbins=3))
            panel.tick_params(labelsize=7)
        row[0].set_ylabel(f"{wrapped(titles.get(name, name), 22)}:\nreconstructed", fontsize=8)
    for panel, one in zip(axes[0], next(iter(found.values())), strict=False):
        panel.set_title(f"{wrapped(one.label, 20)}\nr = {one.correlation}", fontsize=7)
    axes[-1, columns // 2].set_xlabel("true")
    return drawing


# --- conditions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Conditions:
    """A quantity of events by impact parameter and energy.

    Attributes:
        label: with unit.
        flow: means of the flow's events (energy, b).
        truth: of the simulator's events (event,).
    """

    label: str
    flow: Floats
    truth: Floats


@house_style()
def conditions_figure(
    panels: Sequence[Conditions], grid: tuple[Floats, Floats], events: tuple[Floats, Floats], main: float, title: str
) -> Drawing:
    """Above, means against b at the lowest, the main and the highest energy; below, against energy, averaged over b.

    Args:
        panels: what is drawn.
        grid: impact parameters (b,) [fm] and energies (energy,) [MeV per nucleon] of the flow's means.
        events: the same of the simulator's events (event,).
        main: the energy of most events [MeV per nucleon].
        title: of the flow.
    """
    b, energies = grid
    true_b, true_energy = events
    drawing = new_drawing(4.3)
    axes = drawing.subplots(2, len(panels), squeeze=False)
    chosen = sorted({0, int(np.abs(energies - main).argmin()), len(energies) - 1})
    shades = [colormaps[SEQUENTIAL](part) for part in np.linspace(0.0, 0.75, len(chosen))]
    edges = impact_bins(true_b[np.abs(true_energy - main) < SAME])
    handles: dict[str, Any] = {}
    for column, one in enumerate(panels):
        above, below = axes[:, column]
        for place, (number, shade) in enumerate(zip(chosen, shades, strict=True)):
            style = {"color": shade, "linestyle": DASHES[place]}
            (line,) = above.plot(b, one.flow[number], linewidth=1.3, **style)
            own = np.abs(true_energy - energies[number]) < SAME
            own_edges = edges if own.sum() >= SPARE * 2 * (len(edges) - 1) else np.linspace(edges[0], edges[-1], 4)
            middle, mean, error = _means(true_b[own], one.truth[own], own_edges)
            above.errorbar(
                middle, mean, error, fmt=SHAPES[place], color=shade, markersize=3.2, linewidth=0.8,
                markerfacecolor="white", zorder=3,
            )  # fmt: skip
            handles[f"{title}, {energies[number]:g} MeV/u"] = line
            handles[f"simulator, {energies[number]:g} MeV/u"] = Line2D(
                [], [], color=shade, marker=SHAPES[place], markerfacecolor="white", markersize=4, linestyle="none"
            )
        span = max(float(b[-1] - b[0]), 1e-9)
        below.plot(energies, np.trapezoid(one.flow, b, axis=1) / span, color=GREY, linewidth=1.5, zorder=2)
        mean_of = [_mean(one.truth[np.abs(true_energy - energy) < SAME]) for energy in energies]
        below.errorbar(
            energies, [m for m, _ in mean_of], [e for _, e in mean_of], fmt="o", color=INK, markersize=3.5,
            linewidth=0.9, markerfacecolor="white", zorder=3,
        )  # fmt: skip
        above.set_title(wrapped(one.label, 22), fontsize=8)
        above.set_xlabel("b [fm]")
        below.set_xlabel("energy [MeV/u]")
        for panel in (above, below):
            panel.yaxis.set_major_locator(MaxNLocator(nbins=4))
            panel.xaxis.set_major_locator(MaxNLocator(nbins=4))
            panel.tick_params(labelsize=7)
            panel.grid(color=LINES, linewidth=0.5)
    axes[0, 0].set_ylabel("mean at b")
    axes[1, 0].set_ylabel("mean over all b")
    handles[f"{title}, all b"] = Line2D([], [], color=GREY, linewidth=1.5)
    handles["simulator, all b"] = Line2D(
        [], [], color=INK, marker="o", markerfacecolor="white", markersize=4, linestyle="none"
    )
    named_legend(drawing, handles, 2)
    return drawing


def _mean(values: Floats) -> tuple[float, float]:
    """With its standard error; nan of fewer than two values."""
    if len(values) < 2:
        return np.nan, np.nan
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def _means(b: Floats, values: Floats, edges: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean impact parameter, mean and standard error of each bin that has events."""
    own = np.clip(np.searchsorted(edges, b, side="right") - 1, 0, len(edges) - 2)
    there = [own == place for place in range(len(edges) - 1)]
    rows = [(float(b[one].mean()), *_mean(values[one])) for one in there if one.sum() >= 2]
    return tuple(np.array(rows).reshape(-1, 3).T)  # type: ignore[return-value]
