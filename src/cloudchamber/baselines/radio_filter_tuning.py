"""What the classical filters for radio pulses learn from training traces: powers, a template, a threshold, a width.

Threshold and width are those of the least mean squared error. Traces (trace, sample) in uV/m, powers (frequency,) as in
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
from .radio_matched_filter import average_template

LINE_THRESHOLDS = (6.0, 8.0, 10.0, 14.0, 20.0, 40.0)
"""Lower ones take noise for lines (7 of them in a trace at 4.5) and gain nothing behind the Wiener filter."""
WIDTHS = (4, 8, 12, 20, 40)
"""Samples on each side of the maximum of the Hilbert envelope."""


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
        ``signal_power`` and ``noise_power`` (frequency,), the latter of traces without lines; ``template`` (sample,);
        ``line_threshold`` (); ``width`` () of ``hilbert_window`` behind the Wiener filter of the tapered trace.

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
    smooth = filtered(tapered(clean), wiener_gain(signal_power, noise_power))
    width, _ = best_setting(WIDTHS, lambda w: hilbert_window(smooth, w), signals)
    return {
        "signal_power": signal_power,
        "noise_power": noise_power,
        "template": template,
        "line_threshold": np.array(threshold),
        "width": np.array(width),
    }
