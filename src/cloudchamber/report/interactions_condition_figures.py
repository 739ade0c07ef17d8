"""Figures of generators by projectile, target and energy: how good they are, and how many particles there are.

Conventions as in ``interactions_figures``; energies in GeV.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cloudchamber.report.interactions_figures import FILL, looks, named_legend, truth_handle
from cloudchamber.report.style import INK, SEQUENTIAL, grid, house_style, new_drawing
from cloudchamber.simulators.hadronic.events import ELASTIC, Events
from cloudchamber.simulators.hadronic.particles import PROJECTILES, TARGETS

Floats = NDArray[np.float64]

Conditions = Mapping[tuple[str, str, float], float]
"""A value by projectile, target and kinetic energy in GeV."""


@house_style()
def condition_maps(
    values: Conditions, label: str, low: float, high: float, held_out: Callable[[str, str, float], bool]
) -> Drawing:
    """A value of each condition: a panel a projectile, rows are targets, columns energies; grey: too few events.

    Args:
        values: by condition.
        label: of the colours.
        low: value at the lower end of the colours.
        high: value at the upper end.
        held_out: whether no training event had a condition; those have a frame.
    """
    projectiles = [name for name in PROJECTILES if any(key[0] == name for key in values)]
    targets = [name for name in TARGETS if any(key[1] == name for key in values)]
    energies = sorted({key[2] for key in values})
    drawing, panels = grid(len(projectiles), 4, 0.75 + 0.19 * len(targets), shared=True)
    drawn, framed = None, False
    for axes, projectile in zip(panels, projectiles, strict=True):
        table = np.array([[values.get((projectile, z, e), np.nan) for e in energies] for z in targets])
        axes.set_facecolor("#eceff0")
        drawn = axes.imshow(
            np.ma.masked_invalid(table), cmap=SEQUENTIAL, vmin=low, vmax=high, aspect="auto", interpolation="none"
        )
        for row, target in enumerate(targets):
            for column, energy in enumerate(energies):
                if held_out(projectile, target, energy):
                    framed = True
                    axes.add_patch(_frame(column - 0.42, row - 0.42, 0.84))
        axes.set_title(projectile)
        axes.set_yticks(range(len(targets)), targets)
        axes.set_xticks(range(len(energies)), [f"{energy:g}" for energy in energies])
        axes.tick_params(labelsize=7, length=0)
    for axes in panels[-4:]:
        axes.set_xlabel("kinetic energy [GeV]", fontsize=8)
    if drawn is not None:
        bar = drawing.colorbar(drawn, ax=panels, location="right", shrink=0.8, aspect=28, extend="max")
        bar.set_label(label)
    if framed:
        named_legend(drawing, {"not in the training": _frame(0, 0, 1)})
    return drawing


def _frame(left: float, low: float, side: float) -> Rectangle:
    """Black on white: seen on every colour, whatever one's eyes."""
    around = [Stroke(linewidth=2.8, foreground="white"), Normal()]
    return Rectangle((left, low), side, side, fill=False, edgecolor=INK, linewidth=1.1, path_effects=around)


@house_style()
def multiplicity_grid(
    truth: Events, models: Mapping[str, Events], titles: Mapping[str, str], kinds: Mapping[str, str], truth_title: str
) -> Drawing:
    """Number of particles of inelastic events, a panel a projectile (row) on a target (column), truth and models.

    Args:
        truth: events of many projectiles and targets.
        models: of the same conditions, by generator.
        titles: of the generators by name.
        kinds: of the generators by name.
        truth_title: the truth's title.
    """
    truth = truth.part(truth.channel != ELASTIC)
    models = {name: events.part(events.channel != ELASTIC) for name, events in models.items()}
    projectiles = {name: code for name, code in PROJECTILES.items() if (truth.beam.projectile == code).any()}
    targets = {name: charge for name, charge in TARGETS.items() if (truth.beam.target == charge).any()}
    drawing = new_drawing(0.4 + 0.85 * len(projectiles))
    axes = drawing.subplots(len(projectiles), len(targets), squeeze=False, sharex="col", sharey=True)
    drawing.get_layout_engine().set(h_pad=0.015, w_pad=0.015)  # type: ignore[union-attr,call-arg]
    look = looks(kinds)
    handles: dict[str, Any] = {truth_title: truth_handle()}
    for name in models:
        handles[titles.get(name, name)] = Line2D([], [], color=look[name].colour, linestyle=look[name].dashes)
    for column, (target, charge) in enumerate(targets.items()):
        there = truth.beam.target == charge
        most = int(np.quantile(truth.count[there], 0.99)) + 1
        step = max(-(-most // 20), 1)
        edges = np.arange(0, most + 2 * step, step, dtype=np.float64) - 0.5
        for row, (projectile, code) in enumerate(projectiles.items()):
            panel = axes[row, column]
            true = truth.count[there & (truth.beam.projectile == code)]
            highest = max(float(np.histogram(true, edges)[0].max(initial=0)) / max(len(true), 1), 1e-12)
            _steps(panel, true, edges, highest, {"fill": True, "color": FILL})
            _steps(panel, true, edges, highest, {"color": INK, "linewidth": 0.7})
            for name, events in models.items():
                made = events.count[(events.beam.target == charge) & (events.beam.projectile == code)]
                how = look[name]
                _steps(panel, made, edges, highest, {"color": how.colour, "linestyle": how.dashes, "linewidth": 1.0})
            panel.margins(x=0)
            panel.set(ylim=(0, 1.25), yticks=[0, 1])
            panel.xaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
            panel.tick_params(labelsize=7)
            panel.text(
                0.94, 0.92, f"{projectile} {target}", transform=panel.transAxes, ha="right", va="top", fontsize=7,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
            )  # fmt: skip
    axes[-1, len(targets) // 2].set_xlabel("particles in an inelastic event")
    axes[len(projectiles) // 2, 0].set_ylabel("events / largest true bin")
    named_legend(drawing, handles)
    return drawing


def _steps(axes: Axes, counts: NDArray[np.int64], edges: Floats, highest: float, how: Mapping[str, Any]) -> None:
    """A histogram as a part of the events, in units of ``highest``."""
    found, _ = np.histogram(counts, edges)
    axes.stairs(found / max(len(counts), 1) / highest, edges, **how)
