"""Curves of folds, flips and Neimark-Sacker points of invariant circles over two parameters.

As along a branch, the rotation number moves and the trace steps to noble ones; where a tongue crosses the curve, which
is then interrupted, it is stepped over.
"""

from collections.abc import Sequence
from dataclasses import replace
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
    Move,
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
from gan_bifurcation.continuation.circle_newton import Circle, CircleProblem
from gan_bifurcation.continuation.circle_on_curve import MOST_MODES, CurveSolver, On, Plane, moved
from gan_bifurcation.continuation.circle_origins import at_the_origin, begins_in, with_frames
from gan_bifurcation.continuation.circle_solver import SHRUNK
from gan_bifurcation.continuation.circle_starts import natural_sizes
from gan_bifurcation.continuation.circle_waves import highest_mode, resampled
from gan_bifurcation.continuation.march import StepControl
from gan_bifurcation.continuation.run import Ends
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]

LABELS: Final = ("LP", "PD", "NS")
# Where the rotation number moves by more in a step, it is steered to a noble one.
_REGULAR: Final = 1e-6
# In a step the direction of the curve turns by an angle whose cosine is no less than this, and is to be this angle.
_TURN: Final = 0.9
_AIM: Final = 0.35
# In one over a tongue by less than this.
_TURN_OVER: Final = 0.5
# Circles of more nodes than this feel a tongue; beyond one they are looked for with no more than so many.
_FELT: Final = 105
_MOST_NODES_OVER: Final = 243
# So many circles with so many nodes one after the other say that the curve ends at a tongue, or circles break up.
_LAST: Final = 3
_MANY_NODES: Final = 243
# Before it ends for want of modes, once with this part of a step.
_NEARER: Final = 0.4


class CurveStepper(CurveSolver):
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
        super().__init__(problem, way, most_modes)
        self.label, self.ends, self.control = label, ends, control

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
        tried, far, nearer = 0, None, True
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
            if new is None and self.short_of_modes and nearer:
                step, nearer = _NEARER * step, False
                continue
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
            turned = float(np.arccos(np.clip(self.inner(new.tangent, tangent), -1.0, 1.0)))
            step *= min(1.4, _AIM / max(turned, 1e-9))

    def _advance(self, found: list[On], step: float) -> On | None:
        """The next circle of the curve, at a noble rotation number where that changes."""
        here = found[-1]
        change = step * here.tangent.rho
        before = found[-2].circle if len(found) > 1 else None
        turns, tangent = abs(change) > _REGULAR, here.tangent
        if turns:
            step *= (noble_ahead(here.circle.rho, change) - here.circle.rho) / change
        guess = moved(here.circle, tangent.times(step))
        # Where the rotation number moves, the circle is that which has it.
        none = Move(np.zeros_like(guess.u), 1.0, np.zeros(2))
        plane = Plane(none, guess) if turns else self.across(tangent, guess)
        if turns:
            guess = self._nearest(found, guess)
        if before is not None:
            guess = self.problem.foreseen(before, here.circle, guess)
        new = self.on_curve(guess, here.theta + step * here.turn, here.borders, plane, tangent)
        # A circle far from what was predicted lies on another curve.
        return new if new is not None and self._follows(new, guess, tangent, abs(step), _TURN) else None

    def _nearest(self, found: list[On], guess: Circle) -> Circle:
        """A guess, or that of the cubic through the last two circles where this solves the equations better."""
        rho, here = guess.rho, found[-1]
        before = found[-2] if len(found) > 1 else None
        if before is None or abs(before.tangent.rho) < _REGULAR:
            return guess
        if (here.circle.rho - before.circle.rho) * (rho - here.circle.rho) <= 0.0:
            return guess
        other, _ = guessed(here.circle, _slope(here), rho, before.circle, _slope(before))
        return min((guess, other), key=self.problem.residual)

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
    start: Point, windows: dict[str, Range], ends: Ends, control: StepControl, most_modes: int | None = None
) -> Branch:
    """The curve of a fold, flip or Neimark-Sacker point of circles over two parameters."""
    assert start.profile is not None
    problem = CircleProblem(start.system, windows, natural_sizes(start.profile.states))
    most_modes = MOST_MODES if most_modes is None else most_modes
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
