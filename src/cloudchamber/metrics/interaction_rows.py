"""Rows of metrics.json for generators of hadronic interactions: each says how far a generator is from the truth.

The same measures of new events of the simulator, as of a further generator, are their floors.

Conventions: target "all" is of the event as a whole; AUC is best at 0.5, all distances, rates and differences at 0.
Energies are kinetic ones of the projectile in GeV.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cloudchamber.metrics.classification import auc
from cloudchamber.metrics.interaction_classifier import (
    Asked,
    are_twins,
    asked_trees,
    blurred,
    classifier_auc,
    conditions,
    conserved_sums,
    particle_auc,
)
from cloudchamber.metrics.interactions import (
    MULTIPLICITIES,
    RESAMPLES,
    correlation_difference,
    distances,
    nearest_neighbour_ratio,
    observables,
    violations,
)
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.rows import Row, row
from cloudchamber.simulators.hadronic.events import ELASTIC, Beam, Events
from cloudchamber.simulators.hadronic.kinematics import project, to_rest
from cloudchamber.simulators.hadronic.particles import PROJECTILES, TARGETS

Floats = NDArray[np.float64]
Rows = list[Row]

TAIL = 0.8
"""x_F = p_z / p_beam of the leading particle above which it is in the tail."""
BALANCE, COARSE_BALANCE = 1e-6, 1e-3
"""GeV by which a component of the four-momentum may be off: rounding, and what Geant4 leaves on hydrogen."""
ENERGIES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Kinetic energies in GeV to which events are assigned, by the nearest logarithm."""
LEAST_EVENTS = 300
"""True and generated events that a condition needs for rows of its own."""


def fraction(chosen: NDArray[np.bool_]) -> Measured:
    """Part of the events that ``chosen`` (event,) marks, with the binomial error.

    The error is at least ``1 / (n + 2)``: to see none of n is no proof that there are none.

    Examples:
        >>> fraction(np.zeros(98, np.bool_))
        Measured(value=0.0, error=0.01, n=98)
    """
    n = len(chosen)
    if n == 0:
        return Measured(float("nan"), float("nan"), 0)
    part = float(chosen.mean())
    return Measured(part, max(float(np.sqrt(part * (1 - part) / n)), 1 / (n + 2)), n)


def interaction_rows(
    sample: str, truth: Events, generated: Mapping[str, Events], rng: np.random.Generator, *, particles: bool = True
) -> Rows:
    """How each generator does on a sample of true events, all with ``sample``.

    Observables: ``w1_over_sigma``, multiplicities also ``ks``. "all": ``mean_w1_over_sigma``, ``auc`` (boosted trees on
    observables), ``auc_with_sums`` (and on what must be conserved), ``auc_particles`` (a network on all particles),
    ``correlation_difference`` (largest). "charge", "baryon_number", "strangeness", "energy_momentum":
    ``violation_rate`` (fraction of events), of the last also above 1 MeV and the ``largest_violation`` in GeV.
    "projection": what a projection onto the four-momentum (``simulators.hadronic.kinematics``) has to do to the
    inelastic events, ``median_stretch`` (median of ``|a - 1|``, 0 for events that conserve it), ``infeasible``
    (fraction that cannot be projected); of a flow before its projection this is what the projection did.
    "elastic" and "leading_x_F_tail": ``fraction``, ``truth_fraction`` and ``difference`` (model minus truth).

    All AUC have true and generated events of one condition in the same half; those of a generator that repeats
    training events (resampling) partly measure that (see ``interaction_classifier``).

    Args:
        sample: its name.
        truth: (event,) of any conditions.
        generated: events of the same conditions, by generator.
        rng: halves, classifiers, bootstrap.
        particles: whether to train the network on particles, up to a minute a generator.
    """
    true = observables(truth)
    rows: Rows = []
    for name, events in generated.items():
        made, twins = observables(events), are_twins(truth, events)
        rows += _distance_rows(name, true, made, rng)
        told = _told(truth, blurred(true, true, rng))
        said = _told(events, blurred(made, true, rng))
        rows.append(row(name, "all", "auc", classifier_auc(told, said, rng, twins=twins)))
        sums = classifier_auc(told | conserved_sums(truth), said | conserved_sums(events), rng, twins=twins)
        rows.append(row(name, "all", "auc_with_sums", sums))
        if particles:
            rows.append(row(name, "all", "auc_particles", particle_auc(truth, events, rng)))
        rows += _violation_rows(name, events)
        rows += _projection_rows(name, events, rng)
        rows += _fraction_rows(name, "elastic", truth.channel == ELASTIC, events.channel == ELASTIC)
        rows += _fraction_rows(name, "leading_x_F_tail", true["leading_x_F"] > TAIL, made["leading_x_F"] > TAIL)
    return [one | {"sample": sample} for one in rows]


