"""The road: simulate, fit, score, explain, report, each step the same for every study, into one run directory.

A run directory can be read without this package: JSON, CSV, HDF5, SVG and one HTML page. Every file is written to a
temporary name and renamed; STATUS says running, finished, or failed and why. A run that was interrupted, even by
SIGKILL, goes on from its last finished piece with ``resume``.
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from cloudchamber import __version__, farm
from cloudchamber.data.own import read_own
from cloudchamber.data.samples import ArrayRecords, Prediction, Records, Samples
from cloudchamber.data.splits import split_by_group
from cloudchamber.data.store import Dataset, exclusive, is_sealed, new_file, open_file, reading, replacing, write_text
from cloudchamber.schema import Arrays, BadInput, Config, did_you_mean, fingerprint
from cloudchamber.study import Generator, Kind, Predictor, PredictorStudy, Row, Study, load_study, of_kind

log = logging.getLogger("cloudchamber")

Progress = Callable[[int, int], None]
"""Called with (records done, records in all) while the farm works."""


@dataclass(frozen=True)
class Resources:
    """Where the work is done: worker processes or a Dask scheduler for simulation, a device for networks."""

    workers: int | None = None
    scheduler: str | None = None
    device: str = "auto"
    progress: Progress | None = None


def write_json(path: Path, content: Any) -> None:
    """JSON with two spaces; what is not finite, which JSON does not know, is null; see ``write_text``."""
    write_text(path, json.dumps(_json(content), indent=2, allow_nan=False) + "\n")


def _json(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _json(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_json(value) for value in content]
    return _number(content)


def write_arrays(path: Path, arrays: Mapping[str, Any], attributes: Mapping[str, Any] | None = None) -> None:
    """Arrays to HDF5 by slash-separated name; strings are stored as UTF-8; see ``write_text``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as file:
        for name, values in arrays.items():
            array = np.asarray(values)
            file[name] = array.astype(h5py.string_dtype()) if array.dtype.kind in "UO" else array
        file.attrs.update(dict(attributes or {}))


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


