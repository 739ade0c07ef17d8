"""Maps of skies: where cosmic rays come from, and what a method says about each of them.

Conventions: directions are unit vectors (x, y, z) in Galactic coordinates, drawn in Mollweide's equal-area projection
with the Galactic centre in the middle and longitude growing to the left, as one sees the sky from inside; energies in
EeV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from cloudchamber.report.style import GREY, INK, PETROFF, SEQUENTIAL, WIDTH, house_style, new_drawing

Values = NDArray[Any]

SIGNAL, SOURCE, SAID = PETROFF[1], PETROFF[3], PETROFF[2]
FAINT = "#c4cdcb"


@dataclass(frozen=True)
class Sky:
    """A panel of ``sky_maps``: cosmic rays coloured by ``value`` if given, else by ``signal`` if given, else by energy.

    Attributes:
        direction: (cosmic_ray, 3), unit vectors in Galactic coordinates.
        energy: (cosmic_ray,) in EeV; the area of a point grows with it.
        title: of the panel.
        signal: (cosmic_ray,), true for those from the source.
        value: (cosmic_ray,), e.g. the relevance of each cosmic ray; nan is not drawn.
        value_label: of the colour bar of ``value``.
        source: (3,), the true direction of the source; None for isotropy.
        said: (3,), an estimated direction.
    """

    direction: Values
    energy: Values
    title: str
    signal: Values | None = None
    value: Values | None = None
    value_label: str = ""
    source: Values | None = None
    said: Values | None = None


def mollweide(direction: Values) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates of unit vectors for axes of the projection "mollweide".

    Args:
        direction: (n, 3), unit vectors in Galactic coordinates.

    Returns:
        Minus Galactic longitude in [-pi, pi), so that it grows to the left, and latitude, each (n,) in rad.

    Examples:
        >>> x, y = mollweide(np.array([0.0, 1.0, 0.0]))  # longitude 90 degrees
        >>> float(x), float(y)
        (-1.5707963267948966, 0.0)
    """
    vectors = np.asarray(direction, dtype=np.float64)
    longitude = np.arctan2(vectors[..., 1], vectors[..., 0])
    return -longitude, np.arctan2(vectors[..., 2], np.hypot(vectors[..., 0], vectors[..., 1]))


