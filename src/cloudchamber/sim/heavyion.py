"""``cloudchamber sim heavyion U U 1000``: the collisions as a tool of its own, in the idiom of TRENTo 2.0.

Columns, options, configuration files and output layouts are TRENTo's (arXiv:1412.4708, documentation of version 2.0):
``event b npart [ncoll] mult e2 e3 e4 e5``; grids are ``[iy, ix]``. Options that TRENTo has no counterpart for set the
nuclear shape; gamma is in degrees here and only here.
"""

from __future__ import annotations

import math
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudchamber.schema import BadInput, did_you_mean

if TYPE_CHECKING:
    from cloudchamber.schema import Arrays
    from cloudchamber.simulators.heavyion.collisions import CollisionOptions
    from cloudchamber.simulators.heavyion.nuclei import Nucleus

    Writer = Callable[[int, Arrays], None]
    """Number of the first event and arrays of some events, to be written."""

BATCH = 1000
"""Events simulated and written at once without grids."""
GRID_BATCH_BYTES = 32_000_000
"""Memory for the grids of a batch."""
HDF5_SUFFIXES = (".hdf5", ".hdf", ".hd5", ".h5")
ECCENTRICITIES = ("e2", "e3", "e4", "e5")
EXTRA = ("psi2", "psi3", "psi4", "psi5", "rms_radius", "area", "inverse_area")
BIBTEX = """@article{Moreland:2014oya,
  author  = "Moreland, J. Scott and Bernhard, Jonah E. and Bass, Steffen A.",
  title   = "{Alternative ansatz to wounded nucleon and binary collision scaling in high-energy nuclear collisions}",
  journal = "Phys. Rev. C", volume = "92", number = "1", pages = "011901", year = "2015",
  doi     = "10.1103/PhysRevC.92.011901", eprint = "1412.4708", archivePrefix = "arXiv", primaryClass = "nucl-th"
}"""

output_option = partial(typer.Option, rich_help_panel="Output")
physics_option = partial(typer.Option, rich_help_panel="Physics")
grid_option = partial(typer.Option, rich_help_panel="Grid")
shape_option = partial(typer.Option, rich_help_panel="Nuclear shape (beyond TRENTo)")


def _read_config_files(context: typer.Context, paths: list[Path] | None) -> list[Path] | None:
    """Make ``key = value`` files the defaults of the other options; earlier files and the command line win."""
    known = {parameter.name for parameter in context.command.params}
    found: dict[str, Any] = {}
    for path in paths or []:
        if not path.is_file():
            raise BadInput(f"configuration file {path} not found", status=2)
        here: dict[str, Any] = {}
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            text = line.split("#", maxsplit=1)[0].strip()
            if not text:
                continue
            key, equals, value = (part.strip() for part in text.partition("="))
            name = key.replace("-", "_")
            if not equals or name not in known | {"projectile"}:
                hint = did_you_mean(key, {str(one).replace("_", "-") for one in known}) if equals else ": key = value"
                raise BadInput(f"{path}:{number}: cannot use {text!r}{hint}", status=2)
            if name == "projectile" and "projectile" in here:
                name = "target"
            here[name] = value
        found = here | found
    context.default_map = {**(context.default_map or {}), **found}
    return paths


def _print_bibtex(wanted: bool) -> None:
    if wanted:
        typer.echo(BIBTEX)
        raise typer.Exit


