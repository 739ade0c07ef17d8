"""The publication's network: 34 layers, 56 to 7 pixels, ResNet-34's number of parameters."""

import pytest
import torch
from torch import nn

from cloudchamber.networks.se_resnet import ResidualBlock, SEResNet, tiny


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_thirty_four_layers_in_the_publications_sizes() -> None:
    network = SEResNet(channels=1, outputs=2, width=8).eval()
    convolutions = [
        module for module in network.modules() if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3)
    ]
    assert len(convolutions) + 1 == 34
    sizes = []
    for stage in network.stages.values():
        stage.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:])))
    with torch.no_grad():
        features = network.features(torch.rand(2, 1, 56, 56))
    assert sizes == [(8, 56, 56), (16, 28, 28), (32, 14, 14), (64, 7, 7)]
    assert features.shape == (2, 64, 7, 7)


def test_publications_width_has_the_parameters_of_resnet34() -> None:
    with torch.device("meta"):
        plain = SEResNet(channels=1, outputs=2, reduction=None)
        excited = SEResNet(channels=1, outputs=2, reduction=16)
    # ResNet-34 (arXiv:1512.03385, as in torchvision) less its 7x7 stem on colours (9408) and its 1000 classes (513000)
    assert parameters(plain) == 21_797_672 - 9408 - 513_000 + 3 * 9 * 64 + 2 * 513  # the image and two coordinates
    gates = sum(
        blocks * (2 * channels * hidden + hidden + channels)
        for blocks, channels, hidden in ((3, 64, 4), (4, 128, 8), (6, 256, 16), (3, 512, 32))
    )
    assert parameters(excited) - parameters(plain) == gates
    shared = dict(plain.named_parameters())
    assert {name for name, _ in excited.named_parameters() if "excitation" not in name} == set(shared)


def test_forward_is_head_of_features_and_starts_as_its_shortcuts() -> None:
    torch.manual_seed(4)
    network, shape = tiny()
    images = torch.rand(3, *shape)
    network.eval()
    torch.testing.assert_close(network(images), network.head(network.features(images)))
    assert (network.features(images) < 0).any(), "the sum is taken before its ReLU"
    for module in network.modules():
        if hasattr(module, "second"):
            assert not module.second[-1].weight.any()


@pytest.mark.parametrize("stride", [1, 2])
def test_both_ways_through_a_block_see_the_relu_of_its_input(stride: int) -> None:
    torch.manual_seed(5)
    block = ResidualBlock(4, 4, stride, 2).eval()
    images = torch.randn(3, 4, 8, 8)
    if stride == 1:
        assert torch.equal(block(images), images.relu()), "it starts as its shortcut"
    nn.init.normal_(block.second[-1].weight)
    changed = torch.where(images < 0, 10 * images, images)
    assert torch.equal(block(changed), block(images))
    assert not torch.equal(block(images + 1), block(images))


def test_size_must_be_halved_three_times() -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        SEResNet(1, 2, size=20)
