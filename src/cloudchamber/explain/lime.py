"""LIME on superpixels: a linear model, fitted to the network around one image, in which every superpixel is on or off.

Ribeiro, Singh, Guestrin, "Why should I trust you?", arXiv:1602.04938, equations 1 and 2, by ``captum.attr.Lime``. The
surrogate is weighted least squares without penalty (K-LASSO's penalty would depend on the unit of the output); the
proximity is ``exp(-D^2 / width^2)``, D the cosine distance between the on-off vectors, as in the authors' package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from captum._utils.models.linear_model import SkLearnLinearRegression
from captum.attr import Lime
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.cluster import KMeans
from torch import Tensor, nn

from cloudchamber.explain.forward import BATCH, Floats, Output, checked_baseline, checked_outputs, device_of, evaluating
from cloudchamber.schema import BadInput

WIDTH = 0.25
"""Width of the proximity kernel (the authors' package, images)."""


def superpixels(image: Tensor, n: int, contrast: float = 0.3) -> NDArray[np.int64]:
    """Regions of similar position and value: k-means on position and smoothed value.

    Smoothed (by 3 % of the side), because the pixels of a histogram are noisy: else a region would be a few bright
    pixels here and there.

    Args:
        image: (channel, height, width).
        n: largest number of superpixels.
        contrast: how far one standard deviation of the image is, in units of its side; 0: position alone.

    Returns:
        (height, width), labels 0, 1, ... without gaps.

    Raises:
        BadInput: not one image, or n not between 1 and the number of pixels.
    """
    if image.ndim != 3:
        raise BadInput(f"image of shape {tuple(image.shape)}: expected (channel, height, width)")
    channels, height, width = image.shape
    if not 1 <= n <= height * width:
        raise BadInput(f"n = {n} superpixels: need 1 to {height * width}, the number of pixels")
    rows, columns = np.meshgrid(np.arange(height) / height, np.arange(width) / width, indexing="ij")
    values = gaussian_filter(image.double().cpu().numpy(), sigma=(0, 0.03 * height, 0.03 * width))
    spread = values.std(axis=(1, 2), keepdims=True)
    values = contrast * (values - values.mean(axis=(1, 2), keepdims=True)) / np.where(spread > 0, spread, 1)
    points = np.stack([rows, columns, *values], axis=-1).reshape(height * width, 2 + channels)
    labels = KMeans(n_clusters=n, n_init=1, random_state=0).fit_predict(points)
    return np.unique(labels, return_inverse=True)[1].reshape(height, width).astype(np.int64)


def _proximity(_original: Tensor, _perturbed: Tensor, chosen: Tensor, **_: object) -> Tensor:
    """Weight of a perturbed image; the cosine between 1...1 and a vector with m of n ones is sqrt(m / n)."""
    distance = 1 - chosen.double().mean().sqrt()
    return torch.exp(-(distance**2) / WIDTH**2)


def lime(
    network: nn.Module,
    images: Tensor,
    output: Output,
    segments: NDArray[np.integer],
    samples: int = 500,
    seed: int = 0,
    baseline: Tensor | None = None,
    *,
    batch: int = BATCH,
) -> Floats:
    """Coefficient of each superpixel in the local linear model: what the output gains when the superpixel is shown.

    Args:
        network: see ``forward``.
        images: (sample, channel, height, width).
        output: f is this output, or the sum of these.
        segments: labels 0, 1, ... without gaps, (height, width) for all images or (sample, height, width).
        samples: perturbed images for each image; at least twice the number of superpixels.
        seed: of the perturbations; an image's own stream depends on seed and its position only.
        baseline: (channel, height, width), shown where a superpixel is off, e.g. the mean image; None: zero.
        batch: perturbed images at once.

    Returns:
        (sample, height, width), every pixel with the coefficient of its superpixel, in units of the output.

    Raises:
        BadInput: see ``forward.checked_outputs``; segments of another shape or with gaps; too few samples.
    """
    columns = checked_outputs(network, images, output)
    labels = np.broadcast_to(segments, (len(images), *segments.shape[-2:]))
    if segments.ndim not in (2, 3) or labels.shape[1:] != tuple(images.shape[-2:]):
        raise BadInput(
            f"segments of shape {segments.shape}: expected {tuple(images.shape[-2:])} or one such map for each image"
        )
    empty = checked_baseline(images, baseline)
    device = device_of(network)

    def value(shown: Tensor) -> Tensor:
        return network(shown)[:, columns].sum(dim=1)  # type: ignore[no-any-return]

    found = np.empty(labels.shape, dtype=np.float32)
    with evaluating(network):
        for position, (image, parts) in enumerate(zip(images, labels, strict=True)):
            number = int(parts.max()) + 1
            if parts.min() < 0 or len(np.unique(parts)) < number:
                raise BadInput(f"segments of image {position} have gaps: label the superpixels 0 to {number - 1}")
            if samples < 2 * number:
                raise BadInput(f"samples = {samples} for {number} superpixels: give at least {2 * number}")
            here, hidden = image[None].to(device), empty[None].to(device)
            rng = np.random.default_rng((seed, position))
            found[position] = _coefficients(value, here, hidden, parts, samples, rng, batch)[parts]
    return found


def _coefficients(
    value: Callable[[Tensor], Tensor],
    image: Tensor,
    empty: Tensor,
    labels: NDArray[np.integer],
    samples: int,
    rng: np.random.Generator,
    batch: int,
) -> Floats:
    """Coefficients (superpixel,) of one image (1, channel, height, width) with ``labels`` (height, width)."""
    number = int(labels.max()) + 1

    def draws(original: Tensor, **_: object) -> Iterator[Tensor]:
        while True:
            yield torch.from_numpy(rng.integers(0, 2, (1, number))).to(original.device)

    coefficients: Tensor = Lime(value, SkLearnLinearRegression(), _proximity, draws).attribute(
        image,
        baselines=empty,
        feature_mask=torch.from_numpy(labels.astype(np.int64))[None, None].to(image.device),
        n_samples=samples,
        perturbations_per_eval=batch,
        return_input_shape=False,
    )
    return coefficients.flatten().cpu().numpy()
