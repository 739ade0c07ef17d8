"""Does an explanation explain? Randomised weights must change it, and the pixels it names must matter.

Randomisation: Adebayo et al., "Sanity Checks for Saliency Maps", arXiv:1810.03292, section 3.1 (cascading from the
output to the input). Deletion and insertion: Petsiuk, Das, Saenko, arXiv:1806.07421, section 4.2; for regression the
probability is replaced by the distance ``|| f(changed) - f(x) ||`` of the chosen outputs from those of the whole image.
A good map has a **large** deletion area (what it names is missed at once) and a **small** insertion area.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor, nn

from cloudchamber.explain.forward import (
    BATCH,
    Floats,
    Output,
    batches,
    checked_baseline,
    checked_outputs,
    device_of,
    evaluating,
    predict,
    upsampled,
)
from cloudchamber.schema import BadInput

Explanation = Callable[[nn.Module, Tensor], Floats]
"""A network and images (sample, channel, height, width) to maps (sample, height, width)."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class RandomizationSimilarity:
    """How much a map of the trained network survives random weights.

    Attributes:
        fraction: (step,), part of the layers with random weights, from the output down.
        correlation: (step,), mean over images of the rank correlation between the two maps; 1: nothing changed.
        error: (step,), its standard error over images, for these random weights (NaN for one image).
        images: (step, sample), the rank correlation of each image.
    """

    fraction: Doubles
    correlation: Doubles
    error: Doubles
    images: Doubles


@dataclass(frozen=True)
class PerturbationCurve:
    """Prediction change against the part of the pixels deleted (or inserted), for given and for random maps.

    Errors are standard errors over images (NaN for one image).

    Attributes:
        fraction: (step,), part of the pixels deleted or inserted.
        change: (step,), mean distance of the outputs from those of the whole image.
        change_error: (step,), its error.
        random: (step,), as ``change``, for random maps.
        random_error: (step,), its error.
        difference: mean change over the fractions (trapezoidal area divided by their range) minus that for random
            maps, paired by image. A map that means something has it positive for deletion and negative for insertion.
        difference_error: its error.
    """

    fraction: Doubles
    change: Doubles
    change_error: Doubles
    random: Doubles
    random_error: Doubles
    difference: float
    difference_error: float


def mean_and_error(values: Doubles) -> tuple[Doubles, Doubles]:
    """Mean over the first axis and its standard error (NaN for a single entry), in the shape of one entry.

    Examples:
        >>> [float(number) for number in mean_and_error(np.array([1.0, 2.0, 3.0, 6.0]))]
        [3.0, 1.0801234497346435]
    """
    n = len(values)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.full(values.shape[1:], np.nan)


def randomized(network: nn.Module, fraction: float = 1.0, seed: int = 0) -> nn.Module:
    """A copy of the network with fresh weights in the layers nearest to the output.

    A layer is a module that owns weights, in the order in which the network defines them. It is initialised as when it
    was made (``reset_parameters``, which also resets running statistics); weights that belong to a module without that
    are drawn from a normal distribution with their own mean and standard deviation.

    Args:
        network: stays as it is.
        fraction: part of the layers, rounded up, counted from the output.
        seed: of the weights.

    Raises:
        BadInput: a network without weights, or a fraction outside 0 to 1.
    """
    if not 0 <= fraction <= 1:
        raise BadInput(f"fraction {fraction} of the layers: need 0 to 1")
    device = device_of(network)
    fresh = copy.deepcopy(network).cpu()
    layers = [module for module in fresh.modules() if any(True for _ in module.parameters(recurse=False))]
    if not layers:
        raise BadInput(f"network {type(network).__name__} has no weights to randomise")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)
        for layer in layers[len(layers) - int(np.ceil(fraction * len(layers) - 1e-9)) :]:
            if callable(reset := getattr(layer, "reset_parameters", None)):
                reset()
                continue
            for weight in layer.parameters(recurse=False):
                weight.copy_(weight.mean() + weight.std(correction=0) * torch.randn_like(weight))
    return fresh.to(device)


def rank_correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> Doubles:
    """Spearman's rank correlation of two maps, image by image: (sample, height, width) twice to (sample,).

    It is undefined for a constant map: 1 is returned if both are constant (nothing changed), 0 if one is.

    Raises:
        BadInput: different shapes.
    """
    if first.shape != second.shape:
        raise BadInput(f"maps of shapes {first.shape} and {second.shape}: give two of the same shape")
    ranks = [rankdata(maps.reshape(len(maps), -1), axis=1) for maps in (first, second)]
    one, two = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    size_one, size_two = (one**2).sum(axis=1), (two**2).sum(axis=1)
    norm = np.sqrt(size_one * size_two)
    constant = np.where(size_one + size_two == 0, 1.0, 0.0)
    found: Doubles = np.where(norm > 0, (one * two).sum(axis=1) / np.where(norm > 0, norm, 1), constant)
    return found


def randomization_similarity(
    explanation: Explanation,
    network: nn.Module,
    images: Tensor,
    seed: int = 0,
    fractions: Sequence[float] = (1.0,),
) -> RandomizationSimilarity:
    """Rank correlation between the maps of the network and of copies with random weights. The maps must change.

    Args:
        explanation: (network, images) to maps (sample, height, width).
        network: see ``forward``.
        images: (sample, channel, height, width).
        seed: of the random weights; call with several for the spread between draws.
        fractions: parts of the layers that get random weights, from the output down. The default randomises
            all; several, e.g. (0.25, 0.5, 0.75, 1), are the publication's cascade.

    Raises:
        BadInput: as ``explanation`` and ``randomized``.
    """
    trained = explanation(network, images)
    found = np.stack(
        [rank_correlation(trained, explanation(randomized(network, part, seed), images)) for part in fractions]
    )
    mean, error = mean_and_error(found.T)
    return RandomizationSimilarity(np.asarray(fractions, dtype=np.float64), mean, error, found)


