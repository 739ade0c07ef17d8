"""Classical filters (``radio_filters``, ``radio_matched_filter``) as predictors that find and measure radio pulses.

All learn from the same training traces (powers, the average pulse, thresholds; the first LEARNED of them are enough)
and are calibrated on validation traces as every method is (``metrics.radio_pulses``). Transmitters are subtracted
before the Wiener filter, the Hilbert envelope and the matched filters. Their directories hold ``filters.npz`` and
``calibration.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloudchamber.baselines.files import load_arrays, save_arrays
from cloudchamber.baselines.radio_filter_tuning import tuned_filters
from cloudchamber.baselines.radio_filters import (
    band_pass,
    envelope_statistic,
    filtered,
    hilbert_window,
    notch,
    subtract_lines,
    tapered,
    wiener_gain,
)
from cloudchamber.baselines.radio_matched_filter import matched_pulse, matched_statistic
from cloudchamber.data.files import write_text
from cloudchamber.data.radio_traces import MEASURED, SAMPLING, TRUE
from cloudchamber.data.samples import Inputs, Prediction, Samples
from cloudchamber.metrics.radio_pulses import Calibration, Measurement, calibrated, measure, restored
from cloudchamber.schema import Arrays, BadInput
from cloudchamber.simulators.airshower.radio_pulse import BAND

Doubles = NDArray[np.float64]
Found = tuple[Doubles, Measurement]
"""Waveforms (trace, sample), and what they show."""

LEARNED = 3000
"""Training traces that are enough for what filters learn."""


def as_measured(inputs: Inputs, tuned: Arrays) -> Found:  # noqa: ARG001
    """The trace as it is."""
    waveforms = inputs[:, MEASURED].astype(np.float64)
    return waveforms, measure(waveforms)


def band_passed(inputs: Inputs, tuned: Arrays) -> Found:  # noqa: ARG001
    """The trace between 30 and 80 MHz."""
    waveforms = band_pass(inputs[:, MEASURED], SAMPLING, BAND)
    return waveforms, measure(waveforms)


def notched(inputs: Inputs, tuned: Arrays) -> Found:
    """The trace without the frequencies that stand out."""
    waveforms = notch(inputs[:, MEASURED], SAMPLING, BAND, float(tuned["line_threshold"]))
    return waveforms, measure(waveforms)


def without_lines(inputs: Inputs, tuned: Arrays) -> Doubles:
    """The trace (trace, sample) after its transmitters were fitted and subtracted."""
    return subtract_lines(inputs[:, MEASURED], SAMPLING, BAND, float(tuned["line_threshold"]))[0]


def wiener_filtered(inputs: Inputs, tuned: Arrays) -> Found:
    """The Wiener filter."""
    waveforms = _smoothed(inputs, tuned)
    return waveforms, measure(waveforms)


def enveloped(inputs: Inputs, tuned: Arrays) -> Found:
    """What the Wiener filter leaves around the maximum of the Hilbert envelope; score: that maximum over the median."""
    smooth = _smoothed(inputs, tuned)
    found = replace(measure(smooth), score=envelope_statistic(smooth))
    return hilbert_window(smooth, int(tuned["width"])), found


def _smoothed(inputs: Inputs, tuned: Arrays) -> Doubles:
    gain = wiener_gain(tuned["signal_power"], tuned["noise_power"])
    return filtered(tapered(without_lines(inputs, tuned)), gain)


def matched(inputs: Inputs, tuned: Arrays) -> Found:
    """The matched filter with the average pulse; what it returns holds no noise of its own."""
    return _matched(without_lines(inputs, tuned), tuned["template"], tuned)


def matched_to_truth(inputs: Inputs, tuned: Arrays) -> Found:
    """The matched filter with the true pulse of each trace, the average pulse where there is none.

    Raises:
        BadInput: nobody knows the truth of these traces.
    """
    truth = inputs[:, TRUE].astype(np.float64)
    if not np.isfinite(truth).all():
        raise BadInput("it needs the true pulse of every trace, which only a simulation knows")
    templates = np.where(truth.any(axis=1, keepdims=True), truth, tuned["template"])
    return _matched(without_lines(inputs, tuned), templates, tuned)


def _matched(traces: Doubles, templates: Doubles, tuned: Arrays) -> Found:
    noise = tuned["noise_power"]
    waveforms = matched_pulse(traces, templates, noise)
    level = np.sqrt(np.square(traces).mean(axis=1))
    return waveforms, replace(measure(waveforms, level), score=matched_statistic(traces, templates, noise))


@dataclass(eq=False)
class Tuning:
    """What filters learn from training traces, worked out once for all that share it."""

    state: Arrays = field(default_factory=dict)

    def of(self, train: Samples) -> Arrays:
        """Powers, average pulse and thresholds; see ``radio_filter_tuning.tuned_filters``."""
        if not self.state:
            inputs = train.inputs(np.arange(min(len(train), LEARNED)))
            self.state = tuned_filters(inputs[:, MEASURED], inputs[:, TRUE], SAMPLING, BAND)
        return self.state


@dataclass(eq=False)
class PulseFinder:
    """A filter as a predictor (see ``study.Predictor``).

    Args:
        title: for tables.
        method: inputs (trace, row, sample) and what filters learn to waveforms and what they show.
        tuning: shared by all filters of a run.
        kind: ``"baseline"`` or ``"floor"``.
    """

    title: str
    method: Callable[[Inputs, Arrays], Found]
    tuning: Tuning
    kind: str = "baseline"
    tuned: Arrays = field(init=False, default_factory=dict)
    calibration: Calibration | None = field(init=False, default=None)

    def fit(self, train: Samples, validation: Samples, directory: Path) -> None:
        """Learn powers and thresholds, and calibrate.

        Raises:
            BadInput: no pulse in the training traces.
        """
        self.tuned = self.tuning.of(train)
        self.calibration = calibrated(self._look, validation)
        save_arrays(directory / "filters.npz", self.tuned)
        write_text(directory / "calibration.json", json.dumps(self.calibration.plain(), indent=1) + "\n")

    def restore(self, directory: Path) -> None:
        """Read what ``fit`` left in ``directory``.

        Raises:
            BadInput: it is not there.
        """
        self.tuned = load_arrays(directory / "filters.npz")
        try:
            self.calibration = restored(json.loads((directory / "calibration.json").read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise BadInput(f"{directory} holds no fitted filter ({error}): fit it again") from None

    def _look(self, inputs: Inputs) -> Found:
        return self.method(inputs, self.tuned)

    def predict(self, inputs: Inputs) -> Prediction:
        """The answers (trace, column) of ``data.radio_traces`` for inputs (trace, row, sample)."""
        assert self.calibration is not None
        return Prediction(self.calibration.answers(*self._look(inputs)))


def pulse_finders() -> dict[str, PulseFinder]:
    """The floor and all filters by name, in the order of tables; the last is the bound."""
    tuning = Tuning()
    methods: dict[str, tuple[str, Callable[[Inputs, Arrays], Found]]] = {
        "band_pass": ("band-pass", band_passed),
        "notch": ("notch filter", notched),
        "wiener": ("Wiener filter", wiener_filtered),
        "hilbert": ("Hilbert envelope", enveloped),
        "matched": ("matched filter, average pulse", matched),
        "matched_true": ("matched filter, true pulse (bound)", matched_to_truth),
    }
    finders = {"trace": PulseFinder("the trace as measured", as_measured, tuning, "floor")}
    return finders | {name: PulseFinder(title, method, tuning) for name, (title, method) in methods.items()}
