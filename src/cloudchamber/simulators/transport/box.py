"""Nuclear matter in a periodic box, where collision rates and waves are known: what the transport is checked with.

A cube of side 20 fm with 1280 nucleons (0.16 fm^-3), non-relativistic, as in the Transport Model Evaluation Project:
collisions (Zhang et al., PRC 97 (2018) 034625), a standing wave in the mean field (Colonna et al., PRC 104 (2021)
024603). Its fluctuations are in ``box_fluctuations``. fm, fm/c, MeV, MeV/c; rates in c/fm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import qmc

from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.collisions import blocked, collide
from cloudchamber.simulators.transport.equation_of_state import (
    NUCLEON_MASS,
    EquationOfState,
    fermi_momentum,
)
from cloudchamber.simulators.transport.lattice import (
    Field,
    Floats,
    Lattice,
    Species,
    deposit,
    kick,
    mean_field,
    potential_table,
)
from cloudchamber.simulators.transport.pauli_blocking import H3, Cells, cell_order, momentum_sums, occupation

LENGTH, NUCLEONS = 20.0, 1280
"""Side of the box [fm], and what is in it: as many neutrons as protons."""
DENSITY = NUCLEONS / LENGTH**3
"""fm^-3."""
CROSS_SECTION = 4.0
"""fm^2, of all pairs, isotropic."""
COLLIDING = 10
"""Cells of colliding particles along an axis."""
POINTS = 19
"""Lattice points along an axis: a spacing of 1.053 fm."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)


def fermi_dirac(p: Floats, temperature: float, rho: float = DENSITY) -> Floats:
    """Occupation of momentum states.

    Args:
        p: sizes of momenta [MeV/c], of any shape.
        temperature: [MeV].
        rho: density of symmetric matter [fm^-3].
    """
    if temperature == 0:
        return np.where(p < fermi_momentum(rho), 1.0, 0.0)
    return _occupation(p**2 / (2 * NUCLEON_MASS), chemical_potential(rho, temperature), temperature)


def chemical_potential(rho: float, temperature: float) -> float:
    """Of free symmetric matter [MeV], to 1e-9; BadInput unless density and temperature are positive.

    Args:
        rho: density [fm^-3].
        temperature: [MeV].
    """
    if not (rho > 0 and temperature > 0):
        raise BadInput(f"density {rho:g} fm^-3 and temperature {temperature:g} MeV must be positive")

    def excess(mu: float) -> float:
        p, w = _interval(0.0, _highest(mu, temperature))
        return float(
            16 * math.pi / H3 * (w * p**2 * _occupation(p**2 / (2 * NUCLEON_MASS), mu, temperature)).sum() - rho
        )

    top = fermi_momentum(rho) ** 2 / (2 * NUCLEON_MASS)
    return float(brentq(excess, -50 * temperature - top, top + temperature, xtol=1e-9))


def collision_rate(temperature: float) -> float:
    """Of all nucleons of the box without Pauli blocking, N rho sigma <v> / 2 [c/fm].

    <v> of two nucleons, averaged over the angle between them, is v_1 + v_2^2 / (3 v_1) if v_1 > v_2; 36/35 p_F / m at
    T = 0.

    Args:
        temperature: [MeV]; relative precision 1e-8 from 0.5 MeV upwards.
    """
    if temperature == 0:
        speed = 36 / 35 * fermi_momentum(DENSITY) / NUCLEON_MASS
    else:
        mu = chemical_potential(DENSITY, temperature)
        p, w = _interval(0.0, _highest(mu, temperature))
        content = w * p**2 * _occupation(p**2 / (2 * NUCLEON_MASS), mu, temperature)
        total = 0.0
        for one, share in zip(p, content, strict=True):
            q, v = _interval(0.0, one)
            lower = v * q**2 * _occupation(q**2 / (2 * NUCLEON_MASS), mu, temperature)
            total += 2 * share * float((lower * (one + q**2 / (3 * one))).sum())
        speed = total / NUCLEON_MASS / content.sum() ** 2
    return float(0.5 * NUCLEONS * DENSITY * CROSS_SECTION * speed)


