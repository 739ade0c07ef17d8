"""Final states as a generator learns them: counts of kinds that keep the books, and coordinates for the momenta.

An inelastic final state is a count of every kind of a ``Vocabulary`` and, for a nucleus as target, a residual nucleus
(the heaviest) that carries the charge and the baryons which are left. Kinds are PDG codes; where the target is a
nucleus, protons, neutrons and photons come in two kinds, slow ones (of the residue's evaporation) and others, because
the two differ in everything. A second nucleus above A = 12, from fission or break-up, counts as the nearest of
FRAGMENTS, and the residual nucleus takes the difference. K0S and K0L count as K0 (strangeness +1) and its antiparticle,
whichever closes the event's strangeness; a K0L that comes in is taken as +1 or -1, as its event demands, or evenly
where both close it. An elastic event is the projectile, which flies ahead or back, and the nucleus.

Coordinates u of a particle (mass m, momentum in the rest frame of the whole, projectile along z)::

    u_x = px / w,  u_y = py / w,  u_z = (y - m_y) / w_y,

with laboratory rapidity y; for all but slow kinds y is counted from the rest frame of projectile and one nucleon, in
units of a third of ln(sqrt(s) / m_pi) of those two. w, m_y and w_y are each kind's spread and mean in the training
events. Elastic scattering has a w proportional to 1 / R, that is A^(-1/3). The residual nucleus takes what is left of
the momentum and has no coordinates.

Without a residual nucleus momenta add up to zero: sum_i w_i u_i = 0 across the beam; and as the energy fixes a common
shift of all y, the u_z are given up to such a shift, here with sum_i u_z,i / w_y,i = 0.

Conventions: GeV, rapidity along the beam; see ``simulators.hadronic``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import ELASTIC, Events, incoming_numbers
from cloudchamber.simulators.hadronic.kinematics import to_rest
from cloudchamber.simulators.hadronic.particles import MIXED_KAONS, NUCLEUS, conserved, masses, nucleus_code

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

K0 = 311
NUCLEON, PION = 0.93892, 0.13957
"""Masses in GeV."""
SLOW_NUCLEON, SLOW_PHOTON = 0.03, 0.02
"""Kinetic energy in GeV below which nucleons and photons from a nucleus count as slow."""
LIGHT = 12
"""Mass number up to which a nucleus is a kind of its own, if another one is heavier."""
FRAGMENTS = (14, 18, 23, 29, 36, 44, 52, 60, 68, 76, 84, 92, 100)
"""Mass numbers of the kinds that stand for nuclei above LIGHT which are not the heaviest of their event."""
ION = 4
"""Mass number up to which a nucleus is a kind even if it is the heaviest."""
LARGEST = 208
"""Mass number of the largest residual nucleus."""
RARE = 10
"""Fewest training particles of a kind that is learned."""


@dataclass(frozen=True)
class Vocabulary:
    """Kinds of particles in the order in which their counts are drawn: rare ones first.

    Attributes:
        code: PDG codes (kind,).
        slow: whether it is the slow sort (kind,).
        most: largest count in the training events (kind,).
    """

    code: Ints
    slow: NDArray[np.bool_]
    most: Ints

    @property
    def numbers(self) -> Ints:
        """Charge, baryon number and strangeness (kind, 3)."""
        return conserved(self.code)

    @property
    def mass(self) -> Floats:
        """Masses in GeV (kind,)."""
        return masses(np.where(np.abs(self.code) == K0, MIXED_KAONS[0], self.code))

    @property
    def residual(self) -> int:
        """Class of the residual nucleus.

        Those of elastic scattering follow: the projectile that flies ahead, the nucleus, and the projectile that flies
        back.
        """
        return len(self.code)

    def __len__(self) -> int:
        return len(self.code)


def rapidity_frame(incoming: Floats, projectile_mass: Floats, kinetic_energy: Floats) -> tuple[Floats, Floats, Floats]:
    """Rapidity of the whole and of projectile and one nucleon in the laboratory, and the unit of rapidity (event,)."""
    momentum = np.sqrt(kinetic_energy * (kinetic_energy + 2 * projectile_mass))
    energy = kinetic_energy + projectile_mass
    whole = np.arctanh(momentum / incoming[:, 0])
    single = np.arctanh(momentum / (energy + NUCLEON))
    mass = np.sqrt((energy + NUCLEON) ** 2 - momentum**2)
    return whole, single, np.log(mass / PION) / 3


def nucleons(code: NDArray[np.integer]) -> Ints:
    """Mass numbers A of nuclei (particle,); 0 for everything else, protons and neutrons too."""
    return np.where(np.abs(code) >= NUCLEUS, code // 10 % 1000, 0).astype(np.int64)


@dataclass(frozen=True)
class FinalStates:
    """Encoded events, the usable ones in the order of the events they were made from.

    Attributes:
        rows: which events they are (event,).
        elastic: (event,).
        strangeness: of projectile and nucleus (event,); a K0L was taken as what closes the event.
        counts: of each kind (event, kind); 0 for elastic events.
        offsets: (event + 1,).
        kind: class of each particle (particle,): kinds of the vocabulary, then those after ``Vocabulary.residual``. In
            an event particles are sorted by class.
        across: px, py in the rest frame of the whole in GeV (particle, 2).
        along: rapidity as explained above, not yet standardised (particle,).
    """

    rows: Ints
    elastic: NDArray[np.bool_]
    strangeness: Ints
    counts: Ints
    offsets: Ints
    kind: Ints
    across: Floats
    along: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, n: int) -> FinalStates:
        """The first n events, or all if there are fewer."""
        n = min(n, len(self))
        end = int(self.offsets[n])
        return FinalStates(
            self.rows[:n], self.elastic[:n], self.strangeness[:n], self.counts[:n], self.offsets[: n + 1],
            self.kind[:end], self.across[:end], self.along[:end],
        )  # fmt: skip


def _codes(events: Events) -> tuple[Ints, NDArray[np.bool_], Ints, NDArray[np.bool_]]:
    """What each particle is, and what strangeness came into each event.

    Of each particle its code with neutral kaons told apart, and whether it is slow (particle,); of each event its
    incoming strangeness, and whether strangeness closes (event,).
    """
    owner = events.event_of
    code = events.kind.astype(np.int64)
    neutral = np.isin(code, MIXED_KAONS)
    kaons = events.sums(neutral)
    missing = incoming_numbers(events)[:, 2] - events.sums(conserved(code)[:, 2])
    mixed = np.isin(events.beam.projectile, MIXED_KAONS)
    sign = np.where((np.arange(len(events)) % 2 == 0), 1, -1)  # a K0L is either, half of the time
    incoming = np.where(mixed, np.where(np.abs(missing + sign) <= kaons, sign, -sign), 0)
    missing = missing + incoming
    positive = (kaons + missing) / 2
    closes = (positive >= 0) & (positive <= kaons) & (positive % 1 == 0)
    # of the neutral kaons of an event, in a random but reproducible order, the first are K0 and the others anti-K0
    order = np.random.default_rng(0).random(len(code))
    sort = np.lexsort((order, ~neutral, owner))
    place = np.empty(len(code), np.int64)
    place[sort] = np.arange(len(code)) - events.offsets[owner[sort]]
    code = np.where(neutral, np.where(place < positive[owner], K0, -K0), code)
    baryons = nucleons(code)
    fragment = (baryons > LIGHT) & ~_residual(events) & (events.channel != ELASTIC)[owner]
    sorts = np.array([nucleus_code(charge_in_the_valley(mass), mass) for mass in FRAGMENTS])
    nearest = np.abs(baryons[fragment, None] - np.array(FRAGMENTS)).argmin(axis=1)
    code[fragment] = sorts[nearest]
    kinetic = events.momentum[:, 0] - masses(events.kind)
    on_nucleus = nucleons(events.nucleus)[owner] > 0
    slow = np.isin(code, (2212, 2112)) & (kinetic < SLOW_NUCLEON) | (code == 22) & (kinetic < SLOW_PHOTON)
    slow = slow & on_nucleus | (nucleons(code) > 0)
    return code, slow, incoming_numbers(events)[:, 2] + incoming, closes


def charge_in_the_valley(baryons: int) -> int:
    """Charge of the nucleus of mass number A that is most stable against beta decay (liquid drop)."""
    return round(float(baryons / (1.98 + 0.0155 * baryons ** (2 / 3))))


def is_residual(charge: NDArray[np.int64], baryons: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether (Z', A') is nothing or a nucleus that a hadronic interaction may leave."""
    mass = np.maximum(baryons, 1)
    stable = mass / (1.98 + 0.0155 * mass ** (2 / 3))
    near = np.abs(charge - stable) <= 2.5 + 0.05 * mass
    nucleus = (baryons > ION) & (baryons <= LARGEST) & (charge > 0) & (charge < baryons) & near
    return np.asarray((charge == 0) & (baryons == 0) | nucleus)


