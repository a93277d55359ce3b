"""The curves of special points over two parameters, each once, from whichever point they are met at."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.curve_points import DEGENERATE
from gan_bifurcation.continuation.problem import CONDITION_OF
from gan_bifurcation.continuation.run import Ends
from gan_bifurcation.continuation.set_curves import CONDITIONS, Curve, curve_of
from gan_bifurcation.continuation.set_cuts import phases, same_place
from gan_bifurcation.continuation.set_cycles import Course
from gan_bifurcation.continuation.set_images import image_of_branch, image_of_point, images
from gan_bifurcation.continuation.set_symmetry import Element, Group, inverse
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.continuation.trace import trace
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.ranges import Range

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
    coefficients : bool or callable
        Whether the normal form along a curve is wanted; a callable decides that of the curve without it.
    base : int
        Iterations of the system to begin with.
    tolerance : float
        Largest distance of chords from a curve, in unit coordinates; 0 for the points of the trace alone.
    most_circles, most_modes : int
        Number of points of a curve of invariant circles to stop at, for each costs as much as a curve of fixed points;
        and of the modes of one of them, None for as many as there can be.
    group : Group
        A point lies on a curve if an image of it does.
    mirrors : Group
        Curves that it maps to known ones are images of these, and not traced.
    curves : list of Curve or Course
    lost : list of (Point, str)
        Special points that no curve could be traced from, and why.
    repeated : int
        How many curves were found again.
    """

    window: Window
    coefficients: bool | Callable[[Branch], bool]
    base: int = 1
    tolerance: float = 0.0
    most_circles: int = _MOST_POINTS
    most_modes: int | None = None
    group: Group = field(default_factory=Group)
    mirrors: Group = field(default_factory=Group)
    curves: list[Any] = field(default_factory=list)
    lost: list[tuple[Point, str]] = field(default_factory=list)
    repeated: int = 0

    def holds(self, point: Point) -> int | None:
        """The number of the curve that a special point lies on; a point of a periodic orbit stands for all of it."""
        found = self._holding(point)
        return None if found is None or found[1] is not None else found[0]

    def _holding(self, point: Point) -> tuple[int, Element | None] | None:
        """The number of the curve that a special point lies on, or its mirror image, and which image that is."""
        condition = "cycle" if point.profile is not None else condition_of(point)
        alike = [
            k for k, c in enumerate(self.curves)
            if (c.condition, c.level, c.label, c.branch.system.iterations)
            == (condition, point.level, point.label, point.system.iterations)
        ]  # fmt: skip
        if not alike:
            return None
        own = [q for p in phases(point, self.base) for q in images(self.group, p)]
        best: tuple[float, int, Element | None] | None = None
        for e in (None, *self.mirrors.others()):
            for p in own if e is None else [image_of_point(e, q) for q in own]:
                for k in alike:
                    if not self.curves[k].holds(p):
                        continue
                    if point.profile is None:
                        return k, e
                    # Cycles and circles are compared by their sizes, which images have in common.
                    away = self.curves[k].away(p)
                    if best is None or away < best[0]:
                        best = away, k, e
        return None if best is None else best[1:]

    def follow(self, point: Point) -> int | None:
        """Trace the curve of a special point; its number, that of a curve it repeats, or None if there is none."""
        known = self._holding(point) if self.mirrors.order > 1 else None
        if known is not None and known[1] is not None:
            branch = image_of_branch(inverse(known[1]), self.curves[known[0]].branch)
            return self._kept(point, branch)
        window = dict(self.window.ranges)
        try:
            plain = point.profile is None
            signed = plain and point.label in DEGENERATE and not point.level and point.multiplicity == 1
            # Where it depends on the curve whether they are wanted, it is traced without them first.
            at_once = signed and self.coefficients is True
            if point.kind == "circle":
                branch = self._of_circles(point, window)
            else:
                branch = trace(point, window, coefficients=at_once, max_points=_MOST_POINTS)
            if signed and not at_once and callable(self.coefficients) and self.coefficients(branch):
                branch = trace(point, window)
        except (MisuseError, np.linalg.LinAlgError) as error:
            self.lost.append((point, str(error)))
            _logger.info("no curve through %s: %s", point, error)
            return None
        if len(branch) < 2 or (point.label == "BP" and branch.note):
            self.lost.append((point, branch.note or "The curve is a single point of the window."))
            return None
        return self._kept(point, branch)

    def _of_circles(self, point: Point, window: dict[str, Range]) -> Branch:
        # Most sets and maps have none, and their modules take as long to import as a small map takes.
        from gan_bifurcation.continuation.circle_curves import trace_curve
        from gan_bifurcation.continuation.circle_steps import CONTROL

        ends = Ends.of(point.system, None, None, self.most_circles)
        return trace_curve(point, window, ends, CONTROL, self.most_modes)

    def _kept(self, point: Point, branch: Branch) -> int:
        curve: Curve | Course = Course(point.label, branch, self.window)
        if point.profile is None:
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