def _told(events: Events, seen: Mapping[str, Floats]) -> dict[str, Floats]:
    return {**seen, **conditions(events)}


def _distance_rows(
    name: str, truth: Mapping[str, Floats], model: Mapping[str, Floats], rng: np.random.Generator
) -> Rows:
    found = distances(truth, model, rng)
    rows = [row(name, target, "w1_over_sigma", one) for target, one in found.wasserstein.items()]
    rows += [row(name, target, "ks", found.kolmogorov_smirnov[target]) for target in MULTIPLICITIES]
    rows.append(row(name, "all", "mean_w1_over_sigma", found.mean))
    return [*rows, row(name, "all", "correlation_difference", correlation_difference(truth, model, rng))]


def _violation_rows(name: str, events: Events) -> Rows:
    broken = violations(events)
    off = broken.pop("energy_momentum")
    rows = [row(name, target, "violation_rate", fraction(values > 0)) for target, values in broken.items()]
    rows.append(row(name, "energy_momentum", "violation_rate", fraction(off > BALANCE)))
    rows.append(row(name, "energy_momentum", "violation_rate_1_MeV", fraction(off > COARSE_BALANCE)))
    largest = Measured(float(off.max(initial=0.0)), float("nan"), len(off))
    return [*rows, row(name, "energy_momentum", "largest_violation", largest, "GeV")]


def _projection_rows(name: str, events: Events, rng: np.random.Generator) -> Rows:
    events = events.part(events.channel != ELASTIC)
    p, whole = events.momentum, events.incoming
    mass = np.sqrt(np.maximum(p[:, 0] ** 2 - (p[:, 1:] ** 2).sum(axis=1), 0))
    rest = to_rest(p, whole[events.event_of], events.beam.direction[events.event_of])
    energy = np.sqrt(whole[:, 0] ** 2 - (whole[:, 1:] ** 2).sum(axis=1))
    _, stretch, feasible = project(rest[:, 1:], mass, events.offsets, energy)
    off = np.abs(stretch[feasible] - 1)
    middle = Measured(float("nan"), float("nan"), 0)
    if len(off):
        samples = [np.median(rng.choice(off, len(off))) for _ in range(RESAMPLES)]
        middle = Measured(float(np.median(off)), float(np.std(samples)), len(off))
    return [
        row(name, "projection", "median_stretch", middle),
        row(name, "projection", "infeasible", fraction(~feasible)),
    ]


def _fraction_rows(name: str, target: str, truth: NDArray[np.bool_], model: NDArray[np.bool_]) -> Rows:
    true, said = fraction(truth), fraction(model)
    difference = Measured(said.value - true.value, float(np.hypot(said.error, true.error)), said.n)
    return [
        row(name, target, "fraction", said),
        row(name, target, "truth_fraction", true),
        row(name, target, "difference", difference),
    ]


