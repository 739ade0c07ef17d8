"""Skies of 1000 cosmic rays a second on one core: minimal model, redrawn, and universes of many sources.

    python benchmarks/sky_speed.py [--skies 2000]

CPU time of this process after compilation, one thread, best of three. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np

from cloudchamber.simulators.cosmicrays.skies import SkyOptions, draw_skies, redraw
from cloudchamber.simulators.cosmicrays.universe import DENSITIES, UniverseOptions, draw_universes


def rate(work: Callable[[int], object], skies: int) -> float:
    """Skies a second."""
    work(2)
    best = np.inf
    for _ in range(3):
        start = time.process_time()
        work(skies)
        best = min(best, time.process_time() - start)
    return round(skies / best, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skies", type=int, default=2000)
    skies = parser.parse_args().skies
    result: dict[str, object] = {"benchmark": "sky_speed", "skies": skies, "cosmic_rays": 1000}
    for exposure in ("full", "auger"):
        options = SkyOptions(exposure=exposure)
        records = draw_skies(options, np.full(skies, 55), 1)
        result[f"draw_per_second_{exposure}"] = rate(lambda n, o=options: draw_skies(o, np.full(n, 55), 2), skies)
        result[f"redraw_per_second_{exposure}"] = rate(
            lambda n, o=options, r=records: redraw({k: v[:n] for k, v in r.items()}, o, 3, rotate=True), skies
        )
    for number, density in DENSITIES.items():
        universe = UniverseOptions(density=density)
        result[f"universe_{number}_per_second"] = rate(lambda n, u=universe: draw_universes(u, n, 4), skies // 4)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
