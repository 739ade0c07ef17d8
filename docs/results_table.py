"""Write tables of measured numbers from results/ into the README and the studies' pages; a test checks them.

Command: ``python docs/results_table.py``.

A study that learns has an entry in COLUMNS, RECORDS and DUELS; one that validates a simulator (its results name checks)
only in DUELS, with one subject instead of two learners.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np

from cloudchamber.report.validation import met, plain, said_criterion, said_value, said_verdict, validation_of

ROOT = Path(__file__).parents[1]
START, END = "<!-- {}: made by docs/results_table.py -->", "<!-- end of results -->"
COLUMNS = {
    "nuclear-shape": (
        ("test", "abs_beta2", "r2", "R² of abs(β2)"),
        ("test", "abs_beta2", "mae", "MAE of abs(β2)"),
        ("test", "abs_beta4", "r2", "R² of abs(β4)"),
        ("test", "beta2", "r2", "R² of signed β2"),
        ("test", "beta2", "sign_accuracy", "sign of β2 right"),
    ),
    "cosmic-ray-sources": (
        ("test", "signal", "auc", "AUC"),
        ("helium", "signal", "signal_needed", "5σ: minimal, He"),
        ("mixed", "signal", "signal_needed", "5σ: minimal, mixed"),
        ("jf12-helium", "signal", "signal_needed", "5σ: JF12, He"),
        ("jf12-mixed", "signal", "signal_needed", "5σ: JF12, mixed"),
        ("test", "source", "angular_distance", "angle to the source [°]"),
    ),
    "cosmic-ray-universe": (
        ("test", "signal", "auc", "AUC"),
        ("sources-250", "signal", "median_sigma", "σ: 250 sources"),
        ("density-1e-4", "signal", "median_sigma", "σ: 1e-4 / Mpc³"),
        ("density-1e-3", "signal", "median_sigma", "σ: 1e-3 / Mpc³"),
        ("density-1e-3", "signal", "auc", "AUC: 1e-3 / Mpc³"),
        ("density-1e-2", "signal", "auc", "AUC: 1e-2 / Mpc³"),
    ),
    "hadronic-interactions": (
        ("test", "all", "auc", "AUC, observables"),
        ("test", "all", "auc_particles", "AUC, all particles"),
        ("test", "all", "mean_w1_over_sigma", "mean W1/σ"),
        ("test", "all", "correlation_difference", "largest Δ correlation"),
        ("test", "charge", "violation_rate", "charge violated"),
        ("test", "energy_momentum", "largest_violation", "energy, momentum off by [GeV]"),
        ("test", "all", "nearest_neighbour_ratio", "neighbour ratio"),
    ),
    "hadronic-materials": (
        ("test", "all", "auc", "AUC, observables"),
        ("test", "all", "auc_particles", "AUC, all particles"),
        ("test", "all", "mean_w1_over_sigma", "mean W1/σ"),
        ("grid", "all", "auc", "AUC, grid"),
        ("grid", "all", "mean_w1_over_sigma", "mean W1/σ, grid"),
        ("test", "charge", "violation_rate", "charge violated"),
        ("test", "energy_momentum", "largest_violation", "energy, momentum off by [GeV]"),
    ),
    "transport-emulator": (
        ("test", "all", "mean_w1_over_sigma", "mean W1/σ"),
        ("test", "main channel", "mean_w1_over_sigma", "at 62 MeV/u"),
        ("test", "other energies", "mean_w1_over_sigma", "other energies"),
        ("test", "other nuclei", "mean_w1_over_sigma", "other nuclei"),
        ("test", "all", "auc", "AUC, observables"),
        ("test", "energy", "largest_violation", "energy off by [MeV]"),
        ("test", "all", "nearest_neighbour_ratio", "neighbour ratio"),
        ("test", "all", "mean_abs_log_ratio_to_truth", "isotopes: mean abs(ln(made / simulated))"),
    ),
    "shower-reconstruction": (
        ("test", "all", "angular_resolution", "angle, 68 % [°]"),
        ("test", "lgE 18.5-19.0", "angular_resolution", "lgE 18.5 to 19"),
        ("test", "lgE 19.0-19.5", "angular_resolution", "19 to 19.5"),
        ("test", "lgE 19.5-20.0", "angular_resolution", "19.5 to 20"),
        ("test", "all", "core_resolution", "core, 68 % [m]"),
        ("test", "all", "energy_resolution", "energy, 68 %"),
        ("test", "all", "xmax_resolution", "Xmax, rms [g/cm²]"),
        ("test", "lg_energy", "coverage_68", "energy within 1σ"),
    ),
    "radio-denoising": (
        ("test", "fluence", "bias", "energy bias"),
        ("test", "fluence", "resolution", "energy resolution"),
        ("test", "pulse", "efficiency", "pulses found"),
        ("noise", "pulse", "false_positive_rate", "false pulses on noise"),
        ("test", "signal", "coherence", "coherence"),
        ("test", "peak_time", "resolution", "peak time [ns]"),
    ),
    "function-fit": (
        ("inside", "y", "rmse", "RMSE inside"),
        ("outside", "y", "rmse", "RMSE outside"),
        ("inside", "y", "coverage_68", "within 1σ, inside"),
        ("outside", "y", "coverage_68", "within 1σ, outside"),
        ("test", "y", "rmse", "RMSE, test points"),
    ),
    "photon-mean-free-path": (
        ("test", "mean_free_path", "mae", "mean absolute error [cm]"),
        ("test", "mean_free_path", "r2", "R²"),
        ("test", "mean_free_path", "coverage_68", "coverage of 68 % intervals"),
    ),
}
AUC = "AUC against Geant4 (0.5: none can tell)"
DUELS = {
    "nuclear-shape": ("R² of abs(β2)", "test", "abs_beta2", "r2", "se_resnet_size", "template_size"),
    "cosmic-ray-sources": (
        "signal cosmic rays of 1000 for 5σ", "helium", "signal", "signal_needed", "deepsphere", "likelihood"
    ),
    "cosmic-ray-universe": (
        "σ of the median sky, 1e-4 sources / Mpc³", "density-1e-4", "signal", "median_sigma", "graph", "template"
    ),
    "hadronic-interactions": (AUC, "test", "all", "auc", "flow", "parametrisation"),
    "hadronic-materials": (AUC, "test", "all", "auc", "flow", "parametrisation"),
    "photon-mean-free-path": (
        "mean absolute error [cm]", "test", "mean_free_path", "mae", "network", "likelihood"
    ),
    "shower-reconstruction": (
        "68 % angular resolution [°]", "test", "all", "angular_resolution", "graph", "standard"
    ),
    "radio-denoising": ("energy resolution, SNR above 3", "test", "fluence", "resolution", "denoiser", "notch"),
    "function-fit": (
        "root mean square error between the points", "inside", "y", "rmse", "network", "gaussian_process"
    ),
    "transport-emulator": (
        "mean W1/σ of observables and spectra", "test", "all", "mean_w1_over_sigma", "flow", "resampling"
    ),
    "transport": (
        "mean of abs(ln(simulated / measured)), 139 points of ten isotopes", "data", "all", "mean_abs_log_ratio",
        "langevin",
    ),
}  # fmt: skip
"""What the README says of a study: the measure, its place in the table (sample or check, target, metric), and whose
numbers: the network's and the physicist's method's, or the subject's of a validation."""
RECORDS = {
    "nuclear-shape": "hold-out shapes",
    "cosmic-ray-sources": "hold-out skies",
    "cosmic-ray-universe": "hold-out skies",
    "hadronic-interactions": "hold-out interactions",
    "hadronic-materials": "hold-out interactions",
    "shower-reconstruction": "hold-out showers",
    "radio-denoising": "hold-out traces",
    "function-fit": "hold-out points, 400 exact values inside and outside",
    "photon-mean-free-path": "hold-out beams",
    "transport-emulator": "hold-out collisions",
}
SMALLER_IS_BETTER = (
    "mae", "rmse", "signal_needed", "angular_distance", "mean_w1_over_sigma", "correlation_difference",
    "resolution", "angular_resolution", "core_resolution", "energy_resolution", "xmax_resolution",
)  # fmt: skip
NO_WINNER = (
    "violation_rate", "largest_violation", "nearest_neighbour_ratio", "coverage_68", "mean_abs_log_ratio_to_truth",
    "bias", "false_positive_rate",
)  # fmt: skip
"""Many reach the best value, or the best is not the smallest or largest."""
DIGITS = {
    "false_positive_rate": 4,
    "core_resolution": 1,
    "xmax_resolution": 1,
    "signal_needed": 1,
    "angular_distance": 1,
    "median_sigma": 1,
}

BOUNDS = ("matched_true",)
"""They read the truth: no rivals."""


def cell(row: dict | None) -> str:
    """``0.982 ± 0.003``; a dash for what was not measured."""
    if row is None or row["value"] is None:
        return "–"
    if row["metric"] == "largest_violation":
        return f"{row['value']:.0e}"
    digits = DIGITS.get(row["metric"], 3)
    error = "" if row["error"] is None else f" ± {row['error']:.{digits}f}"
    return f"{row['value']:.{digits}f}{error}"


def badness(target: str, metric: str, value: float) -> float:
    """What is smallest for the best value; a generator's AUC is best at 0.5, above and below which it can be told."""
    if target == "all" and metric.startswith("auc"):
        return abs(value - 0.5)
    return value if metric in SMALLER_IS_BETTER else -value


