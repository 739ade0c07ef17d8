"""Stations of an array: inputs from rows, refusals, station files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cloudchamber.data.surface_array import (
    DEAD,
    LEAST_STATIONS,
    SATURATED,
    SILENT,
    STATUS,
    TIME,
    TRACE,
    TRIGGERED,
    X,
    Z,
    axes_of,
    checked_layout,
    read_layout,
    station_inputs,
    targets_of,
)
from cloudchamber.schema import BadInput

LAYOUT = np.array([[0.0, 0, 0], [1500, 0, 5], [0, 1500, -5], [1500, 1500, 0], [750, 2800, 0]])


def two_showers() -> dict[str, np.ndarray]:
    """Two showers over five stations, the second with a dead one."""
    return {
        "bin_width": np.full(2, 25.0),
        "working": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]], np.uint8),
        "stations": np.array([3, 4]),
        "station": np.array([0, 2, 4, 3, 0, 1, 2]),
        "start_time": np.array([10.0, 400, -90, 7000, 7100, 6900, 7300]),
        "saturated": np.array([1, 0, 0, 0, 0, 0, 0], np.uint8),
        "trace": np.arange(7 * 20, dtype=np.float32).reshape(7, 20),
    }


def test_rows_land_at_their_stations_with_times_from_the_earliest() -> None:
    found = station_inputs(two_showers(), LAYOUT, 0.0, None)
    assert found.shape == (2, 5, TRACE + 20)
    np.testing.assert_array_equal(found[0, :, X : Z + 1], LAYOUT.astype(np.float32))
    np.testing.assert_array_equal(found[0, :, STATUS], [TRIGGERED, SILENT, TRIGGERED, SILENT, TRIGGERED])
    np.testing.assert_array_equal(found[1, :, STATUS], [TRIGGERED] * 4 + [DEAD])
    np.testing.assert_array_equal(found[0, :, TIME], [100, 0, 490, 0, 0])
    np.testing.assert_array_equal(found[1, :, TIME], [200, 0, 400, 100, 0])
    np.testing.assert_array_equal(found[0, :, SATURATED], [1, 0, 0, 0, 0])
    np.testing.assert_array_equal(found[1, 3, TRACE:], np.arange(60, 80))
    assert found[0, 1, TRACE:].sum() == 0


def test_augmentation_kills_stations_but_leaves_a_direction() -> None:
    rng = np.random.default_rng(1)
    lost = 0
    for _ in range(200):
        found = station_inputs(two_showers(), LAYOUT, 0.3, rng)
        lit = found[:, :, STATUS] == TRIGGERED
        assert (lit.sum(axis=1) >= LEAST_STATIONS).all()
        assert lit[0].sum() == 3  # has none to spare
        assert found[:, :, TIME].min() == 0
        assert all(found[shower, lit[shower], TIME].min() == 0 for shower in range(2))
        assert (found[~lit][:, TRACE:] == 0).all()
        lost += int(lit[1].sum() < 4)
    # one of four off in 4 * 0.3 * 0.7^3 of the draws; more than one off is undone: binomial, four standard errors
    assert lost / 200 == pytest.approx(0.41, abs=4 * np.sqrt(0.41 * 0.59 / 200))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bin_width": np.array([25.0, 8.33])}, "bins of 8.33 ns, expected 25 ns: resample"),
        ({"stations": np.array([7, 0])}, "1 of 2 showers have fewer than 3 triggered stations .1 none"),
        ({"stations": np.array([2, 5])}, "fewer than 3 triggered stations .0 none; the first is number 0"),
        ({"station": np.array([0, 2, 9, 3, 0, 1, 2])}, "station 9: the array has stations 0 to 4"),
        ({"station": np.array([0, 2, 2, 3, 0, 1, 2])}, "stands twice"),
        ({"station": np.array([0, 2, 4, 3, 0, 1, 4])}, "triggered and not working"),
        ({"trace": np.zeros((7, 20), np.float32)}, "7 of 7 traces hold no signal .the first: shower 0, station 0"),
    ],
)
def test_impossible_showers_are_refused_in_one_line(changes: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        station_inputs(two_showers() | changes, LAYOUT, 0.0, None)


def test_axes_are_unit_vectors_of_the_targets() -> None:
    showers = {
        "zenith": np.array([0.0, 0.6]), "azimuth": np.array([1.0, 2.0]), "core_x": np.zeros(2), "core_y": np.ones(2),
        "lg_energy": np.array([19.0, 20.0]), "xmax": np.array([700.0, 800.0]),
    }  # fmt: skip
    targets = targets_of(showers)
    axes = axes_of(targets)
    np.testing.assert_allclose(axes[:, 2], np.cos(showers["zenith"]), rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(axes, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(axes_of(np.array([[3.0, 4.0, 0, 0, 0, 0]])), [[0.6, 0.8, 0]])  # beyond the horizon


def test_station_files_are_read_with_comments_and_commas(tmp_path: Path) -> None:
    path = tmp_path / "stations.txt"
    path.write_text("# x y z\n0, 0, 12\n1500 0   # the second\n\n0\t1500\n")
    assert read_layout(path) == ((0.0, 0.0, 12.0), (1500.0, 0.0, 0.0), (0.0, 1500.0, 0.0))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 0\n1 0\n", "2 stations: a direction needs 3"),
        ("0 0\n1500 0\n0 0\n0 1500\n", r"line 1 and line 3 stand at one place \(0, 0\): remove one"),
        ("0 0\n1500 nan\n0 1500\n", "line 2 is .1500.0, nan.: need x y"),
        ("0 0\n1500 zero\n0 1500\n", ":2: '1500 zero': need x y"),
        ("0 0\n# far\n1500\n0 1500\n", "line 3 is"),
        ("0 0\n1500 0\n3000 0\n", "on one line"),
    ],
)
def test_impossible_station_files_are_refused_by_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "stations.txt"
    path.write_text(text)
    with pytest.raises(BadInput, match=words):
        read_layout(path)


def test_missing_and_binary_station_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot read stations from .*No such file"):
        read_layout(tmp_path / "none.txt")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="not text"):
        read_layout(tmp_path / "binary")


def test_layouts_may_have_heights_or_not() -> None:
    assert checked_layout([[0, 0], [800, 0, 3], [0, 900]], "here")[1] == (800.0, 0.0, 3.0)
