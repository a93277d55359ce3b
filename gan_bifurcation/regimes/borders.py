"""Where something happens in the window: branches along several cuts, and the curves of all their special points."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.curve_points import DEGENERATE
from gan_bifurcation.continuation.equilibria import damped_newton, find_equilibria
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.problem import CONDITION_OF, compute_spectrum
from gan_bifurcation.continuation.starts import branch_point_to_branch
from gan_bifurcation.continuation.trace import trace
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.observables import observable_tape
from gan_bifurcation.regimes.curves import CONDITIONS, Curve, curve_of
from gan_bifurcation.regimes.window import Window
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
Report = Callable[[str], bool]

_logger = logging.getLogger(__name__)

# Cuts along either parameter: the frame and lines that divide the inside unevenly, so that symmetric windows are not
# cut where borders cross.
FRACTIONS: Final = (0.0, 0.23, 0.52, 0.79, 1.0)
_MOST_CUTS: Final = 120
_STARTS: Final = 16
# Beyond this many states, a search would look at a vanishing part of the space.
_MOST_SEARCHED: Final = 40
# On a plateau the field is rounding and its derivative vanishes as well: no equilibrium, wherever Newton's method ends.
_FLAT: Final = 1e-8


@dataclass(frozen=True, eq=False)
class Collected:
    """What was traced.

    Attributes
    ----------
    branches : tuple of Branch
        Cuts: branches of equilibria or fixed points over one of the parameters.
    curves : tuple of Curve
    points : tuple of Point
        Special points that no curve passes through (one parameter: all of them).
    notes : tuple of str
        What could not be followed.
    families : tuple of int
        For each branch: 0 if it leads to the first equilibrium to begin with, other numbers for other origins.
    """

    branches: tuple[Branch, ...]
    curves: tuple[Curve, ...] = ()
    points: tuple[Point, ...] = ()
    notes: tuple[str, ...] = ()
    families: tuple[int, ...] = ()


@dataclass
class _Work:
    """Branches and special points while they are being collected."""

    window: Window
    events: tuple[Event, ...]
    seen: set[tuple[Any, ...]] = field(default_factory=set)
    branches: list[Branch] = field(default_factory=list)
    families: list[int] = field(default_factory=list)
    origins: int = 0
    points: list[Point] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def starting_points(
    system: System, window: Window, start: Any, box: Mapping[str, Any] | None, seed: int, needed: bool = True
) -> list[Point]:
    """Equilibria inside the window to trace from: those given, the known one, and what a search finds.

    Raises
    ------
    MisuseError
        If there is none although one is needed.
    """
    here = {
        name: (system.parameters[name] if system.parameters[name] in r else r.from_unit(0.5))
        for name, r in window.ranges.items()
    }
    inside = system.with_parameters(**here)
    found: list[Point] = []

    def keep(x: FloatArray, at: System = inside) -> None:
        if all(p.system.parameters != at.parameters or not _same(p.x, x) for p in found) and in_domain(at, x):
            found.append(Point(at, x, compute_spectrum(at, x)))

    given = [] if start is None else (list(start) if isinstance(start, Sequence) else [start])
    for p in given:
        x, _, converged = damped_newton(inside, p.x if isinstance(p, Point) else inside.state_vector(p))
        if not converged:
            raise MisuseError("A start of the regime map is no equilibrium at its parameters; take one from gb.point.")
        keep(x)
    guess = inside.equilibrium_guess()
    if guess is not None:
        keep(damped_newton(inside, guess)[0])
    if inside.n <= _MOST_SEARCHED:
        searched = find_equilibria(inside, box, starts=_STARTS, seed=seed).points
        plain = [p.x for p in searched if not p.note]
        usual = _usual_slope(inside, seed) if plain else 0.0
        for x in plain:
            if _slope(inside, x) > _FLAT * usual:
                keep(x)
    if not found and needed:
        raise MisuseError(
            f"'{system.name}' has no known equilibrium in this window and a search found none; give "
            "start=gb.point(system, guess), or initial=state for a map by runs alone."
        )
    return found


def _slope(system: System, x: FloatArray) -> float:
    """The largest derivative of what vanishes at an equilibrium."""
    a = system.jacobian(x)[:, : system.n] - (np.eye(system.n) if system.kind == "map" else 0.0)
    return float(np.max(np.abs(a)))


def _usual_slope(system: System, seed: int) -> float:
    """The same at random states, in the middle of those where it is finite."""
    states = np.random.default_rng(seed).standard_normal((9, system.n))
    slopes = [slope for slope in (_slope(system, x) for x in states) if np.isfinite(slope)]
    return float(np.median(slopes)) if slopes else 0.0


def in_domain(system: System, x: FloatArray) -> bool:
    """Whether a state lies inside the system's domain."""
    if not system.domain:
        return True
    tape = observable_tape(system, [text for text, _ in system.domain])
    return bool(np.all(np.asarray(tape.evaluate([*x, *system.parameter_vector()])) >= -1e-9))


def _same(x: FloatArray, y: FloatArray, tolerance: float = 1e-6) -> bool:
    return bool(np.max(np.abs(x - y)) <= tolerance * (1.0 + np.max(np.abs(x))))


