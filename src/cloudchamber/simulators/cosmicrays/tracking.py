"""Cosmic rays through the Galactic magnetic field: backtracking from Earth, in numba.

An antiparticle of rigidity R leaves Earth and follows ``du/ds = -(u x B) / (1.0810 kpc R)``, B in muG and R in EV, with
the unit vector u: the path on which a particle arrived. Each step is a Boris rotation (Boris 1970; Birdsall and
Langdon, section 4-3) with one evaluation of the field half a step ahead: u keeps its length, the path is reversible.

Conventions: Galactocentric axes as in jf12 are parallel to Galactic directions, x to the centre. Tracks begin at the
Sun of each model and end outside 20 kpc (JF12) or 30 kpc (UF23) from the Galactic centre, where the field is zero.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cloudchamber.schema import BadInput, did_you_mean
from cloudchamber.simulators.cosmicrays import jf12, uf23
from cloudchamber.simulators.cosmicrays.turbulence import between, striation_sign, turbulent_box
from cloudchamber.simulators.heavyion.randomness import key_of

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

LARMOR = 1.0810
"""Larmor radius of 1 EV in 1 muG [kpc]: 1 EV / (c muG)."""
STEP = 0.020
"""Default step [kpc]; measured by benchmarks/galactic_tracking.py.

For regular fields its error is below 0.01 deg on average at 20 EV. With turbulence, whose shortest wave is one step, it
is a sixth (60 EV) and a third (20 EV) of what another seed changes. Tracks of a few EV in turbulence are chaotic: there
any step gives one of many possible lenses.
"""
LONGEST = 1000.0
"""A track that is still inside after this length [kpc] counts as trapped."""


class GalacticField(NamedTuple):
    """One model of the Galactic magnetic field: which parts with which parameters.

    Attributes:
        is_uf23: whether the regular field is UF23 (else JF12).
        uf23: parameters of UF23.
        jf12: parameters of JF12, for its regular field and for the random field.
        striation: mean square of the striated field in units of the regular one's, 0 for none.
        turbulent: whether there is a random field.
        sun: x of the Sun [kpc].
        radius: where tracks end [kpc].
    """

    is_uf23: bool
    uf23: uf23.UF23
    jf12: jf12.JF12
    striation: float
    turbulent: bool
    sun: float
    radius: float


def _jf12(parameters: jf12.JF12, *, random: bool) -> GalacticField:
    beta = parameters.striation if random else 0.0
    return GalacticField(False, uf23.UF23_BASE, parameters, beta, random, jf12.SUN, jf12.RADIUS)


def _uf23(*, random: bool) -> GalacticField:
    xi = uf23.UF23_BASE.striation if random else 0.0
    return GalacticField(True, uf23.UF23_BASE, jf12.JF12_PLANCK, xi, random, uf23.SUN, uf23.RADIUS)


FIELDS: dict[str, GalacticField] = {
    "jf12": _jf12(jf12.JF12_PAPER, random=True),
    "jf12-regular": _jf12(jf12.JF12_PAPER, random=False),
    "jf12-planck": _jf12(jf12.JF12_PLANCK, random=True),
    "jf12-planck-regular": _jf12(jf12.JF12_PLANCK, random=False),
    "uf23": _uf23(random=True),
    "uf23-regular": _uf23(random=False),
}
"""The models by name: regular, striated and turbulent field, or the regular field alone.

