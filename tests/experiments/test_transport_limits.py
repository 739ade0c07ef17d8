"""Checks that simulate on their own: ground states, blocking, box, freeze-out, cost; and pictures of an event.

What takes long stands in: the box has tests of its own. Here it is whether its numbers are judged as they should be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cloudchamber.data.samples import ArrayRecords
from cloudchamber.experiments import transport_gallery, transport_limits
from cloudchamber.experiments.transport import dynamics_of
from cloudchamber.experiments.transport_checks import ValidationConfig
from cloudchamber.experiments.transport_limits import (
    CELLS,
    COUNTS,
    CUTS,
    GASES,
    MOMENTS,
    at_rest,
    blocked_collisions,
    box_collisions,
    box_wave,
    cost,
    event_memory,
    freeze_out,
    ground_states,
    occupation,
    rms_radius,
)
from cloudchamber.metrics.criteria import passes
from cloudchamber.metrics.rows import Row
from cloudchamber.schema import Arrays
from cloudchamber.simulators.transport.box import Rates, StandingWave, allowed_rate, collision_rate, linear_response
from cloudchamber.simulators.transport.box_fluctuations import PARTITIONS, SHELLS, Fluctuations
from cloudchamber.simulators.transport.equation_of_state import EQUATIONS_OF_STATE
from cloudchamber.simulators.transport.lattice import deposit
from cloudchamber.simulators.transport.test_particles import TestParticles
from cloudchamber.study import CheckResult

CONFIG = ValidationConfig(
    test_particles=20, freeze_out_time=40.0, freeze_out_records=2, nuclei=("He4",), blocking_nuclei=3,
    box_test_particles=10, cost_events=2,
)  # fmt: skip
NONE = ArrayRecords({"nothing": np.zeros(0)})
NAN = float("nan")


def seeds() -> np.random.SeedSequence:
    return np.random.SeedSequence(1)


def made(check: Callable[..., CheckResult], config: ValidationConfig = CONFIG) -> CheckResult:
    """What a check finds that needs no events; every number must have a name of its own."""
    result = check(config, NONE, {}, seeds())
    names = [(row["predictor"], row["target"], row["metric"]) for row in result.rows]
    assert len(set(names)) == len(names) > 0
    return result


def found(result: CheckResult, predictor: str, target: str, metric: str) -> Row:
    """The row of a number."""
    (row,) = (
        one for one in result.rows if (one["predictor"], one["target"], one["metric"]) == (predictor, target, metric)
    )
    return row


def judged(result: CheckResult, verdict: bool) -> set[tuple[str, str, str]]:
    """The numbers that have a criterion and meet it, or do not."""
    return {(row["predictor"], row["target"], row["metric"]) for row in result.rows if passes(row) is verdict}


# --- ground states ----------------------------------------------------------------------------------------------------


class Nothing:
    """In place of a nucleus: it has so many collisions whenever it is asked to go on."""

    def __init__(self, attempted: float, accepted: float) -> None:
        self.each = attempted, accepted
        self.attempted = self.accepted = 0.0

    def run(self, duration: float) -> None:
        assert duration == transport_limits.DURATION
        self.attempted += self.each[0]
        self.accepted += self.each[1]


def test_a_small_nucleus_is_followed_for_its_whole_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_limits, "blocked_collisions", lambda config, rng: [])
    result = made(ground_states, CONFIG.changed({"test_particles": 100}))
    time, radius = result.arrays["He4/time"], result.arrays["He4/radius"]
    assert time.tolist() == list(range(20, 201, 20))
    assert radius.shape == result.arrays["He4/emitted"].shape == (10,)
    # with 100 test particles a nucleon a nucleus is warmer than with 500, but it stays one
    assert (np.abs(radius - 1) < 0.15).all()
    assert (np.diff(result.arrays["He4/emitted"]) > -0.05).all()
    worst = found(result, "langevin", "He4", "largest_change_of_rms_radius")
    assert worst["value"] in (radius - 1).tolist()
    assert abs(worst["value"]) == pytest.approx(np.abs(radius - 1).max())
    assert (worst["low"], worst["high"]) == (-0.05, 0.05)
    assert found(result, "langevin", "He4", "emitted_share")["value"] == result.arrays["He4/emitted"][-1]
    assert found(result, "langevin", "He4", "energy_change")["value"] < 0.1
    assert found(result, "measured", "He4", "binding_energy")["value"] == pytest.approx(7.07, abs=0.01)
    # a Thomas-Fermi alpha particle is larger and less bound than the true one
    assert 3 < found(result, "langevin", "He4", "binding_energy")["value"] < 7
    # protons as the field sees them: their density on the lattice, of 200 test particles with stratified radii
    start = at_rest(
        "He4", CONFIG.changed({"test_particles": 100}), dynamics_of(CONFIG), False, np.random.default_rng(1)
    )
    p, lattice, density = start.particles, start.lattice, start.lattice.zeros()
    deposit(p.position, p.species, p.per_nucleon, lattice.origin, lattice.spacing, density)
    place = np.asarray(lattice.origin)[:, None, None, None] + lattice.spacing * np.indices(lattice.shape)
    own = math.sqrt((density[1] * (place**2).sum(axis=0)).sum() / density[1].sum())
    assert found(result, "langevin", "He4", "rms_charge_radius")["value"] == pytest.approx(own, rel=0.02)
    assert found(result, "measured", "He4", "rms_charge_radius")["value"] == 1.6755


def test_a_nucleus_that_boils_fails_its_criteria(monkeypatch: pytest.MonkeyPatch) -> None:
    real = transport_limits.at_rest

    def shaken(*given: Any) -> Any:
        evolution = real(*given)
        evolution.particles.momentum[:] *= 1.1  # a fifth more kinetic energy is half of what binds it
        return evolution

    monkeypatch.setattr(transport_limits, "at_rest", shaken)
    monkeypatch.setattr(transport_limits, "blocked_collisions", lambda config, rng: [])
    result = made(ground_states, CONFIG.changed({"nuclei": ("C12",)}))
    failed = {metric for _, _, metric in judged(result, False)}
    assert failed >= {"emitted_share", "largest_change_of_rms_radius"}


def test_nucleons_of_one_nucleus_collide_only_where_it_is_asked_for() -> None:
    attempted = []
    for own in (False, True):
        evolution = at_rest("C12", CONFIG, dynamics_of(CONFIG), own, np.random.default_rng(1))
        evolution.run(40.0)
        attempted.append((evolution.attempted, evolution.accepted))
    assert attempted[0] == (0.0, 0.0)
    assert attempted[1][0] > 0
    assert attempted[1][1] < 0.2 * attempted[1][0], "a ground state is blocked"


def test_a_radius_is_the_root_of_the_mean_square() -> None:
    position = np.array([[3.0, 0, 0], [0, 4.0, 0], [0, 0, 5.0], [0, 0, 0]])
    none = np.zeros(4, np.int8)
    assert rms_radius(TestParticles(position, 0 * position, none, none, 1)) == pytest.approx(math.sqrt(50 / 4))


@pytest.mark.parametrize(("accepted", "verdict"), [(1.0, True), (1.01, False)])
def test_accepted_collisions_are_counted_over_all_nuclei(
    accepted: float, verdict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def stand_in(*given: Any) -> Nothing:
        asked.append(given)
        return Nothing(100.0, accepted)

    monkeypatch.setattr(transport_limits, "at_rest", stand_in)
    rows = blocked_collisions(CONFIG, np.random.default_rng(1))
    assert [(name, own, dynamics.langevin) for name, _, dynamics, own, _ in asked] == [
        *[("C12", True, True)] * 3, ("C12", True, False)
    ]  # fmt: skip
    langevin, average = rows
    for row in rows:
        assert row["value"] == pytest.approx(accepted / 100)
        assert passes(row) is verdict
    assert (langevin["n"], average["n"]) == (300, 100)
    # Poisson: 3 packets in one mode, 20 test particles in the other
    assert langevin["error"] == pytest.approx(accepted / 100 / math.sqrt(3 * accepted))
    assert average["error"] == pytest.approx(accepted / 100 / math.sqrt(20 * accepted))


# --- in a box ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("off", [0.995, 1.02])
def test_collision_rates_are_judged_against_the_analytic_ones(off: float, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def stand_in(
        temperature: float, number: int, langevin: bool, blocking: bool, gases: int, seed: int, step: float
    ) -> Rates:
        asked.append((temperature, number, langevin, blocking, gases, step, seed))
        expected = collision_rate(temperature)
        return Rates(off * expected, 0.003 * expected, 0.1 * expected, 0.01 * expected)

    monkeypatch.setattr(transport_limits, "collision_rates", stand_in)
    monkeypatch.setattr(transport_limits, "counted_occupation", lambda *_: {"momentum": np.arange(3.0)})
    result = made(box_collisions)
    assert judged(result, off == 0.995) == {
        ("average", f"T_{temperature}_MeV", "unblocked_over_analytic") for temperature in (0, 5)
    }
    assert judged(result, off != 0.995) == set()
    ratio = found(result, "average", "T_5_MeV", "unblocked_over_analytic")
    assert (ratio["value"], ratio["error"], ratio["n"]) == (pytest.approx(off), pytest.approx(0.003), GASES)
    assert found(result, "analytic", "T_5_MeV", "allowed")["value"] == allowed_rate(5.0)
    assert found(result, "analytic", "T_0_MeV", "allowed")["value"] == 0
    allowed = found(result, "langevin", "T_0_MeV", "allowed")
    assert (allowed["value"], allowed["unit"]) == (pytest.approx(0.1 * collision_rate(0.0)), "c/fm")
    assert result.arrays["occupation/momentum"].tolist() == [0, 1, 2]
    assert len({one[-1] for one in asked}) == len(asked) == 8, "every gas has a seed of its own"
    assert {one[1] for one in asked} == {CONFIG.box_test_particles}
    assert {(one[2], one[4]) for one in asked} == {(False, GASES), (True, 2 * GASES)}


@pytest.mark.parametrize(("stretch", "verdict"), [(1.01, True), (1.05, False)])
def test_a_slow_wave_fails_the_criterion_of_its_zeros(
    stretch: float, verdict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def stand_in(matter: Any, number: int, amplitude: float, duration: float, seed: int) -> StandingWave:
        asked.append((matter, number, amplitude, duration))
        time = np.arange(round(duration) + 1.0)
        return StandingWave(time, np.interp(time / stretch, time, linear_response(matter, time)), 0.0)

    monkeypatch.setattr(transport_limits, "standing_wave", stand_in)
    result = made(box_wave)
    assert [one[0] for one in asked] == list(EQUATIONS_OF_STATE.values())
    assert {one[1] for one in asked} == {CONFIG.box_test_particles}
    for name in EQUATIONS_OF_STATE:
        ratios = [row for row in result.rows if row["target"] == name and row["metric"].endswith("linear_response")]
        assert len(ratios) >= 2, "85 fm/c hold two zeros at least"
        # zeros of a cubic through six points on each side
        np.testing.assert_allclose([row["value"] for row in ratios], stretch, rtol=0.006)
        assert {passes(row) for row in ratios} == {verdict}
        assert len(result.arrays[f"{name}/time"]) == len(result.arrays[f"{name}/simulated"]) == 86


def fluctuations(langevin: bool, number: int, ratio: float) -> Fluctuations:
    kinds, shells = len(PARTITIONS), len(SHELLS) - 1
    occupation = np.linspace(1.02, 0.0, shells)
    share = ratio if langevin else ratio / number
    return Fluctuations(
        PARTITIONS, np.ones(kinds), np.full(kinds, share), np.full(kinds, share / 10), np.linspace(0.1, 0.9, kinds),
        np.zeros(kinds), SHELLS, occupation, np.full(shells, 0.01), occupation, 10.0, 40.0,
    )  # fmt: skip


@pytest.mark.parametrize(("ratio", "verdict"), [(0.51, True), (1.1, True), (0.4, False)])
def test_variances_of_the_occupation_are_judged_in_both_modes(
    ratio: float, verdict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        transport_limits, "occupation_variance", lambda langevin, number, *_: fluctuations(langevin, number, ratio)
    )
    result = made(occupation, CONFIG.changed({"test_particles": 400, "box_test_particles": 40}))
    first = next(iter(CELLS.values()))
    wanted = {("langevin", name, "variance_over_f(1-f)") for name in CELLS.values()}
    wanted |= {("average", first, "variance_over_f(1-f)_times_N_test")}
    assert judged(result, verdict) == wanted
    assert judged(result, not verdict) == set()
    for name in CELLS.values():
        own = found(result, "langevin", name, "variance_over_f(1-f)")
        assert (own["value"], own["error"], own["n"]) == (ratio, ratio / 10, COUNTS)
        scaled = found(result, "average", name, "variance_over_f(1-f)_times_N_test")
        assert (scaled["value"], scaled["error"]) == (pytest.approx(ratio), pytest.approx(ratio / 10))
    shares = [found(result, "langevin", name, "share_of_a_packet_in_a_cell")["value"] for name in CELLS.values()]
    expected = np.linspace(0.1, 0.9, len(PARTITIONS))[[PARTITIONS.index(cell) for cell in CELLS]]
    np.testing.assert_allclose(shares, expected)
    beyond = found(result, "langevin", "box", "largest_occupation_above_1")
    assert (beyond["value"], beyond["error"]) == (pytest.approx(0.02), 0.01)
    assert result.arrays["langevin/occupation"].shape == result.arrays["momentum"].shape


def test_each_mode_of_the_box_has_its_number_of_test_particles(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def stand_in(*given: Any) -> Fluctuations:
        asked.append(given)
        return fluctuations(given[0], given[1], 1.0)

    monkeypatch.setattr(transport_limits, "occupation_variance", stand_in)
    made(occupation)
    assert [one[:2] for one in asked] == [(True, CONFIG.test_particles), (False, CONFIG.box_test_particles)]
    temperature, warm_up, duration = asked[0][2:5]
    assert temperature > 0
    # counted every 20 fm/c, both ends included
    assert (duration - warm_up) / 20 + 1 == COUNTS


# --- freeze-out -------------------------------------------------------------------------------------------------------


def test_events_are_read_at_every_moment_and_cut() -> None:
    result = made(freeze_out)
    shape = (2, len(MOMENTS), len(CUTS))
    number, largest, excitation = (result.arrays[name] for name in ("number", "largest", "excitation"))
    assert number.shape == largest.shape == excitation.shape == shape
    assert result.arrays["impact_parameter"].tolist() == pytest.approx([0.0, 6.8])
    np.testing.assert_allclose(result.arrays["time"], [24, 32, 40, 48])
    assert result.arrays["density_cut"].tolist() == list(CUTS)
    assert ((largest > 0) & (largest <= 24)).all()
    assert (number == np.round(number)).all()
    # nuclei that overlap are one thing soon; at 7 fm a neck of thin matter holds two together at first
    assert (largest[0, :2] > 18).all()
    assert (largest[1, 0] > 18).all()
    assert (largest[1, -1] < 13).all()
    # what a higher cut takes from the surface its rim gives back, a test particle or two aside
    assert (np.diff(largest, axis=2) < 0.2).all()


def test_a_loss_before_freeze_out_is_judged_and_cuts_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    class Matter:
        """In place of an event: its largest fragment loses a nucleon in 100 fm/c, and 100 a fm^-3 of the cut."""

        def __init__(self, *_: object) -> None:
            self.time = 0.0
            self.lattice = self

        def run(self, duration: float) -> None:
            self.time += duration

    def read(_: object, matter: Matter, __: object, cut: float) -> SimpleNamespace:
        A = 20 - matter.time / 100 - 100 * cut
        return SimpleNamespace(A=np.array([A, 2.0]), excitation=np.array([3 * A, 1.0]))

    monkeypatch.setattr(transport_limits, "colliding_nuclei", lambda *_: None)
    monkeypatch.setattr(transport_limits, "Evolution", Matter)
    monkeypatch.setattr(transport_limits, "fragments", read)
    for time, verdict in ((100.0, True), (200.0, False)):
        result = made(freeze_out, CONFIG.changed({"freeze_out_time": time}))
        loss = found(result, "langevin", "largest_fragment", "loss_before_freeze_out")
        assert loss["value"] == pytest.approx(0.2 * time / 100)
        assert passes(loss) is verdict
        later = found(result, "langevin", "largest_fragment", "difference_of_reading_later")
        assert later["value"] == pytest.approx(-0.2 * time / 100)
        cuts = found(result, "langevin", "largest_fragment", "difference_of_cuts_0.03_and_0.01")
        assert (cuts["value"], cuts["n"]) == (pytest.approx(-2), 2)
        warm = found(result, "langevin", "excitation", "difference_of_cuts_0.03_and_0.01")
        assert (warm["value"], warm["unit"]) == (pytest.approx(-6), "MeV")
        assert found(result, "langevin", "number_of_fragments", "difference_of_reading_later")["value"] == 0


# --- cost -------------------------------------------------------------------------------------------------------------


class Clock:
    """Time that passes when an event is simulated: a second a nucleon and 1000 test particles and 100 fm/c."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events: list[tuple[Any, ...]] = []

    def process_time(self) -> float:
        return self.now

    def simulate(self, channel: Any, b: float, number: int, dynamics: Any, reading: Any, own: Any) -> None:
        self.events.append((channel, b, number, dynamics.langevin, reading.time, own.spawn_key))
        self.now += channel.nucleons * number / 1000 * reading.time / 100


