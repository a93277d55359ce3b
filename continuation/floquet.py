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
from gan_bifurcation.continuation._cycle_linear import upper
from gan_bifurcation.continuation._cycle_memory import SIZES, Layout
from gan_bifurcation.continuation._linear_algebra import lu_factor, lu_solve
from gan_bifurcation.continuation._packs import (
    LANES,
    ZERO,
    apart,
    choose,
    inlined,
    load,
    magnitude,
    put,
    spread,
    store,
    take,
    total,
)
from gan_bifurcation.continuation._spectrum import eigenvalues
from gan_bifurcation.kernels import COMPLEX_VECTOR, VECTOR, FloatArray, types
from gan_bifurcation.linking import linked

ComplexArray = NDArray[np.complex128]

# Digits that a plain product may lose in its smallest multiplier.
_LOSS: Final = 1e5
# Groups of multipliers are separated where what couples them is down to rounding, until the logarithms of the moduli in
# each lie no further apart: in a dense spectrum wide gaps are rare.
_SETTLED: Final = 1e-13
_RANGE: Final = 9.0
_MOST_SWEEPS: Final = 40
# Sweeps with the product of all, which is cheap and settles what it can.
_FIRST: Final = 12
# Transfer matrices are multiplied as long as the logarithm of the product's condition is below this.
_KEPT: Final = 9.0


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
        _careful(p, w, v0, g, out)
    _sorted(out)


@leaf
def _direction(p: Layout, w: FloatArray, i: int, out: FloatArray) -> None:
    """f at the left end of an interval."""
    at = p.fm + (i % p.turns) * p.n * LANES + i // p.turns
    for c in range(p.n):
        out[c] = w[at + c * LANES]


@leaf
def _growth(p: Layout, w: FloatArray, j: int) -> float:
    """How much the condition of a product may grow over a turn's intervals: a bound on its logarithm.

    By the logarithmic norms of the Jacobian: the symmetric part tells how fast distances change.
    """
    apart()
    n = p.n
    largest = spread(0.0)
    for i in range(p.m):
        jac = p.jac + (j * p.m + i) * n * p.directions * LANES
        for r in range(n):
            sums = spread(0.0)
            for c in range(n):
                x = load(w, jac + (r * p.directions + c) * LANES) + load(w, jac + (c * p.directions + r) * LANES)
                sums = sums + magnitude(x)
            largest = choose(sums, largest, sums, largest)
    store(w, p.work, largest * load(w, p.h + j * LANES))
    result = 0.0
    for lane in range(LANES):
        result = max(result, take(w, p.work + lane))
    return float(result * abs(w[p.period]))


@leaf
def _transfer(p: Layout, w: FloatArray, j: int) -> None:
    """G = -R^-1 L of a turn's intervals, from their blocks, to `next`, by columns."""
    apart()
    n, q = p.n, p.q
    right = p.a + (j * p.wide * q + p.inner * (q + 1)) * LANES
    for c in range(n):
        v, left = p.next + c * n * LANES, p.a + ((j * p.wide + q + c) * q + p.inner) * LANES
        for r in range(0, n * LANES, LANES):
            store(w, v + r, spread(0.0) - load(w, left + r))
        upper(w, right, q, n, right, (q + 1) * LANES, v)


@leaf
def _accumulate(p: Layout, w: FloatArray) -> None:
    """The product in `run` times what is in `next`, from the left, both by columns."""
    apart()
    n = p.n
    column = p.run + n * n * LANES
    for c in range(p.run, p.run + n * n * LANES, n * LANES):
        for r in range(0, n * LANES, LANES):
            store(w, column + r, load(w, c + r))
        r = 0
        while r < n:
            if r + 4 <= n:
                y0 = y1 = y2 = y3 = spread(0.0)
                a = p.next + r * LANES
                for k in range(column, column + n * LANES, LANES):
                    x = load(w, k)
                    y0, y1 = y0 + x * load(w, a), y1 + x * load(w, a + LANES)
                    y2, y3 = y2 + x * load(w, a + 2 * LANES), y3 + x * load(w, a + 3 * LANES)
                    a += n * LANES
                store(w, c + r * LANES, y0)
                store(w, c + (r + 1) * LANES, y1)
                store(w, c + (r + 2) * LANES, y2)
                store(w, c + (r + 3) * LANES, y3)
                r += 4
            else:
                y0 = spread(0.0)
                for k in range(n):
                    y0 = y0 + load(w, column + k * LANES) * load(w, p.next + (k * n + r) * LANES)
                store(w, c + r * LANES, y0)
                r += 1


@leaf
def _advance(part: FloatArray, at: int, k: int, width: int, z: FloatArray, y: FloatArray, t: FloatArray) -> None:
    """A z = z' t for a matrix `part` and a frame z, both (k, k) by columns of `width` numbers; z' replaces z.

    Gram and Schmidt's classical way, twice, whose products are independent of each other. t is (k, k) by columns.
    """
    apart()
    for c in range(k):
        for b in range(0, width, LANES):
            sums = spread(0.0)
            for j in range(k):
                sums = sums + take(z, c * width + j) * load(part, at + j * width + b)
            store(y, c * width + b, sums)
    for c in range(k):
        own = c * width
        for j in range(k):
            t[c * k + j] = 0.0
        for _again in range(2):
            for j in range(c):
                sums = spread(0.0)
                for b in range(0, width, LANES):
                    sums = sums + load(z, j * width + b) * load(y, own + b)
                put(z, own + j, total(sums))
            for b in range(0, width, LANES):
                sums = load(y, own + b)
                for j in range(c):
                    sums = sums - take(z, own + j) * load(z, j * width + b)
                store(y, own + b, sums)
            for j in range(c):
                t[c * k + j] += take(z, own + j)
        sums = spread(0.0)
        for b in range(0, width, LANES):
            sums = sums + load(y, own + b) * load(y, own + b)
        norm = np.sqrt(total(sums))
        t[c * k + c] = norm
        for b in range(0, width, LANES):
            store(z, own + b, load(y, own + b) * (1.0 / norm if norm > 0.0 else 0.0))


