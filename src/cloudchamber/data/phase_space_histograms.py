"""Final states of transport as three-channel histograms of phase space, and back: the images of the talk.

After "Emulating BLOB with Deep Learning" (C. Mancini-Terracciano, BLOB-ML meeting, 10 June 2021, slides 13 to 15; see
also Ciardiello et al., Phys. Med. 73 (2020)). An event is filled into cells of momentum, angle with the beam and
distance, in three channels, one for each large fragment. A gas particle goes to the channel of the fragment next to it;
its distance is that from the fragment's centre at freeze-out. A fragment is 500 A particles at distance 0, all at its
angle, with momenta from a Gaussian about its momentum per nucleon whose width tells its excitation energy E*:

    sigma^2 = RESOLUTION^2 + 2 m E* / (3 A),

the spread along an axis of A nucleons that move thermally with the kinetic energy E* in all. RESOLUTION is there since
a Gaussian narrower than half a bin cannot be read back from bins.

Back: the particles within 1 fm are the fragment; their number, their mean momentum, mean angle and variance (less the
square of RESOLUTION and, after Sheppard, of bin width / sqrt(12)) give A, P, theta and E*.

What the histograms do not hold and ``decode`` makes up: charges (every fragment and the gas get the Z / A of the
whole), azimuths (fragments leave with the least total transverse momentum, gas evenly), the places of fragments (they
fly from the origin since TRAVEL) and on which side of a fragment its gas is. Negative excitation energies come back as
0. A fourth fragment and lighter ones are filled in as gas.

Conventions: as in ``data.collisions``; contents of cells in nucleons. Channels: of the two heaviest fragments the one
that is faster along +z, the other one, the third heaviest. Projectile and target exchanged: ``exchanged``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from cloudchamber.data.collisions import Entrance, Floats, Integers, Simulated
from cloudchamber.simulators.transport.equation_of_state import NUCLEON_MASS

CHANNELS = 3
PARTICLES = 500
"""Of a nucleon of a fragment."""
MOMENTUM_EDGES = np.linspace(-120.0, 600.0, 33)
"""MeV/c a nucleon. Below 0: particles of the Gaussian of a slow fragment that fly against its direction."""
THETA_EDGES = np.radians(
    [0, 2, 4, 6, 9, 12, 16, 21, 27, 36, 48, 66, 90, 114, 132, 144, 153, 159, 164, 168, 171, 174, 176, 178, 180]
)
"""Finer where the remnants of projectile and target fly, and the same seen from either side."""
DISTANCE_EDGES = np.array([0.0, 1, 3, 5, 8, 11, 14, 17, 20, 24, 28, 33, 39, 46, 55, 70, 120])
"""fm. First the fragments; then the gas, about as much in each but the first, since it reaches far."""
SHAPE = (CHANNELS, len(MOMENTUM_EDGES) - 1, len(THETA_EDGES) - 1, len(DISTANCE_EDGES) - 1)
"""Of the histograms of one event."""

MOMENTUM_CENTRES = (MOMENTUM_EDGES[1:] + MOMENTUM_EDGES[:-1]) / 2
THETA_CENTRES = (THETA_EDGES[1:] + THETA_EDGES[:-1]) / 2
BIN_WIDTH = float(MOMENTUM_EDGES[1] - MOMENTUM_EDGES[0])
RESOLUTION = 12.0
"""MeV/c: the Gaussian of a cold fragment, a little more than half a bin."""
LEAST_NUCLEONS = 1.0
"""A fragment has at least that many; what less is within 1 fm counts as gas."""
TRAVEL = 175.0
"""fm/c from the touch of the nuclei to freeze-out: unperturbed nuclei are then where their velocity brings them."""
FAR = 1e6
"""fm: where a fragment is that there is not."""


class FragmentReading(NamedTuple):
    """Fragments of events as their channels have them (event, channel); where A is below LEAST_NUCLEONS there is none.

    Attributes:
        A: nucleons.
        momentum: modulus, of the whole fragment [MeV/c].
        theta: angle with the beam.
        excitation: [MeV].
    """

    A: Floats
    momentum: Floats
    theta: Floats
    excitation: Floats


# --- events to histograms ---------------------------------------------------------------------------------------------


def encode(simulated: Simulated, rng: np.random.Generator) -> NDArray[np.float32]:
    """Histograms (event, channel, momentum, theta, distance) in nucleons.

    Args:
        simulated: the events.
        rng: of the Gaussians.
    """
    histograms = gas_histograms(simulated, rng)
    histograms[..., 0] += fragment_histograms(simulated, rng)
    return histograms


def channels_of(simulated: Simulated) -> Integers:
    """Which fragment is in each channel (event, channel); -1: none."""
    there = np.arange(CHANNELS) < simulated.fragments[:, None]
    chosen = np.where(there, simulated.first_fragment[:-1, None] + np.arange(CHANNELS), -1)
    along = np.where(there, _padded(simulated.momentum[:, 2] / simulated.A)[chosen], 0.0)
    turned = along[:, 1] > along[:, 0]
    chosen[turned, :2] = chosen[turned, 1::-1]
    return chosen.astype(np.int64)


def fragment_histograms(simulated: Simulated, rng: np.random.Generator) -> NDArray[np.float32]:
    """The cells of the fragments (event, channel, momentum, theta) in nucleons, drawn anew with each call.

    The angle is shared out between the two bins whose centres are next to it so that its mean is kept.

    Args:
        simulated: the events.
        rng: of the Gaussians.
    """
    chosen = channels_of(simulated)
    A = _padded(simulated.A)[chosen]
    mean, theta = (_padded(one)[chosen] for one in _polar(simulated.momentum / simulated.A[:, None]))
    spread = width(_padded(simulated.excitation)[chosen], np.maximum(A, 1e-9))
    edges = MOMENTUM_EDGES.copy()
    edges[[0, -1]] = -np.inf, np.inf
    chance = np.diff(ndtr((edges - mean[..., None]) / spread[..., None]), axis=-1)
    number = rng.multinomial(np.rint(PARTICLES * A).astype(np.int64), chance)
    below = np.clip(np.searchsorted(THETA_CENTRES, theta) - 1, 0, len(THETA_CENTRES) - 2)
    share = (theta - THETA_CENTRES[below]) / (THETA_CENTRES[below + 1] - THETA_CENTRES[below])
    above = rng.binomial(number, np.clip(share, 0.0, 1.0)[..., None])
    found = np.zeros((*number.shape, len(THETA_CENTRES)), np.float32)
    np.put_along_axis(found, below[..., None, None] + 1, above[..., None] / PARTICLES, axis=-1)
    np.put_along_axis(found, below[..., None, None], (number - above)[..., None] / PARTICLES, axis=-1)
    return found


def gas_histograms(simulated: Simulated, rng: np.random.Generator) -> NDArray[np.float32]:
    """Histograms (event, channel, momentum, theta, distance) of the gas in nucleons; none of it is within 1 fm.

    Args:
        simulated: the events.
        rng: of the particles of fourth and lighter fragments.
    """
    chosen = channels_of(simulated)
    centres = np.concatenate([simulated.position, np.full((1, 3), FAR)])[chosen]
    centres[simulated.fragments == 0, 0] = 0.0
    found = np.zeros((len(simulated), *SHAPE), np.float32)
    for event in range(len(simulated)):
        gas = slice(*simulated.first_particle[event : event + 2])
        position = simulated.gas_position[gas].astype(np.float64)
        momentum = simulated.gas_momentum[gas].astype(np.float64)
        for lighter in range(simulated.first_fragment[event] + CHANNELS, simulated.first_fragment[event + 1]):
            own = _dissolved(simulated, lighter, rng)
            position, momentum = np.concatenate([position, own[0]]), np.concatenate([momentum, own[1]])
        distance = np.linalg.norm(position[:, None] - centres[event], axis=2)
        channel = distance.argmin(axis=1)
        nearest = np.maximum(distance[np.arange(len(channel)), channel], DISTANCE_EDGES[1])
        modulus, theta = _polar(momentum)
        cells = (channel, _bins(modulus, MOMENTUM_EDGES), _bins(theta, THETA_EDGES), _bins(nearest, DISTANCE_EDGES))
        flat = np.bincount(np.ravel_multi_index(cells, SHAPE), minlength=int(np.prod(SHAPE)))
        found[event] = flat.reshape(SHAPE) / simulated.per_nucleon
    return found


def exchanged(histograms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Projectile and target exchanged: angles and the first two channels seen from the other side.

    Args:
        histograms: (event, channel, momentum, theta, distance).
    """
    return histograms[:, [1, 0, 2], :, ::-1]


