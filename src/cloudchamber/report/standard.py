"""The report of a study without sections of its own: training, comparison, predicted against true, uncertainties."""

from __future__ import annotations

from html import escape
from pathlib import Path

from cloudchamber.report import figures
from cloudchamber.report.figures import picture
from cloudchamber.report.files import TEST, read_history, read_metrics, read_predictions, read_targets
from cloudchamber.report.page import Section


def standard_sections(run: Path) -> list[Section]:
    """Sections that any study of a regression has, from its run directory; what is missing is left out.

    Args:
        run: the directory.

    Raises:
        BadInput: a file is malformed.
    """
    metrics = read_metrics(run / "metrics.json")
    history = read_history(run / "history.csv")
    test = read_predictions(run / "predictions.h5").get(TEST)
    targets, unit = read_targets(run / "predictions.h5")
    labels = [f"{name} [{unit}]" if unit else name for name in targets]
    sections = []
    for sample in metrics.samples:
        pairs = dict.fromkeys((target, metric) for _, where, target, metric in metrics.scores if where == sample)
        columns = [(target, metric, f"{target}: {metric.replace('_', ' ')}") for target, metric in pairs]
        caption = "Errors: one standard error. The floor is what no skill gives."
        title = "Predictors compared" if sample == TEST else f"Predictors compared: {sample}"
        table = figures.comparison_table(metrics, columns, caption, sample)
        sections.append(Section(title, f"Scores on the sample <i>{escape(sample)}</i>.", (), table))
    if test is not None and test.predictions:
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
        sections.append(Section("Predicted against true", "Each point is a record that no predictor has seen.", drawn))
        columns_shown = list(range(min(len(labels), 3)))
        if columns_shown and any(said.std is not None for said in test.predictions.values()):
            curves = figures.coverage_curves(
                test.truth, test.predictions, columns_shown, labels[:3], metrics.titles, metrics.kinds
            )
            drawing = picture(
                "coverage",
                curves,
                "Fraction of true values within the stated interval against its probability (diagonal: right), and the"
                " error in units of the stated uncertainty (line: unit Gaussian).",
                "Coverage curves and distributions of pulls for the predictors that state uncertainties.",
            )
            sections.append(Section("Are the uncertainties true?", "Stated uncertainties against errors.", (drawing,)))
    if any(row.get("predictor") for row in history):
        relative = any(row.get("relative_mae") for row in history)
        score = "relative_mae" if relative else "validation_score"
        label = "validation MAE / MAE of the mean" if relative else "validation score"
        curves = figures.training_curves(history, metrics.titles, metrics.kinds, score, label, logarithmic=relative)
        drawing = picture(
            "training",
            curves,
            "Training loss, and the score on validation records that selects the weights; one line a network.",
            "Curves of training loss and validation score against the epoch.",
        )
        sections.append(Section("Training", "How the networks learned.", (drawing,)))
    return sections
