"""Gradient-weighted activation maps of the last feature maps: Grad-CAM, and its form for regression.

Grad-CAM: Selvaraju et al., arXiv:1610.02391, equations 1 and 2. Regression: Pang, Zhou, Wang, arXiv:1906.06429, the map
from which the Regression Attention Mask is cut.

Several outputs: the gradient is that of their sum, so the map is the sum of the outputs' maps (before the ReLU).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cloudchamber.explain.forward import BATCH, Floats, Output, features, head, image_size, mapped, upsampled


def contributions(network: nn.Module, images: Tensor, columns: tuple[int, ...]) -> Tensor:
    """Each feature map times the mean gradient of the output with respect to it, ``A^n 1/k^2 sum_ij df/dA^n_ij``.

    The gradient is taken through the head only: the feature maps are its input, so nothing behind them matters.

    Args:
        network: in evaluation mode, checked.
        images: (sample, channel, height, width), on the network's device; they go through at once.
        columns: f is the sum of these outputs.

    Returns:
        (sample, feature channel, row, column).
    """
    with torch.no_grad():
        maps = features(network, images)
    maps = maps.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(head(network, maps)[:, columns].sum(), maps)
    return maps.detach() * gradient.mean(dim=(2, 3), keepdim=True)


def regression_map(network: nn.Module, images: Tensor, columns: tuple[int, ...]) -> Tensor:
    """``regression_gradcam`` of one batch as a tensor on the network's device; same conditions as ``contributions``."""
    return upsampled(contributions(network, images, columns).mean(dim=1), image_size(images))


def gradcam(network: nn.Module, images: Tensor, output: Output, *, batch: int = BATCH) -> Floats:
    """Grad-CAM, ``ReLU(sum_n alpha_n A^n)`` with ``alpha_n = 1/k^2 sum_ij df/dA^n_ij`` (arXiv:1610.02391).

    Args:
        network: see ``forward``.
        images: (sample, channel, height, width).
        output: f is this output, or the sum of these.
        batch: images at once.

    Returns:
        (sample, height, width), not negative; the k x k map is upsampled bilinearly.

    Raises:
        BadInput: see ``forward.checked_outputs``.
    """

    def one(part: Tensor, columns: tuple[int, ...]) -> Tensor:
        return upsampled(contributions(network, part, columns).sum(dim=1).relu(), image_size(images))

    return mapped(network, images, output, batch, one)


def regression_gradcam(network: nn.Module, images: Tensor, output: Output, *, batch: int = BATCH) -> Floats:
    """Grad-CAM for regression, ``1/(c k k) sum_n A^n sum_ij df/dA^n_ij`` (arXiv:1906.06429), without ReLU.

    A^n are the c feature maps of k x k sites before the global pooling. Both signs are kept: evidence for a smaller
    value counts like evidence for a larger one.

    Args:
        network: see ``forward``.
        images: (sample, channel, height, width).
        output: f is this output, or the sum of these.
        batch: images at once.

    Returns:
        (sample, height, width); the k x k map is upsampled bilinearly.

    Raises:
        BadInput: see ``forward.checked_outputs``.
    """
    return mapped(network, images, output, batch, lambda part, columns: regression_map(network, part, columns))
