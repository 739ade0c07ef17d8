"""Figures of simulated air showers: arrays, traces, profiles, depths of maximum, signals and delays with distance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import FuncFormatter

from cloudchamber.data.surface_array import DEAD, SILENT, TRIGGERED
from cloudchamber.report.interactions_figures import DASHES
from cloudchamber.report.showers_run import Values
from cloudchamber.report.style import GREY, INK, LINES, PETROFF, SHAPES, grid, house_style
from cloudchamber.simulators.airshower.surface_array import BIN, PRE_TRIGGER

ELEMENTS = {1: "H", 4: "He", 12: "C", 14: "N", 16: "O", 28: "Si", 56: "Fe"}
AXIS = PETROFF[1]


def plain(value: float, _: Any = None) -> str:
    """A number on an axis without powers of ten."""
    return f"{value:g}"


@house_style()
def array_maps(gallery: Mapping[str, Values]) -> Drawing:
    """Triggered stations of showers: size for signal, colour for start time; core and direction of flight."""
    places = gallery["places"] / 1000
    count = len(gallery["map_status"])
    drawing, panels = grid(count, count, 2.95)
    for axes, status, time, signal, truth in zip(
        panels, gallery["map_status"], gallery["map_time"], gallery["map_signal"], gallery["map_truth"], strict=True
    ):
        for value, marker, size in ((SILENT, "o", 6), (DEAD, "x", 14)):
            here = status == value
            x, y = places[here, :2].T
            drawn = axes.scatter(x, y, s=size, marker=marker, linewidths=0.8, color=GREY)
            if marker == "o":
                drawn.set_facecolor("none")
        lit = status == TRIGGERED
        x, y = places[lit, :2].T
        shown = axes.scatter(
            x, y, s=12 + 55 * np.log10(1 + signal[lit]), c=time[lit] / 1000, cmap="viridis",
            edgecolors=INK, linewidths=0.5, zorder=3,
        )  # fmt: skip
        energy, zenith, azimuth, x, y = truth[:5]
        reach = 0.28 * float(np.ptp(places[:, 0])) * np.sin(zenith)
        tail = np.array([x / 1000 + reach * np.cos(azimuth), y / 1000 + reach * np.sin(azimuth)])
        axes.annotate(
            "", xy=(x / 1000, y / 1000), xytext=tuple(tail), zorder=5,
            arrowprops={"arrowstyle": "-|>", "color": AXIS, "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip
        axes.plot(x / 1000, y / 1000, "P", color=AXIS, markersize=6, markeredgecolor="white", zorder=6)
        axes.set_title(rf"$10^{{{energy:.1f}}}$ eV, zenith {np.degrees(zenith):.0f}°")
        axes.set(xlabel="east [km]", aspect="equal")
        axes.margins(0.06)
        drawing.colorbar(shown, ax=axes, location="bottom", shrink=0.85, pad=0.02, aspect=25).set_label(
            "start time after the first [µs]"
        )
    panels[0].set_ylabel("north [km]")
    return drawing


@house_style()
def traces(trace: Values, distance: Values, signal: Values, muon_fraction: Values) -> Drawing:
    """Signal against time after the first particle, a panel a station.

    Args:
        trace: (station, bin) [VEM a bin].
        distance: to the axis [m], (station,).
        signal: total [VEM], (station,).
        muon_fraction: part that muons left (station,).
    """
    drawing, panels = grid(len(trace), 3, 2.2)
    edges = BIN * (np.arange(trace.shape[1] + 1) - PRE_TRIGGER) / 1000
    for axes, one, r, total, part in zip(panels, trace, distance, signal, muon_fraction, strict=True):
        axes.stairs(one, edges, fill=True, color=PETROFF[0], alpha=0.35)
        axes.stairs(one, edges, color=PETROFF[0], linewidth=1.0)
        axes.set_title(f"{r:.0f} m: {total:.0f} VEM, {100 * part:.0f} % by muons", fontsize=8)
        axes.set(xlabel="time after the first particle [µs]", xlim=(edges[0], edges[-1]), ylim=(0, None))
    panels[0].set_ylabel("signal [VEM / 25 ns]")
    return drawing


@house_style()
def depths(gallery: Mapping[str, Values]) -> Drawing:
    """Longitudinal profiles (left) and distributions of the depth of maximum (right), a look a primary."""
    drawing, (left, right) = grid(2, 2, 2.7)
    edges = gallery["xmax_edges"]
    for number, mass in enumerate(gallery["primary"]):
        look: dict[str, Any] = {"color": PETROFF[number % len(PETROFF)], "linestyle": DASHES[number % len(DASHES)]}
        name = ELEMENTS.get(int(mass), f"A = {mass}")
        for place, profile in enumerate(gallery["profile"][number]):
            left.plot(gallery["profile_depth"], profile, linewidth=1.0, label=name if place == 0 else None, **look)
        count = gallery["xmax_count"][number]
        right.stairs(count / max(count.sum(), 1) / np.diff(edges) * 100, edges, linewidth=1.4, label=name, **look)
    left.set(xlabel=r"depth [g/cm$^2$]", ylabel=r"particles [$10^9$]", ylim=(0, None), xlim=(0, 1400))
    right.set(
        xlabel=r"depth of maximum $X_\mathrm{max}$ [g/cm$^2$]", ylabel=r"showers [% per g/cm$^2$]", ylim=(0, None)
    )
    left.legend(title="primary", title_fontsize=8)
    right.legend(title="primary", title_fontsize=8)
    return drawing


@house_style()
def lateral(gallery: Mapping[str, Values]) -> Drawing:
    """Signals against the distance to the axis (left), and how often stations trigger (right)."""
    drawing, (left, right) = grid(2, 2, 2.8)
    radius = gallery["radius"]
    middle = np.sqrt(radius[1:] * radius[:-1])
    muons, light = gallery["expected_muon"], gallery["expected_electromagnetic"]
    for number, (values, name) in enumerate(
        ((muons + light, "expected, all"), (light, "electromagnetic"), (muons, "muons"))
    ):
        left.plot(middle, values, color=PETROFF[number], linestyle=DASHES[number], label=name)
    left.errorbar(
        middle, gallery["signal"], np.nan_to_num(gallery["signal_error"]), fmt="o", color=INK, markersize=4,
        label="triggered stations",
    )  # fmt: skip
    left.plot(middle, gallery["muon_signal"], "s", color=PETROFF[2], markersize=4, markerfacecolor="white",
              label="their muons")  # fmt: skip
    left.set(xscale="log", yscale="log", xlabel="distance to the axis [m]", ylabel="signal [VEM]")
    left.legend(fontsize=7.5)
    right.plot(middle, 100 * gallery["triggered"], "o-", color=INK, markersize=4)
    right.set(xscale="log", xlabel="distance to the axis [m]", ylabel="stations that trigger [%]", ylim=(-3, 103))
    for axes in (left, right):
        axes.set_xlim(radius[0], radius[-1])
        axes.set_xticks([200, 500, 1000, 2000])
        axes.xaxis.set_major_formatter(FuncFormatter(plain))
        axes.minorticks_off()
        axes.grid(color=LINES, linewidth=0.6)
    return drawing


@house_style()
def delays(gallery: Mapping[str, Values]) -> Drawing:
    """Delay behind the plane front against the distance to the axis: median and central 68 %, a look a class."""
    drawing, (axes,) = grid(1, 1, 2.8, width=5.4)
    radius = gallery["delay_radius"]
    middle = (radius[1:] + radius[:-1]) / 2
    for number, ((low, high), quantiles, front) in enumerate(
        zip(gallery["delay_zenith"], gallery["delay"], gallery["delay_front"], strict=True)
    ):
        shade = PETROFF[number]
        offset = (number - 0.5) * 0.12 * (middle[1] - middle[0])
        bars = np.nan_to_num(np.stack([quantiles[1] - quantiles[0], quantiles[2] - quantiles[1]]))
        axes.errorbar(
            middle + offset, quantiles[1], bars, fmt=SHAPES[number], color=shade, markersize=4, elinewidth=1,
            label=f"zenith {low:.0f} to {high:.0f}°",
        )  # fmt: skip
        axes.plot(middle, front, linestyle="--", color=shade, linewidth=1.2, label="_")
    axes.plot([], [], linestyle="--", color=INK, label="simulated front (median)")
    axes.set(xlabel="distance to the axis [m]", ylabel="delay behind the plane [ns]", xlim=(0, radius[-1]))
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.legend()
    return drawing
