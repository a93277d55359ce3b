"""From a flip of circles to what is born: two circles that are mapped to each other, or one that goes round twice.

The critical direction v(t) decides. It comes back to itself after one turn and is reversed by the map: then u + r v and
u - r v are mapped to each other, and each is a circle of the second iterate. Or it comes back reversed after one turn:
then u(2 s) + r v(2 s) is one circle of twice the length, with half the rotation number.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.circle_critical import MOST, Shifted, Vectors, over_two_turns, real_part
from gan_bifurcation.continuation.circle_waves import SIZES, highest_mode, resampled
from gan_bifurcation.continuation.starts import ProfileStart
from gan_bifurcation.derived import iterate
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.linear_states import find_linear_states
from gan_bifurcation.profiles import Profile

FloatArray = NDArray[np.float64]

# How far the first circle of the new branch lies from the old one, in units of its size.
_FIRST: Final = 0.01
# A direction is critical if the linearisation keeps it this well.
_CRITICAL: Final = 1e-3


class Direction(NamedTuple):
    """The critical direction of a flip: what it does, with the number that the linearisation multiplies it with."""

    way: str
    z: complex
    vectors: Vectors


def critical_direction(point: Point) -> Direction:
    """What the critical direction of a flip of circles does along the circle: "reverses" or "doubles".

    Raises
    ------
    MisuseError
        If there is none, or the circle has too many modes and states.
    """
    assert point.profile is not None
    system, profile = point.system, point.profile
    linear = find_linear_states(system) if system.iterations == 1 else ()
    n = system.n
    states, rho = np.array(profile.states), profile.rotation_number
    size = len(states)
    while size * (n - len(linear)) > MOST:
        smaller = [s for s in SIZES if s < size]
        if not smaller:
            break
        size = smaller[-1]
    u = resampled(states, size)
    a = np.array([system.jacobian(x)[:, :n] for x in u])
    half = complex(np.exp(1j * np.pi * rho))
    best: Direction | None = None
    for way, z in (("reverses", -1.0 + 0.0j), ("doubles", half), ("doubles", -half)):
        try:
            found = Direction(way, z, Shifted(a, linear, rho, z).vectors())
        except (ValueError, np.linalg.LinAlgError):
            continue
        if best is None or found.vectors.size < best.vectors.size:
            best = found
    if best is None or not best.vectors.size < _CRITICAL:
        raise MisuseError(
            f"No direction along the circle of {point.name or point.label} was found that the map reverses: it may be "
            f"located too coarsely, or have too many modes ({highest_mode(len(states))}); trace the branch again with "
            "smaller steps."
        )
    return best


def doubled_circles(point: Point) -> ProfileStart:
    """The start of the branch that is born at a flip of circles (called by `flip_to_period_two`)."""
    found = critical_direction(point)
    profile = point.profile
    assert profile is not None
    u, rho = np.array(profile.states), profile.rotation_number
    size = float(np.sqrt(np.mean(np.sum((u - u.mean(axis=0)) ** 2, axis=1))))
    if found.way == "reverses":
        system = iterate(point.system, 2)
        direction = resampled(real_part(found.vectors.right), len(u))
        rotation = (2.0 * rho) % 1.0
    else:
        system = point.system
        direction = over_two_turns(found.vectors.right)
        u = _twice(u, len(direction))
        # One turn of the old circle is half of one of the new: with the sign of z it may be the other half.
        same = found.z.real * np.cos(np.pi * rho) + found.z.imag * np.sin(np.pi * rho) > 0.0
        rotation = (0.5 * rho + (0.0 if same else 0.5)) % 1.0
    direction = direction * size / np.sqrt(np.mean(np.sum(direction**2, axis=1)))
    phases = np.arange(len(u)) / len(u)
    return ProfileStart(
        system, Profile(phases, u + _FIRST * direction, rotation_number=rotation), point.free[0] if point.free else "",
        direction, one_sided=True, point=point,
    )  # fmt: skip


def _twice(u: FloatArray, size: int) -> FloatArray:
    """The curve u(2 s) at a number of nodes."""
    modes = np.fft.rfft(u, axis=0) / len(u)
    made = np.zeros((size // 2 + 1, u.shape[1]), dtype=complex)
    count = min(len(modes), (len(made) + 1) // 2)
    made[: 2 * count : 2] = modes[:count]
    return np.asarray(np.fft.irfft(made * size, n=size, axis=0))
