"""Where the home-made data sets of Geant4 lie: in the cache, written once (``simulators.hadronic.geant4_tables``)."""

from __future__ import annotations

from pathlib import Path

from cloudchamber.data.files import cache_directory, exclusive
from cloudchamber.simulators.hadronic.geant4_tables import write_tables


def home_made_tables() -> Path:
    """The directory; complete when this returns.

    Raises:
        BadInput: the cache cannot be written.
    """
    directory = cache_directory() / "geant4"
    if not (directory / "complete").exists():
        directory.mkdir(parents=True, exist_ok=True)
        with exclusive(directory, wait=True):
            write_tables(directory)
            (directory / "complete").touch()
    return directory
