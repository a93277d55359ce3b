"""Over a tongue ahead: from which circles before it, and to which beyond, it is tried to get past."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.circle_newton import Circle
from gan_bifurcation.continuation.circle_waves import highest_mode, resampled, smoothed
from gan_bifurcation.continuation.farey import between, noble
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

# Resonances up to this order count as tongues, as near as this in rotation number.
ORDER: Final = 10
REACH: Final = 0.02
# Multipliers nearer to 1 than this leave Newton's method no digits.
_NEUTRAL: Final = 1e-7
# Tongues that are tried.
_MOST: Final = 2
# A circle beyond is guessed from two, which lie apart at least so many times the distance from the tongue.
_APART: Final = 2.0


@dataclass(frozen=True, eq=False)
class Slope:
    """How circles change with the rotation number: states, parameters, and the angle of a critical pair."""

    u: FloatArray
    q: FloatArray
    theta: float = 0.0


def felt(rho: float, side: float = 0.0) -> list[Fraction]:
    """The tongues near a rotation number, on one side or on both, the strongest first.

    A low order counts more than a small distance.

    >>> [str(f) for f in felt(0.213)], [str(f) for f in felt(0.213, 1.0)]
    (['1/5', '2/9'], ['2/9'])
    """
    low, high = rho - REACH * (side <= 0.0), rho + REACH * (side >= 0.0)
    return sorted(between(low, high, ORDER), key=lambda f: abs(float(f) - rho) * f.denominator)


def noble_ahead(rho: float, change: float) -> float:
    """A noble number in the second half of a step of the rotation number: anywhere there will do."""
    return noble(*sorted((rho + 0.6 * change, rho + 1.1 * change)))


def leaps(rotations: Sequence[float]) -> Iterator[tuple[int, float]]:
    """Which circle to start from (its position), and the noble rotation number as far beyond the tongue ahead.

    Close to a tongue circles are deformed, and so are their tangents: circles further and further before it are taken.

    Parameters
    ----------
    rotations : sequence of float
        Of the circles so far, in order.
    """
    last = rotations[-1]
    side = float(np.sign(last - rotations[-2])) if len(rotations) > 1 else 0.0
    if not side:
        return
    for fraction in felt(last, side)[:_MOST]:
        beyond = 1.2 * abs(float(fraction) - last)
        for k in range(len(rotations) - 1, -1, -1):
            distance = side * (float(fraction) - rotations[k])
            if k + 1 < len(rotations) and side * (rotations[k + 1] - rotations[k]) <= 0.0:
                # Before here the rotation number moved the other way.
                break
            if distance < beyond:
                continue
            centre = float(fraction) + side * distance
            yield k, noble(centre - 0.1 * distance, centre + 0.1 * distance)
            beyond = 1.5 * distance
            if beyond > REACH:
                break


def partner(rotations: Sequence[float], k: int, target: float) -> int | None:
    """The circle far enough before the k-th one to guess one at a target from both; None if there is none."""
    apart = _APART * 0.5 * abs(target - rotations[k])
    side = np.sign(target - rotations[k])
    for j in range(k - 1, -1, -1):
        if side * (rotations[j + 1] - rotations[j]) <= 0.0:
            return None
        if side * (rotations[k] - rotations[j]) >= apart:
            return j
    return None


def guessed(
    near: Circle, slope: Slope, target: float, far: Circle | None = None, far_slope: Slope | None = None
) -> tuple[Circle, float]:
    """The circle of a rotation number by the cubic through two with their slopes, or along the slope of one.

    Also by how much the angle of a critical pair changes, which is taken along the slope.
    """
    step = target - near.rho
    size = len(near.u)
    u, q = near.u + step * resampled(slope.u, size), near.q + step * slope.q
    if far is not None and far_slope is not None:
        h = near.rho - far.rho
        t = 1.0 + step / h
        a, b = 1.0 - 3.0 * t**2 + 2.0 * t**3, h * (t - 2.0 * t**2 + t**3)
        c, d = 3.0 * t**2 - 2.0 * t**3, h * (t**3 - t**2)
        u = a * resampled(far.u, size) + b * resampled(far_slope.u, size) + c * near.u + d * resampled(slope.u, size)
        # The factors are large, and Newton's method leaves alone what is in the modes that are not kept.
        u = smoothed(u)
        q = a * far.q + b * far_slope.q + c * near.q + d * slope.q
    return replace(near, u=u, q=q, rho=target), step * slope.theta


def hindrance(system: System, multipliers: NDArray[np.complex128]) -> str:
    """What keeps a circle from being continued that is no tongue; "" for nothing known."""
    if system.switching_functions:
        return "the map has kinks, and a circle that comes to one is smooth no more; simulate the map beyond it"
    nearest = float(np.min(np.abs(multipliers - 1.0), initial=np.inf))
    if nearest < _NEUTRAL:
        return f"a multiplier across the circle is 1 but for {nearest:.0e}, so that circles are hardly isolated"
    return ""


def interrupted(circle: Circle, where: str, far: float | None) -> str:
    """Why a curve of circles ends, in a sentence; `far` is the rotation number of the farthest circle tried beyond."""
    text = (
        f"The curve was lost near {where}, rotation number {circle.rho:.6g}, with {highest_mode(len(circle.u))} modes"
    )
    near = felt(circle.rho)
    if not near:
        return f"{text}: the circle breaks up there, or another multiplier is critical, too."
    tried = f", and none of the curve was found beyond it, up to rotation number {far:.4g}" if far else ""
    return (
        f"{text}: circles there feel the tongue of {near[0]}{tried}. Within the tongue the map locks; start again at a "
        "labelled circle of a branch on its other side."
    )
