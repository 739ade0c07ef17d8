"""How well radio pulses are found and recovered, by signal-to-noise ratio: rows of metrics.json.

Conventions: truth and answers are (trace, column) as in ``data.radio_traces``; SNR is that of the truth. A pulse is
found where the score is positive, that is above the threshold that a method has from validation traces. With the
fluence ratio r, recovered over true,

* ``bias`` is median(r) - 1,
* ``resolution`` is half the distance between the quantiles of r at 15.87 % and 84.13 %,

of all pulses, also where the method would have said that there is none, so that methods are compared on the same
pulses; and of those that the method itself finds (``bias_found``, ``resolution_found``), which are other ones for each.
``coherence`` is the magnitude-squared coherence ``abs(sum S* R)^2 / (sum abs(S)^2 sum abs(R)^2)`` of true and recovered
spectra, both sums over all pulses, each with the same true energy, averaged over 30 to 80 MHz. The residual of the peak
time has the same two measures as r.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.radio_traces import FLUENCE, PEAK_TIME, PULSE, SAMPLING, SNR, WAVEFORM
from cloudchamber.data.samples import Prediction
from cloudchamber.metrics.classification import auc
from cloudchamber.metrics.measured import RESAMPLES, Measured, bootstrap
from cloudchamber.metrics.rows import Row, row
from cloudchamber.simulators.airshower.radio_pulse import BAND, fluence

Values = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]

EDGES = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
"""Of the bins of SNR."""
STRONG = 3.0
"""The SNR above which a method has to work, after arXiv:1901.04079."""
FEWEST = 5
"""Pulses of a bin: fewer have no number."""
CENTRAL = (0.1587, 0.8413)


def bins() -> dict[str, tuple[float, float]]:
    """Lowest and highest SNR by the ending of targets: none for those above STRONG, then ``_snr_1_2`` and so on."""
    named = {f"_snr_{low:g}_{high:g}": (low, high) for low, high in pairwise(EDGES)}
    return {"": (STRONG, np.inf), **named}


def half_width(values: Values) -> float:
    """Half the distance between the quantiles at 15.87 % and 84.13 %: the standard deviation of a Gaussian.

    Examples:
        >>> round(half_width(np.random.default_rng(1).normal(0, 2, 100_000)), 1)
        2.0
    """
    low, high = np.quantile(values, CENTRAL)
    return float(high - low) / 2


def share(chosen: NDArray[np.bool_]) -> Measured:
    """A part of records; its error is binomial, with half a record added on either side, so never 0."""
    n = len(chosen)
    smooth = (chosen.sum() + 0.5) / (n + 1)
    return Measured(float(chosen.mean()), float(np.sqrt(smooth * (1 - smooth) / n)), n)


def spectra(waveforms: Values) -> tuple[Doubles, NDArray[np.complex128]]:
    """Frequencies in MHz (frequency,) and spectra (trace, frequency) between 30 and 80 MHz."""
    frequency = np.fft.rfftfreq(waveforms.shape[1], 1 / SAMPLING)
    inside = (frequency >= BAND[0]) & (frequency <= BAND[1])
    return np.asarray(frequency[inside], np.float64), np.fft.rfft(np.asarray(waveforms, np.float64), axis=1)[:, inside]


def coherence_curve(truth: Values, said: Values, weights: Doubles | None = None) -> Doubles:
    """Magnitude-squared coherence (frequency,), or (draw, frequency), of true and recovered waveforms, see the module.

    Args:
        truth: (trace, sample), none of them zero.
        said: (trace, sample).
        weights: (draw, trace) how often each trace counts; None: once.
    """
    _, true = spectra(truth)
    _, found = spectra(said)
    scale = np.sqrt(np.square(np.asarray(truth, np.float64)).sum(axis=1, keepdims=True))
    true, found = true / scale, found / scale
    used = np.ones((1, len(true))) if weights is None else weights
    cross = np.abs(used @ (true.conj() * found)) ** 2
    power = (used @ np.abs(true) ** 2) * (used @ np.abs(found) ** 2)
    curve: Doubles = np.divide(cross, power, out=np.zeros_like(cross), where=power > 0)
    return curve[0] if weights is None else curve


def coherence(truth: Values, said: Values, rng: np.random.Generator) -> Measured:
    """Mean over the band of ``coherence_curve``, with its bootstrap error."""
    n = len(truth)
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
    errors = coherence_curve(truth, said, drawn).mean(axis=1)
    return Measured(float(coherence_curve(truth, said).mean()), float(errors.std(ddof=1)), n)


def radio_rows(truth: Values, predictions: Mapping[str, Prediction], rng: np.random.Generator) -> list[Row]:
    """Rows of every predictor; see the module. Bins with fewer than FEWEST pulses have none.

    ``pulse``: ``auc``, ``false_positive_rate`` and ``efficiency``; ``fluence`` (relative) and ``peak_time`` (ns):
    ``bias`` and ``resolution``; ``signal``: ``coherence``, and ``left_on_noise``, the mean fluence of what is returned
    for noise alone, over the whole trace. What depends on the SNR is that of pulses above 3; targets with an ending
    (``fluence_snr_1_2``) are those of a bin.

    Args:
        truth: (trace, column).
        predictions: by predictor.
        rng: of the bootstrap.
    """
    return [one for name, said in predictions.items() for one in _rows(name, truth, said.mean, rng)]


def _rows(name: str, truth: Values, said: Values, rng: np.random.Generator) -> list[Row]:
    there, found = truth[:, PULSE] > 0, said[:, PULSE] > 0
    rows: list[Row] = []
    if there.any() and not there.all():
        rows.append(row(name, "pulse", "auc", auc(there, said[:, PULSE].astype(np.float64), rng)))
    noise = said[~there]
    if len(noise):
        rows.append(row(name, "pulse", "false_positive_rate", share(found[~there])))
        if np.isfinite(noise[:, WAVEFORM:]).all():
            left = fluence(noise[:, WAVEFORM:], SAMPLING)
            mean = bootstrap(lambda _, one: float(one.mean()), np.zeros(len(left)), left, rng)
            rows.append(row(name, "signal", "left_on_noise", mean, "eV/m2"))
    for label, (low, high) in bins().items():
        chosen = there & (truth[:, SNR] >= low) & (truth[:, SNR] < high)
        if chosen.sum() >= FEWEST:
            rows.append(row(name, f"pulse{label}", "efficiency", share(found[chosen])))
            rows += _recovered(name, label, truth[chosen], said[chosen], found[chosen], rng)
    return rows


def _recovered(
    name: str, label: str, truth: Values, said: Values, found: NDArray[np.bool_], rng: np.random.Generator
) -> list[Row]:
    """Rows of the pulses of one bin."""
    rows: list[Row] = []
    everything = np.ones(len(truth), bool)
    for ending, used in (("", everything), ("_found", found)):
        if used.sum() < FEWEST:
            continue
        for target, column, unit in (("fluence", FLUENCE, ""), ("peak_time", PEAK_TIME, "ns")):
            one, true = said[used, column].astype(np.float64), truth[used, column].astype(np.float64)
            if not np.isfinite(one).all():
                continue
            error = one / true - 1 if target == "fluence" else one - true
            for metric, statistic in (("bias", np.median), ("resolution", half_width)):
                measured = bootstrap(lambda _, e, of=statistic: float(of(e)), np.zeros(len(error)), error, rng)  # type: ignore[misc]
                rows.append(row(name, f"{target}{label}", f"{metric}{ending}", measured, unit))
    if np.isfinite(said[:, WAVEFORM:]).all():
        one = coherence(truth[:, WAVEFORM:], said[:, WAVEFORM:], rng)
        rows.append(row(name, f"signal{label}", "coherence", one))
    return rows
