"""A curve of the bifurcation set that can be solved again: exact points between its points, and the nearest one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.conditions import aim, kappa_of
from gan_bifurcation.continuation.curves import neutral_directions
from gan_bifurcation.continuation.problem import CONDITION_OF, Condition, CurveProblem
from gan_bifurcation.continuation.set_window import Window
from gan_bifurcation.errors import MisuseError

FloatArray = NDArray[np.float64]

_DEEPEST: Final = 12
_MOST_POINTS: Final = 6000


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve in the window along which an equilibrium changes, as points and as equations.

    Attributes
    ----------
    label : str
        LP, BP, H, PD, NS, or the name of an event.
    branch : Branch
        As it was traced.
    condition, level : str
        What holds along it: see `CurveProblem`.
    window : Window
    unknowns : array (N, size)
        Exact points: those of the branch and those that were added.
    structural : bool
        Whether it is the common multiplier of the linear states that is critical.
    """

    label: str
    branch: Branch
    condition: Condition
    level: str
    window: Window
    unknowns: FloatArray

    @property
    def structural(self) -> bool:
        return self.condition.startswith("structural")

    @cached_property
    def problem(self) -> CurveProblem:
        return self._problem(_inner(self.branch))

    def _problem(self, row: int) -> CurveProblem:
        return curve_equations(self.branch, row, self.condition, self.level, self.window)

    @cached_property
    def unit(self) -> FloatArray:
        """Its points in unit coordinates, (N, 2); on the frame exactly."""
        q = self.unknowns[:, self.problem.q_slice].copy()
        q[np.abs(q) < 1e-12] = 0.0
        q[np.abs(q - 1.0) < 1e-12] = 1.0
        return q

    @property
    def points(self) -> FloatArray:
        """Its points in natural units, (N, 2)."""
        return self.window.from_unit(self.unit)

    def state(self, k: int) -> FloatArray:
        return self.problem.states(self.unknowns[k])

    # -- exact points -------------------------------------------------------------------------------------------------

    def solve(self, near: int, guess: FloatArray, row: FloatArray) -> FloatArray | None:
        """The point of the curve in the plane through `guess` with normal `row`, borders taken at point `near`."""
        problem = self.problem
        self._prepare(near)
        if problem.k:
            problem.set_reference(problem.states(guess))
        u, ok = problem.newton(guess, row, float(row @ guess))
        return u if ok else None

    @cached_property
    def _prepared(self) -> list[int]:
        """At which point the borders of the problem were taken last."""
        return [-1]

    def _prepare(self, near: int) -> None:
        problem = self.problem
        if problem.condition not in ("real", "minus", "pair", "focus") or self._prepared[0] == near:
            return
        self._prepared[0] = near
        u = self.unknowns[near]
        if problem.turns:
            problem.turn(u)
        aim(problem, u, _critical(problem, u))

    def refined(self, tolerance: float) -> "Curve":
        """The same curve with exact points added until chords are closer to it than `tolerance` (unit coordinates)."""
        u = self.unknowns
        if len(u) < 2:
            return self
        q = self.unit
        chords = np.diff(q, axis=0)
        length = np.linalg.norm(chords, axis=1)
        angle = np.abs(np.arctan2(chords[:, 1], chords[:, 0]))
        direction = np.unwrap(np.arctan2(chords[:, 1], chords[:, 0]))
        turn = np.abs(np.diff(direction))
        around = np.zeros(len(chords))
        if len(turn):
            around[:-1] = np.maximum(around[:-1], turn)
            around[1:] = np.maximum(around[1:], turn)
        # A circular arc of this length and turning angle has this distance from its chord; at least every chord that
        # turns is looked at once, since the angle is an estimate.
        suspicious = (length * around / 8.0 > 0.25 * tolerance) | ((length > 0.05) & (angle >= 0.0))
        rows: list[FloatArray] = []
        for k in range(len(u) - 1):
            rows.append(u[k])
            if suspicious[k]:
                rows += self._between(k, u[k], u[k + 1], tolerance, 0)
        rows.append(u[-1])
        if len(rows) > max(_MOST_POINTS, len(u)):
            # Coarser chords all along, not exact ones on the first part and none on the rest.
            return self.refined(4.0 * tolerance)
        return Curve(self.label, self.branch, self.condition, self.level, self.window, np.array(rows))

    def _between(self, k: int, a: FloatArray, b: FloatArray, tolerance: float, depth: int) -> list[FloatArray]:
        chord = b - a
        size = float(np.linalg.norm(chord))
        if depth >= _DEEPEST or size < 1e-9:
            return []
        middle = self.solve(k, 0.5 * (a + b), chord)
        if middle is None or np.linalg.norm(middle - 0.5 * (a + b)) > 0.5 * size:
            return []
        s = self.problem.q_slice
        qa, qb, qm = a[s], b[s], middle[s]
        along = qb - qa
        d = float(np.linalg.norm(along))
        sag = (
            float(np.linalg.norm(qm - 0.5 * (qa + qb)))
            if d == 0.0
            else abs(float(along[0] * (qm - qa)[1] - along[1] * (qm - qa)[0])) / d
        )
        if sag <= 0.25 * tolerance:
            return [middle] if sag > 0.05 * tolerance else []
        before = self._between(k, a, middle, tolerance, depth + 1)
        return [*before, middle, *self._between(k, middle, b, tolerance, depth + 1)]

    def tangent(self, near: int, u: FloatArray) -> FloatArray:
        """A unit tangent in the unknowns at an exact point."""
        self._prepare(near)
        if self.problem.k:
            self.problem.set_reference(self.problem.states(u))
        _, d = self.problem.residual(u)
        # Equations in units of their own: those of large states would drown those of small ones.
        sizes = np.max(np.abs(d), axis=1)
        return np.asarray(np.linalg.svd(d / np.where(sizes > 0.0, sizes, 1.0)[:, None])[2][-1])

    def nearest(
        self, q: FloatArray, around: FloatArray | None = None, segment: int | None = None
    ) -> tuple[float, FloatArray, int]:
        """The exact nearest point of the curve to a point in unit coordinates.

        Parameters
        ----------
        q : array (2,)
        around : array (2,), optional
            The locally nearest point next to this one instead.
        segment : int, optional
            The locally nearest point next to this segment instead.

        Returns
        -------
        distance, unknowns, index of the point before
        """
        first, last = 0, len(self.unknowns)
        if last == 1:
            return float(np.linalg.norm(self.unit[0] - q)), self.unknowns[0], 0
        k = nearest_on_polyline(self.unit, q if around is None else around)[1] if segment is None else segment
        a, b = self.unknowns[k], self.unknowns[k + 1]
        row = (b - a) / np.linalg.norm(b - a)
        s = self.problem.q_slice

        def at(place: float) -> tuple[float, FloatArray] | None:
            guess = a + place * row
            u = self.solve(k, guess, row)
            if u is None:
                return None
            t = self.tangent(k, u)
            t = t / float(t @ row)
            return float((u[s] - q) @ t[s]), u

        # The derivative of half the squared distance along the curve vanishes: secant steps in the chord's direction.
        length = float(np.linalg.norm(b - a))
        distance = nearest_on_polyline(self.unit[k : k + 2], q)[0]
        fraction = _fraction(self.unit[k], self.unit[k + 1], q) * length
        low, high = -length if k > first else 0.0, 2 * length if k < last - 2 else length
        here = at(float(np.clip(fraction, low, high)))
        if here is None:
            return distance, a + fraction * row, k
        place, (slope, u) = float(np.clip(fraction, low, high)), here
        other = float(np.clip(place + 1e-4 * length if place < high else place - 1e-4 * length, low, high))
        for _ in range(30):
            there = at(other)
            if there is None or there[0] == slope:
                break
            new = float(np.clip(other - there[0] * (other - place) / (there[0] - slope), low, high))
            place, slope, u = other, there[0], there[1]
            if abs(new - other) < 1e-14 * (1.0 + length):
                break
            other = new
        found = float(np.linalg.norm(u[s] - q))
        return (found, u, k) if found <= distance + 1e-3 else (distance, a + fraction * row, k)

    def holds(self, point: Point, *, close: float = 2e-2) -> bool:
        """Whether a special point found elsewhere lies on this curve."""
        q = self.window.to_unit([point.parameters[name] for name in self.window.names])
        distance, k = self._segment(q, point.x)
        if distance > close:
            return False
        exact, u, _ = self.nearest(q, segment=k)
        x = self.problem.states(u)
        return exact < 1e-7 and bool(np.max(np.abs(x - point.x)) < 1e-5 * (1.0 + np.max(np.abs(point.x))))

    def _segment(self, q: FloatArray, x: FloatArray) -> tuple[float, int]:
        """The segment next to a point, by parameters and states: a curve may pass the same parameters several times."""
        if len(self.unknowns) == 1:
            return float(np.linalg.norm(self.unit[0] - q)), 0
        distances, fractions = _distances(self.unit, q)
        states = self.problem.states(self.unknowns)
        between = states[:-1] + fractions[:, None] * np.diff(states, axis=0)
        apart = np.max(np.abs(between - x), axis=1) / (1.0 + float(np.max(np.abs(x))))
        k = int(np.argmin(distances + apart))
        return float(distances[k]), k

    def point(self, k: int) -> Point:
        """The labelled point at a position of `unknowns`."""
        from gan_bifurcation.continuation.conditions import make_point

        u = self.unknowns[k]
        return make_point(self.problem, u, self.label, _critical(self.problem, u), self.level)


