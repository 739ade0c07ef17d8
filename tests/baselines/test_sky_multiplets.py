"""The search against its description written out plainly; a made multiplet found; isotropy, rotation, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.baselines.sky_multiplets import MultipletSearch
from cloudchamber.schema import BadInput


def described(a, b, energy):
    """Correlation of u and 1/E and width across, for positions in a plane: u along the covariance with 1/E."""
    inverse = 1 / energy
    covariance = [np.cov(a, inverse)[0, 1], np.cov(b, inverse)[0, 1]]
    angle = np.arctan2(covariance[1], covariance[0])
    u, w = a * np.cos(angle) + b * np.sin(angle), b * np.cos(angle) - a * np.sin(angle)
    return np.corrcoef(u, inverse)[0, 1], np.abs(w - w.mean()).max()


def on_the_plane(directions, seed):
    """Azimuthal equidistant positions about a seed, in an own frame."""
    other = np.array([0.3, -0.5, 0.81]) if abs(seed[2]) < 0.9 else np.array([1.0, 0.2, 0.0])
    first = np.cross(other, seed)
    first /= np.linalg.norm(first)
    second = np.cross(seed, first)
    angle = np.arccos(np.clip(directions @ seed, -1, 1))
    bearing = np.arctan2(directions @ second, directions @ first)
    return angle * np.cos(bearing), angle * np.sin(bearing)


def slow_largest(sky, frame_of, seed_energy, extent, least, width, strips):
    """Size and correlation of the largest multiplet, with numpy's regression; strips from ``frame_of(seed)`` on."""
    best = (0, -1.0)
    sky[:, :3] /= np.linalg.norm(sky[:, :3], axis=1, keepdims=True)
    for seed in np.flatnonzero(sky[:, 3] >= seed_energy):
        below = (sky[:, 3] < sky[seed, 3]) & (sky[:, :3] @ sky[seed, :3] > np.cos(extent))
        rows = np.concatenate([[seed], np.flatnonzero(below)])
        first = frame_of(sky[seed, :3])
        second = np.cross(sky[seed, :3], first)
        angle = np.arccos(np.clip(sky[rows, :3] @ sky[seed, :3], -1, 1))
        bearing = np.arctan2(sky[rows, :3] @ second, sky[rows, :3] @ first)
        a, b = angle * np.cos(bearing), angle * np.sin(bearing)
        a[0] = b[0] = 0
        for strip in range(strips):
            phi = 2 * np.pi * strip / strips
            limit = width + (a * np.cos(phi) + b * np.sin(phi)) * np.tan(np.pi / strips)
            keep = (a * np.cos(phi) + b * np.sin(phi) > 0) & (np.abs(b * np.cos(phi) - a * np.sin(phi)) <= limit)
            keep[0] = True
            members = np.flatnonzero(keep)
            while len(members) >= 3:
                energy = sky[rows[members], 3]
                correlation, widest = described(a[members], b[members], energy)
                if correlation >= least and widest <= width:
                    best = max(best, (len(members), correlation))
                    break
                terms = np.stack([np.ones(len(members)), 1 / energy], axis=1)
                positions = np.stack([a[members], b[members]], axis=1)
                fitted = terms @ np.linalg.lstsq(terms, positions, rcond=None)[0]
                residual = np.square(positions - fitted).sum(axis=1)
                members = np.delete(members, 1 + residual[1:].argmax())
    return best


def frame_of(seed):
    """The module's frame: strips begin there."""
    axis = np.zeros(3)
    axis[np.abs(seed).argmin()] = 1
    first = np.cross(axis, seed)
    return first / np.linalg.norm(first)


@pytest.mark.parametrize(("least", "width"), [(0.9, 1.5), (0.7, 6.0)])
def test_search_finds_what_a_slow_search_finds(skies, least, width):
    inputs, _ = skies.draw(2, 20, seed=1)
    search = MultipletSearch(correlation=least, width=width)
    said = search.predict(inputs).mean
    for row, sky in enumerate(inputs):
        size, correlation = slow_largest(
            sky.astype(np.float64), frame_of, 90, np.deg2rad(20), least, np.deg2rad(width), 36
        )
        assert int(said[row, 0]) == size
        assert said[row, 0] - size == pytest.approx(
            (correlation - least) / (1 - least) if size else 0, abs=1e-4
        )  # float32 directions
        assert said[row, 1] == pytest.approx(size / 300)


