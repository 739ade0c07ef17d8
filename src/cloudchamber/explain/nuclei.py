"""What the network of nuclear shapes has learned, and pictures of what it learned from.

Paper: L.-G. Pang, K. Zhou, X.-N. Wang, arXiv:1906.06429 (attention masks, toe and ankle). Every explanation is
(configuration, predictors, test samples, random generator) to arrays, as ``study.LearningStudy.explanations`` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cloudchamber.baselines.centrality_moments import centrality_moments
from cloudchamber.data.nuclei import PIXELS, images
from cloudchamber.data.samples import Inputs, Records, Samples
from cloudchamber.explain.feature_visualization import feature_visualization, neurons
from cloudchamber.explain.registry import EXPLANATIONS
from cloudchamber.explain.regression_attention_mask import attention_by_bin
from cloudchamber.explain.sanity import FRACTIONS, deletion_curve, insertion_curve, randomization_similarity
from cloudchamber.learning.ensemble import DeepEnsemble
from cloudchamber.metrics.regression import r2
from cloudchamber.schema import Arrays
from cloudchamber.simulators.heavyion.collisions import CollisionOptions, collide
from cloudchamber.simulators.heavyion.nuclei import nucleus


class ShapeSettings(Protocol):
    """What is read of the study's configuration."""

    nucleus: str
    radius: float | None
    diffuseness: float | None
    cross_section: float
    beta2_max: float
    v2_max: float
    multiplicity_max: float


EXPLAINED = "se_resnet"
"""The network whose attention the publication shows: image (v2, dN/dY) alone."""
ATTENTION_EDGES = np.arange(0.0, 0.501, 0.05)
"""Bins of ``|beta2|`` (the publication: 0.02, with 77 images a shape)."""
TOE = ((0.0, 0.05), (0.9, 1.2))
"""((v2 low, high), (dN/dY low, high)): the most central events with little flow."""
ANKLE = ((0.08, 0.25), (0.35, 0.65))
"""Semi-central events, dN/dY near 0.5, with much flow."""


def _explained(
    predictors: Mapping[str, Any], test: Samples, most: int
) -> tuple[nn.Module, Inputs, NDArray[np.float32]]:
    """The first member's mean function, and the images and targets of at most ``most`` test shapes."""
    ensemble = predictors[EXPLAINED]
    assert isinstance(ensemble, DeepEnsemble)
    chosen = np.arange(min(len(test), most))
    return ensemble.mean_function(0), test.inputs(chosen), test.targets[chosen]


