"""The road of a study that validates a simulator: run, a check that fails, verdicts, and the verbs that do not fit."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cloudchamber import card
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.rows import row
from cloudchamber.report.validation import read_validation
from cloudchamber.run import travel
from cloudchamber.run_directory import Resources, Run, new_run, open_run, read_metrics
from cloudchamber.schema import BadInput
from cloudchamber.study import Check, CheckResult, ValidationStudy, load_study

BEAMS = str(Path(__file__).with_name("validation_study.py"))
HERE = Resources(workers=1)


def new_beams(home: Path, **settings: Any) -> Run[ValidationStudy]:
    return new_run(BEAMS, preset="tiny", runs=home, settings=settings)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run. Not to be changed: copy it."""
    home = tmp_path_factory.mktemp("beams")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDCHAMBER_CACHE", str(home / "cache"))
        return travel(new_beams(home / "runs"), HERE).path


def with_check(run: Run[ValidationStudy], *rows: dict[str, Any]) -> Run[ValidationStudy]:
    """The run of a study with one check, which finds those rows."""
    checks = {"only": Check("the only one", lambda *_: CheckResult(rows))}
    return replace(run, study=replace(run.study, checks=checks))


def test_a_run_leaves_rows_and_arrays_of_every_check(finished: Path) -> None:
    assert (finished / "STATUS").read_text() == "finished\n"
    metrics, record = read_metrics(finished), json.loads((finished / "run.json").read_text())
    assert metrics["predictors"]["dense"] == {"title": "simulated, dense", "kind": "subject"}
    assert list(metrics["checks"]) == ["conservation", "exponential", "data"]
    assert metrics["checks"] == record["checks"]
    assert all(one["wall_s"] >= 0 for one in record["checks"].values())
    assert record["wall_s"].keys() == {"simulate", "gallery", "check"}
    for name in metrics["checks"]:
        kept = json.loads((finished / "checks" / f"{name}.json").read_text())
        assert kept["rows"] == [one for one in metrics["rows"] if one["sample"] == name] != []
    with h5py.File(finished / "checks" / "exponential.h5") as file:
        assert file["counts"][:].sum() == pytest.approx(40 * 200, rel=0.02)
    with h5py.File(finished / "gallery.h5") as file:
        assert file["depth"].shape == (200,)
    assert not (finished / "checkpoints").exists()


def test_only_rows_with_a_criterion_have_bounds(finished: Path) -> None:
    rows = {(one["sample"], one["predictor"], one["metric"]): one for one in read_metrics(finished)["rows"]}
    assert rows["conservation", "simulated", "largest_violation"]["high"] == 1e-12
    assert rows["conservation", "simulated", "largest_violation"]["low"] is None
    assert rows["conservation", "simulated", "largest_violation"]["error"] is None  # it is exact, and JSON has no nan
    assert "low" not in rows["data", "measured", "fraction"]
    assert all(one["floor"] is None for one in rows.values())


def test_a_run_of_predictors_has_no_columns_of_a_validation(toy_run: Path) -> None:
    metrics = read_metrics(toy_run)
    assert "checks" not in metrics
    assert all("low" not in one and "high" not in one for one in metrics["rows"])


