"""The card of a study: what it says is there, and lives where it says."""

from __future__ import annotations

from importlib import import_module

import pytest

from cloudchamber.card import card, headline, study_file
from cloudchamber.study import LearningStudy, load_study, study_names


@pytest.mark.parametrize("name", sorted(study_names()))
def test_every_module_on_a_card_can_be_imported(name: str) -> None:
    study = load_study(name)
    parts = {part.heading: part for part in card(study)}
    modules = {entry.module for part in parts.values() for entry in part.entries if entry.module}
    for module in modules:
        import_module(module)
    if isinstance(study, LearningStudy):
        assert any(module.startswith("cloudchamber.baselines.") for module in modules)
    assert study_file(name).is_file()
    first = type(study.preset("tiny"))
    assert len(parts["Settings"].entries) == len(first.model_fields)
    assert all(entry.text.split(": ", 1)[1] for entry in parts["Settings"].entries), "every setting is described"


def test_the_headline_is_the_measured_number() -> None:
    assert headline(load_study("nuclear-shape")) == "se_resnet_size: r2(abs_beta2) = 0.986 ± 0.003"