def random_maps(n: int, size: tuple[int, int], seed: int = 0, cells: int = 7) -> Floats:
    """Maps without meaning, as smooth as those of the last feature maps: normal noise on cells, upsampled bilinearly.

    Args:
        n: number of maps.
        size: (height, width).
        seed: of the noise.
        cells: independent values along an axis; height for noise pixel by pixel.

    Returns:
        (n, height, width).
    """
    noise = np.random.default_rng(seed).standard_normal((n, cells, cells), dtype=np.float32)
    return upsampled(torch.from_numpy(noise), size).numpy()


def places(scores: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.int64]:
    """Place of every entry of each row (row, entry), 0 for the largest score; equal ones come in random order.

    Examples:
        >>> places(np.array([[0.1, 0.9, 0.5]]), np.random.default_rng(0)).tolist()
        [[2, 0, 1]]
    """
    order = np.lexsort((rng.random(scores.shape), -scores), axis=1)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(scores.shape[1])[None], axis=1)
    return ranks


def _changes(
    network: nn.Module,
    images: Tensor,
    maps: NDArray[np.floating],
    fractions: Doubles,
    empty: Tensor,
    columns: tuple[int, ...],
    kind: Literal["deletion", "insertion"],
    rng: np.random.Generator,
    batch: int,
) -> Doubles:
    """Prediction change (sample, step) in the order of the maps; equal pixels come in random order."""
    flat = maps.reshape(len(maps), -1)
    place = torch.from_numpy(places(flat, rng).reshape(len(maps), 1, *maps.shape[1:]))
    whole = predict(network, images, columns, batch)
    found = np.empty((len(images), len(fractions)))
    with evaluating(network), torch.no_grad():
        for start, part in zip(range(0, len(images), batch), batches(network, images, batch), strict=True):
            here = place[start : start + batch].to(part.device)
            for step, fraction in enumerate(fractions):
                chosen = here < round(fraction * flat.shape[1])
                kept = ~chosen if kind == "deletion" else chosen
                shown = torch.where(kept, part, empty.to(part))
                values = network(shown)[:, columns].double().cpu().numpy()
                found[start : start + batch, step] = np.linalg.norm(values - whole[start : start + batch], axis=1)
    return found


FRACTIONS = tuple(float(part) for part in np.linspace(0, 1, 11).round(1))


def perturbation_curve(
    kind: Literal["deletion", "insertion"],
    network: nn.Module,
    images: Tensor,
    maps: NDArray[np.floating],
    fractions: Sequence[float] | NDArray[np.floating] = FRACTIONS,
    baseline: Tensor | None = None,
    output: Output = 0,
    *,
    draws: int = 5,
    seed: int = 0,
    batch: int = BATCH,
) -> PerturbationCurve:
    """How the prediction leaves its value when pixels are removed, or comes back when they are added to the baseline.

    Those with the largest map value come first.

    Args:
        kind: pixels are removed ("deletion"), or added ("insertion").
        network: see ``forward``.
        images: (sample, channel, height, width).
        maps: (sample, height, width), a larger value means a more important pixel (of a signed map: its
            sign counts, give its absolute value if both signs are evidence). Equal values come in random order.
        fractions: (step,), increasing parts of the pixels.
        baseline: (channel, height, width), what a removed pixel is replaced by; None: zero.
        output: the distance is the Euclidean norm over this output or these.
        draws: random maps for each image, see ``random_maps``.
        seed: of the random maps and the order of equal pixels.
        batch: images at once.

    Raises:
        BadInput: see ``forward.checked_outputs``; maps, fractions or baseline that do not fit.
    """
    columns = checked_outputs(network, images, output)
    empty = checked_baseline(images, baseline)
    parts = np.asarray(fractions, dtype=np.float64)
    if parts.ndim != 1 or len(parts) < 2 or not (np.diff(parts) > 0).all() or parts[0] < 0 or parts[-1] > 1:
        raise BadInput(f"fractions {parts.tolist()}: give at least two increasing numbers between 0 and 1")
    if maps.shape != (len(images), *images.shape[-2:]) or not np.isfinite(maps).all():
        raise BadInput(f"maps of shape {maps.shape}: expected one finite map for each of images {tuple(images.shape)}")
    if draws < 1:
        raise BadInput(f"draws = {draws}: need at least one random map")
    size = (images.shape[-2], images.shape[-1])
    streams = np.random.SeedSequence(seed).spawn(draws + 1)

    def changes(ordering: NDArray[np.floating], stream: np.random.SeedSequence) -> Doubles:
        rng = np.random.default_rng(stream)
        return _changes(network, images, ordering, parts, empty, columns, kind, rng, batch)

    given = changes(maps, streams[0])
    random = np.zeros_like(given)
    for stream in streams[1:]:
        noise = random_maps(len(images), size, int(stream.generate_state(1)[0]))
        random += changes(noise, stream) / draws

    return _compared(parts, given, random)


def _compared(parts: Doubles, given: Doubles, random: Doubles) -> PerturbationCurve:
    """Prediction changes (sample, step) in the order of the maps and in random order, averaged over images."""
    area = np.trapezoid(given - random, parts, axis=1) / (parts[-1] - parts[0])
    difference = (float(number) for number in mean_and_error(area))
    return PerturbationCurve(parts, *mean_and_error(given), *mean_and_error(random), *difference)


deletion_curve = partial(perturbation_curve, "deletion")
insertion_curve = partial(perturbation_curve, "insertion")
