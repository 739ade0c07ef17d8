"""Models that ship with the package: of a finished run, what new events by the generator of its headline number need.

``models/<study>/`` is a run directory without data, tables and report: ``config.json``, ``run.json``, ``STATUS``,
``checkpoints/``; besides ``card.md``, the model card, and ``sha256.txt``, the checksums of all other files as
``sha256sum`` writes them. They are compared before anything else reads the files. Nobody writes into such a directory.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cloudchamber.card import model_card
from cloudchamber.data.files import write_json, write_text
from cloudchamber.run_directory import FINISHED, Run, open_run, restored
from cloudchamber.schema import BadInput, did_you_mean
from cloudchamber.study import GeneratorStudy, Study, load_study, of_kind, study_names

MODELS = Path(__file__).parent / "models"
"""Where they lie."""
CARD, SUMS = "card.md", "sha256.txt"
LARGEST = 2 * 2**20
"""Bytes of a model."""
LEFT_OUT = ("*.ckpt", "history.csv")
"""Files of checkpoints that only training and reports read."""
PRIVATE = ("host", "command")
"""What run.json says of the machine of whoever trained."""


# --- for users --------------------------------------------------------------------------------------------------------


def shipped_models() -> dict[str, Path]:
    """The directory of every model that ships, by the name of its study."""
    return {path.name: path for path in sorted(MODELS.iterdir()) if path.is_dir()} if MODELS.is_dir() else {}


def run_or_model(given: Path, kind: type[Study], command: str, generator: str | None = None) -> Path:
    """The run directory that is meant: a path that exists, else the model that ships with the study of that name.

    Args:
        given: what the user gave.
        kind: of studies that the command is for.
        command: its name, for errors.
        generator: the one that is wanted; a model that ships has only that of the headline number.

    Raises:
        BadInput: neither (status 2), or a model that is damaged.
    """
    name = str(given)
    if given.exists() or len(given.parts) != 1:
        return checked(given) if (given / SUMS).exists() else given
    if name in shipped_models():
        headline = load_study(name).headline[0]
        if generator not in (None, headline):
            raise BadInput(f"the model that ships has generator {headline!r} only: leave --generator out", status=2)
        return checked(shipped_models()[name])
    if name in study_names():
        of_kind(load_study(name), kind, command)
        raise BadInput(
            f"no trained model of study {name!r} ships with cloudchamber: make one with `cloudchamber run {name}`, "
            "then give its run directory",
            status=2,
        )
    known = [*study_names(), *(path.parent.name for path in Path().glob("*/run.json"))]
    raise BadInput(f"{name!r} is neither a run directory nor a study{did_you_mean(name, known)}", status=2)


def shipped_card(study: str) -> str | None:
    """The model card of the model that ships with a study; None if there is no such model.

    Raises:
        BadInput: the model is damaged.
    """
    path = shipped_models().get(study)
    return None if path is None else (checked(path) / CARD).read_text(encoding="utf-8")


def checked(directory: Path) -> Path:
    """The directory of a model itself, if every file of it is as it was shipped.

    Raises:
        BadInput: one is missing or altered.
    """
    damaged = sorted(name for name, digest in _sums(directory).items() if _sha256(directory / name) != digest)
    if damaged:
        state = "is damaged" if (directory / damaged[0]).is_file() else "is missing"
        raise BadInput(
            f"the model of {directory.name} that ships with cloudchamber cannot be used, {damaged[0]} {state}: install "
            f"cloudchamber again, or copy {directory} anew"
        )
    return directory


def _sums(directory: Path) -> dict[str, str]:
    """Checksum by name of file, as ``sha256.txt`` says; that file itself has none where it is no such list."""
    try:
        lines = (directory / SUMS).read_text(encoding="utf-8").splitlines()
        found = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError):
        found = {}
    return found if "run.json" in found else {SUMS: "whole"}  # run.json is the last line: nothing is cut off


def _sha256(path: Path) -> str:
    """Of a file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


# --- for whoever publishes the package --------------------------------------------------------------------------------


def ship(path: Path, limits: Sequence[str] = (), models: Path = MODELS) -> Path:
    """Cut a finished run down to ``<models>/<study>/``, whole or not at all; see the module.

    Args:
        path: the run directory.
        limits: sentences of the model card on what the model cannot do, beside those that any run can say of itself.
        models: where it is put.

    Raises:
        BadInput: no finished run of a study of generators known by name; a model is there already, or would be too
            large.
    """
    run = open_run(path)
    study = of_kind(run.study, GeneratorStudy, "generate")
    output = models / study.name
    if not run.finished:
        raise BadInput(f"{path} is not finished: go on with `cloudchamber run --resume {path}`")
    if run.source != study.name:
        raise BadInput(f"{path} is of the file {run.source}: only a study that is installed has a model that ships")
    if output.exists():
        raise BadInput(f"{output} exists, will not overwrite: remove it")
    models.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{study.name}-", dir=models) as scratch:
        partial = Path(scratch) / study.name
        _cut_down(run, study.headline[0], partial)
        write_text(partial / CARD, model_card(run, limits))
        restored(open_run(partial), "cpu", study.headline[0])  # has all that it needs
        _seal(partial)
        partial.rename(output)
    return output


def _cut_down(run: Run[Any], generator: str, output: Path) -> None:
    """The files of a run that a generator, and those before it on which it may stand, are restored from."""
    output.mkdir()
    for name in restored(run, "cpu", generator):
        shutil.copytree(
            run.path / "checkpoints" / name, output / "checkpoints" / name, ignore=shutil.ignore_patterns(*LEFT_OUT)
        )
    shutil.copyfile(run.path / "config.json", output / "config.json")
    kept = {key: value for key, value in run.record.items() if key not in PRIVATE}
    own = run.record["data"]
    write_json(output / "run.json", {**kept, "data": own and Path(own).name, "run": run.path.resolve().name})
    write_text(output / "STATUS", FINISHED)


def _seal(directory: Path) -> None:
    """Write the checksums of all files, if they are not too large together."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files)
    if size > LARGEST:
        most = max(files, key=lambda path: path.stat().st_size)
        raise BadInput(
            f"{size / 2**20:.1f} MiB are too much for a model that ships (at most {LARGEST / 2**20:g}); the largest "
            f"file is {most.relative_to(directory)}: train a smaller one"
        )
    lines = (f"{_sha256(path)}  {path.relative_to(directory).as_posix()}\n" for path in files)
    write_text(directory / SUMS, "".join(lines))
