"""Linear algebra of a collocation system in packs: eight blocks at once, in compiled code.

All numbers lie in one flat memory `w`; a place is an index into it. Matrices are stored by columns: the pack of row r
of column c of a matrix with `rows` rows lies at `at + (c rows + r) LANES`.
"""

from typing import Final

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
    """P A = L U in place of A (rows, cols >= rows); four pivots at a time, so that columns are read and written less.

    Numbers of pivot rows go to `pivots` (rows packs), how rows were exchanged to `kinds` (rows numbers).
    """
    width = rows * LANES
    k = 0
    while k < rows:
        block = 4 if k + 4 <= rows else 1
        for j in range(k, k + block):
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
                _exchange(w, at, width, cols, j, pivots, kind)
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
        p = at + k * (width + LANES)
        if block == 1:
            for c in range(k + 1, cols):
                shift = (c - k) * width
                t = load(w, p + shift)
                for r in range(p + LANES, p + (rows - k) * LANES, LANES):
                    store(w, r + shift, load(w, r + shift) - t * load(w, r))
        else:
            l10, l20, l30 = load(w, p + LANES), load(w, p + 2 * LANES), load(w, p + 3 * LANES)
            l21, l31, l32 = (
                load(w, p + width + 2 * LANES), load(w, p + width + 3 * LANES), load(w, p + 2 * width + 3 * LANES),
            )  # fmt: skip
            for c in range(k + 4, cols):
                shift = (c - k) * width
                v = p + shift
                t = load(w, v)
                t1 = load(w, v + LANES) - l10 * t
                t2 = load(w, v + 2 * LANES) - l20 * t - l21 * t1
                t3 = load(w, v + 3 * LANES) - l30 * t - l31 * t1 - l32 * t2
                store(w, v + LANES, t1)
                store(w, v + 2 * LANES, t2)
                store(w, v + 3 * LANES, t3)
                for r in range(p + 4 * LANES, p + (rows - k) * LANES, LANES):
                    y = load(w, r + shift) - t * load(w, r)
                    y = y - t1 * load(w, r + width)
                    y = y - t2 * load(w, r + 2 * width)
                    store(w, r + shift, y - t3 * load(w, r + 3 * width))
        k += block


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
    """Reflections that make the first n columns of a matrix (2 n, 3 n) upper triangular, in place.

    Their vectors stay below the diagonal and on it, their scales go to `scales`, the diagonal to `diagonal`.
    """
    apart()
    width = 2 * n * LANES
    for k in range(n):
        p = t + k * (width + LANES)
        end = p + (2 * n - k) * LANES
        norm = spread(0.0)
        for r in range(p, end, LANES):
            x = load(w, r)
            norm = norm + x * x
        norm = root(norm)
        first = load(w, p)
        alpha = choose(spread(0.0), first, norm, spread(0.0) - norm)
        store(w, diagonal + k * LANES, alpha)
        first = first - alpha
        store(w, p, first)
        size = alpha * first
        # A column of zeros needs no reflection.
        beta = choose(magnitude(size), spread(0.0), spread(-1.0) / size, spread(0.0))
        store(w, scales + k * LANES, beta)
        c = k + 1
        while c + 4 <= 3 * n:
            s0 = (c - k) * width
            s1, s2, s3 = s0 + width, s0 + 2 * width, s0 + 3 * width
            d0 = d1 = d2 = d3 = spread(0.0)
            for r in range(p, end, LANES):
                x = load(w, r)
                d0 = d0 + x * load(w, r + s0)
                d1 = d1 + x * load(w, r + s1)
                d2 = d2 + x * load(w, r + s2)
                d3 = d3 + x * load(w, r + s3)
            d0, d1, d2, d3 = d0 * beta, d1 * beta, d2 * beta, d3 * beta
            for r in range(p, end, LANES):
                x = load(w, r)
                store(w, r + s0, load(w, r + s0) - d0 * x)
                store(w, r + s1, load(w, r + s1) - d1 * x)
                store(w, r + s2, load(w, r + s2) - d2 * x)
                store(w, r + s3, load(w, r + s3) - d3 * x)
            c += 4
        while c < 3 * n:
            reflect(w, p, end, beta, (c - k) * width)
            c += 1


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
