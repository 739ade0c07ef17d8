"""Events per second of heavy-ion collisions against TRENTo 2.0 (C++), same system, one thread each, same run.

    python benchmarks/heavyion_speed.py --trento PATH [--system U U] [--events 50000] [--repeats 5]

Both sides alternate; each repeat gives a ratio. Rates are per CPU second (user + system), which a busy machine does not
distort and which on a quiet one are per second; the ratio of wall times is printed too. "library" is ``collide``,
"command" is ``cloudchamber sim heavyion`` with its start-up and its text output, as a user types it. The first, warming
call compiles and is not counted. The command's start-up (Python, numba) is a constant, printed as "start_cpu_seconds".
Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from cloudchamber.simulators.heavyion.collisions import CollisionOptions, collide
from cloudchamber.simulators.heavyion.nuclei import nucleus

ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def seconds(action: Callable[[], object]) -> tuple[float, float]:
    """CPU time, of this process and its finished children, and wall time of one call."""
    cpu, wall = os.times(), time.perf_counter()
    action()
    return sum(os.times()[:4]) - sum(cpu[:4]), time.perf_counter() - wall


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run a program with its output thrown away."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | ONE_THREAD | environment)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trento", required=True, help="path of a trento 2.0 binary")
    parser.add_argument("--system", nargs=2, default=["U", "U"])
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    a, b = (nucleus(name) for name in given.system)
    events = str(given.events)
    command = [sys.executable, "-m", "cloudchamber.cli", "sim", "heavyion", *given.system, events, "--random-seed"]

    collide(a, b, 10, 1, CollisionOptions())
    one_event = [*command[:-2], "1", "--random-seed", "1"]
    run(one_event, {})
    start = min(seconds(lambda: run(one_event, {}))[0] for _ in range(3))
    used: dict[str, list[tuple[float, float]]] = {"trento": [], "library": [], "command": []}
    with tempfile.TemporaryDirectory() as data_home:
        home = {"XDG_DATA_HOME": data_home}
        reference = [given.trento, *given.system, events, "--random-seed"]
        run([given.trento, *given.system, "1"], home)  # fills its cross-section cache
        for repeat in range(1, given.repeats + 1):
            seed = str(repeat)
            used["trento"].append(seconds(lambda seed=seed: run([*reference, seed], home)))
            used["library"].append(
                seconds(lambda seed=seed: collide(a, b, given.events, int(seed), CollisionOptions()))
            )
            used["command"].append(seconds(lambda seed=seed: run([*command, seed], {})))
    sides = ("library", "command")
    ratios = {
        side: [[one[k] / two[k] for one, two in zip(used["trento"], used[side], strict=True)] for k in (0, 1)]
        for side in sides
    }
    result = {
        "benchmark": "heavyion_speed",
        "system": " ".join(given.system),
        "events": given.events,
        "repeats": given.repeats,
        "events_per_cpu_second": {
            side: round(given.events / statistics.median(cpu for cpu, _ in values), 1) for side, values in used.items()
        },
        "start_cpu_seconds": round(start, 2),
        "ratio_median": {side: round(statistics.median(ratios[side][0]), 2) for side in sides},
        "ratio_min": {side: round(min(ratios[side][0]), 2) for side in sides},
        "wall_ratio_median": {side: round(statistics.median(ratios[side][1]), 2) for side in sides},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
