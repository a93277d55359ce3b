"""The curves of special points over two parameters, each once, from whichever point they are met at."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.curve_points import DEGENERATE
from gan_bifurcation.continuation.problem import CONDITION_OF
from gan_bifurcation.continuation.set_curves import CONDITIONS, Curve, curve_of
from gan_bifurcation.continuation.set_cuts import orbit, same_place
from gan_bifurcation.continuation.set_cycles import Course
from gan_bifurcation.continuation.set_symmetry import Group
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.continuation.trace import trace
from gan_bifurcation.errors import MisuseError

_logger = logging.getLogger(__name__)

# Points of a curve that are looked for on another to tell whether the two are one.
_PROBES: Final = 5
_MOST_POINTS: Final = 4000


@dataclass
class Lines:
    """Curves while they are being collected.

    Attributes
    ----------
    window : Window
    coefficients : callable
        Whether the normal form along a curve is wanted, given the curve without it.
    base : int
        Iterations of the system to begin with.
    tolerance : float
        Largest distance of chords from a curve, in unit coordinates; 0 for the points of the trace alone.
    most_circles : int
        Number of points of a curve of invariant circles to stop at: each costs as much as a curve of fixed points.
    group : Group
        A point lies on a curve if an image of it does.
    curves : list of Curve or Course
    lost : list of (Point, str)
        Special points that no curve could be traced from, and why.
    repeated : int
        How many curves were found again.
    """

    window: Window
    coefficients: Callable[[Branch], bool]
    base: int = 1
    tolerance: float = 0.0
    most_circles: int = _MOST_POINTS
    group: Group = field(default_factory=Group)
    curves: list[Any] = field(default_factory=list)
    lost: list[tuple[Point, str]] = field(default_factory=list)
    repeated: int = 0

    def holds(self, point: Point) -> int | None:
        """The number of the curve that a special point lies on; a point of a periodic orbit stands for all of it."""
        condition = "cycle" if point.profile is not None else condition_of(point)
        others = [point.x] if point.profile is not None else orbit(point, self.base)
        others = [y for x in others for y in self.group.images(x)]
        for k, curve in enumerate(self.curves):
            if (curve.condition, curve.level, curve.label) != (condition, point.level, point.label):
                continue
            if curve.branch.system.iterations != point.system.iterations:
                continue
            if any(curve.holds(replace(point, x=x)) for x in others):
                return k
        return None

    def follow(self, point: Point) -> int | None:
        """Trace the curve of a special point; its number, that of a curve it repeats, or None if there is none."""
        window = dict(self.window.ranges)
        try:
            most = self.most_circles if point.kind == "circle" else _MOST_POINTS
            branch = trace(point, window, coefficients=False, max_points=most)
            plain = point.profile is None
            if (
                plain
                and point.label in DEGENERATE
                and not point.level
                and point.multiplicity == 1
                and self.coefficients(branch)
            ):
                branch = trace(point, window)
        except (MisuseError, np.linalg.LinAlgError) as error:
            self.lost.append((point, str(error)))
            _logger.info("no curve through %s: %s", point, error)
            return None
        if len(branch) < 2 or (point.label == "BP" and branch.note):
            self.lost.append((point, branch.note or "The curve is a single point of the window."))
            return None
        curve: Curve | Course = Course(point.label, branch, self.window)
        if plain:
            curve = curve_of(branch, point, self.window)
            curve = curve.refined(self.tolerance) if self.tolerance else curve
        self.curves.append(curve)
        return len(self.curves) - 1


def distinct(points: Sequence[Point], window: Window, base: int = 1) -> list[Point]:
    """Points without repetitions, in the order of their parameters."""
    kept: list[Point] = []
    for p in points:
        if not any(p.label == q.label and same_place(p, q, window, base) for q in kept):
            kept.append(p)
    return sorted(kept, key=lambda p: [p.parameters[n] for n in window.names])


def condition_of(point: Point) -> str | None:
    """What holds along the curve of a special point."""
    return point.condition if point.condition in CONDITIONS else CONDITION_OF[point.system.kind].get(point.label)
