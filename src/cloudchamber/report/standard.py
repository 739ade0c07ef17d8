"""The report of a study without sections of its own: comparison, predictions, training; of a validation, its checks."""

from __future__ import annotations

from html import escape
from pathlib import Path

from cloudchamber.report import figures
from cloudchamber.report.figures import picture
from cloudchamber.report.files import (
    TEST,
    Metrics,
    Scored,
    read_arrays,
    read_history,
    read_metrics,
    read_predictions,
    read_targets,
)
from cloudchamber.report.page import Section
from cloudchamber.report.tables import comparison_table
from cloudchamber.report.validation import check_sections, overview, read_validation


def standard_sections(run: Path) -> list[Section]:
    """Sections that any study of a regression or validation has, from its run directory; what is missing is left out.

    Args:
        run: the directory.

    Raises:
        BadInput: a file is malformed.
    """
    validation = read_validation(run / "metrics.json")
    if validation is not None:
        return [overview(validation), *check_sections(validation)]
    metrics = read_metrics(run / "metrics.json")
    training = training_section(run, metrics)
    test = read_predictions(run / "predictions.h5").get(TEST)
    targets, unit = read_targets(run / "predictions.h5")
    labels = [f"{name} [{unit}]" if unit else name for name in targets]
    sections = [*comparison_sections(metrics)]
    if test is not None and test.predictions:
        sections += prediction_sections(metrics, test, labels)
    sections += explanation_sections(run, metrics, labels[0] if labels else "the first target")
    return [*sections, *([] if training is None else [training])]


def comparison_sections(metrics: Metrics) -> list[Section]:
    """A table of all scores for each sample."""
    sections = []
    for sample in metrics.samples:
        pairs = dict.fromkeys((target, metric) for _, where, target, metric in metrics.scores if where == sample)
        columns = [(target, metric, f"{target}: {metric.replace('_', ' ')}") for target, metric in pairs]
        caption = "Errors: one standard error. The floor is what no skill gives."
        title = "Predictors compared" if sample == TEST else f"Predictors compared: {sample}"
        table = comparison_table(metrics, columns, caption, sample)
        sections.append(Section(title, f"Scores on the sample <i>{escape(sample)}</i>.", (), table))
    return sections


def prediction_sections(metrics: Metrics, test: Scored, labels: list[str]) -> list[Section]:
    """Predicted against true for each target, and coverage where uncertainties are stated."""
    drawn = tuple(
        picture(
            f"predicted_{column}",
            figures.predicted_against_true(
                test.truth, test.predictions, column, metrics.titles, metrics.kinds, label.replace("_", " ")
            ),
            f"Predicted against true {escape(label)} of the test records. On the line: right. Grey band: its"
            " root-mean-square error; bars: the uncertainty that the predictor states, if any.",
            f"Scatter plots of predicted against true {label}, a panel for each predictor.",
        )
        for column, label in enumerate(labels[: test.truth.shape[1]])
    )
    sections = [Section("Predicted against true", "Each point is a record that no predictor has seen.", drawn)]
    columns = list(range(min(len(labels), 3)))
    if columns and any(said.std is not None for said in test.predictions.values()):
        drawing = picture(
            "coverage",
            figures.coverage_curves(test.truth, test.predictions, columns, labels[:3], metrics.titles, metrics.kinds),
            "Fraction of true values within the stated interval against its probability (diagonal: right), and the"
            " error in units of the stated uncertainty (line: unit Gaussian).",
            "Coverage curves and distributions of pulls for the predictors that state uncertainties.",
        )
        sections.append(Section("Are the uncertainties true?", "Stated uncertainties against errors.", (drawing,)))
    return sections


def explanation_sections(run: Path, metrics: Metrics, label: str) -> list[Section]:
    """A section for each explanation that is curves: a ``position`` (bin,), and for each predictor one value a bin."""
    sections = []
    for path in sorted((run / "explanations").glob("*.h5")):
        values = read_arrays(path)
        position = values.pop("position", None)
        if position is None or any(one.shape != position.shape for one in values.values()):
            continue
        name = path.stem.replace("_", " ")
        drawing = picture(
            f"explanation_{path.stem}",
            figures.curves(position, values, metrics.titles, metrics.kinds, f"{name} on {label.replace('_', ' ')}"),
            f"How each bin of the inputs moves the prediction ({escape(name)}), mean over test records. Where two lines"
            " agree, both predictors use the data in the same way.",
            f"Lines of the {name} of every predictor against the bin of the inputs.",
        )
        sections.append(Section(f"What they look at: {name}", "The same question to every predictor.", (drawing,)))
    return sections


def training_section(run: Path, metrics: Metrics) -> Section | None:
    """Curves of the training."""
    curves = figures.regression_training(read_history(run / "history.csv"), metrics)
    if curves is None:
        return None
    drawing = picture(
        "training",
        curves[0],
        "Training loss, and the score on validation records that selects the weights; one line a network.",
        "Curves of training loss and validation score against the epoch.",
    )
    return Section("Training", "How the networks learned.", (drawing,))