@inlined
def _careful(p: Layout, w: FloatArray, v0: FloatArray, plain: FloatArray, out: ComplexArray) -> None:
    """All multipliers by orthogonal iteration over the intervals, which begins with what the product `plain` tells."""
    n, turns = p.n, p.turns
    k = n - 1
    width = -(-k // LANES) * LANES
    step = k * width
    # Products of neighbours as far as they are well conditioned, of all runs at once, n (n, n).
    square = n * n * LANES
    parts = np.zeros(turns * square)
    ends = np.zeros(turns, dtype=np.int64)
    pieces = 0
    growth = 0.0
    for j in range(turns):
        _transfer(p, w, j)
        more = _growth(p, w, j)
        if j > 0 and growth + more < _KEPT:
            growth += more
            _accumulate(p, w)
        else:
            if j > 0:
                _keep(w, p.run, parts, pieces * square, square)
                ends[pieces] = j
                pieces += 1
            growth = more
            _keep(w, p.next, w, p.run, square)
    _keep(w, p.run, parts, pieces * square, square)
    ends[pieces] = turns
    pieces += 1
    # In frames whose first vector is the direction of the flow, one after the other.
    runs = -(-p.intervals // turns)
    count = runs * pieces
    rest = np.zeros(count * step)
    g = np.zeros((n, n))
    f = np.zeros(n)
    left = np.zeros(n)
    right = v0.copy()
    trivial = 1.0
    for i in range(count):
        lane, piece = i // pieces, i % pieces
        for c in range(n):
            for r in range(n):
                g[r, c] = take(parts, piece * square + (c * n + r) * LANES + lane)
        _direction(p, w, (lane * turns + ends[piece]) if i + 1 < count else ZERO, f)
        _reflection(f, left)
        _reflect(g, left, right)
        trivial *= g[0, 0]
        for c in range(k):
            for r in range(k):
                rest[i * step + c * width + r] = g[1 + r, 1 + c]
        for c in range(n):
            right[c] = left[c]
    z = np.zeros(step)
    y = np.zeros(step)
    frame = np.zeros(step)
    triangles = np.zeros(count * k * k)
    for c in range(k):
        z[c * width + c] = 1.0
        for r in range(k):
            frame[c * width + r] = plain[1 + r, 1 + c]
    for _ in range(_FIRST):
        _advance(frame, ZERO, k, width, z, y, triangles)
    size = 0.0
    for c in range(k):
        norm = 0.0
        for r in range(k):
            norm += z[c * width + r] ** 2
        size += abs(norm - 1.0)
    if not size < 1e-8:
        for c in range(k):
            for r in range(k):
                z[c * width + r] = 1.0 if r == c else 0.0
    logs = np.zeros(k)
    e = np.zeros((k, k))
    below = np.zeros(k)
    for _ in range(_MOST_SWEEPS):
        for c in range(k):
            logs[c] = 0.0
        _keep(z, ZERO, frame, ZERO, step)
        for i in range(count):
            _advance(rest, i * step, k, width, z, y, triangles[i * k * k : (i + 1) * k * k])
            for c in range(k):
                size = triangles[(i * k + c) * k + c]
                logs[c] += np.log(size) if size > 0.0 else -np.inf
        for c in range(k):
            for j in range(k):
                dot = 0.0
                for r in range(k):
                    dot += frame[c * width + r] * z[j * width + r]
                e[c, j] = dot
        for c in range(k - 1):
            below[c] = 0.0
            for i in range(c + 1, k):
                for j in range(c + 1):
                    below[c] = max(below[c], abs(e[i, j]))
        first = 0
        spread_out = False
        for c in range(k):
            if logs[first] - logs[c] > _RANGE:
                spread_out = True
            if c + 1 < k and below[c] < _SETTLED:
                first = c + 1
        if not spread_out:
            break
    out[0] = trivial
    first = 0
    for c in range(k):
        if c + 1 < k and not below[c] < _SETTLED:
            continue
        size = c + 1 - first
        b = np.zeros((size, size))
        for r in range(size):
            b[r, r] = 1.0
        scale = 0.0
        for i in range(count):
            largest = 0.0
            for j in range(size):
                for r in range(size):
                    sums = 0.0
                    for q in range(r, size):
                        sums += triangles[(i * k + first + q) * k + first + r] * b[q, j]
                    b[r, j] = sums
                    largest = max(largest, abs(sums))
            if largest > 0.0:
                scale += np.log(largest)
                for j in range(size):
                    for r in range(size):
                        b[r, j] /= largest
        block = np.zeros((size, size))
        for r in range(size):
            for j in range(size):
                sums = 0.0
                for q in range(size):
                    sums += e[first + r, first + q] * b[q, j]
                block[r, j] = sums
        values = eigenvalues(block)
        factor = np.exp(scale) if scale < 700.0 else np.inf
        for i in range(size):
            out[1 + first + i] = values[i] * factor
        first = c + 1


@leaf
def _keep(source: FloatArray, at: int, to: FloatArray, place: int, count: int) -> None:
    apart()
    for i in range(0, count, LANES):
        store(to, place + i, load(source, at + i))
