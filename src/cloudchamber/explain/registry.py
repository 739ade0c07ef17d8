"""Every explanation that gives one map an image, by name, with settings that suit 56 x 56 images and output 0.

The contract tests run over this table, and ``sanity`` takes its entries. Feature visualisation is about a neuron, not
about an image, and is not in it.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from cloudchamber.explain.class_activation_map import class_activation_map
from cloudchamber.explain.forward import Floats, checked_outputs
from cloudchamber.explain.gradcam import gradcam, regression_gradcam
from cloudchamber.explain.lime import lime, superpixels
from cloudchamber.explain.occlusion import occlusion
from cloudchamber.explain.regression_attention_mask import regression_attention_mask
from cloudchamber.explain.sanity import Explanation


def _gradcam(network: nn.Module, images: Tensor) -> Floats:
    return gradcam(network, images, 0)


def _regression_gradcam(network: nn.Module, images: Tensor) -> Floats:
    return regression_gradcam(network, images, 0)


def _regression_attention_mask(network: nn.Module, images: Tensor) -> Floats:
    return regression_attention_mask(network, images, 0).masks.astype(np.float32)


def _class_activation_map(network: nn.Module, images: Tensor) -> Floats:
    return class_activation_map(network, images, 0)


def _lime(network: nn.Module, images: Tensor) -> Floats:
    checked_outputs(network, images, 0)
    segments = np.stack([superpixels(image, 25) for image in images])
    return lime(network, images, 0, segments, samples=200)


def _occlusion(network: nn.Module, images: Tensor) -> Floats:
    return occlusion(network, images, 0, window=8, stride=8)


EXPLANATIONS: dict[str, Explanation] = {
    "regression_attention_mask": _regression_attention_mask,
    "regression_gradcam": _regression_gradcam,
    "gradcam": _gradcam,
    "class_activation_map": _class_activation_map,
    "lime": _lime,
    "occlusion": _occlusion,
}
