"""Write the README's table of studies from results/ (``python docs/results_table.py``; a test checks it)."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
START, END = "<!-- results: made by docs/results_table.py -->", "<!-- end of results -->"
COLUMNS = {
    "nuclear-shape": (
        ("abs_beta2", "r2", "R² of abs(β2)"),
        ("abs_beta2", "mae", "MAE of abs(β2)"),
        ("abs_beta4", "r2", "R² of abs(β4)"),
        ("beta2", "r2", "R² of signed β2"),
        ("beta2", "sign_accuracy", "sign of β2 right"),
    )
}
SMALLER_IS_BETTER = ("mae",)


def table(metrics: dict) -> str:
    """The test sample's numbers of one study as a Markdown table; the best of each column in bold."""
    columns = COLUMNS[metrics["study"]]
    rows = {(r["predictor"], r["target"], r["metric"]): r for r in metrics["rows"] if r["sample"] == "test"}
    best = {}
    for target, metric, _ in columns:
        values = [rows[name, target, metric]["value"] for name in metrics["predictors"]]
        best[target, metric] = min(values) if metric in SMALLER_IS_BETTER else max(values)
    lines = ["| predictor | " + " | ".join(title for _, _, title in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, card in metrics["predictors"].items():
        cells = []
        for target, metric, _ in columns:
            row = rows[name, target, metric]
            text = f"{row['value']:.3f} ± {row['error']:.3f}"
            cells.append(f"**{text}**" if row["value"] == best[target, metric] else text)
        lines.append(f"| {card['title']} | " + " | ".join(cells) + " |")
    wall = metrics["wall_s"]
    lines += [
        "",
        (
            f"`{metrics['study']}`, preset `{metrics['preset']}`, seed {metrics['seed']}, "
            f"{next(iter(rows.values()))['n']} hold-out shapes (errors: bootstrap over them), {metrics['hardware']}: "
            f"{wall['simulate'] / 60:.0f} min of simulation, {wall['train'] / 60:.0f} min of training. "
            f"Version {metrics['version']}, commit {metrics['commit']}, {metrics['date']}."
        ),
    ]
    return "\n".join(lines)


def filled(readme: str) -> str:
    """The README with its table made anew."""
    before, rest = readme.split(START)
    after = rest.split(END)[1]
    tables = [table(json.loads(path.read_text())) for path in sorted((ROOT / "results").glob("*.json"))]
    return before + START + "\n" + "\n\n".join(tables) + "\n" + END + after


if __name__ == "__main__":
    (ROOT / "README.md").write_text(filled((ROOT / "README.md").read_text()))
