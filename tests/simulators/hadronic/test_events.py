"""Events as flat arrays: sums over each, whatever is empty, as exact as each event alone."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.simulators.hadronic.events import Beam, Events, incoming_of
from cloudchamber.simulators.hadronic.particles import masses


def events(count: list[int], momentum: np.ndarray) -> Events:
    """Events of so many particles each."""
    n = len(count)
    beam = Beam(np.full(n, 211, np.int32), np.ones(n, np.int32), np.ones(n), np.tile([0.0, 0.0, 1.0], (n, 1)))
    offsets = np.concatenate([[0], np.cumsum(count, dtype=np.int64)])
    kind = np.full(offsets[-1], 211, np.int32)
    return Events(
        beam, np.full(n, 2212, np.int32), np.zeros((n, 4)), np.ones(n, np.uint8), offsets, kind, momentum
    )  # fmt: skip


@pytest.mark.parametrize("count", [[2, 3, 1], [0, 2, 0, 0, 3, 0], [0, 0], [1], []])
def test_sums_are_those_of_each_event(count: list[int]) -> None:
    momentum = np.random.default_rng(1).normal(size=(sum(count), 4))
    some = events(count, momentum)
    for values in (momentum, momentum[:, 0], momentum[:, 0] > 0, np.arange(sum(count))):
        found = some.sums(values)
        expected = [part.sum(axis=0) for part in np.split(values, np.cumsum(count)[:-1])] if count else []
        assert found.dtype == np.float64
        assert found.shape == (len(count), *values.shape[1:])
        np.testing.assert_allclose(found, np.reshape(expected, found.shape), rtol=1e-12)


def test_sums_of_many_events_are_as_exact_as_those_of_one() -> None:
    rng = np.random.default_rng(2)
    pairs = rng.uniform(0, 1e3, size=(80_000, 1, 4)) * np.array([1.0, -1.0])[:, None]  # GeV, each pair adds up to 0
    assert (events([2] * len(pairs), pairs.reshape(-1, 4)).sums(pairs.reshape(-1, 4)) == 0).all()
    energies = rng.uniform(0, 1e3, size=(80_000, 3))  # three at a time: one rounding each
    off = events([3] * len(energies), np.zeros((energies.size, 4))).sums(energies.ravel()) - energies.sum(axis=1)
    assert np.abs(off).max() < 1e-12


def test_incoming_projectile_is_on_its_mass_shell() -> None:
    kinds = np.array([211, 321, 2212, 2112], np.int32)
    direction = np.tile([0.6, 0.0, 0.8], (4, 1))
    nucleus, incoming = incoming_of(Beam(kinds, np.array([1, 6, 29, 82], np.int32), np.full(4, 0.5), direction))
    energy = incoming[:, 0] - masses(nucleus)  # of the projectile: the nucleus is at rest
    np.testing.assert_allclose(energy - masses(kinds), 0.5, rtol=1e-9)  # lead weighs 200 GeV: rounding of 1e-13
    momentum = np.linalg.norm(incoming[:, 1:], axis=1)
    np.testing.assert_allclose(np.sqrt(energy**2 - momentum**2), masses(kinds), rtol=1e-9)
    np.testing.assert_allclose(incoming[:, 1:] / momentum[:, None], direction, atol=1e-12)
