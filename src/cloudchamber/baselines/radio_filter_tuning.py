"""What the classical filters for radio pulses learn from training traces: powers, a template, thresholds.

Thresholds are those of the least mean squared error. Traces (trace, sample) in uV/m, powers (frequency,) as in
``radio_filters``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .radio_filters import (
    best_setting,
    filtered,
    hilbert_window,
    mean_power,
    noise_power_of,
    subtract_lines,
    tapered,
    wiener_gain,
)
from .radio_matched_filter import average_template, matched_pulse

LINE_THRESHOLDS = (6.0, 8.0, 10.0, 14.0, 20.0, 40.0)
"""Lower ones take noise for lines (7 of them in a trace at 4.5) and gain nothing behind the Wiener filter."""
MATCHED_THRESHOLDS = (0.0, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0)
WINDOWS = tuple((threshold, width) for threshold in (0.0, 3.0, 4.0, 5.0, 6.0, 8.0) for width in (4, 8, 12, 20, 40))


def tuned_filters(
    traces: NDArray[np.floating], signals: NDArray[np.floating], sampling: float, band: tuple[float, float]
) -> dict[str, NDArray[np.float64]]:
    """Everything that the filters learn from training traces: the settings of least mean squared error.

    Args:
        traces: what is measured (trace, sample).
        signals: pulses without noise (trace, sample).
        sampling: [MHz].
        band: where lines are looked for [MHz].

    Returns:
        ``signal_power`` and ``noise_power`` (frequency,), the latter of traces without lines; ``raw_noise_power`` with
        lines; ``template`` (sample,); ``line_threshold``, ``matched_threshold`` (); ``window`` (2,): threshold and
        width of ``hilbert_window`` behind the Wiener filter of the tapered trace.

    Raises:
        BadInput: no pulse.
    """
    template = average_template(signals)
    measured = np.asarray(traces, np.float64)
    signal_power = mean_power(signals)

    def smoothed(line_threshold: float) -> NDArray[np.float64]:
        """Behind the Wiener filter: lines alone would best be taken for everything that is not a pulse."""
        quiet, _ = subtract_lines(measured, sampling, band, line_threshold)
        return filtered(tapered(quiet), wiener_gain(signal_power, noise_power_of(quiet - signals)))

    threshold, _ = best_setting(LINE_THRESHOLDS, smoothed, signals)
    clean, _ = subtract_lines(measured, sampling, band, threshold)
    noise_power = noise_power_of(clean - signals)
    matched, _ = best_setting(MATCHED_THRESHOLDS, lambda t: matched_pulse(clean, template, noise_power, t), signals)
    smooth = filtered(tapered(clean), wiener_gain(signal_power, noise_power))
    window, _ = best_setting(WINDOWS, lambda w: hilbert_window(smooth, *w), signals)
    return {
        "signal_power": signal_power,
        "noise_power": noise_power,
        "raw_noise_power": noise_power_of(measured - signals),
        "template": template,
        "line_threshold": np.array(threshold),
        "matched_threshold": np.array(matched),
        "window": np.array(window),
    }
