"""A run directory: everything that one run of a study leaves, readable without this package.

JSON, CSV, HDF5, SVG and one HTML page; networks' weights load with ``weights_only=True``, nothing is pickled. Files are
written to a temporary name and renamed; STATUS says running, finished, or failed and why. A run that was interrupted,
even by SIGKILL, goes on from its last finished piece.
"""

from __future__ import annotations

import csv
import json
import logging
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from cloudchamber import __version__, farm
from cloudchamber.data.files import exclusive, replacing, write_json, write_text
from cloudchamber.data.own import read_own
from cloudchamber.data.store import Dataset
from cloudchamber.metrics.criteria import BOUNDS
from cloudchamber.metrics.rows import Row
from cloudchamber.schema import BadInput, Config, did_you_mean
from cloudchamber.study import (
    GeneratorStudy,
    Learner,
    PredictorStudy,
    Study,
    ValidationStudy,
    learners_of,
    load_study,
)

log = logging.getLogger("cloudchamber")

FINISHED = "finished\n"
"""What STATUS says at the end."""

DEVICES = ("auto", "cpu", "cuda")

ROW = ("predictor", "sample", "target", "metric", "value", "error", "n", "floor", "unit")
"""The columns of metrics.json, in their order; ``BOUNDS`` stand behind them where a row has a criterion."""


@dataclass(frozen=True)
class Resources:
    """Where the work is done.

    Attributes:
        workers: processes of the simulation on this machine. None: every core.
        scheduler: address of a Dask scheduler for the simulation instead.
        device: of networks: ``auto``, ``cpu`` or ``cuda``.
        progress: called with (records done, records in all) while the farm works.
    """

    workers: int | None = None
    scheduler: str | None = None
    device: str = "auto"
    progress: farm.Progress | None = None


HERE = Resources()
"""This machine: every core, and its GPU if it has one."""


def commit() -> str:
    """The git commit of this package's source, with ``+`` if changed, or ``"unknown"`` outside a repository."""
    try:
        out = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude", "*"],
            cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return out.stdout.strip()


