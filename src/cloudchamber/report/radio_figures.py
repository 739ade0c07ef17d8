"""Figures of radio pulses: traces and spectra, numbers against the signal-to-noise ratio, ROC curves, explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import NDArray

from cloudchamber.data.radio_traces import SAMPLING
from cloudchamber.metrics.classification import roc
from cloudchamber.report.figures import wrapped
from cloudchamber.report.radio_run import BOUND, Point
from cloudchamber.report.style import GREY, INK, SHAPES, colours, grid, house_style, legend_outside
from cloudchamber.simulators.airshower.radio_pulse import BAND

Values = NDArray[Any]

LINES: Any = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (3, 2)))
SHADE = "#d9dedd"
LEAST_GAIN = 1e-3
"""Lower end of a logarithmic axis of gains."""


def looks(kinds: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and line of each predictor; the bound is black and dotted, networks are thick."""
    colour = colours({name: kind for name, kind in kinds.items() if name != BOUND}) | {BOUND: INK}
    return {
        name: {
            "color": colour[name], "marker": SHAPES[number % len(SHAPES)],
            "linestyle": ":" if name == BOUND else LINES[number % len(LINES)] if kind != "network" else "-",
            "linewidth": 2.0 if kind == "network" else 1.1,
        }
        for number, (name, kind) in enumerate(kinds.items())
    }  # fmt: skip


def limits(values: Sequence[float], low: float, high: float, margin: float = 0.08) -> tuple[float, float]:
    """Limits of an axis around values, not beyond low and high."""
    finite = [value for value in values if np.isfinite(value)] or [low, high]
    span = (max(finite) - min(finite)) or 1.0
    return max(min(finite) - margin * span, low), min(max(finite) + margin * span, high)


# --- traces -----------------------------------------------------------------------------------------------------------


@house_style()
def traces_figure(
    measured: Values,
    signal: Values,
    waveforms: Mapping[str, Values],
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
    headings: Sequence[str],
) -> Drawing:
    """A row a trace: measured and true, what methods make of it around the pulse, and the spectra of all.

    Args:
        measured: (trace, sample) in uV/m.
        signal: true pulses (trace, sample).
        waveforms: (trace, sample) by predictor.
        titles: of the predictors by name.
        kinds: of the predictors by name.
        headings: one a trace.
    """
    drawing, panels = grid(3 * len(measured), 3, 1.75)
    time = np.arange(measured.shape[1]) * 1e3 / SAMPLING
    frequency = np.fft.rfftfreq(measured.shape[1], 1 / SAMPLING)
    look = looks(kinds)
    for row, heading in enumerate(headings):
        whole, near, spectrum = panels[3 * row : 3 * row + 3]
        whole.plot(time, measured[row], color=GREY, linewidth=0.6)
        whole.plot(time, signal[row], color=INK, linewidth=0.8)
        whole.set_title(heading)
        first = next(iter(waveforms.values()))[row] if waveforms else signal[row]
        peak = int(np.abs(signal[row] if signal[row].any() else first).argmax())
        near.plot(time, measured[row], color=GREY, linewidth=0.6, label="measured")
        near.plot(time, signal[row], color=INK, linewidth=1.6, label="truth")
        spectrum.plot(frequency, _amplitude(measured[row]), color=GREY, linewidth=0.6)
        spectrum.plot(frequency, _amplitude(signal[row]), color=INK, linewidth=1.6)
        for name, one in waveforms.items():
            style = {"color": look[name]["color"], "linestyle": look[name]["linestyle"], "linewidth": 1.1}
            near.plot(time, one[row], label=titles.get(name, name), **style)
            spectrum.plot(frequency, _amplitude(one[row]), **style)
        near.set_xlim(time[max(peak - 22, 0)], time[min(peak + 28, len(time) - 1)])
        spectrum.set(xlim=(20, 90), yscale="log")
        top = _amplitude(measured[row]).max()
        spectrum.set_ylim(top / 300, top * 1.5)
        whole.set_ylabel("field [µV/m]")
        spectrum.set_ylabel("amplitude [µV/m/MHz]")
        whole.set_xlim(time[0], time[-1])
    for axes in panels[-3:-1]:
        axes.set_xlabel("time [ns]")
    panels[-1].set_xlabel("frequency [MHz]")
    legend_outside(drawing, panels[1], 4)
    return drawing


