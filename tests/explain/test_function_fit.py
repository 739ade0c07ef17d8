"""What the function-fit study explains, against numbers worked out otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from cloudchamber.data.function_points import Points, measured
from cloudchamber.data.samples import Samples
from cloudchamber.explain.backpropagation import backpropagation, worked_example
from cloudchamber.explain.function_fit import approximation, derivative, kinks
from cloudchamber.explain.least_squares import repeated, straight_line, way_down
from cloudchamber.explain.optimisers import optimisers
from cloudchamber.explain.repeated_measurements import repeated_measurements
from cloudchamber.learning.function_networks import Scale, curves, starts
from cloudchamber.learning.gradient_descent import OPTIMISERS
from cloudchamber.studies.function_fit import FunctionConfig, predictors

CONFIG = FunctionConfig(
    steps=100, members=2, scan_steps=10, scan_members=1, line_repeats=4000, repeats=2, repeat_steps=10
)
SAME = Scale(0.0, 1.0)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Samples]:
    rng, home = np.random.default_rng(2), tmp_path_factory.mktemp("fits")
    train, held_out = (measured(rng.uniform(-1, 1, n), np.full(n, 0.1), rng) for n in (40, 10))
    found = predictors(CONFIG, 1, "cpu")
    for name, predictor in found.items():
        predictor.fit(train, held_out, home / name)
    return dict(found), held_out


def test_worked_example_is_pencil_and_paper() -> None:
    found = worked_example()
    # x = 1: a1 = (1 + 0.5, -0.5 + 0.25), h1 = (1.5, 0); a2 = (0.75 + 0.25, -1.5 - 0.5), h2 = (1, 0); f = 2 + 0.5
    assert found["activations_1"].tolist() == [1.5, 0]
    assert found["activations_2"].tolist() == [1, 0]
    assert found["activations_3"].tolist() == [2.5]
    assert float(found["loss"]) == 0.25
    # d3 = 2 (2.5 - 2) = 1, d2 = (2, off), d1 = (2 * 0.5, off)
    assert [found[f"slopes_{layer}"].tolist() for layer in (1, 2, 3)] == [[1, 0], [2, 0], [1]]
    assert found["weight_gradient_2"].tolist() == [[3, 0], [0, 0]]
    assert found["to_automatic"] < 1e-12
    assert found["to_difference"] < 1e-8  # of central differences with 1e-5


def test_derivative_is_the_slope_of_the_curve_between_kinks() -> None:
    numbers = starts((1, 8, 8, 1), [0, 1], 3).numpy()
    x = np.linspace(-2, 2, 41)
    exact = derivative((1, 8, 8, 1), numbers, Scale(0.1, 0.5), x)
    small = 1e-3
    high, low = (curves((1, 8, 8, 1), numbers, Scale(0.1, 0.5), x + sign * small) for sign in (1, -1))
    close = np.abs((high - low) / (2 * small) - exact) < 2e-3  # float32 curves
    assert close.mean() > 0.85  # a kink within 0.001 of a place is rare


def test_kinks_are_counted_where_nodes_switch() -> None:
    # max(x - 0.25, 0) - 2 max(x - 0.75, 0), and a third node that is never on
    numbers = torch.tensor([1.0, 1.0, 0.0, -0.25, -0.75, -1.0, 1.0, -2.0, 5.0, 0.0]).numpy()
    x = np.linspace(-1, 1, 101)
    jumps = kinks(derivative((1, 3, 1), numbers, SAME, x))[0]
    np.testing.assert_allclose(x[1:][jumps], [0.26, 0.76], atol=0.021)  # the grid
    assert jumps.sum() == 2


def test_repeated_lines_scatter_by_their_covariance(fitted: tuple[dict[str, Any], Samples]) -> None:
    found = straight_line(CONFIG, fitted[0], fitted[1], np.random.default_rng(3))
    n = CONFIG.line_repeats
    assert np.abs(found["pull"].std(axis=0) - 1).max() < 4 / np.sqrt(2 * n)
    assert abs(found["in_ellipse"].mean() - 0.6827) < 4 * np.sqrt(0.6827 * 0.3173 / n)
    assert abs(found["chi2"].mean() - found["freedom"]) < 4 * np.sqrt(2 * found["freedom"] / n)
    assert abs(found["covariance"][1, 0, 1]) < 1e-12  # counted from the mean, b and W are uncorrelated
    assert found["path"].shape[:2] == (2, len(OPTIMISERS))


def test_errors_taken_too_small_would_be_noticed() -> None:
    rng = np.random.default_rng(4)
    x, error = np.linspace(-1, 1, 10), np.full(10, 0.1)
    design, truth = np.stack([np.ones(10), x], axis=1), np.array([1.0, -0.5])
    values = design @ truth + 2 * error * rng.standard_normal((2000, 10))
    found = repeated(design, Points(x, values[0], error), truth, values)
    assert found["pull"].std() > 1.8
    assert found["in_ellipse"].mean() < 0.35


def test_plain_descent_needs_a_rate_below_two_over_the_curvature() -> None:
    points = Points(np.array([-1.0, 1.0]), np.array([0.0, 2.0]), np.ones(2))
    design = np.stack([np.ones(2), points.x], axis=1)  # the matrix of second derivatives is 2
    down = way_down("gradient descent", design, points, 0.9, 50)
    np.testing.assert_allclose(down[-1], [1, 1], atol=1e-4)
    assert np.abs(way_down("gradient descent", design, points, 1.1, 50)[-1]).max() > 100


def test_gradient_by_layer_agrees_with_automatic_differentiation(fitted: tuple[dict[str, Any], Samples]) -> None:
    found = backpropagation(CONFIG, fitted[0], fitted[1], np.random.default_rng(1))
    assert found["to_automatic"] < 1e-5  # float32
    assert found["gradient"].shape == (len(found["step"]), 8, 2)
    assert found["on"].shape == (len(found["step"]), 7, 2)
    assert 0 <= found["on"].min() <= found["on"].max() <= 1


def test_optimisers_start_from_the_same_loss(fitted: tuple[dict[str, Any], Samples]) -> None:
    found = optimisers(CONFIG, fitted[0], fitted[1], np.random.default_rng(1))
    assert np.ptp(found["loss"][:, 0]) == 0
    best = found["loss"][:, -1].min(axis=(1, 2))
    assert (best < found["loss"][0, 0, 0, 0]).all()
    assert np.isinf(found["loss"]).any() or found["loss"][0, -1, -1] > found["loss"][0, 0, -1]  # 0.1 is too large


def test_errors_of_curves_are_distances_from_the_function(fitted: tuple[dict[str, Any], Samples]) -> None:
    found = approximation(CONFIG, fitted[0], fitted[1], np.random.default_rng(1))
    within = np.abs(found["place"]) <= 1
    at = int(np.flatnonzero(found["step"] == 100)[0])
    for mask, name in ((within, "inside"), (~within, "outside")):
        by_hand = np.sqrt(np.square(found["curve"][0] - found["truth"])[:, mask].mean(axis=1))
        np.testing.assert_allclose(found[name][at], by_hand, rtol=1e-10)
    # a mean is never farther away than its members are on average
    assert (found["together"] <= found["inside"].mean(axis=1) + 1e-12).all()
    assert list(found["name"]) == ["line", "polynomial", "spline", "gaussian_process", "network"]


def test_repeated_measurements_have_new_errors_at_old_places(fitted: tuple[dict[str, Any], Samples]) -> None:
    found = repeated_measurements(CONFIG, fitted[0], fitted[1], np.random.default_rng(1))
    again = repeated_measurements(CONFIG, fitted[0], fitted[1], np.random.default_rng(1))
    assert found["inside"].shape == (2, 4)
    assert (found["inside"][0] != found["inside"][1]).all()
    np.testing.assert_array_equal(found["inside"], again["inside"])
    assert ((found["covered"] >= 0) & (found["covered"] <= 1)).all()
