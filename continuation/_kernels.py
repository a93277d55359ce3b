"""The compiled core of continuation: residuals of all curve problems, corrector, tracer.

One kernel serves every curve. A problem is the defining equations F(x, p) = 0 of an equilibrium or fixed point, pins against
directions in which it is not isolated, and a condition on the Jacobian (none along a branch; a singular bordered matrix along
a curve of bifurcation points). The unknowns are u = (x / scale, pins' multipliers, q, kappa), where q are the free parameters
in units of their window, in logarithm if it is logarithmic.

Conditions use minimally augmented systems (Govaerts 2000, ch. 4): with M = A - s r I (one real eigenvalue s r) or
M = A^2 + alpha A + beta I (a pair), the bordered system [[M, B], [C^T, 0]] [V; G] = [0; I] has G = 0 exactly where M has the
rank deficiency of the border's width; G is smooth, and dG = -W^T dM V.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation._linear_algebra import (
    lu_factor,
    lu_solve,
    lu_solve_transposed,
    orthonormalise,
    reduced_spectrum,
)
from gan_bifurcation.evaluation import Work, jacobian, make_work, second
from gan_bifurcation.kernels import FloatArray, TapeData, jit, run_jacobian

IntArray = NDArray[np.int64]

# Conditions on the Jacobian A (states only; of the map itself for maps).
NONE, REAL, PAIR, FOCUS, FUNCTION, STRUCTURAL = 0, 1, 2, 3, 4, 5


class Problem(NamedTuple):
    """A curve problem as data."""

    tape: TapeData
    iterations: int
    n: int
    is_map: bool
    p: FloatArray  # (m,): all parameters; the free ones are overwritten
    free: IntArray  # (f,): positions of the free parameters in p
    low: FloatArray  # (f,)
    high: FloatArray  # (f,)
    log: NDArray[np.bool_]  # (f,)
    scale: FloatArray  # (n,)
    condition: int
    sign: float  # REAL: the eigenvalue is sign * level (maps), level (flows)
    level: TapeData  # one output over (states, parameters): modulus or real part; FUNCTION: the function itself
    pin_rows: FloatArray  # (n, k): directions held at the reference
    pin_columns: FloatArray  # (n, k): unfolding directions
    reference: FloatArray  # (n,): where the pins hold
    border_b: FloatArray  # (n, 2)
    border_c: FloatArray  # (n, 2)
    pick: IntArray  # (4,): the two components of G used by PAIR and FOCUS: row, column, row, column
    linear: IntArray
    rest: IntArray


class Scratch(NamedTuple):
    """Work arrays of one problem."""

    work: Work
    level_work: Work
    z: FloatArray
    f: FloatArray
    j: FloatArray
    h: FloatArray
    level_f: FloatArray
    level_j: FloatArray
    m: FloatArray  # (n + 2, n + 2)
    pivots_m: IntArray
    vectors: FloatArray  # (n, 2): V
    covectors: FloatArray  # (n, 2): W
    g: FloatArray  # (2, 2)
    direction: FloatArray
    slope: FloatArray  # (f,): dp/dq
    gz: FloatArray  # (2, n + m)


@jit
def n_unknowns(problem: Problem) -> int:
    extra = 1 if problem.condition == PAIR or problem.condition == FOCUS else 0
    return problem.n + problem.pin_rows.shape[1] + problem.free.shape[0] + extra


@jit
def n_equations(problem: Problem) -> int:
    extra = 0
    if problem.condition == PAIR or problem.condition == FOCUS:
        extra = 2
    elif problem.condition != NONE:
        extra = 1
    return problem.n + problem.pin_rows.shape[1] + extra


@jit
def make_scratch(problem: Problem) -> Scratch:
    n = problem.n
    nm = problem.tape.n_inputs
    needs_second = problem.condition != NONE and problem.condition != FUNCTION
    return Scratch(
        make_work(problem.tape, n, needs_second),
        make_work(problem.level, 1, False),
        np.zeros(nm),
        np.zeros(n),
        np.zeros((n, nm)),
        np.zeros((n, nm)),
        np.zeros(1),
        np.zeros((1, nm)),
        np.zeros((n + 2, n + 2)),
        np.zeros(n + 2, dtype=np.int64),
        np.zeros((n, 2)),
        np.zeros((n, 2)),
        np.zeros((2, 2)),
        np.zeros(nm),
        np.zeros(problem.free.shape[0]),
        np.zeros((2, nm)),
    )


@jit
def load_point(problem: Problem, u: FloatArray, s: Scratch) -> None:
    """States and parameters of the unknowns `u` into `s.z`, dp/dq into `s.slope`."""
    n, k = problem.n, problem.pin_rows.shape[1]
    for i in range(n):
        s.z[i] = u[i] * problem.scale[i]
    s.z[n:] = problem.p
    for i in range(problem.free.shape[0]):
        q = u[n + k + i]
        low, high = problem.low[i], problem.high[i]
        if problem.log[i]:
            rate = np.log(high / low)
            value = low * np.exp(q * rate)
            s.slope[i] = value * rate
        else:
            value = low + q * (high - low)
            s.slope[i] = high - low
        s.z[n + problem.free[i]] = value


@jit
def _level(problem: Problem, s: Scratch) -> float:
    v, g = s.level_work.v, s.level_work.g
    v[: s.z.shape[0]] = s.z
    run_jacobian(problem.level, v, g)
    out = problem.level.outputs[0]
    s.level_j[0] = g[out]
    return v[out]


@jit
def _put_gradient(problem: Problem, s: Scratch, gradient: FloatArray, row: FloatArray) -> None:
    """A gradient over (states, parameters) into a row of the unknowns' Jacobian."""
    n, k = problem.n, problem.pin_rows.shape[1]
    row[:] = 0.0
    for i in range(n):
        row[i] = gradient[i] * problem.scale[i]
    for i in range(problem.free.shape[0]):
        row[n + k + i] = gradient[n + problem.free[i]] * s.slope[i]


