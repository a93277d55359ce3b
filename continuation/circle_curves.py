"""Curves of folds, flips and Neimark-Sacker points of invariant circles over two parameters.

As along a branch, the rotation number moves and the trace steps to noble ones; where a tongue crosses the curve, which
is then interrupted, it is stepped over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Branch, Point
from gan_bifurcation.continuation.circle_conditions import (
    DOUBLE,
    FLIP,
    FOLD,
    PAIR,
    Borders,
    Linearised,
    Move,
    linearised,
    real_type,
    turning,
)
from gan_bifurcation.continuation.circle_critical import Shifted
from gan_bifurcation.continuation.circle_doubling import critical_direction
from gan_bifurcation.continuation.circle_leaps import (
    Slope,
    guessed,
    hindrance,
    interrupted,
    leaps,
    noble_ahead,
    partner,
)
from gan_bifurcation.continuation.circle_newton import TOLERANCE, Circle, CircleProblem
from gan_bifurcation.continuation.circle_origins import at_the_origin, begins_in, with_frames
from gan_bifurcation.continuation.circle_solver import SETTLED, SHRUNK, Found, Solver
from gan_bifurcation.continuation.circle_starts import natural_sizes
from gan_bifurcation.continuation.circle_waves import SIZES, highest_mode, resampled, tail
from gan_bifurcation.continuation.march import StepControl
from gan_bifurcation.continuation.run import Ends
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]

LABELS: Final = ("LP", "PD", "NS")
# Where the rotation number moves by more in a step, it is steered to a noble one.
_REGULAR: Final = 1e-6
_ITERATIONS: Final = 9
# The direction of the curve turns by less than this in a step.
_TURN: Final = 0.9
# In one over a tongue by less than this.
_TURN_OVER: Final = 0.5
# Circles of more nodes than this feel a tongue; beyond one they are looked for with no more than so many.
_FELT: Final = 105
_MOST_NODES_OVER: Final = 243
# So many circles with so many nodes one after the other say that the curve ends at a tongue, or circles break up.
_LAST: Final = 3
_MANY_NODES: Final = 243
MOST_MODES: Final = 135


@dataclass(frozen=True, eq=False)
class On:
    """A circle on the curve.

    Attributes
    ----------
    circle : Circle
    theta : float
        The angle of the critical pair.
    borders : Borders
        Made at this circle.
    tangent : Move
        Of the curve, of unit length.
    turn : float
        By how much the angle changes along it.
    """

    circle: Circle
    theta: float
    borders: Borders
    tangent: Move
    turn: float = 0.0
    found: Found | None = None


class Plane:
    """What is asked beside the equations: the move from a circle has this product with a row."""

    def __init__(self, row: Move, at: Circle) -> None:
        self.row, self.at = row, at

    def rest(self, circle: Circle) -> float:
        """How much is missing."""
        old = resampled(self.at.u, len(circle.u))
        return -self.product(Move(circle.u - old, circle.rho - self.at.rho, circle.q - self.at.q))

    def product(self, move: Move) -> float:
        row = resampled(self.row.u, len(move.u))
        return float(np.mean(np.sum(row * move.u, axis=1)) + self.row.rho * move.rho + self.row.q @ move.q)


class CurveStepper(Solver):
    """One curve of circles.

    Parameters
    ----------
    problem : CircleProblem
        Over two parameters.
    label : str
        LP, PD or NS.
    way : str
        What the critical direction does.
    ends : Ends
    control : StepControl
    most_modes : int
        Where a circle needs more, the curve ends.
    """

    def __init__(
        self,
        problem: CircleProblem,
        label: str,
        way: str,
        ends: Ends,
        control: StepControl,
        most_modes: int = MOST_MODES,
    ) -> None:
        super().__init__(problem)
        self.label, self.way, self.ends, self.control = label, way, ends, control
        # Whether the modes that were allowed for, fewer than the equations could have, were once too few.
        self.short_of_modes, self.allowed = False, most_modes
        self.most = max((s for s in SIZES if s <= self.most and highest_mode(s) <= most_modes), default=SIZES[0])

    # -- one circle ---------------------------------------------------------------------------------------------------

    def newton(self, circle: Circle, theta: float, borders: Borders, plane: Plane) -> tuple[Circle, float] | None:
        """The circle on the curve in a plane; None if Newton's method fails."""
        last = np.inf
        with np.errstate(all="ignore"):
            for _ in range(_ITERATIONS):
                try:
                    here = linearised(self.problem, self.way, circle, theta, borders, min(1e-3, max(0.1 * last, 1e-12)))
                    weights = _weights(here, plane, circle)
                except (np.linalg.LinAlgError, ValueError):
                    return None
                move = here.basis[0] + here.basis[1].times(weights[0]) + here.basis[2].times(weights[1])
                change = float(weights[2]) if self.way == PAIR else 0.0
                update = float(
                    max(np.max(np.abs(move.u) / self.problem.scale), abs(move.rho), *np.abs(move.q), abs(change))
                )
                if not update < 2.0 or (update > 4.0 * last and update > 1e-6):
                    return None
                circle, theta = _moved(circle, move), theta + change
                if update < TOLERANCE or update * update < 0.1 * TOLERANCE * last < np.inf:
                    return circle, theta
                last = update
        return (circle, theta) if last < 1e-7 else None

    def on_curve(
        self, circle: Circle, theta: float, borders: Borders, plane: Plane, like: Move | None, most: int = SIZES[-1]
    ) -> On | None:
        """The circle on the curve with as many modes as it needs, its borders and its tangent."""
        for size in (s for s in SIZES if len(circle.u) <= s <= max(min(most, self.most), len(circle.u))):
            guess = circle if size == len(circle.u) else circle.resized(size)
            found = self.newton(guess, theta, borders.resized(size), plane)
            if found is None:
                return None
            circle, theta = found
            decay = tail(circle.u, self.problem.scale)
            if decay < SETTLED and self.problem.residual(circle) < SETTLED:
                smaller = [s for s in SIZES if s < size and 2.2 * s > size]
                if decay < 1e-14 and smaller and size > SIZES[0]:
                    circle = circle.resized(smaller[-1])
                return self._settled(circle, theta, borders.resized(len(circle.u)), like)
            if self.problem.needs_frames(size):
                circle = self.problem.settled(circle)
        self.short_of_modes = self.allowed < MOST_MODES
        return None

    def _settled(self, circle: Circle, theta: float, borders: Borders, like: Move | None) -> On | None:
        """Frames, multipliers, borders and tangent of a circle on the curve."""
        circle = self.problem.settled(circle)
        try:
            with np.errstate(all="ignore"):
                here = linearised(self.problem, self.way, circle, theta, borders, 1e-9)
        except (np.linalg.LinAlgError, ValueError):
            return None
        slopes = here.slopes[:, 1:]
        null = np.linalg.svd(slopes)[2][-1]
        tangent = here.basis[1].times(null[0]) + here.basis[2].times(null[1])
        length = self.length(tangent)
        if not np.isfinite(length) or length == 0.0:
            return None
        sign = -1.0 if like is not None and self.inner(tangent, like) < 0.0 else 1.0
        tangent, turn = tangent.times(sign / length), float(null[-1] * sign / length) if self.way == PAIR else 0.0
        row = here.basis[2]
        row = row.times(1.0 / self.length(row))
        flat = float(np.linalg.norm(tangent.q))
        along = tangent.q / flat if flat > 1e-6 else borders.along
        right, left = here.right, here.left
        if right is not None and left is not None:
            turns = 0.5 if self.way == DOUBLE else 0.0
            if self.way != PAIR:
                right, left = real_type(right, turns), real_type(left, -turns)
            right, left = right / np.linalg.norm(right), left / np.linalg.norm(left)
        made = Borders(row, along, right, left, borders.sign)
        found = Found(circle, self.problem.multipliers(circle))
        return On(circle, theta, made, tangent, turn, found)

    def inner(self, a: Move, b: Move) -> float:
        """What arclength is measured in."""
        other = resampled(b.u, len(a.u))
        return float(np.mean(np.sum(a.u * other / self.problem.scale**2, axis=1)) + a.rho * b.rho + a.q @ b.q)

    def length(self, a: Move) -> float:
        return float(np.sqrt(self.inner(a, a)))

    def across(self, tangent: Move, at: Circle) -> Plane:
        return Plane(Move(tangent.u / self.problem.scale**2, tangent.rho, tangent.q), at)

    # -- the first circle ---------------------------------------------------------------------------------------------

    def first(self, start: Point) -> On:
        """The circle to start from, corrected at one of the parameters."""
        assert start.profile is not None
        problem = self.problem
        q = np.array([w.to_unit(start.system.parameters[name]) for name, w in problem.free.items()])
        circle = with_frames(problem, start, q)
        # The branch that it was found on is over the first of these directions.
        names = list(problem.free)
        branch = names.index(start.free[0]) if len(start.free) == 1 and start.free[0] in names else 0
        theta = abs(float(np.angle(start.critical))) if self.way == PAIR else 0.0
        for over in (branch, 1 - branch):
            along = np.zeros(2)
            along[1 - over] = 1.0
            borders = self._borders(start, circle, theta, along)
            plane = Plane(Move(np.zeros_like(circle.u), 0.0, along), circle)
            found = None if borders is None else self.on_curve(circle, theta, borders, plane, None)
            if found is not None and abs(found.circle.rho - circle.rho) < 1e-2:
                return found
        raise MisuseError(
            f"No curve of {self.label} points of circles was found at {start.name or start.label}: it is located too "
            "coarsely, or has too many modes; trace the branch again with smaller steps, or begin at another point."
        )

    def _borders(self, start: Point, circle: Circle, theta: float, along: FloatArray) -> Borders | None:
        """Borders of the first circle: outwards along the branch, with null vectors of the linearisation."""
        u = circle.u - circle.u.mean(axis=0)
        row = Move(u, 0.0, np.zeros(2))
        row = row.times(1.0 / self.length(row))
        if self.way == FOLD:
            return Borders(row, along)
        sign = 1.0
        if self.way == DOUBLE:
            same = turning(DOUBLE, 0.0, circle.rho, 1.0)[0]
            sign = 1.0 if (critical_direction(start).z / same).real > 0.0 else -1.0
        z, _ = turning(self.way, theta, circle.rho, sign)
        _, a, _ = self.problem.evaluate(circle.u, circle.q)
        try:
            vectors = Shifted(a, self.problem.linear_states, circle.rho, z).vectors()
        except (np.linalg.LinAlgError, ValueError):
            return None
        right, left = vectors.right, vectors.left
        if self.way != PAIR:
            turns = 0.5 if self.way == DOUBLE else 0.0
            right, left = real_type(right, turns), real_type(left, -turns)
        return Borders(row, along, right, left, sign)

    # -- stepping -----------------------------------------------------------------------------------------------------

    def follow(self, first: On, sign: float) -> tuple[list[On], Outcome]:
        """Step along the curve until something ends it."""
        found = [replace(first, tangent=first.tangent.times(sign), turn=sign * first.turn)]
        step = self.control.first
        tried, far = 0, None
        while True:
            here = found[-1]
            if len(found) >= self.ends.max_points:
                text = f"Stopped after {len(found)} circles at {self.where(here.circle)}; raise max_points to go on."
                return found, Outcome("points", text, True)
            tangent = here.tangent
            room = max(float(np.max(np.abs(tangent.q))), float(np.sqrt(1.0 - 0.999)))
            longest = self.longest(here.circle, tangent.u)
            if longest < np.inf and self.amplitude(here.circle) < SHRUNK * max(self.amplitude(f.circle) for f in found):
                text = f"The circles shrink to a point near {self.where(here.circle)}."
                return found, Outcome("point", text, True)
            step = min(step, longest)
            step = min(step, self.control.largest / room)
            self.short_of_modes = False
            new = self._advance(found, step)
            if new is None and self.short_of_modes:
                text = (
                    f"Stopped at {self.where(here.circle)}, where circles need more than "
                    f"{highest_mode(self.most)} modes; raise most_modes to go on."
                )
                return found, Outcome("points", text, True)
            nodes = len(here.circle.u) if new is None else len(new.circle.u)
            # Many modes are the sign of a tongue; it is tried to get past it before they become more.
            if (new is None and step < 0.1 * self.control.first) or (new is not None and nodes > max(tried, _FELT)):
                over, far = self._over(found)
                tried = nodes
                if over is not None:
                    new, step = over, self.control.first
                elif new is None:
                    return found, self._broken(here, far)
            if new is None:
                step *= 0.5
                continue
            if len(new.circle.u) <= _FELT:
                tried = 0
            if np.any(new.circle.q < 0.0) or np.any(new.circle.q > 1.0):
                edge = self._edge(here, new)
                if edge is not None:
                    found.append(edge)
                text = f"Reached the edge of the window at {self.where(found[-1].circle)}."
                if edge is None:
                    text = f"It leaves the window beyond {self.where(here.circle)}; no circle was found on its edge."
                return found, Outcome("window", text, True)
            outside = self.outside(new.circle, self.ends)
            if outside:
                return found, Outcome("bounds", f"The trace ended near {self.where(here.circle)}: {outside}.", True)
            found.append(new)
            if len(found) > _LAST and all(len(f.circle.u) > _MANY_NODES for f in found[-_LAST:]):
                return found, self._broken(new, far)
            step *= 1.4

    def _advance(self, found: list[On], step: float) -> On | None:
        """The next circle of the curve, at a noble rotation number where that changes."""
        here = found[-1]
        change = step * here.tangent.rho
        before = found[-2].circle if len(found) > 1 else None
        turns, tangent = abs(change) > _REGULAR, here.tangent
        if turns:
            step *= (noble_ahead(here.circle.rho, change) - here.circle.rho) / change
        guess = _moved(here.circle, tangent.times(step))
        # Where the rotation number moves, the circle is that which has it.
        none = Move(np.zeros_like(guess.u), 1.0, np.zeros(2))
        plane = Plane(none, guess) if turns else self.across(tangent, guess)
        if before is not None:
            guess = self.problem.foreseen(before, here.circle, guess)
        new = self.on_curve(guess, here.theta + step * here.turn, here.borders, plane, tangent)
        # A circle far from what was predicted lies on another curve.
        return new if new is not None and self._follows(new, guess, tangent, abs(step), _TURN) else None

    def _over(self, found: list[On]) -> tuple[On | None, float | None]:
        """The nearest circle beyond the tongue ahead that interrupts the curve, and how far it was looked for."""
        rotations, farthest = [on.circle.rho for on in found], None
        for k, target in leaps(rotations):
            base, j = found[k], partner(rotations, k, target)
            if abs(base.tangent.rho) < _REGULAR:
                continue
            far = None if j is None or abs(found[j].tangent.rho) < _REGULAR else found[j]
            pair = (None, None) if far is None else (far.circle, _slope(far))
            guess, change = guessed(base.circle, _slope(base), target, *pair)
            plane = Plane(Move(np.zeros_like(guess.u), 1.0, np.zeros(2)), guess)
            new = self.on_curve(guess, base.theta + change, base.borders, plane, base.tangent, _MOST_NODES_OVER)
            farthest = target
            if new is not None and self._follows(new, guess, base.tangent, abs(target - base.circle.rho), _TURN_OVER):
                return new, target
        return None, farthest

    def _follows(self, new: On, guess: Circle, tangent: Move, step: float, straight: float) -> bool:
        """Whether a circle lies on the same curve as that which it was guessed from."""
        if self.inner(new.tangent, tangent) < straight:
            return False
        size = min(len(guess.u), len(new.circle.u))
        off = np.max(np.abs(resampled(new.circle.u, size) - resampled(guess.u, size)) / self.problem.scale)
        return bool(off < 0.1 + step)

    def _edge(self, inside: On, outside: On) -> On | None:
        """The circle exactly on the frame of the window."""
        for k, (a, b) in enumerate(zip(inside.circle.q, outside.circle.q, strict=True)):
            target = 0.0 if b < 0.0 else 1.0
            if 0.0 <= b <= 1.0 or a == target:
                continue
            guess = self.interpolated(inside.circle, outside.circle, float((target - a) / (b - a)))
            row = np.zeros(2)
            row[k] = 1.0
            at = replace(guess, q=np.where(row > 0.0, target, guess.q))
            plane = Plane(Move(np.zeros_like(guess.u), 0.0, row), at)
            theta = 0.5 * (inside.theta + outside.theta)
            new = self.on_curve(guess, theta, inside.borders, plane, inside.tangent)
            if new is not None and np.all(new.circle.q > -1e-9) and np.all(new.circle.q < 1.0 + 1e-9):
                return new
        return None

    def _broken(self, here: On, far: float | None) -> Outcome:
        where = self.where(here.circle)
        # At a curve's circles a multiplier is 1 anyway.
        hindered = hindrance(self.problem.system, np.zeros(0, complex))
        text = f"The curve was lost near {where}: {hindered}." if hindered else interrupted(here.circle, where, far)
        return Outcome("step too small", text, False)