def _residual(events: Events) -> NDArray[np.bool_]:
    """Whether a particle is the residual nucleus of its event: the heaviest nucleus, if above ION (particle,)."""
    weight = nucleons(events.kind)
    order = np.lexsort((weight, events.event_of))
    heaviest = np.zeros(len(weight), np.bool_)
    there = events.count > 0
    heaviest[order[events.offsets[1:][there] - 1]] = True
    return heaviest & (weight > ION)


def vocabulary_of(events: Events) -> Vocabulary:
    """The kinds of inelastic events that were seen at least RARE times."""
    code, slow, _, _ = _codes(events)
    counted = (events.channel != ELASTIC)[events.event_of] & ~_residual(events)
    key = 2 * code[counted] + slow[counted]
    kinds, number = np.unique(key, return_counts=True)
    kept = number >= RARE
    kinds, number = kinds[kept], number[kept]
    kinds = kinds[np.argsort(number, kind="stable")]
    if not len(kinds):
        raise BadInput(f"{len(events)} events hold no kind of particle {RARE} times: give more events")
    owner = events.event_of[counted]
    most = np.array([np.bincount(owner[key == kind]).max() for kind in kinds])
    return Vocabulary(kinds // 2, kinds % 2 == 1, most)


def encode(events: Events, vocabulary: Vocabulary) -> FinalStates:
    """Events in the vocabulary's terms.

    Left out are events with kinds that it does not have (or more of them than it ever saw), and those that break
    conservation of charge, baryon number or strangeness.
    """
    code, slow, strangeness, closes = _codes(events)
    owner, residual = events.event_of, _residual(events)
    elastic = events.channel == ELASTIC
    table = {(int(c), bool(s)): i for i, (c, s) in enumerate(zip(vocabulary.code, vocabulary.slow, strict=True))}
    pairs, place = np.unique(2 * code + slow, return_inverse=True)
    kind = np.array([table.get((int(pair) // 2, bool(pair % 2)), -1) for pair in pairs], np.int64)[place]
    kind[residual] = vocabulary.residual
    scattered = elastic[owner]
    first = np.arange(len(code)) == events.offsets[owner]
    # the scattered projectile is the first of the two, and has the projectile's code
    lead = events.kind == events.beam.projectile[owner]
    both = events.sums(lead) == 2  # p on p: the first
    lead = np.where(both[owner], first, lead)
    rest = to_rest(events.momentum, events.incoming[owner], events.beam.direction[owner])
    kind = np.where(scattered, vocabulary.residual + np.where(lead, np.where(rest[:, 3] < 0, 3, 1), 2), kind)
    counts = np.zeros((len(events), len(vocabulary)), np.int64)
    counted = ~scattered & (kind >= 0) & (kind < len(vocabulary))
    np.add.at(counts, (owner[counted], kind[counted]), 1)
    balance = incoming_numbers(events) - events.sums(conserved(events.kind)).astype(np.int64)
    moved = events.sums(conserved(code) - conserved(np.where(nucleons(code) > 0, events.kind, code)))
    sane = (events.sums(kind < 0) == 0) & closes & (balance[:, :2] == 0).all(axis=1) & (events.count >= 2)
    heavy = (events.sums(np.where(residual[:, None], conserved(events.kind), 0)) - moved).astype(np.int64)
    sane &= elastic | is_residual(heavy[:, 0], heavy[:, 1])
    sane &= (counts <= vocabulary.most).all(axis=1)
    sane &= ~elastic | (events.count == 2) & (events.sums(lead) == 1)

    whole, single, unit = rapidity_frame(events.incoming, masses(events.beam.projectile), events.beam.kinetic_energy)
    transverse = np.sqrt(masses(events.kind) ** 2 + rest[:, 1] ** 2 + rest[:, 2] ** 2)
    y = np.arcsinh(rest[:, 3] / np.maximum(transverse, 1e-6)) + whole[owner]
    slow_class = np.concatenate([vocabulary.slow, [True] * 4])[kind]
    along = np.where(slow_class, y, (y - single[owner]) / unit[owner])

    rows = np.flatnonzero(sane)
    sort = np.lexsort((along, kind, owner))
    sort = sort[sane[owner[sort]]]
    offsets = np.concatenate([[0], np.cumsum(events.count[rows])])
    return FinalStates(
        rows, elastic[rows], strangeness[rows], counts[rows] * ~elastic[rows, None], offsets, kind[sort],
        rest[sort, 1:3], along[sort],
    )  # fmt: skip
