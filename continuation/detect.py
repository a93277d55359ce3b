"""Detection and location of special points along a branch.

Between consecutive points the changes of integers (real unstable eigenvalues, pairs, the sign of the bordered
determinant) say what happened; an interval with more than one elementary change is halved until each has one. The
location is then Newton's method on the extended system of that label, whose solution must lie in the interval;
counting alone never places a point.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation import branch_points
from gan_bifurcation.continuation.conditions import kappa_unit, make_point, solve_condition
from gan_bifurcation.continuation.counting import FAR, REAL_PART, count, margins, neutral_width, transverse
from gan_bifurcation.continuation.events import Event
from gan_bifurcation.continuation.march import Jump, Strip, join, project
from gan_bifurcation.continuation.problem import CONDITION_OF, Condition, CurveProblem
from gan_bifurcation.errors import MisuseError

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
# Eigenvalues that are equal by symmetry differ by rounding, or by its square root in a defective block.
EQUAL: Final = 1e-6
DEEPEST: Final = 30
_EVENT_CUTS: Final = 12
# A distance from the boundary that is no rounding of a simple eigenvalue near it.
_SURE: Final = 1e-13
# An interval that still changes after so many cuts is not one with a few crossings: rounding makes the changes.
_MOST_CUTS: Final = 400
_ON_MANIFOLD: Final = (
    "On a manifold of equilibria, located by its eigenvalue; the normal form of an isolated point does not apply."
)
GOLDEN: Final = 0.5 * (5.0**0.5 - 1.0)


class Detector:
    """Finds the special points of a branch, interval by interval."""

    def __init__(self, problem: CurveProblem, events: Sequence[Event] = (), at: Sequence[float] = ()) -> None:
        self.problem = problem
        self.events = [event.compile(problem.system) for event in events]
        (window,) = problem.free.values()
        for v in at:
            if not np.isfinite(v):
                raise MisuseError(f"at= asks for a point at {v}, expected finite values of the free parameter.")
            if not window.low <= v <= window.high:
                raise MisuseError(
                    f"at= asks for a point at {v}, outside the window ({window.low:g}, {window.high:g}); widen it."
                )
        self.at = [window.to_unit(v) for v in at]
        self.neutral_note = ""
        self._before: Strip | None = None
        self._cuts = 0

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
        if len(strip) > 2 and (counts.neutral[first + 1 :] > 0).all():
            self.neutral_note = (
                "An eigenvalue stays on the stability boundary along the branch (a conserved "
                "quantity, a manifold of equilibria or an undamped mode); it is counted as stable."
            )
        table = np.column_stack([counts.positive, counts.negative, counts.pairs, counts.structural, counts.sign])
        suspicious = set(np.flatnonzero((table[first + 1 :] != table[first:-1]).any(axis=1)).tolist())
        touched = self._touches(whole, -first, table[:, :-1], suspicious)
        happened: dict[int, list[Event]] = {}
        for event in self.events:
            for i in np.flatnonzero(event.happened(self.problem, strip)).tolist():
                happened.setdefault(i, []).append(event)
        q = strip.u[:, self.problem.q_slice.start]
        wanted: dict[int, list[float]] = {}
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
            self._cuts = 0
            try:
                here: list[Point] = self._resolve(pair, 0) if i in suspicious else []
            except Jump as jump:
                raise Jump(i) from jump
            here += touched.get(i, [])
            here += [p for event in happened.get(i, []) for p in self._event(event, pair)]
            here += [p for target in wanted.get(i, []) if (p := self._user_point(pair, target)) is not None]
            found += self._placed(here, pair, offset + i)
        return found

    # -- one interval -------------------------------------------------------------------------------------------------

    def _touches(self, strip: Strip, first: int, table: NDArray[np.int64], changed: set[int]) -> dict[int, list[Point]]:
        """Special points where the distance to the boundary is least, in intervals between which no integer changes.

        Two crossings within a step, or an eigenvalue that reaches the boundary and turns back: a parabola through three
        distances goes to or through zero. The first interval of the strip has the number `first`.
        """
        found: dict[int, list[Point]] = {}
        if len(strip) < 3 or not strip.spectra.shape[1]:
            return found
        kind = self.problem.system.kind
        distances = np.sort(np.abs(margins(kind, strip.spectra)), axis=1)
        width = neutral_width(kind, strip)
        neutral = (distances <= width).sum(axis=1)
        # An eigenvalue that stays on the boundary does not touch it.
        stay = np.minimum(np.minimum(neutral[:-2], neutral[1:-1]), neutral[2:])
        distances = np.column_stack([distances, np.full(len(strip), np.inf)])
        rows = np.arange(len(stay))
        a, b, c = (distances[rows + k, stay] for k in range(3))
        size = 1.0 if kind == "map" else float(np.where(np.abs(strip.spectra) < FAR, np.abs(strip.spectra), 0.0).max())
        length = np.linalg.norm(np.diff(strip.u, axis=0), axis=1)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            slope = (b - a) / length[:-1], (c - b) / length[1:]
            curvature = (slope[1] - slope[0]) / (length[:-1] + length[1:])
            lowest = b - (slope[0] + curvature * length[:-1]) ** 2 / (4.0 * curvature)
            falls = slope[0] < 0.0
            # Of two equal distances the second one counts, but the first of all has none before it.
            falls[0] |= first == 0 and slope[0][0] == 0.0
            hit = falls & (slope[1] >= 0.0) & (lowest <= 0.25 * b) & (b < 0.2 * size)
            # Rounding may take an eigenvalue on and off the boundary.
            hit &= (np.minimum(a, c) > 10.0 * width[1:-1, 0]) & (table[:-2] == table[2:]).all(axis=1)
        for i in np.flatnonzero(hit).tolist():
            if not {first + i, first + i + 1} & changed:
                for which, points in self._closest(strip.slice(slice(i, i + 3))):
                    pair = strip.slice(slice(i + which, i + which + 2))
                    placed = self._placed(points, pair, first + i + which)
                    found.setdefault(first + i + which, []).extend(placed)
        return found

    def _closest(self, three: Strip) -> list[tuple[int, list[Point]]]:
        """Golden section for the least distance over two intervals; what is there, with the interval's number."""
        kind = self.problem.system.kind
        same = count(self.problem, three).at(0)

        def distance(strip: Strip) -> float:
            return float(np.min(np.abs(margins(kind, strip.spectra[0]))))

        best, where = three.slice(slice(1, 2)), 0
        for which in (0, 1):
            ends = three.slice(slice(which, which + 2))
            chord = ends.u[1] - ends.u[0]
            low, high = 0.0, 1.0
            x = [1.0 - GOLDEN, GOLDEN]
            new = [self._project(ends.u[0] + f * chord, chord) for f in x]
            for _ in range(45):
                one, two = new
                if one is None or two is None:
                    break
                for strip in (one, two):
                    if count(self.problem, strip).at(0) != same:
                        halves = [join([ends.slice(slice(0, 1)), strip]), join([strip, ends.slice(slice(1, 2))])]
                        return [(which, [p for half in halves for p in self._resolve(half, 0)])]
                lower = distance(one) < distance(two)
                nearer = one if lower else two
                if distance(nearer) < distance(best):
                    best, where = nearer, which
                if lower:
                    high = x[1]
                    x = [low + (1.0 - GOLDEN) * (high - low), x[0]]
                    new = [self._project(ends.u[0] + x[0] * chord, chord), one]
                else:
                    low = x[0]
                    x = [x[1], low + GOLDEN * (high - low)]
                    new = [two, self._project(ends.u[0] + x[1] * chord, chord)]
        if distance(best) > float(neutral_width(kind, best)[0, 0]):
            return []
        if crossings := self._crossings(three, best, where):
            return [(where, crossings)]
        label, nearest = self._sort(best)
        point = make_point(self.problem, best.u[0], label, complex(nearest.real, abs(nearest.imag)), "")
        note = "The critical eigenvalue only touches the boundary here: stability does not change."
        return [(where, [replace(point, note=note)])]

    def _sort(self, strip: Strip) -> tuple[str, complex]:
        """The eigenvalue nearest the boundary, and the label that speaks of it."""
        kind = self.problem.system.kind
        s = strip.spectra[0]
        nearest = complex(s[np.argmin(np.abs(margins(kind, s)))])
        if abs(nearest.imag) > REAL_PART * (1.0 + abs(nearest)):
            return "H" if kind == "flow" else "NS", nearest
        return "PD" if kind == "map" and nearest.real < 0.0 else "LP", nearest

    def _crossings(self, three: Strip, best: Strip, where: int) -> list[Point]:
        """Two crossings between which the eigenvalue stays within the width that counts as on the boundary.

        Eigenvalues are known better than that: beyond the crossing the distance with its sign has its own extremum.
        """
        kind = self.problem.system.kind
        label, _ = self._sort(best)
        if label == "LP":
            return []

        def margin(strip: Strip) -> float:
            return float(margins(kind, np.array([self._critical(label, strip.spectra[0])]))[0])

        ends = [three.slice(slice(i, i + 1)) for i in (0, 2)]
        side = np.sign(margin(ends[0]))
        if side != np.sign(margin(ends[1])):
            return []
        chord = ends[1].u[0] - ends[0].u[0]
        low, high = 0.0, 1.0
        deepest: Strip | None = None
        for _ in range(60):
            probes = [
                self._project(ends[0].u[0] + f * chord, chord)
                for f in (high - GOLDEN * (high - low), low + GOLDEN * (high - low))
            ]
            one, two = probes
            if one is None or two is None:
                return []
            if side * margin(one) < side * margin(two):
                high, deepest = low + GOLDEN * (high - low), one
            else:
                low, deepest = high - GOLDEN * (high - low), two
        if deepest is None or side * margin(deepest) > -_SURE:
            return []
        found = []
        for outer in ends:
            # Next to the extremum Newton's method goes anywhere: halve until the crossing is close.
            inner, row = deepest, outer.u[0] - deepest.u[0]
            for _ in range(40):
                middle = self._project(0.5 * (inner.u[0] + outer.u[0]), row)
                if middle is None:
                    return []
                if side * margin(middle) < 0.0:
                    inner = middle
                else:
                    outer = middle
            near = join([inner, outer])
            found.append(self._locate(label, near, anywhere=True) or self._at_margin(label, near, 1, ""))
        return found

    def _project(self, guess: FloatArray, row: FloatArray) -> Strip | None:
        new = project(self.problem, guess, row)
        return None if new is None else transverse(self.problem, new)

    def _resolve(self, pair: Strip, depth: int) -> list[Point]:
        counts = count(self.problem, pair)
        before, after = np.array(counts.at(0)), np.array(counts.at(1))
        change = after - before
        positive, negative, pairs, structural, sign = change.tolist()
        label: str | None = None
        is_map = self.problem.system.kind == "map"
        if not change.any():
            return []
        if max(abs(positive), abs(negative), abs(pairs)) > 1 and (cluster := self._cluster(pair, change)) is not None:
            return [cluster]
        if structural and abs(positive) + abs(negative) <= self._companions(pair) and not pairs:
            return [self._structural(pair, before[3], after[3])]
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
            return []
        if label is not None:
            point = self._locate(label, pair)
            if point is not None:
                return [point]
            if self.problem.k and label in ("BP", "LP"):
                return [self._at_margin(label, pair, 1, _ON_MANIFOLD)]
        chord = float(np.linalg.norm(pair.u[1] - pair.u[0]))
        middle = None
        if depth < DEEPEST and chord >= 1e-10 and self._cuts < _MOST_CUTS:
            self._cuts += 1
            middle = self._project(0.5 * (pair.u[0] + pair.u[1]), pair.u[1] - pair.u[0])
        if middle is None or not 0.05 < self._fraction(pair, middle.u[0]) < 0.95:
            # A curve that passes from one point to the other is as straight as its steps are short; where it is not,
            # the points lie on two curves (an imperfect pitchfork).
            along = np.abs(pair.t @ (pair.u[1] - pair.u[0]))
            if bool(np.any(along < (0.98 if depth else 0.9) * chord)):
                raise Jump(0)
            if label is not None and label != "BP" and (point := self._beside(label, pair)) is not None:
                return [point]
            return [self._multiple(pair, change)]
        left = self._resolve(join([pair.slice(slice(0, 1)), middle]), depth + 1)
        return left + self._resolve(join([middle, pair.slice(slice(1, 2))]), depth + 1)

    def _fraction(self, pair: Strip, u: FloatArray) -> float:
        chord = pair.u[1] - pair.u[0]
        n = len(chord)
        return float((u[:n] - pair.u[0]) @ chord / (chord @ chord))

    def _inside(self, pair: Strip, u: FloatArray) -> bool:
        chord = pair.u[1] - pair.u[0]
        length = float(np.linalg.norm(chord))
        fraction = self._fraction(pair, u)
        off = np.linalg.norm(u - pair.u[0] - fraction * chord)
        return -1e-6 <= fraction <= 1.0 + 1e-6 and bool(off <= 0.5 * length + 1e-9)

    def _critical(self, label: str, spectrum: ComplexArray) -> complex:
        """The eigenvalue of a spectrum that a label speaks of: nearest the boundary among those of the right sort."""
        group = self._group(label, spectrum, 1)
        return complex(
            group[0] if len(group) else spectrum[np.argmin(np.abs(margins(self.problem.system.kind, spectrum)))]
        )

    def _beside(self, label: str, pair: Strip) -> Point | None:
        """The solution next to a tiny interval in which an integer changes.

        Integers change where the distance from the boundary is the width that counts as on it, not where it is zero: an
        eigenvalue that all but turns back there is on the boundary further off.
        """
        kind = self.problem.system.kind
        point = self._locate(label, pair, anywhere=True)
        if point is None:
            return None
        u = self.problem.pack(point.x, values=point.parameters)
        between = self._project(0.5 * (pair.u[0] + u), pair.t[0])
        if between is None:
            return None
        critical = self._critical(label, between.spectra[0])
        width = float(neutral_width(kind, between)[0, 0])
        return point if abs(float(margins(kind, np.array([critical]))[0])) <= 2.0 * width else None

    def _locate(self, label: str, pair: Strip, *, anywhere: bool = False) -> Point | None:
        kind = self.problem.system.kind
        ends = [self._critical(label, pair.spectra[i]) for i in (0, 1)]
        m = [float(margins(kind, np.array([e]))[0]) for e in ends]
        fraction = m[0] / (m[0] - m[1]) if m[0] * m[1] < 0.0 else 0.5
        guess = pair.u[0] + min(max(fraction, 0.0), 1.0) * (pair.u[1] - pair.u[0])
        if label == "BP":
            return branch_points.locate(self.problem, guess, pair, self._inside)
        eigenvalue = ends[0] + min(max(fraction, 0.0), 1.0) * (ends[1] - ends[0])
        return self._extended(label, CONDITION_OF[kind][label], "", guess, eigenvalue, None if anywhere else pair)

    def _extended(
        self, label: str, condition: Condition, level: str, guess: FloatArray, eigenvalue: complex, pair: Strip | None
    ) -> Point | None:
        """Newton on the square system of one label with the branch's parameter as the only free one."""
        base = self.problem
        unit = kappa_unit(base.system.kind, condition, eigenvalue)
        problem = CurveProblem(base.system, base.free, condition, level, base.pins, base.unfolding, base.scale, unit)
        located = solve_condition(problem, guess, eigenvalue, reference=base.states(guess))
        if located is None:
            return None
        u, critical = located
        if pair is not None and not self._inside(pair, u[: base.size]):
            return None
        return make_point(problem, u, label, critical, level)

    def _companions(self, pair: Strip) -> int:
        """How many eigenvalues of the reduced spectrum are equal to the structural one all along an interval."""
        equal = np.abs(pair.spectra - pair.structural[:, None]) <= 1e-8 * (1.0 + np.abs(pair.structural[:, None]))
        return int(equal.sum(axis=1).min())

    def _structural(self, pair: Strip, before: int, after: int) -> Point:
        """The common eigenvalue of the linear states reaches the boundary."""
        base = self.problem
        minus = base.system.kind == "map" and -1 in (before, after)
        condition: Condition = "structural minus" if minus else "structural"
        problem = CurveProblem(base.system, base.free, condition, "", base.pins, base.unfolding, base.scale)
        u, ok = problem.newton(0.5 * (pair.u[0] + pair.u[1]))
        if not ok:
            return self._multiple(pair, np.zeros(5, dtype=int))
        label = "PD" if minus else "LP"
        point = make_point(
            problem, u, label, complex(-1.0 if minus else (1.0 if base.system.kind == "map" else 0.0)), ""
        )
        k = base.structural_multiplicity + self._companions(pair)
        return replace(
            point, multiplicity=k, condition=condition,
            note=f"Structural: the {k} equal eigenvalues of the linear states reach the boundary together, in "
                 "a linear equation; no normal form applies.",
        )  # fmt: skip

    def _cluster(self, pair: Strip, change: NDArray[np.int64]) -> Point | None:
        """Several equal eigenvalues or pairs that cross together all along an interval (a symmetric system)."""
        positive, negative, pairs, structural, _ = change.tolist()
        if structural or sum(map(bool, (positive, negative, pairs))) != 1:
            return None
        number = max(abs(positive), abs(negative), abs(pairs))
        is_map = self.problem.system.kind == "map"
        label = "BP" if positive else ("PD" if negative else ("NS" if is_map else "H"))
        for i in (0, 1):
            group = self._group(label, pair.spectra[i], number)
            if len(group) < number or np.ptp(group.real) + np.ptp(group.imag) > EQUAL * float(np.max(np.abs(group))):
                return None
        note = (
            f"{number} equal critical {'pairs' if pairs else 'eigenvalues'} cross together; restrict the system to a "
            "fixed-point subspace for a normal form."
        )
        return self._at_margin(label, pair, number, note)

    def _group(self, label: str, spectrum: ComplexArray, number: int) -> ComplexArray:
        """The eigenvalues of a label's sort that are nearest to the boundary."""
        kind = self.problem.system.kind
        real = np.abs(spectrum.imag) <= EQUAL * np.abs(spectrum)
        if label in ("H", "NS"):
            candidates = spectrum[spectrum.imag > 0.0]
        elif label == "PD":
            candidates = spectrum[real & (spectrum.real < 0.0)]
        else:
            candidates = spectrum[real & ((spectrum.real > 0.0) | (kind == "flow"))]
        return np.asarray(candidates[np.argsort(np.abs(margins(kind, candidates)))[:number]])

    def _multiple(self, pair: Strip, change: NDArray[np.int64]) -> Point:
        """What could not be told apart in a tiny interval."""
        label = "H" if self.problem.system.kind == "flow" else "NS"
        if change[1]:
            label = "PD"
        elif change[0] or (change[4] and not change[2]):
            label = "BP" if change[4] or abs(change[0]) > 1 else "LP"
        number = int(max(abs(change[0]), abs(change[1]), abs(change[2]), 1))
        several = f"{number} critical {'pairs' if label in ('H', 'NS') else 'eigenvalues'} cross together; "
        note = (several if number > 1 else "") + "the point was located by its eigenvalues only (no extended system)."
        return self._at_margin(label, pair, number, note[0].upper() + note[1:])

    def _at_margin(self, label: str, pair: Strip, number: int, note: str) -> Point:
        """The point where the mean margin of a label's nearest eigenvalues vanishes, by regula falsi on the branch.

        The mean of equal eigenvalues is smooth where each of them is not.
        """
        kind = self.problem.system.kind
        row = pair.u[1] - pair.u[0]

        def mean(strip: Strip) -> float:
            group = self._group(label, strip.spectra[0], number)
            return float(np.mean(margins(kind, group))) if len(group) else np.nan

        low, high = 0.0, 1.0
        a, b = mean(pair.slice(slice(0, 1))), mean(pair.slice(slice(1, 2)))
        u, side = (pair.u[0] if abs(a) < abs(b) else pair.u[1]), 0
        for _ in range(80):
            # Illinois' variant; at equal signs (a margin within rounding) it is the secant method.
            f = (low * b - high * a) / (b - a) if a != b else np.nan
            if not (np.isfinite(f) and -1.0 < f < 2.0):
                break
            new = self._project(pair.u[0] + f * row, row)
            if new is None:
                # At a branch point there is no tangent; the point itself may be what is looked for.
                straight = pair.u[0] + f * row
                if np.linalg.norm(self.problem.residual(straight)[0]) < 1e-12:
                    u = straight
                    break
                f += 1e-3 * (high - low)
                new = self._project(pair.u[0] + f * row, row)
            m = np.nan if new is None else mean(new)
            if new is None or not np.isfinite(m):
                break
            u = new.u[0]
            if m == 0.0 or abs(high - low) * np.linalg.norm(row) < 1e-15:
                break
            if (m > 0.0) == (b > 0.0):
                high, b, a, side = f, m, a * (0.5 if side == 1 else 1.0), 1
            else:
                low, a, b, side = f, m, b * (0.5 if side == -1 else 1.0), -1
        group = self._group(label, self.problem.spectrum(u), number)
        critical = complex(group[0]) if len(group) else complex(np.nan)
        return replace(make_point(self.problem, u, label, critical, ""), multiplicity=number, note=note)

    # -- users' events ------------------------------------------------------------------------------------------------

    def _event(self, event: Event, pair: Strip, depth: int = 0) -> list[Point]:
        number = int(event.happened(self.problem, pair)[0])
        fraction_guess = 0.5 * (pair.u[0] + pair.u[1])
        found: list[Point] = []
        if number == 1 or depth >= _EVENT_CUTS:
            for condition, eigenvalue, level in event.candidates(self.problem, pair):
                point = self._extended(event.name, condition, level, fraction_guess, eigenvalue, pair)
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

    def _user_point(self, pair: Strip, target: float) -> Point | None:
        row = np.zeros(self.problem.size)
        row[self.problem.q_slice.start] = 1.0
        q = pair.u[:, self.problem.q_slice.start]
        f = (target - q[0]) / (q[1] - q[0])
        u, ok = self.problem.newton(pair.u[0] + f * (pair.u[1] - pair.u[0]), row, target)
        return make_point(self.problem, u, "UZ", complex(np.nan), "") if ok else None

    def _placed(self, points: list[Point], pair: Strip, offset: int) -> list[Point]:
        placed = []
        for p in points:
            u = self.problem.pack(p.x, values=p.parameters)
            placed.append(replace(p, index=offset + min(max(self._fraction(pair, u), 0.0), 1.0)))
        return sorted(placed, key=lambda p: p.index)
