"""Rotation numbers by weighted Birkhoff averages.

References
----------
Das, Saiki, Sander, Yorke: Quantitative quasiperiodicity, Nonlinearity 30 (2017).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError

if TYPE_CHECKING:
    from gan_bifurcation.simulate import Orbit

__all__ = ["RotationNumber", "rotation_number", "weights"]

FloatArray = NDArray[np.float64]

_FEWEST = 64


@dataclass(frozen=True)
class RotationNumber:
    """How far the phase moves in one step, in turns.

    Attributes
    ----------
    value : float
        Between 0 and 1/2: the orientation of the plane that it is seen in has no meaning.
    error : float
        The difference of the averages over the whole orbit and over its first half.
    """

    value: float
    error: float


def weights(count: int) -> FloatArray:
    """The weights of a smooth average over a number of values: flat at both ends to all orders; they add up to one."""
    t = (np.arange(count) + 1.0) / (count + 1.0)
    w = np.exp(-1.0 / (t * (1.0 - t)))
    return np.asarray(w / w.sum())


def rotation_number(orbit: "Orbit", *, discard: float = 0.0) -> RotationNumber:
    """The rotation number of an orbit of a map on an invariant circle.

    Parameters
    ----------
    orbit : Orbit
        All its steps, in order.
    discard : float
        The part at the beginning to leave out, where the orbit has not reached the circle.

    Returns
    -------
    RotationNumber
        Outside tongues the error falls faster than any power of the length.

    Raises
    ------
    MisuseError
        If the orbit is of a flow, too short, or does not wind around its mean.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> turn = gb.System.from_equations("map", {"x": "(3*x - 4*y)/5", "y": "(4*x + 3*y)/5"})
    >>> found = rotation_number(gb.simulate(turn, {"x": 1.0, "y": 0.0}, steps=4000))
    >>> found.value, found.error < 1e-12  # arctan(4/3)/(2 pi)
    (0.1475836177, True)
    """
    from gan_bifurcation.simulate import Orbit

    if not isinstance(orbit, Orbit):
        raise MisuseError(f"A rotation number is that of an orbit from gb.simulate, got {type(orbit).__name__}.")
    if orbit.system.kind != "map" or np.any(np.diff(orbit.times) != 1.0):
        raise MisuseError("A rotation number is that of a map's orbit with every step kept; simulate without samples=.")
    states = orbit.states[int(discard * len(orbit.states)) :]
    return of_angles(angles(states))


def angles(states: FloatArray) -> FloatArray:
    """Angles (N,) in turns around the mean, in the plane of the two largest principal components.

    Raises
    ------
    MisuseError
        If there are too few states, or they come too close to the mean.
    """
    if len(states) < _FEWEST or states.shape[1] < 2:
        raise MisuseError(
            f"{len(states)} states of {states.shape[1]} numbers are too few to see a rotation; expected {_FEWEST} of 2."
        )
    centred = states - states.mean(axis=0)
    sizes = centred.std(axis=0)
    best, found = 1e-3, None
    # Some states may turn twice as fast as others: of the planes of leading components the one is taken in which the
    # orbit keeps farthest from the mean.
    for units in (np.ones_like(sizes), np.where(sizes > 0.0, sizes, 1.0)):
        _, s, axes = np.linalg.svd(centred / units, full_matrices=False)
        components = (centred / units) @ axes[:4].T
        for i in range(components.shape[1]):
            for j in range(i + 1, components.shape[1]):
                if not s[j] > 1e-8 * s[0]:
                    continue
                radius = np.hypot(components[:, i] / s[i], components[:, j] / s[j])
                # Planes of small components are noise, or harmonics: a leading one wins where both are round.
                quality = float(radius.min() / radius.max()) * float(np.sqrt(s[i] * s[j]) / s[0]) ** 0.25
                if quality > best:
                    best, found = quality, np.arctan2(components[:, j] / s[j], components[:, i] / s[i])
    if found is None:
        raise MisuseError("The orbit does not wind around its mean, so it has no rotation number; it may be periodic.")
    return np.asarray(found / (2.0 * np.pi))


def of_angles(phases: FloatArray) -> RotationNumber:
    """The rotation number of a sequence of angles in turns."""
    steps = np.diff(phases)
    middle = np.angle(np.mean(np.exp(2j * np.pi * steps))) / (2.0 * np.pi)
    steps = middle + (steps - middle + 0.5) % 1.0 - 0.5

    def average(values: FloatArray) -> float:
        mean = float(weights(len(values)) @ values) % 1.0
        return min(mean, 1.0 - mean)

    whole, half = average(steps), average(steps[: len(steps) // 2])
    return RotationNumber(whole, abs(whole - half))


def spectrum_at(states: Any, rho: float, modes: int) -> NDArray[np.complex128]:
    """Fourier coefficients (modes + 1, n) of u, for states x_j = u(j rho), by weighted averages."""
    j = np.arange(len(states))
    waves = np.exp(-2j * np.pi * np.outer(np.arange(modes + 1), j) * rho)
    return np.asarray((waves * weights(len(states))) @ states)
