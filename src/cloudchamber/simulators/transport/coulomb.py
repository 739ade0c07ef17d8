"""The Coulomb field of the protons on a lattice with open boundaries, by zero-padded Fourier transforms.

Hockney and Eastwood, Computer Simulation Using Particles (1988), section 6-5-4: charges are shared among the eight
nearest points (cloud in cell), the potential is their discrete convolution with e^2 / r, and the force is the gradient
of the potential interpolated with the same weights, so that energy is conserved. The lattice is COARSER times as
coarse as that of the mean field, of spacing l: then the cloud of a proton, of width COARSER l / sqrt(6) along an axis,
is about as wide as its form factor there, l / sqrt(3). As in any mean field a proton feels its own charge, too.
Positions in fm, energies in MeV.
"""

# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray

from cloudchamber.simulators.transport.equation_of_state import E2
from cloudchamber.simulators.transport.lattice import Floats, Lattice, Species

COARSER = 1.5
"""Spacing of this lattice over that of the mean field's."""
MEAN_INVERSE_DISTANCE = 2.3800774
"""Of the points of a unit cube from its centre: what a charge feels of its own cell."""


class CoulombField:
    """The field on one lattice.

    Attributes:
        lattice: of the charges.
        potential: (x, y, z) of a proton [MeV], as it was last solved for.
    """

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        self.potential: NDArray[np.float32] = np.zeros(lattice.shape, np.float32)
        self._charge: NDArray[np.float32] = np.zeros(lattice.shape, np.float32)

    @cached_property
    def _green(self) -> NDArray[np.complex64]:
        """Fourier transform of e^2 / r between lattice points, on twice the lattice along each axis."""
        axes = [
            np.minimum(np.arange(2 * n), 2 * n - np.arange(2 * n)) * self.lattice.spacing for n in self.lattice.shape
        ]
        x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
        distance = np.sqrt(x**2 + y**2 + z**2)
        distance[0, 0, 0] = self.lattice.spacing / MEAN_INVERSE_DISTANCE
        return np.asarray(scipy.fft.rfftn((E2 / distance).astype(np.float32)), np.complex64)

    def solve(self, position: Floats, species: Species, test_particles: int) -> float:
        """Solve for the potential of all protons; those outside the lattice neither make nor feel it.

        Args:
            position: (particle, 3) [fm].
            species: (particle,).
            test_particles: a nucleon.

        Returns:
            The Coulomb energy [MeV].
        """
        _share(position, species, test_particles, self.lattice.origin, self.lattice.spacing, self._charge)
        nx, ny, nz = self.lattice.shape
        # lines that hold only the padding are zeros before they are transformed, and not wanted after
        wave = scipy.fft.rfft(self._charge, 2 * nz, axis=2)
        wave = scipy.fft.fft(wave, 2 * ny, axis=1, overwrite_x=True)
        wave = scipy.fft.fft(wave, 2 * nx, axis=0, overwrite_x=True)
        wave *= self._green
        wave = scipy.fft.ifft(wave, axis=0, overwrite_x=True)[:nx]
        wave = scipy.fft.ifft(wave, axis=1, overwrite_x=True)[:, :ny]
        self.potential = np.ascontiguousarray(scipy.fft.irfft(wave, 2 * nz, axis=2)[:, :, :nz])
        return float(0.5 * np.vdot(self._charge.astype(np.float64), self.potential.astype(np.float64)))

    def kick(self, position: Floats, momentum: Floats, species: Species, time: float) -> None:
        """Change the momenta of protons by the field for a time.

        Args:
            position: (particle, 3) [fm].
            momentum: (particle, 3) [MeV/c], changed in place.
            species: (particle,).
            time: [fm/c].
        """
        _kick(position, momentum, species, self.potential, self.lattice.origin, self.lattice.spacing, time)


@njit(cache=True, error_model="numpy")
def _share(
    position: Floats, species: Species, test_particles: int, origin: tuple[float, float, float], spacing: float,
    charge: NDArray[np.float32],
) -> None:  # fmt: skip
    charge[:] = 0.0
    nx, ny, nz = charge.shape
    for i in range(len(position)):
        if species[i] != 1:
            continue
        x = (position[i, 0] - origin[0]) / spacing
        y = (position[i, 1] - origin[1]) / spacing
        z = (position[i, 2] - origin[2]) / spacing
        if not (0 <= x < nx - 1 and 0 <= y < ny - 1 and 0 <= z < nz - 1):
            continue
        ix, iy, iz = int(x), int(y), int(z)
        tx, ty, tz = x - ix, y - iy, z - iz
        for a in range(2):
            for b in range(2):
                w = (tx if a else 1 - tx) * (ty if b else 1 - ty) / test_particles
                charge[ix + a, iy + b, iz] += w * (1 - tz)
                charge[ix + a, iy + b, iz + 1] += w * tz


@njit(cache=True, error_model="numpy")
def _kick(
    position: Floats, momentum: Floats, species: Species, potential: NDArray[np.float32],
    origin: tuple[float, float, float], spacing: float, time: float,
) -> None:  # fmt: skip
    nx, ny, nz = potential.shape
    for i in range(len(position)):
        if species[i] != 1:
            continue
        x = (position[i, 0] - origin[0]) / spacing
        y = (position[i, 1] - origin[1]) / spacing
        z = (position[i, 2] - origin[2]) / spacing
        if not (0 <= x < nx - 1 and 0 <= y < ny - 1 and 0 <= z < nz - 1):
            continue
        ix, iy, iz = int(x), int(y), int(z)
        tx, ty, tz = x - ix, y - iy, z - iz
        fx = fy = fz = 0.0
        for a in range(2):
            for b in range(2):
                low = potential[ix + a, iy + b, iz]
                high = potential[ix + a, iy + b, iz + 1]
                along = (1 - tz) * low + tz * high
                wx, wy = tx if a else 1 - tx, ty if b else 1 - ty
                fx += (along if a else -along) * wy
                fy += (along if b else -along) * wx
                fz += (high - low) * wx * wy
        momentum[i, 0] -= time / spacing * fx
        momentum[i, 1] -= time / spacing * fy
        momentum[i, 2] -= time / spacing * fz
