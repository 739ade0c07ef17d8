"""What came out of radio-denoising: demands, energies, finding, time and spectrum, further data, training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cloudchamber.data.radio_traces import PULSE, SNR, WAVEFORM
from cloudchamber.metrics.radio import STRONG, coherence_curve, spectra
from cloudchamber.report import radio_figures as drawings
from cloudchamber.report.figures import picture, training_curves
from cloudchamber.report.files import TEST, Score, read_history
from cloudchamber.report.page import Figure, Section, Table
from cloudchamber.report.radio_run import (
    BOUND,
    CLASSIFIER,
    DENOISER,
    LEAST_EFFICIENCY,
    MOST_BIAS,
    MOST_FALSE,
    MOST_RESOLUTION,
    NOISE,
    Found,
)
from cloudchamber.report.tables import Column, Distance, Rules, comparison_table, distance
from cloudchamber.report.words import items, percent, said

SMALL = ("resolution", "false_positive_rate", "left_on_noise")
LARGE = ("efficiency", "coherence", "auc")


def order(metric: str) -> Distance | None:
    """What is smallest for the best value of a metric of this study."""
    if metric.startswith("bias"):
        return abs
    if metric.startswith(SMALL):
        return lambda value: value
    return (lambda value: -value) if metric.startswith(LARGE) else distance(metric)


RULES = Rules(distance=order, floors_compete=False)

COLUMNS: list[Column] = [
    ("fluence", "bias", "energy bias"),
    ("fluence", "resolution", "energy resolution"),
    ("fluence", "bias_found", "bias, found"),
    ("fluence", "resolution_found", "resolution, found"),
    ("pulse", "efficiency", "pulses found"),
    ("pulse", "false_positive_rate", "false pulses"),
    ("signal", "coherence", "coherence"),
    ("peak_time", "resolution", "peak time"),
]


def summary(found: Found) -> Section:
    """Whether what is demanded for SNR above 3 is met, and everybody's numbers."""
    table = comparison_table(
        found.metrics, COLUMNS,
        "Pulses of SNR above 3 in the test split. Energy: median of recovered over true fluence minus 1 (bias), half of"
        " its central 68 % (resolution), of all pulses, and of those that a method finds itself, which are other ones"
        " for each. Found, false: parts of traces with and without a pulse in which a method finds one. Coherence of"
        " spectra, 30 to 80 MHz; peak time: half of the central 68 % of the error. The matched filter with the true"
        " pulse is a bound: nobody else knows what it is told, and the steps in which it looks for the time contain the"
        " true one exactly. Errors: bootstrap over traces, binomial for parts.",
        rules=RULES,
    )  # fmt: skip
    return Section("What came out", items([*energy_lines(found), *finding_lines(found)]), (), table)


def verdict(met: bool) -> str:
    """In words."""
    return "met" if met else "<b>not met</b>"


def energy_lines(found: Found) -> list[str]:
    """Bias and resolution of the denoiser against what is demanded, and against the baselines."""
    bias, width = (found.metrics.score(DENOISER, "fluence", one) for one in ("bias", "resolution"))
    if bias is None or width is None:
        return ["The denoiser finds too few pulses of SNR above 3 in this run for any statement on energies."]
    lines = [
        said_demand("Energy bias of the denoiser", bias, f"within {100 * MOST_BIAS:g} %", abs(bias.value) < MOST_BIAS),
        said_demand(
            "Energy resolution of the denoiser", width, f"below {100 * MOST_RESOLUTION:g} %",
            width.value < MOST_RESOLUTION,
        ),
    ]  # fmt: skip
    scores = {name: found.metrics.score(name, "fluence", "resolution") for name in (*found.rivals, BOUND)}
    known = {name: score for name, score in scores.items() if score is not None and name != BOUND}
    if known:
        best = min(known, key=lambda name: known[name].value)
        text = f"The best baseline, {found.metrics.title(best)}, resolves {percent(known[best])}"
        text += f": better than every baseline: {verdict(width.value < known[best].value)}"
        bound = scores[BOUND]
        lines.append(f"{text}; the bound, {percent(bound)}." if bound else f"{text}.")
    return lines


