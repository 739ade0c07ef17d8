import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from cloudchamber.explain.gradcam import regression_gradcam
from cloudchamber.explain.sanity import (
    deletion_curve,
    insertion_curve,
    random_maps,
    randomization_similarity,
    randomized,
    rank_correlation,
)
from cloudchamber.schema import BadInput


@pytest.fixture
def one_patch(patch):
    """A network that adds up a square of the image, and a map that says so."""
    pattern = torch.zeros(56, 56)
    pattern[10:24, 30:44] = 1
    images = torch.rand(8, 1, 56, 56, generator=torch.Generator().manual_seed(5)) + 0.5
    return patch(pattern), images, np.repeat(pattern.numpy()[None], 8, axis=0)


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 9, (2, 4, 5, 6)).astype(float)
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(rank_correlation(first, second), expected)
    np.testing.assert_allclose(rank_correlation(first, 3 * first**3), 1)
    np.testing.assert_allclose(rank_correlation(first, -first), -1)
    flat = np.ones_like(first)
    assert rank_correlation(flat, 2 * flat).tolist() == [1] * 4
    assert rank_correlation(first, flat).tolist() == [0] * 4


def test_randomized_changes_the_layers_nearest_to_the_output(tiny):
    before = {name: weight.clone() for name, weight in tiny.state_dict().items()}

    def changed(fraction, seed=0):
        after = dict(randomized(tiny, fraction, seed).named_parameters())
        return [name for name in after if name.endswith("weight") and not torch.equal(after[name], before[name])]

    assert changed(0) == []
    assert changed(1 / 7) == ["dense.weight"]
    assert changed(3 / 7) == ["body.6.weight", "dense.weight"]  # a fresh normalisation has weight 1, as before
    assert changed(1) == ["body.0.weight", "body.3.weight", "body.6.weight", "dense.weight"]
    assert not randomized(tiny).body[1].running_mean.any()
    for name, weight in tiny.state_dict().items():
        assert torch.equal(weight, before[name])
    one, same, other = (randomized(tiny, 1, seed).dense.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_randomized_leaves_the_global_generator_and_redraws_bare_weights():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.gain = nn.Parameter(torch.linspace(4, 6, 1001))

    state = torch.get_rng_state()
    gain = randomized(Bare()).gain.detach()
    assert torch.equal(torch.get_rng_state(), state)
    assert float(gain.mean()) == pytest.approx(5, abs=0.1)
    assert float(gain.std()) == pytest.approx(2 / 12**0.5, rel=0.1)
    with pytest.raises(BadInput, match="no weights"):
        randomized(nn.ReLU())
    with pytest.raises(BadInput, match="0 to 1"):
        randomized(Bare(), 1.1)


def test_similarity_of_an_explanation_that_looks_at_the_weights_and_of_one_that_does_not(tiny, images):
    def of_weights(network, images):
        return regression_gradcam(network, images, 0)

    def of_image(network, images):
        return images[:, 0].numpy()

    honest = randomization_similarity(of_weights, tiny, images, seed=1, fractions=(0, 0.5, 1))
    assert honest.correlation[0] == pytest.approx(1)
    assert abs(honest.correlation[2]) < 0.9
    assert honest.images.shape == (3, 5)
    np.testing.assert_allclose(honest.correlation, honest.images.mean(axis=1))
    np.testing.assert_allclose(honest.error, honest.images.std(axis=1, ddof=1) / 5**0.5)
    blind = randomization_similarity(of_image, tiny, images)
    np.testing.assert_allclose(blind.correlation, [1])


def slow_changes(network, image, map_, fractions, baseline, keeps):
    """|f(changed) - f(x)| with pixels taken one after another in the order of the map (no equal values)."""
    order = sorted(range(map_.size), key=lambda pixel: -map_.flat[pixel])
    found = []
    for fraction in fractions:
        shown = (baseline if keeps else image).clone().reshape(len(image), -1)
        for pixel in order[: round(fraction * map_.size)]:
            shown[:, pixel] = (image if keeps else baseline).reshape(len(image), -1)[:, pixel]
        with torch.no_grad():
            change = network(shown.reshape(1, *image.shape))[0, :2] - network(image[None])[0, :2]
        found.append(float(change.norm()))
    return found


@pytest.mark.parametrize(("curve", "keeps"), [(deletion_curve, False), (insertion_curve, True)])
def test_curves_are_the_definition_of_petsiuk(tiny, images, curve, keeps):
    maps, fractions, baseline = random_maps(5, (56, 56), seed=9, cells=56), [0, 0.3, 0.5, 1], images.mean(dim=0)
    found = curve(tiny, images, maps, fractions, baseline, (0, 1), draws=2, batch=2)
    expected = np.array(
        [slow_changes(tiny, *pair, fractions, baseline, keeps) for pair in zip(images, maps, strict=True)]
    )
    np.testing.assert_allclose(found.change, expected.mean(axis=0), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found.change_error, expected.std(axis=0, ddof=1) / 5**0.5, rtol=1e-3, atol=1e-6)
    area, by_chance = (np.trapezoid(change, fractions) for change in (found.change, found.random))
    assert found.difference == pytest.approx(area - by_chance)


def test_the_right_map_beats_random_ones_and_a_random_one_does_not(one_patch):
    network, images, truth = one_patch
    good = deletion_curve(network, images, truth, seed=1)
    assert good.difference > 10 * good.difference_error > 0
    assert good.change[1] > 0.99 * good.change[-1]  # 196 of 3136 pixels hold everything
    good = insertion_curve(network, images, truth, seed=1)
    assert good.difference < -10 * good.difference_error < 0
    assert good.change[1] == pytest.approx(0, abs=1e-2)
    for curve in (deletion_curve, insertion_curve):
        noise = curve(network, images, random_maps(8, (56, 56), seed=77), draws=20)
        assert abs(noise.difference) < 4 * noise.difference_error
        assert noise.random[0] == pytest.approx(noise.change[0], abs=1e-3)  # ends do not depend on the order
        assert noise.random[-1] == pytest.approx(noise.change[-1], abs=1e-3)


def test_equal_pixels_come_in_random_order(one_patch):
    network, images, truth = one_patch
    flat = deletion_curve(network, images, np.zeros_like(truth), [0, 0.5, 1])
    assert flat.change[1] == pytest.approx(flat.change[2] / 2, rel=0.1)  # the square lies in the upper half


def test_curves_repeat_with_their_seed_only(tiny, images):
    maps = regression_gradcam(tiny, images, 0)
    one, two = (deletion_curve(tiny, images, maps, seed=3, draws=2) for _ in range(2))
    np.testing.assert_array_equal(one.change, two.change)
    np.testing.assert_array_equal(one.random, two.random)
    assert not np.array_equal(one.random, deletion_curve(tiny, images, maps, seed=4, draws=2).random)


def test_wrong_fractions_maps_and_draws_are_refused(tiny, images):
    maps = np.zeros((5, 56, 56), dtype=np.float32)
    with pytest.raises(BadInput, match="fractions"):
        deletion_curve(tiny, images, maps, [0.5, 0.2])
    with pytest.raises(BadInput, match="fractions"):
        deletion_curve(tiny, images, maps, [0, 1.2])
    with pytest.raises(BadInput, match="one finite map"):
        deletion_curve(tiny, images, maps[:4])
    with pytest.raises(BadInput, match="one finite map"):
        insertion_curve(tiny, images, np.full_like(maps, np.nan))
    with pytest.raises(BadInput, match="draws"):
        insertion_curve(tiny, images, maps, draws=0)
    with pytest.raises(BadInput, match="same shape"):
        rank_correlation(maps, maps[:2])
