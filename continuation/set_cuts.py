"""Cuts through a window of parameters: branches along either parameter, switched at branch points and flips."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.set_search import same_state
from gan_bifurcation.continuation.set_symmetry import Group
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.continuation.starts import Start, branch_point_to_branch, flip_to_period_two
from gan_bifurcation.continuation.trace import trace
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]
Report = Callable[[str], bool]

_logger = logging.getLogger(__name__)

# Cuts along either parameter: the frame and lines that divide the inside unevenly, so that symmetric windows are not
# cut where borders cross.
FRACTIONS: Final = (0.0, 0.23, 0.52, 0.79, 1.0)
# Branches switched to, beyond which more would say nothing new of the window.
_MOST_SWITCHES: Final = 400


@dataclass(frozen=True, eq=False)
class Cut:
    """A branch and how it was come by.

    Attributes
    ----------
    branch : Branch
    family : int
        Number of the origin: that of an equilibrium to begin with, or a new one for each switch.
    depth : int
        How many switches lead to it.
    parent : int
        Number of the cut that its start lies on; -1 - k for the k-th equilibrium to begin with.
    start : Point or Start
    via : Point or None
        The branch point or flip that it was switched at.
    """

    branch: Branch
    family: int
    depth: int
    parent: int
    start: Point | Start
    via: Point | None = None


@dataclass(frozen=True, eq=False)
class _Task:
    family: int
    direction: int
    start: Point | Start
    depth: int
    parent: int
    via: Point | None = None


@dataclass
class Cuts:
    """Branches and special points while they are being collected.

    Attributes
    ----------
    window : Window
    events : tuple of Event
    depth : int
        How many switches may follow one another.
    flips : bool
        Whether to switch at flips too.
    most : int
        Number of cuts at which to stop.
    base : int
        Iterations of the system to begin with.
    largest : float
        Branches end where a state is larger; 0 for no such bound.
    group : Group
        Solutions that it maps to known ones are known.
    """

    window: Window
    events: tuple[Event, ...] = ()
    depth: int = 1000
    flips: bool = False
    most: int = 120
    base: int = 1
    largest: float = 0.0
    group: Group = field(default_factory=Group)
    cuts: list[Cut] = field(default_factory=list)
    points: list[tuple[Point, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # Branch points and flips where the depth ended.
    beyond: list[Point] = field(default_factory=list)
    # Those from which no branch could be followed, and why.
    unswitched: list[tuple[Point, str]] = field(default_factory=list)
    left_out: int = 0
    families: int = 0
    _seen: list[tuple[tuple[float, ...], Point]] = field(default_factory=list)
    _flips_met: list[Point] = field(default_factory=list)
    _switches: int = 0

    def begin(self, points: Sequence[Point], report: Report) -> None:
        """Trace through points, and on from what they lead to, until nothing new is met."""
        dimension = self.window.dimension
        first = self.families
        queue = deque(
            _Task(first + k, direction, p, 0, -1 - first - k)
            for k, p in enumerate(points)
            for direction in range(dimension)
        )
        self.families += len(points)
        while queue and len(self.cuts) < self.most:
            task = queue.popleft()
            switched, crossing = self._cut(task)
            # What branches off is followed at once, so that crossings with other families are known by then.
            queue.extendleft(reversed(switched))
            queue.extend(crossing)
            if not report(f"{len(self.cuts)} branches"):
                self.notes.append("Interrupted while branches were traced.")
                break
        self.left_out += len(queue)

    def knows(self, point: Point) -> bool:
        """Whether a cut along one of the parameters crossed this solution."""
        where = self._unit(point)
        return any(
            np.max(np.abs(np.array(key[1:]) - where)) < 1e-6 and self._same_orbit(point, p) for key, p in self._seen
        )

    def _unit(self, p: Point) -> FloatArray:
        return self.window.to_unit([p.system.parameters[n] for n in self.window.names])

    def _cut(self, task: _Task) -> tuple[list[_Task], list[_Task]]:
        """Trace along one parameter, unless that was done: tasks for switches, and for the other direction."""
        window, direction = self.window, task.direction
        name = window.names[direction]
        r = window.ranges[name]
        if isinstance(task.start, Point):
            where = self._unit(task.start)
            for key, p in self._seen:
                near = key[0] == direction and np.max(np.abs(np.array(key[1:]) - where)) < 1e-6
                if near and self._same_orbit(task.start, p):
                    return [], []
        elif task.via is not None and task.via.label == "PD" and self._met(task.via, self._flips_met):
            return [], []
        bounds = dict.fromkeys(task.start.system.states, (-self.largest, self.largest)) if self.largest else None
        try:
            branch = trace(task.start, {name: r}, at=self._places(task, r), events=self.events, bounds=bounds)
        except (MisuseError, np.linalg.LinAlgError) as error:
            self.notes.append(f"A branch over {name} could not be traced: {error}")
            _logger.info("cut skipped: %s", error)
            return [], []
        if len(branch) < 2:
            self.notes.append(f"A branch over {name} could not be traced: {branch.outcome[0].message}")
            return [], []
        number = len(self.cuts)
        self.cuts.append(Cut(branch, task.family, task.depth, task.parent, task.start, task.via))
        if isinstance(task.start, Point):
            self._seen.append(((float(direction), *self._unit(task.start).tolist()), task.start))
        elif task.via is not None and task.via.label == "PD":
            self._flips_met.append(task.via)
        return self._switches_of(branch, task, number), self._crossings(branch, task, number)

    def _places(self, task: _Task, r: Range) -> list[float]:
        """Where exact points are wanted: on the net, and beside an equilibrium to begin with, at others there."""
        places = [r.from_unit(f) for f in FRACTIONS]
        if task.parent < 0 and isinstance(task.start, Point):
            own = task.start.system.parameters[self.window.names[task.direction]]
            if min(abs(own - v) for v in places) > 1e-6 * (r.high - r.low):
                places.append(own)
        return sorted(places)

    def _crossings(self, branch: Branch, task: _Task, number: int) -> list[_Task]:
        crossings = [p for p in branch.special_points if p.label == "UZ"]
        # A one-sided branch begins where it is no branch of its own yet.
        crossings += [branch.point(k) for k in ((0, len(branch) - 1) if task.via is None else (len(branch) - 1,))]
        found = []
        for p in crossings:
            at = self._unit(p)
            if lower_period(p, self.base):
                continue
            self._seen.append(((float(task.direction), *at.tolist()), p))
            on_net = np.min(np.abs(at[task.direction] - np.array(FRACTIONS))) < 1e-9
            if on_net and self.window.dimension == 2:
                found.append(_Task(task.family, 1 - task.direction, p, task.depth, number))
        return found

    def _switches_of(self, branch: Branch, task: _Task, number: int) -> list[_Task]:
        found = []
        for p in branch.special_points:
            if p.label == "UZ":
                continue
            if lower_period(p, self.base):
                # A flip of a shorter period, met from the longer one.
                self._flips_met.append(p)
                continue
            known = self._met(p, [q for q, _ in self.points if q.label == p.label])
            self.points.append((p, number))
            if known or not ("other" in p.vectors if p.label == "BP" else self.flips and p.label == "PD"):
                continue
            if p.label == "PD" and (p.multiplicity > 1 or p.level or self._met(p, self._flips_met)):
                continue
            if task.depth >= self.depth or self._switches >= _MOST_SWITCHES:
                self.beyond.append(p)
                continue
            start: Any = None
            try:
                start = branch_point_to_branch(p) if p.label == "BP" else flip_to_period_two(p)
            except MisuseError as error:
                self.unswitched.append((p, str(error)))
                continue
            self._switches += 1
            found.append(_Task(self.families, task.direction, start, task.depth + 1, number, p))
            self.families += 1
        return found

    def _met(self, p: Point, known: Sequence[Point]) -> bool:
        return any(same_place(p, q, self.window, self.base, group=self.group) for q in known)

    def _same_orbit(self, p: Point, q: Point) -> bool:
        return any(same_orbit(replace(p, x=x), q, self.base) for x in self.group.images(p.x))


def same_place(
    p: Point, q: Point, window: Window, base: int = 1, tolerance: float = 1e-7, group: Group | None = None
) -> bool:
    """Whether two points have the same parameters in the window, and the same states or states of one orbit.

    With a group, also whether it maps one to the other.
    """
    a, b = (window.to_unit([z.parameters[n] for n in window.names]) for z in (p, q))
    if not np.max(np.abs(a - b)) < tolerance:
        return False
    images = [p.x] if group is None else group.images(p.x)
    return any(same_orbit(replace(p, x=x), q, base, 1e-5) for x in images)


def same_orbit(p: Point, q: Point, base: int = 1, tolerance: float = 1e-6) -> bool:
    """Whether two points, or points of two periodic orbits, are the same."""
    if same_state(p.x, q.x, tolerance):
        return True
    longer, other = (p, q) if p.system.iterations >= q.system.iterations else (q, p)
    return any(same_state(x, other.x, tolerance) for x in orbit(longer, base)[1:])


def orbit(point: Point, base: int = 1) -> list[FloatArray]:
    """The states of a point of an iterate under the map that has `base` iterations, the point's own first."""
    states = [point.x]
    if point.system.kind == "map" and point.system.iterations > base:
        once = replace(point.system, iterations=base)
        for _ in range(point.system.iterations // base - 1):
            states.append(once.rhs(states[-1]))
    return states


def phases(point: Point, base: int = 1) -> list[Point]:
    """A point, cycle or circle of an iterate begun at each point of its orbit."""
    if point.profile is None:
        return [replace(point, x=x) for x in orbit(point, base)]
    made = [point]
    if point.system.kind == "map" and point.system.iterations > base:
        once = replace(point.system, iterations=base)
        for _ in range(point.system.iterations // base - 1):
            states = np.array([once.rhs(x) for x in made[-1].profile.states])  # type: ignore[union-attr]
            made.append(replace(point, x=states[0], profile=replace(point.profile, states=states)))
    return made


def lower_period(point: Point, base: int = 1) -> bool:
    """Whether a fixed point of an iterate returns earlier."""
    states = orbit(point, base)
    return any(same_state(states[0], x, 1e-5) for k, x in enumerate(states) if k and len(states) % k == 0)
