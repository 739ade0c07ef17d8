"""Occlusion: how much the prediction changes when a window of the image is replaced.

Zeiler and Fergus, arXiv:1311.2901, section 4.2. A pixel's value is the mean, over the windows that cover it, of
``f(x) - f(x with the window replaced)``: positive where the content of the window raises the output.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cloudchamber.explain.forward import (
    BATCH,
    Floats,
    Output,
    batches,
    checked_baseline,
    checked_outputs,
    evaluating,
    image_size,
    predict,
)
from cloudchamber.schema import BadInput


def _starts(size: int, window: int, stride: int) -> list[int]:
    """First pixels of the windows along an axis; the last window ends at the border."""
    return sorted({*range(0, size - window, stride), size - window})


def occlusion(
    network: nn.Module,
    images: Tensor,
    output: Output,
    window: int = 8,
    stride: int = 4,
    baseline: Tensor | None = None,
    *,
    batch: int = BATCH,
) -> Floats:
    """Mean loss of the output over the windows that cover a pixel.

    Args:
        network: see ``forward``.
        images: (sample, channel, height, width).
        output: f is this output, or the sum of these.
        window: side of the square window in pixels.
        stride: step between windows in pixels, at most the window.
        baseline: (channel, height, width), what a window is replaced by, e.g. the mean image; None: zero.
        batch: images at once.

    Returns:
        (sample, height, width), in units of the output.

    Raises:
        BadInput: see ``forward.checked_outputs``; the window does not fit the image, or the stride leaves gaps.
    """
    columns = checked_outputs(network, images, output)
    height, width = image_size(images)
    if not 1 <= stride <= window <= min(height, width):
        raise BadInput(
            f"window {window}, stride {stride}: need 1 <= stride <= window <= {min(height, width)}, the image's side"
        )
    empty = checked_baseline(images, baseline)
    whole = predict(network, images, columns, batch).sum(axis=1)
    loss = np.zeros((len(images), height, width))
    count: NDArray[np.float64] = np.zeros((height, width))
    with evaluating(network), torch.no_grad():
        for row in _starts(height, window, stride):
            for column in _starts(width, window, stride):
                place = (slice(row, row + window), slice(column, column + window))
                left = []
                for part in batches(network, images, batch):
                    hidden = part.clone()
                    hidden[(..., *place)] = empty[(..., *place)].to(part)
                    left.append(network(hidden)[:, columns].sum(dim=1).double().cpu())
                loss[(slice(None), *place)] += (whole - torch.cat(left).numpy())[:, None, None]
                count[place] += 1
    return (loss / count).astype(np.float32)
