"""Numbers of generators of nuclear collisions as their report shows them: tables, verdicts, what was asked for.

Every verdict is worked out from the numbers, whichever way it comes out. Errors are one standard error; a criterion is
met by the value itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from cloudchamber.metrics.collision_rows import BALANCE, MEAN
from cloudchamber.metrics.measured import Measured
from cloudchamber.report import words
from cloudchamber.report.collision_run import FLOW, HELD_OUT, Found
from cloudchamber.report.files import Metrics, Score
from cloudchamber.report.page import Table
from cloudchamber.report.tables import GROUPS, Column, Rules, comparison_table, ranking
from cloudchamber.report.words import items, plus_minus, whole

COST, VIOLATIONS = "cost", "any"
"""Targets of numbers that are worked out here."""
RESULT: tuple[Column, ...] = (
    ("all", MEAN, "mean W₁/σ"),
    ("all", "auc", "AUC"),
    ("all", "correlation_difference", "largest Δ corr."),
    ("all", "nearest_neighbour_ratio", "neighbour ratio"),
    (VIOLATIONS, "violation_rate", "events that break a law"),
    (COST, "milliseconds", "an event [ms]"),
    (COST, "fit_seconds", "training [s]"),
)
PARTS: tuple[Column, ...] = (
    ("main channel", MEAN, "main channel"),
    ("other energies", MEAN, "other energies"),
    ("other nuclei", MEAN, "other nuclei"),
)
LAWS: tuple[Column, ...] = (
    ("A", "violation_rate", "A"),
    ("Z", "violation_rate", "Z"),
    ("momentum", "violation_rate", "momentum"),
    ("momentum", "largest_violation", "momentum: largest [MeV/c]"),
    ("energy", "violation_rate", "energy"),
    ("energy", "largest_violation", "energy: largest [MeV]"),
    ("symmetry", MEAN, "two sides: W₁/σ"),
    ("symmetry", "p_value", "two sides: p"),
)
ISOTOPES: tuple[Column, ...] = (
    ("all", "mean_abs_log_ratio_to_truth", "mean |ln ratio| to the simulator"),
    ("all", "mean_abs_log_ratio", "mean |ln ratio| to the data"),
    ("all", "reduced_chi2", "χ² per point"),
)
UNORDERED = ("fit_seconds", "p_value", "violation_rate", "largest_violation")
"""Metrics of which nobody is best, or everybody who breaks no law."""

FLOORS, BEYOND, MILLISECOND = 2.0, 1.5, 1.0
"""What was asked for: at most so many floors, times the known energy's distance, ms an event."""
LEVEL = 0.01
"""p-values below tell that two sides differ."""


def badness(metric: str) -> Callable[[float], float] | None:
    """What is smallest for the best value of a metric; None: there is no best.

    Args:
        metric: its name.
    """
    if metric in UNORDERED:
        return None
    ideal = 0.5 if metric == "auc" else 1.0 if metric == "nearest_neighbour_ratio" else 0.0
    return lambda value: abs(value - ideal)


def said(one: Measured | Score | None) -> str:
    """A number with its error; seconds as integers, in powers of ten what is below 1e-4."""
    if isinstance(one, Score) and one.unit == "s" and one.value >= 100:
        return whole(one.value)
    if one is not None and 0 < abs(one.value) < 1e-4:
        return f"{one.value:.0e}".replace("-", "−")
    return words.said(one)


GENERATORS = Rules(
    "generator", badness, said, {**GROUPS, "floor": "Floor: simulator against simulator"}, floors_compete=False,
    fewest=2,
)  # fmt: skip
"""Floors, the simulator asked again, do not compete."""


def with_cost(found: Found) -> Metrics:
    """The numbers, and worked out from them: the rate of events that break any law, milliseconds and seconds."""
    scores = dict(found.metrics.scores)
    for name, kind in found.metrics.kinds.items():
        rates = [found.metrics.score(name, law, "violation_rate") for law in BALANCE]
        known = [one for one in rates if one is not None]
        if known:
            # at least as many as break one of them: which events they are is not in the table
            scores[name, "test", VIOLATIONS, "violation_rate"] = max(known, key=lambda one: one.value)
        if kind == "floor":
            continue
        for metric, seconds in (("milliseconds", found.milliseconds), ("fit_seconds", found.fit_seconds)):
            if name in seconds:
                unit = "s" if metric == "fit_seconds" else ""
                scores[name, "test", COST, metric] = Score(seconds[name], math.nan, 0, math.nan, unit)
    return replace(found.metrics, scores=scores)


