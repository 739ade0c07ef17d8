"""The steps of the road that are particular to studies of generators, as ``prediction`` has those of predictors.

A run has besides: ``generated/<sample>/truth.h5`` and ``generated/<sample>/<generator>.h5``, the events of the test
split and of each probe and those that every generator made under the same conditions; in run.json ``sample_s``, events
per second of each. Generators sample in chunks, each from a seed of its own, so that results depend on the seed alone.

Where a user's events are the truth, nothing simulates more of them: there is neither a floor (truth against truth) nor
a probe.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cloudchamber.data.splits import split_by_group
from cloudchamber.data.store import Dataset
from cloudchamber.farm import Progress
from cloudchamber.metrics.rows import Row
from cloudchamber.run_directory import (
    Resources,
    Run,
    note_data,
    open_run,
    restored,
    simulated,
    simulated_probes,
    with_floors,
)
from cloudchamber.schema import BadInput
from cloudchamber.study import Generator, GeneratorStudy, of_kind

log = logging.getLogger("cloudchamber")

CHUNK = 10_000
"""Events that a generator makes at once, from one seed."""


# --- the steps of the road --------------------------------------------------------------------------------------------


def data_of(run: Run[GeneratorStudy], resources: Resources) -> Any:
    """All events of a run: from the cache or the farm, or the user's own.

    Raises:
        BadInput: they are others than those that the run began with.
    """
    if run.record["data"] is not None:
        path = Path(run.record["data"])
        events = run.study.read(path)
        with path.open("rb") as file:
            note_data(run, hashlib.file_digest(file, "sha256").hexdigest(), len(events))
        return events
    records = simulated(run, run.config, run.study.records(run.config), run.seed, resources)
    note_data(run, records.hash(), len(records))
    return all_events(run.study, records)


def split(run: Run[GeneratorStudy], events: Any) -> tuple[Any, Any, Any]:
    """Training, validation and test events."""
    everything = np.arange(len(events), dtype=np.int64)
    train, validation, test = (
        events.ordered(part) for part in split_by_group(everything, run.seed, run.study.held_out)
    )
    return train, validation, test


def probes(run: Run[GeneratorStudy], resources: Resources) -> dict[str, Dataset]:
    """The records of every probe, on disk; none where a user's events are the truth."""
    if run.record["data"] is not None:
        return {}
    return {name: records for name, (_, records) in simulated_probes(run, resources).items()}


def score(
    run: Run[GeneratorStudy],
    generators: Mapping[str, Generator],
    train: Any,
    test: Any,
    probes: Mapping[str, Dataset],
) -> list[Row]:
    """Rows of metrics for the test split and every probe, each with the floor (that metric of the ``floor`` generator).

    One sample's events are in memory at a time. Writes ``generated/`` and notes ``sample_s``.
    """
    rows: list[Row] = []
    seconds = dict.fromkeys(generators, 0.0)
    count = 0
    for sample in ("test", *probes):
        truth = test if sample == "test" else all_events(run.study, probes[sample])
        made = {}
        for name, generator in generators.items():
            log.info("sampling %s (%s)", name, sample)
            start = time.perf_counter()
            made[name] = like(run.study, generator, truth, run.seed, f"{sample}/{name}")
            seconds[name] += time.perf_counter() - start
        count += len(truth)
        write_generated(run, sample, truth, made, generators)
        rows += rows_of(run, sample, train if sample == "test" else None, truth, made, generators)
    run.note(sample_s={name: round(count / taken, 2) for name, taken in seconds.items()})
    return rows


def all_events(study: GeneratorStudy, records: Dataset) -> Any:
    """The events of a whole data set."""
    return study.events(records.read(np.arange(len(records), dtype=np.int64)))


# --- new events -------------------------------------------------------------------------------------------------------


def sampled(generator: Generator, condition: Callable[[int, int], Any], n: int, seed: int, place: str) -> Iterator[Any]:
    """New events, chunk after chunk.

    Args:
        generator: makes them.
        condition: (first, number) to the condition of those events.
        n: events in all.
        seed: the same seed and place give the same events.
        place: what they are for; another place has other random numbers.
    """
    for chunk, first in enumerate(range(0, n, CHUNK)):
        seeds = np.random.SeedSequence(seed, spawn_key=(zlib.crc32(place.encode()), chunk))
        yield generator.sample(condition(first, min(CHUNK, n - first)), np.random.default_rng(seeds))


def like(study: GeneratorStudy, generator: Generator, truth: Any, seed: int, place: str) -> Any:
    """One new event under the condition of each of ``truth``; see ``sampled``."""

    def condition(first: int, number: int) -> Any:
        return study.condition(truth.ordered(np.arange(first, first + number)))

    return study.joined(list(sampled(generator, condition, len(truth), seed, place)))


