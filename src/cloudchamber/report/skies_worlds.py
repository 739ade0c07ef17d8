"""What other worlds and other people say: other Galactic fields, published fractions, densities of sources."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from scipy.stats import norm

from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.significance import significance
from cloudchamber.report import skies_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.page import Section, Table
from cloudchamber.report.skies_run import FIELDS, TALK_NEEDS, Found
from cloudchamber.report.words import items, plus_minus, said, whole

REFERENCE, VARIANTS = "jf12-helium", ("planck-helium", "uf23-helium")
PUBLISHED = (
    ("trained on and looking for Centaurus A", "300", "3.67", "4.67"),
    ("trained on and looking for Centaurus A", "500", "2.6", "3.4"),
    ("trained on five sources, looking for Centaurus A", "300", "5.67", "6.33"),
    ("trained on five sources, looking for Centaurus A", "500", "4.2", "4.4"),
)
"""arXiv:1912.00625, table of minimal detectable fractions in %: network, cosmic rays, JF12, Planck-tuned JF12."""


def common_number(found: Found, worlds: Sequence[str]) -> int | None:
    """The number of signal cosmic rays nearest to TALK_NEEDS at which all worlds have a significance."""
    known = [
        {int(metric[9:]) for _, sample, _, metric in found.metrics.scores if sample == world and "sigma_at_" in metric}
        for world in worlds
    ]
    both = set.intersection(*known) if known else set()
    return min(both, key=lambda number: abs(number - TALK_NEEDS)) if both else None


def robustness_section(found: Found) -> Section | None:
    """What is lost when the Galactic field is another one."""
    others = [world for world in VARIANTS if world in found.worlds]
    if REFERENCE not in found.worlds or not others:
        return None
    number = common_number(found, [REFERENCE, *others])
    if number is None:
        return None
    metric = f"sigma_at_{number}"
    rows, losses = [], []
    for name in found.kinds:
        first = found.metrics.score(name, "signal", metric, REFERENCE)
        if first is None:
            continue
        cells = [found.metrics.titles[name], said(first), said(found.needed(name, REFERENCE))]
        for world in others:
            score = found.metrics.score(name, "signal", metric, world)
            cells += [said(score), said(found.needed(name, world))]
            if score is not None and found.kinds[name] == "network":
                error = math.hypot(first.error, score.error)
                lost = first.value - score.value
                factor = float(norm.sf(score.value) / max(norm.sf(first.value), 1e-300))
                losses.append(
                    f"{found.metrics.title(name)}, {found.world(world)}: significance"
                    f" {'lost' if lost > 0 else 'won'} {plus_minus(abs(lost), error)} σ at {number} signal cosmic rays"
                    f" (the median p-value is {factor:.2g} times that in JF12)."
                )
        rows.append(tuple(cells))
    if not rows:
        return None
    header = ["predictor"]
    for world in (REFERENCE, *others):
        title = found.worlds[world]
        header += [f"σ at {number}: {title}", f"for 5σ: {title}"]
    trained = FIELDS.get(found.config.field, found.config.field)
    return Section(
        "Another Galactic field",
        f"The networks were trained on {escape(trained)}. Nobody knows the Galactic field: what does a search lose"
        f" if it is another one than JF12?\n\n{items(losses)}",
        (),
        Table(
            tuple(header),
            tuple(rows),
            f"Significance of the median sky with {number} signal cosmic rays of 1000, and the number for five sigma (a"
            " dash: not reached or already by the smallest number), in the JF12 field and in others. What lies beyond"
            " the isotropic skies is extrapolated with the fitted tails. Errors: bootstrap over skies; isotropic skies"
            " are the same in all fields, so that errors of a difference are rather too large.",
        ),
    )


def published_section(found: Found) -> Section | None:
    """Beside the published minimal detectable fractions."""
    worlds = [REFERENCE, VARIANTS[0]]
    ours = []
    for name in found.kinds:
        scores = [found.metrics.score(name, "signal", "detectable_fraction", world) for world in worlds]
        if any(score is not None for score in scores):
            number = whole(found.config.cosmic_rays)
            title = f"{found.metrics.titles[name]}, looking for one source anywhere"
            ours.append((title, number, *(said(score, 100) for score in scores)))
    if not ours:
        return None
    return Section(
        "Beside published fractions",
        "Kalashev, Pshirkov and Zotov (arXiv:1912.00625) state the smallest fraction of signal cosmic rays that is"
        " found with a probability of 95 % when 1 % of isotropic skies are called signal. The definition here is the"
        " same; the problem is not. Theirs: cosmic rays above 56 EeV of a mixed composition (KKOS), one or five known"
        " sources, up to 500 cosmic rays, a network trained in JF12. Here: a source at an arbitrary position, which is"
        f" harder, {whole(found.config.cosmic_rays)} cosmic rays above {found.config.minimum_energy:g} EeV, helium, and"
        f" a training on {found.field}. More cosmic rays make a smaller"
        " fraction detectable, lower energies and rigidities a larger one.",
        (),
        Table(
            ("search", "cosmic rays", "JF12 [%]", "JF12 tuned to Planck [%]"),
            (*PUBLISHED, *ours),
            "Smallest detectable fraction of signal cosmic rays in per cent, at errors of the first and second kind of"
            " 1 % and 5 %. Published: from the result files that belong to arXiv:1912.00625. A dash: not reached by the"
            " largest fraction simulated, or already by the smallest.",
            groups={0: "Published (arXiv:1912.00625)", len(PUBLISHED): "This run"},
        ),
    )


def density_section(found: Found, densities: Mapping[str, float]) -> Section | None:
    """Sensitivity against the density of sources."""
    drawn = []
    world = next(iter(densities), "")
    known = found.scored[world].predictions if world else {}
    counts = {len(found.isotropic(name)) for name in found.kinds if name in known}
    labels = {
        "median_sigma": ("significance of the median sky [σ]", 0.0),
        "found_5_sigma": ("fraction of skies beyond 5σ", None),
        "auc": ("AUC of a sky against isotropy", 0.5),
    }
    for metric, (label, floor) in labels.items():
        curves: dict[str, list[Measured]] = {}
        for name in found.kinds:
            scores = [found.metrics.score(name, "signal", metric, world) for world in densities]
            if any(score is not None for score in scores):
                curves[name] = [
                    Measured(math.nan, math.nan, 0) if one is None else Measured(one.value, one.error, one.n)
                    for one in scores
                ]
        if curves:
            drawn.append(
                picture(
                    f"density_{metric}",
                    drawings.density_figure(
                        np.array(list(densities.values())), curves, found.metrics.titles, found.kinds, label,
                        no_skill=floor,
                        counted=float(significance(1 / (1 + max(counts)))) if metric == "median_sigma" else None,
                    ),
                    f"{escape(label[0].upper() + label[1:])} against the density of sources, each in skies of one"
                    " density (points are moved apart sideways). Bars: standard errors (bootstrap over skies).",
                    f"Curves of {label} against the density of sources, for each predictor.",
                )
            )  # fmt: skip
    if not drawn:
        return None
    reach = [f"{float(significance(1 / (1 + n))):.1f}σ for {whole(n)}" for n in sorted(counts)]
    return Section(
        "Up to which density of sources?",
        "The more sources contribute, the more a sky resembles an isotropic one. Densities: "
        + "; ".join(found.world(name) for name in densities)
        + f". What isotropic skies can count ends at {', '.join(reach)} isotropic skies; larger significances are from"
        " the fitted tail.",
        tuple(drawn),
    )
