"""Least squares, smoothing spline and Gaussian process against other ways to the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import make_smoothing_spline
from scipy.optimize import curve_fit

from cloudchamber.baselines.gaussian_process import GaussianProcess
from cloudchamber.baselines.least_squares import Polynomial, least_squares, legendre
from cloudchamber.baselines.smoothing_spline import STIFFNESSES, SmoothingSpline, merged
from cloudchamber.data.function_points import Points, measured
from cloudchamber.data.samples import Samples
from cloudchamber.schema import BadInput

RNG = np.random.default_rng(5)
X, ERROR = np.sort(RNG.uniform(-1, 1, 40)).astype(np.float32).astype(np.float64), RNG.uniform(0.05, 0.15, 40)


@pytest.fixture
def samples() -> Samples:
    return measured(X, ERROR, np.random.default_rng(6))


@pytest.fixture
def nothing(samples: Samples) -> Samples:
    """No validation points: all are fitted."""
    return Samples(samples.records, samples.indices[:0], samples.make_inputs, samples.targets[:0], ("y",))


def at(x: np.ndarray, error: float = 0.0) -> np.ndarray:
    return np.stack([x, np.full(len(x), error)], axis=1).astype(np.float32)


def test_covariance_is_that_of_a_general_fit() -> None:
    y = 1 - 0.5 * X + ERROR * np.random.default_rng(7).standard_normal(len(X))
    fit = least_squares(np.stack([np.ones_like(X), X], axis=1), y, ERROR)
    found, covariance = curve_fit(lambda x, b, w: b + w * x, X, y, sigma=ERROR, absolute_sigma=True)
    np.testing.assert_allclose(fit.parameters, found, rtol=1e-5)  # curve_fit iterates
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-4)
    assert fit.freedom == 38


def test_left_out_residuals_are_those_of_fits_without_the_point(samples: Samples) -> None:
    points = Points.of(samples)
    design = legendre(points.x, np.array([-1.0, 1.0]), 5)
    fit = least_squares(design, points.y, points.error)
    for out in (0, 17, 39):
        kept = np.arange(40) != out
        without = least_squares(design[kept], points.y[kept], points.error[kept])
        residual = (points.y[out] - design[out] @ without.parameters) / points.error[out]
        np.testing.assert_allclose(fit.left_out[out], residual, rtol=1e-8)


def test_parameters_that_points_leave_open_are_refused() -> None:
    with pytest.raises(BadInput, match="cannot fix 3 parameters"):
        least_squares(np.ones((5, 3)), np.zeros(5), np.ones(5))
    with pytest.raises(BadInput, match="2 points cannot fix 3"):
        least_squares(np.eye(3)[:2], np.zeros(2), np.ones(2))


def test_points_at_one_place_make_no_polynomial(nothing: Samples) -> None:
    same = measured(np.full(30, 0.25), np.full(30, 0.1), np.random.default_rng(1))
    for one in (Polynomial("line", 1), Polynomial("polynomial")):
        with pytest.raises(BadInput, match=r"all 30 points are at x = 0.25: give points at two different x"):
            one.fit(same, nothing, Path("nowhere"))


def test_degrees_end_where_places_measured_often_leave_them_open(nothing: Samples, tmp_path: Path) -> None:
    often = measured(np.repeat(np.linspace(-1, 1, 6), 5), np.full(30, 0.1), np.random.default_rng(1))
    one = Polynomial("polynomial")
    one.fit(often, nothing, tmp_path)
    assert len(one.state["left_out"]) == 5  # degrees 0 to 4 of six places, however many points


def test_polynomial_of_a_cubic_has_at_least_its_degree(nothing: Samples, tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 200)
    samples = measured(x, np.full(200, 0.02), np.random.default_rng(8))
    cubic = (4 * x**3 - 3 * x + 0.02 * np.random.default_rng(8).standard_normal(200)).astype(np.float32)
    changed = Samples(samples.records, samples.indices, samples.make_inputs, cubic[:, None], ("y",))
    one = Polynomial("polynomial")
    one.fit(changed, nothing, tmp_path)
    scores = one.state["left_out"]
    assert scores[:3].min() > 100 * scores[3]
    assert scores[3] < 1.05 * scores.min()  # some degrees more gain next to nothing, by chance
    said = one.predict(at(np.array([0.3])))
    assert abs(said.mean[0, 0] - (4 * 0.3**3 - 0.9)) < 5 * said.std[0, 0]


def test_band_adds_the_error_of_the_measurement(samples: Samples, nothing: Samples, tmp_path: Path) -> None:
    for method in (Polynomial("line", 1), SmoothingSpline(), GaussianProcess(1)):
        method.fit(samples, nothing, tmp_path / method.kind)
        without, having = (method.predict(at(np.array([0.1, 0.6]), error)).std for error in (0.0, 0.3))
        np.testing.assert_allclose(having, np.hypot(without, 0.3), rtol=1e-5)  # the error is a float32


def test_restored_methods_say_the_same(samples: Samples, nothing: Samples, tmp_path: Path) -> None:
    pairs = [(Polynomial("p"), Polynomial("p")), (SmoothingSpline(), SmoothingSpline())]
    pairs += [(GaussianProcess(1), GaussianProcess(2))]
    for number, (fitted, fresh) in enumerate(pairs):
        fitted.fit(samples, nothing, tmp_path / str(number))
        fresh.restore(tmp_path / str(number))
        one, other = (method.predict(at(np.linspace(-1.5, 1.5, 31))) for method in (fitted, fresh))
        np.testing.assert_array_equal(one.mean, other.mean)
        np.testing.assert_array_equal(one.std, other.std)


def test_spline_is_that_of_scipy_inside_and_straight_outside(
    samples: Samples, nothing: Samples, tmp_path: Path
) -> None:
    spline = SmoothingSpline()
    spline.fit(samples, nothing, tmp_path)
    points = Points.of(samples)
    weight = 1 / points.error**2
    stiffness = float(spline.state["stiffness"]) * weight.mean() * np.ptp(points.x) ** 3
    direct = make_smoothing_spline(points.x, points.y, weight, lam=stiffness)
    inside = np.linspace(points.x[0], points.x[-1], 50).astype(np.float32)
    np.testing.assert_allclose(spline.predict(at(inside)).mean[:, 0], direct(inside.astype(np.float64)), atol=1e-6)
    beyond = spline.predict(at(np.array([1.1, 1.2, 1.3]))).mean[:, 0]
    assert abs(np.diff(beyond, 2)[0]) < 1e-6


def test_spline_takes_the_stiffness_of_the_best_left_out_points(
    samples: Samples, nothing: Samples, tmp_path: Path
) -> None:
    spline = SmoothingSpline()
    spline.fit(samples, nothing, tmp_path)
    points = Points.of(samples)
    weight = 1 / points.error**2
    scale = weight.mean() * np.ptp(points.x) ** 3

    def score(stiffness: float) -> float:
        total = 0.0
        for out in range(1, 39):  # the ends would be extrapolated
            kept = np.arange(40) != out
            fit = make_smoothing_spline(points.x[kept], points.y[kept], weight[kept], lam=stiffness * scale)
            total += float(((points.y[out] - fit(points.x[out])) / points.error[out]) ** 2)
        return total

    best = min(STIFFNESSES[::4], key=score)
    assert abs(np.log10(best / spline.state["stiffness"])) <= 1.01  # the ends, and every fourth stiffness, are left out


def test_points_at_the_same_place_become_their_weighted_mean() -> None:
    one = merged(Points(np.array([0.0, 1.0, 1.0]), np.array([5.0, 1.0, 3.0]), np.array([1.0, 1.0, 1.0])))
    assert one.x.tolist() == [0, 1]
    assert one.y.tolist() == [5, 2]
    np.testing.assert_allclose(one.error, [1, np.sqrt(0.5)])


def test_few_places_make_no_spline() -> None:
    few = measured(X[:4], ERROR[:4], np.random.default_rng(1))
    with pytest.raises(BadInput, match="needs 5"):
        SmoothingSpline().fit(few, few, Path("nowhere"))


def test_methods_fit_what_a_network_holds_back(samples: Samples, nothing: Samples, tmp_path: Path) -> None:
    halves = [
        Samples(samples.records, samples.indices[part], samples.make_inputs, samples.targets[part], ("y",))
        for part in (slice(0, 20), slice(20, 40))
    ]
    for number, make in enumerate((lambda: Polynomial("p"), SmoothingSpline, lambda: GaussianProcess(1))):
        whole, parts = make(), make()
        whole.fit(samples, nothing, tmp_path / f"whole-{number}")
        parts.fit(halves[0], halves[1], tmp_path / f"parts-{number}")
        np.testing.assert_array_equal(whole.predict(at(X)).mean, parts.predict(at(X)).mean)


def test_gaussian_process_is_the_formula_of_the_book(samples: Samples, nothing: Samples, tmp_path: Path) -> None:
    process = GaussianProcess(1)
    process.fit(samples, nothing, tmp_path)
    points = Points.of(samples)
    amplitude, length = np.exp(process.state["theta"])

    def kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return amplitude * np.exp(-np.square(one[:, None] - other) / (2 * length**2))

    x = np.linspace(-1.3, 1.3, 9).astype(np.float32).astype(np.float64)
    gram = kernel(points.x, points.x) + np.diag(points.error**2)
    mean = kernel(x, points.x) @ np.linalg.solve(gram, points.y - process.state["centre"])
    variance = amplitude - np.einsum("pi,ip->p", kernel(x, points.x), np.linalg.solve(gram, kernel(points.x, x)))
    said = process.predict(at(x))
    np.testing.assert_allclose(said.mean[:, 0], mean + process.state["centre"], rtol=1e-6)
    np.testing.assert_allclose(said.std[:, 0], np.sqrt(variance), rtol=1e-4)
