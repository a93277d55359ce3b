"""The map of two parameters: faces of the arrangement of all curves, each confirmed at points inside."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gan_bifurcation.continuation.set_curves import Curve
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.errors import Outcome
from gan_bifurcation.regimes.arrangement import Arrangement, Line, arrange, interior_points, lines_of, merged, thickness
from gan_bifurcation.regimes.attractor_set import wilson
from gan_bifurcation.regimes.attractors import DECIDED, Attractor, Cell
from gan_bifurcation.regimes.borders import Collected
from gan_bifurcation.regimes.contours import contours
from gan_bifurcation.regimes.edges import borders_between, explains
from gan_bifurcation.regimes.regime import Regime, RegimeMap, regime_of
from gan_bifurcation.regimes.sampling import Evaluator
from gan_bifurcation.regimes.sets_of_faces import kinds_of_faces
from gan_bifurcation.regimes.traced import TracedLine, joined

FloatArray = NDArray[np.float64]

# Where along a curve to ask whether it concerns what attracts.
_PLACES: Final = 9
# Chords lie this much closer to a curve than the tolerance of the map.
CHORDS: Final = 0.25
_SAMPLES: Final = 96
# Spectra cost little: a face that these points miss is smaller than a few thousandths of the window.
_SPECTRA: Final = 512
_ODD: Final = 4
# Squares and points for borders by spectra.
_FINE: Final = 128
_MOST_POINTS: Final = 6000
# Next to a border of stability runs are too slow for a decision; spectra are not.
_SLOW: Final = 1e-2
_EXACT: Final = 1e-5
_ROUNDS: Final = 2
# Where more runs than this part disagree with their face, no line divides them: outcomes lie next to each other.
_MIXED: Final = 0.12
# Kinds of oscillations are told apart where so many runs of a face agree.
_AGREED: Final = 0.75
# A period is a multiple of a tongue's turns to this part of them.
_LOCKED: Final = 0.01
# Faces that are smaller than this part of the window get no initial conditions of their own.
_LEAST_AREA: Final = 1e-4
_CENTRES: Final = ("GH", "CH", "GPD", "R1", "R2", "R3", "R4", "BT", "ZH", "HH", "NSNS", "PDNS", "LPNS", "LPPD")


@dataclass
class _Work:
    """The arrangement while it is being made."""

    lines: list[Line]
    arrangement: Arrangement
    cells: list[list[Cell]]
    notes: list[str] = field(default_factory=list)
    # Faces in which outcomes are mixed.
    mixed: list[Any] = field(default_factory=list)


def plane_map(
    sampler: Any, collected: Collected, traced: Sequence[TracedLine], evaluator: Evaluator, tolerance: float
) -> RegimeMap:
    """Faces, confirmed at points inside, divided further where these disagree, and the borders between them."""
    thin = 2.0 * tolerance
    lines = lines_of(collected.curves, CHORDS * tolerance)
    if sampler.initial is not None:
        # What happens to equilibria that no run ends in divides nothing; faces cut by it would be small samples.
        lines = [line for line in lines if _concerns(collected.curves[line.source])]
    lines += _fine_lines(collected, traced, sampler.window)
    work = _divided(lines, evaluator, collected, tolerance)
    arrangement, cells = work.arrangement, work.cells
    keys: list[Any] = [_majority(inside) for inside in cells]
    kinds: list[Any] = []
    if any(line.fine for line in work.lines):
        orders = sorted({line.order for line in traced if line.order})
        kinds = [_kind(inside, orders) for inside in cells]
        if sampler.samples and not evaluator.stopped:
            keys = list(zip(keys, _coexisting(arrangement, keys, thin, evaluator), strict=True))
    vague = {k for k, inside in enumerate(cells) if not any(c.decided for c in inside)}
    numbers, polygons = merged(arrangement, keys, thin, vague, kinds)
    members: list[list[Cell]] = [[] for _ in polygons]
    solid = {numbers[k] for k in range(len(cells)) if not _small(arrangement, k, thin)}
    for k, inside in enumerate(cells):
        # What thin faces say counts where a regime has no other.
        if not _small(arrangement, k, thin) or numbers[k] not in solid:
            members[numbers[k]] += inside
    mixed = [any(p.buffer(1e-9).contains(q.representative_point()) for q in work.mixed) for p in polygons]
    faces = tuple(_face(k, p, members[k], sampler.window, mixed[k]) for k, p in enumerate(polygons))
    verdicts = [face.verdict for face in faces]
    borders = borders_between(
        arrangement, numbers, verdicts, collected.curves, sampler.window, 10.0 * tolerance, traced
    )
    outcome = Outcome("complete", "The map is complete.", True)
    if evaluator.stopped:
        outcome = Outcome(
            "interrupted",
            "The map was interrupted: runs were left out, so regimes are not confirmed; make it again.",
            False,
        )
    notes = tuple(dict.fromkeys([*collected.notes, *work.notes]))
    return RegimeMap(sampler, faces, borders, collected.branches, collected.curves, tolerance, notes, outcome)


def _concerns(curve: Curve) -> bool:
    """Whether an attractor changes somewhere along a curve."""
    places = sorted({int(k) for k in np.linspace(0, len(curve.unit) - 2, _PLACES)})
    return any(explains(curve, curve.unit[k : k + 2]) for k in places)


def _fine_lines(collected: Collected, traced: Sequence[TracedLine], window: Window) -> list[Line]:
    """Lines of oscillations; they begin at the points of codimension two that they lead to."""
    marks = [
        window.to_unit([p.parameters[n] for n in window.names])
        for curve in collected.curves
        for p in curve.branch.special_points
        if p.label in _CENTRES
    ]
    first = len(collected.curves)
    return [
        Line(points, first + k, line.label, True)
        for k, (line, points) in enumerate(zip(traced, joined(traced, marks), strict=True))
    ]


def _divided(lines: Sequence[Line], evaluator: Evaluator, collected: Collected, tolerance: float) -> _Work:
    """Divide faces in which samples disagree, as far as lines can."""
    arrangement = arrange(lines)
    work = _Work(list(lines), arrangement, _sample(arrangement, evaluator))
    thin = 2.0 * tolerance
    for _ in range(_ROUNDS):
        added: dict[int, list[Line]] = {}
        by_runs: set[int] = set()
        for k, inside in enumerate(work.cells):
            face = work.arrangement.faces[k]
            if thickness(face) <= thin or len({c.key for c in inside if c.decided}) < 2 or _is_mixed(face, work):
                continue
            more, finished = _disagreement(face, inside, evaluator, tolerance, collected)
            added[k] = more
            if len({c.local for c in inside}) == 1:
                by_runs.add(k)
            if not finished:
                work.notes.append(
                    "A border found by runs is longer or finer than what was allowed for; it is not complete."
                )
        if not any(added.values()) or evaluator.stopped:
            break
        before = work.arrangement
        new = arrange([*work.lines, *(line for more in added.values() for line in more)])
        cells = _sample(new, evaluator)
        refused = {k for k in by_runs if added[k] and _in_disorder(before.faces[k], new, cells)}
        if refused:
            work.mixed += [before.faces[k] for k in sorted(refused)]
            new = arrange([*work.lines, *(line for k, more in added.items() if k not in refused for line in more)])
            cells = _sample(new, evaluator)
        work.lines += [line for k, more in added.items() if k not in refused for line in more]
        work.arrangement, work.cells = new, cells
        if all(k in refused for k in added):
            break
    return work


def _is_mixed(face: Any, work: _Work) -> bool:
    return any(m.buffer(1e-9).contains(face.representative_point()) for m in work.mixed)


def _in_disorder(face: Any, arrangement: Arrangement, cells: Sequence[Sequence[Cell]]) -> bool:
    """Whether the parts of a divided face hold about as many outcomes as it did: basins without order."""
    against = total = 0
    for part, inside in zip(arrangement.faces, cells, strict=True):
        if face.contains(part.representative_point()):
            decided = [c for c in inside if c.decided]
            usual = _majority(decided)
            against += sum(c.key != usual for c in decided)
            total += len(decided)
    return against > _MIXED * max(total, 1)


def _kind(cells: Sequence[Cell], orders: Sequence[int]) -> Any:
    """The kind of oscillation that runs of a face agree on: locked to a tongue's turns, or nearly all of one detail."""
    runs = [c.run for c in cells if c.run is not None and c.run.verdict == "oscillates" and c.decided]
    for order in orders:
        # Twice the period, or a few circles instead of a few points, is what comes later inside a tongue.
        locked = [r for r in runs if abs(r.period / order - round(r.period / order)) < _LOCKED and r.detail != "circle"]
        if runs and len(locked) >= 0.5 * len(runs):
            return "locked", order
    kinds = [(r.detail, round(r.period) if r.detail == "cycle" and r.period == round(r.period) else 0) for r in runs]
    usual = max(kinds, key=lambda k: (kinds.count(k), str(k))) if kinds else None
    if usual is not None and kinds.count(usual) >= _AGREED * len(kinds):
        return usual
    # Outside of tongues, what is no cycle of a tongue's turns is of one kind.
    return ("free", 0) if orders and runs else None


