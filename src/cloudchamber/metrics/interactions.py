"""How alike two sets of hadronic interactions are, observable by observable and all together.

Observables are those of the rest frame of projectile and nucleus with the projectile along z. Distances are
one-dimensional Wasserstein distances in units of the truth's standard deviation, multiplicities also by
Kolmogorov-Smirnov, everything together by a classifier that is asked to tell the sets apart (AUC 0.5: it cannot; Kansal
et al., arXiv:2211.10295, and Grossi et al., arXiv:2409.16336, compare such measures). Truth against truth is the floor
of each. What nature conserves is no observable: a classifier that saw it would tell any model from the truth by its
rounding; violations have rates of their own.

Conventions: GeV; x_F = pz / (sqrt(s) / 2); the leading particle is the hadron of the largest |pz| forward.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp, wasserstein_distance

from cloudchamber.metrics.classification import auc
from cloudchamber.metrics.regression import Measured
from cloudchamber.simulators.hadronic.events import Events, incoming_numbers
from cloudchamber.simulators.hadronic.kinematics import to_rest
from cloudchamber.simulators.hadronic.particles import MIXED_KAONS, NUCLEUS, conserved

Floats = NDArray[np.float64]

COUNTED = {
    "n_pi+": (211,), "n_pi-": (-211,), "n_pi0": (111,), "n_p": (2212,), "n_n": (2112,),
    "n_K": (321, -321, 130, 310, 311, -311),
}  # fmt: skip
"""Multiplicities of kinds by name."""

MULTIPLICITIES = ("n", "n_charged", *COUNTED)
RESAMPLES = 100
"""Bootstrap samples of a distance: its error is then known to 7 %."""

GAMMA = 22


def observables(events: Events) -> dict[str, Floats]:
    """High-level observables (event,) by name: multiplicities, sums, the leading particle, the residual nucleus.

    Photons below 10 MeV are left out: they are what de-excitation leaves, and depend on nuclear levels (see
    ``simulators.hadronic.geant4_tables``).
    """
    owner = events.event_of
    whole, direction = events.incoming[owner], events.beam.direction[owner]
    p = to_rest(events.momentum, whole, direction)
    s = np.sqrt(events.incoming[:, 0] ** 2 - (events.incoming[:, 1:] ** 2).sum(axis=1))
    nucleus = np.abs(events.kind) >= NUCLEUS
    soft = (events.kind == GAMMA) & (events.momentum[:, 0] < 0.01)
    hadron = ~nucleus & ~soft
    charge = conserved(events.kind)[:, 0]
    transverse = np.hypot(p[:, 1], p[:, 2])
    mass = np.sqrt(np.maximum(p[:, 0] ** 2 - (p[:, 1:] ** 2).sum(axis=1), 0))
    rapidity = np.arcsinh(p[:, 3] / np.maximum(np.hypot(mass, transverse), 1e-9))

    def total(values: NDArray[np.generic]) -> Floats:
        return events.sums(np.where(hadron, values, 0))

    n = total(np.ones(len(p)))
    least = np.maximum(n, 1)
    found = {"n": n, "n_charged": total(charge != 0)}
    found |= {name: total(np.isin(events.kind, codes)) for name, codes in COUNTED.items()}
    found["transverse_momentum"] = total(transverse)
    found["mean_rapidity"] = total(rapidity) / least
    spread = total(rapidity**2) / least - found["mean_rapidity"] ** 2
    found["rapidity_spread"] = np.sqrt(np.maximum(spread, 0))
    found["forward_energy"] = total(np.where(p[:, 3] > 0, p[:, 0], 0)) / s
    found["photon_energy"] = total(np.where(np.isin(events.kind, (111, GAMMA)), p[:, 0], 0)) / s
    leading = _largest(events, np.where(hadron, p[:, 3], -np.inf))
    there = leading >= 0
    found["leading_x_F"] = np.where(there, p[leading, 3] / (s / 2), 0)
    found["leading_transverse_momentum"] = np.where(there, transverse[leading], 0)
    found["leading_charge"] = np.where(there, charge[leading], 0).astype(np.float64)
    heaviest = _largest(events, np.where(nucleus, events.kind // 10 % 1000, -np.inf).astype(np.float64))
    residual = heaviest >= 0
    found["residual_mass_number"] = np.where(residual, events.kind[heaviest] // 10 % 1000, 0).astype(np.float64)
    found["n_fragments"] = events.sums(nucleus)
    return found


def _largest(events: Events, values: Floats) -> NDArray[np.int64]:
    """The particle of the largest value of each event (event,); -1 where all are -inf or none is there."""
    order = np.lexsort((values, events.event_of))
    last = order[np.maximum(events.offsets[1:] - 1, 0)] if len(order) else np.zeros(len(events), np.int64)
    there = (events.count > 0) & np.isfinite(values[last])
    return np.where(there, last, -1)


def distance(truth: Floats, model: Floats, rng: np.random.Generator) -> Measured:
    """Wasserstein distance of two samples of one observable over the truth's standard deviation, with the bootstrap's
    error; nan if the truth is constant."""
    sigma = float(truth.std())
    if not sigma > 0:
        return Measured(float("nan"), float("nan"), len(model))
    value = wasserstein_distance(truth, model) / sigma
    samples = [
        wasserstein_distance(rng.choice(truth, len(truth)), rng.choice(model, len(model))) / sigma
        for _ in range(RESAMPLES)
    ]
    return Measured(float(value), float(np.std(samples)), len(model))


def kolmogorov_smirnov(truth: Floats, model: Floats) -> float:
    """Largest difference of the distribution functions."""
    return float(ks_2samp(truth, model).statistic)


def correlation_difference(truth: Mapping[str, Floats], model: Mapping[str, Floats]) -> float:
    """Largest difference of the correlation coefficients of any two observables that vary in both samples."""
    names = [name for name in truth if truth[name].std() > 0 and model[name].std() > 0]
    one, two = (np.corrcoef(np.stack([sample[name] for name in names])) for sample in (truth, model))
    return float(np.abs(one - two).max())


def classifier_auc(truth: Mapping[str, Floats], model: Mapping[str, Floats], rng: np.random.Generator) -> Measured:
    """How well boosted trees tell the model from the truth by all observables: AUC on the half that they did not see.

    0.5 is the best that a model can reach.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = [np.stack([sample[name] for name in truth], axis=1) for sample in (truth, model)]
    inputs = np.concatenate(rows)
    labels = np.repeat([1.0, 0.0], [len(rows[0]), len(rows[1])])
    order = rng.permutation(len(inputs))
    learn, ask = np.array_split(order, 2)
    trees = HistGradientBoostingClassifier(random_state=int(rng.integers(2**31)))
    trees.fit(inputs[learn], labels[learn])
    return auc(labels[ask], trees.predict_proba(inputs[ask])[:, 1], rng)


def violations(events: Events) -> dict[str, Floats]:
    """By how much each event breaks conservation (event,): charge, baryon number, strangeness, energy and momentum.

    Strangeness may be off by what its K0S and K0L leave open; energy_momentum is the largest component in GeV.
    """
    off = np.abs(events.sums(conserved(events.kind)) - incoming_numbers(events))
    open_ended = events.sums(np.isin(events.kind, MIXED_KAONS)) + np.isin(events.beam.projectile, MIXED_KAONS)
    strangeness = np.maximum(off[:, 2] - open_ended, (off[:, 2] + open_ended) % 2)
    return {
        "charge": off[:, 0], "baryon_number": off[:, 1], "strangeness": np.maximum(strangeness, 0),
        "energy_momentum": np.abs(events.sums(events.momentum) - events.incoming).max(axis=1),
    }  # fmt: skip
