"""Simulated air showers a second on one core: ``python benchmarks/shower_rate.py``.

The demand is 1000 a second. Showers as the study shower-reconstruction draws them (9 x 9 stations, 10^18.5 to 10^20 eV,
up to 60 degrees, only those that trigger count), traces included; by energy, since most particles are those of the
largest.
"""

from __future__ import annotations

import time

import numpy as np

from cloudchamber.simulators.airshower.showers import simulate_showers
from cloudchamber.simulators.airshower.surface_array import ShowerOptions, offset_grid

ROUNDS, SHOWERS = 5, 500


def rate(options: ShowerOptions) -> tuple[float, float, float]:
    """Median, lowest and highest showers a second of ROUNDS."""
    array = offset_grid(options)
    simulate_showers(options, array, 20, np.random.default_rng(0))  # compiles
    found = []
    for seed in range(ROUNDS):
        start = time.process_time()
        simulate_showers(options, array, SHOWERS, np.random.default_rng(seed))
        found.append(SHOWERS / (time.process_time() - start))
    return float(np.median(found)), min(found), max(found)


def main() -> None:
    everything = ShowerOptions()
    cases = {"all": everything}
    for low in (18.5, 19.0, 19.5):
        cases[f"lgE {low} to {low + 0.5}"] = everything.changed({"lg_energy_min": low, "lg_energy_max": low + 0.5})
    for name, options in cases.items():
        median, low, high = rate(options)
        print(f"{name:18s} {median:6.0f} showers a second of one core ({low:.0f} to {high:.0f})")


if __name__ == "__main__":
    main()
