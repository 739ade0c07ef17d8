import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from cloudchamber.explain.class_activation_map import class_activation_map
from cloudchamber.explain.gradcam import gradcam, regression_gradcam
from cloudchamber.schema import BadInput


def slow_upsampled(grid, size):
    """Bilinear interpolation between the centres of the cells, the border repeated."""
    cells = grid.shape[0]
    at = np.clip((np.arange(size) + 0.5) * cells / size - 0.5, 0, cells - 1)
    low = np.minimum(np.floor(at).astype(int), cells - 2)
    part = at - low
    out = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            for di, wi in ((0, 1 - part[i]), (1, part[i])):
                for dj, wj in ((0, 1 - part[j]), (1, part[j])):
                    out[i, j] += wi * wj * grid[low[i] + di, low[j] + dj]
    return out


def slow_gradients(network, image, columns):
    """A^n_ij and df/dA^n_ij by differentiating the whole head, one image at a time."""
    with torch.no_grad():
        maps = network.features(image[None]).double()
    maps.requires_grad_()
    network = network.double()
    output = network.head(maps)[0]
    sum(output[column] for column in columns).backward()
    network.float()
    return maps.detach().numpy()[0], maps.grad.numpy()[0]


@pytest.mark.parametrize("output", [0, 2, (0, 1), (3,)])
def test_regression_gradcam_is_the_equation_of_the_publication(tiny, images, output):
    columns = (output,) if isinstance(output, int) else output
    found = regression_gradcam(tiny, images, output, batch=2)
    for image, map_ in zip(images, found, strict=True):
        a, gradient = slow_gradients(tiny, image, columns)
        c, k, _ = a.shape
        expected = sum(a[n] * gradient[n].sum() for n in range(c)) / (c * k * k)
        np.testing.assert_allclose(map_, slow_upsampled(expected, 56), rtol=1e-4, atol=1e-7)
    assert found.min() < 0 < found.max()  # both signs survive


def test_gradcam_is_the_equation_of_selvaraju(tiny, images):
    found = gradcam(tiny, images, 1, batch=3)
    for image, map_ in zip(images, found, strict=True):
        a, gradient = slow_gradients(tiny, image, (1,))
        alpha = [gradient[n].mean() for n in range(len(a))]
        expected = np.maximum(sum(alpha[n] * a[n] for n in range(len(a))), 0)
        np.testing.assert_allclose(map_, slow_upsampled(expected, 56), rtol=1e-4, atol=1e-6)


def test_several_outputs_are_the_sum_of_their_maps(tiny, images):
    both = regression_gradcam(tiny, images, (0, 3))
    np.testing.assert_allclose(
        both, regression_gradcam(tiny, images, 0) + regression_gradcam(tiny, images, 3), atol=1e-6
    )


def test_batches_do_not_matter_and_modes_and_gradients_stay(tiny, images):
    tiny.train()
    tiny.body[1].eval()
    one = regression_gradcam(tiny, images, 0, batch=1)
    np.testing.assert_allclose(one, regression_gradcam(tiny, images, 0, batch=100), atol=1e-6)
    assert [tiny.training, tiny.body[4].training, tiny.body[1].training] == [True, True, False]
    assert all(weight.grad is None and weight.requires_grad for weight in tiny.parameters())
    with torch.no_grad():  # as called from a prediction loop
        np.testing.assert_allclose(one, regression_gradcam(tiny, images, 0), atol=1e-6)


def test_class_activation_map_sums_to_output_minus_bias(tiny, images):
    for output in (0, 3):
        found = class_activation_map(tiny, images, output, batch=2)
        with torch.no_grad():
            value = tiny(images)[:, output] - tiny.dense.bias[output]
        np.testing.assert_allclose(found.sum(axis=(1, 2)), value.numpy(), rtol=1e-4, atol=1e-6)


def test_class_activation_map_is_the_equation_of_zhou(tiny, images):
    found = class_activation_map(tiny, images, 2)
    with torch.no_grad():
        pooled = torch.relu(tiny.features(images)).double().numpy()
        weight = tiny.dense.weight[2].double().numpy()
    for a, map_ in zip(pooled, found, strict=True):
        expected = sum(w * f for w, f in zip(weight, a, strict=True))
        np.testing.assert_allclose(map_ * 56 * 56, slow_upsampled(expected, 56), rtol=1e-4, atol=1e-5)


def test_class_activation_map_refuses_other_heads(tiny, images):
    tiny.head = lambda features: softplus(tiny.dense(features.mean(dim=(2, 3))))
    with pytest.raises(BadInput, match="no class activation map"):
        class_activation_map(tiny, images, 0)
    tiny.head = lambda features: tiny.dense(features.amax(dim=(2, 3)))
    with pytest.raises(BadInput, match="no class activation map"):
        class_activation_map(tiny, images, 0)


def test_constant_output_has_no_map(patch):
    network = patch(torch.rand(56, 56))
    assert not regression_gradcam(network, torch.rand(2, 1, 56, 56), 1).any()


def test_a_network_that_is_not_head_of_features_is_refused(tiny, images):
    tiny.forward = lambda images: tiny.head(tiny.features(images)) + 1
    with pytest.raises(BadInput, match=r"not head\(features\(images\)\)"):
        gradcam(tiny, images, 0)


@pytest.mark.parametrize("output", [4, -1, (), (0, 0), (0, 9)])
def test_an_output_that_does_not_exist_is_refused(tiny, images, output):
    with pytest.raises(BadInput, match="columns 0 to 3"):
        regression_gradcam(tiny, images, output)
