"""Tables and verdicts on the emulator of nuclear collisions: what was asked for is met or not, whichever way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cloudchamber.metrics.collision_rows import MEAN
from cloudchamber.report.collision_run import Found
from cloudchamber.report.collision_tables import (
    LAWS,
    RESULT,
    criteria,
    generator_table,
    ratio,
    said,
    simulator_time,
    verdict,
    with_cost,
)
from cloudchamber.report.files import Metrics, Score

KINDS = {
    "flow": "network", "held_out": "network", "vae": "network", "histograms": "baseline", "resampling": "baseline",
    "again": "floor",
}  # fmt: skip
GOOD = {"flow": 0.06, "held_out": 0.05, "vae": 0.2, "histograms": 0.1, "resampling": 0.09, "again": 0.04}


def score(value: float, error: float = 0.005, unit: str = "") -> Score:
    return Score(value, error, 500, float("nan"), unit)


def found(means: dict[str, float], main: dict[str, float], milliseconds: dict[str, float]) -> Found:
    scores = {(name, "test", "all", MEAN): score(value) for name, value in means.items()}
    scores |= {(name, "test", "main channel", MEAN): score(value) for name, value in main.items()}
    metrics = Metrics({name: name for name in KINDS}, KINDS, scores)
    cost = {f"milliseconds/{name}": np.array([value]) for name, value in milliseconds.items()}
    cost["simulator_seconds"] = np.array([4.0, 6.0])
    return Found(metrics, None, {}, {}, {"cost": cost}, {"flow": 1234.0}, {"energy": 62.0})


def test_every_criterion_that_is_met_is_said_so() -> None:
    text = criteria(found(GOOD, {"flow": 0.06, "held_out": 0.08}, {"flow": 0.7}))
    assert text.count("<li>Met: ") == 4
    assert "Not met" not in text
    assert "1.5 ± 0.2 times that of simulator against simulator" in text
    assert "0.7 ms an event beside 5.0 ± 1.0 s of the simulator" in text
    assert "Never shown 62 MeV per nucleon, flow has there" in text


def test_criteria_that_are_missed_are_not_hidden() -> None:
    bad = GOOD | {"flow": 0.095, "again": 0.03}
    text = criteria(found(bad, {"flow": 0.06, "held_out": 0.1}, {"flow": 1.2}))
    assert text.count("<b>Not met</b>") == 4
    assert "resampling 0.090 ± 0.005, 0.7 combined errors away" in text


@pytest.mark.parametrize("missing", ["flow", "again", "histograms"])
def test_what_was_not_measured_is_not_judged(missing: str) -> None:
    rest = {name: value for name, value in GOOD.items() if name != missing}
    text = criteria(found(rest, {}, {}))
    assert "Never shown" not in text
    assert ("simulator against simulator" in text) == (missing != "again")
    assert ("<b>vae</b>" in text) == (missing == "flow")
    assert criteria(found({}, {}, {})) == ""


def test_the_held_out_flow_is_not_called_best() -> None:
    text = verdict(found(GOOD, {}, {}), "all", MEAN, "Mean")
    assert text.startswith("Mean: best is <b>flow</b> with 0.060 ± 0.005, worse than simulator against simulator")
    near = verdict(found(GOOD | {"flow": 0.045}, {}, {}), "all", MEAN, "Mean")
    assert "the same within two combined errors as" in near
    assert verdict(found(GOOD, {}, {}), "all", "auc", "AUC") == ""


def test_cost_and_broken_laws_are_columns_of_the_table() -> None:
    one = found(GOOD, {}, {"flow": 0.7, "again": 0.01})
    laws = {("flow", "test", law, "violation_rate"): score(rate) for law, rate in (("A", 0.0), ("energy", 0.02))}
    one = replace(one, metrics=replace(one.metrics, scores={**one.metrics.scores, **laws}))
    table = generator_table(with_cost(one), RESULT, "caption")
    assert table is not None
    assert table.header == ("generator", "mean W₁/σ", "events that break a law", "an event [ms]", "training [s]")
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["flow"] == ("0.060 ± 0.005", "0.020 ± 0.005", "0.7", "1\u2009234")
    assert rows["again"][2:] == ("–", "–")
    assert not any(column == 2 for _, column in table.winners)
    assert table.groups[len(table.rows) - 1] == "Floor: simulator against simulator"
    assert generator_table(found({}, {}, {}).metrics, LAWS, "caption") is None


def test_ratios_carry_both_errors() -> None:
    one = ratio(score(0.3, 0.03), score(0.2, 0.01))
    assert one is not None
    assert (one.value, one.error) == pytest.approx((1.5, 1.5 * np.hypot(0.1, 0.05)))
    assert ratio(score(0.3), score(0.0)) is None


def test_rounding_errors_are_powers_of_ten() -> None:
    assert said(score(6.7e-13, float("nan"))) == "7e−13"
    assert said(score(99.0, float("nan"), "s")) == "99"
    assert said(score(0.0, 0.002)) == "0.000 ± 0.002"
    assert said(None) == "–"


def test_one_timed_event_has_no_error() -> None:
    one = replace(found(GOOD, {}, {}), explanations={"cost": {"simulator_seconds": np.array([4.0])}})
    assert simulator_time(one) == "4 s"
