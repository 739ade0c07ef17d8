"""The command line as a newcomer meets it: every verb, and one clear line for every wrong word."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from cloudchamber.data.store import Dataset
from cloudchamber.study import load_study

PHOTONS = str(Path(__file__).parents[1] / "src" / "cloudchamber" / "studies" / "photon_mean_free_path.py")
TOY = str(Path(__file__).with_name("toy_study.py"))
COMMAND = [sys.executable, "-m", "cloudchamber.cli"]


def cloudchamber(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in its own process."""
    command = [*COMMAND, *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)


def refused(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    """One line on standard error that holds ``words``, and the exit status."""
    assert done.returncode == status, (done.returncode, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.startswith("cloudchamber: ")]
    assert len(lines) == 1
    assert done.stderr.splitlines()[-1] == lines[0]
    for word in words:
        assert word in lines[0]
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def photon_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the worked example, which takes seconds."""
    home = tmp_path_factory.mktemp("runs")
    done = cloudchamber("run", PHOTONS, "--preset", "tiny", "--workers", "1", "--runs", home)
    assert done.returncode == 0, done.stderr
    (run,) = (home / "photon-mean-free-path").iterdir()
    return run


def test_help_takes_less_than_half_a_second() -> None:
    """Of the processor, best of five: other tests run beside this one."""
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert cloudchamber("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 0.5


def test_importing_the_package_imports_no_torch() -> None:
    heavy = "{'torch', 'lightning', 'numba', 'matplotlib', 'sklearn', 'distributed'}"
    for module in ("cloudchamber", "cloudchamber.cli", "cloudchamber.study", "cloudchamber.studies.nuclear_shape"):
        code = f"import sys, {module}; found = {heavy} & set(sys.modules); sys.exit(str(found) if found else 0)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{module} imports {done.stderr}"


def test_list_describe_and_doctor_say_what_they_promise() -> None:
    listed = cloudchamber("list")
    assert listed.returncode == 0
    assert "nuclear-shape" in listed.stdout
    card = cloudchamber("describe", "nuclear-shape")
    assert card.returncode == 0
    for word in ("1906.06429", "se_resnet_size", "beta2_points", "nuclear_shape.py"):
        assert word in card.stdout
    lines = [line for line in card.stdout.splitlines() if not line.startswith("The study is the file")]
    assert max(map(len, lines)) <= 120
    health = cloudchamber("doctor")
    assert health.returncode == 0
    assert "extra root" in health.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["lst"], "did you mean 'list'"),
        (["run", "nuclear-shap"], "did you mean 'nuclear-shape'"),
        (["run", "nuclear-shape", "--preset", "quik"], "did you mean 'quick'"),
        (["run", "nuclear-shape", "--set", "beta2_point=3"], "did you mean 'beta2_points'"),
        (["run", "nuclear-shape", "--set", "beta2_points"], "key=value"),
        (["run", "nuclear-shape", "--set", "beta2_points=many"], "valid integer"),
        (["run", "nuclear-shape", "--device", "cudda"], "did you mean 'cuda'"),
        (["run", "./nowhere.py"], "no file"),
        (["run"], "nuclear-shape"),
        (["run", "nuclear-shape", "--sed", "1"], "--seed"),
        (["run", "nuclear-shape", "--data", "nowhere.h5"], "no such file"),
        (["simulate", PHOTONS, "-n", "0", "-o", "x.h5", "--preset", "tiny"], "at least 1"),
        (["simulate", PHOTONS, "-n", "1", "-o", "nowhere/x.h5", "--preset", "tiny"], "no directory"),
        (["describe", "muon"], "nuclear-shape"),
        (["report", "nowhere"], "not a run directory"),
        (["compare", "nowhere"], "does not exist"),
        (["sim", "heavion", "U", "U", "1"], "did you mean 'heavyion'"),
        (["run", "nuclear-shape", "--preset", "tiny", "--scheduler", "localhost"], "tcp://"),
    ],
)
def test_wrong_words_are_refused_without_a_traceback(words: list[str], expected: str, tmp_path: Path) -> None:
    done = cloudchamber(*words, cwd=tmp_path)
    assert expected in done.stderr
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*.h5"))


def test_simulate_writes_one_file(tmp_path: Path) -> None:
    for name in ("one.h5", "two.h5"):
        done = cloudchamber(
            "simulate", PHOTONS, "-n", "60", "-o", tmp_path / name, "--preset", "tiny", "--workers", "1"
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()
    with h5py.File(tmp_path / "one.h5") as file:
        assert file["depth"].shape == (60, 200)
        assert file["mean_free_path"].attrs["unit"] == "cm"


def test_a_finished_run_is_compared_reported_and_evaluated(photon_run: Path, tmp_path: Path) -> None:
    compared = cloudchamber("compare", photon_run, photon_run)
    assert compared.returncode == 0
    assert "likelihood" in compared.stdout
    before = (photon_run / "report.html").read_bytes()
    (photon_run / "report.html").unlink()
    assert cloudchamber("report", photon_run).returncode == 0
    assert (photon_run / "report.html").read_bytes() == before
    rng = np.random.default_rng(3)
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["x"] = rng.exponential(2.2, (5, 200)).clip(0, 9.9).astype(np.float32)
    own = cloudchamber(
        "evaluate", photon_run, "--data", tmp_path / "mine.h5", "--map", "depth=x", "-o", tmp_path / "out.h5"
    )
    assert own.returncode == 0, own.stderr
    with h5py.File(tmp_path / "out.h5") as file:
        # five beams of 200 photons, 2.2 cm each: 0.07 cm of statistics, and some more since these have no noise
        assert abs(file["likelihood/mean"][:].mean() - 2.2) < 0.35
    missing = cloudchamber("evaluate", photon_run, "--data", tmp_path / "mine.h5")
    refused(missing, 1, "depth")


def test_ready_made_inputs_are_used_unless_their_bins_differ(photon_run: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for bins, status in ((40, 0), (30, 1)):
        own = tmp_path / f"{bins}.h5"
        with h5py.File(own, "w") as file:
            file["inputs"] = rng.dirichlet(np.ones(bins), 4).astype(np.float32)
        done = cloudchamber("evaluate", photon_run, "--data", own)
        assert done.returncode == status
    refused(done, 1, "bin=40", "(4, 30)")


def test_photons_at_one_depth_are_outside_the_training_range(photon_run: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file["depth"] = np.full((3, 200), 9.5, np.float32)
    done = cloudchamber("evaluate", photon_run, "--data", tmp_path / "odd.h5")
    assert done.returncode == 0
    assert "3 of 3 inputs lie outside the range of the training" in done.stderr


def test_truncated_and_spoiled_data_are_refused_by_name(photon_run: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "nan.h5", "w") as file:
        file["depth"] = np.full((3, 200), np.nan, np.float32)
    refused(cloudchamber("evaluate", photon_run, "--data", tmp_path / "nan.h5"), 1, "depth", "finite")
    whole = (tmp_path / "nan.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    refused(cloudchamber("evaluate", photon_run, "--data", tmp_path / "cut.h5"), 1, "cut.h5")


def test_truth_of_own_data_is_used_or_refused(photon_run: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    depths = rng.exponential(2.2, (5, 200)).clip(0, 9.9).astype(np.float32)
    for name, truth, status in (("good", 2.2, 0), ("nan", np.nan, 1), ("negative", -2.2, 1)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["depth"], file["mean_free_path"] = depths, np.full(5, truth, np.float32)
        done = cloudchamber("evaluate", photon_run, "--data", tmp_path / f"{name}.h5")
        assert done.returncode == status, done.stderr
        if status:
            refused(done, 1, "mean_free_path")
        else:
            assert "mae" in done.stdout


def test_resume_with_other_data_is_refused(tmp_path: Path) -> None:
    """Fits belong to the data that they were made on: an edited --data file stops the run, and names the way out."""
    rng = np.random.default_rng(3)
    data = tmp_path / "mine.h5"
    for scale in (1.0, 2.0):
        path = rng.uniform(1, 4, 60).astype(np.float32)
        with h5py.File(data, "w") as file:
            file["mean_free_path"] = path
            file["depth"] = (scale * rng.exponential(path[:, None] / 2, (60, 200))).clip(0, 9.9).astype(np.float32)
        if scale == 1.0:
            words = [
                "run",
                PHOTONS,
                "--preset",
                "tiny",
                "--set",
                "photons=200",
                "--data",
                data,
                "--runs",
                tmp_path / "runs",
            ]
            assert cloudchamber(*words).returncode == 0
            (run,) = (tmp_path / "runs" / "photon-mean-free-path").iterdir()
            (run / "STATUS").write_text("running\n")
    refused(cloudchamber("run", "--resume", run), 1, "data have changed", "start a new run")


def test_small_grid_goes_the_whole_road_or_is_refused_at_once(tmp_path: Path) -> None:
    start = time.monotonic()
    small = ["--set", "beta2_points=2", "--set", "beta4_points=1", "--workers", "1", "--runs", tmp_path]
    done = cloudchamber("run", "nuclear-shape", "--preset", "tiny", *small)
    refused(done, 1, "groups")
    assert time.monotonic() - start < 60
    beyond = cloudchamber("simulate", "nuclear-shape", "-n", "45", "-o", tmp_path / "x.h5", "--preset", "tiny")
    refused(beyond, 1, "44 shapes")


def test_a_study_file_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import a_module_that_is_not_there\n")
    refused(cloudchamber("describe", tmp_path / "mine.py"), 2, "mine.py", "a_module_that_is_not_there")


def test_resume_of_a_finished_run_says_so(photon_run: Path) -> None:
    done = cloudchamber("run", "--resume", photon_run)
    assert done.returncode == 0
    assert "finished already" in done.stderr


def test_a_damaged_record_of_a_run_is_named(photon_run: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(photon_run, copy)
    (copy / "metrics.json").write_text('{"rows": [')
    refused(cloudchamber("report", copy), 1, "metrics.json")
    (copy / "run.json").write_text("{")
    refused(cloudchamber("report", copy), 1, "run.json")


def test_a_place_where_no_run_can_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = cloudchamber("run", PHOTONS, "--preset", "tiny", "--runs", tmp_path / "file" / "runs")
    refused(done, 1, "--runs")


def test_a_second_process_in_the_same_run_directory_is_refused(photon_run: Path) -> None:
    from cloudchamber.data.files import exclusive

    (photon_run / "STATUS").write_text("running\n")
    with exclusive(photon_run):
        refused(cloudchamber("run", "--resume", photon_run), 1, "another process")
    (photon_run / "STATUS").write_text("finished\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "settings", "sign"),
    [
        pytest.param(TOY, [], "cache/**/shard-00002*.h5", id="simulating"),
        pytest.param(PHOTONS, ["--set", "epochs=40"], "runs/**/network/member-0/last.ckpt", id="training"),
    ],
)
def test_a_run_killed_at_any_stage_goes_on_to_the_same_data(
    source: str, settings: list[str], sign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed during simulation or training, the run goes on and ends with the data of an undisturbed one."""
    monkeypatch.setenv("CLOUDCHAMBER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TOY_GATE", str(tmp_path / "gate"))  # the toy's simulation does not end before it is there
    own = ["--preset", "tiny", "--workers", "1", *settings]
    command = [*COMMAND, "run", source, "--runs", str(tmp_path / "runs"), *own]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 240
    while not list(tmp_path.glob(sign)):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (tmp_path / "gate").touch()
    (run,) = (tmp_path / "runs").glob("*/*")
    assert (run / "STATUS").read_text() == "running\n"
    done = cloudchamber("run", "--resume", run, "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert (run / "STATUS").read_text() == "finished\n"
    record = json.loads((run / "run.json").read_text())
    for name in ("metrics.json", "predictions.h5", "report.html", "training_range.h5"):
        assert (run / name).stat().st_size > 0
    monkeypatch.setenv("CLOUDCHAMBER_CACHE", str(tmp_path / "fresh"))
    fresh = cloudchamber("simulate", source, "-n", str(record["n_records"]), "-o", tmp_path / "undisturbed.h5", *own)
    assert fresh.returncode == 0, fresh.stderr
    undisturbed = Dataset([tmp_path / "undisturbed.h5"], load_study(source).schema)
    assert undisturbed.hash() == record["data_hash"]
