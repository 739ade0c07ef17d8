"""What a pulse is, measured in the same way for every method: found or not, fluence, time of its maximum.

Every method answers with a waveform: filtered noise with a pulse in it, or the pulse alone. Its place is the maximum of
the Hilbert envelope. Its fluence is ``eps0 c dt sum E^2`` over a window around that place, minus what the noise has
there: the mean square away from the pulse. Calibration on validation traces, the same for every method, takes

* the window among WINDOWS whose fluence has the smallest spread,
* a factor on the fluence as a function of the fluence over that of the noise in the window (medians of FACTORS equal
  parts of the found pulses, straight lines between them in logarithms),
* the median error in time, the delay of a filter,
* the threshold of the score, which FALSE_ALARMS of the noise of the validation traces exceed.

Fields in uV/m, fluences in eV/m2, times in ns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.radio_traces import FLUENCE, MEASURED, PEAK_TIME, PULSE, SAMPLING, SNR, WAVEFORM, noise_of
from cloudchamber.data.samples import Inputs, Samples
from cloudchamber.simulators.airshower.radio_antenna import envelope, peak_time
from cloudchamber.simulators.airshower.radio_pulse import fluence

Values = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]

WINDOWS = (4, 6, 9, 13, 18)
"""Samples on either side of the maximum."""
GUARD = 30
"""Samples on either side of the maximum in which no noise is measured."""
FACTORS = 12
FALSE_ALARMS = 1e-3
"""Half of what is allowed (0.2 %), so that the threshold's own error does not break it."""
LEAST = 0.02
"""Of the noise's fluence in the window: what remains after the subtraction is at least this."""
LEAST_SNR = 1.0
"""Of the true pulses that calibrate: fainter ones have nothing that could be found."""
BATCH = 256
"""Traces that a method looks at at once."""


@dataclass(frozen=True)
class Measurement:
    """What waveforms show, before calibration.

    Attributes:
        score: maximum of the envelope over the noise (trace,).
        fluence: by window (trace, window), the noise subtracted, at least LEAST of it.
        noise: fluence of the noise in the windows (trace, window).
        time: of the maximum (trace,).
    """

    score: Doubles
    fluence: Doubles
    noise: Doubles
    time: Doubles


def measure(waveforms: Values, noise: Doubles | None = None) -> Measurement:
    """Look for the pulse in each waveform.

    Args:
        waveforms: (trace, sample).
        noise: root mean square (trace,) by which score and calibration are measured, where the waveform is the pulse
            alone, and nothing is subtracted. None: that of the waveform away from its maximum, which is subtracted.
    """
    values = np.asarray(waveforms, np.float64)
    height = envelope(values)
    peak = height.argmax(axis=1)
    off = np.abs(np.arange(values.shape[1]) - peak[:, None])
    away = off > GUARD
    level = (
        np.sqrt(np.where(away, values**2, 0).sum(axis=1) / np.maximum(away.sum(axis=1), 1)) if noise is None else noise
    )
    level = np.maximum(level, np.finfo(np.float32).tiny)
    inside = [off <= window for window in WINDOWS]
    energy = np.stack([fluence(np.where(one, values, 0), SAMPLING) for one in inside], axis=1)
    of_noise = np.stack([fluence(np.where(one, level[:, None], 0), SAMPLING) for one in inside], axis=1)
    rest = energy - of_noise if noise is None else energy
    return Measurement(
        height.max(axis=1) / level, np.maximum(rest, LEAST * of_noise), of_noise, peak_time(values, SAMPLING)
    )


Look = Callable[[Inputs], tuple[Values, Measurement]]
"""A method: inputs (trace, row, sample) to waveforms (trace, sample) and what they show."""