def width(excitation: Floats, A: Floats) -> Floats:
    """Of the Gaussian of a fragment [MeV/c]; ``excitation_of`` is the way back.

    Args:
        excitation: [MeV]; below 0 counts as 0.
        A: nucleons.
    """
    return np.asarray(np.sqrt(RESOLUTION**2 + 2 * NUCLEON_MASS * np.maximum(excitation, 0.0) / (3 * A)))


def excitation_of(sigma_squared: Floats, A: Floats) -> Floats:
    """Excitation energy [MeV] that makes a Gaussian so wide.

    Args:
        sigma_squared: [(MeV/c)^2].
        A: nucleons.
    """
    return np.asarray(3 * A / (2 * NUCLEON_MASS) * np.maximum(sigma_squared - RESOLUTION**2, 0.0))


def azimuth_of(simulated: Simulated) -> Floats:
    """Azimuth of the fragment in the first channel that holds one (event,): what ``decode`` can be told."""
    chosen = channels_of(simulated)
    first = np.where(chosen[:, 0] >= 0, chosen[:, 0], chosen[:, 1])
    across = np.concatenate([simulated.momentum[:, :2], np.zeros((1, 2))])[first]
    return np.asarray(np.arctan2(across[:, 1], across[:, 0]))


# --- histograms to events ---------------------------------------------------------------------------------------------