def collect(
    system: System,
    window: Window,
    *,
    start: Any = None,
    events: Sequence[Event] = (),
    box: Mapping[str, Any] | None = None,
    tolerance: float = 1e-4,
    seed: int = 0,
    needed: bool = True,
    report: Report | None = None,
) -> Collected:
    """Trace branches across the window and the curves of what they meet.

    Parameters
    ----------
    system : System
    window : Window
    start : Point, state or sequence of them, optional
        Equilibria to begin with, besides the known one and those that a search finds.
    events : sequence of Event
        Followed as well (node-focus borders always are).
    box : mapping of state to (low, high), optional
        Where to search for equilibria.
    tolerance : float
        Largest distance of a curve's chords from it, in unit coordinates.
    seed : int
        Of the search.
    needed : bool
        Whether at least one equilibrium must be found.
    report : callable, optional
        Told what was done; False ends the work.
    """
    report = report or (lambda text: True)
    work = _Work(window, (Event.focus(), *events))
    begin = starting_points(system, window, start, box, seed, needed)
    if not begin:
        work.notes.append("No equilibrium was found: there is no curve, and regimes are those of the runs.")
    queue = [(family, k, p) for family, p in enumerate(begin) for k in range(window.dimension)]
    work.origins = len(queue) // window.dimension
    while queue and len(work.branches) < _MOST_CUTS:
        family, direction, point = queue.pop(0)
        queue += _cut(work, family, direction, point)
        if not report(f"{len(work.branches)} branches"):
            work.notes.append("Interrupted while branches were traced.")
            break
    if queue:
        work.notes.append(f"{len(queue)} further cuts were left out.")
    if window.dimension == 1:
        return Collected(
            tuple(work.branches), (), tuple(_distinct(work.points, window)), tuple(work.notes), tuple(work.families)
        )
    curves, lost = _curves(work, tolerance, report)
    return Collected(tuple(work.branches), tuple(curves), tuple(lost), tuple(work.notes), tuple(work.families))


def _cut(work: _Work, family: int, direction: int, point: Point) -> list[tuple[int, int, Point]]:
    """Trace through a point along one parameter, unless that was done; gives starts for the other direction."""
    window = work.window
    name = window.names[direction]
    where = window.to_unit([point.system.parameters[n] for n in window.names])
    size = 1.0 + float(np.max(np.abs(point.x)))
    key = (direction, *np.round(where, 7).tolist())
    if any(k == key and np.max(np.abs(np.array(x) - point.x)) < 1e-6 * size for k, x in work.seen):
        return []
    r = window.ranges[name]
    others: list[tuple[int, int, Point]] = []
    pending: list[tuple[int, Any]] = [(family, point)]
    while pending:
        family, origin = pending.pop(0)
        try:
            branch = trace(origin, {name: r}, at=[r.from_unit(f) for f in FRACTIONS], events=work.events)
        except MisuseError as error:
            work.notes.append(f"A branch over {name} could not be traced: {error}")
            _logger.info("cut skipped: %s", error)
            continue
        if len(branch) < 2:
            continue
        work.branches.append(branch)
        work.families.append(family)
        crossings = [p for p in branch.special_points if p.label == "UZ"]
        crossings += [branch.point(0), branch.point(len(branch) - 1)]
        for p in crossings:
            at = window.to_unit([p.system.parameters[n] for n in window.names])
            if not np.min(np.abs(at[direction] - np.array(FRACTIONS))) < 1e-9:
                continue
            work.seen.add(((direction, *np.round(at, 7).tolist()), tuple(p.x.tolist())))
            if window.dimension == 2:
                others.append((family, 1 - direction, p))
        for p in branch.special_points:
            if p.label == "UZ":
                continue
            known = any(q.label == p.label and _same_place(p, q, window) for q in work.points)
            work.points.append(p)
            if p.label == "BP" and not known and "other" in p.vectors and len(pending) < 16:
                pending.append((work.origins, branch_point_to_branch(p)))
                work.origins += 1
    return others


def _same_place(p: Point, q: Point, window: Window, tolerance: float = 1e-7) -> bool:
    a, b = (window.to_unit([z.parameters[n] for n in window.names]) for z in (p, q))
    return bool(np.max(np.abs(a - b)) < tolerance) and _same(p.x, q.x, 1e-5)


def _distinct(points: Sequence[Point], window: Window) -> list[Point]:
    kept: list[Point] = []
    for p in points:
        if not any(p.label == q.label and _same_place(p, q, window) for q in kept):
            kept.append(p)
    return sorted(kept, key=lambda p: [p.parameters[n] for n in window.names])


def _condition(p: Point) -> str | None:
    return p.condition if p.condition in CONDITIONS else CONDITION_OF[p.system.kind].get(p.label)


def _curves(work: _Work, tolerance: float, report: Report) -> tuple[list[Curve], list[Point]]:
    """The curve of every special point, each once; and the points that have none."""
    window = work.window
    curves: list[Curve] = []
    lost: list[Point] = []
    for p in _distinct(work.points, window):
        condition = _condition(p)
        same = [c for c in curves if c.condition == condition and c.level == p.level and c.label == p.label]
        if any(c.holds(p) for c in same):
            continue
        if not report(f"{len(curves)} curves"):
            work.notes.append("Interrupted while curves were traced.")
            break
        try:
            branch = trace(p, dict(window.ranges), coefficients=False)
            if p.label in DEGENERATE and not p.level and p.multiplicity == 1 and np.any(branch.unstable == 0):
                # Something that attracts changes: where its criticality does is wanted, too.
                branch = trace(p, dict(window.ranges))
        except (MisuseError, np.linalg.LinAlgError) as error:
            lost.append(p)
            _logger.info("no curve through %s: %s", p, error)
            continue
        if len(branch) < 2 or (p.label == "BP" and branch.note):
            lost.append(p)
            continue
        curves.append(curve_of(branch, p, window).refined(tolerance))
    return curves, lost
