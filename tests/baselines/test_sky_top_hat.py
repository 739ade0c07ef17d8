"""Disc counts against every distance computed; the statistic against its formula; rotation."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.baselines.sky_inputs import pixel_centres
from cloudchamber.baselines.sky_top_hat import RADII, TopHatScan, counts_within_radii


def slow_counts(sky):
    """n(g, rho) by all distances."""
    cosine = pixel_centres(16) @ sky[:, :3].astype(np.float64).T
    return np.stack([(cosine > np.cos(np.deg2rad(radius))).sum(axis=1) for radius in RADII], axis=1)


def test_counts_are_those_of_every_distance(skies):
    for sky in skies.draw(3, 60, seed=1)[0]:
        # of 900 000 distances one may lie within rounding of an edge
        assert np.abs(counts_within_radii(sky.astype(np.float64)) - slow_counts(sky)).sum() <= 1


def test_statistic_fraction_and_direction_are_those_of_the_fullest_disc(skies, tmp_path):
    isotropic, _ = skies.draw(30, 0, seed=3)
    signal, source = skies.draw(12, 90, seed=4)
    search = TopHatScan(ensemble=20)
    search.fit(skies.samples(isotropic), skies.samples(isotropic), tmp_path)
    maxima = np.array([slow_counts(sky).max(axis=0) for sky in isotropic[:20]])
    said = search.predict(signal).mean
    for row, sky in enumerate(signal):
        counts = slow_counts(sky)
        deviation = (counts.max(axis=0) - maxima.mean(axis=0)) / maxima.std(axis=0, ddof=1)
        # one distance at an edge: see above
        assert said[row, 0] == pytest.approx(deviation.max(), abs=1.1 / maxima.std(axis=0, ddof=1).min())
        radius = deviation.argmax()
        disc = (1 - np.cos(np.deg2rad(RADII[radius]))) / 2
        assert said[row, 1] == pytest.approx(counts[:, radius].max() / 300 - disc, abs=1.1 / 300)
    # 30 % signal, most of it within the disc
    assert 0.15 < np.median(said[:, 1]) < 0.33
    # the coherent deflection of 40 EeV helium is 14.6 degrees: the disc lies beside the source, but near
    assert np.median(skies.degrees(said[:, 2:], source)) < 20
    other = TopHatScan()
    other.restore(tmp_path)
    np.testing.assert_array_equal(other.predict(signal).mean, said)
    # another first one of equally full discs may be found: only the statistic and fraction must agree
    np.testing.assert_allclose(search.predict(skies.turned(signal)).mean[:, :2], said[:, :2], atol=1e-9)
    assert search.predict(signal[:0]).mean.shape == (0, 5)
