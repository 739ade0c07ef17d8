"""Models that ship with the package: made from a run, used by name, refused when damaged, never written to."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from cloudchamber import card, farm, shipped, study
from cloudchamber.cli import app
from cloudchamber.data.interactions import read_events
from cloudchamber.run import travel
from cloudchamber.run_directory import Resources, new_run, open_run
from cloudchamber.schema import BadInput
from cloudchamber.shipped import checked, run_or_model, ship, shipped_models
from cloudchamber.study import GeneratorStudy

HERE = Resources(workers=1, device="cpu")
SHIPPED = shipped_models()
"""The real ones."""
LIMIT = "Photons only."


@pytest.fixture(scope="module", autouse=True)
def installed_photons() -> Iterator[None]:
    """The study of photons that share is installed beside those of the package."""
    known = study.study_names() | {"photons": "generator_study"}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        for module in (study, shipped, card):
            patch.setattr(module, "study_names", lambda: known)
        yield


@pytest.fixture(scope="module")
def finished(installed_photons: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run. Not to be changed: copy it."""
    home = tmp_path_factory.mktemp("photons")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDCHAMBER_CACHE", str(home / "cache"))
        return travel(new_run("photons", preset="tiny", runs=home / "runs"), HERE).path


@pytest.fixture
def model(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run's model, as if it came with the package; the current directory is empty."""
    monkeypatch.setattr(shipped, "MODELS", tmp_path / "models")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return ship(finished, [LIMIT], tmp_path / "models")


def state(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Time and bytes of every file, by name."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_model_holds_what_generation_needs_and_no_more(model: Path) -> None:
    again = {
        f"checkpoints/{name}/{file}" for name in ("again", "measured") for file in ("fits", "fitted", "scale.json")
    }
    assert state(model).keys() == {"STATUS", "card.md", "config.json", "run.json", "sha256.txt"} | again
    record = json.loads((model / "run.json").read_text())
    assert not {"host", "command"} & record.keys()
    assert str(model.parents[1]) not in (model / "run.json").read_text()
    for line in (model / "sha256.txt").read_text().splitlines():
        digest, name = line.split("  ")
        assert digest == hashlib.sha256((model / name).read_bytes()).hexdigest()


def test_a_model_by_name_makes_the_events_of_its_run(
    model: Path, finished: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: Any, **__: Any) -> None:
        raise AssertionError("generation simulates nothing")

    monkeypatch.setattr(farm, "simulate", none)
    before = state(model)
    for path in (model, *model.rglob("*")):
        path.chmod(0o555)
    words = ("-n", 50, "--set", "energy=15", "--seed", 4, "--device", "cpu")
    status, out, error = command("generate", "photons", *words)
    assert (status, error) == (0, "")
    assert out == f"photons-s4.h5: 50 events by measured of photons, seed 4\nmodel card: {model / 'card.md'}\n"
    assert state(model) == before, "written to"
    assert command("generate", finished, *words, "-o", "run.h5")[0] == 0
    (one, about), (other, _) = read_events(Path("photons-s4.h5")), read_events(Path("run.h5"))
    np.testing.assert_array_equal(one.momentum, other.momentum)
    assert about["data"] == f"run {finished.name}"
    status, _, error = command("generate", "photons", *words)
    assert status == 1
    assert "photons-s4.h5 exists, will not overwrite" in error
    for path in (model, *model.rglob("*")):
        path.chmod(0o755)


def test_extrapolation_is_said_and_marked_in_the_file(model: Path, command: Callable[..., Any]) -> None:
    words = ("generate", "photons", "-n", 5, "--seed", 4, "--device", "cpu", "--set")
    status, _, error = command(*words, "energy=30")
    assert (status, error.count("\n")) == (2, 1)
    assert "--extrapolate goes beyond" in error
    assert not list(Path().iterdir())
    status, _, error = command(*words, "energy=30", "--extrapolate")
    assert (status, error) == (
        0,
        "extrapolated in energy: the training had no such events, and photons-s4.h5 says so\n",
    )
    with h5py.File("photons-s4.h5") as file:
        assert file.attrs["extrapolated"]
    assert command(*words, "energy=12", "--extrapolate", "-o", "inside.h5")[2] == ""


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("checkpoints/measured/scale.json", b"3.14", "measured/scale.json is damaged"),
        ("checkpoints/measured/scale.json", None, "measured/scale.json is missing"),
        ("run.json", b"{", "run.json is damaged"),
        ("sha256.txt", b"", "sha256.txt is damaged"),
        ("sha256.txt", b"\xff\xfe", "sha256.txt is damaged"),
    ],
)
def test_a_damaged_model_is_refused_in_one_line(
    name: str, content: bytes | None, message: str, model: Path, command: Callable[..., Any]
) -> None:
    if content is None:
        (model / name).unlink()
    else:
        (model / name).write_bytes(content)
    for words in (("generate", "photons", "-n", 5), ("generate", model, "-n", 5), ("describe", "photons")):
        status, _, error = command(*words)
        assert (status, error.count("\n")) == (1, 1)
        assert message in error
        assert "install cloudchamber again" in error
    assert not list(Path().iterdir())


