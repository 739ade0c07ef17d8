"""A deep ensemble as ONNX: what ONNX Runtime says is what PyTorch says, or nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cloudchamber.export import ensemble as exporting
from cloudchamber.export.ensemble import export_ensemble
from cloudchamber.export.onnx_sampler import session
from cloudchamber.run import travel
from cloudchamber.run_directory import Resources, Run, new_run, restored
from cloudchamber.schema import BadInput
from cloudchamber.study import PredictorStudy

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def photons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run[PredictorStudy]]:
    """A finished run with a small ensemble. Not to be changed."""
    home = tmp_path_factory.mktemp("photons")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDCHAMBER_CACHE", str(home / "cache"))
        run = new_run("photon-mean-free-path", preset="tiny", runs=home)
        yield travel(run, Resources(workers=1, device="cpu"))


def test_the_graph_says_what_the_predictor_says_for_any_number_of_samples(
    photons: Run[PredictorStudy], tmp_path: Path
) -> None:
    output = export_ensemble(photons, tmp_path / "out")
    metadata = json.loads((output / "metadata.json").read_text())
    assert (metadata["predictor"], metadata["targets"], metadata["unit"]) == ("network", ["mean_free_path"], "cm")
    assert [one["name"] for one in metadata["graphs"]["model"]["outputs"]] == ["mean", "std"]
    inputs = np.random.default_rng(1).dirichlet(np.ones(40), 11).astype(np.float32)
    mean, std = session(output / "model.onnx").run(None, {"inputs": inputs})
    said = restored(photons, "cpu", "network")["network"].predict(inputs)
    np.testing.assert_allclose(mean, said.mean, rtol=1e-5)
    np.testing.assert_allclose(std, said.std, rtol=1e-5)
    with pytest.raises(BadInput, match="exists, will not overwrite"):
        export_ensemble(photons, tmp_path / "out")


def test_a_graph_that_says_something_else_is_not_left_behind(
    photons: Run[PredictorStudy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    with pytest.raises(BadInput, match="export failed: ONNX Runtime and PyTorch differ"):
        export_ensemble(photons, tmp_path / "out")
    assert not list(tmp_path.iterdir())