def test_a_run_goes_on_with_the_check_that_failed(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("TOY_STOP", "exponential")
    run = new_beams(tmp_path / "runs")
    with pytest.raises(RuntimeError, match="exponential stops here"):
        travel(run, HERE)
    assert (run.path / "STATUS").read_text() == "failed: RuntimeError: exponential stops here\n"
    assert {file.name for file in (run.path / "checks").iterdir()} == {"conservation.json", "conservation.h5"}
    assert list(json.loads((run.path / "run.json").read_text())["checks"]) == ["conservation"]
    assert not (run.path / "metrics.json").exists()
    monkeypatch.delenv("TOY_STOP")
    travel(open_run(run.path), HERE)
    assert (tmp_path / "journal").read_text().split() == ["conservation", "exponential", "exponential", "data"]
    assert read_metrics(run.path)["rows"] == read_metrics(finished)["rows"]
    assert open_run(run.path).finished


def test_a_check_draws_the_same_numbers_whatever_stands_before_it(finished: Path, tmp_path: Path) -> None:
    run = new_beams(tmp_path)
    alone = replace(run, study=replace(run.study, checks={"exponential": run.study.checks["exponential"]}))
    rows = read_metrics(travel(alone, HERE).path)["rows"]
    assert rows == [one for one in read_metrics(finished)["rows"] if one["sample"] == "exponential"]


def test_checks_and_seeds_have_random_numbers_of_their_own(tmp_path: Path) -> None:
    def draw(*given: Any) -> CheckResult:
        number = np.random.default_rng(given[3]).random()
        return CheckResult([row("simulated", "number", "drawn", Measured(number, 0.0, 1))])

    drawn = []
    for seed in (1, 2):
        run = new_run(BEAMS, preset="tiny", runs=tmp_path, seed=seed)
        checks = {name: Check(name, draw) for name in ("one", "two")}
        run = travel(replace(run, study=replace(run.study, checks=checks)), HERE)
        drawn += [one["value"] for one in read_metrics(run.path)["rows"]]
    assert len(set(drawn)) == 4


def test_checks_are_not_kept_for_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_STOP", "data")
    run = new_beams(tmp_path)
    with pytest.raises(RuntimeError):
        travel(run, HERE)
    config = json.loads((run.path / "config.json").read_text()) | {"photons": 100}
    (run.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="its data have changed since it began"):
        travel(open_run(run.path), HERE)


def test_rows_of_strangers_and_rows_twice_are_refused_by_name(tmp_path: Path) -> None:
    one = row("simulated", "depth", "mean", Measured(1.0, 0.1, 3))
    for rows, message in (
        ([one | {"predictor": "simulatd"}], "check 'only': a row of 'simulatd', .* did you mean 'simulated'"),
        ([one, one], "check 'only': two rows of simulated, depth, mean"),
    ):
        run = with_check(new_beams(tmp_path), *rows)
        with pytest.raises(BadInput, match=message):
            travel(run, HERE)
        assert not (run.path / "checks").exists()


def test_numbers_of_numpy_are_written_as_numbers(tmp_path: Path) -> None:
    found = row("simulated", "depth", "mean", Measured(np.float32(1.5), np.float64(0.1), np.int64(3)))  # type: ignore[arg-type]
    run = travel(with_check(new_beams(tmp_path), found), HERE)
    (written,) = read_metrics(run.path)["rows"]
    assert (written["value"], written["error"], written["n"]) == (1.5, 0.1, 3)


def test_the_report_says_which_criteria_are_met(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    assert "3 of 4 criteria are met" in page
    assert "≤ 1e−12 MeV/c" in page
    assert "0.944 to 1.056" in page
    assert "Data &lt;of nobody&gt;" in page
    assert "<of nobody>" not in page
    assert page.count("FAIL") == 2  # in the overview and in the table of the check
    assert "Conservation laws" in page


def test_a_criterion_that_is_not_met_is_in_the_log(finished: Path) -> None:
    log = (finished / "log.txt").read_text()
    assert "3 of 4 criteria are met" in log
    assert "WARNING criterion of data not met: simulated, difference of all_depths" in log


def test_run_compare_report_describe_and_simulate_work_from_the_command_line(
    tmp_path: Path, command: Callable[..., Any]
) -> None:
    status, out, error = command("--quiet", "run", BEAMS, "--preset", "tiny", "--workers", 1, "--runs", tmp_path)
    assert status == 0, error
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["check", "subject", "quantity", "value", "criterion"]
    assert ["data", "simulated", "all", "depths:", "difference", "0.013", "±", "0.005", "FAIL", "≤", "0"] in lines
    assert out.splitlines()[-1].startswith("report: ")
    (run,) = (tmp_path / "beams").iterdir()
    status, out, _ = command("compare", run, run)
    assert status == 0
    assert out.splitlines()[0].count("beams tiny s1") == 2
    page = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    assert command("report", run)[0] == 0
    assert (run / "report.html").read_bytes() == page
    status, out, _ = command("describe", BEAMS)
    assert status == 0
    for words in ("simulated: simulated beams", "conservation: conservation laws  <- ", "dense: twice the density"):
        assert words in out
    assert "Predictors" not in out
    words = ("simulate", BEAMS, "-n", 5, "-o", tmp_path / "data.h5", "--preset", "tiny", "--workers", 1)
    assert command(*words)[0] == 0
    with h5py.File(tmp_path / "data.h5") as file:
        assert file["momentum"].shape == (5, 200, 2, 3)


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "RUN", "--data", BEAMS),
        ("generate", "RUN", "-n", "3", "-o", "new.h5"),
        ("explain", "RUN"),
        ("export", "RUN"),
        ("null", "RUN", "--predictor", "simulated"),
        ("search", BEAMS, "--preset", "tiny"),
    ],
)
def test_verbs_for_what_learns_are_refused_in_one_line(
    words: tuple[str, ...], finished: Path, tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, error = command(*(finished if word == "RUN" else word for word in words))
    message = f"`cloudchamber {words[0]}` is not for study 'beams', which validates a simulator"
    assert (status, error) == (2, f"cloudchamber: {message}\n")
    assert not list(tmp_path.iterdir())


def test_data_of_a_user_are_refused_before_a_directory_is_made(
    tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, error = command("run", BEAMS, "--preset", "tiny", "--data", BEAMS, "--device", "cpu")
    assert (status, error.count("\n")) == (2, 1)
    assert "study 'beams' validates a simulator on its own records: leave --data out" in error
    assert not list(tmp_path.iterdir())


def test_a_study_with_sections_draws_from_the_arrays_of_its_checks(finished: Path, tmp_path: Path) -> None:
    from cloudchamber.report.files import read_arrays
    from cloudchamber.report.page import Section
    from cloudchamber.report.validation import checks_table
    from cloudchamber.run import write_report

    def sections(run: Path, config: Any, titles: Any) -> list[Section]:
        validation = read_validation(run)
        assert validation is not None
        counts = read_arrays(run / "checks" / "exponential.h5")["counts"]
        table = checks_table(validation, validation.of("exponential"), "Depths.", {"depth": "depth of photons"})
        return [Section("Depths", f"{counts[0]} photons in the first bin.", (), table)]

    shutil.copytree(finished, tmp_path / "copy")
    opened = open_run(tmp_path / "copy")
    page = write_report(replace(opened, study=replace(opened.study, sections=sections))).read_text()
    assert "photons in the first bin" in page
    assert "depth of photons: mean over analytic" in page
    assert "Conservation laws" not in page


def test_the_headline_of_a_validation_is_found_with_its_criterion(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = load_study(BEAMS)
    assert card.headline(study) == "not measured yet"
    monkeypatch.setattr(card, "results_file", lambda name: finished / "metrics.json")
    assert card.headline(study) == "simulated: mean_over_analytic(depth) = 1.021 ± 0.011 (0.944 to 1.056)"


def test_the_documentation_has_tables_of_a_validation_with_one_entry(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).parents[1]
    spec = importlib.util.spec_from_file_location("results_table", root / "docs" / "results_table.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    entry = ("depth over mean free path", "exponential", "depth", "mean_over_analytic", "simulated")
    monkeypatch.setitem(tables.DUELS, "beams", entry)
    metrics = read_metrics(finished)
    page = tables.table(metrics).splitlines()
    assert (
        page[2]
        == "| conservation laws | momentum: largest violation | simulated beams | 0 MeV/c | ≤ 1e−12 MeV/c | pass |"
    )
    assert sum(line.startswith("|  |") for line in page) == 5  # a check's title stands once
    assert sum("**FAIL**" in line for line in page) == 1
    assert "`beams`, preset `tiny`, seed 1: 3 of 4 criteria met." in page[-1]
    photons = json.loads((root / "results" / "photon-mean-free-path.json").read_text())
    lines = tables.summary({"photon-mean-free-path": photons, "beams": metrics}).splitlines()
    assert lines[-1] == (
        "| [`beams`](docs/studies/beams.md) | depth over mean free path | simulated beams: 1.021 ± 0.011 "
        "| 0.944 to 1.056: pass | 3 of 4 |"
    )
    assert lines[3] == ""  # a table of its own behind that of what learns
    assert "dense network: 0.413 ± 0.010" in lines[2]  # a tie has no winner
