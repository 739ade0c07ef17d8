import numpy as np
import pytest
import torch

from cloudchamber.explain.lime import WIDTH, lime, superpixels
from cloudchamber.schema import BadInput


def grid(size, cells):
    side = np.arange(size) * cells // size
    return side[:, None] * cells + side[None, :]


def test_lime_recovers_a_linear_model(patch):
    pattern = torch.randn(16, 16, generator=torch.Generator().manual_seed(1))
    images = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    segments = grid(16, 4)
    for baseline in (None, images.mean(dim=0)):
        found = lime(patch(pattern), images, 0, segments, samples=100, baseline=baseline)
        part = (pattern * (images[:, 0] - (0 if baseline is None else baseline[0]))).numpy()
        for image, map_ in zip(part, found, strict=True):
            for label in range(16):
                here = segments == label
                np.testing.assert_allclose(map_[here], image[here].sum(), rtol=1e-3, atol=1e-4)


def test_lime_is_the_weighted_fit_of_the_publication(tiny, images):
    segments, samples, seed = grid(56, 3), 60, 4
    found = lime(tiny, images[:1], 1, segments, samples, seed, batch=7)
    rng = np.random.default_rng((seed, 0))
    z = np.concatenate([rng.integers(0, 2, (1, 9)) for _ in range(samples)]).astype(float)
    with torch.no_grad():
        value = [float(tiny(images[:1] * torch.from_numpy(row[segments]).float())[0, 1]) for row in z]
    cosine = [row.sum() / (np.sqrt(9) * np.sqrt(row.sum())) if row.any() else 0 for row in z]
    root = np.sqrt(np.exp(-((1 - np.array(cosine)) ** 2) / WIDTH**2))
    design = np.column_stack([np.ones(samples), z])
    expected = np.linalg.lstsq(design * root[:, None], np.array(value) * root, rcond=None)[0][1:]
    np.testing.assert_allclose(found[0], expected[segments], rtol=1e-2, atol=1e-5)


def test_the_seed_decides_and_images_do_not_share_a_stream(tiny, images):
    segments = grid(56, 3)
    found = lime(tiny, images[:2], 0, segments, 30, seed=1)
    np.testing.assert_array_equal(found, lime(tiny, images[:2], 0, segments, 30, seed=1))
    np.testing.assert_array_equal(found[:1], lime(tiny, images[:1], 0, segments, 30, seed=1))
    assert not np.array_equal(found, lime(tiny, images[:2], 0, segments, 30, seed=2))


def test_each_image_may_have_its_own_superpixels(tiny, images):
    shared, own = grid(56, 3), grid(56, 2)
    found = lime(tiny, images[:2], 0, np.stack([shared, own]), 40)
    assert len(np.unique(found[0])) == 9
    assert len(np.unique(found[1])) == 4


def test_superpixels_follow_position_and_value():
    image = torch.zeros(1, 20, 20)
    image[:, 5:15, 5:15] = 1
    by_value = superpixels(image, 2, contrast=100)
    assert len(np.unique(by_value[image[0].numpy() == 1])) == 1
    assert len(np.unique(by_value)) == 2
    by_place = superpixels(image, 9, contrast=0)
    for label in range(9):
        rows, columns = np.nonzero(by_place == label)
        assert max(np.ptp(rows), np.ptp(columns)) < 14
    np.testing.assert_array_equal(by_place, superpixels(image, 9, contrast=0))
    constant = superpixels(torch.ones(2, 8, 8), 4)
    assert sorted(np.unique(constant)) == [0, 1, 2, 3]


def test_wrong_segments_and_too_few_samples_are_refused(tiny, images):
    with pytest.raises(BadInput, match="segments of shape"):
        lime(tiny, images, 0, grid(16, 4))
    with pytest.raises(BadInput, match="gaps"):
        lime(tiny, images, 0, grid(56, 3) * 2)
    with pytest.raises(BadInput, match="at least 18"):
        lime(tiny, images, 0, grid(56, 3), samples=17)
    with pytest.raises(BadInput, match="superpixels"):
        superpixels(images[0], 0)
    with pytest.raises(BadInput, match="expected"):
        superpixels(images, 3)
