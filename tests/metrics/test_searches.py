"""Rows of a search: Gaussian statistics whose significances are known, and what is left out when it cannot be known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from cloudchamber.metrics.searches import LEAST_ISOTROPIC, kind_rows, numbers_of, search_rows

GRID = (10, 20, 30, 40)
SLOPE = 0.2
"""Of the statistic's mean in the number of signal cosmic rays per 1000: five sigma need 25."""


def skies(isotropic: int, each: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Truth and answers: a normal statistic of width 1, the fraction and the direction each with a known error."""
    rng = np.random.default_rng(seed)
    numbers = np.concatenate([np.zeros(isotropic), np.repeat(GRID, each)])
    there = (numbers > 0)[:, None]
    source = rng.normal(size=(len(numbers), 3))
    source /= np.linalg.norm(source, axis=1, keepdims=True)
    truth = np.concatenate([there, numbers[:, None] / 1000, source * there], axis=1).astype(np.float32)
    said = truth.astype(np.float64)
    said[:, 0] = rng.normal(SLOPE * numbers)
    said[:, 1] += 0.01
    away = np.cross(source, rng.normal(size=source.shape))
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    said[:, 2:] = np.cos(0.1) * source + np.sin(0.1) * away
    return truth, said


def by_metric(rows: list[dict[str, object]]) -> dict[tuple[object, object], dict[str, object]]:
    return {(row["target"], row["metric"]): row for row in rows}


def test_scores_of_a_gaussian_statistic_are_the_analytic_ones() -> None:
    truth, said = skies(40_000, 800, 1)
    rows = by_metric(search_rows("gauss", truth, said, np.random.default_rng(2)))
    assert {row["predictor"] for row in rows.values()} == {"gauss"}
    # P(normal(2, 4, 6 or 8) above normal(0)) = Phi(mean / sqrt 2)
    expected = np.mean([norm.cdf(SLOPE * number / np.sqrt(2)) for number in GRID])
    assert rows["signal", "auc"]["value"] == pytest.approx(expected, abs=0.01)
    for number, low, high in ((10, 1.8, 2.2), (20, 3.5, 4.2)):
        # the median of 800 normal numbers is known to 0.044, the p-value at 4 sigma from the fitted tail: exponential,
        # while that of a normal number falls faster, so that the significance is too small
        row = rows["signal", f"sigma_at_{number}"]
        assert low < row["value"] < high
        assert row["n"] == 800
    needed = rows["signal", "signal_needed"]
    assert needed["n"] == 40_000
    assert 25 < needed["value"] < 32  # too many, never too few
    # 95 % of the skies above the 1 % quantile 2.326: mean 2.326 + 1.645 = 3.97, 19.9 of 1000
    assert rows["signal", "detectable_fraction"]["value"] == pytest.approx(0.0199, abs=0.001)
    assert rows["signal_fraction", "mae"]["value"] == pytest.approx(0.01, rel=1e-4)
    assert rows["source", "angular_distance"]["value"] == pytest.approx(np.degrees(0.1), rel=1e-4)
    assert rows["source", "angular_distance"]["unit"] == "deg"


def test_scores_of_one_kind_of_signal_are_the_analytic_ones() -> None:
    truth, said = skies(20_000, 400, 3)
    kept = (truth[:, 1] == 0) | (truth[:, 1] > 0.0395)  # mean 8
    rows = by_metric(kind_rows("gauss", truth[kept], said[kept], np.random.default_rng(2)))
    assert set(rows) == {
        ("signal", "auc"), ("signal", "median_sigma"), ("signal", "found_5_sigma"), ("signal_fraction", "mae"),
        ("source", "angular_distance"),
    }  # fmt: skip
    assert rows["signal", "median_sigma"]["value"] > 5
    assert rows["signal", "median_sigma"]["n"] == 400
    assert 0.6 < rows["signal", "found_5_sigma"]["value"] <= 1  # 0.9987 with the normal tail, see above
    weak = (truth[:, 1] == 0) | (truth[:, 1] < 0.0105)  # mean 2
    rows = by_metric(kind_rows("gauss", truth[weak], said[weak], np.random.default_rng(2)))
    assert rows["signal", "median_sigma"]["value"] == pytest.approx(2, abs=0.25)
    assert rows["signal", "found_5_sigma"]["value"] < 0.02


@pytest.mark.parametrize("rows_of", [search_rows, kind_rows])
def test_few_isotropic_skies_give_no_tail(rows_of: object) -> None:
    truth, said = skies(LEAST_ISOTROPIC - 1, 20, 4)
    rows = by_metric(rows_of("gauss", truth, said, np.random.default_rng(2)))  # type: ignore[operator]
    assert set(rows) == {("signal", "auc"), ("signal_fraction", "mae"), ("source", "angular_distance")}


@pytest.mark.parametrize("rows_of", [search_rows, kind_rows])
def test_what_a_search_does_not_say_is_left_out(rows_of: object) -> None:
    truth, said = skies(200, 20, 5)
    said[:, 1:] = np.nan
    rows = by_metric(rows_of("mute", truth, said, np.random.default_rng(2)))  # type: ignore[operator]
    assert {target for target, _ in rows} == {"signal"}


@pytest.mark.parametrize("rows_of", [search_rows, kind_rows])
def test_the_floor_sees_nothing(rows_of: object) -> None:
    """A constant: area 0.5, p = 1, nothing needed that can be named."""
    truth, _ = skies(200, 20, 6)
    said = np.tile([0.5, 0.02, 0, 0, 0], (len(truth), 1))
    rows = by_metric(rows_of("floor", truth, said, np.random.default_rng(2)))  # type: ignore[operator]
    assert rows["signal", "auc"]["value"] == 0.5
    assert ("source", "angular_distance") not in rows
    if rows_of is search_rows:
        assert np.isnan(rows["signal", "signal_needed"]["value"])
        assert np.isnan(rows["signal", "detectable_fraction"]["value"])
    else:
        assert rows["signal", "found_5_sigma"]["value"] == 0


def test_without_signal_or_isotropy_nothing_breaks() -> None:
    truth, said = skies(200, 20, 7)
    there = truth[:, 0] > 0
    for chosen in (there, ~there):
        rows = by_metric(search_rows("gauss", truth[chosen], said[chosen], np.random.default_rng(2)))
        assert np.isnan(rows["signal", "auc"]["value"])
        assert ("signal", "signal_needed") not in rows


def test_signal_numbers_are_grouped_and_never_become_isotropic() -> None:
    truth = np.zeros((42, 5), np.float32)
    truth[1:, 0] = 1
    truth[1:, 1] = np.arange(41) / 1000
    found = numbers_of(truth)
    assert found[0] == 0
    assert (found[1:] > 0).all(), "a sky with signal never counts as isotropic"
    assert set(found.tolist()) == {0, 5, 10, 15, 20, 25, 30, 35, 40}
    assert np.abs(found[4:] - np.arange(3, 41)).max() <= 2
    few = truth[:10]
    assert numbers_of(few).tolist() == [0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
