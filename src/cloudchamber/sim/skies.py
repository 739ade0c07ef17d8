"""``cloudchamber sim skies -n 100 -o skies.h5``: skies of ultra-high-energy cosmic rays, written to a file.

HDF5: the columns of ``data.skies.SKY_SCHEMA`` with axes and units (and ``sources`` for universes); CSV: one line a
cosmic ray, ``sky,energy_EeV,l_deg,b_deg,signal``, in Galactic degrees.
"""

from __future__ import annotations

import dataclasses
import json
import math
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from cloudchamber.schema import Array, Arrays, BadInput, did_you_mean
from cloudchamber.sim.output import check_output

if TYPE_CHECKING:
    from cloudchamber.simulators.cosmicrays.lens import Lens
    from cloudchamber.simulators.cosmicrays.skies import SkyOptions

SUFFIXES = (".h5", ".hdf5", ".csv")
MAX_BYTES = 4_000_000_000
"""Memory of the skies of one call."""
BYTES_PER_COSMIC_RAY = 60
"""Of the columns and of what is needed to make and to write them."""
LENS_NSIDE = 64
MINIMAL = "minimal"
SOURCES = Array("sky", "", "truth: number of sources that gave at least one cosmic ray", dtype="int32", low=0)

OUTPUT, PHYSICS = "Output", "Physics"

Number = Annotated[int, typer.Option("-n", "--number", help="number of skies", rich_help_panel=OUTPUT)]
Output = Annotated[Path, typer.Option("-o", "--output", help="file .h5 or .csv", rich_help_panel=OUTPUT)]
SignalFraction = Annotated[
    float | None,
    typer.Option(help="of cosmic rays from sources; default 0.055, with --sources 1", rich_help_panel=PHYSICS),
]
Composition = Annotated[
    str, typer.Option(help="He, H, CNO ..., mixed, or H:0.15,He:0.45,CNO:0.40", rich_help_panel=PHYSICS)
]
MinimumEnergy = Annotated[float, typer.Option(help="lowest energy [EeV]", rich_help_panel=PHYSICS)]
CosmicRays = Annotated[int, typer.Option(help="cosmic rays in a sky", rich_help_panel=PHYSICS)]
Exposure = Annotated[str, typer.Option(help="full, auger or telescope-array", rich_help_panel=PHYSICS)]
Field = Annotated[
    str, typer.Option(help="minimal, or a Galactic field: jf12, jf12-planck, uf23 ...", rich_help_panel=PHYSICS)
]
Sources = Annotated[
    float | None,
    typer.Option(help="mean number of contributing sources; default: one source a sky", rich_help_panel=PHYSICS),
]
RandomSeed = Annotated[int | None, typer.Option(help="default: from the system", rich_help_panel=PHYSICS)]


def skies(
    output: Output,
    number: Number = 1,
    signal_fraction: SignalFraction = None,
    composition: Composition = "He",
    minimum_energy: MinimumEnergy = 40.0,
    cosmic_rays: CosmicRays = 1000,
    exposure: Exposure = "full",
    field: Field = MINIMAL,
    sources: Sources = None,
    random_seed: RandomSeed = None,
) -> None:
    """Skies of ultra-high-energy cosmic rays, of one source or of a universe of sources, as HDF5 or CSV.

    Spectrum: Auger 2020. Field "minimal": deflections 5.1 rad EV / R (coherent) and 2.79 rad EV / R (blurring). A
    Galactic field is tracked once (minutes) and kept in the cache.
    """
    from cloudchamber.simulators.cosmicrays.skies import SkyOptions

    check_output(output, SUFFIXES)
    options = SkyOptions(
        cosmic_rays=cosmic_rays, minimum_energy=minimum_energy, composition=composition, exposure=exposure
    )
    if number < 1:
        raise BadInput(f"{number} skies: need at least 1", status=2)
    largest = MAX_BYTES // (BYTES_PER_COSMIC_RAY * cosmic_rays)
    if number > largest:
        raise BadInput(f"{number} skies do not fit in memory: write files of at most {largest}, each its own seed")
    fraction = signal_fraction if signal_fraction is not None else (0.055 if sources is None else 1.0)
    if not 0 <= fraction <= 1:
        raise BadInput(f"signal fraction {fraction}: need a number between 0 and 1", status=2)
    if sources is not None and not 0 < sources < math.inf:
        raise BadInput(f"{sources:g} contributing sources: need a number above 0", status=2)
    if random_seed is not None and random_seed < 0:
        raise BadInput(f"random seed {random_seed}: need a whole number of at least 0", status=2)
    seed = secrets.randbits(62) if random_seed is None else random_seed
    lens = _lens(field)
    start = time.monotonic()
    records, about, what = _drawn(options, fraction, sources, number, seed, lens)
    about |= {"field": field}
    if output.suffix.lower() == ".csv":
        _write_csv(output, records)
    else:
        _write_hdf5(output, records, about, seed)
    typer.echo(f"{output}: {what}, field {field}, seed {seed}, {time.monotonic() - start:.1f} s")


