"""What methods do to a radio trace, and what the classifier looks at: the explanations of a run as arrays.

* ``examples``: some test traces, and what every method makes of them.
* ``transfer``: output over input against frequency, on pulses and on noise. The gain on pulses is
  ``abs(sum S* R) / sum abs(S)^2`` with true and recovered spectra; on noise the root of the ratio of the powers.
* ``disturbances``: what looks like a pulse? To noise without interference are added, at the same signal-to-noise ratio,
  pulses of showers, sparks, transmitters that stay on, and single samples; counted is how often something is "found".
* ``relevance``: gradient times input of the classifier's log-odds, in time around the pulse and, with Parseval's
  theorem,
  in frequency; for the trained network and for one with random weights (Adebayo et al., arXiv:1810.03292), whose
  relevance must look different.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cloudchamber.data.radio_traces import MEASURED, PEAK_TIME, PULSE, SAMPLES, SAMPLING, SNR, TRUE, WAVEFORM
from cloudchamber.data.samples import Inputs, Samples
from cloudchamber.explain.sanity import randomized
from cloudchamber.learning.radio_networks import PulseClassifier
from cloudchamber.schema import Arrays
from cloudchamber.simulators.airshower.radio_noise import SPARK_DECAY, log_uniform
from cloudchamber.simulators.airshower.radio_pulse import BAND

SHOWN = ((2.5, 0), (4.0, 0), (8.0, 1), (15.0, 2))
"""SNR of the example traces, and which of the traces near it is shown."""
MOST = 2000
"""Test traces that are looked at."""
DISTURBANCE_SNR = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
TRIALS = (20, 200)
"""Fewest and most traces of each kind and SNR; in between a quarter of the test traces."""
AROUND = 40
"""Samples on either side of the pulse whose relevance is shown."""


def answering(predictors: Mapping[str, Any], inputs: Inputs) -> dict[str, NDArray[Any]]:
    """Answers (trace, column) of every predictor."""
    return {name: one.predict(inputs).mean for name, one in predictors.items()}


def _some(test: Samples) -> NDArray[np.int64]:
    return np.arange(min(len(test), MOST), dtype=np.int64)


def examples(config: Any, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:  # noqa: ARG001
    """Test traces of some SNR and one without a pulse.

    Returns:
        ``measured`` and ``signal`` (trace, sample), ``snr`` (trace,), and by predictor ``waveform_NAME`` (trace,
        sample; nan if it returns none) and ``score_NAME`` (trace,).
    """
    rows = _some(test)
    snr, there = test.targets[rows, SNR], test.targets[rows, PULSE] > 0
    near = [
        np.argsort(np.where(there, np.abs(np.log(np.maximum(snr, 1e-3) / at)), np.inf))[which] for at, which in SHOWN
    ]
    empty = np.flatnonzero(~there)
    chosen = list(dict.fromkeys([*near, *empty[:1]]))
    inputs = test.inputs(chosen)
    found: Arrays = {"measured": inputs[:, MEASURED], "signal": inputs[:, TRUE], "snr": snr[chosen]}
    for name, said in answering(predictors, inputs).items():
        found |= {f"waveform_{name}": said[:, WAVEFORM:], f"score_{name}": said[:, PULSE]}
    return found


def transfer(config: Any, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:  # noqa: ARG001
    """Gains against frequency.

    Returns:
        ``frequency`` [MHz], ``signal`` and ``noise``, mean power spectra of pulses of SNR above 3 and of noise
        [(uV/m)^2 a bin, arbitrary scale], and by predictor ``pulse_NAME`` and ``noise_NAME``, all (frequency,).
    """
    rows = _some(test)
    inputs = test.inputs(rows)
    there = test.targets[rows, PULSE] > 0
    strong = there & (test.targets[rows, SNR] > 3)
    true, measured = np.fft.rfft(inputs[strong, TRUE], axis=1), np.fft.rfft(inputs[~there, MEASURED], axis=1)
    power = np.square(np.abs(true)).sum(axis=0), np.square(np.abs(measured)).sum(axis=0)
    found: Arrays = {
        "frequency": np.fft.rfftfreq(inputs.shape[2], 1 / SAMPLING),
        "signal": power[0] / max(strong.sum(), 1), "noise": power[1] / max((~there).sum(), 1),
    }  # fmt: skip
    for name, said in answering(predictors, inputs).items():
        if not np.isfinite(said[:, WAVEFORM:]).all():
            continue
        returned = np.fft.rfft(said[:, WAVEFORM:], axis=1)
        found[f"pulse_{name}"] = np.abs((true.conj() * returned[strong]).sum(axis=0)) / np.maximum(power[0], 1e-30)
        left = np.square(np.abs(returned[~there])).sum(axis=0)
        found[f"noise_{name}"] = np.sqrt(left / np.maximum(power[1], 1e-30))
    return found


def stimuli(pulses: NDArray[Any], count: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    """Disturbances (trace, sample) of height 1, by kind.

    Args:
        pulses: true pulses (trace, sample) to draw from.
        count: traces of each kind.
        rng: of places, frequencies and phases.
    """
    time = np.arange(SAMPLES) / SAMPLING
    start = rng.uniform(0.2, 0.8, (count, 1)) * SAMPLES / SAMPLING
    carrier = 2 * np.pi * rng.uniform(*BAND, (count, 1))
    wave = np.cos(carrier * time + rng.uniform(0, 2 * np.pi, (count, 1)))
    decay = log_uniform(SPARK_DECAY, (count, 1), rng)
    late = np.maximum(time - start, 0)
    single = np.zeros((count, SAMPLES))
    single[np.arange(count), rng.integers(100, 400, count)] = rng.choice((-1.0, 1.0), count)
    made = {
        "pulse": pulses[rng.integers(len(pulses), size=count)].astype(np.float64),
        "spark": _in_band(np.where(time >= start, np.exp(-late / decay) * wave, 0)),
        "transmitter": wave,
        "single sample": _in_band(single),
    }
    return {kind: one / np.abs(one).max(axis=1, keepdims=True) for kind, one in made.items()}


def _in_band(waveforms: NDArray[np.float64]) -> NDArray[np.float64]:
    """What an ideal band-pass leaves of waveforms (trace, sample)."""
    frequency = np.fft.rfftfreq(waveforms.shape[1], 1 / SAMPLING)
    spectrum = np.fft.rfft(waveforms, axis=1) * ((frequency >= BAND[0]) & (frequency <= BAND[1]))
    return np.asarray(np.fft.irfft(spectrum, waveforms.shape[1], axis=1))


def disturbances(config: Any, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:  # noqa: ARG001
    """How often something is found when something is added to noise.

    The noise is that of the test traces without a pulse that have the smallest crest factors: neither sparks nor
    strong transmitters stand out of it.

    Returns:
        ``snr`` (point,), ``trials`` traces a point, and ``KIND_NAME`` (point,), the part in which predictor NAME finds
        a pulse; empty without pulses or noise.
    """
    rows = _some(test)
    there = test.targets[rows, PULSE] > 0
    if not there.any() or there.all():
        return {"snr": np.zeros(0), "trials": np.array(0)}
    noise = test.inputs(rows[~there])[:, MEASURED].astype(np.float64)
    loud = np.sqrt(np.square(noise).mean(axis=1))
    quiet = np.argsort(np.abs(noise).max(axis=1) / loud)[: max(len(noise) // 2, 1)]
    trials = int(np.clip(len(test) // 4, *TRIALS))
    made = stimuli(test.targets[rows[there], WAVEFORM:], trials, rng)
    found: Arrays = {"snr": np.array(DISTURBANCE_SNR), "trials": np.array(trials)}
    for kind, waveforms in made.items():
        chosen = rng.choice(quiet, trials)
        for place, snr in enumerate(DISTURBANCE_SNR):
            added = snr * loud[chosen, None] * waveforms
            # as a shower's: the bound knows what it looks for, whatever that is
            inputs = np.stack([noise[chosen] + added, added], axis=1).astype(np.float32)
            for name, said in answering(predictors, inputs).items():
                found.setdefault(f"{kind}_{name}", np.zeros(len(DISTURBANCE_SNR)))[place] = (said[:, PULSE] > 0).mean()
    return found


def gradient_times_input(network: nn.Module, traces: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Relevance of samples and of frequencies for a network's output; both have the same sum.

    Args:
        network: traces (trace, sample) to one number (trace, 1).
        traces: (trace, sample).

    Returns:
        Relevance (trace, sample) and (trace, frequency).
    """
    parts = []
    for start in range(0, len(traces), 128):
        batch = torch.from_numpy(np.ascontiguousarray(traces[start : start + 128], np.float32)).requires_grad_()
        (slope,) = torch.autograd.grad(network(batch).sum(), batch)
        parts.append(slope.numpy())
    gradient = np.concatenate(parts).astype(np.float64)
    n = traces.shape[1]
    weight = np.full(n // 2 + 1, 2.0)
    weight[0] = 1.0
    if n % 2 == 0:
        weight[-1] = 1.0
    product = np.fft.rfft(traces, axis=1) * np.fft.rfft(gradient, axis=1).conj()
    return traces * gradient, product.real * weight / n


def relevance(config: Any, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:  # noqa: ARG001
    """What the classifier looks at in pulses of SNR above 3.

    Returns:
        ``time`` [ns] from the pulse (sample,), ``frequency`` [MHz]; for each classifier NAME and for ``random_NAME``,
        with random weights: ``time_NAME`` and ``frequency_NAME``, mean relevance divided by the mean sum of its
        absolute values, and ``near_NAME`` (trace,), the part of the absolute relevance that lies within AROUND samples
        of the pulse (expected by chance: ``chance``).
    """
    rows = _some(test)
    strong = rows[(test.targets[rows, PULSE] > 0) & (test.targets[rows, SNR] > 3)]
    traces = test.inputs(strong)[:, MEASURED].astype(np.float64)
    peak = np.clip(
        np.round(test.targets[strong, PEAK_TIME] * SAMPLING / 1e3).astype(np.int64), AROUND, SAMPLES - AROUND - 1
    )
    window = peak[:, None] + np.arange(-AROUND, AROUND + 1)
    found: Arrays = {
        "time": np.arange(-AROUND, AROUND + 1) * 1e3 / SAMPLING,
        "frequency": np.fft.rfftfreq(SAMPLES, 1 / SAMPLING),
        "chance": np.array((2 * AROUND + 1) / SAMPLES),
    }
    for name, predictor in predictors.items():
        if not isinstance(predictor, PulseClassifier) or not len(strong):
            continue
        network = predictor.network.cpu().eval()
        both = {name: network, f"random_{name}": randomized(network, seed=int(rng.integers(2**31))).eval()}
        for label, one in both.items():
            in_time, in_frequency = gradient_times_input(one, traces)
            total = np.abs(in_time).sum(axis=1)
            near = np.abs(np.take_along_axis(in_time, window, axis=1)).sum(axis=1)
            found[f"time_{label}"] = np.take_along_axis(in_time, window, axis=1).mean(axis=0) / total.mean()
            found[f"frequency_{label}"] = in_frequency.mean(axis=0) / np.abs(in_frequency).sum(axis=1).mean()
            found[f"near_{label}"] = near / np.maximum(total, np.finfo(np.float64).tiny)
        predictor.network.to(predictor.device)
    return found