def said_demand(what: str, score: Score, demand: str, met: bool) -> str:
    """A number for SNR above 3, what is demanded of it, and whether it is so."""
    return f"{what}, SNR above 3: {percent(score)} (demanded: {demand}): {verdict(met)}."


def finding_lines(found: Found) -> list[str]:
    """Efficiency and false positives of the networks."""
    lines = []
    for name in (CLASSIFIER, DENOISER):
        efficiency = found.metrics.score(name, "pulse", "efficiency")
        sample = NOISE if NOISE in found.metrics.samples else TEST
        false = found.metrics.score(name, "pulse", "false_positive_rate", sample)
        if efficiency is None or false is None:
            continue
        met = efficiency.value >= LEAST_EFFICIENCY and false.value < MOST_FALSE
        lines.append(
            f"{found.metrics.title(name)}: finds {percent(efficiency)} of the pulses of SNR above 3, and a false one in"
            f" {percent(false)} of {false.n} traces without any (demanded: {100 * LEAST_EFFICIENCY:g} % at less than"
            f" {100 * MOST_FALSE:g} %): {verdict(met)}."
        )
    return lines


def energy_section(found: Found) -> Section | None:
    """Bias and resolution against the SNR."""
    names = {name: kind for name, kind in found.metrics.kinds.items() if name != CLASSIFIER}
    panels = []
    for ending, whose in (("", "all pulses"), ("_found", "found pulses")):
        for metric, span, demand in (("bias", (-0.8, 1.5), 0.0), ("resolution", (0.01, 3.0), MOST_RESOLUTION)):
            curves = found.by_snr("fluence", metric, names, ending)
            if curves:
                panels.append((f"energy {metric}, {whose}", curves, span, demand, metric == "resolution"))
    if not panels:
        return None
    drawing = drawings.snr_figure(panels, found.metrics.titles, found.metrics.kinds)
    return Section(
        "How well is the energy known?",
        "The fluence of a recovered waveform is that in a window around the maximum of its envelope, minus that of the"
        " noise there, times a factor that depends on their ratio: the same procedure for every method, calibrated on"
        " validation traces. A calibration by what is measured cannot be right in every bin of the true SNR: where the"
        " noise is as loud as the pulse, pulses that fluctuated upwards are found, and the rest is drawn to the mean.",
        (
            picture(
                "energy", drawing,
                "Bias (median of recovered over true fluence, minus 1) and resolution (half of the central 68 %) in"
                " bins of the signal-to-noise ratio, of the pulses that a method finds and of all. Shaded: SNR below"
                " 3, for which nothing is demanded; dashed: no bias, and the resolution that is demanded on average"
                " above 3.",
                "Curves of energy bias and energy resolution against the signal-to-noise ratio for every method.",
            ),
        ),
    )  # fmt: skip


