"""The shape of a nucleus from heavy-ion collisions: a network reads the deformation of uranium out of (v2, dN/dY).

Paper: L.-G. Pang, K. Zhou, X.-N. Wang, "Deep learning nuclear shape deformation", arXiv:1906.06429. Two nuclei with a
deformed Woods-Saxon density (beta2, beta4) collide in the TRENTo model; every event becomes a point in the plane of
elliptic flow and multiplicity; the 2D histogram of the 50 % most central events of one shape is the network's image.

Conventions and choices (the paper leaves them open): dN/dY = s0 / <s0>_{0-1 %} of the same shape; v2 = k2 e2 +
k2' e2^3, times 1 + u with u uniform within the residual fluctuation (10 %); both axes of the image are fixed, the same
for all shapes, [0, multiplicity_max] and [0, v2_max]. ``data.nuclei`` says how an image is made.

Beyond the paper: the second channel holds the event's size. The mean transverse momentum [pT] follows the inverse size
of the overlap area A, d = 1/sqrt(A); the channel holds the fluctuation of d at fixed multiplicity, summed over the
events of a pixel. Its correlation with v2 has the opposite sign for prolate and oblate nuclei (arXiv:2105.05713).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cloudchamber.data.nuclei import SHAPE_SCHEMA, images
from cloudchamber.data.samples import Inputs, Prediction
from cloudchamber.metrics.rows import Row
from cloudchamber.schema import Array, Arrays, BadInput, Config, Learning
from cloudchamber.study import Predictor, PredictorStudy, Probe, late

if TYPE_CHECKING:
    from torch import nn

    from cloudchamber.metrics.measured import Measured, Values

TARGETS = ("abs_beta2", "abs_beta4", "beta2", "beta4")
IMAGE = (0,)
IMAGE_AND_SIZE = (0, 1)
SIGN_THRESHOLD = 0.1
"""The sign of beta2 is scored for ``|beta2|`` above this."""


class NuclearShapeConfig(Config):
    """What is simulated and learned in the study of nuclear shapes."""

    nucleus: str = Field("U", description="name in the table of nuclei; its beta2 and beta4 are replaced by the grid's")
    radius: float | None = Field(None, gt=0, description="Woods-Saxon radius in fm (None: the table's)")
    diffuseness: float | None = Field(None, gt=0, description="Woods-Saxon surface thickness in fm (None: the table's)")
    beta2_points: int = Field(51, ge=2, description="grid points in beta2")
    beta4_points: int = Field(51, ge=1, description="grid points in beta4")
    beta2_max: float = Field(0.5, gt=0, le=0.6, description="grid of beta2 is [-max, max]")
    beta4_max: float = Field(0.2, gt=0, le=0.3, description="grid of beta4 is [-max, max]")
    events: int = Field(100_000, ge=200, description="minimum-bias collisions a shape")
    centrality: float = Field(0.5, gt=0, le=1, description="fraction of most central events that is kept")
    cross_section: float = Field(4.23, gt=0, description="inelastic nucleon-nucleon cross section in fm^2 (0.2 TeV)")
    grid_step: float = Field(0.4, gt=0, le=0.5, description="cell of the entropy grid in fm")
    k2: float = Field(0.2, description="linear response of v2 to e2")
    k2_cubic: float = Field(0.1, description="cubic response of v2 to e2")
    residual_fluctuation: float = Field(
        0.1, ge=0, lt=1, description="half-width of the uniform relative fluctuation of v2"
    )
    v2_max: Learning[float] = Field(0.25, gt=0, description="upper edge of the v2 axis")
    multiplicity_max: Learning[float] = Field(1.2, gt=0, description="upper edge of the axis of normalised dN/dY")
    resampled_fraction: Learning[float] = Field(
        0.9, gt=0, le=1, description="fraction of a shape's events in a training image"
    )
    width: Learning[int] = Field(
        64, ge=2, description="channels of the network's first box (the publication's ResNet-34: 64)"
    )
    members: Learning[int] = Field(5, ge=2, description="networks in the deep ensemble")
    ablation_members: Learning[int] = Field(2, ge=1, description="networks without squeeze-excitation, for its gain")
    epochs: Learning[int] = Field(60, ge=1, description="passes over the training shapes")
    batch_size: Learning[int] = Field(64, ge=2, description="images a step")
    learning_rate: Learning[float] = Field(2e-3, gt=0, description="largest rate of the one-cycle schedule")
    weight_decay: Learning[float] = Field(1e-2, ge=0, description="decoupled weight decay")


def shapes(config: NuclearShapeConfig) -> NDArray[np.float64]:
    """The grid (record, 2) of beta2 and beta4, in one fixed shuffled order: any first n of it cover the plane."""
    beta2 = np.linspace(-config.beta2_max, config.beta2_max, config.beta2_points)
    beta4 = np.linspace(-config.beta4_max, config.beta4_max, config.beta4_points) if config.beta4_points > 1 else [0.0]
    grid = np.stack(np.meshgrid(beta2, beta4, indexing="ij"), axis=-1).reshape(-1, 2)
    return grid[np.random.default_rng(19060629).permutation(len(grid))]


def kept_events(config: NuclearShapeConfig) -> int:
    """Events of a shape after the cut on centrality."""
    return round(config.events * config.centrality)


def simulate(config: NuclearShapeConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    """Collide ``count`` shapes from number ``first`` of the grid: one record a shape.

    Returns:
        beta2, beta4 (shape); multiplicity, v2, mean_pt (shape, event), the most central events in random order.
    """
    from cloudchamber.simulators.heavyion.collisions import CollisionOptions, collide
    from cloudchamber.simulators.heavyion.nuclei import nucleus

    grid = shapes(config)
    if first + count > len(grid):
        raise BadInput(f"the grid has only {len(grid)} shapes: ask for fewer, or --set beta2_points and beta4_points")
    options = CollisionOptions(cross_section=config.cross_section, grid_step=config.grid_step)
    chosen = grid[first : first + count].astype(np.float32)
    kept = kept_events(config)
    columns: Arrays = {name: np.empty((count, kept), np.float32) for name in ("multiplicity", "v2", "mean_pt")}
    for record, (beta2, beta4) in enumerate(chosen):
        (stream,) = seeds.spawn(1)
        collision_seed = int(stream.generate_state(1, np.uint64)[0] >> 1)
        shape = nucleus(
            config.nucleus,
            radius=config.radius,
            diffuseness=config.diffuseness,
            beta2=float(beta2),
            beta4=float(beta4),
        )
        events = collide(shape, shape, config.events, collision_seed, options)
        s0, size = events["multiplicity"], events["inverse_area"]
        central = np.argsort(s0)[::-1]
        top = central[: max(config.events // 100, 1)]
        keep = np.sort(central[:kept])  # event order is random, so no order by multiplicity reaches the resampling
        e2 = events["eccentricity2"][keep]
        residual = 1 + config.residual_fluctuation * np.random.default_rng(stream).uniform(-1, 1, kept)
        columns["multiplicity"][record] = s0[keep] / s0[top].mean()
        columns["v2"][record] = (config.k2 * e2 + config.k2_cubic * e2**3) * residual
        columns["mean_pt"][record] = size[keep] / size[top].mean()
    return {"beta2": chosen[:, 0].copy(), "beta4": chosen[:, 1].copy(), **columns}


def inputs(config: NuclearShapeConfig, records: Arrays, rng: np.random.Generator | None) -> Inputs:
    """The two-channel images of shapes; with ``rng`` of a random part of their events, ``resampled_fraction``."""
    return images(
        records,
        v2_max=config.v2_max,
        multiplicity_max=config.multiplicity_max,
        fraction=config.resampled_fraction,
        rng=rng,
    )


def targets(config: NuclearShapeConfig, records: Arrays) -> NDArray[np.float32]:
    """(shape, 4): ``|beta2|``, ``|beta4|``, beta2, beta4."""
    beta2, beta4 = records["beta2"], records["beta4"]
    return np.stack([np.abs(beta2), np.abs(beta4), beta2, beta4], axis=1).astype(np.float32)


def network(config: NuclearShapeConfig, channels: tuple[int, ...], reduction: int | None) -> nn.Module:
    """The SE-ResNet of the publication (``reduction`` None: without squeeze-excitation), mean and variance a target."""
    from cloudchamber.networks.se_resnet import SEResNet

    return SEResNet(len(channels), 2 * len(TARGETS), width=config.width, reduction=reduction, stabilize=(0,))


def predictors(config: NuclearShapeConfig, seed: int, device: str) -> dict[str, Predictor]:
    """Floor, physicist's methods and networks; ``*_size`` also read the size channel."""
    from cloudchamber.baselines.centrality_moments import centrality_moments
    from cloudchamber.baselines.linear import Ridge
    from cloudchamber.baselines.mean import TrainingMean
    from cloudchamber.baselines.template_fit import TemplateFit
    from cloudchamber.baselines.trees import Boosting
    from cloudchamber.learning.ensemble import DeepEnsemble
    from cloudchamber.learning.options import TrainingOptions

    options = TrainingOptions.of(config)

    def ensemble(title: str, members: int, channels: tuple[int, ...], reduction: int | None) -> DeepEnsemble:
        select = (0, 1) if channels == IMAGE else (0, 1, 2)  # the targets that can be learned from these channels
        make = partial(network, config, channels, reduction)
        return DeepEnsemble(title, make, options, members, channels, select, seed, device)

    image, size = (
        partial(centrality_moments, channels=IMAGE),
        partial(centrality_moments, channels=IMAGE_AND_SIZE),
    )
    return {
        "mean": TrainingMean(),
        "ridge": Ridge(image, "ridge on centrality moments"),
        "boosting": Boosting(image, "boosted trees on centrality moments"),
        "template": TemplateFit(IMAGE, "chi2 fit of template images"),
        "resnet": ensemble("ResNet-34, no squeeze-excitation", config.ablation_members, IMAGE, None),
        "se_resnet": ensemble("SE-ResNet-34", config.members, IMAGE, 16),
        "ridge_size": Ridge(size, "ridge, with size"),
        "boosting_size": Boosting(size, "boosted trees, with size"),
        "template_size": TemplateFit(IMAGE_AND_SIZE, "chi2 fit of template images, with size"),
        "se_resnet_size": ensemble("SE-ResNet-34, with size", config.members, IMAGE_AND_SIZE, 16),
    }