def allowed_rate(temperature: float) -> float:
    """The same with exact Pauli blocking, each final state free with probability 1 - f [c/fm].

    V (4 / h^3)^2 sigma / 2 times the integral over d^3P d^3q of (2 q / m) f f' (1 - f'') (1 - f'''), with P the total
    and q half of the relative momentum; both angles between P and q average on their own, as scattering is isotropic.

    Args:
        temperature: [MeV]; relative precision 1e-7 from 0.5 MeV upwards.
    """
    if temperature == 0:
        return 0.0
    mu = chemical_potential(DENSITY, temperature)
    highest = _highest(mu, temperature)
    total, weight_p = _interval(0.0, 2 * highest)
    half, weight_q = _interval(0.0, highest)
    cosine, weight_c = _interval(0.0, 1.0)
    result = 0.0
    for P, w in zip(total, weight_p, strict=True):
        middle = (P**2 / 4 + half**2)[:, None] / (2 * NUCLEON_MASS)
        apart = P * half[:, None] * cosine / (2 * NUCLEON_MASS)
        first = _occupation(middle + apart, mu, temperature)
        second = _occupation(middle - apart, mu, temperature)
        filled, free = first * second @ weight_c, (1 - first) * (1 - second) @ weight_c
        result += w * P**2 * float((weight_q * half**2 * 2 * half / NUCLEON_MASS * filled * free).sum())
    return float(0.5 * LENGTH**3 * CROSS_SECTION * (4 / H3) ** 2 * (4 * math.pi) ** 2 * result)


@dataclass(frozen=True)
class Rates:
    """Collisions of the nucleons of the box per time [c/fm], with standard errors.

    Attributes:
        attempted: as if space were empty.
        attempted_error: of it.
        accepted: whose final states were free (and which happened).
        accepted_error: of it; at least that of one collision.
    """

    attempted: float
    attempted_error: float
    accepted: float
    accepted_error: float


def collision_rates(
    temperature: float, per_nucleon: int, langevin: bool, blocking: bool, gases: int, seed: int, time_step: float = 0.5
) -> Rates:
    """Rates in equilibrium, from independent Fermi gases of which each collides for one time step.

    In 0.5 fm/c collisions without blocking change the mean relative speed by less than 0.1 %.

    Args:
        temperature: [MeV].
        per_nucleon: test particles a nucleon.
        langevin: packets of nucleons collide instead of test particles.
        blocking: whether the Pauli principle holds.
        gases: number of Fermi gases, at least two.
        seed: of what is random.
        time_step: [fm/c].
    """
    if gases < 2:
        raise BadInput(f"{gases} Fermi gases: errors need at least 2")
    rng = np.random.default_rng(seed)
    unit = (1.0 if langevin else 1 / per_nucleon) / time_step
    counts = np.empty((gases, 2))
    for one in range(gases):
        gas = fermi_gas(temperature, per_nucleon, rng)
        counts[one] = collide_gas(gas, per_nucleon, langevin, blocking, time_step, rng)
    mean, spread = unit * counts.mean(axis=0), unit * counts.std(axis=0, ddof=1) / math.sqrt(gases)
    error = np.maximum(spread, unit / gases)
    return Rates(float(mean[0]), float(error[0]), float(mean[1]), float(error[1]))


@dataclass(frozen=True)
class Gas:
    """Test particles in the box.

    Attributes:
        position: (particle, 3) in [0, LENGTH) [fm].
        momentum: (particle, 3) [MeV/c].
        species: (particle,) 0: neutron, 1: proton.
    """

    position: Floats
    momentum: Floats
    species: Species

    def drift(self, time: float) -> None:
        """Fly straight on for a time [fm/c]; who leaves comes in on the other side."""
        self.position[:] += self.momentum * (time / NUCLEON_MASS)
        self.position[:] %= LENGTH
        self.position[self.position >= LENGTH] = 0.0  # what the remainder of a tiny negative number is rounded to