def write_generated(
    run: Run[GeneratorStudy], sample: str, truth: Any, made: Mapping[str, Any], generators: Mapping[str, Generator]
) -> None:
    """``generated/<sample>/``: the true events and those of each generator, one by one under the same conditions."""
    directory = run.path / "generated" / sample
    directory.mkdir(parents=True, exist_ok=True)
    titles = {"truth": "truth"} | {name: generator.title for name, generator in generators.items()}
    for name, events in {"truth": truth, **made}.items():
        about = {"study": run.study.name, "generator": name, "seed": str(run.seed), "model": titles[name]}
        with run.study.writer(directory / f"{name}.h5", about) as append:
            append(events)


def rows_of(
    run: Run[GeneratorStudy],
    sample: str,
    train: Any,
    truth: Any,
    made: Mapping[str, Any],
    generators: Mapping[str, Generator],
) -> list[Row]:
    """Rows of metrics of a sample or its parts, each with the floor (the same metric of the ``floor`` generator)."""
    found = run.study.rows(run.config, sample, train, truth, made, np.random.default_rng(run.seed))
    return with_floors([{"sample": sample, **row} for row in found], generators)


# --- verbs on a finished run ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Generated:
    """What ``generate`` has made: the file, and by which generator."""

    path: Path
    generator: Generator


def evaluate(path: Path, data: Path, device: str) -> list[Row]:
    """Rows of metrics of a finished run's generators against a user's events, under the conditions of those.

    A line in the log tells which part of the events has conditions that the training had not. A generator that refuses
    such conditions is left out, with a line too. There is no floor.

    Raises:
        BadInput: no run of a study of generators, or a file that holds no events.
    """
    run = open_run(path)
    study = of_kind(run.study, GeneratorStudy, "evaluate")
    truth = study.read(data)
    beyond = study.outside(run.config, study.condition(truth))
    shares = ", ".join(f"{share:.1%} in {name}" for name, one in beyond.items() if (share := float(one.mean())) > 0)
    if shares:
        log.warning("of the %d events of %s lie outside the training: %s", len(truth), data, shares)
    # the simulator again is no floor for events that it did not make
    generators = {name: one for name, one in restored(run, device).items() if one.kind != "floor"}
    made = {}
    for name, generator in generators.items():
        try:
            made[name] = like(study, generator, truth, run.seed, f"own/{name}")
        except BadInput as error:
            log.warning("%s is left out: %s", name, error)
    return rows_of(run, "own", None, truth, made, generators)


def generate(
    path: Path,
    settings: Mapping[str, str],
    n: int,
    output: Path | None,
    *,
    generator: str | None,
    seed: int,
    extrapolate: bool,
    device: str,
    progress: Progress | None = None,
) -> Generated:
    """Write new events of a run's generator to a file, chunk after chunk; memory does not grow with their number.

    Args:
        path: the run.
        settings: what the study's ``wanted`` takes.
        n: number of events.
        output: the file; complete when this returns, and not there if it raises. None: ``<study>-s<seed>.h5`` here.
        generator: by name; None: that of the study's headline number.
        seed: the same seed gives the same events.
        extrapolate: allow conditions beyond the training's; the file's attribute ``extrapolated`` says if they are, and
            a line in the log.
        device: for networks.
        progress: called with (events done, n) after each chunk.

    Raises:
        BadInput: no run of a study of generators; no such generator, or not fitted; settings that the study does not
            take; less than one event; a file that exists or cannot be written.
    """
    run = open_run(path)
    study = of_kind(run.study, GeneratorStudy, "generate")
    output = Path(f"{study.name}-s{seed}.h5") if output is None else output
    _refuse_to_write(output, n)
    name = study.headline[0] if generator is None else generator
    condition = study.wanted(run.config, settings, 1, extrapolate)  # refuses wrong words before the work
    beyond = [quantity for quantity, one in study.outside(run.config, condition).items() if one.any()]
    chosen: Generator = restored(run, device, name)[name]
    about = {
        "model": chosen.title, "version": run.record["version"],
        "data": f"run {run.record.get('run', path.resolve().name)}",  # that of a model that ships was its author's
        "study": study.name, "run": str(path.resolve()), "generator": name, "seed": str(seed),
        "settings": json.dumps(dict(settings), sort_keys=True), "extrapolated": bool(beyond),
    }  # fmt: skip

    def wanted(_: int, number: int) -> Any:
        return study.wanted(run.config, settings, number, extrapolate)

    done = 0
    with study.writer(output, about) as append:
        for events in sampled(chosen, wanted, n, seed, f"generate/{name}"):
            append(events)
            done += len(events)
            if progress is not None:
                progress(done, n)
    if beyond:
        log.warning("extrapolated in %s: the training had no such events, and %s says so", ", ".join(beyond), output)
    return Generated(output, chosen)


def _refuse_to_write(output: Path, n: int) -> None:
    if n < 1:
        raise BadInput(f"-n {n}: give at least 1 event", status=2)
    if output.exists():
        raise BadInput(f"file {output} exists, will not overwrite")
    if not output.parent.is_dir():
        raise BadInput(f"cannot write {output}: there is no directory {output.parent}")
