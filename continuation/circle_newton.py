"""Invariant circles of maps by Newton's method in Fourier modes, with reducibility.

A circle is u: R/Z -> R^n with F(u(t), p) = u(t + rho). Where the derivative along it can be brought to constant form,
A(t) P(t) = P(t + rho) Lambda with A = DF(u(t)), P's first column being u', the linear equation of a Newton step
separates into one small system for each Fourier mode, (Lambda - e^{2 pi i k rho}) xi_k = eta_k, and the eigenvalues of
Lambda are the circle's multipliers. P and Lambda are improved with u, by Newton steps of their own equation. Where they
are not exact (the normal multipliers resonate with the rotation), GMRES makes up for it: it solves the linear equation
itself.

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
import scipy.fft
import scipy.linalg
import scipy.sparse.linalg
from numpy.typing import NDArray

from gan_bifurcation.evaluation import jacobian, make_evaluator
from gan_bifurcation.kernels import jit
from gan_bifurcation.ranges import Range
from gan_bifurcation.rotation import weights
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# Numbers of nodes: odd, so that no mode stands alone, with small prime factors.
SIZES: Final = (27, 45, 63, 81, 105, 135, 189, 243, 315, 405, 567, 729, 945, 1215, 1575, 2187)
TOLERANCE: Final = 1e-10
# Of GMRES: most vectors kept.
_KRYLOV: Final = 40
# A mode of the frames is changed where its divisor is so many times larger than what it divides.
_SAFE: Final = 3.0
# Frames are improved until they bring the linearisation to constant form up to this, before the last improvement.
_CLEAN: Final = 1e-4
# Above this they do not tell the multipliers; these then come from so many steps along the circle.
_COARSE: Final = 1e-3
_STEPS: Final = 1500


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
    modes = scipy.fft.rfft(values, axis=0)
    turn = np.exp(2j * np.pi * amount * np.arange(len(modes)))
    return np.asarray(scipy.fft.irfft(modes * turn.reshape(-1, *[1] * (values.ndim - 1)), n=len(values), axis=0))


def derivative(values: FloatArray) -> FloatArray:
    """The derivative of the trigonometric polynomial through values (K, ...)."""
    modes = scipy.fft.rfft(values, axis=0)
    factor = 2j * np.pi * np.arange(len(modes))
    return np.asarray(scipy.fft.irfft(modes * factor.reshape(-1, *[1] * (values.ndim - 1)), n=len(values), axis=0))


def resampled(values: FloatArray, size: int) -> FloatArray:
    """The same trigonometric polynomial at another number of nodes (an odd one)."""
    old = len(values)
    modes = scipy.fft.rfft(values, axis=0)
    kept = np.zeros((size // 2 + 1, *values.shape[1:]), dtype=complex)
    count = min(len(kept), len(modes))
    kept[:count] = modes[:count]
    return np.asarray(scipy.fft.irfft(kept, n=size, axis=0) * (size / old))


def smoothed(values: FloatArray) -> FloatArray:
    """Without the modes beyond a third of the nodes: those that products of two others would alias with."""
    modes = scipy.fft.rfft(values, axis=0)
    modes[highest_mode(len(values)) + 1 :] = 0.0
    return np.asarray(scipy.fft.irfft(modes, n=len(values), axis=0))


def highest_mode(size: int) -> int:
    """The highest mode kept on a number of nodes."""
    return size // 3


def tail(values: FloatArray, scale: FloatArray) -> float:
    """The largest of the last tenth of the modes, relative to the largest but the mean."""
    modes = np.max(np.abs(scipy.fft.rfft(values, axis=0)) / scale, axis=1)[1 : highest_mode(len(values)) + 1]
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
    inverse : object
        The approximate inverse that Newton's method used here; it serves the tangent as well.
    """

    u: FloatArray
    rho: float
    q: FloatArray
    frames: FloatArray
    constant: FloatArray
    defect: float = np.inf
    inverse: "_Inverse | None" = None

    def resized(self, size: int) -> "Circle":
        """On another number of nodes."""
        return replace(self, u=resampled(self.u, size), frames=resampled(self.frames, size), inverse=None)


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

    # -- Newton -----------------------------------------------------------------------------------------------------

    def newton(self, circle: Circle, plane: Plane, iterations: int = 9) -> Circle | None:
        """The circle in a plane, from a guess; None if Newton's method fails."""
        rows = self._rows(circle, plane)
        with np.errstate(all="ignore"):
            try:
                inverse = _Inverse(self, circle, rows)
            except (np.linalg.LinAlgError, ValueError):
                return None
            last = np.inf
            for _ in range(iterations):
                f, a, by_q = self.evaluate(circle.u, circle.q)
                linear = _Linear(self, circle, a, by_q, rows)
                here = float(plane.s @ self.scalars(circle))
                if plane.u is not None:
                    here += float(np.mean(np.sum(plane.u * circle.u, axis=1)))
                right = np.concatenate([(shifted(circle.u, circle.rho) - f).ravel(), [0.0, plane.target - here]])
                if not np.isfinite(right).all() or not np.isfinite(a).all():
                    return None
                solved = _solve(linear, inverse, right, min(1e-3, max(0.1 * last, 1e-12)))
                if solved is None:
                    return None
                delta, s = smoothed(solved[:-2].reshape(circle.u.shape)), solved[-2:]
                update = float(max(np.max(np.abs(delta) / self.scale), np.max(np.abs(s))))
                if not update < 10.0:
                    return None
                circle = self.moved(circle, Direction(delta, s), 1.0)
                if update < TOLERANCE:
                    return self._settled(replace(circle, inverse=inverse))
                if update > 4.0 * last and update > 1e-6:
                    return None
                last = update
        return self._settled(circle) if last < 1e-8 else None

    def tangent(self, circle: Circle, like: Direction) -> Direction:
        """The unit tangent of the branch of circles, on the side of `like`."""
        weighted = Plane(resampled(like.u, len(circle.u)) / self.scale**2, like.s, 1.0)
        rows = self._rows(circle, weighted)
        _, a, by_q = self.evaluate(circle.u, circle.q)
        right = np.zeros(circle.u.size + 2)
        right[-1] = 1.0
        # Near enough for a preconditioner, whatever plane it was made for.
        inverse = circle.inverse or _Inverse(self, circle, rows)
        found = _solve(_Linear(self, circle, a, by_q, rows), inverse, right, 1e-8)
        if found is None:
            return like
        made = Direction(found[:-2].reshape(circle.u.shape), found[-2:])
        length = np.sqrt(self.inner(made, made))
        return Direction(made.u / length, made.s / length)

    def _rows(self, circle: Circle, plane: Plane) -> tuple[FloatArray, FloatArray | None, FloatArray]:
        """The functionals of the two conditions: that the phase stays, and the plane."""
        return derivative(circle.u) / self.scale**2, plane.u, plane.s

    def _settled(self, circle: Circle) -> Circle | None:
        """The circle with frames and constant matrix of its own."""
        _, a, _ = self.evaluate(circle.u, circle.q)
        best: Circle | None = None
        try:
            for _ in range(3):
                improved = _improved(self, circle, a)
                here = replace(circle, constant=improved.constant, defect=improved.defect)
                if here.defect < _CLEAN:
                    return improved
                if best is not None and here.defect >= best.defect:
                    break
                best, circle = here, improved
        except np.linalg.LinAlgError:
            return None
        return best

    def multipliers(self, circle: Circle) -> ComplexArray:
        """The normal multipliers (n - 1,), largest first.

        Where the frames are not exact, the moduli of the largest come from the growth of vectors along the circle; a
        real one is then given as positive, for its sign depends on how the frames wind.
        """
        values = np.linalg.eigvals(circle.constant[1:, 1:]).astype(complex)
        values = values[np.argsort(-np.abs(values), kind="stable")]
        if circle.defect > _COARSE and len(values):
            moduli = growth(self, circle, min(3, len(values)))
            # The last one may share its modulus with those that were not followed.
            keep = len(moduli) if len(moduli) == len(values) else len(moduli) - 1
            angles = np.angle(values[:keep])
            if keep > 1 and abs(values[0].imag) > 0.0 and moduli[1] < (1.0 - 1e-4) * moduli[0]:
                # A pair that has met the rotation and fallen apart: real in frames that wind.
                angles[:2] = 0.0
            values[:keep] = moduli[:keep] * np.exp(1j * angles)
            values = values[np.argsort(-np.abs(values), kind="stable")]
        return np.asarray(values)

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


