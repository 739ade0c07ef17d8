import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cloudchamber.explain.sky_sanity import deletion_by_relevance, signal_auc
from cloudchamber.schema import BadInput
from cloudchamber.simulators.cosmicrays.directions import to_equatorial


def skies(n=20, rays=200, signal=20, seed=0):
    """Isotropic cosmic rays and, first in the list, some at the pole."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((n, rays, 3))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    directions[:, :signal] = (0, 0, 1)
    truth = np.zeros((n, rays), dtype=np.uint8)
    truth[:, :signal] = 1
    return np.concatenate([directions, np.full((n, rays, 1), 50.0)], axis=2).astype(np.float32), truth


def near_the_pole(cosmic_rays):
    return (cosmic_rays[:, :, 2] > 0.99).sum(axis=1).astype(np.float64)


def test_deleting_the_signal_removes_it():
    rays, truth = skies()
    found = deletion_by_relevance(near_the_pole, rays, truth, (0, 0.05, 0.1, 1), np.random.default_rng(1))
    background = near_the_pole(rays).mean() - 20
    np.testing.assert_allclose(found.statistic[:3] - background, [20, 10, 0], atol=0.5)  # 0.1 of 200 are the signal
    np.testing.assert_allclose(found.random[:3] - background, [20, 19, 18], atol=1)
    assert found.difference[3] == 0  # all cosmic rays deleted: the same sky
    assert found.difference[2] > 5 * found.difference_error[2] > 0


def test_relevance_without_meaning_deletes_like_chance():
    rays, _ = skies(50)
    noise = np.random.default_rng(5).random(rays.shape[:2])
    found = deletion_by_relevance(near_the_pole, rays, noise, (0.1, 0.3), np.random.default_rng(1))
    assert (np.abs(found.difference) < 4 * found.difference_error).all()


def test_a_deleted_cosmic_ray_keeps_its_energy():
    rays, truth = skies()
    rays[:, :, 3] = np.random.default_rng(0).random(rays.shape[:2]) + 40
    seen = []

    def statistic(changed):
        seen.append(changed)
        return np.zeros(len(changed))

    deletion_by_relevance(statistic, rays, truth, (0.5,), np.random.default_rng(1))
    for changed in seen:
        np.testing.assert_array_equal(changed[..., 3], rays[..., 3])
        np.testing.assert_allclose(np.linalg.norm(changed[..., :3], axis=2), 1, rtol=1e-6)
        assert (changed != rays).any(axis=2).sum() == rays.shape[0] * 100
    assert (seen[0] != rays).any(axis=2)[:, :20].all()


def test_deleted_cosmic_rays_lie_where_the_observatory_looks():
    rays, truth = skies()
    seen = []

    def statistic(changed):
        seen.append(changed)
        return np.zeros(len(changed))

    deletion_by_relevance(statistic, rays, truth, (1.0,), np.random.default_rng(1), "auger")
    for changed in seen:
        declination = np.degrees(np.arcsin(to_equatorial(changed[..., :3].reshape(-1, 3).astype(np.float64))[:, 2]))
        assert declination.max() < 45  # Auger sees nothing farther north


def test_roc_area_is_that_of_scikit_learn_with_ties():
    rng = np.random.default_rng(0)
    truth = rng.random((30, 100)) < 0.1
    score = np.round(rng.normal(size=truth.shape) + truth, 1)
    a, error = signal_auc(score, truth, np.random.default_rng(1))
    assert a == pytest.approx(roc_auc_score(truth.ravel(), score.ravel()), rel=1e-12)
    # Hanley and McNeil's error of independent scores, 300 signal and 2700 background; 100 samples know it to 7 %
    n, m = truth.sum(), (~truth).sum()
    expected = np.sqrt((a * (1 - a) + (n - 1) * (a / (2 - a) - a**2) + (m - 1) * (2 * a**2 / (1 + a) - a**2)) / (n * m))
    assert error == pytest.approx(expected, rel=0.3)


def test_a_perfect_score_has_area_one_and_a_constant_one_half():
    _, truth = skies(3)
    assert signal_auc(truth.astype(float), truth, np.random.default_rng(0))[0] == 1
    assert signal_auc(np.zeros(truth.shape), truth, np.random.default_rng(0))[0] == 0.5
    assert np.isnan(signal_auc(truth[:1].astype(float), truth[:1], np.random.default_rng(0))[1])


def test_wrong_fractions_shapes_and_scores_are_refused():
    rays, truth = skies(2)
    rng = np.random.default_rng(0)
    with pytest.raises(BadInput, match="fractions"):
        deletion_by_relevance(near_the_pole, rays, truth, (0.5, 0.1), rng)
    with pytest.raises(BadInput, match="relevance of shape"):
        deletion_by_relevance(near_the_pole, rays, truth[:1], (0.5,), rng)
    with pytest.raises(BadInput, match="need signal"):
        signal_auc(np.zeros((2, 5)), np.zeros((2, 5)), rng)
    with pytest.raises(BadInput, match="expected finite"):
        signal_auc(np.full((2, 5), np.nan), np.zeros((2, 5)), rng)
