"""Level lines of a function that is known exactly at every place of the unit square."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.optimize import brentq

FloatArray = NDArray[np.float64]
# Of a place of the unit square, shape (2,); not a number where there is none.
Value = Callable[[FloatArray], float]

_EXACT: Final = 1e-13
_HALVINGS: Final = 5


def zero_lines(value: Value, corners: FloatArray, tolerance: float) -> list[FloatArray]:
    """Polylines on which a function is zero; every vertex is, to rounding.

    Parameters
    ----------
    value : callable
        Its zeros are simple ones.
    corners : array (k + 1, k + 1)
        The values on a grid over the square, which says how lines are connected; a line that fits between grid points
        is not seen.
    tolerance : float
        Vertices are added until a line stays closer than this to its chords.

    Returns
    -------
    list of array (N, 2)

    Examples
    --------
    >>> axis = np.linspace(0, 1, 5)
    >>> circle = lambda u: (u[0] - 0.5) ** 2 + (u[1] - 0.5) ** 2 - 0.09
    >>> corners = np.array([[circle((a, b)) for b in axis] for a in axis])
    >>> (line,) = zero_lines(circle, corners, 1e-4)
    >>> bool(np.abs(np.hypot(*(line - 0.5).T) - 0.3).max() < 1e-12)
    True
    """
    k = len(corners) - 1
    found: dict[Any, FloatArray] = {}

    def crossing(a: tuple[int, int], b: tuple[int, int]) -> FloatArray | None:
        one, two = corners[a], corners[b]
        if not (np.isfinite(one) and np.isfinite(two)) or (one >= 0) == (two >= 0):
            return None
        key = (a, b) if a < b else (b, a)
        if key not in found:
            zero = zero_between(value, np.array(key[0]) / k, np.array(key[1]) / k)
            if zero is None:
                return None
            found[key] = zero
        return found[key]

    pieces = []
    for i in range(k):
        for j in range(k):
            c = ((i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1))
            hits = [h for h in (crossing(c[s], c[(s + 1) % 4]) for s in range(4)) if h is not None]
            if len(hits) == 2:
                pieces.append(hits)
            elif len(hits) == 4:
                # Two lines: which corners belong together, the middle tells.
                middle = value((np.array([i, j]) + 0.5) / k)
                shift = int((middle >= 0) == (corners[i, j] >= 0))
                pieces += [[hits[shift - 1], hits[shift]], [hits[shift + 1], hits[(shift + 2) % 4]]]
    strings = [shapely.LineString(p) for p in pieces if np.linalg.norm(p[0] - p[1]) > 1e-12]
    if not strings:
        return []
    merged = shapely.line_merge(shapely.MultiLineString(strings))
    return [_refined(value, shapely.get_coordinates(part), tolerance) for part in shapely.get_parts(merged)]


def zero_between(value: Value, a: FloatArray, b: FloatArray) -> FloatArray | None:
    """The zero on a straight line between two places at which the signs differ."""

    def along(t: float) -> float:
        return value(a + t * (b - a))

    ends = along(0.0), along(1.0)
    if not np.isfinite(ends).all() or (ends[0] >= 0) == (ends[1] >= 0):
        return None
    t = float(brentq(along, 0.0, 1.0, xtol=_EXACT, rtol=4 * np.finfo(float).eps))
    return np.asarray(a + t * (b - a))


def _refined(value: Value, line: FloatArray, tolerance: float) -> FloatArray:
    vertices: list[FloatArray] = [line[0]]
    for a, b in pairwise(line):
        vertices += [*_inserted(value, a, b, tolerance, _HALVINGS), b]
    return np.array(vertices)


def _inserted(value: Value, a: FloatArray, b: FloatArray, tolerance: float, depth: int) -> Sequence[FloatArray]:
    chord = b - a
    length = float(np.hypot(*chord))
    if depth == 0 or length < tolerance:
        return []
    middle, normal = 0.5 * (a + b), np.array([-chord[1], chord[0]]) / length
    for reach in (0.05, 0.5):
        sides = [np.clip(middle + sign * reach * length * normal, 0.0, 1.0) for sign in (-1.0, 1.0)]
        zero = zero_between(value, sides[0], sides[1])
        if zero is not None:
            break
    else:
        return []
    if float(np.linalg.norm(zero - middle)) <= tolerance:
        return [zero]
    return [
        *_inserted(value, a, zero, tolerance, depth - 1), zero, *_inserted(value, zero, b, tolerance, depth - 1)
    ]  # fmt: skip


def square_faces(lines: Sequence[FloatArray]) -> list[Any]:
    """The polygons into which lines divide the unit square."""
    edges = [shapely.box(0.0, 0.0, 1.0, 1.0).exterior, *(shapely.LineString(line) for line in lines)]
    return list(shapely.get_parts(shapely.polygonize([shapely.union_all(edges)])))