def checks_table(metrics: dict) -> str:
    """The numbers of a validation as a Markdown table, check by check, each with its criterion."""
    validation = validation_of(metrics, Path(f"{metrics['study']}.json"))
    lines = ["| check | quantity | subject | value | criterion | |", "|---|---|---|---|---|---|"]
    for check, title in validation.checks.items():
        for number, row in enumerate(validation.of(check)):
            verdict = said_verdict(row)
            cells = [
                "" if number else title, f"{plain(row['target'])}: {plain(row['metric'])}", validation.subject(row),
                said_value(row), said_criterion(row), f"**{verdict}**" if verdict == "FAIL" else verdict,
            ]  # fmt: skip
            lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    good, judged = met(validation.rows)
    wall = metrics["wall_s"]
    return "\n".join(
        [
            *lines,
            "",
            (
                f"`{metrics['study']}`, preset `{metrics['preset']}`, seed {metrics['seed']}: {good} of {judged} "
                f"criteria met. {metrics['hardware']}: {wall['simulate'] / 60:.0f} min of simulation, "
                f"{wall['check'] / 60:.0f} min of checks. Version {metrics['version']}, "
                f"commit {metrics['commit']}, {metrics['date']}. {metrics.get('note', '')}".strip()
            ),
        ]
    )


