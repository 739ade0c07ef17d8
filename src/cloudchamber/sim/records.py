"""Records of a study as a file: simulated by the farm in chunks that stay in the cache.

The same command goes on where it stopped.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudchamber.schema import BadInput
from cloudchamber.sim.output import check_output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudchamber.data.store import Dataset

SUFFIXES = (".h5", ".hdf5")


def check_request(output: Path, number: int, what: str, random_seed: int) -> None:
    """BadInput for a file that cannot be written, and for numbers that are none.

    Args:
        output: the file.
        number: how many are wanted.
        what: they are, such as "showers".
        random_seed: of their simulation.
    """
    check_output(output, SUFFIXES)
    if number < 1:
        raise BadInput(f"{number} {what}: give at least 1", status=2)
    if random_seed < 0:
        raise BadInput(f"random seed {random_seed}: need a whole number of at least 0", status=2)


def write_records(
    source: str,
    settings: Mapping[str, Any],
    output: Path,
    number: int,
    random_seed: int,
    workers: int | None,
    scheduler: str | None,
) -> Dataset:
    """Simulate records, with other settings those of the preset ``standard``, and write them.

    Args:
        source: the study's name, or its file.
        settings: that differ from the preset's.
        output: the file.
        number: how many records.
        random_seed: the same one gives the same records.
        workers: processes that simulate; None for every core.
        scheduler: address of a running Dask scheduler instead.

    Returns:
        The records, from the cache.

    Raises:
        BadInput: impossible settings, an interruption, or a full disk.
    """
    from cloudchamber import farm
    from cloudchamber.data.store import write_file
    from cloudchamber.study import load_study
    from cloudchamber.terminal import watched

    study = load_study(source)
    config = study.data_config(study.preset("standard").changed(settings))
    try:
        with watched("simulating") as progress:
            dataset = farm.simulate(
                study, config, number, random_seed, study_source=source, workers=workers, scheduler=scheduler,
                progress=progress,
            )  # fmt: skip
    except KeyboardInterrupt:
        raise BadInput("interrupted; what is finished is kept, and the same command goes on with the rest") from None
    write_file(dataset, output)
    return dataset
