"""What is read of a run of generators; what is malformed is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from cloudchamber.report.interactions import interaction_sections
from cloudchamber.report.interactions_run import truth_title
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import Events


def test_the_truth_has_the_words_of_the_run(tmp_path: Path) -> None:
    assert truth_title(tmp_path) == "truth"
    (tmp_path / "config.json").write_text(json.dumps({"model": "urqmd"}))
    assert truth_title(tmp_path) == "truth, UrQMD"
    (tmp_path / "run.json").write_text(json.dumps({"data": None}))
    assert truth_title(tmp_path) == "truth, UrQMD"
    (tmp_path / "run.json").write_text(json.dumps({"data": "/home/me/events.hepmc3"}))
    assert truth_title(tmp_path) == "truth"


def test_a_file_of_generated_events_without_a_column_is_named(
    tmp_path: Path, toy: Callable[..., Events], write_generators: Callable[..., Path]
) -> None:
    run = write_generators(tmp_path, [], {"flow": toy(20, 1)}, toy(20, 2))
    with h5py.File(run / "generated" / "test" / "flow.h5", "a") as file:
        del file["kind"]
    with pytest.raises(BadInput, match=r"flow\.h5 has no column 'kind'"):
        interaction_sections(run, {})


def test_a_malformed_file_of_true_events_is_named(tmp_path: Path, full: Path) -> None:
    (tmp_path / "metrics.json").write_bytes((full / "metrics.json").read_bytes())
    place = tmp_path / "generated" / "test"
    place.mkdir(parents=True)
    (place / "truth.h5").write_bytes(b"not HDF5")
    with pytest.raises(BadInput, match=r"truth\.h5"):
        interaction_sections(tmp_path, {})
