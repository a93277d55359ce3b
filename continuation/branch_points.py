"""Branch points: location by an extended system, the tangents of the two branches, and the type of the point."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation import evaluation
from gan_bifurcation.branch import Point
from gan_bifurcation.continuation.defect import balanced
from gan_bifurcation.continuation.forms import Forms

if TYPE_CHECKING:
    from gan_bifurcation.continuation.march import Strip
    from gan_bifurcation.continuation.problem import CurveProblem

FloatArray = NDArray[np.float64]

# Derivatives by a parameter below this are rounding.
_ZERO: Final = 1e-100


def locate(
    problem: "CurveProblem", guess: FloatArray, pair: "Strip", inside: Callable[["Strip", FloatArray], bool]
) -> Point | None:
    """A branch point in an interval: F + b beta = 0, det F_x = 0 (bordered), <w, F_q> = 0 in the unknowns (x, q, beta).

    Unlike F = 0, this system is regular at a simple branch point, where beta comes out as zero.
    """
    n = problem.system.n
    at = problem.q_slice.start
    u = np.array(guess, dtype=float)
    evaluator = evaluation.make_evaluator(problem.system.tape.data, problem.system.iterations, n, 2)
    nm = n + problem.system.m
    z, f = np.empty(nm), np.empty(n)
    j, h = np.empty((n, nm)), np.empty((n, nm))
    parameter = n + problem.system.parameter_index(next(iter(problem.free)))
    beta = 0.0
    b = c = None
    is_map = problem.system.kind == "map"
    for _ in range(20):
        if not np.isfinite(problem.values(u)).all():
            return None
        system = problem.at(u)
        z[:n], z[n:] = problem.states(u), system.parameter_vector()
        evaluation.jacobian(evaluator, z, f, j)
        a = j[:, :n] - np.eye(n) if is_map else j[:, :n].copy()
        slope = _slope(problem, u)
        column = j[:, parameter] * slope
        residual = (f - z[:n]) if is_map else f.copy()
        if not np.isfinite(a).all():
            return None
        if b is None or c is None:
            left, _, right = np.linalg.svd(a)
            b, c = left[:, -1].copy(), right[-1].copy()
        m = np.block([[a, b[:, None]], [c[None, :], np.zeros((1, 1))]])
        unit = np.zeros(n + 1)
        unit[n] = 1.0
        try:
            v = np.linalg.solve(m, unit)
            w = np.linalg.solve(m.T, unit)
        except np.linalg.LinAlgError:
            return None
        g, v, w = v[n], v[:n], w[:n]
        # w^T D2f(e_i, e_z) for all i and z, and what follows of it.
        tensor = np.empty((n, n + 1))
        direction = np.zeros(nm)
        for i in range(n):
            direction[:] = 0.0
            direction[i] = 1.0
            evaluation.second(evaluator, z, direction, f, j, h)
            row = w @ h
            tensor[i, :n], tensor[i, n] = row[:n], row[parameter] * slope
        direction[:] = 0.0
        direction[parameter] = slope
        evaluation.second(evaluator, z, direction, f, j, h)
        wq = w @ h
        dg = -(v @ tensor)
        size = n + 2
        d = np.zeros((size, size))
        r = np.zeros(size)
        scale = np.append(problem.scale, 1.0)
        d[:n, :n], d[:n, n], d[:n, n + 1] = a * problem.scale, column, b
        r[:n] = residual + beta * b
        d[n, : n + 1], r[n] = dg * scale, g
        r[n + 1] = w @ column
        second_column = np.append(wq[:n], wq[parameter] * slope)
        for k in range(n + 1):
            dw = np.linalg.solve(m.T, np.append(-tensor[:, k], 0.0))[:n]
            d[n + 1, k] = (dw @ column + second_column[k]) * scale[k]
        try:
            update = np.linalg.solve(d, r)
        except np.linalg.LinAlgError:
            return None
        u[:n] -= update[:n]
        u[at] -= update[n]
        beta -= update[n + 1]
        if not np.isfinite(update).all():
            return None
        if np.max(np.abs(update)) < 1e-12 * (1.0 + np.max(np.abs(u))):
            break
    else:
        if np.max(np.abs(update)) > 1e-9 * (1.0 + np.max(np.abs(u))):
            return None
    if abs(beta) > 1e-8 or not inside(pair, u):
        return None
    from dataclasses import replace

    from gan_bifurcation.continuation.conditions import make_point

    critical = complex(1.0 if is_map else 0.0)
    point = make_point(problem, u, "BP", critical, "")
    vectors = _tangents(problem, point, pair.t[0] + pair.t[1])
    return None if vectors is None else replace(point, vectors=vectors)


def _slope(problem: "CurveProblem", u: FloatArray) -> float:
    """dp/dq of the single free parameter."""
    (window,) = problem.free.values()
    if window.log:
        return float(problem.parameters(u)[0] * np.log(window.high / window.low))
    return window.high - window.low


def null_tangents(point: Point, name: str) -> "tuple[FloatArray, FloatArray] | None":
    """Tangents (n + 1,) in states and a parameter of the two branches through a point; None where they are not real.

    The null space of [F_x F_p] is a plane; the two directions solve <w, D2F(t, t)> = 0 in it (the algebraic
    bifurcation equation).
    """
    n = point.system.n
    column = n + point.system.parameter_index(name)
    forms = Forms(point.system, point.x)
    a = forms.A - np.eye(n) if point.system.kind == "map" else forms.A
    a, units = balanced(a)
    by_parameter = forms.jacobian[:, column] / units
    largest = float(np.max(np.abs(by_parameter)))
    unit = 1.0 / largest if largest > _ZERO else 1.0
    left, _, right = np.linalg.svd(np.column_stack([a, by_parameter * unit]))
    null = right[-2:] * np.append(units, unit)
    w = left[:, -1] / units

    def embed(t: FloatArray) -> FloatArray:
        v = np.zeros(len(forms.base))
        v[:n], v[column] = t[:n], t[n]
        return v

    q = np.array([[float(w @ forms.B(embed(s), embed(t)).real) for t in null] for s in null])
    q /= float(np.max(np.abs(q))) or 1.0
    q11, q12, q22 = float(q[0, 0]), float(q[0, 1]), float(q[1, 1])
    discriminant = q12 * q12 - q11 * q22
    if not discriminant > 1e-14 * (q12 * q12 + abs(q11 * q22)):
        return None
    root = np.sqrt(discriminant)
    # (alpha, beta) with q11 alpha^2 + 2 q12 alpha beta + q22 beta^2 = 0, without cancellation.
    big = -(q12 + np.copysign(root, q12))
    one, two = (alpha * null[0] + beta * null[1] for alpha, beta in ((big, q11), (q22, big)))
    return one / np.linalg.norm(one), two / np.linalg.norm(two)


def _tangents(problem: "CurveProblem", point: Point, along: FloatArray) -> dict[str, Any] | None:
    """Tangents of the branch traced and of the other one through the point.

    Each has n + 1 components: states and parameter, in natural units.
    """
    name = next(iter(problem.free))
    directions = null_tangents(point, name)
    if directions is None:
        return None
    n = problem.system.n
    u_along = np.append(
        along[:n] * problem.scale,
        along[problem.q_slice.start] * _slope(problem, problem.pack(point.x, values=point.parameters)),
    )
    u_along = u_along / np.linalg.norm(u_along)
    overlaps = [abs(float(t @ u_along)) for t in directions]
    main = int(np.argmax(overlaps))
    return {"branch": directions[main].astype(complex), "other": directions[1 - main].astype(complex)}


# Beside a transcritical point whose `a` is small, the other branch has a fold at the distance a^2 / (4 c speed). It is
# none, and `a` is rounding, if that distance is rounding of the parameter.
_NO_FOLD: Final = 1e-15


def _turn(point: Point, forms: Forms, q: FloatArray, p: FloatArray) -> float:
    """How much the critical eigenvalue changes along the branch when the parameter does by its own size; 0 if unknown.

    The parameter's size is at least that of a window about it.
    """
    n = point.system.n
    if "branch" not in point.vectors or len(point.free) != 1:
        return 0.0
    (name,) = point.free
    tangent = point.vectors["branch"].real
    direction = np.zeros(len(forms.base))
    direction[:n], direction[n + point.system.parameter_index(name)] = tangent[:n], tangent[n]
    change = abs(float(p @ forms.B(q, direction).real))
    width = max(abs(point.parameters[name]), 0.1)
    return change * width / abs(float(tangent[n])) if tangent[n] != 0.0 else 0.0


def branch_point_form(point: Point, rounding: float = 1e-9) -> dict[str, Any]:
    """Type and criticality of a branch point.

    At a pitchfork the other branch stands on the first at a fixed parameter; at a transcritical point it does not.
    On the centre direction, u' = speed (p - p*) u + a u^2 + c u^3: `a` decides a transcritical point, `c` a pitchfork.
    """
    from gan_bifurcation.continuation.normal_forms import (
        Coefficients,
        _combine,
        bordered_solve,
        check_simple,
        signed,
    )

    n = point.system.n
    is_map = point.system.kind == "map"
    forms = Forms(point.system, point.x)
    matrix, units = balanced(forms.A - np.eye(n) if is_map else forms.A)
    check_simple(matrix)
    raw = Coefficients(point.system, "LP").at(forms.base, 1.0 if is_map else 0.0)
    q, p = np.ascontiguousarray(raw.q.real), np.ascontiguousarray(raw.p.real)
    a = signed(raw.value.real, raw.rounding, rounding)
    h2 = units * bordered_solve(matrix, q / units, p * units, -forms.B(q, q).real / units)
    total, size = _combine(p * units, [forms.C(q, q, q) / units / 6.0, forms.B(q, h2) / units / 2.0])
    c = signed(total.real, size, rounding)
    if a * a > _NO_FOLD * abs(c) * _turn(point, forms, q, p):
        return {"kind": "transcritical", "a": a, "criticality": "transcritical: the branches exchange stability"}
    words = (
        "degenerate: the cubic coefficient vanishes within rounding"
        if c == 0.0
        else ("supercritical" if c < 0.0 else "subcritical")
    )
    return {"kind": "pitchfork", "a": 0.0, "c": c, "criticality": words}
