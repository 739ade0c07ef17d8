"""Numbers of generators of hadronic interactions as their report shows them: what a run has, tables, verdicts.

Every verdict is worked out from the numbers, whichever way it comes out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from cloudchamber.data.interactions import read_events
from cloudchamber.metrics.interaction_rows import TAIL
from cloudchamber.metrics.regression import Measured
from cloudchamber.report.figures import GROUPS, Column, plus_minus
from cloudchamber.report.files import TEST, Metrics, Score, read_arrays, read_metrics
from cloudchamber.report.page import Table, read_record
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import Beam, Events

LABELS = {
    "n": "particles", "n_charged": "charged particles", "n_pi+": "π⁺", "n_pi-": "π⁻", "n_pi0": "π⁰",
    "n_p": "protons", "n_n": "neutrons", "n_K": "kaons", "transverse_momentum": "sum of $p_\\mathrm{T}$",
    "mean_rapidity": "mean rapidity", "rapidity_spread": "spread of rapidity", "forward_energy": "forward energy",
    "photon_energy": "energy of π⁰ and γ", "leading_x_F": "leading $x_\\mathrm{F}$",
    "leading_transverse_momentum": "leading $p_\\mathrm{T}$", "leading_charge": "leading charge",
    "residual_mass_number": "residual mass number", "n_fragments": "fragments",
}  # fmt: skip
"""Of the observables."""

SIMULATORS = {"geant4": "Geant4", "urqmd": "UrQMD"}
"""Titles by name."""

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


@dataclass(frozen=True)
class Sample:
    """True events of a sample, and those of the generators; floors (the simulator again) are left out."""

    truth: Events
    models: Mapping[str, Events]


@dataclass(frozen=True)
class Found:
    """All that is known of a run.

    Attributes:
        metrics: numbers.
        samples: events by sample.
        truth: title of the truth: ``"truth, Geant4"``; of a user's data ``"truth"``.
    """

    metrics: Metrics
    samples: Mapping[str, Sample]
    truth: str

    def title(self, name: str) -> str:
        """A generator's title, safe in HTML."""
        return escape(self.metrics.titles.get(name, name))

    @property
    def models(self) -> list[str]:
        """Generators that are no floors."""
        return [name for name, kind in self.metrics.kinds.items() if kind != "floor"]


def read_run(run: Path) -> Found:
    """What the sections are made of.

    Raises:
        BadInput: metrics.json or a file of events is malformed.
    """
    metrics = read_metrics(run / "metrics.json")
    models = [name for name, kind in metrics.kinds.items() if kind != "floor"]
    samples = {}
    for path in sorted((run / "generated").glob("*/truth.h5")):
        files = {name: path.parent / f"{name}.h5" for name in models}
        made = {name: read_generated(file) for name, file in files.items() if file.exists()}
        samples[path.parent.name] = Sample(read_events(path)[0], made)
    return Found(metrics, samples, truth_title(run))


def truth_title(run: Path) -> str:
    """``"truth, Geant4"`` by the run's config.json; ``"truth"`` where that names no model or the events are a user's.

    Raises:
        BadInput: config.json or run.json is malformed.
    """
    config, record = (read_record(path) if path.exists() else {} for path in (run / "config.json", run / "run.json"))
    name = config.get("model")
    return f"truth, {SIMULATORS.get(name, name)}" if name and not record.get("data") else "truth"


def read_generated(path: Path) -> Events:
    """Events of a model as they are: unlike those that ``data.interactions.read_events`` accepts, they may break
    conservation of energy.

    Raises:
        BadInput: columns are missing, or the file is no HDF5.
    """
    arrays = read_arrays(path)
    try:
        beam = Beam(*(arrays[name] for name in ("projectile", "target", "kinetic_energy", "direction")))
        names = ("nucleus", "incoming", "channel", "offsets", "kind", "momentum")
        return Events(beam, *(arrays[name] for name in names))
    except KeyError as missing:
        raise BadInput(f"{path} has no column {missing}: run the study again") from None


