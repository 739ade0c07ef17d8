"""The worked example of CONTRIBUTING.md runs as it says, and its physicist's method wins as physics demands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_worked_example_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cloudchamber.cli", "run", "docs/examples/muon_lifetime.py", "--preset", "tiny"]
    assert "cloudchamber run docs/examples/muon_lifetime.py --preset tiny" in (ROOT / "CONTRIBUTING.md").read_text()
    done = subprocess.run(
        [*command, "--workers", "1", "--runs", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "muon-lifetime").iterdir()
    assert (run / "STATUS").read_text() == "finished\n"
    assert "muon" in (run / "report.html").read_text()
    rows = {row["predictor"]: row for row in json.loads((run / "metrics.json").read_text())["rows"]}
    # 200 decays tell a lifetime to about 7 % of 2.5 us; predicting the mean is wrong by 0.75 us on average
    assert rows["likelihood"]["value"] < 0.4 < rows["mean"]["value"]
