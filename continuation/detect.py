"""Detection of special points along a branch.

Between consecutive points the changes of integers (real unstable eigenvalues, pairs, the sign of the bordered
determinant) say what happened; an interval with more than one elementary change is halved until each has one. The
location is then Newton's method on the extended system of that label, whose solution must lie in the interval;
counting alone never places a point.
"""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation import _tally
from gan_bifurcation.continuation.counting import Counts, Integers, count, margins, transverse
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.locating import EQUAL, Locator
from gan_bifurcation.continuation.march import Jump, Strip, join, project
from gan_bifurcation.continuation.problem import ON_MANIFOLD, CurveProblem
from gan_bifurcation.continuation.touching import closest, least_distances
from gan_bifurcation.errors import MisuseError

FloatArray = NDArray[np.float64]
DEEPEST: Final = 30
_EVENT_CUTS: Final = 12
# An interval that still changes after so many cuts is not one with a few crossings: rounding makes the changes.
_MOST_CUTS: Final = 400
# Eigenvalues that seem to have changed places do so no longer when steps are shorter, unless they have.
_MOST_EXCHANGES: Final = 6
# The part of its distance at the ends of an interval that a cluster of eigenvalues keeps where it crosses the boundary.
_CROSSED: Final = 1e-6
_ON_MANIFOLD: Final = (
    "On a manifold of equilibria, located by its eigenvalue; the normal form of an isolated point does not apply."
)


