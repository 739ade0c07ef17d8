"""What searches on the sky share: pixels and blocks, the isotropic ensemble, what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.baselines.sky_autocorrelation import Autocorrelation
from cloudchamber.baselines.sky_inputs import pixel_blocks, pixel_centres
from cloudchamber.baselines.sky_top_hat import TopHatScan
from cloudchamber.schema import BadInput


def test_every_pixel_lies_in_the_disc_of_its_block():
    centres, radii = pixel_blocks(16, 4)
    fine = pixel_centres(16)
    assert centres.shape == (192, 3)
    np.testing.assert_allclose(np.linalg.norm(fine, axis=1), 1, atol=1e-12)
    nearest = (fine @ centres.T).argmax(axis=1)
    # nested order: sixteen pixels in a row belong to one block; corners may lie nearer to the block beside
    assert (nearest == np.arange(3072) // 16).mean() > 0.8
    assert (np.arccos((fine * np.repeat(centres, 16, axis=0)).sum(axis=1)) <= np.repeat(radii, 16) + 1e-7).all()
    assert np.rad2deg(radii.max()) < 15


@pytest.mark.parametrize(("kind", "strong"), [(Autocorrelation, 60), (TopHatScan, 70)])
def test_isotropic_p_values_are_uniform_and_a_strong_source_is_seen(skies, tmp_path, kind, strong):
    search = kind(ensemble=100)
    search.fit(skies.samples(skies.draw(100, 0, seed=6)[0]), skies.samples(skies.draw(2, 0, seed=6)[0]), tmp_path)
    known, new = (search.predict(skies.draw(400, 0, seed=seed)[0]).mean[:, 0] for seed in (7, 8))
    assert skies.uniform(known, new) > 1e-3
    assert search.predict(skies.draw(20, strong, seed=9)[0]).mean[:, 0].min() > known.max()


@pytest.mark.parametrize("kind", [Autocorrelation, TopHatScan])
def test_an_unfitted_search_and_other_cosmic_ray_numbers_are_refused(skies, tmp_path, kind):
    search = kind()
    inputs, _ = skies.draw(4, 0, seed=10)
    with pytest.raises(BadInput, match="call fit or restore first"):
        search.predict(inputs)
    with pytest.raises(BadInput, match="fit it again"):
        search.restore(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="1 isotropic skies"):
        search.fit(skies.samples(inputs[:1]), skies.samples(inputs), tmp_path)
    with pytest.raises(BadInput, match="0 isotropic skies"):
        search.fit(skies.samples(inputs, signal=1), skies.samples(inputs), tmp_path)
    search.fit(skies.samples(inputs), skies.samples(inputs), tmp_path)
    with pytest.raises(BadInput, match="--set cosmic_rays=200"):
        search.predict(inputs[:, :200])
    with pytest.raises(BadInput, match="shape"):
        search.predict(inputs[0])
    broken = inputs.copy()
    broken[0, 0, 0] = np.nan
    with pytest.raises(BadInput, match="NaN"):
        search.predict(broken)
    broken = inputs * 2
    with pytest.raises(BadInput, match="length 1"):
        search.predict(broken)
    broken = inputs.copy()
    broken[0, 0, 3] = 0
    with pytest.raises(BadInput, match="positive"):
        search.predict(broken)