Projectile = Annotated[str, typer.Argument(help="p d O Cu Ru Zr Xe Au Pb U ..., or a file .h5 .npz of positions")]
Target = Annotated[str, typer.Argument(help="the same choice")]
NumberEvents = Annotated[int, typer.Argument(help="number of events")]
ConfigFile = Annotated[
    list[Path] | None,
    typer.Option(
        "-c",
        "--config-file",
        metavar="FILE",
        help="key = value; repeatable",
        is_eager=True,
        callback=_read_config_files,
    ),
]
Bibtex = Annotated[bool, typer.Option("--bibtex", help="print the citation", is_eager=True, callback=_print_bibtex)]
Quiet = Annotated[bool, output_option("-q", "--quiet", help="do not print event properties")]
Output = Annotated[Path | None, output_option("-o", "--output", help="HDF5 file, or directory for text files")]
NoHeader = Annotated[bool, output_option("--no-header", help="text files: no header")]
Ncoll = Annotated[bool, output_option("--ncoll", help="count binary collisions")]
Extended = Annotated[
    bool, output_option("--extended", help="further columns: psi2..5 [rad], rms radius, area, area^-1/2")
]
ReducedThickness = Annotated[float, physics_option("-p", "--reduced-thickness", help="p of the generalised mean")]
Fluctuation = Annotated[float, physics_option("-k", "--fluctuation", help="gamma shape parameter")]
NucleonWidth = Annotated[float, physics_option("-w", "--nucleon-width", help="Gaussian width [fm]")]
ConstitWidth = Annotated[
    float | None, physics_option("-v", "--constit-width", help="Gaussian width [fm]; default: same")
]
ConstitNumber = Annotated[int, physics_option("-m", "--constit-number", help="constituents in a nucleon")]
NucleonMinDist = Annotated[float, physics_option("-d", "--nucleon-min-dist", help="minimum distance [fm]")]
CrossSection = Annotated[float, physics_option("-x", "--cross-section", help="sigma_NN inelastic [fm^2]")]
SqrtS = Annotated[
    float | None, physics_option("--sqrt-s", help="energy of a nucleon pair [GeV], sets the cross section")
]
Normalization = Annotated[float, physics_option("-n", "--normalization", help="overall factor")]
BMin = Annotated[float, physics_option("--b-min", help="minimum impact parameter [fm]")]
BMax = Annotated[float, physics_option("--b-max", help="maximum impact parameter [fm]; negative: auto")]
RandomSeed = Annotated[int, physics_option("--random-seed", help="positive integer; else from the system")]
GridMax = Annotated[float, grid_option("--grid-max", help="grid from -max to +max [fm]")]
GridStep = Annotated[float, grid_option("--grid-step", help="cell size [fm]")]
Beta2 = Annotated[float | None, shape_option("--beta2", help="quadrupole")]
Beta3 = Annotated[float | None, shape_option("--beta3", help="octupole")]
Beta4 = Annotated[float | None, shape_option("--beta4", help="hexadecapole")]
Gamma = Annotated[float | None, shape_option("--gamma", help="triaxiality [degrees]")]
Radius = Annotated[float | None, shape_option("--radius", help="R0 [fm]")]
Diffuseness = Annotated[float | None, shape_option("--diffuseness", help="a [fm]")]
NeutronRadius = Annotated[float | None, shape_option("--neutron-radius", help="R0 of the neutrons [fm]")]
NeutronDiffuseness = Annotated[float | None, shape_option("--neutron-diffuseness", help="a of the neutrons [fm]")]
Correlation = Annotated[str, shape_option("--correlation", help="short-range: none or miller_spencer")]