# --- numbers ----------------------------------------------------------------------------------------------------------


def badness(metric: str) -> Callable[[float], float]:
    """What is smallest for the best value of a metric."""
    ideal = 0.5 if metric.startswith("auc") else 1.0 if metric == "nearest_neighbour_ratio" else 0.0
    return lambda value: abs(value - ideal)


def best(found: Found, target: str, metric: str, sample: str) -> list[tuple[str, Score]]:
    """Generators with their scores, the best first; floors are left out."""
    key = badness(metric)
    known = [(name, found.metrics.score(name, target, metric, sample)) for name in found.models]
    return sorted(((name, one) for name, one in known if one is not None), key=lambda pair: key(pair[1].value))


def closest(found: Found, names: Sequence[str], metric: str) -> list[str]:
    """The two best networks and the best other generator of ``names``, by a measure of the whole test sample."""
    ranked = [name for name, _ in best(found, "all", metric, TEST) if name in names]
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
    """Value ± error of each generator in each column, grouped by kind, floors last; the best and its ties are marked
    where there are two generators or more. None if nothing is known."""
    score = found.metrics.score
    columns = [one for one in columns if any(score(name, *one[:2], sample) for name in found.metrics.titles)]
    kinds = [*GROUPS, *(kind for kind in dict.fromkeys(found.metrics.kinds.values()) if kind not in GROUPS)]
    order = [name for kind in kinds for name, its in found.metrics.kinds.items() if its == kind]
    order = [name for name in order if any(score(name, *one[:2], sample) for one in columns)]
    if not columns or not order:
        return None
    groups: dict[int, str] = {}
    for number, name in enumerate(order):
        kind = found.metrics.kinds[name]
        if number == 0 or found.metrics.kinds[order[number - 1]] != kind:
            groups[number] = "Floor: truth against truth" if kind == "floor" else GROUPS.get(kind, kind)
    winners, ties, header = set(), set(), ["generator"]
    for place, (target, metric, heading) in enumerate(columns, start=1):
        ranked = best(found, target, metric, sample)
        units = {one.unit for _, one in ranked if one.unit}
        header.append(f"{heading} [{units.pop()}]" if len(units) == 1 else heading)
        for number, (name, one) in enumerate(ranked if len(ranked) > 1 else []):
            gap = badness(metric)(one.value) - badness(metric)(ranked[0][1].value)
            errors = [its.error for its in (one, ranked[0][1]) if math.isfinite(its.error)]
            if number == 0:
                winners.add((order.index(name), place))
            elif gap <= math.hypot(*errors):
                ties.add((order.index(name), place))
    rows = [(found.metrics.titles[name], *(said(score(name, *one[:2], sample)) for one in columns)) for name in order]
    marks = " ★ marks the best value of a column, ≈ values that agree with it within the combined errors."
    return Table(tuple(header), tuple(rows), caption + marks, frozenset(winners), frozenset(ties), groups)


def said(one: Score | Measured | None) -> str:
    """A number with its error; in powers of ten where that is below 1e-4."""
    if one is not None and 0 < one.error < 1e-4:
        return f"{one.value:.1e} ± {one.error:.0e}".replace("-", "−")
    return "–" if one is None else plus_minus(one.value, one.error)


def verdict(found: Found, target: str, metric: str, sample: str, words: str) -> str:
    """A sentence: which generator is best in a measure, and how far that is from the floor."""
    ranked = best(found, target, metric, sample)
    if not ranked:
        return ""
    name, one = ranked[0]
    text = f"{words}: best is <b>{found.title(name)}</b> with {said(one)}"
    lowest = floor(found, target, metric, sample)
    if lowest is not None:
        gap = badness(metric)(one.value) - badness(metric)(lowest.value)
        error = math.hypot(one.error, lowest.error)
        near = "the same within two combined errors as" if gap <= 2 * error else "worse than"
        text += f", {near if math.isfinite(error) else 'beside'} truth against truth ({said(lowest)})"
    return f"{text}."
