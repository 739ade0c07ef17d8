"""The command line: it parses, calls one function, prints. Exit status 0, 1 (one clear line), 2 (wrong usage)."""

from __future__ import annotations

import errno
import logging
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudchamber import __version__
from cloudchamber.schema import BadInput, did_you_mean
from cloudchamber.sim.hadronic import hadronic
from cloudchamber.sim.heavyion import heavyion
from cloudchamber.sim.skies import skies

if TYPE_CHECKING:
    from rich.console import Console

    from cloudchamber.run import OpenRun, Progress, Resources
    from cloudchamber.schema import Config
    from cloudchamber.study import Generator, Predictor, Row, Study

PIPE_WIDTH = 120

EXTRAS = {
    "root": ("uproot", "--data from ROOT files"),
    "parquet": ("pyarrow", "--data from Parquet files"),
    "geant4": ("geant4_pybind", "hadronic interactions by Geant4"),
    "generators": ("chromo", "hadronic interactions by UrQMD, and HepMC3 files"),
    "export": ("onnxruntime", "`cloudchamber export`: generators for other programs"),
}
"""Optional extras: the module that each installs, and what that is for."""

UsageError: Any = typer.BadParameter.__base__  # typer brings its own click and does not export this name

app = typer.Typer(
    help="Simulate an experiment, learn from it, explain what was learned.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Start with: cloudchamber list; cloudchamber run nuclear-shape --preset tiny",
)
sim = typer.Typer(
    help="A simulator as a tool of its own, in the idiom of its field's known program.", no_args_is_help=True
)
app.add_typer(sim, name="sim")
sim.command("heavyion", context_settings={"help_option_names": ["-h", "--help"]})(heavyion)
sim.command("skies")(skies)
sim.command("hadronic")(hadronic)

