"""What generators of hadronic interactions cost: their speed and their training."""

from __future__ import annotations

from html import escape
from pathlib import Path

from cloudchamber.report import interactions_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.files import read_history
from cloudchamber.report.interactions_run import SIMULATORS, Found
from cloudchamber.report.page import Section, read_record
from cloudchamber.report.words import whole
from cloudchamber.schema import BadInput

SCORES = {
    "w1_over_sigma": "validation: mean W₁/σ", "mean_distance": "validation: mean distance",
    "reconstruction": "validation: reconstruction", "nats": "validation: nats",
}  # fmt: skip
"""Labels of the columns of history.csv that select weights; of several that a network has, the first does."""


def speed_section(found: Found, path: Path) -> Section | None:
    """Events per second."""
    if not path.exists():
        return None
    rows = read_record(path).get("rows")
    needed = {"model", "projectile", "target", "energy", "batch", "events_per_second"}
    if not isinstance(rows, list) or not all(isinstance(row, dict) and needed <= set(row) for row in rows):
        raise BadInput(f"{path}: expected a list 'rows' of objects with {', '.join(sorted(needed))}: measure again")
    if not rows:
        return None
    titles = {**SIMULATORS, **found.metrics.titles}
    fastest: dict[str, float] = {}
    for row in rows:
        name = str(row["model"])
        fastest[name] = max(fastest.get(name, 0.0), float(row["events_per_second"]))
    order = sorted(fastest, key=lambda name: -fastest[name])
    words = ", ".join(f"{escape(titles.get(name, name))} {_rate(fastest[name])}" for name in order)
    drawing = drawings.speed_figure(rows, titles, found.metrics.kinds)
    figure = picture(
        "speed",
        drawing,
        "Events per second against the number of events that are asked for at once; open markers and black lines are"
        " simulators.",
        "Lines of events per second against batch size, a panel for each reaction.",
    )
    return Section("How fast?", f"Most events per second: {words}.", (figure,))


def _rate(value: float) -> str:
    return whole(float(f"{value:.2g}")) if value >= 10 else f"{value:.2g}"


def training_section(found: Found, run: Path) -> Section | None:
    """How the networks learned."""
    history = []
    for row in read_history(run / "history.csv"):
        score = next((column for column in SCORES if row.get(column)), None)
        if row.get("train_loss") and score is not None:
            history.append({name: row[name] for name in ("predictor", "epoch", "train_loss", score)})
    scores = {column: label for column, label in SCORES.items() if any(column in row for row in history)}
    if not scores:
        return None
    drawing = drawings.training_figure(history, found.metrics.titles, found.metrics.kinds, scores)
    figure = picture(
        "training",
        drawing,
        "Left: training loss; right: the score on validation events that selects the weights. A row holds the networks"
        " of one score; hollow markers are parts of a generator.",
        "Curves of training loss and validation score against the epoch, a row a score.",
    )
    return Section("Training", "Losses of different models have different meanings: compare shapes only.", (figure,))
