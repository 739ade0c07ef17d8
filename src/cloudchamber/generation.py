"""The road of a study of generators: simulate, fit, sample, score, report, into a run directory as ``run`` makes it.

What it has besides: ``generated/<sample>/truth.h5`` and ``generated/<sample>/<generator>.h5``, the events of the test
split and of each probe and those that every generator made under the same conditions, and ``sample_s`` in run.json, the
events per second of each. Generators sample in chunks, each from a seed of its own, so that results depend on the seed
alone.

Where a user's events are the truth, the configuration is the study's ``fitting`` of them. Nothing simulates more of
such events: there is neither a floor (truth against truth) nor a probe.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cloudchamber.data.splits import split_by_group
from cloudchamber.run import (
    OpenRun,
    Progress,
    Resources,
    choose_device,
    fitted,
    merge_history,
    note_data,
    open_run,
    probe_records,
    restore,
    simulated,
    working,
    write_arrays,
    write_json,
    write_metrics,
    write_report,
)
from cloudchamber.schema import BadInput, did_you_mean
from cloudchamber.study import Generator, GeneratorStudy, Row, of_kind

log = logging.getLogger("cloudchamber")

CHUNK = 10_000
"""Events that a generator makes at once, from one seed."""


def travel(run: OpenRun[GeneratorStudy], resources: Resources) -> OpenRun[GeneratorStudy]:
    """Go the whole road in ``run``'s directory, from wherever it stands."""
    with working(run):
        study = run.study
        device = choose_device(resources.device)
        with run.timed("simulate"):
            events = simulate_or_read(run, resources)
            run = fitting(run, events)
            run.note(device=device)
        train, validation, test = (
            events.ordered(rows) for rows in split_by_group(np.arange(len(events), dtype=np.int64), run.seed)
        )
        del events
        with run.timed("train"):
            generators = fitted(run, generators_of(run, device), train, validation)
            merge_history(run)
        rows: list[Row] = []
        seconds = dict.fromkeys(generators, 0.0)
        count = 0
        for sample in ("test",) if run.record["data"] is not None else ("test", *study.probes):
            with run.timed("simulate"):
                truth = test if sample == "test" else all_events(study, probe_records(run, sample, resources)[1])
            with run.timed("evaluate"):
                made = {}
                for name, generator in generators.items():
                    log.info("sampling %s (%s)", name, sample)
                    start = time.perf_counter()
                    made[name] = like(study, generator, truth, run.seed, f"{sample}/{name}")
                    seconds[name] += time.perf_counter() - start
                count += len(truth)
                write_generated(run, sample, truth, made, generators)
                known = train if sample == "test" else None
                rows += score(run, sample, known, truth, made, generators)
            if sample == "test" and study.gallery is not None:
                with run.timed("explain"):
                    arrays = study.gallery(run.config, generators, truth, made, np.random.default_rng(run.seed))
                    write_arrays(run.path / "gallery.h5", arrays)
        run.note(sample_s={name: round(count / taken, 2) for name, taken in seconds.items()})
        write_metrics(run, rows, generators)
        write_report(run)
    return run


def simulate_or_read(run: OpenRun[GeneratorStudy], resources: Resources) -> Any:
    """All events of a run: from the cache or the farm, or from the user's own file.

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


def fitting(run: OpenRun[GeneratorStudy], events: Any) -> OpenRun[GeneratorStudy]:
    """The run with the configuration that fits a user's events; it is written to config.json."""
    if run.record["data"] is None or run.study.fitting is None:
        return run
    config = run.study.fitting(run.config, events)
    write_json(run.path / "config.json", config.model_dump(mode="json"))
    return replace(run, config=config)


def generators_of(run: OpenRun[GeneratorStudy], device: str) -> dict[str, Generator]:
    """The generators of a run; no floor if it learns from a user's events."""
    known = run.study.generators(run.config, run.seed, device)
    return known if run.record["data"] is None else without_floor(known)


def without_floor(known: Mapping[str, Generator]) -> dict[str, Generator]:
    """All but the simulator again, which is no floor for events that it did not make."""
    return {name: generator for name, generator in known.items() if generator.kind != "floor"}


