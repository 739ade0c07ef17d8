"""The mean free path of photons from the depths at which they interact in a detector: how a study is written.

A depth is exponential, exp(-t / lambda), seen only within a detector, and measured with a Gaussian error (Review of
Particle Physics 2024, section 34.4.5, doi:10.1103/PhysRevD.110.030001). Lengths in cm; a record is a beam.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from pydantic import Field
from scipy.special import ndtr

from cloudchamber.data.samples import Inputs, Prediction
from cloudchamber.schema import Array, Arrays, Config, Learning
from cloudchamber.study import Predictor, PredictorStudy, late

THICKNESS, RESOLUTION, LONGEST, BINS = 10.0, 0.5, 10.0, 40


class PhotonConfig(Config):
    """What is simulated and learned."""

    records: Learning[int] = Field(2000, ge=50, description="beams")
    photons: int = Field(500, ge=10, description="interactions seen in a beam")
    epochs: Learning[int] = Field(20, ge=1, description="passes of the network over the training beams")


def simulate(config: PhotonConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    """Mean free paths (beam,), uniform from 1 cm to LONGEST, and measured depths (beam, photon)."""
    rng = np.random.default_rng(seeds)
    path = rng.uniform(1, LONGEST, count)
    seen = -np.expm1(-THICKNESS / path)[:, None]  # part of the photons that interact in the detector
    depth = -path[:, None] * np.log1p(-seen * rng.random((count, config.photons)))
    return {"mean_free_path": path, "depth": rng.normal(depth, RESOLUTION)}


def histogram(config: PhotonConfig, records: Arrays, rng: np.random.Generator | None) -> Inputs:
    """Fraction of the photons in each bin of depth (beam, bin); with ``rng`` of a random 90 % of them."""
    column = np.clip(records["depth"] * (BINS / THICKNESS), 0, BINS - 1).astype(int)  # beyond: outermost bins
    used = np.ones(column.shape, bool) if rng is None else rng.random(column.shape) < 0.9
    counts = np.stack([np.bincount(row[keep], minlength=BINS) for row, keep in zip(column, used, strict=True)])
    return np.asarray(counts / counts.sum(axis=1, keepdims=True), np.float32)


def maximum_likelihood(inputs: Inputs, config: PhotonConfig) -> Prediction:
    """Mean free path of the largest multinomial likelihood, and its error from where 2 ln L falls by one; (beam, 1)."""
    path, sigma, end = np.linspace(1, LONGEST, 901)[:, None], RESOLUTION, THICKNESS
    x = np.linspace(0, end, BINS + 1)[1:-1]  # probability of a measured depth below x: exponential folded with Gaussian
    within = ndtr((end - x) / sigma + sigma / path) - ndtr(sigma / path - x / sigma)
    below = ndtr(x / sigma) - np.exp(-end / path) * ndtr((x - end) / sigma)
    below = (below - np.exp(sigma**2 / (2 * path**2) - x / path) * within) / -np.expm1(-end / path)
    two_ln_l = 2 * config.photons * inputs @ np.log(np.maximum(np.diff(below, axis=1, prepend=0, append=1), 1e-12)).T
    near = (two_ln_l > two_ln_l.max(axis=1, keepdims=True) - 1).sum(axis=1, keepdims=True)
    return Prediction(path[two_ln_l.argmax(axis=1)], near * (path[1] - path[0]) / 2)


def predictors(config: PhotonConfig, seed: int, device: str) -> dict[str, Predictor]:
    """The floor, a statistical learner, the physicist's method and a network."""
    from cloudchamber.baselines.analytic import Analytic
    from cloudchamber.baselines.linear import Ridge
    from cloudchamber.baselines.mean import TrainingMean
    from cloudchamber.learning.ensemble import DeepEnsemble
    from cloudchamber.learning.options import TrainingOptions
    from cloudchamber.networks.dense import Dense

    network, options = partial(Dense, BINS, 2), TrainingOptions.of(config).changed({"batch_size": 64})
    return {
        "mean": TrainingMean(),
        "ridge": Ridge(np.asarray, "ridge on the histogram"),
        "likelihood": Analytic("maximum likelihood", partial(maximum_likelihood, config=config)),
        "network": DeepEnsemble("dense network", network, options, 3, None, (0,), seed, device),
    }


TINY = PhotonConfig(records=100, photons=200, epochs=2)
STANDARD, PAPER = PhotonConfig(records=20_000), PhotonConfig(records=100_000)

study = PredictorStudy(
    name="photon-mean-free-path",
    title="The mean free path of photons",
    question="Can a network measure a mean free path as well as the maximum of the likelihood?",
    reference="doi:10.1103/PhysRevD.110.030001",
    presets={"tiny": TINY, "quick": PhotonConfig(), "standard": STANDARD, "paper": PAPER},
    schema={
        "mean_free_path": Array("beam", "cm", "true mean free path", low=0),
        "depth": Array("beam photon", "cm", "measured depth of an interaction"),
    },
    lengths=lambda config: {"photon": config.photons},
    simulate=simulate,
    input=Array("beam bin", "", "fraction of the photons in a bin of depth"),
    inputs=histogram,
    target_names=("mean_free_path",),
    target_unit="cm",
    predictors=predictors,
    explanations={"influence": late("cloudchamber.explain.influence:influence")},
    headline=("network", "mean_free_path", "mae"),
)
