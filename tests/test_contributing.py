"""What CONTRIBUTING.md teaches works: every command of its section on a study in one file, as it stands there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "src" / "cloudchamber" / "studies" / "photon_mean_free_path.py"
TAUGHT = [
    line.split("#")[0].strip()
    for block in re.findall(r"```\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.DOTALL)
    for line in block.splitlines()
]


def shell(command: str, directory: Path) -> str:
    """Run a line of CONTRIBUTING.md in a new directory: ``*`` is what the shell would find. Returns what it prints."""
    words = [
        str(found)
        for word in shlex.split(command)[1:]
        for found in (sorted(directory.glob(word)) if "*" in word else [word])
    ]
    done = subprocess.run(
        [sys.executable, "-m", "cloudchamber.cli", *words], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What every command printed, by its verb; they ran in the directory ``"where"``."""
    directory = tmp_path_factory.mktemp("taught")
    commands = [line for line in TAUGHT if line.startswith("cloudchamber ") and "mine.py" not in line]
    found = {command.split()[1]: shell(command, directory) for command in commands}
    return found | {"where": str(directory)}


def test_the_worked_example_is_shorter_than_a_hundred_lines() -> None:
    assert len(STUDY.read_text().splitlines()) < 100


def test_every_verb_is_taught(printed: dict[str, str]) -> None:
    assert {"list", "describe", "run", "evaluate", "explain", "report", "export"} <= printed.keys()
    assert "photon-mean-free-path" in printed["list"]
    assert "likelihood (baseline): maximum likelihood  <- cloudchamber.baselines.analytic" in printed["describe"]


def test_a_run_leaves_all_that_the_verbs_promise(printed: dict[str, str]) -> None:
    (run,) = (Path(printed["where"]) / "runs" / "photon-mean-free-path").iterdir()
    assert (run / "STATUS").read_text() == "finished\n"
    report = (run / "report.html").read_text()
    assert "maximum likelihood" in report
    assert "What they look at: influence" in report
    with h5py.File(run / "explanations" / "influence.h5") as file:
        # the deeper the photons, the longer the path, whoever is asked: the likelihood's influence only rises
        assert (np.diff(file["likelihood"][:]) > 0).all()
    metadata = json.loads((Path(printed["where"]) / "exported" / "metadata.json").read_text())
    assert metadata["targets"] == ["mean_free_path"]
    assert all(batch["largest_difference"] < 1e-4 for batch in metadata["parity"]["batches"])


def test_the_physicists_method_wins_as_physics_demands(printed: dict[str, str]) -> None:
    (run,) = (Path(printed["where"]) / "runs" / "photon-mean-free-path").iterdir()
    rows = {
        row["predictor"]: row["value"]
        for row in json.loads((run / "metrics.json").read_text())["rows"]
        if row["metric"] == "mae"
    }
    # 200 photons tell a path of 5 cm to about 0.6 cm; predicting the mean is wrong by 2.3 cm on average
    assert rows["likelihood"] < 1.2 < rows["mean"]


def test_a_copy_is_a_study_of_its_own(tmp_path: Path) -> None:
    shutil.copy(STUDY, tmp_path / "mine.py")
    text = (tmp_path / "mine.py").read_text().replace('name="photon-mean-free-path"', 'name="mine"')
    (tmp_path / "mine.py").write_text(text)
    shell("cloudchamber run mine.py --preset tiny --workers 1", tmp_path)
    assert (tmp_path / "runs" / "mine").is_dir()