def memory_rows(
    sample: str, generated: Mapping[str, Events], train: Events, test: Events, rng: np.random.Generator
) -> Rows:
    """Target "all", ``nearest_neighbour_ratio`` of each generator: see ``interactions.nearest_neighbour_ratio``.

    Args:
        sample: the name of the test sample.
        generated: events of the conditions of ``test``, by generator.
        train: what the generators learned from.
        test: new true events.
        rng: source of the bootstrap.
    """
    learned, new = observables(train), observables(test)
    found = {
        name: nearest_neighbour_ratio(observables(events), learned, new, rng) for name, events in generated.items()
    }
    return [row(name, "all", "nearest_neighbour_ratio", one) | {"sample": sample} for name, one in found.items()]


# --- conditions -------------------------------------------------------------------------------------------------------


def condition_name(projectile: str, target: str, energy: float) -> str:
    """``"pi+ C 5 GeV"``."""
    return f"{projectile} {target} {energy:g} GeV"


def read_condition(name: str) -> tuple[str, str, float] | None:
    """Projectile, target and energy of a name by ``condition_name``; None for other names."""
    parts = name.split()
    if len(parts) != 4 or parts[0] not in PROJECTILES or parts[1] not in TARGETS or parts[3] != "GeV":
        return None
    try:
        return parts[0], parts[1], float(parts[2])
    except ValueError:
        return None


def condition_names(beam: Beam, energies: Sequence[float] = ENERGIES) -> NDArray[np.str_]:
    """The condition of every event (event,), its energy the nearest of ``energies`` in the logarithm."""
    grid = np.asarray(energies, np.float64)
    nearest = np.abs(np.log(beam.kinetic_energy)[:, None] - np.log(grid)).argmin(axis=1)
    projectiles = {code: name for name, code in PROJECTILES.items()}
    targets = {charge: name for name, charge in TARGETS.items()}
    known = zip(beam.projectile.tolist(), beam.target.tolist(), grid[nearest].tolist(), strict=True)
    return np.array(
        [condition_name(projectiles.get(p, str(p)), targets.get(t, str(t)), e) for p, t, e in known], dtype=np.str_
    )


def rows_per_condition(
    truth: Events,
    generated: Mapping[str, Events],
    rng: np.random.Generator,
    *,
    energies: Sequence[float] = ENERGIES,
    least: int = LEAST_EVENTS,
) -> Rows:
    """``auc`` and ``mean_w1_over_sigma`` of each condition, whose name is the ``sample`` of its rows.

    One classifier learns from half of the events of all conditions, which it is told, and is asked in each: a few
    hundred events of a condition alone could teach it little. Groups of n events have floors of their own.

    Args:
        truth: events of many conditions.
        generated: of the same conditions, by generator.
        rng: halves, classifiers, bootstrap.
        energies: of the grid, GeV.
        least: true, and generated, events that a condition must have.
    """
    true, where = observables(truth), condition_names(truth.beam, energies)
    rows: Rows = []
    for name, events in generated.items():
        made, there = observables(events), condition_names(events.beam, energies)
        told = _told(truth, blurred(true, true, rng))
        said = _told(events, blurred(made, true, rng))
        asked = asked_trees(told, said, rng, twins=are_twins(truth, events))
        asked_where = np.concatenate([where, there])[asked.rows]
        for condition in np.unique(where):
            one, other = where == condition, there == condition
            if min(one.sum(), other.sum()) < least:
                continue
            found = distances(_of(true, one), _of(made, other), rng)
            both = {"auc": _auc_of(asked, asked_where == condition, rng), "mean_w1_over_sigma": found.mean}
            rows += [row(name, "all", key, value) | {"sample": str(condition)} for key, value in both.items()]
    return rows


def _of(seen: Mapping[str, Floats], chosen: NDArray[np.bool_]) -> dict[str, Floats]:
    return {name: values[chosen] for name, values in seen.items()}


def _auc_of(asked: Asked, chosen: NDArray[np.bool_], rng: np.random.Generator) -> Measured:
    return auc(asked.truth[chosen], asked.score[chosen], rng)
