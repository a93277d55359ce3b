"""Orthogonal collocation for cycles in compiled code: the factors of a Newton step's system.

A cycle's states are, in each interval of the mesh, polynomials of degree m through m + 1 equidistant nodes, and
satisfy u' = T f(u, p) at the m Gauss points. The linear system of a Newton step is almost block diagonal: the rows of
an interval know its inner nodes, its right and its left end. LU with pivoting removes the inner nodes and leaves n rows
R x_{i+1} + L x_i, with R triangular; the intervals are then joined, by orthogonal reduction of the two blocks that know
the common end (with pivoting alone, errors can grow with the number of intervals: Wright, SIAM J. Sci. Comput. 14
(1993), 231-238). What remains knows x_0 and x_N: P x_0 + Q x_N. Borders (period, parameters, phase condition,
arclength, conditions on the cycle) are taken through the same factors as single columns and rows, so the factors serve
every problem on the same cycle, closed by any factor s: x_N = s x_0.

The mesh is cut into eight runs of intervals, one for each lane of a pack, which are worked on at once; the last ones
are filled up with intervals of no length, which change nothing. Each run is joined from its left to its right, then
neighbouring runs two by two (Wright, SIAM J. Sci. Stat. Comput. 13 (1992), 742-764).

Unknowns are scaled: states by their sizes, parameters by their windows.

References
----------
de Boor, Swartz: Collocation at Gaussian points, SIAM J. Numer. Anal. 10 (1973), 582-606.
Ascher, Mattheij, Russell: Numerical Solution of Boundary Value Problems (1988), sections 5.6, 7.2.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import leaf
from gan_bifurcation.continuation._cycle_linear import (
    clear,
    copy,
    factor,
    lower,
    lower_transposed,
    subtract,
    subtract_row,
    triangularise,
    turn,
    upper,
    upper_row,
)
from gan_bifurcation.continuation._cycle_memory import LEVELS, SIZES, Layout
from gan_bifurcation.continuation._cycle_system import (
    assemble,
    residual,
)
from gan_bifurcation.continuation._linear_algebra import lu_factor, lu_solve
from gan_bifurcation.continuation._packs import (
    LANES,
    ONE,
    PACKED,
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
from gan_bifurcation.kernels import INDEX, MATRIX, VECTOR, FloatArray, types
from gan_bifurcation.linking import linked

IntArray = NDArray[np.int64]


@leaf
def _couple(p: Layout, w: FloatArray, stage: int) -> None:
    """Join what is in `next` to what is in `run`, by the reflections of a stage."""
    apart()
    n = p.n
    square = n * n * LANES
    t = p.t + stage * 6 * square
    for c in range(n):
        top = t + 2 * c * n * LANES
        copy(w, p.run + c * n * LANES, top, n)
        copy(w, p.next + square + c * n * LANES, top + n * LANES, n)
        clear(w, top + 2 * square, n)
        copy(w, p.next + c * n * LANES, top + 2 * square + n * LANES, n)
        copy(w, p.run + square + c * n * LANES, top + 4 * square, n)
        clear(w, top + 4 * square + n * LANES, n)
    triangularise(w, t, n, p.scales + stage * n * LANES, p.diagonal + stage * n * LANES)
    for c in range(2 * n):
        copy(w, t + 2 * square + (2 * c + 1) * n * LANES, p.run + c * n * LANES, n)


@inlined
def factorise(p: Layout, w: FloatArray, period: float) -> None:
    """Blocks and their factors, columns and rows of borders in the blocks; the determinant's sign goes to `sign`."""
    n, q = p.n, p.q
    signs = spread(1.0)
    square = n * n * LANES
    for j in range(p.turns):
        block = p.a + j * p.wide * q * LANES
        pivots, kinds = p.pivots + j * q * LANES, p.kinds + j * q
        assemble(p, w, period, j)
        factor(w, block, p.wide, q, pivots, kinds)
        for k in range(p.nb):
            lower(w, block, q, pivots, kinds, p.coli + (k * p.turns + j) * q * LANES)
            # While the block is at hand.
            _row_in_block(p, w, k, j)
        for k in range(q):
            other = magnitude(load(w, pivots + k * LANES) - float(k))
            signs = choose(other, spread(0.5), signs * -1.0, signs)
            if k < p.inner:
                signs = choose(spread(0.0), load(w, block + k * (q + 1) * LANES), signs * -1.0, signs)
        to = p.run if j == 0 else p.next
        for c in range(n):
            copy(w, block + ((p.inner + c) * q + p.inner) * LANES, to + c * n * LANES, c + 1)
            clear(w, to + (c * n + c + 1) * LANES, n - c - 1)
            copy(w, block + ((p.q + c) * q + p.inner) * LANES, to + square + c * n * LANES, n)
        if j > 0:
            _couple(p, w, j)
            signs = signs * _turned(p, w, j)
    sign = 1.0
    for lane in range(LANES):
        store(w, p.work, signs)
        sign *= take(w, p.work + lane)
    for level in range(LEVELS):
        copy(w, p.run + (1 << level), p.next, 2 * n * n)
        _couple(p, w, p.turns + level)
        store(w, p.work, _turned(p, w, p.turns + level))
        for lane in range(0, LANES, 2 << level):
            sign *= take(w, p.work + lane)
    for i in range(2 * n * n):
        put(w, p.pencil + i, take(w, p.run + i * LANES))
    w[p.sign] = sign


