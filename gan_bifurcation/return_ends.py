"""What the end of a trace of a return map's fixed points means for the cycles of the flow."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.errors import Outcome
from gan_bifurcation.poincare import Section

FloatArray = NDArray[np.float64]

# A cycle whose least speed is a smaller part of its largest passes an equilibrium within rounding.
_RESTING: Final = 1e-8
# A kink at the end of a trace is looked for so far beside it, and is a jump of the slope of at least this.
_BESIDE: Final = 1e-5
_JUMP: Final = 0.05
# A slope so near 1 is that of a family of cycles.
_NEUTRAL: Final = 1e-6
# A cycle so much smaller than at the other end of the trace has shrunk to a point.
_SHRUNK: Final = 1e-5


def ending(
    section: Section, outcome: Outcome, name: str, values: FloatArray, periods: FloatArray, points: FloatArray
) -> Outcome:
    """What the end of a trace of cycles means where steps became too small.

    Parameters
    ----------
    outcome : Outcome
    name : str
        Of the free parameter.
    values, periods : arrays (N,)
        Along the branch, the end in question last.
    points : array (N, n - 1 + m)
        The map's states and the parameters.
    """
    if outcome.code != "step too small":
        return outcome
    known = np.isfinite(periods)
    values, periods, points = values[known], periods[known], points[known]
    if len(periods) < 4:
        return outcome
    if not periods[-1] > 2.0 * periods.min():
        if _extent(section, points[-1]) < _SHRUNK * _extent(section, points[0]):
            words = f"The cycle shrinks to an equilibrium at {name} = {values[-1]:.6g} and ends there."
            return Outcome("hopf", words, True)
        return _kinked(section, outcome, name, values[-1], points[-1])
    # Where a cycle meets an equilibrium that is about to appear on it, 1/period**2 is smooth and goes to zero.
    near = periods > 0.5 * periods[-1]
    near[:-1] &= np.abs(np.diff(values)) > 1e-6 * abs(values[-1])
    last = values[near] - values[-1]
    ahead: list[float] = []
    if len(last) >= 4:
        roots = np.roots(np.polyfit(last, 1.0 / periods[near] ** 2, 2))
        ahead = [float(r.real) for r in roots if abs(r.imag) < 1e-9 and r.real * -last[0] > 0.0]
    rest = _slowest(section, points[-1])
    if ahead and rest < _RESTING:
        message = (
            f"The trace ends near {name} = {values[-1]:.6g}, the cycle does not: its period grew to "
            f"{periods[-1]:.4g}, and it passes an equilibrium so closely (at {rest:.1e} of its largest speed) that "
            f"rounding decides when it leaves. Its period seems to become infinite, and the cycle to end, at "
            f"{name} = {values[-1] + min(ahead, key=abs):.5g}."
        )
        return Outcome("no return", message, True)
    message = (
        f"The cycle ends near {name} = {values[-1]:.6g}: its period grew to {periods[-1]:.4g}, and beyond that "
        f"orbits come to rest at an equilibrium or do not come back within the time {section.longest:g}."
    )
    if ahead:
        message += f" It seems to become infinite at {name} = {values[-1] + min(ahead, key=abs):.5g}."
    return Outcome("no return", message, True)


def _slowest(section: Section, z: FloatArray) -> float:
    """The least speed along the orbit from a point to its return, as a part of the largest."""
    found = section.run(z)
    return float("nan") if found is None else section.least_speed(z, found)


def _extent(section: Section, z: FloatArray) -> float:
    """How far the states move along the orbit from a point to its return."""
    made = section.profile(z[: section.flow.n - 1], z[section.flow.n - 1 :])
    return float("nan") if made is None else float(np.max(made.highest - made.lowest))


def _kinked(section: Section, outcome: Outcome, name: str, value: float, z: FloatArray) -> Outcome:
    """Whether the trace ended at a kink of the map, where its slope jumps."""
    n = section.flow.n - 1
    here = section.jacobian(z)[1][:, :n]
    beside = []
    for k in range(n):
        for sign in (-1.0, 1.0):
            moved = z.copy()
            moved[k] += sign * _BESIDE * (1.0 + abs(z[k]))
            beside.append(section.jacobian(moved)[1][:, :n])
    beside = [slope for slope in beside if np.isfinite(slope).all()]
    worst = max((float(np.max(np.abs(slope - here), initial=0.0)) for slope in beside), default=0.0)
    neutral = any(float(np.min(np.abs(np.linalg.eigvals(slope) - 1.0))) < _NEUTRAL for slope in beside)
    if not worst > _JUMP * (1.0 + float(np.max(np.abs(here)))):
        return outcome
    message = (
        f"The cycle ends at {name} = {value:.6g} up to rounding: there its orbit only touches a surface on which "
        f"the field changes (grazing), where the slope of the return map jumps by {worst:.3g}"
        + (", on one side to 1: it joins a family of neutral cycles" if neutral else ", and no cycle was found beyond")
        + "."
    )
    return Outcome("kink", message, True)
