"""The last system of a collocation problem as a plain matrix, and solutions spread from it: for null vectors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation._cycle_kernels import (
    back,
    crossing,
    forward,
    inner_product,
    residual,
    solve_final,
)
from gan_bifurcation.continuation._cycle_linear import lower_transposed, subtract, turned_back, upper
from gan_bifurcation.kernels import FloatArray, jit

IntArray = NDArray[np.int64]


@jit
def last_system(s: Any, closure: float, rows: IntArray, cols: IntArray, out: FloatArray) -> None:
    """[[P + closure Q, columns], [rows, corner]] (n + rows, n + columns), for borders that are in the factors."""
    n = s.n
    for r in range(n):
        for c in range(n):
            out[r, c] = s.tp[c, r] + closure * s.tq[c, r]
        for c in range(cols.shape[0]):
            out[r, n + c] = s.colf[cols[c], r]
    for r in range(rows.shape[0]):
        for c in range(n):
            out[n + r, c] = s.rowf[rows[r], 0, c] + closure * s.rowf[rows[r], 1, c]
        for c in range(cols.shape[0]):
            out[n + r, n + c] = s.corner[rows[r], cols[c]] - crossing(s, rows[r], cols[c])


@jit
def spread(s: Any, closure: float, cols: IntArray, x: FloatArray, with_right: float, out: FloatArray) -> None:
    """The states (N m + 1, n) that belong to a solution x of the last system: x_0, then the border unknowns."""
    for c in range(x.shape[0]):
        s.right[c] = x[c]
    back(s, closure, cols, with_right, out)


@jit
def set_column(s: Any, k: int, values: FloatArray) -> None:
    """A column as given, (N, q), and then through the factors."""
    coli = s.coli[k]
    for i in range(values.shape[0]):
        for r in range(values.shape[1]):
            coli[i, r] = values[i, r]
    forward(s, k)


@jit
def border_parts(
    s: Any,
    rows: IntArray,
    cols: IntArray,
    columns: FloatArray,
    starts: FloatArray,
    ends: FloatArray,
    corner: FloatArray,
) -> None:
    """What the last system knows of borders: columns (n, k), rows at x_0 and at x_N (k, n), corner (k, k)."""
    for c in range(cols.shape[0]):
        for r in range(s.n):
            columns[r, c] = s.colf[cols[c], r]
    for r in range(rows.shape[0]):
        for c in range(s.n):
            starts[r, c] = s.rowf[rows[r], 0, c]
            ends[r, c] = s.rowf[rows[r], 1, c]
        for c in range(cols.shape[0]):
            corner[r, c] = s.corner[rows[r], cols[c]] - crossing(s, rows[r], cols[c])


@jit
def spread_between(
    s: Any, x0: FloatArray, xn: FloatArray, cols: IntArray, weights: FloatArray, out: FloatArray
) -> None:
    """The states (N m + 1, n) of K x + columns . weights = 0 from both ends."""
    n, m, cin, intervals = s.n, s.m, s.inner, s.intervals
    ends, blocks, stages, coli, cols_, v = s.ends, s.a, s.s, s.coli, s.cols, s.x
    for c in range(n):
        ends[0, c] = x0[c]
        ends[intervals, c] = xn[c]
    for i in range(intervals - 1, 0, -1):
        x = ends[i]
        for c in range(n):
            x[c] = 0.0
            for k in range(cols.shape[0]):
                x[c] -= weights[k] * cols_[cols[k], i, c]
        subtract(stages[i], n, ends[i + 1], 0, n, n, x)
        subtract(stages[i], 2 * n, ends[0], 0, n, n, x)
        upper(stages[i], n, x)
    for i in range(intervals):
        for c in range(cin):
            v[c] = 0.0
            for k in range(cols.shape[0]):
                v[c] -= weights[k] * coli[cols[k], i, c]
        subtract(blocks[i], cin, ends[i + 1], 0, n, cin, v)
        subtract(blocks[i], m * n, ends[i], 0, n, cin, v)
        upper(blocks[i], cin, v)
        for c in range(n):
            out[i * m, c] = ends[i, c]
        for k in range(1, m):
            for c in range(n):
                out[i * m + k, c] = v[(k - 1) * n + c]
    for c in range(n):
        out[intervals * m, c] = ends[intervals, c]


@jit
def spread_adjoint(s: Any, last: FloatArray, rows: IntArray, weights: FloatArray, psi: FloatArray) -> None:
    """The left solution (N, q) from what it is in the last system: n equations, then weights of border rows."""
    n, cin = s.n, s.inner
    carry, v = np.zeros(n), np.zeros(2 * n)
    for c in range(n):
        carry[c] = last[c]
    for i in range(s.intervals - 1, -1, -1):
        y = psi[i]
        if i > 0:
            for c in range(n):
                v[c] = 0.0
                v[n + c] = carry[c]
                for k in range(rows.shape[0]):
                    v[c] -= weights[k] * s.rowsx[rows[k], i, c]
            turned_back(s.turns[i], v, s.work)
            for c in range(n):
                carry[c] = v[c]
                y[cin + c] = v[n + c]
        else:
            for c in range(n):
                y[cin + c] = carry[c]
        for c in range(cin):
            total = 0.0
            for k in range(rows.shape[0]):
                total -= weights[k] * s.rowi[rows[k], i, c]
            y[c] = total
        lower_transposed(s.a[i], s.pa[i], y)


@jit
def improve_with(s: Any, which: IntArray, wanted: FloatArray) -> float:
    """A step of Newton's method from the trial point with the factors at hand; its length.

    `wanted` is how much each border row is to change.
    """
    n, nb = s.n, s.nb
    residual(s, s.un, s.bn)
    forward(s, s.rhs)
    for c in range(n):
        s.right[c] = s.colf[s.rhs, c]
    for r in range(nb):
        s.right[n + r] = wanted[r] - crossing(s, r, s.rhs)
    solve_final(s, nb)
    back(s, 1.0, which, 1.0, s.du)
    size = inner_product(s, s.du, s.du)
    for c in range(nb):
        size += s.weights[c] * s.db[c] ** 2
        s.bn[c] += s.db[c]
    un, du = s.un, s.du
    for i in range(un.shape[0]):
        for c in range(n):
            un[i, c] += du[i, c]
    return float(np.sqrt(size))
