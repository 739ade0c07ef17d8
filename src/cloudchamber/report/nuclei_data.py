"""What the data of the nuclear-shape study are: nuclei, single collisions, images."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
from scipy.ndimage import gaussian_filter

from cloudchamber.report import nuclei_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.nuclei_run import Found, ShapeConfig, Values
from cloudchamber.report.page import Section
from cloudchamber.report.words import listed


def nuclei_section(config: ShapeConfig) -> Section | None:
    """Density contours on the talk's 5 x 5 grid."""
    beta2s = [float(value) for value in np.linspace(-config.beta2_max, config.beta2_max, 5)]
    beta4s = [float(value) for value in np.linspace(-config.beta4_max, config.beta4_max, 5)]
    drawing = drawings.nuclear_density_grid(config.nucleus, beta2s, beta4s, config.radius, config.diffuseness)
    return Section(
        "The nuclei",
        "The density of nucleons (protons and neutrons) in a nucleus is nearly constant inside and falls off over about"
        " half a femtometre (1 fm = 10⁻¹⁵ m) at the surface. The surface need not be a sphere: its radius is R₀ (1 + β₂"
        " Y₂₀ + β₄ Y₄₀), with two spherical harmonics Y of the angle to the symmetry axis.",
        (
            picture(
                "nuclei",
                drawing,
                f"The nuclei whose collisions are simulated ({escape(config.nucleus)}), cut along the symmetry axis"
                " (upwards). β₂ grows from top to bottom: flattened, spherical, stretched. β₄ grows from left to right:"
                " dips to bumps. Colour: density relative to that deep inside; white lines: 10, 50 and 90 % of it. The"
                " study covers every shape between the corners.",
                "Grid of five by five contour plots of the nuclear density, from flattened (top) to stretched"
                " (bottom) nuclei.",
            ),
        ),
    )


def collision_section(gallery: Mapping[str, Values]) -> Section | None:
    """Entropy profiles of single events."""
    if "profile" not in gallery:
        return None
    profiles = gallery["profile"]
    titles = [
        str(title) for title in gallery.get("profile_title", np.array([f"event {i + 1}" for i in range(len(profiles))]))
    ]
    extent = [float(edge) for edge in gallery.get("profile_extent", np.array([-10.0, 10.0, -10.0, 10.0]))]
    drawing = drawings.collisions(profiles, titles, extent)
    return Section(
        "Single collisions",
        "The collision deposits entropy, which becomes particles, where the two nuclei overlap (TRENTo model,"
        " arXiv:1412.4708). A stretched nucleus can be hit along its axis (tip-tip: round overlap, little flow) or from"
        " the side (body-body: elongated overlap, much flow). Nobody can choose; each event is turned at random.",
        (
            picture(
                "collisions",
                drawing,
                f"Single events ({escape('; '.join(titles))}): entropy density across the beams, which run"
                " perpendicular to the page, 1 fm = 10⁻¹⁵ m. The pressure falls off fastest along the short side of"
                " the overlap: more particles fly that way, which is elliptic flow.",
                f"Maps of the entropy density of single collisions: {listed(titles)}.",
            ),
        ),
    )


def image_section(found: Found, gallery: Mapping[str, Values]) -> Section | None:
    """What predictors read."""
    if "image" not in gallery or "image_beta" not in gallery:
        return None
    images, betas = gallery["image"], gallery["image_beta"]
    config = found.config
    kept = round(config.events * config.centrality)
    two = images.shape[1] > 1
    size = (
        " The lower row is the size channel, which the publication does not have: whether the collisions of a pixel"
        " were more compact (red) or more spread out (blue) than other collisions of the same multiplicity, as a"
        " significance. Compact collisions give particles a larger mean transverse momentum [p<sub>T</sub>], so this"
        " can be measured." if two else ""
    )  # fmt: skip
    return Section(
        "What the predictors see",
        f"One image is one nucleus: the {kept:,} most central of its {config.events:,} simulated collisions".replace(
            ",", "\u202f"
        )
        + f" ({100 * config.centrality:.0f} %), counted in the plane of multiplicity and elliptic flow. v₂ follows"
        " from the elongation ε₂ of the overlap, v₂ = 0.2 ε₂ + 0.1 ε₂³ with a fluctuation of"
        f" {100 * config.residual_fluctuation:.0f} % (arXiv:1906.06429); the multiplicity is divided by its mean in the"
        " 1 % most central collisions of the same nucleus. No image shares events with another. The lower right corner"
        " (the publication's <i>toe</i>) holds head-on collisions; the <i>ankle</i>, at about half of the largest"
        " multiplicity and large v₂, those that overlap in part.",
        (
            picture(
                "images",
                drawings.shape_images(images, betas, found.extent(gallery)),
                "Images of nuclei from flattened (left) to stretched (right), with β₄ as near to 0 as the data set"
                " has it."
                " Upper row: density of events. " + alike(images, betas) + size,
                "Two-dimensional histograms of multiplicity and elliptic flow for nuclei of different deformation.",
            ),
        ),
    )


def alike(images: Values, betas: Values) -> str:
    """How much the images of the smallest, the largest and the middle beta2 resemble each other."""
    order = np.argsort(betas[:, 0])
    low, middle, high = order[0], int(np.abs(betas[:, 0]).argmin()), order[-1]
    if len({int(low), middle, int(high)}) < 3:
        return ""
    smooth = [gaussian_filter(images[one, 0].astype(np.float64), 2).ravel() for one in (low, middle, high)]
    if any(np.ptp(one) == 0 for one in smooth):
        return ""
    table = np.corrcoef(smooth)
    return (
        f"Correlation of the images, after smoothing: {table[0, 2]:.2f} between opposite deformations (β₂ ="
        f" {betas[low, 0]:.2f} and {betas[high, 0]:.2f}), {table[0, 1]:.2f} and {table[1, 2]:.2f} between each of them"
        f" and β₂ = {betas[middle, 0]:.2f}."
    ).replace("-", "−")
