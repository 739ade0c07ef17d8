"""What is extrapolated is called so, and p-values that are none are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cloudchamber.data import ensembles
from cloudchamber.report.skies_run import read_run
from cloudchamber.report.skies_significance import significance_section, uniformity_section


def test_significance_says_what_is_extrapolated(sections_of_sources, by_title) -> None:
    text = by_title(sections_of_sources)["How few signal cosmic rays are enough?"].text
    assert "With 480 isotropic skies" in text  # of the test split and three worlds
    assert "every number for 5σ in this run is extrapolated" in text


def test_ensemble_extends_the_measurement(sources, sky_config, sky_worlds) -> None:
    def statistic(seeds, count):
        return np.random.default_rng(seeds).exponential(size=count)

    ensembles.extend(sources / "null" / "deepsphere", "key", 4000, 2000, 1, statistic)
    try:
        found = read_run(sources, sky_config, sky_worlds)
        assert len(found.isotropic("deepsphere")) == 4480
        assert len(found.isotropic("graph")) == 480
        text = significance_section(read_run(sources, sky_config, sky_worlds)).text
        assert "DeepSphere in 4\u2009000 further isotropic skies" in text
    finally:
        for path in (sources / "null" / "deepsphere").glob("*"):
            path.unlink()


def test_p_values_of_skies_that_differ_from_the_rest_are_not_uniform(sources, sky_config, sky_worlds) -> None:
    """The test split's skies are counted in those of the other samples: a sample unlike the others shows."""
    found = read_run(sources, sky_config, sky_worlds)
    good = uniformity_section(found)
    assert good is not None
    assert "Not uniform at 1 %: none" in good.text
    one = found.scored["test"]
    mean = one.predictions["graph"].mean.copy()
    mean[:, 0] += 1
    shifted = {**one.predictions, "graph": replace(one.predictions["graph"], mean=mean)}
    bad = uniformity_section(replace(found, scored={**found.scored, "test": replace(one, predictions=shifted)}))
    assert bad is not None
    assert "Not uniform at 1 %: graph network" in bad.text
