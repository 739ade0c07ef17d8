"""The shape of a nucleus from heavy-ion collisions: a network reads the deformation of uranium out of (v2, dN/dY).

Paper: L.-G. Pang, K. Zhou, X.-N. Wang, "Deep learning nuclear shape deformation", arXiv:1906.06429. Two nuclei with a
deformed Woods-Saxon density (beta2, beta4) collide in the TRENTo model; every event becomes a point in the plane of
elliptic flow and multiplicity; the 2D histogram of the 50 % most central events of one shape is the network's image.

Conventions and choices (the paper leaves them open): dN/dY = s0 / <s0>_{0-1 %} of the same shape;
v2 = k2 e2 + k2' e2^3,
times 1 + u with u uniform within the residual fluctuation (10 %); both axes of the image are fixed, the same for all
shapes, [0, multiplicity_max] and [0, v2_max]; image axes are (channel, v2_bin, multiplicity_bin), origin at the lower
left; a pixel holds (count / events) * pixels, so that an image of any number of events has mean 1.

Beyond the paper: the second channel holds the event's size. The mean transverse momentum [pT] follows the inverse size
of the overlap area A, d = 1/sqrt(A); the channel holds the fluctuation of d at fixed multiplicity, summed over the
events of a pixel. Its correlation with v2 has the opposite sign for prolate and oblate nuclei (arXiv:2105.05713).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cloudchamber.data.samples import Inputs, Prediction, Records, Samples
from cloudchamber.schema import Array, Arrays, BadInput, Config
from cloudchamber.study import Predictor, PredictorStudy, Probe, Row

if TYPE_CHECKING:
    from torch import nn

    from cloudchamber.report.page import Section

PIXELS = 56
"""Bins of each axis of the image (arXiv:1906.06429)."""
TARGETS = ("abs_beta2", "abs_beta4", "beta2", "beta4")
TRAINING = ("epochs", "batch_size", "learning_rate", "weight_decay")
"""Settings that go to the training as they are."""
IMAGE = (0,)
IMAGE_AND_SIZE = (0, 1)
SIGN_THRESHOLD = 0.1
"""The sign of beta2 is scored for |beta2| above this."""


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
    v2_max: float = Field(0.25, gt=0, description="upper edge of the v2 axis")
    multiplicity_max: float = Field(1.2, gt=0, description="upper edge of the axis of normalised dN/dY")
    resampled_fraction: float = Field(0.9, gt=0, le=1, description="fraction of a shape's events in a training image")
    width: int = Field(64, ge=2, description="channels of the network's first box (the publication's ResNet-34: 64)")
    members: int = Field(5, ge=2, description="networks in the deep ensemble")
    ablation_members: int = Field(2, ge=1, description="networks without squeeze-excitation, for its gain")
    epochs: int = Field(60, ge=1, description="passes over the training shapes")
    batch_size: int = Field(64, ge=2, description="images a step")
    learning_rate: float = Field(2e-3, gt=0, description="largest rate of the one-cycle schedule")
    weight_decay: float = Field(1e-2, ge=0, description="decoupled weight decay")


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


def mean_pt_fluctuation(multiplicity: NDArray[np.float32], mean_pt: NDArray[np.float32]) -> NDArray[np.float32]:
    """[pT] of each event over its shape's quadratic trend with multiplicity, minus one; both (shape, event)."""
    powers = multiplicity[..., None].astype(np.float64) ** np.arange(3)  # (shape, event, 3)
    if multiplicity.shape[1] < LEAST_EVENTS:
        raise BadInput(f"{multiplicity.shape[1]} events a shape: an image needs at least {LEAST_EVENTS}")
    transposed = powers.transpose(0, 2, 1)
    coefficients = np.linalg.pinv(transposed @ powers) @ (transposed @ mean_pt[..., None].astype(np.float64))
    return (mean_pt / (powers @ coefficients)[..., 0] - 1).astype(np.float32)


LEAST_EVENTS = 100
"""Fewer events make no image."""
MEAN_PT_SPREAD = 0.05
"""Typical standard deviation of the [pT] fluctuation at fixed multiplicity: the unit of the second channel."""