def fermi_gas(temperature: float, per_nucleon: int, rng: np.random.Generator) -> Gas:
    """A uniform Fermi gas, each test particle on its own.

    Args:
        temperature: [MeV].
        per_nucleon: test particles a nucleon.
        rng: what is random.
    """
    n = NUCLEONS * per_nucleon
    if temperature == 0:
        size = fermi_momentum(DENSITY) * np.cbrt(rng.random(n))
    else:
        edge = np.linspace(0, _highest(chemical_potential(DENSITY, temperature), temperature), 20_001)
        middle = (edge[1:] + edge[:-1]) / 2
        inside = np.append(0.0, np.cumsum(middle**2 * fermi_dirac(middle, temperature)))
        size = np.interp(rng.random(n) * inside[-1], inside, edge)
    species = (np.arange(n) % 2).astype(np.int8)
    return Gas(rng.random((n, 3)) * LENGTH, size[:, None] * _directions(rng.random(n), rng.random(n)), species)


def collide_gas(
    gas: Gas, per_nucleon: int, langevin: bool, blocking: bool, time: float, rng: np.random.Generator
) -> tuple[int, int]:
    """Let the particles collide during a time, in no mean field; their order changes.

    Args:
        gas: changed in place.
        per_nucleon: test particles a nucleon.
        langevin: packets of nucleons collide instead of test particles.
        blocking: whether the Pauli principle holds.
        time: [fm/c].
        rng: what is random.

    Returns:
        Attempted and accepted collisions, in units of ``collisions.collide``.
    """
    density = np.full(COLLIDING**3, DENSITY)
    seed = int(rng.integers(2**31))
    return collide(cells_of(gas, per_nucleon), density, -1, CROSS_SECTION, time, langevin, blocking, seed)


def cells_of(gas: Gas, per_nucleon: int) -> Cells:
    """The box as collisions and blocking see it, without a mean field; the order of the particles changes.

    Args:
        gas: put in order.
        per_nucleon: test particles a nucleon.
    """
    size, n = LENGTH / COLLIDING, len(gas.species)
    shape, corner = (COLLIDING, COLLIDING, COLLIDING), (0.0, 0.0, 0.0)
    order, start = cell_order(gas.position, corner, size, shape)
    gas.position[:], gas.momentum[:], gas.species[:] = gas.position[order], gas.momentum[order], gas.species[order]
    field: Field = np.zeros((2, 2 * COLLIDING, 2 * COLLIDING, 2 * COLLIDING), np.float32)
    return Cells(
        gas.position, gas.momentum, gas.species, np.zeros(n, np.int8), np.zeros(n), start,
        momentum_sums(gas.momentum, start), shape, corner, size, field, corner, size / 2, per_nucleon, True,
    )  # fmt: skip


def counted_occupation(temperature: float, per_nucleon: int, seed: int, samples: int = 100) -> dict[str, Floats]:
    """What blocking makes of a Fermi gas whose occupation is known.

    Args:
        temperature: [MeV].
        per_nucleon: test particles a nucleon.
        seed: of what is random.
        samples: points at each momentum.

    Returns:
        ``momentum`` (k,) [MeV/c], ``true`` occupation, mean ``counted`` one and its standard deviation ``spread``, and
        the probability that a state is taken as ``blocked``, (k,) each.
    """
    rng = np.random.default_rng(seed)
    cells = cells_of(fermi_gas(temperature, per_nucleon, rng), per_nucleon)
    momentum = np.linspace(20.0, 360.0, 18)
    found = np.zeros((len(momentum), samples, 2))
    for row, size in enumerate(momentum):
        direction, place = _directions(rng.random(samples), rng.random(samples)), LENGTH * rng.random((samples, 3))
        for column in range(samples):
            f, full = occupation(cells, tuple(place[column]), tuple(size * direction[column]), 0, 0.0)
            found[row, column] = f, blocked(f, full)
    return {
        "momentum": momentum, "true": fermi_dirac(momentum, temperature), "counted": found[..., 0].mean(axis=1),
        "spread": found[..., 0].std(axis=1), "blocked": found[..., 1].mean(axis=1),
    }  # fmt: skip


