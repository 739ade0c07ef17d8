"""Resolutions of showers: known errors give their known numbers, in the right bins."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from cloudchamber.data.samples import Prediction
from cloudchamber.metrics.showers import bins, opening_angle, shower_rows

N = 4000


def truths(rng: np.random.Generator) -> np.ndarray:
    zenith, azimuth = np.arccos(np.sqrt(1 - rng.random(N) * 0.75)), rng.uniform(-np.pi, np.pi, N)
    across = np.sin(zenith)
    columns = [across * np.cos(azimuth), across * np.sin(azimuth), *rng.normal(0, 400, (2, N))]
    return np.stack([*columns, rng.uniform(18.5, 20, N), rng.normal(750, 60, N)], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def scored() -> dict[tuple[str, str, str], dict]:
    rng = np.random.default_rng(1)
    truth = truths(rng)
    said = truth + rng.normal(0, 1, truth.shape) * np.array([0.0, 0.0, 20.0, 20.0, 0.03, 40.0])
    said[:, 4] += 0.01
    std = np.broadcast_to(np.array([0.01, 0.01, 20.0, 20.0, 0.03, 80.0]), truth.shape)
    only_axis = np.full_like(truth, np.nan)
    only_axis[:, :2] = truth[:, :2]
    rows = shower_rows(truth, {"one": Prediction(said, std), "axis": Prediction(only_axis)}, rng)
    return {(row["predictor"], row["target"], row["metric"]): row for row in rows}


def test_core_resolution_is_the_quantile_of_a_rayleigh_distribution(scored: dict) -> None:
    row = scored["one", "all", "core_resolution"]
    assert row["value"] == pytest.approx(20 * np.sqrt(-2 * np.log(0.32)), abs=4 * row["error"])
    assert row["unit"] == "m"
    assert row["n"] == N


def test_energy_resolution_and_bias_are_those_put_in(scored: dict) -> None:
    spread, bias = scored["one", "all", "energy_resolution"], scored["one", "all", "energy_bias"]
    low, high = 10 ** (0.01 + 0.03 * norm.ppf([0.16, 0.84]))
    assert spread["value"] == pytest.approx((high - low) / 2, abs=4 * spread["error"])
    assert bias["value"] == pytest.approx(10**0.01 - 1, abs=4 * bias["error"])


def test_depth_resolution_and_its_coverage_follow_from_the_errors(scored: dict) -> None:
    row = scored["one", "all", "xmax_resolution"]
    assert row["value"] == pytest.approx(40, abs=4 * row["error"])
    assert scored["one", "xmax", "coverage_68"]["value"] > 0.93  # stated twice too large: 95 %
    assert scored["one", "core_x", "coverage_68"]["value"] == pytest.approx(0.68, abs=4 * np.sqrt(0.68 * 0.32 / N))


def test_methods_without_energy_have_rows_of_the_axis_only(scored: dict) -> None:
    assert {metric for name, _, metric in scored if name == "axis"} == {"angular_resolution"}
    assert scored["axis", "all", "angular_resolution"]["value"] == pytest.approx(0, abs=1e-3)


def test_bins_hold_every_shower_once() -> None:
    found = dict(bins(truths(np.random.default_rng(2))))
    for word in ("lgE", "zenith"):
        count = sum(inside.astype(int) for name, inside in found.items() if name.startswith(word))
        assert (count == 1).all()


def test_opening_angle_is_the_angle_between_axes() -> None:
    one, other = np.zeros((1, 6)), np.zeros((1, 6))
    other[0, 0] = np.sin(np.radians(2.5))
    assert opening_angle(one, other)[0] == pytest.approx(2.5)
    assert np.isnan(opening_angle(one, np.full((1, 6), np.nan))[0])
