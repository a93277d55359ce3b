"""Orthogonal collocation for cycles in compiled code: the system of a Newton step and its factors.

A cycle's states are, in each interval of the mesh, polynomials of degree m through m + 1 equidistant nodes, and
satisfy u' = T f(u, p) at the m Gauss points. The linear system of a Newton step is almost block diagonal: the rows of
an interval know its inner nodes, its right and its left end. LU with pivoting removes the inner nodes and leaves n rows
R x_{i+1} + L x_i, with R triangular; the intervals are then joined one after the other, by orthogonal reduction of the
two blocks that know the common end (with pivoting alone, errors can grow with the number of intervals: Wright, SIAM J.
Sci. Comput. 14 (1993), 231-238). What remains knows x_0 and x_N:
P x_0 + Q x_N. Borders (period, parameters, phase condition, arclength, conditions on the cycle) are taken through the
same factors as single columns and rows, so the factors serve every problem on the same cycle, closed by any factor s:
x_N = s x_0.

Unknowns are scaled: states by their sizes, parameters by their windows.

References
----------
de Boor, Swartz: Collocation at Gaussian points, SIAM J. Numer. Anal. 10 (1973), 582-606.
Ascher, Mattheij, Russell: Numerical Solution of Boundary Value Problems (1988), sections 5.6, 7.2.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation._cycle_linear import (
    factor,
    lower,
    subtract,
    subtract_row,
    triangularise,
    turned,
    upper,
    upper_row,
)
from gan_bifurcation.continuation._linear_algebra import lu_factor, lu_solve
from gan_bifurcation.evaluation import EVALUATOR, make_evaluator, structref
from gan_bifurcation.kernels import (
    INDEX,
    MATRIX,
    VECTOR,
    FloatArray,
    TapeData,
    inner,
    jit,
    run_jacobian,
    run_value,
    types,
)

IntArray = NDArray[np.int64]
BLOCKS: Final[Any] = types.Array(types.float64, 3, "C")
PIVOTS: Final[Any] = types.Array(types.int32, 2, "C")


@structref.register
class _CycleType(types.StructRef):  # type: ignore[misc]
    """Type of `Cycle` in compiled code."""


class Cycle(structref.StructRefProxy):  # type: ignore[misc]
    """A collocation system with its scratch arrays; made by `make_cycle`."""


structref.define_boxing(_CycleType, Cycle)

CYCLE: Final[Any] = _CycleType(
    [(name, types.int64) for name in ("n", "m", "intervals", "q", "inner", "nf", "nb", "k", "rhs")]
    + [(name, VECTOR) for name in ("h", "omega", "scale", "p", "low", "high", "slope", "z", "x", "work", "sign")]
    + [(name, VECTOR) for name in ("right", "kept", "b0", "b1", "bn", "tb", "tb1", "db", "weights")]
    + [(name, INDEX) for name in ("free", "log", "pivots_final")]
    + [(name, MATRIX) for name in ("d", "w", "fv", "fm", "ends", "colf", "corner", "final", "tq", "tp")]
    + [(name, MATRIX) for name in ("u0", "tu", "u1", "tu1", "un", "du", "spare")]
    + [(name, BLOCKS) for name in ("jac", "a", "s", "coli", "cols", "rows", "rowi", "rowsx", "rowf", "turns")]
    + [(name, PIVOTS) for name in ("pa",)]
    + [("e", EVALUATOR)]
)


@jit
def make_cycle(
    tape: TapeData, n: int, h: FloatArray, d: FloatArray, w: FloatArray, omega: FloatArray, window: FloatArray,
    free: IntArray, p: FloatArray, scale: FloatArray, extra: int, io: FloatArray, bio: FloatArray, rows: FloatArray,
    corner: FloatArray, pencil: FloatArray,
) -> Any:  # fmt: skip
    """A collocation system.

    Parameters
    ----------
    h : array (N,)
        Lengths of the intervals.
    d, w : array (m, m + 1)
        Derivatives and values of the node polynomials at the Gauss points, on an interval of length 1.
    omega : array (m,)
        Weights of the Gauss points.
    window : array (3, nf)
        Low, high, and whether it is logarithmic, of each free parameter.
    free : int array (nf,)
    p : array (parameters,)
    scale : array (n,)
    extra : int
        Unknowns beside period and parameters.
    io : array (6, N m + 1, n)
        States: present point and tangent, the last point and its tangent, the trial point, a solution.
    bio : array (7, borders)
        Border unknowns: of the present point, the last, the trial; tangents of the first two; a solution; weights.
    rows, corner : arrays (borders, N, n (m + 1)), (borders, borders)
        Border rows, and their entries in border columns.
    pencil : array (2, n, n)
        Q and P of the last system, by columns.
    """
    s = structref.new(CYCLE)
    intervals, m, nf = h.shape[0], d.shape[0], free.shape[0]
    nb = 1 + nf + extra
    s.n, s.m, s.intervals, s.q, s.inner, s.nf, s.nb = n, m, intervals, n * m, n * (m - 1), nf, nb
    # Columns: period, parameters, extra unknowns, two borders of a condition, right-hand side. Rows alike.
    s.k = nb + 3
    s.rhs = nb + 2
    s.h, s.d, s.w, s.omega, s.scale, s.p, s.free = h, d, w, omega, scale, p, free
    s.low, s.high, s.slope = window[0].copy(), window[1].copy(), np.zeros(nf)
    s.log = np.zeros(nf, dtype=np.int64)
    for i in range(nf):
        s.log[i] = np.int64(window[2, i])
    s.z, s.x, s.sign = np.zeros(tape.n_inputs), np.zeros(max(n, s.q)), np.zeros(4)
    s.right, s.kept = np.zeros(n + s.k), np.zeros(s.k)
    s.b0, s.b1, s.bn, s.tb, s.tb1, s.db, s.weights = bio[0], bio[1], bio[2], bio[3], bio[4], bio[5], bio[6]
    s.pivots_final = np.zeros(n + s.k, dtype=np.int64)
    s.fv, s.fm = np.zeros((intervals * m, n)), np.zeros((intervals, n))
    s.ends, s.colf, s.corner = np.zeros((intervals + 1, n)), np.zeros((s.k, n)), corner
    s.final = np.zeros((n + s.k, n + s.k))
    s.tq, s.tp = pencil[0], pencil[1]
    s.u0, s.tu, s.u1, s.tu1, s.un, s.du = io[0], io[1], io[2], io[3], io[4], io[5]
    s.spare = np.zeros(io[0].shape)
    s.jac = np.zeros((intervals * m, n, n + nf))
    s.a, s.s = np.zeros((intervals, n * (m + 1), s.q)), np.zeros((intervals, 3 * n, 2 * n))
    s.coli, s.cols = np.zeros((s.k, intervals, s.q)), np.zeros((s.k, intervals, 2 * n))
    s.rows, s.rowi = rows, np.zeros((s.k, intervals, max(s.inner, 1)))
    s.rowsx, s.rowf = np.zeros((s.k, intervals, n)), np.zeros((s.k, 2, n))
    s.pa, s.turns, s.work = (
        np.zeros((intervals, s.q), dtype=np.int32),
        np.zeros((intervals, 2 * n, 2 * n)),
        np.zeros(2 * n),
    )
    s.e = make_evaluator(tape, 1, n, 1)
    return s


@inner
def load_parameters(s: Any, b: FloatArray) -> None:
    """The parameters of the unknowns `b` = (period, free parameters in their windows, ...)."""
    n = s.n
    for i in range(s.nf):
        q = b[1 + i]
        low, high = s.low[i], s.high[i]
        if s.log[i] == 1:
            rate = np.log(high / low)
            number = low * np.exp(q * rate)
            s.slope[i] = number * rate
        else:
            number = low + q * (high - low)
            s.slope[i] = high - low
        s.p[s.free[i]] = number
    for i in range(s.p.shape[0]):
        s.z[n + i] = s.p[i]


@jit
def evaluate(s: Any, u: FloatArray, b: FloatArray, order: int) -> None:
    """f at the Gauss points; with order 1 also its Jacobian, with order 2 then f at the mesh points as well."""
    n, m, nf = s.n, s.m, s.nf
    load_parameters(s, b)
    tape, v, grad = s.e.tape, s.e.v, s.e.g
    outputs = tape.outputs
    z, w, scale, fv, fm, jac, free, slope = s.z, s.w, s.scale, s.fv, s.fm, s.jac, s.free, s.slope
    for c in range(tape.n_inputs):
        v[c] = z[c]
    start = 0
    for i in range(s.intervals):
        for g in range(m + 1 if order == 2 else m):
            at = i * m + g
            if g < m:
                for c in range(n):
                    total = 0.0
                    for k in range(m + 1):
                        total += w[g, k] * u[i * m + k, c]
                    v[c] = total * scale[c]
            else:
                for c in range(n):
                    v[c] = u[i * m, c] * scale[c]
            if order == 0 or g == m:
                # What depends on parameters only is computed once.
                run_value(tape, v, start)
                start = tape.prefix
            else:
                run_jacobian(tape, v, grad)
                for r in range(n):
                    out = outputs[r]
                    for c in range(n):
                        jac[at, r, c] = grad[out, c] * scale[c] / scale[r]
                    for c in range(nf):
                        jac[at, r, n + c] = grad[out, n + free[c]] * slope[c] / scale[r]
            if g < m:
                for r in range(n):
                    fv[at, r] = v[outputs[r]] / scale[r]
            else:
                for r in range(n):
                    fm[i, r] = v[outputs[r]] / scale[r]


@jit
def assemble(s: Any, b: FloatArray) -> None:
    """The blocks, and the columns of the period and of the parameters."""
    n, m, nf, nb = s.n, s.m, s.nf, s.nb
    period = b[0]
    blocks, coli, jac, fv, d, w, hs = s.a, s.coli, s.jac, s.fv, s.d, s.w, s.h
    for i in range(s.intervals):
        h = hs[i]
        for k in range(m + 1):
            first = (k - 1) * n if k > 0 else m * n
            for g in range(m):
                part = -h * period * w[g, k]
                at = i * m + g
                for c in range(n):
                    for r in range(n):
                        blocks[i, first + c, g * n + r] = part * jac[at, r, c]
                    blocks[i, first + c, g * n + c] += d[g, k]
        for g in range(m):
            at = i * m + g
            for r in range(n):
                coli[0, i, g * n + r] = -h * fv[at, r]
                for k in range(nf):
                    coli[1 + k, i, g * n + r] = -h * period * jac[at, r, n + k]
                for k in range(1 + nf, nb):
                    coli[k, i, g * n + r] = 0.0


@jit
def residual(s: Any, u: FloatArray, b: FloatArray) -> None:
    """Minus the collocation equations into the right-hand side."""
    n, m = s.n, s.m
    period = b[0]
    v, fv, d, hs = s.coli[s.rhs], s.fv, s.d, s.h
    for i in range(s.intervals):
        for g in range(m):
            for r in range(n):
                total = hs[i] * period * fv[i * m + g, r]
                for k in range(m + 1):
                    total -= d[g, k] * u[i * m + k, r]
                v[i, g * n + r] = total


@jit
def factorise(s: Any) -> None:
    """The factors of all blocks; the sign of what they contribute to a determinant into `s.sign[0]`."""
    n, m, cin = s.n, s.m, s.inner
    blocks, stages, pa, turns, tq, tp = s.a, s.s, s.pa, s.turns, s.tq, s.tp
    sign = 1.0
    for i in range(s.intervals):
        a = blocks[i]
        sign *= factor(a, pa[i])
        for c in range(cin):
            if a[c, c] < 0.0:
                sign = -sign
        if i == 0:
            for c in range(n):
                for r in range(n):
                    tq[c, r] = a[cin + c, cin + r] if r <= c else 0.0
                    tp[c, r] = a[m * n + c, cin + r]
            continue
        t = stages[i]
        for c in range(n):
            for r in range(n):
                t[c, r] = tq[c, r]
                t[n + c, r] = 0.0
                t[2 * n + c, r] = tp[c, r]
                t[c, n + r] = a[m * n + c, cin + r]
                t[n + c, n + r] = a[cin + c, cin + r] if r <= c else 0.0
                t[2 * n + c, n + r] = 0.0
        sign *= triangularise(t, turns[i])
        for c in range(n):
            if t[c, c] < 0.0:
                sign = -sign
            for r in range(n):
                tq[c, r] = t[n + c, n + r] if r <= c else 0.0
                tp[c, r] = t[2 * n + c, n + r]
    s.sign[0] = sign


@jit
def forward(s: Any, k: int) -> None:
    """Column k through the factors, in place."""
    n, cin = s.n, s.inner
    last, blocks, pa, coli, cols = s.colf[k], s.a, s.pa, s.coli[k], s.cols[k]
    turns, work = s.turns, s.work
    for i in range(s.intervals):
        v = coli[i]
        lower(blocks[i], pa[i], v)
        if i > 0:
            t = cols[i]
            for r in range(n):
                t[r] = last[r]
                t[n + r] = v[cin + r]
            turned(turns[i], t, work)
            for r in range(n):
                last[r] = t[n + r]
        else:
            for r in range(n):
                last[r] = v[cin + r]


@jit
def reduce_row(s: Any, r: int) -> None:
    """Row r through the factors."""
    n, m, cin, intervals = s.n, s.m, s.inner, s.intervals
    ends, blocks, stages, rows, rowi, rowsx, rowf = s.ends, s.a, s.s, s.rows[r], s.rowi[r], s.rowsx[r], s.rowf[r]
    for i in range(intervals + 1):
        for c in range(n):
            ends[i, c] = 0.0
    for i in range(intervals):
        a = blocks[i]
        w, y = rows[i], rowi[i]
        for c in range(cin):
            y[c] = w[c]
        upper_row(a, cin, y)
        for c in range(n):
            ends[i, c] += w[m * n + c]
            ends[i + 1, c] += w[cin + c]
        subtract_row(a, cin, y, cin, n, ends[i + 1], 0)
        subtract_row(a, m * n, y, cin, n, ends[i], 0)
    for i in range(1, intervals):
        t = stages[i]
        y = rowsx[i]
        for c in range(n):
            y[c] = ends[i, c]
        upper_row(t, n, y)
        subtract_row(t, n, y, n, n, ends[i + 1], 0)
        subtract_row(t, 2 * n, y, n, n, ends[0], 0)
    for c in range(n):
        rowf[0, c] = ends[0, c]
        rowf[1, c] = ends[intervals, c]


@jit
def crossing(s: Any, r: int, k: int) -> float:
    """What row r takes of column k in the factors."""
    total = 0.0
    rowi, rowsx, coli, cols, n, cin = s.rowi[r], s.rowsx[r], s.coli[k], s.cols[k], s.n, s.inner
    for i in range(s.intervals):
        for c in range(cin):
            total += rowi[i, c] * coli[i, c]
        if i > 0:
            for c in range(n):
                total += rowsx[i, c] * cols[i, c]
    return float(total)


@jit
def factorise_final(s: Any, closure: float, which: IntArray) -> float:
    """Factors of the last system: P x_0 + Q x_N with x_N = closure x_0, and the borders of these numbers.

    `s.corner` holds the entries of border rows in border columns. Returns the sign of the determinant of the whole.
    """
    n = s.n
    count = which.shape[0]
    size = n + count
    f = s.final
    for r in range(n):
        for c in range(n):
            f[r, c] = s.tp[c, r] + closure * s.tq[c, r]
        for c in range(count):
            f[r, n + c] = s.colf[which[c], r]
    for r in range(count):
        for c in range(n):
            f[n + r, c] = s.rowf[which[r], 0, c] + closure * s.rowf[which[r], 1, c]
        for c in range(count):
            f[n + r, n + c] = s.corner[which[r], which[c]] - crossing(s, which[r], which[c])
    sign = lu_factor(f[:size, :size], s.pivots_final[:size])
    return float(sign * s.sign[0])


@jit
def back(s: Any, closure: float, which: IntArray, with_right: float, out: FloatArray) -> None:
    """Unknowns from x_0 and the border unknowns in `s.right`; the latter into `s.db`, the others into `out`.

    With `with_right` = 1 for the right-hand side, 0 for none.
    """
    n, m, cin, intervals = s.n, s.m, s.inner, s.intervals
    count = which.shape[0]
    ends, right, blocks, stages, coli, cols, rhs, v = s.ends, s.right, s.a, s.s, s.coli, s.cols, s.rhs, s.x
    for c in range(n):
        ends[0, c] = right[c]
        ends[intervals, c] = closure * right[c]
    for c in range(count):
        s.db[which[c]] = right[n + c]
    for i in range(intervals - 1, 0, -1):
        t = stages[i]
        x = ends[i]
        for c in range(n):
            x[c] = with_right * cols[rhs, i, c]
        for k in range(count):
            weight, column = right[n + k], which[k]
            for c in range(n):
                x[c] -= weight * cols[column, i, c]
        subtract(t, n, ends[i + 1], 0, n, n, x)
        subtract(t, 2 * n, ends[0], 0, n, n, x)
        upper(t, n, x)
    for i in range(intervals):
        a = blocks[i]
        for c in range(cin):
            v[c] = with_right * coli[rhs, i, c]
        for k in range(count):
            weight, column = right[n + k], which[k]
            for c in range(cin):
                v[c] -= weight * coli[column, i, c]
        subtract(a, cin, ends[i + 1], 0, n, cin, v)
        subtract(a, m * n, ends[i], 0, n, cin, v)
        upper(a, cin, v)
        for c in range(n):
            out[i * m, c] = ends[i, c]
        for k in range(1, m):
            for c in range(n):
                out[i * m + k, c] = v[(k - 1) * n + c]
    for c in range(n):
        out[intervals * m, c] = ends[intervals, c]


@jit
def solve_final(s: Any, count: int) -> None:
    """`s.right` by the factors of the last system."""
    size = s.n + count
    lu_solve(s.final[:size, :size], s.pivots_final[:size], s.right[:size])


@jit
def phase_row(s: Any, reference: FloatArray, r: int) -> None:
    """Row of the integral phase condition: the integral of <u, reference'>."""
    n, m = s.n, s.m
    rows, d, w, omega = s.rows[r], s.d, s.w, s.omega
    for i in range(s.intervals):
        for c in range(n * (m + 1)):
            rows[i, c] = 0.0
        for g in range(m):
            for c in range(n):
                slope = 0.0
                for k in range(m + 1):
                    slope += d[g, k] * reference[i * m + k, c]
                slope *= omega[g]
                for k in range(m + 1):
                    rows[i, ((k - 1) * n if k > 0 else m * n) + c] += slope * w[g, k]


