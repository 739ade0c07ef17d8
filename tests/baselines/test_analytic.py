"""An estimator with nothing to learn: it answers at once, leaves nothing behind, and its shapes are checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cloudchamber.baselines.analytic import Analytic
from cloudchamber.data.samples import ArrayRecords, Prediction, Samples

TIMES = np.random.default_rng(1).exponential(2.2, (5, 100)).astype(np.float32)


def test_an_estimate_is_passed_on_with_and_without_uncertainty(tmp_path: Path) -> None:
    samples = Samples(ArrayRecords({"t": TIMES}), np.arange(5), lambda read, _: read["t"], TIMES[:, :1], ("lifetime",))
    plain = Analytic("mean", lambda times: times.mean(axis=1, keepdims=True))
    assert (plain.title, plain.kind) == ("mean", "baseline")
    plain.fit(samples, samples, tmp_path)
    plain.restore(tmp_path)
    assert list(tmp_path.iterdir()) == []
    said = plain.predict(samples.inputs())
    np.testing.assert_array_equal(said.mean, TIMES.mean(axis=1)[:, None])
    assert said.std is None
    both = Analytic("mean", lambda times: Prediction(times[:, :1], times[:, 1:2])).predict(TIMES)
    np.testing.assert_array_equal(both.std, TIMES[:, 1:2])
    assert plain.predict(TIMES[:0]).mean.shape == (0, 1)


def test_estimates_must_be_a_row_a_sample() -> None:
    with pytest.raises(ValueError, match=r"mean: estimates of shape \(5,\) for 5 samples: expected \(sample, target\)"):
        Analytic("mean", lambda times: times.mean(axis=1)).predict(TIMES)
    with pytest.raises(ValueError, match=r"shape \(100, 1\)"):
        Analytic("mean", lambda times: times.T[:, :1]).predict(TIMES)
