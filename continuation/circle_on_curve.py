"""One circle on a curve of folds, flips or Neimark-Sacker points: with its condition, in a plane, by Newton steps."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.circle_conditions import (
    DOUBLE,
    PAIR,
    Borders,
    Linearised,
    Move,
    linearised,
    real_type,
)
from gan_bifurcation.continuation.circle_newton import TOLERANCE, Circle, CircleProblem
from gan_bifurcation.continuation.circle_solver import SETTLED, Found, Solver
from gan_bifurcation.continuation.circle_waves import SIZES, highest_mode, resampled, tail

FloatArray = NDArray[np.float64]

_ITERATIONS: Final = 9
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


class CurveSolver(Solver):
    """Finds circles with a condition.

    Parameters
    ----------
    problem : CircleProblem
        Over two parameters.
    way : str
        What the critical direction does.
    most_modes : int
        Circles that need more are not found.
    """

    def __init__(self, problem: CircleProblem, way: str, most_modes: int = MOST_MODES) -> None:
        super().__init__(problem)
        self.way = way
        # Whether the modes that were allowed for, fewer than the equations could have, were once too few.
        self.short_of_modes, self.allowed = False, most_modes
        self.most = max((s for s in SIZES if s <= self.most and highest_mode(s) <= most_modes), default=SIZES[0])

    def newton(
        self, circle: Circle, theta: float, borders: Borders, plane: Plane
    ) -> tuple[Circle, float, Linearised] | None:
        """The circle on the curve in a plane, with the last linearisation; None if Newton's method fails."""
        last, here = np.inf, None
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
                circle, theta = moved(circle, move), theta + change
                if update < TOLERANCE or update * update < 0.1 * TOLERANCE * last < np.inf:
                    return circle, theta, here
                last = update
        return (circle, theta, here) if last < 1e-7 and here is not None else None

    def on_curve(
        self, circle: Circle, theta: float, borders: Borders, plane: Plane, like: Move | None, most: int = SIZES[-1]
    ) -> On | None:
        """The circle on the curve with as many modes as it needs, its borders and its tangent."""
        for size in (s for s in SIZES if len(circle.u) <= s <= max(min(most, self.most), len(circle.u))):
            guess = circle if size == len(circle.u) else circle.resized(size)
            found = self.newton(guess, theta, borders.resized(size), plane)
            if found is None:
                return None
            circle, theta, here = found
            decay = tail(circle.u, self.problem.scale)
            if decay < SETTLED and self.problem.residual(circle) < SETTLED:
                smaller = [s for s in SIZES if s < size and 2.2 * s > size]
                if decay < 1e-14 and smaller and size > SIZES[0]:
                    circle = circle.resized(smaller[-1])
                return self._settled(circle, theta, here, borders.resized(len(circle.u)), like)
            if self.problem.needs_frames(size):
                circle = self.problem.settled(circle)
        self.short_of_modes = self.allowed < MOST_MODES
        return None

    def _settled(
        self, circle: Circle, theta: float, here: Linearised, borders: Borders, like: Move | None
    ) -> On | None:
        """Frames, multipliers, borders and tangent of a circle on the curve.

        The last step of Newton's method was so small that its linearisation is that of the circle.
        """
        circle = self.problem.settled(circle)
        here = here.resized(len(circle.u))
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


def moved(circle: Circle, move: Move) -> Circle:
    """The circle after a move."""
    return replace(
        circle, u=circle.u + resampled(move.u, len(circle.u)), rho=circle.rho + move.rho, q=circle.q + move.q
    )


def _weights(here: Linearised, plane: Plane, circle: Circle) -> FloatArray:
    """How much of the basis solves the condition and the plane; for a pair its angle comes last."""
    rows = [*here.slopes[:, 1:], np.zeros(here.slopes.shape[1] - 1)]
    right = [*(-here.value - here.slopes[:, 0]), plane.rest(circle) - plane.product(here.basis[0])]
    rows[-1][:2] = [plane.product(here.basis[1]), plane.product(here.basis[2])]
    return np.asarray(np.linalg.solve(np.array(rows), np.array(right)))