def heavyion(
    projectile: Projectile,
    target: Target,
    number_events: NumberEvents = 1,
    config_file: ConfigFile = None,  # noqa: ARG001 (its callback acts)
    bibtex: Bibtex = False,  # noqa: ARG001 (its callback acts)
    quiet: Quiet = False,
    output: Output = None,
    no_header: NoHeader = False,
    ncoll: Ncoll = False,
    extended: Extended = False,
    reduced_thickness: ReducedThickness = 0.0,
    fluctuation: Fluctuation = 1.0,
    nucleon_width: NucleonWidth = 0.5,
    constit_width: ConstitWidth = None,
    constit_number: ConstitNumber = 1,
    nucleon_min_dist: NucleonMinDist = 0.0,
    cross_section: CrossSection = 6.4,
    sqrt_s: SqrtS = None,
    normalization: Normalization = 1.0,
    b_min: BMin = 0.0,
    b_max: BMax = -1.0,
    random_seed: RandomSeed = -1,
    grid_max: GridMax = 10.0,
    grid_step: GridStep = 0.2,
    beta2: Beta2 = None,
    beta3: Beta3 = None,
    beta4: Beta4 = None,
    gamma: Gamma = None,
    radius: Radius = None,
    diffuseness: Diffuseness = None,
    neutron_radius: NeutronRadius = None,
    neutron_diffuseness: NeutronDiffuseness = None,
    correlation: Correlation = "none",
) -> None:
    """Heavy-ion collisions: TRENTo's columns and options, with nuclei of any shape.

    Prints: event, b [fm], npart, [ncoll], mult, e2, e3, e4, e5. Shape options apply to every Woods-Saxon nucleus.
    """
    from cloudchamber.simulators.heavyion.collisions import CollisionOptions

    if number_events < 1:
        raise BadInput(f"number of events is {number_events}: need at least 1", status=2)
    shape = {
        "radius": radius, "diffuseness": diffuseness, "beta2": beta2, "beta3": beta3, "beta4": beta4,
        "gamma": None if gamma is None else math.radians(gamma), "neutron_radius": neutron_radius,
        "neutron_diffuseness": neutron_diffuseness, "correlation": None if correlation == "none" else correlation,
    }  # fmt: skip
    physics = {
        "cross_section": cross_section, "sqrt_s": sqrt_s, "nucleon_width": nucleon_width,
        "constituent_width": constit_width, "constituent_number": constit_number, "fluctuation": fluctuation,
        "reduced_thickness": reduced_thickness, "normalization": normalization, "ncoll": ncoll,
        "b_min": b_min, "b_max": None if b_max < 0 else b_max, "grid_max": grid_max, "grid_step": grid_step,
    }  # fmt: skip
    pair = _nuclei((projectile, target), shape, nucleon_min_dist)
    options = CollisionOptions().changed(physics)
    seed = random_seed if random_seed > 0 else secrets.randbits(62)
    lines = None if quiet else _Lines(number_events, extended)
    with nullcontext() if output is None else _grids(output, number_events, header=not no_header) as grids:
        _simulate(*pair, number_events, seed, options, lines, grids)


def _nuclei(names: tuple[str, str], shape: dict[str, Any], minimum_distance: float) -> tuple[Nucleus, Nucleus]:
    """Projectile and target, from the table or from files, with the shape options applied."""
    from typing import get_args

    from cloudchamber.simulators.heavyion.configurations import is_configurations, read_configurations
    from cloudchamber.simulators.heavyion.nuclei import Correlation, nucleus, reshaped

    if shape["correlation"] is not None and shape["correlation"] not in get_args(Correlation):
        raise BadInput(
            f"unknown correlation {shape['correlation']!r}{did_you_mean(shape['correlation'], get_args(Correlation))}",
            status=2,
        )
    plain = [read_configurations(name) if is_configurations(name) else nucleus(name) for name in names]
    given = [key for key, value in shape.items() if value is not None]
    if given and all(one.kind != "woods_saxon" for one in plain):
        raise BadInput(
            f"neither {names[0]} nor {names[1]} is a Woods-Saxon nucleus: no use for {', '.join(given)}", status=2
        )
    changes = shape | {"minimum_distance": minimum_distance or None}
    first, second = (reshaped(one, changes) if one.kind == "woods_saxon" else one for one in plain)
    return first, second


