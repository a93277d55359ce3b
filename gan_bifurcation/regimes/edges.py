"""Borders between the final faces: pieces of curves put together, with their criticality and special points."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.counting import margins
from gan_bifurcation.continuation.normal_forms import normal_form
from gan_bifurcation.continuation.problem import compute_spectrum
from gan_bifurcation.continuation.set_curves import Curve, nearest_on_polyline
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.regimes.arrangement import Arrangement
from gan_bifurcation.regimes.regime import Border
from gan_bifurcation.regimes.traced import TracedLine

FloatArray = NDArray[np.float64]

# Labels of bifurcations that have a normal form with a sign.
_WITH_CRITICALITY: Final = ("LP", "BP", "H", "PD", "NS")
# Where the criticality changes, a border is divided.
_DIVIDING: Final = ("GH", "GPD", "CH", "CP")
# By spectra, where no curve was traced; otherwise by runs.
_HOW: Final = {"mode": "spectra", "local": "spectra"}
_ON: Final = 1e-5
# Curves that far from a chord may run along it, and those that near do.
_NEAR: Final = 1e-2
_TWIN: Final = 1e-4
_CRITICAL: Final = 1e-6


def borders_between(
    arrangement: Arrangement, numbers: Sequence[int], verdicts: Sequence[str], curves: Sequence[Curve], window: Window,
    shortest: float, traced: Sequence[TracedLine] = (),
) -> tuple[Border, ...]:  # fmt: skip
    """The borders between merged faces, each on one curve and connected; shorter ones are where chords cross.

    The sources of lines are `curves`, then `traced` ones; `verdicts` are those of the merged faces.
    """
    groups: dict[tuple[int, int, int, str], list[Any]] = defaultdict(list)
    for piece in arrangement.pieces:
        a, b = sorted(numbers[f] for f in piece.faces)
        if a != b:
            line = arrangement.lines[piece.line]
            label = line.label
            if line.source < 0 and line.label in _HOW:
                source = _lying_on(curves, piece.points, shortest)
                label = curves[source].label if source >= 0 else line.label
            elif line.source >= len(curves):
                middle = piece.points[len(piece.points) // 2]
                explained = traced[line.source - len(curves)].explains(middle)
                source = line.source if explained else -1
            else:
                source = _explaining(curves, line.source, piece.points) if line.source >= 0 else -1
                if source >= 0 and line.label not in _WITH_CRITICALITY and verdicts[a] != verdicts[b]:
                    # Where a node becomes a focus, what is found by runs to change the verdict only runs along.
                    source = -1
            key = (a, b, source, label) if source >= 0 or line.source < 0 else (a, b, -1, "global")
            groups[key].append(shapely.LineString(piece.points))
    borders = []
    for (a, b, source, label), strings in sorted(groups.items(), key=lambda g: g[0]):
        whole = strings[0] if len(strings) == 1 else shapely.line_merge(shapely.union_all(strings))
        curve = curves[source] if 0 <= source < len(curves) else None
        known = traced[source - len(curves)] if source >= len(curves) else None
        how = _HOW.get(label, "runs") if source < 0 else "curve" if known is None else "traced"
        for part in shapely.get_parts(whole):
            if part.length < shortest:
                continue
            for unit in _divided(shapely.get_coordinates(part), curve or known, window):
                borders.append(make_border(label, unit, (a, b), curve, window, how, known))
    return tuple(borders)


def _specials(curve: Curve | TracedLine | None, window: Window) -> list[tuple[Point, FloatArray]]:
    if curve is None:
        return []
    return [
        (p, window.to_unit([p.parameters[n] for n in window.names]))
        for p in curve.branch.special_points
        if p.label != "UZ"
    ]


def _divided(unit: FloatArray, curve: Curve | TracedLine | None, window: Window) -> list[FloatArray]:
    """A polyline cut where the criticality changes."""
    parts = [unit]
    for special, mark in _specials(curve, window):
        if special.label not in _DIVIDING:
            continue
        new = []
        for p in parts:
            distance, k, _ = nearest_on_polyline(p, mark)
            inner = min(np.linalg.norm(p[0] - mark), np.linalg.norm(p[-1] - mark)) > 1e-6
            if distance < _ON and inner:
                new += [np.vstack([p[: k + 1], mark]), np.vstack([mark, p[k + 1 :]])]
            else:
                new.append(p)
        parts = new
    return parts


def _explaining(curves: Sequence[Curve], source: int, unit: FloatArray) -> int:
    """The number of the curve at this place along which an attractor changes; -1 if none does.

    Of curves at one place, such as those of equilibria that have the same condition, the arrangement has only one.
    """
    if explains(curves[source], unit):
        return source
    middle = 0.5 * (unit[(len(unit) - 1) // 2] + unit[(len(unit) - 1) // 2 + 1])
    for k, curve in enumerate(curves):
        same = k != source and curve.label == curves[source].label
        if same and nearest_on_polyline(curve.unit, middle)[0] < _NEAR:
            distance, u, _ = curve.nearest(middle)
            if distance < _TWIN and u is not None and explains(curve, unit):
                return k
    return -1


def _lying_on(curves: Sequence[Curve], unit: FloatArray, near: float) -> int:
    """The number of the curve that a border by spectra runs along; -1 if there is none.

    A curve that ends inside the window, as at a kink, divides nothing by itself.
    """
    places = [_along(unit, part) for part in (0.25, 0.5, 0.75)]
    for k, curve in enumerate(curves):
        along = all(nearest_on_polyline(curve.unit, place)[0] < near for place in places)
        if along and curve.label in _WITH_CRITICALITY and explains(curve, unit):
            return k
    return -1


def explains(curve: Curve, unit: FloatArray) -> bool:
    """Whether an attractor changes along this part of a curve: nothing else is unstable there.

    The common multiplier of linear states takes every attractor with it, equilibrium or not.
    """
    if curve.structural:
        return True
    middle = unit[len(unit) // 2] if len(unit) > 2 else 0.5 * (unit[0] + unit[-1])
    _, u, _ = curve.nearest(middle)
    at = curve.problem.at(u)
    spectrum = compute_spectrum(at, curve.problem.states(u))
    # Critical eigenvalues are on the border of stability, double ones only to the root of rounding.
    return bool(np.max(margins(at.kind, spectrum)) < _CRITICAL)


def make_border(
    label: str, unit: FloatArray, faces: tuple[int, int], curve: Curve | None, window: Window, how: str,
    traced: TracedLine | None = None,
) -> Border:  # fmt: skip
    """A border with what its curve knows of it."""
    length = float(np.sum(np.linalg.norm(np.diff(unit, axis=0), axis=1)))
    special: list[Mapping[str, Any]] = []
    for p, mark in _specials(curve if traced is None else traced, window):
        if nearest_on_polyline(unit, mark)[0] < _ON:
            special.append({"label": p.label, "parameters": window.values(mark), "note": p.note})
    criticality = ""
    if curve is not None:
        criticality = criticality_at(curve, unit)
    elif traced is not None:
        criticality = _criticality_of(traced, unit)
    return Border(label, criticality, unit, window.from_unit(unit), faces, length, tuple(special), curve, how)


def criticality_at(curve: Curve, unit: FloatArray) -> str:
    """In words, at an exact point near the middle of a border; "" where there is no normal form."""
    if curve.structural:
        return "structural: linear, no normal form"
    if curve.label not in _WITH_CRITICALITY or curve.level:
        return ""
    k = int(np.argmin(np.linalg.norm(curve.unit - _middle(unit), axis=1)))
    return _in_words(curve.point, k, len(curve.unknowns))


def _criticality_of(line: TracedLine, unit: FloatArray) -> str:
    """The same of a curve that was traced elsewhere."""
    if line.branch.curve not in _WITH_CRITICALITY or line.branch.level:
        return ""
    return _in_words(line.branch.point, line.nearest(_middle(unit)), len(line.branch))


def _in_words(point: Callable[[int], Point], k: int, size: int) -> str:
    for offset in (0, 1, -1, 3, -3):
        if 0 <= k + offset < size:
            try:
                return str(normal_form(point(k + offset)).get("criticality", ""))
            except (MisuseError, np.linalg.LinAlgError):
                continue
    return ""


def _middle(unit: FloatArray) -> FloatArray:
    """A point near the middle of a border."""
    # Off the middle: symmetric windows have strong resonances there.
    return _along(unit, 0.47 if len(unit) > 2 else 0.5)


def _along(unit: FloatArray, part: float) -> FloatArray:
    """The point at a part of a polyline's length."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(unit, axis=0), axis=1))])
    return np.array([np.interp(part * lengths[-1], lengths, unit[:, k]) for k in range(unit.shape[1])])
