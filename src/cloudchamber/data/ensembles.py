"""A statistic of very many skies on disk: made chunk by chunk, stopped at any time, gone on with, shared by machines.

A p-value of 2.87e-7 needs about 1e7 isotropic skies of a thousand cosmic rays, 160 GB that nobody has to keep: only the
statistic of each sky stays, and never more than one chunk of skies exists. Chunk c comes from
``numpy.random.SeedSequence(seed, spawn_key=(c,))`` alone, so that the ensemble does not depend on who made which chunk.

Conventions: one sealed HDF5 file a chunk (see ``data.shards``), ``000042.h5`` with the column ``statistic``, float64
(sky,), and the attributes key, seed and chunk. The key names what the statistic is, e.g. the fingerprint of a network's
weights and the configuration of the skies: two statistics never mix.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.columns import checked_columns
from cloudchamber.data.seal import is_sealed
from cloudchamber.data.shards import read_attributes, read_shard, write_shard
from cloudchamber.schema import Array, BadInput

log = logging.getLogger(__name__)

SCHEMA = {"statistic": Array("sky", "", "test statistic of each sky, larger is more signal-like", "float64")}

Statistic = Callable[[np.random.SeedSequence, int], NDArray[np.floating[Any]]]
"""Seeds and a number of skies to their statistic (sky,); all randomness comes from the seeds."""


def extend(
    directory: Path,
    key: str,
    n: int,
    chunk: int,
    seed: int,
    statistic: Statistic,
    progress: Callable[[int, int], None] | None = None,
    share: tuple[int, int] = (0, 1),
) -> int:
    """Make the chunks that are missing until there are at least ``n`` skies; a damaged chunk is made again.

    Args:
        directory: of this ensemble; it is made if it is not there.
        key: what the statistic is; any text.
        n: skies, rounded up to whole chunks.
        chunk: skies a chunk.
        seed: of the ensemble.
        statistic: makes one chunk.
        progress: called with the chunks of this share that are there, and their number.
        share: this process and the number of processes; it makes the chunks c with ``c % share[1] == share[0]``.

    Returns:
        How many chunks were made.

    Raises:
        BadInput: the directory holds another key, seed or chunk size; a statistic that is not one finite number a sky;
            a place that cannot be written.
    """
    if n < 1 or chunk < 1:
        raise BadInput(f"{n} skies in chunks of {chunk}: both must be at least 1")
    if not 0 <= share[0] < share[1]:
        raise BadInput(f"share {share[0]} of {share[1]}: shares are numbered from 0 to one less than their number")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot make {directory}: {error.strerror}") from error
    mine = range(share[0], -(-n // chunk), share[1])
    made = 0
    for done, number in enumerate(mine, start=1):
        path = directory / f"{number:06d}.h5"
        about = {"key": key, "seed": seed, "chunk": number, "skies": chunk}
        if not _there(path, about):
            values = np.asarray(statistic(np.random.SeedSequence(seed, spawn_key=(number,)), chunk))
            write_shard(path, checked_columns({"statistic": values}, SCHEMA, {}, chunk), SCHEMA, about)
            made += 1
        if progress is not None:
            progress(done, len(mine))
    return made


def read(directory: Path) -> NDArray[np.float64]:
    """The statistic of every sky there is (n,), in the order of the chunks; gaps are left by shares still at work.

    Raises:
        BadInput: no chunk, a damaged one, or chunks of several ensembles.
    """
    paths = sorted(path for path in directory.glob("*.h5") if re.fullmatch(r"\d{6,}\.h5", path.name))
    if not paths:
        raise BadInput(f"no skies in {directory}: make the ensemble first")
    values = [read_shard(path)["statistic"] for path in paths]
    first = _origin(read_attributes(paths[0]))
    for path in paths[1:]:
        if (found := _origin(read_attributes(path))) != first:
            raise BadInput(f"{path} is of another ensemble ({found}) than {paths[0].name} ({first}): remove one")
    return np.concatenate(values)


def _there(path: Path, about: dict[str, Any]) -> bool:
    """Whether the chunk is there and whole; BadInput if it belongs to another ensemble."""
    if not path.exists():
        return False
    try:
        whole = is_sealed(path)
    except BadInput:
        whole = False
    if not whole:
        log.warning("%s is damaged and is made again", path)
        return False
    found = read_attributes(path)
    if _origin(found) != _origin(about):
        raise BadInput(
            f"{path.parent} holds skies of another ensemble ({_origin(found)}), not of this one ({_origin(about)}): "
            "give another directory or remove it"
        )
    return True


def _origin(about: dict[str, Any]) -> str:
    return f"key {about.get('key')}, seed {about.get('seed')}, {about.get('skies')} skies a chunk"
