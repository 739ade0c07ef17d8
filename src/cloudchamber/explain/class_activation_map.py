"""Class activation map of a network that ends in global average pooling and one dense layer.

Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, arXiv:1512.04150, equation 2,
``M(x, y) = sum_n w_n a_n(x, y)``, a_n the maps that are pooled. For regression the "class" is an output. Such a
head can be read at one place alone, ``head(A at (x, y)) = M(x, y) + bias``, whatever it does to each place before it
pools (a ReLU), so the weights need not be found. Here the map is a share of the output: it is divided by the number of
pixels, so that its sum is output minus bias (their equation 1).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cloudchamber.explain.forward import BATCH, Floats, Output, features, head, image_size, mapped, upsampled
from cloudchamber.schema import BadInput


def class_activation_map(network: nn.Module, images: Tensor, output: Output, *, batch: int = BATCH) -> Floats:
    """The part of the output that each place contributes; the map of an image sums to output minus bias.

    Args:
        network: see ``forward``; its head must be an average over places and a dense layer (a scaling of the outputs
            included), with at most a function of each place before. This is tested on the images, not assumed.
        images: (sample, channel, height, width).
        output: this output, or the sum of these.
        batch: images at once.

    Returns:
        (sample, height, width), upsampled bilinearly. The sum is exact if height and width are multiples of the feature
        maps' and close otherwise.

    Raises:
        BadInput: see ``forward.checked_outputs``; or the output is not the average of what the head says of each place.
    """
    height, width = image_size(images)

    @torch.no_grad()
    def one(part: Tensor, columns: tuple[int, ...]) -> Tensor:
        maps = features(network, part)
        samples, channels, *size = maps.shape
        places = maps.permute(0, 2, 3, 1).reshape(-1, channels, 1, 1)
        try:
            alone = head(network, places)[:, columns].sum(dim=1).reshape(samples, *size)
        except RuntimeError:
            alone = torch.full((samples, *size), torch.nan, device=maps.device)
        value = head(network, maps)[:, columns].sum(dim=1)
        bias = head(network, torch.zeros_like(maps[:1]))[:, columns].sum()
        rounding = 1e-3 * (alone - bias).abs().amax() + 1e-5 * value.abs().amax()
        if not bool(((alone.mean(dim=(1, 2)) - value).abs() <= rounding).all()):
            raise BadInput(
                f"network {type(network).__name__}: its head is not global average pooling and one dense layer, "
                "so it has no class activation map; use regression_gradcam"
            )
        return upsampled(alone - bias, (height, width)) / (height * width)

    return mapped(network, images, output, batch, one)
