"""What makes a fitted network call a sky signal, cosmic ray by cosmic ray: the explanations of a run as arrays.

Relevance is propagated by the three rules of ``explain.lrp`` (doi:10.1371/journal.pone.0130140), from DeepSphere's
pixels shared among their cosmic rays; beside it stand the graph network's own probability of each cosmic ray
(arXiv:2003.13038) and the event weights of the likelihood scans. Simulated skies know the answer.

Conventions: a method is ``"predictor:kind"``, the kind a rule, ``probability`` or ``weight``. z+ makes all relevance of
the sign of the output, so that its sign is taken out; the other rules have positive relevance for what speaks for
signal whatever the output is. Relevance is divided by its root mean square in a sky, so that a sky counts once.
Which skies are looked at is fixed by the test split and the settings; their number grows with the simulated skies and
falls with the cost of a method, about 4 minutes on one core at 20 000 skies of 1000 cosmic rays with nside 64.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from cloudchamber.baselines.sky_likelihood import TemplateScan, VonMisesFisherScan
from cloudchamber.data.samples import Inputs, Samples
from cloudchamber.explain.lrp import Relevance, pixels_to_cosmic_rays, relevance_of_cosmic_rays, relevance_of_pixels
from cloudchamber.explain.lrp_rules import RULES, Rule, Sharing
from cloudchamber.explain.sanity import randomization_similarity
from cloudchamber.explain.sky_sanity import FRACTIONS, deletion_by_relevance, signal_auc
from cloudchamber.learning.source_detector import SourceDetector
from cloudchamber.metrics.classification import roc as roc_curve
from cloudchamber.networks.deepsphere import DeepSphere
from cloudchamber.networks.dynamic_graph import DynamicGraph
from cloudchamber.schema import Arrays, BadInput

log = logging.getLogger("cloudchamber")

Doubles = NDArray[np.float64]

SHOWN = (0.01, 0.03, 0.055)
"""Signal fractions of the skies that are drawn; the talk shows the first, and trains with the last."""
MOST_SKIES = 200
"""Skies of the ROC; for the dear rules fewer."""
LEAST_SKIES = 8
STEPS = (0.25, 0.5, 0.75, 1.0)
"""Parts of the layers, from the output down, that get random weights."""
CURVE = np.unique(np.concatenate([np.linspace(0, 1, 101), np.geomspace(1e-4, 1, 98)]))
"""Isotropic cosmic rays accepted at the points of a ROC curve."""
PIXEL_COST: Mapping[Rule, float] = {"epsilon": 5e-6, "gamma": 4e-5, "z_plus": 4e-5}
"""Measured seconds of one core a pixel; STANDARD's widths."""
GRAPH_COST: Mapping[Rule, float] = {"epsilon": 5e-4, "gamma": 9e-4, "z_plus": 7e-4}
"""Measured seconds of one core a cosmic ray; STANDARD's widths, 24 neighbours."""


class SkySettings(Protocol):
    """What is read of a study's configuration."""

    @property
    def skies(self) -> int:
        """Simulated skies."""
        ...

    @property
    def cosmic_rays(self) -> int:
        """Cosmic rays of each."""
        ...

    @property
    def exposure(self) -> str:
        """With which skies are seen."""
        ...


# --- relevance and its rivals -----------------------------------------------------------------------------------------


def networks(predictors: Mapping[str, Any], rays: Inputs) -> dict[str, SourceDetector]:
    """The predictors whose networks relevance propagation knows, by name; the others are named in the log.

    Args:
        predictors: by name.
        rays: (sky, cosmic_ray, 4), of which the first sky is tried.
    """
    found = {}
    for name, one in predictors.items():
        if isinstance(one, SourceDetector) and isinstance(one.network, DeepSphere | DynamicGraph):
            try:
                by_cosmic_ray(one, one.network, rays[:1], "epsilon")
            except BadInput as error:
                log.warning("no relevance of %s: %s", name, error)
                continue
            found[name] = one
    return found


def relevance(network: torch.nn.Module, seen: torch.Tensor, rule: Rule) -> Relevance:
    """Relevance for the log-odds, in the form of what the network reads."""
    if isinstance(network, DeepSphere):
        return relevance_of_pixels(network, seen, 0, Sharing(rule), batch=4)
    assert isinstance(network, DynamicGraph)
    return relevance_of_cosmic_rays(network, seen, 0, Sharing(rule))