def attention(config: ShapeSettings, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:
    """Regression Attention Masks per ``|beta2|``, and how much of them lies on toe and ankle (arXiv:1906.06429)."""
    function, pictures, truth = _explained(predictors, test, 2000)
    found = attention_by_bin(
        function,
        torch.from_numpy(pictures),
        truth[:, 0],
        ATTENTION_EDGES,
        regions={"toe": TOE, "ankle": ANKLE},
        extent=((0.0, config.v2_max), (0.0, config.multiplicity_max)),
    )
    regions = {f"{name}_region": np.array([*where[1], *where[0]]) for name, where in (("toe", TOE), ("ankle", ANKLE))}
    return {"edges": ATTENTION_EDGES, **found, **regions}


def maps(config: ShapeSettings, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:
    """Grad-CAM, class-activation map, LIME and occlusion of single test images, small to large ``|beta2|``."""
    function, pictures, truth = _explained(predictors, test, 2000)
    near = [int(np.abs(truth[:, 0] - value).argmin()) for value in (0.0, 0.15, 0.3, 0.45)]
    chosen = torch.from_numpy(pictures[near])
    return {
        "image": pictures[near, 0],
        "abs_beta2": truth[near, 0],
        **{name: explanation(function, chosen) for name, explanation in EXPLANATIONS.items()},
    }


def features(config: ShapeSettings, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:
    """The image that excites a neuron most, for neurons from shallow to deep (activation maximisation)."""
    function, pictures, _ = _explained(predictors, test, 200)
    start = torch.from_numpy(pictures.mean(0))
    chosen = neurons(function, per_depth=4)
    layers = list(dict.fromkeys(layer for layer, _ in chosen))
    pattern = np.full((len(layers), 4, PIXELS, PIXELS), np.nan, np.float32)  # NaN: a layer with fewer neurons
    gain = np.full((len(layers), 4), np.nan)
    for row, layer in enumerate(layers):
        for column, neuron in enumerate(number for name, number in chosen if name == layer):
            one = feature_visualization(function, layer, neuron, start, steps=60)
            pattern[row, column] = one.image[0]
            gain[row, column] = one.activation[-1] - one.activation[0]
    return {"layer_names": np.array(layers), "pattern": pattern, "gain": gain, "start": pictures.mean(0)[0]}


def sanity(config: ShapeSettings, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:
    """Do the maps change when the weights are random, and do they find what matters better than random maps do?"""
    function, pictures, _ = _explained(predictors, test, 16)
    chosen = torch.from_numpy(pictures)
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


def gallery(config: ShapeSettings, records: Records) -> Arrays:
    """Images of five shapes from oblate to prolate, two collisions, and how the degeneracy fades with statistics."""
    everything = np.arange(len(records), dtype=np.int64)
    truth = records.read(everything, ["beta2", "beta4"])
    known = np.stack([truth["beta2"], truth["beta4"]], axis=1)
    wanted = [(fraction * config.beta2_max, 0.0) for fraction in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    near = np.array([np.hypot(*(known - np.array(one)).T).argmin() for one in wanted])
    arrays = records.read(near)
    return {
        "image": images(arrays, v2_max=config.v2_max, multiplicity_max=config.multiplicity_max),
        "image_beta": np.stack([arrays["beta2"], arrays["beta4"]], axis=1),
        "edges_v2": np.linspace(0, config.v2_max, PIXELS + 1),
        "edges_multiplicity": np.linspace(0, config.multiplicity_max, PIXELS + 1),
        **two_collisions(config),
        **degeneracy_with_statistics(config, records),
    }


def two_collisions(config: ShapeSettings) -> Arrays:
    """Entropy of the roundest and of the most elongated of 300 head-on collisions of prolate nuclei (beta2 = 0.28)."""
    prolate = nucleus(config.nucleus, radius=config.radius, diffuseness=config.diffuseness, beta2=0.28, beta4=0.0)
    options = CollisionOptions(cross_section=config.cross_section, b_max=0.5)  # a finer grid than the training's
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


def degeneracy_with_statistics(config: ShapeSettings, records: Records) -> Arrays:
    """R2 of signed beta2 by ridge on moments, ten-fold cross-validated over shapes, against the events of an image.

    F(v2, dN/dY | beta2) and F(v2, dN/dY | -beta2) are similar, not equal: what few events cannot tell apart, many can.

    Returns:
        degeneracy_events (size,), degeneracy_r2 and degeneracy_error (2, size): image alone, image and size.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kept = records.read(np.zeros(1, np.int64), ["v2"])["v2"].shape[1]
    sizes = [size for size in (250, 500, 1000, 2000, 4000, 8000, 16000, 32000) if size < kept] + [kept]
    features: dict[tuple[int, int], list[NDArray[np.float64]]] = {}
    beta2 = []
    for part in np.array_split(np.arange(len(records)), max(len(records) // 64, 1)):
        arrays = records.read(part)
        beta2.append(arrays["beta2"])
        for column, size in enumerate(sizes):
            few = {name: values[:, :size] if values.ndim == 2 else values for name, values in arrays.items()}
            inputs = images(few, v2_max=config.v2_max, multiplicity_max=config.multiplicity_max)
            for row, channels in enumerate(((0,), (0, 1))):
                features.setdefault((row, column), []).append(centrality_moments(inputs, channels))
    truth = np.concatenate(beta2)
    value, error = np.zeros((2, len(sizes))), np.zeros((2, len(sizes)))
    for (row, column), parts in features.items():
        model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 4, 15)))
        folds = KFold(min(10, len(truth)), shuffle=True, random_state=0)
        said = cross_val_predict(model, np.concatenate(parts), truth, cv=folds)
        one = r2(truth, said, np.random.default_rng(0))
        value[row, column], error[row, column] = one.value, one.error
    return {"degeneracy_events": np.array(sizes), "degeneracy_r2": value, "degeneracy_error": error}