def images(config: NuclearShapeConfig, records: Arrays, rng: np.random.Generator | None) -> Inputs:
    """The two-channel images (shape, 2, v2_bin, multiplicity_bin) of records; with ``rng`` of a random part of events.

    The part is ``resampled_fraction``.

    Channel 0: density of events, mean 1. Channel 1: sum over the pixel's events of the [pT] fluctuation in units of
    its spread, over the root of the pixel's count: a significance, scaled to one event a pixel on average.
    """
    multiplicity, v2 = records["multiplicity"], records["v2"]
    fluctuation = mean_pt_fluctuation(multiplicity, records["mean_pt"]) / MEAN_PT_SPREAD
    column = np.clip(multiplicity * (PIXELS / config.multiplicity_max), 0, PIXELS - 1).astype(np.int64)
    row = np.clip(v2 * (PIXELS / config.v2_max), 0, PIXELS - 1).astype(np.int64)
    shape_number = np.arange(len(v2))[:, None]
    pixel = (shape_number * PIXELS + row) * PIXELS + column
    used = np.ones(v2.shape, bool) if rng is None else rng.random(v2.shape, np.float32) < config.resampled_fraction
    bins = len(v2) * PIXELS**2
    count = np.bincount(pixel[used], minlength=bins).reshape(len(v2), -1)
    total = np.bincount(pixel[used], fluctuation[used], bins).reshape(len(v2), -1)
    per_pixel = count.sum(1, keepdims=True) / PIXELS**2
    density = count / per_pixel
    significance = total / np.sqrt(np.maximum(count, 1) * per_pixel)
    return np.stack([density, significance], axis=1).reshape(-1, 2, PIXELS, PIXELS).astype(np.float32)


def targets(config: NuclearShapeConfig, records: Arrays) -> NDArray[np.float32]:
    """(shape, 4): |beta2|, |beta4|, beta2, beta4."""
    beta2, beta4 = records["beta2"], records["beta4"]
    return np.stack([np.abs(beta2), np.abs(beta4), beta2, beta4], axis=1).astype(np.float32)


