"""Figures of the function-fit report about backpropagation, optimisers and the training of the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from cloudchamber.report.function_fit_line_figures import (
    MARKER_OF_OPTIMISER,
    NAME_OF_OPTIMISER,
    OF_OPTIMISER,
    draw_points,
    grey_line,
    shade_outside,
)
from cloudchamber.report.style import GREY, INK, LINES, PETROFF, SEQUENTIAL, grid, house_style, legend_outside

Values = NDArray[Any]
RADIUS = 0.24


def number(value: float) -> str:
    """A number of the worked example, short, with a true minus sign.

    Examples:
        >>> number(-0.5), number(3.0)
        ('−0.5', '3')
    """
    return f"{value:g}".replace("-", "−")


@house_style()
def worked_network(arrays: Mapping[str, Values]) -> Drawing:
    """The small network twice: the numbers of the forward pass, and those of the backward pass.

    Args:
        arrays: of the explanation ``backpropagation``.
    """
    drawing, panels = grid(2, 1, 1.75)
    forwards = [np.array([arrays["worked_x"]]), *(arrays[f"worked_activations_{one}"] for one in (1, 2, 3))]
    slopes = [None, *(arrays[f"worked_slopes_{one}"] for one in (1, 2, 3))]
    place = [[(2.6 * layer, 1.0 if len(values) == 1 else 1.75 - 1.5 * row) for row in range(len(values))]
             for layer, values in enumerate(forwards)]  # fmt: skip
    for axes, backwards in zip(panels, (False, True), strict=True):
        axes.set(xlim=(-1.3, 10.6), ylim=(-0.05, 2.75), aspect="equal")
        axes.set_axis_off()
        colour = PETROFF[1] if backwards else PETROFF[0]
        for layer in (1, 2, 3):
            edges = arrays[f"worked_{'weight_gradient' if backwards else 'weights'}_{layer}"]
            for before, start in enumerate(place[layer - 1]):
                for after, end in enumerate(place[layer]):
                    _edge(axes, start, end, edges[before, after], colour, backwards=backwards)
        for layer, nodes in enumerate(place):
            for node, (x, y) in enumerate(nodes):
                off = 0 < layer < 3 and forwards[layer][node] == 0
                face = LINES if off else "white"
                axes.add_patch(Circle((x, y), RADIUS, facecolor=face, edgecolor=GREY if off else INK, zorder=3))
                shown = slopes[layer] if backwards else forwards[layer]
                text = "" if shown is None else number(float(shown[node]))
                axes.text(x, y, text, ha="center", va="center", fontsize=8, color=colour, weight="bold", zorder=4)
                if layer and not backwards:
                    bias = number(float(arrays[f"worked_biases_{layer}"][node]))
                    axes.text(x, y + RADIUS + 0.05, f"b = {bias}", ha="center", va="bottom", fontsize=7)
        _ends(axes, arrays, backwards=backwards)
    return drawing


def _edge(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], value: float, colour: str, *, backwards: bool
) -> None:
    one, other = np.array(start), np.array(end)
    along = (other - one) / np.linalg.norm(other - one)
    tail, head = one + RADIUS * along, other - RADIUS * along
    if backwards:
        tail, head = head, tail
    dead = backwards and value == 0
    axes.annotate(
        "", xy=tuple(head), xytext=tuple(tail), zorder=1,
        arrowprops={
            "arrowstyle": "-|>", "color": GREY if dead else colour, "linewidth": 0.7 if dead else 1.3, "shrinkA": 0,
            "shrinkB": 0,
        },
    )  # fmt: skip
    spot = one + (0.3 if abs(along[1]) > 0.2 else 0.5) * (other - one)
    text = number(float(value))
    axes.text(
        spot[0], spot[1], text, ha="center", va="center", fontsize=7.5, color=GREY if dead else INK, zorder=2,
        bbox={"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none"},
    )  # fmt: skip


def _ends(axes: Axes, arrays: Mapping[str, Values], *, backwards: bool) -> None:
    y, loss = (float(arrays[f"worked_{name}"]) for name in ("y", "loss"))
    answer = float(arrays["worked_activations_3"][0])
    if backwards:
        axes.text(8.2, 1.0, f"dJ/df = 2 ({number(answer)} − {number(y)})\n= {number(2 * (answer - y))}", va="center")
        axes.text(-1.3, 2.75, "backwards: dJ/da in the nodes, dJ/dW at the arrows", va="top", color=PETROFF[1])
    else:
        axes.text(8.2, 1.0, f"f = {number(answer)}, y = {number(y)}\nJ = (f − y)² = {number(loss)}", va="center")
        axes.text(-1.3, 2.75, "forwards: h in the nodes, W at the arrows", va="top", color=PETROFF[0])
        axes.text(-0.35, 1.0, "x", ha="right", va="center")


@house_style()
def gradient_by_layer(arrays: Mapping[str, Values]) -> Drawing:
    """Size of the gradient, and fraction of nodes that are on, layer by layer and along the training.

    Args:
        arrays: of the explanation ``backpropagation``.
    """
    drawing, (left, right) = grid(2, 2, 2.9)
    steps = arrays["step"]
    shown = [0, *(place for place, step in enumerate(steps) if step >= 10 and np.log10(step) % 1 == 0)]
    tints = mpl.colormaps[SEQUENTIAL](np.linspace(0, 0.85, len(shown)))
    layers = np.arange(1, arrays["gradient"].shape[1] + 1)
    for (place, tint), marker in zip(zip(shown, tints, strict=True), "osD^vP", strict=False):
        label = "start" if steps[place] == 0 else f"step {steps[place]:,}".replace(",", "\u2009")
        gradient = arrays["gradient"][place]
        left.plot(layers, np.exp(np.log(gradient + 1e-12).mean(axis=1)), color=tint, marker=marker, label=label)
        right.plot(layers[:-1], arrays["on"][place].mean(axis=1), color=tint, marker=marker)
    left.set(yscale="log", xlabel="layer, from the input to the answer", ylabel="root mean square of dJ/dW")
    right.set(xlabel="hidden layer", ylabel="fraction of the nodes that are on", ylim=(0, 1))
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_outside(drawing, left, 6)
    return drawing


@house_style()
def compared_optimisers(arrays: Mapping[str, Values]) -> Drawing:
    """The loss at the end by learning rate, and along the way at each optimiser's best one.

    Args:
        arrays: of the explanation ``optimisers``.
    """
    drawing, (left, right) = grid(2, 2, 2.9)
    for name, loss in zip(arrays["optimiser"], arrays["loss"], strict=True):
        key = str(name)
        end = loss[-1].mean(axis=1)
        known = np.isfinite(end)
        low, high = (np.where(known, bound, np.nan) for bound in (loss[-1].min(axis=1), loss[-1].max(axis=1)))
        left.fill_between(arrays["rate"], low, high, color=OF_OPTIMISER[key], alpha=0.2, linewidth=0)
        left.plot(
            arrays["rate"][known],
            end[known],
            label=NAME_OF_OPTIMISER.get(key, key),
            color=OF_OPTIMISER[key],
            marker=MARKER_OF_OPTIMISER[key],
        )
        if not known.all():
            first = int(np.argmin(known))
            height = 150 if key == "gradient descent" else 90
            left.plot(arrays["rate"][first], height, marker="x", color=OF_OPTIMISER[key], markersize=7, clip_on=False)
        best = int(np.where(known, end, np.inf).argmin())
        for start in range(loss.shape[2]):
            right.plot(
                arrays["step"][1:], loss[1:, best, start], color=OF_OPTIMISER[key], linewidth=1,
                label="_" if start else f"{NAME_OF_OPTIMISER.get(key, key)}, rate {arrays['rate'][best]:.1g}",
            )  # fmt: skip
    steps = int(arrays["step"][-1])
    left.set(
        xscale="log", yscale="log", xlabel="learning rate", ylabel=f"loss after {steps:,} steps".replace(",", "\u2009"),
        ylim=(0.1, 200),
    )  # fmt: skip
    right.set(xscale="log", yscale="log", xlabel="step", ylabel="loss (χ² a training point)", ylim=(0.1, 200))
    for axes in (left, right):
        grey_line(axes, 1)
        axes.yaxis.set_major_formatter("{x:g}")
    left.legend(loc="upper left", fontsize=7)
    right.legend(loc="lower left", fontsize=7)
    return drawing


@house_style()
def curves_of_steps(arrays: Mapping[str, Values]) -> Drawing:
    """The networks after every power of ten of steps, with the points and the kinks of the first network.

    Args:
        arrays: of the explanation ``approximation``.
    """
    number_of = len(arrays["decade"])
    drawing, panels = grid(number_of, 3 if number_of % 2 else 2, 2.2, shared=True)
    end, limit = float(arrays["fine"].max()), float(arrays["place"].max())
    low, high = float(arrays["y"].min()) - 0.35, float(arrays["y"].max()) + 0.25
    for axes, step, curves, slope in zip(panels, arrays["decade"], arrays["curve"], arrays["slope"], strict=True):
        shade_outside(axes, end, limit)
        draw_points(axes, arrays, GREY, 2)
        axes.plot(arrays["place"], arrays["truth"], color=INK, linestyle=":", linewidth=1.2)
        for member, curve in enumerate(curves):
            axes.plot(arrays["place"], curve, color=PETROFF[0], linewidth=1.6 if member == 0 else 0.7,
                      alpha=1 if member == 0 else 0.6)  # fmt: skip
        jumps = np.abs(np.diff(slope)) > 1e-6 * np.abs(slope).max()
        axes.plot(arrays["fine"][1:][jumps], np.full(jumps.sum(), low + 0.06), "|", color=PETROFF[1], markersize=5)
        axes.set_ylim(low, high)
        axes.set_title(f"{step:,} steps".replace(",", "\u2009"))
    drawing.supxlabel("x", fontsize=9)
    drawing.supylabel("y", fontsize=9)
    return drawing


@house_style()
def along_training(arrays: Mapping[str, Values]) -> Drawing:
    """Losses, true errors and kinks against the step.

    Args:
        arrays: of the explanation ``approximation``.
    """
    drawing, (left, middle, right) = grid(3, 3, 2.8)
    steps = arrays["step"][1:]
    shown = (
        (left, "train_loss", "training points", PETROFF[0], "-"),
        (left, "validation_loss", "validation points", PETROFF[3], "--"),
        (middle, "inside", "where points are", PETROFF[0], "-"),
        (middle, "outside", "beyond them", PETROFF[1], "--"),
        (right, "kinks", "", PETROFF[2], "-"),
    )
    for axes, name, label, colour, style in shown:
        values = arrays[name][1:]
        for one in values.T:
            axes.plot(steps, one, color=colour, linewidth=0.6, alpha=0.5, linestyle=style)
        typical = np.exp(np.log(np.maximum(values, 1e-9)).mean(axis=1))
        axes.plot(steps, typical, color=colour, linewidth=2, linestyle=style, label=label)
    for axes, label in (
        (left, "loss (χ² a point)"),
        (middle, "root mean square error"),
        (right, "kinks of the network"),
    ):
        for kept in arrays["kept"]:
            axes.axvline(arrays["step"][kept], color=GREY, linewidth=0.8, linestyle=":", zorder=0)
        axes.set(xscale="log", xlabel="step", ylabel=label)
    grey_line(left, 1)
    for axes in (left, middle):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.legend(loc="upper right" if axes is left else "upper left", fontsize=7)
    middle.set_ylim(top=3 * middle.get_ylim()[1])
    right.set_ylim(bottom=0)
    return drawing
