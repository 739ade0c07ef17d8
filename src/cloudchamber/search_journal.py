"""The journal of a search's trials, shared by processes on one disk: Optuna's, with locks that die with their process.

Conventions: ``journal.log`` holds the trials, ``turn.lock`` lets one process at a time take stock and begin a trial,
``processes/`` has a lock file for each process, held as long as it lives.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cloudchamber.study import SearchSpace

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial
log = logging.getLogger("cloudchamber")

ATTEMPTS = 3
"""How often a trial is begun whose process is killed before it counts as failed."""

RESAMPLES = 10
"""Bootstrap samples of the trials, for the errors of importances; each has a quarter of the trees."""

TREES = 64
"""Of the random forest of fANOVA."""

FEWEST = 5
"""Trials below which no importance is given."""

Settings = dict[str, Any]
"""Values by setting."""


class Lock:
    """A lock file that the kernel lets go of when its process ends, however it ends; Optuna's journal takes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handle = -1

    def acquire(self) -> bool:
        """Wait for it."""
        self.handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self.handle, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Let it go."""
        os.close(self.handle)


@contextmanager
def turn(directory: Path) -> Iterator[None]:
    """One process at a time takes stock of the trials and begins one."""
    lock = Lock(directory / "turn.lock")
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna without its log lines and its warnings of experimental features."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def open_journal(directory: Path, name: str, *, direction: str, sampler: str, seed: int, process: int) -> optuna.Study:
    """The study of Optuna in ``journal.log`` of a search's directory.

    Args:
        directory: of the search.
        name: of the study in the journal.
        direction: ``"maximize"`` or ``"minimize"``.
        sampler: ``"tpe"`` or ``"random"``.
        seed: of the search.
        process: the sampler draws from that child of the seed.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    path = directory / "journal.log"
    child = int(np.random.SeedSequence(seed, spawn_key=(process,)).generate_state(1)[0])
    chosen: optuna.samplers.BaseSampler
    if sampler == "tpe":
        chosen = optuna.samplers.TPESampler(seed=child, multivariate=True, constant_liar=True)
    else:
        chosen = optuna.samplers.RandomSampler(seed=child)
    lock: Any = Lock(directory / "journal.lock")
    if path.exists():
        _mend(path, lock)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(path), lock)),
        sampler=chosen,
        study_name=name,
        direction="maximize" if direction == "maximize" else "minimize",
        load_if_exists=True,
    )


def _mend(path: Path, lock: Lock) -> None:
    """Cut off a line that a killed process, or a full disk, left half."""
    lock.acquire()
    try:
        with path.open("r+b") as file:
            content = file.read()
            if not content.endswith(b"\n"):
                file.truncate(content.rfind(b"\n") + 1)
    finally:
        lock.release()


@contextmanager
def process_number(directory: Path) -> Iterator[int]:
    """The number of this process in the search, held by a lock file as long as it lives."""
    with turn(directory):
        number = len(list((directory / "processes").iterdir()))
        lock = Lock(directory / "processes" / f"{number:04d}")
        lock.acquire()
        os.write(lock.handle, f"pid {os.getpid()} on {platform.node()}\n".encode())
    try:
        yield number
    finally:
        lock.release()


def _is_alive(directory: Path, number: int) -> bool:
    handle = os.open(directory / "processes" / f"{number:04d}", os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


def bury(directory: Path, journal: optuna.Study) -> None:
    """Mark trials of dead processes as failed, and line up the same settings again. In our turn only.

    A trial gets its process in the turn in which it is begun, so one without is of a process that died then.
    """
    from optuna.trial import TrialState

    for trial in journal.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        about = trial.user_attrs
        if "process" in about and _is_alive(directory, about["process"]):
            continue
        attempt = about.get("attempt", 1)
        journal.tell(trial.number, state=TrialState.FAIL)
        log.warning("trial %d: its process is gone", trial.number)
        if attempt < ATTEMPTS:
            journal.enqueue_trial(
                trial.params, user_attrs={"attempt": attempt + 1, "origin": about.get("origin", trial.number)}
            )


def finished(journal: optuna.Study) -> list[FrozenTrial]:
    """Trials that count: with a score, or failed by themselves (not by the death of their process)."""
    from optuna.trial import TrialState

    ended = journal.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL))
    return [trial for trial in ended if trial.state == TrialState.COMPLETE or failure(trial)]


def failure(trial: FrozenTrial) -> str | None:
    """Why a trial has no score; None if it has one, or if the same settings are tried again."""
    if trial.user_attrs.get("attempt", 1) >= ATTEMPTS and trial.value is None:
        return f"its process was killed {ATTEMPTS} times"
    why: str | None = trial.user_attrs.get("failure")
    return why


def running(journal: optuna.Study) -> int:
    """How many trials are under way."""
    from optuna.trial import TrialState

    return len(journal.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))


def is_range(choice: tuple[Any, ...]) -> bool:
    """Whether the values tried of a setting are a range; see ``study.SearchSpace``."""
    return (
        len(choice) == 3 and choice[2] in ("log", "linear") and all(isinstance(end, int | float) for end in choice[:2])
    )


def _label(value: Any) -> Any:
    """What Optuna stores for a value: itself if it can, else its JSON text."""
    return value if value is None or isinstance(value, bool | int | float | str) else json.dumps(value)


def distributions_of(space: SearchSpace) -> dict[str, BaseDistribution]:
    """What Optuna draws from, by setting."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for name, choice in space.choices.items():
        if not is_range(choice):
            found[name] = CategoricalDistribution(tuple(_label(value) for value in choice))
        elif all(isinstance(end, int) for end in choice[:2]):
            found[name] = IntDistribution(choice[0], choice[1], log=choice[2] == "log")
        else:
            found[name] = FloatDistribution(choice[0], choice[1], log=choice[2] == "log")
    return found


def settings_of(space: SearchSpace, parameters: Mapping[str, Any]) -> Settings:
    """Optuna's parameters as values of settings."""
    found: Settings = {}
    for name, label in parameters.items():
        choice = space.choices[name]
        values = {} if is_range(choice) else {_label(value): value for value in choice}
        found[name] = values.get(label, label)
    return found


def score_of(trial: FrozenTrial) -> float:
    """The score of a trial that has one."""
    assert trial.value is not None
    return trial.value


def importance(trials: list[FrozenTrial], seed: int) -> dict[str, tuple[float, float]]:
    """Share of the variance of the score that each setting explains by itself (fANOVA), and its error, largest first.

    Args:
        trials: scored ones.
        seed: of the random forest and of the bootstrap samples of the trials, whose standard deviation is the error.

    Returns:
        By setting; empty with fewer than five trials or if all scores are equal.
    """
    import optuna

    if len(trials) < FEWEST or np.ptp([score_of(trial) for trial in trials]) == 0:
        return {}
    rng = np.random.default_rng(seed)

    def shares(some: list[FrozenTrial], trees: int) -> dict[str, float]:
        study = optuna.create_study()
        study.add_trials(some)
        evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=trees, seed=seed)
        return dict(evaluator.evaluate(study))

    with quiet():
        found = shares(trials, TREES)
        resampled = []
        for _ in range(RESAMPLES):
            some = [trials[index] for index in rng.integers(len(trials), size=len(trials))]
            if np.ptp([score_of(trial) for trial in some]) > 0:
                resampled.append(shares(some, TREES // 4))
    errors = {name: float(np.std([each.get(name, 0.0) for each in resampled])) for name in found}
    return {name: (found[name], errors[name]) for name in sorted(found, key=lambda name: -found[name])}
