"""Small dense linear algebra in compiled code: LU with partial pivoting, orthonormal pairs, reduced spectra."""

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import jit, leaf
from gan_bifurcation.continuation._spectrum import eigenvalues
from gan_bifurcation.kernels import FloatArray


@leaf
def lu_factor(a: FloatArray, pivots: NDArray[np.int64]) -> float:
    """Factorise `a` in place; return the sign of its determinant (0 if a pivot vanishes or is not finite)."""
    n = a.shape[0]
    sign = 1.0
    for k in range(n):
        best = k
        size = abs(a[k, k])
        for i in range(k + 1, n):
            if abs(a[i, k]) > size:
                size = abs(a[i, k])
                best = i
        pivots[k] = best
        if not (size > 0.0 and size < np.inf):
            return 0.0
        if best != k:
            sign = -sign
            for j in range(n):
                t = a[k, j]
                a[k, j] = a[best, j]
                a[best, j] = t
        if a[k, k] < 0.0:
            sign = -sign
        r = 1.0 / a[k, k]
        for i in range(k + 1, n):
            factor = a[i, k] * r
            a[i, k] = factor
            if factor != 0.0:
                for j in range(k + 1, n):
                    a[i, j] -= factor * a[k, j]
    return sign


@leaf
def lu_solve(a: FloatArray, pivots: NDArray[np.int64], b: FloatArray) -> None:
    """Solve A x = b in place with the factors of `lu_factor`."""
    n = a.shape[0]
    for k in range(n):
        j = pivots[k]
        if j != k:
            t = b[k]
            b[k] = b[j]
            b[j] = t
    for i in range(1, n):
        total = b[i]
        for j in range(i):
            total -= a[i, j] * b[j]
        b[i] = total
    for i in range(n - 1, -1, -1):
        total = b[i]
        for j in range(i + 1, n):
            total -= a[i, j] * b[j]
        b[i] = total / a[i, i]


@leaf
def lu_solve_transposed(a: FloatArray, pivots: NDArray[np.int64], b: FloatArray) -> None:
    """Solve A^T x = b in place with the factors of `lu_factor`."""
    n = a.shape[0]
    for i in range(n):
        b[i] /= a[i, i]
        for j in range(i + 1, n):
            b[j] -= a[i, j] * b[i]
    for i in range(n - 1, -1, -1):
        for j in range(i):
            b[j] -= a[i, j] * b[i]
    for k in range(n - 1, -1, -1):
        j = pivots[k]
        if j != k:
            t = b[k]
            b[k] = b[j]
            b[j] = t


@leaf
def orthonormalise(v: FloatArray) -> None:
    """Gram-Schmidt on the columns of `v` (n, 1 or 2), in place, twice for accuracy."""
    for c in range(v.shape[1]):
        for _ in range(2):
            for d in range(c):
                dot = 0.0
                for i in range(v.shape[0]):
                    dot += v[i, c] * v[i, d]
                for i in range(v.shape[0]):
                    v[i, c] -= dot * v[i, d]
            norm = 0.0
            for i in range(v.shape[0]):
                norm += v[i, c] * v[i, c]
            norm = np.sqrt(norm)
            for i in range(v.shape[0]):
                v[i, c] /= norm


@jit
def reduced_spectrum(a: FloatArray, linear: NDArray[np.int64], rest: NDArray[np.int64]) -> NDArray[np.complex128]:
    """Eigenvalues of the leading square block of `a` without the structural ones.

    With M linear states and N others, M > N, these are the 2N of [[c I, C B], [I, D]] for A = [[c I, B], [C, D]] (see
    `gan_bifurcation.linear_states`).
    """
    m, k = linear.shape[0], rest.shape[0]
    if m <= k:
        values: NDArray[np.complex128] = eigenvalues(a)
        return values
    q = np.zeros((2 * k, 2 * k))
    for i in range(k):
        q[i, i] = a[linear[0], linear[0]]
        q[k + i, i] = 1.0
        for j in range(k):
            q[k + i, k + j] = a[rest[i], rest[j]]
            total = 0.0
            for w in range(m):
                total += a[rest[i], linear[w]] * a[linear[w], rest[j]]
            q[i, k + j] = total
    quotient: NDArray[np.complex128] = eigenvalues(q)
    return quotient
