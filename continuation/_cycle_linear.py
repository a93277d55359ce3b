"""LU factors of the blocks of a collocation system, and what is done with them, in compiled code.

Matrices are stored by columns: `a[c, r]` is row r of column c. Small ones are factorised by plain loops; larger ones by
LAPACK's blocked routine, which compiled code reaches through numba's own wrapper.
"""

from typing import Any, Final

import numba
import numba.np.linalg
import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.kernels import FloatArray, inner, leaf

IntArray = NDArray[np.int32]

# Numba declares no types for this.
_linalg: Any = numba.np.linalg
_linalg.ensure_lapack()
_getrf: Any = _linalg._LAPACK().numba_xxgetrf(numba.types.float64)
_DOUBLE: Final = np.int8(ord("d"))
# With fused multiplications and additions.
_njit: Any = numba.njit
fused: Any = _njit(
    cache=True, nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False,
    fastmath={"contract"},
)  # fmt: skip
# From so many rows on, LAPACK is faster than plain loops.
_BLOCKED: Final = 44


@fused
def _lu(a: FloatArray, pivots: IntArray, count: int) -> None:
    """Four pivots at a time: each column is then read and written once for all of them."""
    cols, rows = a.shape
    k = 0
    while k < count:
        block = 4 if k + 4 <= count else 1
        for j in range(k, k + block):
            p = a[j]
            best = j
            size = abs(p[j])
            for r in range(j + 1, rows):
                if abs(p[r]) > size:
                    size = abs(p[r])
                    best = r
            pivots[j] = best
            if best != j:
                for c in range(cols):
                    t = a[c, j]
                    a[c, j] = a[c, best]
                    a[c, best] = t
            if size > 0.0:
                inverse = 1.0 / p[j]
                for r in range(j + 1, rows):
                    p[r] *= inverse
            for c in range(j + 1, k + block):
                v = a[c]
                t = v[j]
                for r in range(j + 1, rows):
                    v[r] -= t * p[r]
        if block == 1:
            p = a[k]
            for c in range(k + 1, cols):
                v = a[c]
                t = v[k]
                for r in range(k + 1, rows):
                    v[r] -= t * p[r]
        else:
            p, p1, p2, p3 = a[k], a[k + 1], a[k + 2], a[k + 3]
            l10, l20, l30, l21, l31, l32 = p[k + 1], p[k + 2], p[k + 3], p1[k + 2], p1[k + 3], p2[k + 3]
            for c in range(k + 4, cols):
                v = a[c]
                t = v[k]
                t1 = v[k + 1] - l10 * t
                t2 = v[k + 2] - l20 * t - l21 * t1
                t3 = v[k + 3] - l30 * t - l31 * t1 - l32 * t2
                v[k + 1] = t1
                v[k + 2] = t2
                v[k + 3] = t3
                for r in range(k + 4, rows):
                    v[r] -= t * p[r] + t1 * p1[r] + t2 * p2[r] + t3 * p3[r]
        k += block


@inner
def factor(a: FloatArray, pivots: IntArray) -> float:
    """P A = L U in place, A (cols >= rows, rows); the sign of the permutation."""
    cols, rows = a.shape
    if rows >= _BLOCKED:
        _getrf(_DOUBLE, rows, cols, a.ctypes, rows, pivots.ctypes)
        for k in range(rows):
            pivots[k] -= 1
    else:
        _lu(a, pivots, rows)
    sign = 1.0
    for k in range(rows):
        if pivots[k] != k:
            sign = -sign
    return sign


@leaf
def triangularise(a: FloatArray, turn: FloatArray) -> float:
    """Q^T A with A's leading square block upper triangular, in place, by reflections; Q^T into `turn`, by columns.

    Returns the determinant of Q.
    """
    cols, rows = a.shape
    for c in range(rows):
        for r in range(rows):
            turn[c, r] = 1.0 if r == c else 0.0
    sign = 1.0
    for k in range(rows - 1):
        v = a[k]
        norm = 0.0
        for r in range(k, rows):
            norm += v[r] * v[r]
        norm = np.sqrt(norm)
        if norm == 0.0:
            continue
        alpha = -norm if v[k] >= 0.0 else norm
        v[k] -= alpha
        beta = -1.0 / (alpha * v[k])
        for c in range(k + 1, cols + rows):
            x = a[c] if c < cols else turn[c - cols]
            total = 0.0
            for r in range(k, rows):
                total += v[r] * x[r]
            total *= beta
            for r in range(k, rows):
                x[r] -= total * v[r]
        v[k] = alpha
        for r in range(k + 1, rows):
            v[r] = 0.0
        sign = -sign
    return sign


@leaf
def turned(turn: FloatArray, v: FloatArray, work: FloatArray) -> None:
    """v <- Q^T v."""
    size = turn.shape[0]
    for r in range(size):
        work[r] = 0.0
    for c in range(size):
        t = v[c]
        for r in range(size):
            work[r] += t * turn[c, r]
    for r in range(size):
        v[r] = work[r]


@leaf
def turned_back(turn: FloatArray, v: FloatArray, work: FloatArray) -> None:
    """v <- Q v."""
    size = turn.shape[0]
    for c in range(size):
        total = 0.0
        for r in range(size):
            total += turn[c, r] * v[r]
        work[c] = total
    for r in range(size):
        v[r] = work[r]


@leaf
def lower(a: FloatArray, pivots: IntArray, v: FloatArray) -> None:
    """v <- L^-1 P v."""
    rows = a.shape[1]
    for k in range(rows):
        j = pivots[k]
        t = v[k]
        v[k] = v[j]
        v[j] = t
    for k in range(rows):
        t = v[k]
        for r in range(k + 1, rows):
            v[r] -= t * a[k, r]


@leaf
def lower_transposed(a: FloatArray, pivots: IntArray, v: FloatArray) -> None:
    """v <- P^T L^-T v."""
    rows = a.shape[1]
    for k in range(rows - 1, -1, -1):
        total = v[k]
        for r in range(k + 1, rows):
            total -= a[k, r] * v[r]
        v[k] = total
    for k in range(rows - 1, -1, -1):
        j = pivots[k]
        t = v[k]
        v[k] = v[j]
        v[j] = t


@leaf
def upper(a: FloatArray, count: int, v: FloatArray) -> None:
    """v[:count] <- U^-1 v[:count] for the leading block of U."""
    for k in range(count - 1, -1, -1):
        t = v[k] / a[k, k]
        v[k] = t
        for r in range(k):
            v[r] -= t * a[k, r]


@leaf
def upper_row(a: FloatArray, count: int, w: FloatArray) -> None:
    """w[:count] <- w[:count] U^-1 (a row vector) for the leading block of U."""
    for k in range(count):
        total = w[k]
        for r in range(k):
            total -= w[r] * a[k, r]
        w[k] = total / a[k, k]


@leaf
def subtract(a: FloatArray, first: int, x: FloatArray, at: int, count: int, rows: int, v: FloatArray) -> None:
    """v[:rows] -= sum of columns first + c of A times x[at + c]."""
    for c in range(count):
        t = x[at + c]
        for r in range(rows):
            v[r] -= t * a[first + c, r]


@leaf
def subtract_row(a: FloatArray, first: int, y: FloatArray, rows: int, count: int, w: FloatArray, at: int) -> None:
    """w[at + c] -= y[:rows] . column first + c of A."""
    for c in range(count):
        total = 0.0
        for r in range(rows):
            total += y[r] * a[first + c, r]
        w[at + c] -= total
