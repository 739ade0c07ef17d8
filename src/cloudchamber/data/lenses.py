"""Lenses of the Galactic magnetic field on disk, made once.

Conventions: one sealed HDF5 file a lens under ``cache_directory()/lenses``, named by field, nside and a fingerprint of
rigidities and seed; ``version`` in it is that of the physics (``lens.LENS_VERSION``).
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.files import cache_directory, exclusive
from cloudchamber.data.shards import read_attributes, read_shard, write_shard
from cloudchamber.schema import Array, BadInput, fingerprint
from cloudchamber.simulators.cosmicrays.lens import LENS_VERSION, Lens, check_lens, make_lens

log = logging.getLogger(__name__)

SCHEMA = {
    "rigidities": Array("bin", "EV", "rigidity of the bin", "float64", low=0),
    "outside": Array("bin pixel xyz", "", "direction outside the Galaxy, nested pixels", low=-1.001, high=1.001),
}


def cached_lens(field: str, nside: int, rigidities: NDArray[np.float64], seed: int = 0) -> Lens:
    """``make_lens``, from the cache if it is there, whole, and of this version.

    Another version or a damaged file is reported in one line of the log and made anew; the old file stays until the
    new one is complete. Two processes that want the same lens make it once.

    Raises:
        BadInput: unknown field, nside or rigidities that cannot be; the cache cannot be written or the disk is full.
    """
    grid = check_lens(field, nside, rigidities)
    directory = cache_directory() / "lenses"
    path = directory / f"{field}-{nside}-{fingerprint([grid.tolist(), seed])}.h5"
    about = {"field": field, "nside": nside, "seed": str(seed), "version": LENS_VERSION}
    lens = _stored(path, about, grid)
    if lens is not None:
        return lens
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot write {directory} ({error.strerror}): set CLOUDCHAMBER_CACHE") from error
    with exclusive(directory, wait=True):
        lens = _stored(path, about, grid, quiet=True)  # another process may have made it meanwhile
        if lens is None:
            lens = make_lens(field, nside, grid, seed)
            write_shard(path, {"rigidities": lens.rigidities, "outside": lens.outside}, SCHEMA, about)
    return lens


def _stored(path: Path, about: dict[str, Any], grid: NDArray[np.float64], *, quiet: bool = False) -> Lens | None:
    """The lens in the file; None if there is none or not this one, and why not in the log (unless ``quiet``)."""
    if not path.exists():
        return None
    try:
        arrays = read_shard(path)
        found = read_attributes(path)
        if found.get("version") != about["version"]:
            raise BadInput(f"{path} is of lens version {found.get('version')}, not {about['version']}")
        if not about.items() <= found.items() or not np.array_equal(arrays["rigidities"], grid):
            raise BadInput(f"{path} is not what its name says")
    except BadInput as error:
        if not quiet:
            log.warning("%s; making the lens again", error)
        return None
    return Lens(about["field"], about["nside"], arrays["rigidities"], arrays["outside"])
