"""Layer-wise relevance propagation through the networks on skies: which pixels, which cosmic rays make an output.

Bach et al., doi:10.1371/journal.pone.0130140; the rules for linear layers are in ``lrp_rules``. Their composition here:

* The relevance of an output is its value; so for a negative output relevance counts what makes it negative.
* Standardisation and batch normalisation (of evaluation mode) are part of the linear layer that reads them: the kernel
  is scaled, the shift goes into its bias. Raw maps are explained, and an empty pixel has no relevance.
* Activations with f(0) = 0 hand relevance on unchanged (publication, equations 50 to 52), dropout is the identity.
* Average pooling and means share in proportion to contributions, a maximum gives all to the winner, a variance shares
  by the squared distance from the mean.
* Weights that a network computes and multiplies features with (sigmoid, softmax) are constants: the features take all.
  The evidence ln(1 + exp(l)) of a cosmic ray is sigma l plus the entropy of sigma = 1 / (1 + exp(-l)), a bias; summed
  over cosmic rays it is one linear layer with the one that makes the logits l. (With the logits as a layer in between
  z+ sees logits above 0 only, and with evidence handed to them unchanged what makes a negative logit larger speaks
  against signal. Measured once by epsilon, gamma, z+ in 8 skies with 40 and 8 with 15 of 1000 cosmic rays from a
  source, mean AUC of a sky: 0.990, 0.992, 0.992 and 0.971, 0.972, 0.968; with a layer of logits 0.990, 0.992, 0.993 and
  0.971, 0.972, 0.684; handed on unchanged 0.935, 0.977, 0.992 and 0.267, 0.284, 0.968.)
* What belongs to a pair of cosmic rays (geometry of an edge, distance in learned coordinates) rests with the two, half
  each; the sum of signal probabilities rests with each cosmic ray in proportion. Graphs are held fixed.

A layer without a rule is refused. Relevance is conserved, layer by layer: ``sum after + absorbed = sum before``, where
biases and epsilon absorb. For epsilon = 0 and piecewise linear networks the epsilon rule is gradient times input.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn

from cloudchamber.explain.forward import evaluating
from cloudchamber.explain.lrp_rules import (
    EPSILON,
    ChebyshevMap,
    Dense,
    LinearMap,
    Shared,
    Sharing,
    WeightedSum,
    largest,
    mean,
    per_sample,
    scattered,
    share,
    variance,
)
from cloudchamber.layers.chebyshev import AveragePool, ChebyshevConv, ChebyshevStage, FeatureNorm, MaxPool
from cloudchamber.layers.edge_conv import EdgeConv
from cloudchamber.layers.edge_geometry import pair_geometry
from cloudchamber.layers.neighbours import most_alike, nearest, neighbours_of
from cloudchamber.layers.sky_maps import nested_pixels
from cloudchamber.layers.standardize import StandardizeFeatures
from cloudchamber.networks.deepsphere import DeepSphere
from cloudchamber.networks.dynamic_graph import DynamicGraph
from cloudchamber.schema import BadInput

Doubles = NDArray[np.float64]
Module = TypeVar("Module", bound=nn.Module)

PASSING = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Softsign)
"""Activations that hand relevance on: zero at zero, never decreasing."""


class LayerSum(NamedTuple):
    """One layer on the way down: relevance left below it, and what it absorbed, both (sample,)."""

    name: str
    relevance: Doubles
    absorbed: Doubles


@dataclass(frozen=True)
class Relevance:
    """The relevance of inputs for one output.

    Attributes:
        values: (sample, channel, pixel) of maps, (sample, cosmic_ray) of cosmic rays; in units of the output.
        output: (sample,) the output, where relevance starts.
        layers: from the output down.
    """

    values: Doubles
    output: Doubles
    layers: list[LayerSum]


@dataclass
class Walk:
    """The layers of a forward pass, each with the way back; features are (sample, ...), float64."""

    how: Sharing
    steps: list[tuple[str, Callable[[Tensor], Shared]]] = field(default_factory=list)

    def linear(self, name: str, layer: LinearMap, inputs: Tensor, bias: Tensor | None) -> Tensor:
        """A linear layer; its outputs."""
        self.steps.append((name, lambda relevance: share(layer, inputs, bias, relevance, self.how)))
        return layer.total(inputs) if bias is None else layer.total(inputs) + bias

    def back(self, relevance: Tensor, rest: Tensor | None = None) -> tuple[Tensor, list[LayerSum]]:
        """Relevance of the first layer's inputs, and what every layer left and absorbed.

        ``rest`` (sample, ...) is relevance that has arrived; layers add to it on the way, and it counts in the sums.
        """
        layers = []
        for name, step in reversed(self.steps):
            relevance, absorbed = step(relevance)
            left = per_sample(relevance) if rest is None else per_sample(relevance) + per_sample(rest)
            layers.append(LayerSum(name, left.numpy(), absorbed.numpy()))
        return relevance, layers


def _double(network: Module) -> Module:
    """A copy in double precision, in evaluation mode, on the processor, that needs no gradient."""
    return copy.deepcopy(network).cpu().double().eval().requires_grad_(requires_grad=False)


def _refuse(module: object) -> BadInput:
    names = ", ".join(kind.__name__ for kind in PASSING)
    return BadInput(f"relevance propagation has no rule for {type(module).__name__}: activations may be {names}")


def _activated(activation: object, values: Tensor) -> Tensor:
    """The activation's values.

    Raises:
        BadInput: it does not hand relevance on.
    """
    if not isinstance(activation, PASSING):
        raise _refuse(activation)
    found: Tensor = activation(values)
    return found


def _dense(walk: Walk, layers: nn.Module, values: Tensor) -> Tensor:
    """Dense layers one after the other."""
    for number, layer in enumerate(layers.children()):
        if isinstance(layer, nn.Linear):
            values = walk.linear(f"dense {number}", Dense(layer.weight), values, layer.bias)
        elif not isinstance(layer, nn.Dropout):
            values = _activated(layer, values)
    return values


def _affine(module: object, features: int) -> tuple[Tensor, Tensor]:
    """Scale and shift (feature,) of a standardisation, batch normalisation, or nothing."""
    if isinstance(module, nn.Identity):
        return torch.ones(features, dtype=torch.float64), torch.zeros(features, dtype=torch.float64)
    if isinstance(module, StandardizeFeatures):
        scale = 1 / module.scale[:, 0]
        return scale, -module.mean[:, 0] * scale
    if isinstance(module, FeatureNorm) and module.running_mean is not None and module.running_var is not None:
        scale = (module.running_var + module.eps).rsqrt()
        scale = scale if module.weight is None else scale * module.weight
        shift = -module.running_mean * scale
        return scale, shift if module.bias is None else shift + module.bias
    raise _refuse(module)


def _convolution(conv: ChebyshevConv, scale: Tensor, shift: Tensor) -> tuple[ChebyshevMap, Tensor]:
    """The convolution of ``scale x + shift`` as a linear layer of x and a bias (pixel, out)."""
    pixels, slots = conv.index.shape
    rows = np.repeat(np.arange(pixels), slots)
    entries = (conv.value.numpy().ravel(), (rows, conv.index.numpy().ravel()))
    laplacian = csr_array(entries, shape=(pixels, pixels))
    laplacian.eliminate_zeros()
    terms = torch.eye(conv.order, dtype=torch.float64)[:, None]
    constant = ChebyshevMap(laplacian, terms).total(torch.ones(1, pixels, 1, dtype=torch.float64))[0]  # T_k(L) 1
    bias = constant @ (shift @ conv.weight)
    bias = bias if conv.bias is None else bias + conv.bias
    return ChebyshevMap(laplacian, scale[:, None] * conv.weight), bias


def _pooled(walk: Walk, name: str, pool: object, values: Tensor) -> Tensor:
    """Pooling of four nested children, (sample, pixel, feature)."""
    if isinstance(pool, nn.Identity):
        return values
    if not isinstance(pool, AveragePool | MaxPool):
        raise _refuse(pool)
    four = values.reshape(len(values), -1, 4, values.shape[2])
    average = isinstance(pool, AveragePool)

    def back(relevance: Tensor) -> Shared:
        shared, absorbed = mean(four, 2, relevance, walk.how) if average else largest(four, 2, relevance)
        return Shared(shared.flatten(1, 2), absorbed)

    walk.steps.append((name, back))
    return four.mean(dim=2) if average else four.amax(dim=2)


def _statistics(walk: Walk, values: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Means and variances (sample, 2 feature) of ``scale x + shift`` over pixels, for x (sample, pixel, feature)."""
    features = values.shape[2]
    means = WeightedSum(scale / values.shape[1], 1)

    def back(relevance: Tensor) -> Shared:
        first = share(means, values, shift, relevance[:, :features], walk.how)
        second = variance(values, 1, relevance[:, features:], walk.how.epsilon)
        return Shared(first.relevance + second.relevance, first.absorbed + second.absorbed)

    walk.steps.append(("statistics", back))
    return torch.cat([means.total(values) + shift, scale**2 * values.var(dim=1, correction=0)], dim=1)


