"""Orthogonal collocation for cycles in compiled code: the system of a Newton step and its factors.

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

from types import SimpleNamespace
from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

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
from gan_bifurcation.continuation._cycle_tape import run_packs
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
from gan_bifurcation.evaluation import _NO_TAPE, INDEX, MATRIX, VECTOR, structref, types
from gan_bifurcation.kernels import FloatArray, TapeData, leaf

IntArray = NDArray[np.int64]

# Joins of runs: eight to four to two to one.
LEVELS: Final = 3
assert LANES == 1 << LEVELS


# Sizes of a collocation system, and where its numbers lie in the memory: compiled code takes them as a record, which is
# one pointer. Columns and rows are those of the period, the parameters, extra unknowns, two borders of a condition; a
# last column is the right-hand side. Interval i is in lane i // turns at turn i % turns.
_NAMES: Final = (
    "n",
    "m",
    "intervals",
    "turns",
    "q",  # rows of an interval: n m
    "inner",  # inner unknowns of an interval: n (m - 1)
    "wide",  # unknowns of an interval: n (m + 1)
    "nf",
    "nb",
    "k",
    "rhs",
    "directions",
    "stages",
    "states",  # numbers of a profile: n (N m + 1)
    "h",  # (turns, LANES)
    "d",  # (m, m + 1)
    "w",  # (m, m + 1)
    "omega",  # (m,)
    "scale",  # (n,)
    "low",  # (nf,) each
    "high",
    "log",
    "slope",
    "free",
    "parameters",
    "ul",  # (turns, m + 1, n, LANES): states of the point last evaluated
    "xl",  # the same: any others
    "yl",
    "fv",  # (turns, m, n, LANES): f at the Gauss points, at the mesh points
    "fm",  # (turns, n, LANES)
    "jac",  # (turns, m, n, n + nf, LANES)
    "a",  # (turns, wide, q, LANES): the blocks by columns: inner nodes, right end, left end
    "pivots",  # (turns, q, LANES)
    "kinds",  # (turns, q)
    "t",  # (stages, 3 n, 2 n, LANES): joins
    "scales",  # (stages, n, LANES)
    "diagonal",  # (stages, n, LANES)
    "run",  # (2, n, n, LANES): what is joined so far: Q and P; what comes next
    "next",
    "coli",  # (k + 1, turns, q, LANES): columns in the blocks, in the joins, in the last system
    "cols",  # (k + 1, stages, n, LANES)
    "colf",  # (k + 1, n)
    "rows",  # (k, turns, wide, LANES): rows as given, through the blocks, the joins, in the last system
    "rowi",  # (k, turns, inner, LANES)
    "rowsx",  # (k, stages, n, LANES)
    "rowf",  # (k, 2, n)
    "corner",  # (k, k)
    "ends",  # (turns + 1, n, LANES): values at the ends of intervals
    "work",  # (max(q, 2 n), LANES)
    "work2",
    "sign",  # of the determinant: of what the blocks and joins give, of the whole
    "whole",
    "pencil",  # (2, n, n): Q and P of the last system, by columns
    "right",  # (n + k,)
    "last",  # (n,)
    "border",  # where border unknowns begin in a vector: states (N m + 1, n), zeros up to a line of the cache, borders
    "vector",  # numbers of a vector
    "weights",  # (k,)
    "step",
    "vectors",  # (VECTORS, vector)
)
LAYOUT: Final = np.dtype([(name, np.int64) for name in _NAMES])
Layout = Any


# The vectors: present point and tangent, the last point and its tangent, trial point, solution, another one, and
# corrections that are remembered.
PRESENT, TANGENT, BEFORE, BEFORE_TANGENT, TRIAL, SOLUTION, SPARE, MEMORY = range(8)
REMEMBERED: Final = 5
VECTORS: Final = MEMORY + REMEMBERED


def layout(n: int, m: int, intervals: int, nf: int, extra: int, parameters: int) -> tuple[SimpleNamespace, NDArray[np.void], int]:
    """The sizes of a system, for Python and for compiled code, and how many numbers it needs."""
    turns = -(-intervals // LANES)
    q, wide, inner = n * m, n * (m + 1), n * (m - 1)
    nb = 1 + nf + extra
    k = nb + 2
    nd = n + nf
    stages = turns + LEVELS
    size = n * (intervals * m + 1)
    border = -(-size // LANES) * LANES
    vector = border + -(-k // LANES) * LANES
    counts = {
        "h": turns * LANES, "d": m * (m + 1), "w": m * (m + 1), "omega": m, "scale": n, "low": nf, "high": nf,
        "log": nf, "slope": nf, "free": nf, "parameters": parameters, "ul": turns * wide * LANES,
        "xl": turns * wide * LANES, "yl": turns * wide * LANES, "fv": turns * q * LANES, "fm": turns * n * LANES, "jac": turns * q * nd * LANES,
        "a": turns * wide * q * LANES, "pivots": turns * q * LANES, "kinds": turns * q,
        "t": stages * 6 * n * n * LANES, "scales": stages * n * LANES, "diagonal": stages * n * LANES,
        "run": 2 * n * n * LANES, "next": 2 * n * n * LANES, "coli": (k + 1) * turns * q * LANES,
        "cols": (k + 1) * stages * n * LANES, "colf": (k + 1) * n, "rows": k * turns * wide * LANES,
        "rowi": k * turns * inner * LANES, "rowsx": k * stages * n * LANES, "rowf": k * 2 * n, "corner": k * k,
        "ends": (turns + 1) * n * LANES, "work": max(q, 2 * n) * LANES, "work2": max(q, 2 * n) * LANES, "sign": 1, "whole": 1,
        "pencil": 2 * n * n, "right": n + k, "last": n,
        "weights": k, "step": 16, "vectors": VECTORS * vector,
    }  # fmt: skip
    places, at = {}, 0
    for name, count in counts.items():
        places[name] = at
        # Packs begin where lines of the cache do; a shifted pack may reach beyond its array.
        at += -(-(count + LANES) // LANES) * LANES
    sizes = {
        "n": n, "m": m, "intervals": intervals, "turns": turns, "q": q, "inner": inner, "wide": wide, "nf": nf, "nb": nb,
        "k": k, "rhs": k, "directions": nd, "stages": stages, "states": size,
        "border": border, "vector": vector,
    } | places  # fmt: skip
    record = np.zeros(1, dtype=LAYOUT)
    for name in _NAMES:
        record[name] = sizes[name]
    return SimpleNamespace(**sizes), record, at


@structref.register
class _CycleType(types.StructRef):  # type: ignore[misc]
    """Type of `Cycle` in compiled code."""


class Cycle(structref.StructRefProxy):  # type: ignore[misc]
    """A collocation system: sizes, tape and memory; made by `make_cycle`."""


structref.define_boxing(_CycleType, Cycle)
_typeof: Any = numba.typeof

CYCLE: Final[Any] = _CycleType(
    [
        ("sizes", _typeof(np.zeros(1, dtype=LAYOUT))),  # (1,)
        ("tape", _typeof(_NO_TAPE)),
        ("w", VECTOR),
        ("v", MATRIX),  # (slots, LANES)
        ("g", VECTOR),  # (slots, directions, LANES)
        ("box", VECTOR),
        ("final", MATRIX),
        ("pivots", INDEX),
    ]
)


@leaf
def gather(p: Layout, w: FloatArray, u: FloatArray, at: int, to: int) -> None:
    """States (N m + 1, n) of a profile that begin at `at` in u, laid out in packs; all equal in intervals of no length."""
    apart()
    n, m = p.n, p.m
    for j in range(p.turns):
        for lane in range(LANES):
            i = lane * p.turns + j
            for k in range(m + 1):
                source = at + min(i * m + k, p.intervals * m) * n
                target = to + ((j * (m + 1) + k) * n) * LANES + lane
                for c in range(n):
                    put(w, target + c * LANES, take(u, source + c))


@leaf
def load_parameters(p: Layout, w: FloatArray, b: FloatArray) -> None:
    """The parameters of the unknowns `b` = (period, free parameters in their windows, ...)."""
    apart()
    for i in range(p.nf):
        low, high = take(w, p.low + i), take(w, p.high + i)
        if take(w, p.log + i) == 1.0:
            rate = np.log(high / low)
            number = low * np.exp(b[1 + i] * rate)
            w[p.slope + i] = number * rate
        else:
            number = low + b[1 + i] * (high - low)
            w[p.slope + i] = high - low
        w[p.parameters + int(take(w, p.free + i))] = number


@leaf
def evaluate(
    p: Layout, tape: TapeData, w: FloatArray, v: FloatArray, g: FloatArray, box: FloatArray, b: FloatArray, order: int
) -> None:
    """f at the Gauss points of the states in `ul`; with order 1 its Jacobian, with order 2 f at the mesh points too."""
    apart()
    n, m = p.n, p.m
    load_parameters(p, w, b)
    for c in range(tape.n_inputs - n):
        store(v, (n + c) * LANES, spread(take(w, p.parameters + c)))
    # What depends on parameters only is computed once.
    start = 0
    for j in range(p.turns):
        u = p.ul + j * p.wide * LANES
        for i in range(m + 1 if order == 2 else m):
            for c in range(n):
                if i < m:
                    x = spread(0.0)
                    for k in range(m + 1):
                        x = x + take(w, p.w + i * (m + 1) + k) * load(w, u + (k * n + c) * LANES)
                else:
                    x = load(w, u + c * LANES)
                store(v, c * LANES, x * take(w, p.scale + c))
            run_packs(tape, v, g, box, p.directions, order > 0 and i < m, start)
            start = tape.prefix
            for r in range(n):
                out = tape.outputs[r]
                size = 1.0 / take(w, p.scale + r)
                f = p.fv + ((j * m + i) * n + r) * LANES if i < m else p.fm + (j * n + r) * LANES
                store(w, f, load(v, out * LANES) * size)
                if order > 0 and i < m:
                    to = p.jac + ((j * m + i) * n + r) * p.directions * LANES
                    for c in range(p.directions):
                        unit = take(w, p.scale + c) if c < n else take(w, p.slope + c - n)
                        store(w, to + c * LANES, load(g, (out * p.directions + c) * LANES) * (unit * size))


@inlined
def _assemble(p: Layout, w: FloatArray, period: float, j: int) -> None:
    """The block of a turn, and the columns of the period and of the parameters."""
    n, m = p.n, p.m
    h = load(w, p.h + j * LANES)
    block = p.a + j * p.wide * p.q * LANES
    for k in range(m + 1):
        first = (k - 1) * n if k > 0 else m * n
        for i in range(m):
            part = h * (-period * take(w, p.w + i * (m + 1) + k))
            slope = take(w, p.d + i * (m + 1) + k)
            jac = p.jac + (j * m + i) * n * p.directions * LANES
            for c in range(n):
                to = block + ((first + c) * p.q + i * n) * LANES
                for r in range(n):
                    store(w, to + r * LANES, part * load(w, jac + (r * p.directions + c) * LANES))
                store(w, to + c * LANES, load(w, to + c * LANES) + slope)
    for i in range(m):
        for r in range(n):
            at = (j * p.q + i * n + r) * LANES
            store(w, p.coli + at, (h * -1.0) * load(w, p.fv + at))
            jac = p.jac + ((j * m + i) * n + r) * p.directions * LANES
            for k in range(1, p.nb):
                y = spread(0.0)
                if k <= p.nf:
                    y = h * -period * load(w, jac + (n + k - 1) * LANES)
                store(w, p.coli + k * p.turns * p.q * LANES + at, y)


@inlined
def residual(p: Layout, w: FloatArray, period: float) -> None:
    """Minus the collocation equations, at the point last evaluated, into the right-hand side."""
    n, m = p.n, p.m
    v = p.coli + p.rhs * p.turns * p.q * LANES
    for j in range(p.turns):
        h = load(w, p.h + j * LANES) * period
        u = p.ul + j * p.wide * LANES
        for i in range(m):
            for r in range(n):
                at = (j * p.q + i * n + r) * LANES
                y = h * load(w, p.fv + at)
                for k in range(m + 1):
                    y = y - take(w, p.d + i * (m + 1) + k) * load(w, u + (k * n + r) * LANES)
                store(w, v + at, y)


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
    """Blocks and their factors, with the columns of period and parameters; the determinant's sign goes to `sign`."""
    n, q = p.n, p.q
    signs = spread(1.0)
    square = n * n * LANES
    for j in range(p.turns):
        block = p.a + j * p.wide * q * LANES
        pivots, kinds = p.pivots + j * q * LANES, p.kinds + j * q
        _assemble(p, w, period, j)
        factor(w, block, p.wide, q, pivots, kinds)
        for k in range(p.nb):
            lower(w, block, q, pivots, kinds, p.coli + (k * p.turns + j) * q * LANES)
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
def reduce_row(p: Layout, w: FloatArray, r: int) -> None:
    """Row r through the factors."""
    apart()
    n, q = p.n, p.q
    square = n * n * LANES
    rows, rowi = p.rows + r * p.turns * p.wide * LANES, p.rowi + r * p.turns * p.inner * LANES
    ends = p.ends
    clear(w, ends, (p.turns + 1) * n)
    for j in range(p.turns):
        block = p.a + j * p.wide * q * LANES
        given, y = rows + j * p.wide * LANES, rowi + j * p.inner * LANES
        copy(w, given, y, p.inner)
        upper_row(w, block, q, p.inner, block, (q + 1) * LANES, y)
        here = ends + j * n * LANES
        for c in range(0, n * LANES, LANES):
            store(w, here + c, load(w, here + c) + load(w, given + q * LANES + c))
            store(w, here + n * LANES + c, load(w, given + p.inner * LANES + c))
        subtract_row(w, block + p.inner * q * LANES, q, y, p.inner, n, here + n * LANES)
        subtract_row(w, block + q * q * LANES, q, y, p.inner, n, here)
    # The left end of what is joined stays at `ends`, its right end goes to `right`.
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
        t = p.t + stage * 6 * square
        upper_row(w, t, 2 * n, n, p.diagonal + stage * n * LANES, PACKED, y)
        subtract_row(w, t + 2 * square, 2 * n, y, n, n, after)
        subtract_row(w, t + 4 * square, 2 * n, y, n, n, ends)
    for c in range(n):
        put(w, p.rowf + 2 * r * n + c, take(w, ends + c * LANES))
        put(w, p.rowf + (2 * r + 1) * n + c, take(w, right + c * LANES))


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


