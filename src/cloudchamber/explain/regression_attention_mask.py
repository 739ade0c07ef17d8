"""Regression Attention Mask (RAM): where a regression network looks, averaged over images of like truth.

Pang, Zhou, Wang, arXiv:1906.06429::

    m_i     = [gradcam(x_i) > T],  T the mean of that map          gradcam without ReLU, see gradcam.regression_gradcam
    sigma_i = || f(m_i o x_i) - f(x_i) ||                          o: pixel by pixel
    w_i     = exp(-sigma_i) / sum_j exp(-sigma_j)
    m       = sum_i w_i m_i

f is the vector of the chosen outputs: the norm is Euclidean over them, and the gradient in the map is that of their sum
(as ``tf.gradients`` does for a vector; the publication does not say). The publication's f is ``(|beta2|, |beta4|)``.
The map is thresholded after upsampling to the image. Physical coordinates of an image: axis -2 first, axis -1 second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cloudchamber.explain.forward import BATCH, Floats, Output, batches, checked_outputs, evaluating
from cloudchamber.explain.gradcam import regression_map
from cloudchamber.schema import BadInput

Bools = NDArray[np.bool_]
Doubles = NDArray[np.float64]

PUBLISHED: Output = (0, 1)
"""The publication's two outputs, in this package's order of columns: ``|beta2|``, ``|beta4|``."""

Rectangle = tuple[tuple[float, float], tuple[float, float]]
"""((low, high) along axis -2, (low, high) along axis -1), in physical coordinates."""


@dataclass(frozen=True)
class RegressionAttentionMask:
    """The average mask and what it is made of.

    Attributes:
        mask: (height, width), m, between 0 and 1.
        masks: (sample, height, width), m_i.
        sigma: (sample,), prediction change when only the mask is shown, in units of the outputs.
        weight: (sample,), w_i; they sum to 1.
    """

    mask: Floats
    masks: Bools
    sigma: Doubles
    weight: Doubles


def _softmax(values: Doubles) -> Doubles:
    powers: Doubles = np.exp(values - values.max())
    powers /= powers.sum()
    return powers


def _weighted(weight: Doubles, values: Doubles | Bools) -> tuple[Doubles, Doubles]:
    """Weighted mean over the first axis, and its standard error (NaN for a single sample); weights sum to 1."""
    mean = np.tensordot(weight, values, axes=1)
    n = len(weight)
    spread = np.zeros_like(mean)
    for one, value in zip(weight, values, strict=True):
        spread += one**2 * (value - mean) ** 2
    return mean, np.sqrt(spread * n / (n - 1)) if n > 1 else np.full_like(mean, np.nan)


def masks_and_changes(
    network: nn.Module, images: Tensor, output: Output, *, batch: int = BATCH
) -> tuple[Bools, Doubles]:
    """Every image's own mask m_i (sample, height, width) and its prediction change sigma_i (sample,).

    Raises:
        BadInput: see ``forward.checked_outputs``.
    """
    columns = checked_outputs(network, images, output)
    masks, changes = [], []
    with evaluating(network), torch.no_grad():
        for part in batches(network, images, batch):
            maps = regression_map(network, part, columns)
            mask = maps > maps.mean(dim=(1, 2), keepdim=True)
            change = network(part * mask[:, None])[:, columns] - network(part)[:, columns]
            masks.append(mask.cpu())
            changes.append(change.double().norm(dim=1).cpu())
    return torch.cat(masks).numpy(), torch.cat(changes).numpy()


def regression_attention_mask(
    network: nn.Module, images: Tensor, output: Output, *, batch: int = BATCH
) -> RegressionAttentionMask:
    """The Regression Attention Mask of aligned images.

    Args:
        network: see ``forward``.
        images: (sample, channel, height, width), of like truth: the weights compare them with each other.
        output: f is the vector of these outputs (see the module).
        batch: images at once.

    Raises:
        BadInput: see ``forward.checked_outputs``.
    """
    masks, sigma = masks_and_changes(network, images, output, batch=batch)
    weight = _softmax(-sigma)
    return RegressionAttentionMask(np.tensordot(weight, masks, axes=1).astype(np.float32), masks, sigma, weight)


def region_pixels(shape: tuple[int, int], region: Rectangle, extent: Rectangle) -> Bools:
    """The pixels (height, width) whose centres lie in a rectangle, bounds included.

    Args:
        shape: (height, width) of the image.
        region: the rectangle.
        extent: what the whole image covers.

    Raises:
        BadInput: the rectangle holds no pixel or all of them.
    """
    inside = []
    for pixels, (low, high), (start, stop) in zip(shape, region, extent, strict=True):
        centres = start + (np.arange(pixels) + 0.5) * (stop - start) / pixels
        inside.append((centres >= low) & (centres <= high))
    found = inside[0][:, None] & inside[1][None, :]
    if not found.any() or found.all():
        raise BadInput(f"region {region} holds {found.sum()} of {found.size} pixels of an image that covers {extent}")
    return found


def attention_by_bin(
    network: nn.Module,
    images: Tensor,
    values: NDArray[np.floating],
    edges: Sequence[float] | NDArray[np.floating],
    output: Output = PUBLISHED,
    *,
    regions: Mapping[str, Rectangle] | None = None,
    extent: Rectangle = ((0.0, 1.0), (0.0, 1.0)),
) -> dict[str, NDArray[np.float64]]:
    """The Regression Attention Mask in bins of a true value, as in the publication (``|beta2|`` in [b, b + 0.02]).

    Args:
        network: see ``forward``.
        images: (sample, channel, height, width).
        values: (sample,), the true value that is binned.
        edges: (bin + 1,), increasing; a bin holds its lower edge, the last one its upper edge too.
        output: f is the vector of these outputs (see the module).
        regions: rectangles by name, for the mean of the mask in them.
        extent: what the whole image covers, for the regions.

    Returns:
        By name, the first axis is the bin: ``low``, ``high``, ``n`` (images), ``effective_n`` (1 / sum w^2),
        ``mask`` and ``mask_error`` (bin, height, width), ``sigma`` and ``sigma_error`` (plain mean over the images);
        for each region ``<name>_inside`` (mean of the mask in it) and ``<name>_contrast`` (that minus the mean
        elsewhere), each with ``_error``. Errors are standard errors over the images; NaN where a bin has too few.

    Raises:
        BadInput: see ``forward.checked_outputs``; values or edges that do not fit; a region without pixels.
    """
    bounds = np.asarray(edges, dtype=np.float64)
    if bounds.ndim != 1 or len(bounds) < 2 or not (np.diff(bounds) > 0).all():
        raise BadInput(f"edges {bounds.tolist()}: give at least two increasing numbers")
    if values.shape != (len(images),):
        raise BadInput(f"values of shape {values.shape}: expected one for each of the {len(images)} images")
    height, width = images.shape[-2:]
    pixels = {name: region_pixels((height, width), region, extent) for name, region in (regions or {}).items()}
    masks, sigma = masks_and_changes(network, images, output)
    which = np.searchsorted(bounds, values, side="right") - 1
    which[values == bounds[-1]] = len(bounds) - 2

    bins = len(bounds) - 1
    table: dict[str, NDArray[np.float64]] = {
        "low": bounds[:-1], "high": bounds[1:], "n": np.zeros(bins), "effective_n": np.zeros(bins),
        "mask": np.full((bins, height, width), np.nan), "mask_error": np.full((bins, height, width), np.nan),
    }  # fmt: skip
    for name in ("sigma", *(f"{region}_{part}" for region in pixels for part in ("inside", "contrast"))):
        table[name], table[f"{name}_error"] = np.full(bins, np.nan), np.full(bins, np.nan)
    for row in range(bins):
        chosen = np.flatnonzero(which == row)
        if len(chosen):
            for name, number in _of_bin(masks[chosen], sigma[chosen], pixels).items():
                table[name][row] = number
    return table


def _of_bin(masks: Bools, sigma: Doubles, regions: Mapping[str, Bools]) -> dict[str, Doubles | float]:
    """What ``attention_by_bin`` says of one bin from its images' masks and prediction changes."""
    weight = _softmax(-sigma)
    numbers: dict[str, tuple[Doubles, Doubles | Bools]] = {
        "sigma": (np.full(len(sigma), 1 / len(sigma)), sigma),
        "mask": (weight, masks),
    }
    for name, region in regions.items():
        inside, outside = masks[:, region].mean(axis=1), masks[:, ~region].mean(axis=1)
        numbers[f"{name}_inside"] = (weight, inside)
        numbers[f"{name}_contrast"] = (weight, inside - outside)
    found: dict[str, Doubles | float] = {"n": len(sigma), "effective_n": 1 / float((weight**2).sum())}
    for name, (weights, values) in numbers.items():
        found[name], found[f"{name}_error"] = _weighted(weights, values)
    return found