@dataclass(frozen=True)
class StandingWave:
    """The wave sin(k z) in the density.

    Attributes:
        time: [fm/c].
        amplitude: relative to that at the beginning.
        error: of each amplitude, from the five other waves of this length, which nothing excites.
    """

    time: Floats
    amplitude: Floats
    error: float

    def zeros(self) -> Floats:
        """When the amplitude vanishes [fm/c] (``zero_crossings``)."""
        return zero_crossings(self.time, self.amplitude)


def standing_wave(
    matter: EquationOfState, per_nucleon: int, amplitude: float, duration: float, seed: int, time_step: float = 1.0
) -> StandingWave:
    """Cold matter of density rho_0 (1 + a sin(k z)), k = 2 pi / LENGTH, in its mean field alone.

    Particles start from a Sobol sequence (Owen's scrambling), in the local Fermi sphere: chance would give the wave an
    error of sqrt(2 / (N_test 1280)) / a, 4 % with 100 test particles and a = 0.1,
    which would shift zeros by 1.5 fm/c.

    Args:
        matter: the mean field.
        per_nucleon: test particles a nucleon.
        amplitude: a, between 0 and 1; zeros move by its square.
        duration: [fm/c].
        seed: of the scrambling.
        time_step: [fm/c].
    """
    if not 0 < amplitude < 1:
        raise BadInput(f"amplitude of the wave is {amplitude:g}: it must lie between 0 and 1")
    gas = _wavy_gas(per_nucleon, amplitude, seed)
    spacing = LENGTH / POINTS
    # one point before the box, two behind it
    lattice = Lattice((POINTS + 3, POINTS + 3, POINTS + 3), (-spacing, -spacing, -spacing), spacing)
    density, potential, table = lattice.zeros(), lattice.zeros(), potential_table(matter)
    steps = max(1, round(duration / time_step))
    waves = np.empty((steps + 1, 6))
    waves[0] = _waves(gas)
    for step in range(steps):
        gas.drift(time_step / 2)
        deposit(gas.position, gas.species, per_nucleon, lattice.origin, spacing, density)
        wrap(density)
        mean_field(density, table, matter.C, matter.rho_0, potential)
        kick(gas.position, gas.momentum, gas.species, potential, lattice.origin, spacing, time_step)
        gas.drift(time_step / 2)
        waves[step + 1] = _waves(gas)
    error = math.sqrt((waves[:, 1:] ** 2).mean()) / abs(waves[0, 0])
    time = np.arange(steps + 1, dtype=np.float64) * time_step
    return StandingWave(time, waves[:, 0] / waves[0, 0], error)


def linear_response(matter: EquationOfState, time: Floats) -> Floats:
    """The amplitude of the standing wave in linear response (Vlasov equation); its zeros are right to 0.001 fm/c.

    n(t) = j(t) - F_0 abs(S_k)^2 int_0^t K(t - s) n(s) ds with j = sin(x) / x, x = k v_F t, K = -dj / dt, by the
    trapezoidal rule. abs(S_k)^2 = (sin(y) / y)^8, y = k l / 2: densities and forces each are smeared by the cubic
    B-spline of the lattice.

    Args:
        matter: the mean field.
        time: [fm/c], beginning at 0, in equal steps.
    """
    k = 2 * math.pi / LENGTH
    y = k * LENGTH / POINTS / 2
    strength = matter.landau_f0() * (math.sin(y) / y) ** 8
    fine = 20
    t = np.linspace(time[0], time[-1], fine * (len(time) - 1) + 1)
    h = t[1] - t[0]
    speed = k * fermi_momentum(DENSITY) / NUCLEON_MASS
    x = speed * np.maximum(t, 1e-9)
    free = np.sin(x) / x
    kernel = speed * (np.sin(x) / x - np.cos(x)) / x
    kernel[0] = 0.0  # so that the newest n is not among the unknown
    n = np.empty(len(t))
    n[0] = 1.0
    for i in range(1, len(t)):
        n[i] = free[i] - strength * h * (kernel[i] * n[0] / 2 + kernel[i - 1 : 0 : -1] @ n[1:i])
    return n[::fine]


