"""Events per second of every generator of a run beside Geant4 and UrQMD, by batch size, one thread, same run.

    python benchmarks/hadronic_speed.py RUN [--reaction pi+,Pb,25 ...] [--seconds 3] [--without urqmd]

A simulator is started before the clock runs, and so is a network. Each measurement repeats a batch of new events until
the time is up, at least once; batches alternate between the models, and the median of the repetitions counts. Reactions
that a run was not trained for are left out. Writes ``speed.json`` into the run, where its report finds it
(`cloudchamber report RUN`), and prints a line for each reaction: the best rate of each model over that of Geant4.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cloudchamber.data.files import write_json
from cloudchamber.data.geant4_data import home_made_tables
from cloudchamber.experiments.interactions import wanted
from cloudchamber.run_directory import open_run, restored
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic import models
from cloudchamber.simulators.hadronic.events import Beam, Events
from cloudchamber.study import GeneratorStudy, of_kind

BATCHES = (1, 10, 100, 1000, 10_000)
REACTIONS = ("pi+,H,25", "pi+,C,25", "pi+,Fe,25", "pi+,Pb,25")


def ask(program: Any, beam: Beam, rng: np.random.Generator) -> Events:
    """Events of a simulator with a fresh seed."""
    events: Events = program.generate(beam, int(rng.integers(2**30)))
    return events


def rate(sample: Callable[[], object], batch: int, seconds: float) -> float:
    """Events per second: median over repetitions of a batch for so many seconds."""
    rates, start = [], time.perf_counter()
    while not rates or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        sample()
        rates.append(batch / (time.perf_counter() - before))
    return float(np.median(rates))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--reaction", action="append", default=[], help="projectile,target,GeV")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--without", action="append", default=[], help="leave a model out")
    given = parser.parse_args()
    torch.set_num_threads(1)
    run = open_run(given.run)
    of_kind(run.study, GeneratorStudy, "hadronic_speed")
    generators = {
        name: one
        for name, one in restored(run, "cpu").items()
        if one.kind != "floor" and name not in {"unprojected", *given.without}
    }
    rng = np.random.default_rng(1)
    rows = []
    with contextlib.ExitStack() as ends:
        programs = {}
        for name in ("geant4", "urqmd"):
            if name not in given.without:
                programs[name] = ends.enter_context(contextlib.closing(models.MODELS[name].start(home_made_tables())))
        for reaction in given.reaction or REACTIONS:
            projectile, target, energy = reaction.split(",")
            settings = {"projectile": projectile, "target": target, "energy": energy}
            try:
                beam = wanted(run.config, settings, 1, False)
            except BadInput:
                continue
            best: dict[str, float] = {}
            for batch in BATCHES:
                samplers = {name: partial(ask, one, beam.repeated(batch), rng) for name, one in programs.items()}
                samplers |= {name: partial(one.sample, beam.repeated(batch), rng) for name, one in generators.items()}
                for name, sampler in samplers.items():
                    if name == "urqmd" and batch > 100:
                        continue  # minutes, and the rate no longer grows
                    found = rate(sampler, batch, given.seconds)
                    rows.append(
                        {"model": name, "projectile": projectile, "target": target, "energy": float(energy),
                         "batch": batch, "events_per_second": found}
                    )  # fmt: skip
                    best[name] = max(best.get(name, 0.0), found)
            ratios = {name: round(value / best["geant4"], 3) for name, value in best.items()}
            print(json.dumps({"reaction": reaction, "events_per_second": best, "over_geant4": ratios}), flush=True)
    write_json(given.run / "speed.json", {"hardware": run.record["hardware"], "threads": 1, "rows": rows})


if __name__ == "__main__":
    main()