class Worker:
    """In place of a pool of processes."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, *_: object) -> Future[float]:
        done: Future[float] = Future()
        done.set_result(321.0)
        return done


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    one = Clock()
    monkeypatch.setattr(transport_limits, "time", one)
    monkeypatch.setattr(transport_limits, "simulate_event", one.simulate)
    monkeypatch.setattr(transport_limits, "ProcessPoolExecutor", Worker)
    return one


def test_cost_is_the_processor_time_of_events_of_a_kind(clock: Clock) -> None:
    result = made(cost, CONFIG.changed({"test_particles": 100, "freeze_out_time": 200}))
    for mode in ("langevin", "average"):
        one = found(result, mode, "event", "processor_time")
        assert (one["value"], one["unit"], one["n"]) == (pytest.approx(24 * 0.1 * 2), "s", 2)
    memory = found(result, "langevin", "process", "memory")
    assert (memory["value"], memory["unit"]) == (321.0, "MB")
    assert judged(result, True) == {("langevin", "event", "processor_time"), ("langevin", "process", "memory")}
    arrays = result.arrays
    assert arrays["test_particles/value"].tolist() == [20, 40, 100, 200]
    np.testing.assert_allclose(arrays["test_particles/seconds"], 24 * 2 * arrays["test_particles/value"] / 1000)
    assert arrays["freeze_out_time/value"].tolist() == [50, 100, 200]
    np.testing.assert_allclose(arrays["freeze_out_time/seconds"], 2.4 * arrays["freeze_out_time/value"] / 100)
    assert arrays["nucleons/value"].tolist() == [8, 24, 32, 80, 180]
    np.testing.assert_allclose(arrays["nucleons/seconds"], 0.2 * arrays["nucleons/value"])
    assert len({one[-1] for one in clock.events}) == len(clock.events), "every event has a seed of its own"
    assert {one[1] for one in clock.events} == {4.0}


def test_events_that_take_too_long_fail_the_criterion(clock: Clock) -> None:
    result = made(cost, CONFIG.changed({"test_particles": 110, "freeze_out_time": 200}))
    assert judged(result, False) == {("langevin", "event", "processor_time")}


def test_memory_is_that_of_a_process_with_an_event() -> None:
    # the libraries alone take 100 MB; 24 times 20 test particles and their lattice not 10
    assert 50 < event_memory(CONFIG.changed({"freeze_out_time": 8}), seeds()) < 5000


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures() -> Arrays:
    """At 32 fm/c four times 8 fm/c, two whole periods of the Coulomb kicks."""
    return transport_gallery.gallery(CONFIG.changed({"freeze_out_time": 32}), NONE)


def test_densities_of_a_picture_add_up_to_all_nucleons(pictures: Arrays) -> None:
    assert pictures["time"].tolist() == [0, 8, 16, 24, 32]
    assert pictures["impact_parameter"] == 4.0
    size = len(pictures["x"]) - 1, len(pictures["z"]) - 1
    np.testing.assert_allclose(np.diff(pictures["x"]), 0.5)
    np.testing.assert_allclose([pictures["z"][0], pictures["z"][-1]], [-30, 30])
    for mode in ("langevin", "average"):
        density = pictures[f"density/{mode}"]
        assert density.shape == (5, *size)
        total = density.sum(axis=(1, 2)) * 0.25
        assert total[0] == pytest.approx(24, abs=1e-9)
        # later a few fast nucleons are outside of it
        assert ((total > 22) & (total <= 24 + 1e-9)).all()


def test_a_picture_shows_the_projectile_above_the_beam_coming_from_behind(pictures: Arrays) -> None:
    start = pictures["density/langevin"][0]
    x, z = ((pictures[name][1:] + pictures[name][:-1]) / 2 for name in ("x", "z"))
    left = start[:, z < 0]
    assert left.sum() * 0.25 == pytest.approx(12, abs=1e-9)
    # half of the impact parameter each, slightly more on Rutherford's way in
    assert (left.sum(axis=1) * x).sum() / left.sum() == pytest.approx(2, abs=0.2)
    apart = [(np.abs(z) * density.sum(axis=0)).sum() / density.sum() for density in pictures["density/average"]]
    assert min(apart[1:]) < apart[0], "the nuclei never met"


def test_the_last_picture_is_taken_at_freeze_out() -> None:
    assert transport_gallery.gallery(CONFIG, NONE)["time"][-1] == pytest.approx(CONFIG.freeze_out_time)