class _Linear:
    """The derivative of the equations at a circle, as an operator on (states, two scalars)."""

    def __init__(
        self,
        problem: CircleProblem,
        circle: Circle,
        a: FloatArray,
        by_q: FloatArray,
        rows: tuple[FloatArray, FloatArray | None, FloatArray],
    ) -> None:
        self.a, self.rho, self.rows = a, circle.rho, rows
        turn = -shifted(derivative(circle.u), circle.rho)
        columns = [turn, by_q[:, :, 0]] if problem.moves_rho else [by_q[:, :, 0], by_q[:, :, 1]]
        self.columns = np.stack(columns, axis=2)

    def __call__(self, v: FloatArray) -> FloatArray:
        size, n, _ = self.a.shape
        u, s = v[:-2].reshape(size, n), v[-2:]
        field = np.matmul(self.a, u[:, :, None])[:, :, 0] - shifted(u, self.rho) + self.columns @ s
        phase, across, on_s = self.rows
        plane = float(on_s @ s) + (0.0 if across is None else float(np.sum(across * u)) / size)
        return np.concatenate([field.ravel(), [float(np.sum(phase * u)) / size, plane]])


class _Inverse:
    """The inverse of `_Linear` as far as the frames bring it to constant form: one small system for each mode."""

    def __init__(
        self, problem: CircleProblem, circle: Circle, rows: tuple[FloatArray, FloatArray | None, FloatArray]
    ) -> None:
        size, n = circle.u.shape
        _, a, by_q = problem.evaluate(circle.u, circle.q)
        linear = _Linear(problem, circle, a, by_q, rows)
        self.frames = circle.frames
        self.left = np.linalg.inv(shifted(self.frames, circle.rho))
        self.rows = rows
        turns = np.exp(2j * np.pi * circle.rho * np.arange(1, size // 2 + 1))
        self.modes = np.linalg.inv(circle.constant - turns[:, None, None] * np.eye(n))
        # What each scalar does: the constant mode is left for the small system at the end.
        parts = [self._moved(linear.columns[:, :, c]) for c in range(2)]
        matrix = np.zeros((n + 2, n + 2))
        matrix[:n, :n] = circle.constant - np.eye(n)
        phase, across, on_s = rows
        matrix[n, :n] = np.einsum("ki,kij->j", phase, self.frames) / size
        if across is not None:
            matrix[n + 1, :n] = np.einsum("ki,kij->j", across, self.frames) / size
        matrix[n + 1, n:] = on_s
        for c, (zero, moved) in enumerate(parts):
            matrix[:n, n + c] = zero
            matrix[n, n + c] -= np.sum(phase * moved) / size
            if across is not None:
                matrix[n + 1, n + c] -= np.sum(across * moved) / size
        self.scalar_moves = np.stack([moved for _, moved in parts], axis=2)
        self.factors = scipy.linalg.lu_factor(matrix)

    def _moved(self, field: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The constant mode in frames (n,), and the states (K, n) that the other modes of a right-hand side give."""
        modes = scipy.fft.rfft(np.matmul(self.left, field[:, :, None])[:, :, 0], axis=0)
        xi = np.zeros_like(modes)
        xi[1:] = np.matmul(self.modes, modes[1:, :, None])[:, :, 0]
        back = scipy.fft.irfft(xi, n=len(field), axis=0)
        return modes[0].real / len(field), np.matmul(self.frames, back[:, :, None])[:, :, 0]

    def __call__(self, v: FloatArray) -> FloatArray:
        size, n, _ = self.frames.shape
        zero, moved = self._moved(v[:-2].reshape(size, n))
        phase, across, _ = self.rows
        right = np.concatenate([zero, v[-2:]])
        right[n] -= np.sum(phase * moved) / size
        if across is not None:
            right[n + 1] -= np.sum(across * moved) / size
        small = scipy.linalg.lu_solve(self.factors, right, check_finite=False)
        u = moved + self.frames @ small[:n] - self.scalar_moves @ small[n:]
        return np.concatenate([u.ravel(), small[n:]])


def _solve(linear: _Linear, inverse: _Inverse, right: FloatArray, tolerance: float) -> FloatArray | None:
    """The solution of the linear system, by GMRES with the reduced system as preconditioner; None if it stalls."""
    size = len(right)
    nodes, n, _ = linear.a.shape

    def low(v: FloatArray) -> FloatArray:
        return np.concatenate([smoothed(v[:-2].reshape(nodes, n)).ravel(), v[-2:]])

    # On the right of the matrix, so that the tolerance is on the equations themselves; in the modes that are kept.
    right = low(right)
    operator = scipy.sparse.linalg.LinearOperator(
        (size, size), matvec=lambda v: low(linear(low(inverse(np.ravel(v))))), dtype=float
    )
    found, failed = scipy.sparse.linalg.gmres(operator, right, rtol=tolerance, atol=0.0, restart=_KRYLOV, maxiter=2)
    if failed:
        rest = float(np.linalg.norm(operator.matvec(found) - right))
        if not rest < 0.3 * float(np.linalg.norm(right)):
            return None
    return low(inverse(found))


def _improved(problem: CircleProblem, circle: Circle, a: FloatArray) -> Circle:
    """The circle with better frames: one Newton step of A P = P(t + rho) Lambda.

    With P (1 + Q), the rest R and Lambda = [[1, b], [0, L]]: L Q - e^{2 pi i k rho} Q L = -R in the normal block, then
    the row along the circle, for all modes but the constant one, which Lambda takes. At a resonance between multipliers
    that mode of R stays what it is: there the frames would have to wind differently.
    """
    rho = circle.rho
    size, n = circle.u.shape
    frames = circle.frames.copy()
    along = derivative(circle.u)
    frames[:, :, 0] = along / np.sqrt(np.mean(np.sum((along / problem.scale) ** 2, axis=1)))
    rest = np.linalg.solve(shifted(frames, rho), a @ frames)
    constant = np.mean(rest, axis=0)
    constant[:, 0] = 0.0
    constant[0, 0] = 1.0
    rest = rest - constant
    defect = float(np.max(np.abs(rest)))
    if n == 1 or defect < 1e-13:
        return replace(circle, frames=frames, constant=constant, defect=defect)
    modes = scipy.fft.rfft(rest, axis=0)[1:] / size
    turns = np.exp(2j * np.pi * rho * np.arange(1, len(modes) + 1))
    block, b = constant[1:, 1:], constant[0, 1:]
    values, vectors = np.linalg.eig(block)
    if np.linalg.cond(vectors) < 1e8:
        inverse = np.linalg.inv(vectors)
        right = inverse @ modes[:, 1:, 1:] @ vectors
        divisors = values[None, :, None] - turns[:, None, None] * values[None, None, :]
        safe = np.abs(divisors) > _SAFE * np.abs(right)
        normal = vectors @ np.where(safe, -right / np.where(safe, divisors, 1.0), 0.0) @ inverse
    else:
        normal = np.array(
            [scipy.linalg.solve_sylvester(block, -t * block, -r) for t, r in zip(turns, modes[:, 1:, 1:], strict=True)]
        )
    below = (-modes[:, 0, 1:] - np.einsum("j,kji->ki", b, normal))[:, :, None]
    q = np.zeros((size // 2 + 1, n, n), dtype=complex)
    q[1:, 1:, 1:] = normal
    q[1:, 0, 1:] = np.linalg.solve(np.eye(n - 1) - turns[:, None, None] * block.T, below)[:, :, 0]
    change = smoothed(frames @ scipy.fft.irfft(q * size, n=size, axis=0))
    # Far from a solution a full step of the frames could make them singular.
    largest = float(np.max(np.abs(change)) / np.max(np.abs(frames)))
    return replace(
        circle, frames=frames + change * min(1.0, 0.5 / max(largest, 1e-300)), constant=constant, defect=defect
    )


def growth(problem: CircleProblem, circle: Circle, count: int) -> FloatArray:
    """The largest moduli of normal multipliers, by following vectors along the circle with orthogonalisation.

    The averages are weighted smoothly, so that products of the first ones converge faster than any power of the length.
    """
    size, n = circle.u.shape
    phases = circle.rho * np.arange(_STEPS)
    modes = scipy.fft.rfft(circle.u, axis=0)[: highest_mode(size) + 1] / size
    modes[1:] *= 2.0
    waves = np.exp(2j * np.pi * np.outer(phases, np.arange(len(modes))))
    u = (waves @ modes).real
    along = (waves @ (modes * (2j * np.pi * np.arange(len(modes)))[:, None])).real
    _, a, _ = problem.evaluate(u, circle.q)
    vectors = np.random.default_rng(0).normal(size=(n, count + 1))
    logs = np.zeros((_STEPS, count))
    for k in range(_STEPS):
        vectors[:, 0] = along[k]
        vectors, r = np.linalg.qr(vectors)
        if k:
            logs[k] = np.log(np.maximum(np.abs(np.diag(r))[1:], 1e-300))
        vectors = a[k] @ vectors
    return np.exp(weights(_STEPS - _STEPS // 3) @ logs[_STEPS // 3 :])