def test_a_list_of_checksums_that_was_cut_is_refused(model: Path) -> None:
    sums = model / "sha256.txt"
    whole = sums.read_bytes()
    for length in range(0, len(whole) - 1, 7):
        sums.write_bytes(whole[:length])
        with pytest.raises(BadInput, match=r"is damaged: install"):
            checked(model)
    sums.unlink()
    with pytest.raises(BadInput, match=r"sha256.txt is missing"):
        run_or_model(Path("photons"), GeneratorStudy, "generate")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("photon", "'photon' is neither a run directory nor a study; did you mean 'photons'?"),
        ("hadronic-materials", "no trained model of study 'hadronic-materials' ships with cloudchamber: make one with"),
        ("nuclear-shape", "is not for study 'nuclear-shape', which predicts"),
        ("runs/photons", "runs/photons is not a run directory"),
        ("20260101T000000-s", "did you mean '20260101T000000-s1'?"),
        ("there", "there is not a run directory"),
    ],
)
def test_a_name_without_a_model_is_refused_with_the_way_on(
    name: str, message: str, model: Path, command: Callable[..., Any]
) -> None:
    Path("there").mkdir()
    Path("20260101T000000-s1").mkdir()
    Path("20260101T000000-s1", "run.json").touch()
    status, _, error = command("generate", name, "-n", 5)
    assert (status, error.count("\n")) == (2, 1)
    assert message in error


def test_a_path_that_exists_goes_before_a_model(model: Path, finished: Path) -> None:
    assert run_or_model(Path("photons"), GeneratorStudy, "generate") == model
    shutil.copytree(finished, "photons")
    assert run_or_model(Path("photons"), GeneratorStudy, "generate") == Path("photons")


def test_the_card_says_what_the_run_has_measured(model: Path, finished: Path, command: Callable[..., Any]) -> None:
    text = (model / "card.md").read_text()
    metrics = json.loads((finished / "metrics.json").read_text())
    for sample in ("test", "many"):
        values = {row["predictor"]: row for row in metrics["rows"] if row["sample"] == sample}
        cells = [f"{values[one]['value']:.3f} ± {values[one]['error']:.3f}" for one in ("measured", "again")]
        assert f"| {sample} | mean_difference (n) | {' | '.join(cells)} |" in text
    for words in (
        "60 events by the study's simulator, of them 10% each",
        "| scale | 10.0 | kinetic energy of one more photon [GeV] |",
        f"* {LIMIT}\n", "* many: twice the photons", "Licence: BSD-3-Clause", metrics["commit"], "doi:10.0000/photons",
        "No conservation law was measured.",
    ):  # fmt: skip
        assert words in text
    status, out, _ = command("describe", "photons")
    assert status == 0
    assert "A trained model ships with it: cloudchamber generate photons -n 1000" in out
    assert LIMIT in out
    assert max(map(len, out.split("The study is the file")[0].splitlines())) <= 120


def test_what_cannot_ship_is_refused_and_leaves_nothing(
    model: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="will not overwrite"):
        ship(finished, models=model.parent)
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    (copy / "STATUS").write_text("running\n")
    with pytest.raises(BadInput, match="is not finished"):
        ship(copy, models=tmp_path / "other")
    (copy / "STATUS").write_text("finished\n")
    (copy / "checkpoints" / "measured" / "scale.json").write_text(" " * 2_100_000 + "3.14")
    with pytest.raises(BadInput, match=r"2.0 MiB are too much .* checkpoints/measured/scale.json"):
        ship(copy, models=tmp_path / "other")
    assert not list((tmp_path / "other").iterdir())
    of_file = new_run(str(Path(__file__).with_name("generator_study.py")), preset="tiny", runs=tmp_path / "runs")
    (of_file.path / "STATUS").write_text("finished\n")
    with pytest.raises(BadInput, match="only a study that is installed"):
        ship(of_file.path, models=tmp_path / "other")
    monkeypatch.setattr(shipped, "MODELS", tmp_path / "nowhere")
    assert shipped_models() == {}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_model_that_ships_is_whole_and_generates(name: str, tmp_path: Path) -> None:
    path = checked(SHIPPED[name])
    assert path.name == open_run(path).study.name == name
    assert sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) <= shipped.LARGEST + 4096
    result = CliRunner().invoke(app, ["generate", name, "-n", "5", "-o", str(tmp_path / "new.h5"), "--seed", "1"])
    assert result.exit_code == 0, result.output
    assert "5 events by" in result.output
    with h5py.File(tmp_path / "new.h5") as file:
        assert file.attrs["study"] == name
    refused = CliRunner().invoke(app, ["generate", name, "-n", "5", "--generator", "another"])
    assert isinstance(refused.exception, BadInput)
    assert "leave --generator out" in str(refused.exception)