def choose_device(device: str) -> str:
    """``auto`` to ``cuda`` if there is one, else ``cpu``; BadInput if ``cuda`` is asked for and absent."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise BadInput("--device cuda: this torch finds no CUDA device; use --device cpu or auto", status=2)
    return device


# --- a run directory --------------------------------------------------------------------------------------------------


Kind_co = TypeVar("Kind_co", bound=Study, covariant=True)


@dataclass(frozen=True)
class OpenRun(Generic[Kind_co]):
    """What is known of a run directory: the study, its configuration and the run's own record (run.json)."""

    path: Path
    study: Kind_co
    source: str
    config: Config
    record: dict[str, Any]

    @property
    def seed(self) -> int:
        return int(self.record["seed"])

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
    study: Kind, source: str, preset: str, config: Config, seed: int, home: Path, data: Path | None
) -> OpenRun[Kind]:
    """Make ``<home>/<study>/<UTC time>-s<seed>/`` with config.json and run.json."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    base = home / study.name / f"{stamp}-s{seed}"
    path, twin = base, 1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                path.mkdir()
                break
            except FileExistsError:
                if not path.is_dir():
                    raise
                twin += 1
                path = base.with_name(f"{base.name}-{twin}")
    except OSError as error:
        raise BadInput(
            f"cannot make the run directory {path} ({error.strerror}): choose another with --runs DIR"
        ) from None
    packages = ("numpy", "numba", "scipy", "torch", "lightning", "scikit-learn", "distributed", "h5py")
    record = {
        "study": study.name, "title": study.title, "question": study.question, "reference": study.reference,
        "source": source, "preset": preset, "seed": seed,
        "version": __version__, "commit": commit(), "hardware": hardware(), "host": platform.node(),
        "python": platform.python_version(), "packages": {name: version(name) for name in packages},
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(["cloudchamber", *sys.argv[1:]]),
        "data": str(data.resolve()) if data else None, "wall_s": {},
    }  # fmt: skip
    write_json(path / "config.json", config.model_dump(mode="json"))
    write_json(path / "run.json", record)
    return OpenRun(path, study, source, config, record)


def open_run(path: Path) -> OpenRun[Any]:
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
    return OpenRun(path, study, record["source"], config, record)


@contextmanager
def working(run: OpenRun[Study]) -> Iterator[None]:
    """Hold the run directory alone, keep log.txt, and let STATUS say how it ends."""
    with exclusive(run.path):
        handler = logging.FileHandler(run.path / "log.txt", encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        log.addHandler(handler)
        if log.level == logging.NOTSET:  # not called from the command line: log.txt is kept all the same
            log.setLevel(logging.INFO)
        status = run.path / "STATUS"
        whole = status.exists() and status.read_text() == "finished\n"
        write_text(status, "running\n")
        try:
            yield
            write_text(status, "finished\n")
        except BaseException as error:
            reason = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
            log.error("failed: %s", " ".join(reason.split()))
            write_text(status, "finished\n" if whole else f"failed: {' '.join(reason.split())}\n")
            raise
        finally:
            log.removeHandler(handler)
            handler.close()


# --- the steps of the road --------------------------------------------------------------------------------------------


def samples_of(study: PredictorStudy, config: Config, records: Records, indices: NDArray[np.int64]) -> Samples:
    """The samples of a data set that ``indices`` names."""
    truth = study.targets(config, _light(study, records, indices))
    return Samples(records, indices, partial(study.inputs, config), truth, study.target_names)


def _light(study: PredictorStudy, records: Records, indices: NDArray[np.int64]) -> Arrays:
    """Only the columns of the truth: targets and groups never need the events."""
    return records.read(indices, study.truth_columns)


def splits(study: PredictorStudy, config: Config, records: Records, seed: int) -> tuple[Samples, Samples, Samples]:
    """Training, validation and test samples, split by physics group."""
    everything = np.arange(len(records), dtype=np.int64)
    groups = everything if study.groups is None else study.groups(config, _light(study, records, everything))
    train, validation, test = split_by_group(groups, seed)
    return (
        samples_of(study, config, records, train),
        samples_of(study, config, records, validation),
        samples_of(study, config, records, test),
    )


Learner = TypeVar("Learner", Predictor, Generator)


def fitted(run: OpenRun[Study], learners: dict[str, Learner], train: Any, validation: Any) -> dict[str, Learner]:
    """All predictors or generators of the study, fitted; those that a former session finished are restored."""
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
    return learners


def restored(run: OpenRun[PredictorStudy], device: str) -> dict[str, Predictor]:
    """The predictors of a finished run, from its directory."""
    return restore(run, run.study.predictors(run.config, run.seed, device))


def restore(run: OpenRun[Study], learners: dict[str, Learner]) -> dict[str, Learner]:
    """Predictors or generators of a finished run, from its directory; BadInput if one is not fitted."""
    for name, learner in learners.items():
        directory = run.path / "checkpoints" / name
        if not (directory / "fitted").exists():
            raise BadInput(f"{run.path}: {name} is not fitted; finish it with `cloudchamber run --resume {run.path}`")
        learner.restore(directory)
    return learners


def predict_all(predictors: Mapping[str, Predictor], samples: Samples) -> dict[str, Prediction]:
    """Every predictor on every sample, in batches, so that memory does not grow with the data set."""
    parts: dict[str, list[Prediction]] = {name: [] for name in predictors}
    for batch in np.array_split(np.arange(len(samples)), max(-(-len(samples) // 256), 1)):
        inputs = samples.inputs(batch)
        for name, predictor in predictors.items():
            parts[name].append(predictor.predict(inputs))

    def joined(part: list[Prediction]) -> Prediction:
        stds = [piece.std for piece in part if piece.std is not None]
        return Prediction(np.concatenate([piece.mean for piece in part]), np.concatenate(stds) if stds else None)

    return {name: joined(part) for name, part in parts.items()}


def write_predictions(
    path: Path, scored: Mapping[str, tuple[Samples, dict[str, Prediction]]], study: PredictorStudy
) -> None:
    """predictions.h5: a group a sample, with the truth and each predictor's mean and standard deviation."""
    arrays: dict[str, Any] = {}
    for sample, (samples, predictions) in scored.items():
        arrays[f"{sample}/truth"] = samples.targets
        arrays[f"{sample}/index"] = samples.indices
        for name, prediction in predictions.items():
            arrays[f"{sample}/{name}/mean"] = prediction.mean
            if prediction.std is not None:
                arrays[f"{sample}/{name}/std"] = prediction.std
    write_arrays(path, arrays, {"targets": list(study.target_names), "unit": study.target_unit})


