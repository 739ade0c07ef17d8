"""Is the sign of beta2 in (v2, dN/dY)? The same question to TRENTo itself, with nuclei that none of our code made.

``python benchmarks/sign_of_beta2_in_trento.py --trento PATH`` draws uranium (R = 6.81 fm, a = 0.6 fm, beta4 = 0) with
beta2 = +b and -b by plain rejection, gives them to the ``trento`` binary as HDF5 configurations, and prints, for TRENTo
and for our simulator, the mean and spread of v2 in classes of multiplicity with the significance of their difference.
One JSON line. Fully degenerate images (arXiv:1906.06429) would have differences compatible with zero everywhere.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from cloudchamber.simulators.heavyion.collisions import CollisionOptions, collide
from cloudchamber.simulators.heavyion.nuclei import nucleus

RADIUS, DIFFUSENESS, NUCLEONS = 6.81, 0.6, 238
CLASSES = ((0, 0.02), (0.02, 0.05), (0.05, 0.1), (0.1, 0.2), (0.2, 0.35), (0.35, 0.5))
B_MAX, CROSS_SECTION, STEP = 21.0, 4.23, 0.4


def configurations(beta2: float, number: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(number, nucleon, 3) positions in fm, by rejection in a sphere."""
    limit = RADIUS * (1 + 0.63 * abs(beta2)) + 10 * DIFFUSENESS
    kept, wanted = [], number * NUCLEONS
    while sum(map(len, kept)) < wanted:
        r = limit * rng.random(1_000_000) ** (1 / 3)
        c, phi = rng.uniform(-1, 1, r.size), rng.uniform(0, 2 * np.pi, r.size)
        surface = RADIUS * (1 + beta2 * np.sqrt(5 / np.pi) / 4 * (3 * c**2 - 1))
        inside = rng.random(r.size) < 1 / (1 + np.exp((r - surface) / DIFFUSENESS))
        r, c, phi = r[inside], c[inside], phi[inside]
        s = np.sqrt(1 - c**2)
        kept.append(np.stack([r * s * np.cos(phi), r * s * np.sin(phi), r * c], axis=1))
    return np.concatenate(kept)[:wanted].reshape(number, NUCLEONS, 3).astype(np.float32)


def moments_of_v2(multiplicity: NDArray[np.float64], e2: NDArray[np.float64]) -> NDArray[np.float64]:
    """(class, 4): mean of v2, its error, standard deviation of v2, its error."""
    order, n = np.argsort(-multiplicity), len(e2)
    v2 = 0.2 * e2 + 0.1 * e2**3
    parts = [v2[order[int(n * low) : int(n * high)]] for low, high in CLASSES]
    return np.array([[p.mean(), p.std() / len(p) ** 0.5, p.std(), p.std() / (2 * len(p)) ** 0.5] for p in parts])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trento", required=True, help="path of a trento 2.0 binary")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--beta2", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    found: dict[str, list[NDArray[np.float64]]] = {"trento": [], "cloudchamber": []}
    for sign in (1, -1):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "uranium.hdf"
            with h5py.File(file, "w") as out:
                out["nuclei"] = configurations(sign * arguments.beta2, 4000, rng)
            options = ["--b-max", B_MAX, "-x", CROSS_SECTION, "--grid-step", STEP, "--random-seed", arguments.seed]
            command = [arguments.trento, file, file, arguments.events, *options]
            text = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout
        table = np.array([line.split() for line in text.splitlines()], dtype=float)
        found["trento"].append(moments_of_v2(table[:, 3], table[:, 4]))
        shape = nucleus("U", beta2=sign * arguments.beta2, beta4=0.0)
        settings = CollisionOptions(cross_section=CROSS_SECTION, grid_step=STEP, b_max=B_MAX)
        events = collide(shape, shape, arguments.events, arguments.seed + 1, settings)
        found["cloudchamber"].append(moments_of_v2(events["multiplicity"], events["eccentricity2"]))
    result: dict[str, object] = {"beta2": arguments.beta2, "events": arguments.events, "classes": CLASSES}
    for name, (plus, minus) in found.items():
        for column, what in ((0, "mean_v2"), (2, "sd_v2")):
            ratio = plus[:, column] / minus[:, column]
            pull = (plus[:, column] - minus[:, column]) / np.hypot(plus[:, column + 1], minus[:, column + 1])
            result[f"{name}_{what}_plus_over_minus"] = ratio.round(4).tolist()
            result[f"{name}_{what}_sigma"] = pull.round(1).tolist()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