def _simulate(
    a: Nucleus,
    b: Nucleus,
    events: int,
    seed: int,
    options: CollisionOptions,
    lines: Writer | None,
    grids: Writer | None,
) -> None:
    """Simulate batch by batch and hand each to the writers; entropy profiles are made if there is one of ``grids``."""
    from cloudchamber.simulators.heavyion.collisions import collide

    batch = BATCH
    if grids is not None:
        cells = math.ceil(2 * options.grid_max / options.grid_step)
        batch = max(1, min(BATCH, GRID_BATCH_BYTES // (8 * cells**2)))
    for first in range(0, events, batch):
        count = min(batch, events - first)
        arrays = collide(a, b, count, seed, options, first_event=first, profiles=grids is not None)
        for write in (lines, grids):
            if write is not None:
                write(first, arrays)


def _rows(first: int, arrays: Arrays, extended: bool) -> Iterator[tuple[Any, ...]]:
    """TRENTo's columns of each event as Python numbers."""
    names = ["impact_parameter", "npart", "ncoll", "multiplicity", *(f"eccentricity{n}" for n in range(2, 6))]
    names += EXTRA if extended else ()
    columns = [arrays[name].tolist() for name in names if name in arrays]
    return zip(range(first, first + len(columns[0])), *columns, strict=True)


class _Lines:
    """Event properties on standard output, in TRENTo's format."""

    def __init__(self, events: int, extended: bool) -> None:
        self.width = math.ceil(math.log10(events))
        self.extended = extended

    def __call__(self, first: int, arrays: Arrays) -> None:
        line = f"%{self.width}d%15.10f%5d{'%6d' if 'ncoll' in arrays else ''}%18.10e" + 4 * "%14.10f"
        line += (4 * "%15.10f" + 3 * "%16.10f") if self.extended else ""
        text = "\n".join([line % row for row in _rows(first, arrays, self.extended)])
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except BrokenPipeError:  # the reader, e.g. `head`, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None


@contextmanager
def _grids(path: Path, events: int, *, header: bool) -> Iterator[Writer]:
    """A writer of entropy profiles: one HDF5 file (TRENTo's layout), or a directory of text files."""
    if path.suffix.lower() not in HDF5_SUFFIXES:
        yield _TextFiles(path, math.ceil(math.log10(events)), header)
        return
    if path.exists() and (path.is_dir() or path.stat().st_size):
        raise BadInput(f"file {path} exists, will not overwrite")
    if not path.parent.is_dir():
        raise BadInput(f"cannot write {path}: there is no directory {path.parent}")
    from cloudchamber.data.files import new_file

    with new_file(path) as file:
        yield _Hdf5(file)


class _Hdf5:
    """One data set ``event_N`` (iy, ix) per event, with the event's properties as attributes."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def __call__(self, first: int, arrays: Arrays) -> None:
        names = ["b", "npart", *(["ncoll"] if "ncoll" in arrays else []), "mult", *ECCENTRICITIES, *EXTRA]
        for grid, (number, *values) in zip(arrays["entropy_profile"], _rows(first, arrays, True), strict=True):
            data = self.file.create_dataset(
                f"event_{number}", data=grid, chunks=grid.shape, compression="gzip", compression_opts=4
            )
            for name, value in zip(names, values, strict=True):
                data.attrs[name] = value


class _TextFiles:
    """One file ``N.dat`` per event: commented properties, then the grid, a row per iy."""

    def __init__(self, directory: Path, width: int, header: bool) -> None:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise BadInput(f"output directory {directory} must be empty")
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"cannot make directory {directory}: {error.strerror}") from None
        self.directory, self.width, self.header = directory, width, header

    def __call__(self, first: int, arrays: Arrays) -> None:
        names = ["b", "npart", *(["ncoll"] if "ncoll" in arrays else []), "mult", *ECCENTRICITIES]
        cell = "%.10g" if self.header else "%g"
        for grid, (number, *values) in zip(arrays["entropy_profile"], _rows(first, arrays, False), strict=True):
            row = " ".join([cell] * len(grid)) + "\n"
            head = f"# event {number}\n" + "".join(
                f"# {name:<5} = {value:.10g}\n" for name, value in zip(names, values, strict=True)
            )
            text = (head if self.header else "") + "".join([row % tuple(line) for line in grid.tolist()])
            try:
                (self.directory / f"{number:0{self.width}d}.dat").write_text(text)
            except OSError as error:
                raise BadInput(f"cannot write into {self.directory}: {error.strerror}") from None
