"""Circles with as many modes as they need, and as points of a branch."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.circle_frames import Frames
from gan_bifurcation.continuation.circle_newton import Circle, CircleProblem, Plane
from gan_bifurcation.continuation.circle_waves import SIZES, resampled, tail
from gan_bifurcation.continuation.run import Ends
from gan_bifurcation.evaluation import make_evaluator, value
from gan_bifurcation.profiles import Profile

# Modes are added where the last tenth of them is larger than this, relative to the largest.
SETTLED: Final = 1e-9
# Most nodes, and most nodes times states.
_MOST: Final = 729
_LARGEST: Final = 12_000
# The same of return maps of flows, each value of which is an integration.
_MOST_RETURNS: Final = 243
# Circles as small as this part of the largest have shrunk to a point.
SHRUNK: Final = 0.03
# Multipliers count as outside of the unit circle beyond this.
_OUTSIDE: Final = 1e-9


@dataclass(frozen=True, eq=False)
class Found:
    """A circle of a branch, with its normal multipliers, largest first."""

    circle: Circle
    multipliers: NDArray[np.complex128]

    @property
    def unstable(self) -> int:
        """How many multipliers lie outside of the unit circle."""
        return int(np.sum(np.abs(self.multipliers) > 1.0 + _OUTSIDE))


class Solver:
    """Finds circles of one problem.

    Parameters
    ----------
    problem : CircleProblem
    """

    def __init__(self, problem: CircleProblem) -> None:
        self.problem = problem
        most = _MOST if problem.system.section is None else _MOST_RETURNS
        self.most = max((s for s in SIZES if s <= most and s * problem.system.n <= _LARGEST), default=SIZES[0])

    def solved(self, guess: Circle, plane: Plane, most: int = SIZES[-1]) -> Found | None:
        """A circle in a plane with as many modes as it needs; None without one."""
        for size in (s for s in SIZES if len(guess.u) <= s <= max(min(most, self.most), len(guess.u))):
            here = guess if size == len(guess.u) else guess.resized(size)
            direction = None if plane.u is None else resampled(plane.u, size)
            found = self.problem.newton(here, replace(plane, u=direction))
            if found is None:
                return None
            decay = tail(found.u, self.problem.scale)
            if decay < SETTLED and self.problem.residual(found) < SETTLED:
                smaller = [s for s in SIZES if s < size and 2.2 * s > size]
                if decay < 1e-14 and smaller and size > SIZES[0]:
                    found = found.resized(smaller[-1])
                found = self.problem.settled(found)
                return Found(found, self.problem.multipliers(found))
            guess = self.problem.settled(found) if self.problem.needs_frames(size) else found
        return None

    def interpolated(self, a: Circle, b: Circle, share: float) -> Circle:
        """A guess between two circles, phases aligned."""
        size = max(len(a.u), len(b.u))
        one, two = a.resized(size), b.resized(size)

        def mixed(x: Any, y: Any) -> Any:
            return x + share * (y - x)

        frames = Frames(mixed(one.frames.columns, two.frames.columns), mixed(one.frames.constant, two.frames.constant))
        return Circle(mixed(one.u, two.u), mixed(a.rho, b.rho), mixed(a.q, b.q), frames)

    def where(self, circle: Circle) -> str:
        """The free parameters in words."""
        return ", ".join(
            f"{k} = {v:.6g}" for k, v in zip(self.problem.free, self.problem.values(circle.q), strict=True)
        )

    def profile(self, circle: Circle) -> Profile:
        """The curve itself."""
        return Profile(np.arange(len(circle.u)) / len(circle.u), circle.u, rotation_number=circle.rho)

    def spectrum(self, circle: Circle) -> NDArray[np.complex128]:
        """All multipliers, the trivial one first."""
        return np.concatenate([[1.0 + 0.0j], self.problem.multipliers(circle)])

    def point(self, circle: Circle) -> Point:
        """The circle as a point."""
        return Point(
            self.problem.at(circle), circle.u[0].copy(), self.spectrum(circle), free=tuple(self.problem.free),
            residual=self.problem.residual(circle), profile=self.profile(circle),
        )  # fmt: skip

    def amplitude(self, circle: Circle) -> float:
        """Root mean square of the distance from the mean, in units of the states' sizes."""
        u = (circle.u - circle.u.mean(axis=0)) / self.problem.scale
        return float(np.sqrt(np.mean(np.sum(u**2, axis=1))))

    def longest(self, circle: Circle, u: NDArray[np.float64]) -> float:
        """How far a step along a direction of the states may go: a circle that shrinks does so to a point at most."""
        size = self.amplitude(circle)
        away = (circle.u - circle.u.mean(axis=0)) / self.problem.scale**2
        outwards = float(np.mean(np.sum(away * u, axis=1))) / size if size > 0.0 else 0.0
        return 0.4 * size / -outwards if outwards < 0.0 else np.inf

    def outside(self, circle: Circle, ends: Ends) -> str:
        """Which bound a circle has left; "" for none."""
        for k, window in ends.bounds.items():
            if circle.u[:, k].min() < window.low or circle.u[:, k].max() > window.high:
                return f"{self.problem.system.states[k]} left its bounds ({window.low:g}, {window.high:g})"
        if ends.domain:
            p, found = self.problem.at(circle).parameter_vector(), np.empty(1)
            for tape, reason in ends.domain:
                guard = make_evaluator(tape.data, 1, 1, 0)
                for x in circle.u:
                    value(guard, np.concatenate([x, p]), found)
                    if not found[0] >= 0.0:
                        return f"left the domain: {reason}"
        return ""