def table(metrics: dict) -> str:
    """The numbers of one study as a Markdown table; of those that learn the best of each column in bold."""
    if "checks" in metrics:
        return checks_table(metrics)
    columns = COLUMNS[metrics["study"]]
    rows = {(r["predictor"], r["sample"], r["target"], r["metric"]): r for r in metrics["rows"]}
    best = {}
    for sample, target, metric, _ in columns:
        # the floor of generators is the truth again, and no rival; of predictors it is the worst
        smaller = metric in SMALLER_IS_BETTER or target == "all"
        rivals = [
            name for name, card in metrics["predictors"].items()
            if not (smaller and card["kind"] == "floor") and name not in BOUNDS
        ]  # fmt: skip
        known = [rows.get((name, sample, target, metric)) for name in rivals]
        values = [row["value"] for row in known if row is not None and row["value"] is not None]
        if metric not in NO_WINNER:
            rank = partial(badness, target, metric)
            best[sample, target, metric] = min(values, key=rank, default=None)
    titles = [title for *_, title in columns]
    lines = ["| predictor | " + " | ".join(titles) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, card in metrics["predictors"].items():
        cells = []
        for sample, target, metric, _ in columns:
            row = rows.get((name, sample, target, metric))
            text = cell(row)
            winner = row is not None and row["value"] is not None and row["value"] == best.get((sample, target, metric))
            cells.append(f"**{text}**" if winner else text)
        lines.append(f"| {card['title']} | " + " | ".join(cells) + " |")
    wall = metrics["wall_s"]
    # a search's AUC counts isotropic skies of other samples too, its error of the fraction the test skies only
    tested = [row for row in rows.values() if row["sample"] == "test"]
    test = next((row for row in tested if row["target"] == "signal_fraction"), tested[0])
    lines += [
        "",
        (
            f"`{metrics['study']}`, preset `{metrics['preset']}`, seed {metrics['seed']}, "
            f"{test['n']} {RECORDS[metrics['study']]} (errors: bootstrap over them), {metrics['hardware']}: "
            f"{wall['simulate'] / 60:.0f} min of simulation, {wall['train'] / 60:.0f} min of training. "
            f"Version {metrics['version']}, commit {metrics['commit']}, {metrics['date']}."
        ),
    ]
    return "\n".join(lines)


def winner(known: list[dict]) -> dict | None:
    """The better of two rows, if it is better by more than both errors together; else none."""
    first, second = sorted(known, key=lambda row: badness(row["target"], row["metric"], row["value"]))
    apart = abs(first["value"] - second["value"])
    return first if apart > np.hypot(first["error"], second["error"]) else None


def summary(results: dict[str, dict]) -> str:
    """One line a study: the measure, the network's number and the physicist's, the better in bold unless they tie.

    Validations of simulators have a table of their own behind it, if there are any.
    """
    validations = {name: metrics for name, metrics in results.items() if "checks" in metrics}
    lines = ["| study | measured | network | physicist's method | floor |", "|---|---|---|---|---|"]
    for name, metrics in results.items():
        if name in validations:
            continue
        measure, sample, target, metric, *duel = DUELS[name]
        rows = {(r["predictor"], r["sample"], r["target"], r["metric"]): r for r in metrics["rows"]}
        known = [rows[one, sample, target, metric] for one in duel]
        best = winner(known)
        cells = [
            f"{metrics['predictors'][row['predictor']]['title']}: " + (f"**{cell(row)}**" if row is best else cell(row))
            for row in known
        ]
        floor = next((n for n, card in metrics["predictors"].items() if card["kind"] == "floor"), "")
        cells.append(cell(rows.get((floor, sample, target, metric))))
        lines.append(f"| [`{name}`](docs/studies/{name}.md) | {measure} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, *(["", *summary_of_validations(validations)] if validations else [])])


def summary_of_validations(results: dict[str, dict]) -> list[str]:
    """One line a simulator: the measure, its number, what was demanded, and how many of all criteria are met."""
    lines = ["| simulator validated by | measured | value | criterion | criteria met |", "|---|---|---|---|---|"]
    for name, metrics in results.items():
        measure, check, target, metric, subject = DUELS[name]
        validation = validation_of(metrics, Path(f"{name}.json"))
        row = validation.row(check, subject, target, metric)
        good, judged = met(validation.rows)
        cells = [
            f"[`{name}`](docs/studies/{name}.md)", measure, f"{validation.subject(row)}: {said_value(row)}",
            f"{said_criterion(row)}: {said_verdict(row)}" if said_criterion(row) else "–", f"{good} of {judged}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def put(text: str, mark: str, content: str) -> str:
    """The text with new content between its pair of marks."""
    before, rest = text.split(START.format(mark))
    return f"{before}{START.format(mark)}\n{content}\n{END}{rest.split(END, 1)[1]}"


def filled() -> dict[Path, str]:
    """Every file with tables, with its tables made anew."""
    results = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "results").glob("*.json"))}
    files = {ROOT / "README.md": put((ROOT / "README.md").read_text(), "studies", summary(results))}
    for name, metrics in results.items():
        page = ROOT / "docs" / "studies" / f"{name}.md"
        files[page] = put(page.read_text(), name, table(metrics))
    return files


if __name__ == "__main__":
    for path, text in filled().items():
        path.write_text(text)
