"""The regime map: where training converges, oscillates, stalls or diverges over one or two parameters."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.regimes.arrangement import Arrangement, Line, arrange, interior_points, lines_of, merged, thickness
from gan_bifurcation.regimes.attractors import DECIDED, Cell
from gan_bifurcation.regimes.borders import Collected, collect
from gan_bifurcation.regimes.contours import contours
from gan_bifurcation.regimes.edges import borders_between
from gan_bifurcation.regimes.intervals import interval_map
from gan_bifurcation.regimes.regime import Regime, RegimeMap, regime_of
from gan_bifurcation.regimes.sampling import Evaluator, make_sampler
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int, str], Any]

_logger = logging.getLogger(__name__)

# Chords lie this much closer to a curve than the tolerance of the map.
_CHORDS: Final = 0.25
_SAMPLES: Final = 96
# Next to a border of stability runs are too slow for a decision; spectra are not.
_SLOW: Final = 1e-2
_EXACT: Final = 1e-5
_ROUNDS: Final = 2


def regime_map(
    system: System,
    free: Mapping[str, Any],
    *,
    start: Any = None,
    initial: Any = None,
    steps: int = 2000,
    domain: Sequence[tuple[str, str]] | None = None,
    tolerance: float = 1e-4,
    seed: int = 0,
    executor: Executor | None = None,
    events: Sequence[Event] = (),
    box: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> RegimeMap:
    """Divide a window of one or two parameters into regimes, by exact curves where these explain the border.

    Parameters
    ----------
    system : System
    free : mapping of parameter to (low, high) or ``gb.log_range(low, high)``
        One parameter (regimes are intervals) or two (regimes are faces of the plane).
    start : Point or state, or a sequence of them, optional
        Equilibria to begin with, besides the known one and those that a search finds.
    initial : state, optional
        Where runs start. The verdict is then that of the run wherever it does not end in an equilibrium that attracts;
        there need not be an equilibrium. Without it, runs start beside the equilibrium, where that does not attract.
    steps : int
        Iterations of a run; of a flow its duration.
    domain : sequence of (expression, reason), optional
        Inequalities ``expression >= 0``, besides the system's own, whose violation means divergence.
    tolerance : float
        In unit coordinates (the window is the unit square): of chords, and of borders that are found by runs.
    seed : int
        Of the search for equilibria and of displaced starts.
    executor : concurrent.futures.Executor, optional
        Where runs are made; the result does not depend on it.
    events : sequence of Event
        Conditions whose curves are wanted as well (they are kept in `curves`; only curves that change what an attractor
        does are borders).
    box : mapping of state to (low, high), optional
        Where to search for equilibria.
    progress : callable, optional
        Called with (done, total, text); if it returns False, what is left to do is left out and the outcome says so.

    Returns
    -------
    RegimeMap

    Raises
    ------
    MisuseError
        If a name or number does not fit, or there is neither an equilibrium to begin with nor `initial`.

    Examples
    --------
    >>> import gan_bifurcation as gb
    >>> game = gb.models.dirac_gan(gamma=0.5)
    >>> steps = gb.tie(gb.system(game, gb.Simultaneous()), eta_g="eta_d")
    >>> rmap = regime_map(steps, {"eta_d": (0.05, 6.0), "gamma": (0.05, 2.0)})
    >>> rmap.at(eta_d=0.5, gamma=0.5).verdict, rmap.at(eta_d=0.5, gamma=0.5).detail
    ('converges', 'spiralling')
    """
    if not isinstance(system, System):
        raise MisuseError(f"A regime map is made of a System, got {type(system).__name__}; make one with gb.system.")
    window = Window.of(system, free)
    if not 1e-12 <= tolerance <= 0.1:
        raise MisuseError(f"The tolerance is a part of the window between 1e-12 and 0.1, got {tolerance:g}.")
    if domain:
        system = replace(system, domain=(*system.domain, *((str(e), str(r)) for e, r in domain)))

    def report(done: int, total: int, text: str) -> bool:
        return progress is None or progress(done, total, text) is not False

    collected = collect(
        system,
        window,
        start=start,
        events=events,
        box=box,
        tolerance=_CHORDS * tolerance,
        seed=seed,
        # Runs from a given state say what training does where there is no equilibrium at all.
        needed=initial is None,
        report=lambda text: report(0, 0, text),
    )
    sampler = make_sampler(system, window, collected.branches, collected.families, initial, steps, seed)
    evaluator = Evaluator(sampler, executor, report)
    if any("Interrupted" in note for note in collected.notes):
        evaluator.stopped = True
    if window.dimension == 1:
        return interval_map(sampler, collected, evaluator, tolerance)
    return _plane_map(sampler, collected, evaluator, tolerance)


def _plane_map(sampler: Any, collected: Collected, evaluator: Evaluator, tolerance: float) -> RegimeMap:
    lines = lines_of(collected.curves)
    notes = list(collected.notes)
    arrangement = arrange(lines)
    cells = _sample(arrangement, evaluator)
    thin = 2.0 * tolerance
    for _ in range(_ROUNDS):
        added: list[Line] = []
        for k, inside in enumerate(cells):
            if thickness(arrangement.faces[k]) > thin and len({c.key for c in inside if c.decided}) > 1:
                more, finished = _disagreement(arrangement.faces[k], inside, evaluator, tolerance, collected)
                added += more
                if not finished:
                    notes.append(
                        "A border found by runs is longer or finer than what was allowed for; it is not complete."
                    )
        if not added or evaluator.stopped:
            break
        lines = [*lines, *added]
        arrangement = arrange(lines)
        cells = _sample(arrangement, evaluator)
    keys = [_majority(inside) for inside in cells]
    vague = {k for k, inside in enumerate(cells) if not any(c.decided for c in inside)}
    numbers, polygons = merged(arrangement, keys, thin, vague)
    members: list[list[Cell]] = [[] for _ in polygons]
    for k, inside in enumerate(cells):
        if not _small(arrangement, k, thin) or len(polygons) == 1:
            members[numbers[k]] += inside
    faces = tuple(_face(k, polygon, members[k], sampler.window) for k, polygon in enumerate(polygons))
    borders = borders_between(arrangement, numbers, collected.curves, sampler.window, 10.0 * tolerance)
    outcome = Outcome("complete", "The map is complete.", True)
    if evaluator.stopped:
        outcome = Outcome(
            "interrupted",
            "The map was interrupted: runs were left out, so regimes are not confirmed; make it again.",
            False,
        )
    return RegimeMap(
        sampler, faces, borders, collected.branches, collected.curves, tolerance, tuple(dict.fromkeys(notes)), outcome
    )


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
    return [[c for c in (next(found) for _ in inside) if c is not None] for inside in places]


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
        return [None if r is None or r.confidence < DECIDED else r.verdict for r in runs]

    def by_escape(units: FloatArray, text: str) -> list[Any]:
        return list(evaluator(units, text, "escapes"))

    kinds = {c.simulated for c in inside if c.decided}
    question = by_spectra if spectra else (by_escape if "diverges" in kinds and len(kinds) == 2 else by_runs)
    found, finished = contours(
        question, face, _CHORDS * tolerance if spectra else tolerance, _EXACT if spectra else _SLOW
    )
    label = "global"
    if spectra:
        # The same equilibria attract, by another slowest mode; or something that has no curve happened to one.
        same = len({len(c.stable) for c in inside}) == 1
        label = "mode" if same else min((p.label for p in collected.points), default="local")
    return [Line(points, -1, label) for points in found], finished


def _face(number: int, polygon: Any, cells: Sequence[Cell], window: Window) -> Regime:
    """The regime of a face: what most of its cells say, at the one farthest from the border."""
    key = _majority(cells)
    agreeing = [c for c in cells if c.key == key]
    note = ""
    against = [c for c in cells if c.decided and c.key != key]
    if against:
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
    return regime_of(number, best, polygon, float(polygon.area), window, note, len(agreeing))


def _words(cell: Cell) -> str:
    return cell.simulated or ", ".join(f"{v} ({d})" for v, d in cell.local) or "no attractor"
