"""Search for settings: trials that several processes share on disk, ranked by their score on the validation split.

Samplers: random search (Bergstra and Bengio, JMLR 13 (2012) 281) and the tree-structured Parzen estimator (Bergstra et
al., NeurIPS 24 (2011) 2546) with a constant liar for trials that are still running, both by Optuna. Importance of
settings: fANOVA (Hutter, Hoos and Leyton-Brown, ICML 2014, PMLR 32, 754).

Conventions: a trial fits one predictor of the study to the data set of the search's seed. The test split is never
looked at. The winner is trained anew with the seeds after the search's, each with data, splits and initial weights of
its own, as ``cloudchamber run --seed`` would: its scores are free of the selection. A directory holds run.json, the
journal of trials (``journal.log``), a lock file a process (``processes/``), search.json and report.html.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cloudchamber import farm
from cloudchamber.data.files import exclusive, write_json, write_text
from cloudchamber.data.samples import Samples
from cloudchamber.metrics.rows import Row
from cloudchamber.prediction import predict_all, rows_of, splits
from cloudchamber.run_directory import FINISHED, new_directory, origin
from cloudchamber.schema import BadInput, Config, did_you_mean
from cloudchamber.search_journal import (
    Settings,
    bury,
    distributions_of,
    failure,
    finished,
    importance,
    is_range,
    open_journal,
    process_number,
    quiet,
    running,
    score_of,
    settings_of,
    turn,
)
from cloudchamber.study import Predictor, PredictorStudy, SearchSpace, load_study, of_kind

if TYPE_CHECKING:
    import optuna
    from optuna.trial import Trial
log = logging.getLogger("cloudchamber")

SAMPLERS = ("tpe", "random")

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Search:
    """A search's directory, study and own record (run.json)."""

    path: Path
    study: PredictorStudy
    space: SearchSpace
    record: dict[str, Any]

    @property
    def seed(self) -> int:
        """Of the trials; the winner is trained with those after it."""
        return int(self.record["seed"])

    @property
    def trials(self) -> int:
        """In all."""
        return int(self.record["trials"])

    def note(self, **content: Any) -> None:
        """Add to run.json."""
        self.record.update(content)
        write_json(self.path / "run.json", self.record)

    def journal(self, process: int) -> optuna.Study:
        """The trials, for the process of that number."""
        return open_journal(
            self.path, self.study.name, direction=self.space.direction, sampler=self.record["sampler"], seed=self.seed,
            process=process,
        )  # fmt: skip

    def extend(self, trials: int | None, winner_seeds: int | None) -> None:
        """Another number of trials in all, or of the winner's trainings; None: as it was."""
        if trials is not None or winner_seeds is not None:
            trials = self.trials if trials is None else trials
            self.note(trials=trials, winner_seeds=self.record["winner_seeds"] if winner_seeds is None else winner_seeds)

    def trial_config(self, chosen: Mapping[str, Any]) -> Config:
        """The configuration of a trial: preset, changes of the search space, the user's settings, chosen values."""
        preset = self.study.preset(self.record["preset"])
        return preset.changed({**self.space.changes, **self.record["settings"], **chosen})

    def winner_config(self, chosen: Mapping[str, Any]) -> Config:
        """The configuration that the winner is trained with: as ``trial_config``, without the space's changes."""
        return self.study.preset(self.record["preset"]).changed({**self.record["settings"], **chosen})


def new_search(
    study: PredictorStudy,
    source: str,
    preset: str,
    settings: Mapping[str, str],
    seed: int,
    home: Path,
    *,
    trials: int,
    sampler: str,
    winner_seeds: int,
) -> Search:
    """Make ``<home>/search-<study>/<UTC time>-s<seed>/`` with run.json.

    Raises:
        BadInput: the study has no search space or one that does not fit it, an unknown sampler or preset, a setting
            that the search varies itself, less than one trial (all status 2); the directory cannot be made.
    """
    if study.search is None:
        raise BadInput(f"study {study.name!r} has no search space: give it search=SearchSpace(...)", status=2)
    if sampler not in SAMPLERS:
        raise BadInput(f"--sampler {sampler!r}{did_you_mean(sampler, SAMPLERS)}", status=2)
    if trials < 1 or winner_seeds < 0:
        raise BadInput(f"{trials} trials, {winner_seeds} seeds: give at least 1 trial, and 0 seeds or more", status=2)
    source = str(Path(source).resolve()) if source.endswith(".py") else source
    record = {
        "study": study.name, "title": f"{study.title}: search for settings", "question": study.question,
        "reference": study.reference, "source": source, "preset": preset, "seed": seed,
        "settings": dict(settings), "sampler": sampler, "trials": trials, "winner_seeds": winner_seeds,
        "code": farm.code_hash(study), **origin(), "wall_s": {},
    }  # fmt: skip
    _check_space(Search(Path(), study, study.search, record))
    path = new_directory(home / f"search-{study.name}", seed)
    (path / "processes").mkdir()
    write_json(path / "run.json", record)
    return Search(path, study, study.search, record)