def _slope(on: On) -> Slope:
    """How the curve changes with the rotation number."""
    rate = on.tangent.rho
    return Slope(on.tangent.u / rate, on.tangent.q / rate, on.turn / rate)


def _moved(circle: Circle, move: Move) -> Circle:
    return replace(
        circle, u=circle.u + resampled(move.u, len(circle.u)), rho=circle.rho + move.rho, q=circle.q + move.q
    )


def _weights(here: Linearised, plane: Plane, circle: Circle) -> FloatArray:
    """How much of the basis solves the condition and the plane; for a pair its angle comes last."""
    rows = [*here.slopes[:, 1:], np.zeros(here.slopes.shape[1] - 1)]
    right = [*(-here.value - here.slopes[:, 0]), plane.rest(circle) - plane.product(here.basis[0])]
    rows[-1][:2] = [plane.product(here.basis[1]), plane.product(here.basis[2])]
    return np.asarray(np.linalg.solve(np.array(rows), np.array(right)))


def way_of(point: Point) -> str:
    """What the critical direction of a labelled point of circles does.

    Raises
    ------
    MisuseError
        If it has no curve.
    """
    if point.label == "LP":
        return FOLD
    if point.label == "NS":
        if not 1e-6 < abs(np.angle(point.critical)) < np.pi - 1e-6:
            raise MisuseError(f"{point.name or point.label} carries no pair of multipliers; take it from a branch.")
        return PAIR
    return FLIP if critical_direction(point).way == "reverses" else DOUBLE