def _pixel_walk(network: DeepSphere, maps: Tensor, how: Sharing) -> tuple[Walk, Tensor]:
    """The way of raw maps (sample, channel, pixel) to the scalar outputs (sample, output)."""
    walk = Walk(how)
    values = maps.transpose(1, 2)
    scale, shift = _affine(network.standardize, maps.shape[1])
    for number, stage in enumerate(network.stages, 1):
        if not isinstance(stage, ChebyshevStage):
            raise _refuse(stage)
        layer, bias = _convolution(stage.conv, scale, shift)
        values = _activated(stage.activation, walk.linear(f"convolution {number}", layer, values, bias))
        values = _pooled(walk, f"pooling {number}", stage.pool, values)
        scale, shift = _affine(stage.norm, values.shape[2])
    return walk, _dense(walk, network.dense, _statistics(walk, values, scale, shift))


def _column(found: Tensor, network: nn.Module, inputs: Tensor, output: int) -> Tensor:
    """The explained output (sample,) of ``found`` (sample, output), after a look at the network's own answer."""
    if not 0 <= output < found.shape[1]:
        raise BadInput(f"output {output}: scalar outputs are 0 to {found.shape[1] - 1}; a direction is not explained")
    parameter = next(network.parameters())
    with evaluating(network):
        own = network(inputs[:1].to(parameter))[0, output].item()
    if not abs(own - found[0, output].item()) <= 1e-3 * (1 + abs(own)):  # single against double precision
        raise BadInput(
            f"network {type(network).__name__} gives {own:.6g}, its layers one by one {found[0, output].item():.6g}: "
            "relevance propagation does not know this architecture"
        )
    return found[:, output]