CENTRALITY_EDGES = (0.0, 0.04, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Bins, as fractions of the events of an image counted from the highest multiplicity."""


def moments(inputs: Inputs, channels: tuple[int, ...]) -> NDArray[np.float64]:
    """What a physicist would measure: moments of (v2, dN/dY) in bins of centrality, from the image alone.

    In each bin: mean, standard deviation, skewness of v2 and mean of v2^2; mean and standard deviation of dN/dY; the
    covariance of both; with the size channel also the mean of the [pT] fluctuation and its covariance with v2 and v2^2.

    Returns:
        (sample, feature).
    """
    density = inputs[:, 0].astype(np.float64)
    axis = (np.arange(PIXELS) + 0.5) / PIXELS
    v2, multiplicity = axis[:, None], axis[None, :]
    per_column = density.sum(1)
    above = per_column[:, ::-1].cumsum(1)[:, ::-1] / per_column.sum(1, keepdims=True)  # fraction at or above a column
    below_edge = above - per_column / per_column.sum(1, keepdims=True)
    fluctuation = inputs[:, 1].astype(np.float64) * np.sqrt(density)  # back to the sum over the pixel's events
    features = []
    for low, high in pairwise(CENTRALITY_EDGES):
        # the part of each column's events that lies in this bin of centrality
        part = np.clip(np.minimum(above, high) - np.maximum(below_edge, low), 0, None) / np.maximum(
            above - below_edge, 1e-12
        )
        weight = density * part[:, None, :]
        norm = weight.sum((1, 2))

        def mean(values: NDArray[np.float64], weight: NDArray[np.float64] = weight) -> NDArray[np.float64]:
            found: NDArray[np.float64] = (weight * values).sum((1, 2)) / norm  # noqa: B023
            return found

        v2_mean, v2_square, s_mean = mean(v2), mean(v2**2), mean(multiplicity)
        v2_sd = np.sqrt(np.maximum(v2_square - v2_mean**2, 1e-12))
        v2_skewness = (mean(v2**3) - 3 * v2_mean * v2_square + 2 * v2_mean**3) / v2_sd**3
        s_sd = np.sqrt(np.maximum(mean(multiplicity**2) - s_mean**2, 1e-12))
        features += [v2_mean, v2_sd, v2_skewness, v2_square, s_mean, s_sd, mean(v2 * multiplicity) - v2_mean * s_mean]
        if 1 in channels:
            sums = fluctuation * part[:, None, :]
            pt = sums.sum((1, 2)) / norm
            features += [
                pt,
                (sums * v2).sum((1, 2)) / norm - pt * v2_mean,
                (sums * v2**2).sum((1, 2)) / norm - pt * v2_square,
            ]
    return np.stack(features, axis=1)


def network(config: NuclearShapeConfig, channels: tuple[int, ...], reduction: int | None) -> nn.Module:
    """The SE-ResNet of the publication (``reduction`` None: without squeeze-excitation), mean and variance a target."""
    from cloudchamber.networks.se_resnet import SEResNet

    return SEResNet(len(channels), 2 * len(TARGETS), width=config.width, reduction=reduction, stabilize=(0,))


def predictors(config: NuclearShapeConfig, seed: int, device: str) -> dict[str, Predictor]:
    """Floor, physicist's methods and networks; ``*_size`` also read the size channel."""
    from cloudchamber.baselines.linear import Ridge
    from cloudchamber.baselines.mean import TrainingMean
    from cloudchamber.baselines.template_fit import TemplateFit
    from cloudchamber.baselines.trees import Boosting
    from cloudchamber.learning.ensemble import DeepEnsemble
    from cloudchamber.learning.supervised import TrainingOptions

    options = TrainingOptions().changed({name: getattr(config, name) for name in TRAINING})

    def ensemble(title: str, members: int, channels: tuple[int, ...], reduction: int | None) -> DeepEnsemble:
        select = (0, 1) if channels == IMAGE else (0, 1, 2)  # the targets that can be learned from these channels
        make = partial(network, config, channels, reduction)
        return DeepEnsemble(title, make, options, members, channels, select, seed, device)

    image, size = partial(moments, channels=IMAGE), partial(moments, channels=IMAGE_AND_SIZE)
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
    from cloudchamber.metrics.calibration import coverage
    from cloudchamber.metrics.classification import sign_accuracy
    from cloudchamber.metrics.regression import mae, r2

    found: list[Row] = []
    for name, prediction in predictions.items():
        for column, target in enumerate(TARGETS):
            true, said = truth[:, column], prediction.mean[:, column]
            measured = {"r2": r2(true, said, rng), "mae": mae(true, said, rng)}
            if target == "beta2":
                measured["sign_accuracy"] = sign_accuracy(true, said, SIGN_THRESHOLD, rng)
            if prediction.std is not None:
                for level in (0.68, 0.95):
                    measured[f"coverage_{level:.0%}".rstrip("%")] = coverage(
                        true, said, prediction.std[:, column], level
                    )
            found += [
                {
                    "predictor": name,
                    "target": target,
                    "metric": metric,
                    "value": m.value,
                    "error": m.error,
                    "n": m.n,
                    "unit": "",
                }
                for metric, m in measured.items()
            ]
    return found


# --- what the network has learned -------------------------------------------------------------------------------------

EXPLAINED = "se_resnet"
"""The network whose attention the publication shows: image (v2, dN/dY) alone."""
ATTENTION_EDGES = np.arange(0.0, 0.501, 0.05)
"""Bins of |beta2| (the publication: 0.02, with 77 images a shape)."""
TOE = ((0.0, 0.05), (0.9, 1.2))
"""((v2 low, high), (dN/dY low, high)): the most central events with little flow."""
ANKLE = ((0.08, 0.25), (0.35, 0.65))
"""Semi-central events, dN/dY near 0.5, with much flow."""


def _explained(
    predictors: Mapping[str, Predictor], test: Samples, most: int
) -> tuple[nn.Module, nn.Module, Inputs, NDArray[np.float32]]:
    """The first member's mean function and network, and the images and targets of at most ``most`` test shapes."""
    from cloudchamber.learning.ensemble import DeepEnsemble

    ensemble = predictors[EXPLAINED]
    assert isinstance(ensemble, DeepEnsemble)
    chosen = np.arange(min(len(test), most))
    return ensemble.mean_function(0), ensemble.members_modules[0], test.inputs(chosen), test.targets[chosen]


def attention(
    config: NuclearShapeConfig, predictors: Mapping[str, Predictor], test: Samples, rng: np.random.Generator
) -> Arrays:
    """Regression Attention Masks per |beta2|, and how much of them lies on toe and ankle (arXiv:1906.06429)."""
    import torch

    from cloudchamber.explain.regression_attention_mask import attention_by_bin

    function, _, images, truth = _explained(predictors, test, 2000)
    found = attention_by_bin(
        function,
        torch.from_numpy(images),
        truth[:, 0],
        ATTENTION_EDGES,
        regions={"toe": TOE, "ankle": ANKLE},
        extent=((0.0, config.v2_max), (0.0, config.multiplicity_max)),
    )
    regions = {f"{name}_region": np.array([*where[1], *where[0]]) for name, where in (("toe", TOE), ("ankle", ANKLE))}
    return {"edges": ATTENTION_EDGES, **found, **regions}


def maps(
    config: NuclearShapeConfig, predictors: Mapping[str, Predictor], test: Samples, rng: np.random.Generator
) -> Arrays:
    """Grad-CAM, class-activation map, LIME and occlusion of single test images, small to large |beta2|."""
    import torch

    from cloudchamber.explain.registry import EXPLANATIONS

    function, _, images, truth = _explained(predictors, test, 2000)
    near = [int(np.abs(truth[:, 0] - value).argmin()) for value in (0.0, 0.15, 0.3, 0.45)]
    chosen = torch.from_numpy(images[near])
    return {
        "image": images[near, 0],
        "abs_beta2": truth[near, 0],
        **{name: explanation(function, chosen) for name, explanation in EXPLANATIONS.items()},
    }


def features(
    config: NuclearShapeConfig, predictors: Mapping[str, Predictor], test: Samples, rng: np.random.Generator
) -> Arrays:
    """The image that excites a neuron most, for neurons from shallow to deep (activation maximisation)."""
    import torch

    from cloudchamber.explain.feature_visualization import feature_visualization, neurons

    function, _, images, _ = _explained(predictors, test, 200)
    start = torch.from_numpy(images.mean(0))
    chosen = neurons(function, per_depth=4)
    layers = list(dict.fromkeys(layer for layer, _ in chosen))
    pattern = np.full((len(layers), 4, PIXELS, PIXELS), np.nan, np.float32)  # NaN: a layer with fewer neurons
    gain = np.full((len(layers), 4), np.nan)
    for row, layer in enumerate(layers):
        for column, neuron in enumerate(number for name, number in chosen if name == layer):
            one = feature_visualization(function, layer, neuron, start, steps=60)
            pattern[row, column] = one.image[0]
            gain[row, column] = one.activation[-1] - one.activation[0]
    return {"layer_names": np.array(layers), "pattern": pattern, "gain": gain, "start": images.mean(0)[0]}


def sanity(
    config: NuclearShapeConfig, predictors: Mapping[str, Predictor], test: Samples, rng: np.random.Generator
) -> Arrays:
    """Do the maps change when the weights are random, and do they find what matters better than random maps do?"""
    import torch

    from cloudchamber.explain.registry import EXPLANATIONS
    from cloudchamber.explain.sanity import FRACTIONS, deletion_curve, insertion_curve, randomization_similarity

    function, _, images, _ = _explained(predictors, test, 16)
    chosen = torch.from_numpy(images)
    background = chosen.mean(0)
    columns: dict[str, list[NDArray[np.float64] | float]] = {}
    for explanation in EXPLANATIONS.values():
        similarity = randomization_similarity(explanation, function, chosen, seed=int(rng.integers(2**31)))
        importance = np.abs(explanation(function, chosen))  # evidence for less counts like evidence for more
        found: dict[str, NDArray[np.float64] | float] = {
            "similarity": float(similarity.correlation[-1]),
            "similarity_error": float(similarity.error[-1]),
        }
        for name, curve in (("deletion", deletion_curve), ("insertion", insertion_curve)):
            one = curve(function, chosen, importance, FRACTIONS, background)
            found |= {
                name: one.change,
                f"{name}_error": one.change_error,
                f"{name}_random": one.random,
                f"{name}_random_error": one.random_error,
                f"{name}_difference": one.difference,
                f"{name}_difference_error": one.difference_error,
            }
        for key, value in found.items():
            columns.setdefault(key, []).append(value)
    return {
        "method": np.array(list(EXPLANATIONS)),
        "fraction": np.asarray(FRACTIONS),
        **{k: np.stack(v) for k, v in columns.items()},
    }


# --- pictures of the data ---------------------------------------------------------------------------------------------


def gallery(config: NuclearShapeConfig, records: Records) -> Arrays:
    """Images of five shapes from oblate to prolate, two collisions, and how the degeneracy fades with statistics."""
    everything = np.arange(len(records), dtype=np.int64)
    truth = records.read(everything, ["beta2", "beta4"])
    known = np.stack([truth["beta2"], truth["beta4"]], axis=1)
    wanted = [(fraction * config.beta2_max, 0.0) for fraction in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    near = np.array([np.hypot(*(known - np.array(one)).T).argmin() for one in wanted])
    arrays = records.read(near)
    return {
        "image": images(config, arrays, None),
        "image_beta": np.stack([arrays["beta2"], arrays["beta4"]], axis=1),
        "edges_v2": np.linspace(0, config.v2_max, PIXELS + 1),
        "edges_multiplicity": np.linspace(0, config.multiplicity_max, PIXELS + 1),
        **two_collisions(config),
        **degeneracy_with_statistics(config, records),
    }


def two_collisions(config: NuclearShapeConfig) -> Arrays:
    """Entropy of the roundest and of the most elongated of 300 head-on collisions of prolate nuclei (beta2 = 0.28)."""
    from cloudchamber.simulators.heavyion.collisions import CollisionOptions, collide
    from cloudchamber.simulators.heavyion.nuclei import nucleus

    prolate = nucleus(config.nucleus, radius=config.radius, diffuseness=config.diffuseness, beta2=0.28, beta4=0.0)
    options = CollisionOptions(cross_section=config.cross_section, b_max=0.5)
    events = collide(prolate, prolate, 300, 1, options, profiles=True)
    e2 = events["eccentricity2"]
    compact = np.argsort(e2)[: len(e2) // 5]
    tip = compact[events["inverse_area"][compact].argmax()]
    body = e2.argmax()
    half = options.grid_max
    return {
        "profile": events["entropy_profile"][[tip, body]],
        "profile_title": np.array(["tip on tip: round and compact", "body on body: elongated"]),
        "profile_eccentricity2": e2[[tip, body]],
        "profile_multiplicity": events["multiplicity"][[tip, body]],
        "profile_extent": np.array([-half, half, -half, half]),
    }


def degeneracy_with_statistics(config: NuclearShapeConfig, records: Records) -> Arrays:
    """R2 of signed beta2 by ridge on moments, ten-fold cross-validated over shapes, against the events of an image.

    F(v2, dN/dY | beta2) and F(v2, dN/dY | -beta2) are similar, not equal: what few events cannot tell apart, many can.

    Returns:
        degeneracy_events (size,), degeneracy_r2 and degeneracy_error (2, size): image alone, image and size.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from cloudchamber.metrics.regression import r2

    kept = records.read(np.zeros(1, np.int64), ["v2"])["v2"].shape[1]
    sizes = [size for size in (250, 500, 1000, 2000, 4000, 8000, 16000, 32000) if size < kept] + [kept]
    features: dict[tuple[int, int], list[NDArray[np.float64]]] = {}
    beta2 = []
    for part in np.array_split(np.arange(len(records)), max(len(records) // 64, 1)):
        arrays = records.read(part)
        beta2.append(arrays["beta2"])
        for column, size in enumerate(sizes):
            few = {name: values[:, :size] if values.ndim == 2 else values for name, values in arrays.items()}
            inputs = images(config, few, None)
            for row, channels in enumerate((IMAGE, IMAGE_AND_SIZE)):
                features.setdefault((row, column), []).append(moments(inputs, channels))
    truth = np.concatenate(beta2)
    value, error = np.zeros((2, len(sizes))), np.zeros((2, len(sizes)))
    for (row, column), parts in features.items():
        model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 4, 15)))
        folds = KFold(min(10, len(truth)), shuffle=True, random_state=0)
        said = cross_val_predict(model, np.concatenate(parts), truth, cv=folds)
        one = r2(truth, said, np.random.default_rng(0))
        value[row, column], error[row, column] = one.value, one.error
    return {"degeneracy_events": np.array(sizes), "degeneracy_r2": value, "degeneracy_error": error}


def sections(config: NuclearShapeConfig, run: Path) -> list[Section]:
    """The report's sections."""
    from cloudchamber.report.nuclei import nuclear_shape_sections

    return nuclear_shape_sections(run, config, {name: probe.title for name, probe in study.probes.items()})


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
    {
        "beta2_points": 27,
        "beta4_points": 11,
        "events": 3000,
        "width": 4,
        "members": 2,
        "ablation_members": 1,
        "epochs": 30,
    }
)
STANDARD = SMALL.changed(
    {
        "beta2_points": 41,
        "beta4_points": 17,
        "events": 16_000,
        "width": 8,
        "members": 4,
        "ablation_members": 4,
        "epochs": 60,
    }
)
PAPER = NuclearShapeConfig()

study = PredictorStudy(
    name="nuclear-shape",
    title="The shape of a nucleus from heavy-ion collisions",
    question="Can a network read the deformation of uranium out of (v2, dN/dY), and where does it look?",
    reference="arXiv:1906.06429",
    presets={"tiny": TINY, "quick": QUICK, "standard": STANDARD, "paper": PAPER},
    schema={
        "beta2": Array("shape", "", "quadrupole deformation of the Woods-Saxon surface", low=-0.6, high=0.6),
        "beta4": Array("shape", "", "hexadecapole deformation of the Woods-Saxon surface", low=-0.3, high=0.3),
        "multiplicity": Array(
            "shape event", "", "dN/dY over its mean in the shape's own most central 1 %", low=0, high=5
        ),
        "v2": Array("shape event", "", "elliptic flow", low=0, high=1),
        "mean_pt": Array(
            "shape event", "", "[pT] proxy 1/sqrt(area) over its mean in the most central 1 %", low=0, high=10
        ),
    },
    lengths=lambda config: {},  # a user's shape may have any number of events
    records=lambda config: config.beta2_points * config.beta4_points,
    records_per_chunk=4,
    simulate=simulate,
    learning_settings=(
        "resampled_fraction",
        "width",
        "members",
        "ablation_members",
        "v2_max",
        "multiplicity_max",
        *TRAINING,
    ),
    input_name="image",
    input=Array("shape channel v2_bin multiplicity_bin", "", "density of events; significance of the [pT] fluctuation"),
    input_lengths=lambda config: {"channel": 2, "v2_bin": PIXELS, "multiplicity_bin": PIXELS},
    inputs=images,
    targets=targets,
    target_names=TARGETS,
    target_unit="",
    predictors=predictors,
    rows=rows,
    headline=("se_resnet_size", "abs_beta2", "r2"),
    probes={
        "sharp-surface": Probe(
            "uranium with a sharper surface (R = 6.86 fm, a = 0.42 fm)", _with_surface, _probe_records
        ),
        "xenon": Probe("xenon: a smaller nucleus (A = 129, R = 5.36 fm)", _with_xenon, _probe_records),
    },
    gallery=gallery,
    explanations={"attention": attention, "maps": maps, "features": features, "sanity": sanity},
    sections=sections,
    citation="L.-G. Pang, K. Zhou, X.-N. Wang, Deep learning nuclear shape deformation, arXiv:1906.06429 (2019)",
)
