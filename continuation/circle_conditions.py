"""What holds along a curve of circles over two parameters, as a number that vanishes, with its derivatives.

At a fold the derivative of the equations in states and rotation number is singular: bordered by a parameter's column
and a row, the component of that parameter in the direction along the branch is zero. At a flip or a Neimark-Sacker
point A - z S has a null vector (see :mod:`gan_bifurcation.continuation.circle_critical`), and the bordered scalar is
zero. Numbers are exact; their derivatives, which only guide Newton's method, take the second derivatives of the map
from central differences of its Jacobians along the direction that is critical.

References
----------
Govaerts: Numerical Methods for Bifurcations of Dynamical Equilibria (SIAM, 2000), chapter 4, for bordered scalars.
Schilder, Osinga, Vogt: Continuation of quasi-periodic invariant tori, SIAM J. Appl. Dyn. Syst. 4 (2005).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gan_bifurcation.continuation.circle_critical import Shifted, resampled_complex, slope, turned
from gan_bifurcation.continuation.circle_linear import ByFrames, Conditions, Linear, direct, iterated
from gan_bifurcation.continuation.circle_newton import Circle, CircleProblem
from gan_bifurcation.continuation.circle_waves import derivative, resampled, shifted, smoothed
from gan_bifurcation.continuation.factors import factors_of

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# Of the differences of Jacobians, in units of the states' sizes and of the windows.
_DIFFERENCE: Final = 1e-5
# A branch turns back where its parameter changes by less than this part of its states.
_TURNS_BACK: Final = 1e-4
# Above this frames do not serve.
_LOST: Final = 0.5
# By label: how z turns with the phase, in turns per turn of the circle.
FOLD, FLIP, DOUBLE, PAIR = "folds", "reverses", "doubles", "turns"
WAYS: Final = (FOLD, FLIP, DOUBLE, PAIR)


@dataclass(frozen=True, eq=False)
class Move:
    """A change of a circle: of its states, rotation number and both parameters."""

    u: FloatArray
    rho: float
    q: FloatArray

    def __add__(self, other: "Move") -> "Move":
        return Move(self.u + other.u, self.rho + other.rho, self.q + other.q)

    def times(self, factor: float) -> "Move":
        return Move(factor * self.u, factor * self.rho, factor * self.q)


@dataclass(frozen=True, eq=False)
class Borders:
    """What the equations are bordered with, from the last circle of the curve.

    Attributes
    ----------
    row : Move
        Along the branch over one parameter.
    along : array (2,)
        The direction of the curve in the plane of parameters (the branch is that over the other direction).
    right, left : complex array (K, n) or None
        Null vectors of A - z S.
    sign : float
        Of a double: z = sign e^{i pi rho}.
    """

    row: Move
    along: FloatArray
    right: ComplexArray | None = None
    left: ComplexArray | None = None
    sign: float = 1.0

    def resized(self, size: int) -> "Borders":
        row = Move(resampled(self.row.u, size), self.row.rho, self.row.q)
        if self.right is None or self.left is None:
            return Borders(row, self.along)
        return Borders(
            row, self.along, resampled_complex(self.right, size), resampled_complex(self.left, size), self.sign
        )


class Linearised(NamedTuple):
    """The equations at a circle: what solves them, and their condition.

    `basis` holds moves that solve the equations but for the condition: from the residual, along the curve's parameter,
    along the branch. `value` and `slopes` (one for each move, then for the angle) are those of the condition, of one or
    two real numbers.
    """

    basis: tuple[Move, Move, Move]
    value: FloatArray
    slopes: FloatArray
    right: ComplexArray | None
    left: ComplexArray | None

    def resized(self, size: int) -> "Linearised":
        """On another number of nodes."""
        if len(self.basis[0].u) == size:
            return self
        one, two, three = (Move(resampled(b.u, size), b.rho, b.q) for b in self.basis)
        sides = [None if v is None else resampled_complex(v, size) for v in (self.right, self.left)]
        return self._replace(basis=(one, two, three), right=sides[0], left=sides[1])


def real_type(w: ComplexArray, turns: float) -> ComplexArray:
    """A vector known up to a complex factor, for which w(t) e^{2 pi i turns t} is real."""
    wave = np.exp(4j * np.pi * turns * np.arange(len(w)) / len(w))[:, None]
    return np.asarray(w * np.exp(-0.5j * np.angle(np.sum(w**2 * wave))))


def linearised(
    problem: CircleProblem, way: str, circle: Circle, theta: float, borders: Borders, tolerance: float
) -> Linearised:
    """The equations and their condition at a circle.

    Raises
    ------
    LinAlgError, ValueError
        If they are singular, not finite, or too many.
    """
    f, a, by_q = problem.evaluate(circle.u, circle.q)
    rest = shifted(circle.u, circle.rho) - f
    if not np.isfinite(rest).all() or not np.isfinite(a).all():
        raise ValueError("not finite")
    across = np.array([-borders.along[1], borders.along[0]])
    scale = problem.scale
    conditions = Conditions(
        derivative(circle.u) / scale**2, borders.row.u / scale**2, np.array([borders.row.rho, borders.row.q @ across])
    )
    linear = Linear(circle.u, a, (by_q @ across)[:, :, None], circle.rho, conditions)
    solve = _solver(problem, linear, circle, tolerance)

    # From the residual, along the curve's parameter, along the branch.
    right = np.zeros((f.size + 2, 3))
    right[:-2, 0], right[:-2, 1], right[-1, 2] = rest.ravel(), -(by_q @ borders.along).ravel(), 1.0
    x = solve(right)
    states = smoothed(x[:-2].reshape(*f.shape, 3))
    one, two, three = (
        Move(np.ascontiguousarray(states[:, :, k]), float(x[-2, k]), x[-1, k] * across + along * borders.along)
        for k, along in enumerate((0.0, 1.0, 0.0))
    )
    basis = (one, two, three)
    if way == FOLD:
        value, slopes = _fold(problem, circle, across, basis, solve)
        return Linearised(basis, value, slopes, None, None)
    return _eigenvalue(problem, way, circle, theta, borders, basis, a)


def _solver(
    problem: CircleProblem, linear: Linear, circle: Circle, tolerance: float
) -> Callable[[FloatArray], FloatArray]:
    clean = circle.frames.defect < _LOST
    factorised = direct(linear, problem.linear_states, clean)
    if factorised is not None:
        return factorised
    inverse = ByFrames(linear, circle.frames)

    def solve(right: FloatArray) -> FloatArray:
        solved = np.zeros_like(right)
        for k in range(right.shape[1]):
            if not np.any(right[:, k]):
                continue
            found = iterated(linear, inverse, right[:, k], tolerance)
            if found is None:
                raise np.linalg.LinAlgError("the iteration stalls")
            solved[:, k] = found
        return solved

    return solve


def is_fold(problem: CircleProblem, circle: Circle) -> bool:
    """Whether, over one of two parameters, the branch through a circle with a multiplier 1 turns back there."""
    u = (circle.u - circle.u.mean(axis=0)) / problem.scale
    row = Move(problem.scale * u / np.sqrt(np.mean(np.sum(u**2, axis=1))), 0.0, np.zeros(2))
    for along in np.eye(2):
        try:
            here = linearised(problem, FOLD, circle, 0.0, Borders(row, along), 1e-9)
        except (np.linalg.LinAlgError, ValueError):
            continue
        size = float(np.sqrt(np.mean(np.sum((here.basis[2].u / problem.scale) ** 2, axis=1))))
        if abs(float(here.value[0])) < _TURNS_BACK * size:
            return True
    return False


def _bent(problem: CircleProblem, circle: Circle, states: FloatArray, q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The derivative of the map's Jacobian, in states (K, n, n) and parameters (K, n, 2), along a direction in both."""
    size = max(float(np.max(np.abs(states) / problem.scale)), float(np.max(np.abs(q))))
    h = _DIFFERENCE / (size or 1.0)
    _, a, by_q = problem.evaluate_at(circle.u + h * states, circle.q + h * q)
    _, b, by_r = problem.evaluate_at(circle.u - h * states, circle.q - h * q)
    return (a - b) / (2.0 * h), (by_q - by_r) / (2.0 * h)


