"""Tables and verdicts on generators: floors stand apart, and what is worse is called so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cloudchamber.report.files import Metrics, Score
from cloudchamber.report.interactions_run import Found, read_run
from cloudchamber.report.interactions_tables import (
    BOOKS,
    GENERATORS,
    QUALITY,
    closest,
    floor,
    generator_table,
    said,
    verdict,
)
from cloudchamber.report.tables import ranking
from cloudchamber.simulators.hadronic.events import Events


def test_the_table_ranks_generators_and_keeps_the_floor_apart(full: Path) -> None:
    found = read_run(full)
    table = generator_table(found, QUALITY, "caption", "test")
    assert table is not None
    assert [row[0] for row in table.rows] == ["resampling <events>", "flow matching", "Geant4 again"]
    assert table.groups[2] == "Floor: truth against truth"
    auc = [heading.startswith("AUC, obs") for heading in table.header].index(True)
    assert (0, auc) in table.winners
    assert (1, auc) not in table.ties
    assert not any(row == 2 for row, _ in table.winners | table.ties)
    neighbours = [heading == "neighbour ratio" for heading in table.header].index(True)
    assert (1, neighbours) in table.winners  # the copies are told
    assert [name for name, _ in ranking(found.metrics, "all", "auc", "test", GENERATORS)] == ["resampling", "flow"]
    assert floor(found, "all", "auc", "test") is not None
    assert verdict(found, "all", "no_such_metric", "test", "Nothing") == ""
    assert generator_table(found, QUALITY, "caption", "no such sample") is None


def test_what_the_projection_has_to_do_is_in_the_table(full: Path) -> None:
    table = generator_table(read_run(full), BOOKS, "caption", "test")
    assert table is not None
    assert table.header[-2:] == ("projection needs |a − 1|", "cannot be projected")
    for row in table.rows:
        assert "e−1" in row[-2]  # all of them conserve: rounding
        assert row[-1].startswith("0.00")


def test_numbers_below_a_ten_thousandth_are_powers_of_ten() -> None:
    assert said(Score(6.7e-16, 1.2e-16, 9, 0.0, "")) == "6.7e−16 ± 1e−16"
    assert said(Score(0.5, 0.02, 9, 0.0, "")) == "0.50 ± 0.02"
    assert said(None) == "–"


def test_the_two_best_networks_and_the_best_baseline_are_shown() -> None:
    kinds = {"a": "network", "b": "network", "c": "network", "d": "baseline", "e": "baseline", "f": "floor"}
    values = {"a": 0.5, "b": 0.1, "c": 0.3, "d": 0.4, "e": 0.2, "f": 0.0}
    scores = {(name, "test", "all", "auc"): Score(0.5 + off, 0.01, 9, 0.0, "") for name, off in values.items()}
    found = Found(Metrics(kinds, kinds, scores), {}, "truth")
    assert closest(found, list("abcde"), "auc") == ["b", "c", "e"]
    assert closest(found, ["a", "d"], "auc") == ["a", "d"]
    assert closest(found, ["a", "b", "c"], "no such metric") == ["a", "b"]


def test_a_generator_that_is_worse_is_called_so(
    tmp_path: Path, toy: Callable[..., Events], write_generators: Callable[..., Path]
) -> None:
    rows = [
        {"predictor": name, "sample": "test", "target": "all", "metric": "auc", "value": value, "error": 0.01, "n": 9}
        for name, value in (("flow", 0.4), ("again", 0.51))
    ]
    found = read_run(write_generators(tmp_path, rows, {}, toy(20, 1)))
    assert "<b>flow matching</b> with 0.400 ± 0.010, worse than truth against truth" in verdict(
        found, "all", "auc", "test", "AUC"
    )
