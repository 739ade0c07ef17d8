"""What came out of the air-shower study: verdicts against what is required, methods side by side, what traces bring.

Every verdict is worked out from the numbers, whichever way it comes out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from cloudchamber.metrics.criteria import passes
from cloudchamber.metrics.measured import Measured
from cloudchamber.report import figures as plots
from cloudchamber.report import showers_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.files import Score
from cloudchamber.report.page import Figure, Section, Table
from cloudchamber.report.showers_run import (
    QUANTITIES,
    RULES,
    TARGET_WORDS,
    Found,
    Quantity,
    paired_ratio,
    said,
)
from cloudchamber.report.tables import comparison_table, ranking, rival, tied
from cloudchamber.report.words import items, listed, percent, whole

ANGLE, CORE, ENERGY, XMAX = QUANTITIES
LARGEST_RATIO = 0.8
"""Of a network's angular resolution to the spherical fit's."""
LARGEST_CORE, LARGEST_ENERGY = 25.0, 0.07
"""Resolutions that are required: m; relative."""
MET = {True: "met", False: "missed"}


def fulfils(one: Measured | Score | None, low: float | None = None, high: float | None = None) -> bool | None:
    """Whether a number lies where it must, both ends included; None if it was not measured. Errors widen nothing."""
    return None if one is None else passes({"value": one.value, "low": low, "high": high})


def cell(one: Measured | Score | None, verdict: bool | None, factor: float = 1.0, unit: str = "") -> str:
    """A number with its verdict as the text of a cell."""
    return "not measured" if one is None or verdict is None else f"{said(one, factor)}{unit}: {MET[verdict]}"


def worst_bin(found: Found, name: str) -> tuple[Measured | None, str]:
    """Largest ratio of a network's angular resolution to the spherical fit's in bins of energy, and that bin."""
    ratios = [
        (one, part)
        for part in found.parts()
        if part.startswith(drawings.ENERGY) and (one := found.ratio(name, found.names.sphere, ANGLE, part)) is not None
    ]
    return max(ratios, key=lambda pair: pair[0].value) if ratios else (None, "")


def criteria(found: Found, name: str) -> list[tuple[str, str, str, bool | None]]:
    """Of one network: what is judged, what is required, what came out with its verdict, and the verdict."""
    sphere = found.metrics.titles.get(found.names.sphere, "spherical fit")
    rows: list[tuple[str, str, str, bool | None]] = []

    def add(what: str, required: str, one: Measured | Score | None, factor: float = 1.0, unit: str = "",
            low: float | None = None, high: float | None = None) -> None:  # fmt: skip
        verdict = fulfils(one, low, high)
        rows.append((what, required, cell(one, verdict, factor, unit), verdict))

    ratio = found.ratio(name, found.names.sphere, ANGLE)
    add(f"angular resolution over that of: {sphere}", f"≤ {LARGEST_RATIO:g}", ratio, high=LARGEST_RATIO)
    worst, where = worst_bin(found, name)
    label = f" ({drawings.said_range(where)})" if where else ""
    add("the same, worst bin of lg(E/eV)", "≤ 1", worst, unit=label, high=1.0)
    if found.names.standard in found.metrics.kinds:
        best = found.metrics.titles[found.names.standard]
        ratio = found.ratio(name, found.names.standard, ANGLE)
        rows.append((f"angular resolution over that of: {best}", "no requirement", said(ratio), None))
    add("energy resolution", f"< {100 * LARGEST_ENERGY:g} %", found.score(name, ENERGY), 100, " %", high=LARGEST_ENERGY)
    add("core resolution", f"< {LARGEST_CORE:g} m", found.score(name, CORE), 1, " m", high=LARGEST_CORE)
    low, high = drawings.REQUIRED_COVERAGE
    for target, word in TARGET_WORDS.items():
        one = found.metrics.score(name, target, "coverage_68")
        add(f"truths in 68 % intervals: {word}", f"{100 * low:g} to {100 * high:g} %", one, 100, " %", low, high)
    return rows


def summary(found: Found) -> Section:
    """What came out, in a few sentences, what was required, and the figure."""
    judged = [name for name in found.names.main if name in found.metrics.kinds]
    tables = {name: criteria(found, name) for name in judged}
    lines = [verdict(found, quantity) for quantity in QUANTITIES]
    for name, rows in tables.items():
        known = [met for _, _, _, met in rows if met is not None]
        if known:
            missed = [what for what, _, _, met in rows if met is False]
            lines.append(
                f"<b>{found.title(name)}</b> meets {sum(known)} of {len(known)} requirements"
                + (f"; missed: {escape(listed(missed))}." if missed else ".")
            )
    text = (
        "A cosmic ray of more than 10¹⁸ eV makes a shower of billions of particles in the air. An array of water"
        " tanks, 1.5 km apart, sees where and when some of them hit the ground. From that each method of this"
        " report says where the cosmic ray came from, where its axis hit the ground (the <i>core</i>), its energy"
        " E, and the depth in the air at which the shower had most particles (X<sub>max</sub>, which tells light"
        " from heavy nuclei). The physicist's methods read the start time and total signal of each station;"
        " networks read its whole trace, signal against time."
    )
    found_out = items(lines)
    figure = resolution_picture(found)
    table = None
    if any(verdict is not None for rows in tables.values() for *_, verdict in rows):
        first = next(iter(tables.values()))
        cells = tuple(
            (what, required, *(rows[place][2] for rows in tables.values()))
            for place, (what, required, _, _) in enumerate(first)
        )
        table = Table(
            ("", "required", *(found.metrics.titles[name] for name in judged)),
            cells,
            "What is required of the networks, on showers that no method has seen. Errors: one standard error; ratios"
            " are of the same showers, and bootstrapped over these. A requirement is judged by the number itself.",
        )
    return Section("In short", f"{text}\n\n{found_out}" if found_out else text, figure, table)


def verdict(found: Found, quantity: Quantity) -> str:
    """One sentence: who is best, and how the best of the other kind does."""
    ranked = ranking(found.metrics, "all", quantity.metric, rules=RULES)
    if not ranked:
        return ""
    (first, score), kinds = ranked[0], found.metrics.kinds
    number = f"{said(score, quantity.factor)} {quantity.unit}"
    text = f"Best {quantity.word.replace('Xmax', 'X<sub>max</sub>')}: <b>{found.title(first)}</b>, {number}"
    if kinds[first] == "floor":
        return f"{text}: nothing is better than always saying the mean."
    other = rival(found.metrics, ranked)
    if other is None:
        return f"{text}."
    whose = "best of the other methods" if kinds[first] == "network" else "best network"
    relation = "which agrees within the errors" if tied(score, other[1], quantity.metric, RULES) else (
        f"{other[1].value / score.value:.2f} times as much" if score.value > 0 else "worse"
    )  # fmt: skip
    return f"{text}; {whose}: {found.title(other[0])}, {said(other[1], quantity.factor)} {quantity.unit}, {relation}."


def resolution_picture(found: Found) -> tuple[Figure, ...]:
    """The figure with everything in it; none without bins."""
    if not any(part != "all" for part in found.parts()):
        return ()
    return (
        picture(
            "resolution",
            drawings.resolution_figure(found),
            "How well all methods reconstruct test showers, against true energy (left) and zenith angle (right);"
            " smaller is better. From top to bottom: angle to the true axis and distance to the true core that 68 % of"
            " the showers do not exceed; half of the central 68 % of E / E<sub>true</sub>; root mean square error of"
            " X<sub>max</sub>. Points of a bin stand side by side; bars: standard errors (bootstrap over showers). The"
            " upper three scales are logarithmic. Always saying the mean is shown where it is not far worse.",
            "Eight panels of points with error bars: angular, core, energy and depth resolution of every method in bins"
            " of energy and of zenith angle.",
        ),
    )


def comparison_section(found: Found) -> Section | None:
    """The table of all methods, the angular resolution in bins, and opening angles."""
    columns = [
        ("all", "angular_resolution", "angular resolution"),
        ("all", "core_resolution", "core resolution"),
        ("all", "energy_resolution", "energy resolution, relative"),
        ("all", "energy_bias", "energy bias, relative"),
        ("all", "xmax_resolution", "Xmax resolution"),
        ("all", "xmax_bias", "Xmax bias"),
    ]
    scores = found.metrics.scores
    n = max((score.n for (_, _, where, _), score in scores.items() if where == "all"), default=0)
    table = comparison_table(
        found.metrics,
        columns,
        f"{whole(n)} test showers, none of which took part in the training. Bias: median of E / E<sub>true</sub>,"
        " minus 1; mean difference of X<sub>max</sub>. Errors: one standard error, bootstrap over showers; all"
        " methods see the same showers, so differences are known better than the combined errors say.",
        rules=RULES,
    )
    if not table.rows:
        return None
    drawn: list[Figure] = []
    if found.test is not None:
        drawn.append(
            picture(
                "opening_angles",
                drawings.opening_angles(found, found.test),
                "Part of the test showers whose reconstructed axis is less than an angle away from the true one. The"
                " angular resolution is where a line crosses 68 %; how it ends on the right shows the tail.",
                "Rising curves of the distribution of the angle between true and reconstructed axis, a line for each"
                " method.",
            )
        )
    return Section("Methods compared", comparison_text(found), tuple(drawn), table)


def comparison_text(found: Found) -> str:
    """What the methods are, and angular resolutions in bins as a list."""
    bins = [part for part in found.parts() if part != "all"]
    lines = []
    for part in bins:
        ranked = ranking(found.metrics, part, ANGLE.metric, rules=RULES)
        standard = found.names.standard
        physicist = found.score(standard, ANGLE, part)
        if ranked:
            line = f"{drawings.ratio_label(part)}: {found.title(ranked[0][0])}, {said(ranked[0][1])}°"
            if physicist is not None and ranked[0][0] != standard:
                line += f" ({found.title(standard)}: {said(physicist)}°)"
            lines.append(line)
    text = (
        "The plane fit takes the front of the shower for a plane. The standard reconstruction takes it for a"
        " sphere, reads core and energy off the fall of the signals with the distance to the axis, corrected for"
        " the zenith angle by the method of constant intensity, and the depth off risetimes; it comes with the"
        " published variance of start times, and with corrections of start times by the traces. Learners on its"
        " results (boosted trees) and networks are taught by the same simulated showers."
    )
    return text + (f"\n\nBest angular resolution in each bin:\n\n{items(lines)}" if lines else "")


# --- what traces bring ------------------------------------------------------------------------------------------------


def traces_section(found: Found) -> Section | None:
    """The same network with times only, with total signals, and with traces; ratios on the same showers."""
    names = found.names
    others = [name for name in (names.totals, names.traces, *names.others) if found.has(name, ANGLE)]
    if not others or not found.has(names.times, ANGLE):
        return None
    rows, groups = ratio_rows(found)
    steps = [step_line(found, quantity) for quantity in QUANTITIES if found.has(names.traces, quantity)]
    compared = {name: size for name in (names.times, names.totals, *found.networks) if (size := found.sizes.get(name))}
    sizes = [f"{found.title(name)} {size}" for name, size in compared.items()]
    unequal = (
        f" Ensembles have different sizes ({listed(sizes)} networks), and a larger ensemble is better by itself; the"
        " lower part of the table compares the first network of each."
        if len(set(compared.values())) > 1 else ""
    )  # fmt: skip
    text = (
        "The talk's question: what does a network gain from raw traces? The same network reads start times only; start"
        f" times and the total signal of each station; and the whole traces.{unequal}\n\n{items(steps)}"
    )
    table = Table(
        ("resolution of … over that of …", *(quantity.word for quantity in QUANTITIES)),
        tuple(rows),
        "Ratios on the same test showers; below 1 the first is better. Errors: bootstrap over showers, both together.",
        groups=groups,
    )
    figure = picture(
        "what_traces_bring",
        drawings.ratio_figure(found, others, names.times),
        f"Resolution of each network over that of the one that reads start times only ({found.title(names.times)}),"
        " on the same showers: of all, and in bins of energy and zenith angle. Below the line: better.",
        "Ratios of resolutions with total signals and with traces to those with times only, four panels.",
    )
    return Section("What the traces bring", text, (figure,), table)


def ratio_rows(found: Found) -> tuple[list[tuple[str, ...]], dict[int, str]]:
    """Ratios of pairs of networks, as they stand and of their first members alone, and headings."""
    names = found.names
    pairs = [(names.totals, names.times), (names.traces, names.times), (names.traces, names.totals)]
    pairs += [(name, names.traces) for name in names.others]
    titles = found.metrics.titles
    rows = [
        (f"{titles[one]} / {titles[two]}", *(said(found.ratio(one, two, quantity)) for quantity in QUANTITIES))
        for one, two in pairs
        if found.has(one, ANGLE) and found.has(two, ANGLE)
    ]
    groups = {0: "Ensembles"}
    alone = found.members
    if found.test is None or not all(len(values) == len(found.test.truth) for values in alone.values()):
        return rows, groups
    single = [
        (
            f"{titles[one]} / {titles[two]}",
            *(said(paired_ratio(found.test.truth, alone[one], alone[two], quantity)) for quantity in QUANTITIES),
        )
        for one, two in pairs
        if one in alone and two in alone
    ]
    if single:
        groups[len(rows)] = "First network of each alone"
    return rows + single, groups


def step_line(found: Found, quantity: Quantity) -> str:
    """How a resolution changes from times only to total signals to traces, in words."""
    names = found.names
    parts = [
        f"{word} {said(one, quantity.factor)} {quantity.unit}"
        for word, name in (("times", names.times), ("total signals", names.totals), ("traces", names.traces))
        if (one := found.score(name, quantity)) is not None
    ]
    text = f"{quantity.word[0].upper()}{quantity.word[1:]}: {', '.join(parts)}"
    gain = found.ratio(names.traces, names.totals, quantity) or found.ratio(names.traces, names.times, quantity)
    if gain is None or not math.isfinite(gain.error):
        return f"{text}."
    if abs(gain.value - 1) <= 2 * gain.error:
        return f"{text}: traces change nothing that could be measured here (ratio {said(gain)})."
    change = Measured(abs(1 - gain.value), gain.error, gain.n)
    word = "smaller" if gain.value < 1 else "larger"
    beyond = "total signals" if found.has(names.totals, quantity) else "times"
    return f"{text}: <b>{percent(change)} {word}</b> with traces than with {beyond}."


def training_section(found: Found, history: Sequence[Mapping[str, str]]) -> Section | None:
    """Curves of the training."""
    curves = plots.regression_training(history, found.metrics)
    if curves is None:
        return None
    drawing, relative = curves
    meaning = (
        "the mean absolute error on validation showers divided by that of always saying the mean, averaged over the six"
        " targets"
        if relative
        else "the score on validation showers"
    )
    return Section(
        "Training",
        "Networks learn to correct a first look in closed form: a front of typical curvature and a lateral fit of"
        " signals; with start times only, a plane and the middle of the triggered stations.",
        (
            picture(
                "training",
                drawing,
                f"Left: the training loss (a Gaussian negative log likelihood, no unit). Right: {meaning}; it"
                " selects the weights that are kept. One line a network.",
                "Curves of training loss and validation score against the epoch, one line for each network.",
            ),
        ),
    )