@leaf
def _turned(p: Layout, w: FloatArray, stage: int) -> Any:
    """What the reflections of a stage and its triangle give to the sign of a determinant."""
    apart()
    signs = spread(1.0)
    for k in range(p.n):
        at = (stage * p.n + k) * LANES
        signs = choose(spread(0.0), load(w, p.diagonal + at), signs * -1.0, signs)
        signs = choose(magnitude(load(w, p.scales + at)), spread(0.0), signs * -1.0, signs)
    return signs


@leaf
def forward(p: Layout, w: FloatArray, k: int, blocks: int) -> None:
    """Column k through the factors, in place; through those of the blocks only if it is not yet."""
    apart()
    n, q = p.n, p.q
    square = n * n * LANES
    column, kept, last = p.coli + k * p.turns * q * LANES, p.cols + k * p.stages * n * LANES, p.work
    for stage in range(p.stages):
        if stage < p.turns:
            v = column + stage * q * LANES
            if blocks == 1:
                lower(w, p.a + stage * p.wide * q * LANES, q, p.pivots + stage * q * LANES, p.kinds + stage * q, v)
            copy(w, v + p.inner * LANES, last + n * LANES, n)
        else:
            copy(w, last + (1 << (stage - p.turns)), last + n * LANES, n)
        if stage > 0:
            turn(w, p.t + stage * 6 * square, n, p.scales + stage * n * LANES, last, ZERO)
            copy(w, last, kept + stage * n * LANES, n)
        copy(w, last + n * LANES, last, n)
    for c in range(n):
        put(w, p.colf + k * n + c, take(w, last + c * LANES))


@leaf
def _row_in_block(p: Layout, w: FloatArray, r: int, j: int) -> None:
    """Row r through the factors of a turn's blocks; turns in their order."""
    apart()
    n, q = p.n, p.q
    block = p.a + j * p.wide * q * LANES
    given, y = p.rows + (r * p.turns + j) * p.wide * LANES, p.rowi + (r * p.turns + j) * p.inner * LANES
    copy(w, given, y, p.inner)
    upper_row(w, block, q, p.inner, block, (q + 1) * LANES, y)
    here = p.rowe + (r * (p.turns + 1) + j) * n * LANES
    if j == 0:
        clear(w, here, n)
    for c in range(0, n * LANES, LANES):
        store(w, here + c, load(w, here + c) + load(w, given + q * LANES + c))
        store(w, here + n * LANES + c, load(w, given + p.inner * LANES + c))
    subtract_row(w, block + p.inner * q * LANES, q, y, p.inner, n, here + n * LANES)
    subtract_row(w, block + q * q * LANES, q, y, p.inner, n, here)


