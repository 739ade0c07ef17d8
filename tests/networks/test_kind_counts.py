"""Counts within budgets: the table of the reachable against brute force, likelihood and draws against each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from cloudchamber.data.final_states import is_residual
from cloudchamber.networks.kind_counts import CODES, KindCounts, features, incoming_budget, reachable, tiny
from cloudchamber.simulators.hadronic.particles import conserved


@pytest.mark.parametrize("on_nucleus", [False, True])
def test_reachable_is_what_counting_finds(on_nucleus: bool) -> None:
    numbers, most = conserved(np.array([3122, 311, 211, 2112])), np.array([1, 2, 2, 3])
    table, corner = reachable(numbers, most, (6, 12), on_nucleus)
    rng = np.random.default_rng(2)
    for budget in rng.integers([-3, -2, -2], [9, 15, 3], (300, 3)):
        for first in (0, 2, 4):
            ways = itertools.product(*(range(top + 1) for top in most[first:]))
            left = [budget - (np.array(way) @ numbers[first:] if way else 0) for way in ways]
            ends = [
                one[2] == 0 and (is_residual(one[:1], one[1:2])[0] if on_nucleus else not one[:2].any()) for one in left
            ]
            assert table[(first, *(budget - corner))] == any(ends), (budget, first)


def test_draws_keep_the_books_on_protons_and_nuclei() -> None:
    torch.manual_seed(1)
    codes = np.array([3122, 311, -311, -321, 321, 2112, 2212, 111, -211, 211])
    network = KindCounts(conserved(codes), np.array([1, 2, 2, 2, 2, 5, 5, 4, 4, 4]), (82, 208), 8)
    projectile = torch.arange(700) % len(CODES)
    target = torch.tensor([[1.0, 1.0], [6.0, 12.0], [82.0, 208.0]])[torch.arange(700) % 3]
    condition = torch.cat([projectile[:, None], target, torch.full((700, 1), 30.0)], dim=1).double()
    with torch.inference_mode():
        elastic, back, strangeness, counts = network.draw(condition, torch.rand(700, 12))
    assert set(strangeness[(condition[:, 0] == CODES.index(130)) & ~elastic].tolist()) == {-1, 1}
    assert set(strangeness[condition[:, 0] == CODES.index(-321)].tolist()) == {-1}
    assert not (back & ~elastic).any()
    budget = incoming_budget(condition, strangeness)
    left = budget - counts @ torch.from_numpy(conserved(codes))
    hydrogen = condition[:, 2] == 1
    assert not left[hydrogen & ~elastic].any()
    assert not left[~elastic][:, 2].any()
    assert is_residual(*left[~elastic & ~hydrogen][:, :2].numpy().T).all()
    assert not counts[elastic].any()


@pytest.mark.parametrize("projectile", [211, 130])
def test_draws_have_the_likelihood_that_the_network_says(projectile: int) -> None:
    """Frequencies of 20 000 draws against exp(log-likelihood): within five standard deviations for each final state,
    channel, direction of an elastic projectile and strangeness of a K0L included."""
    torch.manual_seed(3)
    network, _ = tiny()
    answers = network.channel[-1]
    assert isinstance(answers, torch.nn.Linear)
    answers.bias.data = torch.tensor([0.2, 1.3, -1.1])  # of different probability: none serves for another
    condition = torch.tensor([[CODES.index(projectile), 1.0, 1.0, 10.0]]).double().repeat(20_000, 1)
    with torch.inference_mode():
        elastic, back, strangeness, counts = network.draw(condition, torch.rand(20_000, 7).double())
        strangeness = torch.where(elastic, 0, strangeness)
        states = torch.cat([elastic[:, None], back[:, None], strangeness[:, None], counts], dim=1)
        states, number = states.unique(dim=0, return_counts=True)
        n = len(states)
        elastic, back = states[:, 0] == 1, states[:, 1] == 1
        assert (strangeness >= 0).all()  # nothing here closes -1
        likelihood = network(condition[:n], states[:, 2], states[:, 3:], elastic, back).exp()
    assert n > 5
    if projectile == 130:  # the network gives -1 a chance that no counts can use
        likelihood = torch.where(
            states[:, 0] == 1,
            likelihood,
            likelihood / likelihood[states[:, 0] == 0].sum() * (1 - likelihood[states[:, 0] == 1].sum()),
        )
    assert float(likelihood.sum()) == pytest.approx(1, abs=1e-2)  # states too rare to be drawn are missing
    error = (20_000 * likelihood * (1 - likelihood)).sqrt() + 1
    assert ((number - 20_000 * likelihood).abs() < 5 * error).all()


def test_extreme_uniform_numbers_draw_possible_counts() -> None:
    network, inputs = tiny()
    condition = inputs(2)[0]
    largest = float(np.nextafter(1, 0))
    uniform = torch.tensor([[0.5, 0.999999] + [0.0] * 5, [0.5, 0.999999] + [largest] * 5], dtype=torch.float64)
    with torch.inference_mode():
        _, _, strangeness, counts = network.draw(condition, uniform)
    assert not (incoming_budget(condition, strangeness) - counts @ network.books["numbers"]).any()


def test_charge_that_nothing_can_carry_away_is_unlikely_for_good() -> None:
    network, inputs = tiny()
    condition, strangeness, counts, elastic, back = inputs(1)
    assert torch.isfinite(network(condition, strangeness, counts, elastic, back)).all()
    counts[0, 4] += 1  # one pi+ too many
    assert network(condition, strangeness, counts, elastic, back)[0] == -torch.inf


def test_what_is_drawn_has_the_logits_of_the_likelihood() -> None:
    """The loop of ``draw`` adds up its first layer kind by kind; ``logits`` computes it at once."""
    torch.manual_seed(4)
    network, inputs = tiny()
    condition = inputs(4)[0]
    uniform = torch.rand(4, 7, generator=torch.Generator().manual_seed(1)).double()
    uniform[:, 1] = 1 - 1e-9
    with torch.inference_mode():
        _, _, sign, drawn = network.draw(condition, uniform)
        known = network.logits(features(condition, sign), drawn, incoming_budget(condition, sign)).softmax(2)
    again = (uniform[:, 2:, None] >= known.cumsum(2).double()).sum(2)
    torch.testing.assert_close(again, drawn)
