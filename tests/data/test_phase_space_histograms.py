"""Final states to histograms of phase space and back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cloudchamber.data.collisions import Entrance, Floats, Simulated
from cloudchamber.data.phase_space_histograms import (
    BIN_WIDTH,
    LEAST_NUCLEONS,
    RESOLUTION,
    SHAPE,
    THETA_EDGES,
    azimuth_of,
    channels_of,
    decode,
    encode,
    exchanged,
    excitation_of,
    gas_histograms,
    read_fragments,
    width,
)

EVENTS = 60


def direction(theta: Floats, phi: Floats) -> Floats:
    return np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=-1)


def events(number: int = EVENTS, seed: int = 1) -> Simulated:
    """A forward and a backward fragment each, in every third event a third one, the rest of 24 nucleons gas."""
    rng = np.random.default_rng(seed)
    fragments = np.where(np.arange(number) % 3 == 0, 3, 2)
    first = np.cumsum(fragments) - fragments
    A = rng.uniform(2, 5, fragments.sum())
    A[first], A[first + 1] = rng.uniform(8, 10, number), rng.uniform(5, 8, number)
    theta = rng.uniform(0.05, 1.5, len(A))
    theta[first + 1] = np.pi - theta[first + 1]
    momentum = (A * rng.uniform(60, 250, len(A)))[:, None] * direction(theta, rng.uniform(-3, 3, len(A)))
    gas = np.rint(500 * (24 - np.add.reduceat(A, first))).astype(np.int64)
    return Simulated(
        fragments, A, A / 2, momentum / A[:, None] * 0.2, momentum, A * rng.uniform(0, 3, len(A)), gas,
        rng.integers(2, size=gas.sum()).astype(np.uint8), rng.normal(0, 20, (gas.sum(), 3)).astype(np.float32),
        rng.normal(0, 80, (gas.sum(), 3)).astype(np.float32), 500,
    )  # fmt: skip


def carbon(number: int = EVENTS) -> Entrance:
    nucleus = np.tile([12, 6], (number, 1))
    return Entrance(nucleus, nucleus, np.full(number, 62.0), np.linspace(0, 8, number))


def in_channels(values: Floats, simulated: Simulated) -> Floats:
    return values[channels_of(simulated)][channels_of(simulated) >= 0]


def test_fragments_are_found_again_with_mass_momentum_and_angle() -> None:
    simulated = events()
    found = read_fragments(encode(simulated, np.random.default_rng(2)))
    there = channels_of(simulated) >= 0
    A = in_channels(simulated.A, simulated)
    np.testing.assert_allclose(found.A[there], A, atol=1.01 / 1000)  # whole particles, 500 a nucleon
    assert found.A[~there].max() == 0
    modulus = np.linalg.norm(simulated.momentum, axis=1)
    # the error of a mean of at least 1000 particles of width 50 MeV/c is 1.6; five of them are a third of a bin
    per_nucleon = in_channels(modulus / simulated.A, simulated)
    np.testing.assert_allclose(found.momentum[there] / found.A[there], per_nucleon, atol=BIN_WIDTH / 3)
    theta = in_channels(np.arccos(simulated.momentum[:, 2] / modulus), simulated)
    # shared out between bins up to 24 degrees wide by 1000 particles: error at most 24 / 2 / sqrt(1000), times 4
    np.testing.assert_allclose(found.theta[there], theta, atol=np.diff(THETA_EDGES).max() / 16)


def test_excitation_energies_are_read_back_from_the_variance() -> None:
    simulated = events()
    found = read_fragments(encode(simulated, np.random.default_rng(2)))
    true, A = in_channels(simulated.excitation, simulated), in_channels(simulated.A, simulated)
    error = found.excitation[channels_of(simulated) >= 0] - true
    # relative error of a variance of n numbers is sqrt(2 / n), here of the spread in bins
    sigma = np.sqrt(2 / (500 * A)) * (true + excitation_of(2 * RESOLUTION**2 + BIN_WIDTH**2 / 12, A))
    assert np.abs(error).max() < 1.5  # MeV, of up to 30
    assert np.abs(error / sigma).max() < 4.5
    assert abs((error / sigma).mean()) < 4 / np.sqrt(len(error))


def test_width_of_the_gaussian_and_excitation_are_inverse() -> None:
    A, excitation = np.array([2.0, 5.0, 12.0]), np.array([0.0, 7.0, 30.0])
    np.testing.assert_allclose(excitation_of(width(excitation, A) ** 2, A), excitation, atol=1e-9)
    np.testing.assert_allclose(width(np.array([-3.0]), np.array([4.0])), RESOLUTION)


def test_every_nucleon_of_an_event_is_in_a_cell() -> None:
    histograms = encode(events(), np.random.default_rng(3))
    assert histograms.shape == (EVENTS, *SHAPE)
    # whole particles of up to three fragments and of the gas: half a particle each
    np.testing.assert_allclose(histograms.sum(axis=(1, 2, 3, 4)), 24, atol=4 / 1000 + 1e-4)


def test_gas_is_in_the_channel_of_its_nearest_fragment() -> None:
    simulated = events(3)
    beside = simulated.position[1] + np.array([0.0, 4.0, 0.0])  # 4 fm from the backward fragment of the first event
    one = dataclasses.replace(
        simulated, gas=np.array([1, 0, 0]), gas_species=np.zeros(1, np.uint8),
        gas_position=beside[None].astype(np.float32), gas_momentum=np.array([[0.0, 30.0, 40.0]], np.float32),
    )  # fmt: skip
    found = np.argwhere(gas_histograms(one, np.random.default_rng(1)))
    assert found.tolist() == [[0, 1, 7, 9, 2]]  # 50 MeV/c from -120 by 22.5; 36.9 degrees; 3 to 5 fm


def test_fourth_fragment_is_dissolved_into_gas_about_itself() -> None:
    simulated = events(1)
    four = dataclasses.replace(
        simulated, fragments=np.array([4]), A=np.append(simulated.A, 2.0), Z=np.append(simulated.Z, 1.0),
        position=np.vstack([simulated.position, [[0.0, 60.0, 0.0]]]), excitation=np.append(simulated.excitation, 1.0),
        momentum=np.vstack([simulated.momentum, [[0.0, 400.0, 0.0]]]),
    )  # fmt: skip
    more = gas_histograms(four, np.random.default_rng(1)) - gas_histograms(simulated, np.random.default_rng(1))
    assert more.sum() == pytest.approx(2.0, abs=1e-3)
    assert more[..., 0].sum() == 0
    p = more.sum(axis=(0, 1, 3, 4)) @ (np.arange(SHAPE[1]) * BIN_WIDTH - 120 + BIN_WIDTH / 2) / 2
    assert p == pytest.approx(200, abs=BIN_WIDTH / 2)


def test_decoded_events_keep_fragments_gas_and_charge() -> None:
    simulated = events()
    histograms = encode(simulated, np.random.default_rng(4))
    found = decode(histograms, carbon(), np.random.default_rng(5))
    np.testing.assert_array_equal(found.fragments, simulated.fragments)
    for event in range(EVENTS):
        own, old = (slice(*one.first_fragment[event : event + 2]) for one in (found, simulated))
        np.testing.assert_allclose(found.A[own], np.sort(simulated.A[old])[::-1], atol=1.01 / 1000)
    nucleons = np.add.reduceat(found.A, found.first_fragment[:-1]) + found.gas / found.per_nucleon
    np.testing.assert_allclose(nucleons, 24, atol=1.1 / found.per_nucleon)
    np.testing.assert_allclose(found.Z, found.A / 2)
    assert abs(found.gas_species.mean() - 0.5) < 0.01  # half of each event, rounded


def test_decoded_gas_has_the_momenta_it_was_filled_in_with() -> None:
    simulated = events()
    found = decode(encode(simulated, np.random.default_rng(4)), carbon(), np.random.default_rng(5))
    true, made = (np.linalg.norm(one.gas_momentum, axis=1) for one in (simulated, found))
    # spread evenly in bins of 22.5 MeV/c: variance larger by about 22.5^2 / 12
    assert made.mean() == pytest.approx(true.mean(), abs=3)
    assert made.std() == pytest.approx(true.std(), rel=0.05)
    np.testing.assert_allclose(found.gas_momentum.mean(axis=0), 0, atol=3)


def test_azimuths_are_as_told_and_balance_transverse_momentum() -> None:
    simulated = events()
    found = decode(
        encode(simulated, np.random.default_rng(4)), carbon(), np.random.default_rng(5), azimuth_of(simulated)
    )
    np.testing.assert_allclose(np.exp(1j * azimuth_of(found)), np.exp(1j * azimuth_of(simulated)), atol=1e-9)
    for event in range(EVENTS):
        across = found.momentum[slice(*found.first_fragment[event : event + 2]), :2]
        sizes = np.sort(np.linalg.norm(across, axis=1))[::-1]
        least = max(sizes[0] - sizes[1:].sum(), 0.0)
        assert np.linalg.norm(across.sum(axis=0)) == pytest.approx(least, abs=1e-6 * sizes[0])


def test_what_is_less_than_a_nucleon_within_one_fermi_is_gas() -> None:
    histograms = np.zeros((1, *SHAPE), np.float32)
    histograms[0, 0, 12, 3, 0] = LEAST_NUCLEONS - 0.2
    histograms[0, 1, 12, 20, 0] = 12.0
    found = decode(histograms, carbon(1), np.random.default_rng(1))
    np.testing.assert_allclose(found.A, [12.0], rtol=1e-6)
    assert found.gas[0] == pytest.approx((LEAST_NUCLEONS - 0.2) * found.per_nucleon, abs=1)


def test_histograms_without_any_gas_give_fragments_only() -> None:
    histograms = np.zeros((2, *SHAPE), np.float32)
    histograms[:, 0, 12, 3, 0] = 24.0
    found = decode(histograms, carbon(2), np.random.default_rng(1))
    assert found.gas.tolist() == [0, 0]
    assert found.fragments.tolist() == [1, 1]


def test_exchanged_histograms_are_those_of_exchanged_events() -> None:
    simulated = events()
    turn = np.array([-1.0, 1.0, -1.0])
    other = dataclasses.replace(
        simulated, position=simulated.position * turn, momentum=simulated.momentum * turn,
        gas_position=(simulated.gas_position * turn).astype(np.float32),
        gas_momentum=(simulated.gas_momentum * turn).astype(np.float32),
    )  # fmt: skip
    one, two = (gas_histograms(each, np.random.default_rng(1)) for each in (simulated, other))
    # a particle on an edge may fall to the other side of it
    assert np.abs(exchanged(one) - two).sum() < 1e-4 * one.sum()
    found, expected = (read_fragments(encode(each, np.random.default_rng(1))) for each in (other, simulated))
    np.testing.assert_allclose(found.A, expected.A[:, [1, 0, 2]], atol=1e-6)