def open_search(path: Path) -> Search:
    """Read a search's directory; BadInput if it is none, or its study has no search space any more."""
    try:
        record = json.loads((path / "run.json").read_text())
    except FileNotFoundError:
        near = [str(found.parent) for found in path.parent.glob("*/run.json")] if path.parent.is_dir() else []
        hint = did_you_mean(str(path), near) if near else "; `cloudchamber search STUDY` makes one"
        raise BadInput(f"{path} is not the directory of a search (no run.json){hint}", status=2) from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path / 'run.json'} cannot be read ({error}): start a new search") from None
    if not isinstance(record, dict) or not {"source", "sampler", "trials", "settings"} <= record.keys():
        raise BadInput(f"{path / 'run.json'} is not the record of a search: give one that `search` made", status=2)
    study = of_kind(load_study(record["source"]), PredictorStudy, "search")
    if study.search is None:
        raise BadInput(f"study {study.name!r} has no search space any more: restore it or start a new search")
    if record.get("code") != farm.code_hash(study):
        raise BadInput(f"{path}: the study's data have changed since it began (other simulators): start a new search")
    opened = Search(path, study, study.search, record)
    _check_space(opened)
    return opened


def _check_space(opened: Search) -> None:
    """Refuse a space that does not fit the study, before anything is simulated."""
    space, settings = opened.space, opened.record["settings"]
    for name in settings:
        if name in space.choices:
            raise BadInput(f"--set {name}: the search varies it itself; leave it out", status=2)
    config = opened.trial_config({})
    for name, choice in space.choices.items():
        if not choice:
            raise BadInput(f"search space: no values for {name!r}", status=2)
        for value in choice[:2] if is_range(choice) else choice:
            config.changed({name: value})
    if space.direction not in ("maximize", "minimize"):
        known = ("maximize", "minimize")
        raise BadInput(f"search space: direction {space.direction!r}{did_you_mean(space.direction, known)}", status=2)
    predictors = opened.study.predictors(config, opened.seed, "cpu")
    if space.predictor not in predictors:
        hint = did_you_mean(space.predictor, predictors)
        raise BadInput(f"search space: study has no predictor {space.predictor!r}{hint}", status=2)


# --- trials -----------------------------------------------------------------------------------------------------------


class _Data:
    """The samples of configurations; the data set of the last one is kept."""

    def __init__(self, opened: Search, seed: int, workers: int = 1) -> None:
        self.opened, self.seed, self.workers = opened, seed, workers
        self.last: tuple[str, Any] = ("", None)

    def splits(self, config: Config) -> tuple[Samples, Samples, Samples]:
        """Training, validation and test samples; simulated only if the farm's cache does not have them."""
        study = self.opened.study
        seen, n = study.data_config(config), study.records(config)
        key = f"{n} {seen.model_dump_json()}"
        if self.last[0] != key:
            source = self.opened.record["source"]
            found = farm.simulate(study, seen, n, self.seed, workers=self.workers, study_source=source)
            self.last = (key, found)
        return splits(study, config, self.last[1], self.seed)


def _score(space: SearchSpace, rows: list[Row]) -> Row:
    """The row that ranks; BadInput if the study makes no such row."""
    found = {f"{row['metric']} of {row['target']}": row for row in rows if row["predictor"] == space.predictor}
    wanted = f"{space.metric} of {space.target}"
    if wanted not in found:
        raise BadInput(f"search space: the study measures no {wanted}{did_you_mean(wanted, found)}")
    return found[wanted]


def _rows(study: PredictorStudy, name: str, predictor: Predictor, samples: Samples, seed: int) -> list[Row]:
    return rows_of(study, samples.targets, predict_all({name: predictor}, samples), seed)


def work(opened: Search, device: str) -> None:
    """Begin trials, beside other processes, until the search has all of its own; wait for theirs.

    Raises:
        BadInput: the data, the machine or the search space; a trial whose settings cannot be is only marked as failed.
    """
    with quiet(), process_number(opened.path) as number:
        data, distributions = _Data(opened, opened.seed), distributions_of(opened.space)
        with turn(opened.path):
            journal = opened.journal(number)
        while True:
            trial: Trial | None = None
            with turn(opened.path):
                bury(opened.path, journal)
                # in this order: a trial that another process ends meanwhile counts twice, and not as none
                begun = running(journal)
                ended = len(finished(journal))
                if ended >= opened.trials:
                    return
                if ended + begun < opened.trials:
                    trial = journal.ask(distributions)
                    trial.set_user_attr("process", number)
            if trial is None:
                time.sleep(POLL_SECONDS)
            else:
                _try(opened, journal, trial, data, device)


