"""Figures of nuclear shapes and heavy-ion collisions (arXiv:1906.06429).

Conventions: beta2, beta4, v2 and dN/dY are dimensionless, lengths in fm; images are (v2_bin, multiplicity_bin) with the
origin at the lower left; the extent of an image is left, right, bottom, top.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cloudchamber.data.samples import Prediction
from cloudchamber.metrics.regression import r2
from cloudchamber.report.figures import PLATE, cloud, plus_minus, wrapped
from cloudchamber.report.files import Scored
from cloudchamber.report.style import (
    DIVERGING,
    GREY,
    INK,
    MARKERS,
    PETROFF,
    SEQUENTIAL,
    WIDTH,
    colours,
    grid,
    house_style,
    image,
    largest,
)

Values = NDArray[Any]

TARGETS = ("abs_beta2", "abs_beta4", "beta2", "beta4")
"""Columns of the truth."""
LABELS = {"abs_beta2": r"$|\beta_2|$", "abs_beta4": r"$|\beta_4|$", "beta2": r"$\beta_2$", "beta4": r"$\beta_4$"}
WORDS = {"abs_beta2": "|β₂|", "abs_beta4": "|β₄|", "beta2": "β₂", "beta4": "β₄"}
MULTIPLICITY = r"multiplicity $\mathrm{d}N/\mathrm{d}Y$ (1: most central)"
FLOW = r"elliptic flow $v_2$"
PUBLISHED_TOE = 0.17
"""|beta2| above which the publication's network looks at the toe."""
SIGN_THRESHOLD = 0.1
"""The sign of beta2 is judged for |beta2| above this."""
TOE, ANKLE = PETROFF[1], PETROFF[3]


# --- figures of the data ----------------------------------------------------------------------------------------------


@house_style()
def nuclear_density_grid(
    nucleus: str,
    beta2s: Sequence[float],
    beta4s: Sequence[float],
    radius: float | None = None,
    diffuseness: float | None = None,
) -> Drawing:
    """Density in the plane of the symmetry axis: rows from the smallest beta2, columns from the smallest beta4.

    Args:
        nucleus: name in the table of nuclei.
        beta2s, beta4s: deformations.
        radius, diffuseness: of the Woods-Saxon density in fm (None: the table's).
    """
    from cloudchamber.simulators.heavyion import nuclei

    reach = 1.0
    panels: list[tuple[float, float, nuclei.Nucleus]] = []
    for beta2 in beta2s:
        for beta4 in beta4s:
            one = nuclei.nucleus(
                nucleus, radius=radius, diffuseness=diffuseness, beta2=beta2, beta3=0.0, beta4=beta4, gamma=0.0
            )
            panels.append((beta2, beta4, one))
            reach = max(reach, one.reach)
    half = math.ceil(reach)
    axis = np.linspace(-half, half, 101)
    drawing, axes = grid(len(panels), len(beta4s), 1.36, shared=True)
    shown: Any = None
    for panel, (beta2, beta4, one) in zip(axes, panels, strict=True):
        rho = nuclei.density(one, axis[None, :], 0.0, axis[:, None])
        shown = image(panel, rho, (-half, half, -half, half), SEQUENTIAL, 0, 1)
        panel.contour(axis, axis, rho, levels=[0.1, 0.5, 0.9], colors="white", linewidths=(0.5, 1.1, 0.5))
        panel.set_aspect("equal")
        panel.set_title(rf"$\beta_2={beta2:.2f},\ \beta_4={beta4:.1f}$", fontsize=6.8)
        panel.tick_params(labelbottom=beta2 == beta2s[-1])
    drawing.supxlabel("x [fm]", fontsize=9)
    drawing.supylabel("z [fm] (symmetry axis)", fontsize=9)
    drawing.colorbar(shown, ax=axes, shrink=0.5, pad=0.015).set_label(r"density $\rho/\rho_0$")
    return drawing


