"""Nucleon positions of one nucleus, drawn from its density and rotated at random, in numba.

Steps as in TRENTo (arXiv:1412.4708; program TRENTo 2.0): positions in the body frame, a random rotation, no
recentring; with a hard core nucleons are placed by increasing radius and their angles drawn again until no earlier
nucleon is too near, at most 1000 times. Here the rotation is a uniform one in three dimensions. Lengths in fm.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .nuclei import HULTHEN, Nucleus
from .randomness import GOLDEN, as_uniform, key_of, mix, uniform
from .woods_saxon import CENTRE, EDGE, EMPTY, POLAR, SHELLS, SMALLEST, TAIL, Tables, tables

Floats = NDArray[np.float64]

PROTON, DEUTERON, WOODS_SAXON, CONFIGURATIONS = range(4)
_KINDS = {
    "proton": PROTON,
    "deuteron": DEUTERON,
    "woods_saxon": WOODS_SAXON,
    "configurations": CONFIGURATIONS,
}
MAX_PLACEMENTS = 1000
_HULTHEN_A, _HULTHEN_B = HULTHEN
_LOG_FIRST = math.log(SMALLEST)
_LOG_SCALE = TAIL / (math.log(1.001 * EDGE / CENTRE) - _LOG_FIRST)
_DOMAIN = 1 << 20  # counters of a nucleon start at a multiple of this in the streams with repeated draws


class Sampler(NamedTuple):
    """A nucleus as the compiled code reads it.

    Attributes:
        kind: PROTON, DEUTERON, ...
        size: A.
        protons: nucleons [0, protons) have density 0, the rest density 1 of ``tables`` (A if there is only one).
        deformed, triaxial, octupole, placed: whether steps are needed (``placed``: hard core or correlation).
        minimum_distance: hard core [fm].
        correlated: Miller-Spencer suppression.
        tables: of a Woods-Saxon density.
        configurations: (configuration, nucleon, xyz) [fm].
    """

    kind: int
    size: int
    protons: int
    deformed: bool
    triaxial: bool
    octupole: bool
    placed: bool
    minimum_distance: float
    correlated: bool
    tables: Tables
    configurations: Floats


def sampler(nucleus: Nucleus) -> Sampler:
    """The compiled code's view of a nucleus."""
    dummy = np.zeros((1, 1, 3))
    woods_saxon = nucleus.kind == "woods_saxon"
    return Sampler(
        kind=_KINDS[nucleus.kind],
        size=nucleus.mass_number,
        protons=nucleus.mass_number if len(nucleus.densities) == 1 else nucleus.atomic_number,
        deformed=nucleus.deformed,
        triaxial=nucleus.triaxial,
        octupole=bool(nucleus.beta3),
        placed=woods_saxon and (nucleus.minimum_distance > 1e-5 or nucleus.correlation != "none"),
        minimum_distance=float(nucleus.minimum_distance),
        correlated=nucleus.correlation != "none",
        tables=tables(nucleus) if woods_saxon else EMPTY,
        configurations=dummy
        if nucleus.configurations is None
        else np.ascontiguousarray(nucleus.configurations, dtype=np.float64),
    )


@njit(cache=True, nogil=True)
def rotation(key: np.uint64, matrix: Floats) -> None:
    """A uniform rotation (Euler angles z-x-z, middle one uniform in its cosine) into ``matrix`` (3, 3)."""
    first = 2.0 * math.pi * uniform(key, 0)
    cos_tilt = 2.0 * uniform(key, 1) - 1.0
    spin = 2.0 * math.pi * uniform(key, 2)
    euler(first, cos_tilt, spin, matrix)


@njit(cache=True, nogil=True)
def euler(first: float, cos_tilt: float, spin: float, matrix: Floats) -> None:
    """The rotation: by ``first`` about z, tilt about x, ``spin`` about z."""
    c1, s1 = math.cos(first), math.sin(first)
    c2 = cos_tilt
    s2 = math.sqrt(max(0.0, 1.0 - c2 * c2))
    c3, s3 = math.cos(spin), math.sin(spin)
    matrix[0, 0], matrix[0, 1], matrix[0, 2] = c1 * c3 - c2 * s1 * s3, -c3 * s1 - c1 * c2 * s3, s2 * s3
    matrix[1, 0], matrix[1, 1], matrix[1, 2] = c1 * s3 + c2 * c3 * s1, c1 * c2 * c3 - s1 * s3, -c3 * s2
    matrix[2, 0], matrix[2, 1], matrix[2, 2] = s1 * s2, c1 * s2, c2