StudyName = Annotated[str, typer.Argument(help="a study (see `cloudchamber list`) or the path of a study file")]
RunDirectory = Annotated[Path, typer.Argument(metavar="RUN", help="a run directory")]
Preset = Annotated[str, typer.Option(help="tiny, quick, standard or paper")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change one setting; repeatable")
]
Seed = Annotated[int, typer.Option(min=0, help="random seed of everything")]
Workers = Annotated[int | None, typer.Option(min=1, help="worker processes of the simulation (default: every core)")]
Scheduler = Annotated[str | None, typer.Option(metavar="tcp://HOST:PORT", help="a running Dask scheduler instead")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda")]
OwnData = Annotated[Path | None, typer.Option("--data", help="your own data: HDF5, Parquet or ROOT")]


def settings_of(pairs: list[str] | None) -> dict[str, str]:
    """``["a=1"]`` to ``{"a": "1"}``."""
    settings = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise BadInput(f"--set {pair!r}: write it as key=value", status=2)
        settings[key.strip()] = value.strip()
    return settings


def configured(source: str, preset: str, pairs: list[str] | None) -> tuple[Study, Config]:
    """The study and its configuration: preset and ``--set``."""
    from cloudchamber.study import load_study

    study = load_study(source)
    return study, study.preset(preset).changed(settings_of(pairs))


def installed(extra: str) -> bool:
    """Whether an optional extra is there."""
    return find_spec(EXTRAS[extra][0]) is not None


@contextmanager
def watched(what: str) -> Iterator[Progress | None]:
    """A progress bar with rate and time left on a terminal; elsewhere, or with --quiet, nothing."""
    if not sys.stderr.isatty() or logging.getLogger("cloudchamber").level > logging.INFO:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def console() -> Console:
    """Standard output as a rich console; into a pipe it is PIPE_WIDTH wide."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    return Console(
        highlight=False, soft_wrap=not terminal, width=None if terminal or "COLUMNS" in os.environ else PIPE_WIDTH
    )


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", help="say only what was asked for")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
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
    from rich.table import Table

    from cloudchamber.study import load_study, study_names

    table = Table("study", "question", "presets", "headline (standard preset)", box=None, pad_edge=False)
    for name in sorted(study_names()):
        study = load_study(name)
        table.add_row(name, study.question, " ".join(study.presets), headline(study))
    console().print(table)


def results_file(study: str) -> Path:
    """results/<study>.json: beside the package when installed, at the root of a checkout."""
    installed = Path(__file__).parent / "results" / f"{study}.json"
    return installed if installed.exists() else Path(__file__).parents[2] / "results" / f"{study}.json"


def headline(study: Study) -> str:
    """The study's headline number from results/, or that there is none."""
    import json

    path = results_file(study.name)
    if not path.exists():
        return "not measured yet"
    predictor, target, metric = study.headline
    for row in json.loads(path.read_text())["rows"]:
        if (row["predictor"], row["sample"], row["target"], row["metric"]) == (predictor, "test", target, metric):
            return f"{predictor}: {metric}({target}) = {value_and_error(row)}"
    return "not measured yet"


@app.command()
def describe(study: StudyName) -> None:
    """The card of a study: physics, data, predictors or generators, where each part lives, citation."""
    from cloudchamber.study import GeneratorStudy, PredictorStudy, load_study, study_names

    found = load_study(study)
    out = console()
    out.soft_wrap = False  # long lines are wrapped at words, in a pipe too
    out.print(f"[bold]{found.name}[/bold]: {found.title}\n\n{found.question}\nReference: {found.reference}\n")
    preset = next(iter(found.presets))
    record = next(array.axes for array in found.schema.values() if array.of is None).split()[0]
    out.print(f"[bold]Data[/bold] (one record for each {record})")
    for name, array in found.schema.items():
        out.print(f"  {name} ({array.axes}) [{array.unit or '1'}]: {array.doc}", markup=False)
    learners: Mapping[str, Predictor | Generator] = {}
    heading = "Predictors"
    if isinstance(found, PredictorStudy):
        out.print(f"Inputs ({found.input.axes}): {found.input.doc}", markup=False)
        out.print(f"Targets: {', '.join(found.target_names)}")
        learners = found.predictors(found.preset(preset), 0, "cpu")
    elif isinstance(found, GeneratorStudy):
        heading, learners = "Generators", found.generators(found.preset(preset), 0, "cpu")
    out.print(f"\n[bold]{heading}[/bold]")
    for name, learner in learners.items():
        out.print(f"  {name} ({learner.kind}): {learner.title}  <- {type(learner).__module__}", markup=False)
    out.print("\n[bold]Probes[/bold] " + ("; ".join(f"{k}: {p.title}" for k, p in found.probes.items()) or "none"))
    if isinstance(found, PredictorStudy):
        out.print("[bold]Explanations[/bold] " + (", ".join(found.explanations) or "none"))
    if found.extras:
        needed = (f"{extra} ({'installed' if installed(extra) else 'missing'})" for extra in found.extras)
        out.print("[bold]Extras[/bold] " + ", ".join(needed))
    out.print("\n[bold]Settings[/bold] (--set key=value), by preset: " + ", ".join(found.presets))
    for key, field in type(found.preset(preset)).model_fields.items():
        values = ", ".join(str(getattr(config, key)) for config in found.presets.values())
        out.print(f"  {key} = {values}: {field.description or ''}", markup=False)
    module = None if study.endswith(".py") else find_spec(study_names()[study])
    file = Path(study).resolve() if module is None else module.origin
    out.print(f"\nThe study is the file {file}", markup=False, soft_wrap=True)
    if found.citation:
        out.print(f"Cite: {found.citation}", markup=False)


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
    """Simulate, learn, score, explain and report: everything, into one run directory."""
    from cloudchamber import run as road

    check_device(device)
    if resume is not None:
        if study is not None or settings or data:
            raise BadInput("--resume RUN goes on with that run's own study and settings: give nothing else", status=2)
        opened = road.open_run(resume)
        if (opened.path / "STATUS").exists() and (opened.path / "STATUS").read_text() == "finished\n":
            logging.getLogger("cloudchamber").info("%s is finished already", resume)
            say_where(opened)
            return
    else:
        if study is None:
            from cloudchamber.study import study_names

            raise BadInput(f"give a study to run; known: {', '.join(sorted(study_names()))}", status=2)
        loaded, config = configured(study, preset, settings)
        if data is not None and not data.is_file():
            raise BadInput(f"--data {data}: no such file", status=2)
        opened = road.new_run(loaded, study, preset, config, seed, runs, data)
        logging.getLogger("cloudchamber").info("run directory %s", opened.path)
    try:
        with watched("simulating") as progress:
            travel(opened, road.Resources(workers, scheduler, device, progress))
    except KeyboardInterrupt:
        raise BadInput(f"interrupted; go on with: cloudchamber run --resume {opened.path}") from None
    say_where(opened)


def travel(opened: OpenRun[Any], resources: Resources) -> None:
    """Go the road of the run's kind of study."""
    from cloudchamber import generation
    from cloudchamber import run as road
    from cloudchamber.study import GeneratorStudy

    if isinstance(opened.study, GeneratorStudy):
        generation.travel(opened, resources)
    else:
        road.travel(opened, resources)


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
    from rich.table import Table

    from cloudchamber import search as searches
    from cloudchamber.report.search import ranking, winner_line
    from cloudchamber.run import choose_device
    from cloudchamber.study import PredictorStudy, load_study, of_kind, study_names

    check_device(device)
    if resume is not None:
        if study is not None or settings:
            raise BadInput("--resume DIR goes on with that search's own study and settings: leave yours out", status=2)
        opened = searches.open_search(resume)
        opened.extend(trials, winner_seeds)
    else:
        if study is None:
            raise BadInput(f"give a study; known: {', '.join(sorted(study_names()))}", status=2)
        opened = searches.new_search(
            of_kind(load_study(study), PredictorStudy, "search"), study, preset, settings_of(settings), seed, runs,
            sampler=sampler,
            trials=20 if trials is None else trials, winner_seeds=3 if winner_seeds is None else winner_seeds,
        )  # fmt: skip
        logging.getLogger("cloudchamber").info("directory of the search %s", opened.path)
    try:
        content = searches.search(opened, workers, choose_device(device))
    except KeyboardInterrupt:
        raise BadInput(f"interrupted; go on with: cloudchamber search --resume {opened.path}") from None
    header, rows = ranking(content)
    table = Table(*header, box=None, pad_edge=False)
    for row in rows[:20]:
        table.add_row(*row)
    console().print(table)
    print(f"\n{winner_line(content)}\nreport: {(opened.path / 'report.html').resolve()}")


def check_device(device: str) -> None:
    """Refuse a misspelt device."""
    known = ("auto", "cpu", "cuda")
    if device not in known:
        raise BadInput(f"--device {device!r}{did_you_mean(device, known)}", status=2)


def say_where(opened: OpenRun[Any]) -> None:
    """The comparison of a finished run, and where its report is."""
    print_metrics([opened.path])
    print(f"report: {(opened.path / 'report.html').resolve()}")


def value_and_error(row: Row | None) -> str:
    """``0.970 ± 0.005``; empty if not measured."""
    if row is None or row["value"] is None or math.isnan(row["value"]):
        return ""
    known = row["error"] is not None and not math.isnan(row["error"])
    return f"{row['value']:.3f}" + (f" ± {row['error']:.3f}" if known else "")


def short(mean: float, std: float | None) -> str:
    """``0.50±0.51``: both to two digits of the standard deviation; ``0.4249`` without one; empty if not a number."""
    if math.isnan(mean):
        return ""
    if std is None or not 0 < std < math.inf:
        return f"{mean:.4f}"
    digits = max(1 - math.floor(math.log10(std)), 0)
    return f"{mean:.{digits}f}±{std:.{digits}f}"


def print_metrics(runs: list[Path]) -> None:
    """A table a metric of the test sample: predictors (of each run) one way, targets the other, the longer one down."""
    from rich.table import Column, Table

    from cloudchamber.run import read_metrics

    contents = {str(path): read_metrics(path) for path in runs}
    test = [(run, row) for run, metrics in contents.items() for row in metrics["rows"] if row["sample"] == "test"]
    for metric in dict.fromkeys(row["metric"] for _, row in test):
        cells = {(run, row["predictor"], row["target"]): row for run, row in test if row["metric"] == metric}
        targets = list(dict.fromkeys(target for _, _, target in cells))
        given = list(dict.fromkeys((run, predictor) for run, predictor, _ in cells))
        labels = {run: f"{one['study']} {one['preset']} s{one['seed']}" for run, one in contents.items()}
        names = [[labels[run], predictor] if len(contents) > 1 else [predictor] for run, predictor in given]
        values = [[value_and_error(cells.get((*one, target))) for target in targets] for one in given]
        if len(targets) <= max(len(given), 4):
            headers = [*(["run"] if len(contents) > 1 else []), metric, *targets]
            table = Table(*(Column(header, no_wrap=True) for header in headers), box=None, pad_edge=False)
            for name, row in zip(names, values, strict=True):
                table.add_row(*name, *row)
        else:
            table = Table(metric, *("\n".join(name) for name in names), box=None, pad_edge=False)
            for target, column in zip(targets, zip(*values, strict=True), strict=True):
                table.add_row(target, *column)
        console().print(table)
        print()


def print_rows(rows: list[Row]) -> None:
    """Rows of metrics, one a line, with their samples if they name any."""
    from rich.table import Table

    keys = (*(["sample"] if any("sample" in row for row in rows) else []), "predictor", "target", "metric")
    table = Table(*keys, "value", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(row[key] for key in keys), value_and_error(row))
    console().print(table)


def print_generators(rows: list[Row]) -> None:
    """Generators in columns; down: measures of the whole event (target "all"), and laws that any of them violates.
    Studies that have no such measures: all rows."""
    from rich.table import Column, Table

    chosen = [row for row in rows if row["target"] == "all"]
    if not chosen:
        print_rows(rows)
        return
    broken = [row for row in rows if row["metric"].startswith("violation_rate")]
    violated = {(row["target"], row["metric"]) for row in broken if row["value"] > 0}
    chosen += [row for row in broken if (row["target"], row["metric"]) in violated]
    cells = {(row["sample"], row["metric"], row["target"], row["predictor"]): row for row in chosen}
    names = list(dict.fromkeys(row["predictor"] for row in rows))
    several = len({row["sample"] for row in chosen}) > 1
    columns = (Column("measure", overflow="fold"), *(Column(name, no_wrap=True) for name in names))
    table = Table(*(["sample"] if several else []), *columns, box=None, pad_edge=False)
    for sample, metric, target in dict.fromkeys(key[:3] for key in cells):
        values = (value_and_error(cells.get((sample, metric, target, name))) for name in names)
        measure = metric if target == "all" else f"{metric} {target}"
        table.add_row(*([sample] if several else []), measure, *values)
    console().print(table)


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

    loaded, config = configured(study, preset, settings)
    if n < 1:
        raise BadInput(f"-n {n}: give at least 1 record", status=2)
    if not output.parent.is_dir():
        raise BadInput(f"-o {output}: there is no directory {output.parent}", status=2)
    try:
        with watched("simulating") as progress:
            dataset = farm.simulate(
                loaded,
                loaded.data_config(config),
                n,
                seed,
                study_source=study,
                workers=workers,
                scheduler=scheduler,
                progress=progress,
            )
    except KeyboardInterrupt:
        raise BadInput("interrupted; the same command goes on where it stopped") from None
    write_file(dataset, output)
    print(f"{n} records of {loaded.name} (preset {preset}, seed {seed}) in {output}")


@app.command()
def evaluate(
    directory: RunDirectory,
    data: Annotated[
        Path,
        typer.Option("--data", help="your own data: HDF5, Parquet, ROOT; catalogues: CSV, FITS, HDF5"),
    ],
    column: Annotated[
        list[str] | None, typer.Option("--map", metavar="NAME=COLUMN", help="your column for one of ours; repeatable")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", help="write the predictions to this HDF5 file")] = None,
    device: Device = "auto",
) -> None:
    """Score a finished run on new data, with a check of the training range."""
    from rich.table import Column, Table

    from cloudchamber import generation
    from cloudchamber import run as road
    from cloudchamber.study import GeneratorStudy

    check_device(device)
    if not data.is_file():
        raise BadInput(f"--data {data}: no such file", status=2)
    if isinstance(road.open_run(directory).study, GeneratorStudy):
        if column or output is not None:
            raise BadInput("--map and -o are for studies that predict: a file of events has its own form", status=2)
        print_generators(generation.evaluate(directory, data, device))
        return
    result = road.evaluate(directory, data, settings_of(column) or None, device)
    outside = result["outside"]
    if outside.any():
        print(
            f"warning: {outside.sum()} of {len(outside)} inputs lie outside the range of the training", file=sys.stderr
        )
    names = result["target_names"]
    if result["rows"]:
        print_rows(result["rows"])
    else:
        judged = ["p_value"] if result["p_values"] else []
        columns = (Column(name, overflow="fold") for name in ("record", "predictor", *judged, *names, "in range"))
        table = Table(*columns, box=None, pad_edge=False)
        for record in range(min(len(outside), 20)):
            for name, prediction in result["predictions"].items():
                stds = prediction.std[record] if prediction.std is not None else [None] * len(names)
                cells = [f"{result['p_values'][name][record]:.3g}" for _ in judged]
                cells += [short(m, s) for m, s in zip(prediction.mean[record], stds, strict=True)]
                table.add_row(str(record), name, *cells, "no" if outside[record] else "yes")
        console().print(table)
    if output is not None:
        arrays = {f"{name}/mean": prediction.mean for name, prediction in result["predictions"].items()}
        arrays |= {f"{name}/std": p.std for name, p in result["predictions"].items() if p.std is not None}
        arrays |= {f"{name}/p_value": values for name, values in result["p_values"].items()}
        road.write_arrays(output, {**arrays, "outside_training_range": outside}, {"targets": list(names)})
        print(f"predictions of {len(outside)} records in {output}")


@app.command()
def generate(
    directory: RunDirectory,
    n: Annotated[int, typer.Option("-n", help="number of events")],
    output: Annotated[Path, typer.Option("-o", help="file to write, .h5 or what else the study writes, say .hepmc3")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="under which condition; repeatable")
    ] = None,
    generator: Annotated[str | None, typer.Option(help="which (default: that of the headline number)")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="random seed (default: from the system)")] = None,
    extrapolate: Annotated[bool, typer.Option("--extrapolate", help="also beyond the range of the training")] = False,
    device: Device = "auto",
) -> None:
    """New events by the generator of a finished run, as many as the disk holds."""
    import secrets

    from cloudchamber import generation

    check_device(device)
    seed = secrets.randbits(31) if seed is None else seed
    with watched("generating") as progress:
        chosen = generation.generate(
            directory, settings_of(settings), n, output, generator=generator, seed=seed, extrapolate=extrapolate,
            device=device, progress=progress,
        )  # fmt: skip
    print(f"{output}: {n} events by {chosen.title}, seed {seed}")


