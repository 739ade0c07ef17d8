"""Hot nuclei a minute that de-excitation turns into cold ones, A = 4 to 24, one thread.

    python benchmarks/de_excitation_speed.py [--nuclei 100000] [--repeats 5]

Nuclei with Z = A / 2 and 2, 5 and 10 MeV of excitation energy per nucleon; up to A = 16 they break up, beyond they
evaporate first. "mixture" are all these species in one call, as transport leaves them. Rates are per CPU minute, the
median of the repeats; the first, warming call compiles, makes the tables and is not counted. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import numpy as np

from cloudchamber.simulators.transport.de_excitation import de_excite

MASSES = (4, 6, 8, 10, 12, 14, 16, 18, 20, 24)
PER_NUCLEON = (2.0, 5.0, 10.0)


def million_a_minute(A: np.ndarray, excitation: np.ndarray, repeats: int) -> float:
    """Rate of one set of nuclei."""
    momentum = np.random.default_rng(1).normal(size=(len(A), 3)) * 300 * A[:, None]
    used = []
    for repeat in range(repeats + 1):
        start = time.process_time()
        de_excite(A, A // 2, momentum, excitation, repeat)
        used.append(time.process_time() - start)
    return round(len(A) / statistics.median(used[1:]) * 60 / 1e6, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nuclei", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    rates = {
        f"A = {A}": {
            f"{energy:g} MeV/u": million_a_minute(
                np.full(given.nuclei, A), np.full(given.nuclei, energy * A), given.repeats
            )
            for energy in PER_NUCLEON
        }
        for A in MASSES
    }
    rng = np.random.default_rng(2)
    mixed = rng.choice(MASSES, given.nuclei)
    rates["mixture"] = {"2-10 MeV/u": million_a_minute(mixed, mixed * rng.uniform(2, 10, len(mixed)), given.repeats)}
    print(json.dumps({"benchmark": "de_excitation_speed", "nuclei": given.nuclei, "million_a_minute": rates}))


if __name__ == "__main__":
    main()