def _try(opened: Search, journal: optuna.Study, trial: Trial, data: _Data, device: str) -> None:
    """Fit and score one trial, and tell the journal."""
    from optuna.trial import TrialState

    study, space = opened.study, opened.space
    chosen = settings_of(space, trial.params)
    told = ", ".join(
        f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}" for name, value in chosen.items()
    )
    directory = opened.path / "trials" / f"{trial.user_attrs.get('origin', trial.number):05d}"
    start, failure = time.perf_counter(), ""
    row: Row = {}
    try:
        config = opened.trial_config(chosen)
        train, validation, _ = data.splits(config)
        predictor = study.predictors(config, opened.seed, device)[space.predictor]
        directory.mkdir(parents=True, exist_ok=True)
        predictor.fit(train, validation, directory)  # goes on where a killed process left it
        row = _score(space, _rows(study, space.predictor, predictor, validation, opened.seed))
        if not np.isfinite(row["value"]):
            failure = f"its score is {row['value']}"
    except BadInput as error:
        if error.status != 2:
            raise
        failure = str(error)  # settings that do not go together
    except OSError:
        raise  # the machine, not the settings
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
    trial.set_user_attr("seconds", round(time.perf_counter() - start, 2))
    shutil.rmtree(directory, ignore_errors=True)
    if failure:
        trial.set_user_attr("failure", " ".join(failure.split()))
        journal.tell(trial, state=TrialState.FAIL)
        log.warning("trial %d failed (%s): %s", trial.number, told, failure)
    else:
        trial.set_user_attr("error", row["error"])
        journal.tell(trial, float(row["value"]))
        log.info("trial %d: validation %s = %.4g (%s)", trial.number, space.metric, row["value"], told)


# --- the road ---------------------------------------------------------------------------------------------------------


