"""Invariant circles of maps by Newton's method in Fourier modes.

A circle is u: R/Z -> R^n with F(u(t), p) = u(t + rho). The linear equations of a Newton step are solved directly where
they are few, and otherwise through frames that bring the derivative along the circle to constant form
(:mod:`gan_bifurcation.continuation.circle_frames`), with GMRES for what they do not catch.

References
----------
Haro, Canadell, Figueras, Luque, Mondelo: The Parameterization Method for Invariant Manifolds (2016), chapter 4 and 5.
Schilder, Peckham: Computing Arnol'd tongue scenarios, J. Comput. Phys. 220 (2007).
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit
from gan_bifurcation.continuation.circle_frames import Frames, constant_multipliers, settled
from gan_bifurcation.continuation.circle_growth import Growth, growth
from gan_bifurcation.continuation.circle_linear import ByFrames, Conditions, Linear, direct, factorises, iterated
from gan_bifurcation.continuation.circle_waves import derivative, resampled, shifted, smoothed
from gan_bifurcation.evaluation import jacobian, make_evaluator
from gan_bifurcation.linear_states import find_linear_states
from gan_bifurcation.ranges import Range
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

TOLERANCE: Final = 1e-10
# Above this they do not tell the multipliers; these then come from growth along the circle.
_COARSE: Final = 1e-3
# Above this they have got lost.
_LOST: Final = 0.5
# How far frames are extrapolated, in lengths of the last step.
_FARTHEST: Final = 2.0


@jit
def _along(e: Any, p: FloatArray, x: FloatArray, f: FloatArray, j: FloatArray) -> None:
    """Values (K, n) and Jacobians (K, n, n + m) at states (K, n)."""
    n = x.shape[1]
    z = np.empty(n + p.shape[0])
    z[n:] = p
    for k in range(x.shape[0]):
        for i in range(n):
            z[i] = x[k, i]
        jacobian(e, z, f[k], j[k])


@dataclass(frozen=True, eq=False)
class Circle:
    """A circle in the course of a computation.

    Attributes
    ----------
    u : array (K, n)
    rho : float
    q : array (f,)
        Free parameters in units of their windows.
    frames : Frames
        What brings the linearisation to constant form.
    """

    u: FloatArray
    rho: float
    q: FloatArray
    frames: Frames

    def resized(self, size: int) -> "Circle":
        """On another number of nodes."""
        columns = resampled(self.frames.columns, size)
        return replace(self, u=resampled(self.u, size), frames=replace(self.frames, columns=columns))


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction in the space of circles: of the states at the nodes and of the two scalars."""

    u: FloatArray
    s: FloatArray

    def __neg__(self) -> "Direction":
        return Direction(-self.u, -self.s)


@dataclass(frozen=True, eq=False)
class Plane:
    """What is asked of a solution beside the equations: <u, direction.u> + s . direction.s = target.

    `u` may be None: only the scalars count.
    """

    u: FloatArray | None
    s: FloatArray
    target: float


