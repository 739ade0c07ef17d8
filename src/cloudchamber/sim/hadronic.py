"""``cloudchamber sim hadronic pi+ H --energy 25 -n 1000 -o events.h5``: hadronic interactions by a real generator."""

from __future__ import annotations

import contextlib
import secrets
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from cloudchamber.schema import BadInput
from cloudchamber.sim.output import check_output

SUFFIXES = (".h5", ".hdf5", ".hepmc3")
CHUNK = 500
"""Events that a generator makes at once, from one seed: seconds on lead."""

OUTPUT, PHYSICS = "Output", "Physics"

Projectile = Annotated[str, typer.Argument(help="pi+, pi-, K+, K-, K0L, p or n")]
Target = Annotated[str, typer.Argument(help="H, C, Ar, Fe, Cu, W or Pb")]
Energy = Annotated[float, typer.Option(help="kinetic energy [GeV], 1 to 100", rich_help_panel=PHYSICS)]
Direction = Annotated[str, typer.Option(help="of the projectile, x,y,z of any length", rich_help_panel=PHYSICS)]
ModelName = Annotated[str, typer.Option("--model", help="geant4 or urqmd", rich_help_panel=PHYSICS)]
RandomSeed = Annotated[int | None, typer.Option(help="default: from the system", rich_help_panel=PHYSICS)]
Number = Annotated[int, typer.Option("-n", "--number", help="number of interactions", rich_help_panel=OUTPUT)]
Output = Annotated[Path, typer.Option("-o", "--output", help="file .h5 or .hepmc3", rich_help_panel=OUTPUT)]


def hadronic(
    projectile: Projectile,
    target: Target,
    output: Output,
    energy: Energy = 25.0,
    direction: Direction = "0,0,1",
    number: Number = 1000,
    model: ModelName = "geant4",
    random_seed: RandomSeed = None,
) -> None:
    """First interactions of a hadron with a nucleus at rest: complete final states, by Geant4 or UrQMD.

    Geant4 with FTFP_BERT_ATL and elastic scattering, or UrQMD 3.4. Targets are pure isotopes. The file says which
    program, which data sets and which seed.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from cloudchamber.data.geant4_data import home_made_tables
    from cloudchamber.data.interactions import event_writer
    from cloudchamber.simulators.hadronic import models
    from cloudchamber.simulators.hadronic.events import ELASTIC

    _refuse(output, number, random_seed)
    chosen = models.model(model)
    beam = models.beam_of(chosen, projectile, target, energy, _vector(direction), 1)
    seed = secrets.randbits(31) if random_seed is None else random_seed
    start = time.monotonic()
    elastic = particles = 0
    bar = Progress(
        TextColumn("interactions"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
    )  # fmt: skip
    with contextlib.closing(chosen.start(home_made_tables())) as generator, bar:
        about = {
            "model": chosen.title, "version": generator.version, "data": generator.data, "seed": str(seed),
            "beam": f"{projectile} {target} {energy:g} GeV",
        }  # fmt: skip
        task = bar.add_task("interactions", total=number)
        with event_writer(output, about) as append:
            for chunk, first in enumerate(range(0, number, CHUNK)):
                own = int(np.random.SeedSequence(seed, spawn_key=(chunk,)).generate_state(1)[0]) % 2**31
                events = generator.generate(beam.repeated(min(CHUNK, number - first)), own)
                append(events)
                elastic += int((events.channel == ELASTIC).sum())
                particles += len(events.kind)
                bar.update(task, advance=len(events))
    seconds = time.monotonic() - start
    typer.echo(
        f"{output}: {number} interactions of {projectile} at {energy:g} GeV with {target}, {elastic / number:.1%}"
        f" elastic, {particles / number:.2f} particles each; {chosen.title} ({generator.data}), seed {seed},"
        f" {seconds:.1f} s"
    )


def _refuse(output: Path, number: int, random_seed: int | None) -> None:
    """BadInput for a file that cannot be written, and for numbers that are none."""
    check_output(output, SUFFIXES)
    if number < 1:
        raise BadInput(f"{number} interactions: give at least 1", status=2)
    if random_seed is not None and random_seed < 0:
        raise BadInput(f"random seed {random_seed}: need a whole number of at least 0", status=2)


def _vector(text: str) -> NDArray[np.float64]:
    try:
        return np.array([float(one) for one in text.split(",")])
    except ValueError:
        raise BadInput(f"direction {text!r}: give three numbers, such as 0.6,0.6,0.529", status=2) from None
