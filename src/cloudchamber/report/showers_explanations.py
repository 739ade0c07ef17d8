"""What networks make of traces: learned variables, relevance of bins, and of whole stations; with checks of both."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cloudchamber.metrics.measured import Measured
from cloudchamber.report import showers_explanation_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.page import Figure, Section, Table
from cloudchamber.report.showers_explanation_figures import QUANTITY_WORDS
from cloudchamber.report.showers_run import TARGET_WORDS, Found, Values
from cloudchamber.report.words import items, listed, said

EXPLAINED = ("axis_x", "axis_y", "lg_energy", "xmax")
"""Targets whose relevance was compared with that of random weights, in the order of the arrays."""
ALIKE = 0.5
"""Rank correlation from which on relevance hardly depends on what was learned."""
MOST_MISSED = 0.2
"""Of the change of an answer: beyond it relevances do not add up."""


def known(found: Found, arrays: Mapping[str, Values], ending: str) -> list[str]:
    """Networks that have an array of this ending, in the order of the study."""
    return [name for name in found.networks if f"{name}_{ending}" in arrays]


def variables_section(found: Found, arrays: Mapping[str, Values]) -> Section | None:
    """The ten learned variables of traces."""
    names = known(found, arrays, "correlation")
    if not names or "quantity" not in arrays:
        return None
    quantities = [str(one) for one in arrays["quantity"]]
    lines = [variable_line(found, arrays, name, quantities) for name in names]
    figures: list[Figure] = [
        picture(
            "variables",
            drawings.correlations(arrays, names, quantities, found.metrics.titles),
            "Rank correlation (Spearman, × 100) of each learned variable with what is known of the station: left of"
            " the trained network, right of the same network with random weights. Variables are sorted by how much"
            " they say of the muon fraction; grey: a variable that is the same for all stations. Standard errors"
            f" are at most {100 * largest_error(arrays, names):.1f} (bootstrap over showers).",
            "Tables of rank correlations of the ten learned variables with risetime, muon fraction, start time, signal,"
            " distance and zenith angle, for trained and random networks.",
        ),
        picture(
            "readout",
            drawings.readout(arrays, names, quantities, found.metrics.titles, found.metrics.kinds),
            "How much of each quantity a linear map of all ten variables reads (R² on showers to which the map was not"
            " fitted; 1: all, 0: nothing). Filled: trained; open: random weights; cross: the logarithm of the total"
            " signal alone. What the training has added lies between filled and open.",
            "Dots: part of each quantity that can be read from the learned variables of trained and random"
            " networks, and from the total signal.",
        ),
        picture(
            "variable_traces",
            drawings.variable_traces(arrays, names[0]),
            "Mean traces, each divided by its sum, of the tenth of the stations with the smallest, a middle, and"
            f" the largest value of a variable ({found.title(names[0])}): the variables that differ most between"
            " stations.",
            "Mean traces of stations with small, middle and large values of learned variables.",
        ),
    ]
    text = (
        "Each network makes ten numbers of a trace, the same way at every station, and nobody tells it which. Are"
        " they what a physicist would read off it? A risetime (10 to 50 % of the signal) and the part of the signal"
        " that muons left tell how the shower developed; the start residual (start time behind the true curved"
        " front) is what a fit of the direction would like to know. Single variables need not mean anything, since"
        " the next layers mix them: what all ten say together is the fairer question. A network with random weights"
        f" shows how much of it any map of a trace has.\n\n{items(lines)}"
    )
    return Section("The ten learned variables of a trace", text, tuple(figures))


def largest_error(arrays: Mapping[str, Values], names: list[str]) -> float:
    """Of all correlations shown."""
    values = np.concatenate(
        [arrays[f"{name}{ending}_error"].ravel() for name in names for ending in ("", "_untrained")]
    )
    return float(np.nanmax(values)) if np.isfinite(values).any() else 0.0


def variable_line(found: Found, arrays: Mapping[str, Values], name: str, quantities: list[str]) -> str:
    """What the variables of a network read better than random weights and the total signal do, with numbers."""
    parts, same = [], []
    for place, quantity in enumerate(quantities):
        trained, random, signal = (
            Measured(float(arrays[f"{key}readout"][place]), float(arrays[f"{key}readout_error"][place]), 0)
            for key in (f"{name}_", f"{name}_untrained_", "signal_")
        )
        best = random if random.value >= signal.value else signal
        word = QUANTITY_WORDS.get(quantity, quantity)
        if trained.value - best.value > 2 * np.hypot(trained.error, best.error):
            parts.append(f"{word} (R² {said(trained)}; random weights {said(random)}, total signal {said(signal)})")
        else:
            same.append(word)
    active = arrays[f"{name}_active"]
    off = int((active <= 0).sum())
    text = f"{found.title(name)}: more than random weights and the total signal do, the variables tell {listed(parts)}"
    text += f"; not more: {listed(same)}" if same else ""
    return text + (f". {off} of {len(active)} variables are always 0." if off else ".")


# --- bins -------------------------------------------------------------------------------------------------------------


def bins_section(found: Found, arrays: Mapping[str, Values]) -> Section | None:
    """Relevance of the bins of a trace."""
    names = known(found, arrays, "axis_size")
    if not names or "class_trace" not in arrays:
        return None
    lines = [trust_line(found, arrays, name) for name in names]
    titles, kinds = found.metrics.titles, found.metrics.kinds
    figures = (
        picture(
            "relevance",
            drawings.curves_of_bins(arrays, names, drawings.SIZES, titles, kinds),
            "How much a bin of 25 ns of one station's trace moves the answer, beyond what the total signal does:"
            " mean size of its relevance, by distance of the station to the axis. Bands: one standard error over"
            " showers. Grey: the usual trace, its height arbitrary; time counts from the first particle.",
            "Curves of the size of relevance of trace bins against time for four classes of distance: axis, energy,"
            " depth.",
        ),
        picture(
            "slopes",
            drawings.curves_of_bins(arrays, names, drawings.SLOPES, titles, kinds, together=4, least=0.002),
            "In which direction: change of the answer if 1 % of a station's signal comes at this time, rather than"
            " as usual; means of four bins, where the usual trace has at least 0.2 % of its signal in a bin. A"
            " positive X<sub>max</sub> early and a negative one late mean that the network takes traces that rise"
            " fast for those of deep showers; the other way round, of shallow ones.",
            "Curves of the change of energy and depth against the time at which a part of the signal comes.",
        ),
    )
    text = (
        "What do traces tell beyond their sums? Each trace is compared with the usual one of stations at this distance,"
        " scaled to the same total signal, and integrated gradients (arXiv:1703.01365) share the difference between the"
        " answers among all bins. Two checks: the shares must add up to that difference, and they must change when the"
        f" weights are random.\n\n{items(lines)}"
    )
    table = Table(
        (
            "network",
            *(f"{TARGET_WORDS[target]}: {what}" for target in EXPLAINED for what in ("changed", "missed", "alike")),
        ),
        tuple(
            (
                found.metrics.titles.get(name, name),
                *(text for place in range(len(EXPLAINED)) for text in trust_cells(arrays, name, place)),
            )
            for name in names
        ),
        "Changed: root mean square of what the shapes of all traces of a shower change together (axis: of the unit"
        " vector; X<sub>max</sub> in g/cm²). Missed: what the shares lack of it, relative. Alike: rank correlation"
        " of the slopes with those of random weights (0: nothing in common).",
    )
    return Section("Which part of a trace matters", text, figures, table)


def trust_cells(arrays: Mapping[str, Values], name: str, place: int) -> tuple[str, str, str]:
    """Change, completeness and similarity of one target."""
    alike = Measured(float(arrays[f"{name}_similarity"][place]), float(arrays[f"{name}_similarity_error"][place]), 0)
    change, missed = (float(arrays[f"{name}_{key}"][place]) for key in ("change", "completeness"))
    return f"{change:.2g}", f"{100 * missed:.1f} %", said(alike)


def trust_line(found: Found, arrays: Mapping[str, Values], name: str) -> str:
    """Whether relevance of a network adds up, and depends on what was learned."""
    missed = [
        TARGET_WORDS[target]
        for target, one in zip(EXPLAINED, arrays[f"{name}_completeness"], strict=True)
        if one > MOST_MISSED
    ]
    alike = [
        TARGET_WORDS[target]
        for target, one in zip(EXPLAINED, arrays[f"{name}_similarity"], strict=True)
        if abs(one) > ALIKE
    ]
    adds = (
        f"shares do not add up for {listed(missed)} (more than {100 * MOST_MISSED:g} % missed)"
        if missed
        else "shares add up"
    )
    depends = (
        f"those of {listed(alike)} are alike with random weights and must be read with care"
        if alike
        else "they depend on what was learned"
    )
    return f"{found.title(name)}: {adds}, and {depends}."


# --- stations ---------------------------------------------------------------------------------------------------------


def stations_section(found: Found, arrays: Mapping[str, Values]) -> Section | None:
    """Stations switched off one by one."""
    names = known(found, arrays, "off_axis_distance")
    if not names:
        return None
    lines = [station_line(found, arrays, name) for name in names]
    figure = picture(
        "stations_off",
        drawings.stations_off(arrays, names, found.metrics.titles, found.metrics.kinds),
        "How far the answer moves, on average, if one triggered station is switched off: by its distance to the"
        " axis, by the rank of its signal (1: largest) and of its start time (1: earliest). Full: trained; faint:"
        " random weights, where little but the first look answers. Bars: standard errors over showers.",
        "Mean change of axis, core, energy and depth when a station is switched off, by distance, signal and start"
        " time.",
    )
    text = (
        "Which stations matter? One after the other is switched off, as if it were out of order, and the answer is"
        f" asked for again.\n\n{items(lines)}"
    )
    return Section("Which stations matter", text, (figure,))


def station_line(found: Found, arrays: Mapping[str, Values], name: str) -> str:
    """How much the station with the largest signal matters beside the third, in the main quantities."""
    parts = []
    for key, word, unit in (("axis", "axis", "°"), ("core", "core", " m"), ("xmax", "X<sub>max</sub>", " g/cm²")):
        value, error = arrays[f"{name}_off_{key}_signal"]
        if len(value) > 2 and np.isfinite(value[[0, 2]]).all():
            first, third = (Measured(float(value[place]), float(error[place]), 0) for place in (0, 2))
            parts.append(f"{word} {said(first)}{unit} against {said(third)}{unit}")
    if not parts:
        return ""
    return f"{found.title(name)}, the station with the most signal against the third: {'; '.join(parts)}."
