"""Events in the terms of the vocabulary: books that close, classes, coordinates."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.data.final_states import Vocabulary, encode, is_residual, rapidity_frame, vocabulary_of
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import Beam, Events, incoming_of
from cloudchamber.simulators.hadronic.particles import masses


def made(projectile: int, charge: int, kinds: list[list[int]], channels: list[int], energy: float = 10.0) -> Events:
    """Events of given kinds with arbitrary momenta on the mass shell."""
    n = len(kinds)
    beam = Beam(
        np.full(n, projectile, np.int32), np.full(n, charge, np.int32), np.full(n, energy), np.tile([0.0, 0, 1], (n, 1))
    )
    nucleus, incoming = incoming_of(beam)
    kind = np.array([one for event in kinds for one in event], np.int32)
    space = np.random.default_rng(1).normal(0, 0.5, (len(kind), 3))
    energies = np.sqrt(masses(kind) ** 2 + (space**2).sum(axis=1))
    momentum = np.concatenate([energies[:, None], space], axis=1)
    offsets = np.concatenate([[0], np.cumsum([len(event) for event in kinds])])
    return Events(beam, nucleus, incoming, np.array(channels, np.uint8), offsets, kind, momentum)


def test_neutral_kaons_close_the_strangeness() -> None:
    # pi- p -> Lambda K0 (seen as K0S), and the same with a kaon pair beside it
    events = made(-211, 1, [[3122, 310], [3122, 130, 310, 310]] * 10, [1] * 20)
    vocabulary = vocabulary_of(events)
    assert set(vocabulary.code) == {3122, 311, -311}
    states = encode(events, vocabulary)
    assert len(states.rows) == 20
    assert (states.counts @ vocabulary.numbers == [0, 1, 0]).all()


def test_broken_books_are_left_out() -> None:
    good = [2212, 211, 111]
    kinds = [good] * 10 + [[2212, 211, 211], [2212, 111, 111], [3122, 211, 211], [2212, 211, 310]]
    events = made(211, 1, kinds, [1] * len(kinds))
    vocabulary = vocabulary_of(events)
    assert encode(events, vocabulary).rows.tolist() == list(range(10))


def test_a_residual_nucleus_carries_what_is_left() -> None:
    events = made(2212, 26, [[2112, 2212, 1000020040, 1000240510]] * 10, [1] * 10)
    states = encode(events, vocabulary_of(events))
    assert len(states.rows) == 10
    residual = states.kind == len(vocabulary_of(events))
    assert residual.sum() == 10


def test_elastic_events_are_projectile_and_nucleus() -> None:
    events = made(211, 6, [[211, 1000060120]] * 12 + [[2112, 2212, 211, 1000050100]] * 12, [0] * 12 + [1] * 12)
    vocabulary = vocabulary_of(events)
    states = encode(events, vocabulary)
    assert states.elastic.sum() == 12
    first = states.kind[: states.offsets[12]]
    back = events.momentum[: 2 * 12 : 2, 3] < 0  # in the laboratory, where pions of 10 GeV meet carbon nearly at rest
    assert set(first) == {vocabulary.residual + place for place in (1, 2, 3)}
    assert (first == vocabulary.residual + 3).sum() >= back.sum()
    assert (states.counts[:12] == 0).all()


def test_a_second_heavy_nucleus_counts_as_the_nearest_sort() -> None:
    # p on 208Pb to 90Sr and 118Ru and a proton: the residual nucleus takes what the sort lacks
    events = made(2212, 82, [[1000380900, 1000441180, 2212]] * 10, [1] * 10)
    vocabulary = vocabulary_of(events)
    assert 1000400920 in vocabulary.code
    states = encode(events, vocabulary)
    assert len(states) == 10
    left = np.array([83, 209, 0]) - states.counts @ vocabulary.numbers
    assert (left == [42, 116, 0]).all()


def test_the_strangeness_of_a_k0l_is_what_closes_the_event() -> None:
    kinds = [[3122, 211, 111]] * 20 + [[2212, -321, 111, 211]] * 20 + [[2112, 321, 111]] * 20 + [[2212, 310]] * 40
    states = encode(made(130, 1, kinds, [1] * 100), vocabulary_of(made(130, 1, kinds, [1] * 100)))
    assert (states.strangeness[:40] == -1).all()
    assert (states.strangeness[40:60] == 1).all()
    assert states.strangeness[60:].sum() == 0  # either would do: half of each
    assert len(states.first(30)) == 30
    assert states.first(30).offsets[-1] == len(states.first(30).kind)


def test_slow_and_fast_nucleons_are_two_kinds_on_nuclei_only() -> None:
    events = made(211, 1, [[2212, 211, 111]] * 50, [1] * 50)
    assert not vocabulary_of(events).slow.any()
    nuclear = made(211, 82, [[2112, 2112, 2112, 211, 1000822050]] * 50, [1] * 50)
    slow = vocabulary_of(nuclear)
    assert (slow.code == 2112).sum() >= 1


def test_events_with_no_frequent_kind_are_refused() -> None:
    with pytest.raises(BadInput, match="give more events"):
        vocabulary_of(made(211, 1, [[2212, 211]], [1]))


def test_residual_nuclei_lie_in_the_valley() -> None:
    charge = np.array([0, 26, 82, 6, 3, 26, 0, 2, 50])
    mass = np.array([0, 56, 208, 12, 7, 30, 8, 4, 60])
    assert is_residual(charge, mass).tolist() == [True, True, True, True, True, False, False, False, False]


def test_rapidities_of_the_frames_are_those_of_written_boosts() -> None:
    """Against boosts written out: a 25 GeV pion and a proton."""
    beam = Beam(np.array([211], np.int32), np.array([1], np.int32), np.array([25.0]), np.array([[0.0, 0, 1]]))
    _, incoming = incoming_of(beam)
    whole, single, unit = rapidity_frame(incoming, masses(beam.projectile), beam.kinetic_energy)
    assert whole == pytest.approx(0.5 * np.log((incoming[0, 0] + incoming[0, 3]) / (incoming[0, 0] - incoming[0, 3])))
    assert single == pytest.approx(whole, abs=1e-3)
    assert 3 * unit == pytest.approx(np.log(6.934 / 0.13957), abs=2e-3)  # sqrt(s) of the reference


def test_a_vocabulary_knows_its_books() -> None:
    vocabulary = Vocabulary(np.array([311, -311, 2212]), np.zeros(3, np.bool_), np.array([1, 1, 1]))
    assert vocabulary.numbers.tolist() == [[0, 0, 1], [0, 0, -1], [1, 1, 0]]
    assert vocabulary.mass[0] == vocabulary.mass[1] == pytest.approx(0.4976, abs=1e-3)
    assert vocabulary.residual == len(vocabulary) == 3