@app.command()
def export(
    directory: RunDirectory,
    output: Annotated[
        Path | None, typer.Option("-o", metavar="DIR", help="directory to make (default: export in the run's)")
    ] = None,
) -> None:
    """The generator of a finished run for other programs: ONNX, TorchScript, and what they mean."""
    from cloudchamber.export.hadronic_generator import export_generator

    print(export_generator(directory, directory / "export" if output is None else output))


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

    check_device(device)
    with watched("simulating") as progress:
        for path in road.explain(directory, method, road.Resources(workers, scheduler, device, progress)):
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
    from cloudchamber import run as road

    check_device(device)
    with watched("null hypothesis, chunks") as progress:
        path, skies_there = road.null(directory, predictor, n, share, device, progress)
    print(f"{skies_there} null records of {predictor} in {path}")


@app.command()
def compare(
    directories: Annotated[list[Path], typer.Argument(metavar="RUN...", help="run directories, or files of results/")],
) -> None:
    """One table of several runs."""
    print_metrics(directories)


@app.command()
def report(directory: RunDirectory) -> None:
    """Rebuild report.html from what lies in the run directory."""
    from cloudchamber import run as road
    from cloudchamber.data.store import exclusive

    opened = road.open_run(directory)
    road.read_metrics(directory)
    with exclusive(directory):
        print(road.write_report(opened).resolve())


@app.command()
def doctor() -> None:
    """What is installed, what each missing extra would add, where things are kept."""
    import platform
    from importlib.metadata import PackageNotFoundError, metadata, version

    from cloudchamber.data.store import cache_directory
    from cloudchamber.run import hardware

    out = console()
    out.print(f"cloudchamber {__version__}, Python {platform.python_version()}, {hardware()}", markup=False)
    for package in ("numpy", "numba", "scipy", "h5py", "scikit-learn", "distributed", "torch", "lightning", "captum"):
        try:
            out.print(f"  {package} {version(package)}", markup=False)
        except PackageNotFoundError:
            out.print(f"  {package} is missing: pip install -c constraints.txt cloudchamber", markup=False)
    if find_spec("torch"):
        from cloudchamber.run import choose_device

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
