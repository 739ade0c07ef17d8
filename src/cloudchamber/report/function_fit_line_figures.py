"""Figures of the function-fit report about the points, the straight line, its covariance and the ways down its loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Ellipse
from numpy.typing import NDArray
from scipy.stats import chi2, norm

from cloudchamber.report.style import GREY, INK, LINES, PETROFF, grid, house_style, image, legend_outside

Values = NDArray[Any]
OF_OPTIMISER = dict(zip(("gradient descent", "momentum", "adam"), (PETROFF[7], PETROFF[3], PETROFF[0]), strict=True))
"""Colours, the same in every figure."""
STYLE_OF_OPTIMISER = {"gradient descent": "-", "momentum": "--", "adam": "-"}
MARKER_OF_OPTIMISER = {"gradient descent": "s", "momentum": "^", "adam": "o"}
NAME_OF_OPTIMISER = {"adam": "Adam"}
"""Where it is not the name itself."""


def draw_points(
    axes: Axes, arrays: Mapping[str, Values], colour: str = INK, size: float = 3, labels: tuple[str, str] = ("", "")
) -> None:
    """Measured points with their errors; those of the validation open.

    Args:
        axes: of y against x.
        arrays: with ``x``, ``y`` and ``error``, and perhaps ``held_out_x`` and so on.
        colour: of the points.
        size: of the markers.
        labels: of both kinds for the legend.
    """
    axes.errorbar(
        arrays["x"], arrays["y"], yerr=arrays["error"], fmt="o", color=colour, markersize=size, elinewidth=0.7,
        zorder=3, label=labels[0] or None,
    )  # fmt: skip
    if "held_out_x" in arrays:
        axes.errorbar(
            arrays["held_out_x"], arrays["held_out_y"], yerr=arrays["held_out_error"], fmt="o", color=colour,
            markersize=size, elinewidth=0.7, zorder=3, markerfacecolor="white", label=labels[1] or None,
        )  # fmt: skip


def shade_outside(axes: Axes, end: float, limit: float) -> None:
    """Grey where no points are, up to the limits of the axis.

    Args:
        axes: of a function against x.
        end: largest abs(x) of a point.
        limit: largest abs(x) of the axis.
    """
    for left, right in ((-limit, -end), (end, limit)):
        axes.axvspan(left, right, color=LINES, linewidth=0, zorder=0)
    axes.set_xlim(-limit, limit)


@house_style()
def measured_points(arrays: Mapping[str, Values]) -> Drawing:
    """The function, the measured points, and where there are none.

    Args:
        arrays: of the explanation ``approximation``.
    """
    drawing, (axes,) = grid(1, 1, 2.9)
    end = float(np.abs(arrays["fine"]).max())
    shade_outside(axes, end, float(arrays["place"].max()))
    axes.plot(arrays["place"], arrays["truth"], color=PETROFF[0], linewidth=2, label="the function, which nobody knows")
    draw_points(axes, arrays, labels=("measured points", "held back for validation"))
    axes.set(xlabel="x", ylabel="y")
    axes.text(0.015, 0.93, "no points here", transform=axes.transAxes, color=INK, fontsize=8)
    axes.legend(loc="upper left", bbox_to_anchor=(0.19, 0.99))
    return drawing


@house_style()
def fitted_line(arrays: Mapping[str, Values]) -> Drawing:
    """The line with its band, and the ellipses of its two parameters for two places from which x is counted.

    Args:
        arrays: of the explanation ``line``.
    """
    drawing, (left, right) = grid(2, 2, 2.9)
    x = np.linspace(arrays["x"].min(), arrays["x"].max(), 200)
    anchor, parameters, covariance = (arrays[name][0] for name in ("anchor", "parameters", "covariance"))
    design = np.stack([np.ones_like(x), x - anchor], axis=1)
    mean = design @ parameters
    std = np.sqrt(np.einsum("pi,ij,pj->p", design, covariance, design))
    draw_points(left, arrays, labels=("measured", ""))
    left.plot(
        x, arrays["truth"][0] + arrays["truth"][1] * x, color=INK, linestyle=":", linewidth=1.2, label="true line"
    )
    left.plot(x, mean, color=PETROFF[0], label="fit and its band of one, two σ")
    for width, alpha in ((2, 0.2), (1, 0.35)):
        left.fill_between(x, mean - width * std, mean + width * std, color=PETROFF[0], alpha=alpha, linewidth=0)
    left.set(xlabel="x", ylabel="y")
    left.legend(loc="lower left")
    for number, (place, what) in enumerate(zip(arrays["anchor"], ("far off", "the mean of x"), strict=True)):
        colour = PETROFF[(2, 3)[number]]
        away = arrays["parameters"][number] - arrays["true"][number]
        label = f"x0 = {place:.2f}, {what}".replace("-", "−")
        ellipses(right, away, arrays["covariance"][number], colour, label, ("-", "--")[number])
    right.plot(0, 0, marker="P", color=INK, markersize=7, linestyle="none", label="truth", zorder=4)
    right.set(xlabel="fitted minus true b", ylabel="fitted minus true W")
    low, high = right.get_ylim()
    right.set_ylim(low, high + 0.45 * (high - low))
    right.legend(loc="upper right")
    return drawing


def ellipses(axes: Axes, centre: Values, covariance: Values, colour: str, label: str, style: str) -> None:
    """The contours of Δχ² = 1 and 2.30 about a fit.

    Args:
        axes: of the two parameters.
        centre: (2,).
        covariance: (2, 2).
        colour: of the lines.
        label: for the legend.
        style: of the lines.
    """
    sizes, directions = np.linalg.eigh(covariance)
    angle = float(np.degrees(np.arctan2(directions[1, 1], directions[0, 1])))
    x, y = (float(one) for one in centre)
    for level, alpha in ((2.2957, 0.14), (1.0, 0.3)):
        width, height = (float(2 * np.sqrt(level * sizes[place])) for place in (1, 0))
        axes.add_patch(Ellipse((x, y), width, height, angle=angle, facecolor=colour, alpha=alpha, linewidth=0))
        axes.add_patch(
            Ellipse((x, y), width, height, angle=angle, fill=False, edgecolor=colour, linewidth=1.2, linestyle=style)
        )
    axes.plot(x, y, marker=".", color=colour, linestyle=style, label=label)
    reach = 1.08 * np.sqrt(2.2957 * np.diag(covariance))
    axes.update_datalim(np.stack([centre - reach, centre + reach]))
    axes.autoscale_view()


@house_style()
def repeated_line(arrays: Mapping[str, Values]) -> Drawing:
    """Pulls of b and W, and χ², of many measurements beside what they must be.

    Args:
        arrays: of the explanation ``line``.
    """
    drawing, panels = grid(3, 3, 2.4)
    freedom, n = int(arrays["freedom"]), len(arrays["chi2"])
    pulls, across = np.linspace(-4, 4, 33), np.linspace(-4, 4, 201)
    for axes, column, name in zip(panels, (0, 1), ("b", "W"), strict=False):
        axes.hist(arrays["pull"][:, column], pulls.tolist(), color=PETROFF[0], alpha=0.75)
        axes.plot(across, n * (pulls[1] - pulls[0]) * norm.pdf(across), color=INK, label="unit Gaussian")
        axes.set_xlabel(f"(fitted − true {name}) / its error")
    low, high = chi2.ppf([1e-4, 1 - 1e-4], freedom)
    bins, along = np.linspace(low, high, 33), np.linspace(low, high, 201)
    panels[2].hist(arrays["chi2"], bins.tolist(), color=PETROFF[1], alpha=0.75)
    panels[2].plot(along, n * (bins[1] - bins[0]) * chi2.pdf(along, freedom), color=INK, label=f"χ² of {freedom}")
    panels[2].set_xlabel("χ² of the fit")
    panels[0].set_ylabel("measurements")
    for axes in panels[1:]:
        axes.legend(loc="upper right", handlelength=1.2, fontsize=7)
        axes.set_ylim(top=1.22 * axes.get_ylim()[1])
    panels[0].set_ylim(panels[1].get_ylim())
    return drawing


@house_style()
def ways_down(arrays: Mapping[str, Values]) -> Drawing:
    """The loss of the line for two x0 with the ways of the optimisers, and what is left of it after each step.

    Args:
        arrays: of the explanation ``line``.
    """
    drawing, panels = grid(3, 3, 2.75)
    names: Sequence[str] = [str(name) for name in arrays["optimiser"]]
    points = int(arrays["freedom"]) + 2
    for number, axes in enumerate(panels[:2]):
        centre, inverse = arrays["parameters"][number], np.linalg.inv(arrays["covariance"][number])
        ways = arrays["path"][number]
        low, high = np.minimum(ways.min(axis=(0, 1)), centre), np.maximum(ways.max(axis=(0, 1)), centre)
        room = 0.18 * (high - low)
        across, up = (np.linspace(low[one] - room[one], high[one] + room[one], 121) for one in (0, 1))
        away = np.stack(np.meshgrid(across, up), axis=-1) - centre
        loss = np.einsum("yxi,ij,yxj->yx", away, inverse, away) / points
        extent = (across[0], across[-1], up[0], up[-1])
        image(axes, np.log10(loss + 1e-2), extent, "Blues", -2, 1.6 * float(np.log10(loss.max())))
        axes.contour(across, up, loss, np.logspace(-1, 4, 11), colors="white", linewidths=0.6)
        for name, way in zip(names, ways, strict=True):
            axes.plot(
                *way.T, color=OF_OPTIMISER[name], linewidth=1.1, linestyle=STYLE_OF_OPTIMISER[name],
                marker=MARKER_OF_OPTIMISER[name], markersize=2.6, label=NAME_OF_OPTIMISER.get(name, name),
            )  # fmt: skip
        axes.plot(*centre, marker="*", color=PETROFF[1], markersize=11, linestyle="none", zorder=5)
        axes.set(xlabel="b", ylabel="W", xlim=(across[0], across[-1]), ylim=(up[0], up[-1]))
        axes.set_title(f"x from {('far off', 'its mean')[number]}")
    for number, style in ((0, "-"), (1, ":")):
        inverse = np.linalg.inv(arrays["covariance"][number])
        for name, way in zip(names, arrays["path"][number], strict=True):
            away = way - arrays["parameters"][number]
            left = np.einsum("si,ij,sj->s", away, inverse, away) / points
            panels[2].plot(np.maximum(left, 1e-12), color=OF_OPTIMISER[name], linestyle=style)
    panels[2].set(yscale="log", xlabel="step", ylabel="loss above its minimum", ylim=(1e-6, None))
    panels[2].set_title("—  far off    ···  mean")
    legend_outside(drawing, panels[0], 3)
    return drawing


def grey_line(axes: Axes, y: float) -> None:
    """A faint horizontal line behind the data.

    Args:
        axes: where.
        y: its height.
    """
    axes.axhline(y, color=GREY, linewidth=1, zorder=0)
