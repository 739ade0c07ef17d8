"""Collisions: analytic limits, the reference numbers of TRENTo 2.0, an independent slow implementation, seeds.

Agreement with TRENTo: |difference| < 4 combined standard errors + 0.3 %.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cloudchamber.schema import Arrays, BadInput
from cloudchamber.simulators.heavyion.collisions import (
    CollisionOptions,
    _Run,
    collide,
    collide_common,
    impact_range,
)
from cloudchamber.simulators.heavyion.events import COLUMNS
from cloudchamber.simulators.heavyion.nuclei import Nucleus, nucleus

# Means and their errors from `trento Pb Pb 30000 --random-seed 11` and `trento U U 30000 --random-seed 12`.
OBSERVABLES = ("npart", "multiplicity", "eccentricity2", "eccentricity3", "impact_parameter")
REFERENCE = {
    ("Pb", "min-bias"): ((112.2, 0.67), (39.81, 0.27), (0.3926, 0.0014), (0.2344, 0.0010), (10.58, 0.022)),
    ("Pb", "0-5 %"): ((381.6, 0.51), (161.2, 0.31), (0.1109, 0.0015), (0.1076, 0.0015)),
    ("U", "min-bias"): ((126.3, 0.76), (44.76, 0.31), (0.3988, 0.0014), (0.2407, 0.0010), (11.29, 0.024)),
    ("U", "0-5 %"): ((432.7, 0.57), (182.6, 0.35), (0.1527, 0.0020), (0.1052, 0.0014)),
}


@pytest.mark.parametrize("name", ["Pb", "U"])
def test_mean_observables_agree_with_those_of_trento(name: str) -> None:
    one = nucleus(name)
    events = collide(one, one, 30_000, seed=21)
    central = events["multiplicity"] >= np.quantile(events["multiplicity"], 0.95)
    for label, rows in (("min-bias", slice(None)), ("0-5 %", central)):
        for column, (mean, error) in zip(OBSERVABLES, REFERENCE[name, label], strict=False):
            values = events[column][rows]
            own = values.std() / math.sqrt(len(values))
            assert abs(values.mean() - mean) < 4 * math.hypot(own, error) + 0.003 * mean, (label, column)


def test_proton_proton_multiplicity_is_analytic() -> None:
    """mult = Gamma(3/2)^2 <exp(-b^2 / 8 w^2)> = 0.42565 for p = 0, k = 1; 5 standard errors + the grid's 1e-3."""
    proton = nucleus("p")
    events = collide(proton, proton, 100_000, 3, CollisionOptions(cross_section=7.32, grid_max=4))
    mult = events["multiplicity"]
    assert abs(mult.mean() - 0.42565) < 5 * mult.std() / math.sqrt(len(mult)) + 4e-4
    expected = math.gamma(1.5) ** 2 * np.exp(-(events["impact_parameter"] ** 2) / 2)
    assert abs(expected.mean() - 0.42565) < 5 * expected.std() / math.sqrt(len(mult))
    assert np.all(events["npart"] == 2)


def test_constituents_fluctuate_one_by_one() -> None:
    """p = 1: mult is the mean of two protons, each the mean of m constituents of variance 1/k; so 1 / (2 m k) in all.

    The variance of 20 000 events is known to 1.3 %; 5 of those and the grid's 1e-3.
    """
    proton = nucleus("p")
    options = CollisionOptions(reduced_thickness=1, constituent_number=3, constituent_width=0.3, grid_max=4)
    mult = collide(proton, proton, 20_000, 6, options)["multiplicity"]
    assert mult.var() / mult.mean() ** 2 == pytest.approx(1 / 6, rel=0.07)


def test_proton_proton_cross_section_is_the_given_one() -> None:
    """The fraction of trials that collide, pi b_max^2 / trials, is sigma_NN."""
    proton = nucleus("p")
    b = collide(proton, proton, 50_000, 4, CollisionOptions(cross_section=6.4))["impact_parameter"]
    grid = np.linspace(0, 3, 3001)
    hit = -np.expm1(-13.49858 / math.pi * np.exp(-(grid**2)))
    assert abs(b.mean() - np.trapezoid(grid**2 * hit, grid) / np.trapezoid(grid * hit, grid)) < 5 * b.std() / 223


