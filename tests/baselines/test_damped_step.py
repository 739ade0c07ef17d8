"""The damped step: Newton's without damping, shorter with it, and only in the free parameters."""

from __future__ import annotations

import numpy as np

from cloudchamber.baselines.damped_step import damped_step

MATRIX = np.array([[4.0, 1.0, 0.0], [1.0, 9e6, 10.0], [0.0, 10.0, 1e-4]]) + np.diag([0, 0, 1e-4])
RIGHT = np.array([1.0, -2.0, 3e-4])


def test_without_damping_the_step_is_newtons() -> None:
    np.testing.assert_allclose(damped_step(MATRIX, RIGHT, 0, 0.0), np.linalg.solve(MATRIX, RIGHT), rtol=1e-6)


def test_large_damping_goes_down_the_scaled_gradient() -> None:
    damping = 1e6
    np.testing.assert_allclose(
        damped_step(MATRIX, RIGHT, 0, damping), RIGHT / np.diag(MATRIX) / damping, rtol=1e-4
    )  # the rest of the scaled matrix is smaller by the damping


def test_fixed_parameters_do_not_move() -> None:
    step = damped_step(MATRIX, RIGHT, 1, 0.0)
    assert step[0] == 0
    np.testing.assert_allclose(step[1:], np.linalg.solve(MATRIX[1:, 1:], RIGHT[1:]), rtol=1e-6)


def test_a_parameter_without_curvature_does_no_harm() -> None:
    flat = np.diag([2.0, 0.0])
    assert np.isfinite(damped_step(flat, np.array([1.0, 0.0]), 0, 1e-3)).all()
