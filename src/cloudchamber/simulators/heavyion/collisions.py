"""Initial states of heavy-ion collisions: the TRENTo model with nuclei of any shape.

Model: J. S. Moreland, J. E. Bernhard, S. A. Bass, arXiv:1412.4708, with the semantics and defaults of the
authors' program TRENTo 2.0; nucleon constituents as in arXiv:1808.02106. Lengths in fm, cross sections in
fm^2, angles in rad; the impact parameter points along x; profiles are ``[event, iy, ix]``: the second axis is y.

An event is a pure function of seed and event number (``randomness``): batches can be split anywhere, and nuclei of
different shape collide with the same random numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from cloudchamber.schema import Arrays, BadInput, Config

from .cross_section import MAX_IMPACT_WIDTHS, cross_section_at, opacity, sampling_width
from .events import COLUMNS, MAX_TRIALS, Geometry, side, simulate
from .nuclei import Nucleus, surface_radius
from .participants import Interaction, Side, interaction
from .sampling import sampler
from .thickness import Mesh, mesh

MAX_CELLS_PER_AXIS = 4000
UNINTERRUPTED = 2000
"""Events in one call of compiled code."""


class CollisionOptions(Config):
    """Physical and grid options, with TRENTo's defaults."""

    cross_section: float = Field(6.4, gt=0, description="inelastic nucleon-nucleon cross section sigma_NN [fm^2]")
    sqrt_s: float | None = Field(
        None, ge=10, le=1e5, description="energy per nucleon pair [GeV]; if given, it sets the cross section"
    )
    nucleon_width: float = Field(0.5, gt=0, description="Gaussian width of a nucleon [fm]")
    constituent_width: float | None = Field(
        None, gt=0, description="Gaussian width of a constituent [fm]; None: as the nucleon"
    )
    constituent_number: int = Field(1, ge=1, le=100, description="constituents of a nucleon")
    fluctuation: float = Field(1.0, gt=0, description="shape k of the gamma fluctuations (mean 1, variance 1/k)")
    reduced_thickness: float = Field(0.0, description="p of the generalised mean of the two thicknesses")
    normalization: float = Field(1.0, gt=0, description="overall factor of the reduced thickness")
    b_min: float = Field(0.0, ge=0, description="smallest impact parameter [fm]")
    b_max: float | None = Field(None, ge=0, description="largest impact parameter [fm]; None: all that can collide")
    grid_max: float = Field(10.0, gt=0, description="half-width of the grid [fm]")
    grid_step: float = Field(0.2, gt=0, description="cell size of the grid [fm]")
    ncoll: bool = Field(False, description="count all colliding pairs (slower)")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.b_max is not None and self.b_max < self.b_min:
            raise BadInput(
                f"empty impact-parameter range: b_min = {self.b_min:g} fm exceeds b_max = {self.b_max:g} fm", status=2
            )
        if self.width > self.nucleon_width:
            raise BadInput(
                f"constituent width {self.width:g} fm exceeds the nucleon width {self.nucleon_width:g} fm", status=2
            )
        if self.constituent_number == 1 and self.width < self.nucleon_width:
            raise BadInput(
                f"one constituent of width {self.width:g} fm cannot make a nucleon of width {self.nucleon_width:g} fm:"
                " give constituent_number > 1",
                status=2,
            )
        if 2 * self.grid_max / self.grid_step > MAX_CELLS_PER_AXIS:
            raise BadInput(
                f"grid of {2 * self.grid_max / self.grid_step:.0f} cells an axis: at most {MAX_CELLS_PER_AXIS}",
                status=2,
            )
        return self

    @property
    def width(self) -> float:
        """Constituent width [fm]."""
        return self.nucleon_width if self.constituent_width is None else self.constituent_width

    @property
    def sigma(self) -> float:
        """Inelastic nucleon-nucleon cross section [fm^2]."""
        return self.cross_section if self.sqrt_s is None else cross_section_at(self.sqrt_s)


def impact_range(nucleus_a: Nucleus, nucleus_b: Nucleus, options: CollisionOptions) -> tuple[float, float]:
    """Smallest and largest impact parameter [fm]; automatic as in TRENTo: sum of the reaches + 6 nucleon widths."""
    widest = nucleus_a.reach + nucleus_b.reach + MAX_IMPACT_WIDTHS * options.nucleon_width
    largest = widest if options.b_max is None else options.b_max
    if options.b_min > largest:
        raise BadInput(
            f"empty impact-parameter range: b_min = {options.b_min:g} fm, but {nucleus_a.name} and {nucleus_b.name}"
            f" no longer collide beyond {largest:.1f} fm",
            status=2,
        )
    return options.b_min, largest


