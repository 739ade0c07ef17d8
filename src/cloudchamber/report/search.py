"""The report of a search for settings: the winner, all trials ranked, how the search went, which settings matter."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from cloudchamber.report.figures import picture
from cloudchamber.report.page import Figure, Section, Table
from cloudchamber.report.style import GREY, INK, PETROFF, house_style, new_drawing
from cloudchamber.report.words import plus_minus


def shown(value: Any) -> str:
    """A value of a setting for tables."""
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("'", "")


def ranking(content: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of the table of trials, best first, failed ones last."""
    score = content["score"]
    header = ("rank", "trial", f"{score['metric']} ({score['target']})", "seconds", *content["space"])
    rows = []
    for rank, trial in enumerate(content["trials"], start=1):
        error = float("nan") if trial["error"] is None else trial["error"]
        value = "failed" if trial["value"] is None else plus_minus(trial["value"], error)
        settings = [shown(trial["settings"].get(name, "")) for name in content["space"]]
        seconds = "" if trial["seconds"] is None else f"{trial['seconds']:.1f}"
        rows.append(("" if trial["value"] is None else str(rank), str(trial["number"]), value, seconds, *settings))
    return header, rows


def winner_line(content: Mapping[str, Any]) -> str:
    """The winner's settings, and mean and spread of its score on validation and test split where it was trained."""
    winner, score = content["winner"], content["score"]
    line = f"winner: trial {winner['trial']} ({', '.join(f'{k} = {shown(v)}' for k, v in winner['settings'].items())})"
    for row in winner["scores"]:
        if (row["target"], row["metric"]) == (score["target"], score["metric"]):
            spread = float("nan") if row["spread"] is None else row["spread"]
            line += f"; {row['sample']} {row['metric']} {plus_minus(row['mean'], spread)}"
    return line + (f" (seeds {', '.join(map(str, winner['seeds']))})" if winner["seeds"] else "")


def sections(content: Mapping[str, Any]) -> list[Section]:
    """The report's sections from the content of search.json."""
    score, winner, trials = content["score"], content["winner"], content["trials"]
    best = ", ".join(f"{name} = {shown(value)}" for name, value in winner["settings"].items())
    goal = "largest" if score["direction"] == "maximize" else "smallest"
    scored = [trial for trial in trials if trial["value"] is not None]
    text = (
        f"Of {len(trials)} trials ({content['sampler']} sampler, {len(trials) - len(scored)} failed), number "
        f"{winner['trial']} has the {goal} {score['metric']} of {score['target']} on the validation split: {best}."
    )
    table = None
    if winner["scores"]:
        text += (
            f"\n\nIt was trained again on the whole preset with seeds {', '.join(map(str, winner['seeds']))}, each "
            "with data, splits and initial weights of its own, so that these scores are free of the selection."
        )
        cells = tuple(
            (
                f"{row['sample']}: {row['metric']} ({row['target']})",
                plus_minus(row["mean"], float("nan") if row["spread"] is None else row["spread"]),
                *(shown(float(value)) for value in row["values"]),
            )
            for row in winner["scores"]
        )
        header = ("score", "mean ± spread", *(f"seed {seed}" for seed in winner["seeds"]))
        table = Table(header, cells, "The spread is the standard deviation of one training, not the error of the mean.")
    found = [Section("The winner", escape(text), (), table)]
    header, rows = ranking(content)
    near = [
        number
        for number, trial in enumerate(scored)
        if number and abs(trial["value"] - scored[0]["value"]) < np.hypot(trial["error"] or 0, scored[0]["error"] or 0)
    ]
    ranked = Table(
        header,
        tuple(rows[:50]),
        "Errors: one standard error from the size of the validation split. Marked ≈: not to be told from the best. The "
        "best of many scores is flattered by the selection. All trials are in search.json.",
        frozenset({(0, 2)}),
        frozenset((number, 2) for number in near if number < 50),
    )
    changes = ", ".join(f"{name} = {shown(value)}" for name, value in content["changes"].items())
    how = f"Trials differ from the preset in {changes}." if changes else "Trials use the preset as it is."
    found.append(Section("Trials ranked", escape(how), (history(content),), ranked))
    shares = content["importance"]["values"]
    if shares:
        told = (
            "Share of the variance of the score that a setting explains by itself, after "
            f"{content['importance']['method']} (Hutter, Hoos and Leyton-Brown, ICML 2014): a random forest fitted to "
            "the trials stands for the score. With few trials it is a hint, not a measurement."
        )
        found.append(Section("Which settings matter", told, (importances(content),)))
    return found


@house_style()
def history(content: Mapping[str, Any]) -> Figure:
    """Score against the number of the trial, and the best so far."""
    score = content["score"]
    trials = sorted((trial for trial in content["trials"] if trial["value"] is not None), key=lambda t: t["number"])
    numbers, values = [trial["number"] for trial in trials], [trial["value"] for trial in trials]
    errors = [trial["error"] or 0.0 for trial in trials]
    best = np.maximum.accumulate(values) if score["direction"] == "maximize" else np.minimum.accumulate(values)
    drawing = new_drawing(2.8)
    axes = drawing.subplots()
    axes.errorbar(numbers, values, errors, fmt="o", color=PETROFF[0], elinewidth=0.8, label="trial")
    axes.step(numbers, best, where="post", color=INK, label="best so far")
    axes.set_xlabel("number of the trial")
    axes.set_ylabel(f"{score['metric']} ({score['target']}), validation")
    axes.legend()
    caption = f"How the search went ({escape(content['sampler'])} sampler). Errors: one standard error."
    alt = (
        f"{len(trials)} trials between {min(values):.4g} and {max(values):.4g}; the best so far ends at {best[-1]:.4g}."
    )
    return picture("history", drawing, caption, alt)


@house_style()
def importances(content: Mapping[str, Any]) -> Figure:
    """A bar a setting, the largest on top."""
    shares = content["importance"]["values"]
    names = list(shares)[::-1]
    drawing = new_drawing(0.7 + 0.28 * len(names))
    axes = drawing.subplots()
    axes.barh(
        names, [shares[name][0] for name in names], xerr=[shares[name][1] for name in names], color=PETROFF[0],
        ecolor=GREY, height=0.7,
    )  # fmt: skip
    axes.set_xlim(left=0)
    axes.set_xlabel("share of the variance of the score explained by the setting alone")
    caption = "Importance of the settings. Errors: standard deviation over bootstrap samples of the trials."
    alt = "Shares: " + ", ".join(f"{name} {shares[name][0]:.2f}" for name in reversed(names)) + "."
    return picture("importance", drawing, caption, alt)
