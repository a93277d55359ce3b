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

from typing import Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import leaf
from gan_bifurcation.continuation._cycle_memory import SIZES, Layout
from gan_bifurcation.continuation._linear_algebra import lu_factor, lu_solve
from gan_bifurcation.continuation._packs import LANES, ZERO, apart, inlined
from gan_bifurcation.continuation._spectrum import eigenvalues
from gan_bifurcation.kernels import COMPLEX_VECTOR, VECTOR, FloatArray, types
from gan_bifurcation.linking import linked

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


@leaf
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


@leaf
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


@leaf
def _transfer(p: Layout, w: FloatArray, i: int, g: FloatArray) -> bool:
    """G = -R^-1 L of an interval, from its block."""
    n, q = p.n, p.q
    at = (p.a + (i % p.turns) * p.wide * q * LANES) + p.inner * LANES + i // p.turns
    for c in range(n):
        for k in range(n - 1, -1, -1):
            total = -w[at + ((q + c) * q + k) * LANES]
            for j in range(k + 1, n):
                total -= w[at + ((p.inner + j) * q + k) * LANES] * g[j, c]
            pivot = w[at + ((p.inner + k) * q + k) * LANES]
            if pivot == 0.0:
                return False
            g[k, c] = total / pivot
    return True


@leaf
def _sorted(values: ComplexArray) -> None:
    """All but the first by modulus, largest first; of a pair, the one with positive imaginary part first."""
    for i in range(2, values.shape[0]):
        v = values[i]
        j = i - 1
        while j >= 1 and (
            abs(values[j]) < abs(v) * (1.0 - 1e-13)
            or (abs(values[j]) < abs(v) * (1.0 + 1e-13) and values[j].imag < v.imag)
        ):
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = v


@linked("multipliers", types.void(SIZES, VECTOR, COMPLEX_VECTOR))
def multipliers(p: Layout, w: FloatArray, out: ComplexArray) -> None:
    """All multipliers (n,), the trivial one first, from the factors and f at the mesh points."""
    apart()
    n = p.n
    for i in range(n):
        out[i] = complex(np.nan, np.nan)
    g = np.zeros((n, n))
    v0 = np.zeros(n)
    x = np.zeros(n)
    pivots = np.zeros(n, dtype=np.int64)
    _direction(p, w, ZERO, x)
    _reflection(x, v0)
    # The product of all transfer matrices.
    matrix = np.zeros((n, n))
    for r in range(n):
        for c in range(n):
            matrix[r, c] = -w[p.pencil + c * n + r]
    plain = lu_factor(matrix, pivots) != 0.0
    if plain:
        for c in range(n):
            for r in range(n):
                x[r] = w[p.pencil + (n + c) * n + r]
            lu_solve(matrix, pivots, x)
            for r in range(n):
                g[r, c] = x[r]
        _reflect(g, v0, v0)
        if n == 1:
            out[0] = g[0, 0]
            return
    # The direction of the flow is an eigenvector up to the error of the mesh: then that is taken into account.
    trivial = g[0, 0]
    rest = np.zeros((n - 1, n - 1))
    shifted = np.zeros((n - 1, n - 1))
    y = np.zeros(n - 1)
    size = 0.0
    for i in range(n):
        for j in range(n):
            size = max(size, abs(g[i, j]))
    for again in range(2 if plain else 0):
        for i in range(n - 1):
            for j in range(n - 1):
                rest[i, j] = shifted[i, j] = g[1 + i, 1 + j]
                if again == 1:
                    rest[i, j] -= y[i] * g[0, 1 + j]
        values = eigenvalues(rest)
        smallest = np.inf
        nearest = np.inf
        for i in range(n - 1):
            smallest = min(smallest, abs(values[i]))
            nearest = min(nearest, abs(values[i] - g[0, 0]))
            out[1 + i] = values[i]
        out[0] = trivial
        if again == 1:
            break
        if not (size <= _LOSS * smallest and size < _LOSS):
            plain = False
            break
        if nearest <= 0.02:
            break
        for i in range(n - 1):
            shifted[i, i] -= trivial
            y[i] = -g[1 + i, 0]
        if lu_factor(shifted, pivots) == 0.0:
            break
        lu_solve(shifted, pivots, y)
        for i in range(n - 1):
            trivial += g[0, 1 + i] * y[i]
    if not plain:
        _careful(p, w, v0, out)
    _sorted(out)


@leaf
def _direction(p: Layout, w: FloatArray, i: int, out: FloatArray) -> None:
    """f at the left end of an interval."""
    at = p.fm + (i % p.turns) * p.n * LANES + i // p.turns
    for c in range(p.n):
        out[c] = w[at + c * LANES]


@leaf
def _multiply(x: FloatArray, y: FloatArray, out: FloatArray) -> None:
    """`out` = x y."""
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            total = 0.0
            for j in range(x.shape[1]):
                total += x[r, j] * y[j, c]
            out[r, c] = total


@inlined
def _careful(p: Layout, w: FloatArray, v0: FloatArray, out: ComplexArray) -> None:
    n, intervals = p.n, p.intervals
    k = n - 1
    g = np.zeros((n, n))
    f = np.zeros(n)
    left = np.zeros(n)
    right = np.zeros(n)
    _copy(v0, right)
    parts = np.zeros((intervals, k, k))
    trivial = 1.0
    for i in range(intervals):
        if not _transfer(p, w, i, g):
            return
        _direction(p, w, (i + 1) % intervals, f)
        _reflection(f, left)
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
    turned = np.zeros((k, k))
    for _ in range(_MOST_SWEEPS):
        for c in range(k):
            logs[c] = 0.0
            _copy(frame[c], z[c])
        for i in range(intervals):
            _multiply(parts[i], z, y)
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
                turned[r, c] = frame[c, r]
        _multiply(turned, z, e)
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
        block = np.zeros((size, size))
        for r in range(size):
            for j in range(size):
                total = 0.0
                for q in range(size):
                    total += e[first + r, first + q] * b[q, j]
                block[r, j] = total
        values = eigenvalues(block)
        factor = np.exp(scale) if scale < 700.0 else np.inf
        for i in range(size):
            out[1 + first + i] = values[i] * factor
        first = c + 1