@leaf
def recover_left(p: Layout, w: FloatArray, rows: IntArray, psi: FloatArray) -> None:
    """The left solution (N, q) from what it is in the last system: n equations, weights of rows after them, in `right`."""
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
def border_row(p: Layout, w: FloatArray, kind: int, r: int, states: int) -> None:
    """Row r from states in packs: the integral phase condition (0) or the scaled inner product with them (1)."""
    apart()
    n, m = p.n, p.m
    clear(w, p.rows + r * p.turns * p.wide * LANES, p.turns * p.wide)
    for j in range(p.turns):
        x, row = states + j * p.wide * LANES, p.rows + (r * p.turns + j) * p.wide * LANES
        h = load(w, p.h + j * LANES)
        for i in range(m):
            part = h * (take(w, p.omega + i) / n) if kind == 1 else spread(take(w, p.omega + i))
            table = i * (m + 1) + (p.w if kind == 1 else p.d)
            for c in range(n):
                y = spread(0.0)
                for k in range(m + 1):
                    y = y + take(w, table + k) * load(w, x + (k * n + c) * LANES)
                y = y * part
                for k in range(m + 1):
                    to = row + (((k - 1) * n if k > 0 else m * n) + c) * LANES
                    store(w, to, load(w, to) + take(w, p.w + i * (m + 1) + k) * y)


