"""The road of a study of generators: run, interruption, the user's own events, new events, and every verb."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cloudchamber import generation
from cloudchamber.data.interactions import read_events, write_events
from cloudchamber.run import travel
from cloudchamber.run_directory import Resources, Run, merge_history, new_run, open_run, read_metrics
from cloudchamber.schema import BadInput
from cloudchamber.study import GeneratorStudy, load_study

PHOTONS = str(Path(__file__).with_name("generator_study.py"))
HERE = Resources(workers=1, device="cpu")


def new_photons(home: Path, data: Path | None = None) -> Run[GeneratorStudy]:
    return new_run(PHOTONS, preset="tiny", runs=home, data=data)


def metrics_of(run: Path) -> dict[str, Any]:
    return read_metrics(run)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run. Not to be changed: copy it."""
    home = tmp_path_factory.mktemp("photons")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDCHAMBER_CACHE", str(home / "cache"))
        return travel(new_photons(home / "runs"), HERE).path


def test_a_run_has_all_pieces(finished: Path) -> None:
    assert (finished / "STATUS").read_text() == "finished\n"
    for name in ("config.json", "run.json", "metrics.json", "report.html", "log.txt", "gallery.h5"):
        assert (finished / name).stat().st_size > 0
    metrics, record = metrics_of(finished), json.loads((finished / "run.json").read_text())
    assert {row["sample"] for row in metrics["rows"]} == {"test", "test, fast", "many", "many, fast"}
    assert {row["predictor"] for row in metrics["rows"]} == {"again", "measured"}
    floors = {row["sample"]: row["value"] for row in metrics["rows"] if row["predictor"] == "again"}
    assert all(row["floor"] == floors[row["sample"]] for row in metrics["rows"])
    assert metrics["predictors"]["measured"] == {"title": "measured of photons", "kind": "baseline"}
    assert set(record["sample_s"]) == set(metrics["sample_s"]) == {"again", "measured"}
    assert min(record["sample_s"].values()) > 0
    assert record["n_records"] == 60
    for sample, count in (("test", 6), ("many", 20)):
        truth, _ = read_events(finished / "generated" / sample / "truth.h5")
        made, about = read_events(finished / "generated" / sample / "measured.h5")
        assert len(truth) == len(made) == count
        np.testing.assert_array_equal(truth.beam.kinetic_energy, made.beam.kinetic_energy)
        assert about["model"] == "measured of photons"
        assert (about["study"], about["generator"], about["seed"]) == ("photons", "measured", "1")
    with h5py.File(finished / "gallery.h5") as file:
        assert file["count"].shape == (60,)
    with h5py.File(finished / "explanations" / "mean_count.h5") as file:
        assert file.keys() == {"again", "measured"}


