"""Radio pulses of air showers in noise: which traces hold one, and what was it before the noise came?

After M. Erdmann, F. Schlüter, R. Šmída, "Classification and recovery of radio signals from cosmic ray induced air
showers with deep learning", JINST 14 (2019) P04005, arXiv:1901.04079. A record is one polarisation of one antenna: 500
samples at 180 MHz, from 30 to 80 MHz, half of them with a pulse. Every method answers with a waveform, and is
calibrated in the same way on the same validation traces (``metrics.radio_pulses``); a classifier says only whether
there is a pulse.

Choices: amplitudes are such that the signal-to-noise ratio, largest absolute value of the signal over the root mean
square of the noise with its transmitters and sparks, is log-uniform from ``snr_min`` to ``snr_max``. In training every
pulse meets the noise of another trace in every epoch. The matched filter that knows the true pulse is a bound, no
rival.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from cloudchamber.data import radio_traces as traces
from cloudchamber.data.samples import Prediction
from cloudchamber.metrics.rows import Row
from cloudchamber.schema import Array, Arrays, Config, Learning
from cloudchamber.simulators.airshower.radio_traces import RadioOptions
from cloudchamber.study import Predictor, PredictorStudy, Probe, late


class RadioConfig(Config):
    """What is simulated and learned."""

    records: Learning[int] = Field(40_000, ge=40, description="traces, half of them with a pulse")
    probe_records: Learning[int] = Field(6000, ge=20, description="traces of each further data set")
    pulse_fraction: float = Field(0.5, ge=0, le=1, description="share of the traces that hold a pulse")
    snr_min: float = Field(1.0, gt=0, description="smallest signal-to-noise ratio of pulses, log-uniform")
    snr_max: float = Field(20.0, gt=0, description="largest one")
    lines_max: int = Field(5, ge=0, description="most transmitters in a trace, from 0 each number alike")
    burst_rate: float = Field(0.2, ge=0, description="mean number of sparks in a trace")
    widths: Learning[tuple[int, ...]] = Field(
        (32, 64, 96), description="channels of the denoiser's levels, each with half of the samples"
    )
    classifier_widths: Learning[tuple[int, ...]] = Field(
        (32, 64, 64), description="channels of the classifier's convolutions"
    )
    kernel: Learning[int] = Field(7, ge=3, le=63, description="places of a convolution, odd")
    gates: Learning[int] = Field(4, ge=1, le=64, description="filtered copies of a trace that the networks read")
    epochs: Learning[int] = Field(8, ge=1, description="passes of the denoiser over the training traces")
    classifier_epochs: Learning[int] = Field(6, ge=1, description="passes of the classifier")
    batch_size: Learning[int] = Field(64, ge=2, description="traces a step")
    learning_rate: Learning[float] = Field(4e-3, gt=0, description="largest rate of the one-cycle schedule")
    weight_decay: Learning[float] = Field(1e-2, ge=0, description="decoupled weight decay")
    averaging: Learning[float] = Field(0.99, ge=0, lt=1, description="decay a step of the average of the weights")

    @field_validator("widths", "classifier_widths")
    @classmethod
    def _some(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or min(value) < 1:
            raise ValueError("give one number of channels a level, each at least 1, such as 16,24,32")
        return value

    @field_validator("kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"kernel {value} is even: give an odd number of samples, such as 9")
        return value


def options(config: RadioConfig) -> RadioOptions:
    """Showers, antenna and noise, for the simulator."""
    names = ("pulse_fraction", "snr_min", "snr_max", "lines_max", "burst_rate")
    return RadioOptions(**{name: getattr(config, name) for name in names})


def simulate(config: RadioConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    """Traces with their truth: columns of ``study.schema``."""
    return traces.simulated(options(config), count, np.random.default_rng(seeds))


def predictors(config: RadioConfig, seed: int, device: str) -> dict[str, Predictor]:
    """The trace as it is, filters, the bound, and networks."""
    from cloudchamber.baselines.radio_pulse_finders import pulse_finders
    from cloudchamber.learning.options import TrainingOptions
    from cloudchamber.learning.radio_networks import PulseClassifier, PulseDenoiser
    from cloudchamber.networks.radio_classifier import RadioClassifier
    from cloudchamber.networks.radio_denoiser import RadioDenoiser

    denoising = TrainingOptions.of(config)
    finding = denoising.changed({"epochs": config.classifier_epochs})
    settings = {"samples": traces.SAMPLES, "kernel": config.kernel, "gates": config.gates}
    classifier = partial(RadioClassifier, widths=config.classifier_widths, **settings)
    denoiser = partial(RadioDenoiser, widths=config.widths, **settings)
    return {
        **pulse_finders(),
        "classifier": PulseClassifier("convolutional classifier", classifier, finding, seed, device),
        "denoiser": PulseDenoiser("convolutional autoencoder", denoiser, denoising, seed, device),
    }


def rows(truth: NDArray[np.float32], predictions: Mapping[str, Prediction], rng: np.random.Generator) -> list[Row]:
    """Energies, efficiencies, false pulses, coherence and peak time of every method by signal-to-noise ratio."""
    from cloudchamber.metrics.radio import radio_rows

    return radio_rows(truth, predictions, rng)


def _probe(title: str, changes: Mapping[str, float], factor: float = 1.0) -> Probe:
    return Probe(
        title, lambda config: config.changed(changes), lambda config: max(int(factor * config.probe_records), 20)
    )


TINY = RadioConfig(
    records=400, probe_records=40, widths=(8, 8), classifier_widths=(8, 8), kernel=3, gates=2, epochs=1,
    classifier_epochs=1, batch_size=32,
)  # fmt: skip
QUICK = RadioConfig(records=8000, probe_records=1500, epochs=8, classifier_epochs=6)
STANDARD = RadioConfig()
PAPER = RadioConfig(
    records=400_000, probe_records=50_000, widths=(64, 96, 128, 192), classifier_widths=(64, 96, 128, 192), gates=8,
    epochs=30, classifier_epochs=15,
)  # fmt: skip

study = PredictorStudy(
    name="radio-denoising",
    title="Radio pulses of air showers in noise",
    question="Can a network return the radio pulse of an air shower from noise better than the textbook's filters?",
    reference="arXiv:1901.04079",
    presets={"tiny": TINY, "quick": QUICK, "standard": STANDARD, "paper": PAPER},
    schema={**traces.OBSERVED, **traces.TRUTH},
    truth=tuple(traces.TRUTH),
    lengths=lambda config: {"sample": traces.SAMPLES},
    records_per_chunk=500,
    simulate=simulate,
    input=Array("trace row sample", "uV/m", "measured trace, and the true signal for the bound alone"),
    input_lengths=lambda config: {"row": 2, "sample": traces.SAMPLES},
    inputs=traces.inputs,
    targets=traces.targets,
    target_names=traces.TARGETS,
    read=traces.read,
    resembles=traces.resembles,
    predictors=predictors,
    rows=rows,
    headline=("denoiser", "fluence", "resolution"),
    probes={
        "noise": _probe("noise alone", {"pulse_fraction": 0.0}),
        "transmitters": _probe("twice as many transmitters and sparks", {"lines_max": 10, "burst_rate": 0.4}, 0.3),
        "quiet": _probe("no transmitters, no sparks", {"lines_max": 0, "burst_rate": 0.0}, 0.3),
    },
    explanations={
        name: late(f"cloudchamber.explain.radio:{name}")
        for name in ("examples", "transfer", "disturbances", "relevance")
    },
    sections=late("cloudchamber.report.radio:radio_sections"),
    citation=(
        "M. Erdmann, F. Schlüter, R. Šmída, Classification and recovery of radio signals from cosmic ray induced air"
        " showers with deep learning, JINST 14 (2019) P04005, arXiv:1901.04079"
    ),
)