def _critical(problem: CurveProblem, u: FloatArray) -> complex:
    from gan_bifurcation.continuation.conditions import critical_eigenvalue

    critical = critical_eigenvalue(problem, u, complex(np.nan))
    if critical is None or np.isnan(critical):
        # At the end of a pair's curve the pair is real.
        return complex(1.0 if u[-1] > 0.0 else -1.0) if problem.system.kind == "map" else complex(0.0)
    return critical


def _fraction(a: FloatArray, b: FloatArray, q: FloatArray) -> float:
    chord = b - a
    size = float(chord @ chord)
    return float(np.clip((q - a) @ chord / size, 0.0, 1.0)) if size else 0.0


def nearest_on_polyline(points: FloatArray, q: FloatArray) -> tuple[float, int, float]:
    """Distance of a point from a polyline (N, 2), the segment, and the fraction along it."""
    if len(points) == 1:
        return float(np.linalg.norm(points[0] - q)), 0, 0.0
    d, f = _distances(points, q)
    k = int(np.argmin(d))
    return float(d[k]), k, float(f[k])


def _distances(points: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distance of a point from each segment of a polyline, and the fraction along it."""
    a, chord = points[:-1], np.diff(points, axis=0)
    size = np.maximum(np.sum(chord**2, axis=1), 1e-300)
    f = np.clip(np.sum((q - a) * chord, axis=1) / size, 0.0, 1.0)
    return np.linalg.norm(a + f[:, None] * chord - q, axis=1), f


def curve_equations(branch: Branch, row: int, condition: Condition, level: str, window: Window) -> CurveProblem:
    """The equations of a curve that was traced.

    Branch points, and curves on a manifold of equilibria, need the null vectors at one of their points.
    """
    free = dict(window.ranges)
    p = branch.point(row)
    # States and frequencies in their own units: Newton's method is to know no difference between large and small ones.
    largest = np.max(np.abs(branch.states), axis=0)
    scale = np.where(largest > 1e-12 * np.max(largest, initial=0.0), largest, 1.0)
    if branch.curve != "BP":
        pins, unfolding = neutral_directions(p, branch.curve, condition) or (None, None)
        unit = 1.0
        if condition == "pair" and branch.system.kind == "flow":
            unit = float(np.max(branch.measures["omega"])) ** 2 or 1.0
        return CurveProblem(branch.system, free, condition, level, pins, unfolding, scale, unit)
    a = np.ascontiguousarray(p.system.jacobian(p.x)[:, : p.system.n])
    shifted = a - np.eye(len(a)) if p.system.kind == "map" else a
    left = np.linalg.svd(shifted)[0][:, -1:]
    return CurveProblem(branch.system, free, condition, level, pins=left.copy(), unfolding=left.copy(), scale=scale)


def _inner(branch: Branch) -> int:
    """A point that is typical of a curve: at its ends a further eigenvalue may vanish, as if it lay on a manifold."""
    return len(branch) // 2


def curve_of(branch: Branch, point: Point, window: Window) -> Curve:
    """A traced curve with its equations, from the special point that it was traced from."""
    condition = point.condition if point.condition in CONDITIONS else CONDITION_OF[point.system.kind].get(point.label)
    if condition is None:
        raise MisuseError(f"There is no curve of {point.label}; it needs a labelled point.")
    problem = curve_equations(branch, _inner(branch), condition, point.level, window)  # type: ignore[arg-type]
    rows = []
    for k in range(len(branch)):
        values = dict(zip(branch.free, branch.parameters[k].tolist(), strict=True))
        rows.append(problem.pack(branch.states[k], _kappa(problem, branch, k), values))
    return Curve(point.label, branch, condition, point.level, window, np.array(rows))  # type: ignore[arg-type]


CONDITIONS: Final[Sequence[str]] = ("real", "minus", "pair", "focus", "function", "structural", "structural minus")


def _kappa(problem: CurveProblem, branch: Branch, k: int) -> float:
    if not problem.has_kappa:
        return 0.0
    if problem.condition == "pair":
        if problem.system.kind == "map":
            return float(np.cos(branch.measures["theta"][k]))
        return float(branch.measures["omega"][k] ** 2) / problem.kappa_unit
    # A double eigenvalue comes out of the spectrum as two that are closest to each other.
    s = branch.spectrum[k]
    gaps = np.abs(s[:, None] - s[None, :]) + np.where(np.eye(len(s)) > 0, np.inf, 0.0)
    exact = gaps == 0.0
    if exact.any() and problem.structural_multiplicity:
        size = problem.reduced_size
        gaps = gaps[:size, :size]
    i, j = np.unravel_index(np.argmin(gaps), gaps.shape)
    return kappa_of(problem, complex(0.5 * (s[i] + s[j]).real))
