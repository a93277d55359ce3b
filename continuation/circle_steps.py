"""Steps along a branch of circles: to noble rotation numbers, over tongues, to what ends the branch."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.circle_changes import changes_between
from gan_bifurcation.continuation.circle_gaps import edge_ahead, tongue_between
from gan_bifurcation.continuation.circle_leaps import (
    ORDER,
    Slope,
    felt,
    guessed,
    hindrance,
    leaps,
    noble_ahead,
    partner,
)
from gan_bifurcation.continuation.circle_newton import Circle, CircleProblem, Direction, Plane
from gan_bifurcation.continuation.circle_orbits import framed
from gan_bifurcation.continuation.circle_solver import SHRUNK, Found, Solver
from gan_bifurcation.continuation.circle_starts import around
from gan_bifurcation.continuation.circle_waves import highest_mode, resampled, tail
from gan_bifurcation.continuation.farey import between
from gan_bifurcation.continuation.march import StepControl
from gan_bifurcation.continuation.run import Ends
from gan_bifurcation.continuation.starts import ProfileStart
from gan_bifurcation.errors import MisuseError, Outcome
from gan_bifurcation.ranges import Range

FloatArray = NDArray[np.float64]

# In units of the window.
CONTROL: Final = StepControl(first=2e-3, smallest=1e-7, largest=5e-2)
_REGULAR: Final = 1e-6
# Mean logarithms of determinants below this are zero but for rounding.
_KEEPS: Final = 1e-8
# Nodes beyond which a circle is taken to feel a tongue.
_MOST_NODES: Final = 315
# So many circles with so many nodes one after the other are enough to tell that the branch breaks up.
_LAST: Final = 4


@dataclass(frozen=True, eq=False)
class Run:
    """The circles on one side of a start, what lies between them, and why it ended."""

    found: list[Found]
    points: list[Point]
    outcome: Outcome


class Stepper(Solver):
    """One branch of circles."""

    def __init__(
        self, system: Any, windows: dict[str, Range], scale: FloatArray, ends: Ends, control: StepControl
    ) -> None:
        super().__init__(CircleProblem(system, windows, scale))
        self.windows = windows
        self.ends = ends
        self.control = control

    # -- the first circle ---------------------------------------------------------------------------------------------

    def first(self, start: Point | ProfileStart, born: bool) -> Found:
        """The circle to start from."""
        profile = start.profile
        assert profile is not None
        problem = self.problem
        q = np.array([w.to_unit(start.system.parameters[name]) for name, w in self.windows.items()])
        if born:
            assert isinstance(start, ProfileStart)
            assert start.point is not None
            assert start.direction is not None
            if start.point.profile is None:
                circle = around(start.point, profile, start.direction, q)
            else:
                circle = framed(problem, profile, q)
            # Hold the amplitude: the rotation number and the parameter come out.
            weighted = start.direction / problem.scale**2
            target = float(np.mean(np.sum(weighted * circle.u, axis=1)))
            planes = [Plane(weighted, np.zeros(2), target)]
        else:
            circle = framed(problem, profile, q)
            planes = [Plane(None, row, float(row @ problem.scalars(circle))) for row in self.rows]
            # Where the branch turns back, its size is what can be held.
            outwards = (circle.u - circle.u.mean(axis=0)) / problem.scale**2
            planes.append(Plane(outwards, np.zeros(2), float(np.mean(np.sum(outwards * circle.u, axis=1)))))
        for plane in planes:
            solved = self.solved(circle, plane)
            if solved is not None:
                return solved
        _, a, _ = problem.evaluate_at(circle.u, q)
        if problem.system.n == 2 and abs(float(np.mean(np.log(np.abs(np.linalg.det(a)))))) < _KEEPS:
            raise MisuseError(
                "The map keeps areas along this circle, so that circles fill a plane of states and none of them is "
                "isolated at fixed parameters: no branch of them can be followed."
            )
        raise MisuseError(
            "No invariant circle was found at the start: it may lie inside a tongue, or the first circle is too "
            "small or too large; give another amplitude=, or start from another point."
        )

    @property
    def rows(self) -> list[FloatArray]:
        """What is held at the start: the parameter, or at fixed rotation number one of both."""
        return [np.array([0.0, 1.0])] if self.problem.moves_rho else [np.array([1.0, 0.0]), np.array([0.0, 1.0])]

    def begun(self, first: Found) -> Direction:
        """The tangent of the branch at a circle to start from, towards the greater parameter."""
        none = np.zeros_like(first.circle.u)
        tangents = [self.problem.tangent(first.circle, Direction(none, row)) for row in self.rows]
        # A row along which the branch does not move leaves nothing but itself.
        return max(tangents, key=lambda t: float(np.max(np.abs(t.s))) * bool(np.any(t.u)))

    # -- stepping -----------------------------------------------------------------------------------------------------

    def follow(self, first: Found, tangent: Direction) -> Run:
        """Step from a circle in the direction of its tangent until something ends the branch."""
        problem, control = self.problem, self.control
        found: list[Found] = [first]
        points: list[Point] = []
        step = control.first
        while True:
            here = found[-1].circle
            if len(found) >= self.ends.max_points:
                text = f"Stopped after {len(found)} circles at {self.where(here)}; raise max_points to go on."
                return Run(found, points, Outcome("points", text, True))
            # Distances in units of the largest step: no scalar moves further than the step.
            room = max(float(np.max(np.abs(tangent.s[-len(self.windows) :]))), float(np.sqrt(1.0 - 0.999)))
            longest = self.longest(here, tangent.u)
            if longest < np.inf and self.amplitude(here) < SHRUNK * max(self.amplitude(f.circle) for f in found):
                text = f"The circles shrink to a point near {self.where(here)}: there they are born."
                return Run(found, points, Outcome("point", text, True))
            step = min(step, control.largest / room, longest)
            advance = self._advance(found, tangent, step)
            if advance is None or len(advance.circle.u) > _MOST_NODES:
                # Many modes are the sign of a tongue; it is tried to get past it before they become more.
                over = self._over(found) if advance is not None or step < 0.1 * control.first else None
                if over is not None:
                    advance, step = over, control.first
            if advance is None:
                step *= 0.5
                # Circles of many modes are dear, and there is nothing to be found between the last ones.
                least = 1e-3 if len(here.u) <= _MOST_NODES else 0.1
                if step < least * control.first or step < control.smallest:
                    return Run(found, points, self._broken(found))
                continue
            new = advance
            if self._beyond(new.circle):
                edge = self._edge(here, new.circle, tangent)
                if edge is not None:
                    ahead = problem.tangent(edge.circle, tangent)
                    points += self._between(found[-1], edge, (tangent, ahead), len(found) - 1)
                    found.append(edge)
                text = f"Reached the edge of the window at {self.where(found[-1].circle)}."
                if edge is None:
                    text = f"It leaves the window beyond {self.where(here)}; no circle was found on its edge."
                return Run(found, points, Outcome("window", text, True))
            outside = self.outside(new.circle, self.ends)
            if outside:
                text = f"The trace ended near {self.where(here)}: {outside}."
                return Run(found, points, Outcome("bounds", text, True))
            ahead = problem.tangent(new.circle, tangent)
            points += self._between(found[-1], new, (tangent, ahead), len(found) - 1)
            found.append(new)
            halt = self.ends.reached(points)
            if halt is not None:
                place = ", ".join(f"{k} = {halt.parameters[k]:.8g}" for k in self.windows)
                text = f"Stopped at {halt.label} at {place}."
                return Run(found, points, Outcome("stop", f"{text} {halt.note}".strip(), True))
            if len(found) > _LAST and all(len(f.circle.u) > _MOST_NODES for f in found[-_LAST:]):
                return Run(found, points, self._broken(found))
            tangent = ahead
            step *= 1.4

    def _advance(self, found: list[Found], tangent: Direction, step: float) -> Found | None:
        """The next circle along a tangent; at a noble rotation number where that changes along the branch."""
        problem, here = self.problem, found[-1].circle
        guess, plane = problem.across(here, tangent, step)
        if problem.moves_rho:
            change = step * float(tangent.s[0])
            if abs(change) > _REGULAR:
                target = noble_ahead(here.rho, change)
                guess = problem.moved(here, tangent, step * (target - here.rho) / change)
                plane = Plane(None, np.array([1.0, 0.0]), target)
        if len(found) > 1:
            guess = problem.foreseen(found[-2].circle, here, guess)
        new = self.solved(guess, plane)
        if new is None:
            return None
        size = min(len(here.u), len(new.circle.u))
        moved = np.max(np.abs(resampled(new.circle.u, size) - resampled(here.u, size)) / problem.scale)
        # A circle far from what was predicted is another one; a step that turns the curve too much is too long.
        return new if moved < 0.3 + 4.0 * step else None

    def _over(self, found: list[Found]) -> Found | None:
        """The nearest circle on the other side of the tongue ahead."""
        if not self.problem.moves_rho:
            return None
        rotations = [f.circle.rho for f in found]
        for k, target in leaps(rotations):
            j = partner(rotations, k, target)
            near, far = self._slope(found[k].circle), None if j is None else self._slope(found[j].circle)
            if near is None:
                continue
            guess, _ = guessed(found[k].circle, near, target, None if j is None else found[j].circle, far)
            new = self.solved(guess, Plane(None, np.array([1.0, 0.0]), target), _MOST_NODES)
            if new is not None:
                return new
        return None

    def _slope(self, circle: Circle) -> Slope | None:
        """How the branch changes with the rotation number; None where that does not move."""
        along = self.problem.tangent(circle, Direction(np.zeros_like(circle.u), np.array([1.0, 0.0])))
        rate = float(along.s[0])
        return None if abs(rate) < _REGULAR else Slope(along.u / rate, along.s[1:] / rate)

    def _broken(self, found: list[Found]) -> Outcome:
        here = found[-1].circle
        near = felt(here.rho)
        decay = tail(here.u, self.problem.scale)
        where = self.where(here)
        hindered = hindrance(self.problem.system, found[-1].multipliers)
        if hindered:
            text = f"No circle was found beyond {where}, rotation number {here.rho:.6g}: {hindered}."
            return Outcome("step too small", text, False)
        if decay <= 1e-12 and len(here.u) <= 400:
            text = f"Newton's method failed near {where}, rotation number {here.rho:.6g}, down to the smallest step"
            text += (
                f"; the tongue of {near[0]} is near."
                if near
                else "; try smaller steps, as control=gb.StepControl(...)."
            )
            return Outcome("step too small", text, False)
        text = (
            f"The circle loses its smoothness near {where}, rotation number {here.rho:.6g} (more than "
            f"{highest_mode(len(here.u))} modes): "
        )
        if not near or not self.problem.moves_rho or len(found) < 2:
            return Outcome("breaks up", f"{text}it breaks up, or a tongue begins.", False)
        before = found[-2].circle
        side = float(np.sign(here.q[0] - before.q[0]))
        towards = (float(near[0]) - here.rho) * (here.rho - before.rho) > 0.0
        edge = edge_ahead(self.problem, here, near[0], side) if towards and side else None
        if edge is None:
            return Outcome("breaks up", f"{text}it breaks up, or a tongue begins (near {near[0]}).", False)
        (name,) = self.windows
        text += (
            f"the tongue of {near[0]} begins at {name} = {edge:.8g}, where the map locks. Beyond it, begin again at an "
            "orbit with gb.orbit_to_circle."
        )
        return Outcome("tongue", text, False)

    # -- what lies on the way -----------------------------------------------------------------------------------------

    def _between(self, a: Found, b: Found, tangents: tuple[Direction, Direction], index: int) -> list[Point]:
        """Special points between two circles: tongues passed over, turning points, loss or gain of stability."""
        here: list[Point] = []
        if self.problem.moves_rho:
            for fraction in between(a.circle.rho, b.circle.rho, ORDER):
                gap = tongue_between(self.problem, a.circle, b.circle, fraction)
                if gap is not None:
                    share = (float(fraction) - a.circle.rho) / (b.circle.rho - a.circle.rho)
                    here.append(replace(gap, index=index + share))
        here += [replace(p, index=index + p.index) for p in changes_between(self, a, b, tangents)]
        return sorted(here, key=lambda p: p.index)

    def _beyond(self, circle: Circle) -> bool:
        return bool(np.any(circle.q < 0.0) or np.any(circle.q > 1.0))

    def _edge(self, inside: Circle, outside: Circle, tangent: Direction) -> Found | None:
        """The circle exactly on the frame of the window."""
        for k, (a, b) in enumerate(zip(inside.q, outside.q, strict=True)):
            for target in (0.0, 1.0):
                if (b < 0.0 and target == 0.0) or (b > 1.0 and target == 1.0):
                    row = np.zeros(2)
                    row[k + (1 if self.problem.moves_rho else 0)] = 1.0
                    share = (target - a) / (b - a)
                    guess = replace(
                        inside,
                        rho=inside.rho + share * (outside.rho - inside.rho),
                        q=inside.q + share * (outside.q - inside.q),
                    )
                    size = max(len(inside.u), len(outside.u))
                    u = resampled(inside.u, size)
                    guess = replace(guess.resized(size), u=u + share * (resampled(outside.u, size) - u))
                    return self.solved(guess, Plane(None, row, target))
        return None

    def wanted(self, found: list[Found], at: Sequence[float]) -> list[Point]:
        """Circles at given values of the parameter."""
        made = []
        for value in at:
            (window,) = self.windows.values()
            if not window.low <= value <= window.high:
                raise MisuseError(
                    f"at= asks for a circle at {value}, outside the window ({window.low:g}, {window.high:g}); widen it."
                )
            target = window.to_unit(value)
            for i, (a, b) in enumerate(itertools.pairwise(found)):
                q0, q1 = float(a.circle.q[0]), float(b.circle.q[0])
                if (q0 - target) * (q1 - target) <= 0.0 and q0 != q1:
                    share = (target - q0) / (q1 - q0)
                    guess = self.interpolated(a.circle, b.circle, share)
                    new = self.solved(guess, Plane(None, np.array([0.0, 1.0]), target))
                    if new is not None:
                        made.append(replace(self.point(new.circle), label="UZ", index=i + share))
        return made
