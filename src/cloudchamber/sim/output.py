"""Where a simulator may write: refused before anything is simulated."""

from __future__ import annotations

from pathlib import Path

from cloudchamber.schema import BadInput


def check_output(output: Path, suffixes: tuple[str, ...]) -> None:
    """BadInput for a file of another kind, that exists, or whose directory does not.

    Args:
        output: the file.
        suffixes: endings of names that can be written, such as ``(".h5", ".hdf5")``.
    """
    if output.suffix.lower() not in suffixes:
        raise BadInput(f"cannot write {output}: need a name that ends in {', '.join(suffixes)}", status=2)
    if output.exists():
        raise BadInput(f"file {output} exists, will not overwrite")
    if not output.parent.is_dir():
        raise BadInput(f"cannot write {output}: there is no directory {output.parent}")
