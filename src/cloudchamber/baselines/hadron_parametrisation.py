"""A parametrisation of hadronic interactions, as they were written before there were string models.

Compare GHEISHA (Fesefeldt, report PITHA 85/02 (1985)); the forms are those that textbooks give.

1. The elastic fraction is a smooth function of projectile, target and energy, as are all parameters below
   (``log_linear``). Elastic scattering: two-body kinematics, forward or backward in the rest frame, and for each two
   exponentials in ``2 k (k - |p_z|)``: that is -t forward and, but for a constant, -u backward.
2. Multiplicities of each kind of particle: negative binomials joined by correlations (``counts``), drawn until charge,
   baryon number and strangeness are what came in; of a nucleus, what is left must be a nuclide that exists. What this
   choice does to means, variances and correlations is taken out in ``ROUNDS`` rounds of simulation and correction.
3. Momenta, in the rest frame of the whole: the leading particle has a Gaussian in logit(p_z / p_incoming); the others
   have two Gaussians in rapidity and lie behind it. Means and widths depend on the condition and on how many fast
   particles share the energy. Transverse masses are exponential, dN/dmT ~ mT exp(-(mT - m) / T) (Hagedorn, Nuovo Cim.
   Suppl. 3 (1965) 147), with a temperature that depends on rapidity too.
4. Out of nuclei, nucleons, light nuclei and photons below ``SLOW`` come from evaporation: gamma distributions of
   kinetic energy in the laboratory, linear in the cosine of the angle. The residual nucleus balances momentum.
5. Rapidities are stretched until energy and momentum are exact (``kinematics.project``). What has not the energy for
   that is drawn again; an event that never comes out well, in ``TRIES``, is made an elastic one.

Kinds that fewer than ``FEWEST`` training events hold are never made. Strangeness is conserved, which Geant4's cascade
does not always do.

Conventions: GeV; classes are kinds of particles, fast or slow; y is the rapidity in the rest frame of the whole.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloudchamber.baselines.counts import correlation_root, scores
from cloudchamber.baselines.event_resampling import heaviest
from cloudchamber.baselines.files import load_arrays, save_arrays
from cloudchamber.baselines.hadron_draws import (
    DEGREE,
    MOTION_DEGREE,
    PHOTON,
    SLOW,
    HadronDraws,
    with_number,
    with_place,
)
from cloudchamber.baselines.log_linear import describe, features, linear, log_linear, mean_of
from cloudchamber.schema import Arrays, BadInput
from cloudchamber.simulators.hadronic.events import ELASTIC, INELASTIC, Beam, Events
from cloudchamber.simulators.hadronic.kinematics import to_rest
from cloudchamber.simulators.hadronic.particles import NUCLEUS, conserved, masses

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Marks = NDArray[np.bool_]

FEWEST = 20
"""Training events that hold a kind which is made."""

ENERGIES = 24
"""Bins of log energy in which multiplicities are averaged before they are fitted."""

ROUNDS = 8
"""Of simulation and correction of the multiplicities."""

MOTION_ROUNDS = 5
"""The same of the momenta."""

RELAXATION = 0.4
"""Part of a difference that is corrected in a round."""

LARGEST = 1.0
"""Correction of a coefficient of multiplicities in all: what wants more runs away from its cause."""

ENOUGH = 500
"""Particles of a class in such a round, if it is to correct anything."""

EVENTS = 20_000
"""Simulated in each of those rounds."""

PARTICLES = 50_000
"""Of each class to which momenta are fitted."""

FILE = "hadron_parametrisation.npz"


class HadronParametrisation(HadronDraws):
    """Fits the parametrisation, and draws from it; see the module."""

    title = "negative binomial, transverse mass, rapidity"
    kind = "baseline"

    def fit(self, train: Events, validation: Events, directory: Path) -> None:  # noqa: ARG002
        """Fit the training events; the validation events are not needed. Writes ``hadron_parametrisation.npz``.

        Raises:
            BadInput: no inelastic training event.
        """
        if not (train.channel == INELASTIC).any():
            raise BadInput(f"{len(train)} events, none of them inelastic: a parametrisation needs some")
        rng = np.random.default_rng(0)
        self.state = describe(train.beam)
        elastic = (train.channel == ELASTIC).astype(np.float64)
        cell = _cells(train.beam)
        table = _averages(features(train.beam, self.state, DEGREE), cell)
        share, weight = _averages(elastic[:, None], cell)[:, 0], np.bincount(cell).astype(np.float64)
        # odds: elastic over inelastic, the ratio of two fitted rates
        self.state["elastic"] = log_linear(table, share, weight) - log_linear(table, 1 - share, weight)
        self._fit_elastic(train.part(train.channel == ELASTIC))
        inelastic = train.part(train.channel == INELASTIC)
        self._fit_classes(inelastic)
        self._fit_who_leads(inelastic)
        self._fit_inelastic(inelastic, rng)
        save_arrays(directory / FILE, self.state)

    def restore(self, directory: Path) -> None:
        """Read ``hadron_parametrisation.npz``.

        Raises:
            BadInput: no such file, or not one of ours.
        """
        state = load_arrays(directory / FILE)
        if "elastic_backward" not in state:
            raise BadInput(f"{directory / FILE} holds no such fit, or that of an older version: fit it again")
        self.state = state

    # --- Elastic scattering -------------------------------------------------------------------------------------------

    def _fit_elastic(self, events: Events) -> None:
        """Odds of going backward, and the transfers forward and backward.

        Of these (2,) the mean of 2 k (k - |p_z|), and the shape of that over its mean: two exponentials (share of the
        first, both means).
        """
        table, targets = features(events.beam, self.state, MOTION_DEGREE), self.state["targets"]
        p_z, transfer = _scattered(events)
        back = (p_z < 0).astype(np.float64)
        self.state["elastic_backward"] = log_linear(table, back) - log_linear(table, 1 - back)
        means, shapes = np.zeros((2, table.shape[1])), np.ones((2, len(targets), 3))
        for side, there in enumerate((p_z >= 0, p_z < 0)):
            if not there.any():
                continue
            means[side] = log_linear(table[there], transfer[there] / 1e-3)
            means[side, 0] += np.log(1e-3)
            scaled = transfer / mean_of(table, means[side])
            for number, target in enumerate(targets.tolist()):
                mine = scaled[there & (events.beam.target == target)]
                if len(mine) >= FEWEST:
                    shapes[side, number] = two_exponentials(mine)
        self.state["elastic_mean"], self.state["elastic_shape"] = means, shapes

    # --- Which particles ----------------------------------------------------------------------------------------------

    def _fit_classes(self, events: Events) -> None:
        """Decide which classes there are, ascending by kind, fast before slow."""
        found, where = np.unique(_labels(events), return_inverse=True)
        pairs = np.unique(np.stack([where, events.event_of], axis=1), axis=0)
        often = (np.bincount(pairs[:, 0], minlength=len(found)) >= FEWEST) & (found != 0)
        self.state["codes"] = (found[often] // 2).astype(np.int32)
        self.state["slow"] = found[often] % 2 == 1

    def _classes(self, events: Events) -> Integers:
        """The class of each particle (particle,), -1 for residual nuclei and what is rare."""
        known = 2 * self.state["codes"].astype(np.int64) + self.state["slow"]
        label = _labels(events)
        place = np.minimum(np.searchsorted(known, label), len(known) - 1)
        return np.where(known[place] == label, place, -1)

    def _fit_inelastic(self, events: Events, rng: np.random.Generator) -> None:
        """Multiplicities and momenta, corrected for what conservation and projection make of them."""
        wanted = self._moments(events.beam, self._numbers(events))
        wanted["correlation"] = self._correlation(events.beam, self._numbers(events), wanted, rng)
        used = dict(wanted)
        self._use(used)
        for attempt in range(ROUNDS + MOTION_ROUNDS):
            beam = events.beam.take(rng.integers(len(events), size=min(EVENTS, len(events))))
            if attempt < ROUNDS:
                drawn, closed = self._closed(beam, rng)
                beam, drawn = beam.take(closed), drawn[closed]
                made: Arrays = {}
            else:
                if attempt == ROUNDS:
                    motion, _ = self._motion(events, rng)
                    wanted, used = wanted | motion, used | motion
                    self._use(used)
                found, well = self._inelastic(beam, rng)
                found = found.part(well)
                beam, drawn = found.beam, self._numbers(found)
                motion, number = self._motion(found, rng)
                made = {name: np.where(number[name][:, None] >= ENOUGH, motion[name], wanted[name]) for name in number}
            made |= self._moments(beam, drawn, wanted)
            made["correlation"] = self._correlation(beam, drawn, wanted, rng)
            for name in made:
                used[name] = used[name] + RELAXATION * (wanted[name] - made[name])
            for name in ("mean", "variance"):
                used[name] = np.clip(used[name], wanted[name] - LARGEST, wanted[name] + LARGEST)
            self._use(used)

    def _use(self, parameters: Arrays) -> None:
        self.state |= {name: values for name, values in parameters.items() if name != "correlation"}
        self.state["roots"] = np.stack([correlation_root(one) for one in parameters["correlation"]])

    def _numbers(self, events: Events) -> Integers:
        """Particles of each class (event, class)."""
        sorted_out, number = self._classes(events), len(self.state["codes"])
        known = sorted_out >= 0
        place = events.event_of[known] * number + sorted_out[known]
        return np.asarray(np.bincount(place, minlength=len(events) * number).reshape(len(events), number))

    def _moments(self, beam: Beam, found: Integers, near: Arrays | None = None) -> Arrays:
        """Coefficients (class, feature) of means and of variances; ``near`` are some to start from."""
        cell = _cells(beam)
        everything = features(beam, self.state, DEGREE)
        table, weight = _averages(everything, cell), np.bincount(cell).astype(np.float64)
        average = _averages(found.astype(np.float64), cell)
        nuclear = _averages((beam.target != 1)[:, None].astype(np.float64), cell)[:, 0] > 0
        mean, variance = [], []
        for number, slow in enumerate(self.state["slow"]):
            there = weight * (nuclear | ~slow)
            if not there.any():
                there = weight
            mean.append(log_linear(table, average[:, number], there, None if near is None else near["mean"][number]))
            square = (found[:, number] - mean_of(everything, mean[-1])) ** 2
            scale = max(float(square.mean()), 1e-6)
            of_scale = log_linear(table, _averages(square[:, None], cell)[:, 0] / scale, there)
            of_scale[0] += np.log(scale)
            variance.append(of_scale)
        return {"mean": np.stack(mean), "variance": np.stack(variance)}

    def _correlation(self, beam: Beam, found: Integers, moments: Arrays, rng: np.random.Generator) -> Floats:
        """Of the normal scores of the counts, (target, class, class)."""
        normal = scores(found, *self._margins(beam, moments), rng)
        number = found.shape[1]
        result = np.tile(np.eye(number), (len(self.state["targets"]), 1, 1))
        for index, target in enumerate(self.state["targets"].tolist()):
            mine = normal[beam.target == target]
            if len(mine) > number:
                raw = np.nan_to_num(np.corrcoef(mine.T).reshape(number, number))
                result[index] += (raw - result[index]) * len(mine) / (len(mine) + number)
        return result

    # --- Momenta ------------------------------------------------------------------------------------------------------

    def _motion(self, events: Events, rng: np.random.Generator) -> tuple[Arrays, dict[str, Integers]]:
        """Parameters of all momenta of events, and to how many particles of each class they were fitted."""
        owner, number, sorted_out = events.event_of, len(self.state["codes"]), self._classes(events)
        p, mass = _resting(events), masses(events.kind)
        fast = (sorted_out >= 0) & ~self.state["slow"][np.maximum(sorted_out, 0)]
        fast_number = np.bincount(owner[fast], minlength=len(events))
        small = features(events.beam, self.state, MOTION_DEGREE)
        leads = self._leads(events)
        transverse = np.hypot(np.hypot(p[:, 1], p[:, 2]), mass)
        heat = transverse - mass
        rapidity = np.arcsinh(p[:, 3] / np.maximum(transverse, 1e-9))

        rows = _some(np.flatnonzero(leads), 4 * PARTICLES, rng)
        table = self._leading_table(events.beam, small, owner[rows], sorted_out[rows], fast_number)
        across = np.linalg.norm(events.incoming[:, 1:], axis=1)
        k = across * masses(events.nucleus) / np.sqrt(events.incoming[:, 0] ** 2 - across**2)
        leading = _shapes_of("leading", [table], [_logit(p[rows, 3] / k[owner[rows]])], [heat[rows]])

        each = [_some(np.flatnonzero((sorted_out == one) & fast & ~leads), PARTICLES, rng) for one in range(number)]
        tables = [with_number(small[owner[rows]], fast_number[owner[rows]]) for rows in each]
        other = _shapes_of("other", tables, [rapidity[rows] for rows in each], [heat[rows] for rows in each])

        slow: Arrays = {
            "slow_mean": np.zeros((number, small.shape[1])), "slow_shape": np.ones(number),
            "slow_cosine": np.zeros(number),
        }  # fmt: skip
        slow_number = np.where(self.state["slow"], np.bincount(sorted_out[sorted_out >= 0], minlength=number), 0)
        for one in np.flatnonzero(slow_number).tolist():
            rows = _some(np.flatnonzero(sorted_out == one), PARTICLES, rng)
            slow["slow_mean"][one], slow["slow_shape"][one], slow["slow_cosine"][one] = _boiled(
                events, rows, small[owner[rows]]
            )
        numbers = {f"leading_{name}": np.array([leads.sum()]) for name in ("centre", "width", "heat")}
        numbers |= {f"other_{name}": np.array([len(rows) for rows in each]) for name in ("centre", "width", "heat")}
        return leading | other | slow, numbers | {"slow_mean": slow_number}

    def _leads(self, events: Events) -> Marks:
        """The leading particle of each event (particle,): the fast hadron of the largest p_z forward."""
        sorted_out, p = self._classes(events), _resting(events)
        able = self._may_lead(sorted_out) & (p[:, 3] > 0)
        order = np.lexsort((np.where(able, p[:, 3], -np.inf), events.event_of))
        leads = np.zeros(len(p), np.bool_)
        leads[order[events.offsets[1:] - 1]] = True
        return leads & able

    def _fit_who_leads(self, events: Events) -> None:
        """Weights (projectile, hydrogen or not, class): a particle leads by its share of the event's weights.

        Luce's model, fitted by Hunter's algorithm (Ann. Stat. 32 (2004) 384).
        """
        number = len(self.state["codes"])
        weights = np.ones((len(self.state["projectiles"]), 2, number))
        owner = events.event_of
        sorted_out, leads = self._classes(events), self._leads(events)
        able = self._may_lead(sorted_out)
        where = np.searchsorted(self.state["projectiles"], events.beam.projectile) * 2 + (events.beam.target == 1)
        flat = weights.reshape(-1, number)
        led = np.zeros(len(events), np.bool_)
        led[owner[leads]] = True
        able &= led[owner]
        place = where[owner[able]] * number + sorted_out[able]
        wins = np.bincount(where[owner[leads]] * number + sorted_out[leads], minlength=flat.size)
        for _ in range(100):
            each = flat.reshape(-1)[place]
            total = np.bincount(owner[able], each, minlength=len(events))
            rivals = np.bincount(place, 1 / total[owner[able]], minlength=flat.size)
            flat[:] = ((wins + 0.5) / (rivals + 1.0)).reshape(flat.shape)
        self.state["leading_weights"] = weights


def _shapes_of(name: str, tables: list[Floats], values: list[Floats], heats: list[Floats]) -> Arrays:
    """Of each class: mean and variance of the value, its shape, and the mean of mT - m with its rapidity."""
    found: dict[str, list[Floats]] = {"centre": [], "width": [], "gauss": [], "heat": []}
    for table, value, heat in zip(tables, values, heats, strict=True):
        if len(value) < FEWEST:
            wide = table.shape[1]
            result = [np.zeros(wide), np.zeros(wide), np.array([1.0, 0, 1, 0, 1]), np.zeros(wide + 2)]
            result[3][0] = np.log(0.1)
        else:
            centre = linear(table, value)
            square = (value - table @ centre) ** 2
            width = log_linear(table, square + 1e-9)
            standard = (value - table @ centre) / np.sqrt(mean_of(table, width))
            result = [centre, width, two_gaussians(standard), log_linear(with_place(table, standard), heat / 0.1)]
            result[3][0] += np.log(0.1)
        for key, one in zip(found, result, strict=True):
            found[key].append(one)
    return {f"{name}_{key}": np.stack(parts) for key, parts in found.items()}


def _boiled(events: Events, rows: Integers, table: Floats) -> tuple[Floats, float, float]:
    """What ``boil`` must know of the particles ``rows``: coefficients of the mean, shape, tilt."""
    energy = np.maximum(events.momentum[rows, 0] - masses(events.kind[rows]), 0)
    mean = log_linear(table, energy / 1e-2)
    mean[0] += np.log(1e-2)
    along = (events.momentum[rows, 1:] * events.beam.direction[events.event_of[rows]]).sum(axis=1)
    cosine = along / np.maximum(np.linalg.norm(events.momentum[rows, 1:], axis=1), 1e-12)
    ratio = energy / mean_of(table, mean)
    return mean, float(np.clip(1 / max(ratio.var(), 1e-12), 0.2, 20)), float(np.clip(3 * cosine.mean(), -1, 1))


def two_exponentials(values: Floats) -> Floats:
    """Share of the first of two exponentials, and the means of both (3,), by 200 steps of expectation maximisation."""
    mean = max(float(values.mean()), 1e-12)
    share, first, second = 0.5, 0.5 * mean, 2.0 * mean
    for _ in range(200):
        one = share / first * np.exp(-values / first)
        two = (1 - share) / second * np.exp(-values / second)
        belongs = one / np.maximum(one + two, 1e-300)
        share = float(np.clip(belongs.mean(), 1e-3, 1 - 1e-3))
        first = max(float((belongs * values).sum() / belongs.sum()), 1e-6)
        second = max(float(((1 - belongs) * values).sum() / (1 - belongs).sum()), 1e-6)
    return np.array([share, first, second])


def two_gaussians(values: Floats) -> Floats:
    """Share of the first of two Gaussians, then mean and standard deviation of both (5,)."""
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(2, random_state=0, reg_covar=1e-3).fit(values[:20_000, None])
    width = np.sqrt(model.covariances_[:, 0, 0])
    return np.array([model.weights_[0], model.means_[0, 0], width[0], model.means_[1, 0], width[1]])


def _resting(events: Events) -> Floats:
    """Four-momenta (particle, 4) in the rest frame of the whole, the projectile along z."""
    owner = events.event_of
    return to_rest(events.momentum, events.incoming[owner], events.beam.direction[owner])


def _scattered(events: Events) -> tuple[Floats, Floats]:
    """p_z of the projectile after elastic scattering and 2 k (k - |p_z|) (event,) in the rest frame, k its momentum.

    Of two equal particles it is the one that goes forward.
    """
    first, last = events.offsets[:-1], events.offsets[1:] - 1
    projectile = events.beam.projectile
    is_first = events.kind[first] == projectile
    p = _resting(events)[np.where(is_first, first, last)]
    p_z, k = p[:, 3], np.linalg.norm(p[:, 1:], axis=1)
    same = is_first & (events.kind[last] == projectile)
    return np.where(same, np.abs(p_z), p_z), 2 * k * (k - np.abs(p_z))


def _slow(events: Events) -> Marks:
    """Which particles (particle,) are evaporated."""
    numbers = conserved(events.kind)
    able = ((numbers[:, 1] > 0) & (numbers[:, 2] == 0)) | (events.kind == PHOTON)
    energy = events.momentum[:, 0] - masses(events.kind)
    return np.asarray(able & (events.beam.target[events.event_of] != 1) & (energy < SLOW))


def _labels(events: Events) -> Integers:
    """2 x PDG code + (1 if slow) of each particle (particle,), 0 of residual nuclei."""
    label = 2 * events.kind.astype(np.int64) + _slow(events)
    last = heaviest(events)
    label[last[events.kind[last] >= NUCLEUS]] = 0
    return label


def _cells(beam: Beam) -> Integers:
    """Number of the cell of projectile, target and log energy (event,), without gaps."""
    energy = np.log(beam.kinetic_energy)
    step = max((energy.max() - energy.min()) / ENERGIES, 1e-9)
    cells = np.stack([beam.projectile, beam.target, (energy - energy.min()) // step], axis=1)
    return np.asarray(np.unique(cells, axis=0, return_inverse=True)[1]).reshape(-1)


def _averages(values: Floats, cell: Integers) -> Floats:
    """Means (cell, value) of values (event, value)."""
    order = np.argsort(cell, kind="stable")
    number = np.bincount(cell)
    starts = np.concatenate([[0], np.cumsum(number)[:-1]])
    return np.asarray(np.add.reduceat(values[order], starts, axis=0) / number[:, None])


def _logit(share: Floats) -> Floats:
    share = np.clip(share, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(share / (1 - share)))


def _some(rows: Integers, most: int, rng: np.random.Generator) -> Integers:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))
