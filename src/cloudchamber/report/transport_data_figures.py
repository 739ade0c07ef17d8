"""Figures of the transport simulator beside data: fragments against angle and energy, and the reaction cross section.

Measured points are black with their published errors, a simulation is a band of one standard error of its events about
a line of its own colour and dashes, so that colour is never the only difference. Where nothing was simulated, a hollow
triangle hangs at the upper limit of 68 %. Conventions: those of ``metrics.fragment_cross_sections``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MultipleLocator, NullFormatter
from numpy.typing import NDArray

from cloudchamber.data.measured_fragments import AngularDistribution, Spectrum
from cloudchamber.metrics.fragment_cross_sections import CrossSection
from cloudchamber.metrics.measured import Measured
from cloudchamber.report.interactions_figures import DASHES, named_legend
from cloudchamber.report.style import GREY, INK, LINES, PETROFF, SHAPES, house_style, new_drawing
from cloudchamber.simulators.transport.reaction_cross_section import Nucleus, kox, tripathi

Floats = NDArray[np.float64]

COLUMNS = 5
RATIOS = (0.07, 14.0)
"""Of the strips; what leaves them is drawn at the edge."""
REACH = 30.0
"""How far below and above the measured points a panel goes to show a simulation."""


def isotope_label(isotope: str) -> str:
    """``He4`` as matplotlib writes it.

    Args:
        isotope: element and mass number.

    Examples:
        >>> isotope_label("He4")
        '$^{4}$He'
    """
    element = isotope.rstrip("0123456789")
    return f"$^{{{isotope.removeprefix(element)}}}${element}"


@house_style()
def angular_figure(
    measured: Mapping[str, AngularDistribution], simulated: Mapping[str, Mapping[str, CrossSection]]
) -> Drawing:
    """``dsigma/dOmega`` against the angle, a panel an isotope, and below each simulated over measured.

    Args:
        measured: by isotope.
        simulated: by title of the simulation and isotope, at the measured angles.
    """
    rows, columns = -(-len(measured) // COLUMNS), min(COLUMNS, len(measured))
    drawing = new_drawing(2.5 * rows)
    axes = drawing.subplots(
        2 * rows, columns, squeeze=False, sharex=True, gridspec_kw={"height_ratios": [2.1, 1] * rows}
    )
    _close_up(drawing)
    last = len(measured) - columns * (rows - 1)  # panels of the last row
    for part in axes[-2:, last:].flat:
        part.set_axis_off()
    for number, (isotope, data) in enumerate(measured.items()):
        row, column = 2 * (number // columns), number % columns
        above, below = axes[row, column], axes[row + 1, column]
        found = [one[isotope] for one in simulated.values()]
        _draw_panel(above, data.angle, data.half_width, data, found)
        _draw_ratios(below, data, found)
        above.text(0.94, 0.94, isotope_label(isotope), transform=above.transAxes, ha="right", va="top", fontsize=10)
        below.tick_params(labelbottom=number + columns >= len(measured), labelleft=column == 0)
    for left in range(0, 2 * rows, 2):
        axes[left, 0].set_ylabel(r"$\mathrm{d}\sigma/\mathrm{d}\Omega$ [b/sr]")
        axes[left + 1, 0].set_ylabel("simulated /\nmeasured", fontsize=8)
    axes[0, 0].set_xlim(0, 24)
    axes[0, 0].xaxis.set_major_locator(MultipleLocator(10))
    axes[0, 0].xaxis.set_minor_locator(MultipleLocator(5))
    axes[-1, (last - 1) // 2].set_xlabel("angle in the laboratory [degrees]")
    drawing.align_ylabels()
    shown = [one[isotope] for one in simulated.values() for isotope in measured]
    named_legend(drawing, _handles(simulated, shown, SHAPES), 4)
    return drawing


@house_style()
def spectra_figure(spectra: Sequence[Spectrum], simulated: Mapping[str, Sequence[CrossSection]]) -> Drawing:
    """``d2sigma/dE dOmega`` against energy, here per nucleon: a column an isotope, a row an angle of it.

    Args:
        spectra: measured, isotope after isotope and each with as many angles.
        simulated: by title of the simulation, in the same order.
    """
    isotopes = list(dict.fromkeys(one.isotope for one in spectra))
    rows, columns = len(spectra) // len(isotopes), len(isotopes)
    drawing = new_drawing(1.7 * rows)
    axes = drawing.subplots(rows, columns, squeeze=False, sharex=True)
    _close_up(drawing)
    for number, one in enumerate(spectra):
        panel = axes[number % rows, number // rows]
        energy = one.energy / one.mass_number
        width = np.full(len(energy), one.half_bin / one.mass_number)
        _draw_panel(panel, energy, width, one, [found[number] for found in simulated.values()])
        low, high = panel.get_ylim()
        panel.set_ylim(low, high * (high / low) ** 0.2)  # room for the label
        label = f"{isotope_label(one.isotope)}, {one.angle:g}°"
        panel.text(0.04, 0.95, label, transform=panel.transAxes, ha="left", va="top")
    axes[0, 0].set_xlim(0, None)
    axes[0, 0].xaxis.set_major_locator(MultipleLocator(50))
    axes[0, 0].xaxis.set_minor_locator(MultipleLocator(10))
    for panel in axes[-1]:
        panel.set_xlabel("energy [MeV/u]")
    axes[rows // 2, 0].set_ylabel(r"$\mathrm{d}^2\sigma/\mathrm{d}E\,\mathrm{d}\Omega$ [mb/(sr MeV)]")
    shown = [one for each in simulated.values() for one in each]
    named_legend(drawing, _handles(simulated, shown, [""] * len(simulated)), 4)
    return drawing


@house_style()
def reaction_figure(
    projectile: Nucleus,
    target: Nucleus,
    measured: Sequence[tuple[float, float, float]],
    simulated: Mapping[str, Mapping[float, Measured]],
    energies: tuple[float, float] = (20.0, 220.0),
) -> Drawing:
    """Reaction cross section against the beam's energy: two parametrisations, measured and simulated points.

    Args:
        projectile: (A, Z).
        target: (A, Z).
        measured: energy [MeV per nucleon], cross section and error [mb]; may be empty.
        simulated: cross section [mb] by title of the simulation and energy [MeV per nucleon].
        energies: that are drawn [MeV per nucleon].
    """
    drawing = new_drawing(3.0, 4.8)
    axes = drawing.subplots()
    grid = np.geomspace(*energies, 200)
    for title, formula, dashes in (("Kox", kox, "-"), ("Tripathi", tripathi, DASHES[1])):
        values = [formula(projectile, target, float(energy)) for energy in grid]
        axes.plot(grid, values, color=GREY, linestyle=dashes, linewidth=1.6, label=title)
    if measured:
        energy, value, error = np.array(measured).T
        axes.errorbar(
            energy, value, error, fmt="o", color=INK, markersize=4, linewidth=1, label="measured", zorder=4
        )  # fmt: skip
    for place, (title, points) in enumerate(simulated.items()):
        axes.errorbar(
            list(points), [one.value for one in points.values()], [one.error for one in points.values()],
            fmt=SHAPES[1 + place], color=PETROFF[place], markersize=5, linewidth=1, label=title, zorder=5,
            markerfacecolor="white",
        )  # fmt: skip
    axes.set(
        xscale="log", xlim=energies, xlabel="energy of the beam [MeV per nucleon]", ylabel=r"$\sigma_\mathrm{R}$ [mb]"
    )
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(color=LINES, linewidth=0.6)
    handles, titles = axes.get_legend_handles_labels()
    named_legend(drawing, dict(zip(titles, handles, strict=True)))
    return drawing


# --- parts ------------------------------------------------------------------------------------------------------------


def _close_up(drawing: Drawing) -> None:
    """Little room between many panels."""
    drawing.get_layout_engine().set(h_pad=0.03, w_pad=0.015, hspace=0, wspace=0)  # type: ignore[union-attr, call-arg]


def _draw_panel(
    axes: Axes, x: Floats, width: Floats, data: AngularDistribution | Spectrum, found: Sequence[CrossSection]
) -> None:
    """Measured points, bands of the simulations, and a logarithmic axis that shows both."""
    value, error = data.cross_section, data.error
    below = np.minimum(error, 0.999 * value)  # a bar that would reach 0 ends at the bottom of the axis
    bars = np.stack([below, error])
    axes.errorbar(x, value, bars, width, fmt="o", color=INK, markersize=2.2, linewidth=0.7, zorder=4)
    shown = [value - np.minimum(error, 0.6 * value), value + error]
    for place, one in enumerate(found):
        _draw_band(axes, x, one, place)
        shown += [one.value[one.value > 0], one.limit[one.value == 0]]
    every = np.clip(np.concatenate(shown), value.min() / REACH, value.max() * REACH)
    low, high = every.min() / 1.6, every.max() * 1.6
    axes.set(yscale="log", ylim=(min(low, high / 100), high))  # two decades have two labels
    axes.yaxis.set_major_locator(LogLocator(numticks=6))
    axes.yaxis.set_minor_locator(LogLocator(subs=range(2, 10), numticks=8))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", labelsize=7)


def _draw_band(axes: Axes, x: Floats, found: CrossSection, place: int) -> None:
    """A simulation: line and band where something was found, triangles at the limits elsewhere."""
    there = found.value > 0
    value = np.where(there, found.value, np.nan)
    low, high = np.maximum(value - found.error, 1e-3 * value), value + found.error
    colour = PETROFF[place]
    axes.fill_between(x, low, high, color=colour, alpha=0.3, linewidth=0, zorder=1)
    axes.plot(x, value, color=colour, linestyle=DASHES[place], linewidth=1.2, zorder=2)
    axes.plot(
        x[~there], found.limit[~there], "v", color=colour, markersize=3.2, markerfacecolor="white", markeredgewidth=0.7,
        zorder=2,
    )  # fmt: skip


def _draw_ratios(axes: Axes, data: AngularDistribution, found: Sequence[CrossSection]) -> None:
    """Simulated over measured, the measured error about 1."""
    relative = data.error / data.cross_section
    axes.fill_between(data.angle, 1 - relative, 1 + relative, color=GREY, alpha=0.35, linewidth=0)
    axes.axhline(1, color=INK, linewidth=0.7)
    low, high = RATIOS
    for place, one in enumerate(found):
        there = one.value > 0
        ratio = np.clip(np.where(there, one.value, one.limit) / data.cross_section, 1.1 * low, high / 1.1)
        error = np.where(there, one.error / data.cross_section, 0)
        for chosen, shape in ((there, SHAPES[place]), (~there, "v")):
            axes.errorbar(
                data.angle[chosen], ratio[chosen],
                np.stack([np.minimum(error, 0.999 * ratio), error])[:, chosen], fmt=shape, color=PETROFF[place],
                markersize=2.2, linewidth=0.7, markerfacecolor="white" if shape == "v" else PETROFF[place],
            )  # fmt: skip
    axes.set(yscale="log", ylim=RATIOS)
    axes.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", labelsize=7)


def _handles(titles: Iterable[str], shown: Iterable[CrossSection], shapes: Sequence[str]) -> dict[str, Any]:
    """What the legend shows: the measurement, every simulation, and the limits if there are any.

    Args:
        titles: of the simulations.
        shown: all that is drawn of them.
        shapes: markers of the simulations, "" for none.
    """
    handles: dict[str, Any] = {"measured": Line2D([], [], color=INK, marker="o", markersize=3, linewidth=0.7)}
    for place, title in enumerate(titles):
        handles[title] = Line2D(
            [], [], color=PETROFF[place], linestyle=DASHES[place], marker=shapes[place], markersize=3, linewidth=1.4
        )
    if any((one.value == 0).any() for one in shown):
        handles["68 % upper limit"] = Line2D(
            [], [], color=INK, marker="v", markersize=3.5, markerfacecolor="white", linestyle="none"
        )
    return handles