def _times(matrices: NDArray[Any], vectors: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.matmul(matrices, vectors[:, :, None])[:, :, 0])


def _fold(
    problem: CircleProblem,
    circle: Circle,
    across: FloatArray,
    basis: tuple[Move, Move, Move],
    solve: Callable[[FloatArray], FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """The parameter's component of the direction along the branch, and how it changes."""
    along = basis[2]
    turn, bend = derivative(along.u), derivative(derivative(circle.u))
    # Second derivatives are symmetric: the change along the branch serves all moves.
    by_states, by_q = _bent(problem, circle, along.u, along.q)
    right = np.zeros((circle.u.size + 2, len(basis)))
    for k, move in enumerate(basis):
        field = _times(by_states, move.u) + by_q @ move.q
        field = field - shifted(move.rho * turn + along.rho * (derivative(move.u) + move.rho * bend), circle.rho)
        right[:-2, k] = -field.ravel()
    return np.array([along.q @ across]), solve(right)[-1:]


def turning(way: str, theta: float, rho: float, sign: float) -> tuple[complex, complex]:
    """z and its derivative in rho."""
    if way == DOUBLE:
        z = sign * complex(np.exp(1j * np.pi * rho))
        return z, 1j * np.pi * z
    return (-1.0 + 0.0j if way == FLIP else complex(np.exp(1j * theta))), 0.0j


def _eigenvalue(
    problem: CircleProblem, way: str, circle: Circle, theta: float, borders: Borders, basis: tuple[Move, Move, Move],
    a: FloatArray,
) -> Linearised:  # fmt: skip
    """The bordered scalar of A - z S, and how it changes."""
    z, z_slope = turning(way, theta, circle.rho, borders.sign)
    shifted_matrix = Shifted(a, problem.linear_states, circle.rho, z)
    assert borders.right is not None
    assert borders.left is not None
    b, c = shifted_matrix.kept_part(borders.left.conj()), shifted_matrix.kept_part(borders.right)
    b, c = b / np.linalg.norm(b), c / np.linalg.norm(c)
    total = len(b)
    matrix = np.zeros((total + 1, total + 1), dtype=complex)
    matrix[:total, :total], matrix[:total, total], matrix[total, :total] = shifted_matrix.matrix, b, c.conj()
    factors = factors_of(matrix)
    unit = np.zeros(total + 1, dtype=complex)
    unit[-1] = 1.0
    x = scipy.linalg.lu_solve(factors, unit, check_finite=False)
    y = scipy.linalg.lu_solve(factors, unit, trans=1, check_finite=False)
    right, left = shifted_matrix.whole(x[:-1], right=True), shifted_matrix.whole(y[:-1], right=False)
    value = complex(x[-1])
    turns, waves = turned(right, circle.rho), turned(slope(right), circle.rho)
    still, numbers = np.zeros(2), []
    real, imaginary = _bent(problem, circle, right.real, still), _bent(problem, circle, right.imag, still)
    by_states, by_q = (one + 1j * other for one, other in zip(real, imaginary, strict=True))
    for move in basis:
        change = _times(by_states, move.u) + by_q @ move.q - move.rho * (z_slope * turns + z * waves)
        numbers.append(complex(-np.sum(left * change)))
    if way != PAIR:
        return Linearised(basis, np.array([value.real]), np.array([[v.real for v in numbers]]), right, left)
    numbers.append(complex(np.sum(left * (1j * z * turns))))
    return Linearised(
        basis, np.array([value.real, value.imag]),
        np.array([[v.real for v in numbers], [v.imag for v in numbers]]), right, left,
    )  # fmt: skip
