"""Pair counts against every angle computed; the statistic against its formula; rotation."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.baselines.sky_autocorrelation import ANGLES, Autocorrelation, first_scales, pairs_within_angles


def slow_pairs(sky):
    """n(alpha): angle of every pair by the arc tangent, then counted."""
    directions = sky[:, :3].astype(np.float64)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    i, j = np.triu_indices(len(sky), 1)
    sines = np.linalg.norm(np.cross(directions[i], directions[j]), axis=1)
    angles = np.rad2deg(np.arctan2(sines, (directions[i] * directions[j]).sum(axis=1)))
    return (angles[:, None] < ANGLES).sum(axis=0)


def test_pairs_are_those_of_every_angle(skies):
    inputs, _ = skies.draw(3, 60, seed=1)
    for sky in inputs:
        # float32 directions are unit vectors to 1e-7 only: at an edge of one of 45 000 pairs one pair may differ
        difference = pairs_within_angles(sky.astype(np.float64)) - slow_pairs(sky)
        assert np.abs(difference).max() <= 1
        assert np.count_nonzero(difference) <= 1


def test_pairs_are_counted_at_equal_and_at_opposite_directions():
    sky = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0.0]])
    # angles of the six pairs: 0, 90, 90, 180, 180, 90
    assert pairs_within_angles(sky, np.array([1.0, 89.9, 90.1, 179.0])).tolist() == [1, 1, 4, 4]


def test_the_first_scale_is_never_beyond_the_right_one():
    cosines = np.cos(np.deg2rad(ANGLES))
    first = first_scales(cosines)
    distance = np.random.default_rng(2).uniform(0, 1 - cosines[-1], 100_000)
    start = first[(distance * ((len(first) - 1) / (1 - cosines[-1]))).astype(int)]
    right = np.searchsorted(1 - cosines, distance, side="right")
    assert (start <= right).all()
    assert (start == right).mean() > 0.9  # or the table would be of no use


def test_statistic_is_the_largest_deviation(skies, tmp_path):
    isotropic, _ = skies.draw(30, 0, seed=3)
    signal, _ = skies.draw(5, 60, seed=4)
    search = Autocorrelation(ensemble=20)
    search.fit(skies.samples(isotropic), skies.samples(isotropic), tmp_path)
    known = np.array([pairs_within_angles(sky.astype(np.float64)) for sky in isotropic[:20]])
    said = search.predict(signal).mean
    for row, sky in enumerate(signal):
        deviations = [
            (count - np.mean(column)) / np.std(column, ddof=1)
            for count, column in zip(pairs_within_angles(sky.astype(np.float64)), known.T, strict=True)
            if np.std(column) > 0
        ]
        assert said[row, 0] == pytest.approx(max(deviations), rel=1e-12)
    assert said.dtype == np.float64
    assert np.isnan(said[:, 1:]).all()
    other = Autocorrelation()
    other.restore(tmp_path)
    np.testing.assert_array_equal(other.predict(signal).mean, said)
    # any rotation leaves pairs alone, up to the rounding of directions at the edges of the counts
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    turned = np.concatenate([signal[..., :3] @ turn.T, signal[..., 3:]], axis=2).astype(np.float32)
    np.testing.assert_allclose(search.predict(turned).mean[:, 0], said[:, 0], atol=0.1)
    assert search.predict(signal[:0]).mean.shape == (0, 5)
