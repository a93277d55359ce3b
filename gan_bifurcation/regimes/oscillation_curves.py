"""Curves along which cycles and circles change, followed from where these are born: borders inside what oscillates."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.circle_starts import neimark_sacker_to_circles
from gan_bifurcation.continuation.codimension_two_circles import folds_of_circles
from gan_bifurcation.continuation.collocation_starts import hopf_to_cycles
from gan_bifurcation.continuation.set_curves import nearest_on_polyline
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.continuation.trace import trace
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.regimes.borders import Collected
from gan_bifurcation.regimes.traced import TracedLine, lines_of_curve

_CYCLE_POINTS: Final = 160
_CURVE_POINTS: Final = 240
_MOST_CURVES: Final = 8
_CIRCLE_POINTS: Final = 60
_FEW: Final = 3
_OF_CYCLES: Final = ("LPC", "LP", "PD", "NS")


def curves_of_oscillations(
    collected: Collected, window: Window, tolerance: float, report: Callable[[str], bool]
) -> tuple[list[TracedLine], list[str]]:
    """Follow the cycles or circles that are born at Hopf and Neimark-Sacker points, and the curves where they change.

    Returns
    -------
    lines, notes
    """
    lines: list[TracedLine] = []
    notes: list[str] = []
    for p in _changes(collected, window, report, notes):
        if len(lines) >= _MOST_CURVES:
            notes.append("Not all curves of cycles or circles were followed.")
            break
        at = window.to_unit([p.parameters[n] for n in window.names])
        label = f"{p.label} of circles" if p.kind == "circle" else p.label
        if any(line.label == label and nearest_on_polyline(line.unit, at)[0] < 2e-3 for line in lines):
            continue
        try:
            curve = trace(p, dict(window.ranges), max_points=_CURVE_POINTS)
        except (MisuseError, np.linalg.LinAlgError) as error:
            notes.append(f"The curve of {p.name} was not followed: {error}")
            continue
        lines += lines_of_curve(curve, label, window, tolerance)
    return lines, notes


def _births(branches: Sequence[Branch]) -> list[Point]:
    """Where cycles or circles are born; of circles, which are dearer, where rest loses stability, on a few cuts."""
    cycles: list[Point] = []
    circles: list[Point] = []
    for b in branches:
        for p in (p for p in b.special_points if p.label in ("H", "NS") and not p.level):
            k = int(np.floor(p.index))
            if p.label == "H":
                cycles.append(p)
            elif np.min(b.unstable[max(k, 0) : k + 2], initial=1) == 0:
                circles.append(p)
    if len(circles) > _FEW:
        circles = [circles[k] for k in np.linspace(0, len(circles) - 1, _FEW).astype(int)]
    return cycles + circles


def _changes(collected: Collected, window: Window, report: Callable[[str], bool], notes: list[str]) -> Iterator[Point]:
    """Points of cycles or circles at which something that attracts changes."""
    # The folds of circles that begin at a CH point come first: they are found at once.
    for p in (p for c in collected.curves for p in c.branch.special_points if p.label == "CH" and not p.level):
        if report("folds of circles"):
            yield from folds_of_circles(p)
    for begin in _births(collected.branches):
        name = begin.free[0]
        start = hopf_to_cycles if begin.label == "H" else neimark_sacker_to_circles
        what = "cycles" if begin.label == "H" else "circles"
        if not report(f"{what} over {name}"):
            return
        try:
            most = _CYCLE_POINTS if begin.label == "H" else _CIRCLE_POINTS
            found = trace(start(begin), {name: window.ranges[name]}, max_points=most)
        except (MisuseError, np.linalg.LinAlgError) as error:
            notes.append(f"The {what} from {begin.name} were not followed: {error}")
            continue
        for p in found.special_points:
            k = int(np.floor(p.index))
            around = found.unstable[max(k, 0) : k + 2]
            if p.label in _OF_CYCLES and len(around) and int(np.min(around)) == 0:
                yield p