def generator_table(metrics: Metrics, columns: Sequence[Column], caption: str) -> Table | None:
    """Value ± error of each generator in each column, see ``tables.comparison_table``; None if nothing is known.

    Args:
        metrics: of the run.
        columns: what is compared.
        caption: HTML.
    """
    table = comparison_table(metrics, columns, caption, rules=GENERATORS)
    return table if table.rows else None


def verdict(found: Found, target: str, metric: str, measure: str) -> str:
    """A sentence: which generator is best in a measure, and how far that is from the floor; empty if not measured.

    Args:
        found: the run.
        target: of the measure.
        metric: its name.
        measure: its name in words.
    """
    ranked = [pair for pair in ranking(found.metrics, target, metric, rules=GENERATORS) if pair[0] in found.candidates]
    key = badness(metric)
    if not ranked or key is None:
        return ""
    name, one = ranked[0]
    text = f"{measure}: best is <b>{found.metrics.title(name)}</b> with {said(one)}"
    lowest = found.floor_score(target, metric)
    if lowest is not None:
        gap, error = key(one.value) - key(lowest.value), math.hypot(one.error, lowest.error)
        near = "the same within two combined errors as" if gap <= 2 * error else "worse than"
        text += f", {near if math.isfinite(error) else 'beside'} simulator against simulator ({said(lowest)})"
    return f"{text}."


# --- what was asked for -----------------------------------------------------------------------------------------------


def ratio(one: Score, other: Score) -> Measured | None:
    """One over the other, errors as if independent; None if the other is not above 0.

    Args:
        one: a number.
        other: another one.
    """
    if other.value <= 0:
        return None
    value = one.value / other.value
    parts = [one.error / other.value, value * other.error / other.value]
    return Measured(value, math.hypot(*parts), one.n)


def criteria(found: Found) -> str:
    """What was asked of the emulator and what came out, a line each; only what was measured."""
    networks, baselines = found.ranked("network"), found.ranked("baseline")
    lines = []
    if networks:
        name, best = networks[0]
        title = f"<b>{found.metrics.title(name)}</b>, the nearest network"
        floor = found.floor_score("all", MEAN)
        times = None if floor is None else ratio(best, floor)
        if floor is not None and times is not None:
            text = (
                f"{title}: mean W₁/σ {said(best)}, {said(times)} times that of simulator against simulator"
                f" ({said(floor)}); at most {FLOORS:g} times was asked for"
            )
            lines.append(_line(times.value <= FLOORS, text))
        if baselines:
            lines.append(_line(best.value < baselines[0][1].value, f"{title}: {_against(found, best, baselines)}"))
    lines += _held_out(found)
    if networks and networks[0][0] in found.milliseconds:
        name = networks[0][0]
        taken = found.milliseconds[name]
        text = f"{found.metrics.title(name)}: {plus_minus(taken, math.nan)} ms an event"
        if len(found.simulator_seconds):
            text += f" beside {simulator_time(found)} of the simulator"
        lines.append(_line(taken < MILLISECOND, f"{text}; less than {MILLISECOND:g} ms was asked for"))
    return items(lines)


def _against(found: Found, best: Score, baselines: Sequence[tuple[str, Score]]) -> str:
    """Whether both baselines are farther, and by how many errors."""
    each = []
    for name, one in baselines:
        error = math.hypot(best.error, one.error)
        apart = f", {abs(one.value - best.value) / error:.1f} combined errors away" if error > 0 else ""
        each.append(f"{found.metrics.title(name)} {said(one)}{apart if math.isfinite(error) else ''}")
    return f"mean W₁/σ {said(best)}; nearer than both baselines was asked for ({'; '.join(each)})"


def _held_out(found: Found) -> list[str]:
    """The flow that was never shown the main energy, over the one that was."""
    scores = [found.metrics.score(name, "main channel", MEAN) for name in (HELD_OUT, FLOW)]
    away, known = scores
    if away is None or known is None or (times := ratio(away, known)) is None:
        return []
    energy = found.config.get("energy")
    where = "the main energy" if energy is None else f"{float(energy):g} MeV per nucleon"
    text = (
        f"Never shown {where}, {found.metrics.title(FLOW)} has there a mean W₁/σ of {said(away)}, {said(times)} times"
        f" that after training with this energy ({said(known)}); at most {BEYOND:g} times was asked for"
    )
    return [_line(times.value <= BEYOND, text)]


def _line(met: bool, text: str) -> str:
    return f"{'Met' if met else '<b>Not met</b>'}: {text}."


def simulator_time(found: Found) -> str:
    """Seconds of the simulator for an event, with the error of the mean if there are several.

    Args:
        found: the run, whose simulator was timed.
    """
    taken = found.simulator_seconds
    error = float(taken.std(ddof=1) / math.sqrt(len(taken))) if len(taken) > 1 else math.nan
    return f"{plus_minus(float(taken.mean()), error)} s"