@njit(cache=True, nogil=True, fastmath=True)
def _draw_bodies(key: np.uint64, first: int, last: int, t: Tables, density: int, deformed: bool, out: Floats) -> None:
    """l, cos(theta), azimuth's and radius' uniform numbers of nucleons [first, last) into rows 0 to 3 of ``out``.

    One loop without branches, so that the compiler vectorises it; the two per mille in the tails follow.
    """
    centre, tails, polar = t.centre[density], t.tails[density], t.polar[density]
    radius, a = t.lengths[density, 0], t.lengths[density, 1]
    q_low, q_scale = t.lengths[density, 3], t.lengths[density, 4]
    shell, cosine, azimuth, depth, uniforms = out[0], out[1], out[2], out[3], out[7]
    for n in range(first, last):
        base = key + np.uint64(3 * n + 1) * GOLDEN
        h = mix(base)
        u = (np.int64(h >> np.uint64(32)) + 0.5) * 2.0**-32
        uniforms[n] = u
        u *= CENTRE
        k = np.int64(u)
        shell[n] = centre[k] + (centre[k + 1] - centre[k]) * (u - k)
        cosine[n] = (np.int64(h & np.uint64(0xFFFFFFFF)) + 0.5) * 2.0**-32
        h = mix(base + GOLDEN)
        mask = np.uint64(0x1FFFFF)
        one, two, three = int(h & mask), int((h >> np.uint64(21)) & mask), int((h >> np.uint64(42)) & mask)
        depth[n] = (max(one, two, three) + 0.5) * 2.0**-21
        azimuth[n] = as_uniform(mix(base + GOLDEN + GOLDEN))
    for n in range(first, last):
        u = uniforms[n]
        upper = u > 0.5
        edge = 1.0 - u if upper else u
        if edge < EDGE / CENTRE:
            v = (math.log(edge) - _LOG_FIRST) * _LOG_SCALE
            k = np.int64(v)
            side = tails[1] if upper else tails[0]
            shell[n] = side[k] + (side[k + 1] - side[k]) * (v - k)
    if deformed:
        for n in range(first, last):
            q = 1.0 / max(radius + a * shell[n], 0.4001 * radius)
            v = max(q - q_low, 0.0) * q_scale
            i = min(int(v), SHELLS - 1)
            fi = v - i
            u = cosine[n] * POLAR
            j = np.int64(u)
            fj = u - j
            low = polar[i, j] + (polar[i, j + 1] - polar[i, j]) * fj
            high = polar[i + 1, j] + (polar[i + 1, j + 1] - polar[i + 1, j]) * fj
            cosine[n] = low + (high - low) * fi
    else:
        for n in range(first, last):
            cosine[n] = 2.0 * cosine[n] - 1.0


@njit(cache=True, nogil=True)
def _triaxial_azimuth(axial: float, triaxial: float, u: float) -> float:
    """Azimuth phi / 2 pi from the density (A + B cos 2 phi)^3 at given cos(theta): its quantile by Newton's method."""
    ratio = triaxial / axial
    a0 = 1.0 + 1.5 * ratio * ratio
    a1 = 3.0 * ratio + 0.75 * ratio**3
    a2 = 0.75 * ratio * ratio
    a3 = ratio**3 / 12.0
    goal = u * 4.0 * math.pi
    psi = goal
    for _ in range(50):
        value = psi + (a1 * math.sin(psi) + a2 * math.sin(2 * psi) + a3 * math.sin(3 * psi)) / a0 - goal
        slope = (1.0 + ratio * math.cos(psi)) ** 3 / a0
        step = value / max(slope, 0.05)
        psi -= max(-1.0, min(1.0, step))
        if abs(step) < 1e-10:
            break
    return psi / (4.0 * math.pi)


