"""Orthogonal collocation for cycles in compiled code: the equations, their derivatives, and rows of borders."""

import numpy as np

from gan_bifurcation.compiling import leaf
from gan_bifurcation.continuation._cycle_linear import (
    clear,
)
from gan_bifurcation.continuation._cycle_memory import RUNGE, SIZES, Layout
from gan_bifurcation.continuation._cycle_tape import run_packs
from gan_bifurcation.continuation._packs import (
    LANES,
    apart,
    inlined,
    load,
    put,
    spread,
    store,
    take,
    total,
)
from gan_bifurcation.kernels import MATRIX, TAPE, VECTOR, FloatArray, TapeData, types
from gan_bifurcation.linking import linked


@leaf
def gather(p: Layout, w: FloatArray, u: FloatArray, at: int, to: int) -> None:
    """States (N m + 1, n) that begin at `at` in u, laid out in packs; all equal in intervals of no length."""
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


@linked("collocation", types.void(SIZES, TAPE, VECTOR, MATRIX, VECTOR, VECTOR, VECTOR, types.int64), _nrt=False)
def evaluate(
    p: Layout, tape: TapeData, w: FloatArray, v: FloatArray, g: FloatArray, box: FloatArray, b: FloatArray, order: int
) -> None:
    """f at the Gauss points of the states in `ul`; with order 1 its Jacobian, with order 2 f at the mesh points too.

    With order -1, f at eight states that are in the last place of `peaks`, in their place.
    """
    apart()
    n, m = p.n, p.m
    alone = order < 0
    few = p.peaks + (RUNGE + 1) * n * LANES
    load_parameters(p, w, b)
    for c in range(tape.n_inputs - n):
        store(v, (n + c) * LANES, spread(take(w, p.parameters + c)))
    # What depends on parameters only is computed once.
    start = 0
    for j in range(1 if alone else p.turns):
        u = few if alone else p.ul + j * p.wide * LANES
        for i in range(m if alone else 0, m + 1 if order == 2 or alone else m):
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
                f = p.fv + (j * m + i) * n * LANES if i < m else (few if alone else p.fm + j * n * LANES)
                f += r * LANES
                store(w, f, load(v, out * LANES) * size)
                if order > 0 and i < m:
                    to = p.jac + ((j * m + i) * n + r) * p.directions * LANES
                    for c in range(p.directions):
                        unit = take(w, p.scale + c) if c < n else take(w, p.slope + c - n)
                        store(w, to + c * LANES, load(g, (out * p.directions + c) * LANES) * (unit * size))


@inlined
def assemble(p: Layout, w: FloatArray, period: float, j: int) -> None:
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
    return float(total(sums) / n)
