"""What networks of the nuclear-shape study look at, and whether the explanations can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from cloudchamber.metrics.measured import Measured
from cloudchamber.report import nuclei_explanation_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.nuclei_explanation_figures import PUBLISHED_TOE
from cloudchamber.report.nuclei_run import Found, Values, said
from cloudchamber.report.page import Figure, Section
from cloudchamber.report.words import items, listed, plus_minus


def preferences(arrays: Mapping[str, Values]) -> tuple[dict[str, tuple[Values, Values]], float, str]:
    """How much more of the mask lies in toe and ankle than elsewhere: values and errors, the neutral value, a label."""
    for ending, neutral, label in (
        ("_contrast", 0.0, "attention inside − elsewhere"),
        ("", 1.0, "attention inside / elsewhere"),
    ):
        found = {
            name: (
                arrays[name + ending],
                arrays.get(f"{name}{ending}_error", np.full(len(arrays[name + ending]), np.nan)),
            )
            for name in ("toe", "ankle")
            if name + ending in arrays
        }
        if found:
            return found, neutral, label
    return {}, 0.0, ""


def mean_preference(value: Values, error: Values, chosen: Values) -> Measured:
    """Plain mean over bins, with the error of independent bins."""
    use = chosen & np.isfinite(value)
    n = int(use.sum())
    if n == 0:
        return Measured(math.nan, math.nan, 0)
    errors = error[use]
    known = np.isfinite(errors)
    typical = float(np.sqrt(np.square(errors[known]).mean())) if known.any() else math.nan
    return Measured(float(value[use].mean()), typical / math.sqrt(n), n)


def published_finding(edges: Values, regions: Mapping[str, tuple[Values, Values]], neutral: float) -> str:
    """Is the published finding there (ankle for all ``|beta2|``, toe above 0.17)? A verdict with numbers, in HTML."""
    if set(regions) != {"toe", "ankle"}:
        return ""
    centres = (edges[1:] + edges[:-1]) / 2
    ankle_value, ankle_error = regions["ankle"]
    seen = np.isfinite(ankle_value) & np.isfinite(ankle_error)
    clear = int((ankle_value - neutral > 2 * ankle_error)[seen].sum())
    ankle = mean_preference(ankle_value, ankle_error, np.ones(len(centres), bool))
    above = mean_preference(*regions["toe"], centres > PUBLISHED_TOE)
    below = mean_preference(*regions["toe"], centres <= PUBLISHED_TOE)

    def more(one: Measured, than: float, error: float = 0.0) -> bool:
        return one.value - than > 2 * math.hypot(one.error, error)  # False if any of them is nan

    ankle_there = bool(seen.any()) and clear >= 0.8 * seen.sum()
    toe_there = more(above, neutral) and more(above, below.value, below.error) and not more(below, neutral)
    if not seen.any() or not (math.isfinite(above.error) and math.isfinite(below.error)):
        head = "Whether the published finding is there cannot be judged: too few images"
    elif ankle_there and toe_there:
        head = "The published finding is there"
    elif ankle_there:
        head = "The published finding is there in part: the ankle is, the toe is not"
    elif toe_there:
        head = "The published finding is there in part: the toe is, the ankle is not"
    else:
        head = "The published finding is not there"
    return (
        f"<b>{head}.</b> Ankle: preferred by more than twice the error in {clear} of {int(seen.sum())} bins of |β₂|, on"
        f" average {said(ankle)}. Toe: {said(below)} for |β₂| below {PUBLISHED_TOE:g}, {said(above)} above. A mask that"
        f" prefers nothing would have {neutral:g}. The publication finds the ankle at all |β₂| and the toe only above"
        f" {PUBLISHED_TOE:g}."
    )


def attention_section(found: Found, arrays: Mapping[str, Values], gallery: Mapping[str, Values]) -> Section | None:
    """Regression attention masks per ``|beta2|``."""
    if "mask" not in arrays or "edges" not in arrays or not np.isfinite(arrays["mask"]).all(axis=(1, 2)).any():
        return None
    drawn = [mask_figure(found, arrays, gallery)]
    regions, neutral, label = preferences(arrays)
    text = (
        f"Which parts of the image does {found.metrics.title(found.names.network)} use? Its last feature maps,"
        " weighted with how strongly the answer depends on them, give a map of the image; the part of the map above"
        " its mean is the image's mask. Masks of images with like |β₂| are averaged, with more weight for masks that"
        " alone give nearly the answer of the whole image."
    )
    if regions:
        text += f"\n\n{published_finding(arrays['edges'], regions, neutral)}"
        drawn.append(
            picture(
                "attention_preference",
                drawings.attention_preference(arrays["edges"], regions, neutral, label),
                f"{label.capitalize()} of the box, for toe and ankle, by |β₂|; the horizontal line is a mask that"
                " prefers nothing. Vertical bars: standard errors over images; dashed: the |β₂| ="
                f" {PUBLISHED_TOE:g} above which the publication's network uses the toe.",
                "Attention on toe and ankle against the deformation, with the published threshold.",
            )
        )
    if "sigma" in arrays and np.isfinite(arrays["sigma"]).any():
        change = plus_minus(float(np.nanmean(arrays["sigma"])), math.nan)
        text += (
            f"\n\nShown only what its mask keeps of an image, the network changes its answer by {change} on average."
        )
    return Section("Where the network looks", text, tuple(drawn))


def mask_figure(found: Found, arrays: Mapping[str, Values], gallery: Mapping[str, Values]) -> Figure:
    """The masks of the bins that have images, with where events are for the image nearest in ``|beta2|``."""
    edges, masks = arrays["edges"], arrays["mask"]
    bins = np.stack([edges[:-1], edges[1:]], axis=1)
    n = arrays.get("n", np.zeros(len(masks)))
    filled = np.isfinite(masks).all(axis=(1, 2))
    outlines = None
    if "image" in gallery and "image_beta" in gallery and gallery["image"].shape[-2:] == masks.shape[-2:]:
        centres = (edges[1:] + edges[:-1]) / 2
        nearest = np.abs(np.abs(gallery["image_beta"][:, 0])[None, :] - centres[:, None]).argmin(1)
        outlines = gallery["image"][nearest, 0]
    drawing = drawings.attention_masks(
        bins[filled],
        masks[filled],
        n[filled],
        found.extent(gallery),
        arrays.get("toe_region"),
        arrays.get("ankle_region"),
        None if outlines is None else outlines[filled],
    )
    return picture(
        "attention_masks",
        drawing,
        "Regression attention mask (arXiv:1906.06429) by |β₂|: the part of the images, weighted, in which a pixel"
        " belongs to the part that matters to the network. 1 (bright): always, 0 (dark): never. Boxes: toe (head-on"
        " collisions, little flow) and ankle (half-overlapping collisions, much flow)."
        + (" White line: where events are, for the image nearest in |β₂|." if outlines is not None else ""),
        "Attention masks of the network in the plane of multiplicity and elliptic flow, one for each bin of the"
        " deformation.",
    )


def maps_section(found: Found, arrays: Mapping[str, Values], gallery: Mapping[str, Values]) -> Section | None:
    """Maps of single images."""
    if "image" not in arrays:
        return None
    methods = [name for name in drawings.METHOD_TITLES if name in arrays]
    if not methods:
        return None
    rows = np.unique(np.linspace(0, len(arrays["image"]) - 1, 4).astype(int))
    maps = {drawings.METHOD_TITLES[name]: arrays[name][rows] for name in methods}
    truth = arrays.get("abs_beta2", np.full(len(arrays["image"]), np.nan))[rows]
    return Section(
        "Single images, explained",
        "Other ways to ask the same question of one image. Grad-CAM and class activation maps read the last feature"
        " maps; LIME hides patches at random and fits a linear model to what happens; occlusion hides one patch after"
        " the other. Where methods disagree, none should be trusted alone: see the checks below.",
        (
            picture(
                "explanation_maps",
                drawings.explanation_maps(arrays["image"][rows], truth, maps, found.extent(gallery)),
                "Each row is a test image (left), each column a method. Red pixels raise the predicted |β₂|, blue"
                " ones lower it; each map is divided by its own"
                " largest value, so colours compare within a map only. Masks and Grad-CAM know no sign.",
                "Maps of the importance of pixels from several explanation methods for images of different"
                " deformation.",
            ),
        ),
    )


def sanity_section(arrays: Mapping[str, Values]) -> Section | None:
    """Deletion, insertion, randomised weights."""
    if "method" not in arrays:
        return None
    methods = [str(name) for name in arrays["method"]]
    checks = [deletion_check(methods, arrays), randomization_check(methods, arrays)]
    made = [check for check in checks if check is not None]
    if not made:
        return None
    return Section(
        "Can the explanations be trusted?",
        "A picture that looks convincing need not explain anything. Two checks: maps must change when the network's"
        " weights are random, and the pixels they name must matter more than random"
        f" ones.\n\n{items([line for line, _ in made])}",
        tuple(figure for _, figure in made),
    )


def deletion_check(methods: Sequence[str], arrays: Mapping[str, Values]) -> tuple[str, Figure] | None:
    """Whether the pixels that methods name matter more than random ones: words and a figure."""
    curves = {
        kind: (arrays[kind], arrays[f"{kind}_random"], arrays.get(f"{kind}_random_error"))
        for kind in ("deletion", "insertion")
        if kind in arrays and f"{kind}_random" in arrays
    }
    if not curves or "fraction" not in arrays:
        return None
    figure = picture(
        "deletion_insertion",
        drawings.deletion_insertion(methods, arrays["fraction"], curves),
        "Deletion: pixels are replaced by the mean image, those that a method calls most important first; a good method"
        " changes the answer fast (curve above the random one). Insertion: pixels are added to the mean image; a good"
        " method brings the answer back fast (curve below). Dashed: random smooth maps, grey: ± 2 standard errors.",
        "Change of the prediction against the part of the pixels that is deleted or inserted, for each method and for"
        " random maps.",
    )
    return better_than_random(methods, arrays["fraction"], arrays, curves), figure


def randomization_check(methods: Sequence[str], arrays: Mapping[str, Values]) -> tuple[str, Figure] | None:
    """Whether maps depend on what the network learned: words and a figure."""
    if "similarity" not in arrays:
        return None
    similarity = {
        drawings.METHOD_TITLES.get(method, method): float(value)
        for method, value in zip(methods, arrays["similarity"], strict=True)
    }
    same = [title for title, value in similarity.items() if abs(value) > 0.5]
    verdict = (
        f"{listed(same)} {'stays' if len(same) == 1 else 'stay'} similar (rank correlation beyond ±0.5) and must be"
        " read with care"
        if same
        else "no method's maps stay similar (all below 0.5)"
    )
    numbers = ", ".join(f"{title} {plus_minus(value, math.nan)}" for title, value in similarity.items())
    figure = picture(
        "randomization",
        drawings.randomization(methods, arrays["similarity"], arrays.get("similarity_error")),
        "How much of a method's map remains when all weights of the network are random. 1 (dashed): the map has"
        " nothing to do with what was learned; 0: nothing remains. Bars: standard errors over images.",
        "Rank correlation of maps from trained and from random weights, for each method.",
    )
    return f"Random weights: {escape(verdict)}. Rank correlations: {escape(numbers)}.", figure


def better_than_random(
    methods: Sequence[str],
    fraction: Values,
    arrays: Mapping[str, Values],
    curves: Mapping[str, tuple[Values, Values, Values | None]],
) -> str:
    """Which methods beat random maps, in each of deletion and insertion."""
    parts = []
    for kind, (change, random, _) in curves.items():
        sign = 1 if kind == "deletion" else -1
        noise = np.broadcast_to(random, change.shape)
        difference = arrays.get(f"{kind}_difference", np.trapezoid(change - noise, fraction, axis=1))
        error = np.nan_to_num(arrays.get(f"{kind}_difference_error", np.zeros(len(methods))))
        good = [
            drawings.METHOD_TITLES.get(name, name)
            for name, value, bar in zip(methods, sign * difference, error, strict=True)
            if value > 2 * bar
        ]
        parts.append(f"{kind}: {len(good)} of {len(methods)} ({listed(good)})")
    return f"Better than random maps, by more than twice the error where it is known: {escape('; '.join(parts))}."


def short_names(names: Sequence[str]) -> list[str]:
    """Dotted names of layers without what all of them begin with.

    Examples:
        >>> short_names(["body.0.first", "body.0.second", "body.3"])
        ['0.first', '0.second', '3']
    """
    parts = [name.split(".") for name in names]
    common = 0
    while min(map(len, parts)) > common + 1 and len({part[common] for part in parts}) == 1:
        common += 1
    return [".".join(part[common:]) for part in parts]


def features_section(arrays: Mapping[str, Values]) -> Section | None:
    """What excites single neurons."""
    if "pattern" not in arrays:
        return None
    patterns = arrays["pattern"]
    layers = short_names([str(name) for name in arrays.get("layer_names", np.arange(1, len(patterns) + 1))])
    return Section(
        "What single neurons look for",
        "Starting from the mean image, pixels are changed until one neuron answers as strongly as possible"
        " (activation maximisation). In networks for photographs shallow layers answer to edges, deeper ones to larger"
        " patterns; here one can look.",
        (
            picture(
                "features",
                drawings.feature_patterns(patterns, layers, arrays.get("start")),
                "A row is a layer, from shallow (top) to deep (bottom); each picture belongs to one neuron and has"
                " its own colour scale. "
                + (
                    "Shown is what was added to (red) and taken from (blue) the mean image."
                    if "start" in arrays
                    else "Shown is the image that the neuron prefers."
                )
                + " Multiplicity to the right, v₂ upwards, as in the images above.",
                "Synthetic images that excite single neurons most, from shallow to deep layers.",
            ),
        ),
    )
