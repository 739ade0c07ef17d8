"""The answers of the methods of the air-shower study one by one: against the truth, biases, and their uncertainties."""

from __future__ import annotations

import numpy as np

from cloudchamber.data.samples import Prediction
from cloudchamber.data.surface_array import TARGETS
from cloudchamber.metrics.calibration import coverage, pull_width
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.showers import FEWEST, energy_ratio, mean_bias, median_bias
from cloudchamber.report import figures as plots
from cloudchamber.report import showers_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.files import Scored
from cloudchamber.report.page import Figure, Section, Table
from cloudchamber.report.showers_run import TARGET_LABELS, TARGET_WORDS, Found
from cloudchamber.report.words import items, listed, percent, said

SHOWN = ("axis_x", "core_x", "lg_energy", "xmax")
"""Targets whose coverage is drawn in bins; the table has all."""
CURVES = ("axis_x", "lg_energy", "xmax")
"""Targets whose coverage curves and pulls are drawn: more have no room."""
MOST_METHODS = 4
"""Columns of the figure of answers against the truth."""
ELEMENTS = {1: "H", 4: "He", 12: "C", 14: "N", 16: "O", 28: "Si", 56: "Fe"}


def whole_answers(found: Found, test: Scored) -> list[str]:
    """Methods other than floors that answer all targets for all showers, in the order of the study."""
    return [
        name
        for name, answer in test.predictions.items()
        if found.metrics.kinds.get(name) != "floor" and np.isfinite(answer.mean).all()
    ]


def primary_biases(found: Found, test: Scored) -> dict[str, dict[str, tuple[Measured, Measured]]]:
    """Biases of energy (relative) and depth [g/cm2] by primary and method; empty if primaries are not known."""
    masses = found.members.get("mass_number")
    if masses is None or len(masses) != len(test.truth):
        return {}
    table: dict[str, dict[str, tuple[Measured, Measured]]] = {}
    for mass in np.unique(masses):
        inside = masses == mass
        if inside.sum() < FEWEST:
            continue
        rng = np.random.default_rng(0)
        truth = test.truth[inside]
        table[ELEMENTS.get(int(mass), f"A = {mass}")] = {
            name: (
                median_bias(energy_ratio(truth, test.predictions[name].mean[inside]), rng),
                mean_bias((test.predictions[name].mean[inside, 5] - truth[:, 5]).astype(np.float64), rng),
            )
            for name in whole_answers(found, test)
        }
    return table


def truth_section(found: Found) -> Section | None:
    """Answers against the truth, and biases."""
    test = found.test
    if test is None:
        return None
    names = whole_answers(found, test)
    if not names:
        return None
    main = [found.names.standard, *found.names.main]
    shown = [*dict.fromkeys([*(name for name in main if name in names), *names])][:MOST_METHODS]
    order = [name for name in names if name in shown]
    primaries = primary_biases(found, test)
    figures = [
        picture(
            "answers",
            drawings.answers_against_truth(found, test, order),
            "Answers against the truth, density of test showers; the line is right. Rows: zenith angle, eastern"
            " coordinate of the core, energy, depth of maximum. Answers beyond the range are in the outermost pixels.",
            "Density plots of reconstructed against true zenith angle, core, energy and depth, a column for each of"
            f" {len(order)} methods.",
        ),
        picture(
            "biases",
            drawings.bias_figure(found, primaries),
            "What is systematically wrong: median of E / E<sub>true</sub> minus 1 (above) and mean error of"
            " X<sub>max</sub> (below), in bins of true energy and zenith angle"
            + (", and for each primary" if primaries else "")
            + ". Methods that do not know a quantity well answer near its mean: small values come out too large,"
            " large ones too small.",
            "Points with error bars: bias of energy and depth in bins of energy, of zenith angle, and by primary.",
        ),
    ]
    return Section("Answers and their biases", bias_text(found, primaries), tuple(figures))


