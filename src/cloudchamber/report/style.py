"""One look for every figure: Petroff's colour-blind safe colours (arXiv:2107.02270), units on every axis, SVG.

Figures are drawn without pyplot: there is no global state, and a figure is freed when its last name is.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray

PETROFF = ("#3f90da", "#bd1f01", "#832db6", "#ffa90e", "#a96b59", "#e76300", "#92dadd", "#717581", "#b9ac70")
"""Petroff's ten colours without the light grey, which is the floor's."""
GREY = "#94a4a2"
INK = "#222222"
SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"
LINES = "#e3e6e8"
"""Of lines behind the data."""
SHAPES = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "p")
"""Markers of predictors, so that colour is never the only difference."""
WIDTH = 7.2
"""Inches: the text width of A4 with margins of 14 mm."""

RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "image.cmap": SEQUENTIAL,
    "svg.fonttype": "path",
    "svg.hashsalt": "cloudchamber",
    "svg.image_inline": True,
    "savefig.facecolor": "white",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the look of the house; also a decorator of functions that make figures."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        yield


def new_drawing(height: float, width: float = WIDTH) -> Drawing:
    """An empty figure of some inches; its panels arrange themselves."""
    return Drawing(figsize=(width, height), layout="constrained")


def grid(
    panels: int, columns: int, panel_height: float, *, width: float = WIDTH, shared: bool = False
) -> tuple[Drawing, list[Axes]]:
    """A figure with so many panels, row by row; the last row may be shorter.

    Args:
        panels: how many.
        columns: most panels in a row.
        panel_height: inches a row.
        width: inches of the figure.
        shared: whether all panels have the same axes, with tick labels at the left and the bottom only.
    """
    columns = min(columns, panels)
    rows = -(-panels // columns)
    drawing = new_drawing(panel_height * rows, width)
    axes = drawing.subplots(rows, columns, squeeze=False, sharex=shared, sharey=shared)
    flat = list(axes.flat)
    for unused in flat[panels:]:
        unused.set_axis_off()
    for above in flat[max(panels - columns, 0) : panels] if shared else []:
        above.tick_params(labelbottom=True)
    return drawing, flat[:panels]


def colours(kinds: Mapping[str, str]) -> dict[str, str]:
    """A colour for each predictor, the same in every figure of a report: networks first, floors are grey.

    Args:
        kinds: kind (``"network"``, ``"baseline"``, ``"floor"``) by name, in the order of the study.
    """
    others = [name for name, kind in kinds.items() if kind == "network"]
    others += [name for name, kind in kinds.items() if kind not in ("network", "floor")]
    found = {name: PETROFF[number % len(PETROFF)] for number, name in enumerate(others)}
    return {name: found.get(name, GREY) for name in kinds}


def legend_outside(
    drawing: Drawing,
    axes: Axes,
    columns: int = 1,
    where: Literal["outside lower center", "outside upper center"] = "outside lower center",
) -> None:
    """The legend of a panel below (or above) all panels; none if nothing in the panel has a label."""
    handles, names = axes.get_legend_handles_labels()
    if handles:
        drawing.legend(handles, names, loc=where, ncols=min(len(names), columns))


def row_axis(axes: Axes, rows: int, labels: Sequence[str] = ()) -> None:
    """A vertical axis of so many named rows, the first on top, each on a faint line; without labels it has none."""
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks(range(rows), list(labels))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=LINES, linewidth=0.6)


MARKERS = {"network": "o", "baseline": "s", "floor": "x"}


def largest(values: NDArray[Any]) -> float:
    """The largest finite absolute value; 1 if there is none or it is 0, so that one can divide by it."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0)) or 1.0


def image(
    axes: Axes, values: NDArray[Any], extent: Sequence[float], cmap: str, low: float | None, high: float | None
) -> Any:
    """An image (row, column) with its origin at the lower left, pixels kept as they are; NaN is white.

    Args:
        axes: where.
        values: the image.
        extent: left, right, bottom, top in the units of the axes.
        cmap: colour map.
        low: value of the lower end of the colour map (None: the smallest).
        high: value of its upper end (None: the largest).
    """
    left, right, bottom, top = (float(edge) for edge in extent)
    return axes.imshow(
        np.ma.masked_invalid(values),
        origin="lower",
        extent=(left, right, bottom, top),
        aspect="auto",
        interpolation="none",
        cmap=cmap,
        vmin=low,
        vmax=high,
    )


@house_style()
def svg(drawing: Drawing) -> str:
    """The figure as the text of one ``<svg>`` element: the same bytes for the same figure, no dates, no links."""
    buffer = io.StringIO()
    drawing.savefig(buffer, format="svg", dpi=200, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    return re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL).strip() + "\n"