class CircleProblem:
    """The equations of circles with two free scalars: rho and a parameter, or two parameters at fixed rho.

    Parameters
    ----------
    system : System
        A map.
    free : mapping of str to Range
        One or two parameters.
    scale : array (n,)
        Sizes of the states.
    """

    def __init__(self, system: System, free: dict[str, Range], scale: FloatArray) -> None:
        self.system = system
        self.free = free
        self.scale = scale
        self.moves_rho = len(free) == 1
        self._positions = [system.parameter_index(name) for name in free]
        self.linear_states = find_linear_states(system) if system.iterations == 1 else ()
        self._evaluated: tuple[FloatArray, FloatArray, tuple[FloatArray, FloatArray, FloatArray]] | None = None

    @cached_property
    def _evaluator(self) -> Any:
        return make_evaluator(self.system.tape.data, self.system.iterations, self.system.n, 1)

    def scalars(self, circle: Circle) -> FloatArray:
        """The two free scalars."""
        return np.array([circle.rho, circle.q[0]]) if self.moves_rho else circle.q

    def values(self, q: FloatArray) -> FloatArray:
        """Free parameters from their units."""
        return np.array([window.from_unit(float(v)) for v, window in zip(q, self.free.values(), strict=True)])

    def at(self, circle: Circle) -> System:
        """The system with the circle's parameters."""
        return self.system.with_parameters(**dict(zip(self.free, self.values(circle.q).tolist(), strict=True)))

    def evaluate(self, u: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """F (K, n), its derivative in the states (K, n, n) and in the units of the free parameters (K, n, f).

        The last circle is remembered: its residual, frames and tangent are asked for one after the other.
        """
        if self._evaluated is not None and self._evaluated[0] is u and self._evaluated[1] is q:
            return self._evaluated[2]
        made = self.evaluate_at(u, q)
        self._evaluated = (u, q, made)
        return made

    def evaluate_at(self, u: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The same without remembering it."""
        n, m = self.system.n, self.system.m
        p = self.system.parameter_vector()
        slopes = []
        for position, v, window in zip(self._positions, q, self.free.values(), strict=True):
            value = window.from_unit(float(v))
            p[position] = value
            slopes.append(value * np.log(window.high / window.low) if window.log else window.high - window.low)
        f, j = np.empty((len(u), n)), np.empty((len(u), n, n + m))
        _along(self._evaluator, p, np.ascontiguousarray(u), f, j)
        return f, np.ascontiguousarray(j[:, :, :n]), j[:, :, [n + i for i in self._positions]] * np.array(slopes)

    def residual(self, circle: Circle) -> float:
        """Largest |F(u(t)) - u(t + rho)| at the nodes, in units of the scale."""
        f, _, _ = self.evaluate(circle.u, circle.q)
        return float(np.max(np.abs(f - shifted(circle.u, circle.rho)) / self.scale))

    def defect_between(self, circle: Circle) -> float:
        """The same between the nodes, where nothing was asked."""
        between = shifted(circle.u, 0.5 / len(circle.u))
        f, _, _ = self.evaluate_at(between, circle.q)
        return float(np.max(np.abs(f - shifted(between, circle.rho)) / self.scale))

    # -- Newton -----------------------------------------------------------------------------------------------------

    def newton(self, circle: Circle, plane: Plane, iterations: int = 9) -> Circle | None:
        """The circle in a plane, from a guess and with its frames; None if Newton's method fails."""
        conditions = self._conditions(circle, plane)
        inverse: ByFrames | None = None
        last = np.inf
        with np.errstate(all="ignore"):
            for _ in range(iterations):
                f, a, by_q = self.evaluate(circle.u, circle.q)
                here = float(plane.s @ self.scalars(circle))
                if plane.u is not None:
                    here += float(np.mean(np.sum(plane.u * circle.u, axis=1)))
                right = np.concatenate([(shifted(circle.u, circle.rho) - f).ravel(), [0.0, plane.target - here]])
                if not np.isfinite(right).all() or not np.isfinite(a).all():
                    return None
                linear = Linear(circle.u, a, by_q, circle.rho, conditions)
                solved, inverse = self._solved(linear, circle, right, inverse, min(1e-3, max(0.1 * last, 1e-12)))
                if solved is None or not np.isfinite(solved).all():
                    return None
                delta, s = smoothed(solved[:-2].reshape(circle.u.shape)), solved[-2:]
                update = float(max(np.max(np.abs(delta) / self.scale), np.max(np.abs(s))))
                if not update < 10.0:
                    return None
                circle = self.moved(circle, Direction(delta, s), 1.0)
                # The next step would be smaller by this one's ratio to the last at least.
                if update < TOLERANCE or update * update < 0.1 * TOLERANCE * last < np.inf:
                    return circle
                if update > 4.0 * last and update > 1e-6:
                    return None
                last = update
        return circle if last < 1e-8 else None

    def _solved(
        self, linear: Linear, circle: Circle, right: FloatArray, inverse: ByFrames | None, tolerance: float
    ) -> tuple[FloatArray | None, ByFrames | None]:
        """The solution of the linear equations, and what is of use for the next ones."""
        try:
            factorised = direct(linear, self.linear_states, circle.frames.defect < _LOST)
            if factorised is not None:
                return factorised(right), None
            # One inverse serves all of Newton's steps: GMRES makes up for what it misses.
            inverse = inverse or ByFrames(linear, circle.frames)
        except (np.linalg.LinAlgError, ValueError):
            return None, None
        return iterated(linear, inverse, right, tolerance), inverse

    def tangent(self, circle: Circle, like: Direction) -> Direction:
        """The unit tangent of the branch of circles, on the side of `like`."""
        weighted = Plane(resampled(like.u, len(circle.u)) / self.scale**2, like.s, 1.0)
        _, a, by_q = self.evaluate(circle.u, circle.q)
        linear = Linear(circle.u, a, by_q, circle.rho, self._conditions(circle, weighted))
        right = np.zeros(circle.u.size + 2)
        right[-1] = 1.0
        with np.errstate(all="ignore"):
            found, _ = self._solved(linear, circle, right, None, 1e-8)
        if found is None or not np.isfinite(found).all():
            return Direction(resampled(like.u, len(circle.u)), like.s)
        # Where the branch does not move along the row, the solution is endless in the direction that is wanted.
        found = found / np.max(np.abs(found))
        made = Direction(smoothed(found[:-2].reshape(circle.u.shape)), found[-2:])
        length = np.sqrt(self.inner(made, made))
        return Direction(made.u / length, made.s / length)

    def foreseen(self, before: Circle, here: Circle, guess: Circle) -> Circle:
        """The guess with frames that go on changing as they did between two circles of the branch."""
        moved, last = self.scalars(guess) - self.scalars(here), self.scalars(here) - self.scalars(before)
        length = float(last @ last)
        share = float(moved @ last) / length if length > 0.0 else 0.0
        if not 0.0 < share < _FARTHEST or max(before.frames.defect, here.frames.defect) > _COARSE:
            return guess
        one, two = before.resized(len(guess.u)).frames, guess.frames
        columns = two.columns + share * (two.columns - one.columns)
        return replace(guess, frames=Frames(columns, two.constant + share * (two.constant - one.constant)))

    def _conditions(self, circle: Circle, plane: Plane) -> Conditions:
        """That the phase stays, and the plane."""
        return Conditions(derivative(circle.u) / self.scale**2, plane.u, plane.s)

    def needs_frames(self, size: int) -> bool:
        """Whether Newton's method on a number of nodes goes through frames."""
        return not factorises(size, self.system.n - len(self.linear_states))

    def settled(self, circle: Circle) -> Circle:
        """The circle with frames of its own."""
        _, a, _ = self.evaluate(circle.u, circle.q)
        frames = settled(circle.frames, circle.u, a, circle.rho, self.scale)
        if frames is None or frames.defect > _LOST:
            # No frames at all, or worse ones than those before: these serve on.
            frames = replace(circle.frames, defect=np.inf)
        return replace(circle, frames=frames)

    def multipliers(self, circle: Circle) -> ComplexArray:
        """The normal multipliers (n - 1,), largest first.

        Where the frames are not exact, the moduli of the largest come from the growth of vectors along the circle. One
        whose direction closes only after two turns is given as positive: it has no sign.
        """
        values = constant_multipliers(circle.frames)
        if circle.frames.defect > _COARSE and len(values):
            grown = self.growth(circle)
            moduli = grown.moduli
            # The last one may share its modulus with those that were not followed.
            keep = len(moduli) if len(moduli) == len(values) else len(moduli) - 1
            angles = np.angle(values[:keep])
            if keep > 1 and abs(values[0].imag) > 0.0 and moduli[1] < (1.0 - 1e-4) * moduli[0]:
                # A pair that has met the rotation and fallen apart: real in frames that wind.
                angles[:2] = np.pi if grown.leading == "reverses" else 0.0
            values[:keep] = moduli[:keep] * np.exp(1j * angles)
            # Those that were not followed are smaller, whatever the frames say.
            values[keep:] *= np.minimum(1.0, moduli[-1] / np.maximum(np.abs(values[keep:]), 1e-300))
            values = values[np.argsort(-np.abs(values), kind="stable")]
        return np.asarray(values)

    def growth(self, circle: Circle) -> Growth:
        """What vectors along the circle do, in units of the scale."""
        ratio = self.scale / self.scale[:, None]

        def slopes(x: FloatArray) -> FloatArray:
            return np.asarray(self.evaluate_at(x * self.scale, circle.q)[1] * ratio)

        _, a, _ = self.evaluate(circle.u, circle.q)
        return growth(circle.u / self.scale, a * ratio, circle.rho, slopes, min(3, self.system.n - 1))

    def inner(self, a: Direction, b: Direction) -> float:
        """The inner product that arclength is measured in."""
        return float(np.mean(np.sum(a.u * b.u / self.scale**2, axis=1)) + a.s @ b.s)

    def across(self, circle: Circle, direction: Direction, distance: float) -> tuple[Circle, Plane]:
        """The predicted circle at a distance, and the plane through it across the direction."""
        guess = self.moved(circle, direction, distance)
        weighted = direction.u / self.scale**2
        target = float(np.mean(np.sum(weighted * guess.u, axis=1)) + direction.s @ self.scalars(guess))
        return guess, Plane(weighted, direction.s, target)

    def moved(self, circle: Circle, direction: Direction, distance: float) -> Circle:
        """The circle moved along a direction."""
        s = distance * direction.s
        return replace(
            circle,
            u=circle.u + distance * resampled(direction.u, len(circle.u)),
            rho=circle.rho + (s[0] if self.moves_rho else 0.0),
            q=circle.q + (s[1:] if self.moves_rho else s),
        )
