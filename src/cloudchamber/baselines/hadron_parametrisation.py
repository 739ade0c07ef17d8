"""A parametrisation of hadronic interactions, as they were written before there were string models (compare GHEISHA:
Fesefeldt, report PITHA 85/02 (1985)), with the forms that textbooks give.

1. The elastic fraction is a smooth function of projectile, target and energy, as are all parameters below
   (``log_linear``). Elastic scattering: two exponentials in |t|, two-body kinematics.
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

from cloudchamber.baselines.counts import correlation_root, counts, scores
from cloudchamber.baselines.event_resampling import placed, until_good
from cloudchamber.baselines.files import load_arrays, save_arrays
from cloudchamber.baselines.log_linear import MASS_NUMBERS, describe, features, linear, log_linear, mean_of
from cloudchamber.schema import Arrays, BadInput
from cloudchamber.simulators.hadronic.events import ELASTIC, INELASTIC, Beam, Events, incoming_of, joined
from cloudchamber.simulators.hadronic.kinematics import to_rest
from cloudchamber.simulators.hadronic.particles import MIXED_KAONS, NUCLEUS, conserved, masses, nucleus_code, nuclides

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Marks = NDArray[np.bool_]

SLOW = 0.03
"""Kinetic energy in the laboratory in GeV, below which what leaves a nucleus is evaporated."""

FEWEST = 20
"""Training events that hold a kind which is made."""

DEGREE, MOTION_DEGREE = 4, 2
"""Of the polynomials in log energy of multiplicities, and of parameters of momenta."""

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

TRIES = 300
"""Draws of an event before it is made an elastic one."""

PHOTON = 22
FILE = "hadron_parametrisation.npz"


class HadronParametrisation:
    """Fits and draws from the parametrisation; see the module."""

    title = "negative binomial, transverse mass, rapidity"
    kind = "baseline"

    def __init__(self) -> None:
        self.state: Arrays = {}

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
        self.state = load_arrays(directory / FILE)

    def sample(self, condition: Beam, rng: np.random.Generator) -> Events:
        """One event for every entry of ``condition``.

        Raises:
            BadInput: a projectile that was not trained on.
        """
        odds = mean_of(features(condition, self.state, DEGREE), self.state["elastic"])
        elastic = rng.random(len(condition)) * (1 + odds) < odds
        rows = np.flatnonzero(~elastic)
        parts = [self._elastic(condition.take(elastic), rng)]
        places = [np.flatnonzero(elastic)]
        if len(rows):
            beam = condition.take(rows)
            found, well = self._inelastic(beam, rng)
            parts += [found.part(well), self._elastic(beam.take(~well), rng)]
            places += [rows[well], rows[~well]]
        return joined(parts).ordered(np.argsort(np.concatenate(places)))

    # --- Elastic scattering -------------------------------------------------------------------------------------------

    def _fit_elastic(self, events: Events) -> None:
        """Mean |t|, and the shape of |t| over its mean: two exponentials (share of the first, both means)."""
        table = features(events.beam, self.state, MOTION_DEGREE)
        self.state["elastic_mean"] = np.zeros(table.shape[1])
        self.state["elastic_shape"] = np.tile([1.0, 1.0, 1.0], (len(self.state["targets"]), 1))
        if not len(events):
            return
        p = _resting(events)[events.offsets[:-1]]  # two particles, back to back
        k = np.linalg.norm(p[:, 1:], axis=1)
        transfer = 2 * k * (k - np.abs(p[:, 3]))
        self.state["elastic_mean"] = log_linear(table, transfer / 1e-3) + np.eye(table.shape[1])[0] * np.log(1e-3)
        scaled = transfer / mean_of(table, self.state["elastic_mean"])
        for number, target in enumerate(self.state["targets"].tolist()):
            mine = scaled[events.beam.target == target]
            if len(mine) >= FEWEST:
                self.state["elastic_shape"][number] = two_exponentials(mine)

    def _elastic(self, beam: Beam, rng: np.random.Generator) -> Events:
        nucleus, incoming = incoming_of(beam)
        s = np.sqrt(incoming[:, 0] ** 2 - (incoming[:, 1:] ** 2).sum(axis=1))
        k = np.linalg.norm(incoming[:, 1:], axis=1) * masses(nucleus) / s
        share, first, second = self.state["elastic_shape"][self._nearest_target(beam)].T
        mean = mean_of(features(beam, self.state, MOTION_DEGREE), self.state["elastic_mean"])
        mean = mean * np.where(rng.random(len(beam)) < share, first, second)
        largest = -np.expm1(-4 * k**2 / mean)
        transfer = -mean * np.log1p(-rng.random(len(beam)) * largest)
        cosine = 1 - transfer / (2 * k**2)
        across, angle = k * np.sqrt(np.maximum(1 - cosine**2, 0)), rng.uniform(0, 2 * np.pi, len(beam))
        one = np.stack([across * np.cos(angle), across * np.sin(angle), k * cosine], axis=1)
        momentum = np.stack([one, -one], axis=1).reshape(-1, 3)
        kind = np.stack([beam.projectile, nucleus], axis=1).reshape(-1).astype(np.int32)
        offsets = 2 * np.arange(len(beam) + 1)
        return placed(beam, np.full(len(beam), ELASTIC, np.uint8), offsets, kind, momentum)[0]

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

    def _margins(self, beam: Beam, moments: Arrays) -> tuple[Floats, Floats]:
        """Mean and 1/k (event, class)."""
        table = features(beam, self.state, DEGREE)
        mean = mean_of(table, moments["mean"].T)
        inverse_k = (mean_of(table, moments["variance"].T) - mean) / mean**2
        mean[np.ix_(beam.target == 1, self.state["slow"])] = 1e-12
        return np.minimum(mean, 500), np.clip(inverse_k, -1, 50)

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

    def _draw(self, beam: Beam, rng: np.random.Generator) -> tuple[Integers, Integers, Marks]:
        """Counts (event, class), the residual's charge and baryon number (event, 2), and whether all is conserved."""
        mean, inverse_k = self._margins(beam, self.state)
        normal = rng.standard_normal(mean.shape)
        for index, root in enumerate(self.state["roots"]):
            mine = self._nearest_target(beam) == index
            normal[mine] = normal[mine] @ root.T
        found = counts(normal, mean, inverse_k)
        nucleus, incoming = incoming_of(beam)
        left = conserved(beam.projectile) + conserved(nucleus) - found @ conserved(self.state["codes"])
        mixed = found[:, np.isin(self.state["codes"], MIXED_KAONS)].sum(axis=1) + np.isin(beam.projectile, MIXED_KAONS)
        strange = np.abs(left[:, 2])
        closed = (strange <= mixed) & ((strange + mixed) % 2 == 0)
        limits = np.array(nuclides().shape) - 1
        charge, baryons = np.clip(left[:, :2], 0, limits).T
        inside = ((left[:, :2] >= 0) & (left[:, :2] <= limits)).all(axis=1)
        nothing = (left[:, :2] == 0).all(axis=1)
        something = inside & nuclides()[charge, baryons] & (beam.target != 1)
        closed &= nothing | something
        residual = np.zeros(len(beam))
        residual[something] = masses(_codes(charge[something], baryons[something]))
        s = np.sqrt(incoming[:, 0] ** 2 - (incoming[:, 1:] ** 2).sum(axis=1))
        closed &= found @ masses(self.state["codes"]) + residual < s
        return found, left[:, :2], closed

    def _closed(self, beam: Beam, rng: np.random.Generator) -> tuple[Integers, Marks]:
        """Counts (event, class) drawn until all is conserved, and where that came true (event,)."""
        found, _, closed = self._draw(beam, rng)
        for _ in range(TRIES):
            rows = np.flatnonzero(~closed)
            if not len(rows):
                break
            found[rows], _, closed[rows] = self._draw(beam.take(rows), rng)
        return found, closed

    def _nearest_target(self, beam: Beam) -> Integers:
        """Index among the trained targets of the one nearest in mass number (event,)."""
        known = np.array([MASS_NUMBERS[target] for target in self.state["targets"].tolist()])
        charges, places = np.unique(beam.target, return_inverse=True)
        nearest = [int(np.abs(known - MASS_NUMBERS[charge]).argmin()) for charge in charges.tolist()]
        return np.array(nearest, np.int64)[places]

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
        tables = [_with_number(small[owner[rows]], fast_number[owner[rows]]) for rows in each]
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

    def _shapes(
        self, name: str, number: Integers, table: Floats, mass: Floats, rng: np.random.Generator
    ) -> tuple[Floats, Floats]:
        """Values and transverse momenta of particles (particle,) of the classes ``number``."""
        share, first, first_width, second, second_width = self.state[f"{name}_gauss"][number].T
        which = rng.random(len(number)) < share
        normal = rng.standard_normal(len(number))
        standard = np.where(which, first + first_width * normal, second + second_width * normal)

        def each(key: str, columns: Floats) -> Floats:
            return np.asarray((columns * self.state[f"{name}_{key}"][number]).sum(axis=1))

        value = each("centre", table) + np.exp(np.clip(each("width", table), -30, 30) / 2) * standard
        heat = np.exp(np.clip(each("heat", _with_place(table, standard)), -15, 3))
        return value, thermal(mass, heat, rng)

    def _may_lead(self, sorted_out: Integers) -> Marks:
        """Whether a particle of this class can be the leading one: fast hadrons."""
        able = ~self.state["slow"] & (self.state["codes"] != PHOTON) & (self.state["codes"] < NUCLEUS)
        return np.asarray(able[np.maximum(sorted_out, 0)] & (sorted_out >= 0))

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

    def _leading_table(
        self, beam: Beam, small: Floats, owner: Integers, number: Integers, fast_number: Integers
    ) -> Floats:
        table = _with_number(small[owner], fast_number[owner])
        same = (self.state["codes"][number] == beam.projectile[owner]).astype(np.float64)
        classes = np.equal.outer(number, np.arange(len(self.state["codes"]))).astype(np.float64)
        return np.concatenate([table, same[:, None] * table, classes], axis=1)

    def _inelastic(self, beam: Beam, rng: np.random.Generator) -> tuple[Events, Marks]:
        """An inelastic event for each entry, and where one came out well in ``TRIES``."""
        return until_good(lambda rows: self._attempt(beam.take(rows), rng), len(beam), TRIES)

    def _attempt(self, beam: Beam, rng: np.random.Generator) -> tuple[Events, Marks]:
        """One try at an inelastic event for each entry, and where it came out well."""
        found, left, closed = self._draw(beam, rng)
        found[~closed] = 0
        left = np.where(closed[:, None], left, 0)
        nucleus, incoming = incoming_of(beam)
        across = np.linalg.norm(incoming[:, 1:], axis=1)
        s = np.sqrt(incoming[:, 0] ** 2 - across**2)
        flow = np.stack([incoming[:, 0], across], axis=1) / s[:, None]  # gamma, gamma beta
        small = features(beam, self.state, MOTION_DEGREE)
        event, number = np.nonzero(found)
        many = found[event, number]
        owner, number = np.repeat(event, many), np.repeat(number, many)
        mass = masses(self.state["codes"])[number]
        slow = self.state["slow"][number]
        fast_number = found[:, ~self.state["slow"]].sum(axis=1)

        across_p, along_p = np.zeros(len(owner)), np.zeros(len(owner))
        leads = self._draw_leading(beam, owner, number, rng)
        rows = np.flatnonzero(leads)
        table = self._leading_table(beam, small, owner[rows], number[rows], fast_number)
        value, across_p[rows] = self._shapes("leading", np.zeros(len(rows), np.int64), table, mass[rows], rng)
        along_p[rows] = (across * masses(nucleus) / s)[owner[rows]] / (1 + np.exp(-np.clip(value, -30, 30)))
        front = np.full(len(beam), np.inf)
        front[owner[rows]] = along_p[rows]

        rows = np.flatnonzero(~slow & ~leads)
        for _ in range(10):
            table = _with_number(small[owner[rows]], fast_number[owner[rows]])
            value, across_p[rows] = self._shapes("other", number[rows], table, mass[rows], rng)
            along_p[rows] = np.hypot(mass[rows], across_p[rows]) * np.sinh(np.clip(value, -12, 12))
            rows = rows[along_p[rows] > front[owner[rows]]]

        rows = np.flatnonzero(slow)
        mean = np.exp((small[owner[rows]] * self.state["slow_mean"][number[rows]]).sum(axis=1))
        shape, tilt = self.state["slow_shape"][number[rows]], self.state["slow_cosine"][number[rows]]
        across_p[rows], along_p[rows] = boil(mean, shape, tilt, mass[rows], flow[owner[rows]], SLOW, rng)

        kind = self.state["codes"][number]
        count = np.bincount(owner, minlength=len(beam))
        rest = np.flatnonzero(left[:, 1] > 0)  # the residual is the last of its event, and balances
        codes = _codes(*left[rest].T)
        angle = rng.uniform(0, 2 * np.pi, len(owner))
        p = np.stack([across_p * np.cos(angle), across_p * np.sin(angle), along_p], axis=1)
        sums = np.stack([np.bincount(owner, p[:, axis], minlength=len(beam)) for axis in range(3)], axis=1)
        ends = np.cumsum(count)[rest]
        kind, p = np.insert(kind, ends, codes), np.insert(p, ends, -sums[rest], axis=0)
        count[rest] += 1
        offsets = np.concatenate([[0], np.cumsum(count)])
        events, good = placed(beam, np.full(len(beam), INELASTIC, np.uint8), offsets, kind, p)
        return events, good & closed

    def _draw_leading(self, beam: Beam, owner: Integers, number: Integers, rng: np.random.Generator) -> Marks:
        """Which particle of each event leads (particle,)."""
        where = np.searchsorted(self.state["projectiles"], beam.projectile)
        weight = self.state["leading_weights"][where[owner], (beam.target[owner] == 1).astype(np.int64), number]
        race = np.where(self._may_lead(number), rng.exponential(size=len(owner)) / weight, np.inf)
        order = np.lexsort((race, owner))
        first = np.ones(len(owner), np.bool_)
        first[1:] = owner[order][1:] != owner[order][:-1]
        leads = np.zeros(len(owner), np.bool_)
        leads[order[first]] = True
        return leads & np.isfinite(race)


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
            result = [centre, width, two_gaussians(standard), log_linear(_with_place(table, standard), heat / 0.1)]
            result[3][0] += np.log(0.1)
        for key, one in zip(found, result, strict=True):
            found[key].append(one)
    return {f"{name}_{key}": np.stack(parts) for key, parts in found.items()}


