"""The template fit against least squares where that is exact, and on Poisson images with known parameters."""

from pathlib import Path

import numpy as np
import pytest

from cloudchamber.baselines.template_fit import TemplateFit, best_surfaces, design
from cloudchamber.data.samples import ArrayRecords, Inputs, Samples
from cloudchamber.schema import Arrays, BadInput

NAMES = ("abs_first", "abs_second", "first", "second")


def raw(records: Arrays, rng: np.random.Generator | None) -> Inputs:
    return records["images"].astype(np.float32)


def samples_of(images: np.ndarray, parameters: np.ndarray) -> Samples:
    targets = np.concatenate([np.abs(parameters), parameters], axis=1).astype(np.float32)
    return Samples(ArrayRecords({"images": images}), np.arange(len(images)), raw, targets, NAMES)


def drawn(samples: int, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform([-0.5, -0.2], [0.5, 0.2], (samples, 2))


SIZE = 28
X, Y = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE))
SLOPES = np.stack([X + Y, 6 * X * Y]) / 2
"""Gaussian images, in the second channel: the parameters times these, noise 1 in every pixel."""


def gaussian(samples: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    parameters = drawn(samples, rng)
    images = np.einsum("sp,pij->sij", parameters, SLOPES) + rng.normal(0, 1, (samples, SIZE, SIZE))
    return samples_of(np.stack([np.zeros_like(images), images], axis=1), parameters)


def poisson(samples: int, seed: int) -> Samples:
    """A ring: its radius follows |first|, its thickness second; a second channel is tilted by the sign of first."""
    rng = np.random.default_rng(seed)
    parameters = drawn(samples, rng)
    first, second = parameters[:, 0, None, None], parameters[:, 1, None, None]
    radius = np.hypot(X, Y)
    rate = 10 * np.exp(-(((radius - 0.3 - 2 * first**2) / (0.3 + second)) ** 2)) + 0.2
    tilt = rng.normal(1.5 * first * X, 1)
    return samples_of(np.stack([0.7 * rng.poisson(rate), tilt], axis=1), parameters)


def test_linear_gaussian_images_give_least_squares(tmp_path: Path) -> None:
    fit = TemplateFit((1,), "templates")
    fit.fit(gaussian(500, 1), gaussian(150, 2), tmp_path)
    test = gaussian(300, 3)
    said = fit.predict(test.inputs())
    assert said.std is not None
    # block averages with unit noise, block edge as chosen; then the textbook
    edge = int(fit.state["block"])
    blocks = SLOPES.reshape(2, SIZE // edge, edge, SIZE // edge, edge).sum(axis=(2, 4)).reshape(2, -1) / edge
    values = (
        test.inputs()[:, 1].reshape(-1, SIZE // edge, edge, SIZE // edge, edge).sum(axis=(2, 4)).reshape(300, -1) / edge
    )
    covariance = np.linalg.inv(blocks @ blocks.T)
    best = values @ blocks.T @ covariance
    inside = (np.abs(test.targets[:, 2]) < 0.3) & (np.abs(best[:, 1]) < 0.1)  # far from the edges of the prior
    error = np.sqrt(covariance[0, 0])
    assert np.sqrt(np.square(said.mean[inside, 2] - best[inside, 0]).mean()) < 0.4 * error
    # the scale and shrinkage of the covariance are tuned in steps of up to 1.4 on 150 images
    assert np.median(said.std[inside, 2]) == pytest.approx(error, rel=0.35)


def test_poisson_images_are_fitted_within_the_quoted_uncertainty(tmp_path: Path) -> None:
    fit = TemplateFit((0, 1), "templates")
    fit.fit(poisson(500, 4), poisson(120, 5), tmp_path)
    test = poisson(300, 6)
    said = fit.predict(test.inputs())
    assert said.std is not None
    unexplained = np.square(said.mean - test.targets).mean(axis=0) / test.targets.var(axis=0)
    assert (unexplained < [0.12, 0.15, 0.12, 0.05]).all()
    inside = (np.abs(said.mean - test.targets) < said.std).mean(axis=0)
    assert (np.abs(inside - 0.683) < 0.15).all()
    other = TemplateFit((0, 1), "templates")
    other.restore(tmp_path)
    np.testing.assert_array_equal(other.predict(test.inputs()).mean, said.mean)
    assert other.predict(test.inputs()[:0]).mean.shape == (0, 4)


def test_without_the_second_channel_the_sign_is_honestly_unknown(tmp_path: Path) -> None:
    fit = TemplateFit((0,), "templates")
    fit.fit(poisson(400, 4), poisson(100, 5), tmp_path)
    test = poisson(200, 6)
    said = fit.predict(test.inputs())
    assert said.std is not None
    clear = np.abs(test.targets[:, 2]) > 0.3
    assert np.abs(said.mean[clear, 2]).mean() < 0.15
    assert said.std[clear, 2].mean() == pytest.approx(0.4, abs=0.06)  # both signs are left: the spread is |first|
    assert said.std[clear, 0].mean() < 0.05


def test_leave_one_out_residuals_are_really_left_out() -> None:
    rng = np.random.default_rng(7)
    points = rng.uniform(-1, 1, (40, 2))
    values = np.stack([points[:, 0] ** 2, points[:, 1]], axis=1) + rng.normal(0, 0.1, (40, 2))
    surfaces = best_surfaces(values, points, "correlated")
    terms = design(points, surfaces.degrees)
    for row in (0, 17, 39):
        keep = np.arange(40) != row
        coefficients = np.linalg.lstsq(terms[keep], values[keep], rcond=None)[0]
        np.testing.assert_allclose(surfaces.residuals[row], values[row] - terms[row] @ coefficients, atol=1e-9)


def test_few_records_are_fitted_and_one_is_refused(tmp_path: Path) -> None:
    fit = TemplateFit((0,), "templates")
    fit.fit(poisson(8, 1), poisson(3, 2), tmp_path)
    assert np.isfinite(fit.predict(poisson(2, 3).inputs()).mean).all()
    with pytest.raises(BadInput, match="at least 2"):
        fit.fit(poisson(1, 1), poisson(3, 2), tmp_path)
    with pytest.raises(BadInput, match="fit it again"):
        fit.restore(tmp_path / "nowhere")