@house_style()
def collisions(
    profiles: Values, titles: Sequence[str], extent: Sequence[float], nucleons: Values | None = None
) -> Drawing:
    """Entropy density in the plane across the beams, a panel an event.

    Args:
        profiles: (event, y, x), arbitrary units.
        titles: of the events.
        extent: left, right, bottom, top in fm.
        nucleons: (event, nucleon, 2 or more) transverse positions in fm of colliding nucleons, NaN where fewer.
    """
    columns = min(len(profiles), 3) if len(profiles) != 4 else 2
    drawing, panels = grid(len(profiles), columns, 0.7 + 0.82 * WIDTH / max(columns, 2), shared=True)
    top = largest(profiles)
    shown: Any = None
    for number, (axes, profile) in enumerate(zip(panels, profiles, strict=True)):
        shown = image(axes, profile / top, extent, "magma", 0, 1)
        if nucleons is not None:
            axes.plot(
                nucleons[number, :, 0], nucleons[number, :, 1], "o", markersize=3, markerfacecolor="none",
                markeredgecolor="white", markeredgewidth=0.45, alpha=0.75,
            )  # fmt: skip
        axes.set_title(str(titles[number]))
        axes.set_aspect("equal")
        axes.set(xlim=extent[:2], ylim=extent[2:], xlabel="x [fm]")
        axes.locator_params(nbins=5)
        axes.tick_params(color="white")
    panels[0].set_ylabel("y [fm]")
    drawing.colorbar(shown, ax=panels, shrink=0.75, pad=0.015).set_label("entropy density (largest: 1)")
    return drawing


@house_style()
def shape_images(images: Values, betas: Values, extent: Sequence[float]) -> Drawing:
    """What predictors read: a column a shape; above the density of events, below the size channel if there is one.

    Args:
        images: (shape, channel, v2_bin, multiplicity_bin).
        betas: (shape, 2), beta2 and beta4.
        extent: left, right, bottom, top of the image.
    """
    channels = min(images.shape[1], 2)
    count = len(images)
    drawing, panels = grid(channels * count, count, 1.75, shared=True)
    density = np.where(images[:, 0] > 0, images[:, 0], np.nan)
    high = largest(density)
    low = max(float(np.min(density[density > 0], initial=high)), 1e-3 * high)
    for column in range(count):
        axes = panels[column]
        shown = image(axes, density[column], extent, SEQUENTIAL, None, None)
        shown.set_norm(LogNorm(low, high))
        beta2, beta4 = betas[column]
        axes.set_title(rf"$\beta_2={beta2:.2f}$" + "\n" + rf"$\beta_4={beta4:.2f}$")
        axes.tick_params(labelbottom=channels == 1)
        if column == count - 1:
            drawing.colorbar(shown, ax=panels[:count], pad=0.015).set_label("events a pixel\n(mean: 1)")
    if channels == 2:
        size = np.where(images[:, 0] > 0, images[:, 1], np.nan)
        seen = np.abs(size[np.isfinite(size)])
        top = largest(seen[seen <= np.quantile(seen, 0.995)]) if len(seen) else 1.0
        for column in range(count):
            shown = image(panels[count + column], size[column], extent, DIVERGING, -top, top)
        drawing.colorbar(shown, ax=panels[count:], pad=0.015, extend="both").set_label(
            "size fluctuation\n(red: compact)"
        )
    drawing.supxlabel(MULTIPLICITY, fontsize=9)
    drawing.supylabel(FLOW, fontsize=9)
    return drawing


# --- figures of the predictions ---------------------------------------------------------------------------------------


@house_style()
def degeneracy(
    truth: Values, predictions: Mapping[str, Prediction], titles: Mapping[str, str], kinds: Mapping[str, str]
) -> Drawing:
    """The sign of beta2, a column a predictor: predicted against true, and the distribution of predicted over true.

    Args:
        truth: (record, 4), see ``TARGETS``.
        predictions: the predictors to compare.
        titles, kinds: of the predictors.
    """
    column = TARGETS.index("beta2")
    true = truth[:, column]
    clear = np.abs(true) > SIGN_THRESHOLD
    drawing, panels = grid(2 * len(predictions), len(predictions), 2.35)
    colour = colours(kinds)
    reach = 1.15 * float(np.abs(true).max())
    for place, (name, said) in enumerate(predictions.items()):
        above, below = panels[place], panels[place + len(predictions)]
        line = np.array([-reach, reach])
        above.plot(line, line, color=INK, linewidth=0.9, label="right")
        above.plot(line, -line, color=INK, linewidth=0.9, linestyle="--", label="wrong sign")
        bars = None if said.std is None else said.std[:, column]
        cloud(above, true, said.mean[:, column], bars, colour.get(name, INK), MARKERS.get(kinds.get(name, ""), "o"))
        measured = r2(true, said.mean[:, column], np.random.default_rng(0))
        above.text(
            0.5, 0.04, f"R² {plus_minus(measured.value, measured.error)}", transform=above.transAxes, ha="center",
            fontsize=7.5, bbox=PLATE,
        )  # fmt: skip
        above.set(
            xlim=(-reach, reach),
            ylim=(-1.35 * reach, 1.35 * reach),
            title=wrapped(titles.get(name, name)),
            xlabel=r"true $\beta_2$",
        )
        ratio = np.clip(said.mean[clear, column] / true[clear], -1.999, 1.999)
        bins = list(np.linspace(-2, 2, 21 if len(ratio) < 200 else 41))
        below.hist(ratio, bins=bins, color=colour.get(name, INK), alpha=0.85)
        for value, style in ((1, "-"), (-1, "--")):
            below.axvline(value, color=INK, linewidth=0.9, linestyle=style)
        below.set(xlim=(-2, 2), xlabel=r"predicted / true $\beta_2$")
    panels[0].set_ylabel(r"predicted $\beta_2$")
    panels[len(predictions)].set_ylabel(rf"shapes with $|\beta_2|$ > {SIGN_THRESHOLD:g}")
    handles, names = panels[0].get_legend_handles_labels()
    drawing.legend(handles, names, loc="outside lower center", ncols=2)
    return drawing


