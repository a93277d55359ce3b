"""Curves of cycles, of circles and of iterates as borders: polylines through exact points, from wherever they come."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.bifurcation_set import BifurcationSet
from gan_bifurcation.continuation.set_curves import nearest_on_polyline
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.continuation.tongues import Tongue
from gan_bifurcation.errors import MisuseError

FloatArray = NDArray[np.float64]

# A curve that ends this near to a point of codimension two of another one begins there.
_BEGINS: Final = 0.03
# Two parts of a curve that are nowhere farther apart are one.
_SAME: Final = 1e-5
# Chords between which a curve turns by more have no points put between them, nor those of so different lengths.
_SHARP: Final = 0.5
_UNEVEN: Final = 8.0
_MOST_BETWEEN: Final = 32


@dataclass(frozen=True, eq=False)
class TracedLine:
    """Part of a curve that was traced, in the window of a map.

    Attributes
    ----------
    label : str
        LPC, PD, NS, LP, ...; "LP of circles", "PD of circles"; of the edge of a tongue "tongue 1/6".
    branch : Branch
    unit : array (N, 2)
        In unit coordinates, inside the window.
    window : Window
    tip : array (2,) or None
        Where it begins, of an edge of a tongue.
    order : int
        The denominator of a tongue's rotation number; 0 of other curves.
    """

    label: str
    branch: Branch
    unit: FloatArray
    window: Window
    tip: FloatArray | None = None
    order: int = 0

    @property
    def structural(self) -> bool:
        return False

    def explains(self, place: FloatArray) -> bool:
        """Whether what changes along the curve attracts on one side: nothing else is unstable at a place of it."""
        return bool(len(self.branch.unstable) and self.branch.unstable[self.nearest(place)] == 0)

    def nearest(self, place: FloatArray) -> int:
        """The position of the point of the branch that is nearest to a place."""
        return int(np.argmin(np.linalg.norm(self._whole - place, axis=1)))

    @cached_property
    def _whole(self) -> FloatArray:
        return self.window.to_unit(np.column_stack([self.branch.column(n) for n in self.window.names]))


def traced_lines(given: Any, window: Window, tolerance: float) -> list[TracedLine]:
    """The lines of curves, tongues and bifurcation sets over the window's two parameters, of chords within a tolerance.

    Raises
    ------
    MisuseError
        If something is none of these, or is over other parameters.
    """
    lines: list[TracedLine] = []
    for branch, label, tip, order in _branches(given):
        if set(branch.free) != set(window.names):
            raise MisuseError(
                f"A curve over {', '.join(branch.free)} is no border of a map over {', '.join(window.names)}; give "
                "curves that were traced over the map's two parameters."
            )
        at = None if tip is None else window.to_unit([tip.parameters[n] for n in window.names])
        lines += [replace(line, tip=at, order=order) for line in lines_of_curve(branch, label, window, tolerance)]
    return lines


def cut_short(given: Any) -> list[str]:
    """What is said of curves that were given as borders and were not followed to their ends."""
    said: dict[str, list[str]] = {}
    for branch, label, _, _ in _branches(given):
        for outcome in branch.outcome:
            if outcome.code == "points" or not outcome.converged:
                said.setdefault(outcome.message.split(";")[0].rstrip("."), []).append(label)
    return [
        f"A curve that was given as a border ({labels[0]}) was cut: {message}. Regimes that it would divide may be "
        "joined beyond its end."
        for message, labels in said.items()
    ]


def _branches(given: Any) -> Iterable[tuple[Branch, str, Point | None, int]]:
    if isinstance(given, Branch):
        yield given, _label(given), None, 0
    elif isinstance(given, Tongue):
        for edge in given.edges:
            yield edge, f"tongue {given.rotation}", given.tip, given.rotation.denominator
    elif isinstance(given, BifurcationSet):
        for curve in given.curves:
            yield curve, _label(curve), None, 0
    elif isinstance(given, Sequence) and not isinstance(given, str):
        for item in given:
            yield from _branches(item)
    else:
        raise MisuseError(
            f"Borders are given as curves, tongues or a bifurcation set, got {type(given).__name__}; trace them first."
        )


def _label(curve: Branch) -> str:
    circles = curve.profiles and curve.system.kind == "map"
    return f"{curve.curve} of circles" if circles else curve.curve


def lines_of_curve(branch: Branch, label: str, window: Window, tolerance: float) -> list[TracedLine]:
    """A curve inside the window, without parts that it runs through twice."""
    if len(branch) < 2:
        return []
    whole = window.to_unit(np.column_stack([branch.column(n) for n in window.names]))
    index = np.arange(len(branch), dtype=float)
    special = [p for p in branch.special_points if np.isfinite(p.index)]
    where = [float(p.index) for p in special]
    if special:
        extra = np.array([window.to_unit([p.parameters[n] for n in window.names]) for p in special])
        order = np.argsort(np.concatenate([index, where]), kind="stable")
        whole = np.vstack([whole, extra])[order]
        index = np.concatenate([index, where])[order]
    whole[np.abs(whole) < 1e-9] = 0.0
    whole[np.abs(whole - 1.0) < 1e-9] = 1.0
    cuts = sorted({int(np.flatnonzero(index == w)[0]) for p, w in zip(special, where, strict=True) if p.label == "CPC"})
    edges = [0, *cuts, len(whole) - 1]
    parts: list[FloatArray] = []
    for a, b in pairwise(edges):
        part = whole[a : b + 1]
        if len(part) > 1 and not any(_covers(known, part) for known in parts):
            parts.append(part)
    parts = [rounded(part, tolerance) for part in parts]
    frame = shapely.box(0.0, 0.0, 1.0, 1.0)
    return [
        TracedLine(label, branch, shapely.get_coordinates(piece), window)
        for part in parts
        for piece in shapely.get_parts(shapely.LineString(part).intersection(frame))
        if piece.geom_type == "LineString" and piece.length > 1e-9
    ]


def rounded(points: FloatArray, tolerance: float) -> FloatArray:
    """A polyline through exact points of a smooth curve, with points between them where chords lie off by more.

    These come from the cubic through the four points around a chord; where the curve turns sharply (a cusp, a tip) or
    steps are of very different lengths, the chord stays.
    """
    chords = np.diff(points, axis=0)
    length = np.linalg.norm(chords, axis=1)
    if len(points) < 4 or not np.all(length > 0.0):
        return points
    place = np.concatenate([[0.0], np.cumsum(length)])
    direction = np.unwrap(np.arctan2(chords[:, 1], chords[:, 0]))
    turn = np.abs(np.diff(direction))
    rows: list[FloatArray] = []
    for k in range(len(chords)):
        rows.append(points[k : k + 1])
        first = min(max(k - 1, 0), len(points) - 4)
        bends, sizes = turn[first : first + 2], length[first : first + 3]
        sag = float(length[k] * np.max(bends)) / 8.0
        if sag <= tolerance or np.max(bends) > _SHARP or np.max(sizes) > _UNEVEN * np.min(sizes):
            continue
        count = min(int(np.ceil(np.sqrt(sag / tolerance))), _MOST_BETWEEN)
        at = place[k] + length[k] * np.arange(1, count) / count
        known = place[first : first + 4]
        weights = np.array([
            np.prod([(at - known[j]) / (known[i] - known[j]) for j in range(4) if j != i], axis=0) for i in range(4)
        ])  # fmt: skip
        rows.append(weights.T @ points[first : first + 4])
    return np.vstack([*rows, points[-1:]])


def _covers(known: FloatArray, part: FloatArray) -> bool:
    """Whether a part runs along one that is known: points lie on it but for what chords are off."""
    probes = part[np.linspace(0, len(part) - 1, min(len(part), 12)).astype(int)]
    vertices = np.array([np.linalg.norm(known - q, axis=1).min() for q in probes])
    chords = np.array([nearest_on_polyline(known, q)[0] for q in probes])
    step = float(np.median(np.linalg.norm(np.diff(known, axis=0), axis=1)))
    return bool(np.all((chords < _SAME) | (vertices < _SAME) | (chords < 0.05 * step)))


def joined(lines: Sequence[TracedLine], marks: Sequence[FloatArray]) -> list[FloatArray]:
    """The polylines, those that end next to a point where curves begin drawn to it."""
    made = []
    for line in lines:
        points = line.unit
        for end in (0, -1):
            tip = points[end]
            on_frame = bool(np.any((tip == 0.0) | (tip == 1.0)))
            known = [*marks, line.tip] if line.tip is not None else marks
            if on_frame or not known:
                continue
            away = np.array([np.linalg.norm(tip - m) for m in known])
            if 0.0 < away.min() < _BEGINS:
                nearest = known[int(np.argmin(away))]
                points = np.vstack([nearest, points]) if end == 0 else np.vstack([points, nearest])
        made.append(points)
    return made