def _drawn(
    options: SkyOptions, fraction: float, sources: float | None, number: int, seed: int, lens: Lens | None
) -> tuple[Arrays, dict[str, object], str]:
    """Skies of one source, or of universes with a mean number of sources; their settings, and what they are."""
    from cloudchamber.simulators.cosmicrays.skies import draw_skies
    from cloudchamber.simulators.cosmicrays.universe import UniverseOptions, density_for, draw_universes

    of = f"{number} skies of {options.cosmic_rays} cosmic rays"
    if sources is None:
        count = round(fraction * options.cosmic_rays)
        records = draw_skies(options, np.full(number, count), seed, lens)
        about = {**dataclasses.asdict(options), "signal_fraction": fraction}
        return records, about, f"{of}, {count} of them from one source"
    universe = UniverseOptions(sky=options, signal_fraction=fraction)
    universe = dataclasses.replace(universe, density=density_for(universe, sources))
    records = draw_universes(universe, number, seed, lens)
    what = (
        f"{of}, {records['sources'].mean():.1f} contributing sources on average"
        f" ({universe.density:.3g} per Mpc^3 within {universe.maximum_distance:g} Mpc)"
    )
    return records, dataclasses.asdict(universe), what


def _lens(field: str) -> Lens | None:
    """The lens of a Galactic field, from the cache; None for the minimal model."""
    if field == MINIMAL:
        return None
    from cloudchamber.simulators.cosmicrays.tracking import FIELDS

    if field not in FIELDS:
        raise BadInput(f"unknown field {field!r}{did_you_mean(field, [MINIMAL, *FIELDS])}", status=2)
    from cloudchamber.data.lenses import cached_lens
    from cloudchamber.simulators.cosmicrays.lens import default_rigidities

    return cached_lens(field, LENS_NSIDE, default_rigidities())


def _write_hdf5(path: Path, records: Arrays, about: dict[str, object], seed: int) -> None:
    from cloudchamber.data.shards import write_shard
    from cloudchamber.data.skies import SKY_SCHEMA

    schema = SKY_SCHEMA | ({"sources": SOURCES} if "sources" in records else {})
    write_shard(path, records, schema, {"config": json.dumps(about), "seed": str(seed)})


def _write_csv(path: Path, records: Arrays) -> None:
    from cloudchamber.data.files import replacing
    from cloudchamber.simulators.cosmicrays.directions import to_degrees

    with replacing(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.write("sky,energy_EeV,l_deg,b_deg,signal\n")
        for sky, (energy, direction, signal) in enumerate(
            zip(records["energy"], records["direction"], records["signal"], strict=True)
        ):
            longitude, latitude = to_degrees(direction)
            rows = zip(energy.tolist(), longitude.tolist(), latitude.tolist(), signal.tolist(), strict=True)
            file.writelines(f"{sky},{e:.7g},{lon:.5f},{lat:.5f},{s}\n" for e, lon, lat, s in rows)