def by_cosmic_ray(detector: SourceDetector, network: torch.nn.Module, rays: Inputs, rule: Rule) -> Doubles:
    """Scores (sky, cosmic_ray) of ``network``, which reads what the detector's does: see the module."""
    found = relevance(network, torch.from_numpy(detector.look(np.ascontiguousarray(rays))), rule)
    values = found.values
    if isinstance(network, DeepSphere):
        values = pixels_to_cosmic_rays(values, rays, network.nside)
    if rule == "z_plus":
        values = values * np.where(found.output < 0, -1.0, 1.0)[:, None]
    size = np.sqrt(np.square(values).mean(axis=1, keepdims=True))
    return np.asarray(values / np.where(size > 0, size, 1.0), dtype=np.float64)


Score = Callable[[Inputs], Doubles]
"""Cosmic rays (sky, cosmic_ray, 4) to scores (sky, cosmic_ray), larger for signal."""


def scores(predictors: Mapping[str, Any], rays: Inputs, rules: tuple[Rule, ...] = RULES) -> dict[str, Score]:
    """Everything that says which cosmic rays are signal, by method; for ``rays`` see ``networks``."""
    known = networks(predictors, rays)
    found: dict[str, Score] = {}
    for name, one in predictors.items():
        if name in known:
            found |= {f"{name}:{rule}": _relevance_of(known[name], rule) for rule in rules}
        if isinstance(one, SourceDetector) and isinstance(one.network, DynamicGraph):
            found[f"{name}:probability"] = one.cosmic_ray_probability
        if isinstance(one, VonMisesFisherScan | TemplateScan):
            found[f"{name}:weight"] = one.event_weights
    return found


def _relevance_of(detector: SourceDetector, rule: Rule) -> Score:
    return lambda rays: by_cosmic_ray(detector, detector.network, rays, rule)


# --- which skies ------------------------------------------------------------------------------------------------------


def _affordable(config: SkySettings, detector: object, rule: Rule, seconds: float, most: int, rays: int) -> int:
    """Skies whose relevance takes so many seconds at 20 000 simulated skies, fewer in proportion with fewer skies."""
    network = getattr(detector, "network", None)
    cost = PIXEL_COST[rule] * 12 * network.nside**2 if isinstance(network, DeepSphere) else GRAPH_COST[rule] * rays
    wanted = int(seconds * min(config.skies / 20_000, 1.0) / cost)
    return min(max(wanted, LEAST_SKIES), most)


def shown_skies(test: Samples) -> NDArray[np.int64]:
    """Positions of the skies that are drawn: nearest to each of SHOWN, then an isotropic one; as far as there are."""
    fraction, there = test.targets[:, 1], test.targets[:, 0] > 0
    signal = np.flatnonzero(there)
    near = [int(signal[np.abs(fraction[signal] - wanted).argmin()]) for wanted in SHOWN if len(signal)]
    return np.array([*dict.fromkeys(near), *np.flatnonzero(~there)[:1]], dtype=np.int64)


def _signal_skies(test: Samples, most: int) -> NDArray[np.int64]:
    """Positions of skies with signal that are not drawn, if there are enough of them; else of all."""
    every = np.flatnonzero(test.targets[:, 0] > 0)
    hidden = np.setdiff1d(every, shown_skies(test))
    return (hidden if len(hidden) >= LEAST_SKIES else every)[:most]


