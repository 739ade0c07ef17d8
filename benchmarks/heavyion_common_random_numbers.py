"""How many fewer events an isobar ratio (Ru+Ru over Zr+Zr) needs with common random numbers.

    python benchmarks/heavyion_common_random_numbers.py [--events 20000]

For each observable the variance of the logarithm of the ratio is estimated by bootstrap over events: with
``collide_common`` events of both systems are resampled together, with independent seeds separately. The factor of the
two variances is the factor in events for the same error. Centrality classes are cut in each system's own
multiplicity. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import Arrays
from cloudchamber.simulators.heavyion.collisions import CollisionOptions, collide, collide_common
from cloudchamber.simulators.heavyion.nuclei import nucleus

CLASSES = {"min-bias": (0.0, 1.0), "0-5 %": (0.0, 0.05), "20-30 %": (0.2, 0.3)}
BOOTSTRAPS = 200


def table(events: Arrays) -> NDArray[np.float64]:
    """Multiplicity, e2^2, e3^2, 1/sqrt(area) and whether there was a collision, of each event."""
    collided = events.get("collided", np.ones(len(events["npart"])))
    squares = [events[f"eccentricity{n}"] ** 2 for n in (2, 3)]
    return np.stack([events["multiplicity"], *squares, events["inverse_area"], collided])


def log_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of the means (class, observable)."""
    values = values[:-1, values[-1] > 0]
    ordered = values[:, np.argsort(-values[0], kind="stable")]
    n = values.shape[1]
    return np.log([ordered[:, int(low * n) : int(high * n)].mean(axis=1) for low, high in CLASSES.values()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    n = parser.parse_args().events
    ru, zr = nucleus("Ru"), nucleus("Zr")
    options = CollisionOptions(sqrt_s=200)
    common = [table(events) for events in collide_common([(ru, ru), (zr, zr)], n, 1, options)]
    apart = [table(collide(ru, ru, n, 2, options)), table(collide(zr, zr, n, 3, options))]
    rng = np.random.default_rng(1)
    together, separate = [], []
    for _ in range(BOOTSTRAPS):
        one, two = rng.integers(0, n, (2, n))
        together.append(log_means(common[0][:, one]) - log_means(common[1][:, one]))
        separate.append(log_means(apart[0][:, one]) - log_means(apart[1][:, two]))
    spread, spread_apart = np.std(together, axis=0), np.std(separate, axis=0)
    ratio = np.exp(log_means(common[0]) - log_means(common[1]))
    names = ("mult", "e2^2", "e3^2", "area^-1/2")
    print(
        json.dumps(
            {
                "benchmark": "heavyion_common_random_numbers",
                "events": n,
                "ratio_Ru_over_Zr": {
                    label: {
                        name: {
                            "value": round(float(ratio[c, o]), 4),
                            "error_common": round(float(ratio[c, o] * spread[c, o]), 5),
                            "error_independent": round(float(ratio[c, o] * spread_apart[c, o]), 5),
                            "fewer_events": round(float((spread_apart[c, o] / spread[c, o]) ** 2), 1),
                        }
                        for o, name in enumerate(names)
                    }
                    for c, label in enumerate(CLASSES)
                },
            }
        )
    )


if __name__ == "__main__":
    main()
