"""Maps of cosmic rays: the own pixel numbers against astropy-healpix."""

import numpy as np
import pytest
from astropy_healpix.healpy import vec2pix

from cloudchamber.layers.healpix_graph import centres
from cloudchamber.layers.sky_maps import nested_pixels, sky_maps
from cloudchamber.schema import BadInput


@pytest.mark.parametrize("nside", [1, 2, 64, 1024])
def test_pixels_are_those_of_astropy_healpix(nside: int) -> None:
    directions = np.random.default_rng(1).standard_normal((100_000, 3))
    assert np.array_equal(nested_pixels(nside, directions), vec2pix(nside, *directions.T, nest=True))


@pytest.mark.parametrize("nside", [1, 4, 64])
def test_centres_lie_in_their_pixels(nside: int) -> None:
    assert np.array_equal(nested_pixels(nside, centres(nside)), np.arange(12 * nside**2))


@pytest.mark.parametrize("nside", [1, 2, 8])
def test_corners_belong_to_a_nearest_pixel(nside: int) -> None:
    # The axes lie on corners or edges of pixels, where several are as near.
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    cosine = axes @ centres(nside).T
    chosen = cosine[np.arange(6), nested_pixels(nside, axes)]
    assert np.all(chosen > np.cos(1.2 * pixel_radius(nside)))


def pixel_radius(nside: int) -> float:
    """Largest angle between a direction and the nearest centre, by drawing."""
    directions = np.random.default_rng(2).standard_normal((20_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return float(np.arccos((directions @ centres(nside).T).max(axis=1).min()))


def test_maps_hold_numbers_and_energies() -> None:
    rng = np.random.default_rng(3)
    cosmic_rays = np.concatenate(
        [rng.standard_normal((2, 500, 3)), rng.uniform(40, 100, (2, 500, 1))], axis=2, dtype=np.float32
    )
    cosmic_rays[..., :3] /= np.linalg.norm(cosmic_rays[..., :3], axis=2, keepdims=True)
    maps = sky_maps(cosmic_rays, 8)
    for sky, (number, energy) in zip(cosmic_rays, maps, strict=True):
        pixels = vec2pix(8, *sky[:, :3].T.astype(float), nest=True)
        assert np.array_equal(number, np.bincount(pixels, minlength=768))
        # Single precision sums of a few energies.
        np.testing.assert_allclose(energy, np.bincount(pixels, sky[:, 3] / 40, minlength=768), rtol=1e-6)


def test_cosmic_rays_of_wrong_shape_or_length_are_refused() -> None:
    with pytest.raises(BadInput, match=r"shape \(5, 4\)"):
        sky_maps(np.ones((5, 4), np.float32), 8)
    with pytest.raises(BadInput, match="length 0"):
        sky_maps(np.zeros((1, 5, 4), np.float32), 8)
