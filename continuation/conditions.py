"""Conditions on the spectrum: solving for them, the eigenvalue that they speak of, and the point that results."""

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.problem import CurveProblem
from gan_bifurcation.observables import observable_tape

FloatArray = NDArray[np.float64]


def aim(problem: CurveProblem, u: FloatArray, eigenvalue: complex) -> bool:
    """Set the borders, and the components of a pair, for an eigenvalue near these unknowns.

    False, and nothing is set, where the Jacobian is not finite.
    """
    a = problem.jacobian_states(u)
    if not np.isfinite(a).all():
        return False
    a = a * (problem.scale / problem.scale[:, None])
    problem.set_borders(_condition_matrix(problem, a, eigenvalue))
    if problem.has_kappa:
        _choose_components(problem, a)
    return True


def _condition_matrix(problem: CurveProblem, a: FloatArray, eigenvalue: complex) -> FloatArray:
    """The matrix M that is singular where the condition holds, for an eigenvalue (of a pair: one of the two)."""
    eye = np.eye(len(a))
    if problem.condition in ("real", "minus"):
        return np.asarray(a - eigenvalue.real * eye)
    if problem.condition == "focus":
        shifted = a - eigenvalue.real * eye
        return np.asarray(shifted @ shifted)
    total, product = 2.0 * eigenvalue.real, abs(eigenvalue) ** 2
    if is_neutral(problem, eigenvalue):
        total, product = _neutral(problem, eigenvalue.real)
    return np.asarray(a @ a - total * a + product * eye)


def _choose_components(problem: CurveProblem, a: FloatArray) -> None:
    """Which two of the four components of G are used: those most independent in the two numbers that a pair has."""
    p = problem.arrays
    s0 = (p.border_b.T @ p.border_c).ravel().tolist()
    s1 = (p.border_b.T @ a @ p.border_c).ravel().tolist()
    best, choice = -1.0, (0, 1)
    for e in range(4):
        for g in range(e + 1, 4):
            size = abs(s0[e] * s1[g] - s0[g] * s1[e])
            if size > best:
                best, choice = size, (e, g)
    p.pick[:] = (choice[0] // 2, choice[0] % 2, choice[1] // 2, choice[1] % 2)


def is_neutral(problem: CurveProblem, eigenvalue: complex) -> bool:
    """Whether a real eigenvalue stands for a neutral saddle: for itself and its opposite (of a map, its inverse)."""
    if problem.condition != "pair" or problem.level or eigenvalue.imag != 0.0:
        return False
    boundary = 1.0 if problem.system.kind == "map" else 0.0
    return bool(abs(abs(eigenvalue.real) - boundary) > 1e-6)


def _neutral(problem: CurveProblem, value: float) -> tuple[float, float]:
    """Sum and product of the two eigenvalues of a neutral saddle."""
    return (value + 1.0 / value, 1.0) if problem.system.kind == "map" else (0.0, -(value**2))


def kappa_of(problem: CurveProblem, eigenvalue: complex) -> float:
    """The unknown kappa of a pair condition for an eigenvalue near the level."""
    if problem.condition == "focus":
        return eigenvalue.real / problem.kappa_unit
    if is_neutral(problem, eigenvalue):
        total, product = _neutral(problem, eigenvalue.real)
        return 0.5 * total if problem.system.kind == "map" else product / problem.kappa_unit
    if problem.system.kind == "map":
        return float(np.cos(np.angle(eigenvalue)))
    return float(eigenvalue.imag**2 / problem.kappa_unit)


def kappa_unit(kind: str, condition: str, eigenvalue: complex) -> float:
    """The size of kappa near an eigenvalue of a flow."""
    if kind == "map" or condition not in ("pair", "focus"):
        return 1.0
    size = eigenvalue.imag**2 if condition == "pair" else abs(eigenvalue.real)
    return float(size) if 0.0 < size < np.inf else 1.0


def solve_condition(
    problem: CurveProblem, guess: FloatArray, eigenvalue: complex, reference: FloatArray | None = None
) -> tuple[FloatArray, complex] | None:
    """Newton on a square condition problem from a guess of the branch's unknowns: (unknowns, critical eigenvalue)."""
    u = np.zeros(problem.size)
    shared = min(len(guess), problem.size)
    u[:shared] = guess[:shared]
    if problem.has_kappa:
        u[-1] = kappa_of(problem, eigenvalue)
    if problem.k:
        u[problem.system.n : problem.system.n + problem.k] = 0.0
        problem.set_reference(problem.states(guess) if reference is None else reference)
    if problem.condition not in ("function", "structural", "structural minus") and not aim(problem, u, eigenvalue):
        return None
    u, ok = problem.newton(u, iterations=15)
    if not ok:
        return None
    critical = critical_eigenvalue(problem, u, eigenvalue)
    return None if critical is None else (u, critical)


def critical_eigenvalue(problem: CurveProblem, u: FloatArray, guess: complex) -> complex | None:
    """The eigenvalue that the condition speaks of at a solution; None if the pair is real (a neutral saddle)."""
    if problem.condition == "pair":
        kappa = u[-1]
        level = level_value(problem, u)
        if problem.system.kind == "map":
            return complex(level * kappa, level * np.sqrt(1.0 - kappa**2)) if abs(kappa) <= 1.0 else None
        return complex(level, np.sqrt(kappa * problem.kappa_unit)) if kappa > 0.0 else None
    if problem.condition == "focus":
        return complex(u[-1] * problem.kappa_unit)
    if problem.condition in ("real", "minus"):
        level = level_value(problem, u)
        return complex(-level if problem.condition == "minus" else level)
    return complex(np.nan) if problem.condition == "function" else complex(guess)


def level_value(problem: CurveProblem, u: FloatArray) -> float:
    """The level (modulus or real part) of the condition at a point."""
    system = problem.system
    if not problem.level:
        return 1.0 if system.kind == "map" else 0.0
    return float(observable_tape(system, [problem.level]).evaluate(problem.joint(u).tolist())[0])


def make_point(problem: CurveProblem, u: FloatArray, label: str, critical: complex, level: str) -> Point:
    """A point record from unknowns."""
    linear = problem.linearise(u)
    return Point(
        problem.at(u), problem.states(u), linear.spectrum(), label=label, residual=linear.relative_residual(),
        free=tuple(problem.free), critical=critical, level=level, condition=problem.condition,
    )  # fmt: skip