@njit(cache=True, nogil=True, fastmath=True)
def _body_positions(first: int, last: int, t: Tables, density: int, triaxial: bool, out: Floats) -> None:
    """Body-frame x, y, z into rows 4 to 6 of ``out``, radius into row 7, from rows 0 to 3."""
    p0, p1, p2, p3, p4 = (
        t.surface[density, 0],
        t.surface[density, 1],
        t.surface[density, 2],
        t.surface[density, 3],
        t.surface[density, 4],
    )
    p5 = t.surface[density, 5]
    a = t.lengths[density, 1]
    shell, cosine, azimuth, depth = out[0], out[1], out[2], out[3]
    xs, ys, zs, rs = out[4], out[5], out[6], out[7]
    if triaxial:
        for n in range(first, last):
            c = cosine[n]
            axial = p0 + c * (p1 + c * (p2 + c * (p3 + c * p4))) + a * shell[n]
            amplitude = p5 * (1.0 - c * c)
            azimuth[n] = _triaxial_azimuth(max(axial, 1.0001 * abs(amplitude) + 1e-9), amplitude, azimuth[n])
    for n in range(first, last):
        c = cosine[n]
        # Half-angle polynomials (|angle| <= pi / 4, error 1e-11) and two doublings: vectorises, unlike libm's.
        w = (azimuth[n] - np.floor(azimuth[n]) - 0.5) * (0.5 * math.pi)
        w2 = w * w
        s = w * (1 - w2 / 6 * (1 - w2 / 20 * (1 - w2 / 42 * (1 - w2 / 72 * (1 - w2 / 110)))))
        k = 1 - w2 / 2 * (1 - w2 / 12 * (1 - w2 / 30 * (1 - w2 / 56 * (1 - w2 / 90 * (1 - w2 / 132)))))
        s, k = 2 * s * k, 1 - 2 * s * s
        s, k = -2 * s * k, 2 * s * s - 1  # the minus signs undo the shift by half a turn
        body = p0 + c * (p1 + c * (p2 + c * (p3 + c * p4))) + a * shell[n] + p5 * (1 - c * c) * (2 * k * k - 1)
        r = max(body, 0.0) * depth[n]
        flat = r * math.sqrt(max(1.0 - c * c, 0.0))
        xs[n] = flat * k
        ys[n] = flat * s
        zs[n] = r * c
        rs[n] = r


@njit(cache=True, nogil=True)
def _thin_parabolic(key: np.uint64, s: Sampler, out: Floats) -> None:
    """Accept nucleons with probability (1 + w r^2 / R^2) over its maximum; draw the others again."""
    for n in range(s.size):
        density = 0 if n < s.protons else 1
        radius, a, w = s.tables.lengths[density, 0], s.tables.lengths[density, 1], s.tables.lengths[density, 2]
        if w == 0.0:
            continue
        limit = 1.0 if w < 0.0 else 1.0 + w * (1.0 + 20.0 * a / radius) ** 2
        own = key_of(key, n)
        attempt = 0
        while uniform(own, attempt) * limit > 1.0 + w * (out[7, n] / radius) ** 2:
            attempt += 1
            _draw_bodies(key_of(own, attempt), n, n + 1, s.tables, density, s.deformed, out)
            _body_positions(n, n + 1, s.tables, density, s.triaxial, out)


@njit(cache=True, nogil=True)
def _turned(s: Sampler, key: np.uint64, counter: int, n: int, out: Floats) -> None:
    """New angles of nucleon n at its radius: isotropic (spherical) or azimuth and, if even in z, a flip."""
    r = out[7, n]
    if not s.deformed:
        c = 2.0 * uniform(key, counter) - 1.0
        phi = 2.0 * math.pi * uniform(key, counter + 1)
    else:
        c = out[1, n] if s.octupole else -out[1, n]
        phi = 2.0 * math.pi * uniform(key, counter + 1)
        if s.triaxial:
            density = 0 if n < s.protons else 1
            p, a = s.tables.surface[density], s.tables.lengths[density, 1]
            axial = p[0] + c * (p[1] + c * (p[2] + c * (p[3] + c * p[4])))
            amplitude = p[5] * (1.0 - c * c)
            highest = 1.0 / (1.0 + math.exp((r - axial - abs(amplitude)) / a))
            trial = 0
            while (
                uniform(key, counter + 2 + 2 * trial) * highest
                > 1.0 / (1.0 + math.exp((r - axial - amplitude * math.cos(2 * phi)) / a))
                and trial < 500
            ):
                trial += 1
                phi = 2.0 * math.pi * uniform(key, counter + 1 + 2 * trial)
    flat = r * math.sqrt(max(1.0 - c * c, 0.0))
    out[1, n], out[4, n], out[5, n], out[6, n] = c, flat * math.cos(phi), flat * math.sin(phi), r * c


