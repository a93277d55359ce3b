"""The planar arrangement of curves in the unit square: faces, and the pieces of curves between them."""

from collections import defaultdict
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gan_bifurcation.continuation.set_curves import Curve, nearest_on_polyline

FloatArray = NDArray[np.float64]

# Coordinates are snapped to a grid of this size, far below any tolerance and far above rounding.
GRID: Final = 1e-11
_VERTEX: Final = 1e-6
_PROBES: Final = 5
# Part of its outline that a sliver has in common with the face that it is a part of.
_SIDE: Final = 0.05
# Decimals to which sizes and places of regimes are compared to number them.
_PLACES: Final = 5
# Thickness of a face that may be an artefact of the squares in which unexplained borders are looked for.
SPECK: Final = 0.01


@dataclass(frozen=True, eq=False)
class Line:
    """A polyline in unit coordinates and where it came from.

    Attributes
    ----------
    points : array (N, 2)
    source : int
        Number of its curve; -1 for a border that no curve explains.
    label : str
    fine : bool
        Whether it belongs to an oscillation: such a line also divides faces that differ in its kind alone.
    """

    points: FloatArray
    source: int
    label: str
    fine: bool = False


@dataclass(frozen=True, eq=False)
class Piece:
    """Part of a line between two nodes of the arrangement, and the faces on its sides (twice the same: a dangle)."""

    points: FloatArray
    line: int
    faces: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Faces (shapely polygons that tile the unit square) and pieces."""

    faces: tuple[Any, ...]
    pieces: tuple[Piece, ...]
    lines: tuple[Line, ...]

    def face_of(self, unit: Any) -> int:
        """The face that holds a point (the first of them on a border)."""
        point = shapely.Point(*unit)
        distances = [polygon.distance(point) for polygon in self.faces]
        return int(np.argmin(distances))


def lines_of(curves: Sequence[Curve], chords: float = 1e-4) -> list[Line]:
    """Curves as polylines that share a vertex where one ends on another; what lies at the same place is taken once.

    Parameters
    ----------
    curves : sequence of Curve
    chords : float
        How far chords may be from their curves.
    """
    twins = {j for j in range(len(curves)) if any(_same_place(curves[i], curves[j]) for i in range(j))}
    base = min((curve.branch.system.iterations for curve in curves), default=1)
    points = [curve.unit for curve in curves]
    for i, curve in enumerate(curves):
        marks = [
            curve.window.to_unit([p.parameters[n] for n in curve.window.names])
            for p in curve.branch.special_points
            if p.label in _SHARED
        ]
        for mark in marks:
            # However coarse the chords are, a border can be divided there.
            points[i] = with_vertex(points[i], mark)
        if not curve.branch.closed:
            marks += [points[i][0], points[i][-1]]
        for mark in marks:
            for j, other in enumerate(curves):
                if i != j and nearest_on_polyline(points[j], mark)[0] < 1e-2 and other.nearest(mark)[0] < _VERTEX:
                    points[j] = with_vertex(points[j], mark)
    return [
        Line(without_way_back(p, chords), i, curves[i].label, curves[i].branch.system.iterations > base)
        for i, p in enumerate(points)
        if i not in twins
    ]


def without_way_back(points: FloatArray, chords: float) -> FloatArray:
    """A polyline that turns round and runs back along itself, with one of the two ways only."""
    steps = np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    turned = np.sum(steps[:-1] * steps[1:], axis=1) < -0.5 * lengths[:-1] * lengths[1:]
    for k in (np.flatnonzero(turned) + 1).tolist():
        parts = sorted((points[: k + 1], points[k:]), key=len)
        probes = parts[0][np.linspace(0, len(parts[0]) - 1, 4 * _PROBES).astype(int)]
        if all(nearest_on_polyline(parts[1], q)[0] < 3.0 * chords for q in probes):
            return without_way_back(parts[1], chords)
    return points


def _same_place(first: Curve, second: Curve) -> bool:
    """Whether a curve lies on another one of its kind, with other states: an image under a symmetry, mostly.

    Polylines of one curve with different points would cross each other all along.
    """
    if (first.label, first.branch.system.iterations) != (second.label, second.branch.system.iterations):
        return False
    probes = second.unit[np.linspace(0, len(second.unit) - 1, _PROBES).astype(int)]
    if any(nearest_on_polyline(first.unit, q)[0] > 1e-2 for q in probes):
        return False
    return all(first.nearest(q)[0] < _VERTEX for q in probes)


_SHARED: Final = ("R1", "R2", "BT", "CP", "GH", "GPD", "CH")


def with_vertex(points: FloatArray, mark: FloatArray) -> FloatArray:
    """The polyline with a vertex at a point that lies next to it; a vertex very close by moves there."""
    _, k, _ = nearest_on_polyline(points, mark)
    for i in (k, k + 1):
        if i < len(points) and np.linalg.norm(points[i] - mark) < 1e-7:
            moved = points.copy()
            moved[i] = mark
            return moved
    return np.insert(points, k + 1, mark, axis=0)


def arrange(lines: Sequence[Line]) -> Arrangement:
    """Node the lines with the frame of the unit square and find the faces."""
    frame = shapely.box(0.0, 0.0, 1.0, 1.0)
    strings = [shapely.LineString(line.points) for line in lines if len(line.points) > 1]
    noded = shapely.union_all([frame.exterior, *strings], grid_size=GRID)
    parts = [p for p in shapely.get_parts(noded) if p.length > 0.0]
    polygons, _, _, _ = shapely.polygonize_full(parts)
    faces = [f for f in shapely.get_parts(polygons) if f.area > 0.0]
    owners: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for i, face in enumerate(faces):
        for ring in (face.exterior, *face.interiors):
            c = shapely.get_coordinates(ring)
            for a, b in zip(c[:-1].tolist(), c[1:].tolist(), strict=True):
                owners[_key(a, b)].append(i)
    numbers = [i for i, line in enumerate(lines) if len(line.points) > 1]
    tree = shapely.STRtree(strings) if strings else None
    pieces = []
    inside: list[tuple[Any, int]] = []
    for part in parts:
        c = shapely.get_coordinates(part)
        if tree is None or _on_frame(c):
            continue
        middle = shapely.Point(*(0.5 * (c[(len(c) - 1) // 2] + c[(len(c) - 1) // 2 + 1])))
        line = numbers[int(tree.nearest(middle))]
        sides = owners.get(_key(c[0].tolist(), c[1].tolist()), [])
        if len(sides) == 2:
            pieces.append(Piece(c, line, (sides[0], sides[1])))
        elif not sides:
            inside.append((part, line))
    if inside:
        places = shapely.STRtree(faces)
        for part, line in inside:
            face = int(places.nearest(part.interpolate(0.5, normalized=True)))
            pieces.append(Piece(shapely.get_coordinates(part), line, (face, face)))
    return Arrangement(tuple(faces), tuple(pieces), tuple(lines))


def _key(a: Sequence[float], b: Sequence[float]) -> tuple[Any, ...]:
    first, second = tuple(a), tuple(b)
    return (first, second) if first <= second else (second, first)


def _on_frame(c: FloatArray) -> bool:
    return bool(any(np.all(np.abs(c[:, k] - side) < 2 * GRID) for k in (0, 1) for side in (0.0, 1.0)))


def thickness(polygon: Any) -> float:
    """About the radius of the largest circle in a long polygon."""
    return float(2.0 * polygon.area / max(polygon.length, 1e-300))


def interior_points(polygon: Any) -> list[FloatArray]:
    """Points well inside a face: the centre of the largest circle in it, and centres of its largest triangles."""
    found = [np.asarray(shapely.get_coordinates(shapely.maximum_inscribed_circle(polygon, 1e-3))[0])]
    triangles = [
        t
        for t in shapely.get_parts(shapely.delaunay_triangles(polygon.simplify(1e-3)))
        if t.area > 0.02 * polygon.area and polygon.contains(t.centroid)
    ]
    triangles.sort(key=lambda t: -t.area)
    for t in triangles[:4]:
        if t.centroid.distance(polygon.boundary) > 1e-3:
            found.append(np.asarray(shapely.get_coordinates(t.centroid)[0]))
    return found


def merged(
    arrangement: Arrangement, keys: Sequence[Hashable], thin: float, vague: Collection[int] = (),
    kinds: Sequence[Hashable] = (),
) -> tuple[list[int], list[Any]]:  # fmt: skip
    """Join faces that have the same key, and slivers with what they border most.

    Parameters
    ----------
    arrangement : Arrangement
    keys : sequence of hashable
        One for each face.
    thin : float
        Faces thinner than this are slivers: their shape is that of the chords, not of the curves.
    vague : collection of int
        Faces in which nothing was decided; they join what lies beyond a border that no curve explains, as specks do
        that are smaller than the squares in which such borders are looked for.
    kinds : sequence of hashable
        Of the oscillation in each face: what counts as well across a line that is fine.

    Returns
    -------
    numbers, polygons
        The new face of each old one, and the new faces' polygons, the largest first.
    """
    parent = list(range(len(arrangement.faces)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    unexplained = {f for p in arrangement.pieces if arrangement.lines[p.line].source < 0 for f in p.faces}
    specks = {i for i in unexplained if i in vague or thickness(arrangement.faces[i]) < SPECK}
    slivers = {i for i, face in enumerate(arrangement.faces) if thickness(face) < thin}
    for piece in arrangement.pieces:
        a, b = piece.faces
        if not {a, b} & (slivers | specks) and keys[a] == keys[b] and not _divides(arrangement, piece, kinds):
            parent[root(a)] = root(b)
    # Slivers go where their longest border is, those with solid neighbours first.
    waiting = slivers | specks
    stuck = False
    while waiting:
        shared: dict[int, dict[int, float]] = {i: defaultdict(float) for i in waiting}
        for piece in arrangement.pieces:
            for a, b in (piece.faces, piece.faces[::-1]):
                line = arrangement.lines[piece.line]
                crossable = stuck or a not in specks or line.source < 0 or keys[a] == keys[b]
                if a in waiting and b not in waiting and crossable:
                    size = float(np.sum(np.linalg.norm(np.diff(piece.points, axis=0), axis=1)))
                    # A sliver that touches what has its key is a part of that only if it does so along its side.
                    side = keys[a] == keys[b] and size > _SIDE * arrangement.faces[a].length
                    shared[a][root(b)] += size * (1e3 if side else 1.0)
        settled = {i: max(s, key=lambda k: (s[k], -k)) for i, s in shared.items() if s}
        if not settled:
            # What is enclosed by curves is a part of what lies around it where it is too thin to be told apart.
            if stuck:
                break
            stuck, waiting = True, waiting & slivers
        for i, neighbour in settled.items():
            parent[i] = neighbour
        waiting -= set(settled)
    # Faces that met through slivers alone are neighbours now.
    key_of = {root(i): keys[i] for i in range(len(arrangement.faces)) if i not in slivers | specks}
    for piece in arrangement.pieces:
        a, b = (root(f) for f in piece.faces)
        same = a != b and a in key_of and b in key_of and key_of[a] == key_of[b]
        if same and not _divides(arrangement, piece, kinds):
            parent[a] = b
    parts: dict[int, list[Any]] = defaultdict(list)
    for i, face in enumerate(arrangement.faces):
        parts[root(i)].append(face)
    whole = {r: p[0] if len(p) == 1 else shapely.union_all(p, grid_size=GRID) for r, p in parts.items()}
    number = {r: k for k, r in enumerate(sorted(whole, key=lambda r: _rank(whole[r])))}
    return [number[root(i)] for i in range(len(arrangement.faces))], [whole[r] for r in number]


def _rank(polygon: Any) -> tuple[float, ...]:
    """The largest first, those of one size from left to right: not the order in which lines happened to come."""
    centre = polygon.centroid
    return (-round(polygon.area, _PLACES), round(centre.x, _PLACES), round(centre.y, _PLACES))


def _divides(arrangement: Arrangement, piece: Piece, kinds: Sequence[Hashable]) -> bool:
    """Whether a piece of a line of oscillations lies between oscillations of different kinds."""
    a, b = piece.faces
    if not kinds or not arrangement.lines[piece.line].fine:
        return False
    # Where kinds lie next to each other inside a face, it has none to differ in.
    return kinds[a] is not None and kinds[b] is not None and kinds[a] != kinds[b]