@leaf
def _join_row(p: Layout, w: FloatArray, r: int) -> None:
    """Row r, which is through the factors of the blocks, through those of the joins."""
    apart()
    n = p.n
    # The left end of what is joined stays in front, its right end goes to the last place.
    ends = p.rowe + r * (p.turns + 1) * n * LANES
    right = ends + p.turns * n * LANES
    for stage in range(1, p.stages):
        y = p.rowsx + (r * p.stages + stage) * n * LANES
        if stage < p.turns:
            copy(w, ends + stage * n * LANES, y, n)
            after = ends + (stage + 1) * n * LANES
        else:
            shift = 1 << (stage - p.turns)
            for c in range(0, n * LANES, LANES):
                store(w, y + c, load(w, right + c) + load(w, ends + c + shift))
            copy(w, right + shift, right, n)
            after = right
        t = p.t + stage * 6 * n * n * LANES
        upper_row(w, t, 2 * n, n, p.diagonal + stage * n * LANES, PACKED, y)
        subtract_row(w, t + 2 * n * n * LANES, 2 * n, y, n, n, after)
        subtract_row(w, t + 4 * n * n * LANES, 2 * n, y, n, n, ends)
    for c in range(n):
        put(w, p.rowf + 2 * r * n + c, take(w, ends + c * LANES))
        put(w, p.rowf + (2 * r + 1) * n + c, take(w, right + c * LANES))


@leaf
def reduce_row(p: Layout, w: FloatArray, r: int) -> None:
    """Row r through the factors."""
    apart()
    for j in range(p.turns):
        _row_in_block(p, w, r, j)
    _join_row(p, w, r)


@leaf
def crossing(p: Layout, w: FloatArray, r: int, k: int) -> float:
    """What row r takes of column k in the factors."""
    apart()
    n = p.n
    sums = spread(0.0)
    for j in range(p.turns):
        x, y = p.rowi + (r * p.turns + j) * p.inner * LANES, p.coli + (k * p.turns + j) * p.q * LANES
        for c in range(0, p.inner * LANES, LANES):
            sums = sums + load(w, x + c) * load(w, y + c)
    x, y = p.rowsx + r * p.stages * n * LANES, p.cols + k * p.stages * n * LANES
    for c in range(n * LANES, p.turns * n * LANES, LANES):
        sums = sums + load(w, x + c) * load(w, y + c)
    result = float(total(sums))
    for level in range(LEVELS):
        at = (p.turns + level) * n * LANES
        for lane in range(0, LANES, 2 << level):
            for c in range(n):
                result += take(w, x + at + c * LANES + lane) * take(w, y + at + c * LANES + lane)
    return result


@leaf
def last_system(
    p: Layout, w: FloatArray, start: float, end: float, rows: IntArray, cols: IntArray, out: FloatArray
) -> None:
    """[[start P + end Q, columns], [start row_0 + end row_N, corner]], (n + rows, n + columns), into `out`."""
    apart()
    n = p.n
    for r in range(n):
        for c in range(n):
            out[r, c] = start * take(w, p.pencil + (n + c) * n + r) + end * take(w, p.pencil + c * n + r)
        for c in range(cols.shape[0]):
            out[r, n + c] = take(w, p.colf + cols[c] * n + r)
    for r in range(rows.shape[0]):
        row = p.rowf + 2 * rows[r] * n
        for c in range(n):
            out[n + r, c] = start * take(w, row + c) + end * take(w, row + n + c)
        for c in range(cols.shape[0]):
            out[n + r, n + c] = take(w, p.corner + rows[r] * p.k + cols[c]) - crossing(p, w, rows[r], cols[c])