def test_an_interrupted_run_goes_on(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_STOP", "measured")
    run = new_photons(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        travel(run, HERE)
    assert (run.path / "STATUS").read_text() == "failed: interrupted\n"
    monkeypatch.delenv("TOY_STOP")
    travel(open_run(run.path), HERE)
    assert metrics_of(run.path)["rows"] == metrics_of(finished)["rows"]
    fits = {name: (run.path / "checkpoints" / name / "fits").read_text().count("fit") for name in ("again", "measured")}
    assert fits == {"again": 1, "measured": 2}
    for name in ("test/again", "many/measured"):
        one, other = (read_events(path / "generated" / f"{name}.h5")[0] for path in (run.path, finished))
        np.testing.assert_array_equal(one.count, other.count)


def test_a_run_of_own_events_and_no_others(tmp_path: Path) -> None:
    study = load_study(PHOTONS)
    assert isinstance(study, GeneratorStudy)
    own = study.events(study.simulate(study.preset("tiny"), 0, 30, np.random.SeedSequence(7)))
    write_events(tmp_path / "own.h5", own, {})
    run = travel(new_photons(tmp_path / "runs", tmp_path / "own.h5"), HERE)
    assert run.record["n_records"] == run.config.model_dump()["events"] == 30
    assert open_run(run.path).config.model_dump() == run.config.model_dump()
    rows = metrics_of(run.path)["rows"]
    assert {(row["predictor"], row["sample"]) for row in rows} == {("measured", "test"), ("measured", "test, fast")}
    assert all(row["floor"] is None for row in rows)
    generation.generate(run.path, {}, 2, tmp_path / "new.h5", generator=None, seed=1, extrapolate=False, device="cpu")
    with pytest.raises(BadInput, match="no generator 'again'"):
        generation.generate(
            run.path, {}, 2, tmp_path / "no.h5", generator="again", seed=1, extrapolate=False, device="cpu"
        )
    assert len(read_events(run.path / "generated" / "test" / "truth.h5")[0]) == 3
    write_events(tmp_path / "own.h5", own.ordered(np.arange(29)), {})
    with pytest.raises(BadInput, match="its data have changed since it began"):
        travel(open_run(run.path), HERE)


def test_chunks_have_seeds_of_their_own(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "CHUNK", 40)
    steps: list[tuple[int, int]] = []

    def generated(name: str, seed: int) -> Path:
        generation.generate(
            finished, {"energy": "15"}, 100, tmp_path / name, generator=None, seed=seed, extrapolate=False,
            device="cpu", progress=lambda done, total: steps.append((done, total)),
        )  # fmt: skip
        return tmp_path / name

    one, again, other = generated("one.h5", 3), generated("again.h5", 3), generated("other.h5", 4)
    assert steps[:3] == [(40, 100), (80, 100), (100, 100)]
    assert one.read_bytes() == again.read_bytes()
    events, about = read_events(one)
    assert (events.beam.kinetic_energy == 15).all()
    assert not np.array_equal(events.count[:40], events.count[40:80])
    assert not np.array_equal(events.count, read_events(other)[0].count)
    assert about["study"] == "photons"
    assert about["run"] == str(finished.resolve())
    assert (about["generator"], about["seed"], about["settings"]) == ("measured", "3", '{"energy": "15"}')
    assert about["extrapolated"] is False


def test_extrapolated_is_a_fact_and_not_a_wish(finished: Path, tmp_path: Path) -> None:
    for energy, fact in (("15", False), ("25", True)):
        generation.generate(
            finished, {"energy": energy}, 2, tmp_path / f"{energy}.h5", generator=None, seed=1, extrapolate=True,
            device="cpu",
        )  # fmt: skip
        assert read_events(tmp_path / f"{energy}.h5")[1]["extrapolated"] is fact


class Standing:
    """Makes what another generator, which was fitted before, makes."""

    title, kind = "standing on another", "network"

    def __init__(self, other: Any) -> None:
        self.other = other

    def restore(self, directory: Path) -> None:
        assert self.other.scale != 1.0, "not restored yet"

    def sample(self, condition: Any, rng: np.random.Generator) -> Any:
        return self.other.sample(condition, rng)


def test_a_generator_may_stand_on_one_before_it(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_run(finished)
    known = opened.study.generators

    def generators(*settings: Any) -> dict[str, Any]:
        found = known(*settings)
        return found | {"standing": Standing(found["measured"])}

    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    (copy / "checkpoints" / "standing").mkdir()
    (copy / "checkpoints" / "standing" / "fitted").touch()
    opened = replace(opened, path=copy, study=replace(opened.study, generators=generators))
    monkeypatch.setattr(generation, "open_run", lambda path: opened)
    made = generation.generate(
        copy, {}, 3, tmp_path / "new.h5", generator="standing", seed=1, extrapolate=False, device="cpu"
    )
    assert made.generator.title == "standing on another"
    assert len(read_events(tmp_path / "new.h5")[0]) == 3


def test_history_has_the_parts_of_a_predictor_and_the_members_of_an_ensemble(finished: Path, tmp_path: Path) -> None:
    run = replace(open_run(finished), path=tmp_path)
    for name in ("flow", "flow/counts", "nets/member-0", "nets/member-2", "nets/member-10"):
        directory = tmp_path / "checkpoints" / name
        directory.mkdir(parents=True)
        (directory / "history.csv").write_text(f"epoch,train_loss\n0,{len(name)}\n")
    merge_history(run)
    assert (tmp_path / "history.csv").read_text().splitlines() == [
        "predictor,epoch,train_loss,member", "flow/counts,0,11,", "flow,0,4,",
        "nets,0,13,0", "nets,0,13,2", "nets,0,14,10",
    ]  # fmt: skip


def test_generate_leaves_nothing_half_written(
    finished: Path, tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "CHUNK", 2)

    def interrupted(generator: Any, condition: Any, *_: Any) -> Iterator[Any]:
        yield generator.sample(condition(0, 2), np.random.default_rng(1))
        raise KeyboardInterrupt

    monkeypatch.setattr(generation, "sampled", interrupted)
    for suffix in ("h5", "hepmc3"):
        if suffix == "hepmc3":
            pytest.importorskip("pyhepmc")
        status, _, error = command("generate", finished, "-n", 5, "-o", tmp_path / f"new.{suffix}", "--device", "cpu")
        assert (status, error) == (130, "")
        assert not list(tmp_path.iterdir())


def test_generate_from_the_command_line_writes_both_formats(
    finished: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    words = ("generate", finished, "-n", 50, "--seed", 2, "--device", "cpu", "--generator", "again")
    status, out, _ = command(*words, "-o", tmp_path / "new.h5")
    assert (status, out) == (0, f"{tmp_path / 'new.h5'}: 50 events by again of photons, seed 2\n")
    pytest.importorskip("pyhepmc")
    beyond = ("--set", "energy=100", "--extrapolate")
    assert command(*words, *beyond, "-o", tmp_path / "new.hepmc3")[0] == 0
    events, _ = read_events(tmp_path / "new.hepmc3")
    np.testing.assert_allclose(events.beam.kinetic_energy, 100, rtol=1e-9)
    text = (tmp_path / "new.hepmc3").read_text()
    for line in ("A extrapolated True", "A generator again", "A study photons", 'A settings {"energy": "100"}'):
        assert line in text


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("--set", "energie=3"), 2, "did you mean 'energy'"),
        (("--set", "energy=100"), 2, "--extrapolate goes beyond"),
        (("--generator", "mesured"), 2, "has no generator 'mesured'; did you mean 'measured'"),
        (("-n", "0"), 2, "at least 1 event"),
        (("-o", "there.h5"), 1, "will not overwrite"),
        (("-o", "none/new.h5"), 1, "no directory"),
        (("-o", "new.root"), 2, "ends in .h5 or .hepmc3"),
    ],
)
def test_generate_refuses_wrong_words_and_leaves_nothing(
    words: tuple[str, ...], status: int, message: str, finished: Path, tmp_path: Path, command: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.h5").touch()
    given = {"-n": "5", "-o": "new.h5"} | dict(zip(words[::2], words[1::2], strict=True))
    found, _, error = command("generate", finished, *(word for pair in given.items() for word in pair))
    assert (found, error.count("\n")) == (status, 1)
    assert message in error
    assert [path.name for path in tmp_path.iterdir()] == ["there.h5"]


def test_own_events_are_evaluated_without_a_floor(
    finished: Path, tmp_path: Path, command: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    study = load_study(PHOTONS)
    assert isinstance(study, GeneratorStudy)
    own = study.events(study.simulate(study.preset("tiny"), 0, 40, np.random.SeedSequence(7)))
    write_events(tmp_path / "own.h5", own, {})
    rows = generation.evaluate(finished, tmp_path / "own.h5", "cpu")
    assert {(row["predictor"], row["sample"]) for row in rows} == {("measured", "own"), ("measured", "own, fast")}
    assert all(row["floor"] is None for row in rows)
    assert not caplog.messages
    assert all(row["n"] == 40 for row in rows if row["sample"] == "own")
    status, out, _ = command("evaluate", finished, "--data", tmp_path / "own.h5", "--device", "cpu")
    assert status == 0
    assert "own, fast" in out
    assert "mean_difference" in out
    status, _, error = command("evaluate", finished, "--data", tmp_path / "own.h5", "-o", tmp_path / "out.h5")
    assert status == 2
    assert "--map and -o" in error
    beyond = study.events({"kinetic_energy": np.full(3, 2000.0), "count": np.full(3, 2)})
    write_events(tmp_path / "beyond.h5", beyond, {})
    logging.getLogger("cloudchamber").propagate = True  # the command line ended it
    assert generation.evaluate(finished, tmp_path / "beyond.h5", "cpu") == []
    assert "of the 3 events" in caplog.messages[0]
    assert "lie outside the training: 100.0% in energy" in caplog.messages[0]


def test_events_that_cannot_be_used_leave_no_directory_behind(
    finished: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    wrong = tmp_path / "wrong.h5"
    wrong.write_bytes((finished / "generated" / "test" / "truth.h5").read_bytes()[:-100])
    for words in (("run", PHOTONS, "--preset", "tiny", "--runs", tmp_path / "runs"), ("evaluate", finished)):
        status, _, error = command(*words, "--data", wrong, "--device", "cpu")
        assert (status, error.count("\n")) == (1, 1)
        assert "wrong.h5" in error
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.h5"]


def test_describe_simulate_and_compare_work_for_generators(
    finished: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    status, out, _ = command("describe", PHOTONS)
    assert status == 0
    for word in (
        "one record for each event",
        "momentum (particle four) [GeV]",
        "Generators",
        "measured (baseline)",
        "twice",
    ):
        assert word in out
    status, out, _ = command(
        "simulate", PHOTONS, "-n", 20, "-o", tmp_path / "data.h5", "--preset", "tiny", "--workers", 1
    )
    assert status == 0
    with h5py.File(tmp_path / "data.h5") as file:
        assert file["momentum"].shape == (file["count"][:].sum(), 4)
    status, out, _ = command("compare", finished, finished)
    assert status == 0
    assert "mean_difference" in out
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    (copy / "report.html").unlink()
    assert command("report", copy)[0] == 0
    assert "mean difference" in (copy / "report.html").read_text()


def test_a_run_of_generators_is_resumed_from_the_command_line(tmp_path: Path, command: Callable[..., Any]) -> None:
    words = ("run", PHOTONS, "--preset", "tiny", "--workers", 1, "--device", "cpu", "--runs", tmp_path)
    status, out, _ = command("--quiet", *words)
    assert status == 0
    assert "report: " in out
    (run,) = (tmp_path / "photons").iterdir()
    (run / "STATUS").write_text("running\n")
    assert command("--quiet", "run", "--resume", run, "--device", "cpu")[0] == 0
    assert (run / "STATUS").read_text() == "finished\n"


def test_explanations_of_generators_are_made_again(
    finished: Path, tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDCHAMBER_CACHE", str(tmp_path / "cache"))
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    (copy / "explanations" / "mean_count.h5").unlink()
    status, out, error = command("explain", copy, "--device", "cpu", "--workers", 1)
    assert status == 0, error
    assert out.split() == [str(copy / "explanations" / "mean_count.h5")]
    status, _, error = command("explain", copy, "--method", "mean_counts")
    assert status == 2
    assert "did you mean 'mean_count'" in error


def test_verbs_that_do_not_fit_say_so(finished: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    for words in (
        ("null", finished, "--predictor", "again"),
        ("search", PHOTONS, "--preset", "tiny", "--runs", tmp_path),
    ):
        status, _, error = command(*words)
        verb = words[0]
        assert (status, error) == (
            2, f"cloudchamber: `cloudchamber {verb}` is not for study 'photons', which generates events\n",
        )  # fmt: skip
    run = new_run("photon-mean-free-path", preset="tiny", runs=tmp_path)
    status, _, error = command("generate", run.path, "-n", 3, "-o", tmp_path / "new.h5")
    assert status == 2
    assert "`cloudchamber generate` is not for study 'photon-mean-free-path', which predicts" in error