def direct(nucleons: dict[str, NDArray[np.float64]], options: CollisionOptions) -> tuple[float, float]:
    """Multiplicity and eccentricity 2 at fixed unit weights by plain numpy: every cell, every participant."""
    step = options.grid_step
    cells = math.ceil(2 * options.grid_max / step)
    centre = (np.arange(cells) + 0.5) * step - cells * step / 2
    thickness = []
    for side in "ab":
        hit = nucleons[f"participant_{side}"]
        x, y = nucleons[f"x_{side}"][hit], nucleons[f"y_{side}"][hit]
        d2 = (centre[None, None, :] - x[:, None, None]) ** 2 + (centre[None, :, None] - y[:, None, None]) ** 2
        w = options.nucleon_width
        profile = np.where(d2 < 25 * w * w, np.exp(-d2 / (2 * w * w)), 0) / (2 * math.pi * w * w)
        thickness.append(profile.sum(axis=0))
    p = options.reduced_thickness
    a, b = thickness
    with np.errstate(divide="ignore"):
        reduced = np.sqrt(a * b) if p == 0 else ((a**p + b**p) / 2) ** (1 / p)
    if p < 0:
        reduced = np.where((a < 1e-12) | (b < 1e-12), 0, reduced)
    xx, yy = np.meshgrid(centre, centre)
    total = reduced.sum()
    z = (xx - (reduced * xx).sum() / total) + 1j * (yy - (reduced * yy).sum() / total)
    return total * step**2, abs((reduced * z**2).sum()) / (reduced * abs(z) ** 2).sum()


def nucleons_of(a: Nucleus, b: Nucleus, seed: int, options: CollisionOptions, event: int) -> Arrays:
    """Positions in fm of the nucleons of one event of ``collide``, and whether they are participants."""
    run = _Run(a, b, options, None)
    run.events(seed, event, 1, np.zeros((1, len(COLUMNS))), np.zeros((0, run.mesh.cells, run.mesh.cells)))
    nucleons: Arrays = {}
    for label, one in (("a", run.side_a), ("b", run.side_b)):
        nucleons |= {f"x_{label}": one.x, f"y_{label}": one.y, f"participant_{label}": one.hit}
    return nucleons


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0, 0.5, -0.7])
@pytest.mark.parametrize("system", [("U", "U"), ("p", "Pb"), ("d", "Au")])
def test_grid_equals_a_slow_implementation(p: float, system: tuple[str, str]) -> None:
    """Without fluctuations (k = 1e9) one event's grid follows from its nucleons: equal to 1e-4."""
    options = CollisionOptions(reduced_thickness=p, fluctuation=1e9)
    a, b = map(nucleus, system)
    for event in range(4):
        nucleons = nucleons_of(a, b, 8, options, event)
        fast = collide(a, b, 1, 8, options, first_event=event)
        mult, eccentricity = direct(nucleons, options)
        assert fast["multiplicity"][0] == pytest.approx(mult, rel=1e-4)
        assert fast["eccentricity2"][0] == pytest.approx(eccentricity, rel=2e-4, abs=1e-6)


@pytest.mark.parametrize("constituents", [1, 3])
def test_participants_do_not_depend_on_counting_collisions(constituents: int) -> None:
    """Early stops and screening must find exactly the participants that testing all pairs finds."""
    lead = nucleus("Pb")
    quick = CollisionOptions(constituent_number=constituents, constituent_width=0.3 if constituents > 1 else None)
    full = quick.changed({"ncoll": True})
    one, two = collide(lead, lead, 300, 9, quick), collide(lead, lead, 300, 9, full)
    for name in one:
        assert np.array_equal(one[name], two[name]), name
    assert np.all(two["ncoll"] >= two["npart"] / 2)
    assert "ncoll" not in one