def trace_curve(
    start: Point, windows: dict[str, Range], ends: Ends, control: StepControl, most_modes: int = MOST_MODES
) -> Branch:
    """The curve of a fold, flip or Neimark-Sacker point of circles over two parameters."""
    assert start.profile is not None
    problem = CircleProblem(start.system, windows, natural_sizes(start.profile.states))
    stepper = CurveStepper(problem, start.label, way_of(start), ends, control, most_modes)
    first = stepper.first(start)
    origin = begins_in(start, windows)
    if origin is not None:
        outwards = 1.0 if stepper.longest(first.circle, first.tangent.u) == np.inf else -1.0
        found, outcome = stepper.follow(first, outwards)
        begin = at_the_origin(problem, origin)
        text = f"It begins at a {origin.label} point, {stepper.where(begin.circle)}, to which its circles shrink."
        found = [replace(first, circle=begin.circle, found=begin), *found]
        return _branch(stepper, found, (Outcome("point", text, True), outcome))
    ahead, forward = stepper.follow(first, 1.0)
    behind, backward = stepper.follow(first, -1.0)
    found = behind[::-1] + ahead[1:]
    return _branch(stepper, found, (backward, forward))


def _branch(stepper: CurveStepper, found: Sequence[On], outcome: tuple[Outcome, Outcome]) -> Branch:
    from gan_bifurcation.continuation.circles import columns

    problem = stepper.problem
    circles = [f.found for f in found if f.found is not None]
    count = {FOLD: 1, FLIP: 1, DOUBLE: 1, PAIR: 2}[stepper.way]
    critical = np.array([_critical(stepper.way, f) for f in found])
    unstable = [_beyond(f.multipliers, z, count) for f, z in zip(circles, critical, strict=True)]
    measures = columns(stepper, circles)
    if stepper.way == PAIR:
        measures["theta"] = np.array([f.theta for f in found])
    return Branch(
        problem.system, tuple(problem.free), stepper.label, np.array([problem.values(c.circle.q) for c in circles]),
        np.array([c.circle.u[0] for c in circles]),
        np.array([np.concatenate([[1.0 + 0.0j], c.multipliers]) for c in circles]),
        np.array(unstable, dtype=np.int64), (), outcome, False, measures, condition="circle", critical=critical,
        profiles=tuple(stepper.profile(c.circle) for c in circles),
    )  # fmt: skip


def _critical(way: str, on: On) -> complex:
    if way == PAIR:
        return complex(np.exp(1j * on.theta))
    return {FOLD: 1.0 + 0.0j, FLIP: -1.0 + 0.0j, DOUBLE: 1.0 + 0.0j}[way]


def _beyond(multipliers: NDArray[np.complex128], critical: complex, count: int) -> int:
    """How many multipliers but the critical ones lie outside of the unit circle."""
    off = np.abs(np.abs(multipliers) - 1.0)
    others = np.delete(multipliers, np.argsort(off)[:count])
    return int(np.sum(np.abs(others) > 1.0 + 1e-9))
