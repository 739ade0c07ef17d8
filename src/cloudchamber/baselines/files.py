"""The state of a baseline on disk: plain arrays in one ``.npz``, no pickle."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cloudchamber.data.files import replacing
from cloudchamber.data.samples import Inputs, Samples
from cloudchamber.schema import Arrays, BadInput

CHUNK = 256
"""Inputs that are held in memory at a time."""


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write ``arrays`` under a temporary name and rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_arrays(path: Path) -> Arrays:
    """The arrays of ``path``.

    Raises:
        BadInput: no such file, or not one of ours.
    """
    try:
        # numpy leaves a truncated file open that it has opened itself
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} holds no fitted baseline ({error}): fit it again") from None


def gather(samples: Samples, function: Callable[[Inputs], Inputs]) -> Inputs:
    """``function`` of the inputs of all ``samples``, in order, reading a limited number at a time."""
    if len(samples) == 0:
        raise BadInput("0 records: a baseline needs some")
    starts = range(0, len(samples), CHUNK)
    return np.concatenate(
        [function(samples.inputs(range(start, min(start + CHUNK, len(samples))))) for start in starts]
    )
