"""Invariant circles of maps by Newton's method in Fourier modes, with reducibility.

A circle is u: R/Z -> R^n with F(u(t), p) = u(t + rho). Where the derivative along it can be brought to constant form, A(t) P(t) =
P(t + rho) Lambda with A = DF(u(t)), P's first column being u', the linear equation of a Newton step separates into one
small system for each Fourier mode, (Lambda - e^{2 pi i k rho}) xi_k = eta_k, and the eigenvalues of Lambda are the
circle's multipliers. P and Lambda are improved together with u, by one Newton step of their own equation each time.

References
----------
Haro, Canadell, Figueras, Luque, Mondelo: The Parameterization Method for Invariant Manifolds (2016), chapter 4 and 5.
Jorba: Numerical computation of the normal behaviour of invariant curves of n-dimensional maps, Nonlinearity 14 (2001).
Schilder, Peckham: Computing Arnol'd tongue scenarios, J. Comput. Phys. 220 (2007).
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gan_bifurcation.evaluation import jacobian, make_evaluator
from gan_bifurcation.kernels import jit
from gan_bifurcation.ranges import Range
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# Numbers of nodes: odd, so that no mode stands alone, with small prime factors.
SIZES: Final = (27, 45, 63, 81, 105, 135, 189, 243, 315, 405, 567, 729, 945, 1215, 1575, 2187)
TOLERANCE: Final = 1e-10


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


def shifted(values: NDArray[Any], amount: float) -> NDArray[Any]:
    """The trigonometric polynomial through real values (K, ...) at t = k/K, at t + amount."""
    modes = np.fft.rfft(values, axis=0)
    turn = np.exp(2j * np.pi * amount * np.arange(len(modes)))
    return np.fft.irfft(modes * turn.reshape(-1, *[1] * (values.ndim - 1)), n=len(values), axis=0)


def derivative(values: FloatArray) -> FloatArray:
    """The derivative of the trigonometric polynomial through values (K, ...)."""
    modes = np.fft.rfft(values, axis=0)
    factor = 2j * np.pi * np.arange(len(modes))
    return np.fft.irfft(modes * factor.reshape(-1, *[1] * (values.ndim - 1)), n=len(values), axis=0)


def resampled(values: FloatArray, size: int) -> FloatArray:
    """The same trigonometric polynomial at another number of nodes (an odd one)."""
    old = len(values)
    modes = np.fft.rfft(values, axis=0)
    kept = np.zeros((size // 2 + 1, *values.shape[1:]), dtype=complex)
    count = min(len(kept), len(modes))
    kept[:count] = modes[:count]
    return np.fft.irfft(kept, n=size, axis=0) * (size / old)


def smoothed(values: FloatArray) -> FloatArray:
    """Without the modes beyond a third of the nodes: those that products of two others would alias with."""
    modes = np.fft.rfft(values, axis=0)
    modes[highest_mode(len(values)) + 1 :] = 0.0
    return np.fft.irfft(modes, n=len(values), axis=0)


def highest_mode(size: int) -> int:
    """The highest mode kept on a number of nodes."""
    return size // 3


def tail(values: FloatArray, scale: FloatArray) -> float:
    """The largest of the last tenth of the modes, relative to the largest but the mean."""
    modes = np.max(np.abs(np.fft.rfft(values, axis=0)) / scale, axis=1)[1 : highest_mode(len(values)) + 1]
    largest = float(np.max(modes, initial=0.0))
    last = max(len(modes) // 10, 2)
    return float(np.max(modes[-last:])) / largest if largest > 0.0 else 0.0


@dataclass(frozen=True, eq=False)
class Circle:
    """A circle in the course of a computation.

    Attributes
    ----------
    u : array (K, n)
    rho : float
    q : array (f,)
        Free parameters in units of their windows.
    frames : array (K, n, n)
        The first column is u' up to a factor.
    constant : array (n, n)
        Lambda, block triangular: its first column is that of the identity.
    defect : float
        How far A P - P(t + rho) Lambda is from zero.
    """

    u: FloatArray
    rho: float
    q: FloatArray
    frames: FloatArray
    constant: FloatArray
    defect: float = np.inf

    @property
    def multipliers(self) -> ComplexArray:
        """The normal multipliers, (n - 1,), largest first."""
        values = np.linalg.eigvals(self.constant[1:, 1:])
        return np.asarray(values[np.argsort(-np.abs(values), kind="stable")], dtype=complex)

    def resized(self, size: int) -> "Circle":
        """On another number of nodes."""
        return replace(self, u=resampled(self.u, size), frames=resampled(self.frames, size))


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
        """F (K, n), its derivative in the states (K, n, n) and in the units of the free parameters (K, n, f)."""
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
        f, _, _ = self.evaluate(between, circle.q)
        return float(np.max(np.abs(f - shifted(between, circle.rho)) / self.scale))

    # -- Newton ---------------------------------------------------------------------------------------------------------

    def _linearised(self, circle: Circle) -> "_Step":
        """One look at a circle: all that a Newton step, its frames and a tangent need."""
        u, rho = circle.u, circle.rho
        f, a, by_q = self.evaluate(u, circle.q)
        error = f - shifted(u, rho)
        along = derivative(u)
        size = np.sqrt(np.mean(np.sum((along / self.scale) ** 2, axis=1)))
        frames = circle.frames.copy()
        frames[:, :, 0] = along / size
        inverse = np.linalg.inv(shifted(frames, rho))
        reduced = inverse @ a @ frames
        mean = np.mean(reduced, axis=0)
        constant = mean.copy()
        constant[:, 0] = 0.0
        constant[0, 0] = 1.0
        # In frame coordinates: the error, and what the two scalars do.
        columns = [-np.einsum("kij,kj->ki", inverse, error)]
        if self.moves_rho:
            turn = np.zeros_like(u)
            turn[:, 0] = size
            columns.append(turn)
        columns += [-np.einsum("kij,kj->ki", inverse, by_q[:, :, c]) for c in range(by_q.shape[2])]
        eta = np.fft.rfft(np.stack(columns, axis=2), axis=0)
        turns = np.exp(2j * np.pi * rho * np.arange(len(eta)))
        matrices = constant[None] - turns[1:, None, None] * np.eye(self.system.n)
        xi = np.zeros_like(eta)
        xi[1:] = np.linalg.solve(matrices, eta[1:])
        moved = np.einsum("kij,kjc->kic", frames, np.fft.irfft(xi, n=len(u), axis=0))
        return _Step(
            error,
            frames,
            constant,
            reduced - constant,
            eta[0].real / len(u),
            moved,
            along / self.scale**2,
            float(mean[0, 0]),
        )

    def _rows(self, step: "_Step", u: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        """The functional mean <u, .> on constant frame coordinates (n,) and on the columns of `moved` (3,)."""
        if u is None:
            return np.zeros(self.system.n), np.zeros(step.moved.shape[2])
        count = len(u)
        return np.einsum("ki,kij->j", u, step.frames) / count, np.einsum("ki,kic->c", u, step.moved) / count

    def newton(self, circle: Circle, plane: Plane, iterations: int = 9) -> Circle | None:
        """The circle in a plane, from a guess; None if Newton's method fails."""
        n = self.system.n
        phase = derivative(circle.u) / self.scale**2
        last = np.inf
        for _ in range(iterations):
            with np.errstate(all="ignore"):
                try:
                    step = self._linearised(circle)
                except np.linalg.LinAlgError:
                    return None
            if not np.isfinite(step.moved).all():
                return None
            matrix, right = np.zeros((n + 2, n + 2)), np.zeros(n + 2)
            matrix[:n, :n] = step.constant - np.eye(n)
            matrix[:n, n:] = -step.zero[:, 1:]
            right[:n] = step.zero[:, 0]
            on_frame, on_moved = self._rows(step, phase)
            matrix[n, :n], matrix[n, n:], right[n] = on_frame, on_moved[1:], -on_moved[0]
            on_frame, on_moved = self._rows(step, None if plane.u is None else plane.u)
            here = float(plane.s @ self.scalars(circle))
            if plane.u is not None:
                here += float(np.mean(np.sum(plane.u * circle.u, axis=1)))
            matrix[n + 1, :n], matrix[n + 1, n:] = on_frame, on_moved[1:] + plane.s
            right[n + 1] = plane.target - here - on_moved[0]
            try:
                solved = np.linalg.solve(matrix, right)
            except np.linalg.LinAlgError:
                return None
            delta = smoothed(step.moved[:, :, 0] + step.moved[:, :, 1:] @ solved[n:] + step.frames @ solved[:n])
            update = float(max(np.max(np.abs(delta) / self.scale), np.max(np.abs(solved[n:]))))
            if not update < 10.0:
                return None
            frames, constant = _improved(step, circle.rho)
            u = circle.u + delta
            rho = circle.rho + (solved[n] if self.moves_rho else 0.0)
            q = circle.q + (solved[n + 1 :] if self.moves_rho else solved[n:])
            circle = Circle(u, float(rho), q, frames, constant, float(np.max(np.abs(step.rest))))
            if update < TOLERANCE and circle.defect < 1e-6:
                return self._settled(circle)
            if update > 4.0 * last and update > 1e-6:
                return None
            last = update
        return self._settled(circle) if last < 1e-8 else None

    def _settled(self, circle: Circle) -> Circle:
        """The circle with the constant matrix that belongs to it, and not to the guess before it."""
        step = self._linearised(circle)
        return replace(circle, frames=step.frames, constant=step.constant, defect=float(np.max(np.abs(step.rest))))

    def tangent(self, circle: Circle, like: Direction | None = None) -> Direction:
        """The unit tangent of the branch of circles, on the side of `like`."""
        step = self._linearised(circle)
        n = self.system.n
        matrix = np.zeros((n + 1, n + 2))
        matrix[:n, :n] = step.constant - np.eye(n)
        matrix[:n, n:] = -step.zero[:, 1:]
        on_frame, on_moved = self._rows(step, step.phase)
        matrix[n, :n], matrix[n, n:] = on_frame, on_moved[1:]
        sizes = np.max(np.abs(matrix), axis=1, keepdims=True)
        null = np.linalg.svd(matrix / np.where(sizes > 0.0, sizes, 1.0))[2][-1]
        found = Direction(step.frames @ null[:n] + step.moved[:, :, 1:] @ null[n:], null[n:])
        length = np.sqrt(self.inner(found, found))
        found = Direction(found.u / length, found.s / length)
        if like is not None and self.inner(found, Direction(resampled(like.u, len(circle.u)), like.s)) < 0.0:
            return -found
        return found

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


