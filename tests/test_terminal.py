"""What the command line shows: numbers with their errors, tables of generators."""

from __future__ import annotations

import math

import pytest

from cloudchamber.terminal import print_generators, short


def test_numbers_are_as_long_as_they_are_known() -> None:
    given = [(0.4966, 0.5012), (2.19703, 0.00123), (1234.5, 250.0), (0.42487, None), (0.5, 0.0), (math.nan, 1.0)]
    said = ["0.50±0.50", "2.1970±0.0012", "1234±250", "0.4249", "0.5000", ""]
    assert [short(mean, std) for mean, std in given] == said


def test_generators_stand_in_columns_beside_what_they_violate(capsys: pytest.CaptureFixture[str]) -> None:
    def row(name: str, target: str, metric: str, value: float) -> dict[str, object]:
        return {"predictor": name, "sample": "own", "target": target, "metric": metric, "value": value, "error": 0.01}

    rows = [
        row(name, *what)
        for name, off in (("flow", 0.0), ("gan", 0.25))
        for what in (
            ("n", "w1_over_sigma", 0.3), ("all", "auc", 0.5 + off), ("charge", "violation_rate", off),
            ("strangeness", "violation_rate", 0.0), ("energy_momentum", "largest_violation", 1e-13),
        )
    ]  # fmt: skip
    print_generators(rows)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["measure", "flow", "gan"],
        ["auc", "0.500", "±", "0.010", "0.750", "±", "0.010"],
        ["violation_rate", "charge", "0.000", "±", "0.010", "0.250", "±", "0.010"],
    ]
    more = [one | {"sample": "own, fast"} for one in rows]
    print_generators([*rows, *more])
    assert "own, fast" in capsys.readouterr().out
    print_generators([one for one in rows if one["target"] != "all"])
    assert capsys.readouterr().out.count("\n") == 9  # one a line, all of them