def hardware() -> str:
    """Processor and number of cores that this process may use, e.g. ``"AMD EPYC, 2 cores"``."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def origin() -> dict[str, Any]:
    """Where, when and with what something is made: what run.json says of it."""
    packages = ("numpy", "numba", "scipy", "torch", "lightning", "scikit-learn", "distributed", "h5py")
    return {
        "version": __version__, "commit": commit(), "hardware": hardware(), "host": platform.node(),
        "python": platform.python_version(), "packages": {name: version(name) for name in packages},
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["cloudchamber", *sys.argv[1:]]),
    }  # fmt: skip


def choose_device(device: str) -> str:
    """``auto`` to ``cuda`` if there is one, else ``cpu``.

    Raises:
        BadInput: ``cuda`` is asked for and absent, or a word that is no device; status 2.
    """
    if device not in DEVICES:
        raise BadInput(f"--device {device!r}{did_you_mean(device, DEVICES)}", status=2)
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise BadInput("--device cuda: this torch finds no CUDA device; use --device cpu or auto", status=2)
    return device


# --- a run directory --------------------------------------------------------------------------------------------------


Kind_co = TypeVar("Kind_co", bound=Study, covariant=True)


@dataclass(frozen=True)
class Run(Generic[Kind_co]):
    """What is known of a run directory: the study, its configuration and the run's own record (run.json)."""

    path: Path
    study: Kind_co
    source: str
    config: Config
    record: dict[str, Any]

    @property
    def seed(self) -> int:
        """Of everything that is random."""
        return int(self.record["seed"])

    @property
    def finished(self) -> bool:
        """Whether it has gone its road to the end."""
        status = self.path / "STATUS"
        return status.exists() and status.read_text() == FINISHED

    def note(self, **content: Any) -> None:
        """Add to run.json."""
        self.record.update(content)
        write_json(self.path / "run.json", self.record)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the wall time of a stage to run.json, also when it is interrupted by an exception."""
        start = time.perf_counter()
        log.info("%s ...", stage)
        try:
            yield
        finally:
            seconds = time.perf_counter() - start
            wall = self.record["wall_s"]
            wall[stage] = round(wall.get(stage, 0.0) + seconds, 2)
            self.note(wall_s=wall)


def new_run(
    source: str,
    *,
    preset: str = "quick",
    settings: Mapping[str, Any] | None = None,
    seed: int = 1,
    runs: Path = Path("runs"),
    data: Path | None = None,
) -> Run[Any]:
    """Make ``<runs>/<study>/<UTC time>-s<seed>/`` with config.json and run.json.

    Args:
        source: a study's name or the path of its file.
        preset: the configuration that ``settings`` change.
        settings: values by name, as text or as they are.
        seed: of everything that is random.
        runs: where run directories are made.
        data: the user's own records or events instead of simulated ones.

    Raises:
        BadInput: no such study, preset, setting or file, or data for a study that validates (status 2); events that a
            study of generators cannot learn from; the directory cannot be made.
    """
    study = load_study(source)
    config = study.preset(preset).changed(settings or {})
    if data is not None and isinstance(study, ValidationStudy):
        raise BadInput(
            f"--data {data}: study {study.name!r} validates a simulator on its own records: leave --data out",
            status=2,
        )
    if data is not None and not data.is_file():
        raise BadInput(f"--data {data}: no such file", status=2)
    if data is not None:  # read here, so that nothing is made for a file that cannot be used, and again by the run
        if isinstance(study, PredictorStudy):
            read_own(data, study.schema, study.lengths(config), None)
        elif isinstance(study, GeneratorStudy):
            events = study.read(data)
            config = config if study.fitting is None else study.fitting(config, events)
    path = new_directory(runs / study.name, seed)
    record = {
        "study": study.name, "title": study.title, "question": study.question, "reference": study.reference,
        "source": source, "preset": preset, "seed": seed, **origin(),
        "data": str(data.resolve()) if data else None, "wall_s": {},
    }  # fmt: skip
    write_json(path / "config.json", config.model_dump(mode="json"))
    write_json(path / "run.json", record)
    return Run(path, study, source, config, record)


def new_directory(home: Path, seed: int) -> Path:
    """Make ``<home>/<UTC time>-s<seed>/``, with ``-2`` and so on behind it if it is there already."""
    base = home / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-s{seed}"
    path, twin = base, 1
    try:
        home.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                path.mkdir()
                return path
            except FileExistsError:
                if not path.is_dir():
                    raise
                twin += 1
                path = base.with_name(f"{base.name}-{twin}")
    except OSError as error:
        raise BadInput(f"cannot make the directory {path} ({error.strerror}): choose another with --runs DIR") from None


def open_run(path: Path) -> Run[Any]:
    """Read a run directory, of any kind of study; BadInput if it is none, or is damaged."""
    try:
        record = json.loads((path / "run.json").read_text())
        values = json.loads((path / "config.json").read_text())
    except FileNotFoundError:
        near = sorted(str(found.parent) for found in path.parent.glob("*/run.json")) if path.parent.is_dir() else []
        hint = did_you_mean(str(path), near) if near else "; `cloudchamber run STUDY` makes one"
        raise BadInput(f"{path} is not a run directory (no run.json and config.json){hint}", status=2) from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: run.json or config.json cannot be read ({error}): start a new run") from None
    if not isinstance(record, dict) or not {"source", "seed", "data", "wall_s"} <= record.keys():
        raise BadInput(f"{path / 'run.json'} is not the record of a run: start a new run")
    study = load_study(record["source"])
    try:
        config = type(study.preset(next(iter(study.presets)))).model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise BadInput(f"{path / 'config.json'}: {where}: {first['msg']}: restore it or start a new run") from None
    return Run(path, study, record["source"], config, record)


@contextmanager
def working(run: Run[Study]) -> Iterator[None]:
    """Hold the run directory alone, keep log.txt, and let STATUS say how it ends."""
    with exclusive(run.path):
        handler = logging.FileHandler(run.path / "log.txt", encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
        if log.level == logging.NOTSET:  # not called from the command line: log.txt is kept all the same
            log.setLevel(logging.INFO)
        status = run.path / "STATUS"
        whole = run.finished
        write_text(status, "running\n")
        try:
            yield
            write_text(status, FINISHED)
        except BaseException as error:
            reason = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
            log.error("failed: %s", " ".join(reason.split()))
            write_text(status, FINISHED if whole else f"failed: {' '.join(reason.split())}\n")
            raise
        finally:
            log.removeHandler(handler)
            handler.close()


# --- data and checkpoints ---------------------------------------------------------------------------------------------


def simulated(run: Run[Study], config: Config, n: int, seed: int, resources: Resources) -> Dataset:
    """A data set of the run's study, from the cache or the farm."""
    return farm.simulate(
        run.study, run.study.data_config(config), n, seed, study_source=run.source,
        workers=resources.workers, scheduler=resources.scheduler, progress=resources.progress,
    )  # fmt: skip


def simulated_probes(run: Run[Study], resources: Resources) -> dict[str, tuple[Config, Dataset]]:
    """Every probe's configuration and records; seeds differ from the training's, so that no event is shared."""
    found = {}
    for name, probe in run.study.probes.items():
        config = probe.change(run.config)
        seed = run.seed + 1_000_003 * (1 + sorted(run.study.probes).index(name))
        found[name] = (config, simulated(run, config, probe.records(run.config), seed, resources))
    return found


def note_data(run: Run[Study], found: str, count: int) -> None:
    """Note the hash and number of a run's records, or refuse others than it began with: what it has belongs to those.

    Raises:
        BadInput: the data changed since the run began.
    """
    if run.record.setdefault("data_hash", found) != found:
        raise BadInput(
            f"{run.path}: its data have changed since it began (other simulators, another version of the study, or an "
            "edited --data file), so its fits or checks do not belong to them: start a new run"
        )
    run.note(n_records=count)


