"""Draws of the parametrisation of hadronic interactions from its fitted parameters.

The forms, and where they come from, are in ``hadron_parametrisation``.

Conventions: GeV; classes are kinds of particles, fast or slow; y is the rapidity in the rest frame of the whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cloudchamber.baselines.counts import counts
from cloudchamber.baselines.event_resampling import nucleus_codes, placed, until_good
from cloudchamber.baselines.log_linear import MASS_NUMBERS, features, mean_of
from cloudchamber.schema import Arrays
from cloudchamber.simulators.hadronic.events import ELASTIC, INELASTIC, Beam, Events, incoming_of, joined
from cloudchamber.simulators.hadronic.particles import MIXED_KAONS, NUCLEUS, conserved, masses, nuclides

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Marks = NDArray[np.bool_]

SLOW = 0.03
"""Kinetic energy in the laboratory in GeV, below which what leaves a nucleus is evaporated."""

DEGREE, MOTION_DEGREE = 4, 2
"""Of the polynomials in log energy of multiplicities, and of parameters of momenta."""

TRIES = 300
"""Draws of an event before it is made an elastic one."""

PHOTON = 22


class HadronDraws:
    """Draws from fitted parameters; ``state`` holds them."""

    def __init__(self) -> None:
        self.state: Arrays = {}

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

    def _elastic(self, beam: Beam, rng: np.random.Generator) -> Events:
        """An elastic event for each entry."""
        nucleus, incoming = incoming_of(beam)
        s = np.sqrt(incoming[:, 0] ** 2 - (incoming[:, 1:] ** 2).sum(axis=1))
        k = np.linalg.norm(incoming[:, 1:], axis=1) * masses(nucleus) / s
        table = features(beam, self.state, MOTION_DEGREE)
        odds = mean_of(table, self.state["elastic_backward"])
        back = (rng.random(len(beam)) * (1 + odds) < odds).astype(np.int64)
        share, first, second = self.state["elastic_shape"][back, self._nearest_target(beam)].T
        mean = mean_of(table, self.state["elastic_mean"].T)[np.arange(len(beam)), back]
        mean = mean * np.where(rng.random(len(beam)) < share, first, second)
        largest = -np.expm1(-2 * k**2 / mean)  # of one hemisphere
        transfer = -mean * np.log1p(-rng.random(len(beam)) * largest)
        cosine = (1 - transfer / (2 * k**2)) * np.where(back, -1, 1)
        across, angle = k * np.sqrt(np.maximum(1 - cosine**2, 0)), rng.uniform(0, 2 * np.pi, len(beam))
        one = np.stack([across * np.cos(angle), across * np.sin(angle), k * cosine], axis=1)
        momentum = np.stack([one, -one], axis=1).reshape(-1, 3)
        kind = np.stack([beam.projectile, nucleus], axis=1).reshape(-1).astype(np.int32)
        offsets = 2 * np.arange(len(beam) + 1)
        return placed(beam, np.full(len(beam), ELASTIC, np.uint8), offsets, kind, momentum)[0]

    def _margins(self, beam: Beam, moments: Arrays) -> tuple[Floats, Floats]:
        """Mean and 1/k (event, class)."""
        table = features(beam, self.state, DEGREE)
        mean = mean_of(table, moments["mean"].T)
        inverse_k = (mean_of(table, moments["variance"].T) - mean) / mean**2
        mean[np.ix_(beam.target == 1, self.state["slow"])] = 1e-12
        return np.minimum(mean, 500), np.clip(inverse_k, -1, 50)

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
        residual[something] = masses(nucleus_codes(charge[something], baryons[something]))
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
        heat = np.exp(np.clip(each("heat", with_place(table, standard)), -15, 3))
        return value, thermal(mass, heat, rng)

    def _may_lead(self, sorted_out: Integers) -> Marks:
        """Whether a particle of this class can be the leading one: fast hadrons."""
        able = ~self.state["slow"] & (self.state["codes"] != PHOTON) & (self.state["codes"] < NUCLEUS)
        return np.asarray(able[np.maximum(sorted_out, 0)] & (sorted_out >= 0))

    def _leading_table(
        self, beam: Beam, small: Floats, owner: Integers, number: Integers, fast_number: Integers
    ) -> Floats:
        """Features (particle, feature) of the motion of leading particles of the classes ``number``."""
        table = with_number(small[owner], fast_number[owner])
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
            table = with_number(small[owner[rows]], fast_number[owner[rows]])
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
        codes = nucleus_codes(*left[rest].T)
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
    """Transverse and longitudinal momenta (particle,) of what boils off in the laboratory.

    They are in the rest frame of the whole.

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


def with_number(table: Floats, number: Integers) -> Floats:
    """Features (particle, feature), and the logarithm of the number of fast particles and its square."""
    log = np.log(np.maximum(number, 1))[:, None]
    return np.concatenate([table, log, log**2], axis=1)


def with_place(table: Floats, standard: Floats) -> Floats:
    """Features (particle, feature), and the place in the distribution of the rapidity and its square."""
    place = np.clip(standard, -4, 4)[:, None]
    return np.concatenate([table, place, place**2], axis=1)