def score(run: OpenRun[PredictorStudy], scored: Mapping[str, tuple[Samples, dict[str, Prediction]]]) -> list[Row]:
    """Rows of metrics for every sample, each with the floor (the same metric of the ``floor`` predictor)."""
    rows: list[Row] = []
    kinds = {name: predictor.kind for name, predictor in run.study.predictors(run.config, run.seed, "cpu").items()}
    floor_name = next((name for name, kind in kinds.items() if kind == "floor"), None)
    for sample, (samples, predictions) in scored.items():
        if run.study.null is None:
            found = run.study.rows(samples.targets, predictions, np.random.default_rng(run.seed))
        else:
            truths = {one: samples.targets for one, (samples, _) in scored.items()}
            found = []
            for name in predictions:
                said = {one: predicted[name].mean for one, (_, predicted) in scored.items()}
                found += pooled_rows(run, name, sample, truths, said, np.zeros(0))
        floors = {(row["target"], row["metric"]): row["value"] for row in found if row["predictor"] == floor_name}
        rows += [{**row, "sample": sample, "floor": floors.get((row["target"], row["metric"]))} for row in found]
    return rows


def pooled_rows(
    run: OpenRun[PredictorStudy],
    predictor: str,
    sample: str,
    truths: Mapping[str, NDArray[Any]],
    said: Mapping[str, NDArray[Any]],
    ensemble: NDArray[np.float64],
) -> list[Row]:
    """Rows of a search on one sample, judged with the null records of all samples and of an ensemble: they are alike.

    Args:
        run: of a study with a null hypothesis, whose records have a first target of 0.
        predictor, sample: which.
        truths, said: targets and answers (record, target) by sample.
        ensemble: further null statistics (n,).
    """
    null = [said[one][truths[one][:, 0] == 0, 0].astype(np.float64) for one in truths if one != sample]
    statistic = np.concatenate([*null, ensemble])
    known = np.full((len(statistic), said[sample].shape[1]), np.nan)
    known[:, 0] = statistic
    nothing = np.zeros((len(known), truths[sample].shape[1]), np.float32)
    whole = Prediction(np.concatenate([said[sample].astype(np.float64), known]))
    truth = np.concatenate([truths[sample], nothing])
    return run.study.rows(truth, {predictor: whole}, np.random.default_rng(run.seed))


def merge_history(run: OpenRun[Study]) -> None:
    """history.csv: the own history of every predictor or generator and of its parts ("flow/counts"), one table; the
    members of an ensemble are in the ensemble's own."""
    rows: list[dict[str, str]] = []
    home = run.path / "checkpoints"
    for path in sorted(home.glob("**/history.csv")):
        if path.parent.name.startswith("member-"):
            continue
        with path.open(newline="") as file:
            name = path.parent.relative_to(home).as_posix()
            rows += [{"predictor": name, **row} for row in csv.DictReader(file)]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if rows:
        with replacing(run.path / "history.csv") as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)