def thermal(mass: Floats, heat: Floats, rng: np.random.Generator) -> Floats:
    """Transverse momenta (particle,) from dN/dmT ~ mT exp(-(mT - m) / T); ``heat`` is the mean of mT - m.

    With t = mT - m the density is (m + t) exp(-t / T): an exponential, in m / (m + T) of the cases, or a gamma
    distribution of shape 2; the mean is T (m + 2 T) / (m + T).
    """
    temperature = (heat - mass + np.sqrt((mass - heat) ** 2 + 8 * heat * mass)) / 4
    second = rng.random(len(mass)) * (mass + temperature) < temperature
    t = temperature * rng.gamma(1.0 + second)
    return np.asarray(np.sqrt(t * (t + 2 * mass)))


def boil(
    mean: Floats, shape: Floats, tilt: Floats, mass: Floats, flow: Floats, most: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Transverse and longitudinal momenta (particle,), in the rest frame of the whole, of what boils off in the
    laboratory.

    Args:
        mean: of the kinetic energy (particle,), which has a gamma distribution.
        shape: of that.
        tilt: t of the distribution 1 + t cos(angle) to the beam (particle,).
        mass: (particle,).
        flow: gamma and gamma beta of the rest frame in the laboratory (particle, 2).
        most: largest kinetic energy.
        rng: of the draw.
    """
    energy = np.minimum(mean * rng.gamma(shape) / shape, most) + mass
    momentum = np.sqrt(np.maximum(energy**2 - mass**2, 0))
    cosine = rng.uniform(-1, 1, len(mass))
    cosine *= np.where(rng.random(len(mass)) * 2 < 1 + tilt * cosine, 1, -1)
    return momentum * np.sqrt(1 - cosine**2), flow[:, 0] * momentum * cosine - flow[:, 1] * energy


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
    share, first, second = 0.5, 0.5 * float(values.mean()), 2.0 * float(values.mean())
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


def _residual(events: Events) -> Integers:
    """The heaviest nucleus of each event that has one."""
    order = np.lexsort((events.kind, events.event_of))
    last = order[events.offsets[1:] - 1]
    return np.asarray(last[events.kind[last] >= NUCLEUS])


def _slow(events: Events) -> Marks:
    """Which particles (particle,) are evaporated."""
    numbers = conserved(events.kind)
    able = ((numbers[:, 1] > 0) & (numbers[:, 2] == 0)) | (events.kind == PHOTON)
    energy = events.momentum[:, 0] - masses(events.kind)
    return np.asarray(able & (events.beam.target[events.event_of] != 1) & (energy < SLOW))


def _labels(events: Events) -> Integers:
    """2 x PDG code + (1 if slow) of each particle (particle,), 0 of residual nuclei."""
    label = 2 * events.kind.astype(np.int64) + _slow(events)
    label[_residual(events)] = 0
    return label


def _codes(charge: Integers, baryons: Integers) -> NDArray[np.int32]:
    pairs = zip(charge.tolist(), baryons.tolist(), strict=True)
    return np.array([nucleus_code(*pair) for pair in pairs], np.int32)


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


def _with_number(table: Floats, number: Integers) -> Floats:
    log = np.log(np.maximum(number, 1))[:, None]
    return np.concatenate([table, log, log**2], axis=1)


def _with_place(table: Floats, standard: Floats) -> Floats:
    place = np.clip(standard, -4, 4)[:, None]
    return np.concatenate([table, place, place**2], axis=1)


def _logit(share: Floats) -> Floats:
    share = np.clip(share, 1e-3, 1 - 1e-3)
    return np.asarray(np.log(share / (1 - share)))


def _some(rows: Integers, most: int, rng: np.random.Generator) -> Integers:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))
