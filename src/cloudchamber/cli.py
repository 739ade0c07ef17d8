"""The command line: it parses, calls one function, prints. Exit status 0, 1 (one clear line), 2 (wrong usage)."""

from __future__ import annotations

import errno
import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudchamber import __version__
from cloudchamber.schema import BadInput, did_you_mean
from cloudchamber.sim.app import sim
from cloudchamber.terminal import console, print_generators, print_predictions, print_rows, print_runs, watched

if TYPE_CHECKING:
    from cloudchamber.run_directory import Run

UsageError: Any = typer.BadParameter.__base__  # typer brings its own click and does not export this name

app = typer.Typer(
    help="Simulate an experiment, learn from it, explain what was learned.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Start with: cloudchamber list; cloudchamber run nuclear-shape --preset tiny",
)
app.add_typer(sim, name="sim")

StudyName = Annotated[str, typer.Argument(help="a study (see `cloudchamber list`) or the path of a study file")]
RunDirectory = Annotated[Path, typer.Argument(metavar="RUN", help="a run directory")]
RunOrStudy = Annotated[
    Path, typer.Argument(metavar="RUN|STUDY", help="a run directory, or a study whose trained model ships with it")
]
Preset = Annotated[str, typer.Option(help="tiny, quick, standard or paper")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change one setting; repeatable")
]
Seed = Annotated[int, typer.Option(min=0, help="random seed of everything")]
Workers = Annotated[int | None, typer.Option(min=1, help="worker processes of the simulation (default: every core)")]
Scheduler = Annotated[str | None, typer.Option(metavar="tcp://HOST:PORT", help="a running Dask scheduler instead")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda")]
OwnData = Annotated[Path | None, typer.Option("--data", help="your own data: HDF5, Parquet or ROOT")]


def pairs_of(option: str, pairs: list[str] | None) -> dict[str, str]:
    """``["a=1"]`` to ``{"a": "1"}``."""
    found = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise BadInput(f"{option} {pair!r}: write it as key=value", status=2)
        found[key.strip()] = value.strip()
    return found


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", help="say only what was asked for")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    """What every command takes; the help of the program is that of the application."""
    if version:
        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)
    log = logging.getLogger("cloudchamber")
    log.setLevel(logging.WARNING if quiet else logging.INFO)
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
    log.propagate = False
    context.obj = {"debug": debug}


@app.command("list")
def list_studies() -> None:
    """The studies: question, presets, headline number."""
    from rich.table import Column, Table

    from cloudchamber.card import headline
    from cloudchamber.study import load_study, study_names

    table = Table(
        Column("study", no_wrap=True), "question", "presets", "headline (standard preset)", box=None, pad_edge=False
    )
    for name in sorted(study_names()):
        study = load_study(name)
        table.add_row(name, study.question, " ".join(study.presets), headline(study))
    console().print(table)


@app.command()
def describe(study: StudyName) -> None:
    """The card of a study: physics, data, learners or checks, where each part lives, citation."""
    from cloudchamber.card import card, study_file
    from cloudchamber.shipped import shipped_card
    from cloudchamber.study import load_study

    found = load_study(study)
    out = console()
    out.soft_wrap = False  # long lines are wrapped at words, in a pipe too
    out.print(f"[bold]{found.name}[/bold]: {found.title}\n\n{found.question}\nReference: {found.reference}")
    for part in card(found):
        out.print(f"\n[bold]{part.heading}[/bold]{part.remark}" + ("" if part.entries else ": none"))
        for entry in part.entries:
            out.print(f"  {entry.text}" + (f"  <- {entry.module}" if entry.module else ""), markup=False)
    out.print(f"\nThe study is the file {study_file(study)}", markup=False, soft_wrap=True)
    if found.citation:
        out.print(f"Cite: {found.citation}", markup=False)
    if text := shipped_card(study):
        from rich.markdown import Markdown

        out.print(f"\nA trained model ships with it: cloudchamber generate {study} -n 1000\n", markup=False)
        out.print(Markdown(text))


@app.command()
def run(
    study: Annotated[str | None, typer.Argument(help="a study (see `cloudchamber list`) or the path of a file")] = None,
    preset: Preset = "quick",
    settings: Settings = None,
    seed: Seed = 1,
    workers: Workers = None,
    scheduler: Scheduler = None,
    device: Device = "auto",
    data: OwnData = None,
    runs: Annotated[Path, typer.Option(help="where run directories are made")] = Path("runs"),
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="go on with an interrupted run")] = None,
) -> None:
    """Simulate, learn, score, explain (or check) and report: everything, into one run directory."""
    from cloudchamber import run as road
    from cloudchamber.run_directory import Resources, choose_device, new_run, open_run
    from cloudchamber.study import load_study

    log = logging.getLogger("cloudchamber")
    if resume is not None:
        if study is not None or settings or data:
            raise BadInput("--resume RUN goes on with that run's own study and settings: give nothing else", status=2)
        opened = open_run(resume)
        if opened.finished:
            log.info("%s is finished already", resume)
            say_where(opened)
            return
        choose_device(device)
    else:
        load_study(given(study)).preset(preset)  # a wrong word is told at once, before torch is asked for a device
        choose_device(device)
        opened = new_run(
            given(study), preset=preset, settings=pairs_of("--set", settings), seed=seed, runs=runs, data=data
        )
        log.info("run directory %s", opened.path)
    try:
        with watched("simulating") as progress:
            road.travel(opened, Resources(workers, scheduler, device, progress))
    except KeyboardInterrupt:
        raise BadInput(f"interrupted; go on with: cloudchamber run --resume {opened.path}") from None
    say_where(opened)


def given(study: str | None) -> str:
    """The study, if one was given."""
    from cloudchamber.study import study_names

    if study is None:
        raise BadInput(f"give a study; known: {', '.join(sorted(study_names()))}", status=2)
    return study


def say_where(opened: Run[Any]) -> None:
    """The comparison of a finished run, and where its report is."""
    print_runs([opened.path])
    print(f"report: {(opened.path / 'report.html').resolve()}")


@app.command()
def search(
    study: Annotated[str | None, typer.Argument(help="a study (see `cloudchamber list`) or the path of a file")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="number of trials in all (default: 20)")] = None,
    preset: Preset = "quick",
    settings: Settings = None,
    sampler: Annotated[str, typer.Option(help="tpe or random")] = "tpe",
    seed: Seed = 1,
    workers: Annotated[int, typer.Option(min=1, help="processes that simulate, and then try settings")] = 1,
    device: Device = "auto",
    runs: Annotated[Path, typer.Option(help="where the directory of the search is made")] = Path("runs"),
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="go on with a search, or help one that is under way")
    ] = None,
    winner_seeds: Annotated[
        int | None, typer.Option(min=0, help="trainings of the winner on the whole preset (default: 3)")
    ] = None,
) -> None:
    """Search for settings: trials ranked by the validation split, their importance, the winner trained again."""
    from cloudchamber import search as searches
    from cloudchamber.report.search import ranking, winner_line
    from cloudchamber.run_directory import choose_device
    from cloudchamber.study import PredictorStudy, load_study, of_kind
    from cloudchamber.terminal import print_table

    if resume is not None:
        if study is not None or settings:
            raise BadInput("--resume DIR goes on with that search's own study and settings: leave yours out", status=2)
        opened = searches.open_search(resume)
        opened.extend(trials, winner_seeds)
    else:
        source = given(study)
        opened = searches.new_search(
            of_kind(load_study(source), PredictorStudy, "search"), source, preset, pairs_of("--set", settings), seed,
            runs, sampler=sampler, trials=20 if trials is None else trials,
            winner_seeds=3 if winner_seeds is None else winner_seeds,
        )  # fmt: skip
        logging.getLogger("cloudchamber").info("directory of the search %s", opened.path)
    try:
        content = searches.search(opened, workers, choose_device(device))
    except KeyboardInterrupt:
        raise BadInput(f"interrupted; go on with: cloudchamber search --resume {opened.path}") from None
    header, rows = ranking(content)
    print_table(header, rows[:20])
    print(f"\n{winner_line(content)}\nreport: {(opened.path / 'report.html').resolve()}")


@app.command()
def simulate(
    study: StudyName,
    n: Annotated[int, typer.Option("-n", help="number of records (for nuclear-shape: shapes)")],
    output: Annotated[Path, typer.Option("-o", help="HDF5 file to write")],
    preset: Preset = "quick",
    settings: Settings = None,
    seed: Seed = 1,
    workers: Workers = None,
    scheduler: Scheduler = None,
) -> None:
    """Only the data set."""
    from cloudchamber import farm
    from cloudchamber.data.store import write_file
    from cloudchamber.study import load_study

    loaded = load_study(study)
    config = loaded.data_config(loaded.preset(preset).changed(pairs_of("--set", settings)))
    if n < 1:
        raise BadInput(f"-n {n}: give at least 1 record", status=2)
    if not output.parent.is_dir():
        raise BadInput(f"-o {output}: there is no directory {output.parent}", status=2)
    try:
        with watched("simulating") as progress:
            dataset = farm.simulate(
                loaded, config, n, seed, study_source=study, workers=workers, scheduler=scheduler, progress=progress
            )
    except KeyboardInterrupt:
        raise BadInput("interrupted; the same command goes on where it stopped") from None
    write_file(dataset, output)
    print(f"{n} records of {loaded.name} (preset {preset}, seed {seed}) in {output}")


@app.command()
def evaluate(
    directory: RunDirectory,
    data: Annotated[
        Path, typer.Option("--data", help="your own data: HDF5, Parquet, ROOT; catalogues: CSV, FITS, HDF5")
    ],
    column: Annotated[
        list[str] | None, typer.Option("--map", metavar="NAME=COLUMN", help="your column for one of ours; repeatable")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", help="write the predictions to this HDF5 file")] = None,
    device: Device = "auto",
) -> None:
    """Score a finished run on new data, with a check of the training range."""
    from cloudchamber import generation, prediction
    from cloudchamber.data.files import write_arrays
    from cloudchamber.run_directory import open_run
    from cloudchamber.study import GeneratorStudy

    if not data.is_file():
        raise BadInput(f"--data {data}: no such file", status=2)
    study = open_run(directory).study
    if isinstance(study, GeneratorStudy):
        if column or output is not None:
            raise BadInput("--map and -o are for studies that predict: a file of events has its own form", status=2)
        print_generators(generation.evaluate(directory, data, device))
        return
    found = prediction.evaluate(directory, data, pairs_of("--map", column) or None, device)
    if found.outside.any():
        many = f"{found.outside.sum()} of {len(found.outside)}"
        print(f"warning: {many} inputs lie outside the range of the training", file=sys.stderr)
    if found.rows:
        print_rows(found.rows)
    else:
        print_predictions(found, study.target_names)
    if output is not None:
        arrays = prediction.as_arrays(found.predictions)
        arrays |= {f"{name}/p_value": values for name, values in found.p_values.items()}
        arrays["outside_training_range"] = found.outside
        write_arrays(output, arrays, {"targets": list(study.target_names)})
        print(f"predictions of {len(found.outside)} records in {output}")


@app.command()
def generate(
    source: RunOrStudy,
    n: Annotated[int, typer.Option("-n", help="number of events")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", help="file to write, .h5 or what else the study writes, say .hepmc3 (default: STUDY-sSEED.h5)"
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="under which condition; repeatable")
    ] = None,
    generator: Annotated[str | None, typer.Option(help="which (default: that of the headline number)")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="random seed (default: from the system)")] = None,
    extrapolate: Annotated[bool, typer.Option("--extrapolate", help="also beyond the range of the training")] = False,
    device: Device = "auto",
) -> None:
    """New events by the generator of a run, or by one that ships with the package, as many as the disk holds."""
    import secrets

    from cloudchamber import generation
    from cloudchamber.shipped import CARD, run_or_model
    from cloudchamber.study import GeneratorStudy

    seed = secrets.randbits(31) if seed is None else seed
    directory = run_or_model(source, GeneratorStudy, "generate", generator)
    with watched("generating") as progress:
        made = generation.generate(
            directory, pairs_of("--set", settings), n, output, generator=generator, seed=seed, extrapolate=extrapolate,
            device=device, progress=progress,
        )  # fmt: skip
    print(f"{made.path}: {n} events by {made.generator.title}, seed {seed}")
    if (directory / CARD).exists():
        print(f"model card: {directory / CARD}")


@app.command()
def export(
    source: RunOrStudy,
    output: Annotated[
        Path | None, typer.Option("-o", metavar="DIR", help="directory to make (default: RUN/export or STUDY-export)")
    ] = None,
) -> None:
    """The network of a finished run for other programs: ONNX (of generators also TorchScript), and what they mean."""
    from cloudchamber.export.finished_run import export_run
    from cloudchamber.run_directory import open_run
    from cloudchamber.shipped import run_or_model
    from cloudchamber.study import LearningStudy, of_kind

    directory = run_or_model(source, LearningStudy, "export")
    of_kind(open_run(directory).study, LearningStudy, "export")
    print(export_run(directory, output or (source / "export" if directory == source else Path(f"{source}-export"))))


@app.command()
def explain(
    directory: RunDirectory,
    method: Annotated[str | None, typer.Option(help="one explanation of the study (default: all)")] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    device: Device = "auto",
) -> None:
    """Compute the explanations of a finished run again and rebuild its report."""
    from cloudchamber import run as road
    from cloudchamber.run_directory import Resources

    with watched("simulating") as progress:
        for path in road.explain(directory, method, Resources(workers, scheduler, device, progress)):
            print(path)


@app.command()
def null(
    directory: RunDirectory,
    predictor: Annotated[str, typer.Option(help="whose test statistic (see the tables of the run)")],
    n: Annotated[int, typer.Option("-n", min=1, help="records of the null hypothesis in all")] = 1_000_000,
    share: Annotated[
        str, typer.Option(metavar="I/N", help="this process makes every N-th chunk, from the I-th")
    ] = "1/1",
    device: Device = "auto",
) -> None:
    """Many records of the null hypothesis (isotropic skies): p-values of a search measured instead of extrapolated.

    Only the test statistic is kept. Stop it at any time: the same command goes on. Several processes share the work.
    """
    from cloudchamber import null_hypothesis

    with watched("null hypothesis, chunks") as progress:
        path, skies_there = null_hypothesis.extend(directory, predictor, n, share, device, progress)
    print(f"{skies_there} null records of {predictor} in {path}")


@app.command()
def compare(
    directories: Annotated[list[Path], typer.Argument(metavar="RUN...", help="run directories, or files of results/")],
) -> None:
    """One table of several runs."""
    print_runs(directories)


@app.command()
def report(directory: RunDirectory) -> None:
    """Rebuild report.html from what lies in the run directory."""
    from cloudchamber.data.files import exclusive
    from cloudchamber.run import write_report
    from cloudchamber.run_directory import open_run, read_metrics

    opened = open_run(directory)
    read_metrics(directory)
    with exclusive(directory):
        print(write_report(opened).resolve())


@app.command()
def doctor() -> None:
    """What is installed, what each missing extra would add, where things are kept."""
    import platform
    from importlib.metadata import PackageNotFoundError, metadata, version

    from cloudchamber.data.files import cache_directory
    from cloudchamber.run_directory import choose_device, hardware
    from cloudchamber.study import EXTRAS, installed

    out = console()
    out.print(f"cloudchamber {__version__}, Python {platform.python_version()}, {hardware()}", markup=False)
    for package in ("numpy", "numba", "scipy", "h5py", "scikit-learn", "distributed", "torch", "lightning", "captum"):
        try:
            out.print(f"  {package} {version(package)}", markup=False)
        except PackageNotFoundError:
            out.print(f"  {package} is missing: pip install -c constraints.txt cloudchamber", markup=False)
    if find_spec("torch"):
        out.print(f"  networks run on: {choose_device('auto')}", markup=False)
    for extra in metadata("cloudchamber").get_all("Provides-Extra") or []:
        adds, there = EXTRAS[extra][1], installed(extra)
        state = "installed" if there else f"missing, pip install 'cloudchamber[{extra}]' adds {adds}"
        out.print(f"  extra {extra} ({adds}): {state}" if there else f"  extra {extra}: {state}", markup=False)
    cache = cache_directory()
    size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) / 2**20
    out.print(f"  cache {cache}: {size:.0f} MiB, writable (CLOUDCHAMBER_CACHE moves it)", markup=False)


def main() -> None:
    """Entry point: one clear line on standard error instead of a traceback."""
    debug = "--debug" in sys.argv
    try:
        status = app(standalone_mode=False)
    except BadInput as error:
        if debug:
            raise
        print(f"cloudchamber: {error}", file=sys.stderr)
        status = error.status
    except UsageError as error:
        message = error.format_message()
        if error.ctx is not None and message.startswith("No such command"):
            known = error.ctx.command.list_commands(error.ctx)
            word = message.split("'")[1]
            message = f"no command {word!r}{did_you_mean(word, known)}"
        elif error.ctx is not None:
            message = f"{message} (see `{error.ctx.command_path} --help`)"
        print(f"cloudchamber: {message}", file=sys.stderr)
        status = 2
    except (typer.Abort, KeyboardInterrupt):
        print("cloudchamber: interrupted", file=sys.stderr)
        status = 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except Exception as error:
        if debug:
            raise
        text = " ".join(str(error).split())
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            text = f"disk full: {text}; free space and repeat the command (a run goes on with --resume)"
        print(f"cloudchamber: {type(error).__name__}: {text} (--debug shows the traceback)", file=sys.stderr)
        status = 1
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
