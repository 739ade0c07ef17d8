import numpy as np
import pytest
import torch
from captum.attr import Occlusion

from cloudchamber.explain.occlusion import occlusion
from cloudchamber.schema import BadInput


def test_occlusion_of_a_linear_network_is_weight_times_pixel(patch):
    pattern = torch.randn(16, 16, generator=torch.Generator().manual_seed(1))
    images = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    found = occlusion(patch(pattern), images, 0, window=1, stride=1)
    np.testing.assert_allclose(found, (pattern * images[:, 0]).numpy(), rtol=1e-2, atol=1e-4)
    mean = images.mean(dim=0)
    found = occlusion(patch(pattern), images, 0, window=1, stride=1, baseline=mean)
    np.testing.assert_allclose(found, (pattern * (images - mean)[:, 0]).numpy(), rtol=1e-2, atol=1e-4)


def test_windows_that_overlap_are_averaged(tiny, images):
    window, stride = 20, 12  # 0, 12, 24, 36: exactly to the border
    found = occlusion(tiny, images, (0, 1), window, stride, batch=2)
    total, count = np.zeros((5, 56, 56)), np.zeros((56, 56))
    with torch.no_grad():
        for row in range(0, 37, stride):
            for column in range(0, 37, stride):
                hidden = images.clone()
                hidden[:, :, row : row + window, column : column + window] = 0
                loss = (tiny(images) - tiny(hidden))[:, :2].sum(dim=1).numpy()
                total[:, row : row + window, column : column + window] += loss[:, None, None]
                count[row : row + window, column : column + window] += 1
    np.testing.assert_allclose(found, total / count, atol=1e-6)


def test_occlusion_agrees_with_captum(tiny, images):
    found = occlusion(tiny, images, 2, window=14, stride=7)
    expected = Occlusion(tiny).attribute(images, sliding_window_shapes=(2, 14, 14), strides=(2, 7, 7), target=2)
    np.testing.assert_allclose(found, expected[:, 0].detach().numpy(), atol=1e-6)


def test_every_pixel_is_covered_when_the_stride_does_not_fit(tiny, images):
    assert np.isfinite(occlusion(tiny, images, 0, window=10, stride=9)).all()


@pytest.mark.parametrize(("window", "stride"), [(57, 1), (4, 5), (4, 0)])
def test_windows_that_do_not_fit_are_refused(tiny, images, window, stride):
    with pytest.raises(BadInput, match="window"):
        occlusion(tiny, images, 0, window, stride)


def test_a_baseline_of_another_shape_is_refused(tiny, images):
    with pytest.raises(BadInput, match=r"baseline of shape \(1, 56, 56\)"):
        occlusion(tiny, images, 0, baseline=torch.zeros(1, 56, 56))
