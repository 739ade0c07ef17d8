"""The explanations of a search for sources, on predictors that are not trained but made to know something."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from cloudchamber.baselines.sky_likelihood import VonMisesFisherScan
from cloudchamber.data.samples import ArrayRecords, Samples
from cloudchamber.experiments.skies import as_they_are, deepsphere, graph, inputs, targets
from cloudchamber.explain import skies
from cloudchamber.layers.sky_maps import sky_maps
from cloudchamber.learning.options import TrainingOptions
from cloudchamber.learning.source_detector import SourceDetector
from cloudchamber.learning.weights import ready
from cloudchamber.studies.cosmic_ray_sources import TINY, simulate

CONFIG = TINY.changed({"cosmic_rays": 60, "signal_fraction": 0.3, "graph_neighbours": 5})
COUNT = 24


def samples(count=COUNT):
    records = ArrayRecords(simulate(CONFIG, 0, count, np.random.SeedSequence(2)))
    rows = np.arange(count)
    truth = targets(CONFIG, records.read(rows))
    return Samples(records, rows, partial(inputs, CONFIG), truth, ("a", "b", "c", "d", "e"))


def detector(title, make, look):
    found = SourceDetector(title, make, look, lambda records, seed: records, TrainingOptions(), 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        found.network = ready(found.make(), "cpu")
    return found


@pytest.fixture(scope="module")
def predictors():
    return {
        "likelihood": VonMisesFisherScan(nside=4),
        "deepsphere": detector("DeepSphere", partial(deepsphere, CONFIG), partial(sky_maps, nside=8)),
        "graph": detector("graph", partial(graph, CONFIG), as_they_are),
    }


METHODS = [
    "likelihood:weight",
    *(f"deepsphere:{rule}" for rule in ("epsilon", "gamma", "z_plus")),
    *(f"graph:{kind}" for kind in ("epsilon", "gamma", "z_plus", "probability")),
]


def test_maps_hold_the_shown_skies_with_their_scores(predictors) -> None:
    test = samples()
    found = skies.maps(CONFIG, predictors, test, np.random.default_rng(0))
    rows = skies.shown_skies(test)
    assert len(set(rows.tolist())) == len(rows)
    assert (test.targets[rows, 0] > 0).tolist() == [True] * (len(rows) - 1) + [False]
    fractions = test.targets[test.targets[:, 0] > 0, 1]
    nearest = [fractions[np.abs(fractions - wanted).argmin()] for wanted in skies.SHOWN]
    assert test.targets[rows[:-1], 1].tolist() == list(dict.fromkeys(nearest))
    assert list(found["method"]) == METHODS
    assert found["score"].shape == (len(METHODS), len(rows), 60)
    size = np.sqrt(np.square(found["score"][METHODS.index("graph:gamma")]).mean(axis=1))
    np.testing.assert_allclose(size, 1, rtol=1e-5)  # float32
    said = predictors["deepsphere"].predict(test.inputs(rows)).mean
    place = list(found["predictor"]).index("deepsphere")
    np.testing.assert_array_equal(found["statistic"][place], said[:, 0])
    np.testing.assert_array_equal(found["signal"], test.records.read(rows)["signal"])


def test_z_plus_has_no_sign(predictors) -> None:
    """The output's sign is taken out: whatever the output, z+ relevance is positive."""
    rays = samples().inputs()
    one = predictors["deepsphere"]
    outputs = one.predict(rays).mean[:, 0]
    for sign in (1.0, -1.0):
        network = one.make()
        network.load_state_dict(one.network.state_dict())
        last = [layer for layer in network.dense if isinstance(layer, torch.nn.Linear)][-1]
        with torch.no_grad():
            last.bias[0] += sign * (1 + np.abs(outputs).max())
        found = skies.by_cosmic_ray(one, network.eval(), rays[:3], "z_plus")
        assert found.min() >= 0
        assert found.max() > 0


def test_roc_area_is_the_share_of_counted_pairs(predictors) -> None:
    """The area under the curve of a method, by another road."""
    test = samples()
    scan = predictors["likelihood"]
    found = skies.roc(CONFIG, predictors, test, np.random.default_rng(0))
    assert list(found["method"]) == METHODS
    assert (found["skies"] >= found["common"]).all()
    assert found["true_positive"].shape == (len(METHODS), len(found["false_positive"]))
    assert len(found["false_positive"]) <= 200
    assert (np.diff(found["true_positive"], axis=1) >= 0).all()
    # probability that a signal cosmic ray has the larger weight, over all pairs
    rows = skies._signal_skies(test, int(found["skies"][0]))
    weights, truth = scan.event_weights(test.inputs(rows)), test.records.read(rows)["signal"] > 0
    pairs = weights[truth][:, None] - weights[~truth][None]
    assert found["auc"][0] == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean(), abs=1e-12)
    assert found["auc"][0] > 0.7  # a source of a third of the sky cannot be missed
    assert found["skies_by_number"].sum(axis=1).tolist() == found["skies"].tolist()


def test_deletion_uses_the_same_chance_for_all(predictors) -> None:
    found = skies.deletion(CONFIG, predictors, samples(), np.random.default_rng(0))
    pairs = list(zip(found["network"], found["method"], strict=True))
    assert ("deepsphere", "deepsphere:epsilon") in pairs
    assert ("deepsphere", "graph:probability") not in pairs  # of another network
    assert ("graph", "likelihood:weight") in pairs
    for network in ("deepsphere", "graph"):
        rows = [row for row, name in enumerate(found["network"]) if name == network]
        for row in rows[1:]:
            np.testing.assert_array_equal(found["random"][rows[0]], found["random"][row])
    np.testing.assert_allclose(found["statistic"][:, 0], found["random"][:, 0])  # nothing deleted yet
    np.testing.assert_allclose(found["difference"], found["random"] - found["statistic"], atol=1e-9)


def test_relevance_of_skies_is_conserved_in_every_layer(predictors) -> None:
    found = skies.sanity(CONFIG, predictors, samples(), np.random.default_rng(0))
    assert set(found["layer_network"]) == {"deepsphere", "graph"}
    assert set(found["layer_rule"]) == {"epsilon", "gamma", "z_plus"}
    assert found["violation"].max() < 1e-10  # double precision
    first = found["layer_network"].tolist().index("deepsphere")
    assert found["left"][first] + found["absorbed"][first] == pytest.approx(1)
    assert found["similarity"].shape == (2, 4)
    assert (np.abs(found["similarity"]) <= 1 + 1e-12).all()


def test_explanations_of_absent_predictors_are_left_out(predictors) -> None:
    rng = np.random.default_rng(0)
    alone = {"likelihood": predictors["likelihood"]}
    assert skies.deletion(CONFIG, alone, samples(), rng) == {}
    assert skies.sanity(CONFIG, alone, samples(), rng) == {}
    assert list(skies.roc(CONFIG, alone, samples(), rng)["method"]) == ["likelihood:weight"]
    assert skies.roc(CONFIG, {}, samples(), rng) == {}
    assert len(skies.maps(CONFIG, alone, samples(1), rng)["energy"]) == 1


def test_network_without_rule_is_left_out(predictors, caplog) -> None:
    config = CONFIG.changed({"activation": "sigmoid"})
    odd = detector("odd", partial(deepsphere, config), partial(sky_maps, nside=8))
    assert skies.networks({"odd": odd}, samples().inputs()) == {}
    assert "no rule for Sigmoid" in caplog.text
