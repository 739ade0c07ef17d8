"""Chunks of simulation: in this process, on a local cluster, or on any Dask scheduler; the same bytes from each.

Conventions: a data set of n records is cut into chunks of ``study.records_per_chunk``; the last is shorter. Chunk c
draws from ``SeedSequence(seed, spawn_key=(c,))``, the c-th child that ``SeedSequence(seed).spawn`` would give. Workers
return arrays, and only this process writes: a shard a chunk, complete under its name or not there at all. What was
simulated once is found again under ``cache_directory()/<study>/<fingerprint>``, where the fingerprint covers
configuration, seed, columns, chunk size, schema version and the simulators' source. The number of records is not part
of it: full chunks (``shard-00002.h5``) serve every larger data set, a shorter last chunk (``tail-00003-17.h5``) those
of the same size.
"""

# mypy: allow-untyped-calls
# (distributed has no types)
from __future__ import annotations

import ast
import asyncio
import concurrent.futures
import contextlib
import functools
import hashlib
import inspect
import itertools
import logging
import os
import platform
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

import cloudchamber
from cloudchamber.data.columns import checked_columns
from cloudchamber.data.files import cache_directory, exclusive
from cloudchamber.data.seal import is_sealed
from cloudchamber.data.shards import read_attributes, write_shard
from cloudchamber.data.store import Dataset
from cloudchamber.schema import SCHEMA_VERSION, Arrays, BadInput, Config, fingerprint
from cloudchamber.study import Study, load_study, study_names

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with (records done, records in all)."""

CONNECT_SECONDS = 10
"""How long a scheduler may take to answer."""

LOCAL_SECONDS = 60
"""How long our own scheduler may take, on a machine that is very busy."""

EXPERIMENTS = "cloudchamber.experiments."
"""Modules into which the source of a study's ``simulate`` is followed."""

TASKS_PER_CORE = 2
"""Chunks given to a worker's core ahead of time: enough that it never waits, few enough that memory does not grow."""


@dataclass(frozen=True)
class Chunk:
    """Some records of a data set: ``count`` from record ``first``, the chunk ``number`` of the seed."""

    number: int
    first: int
    count: int


@dataclass(frozen=True)
class Origin:
    """What a worker needs to simulate any chunk of a data set, as text and numbers.

    Attributes:
        source: the study, as ``load_study`` takes it.
        config: the configuration as JSON.
        seed: of the whole data set.
        code: hash of the source that must also be the worker's.
    """

    source: str
    config: str
    seed: int
    code: str


def simulate(
    study: Study,
    config: Config,
    n: int,
    seed: int,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
    study_source: str,
) -> Dataset:
    """A data set of ``n`` records, from the cache as far as it is there and whole.

    Args:
        study: what to simulate.
        config: its configuration.
        n: number of records.
        seed: the same seed gives the same data set, bit for bit, however it is computed.
        workers: processes on this machine, each with one thread; 1 means this process, None all available cores.
        scheduler: address of a Dask scheduler, ``tcp://host:port``, instead of ``workers``.
        progress: called with (records done, n) at the start and after each chunk.
        study_source: what ``load_study`` takes to find ``study`` again, on a worker.

    Raises:
        BadInput: n, seed, workers or scheduler that cannot be (status 2); the scheduler is unreachable, loses its
            workers or has another cloudchamber; the cache cannot be written or the disk is full; the arrays do not
            fit the schema. Finished chunks stay: the same call goes on with the rest.
    """
    _check_usage(n, seed, workers, scheduler)
    text = config.model_dump_json()
    origin = Origin(_absolute(study_source), text, seed, code_hash(study))
    size = study.records_per_chunk
    chunks = [Chunk(number, first, min(size, n - first)) for number, first in enumerate(range(0, n, size))]
    directory = cache_directory() / study.name / _key(study, origin)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot write {directory} ({error.strerror}): set CLOUDCHAMBER_CACHE") from error
    report = progress or _silent
    files = [directory / _shard_name(chunk, size) for chunk in chunks]
    with exclusive(directory, wait=True):
        for left in directory.glob(".*.partial"):  # of a process that was killed
            left.unlink(missing_ok=True)
        done, missing = 0, []
        report(done, n)
        for chunk, file in zip(chunks, files, strict=True):
            if _is_whole(file, study, origin, chunk):
                done += chunk.count
                report(done, n)
            else:
                missing.append(chunk)
        with contextlib.closing(_simulated(study, origin, missing, workers, scheduler)) as results:
            for chunk, arrays in results:
                write_shard(files[chunk.number], arrays, study.schema, _attributes(study, origin, chunk))
                done += chunk.count
                report(done, n)
    return Dataset(files, study.schema)