def finding_section(found: Found) -> Section | None:
    """Efficiency against SNR and ROC curves, false pulses on noise."""
    drawn: list[Figure] = []
    curves = found.by_snr("pulse", "efficiency", found.metrics.kinds)
    if curves:
        drawing = drawings.snr_figure(
            [("pulses found", curves, (0.0, 1.02), LEAST_EFFICIENCY, False)], found.metrics.titles, found.metrics.kinds
        )
        drawn.append(
            picture(
                "efficiency", drawing,
                "Part of the pulses that each method finds with its own threshold, which 0.1 % of the noise of the"
                " validation traces exceed, against the signal-to-noise ratio.",
                "Curves of the part of pulses found against the signal-to-noise ratio for every method.",
            )
        )  # fmt: skip
    test, noise = found.scored.get(TEST), found.scored.get(NOISE)
    if test is not None and (test.truth[:, PULSE] > 0).any():
        parts = [test] if noise is None else [test, noise]
        truth = np.concatenate([part.truth[:, [PULSE, SNR]] for part in parts])
        scores = {
            name: np.concatenate([part.predictions[name].mean[:, PULSE] for part in parts])
            for name in test.predictions
            if all(name in part.predictions for part in parts)
        }
        if (truth[:, 0] == 0).any():
            drawn.append(
                picture(
                    "roc",
                    drawings.roc_figure(
                        truth[:, 0], scores, truth[:, 1], found.metrics.titles, found.metrics.kinds, MOST_FALSE
                    ),
                    "Pulses found against noise traces with a false pulse, for all thresholds (test split, with the"
                    " further noise traces). Points: each method's own threshold, from validation traces; dashed: the"
                    " false pulses that are allowed.",
                    "ROC curves of every method for pulses of two ranges of the signal-to-noise ratio.",
                )
            )  # fmt: skip
    if not drawn:
        return None
    return Section(
        "Found, missed, made up",
        "A method says that there is a pulse where its score exceeds a threshold that it has from validation traces:"
        " 0.1 % of their noise is above, half of what is allowed, so that the threshold's own error does not break it.",
        tuple(drawn), false_table(found),
    )  # fmt: skip


def false_table(found: Found) -> Table | None:
    """False pulses of every method in every sample, and what it leaves of noise."""
    rows = []
    measured = {sample for _, sample, _, metric in found.metrics.scores if metric == "false_positive_rate"}
    samples = [sample for sample in found.metrics.samples if sample in measured]
    for name, title in found.metrics.titles.items():
        scores = [found.metrics.score(name, "pulse", "false_positive_rate", sample) for sample in samples]
        left = found.metrics.score(name, "signal", "left_on_noise")
        rows.append((title, *(said(score, 100) for score in scores), said(left)))
    heads = ["test split" if sample == TEST else found.worlds.get(sample, sample) for sample in samples]
    return Table(
        ("method", *(f"false: {head} [%]" for head in heads), "left on noise [eV/m²]"), tuple(rows),
        "Noise traces with a false pulse, in per cent, and the mean fluence of what is returned for a noise trace of"
        " the test split, over its 2.8 µs.",
    ) if rows and samples else None  # fmt: skip


def shape_section(found: Found) -> Section | None:
    """Coherence and peak time."""
    names = {name: kind for name, kind in found.metrics.kinds.items() if name != CLASSIFIER}
    panels = [
        ("coherence, 30 to 80 MHz", found.by_snr("signal", "coherence", names), (0.0, 1.01), None, False),
        (
            "error of the peak time [ns]",
            found.by_snr("peak_time", "resolution", names),
            (0.01, 2000.0),
            None,
            True,
        ),
    ]
    kept = [panel for panel in panels if panel[1]]
    if not kept:
        return None
    drawn = [
        picture(
            "shape", drawings.snr_figure(kept, found.metrics.titles, found.metrics.kinds),
            "Magnitude-squared coherence of true and recovered spectra, averaged over the band, and half of the central"
            " 68 % of the error of the envelope's maximum, of all pulses. A sample is 5.6 ns; the bound's steps of time"
            " contain the true one, so that it has no error where it finds the pulse.",
            "Curves of spectral coherence and of the resolution of the peak time against the signal-to-noise ratio.",
        )
    ]  # fmt: skip
    curve = coherence_figure(found, names)
    return Section(
        "Is it the same pulse?",
        "Coherence is 1 where recovered and true spectrum differ by the same complex factor in all pulses, and 0 where"
        " their phases have nothing in common.",
        (*drawn, *([] if curve is None else [curve])),
    )


