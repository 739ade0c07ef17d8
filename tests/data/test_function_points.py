"""Points of a function: their order, their errors, and what a training copy moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cloudchamber.data.function_points import RESOLUTION, Points, measured, point_inputs, resonance
from cloudchamber.schema import BadInput


def test_points_are_in_ascending_order_with_their_own_values() -> None:
    x, error = np.array([0.5, -0.5, 0.0]), np.full(3, 1e-9)
    points = Points.of(measured(x, error, np.random.default_rng(1)))
    assert points.x.tolist() == [-0.5, 0.0, 0.5]
    np.testing.assert_allclose(points.y, resonance(points.x), atol=1e-6)  # float32 of the targets


def test_points_without_error_are_refused_with_a_remedy() -> None:
    error = np.array([0.1, 0.1, 0.0, 0.1, 0.0])
    whole = measured(np.array([0.5, 0.1, 0.4, 0.2, 0.3]), error, np.random.default_rng(1))
    parts = [replace(whole, indices=np.array(which), targets=whole.targets[which]) for which in ([4, 0, 3], [2])]
    with pytest.raises(BadInput, match=r"2 of the 4 points .* the first at x = 0.3: give each point"):
        Points.of(*parts)


def test_no_points_at_all_are_refused() -> None:
    with pytest.raises(BadInput, match="no points to fit: give measured points"):
        Points.of(measured(np.zeros(0), np.zeros(0), np.random.default_rng(1)))


def test_measured_values_scatter_by_their_errors_about_the_function() -> None:
    x, error = np.linspace(-1, 1, 4000), np.linspace(0.05, 0.2, 4000)
    points = Points.of(measured(x, error, np.random.default_rng(2)))
    pulls = (points.y - resonance(points.x)) / points.error
    assert abs(pulls.mean()) < 0.06  # 4 / sqrt(4000)
    assert abs(pulls.std() - 1) < 0.045  # 4 / sqrt(2 * 4000)


def test_a_training_copy_moves_places_within_the_resolution_only() -> None:
    records = {"x": np.linspace(-1, 1, 50, dtype=np.float32), "error": np.full(50, 0.1, np.float32)}
    plain, copy = point_inputs(None, records, None), point_inputs(None, records, np.random.default_rng(3))
    moved = np.abs(copy - plain)
    assert 0 < moved[:, 0].max() <= RESOLUTION / 2 + 1e-7
    assert moved[:, 1].max() == 0
