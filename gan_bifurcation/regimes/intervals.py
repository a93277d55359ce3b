"""The map of one parameter: regimes are intervals, borders are points."""

import itertools
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.errors import Outcome
from gan_bifurcation.regimes.attractors import Cell
from gan_bifurcation.regimes.borders import Collected
from gan_bifurcation.regimes.regime import Border, Regime, RegimeMap, regime_of
from gan_bifurcation.regimes.sampling import Evaluator, Sampler

FloatArray = NDArray[np.float64]

_SAMPLES = 48
# Eigenvalues are exact, so that borders between what they say are bisected to rounding.
_EXACT = 1e-13


def interval_map(sampler: Sampler, collected: Collected, evaluator: Evaluator, tolerance: float) -> RegimeMap:
    """Intervals between special points, joined where nothing changes, divided by bisection where runs disagree."""
    window = sampler.window
    name = window.names[0]
    marks: dict[float, Point | None] = {}
    for p in collected.points:
        place = float(window.to_unit([p.parameters[name]])[0])
        if 1e-12 < place < 1.0 - 1e-12 and all(abs(place - m) > 1e-10 for m in marks):
            marks[place] = p
    edges = [0.0, *sorted(marks), 1.0]
    grid = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    places: list[float] = []
    for a, b in itertools.pairwise(edges):
        inner = grid[(grid > a + 0.02 * (b - a)) & (grid < b - 0.02 * (b - a))].tolist()
        places += sorted({*inner, a + 0.31 * (b - a), 0.5 * (a + b), a + 0.69 * (b - a)})
    cells = evaluator([[q] for q in places], "regimes")
    known: list[tuple[float, Cell]] = [(q, c) for q, c in zip(places, cells, strict=True) if c is not None]
    borders: dict[float, Point | None] = {}
    for (q0, c0), (q1, c1) in itertools.pairwise(known):
        between = [m for m in sorted(marks) if q0 < m < q1]
        # Beside an equilibrium a stall is mostly a run that is slow near a border; without one it is a regime.
        slow = "stalls" in (c0.simulated, c1.simulated) and bool(sampler.sheets)
        if c0.key == c1.key or (c0.local == c1.local and slow):
            continue
        if between:
            borders |= {m: marks[m] for m in between}
        else:
            borders[_bisected(q0, q1, c0, c1, evaluator, tolerance)] = None
    return _assembled(sampler, collected, borders, known, evaluator, tolerance)


def _bisected(a: float, b: float, left: Cell, right: Cell, evaluator: Evaluator, tolerance: float) -> float:
    """Where the cell's key changes between two places."""
    exact = left.local != right.local
    while b - a > (_EXACT if exact else tolerance) and not evaluator.stopped:
        middle = 0.5 * (a + b)
        cell = evaluator([[middle]], "borders")[0]
        same = cell is not None and (cell.local == left.local if exact else cell.key == left.key)
        a, b = (middle, b) if same else (a, middle)
    return 0.5 * (a + b)


def _assembled(
    sampler: Sampler,
    collected: Collected,
    borders: dict[float, Point | None],
    known: list[tuple[float, Cell]],
    evaluator: Evaluator,
    tolerance: float,
) -> RegimeMap:
    window = sampler.window
    edges = [0.0, *sorted(borders), 1.0]
    faces: list[Regime] = []
    made: list[Border] = []
    for k, (a, b) in enumerate(itertools.pairwise(edges)):
        inside = [c for q, c in known if a < q < b]
        shape = shapely.LineString([(a, 0.0), (b, 0.0)])
        if inside:
            keys = [c.key for c in inside]
            most = max(keys, key=lambda key: (keys.count(key), str(key)))
            agreeing = [c for c in inside if c.key == most]
            best = min(agreeing, key=lambda c: abs(c.unit[0] - 0.5 * (a + b)))
            note = (
                ""
                if len(agreeing) == len(inside)
                else f"{len(inside) - len(agreeing)} of {len(inside)} points inside disagree."
            )
            faces.append(regime_of(k, best, shape, b - a, window, note, len(agreeing)))
        else:
            faces.append(Regime(k, "stalls", "not evaluated", (), shape, b - a, window.values([0.5 * (a + b)])))
    for k, place in enumerate(sorted(borders)):
        unit = np.array([[place]])
        p = borders[place]
        left, right = faces[k], faces[k + 1]
        label = p.label if p is not None else ("mode" if _only_detail(left, right) else "global")
        words = p.criticality if p is not None else ""
        how = "curve" if p is not None else "spectra" if label == "mode" else "runs"
        made.append(Border(label, words, unit, window.from_unit(unit), (k, k + 1), 0.0, how=how))
    outcome = Outcome("complete", "The map is complete.", True)
    if evaluator.stopped:
        outcome = Outcome("interrupted", "The map was interrupted: runs were left out; make it again.", False)
    return RegimeMap(sampler, tuple(faces), tuple(made), collected.branches, (), tolerance, collected.notes, outcome)


def _only_detail(a: Any, b: Any) -> bool:
    return bool(a.verdict == b.verdict == "converges" and len(a.attractors) == len(b.attractors))