def _coexisting(
    arrangement: Arrangement, keys: Sequence[Any], thin: float, evaluator: Evaluator
) -> list[tuple[str, ...]]:
    """What attracts in each face besides what its runs said, where a line of oscillations is next to it."""
    beside = {f for p in arrangement.pieces if arrangement.lines[p.line].fine for f in p.faces}
    places = [
        interior_points(face)[0]
        if k in beside and thickness(face) > thin and face.area > _LEAST_AREA
        else None
        for k, face in enumerate(arrangement.faces)
    ]  # fmt: skip
    return kinds_of_faces(arrangement, places, keys, evaluator)


def _small(arrangement: Arrangement, k: int, thin: float) -> bool:
    """Whether a face was too thin to say something."""
    return thickness(arrangement.faces[k]) < thin


def _sample(arrangement: Arrangement, evaluator: Evaluator) -> list[list[Cell]]:
    """Cells at several interior points of every face, and at points spread over the window."""
    places = [interior_points(f) for f in arrangement.faces]
    tree = shapely.STRtree(arrangement.faces)
    for q in spread(_SAMPLES):
        point = shapely.Point(*q)
        hits = [int(k) for k in tree.query(point) if arrangement.faces[int(k)].contains(point)]
        # Next to a border of stability nothing is decided within the budget.
        if hits and arrangement.faces[hits[0]].boundary.distance(point) > 5e-3:
            places[hits[0]].append(q)
    flat = [q for inside in places for q in inside]
    found = iter(evaluator(flat, "regimes"))
    cells = [[c for c in (next(found) for _ in inside) if c is not None] for inside in places]
    odd = _odd_places(arrangement, cells, tree, evaluator)
    more = iter(evaluator([q for inside in odd for q in inside], "regimes"))
    for known, inside in zip(cells, odd, strict=True):
        known += [c for c in (next(more) for _ in inside) if c is not None]
    return cells


