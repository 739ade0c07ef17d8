"""How well can energy and core of a shower be known at all: ``python benchmarks/shower_information.py``.

The Cramer-Rao bound of the total signals of all stations (9 x 9, 1500 m, 10 m2 of water each), for showers as the study
shower-reconstruction draws them. Parameters of a shower: core x and y, log10 of the energy, depth of the maximum, and
muons relative to the mean; the direction is known, and the depth and the muons have a Gaussian prior of the width that
they have in the study (all primaries together). Signals fluctuate as their particles do; saturated ones say nothing.
What traces and times say beyond that is not in it: a network may do better where these tell muons and depth.
Prints the 68 % quantile of the distance of cores, and half of the central 68 % of E / E_true, with bootstrap errors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cloudchamber.simulators.airshower.development import INVISIBLE, muon_number
from cloudchamber.simulators.airshower.showers import PARTICLE_SIGNAL, axes, draw, expected, station_geometry
from cloudchamber.simulators.airshower.surface_array import ShowerOptions, offset_grid
from cloudchamber.simulators.airshower.water_cherenkov import AREA, PHOTOELECTRONS, projected_area

SHOWERS, SEED, DRAWS = 1500, 3, 200
TRACKS = 1.15
"""Mean square over squared mean of the track of a muon in a station, about."""
NOISE = 0.1
"""Of a total signal [VEM]."""
SATURATED = 5000.0
"""Total signals [VEM] above which stations are clipped."""
STEPS = np.array([2.0, 2.0, 0.005, 4.0, 0.01])

Values = NDArray[np.float64]


def signals(options: ShowerOptions, axis: Values, mass: int, parameters: Values) -> tuple[Values, Values]:
    """Expected signals (station,) and their variances [VEM]."""
    x, y, lg_energy, xmax, excess = parameters
    proton = float(muon_number(np.array(lg_energy), np.array(1)))
    muons = float(muon_number(np.array(lg_energy), np.array(mass))) * np.exp(excess)
    energy = 10 ** (lg_energy - 9) * (1 - INVISIBLE * muons / proton)
    mean, variance = [], []
    for place in offset_grid(options):
        r, _, behind, cosine = station_geometry(place, np.array([x, y, 0.0]), axis, xmax, options.altitude)
        through, light = expected(r, behind, cosine, xmax, 61.0, energy, muons)
        track = AREA / projected_area(cosine)
        signal = through * track + light
        mean.append(signal)
        fluctuation = TRACKS * through * track**2 + 2 * PARTICLE_SIGNAL * light
        variance.append(fluctuation + signal / PHOTOELECTRONS + NOISE**2)
    return np.array(mean), np.array(variance)


def covariance(options: ShowerOptions, shower: dict[str, Values], priors: tuple[float, float]) -> Values:
    """Inverse of the Fisher matrix (5, 5) of one shower."""
    axis, mass = axes(shower["zenith"][None], shower["azimuth"][None])[0], int(shower["mass_number"])
    at = np.array([shower[name] for name in ("core_x", "core_y", "lg_energy", "xmax")] + [0.0])
    mean, variance = signals(options, axis, mass, at)
    slopes = []
    for number, step in enumerate(STEPS):
        shift = step * np.eye(5)[number]
        up, down = (signals(options, axis, mass, at + sign * shift)[0] for sign in (1, -1))
        slopes.append((up - down) / (2 * step))
    weight = np.where(mean < SATURATED, 1 / variance, 0.0)
    fisher = (np.array(slopes) * weight) @ np.array(slopes).T
    fisher[3, 3] += priors[0] ** -2
    fisher[4, 4] += priors[1] ** -2
    return np.asarray(np.linalg.inv(fisher))


def main() -> None:
    options, rng = ShowerOptions(), np.random.default_rng(SEED)
    drawn = draw(options, SHOWERS, rng)
    excess = np.log(drawn["muons"] / muon_number(drawn["lg_energy"], np.ones_like(drawn["mass_number"])))
    shape = np.polyfit(drawn["lg_energy"], drawn["xmax"], 1)
    priors = float(np.std(drawn["xmax"] - np.polyval(shape, drawn["lg_energy"]))), float(np.std(excess))
    showers = [{name: values[number] for name, values in drawn.items()} for number in range(SHOWERS)]
    found = np.array([covariance(options, one, priors) for one in showers])
    core = np.linalg.cholesky(found[:, :2, :2]) @ rng.standard_normal((DRAWS, SHOWERS, 2, 1))
    distance = np.hypot(core[..., 0, 0], core[..., 1, 0])
    ratio = 10 ** (np.sqrt(found[:, 2, 2]) * rng.standard_normal((DRAWS, SHOWERS)))
    print(f"{SHOWERS} showers, seed {SEED}; priors: depth {priors[0]:.0f} g/cm2, muons {100 * priors[1]:.0f} %")
    for low, high in ((18.5, 20.0), (18.5, 19.0), (19.0, 19.5), (19.5, 20.0)):
        inside = np.flatnonzero((drawn["lg_energy"] >= low) & (drawn["lg_energy"] < high))
        again = [rng.choice(inside, len(inside)) for _ in range(100)]
        cores = [np.quantile(distance[:, some], 0.68) for some in (inside, *again)]
        energies = [np.diff(np.quantile(ratio[:, some], (0.16, 0.84)))[0] / 2 for some in (inside, *again)]
        print(
            f"lgE {low:.1f} to {high:.1f}: core {cores[0]:.1f} +- {np.std(cores[1:]):.1f} m, "
            f"energy {100 * energies[0]:.1f} +- {100 * np.std(energies[1:]):.1f} %"
        )


if __name__ == "__main__":
    main()