@jit
def _solve_borders(problem: Problem, s: Scratch, width: int) -> bool:
    """V, W and G of the bordered matrix in `s.m` (already filled: M, B, C); False if it is singular."""
    n = problem.n
    size = n + width
    m = s.m[:size, :size]
    if lu_factor(m, s.pivots_m[:size]) == 0.0:
        return False
    right = np.zeros(size)
    for c in range(width):
        right[:] = 0.0
        right[n + c] = 1.0
        lu_solve(m, s.pivots_m[:size], right)
        s.vectors[:, c] = right[:n]
        s.g[:width, c] = right[n:]
        right[:] = 0.0
        right[n + c] = 1.0
        lu_solve_transposed(m, s.pivots_m[:size], right)
        s.covectors[:, c] = right[:n]
    return True


@jit
def _fill_borders(problem: Problem, s: Scratch, width: int) -> None:
    n = problem.n
    for i in range(n):
        for c in range(width):
            s.m[i, n + c] = problem.border_b[i, c]
            s.m[n + c, i] = problem.border_c[i, c]
    for r in range(width):
        for c in range(width):
            s.m[n + r, n + c] = 0.0


@jit
def _second_form(problem: Problem, s: Scratch, left: FloatArray, right: FloatArray, out: FloatArray) -> None:
    """out += left^T D2f(right, e_z) for all z of the joint space."""
    n = problem.n
    s.direction[:] = 0.0
    s.direction[:n] = right
    second(problem.tape, problem.iterations, n, s.z, s.direction, s.work, s.f, s.j, s.h)
    for i in range(n):
        weight = left[i]
        for z in range(out.shape[0]):
            out[z] += weight * s.h[i, z]


@jit
def _pair_coefficients(problem: Problem, kappa: float, level: float) -> FloatArray:
    """alpha, beta and their derivatives in kappa and in the level: M = A^2 + alpha A + beta I."""
    c = np.zeros(6)
    if problem.condition == FOCUS:  # (A - kappa)^2: a double real eigenvalue
        c[0], c[1], c[2], c[3] = -2.0 * kappa, kappa * kappa, -2.0, 2.0 * kappa
    elif problem.is_map:  # eigenvalues r e^{+-i theta}, kappa = cos theta
        c[0], c[1], c[2], c[3] = -2.0 * kappa * level, level * level, -2.0 * level, 0.0
        c[4], c[5] = -2.0 * kappa, 2.0 * level
    else:  # eigenvalues c +- i omega, kappa = omega^2
        c[0], c[1], c[2], c[3] = -2.0 * level, level * level + kappa, 0.0, 1.0
        c[4], c[5] = -2.0, 2.0 * level
    return c


