"""The README's numbers are those of results/, and its commands exist."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_table_is_made_from_results() -> None:
    spec = importlib.util.spec_from_file_location("results_table", ROOT / "docs" / "results_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    readme = (ROOT / "README.md").read_text()
    for path in (ROOT / "results").glob("*.json"):
        assert f"`{path.stem}`, preset `standard`" in readme
    assert "| SE-ResNet-34, with size |" in readme
    assert module.filled(readme) == readme, "run python docs/results_table.py"


def test_the_two_commands() -> None:
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target}" in readme
        assert f"\n{target}:" in makefile
