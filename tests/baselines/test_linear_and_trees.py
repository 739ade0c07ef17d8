"""Ridge against its closed form, boosting on a step, the floor."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cloudchamber.baselines.linear import Ridge
from cloudchamber.baselines.mean import TrainingMean
from cloudchamber.baselines.trees import Boosting
from cloudchamber.data.samples import ArrayRecords, Inputs, Samples
from cloudchamber.schema import Arrays, BadInput

WEIGHTS = np.array([[1.0, -2.0, 0.0, 0.5], [0.0, 0.0, 3.0, 0.0]])


def raw(records: Arrays, rng: np.random.Generator | None) -> Inputs:
    return records["x"].astype(np.float32)


def features(inputs: Inputs) -> NDArray[np.float64]:
    """The four numbers, and one that says nothing."""
    return np.concatenate([inputs, np.full((len(inputs), 1), 7.0)], axis=1)


def linear(samples: int, seed: int, noise: float = 0.1) -> Samples:
    rng = np.random.default_rng(seed)
    x = rng.normal(2, 3, (samples, 4))
    targets = (x @ WEIGHTS.T + 5 + rng.normal(0, noise, (samples, 2))).astype(np.float32)
    return Samples(ArrayRecords({"x": x}), np.arange(samples), raw, targets, ("a", "b"))


def test_ridge_is_the_closed_form_with_the_penalty_it_chose(tmp_path: Path) -> None:
    train, test = linear(60, 1, noise=3.0), linear(20, 2)
    ridge = Ridge(features, "ridge")
    ridge.fit(train, linear(5, 3), tmp_path)
    x = train.inputs().astype(np.float64)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    new = (test.inputs() - x.mean(axis=0)) / x.std(axis=0)
    said = ridge.predict(test.inputs())
    for target in (0, 1):
        y = train.targets[:, target].astype(np.float64)
        alpha = ridge.state["alpha"][target]
        weights = np.linalg.solve(z.T @ z + alpha * np.eye(4), z.T @ (y - y.mean()))
        np.testing.assert_allclose(said.mean[:, target], new @ weights + y.mean(), rtol=1e-4)
        # leave-one-out, really left out (the penalty acts on features standardised once, as in the package)
        left_out = []
        for row in range(60):
            keep = np.arange(60) != row
            zk, yk = z[keep], y[keep]
            centre = zk.mean(axis=0)
            w = np.linalg.solve((zk - centre).T @ (zk - centre) + alpha * np.eye(4), (zk - centre).T @ (yk - yk.mean()))
            left_out.append(y[row] - yk.mean() - (z[row] - centre) @ w)
        assert said.std is not None
        assert said.std[0, target] == pytest.approx(np.sqrt(np.mean(np.square(left_out))), rel=1e-3)


def test_ridge_recovers_a_line_and_restores(tmp_path: Path) -> None:
    ridge = Ridge(features, "ridge")
    ridge.fit(linear(300, 1), linear(5, 3), tmp_path)
    test = linear(50, 4)
    assert np.abs(ridge.predict(test.inputs()).mean - test.targets).mean() < 0.1
    other = Ridge(features, "ridge")
    other.restore(tmp_path)
    np.testing.assert_array_equal(other.predict(test.inputs()).mean, ridge.predict(test.inputs()).mean)
    np.testing.assert_allclose(ridge.state["weights"][:, :4], WEIGHTS, atol=0.02)
    assert not ridge.state["weights"][:, 4].any()


def test_boosting_learns_a_step_and_restores(tmp_path: Path) -> None:
    def steps(seed: int) -> Samples:
        plain = linear(300, seed)
        x = plain.inputs()
        targets = np.stack([np.where(x[:, 0] > 2, 1, -1), x[:, 1] > 0], axis=1).astype(np.float32)
        return Samples(plain.records, plain.indices, raw, targets, ("a", "b"))

    boosting = Boosting(features, "boosting")
    boosting.fit(steps(1), steps(2), tmp_path)
    test = steps(3)
    said = boosting.predict(test.inputs())
    assert np.square(said.mean - test.targets).mean() < 0.05
    other = Boosting(features, "boosting")
    other.restore(tmp_path)
    np.testing.assert_array_equal(other.predict(test.inputs()).mean, said.mean)
    np.testing.assert_array_equal(other.predict(test.inputs()).std, said.std)


def test_the_floor_predicts_mean_and_spread_of_the_training(tmp_path: Path) -> None:
    floor = TrainingMean()
    train = linear(40, 1)
    floor.fit(train, linear(5, 2), tmp_path)
    other = TrainingMean()
    other.restore(tmp_path)
    said = other.predict(np.zeros((3, 4), np.float32))
    np.testing.assert_allclose(said.mean, np.tile(train.targets.mean(axis=0), (3, 1)), rtol=1e-5)
    np.testing.assert_allclose(said.std, np.tile(train.targets.std(axis=0), (3, 1)), rtol=1e-5)
    assert floor.kind == "floor"


def test_a_missing_or_damaged_fit_says_to_fit_again(tmp_path: Path) -> None:
    (tmp_path / "ridge.npz").write_bytes(b"no archive")
    for baseline in (TrainingMean(), Ridge(features, "ridge"), Boosting(features, "boosting")):
        with pytest.raises(BadInput, match="fit it again"):
            baseline.restore(tmp_path)