@jit
def residual_jacobian(problem: Problem, u: FloatArray, s: Scratch, r: FloatArray, d: FloatArray) -> bool:
    """Residual `r` (equations,) and its derivative `d` (equations, unknowns); False if a bordered matrix is singular."""
    n, k, f = problem.n, problem.pin_rows.shape[1], problem.free.shape[0]
    load_point(problem, u, s)
    jacobian(problem.tape, problem.iterations, n, s.z, s.work, s.f, s.j)
    d[:] = 0.0
    for i in range(n):
        r[i] = s.f[i] - s.z[i] if problem.is_map else s.f[i]
        for c in range(n):
            d[i, c] = s.j[i, c] * problem.scale[c]
        if problem.is_map:
            d[i, i] -= problem.scale[i]
        for c in range(f):
            d[i, n + k + c] = s.j[i, n + problem.free[c]] * s.slope[c]
        for c in range(k):
            r[i] += problem.pin_columns[i, c] * u[n + c]
            d[i, n + c] = problem.pin_columns[i, c]
    for c in range(k):
        total = 0.0
        for i in range(n):
            total += problem.pin_rows[i, c] * (s.z[i] - problem.reference[i])
            d[n + c, i] = problem.pin_rows[i, c] * problem.scale[i]
        r[n + c] = total
    if problem.condition == NONE:
        return True
    row = n + k
    level = _level(problem, s)
    if problem.condition == FUNCTION:
        r[row] = level
        _put_gradient(problem, s, s.level_j[0], d[row])
        return True
    if problem.condition == STRUCTURAL:
        # The common coefficient of the linear states is the diagonal entry of any of them.
        i = problem.linear[0]
        target = problem.sign * level if problem.is_map else level
        r[row] = s.j[i, i] - target
        left = np.zeros(n)
        left[i] = 1.0
        s.gz[0] = 0.0
        _second_form(problem, s, left, left, s.gz[0])
        for z in range(s.gz.shape[1]):
            s.gz[0, z] -= (problem.sign if problem.is_map else 1.0) * s.level_j[0, z]
        _put_gradient(problem, s, s.gz[0], d[row])
        return True
    a = s.j[:, :n].copy()
    if problem.condition == REAL:
        shift = problem.sign if problem.is_map else 1.0
        for i in range(n):
            for c in range(n):
                s.m[i, c] = a[i, c]
            s.m[i, i] -= shift * level
        _fill_borders(problem, s, 1)
        if not _solve_borders(problem, s, 1):
            return False
        r[row] = s.g[0, 0]
        v, w = s.vectors[:, 0].copy(), s.covectors[:, 0].copy()
        s.gz[0] = 0.0
        _second_form(problem, s, w, v, s.gz[0])
        overlap = 0.0
        for i in range(n):
            overlap += w[i] * v[i]
        for z in range(s.gz.shape[1]):
            s.gz[0, z] = -(s.gz[0, z] - shift * s.level_j[0, z] * overlap)
        _put_gradient(problem, s, s.gz[0], d[row])
        return True
    kappa = u[n + k + f]
    c6 = _pair_coefficients(problem, kappa, level)
    a2 = a @ a
    for i in range(n):
        for c in range(n):
            s.m[i, c] = a2[i, c] + c6[0] * a[i, c]
        s.m[i, i] += c6[1]
    _fill_borders(problem, s, 2)
    if not _solve_borders(problem, s, 2):
        return False
    vectors, covectors = s.vectors.copy(), s.covectors.copy()
    av = a @ vectors
    wa = a.T @ covectors
    for e in range(2):
        i, c = problem.pick[2 * e], problem.pick[2 * e + 1]
        r[row + e] = s.g[i, c]
        v, w = vectors[:, c].copy(), covectors[:, i].copy()
        s.gz[e] = 0.0
        # w^T d(A^2 + alpha A) v = (w, dA (A v + alpha v)) + (A^T w, dA v)
        _second_form(problem, s, w, av[:, c] + c6[0] * v, s.gz[e])
        _second_form(problem, s, wa[:, i].copy(), v, s.gz[e])
        w_av = w_v = 0.0
        for x in range(n):
            w_av += w[x] * av[x, c]
            w_v += w[x] * v[x]
        for z in range(s.gz.shape[1]):
            s.gz[e, z] = -(s.gz[e, z] + (c6[4] * w_av + c6[5] * w_v) * s.level_j[0, z])
        _put_gradient(problem, s, s.gz[e], d[row + e])
        d[row + e, n + k + f] = -(c6[2] * w_av + c6[3] * w_v)
    return True


