"""Depths of maximum: means and spreads of the publication's distributions, order of primaries, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import digamma, polygamma

from cloudchamber.schema import BadInput
from cloudchamber.simulators.airshower.depth_of_maximum import COEFFICIENTS, depth_of_maximum, gumbel, mass_number


@pytest.mark.parametrize("model", COEFFICIENTS)
@pytest.mark.parametrize("mass", [1, 56])
def test_mean_and_spread_are_those_of_the_generalised_gumbel(model: str, mass: int) -> None:
    n = 40_000
    drawn = depth_of_maximum(model, np.full(n, 19.3), np.full(n, mass), np.random.default_rng(1))
    one = {name: float(value) for name, value in gumbel(model, np.array(19.3), np.array(mass)).items()}
    mean = one["mu"] + one["sigma"] * (np.log(one["lambda"]) - digamma(one["lambda"]))
    spread = one["sigma"] * np.sqrt(polygamma(1, one["lambda"]))
    assert drawn.mean() == pytest.approx(mean, abs=4 * spread / np.sqrt(n))  # four standard errors
    assert drawn.std() == pytest.approx(spread, rel=0.03)


def test_protons_of_10_eev_have_their_published_depth() -> None:
    # EPOS-LHC, protons, 10 EeV: mean about 807 g/cm2 by these coefficients, iron about 100 less; spread 60 and 20
    proton, iron = (
        depth_of_maximum("EPOS-LHC", np.full(20_000, 19.0), np.full(20_000, a), np.random.default_rng(2))
        for a in (1, 56)
    )
    assert 795 < proton.mean() < 820
    assert 80 < proton.mean() - iron.mean() < 125
    assert 50 < proton.std() < 70
    assert 15 < iron.std() < 25


def test_elongation_rate_is_nearly_60_a_decade() -> None:
    means = [
        depth_of_maximum("QGSJetII-04", np.full(20_000, lg), np.full(20_000, 1), np.random.default_rng(3)).mean()
        for lg in (18.5, 19.5)
    ]
    assert 50 < means[1] - means[0] < 65


def test_unknown_primary_and_model_name_the_known_ones() -> None:
    with pytest.raises(BadInput, match="did you mean 'Fe'"):
        mass_number("fe")
    with pytest.raises(BadInput, match="did you mean 'EPOS-LHC'"):
        gumbel("EPOS", np.array([19.0]), np.array([1]))