def read_fragments(histograms: NDArray[np.floating]) -> FragmentReading:
    """What is within 1 fm, by number, averages and variance.

    Args:
        histograms: (event, channel, momentum, theta, distance) in nucleons.
    """
    inside = histograms[..., 0].astype(np.float64)
    A = inside.sum(axis=(2, 3))
    share = inside / np.maximum(A, 1e-12)[..., None, None]
    of_momentum, of_theta = share.sum(axis=3), share.sum(axis=2)
    mean = of_momentum @ MOMENTUM_CENTRES
    variance = (of_momentum * (MOMENTUM_CENTRES - mean[..., None]) ** 2).sum(axis=2) - BIN_WIDTH**2 / 12
    theta = of_theta @ THETA_CENTRES
    return FragmentReading(A, A * np.abs(mean), np.where(mean < 0, np.pi - theta, theta), excitation_of(variance, A))


def decode(
    histograms: NDArray[np.floating], entrance: Entrance, rng: np.random.Generator, azimuth: Floats | None = None,
    per_nucleon: int = 50,
) -> Simulated:  # fmt: skip
    """Fragments and particles of the gas. Numbers of nucleons are those of the histograms, right or wrong.

    Args:
        histograms: (event, channel, momentum, theta, distance) in nucleons.
        entrance: which nuclei collided (event,), for the charges.
        rng: what is random.
        azimuth: of the fragment in the first channel that holds one (event,); None: random.
        per_nucleon: particles of the gas that make a nucleon.
    """
    total = (entrance.projectile + entrance.target).astype(np.float64)
    charge = total[:, 1] / total[:, 0]
    reading = read_fragments(histograms)
    there = reading.A >= LEAST_NUCLEONS
    if azimuth is None:
        azimuth = rng.uniform(-np.pi, np.pi, len(histograms))
    phi = _azimuths(np.where(there, reading.momentum * np.sin(reading.theta), 0.0), azimuth, there, rng)
    momentum = reading.momentum[..., None] * _direction(reading.theta, phi)
    position = TRAVEL * momentum / (NUCLEON_MASS * np.maximum(reading.A, 1e-9))[..., None]
    position[~there] = 0.0
    # missing fragments come last, then they are cut
    order = np.argsort(np.where(there, -reading.A, np.inf), axis=1, kind="stable")
    rows = np.arange(len(order))[:, None]
    kept = there[rows, order]
    gas = [
        _drawn_gas(cells, inside, centres, Z_per_A, per_nucleon, rng)
        for cells, inside, centres, Z_per_A in zip(histograms, there, position, charge, strict=True)
    ]
    A = reading.A[rows, order][kept]
    return Simulated(
        there.sum(axis=1), A, A * np.repeat(charge, there.sum(axis=1)), position[rows, order][kept],
        momentum[rows, order][kept], reading.excitation[rows, order][kept],
        np.array([len(species) for species, _, _ in gas], np.int64),
        np.concatenate([species for species, _, _ in gas]), np.concatenate([places for _, places, _ in gas]),
        np.concatenate([momenta for _, _, momenta in gas]), per_nucleon,
    )  # fmt: skip


