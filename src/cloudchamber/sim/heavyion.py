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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudchamber.schema import BadInput, did_you_mean

if TYPE_CHECKING:
    from cloudchamber.schema import Arrays
    from cloudchamber.simulators.heavyion.collisions import CollisionOptions
    from cloudchamber.simulators.heavyion.nuclei import Nucleus

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

OUTPUT, PHYSICS, GRID, SHAPE = "Output", "Physics", "Grid", "Nuclear shape (beyond TRENTo)"


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
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="do not print event properties", rich_help_panel=OUTPUT)]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="HDF5 file, or directory for text files", rich_help_panel=OUTPUT)
]
NoHeader = Annotated[bool, typer.Option("--no-header", help="text files: no header", rich_help_panel=OUTPUT)]
Ncoll = Annotated[bool, typer.Option("--ncoll", help="count binary collisions", rich_help_panel=OUTPUT)]
Extended = Annotated[
    bool,
    typer.Option(
        "--extended", help="further columns: psi2..5 [rad], rms radius, area, area^-1/2", rich_help_panel=OUTPUT
    ),
]
ReducedThickness = Annotated[
    float, typer.Option("-p", "--reduced-thickness", help="p of the generalised mean", rich_help_panel=PHYSICS)
]
Fluctuation = Annotated[
    float, typer.Option("-k", "--fluctuation", help="gamma shape parameter", rich_help_panel=PHYSICS)
]
NucleonWidth = Annotated[
    float, typer.Option("-w", "--nucleon-width", help="Gaussian width [fm]", rich_help_panel=PHYSICS)
]
ConstitWidth = Annotated[
    float | None,
    typer.Option("-v", "--constit-width", help="Gaussian width [fm]; default: same", rich_help_panel=PHYSICS),
]
ConstitNumber = Annotated[
    int, typer.Option("-m", "--constit-number", help="constituents in a nucleon", rich_help_panel=PHYSICS)
]
NucleonMinDist = Annotated[
    float, typer.Option("-d", "--nucleon-min-dist", help="minimum distance [fm]", rich_help_panel=PHYSICS)
]
CrossSection = Annotated[
    float, typer.Option("-x", "--cross-section", help="sigma_NN inelastic [fm^2]", rich_help_panel=PHYSICS)
]
SqrtS = Annotated[
    float | None,
    typer.Option("--sqrt-s", help="energy of a nucleon pair [GeV], sets the cross section", rich_help_panel=PHYSICS),
]
Normalization = Annotated[float, typer.Option("-n", "--normalization", help="overall factor", rich_help_panel=PHYSICS)]
BMin = Annotated[float, typer.Option("--b-min", help="minimum impact parameter [fm]", rich_help_panel=PHYSICS)]
BMax = Annotated[
    float, typer.Option("--b-max", help="maximum impact parameter [fm]; negative: auto", rich_help_panel=PHYSICS)
]
RandomSeed = Annotated[
    int, typer.Option("--random-seed", help="positive integer; else from the system", rich_help_panel=PHYSICS)
]
GridMax = Annotated[float, typer.Option("--grid-max", help="grid from -max to +max [fm]", rich_help_panel=GRID)]
GridStep = Annotated[float, typer.Option("--grid-step", help="cell size [fm]", rich_help_panel=GRID)]
Beta2 = Annotated[float | None, typer.Option("--beta2", help="quadrupole", rich_help_panel=SHAPE)]
Beta3 = Annotated[float | None, typer.Option("--beta3", help="octupole", rich_help_panel=SHAPE)]
Beta4 = Annotated[float | None, typer.Option("--beta4", help="hexadecapole", rich_help_panel=SHAPE)]
Gamma = Annotated[float | None, typer.Option("--gamma", help="triaxiality [degrees]", rich_help_panel=SHAPE)]
Radius = Annotated[float | None, typer.Option("--radius", help="R0 [fm]", rich_help_panel=SHAPE)]
Diffuseness = Annotated[float | None, typer.Option("--diffuseness", help="a [fm]", rich_help_panel=SHAPE)]
NeutronRadius = Annotated[
    float | None, typer.Option("--neutron-radius", help="R0 of the neutrons [fm]", rich_help_panel=SHAPE)
]
NeutronDiffuseness = Annotated[
    float | None, typer.Option("--neutron-diffuseness", help="a of the neutrons [fm]", rich_help_panel=SHAPE)
]
Correlation = Annotated[
    str, typer.Option("--correlation", help="short-range: none or miller_spencer", rich_help_panel=SHAPE)
]


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
        "radius": radius,
        "diffuseness": diffuseness,
        "beta2": beta2,
        "beta3": beta3,
        "beta4": beta4,
        "gamma": None if gamma is None else math.radians(gamma),
        "neutron_radius": neutron_radius,
        "neutron_diffuseness": neutron_diffuseness,
        "correlation": None if correlation == "none" else correlation,
    }
    a, b = _nuclei((projectile, target), shape, nucleon_min_dist)
    options = CollisionOptions().changed(
        {
            "cross_section": cross_section,
            "sqrt_s": sqrt_s,
            "nucleon_width": nucleon_width,
            "constituent_width": constit_width,
            "constituent_number": constit_number,
            "fluctuation": fluctuation,
            "reduced_thickness": reduced_thickness,
            "normalization": normalization,
            "b_min": b_min,
            "b_max": None if b_max < 0 else b_max,
            "grid_max": grid_max,
            "grid_step": grid_step,
            "ncoll": ncoll,
        }
    )
    seed = random_seed if random_seed > 0 else secrets.randbits(62)
    with ExitStack() as stack:
        writers = [] if quiet else [_Lines(number_events, extended)]
        if output is not None:
            writers.append(stack.enter_context(_grids(output, number_events, header=not no_header)))
        _simulate(a, b, number_events, seed, options, writers, profiles=output is not None)


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
    a: Nucleus, b: Nucleus, events: int, seed: int, options: CollisionOptions, writers: list[Any], *, profiles: bool
) -> None:
    """Simulate batch by batch and hand each to every writer."""
    from cloudchamber.simulators.heavyion.collisions import collide

    batch = BATCH
    if profiles:
        cells = math.ceil(2 * options.grid_max / options.grid_step)
        batch = max(1, min(BATCH, GRID_BATCH_BYTES // (8 * cells**2)))
    for first in range(0, events, batch):
        count = min(batch, events - first)
        arrays = collide(a, b, count, seed, options, first_event=first, profiles=profiles)
        for writer in writers:
            writer(first, arrays)


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
def _grids(path: Path, events: int, *, header: bool) -> Iterator[Any]:
    """A writer of entropy profiles: one HDF5 file (TRENTo's layout), or a directory of text files."""
    if path.suffix.lower() not in HDF5_SUFFIXES:
        yield _TextFiles(path, math.ceil(math.log10(events)), header)
        return
    if path.exists() and (path.is_dir() or path.stat().st_size):
        raise BadInput(f"file {path} exists, will not overwrite")
    if not path.parent.is_dir():
        raise BadInput(f"cannot write {path}: there is no directory {path.parent}")
    from cloudchamber.data.store import new_file

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