def collide(
    nucleus_a: Nucleus,
    nucleus_b: Nucleus,
    n_events: int,
    seed: int,
    options: CollisionOptions | None = None,
    first_event: int = 0,
    profiles: bool = False,
    *,
    orientations: Sequence[tuple[float, float]] | None = None,
) -> Arrays:
    """Minimum-bias (or impact-parameter selected) collisions, each with at least one colliding pair.

    Args:
        nucleus_a: projectile, moved to +x.
        nucleus_b: target.
        n_events: number of events.
        seed: any integer; the same seed gives the same events.
        options: physical and grid options; None: TRENTo's defaults.
        first_event: number of the first event; ``collide(10)`` is ``collide(5)`` then ``collide(5, first_event=5)``.
        profiles: whether to return the entropy profiles (memory: n_events x N^2 x 8 bytes).
        orientations: (tilt of the symmetry axis against the beam, its azimuth) of both nuclei [rad]; None: random.
            ``[(0, 0), (0, 0)]`` is tip-tip; ``[(pi/2, 0), (pi/2, 0)]`` has both long axes along the impact parameter.

    Returns:
        Arrays over events: ``impact_parameter`` [fm]; ``npart``; ``ncoll`` (only if asked for); ``multiplicity``
        (integral of the reduced thickness); ``eccentricity2`` ... ``5``; ``psi2`` ... ``5`` (participant-plane angles
        in (-pi/n, pi/n] [rad]); ``rms_radius`` sqrt(<r^2>) [fm]; ``area`` pi sqrt(<x^2><y^2> - <xy>^2) [fm^2];
        ``inverse_area`` = area^(-1/2), the proxy of the mean transverse momentum d_perp of arXiv:2105.05713 [1/fm];
        and ``entropy_profile`` T_R [fm^-2] (event, y, x) if ``profiles``. Averages are weighted with T_R and taken
        about its centre of mass.

    Raises:
        BadInput: no events, an empty impact-parameter range, a grid too small, no collision possible; status 2.
    """
    return _collide(nucleus_a, nucleus_b, n_events, seed, options, first_event, profiles, orientations)[0]


def _collide(
    a: Nucleus,
    b: Nucleus,
    n_events: int,
    seed: int,
    options: CollisionOptions | None,
    first_event: int,
    profiles: bool = False,
    orientations: Sequence[tuple[float, float]] | None = None,
) -> tuple[Arrays, NDArray[np.float64]]:
    """The arrays of ``collide``, and the number of trials that each event took."""
    options = options or CollisionOptions()
    if n_events < 1:
        raise BadInput(f"number of events is {n_events}: need at least 1", status=2)
    if first_event < 0:
        raise BadInput(f"first event is {first_event}: need 0 or more", status=2)
    run = _Run(a, b, options, orientations)
    out = np.zeros((n_events, len(COLUMNS)))
    cells = run.mesh.cells
    grids = np.zeros((n_events if profiles else 0, cells, cells))
    run.events(seed, first_event, n_events, out, grids)
    *observables, trials = out.T
    arrays: Arrays = {name: column.copy() for name, column in zip(COLUMNS, observables, strict=False)}
    arrays["npart"] = arrays["npart"].astype(np.int64)
    arrays["ncoll"] = arrays["ncoll"].astype(np.int64)
    if not options.ncoll:
        del arrays["ncoll"]
    if profiles:
        arrays["entropy_profile"] = grids
    return arrays, trials