@jit
def product_row(s: Any, v: FloatArray, r: int) -> None:
    """Row of the scaled inner product with v: the mean over the states of the integral of u v."""
    n, m = s.n, s.m
    rows, w, omega, h = s.rows[r], s.w, s.omega, s.h
    for i in range(s.intervals):
        for c in range(n * (m + 1)):
            rows[i, c] = 0.0
        for g in range(m):
            for c in range(n):
                total = 0.0
                for k in range(m + 1):
                    total += w[g, k] * v[i * m + k, c]
                total *= omega[g] * h[i] / n
                for k in range(m + 1):
                    rows[i, ((k - 1) * n if k > 0 else m * n) + c] += total * w[g, k]


@jit
def row_times(s: Any, r: int, u: FloatArray) -> float:
    """Row r, as given, times the states u."""
    n, m, rows = s.n, s.m, s.rows[r]
    total = 0.0
    for i in range(s.intervals):
        for k in range(m + 1):
            first = (k - 1) * n if k > 0 else m * n
            for c in range(n):
                total += rows[i, first + c] * u[i * m + k, c]
    return float(total)


@jit
def inner_product(s: Any, u: FloatArray, v: FloatArray) -> float:
    """The mean over the states of the integral of u v."""
    n, m, w, omega, h = s.n, s.m, s.w, s.omega, s.h
    total = 0.0
    for i in range(s.intervals):
        for g in range(m):
            part = 0.0
            for c in range(n):
                a = b = 0.0
                for k in range(m + 1):
                    a += w[g, k] * u[i * m + k, c]
                    b += w[g, k] * v[i * m + k, c]
                part += a * b
            total += part * omega[g] * h[i]
    return float(total / n)
