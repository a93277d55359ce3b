"""Searching for zeros from far away: Newton's method in any units, and paths of the Newton homotopy through folds."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation import _natural_newton
from gan_bifurcation.continuation.defect import Defect
from gan_bifurcation.evaluation import make_evaluator
from gan_bifurcation.system import System

FloatArray = NDArray[np.float64]

_LONGEST: Final = 0.5
_SHORTEST: Final = 1e-6
_FARTHEST: Final = 1e12
# Rounding of a state, the part of a state that it may change by this in Newton's step, and the digits beyond that.
_ROUNDING: Final = 1e-16
_BLURRED: Final = 1e-8
_DIGITS: Final = 40


def _solve(j: FloatArray, right: FloatArray, unit: FloatArray) -> FloatArray | None:
    """J x = b, unknowns in their units and rows divided by their largest terms."""
    scaled = j * unit
    rows = np.max(np.abs(scaled), axis=1)
    rows[rows == 0.0] = 1.0
    try:
        x = np.linalg.solve(scaled / rows[:, None], right / rows)
    except np.linalg.LinAlgError:
        return None
    return x * unit if np.isfinite(x).all() else None


def newton_step(defect: Defect, x: FloatArray) -> FloatArray | None:
    """Newton's step from a state, or None where there is none."""
    f, j = defect.value(x), defect.derivative(x)
    if not (np.isfinite(f).all() and np.isfinite(j).all()):
        return None
    unit = np.abs(x) + 1e-8 * float(np.max(np.abs(x))) + 1e-12
    if defect.is_map:
        noise = _solve(j, _ROUNDING * np.abs(x), unit)
        if noise is not None and bool(np.any(np.abs(noise) > _BLURRED * unit)):
            # A map's step that is less than rounding of the state is nothing in f(x) - x, and may be much to Newton.
            f = _exactly(defect, x)
    return _solve(j, -f, unit)


def _exactly(defect: Defect, x: FloatArray) -> FloatArray:
    """What a map moves a state by, computed with so many digits that those of the state do not hide it."""
    import mpmath

    system = defect.system
    with mpmath.workdps(_DIGITS):
        state = [mpmath.mpf(v) for v in (x * defect.units).tolist()]
        parameters = [mpmath.mpf(v) for v in system.parameter_vector().tolist()]
        moved = state
        try:
            for _ in range(system.iterations):
                moved = system.tape.evaluate([*moved, *parameters], mpmath)
            change = np.array([float(b - a) for a, b in zip(state, moved, strict=True)])
        except (TypeError, ValueError, ArithmeticError):
            return defect.value(x)
    return np.asarray(change / (defect.units * defect.rates))


def natural_newton(system: System, x: FloatArray, iterations: int = 50) -> FloatArray | None:
    """Newton's method, damped until the next correction is shorter: the same in any units of states and equations.

    Deuflhard's natural monotonicity test (Newton Methods for Nonlinear Problems, 2004, section 3.3).

    Returns
    -------
    A zero, or None.
    """
    n = system.n
    evaluator = make_evaluator(system.tape.data, system.iterations, n, 1)
    z = np.tile(np.concatenate([x, system.parameter_vector()]), (2, 1))
    work, a, j, pivots = np.zeros((6, n)), np.zeros((n, n)), np.zeros((n, z.shape[1])), np.zeros(n, dtype=np.int64)
    found = _natural_newton.natural_newton(evaluator, system.kind == "map", z, iterations, work, a, j, pivots)
    return z[0, :n] if found else None


# A path may run off to where numbers overflow; then it finds nothing.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def follow_homotopy(
    system: System, x: FloatArray, keep: Callable[[FloatArray], None], steps: int = 150, forward: bool = True
) -> None:
    """Follow F(x) = (1 - t) F(x0) from t = 0 through its folds, and give each zero at t = 1 to `keep`.

    Where Newton's method stops at a singular Jacobian, the path goes on; one path may hold several zeros.
    """
    n, defect = system.n, Defect(system)
    u = np.append(np.array(x, dtype=float), 0.0)
    start = defect.value(u[:n])
    if not np.isfinite(start).all() or not np.any(start):
        return
    unit = np.append(np.maximum(np.abs(u[:n]), 1e-8 * float(np.max(np.abs(u[:n]))) + 1e-12), 1.0)
    direction = np.append(np.zeros(n), 1.0 if forward else -1.0)
    length = 0.05

    def matrix(v: FloatArray, row: FloatArray) -> FloatArray:
        m = np.zeros((n + 1, n + 1))
        m[:n, :n], m[:n, n], m[n] = defect.derivative(v[:n]), start, row / unit
        return m

    for _ in range(steps):
        tangent = _solve(matrix(u, direction), np.append(np.zeros(n), 1.0), unit)
        if tangent is None:
            return
        direction = tangent / unit
        direction /= np.linalg.norm(direction)
        moved = _step(defect, u, direction, unit, length, start, matrix)
        while moved is None and length > _SHORTEST:
            length *= 0.3
            moved = _step(defect, u, direction, unit, length, start, matrix)
        if moved is None:
            return
        v, count = moved
        if (u[n] - 1.0) * (v[n] - 1.0) <= 0.0 and u[n] != v[n]:
            there = natural_newton(system, u[:n] + (1.0 - u[n]) / (v[n] - u[n]) * (v[:n] - u[:n]))
            if there is not None:
                keep(there)
        u = v
        if np.max(np.abs(u)) > _FARTHEST:
            return
        length = min(_LONGEST, length * (1.6 if count < 4 else 0.8))
        # A state's unit follows it, slowly where it passes through zero.
        fresh = np.append(np.maximum(np.abs(u[:n]), 0.5 * unit[:n]), max(1.0, abs(u[n])))
        direction = direction * unit / fresh
        unit = fresh


def _step(
    defect: Defect, u: FloatArray, direction: FloatArray, unit: FloatArray, length: float, start: FloatArray,
    matrix: Callable[[FloatArray, FloatArray], FloatArray],
) -> tuple[FloatArray, int] | None:  # fmt: skip
    """The path's next point in the plane at a distance, and the number of corrections; None where it is not found."""
    n = len(start)
    v = u + length * direction * unit
    last = np.inf
    for count in range(1, 7):
        f = defect.value(v[:n]) - (1.0 - v[n]) * start
        if not np.isfinite(f).all():
            return None
        plane = float(direction @ ((v - u) / unit)) - length
        change = _solve(matrix(v, direction), -np.append(f, plane), unit)
        if change is None:
            return None
        v = v + change
        size = float(np.max(np.abs(change / unit)))
        if size > 0.5 * last or size > 2.0 * length:
            return None
        if size < 1e-7 * max(length, 1e-3):
            return v, count
        last = size
    return None
