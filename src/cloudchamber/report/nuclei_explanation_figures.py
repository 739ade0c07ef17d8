"""Figures of what networks of the nuclear-shape study look at; conventions as in ``nuclei_figures``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cloudchamber.report.figures import PLATE, wrapped
from cloudchamber.report.nuclei_figures import label_plane
from cloudchamber.report.style import (
    DIVERGING,
    GREY,
    INK,
    LINES,
    PETROFF,
    SEQUENTIAL,
    WIDTH,
    grid,
    house_style,
    image,
    largest,
    legend_outside,
)

Values = NDArray[Any]

PUBLISHED_TOE = 0.17
"""``|beta2|`` above which the publication's network looks at the toe."""
TOE, ANKLE = PETROFF[1], PETROFF[3]
METHOD_TITLES = {
    "regression_attention_mask": "regression attention mask",
    "regression_gradcam": "regression Grad-CAM",
    "gradcam": "Grad-CAM",
    "class_activation_map": "class activation map",
    "lime": "LIME",
    "occlusion": "occlusion",
}
"""Of methods of explanation, by name."""


def _box(axes: Axes, region: Sequence[float] | Values, colour: str, style: str) -> None:
    left, right, bottom, top = (float(edge) for edge in region)
    for width, shade, line in ((2.6, "white", "-"), (1.4, colour, style)):
        axes.add_patch(
            Rectangle(
                (left, bottom), right - left, top - bottom, fill=False, edgecolor=shade, linewidth=width, linestyle=line
            )
        )


