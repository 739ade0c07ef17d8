"""What is read of a run of a search for sources; what is malformed is refused."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from cloudchamber.report.skies import source_sections
from cloudchamber.report.skies_run import Found, read_run
from cloudchamber.schema import BadInput


def test_truth_of_another_shape_is_refused(tmp_path, sky_config, sky_worlds) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"predictors": {}, "rows": []}))
    with h5py.File(tmp_path / "predictions.h5", "w") as file:
        file["test/truth"] = np.zeros((3, 4))
    with pytest.raises(BadInput, match=r"expected \(skies, 5\)"):
        source_sections(tmp_path, sky_config, sky_worlds)


def test_found_leaves_out_the_floor(sources, sky_config, sky_worlds) -> None:
    found: Found = read_run(sources, sky_config, sky_worlds)
    assert list(found.kinds) == ["top_hat", "template", "deepsphere", "graph"]
