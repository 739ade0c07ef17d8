"""What breaks when the predictors of the nuclear-shape study meet nuclei of another kind."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape

import numpy as np

from cloudchamber.metrics.calibration import coverage
from cloudchamber.metrics.regression import bias, mae
from cloudchamber.report import figures as plots
from cloudchamber.report import nuclei_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.files import TEST, Scored
from cloudchamber.report.nuclei_figures import LABELS, TARGETS
from cloudchamber.report.nuclei_run import Found, said
from cloudchamber.report.page import Figure, Section, Table
from cloudchamber.report.tables import ranking
from cloudchamber.report.words import percent


def probes(found: Found) -> list[str]:
    """Names of the probes of which anything is known."""
    return [name for name in dict.fromkeys([*found.scored, *found.metrics.samples]) if name != TEST]


def transfer_section(found: Found, probe: str, title: str) -> Section | None:
    """What breaks on a nucleus with another radius and diffuseness."""
    test, other = found.scored.get(TEST), found.scored.get(probe)
    drawn: list[Figure] = []
    table = None
    label = re.sub(r"[^\w-]", "-", probe)
    if test is not None and other is not None:
        both = [name for name in other.predictions if name in test.predictions]
        table = transfer_table(found, both, test, other, title)
        shown = [name for name in both if found.metrics.kinds.get(name) == "network"]
        baselines = [
            name for name, _ in ranking(found.metrics, "abs_beta2", "mae") if found.metrics.kinds[name] == "baseline"
        ]
        if baselines and baselines[0] in both:
            shown = [baselines[0], *shown]
        if shown:
            drawn.append(
                picture(
                    f"transfer_{label}",
                    drawings.transfer(test, other, shown[:4], found.metrics.titles, found.metrics.kinds),
                    f"Error of |β₂| against the truth, for test shapes (grey) and for {escape(title)} (colour). Bars:"
                    " stated uncertainties. A coloured band that leaves zero is a bias: the predictor takes a change of"
                    " the nucleus for a change of its deformation.",
                    f"Errors of the predicted deformation on test shapes and on {title}.",
                )
            )
    columns = [(target, "mae", f"MAE of {LABELS[target]}") for target in ("abs_beta2", "abs_beta4", "beta2")]
    columns = [column for column in columns if ranking(found.metrics, column[0], column[1], probe)]
    if columns:
        drawn.append(
            picture(
                f"transfer_scores_{label}",
                plots.two_samples(found.metrics, columns, TEST, probe, {TEST: "test shapes", probe: title}),
                f"Mean absolute errors on test shapes (open) and on {escape(title)} (filled), with standard errors.",
                f"Mean absolute errors of every predictor on test shapes and on {title}.",
            )
        )
    if not drawn and table is None:
        return None
    text = (
        "Nobody knows the nucleus of an experiment as well as a simulation knows its own. Here the predictors, trained"
        f" as above, meet {escape(title)}; the deformations are drawn from the same range. {broken(found, probe)}"
    )
    return Section(f"What breaks: {title}", text, tuple(drawn), table)


def transfer_table(found: Found, names: Sequence[str], test: Scored, probe: Scored, title: str) -> Table:
    """MAE, bias and coverage of ``|beta2|`` before and after."""
    column = TARGETS.index("abs_beta2")
    random = np.random.default_rng(0)
    rows = []
    for name in names:
        errors, biases, inside = [], [], []
        for scored in (test, probe):
            one = scored.predictions[name]
            true, mean = scored.truth[:, column], one.mean[:, column]
            errors.append(said(mae(true, mean, random)))
            biases.append(said(bias(true, mean, random)))
            inside.append(
                percent(coverage(true, mean, np.maximum(one.std[:, column], 1e-12), 0.68))
                if one.std is not None
                else "–"
            )
        rows.append((found.metrics.titles.get(name, name), *errors, *biases, *inside))
    return Table(
        ("predictor", "MAE, test", "MAE, here", "bias, test", "bias, here", "within 68 %, test", "within 68 %, here"),
        tuple(rows),
        f"|β₂| of the test shapes and of {escape(title)} (<i>here</i>; {len(probe.truth)} shapes). Bias: mean of"
        " predicted minus true. Within 68 %: how many truths the stated 68 % intervals hold; far below 68 % the"
        " predictor does not notice that it is lost.",
    )


def broken(found: Found, probe: str) -> str:
    """How many predictors lose, and who is best on the probe."""
    worse: list[str] = []
    same: list[str] = []
    for name in found.metrics.titles:
        before, after = (found.metrics.score(name, "abs_beta2", "mae", sample) for sample in (TEST, probe))
        if before is None or after is None or found.metrics.kinds[name] == "floor":
            continue
        clear = after.value - before.value > 2 * math.hypot(np.nan_to_num(before.error), np.nan_to_num(after.error))
        (worse if clear else same).append(name)
    if not worse and not same:
        return ""
    text = (
        f"The MAE of |β₂| grows by more than twice its error for {len(worse)} of {len(worse) + len(same)} predictors."
    )
    ranked = ranking(found.metrics, "abs_beta2", "mae", probe)
    if ranked:
        best, score = ranked[0]
        text += f" Best on this probe is {found.metrics.title(best)} with {said(score)}."
        if found.metrics.kinds[best] == "floor":
            text += " Nothing is better there than answering the training mean."
    return text
