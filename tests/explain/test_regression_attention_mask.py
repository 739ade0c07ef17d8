import math

import numpy as np
import pytest
import torch

from cloudchamber.explain.gradcam import regression_gradcam
from cloudchamber.explain.regression_attention_mask import (
    attention_by_bin,
    region_pixels,
    regression_attention_mask,
)
from cloudchamber.schema import BadInput


def slow_mask(network, images, columns):
    """The publication's definition, image by image."""
    masks, sigma = [], []
    for image in images:
        map_ = regression_gradcam(network, image[None], columns)[0].astype(float)
        mask = np.array([[value > map_.mean() for value in row] for row in map_])
        with torch.no_grad():
            whole = network(image[None])[0, list(columns)]
            shown = network((image * torch.from_numpy(mask))[None])[0, list(columns)]
        masks.append(mask)
        sigma.append(math.sqrt(sum(float(d) ** 2 for d in shown - whole)))
    weight = [math.exp(-s) / sum(math.exp(-t) for t in sigma) for s in sigma]
    return masks, sigma, weight, sum(w * m for w, m in zip(weight, masks, strict=True))


@pytest.mark.parametrize("columns", [(0,), (0, 1)])
def test_the_mask_is_the_definition_of_the_publication(tiny, images, columns):
    found = regression_attention_mask(tiny, images, columns, batch=2)
    masks, sigma, weight, mask = slow_mask(tiny, images, columns)
    assert np.mean(found.masks == np.stack(masks)) > 0.9999  # rounding at the threshold
    np.testing.assert_allclose(found.sigma, sigma, rtol=1e-3)
    np.testing.assert_allclose(found.weight, weight, rtol=1e-4)
    np.testing.assert_allclose(found.mask, mask, atol=1e-3)
    assert found.weight.sum() == pytest.approx(1)
    assert found.sigma.min() > 0
    assert found.masks.dtype == bool
    assert 0 <= found.mask.min() <= found.mask.max() <= 1 + 1e-6


def test_a_network_that_looks_at_one_corner_highlights_it(patch):
    pattern = torch.zeros(56, 56)
    pattern[:16, :16] = 1
    images = torch.rand(20, 1, 56, 56, generator=torch.Generator().manual_seed(1)) + 1
    found = regression_attention_mask(patch(pattern), images, 0)
    assert (found.mask[:16, :16] > 0.99).all()
    assert not found.mask[24:].any()  # a cell away from the corner
    assert not found.mask[:, 24:].any()
    np.testing.assert_allclose(found.sigma, 0, atol=1e-3)  # the corner is all that counts
    np.testing.assert_allclose(found.weight, 1 / 20, rtol=1e-3)


def test_the_image_that_its_mask_explains_weighs_more(patch):
    pattern = torch.zeros(56, 56)
    pattern[:8, :8], pattern[40:, 40:] = 1e-2, -1e-2  # evidence of the other sign is below the mean: it is not shown
    images = torch.rand(2, 1, 56, 56, generator=torch.Generator().manual_seed(1)) + 0.5
    images[0, :, 40:, 40:] = 0
    found = regression_attention_mask(patch(pattern), images, 0)
    assert found.sigma[0] < found.sigma[1]
    assert found.weight[0] / found.weight[1] == pytest.approx(math.exp(found.sigma[1] - found.sigma[0]))


def test_a_constant_map_has_an_empty_mask(patch):
    found = regression_attention_mask(patch(torch.ones(56, 56)), torch.rand(3, 1, 56, 56), 1)
    assert not found.masks.any()


def test_regions_have_physical_coordinates():
    pixels = region_pixels((4, 10), ((0.5, 1.0), (0.0, 0.2)), ((0.0, 1.0), (0.0, 1.0)))
    assert pixels.nonzero()[0].tolist() == [2, 2, 3, 3]
    assert pixels.nonzero()[1].tolist() == [0, 1, 0, 1]
    with pytest.raises(BadInput, match="holds 0 of 40 pixels"):
        region_pixels((4, 10), ((2, 3), (0, 1)), ((0.0, 1.0), (0.0, 1.0)))


def test_bins_hold_the_mask_of_their_images(tiny, images):
    values = np.array([0.0, 0.5, 0.9, 1.0, 0.1])
    regions = {"toe": ((0.5, 1.0), (0.0, 0.5))}
    found = attention_by_bin(tiny, images, values, [0, 0.2, 0.4, 1.0], regions=regions)
    assert found["n"].tolist() == [2, 0, 3]  # the last edge belongs to the last bin
    for row, chosen in ((0, [0, 4]), (2, [1, 2, 3])):
        alone = regression_attention_mask(tiny, images[chosen], (0, 1))
        np.testing.assert_allclose(found["mask"][row], alone.mask, atol=1e-6)
        assert found["sigma"][row] == pytest.approx(alone.sigma.mean(), rel=1e-5)
        assert found["sigma_error"][row] == pytest.approx(alone.sigma.std(ddof=1) / math.sqrt(len(chosen)), rel=1e-4)
        toe = region_pixels((56, 56), regions["toe"], ((0, 1), (0, 1)))
        inside, outside = alone.mask[toe].mean(), alone.mask[~toe].mean()
        assert found["toe_inside"][row] == pytest.approx(inside, rel=1e-5)
        assert found["toe_contrast"][row] == pytest.approx(inside - outside, rel=1e-4)
        assert 1 < found["effective_n"][row] <= len(chosen) + 1e-9
        assert found["toe_contrast_error"][row] > 0
    for name in ("mask", "mask_error", "sigma", "toe_inside"):
        assert np.isnan(found[name][1]).all()


def test_errors_are_those_of_a_weighted_mean(patch):
    """Equal weights: the standard error of the plain mean."""
    images = torch.rand(50, 1, 56, 56, generator=torch.Generator().manual_seed(1)) - 0.5
    network = patch(torch.full((56, 56), 1e-6))  # sigma about 0
    found = attention_by_bin(network, images, np.zeros(50), [-1, 1], 0)
    masks = regression_attention_mask(network, images, 0).masks
    np.testing.assert_allclose(found["mask_error"][0], masks.std(axis=0, ddof=1) / math.sqrt(50), rtol=1e-3)
    single = attention_by_bin(network, images[:1], np.zeros(1), [-1, 1], 0)
    assert np.isnan(single["mask_error"]).all()
    assert np.isfinite(single["mask"]).all()


def test_bins_that_do_not_fit_are_refused(tiny, images):
    with pytest.raises(BadInput, match="increasing"):
        attention_by_bin(tiny, images, np.zeros(5), [0, 0])
    with pytest.raises(BadInput, match="one for each of the 5 images"):
        attention_by_bin(tiny, images, np.zeros(4), [0, 1])
