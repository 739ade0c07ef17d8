"""Events per second of heavy-ion collisions against TRENTo 2.0 (C++), same system, one thread each, same run.

    python benchmarks/heavyion_speed.py --trento PATH [--system U U] [--events 50000] [--repeats 5]

Both sides alternate; each repeat gives a ratio, so that the load of the machine cancels. "library" is ``collide``,
"command" is ``cloudchamber sim heavyion`` with its start-up and its text output, as a user types it. The first, warming
call compiles and is not counted. The command's start-up (Python, numba) is a constant, printed as "start_seconds".
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


def seconds(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


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
    start = min(seconds(lambda: run(one_event, {})) for _ in range(3))
    ratios: dict[str, list[float]] = {"library": [], "command": []}
    rates: dict[str, list[float]] = {"trento": [], "library": [], "command": []}
    with tempfile.TemporaryDirectory() as data_home:
        reference = [given.trento, *given.system, events, "--random-seed"]
        run([given.trento, *given.system, "1"], {"XDG_DATA_HOME": data_home})  # fills its cross-section cache
        for repeat in range(1, given.repeats + 1):
            seed = str(repeat)
            wall = {
                "trento": seconds(lambda seed=seed: run([*reference, seed], {"XDG_DATA_HOME": data_home})),
                "library": seconds(lambda repeat=repeat: collide(a, b, given.events, repeat, CollisionOptions())),
                "command": seconds(lambda seed=seed: run([*command, seed], {})),
            }
            for side, values in rates.items():
                values.append(given.events / wall[side])
            for side, values in ratios.items():
                values.append(wall["trento"] / wall[side])
    print(
        json.dumps(
            {
                "benchmark": "heavyion_speed",
                "system": " ".join(given.system),
                "events": given.events,
                "repeats": given.repeats,
                "events_per_second": {side: round(statistics.median(values), 1) for side, values in rates.items()},
                "start_seconds": round(start, 2),
                "ratio_median": {side: round(statistics.median(values), 2) for side, values in ratios.items()},
                "ratio_min": {side: round(min(values), 2) for side, values in ratios.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