@house_style()
def attention_masks(
    bins: Values,
    masks: Values,
    n: Values,
    extent: Sequence[float],
    toe: Sequence[float] | Values | None = None,
    ankle: Sequence[float] | Values | None = None,
    outlines: Values | None = None,
) -> Drawing:
    """The averaged regression attention mask of each bin of ``|beta2|``, with the boxes of toe and ankle.

    Args:
        bins: (bin, 2), lower and upper edge in ``|beta2|``.
        masks: (bin, v2_bin, multiplicity_bin), between 0 and 1.
        n: (bin,), images.
        extent: left, right, bottom, top of an image.
        toe: left, right, bottom, top of this region.
        ankle: of that one.
        outlines: (bin, v2_bin, multiplicity_bin), densities of events: a contour that holds nearly all of them.
    """
    columns = 5 if len(masks) > 4 else max(len(masks), 2)
    drawing, panels = grid(len(masks), columns, 1.5 + 1.0 / -(-len(masks) // columns), shared=True)
    shown: Any = None
    across = np.linspace(extent[0], extent[1], masks.shape[2] * 2 + 1)[1::2]
    up = np.linspace(extent[2], extent[3], masks.shape[1] * 2 + 1)[1::2]
    for number, (axes, mask) in enumerate(zip(panels, masks, strict=True)):
        shown = image(axes, mask, extent, SEQUENTIAL, 0, 1)
        if outlines is not None and outlines[number].max() > 0:
            smooth = gaussian_filter(outlines[number], 1.5)
            axes.contour(across, up, smooth, levels=[0.03 * smooth.max()], colors="white", linewidths=0.9)
        if toe is not None:
            _box(axes, toe, TOE, "-")
        if ankle is not None:
            _box(axes, ankle, ANKLE, "--")
        axes.set_title(
            rf"{bins[number, 0]:.2f} ≤ $|\beta_2|$ < {bins[number, 1]:.2f}" + f"\n{int(n[number])} images", fontsize=7.5
        )
    for region, shade, style, label in ((toe, TOE, "-", "toe"), (ankle, ANKLE, "--", "ankle")):
        if region is not None:
            panels[0].plot([], [], color=shade, linestyle=style, label=label)
    if outlines is not None:
        panels[0].plot([], [], color=GREY, label="where the events are (drawn white)")
    legend_outside(drawing, panels[0], 3, "outside upper center")
    label_plane(drawing)
    drawing.colorbar(shown, ax=panels, shrink=0.8, pad=0.015).set_label("attention (part of the images)")
    return drawing


@house_style()
def attention_preference(
    edges: Values,
    regions: Mapping[str, tuple[Values, Values]],
    neutral: float,
    label: str,
    threshold: float = PUBLISHED_TOE,
) -> Drawing:
    """How much more the mask holds inside a region than elsewhere, by ``|beta2|``.

    Args:
        edges: (bin + 1,).
        regions: value and error (bin,) of ``"toe"`` and ``"ankle"``.
        neutral: the value of a mask that prefers nothing.
        label: what the value is.
        threshold: published ``|beta2|`` above which the toe is used.
    """
    drawing, (axes,) = grid(1, 1, 2.8, width=5.4)
    centres, halves = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    looks = {"toe": (TOE, "o"), "ankle": ("#c07a00", "s")}
    for name, (value, error) in regions.items():
        shade, marker = looks.get(name, (INK, "o"))
        axes.errorbar(
            centres, value, xerr=halves, yerr=np.nan_to_num(error), fmt=marker, color=shade, label=name, markersize=5
        )
    axes.axhline(neutral, color=INK, linewidth=0.8)
    axes.annotate(
        "no preference ",
        (float(edges[-1]), neutral),
        xytext=(0, 2),
        textcoords="offset points",
        ha="right",
        fontsize=7.5,
    )
    axes.axvline(threshold, color=GREY, linestyle="--")
    axes.set(xlabel=r"true $|\beta_2|$", ylabel=label, xlim=(edges[0], edges[-1]))
    axes.margins(y=0.25)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.12 * (high - low))
    axes.text(
        threshold, 0.98, f" published threshold\n of the toe: {threshold:g}", va="top", fontsize=7.5,
        transform=axes.get_xaxis_transform(), bbox=PLATE,
    )  # fmt: skip
    axes.legend(loc="upper right")
    return drawing


@house_style()
def explanation_maps(images: Values, abs_beta2: Values, maps: Mapping[str, Values], extent: Sequence[float]) -> Drawing:
    """A row an image, a column a method; each map is divided by its own largest absolute value.

    Args:
        images: (image, v2_bin, multiplicity_bin), density of events.
        abs_beta2: (image,).
        maps: by title of the method, shaped as ``images``.
        extent: left, right, bottom, top.
    """
    columns = 1 + len(maps)
    drawing, panels = grid(columns * len(images), columns, 7.2 / max(columns, 4) * 0.95, shared=True)
    shown: Any = None
    for row in range(len(images)):
        density = np.where(images[row] > 0, images[row], np.nan)
        first = panels[row * columns]
        if np.isfinite(density).any():
            top = largest(density)
            image(first, density, extent, SEQUENTIAL, None, None).set_norm(LogNorm(1e-3 * top, top))
        first.set_ylabel(rf"$|\beta_2|={abs_beta2[row]:.2f}$")
        for place, values in enumerate(maps.values(), start=1):
            top = largest(values[row])
            shown = image(panels[row * columns + place], values[row] / top, extent, DIVERGING, -1, 1)
        for axes in panels[row * columns : (row + 1) * columns]:
            axes.tick_params(labelbottom=row == len(images) - 1)
    for axes, title in zip(panels, ("image", *maps), strict=False):
        axes.set_title(wrapped(title, 12))
    label_plane(drawing)
    drawing.colorbar(shown, ax=panels, shrink=0.5, pad=0.015).set_label("map (red raises, blue lowers)")
    return drawing


@house_style()
def feature_patterns(patterns: Values, layers: Sequence[str], start: Values | None = None, most: int = 6) -> Drawing:
    """Images that excite single neurons most: a row a layer, shallow above; each scaled to its own range.

    Args:
        patterns: (layer, neuron, v2_bin, multiplicity_bin).
        layers: titles of the rows.
        start: (v2_bin, multiplicity_bin), what the patterns were made from; if given, the change from it is shown.
        most: neurons shown a layer.
    """
    columns = min(patterns.shape[1], most)
    drawing, panels = grid(len(patterns) * columns, columns, 1.16, width=min(1.1 + 1.2 * columns, WIDTH))
    for row in range(len(patterns)):
        for column in range(columns):
            axes = panels[row * columns + column]
            values = patterns[row, column]
            if start is None:
                image(axes, values, (0, 1, 0, 1), SEQUENTIAL, None, None)
            else:
                top = largest(values - start)
                image(axes, values - start, (0, 1, 0, 1), DIVERGING, -top, top)
            if np.isnan(values).all():
                axes.text(0.5, 0.5, "no neuron", ha="center", va="center", fontsize=7.5, color=GREY)
            axes.set(xticks=[], yticks=[])
            axes.set_aspect("equal")
        panels[row * columns].set_ylabel(wrapped(str(layers[row]), 16), fontsize=8, rotation=0, ha="right", va="center")
    drawing.supxlabel("multiplicity →", fontsize=8.5)
    return drawing


@house_style()
def deletion_insertion(
    methods: Sequence[str], fraction: Values, curves: Mapping[str, tuple[Values, Values, Values | None]]
) -> Drawing:
    """Prediction change while the pixels that a method names are removed or added, against random maps (grey band).

    Args:
        methods: titles.
        fraction: (step,), part of the pixels.
        curves: of ``"deletion"`` and ``"insertion"``: change (method, step); random, (step,) or (method, step); error.
    """
    drawing, panels = grid(len(curves), 2, 2.8, width=7.2 if len(curves) > 1 else 4)
    for axes, (kind, (change, random, error)) in zip(panels, curves.items(), strict=True):
        noise = random.mean(0) if random.ndim == 2 else random
        spread = None if error is None else (np.sqrt(np.square(error).mean(0)) if error.ndim == 2 else error)
        if spread is not None:
            axes.fill_between(fraction, noise - 2 * spread, noise + 2 * spread, color=GREY, alpha=0.35, linewidth=0)
        axes.plot(fraction, noise, color="#5f6b6d", linestyle="--", label="random maps")
        for number, method in enumerate(methods):
            axes.plot(
                fraction,
                change[number],
                color=PETROFF[number % len(PETROFF)],
                marker="osD^vP"[number % 6],
                markersize=3,
                label=METHOD_TITLES.get(method, method),
            )
        axes.set(
            xlabel="part of the pixels " + ("removed" if kind == "deletion" else "added"),
            ylabel="change of the prediction",
            title=kind,
            xlim=(0, 1),
            ylim=(0, None),
        )
    legend_outside(drawing, panels[0], 3)
    return drawing


@house_style()
def randomization(methods: Sequence[str], similarity: Values, error: Values | None) -> Drawing:
    """Rank correlation between a method's maps of the trained network and of one with random weights."""
    drawing, (axes,) = grid(1, 1, 0.75 + 0.26 * len(methods), width=5.4)
    places = np.arange(len(methods))
    axes.errorbar(
        similarity,
        places,
        xerr=None if error is None else np.nan_to_num(error),
        fmt="o",
        color=PETROFF[0],
        markersize=5,
    )
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.axvline(1, color=INK, linewidth=0.8, linestyle="--")
    axes.set_yticks(places, [METHOD_TITLES.get(method, method) for method in methods])
    axes.set(
        xlim=(float(np.fmin.reduce(similarity, initial=-0.2)) - 0.1, 1.05),
        ylim=(len(methods) - 0.5, -0.5),
        xlabel="rank correlation: trained against random weights",
    )
    axes.grid(axis="y", color=LINES, linewidth=0.6)
    return drawing
