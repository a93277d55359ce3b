"""Floquet multipliers from the transfer matrices of the intervals, in compiled code.

The trivial multiplier is split off by its eigenvector, the direction of the flow, at every mesh point, so that it is
never mistaken for another one and does not spoil one that is close to it. The others come from the product of the
transfer matrices where it is well enough conditioned; otherwise by orthogonal iteration over the intervals, which
separates groups of different modulus and multiplies the triangular factors of each group by itself, so that
multipliers of 1e-12 and of 1e6 are right to the same number of digits.

References
----------
Bojanczyk, Golub, Van Dooren: The periodic Schur decomposition, Proc. SPIE 1770 (1992), 31-42.
Lust: Improved numerical Floquet multipliers, Int. J. Bifurcation Chaos 11 (2001), 2389-2410.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.continuation._linear_algebra import lu_factor, lu_solve
from gan_bifurcation.continuation._spectrum import eigenvalues
from gan_bifurcation.kernels import FloatArray, inner, jit, leaf

ComplexArray = NDArray[np.complex128]

# Digits that a plain product may lose in its smallest multiplier.
_LOSS: Final = 1e5
# Groups of multipliers are separated where the modulus falls by this factor.
_GAP: Final = 10.0
_MOST_SWEEPS: Final = 24


@leaf
def _copy(source: FloatArray, to: FloatArray) -> None:
    for i in range(source.shape[0]):
        to[i] = source[i]


@inner
def _reflection(v: FloatArray, out: FloatArray) -> None:
    """The unit vector of the reflection that takes v to a multiple of the first unit vector."""
    size = 0.0
    for c in range(v.shape[0]):
        size += v[c] * v[c]
    size = np.sqrt(size)
    norm = 0.0
    for c in range(v.shape[0]):
        out[c] = v[c]
    # Always the same sign: the frames of neighbours belong together.
    out[0] += size if v[0] >= 0.0 else -size
    for c in range(v.shape[0]):
        norm += out[c] * out[c]
    norm = np.sqrt(norm)
    for c in range(v.shape[0]):
        out[c] = out[c] / norm if norm > 0.0 else 0.0


@inner
def _reflect(a: FloatArray, left: FloatArray, right: FloatArray) -> None:
    """H_left A H_right in place."""
    n = a.shape[0]
    for c in range(n):
        total = 0.0
        for r in range(n):
            total += left[r] * a[r, c]
        for r in range(n):
            a[r, c] -= 2.0 * total * left[r]
    for r in range(n):
        total = 0.0
        for c in range(n):
            total += a[r, c] * right[c]
        for c in range(n):
            a[r, c] -= 2.0 * total * right[c]


@inner
def _transfer(r_by_columns: FloatArray, l_by_columns: FloatArray, row: int, g: FloatArray) -> bool:
    """G = -R^-1 L for upper triangular R, both by columns from this row on."""
    n = g.shape[0]
    for c in range(n):
        for k in range(n - 1, -1, -1):
            total = -l_by_columns[c, row + k]
            for j in range(k + 1, n):
                total -= r_by_columns[j, row + k] * g[j, c]
            pivot = r_by_columns[k, row + k]
            if pivot == 0.0:
                return False
            g[k, c] = total / pivot
    return True


@inner
def _sorted(values: ComplexArray, first: int) -> None:
    """By modulus, largest first; of a pair, the one with positive imaginary part first."""
    for i in range(first + 1, values.shape[0]):
        v = values[i]
        j = i - 1
        while j >= first and (
            abs(values[j]) < abs(v) * (1.0 - 1e-13)
            or (abs(values[j]) < abs(v) * (1.0 + 1e-13) and values[j].imag < v.imag)
        ):
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = v


@jit
def multipliers(s: Any, out: ComplexArray) -> None:
    """All multipliers (n,), the trivial one first, from the factors and f at the mesh points."""
    n = s.n
    for i in range(n):
        out[i] = complex(np.nan, np.nan)
    g = np.zeros((n, n))
    v0 = np.zeros(n)
    _reflection(s.fm[0], v0)
    plain = _transfer(s.tq, s.tp, 0, g)
    if plain:
        _reflect(g, v0, v0)
        if n == 1:
            out[0] = g[0, 0]
            return
        rest = np.zeros((n - 1, n - 1))
        shifted = np.zeros((n - 1, n - 1))
        for i in range(n - 1):
            for j in range(n - 1):
                rest[i, j] = shifted[i, j] = g[1 + i, 1 + j]
        values = eigenvalues(rest)
        size = 0.0
        smallest = np.inf
        nearest = np.inf
        for i in range(n):
            for j in range(n):
                size = max(size, abs(g[i, j]))
        for i in range(n - 1):
            smallest = min(smallest, abs(values[i]))
            nearest = min(nearest, abs(values[i] - g[0, 0]))
        trivial = g[0, 0]
        if size <= _LOSS * smallest and size < _LOSS:
            if nearest > 0.02:
                # The direction of the flow is an eigenvector up to the error of the mesh: take that into account.
                x = np.zeros(n - 1)
                pivots = np.zeros(n - 1, dtype=np.int64)
                for i in range(n - 1):
                    shifted[i, i] -= trivial
                    x[i] = -g[1 + i, 0]
                if lu_factor(shifted, pivots) != 0.0:
                    lu_solve(shifted, pivots, x)
                    for i in range(n - 1):
                        trivial += g[0, 1 + i] * x[i]
                        for j in range(n - 1):
                            rest[i, j] -= x[i] * g[0, 1 + j]
                    values = eigenvalues(rest)
            out[0] = trivial
            for i in range(n - 1):
                out[1 + i] = values[i]
            _sorted(out, 1)
            return
    _careful(s, v0, out)
    _sorted(out, 1)


@inner
def _careful(s: Any, v0: FloatArray, out: ComplexArray) -> None:
    n, m, cin, intervals = s.n, s.m, s.inner, s.intervals
    k = n - 1
    g = np.zeros((n, n))
    left = np.zeros(n)
    right = np.zeros(n)
    _copy(v0, right)
    parts = np.zeros((intervals, k, k))
    trivial = 1.0
    for i in range(intervals):
        a = s.a[i]
        if not _transfer(a[cin : cin + n], a[m * n :], cin, g):
            return
        if i + 1 < intervals:
            _reflection(s.fm[i + 1], left)
        else:
            _copy(v0, left)
        _reflect(g, left, right)
        trivial *= g[0, 0]
        for r in range(k):
            for c in range(k):
                parts[i, r, c] = g[1 + r, 1 + c]
        _copy(left, right)
    frame = np.zeros((k, k))
    for c in range(k):
        frame[c, c] = 1.0
    z = np.zeros((k, k))
    y = np.zeros((k, k))
    triangles = np.zeros((intervals, k, k))
    logs = np.zeros(k)
    e = np.zeros((k, k))
    for _ in range(_MOST_SWEEPS):
        for c in range(k):
            logs[c] = 0.0
            _copy(frame[c], z[c])
        for i in range(intervals):
            for r in range(k):
                for c in range(k):
                    total = 0.0
                    for j in range(k):
                        total += parts[i, r, j] * z[j, c]
                    y[r, c] = total
            t = triangles[i]
            for c in range(k):
                for j in range(k):
                    t[j, c] = 0.0
                for _again in range(2):
                    for j in range(c):
                        dot = 0.0
                        for r in range(k):
                            dot += z[r, j] * y[r, c]
                        t[j, c] += dot
                        for r in range(k):
                            y[r, c] -= dot * z[r, j]
                norm = 0.0
                for r in range(k):
                    norm += y[r, c] * y[r, c]
                norm = np.sqrt(norm)
                t[c, c] = norm
                logs[c] += np.log(norm) if norm > 0.0 else -np.inf
                for r in range(k):
                    z[r, c] = y[r, c] / norm if norm > 0.0 else 0.0
        for r in range(k):
            for c in range(k):
                total = 0.0
                for j in range(k):
                    total += frame[j, r] * z[j, c]
                e[r, c] = total
        unsettled = 0.0
        for c in range(k - 1):
            if logs[c] - logs[c + 1] > np.log(_GAP):
                for i in range(c + 1, k):
                    for j in range(c + 1):
                        unsettled = max(unsettled, abs(e[i, j]))
        if unsettled < 1e-13:
            break
        for c in range(k):
            _copy(z[c], frame[c])
    out[0] = trivial
    first = 0
    for c in range(k):
        if c + 1 < k and not logs[c] - logs[c + 1] > np.log(_GAP):
            continue
        size = c + 1 - first
        b = np.zeros((size, size))
        for r in range(size):
            b[r, r] = 1.0
        scale = 0.0
        for i in range(intervals):
            largest = 0.0
            for j in range(size):
                for r in range(size):
                    total = 0.0
                    for q in range(r, size):
                        total += triangles[i, first + r, first + q] * b[q, j]
                    b[r, j] = total
                    largest = max(largest, abs(total))
            if largest > 0.0:
                scale += np.log(largest)
                for j in range(size):
                    for r in range(size):
                        b[r, j] /= largest
        turned = np.zeros((size, size))
        for r in range(size):
            for j in range(size):
                total = 0.0
                for q in range(size):
                    total += e[first + r, first + q] * b[q, j]
                turned[r, j] = total
        values = eigenvalues(turned)
        factor = np.exp(scale) if scale < 700.0 else np.inf
        for i in range(size):
            out[1 + first + i] = values[i] * factor
        first = c + 1