def _amplitude(trace: Values) -> Values:
    """Absolute value of the spectrum in uV/m/MHz."""
    return np.abs(np.fft.rfft(trace)) / SAMPLING


# --- against the signal-to-noise ratio --------------------------------------------------------------------------------


@house_style()
def snr_figure(
    panels: Sequence[tuple[str, Mapping[str, Sequence[Point]], tuple[float, float], float | None, bool]],
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
    columns: int = 2,
) -> Drawing:
    """Numbers of every predictor against the SNR, one panel each.

    Args:
        panels: axis label, points of the bins by predictor, widest limits of the axis, a line to meet, and whether the
            axis is logarithmic.
        titles: of the predictors by name.
        kinds: of the predictors by name.
        columns: panels in a row.
    """
    drawing, places = grid(len(panels), columns, 2.9)
    look = looks(kinds)
    named: set[str] = set()
    for axes, (label, curves, (low, high), demand, logarithmic) in zip(places, panels, strict=True):
        shown = []
        for name, points in curves.items():
            drawn = [one for one in points if one[2].value > 0] if logarithmic else points
            x = [np.sqrt(first * last) for first, last, _ in drawn]
            y = [score.value for *_, score in drawn]
            error = np.nan_to_num([score.error for *_, score in drawn])
            axes.errorbar(x, y, yerr=error, markersize=3.5, **look[name])
            shown += y
        if demand is not None:
            axes.axhline(demand, color=GREY, linestyle="--", linewidth=0.9)
        axes.axvspan(1e-3, 3, color=SHADE, alpha=0.5, linewidth=0)
        edges = [edge for points in curves.values() for point in points for edge in point[:2]] or [1, 20]
        axes.set(xscale="log", xlim=(min(edges), max(edges)), xlabel="signal-to-noise ratio", ylabel=label)
        if logarithmic and shown:
            axes.set(
                yscale="log", ylim=(max(min(shown, default=low) * 0.8, low), min(max(shown, default=high) * 1.25, high))
            )
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        else:
            axes.set_ylim(*limits([*shown, *([] if demand is None else [demand])], low, high))
        axes.set_xticks([one for one in (1, 2, 3, 5, 8, 12, 20, 50) if min(edges) <= one <= max(edges)])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(lambda *_: "")
        named |= curves.keys()
    _named(drawing, places[0], [name for name in kinds if name in named], look, titles)
    return drawing


def _named(
    drawing: Drawing, axes: Axes, names: Sequence[str], look: Mapping[str, dict[str, Any]], titles: Mapping[str, str]
) -> None:
    """A legend of predictors, whether they are in this panel or not."""
    for name in names:
        axes.plot([], [], markersize=4, label=wrapped(titles.get(name, name), 30), **look[name])
    legend_outside(drawing, axes, 3)


# --- found and false --------------------------------------------------------------------------------------------------


@house_style()
def roc_figure(
    truth: Values,
    scores: Mapping[str, Values],
    snr: Values,
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
    allowed: float,
) -> Drawing:
    """Efficiency against false positives, for pulses of SNR 2 to 3 and above 3, and each method's own threshold.

    Args:
        truth: 1 with a pulse, 0 without (trace,).
        scores: by predictor (trace,), positive if found.
        snr: (trace,).
        titles: of the predictors by name.
        kinds: of the predictors by name.
        allowed: false positives.
    """
    drawing, panels = grid(2, 2, 3.0)
    look = looks(kinds)
    for axes, (low, high, label) in zip(panels, ((2.0, 3.0, "SNR 2 to 3"), (3.0, np.inf, "SNR above 3")), strict=True):
        used = (truth == 0) | ((snr >= low) & (snr < high))
        for name, score in scores.items():
            false, true = roc(truth[used], score[used])
            style = {key: look[name][key] for key in ("color", "linestyle", "linewidth")}
            axes.plot(np.maximum(false, 1e-5), true, drawstyle="steps-post", **style)
            own = score[used] > 0
            none = truth[used] == 0
            axes.plot(
                max(own[none].mean(), 1.2e-4), own[~none].mean(), marker=look[name]["marker"],
                color=look[name]["color"], markersize=5, markeredgecolor="white", zorder=4,
            )  # fmt: skip
        axes.axvline(allowed, color=GREY, linestyle="--", linewidth=0.9)
        axes.set(
            xscale="log", xlim=(1e-4, 1), ylim=(0, 1.02), title=label, xlabel="noise traces with a false pulse",
            ylabel="pulses found",
        )  # fmt: skip
    _named(drawing, panels[0], list(scores), look, titles)
    return drawing