def test_members_of_a_multiplet_meet_its_conditions(skies):
    inputs, _ = skies.draw(10, 30, seed=2)
    search = MultipletSearch()
    for sky in inputs:
        members, correlation, source = search.largest(sky)
        assert len(members) >= 3
        chosen = sky[members].astype(np.float64)
        seed = chosen[:, 3].argmax()
        assert chosen[seed, 3] >= 90
        assert (chosen[:, :3] @ chosen[seed, :3]).min() >= np.cos(np.deg2rad(20)) - 1e-6
        chosen[:, :3] /= np.linalg.norm(chosen[:, :3], axis=1, keepdims=True)
        a, b = on_the_plane(chosen[:, :3], chosen[seed, :3])
        a[seed] = b[seed] = 0  # the arc cosine of 1 - 1e-16 is 1e-8
        found, width = described(a, b, chosen[:, 3])
        assert found == pytest.approx(correlation, abs=1e-5)
        assert correlation >= 0.7
        assert np.rad2deg(width) <= 6.0 + 1e-3
        assert np.linalg.norm(source) == pytest.approx(1, abs=1e-6)


def line(source, tangent, energies, power):
    """Cosmic rays on a great circle from a source, ``power`` [rad EeV] / E away."""
    angle = power / energies[:, None]
    return np.concatenate([np.cos(angle) * source + np.sin(angle) * tangent, energies[:, None]], axis=1)


def test_a_made_multiplet_is_found_whole_with_its_source(skies):
    """Fifteen cosmic rays exactly on theta_s + D / E, in a sky with no other high energy: all of them, and theta_s."""
    inputs, _ = skies.draw(1, 0, seed=3)
    sky = inputs[0]
    sky[:, 3] = np.minimum(sky[:, 3], 80)
    source, tangent = np.array([0.6, 0.0, 0.8]), np.array([0.0, 1.0, 0.0])
    energies = np.concatenate([[150.0], np.linspace(42, 79, 14)])
    sky[:15] = line(source, tangent, energies, 10.2)
    order = np.random.default_rng(4).permutation(len(sky))
    mixed = sky[order]
    search = MultipletSearch(correlation=0.9, width=0.5)
    members, correlation, found = search.largest(mixed)
    assert set(np.flatnonzero(order < 15)) <= set(members)
    assert len(members) <= 17  # by chance one or two more lie on the line
    assert correlation > 0.98
    assert skies.degrees(found, source) < 1.0
    said = search.predict(mixed[None]).mean
    assert said[0, 0] > 15
    np.testing.assert_allclose(said[0, 2:], found)
    # strips do not turn with the sphere, but a line between two of them is within both
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    turned = mixed.copy()
    turned[:, :3] = mixed[:, :3] @ turn.T
    assert set(np.flatnonzero(order < 15)) <= set(search.largest(turned)[0])
    assert skies.degrees(search.largest(turned)[2], turn @ source) < 1.0


def test_a_perfect_line_stays_below_the_next_size_and_none_is_nothing():
    source, tangent = np.array([0.6, 0.0, 0.8]), np.array([0.0, 1.0, 0.0])
    sky = line(source, tangent, np.array([200.0, 100.0, 60.0, 45.0]), 10.2).astype(np.float32)
    said = MultipletSearch(width=1.0).predict(sky[None]).mean[0]
    assert 4.99 < said[0] < 5
    assert said[1] == 1
    sky[:, 3] = 80
    said = MultipletSearch().predict(sky[None]).mean[0]
    np.testing.assert_array_equal(said, [0, 0, np.nan, np.nan, np.nan])
    sky[:, 3] = 120  # no member below another: no line in 1/E
    assert MultipletSearch().predict(sky[None]).mean[0, 0] == 0


def test_isotropic_p_values_are_uniform_and_a_strong_source_is_seen(skies):
    search = MultipletSearch()
    known, new = (search.predict(skies.draw(600, 0, seed=seed)[0]).mean[:, 0] for seed in (7, 8))
    assert skies.uniform(known, new) > 1e-3
    strong = search.predict(skies.draw(40, 90, seed=9)[0]).mean[:, 0]
    assert np.median(strong) > np.quantile(known, 0.99)


def test_wrong_options_are_refused_and_restored_search_answers_alike(skies, tmp_path):
    inputs, _ = skies.draw(3, 20, seed=10)
    for wrong in ({"extent": 95}, {"correlation": 1.0}, {"width": 0}, {"strips": 3}):
        with pytest.raises(BadInput, match=next(iter(wrong))):
            MultipletSearch(**wrong)
    with pytest.raises(BadInput, match="shape"):
        MultipletSearch().predict(inputs[0])
    search, other = MultipletSearch(width=3.0, seed_energy=100), MultipletSearch()
    search.fit(skies.samples(inputs), skies.samples(inputs), tmp_path)
    other.restore(tmp_path)
    np.testing.assert_array_equal(other.predict(inputs).mean, search.predict(inputs).mean)
    assert search.predict(inputs[:0]).mean.shape == (0, 5)
