"""Nuclei: Woods-Saxon densities with any shape, light nuclei, tables of the literature, and a user's own.

Surface (arXiv:1906.06429; triaxial form as in arXiv:2105.05713)::

    R(theta, phi) = R0 [1 + beta2 (cos(gamma) Y20 + sin(gamma) Y22) + beta3 Y30 + beta4 Y40]
    rho(r, theta, phi) ~ (1 + w r^2 / R0^2) / (1 + exp((r - R(theta, phi)) / a))

Y are real, normalised spherical harmonics; lengths in fm; gamma in rad (0 prolate, pi/3 oblate for beta2 > 0). The
symmetry axis of the body frame is z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cloudchamber.schema import BadInput, did_you_mean

Kind = Literal["woods_saxon", "proton", "deuteron", "configurations"]
Correlation = Literal["none", "miller_spencer"]

HULTHEN = (0.457, 2.35)
"""Inverse lengths a, b of the deuteron's Hulthen density (e^{-a r} - e^{-b r})^2 [1/fm], r being the distance of a
nucleon from the centre (half their separation), as in TRENTo 2.0 and PHOBOS Glauber (arXiv:0805.4411)."""


@dataclass(frozen=True, eq=False)
class Nucleus:
    """A nucleus as the collisions need it.

    Attributes:
        name: symbol, for messages.
        mass_number, atomic_number: A and Z.
        radius, diffuseness: R0 and a of the Woods-Saxon density [fm]; of the protons if the neutrons have their own.
        beta2, beta3, beta4: deformation of the surface.
        gamma: triaxiality [rad].
        neutron_radius, neutron_diffuseness: R0 and a of the neutrons [fm]; None: as the protons.
        parabolic: w of the three-parameter Fermi density.
        minimum_distance: hard core, smallest distance of two nucleons in space [fm]; 0: none.
        correlation: ``"miller_spencer"``: pairs are suppressed at short distance by C(r) = [1 - e^{-1.1 r^2}
            (1 - 0.68 r^2)]^2 (G. A. Miller, J. E. Spencer, Ann. Phys. 100 (1976) 562; r in fm), C <= 1.
        kind: how positions are drawn; ``"deuteron"``: two opposite nucleons, see ``HULTHEN``.
        configurations: positions (configuration, nucleon, xyz) [fm] of kind ``"configurations"``.
        source: where the numbers come from.
    """

    name: str
    mass_number: int
    atomic_number: int
    radius: float = 0.0
    diffuseness: float = 0.0
    beta2: float = 0.0
    beta3: float = 0.0
    beta4: float = 0.0
    gamma: float = 0.0
    neutron_radius: float | None = None
    neutron_diffuseness: float | None = None
    parabolic: float = 0.0
    minimum_distance: float = 0.0
    correlation: Correlation = "none"
    kind: Kind = "woods_saxon"
    configurations: NDArray[np.float64] | None = None
    source: str = "user"

    def __post_init__(self) -> None:
        _check(self)

    @property
    def deformed(self) -> bool:
        """Whether the surface depends on direction."""
        return bool(self.beta2 or self.beta3 or self.beta4)

    @property
    def triaxial(self) -> bool:
        """Whether the surface depends on the azimuth."""
        return bool(self.beta2 * math.sin(self.gamma))

    @property
    def reach(self) -> float:
        """The "radius" of TRENTo [fm], which sets the automatic impact-parameter range and the offsets.

        Woods-Saxon: ``R (1 + 0.63 |beta2| + 0.75 |beta3| + 0.85 |beta4|) + 3 a``, the wider of protons and neutrons;
        deuteron: 99 % quantile of its exponential envelope; configurations: the largest radius of the first 500 or
        more nucleons.
        """
        if self.kind == "proton":
            return 0.0
        if self.kind == "deuteron":
            return -math.log(0.01) / (2 * HULTHEN[0])
        if self.configurations is not None:
            count = min(500 // self.configurations.shape[1] + 1, len(self.configurations))
            return float(np.sqrt((self.configurations[:count] ** 2).sum(axis=-1).max()))
        stretch = 1 + 0.63 * abs(self.beta2) + 0.75 * abs(self.beta3) + 0.85 * abs(self.beta4)
        return max(radius * stretch + 3 * diffuseness for radius, diffuseness in self.densities)

    @property
    def densities(self) -> tuple[tuple[float, float], ...]:
        """(R0, a) of the protons and, where they differ, of the neutrons [fm]."""
        protons = (self.radius, self.diffuseness)
        neutrons = (
            self.radius if self.neutron_radius is None else self.neutron_radius,
            self.diffuseness if self.neutron_diffuseness is None else self.neutron_diffuseness,
        )
        return (protons,) if protons == neutrons else (protons, neutrons)


def _check(nucleus: Nucleus) -> None:
    """Refuse what cannot be a nucleus (BadInput, status 2)."""
    name = f"nucleus {nucleus.name!r}"
    numbers = {
        key: value for key, value in vars(nucleus).items() if isinstance(value, float | int) and value is not None
    }
    for key, value in numbers.items():
        if not math.isfinite(value):
            raise BadInput(f"{name}: {key} = {value} is not a finite number", status=2)
    if nucleus.mass_number < 1 or not 0 <= nucleus.atomic_number <= nucleus.mass_number:
        raise BadInput(
            f"{name}: A = {nucleus.mass_number}, Z = {nucleus.atomic_number}: need A >= 1, 0 <= Z <= A", status=2
        )
    if nucleus.mass_number > 1000:
        raise BadInput(f"{name}: {nucleus.mass_number} nucleons: at most 1000", status=2)
    if nucleus.minimum_distance < 0:
        raise BadInput(f"{name}: minimum distance {nucleus.minimum_distance} fm is negative", status=2)
    if nucleus.kind == "configurations" and nucleus.configurations is None:
        raise BadInput(f"{name}: kind 'configurations' needs an array (configuration, nucleon, 3)", status=2)
    if nucleus.kind != "woods_saxon":
        return
    for radius, diffuseness in nucleus.densities:
        if radius <= 0 or diffuseness <= 0:
            raise BadInput(f"{name}: radius {radius} fm and diffuseness {diffuseness} fm must be positive", status=2)
        if diffuseness > radius:
            raise BadInput(f"{name}: diffuseness {diffuseness} fm exceeds the radius {radius} fm", status=2)
    _check_room(nucleus)
    if not nucleus.deformed:
        return
    cos_theta, phi = np.meshgrid(np.linspace(-1, 1, 401), np.linspace(0, np.pi / 2, 65))
    smallest = float((surface_radius(nucleus, cos_theta, phi) / nucleus.radius).min())
    if smallest <= 0:
        raise BadInput(
            f"{name}: beta2 = {nucleus.beta2:g}, beta3 = {nucleus.beta3:g}, beta4 = {nucleus.beta4:g} make the radius"
            f" negative in some direction (R/R0 = {smallest:.2f}): take smaller |beta|",
            status=2,
        )


def _check_room(nucleus: Nucleus) -> None:
    """Refuse a minimum distance that so many nucleons cannot keep.

    Random packing of hard spheres fills at most 64 % of space; nucleons reach about two diffusenesses outside.
    """
    reach = min(radius + 2 * diffuseness for radius, diffuseness in nucleus.densities)
    room = 2 * reach * (0.64 / nucleus.mass_number) ** (1 / 3)
    if nucleus.minimum_distance > room:
        raise BadInput(
            f"nucleus {nucleus.name!r}: {nucleus.mass_number} nucleons cannot be {nucleus.minimum_distance:g} fm apart,"
            f" at most about {room:.2g} fm: take a smaller minimum distance",
            status=2,
        )


def surface_radius(nucleus: Nucleus, cos_theta: ArrayLike, phi: ArrayLike) -> NDArray[np.float64]:
    """R(theta, phi) of the protons in the body frame.

    Args:
        nucleus: of kind ``"woods_saxon"``.
        cos_theta: cosine of the polar angle, any shape.
        phi: azimuth [rad], broadcast against ``cos_theta``.

    Returns:
        The half-density radius [fm].
    """
    c = np.asarray(cos_theta, dtype=np.float64)
    y20 = math.sqrt(5 / math.pi) / 4 * (3 * c**2 - 1)
    y22 = math.sqrt(15 / math.pi) / 4 * (1 - c**2) * np.cos(2 * np.asarray(phi, dtype=np.float64))
    y30 = math.sqrt(7 / math.pi) / 4 * (5 * c**3 - 3 * c)
    y40 = 3 / (16 * math.sqrt(math.pi)) * (35 * c**4 - 30 * c**2 + 3)
    quadrupole = math.cos(nucleus.gamma) * y20 + math.sin(nucleus.gamma) * y22
    surface: NDArray[np.float64] = nucleus.radius * (
        1 + nucleus.beta2 * quadrupole + nucleus.beta3 * y30 + nucleus.beta4 * y40
    )
    return surface


def density(nucleus: Nucleus, x: ArrayLike, y: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
    """Density of nucleons in the body frame relative to the undeformed centre, (Z protons + N neutrons) / A.

    Args:
        nucleus: of kind ``"woods_saxon"``.
        x: coordinate [fm].
        y: coordinate [fm]; all three are broadcast.
        z: coordinate along the symmetry axis [fm].

    Returns:
        rho / rho0, dimensionless, 1 deep inside. Not normalised between protons and neutrons of a skin.
    """
    x, y, z = (np.asarray(axis, dtype=np.float64) for axis in (x, y, z))
    r = np.sqrt(x**2 + y**2 + z**2)
    cos_theta = np.divide(z, r, out=np.ones_like(r), where=r > 0)
    shape = surface_radius(nucleus, cos_theta, np.arctan2(y, x)) / nucleus.radius
    share = nucleus.atomic_number / nucleus.mass_number
    weights = (1.0,) if len(nucleus.densities) == 1 else (share, 1 - share)
    total = np.zeros_like(r)
    for weight, (radius, diffuseness) in zip(weights, nucleus.densities, strict=True):
        exponent = np.clip((r - radius * shape) / diffuseness, -60, 60)
        total += weight * np.maximum(1 + nucleus.parabolic * (r / radius) ** 2, 0) / (1 + np.exp(exponent))
    return total


_TRENTO = "TRENTo 2.0 (arXiv:1412.4708)"
_PHOBOS = f"{_TRENTO}, after PHOBOS Glauber (arXiv:0805.4411)"
_PHENIX = f"{_TRENTO}, after PHENIX (arXiv:1509.06727)"
_MCGLAUBER = "3dMCGlauber (github.com/chunshen1987/3dMCGlauber)"
_TGLAUBER = "TGlauberMC 3 (arXiv:1710.07098, 1408.2549)"
_ISOBAR = "isobar parameters of C. Zhang, J. Jia (arXiv:2109.01631)"

# fmt: off
NUCLEI: dict[str, Nucleus] = {
    one.name: one
    for one in (
        Nucleus("p", 1, 1, kind="proton", source=_TRENTO),
        Nucleus("d", 2, 1, kind="deuteron", source=f"{_PHOBOS}, Hulthen"),
        Nucleus("O", 16, 8, 2.608, 0.513, parabolic=-0.051, source=_TGLAUBER),
        Nucleus("O2", 16, 8, 1.850, 0.497, parabolic=0.912, source=f"{_TGLAUBER}: Opar2, after Trajectum"),
        Nucleus("Al", 27, 13, 3.07, 0.519, source=_MCGLAUBER),
        Nucleus("Al2", 27, 13, 3.34, 0.580, beta2=-0.448, beta4=0.239, source=_TGLAUBER),
        Nucleus("Si", 28, 14, 3.34, 0.580, parabolic=-0.233, source=_TGLAUBER),
        Nucleus("Ar", 40, 18, 3.61, 0.516, beta2=0.167, beta4=0.007, gamma=0.474, source=_MCGLAUBER),
        Nucleus("Ca", 40, 20, 3.766, 0.586, parabolic=-0.161, source=_TGLAUBER),
        Nucleus("Ni", 58, 28, 4.309, 0.517, parabolic=-0.1308, source=_TGLAUBER),
        Nucleus("Cu", 63, 29, 4.20, 0.596, source=_PHOBOS),
        Nucleus("Cu2", 63, 29, 4.20, 0.596, beta2=0.162, beta4=-0.006, source=_PHOBOS),
        Nucleus("Cu3", 63, 29, 4.163, 0.606, beta2=0.162, beta4=0.006, source=_MCGLAUBER),
        Nucleus("Ru", 96, 44, 5.09, 0.46, beta2=0.162, source=_ISOBAR),
        Nucleus("Ru2", 96, 44, 5.09, 0.46, beta2=0.16, gamma=math.pi / 6, source="arXiv:2302.14026, triaxial"),
        Nucleus("Zr", 96, 40, 5.02, 0.52, beta2=0.06, beta3=0.20, source=_ISOBAR),
        Nucleus("Zr2", 96, 40, 5.02, 0.52, beta2=0.06, beta3=0.16, source=_MCGLAUBER),
        Nucleus("In", 115, 49, 5.35, 0.55, source=_MCGLAUBER),
        Nucleus("Xe", 129, 54, 5.36, 0.590, source=_PHOBOS),
        Nucleus("Xe2", 129, 54, 5.36, 0.590, beta2=0.162, beta4=-0.003, source=_PHOBOS),
        Nucleus("Xe3", 129, 54, 5.36, 0.590, beta2=0.18, source=f"{_TGLAUBER}: Xe2a, ALICE"),
        Nucleus("Au", 197, 79, 6.38, 0.535, source=_PHOBOS),
        Nucleus("Au2", 197, 79, 6.38, 0.535, beta2=-0.131, beta4=-0.031, source=_PHOBOS),
        Nucleus("Au3", 197, 79, 6.38, 0.505, beta2=-0.13, beta4=-0.03, source=_MCGLAUBER),
        Nucleus("Pb", 208, 82, 6.62, 0.546, source=_PHOBOS),
        Nucleus(
            "Pb2", 208, 82, 6.68, 0.447, neutron_radius=6.69, neutron_diffuseness=0.56,
            source=f"{_TGLAUBER}: Pbpn, separate protons and neutrons",
        ),
        Nucleus("U", 238, 92, 6.81, 0.600, beta2=0.280, beta4=0.093, source=_PHENIX),
        Nucleus("U2", 238, 92, 6.86, 0.420, beta2=0.265, source=_PHENIX),
        Nucleus("U3", 238, 92, 6.67, 0.440, beta2=0.280, beta4=0.093, source=_PHOBOS),
        Nucleus("U4", 238, 92, 6.874, 0.556, beta2=0.28, beta4=0.093, source=_MCGLAUBER),
    )
}
# fmt: on
"""The nuclei known by name."""


def nucleus(
    name: str,
    *,
    radius: float | None = None,
    diffuseness: float | None = None,
    beta2: float | None = None,
    beta3: float | None = None,
    beta4: float | None = None,
    gamma: float | None = None,
    neutron_radius: float | None = None,
    neutron_diffuseness: float | None = None,
    minimum_distance: float | None = None,
    correlation: Correlation | None = None,
) -> Nucleus:
    """A nucleus of the table, with some of its parameters changed (None: as in the table).

    Args:
        name: a key of ``NUCLEI``.
        radius: R0 [fm].
        diffuseness: a [fm].
        beta2: quadrupole deformation.
        beta3: octupole deformation.
        beta4: hexadecapole deformation.
        gamma: triaxiality [rad].
        neutron_radius: R0 of the neutrons [fm].
        neutron_diffuseness: a of the neutrons [fm].
        minimum_distance: of two nucleons [fm].
        correlation: short-range correlation, see ``Nucleus``.

    Raises:
        BadInput: unknown name; a shape parameter for a light nucleus; a negative radius in some direction; status 2.
    """
    if name not in NUCLEI:
        raise BadInput(f"unknown nucleus {name!r}{did_you_mean(name, NUCLEI)}", status=2)
    return reshaped(
        NUCLEI[name],
        {
            "radius": radius,
            "diffuseness": diffuseness,
            "beta2": beta2,
            "beta3": beta3,
            "beta4": beta4,
            "gamma": gamma,
            "neutron_radius": neutron_radius,
            "neutron_diffuseness": neutron_diffuseness,
            "minimum_distance": minimum_distance,
            "correlation": correlation,
        },
    )


def reshaped(one: Nucleus, changes: dict[str, Any]) -> Nucleus:
    """A nucleus with the given changes (None: unchanged); BadInput if its kind has no such parameter.

    As in TRENTo, a minimum distance has no effect on p, d and nuclei from configurations.
    """
    given = {key: value for key, value in changes.items() if value is not None}
    if not given:
        return one
    if one.kind != "woods_saxon":
        wrong = sorted(set(given) - {"minimum_distance"})
        if wrong:
            raise BadInput(f"{one.name!r} is not a Woods-Saxon nucleus: it has no {', '.join(wrong)}", status=2)
        return one
    source = one.source if set(given) <= {"minimum_distance", "correlation"} else f"changed from: {one.source}"
    return replace(one, **given, source=source)