def test_profile_belongs_to_its_event() -> None:
    options = CollisionOptions(grid_step=0.25)
    uranium = nucleus("U")
    events = collide(uranium, uranium, 20, 5, options, profiles=True)
    profile = events["entropy_profile"]
    assert profile.shape == (20, 80, 80)
    assert np.allclose(profile.sum(axis=(1, 2)) * 0.0625, events["multiplicity"])
    centre = (np.arange(80) + 0.5) * 0.25 - 10
    x, y = centre[None, None, :], centre[None, :, None]
    weight = profile / profile.sum(axis=(1, 2), keepdims=True)
    x, y = (v - (weight * v).sum(axis=(1, 2), keepdims=True) for v in (x, y))
    z = x + 1j * y
    for n in range(2, 6):
        moment = -(weight * z**n).sum(axis=(1, 2)) / (weight * abs(z) ** n).sum(axis=(1, 2))
        assert np.allclose(abs(moment), events[f"eccentricity{n}"], atol=1e-6)
        turned = moment * np.exp(-1j * n * events[f"psi{n}"])  # the angle turns the moment onto the positive axis
        assert np.allclose(turned.imag, 0, atol=1e-6)
        assert np.all(turned.real > -1e-9)
    xx, yy, xy = ((weight * v).sum(axis=(1, 2)) for v in (x * x, y * y, x * y))
    assert np.allclose(events["rms_radius"], np.sqrt(xx + yy))
    assert np.allclose(events["area"], math.pi * np.sqrt(xx * yy - xy**2))
    assert np.allclose(events["inverse_area"], events["area"] ** -0.5)


def test_second_axis_of_a_profile_is_y() -> None:
    """At large b the overlap is narrow along x, the impact parameter, and long along y."""
    gold = nucleus("Au")
    options = CollisionOptions(b_min=8, b_max=9)
    profile = collide(gold, gold, 50, 6, options, profiles=True)["entropy_profile"].sum(axis=0)
    axis = np.arange(100) - 49.5
    along_y, along_x = (profile.sum(axis=k) @ axis**2 for k in (1, 0))
    assert along_y > 1.5 * along_x


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**40), first=st.integers(0, 1000), cut=st.integers(1, 5))
def test_batches_do_not_change_events(seed: int, first: int, cut: int) -> None:
    xenon = nucleus("Xe2")
    whole = collide(xenon, xenon, 6, seed, first_event=first)
    parts = [
        collide(xenon, xenon, cut, seed, first_event=first),
        collide(xenon, xenon, 6 - cut, seed, first_event=first + cut),
    ]
    for name, values in whole.items():
        assert np.array_equal(values, np.concatenate([part[name] for part in parts]))


def test_collisions_of_two_seeds_share_no_event() -> None:
    lead = nucleus("Pb")
    one, two = (collide(lead, lead, 5, seed)["multiplicity"] for seed in (1, 2))
    assert not np.intersect1d(one, two).size


def test_common_random_numbers_correlate_shapes_and_stay_unbiased() -> None:
    ru, zr = nucleus("Ru"), nucleus("Zr")
    common = collide_common([(ru, ru), (zr, zr)], 4000, 1)
    both = common[0]["collided"] & common[1]["collided"]
    assert 0.9 < both.mean() <= 1
    assert np.array_equal(common[0]["impact_parameter"][both], common[1]["impact_parameter"][both])
    correlation = [np.corrcoef(common[0][n][both], common[1][n][both])[0, 1] for n in ("multiplicity", "eccentricity2")]
    assert correlation[0] > 0.98
    assert correlation[1] > 0.6
    alone = collide(ru, ru, 4000, 2, CollisionOptions(b_max=impact_range(zr, zr, CollisionOptions())[1]))
    kept = common[0]["multiplicity"][common[0]["collided"]]
    other = alone["multiplicity"]
    error = math.hypot(kept.std() / math.sqrt(len(kept)), other.std() / math.sqrt(len(other)))
    assert abs(kept.mean() - other.mean()) < 5 * error
    assert not common[1]["multiplicity"][~common[1]["collided"]].any()


