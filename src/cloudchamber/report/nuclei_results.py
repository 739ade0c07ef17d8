"""What came out of the nuclear-shape study: scores side by side, and the sign of beta2.

Every verdict is worked out from the numbers, whichever way it comes out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from cloudchamber.data.samples import Prediction
from cloudchamber.metrics.calibration import coverage, pull_width
from cloudchamber.metrics.classification import sign_accuracy
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.regression import r2
from cloudchamber.report import figures as plots
from cloudchamber.report import nuclei_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.files import TEST, Score, Scored
from cloudchamber.report.nuclei_figures import LABELS, SIGN_THRESHOLD, TARGETS, WORDS
from cloudchamber.report.nuclei_run import Found, Values, said
from cloudchamber.report.page import Figure, Section, Table
from cloudchamber.report.tables import Column, comparison_table, ranking, rival, tied
from cloudchamber.report.words import items, listed, percent, plus_minus

JUDGED = ("abs_beta2", "abs_beta4", "beta2")
"""Targets whose stated uncertainties are judged."""
METRIC_WORDS = {"r2": "R²", "mae": "MAE", "sign_accuracy": "sign accuracy"}


def verdict(found: Found, target: str, metric: str) -> str:
    """One sentence: who is best, how the best of the other kind does, and how far behind it is."""
    ranked = ranking(found.metrics, target, metric)
    if not ranked:
        return ""
    (first, score), what = ranked[0], f"{METRIC_WORDS.get(metric, metric)} of {WORDS.get(target, target)}"
    kind = found.metrics.kinds[first]
    text = f"Best {what}: <b>{found.metrics.title(first)}</b>, {said(score)}"
    if kind == "floor":
        return f"{text}: nothing is better than predicting the mean."
    other = rival(found.metrics, ranked)
    if other is not None:
        whose = "best baseline" if kind == "network" else "best network"
        text += f"; the {whose} is {found.metrics.title(other[0])} with {said(other[1])}, {behind(score, other[1])}"
    if math.isfinite(score.floor):
        text += f" (predicting the mean: {plus_minus(score.floor, math.nan)})"
    return f"{text}."


def behind(best: Score, other: Score) -> str:
    """How far another score is behind the best, in combined errors."""
    error = math.hypot(best.error, other.error)
    gap = abs(best.value - other.value)
    if not error > 0:
        return "the error is not known"
    return "the same within the errors" if gap <= error else f"behind by {gap / error:.1f} times the combined error"


def summary(found: Found) -> Section:
    """What came out, in a few sentences."""
    lines = [verdict(found, "abs_beta2", "r2"), verdict(found, "abs_beta2", "mae"), verdict(found, "abs_beta4", "r2")]
    network, size = found.names.network, found.names.size_network
    alone, both = (found.metrics.score(name, "beta2", "r2") for name in (network, size))
    if alone is not None:
        sentence = (
            f"The sign of β₂ (flattened or stretched): from the image alone {found.metrics.title(network)} reaches"
            f" a signed R² of {said(alone)}"
        )
        accuracy = found.metrics.score(size, "beta2", "sign_accuracy")
        if both is not None:
            sentence += f"; with the size of the collision as a second channel {said(both)}"
        if accuracy is not None:
            sentence += (
                f", and the sign is right for {percent(accuracy)} of the shapes with |β₂| &gt; {SIGN_THRESHOLD:g}"
            )
        lines.append(sentence + ".")
    figure = None
    columns = [
        ("abs_beta2", "r2", r"R² of $|\beta_2|$ (1: perfect)", (-0.3, 1.05)),
        ("abs_beta4", "r2", r"R² of $|\beta_4|$", (-0.3, 1.05)),
        ("beta2", "r2", r"R² of signed $\beta_2$", (-0.3, 1.05)),
    ]
    columns = [column for column in columns if ranking(found.metrics, column[0], column[1])]
    if columns:
        figure = picture(
            "scores",
            plots.score_dots(found.metrics, columns),
            "How well each predictor does on shapes it has never seen. R² is the part of the variation that is"
            " predicted: 1 is perfect, 0 (dashed) is no better than always answering the mean. Bars: standard errors"
            " (bootstrap over shapes); circles: networks, squares: the physicist's methods and statistical learners; an"
            " arrow at the edge: off the scale.",
            "Dots with error bars: the score of every predictor for each target, with predicting the mean as the"
            " floor.",
        )
    text = (
        "Two heavy nuclei collide at nearly the speed of light. How many particles come out (the <i>multiplicity</i>)"
        " and how unevenly they fly off around the beam (the <i>elliptic flow</i>, v₂) depends on the shape of the"
        " nuclei and on how they happened to be turned when they met. Each predictor of this report looks at thousands"
        " of collisions of one nucleus at once, as an image, and answers how that nucleus is deformed: β₂ (negative:"
        " flattened like a pumpkin; positive: stretched like an egg) and β₄ (dips or bumps around the waist)."
    )
    found_out = items(lines)
    return Section("In short", f"{text}\n\n{found_out}" if found_out else text, (figure,) if figure else ())


def training_section(found: Found, history: Sequence[Mapping[str, str]]) -> Section | None:
    """Curves of the training."""
    curves = plots.regression_training(history, found.metrics)
    if curves is None:
        return None
    drawing, relative = curves
    meaning = (
        "the mean absolute error on validation shapes, divided by that of always answering the mean: 1 is no skill, 0"
        " is perfect"
        if relative
        else "the score on validation shapes"
    )
    return Section(
        "Training",
        "Each network is trained several times from different random starts; the members of such an ensemble answer"
        " together.",
        (
            picture(
                "training",
                drawing,
                f"Left: the training loss (Gaussian negative log likelihood, no unit). Right: {meaning}; it selects the"
                " weights that are kept. One line a member. Training shapes, validation shapes and the test shapes of"
                " all other figures have no event in common.",
                "Curves of training loss and validation score against the epoch, one line for each network.",
            ),
        ),
    )


def comparison_section(found: Found) -> Section | None:
    """The table, the gain of squeeze-excitation, and predicted against true."""
    columns = [
        ("abs_beta2", "r2", "|β₂| R²"),
        ("abs_beta2", "mae", "|β₂| MAE"),
        ("abs_beta4", "r2", "|β₄| R²"),
        ("abs_beta4", "mae", "|β₄| MAE"),
        ("beta2", "r2", "signed β₂ R²"),
        ("beta2", "sign_accuracy", f"sign of β₂ right (|β₂| > {SIGN_THRESHOLD:g})"),
    ]
    scores = found.metrics.scores
    n = max(
        (score.n for (_, sample, _, metric), score in scores.items() if sample == TEST and metric == "r2"), default=0
    )
    table = comparison_table(
        found.metrics,
        columns,
        f"{n} test shapes, none of which took part in the training. R²: part of the variation that is predicted (1:"
        " perfect, 0: no better than the mean). MAE: mean absolute error. Errors: one standard error, bootstrap over"
        " shapes; all predictors see the same shapes, so differences are known somewhat better than the combined errors"
        " say.",
    )
    text = wins(found, columns)
    gain = squeeze_excitation(found)
    figures: list[Figure] = []
    test = found.scored.get(TEST)
    if test is not None and test.predictions:
        figures = [truth_figure(found, test, target) for target in ("abs_beta2", "abs_beta4")]
    if not table.rows and not figures:
        return None
    body = f"{text}\n\n{gain}" if gain else text
    return Section("Predictors compared", body, tuple(figures), table if table.rows else None)


def truth_figure(found: Found, test: Scored, target: str) -> Figure:
    """Predicted against true, every predictor."""
    column, metrics = TARGETS.index(target), found.metrics
    return picture(
        f"predicted_{target}",
        plots.predicted_against_true(
            test.truth, test.predictions, column, metrics.titles, metrics.kinds, LABELS[target]
        ),
        f"Predicted against true {WORDS[target]} of the test shapes. On the line: right. Grey band: the predictor's"
        " root-mean-square error; bars: the uncertainty (one standard deviation) that the predictor states, if any.",
        f"Scatter plots of predicted against true {WORDS[target]}, a panel for each predictor.",
    )


def wins(found: Found, columns: Sequence[Column]) -> str:
    """Who is best in how many columns of the table."""
    ranked = {heading: ranking(found.metrics, target, metric) for target, metric, heading in columns}
    metric_of = {heading: metric for _, metric, heading in columns}
    best: dict[str, list[str]] = {}
    for heading, order in ranked.items():
        if order:
            name, score = order[0]
            other = rival(found.metrics, order)
            shared = other is not None and tied(score, other[1], metric_of[heading])
            best.setdefault(found.metrics.kinds[name], []).append(heading + (" (tie)" if shared else ""))
    called = {
        "network": "a network",
        "baseline": "one of the physicist's methods and statistical learners",
        "floor": "the floor",
    }
    parts = [f"{called.get(kind, kind)} is best in {len(which)}: {listed(which)}" for kind, which in best.items()]
    tie = (
        " A tie: the best of the other kind agrees within the errors." if any("(tie)" in part for part in parts) else ""
    )
    return f"Of {sum(map(len, best.values()))} columns, {escape('; '.join(parts))}.{tie}" if parts else ""


def squeeze_excitation(found: Found) -> str:
    """The gain of squeeze-excitation with numbers, empty if it was not measured."""
    parts = []
    for target in ("abs_beta2", "abs_beta4"):
        with_it = found.metrics.score(found.names.network, target, "mae")
        without = found.metrics.score(found.names.plain_network, target, "mae")
        if with_it is None or without is None or without.value <= 0:
            continue
        ratio = with_it.value / without.value
        error = ratio * math.hypot(with_it.error / max(with_it.value, 1e-12), without.error / without.value)
        parts.append(f"{plus_minus(100 * (1 - ratio), 100 * error)} % of the MAE of {WORDS[target]}")
    if not parts:
        return ""
    members = found.config.members, found.config.ablation_members
    unequal = (
        f" The ensembles have {members[0]} and {members[1]} members, and a larger ensemble is better by itself: part of"
        " a gain may be due to that."
        if members[0] != members[1] else ""
    )  # fmt: skip
    return (
        "Squeeze-excitation (weights for the channels of the network, computed from the image) takes away"
        f" {listed(parts)}; a negative number means that it harms. The talk quotes 2–8 % relative.{unequal}"
    )


def degeneracy_section(found: Found, gallery: Mapping[str, Values]) -> Section | None:
    """The sign of beta2."""
    test = found.scored.get(TEST)
    names = found.names
    shown = [name for name in (names.branches, names.network, names.size_network) if test and name in test.predictions]
    if test is None or not shown:
        return None
    text = (
        "Flattened and stretched nuclei with the same |β₂| give similar images: relativistic contraction makes the"
        " nuclei thin sheets, and a sheet seen from the front hardly tells a pumpkin on its side from an egg. The"
        " publication found the two images alike, and a predictor that is told to find the sign can then only guess, or"
        " answer near zero. The size of the overlap at fixed multiplicity, and how it goes with v₂, differs between the"
        " two (arXiv:2105.05713); predictors with the size channel can use it.\n\n"
        + items([sign_line(found, test, name) for name in shown])
    )
    network = found.metrics.score(names.network, "beta2", "r2")
    if network is not None:
        text += f"\n\n{is_degenerate(network)}"
    drawn = [
        picture(
            "degeneracy",
            drawings.degeneracy(
                test.truth,
                {name: test.predictions[name] for name in shown},
                found.metrics.titles,
                found.metrics.kinds,
            ),
            "Upper row: predicted against true signed β₂; the full line is the truth, the dashed line the same shape"
            " with the wrong sign (two branches mean: the size of the deformation is known, its sign is not). Bars:"
            " stated uncertainties. Lower row: predicted divided by true β₂; 1 is right, −1 has the wrong sign, 0 is a"
            " predictor that does not commit itself.",
            "Predicted against true signed quadrupole deformation, with and without the size channel, and histograms"
            " of their ratio.",
        )
    ]
    if "degeneracy_events" in gallery:
        words, figure = degeneracy_with_statistics(gallery)
        text += f"\n\n{words}"
        drawn.append(figure)
    return Section("The sign of β₂: a degeneracy, and what lifts it", text, tuple(drawn))


def sign_line(found: Found, test: Scored, name: str) -> str:
    """How well a predictor knows the sign of beta2."""
    column = TARGETS.index("beta2")
    true, mean = test.truth[:, column], test.predictions[name].mean[:, column]
    random = np.random.default_rng(0)
    score = found.metrics.score(name, "beta2", "r2") or r2(true, mean, random)
    right = found.metrics.score(name, "beta2", "sign_accuracy") or sign_accuracy(true, mean, SIGN_THRESHOLD, random)
    clear = np.abs(true) > SIGN_THRESHOLD
    flipped = float((np.abs(mean + true)[clear] < np.abs(mean - true)[clear]).mean()) if clear.any() else math.nan
    return (
        f"{found.metrics.title(name)}: signed R² {said(score)}; sign right for {percent(right)} of {right.n} shapes;"
        f" {100 * flipped:.0f} % of the answers are nearer to −β₂ than to β₂."
    )


def is_degenerate(network: Score) -> str:
    """Whether the published degeneracy is seen: a verdict on the signed R2 of the image alone."""
    text = f"Signed R² of the image alone is {said(network)}; the degeneracy of the publication means less than 0.2. "
    if network.value < 0.2 and network.error <= 0.1:
        return f"{text}So the degeneracy is seen here too."
    if not network.value - 2 * network.error > 0.2:
        return f"{text}With so large an error nothing follows."
    return (
        f"{text}So it is <b>not</b> complete here: the images of +β₂ and −β₂ are similar, not equal, and enough events"
        " tell them apart. TRENTo itself shows the difference with nuclei that none of our code made"
        " (benchmarks/sign_of_beta2_in_trento.py)."
    )


def degeneracy_with_statistics(gallery: Mapping[str, Values]) -> tuple[str, Figure]:
    """The sign of beta2 against the number of events in an image: words and a figure."""
    events, value, error = (gallery[f"degeneracy_{name}"] for name in ("events", "r2", "error"))
    below = events[value[0] < 0.2]
    text = (
        "The same question against the statistics of an image, asked of a ridge regression on moments (ten-fold"
        " cross-validation over all shapes): "
        + (f"up to {below.max():,} events" if len(below) else "at none of these sizes")
        + f" the image alone stays below 0.2; with {events[-1]:,} events it reaches"
        f" {plus_minus(value[0, -1], error[0, -1])}, with size {plus_minus(value[1, -1], error[1, -1])}."
    )
    figure = picture(
        "degeneracy_with_statistics",
        drawings.degeneracy_with_statistics(events, value, error),
        "R² of signed β₂ by ridge regression against the number of events in an image, with and without size."
        " Below the dashed line the sign counts as unreadable.",
        "Two curves of R squared of the signed deformation against the number of events in an image.",
    )
    return text, figure


def uncertainty_section(found: Found) -> Section | None:
    """Coverage and pulls."""
    test = found.scored.get(TEST)
    if test is None:
        return None
    stated = {
        name: one
        for name, one in test.predictions.items()
        if one.std is not None and found.metrics.kinds.get(name) != "floor"
    }
    if not stated:
        return None
    table, verdicts = uncertainty_table(found, test, stated)
    called = {"network": "networks", "baseline": "the other methods"}
    judgement = "; ".join(
        f"of the {len(all_of)} pull widths of {called.get(kind, kind)} "
        + listed([f"{all_of.count(verdict)} {verdict}" for verdict in dict.fromkeys(all_of)])
        for kind, all_of in verdicts.items()
    )
    text = (
        "An answer without an uncertainty is half an answer. Networks state a standard deviation with each answer:"
        " the spread of the ensemble's members together with the noise they expect, scaled once on validation shapes."
        " If a stated uncertainty is true, 68 % of the test shapes lie within the 68 % interval, and the error divided"
        " by the stated uncertainty (the <i>pull</i>) has width 1; a larger width means that uncertainties are too"
        f" small. Here, {judgement} (judged within twice the error)."
    )
    networks = {name: one for name, one in stated.items() if found.metrics.kinds.get(name) == "network"}
    figure = picture(
        "coverage",
        plots.coverage_curves(
            test.truth,
            networks or stated,
            [TARGETS.index(target) for target in JUDGED],
            [LABELS[target] for target in JUDGED],
            found.metrics.titles,
            found.metrics.kinds,
        ),
        "Upper row: fraction of the test shapes whose true value lies within the stated interval, against the"
        " interval's probability; above the diagonal uncertainties are too large, below too small. Lower row:"
        " distribution of the error in units of the stated uncertainty (values beyond ±4 in the last bins); the line"
        " is the unit Gaussian. For signed β₂ a predictor that does not know the sign has two possible truths, for"
        " which no Gaussian interval is right.",
        "Coverage curves and distributions of pulls for the predictors that state uncertainties.",
    )
    return Section("Are the uncertainties true?", text, (figure,), table)


def uncertainty_table(
    found: Found, test: Scored, stated: Mapping[str, Prediction]
) -> tuple[Table, dict[str, list[str]]]:
    """Coverage and pull width of each predictor, and what the widths mean, by kind of predictor."""
    rows = []
    verdicts: dict[str, list[str]] = {}
    for name, one in stated.items():
        assert one.std is not None
        cells = []
        for target in JUDGED:
            if target == "beta2" and not name.endswith(found.names.size_ending):
                cells += ["–", "–"]
                continue
            column = TARGETS.index(target)
            true, mean, std = test.truth[:, column], one.mean[:, column], np.maximum(one.std[:, column], 1e-12)
            width = pull_width(true, mean, std)
            cells += [percent(coverage(true, mean, std, 0.68)), said(width)]
            verdicts.setdefault(found.metrics.kinds.get(name, "baseline"), []).append(judged(width))
        rows.append((found.metrics.titles.get(name, name), *cells))
    table = Table(
        ("predictor", *(f"{WORDS[target]}: {what}" for target in JUDGED for what in ("in 68 %", "pull width"))),
        tuple(rows),
        f"Coverage of the 68 % interval and width of the pull on {len(test.truth)} test shapes. Predictors without"
        " the size channel cannot know the sign of β₂ and have no entry for it.",
    )
    return table, verdicts


def judged(width: Measured) -> str:
    """What a pull width means."""
    if not math.isfinite(width.value) or abs(width.value - 1) <= 2 * width.error:
        return "right"
    return "too wide" if width.value > 1 else "too narrow"
