"""The numbers of the README and of the studies' pages are those of results/, and the README's commands work."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


def results_table() -> ModuleType:
    """The program."""
    spec = importlib.util.spec_from_file_location("results_table", ROOT / "docs" / "results_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_generator_is_best_that_can_be_told_least() -> None:
    """An AUC of 0.48 is as far from 0.5 as one of 0.52, and further than 0.501."""
    auc = {"close": 0.501, "below": 0.48, "above": 0.53, "again": 0.5}
    metrics = {
        "study": "hadronic-interactions", "preset": "standard", "seed": 1, "hardware": "a core",
        "wall_s": {"simulate": 60, "train": 60}, "version": "1", "commit": "abc", "date": "2026-01-01",
        "predictors": {name: {"title": name, "kind": "floor" if name == "again" else "network"} for name in auc},
        "rows": [
            {"predictor": name, "sample": "test", "target": "all", "metric": metric, "value": value, "error": 0.01,
             "n": 9}
            for name, value in auc.items()
            for metric in ("auc", "auc_particles", "mean_w1_over_sigma")
        ],
    }  # fmt: skip
    lines = {line.split(" | ")[0].strip("| "): line for line in results_table().table(metrics).splitlines()}
    assert lines["close"].count("**0.501 ± 0.010**") == 2
    assert lines["below"].count("**") == 2  # the smallest distance only
    assert "**" not in lines["above"] + lines["again"]


def test_the_tables_are_made_from_results() -> None:
    files = results_table().filled()
    assert {path.stem for path in files} == {"README", *(path.stem for path in (ROOT / "results").glob("*.json"))}
    for path, text in files.items():
        assert text == path.read_text(), f"{path}: run python docs/results_table.py"
    assert "| SE-ResNet-34, with size |" in files[ROOT / "docs" / "studies" / "nuclear-shape.md"]


def test_the_readmes_make_commands_are_in_the_makefile() -> None:
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert f"make {target}" in readme
        assert f"\n{target}:" in makefile


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL))
def test_the_python_of_the_readme_runs_and_prints_numbers(block: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d\.\d", done.stdout)