def rows(truth: NDArray[np.float32], predictions: Mapping[str, Prediction], rng: np.random.Generator) -> list[Row]:
    """R2 and MAE of every target, accuracy of the sign of beta2, coverage where there are uncertainties."""
    from cloudchamber.metrics.classification import sign_accuracy
    from cloudchamber.metrics.rows import regression_rows

    def sign(true: Values, said: Values, rng: np.random.Generator) -> dict[str, Measured]:
        return {"sign_accuracy": sign_accuracy(true, said, SIGN_THRESHOLD, rng)}

    return regression_rows(truth, predictions, rng, TARGETS, extra={"beta2": sign})


# --- the study --------------------------------------------------------------------------------------------------------


def _with_surface(config: NuclearShapeConfig) -> NuclearShapeConfig:
    return config.changed({"nucleus": "U", "radius": 6.86, "diffuseness": 0.42})


def _with_xenon(config: NuclearShapeConfig) -> NuclearShapeConfig:
    return config.changed({"nucleus": "Xe", "radius": None, "diffuseness": None})


def _probe_records(config: NuclearShapeConfig) -> int:
    shapes = config.beta2_points * config.beta4_points
    return min(max(shapes // 10, 8), shapes)


SMALL = NuclearShapeConfig(batch_size=16, learning_rate=4e-3, weight_decay=0.05, resampled_fraction=0.5)
"""Settings for narrow networks and some hundred shapes. With a tenth of the publication's events, networks learn the
statistical noise of a shape by heart from images of 90 % of its events; images of 50 % keep them from it."""
TINY = SMALL.changed(
    {"beta2_points": 11, "beta4_points": 4, "events": 600, "width": 2, "members": 2, "ablation_members": 1, "epochs": 2}
)
QUICK = SMALL.changed(
    {"beta2_points": 27, "beta4_points": 11, "events": 3000, "width": 4, "members": 2, "ablation_members": 1,
     "epochs": 30}
)  # fmt: skip
STANDARD = SMALL.changed(
    {"beta2_points": 41, "beta4_points": 17, "events": 16_000, "width": 8, "members": 4, "ablation_members": 4,
     "epochs": 60}
)  # fmt: skip
PAPER = NuclearShapeConfig()

study = PredictorStudy(
    name="nuclear-shape",
    title="The shape of a nucleus from heavy-ion collisions",
    question="Can a network read the deformation of uranium out of (v2, dN/dY), and where does it look?",
    reference="arXiv:1906.06429",
    presets={"tiny": TINY, "quick": QUICK, "standard": STANDARD, "paper": PAPER},
    schema=SHAPE_SCHEMA,
    records=lambda config: config.beta2_points * config.beta4_points,
    records_per_chunk=4,
    simulate=simulate,
    input_name="image",
    input=Array("shape channel v2_bin multiplicity_bin", "", "density of events; significance of the [pT] fluctuation"),
    inputs=inputs,
    targets=targets,
    target_names=TARGETS,
    predictors=predictors,
    rows=rows,
    headline=("se_resnet_size", "abs_beta2", "r2"),
    probes={
        "sharp-surface": Probe(
            "uranium with a sharper surface (R = 6.86 fm, a = 0.42 fm)", _with_surface, _probe_records
        ),
        "xenon": Probe("xenon: a smaller nucleus (A = 129, R = 5.36 fm)", _with_xenon, _probe_records),
    },
    gallery=late("cloudchamber.explain.nuclei:gallery"),
    explanations={
        name: late(f"cloudchamber.explain.nuclei:{name}") for name in ("attention", "maps", "features", "sanity")
    },
    sections=late("cloudchamber.report.nuclei:nuclear_shape_sections"),
    citation="L.-G. Pang, K. Zhou, X.-N. Wang, Deep learning nuclear shape deformation, arXiv:1906.06429 (2019)",
)
