"""``cloudchamber sim transport C12 C12 --energy 62 -n 2000 -o events.h5``: Boltzmann-Langevin transport of any system.

HDF5: the columns of ``experiments.transport.SCHEMA`` with axes and units. Chunks of events go through the farm and stay
in the cache, so the same command goes on where it stopped.
"""

from __future__ import annotations

import math
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from cloudchamber.schema import BadInput
from cloudchamber.sim.records import check_request, write_records
from cloudchamber.sim.settings import setting as option

if TYPE_CHECKING:
    from cloudchamber.data.store import Dataset

STUDY = "transport"
"""The study whose records these are, as ``load_study`` takes it."""
IMPACT_PARAMETERS = ("lowest_impact_parameter", "highest_impact_parameter")

OUTPUT, PHYSICS, NUMERICS, MACHINES = "Output", "Physics", "Numerics", "Machines"


setting = partial(option, "cloudchamber.experiments.transport:TransportConfig")

Projectile = Annotated[str, typer.Argument(help="nucleus that moves, such as C12, 12C or Ar40; from He4 on")]
Target = Annotated[str, typer.Argument(help="nucleus at rest")]
Energy = Annotated[float, setting("energy", text="of the projectile [MeV per nucleon], 10 to 200", panel=PHYSICS)]
ImpactParameter = Annotated[
    str, setting(*IMPACT_PARAMETERS, text="[fm], uniform from LOW to HIGH, or one number", panel=PHYSICS)
]
Mode = Annotated[str, setting("mode", text="langevin (with fluctuations) or average", panel=PHYSICS)]
MeanField = Annotated[str, setting("mean_field", text="soft (K = 201 MeV) or comparison (K = 239 MeV)", panel=PHYSICS)]
CrossSection = Annotated[
    str, setting("cross_section", text="of nucleons in matter: free, capped (at 50 mb) or screened", panel=PHYSICS)
]
FreezeOutTime = Annotated[float, setting("freeze_out_time", text="when fragments are read [fm/c]", panel=PHYSICS)]
DensityCut = Annotated[float, setting("density_cut", text="of fragments [nucleons per fm^3]", panel=PHYSICS)]
TestParticles = Annotated[int, setting("test_particles", text="for each nucleon", panel=NUMERICS)]
TimeStep = Annotated[float, setting("time_step", text="[fm/c]", panel=NUMERICS)]
Workers = Annotated[
    int | None, typer.Option(min=1, help="processes that simulate (default: every core)", rich_help_panel=MACHINES)
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="tcp://HOST:PORT", help="a running Dask scheduler instead", rich_help_panel=MACHINES),
]
RandomSeed = Annotated[int, typer.Option(help="the same seed: the same events", rich_help_panel=OUTPUT)]
Number = Annotated[int, typer.Option("-n", "--number", help="number of events", rich_help_panel=OUTPUT)]
Output = Annotated[Path, typer.Option("-o", "--output", help="file .h5", rich_help_panel=OUTPUT)]


def transport(
    projectile: Projectile,
    target: Target,
    output: Output,
    energy: Energy,
    impact_parameter: ImpactParameter,
    mode: Mode,
    mean_field: MeanField,
    cross_section: CrossSection,
    freeze_out_time: FreezeOutTime,
    density_cut: DensityCut,
    test_particles: TestParticles,
    time_step: TimeStep,
    number: Number = 100,
    random_seed: RandomSeed = 1,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Collisions of two nuclei by Boltzmann-Langevin transport: hot fragments and gas at freeze-out.

    Stop it at any time: what is finished is kept, and the same command goes on.
    """
    check_request(output, number, "events", random_seed)
    low, high = _interval(impact_parameter)
    from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
    from cloudchamber.simulators.transport.masses import nucleus_of

    EntranceChannel(nucleus_of(projectile), nucleus_of(target), energy)  # says why an energy is refused
    settings = {
        "projectile": projectile, "target": target, "energy": energy, "lowest_impact_parameter": low,
        "highest_impact_parameter": high, "mode": mode, "mean_field": mean_field, "cross_section": cross_section,
        "freeze_out_time": freeze_out_time, "density_cut": density_cut, "test_particles": test_particles,
        "time_step": time_step,
    }  # fmt: skip
    start = time.monotonic()
    dataset = write_records(STUDY, settings, output, number, random_seed, workers, scheduler)
    between = f"{low:g} to {high:g}" if low < high else f"{low:g}"
    typer.echo(
        f"{output}: {number} collisions of {projectile} at {energy:g} MeV per nucleon with {target}, {mode}, impact"
        f" parameter {between} fm, {_outcome(dataset, time_step)}; seed {random_seed}, {time.monotonic() - start:.1f} s"
    )


def _interval(text: str) -> tuple[float, float]:
    """``"0:8"`` to (0, 8), ``"4"`` to (4, 4)."""
    try:
        numbers = [float(one) for one in text.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(map(math.isfinite, numbers)):
        raise BadInput(f"impact parameter {text!r}: give LOW:HIGH in fm, such as 0:8, or one number", status=2)
    low, high = numbers[0], numbers[-1]
    if low < 0:
        raise BadInput(f"impact parameter {text!r}: {low:g} fm is negative; give at least 0", status=2)
    if low > high:
        raise BadInput(f"impact parameter {text!r}: give the smaller one first, {high:g}:{low:g}", status=2)
    return low, high


def _outcome(dataset: Dataset, time_step: float) -> str:
    """How many events were refused, and what to do then; how many fragments the others have."""
    found = dataset.read(np.arange(len(dataset)), ["refused", "fragments"])
    kept = found["refused"] == 0
    refused = len(kept) - int(kept.sum())
    first = "none refused"
    if refused:
        first = f"{refused} refused because energy was not conserved (give a --time-step below {time_step:g})"
    return first + (f", {found['fragments'][kept].mean():.2f} fragments each" if kept.any() else "")
