"""The example in which Geant4 takes the generator's particles instead of its model's."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "hadronic_generator" / "in_geant4.py"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("geant4_pybind") is None, reason="needs the extra geant4")
@pytest.mark.parametrize("target", ["H", "C"])
def test_the_example_prints_geant4_beside_the_generator(exported: Path, target: str) -> None:
    words = [sys.executable, str(EXAMPLE), str(exported), "pi+", target, "25", "4", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    heading, *rows = done.stdout.splitlines()
    assert heading.split()[-2:] == ["Geant4", "generator"]
    assert len(rows) == 5
    for row in rows:
        means = [float(mean) for mean in re.findall(r"([\d.]+) \+- [\d.]+", row)]
        assert len(means) == 2
    assert all(float(mean) >= 2 for mean in re.findall(r"([\d.]+) \+-", rows[0]))