class Detector:
    """Finds the special points of a branch, interval by interval."""

    def __init__(self, problem: CurveProblem, events: Sequence[Event] = (), at: Sequence[float] = ()) -> None:
        self.problem = problem
        self.locator = Locator(problem)
        self.events = [event.compile(problem.system) for event in events]
        (window,) = problem.free.values()
        for v in at:
            if not isinstance(v, Real) or not np.isfinite(v):
                raise MisuseError(f"at= asks for a point at {v!r}, expected finite values of the free parameter.")
            if not window.low <= v <= window.high:
                raise MisuseError(
                    f"at= asks for a point at {v}, outside the window ({window.low:g}, {window.high:g}); widen it."
                )
        self.at = [window.to_unit(v) for v in at]
        self.neutral_note = ""
        self._before: Strip | None = None
        self._cuts = 0
        self._unsolved = False

    def precede(self, pair: Strip) -> None:
        """Take two points as what came before the next strip: the start has neighbours on both sides."""
        self._before = transverse(self.problem, pair)

    def scan(self, strip: Strip, offset: int) -> list[Point]:
        """Special points of a strip; `offset` is the branch index of its first point.

        Raises
        ------
        Jump
            If the march stepped over to another curve nearby.
        """
        found: list[Point] = []
        strip = transverse(self.problem, strip)
        # The interval before the strip, which ended the last one, belongs to it: a touch may show only now.
        before, self._before = self._before, strip.slice(slice(-2, None)) if len(strip) > 1 else None
        first = 1 if before is not None and (before.u[1] == strip.u[0]).all() else 0
        whole = join([before.slice(slice(0, 1)), strip]) if first and before is not None else strip
        counts = count(self.problem, whole)
        if len(strip) > 2 and counts.neutral[first + 1 :].all():
            self.neutral_note = (
                "An eigenvalue stays on the stability boundary along the branch (a conserved "
                "quantity, a manifold of equilibria or an undamped mode); it is counted as stable."
            )
        suspicious = set(np.flatnonzero(counts.changed[first + 1 :]).tolist())
        altered = set(np.flatnonzero(counts.changed[first + 1 :] & _tally.ALTERED).tolist())
        touched = self._touches(whole, counts, first, altered)
        happened: dict[int, list[Event]] = {}
        for event in self.events:
            for i in np.flatnonzero(event.happened(self.problem, strip)).tolist():
                happened.setdefault(i, []).append(event)
        wanted: dict[int, list[float]] = {}
        if self.at:
            q = strip.u[:, self.problem.q_slice.start]
            for target in self.at:
                hit = ((q[:-1] - target) * (q[1:] - target) < 0.0) | (q[1:] == target)
                if offset == 0 and q[0] == target and len(hit):
                    hit[0] = True
                for i in np.flatnonzero(hit).tolist():
                    wanted.setdefault(i, []).append(target)
        for i in sorted(suspicious | touched.keys() | happened.keys() | wanted.keys()):
            if i < 0:  # the last interval of the strip before, whose touch shows only now
                found += touched[i]
                continue
            pair = strip.slice(slice(i, i + 2))
            self._cuts, self._unsolved = 0, False
            here: list[Point] = []
            try:
                if i in suspicious:
                    here = self._resolve(pair, counts.at(first + i), counts.at(first + i + 1), 0)
            except Jump as jump:
                raise Jump(i) from jump
            if self._unsolved:
                # Far out, where eigenvalues come to the boundary and never reach it, rounding makes the changes.
                here = [p for p in here if self.locator.tells(p.label, pair)]
            here += touched.get(i, [])
            here += [p for event in happened.get(i, []) for p in self._event(event, pair)]
            here += [p for target in wanted.get(i, []) if (p := self.locator.user_point(pair, target)) is not None]
            found += self._placed(here, pair, offset + i)
        return found

    def _touches(self, strip: Strip, counts: Counts, first: int, changed: set[int]) -> dict[int, list[Point]]:
        """Special points where the distance to the boundary is least, by the interval they lie in.

        Only intervals between which no integer changes; the strip's first one has the number -`first`.
        """

        def resolve(pair: Strip) -> list[Point]:
            both = count(self.problem, pair)
            return self._resolve(pair, both.at(0), both.at(1), 0)

        found: dict[int, list[Point]] = {}
        for i in least_distances(self.problem.system.kind, strip, counts, at_start=not first):
            if {i - 1 - first, i - first} & changed:
                continue
            for which, points in closest(self.locator, strip.slice(slice(i - 1, i + 2)), resolve):
                interval = i - 1 + which
                placed = self._placed(points, strip.slice(slice(interval, interval + 2)), interval - first)
                found.setdefault(interval - first, []).extend(placed)
        return found

    # -- one interval -------------------------------------------------------------------------------------------------

    def _resolve(self, pair: Strip, before: Integers, after: Integers, depth: int) -> list[Point]:
        change = tuple(b - a for a, b in zip(before, after, strict=True))
        if self.problem.k and not any(change[:4]):
            # On a manifold the determinant also vanishes where what is held is no complement of what is left out.
            change = (0, 0, 0, 0, 0)
        positive, negative, pairs, structural, sign = change
        label: str | None = None
        is_map = self.problem.system.kind == "map"
        if not any(change):
            return self._exchange(pair, before, after, depth)
        if max(abs(positive), abs(negative), abs(pairs)) > 1 and (cluster := self._cluster(pair, change)) is not None:
            return [cluster]
        if structural and abs(positive) + abs(negative) <= self.locator.companions(pair) and not pairs:
            common = self.locator.structural(pair, is_map and -1 in (before[3], after[3]))
            return [common] if common is not None else self._multiple(pair, (0, 0, 0, 0, 0))
        elif sign and abs(positive) <= 1 and not (negative or pairs):
            label = "BP"
        elif abs(positive) == 1 and not (negative or pairs or sign):
            label = "LP"
        elif abs(negative) == 1 and not (positive or pairs or sign):
            label = "PD"
        elif abs(pairs) == 1 and not (positive or negative or sign):
            label = "NS" if is_map else "H"
        elif not sign and positive + negative + 2 * pairs == 0 and not (positive and negative):
            # A pair became two real eigenvalues on the unstable side, or back: nothing happened on the boundary.
            return self._exchange(pair, before, after, depth)
        if label is not None:
            point = self.locator.locate(label, pair)
            if point is not None:
                return [point]
            if self.problem.k and label in ("BP", "LP"):
                return [replace(self.locator.at_margin(label, pair, 1, _ON_MANIFOLD), condition=ON_MANIFOLD)]
        chord = float(np.linalg.norm(pair.u[1] - pair.u[0]))
        middle = None
        if depth < DEEPEST and chord >= 1e-10 and self._cuts < _MOST_CUTS:
            self._cuts += 1
            middle = self.locator.project(0.5 * (pair.u[0] + pair.u[1]), pair.u[1] - pair.u[0])
        if middle is None or not 0.05 < self.locator.fraction(pair, middle.u[0]) < 0.95:
            # A curve that passes from one point to the other is as straight as its steps are short; where it is not,
            # the points lie on two curves (an imperfect pitchfork).
            along = np.abs(pair.t @ (pair.u[1] - pair.u[0]))
            if bool(np.any(along < (0.98 if depth else 0.9) * chord)):
                raise Jump(0)
            if label is not None and label != "BP" and (point := self.locator.beside(label, pair)) is not None:
                return [point]
            return self._multiple(pair, change)
        between = count(self.problem, middle).at(0)
        left = self._resolve(join([pair.slice(slice(0, 1)), middle]), before, between, depth + 1)
        return left + self._resolve(join([middle, pair.slice(slice(1, 2))]), between, after, depth + 1)

    def _exchange(self, pair: Strip, before: Integers, after: Integers, depth: int) -> list[Point]:
        """Crossings within an interval, as many one way as the other: no count changes."""
        if depth >= _MOST_EXCHANGES or not count(self.problem, pair).changed[1] & _tally.EXCHANGED:
            return []
        middle = self.locator.project(0.5 * (pair.u[0] + pair.u[1]), pair.u[1] - pair.u[0])
        if middle is None or not 0.05 < self.locator.fraction(pair, middle.u[0]) < 0.95:
            return []
        between = count(self.problem, middle).at(0)
        left = self._resolve(join([pair.slice(slice(0, 1)), middle]), before, between, depth + 1)
        return left + self._resolve(join([middle, pair.slice(slice(1, 2))]), between, after, depth + 1)

    def _cluster(self, pair: Strip, change: Sequence[int]) -> Point | None:
        """Several equal eigenvalues or pairs that cross together all along an interval (a symmetric system)."""
        positive, negative, pairs, structural, _ = change
        if structural or sum(map(bool, (positive, negative, pairs))) != 1:
            return None
        number = max(abs(positive), abs(negative), abs(pairs))
        is_map = self.problem.system.kind == "map"
        label = "BP" if positive else ("PD" if negative else ("NS" if is_map else "H"))
        for i in (0, 1):
            group = self.locator.group(label, pair.spectra[i], number)
            if len(group) < number or np.ptp(group.real) + np.ptp(group.imag) > EQUAL * float(np.max(np.abs(group))):
                return None
        note = (
            f"{number} equal critical {'pairs' if pairs else 'eigenvalues'} cross together; restrict the system to a "
            "fixed-point subspace for a normal form."
        )
        point = self.locator.at_margin(label, pair, number, note)
        # Where several clusters are near the boundary, the one that is nearest at the ends need not be that which
        # crosses.
        u = self.problem.pack(point.x, values=point.parameters)
        spectrum = self.problem.spectrum(u)
        off = np.abs(margins(self.locator.kind, self.locator.group(label, spectrum, number)))
        ends = [abs(self.locator.mean_margin(label, s, number)) for s in pair.spectra]
        size = 1.0 if is_map else float(np.max(np.abs(spectrum)))
        if not (self.locator.inside(pair, u) and np.all(off <= max(_CROSSED * max(ends), EQUAL * size))):
            return None
        self._unsolved = True
        return point

    def _multiple(self, pair: Strip, change: Sequence[int]) -> list[Point]:
        """What could not be told apart in a tiny interval; nothing, if no eigenvalue crosses the boundary there."""
        label = "H" if self.problem.system.kind == "flow" else "NS"
        if change[1]:
            label = "PD"
        elif change[0] or (change[4] and not change[2]):
            label = "BP" if change[4] or abs(change[0]) > 1 else "LP"
        number = max(abs(change[0]), abs(change[1]), abs(change[2]), 1)
        ends = [self.locator.mean_margin(label, spectrum, 1) for spectrum in pair.spectra]
        if any(change) and number == 1 and label != "BP" and ends[0] * ends[1] > 0.0:
            # On its way to infinity an eigenvalue comes closer to the boundary than the width that counts as on it.
            return []
        several = f"{number} critical {'pairs' if label in ('H', 'NS') else 'eigenvalues'} cross together; "
        note = (several if number > 1 else "") + "the point was located by its eigenvalues only (no extended system)."
        self._unsolved = True
        return [self.locator.at_margin(label, pair, number, note[0].upper() + note[1:])]

    def _event(self, event: Event, pair: Strip, depth: int = 0) -> list[Point]:
        number = int(event.happened(self.problem, pair)[0])
        fraction_guess = 0.5 * (pair.u[0] + pair.u[1])
        found: list[Point] = []
        if number == 1 or depth >= _EVENT_CUTS:
            for condition, eigenvalue, level in event.candidates(self.problem, pair):
                point = self.locator.extended(event.name, condition, level, fraction_guess, eigenvalue, pair)
                if point is not None and all(abs(point.critical - p.critical) > 1e-6 for p in found):
                    found.append(point)
                if len(found) >= number:
                    return found
        # Eigenvalues that meet depend on the parameter like a square root: from the ends of a long step,
        # Newton's method misses. Where several meet, each has its own part.
        middle = project(self.problem, fraction_guess, pair.u[1] - pair.u[0]) if depth < _EVENT_CUTS else None
        if middle is None:
            return found
        halves = [join([pair.slice(slice(0, 1)), middle]), join([middle, pair.slice(slice(1, 2))])]
        return [p for h in halves if event.happened(self.problem, h)[0] for p in self._event(event, h, depth + 1)]

    def _placed(self, points: list[Point], pair: Strip, offset: int) -> list[Point]:
        placed = []
        for p in points:
            u = self.problem.pack(p.x, values=p.parameters)
            placed.append(replace(p, index=offset + min(max(self.locator.fraction(pair, u), 0.0), 1.0)))
        return sorted(placed, key=lambda p: p.index)