@jit
def refresh_borders(problem: Problem, s: Scratch) -> None:
    """Take the null vectors just computed as borders, and choose the two components of G that see the pair best.

    Near the curve G = L (a I + b A_c) R with two unknowns a, b; the derivatives in a and b are W^T V and W^T A V.
    """
    if problem.condition == REAL:
        problem.border_b[:, :1] = s.covectors[:, :1]
        problem.border_c[:, :1] = s.vectors[:, :1]
        orthonormalise(problem.border_b[:, :1])
        orthonormalise(problem.border_c[:, :1])
        if problem.pin_rows.shape[1] == 1:  # branch points: the pinned direction is the critical one
            problem.pin_rows[:, 0] = problem.border_c[:, 0]
            problem.pin_columns[:, 0] = problem.border_b[:, 0]
    elif problem.condition == PAIR or problem.condition == FOCUS:
        problem.border_b[:] = s.covectors
        problem.border_c[:] = s.vectors
        orthonormalise(problem.border_b)
        orthonormalise(problem.border_c)
        a = s.j[:, : problem.n].copy()
        s0 = problem.border_b.T @ problem.border_c
        s1 = problem.border_b.T @ (a @ problem.border_c)
        best = -1.0
        for e in range(4):
            for g in range(e + 1, 4):
                size = abs(s0[e // 2, e % 2] * s1[g // 2, g % 2] - s0[g // 2, g % 2] * s1[e // 2, e % 2])
                if size > best:
                    best = size
                    problem.pick[0], problem.pick[1] = e // 2, e % 2
                    problem.pick[2], problem.pick[3] = g // 2, g % 2


@jit
def newton(
    problem: Problem, u: FloatArray, s: Scratch, row: FloatArray, target: float, iterations: int, tolerance: float
) -> tuple[int, float, float]:
    """Solve the problem with one more equation row . u = target, in place.

    Returns
    -------
    iterations used (-1: did not converge), size of the last update, sign of the determinant
    """
    size = u.shape[0]
    equations = n_equations(problem)
    r = np.zeros(size)
    d = np.zeros((size, size))
    pivots = np.zeros(size, dtype=np.int64)
    last = np.inf
    square = equations == size
    for iteration in range(iterations):
        if not residual_jacobian(problem, u, s, r[:equations], d[:equations]):
            return -1, last, 0.0
        if not square:
            d[size - 1] = row
            total = -target
            for i in range(size):
                total += row[i] * u[i]
            r[size - 1] = total
        sign = lu_factor(d, pivots)
        if sign == 0.0:
            return -1, last, 0.0
        lu_solve(d, pivots, r)
        update = 0.0
        length = 1.0
        for i in range(size):
            update = max(update, abs(r[i]))
            length = max(length, abs(u[i]))
            u[i] -= r[i]
        update /= length
        if not update < np.inf:
            return -1, update, 0.0
        if update < tolerance:
            return iteration + 1, update, sign
        if iteration >= 2 and update > 2.0 * last and update > 1e-7:
            return -1, update, sign
        last = update
    return -1, last, 0.0


@jit
def tangent_at(problem: Problem, u: FloatArray, s: Scratch, previous: FloatArray, out: FloatArray) -> float:
    """Unit tangent with positive product with `previous`; returns the sign of det [D; tangent] (0: singular)."""
    size = u.shape[0]
    r = np.zeros(size)
    d = np.zeros((size, size))
    pivots = np.zeros(size, dtype=np.int64)
    if not residual_jacobian(problem, u, s, r[: size - 1], d[: size - 1]):
        return 0.0
    d[size - 1] = previous
    sign = lu_factor(d, pivots)
    if sign == 0.0:
        return 0.0
    out[:] = 0.0
    out[size - 1] = 1.0
    lu_solve(d, pivots, out)
    norm = np.sqrt(np.sum(out * out))
    if not (norm > 0.0 and norm < np.inf):
        return 0.0
    out /= norm
    return sign


@jit
def spectrum_at(problem: Problem, s: Scratch) -> NDArray[np.complex128]:
    """The reduced spectrum at the point just evaluated."""
    return reduced_spectrum(s.j[:, : problem.n], problem.linear, problem.rest)


# Why a chunk ended.
FULL, LEFT_WINDOW, STEP_TOO_SMALL, TOO_LARGE = 0, 1, 2, 3


@jit
def trace_chunk(
    problem: Problem,
    s: Scratch,
    u: FloatArray,  # start, overwritten by the last point
    t: FloatArray,  # its tangent, overwritten
    step: FloatArray,  # (4,): current, smallest, largest step, largest angle between tangents (cosine)
    points: FloatArray,  # (N, unknowns)
    tangents: FloatArray,  # (N, unknowns)
    spectra: NDArray[np.complex128],  # (N, reduced)
    structural: FloatArray,  # (N,): common coefficient of the linear states
    signs: FloatArray,  # (N,): sign of det [D; t]
    limit: float,
) -> tuple[int, int]:
    """Advance until the buffers are full, the window is left or the step collapses: (points written, reason)."""
    size = u.shape[0]
    n, k, f = problem.n, problem.pin_rows.shape[1], problem.free.shape[0]
    trial = np.zeros(size)
    new_t = np.zeros(size)
    count = 0
    while count < points.shape[0]:
        h = step[0]
        accepted = False
        used = 0
        sign = 0.0
        for i in range(k):
            u[n + i] = 0.0
        if k > 0:
            for i in range(n):
                problem.reference[i] = (u[i] + h * t[i]) * problem.scale[i]
                # Hold the pinned directions where the curve is; what moves along them is not determined.
            for c in range(k):
                shift = 0.0
                for i in range(n):
                    shift += problem.pin_rows[i, c] * h * t[i] * problem.scale[i]
                for i in range(n):
                    problem.reference[i] -= shift * problem.pin_rows[i, c]
        for i in range(size):
            trial[i] = u[i] + h * t[i]
        target = 0.0
        for i in range(size):
            target += t[i] * trial[i]
        used, update, sign = newton(problem, trial, s, t, target, 7, 1e-9)
        if used > 0:
            sign = tangent_at(problem, trial, s, t, new_t)
            cosine = 0.0
            for i in range(size):
                cosine += t[i] * new_t[i]
            distance = 0.0
            for i in range(size):
                distance += (trial[i] - u[i]) ** 2
            accepted = sign != 0.0 and cosine > step[3] and np.sqrt(distance) < 1.5 * h
            if not accepted and sign != 0.0 and h <= 4.0 * step[1] and np.sqrt(distance) < 1.5 * h:
                accepted = cosine > 0.0
        if not accepted:
            step[0] = 0.5 * h
            if step[0] < step[1]:
                return count, STEP_TOO_SMALL
            continue
        refresh_borders(problem, s)
        u[:] = trial
        t[:] = new_t
        points[count] = u
        tangents[count] = t
        spectra[count] = spectrum_at(problem, s)
        structural[count] = s.j[problem.linear[0], problem.linear[0]] if problem.linear.shape[0] > 0 else np.nan
        signs[count] = sign
        count += 1
        largest = 0.0
        for i in range(n):
            largest = max(largest, abs(u[i]))
        for i in range(f):
            if u[n + k + i] < 0.0 or u[n + k + i] > 1.0:
                return count, LEFT_WINDOW
        if largest > limit:
            return count, TOO_LARGE
        if used <= 3 and cosine > 0.5 * (1.0 + step[3]):
            step[0] = min(step[2], 1.4 * h)
        elif used >= 5 or cosine < step[3] + 0.25 * (1.0 - step[3]):
            step[0] = max(step[1], 0.7 * h)
    return count, FULL
