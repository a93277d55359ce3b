"""Where a curve's deciding coefficient vanishes (CP, GH, GPD, CH): Newton's method on the curve's equations with it.

The coefficient's derivative along a direction is exact. Null vectors, from a bordered system whose borders stay as they
are, and the solutions of linear systems are differentiated with the matrix, which moves by D2f(v, .); a form of order k
moves by one of order k + 1 with the direction as a further argument.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation.codimension_two_location import relative
from gan_bifurcation.continuation.conditions import critical_eigenvalue
from gan_bifurcation.continuation.forms import Forms
from gan_bifurcation.continuation.problem import CurveProblem
from gan_bifurcation.errors import MisuseError
from gan_bifurcation.evaluation import second

FloatArray = NDArray[np.float64]
Moving = tuple[Any, Any]  # a vector (or a number) and its derivative

_MOST: Final = 12


class Deciding:
    """The coefficient of a curve's points, up to a positive factor, and its derivative along directions.

    Parameters
    ----------
    problem : CurveProblem
    label : str
        LP, H, PD or NS.
    u : array
        Unknowns where the borders of the null vectors are taken.
    """

    def __init__(self, problem: CurveProblem, label: str, u: FloatArray) -> None:
        self.problem, self.label = problem, label
        self.is_map = problem.system.kind == "map"
        self.eye = np.eye(problem.system.n)
        left, _, right = np.linalg.svd(problem.jacobian_states(u) - self._eigenvalue(u) * self.eye)
        self.b, self.c = left[:, -1], right[-1].conj()

    def _eigenvalue(self, u: FloatArray) -> complex | float:
        critical = critical_eigenvalue(self.problem, u, complex(np.nan))
        if critical is None:
            raise np.linalg.LinAlgError("the pair is real")
        return critical if self.label in ("H", "NS") else critical.real

    def at(self, u: FloatArray, directions: FloatArray) -> tuple[float, FloatArray, float]:
        """The coefficient, its derivatives along directions (k, size), and what its rounding is to be seen against.

        Raises
        ------
        LinAlgError
            If a linear system is singular, the pair has become real, or parameters are no numbers any more.
        """
        if not np.isfinite(self.problem.values(u)).all():
            raise np.linalg.LinAlgError("The parameters are no numbers any more.")
        mu = self._eigenvalue(u)
        forms = Forms(self.problem.at(u), self.problem.states(u))
        slopes = []
        value, size = 0.0, 1.0
        for direction in directions:
            value, slope, size = _Along(self, forms, u, mu, direction).coefficient()
            slopes.append(slope)
        return value, np.array(slopes), size


class _Along:
    """What a coefficient is made of at a point, with derivatives along one direction."""

    def __init__(self, home: Deciding, forms: Forms, u: FloatArray, mu: complex | float, du: FloatArray) -> None:
        problem = home.problem
        n = problem.system.n
        self.home, self.forms, self.mu, self.n = home, forms, mu, n
        v = np.zeros(len(forms.base))
        v[:n] = du[:n] * problem.scale
        values = problem.parameters(u)
        for (name, r), value, part in zip(problem.free.items(), values, du[problem.q_slice], strict=True):
            slope = value * np.log(r.high / r.low) if r.log else r.high - r.low
            v[n + problem.system.parameter_index(name)] = slope * part
        self.v = v
        moved = np.zeros((n, len(v)))
        second(forms._evaluator, forms.base, v, np.empty(n), np.empty((n, len(v))), moved)
        self.moved = moved[:, :n]
        self.mu_moved: complex | float = 0.0
        if problem.condition == "pair":
            kappa, part = u[-1], du[-1]
            if home.is_map:
                self.mu_moved = complex(part, -part * kappa / np.sqrt(1.0 - kappa**2))
            else:
                self.mu_moved = complex(0.0, 0.5 * part * problem.kappa_unit / complex(mu).imag)

    def null_vectors(self) -> tuple[Moving, Moving]:
        """Right and left null vectors q, w (w^T M = 0), by the bordered matrix."""
        n, home = self.n, self.home
        m = np.zeros((n + 1, n + 1), dtype=np.result_type(self.mu, float))
        m[:n, :n] = self.forms.A - self.mu * home.eye
        m[:n, n], m[n, :n] = home.b, home.c.conj()
        moved = self.moved - self.mu_moved * home.eye
        unit = np.zeros(n + 1)
        unit[n] = 1.0
        found = []
        for matrix, change in ((m, moved), (m.T, moved.T)):
            x = np.linalg.solve(matrix, unit)
            dx = np.linalg.solve(matrix, np.append(-change @ x[:n], 0.0))
            found.append((x[:n], dx[:n]))
        return found[0], found[1]

    def form(self, *vectors: Moving) -> Moving:
        """D^k f of moving vectors."""
        values = [x for x, _ in vectors]
        apply: Callable[..., Any] = self.forms.B if len(vectors) == 2 else self.forms.form
        derivative = self.forms.form(self.v, *values)
        for i, (_, dx) in enumerate(vectors):
            derivative = derivative + apply(*values[:i], dx, *values[i + 1 :])
        return apply(*values), derivative

    def solved(self, shift: complex | float, shift_moved: complex | float, right: Moving) -> Moving:
        """(shift I - A)^-1 r."""
        matrix = shift * self.home.eye - self.forms.A
        h = np.linalg.solve(matrix, right[0])
        return h, np.linalg.solve(matrix, right[1] - (shift_moved * h - self.moved @ h))

    def coefficient(self) -> tuple[float, float, float]:
        """Kuznetsov (5.20), (5.62), (5.51), (5.66): value, derivative, size."""
        q, w = self.null_vectors()
        terms: list[tuple[float, Moving]]
        if self.home.label == "LP":
            terms = [(1.0, self.form(q, q))]
        elif self.home.label == "PD":
            h = self.solved(1.0, 0.0, self.form(q, q))
            terms = [(1.0, self.form(q, q, q)), (3.0, self.form(q, h))]
        else:
            bar = q[0].conj(), q[1].conj()
            fixed = float(self.home.is_map)
            twice, moved = 2.0 * self.mu, 2.0 * self.mu_moved
            if self.home.is_map:
                twice, moved = self.mu**2, 2.0 * self.mu * self.mu_moved
            h20 = self.solved(twice, moved, self.form(q, q))
            h11 = self.solved(fixed, 0.0, self.form(q, bar))
            terms = [(1.0, self.form(q, q, bar)), (1.0, self.form(bar, h20)), (2.0, self.form(q, h11))]
        total = slope = 0.0j
        size = 0.0
        for factor, (x, dx) in terms:
            total += factor * (w[0] @ x)
            slope += factor * (w[1] @ x + w[0] @ dx)
            size += factor * float(np.abs(w[0]) @ np.abs(x))
        if self.home.label in ("LP", "PD"):
            # Not divided by w^T q, which vanishes where the eigenvalue is double.
            return float(np.real(total)), float(np.real(slope)), size
        under, under_moved = w[0] @ q[0], w[1] @ q[0] + w[0] @ q[1]
        if self.home.is_map:
            under, under_moved = under * self.mu, under_moved * self.mu + under * self.mu_moved
        value = total / under
        return float(value.real), float(((slope - value * under_moved) / under).real), size / abs(under)


def solve_vanishing(problem: CurveProblem, label: str, guess: FloatArray) -> tuple[FloatArray, float] | None:
    """Newton's method for a point of a curve where its deciding coefficient vanishes, borders of the problem in place.

    Returns
    -------
    (array, float) or None
        Unknowns, and the largest of the residuals relative to the size of their terms: of the equilibrium, of the
        curve's condition, of the coefficient. None where it does not converge.
    """
    u = guess.copy()
    last = np.inf
    try:
        deciding = Deciding(problem, label, u)
        for _ in range(_MOST):
            r, d = problem.residual(u)
            sizes = np.maximum(np.max(np.abs(d), axis=1), 1e-300)
            left, values, right = np.linalg.svd(d / sizes[:, None])
            if not values[-1] > 1e-12 * values[0]:
                return None
            back = right[: len(values)].T @ ((left.T @ (-r / sizes)) / values)
            tangent = right[-1]
            value, slopes, size = deciding.at(u, np.array([back, tangent]))
            if not np.isfinite(slopes).all() or slopes[1] == 0.0:
                return None
            # Elimination: the curve's equations give all of the step but its part along the tangent.
            step = back - (value + slopes[0]) / slopes[1] * tangent
            u = u + step
            length = float(np.max(np.abs(step) / np.maximum(1.0, np.abs(u))))
            if length < 1e-14 or (length < 1e-10 and length >= 0.5 * last):
                break
            last = length
        else:
            return None
        r, d = problem.residual(u)
        value, slopes, size = deciding.at(u, tangent[None])
    except (np.linalg.LinAlgError, ArithmeticError, MisuseError):
        return None
    # Terms that cancel within the right-hand side leave no size but that of the change along the curve.
    size = max(size, abs(float(slopes[0])))
    return u, max(problem.relative_residual(u), relative(r, d), abs(value) / max(size, 1e-300))
