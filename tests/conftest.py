"""Every test has its own cache, one thread, and may not change torch's global state."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache directory."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CLOUDCHAMBER_CACHE", str(cache))
    return cache


@pytest.fixture(autouse=True)
def own_log_level() -> Iterator[None]:
    """The command line sets the level of the package's log: not for the tests that follow."""
    log = logging.getLogger("cloudchamber")
    before = log.level
    yield
    log.setLevel(before)


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """The command line in this process (another would import torch again): words to status, output and error."""
    from cloudchamber.cli import main

    log = logging.getLogger("cloudchamber")
    state = (log.handlers[:], log.level, log.propagate)

    def call(*words: object) -> tuple[int, str, str]:
        log.handlers.clear()
        monkeypatch.delenv("COLUMNS", raising=False)  # of the terminal that the tests run in
        monkeypatch.setattr(sys, "argv", ["cloudchamber", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    yield call
    log.handlers[:], log.level, log.propagate = state


@pytest.fixture(scope="session")
def sky_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the universe of sources, tiny: skies of 100 cosmic rays. Not to be changed: copy it."""
    from cloudchamber.run import travel
    from cloudchamber.run_directory import Resources, new_run

    home = tmp_path_factory.mktemp("skies")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDCHAMBER_CACHE", str(home / "cache"))
        opened = new_run("cosmic-ray-universe", preset="tiny", runs=home / "runs")
        return travel(opened, Resources(workers=1, device="cpu")).path


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the toy study with seed 3. Not to be changed: copy it."""
    from cloudchamber.run import travel
    from cloudchamber.run_directory import Resources, new_run

    home = tmp_path_factory.mktemp("toy")
    source = str(Path(__file__).with_name("toy_study.py"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDCHAMBER_CACHE", str(home / "cache"))
        return travel(new_run(source, preset="tiny", seed=3, runs=home / "runs"), Resources(1, device="cpu")).path


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread for torch, whatever the environment says: sums keep their order."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def torch_unchanged() -> Iterator[None]:
    """Fail the test that changes torch's default type or gradient mode."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None:
        assert torch.get_default_dtype() is torch.float32
        assert torch.is_grad_enabled()