UF23 gives no random field. "uf23" takes the turbulent field of JF12b (Planck), and reads the paper's striation factor
xi as the mean square of the striated field in units of the coherent one's, like beta of JF12: both are our choice.
"""


def galactic_field(name: str) -> GalacticField:
    """The model of that name; BadInput, with the nearest name, if there is none."""
    if name not in FIELDS:
        raise BadInput(f"unknown Galactic field {name!r}{did_you_mean(name, FIELDS)}")
    return FIELDS[name]


@njit(cache=True, nogil=True)
def field_at(
    x: float, y: float, z: float, model: GalacticField, box: Singles, key: np.uint64
) -> tuple[float, float, float]:
    """The whole field of a model (b_x, b_y, b_z) [muG] at (x, y, z) [kpc].

    Args:
        x: Galactocentric place; the Sun is at negative x.
        y: to Galactic longitude 90 degrees.
        z: to the Galactic north.
        model: which field.
        box: turbulence of unit rms (see ``turbulent_box``); not looked at if the model has none.
        key: of the striation's signs.
    """
    if model.is_uf23:
        bx, by, bz = uf23_regular(x, y, z, model.uf23)
    else:
        bx, by, bz = jf12_regular(x, y, z, model.jf12)
    if model.striation > 0.0:
        factor = 1.0 + math.sqrt(model.striation) * striation_sign(x, y, z, key)
        bx, by, bz = factor * bx, factor * by, factor * bz
    if model.turbulent:
        rms = random_rms(x, y, z, model.jf12)
        if rms > 0.0:
            tx, ty, tz = between(box, x, y, z)
            bx, by, bz = bx + rms * tx, by + rms * ty, bz + rms * tz
    return bx, by, bz


jf12_regular, random_rms, uf23_regular = jf12.regular, jf12.random_rms, uf23.regular  # numba sees plain globals


@njit(cache=True, nogil=True)
def _trace(
    start: Floats, rigidity: float, step: float, model: GalacticField, box: Singles, key: np.uint64, end: Floats
) -> int:
    """Directions outside (n, 3) of tracks with directions ``start`` (n, 3); (0, 0, 0) if trapped. Steps done."""
    half, radius2 = 0.5 * step, model.radius**2
    bend = -0.5 * step / (LARMOR * rigidity)
    most = int(LONGEST / step)
    total = 0
    for i in range(start.shape[0]):
        ux, uy, uz = start[i, 0], start[i, 1], start[i, 2]
        x, y, z = model.sun, 0.0, 0.0
        n = 0
        while x * x + y * y + z * z <= radius2 and n < most:
            x, y, z = x + half * ux, y + half * uy, z + half * uz
            bx, by, bz = field_at(x, y, z, model, box, key)
            # Boris: u' = u + u x t, then u + u' x 2 t / (1 + t^2), with t half the rotation vector of the step
            tx, ty, tz = bend * bx, bend * by, bend * bz
            vx, vy, vz = ux + uy * tz - uz * ty, uy + uz * tx - ux * tz, uz + ux * ty - uy * tx
            s = 2.0 / (1.0 + tx * tx + ty * ty + tz * tz)
            ux, uy, uz = ux + s * (vy * tz - vz * ty), uy + s * (vz * tx - vx * tz), uz + s * (vx * ty - vy * tx)
            x, y, z = x + half * ux, y + half * uy, z + half * uz
            n += 1
        total += n
        if n == most:
            ux = uy = uz = 0.0
        end[i, 0], end[i, 1], end[i, 2] = ux, uy, uz
    return total


def track(field: str, directions: Floats, rigidity: float, step: float = STEP, seed: int = 0) -> Floats:
    """Directions outside the Galaxy of cosmic rays seen at Earth.

    Args:
        field: a name of ``FIELDS``.
        directions: (n, 3) arrival directions at Earth: unit vectors towards where the cosmic rays come from.
        rigidity: E / Z [EV].
        step: length of a step [kpc].
        seed: of the random fields.

    Returns:
        (n, 3) unit vectors towards where they come from outside the Galaxy; (0, 0, 0) for a track that is still inside
        after 1 Mpc, that is, a direction from which nothing arrives.

    Raises:
        BadInput: unknown field, or rigidity, step or directions that cannot be.
    """
    return traced(field, directions, rigidity, step, seed)[0]


def traced(field: str, directions: Floats, rigidity: float, step: float = STEP, seed: int = 0) -> tuple[Floats, int]:
    """What ``track`` gives, and the number of steps of all tracks."""
    model = galactic_field(field)
    start = np.ascontiguousarray(directions, dtype=np.float64)
    if start.ndim != 2 or start.shape[1] != 3 or not np.allclose(np.linalg.norm(start, axis=1), 1.0, atol=1e-5):
        raise BadInput(f"directions of shape {start.shape}: give unit vectors (n, 3)")
    if not (0.0 < rigidity < math.inf and 0.0 < step <= 1.0):
        raise BadInput(f"rigidity {rigidity} EV, step {step} kpc: give a positive rigidity and a step of at most 1 kpc")
    box = turbulent_box(seed) if model.turbulent else np.zeros((1, 1, 1, 3), np.float32)
    end = np.empty_like(start)
    key = np.uint64(key_of(np.uint64(seed), 1))  # numba gives back a Python integer
    steps = _trace(start, float(rigidity), float(step), model, box, key, end)
    return end, steps
