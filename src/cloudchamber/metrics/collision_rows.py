"""Rows of metrics.json for generators of collisions of nuclei: each says how far a generator is from the simulator.

The same measures of other events of the simulator, as of a further generator, are their floors. ``metrics.collisions``
says what observables and spectra are.

Conventions: AUC is best at 0.5, p-values are uniform for what is true, all distances and rates are best at 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.collisions import Collisions
from cloudchamber.metrics.collision_classifier import collision_auc
from cloudchamber.metrics.collisions import (
    deviations,
    distances,
    exchange_distance,
    exchange_p_value,
    observables,
    violations,
)
from cloudchamber.metrics.interactions import correlation_difference, nearest_neighbour_ratio
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.rows import Row, row

Rows = list[Row]
Marks = NDArray[np.bool_]

MEAN = "mean_w1_over_sigma"
IMPACT_PARAMETERS = (0.0, 2.0, 4.0, 6.0, 8.0)
"""Edges of bins of the impact parameter that have rows of their own [fm]."""
LEAST_EVENTS = 20
"""True and generated events that a part of a sample needs for rows of its own."""
BALANCE = {"A": 0.0, "Z": 0.0, "momentum": 1e-3, "energy": 1e-3}
"""By how much events may be off: MeV/c and MeV of rounding."""
UNITS = {"A": "", "Z": "", "momentum": "MeV/c", "energy": "MeV"}


def collision_rows(sample: str, truth: Collisions, made: Mapping[str, Collisions], rng: np.random.Generator) -> Rows:
    """How each generator does on a sample of true events, all with ``sample``.

    * each of ``collisions.OBSERVABLES`` and ``SPECTRA``: ``w1_over_sigma``.
    * "all": ``mean_w1_over_sigma`` over all of them, ``auc`` (``collision_classifier``), ``correlation_difference``
      (largest, of two observables).
    * parts of the sample (``parts``: "b 0-2 fm" ..., "main channel", "other energies", "other nuclei"):
      ``mean_w1_over_sigma``, sigma being that of the whole sample: peripheral events are so alike that a single other
      one would make most of a sigma of their own.
    * "A", "Z", "momentum", "energy": ``violation_rate``, ``largest_violation`` (MeV/c, MeV).
    * "symmetry", of collisions of identical nuclei: ``p_value`` and ``mean_w1_over_sigma`` of forward against backward.

    Args:
        sample: its name.
        truth: (event,).
        made: events of the same conditions, by generator.
        rng: bootstrap and classifiers.
    """
    rows: Rows = []
    sigma = deviations(truth)
    for name, events in made.items():
        found = distances(truth, events, rng, sigma)
        rows += [row(name, target, "w1_over_sigma", one) for target, one in found.each.items()]
        rows.append(row(name, "all", MEAN, found.mean))
        rows.append(row(name, "all", "auc", collision_auc(truth, events, rng)))
        if min(len(truth), len(events)) >= LEAST_EVENTS:
            both = observables(truth), observables(events)
            rows.append(row(name, "all", "correlation_difference", correlation_difference(*both, rng)))
        there = parts(events, main_channel(truth))
        for target, own in parts(truth, main_channel(truth)).items():
            if min(own.sum(), there[target].sum()) >= LEAST_EVENTS:
                part = distances(truth.ordered(own), events.ordered(there[target]), rng, sigma)
                rows.append(row(name, target, MEAN, part.mean))
        rows += _violation_rows(name, events)
        alike = (events.entrance.projectile == events.entrance.target).all(axis=1)
        if alike.sum() >= LEAST_EVENTS:
            rows.append(row(name, "symmetry", "p_value", exchange_p_value(events.ordered(alike), rng)))
            rows.append(row(name, "symmetry", MEAN, exchange_distance(events.ordered(alike), rng)))
    return [one | {"sample": sample} for one in rows]


def memory_rows(
    sample: str, made: Mapping[str, Collisions], train: Collisions, truth: Collisions, rng: np.random.Generator
) -> Rows:
    """Target "all", ``nearest_neighbour_ratio`` of each generator: see ``interactions.nearest_neighbour_ratio``.

    Args:
        sample: the name of the test sample.
        made: events of the conditions of ``truth``, by generator.
        train: what the generators learned from.
        truth: new true events.
        rng: source of the bootstrap.
    """
    learned, new = observables(train), observables(truth)
    found = {name: nearest_neighbour_ratio(observables(events), learned, new, rng) for name, events in made.items()}
    return [row(name, "all", "nearest_neighbour_ratio", one) | {"sample": sample} for name, one in found.items()]


def main_channel(events: Collisions) -> NDArray[np.float64]:
    """The most frequent channel: A and Z of the projectile, of the target, energy (5,)."""
    table = _channels(events)
    distinct, count = np.unique(table, axis=0, return_counts=True)
    return np.asarray(distinct[count.argmax()])


def parts(events: Collisions, main: NDArray[np.float64]) -> dict[str, Marks]:
    """Which events (event,) belong to the parts of a sample: bins of b, and groups of channels.

    Args:
        events: a sample.
        main: its main channel, see ``main_channel``.
    """
    b = events.entrance.impact_parameter
    edges = itertools.pairwise(IMPACT_PARAMETERS)
    found = {f"b {low:g}-{high:g} fm": np.asarray((low <= b) & (b < high)) for low, high in edges}
    same = _channels(events) == main
    nuclei = same[:, :4].all(axis=1)
    return found | {
        "main channel": nuclei & same[:, 4], "other energies": nuclei & ~same[:, 4], "other nuclei": ~nuclei
    }  # fmt: skip


def _channels(events: Collisions) -> NDArray[np.float64]:
    entrance = events.entrance
    return np.column_stack([entrance.projectile, entrance.target, entrance.energy]).astype(np.float64)


def fraction(marked: Marks) -> Measured:
    """Part of the events that are marked (event,), with the binomial error, at least ``1 / (n + 2)``."""
    n = len(marked)
    part = float(marked.mean()) if n else float("nan")
    return Measured(part, max(float(np.sqrt(part * (1 - part) / max(n, 1))), 1 / (n + 2)), n)


def _violation_rows(name: str, events: Collisions) -> Rows:
    rows: Rows = []
    for target, off in violations(events).items():
        rows.append(row(name, target, "violation_rate", fraction(off > BALANCE[target])))
        largest = Measured(float(off.max(initial=0.0)), float("nan"), len(off))
        rows.append(row(name, target, "largest_violation", largest, UNITS[target]))
    return rows
