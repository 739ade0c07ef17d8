"""Figures of nuclear shapes and heavy-ion collisions (arXiv:1906.06429).

Conventions: beta2, beta4, v2 and dN/dY are dimensionless, lengths in fm; images are (v2_bin, multiplicity_bin) with the
origin at the lower left; the extent of an image is left, right, bottom, top.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray

from cloudchamber.data.samples import Prediction
from cloudchamber.metrics.regression import r2
from cloudchamber.report.figures import PLATE, cloud, wrapped
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
    legend_outside,
)
from cloudchamber.report.words import plus_minus

Values = NDArray[Any]

TARGETS = ("abs_beta2", "abs_beta4", "beta2", "beta4")
"""Columns of the truth."""
LABELS = {"abs_beta2": r"$|\beta_2|$", "abs_beta4": r"$|\beta_4|$", "beta2": r"$\beta_2$", "beta4": r"$\beta_4$"}
WORDS = {"abs_beta2": "|β₂|", "abs_beta4": "|β₄|", "beta2": "β₂", "beta4": "β₄"}
MULTIPLICITY = r"multiplicity $\mathrm{d}N/\mathrm{d}Y$ (1: most central)"
FLOW = r"elliptic flow $v_2$"
SIGN_THRESHOLD = 0.1
"""The sign of beta2 is judged for ``|beta2|`` above this."""


def label_plane(drawing: Drawing) -> None:
    """Axis labels of all images of a drawing."""
    drawing.supxlabel(MULTIPLICITY, fontsize=9)
    drawing.supylabel(FLOW, fontsize=9)


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
        beta2s: quadrupole deformations.
        beta4s: hexadecapole deformations.
        radius: of the Woods-Saxon density in fm (None: the table's).
        diffuseness: of the Woods-Saxon density in fm (None: the table's).
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
def collisions(profiles: Values, titles: Sequence[str], extent: Sequence[float]) -> Drawing:
    """Entropy density in the plane across the beams, a panel an event.

    Args:
        profiles: (event, y, x), arbitrary units.
        titles: of the events.
        extent: left, right, bottom, top in fm.
    """
    columns = min(len(profiles), 3) if len(profiles) != 4 else 2
    drawing, panels = grid(len(profiles), columns, 0.7 + 0.82 * WIDTH / max(columns, 2), shared=True)
    top = largest(profiles)
    shown: Any = None
    for axes, profile, title in zip(panels, profiles, titles, strict=True):
        shown = image(axes, profile / top, extent, "magma", 0, 1)
        axes.set_title(str(title))
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
    label_plane(drawing)
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
        titles: of the predictors by name.
        kinds: of the predictors by name.
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
    legend_outside(drawing, panels[0], 2)
    return drawing


@house_style()
def degeneracy_with_statistics(events: Values, value: Values, error: Values) -> Drawing:
    """Signed R2 of beta2 against the number of events in an image.

    Args:
        events: (size,).
        value: (2, size), R2: image alone; image and size.
        error: (2, size), of R2.
    """
    drawing, (axes,) = grid(1, 1, 2.6)
    for row, (label, marker) in enumerate((("image alone", "o"), ("image and size", "s"))):
        axes.errorbar(events, value[row], error[row], color=PETROFF[row], marker=marker, label=label, capsize=2)
    axes.axhline(0.2, color=GREY, linestyle="--", linewidth=1)
    axes.text(events[0], 0.21, "degenerate below", color=INK, fontsize=7.5, va="bottom")
    axes.set(xscale="log", xlabel="events in an image", ylabel=r"$R^2$ of signed $\beta_2$", ylim=(-0.1, 1.05))
    axes.set_xticks(events, [f"{number:,}" for number in events])
    axes.minorticks_off()
    legend_outside(drawing, axes, 2)
    return drawing


@house_style()
def transfer(
    test: Scored,
    probe: Scored,
    names: Sequence[str],
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
) -> Drawing:
    """Predicted minus true ``|beta2|`` against the truth, a panel a predictor: test grey, probe in colour."""
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