def _start(found: Tensor, output: int) -> Tensor:
    """Relevance of all outputs: the value of the explained one, zero elsewhere."""
    relevance = torch.zeros_like(found)
    relevance[:, output] = found[:, output]
    return relevance


Walked = Callable[[Module, Tensor], tuple[Walk, Tensor, Tensor | None]]
"""A double-precision copy of a network and inputs (sample, ...) to the layers, the scalar outputs (sample, output), and
relevance (sample, node) that arrives on the way, zero so far, or None."""


def _propagated(network: Module, inputs: Tensor, output: int, batch: int, walked: Walked[Module]) -> Relevance:
    """Relevance of the nodes or pixels, ``values`` (sample, node, feature), batch after batch."""
    parts = []
    with torch.no_grad():
        own = _double(network)
        for piece in torch.split(inputs, batch):
            walk, found, rest = walked(own, piece.cpu().double())
            value = _column(found, network, piece, output)
            relevance, layers = walk.back(_start(found, output), rest)
            relevance = relevance if rest is None else relevance + rest[..., None]
            parts.append(Relevance(relevance.numpy(), value.numpy(), layers))
    layers = [
        LayerSum(
            same[0].name,
            np.concatenate([one.relevance for one in same]),
            np.concatenate([one.absorbed for one in same]),
        )
        for same in zip(*(part.layers for part in parts), strict=True)
    ]
    values, outputs = [part.values for part in parts], [part.output for part in parts]
    return Relevance(np.concatenate(values), np.concatenate(outputs), layers)


