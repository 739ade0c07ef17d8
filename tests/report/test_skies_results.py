"""Words on who needs how many signal cosmic rays follow the numbers."""

from __future__ import annotations

import math
from dataclasses import replace

from cloudchamber.report.skies_results import needed_line
from cloudchamber.report.skies_run import compared, read_run


def test_words_follow_the_numbers(sources, sections_of_sources, sky_config, sky_worlds, by_title) -> None:
    found = read_run(sources, sky_config, sky_worlds)
    needed = found.needed("deepsphere", "helium")
    assert needed is not None
    low, high = replace(needed, value=30.0, error=1.0), replace(needed, value=36.0, error=2.0)
    assert compared(low, high, "fewer", "more").startswith("clearly fewer")
    assert compared(high, low, "fewer", "more").startswith("clearly more")
    assert compared(low, low, "fewer", "more").startswith("the same")
    assert compared(low, replace(high, error=math.nan), "fewer", "more") == "fewer, with an error that is not known"
    scores = {**found.metrics.scores}
    for name, score in (("deepsphere", low), ("graph", high), ("top_hat", high), ("template", high)):
        scores[name, "helium", "signal", "signal_needed"] = score
    line = needed_line(replace(found, metrics=replace(found.metrics, scores=scores)), "helium")
    assert "<b>DeepSphere</b> needs 30.0 ± 1.0" in line
    assert line.count("clearly fewer") == 2
    assert "a leak until explained" in line
    assert found.metrics.title("template") == "template &lt;scan&gt;"
    assert "What came out" in by_title(sections_of_sources)