@inlined
def recover(p: Layout, w: FloatArray, which: IntArray, with_right: float, to: int) -> None:
    """Unknowns from x_0 (in `right`, before the weights of columns) and x_N (in `last`).

    With `with_right` = 1 for the right-hand side, 0 for none; (N m + 1, n) numbers from `to` on.
    """
    n, m, q = p.n, p.m, p.q
    square = n * n * LANES
    left, right = p.ends, p.ends + p.turns * n * LANES
    for c in range(n):
        put(w, left + c * LANES, take(w, p.right + c))
        put(w, right + c * LANES, take(w, p.last + c))
    for stage in range(p.stages - 1, 0, -1):
        after = p.ends + (stage + 1) * n * LANES if stage < p.turns else right
        x = p.ends + stage * n * LANES if stage < p.turns else p.work
        t = p.t + stage * 6 * square
        _combined(p, w, p.cols + stage * n * LANES, p.stages * n * LANES, n, which, with_right, x)
        subtract(w, t + 2 * square, 2 * n, after, n, n, x)
        subtract(w, t + 4 * square, 2 * n, left, n, n, x)
        upper(w, t, 2 * n, n, p.diagonal + stage * n * LANES, PACKED, x)
        if stage >= p.turns:
            # The middle is the right end of the left half, and the left end of the right half.
            half = 1 << (stage - p.turns)
            for lane in range(0, LANES, 2 * half):
                for c in range(lane, n * LANES, LANES):
                    put(w, left + c + half, take(w, x + c))
                    put(w, right + c + half, take(w, right + c))
                    put(w, right + c, take(w, x + c))
    v = p.work
    for j in range(p.turns):
        block = p.a + j * p.wide * q * LANES
        _combined(p, w, p.coli + j * q * LANES, p.turns * q * LANES, p.inner, which, with_right, v)
        here = p.ends + j * n * LANES
        subtract(w, block + p.inner * q * LANES, q, here + n * LANES, n, p.inner, v)
        subtract(w, block + q * q * LANES, q, here, n, p.inner, v)
        upper(w, block, q, p.inner, block, (q + 1) * LANES, v)
        for lane in range(LANES):
            i = lane * p.turns + j
            if i < p.intervals:
                target = to + i * m * n
                for c in range(n):
                    put(w, target + c, take(w, here + c * LANES + lane))
                for c in range(p.inner):
                    put(w, target + n + c, take(w, v + c * LANES + lane))
    for c in range(n):
        put(w, to + p.intervals * m * n + c, take(w, p.last + c))


@leaf
def _combined(
    p: Layout, w: FloatArray, at: int, step: int, count: int, which: IntArray, with_right: float, to: int
) -> None:
    """The right-hand side less the weighted columns; columns lie `step` apart."""
    apart()
    for c in range(0, count * LANES, LANES):
        x = spread(0.0)
        if with_right != 0.0:
            x = load(w, at + p.rhs * step + c)
        for k in range(which.shape[0]):
            x = x - take(w, p.right + p.n + k) * load(w, at + which[k] * step + c)
        store(w, to + c, x)