def relevance_of_pixels(
    network: DeepSphere, maps: Tensor, output: int, how: Sharing = EPSILON, *, batch: int = 8
) -> Relevance:
    """The relevance of every pixel of raw maps.

    Args:
        network: stays as it is.
        maps: (sample, channel, pixel), nested.
        output: a scalar output.
        how: the rule.
        batch: samples at once; 8 of nside 64 in the standard network take about 0.6 GB.

    Returns:
        ``values`` (sample, channel, pixel).

    Raises:
        BadInput: another network, maps that do not fit, no such output, a layer without a rule.
    """
    if not isinstance(network, DeepSphere):
        raise BadInput(f"network {type(network).__name__}: relevance of pixels is known for DeepSphere only")
    expected = (len(network.standardize.mean), 12 * network.nside**2)
    if maps.ndim != 3 or tuple(maps.shape[1:]) != expected or not len(maps) or not bool(torch.isfinite(maps).all()):
        raise BadInput(
            f"maps of shape {tuple(maps.shape)}: expected finite (sample, channel, pixel) = (any, {expected})"
        )
    found = _propagated(network, maps, output, batch, lambda own, some: (*_pixel_walk(own, some, how), None))
    return replace(found, values=found.values.transpose(0, 2, 1))


def _edge_layer(
    walk: Walk, number: int, network: DynamicGraph, features: Tensor, sky: tuple[Tensor, Tensor, Tensor], rest: Tensor
) -> Tensor:
    """One edge convolution with its shortcut: features of the nodes (sample, node, feature) to the next ones.

    ``sky``: directions, energies, neighbours on the sphere. On the way back what belongs to pairs is added to ``rest``.
    """
    conv, shortcut = network.convolutions[number], network.shortcuts[number]
    if not isinstance(conv, EdgeConv) or not isinstance(shortcut, nn.Linear):
        raise _refuse(conv)
    directions, energies, index = sky
    geometry = pair_geometry(directions, energies, index)
    pairs = []
    weights = [conv.centre.weight, conv.other.weight, conv.weight.T]
    if conv.stretch is not None:
        places = network.places[number](features)
        index, geometry = most_alike(places, index, geometry, (network.neighbours + 1) // 2)
        pairs = [(places[:, :, None] - neighbours_of(places, index)).square().sum(dim=-1, keepdim=True)]
        weights.append(conv.stretch[:, None])
    pairs = [geometry, *pairs]
    nodes, k, inward = features.shape[1], index.shape[2], features.shape[2]
    edges = torch.cat([features[:, :, None].expand(-1, -1, k, -1), neighbours_of(features, index), *pairs], dim=-1)
    layer, bias = Dense(torch.cat(weights, dim=1)), conv.centre.bias
    sums = torch.relu(layer.total(edges) + bias)
    width = sums.shape[-1]

    def back(relevance: Tensor) -> Shared:
        own = relevance[..., width:]
        shared, absorbed = mean(sums, 2, relevance[..., :width], walk.how)
        shared, taken = share(layer, edges, bias, shared, walk.how)
        half = shared[..., 2 * inward :].sum(dim=-1, keepdim=True) / 2
        rest.add_((half.sum(dim=2) + scattered(half, index, nodes))[..., 0])
        own = own + shared[..., :inward].sum(dim=2) + scattered(shared[..., inward : 2 * inward], index, nodes)
        return Shared(own, absorbed + taken)

    walk.steps.append((f"edges {number + 1}", back))
    joined = Dense(torch.cat([conv.outward.weight, shortcut.weight], dim=1))
    inputs = torch.cat([sums.mean(dim=2), features], dim=-1)
    return torch.relu(walk.linear(f"nodes {number + 1}", joined, inputs, conv.outward.bias + shortcut.bias))


def _sky_outputs(walk: Walk, network: DynamicGraph, features: Tensor, rest: Tensor) -> Tensor:
    """Log-odds and fraction (sample, 2) from features (sample, node, feature)."""
    last = network.logit[-1]
    if not isinstance(last, nn.Linear):
        raise _refuse(last)
    hidden = _dense(walk, network.logit[:-1], features)
    logits = last(hidden)
    weight = torch.sigmoid(logits)
    evidence = nn.functional.softplus(logits).sum(dim=1)
    terms = WeightedSum((weight * last.weight).flatten(1)[..., None], 1)
    flat = hidden.flatten(1)[..., None]
    entropy = evidence - terms.total(flat)  # with what the bias of the logits gives
    log_odds, fraction = Dense(network.evidence.weight), WeightedSum(network.fraction.weight * 20 / logits.shape[1], 1)

    def back(relevance: Tensor) -> Shared:
        whole = share(log_odds, evidence, network.evidence.bias, relevance[:, :1], walk.how)
        parts = share(terms, flat, entropy, whole.relevance, walk.how)
        signal = share(fraction, weight, network.fraction.bias, relevance[:, 1:], walk.how)
        rest.add_(signal.relevance[..., 0])
        return Shared(parts.relevance.reshape_as(hidden), whole.absorbed + parts.absorbed + signal.absorbed)

    walk.steps.append(("sky", back))
    outputs = [log_odds.total(evidence) + network.evidence.bias, fraction.total(weight) + network.fraction.bias]
    return torch.cat(outputs, dim=1)


def _cosmic_ray_walk(network: DynamicGraph, rays: Tensor, how: Sharing) -> tuple[Walk, Tensor, Tensor]:
    """The way of cosmic rays (sample, cosmic_ray, 4) to the scalar outputs, and room for what belongs to pairs."""
    directions, energies = nn.functional.normalize(rays[..., :3], dim=-1), rays[..., 3].clamp(min=1e-3)
    sky = (directions, energies, nearest(directions.float(), network.neighbours))
    walk, rest = Walk(how), torch.zeros_like(energies)
    features = torch.log(energies / 40)[..., None]
    for number in range(len(network.convolutions)):
        features = _edge_layer(walk, number, network, features, sky, rest)
    return walk, _sky_outputs(walk, network, features, rest), rest


def relevance_of_cosmic_rays(
    network: DynamicGraph, cosmic_rays: Tensor, output: int, how: Sharing = EPSILON, *, batch: int = 4
) -> Relevance:
    """The relevance of every cosmic ray: of its energy and edges for the log-odds, of its probability for the fraction.

    Args:
        network: stays as it is.
        cosmic_rays: (sample, cosmic_ray, 4): x, y, z, E in EeV.
        output: a scalar output.
        how: the rule.
        batch: samples at once.

    Returns:
        ``values`` (sample, cosmic_ray).

    Raises:
        BadInput: another network, cosmic rays that do not fit, no such output, a layer without a rule.
    """
    if not isinstance(network, DynamicGraph):
        raise BadInput(f"network {type(network).__name__}: relevance of cosmic rays is known for DynamicGraph only")
    _check_cosmic_rays(tuple(cosmic_rays.shape), bool(torch.isfinite(cosmic_rays).all()))
    found = _propagated(network, cosmic_rays, output, batch, lambda own, some: _cosmic_ray_walk(own, some, how))
    return replace(found, values=found.values[..., 0])


def _check_cosmic_rays(shape: tuple[int, ...], finite: bool) -> None:
    if len(shape) != 3 or shape[2] != 4 or 0 in shape or not finite:
        raise BadInput(f"cosmic rays of shape {shape}: expected finite (sample, cosmic_ray, 4) with x, y, z, E")


def pixels_to_cosmic_rays(relevance: Doubles, cosmic_rays: NDArray[np.floating], nside: int) -> Doubles:
    """A pixel's relevance, all channels together, shared equally by its cosmic rays.

    Args:
        relevance: (sample, channel, pixel), nested.
        cosmic_rays: (sample, cosmic_ray, 4): x, y, z, E.
        nside: of the pixels.

    Returns:
        (sample, cosmic_ray). The relevance of empty pixels, zero for raw maps, is lost.

    Raises:
        BadInput: shapes that do not fit.
    """
    _check_cosmic_rays(cosmic_rays.shape, bool(np.isfinite(cosmic_rays).all()))
    if relevance.ndim != 3 or len(relevance) != len(cosmic_rays) or relevance.shape[2] != 12 * nside**2:
        raise BadInput(
            f"relevance of shape {relevance.shape}: expected (sample, channel, pixel) with {len(cosmic_rays)} samples "
            f"and {12 * nside**2} pixels of nside {nside}"
        )
    found = np.empty(cosmic_rays.shape[:2])
    for values, rays, out in zip(relevance.sum(axis=1), cosmic_rays, found, strict=True):
        pixels = nested_pixels(nside, rays[:, :3])
        out[:] = values[pixels] / np.bincount(pixels, minlength=len(values))[pixels]
    return found
