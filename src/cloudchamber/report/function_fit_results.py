"""What came out of the function-fit study: the methods side by side, and on repeated measurements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.metrics.measured import Measured
from cloudchamber.report import function_fit_result_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.files import Metrics
from cloudchamber.report.page import Section, Table
from cloudchamber.report.tables import comparison_table
from cloudchamber.report.words import items, plus_minus, said, whole

Values = NDArray[Any]
CLEARLY = 2.0
"""Standard errors that make a difference one."""


def comparison_section(metrics: Metrics, arrays: Mapping[str, Values]) -> Section | None:
    """All methods on the run's points.

    Args:
        metrics: of the run.
        arrays: of the explanation ``approximation``.
    """
    if not arrays:
        return None
    scores = {
        (name, "test", f"{sample}: {metric}", metric): score
        for (name, sample, _, metric), score in metrics.scores.items()
    }
    columns = [
        (f"{sample}: {metric}", metric, f"{label}, {where}")
        for metric, label in (("rmse", "root mean square error"), ("coverage_68", "within one σ"))
        for sample, where in (("inside", "inside"), ("outside", "outside"))
    ]
    table = comparison_table(
        Metrics(metrics.titles, metrics.kinds, scores),
        columns,
        "Against the exact function at random places: inside, where points are, and outside, up to 1.5 times as far."
        " Errors: bootstrap over the places; that the points might have come out otherwise is in the next section.",
    )
    drawing = picture(
        "side_by_side",
        drawings.side_by_side(arrays, metrics.titles, metrics.kinds),
        "Line: the method's answer, bands: one and two of its standard deviations, dotted: the truth, grey points: what"
        " all of them saw. Shaded: beyond the points. What leaves the picture goes on there.",
        "Four panels with the fitted curve and band of polynomial, spline, Gaussian process and network.",
    )
    degree = int(np.argmin(arrays["left_out"]))
    text = (
        f"The same points for everybody; the network alone must hold back some of them for its validation. A"
        f" <b>polynomial</b>, of degree {degree} by the errors of points left out: linear least squares with more"
        " parameters. A <b>cubic smoothing spline</b>: the smoothest curve near the points. A <b>Gaussian process</b>:"
        " a distribution over functions, narrowed by the points. The <b>network</b>: the mean of the starts, its band"
        " their scatter.\n\nBetween the points the data decide. Beyond them every method shows what it believes"
        " unasked: the polynomial in its highest power, the spline in its last slope, the process in a return to its"
        " mean within one length, the network in its last straight pieces."
    )
    return Section("Beside polynomial, spline and Gaussian process", text, (drawing,), table)


def repeated_section(metrics: Metrics, arrays: Mapping[str, Values], steps: int) -> Section | None:
    """All methods on repeated measurements, and a verdict.

    Args:
        metrics: of the run.
        arrays: of the explanation ``repeated``.
        steps: of the networks on each of them.
    """
    if not arrays:
        return None
    names = [str(name) for name in arrays["name"]]
    repeats = len(arrays["inside"])

    def typical(values: Values) -> str:
        low, middle, high = np.quantile(values, [0.16, 0.5, 0.84])
        return f"{middle:.2g} ({low:.2g} to {high:.2g})"

    rows = []
    for place, name in enumerate(names):
        covered = arrays["covered"][:, place]
        rows.append(
            (
                metrics.titles.get(name, name),
                typical(arrays["inside"][:, place]),
                typical(arrays["outside"][:, place]),
                plus_minus(float(covered.mean()), float(covered.std(ddof=1) / np.sqrt(repeats))),
                plus_minus(
                    float(arrays["covered_outside"][:, place].mean()),
                    float(arrays["covered_outside"][:, place].std(ddof=1) / np.sqrt(repeats)),
                ),
            )
        )
    table = Table(
        ("method", "error inside", "error outside", "within one σ, inside", "within one σ, outside"),
        tuple(rows),
        f"Median over {repeats} measurements, in brackets where 68 % of them lie; the last columns are means with their"
        " errors, and 0.683 is right.",
    )
    drawing = picture(
        "repeated",
        drawings.repeated_scores(arrays, metrics.titles, metrics.kinds),
        "Each point is one measurement of the whole function, at the same places with new errors; bars: medians. Grey"
        " line: 68.3 %.",
        "Strips of points for each method: error inside, error outside, coverage.",
    )
    text = (
        f"One set of points is one throw of the dice. Here the function is measured {repeats} times with new errors,"
        f" and every method fitted anew, the networks with {whole(steps)} steps and early stopping. How the network"
        " compares (factors are geometric means):\n\n"
        + items([verdict(metrics, arrays, names, other) for other in names if other != "network"])
        + "\n\nThe scatter of starts is no error bar: all networks saw the same errors of the same points. It must be"
        " read as what the starts leave open, and the coverage says how much of the whole that is. The process and the"
        " spline carry the errors of the points into their bands; what bends more sharply than they expect is in"
        " neither."
    )
    return Section("Measured again and again", text, (drawing,), table)


def verdict(metrics: Metrics, arrays: Mapping[str, Values], names: list[str], other: str) -> str:
    """Whether the network or another method is nearer to the function, measurement by measurement.

    Args:
        metrics: of the run.
        arrays: of the explanation ``repeated``.
        names: of the methods there.
        other: one of them.
    """
    parts = []
    for where in ("inside", "outside"):
        ratio = np.log(arrays[where][:, names.index("network")] / arrays[where][:, names.index(other)])
        n = len(ratio)
        mean, error = float(ratio.mean()), float(ratio.std(ddof=1) / np.sqrt(n))
        factor = Measured(float(np.exp(mean)), float(np.exp(mean) * error), n)
        if abs(mean) <= CLEARLY * error:
            word = "as near to the function"
        else:
            word = "nearer to the function" if mean < 0 else "farther from the function"
        size = said(factor) if factor.value > 1e-3 else "less than 0.001"
        parts.append(f"{where} {word} ({size} times its error, smaller in {(ratio < 0).sum()} of {n})")
    return f"Beside the {metrics.title(other)}: {'; '.join(parts)}."