def _numbers(study: PredictorStudy, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """What of the inputs is compared with the training's."""
    return inputs.astype(np.float64) if study.resembles is None else study.resembles(inputs)


def training_range(study: PredictorStudy, train: Samples, path: Path) -> None:
    """Keep what is needed to say later whether new inputs resemble the training's (see ``outside_training_range``)."""
    inputs = _numbers(study, train.inputs(np.arange(min(len(train), 2000))))
    mean, spread = inputs.mean(0), inputs.std(0)
    distance = _distance(inputs, mean, spread)
    write_arrays(path, {"mean": mean, "spread": spread, "distance": distance})


def _distance(inputs: NDArray[Any], mean: NDArray[Any], spread: NDArray[Any]) -> NDArray[np.float64]:
    floor = spread.mean() * 0.05 + 1e-12  # a pixel that was constant in training counts once it is clearly filled
    squares = ((inputs - mean) / np.maximum(spread, floor)) ** 2
    return np.asarray(squares.reshape(len(inputs), -1).mean(1), dtype=np.float64)


def outside_training_range(study: PredictorStudy, path: Path, inputs: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which inputs (sample, ...) lie farther from the training mean than 99.9 % of the training inputs did."""
    with h5py.File(path) as file:
        limit = np.quantile(file["distance"][:], 0.999)
        found = _distance(_numbers(study, inputs), file["mean"][:], file["spread"][:])
    outside: NDArray[np.bool_] = found > limit
    return outside


# --- the road ---------------------------------------------------------------------------------------------------------


def travel(run: OpenRun[PredictorStudy], resources: Resources) -> OpenRun[PredictorStudy]:
    """Go the whole road in ``run``'s directory, from wherever it stands."""
    with working(run):
        study, config, seed = run.study, run.config, run.seed
        device = choose_device(resources.device)
        with run.timed("simulate"):
            records = simulate_or_read(run, resources)
            same_data(run, records)
            run.note(device=device)
        train, validation, test = splits(study, config, records, seed)
        with run.timed("train"):
            predictors = fitted(run, study.predictors(config, seed, device), train, validation)
            merge_history(run)
            training_range(study, train, run.path / "training_range.h5")
        with run.timed("simulate"):
            probes = {name: simulate_probe(run, name, resources) for name in study.probes}
        with run.timed("evaluate"):
            scored = {"test": (test, predict_all(predictors, test))}
            scored |= {name: (samples, predict_all(predictors, samples)) for name, samples in probes.items()}
            write_predictions(run.path / "predictions.h5", scored, study)
            rows = score(run, scored)
        with run.timed("explain"):
            if study.gallery is not None:
                write_arrays(run.path / "gallery.h5", study.gallery(config, records))
            for name in study.explanations:
                explain_one(run, name, predictors, test)
        write_metrics(run, rows, predictors)
        write_report(run)
    return run


def same_data(run: OpenRun[PredictorStudy], records: Records) -> None:
    """Note which data the run has; see ``note_data``."""
    note_data(run, records.hash(), len(records))


def note_data(run: OpenRun[Study], found: str, count: int) -> None:
    """Note the hash and number of a run's records, or refuse others than it began with: its fits belong to those.

    Raises:
        BadInput: the data changed since the run began.
    """
    if run.record.setdefault("data_hash", found) != found:
        raise BadInput(
            f"{run.path}: its data have changed since it began (other simulators, another version of the study, or an "
            "edited --data file), so its fits do not belong to them: start a new run"
        )
    run.note(n_records=count)


def simulate_or_read(run: OpenRun[PredictorStudy], resources: Resources) -> Records:
    """The study's data set from the cache or the farm, or the user's own file."""
    if run.record["data"] is not None:
        return read_own(Path(run.record["data"]), run.study.schema, run.study.lengths(run.config), None)
    return simulated(run, run.config, run.study.records(run.config), run.seed, resources)


def simulated(run: OpenRun[Study], config: Config, n: int, seed: int, resources: Resources) -> Dataset:
    """A data set of the run's study, from the cache or the farm."""
    return farm.simulate(
        run.study, run.study.data_config(config), n, seed, study_source=run.source,
        workers=resources.workers, scheduler=resources.scheduler, progress=resources.progress,
    )  # fmt: skip


def simulate_probe(run: OpenRun[PredictorStudy], name: str, resources: Resources) -> Samples:
    """A probe's data set."""
    config, records = probe_records(run, name, resources)
    return samples_of(run.study, config, records, np.arange(len(records), dtype=np.int64))


def probe_records(run: OpenRun[Study], name: str, resources: Resources) -> tuple[Config, Dataset]:
    """A probe's configuration and records; its seed differs from the training's so that no event is shared."""
    probe = run.study.probes[name]
    config = probe.change(run.config)
    seed = run.seed + 1_000_003 * (1 + sorted(run.study.probes).index(name))
    return config, simulated(run, config, probe.records(run.config), seed, resources)


def explain_one(run: OpenRun[PredictorStudy], name: str, predictors: Mapping[str, Predictor], test: Samples) -> None:
    """One explanation to ``explanations/<name>.h5``."""
    log.info("explaining: %s", name)
    arrays = run.study.explanations[name](run.config, predictors, test, np.random.default_rng(run.seed))
    write_arrays(run.path / "explanations" / f"{name}.h5", arrays)


def _number(value: Any) -> Any:
    """JSON has no NaN: what cannot be measured on so few records is null."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def write_metrics(
    run: OpenRun[Study], rows: list[Row], predictors: Mapping[str, Predictor] | Mapping[str, Generator]
) -> None:
    """metrics.json: the tidy table that reports, ``compare``, results/ and the README are made from."""
    order = ("predictor", "sample", "target", "metric", "value", "error", "n", "floor", "unit")
    record = run.record
    write_json(
        run.path / "metrics.json",
        {
            **{key: record[key] for key in ("study", "preset", "seed", "version", "commit")},
            "date": datetime.now(UTC).date().isoformat(),
            "hardware": record["hardware"],
            "wall_s": record["wall_s"],
            "fit_s": record.get("fit_s", {}),
            **{key: record[key] for key in ("sample_s",) if key in record},
            "predictors": {name: {"title": p.title, "kind": p.kind} for name, p in predictors.items()},
            "rows": [{key: _number(row[key]) for key in order} for row in rows],
        },
    )


def write_report(run: OpenRun[Study]) -> Path:
    """report.html from what lies in the run directory."""
    from cloudchamber.report.page import write_page
    from cloudchamber.report.standard import standard_sections

    make = run.study.sections
    return write_page(run.path, standard_sections(run.path) if make is None else make(run.config, run.path))


# --- verbs on a finished run ------------------------------------------------------------------------------------------


def evaluate(path: Path, data: Path, mapping: Mapping[str, str] | None, device: str) -> dict[str, Any]:
    """Predict for (and, where the file holds the truth, score on) a user's data with a finished run's predictors.

    A predictor that refuses such data is left out, with a line in the log.

    Returns:
        ``predictions`` by predictor, ``rows`` (empty without truth), ``outside`` (sample,) flags, ``target_names``,
        ``p_values`` (sample,) by predictor (of a search, for data without truth; else empty).
    """
    run = open_run(path)
    study, config = run.study, run.config
    predictors = restored(run, choose_device(device))
    samples, known_truth = own_samples(study, config, data, mapping)
    everything = np.arange(len(samples), dtype=np.int64)
    predictions: dict[str, Prediction] = {}
    for name, predictor in predictors.items():
        try:
            predictions |= predict_all({name: predictor}, samples)
        except BadInput as error:
            log.warning("%s is left out: %s", name, error)
    p_values = {}
    if study.null is not None and not known_truth:
        p_values = null_p_values(run, {name: predictors[name] for name in predictions}, samples, predictions)
    outside = np.concatenate(
        [
            outside_training_range(study, run.path / "training_range.h5", samples.inputs(batch))
            for batch in np.array_split(everything, max(-(-len(everything) // 256), 1))
        ]
    )
    rows = study.rows(samples.targets, predictions, np.random.default_rng(run.seed)) if known_truth else []
    found = {"predictions": predictions, "rows": rows, "outside": outside, "target_names": study.target_names}
    return {**found, "p_values": p_values}


NULL_RECORDS = 1000
"""Records of the null hypothesis behind the p-value of a user's record: it cannot be smaller than 1/1001."""


def null_p_values(
    run: OpenRun[PredictorStudy],
    predictors: Mapping[str, Predictor],
    samples: Samples,
    predictions: Mapping[str, Prediction],
) -> dict[str, NDArray[np.float64]]:
    """p-values (sample,) of each predictor's test statistic among NULL_RECORDS null records like each sample."""
    from cloudchamber.metrics.significance import p_value

    assert run.study.null is not None
    found: dict[str, list[float]] = {name: [] for name in predictors}
    for number in range(len(samples)):
        seeds = np.random.SeedSequence(run.seed, spawn_key=(number,))
        inputs = run.study.null(run.config, samples.inputs([number]), NULL_RECORDS, seeds)
        for name, predictor in predictors.items():
            null = predictor.predict(inputs).mean[:, 0].astype(np.float64)
            said = predictions[name].mean[number : number + 1, 0].astype(np.float64)
            found[name].append(float(p_value(said, null)[0]))
    return {name: np.array(values) for name, values in found.items()}


def own_samples(
    study: PredictorStudy, config: Config, data: Path, mapping: Mapping[str, str] | None
) -> tuple[Samples, bool]:
    """A user's file as samples, and whether it knows the truth.

    It holds the study's columns; or those without the truth, as real data do (the per-record columns); or, in HDF5,
    finished inputs in a column of the inputs' name (images with the study's bins).
    """
    lengths = study.lengths(config)
    is_sealed(data)  # refuses an altered file of ours before HDF5 sees it
    catalogue = None if study.read is None else study.read(config, data, mapping)
    if catalogue is not None:
        return _without_truth(study, ArrayRecords(catalogue), partial(study.inputs, config)), False
    if h5py.is_hdf5(data) and (mapping or {}).get(study.input_name, study.input_name) in _hdf5_columns(data):
        finished = read_own(data, {study.input_name: study.input}, study.input_lengths(config), mapping)
        return _without_truth(study, finished, lambda arrays, _: arrays[study.input_name].astype(np.float32)), False
    observed = {name: array for name, array in study.schema.items() if name not in study.truth_columns}
    known = {column: place for column, place in (mapping or {}).items() if column in observed}
    records = read_own(data, observed, lengths, known)
    truth = {name: array for name, array in study.schema.items() if name not in observed}
    if not mapping or not truth.keys() & mapping.keys():
        try:
            read_own(data, truth, lengths, None)
        except BadInput as error:
            if ": no column " not in str(error):
                raise
            log.info("predictions only, no scores: %s", error)
            return _without_truth(study, records, partial(study.inputs, config)), False
    whole = read_own(data, study.schema, lengths, mapping)
    return samples_of(study, config, whole, np.arange(len(whole), dtype=np.int64)), True


def _hdf5_columns(path: Path) -> list[str]:
    with reading(path), open_file(path) as file:
        return list(file)


def _without_truth(
    study: PredictorStudy, records: Records, make: Callable[[Arrays, Any], NDArray[np.float32]]
) -> Samples:
    unknown = np.full((len(records), len(study.target_names)), np.nan, np.float32)
    return Samples(records, np.arange(len(records), dtype=np.int64), make, unknown, study.target_names)


def explain(path: Path, method: str | None, resources: Resources) -> list[Path]:
    """Compute the explanations of a finished run again (all, or one by name) and rebuild its report."""
    run = open_run(path)
    of_kind(run.study, PredictorStudy, "explain")
    if method is not None and method not in run.study.explanations:
        raise BadInput(
            f"study {run.study.name!r} has no explanation {method!r}{did_you_mean(method, run.study.explanations)}",
            status=2,
        )
    names = [method] if method is not None else list(run.study.explanations)
    if not (path / "metrics.json").exists():
        raise BadInput(f"{path} is not finished; finish it with `cloudchamber run --resume {path}`")
    with working(run):
        predictors = restored(run, choose_device(resources.device))
        records = simulate_or_read(run, resources)
        same_data(run, records)
        _, _, test = splits(run.study, run.config, records, run.seed)
        for name in names:
            explain_one(run, name, predictors, test)
        write_report(run)
    return [run.path / "explanations" / f"{name}.h5" for name in names]


NULL_CHUNK = 2000
"""Null records of one chunk of an ensemble: a minute's work at most, and what a kill can cost."""


def null(
    path: Path, predictor: str, n: int, share: str, device: str, progress: Progress | None = None
) -> tuple[Path, int]:
    """Extend the ensemble of a predictor's test statistic under the null hypothesis in ``null/<predictor>/`` of a run,
    then score that predictor again with the larger ensemble and rebuild the report.

    Args:
        path: a finished run of a study with a null hypothesis.
        predictor: by name.
        n: null records in all.
        share: ``"2/3"``: this process makes the second of three equal shares; the last to end scores.
        device: for networks.
        progress: called with (chunks done, chunks in all) of this share.

    Returns:
        The directory of the ensemble, and the number of records in it.

    Raises:
        BadInput: the study has no null hypothesis, no such predictor, a share that is none, other weights than before.
    """
    run = open_run(path)
    of_kind(run.study, PredictorStudy, "null")
    if run.study.null is None:
        raise BadInput(f"study {run.study.name!r} has no null hypothesis: there is nothing to repeat", status=2)
    read_metrics(path)  # refuses a run that is not finished before the work
    directory, values = null_statistic(run, predictor, n, share, device, progress)
    if len(values) >= n:
        with exclusive(path, wait=True):
            metrics = read_metrics(path)  # another predictor's may have been scored meanwhile
            metrics["rows"] = _replaced(metrics["rows"], rescored(run, predictor, values))
            write_json(path / "metrics.json", metrics)
            write_report(run)
    return directory, len(values)


def null_statistic(
    run: OpenRun[PredictorStudy], predictor: str, n: int, share: str, device: str, progress: Progress | None = None
) -> tuple[Path, NDArray[np.float64]]:
    """The directory of a fitted predictor's ensemble and its values (n,), extended as ``null`` says."""
    from cloudchamber.data import ensembles

    study, config = run.study, run.config
    make = study.null
    assert make is not None
    first, slash, shares = share.partition("/")
    if not (slash and first.isdigit() and shares.isdigit() and 1 <= int(first) <= int(shares)):
        raise BadInput(f"--share {share}: write it as 1/2 and 2/2 for two processes", status=2)
    predictors = study.predictors(config, run.seed, choose_device(device))
    if predictor not in predictors:
        raise BadInput(f"no predictor {predictor!r}{did_you_mean(predictor, predictors)}", status=2)
    weights = run.path / "checkpoints" / predictor
    chosen = predictors[predictor]
    chosen.restore(weights)
    files = sorted(file for file in weights.rglob("*") if file.suffix in {".pt", ".npz", ".json"})
    known = [config.model_dump(mode="json"), farm.code_hash(study)]
    key = fingerprint([*known, *(sha256(file.read_bytes()).hexdigest() for file in files)])

    def statistic(seeds: np.random.SeedSequence, count: int) -> NDArray[np.float64]:
        parts = np.array_split(make(config, None, count, seeds), -(-count // 256))
        return np.concatenate([chosen.predict(part).mean[:, 0].astype(np.float64) for part in parts])

    directory = run.path / "null" / predictor
    seed = run.seed + 2_000_003  # not the seed of any data set of the run
    ensembles.extend(directory, key, n, NULL_CHUNK, seed, statistic, progress, (int(first) - 1, int(shares)))
    return directory, ensembles.read(directory)


def rescored(run: OpenRun[PredictorStudy], predictor: str, ensemble: NDArray[np.float64]) -> list[Row]:
    """Rows of one predictor on every sample of predictions.h5, with further null records of known statistic."""
    with h5py.File(run.path / "predictions.h5") as file:
        truths = {sample: group["truth"][:] for sample, group in file.items()}
        said = {sample: group[predictor]["mean"][:] for sample, group in file.items()}
    rows: list[Row] = []
    for sample in truths:
        found = pooled_rows(run, predictor, sample, truths, said, ensemble)
        rows += [{**row, "sample": sample, "floor": None} for row in found]
    order = ("predictor", "sample", "target", "metric", "value", "error", "n", "floor", "unit")
    return [{key: _number(row[key]) for key in order} for row in rows]


def _replaced(rows: list[Row], new: list[Row]) -> list[Row]:
    """The table with new rows in the places of the old, whose floors stay; what has no new row stays."""

    def place(row: Row) -> tuple[Any, ...]:
        return row["predictor"], row.get("sample"), row["target"], row["metric"]

    found = {place(row): row for row in new}
    table = []
    for row in rows:
        again = found.pop(place(row), None)
        kept = {"floor": row["floor"]} if "floor" in row else {}
        table.append(row if again is None else {**again, **kept})
    return table + list(found.values())


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
