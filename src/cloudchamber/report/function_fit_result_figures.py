"""Figures of the function-fit report about the methods side by side, and about the measurement repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray

from cloudchamber.report.function_fit_line_figures import draw_points, shade_outside
from cloudchamber.report.style import GREY, INK, SHAPES, colours, grid, house_style, row_axis

Values = NDArray[Any]


@house_style()
def side_by_side(arrays: Mapping[str, Values], titles: Mapping[str, str], kinds: Mapping[str, str]) -> Drawing:
    """A panel a method: its function and its band, between the points and beyond.

    Args:
        arrays: of the explanation ``approximation``.
        titles: of the predictors by name.
        kinds: of the predictors by name.
    """
    names = [str(name) for name in arrays["name"]]
    shown = [name for name in names if name != "line"]
    drawing, panels = grid(len(shown), 2, 2.2, shared=True)
    colour = colours(kinds)
    end, limit = float(arrays["fine"].max()), float(arrays["place"].max())
    for axes, name in zip(panels, shown, strict=True):
        mean, std = (arrays[what][names.index(name)] for what in ("mean", "std"))
        shade_outside(axes, end, limit)
        for width, alpha in ((2, 0.18), (1, 0.32)):
            low, high = (np.clip(mean + sign * width * std, -1e6, 1e6) for sign in (-1, 1))
            axes.fill_between(arrays["place"], low, high, color=colour[name], alpha=alpha, linewidth=0)
        draw_points(axes, arrays, GREY, 2)
        axes.plot(arrays["place"], arrays["truth"], color=INK, linestyle=":", linewidth=1.2)
        axes.plot(arrays["place"], np.clip(mean, -1e6, 1e6), color=colour[name], linewidth=1.6)
        axes.set_ylim(float(arrays["y"].min()) - 0.6, float(arrays["y"].max()) + 0.4)
        axes.set_title(titles.get(name, name))
    drawing.supxlabel("x", fontsize=9)
    drawing.supylabel("y", fontsize=9)
    return drawing


@house_style()
def repeated_scores(arrays: Mapping[str, Values], titles: Mapping[str, str], kinds: Mapping[str, str]) -> Drawing:
    """Errors and coverage of each method on every repeated measurement.

    Args:
        arrays: of the explanation ``repeated``.
        titles: of the predictors by name.
        kinds: of the predictors by name.
    """
    names = [str(name) for name in arrays["name"]]
    drawing, panels = grid(3, 3, 0.75 + 0.42 * len(names))
    colour = colours(kinds)
    draw = np.random.default_rng(0)
    for axes, measure, label in zip(
        panels,
        ("inside", "outside", "covered"),
        ("error where points are", "error beyond them", "truth within one σ"),
        strict=True,
    ):
        for row, name in enumerate(names):
            values = arrays[measure][:, row]
            spread = row + draw.uniform(-0.18, 0.18, len(values))
            axes.plot(values, spread, SHAPES[row], color=colour[name], markersize=2.6, alpha=0.55)
            middle = float(np.median(values))
            axes.plot([middle, middle], [row - 0.36, row + 0.36], color=INK, linewidth=2)
        row_axis(axes, len(names), [titles.get(name, name) for name in names] if axes is panels[0] else ())
        axes.set_xlabel(label)
    for axes in panels[:2]:
        axes.set_xscale("log")
    panels[2].axvline(0.6827, color=GREY, linewidth=1, zorder=0)
    panels[2].set_xlim(0, 1)
    return drawing
