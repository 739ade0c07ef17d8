"""Asking a network: what every explanation needs of it, checked once, and predictions in bounded memory.

An explained network is an ``nn.Module`` whose forward pass is ``head(features(images))``, with
``features(images) -> (sample, channel, row, column)`` the last convolutional sum and
``head(features) -> (sample, output)``. Images are (sample, channel, height, width), floating point. Nothing is guessed:
a network that is not of this form is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cloudchamber.schema import BadInput

Output = int | tuple[int, ...]
"""One output column, or several; what several mean is said by each explanation."""

Floats = NDArray[np.float32]

BATCH = 256
"""Images that go through the network at once, unless the caller says otherwise."""


def features(network: nn.Module, images: Tensor) -> Tensor:
    """The network's last feature maps, (sample, channel, row, column)."""
    return cast(Callable[[Tensor], Tensor], network.features)(images)


def head(network: nn.Module, maps: Tensor) -> Tensor:
    """The network's outputs (sample, output) from its last feature maps."""
    return cast(Callable[[Tensor], Tensor], network.head)(maps)


def device_of(network: nn.Module) -> torch.device:
    """Where the network's weights are; the processor if it has none."""
    return next((weight.device for weight in network.parameters()), torch.device("cpu"))


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, every module's own mode again outside."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def batches(network: nn.Module, images: Tensor, batch: int) -> Iterator[Tensor]:
    """Consecutive pieces of at most ``batch`` images, on the network's device."""
    device = device_of(network)
    for start in range(0, len(images), batch):
        yield images[start : start + batch].to(device)


def predict(network: nn.Module, images: Tensor, columns: tuple[int, ...], batch: int = BATCH) -> NDArray[np.float64]:
    """Predictions (sample, column) of the chosen output columns, in evaluation mode."""
    with evaluating(network), torch.no_grad():
        found = [network(part)[:, columns].double().cpu() for part in batches(network, images, batch)]
    return torch.cat(found).numpy()


def upsampled(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (sample, row, column) at the size of the image, bilinear, pixel areas aligned (not corners)."""
    return functional.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def mapped(
    network: nn.Module,
    images: Tensor,
    output: Output,
    batch: int,
    one: Callable[[Tensor, tuple[int, ...]], Tensor],
) -> Floats:
    """Maps (sample, height, width), batch after batch.

    Args:
        network: what is to be explained.
        images: (sample, channel, height, width).
        output: one column or several.
        batch: images at once.
        one: images on the network's device, which is in evaluation mode, and the columns to maps (sample, height,
            width).

    Raises:
        BadInput: see ``checked_outputs``.
    """
    columns = checked_outputs(network, images, output)
    with evaluating(network):
        found = [one(part, columns).cpu() for part in batches(network, images, batch)]
    return torch.cat(found).numpy().astype(np.float32)


def image_size(images: Tensor) -> tuple[int, int]:
    """(height, width) of images."""
    return images.shape[-2], images.shape[-1]


def checked_baseline(images: Tensor, baseline: Tensor | None) -> Tensor:
    """The image that stands for "nothing there", (channel, height, width); zero (empty bins) if none is given.

    Raises:
        BadInput: the baseline has another shape than one image, or is not finite.
    """
    if baseline is None:
        return torch.zeros_like(images[0])
    if baseline.shape != images.shape[1:] or not bool(torch.isfinite(baseline).all()):
        raise BadInput(
            f"baseline of shape {tuple(baseline.shape)}: expected one finite image of shape {tuple(images.shape[1:])}"
        )
    return baseline.to(images)


def checked_outputs(network: nn.Module, images: Tensor, output: Output) -> tuple[int, ...]:
    """The chosen output columns, after a look at the network, the images and the columns.

    Args:
        network: what is to be explained.
        images: (sample, channel, height, width).
        output: one column or several.

    Raises:
        BadInput: the network has no ``features`` or ``head``, cannot read the images, gives maps or outputs of another
            form, or is not ``head(features(images))``; the images are not 4-axis, floating, finite; no such column.
    """
    name = type(network).__name__
    for part in ("features", "head"):
        if not callable(getattr(network, part, None)):
            raise BadInput(
                f"network {name} has no {part}: explanations need features(images) -> (sample, channel, row, column) "
                "and head(features) -> (sample, output)"
            )
    shape = tuple(images.shape)
    if images.ndim != 4 or 0 in shape or not images.is_floating_point():
        raise BadInput(
            f"images of shape {shape} and type {images.dtype}: expected (sample, channel, height, width), "
            "floating point, at least one sample"
        )
    if not bool(torch.isfinite(images).all()):
        raise BadInput(f"images of shape {shape} hold NaN or inf: remove them")
    one = images[:1].to(device_of(network))
    try:
        with evaluating(network), torch.no_grad():
            maps, whole = features(network, one), network(one)
            parts = head(network, maps)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, IndexError, AttributeError) as error:
        raise BadInput(f"network {name} cannot read images of shape {shape}: {error}") from error
    if maps.ndim != 4 or parts.ndim != 2 or len(maps) != 1 or len(parts) != 1:
        raise BadInput(
            f"network {name} gives features {tuple(maps.shape)} and outputs {tuple(parts.shape)} for one image: "
            "expected (1, channel, row, column) and (1, output)"
        )
    if whole.shape != parts.shape or not torch.allclose(whole, parts, rtol=1e-4, atol=1e-6):
        raise BadInput(f"network {name} is not head(features(images)): explanations of its features would be wrong")
    columns = (output,) if isinstance(output, int) else tuple(output)
    if not columns or len(set(columns)) < len(columns) or not all(0 <= column < parts.shape[1] for column in columns):
        raise BadInput(f"output {output}: network {name} has the columns 0 to {parts.shape[1] - 1}, each at most once")
    return columns
