"""Feature visualisation: the image that a chosen neuron answers to most, by gradient ascent on the input.

Olah, Mordvintsev, Schubert, "Feature Visualization", Distill 2017, doi:10.23915/distill.00007. The image is
``x = start + s z`` with s the standard deviation of the start image (of each channel), and each step is::

    z <- (1 - decay) z + rate blur(g) / rms(blur(g)),    g = d a(jitter(x)) / dz

a is the neuron's activation: the mean over its feature map of a ReLU (the article's channel objective; leaky, so that a
silent neuron can wake up), or the value of a unit of a dense layer. The regularisation is that of the article: jitter
(the input is shifted by a few pixels before each step), blur (a Gaussian on the gradient against high frequencies),
decay (pulls to the start image, the L2 penalty). Images of counts are not negative, so x is cut at ``low``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cloudchamber.explain.forward import Floats, checked_outputs, device_of, evaluating
from cloudchamber.schema import BadInput, did_you_mean

LEAK = 0.01
"""Slope of the leaky ReLU below zero."""


@dataclass(frozen=True)
class FeatureVisualization:
    """What a neuron answers to.

    Attributes:
        image: (channel, height, width).
        activation: (step + 1,), the neuron's activation, from the start image to ``image``, without jitter.
    """

    image: Floats
    activation: NDArray[np.float64]


def neurons(network: nn.Module, per_depth: int, depths: int = 4) -> list[tuple[str, int]]:
    """Neurons to visualise, shallow to deep: (layer, channel).

    Layers are convolutions with a window larger than one pixel (their batch normalisation if one follows: that is
    what a ReLU reads), evenly spaced from the first to the last in the order in which the network defines them;
    channels are evenly spaced (their order means nothing, so this is a fair draw).

    Args:
        network: any network with 2D convolutions.
        per_depth: channels of each layer.
        depths: layers.

    Raises:
        BadInput: no such convolution, or numbers smaller than one.
    """
    if per_depth < 1 or depths < 1:
        raise BadInput(f"per_depth = {per_depth}, depths = {depths}: both at least 1")
    layers: list[tuple[str, int]] = []
    previous: nn.Module | None = None
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1:
            layers.append((name, module.out_channels))
        elif isinstance(module, nn.BatchNorm2d) and isinstance(previous, nn.Conv2d) and max(previous.kernel_size) > 1:
            layers[-1] = (name, module.num_features)
        previous = module
    if not layers:
        raise BadInput(f"network {type(network).__name__} has no convolution with a window: no neurons to visualise")
    chosen = np.unique(np.linspace(0, len(layers) - 1, depths).round().astype(int))
    return [
        (layers[depth][0], int(channel))
        for depth in chosen
        for channel in np.unique(np.linspace(0, layers[depth][1] - 1, per_depth).round().astype(int))
    ]


@contextmanager
def _listening(network: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """A list that holds the layer's output after each forward pass."""
    known = dict(network.named_modules())
    if not layer or layer not in known:
        raise BadInput(
            f"network {type(network).__name__} has no layer {layer!r}{did_you_mean(layer, filter(None, known))}"
        )
    heard: list[Tensor] = []

    def hear(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        heard[:] = [output]

    handle = known[layer].register_forward_hook(hear)
    try:
        yield heard
    finally:
        handle.remove()


def _blurred(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur with a standard deviation of ``sigma`` pixels; the border is repeated."""
    if sigma == 0:
        return images
    reach = max(1, round(3 * sigma))
    steps = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, 1, -1)
    padded = functional.pad(images, (reach,) * 4, mode="replicate")
    rows = functional.conv2d(padded, kernel, groups=images.shape[1])
    return functional.conv2d(rows, kernel.transpose(2, 3), groups=images.shape[1])


def _activation(network: nn.Module, heard: list[Tensor], layer: str, channel: int, image: Tensor) -> Tensor:
    """The neuron's activation, a scalar, when the network sees an image (1, channel, height, width).

    Raises:
        BadInput: no such channel, or a layer that the forward pass does not use.
    """
    heard.clear()
    network(image)
    if not heard or not isinstance(heard[0], Tensor):
        raise BadInput(f"layer {layer!r} gives no tensor in the forward pass: choose another layer")
    if heard[0].ndim < 2 or not 0 <= channel < heard[0].shape[1]:
        raise BadInput(f"layer {layer!r} gives {tuple(heard[0].shape)}: it has no channel {channel}")
    values = heard[0][0, channel]
    return values if values.ndim == 0 else functional.leaky_relu(values, LEAK).mean()


def _shifted(image: Tensor, jitter: int, rng: np.random.Generator) -> Tensor:
    """The image shifted by at most ``jitter`` pixels along each axis; the border is repeated."""
    row, column = rng.integers(0, 2 * jitter + 1, 2)
    padded = functional.pad(image, (jitter,) * 4, mode="replicate")
    return padded[..., row : row + image.shape[-2], column : column + image.shape[-1]]


def feature_visualization(
    network: nn.Module,
    layer: str,
    channel: int,
    start: Tensor,
    steps: int = 200,
    seed: int = 0,
    *,
    rate: float = 0.05,
    jitter: int = 2,
    blur: float = 1.0,
    decay: float = 0.01,
    low: float | None = 0.0,
) -> FeatureVisualization:
    """The image near ``start`` to which a neuron answers most; a dead neuron leaves it as it is.

    Args:
        network: see ``forward``.
        layer: name of the layer, as in ``network.named_modules()``.
        channel: the neuron: a channel of a convolution (mean over its map), or a unit of a dense layer.
        start: (channel, height, width), where the ascent begins, e.g. the mean image of the data.
        steps: of the ascent.
        seed: of the jitter.
        rate: size of a step, in standard deviations of the start image's channel (1 if it is constant).
        jitter: largest shift, in pixels; 0 for none.
        blur: standard deviation of the blur of the gradient, in pixels; 0 for none.
        decay: part of the way back to the start image that each step takes.
        low: smallest value of a pixel; None for no bound.

    Raises:
        BadInput: see ``forward.checked_outputs``; no such layer or channel, a layer that the forward pass does not use,
            or a negative setting.
    """
    checked_outputs(network, start[None], 0)
    if min(steps, jitter, blur, decay) < 0 or rate <= 0:
        raise BadInput(
            f"steps {steps}, jitter {jitter}, blur {blur}, decay {decay}: not negative; rate {rate}: positive"
        )
    with evaluating(network), _listening(network, layer) as heard:
        activation = partial(_activation, network, heard, layer, channel)
        shift = partial(_shifted, jitter=jitter, rng=np.random.default_rng(seed))
        image, trace = _ascended(activation, start[None].to(device_of(network)), shift, steps, rate, blur, decay, low)
    return FeatureVisualization(image[0].cpu().numpy().astype(np.float32), np.array(trace))


def _ascended(
    activation: Callable[[Tensor], Tensor],
    start: Tensor,
    shift: Callable[[Tensor], Tensor],
    steps: int,
    rate: float,
    blur: float,
    decay: float,
    low: float | None,
) -> tuple[Tensor, list[float]]:
    """The module's iteration from ``start`` (1, channel, height, width): the image, and the activation at each step."""
    spread = start.std(dim=(2, 3), keepdim=True, correction=0)
    scale = torch.where(spread > 0, spread, 1.0)
    z = torch.zeros_like(start)
    trace = []

    def image_of(z: Tensor) -> Tensor:
        image = start + scale * z
        return image if low is None else image.clamp(min=low)

    for _ in range(steps):
        z.requires_grad_()
        with torch.enable_grad():
            clean = image_of(z)
            (gradient,) = torch.autograd.grad(activation(shift(clean)), z)
        with torch.no_grad():
            trace.append(float(activation(clean)))
            gradient = _blurred(gradient, blur)
            size = float(gradient.square().mean().sqrt())
            z = (1 - decay) * z.detach() + rate * gradient / (size or 1.0)
            if low is not None:
                z = z.clamp(min=(low - start) / scale)
    with torch.no_grad():
        image = image_of(z)
        trace.append(float(activation(image)))
    return image, trace
