"""The work behind a bifurcation set: cuts, then curves, then points of codimension two and what starts there."""

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.bifurcation_set import Link
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.set_curves import nearest_on_polyline
from gan_bifurcation.continuation.set_cuts import Cuts, same_place
from gan_bifurcation.continuation.set_images import image_of_point
from gan_bifurcation.continuation.set_lines import Lines
from gan_bifurcation.continuation.set_search import MOST_SEARCHED, placed, searched, starting_points
from gan_bifurcation.continuation.set_starts import BESIDES, starts_at
from gan_bifurcation.continuation.set_symmetry import FEW, Group, apply
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.continuation.trace import numbered_name
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

# Where equilibria are searched for besides the system's own parameters: on lines of the net of cuts, so that what is
# known already is recognised.
_PLACES: Final = ((0.23, 0.79), (0.79, 0.23))
_STARTS: Final = 32
# Labels of ordinary special points; what else is on a curve is a point of codimension two.
ORDINARY: Final = ("LP", "BP", "H", "PD", "NS", "UZ")
_SAME: Final = 1e-5
# In units of the largest state of the equilibria to begin with, or of 1.
_LARGEST: Final = 1e3


@dataclass
class Found:
    """A point of codimension two while the set is being made: where it was met."""

    point: Point
    met: dict[int, str] = field(default_factory=dict)