@njit(cache=True, nogil=True)
def _place(key: np.uint64, s: Sampler, out: Floats) -> None:
    """Turn nucleons, innermost first, until each keeps its distance from those placed before."""
    order = np.argsort(out[7, : s.size])
    core = s.minimum_distance * s.minimum_distance
    for place in range(s.size):
        n = order[place]
        own = key_of(key, n)
        for attempt in range(MAX_PLACEMENTS):
            if attempt > 0:
                _turned(s, own, attempt * 1024, n, out)
            kept = 1.0
            for earlier in range(place):
                m = order[earlier]
                d2 = (out[4, n] - out[4, m]) ** 2 + (out[5, n] - out[5, m]) ** 2 + (out[6, n] - out[6, m]) ** 2
                if d2 < core:
                    kept = 0.0
                    break
                if s.correlated and d2 < 1.0 / 0.68:  # beyond, C >= 1
                    kept *= (1.0 - math.exp(-1.1 * d2) * (1.0 - 0.68 * d2)) ** 2
            if kept > 0.0 and (not s.correlated or uniform(own, _DOMAIN + attempt) < kept):
                break


@njit(cache=True, nogil=True)
def _deuteron(key: np.uint64, out: Floats) -> None:
    """Two opposite nucleons from the Hulthen density (exp(-a r) - exp(-b r))^2."""
    counter = 0
    while True:
        u = 1.0 - uniform(key, counter)
        r = -math.log(u) / (2.0 * _HULTHEN_A)
        if uniform(key, counter + 1) * u <= (math.exp(-_HULTHEN_A * r) - math.exp(-_HULTHEN_B * r)) ** 2:
            break
        counter += 2
    c = 2.0 * uniform(key, counter + 2) - 1.0
    phi = 2.0 * math.pi * uniform(key, counter + 3)
    flat = r * math.sqrt(1.0 - c * c)
    out[4, 0], out[5, 0], out[6, 0] = flat * math.cos(phi), flat * math.sin(phi), r * c
    out[4, 1], out[5, 1], out[6, 1] = -out[4, 0], -out[5, 0], -out[6, 0]


@njit(cache=True, nogil=True)
def draw_body(s: Sampler, nucleons: np.uint64, placement: np.uint64, out: Floats) -> None:
    """Nucleon positions in the body frame into rows 4 to 6 of ``out`` (8, A)."""
    if s.kind == WOODS_SAXON:
        if s.protons > 0:
            _draw_bodies(nucleons, 0, s.protons, s.tables, 0, s.deformed, out)
            _body_positions(0, s.protons, s.tables, 0, s.triaxial, out)
        if s.protons < s.size:
            _draw_bodies(nucleons, s.protons, s.size, s.tables, 1, s.deformed, out)
            _body_positions(s.protons, s.size, s.tables, 1, s.triaxial, out)
        _thin_parabolic(nucleons, s, out)
        if s.placed:
            _place(placement, s, out)
    elif s.kind == CONFIGURATIONS:
        pick = int(uniform(nucleons, 0) * len(s.configurations))
        for n in range(s.size):
            for axis in range(3):
                out[4 + axis, n] = s.configurations[pick, n, axis]
    elif s.kind == PROTON:
        out[4, 0] = out[5, 0] = out[6, 0] = 0.0
    else:
        _deuteron(nucleons, out)


@njit(cache=True, nogil=True, fastmath=True)
def to_transverse(count: int, body: Floats, matrix: Floats, offset: float, x: Floats, y: Floats) -> None:
    """Rotate body positions and project: x (shifted by ``offset``) and y of ``count`` nucleons [fm]."""
    xx, xy, xz = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    yx, yy, yz = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    bx, by, bz = body[4], body[5], body[6]
    for n in range(count):
        x[n] = xx * bx[n] + xy * by[n] + xz * bz[n] + offset
        y[n] = yx * bx[n] + yy * by[n] + yz * bz[n]
