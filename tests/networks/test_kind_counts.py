"""Counts within budgets: the table of the reachable against brute force, likelihood and draws against each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from cloudchamber.data.final_states import is_residual
from cloudchamber.networks.kind_counts import (
    CODES,
    KindCounts,
    features,
    incoming_budget,
    incoming_strangeness,
    reachable,
    tiny,
)
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
    strangeness = incoming_strangeness(condition, torch.rand(700))
    assert set(strangeness[condition[:, 0] == CODES.index(130)].tolist()) == {-1, 1}
    budget = incoming_budget(condition, strangeness)
    with torch.inference_mode():
        elastic, counts = network.draw(features(condition, strangeness), budget, torch.rand(700, 11))
    left = budget - counts @ torch.from_numpy(conserved(codes))
    hydrogen = condition[:, 2] == 1
    assert not left[hydrogen & ~elastic].any()
    assert not left[~elastic][:, 2].any()
    assert is_residual(*left[~elastic & ~hydrogen][:, :2].numpy().T).all()
    assert not counts[elastic].any()


def test_draws_have_the_likelihood_that_the_network_says() -> None:
    """Frequencies of 20 000 draws against exp(log-likelihood): within five standard deviations for each final state."""
    torch.manual_seed(3)
    network, _ = tiny()
    condition = torch.tensor([[CODES.index(211), 1.0, 1.0, 10.0]]).double().repeat(20_000, 1)
    strangeness = torch.zeros(20_000, dtype=torch.int64)
    known, budget = features(condition, strangeness), incoming_budget(condition, strangeness)
    with torch.inference_mode():
        elastic, counts = network.draw(known, budget, torch.rand(20_000, 5))
        kinds, number = torch.cat([elastic[:, None].long(), counts], dim=1).unique(dim=0, return_counts=True)
        n = len(kinds)
        likelihood = network(known[:n], kinds[:, 1:], budget[:n], kinds[:, 0] == 1).exp()
    assert n > 5
    assert float(likelihood.sum()) == pytest.approx(1, abs=1e-2)  # states too rare to be drawn are missing
    error = (20_000 * likelihood * (1 - likelihood)).sqrt() + 1
    assert ((number - 20_000 * likelihood).abs() < 5 * error).all()


def test_extreme_uniform_numbers_draw_possible_counts() -> None:
    network, inputs = tiny()
    known, _, budget, _ = inputs(2)
    largest = float(np.nextafter(1, 0))
    uniform = torch.tensor([[0.999999] + [0.0] * 4, [0.999999] + [largest] * 4], dtype=torch.float64)
    with torch.inference_mode():
        _, counts = network.draw(known, budget, uniform)
    assert not (budget - counts @ network.books["numbers"]).any()


def test_charge_that_nothing_can_carry_away_is_unlikely_for_good() -> None:
    network, inputs = tiny()
    known, counts, budget, elastic = inputs(1)
    assert torch.isfinite(network(known, counts, budget, elastic)).all()
    counts[0, 3] += 1  # one pi+ too many
    assert network(known, counts, budget, elastic)[0] == -torch.inf
