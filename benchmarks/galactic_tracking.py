"""Tracking in Galactic magnetic fields: speed, deflections at 60 EV, error of the step.

    python benchmarks/galactic_tracking.py [--nside 32]

For each field: steps per CPU second (one thread; a busy machine does not distort it, on a quiet one it is per second);
mean, median, 95 % quantile and maximum of the deflection [deg] of all pixel centres of ``nside`` at R = 60 EV. For the
step: angle [deg] between the directions outside with each step and with a step eight times smaller than the shortest,
for the 768 pixel centres of nside 8, at 20 and 60 EV, and, for fields with turbulence, between two seeds. Prints one
JSON line.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from numpy.typing import NDArray

from cloudchamber.simulators.cosmicrays.lens import pixel_centres
from cloudchamber.simulators.cosmicrays.tracking import FIELDS, STEP, traced, track

STEPS = (0.04, 0.02, 0.01)


def angles(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles between directions [deg]."""
    return np.degrees(2 * np.arcsin(np.minimum(1.0, np.linalg.norm(a - b, axis=1) / 2)))


def summary(values: NDArray[np.float64]) -> dict[str, float]:
    """Mean, median, 95 % quantile and maximum."""
    found = {"mean": values.mean(), "median": np.median(values), "95%": np.quantile(values, 0.95), "max": values.max()}
    return {name: round(float(value), 4) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nside", type=int, default=32)
    nside = parser.parse_args().nside
    every, some = pixel_centres(nside), pixel_centres(8)
    result: dict[str, object] = {"nside": nside, "rigidity": 60.0, "step": STEP}
    for field, model in FIELDS.items():
        traced(field, every[:2], 60.0)  # compiles, and makes the turbulent box
        start = time.process_time()
        outside, steps = traced(field, every, 60.0)
        seconds = time.process_time() - start
        of_field: dict[str, object] = {"steps_per_cpu_second": round(steps / seconds), "cpu_seconds": round(seconds, 2)}
        of_field["deflection"] = summary(angles(outside, every))
        for rigidity in (20.0, 60.0):
            fine = track(field, some, rigidity, step=STEPS[-1] / 8)
            errors = {str(step): summary(angles(track(field, some, rigidity, step=step), fine)) for step in STEPS}
            if model.turbulent:
                errors["seed"] = summary(angles(track(field, some, rigidity, seed=1), fine))
            of_field[f"step_error_{rigidity:g}"] = errors
        result[field] = of_field
    print(json.dumps(result))


if __name__ == "__main__":
    main()