@linked("left solution of cycles", types.void(SIZES, VECTOR, INDEX, VECTOR), _nrt=False)
def recover_left(p: Layout, w: FloatArray, rows: IntArray, psi: FloatArray) -> None:
    """The left solution (N, q) from what it is in the last system: in `right` n equations, then weights of rows."""
    apart()
    n, q = p.n, p.q
    square = n * n * LANES
    carry, v = p.ends, p.work
    for c in range(n):
        put(w, carry + c * LANES, take(w, p.right + c))
    for stage in range(p.stages - 1, -1, -1):
        if stage > 0:
            for c in range(0, n * LANES, LANES):
                x = spread(0.0)
                for k in range(rows.shape[0]):
                    x = x - take(w, p.right + n + k) * load(w, p.rowsx + (rows[k] * p.stages + stage) * n * LANES + c)
                store(w, v + c, x)
            copy(w, carry, v + n * LANES, n)
            turn(w, p.t + stage * 6 * square, n, p.scales + stage * n * LANES, v, ONE)
            if stage >= p.turns:
                half = 1 << (stage - p.turns)
                for lane in range(0, LANES, 2 * half):
                    for c in range(lane, n * LANES, LANES):
                        put(w, carry + c, take(w, v + c))
                        put(w, carry + c + half, take(w, v + n * LANES + c))
                continue
            copy(w, v, carry, n)
            copy(w, v + n * LANES, p.work2 + p.inner * LANES, n)
        else:
            copy(w, carry, p.work2 + p.inner * LANES, n)
        y = p.work2
        for c in range(0, p.inner * LANES, LANES):
            x = spread(0.0)
            for k in range(rows.shape[0]):
                at = p.rowi + (rows[k] * p.turns + stage) * p.inner * LANES
                x = x - take(w, p.right + n + k) * load(w, at + c)
            store(w, y + c, x)
        lower_transposed(w, p.a + stage * p.wide * q * LANES, q, p.pivots + stage * q * LANES, p.kinds + stage * q, y)
        for lane in range(LANES):
            i = lane * p.turns + stage
            if i < p.intervals:
                for c in range(q):
                    put(psi, i * q + c, take(w, y + c * LANES + lane))


@leaf
def factorise_final(p: Layout, w: FloatArray, final: FloatArray, pivots: IntArray, which: IntArray) -> None:
    """Factors of the last system with x_N = x_0 and all borders; the sign of the determinant goes to `whole`.

    The corner holds the entries of border rows in border columns.
    """
    apart()
    last_system(p, w, 1.0, 1.0, which, which, final)
    w[p.whole] = lu_factor(final, pivots) * take(w, p.sign)


@linked("factors of cycles", types.void(SIZES, VECTOR, MATRIX, INDEX, INDEX, types.float64), _nrt=False)
def factors(p: Layout, w: FloatArray, final: FloatArray, pivots: IntArray, which: IntArray, period: float) -> None:
    """Factors of the system at the point last evaluated, with all columns and rows."""
    apart()
    w[p.period] = period
    factorise(p, w, period)
    for k in range(p.nb):
        forward(p, w, k, ZERO)
        _join_row(p, w, k)
    factorise_final(p, w, final, pivots, which)


@linked(
    "solution of cycles",
    types.void(SIZES, VECTOR, MATRIX, INDEX, INDEX, types.float64, types.float64, types.int64, types.int64),
    _nrt=False,
)
def solve(
    p: Layout, w: FloatArray, final: FloatArray, pivots: IntArray, which: IntArray, period: float, with_right: float,
    with_borders: int, to: int,
) -> None:  # fmt: skip
    """Solve with the factors at hand, for the residual of the point last evaluated or for none.

    What border rows are to change by is in `right`, from n on; the solution goes to the vector at `to`. Without
    borders both ends are given, in `right` and `last`, and the weights of columns.
    """
    apart()
    n = p.n
    if with_right != 0.0:
        residual(p, w, period)
        forward(p, w, p.rhs, ONE)
    if with_borders == 1:
        for c in range(n):
            put(w, p.right + c, with_right * take(w, p.colf + p.rhs * n + c))
        for r in range(p.nb if with_right != 0.0 else 0):
            w[p.right + n + r] -= crossing(p, w, r, p.rhs)
        lu_solve(final, pivots, w[p.right : p.right + n + p.nb])
        for c in range(n):
            put(w, p.last + c, take(w, p.right + c))
    recover(p, w, which, with_right, to)
    for c in range(which.shape[0]):
        put(w, to + p.border + which[c], take(w, p.right + n + c))