def all_events(study: GeneratorStudy, records: Any) -> Any:
    """The events of a whole data set."""
    return study.events(records.read(np.arange(len(records), dtype=np.int64)))


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
    run: OpenRun[GeneratorStudy], sample: str, truth: Any, made: Mapping[str, Any], generators: Mapping[str, Generator]
) -> None:
    """``generated/<sample>/``: the true events and those of each generator, one by one under the same conditions."""
    directory = run.path / "generated" / sample
    directory.mkdir(parents=True, exist_ok=True)
    titles = {"truth": "truth"} | {name: generator.title for name, generator in generators.items()}
    for name, events in {"truth": truth, **made}.items():
        about = {"study": run.study.name, "generator": name, "seed": str(run.seed), "model": titles[name]}
        with run.study.writer(directory / f"{name}.h5", about) as append:
            append(events)


def score(
    run: OpenRun[GeneratorStudy],
    sample: str,
    train: Any,
    truth: Any,
    made: Mapping[str, Any],
    generators: Mapping[str, Generator],
) -> list[Row]:
    """Rows of metrics of a sample or its parts, each with the floor (the same metric of the ``floor`` generator)."""
    floor = next((name for name in made if generators[name].kind == "floor"), None)
    found = run.study.rows(run.config, sample, train, truth, made, np.random.default_rng(run.seed))
    rows = [{"sample": sample, **row} for row in found]
    floors = {(row["sample"], row["target"], row["metric"]): row["value"] for row in rows if row["predictor"] == floor}
    return [{**row, "floor": floors.get((row["sample"], row["target"], row["metric"]))} for row in rows]


# --- verbs on a finished run ------------------------------------------------------------------------------------------


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
    generators = without_floor(restore(run, generators_of(run, choose_device(device))))
    made = {}
    for name, generator in generators.items():
        try:
            made[name] = like(study, generator, truth, run.seed, f"own/{name}")
        except BadInput as error:
            log.warning("%s is left out: %s", name, error)
    return score(run, "own", None, truth, made, generators)


def generate(
    path: Path,
    settings: Mapping[str, str],
    n: int,
    output: Path,
    *,
    generator: str | None,
    seed: int,
    extrapolate: bool,
    device: str,
    progress: Progress | None = None,
) -> Generator:
    """Write new events of a run's generator to a file, chunk after chunk; memory does not grow with their number.

    Args:
        path: the run.
        settings: what the study's ``wanted`` takes.
        n: number of events.
        output: the file; complete when this returns, and not there if it raises.
        generator: by name; None: that of the study's headline number.
        seed: the same seed gives the same events.
        extrapolate: allow conditions beyond the training's; the file's attribute ``extrapolated`` says if they are.
        device: for networks.
        progress: called with (events done, n) after each chunk.

    Returns:
        The generator.

    Raises:
        BadInput: no run of a study of generators; no such generator, or not fitted; settings that the study does not
            take; less than one event; a file that exists or cannot be written.
    """
    _refuse_to_write(output, n)
    run = open_run(path)
    study = of_kind(run.study, GeneratorStudy, "generate")
    known = generators_of(run, choose_device(device))
    name = study.headline[0] if generator is None else generator
    if name not in known:
        raise BadInput(f"study {study.name!r} has no generator {name!r}{did_you_mean(name, known)}", status=2)
    condition = study.wanted(run.config, settings, 1, extrapolate)  # refuses wrong words before the work
    beyond = any(bool(one.any()) for one in study.outside(run.config, condition).values())
    chosen = _restored(run, known, name)
    about = {
        "model": chosen.title, "version": run.record["version"], "data": f"run {path.resolve().name}",
        "study": study.name, "run": str(path.resolve()), "generator": name, "seed": str(seed),
        "settings": json.dumps(dict(settings), sort_keys=True), "extrapolated": beyond,
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
    return chosen


def _restored(run: OpenRun[GeneratorStudy], known: Mapping[str, Generator], name: str) -> Generator:
    """One of the ``known`` generators, after those before it, on which it may stand."""
    names = list(known)
    return restore(run, {one: known[one] for one in names[: names.index(name) + 1]})[name]


def _refuse_to_write(output: Path, n: int) -> None:
    if n < 1:
        raise BadInput(f"-n {n}: give at least 1 event", status=2)
    if output.exists():
        raise BadInput(f"file {output} exists, will not overwrite")
    if not output.parent.is_dir():
        raise BadInput(f"cannot write {output}: there is no directory {output.parent}")
