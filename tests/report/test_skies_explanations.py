"""The best rule of relevance is shown, and relevance that is not learned is doubted."""

from __future__ import annotations

import numpy as np

from cloudchamber.report.skies_explanations import chosen_rules

METHODS = ("template:weight", "deepsphere:epsilon", "deepsphere:gamma", "graph:epsilon", "graph:probability")


def test_rule_is_chosen_by_its_area() -> None:
    roc = {"method": np.array(METHODS), "common_auc": np.array([0.9, 0.7, 0.8, 0.6, 0.95])}
    assert chosen_rules(roc, METHODS) == ["template:weight", *METHODS[2:]]
    roc["common_auc"][1] = 0.85
    assert "deepsphere:epsilon" in chosen_rules(roc, METHODS)
    assert chosen_rules({}, METHODS) == [name for name in METHODS if name != "deepsphere:gamma"]  # the first


def test_relevance_that_survives_random_weights_is_doubted(sections_of_sources, by_title) -> None:
    text = by_title(sections_of_sources)["Can relevance be trusted?"].text
    assert "must be read with care" in text
    assert "2.0e-15" in text
