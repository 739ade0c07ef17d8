"""Which cosmic rays a method points at, and whether that can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from itertools import pairwise
from pathlib import Path

import numpy as np

from cloudchamber.metrics.measured import Measured
from cloudchamber.report import figures as plots
from cloudchamber.report import skies_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.files import read_arrays
from cloudchamber.report.page import Section, Table
from cloudchamber.report.skies_data import amount, observed, truth
from cloudchamber.report.skies_map_figures import sky_maps
from cloudchamber.report.skies_run import LIKELIHOOD, Found, Values
from cloudchamber.report.words import items, plus_minus, said

RULES = {"epsilon": "ε rule", "gamma": "γ rule", "z_plus": "z⁺ rule"}


def method_title(found: Found, method: str) -> str:
    """``"deepsphere:epsilon"`` in words, plain text."""
    name, kind = method.split(":")
    title = found.metrics.titles.get(name, name)
    if kind in RULES:
        return f"{title}, relevance, {RULES[kind]}"
    return f"{title}, event weight" if kind == "weight" else f"{title}, its own probability"


def chosen_rules(roc: Mapping[str, Values], methods: Sequence[str]) -> list[str]:
    """The methods to show: of each network the best rule, and everything that is no relevance.

    The best rule has the largest AUC on the skies that all rules had; it is the first if that was not measured.
    """
    area = dict(zip(roc.get("method", []), roc.get("common_auc", []), strict=True))
    best: dict[str, str] = {}
    for method in methods:
        name, kind = method.split(":")
        if kind in RULES and (name not in best or area.get(method, 0.0) > area.get(best[name], 0.0)):
            best[name] = method
    return [method for method in methods if method.split(":")[1] not in RULES or method in best.values()]


def explanation_sections(found: Found, run: Path, maps: Mapping[str, Values]) -> list[Section | None]:
    """Everything on single cosmic rays."""
    roc, deletion, sanity = (read_arrays(run / "explanations" / f"{name}.h5") for name in ("roc", "deletion", "sanity"))
    return [
        map_section(found, maps, roc),
        roc_section(found, roc),
        deletion_section(found, deletion),
        sanity_section(found, sanity, roc),
    ]


def map_section(found: Found, maps: Mapping[str, Values], roc: Mapping[str, Values]) -> Section | None:
    """Data, truth, and what methods say about each cosmic ray."""
    methods = [str(name) for name in maps.get("method", [])]
    if not methods or "score" not in maps:
        return None
    shown = [method for method in chosen_rules(roc, methods) if not method.startswith(f"{LIKELIHOOD}:")]
    shown.sort(key=lambda method: method.endswith(":weight"))  # relevance first
    names = [str(name) for name in maps["predictor"]]
    drawn = []
    for number in range(len(maps["direction"])):
        first = next((name for name, kind in found.kinds.items() if kind == "network" and name in names), None)
        estimate = maps["estimate"][names.index(first), number] if first is not None else None
        there = maps["signal"][number] > 0
        panels = [
            observed(maps, number, "energies"),
            truth(maps, number, f"truth: {amount(maps, number)}", estimate if there.any() else None),
        ]
        panels += [
            replace(
                observed(maps, number, plots.wrapped(method_title(found, method), 30)),
                value=maps["score"][methods.index(method), number],
                value_label=value_label(method),
            )
            for method in shown
        ]
        answers = ", ".join(
            f"{found.metrics.title(name)} {maps['statistic'][row, number]:.1f}".replace("-", "−")
            for row, name in enumerate(names)
            if name in found.kinds and math.isfinite(maps["statistic"][row, number])
        )
        where = ""
        if estimate is not None and there.any():
            where = f" The estimate is that of {found.metrics.title(str(first))}."
        drawn.append(
            picture(
                f"relevance_{number}",
                sky_maps(panels, 3),
                f"A test sky, {amount(maps, number)}. Test statistics: {answers}.{where}",
                "Maps of one sky: energies, the truth, and the relevance or weight that each method gives to each"
                " cosmic ray.",
            )
        )
    return Section(
        "Which cosmic rays?",
        "Relevance says how much each cosmic ray contributes to a network's log-odds (red: for signal, blue: against;"
        " divided by its root mean square in the sky). The graph network also states for each cosmic ray the"
        " probability that it is signal, the likelihood scans give weights. Of the rules of relevance propagation"
        " the one is shown that does best on other skies, below.",
        tuple(drawn),
    )


def value_label(method: str) -> str:
    """Of a colour bar."""
    kind = method.split(":")[1]
    return "relevance / rms" if kind in RULES else "weight" if kind == "weight" else "probability"


def roc_section(found: Found, roc: Mapping[str, Values]) -> Section | None:
    """Relevance against the truth."""
    methods = [str(name) for name in roc.get("method", [])]
    if not methods:
        return None
    shown = [methods.index(method) for method in chosen_rules(roc, methods)]
    titles = [method_title(found, method) for method in methods]
    areas = [
        Measured(float(value), float(error), int(n))
        for value, error, n in zip(roc["auc"], roc["auc_error"], roc["skies"], strict=True)
    ]
    order = sorted(shown, key=lambda row: -areas[row].value)
    edges = roc["edges"]
    bins = [f"{math.ceil(low)} to {math.floor(high)} signal" for low, high in pairwise(edges.tolist())]
    rows = []
    for row, title in enumerate(titles):
        parts = zip(roc["auc_by_number"][row], roc["auc_by_number_error"][row], strict=True)
        by_number = [said(Measured(float(value), float(error), 0)) for value, error in parts]
        common = Measured(float(roc["common_auc"][row]), float(roc["common_auc_error"][row]), 0)
        rows.append((title, said(areas[row]), str(areas[row].n), said(common), *by_number))
    best, second = order[0], order[1:2]
    text = f"The truth is known here: does what a method points at come from the source? Best: {escape(titles[best])},"
    text += f" AUC {said(areas[best])}"
    text += f", then {escape(titles[second[0]])} with {said(areas[second[0]])}." if second else "."
    return Section(
        "Does relevance find the signal?",
        text,
        (
            picture(
                "roc",
                drawings.roc_figure(
                    {titles[row]: (roc["false_positive"], roc["true_positive"][row]) for row in order},
                    {titles[row]: areas[row] for row in order},
                ),
                "Signal cosmic rays accepted against isotropic ones, over test skies with signal, of each network the"
                " best rule. Right: the same with a logarithmic axis, for of a thousand cosmic rays only the first few"
                " are followed up. Errors of the areas: bootstrap over skies.",
                "ROC curves of single cosmic rays for relevance, probability and likelihood weights.",
            ),
        ),
        Table(
            ("method", "AUC", "skies", f"AUC, same {int(roc['common'])} skies", *(f"AUC, {one}" for one in bins)),
            tuple(rows),
            "Area under the ROC curve of single cosmic rays of test skies with signal: over all skies that could be"
            " afforded, over those that all methods had, and by the number of signal cosmic rays in a sky. 0.5 without"
            " skill. Errors: bootstrap over skies.",
        ),
    )


def deletion_section(found: Found, arrays: Mapping[str, Values]) -> Section | None:
    """Do the cosmic rays that a method names matter to the network?"""
    if "statistic" not in arrays or not len(arrays["statistic"]):
        return None
    fraction, drawn, lines = arrays["fraction"], [], []
    for network in dict.fromkeys(str(name) for name in arrays["network"]):
        rows = [row for row, name in enumerate(arrays["network"]) if str(name) == network]
        curves = {
            method_title(found, str(arrays["method"][row])): (arrays["statistic"][row], arrays["statistic_error"][row])
            for row in rows
        }
        curves["at random"] = (arrays["random"][rows[0]], arrays["random_error"][rows[0]])
        step = int(np.abs(fraction - 0.05).argmin())
        order = sorted(rows, key=lambda row: float(arrays["statistic"][row, step]))
        said_all = "; ".join(
            f"{escape(method_title(found, str(arrays['method'][row])))}"
            f" {plus_minus(float(arrays['difference'][row, step]), float(arrays['difference_error'][row, step]))}"
            for row in order
        )
        lines.append(
            f"{found.metrics.title(network)}: {100 * fraction[step]:g} % of the cosmic rays deleted, its log-odds fall"
            f" below those of random deletion by: {said_all}."
        )
        drawn.append(
            picture(
                f"deletion_{network}",
                drawings.deletion_figure(fraction, curves, f"log-odds, {found.metrics.titles.get(network, network)}"),
                f"Mean log-odds of {found.metrics.title(network)} over {int(arrays['skies'])} test skies with signal as"
                " cosmic rays are deleted, those first that a method ranks highest: a deleted cosmic ray gets an"
                " isotropic direction and keeps its energy. Bands: standard errors.",
                "Curves of log-odds against the part of the cosmic rays deleted, by order of deletion.",
            )
        )
    return Section(
        "Do these cosmic rays matter?",
        "If relevance explains a network, its log-odds must fall fast when the cosmic rays that it names lose their"
        " direction, and slowly at random. Relevance is that of the ε rule, the only one that costs"
        f" little.\n\n{items(lines)}",
        tuple(drawn),
    )


def sanity_section(found: Found, arrays: Mapping[str, Values], roc: Mapping[str, Values]) -> Section | None:
    """Conservation and random weights."""
    if "layer" not in arrays:
        return None
    owner = [f"{name}:{rule}" for name, rule in zip(arrays["layer_network"], arrays["layer_rule"], strict=True)]
    worst = int(arrays["violation"].argmax())
    conserved = (
        "Conservation: the sum of relevance above a layer is the sum below it plus what biases absorb. Largest"
        f" violation of all rules and layers: {arrays['violation'][worst]:.1e} of the output"
        f" ({escape(method_title(found, owner[worst]))}, layer “{escape(str(arrays['layer'][worst]))}”)."
    )
    lines = [conserved]
    for row, name in enumerate(arrays.get("random_network", [])):
        parts = ", ".join(
            f"{100 * part:g} %: {plus_minus(float(value), float(error))}"
            for part, value, error in zip(
                arrays["random_part"], arrays["similarity"][row], arrays["similarity_error"][row], strict=True
            )
        )
        last = float(arrays["similarity"][row, -1])
        verdict = (
            "so its relevance must be read with care: much of it is not learned"
            if abs(last) > 0.5
            else "so relevance depends on what was learned"
        )
        lines.append(
            f"Random weights, {found.metrics.title(str(name))}: rank correlation of the relevance of cosmic rays with"
            " that of the trained network, by the part of the layers (from the output down) with random weights:"
            f" {parts}; {verdict}."
        )
    rows: list[tuple[str, ...]] = []
    groups = {}
    for method in chosen_rules(roc, list(dict.fromkeys(owner))):
        groups[len(rows)] = method_title(found, method)
        for row, one in enumerate(owner):
            if one == method:
                rows.append(
                    (
                        str(arrays["layer"][row]),
                        f"{100 * arrays['left'][row]:.1f}".replace("-", "−"),
                        f"{100 * arrays['absorbed'][row]:.1f}".replace("-", "−"),
                        f"{arrays['violation'][row]:.0e}".replace("-", "−"),
                    )
                )
    return Section(
        "Can relevance be trusted?",
        f"Two checks that do not need the truth.\n\n{items(lines)}",
        (),
        Table(
            ("layer, from the output down", "relevance below it [% of the output]", "absorbed [%]", "violation"),
            tuple(rows),
            "Layer-wise relevance propagation of the two test skies with most signal: mean sum of the"
            " relevance that arrives below each layer, what biases (and the stabiliser) absorbed"
            " in it, and the largest violation of their sum.",
            groups=groups,
        ),
    )
