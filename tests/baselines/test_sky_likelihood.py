"""Both scans against their formulae written out in numpy, without cuts; isotropy, rotation, sources found, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.baselines.sky_inputs import pixel_centres
from cloudchamber.baselines.sky_likelihood import (
    FRACTIONS,
    TemplateScan,
    VonMisesFisherScan,
    _exponential,
    normalisation,
    tangents,
)
from cloudchamber.schema import BadInput


def density(kappa, cosine):
    """von Mises-Fisher density times 4 pi, as on paper; long doubles hold the sinh of 10 000."""
    kappa = np.asarray(kappa, dtype=np.longdouble)
    return kappa / np.sinh(kappa) * np.exp(kappa * cosine)


def slow_likelihoods(ratio, fractions=FRACTIONS):
    """sum_i ln(1 + f (s_i - 1)) (fraction, ...) for s (..., cosmic_ray)."""
    return np.array([np.log(1 + f * (ratio - 1)).sum(axis=-1) for f in fractions])


def slow_von_mises_fisher(sky, nside):
    """Ratios (pixel, cosmic_ray) for helium and 4.5 rad EV."""
    sky = sky.astype(np.float64)
    return density((sky[:, 3] / 2 / 4.5) ** 2, pixel_centres(nside) @ sky[:, :3].T)


def slow_template(sky, nside, orientations):
    """Ratios (pixel, orientation, cosmic_ray) for helium, 5.1 and 2.79 rad EV, the direction m_i made as a vector."""
    sky = sky.astype(np.float64)
    rigidity = sky[:, 3] / 2
    centres = pixel_centres(nside)
    east, north = tangents(centres)
    ratios = np.empty((len(centres), orientations, len(sky)))
    for k in range(orientations):
        phi = 2 * np.pi * k / orientations
        along = np.cos(phi) * east + np.sin(phi) * north
        turn = 5.1 / rigidity
        expected = np.cos(turn)[:, None] * centres[:, None] + np.sin(turn)[:, None] * along[:, None]
        cosine = (expected * sky[:, :3]).sum(axis=2)
        ratios[:, k] = density((rigidity / 2.79) ** 2, cosine)
    return ratios


def test_fast_exponential_and_normalisation_keep_their_stated_accuracy():
    x = -np.linspace(0, 10, 1001)
    fast = np.array([_exponential(value) for value in x])
    assert np.abs(fast / np.exp(x) - 1).max() < 4e-9  # as the module says
    beyond = -np.linspace(10, 60, 1001)
    assert np.abs(np.array([_exponential(value) for value in beyond]) - np.exp(beyond)).max() < 1e-12
    cosine = np.linspace(-1, 1, 200_001)
    for kappa in (0.01, 1.0, 30.0, 300.0):
        values = normalisation(np.array(kappa)) * np.exp(kappa * (cosine - 1))
        assert np.trapezoid(values, cosine) / 2 == pytest.approx(1, rel=1e-4)  # mean over the sphere
    kappa = np.array([0.01, 1.0, 30.0, 300.0])
    np.testing.assert_allclose(normalisation(kappa), density(kappa, 1.0), rtol=1e-9, atol=1e-200)


def test_tangents_are_a_right_handed_frame():
    centres = pixel_centres(4)
    east, north = tangents(centres)
    frames = np.stack([centres, east, north], axis=1)
    np.testing.assert_allclose(frames @ frames.transpose(0, 2, 1), np.broadcast_to(np.eye(3), frames.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(frames), 1, atol=1e-12)
    assert (north[:, 2] > 0).all()


@pytest.mark.parametrize("n_signal", [0, 30])
@pytest.mark.parametrize("nside", [16, 4])
def test_von_mises_fisher_scan_is_its_formula(skies, n_signal, nside):
    inputs, _ = skies.draw(4, n_signal, seed=1)
    scan = VonMisesFisherScan(nside=nside)
    said, weights = scan.predict(inputs).mean, scan.event_weights(inputs)
    for row, sky in enumerate(inputs):
        ratio = slow_von_mises_fisher(sky, nside)
        values = slow_likelihoods(ratio)
        # 300 exp(-14) f for what is far
        assert said[row, 0] == pytest.approx(values.max(), abs=1e-4)
        fraction, pixel = np.unravel_index(values.argmax(), values.shape)
        assert said[row, 1] == FRACTIONS[fraction]
        np.testing.assert_array_equal(said[row, 2:], pixel_centres(nside)[pixel])
        f, s = FRACTIONS[fraction], ratio[pixel]
        np.testing.assert_allclose(weights[row], f * s / ((1 - f) + f * s), rtol=1e-9, atol=1e-200)


@pytest.mark.parametrize("n_signal", [0, 30])
def test_template_scan_is_its_formula(skies, n_signal):
    inputs, _ = skies.draw(3, n_signal, seed=2)
    scan = TemplateScan(nside=4, orientations=8)
    said, weights = scan.predict(inputs).mean, scan.event_weights(inputs)
    for row, sky in enumerate(inputs):
        ratio = slow_template(sky, 4, 8)
        values = slow_likelihoods(ratio)
        assert said[row, 0] == pytest.approx(values.max(), abs=1e-4)
        fraction, pixel, orientation = np.unravel_index(values.argmax(), values.shape)
        assert said[row, 1] == FRACTIONS[fraction]
        np.testing.assert_array_equal(said[row, 2:], pixel_centres(4)[pixel])
        f, s = FRACTIONS[fraction], ratio[pixel, orientation]
        np.testing.assert_allclose(weights[row], f * s / ((1 - f) + f * s), rtol=1e-8, atol=1e-200)


def test_default_template_scan_is_its_formula_on_a_full_sky(skies):
    inputs, _ = skies.draw(1, 30, seed=3, cosmic_rays=1000)
    values = slow_likelihoods(slow_template(inputs[0], 8, 12))
    assert TemplateScan().predict(inputs).mean[0, 0] == pytest.approx(values.max(), abs=1e-3)


def test_extreme_rigidities_neither_overflow_nor_underflow(skies):
    """All cosmic rays near each other at all energies: neither the cuts nor the products may give way."""
    inputs, _ = skies.draw(1, 0, seed=4)
    for energy, charge in ((40.0, 26.0), (300.0, 1.0), (3.0, 26.0)):
        sky = inputs.copy()
        sky[..., :3] = pixel_centres(16)[777]
        sky[..., 3] = energy
        for scan, kappa in (
            (VonMisesFisherScan(charge=charge), (energy / charge / 4.5) ** 2),
            (TemplateScan(charge=charge, coherent=0.0, nside=16, orientations=1), (energy / charge / 2.79) ** 2),
        ):
            ratio = normalisation(np.array(kappa))
            best = max(300 * np.log(1 + f * (ratio - 1)) for f in FRACTIONS)
            assert scan.predict(sky).mean[0, 0] == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize(("scan", "near"), [(VonMisesFisherScan(), 20), (TemplateScan(), 10)])
def test_a_source_is_found_and_its_cosmic_rays_are_marked(skies, scan, near):
    inputs, source = skies.draw(8, 60, seed=5, cosmic_rays=600)
    isotropic, _ = skies.draw(20, 0, seed=6, cosmic_rays=600)
    said = scan.predict(inputs).mean
    assert said.dtype == np.float64
    assert said[:, 0].min() > scan.predict(isotropic).mean[:, 0].max()
    assert (said[:, 1] == 0.07).all()  # 10 % signal: the largest fraction tried
    assert np.median(skies.degrees(said[:, 2:], source)) < near
    weights = scan.event_weights(inputs)
    assert (weights >= 0).all()
    assert (weights <= 1).all()
    assert 0.5 * 60 < np.median(weights.sum(axis=1)) < 1.3 * 60  # the expected number of signal cosmic rays
    np.testing.assert_allclose(scan.predict(skies.turned(inputs)).mean[:, :2], said[:, :2], atol=1e-5)
    turned = scan.predict(skies.turned(inputs)).mean[:, 2:]
    np.testing.assert_allclose(turned, np.stack([-said[:, 3], said[:, 2], said[:, 4]], axis=1), atol=1e-9)
    assert scan.predict(inputs[:0]).mean.shape == (0, 5)
    assert scan.event_weights(inputs[:0]).shape == (0, 600)


@pytest.mark.parametrize("scan", [VonMisesFisherScan(), TemplateScan(nside=4)])
def test_isotropic_p_values_are_uniform(skies, scan):
    known, new = (scan.predict(skies.draw(250, 0, seed=seed)[0]).mean[:, 0] for seed in (7, 8))
    assert skies.uniform(known, new) > 1e-3


def test_restored_scan_answers_alike_whatever_its_options_were(skies, tmp_path):
    inputs, _ = skies.draw(2, 30, seed=9)
    for kind, scan, other in (
        ("a", VonMisesFisherScan(charge=4.6, nside=8, fractions=(0.1,)), VonMisesFisherScan()),
        ("b", TemplateScan(charge=4.6, nside=4, orientations=5, coherent=4.0), TemplateScan()),
    ):
        scan.fit(skies.samples(inputs), skies.samples(inputs), tmp_path / kind)
        other.restore(tmp_path / kind)
        np.testing.assert_array_equal(other.predict(inputs).mean, scan.predict(inputs).mean)


def test_wrong_options_and_shapes_of_a_scan_are_refused(skies, tmp_path):
    inputs, _ = skies.draw(1, 0, seed=10)
    for kind in (VonMisesFisherScan, TemplateScan):
        with pytest.raises(BadInput, match="charge"):
            kind(charge=0)
        with pytest.raises(BadInput, match="fractions"):
            kind(fractions=(0.1, 1.0))
        with pytest.raises(BadInput, match="shape"):
            kind().predict(inputs[:, :, :3])
        with pytest.raises(BadInput, match="shape"):
            kind().event_weights(inputs[0])
        with pytest.raises(BadInput, match="fit it again"):
            kind().restore(tmp_path)
    with pytest.raises(BadInput, match="spread"):
        VonMisesFisherScan(spread=-1)
    with pytest.raises(BadInput, match="blurring"):
        TemplateScan(blurring=0)
