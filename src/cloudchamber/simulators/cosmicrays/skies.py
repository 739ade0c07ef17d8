"""Skies of cosmic rays with at most one source: isotropic ones, and sources behind a deflecting field.

Minimal model of the talk by Langner, Erdmann and Wirtz (27 September 2019): a signal cosmic ray of rigidity R = E/Z is
turned from its source by ``coherent / R`` along a great circle, in one random direction per sky that does not depend on
position, then blurred by a von Mises-Fisher distribution of concentration ``kappa = (R / blurring)^2``. The talk gives
the blurring, 2.79 rad EV (half of the largest in JF12); the amplitude of the coherent part, 5.1 rad EV, is our
choice, near the mean of JF12's regular field. With a lens the deflections are those of a Galactic field instead.

Conventions: Galactic unit vectors, EeV, EV; the order of the cosmic rays in a sky is random. Sources are uniform on the
whole sphere whatever the exposure; their cosmic rays are then accepted by the exposure at the direction of arrival. A
source of which fewer than one candidate in 200 arrives gets a new position.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.schema import Arrays, BadInput

from .directions import random_rotation, random_turn, shifted, uniform, von_mises_fisher
from .exposure import View, accepted, isotropic, relative_exposure, view_of
from .spectrum import Pieces, charge_at, charges_of, draw_charges, draw_energies, energy_at, spectrum_pieces

if TYPE_CHECKING:
    from .lens import Lens

CANDIDATES_PER_ARRIVAL = 200
"""A source that needs more candidates than this for one that arrives is practically invisible."""
MAX_POSITIONS = 1000
"""Positions tried for one source."""

Doubles = NDArray[np.float64]
Seed = int | np.random.SeedSequence


@dataclass(frozen=True)
class SkyOptions:
    """What a sky is made of.

    Attributes:
        cosmic_rays: number of cosmic rays in a sky.
        minimum_energy: lowest energy [EeV].
        composition: of the signal, see ``charges_of``.
        exposure: see ``view_of``.
        coherent: the coherent deflection is coherent / R [rad EV].
        blurring: the blurring is blurring / R [rad EV].

    Raises:
        BadInput: a value that cannot be.
    """

    cosmic_rays: int = 1000
    minimum_energy: float = 40.0
    composition: str = "He"
    exposure: str = "full"
    coherent: float = 5.1
    blurring: float = 2.79

    def __post_init__(self) -> None:
        if self.cosmic_rays < 1:
            raise BadInput(f"{self.cosmic_rays} cosmic rays in a sky: need at least 1", status=2)
        for name in ("coherent", "blurring"):
            if not 0 <= getattr(self, name) < math.inf:
                raise BadInput(f"{name} = {getattr(self, name)} rad EV: need a number of at least 0", status=2)
        spectrum_pieces(self.minimum_energy)
        charges_of(self.composition)
        view_of(self.exposure)


def draw_skies(options: SkyOptions, n_signal: NDArray[np.integer[Any]], seed: Seed, lens: Lens | None = None) -> Arrays:
    """One sky for every entry of ``n_signal``.

    Args:
        options: the skies.
        n_signal: (sky) number of cosmic rays from the source, exact; 0: an isotropic sky.
        seed: the result depends on options, n_signal, lens and seed only.
        lens: the Galactic field's lens; None: the minimal model.

    Returns:
        ``energy`` (sky, cosmic_ray) float32 [EeV]; ``direction`` (sky, cosmic_ray, 3) float32; ``signal``
        (sky, cosmic_ray) uint8; ``source`` (sky, 3) float32, 0 for an isotropic sky; ``n_signal`` (sky) int32.

    Raises:
        BadInput: n_signal below 0 or above the number of cosmic rays; no source can be seen.
    """
    counts = checked_counts(options, n_signal)
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    if lens is None:
        source, energy, direction, lost = _minimal(rng, options, offsets)
        if lost:
            raise _invisible(options)
    else:
        source, energy, direction = _lensed(rng, options, counts, lens)
    labels = np.ones(len(energy), np.uint8)
    return fill(rng, options, offsets, energy, direction, labels) | {
        "source": source.astype(np.float32),
        "n_signal": counts.astype(np.int32),
    }


def checked_counts(options: SkyOptions, n_signal: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """The numbers of signal cosmic rays (sky), or BadInput if one does not fit in a sky."""
    counts = np.asarray(n_signal)
    if counts.ndim != 1 or counts.dtype.kind not in "iu":
        raise BadInput(f"n_signal: expected whole numbers (sky), found {counts.dtype} of shape {counts.shape}")
    if counts.size and (counts.min() < 0 or counts.max() > options.cosmic_rays):
        wrong = counts.min() if counts.min() < 0 else counts.max()
        raise BadInput(f"{wrong} signal cosmic rays in a sky of {options.cosmic_rays}: need 0 to {options.cosmic_rays}")
    return counts.astype(np.int64)


def _invisible(options: SkyOptions) -> BadInput:
    return BadInput(f"no visible source position among {MAX_POSITIONS} with the exposure {options.exposure!r}")


def _minimal(rng: np.random.Generator, options: SkyOptions, offsets: NDArray[np.int64]) -> tuple[Any, ...]:
    charges, fractions = charges_of(options.composition)
    result: tuple[Any, ...] = _minimal_signals(
        rng,
        offsets,
        spectrum_pieces(options.minimum_energy),
        charges,
        fractions,
        view_of(options.exposure),
        options.coherent,
        options.blurring,
    )
    return result


@njit(cache=True, nogil=True)
def deflected(
    rng: np.random.Generator,
    x: float,
    y: float,
    z: float,
    rigidity: float,
    tangent: float,
    coherent: float,
    blurring: float,
) -> tuple[float, float, float]:
    """The direction of arrival in the minimal model: coherent turn along ``tangent`` [rad], then blurring."""
    arc = coherent / rigidity
    x, y, z = shifted(x, y, z, math.cos(arc), math.sin(arc), tangent)
    if blurring > 0.0:
        x, y, z = von_mises_fisher(rng, x, y, z, (rigidity / blurring) ** 2)
    return x, y, z


@njit(cache=True, nogil=True)
def _minimal_signals(
    rng: np.random.Generator,
    offsets: NDArray[np.int64],
    pieces: Pieces,
    charges: NDArray[np.int64],
    fractions: Doubles,
    view: View,
    coherent: float,
    blurring: float,
) -> tuple[Doubles, Doubles, Doubles, bool]:
    """Sources (sky, 3), energies (signal), directions (signal, 3) of all skies; whether a source found no place."""
    skies = len(offsets) - 1
    source = np.zeros((skies, 3))
    energy = np.empty(offsets[-1])
    direction = np.empty((offsets[-1], 3))
    for sky in range(skies):
        first, stop = offsets[sky], offsets[sky + 1]
        if first == stop:
            continue
        i = first
        for _ in range(MAX_POSITIONS):
            i, candidates = first, 0
            gx, gy, gz = uniform(rng)
            tangent = 2.0 * math.pi * rng.random()
            while i < stop:
                candidates += 1
                if candidates > CANDIDATES_PER_ARRIVAL * (i - first + 1):
                    break
                e = energy_at(pieces, rng.random())
                rigidity = e / charge_at(charges, fractions, rng.random())
                x, y, z = deflected(rng, gx, gy, gz, rigidity, tangent, coherent, blurring)
                if accepted(rng, view, x, y, z):
                    energy[i] = e
                    direction[i, 0], direction[i, 1], direction[i, 2] = x, y, z
                    i += 1
            if i == stop:
                break
        if i < stop:
            return source, energy, direction, True
        source[sky, 0], source[sky, 1], source[sky, 2] = gx, gy, gz
    return source, energy, direction, False


def _lensed(
    rng: np.random.Generator, options: SkyOptions, counts: NDArray[np.int64], lens: Lens
) -> tuple[Doubles, Doubles, Doubles]:
    """Sources (sky, 3), energies (signal) and directions (signal, 3) of all skies behind a Galactic field."""
    source = np.zeros((len(counts), 3))
    energies, directions = [np.empty(0)], [np.empty((0, 3))]
    for sky, count in enumerate(counts):
        if count:
            source[sky], energy, direction = _one_lensed(rng, options, int(count), lens)
            energies.append(energy)
            directions.append(direction)
    return source, np.concatenate(energies), np.concatenate(directions)


def _one_lensed(
    rng: np.random.Generator, options: SkyOptions, count: int, lens: Lens
) -> tuple[Doubles, Doubles, Doubles]:
    from .lens import lensed_arrivals

    for _ in range(MAX_POSITIONS):
        source = np.array(uniform(rng))
        energies, directions, seen, candidates = [], [], 0, 0
        while seen < count:
            batch = max(2 * (count - seen), CANDIDATES_PER_ARRIVAL // 2)
            energy = draw_energies(rng, batch, options.minimum_energy)
            rigidity = energy / draw_charges(rng, batch, options.composition)
            direction, through = lensed_arrivals(lens, source, rigidity, rng)
            arrives = through & seen_by(rng, options, direction)
            energies.append(energy[arrives])
            directions.append(direction[arrives])
            seen += int(arrives.sum())
            candidates += batch
            if candidates >= CANDIDATES_PER_ARRIVAL * (seen + 1):
                break
        if seen >= count:
            return source, np.concatenate(energies)[:count], np.concatenate(directions)[:count]
    raise _invisible(options)


def seen_by(rng: np.random.Generator, options: SkyOptions, direction: Doubles) -> NDArray[np.bool_]:
    """Whether the observatory sees cosmic rays of directions (n, 3), with a probability that goes as its exposure."""
    view = view_of(options.exposure)
    if view.uniform:
        return np.ones(len(direction), np.bool_)
    chance = relative_exposure(direction, options.exposure) * (view.mean / view.maximum)
    return rng.random(len(direction)) < chance


def fill(
    rng: np.random.Generator,
    options: SkyOptions,
    offsets: NDArray[np.int64],
    energy: Doubles,
    direction: Doubles,
    labels: NDArray[np.uint8],
) -> Arrays:
    """Whole skies from the cosmic rays of sources: the rest isotropic, the order random.

    Args:
        rng: random numbers.
        options: number of cosmic rays, spectrum and exposure of the isotropic ones.
        offsets: (sky + 1) where the cosmic rays of each sky begin in the next three.
        energy: [EeV].
        direction: (..., 3).
        labels: what ``signal`` is to be for each.

    Returns:
        ``energy``, ``direction`` and ``signal`` as in ``draw_skies``.
    """
    energies, directions, signal = _fill(
        rng,
        options.cosmic_rays,
        spectrum_pieces(options.minimum_energy),
        view_of(options.exposure),
        offsets,
        energy,
        direction,
        labels,
    )
    return {"energy": energies, "direction": directions, "signal": signal}


@njit(cache=True, nogil=True)
def _fill(
    rng: np.random.Generator,
    cosmic_rays: int,
    pieces: Pieces,
    view: View,
    offsets: NDArray[np.int64],
    energy: Doubles,
    direction: Doubles,
    labels: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    skies = len(offsets) - 1
    energies = np.empty((skies, cosmic_rays), np.float32)
    directions = np.empty((skies, cosmic_rays, 3), np.float32)
    signal = np.zeros((skies, cosmic_rays), np.uint8)
    for sky in range(skies):
        left = offsets[sky + 1] - offsets[sky]
        order = np.arange(offsets[sky], offsets[sky + 1])
        for i in range(cosmic_rays):
            # each place is one of the ``left`` with probability left / places left: every choice of places is as likely
            if left and rng.random() * (cosmic_rays - i) < left:
                pick = int(rng.random() * left)
                j = order[pick]
                left -= 1
                order[pick] = order[left]
                energies[sky, i] = energy[j]
                directions[sky, i, 0] = direction[j, 0]
                directions[sky, i, 1] = direction[j, 1]
                directions[sky, i, 2] = direction[j, 2]
                signal[sky, i] = labels[j]
            else:
                energies[sky, i] = energy_at(pieces, rng.random())
                x, y, z = isotropic(rng, view)
                directions[sky, i, 0], directions[sky, i, 1], directions[sky, i, 2] = x, y, z
    return energies, directions, signal


def redraw(records: Arrays, options: SkyOptions, seed: Seed, rotate: bool) -> Arrays:
    """An augmented copy: signal cosmic rays kept, isotropic ones (energy and direction) drawn afresh, a new order.

    Args:
        records: as ``draw_skies`` returns them; they are not changed. Other columns are passed on as they are.
        options: those of the records.
        seed: of this copy.
        rotate: turn signal and source of each sky by a random rotation; with a partial exposure by a random angle about
            the celestial pole, the only symmetry that it leaves. Not for skies behind a lens: a field has no symmetry.
    """
    rng = np.random.default_rng(seed)
    if records["energy"].shape[1] != options.cosmic_rays:
        raise BadInput(
            f"skies of {records['energy'].shape[1]} cosmic rays, but the options say {options.cosmic_rays}: "
            "give the options they were drawn with"
        )
    offsets, energy, direction, source = _signals(
        rng,
        records["energy"],
        records["direction"],
        records["signal"],
        records["source"],
        rotate,
        view_of(options.exposure).uniform,
    )
    new = fill(rng, options, offsets, energy, direction, np.ones(len(energy), np.uint8))
    return records | new | {"source": source}


@njit(cache=True, nogil=True)
def _signals(
    rng: np.random.Generator,
    energy: NDArray[np.float32],
    direction: NDArray[np.float32],
    signal: NDArray[np.uint8],
    source: NDArray[np.float32],
    rotate: bool,
    anyhow: bool,
) -> tuple[NDArray[np.int64], Doubles, Doubles, NDArray[np.float32]]:
    """The signal cosmic rays of each sky, turned (in any way, or about the celestial pole), with the sources."""
    skies, cosmic_rays = signal.shape
    offsets = np.zeros(skies + 1, np.int64)
    for sky in range(skies):
        offsets[sky + 1] = offsets[sky]
        for i in range(cosmic_rays):
            if signal[sky, i]:
                offsets[sky + 1] += 1
    energies = np.empty(offsets[-1])
    directions = np.empty((offsets[-1], 3))
    sources = np.empty((skies, 3), np.float32)
    turn = np.eye(3)
    j = 0
    for sky in range(skies):
        if rotate:
            turn = random_rotation(rng) if anyhow else random_turn(rng)
        for k in range(3):
            sources[sky, k] = turn[k, 0] * source[sky, 0] + turn[k, 1] * source[sky, 1] + turn[k, 2] * source[sky, 2]
        for i in range(cosmic_rays):
            if signal[sky, i]:
                energies[j] = energy[sky, i]
                for k in range(3):
                    directions[j, k] = (
                        turn[k, 0] * direction[sky, i, 0]
                        + turn[k, 1] * direction[sky, i, 1]
                        + turn[k, 2] * direction[sky, i, 2]
                    )
                j += 1
    return offsets, energies, directions, sources
