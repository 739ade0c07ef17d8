"""What came out of a search for sources of cosmic rays: scores side by side, in every world, and the training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np

from cloudchamber.metrics.directions import angular_distance
from cloudchamber.metrics.measured import Measured, bootstrap
from cloudchamber.metrics.searches import FIVE_SIGMA, numbers_of
from cloudchamber.report import figures as plots
from cloudchamber.report import skies_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.files import TEST, Metrics, Score, read_history
from cloudchamber.report.page import Figure, Section
from cloudchamber.report.skies_run import (
    CLEARLY,
    HELIUM,
    LIKELIHOOD,
    TEMPLATE,
    TOP_HAT,
    Found,
    Values,
    compared,
    measured_sigma,
)
from cloudchamber.report.tables import Column, comparison_table, ranking, rival, tied
from cloudchamber.report.words import items, said


def best_needed(found: Found, kind: str, world: str) -> tuple[str, Score] | None:
    """The predictor of a kind that needs fewest signal cosmic rays."""
    known = [(name, found.needed(name, world)) for name, one in found.kinds.items() if one == kind]
    reached = [(name, score) for name, score in known if score is not None]
    return min(reached, key=lambda pair: pair[1].value) if reached else None


def source_summary(found: Found) -> Section:
    """Who needs how many signal cosmic rays."""
    needs = [line for world in found.worlds if (line := needed_line(found, world))]
    lines = [*auc_lines(found), *needs, *(extrapolated_lines(found) if needs else [])]
    table = comparison_table(
        *with_worlds(found, list(found.worlds), "signal_needed", "for 5σ"),
        "AUC: chance that a sky with signal has a larger test statistic than an isotropic one (test split, with the"
        " signal fractions of training). Then: signal cosmic rays of 1000 at which the median sky reaches five sigma,"
        " in each world; a dash: not reached by the largest number simulated, or already by the smallest. Whether such"
        " a number rests on a fitted tail is drawn below. Errors: bootstrap over skies.",
    )
    missing = "" if lines else "There are too few isotropic skies in this run for any statement on significance."
    return Section("What came out", items(lines) or missing, (), table)


def extrapolated_lines(found: Found) -> list[str]:
    """Whose numbers for five sigma are not measured: at most one line."""
    far = [found.metrics.title(name) for name in found.kinds if measured_sigma(len(found.isotropic(name))) < FIVE_SIGMA]
    if not far:
        return []
    whose = "all predictors" if len(far) == len(found.kinds) else ", ".join(far)
    return [f"Extrapolated with a fitted tail, not counted: the numbers for 5σ of {whose}."]


def with_worlds(found: Found, worlds: Sequence[str], metric: str, heading: str) -> tuple[Metrics, list[Column]]:
    """Metrics in which a score of each world is a target of the test split, and the columns of one table of all.

    The columns begin with the AUC.
    """
    columns: list[Column] = [("signal", "auc", "AUC, test skies")]
    scores = dict(found.metrics.scores)
    for world in worlds:
        columns.append((world, metric, f"{heading}: {found.worlds[world]}"))
        for name in found.kinds:
            if (name, world, "signal", metric) in scores:
                scores[name, TEST, world, metric] = scores[name, world, "signal", metric]
    return replace(found.metrics, scores=scores), columns


def auc_lines(found: Found) -> list[str]:
    """Who tells skies with signal from isotropic ones best."""
    ranked = ranking(found.metrics, "signal", "auc")
    if not ranked:
        return []
    name, score = ranked[0]
    text = f"Test skies: <b>{found.metrics.title(name)}</b> tells signal from isotropy best, AUC {said(score)}"
    other = rival(found.metrics, ranked)
    if other is not None:
        whose = "baseline" if found.metrics.kinds[name] == "network" else "network"
        same = "the same within the errors" if tied(score, other[1], "auc") else "behind it"
        text += f"; the best {whose}, {found.metrics.title(other[0])}, has {said(other[1])}, {same}"
    return [f"{text}."]


def needed_line(found: Found, world: str) -> str:
    """The best network of a world beside the likelihood scans and the top-hat scan."""
    network = best_needed(found, "network", world)
    if network is None:
        known = any((name, world, "signal", "signal_needed") in found.metrics.scores for name in found.kinds)
        return f"{found.world(world)}: no network reaches 5σ between the numbers simulated." if known else ""
    name, score = network
    text = f"{found.world(world)}: <b>{found.metrics.title(name)}</b> needs {said(score)} signal cosmic rays for 5σ"
    parts = [
        f"{found.metrics.title(other)} {said(its)}: the network needs {compared(score, its, 'fewer', 'more')}"
        for other in (LIKELIHOOD, TEMPLATE, TOP_HAT)
        if (its := found.needed(other, world)) is not None
    ]
    text += f" ({'; '.join(parts)})." if parts else "."
    template = found.needed(TEMPLATE, world)
    lead = math.nan if template is None else template.value - score.value
    if template is not None and world == HELIUM and lead > CLEARLY * math.hypot(score.error, template.error):
        text += (
            " In this world the template likelihood knows the truth: a clear lead over it is a leak until explained."
        )
    return text


def universe_summary(found: Found, order: Sequence[str]) -> Section:
    """Who sees which universes."""
    lines = auc_lines(found)
    for world in order:
        ranked = ranking(found.metrics, "signal", "median_sigma", world)
        ranked = [pair for pair in ranked if pair[0] in found.kinds]
        beyond = [
            found.metrics.title(name)
            for name, score in ranked
            if score.value > measured_sigma(len(found.isotropic(name)))
        ]
        if beyond:
            lines.append(
                f"{found.world(world)}: the median sky is beyond what isotropic skies can count for"
                f" {', '.join(beyond)}; how far rests on fitted tails, so they are not ranked."
            )
        elif ranked:
            name, score = ranked[0]
            text = f"{found.world(world)}: the median sky is seen best by <b>{found.metrics.title(name)}</b>, with"
            same = [found.metrics.title(other) for other, its in ranked[1:] if tied(score, its, "median_sigma")]
            lines.append(f"{text} {said(score)} σ; the same within the errors: {', '.join(same) or 'none'}.")
    table = comparison_table(
        *with_worlds(found, order, "auc", "AUC"),
        "AUC: chance that a sky with sources has a larger test statistic than an isotropic one: first on the test split"
        " (densities evenly in their logarithm), then in skies of one density. Errors: bootstrap over skies.",
    )
    return Section("What came out", items(lines), (), table)


def regression_section(found: Found) -> Section | None:
    """Signal fraction and direction."""
    drawn: list[Figure] = []
    test = found.scored.get(TEST)
    if test is not None:
        stated = {
            name: one for name, one in test.predictions.items() if name in found.kinds and _states(one.mean[:, 1])
        }
        if stated:
            drawn.append(
                picture(
                    "fraction",
                    plots.predicted_against_true(
                        test.truth, stated, 1, found.metrics.titles, found.metrics.kinds, "signal fraction"
                    ),
                    "Estimated against true fraction of signal cosmic rays of the test skies, isotropic ones at 0. On"
                    " the line: right; grey band: the root-mean-square error. A scan tries a few fractions only.",
                    "Scatter plots of estimated against true signal fraction, a panel for each predictor.",
                )
            )
    angles = angle_figure(found)
    drawn += [] if angles is None else [angles]
    columns = [
        ("signal_fraction", "mae", "error of the fraction"),
        ("source", "angular_distance", "angle to the source"),
    ]
    table = comparison_table(
        found.metrics,
        columns,
        "Test skies: mean absolute error of the signal fraction, and median angle between estimated and true direction"
        " of the (strongest) source (90° without skill). Errors: bootstrap over skies.",
    )
    if not drawn and not table.rows:
        return None
    return Section(
        "How strong, and where?",
        "Besides the test statistic most predictors estimate the fraction of signal cosmic rays and the direction of"
        " the source.",
        tuple(drawn),
        table,
    )


def _states(values: Values) -> bool:
    """Whether an estimate was made at all."""
    return bool(np.isfinite(values).all() and np.ptp(values) > 0)


def angle_figure(found: Found) -> Figure | None:
    """Median angle to the source against the number of signal cosmic rays, in the world of the training if possible."""
    world = HELIUM if HELIUM in found.worlds else TEST
    if world not in found.scored:
        return None
    one = found.scored[world]
    numbers = numbers_of(one.truth)
    points = np.array(sorted(set(numbers[numbers > 0].tolist())))
    if not 2 <= len(points) <= 20:
        return None
    curves: dict[str, list[Measured]] = {}
    for name, prediction in one.predictions.items():
        said_direction = prediction.mean[numbers > 0, 2:]
        if name not in found.kinds or not np.isfinite(said_direction).all():
            continue
        angles = angular_distance(one.truth[:, 2:], prediction.mean[:, 2:])
        curves[name] = [_median(angles[numbers == number]) for number in points]
    if not curves:
        return None
    title = escape(found.worlds.get(world, "test skies"))
    return picture(
        "angle",
        drawings.density_figure(
            points, curves, found.metrics.titles, found.kinds, "median angle to the source [°]",
            "signal cosmic rays in a sky, per 1000", no_skill=90.0,
        ),
        f"Median angle between the estimated and the true direction of the source ({title}) against the number of"
        " signal cosmic rays (points are moved apart sideways). The true direction is that outside the Galaxy: a search"
        " that knows nothing of the coherent deflection finds the centre of arrivals instead. Bars: standard errors.",
        "Curves of the median angle, falling with the number of signal cosmic rays, for each predictor.",
    )  # fmt: skip


def _median(angles: Values) -> Measured:
    rng = np.random.default_rng(0)
    return bootstrap(lambda _, values: float(np.median(values)), np.zeros(len(angles)), angles, rng)


def training_section(found: Found, run: Path) -> Section | None:
    """How the networks learned."""
    history = [row for row in read_history(run / "history.csv") if row.get("one_minus_auc")]
    if not history:
        return None
    drawing = plots.training_curves(
        history, found.metrics.titles, found.metrics.kinds, "one_minus_auc", "1 − AUC of validation skies",
        logarithmic=True,
    )  # fmt: skip
    best = []
    for name in dict.fromkeys(row["predictor"] for row in history):
        rows = [row for row in history if row["predictor"] == name]
        score = min(float(row["one_minus_auc"]) for row in rows)
        best.append(f"{found.metrics.title(name)}: smallest 1 − AUC {score:.3g} in {len(rows)} epochs")
    return Section(
        "Training",
        "Every epoch sees redrawn skies: the signal is kept, isotropic cosmic rays are drawn afresh. The weights are"
        f" those of the epoch with the smallest 1 − AUC on validation skies. {'; '.join(best)}.",
        (
            picture(
                "training",
                drawing,
                "Training loss (of all that is learned at once, in different units for different networks), and 1 − AUC"
                " on validation skies, which selects the weights.",
                "Curves of training loss and validation score against the epoch.",
            ),
        ),
    )