def _odd_places(
    arrangement: Arrangement, cells: Sequence[Sequence[Cell]], tree: Any, evaluator: Evaluator
) -> list[list[FloatArray]]:
    """For each face places where spectra say what none of its samples said."""
    places: list[list[FloatArray]] = [[] for _ in arrangement.faces]
    found: dict[tuple[int, Any], int] = {}
    units = spread(_SPECTRA)
    evaluated = evaluator(units, "spectra", "spectra")
    points = shapely.points(units)
    for i, k in tree.query(points, predicate="within").T.tolist():
        cell = evaluated[i]
        if cell is None or any(c.local == cell.local for c in cells[k]) or found.get((k, cell.local), 0) >= _ODD:
            continue
        if arrangement.faces[k].boundary.distance(points[i]) > 2e-3:
            found[k, cell.local] = found.get((k, cell.local), 0) + 1
            places[k].append(units[i])
    return places


def spread(number: int) -> FloatArray:
    """Points that fill the unit square evenly (additive recurrence with the plastic number), the same every time."""
    g = 1.3247179572447460259609088
    return np.asarray((0.5 + np.arange(1, number + 1)[:, None] * np.array([1.0 / g, 1.0 / g**2])) % 1.0)


def _majority(cells: Sequence[Cell]) -> Any:
    keys = [c.key for c in cells if c.decided] or [c.key for c in cells]
    return max(keys, key=lambda k: (keys.count(k), str(k))) if keys else ((), "unknown")


