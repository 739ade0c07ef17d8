"""Skies of a universe with many sources: the density of sources decides how many of them contribute.

Sources of equal luminosity lie uniformly in a Euclidean ball (no evolution, no clustering). The spectrum at Earth is
the measured one, so a cosmic ray of energy E comes from the source at distance d with a probability proportional to
``exp(-d / L(E)) / d^2``. That factor is exact for sources with an E^-2 spectrum and a loss length that stays the same
along the way. The loss length is that of protons at redshift 0:

* pions on the microwave background: rate ``A exp(-B / E)``, A = 3.66e-8 / yr, B = 287 EeV (L. Anchordoqui et al.,
  Phys. Rev. D 55 (1997) 7356, hep-ph/9704387, a fit that holds below 690 EeV);
* electron pairs and expansion: together a constant 1000 Mpc, within 10 % of M. De Domenico and A. Insolia, J. Phys. G
  40 (2013) 015201 from 10 to 100 EeV (measured with their formulae, H0 = 70 km/s/Mpc).

So L is 916, 500, 129 and 34 Mpc at 40, 60, 100 and 200 EeV. Nuclei that survive from their source have shorter ones;
the light nuclei that arrive are mostly fragments of heavier ones, and the horizon of protons stands in for that chain:
the weakest assumption here. What lies beyond the largest distance is left out, or is the isotropic rest.

The coherent deflection of the minimal model has one amplitude everywhere and a random direction for each source. Two
and more cosmic rays from a source are signal; one alone is not, for no method could tell.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.schema import Arrays, BadInput

from .directions import uniform
from .exposure import View, accepted, view_of
from .skies import Doubles, Seed, SkyOptions, deflected, fill, seen_by
from .spectrum import draw_charges, draw_energies

if TYPE_CHECKING:
    from .lens import Lens

PION_RATE = 3.66e-8 / 3.06601e-7
"""A [1/Mpc]: the rate per year over the length of a light year [Mpc]."""
PION_ENERGY = 287.0
"""B [EeV]."""
OTHER_LENGTH = 1000.0
"""Loss length of pair production and expansion [Mpc]."""

DENSITIES = {10: 1.534e-7, 50: 7.67e-7, 250: 4.828e-6}
"""Sources per Mpc^3 for which on average 10, 50 and 250 contribute to 1000 cosmic rays, with all other options at their
defaults: ``density_for(UniverseOptions(), n, seed=11, universes=1000)``, good to 1 %."""

MAX_SOURCES = 1_000_000
"""Sources in the ball that are still simulated one by one."""
MIN_SOURCES = 0.1
"""Mean number of sources in the ball below which a universe is as good as empty."""
MAX_TRIES = 20_000
"""Sources tried for one cosmic ray before the universe is drawn afresh: none of its sources can be seen."""
MAX_ROUNDS = 200
"""The same for skies behind a lens, where all cosmic rays try at once."""
CANDIDATES = 8
"""Tries for each cosmic ray in one call of the lens."""
MAX_UNIVERSES = 1000
"""Universes tried for one sky."""


@dataclass(frozen=True)
class UniverseOptions:
    """What a universe is made of.

    Attributes:
        sky: number of cosmic rays, spectrum, composition, exposure, deflections.
        density: sources per Mpc^3.
        maximum_distance: radius of the ball with sources [Mpc].
        signal_fraction: the fraction of cosmic rays that come from these sources (rounded to whole cosmic rays); the
            others are isotropic.

    Raises:
        BadInput: a value that cannot be, or a ball with too few or too many sources.
    """

    sky: SkyOptions = field(default_factory=SkyOptions)
    density: float = 1e-5
    maximum_distance: float = 250.0
    signal_fraction: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.maximum_distance < math.inf:
            raise BadInput(f"maximum distance {self.maximum_distance} Mpc: need a positive number", status=2)
        if not 0 <= self.signal_fraction <= 1:
            raise BadInput(f"signal fraction {self.signal_fraction}: need a number between 0 and 1", status=2)
        volume = 4 / 3 * math.pi * self.maximum_distance**3
        if not MIN_SOURCES <= self.density * volume <= MAX_SOURCES:
            raise BadInput(
                f"source density {self.density:g} / Mpc^3: need {MIN_SOURCES / volume:.2g} to"
                f" {MAX_SOURCES / volume:.2g} within {self.maximum_distance:g} Mpc",
                status=2,
            )

    @property
    def mean_sources(self) -> float:
        """Mean number of sources in the ball."""
        return self.density * 4 / 3 * math.pi * self.maximum_distance**3


@njit(cache=True, nogil=True)
def loss_length(energy: float) -> float:
    """Loss length of a proton of ``energy`` [EeV] at redshift 0 [Mpc]."""
    return 1.0 / (PION_RATE * math.exp(-PION_ENERGY / energy) + 1.0 / OTHER_LENGTH)


def draw_universes(options: UniverseOptions, n: int, seed: Seed, lens: Lens | None = None) -> Arrays:
    """``n`` skies, each of its own universe.

    Args:
        options: the universe.
        n: number of skies.
        seed: the result depends on options, n, lens and seed only.
        lens: the Galactic field's lens; None: the minimal model.

    Returns:
        As ``draw_skies``, with ``signal`` 1 for cosmic rays of sources that gave at least 2; ``n_signal`` their number;
        ``source`` the direction of the source that gave most (0 without any); and ``sources`` (sky) int32, the number
        of sources that gave at least 1.

    Raises:
        BadInput: no source can be seen.
    """
    rng = np.random.default_rng(seed)
    count = round(options.sky.cosmic_rays * options.signal_fraction)
    energy = draw_energies(rng, n * count, options.sky.minimum_energy).reshape(n, count)
    rigidity = energy / draw_charges(rng, n * count, options.sky.composition).reshape(n, count)
    direction = np.empty((n, count, 3))
    origin = np.empty((n, count), np.int64)
    strongest = np.zeros((n, 3))
    for sky in range(n if count else 0):
        if lens is None:
            direction[sky], origin[sky], strongest[sky], lost = _one_minimal(
                rng,
                options.mean_sources,
                options.maximum_distance,
                energy[sky],
                rigidity[sky],
                view_of(options.sky.exposure),
                options.sky.coherent,
                options.sky.blurring,
            )
            if lost:
                raise _invisible(options)
        else:
            direction[sky], origin[sky], strongest[sky] = _one_lensed(rng, options, energy[sky], rigidity[sky], lens)
    sources = np.zeros(n, np.int32)
    labels = np.zeros((n, count), np.uint8)
    for sky in range(n if count else 0):
        _, which, numbers = np.unique(origin[sky], return_inverse=True, return_counts=True)
        sources[sky] = len(numbers)
        labels[sky] = numbers[which] >= 2
    offsets = np.arange(n + 1) * count
    records = fill(rng, options.sky, offsets, energy.ravel(), direction.reshape(-1, 3), labels.ravel())
    return records | {
        "source": strongest.astype(np.float32),
        "n_signal": labels.sum(axis=1, dtype=np.int32),
        "sources": sources,
    }


def _invisible(options: UniverseOptions) -> BadInput:
    return BadInput(
        f"no visible source in {MAX_UNIVERSES} universes with the exposure {options.sky.exposure!r} and a density of"
        f" {options.density:g} / Mpc^3: give a higher density"
    )


@njit(cache=True, nogil=True)
def _sources(rng: np.random.Generator, mean: float, maximum: float) -> tuple[Doubles, Doubles]:
    """Distances [Mpc] of the sources in the ball, at least one, and the cumulative sum of their fluxes."""
    number = 0
    while number == 0:
        number = rng.poisson(mean)
    distance = np.empty(number)
    flux = np.empty(number)
    total = 0.0
    for i in range(number):
        distance[i] = maximum * (1.0 - rng.random()) ** (1.0 / 3.0)
        total += 1.0 / (distance[i] * distance[i])
        flux[i] = total
    return distance, flux


@njit(cache=True, nogil=True)
def _pick(rng: np.random.Generator, flux: Doubles) -> int:
    """A source in proportion to its flux without losses."""
    return min(int(np.searchsorted(flux, rng.random() * flux[-1], side="right")), len(flux) - 1)


@njit(cache=True, nogil=True)
def _one_minimal(
    rng: np.random.Generator,
    mean: float,
    maximum: float,
    energy: Doubles,
    rigidity: Doubles,
    view: View,
    coherent: float,
    blurring: float,
) -> tuple[Doubles, NDArray[np.int64], Doubles, bool]:
    """One sky: directions (cosmic_ray, 3), source of each, direction of the strongest; whether nothing can be seen."""
    direction = np.empty((len(energy), 3))
    origin = np.empty(len(energy), np.int64)
    strongest = np.zeros(3)
    for _ in range(MAX_UNIVERSES):
        distance, flux = _sources(rng, mean, maximum)
        nearest = distance.min()
        place = np.empty((len(distance), 4))  # direction and tangent, drawn when a source is first needed
        given = np.full(len(distance), -1)
        done = 0
        for i in range(len(energy)):
            length = loss_length(energy[i])
            found = False
            for _ in range(MAX_TRIES):
                j = _pick(rng, flux)
                # relative to the nearest source, so that at least one source is never refused
                if rng.random() >= math.exp((nearest - distance[j]) / length):
                    continue
                if given[j] < 0:
                    given[j] = 0
                    place[j, 0], place[j, 1], place[j, 2] = uniform(rng)
                    place[j, 3] = 2.0 * math.pi * rng.random()
                x, y, z = deflected(
                    rng, place[j, 0], place[j, 1], place[j, 2], rigidity[i], place[j, 3], coherent, blurring
                )
                if accepted(rng, view, x, y, z):
                    direction[i, 0], direction[i, 1], direction[i, 2] = x, y, z
                    origin[i] = j
                    given[j] += 1
                    found = True
                    break
            if not found:
                break
            done += 1
        if done == len(energy):
            strongest[:] = place[given.argmax(), :3]
            return direction, origin, strongest, False
    return direction, origin, strongest, True


def _one_lensed(
    rng: np.random.Generator, options: UniverseOptions, energy: Doubles, rigidity: Doubles, lens: Lens
) -> tuple[Doubles, NDArray[np.int64], Doubles]:
    """As ``_one_minimal`` behind a lens: a source counts with its magnification at each cosmic ray's rigidity."""
    from .lens import magnification

    length = np.array([loss_length(one) for one in energy])
    # the lens picks one of the two bins next to a rigidity, linearly in log R: on average this interpolation
    at = np.interp(np.log(rigidity), np.log(lens.rigidities), np.arange(len(lens.rigidities), dtype=np.float64))
    low = np.minimum(at.astype(np.int64), max(0, len(lens.rigidities) - 2))
    high = np.minimum(low + 1, len(lens.rigidities) - 1)
    for _ in range(MAX_UNIVERSES):
        distance, _flux = _sources(rng, options.mean_sources, options.maximum_distance)
        places = np.array([uniform(rng) for _ in distance])
        mu = np.stack([magnification(lens, place) for place in places], axis=1)  # (bin, source)
        direction = np.empty((len(energy), 3))
        origin = np.full(len(energy), -1)
        for _ in range(MAX_ROUNDS):
            waiting = np.flatnonzero(origin < 0)
            if not len(waiting):
                return direction, origin, places[np.bincount(origin).argmax()]
            chosen = np.full(len(energy), -1)
            for i in waiting:
                share = at[i] - low[i]
                weight = (1 - share) * mu[low[i]] + share * mu[high[i]]
                sums = np.cumsum(weight * np.exp((distance.min() - distance) / length[i]) / distance**2)
                if sums[-1] > 0:
                    pick = np.searchsorted(sums, rng.random() * sums[-1], side="right")
                    chosen[i] = min(int(pick), len(distance) - 1)
            for j in np.unique(chosen[chosen >= 0]):
                mine = np.flatnonzero(chosen == j)
                where, seen = _arrivals_of_all(rng, options.sky, places[j], rigidity[mine], lens)
                direction[mine[seen]] = where[seen]
                origin[mine[seen]] = j
    raise _invisible(options)