def _drawn_gas(
    cells: NDArray[np.floating], inside: NDArray[np.bool_], centres: Floats, charge: float, per_nucleon: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:  # fmt: skip
    """Species, positions and momenta of the particles of an event, by systematic sampling: cells get their share."""
    weights = cells.astype(np.float64)
    weights[inside, :, :, 0] = 0.0
    sums = np.cumsum(weights)
    number = int(np.floor(sums[-1] * per_nucleon + rng.random()))
    chosen = np.searchsorted(sums, sums[-1] * (np.arange(number) + rng.random(number)) / max(number, 1), side="right")
    channel, i, j, k = np.unravel_index(np.minimum(chosen, sums.size - 1), SHAPE)
    u, v, w = rng.random((3, number))
    modulus = MOMENTUM_EDGES[i] + u * BIN_WIDTH
    z = np.cos(THETA_EDGES)
    cosine = z[j] + v * (z[j + 1] - z[j])
    momentum = modulus[:, None] * _direction(np.arccos(cosine), rng.uniform(-np.pi, np.pi, number))
    distance = DISTANCE_EDGES[k] + w * (DISTANCE_EDGES[k + 1] - DISTANCE_EDGES[k])
    side = _direction(np.arccos(rng.uniform(-1, 1, number)), rng.uniform(-np.pi, np.pi, number))
    position = centres[channel] + distance[:, None] * side
    protons = rng.permutation(number) < charge * number
    return protons.astype(np.uint8), position.astype(np.float32), momentum.astype(np.float32)


def _azimuths(across: Floats, first: Floats, there: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Azimuths (event, channel) with which transverse momenta ``across`` add up to as little as they can.

    Three that can make a triangle do; else the two smaller ones are opposite to the largest.
    """
    order = np.argsort(-across, axis=1)
    rows = np.arange(len(order))[:, None]
    a, b, c = across[rows, order].T
    cosine = np.clip((c**2 - a**2 - b**2) / np.maximum(2 * a * b, 1e-9), -1.0, 1.0)
    second = np.arccos(cosine) * rng.choice([-1.0, 1.0], len(a))
    third = np.arctan2(-b * np.sin(second), -a - b * np.cos(second))
    phi = np.zeros_like(across)
    phi[rows, order] = np.stack([np.zeros(len(a)), second, third], axis=1)
    reference = phi[rows[:, 0], np.argmax(there, axis=1)]
    return np.asarray(phi + (first - reference)[:, None])


def _dissolved(simulated: Simulated, fragment: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Positions and momenta of the particles of a fragment that has no channel."""
    A = simulated.A[fragment]
    number = (round(A * simulated.per_nucleon), 3)
    spread = width(simulated.excitation[fragment], A)
    position = simulated.position[fragment] + 1.2 * A ** (1 / 3) * rng.uniform(-1, 1, number)
    return position, simulated.momentum[fragment] / A + spread * rng.standard_normal(number)


def _padded(values: NDArray[np.floating]) -> Floats:
    """With a 0 at the end, which the index -1 takes."""
    return np.append(values.astype(np.float64), 0.0)


def _polar(momentum: Floats) -> tuple[Floats, Floats]:
    """Modulus and angle with +z."""
    modulus = np.linalg.norm(momentum, axis=-1)
    return modulus, np.arctan2(np.linalg.norm(momentum[..., :2], axis=-1), momentum[..., 2])


def _direction(theta: Floats, phi: Floats) -> Floats:
    """Unit vectors (..., 3)."""
    return np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=-1)


def _bins(values: Floats, edges: Floats) -> Integers:
    """Numbers of bins; what is beyond an end is in the last bin there."""
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2).astype(np.int64)