def _disagreement(
    face: Any, inside: Sequence[Cell], evaluator: Evaluator, tolerance: float, collected: Collected
) -> tuple[list[Line], bool]:
    """Borders inside a face in which samples disagree: by what spectra say, or by runs ("global")."""
    spectra = len({c.local for c in inside}) > 1

    def by_spectra(units: FloatArray, text: str) -> list[Any]:
        return [None if c is None else c.local for c in evaluator(units, text, "spectra")]

    def by_runs(units: FloatArray, text: str) -> list[Any]:
        runs = evaluator(units, text, "runs")
        return [None if r is None or r.confidence < DECIDED else (str(r) if r.ended else r.verdict) for r in runs]

    def by_escape(units: FloatArray, text: str) -> list[Any]:
        return list(evaluator(units, text, "escapes"))

    kinds = {c.simulated for c in inside if c.decided}
    question = by_spectra if spectra else (by_escape if "diverges" in kinds and len(kinds) == 2 else by_runs)
    if spectra:
        usual = max((c.local for c in inside), key=lambda k: sum(c.local == k for c in inside))
        seeds = [c.unit for c in inside if c.local != usual]
        # What few points meet may be thin.
        fine = _FINE if 10 * len(seeds) < len(inside) else _FINE // 4
        # Chords of the curves around the face lie off them: closer to these, spectra may be those beyond.
        inset = max(_EXACT, 2.0 * CHORDS * tolerance)
        found, finished = contours(question, face, CHORDS * tolerance, inset, fine=fine, most=_MOST_POINTS, seeds=seeds)
    else:
        found, finished = contours(question, face, tolerance, _SLOW, bend=True)
    label = "global"
    if spectra:
        # The same equilibria attract, by another slowest mode; or something that has no curve happened to one.
        same = len({len(c.stable) for c in inside}) == 1
        untraced = {p.label for p in collected.points} - {c.label for c in collected.curves}
        label = "mode" if same else min(untraced, default="local")
    return [Line(points, -1, label) for points in found], finished


def _face(number: int, polygon: Any, cells: Sequence[Cell], window: Window, mixed: bool) -> Regime:
    """The regime of a face: what most of its cells say, at the one farthest from the border."""
    key = _majority(cells)
    agreeing = [c for c in cells if c.key == key]
    note = ""
    against = [c for c in cells if c.decided and c.key != key]
    if mixed and against:
        note = f"What runs end in changes from place to place without order: {_shares(cells)}."
    elif against:
        others = sorted({_words(c) for c in against})
        note = f"{len(against)} of {len(cells)} points inside disagree: {'; '.join(others)}."
    elif any(not c.decided for c in cells):
        note = f"{sum(not c.decided for c in cells)} of {len(cells)} runs inside came to no decision in the budget."
    if not agreeing:
        where = np.asarray(shapely.get_coordinates(polygon.representative_point())[0])
        return Regime(
            number,
            "stalls",
            "not evaluated",
            (),
            polygon,
            float(polygon.area),
            window.values(where),
            note="Nothing was evaluated here.",
        )
    boundary = polygon.boundary
    best = max(
        agreeing,
        key=lambda c: boundary.distance(shapely.Point(*c.unit)) if polygon.contains(shapely.Point(*c.unit)) else -1.0,
    )
    found = regime_of(number, best, polygon, float(polygon.area), window, note, len(agreeing))
    return replace(found, attractors=_outcomes(found.attractors, cells)) if mixed and against else found


def _decided_words(cells: Sequence[Cell]) -> list[str]:
    return [_words(c) for c in cells if c.decided]


def _shares(cells: Sequence[Cell]) -> str:
    words = _decided_words(cells)
    counts = sorted(((words.count(w), w) for w in set(words)), reverse=True)
    return ", ".join(f"{w} {100 * n / len(words):.0f} %" for n, w in counts) + f" of {len(words)} runs"


def _outcomes(known: tuple[Attractor, ...], cells: Sequence[Cell]) -> tuple[Attractor, ...]:
    """One attractor for each outcome of the runs, with its share; that of the representative point first."""
    runs = [c.run for c in cells if c.decided and c.run is not None]
    made = []
    for kind in sorted({r.verdict for r in runs}, key=lambda v: v != known[0].verdict):
        some = [r for r in runs if r.verdict == kind]
        low, high = wilson(len(some), len(runs))
        first = known[0] if kind == known[0].verdict else some[0]
        made.append(replace(first, share=len(some) / len(runs), share_low=low, share_high=high))
    return (*made, *(a for a in known[1:] if a.how == "spectrum"))


def _words(cell: Cell) -> str:
    return cell.simulated or ", ".join(f"{v} ({d})" for v, d in cell.local) or "no attractor"
