"""A directory for other programs: made whole or not at all, with metadata.json that says what its files mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from cloudchamber.run_directory import Run
from cloudchamber.schema import BadInput

OPSET = 20


def need(*packages: str) -> None:
    """BadInput if one of the packages of the extra is not installed."""
    for package in packages:
        if find_spec(package) is None:
            raise BadInput(f"package {package} is not installed: pip install 'cloudchamber[export]'")


@contextmanager
def new_export(output: Path) -> Iterator[Path]:
    """A directory to fill; it becomes ``output`` when the block ends well. PyTorch has one thread meanwhile.

    Raises:
        BadInput: the extra is missing, ``output`` exists or cannot be made.
    """
    need("onnx", "onnxruntime")
    if output.exists():
        raise BadInput(f"{output} exists, will not overwrite: remove it, or give another directory with -o")
    if not output.parent.is_dir():
        raise BadInput(f"cannot write {output}: there is no directory {output.parent}")
    with TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as scratch, one_thread():
        partial = Path(scratch) / "export"
        partial.mkdir()
        yield partial
        partial.rename(output)


def write_metadata(directory: Path, metadata: Mapping[str, Any]) -> None:
    """metadata.json, with the checksum of every file that is there."""
    sums = {file.name: sha256(file) for file in sorted(directory.iterdir())}
    text = json.dumps({**metadata, "sha256": sums}, indent=1, ensure_ascii=False)
    (directory / "metadata.json").write_text(text + "\n")


def origin_of(run: Run[Any]) -> dict[str, Any]:
    """What metadata.json says of the run."""
    known = {key: run.record[key] for key in ("study", "preset", "seed", "version", "commit")}
    about = {"run": run.path.resolve().name, "title": run.study.title, "config": run.config.model_dump(mode="json")}
    return known | about


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one thread, so that timings compare."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def plain(ones: Mapping[str, tuple[str, str, str]]) -> list[dict[str, str]]:
    """Inputs or outputs for JSON."""
    return [{"name": one, "axes": axes, "dtype": dtype, "doc": doc} for one, (axes, dtype, doc) in ones.items()]


def sha256(path: Path) -> str:
    """Of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