@dataclass(frozen=True, eq=False)
class _Step:
    """The linearisation at a circle, in its frames.

    `zero` (n, 3) holds the zero modes of the right-hand sides (error and two scalars), `moved` (K, n, 3) what their other
    modes do to the states; `rest` what is left of A P - P(t + rho) Lambda, in frames.
    """

    error: FloatArray
    frames: FloatArray
    constant: FloatArray
    rest: FloatArray
    zero: FloatArray
    moved: FloatArray
    phase: FloatArray
    trivial: float


def _improved(step: _Step, rho: float) -> tuple[FloatArray, FloatArray]:
    """Frames and their constant matrix after one Newton step of A P = P(t + rho) Lambda.

    With P (1 + Q), the rest R and Lambda = [[1, b], [0, L]]: L Q - e^{2 pi i k rho} Q L = -R in the normal block, then the
    row along the circle, for all modes but the constant one, which Lambda has taken already.
    """
    size, n, _ = step.frames.shape
    if n == 1:
        return step.frames, step.constant
    rest = np.fft.rfft(step.rest, axis=0)[1:]
    turns = np.exp(2j * np.pi * rho * np.arange(1, len(rest) + 1))
    block, b = step.constant[1:, 1:], step.constant[0, 1:]
    values, vectors = np.linalg.eig(block)
    if np.linalg.cond(vectors) < 1e8:
        inverse = np.linalg.inv(vectors)
        right = inverse @ rest[:, 1:, 1:] @ vectors
        divisors = values[None, :, None] - turns[:, None, None] * values[None, None, :]
        # At a resonance between multipliers that mode stays what it is.
        safe = np.abs(divisors) > 1e-9
        normal = vectors @ np.where(safe, -right / np.where(safe, divisors, 1.0), 0.0) @ inverse
    else:
        normal = np.array(
            [scipy.linalg.solve_sylvester(block, -t * block, -r) for t, r in zip(turns, rest[:, 1:, 1:], strict=True)]
        )
    along = np.linalg.solve(
        np.eye(n - 1) - turns[:, None, None] * block.T,
        (-rest[:, 0, 1:] - np.einsum("j,kji->ki", b, normal))[:, :, None],
    )[:, :, 0]
    q = np.zeros((size // 2 + 1, n, n), dtype=complex)
    q[1:, 1:, 1:], q[1:, 0, 1:] = normal, along
    change = smoothed(step.frames @ np.fft.irfft(q, n=size, axis=0))
    # Far from a solution a full step of the frames could make them singular.
    largest = float(np.max(np.abs(change)) / np.max(np.abs(step.frames)))
    return step.frames + change * min(1.0, 0.5 / max(largest, 1e-300)), step.constant