def collide_common(
    pairs: Sequence[tuple[Nucleus, Nucleus]],
    n_events: int,
    seed: int,
    options: CollisionOptions | None = None,
    first_event: int = 0,
) -> list[Arrays]:
    """The same events for several pairs of nuclei: common random numbers, for precise ratios.

    Impact parameters, orientations, the random numbers behind every nucleon's position, pair collisions and
    fluctuations are the same in event i of every pair; the automatic largest impact parameter is that of the widest.
    Event i is the first trial in which any of the pairs collides. A grazing one may miss for some pairs: for these its
    row is zero and ``collided`` is False. The rows of a pair with ``collided`` are its minimum-bias events.

    Args:
        pairs: (projectile, target), e.g. of the same mass number and different shape.
        n_events: number of events.
        seed: any integer, as in ``collide``.
        options: as in ``collide``.
        first_event: as in ``collide``.

    Returns:
        One set of arrays as of ``collide`` for each pair, with ``collided`` (bool).
    """
    options = options or CollisionOptions()
    widest = max(impact_range(a, b, options)[1] for a, b in pairs)
    common = options.changed({"b_max": widest})
    results, trials = zip(*(_collide(a, b, n_events, seed, common, first_event) for a, b in pairs), strict=True)
    first = np.min(trials, axis=0)
    for arrays, own in zip(results, trials, strict=True):
        for values in arrays.values():
            values[own > first] = 0
        arrays["collided"] = own == first
    return list(results)


class _Run:
    """Everything the compiled event loop reads, prepared once."""

    def __init__(
        self, a: Nucleus, b: Nucleus, options: CollisionOptions, orientations: Sequence[tuple[float, float]] | None
    ) -> None:
        _check_grid(a, b, options)
        b_min, b_max = impact_range(a, b, options)
        both = a.reach + b.reach
        angles = np.zeros((2, 2)) if orientations is None else np.asarray(orientations, dtype=np.float64)
        if angles.shape != (2, 2) or not np.isfinite(angles).all():
            raise BadInput("orientations: expected (tilt, azimuth) of both nuclei, finite, in rad", status=2)
        self.names = f"{a.name} and {b.name}"
        self.options = options
        self.geometry = Geometry(b_min, b_max, a.reach / both if both >= 0.1 else 0.5, orientations is not None, angles)
        m, v, w = options.constituent_number, options.width, options.nucleon_width
        self.forces: Interaction = interaction(opacity(options.sigma, w, v, m), w, v, m, sampling_width(w, v, m))
        self.mesh: Mesh = mesh(options.grid_max, options.grid_step, v, m)
        self.sampler_a, self.sampler_b = sampler(a), sampler(b)
        self.side_a: Side = side(a.mass_number, m, self.mesh)
        self.side_b: Side = side(b.mass_number, m, self.mesh)

    def events(
        self, seed: int, first: int, count: int, out: NDArray[np.float64], profiles: NDArray[np.float64]
    ) -> None:
        """Simulate into ``out`` (event, column) and ``profiles``."""
        o = self.options
        reduced = np.zeros(self.side_a.grid.shape)
        for start in range(0, count, UNINTERRUPTED):  # compiled code does not hear Ctrl-C
            end = min(start + UNINTERRUPTED, count)
            complete = simulate(
                seed % 2**63, first + start, end - start, self.sampler_a, self.sampler_b, self.geometry, self.forces,
                self.mesh, o.fluctuation, o.reduced_thickness, o.normalization, o.ncoll,
                self.side_a, self.side_b, reduced, out[start:end], profiles[start:end],
            )  # fmt: skip
            if not complete:
                raise BadInput(
                    f"no collision of {self.names} in {MAX_TRIALS} trials with b from {self.geometry.b_min:g} to"
                    f" {self.geometry.b_max:g} fm: lower b_min",
                    status=2,
                )


def _check_grid(a: Nucleus, b: Nucleus, options: CollisionOptions) -> None:
    """Refuse a grid that does not hold a central overlap: less than 0.9 of the smaller nucleus' longest radius."""
    cells = math.ceil(2 * options.grid_max / options.grid_step)
    half_width = 0.5 * cells * options.grid_step
    needed = 0.9 * min(_longest_radius(a), _longest_radius(b))
    if half_width < max(needed, 2 * options.nucleon_width):
        raise BadInput(
            f"grid too small: half-width {half_width:g} fm, but {a.name} + {b.name} needs"
            f" {max(needed, 2 * options.nucleon_width):.2g} fm: raise grid_max",
            status=2,
        )


def _longest_radius(nucleus: Nucleus) -> float:
    """Half-density radius of the longest direction, or rms radius of configurations; 0 for p and d [fm]."""
    if nucleus.configurations is not None:
        return float(np.sqrt((nucleus.configurations**2).sum(axis=-1).mean()))
    if nucleus.kind != "woods_saxon":
        return 0.0
    cos_theta, phi = np.meshgrid(np.linspace(-1, 1, 101), np.linspace(0, np.pi / 2, 9))
    return float(surface_radius(nucleus, cos_theta, phi).max())
