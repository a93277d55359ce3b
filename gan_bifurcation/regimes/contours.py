"""Borders that no curve explains: found on squares that are halved where their corners disagree, then by bisection."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
# Keys of many points at once; None where there is no decision.
Keys = Callable[[FloatArray, str], list[Hashable | None]]

_COARSE: Final = 16
_FINE: Final = 32
_MOST_POINTS: Final = 1200
# What is as near to the frame as this lies on it.
_FRAME: Final = 1e-9
# Of so many brackets or fewer, all places that two halvings may need are looked at together.
_FEW: Final = 10
# How often a chord is halved.
_BENDS: Final = 4


def contours(
    keys: Keys,
    face: Any,
    tolerance: float,
    inset: float,
    *,
    fine: int = _FINE,
    most: int = _MOST_POINTS,
    seeds: Sequence[Any] = (),
    bend: bool = False,
) -> tuple[list[FloatArray], bool]:
    """Polylines between parts of a face in which `keys` differ.

    Parameters
    ----------
    keys : callable
        Of points (k, 2) in unit coordinates.
    face : polygon
        Points outside are asked for at the nearest place inside, so that contours cross the border of the face.
    tolerance : float
        Contour points are exact to this along the sides of the squares; with `bend` chords are as well.
    inset : float
        Nothing is asked for closer to the border of the face than this, the frame of the window excepted; contours go
        on straight from there.
    fine : int
        Smallest squares along a side of the window, a power of two times 16.
    most : int
        Points to ask for, at most.
    seeds : sequence of pair of float
        Places next to which a border is known to be, although it may pass between the corners of the largest squares.
    bend : bool
        Whether to divide chords between the sides of squares until they are as near to the border as its points.

    Returns
    -------
    lines, finished
        Polylines (N, 2) clipped to the face, and whether nothing was left out for lack of points.
    """
    grid = _Grid(keys, face, inset, fine)
    low_x, low_y, high_x, high_y = face.bounds
    step = fine // _COARSE
    shapely.prepare(face)
    squares = [
        (i, j)
        for i in range(int(low_x * _COARSE), min(int(high_x * _COARSE), _COARSE - 1) + 1)
        for j in range(int(low_y * _COARSE), min(int(high_y * _COARSE), _COARSE - 1) + 1)
        if face.intersects(shapely.box(i / _COARSE, j / _COARSE, (i + 1) / _COARSE, (j + 1) / _COARSE))
    ]
    squares = [(i * step, j * step) for i, j in squares]
    while step > 1:
        grid.ask([c for s in squares for c in _corners(s, step)])
        mixed = {s for s in squares if grid.mixed(_corners(s, step))}
        mixed |= {(step * int(x * fine / step), step * int(y * fine / step)) for x, y in seeds}
        # A border may pass a square between its corners; the squares around a mixed one are looked at too.
        near = {
            s
            for s in squares
            if any((s[0] + a * step, s[1] + b * step) in mixed for a in (-1, 0, 1) for b in (-1, 0, 1))
        }
        half = step // 2
        squares = [(i + a, j + b) for i, j in sorted(near) for a in (0, half) for b in (0, half)]
        step = half
        if len(grid.known) > most:
            break
    grid.ask([c for s in squares for c in _corners(s, step)])
    # A thin part shows in few of the larger squares: its border is followed from there.
    taken = set(squares)
    edge = squares
    while step == 1 and edge and len(grid.known) <= most:
        mixed = {s for s in edge if grid.mixed(_corners(s, 1))}
        around = {(i + a, j + b) for i, j in mixed for a in (-1, 0, 1) for b in (-1, 0, 1)} - taken
        edge = sorted(
            s
            for s in around
            if min(s) >= 0
            and max(s) < fine
            and face.intersects(shapely.box(s[0] / fine, s[1] / fine, (s[0] + 1) / fine, (s[1] + 1) / fine))
        )
        grid.ask([c for s in edge for c in _corners(s, 1)])
        taken.update(around)
        squares = [*squares, *edge]
    finished = len(grid.known) <= most
    sides: dict[tuple[Any, Any], FloatArray] = {}
    for s in squares:
        c = _corners(s, step)
        for a, b in ((c[0], c[1]), (c[1], c[3]), (c[2], c[3]), (c[0], c[2])):
            if grid.known[a] != grid.known[b]:
                sides[(a, b)] = np.empty(2)
    crossings = _bisect(grid, list(sides), tolerance)
    sides = dict(zip(sides, crossings, strict=True))
    strings = []
    chords: list[_Chord] = []
    for s in squares:
        c = _corners(s, step)
        here = [e for e in ((c[0], c[1]), (c[1], c[3]), (c[2], c[3]), (c[0], c[2])) if e in sides]
        hits = [sides[e] for e in here]
        if len(hits) == 2:
            a, b = here[0]
            chords.append(_Chord(hits[0], hits[1], np.array(a) / fine, grid.known[a], grid.known[b]))
        elif len(hits) > 2:
            middle = np.mean(hits, axis=0)
            strings += [shapely.LineString([h, middle]) for h in hits]
    lines = _bent(grid, chords, tolerance) if bend else [[c.first, c.last] for c in chords]
    strings += [shapely.LineString(line) for line in lines]
    if not strings:
        return [], finished
    whole = shapely.line_merge(shapely.union_all(strings)).intersection(face.buffer(1e-6))
    parts = [p for p in shapely.get_parts(whole) if p.geom_type == "LineString" and p.length > 2e-6]
    return [shapely.get_coordinates(p) for p in parts], finished


def _corners(square: tuple[int, int], step: int) -> list[tuple[int, int]]:
    i, j = square
    return [(i, j), (i + step, j), (i, j + step), (i + step, j + step)]


class _Grid:
    """Keys at grid points, each asked for once; a point without a decision takes that of the nearest point with one."""

    def __init__(self, keys: Keys, face: Any, inset: float, fine: int) -> None:
        self.keys = keys
        self.face = face
        self.fine = fine
        # Next to a border of stability orbits are too slow for a decision; the window's frame is none.
        frame = shapely.box(0.0, 0.0, 1.0, 1.0).exterior.buffer(_FRAME)
        rim = face.boundary.difference(frame)
        inner = [face.difference(rim.buffer(d)) for d in (inset, 0.1 * inset)]
        self.inner = next((f for f in inner if not f.is_empty), face)
        self.known: dict[tuple[int, int], Hashable] = {}
        self.decided: list[tuple[FloatArray, Hashable]] = []

    def ask(self, corners: Sequence[tuple[int, int]]) -> None:
        new = [c for c in dict.fromkeys(corners) if c not in self.known]
        if not new:
            return
        self.known.update(zip(new, self.at(np.array(new) / self.fine), strict=True))

    def at(self, units: FloatArray) -> list[Hashable]:
        """Keys of points, those outside the face at the nearest place inside."""
        points = shapely.points(units)
        inside = shapely.contains(self.inner, points)
        places = units.copy()
        for k in np.flatnonzero(~inside):
            places[k] = _nearest(self.inner, points[k])
        found = self.keys(places, "contours")
        self.decided += [(p, f) for p, f in zip(places, found, strict=True) if f is not None]
        if not self.decided:
            return [None for _ in found]
        if any(f is None for f in found):
            where = np.array([p for p, _ in self.decided])
            found = [
                self.decided[int(np.argmin(np.sum((where - p) ** 2, axis=1)))][1] if f is None else f
                for p, f in zip(places, found, strict=True)
            ]
        return found

    def mixed(self, corners: Sequence[tuple[int, int]]) -> bool:
        return len({self.known[c] for c in corners}) > 1


@dataclass(frozen=True, eq=False)
class _Chord:
    """A straight piece between two points of a border, a place beside it, and the keys on that side and the other."""

    first: FloatArray
    last: FloatArray
    beside: FloatArray
    key: Hashable
    other: Hashable

    @property
    def middle(self) -> FloatArray:
        return np.asarray(0.5 * (self.first + self.last))

    @property
    def normal(self) -> FloatArray:
        """Towards the side of `key`."""
        along = self.last - self.first
        across = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-300)
        return across if float(across @ (self.beside - self.first)) >= 0.0 else -across


def _bent(grid: _Grid, chords: Sequence[_Chord], tolerance: float) -> list[list[FloatArray]]:
    """Chords as polylines whose middles are no farther from the border than the tolerance, where it is a line."""
    lines = [[chord] for chord in chords]
    waiting = [(k, chord) for k, chord in enumerate(chords)]
    for _ in range(_BENDS):
        # A chord is not looked at where a border would have to wind round less than a thirtieth of the window to leave
        # it by so much.
        waiting = [(k, c) for k, c in waiting if float(np.sum((c.last - c.first) ** 2)) > 0.25 * tolerance]
        if not waiting:
            break
        offsets = _offsets(grid, [c for _, c in waiting], tolerance)
        new: list[tuple[int, _Chord]] = []
        for (k, c), offset in zip(waiting, offsets, strict=True):
            if offset != 0.0:
                knee = c.middle + offset * c.normal
                halves = [replace(c, last=knee), replace(c, first=knee)]
                # The place beside the whole need not be beside its halves.
                halves = [replace(h, beside=h.middle + c.normal) for h in halves]
                place = next(i for i, part in enumerate(lines[k]) if part is c)
                lines[k][place : place + 1] = halves
                new += [(k, h) for h in halves]
        waiting = new
    return [[line[0].first, *(c.last for c in line)] for line in lines]


def _offsets(grid: _Grid, chords: Sequence[_Chord], tolerance: float) -> FloatArray:
    """How far the border is from the middle of each chord, along its normal; 0 within the tolerance, or if unknown."""
    middles, normals = np.array([c.middle for c in chords]), np.array([c.normal for c in chords])
    reach = np.array([0.5 * float(np.linalg.norm(c.last - c.first)) for c in chords])

    def keys(which: Sequence[int], distances: FloatArray) -> list[Hashable]:
        return grid.at(middles[which] + distances[:, None] * normals[which])

    everyone = list(range(len(chords)))
    # Runs at many places at once cost little more than at few.
    beside = keys(2 * everyone, np.repeat([tolerance, -tolerance], len(chords)))
    above, below = beside[: len(chords)], beside[len(chords) :]
    # Where both sides say what one side should, the border is on the other side.
    sign = np.zeros(len(chords))
    for k, c in enumerate(chords):
        if above[k] == below[k] and above[k] in (c.key, c.other):
            sign[k] = -1.0 if above[k] == c.key else 1.0
    near, far = np.full(len(chords), tolerance), np.zeros(len(chords))
    wanted = [c.other if s < 0.0 else c.key for c, s in zip(chords, sign, strict=True)]
    searched = np.flatnonzero(sign).tolist()
    steps = [4.0 * tolerance]
    while searched := [k for k in searched if far[k] == 0.0 and steps[0] < reach[k]]:
        if len(searched) <= _FEW:
            steps = [steps[0], 4.0 * steps[0]]
        asked = [(k, step) for step in steps for k in searched if step < reach[k]]
        which, places = [k for k, _ in asked], np.array([sign[k] * step for k, step in asked])
        for (k, step), key in zip(asked, keys(which, places), strict=True):
            if far[k] == 0.0 and key == wanted[k]:
                far[k] = step
            elif far[k] == 0.0:
                near[k] = step
        steps = [4.0 * steps[-1]]
    bracketed = np.flatnonzero(far)

    def before(which: IntArray, places: FloatArray) -> list[bool]:
        numbers = bracketed[which].tolist()
        return [key != wanted[k] for k, key in zip(numbers, keys(numbers, sign[numbers] * places), strict=True)]

    near, far = near[bracketed], far[bracketed]
    _halved(before, near, far, tolerance)
    offsets = np.zeros(len(chords))
    offsets[bracketed] = sign[bracketed] * 0.5 * (near + far)
    return offsets


def _nearest(face: Any, point: Any) -> FloatArray:
    return np.asarray(shapely.get_coordinates(shapely.shortest_line(face, point))[0])


def _bisect(grid: _Grid, sides: Sequence[tuple[Any, Any]], tolerance: float) -> list[FloatArray]:
    """Where the key changes on each side, all sides at once."""
    if not sides:
        return []
    a = np.array([s[0] for s in sides]) / grid.fine
    b = np.array([s[1] for s in sides]) / grid.fine
    first = [grid.known[s[0]] for s in sides]

    def before(which: IntArray, places: FloatArray) -> list[bool]:
        return [key == first[k] for k, key in zip(which.tolist(), grid.at(places), strict=True)]

    _halved(before, a, b, tolerance)
    return list(0.5 * (a + b))


def _halved(
    before: Callable[[IntArray, FloatArray], list[bool]], near: FloatArray, far: FloatArray, tolerance: float
) -> None:
    """Halve brackets, in place, until all are at most as wide as the tolerance.

    Whether places are `before` the border is asked of many at once, since runs at many places cost little more than at
    few: where few brackets are left, for what both outcomes of the next halving need as well.

    Parameters
    ----------
    before : callable
        Of numbers of brackets and places in them.
    near, far : array (brackets,) or (brackets, 2)
    """
    everyone = np.arange(len(near))
    while len(near):
        width = float(np.max(np.linalg.norm((far - near).reshape(len(near), -1), axis=1)))
        if width <= tolerance:
            break
        twice = len(near) <= _FEW and width > 2.0 * tolerance
        middle = 0.5 * (near + far)
        places = [middle, 0.5 * (near + middle), 0.5 * (middle + far)] if twice else [middle]
        answers = np.array(before(np.tile(everyone, len(places)), np.concatenate(places))).reshape(-1, len(near))
        late = answers[0]
        near[late], far[~late] = middle[late], middle[~late]
        if twice:
            quarter, late = 0.5 * (near + far), np.where(late, answers[2], answers[1])
            near[late], far[~late] = quarter[late], quarter[~late]