@dataclass(frozen=True)
class Calibration:
    """What validation traces say of a method; see the module.

    Attributes:
        threshold: of the score.
        window: number in WINDOWS.
        ratio: logarithms of fluence over that of the noise (knot,), ascending.
        factor: logarithms of the factors there (knot,).
        delay: median error in time.
    """

    threshold: float
    window: int
    ratio: list[float]
    factor: list[float]
    delay: float

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def corrected(self, found: Measurement) -> Doubles:
        """Calibrated fluences (trace,)."""
        raw = found.fluence[:, self.window]
        return raw * np.exp(np.interp(np.log(raw / found.noise[:, self.window]), self.ratio, self.factor))

    def answers(self, waveforms: Values, found: Measurement) -> NDArray[np.float32]:
        """The answers (trace, WAVEFORM + sample) of ``data.radio_traces``."""
        answers = np.full((len(waveforms), WAVEFORM + waveforms.shape[1]), np.nan)
        answers[:, PULSE] = np.log(found.score / self.threshold)
        answers[:, FLUENCE] = self.corrected(found)
        answers[:, PEAK_TIME] = found.time - self.delay
        answers[:, WAVEFORM:] = waveforms
        return answers.astype(np.float32)


def threshold(noise_scores: Values, alarms: float = FALSE_ALARMS) -> float:
    """The score that so many scores of noise exceed.

    Beyond what is counted (ten scores), an exponential tail through the highest five per cent.

    Args:
        noise_scores: of traces without a pulse (trace,).
        alarms: part of them above the threshold.

    Examples:
        >>> round(threshold(np.linspace(0, 1, 100_001), 0.01), 3)
        0.99
    """
    scores = np.sort(np.asarray(noise_scores, np.float64))
    if alarms * len(scores) >= 10:
        return float(np.quantile(scores, 1 - alarms))
    part = max(0.05, min(10 / len(scores), 0.5))
    start = np.quantile(scores, 1 - part)
    tail = scores[scores >= start] - start
    return float(start + tail.mean() * np.log(part / min(alarms, part)))


def calibrate(found: Measurement, truth: Values, noise: Values) -> Calibration:
    """Calibration from validation traces.

    Args:
        found: in the validation traces.
        truth: their answers (trace, column).
        noise: scores of the same traces' noise alone (trace,), or of any other noise.
    """
    limit = threshold(noise)
    pulses = (truth[:, PULSE] > 0) & (truth[:, SNR] > LEAST_SNR)
    used = pulses & (found.score > limit)
    if used.sum() < 2 * FACTORS:
        used = pulses
    if not used.any():
        return Calibration(limit, len(WINDOWS) // 2, [0.0], [0.0], 0.0)
    options = [_factors(found, truth[:, FLUENCE], used, window) for window in range(len(WINDOWS))]
    window = int(np.argmin([spread for *_, spread in options]))
    ratio, factor, _ = options[window]
    delay = float(np.median(found.time[used] - truth[used, PEAK_TIME]))
    return Calibration(limit, window, ratio.tolist(), factor.tolist(), delay)


def _factors(found: Measurement, truth: Values, used: NDArray[np.bool_], window: int) -> tuple[Doubles, Doubles, float]:
    """Knots and factors of a window, and half of the central 68 % of calibrated over true fluence."""
    raw = found.fluence[used, window]
    ratio, missing = np.log(raw / found.noise[used, window]), np.log(truth[used] / raw)
    parts = np.array_split(np.argsort(ratio, kind="stable"), max(min(FACTORS, len(raw) // 8), 1))
    knots = np.array([np.median(ratio[part]) for part in parts])
    factors = np.array([np.median(missing[part]) for part in parts])
    quotient = np.exp(np.interp(ratio, knots, factors) - missing)
    low, high = np.quantile(quotient, (0.1587, 0.8413))
    return knots, factors, float(high - low) / 2


def restored(state: Mapping[str, Any]) -> Calibration:
    """The calibration that ``Calibration.plain`` gave."""
    return Calibration(**state)


def calibrated(look: Look, validation: Samples) -> Calibration:
    """The calibration of a method: it looks at validation traces, and at their noise alone for the threshold.

    Args:
        look: inputs (trace, row, sample) to waveforms (trace, sample) and what they show.
        validation: samples whose signal is known.
    """
    found: list[Measurement] = []
    noise: list[Doubles] = []
    for part in np.array_split(np.arange(len(validation)), max(len(validation) // BATCH, 1)):
        inputs = validation.inputs(part)
        found.append(look(inputs)[1])
        alone = inputs.copy()
        alone[:, MEASURED] = noise_of(inputs)
        noise.append(look(alone)[1].score)
    names = [one.name for one in fields(Measurement)]
    whole = Measurement(**{name: np.concatenate([getattr(one, name) for one in found]) for name in names})
    return calibrate(whole, validation.targets, np.concatenate(noise))
