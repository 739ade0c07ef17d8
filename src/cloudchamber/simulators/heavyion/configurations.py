"""A user's nucleus from a file of nucleon positions, HDF5 or npz.

Layout as in TRENTo: one array (configuration, nucleon, xyz) in fm. In each collision one configuration is picked at
random and turned by a random rotation in three dimensions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput

from .nuclei import Nucleus

SUFFIXES = (".h5", ".hdf5", ".hdf", ".hd5", ".npz")
"""File names that are a user's nucleus."""
LARGEST = 100.0
"""Coordinates beyond this [fm] are a wrong unit."""


def is_configurations(name: str) -> bool:
    """Whether a projectile's name is a file of configurations."""
    return Path(name).suffix.lower() in SUFFIXES


def read_configurations(path: str | Path) -> Nucleus:
    """A nucleus from a file with exactly one array (configuration, nucleon, 3) in fm; Z is half of A.

    Args:
        path: HDF5 (.h5 .hdf5 .hdf .hd5) or .npz.

    Raises:
        BadInput: unreadable, more or less than one array, wrong shape, not finite, or coordinates beyond 100 fm.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"no such file of nucleon configurations: {path}")
    try:
        name, positions = _read_npz(path) if path.suffix.lower() == ".npz" else _read_hdf5(path)
    except BadInput:
        raise
    except Exception as error:  # the readers raise many kinds on damaged files
        raise BadInput(
            f"cannot read nucleon configurations from {path}: it is damaged, or not the kind of file that its name says"
        ) from error
    where = f"{path}: array {name!r}"
    if positions.ndim != 3 or positions.shape[2] != 3 or 0 in positions.shape:
        raise BadInput(f"{where}: expected shape (configuration, nucleon, 3) in fm, found {positions.shape}")
    if positions.dtype.kind not in "fiu":
        raise BadInput(f"{where}: expected numbers, found type {positions.dtype}")
    places: NDArray[np.float64] = positions.astype(np.float64)
    finite = np.isfinite(places)
    if not finite.all():
        raise BadInput(
            f"{where}: shape {positions.shape} with only {finite.mean():.3%} finite values: remove NaN and inf"
        )
    largest = float(np.abs(places).max())
    if largest > LARGEST:
        raise BadInput(f"{where}: a coordinate of {largest:g} fm: positions must be in fm")
    nucleons = positions.shape[1]
    return Nucleus(path.name, nucleons, nucleons // 2, kind="configurations", configurations=places, source=str(path))


def _read_npz(path: Path) -> tuple[str, NDArray[np.generic]]:
    """Name and content of the only array of an npz file."""
    with np.load(path, allow_pickle=False) as archive:
        if len(archive.files) != 1:
            raise BadInput(f"{path}: expected exactly one array, found {len(archive.files)}")
        return archive.files[0], archive[archive.files[0]]


def _read_hdf5(path: Path) -> tuple[str, NDArray[np.generic]]:
    """Name and content of the only data set of an HDF5 file."""
    import h5py

    with h5py.File(path, "r") as file:
        names = list(file)
        if len(names) != 1 or not isinstance(file[names[0]], h5py.Dataset):
            raise BadInput(f"{path}: expected exactly one data set at the top, found {len(names)} objects")
        return names[0], file[names[0]][()]
