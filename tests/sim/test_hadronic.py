"""The command: files of both formats, the same seed the same file, refusals."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from cloudchamber.data.interactions import read_events
from cloudchamber.sim import hadronic as module
from cloudchamber.sim.hadronic import hadronic
from cloudchamber.simulators.hadronic import own_process

pytestmark = pytest.mark.skipif(importlib.util.find_spec("geant4_pybind") is None, reason="needs the extra geant4")

COMMAND = hadronic


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDCHAMBER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def test_both_formats_hold_the_same_events(
    call: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 30)  # two chunks
    words = ("pi+", "H", "--energy", 25, "--direction", "0.6,0.6,0.529", "-n", 50, "--random-seed", 4, "-o")
    result = call(*words, tmp_path / "e.h5")
    assert result.exit_code == 0, result.output
    assert "50 interactions of pi+ at 25 GeV with H" in result.output
    assert "home-made tables" in result.output
    assert call(*words, tmp_path / "again.h5").exit_code == 0
    assert (tmp_path / "e.h5").read_bytes() == (tmp_path / "again.h5").read_bytes()
    assert call(*words, tmp_path / "e.hepmc3").exit_code == 0
    one, about = read_events(tmp_path / "e.h5")
    two, _ = read_events(tmp_path / "e.hepmc3")
    assert about["model"] == "Geant4, FTFP_BERT_ATL"
    assert about["data"] == "home-made tables"
    assert about["seed"] == "4"
    assert np.array_equal(one.kind, two.kind)
    np.testing.assert_allclose(one.momentum, two.momentum, rtol=1e-12, atol=1e-12)
    assert not np.array_equal(one.momentum[:8], one.momentum[-8:])


def test_urqmd_can_be_chosen_as_the_model(call: Callable[..., Result], tmp_path: Path) -> None:
    if importlib.util.find_spec("chromo") is None:
        pytest.skip("needs the extra generators")
    result = call("pi-", "C", "-n", 3, "--model", "urqmd", "-o", tmp_path / "u.h5", "--random-seed", 1)
    assert result.exit_code == 0, result.output
    assert read_events(tmp_path / "u.h5")[1]["model"] == "UrQMD 3.4"


def test_wrong_words_are_refused_before_anything_starts(error_of: Callable[..., str], tmp_path: Path) -> None:
    out = ("-o", tmp_path / "e.h5")
    assert "did you mean 'pi" in error_of("pi", "H", *out)
    assert "unknown material 'Pbb'" in error_of("p", "Pbb", *out)
    assert "from 1 to 100 GeV" in error_of("p", "Pb", "--energy", 1000, *out)
    assert "no projectile K0L" in error_of("K0L", "C", "--model", "urqmd", *out)
    assert "three numbers" in error_of("p", "C", "--direction", "up", *out)
    assert "not all 0" in error_of("p", "C", "--direction", "0,0,0", *out)
    assert "did you mean 'geant4'" in error_of("p", "C", "--model", "geant", *out)
    assert ".hepmc3" in error_of("p", "C", "-o", tmp_path / "e.root")
    assert "no directory" in error_of("p", "C", "-o", tmp_path / "none" / "e.h5")
    assert "at least 1" in error_of("p", "C", "-n", 0, *out)
    assert "at least 0" in error_of("p", "C", "--random-seed", -1, *out)
    (tmp_path / "e.h5").touch()
    assert "will not overwrite" in error_of("p", "C", *out)


def test_without_the_extra_one_line_names_it(
    error_of: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_process.importlib.util, "find_spec", lambda name: None)
    assert "pip install 'cloudchamber[geant4]'" in error_of("p", "C", "-o", tmp_path / "e.h5")
    assert not (tmp_path / "e.h5").exists()
