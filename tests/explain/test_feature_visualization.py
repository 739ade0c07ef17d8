import numpy as np
import pytest
import torch

from cloudchamber.explain.feature_visualization import feature_visualization, neurons
from cloudchamber.schema import BadInput


def test_gradient_ascent_raises_the_activation(tiny, images):
    start, rises = images.mean(dim=0), []
    for layer, channel in neurons(tiny, per_depth=4, depths=3):
        free = feature_visualization(tiny, layer, channel, start, 40, jitter=0, blur=0, decay=0)
        assert free.activation[-1] > free.activation[0] + 0.1
        found = feature_visualization(tiny, layer, channel, start, 40)
        rises.append(found.activation[-1] > found.activation[0])
        assert found.image.shape == (2, 56, 56)
        assert found.image.min() >= 0
        assert found.activation.shape == (41,)
        assert np.isfinite(found.image).all()
    assert np.mean(rises) > 0.75  # a filter finer than the blur cannot be followed


def test_activations_are_those_of_the_layer(tiny, images):
    start = images.mean(dim=0)
    found = feature_visualization(tiny, "body.3", 2, start, steps=5)
    with torch.no_grad():
        for image, value in ((start, found.activation[0]), (torch.from_numpy(found.image), found.activation[-1])):
            values = tiny.body[:4](image[None])[0, 2]
            expected = torch.where(values > 0, values, 0.01 * values).mean()
            assert value == pytest.approx(float(expected), rel=1e-4)


def test_a_linear_neuron_is_shown_by_its_weights(patch):
    pattern = torch.randn(16, 16, generator=torch.Generator().manual_seed(1))
    start = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(2))
    network, scale, rate, steps = patch(pattern), float(start.std(correction=0)), 0.1, 10
    found = feature_visualization(network, "dense", 0, start, steps, rate=rate, jitter=0, blur=0, decay=0, low=None)
    unit = (pattern / pattern.square().mean().sqrt()).numpy()
    np.testing.assert_allclose(found.image[0], start[0].numpy() + scale * rate * steps * unit, rtol=1e-3, atol=1e-4)
    rises = np.diff(found.activation)
    np.testing.assert_allclose(rises, rises[0], rtol=1e-2)


def test_decay_bounds_the_distance_and_blur_smooths(tiny, images):
    start = images.mean(dim=0)
    far, near = (
        feature_visualization(tiny, "body.6", 0, start, 40, decay=decay, low=None).image - start.numpy()
        for decay in (0.0, 0.5)
    )
    assert np.abs(near).mean() < np.abs(far).mean()
    rough, smooth = (
        feature_visualization(tiny, "body.0", 1, start, 20, blur=blur, jitter=0, low=None).image - start.numpy()
        for blur in (0.0, 3.0)
    )
    assert np.abs(np.diff(smooth)).mean() / smooth.std() < 0.5 * np.abs(np.diff(rough)).mean() / rough.std()


def test_the_seed_decides_the_image(tiny, images):
    start = images[0]
    one = feature_visualization(tiny, "body.6", 0, start, 10, seed=1).image
    np.testing.assert_array_equal(one, feature_visualization(tiny, "body.6", 0, start, 10, seed=1).image)
    assert not np.array_equal(one, feature_visualization(tiny, "body.6", 0, start, 10, seed=2).image)
    assert not tiny.body[6]._forward_hooks


def test_a_dead_neuron_leaves_the_image_as_it_is(tiny, images):
    with torch.no_grad():
        tiny.body[0].weight[3] = 0
    found = feature_visualization(tiny, "body.0", 3, images[0], 5)
    np.testing.assert_allclose(found.image, images[0].numpy())
    assert np.ptp(found.activation) == 0


def test_neurons_go_from_shallow_to_deep(tiny):
    assert neurons(tiny, 2, depths=2) == [("body.1", 0), ("body.1", 3), ("body.7", 0), ("body.7", 7)]
    assert [layer for layer, _ in neurons(tiny, 1, depths=9)] == ["body.1", "body.4", "body.7"]


def test_unknown_layer_channel_and_wrong_image_are_refused(tiny, images):
    with pytest.raises(BadInput, match=r"did you mean 'body\.6'"):
        feature_visualization(tiny, "bodi.6", 0, images[0])
    with pytest.raises(BadInput, match="no channel 8"):
        feature_visualization(tiny, "body.6", 8, images[0])
    with pytest.raises(BadInput, match="images of shape"):
        feature_visualization(tiny, "body.6", 0, images)
    with pytest.raises(BadInput, match="rate"):
        feature_visualization(tiny, "body.6", 0, images[0], rate=0)
    tiny.unused = torch.nn.Linear(1, 1)
    with pytest.raises(BadInput, match="another layer"):
        feature_visualization(tiny, "unused", 0, images[0])
    with pytest.raises(BadInput, match="no convolution"):
        neurons(torch.nn.Linear(1, 1), 1)
    with pytest.raises(BadInput, match="at least 1"):
        neurons(tiny, 0)