@dataclass
class Builder:
    """Makes a bifurcation set, stage by stage."""

    system: System
    window: Window
    depth: int
    events: tuple[Event, ...]
    coefficients: bool
    most: int
    most_circles: int
    most_modes: int
    progress: Callable[[int, int, str], Any] | None = None
    equilibria: list[Point] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # Points of codimension two whose starts were computed, and what came of it.
    started: list[tuple[Point, list[Point], str]] = field(default_factory=list)
    stopped: bool = False

    def __post_init__(self) -> None:
        base = self.system.iterations
        whole = Group.of(self.system, self.window)
        # Of two images both are listed, but only one of them is computed.
        self.group = whole if whole.order > FEW else Group()
        self.mirrors = whole if whole.order <= FEW else Group()
        self.cuts = Cuts(self.window, self.events, self.depth, flips=True, most=self.most, base=base, group=self.group)
        self.lines = Lines(
            self.window, self.coefficients, base, most_circles=self.most_circles,
            most_modes=self.most_modes, group=self.group,
            mirrors=self.mirrors,
        )  # fmt: skip
        if self.group.order > 1:
            self.notes.append(
                f"The system has {self.group.order} symmetries among the permutations and reflections of its states; "
                "of solutions and curves that they map to each other, one is listed."
            )

    def report(self, text: str) -> bool:
        if not self.stopped and self.progress is not None and self.progress(0, 0, text) is False:
            self.stopped = True
            self.notes.append("The work was interrupted: what comes after is missing.")
        return not self.stopped

    # -- branches -----------------------------------------------------------------------------------------------------

    def explore(self, start: Any, box: Mapping[str, Any] | None, seed: int) -> None:
        """Follow all equilibria that are found."""
        begin, said = starting_points(self.system, self.window, start, box, seed, starts=_STARTS)
        begin = self._apart(begin)
        self.equilibria += begin
        self.notes.append(said)
        # Beyond this, branches run off to where nothing is left but a limit.
        self.cuts.largest = _LARGEST * max([1.0, *(float(np.max(np.abs(p.x))) for p in begin)])
        self.cuts.begin(begin, self.report)
        for place in _PLACES:
            at = placed(self.system, self.window, place)
            if self.system.n > MOST_SEARCHED or self.stopped:
                break
            points, _ = searched(at, box, seed + 1, _STARTS)
            fresh = self._apart([p for p in points if not self.cuts.knows(p)])
            self.equilibria += fresh
            self.cuts.begin(fresh, self.report)
        for k, cut in enumerate(self.cuts.cuts):
            parent = f"B{cut.parent + 1}" if cut.parent >= 0 else f"E{-cut.parent}"
            how = "begins" if cut.parent < 0 else ("crosses" if cut.via is None else "switches at")
            self._link(parent, f"B{k + 1}", how, cut.via if cut.via is not None else cut.start)

    def _apart(self, points: Sequence[Point]) -> list[Point]:
        """One of those that a symmetry maps to each other."""
        kept: list[Point] = []
        for p in points:
            if not any(same_place(p, q, self.window, self.cuts.base, group=self.group) for q in kept):
                kept.append(p)
        return kept

    # -- curves -------------------------------------------------------------------------------------------------------

    def trace_curves(self) -> None:
        """Trace the curve of every special point that lies on none yet."""
        points = sorted(self.cuts.points, key=lambda e: [e[0].parameters[n] for n in self.window.names])
        for p, cut in points:
            if not self.report(f"{len(self.lines.curves)} curves"):
                break
            if any(
                same_place(p, q, self.window, self.cuts.base, group=self.group) and p.label == q.label
                for q, _ in self.lines.lost
            ):
                continue
            number = self._curve(p)
            if number is not None:
                self._link(f"B{cut + 1}", self.names[number], "meets", p)

    def _curve(self, p: Point) -> int | None:
        """The number of the curve of a point, traced if it is new."""
        number = self.lines.holds(p)
        if number is None:
            number = self.lines.follow(p)
            if number is not None:
                last = self.lines.curves[-1].branch
                alike = sum(
                    c.label == p.label and _of_circles(c.branch) == _of_circles(last) for c in self.lines.curves
                )
                circles = f"{p.label} of circles"
                self.names.append(numbered_name(circles, alike) if _of_circles(last) else f"{p.label}{alike}")
        return number

    # -- codimension two ----------------------------------------------------------------------------------------------

    def organise(self) -> None:
        """Merge points of codimension two, and follow the curves through them, until nothing new is met."""
        done = 0
        queue: deque[Found] = deque()
        while True:
            while done < len(self.lines.curves):
                queue.extend(self._centres_of(done))
                done += 1
            if not queue or not self.report(f"{len(self.found)} points of codimension two"):
                break
            self._follow(queue.popleft())
        for found in self.found:
            self._touching(found)

    def _centres_of(self, number: int) -> list[Found]:
        """Points of codimension two on a curve that were not met before."""
        branch = self.lines.curves[number].branch
        fresh = []
        for p in branch.special_points:
            if p.label in ORDINARY:
                continue
            end = min(p.index, len(branch) - 1 - p.index) < 1e-9 and not branch.closed
            known = next((f for f in self.found if self._same(f.point, p)), None)
            if known is None:
                known = Found(p)
                self.found.append(known)
                fresh.append(known)
            elif p.residual < known.point.residual and not p.normal_form and not known.point.normal_form:
                known.point = p
            elif p.normal_form and not known.point.normal_form:
                known.point = p
            known.met.setdefault(number, "ends at" if end else "passes through")
        return fresh

    def _same(self, p: Point, q: Point) -> bool:
        return p.label == q.label and same_place(p, q, self.window, self.cuts.base, _SAME, self.group)

    def _follow(self, found: Found) -> None:
        starts, why = self._starts(found)
        if why:
            self.notes.append(f"No curve was started at {self._at(found.point)}: {why}")
        most = self.cuts.base * 2**self.depth
        for start in starts:
            own = start.system.iterations == found.point.system.iterations and start.kind == found.point.kind
            if own and self._is_met(found, start):
                continue
            if start.system.iterations > most:
                self.notes.append(
                    f"The {start.name} that starts at {self._at(found.point)} was not followed; allow a larger depth."
                )
                continue
            number = self._curve(start)
            if number is not None:
                found.met.setdefault(number, "passes through" if own else "starts")

    def _starts(self, found: Found) -> tuple[list[Point], str]:
        """Where curves begin at a point of codimension two; the images of those at one that is its image."""
        for other, starts, why in self.started:
            for e in self.mirrors.others():
                if self._same(replace(other, x=apply(e, other.x)), found.point):
                    return [image_of_point(e, s) for s in starts], why
        starts, why = starts_at(found.point, self.depth > 0)
        self.started.append((found.point, starts, why))
        return starts, why

    def _is_met(self, found: Found, point: Any) -> bool:
        """Whether a curve with the label of a start was met at this point (of two, the one with its angle)."""
        same = [k for k in found.met if self.lines.curves[k].label == point.label]
        return len(same) > (1 if found.point.label in ("HH", "NSNS") else 0)

    def _touching(self, found: Found) -> None:
        """Curves of other objects that come to the point: those of twice the period begin there."""
        p = found.point
        q = self.window.to_unit([p.parameters[n] for n in self.window.names])
        for k, curve in enumerate(self.lines.curves):
            if k in found.met:
                continue
            if curve.condition == "cycle":
                if curve.begins_at(p):
                    found.met[k] = "starts"
                continue
            if curve.branch.system.iterations <= p.system.iterations:
                continue
            distance, near, _ = nearest_on_polyline(curve.unit, q)
            if distance < 1e-3 and np.max(np.abs(curve.state(near) - p.x)) < 0.05 * (1.0 + np.max(np.abs(p.x))):
                found.met[k] = "starts"

    # -- result -------------------------------------------------------------------------------------------------------

    def _link(self, source: str, target: str, how: str, at: Any) -> None:
        label = at.label if isinstance(at, Point) and at.label != "UZ" else ""
        where = {n: float(at.system.parameters[n]) for n in self.window.names}
        self.links.append(Link(source, target, how, label, where))

    def named_points(self) -> tuple[Point, ...]:
        """Points of codimension two with names, and the links of the curves with them."""
        count: Counter[str] = Counter()
        named = []
        for found in self.found:
            count[found.point.label] += 1
            p = replace(found.point, name=numbered_name(found.point.label, count[found.point.label]))
            named.append(p)
            for number, how in found.met.items():
                curve = self.names[number]
                if how in ("passes through", "ends at"):
                    self._link(curve, p.name, how, p)
                else:
                    self._link(p.name, curve, how, p)
        return tuple(named)

    def unexplored(self) -> tuple[str, ...]:
        """What was not looked at or could not be followed, in sentences."""
        said = [*self.notes, *self.cuts.notes]
        if self.cuts.left_out:
            said.append(
                f"{self.cuts.left_out} further cuts were left out after {len(self.cuts.cuts)}; allow more with "
                "most_branches."
            )
        if self.cuts.beyond:
            labels = Counter(p.label for p in self.cuts.beyond)
            what = " and ".join(f"{n} {label} points" for label, n in sorted(labels.items()))
            said.append(f"Branches from {what} beyond depth {self.depth} were not followed.")
        said += self._together("branch", self.cuts.unswitched) + self._together("curve", self.lines.lost)
        for why, names in self._cut_short().items():
            was = "was not followed to its end" if len(names) == 1 else "were not followed to their ends"
            said.append(f"{' and '.join(names)} {was}: {why}")
        said += self._not_started()
        born = {"H": "Cycles", "NS": "Invariant circles" if self.system.kind == "map" else "Tori"}
        for label, what in born.items():
            names = [n for n, c in zip(self.names, self.lines.curves, strict=True) if c.label == label]
            if names:
                said.append(f"{what} that are born on {', '.join(names)} were not followed.")
        said.append("Global bifurcations, and solutions that no search found, are not in the set.")
        return tuple(dict.fromkeys(said))

    def _cut_short(self) -> dict[str, list[str]]:
        """Why curves end where they need not, and which; images end together."""
        found: dict[str, list[str]] = {}
        for name, curve in zip(self.names, self.lines.curves, strict=True):
            for outcome in curve.branch.outcome:
                if not outcome.converged or outcome.code == "points":
                    knob = "most_circles" if _of_circles(curve.branch) else "max_points"
                    known = found.setdefault(outcome.message.replace("max_points", knob), [])
                    known += [name] if name not in known else []
        return found

    def _together(self, what: str, lost: Sequence[tuple[Point, str]]) -> list[str]:
        """Special points from which nothing was followed, those with the same reason together."""
        reasons: dict[tuple[str, str], list[tuple[Point, str]]] = {}
        for p, why in lost:
            reasons.setdefault((p.label, why[:40]), []).append((p, why))
        said = []
        for entries in reasons.values():
            p, why = entries[0]
            more = f" and {len(entries) - 1} more" if len(entries) > 1 else ""
            said.append(f"No {what} was followed from {self._at(p)}{more}: {why}")
        return said

    def _not_started(self) -> list[str]:
        said = []
        for found in self.found:
            label, what = BESIDES.get(found.point.label, ("", ""))
            started = [
                k for k, how in found.met.items()
                if self.lines.curves[k].label == label and how == "starts"
            ]  # fmt: skip
            if what and not started:
                said.append(f"At {self._at(found.point)}, {what} may start; none was followed.")
        return said

    def _at(self, p: Point) -> str:
        where = ", ".join(f"{n} = {p.parameters[n]:.6g}" for n in self.window.names)
        return f"{p.label} at {where}"


def _of_circles(branch: Branch) -> bool:
    return branch.system.kind == "map" and bool(branch.profiles)