def bias_text(found: Found, primaries: dict[str, dict[str, tuple[Measured, Measured]]]) -> str:
    """What is asked, and for the main methods how far the energies of the lightest and heaviest primary differ."""
    text = "Each shower of these figures is one that no method has seen."
    if len(primaries) < 2:
        return text
    light, heavy = next(iter(primaries)), list(primaries)[-1]
    lines = []
    for name in (found.names.standard, *found.names.main):
        if name in primaries[light]:
            (one, first), (two, second) = primaries[light][name], primaries[heavy][name]
            energies = Measured(two.value - one.value, float(np.hypot(one.error, two.error)), two.n)
            depths = Measured(second.value - first.value, float(np.hypot(first.error, second.error)), two.n)
            lines.append(
                f"{found.title(name)}: {said(energies, 100)} % in energy, {said(depths)} g/cm² in X<sub>max</sub>"
            )
    return (
        f"{text} Nobody tells a method what the primary was. Heavy nuclei make more muons and less deep showers, so"
        f" that their signals mean another energy. Bias for {heavy} minus that for {light}:\n\n{items(lines)}"
    )


# --- uncertainties ----------------------------------------------------------------------------------------------------


def stating(found: Found, test: Scored) -> dict[str, Prediction]:
    """Answers of the methods other than floors that state uncertainties for all targets."""
    return {
        name: test.predictions[name]
        for name in whole_answers(found, test)
        if (std := test.predictions[name].std) is not None and np.isfinite(std).all()
    }


def uncertainty_section(found: Found) -> Section | None:
    """Coverage and pulls, of all showers and in bins."""
    test = found.test
    if test is None:
        return None
    stated = stating(found, test)
    if not stated:
        return None
    table, inside = uncertainty_table(found, test, stated)
    low, high = drawings.REQUIRED_COVERAGE
    lines = [
        f"{found.title(name)}: {sum(right)} of {len(right)} targets within {100 * low:g} to {100 * high:g} %"
        for name, right in inside.items()
    ]
    text = (
        "A network says how sure it is: the spread of the ensemble's members together with the noise that they"
        " expect, scaled once on validation showers. If a stated uncertainty is true, 68 % of the test showers lie"
        " in the 68 % interval, and errors in units of it (<i>pulls</i>) have width 1; a larger width means that"
        f" uncertainties are too small.\n\n{items(lines)}"
    )
    columns = [TARGETS.index(target) for target in SHOWN]
    shades = {name: one for name, one in stated.items() if found.metrics.kinds.get(name) == "network"} or stated
    figures: tuple[Figure, ...] = (
        picture(
            "coverage",
            plots.coverage_curves(
                test.truth,
                shades,
                [TARGETS.index(target) for target in CURVES],
                [TARGET_LABELS[target] for target in CURVES],
                found.metrics.titles,
                found.metrics.kinds,
            ),
            "Upper row: part of the test showers whose truth lies in the stated interval, against the interval's"
            " probability; above the diagonal uncertainties are too large, below too small. Lower row: distribution"
            " of the error in units of the stated uncertainty (beyond ±4 in the last bins); the line is the unit"
            " Gaussian.",
            "Coverage curves and distributions of pulls of the networks, for axis, energy and depth.",
        ),
        picture(
            "coverage_in_bins",
            drawings.coverage_in_bins(found, test, list(stated), columns),
            "Part of the truths in 68 % intervals, of all test showers and in bins of energy and zenith angle (θ)."
            f" Grey: {100 * low:g} to {100 * high:g} %, which is required of all showers together; in a bin it need"
            " not hold, since uncertainties are scaled once for all.",
            "Coverage of 68 per cent intervals in bins of energy and zenith angle, four panels.",
        ),
    )
    return Section("Are the uncertainties true?", text, figures, table)


def uncertainty_table(found: Found, test: Scored, stated: dict[str, Prediction]) -> tuple[Table, dict[str, list[bool]]]:
    """Coverage and pull width of each method and target, and which coverages are as required."""
    rows = []
    low, high = drawings.REQUIRED_COVERAGE
    inside: dict[str, list[bool]] = {}
    for name, one in stated.items():
        assert one.std is not None
        cells = []
        for column in range(len(TARGETS)):
            true, mean, std = test.truth[:, column], one.mean[:, column], np.maximum(one.std[:, column], 1e-12)
            part = coverage(true, mean, std, 0.68)
            cells.append(f"{percent(part)}; {said(pull_width(true, mean, std))}")
            inside.setdefault(name, []).append(low <= part.value <= high)
        rows.append((found.metrics.titles.get(name, name), *cells))
    table = Table(
        ("method", *TARGET_WORDS.values()),
        tuple(rows),
        f"Coverage of the 68 % interval, and width of the pull (root mean square), of {len(test.truth)} test showers:"
        f" {listed(list(TARGET_WORDS.values()))}. Showers far off make a pull wide even where the coverage is right.",
    )
    return table, inside
