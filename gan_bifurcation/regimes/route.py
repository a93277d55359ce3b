"""What changes along a path through a regime map: borders in the order in which they are met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gan_bifurcation.errors import MisuseError
from gan_bifurcation.regimes.crossing import Transition
from gan_bifurcation.regimes.regime import Regime, RegimeMap

FloatArray = NDArray[np.float64]

# Of the path's length: what lies between two borders that are nearer is no part of it.
_APART: Final = 1e-9


@dataclass(frozen=True)
class Step:
    """A border that a path crosses.

    Attributes
    ----------
    fraction : float
        Of the path's length, in unit coordinates.
    parameters : mapping of parameter to float
    border : int
        Position in the map's borders; -1 where none lies, as at a corner.
    label, criticality : str
    before, after : int
        Numbers of the regimes.
    verdicts : pair of str
        Before and after.
    transitions : tuple of Transition
        What becomes of each attractor; empty where the map was made without `attractors`.
    """

    fraction: float
    parameters: Mapping[str, float]
    border: int
    label: str
    criticality: str
    before: int
    after: int
    verdicts: tuple[str, str]
    transitions: tuple[Transition, ...]


def along(rmap: RegimeMap, path: Sequence[Mapping[str, float]]) -> tuple[Step, ...]:
    """The borders between regimes on the polyline through points of the window.

    Raises
    ------
    MisuseError
        If there are fewer than two points, or one lies outside the window.
    """
    if len(path) < 2:
        raise MisuseError(f"A path has at least two points of the window, got {len(path)}.")
    corners = np.array([rmap.window.point(p) for p in path])
    flat = corners if corners.shape[1] == 2 else np.column_stack([corners, np.zeros(len(corners))])
    line = shapely.LineString(flat)
    if not line.length:
        return ()
    cuts = sorted({0.0, 1.0, *_crossings(rmap, line)})
    kept = [0.0]
    for c in cuts[1:]:
        if c - kept[-1] > _APART:
            kept.append(c)
    faces = [_face_at(rmap, line, 0.5 * (a + b)) for a, b in pairwise(kept)]
    steps = []
    for cut, before, after in zip(kept[1:-1], faces, faces[1:], strict=False):
        if before.number == after.number:
            continue
        at = np.asarray(shapely.get_coordinates(line.interpolate(cut, normalized=True))[0][: rmap.window.dimension])
        k = _border_at(rmap, at, {before.number, after.number})
        label, words = ("", "") if k < 0 else (rmap.borders[k].label, rmap.borders[k].criticality)
        crossed = tuple(
            t for t in rmap.crossings or () if (t.border, t.source, t.target) == (k, before.number, after.number)
        )
        steps.append(
            Step(
                float(cut), rmap.window.values(at), k, label, words, before.number, after.number,
                (before.verdict, after.verdict), crossed,
            )
        )  # fmt: skip
    return tuple(steps)


def _crossings(rmap: RegimeMap, line: shapely.LineString) -> list[float]:
    found = []
    for border in rmap.borders:
        if rmap.window.dimension == 1:
            shape = shapely.Point(float(border.unit[0, 0]), 0.0)
            if line.distance(shape) > 1e-12:
                continue
            found.append(float(line.project(shape, normalized=True)))
            continue
        met = shapely.LineString(border.unit).intersection(line)
        found += [float(line.project(shapely.Point(c), normalized=True)) for c in shapely.get_coordinates(met).tolist()]
    return found


def _face_at(rmap: RegimeMap, line: shapely.LineString, fraction: float) -> Regime:
    point = line.interpolate(fraction, normalized=True)
    return rmap.faces[int(np.argmin([f.shape.distance(point) for f in rmap.faces]))]


def _border_at(rmap: RegimeMap, at: FloatArray, regimes: set[int]) -> int:
    """The border between two regimes next to a place."""
    best, which = 1e-3, -1
    for k, border in enumerate(rmap.borders):
        if set(border.faces) != regimes:
            continue
        if len(border.unit) == 1:
            away = float(abs(border.unit[0, 0] - at[0]))
        else:
            away = float(shapely.LineString(border.unit).distance(shapely.Point(*at)))
        if away < best:
            best, which = away, k
    return which