def coherence_figure(found: Found, names: dict[str, str]) -> Figure | None:
    """Coherence against frequency, for two ranges of SNR."""
    test = found.scored.get(TEST)
    if test is None:
        return None
    frequency, _ = spectra(test.truth[:1, WAVEFORM:])
    panels = []
    for low, high in ((2.0, STRONG), (STRONG, np.inf)):
        chosen = (test.truth[:, PULSE] > 0) & (test.truth[:, SNR] >= low) & (test.truth[:, SNR] < high)
        curves = {}
        for name in names:
            if name in test.predictions and chosen.sum() >= 20:
                said_pulses = test.predictions[name].mean[chosen, WAVEFORM:]
                if np.isfinite(said_pulses).all():
                    curves[name] = coherence_curve(test.truth[chosen, WAVEFORM:], said_pulses)
        if curves:
            title = f"SNR {low:g} to {high:g}" if np.isfinite(high) else f"SNR above {low:g}"
            panels.append((f"{title}, all pulses", "coherence", curves, (0.0, 1.02)))
    if not panels:
        return None
    return picture(
        "coherence", drawings.spectrum_figure(panels, frequency, found.metrics.titles, found.metrics.kinds),
        "Magnitude-squared coherence of true and recovered spectra against frequency, all pulses, found or not.",
        "Curves of the coherence against frequency for every method, for faint and for strong pulses.",
    )  # fmt: skip


def worlds_section(found: Found) -> Section | None:
    """The same methods in other noise."""
    worlds = [name for name in found.worlds if name != NOISE]
    rows, columns = (
        [],
        [("fluence", "bias"), ("fluence", "resolution"), ("pulse", "efficiency")],
    )
    for name, title in found.metrics.titles.items():
        cells = [
            said(found.metrics.score(name, target, metric, world), 100)
            for world in (TEST, *worlds)
            for target, metric in columns
        ]
        rows.append((title, *cells))
    if not worlds:
        return None
    heads = [f"{head}: {what}" for head in ("test", *(found.worlds[world] for world in worlds))
             for what in ("bias", "resolution", "found")]  # fmt: skip
    table = Table(
        ("method", *heads), tuple(rows),
        "In per cent, for SNR above 3, of all pulses; thresholds and calibrations are those of the training's noise.",
    )  # fmt: skip
    return Section(
        "Other noise than in training",
        "Nothing is learned or calibrated again: the methods meet noise that they were not made for.", (), table,
    )  # fmt: skip


def training_section(found: Found, run: Path) -> Section | None:
    """How the networks learned."""
    history = read_history(run / "history.csv")
    drawn = []
    for name, column, label in (
        (DENOISER, "energy_resolution", "energy resolution (validation)"),
        (CLASSIFIER, "missed_pulses", "part of pulses missed (validation)"),
    ):
        rows = [row for row in history if row.get("predictor") == name and row.get(column)]
        if rows:
            drawn.append(
                picture(
                    f"training_{name}",
                    training_curves(rows, found.metrics.titles, found.metrics.kinds, column, label),
                    f"{found.metrics.title(name)}: training loss, and the number on validation traces that selects"
                    " the weights (pulses of SNR above 3).",
                    f"Curves of training loss and of the {label} against the epoch.",
                )
            )
    if not drawn:
        return None
    return Section(
        "Training",
        "Every epoch shows the pulses in the noise of other traces. The weights are those of the epoch that is best by"
        " what is wanted, not by the loss.",
        tuple(drawn),
    )


def data_text(found: Found) -> str:
    """What a trace is."""
    config = found.config
    return (
        "A trace is one polarisation of one antenna: 500 samples at 180 MHz, from 30 to 80 MHz, in"
        f" {100 * config.pulse_fraction:g} % of the traces with the pulse of a shower, whose signal-to-noise ratio"
        f" (largest absolute value over the root mean square of the noise) is log-uniform from {config.snr_min:g} to"
        f" {config.snr_max:g}. Noise: the Galaxy and the electronics, up to {config.lines_max} transmitters,"
        f" {config.burst_rate:g} sparks on average, and the digitiser."
    )


def snr_word(snr: float) -> str:
    """Heading of an example."""
    return f"SNR {snr:.1f}" if snr > 0 else "no pulse"
