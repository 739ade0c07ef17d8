"""What methods do to a trace: examples, transfer functions, what is taken for a pulse, what the classifier looks at."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cloudchamber.report import radio_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.page import Section
from cloudchamber.report.radio_results import data_text, snr_word
from cloudchamber.report.radio_run import CLASSIFIER, DENOISER, Found, Values
from cloudchamber.report.words import plus_minus

SHOWN = (DENOISER, "wiener", "matched")
"""Methods whose waveforms are drawn."""
FILTERS = ("band_pass", "notch", "wiener", DENOISER)
"""Methods with a transfer function."""


def data_section(found: Found, examples: Mapping[str, Values]) -> Section | None:
    """Traces: measured, true, recovered."""
    if "measured" not in examples or not len(examples["measured"]):
        return None
    waveforms = {name: examples[f"waveform_{name}"] for name in SHOWN if f"waveform_{name}" in examples}
    headings = [snr_word(float(snr)) for snr in examples["snr"]]
    return Section(
        "The data",
        data_text(found),
        (
            picture(
                "traces",
                drawings.traces_figure(
                    examples["measured"],
                    examples["signal"],
                    waveforms,
                    found.metrics.titles,
                    found.metrics.kinds,
                    headings,
                ),
                "Test traces, from faint to strong pulses, and one without. Left: the whole trace, measured (grey)"
                " and true (black); middle: the 280 ns around the pulse, with what methods recover; right: the"
                " amplitude spectra of the whole traces.",
                "Rows of three panels: a radio trace, its pulse with recovered waveforms, and their spectra.",
            ),
        ),
    )


def transfer_section(found: Found, transfer: Mapping[str, Values]) -> Section | None:
    """Gain on pulses and on noise against frequency."""
    names = [name for name in FILTERS if f"pulse_{name}" in transfer]
    if not names:
        return None
    pulse = {one: transfer[f"pulse_{one}"] for one in names}
    noise = {one: np.maximum(transfer[f"noise_{one}"], 1e-5) for one in names}
    panels = [
        ("what is left of pulses, SNR above 3", "gain on the pulse", pulse, (0.0, 1.1)),
        ("what is left of noise alone", "gain on noise", noise, None),
    ]
    return Section(
        "What comes through",
        "A linear filter treats pulses and noise alike: what it takes from the one it takes from the other. A network"
        " may pass the pulse and stop the noise at the same frequency, because it knows them apart by time and phase.",
        (
            picture(
                "transfer",
                drawings.spectrum_figure(panels, transfer["frequency"], found.metrics.titles, found.metrics.kinds),
                "Left: part of the true pulse in the recovered one, abs(ΣS*R)/Σabs(S)², in test pulses of SNR above 3."
                " Right: root of the power that is returned over the power of traces without a pulse. Dotted: the"
                " band.",
                "Curves of the gain of filters and of the denoiser against frequency, on pulses and on noise.",
            ),
        ),
    )


def disturbance_section(found: Found, arrays: Mapping[str, Values]) -> Section | None:
    """What is taken for a pulse."""
    kinds = ("pulse", "spark", "transmitter", "single sample")
    by_kind = {
        kind: {name: arrays[f"{kind}_{name}"] for name in found.metrics.kinds if f"{kind}_{name}" in arrays}
        for kind in kinds
    }
    by_kind = {kind: curves for kind, curves in by_kind.items() if curves}
    if not by_kind:
        return None
    return Section(
        "What is taken for a pulse",
        "To noise that has little in it (the half of the noise traces with the smallest crest factors) something is"
        " added: pulses of showers; sparks, which ring longer at one frequency; transmitters that stay on; a single"
        " wrong sample before the filter. A method should find the first and nothing else. The matched filter that"
        " knows its template is told the shape of what is added, whatever it is.",
        (
            picture(
                "disturbances",
                drawings.disturbance_figure(arrays["snr"], by_kind, found.metrics.titles, found.metrics.kinds),
                f"Part of the traces in which each method finds a pulse, against the height of what is added"
                f" ({int(arrays['trials'])} traces a point).",
                "Curves of how often a pulse is found against the height of pulses, sparks, transmitters and single"
                " samples.",
            ),
        ),
    )


def relevance_section(arrays: Mapping[str, Values]) -> Section | None:
    """What the classifier looks at."""
    if f"time_{CLASSIFIER}" not in arrays:
        return None
    near, random = arrays[f"near_{CLASSIFIER}"], arrays[f"near_random_{CLASSIFIER}"]
    text = (
        "Relevance is gradient times input of the log-odds: how much each sample, or each frequency, speaks for a"
        f" pulse. Within 0.22 µs of the pulse lies {_mean(near)} of the absolute relevance ({_mean(random)} with"
        f" random weights, {float(arrays['chance']):.2f} if it were spread evenly)."
    )
    return Section(
        "What the classifier looks at",
        text,
        (
            picture(
                "relevance",
                drawings.relevance_figure(
                    arrays["time"], arrays["frequency"],
                    (arrays[f"time_{CLASSIFIER}"], arrays[f"frequency_{CLASSIFIER}"]),
                    (arrays[f"time_random_{CLASSIFIER}"], arrays[f"frequency_random_{CLASSIFIER}"]),
                ),
                "Mean relevance of test pulses of SNR above 3, around the true time of the pulse and against"
                " frequency, as part of the mean sum of absolute values; beside it that of the same network with"
                " random weights.",
                "Curves of the relevance in time and in frequency, for the trained classifier and for random weights.",
            ),
        ),
    )  # fmt: skip


def _mean(values: Values) -> str:
    return plus_minus(float(values.mean()), float(values.std() / max(len(values) - 1, 1) ** 0.5))
