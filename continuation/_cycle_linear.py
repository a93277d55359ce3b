"""Linear algebra of a collocation system in packs: eight blocks at once, in compiled code.

All numbers lie in one flat memory `w`; a place is an index into it. Matrices are stored by columns: the pack of row r
of column c of a matrix with `rows` rows lies at `at + (c rows + r) LANES`.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import leaf
from gan_bifurcation.continuation._packs import (
    LANES,
    ONE,
    ZERO,
    apart,
    choose,
    exceeds,
    inlined,
    load,
    magnitude,
    root,
    spread,
    store,
)
from gan_bifurcation.kernels import FloatArray

IntArray = NDArray[np.int64]

# A pivot on the diagonal serves if it is this part of the largest entry below it: rows are then seldom exchanged, and
# growth is bounded nearly as well.
_THRESHOLD: Final = 0.25
# How the rows of a pivot were exchanged: not at all, each lane its own (else the number of the other row).
_NONE, _MIXED = -1.0, -2.0


@leaf
def _exchange(w: FloatArray, at: int, step: int, count: int, k: int, pivots: int, kind: float) -> None:
    """Exchange row k, in `count` columns that lie `step` apart, with the row that was chosen for each lane."""
    apart()
    if kind >= 0.0:
        x, y = at + k * LANES, at + int(kind) * LANES
        for _ in range(count):
            held = load(w, x)
            store(w, x, load(w, y))
            store(w, y, held)
            x += step
            y += step
    else:
        for lane in range(LANES):
            x, y = at + k * LANES + lane, at + int(w[pivots + k * LANES + lane]) * LANES + lane
            if x != y:
                for _ in range(count):
                    t = w[x]
                    w[x] = w[y]
                    w[y] = t
                    x += step
                    y += step


@inlined
def factor(w: FloatArray, at: int, cols: int, rows: int, pivots: int, kinds: int) -> None:
    """P A = L U in place of A (rows, cols >= rows), four columns at a time, each by all that lie before.

    Columns are written once, and tiles of four by four packs stay in registers. Numbers of pivot rows go to `pivots`
    (rows packs), how rows were exchanged to `kinds` (rows numbers).
    """
    width = rows * LANES
    k = 0
    while k < cols:
        depth = min(k, rows)
        block = 4 if k + 4 <= (rows if k < rows else cols) else 1
        first = at + k * width
        for j in range(depth):
            if w[kinds + j] != _NONE:
                _exchange(w, first, width, block, j, pivots, w[kinds + j])
        if block == 4:
            _tiles(w, at, first, rows, depth)
        else:
            _column(w, at, first, rows, depth)
        for j in range(k, k + block if k < rows else k):
            p = at + j * width
            size = magnitude(load(w, p + j * LANES))
            diagonal = size
            best = spread(float(j))
            for r in range(j + 1, rows):
                x = magnitude(load(w, p + r * LANES))
                best = choose(x, size, spread(float(r)), best)
                size = choose(x, size, x, size)
            kind = _NONE
            if exceeds(_THRESHOLD * size, diagonal):
                store(w, pivots + j * LANES, best)
                kind = w[pivots + j * LANES]
                for lane in range(1, LANES):
                    if w[pivots + j * LANES + lane] != kind:
                        kind = _MIXED
                _exchange(w, at, width, k + block, j, pivots, kind)
            else:
                store(w, pivots + j * LANES, spread(float(j)))
            w[kinds + j] = kind
            d = load(w, p + j * LANES)
            inverse = choose(magnitude(d), spread(0.0), 1.0 / d, spread(0.0))
            for r in range(p + (j + 1) * LANES, p + width, LANES):
                store(w, r, load(w, r) * inverse)
            for c in range(j + 1, k + block):
                shift = (c - j) * width
                t = load(w, p + shift + j * LANES)
                for r in range(p + (j + 1) * LANES, p + width, LANES):
                    store(w, r + shift, load(w, r + shift) - t * load(w, r))
        k += block


@leaf
def _tiles(w: FloatArray, at: int, column: int, rows: int, depth: int) -> None:
    """Four columns by the first `depth` columns of the factors: L^-1 above, less L U below."""
    apart()
    width = rows * LANES
    one, two, three = column + width, column + 2 * width, column + 3 * width
    for i in range(0, rows - rows % 4, 4):
        x0, x1, x2, x3 = column + i * LANES, one + i * LANES, two + i * LANES, three + i * LANES
        y00, y10, y20, y30 = load(w, x0), load(w, x0 + LANES), load(w, x0 + 2 * LANES), load(w, x0 + 3 * LANES)
        y01, y11, y21, y31 = load(w, x1), load(w, x1 + LANES), load(w, x1 + 2 * LANES), load(w, x1 + 3 * LANES)
        y02, y12, y22, y32 = load(w, x2), load(w, x2 + LANES), load(w, x2 + 2 * LANES), load(w, x2 + 3 * LANES)
        y03, y13, y23, y33 = load(w, x3), load(w, x3 + LANES), load(w, x3 + 2 * LANES), load(w, x3 + 3 * LANES)
        a = at + i * LANES
        for u in range(0, min(i, depth) * LANES, LANES):
            a0, a1, a2, a3 = load(w, a), load(w, a + LANES), load(w, a + 2 * LANES), load(w, a + 3 * LANES)
            t = load(w, column + u)
            y00, y10, y20, y30 = y00 - a0 * t, y10 - a1 * t, y20 - a2 * t, y30 - a3 * t
            t = load(w, one + u)
            y01, y11, y21, y31 = y01 - a0 * t, y11 - a1 * t, y21 - a2 * t, y31 - a3 * t
            t = load(w, two + u)
            y02, y12, y22, y32 = y02 - a0 * t, y12 - a1 * t, y22 - a2 * t, y32 - a3 * t
            t = load(w, three + u)
            y03, y13, y23, y33 = y03 - a0 * t, y13 - a1 * t, y23 - a2 * t, y33 - a3 * t
            a += width
        if i < depth:
            a1, a2, a3 = load(w, a + LANES), load(w, a + 2 * LANES), load(w, a + 3 * LANES)
            y10, y11, y12, y13 = y10 - a1 * y00, y11 - a1 * y01, y12 - a1 * y02, y13 - a1 * y03
            y20, y21, y22, y23 = y20 - a2 * y00, y21 - a2 * y01, y22 - a2 * y02, y23 - a2 * y03
            y30, y31, y32, y33 = y30 - a3 * y00, y31 - a3 * y01, y32 - a3 * y02, y33 - a3 * y03
            a2, a3 = load(w, a + width + 2 * LANES), load(w, a + width + 3 * LANES)
            y20, y21, y22, y23 = y20 - a2 * y10, y21 - a2 * y11, y22 - a2 * y12, y23 - a2 * y13
            y30, y31, y32, y33 = y30 - a3 * y10, y31 - a3 * y11, y32 - a3 * y12, y33 - a3 * y13
            a3 = load(w, a + 2 * width + 3 * LANES)
            y30, y31, y32, y33 = y30 - a3 * y20, y31 - a3 * y21, y32 - a3 * y22, y33 - a3 * y23
        _put(w, x0, y00, y10, y20, y30)
        _put(w, x1, y01, y11, y21, y31)
        _put(w, x2, y02, y12, y22, y32)
        _put(w, x3, y03, y13, y23, y33)
    for i in range(rows - rows % 4, rows):
        x = i * LANES
        y0, y1, y2, y3 = load(w, column + x), load(w, one + x), load(w, two + x), load(w, three + x)
        a = at + x
        for u in range(0, min(i, depth) * LANES, LANES):
            a0 = load(w, a)
            y0, y1 = y0 - a0 * load(w, column + u), y1 - a0 * load(w, one + u)
            y2, y3 = y2 - a0 * load(w, two + u), y3 - a0 * load(w, three + u)
            a += width
        store(w, column + x, y0)
        store(w, one + x, y1)
        store(w, two + x, y2)
        store(w, three + x, y3)


@inlined
def _put(w: FloatArray, at: int, x: Any, y: Any, z: Any, v: Any) -> None:
    store(w, at, x)
    store(w, at + LANES, y)
    store(w, at + 2 * LANES, z)
    store(w, at + 3 * LANES, v)


@leaf
def _column(w: FloatArray, at: int, column: int, rows: int, depth: int) -> None:
    """As `_tiles`, for one column."""
    apart()
    for k in range(depth):
        t = load(w, column + k * LANES)
        p = at + k * rows * LANES
        for r in range((k + 1) * LANES, rows * LANES, LANES):
            store(w, column + r, load(w, column + r) - t * load(w, p + r))


@leaf
def lower(w: FloatArray, at: int, rows: int, pivots: int, kinds: int, v: int) -> None:
    """v <- L^-1 P v."""
    apart()
    for k in range(rows):
        if w[kinds + k] != _NONE:
            _exchange(w, v, ZERO, ONE, k, pivots, w[kinds + k])
    for k in range(rows):
        t = load(w, v + k * LANES)
        p = at + k * rows * LANES
        for r in range((k + 1) * LANES, rows * LANES, LANES):
            store(w, v + r, load(w, v + r) - t * load(w, p + r))


@leaf
def lower_transposed(w: FloatArray, at: int, rows: int, pivots: int, kinds: int, v: int) -> None:
    """v <- P^T L^-T v."""
    apart()
    for k in range(rows - 1, -1, -1):
        t = load(w, v + k * LANES)
        p = at + k * rows * LANES
        for r in range((k + 1) * LANES, rows * LANES, LANES):
            t = t - load(w, p + r) * load(w, v + r)
        store(w, v + k * LANES, t)
    for k in range(rows - 1, -1, -1):
        if w[kinds + k] != _NONE:
            _exchange(w, v, ZERO, ONE, k, pivots, w[kinds + k])


@leaf
def upper(w: FloatArray, at: int, rows: int, count: int, diagonal: int, step: int, v: int) -> None:
    """v[:count] <- U^-1 v[:count] for the leading block of U, whose diagonal lies at `diagonal`, `step` apart."""
    apart()
    for k in range(count - 1, -1, -1):
        t = load(w, v + k * LANES) / load(w, diagonal + k * step)
        store(w, v + k * LANES, t)
        p = at + k * rows * LANES
        for r in range(0, k * LANES, LANES):
            store(w, v + r, load(w, v + r) - t * load(w, p + r))


@leaf
def upper_row(w: FloatArray, at: int, rows: int, count: int, diagonal: int, step: int, v: int) -> None:
    """v[:count] <- v[:count] U^-1 (a row vector)."""
    apart()
    for k in range(count):
        t = load(w, v + k * LANES)
        p = at + k * rows * LANES
        for r in range(0, k * LANES, LANES):
            t = t - load(w, v + r) * load(w, p + r)
        store(w, v + k * LANES, t / load(w, diagonal + k * step))


@leaf
def subtract(w: FloatArray, at: int, rows: int, x: int, cols: int, count: int, v: int) -> None:
    """v[:count] -= A[:count] x, for a matrix of `cols` columns."""
    apart()
    for c in range(cols):
        t = load(w, x + c * LANES)
        p = at + c * rows * LANES
        for r in range(0, count * LANES, LANES):
            store(w, v + r, load(w, v + r) - t * load(w, p + r))


@leaf
def subtract_row(w: FloatArray, at: int, rows: int, y: int, count: int, cols: int, v: int) -> None:
    """v[c] -= y[:count] . column c of A."""
    apart()
    for c in range(cols):
        t = load(w, v + c * LANES)
        p = at + c * rows * LANES
        for r in range(0, count * LANES, LANES):
            t = t - load(w, y + r) * load(w, p + r)
        store(w, v + c * LANES, t)


@leaf
def copy(w: FloatArray, source: int, to: int, packs: int) -> None:
    """Copy packs; the source need not begin at the first lane."""
    apart()
    for r in range(0, packs * LANES, LANES):
        store(w, to + r, load(w, source + r))


@leaf
def clear(w: FloatArray, to: int, packs: int) -> None:
    apart()
    for r in range(0, packs * LANES, LANES):
        store(w, to + r, spread(0.0))


@leaf
def triangularise(w: FloatArray, t: int, n: int, scales: int, diagonal: int) -> None:
    """Reflections that make the first n columns of a matrix (2 n, 3 n) upper triangular, in place, four at a time.

    Their vectors stay below the diagonal and on it, their scales go to `scales`, the diagonal to `diagonal`.
    """
    apart()
    width = 2 * n * LANES
    k = 0
    while k < n:
        block = 4 if k + 4 <= n else n - k
        for j in range(k, k + block):
            p = t + j * (width + LANES)
            end = p + (2 * n - j) * LANES
            norm = spread(0.0)
            for r in range(p, end, LANES):
                x = load(w, r)
                norm = norm + x * x
            norm = root(norm)
            first = load(w, p)
            alpha = choose(spread(0.0), first, norm, spread(0.0) - norm)
            store(w, diagonal + j * LANES, alpha)
            first = first - alpha
            store(w, p, first)
            size = alpha * first
            # A column of zeros needs no reflection.
            beta = choose(magnitude(size), spread(0.0), spread(-1.0) / size, spread(0.0))
            store(w, scales + j * LANES, beta)
            for c in range(j + 1, k + block if block == 4 else 3 * n):
                reflect(w, p, end, beta, (c - j) * width)
        if block == 4:
            _reflect_four(w, t + k * (width + LANES), width, 2 * n - k, 3 * n - k, scales + k * LANES)
        k += block


@leaf
def _reflect_four(w: FloatArray, p: int, width: int, rows: int, cols: int, scales: int) -> None:
    """Four reflections in a row, whose vectors begin at `p` on the diagonal of a matrix, on the columns from the fifth.

    Schreiber, Van Loan: A storage-efficient WY representation for products of Householder transformations, SIAM J.
    Sci. Stat. Comput. 10 (1989), 53-57.
    """
    apart()
    v1, v2, v3 = p + width, p + 2 * width, p + 3 * width
    b0, b1, b2, b3 = load(w, scales), load(w, scales + LANES), load(w, scales + 2 * LANES), load(w, scales + 3 * LANES)
    # What is above the diagonal belongs to the triangle.
    a01, a02, a03 = load(w, p + LANES), load(w, p + 2 * LANES), load(w, p + 3 * LANES)
    a11, a12, a13 = load(w, v1 + LANES), load(w, v1 + 2 * LANES), load(w, v1 + 3 * LANES)
    a22, a23, a33 = load(w, v2 + 2 * LANES), load(w, v2 + 3 * LANES), load(w, v3 + 3 * LANES)
    a00 = load(w, p)
    g10, g20, g30 = a01 * a11 + a02 * a12 + a03 * a13, a02 * a22 + a03 * a23, a03 * a33
    g21, g31, g32 = a12 * a22 + a13 * a23, a13 * a33, a23 * a33
    for r in range(4 * LANES, rows * LANES, LANES):
        x0, x1, x2, x3 = load(w, p + r), load(w, v1 + r), load(w, v2 + r), load(w, v3 + r)
        g10, g20, g30 = g10 + x0 * x1, g20 + x0 * x2, g30 + x0 * x3
        g21, g31, g32 = g21 + x1 * x2, g31 + x1 * x3, g32 + x2 * x3
    c = 4
    while c < cols:
        # Two columns at a time; the last one, if it is alone, twice.
        y = p + c * width
        z = y + width if c + 1 < cols else y
        y0, y1, y2, y3 = load(w, y), load(w, y + LANES), load(w, y + 2 * LANES), load(w, y + 3 * LANES)
        z0, z1, z2, z3 = load(w, z), load(w, z + LANES), load(w, z + 2 * LANES), load(w, z + 3 * LANES)
        d0, d1 = a00 * y0 + a01 * y1 + a02 * y2 + a03 * y3, a11 * y1 + a12 * y2 + a13 * y3
        d2, d3 = a22 * y2 + a23 * y3, a33 * y3
        e0, e1 = a00 * z0 + a01 * z1 + a02 * z2 + a03 * z3, a11 * z1 + a12 * z2 + a13 * z3
        e2, e3 = a22 * z2 + a23 * z3, a33 * z3
        for r in range(4 * LANES, rows * LANES, LANES):
            s, t = load(w, y + r), load(w, z + r)
            x = load(w, p + r)
            d0, e0 = d0 + x * s, e0 + x * t
            x = load(w, v1 + r)
            d1, e1 = d1 + x * s, e1 + x * t
            x = load(w, v2 + r)
            d2, e2 = d2 + x * s, e2 + x * t
            x = load(w, v3 + r)
            d3, e3 = d3 + x * s, e3 + x * t
        d0, e0 = b0 * d0, b0 * e0
        d1, e1 = b1 * (d1 - g10 * d0), b1 * (e1 - g10 * e0)
        d2, e2 = b2 * (d2 - g20 * d0 - g21 * d1), b2 * (e2 - g20 * e0 - g21 * e1)
        d3, e3 = b3 * (d3 - g30 * d0 - g31 * d1 - g32 * d2), b3 * (e3 - g30 * e0 - g31 * e1 - g32 * e2)
        store(w, y, y0 - a00 * d0)
        store(w, y + LANES, y1 - a01 * d0 - a11 * d1)
        store(w, y + 2 * LANES, y2 - a02 * d0 - a12 * d1 - a22 * d2)
        store(w, y + 3 * LANES, y3 - a03 * d0 - a13 * d1 - a23 * d2 - a33 * d3)
        store(w, z, z0 - a00 * e0)
        store(w, z + LANES, z1 - a01 * e0 - a11 * e1)
        store(w, z + 2 * LANES, z2 - a02 * e0 - a12 * e1 - a22 * e2)
        store(w, z + 3 * LANES, z3 - a03 * e0 - a13 * e1 - a23 * e2 - a33 * e3)
        for r in range(4 * LANES, rows * LANES, LANES):
            x0, x1, x2, x3 = load(w, p + r), load(w, v1 + r), load(w, v2 + r), load(w, v3 + r)
            s, t = load(w, y + r), load(w, z + r)
            store(w, y + r, s - x0 * d0 - x1 * d1 - x2 * d2 - x3 * d3)
            store(w, z + r, t - x0 * e0 - x1 * e1 - x2 * e2 - x3 * e3)
        c += 2


@leaf
def reflect(w: FloatArray, p: int, end: int, beta: float, shift: int) -> None:
    """x -= beta (v . x) v for the vector v from `p` to `end`, with x shifted from it."""
    dot = spread(0.0)
    for r in range(p, end, LANES):
        dot = dot + load(w, r) * load(w, r + shift)
    dot = dot * beta
    for r in range(p, end, LANES):
        store(w, r + shift, load(w, r + shift) - dot * load(w, r))


@leaf
def turn(w: FloatArray, t: int, n: int, scales: int, v: int, back: int) -> None:
    """v (2 n) <- Q^T v for the reflections of `triangularise`; with `back`, v <- Q v."""
    apart()
    for i in range(n):
        k = n - 1 - i if back == 1 else i
        p = t + k * (2 * n + 1) * LANES
        reflect(w, p, p + (2 * n - k) * LANES, load(w, scales + k * LANES), v + k * LANES - p)
