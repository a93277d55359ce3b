"""Points of a collocation system and their differences in compiled code: lengths, predictor, Broyden's corrections."""

import numpy as np
from numpy.typing import NDArray

from gan_bifurcation.compiling import leaf
from gan_bifurcation.continuation._cycle_factors import factorise_final, reduce_row
from gan_bifurcation.continuation._cycle_linear import copy
from gan_bifurcation.continuation._cycle_memory import (
    BEFORE,
    BEFORE_TANGENT,
    LAST,
    MEMORY,
    PRESENT,
    REMEMBERED,
    SOLUTION,
    TANGENT,
    TRIAL,
    Layout,
)
from gan_bifurcation.continuation._cycle_system import border_row, gather, inner_product, row_times
from gan_bifurcation.continuation._packs import LANES, ONE, apart, inlined, load, put, spread, store, take, total
from gan_bifurcation.kernels import FloatArray

IntArray = NDArray[np.int64]


@leaf
def length(p: Layout, w: FloatArray, at: int) -> float:
    """Length of a vector, in the measure of arclength."""
    apart()
    gather(p, w, w, at, p.xl)
    size = inner_product(p, w, p.xl, p.xl)
    for c in range(p.nb):
        size += take(w, p.weights + c) * take(w, at + p.border + c) ** 2
    return float(np.sqrt(size))


@leaf
def add(w: FloatArray, to: int, factor: float, x: int, count: int) -> None:
    apart()
    for i in range(0, count, LANES):
        store(w, to + i, load(w, to + i) + factor * load(w, x + i))


@leaf
def dot(w: FloatArray, x: int, y: int, count: int) -> float:
    apart()
    sums = spread(0.0)
    for i in range(0, count, LANES):
        sums = sums + load(w, x + i) * load(w, y + i)
    return float(total(sums))


@leaf
def remember(p: Layout, w: FloatArray, count: int) -> None:
    """Broyden's correction for the one just computed with old factors, from `count` corrections that went before.

    The new one is kept if there is room.

    Kelley: Iterative Methods for Linear and Nonlinear Equations (1995), section 7.3.
    """
    apart()
    z = p.vectors + SOLUTION * p.vector
    s = p.vectors + MEMORY * p.vector
    left = 0.0
    for j in range(min(count, REMEMBERED)):
        left = dot(w, s, z, p.border) / dot(w, s, s, p.border)
        s += p.vector
        if j + 1 < min(count, REMEMBERED):
            add(w, z, left, s, p.vector)
    if count < REMEMBERED:
        # The last one says how much is left of what it did not find.
        if abs(left) < 0.6:
            add(w, z, left / (1.0 - left), z, p.vector)
        copy(w, z, s, p.vector // LANES)


@leaf
def arclength_row(p: Layout, w: FloatArray, t: FloatArray, tb: FloatArray, at: int, at_b: int) -> None:
    """The last row: the product with a tangent, states and border unknowns."""
    apart()
    last = p.nb - 1
    gather(p, w, t, at, p.xl)
    border_row(p, w, ONE, last, p.xl)
    for c in range(p.nb):
        put(w, p.corner + last * p.k + c, take(w, p.weights + c) * take(tb, at_b + c))


@leaf
def accept(p: Layout, w: FloatArray, final: FloatArray, pivots: IntArray, which: IntArray, moved: int) -> None:
    """Make the trial point just settled (or the present one, if it was not `moved`) the present one."""
    apart()
    at, step = p.vectors, p.vector
    if moved == 1:
        copy(w, at + PRESENT * step, at + BEFORE * step, step // LANES)
        copy(w, at + TANGENT * step, at + BEFORE_TANGENT * step, step // LANES)
        copy(w, at + TRIAL * step, at + PRESENT * step, step // LANES)
    copy(w, at + SOLUTION * step, at + TANGENT * step, step // LANES)
    tangent = at + TANGENT * step
    arclength_row(p, w, w, w, tangent, tangent + p.border)
    reduce_row(p, w, p.nb - 1)
    factorise_final(p, w, final, pivots, which)


@leaf
def scaled(p: Layout, w: FloatArray) -> None:
    """Tangents of unit length, the steps' lengths with them, and the last row, after a change of the mesh."""
    apart()
    at = p.vectors
    w[p.weights] = 1.0 / take(w, at + PRESENT * p.vector + p.border) ** 2
    tangent = at + TANGENT * p.vector
    size = length(p, w, tangent)
    add(w, tangent, 1.0 / size - 1.0, tangent, p.vector)
    before = at + BEFORE_TANGENT * p.vector
    add(w, before, 1.0 / size - 1.0, before, p.vector)
    w[p.step + LAST] *= size
    arclength_row(p, w, w, w, tangent, tangent + p.border)


@inlined
def predict(p: Layout, w: FloatArray, ds: float, before: float) -> float:
    """The trial point: on the cubic through this point and the last with their tangents, or on the tangent if there is
    no last one (`before` = 0). Returns the value of the last row there."""
    at, step = p.vectors, p.vector
    for i in range(at, at + step, LANES):
        x, slope = load(w, i + PRESENT * step), load(w, i + TANGENT * step)
        change = ds * slope
        if before > 0.0:
            a = (load(w, i + BEFORE * step) - x) / before + slope
            c3 = (load(w, i + BEFORE_TANGENT * step) - slope + 2.0 * a) / (before * before)
            c2 = a / before + before * c3
            change = change + (ds * ds) * (c2 + ds * c3)
        store(w, i + TRIAL * step, x + change)
    # Newton's corrections close, so they never mend a gap between the ends, which a cubic multiplies by five each step.
    for c in range(p.n):
        put(w, at + TRIAL * step + p.states - p.n + c, take(w, at + TRIAL * step + c))
    last = p.nb - 1
    gather(p, w, w, at + PRESENT * step, p.xl)
    target = ds + row_times(p, w, last, p.xl)
    for c in range(p.nb):
        target += take(w, p.corner + last * p.k + c) * take(w, at + PRESENT * step + p.border + c)
    return float(target)


@inlined
def wanted(p: Layout, w: FloatArray, target: float, period: float) -> None:
    """What the border rows are to change by at the trial point, whose states are in `ul`."""
    last = p.nb - 1
    bn = p.vectors + TRIAL * p.vector + p.border
    for r in range(p.nb):
        wanted = period - w[bn]
        if r == 0 or r == last:
            wanted = -row_times(p, w, r, p.ul)
        if r == last:
            wanted += target
            for c in range(p.nb):
                wanted -= w[p.corner + r * p.k + c] * w[bn + c]
        w[p.right + p.n + r] = wanted
