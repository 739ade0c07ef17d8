"""Random numbers that every language makes alike: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) as a counter.

All arithmetic is of unsigned 64-bit integers that wrap around. With G = 0x9E3779B97F4A7C15 and::

    mix(z):  z ^= z >> 30;  z *= 0xBF58476D1CE4E5B9;  z ^= z >> 27;  z *= 0x94D049BB133111EB;  z ^= z >> 31,

number k = 0, 1, ... of attempt a at event i is::

    u = (mix(s + (k + 1) G) >> 11) / 2^53,   s = mix(mix(mix(seed) + i) + a),   0 <= u < 1.

So an event's numbers depend on the seed and its place alone, not on how events are put into batches. A normal number
takes two of them, sqrt(-2 ln(1 - u1)) cos(2 pi u2) (Box and Muller).

What a generator of hadronic interactions with K kinds takes from an attempt: 2 + K for the kinds; then seven a
particle, one for the coin and two for each of three normal numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WORD = 2**64
A_PARTICLE = 7
"""Numbers that a particle takes."""


def mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's mixing of 64 bits."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniform_numbers(seed: int, event: NDArray[np.int64], attempt: int, first: int, number: int) -> NDArray[np.float64]:
    """Numbers ``first`` to ``first + number`` of an attempt at some events: (event, number), from 0 to below 1."""
    start = mix(np.array([seed % WORD], np.uint64)) + event.astype(np.uint64)
    start = mix(mix(start) + np.uint64(attempt))
    count = np.arange(first + 1, first + number + 1, dtype=np.uint64)
    bits = mix(start[:, None] + count * np.uint64(0x9E3779B97F4A7C15))
    return np.asarray((bits >> np.uint64(11)) * 2.0**-53)


def for_kinds(seed: int, event: NDArray[np.int64], attempt: int, kinds: int) -> NDArray[np.float64]:
    """Uniform numbers (event, 2 + kind)."""
    return uniform_numbers(seed, event, attempt, 0, 2 + kinds)


def for_momenta(
    seed: int, event: NDArray[np.int64], attempt: int, kinds: int, particles: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Coins (event, particle) and normal numbers (event, particle, 3)."""
    drawn = uniform_numbers(seed, event, attempt, 2 + kinds, A_PARTICLE * particles)
    drawn = drawn.reshape(len(event), particles, A_PARTICLE)
    normal = np.sqrt(-2 * np.log1p(-drawn[..., 1::2])) * np.cos(2 * np.pi * drawn[..., 2::2])
    return np.ascontiguousarray(drawn[..., 0]), normal.astype(np.float32)