@house_style()
def degeneracy_with_statistics(events: Values, value: Values, error: Values) -> Drawing:
    """Signed R2 of beta2 against the number of events in an image.

    Args:
        events: (size,).
        value, error: (2, size), R2 and its error: image alone; image and size.
    """
    drawing, (axes,) = grid(1, 1, 2.6)
    for row, (label, marker) in enumerate((("image alone", "o"), ("image and size", "s"))):
        axes.errorbar(events, value[row], error[row], color=PETROFF[row], marker=marker, label=label, capsize=2)
    axes.axhline(0.2, color=GREY, linestyle="--", linewidth=1)
    axes.text(events[0], 0.21, "degenerate below", color=INK, fontsize=7.5, va="bottom")
    axes.set(xscale="log", xlabel="events in an image", ylabel=r"$R^2$ of signed $\beta_2$", ylim=(-0.1, 1.05))
    axes.set_xticks(events, [f"{number:,}" for number in events])
    axes.minorticks_off()
    drawing.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return drawing


@house_style()
def transfer(
    test: Scored,
    probe: Scored,
    names: Sequence[str],
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
) -> Drawing:
    """Predicted minus true |beta2| against the truth, a panel a predictor: test shapes grey, the probe's in colour."""
    drawing, panels = grid(len(names), 4, 2.1, shared=True)
    colour = colours(kinds)
    column = TARGETS.index("abs_beta2")
    for axes, name in zip(panels, names, strict=True):
        marker = MARKERS.get(kinds.get(name, ""), "o")
        for scored, shade in ((test, GREY), (probe, colour.get(name, INK))):
            said = scored.predictions[name]
            true = scored.truth[:, column]
            bars = None if said.std is None else said.std[:, column]
            cloud(axes, true, said.mean[:, column] - true, bars, shade, marker)
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_title(wrapped(titles.get(name, name)))
    drawing.supxlabel(r"true $|\beta_2|$", fontsize=9)
    drawing.supylabel(r"predicted − true $|\beta_2|$", fontsize=9)
    return drawing


# --- figures of the explanations --------------------------------------------------------------------------------------


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
    """The averaged regression attention mask of each bin of |beta2|, with the boxes of toe and ankle.

    Args:
        bins: (bin, 2), lower and upper edge in |beta2|.
        masks: (bin, v2_bin, multiplicity_bin), between 0 and 1.
        n: (bin,), images.
        extent: left, right, bottom, top of an image.
        toe, ankle: left, right, bottom, top of the regions.
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
    handles, names = panels[0].get_legend_handles_labels()
    if handles:
        drawing.legend(handles, names, loc="outside upper center", ncols=3)
    drawing.supxlabel(MULTIPLICITY, fontsize=9)
    drawing.supylabel(FLOW, fontsize=9)
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
    """How much more the mask holds inside a region than elsewhere, by |beta2|.

    Args:
        edges: (bin + 1,).
        regions: value and error (bin,) of ``"toe"`` and ``"ankle"``.
        neutral: the value of a mask that prefers nothing.
        label: what the value is.
        threshold: published |beta2| above which the toe is used.
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
    drawing.supxlabel(MULTIPLICITY, fontsize=9)
    drawing.supylabel(FLOW, fontsize=9)
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


METHOD_TITLES = {
    "regression_attention_mask": "regression attention mask",
    "regression_gradcam": "regression Grad-CAM",
    "gradcam": "Grad-CAM",
    "class_activation_map": "class activation map",
    "lime": "LIME",
    "occlusion": "occlusion",
}


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
    handles, names = panels[0].get_legend_handles_labels()
    drawing.legend(handles, names, loc="outside lower center", ncols=3)
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
    axes.grid(axis="y", color="#e3e6e8", linewidth=0.6)
    return drawing