@house_style()
def spectrum_figure(
    panels: Sequence[tuple[str, str, Mapping[str, Values], tuple[float, float] | None]],
    frequency: Values,
    titles: Mapping[str, str],
    kinds: Mapping[str, str],
) -> Drawing:
    """Curves against frequency, one panel each.

    Args:
        panels: title, axis label, curves (frequency,) by predictor, limits of the axis (None: logarithmic, from
            LEAST_GAIN to 2).
        frequency: in MHz.
        titles: of the predictors by name.
        kinds: of the predictors by name.
    """
    drawing, places = grid(len(panels), 2, 2.7)
    look = looks(kinds)
    named: set[str] = set()
    for axes, (title, label, curves, span) in zip(places, panels, strict=True):
        for name, curve in curves.items():
            axes.plot(frequency, curve, **{key: look[name][key] for key in ("color", "linestyle", "linewidth")})
        for edge in BAND:
            axes.axvline(edge, color=GREY, linewidth=0.7, linestyle=":")
        axes.set(xlim=(BAND[0] - 8, BAND[1] + 8), xlabel="frequency [MHz]", ylabel=label, title=title)
        if span is None:
            axes.set(yscale="log", ylim=(LEAST_GAIN, 2.0))
        else:
            axes.set_ylim(*span)
        named |= curves.keys()
    for name in [name for name in kinds if name in named]:
        style = {key: look[name][key] for key in ("color", "linestyle", "linewidth")}
        places[0].plot([], [], label=wrapped(titles.get(name, name), 30), **style)
    legend_outside(drawing, places[0], 3)
    return drawing


@house_style()
def disturbance_figure(
    snr: Values, found: Mapping[str, Mapping[str, Values]], titles: Mapping[str, str], kinds: Mapping[str, str]
) -> Drawing:
    """How often something is found when something is added to noise, a panel a kind.

    Args:
        snr: of what is added (point,).
        found: part of the traces (point,) by kind and predictor.
        titles: of the predictors by name.
        kinds: of the predictors by name.
    """
    drawing, panels = grid(len(found), 2, 2.4)
    look = looks(kinds)
    for axes, (kind, curves) in zip(panels, found.items(), strict=True):
        for name, curve in curves.items():
            axes.plot(snr, curve, markersize=3.5, **look[name])
        axes.set(xscale="log", ylim=(-0.03, 1.03), title=kind, xlabel="largest value over noise RMS", ylabel="found")
        axes.set_xticks([float(one) for one in snr])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(lambda *_: "")
    _named(drawing, panels[0], list(dict.fromkeys(name for curves in found.values() for name in curves)), look, titles)
    return drawing


@house_style()
def relevance_figure(
    time: Values, frequency: Values, trained: tuple[Values, Values], random: tuple[Values, Values]
) -> Drawing:
    """Relevance in time around the pulse and in frequency, of the trained network and of random weights.

    Args:
        time: from the pulse in ns.
        frequency: in MHz.
        trained: relevance in time and in frequency.
        random: the same with random weights.
    """
    drawing, (left, right) = grid(2, 2, 2.7)
    for axes, x, place in ((left, time, 0), (right, frequency, 1)):
        axes.axhline(0, color=INK, linewidth=0.7)
        axes.plot(x, random[place], color=GREY, linestyle="--", label="random weights")
        axes.plot(x, trained[place], color=looks({"classifier": "network"})["classifier"]["color"], label="trained")
        axes.set_ylabel("mean relevance")
    left.set(xlabel="time from the pulse [ns]", xlim=(time[0], time[-1]))
    right.set(xlabel="frequency [MHz]", xlim=(BAND[0] - 10, BAND[1] + 10))
    left.legend()
    return drawing
