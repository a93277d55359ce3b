"""Curves of cycles, circles and homoclinic orbits in a bifurcation set: where they lie, and whether two are one."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.set_curves import nearest_on_polyline
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.profiles import Profile

FloatArray = NDArray[np.float64]

# Two cycles are one if they lie this close in the window, and their periods and amplitudes differ by these parts; two
# circles, if their rotation numbers differ by this much.
_CLOSE: Final = 3e-3
_TURNED: Final = 3e-3
_ALIKE: Final = 0.05
# How close the end of a curve is to the point where it began.
_TOUCH: Final = 2e-2
# The same of a curve whose end is that point itself.
_EXACT: Final = 1e-6


@dataclass(frozen=True, eq=False)
class Course:
    """A curve of cycles, circles or homoclinic orbits over the window, as it was traced.

    Attributes
    ----------
    label : str
        LPC, PD, NS or Hom; LP, PD or NS of circles.
    branch : Branch
    window : Window
    condition, level : str
        As for the curves of equilibria.
    """

    label: str
    branch: Branch
    window: Window
    condition: str = "cycle"
    level: str = ""

    @cached_property
    def unit(self) -> FloatArray:
        """Its points in unit coordinates, (N, 2)."""
        return self.window.to_unit(np.column_stack([self.branch.column(n) for n in self.window.names]))

    def state(self, k: int) -> FloatArray:
        return np.asarray(self.branch.states[k])

    def holds(self, point: Point) -> bool:
        """Whether a cycle or circle found elsewhere lies on this curve."""
        if point.profile is None:
            return False
        q = self.window.to_unit([point.parameters[n] for n in self.window.names])
        distance, k, _ = nearest_on_polyline(self.unit, q)
        near = self.branch.profiles[k : k + 2]
        if distance > _CLOSE:
            return False
        if self.label == "Hom":
            states = self.branch.states[k : k + 2] - point.x
            return bool(np.min(np.max(np.abs(states), axis=1)) < _ALIKE * (1.0 + np.max(np.abs(point.x))))
        size = _size(point.profile)
        return any(_as_fast(p, point.profile) and abs(_size(p) - size) < _ALIKE * max(size, _size(p)) for p in near)

    def away(self, point: Point) -> float:
        """How far the middle of a cycle or circle is from that of the nearest one of the curve."""
        assert point.profile is not None
        q = self.window.to_unit([point.parameters[n] for n in self.window.names])
        _, k, f = nearest_on_polyline(self.unit, q)
        near = [p.states.mean(axis=0) for p in self.branch.profiles[k : k + 2]]
        middle = near[0] + f * (near[-1] - near[0])
        return float(np.max(np.abs(middle - point.profile.states.mean(axis=0))))

    def begins_at(self, point: Point) -> bool:
        """Whether it ends at a point of codimension two of equilibria: there its cycle shrinks to one."""
        q = self.window.to_unit([point.parameters[n] for n in self.window.names])
        if point.label not in BORN.get(self.label, ()) or point.profile is not None:
            return False
        for k, outcome in ((0, self.branch.outcome[0]), (-1, self.branch.outcome[1])):
            profile = self.branch.profiles[k]
            touch, alike = (_TOUCH, 0.1) if _size(profile) > 0.0 else (_EXACT, _EXACT)
            near = float(np.max(np.abs(self.unit[k] - q))) < touch
            state = np.max(np.abs(profile.states.mean(axis=0) - point.x)) < alike * (1.0 + np.max(np.abs(point.x)))
            if outcome.code in ("hopf", "resonance", "BT", "point") and near and state:
                return True
        return False


BORN: Final[dict[str, tuple[str, ...]]] = {"LPC": ("GH",), "NS": ("ZH", "HH"), "Hom": ("BT",), "LP": ("CH",)}


def _as_fast(one: Profile, other: Profile) -> bool:
    """Whether two cycles have about the same period, or two circles the same rotation number."""
    if np.isnan(one.period):
        return abs(one.rotation_number - other.rotation_number) < _TURNED
    return abs(one.period / other.period - 1.0) < _ALIKE


def _size(profile: Profile) -> float:
    return float(np.max(np.ptp(profile.states, axis=0)))
