"""Numbers of generators of hadronic interactions as their report shows them: tables and verdicts.

Every verdict is worked out from the numbers, whichever way it comes out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from cloudchamber.metrics.interaction_rows import TAIL
from cloudchamber.metrics.measured import Measured
from cloudchamber.report import words
from cloudchamber.report.files import TEST, Score
from cloudchamber.report.interactions_run import Found
from cloudchamber.report.page import Table
from cloudchamber.report.tables import GROUPS, Column, Rules, comparison_table, ranking

LABELS = {
    "n": "particles", "n_charged": "charged particles", "n_pi+": "π⁺", "n_pi-": "π⁻", "n_pi0": "π⁰",
    "n_p": "protons", "n_n": "neutrons", "n_K": "kaons", "transverse_momentum": "sum of $p_\\mathrm{T}$",
    "mean_rapidity": "mean rapidity", "rapidity_spread": "spread of rapidity", "forward_energy": "forward energy",
    "photon_energy": "energy of π⁰ and γ", "leading_x_F": "leading $x_\\mathrm{F}$",
    "leading_transverse_momentum": "leading $p_\\mathrm{T}$", "leading_charge": "leading charge",
    "residual_mass_number": "residual mass number", "n_fragments": "fragments",
}  # fmt: skip
"""Of the observables."""

QUALITY: tuple[Column, ...] = (
    ("all", "mean_w1_over_sigma", "mean W₁/σ"),
    ("all", "auc", "AUC, observables"),
    ("all", "auc_with_sums", "AUC, with sums"),
    ("all", "auc_particles", "AUC, particles"),
    ("all", "correlation_difference", "largest Δ corr."),
    ("elastic", "difference", "Δ elastic"),
    ("leading_x_F_tail", "difference", f"Δ tail x_F > {TAIL:g}"),
    ("all", "nearest_neighbour_ratio", "neighbour ratio"),
)
BOOKS: tuple[Column, ...] = (
    ("charge", "violation_rate", "charge"),
    ("baryon_number", "violation_rate", "baryon number"),
    ("strangeness", "violation_rate", "strangeness"),
    ("energy_momentum", "violation_rate", "E, p: > 1 keV"),
    ("energy_momentum", "violation_rate_1_MeV", "E, p: > 1 MeV"),
    ("energy_momentum", "largest_violation", "E, p: largest"),
    ("projection", "median_stretch", "projection needs |a − 1|"),
    ("projection", "infeasible", "cannot be projected"),
)


def badness(metric: str) -> Callable[[float], float]:
    """What is smallest for the best value of a metric."""
    ideal = 0.5 if metric.startswith("auc") else 1.0 if metric == "nearest_neighbour_ratio" else 0.0
    return lambda value: abs(value - ideal)


def said(one: Measured | Score | None) -> str:
    """A number with its error; in powers of ten where that is below 1e-4."""
    if one is not None and 0 < one.error < 1e-4:
        return f"{one.value:.1e} ± {one.error:.0e}".replace("-", "−")
    return words.said(one)


GENERATORS = Rules(
    "generator", badness, said, {**GROUPS, "floor": "Floor: truth against truth"}, floors_compete=False, fewest=2
)
"""Floors, the simulator asked again, do not compete."""


def closest(found: Found, names: Sequence[str], metric: str) -> list[str]:
    """The two best networks and the best other generator of ``names``, by a measure of the whole test sample."""
    ranked = [name for name, _ in ranking(found.metrics, "all", metric, TEST, GENERATORS) if name in names]
    order = [*ranked, *(name for name in names if name not in ranked)]
    networks = [name for name in order if found.metrics.kinds[name] == "network"]
    others = [name for name in order if name not in networks]
    return [*networks[:2], *others[:1]]


def floor(found: Found, target: str, metric: str, sample: str) -> Score | None:
    """The same measure of the simulator again."""
    names = [name for name, kind in found.metrics.kinds.items() if kind == "floor"]
    scores = (found.metrics.score(name, target, metric, sample) for name in names)
    return next((one for one in scores if one is not None), None)


def generator_table(found: Found, columns: Sequence[Column], caption: str, sample: str) -> Table | None:
    """Value ± error of each generator in each column, see ``tables.comparison_table``; None if nothing is known."""
    table = comparison_table(found.metrics, columns, caption, sample, GENERATORS)
    return table if table.rows else None


def verdict(found: Found, target: str, metric: str, sample: str, measure: str) -> str:
    """A sentence: which generator is best in a measure, and how far that is from the floor.

    Args:
        found: the run.
        target: of the measure.
        metric: its name.
        sample: which sample.
        measure: its name in words.
    """
    ranked = ranking(found.metrics, target, metric, sample, GENERATORS)
    if not ranked:
        return ""
    name, one = ranked[0]
    text = f"{measure}: best is <b>{found.metrics.title(name)}</b> with {said(one)}"
    lowest = floor(found, target, metric, sample)
    if lowest is not None:
        gap = badness(metric)(one.value) - badness(metric)(lowest.value)
        error = math.hypot(one.error, lowest.error)
        near = "the same within two combined errors as" if gap <= 2 * error else "worse than"
        text += f", {near if math.isfinite(error) else 'beside'} truth against truth ({said(lowest)})"
    return f"{text}."