def _silent(done: int, total: int) -> None:
    """No progress report."""


def _check_usage(n: int, seed: int, workers: int | None, scheduler: str | None) -> None:
    if n < 1:
        raise BadInput(f"{n} records: give at least 1", status=2)
    if seed < 0:
        raise BadInput(f"seed {seed}: give a number that is not negative", status=2)
    if workers is not None and scheduler is not None:
        raise BadInput("--workers and --scheduler exclude each other: a scheduler brings its own workers", status=2)
    if workers is not None and workers < 1:
        raise BadInput(f"{workers} workers: give at least 1", status=2)
    if scheduler is not None:
        try:
            address = urlsplit(scheduler)
            good = address.scheme in {"tcp", "tls"} and address.hostname and address.port
        except ValueError:  # a port that is no number
            good = False
        if not good:
            raise BadInput(f"scheduler {scheduler!r}: give an address such as tcp://127.0.0.1:8786", status=2)


def _absolute(study_source: str) -> str:
    return str(Path(study_source).resolve()) if study_source.endswith(".py") else study_source


def code_hash(study: Study) -> str:
    """Sixteen hexadecimal digits: they change with the simulators and with what ``simulate`` reaches in its file.

    Editing a study's predictors or figures leaves its data as they are; a new setting does not.
    """
    home = Path(cloudchamber.__file__).parent
    digest = hashlib.sha256(_reached_source(study.simulate).encode())
    for file in sorted((home / "simulators").rglob("*.py")):
        digest.update(f"\n{file.relative_to(home).as_posix()}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _reached_source(function: Callable[..., Any]) -> str:
    """The source of a function, and of the functions, classes and values that it names, in turn.

    They are followed within its module and into ``experiments/``, not farther: physics lives in ``simulators/``, whose
    files are hashed as they are.
    """
    found: dict[tuple[str, str], str] = {}
    open_ends = {(function.__module__, function.__name__)}
    while open_ends:
        place = open_ends.pop()
        found[place] = _definitions(place[0])[place[1]]
        open_ends |= _named(place[0], found[place]) - found.keys()
    ours = function.__module__
    return "\n".join(
        f"{name if module == ours else f'{module}.{name}'}: {found[module, name]}" for module, name in sorted(found)
    )


def _definitions(module: str) -> dict[str, str]:
    """The source of every function, class and value of a module, by name; comments and layout do not count."""
    defined: dict[str, str] = {}
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = ast.unparse(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            defined |= {name.id: ast.unparse(node) for name in targets if isinstance(name, ast.Name)}
    return defined


def _imported(module: str) -> dict[str, tuple[str, str]]:
    """(module, name) of what a module imports by ``from ... import``, by the name that it has there."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {one.asname or one.name: (node.module, one.name) for one in node.names}
    return found


def _named(module: str, source: str) -> set[tuple[str, str]]:
    """(module, name) of what the source of a definition in ``module`` names there and in ``experiments/``."""
    defined, imported = _definitions(module), _imported(module)
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id in defined:
            found.add((module, node.id))
        elif isinstance(node, ast.Name) and node.id in imported:
            found.add(imported[node.id])
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add((".".join(imported.get(node.value.id, ("", ""))), node.attr))
    followed = {place for place in found if place[0] == module or place[0].startswith(EXPERIMENTS)}
    return {(home, name) for home, name in followed if name in _definitions(home)}


def _key(study: Study, origin: Origin) -> str:
    columns = {name: asdict(array) for name, array in study.schema.items()}
    for name, array in study.schema.items():
        if array.of is None:  # keys of studies without such columns are older than it
            del columns[name]["of"]
    return fingerprint([origin.config, origin.seed, origin.code, SCHEMA_VERSION, columns, study.records_per_chunk])


def _shard_name(chunk: Chunk, size: int) -> str:
    return f"shard-{chunk.number:05d}.h5" if chunk.count == size else f"tail-{chunk.number:05d}-{chunk.count}.h5"


def _attributes(study: Study, origin: Origin, chunk: Chunk) -> dict[str, Any]:
    named = {"study": study.name, "config": origin.config, "seed": str(origin.seed), "code": origin.code}
    return named | {"chunk": chunk.number, "schema_version": SCHEMA_VERSION}


def _is_whole(file: Path, study: Study, origin: Origin, chunk: Chunk) -> bool:
    """Whether the shard is there and is what it should be; a damaged one is reported and counts as missing."""
    if not file.exists():
        return False
    try:
        sealed = is_sealed(file)
        if not sealed or not _attributes(study, origin, chunk).items() <= read_attributes(file).items():
            raise BadInput(f"{file} is not what its name says")
    except BadInput as error:
        log.warning("%s; simulating it again", error)
        return False
    return True


def simulate_chunk(study: Study, origin: Origin, chunk: Chunk) -> Arrays:
    """The arrays of one chunk, in the types of the study's schema.

    Raises:
        BadInput: what the study's ``simulate`` returned does not fit its schema, or what it raised itself.
    """
    config = type(next(iter(study.presets.values()))).model_validate_json(origin.config)
    seeds = np.random.SeedSequence(origin.seed, spawn_key=(chunk.number,))
    arrays = study.simulate(config, chunk.first, chunk.count, seeds)
    try:
        return checked_columns(arrays, study.schema, study.lengths(config), chunk.count)
    except BadInput as error:
        raise BadInput(f"study {study.name!r}, records from {chunk.first}: simulated {error}") from None


def chunk_on_worker(origin: Origin, chunk: Chunk, version: str) -> Arrays:
    """``simulate_chunk`` in another process, which loads the study itself.

    Raises:
        BadInput: also if the study or the simulators there are not those of the client, whose version is ``version``.
    """
    return simulate_chunk(_study_on_worker(origin.source, origin.code, version), origin, chunk)


@functools.lru_cache(maxsize=8)
def _study_on_worker(source: str, code: str, version: str) -> Study:
    where = f"the worker on {platform.node()}"
    if source.endswith(".py") and not Path(source).is_file():
        raise BadInput(f"{where} has no file {source}: put the study where every worker finds it")
    if not source.endswith(".py") and source not in study_names():
        raise BadInput(
            f"{where} has cloudchamber {cloudchamber.__version__} without study {source!r}: install {version}"
        )
    study = load_study(source)
    if code_hash(study) != code:
        raise BadInput(
            f"{where} has cloudchamber {cloudchamber.__version__} with other simulators or another study {source!r} "
            f"than this client ({version}): install the same version on both and restart the workers"
        )
    return study


def _simulated(
    study: Study, origin: Origin, chunks: Sequence[Chunk], workers: int | None, scheduler: str | None
) -> Generator[tuple[Chunk, Arrays]]:
    """Every chunk with its arrays, in the order in which they are ready."""
    if scheduler is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        workers = min(workers or cores, len(chunks))
        if workers <= 1:
            for chunk in chunks:
                yield chunk, simulate_chunk(study, origin, chunk)
            return
    if chunks:
        with _client(workers, scheduler) as client:
            yield from _on_cluster(client, origin, chunks)


@contextlib.contextmanager
def _client(workers: int | None, scheduler: str | None) -> Iterator[Client]:
    """A client of the scheduler at that address, or of a cluster of ``workers`` processes that ends with the block."""
    from distributed import Client

    with _silent_dask(), contextlib.ExitStack() as ends:
        if scheduler is None:
            cluster = ends.enter_context(_local_cluster(workers))
            client = Client(cluster.scheduler_address, timeout=LOCAL_SECONDS, set_as_default=False)
        else:
            try:
                _shake_hands(scheduler)
                client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
            except Exception as error:  # what is no scheduler may answer with anything
                raise BadInput(
                    f"no Dask scheduler answers at {scheduler} within {CONNECT_SECONDS} s: "
                    "start one with `dask scheduler`"
                ) from error
        yield ends.enter_context(client)


@contextlib.contextmanager
def _silent_dask() -> Iterator[None]:
    """No log lines of distributed within the block: what matters is raised, and said in our words."""
    import distributed

    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] == distributed.__name__]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextlib.contextmanager
def _local_cluster(workers: int | None) -> Iterator[LocalCluster]:
    """Processes with one thread each, that leave Ctrl-C to this process."""
    from distributed import LocalCluster

    one_thread = dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None  # children inherit it
    try:
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
            env=one_thread,
        )
    finally:
        if in_main:
            signal.signal(signal.SIGINT, before)
    with cluster:
        yield cluster


def _shake_hands(address: str) -> None:
    """Greet a scheduler; any exception if it does not answer in ``CONNECT_SECONDS`` (``Client`` could wait forever)."""
    from distributed import Security
    from distributed.comm.core import connect

    async def greet() -> None:
        security = Security().get_connection_args("client")
        comm = await asyncio.wait_for(connect(address, timeout=CONNECT_SECONDS, **security), CONNECT_SECONDS)
        comm.abort()

    with concurrent.futures.ThreadPoolExecutor(1) as thread:  # this one may run an event loop of its own
        thread.submit(asyncio.run, greet()).result()


@contextlib.contextmanager
def _while_connected() -> Iterator[None]:
    from distributed.client import FutureCancelledError

    try:
        yield
    except (FutureCancelledError, OSError) as error:  # what distributed raises for a lost connection is an OSError
        raise BadInput("the Dask scheduler is gone; what is finished is kept, --resume goes on") from error


def _on_cluster(client: Client, origin: Origin, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, Arrays]]:
    """Chunks as they are done, a few a core at a time.

    A chunk whose worker dies is given to another by the scheduler, up to its ``allowed-failures`` (3) times.
    """
    from distributed import KilledWorker, as_completed

    waiting = iter(chunks)
    running: dict[Any, Chunk] = {}
    finished = as_completed(loop=client.loop)
    lonely = False
    while True:
        with _while_connected():
            cores = sum(client.nthreads().values())
            if not cores and not lonely:
                log.warning("the scheduler has no workers yet; waiting")
            lonely = not cores
            room = max(1, TASKS_PER_CORE * cores) - len(running)
            for chunk in itertools.islice(waiting, max(0, room)):
                future = client.submit(chunk_on_worker, origin, chunk, cloudchamber.__version__, pure=False)
                running[future] = chunk
                finished.add(future)
            if not running:
                return
            future = next(finished)
            chunk = running.pop(future)
            error = future.exception()
            arrays = future.result() if error is None else {}
        if isinstance(error, KilledWorker):
            raise BadInput(
                f"workers died again and again, at last one that held the records from {chunk.first}, perhaps for want "
                "of memory: give fewer workers or smaller chunks; what is finished is kept"
            ) from error
        if error is not None:
            raise error
        del future  # lets the workers forget the result
        yield chunk, arrays