def fitted(run: Run[Study], learners: Mapping[str, Learner], train: Any, validation: Any) -> None:
    """Fit all predictors or generators of the study, in place; those that a former session finished are restored."""
    seconds = run.record.setdefault("fit_s", {})
    for name, learner in learners.items():
        directory = run.path / "checkpoints" / name
        done = directory / "fitted"
        if done.exists():
            learner.restore(directory)
            continue
        directory.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        log.info("fitting %s (%s)", name, learner.title)
        learner.fit(train, validation, directory)
        write_text(done, "")
        seconds[name] = round(seconds.get(name, 0.0) + time.perf_counter() - start, 2)
        run.note(fit_s=seconds)
        log.info("fitted %s in %.1f s", name, seconds[name])


def restored(run: Run[Study], device: str, only: str | None = None) -> dict[str, Any]:
    """The predictors or generators of a finished run, from its directory.

    Args:
        run: finished.
        device: for networks.
        only: one by name. Of generators also those before it, on which it may stand.

    Raises:
        BadInput: there is none of that name, or one is not fitted.
    """
    learners = run_learners(run, device)
    if only is not None:
        if only not in learners:
            kind = "generator" if isinstance(run.study, GeneratorStudy) else "predictor"
            raise BadInput(f"study {run.study.name!r} has no {kind} {only!r}{did_you_mean(only, learners)}", status=2)
        first = 0 if isinstance(run.study, GeneratorStudy) else list(learners).index(only)
        learners = dict(list(learners.items())[first : list(learners).index(only) + 1])
    for name, learner in learners.items():
        directory = run.path / "checkpoints" / name
        if not (directory / "fitted").exists():
            raise BadInput(f"{run.path}: {name} is not fitted; finish it with `cloudchamber run --resume {run.path}`")
        learner.restore(directory)
    return learners


def run_learners(run: Run[Study], device: str) -> dict[str, Any]:
    """Fresh predictors or generators of a run.

    Where a user's events are the truth, nothing simulates more of them: a study of generators then has no floor.
    """
    learners = learners_of(run.study, run.config, run.seed, choose_device(device))
    if run.record["data"] is None or not isinstance(run.study, GeneratorStudy):
        return learners
    return {name: learner for name, learner in learners.items() if learner.kind != "floor"}


# --- tables ----------------------------------------------------------------------------------------------------------


def with_floors(rows: list[Row], learners: Mapping[str, Learner]) -> list[Row]:
    """The rows of samples, each with the same metric of the ``floor`` among the learners, if there is one."""
    floor = next((name for name, learner in learners.items() if learner.kind == "floor"), None)

    def place(row: Row) -> tuple[Any, ...]:
        return row["sample"], row["target"], row["metric"]

    floors = {place(row): row["value"] for row in rows if row["predictor"] == floor}
    return [{**row, "floor": floors.get(place(row))} for row in rows]


def merge_history(run: Run[Study]) -> None:
    """history.csv: the histories of every predictor or generator and of its parts ("flow/counts"), in one table.

    Those of the members of an ensemble ("network/member-0") have their number in a column ``member``.
    """
    home = run.path / "checkpoints"
    tables = []
    for path in home.glob("**/history.csv"):
        if any(path.parent.glob("member-*/history.csv")):
            continue  # an ensemble of version 0.1.0 gathered its members itself
        name, _, member = path.parent.relative_to(home).as_posix().partition("/member-")
        who = {"predictor": name, "member": member} if member else {"predictor": name}
        tables.append((home / name / path.name, int(member or 0), path, who))  # in this order; member 2 before 10
    rows: list[dict[str, str]] = []
    for *_, path, who in sorted(tables, key=lambda table: table[:2]):
        with path.open(newline="") as file:
            rows += [who | row for row in csv.DictReader(file)]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if rows:
        with replacing(run.path / "history.csv") as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)


def write_metrics(run: Run[Study], rows: list[Row], known: Mapping[str, Mapping[str, str]]) -> None:
    """metrics.json: the tidy table that reports, ``compare``, results/ and the README are made from.

    Args:
        run: to whose directory it is written.
        rows: complete ones, with sample and floor.
        known: title and kind of each learner or subject that has rows.
    """
    record = run.record
    write_json(
        run.path / "metrics.json",
        {
            **{key: record[key] for key in ("study", "preset", "seed", "version", "commit")},
            "date": datetime.now(UTC).date().isoformat(),
            "hardware": record["hardware"],
            "wall_s": record["wall_s"],
            "fit_s": record.get("fit_s", {}),
            **{key: record[key] for key in ("sample_s", "checks") if key in record},
            "predictors": known,
            "rows": [{key: row[key] for key in (*ROW, *(one for one in BOUNDS if one in row))} for row in rows],
        },
    )


def read_metrics(path: Path) -> dict[str, Any]:
    """metrics.json of a run directory (or such a file itself); BadInput if there is none or it is damaged."""
    file = path / "metrics.json" if path.is_dir() else path
    try:
        metrics = json.loads(file.read_text())
        _ = [(row["predictor"], row["target"], row["metric"], row["value"]) for row in metrics["rows"]]
    except FileNotFoundError:
        raise BadInput(
            f"{file} does not exist: give a finished run directory or a file of results/", status=2
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{file} is not a table of metrics ({error!r})") from None
    assert isinstance(metrics, dict)
    return metrics
