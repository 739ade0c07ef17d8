"""``cloudchamber sim de-excite events.h5 -o cold.h5``: from hot, real-valued fragments to what a detector sees.

Each event of a file of ``sim transport`` is rounded to whole nuclei and decays, as often as asked; the products are
written in the laboratory, with the cross section that each rounding stands for.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from cloudchamber.schema import Array, BadInput
from cloudchamber.sim.output import check_output

if TYPE_CHECKING:
    from cloudchamber.data.store import Dataset
    from cloudchamber.experiments.transport import TransportConfig

SUFFIXES = (".h5", ".hdf5")
SCHEMA = {
    "event": Array("rounding", "", "number of the event in the file that was read", "int32", low=0),
    "weight": Array(
        "rounding", "mb", "cross section that it stands for; at a single impact parameter its share of all", low=0
    ),
    "products": Array("rounding", "", "number of nuclei and nucleons", "int32", low=0),
    "A": Array("product", "", "mass number", "int16", low=1, of="products"),
    "Z": Array("product", "", "charge", "int16", low=0, of="products"),
    "momentum": Array("product xyz", "MeV/c", "in the laboratory, the beam along z", of="products"),
    "kinetic_energy": Array("product", "MeV", "in the laboratory, of the whole nucleus", low=0, of="products"),
}

Events = Annotated[Path, typer.Argument(metavar="EVENTS", help="file of `cloudchamber sim transport`")]
Repetitions = Annotated[int, typer.Option(min=1, help="roundings and decays of each event")]
RandomSeed = Annotated[int, typer.Option(min=0, help="the same seed: the same products")]
Output = Annotated[Path, typer.Option("-o", "--output", help="file .h5")]


def de_excite(events: Events, output: Output, repetitions: Repetitions = 20, random_seed: RandomSeed = 1) -> None:
    """Cold nuclei and nucleons of simulated collisions, in the laboratory: Fermi break-up and evaporation."""
    check_output(output, SUFFIXES)
    from cloudchamber.data.shards import write_shard
    from cloudchamber.experiments.transport import detected

    start = time.monotonic()
    config, records = read_transport(events)
    products, repetition = detected(config, records, repetitions, np.random.SeedSequence(random_seed))
    place = products.event * repetitions + repetition
    order = np.argsort(place, kind="stable")
    count = np.bincount(place, minlength=len(records) * repetitions)
    arrays = {
        "event": np.repeat(np.arange(len(records)), repetitions),
        "weight": np.repeat(products.weight / repetitions, repetitions),
        "products": count,
        "A": products.mass_number[order],
        "Z": products.charge[order],
        "momentum": products.momentum[order],
        "kinetic_energy": products.kinetic_energy[order],
    }
    about: dict[str, Any] = {"config": config.model_dump_json(), "seed": str(random_seed), "repetitions": repetitions}
    write_shard(output, {name: arrays[name].astype(SCHEMA[name].dtype) for name in SCHEMA}, SCHEMA, about)
    typer.echo(
        f"{output}: {len(records)} events of {events}, {repetitions} decays each, {count.mean():.1f} nuclei and"
        f" nucleons a decay; seed {random_seed}, {time.monotonic() - start:.1f} s"
    )


def read_transport(path: Path) -> tuple[TransportConfig, Dataset]:
    """Settings and records of a file of ``sim transport``.

    Raises:
        BadInput: no such file, a damaged one, or one of something else.
    """
    from cloudchamber.data.seal import is_sealed
    from cloudchamber.data.store import Dataset
    from cloudchamber.experiments.transport import SCHEMA as COLUMNS
    from cloudchamber.experiments.transport import TransportConfig

    if not path.is_file():
        raise BadInput(f"no file {path}", status=2)
    is_sealed(path)  # refuses a damaged file of ours before HDF5 sees it
    records = Dataset([path], COLUMNS)
    if len(records) < 2:
        raise BadInput(f"{path} holds {len(records)} events: give at least 2")
    try:
        said = json.loads(records.attributes["config"])
        return TransportConfig(**{name: said[name] for name in TransportConfig.model_fields}), records
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path} does not say its settings ({type(error).__name__}): simulate it again") from None