def _arrivals_of_all(
    rng: np.random.Generator, sky: SkyOptions, source: Doubles, rigidity: Doubles, lens: Lens
) -> tuple[Doubles, NDArray[np.bool_]]:
    """Directions (n, 3) through the lens for cosmic rays that do arrive; (n) whether the observatory sees each."""
    from .lens import lensed_arrivals

    direction, arrived = np.zeros((len(rigidity), 3)), np.zeros(len(rigidity), np.bool_)
    for _ in range(MAX_ROUNDS):
        missing = np.flatnonzero(~arrived)
        if not len(missing):
            break
        again = np.tile(missing, CANDIDATES)  # several tries in one call: what a call costs hardly depends on them
        where, through = lensed_arrivals(lens, source, rigidity[again], rng)
        direction[again[through]] = where[through]
        arrived[again[through]] = True
    return direction, arrived & seen_by(rng, sky, direction)


def density_for(options: UniverseOptions, contributing: float, seed: Seed = 0, universes: int = 200) -> float:
    """The source density [Mpc^-3] for which on average ``contributing`` sources give at least one cosmic ray.

    Bisection of the mean over simulated universes, the same random seed at every step; good to about 2 % with 200
    universes. Deflections matter little (only at the edge of a partial exposure): the minimal model is used.

    Args:
        options: all but the density, which is not read.
        contributing: mean number of contributing sources.
        seed: of the universes.
        universes: number of universes at each step.

    Raises:
        BadInput: so many or so few sources cannot be, whatever the density.
    """
    volume = 4 / 3 * math.pi * options.maximum_distance**3

    def mean(density: float) -> float:
        changed = dataclasses.replace(options, density=density)
        return float(draw_universes(changed, universes, seed)["sources"].mean())

    low, high = MIN_SOURCES / volume * (1 + 1e-9), MAX_SOURCES / volume * (1 - 1e-9)
    start = min(max(contributing / volume, low), high)
    step = 4.0
    if mean(start) < contributing:
        low = start
        while start < high and mean(start) < contributing:
            low, start = start, min(start * step, high)
        high = start
        reachable = mean(high) >= contributing
    else:
        high = start
        reachable = mean(low) <= contributing
    if not reachable:
        raise BadInput(
            f"{contributing:g} contributing sources: no density gives that with {options.sky.cosmic_rays} cosmic rays,"
            f" {options.signal_fraction:.1%} from sources within {options.maximum_distance:g} Mpc",
            status=2,
        )
    while high / low > 1.005:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if mean(middle) < contributing else (low, middle)
    return math.sqrt(low * high)