def _truth(test: Samples, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(sky, cosmic_ray): which cosmic rays are from a source."""
    signal: NDArray[np.bool_] = test.records.read(test.indices[rows], ["signal"])["signal"] > 0
    return signal


# --- the explanations -------------------------------------------------------------------------------------------------


def maps(
    config: SkySettings,  # noqa: ARG001
    predictors: Mapping[str, Any],
    test: Samples,
    rng: np.random.Generator,  # noqa: ARG001
) -> Arrays:
    """A few skies, and what every method says about each of their cosmic rays.

    Returns:
        energy, signal (sky, cosmic_ray), direction (sky, cosmic_ray, 3), source (sky, 3); method (method,), score
        (method, sky, cosmic_ray); predictor (predictor,), statistic, fraction (predictor, sky), estimate
        (predictor, sky, 3), nan where a predictor says nothing.
    """
    rows = shown_skies(test)
    if not len(rows):
        return {}
    rays = test.inputs(rows)
    columns = test.records.read(test.indices[rows], ["signal", "source"])
    found = {method: score(rays) for method, score in scores(predictors, rays).items()}
    said = {name: predictor.predict(rays).mean.astype(np.float64) for name, predictor in predictors.items()}
    answers = np.stack(list(said.values()))
    return {
        "energy": rays[..., 3],
        "direction": rays[..., :3],
        "signal": columns["signal"],
        "source": columns["source"],
        "method": np.array(list(found), dtype=str),
        "score": np.array(list(found.values()), dtype=np.float32),
        "predictor": np.array(list(said), dtype=str),
        "statistic": answers[..., 0],
        "fraction": answers[..., 1],
        "estimate": answers[..., 2:],
    }


def roc(config: SkySettings, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:
    """How well every method tells signal cosmic rays from isotropic ones, those of all skies with signal together.

    Errors are bootstrapped over skies. Skies of a method are the first of the same list, so that rules are compared on
    those that all have (``common``).

    Returns:
        method, skies, auc, auc_error (method,); common_auc, common_auc_error (method,), common (): skies;
        false_positive (point,), true_positive (method, point); edges (bin + 1,) numbers of signal cosmic rays,
        auc_by_number, auc_by_number_error, skies_by_number (method, bin), nan for fewer than two skies.
    """
    rows = _signal_skies(test, MOST_SKIES)
    if len(rows) < 2:
        return {}
    rays, truth = test.inputs(rows), _truth(test, rows)
    if not (methods := scores(predictors, rays)):
        return {}
    number = truth.sum(axis=1)
    edges = np.quantile(number, [0, 1 / 3, 2 / 3, 1])
    place = np.clip(np.searchsorted(edges, number, "right") - 1, 0, 2)
    counts = {method: _skies_of(config, predictors, method, len(rows), rays.shape[1]) for method in methods}
    common = min(counts.values())
    columns: dict[str, list[Any]] = {}
    for method, score in methods.items():
        n = counts[method]
        said, true = score(rays[:n]), truth[:n]
        whole, shared = _area(said, true, rng), _area(said[:common], true[:common], rng)
        bins = [_area(said[place[:n] == one], true[place[:n] == one], rng) for one in range(3)]
        one = {
            "skies": n, "auc": whole[0], "auc_error": whole[1], "common_auc": shared[0], "common_auc_error": shared[1],
            "true_positive": np.interp(CURVE, *roc_curve(true.ravel(), said.ravel())),
            "auc_by_number": [area for area, _ in bins], "auc_by_number_error": [error for _, error in bins],
            "skies_by_number": np.bincount(place[:n], minlength=3),
        }  # fmt: skip
        for key, value in one.items():
            columns.setdefault(key, []).append(value)
    arrays = {key: np.array(values) for key, values in columns.items()}
    known = {"method": np.array(list(methods), dtype=str), "false_positive": CURVE, "edges": edges}
    return {**known, **arrays, "common": np.array(common)}


SECONDS: Mapping[Rule, float] = {"epsilon": 26.0, "gamma": 16.0, "z_plus": 14.0}
"""For the relevance of one network in the ROC, at 20 000 simulated skies."""


def _skies_of(config: SkySettings, predictors: Mapping[str, Any], method: str, most: int, rays: int) -> int:
    name, kind = method.split(":")
    for rule in RULES:
        if rule == kind:
            return _affordable(config, predictors[name], rule, SECONDS[rule], most, rays)
    seconds = 30.0 * min(config.skies / 20_000, 1.0)  # of the template scan, the dearest of the others
    return min(max(int(seconds / (1e-4 * rays)), 2 * LEAST_SKIES), most)


def _area(said: Doubles, true: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float]:
    """Area under the curve and its error; nan for fewer than two skies or one kind of cosmic rays."""
    if len(said) < 2 or true.all() or not true.any():
        return float("nan"), float("nan")
    return signal_auc(said, true, rng)


def deletion(config: SkySettings, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:
    """The log-odds of each network as cosmic rays get isotropic directions: in the order of a method, and at random.

    The random order and the isotropic directions are the same for all methods.

    Returns:
        network, method (row,); fraction (step,); statistic, statistic_error, random, random_error, difference,
        difference_error (row, step) of ``sky_sanity.SkyDeletion``; skies ().
    """
    rows = _signal_skies(test, MOST_SKIES // 2)
    if not len(rows) or not (found := networks(predictors, test.inputs(rows[:1]))):
        return {}
    rows = rows[
        : min(_affordable(config, one, "epsilon", 9.0, len(rows), config.cosmic_rays) for one in found.values())
    ]
    rays = test.inputs(rows)
    given = {method: score(rays) for method, score in scores(predictors, rays, ("epsilon",)).items()}
    seed = int(rng.integers(2**62))
    table: dict[str, list[Any]] = {"network": [], "method": []}
    for name, detector in found.items():
        for method, score in given.items():
            owner = method.split(":")[0]
            if owner in found and owner != name:
                continue  # relevance explains its own network
            curve = deletion_by_relevance(
                _log_odds(detector), rays, score, FRACTIONS, np.random.default_rng(seed), config.exposure
            )
            table["network"].append(name)
            table["method"].append(method)
            for key in ("statistic", "random", "difference"):
                table.setdefault(key, []).append(getattr(curve, key))
                table.setdefault(f"{key}_error", []).append(getattr(curve, f"{key}_error"))
    return {"fraction": np.array(FRACTIONS), "skies": np.array(len(rows)), **{k: np.array(v) for k, v in table.items()}}


def _log_odds(detector: SourceDetector) -> Callable[[Inputs], NDArray[np.floating[Any]]]:
    return lambda rays: detector.predict(rays).mean[:, 0]


def sanity(
    config: SkySettings,  # noqa: ARG001
    predictors: Mapping[str, Any],
    test: Samples,
    rng: np.random.Generator,
) -> Arrays:
    """Is relevance conserved from layer to layer, and does it change when weights are random?

    Returns:
        Of conservation, in the two skies with most signal, one row a layer, from the output down: layer_network,
        layer_rule, layer (row,), left and absorbed (row,), mean of the sum of relevance below the layer and of what it
        absorbed in units of the output, violation (row,), the largest ``|before - after - absorbed|`` of a sky
        over the mean ``|output|``.
        Of randomisation: random_network (network,), random_part (step,), similarity, similarity_error
        (network, step), rank correlation over cosmic rays with the relevance (epsilon) of the trained network, mean
        over skies.
    """
    rows = _signal_skies(test, LEAST_SKIES)
    if not len(rows) or not (found := networks(predictors, test.inputs(rows[:1]))):
        return {}
    rays = test.inputs(rows)
    strongest = np.argsort(-test.targets[rows, 1], kind="stable")[:2]
    table: dict[str, list[Any]] = {}
    similar: list[Doubles] = []
    errors: list[Doubles] = []
    for name, detector in found.items():
        seen = torch.from_numpy(detector.look(np.ascontiguousarray(rays[strongest])))
        for rule in RULES:
            for key, value in _conservation(name, rule, relevance(detector.network, seen, rule)):
                table.setdefault(key, []).append(value)
        few = rays if isinstance(detector.network, DeepSphere) else rays[: LEAST_SKIES // 2]
        one = randomization_similarity(
            _explained(detector), detector.network, torch.from_numpy(few), int(rng.integers(2**31)), STEPS
        )
        similar.append(one.correlation)
        errors.append(one.error)
    arrays = {key: np.array(values) for key, values in table.items()}
    return {
        **arrays,
        "random_network": np.array(list(found), dtype=str),
        "random_part": np.array(STEPS),
        "similarity": np.stack(similar),
        "similarity_error": np.stack(errors),
    }


def _explained(detector: SourceDetector) -> Callable[[torch.nn.Module, torch.Tensor], NDArray[np.float32]]:
    """Relevance of cosmic rays of any network of the detector's kind."""
    return lambda network, rays: by_cosmic_ray(detector, network, rays.numpy(), "epsilon").astype(np.float32)


def _conservation(name: str, rule: Rule, one: Relevance) -> Iterator[tuple[str, Any]]:
    """Columns of the table of ``sanity``, layer by layer."""
    size = float(np.abs(one.output).mean()) or 1.0
    safe = np.where(one.output == 0, 1.0, one.output)
    before = one.output
    for layer in one.layers:
        yield "layer_network", name
        yield "layer_rule", rule
        yield "layer", layer.name
        yield "left", float((layer.relevance / safe).mean())
        yield "absorbed", float((layer.absorbed / safe).mean())
        yield "violation", float(np.abs(before - layer.relevance - layer.absorbed).max() / size)
        before = layer.relevance