@leaf
def row_times(p: Layout, w: FloatArray, r: int, x: int) -> float:
    """Row r, as given, times states in packs."""
    apart()
    n, m = p.n, p.m
    sums = spread(0.0)
    for j in range(p.turns):
        u, row = x + j * p.wide * LANES, p.rows + (r * p.turns + j) * p.wide * LANES
        for c in range(0, n * LANES, LANES):
            sums = sums + load(w, row + m * n * LANES + c) * load(w, u + c)
        for c in range(0, m * n * LANES, LANES):
            sums = sums + load(w, row + c) * load(w, u + n * LANES + c)
    return float(total(sums))


@leaf
def inner_product(p: Layout, w: FloatArray, x: int, y: int) -> float:
    """The mean over the states of the integral of the product of states in packs."""
    apart()
    n, m = p.n, p.m
    sums = spread(0.0)
    for j in range(p.turns):
        shift = j * p.wide * LANES
        h = load(w, p.h + j * LANES)
        for i in range(m):
            part = spread(0.0)
            for c in range(n):
                a = b = spread(0.0)
                for k in range(m + 1):
                    at = shift + (k * n + c) * LANES
                    a = a + take(w, p.w + i * (m + 1) + k) * load(w, x + at)
                    b = b + take(w, p.w + i * (m + 1) + k) * load(w, y + at)
                part = part + a * b
            sums = sums + part * (h * take(w, p.omega + i))
    return float(total(sums)) / n


@leaf
def factorise_final(p: Layout, w: FloatArray, final: FloatArray, pivots: IntArray, which: IntArray) -> None:
    """Factors of the last system with x_N = x_0 and all borders; the sign of the determinant goes to `whole`.

    The corner holds the entries of border rows in border columns.
    """
    apart()
    last_system(p, w, 1.0, 1.0, which, which, final)
    w[p.whole] = lu_factor(final, pivots) * take(w, p.sign)


@leaf
def factors(
    p: Layout, w: FloatArray, final: FloatArray, pivots: IntArray, which: IntArray, period: float
) -> None:
    """Factors of the system at the point last evaluated, with all columns and rows."""
    apart()
    factorise(p, w, period)
    for k in range(p.nb):
        forward(p, w, k, ZERO)
        reduce_row(p, w, k)
    factorise_final(p, w, final, pivots, which)


@leaf
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