def test_the_widest_pair_decides_how_far_all_are_shot() -> None:
    small, large = nucleus("p"), nucleus("Cu")
    common = collide_common([(small, small), (large, large)], 200, 1)[1]
    alone, both = collide(large, large, 200, 1), common["collided"]
    assert np.array_equal(common["impact_parameter"][both], alone["impact_parameter"][both])
    assert both.mean() > 0.9  # two protons hardly ever meet where two copper nuclei miss
    assert alone["impact_parameter"].max() > impact_range(small, small, CollisionOptions())[1]


def test_orientations_can_be_fixed() -> None:
    """Tip-tip is round and small, body-body long; the azimuth turns the long axis."""
    uranium = nucleus("U", beta2=0.5, beta4=0.0)
    options = CollisionOptions(b_max=0, fluctuation=1e9)
    across = math.pi / 2
    tips = collide(uranium, uranium, 100, 3, options, orientations=[(0, 0), (0, 0)])
    bodies = collide(uranium, uranium, 100, 3, options, orientations=[(across, 0.4), (across, 0.4)])
    assert bodies["eccentricity2"].mean() > 2.5 * tips["eccentricity2"].mean()
    assert bodies["area"].mean() > 1.1 * tips["area"].mean()
    # eps2 is positive for a profile long in y: psi2 lies across the long axis.
    phase = np.angle((bodies["eccentricity2"] * np.exp(2j * (bodies["psi2"] - 0.4))).mean())
    assert abs(abs(phase) - math.pi) < 0.1


def test_multiplicity_scales_with_normalization_and_participants() -> None:
    lead = nucleus("Pb")
    base = collide(lead, lead, 50, 3)
    scaled = collide(lead, lead, 50, 3, CollisionOptions(normalization=19))
    assert np.allclose(scaled["multiplicity"], 19 * base["multiplicity"])
    assert np.allclose(scaled["eccentricity3"], base["eccentricity3"])
    linear = collide(lead, lead, 50, 3, CollisionOptions(reduced_thickness=1, fluctuation=1e9, grid_max=16))
    assert np.allclose(linear["multiplicity"], linear["npart"] / 2, rtol=2e-3)


def test_energy_replaces_the_cross_section() -> None:
    assert CollisionOptions(sqrt_s=200).sigma == pytest.approx(4.122, rel=1e-3)
    assert CollisionOptions().sigma == 6.4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"b_min": 5, "b_max": 3}, "empty impact-parameter range"),
        ({"b_min": 40}, "no longer collide"),
        ({"b_min": 24, "b_max": 30}, "no collision of Pb and Pb"),
        ({"grid_max": 3}, "grid too small"),
        ({"constituent_width": 0.7}, "exceeds the nucleon width"),
        ({"constituent_width": 0.3}, "give constituent_number > 1"),
        ({"grid_step": 1e-4}, "at most 4000"),
        ({"nucleon_width": -1}, "greater than 0"),
        ({"sqrt_s": 1}, "greater than or equal to 10"),
    ],
)
def test_bad_options_are_refused_in_one_line(options: dict[str, float], words: str) -> None:
    lead = nucleus("Pb")
    with pytest.raises(BadInput, match=words) as caught:
        collide(lead, lead, 2, 1, CollisionOptions().changed(options))
    assert caught.value.status == 2


def test_wrong_counts_and_orientations_are_refused_and_small_grids_work() -> None:
    lead, proton = nucleus("Pb"), nucleus("p")
    for n in (0, -1):
        with pytest.raises(BadInput, match="need at least 1"):
            collide(lead, lead, n, 1)
    with pytest.raises(BadInput, match="first event"):
        collide(lead, lead, 1, 1, first_event=-1)
    with pytest.raises(BadInput, match="orientations"):
        collide(lead, lead, 1, 1, orientations=[(0.0, math.nan), (0, 0)])
    assert collide(proton, lead, 3, 1, CollisionOptions(grid_max=3))["npart"].min() >= 2  # TRENTo's advice for pA


def test_grid_must_hold_a_deformed_nucleus() -> None:
    stretched = nucleus("U", beta2=1.8, beta4=0.0)
    with pytest.raises(BadInput, match="grid too small"):
        collide(stretched, stretched, 1, 1, CollisionOptions())
    assert len(collide(stretched, stretched, 1, 1, CollisionOptions(grid_max=20.0))["npart"]) == 1
