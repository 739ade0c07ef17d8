"""Milliseconds per sky of each search for a source, and of pair counting against plain numpy and scipy, same run.

    python benchmarks/sky_searches.py [--skies 30] [--cosmic-rays 1000] [--repeats 5] [--seed 1]

One thread, CPU time, smallest of the repeats; the first, compiling call is not counted. Skies are isotropic. "pairs" is
``pairs_within_angles`` (angles 1, 2, ..., 30 degrees), "pairs_numpy" the matrix of all cosines and a histogram of its
upper triangle, "pairs_scipy" ``cKDTree.count_neighbors`` at the 30 chord lengths; all three must agree up to one pair
a sky at the edges of the angles. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os

os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cloudchamber.baselines.sky_autocorrelation import ANGLES, pairs_within_angles
from cloudchamber.baselines.sky_likelihood import TemplateScan, VonMisesFisherScan
from cloudchamber.baselines.sky_multiplets import MultipletSearch
from cloudchamber.baselines.sky_top_hat import counts_within_radii
from cloudchamber.simulators.cosmicrays.skies import SkyOptions, draw_skies

Sky = NDArray[np.float64]


def pairs_numpy(sky: Sky) -> NDArray[np.float64]:
    """Pairs within ``ANGLES`` from the matrix of all cosines."""
    cosines = (sky[:, :3] @ sky[:, :3].T)[np.triu_indices(len(sky), 1)]
    edges = np.cos(np.deg2rad(ANGLES))[::-1]
    counts, _ = np.histogram(cosines, np.append(edges, 2.0))
    return np.cumsum(counts[::-1]).astype(np.float64)


def pairs_scipy(sky: Sky) -> NDArray[np.float64]:
    """Pairs within ``ANGLES`` from a k-d tree of the directions."""
    tree = cKDTree(sky[:, :3])
    ordered = tree.count_neighbors(tree, 2 * np.sin(np.deg2rad(ANGLES) / 2))
    return (ordered - len(sky)) / 2


def milliseconds(search: Callable[[Sky], object], skies: Sky, repeats: int) -> float:
    """CPU time a sky."""
    search(skies[0])
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        for sky in skies:
            search(sky)
        best = min(best, (time.process_time() - start) / len(skies) * 1e3)
    return round(best, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skies", type=int, default=30)
    parser.add_argument("--cosmic-rays", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    drawn = draw_skies(SkyOptions(cosmic_rays=given.cosmic_rays), np.zeros(given.skies, np.int64), given.seed)
    skies = np.concatenate([drawn["direction"], drawn["energy"][..., None]], axis=2).astype(np.float64)
    skies[..., :3] /= np.linalg.norm(skies[..., :3], axis=2, keepdims=True)
    for sky in skies:
        for reference in (pairs_numpy, pairs_scipy):
            if np.abs(reference(sky) - pairs_within_angles(sky)).max() > 1:
                raise SystemExit(f"{reference.__name__} and pairs_within_angles disagree")
    von_mises_fisher, template, multiplets = VonMisesFisherScan(), TemplateScan(), MultipletSearch()
    searches: dict[str, Callable[[Sky], object]] = {
        "pairs": pairs_within_angles,
        "pairs_numpy": pairs_numpy,
        "pairs_scipy": pairs_scipy,
        "top_hat": counts_within_radii,
        "von_mises_fisher": lambda sky: von_mises_fisher.predict(sky[None].astype(np.float32)),
        "template": lambda sky: template.predict(sky[None].astype(np.float32)),
        "multiplets": lambda sky: multiplets.predict(sky[None].astype(np.float32)),
    }
    cost = {name: milliseconds(search, skies, given.repeats) for name, search in searches.items()}
    result = {
        "benchmark": "sky_searches",
        "skies": given.skies,
        "cosmic_rays": given.cosmic_rays,
        "repeats": given.repeats,
        "seed": given.seed,
        "milliseconds_per_sky": cost,
        "pairs_faster_than_numpy": round(cost["pairs_numpy"] / cost["pairs"], 1),
        "pairs_faster_than_scipy": round(cost["pairs_scipy"] / cost["pairs"], 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
