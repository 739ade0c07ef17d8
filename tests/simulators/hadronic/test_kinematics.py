"""Boosts, rotations and the projection: inverses, invariants, exactness, and what cannot be projected."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudchamber.simulators.hadronic.kinematics import boosted, from_rest, project, to_rest, turns


def some(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Momenta of particles, the frame of each, and directions."""
    rng = np.random.default_rng(seed)
    mass = rng.uniform(0.1, 2, n)
    p = rng.normal(size=(n, 3)) * 3
    momentum = np.concatenate([np.sqrt(mass**2 + (p**2).sum(axis=1))[:, None], p], axis=1)
    q = rng.normal(size=(n, 3)) * 10
    frame = np.concatenate([np.sqrt(4 + (q**2).sum(axis=1))[:, None], q], axis=1)
    return momentum, frame, q / np.linalg.norm(q, axis=1, keepdims=True)


def square(momentum: np.ndarray) -> np.ndarray:
    return momentum[:, 0] ** 2 - (momentum[:, 1:] ** 2).sum(axis=1)


def test_the_frame_is_at_rest_in_its_own_rest_frame_and_back() -> None:
    momentum, frame, direction = some(50, 1)
    np.testing.assert_allclose(boosted(frame, frame, -1.0)[:, 1:], 0, atol=1e-12)
    there = to_rest(momentum, frame, direction)
    np.testing.assert_allclose(square(there), square(momentum), rtol=1e-9)
    np.testing.assert_allclose(from_rest(there, frame, direction), momentum, rtol=1e-9, atol=1e-10)
    # what flies along the direction flies along z
    fast = np.concatenate([np.full((50, 1), 9.0), 8.9 * direction], axis=1)
    np.testing.assert_allclose(to_rest(fast, frame, direction)[:, 1:3], 0, atol=1e-9)


def test_turns_are_rotations_that_take_z_to_the_direction() -> None:
    _, _, direction = some(20, 2)
    direction = np.concatenate([direction, [[0, 0, 1], [0, 0, -1]]])
    found = turns(direction)
    np.testing.assert_allclose(found @ np.array([0.0, 0, 1]), direction, atol=1e-15)
    np.testing.assert_allclose(np.linalg.det(found), 1, rtol=1e-12)
    np.testing.assert_allclose(np.einsum("nij,nkj->nik", found, found), np.tile(np.eye(3), (22, 1, 1)), atol=1e-14)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 40), st.integers(0, 10_000), st.floats(1.05, 30.0))
def test_a_projected_event_conserves_four_momentum_exactly(n: int, seed: int, slack: float) -> None:
    rng = np.random.default_rng(seed)
    p, mass = rng.normal(size=(n, 3)) * [0.4, 0.4, 2.0], rng.choice([0.1395, 0.4937, 0.9383], n)
    centred = p[:, :2] - p[:, :2].mean(axis=0)
    energy = slack * np.sqrt(mass**2 + (centred**2).sum(axis=1)).sum()
    found, a, good = project(p, mass, np.array([0, n]), np.array([energy]))
    assert good.all()
    assert a[0] > 0
    np.testing.assert_allclose(found.sum(axis=0), [energy, 0, 0, 0], atol=1e-11 * energy)
    np.testing.assert_allclose(square(found), mass**2, atol=1e-11 * energy**2)


def test_an_exact_final_state_stays_and_is_stretched_by_one() -> None:
    rng = np.random.default_rng(3)
    p, mass = rng.normal(size=(12, 3)), np.full(12, 0.1395)
    first, _, _ = project(p, mass, np.array([0, 5, 12]), np.array([20.0, 25.0]))
    again, a, good = project(first[:, 1:], mass, np.array([0, 5, 12]), np.array([20.0, 25.0]))
    assert good.all()
    np.testing.assert_allclose(a, 1, rtol=1e-10)
    np.testing.assert_allclose(again, first, rtol=1e-9, atol=1e-10)


def test_what_cannot_be_projected_is_said_and_left() -> None:
    p, mass = np.array([[0.5, 0, 1.0], [-0.5, 0, 1.0], [0, 0, 2.0], [0, 0.1, 1.0], [0, -0.1, 1.5]]), np.full(5, 1.0)
    offsets = np.array([0, 2, 3, 5])
    found, a, good = project(p, mass, offsets, np.array([2.1, 5.0, 4.0]))  # too little energy; one particle; possible
    assert good.tolist() == [False, False, True]
    assert np.isnan(a[:2]).all()
    np.testing.assert_allclose(found[:3, 1:], p[:3])
    np.testing.assert_allclose(square(found), 1.0, rtol=1e-9)
    same, _, flat = project(p[:2], mass[:2], np.array([0, 2]), np.array([9.0]))  # equal rapidities stay equal
    assert not flat[0]
    np.testing.assert_allclose(same[:, 1:], p[:2])


@pytest.mark.parametrize("energy", [2.3, 60.0])
def test_a_thousand_events_are_projected_accurately(energy: float) -> None:
    rng = np.random.default_rng(4)
    p, mass = rng.normal(size=(8000, 3)) * [0.2, 0.2, 1.0], np.full(8000, 0.1395)
    found, _, good = project(p, mass, 8 * np.arange(1001), np.full(1000, energy))
    total = found.reshape(1000, 8, 4).sum(axis=1)[good]
    assert good.mean() > (0.1 if energy < 3 else 0.99)
    np.testing.assert_allclose(total, np.tile([energy, 0, 0, 0], (good.sum(), 1)), atol=1e-11 * energy)