@house_style()
def sky_maps(skies: Sequence[Sky], columns: int = 2) -> Drawing:
    """Arrival directions, a map a panel. Cosmic rays are pixels in the picture: as shapes thousands take 20 MB.

    Args:
        skies: the panels, row by row.
        columns: panels in a row.
    """
    columns = min(columns, len(skies))
    rows = -(-len(skies) // columns)
    drawing = new_drawing(rows * (WIDTH / columns * 0.62 + 0.25) + 0.3)
    energies = np.concatenate([np.asarray(sky.energy, dtype=np.float64) for sky in skies])
    scale = LogNorm(float(energies.min()), float(max(energies.max(), 1.01 * energies.min())))
    named: dict[str, Any] = {}
    for number, sky in enumerate(skies):
        axes = drawing.add_subplot(rows, columns, number + 1, projection="mollweide")
        _graticule(axes, small=columns > 2)
        x, y = mollweide(sky.direction)
        area = 3.0 * min(1.0, 2 / columns) ** 2 * np.asarray(sky.energy, dtype=np.float64) / float(energies.min())
        if sky.value is not None:
            _by_value(drawing, axes, sky, area, columns)
        elif sky.signal is not None:
            signal = np.asarray(sky.signal) > 0
            axes.scatter(x[~signal], y[~signal], area[~signal], color=FAINT, linewidths=0, rasterized=True)
            axes.scatter(x[signal], y[signal], area[signal], color=SIGNAL, linewidths=0, rasterized=True)
            named["signal cosmic rays"] = Line2D([], [], color=SIGNAL, marker="o", linestyle="none")
        else:
            points = axes.scatter(
                x, y, area, c=sky.energy, norm=scale, cmap=SEQUENTIAL + "_r", linewidths=0, rasterized=True
            )
            bar = _bar(drawing, axes, points, "energy [EeV]")
            marks = (40, 60, 100, 200) if columns > 2 else (40, 50, 60, 80, 100, 150, 200, 300)
            bar.ax.xaxis.set_major_locator(FixedLocator([mark for mark in marks if mark <= energies.max()]))
            bar.ax.xaxis.set_minor_locator(NullLocator())
            bar.ax.xaxis.set_major_formatter("{x:g}")
        for where, marker, colour, name in (
            (sky.source, "*", SOURCE, "true source"),
            (sky.said, "X", SAID, "estimate"),
        ):
            if where is not None and np.isfinite(where).all() and np.any(where):
                named[name] = axes.scatter(
                    *mollweide(np.asarray(where)), s=110 if marker == "*" else 55, marker=marker, color=colour,
                    edgecolors=INK, linewidths=0.7, zorder=5,
                )  # fmt: skip
        axes.set_title(sky.title)
    if named:
        drawing.legend(list(named.values()), list(named), loc="outside lower center", ncols=len(named))
    return drawing


def _by_value(drawing: Drawing, axes: Axes, sky: Sky, area: NDArray[np.float64], columns: int) -> None:
    """Points coloured by ``sky.value``, the largest values on top; both signs are shown about zero."""
    value = np.asarray(sky.value, dtype=np.float64)
    order = np.argsort(np.abs(np.where(np.isfinite(value), value, 0.0)))
    order = order[np.isfinite(value[order])]
    x, y = mollweide(np.asarray(sky.direction)[order])
    low, high = (float(value[order].min()), float(value[order].max())) if len(order) else (0.0, 1.0)
    reach = float(np.quantile(np.abs(value[order]), 0.995)) if len(order) else 1.0
    reach = reach or 1.0
    signs = low < 0 < high
    norm_ = Normalize(-reach, reach) if signs else Normalize(min(low, 0.0), reach)
    points = axes.scatter(
        x, y, area[order], c=value[order], norm=norm_, cmap="RdBu_r" if signs else SEQUENTIAL + "_r",
        linewidths=0.25 if signs else 0.0, edgecolors=GREY if signs else "none", rasterized=True,
    )  # fmt: skip
    ends = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    bar = _bar(drawing, axes, points, sky.value_label, ends[signs and low < -reach, high > reach])
    bar.ax.locator_params(nbins=4 if columns > 2 else 6)


def _bar(drawing: Drawing, axes: Axes, points: PathCollection, label: str, extend: str = "neither") -> Colorbar:
    """A colour bar below a map that leaves the map its size."""
    place = axes.inset_axes((0.2, -0.1, 0.6, 0.04))
    bar = drawing.colorbar(points, cax=place, orientation="horizontal", extend=extend)
    bar.set_label(label, fontsize=7.5, labelpad=1)
    bar.ax.tick_params(labelsize=7, pad=1.5)
    return bar


def _graticule(axes: Axes, *, small: bool) -> None:
    """Lines of Galactic longitude and latitude with their labels; longitude grows to the left."""
    longitudes = (120, 60, 0, 300, 240)
    axes.set_xticks(np.radians([(-longitude + 180) % 360 - 180 for longitude in longitudes]))
    axes.set_yticks(np.radians([-60, -30, 0, 30, 60]))
    axes.set_xticklabels([])
    axes.set_yticklabels(["−60°", "−30°", "$b$=0°", "30°", "60°"])
    axes.grid(color="#dde2e4", linewidth=0.5)
    size = 5.5 if small else 6.5
    axes.tick_params(labelsize=size, length=0)
    for longitude, x in zip(longitudes, axes.get_xticks(), strict=True):  # as texts, to stand above the points
        axes.text(
            x, 0.0, f"$l$={longitude}°" if longitude == 0 else f"{longitude}°", ha="center", va="center", fontsize=size,
            color="#4a5356", zorder=6, path_effects=[withStroke(linewidth=2, foreground="white")],
        )  # fmt: skip