def zero_crossings(time: Floats, amplitude: Floats, half_width: float = 6.0) -> Floats:
    """Zeros of cubic polynomials through what lies about each change of sign [fm/c].

    Args:
        time: [fm/c].
        amplitude: at these times.
        half_width: how far "about" goes [fm/c]; further changes of sign within it are noise.
    """
    zeros: list[float] = []
    for i in np.flatnonzero(np.diff(np.sign(amplitude)) != 0):
        middle = (time[i] + time[i + 1]) / 2
        near = np.abs(time - middle) <= half_width
        fit = np.polynomial.Polynomial.fit(time[near] - middle, amplitude[near], 3)
        roots = [root.real for root in fit.roots() if abs(root.imag) < 1e-9 and abs(root.real) < half_width]
        if roots:
            zero = float(middle + min(roots, key=abs))
            if not zeros or zero - zeros[-1] > half_width:
                zeros.append(zero)
    return np.array(zeros)


def _occupation(energy: Floats, mu: float, temperature: float) -> Floats:
    return 0.5 - 0.5 * np.tanh((energy - mu) / (2 * temperature))


def _highest(mu: float, temperature: float) -> float:
    """A momentum [MeV/c] above which nothing is: f < 1e-17."""
    return math.sqrt(2 * NUCLEON_MASS * (max(mu, 0.0) + 40 * temperature))


def _interval(low: float, high: float) -> tuple[Floats, Floats]:
    """Nodes and weights of an integral (Gauss and Legendre)."""
    return low + (high - low) * (NODES + 1) / 2, WEIGHTS * (high - low) / 2


def _directions(first: Floats, second: Floats) -> Floats:
    """Unit vectors (n, 3) from two numbers between 0 and 1 each."""
    cosine, azimuth = 2 * first - 1, 2 * math.pi * second
    sine = np.sqrt(1 - cosine**2)
    return np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], axis=1)


def _wavy_gas(per_nucleon: int, amplitude: float, seed: int) -> Gas:
    """Cold matter with a standing wave; neutrons and protons have sequences of their own."""
    parts = []
    n, k = NUCLEONS * per_nucleon // 2, 2 * math.pi / LENGTH
    z = np.linspace(0, LENGTH, 4001)
    below = z + amplitude * (1 - np.cos(k * z)) / k
    for own in np.random.default_rng(seed).spawn(2):
        u = qmc.Sobol(6, rng=own).random_base2(math.ceil(math.log2(n)))[:n]
        position = LENGTH * u[:, :3]
        position[:, 2] = np.interp(LENGTH * u[:, 2], below, z)
        fermi = fermi_momentum(DENSITY) * np.cbrt(1 + amplitude * np.sin(k * position[:, 2]))
        momentum = (fermi * np.cbrt(u[:, 3]))[:, None] * _directions(u[:, 4], u[:, 5])
        parts.append((position % LENGTH, momentum))
    position, momentum = (np.concatenate(both) for both in zip(*parts, strict=True))
    return Gas(position, momentum, np.repeat(np.array([0, 1], np.int8), n))


def _waves(gas: Gas) -> Floats:
    """Mean of sin(k z), then of cos(k z) and of both along x and y (6,)."""
    phase = 2 * math.pi / LENGTH * gas.position
    sines, cosines = np.sin(phase).mean(axis=0), np.cos(phase).mean(axis=0)
    return np.array([sines[2], cosines[2], sines[0], cosines[0], sines[1], cosines[1]])


def wrap(density: Field) -> None:
    """Add what was deposited outside of the box to where it belongs, and copy it back: points -1 ... POINTS + 1."""
    for axis in (1, 2, 3):
        along = np.moveaxis(density, axis, 0)
        along[POINTS] += along[0]
        along[1] += along[POINTS + 1]
        along[2] += along[POINTS + 2]
        along[0], along[POINTS + 1], along[POINTS + 2] = along[POINTS], along[1], along[2]
