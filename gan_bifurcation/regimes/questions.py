"""Questions to a regime map: what is here, how far is the border, where is it safe, what is fastest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gan_bifurcation.continuation.set_curves import nearest_on_polyline
from gan_bifurcation.errors import MisuseError, unknown_name
from gan_bifurcation.regimes.judging import KINDS
from gan_bifurcation.regimes.regime import Border, Regime, RegimeMap, regime_of

FloatArray = NDArray[np.float64]

_CLOSE: Final = 1e-3
# Walls that a step looks at; it counts for what all of them leave it.
_MOST_WALLS: Final = 16
_PARALLEL: Final = 1e-9


@dataclass(frozen=True)
class Nearest:
    """The nearest border to a point.

    Attributes
    ----------
    label, criticality : str
    distance : float
        In unit coordinates: 1 is the width of the window.
    parameters : dict
        Where the border is nearest.
    change : dict
        By how much the parameters change until there.
    exact : bool
        Whether it was solved for on its curve; otherwise it is as exact as the map's tolerance.
    regimes : pair of int
        The regimes on the two sides of the border.
    special : tuple of mapping
        Points of codimension two on the border: label, parameters, note.
    """

    label: str
    criticality: str
    distance: float
    parameters: dict[str, float]
    change: dict[str, float]
    exact: bool
    regimes: tuple[int, int]
    special: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Change:
    """The smallest change of the parameters into a regime.

    Attributes
    ----------
    verdict : str
    distance : float
        In unit coordinates; 0 if nothing has to change.
    parameters : dict
        On the border; any step further is inside.
    change : dict
    label : str
        Of the border that is crossed; "" if nothing has to change.
    regime : int
        The regime that is entered.
    """

    verdict: str
    distance: float
    parameters: dict[str, float]
    change: dict[str, float]
    label: str
    regime: int


@dataclass(frozen=True)
class Circle:
    """A circle in unit coordinates (an interval, for one parameter).

    Attributes
    ----------
    centre : dict
        In natural units.
    unit_centre : tuple of float
    radius : float
        In unit coordinates.
    extent : dict
        Smallest and largest value of each parameter on it, in natural units.
    touches : tuple of str
        What limits it: labels of borders, and "frame".
    verdict : str
    """

    centre: dict[str, float]
    unit_centre: tuple[float, ...]
    radius: float
    extent: dict[str, tuple[float, float]]
    touches: tuple[str, ...]
    verdict: str

    def __str__(self) -> str:
        parts = [
            f"{name} from {low:.4g} to {high:.4g} (centre {self.centre[name]:.4g})"
            for name, (low, high) in self.extent.items()
        ]
        return f"{self.verdict}: {', '.join(parts)}; limited by {', '.join(self.touches)}"


@dataclass(frozen=True)
class Fastest:
    """Where training converges fastest, by the slowest of all modes.

    Attributes
    ----------
    parameters : dict
    radius : float
        Largest modulus of the multipliers (maps), largest real part of the eigenvalues (flows).
    iterations : float
        Iterations (flows: time) to 1/e.
    """

    parameters: dict[str, float]
    radius: float
    iterations: float


def _checked(rmap: RegimeMap, verdict: str) -> str:
    if verdict not in KINDS:
        raise unknown_name("verdict", str(verdict), KINDS)
    return verdict


def _face(rmap: RegimeMap, q: FloatArray) -> Regime:
    point = shapely.Point(float(q[0]), float(q[1]) if len(q) > 1 else 0.0)
    distances = np.array([f.shape.distance(point) for f in rmap.faces])
    return rmap.faces[int(np.argmin(distances))]


def at(rmap: RegimeMap, values: Mapping[str, float]) -> Regime:
    """The regime at a point, with the attractors that the spectra give there."""
    q = rmap.window.point(values)
    face = _face(rmap, q)
    (cell,) = rmap.sampler.spectra(q[None])
    expected = sum(a.how == "spectrum" for a in face.attractors)
    if len(cell.stable) != expected:
        # Within a chord's error of the border: the spectrum decides.
        point = shapely.Point(float(q[0]), float(q[1]) if len(q) > 1 else 0.0)
        near = [f for f in rmap.faces if f.shape.distance(point) < 3.0 * rmap.tolerance]
        face = next((f for f in near if sum(a.how == "spectrum" for a in f.attractors) == len(cell.stable)), face)
    here = dict(zip(rmap.window.names, (float(values[n]) for n in rmap.window.names), strict=True))
    if not cell.stable:
        return replace(face, point=here)
    run = face.attractors[0] if face.attractors and face.attractors[0].how == "simulation" else None
    found = regime_of(
        face.number, replace(cell, run=run), face.shape, face.area, rmap.window, face.note, face.confirmed
    )
    return replace(found, point=here)


def _nearest_on(border: Border, q: FloatArray, tolerance: float) -> tuple[float, FloatArray, bool]:
    """Distance, point in unit coordinates, and whether it was solved for."""
    if len(border.unit) == 1:
        return float(abs(border.unit[0, 0] - q[0])), border.unit[0], border.label not in ("global", "mode")
    distance, k, f = nearest_on_polyline(border.unit, q)
    near = border.unit[k] + f * (border.unit[k + 1] - border.unit[k])
    inner = 0.0 < k + f < len(border.unit) - 1
    if border.curve is None or not inner:
        return distance, near, border.curve is not None
    exact, u, _ = border.curve.nearest(q, around=near)
    place = u[border.curve.problem.q_slice]
    if np.linalg.norm(place - near) > max(50 * tolerance, 0.2 * distance):
        return distance, near, False
    return exact, np.asarray(place), True


def _best(rmap: RegimeMap, borders: Sequence[Border], q: FloatArray) -> tuple[Border, float, FloatArray, bool]:
    rough = [(nearest_on_polyline(b.unit, q)[0], k) for k, b in enumerate(borders)]
    least = min(rough)[0]
    found = [(*_nearest_on(borders[k], q, rmap.tolerance), borders[k]) for d, k in sorted(rough) if d <= least + _CLOSE]
    distance, place, exact, border = min(found, key=lambda e: e[0])
    return border, distance, place, exact


def _values(rmap: RegimeMap, unit: FloatArray) -> dict[str, float]:
    return rmap.window.values(unit)


def _change(rmap: RegimeMap, q: FloatArray, place: FloatArray) -> dict[str, float]:
    here, there = _values(rmap, q), _values(rmap, place)
    return {name: there[name] - here[name] for name in here}


def nearest_border(rmap: RegimeMap, values: Mapping[str, float]) -> Nearest:
    """The nearest border, solved for on its curve."""
    q = rmap.window.point(values)
    if not rmap.borders:
        raise MisuseError("The map has one regime and no border; choose a larger window.")
    border, distance, place, exact = _best(rmap, rmap.borders, q)
    return Nearest(
        border.label, border.criticality, distance, _values(rmap, place), _change(rmap, q, place), exact, border.faces,
        border.special,
    )  # fmt: skip


def smallest_change(rmap: RegimeMap, to: str, from_: Mapping[str, float]) -> Change:
    """The nearest point of all regimes with a verdict."""
    _checked(rmap, to)
    q = rmap.window.point(from_)
    here = at(rmap, from_)
    if here.verdict == to:
        return Change(to, 0.0, _values(rmap, q), dict.fromkeys(rmap.window.names, 0.0), "", here.number)
    verdict = {f.number: f.verdict for f in rmap.faces}
    entrances = [b for b in rmap.borders if (verdict[b.faces[0]] == to) != (verdict[b.faces[1]] == to)]
    if not entrances:
        known = ", ".join(sorted(set(verdict.values())))
        raise MisuseError(f"No regime of this map {to}; there is {known}. Choose another window or parameter.")
    border, distance, place, _ = _best(rmap, entrances, q)
    entered = next(f for f in border.faces if verdict[f] == to)
    return Change(to, distance, _values(rmap, place), _change(rmap, q, place), border.label, entered)


def largest_safe_circle(rmap: RegimeMap, verdict: str) -> Circle:
    """The largest circle in all faces with a verdict: from polygons, then solved for on the curves it touches."""
    _checked(rmap, verdict)
    safe = {f.number for f in rmap.faces if f.verdict == verdict}
    if not safe:
        raise MisuseError(f"No regime of this map {verdict}; choose another window or verdict.")
    outer = [b for b in rmap.borders if (b.faces[0] in safe) != (b.faces[1] in safe)]
    if rmap.window.dimension == 1:
        return _largest_interval(rmap, safe, outer, verdict)
    area = shapely.union_all([f.shape for f in rmap.faces if f.number in safe], grid_size=1e-9)
    lines = [shapely.maximum_inscribed_circle(p, 1e-4) for p in shapely.get_parts(area)]
    line = max(lines, key=lambda one: one.length)
    centre, radius = np.array(line.coords[0]), float(line.length)
    walls = _walls(rmap, outer, centre, radius + 0.05)
    radius = min(d for _, d, _ in walls)
    trust = 0.02
    for _ in range(80):
        step, promised = _push(walls, trust)
        if promised - radius < 1e-15 or trust < 1e-13:
            break
        there = _walls(rmap, outer, centre + step, radius + 0.05)
        reached = min(d for _, d, _ in there)
        # Walls are curved: a step counts for what it brings, not for what it promised.
        if reached > radius:
            trust = min(2.0 * trust, 0.02) if reached - radius > 0.5 * (promised - radius) else trust
            centre, radius, walls = centre + step, reached, there
        else:
            trust *= 0.25
    touches = [label for label, d, _ in walls if d - radius < 1e-6]
    unit = np.array([centre - radius, centre + radius])
    low, high = rmap.window.from_unit(unit[0]), rmap.window.from_unit(unit[1])
    extent = {n: (float(a), float(b)) for n, a, b in zip(rmap.window.names, low, high, strict=True)}
    return Circle(
        _values(rmap, centre), tuple(centre.tolist()), float(radius), extent, tuple(dict.fromkeys(touches)), verdict
    )


def _walls(
    rmap: RegimeMap, borders: Sequence[Border], centre: FloatArray, reach: float
) -> list[tuple[str, float, FloatArray]]:
    """What a circle may touch: label, distance, and the direction away from it."""
    walls = []
    for k in (0, 1):
        for side, sign in ((0.0, 1.0), (1.0, -1.0)):
            normal = np.zeros(2)
            normal[k] = sign
            walls.append(("frame", abs(centre[k] - side), normal))
    for border in borders:
        d = np.linalg.norm(border.unit - centre, axis=1)
        for i in range(len(d)):
            lowest = d[i] <= d[max(i - 1, 0)] and d[i] <= d[min(i + 1, len(d) - 1)]
            if not lowest or d[i] > reach:
                continue
            part = replace(border, unit=border.unit[max(i - 1, 0) : i + 2])
            distance, place, _ = (
                _nearest_on(part, centre, rmap.tolerance) if len(part.unit) > 1 else (float(d[i]), border.unit[i], True)
            )
            if distance > 0.0:
                walls.append((border.label, distance, (centre - place) / distance))
    return walls


def _push(walls: Sequence[tuple[str, float, FloatArray]], trust: float) -> tuple[FloatArray, float]:
    """The step, at most `trust`, that takes the nearest wall farthest away (walls taken as straight)."""
    nearest = sorted(walls, key=lambda wall: wall[1])[:_MOST_WALLS]
    least = nearest[0][1]
    # In units of the trust region: step and gain (x, y, g) with rows @ (x, y, g) <= ends.
    box = [(1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, -1.0, 0.0)]
    rows = np.array([*((-n[0], -n[1], 1.0) for _, _, n in nearest), *box])
    ends = np.array([*((d - least) / trust for _, d, _ in nearest), *[1.0] * len(box)])
    # The most gain is at a corner, where three hold with equality; so few corners are all looked at.
    threes = np.array(list(combinations(range(len(rows)), 3)))
    threes = threes[np.abs(np.linalg.det(rows[threes])) > _PARALLEL]
    corners = np.linalg.solve(rows[threes], ends[threes][..., None])[..., 0]
    corners = corners[np.all(corners @ rows.T <= ends + _PARALLEL, axis=1)]
    x, y, gain = corners[corners[:, 2].argmax()]
    return trust * np.array([x, y]), least + trust * float(gain)


def _largest_interval(rmap: RegimeMap, safe: set[int], outer: Sequence[Border], verdict: str) -> Circle:
    """The longest interval: neighbours that are both safe count as one."""
    place = {b.faces: (float(b.unit[0, 0]), b.label) for b in outer}
    best: tuple[float, float, float, tuple[str, ...]] | None = None
    start, label = 0.0, "frame"
    for k in range(len(rmap.faces)):
        if k not in safe:
            continue
        if k == 0 or k - 1 not in safe:
            start, label = place.get((k - 1, k), (0.0, "frame"))
        if k + 1 not in safe:
            end, other = place.get((k, k + 1), (1.0, "frame"))
            if best is None or end - start > best[0]:
                best = (end - start, start, end, (label, other))
    assert best is not None
    length, a, b, touches = best
    centre = np.array([0.5 * (a + b)])
    name = rmap.window.names[0]
    ends = rmap.window.from_unit(np.array([[a], [b]]))[:, 0]
    return Circle(
        _values(rmap, centre),
        (float(centre[0]),),
        0.5 * length,
        {name: (float(ends[0]), float(ends[1]))},
        touches,
        verdict,
    )
