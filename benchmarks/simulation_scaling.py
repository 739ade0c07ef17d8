"""Ten times the records cost ten times the time and no more memory: ``python benchmarks/simulation_scaling.py``.

Simulates n and 10 n records of a study, each in a fresh process with an empty cache, after a warm-up that compiles what
is compiled. Prints one JSON line: the ratio of times (processor and wall, the best of the repeats) and both peaks of
memory. The processor time is what is judged: on a shared machine the wall time measures the neighbours.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

FINE_GRID = ["beta2_points=51", "beta4_points=51"]
"""For nuclear-shape: its tiny grid has fewer shapes than 10 n."""


def measure(study_source: str, preset: str, settings: list[str], records: int) -> dict[str, float]:
    """Seconds (wall, processor) and peak memory (MB) of simulating ``records`` records in this process."""
    from cloudchamber import farm
    from cloudchamber.study import load_study

    study = load_study(study_source)
    config = study.preset(preset).changed(dict(setting.split("=", 1) for setting in settings))
    with tempfile.TemporaryDirectory() as cache:
        os.environ["CLOUDCHAMBER_CACHE"] = cache
        farm.simulate(study, config, study.records_per_chunk, 2, workers=1, study_source=study_source)
        wall, cpu = time.perf_counter(), time.process_time()
        farm.simulate(study, config, records, 1, workers=1, study_source=study_source)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if platform.system() == "Darwin" else 2**10)
    return {"wall_s": wall, "cpu_s": cpu, "peak_mb": peak}


def in_fresh_process(arguments: argparse.Namespace, records: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--study", arguments.study, "--preset", arguments.preset]
    command += ["--only", str(records), "--set", *arguments.set]
    result: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--study", default="nuclear-shape", help="name or path of a study")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--set", nargs="*", metavar="KEY=VALUE", help="settings that differ from the preset's")
    parser.add_argument("--records", type=int, help="n; default: eight chunks")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.set is None:
        arguments.set = FINE_GRID if arguments.study == "nuclear-shape" else []
    if arguments.only:
        print(json.dumps(measure(arguments.study, arguments.preset, arguments.set, arguments.only)))
        return 0
    from cloudchamber.study import load_study

    few = arguments.records or 8 * load_study(arguments.study).records_per_chunk
    runs: dict[int, list[dict[str, float]]] = {few: [], 10 * few: []}
    for _ in range(arguments.repeats):
        for records, found in runs.items():
            found.append(in_fresh_process(arguments, records))
    best = {
        records: {key: round(min(run[key] for run in found), 3) for key in found[0]} for records, found in runs.items()
    }
    ratios = {key: round(best[10 * few][key] / best[few][key], 3) for key in best[few]}
    line: dict[str, Any] = {
        "benchmark": "simulation_scaling",
        "study": arguments.study,
        "preset": arguments.preset,
        "settings": arguments.set,
        "records": few,
        "n": best[few],
        "10n": best[10 * few],
        "cpu_ratio": ratios["cpu_s"],
        "wall_ratio": ratios["wall_s"],
        "memory_ratio": ratios["peak_mb"],
        "accepted": abs(ratios["cpu_s"] - 10) <= 1 and ratios["peak_mb"] <= 1.02,
    }
    print(json.dumps(line))
    return 0 if line["accepted"] else 1


if __name__ == "__main__":
    sys.exit(main())