def search(opened: Search, workers: int, device: str) -> dict[str, Any]:
    """All trials, the winner's trainings and the report, from wherever the search stands; the content of search.json.

    Args:
        opened: the search; other processes may be at work in it.
        workers: processes that simulate and then try settings; 1 means this one.
        device: for networks, ``cpu`` or ``cuda``.

    Raises:
        BadInput: see ``work``; workers that died; every trial failed.
    """
    handler = logging.FileHandler(opened.path / "log.txt", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    log.addHandler(handler)
    status = opened.path / "STATUS"
    try:
        if not _is_finished(opened):
            write_text(status, "running\n")
            if workers > 1:
                _Data(opened, opened.seed, workers).splits(opened.trial_config({}))
                _work_in_processes(opened, workers, device)
            work(opened, device)  # what processes that died have left, or nothing
        with exclusive(opened.path, wait=True):
            if not _is_finished(opened):
                _finish(opened, workers, device)
                write_text(status, FINISHED)
        found: dict[str, Any] = json.loads((opened.path / "search.json").read_text())
    except BaseException as error:
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
        log.error("failed: %s", " ".join(reason.split()))
        if not _is_finished(opened):  # another process may have done it
            write_text(status, f"failed: {' '.join(reason.split())}\n")
        raise
    finally:
        log.removeHandler(handler)
        handler.close()
    return found


def _is_finished(opened: Search) -> bool:
    status = opened.path / "STATUS"
    if not status.exists() or status.read_text() != FINISHED:
        return False
    try:
        content = json.loads((opened.path / "search.json").read_text())
    except (OSError, ValueError):
        return False
    return len(content["trials"]) >= opened.trials and len(content["winner"]["seeds"]) == opened.record["winner_seeds"]


def _work_in_processes(opened: Search, workers: int, device: str) -> None:
    """``work`` in so many processes, which share the cores; returns when they have ended, however they did."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), str(max(cores // workers, 1)))
    before = {name: os.environ.get(name) for name in threads}
    context = multiprocessing.get_context("spawn")
    arguments = (opened.path, device, log.level)
    children = [context.Process(target=_work_in_child, args=arguments) for _ in range(workers)]
    os.environ.update(threads)  # children inherit it
    try:
        for child in children:
            child.start()
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({} if value is None else {name: value})
    try:
        for child in children:
            child.join()
    except BaseException:
        for child in children:
            child.terminate()
            child.join()
        raise
    if all(child.exitcode for child in children):
        raise BadInput(f"every worker process failed, see {opened.path / 'log.txt'}; go on with --resume {opened.path}")


def _work_in_child(path: Path, device: str, level: int) -> None:
    log.setLevel(level)
    handlers = (logging.StreamHandler(), logging.FileHandler(path / "log.txt", encoding="utf-8"))
    handlers[1].setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    for handler in handlers:
        log.addHandler(handler)
    try:
        work(open_search(path), device)
    except KeyboardInterrupt:
        sys.exit(1)
    except Exception as error:
        log.error("worker process failed: %s: %s", type(error).__name__, " ".join(str(error).split()))
        sys.exit(1)


def _finish(opened: Search, workers: int, device: str) -> None:
    """Rank the trials, train the winner, write search.json and the report."""
    space = opened.space
    with quiet(), turn(opened.path):
        ended = finished(opened.journal(0))
    sign = -1 if space.direction == "maximize" else 1
    scored = sorted((trial for trial in ended if trial.value is not None), key=lambda trial: sign * score_of(trial))
    failed = [trial for trial in ended if trial.value is None]
    if not scored:
        raise BadInput(f"all {len(failed)} trials failed, the last: {failure(failed[-1])}")
    chosen = settings_of(space, scored[0].params)
    first = opened.seed + 1
    seeds = list(range(first, first + opened.record["winner_seeds"]))
    start = time.perf_counter()
    rows = [_train_winner(opened, scored[0].number, chosen, seed, workers, device) for seed in seeds]
    seconds = {"trials": sum(trial.user_attrs.get("seconds", 0.0) for trial in ended)}
    opened.note(wall_s=seconds | {"winner": round(time.perf_counter() - start, 2)})
    names = ("study", "preset", "seed", "sampler", "version", "commit", "hardware", "command", "settings", "wall_s")
    content = {
        **{name: opened.record[name] for name in names},
        "date": datetime.now(UTC).date().isoformat(),
        "score": {
            "predictor": space.predictor, "sample": "validation", "target": space.target, "metric": space.metric,
            "direction": space.direction,
        },
        "space": {name: list(choice) for name, choice in space.choices.items()},
        "changes": dict(space.changes),
        "trials": [
            {
                "number": trial.number, "value": trial.value, "settings": settings_of(space, trial.params),
                "failure": failure(trial),
                **{name: trial.user_attrs.get(name) for name in ("error", "seconds", "process")},
            }
            for trial in scored + failed
        ],
        "importance": {"method": "fANOVA", "values": importance(scored, opened.seed)},
        "winner": {"trial": scored[0].number, "settings": chosen, "seeds": seeds, "scores": _means(rows)},
    }  # fmt: skip
    write_json(opened.path / "search.json", content)
    from cloudchamber.report.page import write_page
    from cloudchamber.report.search import sections

    write_page(opened.path, sections(content))


def _train_winner(opened: Search, trial: int, chosen: Settings, seed: int, workers: int, device: str) -> list[Row]:
    """Rows of the validation and the test split of one training; a finished one is read."""
    study, name = opened.study, opened.space.predictor
    directory = opened.path / f"winner-{trial:05d}" / f"seed-{seed}"
    done = directory / "scores.json"
    if not done.exists():
        log.info("training the winner (trial %d) with seed %d", trial, seed)
        config = opened.winner_config(chosen)
        train, validation, test = _Data(opened, seed, workers).splits(config)
        predictor = study.predictors(config, seed, device)[name]
        directory.mkdir(parents=True, exist_ok=True)
        predictor.fit(train, validation, directory)
        rows = [
            {**row, "sample": sample}
            for sample, samples in (("validation", validation), ("test", test))
            for row in _rows(study, name, predictor, samples, seed)
        ]
        write_json(done, rows)
    found: list[Row] = json.loads(done.read_text())
    return found


def _means(trainings: list[list[Row]]) -> list[dict[str, Any]]:
    """Mean and standard deviation over trainings of every metric; the spread of one training is unknown (None)."""
    found = []
    for row in trainings[0] if trainings else []:
        key = (row["sample"], row["target"], row["metric"])
        values = [
            other["value"]
            for rows in trainings
            for other in rows
            if (other["sample"], other["target"], other["metric"]) == key and other["value"] is not None
        ]
        if not values:  # not reached in any training, as the signal needed for five sigma may be
            continue
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        about = dict(zip(("sample", "target", "metric"), key, strict=True))
        found.append({**about, "mean": float(np.mean(values)), "spread": spread, "values": values})
    return found
